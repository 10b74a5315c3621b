"""How truth and posterior compare: the closing table of the quickstart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pkpd.posterior import Posterior
from pkpd.report.fit_figures import learned

_WIDTH = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """One parameter: its true value, what the fit says about it, and how much of that the data taught.

    Attributes
    ----------
    lower, upper
        Central 90 % interval of the posterior, in `unit`.
    contraction
        `1 - var(posterior) / var(prior)` on the unconstrained scale.
    """

    name: str
    unit: str
    truth: float
    median: float
    lower: float
    upper: float
    contraction: float

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return self.lower <= self.truth <= self.upper


def recovered(posterior: Posterior, truth: Mapping[str, float]) -> tuple[Recovered, ...]:
    """Every estimated parameter whose truth is known, most informed first."""
    return tuple(
        Recovered(
            name=row.name,
            unit=row.unit,
            truth=truth[row.name],
            median=row.posterior[1],
            lower=row.posterior[0],
            upper=row.posterior[2],
            contraction=row.contraction,
        )
        for row in learned(posterior)
        if row.name in truth
    )


def recovery_lines(rows: Sequence[Recovered]) -> tuple[str, ...]:
    """The table, with the number of intervals that hold the truth and the number that chance would give."""
    if not rows:
        return ("no parameter of this posterior has a known truth",)
    covered = sum(row.covered for row in rows)
    spread = math.sqrt(len(rows) * 0.9 * 0.1)
    head = f"{'parameter':<{_WIDTH}} {'truth':>9} {'median':>9}   {'90 % interval':<19} {'covered':<8} "
    return (
        f"{head}{'contraction':>11}  unit",
        *(_line(row) for row in rows),
        f"{covered} of {len(rows)} intervals hold the truth; {0.9 * len(rows):.0f} should, give or take {spread:.0f}.",
    )


def _line(row: Recovered) -> str:
    interval = f"{row.lower:.3g} to {row.upper:.3g}"
    mark = "yes" if row.covered else "NO"
    numbers = f"{row.truth:9.3g} {row.median:9.3g}   {interval:<19} {mark:<8} {row.contraction:11.2f}"
    return f"{row.name:<{_WIDTH}} {numbers}  {row.unit}"
