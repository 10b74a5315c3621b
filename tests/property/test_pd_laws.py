"""Laws of the pharmacodynamic models: what must hold whatever the parameters."""

from __future__ import annotations

import dataclasses
from functools import cache

import drawn_models
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_models import GROWTH, Parameters, Scenario
from hypothesis import given, settings
from hypothesis import strategies as st

from pkpd.dynamics.base import units_of
from pkpd.dynamics.combination import absent, constant
from pkpd.dynamics.integrate import integrate
from pkpd.dynamics.pd.friberg import Friberg
from pkpd.dynamics.pd.senolysis import CDK46, DEAD, EGFR, ENDED, MATURE, Senolysis
from pkpd.dynamics.timeline import build_grid

LANES = 40
GRID = build_grid(np.arange(0.0, 673.0, 24.0), end_h=672.0, max_step_h=6.0)
SETTINGS = {"mouse": drawn_models.mouse, "human": drawn_models.human, "in_vitro": drawn_models.in_vitro}
every_growth_law = pytest.mark.parametrize("growth", GROWTH)
every_setting = pytest.mark.parametrize("setting", SETTINGS)
# Wider than any prior of a tumor in an animal or a patient: these are laws.
TUMOR_RANGES = {
    "growth_rate": (1e-4, 0.006),
    "growth_decay": (1e-5, 0.005),
    "carrying_capacity": (200.0, 1e5),
    "linear_growth": (0.1, 20.0),
    "initial_volume": (1.0, 190.0),
    "half_activation": (10.0, 1000.0),
    "hill": (0.5, 4.0),
    "activation_rate": (0.01, 1.0),
    "arrest_max": (0.0, 1.0),
    "entry_rate": (1e-4, 0.04),
    "maturation_rate": (1e-4, 0.04),
    "reversion_rate": (1e-4, 0.03),
    "escape_rate": (0.0, 0.005),
    "ligand_basal": (0.05, 2.0),
    "ligand_senescent": (0.0, 20.0),
    "ligand_fast": (0.0, 2.0),
    "ligand_turnover": (0.01, 0.1),
    "receptor_half_block": (0.1, 300.0),
    "egfr_growth_share": (0.0, 1.0),
    "egfr_entry_need": (0.0, 1.0),
    "hazard_protected": (1e-5, 0.005),
    "hazard_exposed": (0.005, 0.3),
    "early_death_rate": (0.0, 0.002),
    "death_clearance_rate": (0.002, 0.06),
    "senescent_size": (0.5, 3.0),
    "dying_size": (0.0, 1.0),
    "resistant_fraction": (0.0, 0.6),
}
tumors = st.fixed_dictionaries({name: st.floats(*bounds) for name, bounds in TUMOR_RANGES.items()})
concentrations = st.fixed_dictionaries({CDK46: st.floats(0.0, 5000.0), EGFR: st.floats(0.0, 2000.0)})


def tumor(growth: str, values: dict[str, float]) -> Senolysis:
    lanes = {name: jnp.full(1, value, dtype=float) for name, value in values.items()}
    return Senolysis(growth=GROWTH[growth].of(lanes), **{name: lanes[name] for name in units_of(Senolysis)})


@cache
def simulator(growth: str):
    """Tumor in a medium, compiled once per growth law."""

    @jax.jit
    def simulate(values, medium):
        model = tumor(growth, values)
        exposures = constant(medium, GRID)
        return integrate(
            model,
            model.forcings(exposures, GRID),
            jnp.asarray(GRID.lengths_h),
            keep=lambda state, drives: (state, drives),
        )

    return simulate


def course(growth: str, values: dict[str, float], medium: dict[str, float]) -> dict[str, np.ndarray]:
    state, drives = simulator(growth)(values, {target: jnp.full(1, value) for target, value in medium.items()})
    seen = tumor(growth, values).observe(state, drives)
    return {name: np.asarray(series)[:, 0] for name, series in seen.items()} | {"state": np.stack(state)[:, :, 0]}


