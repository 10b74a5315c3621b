"""What contradicts itself in the numbers of one dose of an event table, whoever reads it: the rules that NONMEM states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

LARGEST_ADDL = 10_000
MODELED_RATES = (-1.0, -2.0)


class Contradiction(NamedTuple):
    """One finding about one cell: code, standard name of the column, message and hint."""

    code: str
    column: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseCells:
    """Numbers of the row of a dose, as written; a missing one is 0."""

    amount: float
    rate: float
    interval: float
    additional: float
    steady: float

    def contradictions(self, *, structure: str, grows: bool) -> Iterator[Contradiction]:
        """Every rule that the row breaks.

        Parameters
        ----------
        grows
            Whether the structure holds a tumor, which no repetition of doses brings to a steady state.
        """
        if self.amount < 0.0:
            yield Contradiction(
                "E_NEGATIVE_DOSE", "AMT", f"{self.amount:g} is negative", "write a dose of zero or more"
            )
        if self.rate < 0.0 and self.rate not in MODELED_RATES:
            yield Contradiction("E_EVENT", "RATE", f"{self.rate:g} is negative", "write a rate, 0, -1 or -2")
        if self.interval < 0.0:
            hint = "write the time between doses, or 0"
            yield Contradiction("E_EVENT", "II", f"{self.interval:g} is negative", hint)
        repeats = further_doses(self.additional, self.interval)
        if repeats is not None:
            yield repeats
        yield from self._steady_state(structure=structure, grows=grows)

    def _steady_state(self, *, structure: str, grows: bool) -> Iterator[Contradiction]:
        endless = self.rate not in (0.0, -2.0) and self.interval == 0.0 and self.additional == 0.0
        if self.steady not in (0.0, 1.0, 2.0):
            yield Contradiction("E_UNSUPPORTED", "SS", f"{self.steady:g}: not supported", "write 0, 1 or 2")
        elif self.steady and grows:
            message = f"the tumor of '{structure}' grows, so that there is no steady state"
            hint = "write the doses out with ADDL and II, and SS 0"
            yield Contradiction("E_NO_STEADY_STATE", "SS", message, hint)
        elif self.steady and self.amount == 0.0 and not endless:
            message = "an infusion without end needs AMT 0, II 0, ADDL 0 and a RATE above 0 or -1"
            yield Contradiction("E_EVENT", "SS", message, "write the RATE, or the AMT and II of a repeated dose")
        elif self.steady and self.amount > 0.0 and self.interval <= 0.0:
            yield Contradiction("E_EVENT", "SS", "needs the time between doses", "write a time above zero in II")


def further_doses(additional: float, interval: float) -> Contradiction | None:
    """What is wrong with ADDL beside II; None where nothing is."""
    if additional != int(additional) or not 0.0 <= additional <= LARGEST_ADDL:
        message = f"{additional:g} is not a number of further doses"
        return Contradiction("E_EVENT", "ADDL", message, f"write a whole number from 0 to {LARGEST_ADDL}")
    if additional > 0.0 and interval <= 0.0:
        return Contradiction("E_EVENT", "ADDL", "needs the time between doses", "write a time above zero in II")
    return None


def takes_no_dose(compartment: str) -> Contradiction:
    """A dose into a compartment that is a response."""
    message = f"'{compartment}' holds no drug and takes no dose"
    return Contradiction("E_UNSUPPORTED", "CMT", message, "write another compartment")
