"""Value and gradient of the log-likelihood of 48 mice over 28 days, senolysis with both drugs, on one core.

`python gradient.py FOLDER`: a process that starts with an empty cache folder compiles cold, the next one from the cache.
"""

from __future__ import annotations

import os
import sys

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:1]))
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ["PKPD_CACHE_DIR"] = sys.argv[1]

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from measure import fastest, report

from pkpd.cache import enable_compilation_cache
from pkpd.cli.simulated_study import draw_study, study_table, write_example
from pkpd.dynamics.accuracy import ChosenGrid
from pkpd.dynamics.assembly import Assembly
from pkpd.dynamics.endpoint.continuous import Continuous
from pkpd.inference.tumor_model import constants, verified_grid
from pkpd.io.analysis import read_analysis
from pkpd.simulate.design import Design, design_of, predict_volumes
from pkpd.simulate.models import read_assembly

MICE_PER_ARM, RESIDUAL, CALLS = 12, 0.1, 200


def study(folder: Path, *, mice_per_arm: int = MICE_PER_ARM) -> tuple[Assembly, Design, Array, ChosenGrid]:
    """The quickstart's study with more mice; every second or third day to day 28."""
    truth = dataclasses.replace(write_example(folder), mice_per_arm=mice_per_arm)
    (folder / "simulated-study.csv").write_text(study_table(draw_study(truth)))
    analysis = read_analysis(folder / "analysis.toml")
    assembly = read_assembly(
        setting=analysis.study.setting,
        drugs=analysis.drugs,
        disease=analysis.disease,
        combination=analysis.combination,
        growth=analysis.growth,
        overrides=analysis.overrides,
        sources=analysis.sources,
    )
    individual = any(assembly.parameters[name].between is not None for name in assembly.on_exposure_lanes)
    design = design_of(analysis.study, analysis.drugs, individual_exposure=individual)
    grid = verified_grid(assembly, design, tolerance=1e-4)
    return assembly, design, jnp.asarray(analysis.study.data["value"].values, dtype=float), grid


def point(assembly: Assembly, design: Design) -> dict[str, Array]:
    """Medians of the priors; what differs between mice, once per mouse."""
    found = {}
    known = constants(assembly)
    for name, prior in assembly.parameters.items():
        if not prior.tied_to and name not in known:
            value = jnp.asarray(float(prior.typical.quantile(0.5)))
            found[name] = value if prior.between is None else jnp.broadcast_to(value, (design.subjects,))
    return found


def value_and_gradient(
    assembly: Assembly, design: Design, observed: Array, grid: ChosenGrid
) -> tuple[Callable[[dict[str, Array]], tuple[Array, dict[str, Array]]], dict[str, Array]]:
    """Log-likelihood with its gradient, and a point to evaluate both at."""
    at = grid.grid.index_of(design.times_h)
    tied = {n: f"{n.partition('.')[0]}.{p.tied_to}" for n, p in assembly.parameters.items() if p.tied_to}
    endpoint, seen = Continuous(residual=jnp.asarray(RESIDUAL)), jnp.zeros(observed.shape, bool)

    def log_likelihood(values: dict[str, Array]) -> Array:
        values = {name: jnp.asarray(value) for name, value in constants(assembly).items()} | values
        values |= {name: values[other] for name, other in tied.items()}
        volumes = predict_volumes(assembly, design, values, grid.grid)[at, design.subject_of]
        return jnp.sum(endpoint.log_density(volumes, observed, seen))

    return jax.value_and_grad(log_likelihood), point(assembly, design)


def main(folder: Path) -> None:
    """Compile, time, report."""
    enable_compilation_cache()
    folder.mkdir(parents=True, exist_ok=True)
    assembly, design, observed, grid = study(folder)
    function, values = value_and_gradient(assembly, design, observed, grid)
    begun = time.perf_counter()
    program = jax.jit(function).lower(values).compile()
    compiled = time.perf_counter() - begun
    jax.block_until_ready(program(values))
    seconds = fastest(lambda: [jax.block_until_ready(program(values)) for _ in range(CALLS)]) / CALLS
    value, gradient = program(values)
    if not all(np.all(np.isfinite(x)) for x in jax.tree.leaves((value, gradient))):
        raise SystemExit("the gradient is not finite")
    report(
        "gradient",
        "pkpd",
        milliseconds=1e3 * seconds,
        compile_s=compiled,
        mice=design.subjects,
        observations=int(observed.size),
        parameters=sum(int(np.size(x)) for x in values.values()),
        steps=int(grid.grid.lengths_h.size),
        error=grid.error,
        log_likelihood=float(value),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
