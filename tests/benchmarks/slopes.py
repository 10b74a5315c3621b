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

from pkpd.domain.dosing import MINUTES_PER_DAY, Schedule
from pkpd.simulate import evaluate

DRAWS = (16, 64, 256, 1600)
SCHEDULES = (24, 96, 384, 2400)
DAYS = (7, 28, 112, 700)
MICE_PER_ARM = (2, 8, 32, 200)
FEW_SCHEDULES, FEW_DRAWS = 12, 64
FIRST_WEEK = 7 * MINUTES_PER_DAY


def slope(what: str, sizes: Sequence[int], seconds: Callable[[int], float]) -> None:
    """Time every size, report the least-squares slope of the logarithms."""
    times = [seconds(size) for size in sizes]
    found, _ = np.polyfit(np.log(sizes), np.log(times), 1)
    report("slope", what, slope=float(found), sizes=list(sizes), seconds=[float(f"{time:.3g}") for time in times])


def early() -> tuple[Schedule, ...]:
    """Schedules that give every drug in the first week: shorter horizons leave none of them without a dose."""
    return tuple(
        each for each in schedules() if all(each.doses_of(drug)[0].time_min < FIRST_WEEK for drug in each.drugs)
    )


def search_seconds(every: Sequence[Schedule], *, draws: int, count: int, days: int) -> float:
    """One call of the engine, compiled before; every nth of the schedules, cut to so many days."""
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
    few, every = early(), schedules()
    slope("draws", DRAWS, lambda size: search_seconds(few, draws=size, count=FEW_SCHEDULES, days=84))
    slope("schedules", SCHEDULES, lambda size: search_seconds(every, draws=FEW_DRAWS, count=size, days=84))
    slope("days", DAYS, lambda size: search_seconds(few, draws=FEW_DRAWS, count=FEW_SCHEDULES, days=size))
    slope("mice per arm", MICE_PER_ARM, lambda size: gradient_seconds(folder / str(size), size))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
