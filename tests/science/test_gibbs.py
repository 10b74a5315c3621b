"""The sampler without gradients returns the prior where nothing is told, and agrees with NUTS where something is."""

from unittest.mock import Mock

import arviz as az
import numpy as np
import pytest
from population_files import beginning
from scipy import stats

from pkpd.domain.study import FitOptions
from pkpd.inference import fit
from pkpd.inference.gibbs import chains_of
from pkpd.inference.population_fit import population_fit
from pkpd.inference.sample import sample
from pkpd.io.population import read_population

PRIOR = 'basis = "assumed", source = "analyst"'
SOURCES = """\
[sources.analyst]
title = "Choice of the analyst"
"""
# Every kind of number: spreads of two families, one known, correlations, occasions, a coefficient, a share.
EVERYTHING = (
    beginning("one_compartment_oral", name="everything")
    + f"""\
[parameters.clearance]
typical = {{ family = "lognormal", median = "4 L/h", sd = 0.5, {PRIOR} }}
between = {{ family = "lognormal", prior = "halfnormal", sd = 0.5, {PRIOR} }}
occasion = {{ family = "lognormal", prior = "halfnormal", sd = 0.2, {PRIOR} }}
covariates = [{{ column = "WT", form = "power", reference = 70, exponent = {{ family = "normal", mean = 0.75, sd = 0.3, {PRIOR} }} }}]
[parameters.volume]
typical = {{ family = "lognormal", median = "20 L", sd = 0.5, {PRIOR} }}
between = {{ family = "lognormal", sd = 0.3, uncertainty = 0.5, {PRIOR} }}
[parameters.absorption]
typical = {{ family = "lognormal", median = "1 1/h", sd = 0.5, {PRIOR} }}
between = {{ family = "lognormal", prior = "fixed", sd = 0.4, {PRIOR} }}
[compartment.depot.bioavailability]
typical = {{ family = "beta", alpha = 4, beta = 2, {PRIOR} }}
between = {{ family = "logitnormal", prior = "halfnormal", sd = 0.5, {PRIOR} }}
[[correlation]]
parameters = ["volume", "clearance", "depot.bioavailability"]
shape = 2.0
{PRIOR.replace(", ", chr(10))}
[error.concentration]
model = "additive"
additive = {{ family = "fixed", value = "1e9 mg/L", {PRIOR} }}
{SOURCES}"""
)
# What the first one has not: individuals on a line, a covariate of a share, a known typical value, occasions without a spread between
# subjects, and an effect of its own before the correlated ones.
ODD = (
    beginning("one_compartment_oral", name="odd")
    + f"""\
[parameters.absorption]
typical = {{ family = "fixed", value = "1 1/h", {PRIOR} }}
between = {{ family = "lognormal", prior = "halfnormal", sd = 0.3, {PRIOR} }}
[parameters.clearance]
typical = {{ family = "lognormal", median = "4 L/h", sd = 0.5, {PRIOR} }}
between = "none"
occasion = {{ family = "lognormal", prior = "halfnormal", sd = 0.2, {PRIOR} }}
[parameters.volume]
typical = {{ family = "normal", mean = "20 L", sd = "2 L", {PRIOR} }}
between = {{ family = "normal", prior = "halfnormal", sd = "0.5 L", {PRIOR} }}
[compartment.depot.bioavailability]
typical = {{ family = "logitnormal", median = 0.6, sd = 0.5, {PRIOR} }}
between = {{ family = "logitnormal", prior = "halfnormal", sd = 0.5, {PRIOR} }}
covariates = [{{ column = "WT", form = "exponential", reference = 70, slope = {{ family = "normal", mean = 0, sd = 0.002, {PRIOR} }} }}]
[[correlation]]
parameters = ["depot.bioavailability", "volume"]
shape = 1.0
{PRIOR.replace(", ", chr(10))}
[error.concentration]
model = "additive"
additive = {{ family = "fixed", value = "1e9 mg/L", {PRIOR} }}
{SOURCES}"""
)
POOLED = (
    beginning("one_compartment", name="pooled")
    + f"""\
[parameters.clearance]
typical = {{ family = "lognormal", median = "4 L/h", sd = 0.5, {PRIOR} }}
between = "none"
[parameters.volume]
typical = {{ family = "lognormal", median = "20 L", sd = 0.5, {PRIOR} }}
between = "none"
[error.concentration]
model = "additive"
additive = {{ family = "fixed", value = "1e9 mg/L", {PRIOR} }}
{SOURCES}"""
)
SUBJECTS = 4


