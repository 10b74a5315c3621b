"""Workload W2 by scikit-sundae's CVODE (BDF and Adams), compiled right-hand side. `python w2_cvode.py REFERENCE CORES`."""

from __future__ import annotations

import os
import sys

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:1]))

import itertools

import numba as nb
import numpy as np
from measure import fastest, report
from sksundae.cvode import CVODE
from w2_workload import (
    ANTIBODY_DAYS,
    ANTIBODY_MG,
    DAYS,
    ORAL_DAYS,
    ORAL_MG,
    PILOT,
    draws,
    errors,
    rate,
    start,
)

COUNT = 40  # a loop in Python: enough to see its rate
TOLERANCES = ((1e-4, 1e-6), (1e-5, 1e-7), (1e-6, 1e-8))
WANTED = 1e-4
EVENTS = np.unique(np.concatenate([ORAL_DAYS, ANTIBODY_DAYS, [DAYS]]))
compiled_rate = nb.njit(rate, fastmath=True)


def one(p: np.ndarray, method: str, rtol: float, atol: float) -> np.ndarray:
    """One draw from dose to dose."""
    y, found = start(p), []
    solver = CVODE(
        lambda t, y, slopes: compiled_rate(t, y, slopes, p), rtol=rtol, atol=atol, method=method, max_num_steps=20_000
    )
    for first, last in itertools.pairwise(EVENTS):
        y[0] += ORAL_MG * (first in ORAL_DAYS)
        y[3] += ANTIBODY_MG * (first in ANTIBODY_DAYS)
        # with two times the solver returns its own steps, with more the times asked for
        times = np.arange(first, last + 1.0) if last > first + 1 else np.array([first, first + 0.5, last])
        course = np.asarray(solver.solve(times, y).y)
        course = course if last > first + 1 else course[[0, 2]]
        found += [[row[5:10].sum(), row[15]] for row in course[1:]]
        y = course[-1].copy()
    return np.array(found)


def main(file: str) -> None:
    """Time every tolerance until one is accurate enough."""
    parameters, reference = draws(PILOT + COUNT)[PILOT:], np.load(file)[PILOT : PILOT + COUNT]
    for method in ("Adams", "BDF"):
        one(parameters[0], method, 1e-4, 1e-6)
        for rtol, atol in TOLERANCES:
            found = []

            def run(method=method, rtol=rtol, atol=atol, found=found) -> None:
                found[:] = [one(p, method, rtol, atol) for p in parameters]

            seconds = fastest(run, repeats=1)
            error = errors(np.array(found), reference)
            report(
                "w2",
                f"scikit-sundae CVODE {method}",
                setting=f"rtol {rtol:g}",
                cores=1,
                per_second=COUNT / seconds,
                compile_s=None,
                error=error,
            )
            if error["max"] <= WANTED:
                break


if __name__ == "__main__":
    main(sys.argv[1])
