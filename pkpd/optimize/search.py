"""Exhaustive search: every schedule of a space on the same draws, in chunks, and the choice of finalists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pkpd.domain.dosing import Schedule
from pkpd.errors import Finding, PkpdError
from pkpd.optimize.base import AbstractObjective, ChanceConstraint, Evaluate, Floats, RiskMeasure

CHUNK = 1024
NUMERICAL_ERROR = "numerical_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """What a schedule is judged by."""

    objective: AbstractObjective
    risk: RiskMeasure
    constraints: tuple[ChanceConstraint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Schedules by draws, on one set of patients.

    Attributes
    ----------
    utility
        Shape (schedule, draw).
    violations
        Draws that violate each constraint, shape (constraint, schedule).
    """

    schedules: tuple[Schedule, ...]
    utility: Floats
    violations: NDArray[np.int64]
    numerical_error: float | None

    @property
    def draws(self) -> int:
        """Number of patients."""
        return self.utility.shape[1]

    def excess(self, constraints: Sequence[ChanceConstraint]) -> Floats:
        """How far the worst constraint of each schedule is above its limit; zero or less is feasible."""
        limits = np.asarray([[constraint.spec.max_probability] for constraint in constraints])
        if limits.size == 0:
            return np.full(len(self.schedules), -np.inf)
        return (self.violations / self.draws - limits).max(axis=0)

    def confident(self, constraints: Sequence[ChanceConstraint]) -> NDArray[np.bool_]:
        """Schedules whose upper limits of every violation probability meet the constraints."""
        fine = np.ones(len(self.schedules), dtype=bool)
        for constraint, counts in zip(constraints, self.violations, strict=True):
            distinct, inverse = np.unique(counts, return_inverse=True)
            limit = constraint.spec.max_probability
            fine &= np.asarray([constraint.result(int(k), self.draws).upper <= limit for k in distinct])[inverse]
        return fine


def score(
    evaluate: Evaluate,
    patients: Any,
    schedules: Sequence[Schedule],
    *,
    judges: Judges,
    chunk: int = CHUNK,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Simulate and judge schedules, a chunk at a time, so that only utilities are kept.

    Parameters
    ----------
    progress
        Is told the number of schedules that were added.

    Raises
    ------
    PkpdError
        If a simulation gave no finite utility.
    """
    utilities, violations, errors = [], [], []
    for part in batched(schedules, chunk):
        outcomes = evaluate(patients, part)
        utilities.append(finite_utility(judges.objective, outcomes, part))
        counts = [constraint.violations(outcomes) for constraint in judges.constraints]
        violations.append(np.reshape(counts, (len(counts), len(part))).astype(np.int64))
        errors.append(numerical_error(outcomes))
        if progress is not None:
            progress(len(part))
    known = [error for error in errors if error is not None]
    return Scores(
        schedules=tuple(schedules),
        utility=np.concatenate(utilities),
        violations=np.concatenate(violations, axis=1),
        numerical_error=max(known) if known else None,
    )


def finite_utility(objective: AbstractObjective, outcomes: xr.Dataset, schedules: Sequence[Schedule]) -> Floats:
    """Utility of every schedule for every draw, refused where it is not a number."""
    utility = np.asarray(objective.utility(outcomes), dtype=np.float64)
    bad = ~np.isfinite(utility).all(axis=1)
    if bad.any():
        first = schedules[int(np.argmax(bad))]
        raise PkpdError(
            Finding(
                code="E_UTILITY_NOT_FINITE",
                where=first.name,
                message=f"{int(bad.sum())} of {len(schedules)} schedules gave a utility that is not a number",
                hint="simulate this schedule with `pkpd simulate` and look at the extreme draws of the posterior",
            )
        )
    return utility


def numerical_error(outcomes: xr.Dataset) -> float | None:
    """The relative error that the simulation states, if it does."""
    stated = outcomes.attrs.get(NUMERICAL_ERROR)
    return None if stated is None or not np.isfinite(stated) else float(stated)


def finalists(scores: Scores, judges: Judges, *, top: int, cover: int) -> tuple[int, ...]:
    """Which schedules deserve fresh draws.

    The best by the risk measure; the best of those that meet the constraints with confidence, since the best often
    sit on the limit and fall off it on fresh draws; and a cover: schedules that are best for some draws, without which
    regret and P(best) would flatter the recommendation.
    """
    values = judges.risk.value(scores.utility)
    feasible = scores.excess(judges.constraints) <= 0.0
    confident = feasible & scores.confident(judges.constraints)
    chosen = [*best_of(values, feasible, top), *best_of(values, confident, top), *greedy_cover(scores, feasible, cover)]
    return tuple(dict.fromkeys(chosen))


def nearest_misses(scores: Scores, judges: Judges, *, top: int) -> tuple[int, ...]:
    """The schedules that violate least; among equals, the better ones."""
    values = judges.risk.value(scores.utility)
    order = np.lexsort((-values, scores.excess(judges.constraints)))
    return tuple(int(index) for index in order[:top])


def best_of(values: Floats, allowed: NDArray[np.bool_], count: int) -> list[int]:
    """Indices of the largest allowed values, best first; the earlier of equals first."""
    order = np.argsort(-values, kind="stable")
    return [int(index) for index in order if allowed[index]][:count]


def greedy_cover(scores: Scores, allowed: NDArray[np.bool_], count: int) -> list[int]:
    """Schedules that together reach the highest mean of the per-draw best, added one by one."""
    rows = np.flatnonzero(allowed)
    chosen: list[int] = []
    reached = np.full(scores.draws, -np.inf)
    for _ in range(min(count, rows.size)):
        gains = np.maximum(scores.utility[rows], reached).mean(axis=1)
        best = int(rows[np.argmax(gains)])
        if best in chosen:
            break
        chosen.append(best)
        reached = np.maximum(reached, scores.utility[best])
    return chosen
