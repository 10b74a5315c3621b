"""Whether the order of two drugs matters: contrasts of block schedules that hold the same doses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pkpd.domain.dosing import Schedule


class Order(StrEnum):
    """How two equal blocks are laid out."""

    INDUCER_FIRST = "inducer first"
    PARTNER_FIRST = "partner first"
    CONCURRENT = "concurrent"


class Matching(StrEnum):
    """What is subtracted from each order before the two are compared.

    `MATCHED` subtracts the inducer alone with the same timing, so that a growth head start does not pass for order.
    `RAW` subtracts nothing. `ATTRIBUTABLE` is the matched contrast less the same contrast with senolysis switched off
    in every draw, so that a direct effect of the partner on growth does not pass for order either.
    """

    MATCHED = "matched"
    RAW = "raw"
    ATTRIBUTABLE = "attributable to senolysis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """Difference of a log statistic between two orders, over draws of new patients; negative favors `first`.

    Attributes
    ----------
    lower, upper
        Central 90 % interval.
    probability_first_better
        Share of draws below zero; draws at exactly zero count half.
    """

    statistic: str
    matching: Matching
    first: Order
    second: Order
    median: float
    lower: float
    upper: float
    probability_first_better: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.lower > 0.0 or self.upper < 0.0

    def __str__(self) -> str:
        word = "differs" if self.excludes_zero else "cannot be told from zero"
        return (
            f"{self.first} against {self.second}, {self.statistic} ({self.matching}): {self.median:+.3f} "
            f"[{self.lower:+.3f}, {self.upper:+.3f}], P({self.first} better) = "
            f"{self.probability_first_better:.2f}; {word}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderContrast:
    """All contrasts of one pair of blocks.

    Attributes
    ----------
    inducer, partner
        Drugs; the inducer alone is the matched control.
    arms
        Every schedule that was simulated for it, by what it stands for.
    """

    inducer: str
    partner: str
    block_min: int
    draws: int
    arms: Mapping[str, Schedule]
    contrasts: tuple[Contrast, ...]

    def find(
        self, statistic: str, *, matching: Matching = Matching.MATCHED, second: Order = Order.PARTNER_FIRST
    ) -> Contrast:
        """The contrast of inducer first against `second` on one statistic."""
        wanted = (statistic, matching, Order.INDUCER_FIRST, second)
        for contrast in self.contrasts:
            if (contrast.statistic, contrast.matching, contrast.first, contrast.second) == wanted:
                return contrast
        raise KeyError(statistic)

    def sentences(self) -> list[str]:
        """A line that says which drug is which, then what became of the inducer first against the other layouts.

        Nothing is said twice: the attributable contrast is left out where it equals the matched one.
        """
        lines = [
            f"order: inducer = {self.inducer}, partner = {self.partner}; log ratios, negative favors the first named"
        ]
        told = [one for one in self.contrasts if one.first is Order.INDUCER_FIRST and one.matching is not Matching.RAW]
        seen: set[tuple[str, Order, float, float, float]] = set()
        for one in told:
            key = (one.statistic, one.second, one.lower, one.median, one.upper)
            if key not in seen:
                lines.append(f"  {one}")
            seen.add(key)
        return lines
