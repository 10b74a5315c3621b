"""Tumor burden: how small the tumor is kept over the horizon, and how small it is at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import xarray as xr

from pkpd.optimize.base import AbstractObjective, Floats


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TumorBurden(AbstractObjective):
    """Minus the logarithm of volume over initial volume; 0.01 is one percent of volume.

    Attributes
    ----------
    final_weight
        Weight of the volume at the horizon; the rest goes to the time-mean of the logarithm. The mean alone
        rewards early shrinkage, the end alone rewards a tumor that happens to be small on the last day.
    """

    outcomes: ClassVar[tuple[str, ...]] = ("tumor_final", "tumor_mean_log")
    final_weight: float = 0.0

    def utility(self, outcomes: xr.Dataset) -> Floats:
        """Utility, shape (schedule, draw)."""
        final = outcomes["tumor_final"].transpose("schedule", "draw").values
        mean_log = outcomes["tumor_mean_log"].transpose("schedule", "draw").values
        return -(self.final_weight * np.log(final) + (1.0 - self.final_weight) * mean_log)
