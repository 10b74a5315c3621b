"""How many steps each interval of a population study takes, verified by doubling under draws of the prior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import jax
import numpy as np
from numpy.typing import NDArray

from pkpd.dynamics.base import AbstractLinearPKModel, AbstractSteppedPKModel
from pkpd.dynamics.events.mesh import LADDER, interval_errors, mesh_of, study_points
from pkpd.simulate.population import PopulationDesign, Values, individual_parameters, predictions
from pkpd.simulate.study_events import structure_of

STEPS = (1, 2, 4, 8, 16, 32)
SHARES = (0.25, 0.05)  # of the tolerance, for a single interval


def with_verified_steps(design: PopulationDesign, draws: Sequence[Values], *, tolerance: float) -> PopulationDesign:
    """The design with the fewest steps whose doubling changes no prediction by more than the tolerance, under any of the draws.

    Structures with a closed form keep one step. Where even the largest number does not meet it, that number is taken, and `error`
    says so. Where it is met and no dose has a lag or the like of its own, each interval takes only as many as it needs itself.
    """
    if issubclass(design.kind, AbstractLinearPKModel):
        return design
    before: list[NDArray[np.float64]] | None = None
    error = np.inf
    # a traced number of steps compiles once for all of them
    run = jax.jit(lambda values, steps: predictions(replace(design, steps=steps), values))
    for steps in STEPS:
        after = [each for values in draws for each in _observed(design, run(values, steps))]
        if before is not None:
            error = _largest_change(design, before, after)
            if error <= tolerance:
                enough = replace(design, steps=steps // 2, error=error)
                return _with_mesh(enough, draws, after, tolerance=tolerance) if steps > 2 else enough
        before = after
    return replace(design, steps=STEPS[-1], error=error)


def _with_mesh(
    design: PopulationDesign, draws: Sequence[Values], exact: list[NDArray[np.float64]], *, tolerance: float
) -> PopulationDesign:
    """The design with steps of its own for each interval, if its predictions stay within the tolerance of the exact ones."""
    kind = design.kind
    if not issubclass(kind, AbstractSteppedPKModel) or any("." in name for name in design.analysis.parameters):
        return design
    ladder = tuple(rung for rung in LADDER if rung < design.steps)
    measured = jax.jit(
        lambda values: interval_errors(
            structure_of(kind, individual_parameters(design, values)),
            design.plan,
            ladder=ladder,
            reference=2 * design.steps,
        )
    )
    worst = np.max([np.asarray(measured(values)) for values in draws], axis=0)
    points = study_points(design.plan, len(design.kind.compartments))
    for share in SHARES:
        met = np.concatenate([worst <= share * tolerance, np.ones_like(worst[:1], dtype=bool)])
        counts = np.asarray([*ladder, design.steps], dtype=np.int64)[np.argmax(met, axis=0)]
        trial = replace(design, mesh=mesh_of(points, counts))
        run = jax.jit(lambda values, trial=trial: predictions(trial, values))
        found = [each for values in draws for each in _observed(design, run(values))]
        error = _largest_change(design, found, exact)
        if error <= tolerance:
            return replace(trial, error=error)
    return design


def _rows_of_endpoints(design: PopulationDesign) -> dict[str, NDArray[np.int64]]:
    """Endpoint -> its observations: what nobody observed need not be accurate."""
    names = design.analysis.study.data["endpoint"].values.astype(str)
    return {name: np.flatnonzero(names == name) for name in design.analysis.errors}


def _observed(design: PopulationDesign, predicted: Values) -> list[NDArray[np.float64]]:
    return [np.asarray(predicted[name])[rows] for name, rows in _rows_of_endpoints(design).items()]


def _largest_change(
    design: PopulationDesign, before: list[NDArray[np.float64]], after: list[NDArray[np.float64]]
) -> float:
    groups = [design.obs_subject[rows] for rows in _rows_of_endpoints(design).values()]
    groups *= len(before) // len(groups)
    return max(_change(old, new, of) for old, new, of in zip(before, after, groups, strict=True))


def _change(old: NDArray[np.float64], new: NDArray[np.float64], subject: NDArray[np.int64]) -> float:
    """Largest difference of one prediction, relative to the largest of its endpoint in its subject; infinite for no number."""
    if not new.size:
        return 0.0
    largest = np.zeros(int(subject.max()) + 1)
    np.fmax.at(largest, subject, np.abs(new))
    change = np.abs(new - old) / np.maximum(largest[subject], 1e-300)
    return float(np.max(np.nan_to_num(change, nan=np.inf)))