def untreated(growth: str, p: dict[str, float], time_h: np.ndarray) -> np.ndarray:
    """Closed form of natural growth."""
    start, rate = p["initial_volume"], p["growth_rate"]
    match growth:
        case "exponential":
            return start * np.exp(rate * time_h)
        case "gompertz":
            return start * np.exp(rate / p["growth_decay"] * -np.expm1(-p["growth_decay"] * time_h))
        case "logistic":
            full = p["carrying_capacity"]
            return full / (1.0 + (full / start - 1.0) * np.exp(-rate * time_h))
        case _:
            raise ValueError(growth)


@pytest.mark.parametrize("growth", [law for law in GROWTH if law != "simeoni"])
@given(values=tumors)
def test_without_drugs_a_tumor_grows_by_its_closed_form(growth, values):
    grown = course(growth, values, {CDK46: 0.0, EGFR: 0.0})

    np.testing.assert_allclose(grown["tumor_volume"], untreated(growth, values, GRID.edges_h), rtol=2e-6)


@given(values=tumors)
def test_without_drugs_simeoni_growth_turns_from_exponential_to_linear(values):
    switch = values["linear_growth"] / values["growth_rate"]
    small = course("simeoni", values | {"initial_volume": 1e-9 * switch}, {CDK46: 0.0, EGFR: 0.0})
    large = course("simeoni", values | {"initial_volume": 20.0 * switch}, {CDK46: 0.0, EGFR: 0.0})

    early = GRID.edges_h * values["growth_rate"] < 5.0
    exponential = 1e-9 * switch * np.exp(values["growth_rate"] * GRID.edges_h)
    linear = 20.0 * switch + values["linear_growth"] * GRID.edges_h
    np.testing.assert_allclose(small["tumor_volume"][early], exponential[early], rtol=1e-5)
    np.testing.assert_allclose(large["tumor_volume"], linear, rtol=1e-6)


@every_growth_law
@given(values=tumors, medium=concentrations)
def test_no_compartment_falls_below_zero(growth, values, medium):
    state = course(growth, values, medium)["state"]

    dying = state[ENDED] - state[MATURE]
    living = np.delete(state, [ENDED, DEAD], axis=0)
    assert np.all(np.isfinite(state))
    assert np.all(living >= -1e-9 * state.max())
    # The first dying cells come with the cube of time, a step knows them to the accuracy that is stated only.
    assert np.all(np.stack([dying, state[DEAD]]) >= -1e-4 * state.max())


@every_growth_law
@given(values=tumors)
def test_without_any_drug_no_cell_turns_senescent_or_dies(growth, values):
    state = course(growth, values, {CDK46: 0.0, EGFR: 0.0})["state"]

    assert np.all(state[4:] <= 1e-6 * values["initial_volume"])


@every_growth_law
@given(values=tumors, antibody=st.floats(0.0, 2000.0))
def test_an_antibody_that_touches_neither_growth_nor_entry_nor_hazard_changes_nothing(growth, values, antibody):
    values = values | {"hazard_exposed": values["hazard_protected"], "egfr_growth_share": 0.0, "egfr_entry_need": 0.0}

    with_antibody = course(growth, values, {CDK46: 500.0, EGFR: antibody})

    without = course(growth, values, {CDK46: 500.0, EGFR: 0.0})
    np.testing.assert_allclose(with_antibody["tumor_volume"], without["tumor_volume"], rtol=1e-12)


@given(values=tumors, antibody=st.floats(1.0, 2000.0))
def test_an_antibody_alone_only_slows_growth_by_its_share(values, antibody):
    medium = {CDK46: 0.0, EGFR: antibody}

    slowed = course("exponential", values, medium)

    basal = values["ligand_basal"]
    signal = basal / (1.0 + basal + antibody / values["receptor_half_block"])
    left = min(1.0, signal / (basal / (1.0 + basal)))
    rate = values["growth_rate"] * (1.0 - values["egfr_growth_share"] * (1.0 - left))
    np.testing.assert_allclose(
        slowed["tumor_volume"], values["initial_volume"] * np.exp(rate * GRID.edges_h), rtol=2e-6
    )


