"""A fit and its sensitivity runs in a run folder: what `pkpd fit` and the quickstart share."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pkpd.cache import enable_compilation_cache
from pkpd.cli.interruption import interruptible
from pkpd.cli.messages import tell
from pkpd.cli.options import ProgressMode
from pkpd.cli.progress import progress_of
from pkpd.cli.resolved import write_resolved
from pkpd.cli.run_folder import POSTERIOR, Entry, locked, recorded, start_run, status_of, write_text
from pkpd.domain.dosing import Amount, Course, Schedule
from pkpd.domain.population import PopulationAnalysis
from pkpd.domain.study import Analysis, Scenario, Study
from pkpd.errors import ExitCode
from pkpd.posterior import GateCheck, Posterior
from pkpd.report.fit_figures import coverage, predictive

type Progress = Callable[[int, int, str], None]

# What tells about single subjects: their values, and numbers computed for each of them.
_OF_SUBJECTS = ("observed_data", "constant_data", "log_likelihood", "posterior_predictive", "prior_predictive")
_INTERVAL = (0.05, 0.5, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitJob:
    """What to fit and how to show it.

    Attributes
    ----------
    folder
        Run folder.
    options
        As the user gave them, for the record.
    observed
        Keep the observations in the run folder.
    sensitivity
        Also fit every scenario of the analysis.
    cores
        Chains that run at the same time; None: as many as this process has cores. No result depends on it.
    """

    folder: Path
    analysis: Analysis | PopulationAnalysis
    options: Mapping[str, Any]
    observed: bool = True
    sensitivity: bool = False
    cores: int | None = None
    overwrite: bool = False
    progress: ProgressMode = ProgressMode.AUTO
    quiet: bool = False


def fit_run(job: FitJob) -> Posterior:
    """Fit an analysis into a run folder; the posterior is saved whether or not its gate passes.

    Raises
    ------
    PkpdError
        If the folder is in use or cannot be written to.
    """
    with locked(job.folder):
        start_run(job.folder, overwrite=job.overwrite)
        return _fit_into(job)


def _fit_into(job: FitJob) -> Posterior:
    analysis, folder = job.analysis, job.folder
    entry = Entry(command="pkpd fit", options=job.options, seed=analysis.options.seed, inputs=analysis.inputs)
    with recorded(folder, entry):
        from pkpd.inference import fit  # slow import: PyMC, and only once the folder is known to be usable

        enable_compilation_cache()
        write_resolved(analysis, folder, observed=job.observed)
        with entry.timed("fit_s"), progress_of("fit", job.progress, quiet=job.quiet) as update, interruptible():
            posterior = fit(analysis, options=analysis.options, progress=update, cores=_cores(job))
        if not job.observed:
            posterior = without_observations(posterior)
        posterior = replace(posterior, path=posterior.save(folder / POSTERIOR))
        entry.status = status_of(ExitCode.OK if posterior.reliable else ExitCode.NOT_CONVERGED)
        if isinstance(analysis, PopulationAnalysis) or not job.sensitivity:
            return posterior
        for scenario in analysis.scenarios:
            title = f"scenario {scenario.name}"
            with entry.timed(f"{title}, s"), progress_of(title, job.progress, quiet=job.quiet) as update:
                repeated = sensitivity_into(folder, analysis, scenario, progress=update, cores=_cores(job))
            if not repeated.reliable:
                tell(f"warning: the gate failed in the {title}; its summary says so")
    return posterior


def without_observations(posterior: Posterior) -> Posterior:
    """Leave out what was observed, what was computed for each observation, and the names of the subjects."""
    tree = posterior.tree.copy()
    for group in _OF_SUBJECTS:
        if group in tree.children:
            del tree[group]
    attributes = dict(tree.attrs)
    tree = tree.map_over_datasets(
        lambda each: (
            each.assign_coords(subject=np.arange(1, each.sizes["subject"] + 1).astype(str))
            if "subject" in each.coords
            else each
        )
    )
    tree.attrs = attributes
    return Posterior(tree=tree)


def sensitivity_into(
    folder: Path, analysis: Analysis, scenario: Scenario, *, cores: int, progress: Progress | None = None
) -> Posterior:
    """Repeat the fit with the doses of a scenario and save its summary in `sensitivity/`."""
    from pkpd.inference import fit  # slow import

    with interruptible():
        posterior = fit(with_doses_of(analysis, scenario), options=analysis.options, progress=progress, cores=cores)
    shown = predictive(posterior)
    quantiles = {name: np.quantile(posterior.values(name), _INTERVAL) for name in posterior.typical_names}
    summary = {
        "name": scenario.name if posterior.reliable else f"{scenario.name} (not converged)",
        "dose_factors": dict(scenario.dose_factors),
        "reliable": posterior.reliable,
        "parameters": {
            name: {"median": median, "lower": lower, "upper": upper, "unit": posterior.units(name)}
            for name, (lower, median, upper) in quantiles.items()
            if upper > lower
        },
        "coverage": {} if shown is None else {fit.arm: fit.coverage for fit in coverage(shown) if fit.observed},
    }
    text = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(folder / "sensitivity" / f"{slug(scenario.name)}.json", text)
    return posterior


def with_doses_of(analysis: Analysis, scenario: Scenario) -> Analysis:
    """The same analysis as if the amounts of some drugs had been multiplied."""
    factors = scenario.dose_factors
    study, data = analysis.study, analysis.study.data
    by = np.asarray([factors.get(str(drug), 1.0) for drug in data["dose_drug"].values], dtype=np.float64)
    scaled = data.assign(dose_mg=(data["dose_mg"].dims, data["dose_mg"].values * by, data["dose_mg"].attrs))
    words = ", ".join(f"{drug} times {factor:g}" for drug, factor in factors.items())
    return replace(
        analysis,
        name=f"{analysis.name}, {scenario.name}",
        study=Study(name=study.name, setting=study.setting, data=scaled),
        arms={arm: _scaled(schedule, factors) for arm, schedule in analysis.arms.items()},
        assumptions=(*analysis.assumptions, f"Sensitivity run '{scenario.name}': amounts of {words}."),
    )


def gate_lines(posterior: Posterior) -> tuple[str, ...]:
    """The diagnostics gate, one line for each check."""
    gate = posterior.gate
    head = "gate: passed" if gate.passed else "gate: FAILED, these draws are marked unreliable"
    observed = [str(line) for line in posterior.analysis.get("observed", ())]
    return (*observed, head, *(_gate_line(check) for check in gate.checks))


def slug(text: str) -> str:
    """Name of a file or folder for a name in words."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unnamed"


def _cores(job: FitJob) -> int:
    if job.cores is not None:
        return job.cores
    # What this process may use: in a container that is less than what the machine has.
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _gate_line(check: GateCheck) -> str:
    mark = "ok  " if check.passed else "FAIL"
    worst = f"  ({check.worst})" if check.worst else ""
    return f"  {mark} {check.name:<28} {check.value:9.4g}  limit {check.limit:g}{worst}"


def _scaled(schedule: Schedule, factors: Mapping[str, float]) -> Schedule:
    return replace(schedule, courses=tuple(_scaled_course(course, factors) for course in schedule.courses))


def _scaled_course(course: Course, factors: Mapping[str, float]) -> Course:
    factor = factors.get(course.drug, 1.0)
    loading = None if course.loading is None else _times(course.loading, factor)
    return replace(course, amount=_times(course.amount, factor), loading=loading)


def _times(amount: Amount, factor: float) -> Amount:
    return replace(amount, value=amount.value * factor)
