"""Times the engine of the schedule search: schedules x draws x 84 days, compilation included.

`python tests/benchmarks/schedule_search.py [schedules] [draws]`; the space is the shipped one with twice its starts of
palbociclib, 10,080 schedules, and the patients are drawn from the priors alone.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measure import report

from pkpd.domain.dosing import Schedule
from pkpd.io.schedules import schedules_folder
from pkpd.io.spaces import read_space
from pkpd.simulate import Patients, evaluate
from pkpd.simulate.draws import individual_prior_draws
from pkpd.simulate.models import read_assembly


def patients(draws: int) -> Patients:
    """Patients of the priors, without a posterior."""
    assembly = read_assembly(
        setting="human",
        drugs=("palbociclib", "cetuximab"),
        disease="pdac_patient",
        combination="senolysis",
        growth="gompertz",
        with_neutrophils=True,
    )
    rng = np.random.default_rng(0)
    return Patients(
        assembly=assembly,
        parameters=individual_prior_draws(assembly.parameters, count=draws, seed=0),
        weight_kg=rng.lognormal(np.log(70.0), 0.2, draws),
        surface_m2=rng.lognormal(np.log(1.8), 0.1, draws),
    )


def schedules() -> tuple[Schedule, ...]:
    """All 10,080 schedules of the wider space."""
    shipped = (schedules_folder() / "spaces" / "lead-in-84d.toml").read_text(encoding="utf-8")
    narrow = 'start  = { from = "0 d", to = "28 d", step = "7 d" }'
    if narrow not in shipped:
        raise SystemExit("the shipped space has changed: say how to make 10^4 schedules of it")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wide.toml"
        path.write_text(shipped.replace(narrow, narrow.replace("28 d", "63 d")), encoding="utf-8")
        return tuple(read_space(str(path)))


def main(count: int, draws: int) -> None:
    """Report a cold call, compilation included, and a warm one."""
    people, some = patients(draws), schedules()[:count]
    for label in ("cold", "warm"):
        start = time.perf_counter()
        outcomes = evaluate(people, some)
        seconds = time.perf_counter() - start
        report(
            "search",
            label,
            schedules=len(some),
            draws=draws,
            seconds=seconds,
            per_second=len(some) * draws / seconds,
            error=outcomes.attrs["numerical_error"],
        )


if __name__ == "__main__":
    import jax

    with tempfile.TemporaryDirectory() as empty:
        jax.config.update("jax_compilation_cache_dir", empty)  # cold means cold
        main(*(int(word) for word in [*sys.argv[1:], "10080", "256"][:2]))
