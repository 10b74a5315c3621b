"""Workload W1 as `pkpd fit` samples it: `python w1_pkpd.py FOLDER`, where the analysis and its table are written.

The same data, priors and residual error as in `w1.stan`, the package's own parameterization and sampler.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from measure import report
from w1_workload import (
    CHAINS,
    DOSE_MG,
    DOSES,
    DRAWS,
    INTERVAL_H,
    TARGET_ACCEPT,
    TIMES_H,
    WARM_UP,
    observed,
    smallest_ess,
)

from pkpd.inference.population_fit import population_fit
from pkpd.inference.sample import sample
from pkpd.io.population import read_population

CORES = 2
BASIS = 'basis = "assumed", source = "analyst"'
MIDDLES = {
    "clearance": "5 L/h",
    "central_volume": "40 L",
    "intercompartmental_clearance": "8 L/h",
    "peripheral_volume": "80 L",
    "absorption": "1 1/h",
}
SPREAD = ("clearance", "central_volume", "absorption")


def written(folder: Path) -> Path:
    """The analysis and its table."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["ID,TIME,AMT,EVID,II,ADDL,DV"]
    for subject, values in enumerate(np.exp(observed())):
        rows.append(f"{subject},0,{DOSE_MG},1,{INTERVAL_H},{DOSES - 1},.")
        rows += [
            f"{subject},{time_h},.,0,.,.,{value!r}" for time_h, value in zip(TIMES_H, values.tolist(), strict=True)
        ]
    (folder / "w1.csv").write_text("\n".join(rows) + "\n")
    parameters = ""
    for name, middle in MIDDLES.items():
        parameters += (
            f'[parameters.{name}]\ntypical = {{ family = "lognormal", median = "{middle}", sd = 0.5, {BASIS} }}\n'
        )
        parameters += (
            f'between = {{ family = "lognormal", prior = "halfnormal", sd = 0.5, {BASIS} }}\n'
            if name in SPREAD
            else 'between = "none"\n'
        )
    path = folder / "w1.toml"
    path.write_text(
        f"""schema = 1
name = "W1"
[study]
setting = "human"
data = "w1.csv"
[units]
TIME = "h"
AMT = "mg"
DV = "mg/L"
[observations]
endpoint = "concentration"
[model]
structure = "two_compartment_oral"
{parameters}
[error.concentration]
model = "lognormal"
residual = {{ family = "halfnormal", sd = 0.3, {BASIS} }}
[fit]
chains = {CHAINS}
tune = {WARM_UP}
draws = {DRAWS}
target_accept = {TARGET_ACCEPT}
seed = 1
[sources.analyst]
title = "Priors of the workload"
"""
    )
    return path


def main(folder: Path) -> None:
    """Build, compile, sample, report."""
    begun = time.perf_counter()
    analysis = read_population(written(folder))
    fitted = population_fit(analysis)
    ready = [time.perf_counter()]

    def tell(done: int, total: int, note: str) -> None:
        if not done:  # the last look before the first draw
            ready[0] = time.perf_counter()

    tree = sample(fitted, analysis.options, progress=tell, cores=CORES)
    ended = time.perf_counter()
    posterior, stats = tree["posterior"], tree["sample_stats"]
    spreads = [posterior[f"{name}.between"].values for name in SPREAD]
    draws = {
        "typical": np.stack([posterior[name].values for name in MIDDLES], axis=-1),
        "omega": np.stack(spreads, axis=-1),
        "sigma": posterior["concentration.residual"].values,
    }
    effective = smallest_ess(draws)
    report(
        "w1",
        "pkpd fit",
        ess_per_second=effective / (ended - ready[0]),
        ess=effective,
        sample_s=ended - ready[0],
        compile_s=ready[0] - begun,
        divergences=int(stats["diverging"].sum()),
        steps_of_a_draw=float(stats["n_steps"].mean()),
        log_clearance=float(np.log(draws["typical"][:, :, 0]).mean()),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
