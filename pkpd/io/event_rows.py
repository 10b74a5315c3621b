"""Rows of a table -> records in canonical units, with NONMEM's meaning; every bad row is reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkpd import units
from pkpd.domain.event_model import EventModel
from pkpd.domain.events import DOSE, OBSERVATION, OTHER, RESET_AND_DOSE, EventTable
from pkpd.errors import Finding, Severity
from pkpd.io.decode import closest_hint
from pkpd.io.dose_rules import DoseCells, takes_no_dose
from pkpd.io.tables import Table

COLUMNS = ("ID", "TIME", "EVID", "AMT", "CMT", "RATE", "II", "ADDL", "SS", "MDV", "DV")
_RECORD_COLUMNS = ("TIME", "EVID", "AMT", "CMT", "RATE", "II", "ADDL", "SS", "MDV")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRows:
    """Records, and what is written beside them.

    Attributes
    ----------
    names
        Of the subjects, in the order of `events.subject`.
    time
        As in the table.
    columns
        Values of the columns that the model names: numbers, or words for levels.
    """

    events: EventTable
    names: tuple[str, ...]
    time: NDArray[np.float64]
    columns: Mapping[str, tuple[str, ...]]


def read_event_rows(
    table: Table,
    model: EventModel,
    compartments: tuple[str, ...] | None,
    responses: tuple[str, ...],
    findings: list[Finding],
    *,
    grows: bool = False,
) -> EventRows:
    """Interpret a table as far as it can be read; usable only where no error is found.

    Parameters
    ----------
    compartments
        None where the structure is not known.
    responses
        Compartments that take no dose.
    grows
        Whether the structure has no steady state.
    """
    upper = {column.upper(): column for column in table.columns}
    named = {name: name if name in table.columns else upper.get(name.upper(), "") for name in model.columns}
    for name, column in named.items():
        if not column:
            hint = closest_hint(name, table.columns)
            message = f"the table has no column '{name}', which {model.where} names"
            findings.append(Finding(code="E_MISSING_COLUMN", where=table.name, message=message, hint=hint))
    if "TIME" not in upper:
        findings.append(
            Finding(code="E_MISSING_COLUMN", where=table.name, message="there is no column TIME", hint="add it")
        )
    unused = [c for c in table.columns if c.upper() not in COLUMNS and c not in named.values()]
    if unused:
        findings.append(
            Finding(
                code="W_UNUSED_COLUMN",
                where=table.name,
                message=f"not used: {', '.join(unused)}",
                hint=f"name a column in {model.where} to use it",
                severity=Severity.WARNING,
            )
        )
    numbers = {
        name: [_number(table, row.line, upper, row.cells, name, findings) for row in table.rows]
        for name in _RECORD_COLUMNS
    }
    value = {name: np.array([0.0 if v is None else v for v in values]) for name, values in numbers.items()}
    if "EVID" not in upper:
        value["EVID"] = np.where(value["AMT"] != 0.0, DOSE, np.where(value["MDV"] == 1.0, OTHER, OBSERVATION))
    if "CMT" not in upper or any(v is None for v in numbers["CMT"]):
        value["CMT"] = np.where(value["CMT"] == 0.0, 1.0, value["CMT"])
    ids = [row.cells.get(upper.get("ID", ""), "") if "ID" in upper else "1" for row in table.rows]
    _check(table, model, compartments, responses, value, ids, numbers, findings, grows=grows)
    words = {name: tuple(row.cells.get(column, "") for row in table.rows) for name, column in named.items() if column}
    names = tuple(dict.fromkeys(ids))
    time_h, mg = units.factor(model.time_unit, "h"), units.factor(model.amount_unit, "mg")
    rate = np.where(value["RATE"] > 0.0, value["RATE"] * mg / time_h, value["RATE"])
    events = EventTable(
        subject=np.array([names.index(each) for each in ids], dtype=np.int64),
        time_h=value["TIME"] * time_h,
        evid=value["EVID"].astype(np.int64),
        amount_mg=value["AMT"] * mg,
        rate=rate,
        interval_h=value["II"] * time_h,
        additional=value["ADDL"].astype(np.int64),
        steady=value["SS"].astype(np.int64),
        compartment=value["CMT"].astype(np.int64),
    )
    return EventRows(events=events, names=names, time=value["TIME"], columns=words)


def _number(
    table: Table, line: int, upper: Mapping[str, str], cells: Mapping[str, str], name: str, findings: list[Finding]
) -> float | None:
    if name not in upper or upper[name] not in cells:
        if name in ("TIME", "EVID") and name in upper:
            findings.append(
                Finding(
                    code="E_MISSING_VALUE",
                    where=table.where(line),
                    message=f"{name} is missing",
                    hint=f"every row needs a value of {name}",
                )
            )
        return None
    text = cells[upper[name]]
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if np.isfinite(value):
        return value
    findings.append(
        Finding(
            code="E_NOT_A_NUMBER",
            where=table.where(line),
            message=f"{name}: '{text}' is not a number",
            hint="write a number, or '.' where missing",
        )
    )
    return None


def _check(  # noqa: PLR0912  # one branch per rule
    table: Table,
    model: EventModel,
    compartments: tuple[str, ...] | None,
    responses: tuple[str, ...],
    value: Mapping[str, NDArray[np.float64]],
    ids: list[str],
    numbers: Mapping[str, list[float | None]],
    findings: list[Finding],
    *,
    grows: bool,
) -> None:
    def report(row: int, code: str, message: str, hint: str = "") -> None:
        findings.append(Finding(code=code, where=table.where(table.rows[row].line), message=message, hint=hint))

    seen: set[str] = set()
    for row, subject in enumerate(ids):
        evid, amount, rate, interval, repeats, steady, compartment, time = (
            float(value[name][row]) for name in ("EVID", "AMT", "RATE", "II", "ADDL", "SS", "CMT", "TIME")
        )
        first = row == 0 or ids[row - 1] != subject
        if not subject:
            report(row, "E_MISSING_VALUE", "ID is missing", "every row needs a value of ID")
        if first and subject in seen:
            report(row, "E_NOT_SORTED", f"ID: rows of '{subject}' do not stand together", "sort the table by ID")
        seen.add(subject)
        if evid not in (0.0, 1.0, 2.0, 3.0, 4.0):
            report(row, "E_EVENT", f"EVID: {evid:g} is not an event", "write 0, 1, 2, 3 or 4")
            continue
        if not first and time < value["TIME"][row - 1] and evid not in (3.0, 4.0) and numbers["TIME"][row] is not None:
            report(row, "E_NOT_SORTED", f"TIME: {time:g} is before the row above", "sort the rows of a subject by TIME")
        if compartment != int(compartment):
            report(row, "E_EVENT", f"CMT: {compartment:g} is not a whole number", "write the number of a compartment")
        if evid not in (DOSE, RESET_AND_DOSE):
            if amount > 0.0:
                report(
                    row,
                    "E_EVENT",
                    f"AMT: {amount:g} in a row of EVID {evid:g}, which gives nothing",
                    "write EVID 1 or 4, or AMT 0",
                )
            if compartment < 0.0:
                report(row, "E_UNSUPPORTED", "CMT: turning a compartment off: not supported", "write its number")
            continue
        cells = DoseCells(amount=amount, rate=rate, interval=interval, additional=repeats, steady=steady)
        for code, column, message, hint in cells.contradictions(structure=model.structure, grows=grows):
            report(row, code, f"{column}: {message}", hint)
        if compartments is None:
            continue
        if not 1.0 <= compartment <= len(compartments):
            listed = ", ".join(f"{number} {name}" for number, name in enumerate(compartments, start=1))
            report(row, "E_EVENT", f"CMT: there is no compartment {compartment:g}", f"compartments are {listed}")
            continue
        if compartments[int(compartment) - 1] in responses:
            code, column, message, hint = takes_no_dose(compartments[int(compartment) - 1])
            report(row, code, f"{column}: {message}", hint)
            continue
        words = model.entries.get(compartments[int(compartment) - 1], {})
        name = compartments[int(compartment) - 1]
        for code, word in ((-1.0, "rate"), (-2.0, "duration")):
            if rate == code and word not in words:
                report(
                    row,
                    "E_EVENT",
                    f"RATE: {code:g} needs the {word} of '{name}'",
                    f"write {word} under [compartment.{name}] of {model.where}",
                )
