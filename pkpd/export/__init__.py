"""Hands a schedule over: `export_schedule` writes it in a registered format, `read_exported` reads it back."""

from __future__ import annotations

from pathlib import Path

from pkpd.domain.dosing import Schedule
from pkpd.domain.recommendation import RankedSchedule, Recommendation
from pkpd.errors import Finding, PkpdError, SpecError
from pkpd.export.base import AbstractExporter, Patient, Regimen
from pkpd.export.permission import NotRecommendedError, permit
from pkpd.posterior import Posterior
from pkpd.registry import Registry

EXPORTERS = Registry("pkpd.exporters", AbstractExporter)

__all__ = [
    "EXPORTERS",
    "AbstractExporter",
    "NotRecommendedError",
    "Patient",
    "Regimen",
    "export_schedule",
    "read_exported",
    "regimen_of",
]


def export_schedule(
    recommendation: Recommendation,
    folder: Path | str,
    *,
    format: str = "json",  # noqa: A002
    which: int | str = 1,
    patient: Patient | None = None,
    posterior: Posterior | None = None,
    allow_unreliable: bool = False,
) -> tuple[Path, ...]:
    """Write one schedule of a recommendation into a folder and return the files.

    Parameters
    ----------
    format
        Registered name: `nonmem`, `calendar` or `json`.
    which
        Rank among the candidates, or the name of any scored schedule.
    patient
        Covariates that turn mg/kg and mg/m2 into mg.
    posterior
        Fit that the search used; if it failed its gate, the schedule is refused.
    allow_unreliable
        Write nevertheless, and record the reason in the files.

    Raises
    ------
    DiagnosticsError, InfeasibleError, NotRecommendedError
        If the schedule must not leave without being asked for explicitly.
    DataError
        If a dose needs a covariate that is not known.
    SpecError
        If there is no such format or schedule.
    PkpdError
        If the folder cannot be written to.
    """
    exporter = EXPORTERS.get(format, where="--format")()
    regimen = regimen_of(recommendation, which, patient=patient, posterior=posterior, allow_unreliable=allow_unreliable)
    texts = exporter.files(regimen)
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (target / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        message = f"the export could not be written ({error.strerror or error})"
        raise PkpdError(Finding(code="E_NOT_WRITABLE", where=str(target), message=message)) from error
    return tuple(target / name for name in texts)


def read_exported(folder: Path | str, *, format: str = "json") -> Schedule:  # noqa: A002
    """Schedule that an export of this format in this folder describes.

    Raises
    ------
    DataError
        With everything that cannot be used.
    """
    return EXPORTERS.get(format, where="--format")().read(Path(folder))


def regimen_of(
    recommendation: Recommendation,
    which: int | str = 1,
    *,
    patient: Patient | None = None,
    posterior: Posterior | None = None,
    allow_unreliable: bool = False,
) -> Regimen:
    """Choose a schedule and gather what must travel with it; raises as `export_schedule` does."""
    chosen = _chosen(recommendation, which)
    warnings = permit(recommendation, chosen, posterior, allow_unreliable=allow_unreliable)
    provenance = {
        "pkpd_version": recommendation.pkpd_version,
        "seed": str(recommendation.seed),
        "space": recommendation.space,
        **{f"sha256 {Path(name).name}": digest for name, digest in recommendation.inputs.items()},
    }
    return Regimen(
        schedule=chosen.schedule,
        patient=Patient() if patient is None else patient,
        verdict=str(recommendation.verdict),
        reasons=recommendation.reasons,
        words=chosen.words,
        warnings=warnings,
        provenance=provenance,
    )


def _chosen(recommendation: Recommendation, which: int | str) -> RankedSchedule:
    if isinstance(which, str):
        try:
            return recommendation[which]
        except KeyError:
            groups = (recommendation.ranking, recommendation.references, recommendation.controls)
            names = ", ".join(ranked.name for group in groups for ranked in group)
            raise _unknown(which, f"scored are {names}") from None
    for ranked in recommendation.ranking:
        if ranked.rank == which:
            return ranked
    if which == 1 and recommendation.nearest_miss is not None:
        return recommendation.nearest_miss
    raise _unknown(f"rank {which}", f"{len(recommendation.ranking)} schedules are ranked")


def _unknown(which: str, hint: str) -> SpecError:
    message = "there is no such schedule in the recommendation"
    return SpecError(Finding(code="E_UNKNOWN_SCHEDULE", where=which, message=message, hint=hint))
