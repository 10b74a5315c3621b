"""What was observed and not used as a prior lies inside the 90 % interval of the prior predictive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from prior_predictive import Cohorts, doses, log_linear_half_life

from pkpd.domain.prior import Component, Level, PublishedFact
from pkpd.dynamics.base import AbstractPDModel, AbstractPKModel, Exposure, units_of
from pkpd.dynamics.combination import NMOL_PER_MMOL, DrugModel, Target
from pkpd.dynamics.integrate import integrate
from pkpd.dynamics.pd.friberg import Friberg
from pkpd.dynamics.pd.growth import Gompertz
from pkpd.dynamics.pd.senolysis import CDK46, EGFR, Senolysis
from pkpd.dynamics.pk.one_compartment_oral import OneCompartmentOral
from pkpd.dynamics.pk.two_compartment_oral import TwoCompartmentOral
from pkpd.dynamics.pk.two_compartment_saturable import TwoCompartmentSaturable
from pkpd.dynamics.timeline import Grid, build_grid
from pkpd.io.priors import Kind, read_component, read_file, shipped_prior_files

type Values = NDArray[np.float64]

FACTS: Mapping[str, tuple[Component, PublishedFact]] = {
    f"{path.stem}-{setting}-{fact.name}": (component, fact)
    for path in shipped_prior_files()
    for setting, component in read_file(path).components.items()
    for fact in component.published
}
PEOPLE = Cohorts(cohorts=200, individuals=40, seed=1)
MICE = Cohorts(cohorts=2000, individuals=1, seed=2)
WEIGHT_KG = 0.022
TWICE_WEEKLY_H = 84.0
CYCLE_D = DAYS = 28
UG_PER_MG = 1000.0


def _drug(name: str, setting: str, kind: type[AbstractPKModel]) -> DrugModel:
    component = read_component(Kind.DRUG, name, setting)
    cohorts, weight_kg = (MICE, WEIGHT_KG) if setting == "mouse" else (PEOPLE, 1.0)
    drawn = cohorts.draw(component, units_of(kind), weight_kg=weight_kg)
    target = Target(
        unbound_fraction=drawn["unbound_fraction"],
        tissue_ratio=drawn["tissue_ratio"],
        molar_mass=np.array(component.molar_mass),
    )
    return DrugModel(pk=kind.of(drawn), target=target)


def _oral_in_people(
    name: str, kind: type[AbstractPKModel], *, dose_mg: float, every_h: float = 24.0, dose_at_plateau: int = 8
) -> dict[str, Values]:
    """Statistics of one oral dose, and of the dosing interval of a later one over that of the first."""
    model = _drug(name, "human", kind).pk
    hours = np.arange(0.0, 96.25, 0.5)
    first = np.asarray(model.concentration(doses(np.zeros(1), np.array([dose_mg])), jnp.asarray(hours)))
    repeated = doses(every_h * np.arange(dose_at_plateau), np.full(dose_at_plateau, dose_mg))
    interval_h = np.arange(0.0, every_h + 0.25, 0.5)
    last = np.asarray(model.concentration(repeated, jnp.asarray((dose_at_plateau - 1) * every_h + interval_h)))
    sampled = np.isin(hours, [24.0, 48.0, 72.0])
    accumulation = np.trapezoid(last, axis=0) / np.trapezoid(first[: last.shape[0]], axis=0)
    return {
        "half_life": log_linear_half_life(hours[sampled], first[sampled]),
        "effective_half_life": every_h * np.log(2.0) / np.log(accumulation / (accumulation - 1.0)),
        "time_of_peak": hours[first.argmax(axis=0)],
        "first_peak": first.max(axis=0) * UG_PER_MG,
        "accumulation": accumulation,
        "peak_accumulation": last.max(axis=0) / first.max(axis=0),
    }


@cache
def palbociclib_in_people() -> dict[str, Values]:
    model = _drug("palbociclib", "human", TwoCompartmentOral).pk
    daily = doses(24.0 * np.arange(21), np.full(21, 125.0))
    trough = UG_PER_MG * np.asarray(model.concentration(daily, jnp.asarray([504.0])))[0]
    return _oral_in_people("palbociclib", TwoCompartmentOral, dose_mg=125.0) | {"steady_state_trough": trough}


@cache
def ribociclib_in_people() -> dict[str, Values]:
    model = _drug("ribociclib", "human", TwoCompartmentOral).pk
    assert isinstance(model, TwoCompartmentOral)
    volume = np.asarray(model.central_volume) + np.asarray(model.peripheral_volume)
    return _oral_in_people("ribociclib", TwoCompartmentOral, dose_mg=600.0) | {"steady_state_volume": volume}


@cache
def abemaciclib_in_people() -> dict[str, Values]:
    return _oral_in_people("abemaciclib", OneCompartmentOral, dose_mg=200.0, every_h=12.0, dose_at_plateau=28)


@cache
def erlotinib_in_people() -> dict[str, Values]:
    return _oral_in_people("erlotinib", OneCompartmentOral, dose_mg=100.0)


@cache
def gefitinib_in_people() -> dict[str, Values]:
    return _oral_in_people("gefitinib", TwoCompartmentOral, dose_mg=250.0)


@cache
def cetuximab_in_people() -> dict[str, Values]:
    return _antibody_in_people("cetuximab")


@cache
def cetuximab_saturable_in_people() -> dict[str, Values]:
    return _antibody_in_people("cetuximab_saturable")


def _antibody_in_people(name: str) -> dict[str, Values]:
    model = _drug(name, "human", TwoCompartmentSaturable).pk
    surface = PEOPLE.draw(read_component(Kind.POPULATION, "adult_cancer", "human"), {})["surface"]
    amounts = np.r_[400.0, np.full(7, 250.0)][:, None] * surface
    table = doses(168.0 * np.arange(8), amounts, duration_h=np.r_[2.0, np.ones(7)])
    # the implicit method of the model takes a step per few requested times: a coarse request is a coarse solution
    hours = np.unique(np.r_[np.arange(0.0, 1345.0, 4.0), 2.0, 337.0, 1177.0])
    concentration = np.asarray(model.concentration(table, jnp.asarray(hours)))
    at = {hour: concentration[np.searchsorted(hours, hour)] for hour in (2.0, 337.0, 504.0, 1177.0, 1344.0)}
    late = np.isin(hours, [72.0, 120.0, 168.0])
    return {
        "first_peak": at[2.0],
        "half_life": log_linear_half_life(hours[late], concentration[late]),
        "week_3_peak": at[337.0],
        "week_3_trough": at[504.0],
        "week_8_peak": at[1177.0],
        "week_8_trough": at[1344.0],
    }


@cache
def neutrophils_in_people() -> dict[str, Values]:
    toxicity = read_component(Kind.TOXICITY, "neutropenia", "human")
    model = Friberg.of(PEOPLE.draw(toxicity, units_of(Friberg)))
    days = np.concatenate([CYCLE_D * cycle + np.arange(21.0) for cycle in range(3)])
    visits_h = 24.0 * np.array([14.0, 28.0, 42.0, 56.0])
    grid = build_grid(24.0 * days, end_h=84 * 24.0, max_step_h=24.0, nodes=6)
    drug = _drug("palbociclib", "human", TwoCompartmentOral)
    exposure = drug.exposure(doses(24.0 * days, np.full(days.size, 125.0)), grid)
    counts = _run(model, {CDK46: exposure}, grid)["neutrophils"]
    sampled = counts[grid.index_of(visits_h)]
    sd = PEOPLE.per_cohort(toxicity.residuals["neutrophils"].typical)
    noise = np.random.default_rng(3).standard_normal(sampled.shape)
    lowest = (sampled * np.exp(sd * noise)).min(axis=0)
    return {
        "share_with_a_sample_below_1.0": (lowest < 1.0).astype(float),
        "share_with_a_sample_below_0.5": (lowest < 0.5).astype(float),
    }


@cache
def palbociclib_in_mice() -> dict[str, Values]:
    drug = _drug("palbociclib", "mouse", OneCompartmentOral)
    plasma = drug.pk.concentration(doses(np.zeros(1), np.array([150.0 * WEIGHT_KG])), jnp.linspace(0.0, 24.0, 97))
    return {"mean_concentration_24_h": np.asarray(plasma).mean(axis=0) / drug.target.molar_mass * NMOL_PER_MMOL}


@cache
def cetuximab_in_mice() -> dict[str, Values]:
    model = _drug("cetuximab", "mouse", OneCompartmentOral).pk
    hours = jnp.linspace(0.0, 96.0, 193)

    def peak(milligrams: float) -> Values:
        return np.asarray(model.concentration(doses(np.zeros(1), np.array([milligrams])), hours)).max(axis=0)

    return {"peak_after_1_mg": peak(1.0), "peak_after_0_25_mg": peak(0.25)}


@cache
def tumors_in_mice() -> dict[str, Values]:
    """Pancreatic xenografts over 28 days under palbociclib 75 mg/kg daily, and under cetuximab 1 mg twice a week."""
    inhibitor = _tumor_volume("pdac_xenograft", palbociclib_mg_per_kg=75.0, cetuximab_mg=0.0)
    regressed = (inhibitor[10:] / inhibitor[0]).min(axis=0) < 0.5
    return {
        "growth_inhibition_under_egfr": np.median(_growth_inhibition_by_antibody("pdac_xenograft")),
        "share_of_regressions_under_cdk46": np.mean(regressed),
    }


def _tumor_volume(disease: str, *, palbociclib_mg_per_kg: float, cetuximab_mg: float) -> Values:
    """Daily volumes, `[day, tumor]`."""
    tumor = read_component(Kind.COMBINATION, "senolysis", "mouse").overlaid(
        read_component(Kind.DISEASE, disease, "mouse")
    )
    values = MICE.draw(tumor, units_of(Senolysis) | units_of(Gompertz))
    model = Senolysis(growth=Gompertz.of(values), **{name: values[name] for name in units_of(Senolysis)})
    grid = build_grid(TWICE_WEEKLY_H * np.arange(8.0), end_h=DAYS * 24.0, max_step_h=12.0, nodes=6)
    daily_h, twice_weekly_h = 24.0 * np.arange(DAYS), TWICE_WEEKLY_H * np.arange(8.0)
    oral = doses(daily_h, np.full(daily_h.size, palbociclib_mg_per_kg * WEIGHT_KG))
    injected = doses(twice_weekly_h, np.full(twice_weekly_h.size, cetuximab_mg))
    exposures = {
        CDK46: _drug("palbociclib", "mouse", OneCompartmentOral).exposure(oral, grid),
        EGFR: _drug("cetuximab", "mouse", OneCompartmentOral).exposure(injected, grid),
    }
    return _run(model, exposures, grid)["tumor_volume"][grid.index_of(24.0 * np.arange(DAYS + 1.0))]


def _growth_inhibition_by_antibody(disease: str) -> Values:
    untreated = _tumor_volume(disease, palbociclib_mg_per_kg=0.0, cetuximab_mg=0.0)
    antibody = _tumor_volume(disease, palbociclib_mg_per_kg=0.0, cetuximab_mg=1.0)
    return 1.0 - (antibody[-1] - antibody[0]) / (untreated[-1] - untreated[0])


def _run(model: AbstractPDModel, exposures: Mapping[str, Exposure], grid: Grid) -> dict[str, Values]:
    forcings = model.forcings(exposures, grid)
    kept = integrate(model, forcings, jnp.asarray(grid.lengths_h), keep=model.observe)
    return {name: np.asarray(value) for name, value in kept.items()}


SIMULATORS: Mapping[tuple[str, str], Callable[[], dict[str, Values]]] = {
    ("palbociclib", "human"): palbociclib_in_people,
    ("palbociclib", "mouse"): palbociclib_in_mice,
    ("ribociclib", "human"): ribociclib_in_people,
    ("abemaciclib", "human"): abemaciclib_in_people,
    ("erlotinib", "human"): erlotinib_in_people,
    ("gefitinib", "human"): gefitinib_in_people,
    ("cetuximab", "human"): cetuximab_in_people,
    ("cetuximab_saturable", "human"): cetuximab_saturable_in_people,
    ("cetuximab", "mouse"): cetuximab_in_mice,
    ("neutrophils", "human"): neutrophils_in_people,
    ("tumor", "mouse"): tumors_in_mice,
}
MEDIANS = {
    *("time_of_peak", "first_peak", "steady_state_trough", "half_life", "effective_half_life"),
    *("accumulation", "peak_accumulation", "steady_state_volume"),
}
MEAN_HALF_LIFE = ("palbociclib", "half_life")


def interval(component: Component, fact: PublishedFact) -> Values:
    """Ends of the 90 % interval of the prior predictive of a fact; of a bound, the one predicted value twice."""
    values = SIMULATORS[component.name, component.setting]()[fact.statistic]
    if fact.level is Level.BOUND:
        return np.array([values, values])
    cohorts = MICE if component.setting == "mouse" else PEOPLE
    if fact.level is Level.PATIENT:
        sd = cohorts.per_cohort(component.residuals["concentration"].typical)
        return np.quantile(values * np.exp(sd * cohorts.noise()), [0.05, 0.95])
    is_median = fact.statistic in MEDIANS and (component.name, fact.statistic) != MEAN_HALF_LIFE
    summary = np.median if is_median else np.mean
    return np.quantile(summary(values.reshape(cohorts.shape), axis=1), [0.05, 0.95])


@pytest.mark.parametrize("name", [name for name, (_, fact) in FACTS.items() if fact.level is not Level.BOUND])
def test_a_published_value_lies_inside_the_prior_predictive_interval(name):
    component, fact = FACTS[name]

    low, high = interval(component, fact)

    assert low <= fact.value <= high, f"{fact.value:g} {fact.unit} is outside {low:.3g} to {high:.3g}"


@pytest.mark.parametrize("name", [name for name, (_, fact) in FACTS.items() if fact.level is Level.BOUND])
def test_the_prior_predictive_keeps_within_what_is_credible(name):
    component, fact = FACTS[name]

    predicted, _ = interval(component, fact)

    assert fact.low is not None
    assert fact.high is not None
    assert fact.low <= predicted <= fact.high, f"{predicted:.3g} is outside {fact.low:g} to {fact.high:g}"


@pytest.mark.parametrize("name", [name for name, (_, fact) in FACTS.items() if fact.level is not Level.BOUND])
def test_a_value_five_times_as_high_or_as_low_would_be_noticed(name):
    component, fact = FACTS[name]

    low, high = interval(component, fact)

    rare = fact.statistic.startswith("share")  # a cohort may hold no such patient at all
    assert not low <= 5.0 * fact.value <= high
    assert rare or not low <= fact.value / 5.0 <= high


def test_a_disease_that_depends_on_egfr_would_break_the_bound_of_one_that_does_not():
    (bound,) = [fact.high for _, fact in FACTS.values() if fact.statistic == "growth_inhibition_under_egfr"]

    colorectal = np.median(_growth_inhibition_by_antibody("colorectal_pdx"))

    assert bound is not None
    assert colorectal > bound
