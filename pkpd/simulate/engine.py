"""Compiled pieces of a simulation: drives and neutrophils per arm of a drug, tumor per schedule; draws are the lanes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from pkpd.cache import enable_compilation_cache
from pkpd.domain.dosing import MINUTES_PER_HOUR, Dose, Route
from pkpd.dynamics.accuracy import choose_grid
from pkpd.dynamics.assembly import TUMOR
from pkpd.dynamics.base import DoseTable
from pkpd.dynamics.forcing import Forcing
from pkpd.dynamics.integrate import integrate
from pkpd.dynamics.pd.senolysis import CDK46
from pkpd.dynamics.timeline import Grid
from pkpd.errors import Finding, SpecError
from pkpd.simulate.patients import Patients

LADDER = ((12.0, 16), (8.0, 16), (6.0, 16), (4.0, 16), (3.0, 16), (2.0, 16))
PILOT_PATIENTS = 32
ENOUGH_PATIENTS = 0.85
ARM_BLOCK = 8
SENOLYSIS = "senolysis"
LOW_NEUTROPHILS = 1.0  # 1e9/L; below it is grade 3 of CTCAE 5
HOURS_PER_DAY = 24.0
type Values = Mapping[str, Array]
type ArmOutcome = tuple[tuple[Forcing, ...], dict[str, Array]]


class Prepared(NamedTuple):
    """What the arms of one drug do to the patients, first axis arm."""

    forcings: tuple[Forcing, ...]
    neutrophils: dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=False, kw_only=True, eq=False)
class Engine:
    """Programs for one set of patients and one horizon.

    Attributes
    ----------
    grid
        Steps of the tumor and the neutrophils; every dose starts at an edge.
    numerical_error
        Largest relative error of tumor volume and neutrophils in the pilot, at the end of weeks and of the horizon.
    """

    patients: Patients
    grid: Grid
    max_step_h: float
    numerical_error: float = float("nan")
    cause: str = ""
    horizon_h: float = field(default=0.0)

    @staticmethod
    def verified(
        patients: Patients,
        *,
        horizon_h: float,
        event_times_h: NDArray[np.float64],
        probes: Mapping[str, tuple[Dose, ...]],
        tolerance: float,
    ) -> Engine:
        """Engine whose grid meets the tolerance for the first patients when they take all `probes`, one arm per drug."""
        enable_compilation_cache()
        few = patients.first(PILOT_PATIENTS)

        def simulate(grid: Grid) -> Array:
            engine = Engine(patients=few, grid=grid, max_step_h=float("nan"), horizon_h=horizon_h)
            return engine.pilot(probes)

        chosen = choose_grid(
            simulate,
            event_times_h=event_times_h,
            end_h=horizon_h,
            tolerance=tolerance,
            ladder=LADDER,
            enough=ENOUGH_PATIENTS,
        )
        return Engine(
            patients=patients,
            grid=chosen.grid,
            max_step_h=chosen.max_step_h,
            numerical_error=chosen.error,
            cause=chosen.cause,
            horizon_h=horizon_h,
        )

    def values(self, switches: Mapping[str, float]) -> dict[str, Array]:
        """Parameters of every patient, with counterfactual switches applied."""
        found = {name: jnp.asarray(array) for name, array in self.patients.parameters.items()}
        for name, number in switches.items():
            if name == SENOLYSIS and number == 0.0:
                none = jnp.zeros_like(found[f"{TUMOR}.ligand_senescent"])
                found[f"{TUMOR}.hazard_exposed"] = found[f"{TUMOR}.hazard_protected"]
                found[f"{TUMOR}.ligand_senescent"] = found[f"{TUMOR}.ligand_fast"] = none
                found[f"{TUMOR}.egfr_entry_need"] = none
            elif name in found:
                found[name] = jnp.full_like(found[name], number)
            else:
                raise SpecError(
                    Finding(
                        code="E_SWITCH",
                        where="switches",
                        message=f"there is no switch '{name}' = {number:g}",
                        hint="write senolysis = 0, or the full name of a parameter, such as tumor.arrest_max",
                    )
                )
        return found

    def prepare(self, drug: str, arms: Sequence[tuple[Dose, ...]], values: Values, pool: Executor) -> Prepared:
        """Drives of every arm of one drug, and its neutrophils if the drug is what they suffer from."""
        room = _roomy(max(len(arm) for arm in arms))
        tables = [self._table(arm, room=room, kinds=_kinds(arms)) for arm in arms]
        blocks = [_stack(tables[start : start + ARM_BLOCK], ARM_BLOCK) for start in range(0, len(tables), ARM_BLOCK)]
        program = partial(self._arm_program, drug)
        parts = list(pool.map(lambda block: jax.block_until_ready(program(block, values)), blocks))
        forcings, neutrophils = jax.tree.map(lambda *x: np.concatenate(x)[: len(arms)], *parts)
        return Prepared(tuple(Forcing(*forcing) for forcing in forcings), neutrophils)

    def tumor(
        self, prepared: Mapping[str, Prepared], rows: Mapping[str, NDArray[np.int64]], block: range, values: Values
    ) -> dict[str, NDArray[np.float64]]:
        """Tumor outcomes of a block of schedules, `[schedule, draw]`."""
        pick = {drug: np.resize(rows[drug][block.start : block.stop], _padded(len(block))) for drug in rows}
        drives = {
            drug: jax.tree.map(lambda x, chosen=pick[drug]: x[chosen], prepared[drug].forcings) for drug in prepared
        }
        outcomes = self._tumor_program(drives, values)
        return {name: np.asarray(array)[: len(block)] for name, array in outcomes.items()}

    def neutrophils(
        self, prepared: Mapping[str, Prepared], rows: Mapping[str, NDArray[np.int64]], count: int, values: Values
    ) -> dict[str, NDArray[np.float64]]:
        """Neutrophil outcomes of every schedule, `[schedule, draw]`."""
        for drug, found in prepared.items():
            if found.neutrophils:
                return {name: array[rows[drug]] for name, array in found.neutrophils.items()}
        baseline = np.asarray(values["neutrophils.baseline"])
        shape = (count, baseline.size)
        low = np.where(baseline < LOW_NEUTROPHILS, self.horizon_h / HOURS_PER_DAY, 0.0)
        return {
            "neutrophil_minimum": np.broadcast_to(baseline, shape).copy(),
            "neutrophil_days_below_1": np.broadcast_to(low, shape).copy(),
        }

    def pilot(self, probes: Mapping[str, tuple[Dose, ...]]) -> Array:
        """Tumor and neutrophils at the end of every week and of the horizon, `[output, lane]`."""
        week_h = 7 * HOURS_PER_DAY
        edges = self.grid.index_of(np.append(np.arange(week_h, self.horizon_h, week_h), self.horizon_h))
        tumor, neutrophils, _ = self.courses(probes, jnp.zeros(1))
        return jnp.concatenate([tumor["tumor_volume"][edges], neutrophils[edges]])

    def courses(
        self, arms: Mapping[str, tuple[Dose, ...]], times_h: Array
    ) -> tuple[dict[str, Array], Array, dict[str, Array]]:
        """Under one schedule: tumor and neutrophils at every edge, and plasma concentrations at the given times."""
        values = self.values({})
        weight_kg = jnp.asarray(self.patients.weight_kg)
        tables = {drug: self._table(arm, room=_roomy(len(arm)), kinds=_kinds([arm])) for drug, arm in arms.items()}

        def run(tables: dict[str, DoseTable], values: Values) -> tuple[dict[str, Array], Array, dict[str, Array]]:
            forcings = {drug: self._forcings(drug, table, values) for drug, table in tables.items()}
            toxic = [drug for drug in tables if self.patients.assembly.drugs[drug].target == CDK46]
            shape = (self.grid.edges_h.size, self.patients.size)
            neutrophils = (
                self._neutrophil_course(toxic[0], tables[toxic[0]], values)
                if toxic
                else jnp.broadcast_to(values["neutrophils.baseline"], shape)
            )
            plasma = {
                drug: self.patients.assembly.plasma(drug, values, table, times_h, weight_kg=weight_kg)
                for drug, table in tables.items()
            }
            return self._tumor_course(forcings, values), neutrophils, plasma

        return jax.jit(run)(tables, values)

    # ------------------------------------------------------------------ programs

    @cached_property
    def _arm_programs(self) -> dict[str, Callable[[DoseTable, Values], ArmOutcome]]:
        def program(drug: str) -> Callable[[DoseTable, Values], ArmOutcome]:
            is_toxic = self.patients.assembly.drugs[drug].target == CDK46

            def one(table: DoseTable, values: Values) -> ArmOutcome:
                neutrophils = self._neutrophil_outcomes(drug, table, values) if is_toxic else {}
                return self._forcings(drug, table, values), neutrophils

            return jax.jit(lambda block, values: jax.lax.map(lambda table: one(table, values), block))

        return {drug: program(drug) for drug in self.patients.assembly.drugs}

    def _arm_program(self, drug: str, block: DoseTable, values: Values) -> ArmOutcome:
        return self._arm_programs[drug](block, values)

    @cached_property
    def _tumor_program(self) -> Callable[[Mapping[str, tuple[Forcing, ...]], Values], dict[str, Array]]:
        return jax.jit(lambda drives, values: jax.lax.map(lambda d: self._tumor_outcomes(d, values), drives))

    def _forcings(self, drug: str, table: DoseTable, values: Values) -> tuple[Forcing, ...]:
        """The drives of the tumor that this drug's doses set."""
        assembly = self.patients.assembly
        model = assembly.tumor_model(values)
        exposures = assembly.exposures_of(
            drug, values, table, self.grid, weight_kg=jnp.asarray(self.patients.weight_kg)
        )
        every = model.forcings(exposures, self.grid)
        mine = [f for f, target in zip(every, model.targets, strict=True) if target == assembly.drugs[drug].target]
        shape = (self.grid.lengths_h.size, self.patients.size)
        return tuple(Forcing(*(jnp.broadcast_to(x, shape) for x in forcing)) for forcing in mine)

    def _all_forcings(self, drives: Mapping[str, tuple[Forcing, ...]], values: Values) -> tuple[Forcing, ...]:
        """Drives in the order of the model; a target that no drug reaches gets the drives of nothing."""
        assembly = self.patients.assembly
        model = assembly.tumor_model(values)
        queues = {assembly.drugs[drug].target: list(found) for drug, found in drives.items()}
        without = model.forcings(
            assembly.exposures_of(None, values, None, self.grid, weight_kg=jnp.zeros(())), self.grid
        )
        shape = (self.grid.lengths_h.size, self.patients.size)
        return tuple(
            queues[target].pop(0) if target in queues else Forcing(*(jnp.broadcast_to(x, shape) for x in nothing))
            for target, nothing in zip(model.targets, without, strict=True)
        )

    def _tumor_course(self, drives: Mapping[str, tuple[Forcing, ...]], values: Values) -> dict[str, Array]:
        model = self.patients.assembly.tumor_model(values)
        return integrate(
            model, self._all_forcings(drives, values), jnp.asarray(self.grid.lengths_h), keep=model.observe
        )

    def _tumor_outcomes(self, drives: Mapping[str, tuple[Forcing, ...]], values: Values) -> dict[str, Array]:
        course = self._tumor_course(drives, values)
        relative = course["tumor_volume"] / course["tumor_volume"][0]
        start = course["tumor_volume"][0]
        return {
            "tumor_final": relative[-1],
            "tumor_minimum": jnp.min(relative, axis=0),
            "tumor_mean_log": self._integral(jnp.log(relative)) / self.horizon_h,
            "senescent_final": course["senescent_volume"][-1] / start,
            "senolytic_exposure": self._integral(course["senolysis"]) / start,
        }

    def _neutrophil_course(self, drug: str, table: DoseTable, values: Values) -> Array:
        assembly = self.patients.assembly
        model = assembly.neutrophil_model(values)
        exposures = assembly.exposures_of(
            drug, values, table, self.grid, weight_kg=jnp.asarray(self.patients.weight_kg)
        )
        return integrate(
            model, model.forcings(exposures, self.grid), jnp.asarray(self.grid.lengths_h), keep=model.observe
        )["neutrophils"]

    def _neutrophil_outcomes(self, drug: str, table: DoseTable, values: Values) -> dict[str, Array]:
        course = self._neutrophil_course(drug, table, values)
        below = LOW_NEUTROPHILS - course
        first, last = below[:-1], below[1:]
        # On the straight line between two edges: all of the step, none of it, or up to where the line crosses.
        span = jnp.maximum(jnp.abs(first) + jnp.abs(last), jnp.finfo(course.dtype).tiny)
        share = (jnp.maximum(first, 0.0) + jnp.maximum(last, 0.0)) / span
        return {
            "neutrophil_minimum": jnp.min(course, axis=0),
            "neutrophil_days_below_1": jnp.sum(jnp.asarray(self.grid.lengths_h)[:, None] * share, axis=0)
            / HOURS_PER_DAY,
        }

    def _integral(self, at_edges: Array) -> Array:
        lengths = jnp.asarray(self.grid.lengths_h)[:, None]
        return jnp.sum(0.5 * lengths * (at_edges[1:] + at_edges[:-1]), axis=0)

    def _table(self, arm: tuple[Dose, ...], *, room: int, kinds: tuple[bool, bool]) -> DoseTable:
        """Doses of one arm in mg for every patient, padded with empty doses at the horizon."""
        count = len(arm)
        amounts = np.zeros((room, self.patients.size))
        for row, dose in enumerate(arm):
            amounts[row] = dose.amount.milligrams(
                weight_kg=self.patients.weight_kg, surface_m2=self.patients.surface_m2
            )
        times = np.full(room, self.horizon_h)
        times[:count] = [dose.time_min / MINUTES_PER_HOUR for dose in arm]
        durations, absorbed = np.zeros(room), np.ones(room)
        durations[:count] = [dose.duration_min / MINUTES_PER_HOUR for dose in arm]
        absorbed[:count] = [float(dose.route is not Route.INTRAVENOUS) for dose in arm]
        return DoseTable(
            time_h=jnp.asarray(times),
            amount_mg=jnp.asarray(amounts),
            duration_h=jnp.asarray(durations),
            absorbed=jnp.asarray(absorbed),
            end_h=self.horizon_h,
            all_absorbed=kinds[0],
            none_infused=kinds[1],
        )


def _kinds(arms: Sequence[tuple[Dose, ...]]) -> tuple[bool, bool]:
    """Whether all doses are absorbed, and whether none is an infusion."""
    doses = [dose for arm in arms for dose in arm]
    return all(dose.route is not Route.INTRAVENOUS for dose in doses), all(dose.duration_min == 0 for dose in doses)


def _roomy(count: int) -> int:
    """Next power of two: few table sizes, few compilations."""
    return 1 << max(2, (max(count, 1) - 1).bit_length())


def _padded(count: int) -> int:
    """Small calls get small programs, large ones all the same."""
    return 1 << (count - 1).bit_length() if count > 1 else 1


def _stack(tables: Sequence[DoseTable], size: int) -> DoseTable:
    """Tables along a new first axis, the last repeated up to `size`."""
    full = [*tables, *[tables[-1]] * (size - len(tables))]
    return jax.tree.map(lambda *x: jnp.stack(x), *full)
