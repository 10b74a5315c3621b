"""From dated events to a grid of steps: every dose, end of infusion and observation falls on the edge of a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAME_TIME_H = 1e-9
AFTER_ONSET_H = np.array([0.25, 1.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Steps shared by all lanes.

    Attributes
    ----------
    edges_h
        Rising times, from 0; one more than there are steps.
    nodes
        Nodes per step at which an exposure is evaluated.
    """

    edges_h: NDArray[np.float64]
    nodes: int = 12

    @property
    def lengths_h(self) -> NDArray[np.float64]:
        """Length of every step."""
        return np.diff(self.edges_h)

    def index_of(self, times_h: NDArray[np.float64]) -> NDArray[np.int64]:
        """Edges that lie at the given times.

        Raises
        ------
        ValueError
            If a time is not on the grid: an error of the caller.
        """
        index = np.clip(np.searchsorted(self.edges_h, times_h - SAME_TIME_H), 0, self.edges_h.size - 1)
        if np.any(np.abs(self.edges_h[index] - times_h) > 2 * SAME_TIME_H):
            raise ValueError("a requested time is not on the grid")
        return index

    def refined(self, factor: int = 2) -> Grid:
        """Every step cut into `factor` equal parts, and as many nodes in each as before in the whole."""
        parts = np.linspace(0.0, 1.0, factor + 1)[:-1]
        inner = (self.edges_h[:-1, None] + self.lengths_h[:, None] * parts).ravel()
        return Grid(edges_h=np.append(inner, self.edges_h[-1]), nodes=self.nodes)


def build_grid(
    event_times_h: NDArray[np.float64],
    *,
    end_h: float,
    max_step_h: float,
    nodes: int = 12,
    onset_times_h: NDArray[np.float64] | None = None,
) -> Grid:
    """Grid from 0 to `end_h` through every event, with no step longer than `max_step_h`.

    Parameters
    ----------
    onset_times_h
        First dose of every drug. What it meets changes within minutes, from nothing to nearly all; later doses find the
        effect of earlier ones. A few short steps after it cost less than short steps throughout.
    """
    onsets = np.empty(0) if onset_times_h is None else np.asarray(onset_times_h, dtype=np.float64)
    wanted = np.concatenate([event_times_h, (onsets[:, None] + AFTER_ONSET_H).ravel()])
    inside = wanted[(wanted > 0.0) & (wanted < end_h)]
    events = np.unique(np.round(np.concatenate([[0.0], inside, [end_h]]), 9))
    counts = np.maximum(1, np.ceil(np.diff(events) / max_step_h - SAME_TIME_H).astype(int))
    pieces = [
        np.linspace(start, stop, count, endpoint=False)
        for start, stop, count in zip(events[:-1], events[1:], counts, strict=True)
    ]
    return Grid(edges_h=np.append(np.concatenate(pieces), end_h), nodes=nodes)