@given(values=tumors, medium=concentrations)
def test_cells_are_conserved_but_for_growth_and_clearance(values, medium):
    still = values | {"growth_rate": 1e-12, "death_clearance_rate": 1e-12}

    state = course("exponential", still, medium)["state"]

    living = state[2:5].sum(axis=0)
    np.testing.assert_allclose(living + state[ENDED] + state[DEAD], values["initial_volume"], rtol=1e-4)


@every_setting
def test_under_treatment_prior_draws_stay_positive_and_finite(setting):
    scenario = SETTINGS[setting](LANES)

    result = scenario.run(scenario.grid(12.0, 12))

    for name in ("tumor_volume", "senescent_volume", "ligand", "neutrophils"):
        if name in result:
            assert np.all(np.isfinite(result[name]))
            assert np.all(np.asarray(result[name]) > 0.0)


@pytest.mark.parametrize("setting", ["mouse", "human"])
def test_with_no_dose_the_treated_model_is_the_untreated_one(setting):
    scenario = untreated_scenario(SETTINGS[setting](LANES))
    tumor_parameters = {name: np.asarray(value) for name, value in scenario.parameters["tumor"].items()}

    result = scenario.run(scenario.grid(1.0, 4))

    expected = untreated("gompertz", tumor_parameters, scenario.output_h[:, None])
    np.testing.assert_allclose(result["tumor_volume"], expected, rtol=1e-4)


def untreated_scenario(scenario: Scenario) -> Scenario:
    courses = {
        target: dataclasses.replace(course, amount_mg=0.0 * course.amount_mg)
        for target, course in scenario.courses.items()
    }
    return dataclasses.replace(scenario, courses=courses, growth="gompertz")


def test_gradients_are_finite_where_no_drug_is_given():
    scenario = untreated_scenario(drawn_models.mouse(2))
    simulate = scenario.simulator(scenario.grid(24.0, 12))

    def total(parameters: Parameters):
        return jnp.sum(jnp.log(simulate(parameters)["tumor_volume"]))

    gradient = jax.jit(jax.grad(total))(scenario.parameters)

    assert all(np.all(np.isfinite(value)) for fields in gradient.values() for value in fields.values())
    assert np.all(np.asarray(gradient["tumor"]["growth_rate"]) > 0.0)


BLOOD = {
    "baseline": (0.5, 10.0),
    "mean_transit_time": (60.0, 250.0),
    "feedback_power": (0.05, 0.5),
    "max_inhibition": (0.05, 0.9),
    "half_inhibition": (5.0, 500.0),
}
bloods = st.fixed_dictionaries({name: st.floats(*bounds) for name, bounds in BLOOD.items()})


@jax.jit
def neutrophils(values, plasma_mg_per_l):
    model = Friberg.of({name: jnp.full(1, value, dtype=float) for name, value in values.items()})
    exposure = absent(GRID)
    exposure = dataclasses.replace(exposure, total=jnp.full_like(exposure.total, 1.0) * plasma_mg_per_l)
    return integrate(model, model.forcings({CDK46: exposure}, GRID), jnp.asarray(GRID.lengths_h), keep=model.observe)[
        "neutrophils"
    ][:, 0]


@given(values=bloods)
def test_neutrophils_stay_at_their_baseline_without_drug(values):
    np.testing.assert_allclose(neutrophils(values, 0.0), values["baseline"], rtol=1e-12)


@settings(max_examples=30)
@given(values=bloods, plasma=st.floats(0.001, 1.0))
def test_neutrophils_fall_under_the_inhibitor_and_no_faster_than_they_leave_the_blood(values, plasma):
    counts = np.asarray(neutrophils(values, plasma))

    leaving = np.exp(-4.0 / values["mean_transit_time"] * GRID.edges_h)
    assert counts.min() < values["baseline"]
    assert np.all(counts >= values["baseline"] * leaving * (1.0 - 1e-9))
