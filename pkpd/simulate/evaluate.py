"""Outcomes of many schedules for the same patients: the scheduler's engine.

A schedule is one arm per drug, and many schedules share their arms. Concentrations, drives and neutrophils are computed once per
arm; a schedule then costs one pass of the tumor model. Work goes in blocks of fixed size, so that few programs are compiled, and
the blocks run on two threads; neither changes a result.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import xarray as xr

from pkpd.domain.dosing import MINUTES_PER_DAY, MINUTES_PER_HOUR, Schedule
from pkpd.errors import Finding, SpecError
from pkpd.simulate.engine import Engine
from pkpd.simulate.patients import Patients

SCHEDULE_BLOCK = 32
_ENGINES: OrderedDict[tuple[Patients, int, frozenset[int], float], Engine] = OrderedDict()
MOST_ENGINES = 32
UNITS = {
    "tumor_final": "1",
    "tumor_minimum": "1",
    "tumor_mean_log": "1",
    "senescent_final": "1",
    "senolytic_exposure": "1",
    "neutrophil_minimum": "1e9/L",
    "neutrophil_days_below_1": "d",
}


def evaluate(
    patients: Patients,
    schedules: Sequence[Schedule],
    *,
    tolerance: float = 1e-4,
    switches: Mapping[str, float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Simulate every schedule for every patient.

    Parameters
    ----------
    schedules
        All over the same horizon.
    tolerance
        Relative error of the integrator, verified on the first patients.
    switches
        `{"senolysis": 0.0}` takes the senescence-dependent effect of EGFR blockade out of the same patients; other names are
        parameters, set to the number.
    progress
        Is told schedules done and schedules in all.

    Returns
    -------
    Dataset with dims (schedule, draw): `tumor_final`, `tumor_minimum`, `senescent_final` and `senolytic_exposure` in units of the
    initial tumor volume, `tumor_mean_log` (time mean of the logarithm of the relative volume), `neutrophil_minimum` (1e9/L),
    `neutrophil_days_below_1` (d), and `doses_given` by schedule. `attrs["numerical_error"]` is the verified relative error of
    volumes and neutrophils at the end of weeks. Minima are over the edges of the steps, days below 1 are on straight lines and
    time means are trapezoids between them: on 12 h steps against 2 h steps, 64 patients of the posterior of CR1197 had a median
    difference of 1e-6 in `tumor_mean_log`, 4e-5 in the minimum of neutrophils and 4e-3 in `senolytic_exposure` (99 %:
    3e-3, 7e-4, 5e-2).

    Raises
    ------
    SpecError
        If the horizons differ, or a drug has no model for these patients.
    """
    schedules = tuple(schedules)
    engine = engine_for(patients, schedules, tolerance=tolerance)
    values = engine.values(switches or {})
    arms = {
        drug: tuple(dict.fromkeys(schedule.doses_of(drug) for schedule in schedules))
        for drug in patients.assembly.drugs
    }
    with ThreadPoolExecutor(max_workers=workers()) as pool:
        prepared = {drug: engine.prepare(drug, found, values, pool) for drug, found in arms.items()}
        rows = {
            drug: np.asarray([arms[drug].index(schedule.doses_of(drug)) for schedule in schedules], dtype=np.int64)
            for drug in arms
        }
        blocks = [
            range(start, min(start + SCHEDULE_BLOCK, len(schedules)))
            for start in range(0, len(schedules), SCHEDULE_BLOCK)
        ]
        parts, done = [], 0
        for block, part in zip(
            blocks, pool.map(lambda b: engine.tumor(prepared, rows, b, values), blocks), strict=True
        ):
            parts.append(part)
            done += len(block)
            if progress is not None:
                progress(done, len(schedules))
    outcomes = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    outcomes |= engine.neutrophils(prepared, rows, len(schedules), values)
    found = xr.Dataset(
        {name: (("schedule", "draw"), array, {"units": UNITS[name]}) for name, array in outcomes.items()},
        coords={"schedule": [schedule.name for schedule in schedules]},
        attrs={"numerical_error": engine.numerical_error, "max_step_h": engine.max_step_h},
    )
    return found.assign(doses_given=("schedule", [len(schedule.doses()) for schedule in schedules], {"units": "1"}))


def engine_for(patients: Patients, schedules: Sequence[Schedule], *, tolerance: float) -> Engine:
    """The engine of these patients for this horizon, the last ones are kept from call to call.

    The grid is verified with the arms of the first call that have most doses.

    Raises
    ------
    SpecError
        If the horizons differ, or a drug has no model for these patients.
    """
    _refuse_unusable(patients, schedules)
    horizon_min = schedules[0].horizon_min
    starts = {dose.time_min for schedule in schedules for dose in schedule.doses()}
    odd = frozenset(time for time in starts if time % MINUTES_PER_DAY)
    key = (patients, horizon_min, odd, tolerance)
    if key not in _ENGINES:
        probes = {
            drug: max((schedule.doses_of(drug) for schedule in schedules), key=len) for drug in patients.assembly.drugs
        }
        events_min = sorted({*range(0, horizon_min, MINUTES_PER_DAY), *odd})
        _ENGINES[key] = Engine.verified(
            patients,
            horizon_h=horizon_min / MINUTES_PER_HOUR,
            event_times_h=np.asarray(events_min, dtype=np.float64) / MINUTES_PER_HOUR,
            probes=probes,
            tolerance=tolerance,
        )
    _ENGINES.move_to_end(key)
    if len(_ENGINES) > MOST_ENGINES:
        _ENGINES.popitem(last=False)
    return _ENGINES[key]


def workers() -> int:
    """Threads that simulate: two, or what `PKPD_WORKERS` says; results do not depend on it."""
    written = os.environ.get("PKPD_WORKERS", "")
    if written and not (written.isdecimal() and int(written)):
        raise SpecError(
            Finding(
                code="E_WORKERS",
                where="PKPD_WORKERS",
                message=f"{written!r} is not a number of threads",
                hint="write a whole number from 1 on, or leave it unset",
            )
        )
    return int(written) if written else min(2, os.cpu_count() or 1)


def _refuse_unusable(patients: Patients, schedules: Sequence[Schedule]) -> None:
    findings = []
    if not schedules:
        findings.append(_finding("evaluate", "there is no schedule", "give at least one"))
    if len({schedule.horizon_min for schedule in schedules}) > 1:
        findings.append(_finding("horizon", "the schedules have different horizons", "write the same horizon in all"))
    known = set(patients.assembly.drugs)
    for schedule in schedules:
        unknown = [drug for drug in schedule.drugs if drug not in known]
        if unknown:
            findings.append(
                _finding(
                    schedule.name,
                    f"it gives {', '.join(unknown)}, which the fit has no model of",
                    f"give {', '.join(sorted(known))}",
                )
            )
    if findings:
        raise SpecError(findings)


def _finding(where: str, message: str, hint: str) -> Finding:
    return Finding(code="E_SCHEDULES", where=where, message=message, hint=hint)
