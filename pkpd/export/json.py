"""Regimen as strict JSON: courses, dated doses, verdict and provenance, for another program to read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pkpd.domain.dosing import MINUTES_PER_DAY, Course, Dose, Route, Schedule
from pkpd.domain.plain_data import from_plain, to_plain
from pkpd.errors import DataError, Finding
from pkpd.export.base import AbstractExporter, Patient, Regimen, read_text

SCHEMA = 1
KIND = "pkpd regimen"
FILE = "regimen.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedDose:
    """One administration; `mg` is None where the patient's covariate is not known."""

    day: int
    time_min: int
    drug: str
    amount: float
    basis: str
    mg: float | None
    route: Route
    duration_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Content of the file, in its order."""

    schema: int
    kind: str
    notice: str
    warnings: tuple[str, ...]
    name: str
    title: str
    verdict: str
    reasons: tuple[str, ...]
    patient: Patient
    horizon_min: int
    words: tuple[str, ...]
    courses: tuple[Course, ...]
    doses: tuple[DatedDose, ...]
    provenance: Mapping[str, str]


class JsonExporter(AbstractExporter):
    """Writes `regimen.json`; every number keeps all its digits."""

    def files(self, regimen: Regimen) -> Mapping[str, str]:
        """Courses as they were written, and each dose that they expand to."""
        schedule = regimen.schedule
        document = Document(
            schema=SCHEMA,
            kind=KIND,
            notice=regimen.notice,
            warnings=regimen.warnings,
            name=schedule.name,
            title=schedule.title,
            verdict=regimen.verdict,
            reasons=regimen.reasons,
            patient=regimen.patient,
            horizon_min=schedule.horizon_min,
            words=regimen.words,
            courses=schedule.courses,
            doses=tuple(_dated(dose, regimen.patient) for dose in schedule.doses()),
            provenance=regimen.provenance,
        )
        return {FILE: json.dumps(to_plain(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n"}

    def read(self, folder: Path) -> Schedule:
        """Rebuild the schedule from its courses, and hold it against the dated doses of the same file."""
        path = folder / FILE
        try:
            plain = json.loads(read_text(path))
        except ValueError as error:
            raise _refused(path, f"is not JSON: {error}") from error
        if not isinstance(plain, dict) or plain.get("kind") != KIND or plain.get("schema") != SCHEMA:
            raise _refused(path, f"is not a {KIND} of schema {SCHEMA}")
        document = from_plain(Document, plain, where=path.name)
        schedule = Schedule(
            name=document.name, title=document.title, horizon_min=document.horizon_min, courses=document.courses
        )
        if tuple(_dated(dose, document.patient) for dose in schedule.doses()) != document.doses:
            raise _refused(path, "the dated doses are not those of the courses: the file was edited")
        return schedule


def _dated(dose: Dose, patient: Patient) -> DatedDose:
    return DatedDose(
        day=dose.time_min // MINUTES_PER_DAY + 1,
        time_min=dose.time_min,
        drug=dose.drug,
        amount=dose.amount.value,
        basis=str(dose.amount.basis),
        mg=patient.milligrams(dose.amount),
        route=dose.route,
        duration_min=dose.duration_min,
    )


def _refused(path: Path, message: str) -> DataError:
    hint = "write it again with `pkpd export --format json`"
    return DataError(Finding(code="E_REGIMEN", where=str(path), message=message, hint=hint))
