"""Rows of an event table with their numbers read; a row with a cell that cannot be read is reported and left out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pkpd.errors import Finding, Severity
from pkpd.io.layout import Columns, Layout
from pkpd.io.tables import Row, Table

NUMBER_COLUMNS = (
    "TIME",
    "DV",
    "AMT",
    "EVID",
    "CMT",
    "MDV",
    "RATE",
    "DUR",
    "II",
    "ADDL",
    "SS",
    "CENS",
    "LIMIT",
    "LLOQ",
    "WT",
    "BSA",
)
TEXT_COLUMNS = ("ARM", "DVID", "DRUG", "ROUTE")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?")
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_WHOLE_MINUTE_TOLERANCE = 0.01  # tables print times and rates with few digits
_LINES_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of one subject; values are in the units of the file, and missing ones are absent.

    Attributes
    ----------
    numbers, words
        By standard name.
    """

    line: int
    subject: str
    numbers: Mapping[str, float]
    words: Mapping[str, str]

    def given(self, name: str) -> bool:
        """Whether a number is there and is not zero."""
        return self.numbers.get(name, 0.0) != 0.0


class RowReport:
    """Findings about one table: each says the line, the standard name of the column and the name in the file."""

    def __init__(self, table: Table, names: Mapping[str, str], findings: list[Finding]) -> None:
        self.table = table
        self.names = names
        self.findings = findings

    def add(self, line: int, code: str, name: str, message: str, hint: str = "") -> None:
        """Add an error about one cell, or about the row where `name` is empty."""
        column = self.names.get(name, name)
        start = "" if not name else f"{name}: " if column == name else f"{name} ('{column}'): "
        self.findings.append(Finding(code=code, where=self.table.where(line), message=start + message, hint=hint))

    def refuse(self, line: int, name: str, feature: str, hint: str) -> None:
        """Add an error about a feature of event tables that is not supported."""
        self.add(line, "E_UNSUPPORTED", name, f"{feature}: not supported", hint)

    def left_out(self, lines: list[int], reason: str) -> None:
        """Add a warning about rows that the table or the analysis says to leave out."""
        shown = ", ".join(str(line) for line in lines[:_LINES_SHOWN]) + (", ..." if len(lines) > _LINES_SHOWN else "")
        self.findings.append(
            Finding(
                code="W_ROWS_LEFT_OUT",
                where=self.table.where(lines[0]),
                message=f"{len(lines)} {'row is' if len(lines) == 1 else 'rows are'} left out, {reason}: line {shown}",
                severity=Severity.WARNING,
            )
        )

    def whole_minutes(self, line: int, name: str, minutes: float) -> int | None:
        """Minutes as an integer; None, with a finding, where they are not whole."""
        whole = round(minutes)
        if abs(minutes - whole) <= _WHOLE_MINUTE_TOLERANCE:
            return whole
        hint = "doses start and last whole minutes; write the time with more digits"
        self.add(line, "E_EVENT", name, f"gives {minutes:g} minutes", hint)
        return None


def read_records(table: Table, layout: Layout, columns: Columns, report: RowReport) -> list[Record]:
    """Every row that can be read and is not left out on purpose, in the order of the file."""
    records: list[Record] = []
    left_out: dict[str, list[int]] = {}
    for row in table.rows:
        words = {
            name: row.cells[column] for name, column in columns.names.items() if column in row.cells
        }  # every cell that is there, by standard name
        reason = _reason_to_leave_out(words, layout)
        if reason:
            left_out.setdefault(reason, []).append(row.line)
            continue
        record = _read_record(row, words, columns, report)
        if record is not None:
            records.append(record)
    for reason, lines in left_out.items():
        report.left_out(lines, reason)
    return records


def _reason_to_leave_out(words: Mapping[str, str], layout: Layout) -> str:
    if "C" in words:
        return "marked in the column C"
    if words.get("DVID") in layout.ignored_observations:
        return f"because '{words['DVID']}' is in [ignore] observations"
    return ""


def _read_record(row: Row, words: Mapping[str, str], columns: Columns, report: RowReport) -> Record | None:
    before = len(report.findings)
    required = ("ID", "TIME", *(name for name in ("ARM", "EVID") if name in columns.names))
    for name in required:
        if name not in words:
            report.add(row.line, "E_MISSING_VALUE", name, "is missing", f"every row needs a value of {name}")
    numbers: dict[str, float] = {}
    for name in NUMBER_COLUMNS:
        if name in words:
            value = _number(row.line, name, words[name], report)
            if value is not None:
                numbers[name] = value
    if numbers.get("TIME", 0.0) < 0.0:
        hint = "count the time of each subject from its first row"
        report.refuse(row.line, "TIME", f"{numbers['TIME']:g} is negative, a time before the start", hint)
    if len(report.findings) > before:
        return None
    texts = {name: words[name] for name in TEXT_COLUMNS if name in words}
    return Record(line=row.line, subject=words["ID"], numbers=numbers, words=texts)


def _number(line: int, name: str, text: str, report: RowReport) -> float | None:
    if _NUMBER.fullmatch(text):
        value = float(re.sub("[dD]", "e", text))
        if math.isfinite(value):
            return value
    if _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        hint = "write '.' for a missing value" + (", with 1 in a column MDV" if name == "DV" else "")
        report.add(line, "E_NOT_FINITE", name, f"'{text}' is not a finite number", hint)
    else:
        hint = "write a decimal point" if _DECIMAL_COMMA.fullmatch(text) else "write a number, or '.' where missing"
        report.add(line, "E_NOT_A_NUMBER", name, f"'{text}' is not a number", hint)
    return None
