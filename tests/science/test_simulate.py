"""Schedules on real models: shared arms change nothing, exports replay, order is estimated and not assumed."""

from __future__ import annotations

import dataclasses

import fake_run
import numpy as np
import pytest

from pkpd.domain.dosing import MINUTES_PER_DAY
from pkpd.domain.order import Matching
from pkpd.domain.space import OrderSpec
from pkpd.errors import SpecError
from pkpd.export import export_schedule, read_exported
from pkpd.export.base import Patient
from pkpd.io.schedules import read_schedule
from pkpd.io.spaces import read_space
from pkpd.optimize.order import SENESCENT_SURVIVAL, TUMOR_VOLUME, order_contrast
from pkpd.report.simulated_figures import EFFECTS
from pkpd.simulate import Patients, evaluate, trajectories
from pkpd.simulate.draws import individual_prior_draws
from pkpd.simulate.models import read_assembly

COUNT = 24
HORIZON_MIN = 56 * MINUTES_PER_DAY
STRONG = {
    "tumor.half_activation": 10.0,
    "tumor.entry_rate": 0.2,
    "tumor.maturation_rate": 0.2,
    "tumor.hazard_exposed": 0.5,
    "tumor.hazard_protected": 0.02,
    "tumor.egfr_entry_need": 0.8,
    "tumor.resistant_fraction": 0.02,
}


def patients(*, drugs: tuple[str, ...] = ("palbociclib", "cetuximab"), **changes: float) -> Patients:
    """Patients under the priors alone, some parameters set."""
    assembly = read_assembly(
        setting="human",
        drugs=drugs,
        disease="pdac_patient",
        combination="senolysis",
        growth="gompertz",
        with_neutrophils=True,
    )
    values = individual_prior_draws(assembly.parameters, count=COUNT, seed=3)
    values |= {name: np.full(COUNT, value) for name, value in changes.items()}
    rng = np.random.default_rng(5)
    return Patients(
        assembly=assembly,
        parameters=values,
        weight_kg=rng.lognormal(np.log(70.0), 0.2, COUNT),
        surface_m2=rng.lognormal(np.log(1.8), 0.1, COUNT),
    )


COURSES = {
    "ribociclib": 'amount = "600 mg"\nevery = "24 h"\non = "21 d"\noff = "7 d"',
    "abemaciclib": 'amount = "150 mg"\nevery = "12 h"',
    "palbociclib": 'amount = "125 mg"\nevery = "24 h"',
    "erlotinib": 'amount = "100 mg"\nevery = "24 h"',
    "gefitinib": 'amount = "250 mg"\nevery = "24 h"',
    "cetuximab": 'amount = "250 mg/m2"\nevery = "7 d"\nduration = "1 h"',
    "cetuximab_saturable": 'amount = "250 mg/m2"\nevery = "7 d"\nduration = "1 h"',
}


@pytest.fixture(scope="module")
def people():
    return patients()


@pytest.fixture(scope="module")
def schedules():
    names = ("palbociclib-3-1-cetuximab-weekly", "palbociclib-3-1", "cetuximab-weekly", "cetuximab-first")
    return tuple(dataclasses.replace(read_schedule(name), horizon_min=HORIZON_MIN) for name in names)


@pytest.fixture(scope="module")
def outcomes(people, schedules):
    return evaluate(people, schedules)


def test_a_schedule_has_the_same_outcome_alone_and_among_others(people, schedules, outcomes):
    alone = evaluate(people, schedules[3:])

    for name in ("tumor_final", "senolytic_exposure", "neutrophil_minimum"):
        np.testing.assert_allclose(alone[name].values[0], outcomes[name].values[3], rtol=1e-12)


def test_outcomes_are_the_ends_and_extremes_of_the_trajectories(people, schedules, outcomes):
    course = trajectories(people, schedules[0], every_h=6.0)

    relative = course["tumor_volume"].values / course["tumor_volume"].values[0]
    np.testing.assert_allclose(relative[-1], outcomes["tumor_final"].values[0], rtol=1e-3)
    np.testing.assert_allclose(
        course["neutrophils"].values.min(axis=0), outcomes["neutrophil_minimum"].values[0], rtol=1e-2
    )


