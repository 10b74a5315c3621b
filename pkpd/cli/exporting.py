"""Hands over a schedule of a recommendation: what `pkpd export` and the quickstart share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pkpd.cli.messages import tell
from pkpd.cli.run_folder import POSTERIOR, Entry, recorded, sha256
from pkpd.domain.recommendation import Recommendation
from pkpd.errors import ExitCode, Finding, PkpdError
from pkpd.export import Patient, export_schedule
from pkpd.posterior import Posterior


class ChangedInputError(PkpdError):
    """A result does not belong to the file that it says it was computed from."""

    exit_code: ClassVar[ExitCode] = ExitCode.MISMATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """What to hand over.

    Attributes
    ----------
    recommendation
        Path of `recommendation.json`, or the run folder that holds it.
    which
        Rank, or name of a scored schedule.
    out
        Folder; `export/` of the run where it is None.
    options
        As the user gave them, for the record.
    """

    recommendation: Path
    format: str
    which: str
    patient: Patient
    options: Mapping[str, Any]
    out: Path | None = None
    allow_unreliable: bool = False


def export_run(job: ExportJob) -> tuple[Path, ...]:
    """Write one schedule in one format.

    Raises
    ------
    ChangedInputError
        If the posterior of the run is not the one that was searched.
    PkpdError
        Whatever `export_schedule` refuses.
    """
    path = _located(job.recommendation)
    recommendation = Recommendation.load(path)
    run = path.parent.parent if path.parent.name == "optimize" else path.parent
    posterior = _posterior(run, recommendation)
    entry = Entry(command="pkpd export", options=job.options, seed=None, inputs={path.name: sha256(path)})
    with recorded(run, entry):
        return export_schedule(
            recommendation,
            run / "export" if job.out is None else job.out,
            format=job.format,
            which=int(job.which) if job.which.isdecimal() else job.which,
            patient=job.patient,
            posterior=posterior,
            allow_unreliable=job.allow_unreliable,
        )


def _located(given: Path) -> Path:
    places = (given / "optimize" / "recommendation.json", given / "recommendation.json")
    return next((path for path in places if path.is_file()), places[0]) if given.is_dir() else given


def _posterior(run: Path, recommendation: Recommendation) -> Posterior | None:
    path = run / POSTERIOR
    if not path.is_file():
        tell(f"warning: there is no {POSTERIOR} in {run}: whether its diagnostics gate passed is not known")
        return None
    searched = recommendation.inputs.get(POSTERIOR)
    if searched is not None and searched != sha256(path):
        message = "is not the posterior that was searched: its sha256 differs from the one in the recommendation"
        hint = "run `pkpd optimize` again"
        raise ChangedInputError(Finding(code="E_CHANGED", where=str(path), message=message, hint=hint))
    return Posterior.open(path)
