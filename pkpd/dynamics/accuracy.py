"""Which grid is fine enough: coarse ones first, each held against its own refinement on draws that the caller gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike, NDArray

from pkpd.dynamics.timeline import Grid, build_grid

LADDER = ((24.0, 24), (12.0, 16), (12.0, 24), (8.0, 24), (6.0, 24), (4.0, 24), (3.0, 24), (2.0, 24), (1.0, 24))
LARGEST_TAKEN = 100.0  # tolerances that a lane may be off where not every lane can be served
ORDER = 4  # of the steps: cutting them by two gains at most two to the fourth
# The refined grid is off as well. At worst, where a rate has a kink, cutting steps by two gains two squared: the whole
# error is then this many times the difference.
WHOLE_PER_DIFFERENCE = 4.0 / 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenGrid:
    """The coarsest grid that is fine enough, or the finest of the ladder.

    Attributes
    ----------
    max_step_h
        Longest step that was allowed.
    error
        Largest relative error, estimated from the refined grid; infinite where a value is not finite.
    met
        Whether the error is within the tolerance.
    cause
        Where it is not: a sentence that names the worst value and what is likely to blame; empty otherwise.
    """

    grid: Grid
    max_step_h: float
    error: float
    met: bool
    cause: str = ""


def choose_grid(
    simulate: Callable[[Grid], Array],
    *,
    event_times_h: NDArray[np.float64],
    end_h: float,
    tolerance: float = 1e-4,
    ladder: Sequence[tuple[float, int]] = LADDER,
    outputs: Sequence[str] = (),
    rates_per_h: Mapping[str, ArrayLike] | None = None,
    onset_times_h: NDArray[np.float64] | None = None,
    enough: float = 1.0,
) -> ChosenGrid:
    """First grid of the ladder whose error, judged by its refinement, is within the tolerance.

    Parameters
    ----------
    simulate
        Values `[output, lane]` on a grid, at times that are on every grid; never called twice with equal grids.
    event_times_h, end_h
        What every grid passes through.
    tolerance
        Largest relative error of any output of any lane.
    ladder
        Longest step, hours, and nodes per step, from coarse to fine. A rung is passed over when even the full order of
        the steps could not reach the tolerance from the error of a longer one with as many nodes.
    outputs
        What stands in the rows of the values, for the sentence; their number otherwise.
    rates_per_h
        Rates of the model by name, 1/h, scalars or `[lane]`; the sentence names the fastest of them in the worst lane.
    onset_times_h
        First dose of every drug, see `build_grid`.
    enough
        Where no rung meets the tolerance in every lane, the coarsest that meets it in this share of them is taken: a lane with a
        kink, as of EGFR signal that crosses its untreated level, converges too slowly for any rung. The error is that of the worst.

    Raises
    ------
    ValueError
        If the ladder is empty: an error of the caller.
    """
    if not ladder:
        raise ValueError("a ladder needs a rung")
    known: dict[tuple[bytes, int], NDArray[np.float64]] = {}

    def values(grid: Grid) -> NDArray[np.float64]:
        key = (np.round(grid.edges_h, 6).tobytes(), grid.nodes)
        if key not in known:
            known[key] = np.asarray(simulate(grid), dtype=np.float64)
        return known[key]

    def judge(max_step_h: float, nodes: int) -> tuple[ChosenGrid, NDArray[np.float64]]:
        grid = build_grid(event_times_h, end_h=end_h, max_step_h=max_step_h, nodes=nodes, onset_times_h=onset_times_h)
        errors = WHOLE_PER_DIFFERENCE * relative_error(values(grid), values(grid.refined()))
        worst = float(errors.max(initial=0.0))
        return ChosenGrid(grid=grid, max_step_h=max_step_h, error=worst, met=worst <= tolerance), errors

    tried: list[ChosenGrid] = []
    fallback: tuple[ChosenGrid, NDArray[np.float64]] | None = None
    for max_step_h, nodes in ladder[:-1]:
        if not any(_hopeless(max_step_h, nodes, before, tolerance) for before in tried):
            chosen, errors = judge(max_step_h, nodes)
            if chosen.met:
                return chosen
            if (
                fallback is None
                and chosen.error <= LARGEST_TAKEN * tolerance
                and np.mean(np.all(errors <= tolerance, axis=0)) >= enough
            ):
                fallback = chosen, errors
            tried.append(chosen)
    finest, errors = judge(*ladder[-1])
    if finest.met:
        return finest
    taken, errors = fallback or (finest, errors)
    return replace(taken, cause=_cause(errors, taken.max_step_h, tolerance, outputs, rates_per_h or {}))


def relative_error(values: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance over size, element by element: zero where both agree, infinite where either is not finite."""
    finite = np.isfinite(values) & np.isfinite(reference)
    a, b = np.where(finite, values, 1.0), np.where(finite, reference, 1.0)
    size = np.maximum(np.abs(a), np.abs(b))
    return np.where(finite, np.abs(a - b) / np.where(size > 0.0, size, 1.0), np.inf)


def _hopeless(max_step_h: float, nodes: int, before: ChosenGrid, tolerance: float) -> bool:
    """Whether the error of a coarser rung leaves no hope for this one; more nodes, or no number, leave all hope."""
    best = before.error * (max_step_h / before.max_step_h) ** ORDER
    return np.isfinite(before.error) and nodes <= before.grid.nodes and best > tolerance


def _cause(
    errors: NDArray[np.float64],
    max_step_h: float,
    tolerance: float,
    outputs: Sequence[str],
    rates_per_h: Mapping[str, ArrayLike],
) -> str:
    row, lane = (int(index) for index in np.unravel_index(int(np.argmax(errors)), errors.shape))
    error = errors[row, lane]
    what = outputs[row] if outputs else f"output {row}"
    found = f"is off by {error:.1e}, more than {tolerance:.0e}," if np.isfinite(error) else "is not a finite number"
    share = float(np.mean(np.any(errors > tolerance, axis=0)))
    sentence = f"{what} of draw {lane} {found} with steps of {max_step_h:g} h; {share:.0%} of the draws are affected"
    if not rates_per_h:
        return sentence
    in_lane = {name: float(np.broadcast_to(rate, errors.shape[1:])[lane]) for name, rate in rates_per_h.items()}
    name, rate = max(in_lane.items(), key=lambda item: item[1] if np.isfinite(item[1]) else np.inf)
    return f"{sentence}; the fastest rate there is {name}, {rate:.3g} 1/h or {rate * max_step_h:.2g} per step"
