"""Steps of a population study without a closed form: each interval takes what it needs, and the predictions stay right."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from population_files import beginning

from pkpd.domain.events import EventTable
from pkpd.dynamics.events.engine import Entry, study_amounts
from pkpd.dynamics.events.mesh import mesh_of, study_points
from pkpd.dynamics.events.plan import plan_events
from pkpd.dynamics.pk.two_compartment_saturable import TwoCompartmentSaturable
from pkpd.inference.model import build_model
from pkpd.inference.population_model import sampled_priors
from pkpd.io.population import read_population
from pkpd.simulate.population import population_design, predictions
from pkpd.simulate.verified_steps import with_verified_steps

TOLERANCE = 1e-4
BASIS = 'basis = "assumed", source = "analyst"'
KNOWN = {"clearance": "0.02 L/h", "intercompartmental_clearance": "0.05 L/h", "peripheral_volume": "2 L"}
SATURABLE = KNOWN | {"central_volume": "3 L", "max_elimination_rate": "0.5 mg/h", "half_saturation": "4 mg/L"}
ORAL = SATURABLE | {"absorption": "1 1/h"}
# an infusion, a bolus at a moment that is also looked at, a reset, and a subject with fewer records
TABLE = """ID,TIME,AMT,RATE,EVID,DV
a,0,400,400,1,.
a,0.5,.,.,0,50
a,1,.,.,0,90
a,24,.,.,0,80
a,168,.,.,0,9
a,168,200,0,1,.
a,168,.,.,0,60
a,336,.,.,0,9
a,336,.,.,3,.
a,340,100,0,1,.
a,370,.,.,0,20
b,0,50,0,1,.
b,0.1,.,.,0,15
b,200,.,.,0,2
"""


def written(folder: Path, structure: str, values: dict[str, str], extra: str = "") -> Path:
    parameters = "".join(
        f'[parameters.{name}]\ntypical = {{ family = "lognormal", median = "{value}", sd = 0.5, {BASIS} }}\nbetween = "none"\n'
        for name, value in values.items()
    )
    (folder / "study.csv").write_text(TABLE, encoding="utf-8")
    (folder / "analysis.toml").write_text(
        beginning(structure)
        + f"""{parameters}{extra}[error.concentration]
model = "lognormal"
residual = {{ family = "halfnormal", sd = 0.3, {BASIS} }}
[sources.analyst]
title = "Choice of the analyst"
""",
        encoding="utf-8",
    )
    return folder / "analysis.toml"


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    return read_population(written(tmp_path_factory.mktemp("steps"), "two_compartment_saturable", SATURABLE))


def center(analysis):
    return {name: jnp.asarray(float(prior.quantile(0.5))) for name, prior in sampled_priors(analysis).items()}


@pytest.fixture(scope="module")
def verified(analysis):
    return with_verified_steps(population_design(analysis), [center(analysis)], tolerance=TOLERANCE)


def test_an_interval_takes_no_more_steps_than_it_needs_and_predictions_stay_right(analysis, verified):
    fine = replace(population_design(analysis), steps=128)

    predicted = np.asarray(predictions(verified, center(analysis))["concentration"])

    exact = np.asarray(predictions(fine, center(analysis))["concentration"])
    assert verified.mesh is not None
    points = int(verified.mesh.point.max()) + 1
    assert verified.mesh.share.shape[1] < 0.5 * points * verified.steps
    np.testing.assert_allclose(predicted, exact, atol=TOLERANCE * exact.max())
    assert verified.error <= TOLERANCE


def test_equal_steps_are_one_choice_of_steps_also_at_steady_state_and_after_a_reset():
    table = EventTable(
        subject=np.zeros(6, dtype=np.int64),
        time_h=np.asarray([0.0, 3.0, 50.0, 60.0, 60.0, 72.0]),
        evid=np.asarray([1, 0, 3, 1, 0, 0]),
        amount_mg=np.asarray([100.0, 0.0, 0.0, 50.0, 0.0, 0.0]),
        rate=np.asarray([50.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        interval_h=np.asarray([0.0, 0.0, 0.0, 12.0, 0.0, 0.0]),
        additional=np.zeros(6, dtype=np.int64),
        steady=np.asarray([0, 0, 0, 1, 0, 0]),
        compartment=np.ones(6, dtype=np.int64),
    )
    plan, entries = plan_events(table), (Entry(), Entry())
    model = TwoCompartmentSaturable(0.5, 3.0, 2.0, 0.1, 2.0, 5.0)
    points = study_points(plan, 2)

    found = study_amounts(model, entries, plan, steps=4, mesh=mesh_of(points, np.full(points.length_h.shape, 4)))

    np.testing.assert_allclose(found, study_amounts(model, entries, plan, steps=4), rtol=1e-12)


def test_steps_of_an_interval_add_up_to_the_interval(verified):
    mesh = verified.mesh

    for point, share in zip(mesh.point, mesh.share, strict=True):
        covered = np.bincount(point, weights=share)
        np.testing.assert_allclose(covered[covered > 0.0], 1.0, rtol=1e-12)


def test_slopes_are_those_of_many_equal_steps(analysis, verified):
    fine = replace(population_design(analysis), steps=64)

    def total(design):
        return jax.jit(jax.grad(lambda draw: jnp.sum(jnp.log(predictions(design, draw)["concentration"]))))

    found, expected = total(verified)(center(analysis)), total(fine)(center(analysis))

    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(float(value), rel=2e-3, abs=2e-3)


def test_a_model_that_is_built_again_elsewhere_takes_the_same_steps(analysis):
    fitted = build_model(analysis)

    again = fitted.recipe()()

    assert again.design.mesh is fitted.design.mesh
    assert all(isinstance(each, np.ndarray) for each in jax.tree.leaves(fitted.design.mesh))


def test_a_lag_that_is_estimated_moves_the_order_so_all_intervals_take_the_same_steps(tmp_path):
    lag = f'[compartment.depot.lag]\ntypical = {{ family = "lognormal", median = "0.5 h", sd = 0.5, {BASIS} }}\nbetween = "none"\n'
    analysis = read_population(written(tmp_path, "two_compartment_saturable_oral", ORAL, lag))

    found = with_verified_steps(population_design(analysis), [center(analysis)], tolerance=TOLERANCE)

    assert found.steps > 1
    assert found.mesh is None
