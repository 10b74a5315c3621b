"""Event table of a population study: every record in canonical units, observations with their limits, covariates that change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from pkpd import units
from pkpd.domain.population import BlqMethod, PopulationStudy
from pkpd.domain.study import LEFT_CENSORED, NOT_CENSORED, ONLY_ARM
from pkpd.errors import Finding, Severity
from pkpd.io.decode import closest_hint
from pkpd.io.dose_rules import DoseCells, takes_no_dose
from pkpd.io.population_layout import COLUMNS, EmptyValues, PopulationLayout, RowOrder
from pkpd.io.structures import compartments, grows, responses
from pkpd.io.tables import Row, Table, read_table

_NEEDED = ("ID", "TIME", "DV")
_EVENTS = (0, 1, 2, 3, 4)
_DOSES = (1, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Factors:
    """Numbers from the units of the file to hours, mg and the units of the outputs."""

    time: float
    amount: float
    per_weight: bool
    values: Mapping[str, float]


def read_population_table(
    path: Path,
    layout: PopulationLayout,
    methods: Mapping[str, BlqMethod],
    limits: Mapping[str, float],
    structure: str,
    findings: list[Finding],
    *,
    name: str,
    setting: str,
) -> PopulationStudy | None:
    """Study of a table; None, with findings, where not even the columns can be read.

    Parameters
    ----------
    limits
        Endpoint -> smallest value that can be measured, in the unit of the output.
    """
    table = read_table(path, findings)
    if table is None:
        return None
    names = _names(table, layout, findings)
    factors = _factors(names, layout, findings)
    if factors is None or any(finding.severity is Severity.ERROR for finding in findings):
        return None
    reader = _Reader(table, layout, names, factors, methods, limits, structure, findings)
    for row in table.rows if layout.order is RowOrder.TIME else _sorted(table, names):
        reader.read(row)
    reader.check()
    if not reader.observations:
        reader.report(0, "E_NO_OBSERVATIONS", "DV", "nothing is observed", "give rows with EVID = 0 and a DV")
    return reader.study(name=name, setting=setting)


def _names(table: Table, layout: PopulationLayout, findings: list[Finding]) -> dict[str, str]:
    """Standard name -> column of the file; every column that is not understood is reported."""

    def report(code: str, where: str, message: str, hint: str) -> None:
        findings.append(Finding(code=code, where=where, message=message, hint=hint))

    names: dict[str, str] = {}
    for name, column in layout.columns.items():
        if column in table.columns:
            names[name] = column
        else:
            hint = closest_hint(column, table.columns)
            report(
                "E_MISSING_COLUMN", f"{layout.where}: columns.{name}", f"{table.name} has no column '{column}'", hint
            )
    mapped = set(layout.columns.values())
    for column in table.columns:
        standard = column.upper()
        if column in mapped or column in layout.ignored_columns or column in layout.ignored_rows:
            continue
        if standard in COLUMNS and standard not in layout.columns:
            names[standard] = column
        elif column not in layout.covariates:
            hint = f'name it in [columns] or in a covariate of {layout.where}, or write [ignore] columns = ["{column}"]'
            report("E_UNKNOWN_COLUMN", f"{table.name}:1", f"the column '{column}' is not understood", hint)
    for column in layout.covariates:
        if column not in table.columns:
            hint = closest_hint(column, table.columns)
            report("E_MISSING_COLUMN", f"{layout.where}: covariates", f"{table.name} has no column '{column}'", hint)
    for name in _NEEDED:
        if name not in names and name not in layout.columns:
            hint = f'name it in [columns] of {layout.where}: {name} = "..."'
            report("E_MISSING_COLUMN", f"{table.name}:1", f"there is no column {name}", hint)
    if "DVID" in names and "" in layout.endpoints:
        message = f"the table has the column '{names['DVID']}' (DVID), and nothing says what its values mean"
        hint = 'write [observations.endpoints] 1 = "concentration" in place of endpoint'
        report("E_MISSING_KEY", f"{layout.where}: observations.endpoints", message, hint)
    return names


def _sorted(table: Table, names: Mapping[str, str]) -> list[Row]:
    """Rows by subject, in order of first appearance, then by time, observations before doses; what cannot be read comes last."""
    first: dict[str | None, int] = {}
    for row in table.rows:
        first.setdefault(row.cells.get(names["ID"]), len(first))

    def number(row: Row, name: str, default: float) -> float:
        try:
            return float(row.cells[names[name]])
        except (KeyError, ValueError):
            return default

    def place(row: Row) -> tuple[int, float, bool]:
        amount = number(row, "AMT", 0.0)
        is_dose = number(row, "EVID", float(amount != 0.0)) in _DOSES
        return first[row.cells.get(names["ID"])], number(row, "TIME", math.inf), is_dose

    return sorted(table.rows, key=place)


def _factors(names: Mapping[str, str], layout: PopulationLayout, findings: list[Finding]) -> _Factors | None:
    def report(code: str, name: str, message: str, hint: str) -> None:
        findings.append(Finding(code=code, where=f"{layout.where}: units.{name}", message=message, hint=hint))

    for name, example in (("TIME", "h"), ("AMT", "mg")):
        if name in names and name not in layout.units:
            report(
                "E_MISSING_UNIT", name, f"column '{names[name]}' has no unit", f'write {name} = "{example}" in [units]'
            )
    values: dict[str, float] = {}
    for endpoint, unit in layout.outputs.items():
        written = layout.value_units.get(endpoint, "")
        if not written:
            report("E_MISSING_UNIT", "DV", f"{endpoint} has no unit", f'write DV = "{unit}" in [units]')
            continue
        try:
            values[endpoint] = units.factor(written, unit)
        except units.UnitError as error:
            report("E_UNIT", "DV", error.message, error.hint)
    try:
        time = units.factor(layout.units.get("TIME", "h"), "h")
        amount, basis = units.parse_amount(f"1 {layout.units.get('AMT', 'mg')}")
    except units.UnitError as error:
        report("E_UNIT", "TIME or AMT", error.message, error.hint)
        return None
    if basis == "mg/m2" or (basis == "mg/kg" and "WT" not in names):
        hint = "name the column of body weight WT in [columns]" if basis == "mg/kg" else 'write AMT in "mg" or "mg/kg"'
        report("E_MISSING_COVARIATE", "AMT", f"amounts are in {basis}, and nothing says what a subject weighs", hint)
    if basis == "mg/kg" and layout.units.get("WT") != "kg":
        report("E_MISSING_UNIT", "WT", "column WT has no unit", 'write WT = "kg" in [units]')
    return _Factors(time=time, amount=amount, per_weight=basis == "mg/kg", values=values)


class _Reader:
    """Rows of one table, read one after the other."""

    def __init__(
        self,
        table: Table,
        layout: PopulationLayout,
        names: Mapping[str, str],
        factors: _Factors,
        methods: Mapping[str, BlqMethod],
        limits: Mapping[str, float],
        structure: str,
        findings: list[Finding],
    ) -> None:
        self.table, self.layout, self.names, self.factors = table, layout, names, factors
        self.methods, self.limits, self.findings = methods, limits, findings
        self.structure = structure
        self.compartments = compartments(structure)
        self.records: list[dict[str, Any]] = []
        self.observations: list[dict[str, Any]] = []
        self.left_out: dict[str, int] = {}
        self.unstated: dict[str, int] = {}
        self.skipped: list[int] = []
        self.empty: list[int] = []
        self.seen: set[frozenset[tuple[str, str]]] = set()
        self.repeated: list[int] = []

    def report(self, line: int, code: str, name: str, message: str, hint: str = "") -> None:
        column = self.names.get(name, name)
        self.findings.append(
            Finding(code=code, where=self.table.where(line), message=f"{column}: {message}", hint=hint)
        )

    def number(self, row: Row, name: str, default: float = 0.0) -> float:
        """Value of a cell; the default where it is missing, or after a finding."""
        text = row.cells.get(self.names.get(name, ""))
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            self.report(row.line, "E_NOT_A_NUMBER", name, f"'{text}' is not a number", "write a number, or '.'")
            return default
        if not math.isfinite(value):
            self.report(row.line, "E_NOT_FINITE", name, f"'{text}' is not a finite number", "write '.' where missing")
            return default
        return default if value in self.layout.missing.get(name, ()) else value

    def read(self, row: Row) -> None:
        """Record of a row, and its observation."""
        cells = row.cells
        if cells.get(self.names.get("C", "")) is not None:
            return
        if any(cells.get(column) in values for column, values in self.layout.ignored_rows.items()):
            self.skipped.append(row.line)
            return
        subject = cells.get(self.names["ID"])
        if subject is None or self.names["TIME"] not in cells:
            self.report(row.line, "E_MISSING_VALUE", "ID or TIME", "is missing", "every row needs both")
            return
        amount = self.number(row, "AMT")
        evid = self.number(row, "EVID", float(amount != 0.0))
        dvid = cells.get(self.names.get("DVID", ""), "")
        if evid == 0 and dvid and dvid in self.layout.ignored_observations:
            return
        if evid not in _EVENTS:
            self.report(row.line, "E_EVENT", "EVID", f"{evid:g} is not a kind of event", "write 0, 1, 2, 3 or 4")
            return
        if evid in (3, 4) and self.layout.order is RowOrder.ANY:
            hint = 'sort the rows by hand and write order = "time" in [study]'
            self.report(row.line, "E_UNSUPPORTED", "EVID", 'a reset in a table of order = "any"', hint)
        if evid == 0 and self.layout.empty is EmptyValues.LEFT_OUT and self.names["DV"] not in cells:
            self.empty.append(row.line)
            return
        whole = frozenset(cells.items())
        if whole in self.seen:
            self.repeated.append(row.line)
        self.seen.add(whole)
        is_dose = evid in _DOSES
        if is_dose:
            self.check_dose(row, amount)
        weight = self.number(row, "WT", math.nan) if self.factors.per_weight else 1.0
        if is_dose and math.isnan(weight):
            self.report(row.line, "E_MISSING_COVARIATE", "WT", "is missing in the row of a dose per body weight", "")
        rate = self.number(row, "RATE")
        per_hour = self.factors.amount / self.factors.time * weight if rate > 0 else 1.0
        compartment = int(self.number(row, "CMT"))
        self.records.append(
            {
                "line": row.line,
                "subject": subject,
                "arm": cells.get(self.names.get("ARM", ""), ONLY_ARM),
                "time_h": self.number(row, "TIME") * self.factors.time,
                "evid": int(evid),
                "amount_mg": amount * self.factors.amount * weight if is_dose else 0.0,
                "rate_mg_h": rate * per_hour if is_dose else 0.0,
                "interval_h": self.number(row, "II") * self.factors.time if is_dose else 0.0,
                "additional": int(self.number(row, "ADDL")) if is_dose else 0,
                "steady": int(self.number(row, "SS")) if is_dose else 0,
                "compartment": max(compartment, 1) if is_dose else 1,
                "occasion": cells.get(self.names.get("OCC", ""), ""),
                **{column: cells.get(column) for column in self.layout.covariates},
            }
        )
        if evid == 0 and self.number(row, "MDV") == 0.0:
            self.observe(row, dvid)

    def check_dose(self, row: Row, amount: float) -> None:
        """Report what contradicts itself in the row of a dose."""
        compartment = self.number(row, "CMT")
        cells = DoseCells(
            amount=amount,
            rate=self.number(row, "RATE"),
            interval=self.number(row, "II"),
            additional=self.number(row, "ADDL"),
            steady=self.number(row, "SS"),
        )
        if amount == 0.0 and not cells.steady:
            self.report(row.line, "E_NEGATIVE_DOSE", "AMT", "0 is not an amount above zero", "write the amount")
        for code, column, message, hint in cells.contradictions(structure=self.structure, grows=grows(self.structure)):
            self.report(row.line, code, column, message, hint)
        if compartment != int(compartment) or not 0 <= compartment <= len(self.compartments):
            words = ", ".join(f"{index} {name}" for index, name in enumerate(self.compartments, start=1))
            self.report(
                row.line, "E_EVENT", "CMT", f"{compartment:g} is not a compartment for a dose", f"write {words}"
            )
        elif compartment >= 1.0 and self.compartments[int(compartment) - 1] in responses(self.structure):
            code, column, message, hint = takes_no_dose(self.compartments[int(compartment) - 1])
            self.report(row.line, code, column, message, hint)

    def observe(self, row: Row, dvid: str) -> None:
        """Observation of a row."""
        endpoints = self.layout.endpoints
        if "" not in endpoints and dvid not in endpoints:
            self.report(
                row.line, "E_UNKNOWN_ENDPOINT", "DVID", f"'{dvid}' has no endpoint", closest_hint(dvid, endpoints)
            )
            return
        endpoint = endpoints[""] if "" in endpoints else endpoints[dvid]
        if self.names["DV"] not in row.cells:
            self.report(row.line, "E_MISSING_VALUE", "DV", "is missing", "leave the row out, or mark it with MDV = 1")
            return
        factor = self.factors.values[endpoint]
        written = self.number(row, "DV")
        value = (math.exp(written) if self.layout.logarithm else written) * factor
        limit = self.number(row, "LLOQ", math.nan) * factor
        limit = self.limits.get(endpoint, math.nan) if math.isnan(limit) else limit
        marked = self.number(row, "CENS") == 1.0
        limit = value if marked and math.isnan(limit) else limit
        censored = marked or value < limit
        method = self.methods.get(endpoint)
        if censored and method is None:
            self.unstated[endpoint] = self.unstated.get(endpoint, 0) + 1
        if censored and method is BlqMethod.M1:
            self.left_out[endpoint] = self.left_out.get(endpoint, 0) + 1
            return
        self.observations.append(
            {
                "line": row.line,
                "record": len(self.records) - 1,
                "endpoint": endpoint,
                "value": limit if censored else value,
                "censored": LEFT_CENSORED if censored else NOT_CENSORED,
                "lower_limit": limit,
            }
        )

    def check(self) -> None:
        """Report what no single row shows."""
        for column in self.layout.ignored_rows:
            if column not in self.table.columns:
                hint = closest_hint(column, self.table.columns)
                where = f"{self.layout.where}: ignore.rows.{column}"
                message = f"{self.table.name} has no column '{column}'"
                self.findings.append(Finding(code="E_MISSING_COLUMN", where=where, message=message, hint=hint))
        for words, lines in (
            ("are left out by [ignore] rows", self.skipped),
            ("without a value are left out by [observations] empty", self.empty),
        ):
            if lines:
                what, where = f"{len(lines)} rows {words}", self.table.where(min(lines))
                self.warn("W_ROWS_LEFT_OUT", where, what)
        if self.repeated:
            what = f"{len(self.repeated)} rows repeat another one in every column; each counts"
            self.warn("W_ROW_REPEATED", self.table.where(min(self.repeated)), what, "delete what was copied by mistake")
        self.check_subjects()
        for endpoint, count in self.unstated.items():
            self.findings.append(
                Finding(
                    code="E_CENSORING",
                    where=f"{self.layout.where}: blq.{endpoint}",
                    message=f"{count} values of {endpoint} lie below their limit, and nothing says how they count",
                    hint=f'write [blq.{endpoint}] method = "M3"',
                )
            )
        latest: dict[str, float] = {}
        last = ""
        unsorted: list[tuple[int, str]] = []
        for record in self.records:
            subject, time_h = record["subject"], record["time_h"]
            if subject != last and subject in latest:
                self.report(record["line"], "E_ROW", "ID", f"the rows of subject {subject} do not stand together")
            if record["evid"] not in (3, 4) and time_h < latest.get(subject, -math.inf):
                message = f"{time_h:g} h comes after {latest[subject]:g} h in subject {subject}"
                unsorted.append((record["line"], message))
            latest[subject], last = time_h, subject
        if unsorted:
            line, message = unsorted[0]
            more = f"; {len(unsorted) - 1} more rows are out of order" if len(unsorted) > 1 else ""
            hint = 'sort the rows of each subject by time, or write order = "any" in [study]'
            self.report(line, "E_UNSORTED_TIME", "TIME", message + more, hint)

    def warn(self, code: str, where: str, message: str, hint: str = "") -> None:
        """A warning."""
        self.findings.append(Finding(code=code, where=where, message=message, hint=hint, severity=Severity.WARNING))

    def check_subjects(self) -> None:
        """Warn of subjects that were only dosed, or only observed."""
        observed = {self.records[row["record"]]["subject"] for row in self.observations}
        dosed = {record["subject"] for record in self.records if record["evid"] in _DOSES}
        subjects = dict.fromkeys(record["subject"] for record in self.records)
        silent = [subject for subject in subjects if subject not in observed]
        if silent and observed:
            message = f"no observation of {', '.join(silent)}"
            self.warn("W_SUBJECT_WITHOUT_DATA", self.table.name, message, "they inform nothing and are kept")
        untreated = [subject for subject in subjects if subject in observed - dosed]
        if untreated and dosed and not grows(self.structure) and not responses(self.structure):
            message = f"no dose of {', '.join(untreated)}, who have observations: the prediction is zero there"
            self.warn("W_SUBJECT_WITHOUT_DOSE", self.table.name, message, "write their doses, or leave them out")

    def covariate(self, column: str, *, categorical: bool) -> tuple[str, Any, dict[str, str]]:
        """Values of a covariate at every record; one that is missing is that of the next record, or of the last known."""
        texts = [record[column] for record in self.records]
        subject = [record["subject"] for record in self.records]
        for index in range(len(texts) - 2, -1, -1):
            if texts[index] is None and subject[index + 1] == subject[index]:
                texts[index] = texts[index + 1]
        for index in range(1, len(texts)):
            if texts[index] is None and subject[index - 1] == subject[index]:
                texts[index] = texts[index - 1]
        for index, text in enumerate(texts):
            if text is None and (index == 0 or subject[index - 1] != subject[index]):
                self.report(
                    self.records[index]["line"],
                    "E_MISSING_COVARIATE",
                    column,
                    f"is not known of subject {subject[index]}",
                    "write it in one of the subject's rows",
                )
        if categorical:
            names = sorted({text for text in texts if text is not None})
            at = {text: index for index, text in enumerate(names)}
            values = np.asarray([float(at.get(text, 0)) for text in texts])
            return "record", values, {"categories": "\n".join(names)}
        numbers = np.zeros(len(texts))
        for index, text in enumerate(texts):
            try:
                numbers[index] = 0.0 if text is None else float(text)
            except ValueError:
                line = self.records[index]["line"]
                self.report(line, "E_NOT_A_NUMBER", column, f"'{text}' is not a number", "write a number")
        return "record", numbers, {}

    def study(self, *, name: str, setting: str) -> PopulationStudy:
        """Everything that was read."""
        subjects = list(dict.fromkeys(record["subject"] for record in self.records))
        index = {subject: position for position, subject in enumerate(subjects)}
        arms = {record["subject"]: record["arm"] for record in reversed(self.records)}
        occasions: dict[str, list[str]] = {subject: [] for subject in subjects}
        occasion = []
        for record in self.records:
            known = occasions[record["subject"]]
            if record["occasion"] not in known:
                known.append(record["occasion"])
            occasion.append(known.index(record["occasion"]))
        rows = self.observations
        of = [self.records[row["record"]] for row in rows]
        variables: dict[str, Any] = {
            "arm": ("subject", np.asarray([arms[subject] for subject in subjects], dtype=np.str_)),
            "record_subject": ("record", np.asarray([index[record["subject"]] for record in self.records])),
            "record_time_h": ("record", np.asarray([record["time_h"] for record in self.records]), {"units": "h"}),
            "occasion": ("record", np.asarray(occasion, dtype=np.int64)),
            "obs_subject": ("obs_id", np.asarray([index[record["subject"]] for record in of], dtype=np.int64)),
            "obs_record": ("obs_id", np.asarray([row["record"] for row in rows], dtype=np.int64)),
            "obs_time_h": ("obs_id", np.asarray([record["time_h"] for record in of]), {"units": "h"}),
            "endpoint": ("obs_id", np.asarray([row["endpoint"] for row in rows] or ["-"][:0], dtype="<U64")),
            "value": ("obs_id", np.asarray([row["value"] for row in rows])),
            "censored": ("obs_id", np.asarray([row["censored"] for row in rows], dtype=np.int64)),
            "lower_limit": ("obs_id", np.asarray([row["lower_limit"] for row in rows])),
        }
        for key in ("evid", "amount_mg", "rate_mg_h", "interval_h", "additional", "steady", "compartment"):
            variables[key] = ("record", np.asarray([record[key] for record in self.records]))
        for column, categorical in self.layout.covariates.items():
            variables[f"covariate_{column}"] = self.covariate(column, categorical=categorical)
        data = xr.Dataset(variables, coords={"subject": np.asarray(subjects, dtype=np.str_)})
        return PopulationStudy(
            name=name, setting=setting, data=data, units=dict(self.layout.outputs), left_out=dict(self.left_out)
        )
