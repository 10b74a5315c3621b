"""Workload W2 by numbalsoda: LSODA and DOP853 in compiled loops. `python w2_numbalsoda.py REFERENCE CORES`."""

from __future__ import annotations

import os
import sys

CORES = int(sys.argv[2])
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))

import numba as nb  # noqa: E402
import numpy as np  # noqa: E402
from measure import fastest, report  # noqa: E402
from numbalsoda import dop853, lsoda, lsoda_sig  # noqa: E402
from w2_workload import (  # noqa: E402
    ANTIBODY_DAYS,
    ANTIBODY_MG,
    DAYS,
    HELD_OUT,
    ORAL_DAYS,
    ORAL_MG,
    PILOT,
    STATES,
    draws,
    errors,
    rate,
)

TOLERANCES = ((1e-3, 1e-5), (1e-4, 1e-6), (1e-5, 1e-7), (1e-6, 1e-8))
WANTED = 1e-4
COUNT = PILOT + HELD_OUT
ORAL = np.isin(np.arange(DAYS + 1), ORAL_DAYS) * ORAL_MG
ANTIBODY = np.isin(np.arange(DAYS + 1), ANTIBODY_DAYS) * ANTIBODY_MG
EVENTS = np.unique(np.concatenate([ORAL_DAYS, ANTIBODY_DAYS, [DAYS]])).astype(np.int64)
compiled_rate = nb.njit(rate, fastmath=True)


@nb.cfunc(lsoda_sig)
def right_hand_side(t, y, d, p):
    compiled_rate(t, y, d, p)


def loop(solver):
    """Every draw from dose to dose, all compiled."""
    address = right_hand_side.address

    @nb.njit(parallel=True)
    def run(parameters, rtol, atol, found):
        for i in nb.prange(parameters.shape[0]):
            p = parameters[i]
            y = np.zeros(STATES)
            y[5] = p[21]
            y[11:16] = p[24]
            for e in range(len(EVENTS) - 1):
                first, last = EVENTS[e], EVENTS[e + 1]
                y[0] += ORAL[first]
                y[3] += ANTIBODY[first]
                course, _ = solver(address, y, np.arange(first, last + 1).astype(np.float64), p, rtol, atol)
                for day in range(first + 1, last + 1):
                    row = course[day - first]
                    found[i, day - 1, 0] = row[5] + row[6] + row[7] + row[8] + row[9]
                    found[i, day - 1, 1] = row[15]
                y = course[-1].copy()

    return run


def main(file: str) -> None:
    """Time every tolerance until one is accurate enough."""
    nb.set_num_threads(CORES)
    parameters, reference = draws(COUNT), np.load(file)
    for name, solver in (("numbalsoda DOP853", dop853), ("numbalsoda LSODA", lsoda)):
        run = loop(solver)
        found = np.zeros((COUNT, DAYS, 2))
        run(parameters[:2], 1e-4, 1e-6, found)
        for rtol, atol in TOLERANCES:
            seconds = fastest(lambda run=run, r=rtol, a=atol, found=found: run(parameters, r, a, found), repeats=2)
            error = errors(found[PILOT:], reference[PILOT:])
            report(
                "w2",
                name,
                setting=f"rtol {rtol:g}",
                cores=CORES,
                per_second=COUNT / seconds,
                compile_s=None,
                error=error,
            )
            if error["max"] <= WANTED:
                break


if __name__ == "__main__":
    main(sys.argv[1])
