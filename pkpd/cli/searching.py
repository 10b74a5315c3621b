"""A search of schedules in a run folder: what `pkpd optimize` and the quickstart share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pkpd.cache import enable_compilation_cache
from pkpd.cli.messages import tell
from pkpd.cli.options import ProgressMode
from pkpd.cli.progress import progress_of
from pkpd.cli.run_folder import (
    Entry,
    locked,
    recorded,
    refuse_existing,
    require_writable,
    sha256,
    status_of,
    write_text,
)
from pkpd.cli.simulating import FOLDER, assumptions_of, course_file, remove_courses, save_courses
from pkpd.domain.dosing import Schedule
from pkpd.domain.recommendation import Recommendation
from pkpd.errors import DiagnosticsError, Finding, PkpdError
from pkpd.io.schedules import schedules_folder
from pkpd.io.spaces import read_space
from pkpd.optimize.recommend import Provenance, recommend
from pkpd.posterior import Posterior

RECOMMENDATION = "recommendation.json"
DRAWN_PATIENTS = 200  # of the bands in a report


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchJob:
    """What to search and how to show it.

    Attributes
    ----------
    posterior
        Path of `posterior.nc`.
    space
        Name or file.
    draws, fresh
        New patients that choose the finalists, and others that every reported number comes from.
    out
        Folder of the recommendation; `optimize/` beside the posterior where it is None.
    options
        As the user gave them, for the record.
    """

    posterior: Path
    space: str
    draws: int
    fresh: int
    seed: int
    disease: str
    options: Mapping[str, Any]
    out: Path | None = None
    overwrite: bool = False
    allow_unreliable: bool = False
    progress: ProgressMode = ProgressMode.AUTO
    quiet: bool = False

    @property
    def folder(self) -> Path:
        """Where the recommendation goes."""
        return self.posterior.parent / "optimize" if self.out is None else self.out


def search(job: SearchJob) -> Recommendation:
    """Rank the schedules of a space, and save the recommendation and the courses that a report draws.

    Raises
    ------
    DiagnosticsError
        If the posterior failed its gate, and that was not allowed.
    """
    space = read_space(job.space)
    posterior = Posterior.open(job.posterior)
    _require_reliable(posterior, job)
    require_writable(job.folder)
    refuse_existing(job.folder / RECOMMENDATION, overwrite=job.overwrite)
    inputs = {job.posterior.name: sha256(job.posterior), **_space_digest(job.space)}
    entry = Entry(command="pkpd optimize", options=job.options, seed=job.seed, inputs=inputs)
    with locked(job.posterior.parent), recorded(job.posterior.parent, entry):
        from pkpd.simulate import human_patients, trajectories  # slow import: JAX

        enable_compilation_cache()
        with entry.timed("patients_s"):
            chosen, fresh = (
                human_patients(posterior, count=count, seed=job.seed, disease=job.disease, purpose=purpose)
                for count, purpose in ((job.draws, "search"), (job.fresh, "report"))
            )
        provenance = Provenance(
            inputs=inputs,
            assumptions=(*assumptions_of(posterior), *chosen.assumptions),
            sources=_sources(posterior),
        )
        with entry.timed("search_s"), progress_of("optimize", job.progress, quiet=job.quiet) as update:
            found = recommend(chosen, fresh, space, seed=job.seed, progress=update, provenance=provenance)
        _forget_earlier(job)
        write_text(job.folder / RECOMMENDATION, found.to_json())
        with entry.timed("courses_s"), progress_of("courses", job.progress, quiet=job.quiet) as update:
            drawn, schedules = fresh.first(DRAWN_PATIENTS), _drawn(found)
            for done, schedule in enumerate(schedules):
                update(done, len(schedules), schedule.name)
                target = course_file(_courses_folder(job), schedule)
                if target.exists() and not job.overwrite:
                    tell(f"kept: {target}, which is not of this search")
                    continue
                courses = trajectories(drawn, schedule)
                save_courses(courses, schedule, _courses_folder(job), posterior=posterior)
            update(len(schedules), len(schedules), "")
        entry.status = status_of(found.verdict.exit_code)
    return found


def _require_reliable(posterior: Posterior, job: SearchJob) -> None:
    if posterior.reliable or job.allow_unreliable:
        return
    failed = ", ".join(f"{check.name} {check.value:.3g}" for check in posterior.gate.failed) or "a check"
    message = f"this posterior failed its diagnostics gate ({failed}); no schedule is searched on it"
    hint = "fit again with more draws, or add --allow-unreliable; the result will say so"
    raise DiagnosticsError(Finding(code="E_UNRELIABLE", where=str(job.posterior), message=message, hint=hint))


def _space_digest(space: str) -> dict[str, str]:
    path = Path(space) if Path(space).is_file() else schedules_folder() / "spaces" / f"{space}.toml"
    return {path.name: sha256(path)}


def _sources(posterior: Posterior) -> tuple[str, ...]:
    """Title and locator of each document behind the priors."""
    parts = ((str(each.get("title") or each.get("key")), str(each.get("locator") or "")) for each in posterior.sources)
    return tuple(dict.fromkeys(", ".join(filter(None, part)) for part in parts))


def _courses_folder(job: SearchJob) -> Path:
    return job.posterior.parent / FOLDER if job.out is None else job.out / FOLDER


def _drawn(found: Recommendation) -> tuple[Schedule, ...]:
    """The best schedule, else the nearest miss, and every reference."""
    top = found.best_schedule or found.nearest_miss
    rows = (*(() if top is None else (top,)), *found.references)
    return tuple({row.name: row.schedule for row in rows}.values())


def _forget_earlier(job: SearchJob) -> None:
    """An earlier search may have drawn other schedules; a report would show them beside the new ones."""
    path = job.folder / RECOMMENDATION
    if not path.is_file():
        return
    try:
        earlier = Recommendation.load(path)
    except PkpdError:
        return  # unreadable, and about to be replaced
    remove_courses([schedule.name for schedule in _drawn(earlier)], _courses_folder(job))
