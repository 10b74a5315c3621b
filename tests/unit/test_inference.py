"""From a study to a posterior: the log-density is finite and differentiable, results do not depend on how chains are run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest
from pymc.sampling.jax import get_jaxified_logp
from scipy.stats import kstest, norm

from pkpd.domain.dosing import Route
from pkpd.domain.study import Administration, Analysis, FitOptions, Observation, Subject, build_study
from pkpd.dynamics.endpoint.continuous import Continuous
from pkpd.errors import SpecError
from pkpd.inference import describe, fit
from pkpd.inference.model import build_model
from pkpd.posterior import Posterior
from pkpd.simulate import human_patients, simulate_study

DAYS = (0, 4, 8, 12)
OPTIONS = FitOptions(chains=2, draws=40, tune=60, seed=4)


def design(endpoint: str = "tumor_volume") -> Analysis:
    """Two untreated and two treated mice, each seen four times."""
    subjects = [Subject(name=name, arm=name[0], weight_kg=0.022) for name in ("v1", "v2", "p1", "p2")]
    limit = 20.0
    observations = [
        Observation(subject=one.name, time_h=24.0 * day, endpoint=endpoint, value=200.0 + 20.0 * day, lower_limit=limit)
        for one in subjects
        for day in DAYS
    ]
    doses = [
        Administration(subject=name, time_min=1440 * day, drug="palbociclib", mg=1.65, route=Route.ORAL)
        for name in ("p1", "p2")
        for day in range(12)
    ]
    study = build_study(
        name="small", setting="mouse", subjects=subjects, observations=observations, administrations=doses
    )
    return Analysis(
        name="small", study=study, arms={}, drugs=("palbociclib",), disease="pdac_xenograft", options=OPTIONS
    )


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    start = design()
    return dataclasses.replace(start, study=simulate_study(start, {"tumor.growth_rate": 0.09}, seed=2))


@pytest.fixture(scope="module")
def posterior(analysis) -> Posterior:
    return fit(analysis, cores=1)


def test_the_log_density_is_finite_and_its_gradient_is_that_of_finite_differences(analysis):
    model = build_model(analysis).model
    start = model.initial_point()
    names = [variable.name for variable in model.value_vars]
    log_density = get_jaxified_logp(model)
    at = [jnp.asarray(start[name], dtype=float) for name in names]

    value, gradient = jax.jit(jax.value_and_grad(log_density))(at)

    assert np.isfinite(value)
    density = jax.jit(log_density)
    for index, name in enumerate(names):
        up, down = ([x + (step if k == index else 0.0) for k, x in enumerate(at)] for step in (1e-5, -1e-5))
        expected = (density(up) - density(down)) / 2e-5
        assert float(jnp.sum(gradient[index])) == pytest.approx(float(expected), rel=1e-3, abs=1e-3), name


@pytest.mark.parametrize("name", ["tumor.entry_rate", "tumor.growth_rate"])
def test_the_scale_that_is_sampled_leaves_the_prior_as_it_is(analysis, name):
    built = build_model(analysis)

    drawn = pm.draw(built.model[name], draws=300, random_seed=7)

    prior = built.evidence()[0][name]
    assert kstest(np.log(drawn), norm(np.log(prior.location), prior.scale).cdf).pvalue > 0.01


def test_growth_and_entry_are_sampled_as_treated_animals_show_them(analysis):
    model = build_model(analysis).model
    shown, typical, entry, moved = pm.draw(
        [
            model["tumor.growth_rate.centered"],
            model["tumor.growth_rate.subject"],
            model["tumor.entry_rate"],
            model["tumor.entry_rate.deviate"],
        ],
        random_seed=7,
    )

    slowing = shown - np.log(typical)  # v1, v2, p1, p2
    assert slowing[0] == slowing[1] > slowing[2] == slowing[3]
    deviate = np.log(entry / 0.08) / 0.6  # median and spread of the prior of mice
    assert moved < deviate


def test_a_fit_holds_every_group_in_written_units(posterior, analysis):
    expected = {"posterior", "prior", "posterior_predictive", "prior_predictive", "log_likelihood", "sample_stats"}

    assert expected | {"observed_data", "constant_data"} <= set(posterior.groups)
    assert posterior.units("tumor.growth_rate") == "1/d"
    assert posterior.values("tumor.growth_rate.subject").shape == (80, 4)
    assert posterior.analysis["disease"] == "pdac_xenograft"
    predicted = posterior.group("posterior_predictive")["tumor_volume"]
    assert predicted.shape == (2, 40, analysis.study.data.sizes["obs_id"])
    assert np.all(predicted.values > 0.0)


def test_a_short_fit_fails_its_gate_and_says_why(posterior):
    assert not posterior.gate.passed
    assert any("effective sample size" in check.name for check in posterior.gate.failed)


def test_a_fit_survives_the_way_to_a_file_and_back(posterior, tmp_path):
    posterior.save(tmp_path / "posterior.nc")

    back = Posterior.open(tmp_path / "posterior.nc")

    np.testing.assert_array_equal(back.values("tumor.growth_rate"), posterior.values("tumor.growth_rate"))
    assert back.gate == posterior.gate


def test_patients_inherit_the_posterior_draw_by_draw_and_are_the_same_for_the_same_seed(posterior):
    first, again, other = (human_patients(posterior, count=16, seed=seed) for seed in (1, 1, 2))

    assert first.digest == again.digest
    assert first.digest != other.digest
    assert set(first.parameters) == set(first.assembly.parameters)
    np.testing.assert_array_equal(first.parameters["tumor.maturation_rate"], first.parameters["tumor.entry_rate"])


def test_adding_patients_of_another_purpose_moves_none_of_the_first(posterior):
    search = human_patients(posterior, count=16, seed=1, purpose="search")
    report = human_patients(posterior, count=16, seed=1, purpose="report")

    assert search.digest == human_patients(posterior, count=16, seed=1, purpose="search").digest
    assert search.digest != report.digest


def test_an_endpoint_that_no_model_predicts_is_refused_by_name():
    with pytest.raises(SpecError, match="neutrophils"):
        build_model(design(endpoint="neutrophils"))


def test_the_plan_of_a_fit_names_its_size(analysis):
    plan = describe(analysis)

    assert "4 subjects, 16 observations, 2 groups" in plan
    assert "nutpie" in plan


def test_the_density_of_an_endpoint_integrates_to_one():
    endpoint = Continuous(residual=np.asarray(0.4))
    logarithm = np.linspace(-6.0, 12.0, 4001)

    density = np.exp(endpoint.log_density(np.asarray(50.0), np.exp(logarithm), np.zeros(4001, dtype=bool)))

    assert np.trapezoid(density, logarithm) == pytest.approx(1.0, abs=1e-6)


def test_a_censored_value_counts_by_its_probability():
    endpoint = Continuous(residual=np.asarray(0.5))

    found = endpoint.log_density(np.asarray(10.0), np.asarray(10.0), np.asarray(True))

    assert float(found) == pytest.approx(np.log(0.5))


@pytest.mark.parametrize("deviation", [-60.0, -12.0, -1.0, 60.0])
def test_a_censored_value_pulls_however_far_its_prediction_lies_from_the_limit(deviation):
    limit, residual = 15.0, 0.1

    def log_density(log_prediction: jax.Array) -> jax.Array:
        return Continuous(residual=jnp.asarray(residual)).log_density(
            jnp.exp(log_prediction), jnp.asarray(limit), jnp.asarray(True)
        )

    slope = jax.grad(log_density)(np.log(limit) - residual * deviation)

    # the pull of a normal tail is close to its distance
    expected = 0.0 if deviation > 0 else {-60.0: -60.0166, -12.0: -12.0822, -1.0: -1.5251}[deviation] / residual
    assert float(slope) == pytest.approx(expected, rel=1e-4)


def test_the_shipped_case_study_is_valid():
    from pkpd.io.analysis import read_analysis

    root = Path(__file__).parents[2]
    if not (root.parent / "shared" / "data").is_dir():
        pytest.skip("the analysis reads ../shared/data, which is not there")
    found = read_analysis(root / "reports" / "cr1197" / "analysis.toml")

    assert len(found.study.subjects) == 37
