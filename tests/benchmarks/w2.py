"""Workload W2 in `pkpd`: trajectories per second and error on held-out draws, on one core and on two.

`python w2.py REFERENCE CORES`: steps and nodes are chosen by the package on pilot draws, errors are those of the others.
"""

from __future__ import annotations

import os
import sys

CORES = int(sys.argv[2])
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false --xla_cpu_prefer_vector_width=512")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:CORES]))

import time  # noqa: E402
from concurrent.futures import ThreadPoolExecutor  # noqa: E402

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from measure import fastest, report  # noqa: E402
from w2_model import HOURS_PER_DAY, simulator  # noqa: E402
from w2_workload import DAYS, HELD_OUT, NAMES, PILOT, draws, errors  # noqa: E402

from pkpd.dynamics.accuracy import choose_grid  # noqa: E402
from pkpd.dynamics.timeline import Grid  # noqa: E402

# A block of draws whose concentrations stay in the second-level cache.
BLOCK, COUNT, TOLERANCE = 100, 10_000, 1e-4
LADDER = ((12.0, 8), (8.0, 8), (6.0, 8), (4.0, 8), (3.0, 12))


def main(file: str) -> None:
    """Choose steps, time, compare."""
    parameters = draws(COUNT).T
    pilot = jnp.asarray(parameters[:, :PILOT])

    def simulate(grid: Grid) -> jax.Array:
        return jnp.reshape(jax.jit(simulator(grid))(pilot), (-1, PILOT))

    chosen = choose_grid(
        simulate,
        event_times_h=HOURS_PER_DAY * np.arange(DAYS + 1),
        end_h=HOURS_PER_DAY * DAYS,
        tolerance=TOLERANCE,
        ladder=LADDER,
    )
    begun = time.perf_counter()
    program = jax.jit(simulator(chosen.grid)).lower(jnp.zeros((len(NAMES), BLOCK))).compile()
    compiled = time.perf_counter() - begun
    blocks = [jnp.asarray(parameters[:, at : at + BLOCK]) for at in range(0, COUNT, BLOCK)]
    with ThreadPoolExecutor(CORES) as pool:

        def run() -> list[jax.Array]:
            return list(pool.map(lambda block: jax.block_until_ready(program(block)), blocks))

        seconds = fastest(run, repeats=5)
        found = np.concatenate([np.asarray(part) for part in run()], axis=2).transpose(2, 1, 0)
    held_out = slice(PILOT, PILOT + HELD_OUT)
    report(
        "w2",
        "pkpd",
        setting=f"{chosen.max_step_h:g} h, {chosen.grid.nodes} nodes",
        cores=CORES,
        per_second=COUNT / seconds,
        compile_s=compiled,
        error=errors(found[held_out], np.load(file)[held_out]),
        estimated_error=chosen.error,
    )


if __name__ == "__main__":
    main(sys.argv[1])
