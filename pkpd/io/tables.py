"""Reads a comma-separated file as text cells that know their line; nothing is interpreted here."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pkpd.errors import Finding

MISSING = (".", "")
_BINARY_STARTS: Mapping[bytes, str] = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x89HDF": "a NetCDF or HDF5 file",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF file",
    b"\x1f\x8b": "a gzip file",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Cells by column, stripped of blanks; missing cells (`.` or empty) are left out."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A header and its rows.

    Attributes
    ----------
    name
        File name, which starts the `where` of a finding about a row.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def where(self, line: int) -> str:
        """File and line: `study.csv:14`."""
        return f"{self.name}:{line}"


def read_table(path: Path, findings: list[Finding]) -> Table | None:
    """Read a CSV file with a header; None, with a finding, if it is no such file.

    Rows with too few or too many cells are reported, each by its line, and left out.
    """
    text = _read_text(path, findings)
    if text is None:
        return None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                lines.append((reader.line_num, stripped))
    except csv.Error as error:
        hint = "separate cells by commas, and close each quote in the line that opens it"
        _report(findings, "E_NOT_A_TABLE", f"{path.name}:{reader.line_num}", f"cannot be read as CSV: {error}", hint)
        return None
    if not lines:
        _report(findings, "E_EMPTY_FILE", path.name, "the file is empty", "write a header and one row per event")
        return None
    header = tuple(lines[0][1])
    if not _is_usable_header(path, lines[0][0], header, findings):
        return None
    if len(lines) == 1:
        _report(findings, "E_EMPTY_FILE", path.name, "there is a header but no row", "write one row per event")
        return None
    rows: list[Row] = []
    for line, cells in lines[1:]:
        if len(cells) != len(header):
            _report(
                findings,
                "E_RAGGED_ROW",
                f"{path.name}:{line}",
                f"the row has {len(cells)} cells, the header {len(header)}",
                "write '.' for a missing value; put a cell that holds a comma in quotes",
            )
            continue
        cells_by_column = {column: cell for column, cell in zip(header, cells, strict=True) if cell not in MISSING}
        rows.append(Row(line=line, cells=cells_by_column))
    return Table(name=path.name, columns=header, rows=tuple(rows))


def _read_text(path: Path, findings: list[Finding]) -> str | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        _report(findings, "E_FILE", str(path), "there is no such file", "the path is relative to the analysis file")
        return None
    except OSError as error:
        _report(findings, "E_FILE", str(path), f"cannot be read: {error.strerror}", "name a CSV file")
        return None
    kind = next((kind for start, kind in _BINARY_STARTS.items() if content.startswith(start)), None)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        kind, text = kind or "not text in UTF-8", ""
    if kind is not None or "\0" in text:
        message = f"the file is {kind or 'binary'}"
        _report(findings, "E_NOT_TEXT", path.name, message, "save it as CSV with UTF-8 encoding")
        return None
    return text


def _is_usable_header(path: Path, line: int, header: tuple[str, ...], findings: list[Finding]) -> bool:
    where = f"{path.name}:{line}"
    separator = next((mark for mark in (";", "\t") if len(header) == 1 and mark in header[0]), None)
    if separator is not None:
        name = "semicolons" if separator == ";" else "tabs"
        _report(findings, "E_SEPARATOR", where, f"the cells are separated by {name}", "separate them by commas")
        return False
    if any(_is_number(cell) or cell == "." for cell in header):
        _report(
            findings,
            "E_NO_HEADER",
            where,
            f"the first row holds values ({', '.join(header[:4])}), not column names",
            "write the column names in the first row, such as ID,TIME,DV",
        )
        return False
    repeated = sorted({column for column in header if header.count(column) > 1})
    for column in repeated:
        _report(
            findings,
            "E_DUPLICATE_COLUMN",
            where,
            f"{header.count(column)} columns are named '{column}'",
            "give each column its own name",
        )
    return not repeated


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _report(findings: list[Finding], code: str, where: str, message: str, hint: str = "") -> None:
    findings.append(Finding(code=code, where=where, message=message, hint=hint))
