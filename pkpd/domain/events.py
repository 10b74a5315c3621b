"""Records of an event table in canonical units: what the event engine is told, whoever read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)
MODELED_RATE, MODELED_DURATION = -1.0, -2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTable:
    """One entry per record, in the order of the table; the records of a subject stand together.

    Attributes
    ----------
    subject
        Number of the subject, from 0, rising.
    time_h
        Not falling within a subject, except where a reset starts the clock again.
    evid
        0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose.
    amount_mg
        Zero where there is none.
    rate
        mg/h; 0 is a bolus, -1 a rate and -2 a duration that the compartment gives.
    interval_h, additional, steady
        II, ADDL and SS.
    compartment
        Of a dose, counted from 1.
    """

    subject: NDArray[np.int64]
    time_h: NDArray[np.float64]
    evid: NDArray[np.int64]
    amount_mg: NDArray[np.float64]
    rate: NDArray[np.float64]
    interval_h: NDArray[np.float64]
    additional: NDArray[np.int64]
    steady: NDArray[np.int64]
    compartment: NDArray[np.int64]

    @property
    def is_reset(self) -> NDArray[np.bool_]:
        """Records that empty the system."""
        return (self.evid == RESET) | (self.evid == RESET_AND_DOSE)

    @property
    def is_dose(self) -> NDArray[np.bool_]:
        """Records that give something."""
        return (self.evid == DOSE) | (self.evid == RESET_AND_DOSE)
