"""NONMEM-style event table to study: one row per observation or dose, all bad rows reported at once.

Values mean what NONMEM defines. What is not supported (steady state, resets, modeled rates, interval censoring) is
refused by its name: a table that is read in part gives a wrong answer without a sign of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from pkpd.domain.study import Administration, Observation, Study, Subject, build_study
from pkpd.errors import DataError, Finding, Severity
from pkpd.io.dose_rows import read_doses
from pkpd.io.layout import Columns, Layout, find_columns
from pkpd.io.observation_rows import read_observation
from pkpd.io.records import Record, RowReport, read_records
from pkpd.io.subject_rows import read_subjects
from pkpd.io.tables import read_table

_REFUSED_EVENTS = {2.0: "an event other than a dose", 3.0: "a reset", 4.0: "a reset with a dose"}


class Evid(IntEnum):
    """Kinds of rows that are read."""

    OBSERVATION = 0
    DOSE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What the rows of one table say."""

    subjects: tuple[Subject, ...]
    observations: tuple[Observation, ...]
    administrations: tuple[Administration, ...]


def read_event_table(path: Path, layout: Layout, *, name: str) -> Study:
    """Study from an event table.

    Raises
    ------
    DataError
        With every row and column that cannot be used.
    """
    findings: list[Finding] = []
    events = read_events(path, layout, findings)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if events is None or errors:
        raise DataError(findings)
    return build_study(
        name=name,
        setting=layout.setting,
        subjects=events.subjects,
        observations=events.observations,
        administrations=events.administrations,
    )


def read_events(path: Path, layout: Layout, findings: list[Finding]) -> Events | None:
    """Events of a table; bad rows are reported and left out, None where the columns cannot be understood."""
    table = read_table(path, findings)
    columns = find_columns(table, layout, findings) if table is not None else None
    if table is None or columns is None:
        return None
    report = RowReport(table, columns.names, findings)
    records = read_records(table, layout, columns, report)
    subjects = read_subjects(records, layout, columns, report)
    _report_unsorted(records, report)
    if not columns.usable:
        return None
    observations: dict[tuple[str, float, str], Observation] = {}
    administrations: dict[tuple[str, int, str, str], Administration] = {}
    first_line: dict[tuple[object, ...], int] = {}
    skipped: list[int] = []
    for record in records:
        event = _event(record, columns, report)
        if event is Evid.DOSE:
            for dose in read_doses(record, subjects[record.subject], layout, columns, report):
                key = (dose.subject, dose.time_min, dose.drug, str(dose.route))
                if _is_first(record, key, f"a dose of {dose.drug} at {dose.time_min / 60:g} h", first_line, report):
                    administrations[key] = dose
        elif event is Evid.OBSERVATION and record.given("MDV"):
            skipped.append(record.line)
        elif event is Evid.OBSERVATION:
            observation = read_observation(record, layout, columns, report)
            if observation is not None:
                key = (observation.subject, observation.time_h, observation.endpoint)
                if _is_first(record, key, f"{observation.endpoint} at this time", first_line, report):
                    observations[key] = observation
    if skipped:
        report.left_out(skipped, "marked as missing by MDV")
    return Events(
        subjects=tuple(subjects.values()),
        observations=tuple(observations.values()),
        administrations=tuple(administrations.values()),
    )


def _event(record: Record, columns: Columns, report: RowReport) -> Evid | None:
    """Kind of one row; None, with findings, where its cells contradict each other."""
    before = len(report.findings)
    line, numbers = record.line, record.numbers
    evid = numbers.get("EVID", float(record.given("AMT")))
    if record.given("SS"):
        report.refuse(line, "SS", "a dose at steady state", "write out the doses that led there, with ADDL and II")
    if evid in _REFUSED_EVENTS:
        report.refuse(line, "EVID", f"{_REFUSED_EVENTS[evid]} ({evid:g})", "only 0 (observation) and 1 (dose) are read")
    elif evid not in (0.0, 1.0):
        report.add(line, "E_EVENT", "EVID", f"{evid:g} is not a kind of event", "write 0 (observation) or 1 (dose)")
    if numbers.get("MDV", 0.0) not in (0.0, 1.0):
        report.add(line, "E_EVENT", "MDV", f"{numbers['MDV']:g} is not allowed", "write 1 where DV is missing, else 0")
    compartment = numbers.get("CMT", 0.0)
    if compartment < 0.0 or compartment != int(compartment):
        hint = "write 0 or a whole number; DRUG and ROUTE say where a dose goes"
        report.add(line, "E_EVENT", "CMT", f"{compartment:g} is not a compartment", hint)
    if evid == Evid.OBSERVATION:
        _refuse_dose_words(record, report)
    elif evid == Evid.DOSE:
        _check_dose_words(record, columns, report)
    return Evid(int(evid)) if len(report.findings) == before else None


def _refuse_dose_words(record: Record, report: RowReport) -> None:
    for name in ("AMT", "RATE", "DUR", "ADDL", "II"):
        if record.given(name):
            hint = "write EVID = 1 for a dose; an observation at the same time needs a row of its own"
            report.add(record.line, "E_EVENT", name, "is given in the row of an observation", hint)


def _check_dose_words(record: Record, columns: Columns, report: RowReport) -> None:
    amount = record.numbers.get("AMT", 0.0)
    if amount == 0.0:
        report.add(record.line, "E_EVENT", "AMT", "the dose has no amount", "write the amount, or EVID = 0")
    elif amount < 0.0:
        hint = "write the amount that was given"
        report.add(record.line, "E_NEGATIVE_DOSE", "AMT", f"{amount:g} is not an amount above zero", hint)
    if record.numbers.get("MDV") == 0.0:
        report.add(record.line, "E_EVENT", "MDV", "is 0 in the row of a dose", "write 1")
    if record.given("DV"):
        hint = "write '.'; an observation at the same time needs a row of its own"
        where = "" if "EVID" in columns.names else " (there is no EVID, so AMT makes it one)"
        report.add(record.line, "E_EVENT", "DV", f"is given in the row of a dose{where}", hint)


def _report_unsorted(records: Sequence[Record], report: RowReport) -> None:
    latest: dict[str, float] = {}
    for record in records:
        time, last = record.numbers["TIME"], latest.get(record.subject, -math.inf)
        if time < last:
            message = f"{time:g} comes after {last:g} in subject {record.subject}"
            report.add(record.line, "E_UNSORTED_TIME", "TIME", message, "sort the rows of each subject by time")
        latest[record.subject] = max(time, last)


def _is_first(
    record: Record, key: tuple[object, ...], what: str, first_line: dict[tuple[object, ...], int], report: RowReport
) -> bool:
    first = first_line.setdefault(key, record.line)
    if first == record.line:
        return True
    message = f"subject {record.subject} has {what} in line {first} too"
    report.add(record.line, "E_DUPLICATE_ROW", "", message, "keep one row; average replicates beforehand")
    return False
