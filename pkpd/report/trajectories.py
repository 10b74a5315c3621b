"""Reads the simulated courses of a run folder: one file per schedule, written before the report is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pkpd.errors import DataError, Finding

PLASMA = "plasma_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectories:
    """New patients under one schedule.

    Attributes
    ----------
    schedule
        Name, as in the recommendation.
    data
        Dimensions (`time_h`, `draw`): `tumor_volume`, `neutrophils`, `plasma_<drug>`, `occupancy`, `rb_activation`.
    """

    schedule: str
    title: str
    data: xr.Dataset

    @property
    def time_d(self) -> NDArray[np.float64]:
        """Days from time 0 of the schedule."""
        return self.data["time_h"].values.astype(np.float64) / 24.0

    @property
    def drugs(self) -> tuple[str, ...]:
        """Drugs with a plasma concentration, sorted."""
        return tuple(sorted(str(name).removeprefix(PLASMA) for name in self.data.data_vars if PLASMA in str(name)))

    def has(self, name: str) -> bool:
        """Whether the file holds this variable."""
        return name in self.data.data_vars

    def draws(self, name: str) -> NDArray[np.float64]:
        """Draws [draw, time] of a variable."""
        return self.data[name].transpose("draw", "time_h").values.astype(np.float64)

    def units(self, name: str) -> str:
        """Return the unit that the file states, or nothing."""
        return str(self.data[name].attrs.get("units", ""))

    def relative_tumor(self) -> NDArray[np.float64]:
        """Tumor volume over its value at the start, [draw, time]."""
        volume = self.draws("tumor_volume")
        return volume / volume[:, :1]


def read_trajectories(folder: Path, order: Sequence[str] = ()) -> tuple[Trajectories, ...]:
    """All files `simulate/*.nc` of a run folder; schedules named in `order` come first, then by file name.

    Raises
    ------
    DataError
        With every file that is not a simulation.
    """
    findings: list[Finding] = []
    found: list[Trajectories] = []
    for path in sorted(folder.glob("*.nc")):
        try:
            with xr.open_dataset(path, engine="h5netcdf") as lazy:
                data = lazy.load()
        except (OSError, ValueError, KeyError, RuntimeError):
            message, hint = "cannot be read as NetCDF-4: truncated?", "run `pkpd simulate` again"
            findings.append(Finding(code="E_NOT_NETCDF", where=str(path), message=message, hint=hint))
            continue
        missing = [dim for dim in ("time_h", "draw") if dim not in data.dims]
        if missing or "time_h" not in data.coords:
            message = f"lacks {', '.join(missing) or 'the coordinate time_h'}: these are not simulated courses"
            findings.append(Finding(code="E_DIMENSION", where=str(path), message=message))
            continue
        name = str(data.attrs.get("schedule", path.stem))
        found.append(Trajectories(schedule=name, title=str(data.attrs.get("title") or name), data=data))
    if findings:
        raise DataError(findings)
    rank = {name: index for index, name in enumerate(order)}
    return tuple(sorted(found, key=lambda each: rank.get(each.schedule, len(rank))))
