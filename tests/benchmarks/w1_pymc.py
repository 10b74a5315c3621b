"""Workload W1 under nutpie: `python w1_pymc.py pkpd` (closed-form PK of the package, JAX) or `plain` (PyTensor, numba).

Chains of the package run in processes, one a core, as its own sampler runs them; those of numba run in threads, which it can.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from w1_workload import CHAINS, DOSE_MG, DOSES, DRAWS, INTERVAL_H, SUBJECTS, TIMES_H, TYPICAL, WARM_UP, observed

CORES, POPULATION = 2, ("typical", "omega", "sigma")
_kept: dict[str, Any] = {}


def predicted_by_package(logs: Any) -> Any:
    """Log-concentration `[subject, time]` from log-parameters `[5, subject]`, through the seam of the package."""
    import jax.numpy as jnp
    from pytensor.link.jax.ops import wrap_jax

    from pkpd.dynamics.base import DoseTable
    from pkpd.dynamics.pk.two_compartment_oral import TwoCompartmentOral

    doses = DoseTable(
        time_h=INTERVAL_H * np.arange(DOSES),
        amount_mg=np.full((DOSES, 1), DOSE_MG),
        duration_h=np.zeros(DOSES),
        absorbed=np.ones(DOSES),
        end_h=float(TIMES_H[-1]),
        all_absorbed=True,
        none_infused=True,
    )

    def predict(logs: Any) -> Any:
        clearance, volume, exchange, beyond, absorption = jnp.exp(logs)
        model = TwoCompartmentOral(
            clearance=clearance,
            central_volume=volume,
            intercompartmental_clearance=exchange,
            peripheral_volume=beyond,
            absorption=absorption,
            lag=0.0,
        )
        return jnp.log(model.concentration(doses, TIMES_H)).T

    return wrap_jax(predict)(logs)


def predicted_plainly(logs: Any) -> Any:
    """The same in PyTensor."""
    import pytensor.tensor as pt
    from w1_workload import concentration

    clearance, volume, exchange, beyond, absorption = (pt.exp(logs[i])[:, None] for i in range(5))
    return pt.log(concentration(clearance, volume, exchange, beyond, absorption, xp=pt))


def compiled(kind: str) -> Any:
    """The hierarchical model, compiled by nutpie."""
    import nutpie
    import pymc as pm
    import pytensor.tensor as pt

    warnings.simplefilter("ignore")
    with pm.Model() as model:
        typical = pm.Normal("typical", np.log([5.0, 40.0, 8.0, 80.0, 1.0]), 0.5, shape=TYPICAL.size)
        omega = pm.HalfNormal("omega", 0.5, shape=3)
        sigma = pm.HalfNormal("sigma", 0.3)
        deviates = pm.Normal("eta", 0.0, 1.0, shape=(3, SUBJECTS))
        varied = omega[:, None] * deviates
        same = pt.zeros(SUBJECTS)
        logs = typical[:, None] + pt.stack([varied[0], varied[1], same, same, varied[2]])
        mean = predicted_by_package(logs) if kind == "pkpd" else predicted_plainly(logs)
        pm.Normal("y", mean, sigma, observed=observed())
    if kind == "pkpd":
        return nutpie.compile_pymc_model(model, backend="jax", gradient_backend="jax")
    return nutpie.compile_pymc_model(model, backend="numba")


def sampled(program: Any, *, chains: int, cores: int, seed: int) -> tuple[dict[str, np.ndarray], int, int]:
    """Draws of the population, divergences, gradient evaluations."""
    import nutpie

    tree = nutpie.sample(
        program, draws=DRAWS, tune=WARM_UP, chains=chains, cores=cores, seed=seed, progress_bar=False, save_warmup=True
    )
    steps = sum(int(tree[group]["n_steps"].sum()) for group in ("sample_stats", "warmup_sample_stats"))
    divergent = int(tree["sample_stats"]["diverging"].sum())
    return {name: tree["posterior"][name].values for name in POPULATION}, divergent, steps


def start(turn: Any) -> None:
    """A process for chains of the package: a core of its own, one compilation."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    with turn.get_lock():
        mine, turn.value = turn.value, turn.value + 1
    if hasattr(os, "sched_setaffinity"):
        free = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {free[mine % len(free)]})
    _kept["program"] = compiled("pkpd")


def ready(_: int) -> None:
    """Compile by a few draws, and wait until the other process does the same."""
    import nutpie

    nutpie.sample(_kept["program"], draws=5, tune=5, chains=1, cores=1, seed=1, progress_bar=False)
    time.sleep(0.5)


def chain(seed: int) -> tuple[dict[str, np.ndarray], int, int]:
    """One chain in a process that `start` prepared."""
    return sampled(_kept["program"], chains=1, cores=1, seed=seed)


def main(kind: str) -> None:
    """Compile, sample, report."""
    from measure import report
    from w1_workload import smallest_ess

    begun = time.perf_counter()
    if kind == "pkpd":
        context = multiprocessing.get_context("spawn")
        turn = context.Value("q", 0)
        with ProcessPoolExecutor(CORES, mp_context=context, initializer=start, initargs=(turn,)) as pool:
            list(pool.map(ready, range(CORES)))
            ready_at = time.perf_counter()
            parts = list(pool.map(chain, range(CHAINS)))
            ended = time.perf_counter()
    else:
        program = compiled(kind)
        ready_at = time.perf_counter()
        parts = [sampled(program, chains=CHAINS, cores=CORES, seed=1)]
        ended = time.perf_counter()
    draws = {name: np.concatenate([part[0][name] for part in parts]) for name in POPULATION}
    seconds, effective, steps = ended - ready_at, smallest_ess(draws), sum(part[2] for part in parts)
    report(
        "w1",
        {"pkpd": "pkpd closed form, nutpie (JAX)", "plain": "PyMC + nutpie (numba)"}[kind],
        ess_per_second=effective / seconds,
        ess=effective,
        sample_s=seconds,
        compile_s=ready_at - begun,
        divergences=sum(part[1] for part in parts),
        gradient_us=1e6 * CORES * seconds / steps,
        log_clearance=float(draws["typical"][:, :, 0].mean()),
    )


if __name__ == "__main__":
    main(sys.argv[1])