@pytest.mark.parametrize(
    "drugs",
    [
        ("ribociclib", "cetuximab"),
        ("abemaciclib", "erlotinib"),
        ("palbociclib", "gefitinib"),
        ("ribociclib", "cetuximab_saturable"),
    ],
    ids="-".join,
)
def test_every_shipped_drug_acts_in_the_schedules_of_a_space(tmp_path, drugs):
    chosen = "".join(f'[choose.{drug}]\n{COURSES[drug]}\nstart = ["0 d", "7 d"]\n' for drug in drugs)
    path = tmp_path / "space.toml"
    path.write_text(f'schema = 1\nhorizon = "14 d"\n{chosen}[objective]\nname = "tumor_burden"\n', encoding="utf-8")
    people = patients(drugs=drugs)

    outcomes = evaluate(people, tuple(read_space(path)))

    final = np.median(outcomes["tumor_final"].values, axis=1)
    assert np.all(np.isfinite(outcomes["tumor_final"].values))
    assert len(set(final)) == len(final) == 4
    assert np.all(outcomes["senolytic_exposure"].values > 0.0)
    assert np.all(outcomes["neutrophil_minimum"].values < people.parameters["neutrophils.baseline"])


def test_the_number_of_workers_changes_nothing(people, schedules, outcomes, monkeypatch):
    monkeypatch.setenv("PKPD_WORKERS", "1")

    single = evaluate(people, schedules)

    for name in outcomes.data_vars:
        np.testing.assert_array_equal(single[name].values, outcomes[name].values)


def test_only_palbociclib_lowers_neutrophils(people, outcomes):
    baseline = people.parameters["neutrophils.baseline"]

    assert np.all(outcomes["neutrophil_minimum"].values[0] < baseline)
    np.testing.assert_array_equal(outcomes["neutrophil_minimum"].values[2], baseline)


def test_the_verified_error_is_reported_and_within_the_tolerance(outcomes):
    assert 0.0 < outcomes.attrs["numerical_error"] <= 1e-4


def test_a_drug_without_a_model_is_refused_and_not_left_out(people):
    schedule = read_schedule("palbociclib-3-1-cetuximab-weekly")
    other = dataclasses.replace(schedule.courses[0], drug="erlotinib")

    with pytest.raises(SpecError, match="erlotinib"):
        trajectories(people, dataclasses.replace(schedule, courses=(*schedule.courses, other)))


def test_a_horizon_of_days_is_verified_too(people):
    short = dataclasses.replace(read_schedule("palbociclib-3-1-cetuximab-weekly"), horizon_min=3 * MINUTES_PER_DAY)

    error = evaluate(people, [short]).attrs["numerical_error"]

    assert 0.0 < error <= 1e-4


def test_the_report_finds_every_effect_that_a_simulation_writes(people):
    courses = trajectories(people, read_schedule("palbociclib-3-1-cetuximab-weekly"), every_h=168.0)

    assert set(EFFECTS) <= set(courses.data_vars)


@pytest.mark.parametrize("form", ["nonmem", "calendar", "json"])
def test_an_exported_regimen_replays_to_the_same_trajectories(form, people, tmp_path):
    recommendation = fake_run.recommendation()
    patient = Patient(weight_kg=70.0, surface_m2=1.8)
    name = recommendation.references[0].schedule.name
    original = recommendation.references[0].schedule
    same_size = dataclasses.replace(
        people.first(4), weight_kg=np.full(4, patient.weight_kg), surface_m2=np.full(4, patient.surface_m2)
    )

    export_schedule(recommendation, tmp_path, format=form, which=name, patient=patient, allow_unreliable=True)
    back = read_exported(tmp_path, format=form)

    first, second = (trajectories(same_size, schedule) for schedule in (original, back))
    for variable in first.data_vars:
        np.testing.assert_allclose(second[variable].values, first[variable].values, rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module")
def order_spec() -> OrderSpec:
    spec = read_space("lead-in-84d").order
    assert spec is not None
    return spec


def test_without_senolysis_the_order_contrast_covers_zero(order_spec):
    off = patients(**STRONG, **{"tumor.ligand_senescent": 0.0, "tumor.ligand_fast": 0.0})
    off = dataclasses.replace(
        off,
        parameters={
            **off.parameters,
            "tumor.hazard_exposed": off.parameters["tumor.hazard_protected"],
            "tumor.egfr_entry_need": np.zeros(COUNT),
        },
    )

    contrast = order_contrast(evaluate, off, order_spec, horizon_min=84 * MINUTES_PER_DAY)

    for found in (contrast.find(SENESCENT_SURVIVAL), contrast.find(TUMOR_VOLUME, matching=Matching.ATTRIBUTABLE)):
        assert (found.lower, found.upper) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_with_strong_senolysis_the_order_contrast_excludes_zero_and_favors_the_inducer_first(order_spec):
    contrast = order_contrast(evaluate, patients(**STRONG), order_spec, horizon_min=84 * MINUTES_PER_DAY)

    found = contrast.find(SENESCENT_SURVIVAL)
    assert found.excludes_zero
    assert found.upper < 0.0
