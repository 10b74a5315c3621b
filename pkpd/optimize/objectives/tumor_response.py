"""Tumor response: whether the tumor ever becomes small enough to call it a response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import xarray as xr

from pkpd.optimize.base import AbstractObjective, Floats


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TumorResponse(AbstractObjective):
    """1 where the smallest volume is at most `volume_ratio` of the initial one, else 0: its mean is P(response).

    The default is a sphere whose diameter shrinks by 30 %, the partial response of RECIST 1.1
    (doi:10.1016/j.ejca.2008.10.026).
    """

    outcomes: ClassVar[tuple[str, ...]] = ("tumor_minimum",)
    volume_ratio: float = 0.7**3

    def utility(self, outcomes: xr.Dataset) -> Floats:
        """Utility, shape (schedule, draw)."""
        smallest = outcomes["tumor_minimum"].transpose("schedule", "draw").values
        return np.where(smallest <= self.volume_ratio, 1.0, 0.0)
