"""Regimen as a calendar: one row per administration for a spreadsheet, and one page of text for a person."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from pkpd.domain.dosing import MINUTES_PER_DAY, MINUTES_PER_HOUR, Amount, AmountBasis, Dose, Route, Schedule
from pkpd.errors import DataError, Finding
from pkpd.export.base import (
    COMMENT,
    AbstractExporter,
    Patient,
    Regimen,
    comments,
    facts,
    horizon_of,
    patient_in_words,
    plain_number,
    read_facts,
    read_text,
    schedule_of_doses,
)

TABLE, PAGE = "calendar.csv", "calendar.md"
HEADER = (
    "cycle",
    "cycle_day",
    "study_day",
    "clock",
    "drug",
    "dose_mg",
    "dose_as_written",
    "dose_unit",
    "route",
    "duration_min",
)


class CalendarExporter(AbstractExporter):
    """Writes `calendar.csv` and `calendar.md`; days count from 1, clock times from the first dose."""

    def files(self, regimen: Regimen) -> Mapping[str, str]:
        """Comment lines first: name, horizon, patient, notice, and a warning if there is one."""
        return {TABLE: _table(regimen), PAGE: _page(regimen)}

    def read(self, folder: Path) -> Schedule:
        """Read the table; amounts are taken as written, so nothing is lost by rounding mg."""
        path = folder / TABLE
        text = read_text(path)
        lines, found = text.splitlines(), read_facts(text)
        rows = csv.DictReader(line for line in lines if not line.startswith(COMMENT))
        missing = [name for name in HEADER if name not in (rows.fieldnames or ())]
        if missing:
            message = f"lacks {', '.join(missing)}"
            hint = "write it again with `pkpd export --format calendar`"
            raise DataError(Finding(code="E_MISSING_COLUMN", where=str(path), message=message, hint=hint))
        horizon_min = horizon_of(found, path)
        first = 1 + sum(line.startswith(COMMENT) for line in lines)
        findings: list[Finding] = []
        doses = [_dose(row, f"{path.name}:{first + index}", findings) for index, row in enumerate(rows, start=1)]
        if findings:
            raise DataError(findings)
        return schedule_of_doses(
            [dose for dose in doses if dose is not None],
            name=found.get("name", path.stem),
            title=found.get("title", ""),
            horizon_min=horizon_min,
        )


def cycle_min(schedule: Schedule) -> int:
    """Length of a cycle: the longest on-and-off rhythm, else the longest time between doses; at least a day."""
    lengths = [
        course.every_min if course.on_min is None or course.off_min == 0 else course.on_min + course.off_min
        for course in schedule.courses
    ]
    return max([*lengths, MINUTES_PER_DAY])


def _table(regimen: Regimen) -> str:
    schedule = regimen.schedule
    stream = io.StringIO()
    stream.write(comments([*facts(regimen), ("cycle", f"{cycle_min(schedule) / MINUTES_PER_DAY:g} d")]))
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    length = cycle_min(schedule)
    for dose in schedule.doses():
        cycle, into = divmod(dose.time_min, length)
        day, minute = divmod(dose.time_min, MINUTES_PER_DAY)
        writer.writerow(
            (
                cycle + 1,
                into // MINUTES_PER_DAY + 1,
                day + 1,
                f"{minute // MINUTES_PER_HOUR:02d}:{minute % MINUTES_PER_HOUR:02d}",
                dose.drug,
                _milligrams(dose, regimen.patient),
                plain_number(dose.amount.value),
                dose.amount.basis,
                dose.route,
                dose.duration_min,
            )
        )
    return stream.getvalue()


def _milligrams(dose: Dose, patient: Patient) -> str:
    value = patient.milligrams(dose.amount)
    return "" if value is None else plain_number(round(value, 3))


def _page(regimen: Regimen) -> str:
    schedule = regimen.schedule
    lines = [f"# {schedule.title or schedule.name}", "", f"**{regimen.notice}**", ""]
    lines += [f"**WARNING: {warning}**" for warning in regimen.warnings] + ([""] if regimen.warnings else [])
    lines += [f"Verdict: {regimen.verdict}", ""] if regimen.verdict else []
    lines += [f"- {words}" for words in regimen.words]
    lines += [f"- patient: {patient_in_words(regimen.patient)}", ""]
    lines += ["| cycle | day | study day | administrations |", "| ---: | ---: | ---: | --- |"]
    length = cycle_min(schedule)
    by_day: dict[int, list[Dose]] = {}
    for dose in schedule.doses():
        by_day.setdefault(dose.time_min // MINUTES_PER_DAY, []).append(dose)
    for day, doses in by_day.items():
        cycle, into = divmod(doses[0].time_min, length)
        given = "; ".join(_in_words(dose, regimen.patient) for dose in doses)
        lines.append(f"| {cycle + 1} | {into // MINUTES_PER_DAY + 1} | {day + 1} | {given} |")
    return "\n".join(lines) + "\n"


def _in_words(dose: Dose, patient: Patient) -> str:
    relative = dose.amount.basis is not AmountBasis.ABSOLUTE
    mg = _milligrams(dose, patient)
    amount = f"{dose.amount} = {mg} mg" if relative and mg else str(dose.amount)
    over = f" over {dose.duration_min} min" if dose.duration_min else ""
    return f"{dose.drug} {amount} {dose.route}{over}"


def _dose(row: Mapping[str, str], where: str, findings: list[Finding]) -> Dose | None:
    try:
        hours, minutes = row["clock"].split(":")
        start = (int(row["study_day"]) - 1) * MINUTES_PER_DAY + int(hours) * MINUTES_PER_HOUR + int(minutes)
        amount = Amount(value=float(row["dose_as_written"]), basis=AmountBasis(row["dose_unit"]))
        duration = int(row["duration_min"])
        route = Route(row["route"])
    except (ValueError, AttributeError, TypeError) as error:
        findings.append(Finding(code="E_ROW", where=where, message=f"cannot be read: {error}"))
        return None
    if start < 0 or duration < 0 or not amount.value > 0.0:
        findings.append(
            Finding(code="E_ROW", where=where, message="has a negative time or an amount that is not above 0")
        )
        return None
    return Dose(drug=row["drug"], time_min=start, amount=amount, route=route, duration_min=duration)