def written(folder, analysis: str, noise: float = 0.1):
    """Four subjects with two occasions, but the last, which has one."""
    generator = np.random.default_rng(5)
    rows = ["ID,TIME,AMT,EVID,DV,WT,OCC"]
    for subject in range(SUBJECTS):
        clearance, volume = 4.0 * np.exp(0.3 * generator.standard_normal(2)) * [1.0, 5.0]
        for occasion, start in enumerate((0.0, 48.0)[: 2 - (subject == SUBJECTS - 1)], start=1):
            rows.append(f"{subject},{start},100,1,.,{60 + 8 * subject},{occasion}")
            for time in (1.0, 4.0, 12.0):
                middle = 100.0 / volume * 1.0 / (1.0 - clearance / volume)
                value = middle * (np.exp(-clearance / volume * time) - np.exp(-time))
                value *= 1.0 + noise * generator.standard_normal()
                rows.append(f"{subject},{start + time},.,0,{value:.5f},{60 + 8 * subject},{occasion}")
    (folder / "study.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "analysis.toml").write_text(analysis, encoding="utf-8")
    return read_population(folder / "analysis.toml")


HALF = stats.halfnorm
EXPECTED = {
    EVERYTHING: {
        "clearance": stats.lognorm(0.5, scale=4.0),
        "clearance.between": HALF(scale=0.5),
        "clearance.occasion": HALF(scale=0.2),
        "clearance.WT": stats.norm(0.75, 0.3),
        "volume": stats.lognorm(0.5, scale=20.0),
        "volume.between": stats.lognorm(0.5, scale=0.3),
        "absorption": stats.lognorm(0.5, scale=1.0),
        "depot.bioavailability": stats.beta(4.0, 2.0),
        "depot.bioavailability.between": HALF(scale=0.5),
        # shape 2 of three parameters: partial correlations of the first column are beta(2.5, 2.5) on -1 to 1
        "correlation.volume.clearance": stats.beta(2.5, 2.5, loc=-1.0, scale=2.0),
        "correlation.volume.depot.bioavailability": stats.beta(2.5, 2.5, loc=-1.0, scale=2.0),
    },
    ODD: {
        "absorption.between": HALF(scale=0.3),
        "clearance": stats.lognorm(0.5, scale=4.0),
        "clearance.occasion": HALF(scale=0.2),
        "volume": stats.norm(20.0, 2.0),
        "volume.between": HALF(scale=0.5),
        "depot.bioavailability.between": HALF(scale=0.5),
        "depot.bioavailability.WT": stats.norm(0.0, 0.002),
        "correlation.depot.bioavailability.volume": stats.uniform(-1.0, 2.0),
    },
    POOLED: {"clearance": stats.lognorm(0.5, scale=4.0), "volume": stats.lognorm(0.5, scale=20.0)},
}


@pytest.mark.parametrize("analysis", EXPECTED, ids=["everything", "odd", "pooled"])
def test_observations_that_tell_nothing_leave_the_prior(tmp_path, analysis):
    model = population_fit(written(tmp_path, analysis))
    options = FitOptions(chains=1, tune=300, draws=1500, engine="gibbs", seed=4)

    found = chains_of(model)(options, 0, lambda done, divergences: None)["posterior"]

    drawn = {name: (law, found[name].values.ravel()) for name, law in EXPECTED[analysis].items()}
    for name in map(str, found.data_vars):
        if name.endswith((".eta", ".kappa")):
            values = found[name].values.reshape(options.draws, -1)
            drawn |= {f"{name} {column}": (stats.norm(), values[:, column]) for column in range(values.shape[1])}
    off = {}
    for name, (law, values) in drawn.items():
        share = law.cdf(values)  # uniform, if the draws are right
        standard_error = np.sqrt(1.0 / 12.0 / float(az.ess(share[None, :])))
        off[name] = abs(share.mean() - 0.5) / standard_error, abs(np.std(share) * np.sqrt(12.0) - 1.0)
    assert max(first for first, _ in off.values()) < 4.5, off
    assert max(second for _, second in off.values()) < 0.15, off


@pytest.mark.slow
def test_it_agrees_with_nuts_which_starts_where_a_subject_has_fewer_occasions(tmp_path):
    told = EVERYTHING.replace(
        'model = "additive"\nadditive = { family = "fixed", value = "1e9 mg/L"',
        'model = "proportional"\nproportional = { family = "halfnormal", sd = 0.3',
    )
    analysis = written(tmp_path, told)

    nuts = fit(analysis, options=FitOptions(chains=2, tune=600, draws=1500, target_accept=0.95, seed=1))
    gibbs = fit(analysis, options=FitOptions(chains=2, tune=500, draws=2000, engine="gibbs", seed=1))

    off = {}
    for name in gibbs.typical_names:
        a, b = (each.tree["posterior"][name].values for each in (nuts, gibbs))
        error = np.hypot(a.std() / np.sqrt(float(az.ess(a))), b.std() / np.sqrt(float(az.ess(b))))
        off[name] = abs(a.mean() - b.mean()) / error
    assert max(off.values()) < 4.0, off


def test_each_chain_has_a_seed_of_its_own_whatever_the_number_of_cores(tmp_path):
    analysis = written(tmp_path, EVERYTHING)
    options = FitOptions(chains=2, tune=5, draws=5, engine="gibbs", seed=3)

    together, apart = (fit(analysis, options=options, cores=cores) for cores in (2, 1))

    values = together.tree["posterior"]["clearance"].values
    assert not np.array_equal(values[0], values[1])
    np.testing.assert_allclose(values, apart.tree["posterior"]["clearance"].values, rtol=1e-12)


def test_a_model_of_another_kind_is_refused_before_a_process_starts():
    with pytest.raises(ValueError, match="population"):
        sample(Mock(), FitOptions(engine="gibbs"), progress=lambda *_: None, cores=2)
