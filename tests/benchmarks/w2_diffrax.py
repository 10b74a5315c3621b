"""Workload W2 by diffrax Tsit5, draws side by side. `python w2_diffrax.py REFERENCE CORES` (one core)."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false --xla_cpu_prefer_vector_width=512")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:1]))

import time

import diffrax
import jax
import numpy as np
from measure import fastest, report
from w2_reference import by_diffrax
from w2_workload import PILOT, draws, errors

COUNT = 200
TOLERANCES = ((1e-4, 1e-6), (1e-5, 1e-7), (1e-6, 1e-8))
WANTED = 1e-4


def main(file: str) -> None:
    """Time every tolerance until one is accurate enough."""
    parameters, reference = draws(PILOT + COUNT)[PILOT:], np.load(file)[PILOT : PILOT + COUNT]
    for rtol, atol in TOLERANCES:
        begun = time.perf_counter()
        solve = by_diffrax(parameters, diffrax.Tsit5(), rtol, atol)
        compiled = time.perf_counter() - begun
        seconds = fastest(lambda solve=solve: jax.block_until_ready(solve(parameters)), repeats=2)
        error = errors(np.asarray(solve(parameters)), reference)
        report(
            "w2",
            "diffrax Tsit5",
            setting=f"rtol {rtol:g}",
            cores=1,
            per_second=COUNT / seconds,
            compile_s=compiled,
            error=error,
        )
        if error["max"] <= WANTED:
            break


if __name__ == "__main__":
    main(sys.argv[1])
