"""Value and gradient of the log-likelihood of 48 mice over 28 days, senolysis with both drugs, on one core.

`python gradient.py FOLDER`: a process that starts with an empty cache folder compiles cold, the next one from the cache. The
study, the point and the log-likelihood there go to `FOLDER/study.json`, for an engine that shall do the same.
"""

from __future__ import annotations

import os
import sys

if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:1]))
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ["PKPD_CACHE_DIR"] = sys.argv[1]

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from measure import fastest, report

from pkpd.cache import enable_compilation_cache
from pkpd.cli.simulated_study import draw_study, study_table, write_example
from pkpd.domain.study import Analysis
from pkpd.dynamics.accuracy import ChosenGrid
from pkpd.dynamics.assembly import Assembly
from pkpd.dynamics.endpoint.continuous import Continuous
from pkpd.inference.tumor_model import constants, verified_grid
from pkpd.io.analysis import read_analysis
from pkpd.simulate.design import Design, design_of, predict_volumes
from pkpd.simulate.models import read_assembly

MICE_PER_ARM, RESIDUAL, CALLS = 12, 0.1, 200


def larger_example(folder: Path, *, mice_per_arm: int = MICE_PER_ARM) -> Analysis:
    """The quickstart's study with more mice; every second or third day to day 28."""
    truth = dataclasses.replace(write_example(folder), mice_per_arm=mice_per_arm)
    (folder / "simulated-study.csv").write_text(study_table(draw_study(truth)))
    return read_analysis(folder / "analysis.toml")


def parts_of(analysis: Analysis) -> tuple[Assembly, Design, Array, ChosenGrid]:
    """What the log-likelihood is made of."""
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
    endpoint, seen = Continuous(residual=jnp.asarray(RESIDUAL)), jnp.zeros(observed.shape, bool)

    def log_likelihood(values: dict[str, Array]) -> Array:
        values = {name: jnp.asarray(value) for name, value in constants(assembly).items()} | values
        values |= {name: values[other] for name, other in assembly.tied.items()}
        volumes = predict_volumes(assembly, design, values, grid.grid)[at, design.subject_of]
        return jnp.sum(endpoint.log_density(volumes, observed, seen))

    return jax.value_and_grad(log_likelihood), point(assembly, design)


def main(folder: Path) -> None:
    """Compile, time, report."""
    enable_compilation_cache()
    folder.mkdir(parents=True, exist_ok=True)
    analysis = larger_example(folder)
    assembly, design, observed, grid = parts_of(analysis)
    function, values = value_and_gradient(assembly, design, observed, grid)
    begun = time.perf_counter()
    lowered = jax.jit(function).lower(values)
    traced = time.perf_counter() - begun
    program = lowered.compile()
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
        of_which_tracing_s=traced,
        mice=design.subjects,
        observations=int(observed.size),
        parameters=sum(int(np.size(x)) for x in values.values()),
        steps=int(grid.grid.lengths_h.size),
        error=grid.error,
        log_likelihood=float(value),
    )
    save(folder / "study.json", analysis, assembly, values, float(value))


def save(
    path: Path, analysis: Analysis, assembly: Assembly, values: Mapping[str, Array], log_likelihood: float
) -> None:
    """The study as arrays by mouse, for a peer that counts from one."""
    data = analysis.study.data
    order = np.lexsort((data["obs_time_h"].values, data["obs_subject"].values))
    mice = data.sizes["subject"]
    doses = {mouse: {0.0: [0.0, 0.0]} for mouse in range(mice)}
    columns = ("dose_subject", "dose_time_min", "dose_drug", "dose_mg")
    for mouse, minute, drug, mg in zip(*(data[name].values.tolist() for name in columns), strict=True):
        doses[mouse].setdefault(minute / 1440.0, [0.0, 0.0])[analysis.drugs.index(drug)] += mg
    events = [(mouse, time, *doses[mouse][time]) for mouse in range(mice) for time in sorted(doses[mouse])]

    def firsts(owners: Sequence[int]) -> list[int]:
        return (np.searchsorted(owners, np.arange(mice + 1)) + 1).tolist()

    plain = {
        "M": mice,
        "N": int(order.size),
        "first": firsts(data["obs_subject"].values[order]),
        "time": (data["obs_time_h"].values[order] / 24.0).tolist(),
        "y": data["value"].values[order].tolist(),
        "E": len(events),
        "first_event": firsts([event[0] for event in events]),
        "event_time": [event[1] for event in events],
        "dose": [[event[2], event[3]] for event in events],
        "molar_mass": [float(assembly.drugs[drug].molar_mass) for drug in analysis.drugs],
        "weight": float(data["weight_kg"].values[0]),
        "residual": RESIDUAL,
    }
    content = {
        "data": plain,
        "values": {name: np.asarray(value).tolist() for name, value in values.items()},
        "known": constants(assembly),
        "log_likelihood": log_likelihood,
    }
    path.write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
