"""Workload W1 in plain PyMC under nutpie (PyTensor, numba): `python w1_pymc.py`."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from measure import report
from w1_workload import CHAINS, DRAWS, SUBJECTS, TARGET_ACCEPT, TYPICAL, WARM_UP, concentration, observed, smallest_ess

CORES = 2


def compiled() -> Any:
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
        clearance, volume, exchange, beyond, absorption = (pt.exp(logs[i])[:, None] for i in range(5))
        mean = pt.log(concentration(clearance, volume, exchange, beyond, absorption, xp=pt))
        pm.Normal("y", mean, sigma, observed=observed())
    return nutpie.compile_pymc_model(model, backend="numba")


def main() -> None:
    """Compile, sample, report."""
    import nutpie

    begun = time.perf_counter()
    program = compiled()
    ready = time.perf_counter()
    tree = nutpie.sample(
        program,
        draws=DRAWS,
        tune=WARM_UP,
        chains=CHAINS,
        cores=CORES,
        seed=1,
        target_accept=TARGET_ACCEPT,
        progress_bar=False,
        save_warmup=True,
    )
    seconds = time.perf_counter() - ready
    steps = sum(int(tree[group]["n_steps"].sum()) for group in ("sample_stats", "warmup_sample_stats"))
    draws = {name: tree["posterior"][name].values for name in ("typical", "omega", "sigma")}
    effective = smallest_ess(draws)
    report(
        "w1",
        "PyMC + nutpie (numba)",
        ess_per_second=effective / seconds,
        ess=effective,
        sample_s=seconds,
        compile_s=ready - begun,
        divergences=int(tree["sample_stats"]["diverging"].sum()),
        gradient_us=1e6 * CORES * seconds / steps,
        log_clearance=float(draws["typical"][:, :, 0].mean()),
    )


if __name__ == "__main__":
    main()
