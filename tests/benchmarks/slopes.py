"""How the cost grows: seconds against draws, schedules, days and subjects, and the slope on logarithmic axes (1 is linear).

`python tests/benchmarks/slopes.py FOLDER`, on one core and without compilation; FOLDER is for the simulated studies.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ["PKPD_WORKERS"] = "1"

import jax
import numpy as np
from gradient import larger_example, parts_of, value_and_gradient  # first: it keeps the process on one core
from measure import fastest, report
from schedule_search import patients, schedules

from pkpd.domain.dosing import MINUTES_PER_DAY
from pkpd.simulate import evaluate

DRAWS = (64, 256, 1024, 6400)
SCHEDULES = (96, 384, 1536, 9600)
DAYS = (7, 28, 112, 700)
MICE_PER_ARM = (2, 8, 32, 200)


def slope(what: str, sizes: Sequence[int], seconds: Callable[[int], float]) -> None:
    """Time every size, report the least-squares slope of the logarithms."""
    times = [seconds(size) for size in sizes]
    found, _ = np.polyfit(np.log(sizes), np.log(times), 1)
    report("slope", what, slope=float(found), sizes=list(sizes), seconds=[float(f"{time:.3g}") for time in times])


def search_seconds(draws: int, count: int, days: int) -> float:
    """One call of the engine, compiled before; every nth schedule of the space, cut to so many days."""
    every = schedules()
    some = every[:: len(every) // count][:count]
    cut = [dataclasses.replace(schedule, horizon_min=days * MINUTES_PER_DAY) for schedule in some]
    people = patients(draws)
    evaluate(people, cut)
    return fastest(lambda: evaluate(people, cut))


def gradient_seconds(folder: Path, mice_per_arm: int) -> float:
    """One value and gradient of the log-likelihood."""
    folder.mkdir(parents=True, exist_ok=True)
    function, values = value_and_gradient(*parts_of(larger_example(folder, mice_per_arm=mice_per_arm)))
    program = jax.jit(function).lower(values).compile()
    calls = max(2, 400 // mice_per_arm)
    return fastest(lambda: [jax.block_until_ready(program(values)) for _ in range(calls)]) / calls


def main(folder: Path) -> None:
    """Two decades in each direction."""
    slope("draws", DRAWS, lambda size: search_seconds(size, 96, 84))
    slope("schedules", SCHEDULES, lambda size: search_seconds(64, size, 84))
    slope("days", DAYS, lambda size: search_seconds(64, 96, size))
    slope("mice per arm", MICE_PER_ARM, lambda size: gradient_seconds(folder / str(size), size))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
