"""Courses over time of patients under one schedule: what figures are drawn from."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import xarray as xr

from pkpd.domain.dosing import MINUTES_PER_HOUR, Schedule
from pkpd.dynamics.timeline import Grid, build_grid
from pkpd.simulate.engine import Engine
from pkpd.simulate.evaluate import engine_for
from pkpd.simulate.patients import Patients

UNITS = {
    "tumor_volume": "mm^3",
    "senescent_volume": "mm^3",
    "rb_activation": "1",
    "occupancy": "1",
    "egfr_signal": "1",
    "neutrophils": "1e9/L",
}


def trajectories(
    patients: Patients, schedule: Schedule, *, every_h: float = 24.0, tolerance: float = 1e-4
) -> xr.Dataset:
    """Tumor, senescence, receptor occupancy, neutrophils and plasma concentrations over time.

    Parameters
    ----------
    every_h
        Distance of the times that are returned.

    Returns
    -------
    Dataset with dims (time_h, draw): `tumor_volume` and `senescent_volume` (mm^3), `rb_activation`, `occupancy` (share of EGFR
    that the antibody denies to a ligand at low concentration) and `egfr_signal` (1), `neutrophils` (1e9/L), `plasma_DRUG` (mg/L).
    """
    engine = engine_for(patients, (schedule,), tolerance=tolerance)
    times_h = np.arange(0.0, engine.horizon_h + 1e-9, every_h)
    doses_h = [dose.time_min / MINUTES_PER_HOUR for dose in schedule.doses()]
    grid = build_grid(
        np.concatenate([times_h, doses_h]),
        end_h=engine.horizon_h,
        max_step_h=engine.max_step_h,
        nodes=engine.grid.nodes,
    )
    courses = _courses(
        Engine(patients=patients, grid=grid, max_step_h=engine.max_step_h, horizon_h=engine.horizon_h),
        schedule,
        grid,
        times_h,
    )
    return xr.Dataset(
        {
            name: (("time_h", "draw"), np.asarray(values), {"units": UNITS.get(name, "mg/L")})
            for name, values in courses.items()
        },
        coords={"time_h": ("time_h", times_h, {"units": "h"})},
        attrs={"schedule": schedule.name, "title": schedule.title, "numerical_error": engine.numerical_error},
    )


def _courses(engine: Engine, schedule: Schedule, grid: Grid, times_h: np.ndarray) -> dict[str, np.ndarray]:
    at = grid.index_of(times_h)
    arms = {drug: schedule.doses_of(drug) for drug in engine.patients.assembly.drugs}
    course, neutrophils, plasma = engine.courses(arms, jnp.asarray(times_h))
    found = {
        name: np.asarray(course[name][at])
        for name in ("tumor_volume", "senescent_volume", "rb_activation", "egfr_signal")
    }
    found["occupancy"] = np.asarray(1.0 - course["unblocked_receptors"][at])
    # Drives are lines within a step; at an edge a line may leave the range of what it stands for by a little.
    found |= {name: np.clip(found[name], 0.0, 1.0) for name in ("rb_activation", "occupancy", "egfr_signal")}
    found["neutrophils"] = np.asarray(neutrophils[at])
    return found | {f"plasma_{drug}": np.asarray(values) for drug, values in plasma.items()}
