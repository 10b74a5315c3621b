"""Times the engine of the schedule search on the shipped space: schedules x draws x 84 days, compilation included.

`python tests/benchmarks/schedule_search.py [schedules] [draws]`; patients are drawn from the priors alone.
"""

from __future__ import annotations

import sys
import tempfile
import time

import numpy as np
from measure import report

from pkpd.io.spaces import read_space
from pkpd.simulate import Patients, evaluate
from pkpd.simulate.draws import individual_prior_draws
from pkpd.simulate.models import read_assembly


def main(count: int, draws: int) -> None:
    """Report a cold call, compilation included, and a warm one."""
    assembly = read_assembly(
        setting="human",
        drugs=("palbociclib", "cetuximab"),
        disease="pdac_patient",
        combination="senolysis",
        growth="gompertz",
        with_neutrophils=True,
    )
    rng = np.random.default_rng(0)
    patients = Patients(
        assembly=assembly,
        parameters=individual_prior_draws(assembly.parameters, count=draws, seed=0),
        weight_kg=rng.lognormal(np.log(70.0), 0.2, draws),
        surface_m2=rng.lognormal(np.log(1.8), 0.1, draws),
    )
    schedules = tuple(read_space("lead-in-84d"))[:count]
    for label in ("cold", "warm"):
        start = time.perf_counter()
        outcomes = evaluate(patients, schedules)
        seconds = time.perf_counter() - start
        report(
            "search",
            label,
            schedules=len(schedules),
            draws=draws,
            seconds=seconds,
            per_second=len(schedules) * draws / seconds,
            error=outcomes.attrs["numerical_error"],
        )


if __name__ == "__main__":
    import jax

    with tempfile.TemporaryDirectory() as empty:
        jax.config.update("jax_compilation_cache_dir", empty)  # cold means cold
        main(*(int(word) for word in [*sys.argv[1:], "5040", "256"][:2]))
