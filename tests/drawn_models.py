"""Whole models of the three settings under draws from the shipped priors: doses, parameters, and a simulation of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray
from prior_predictive import Cohorts

from pkpd.dynamics.base import AbstractGrowthLaw, AbstractPKModel, DoseTable, Exposure, units_of
from pkpd.dynamics.combination import DrugModel, Target
from pkpd.dynamics.forcing import quadrature
from pkpd.dynamics.integrate import integrate
from pkpd.dynamics.pd.friberg import Friberg
from pkpd.dynamics.pd.growth import Exponential, Gompertz, Logistic, Simeoni
from pkpd.dynamics.pd.senolysis import CDK46, EGFR, Senolysis
from pkpd.dynamics.pk.one_compartment_oral import OneCompartmentOral
from pkpd.dynamics.pk.two_compartment_oral import TwoCompartmentOral
from pkpd.dynamics.pk.two_compartment_saturable import TwoCompartmentSaturable
from pkpd.dynamics.timeline import Grid, build_grid
from pkpd.io.priors import Kind, read_component

type Values = NDArray[np.float64]
type Parameters = dict[str, dict[str, Array]]

DRUGS = {CDK46: "palbociclib", EGFR: "cetuximab"}
MOUSE_KG = 0.022
GROWTH: Mapping[str, type[AbstractGrowthLaw]] = {
    "exponential": Exponential,
    "gompertz": Gompertz,
    "logistic": Logistic,
    "simeoni": Simeoni,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Doses of one drug; amounts `[dose]` or `[dose, lane]`."""

    time_h: Values
    amount_mg: Values
    duration_h: Values
    absorbed: bool

    def table(self, end_h: float) -> DoseTable:
        return DoseTable(
            time_h=jnp.asarray(self.time_h),
            amount_mg=jnp.asarray(self.amount_mg if self.amount_mg.ndim == 2 else self.amount_mg[:, None]),
            duration_h=jnp.asarray(self.duration_h),
            absorbed=jnp.full(self.time_h.size, float(self.absorbed)),
            end_h=end_h,
            all_absorbed=self.absorbed,
            none_infused=not np.any(self.duration_h > 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One treatment under many draws.

    Attributes
    ----------
    parameters
        By component (`palbociclib`, `cetuximab`, `tumor`, `neutrophils`), then field, `[lane]` in model units.
    courses
        Doses by target, where drugs are dosed.
    medium
        Free concentration, nmol/L, by target, from each time on, where cells live in a medium.
    output_h
        Times at which engines are compared.
    """

    growth: str
    parameters: Parameters
    end_h: float
    output_h: Values
    pk: Mapping[str, type[AbstractPKModel]] = field(default_factory=dict)
    courses: Mapping[str, Course] = field(default_factory=dict)
    molar_mass: Mapping[str, float] = field(default_factory=dict)
    medium: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)

    @property
    def event_times_h(self) -> Values:
        dosed = [t for c in self.courses.values() for t in (c.time_h, c.time_h + c.duration_h)]
        changed = [np.array([start for start, _ in steps]) for steps in self.medium.values()]
        return np.unique(np.concatenate([self.output_h, *dosed, *changed]))

    def grid(self, max_step_h: float, nodes: int) -> Grid:
        return build_grid(self.event_times_h, end_h=self.end_h, max_step_h=max_step_h, nodes=nodes)

    def simulator(self, grid: Grid) -> Callable[[Parameters], dict[str, Array]]:
        """Function of the parameters to `[output, lane]` by quantity."""
        tables = {target: course.table(self.end_h) for target, course in self.courses.items()}
        at = grid.index_of(self.output_h)
        lengths = jnp.asarray(grid.lengths_h)

        def simulate(parameters: Parameters) -> dict[str, Array]:
            exposures = {target: self._exposure(target, tables, parameters, grid) for target in DRUGS}
            tumor = Senolysis(
                growth=GROWTH[self.growth].of(parameters["tumor"]),
                **{name: parameters["tumor"][name] for name in units_of(Senolysis)},
            )
            result = integrate(tumor, tumor.forcings(exposures, grid), lengths, keep=tumor.observe)
            if "neutrophils" in parameters:
                blood = Friberg.of(parameters["neutrophils"])
                result |= integrate(blood, blood.forcings(exposures, grid), lengths, keep=blood.observe)
            return {name: values[at] for name, values in result.items()}

        return simulate

    def run(self, grid: Grid) -> dict[str, Array]:
        return jax.jit(self.simulator(grid))(self.parameters)

    def _exposure(self, target: str, tables: Mapping[str, DoseTable], parameters: Parameters, grid: Grid) -> Exposure:
        if target in self.medium:
            nodes = quadrature(grid, jnp.zeros(()))
            starts, values = (jnp.array(column) for column in zip(*self.medium[target], strict=True))
            free = values[jnp.searchsorted(starts, nodes.times_h, side="right") - 1][..., None]
            return Exposure(total=jnp.full_like(free, jnp.nan), free=free, nodes=nodes)
        drug = parameters[DRUGS[target]]
        model = DrugModel(
            pk=self.pk[target].of(drug),
            target=Target(
                unbound_fraction=drug["unbound_fraction"],
                tissue_ratio=drug["tissue_ratio"],
                molar_mass=jnp.asarray(self.molar_mass[target]),
            ),
        )
        return model.exposure(tables[target], grid)


def mouse(lanes: int, *, seed: int = 11, growth: str = "gompertz") -> Scenario:
    """A colorectal xenograft: palbociclib 75 mg/kg daily, cetuximab 1 mg twice a week, 49 days."""
    days = np.arange(49)
    twice = np.sort(np.concatenate([7 * np.arange(7), 7 * np.arange(7) + 3]))
    return Scenario(
        growth=growth,
        end_h=24.0 * 49,
        output_h=24.0 * np.arange(3.5, 49.1, 3.5),
        parameters=_drawn(lanes, seed, "mouse", disease="colorectal_pdx"),
        pk={CDK46: OneCompartmentOral, EGFR: OneCompartmentOral},
        molar_mass=_molar_masses("mouse"),
        courses={
            CDK46: Course(
                time_h=24.0 * days, amount_mg=np.full(49, 75.0 * MOUSE_KG), duration_h=np.zeros(49), absorbed=True
            ),
            EGFR: Course(time_h=24.0 * twice, amount_mg=np.ones(14), duration_h=np.zeros(14), absorbed=True),
        },
    )


def human(lanes: int, *, seed: int = 12, growth: str = "simeoni") -> Scenario:
    """A patient: palbociclib 125 mg, three weeks of four, cetuximab 400 then 250 mg/m2 weekly over 2 h then 1 h, 84 days."""
    daily = np.concatenate([28.0 * cycle + np.arange(21.0) for cycle in range(3)])
    surface = Cohorts(cohorts=lanes, individuals=1, seed=seed).draw(
        read_component(Kind.POPULATION, "adult_cancer", "human"), {}
    )["surface"]
    return Scenario(
        growth=growth,
        end_h=24.0 * 84,
        output_h=24.0 * np.arange(7.0, 84.1, 7.0),
        parameters=_drawn(lanes, seed, "human", disease="pdac_patient"),
        pk={CDK46: TwoCompartmentOral, EGFR: TwoCompartmentSaturable},
        molar_mass=_molar_masses("human"),
        courses={
            CDK46: Course(
                time_h=24.0 * daily,
                amount_mg=np.full(daily.size, 125.0),
                duration_h=np.zeros(daily.size),
                absorbed=True,
            ),
            EGFR: Course(
                time_h=168.0 * np.arange(12),
                amount_mg=np.r_[400.0, np.full(11, 250.0)][:, None] * surface,
                duration_h=np.r_[2.0, np.ones(11)],
                absorbed=False,
            ),
        },
    )


def in_vitro(lanes: int, *, seed: int = 13, growth: str = "logistic") -> Scenario:
    """Cells: 1 umol/L palbociclib for eight days, 70 nmol/L cetuximab from day 6 to day 11, 14 days."""
    return Scenario(
        growth=growth,
        end_h=24.0 * 14,
        output_h=24.0 * np.arange(1.0, 14.1),
        parameters=_drawn(lanes, seed, "in_vitro", disease="pdac_cell_line"),
        medium={CDK46: ((0.0, 1000.0), (192.0, 0.0)), EGFR: ((0.0, 0.0), (144.0, 70.0), (264.0, 0.0))},
    )


def _molar_masses(setting: str) -> dict[str, float]:
    return {target: read_component(Kind.DRUG, name, setting).molar_mass for target, name in DRUGS.items()}


def _drawn(lanes: int, seed: int, setting: str, *, disease: str) -> Parameters:
    cohorts = Cohorts(cohorts=lanes, individuals=1, seed=seed)
    weight_kg = MOUSE_KG if setting == "mouse" else 1.0
    tumor = read_component(Kind.COMBINATION, "senolysis", setting).overlaid(
        read_component(Kind.DISEASE, disease, setting)
    )
    declared = {name: unit for kind in (Senolysis, *GROWTH.values()) for name, unit in units_of(kind).items()}
    drawn = {"tumor": cohorts.draw(tumor, declared)}
    if setting == "human":
        drawn["neutrophils"] = cohorts.draw(read_component(Kind.TOXICITY, "neutropenia", setting), units_of(Friberg))
    if setting != "in_vitro":
        kinds = (OneCompartmentOral, TwoCompartmentOral, TwoCompartmentSaturable)
        declared = {name: unit for kind in kinds for name, unit in units_of(kind).items()}
        for name in DRUGS.values():
            drawn[name] = cohorts.draw(read_component(Kind.DRUG, name, setting), declared, weight_kg=weight_kg)
    return {part: {name: jnp.asarray(value) for name, value in values.items()} for part, values in drawn.items()}
