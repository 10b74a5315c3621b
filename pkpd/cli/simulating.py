"""Simulated courses, as files and as a few numbers: what `pkpd simulate` and `pkpd optimize` share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from pkpd.cli.run_folder import require_writable
from pkpd.domain.dosing import MINUTES_PER_DAY, Schedule
from pkpd.posterior import Posterior

_INTERVAL = (0.05, 0.5, 0.95)
FOLDER = "simulate"


def save_courses(courses: xr.Dataset, schedule: Schedule, folder: Path, *, posterior: Posterior) -> Path:
    """Write the courses of one schedule as NetCDF-4, with the name that a report finds them by.

    Raises
    ------
    PkpdError
        If the folder cannot be written to.
    """
    require_writable(folder)
    named = courses.assign_attrs(
        schedule=schedule.name,
        title=schedule.title or schedule.name,
        reliable=int(posterior.reliable),
        assumptions="\n".join(assumptions_of(posterior)),
    )
    target = course_file(folder, schedule)
    partial = target.with_name(f".{target.name}.partial")
    # Single precision keeps seven digits, far more than draws deserve, in half of the room.
    encoding = {str(name): {"zlib": True, "dtype": "float32"} for name in named.data_vars}
    named.to_netcdf(partial, engine="h5netcdf", encoding=encoding)
    os.replace(partial, target)
    return target


def course_file(folder: Path, schedule: Schedule) -> Path:
    """Where the courses of a schedule are kept."""
    return folder / f"{schedule.name}.nc"


def assumptions_of(posterior: Posterior) -> tuple[str, ...]:
    """Sentences that travel with everything that comes from a posterior; a failed gate is one of them."""
    stated = tuple(str(each) for each in posterior.analysis.get("assumptions", ()))
    if posterior.reliable:
        return stated
    failed = ", ".join(check.name for check in posterior.gate.failed) or "a check"
    return (f"UNRELIABLE: the posterior failed its diagnostics gate ({failed}).", *stated)


def course_lines(courses: xr.Dataset, schedule: Schedule) -> tuple[str, ...]:
    """Median and 90 % interval over patients of what a reader asks first."""
    lines = [f"{schedule.title or schedule.name}: {courses.sizes['draw']} patients, {_days(schedule)}"]
    if "tumor_volume" in courses:
        volume = courses["tumor_volume"].transpose("draw", "time_h").values
        relative = volume / volume[:, :1]
        lines.append(_line("tumor volume at the end, of its start", relative[:, -1], ""))
        lines.append(_line("smallest tumor volume, of its start", relative.min(axis=1), ""))
    if "neutrophils" in courses:
        lowest = courses["neutrophils"].transpose("draw", "time_h").values.min(axis=1)
        lines.append(_line("lowest neutrophils", lowest, str(courses["neutrophils"].attrs.get("units", ""))))
    for name in sorted(str(each) for each in courses.data_vars if str(each).startswith("plasma_")):
        highest = courses[name].transpose("draw", "time_h").values.max(axis=1)
        drug, unit = name.removeprefix("plasma_"), str(courses[name].attrs.get("units", ""))
        lines.append(_line(f"highest {drug} in plasma", highest, unit))
    return tuple(lines)


def remove_courses(names: Sequence[str], folder: Path) -> None:
    """Take away the courses of an earlier search, so that no report mixes two searches."""
    for name in names:
        (folder / f"{name}.nc").unlink(missing_ok=True)


def _days(schedule: Schedule) -> str:
    return f"{schedule.horizon_min / MINUTES_PER_DAY:g} d"


def _line(what: str, values: np.ndarray, unit: str) -> str:
    low, median, high = np.quantile(values, _INTERVAL)
    return f"  {what:<40} {median:8.3g}  (90 %: {low:.3g} to {high:.3g}){f' {unit}' if unit else ''}"
