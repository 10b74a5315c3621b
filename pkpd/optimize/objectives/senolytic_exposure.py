"""Senolytic exposure: how many senescent cells die because the EGFR signal is blocked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import xarray as xr

from pkpd.optimize.base import AbstractObjective, Floats


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SenolyticExposure(AbstractObjective):
    """Excess death of senescent cells over the horizon; it scores the mechanism, not the benefit to a patient."""

    outcomes: ClassVar[tuple[str, ...]] = ("senolytic_exposure",)

    def utility(self, outcomes: xr.Dataset) -> Floats:
        """Utility, shape (schedule, draw)."""
        return outcomes["senolytic_exposure"].transpose("schedule", "draw").values
