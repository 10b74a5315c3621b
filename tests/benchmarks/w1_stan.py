"""Workload W1 in Stan through pystan (Python 3.12): `python w1_stan.py`; needs `pystan` and SciPy."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import stan
from measure import report
from w1_workload import (
    CHAINS,
    DOSE_MG,
    DRAWS,
    GIVEN,
    INTERVAL_H,
    SINCE_H,
    SUBJECTS,
    TIMES_H,
    WARM_UP,
    observed,
    smallest_ess,
)

CORES = 2


def main() -> None:
    """Compile, sample, report."""
    data = {
        "N": SUBJECTS * TIMES_H.size,
        "J": SUBJECTS,
        "interval": INTERVAL_H,
        "dose": DOSE_MG,
        "subject": np.repeat(np.arange(1, SUBJECTS + 1), TIMES_H.size).tolist(),
        "since": np.tile(SINCE_H, SUBJECTS).tolist(),
        "given": np.tile(GIVEN, SUBJECTS).tolist(),
        "y": observed().ravel().tolist(),
    }
    begun = time.perf_counter()
    model = stan.build(Path(__file__).with_name("w1.stan").read_text(), data=data, random_seed=1)
    built = time.perf_counter()
    fit = model.sample(num_chains=CHAINS, num_warmup=WARM_UP, num_samples=DRAWS, save_warmup=True)
    seconds = time.perf_counter() - built

    def after_warm_up(name: str) -> np.ndarray:
        values = fit[name].reshape(-1, WARM_UP + DRAWS, CHAINS)[:, WARM_UP:]
        return values.transpose(2, 1, 0)

    draws = {name: after_warm_up(name) for name in ("typical", "omega", "sigma")}
    effective = smallest_ess(draws)
    report(
        "w1",
        "Stan",
        ess_per_second=effective / seconds,
        ess=effective,
        sample_s=seconds,
        compile_s=built - begun,
        divergences=int(after_warm_up("divergent__").sum()),
        gradient_us=1e6 * CORES * seconds / float(np.sum(fit["n_leapfrog__"])),
        log_clearance=float(draws["typical"][:, :, 0].mean()),
    )


if __name__ == "__main__":
    main()
