"""What the columns of an event table mean, and in which units: the analysis says it, the header must agree.

Standard names are those of NONMEM. A column is found by the map of the analysis or by its own standard name in any
case; any other column is refused by name unless the analysis lists it as ignored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from pkpd import units
from pkpd.domain.dosing import AmountBasis
from pkpd.domain.study import ENDPOINT_UNITS
from pkpd.errors import Finding, Severity
from pkpd.io.decode import closest_hint
from pkpd.io.tables import Table

STANDARD_COLUMNS = (
    "ID",
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
    "DVID",
    "OCC",
    "DRUG",
    "ROUTE",
    "TAD",
    "BSA",
    "WT",
    "C",
    "ARM",
)
# Columns whose meaning is known and not modeled: reading past them in silence would change the answer.
UNSUPPORTED_COLUMNS: Mapping[str, str] = {
    "OCC": "variability between occasions is not modeled",
    "TAD": "times are counted from the start of the study, not from the last dose",
}
MEASURED_COLUMNS = ("TIME", "DV", "AMT", "RATE", "DUR", "II", "LLOQ", "LIMIT", "WT", "BSA")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How to read one event table.

    Attributes
    ----------
    columns
        Standard name -> column of the file, where the two differ.
    units
        Standard name -> unit. DUR and II are in the unit of TIME and RATE in that of AMT per TIME unless stated.
    value_units
        Endpoint -> unit of its DV, LLOQ and LIMIT.
    endpoints
        DVID as written -> endpoint; with the one key "" where all rows are of one endpoint; empty: no observations.
        The endpoint is "" where the analysis states one that is not known.
    ignored_columns, ignored_observations
        Columns, and values of DVID, that are left out on purpose.
    lower_limits
        Endpoint -> smallest value that can be measured, in the unit of `ENDPOINT_UNITS`.
    weight_kg, surface_m2
        Covariates of every subject where the table has no column for them; NaN: unknown.
    drugs
        Drugs that may be given; the only one is meant where the table has no DRUG column.
    where
        Name of the analysis file, for findings about it.
    """

    setting: str
    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    value_units: Mapping[str, str] = field(default_factory=dict)
    endpoints: Mapping[str, str] = field(default_factory=dict)
    ignored_columns: tuple[str, ...] = ()
    ignored_observations: tuple[str, ...] = ()
    lower_limits: Mapping[str, float] = field(default_factory=dict)
    weight_kg: float = float("nan")
    surface_m2: float = float("nan")
    drugs: tuple[str, ...] = ()
    where: str = "analysis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Columns that were found, and the factor from each column's unit to the unit used inside a study.

    Attributes
    ----------
    names
        Standard name -> column of the file.
    time_h, duration_min, interval_min, weight_kg, surface_m2
        Factors; 1 where there is no such column.
    amount, basis
        Factor to `basis` (mg, mg/kg or mg/m2).
    rate_per_min
        Factor of RATE to `basis` per minute.
    values
        Endpoint -> factor of DV, LLOQ and LIMIT.
    usable
        Whether header and layout agree; if not, the cells can be read and what they mean is not known.
    """

    names: Mapping[str, str]
    time_h: float
    duration_min: float
    interval_min: float
    amount: float
    basis: AmountBasis
    rate_per_min: float
    weight_kg: float
    surface_m2: float
    values: Mapping[str, float]
    usable: bool


def find_columns(table: Table, layout: Layout, findings: list[Finding]) -> Columns | None:
    """Match the header of a table with a layout; None, with new findings, where ID or TIME is not there."""
    before = _errors(findings)
    names = _names(table, layout, findings)
    _check_against_analysis(names, layout, findings)
    required = (
        "ID",
        "TIME",
        *(["DV"] if layout.endpoints else []),
        *(["DVID"] if layout.endpoints and "" not in layout.endpoints else []),
    )
    for name in required:
        if name not in names and name not in layout.columns:
            _report(
                findings,
                "E_MISSING_COLUMN",
                f"{table.name}:1",
                f"there is no column {name}",
                f'name it in [columns] of {layout.where}: {name} = "..."; the file has {_listed(table.columns)}',
            )
    scales = _Scales(names, layout, findings)
    time_unit = scales.declared("TIME", "h", "d")
    amount_unit = scales.declared("AMT", "mg", "mg")
    basis, amount = scales.amount(amount_unit)
    columns = Columns(
        names=names,
        time_h=scales.factor("TIME", time_unit, "h"),
        duration_min=scales.factor("DUR", layout.units.get("DUR", time_unit), "min"),
        interval_min=scales.factor("II", layout.units.get("II", time_unit), "min"),
        amount=amount,
        basis=basis,
        rate_per_min=scales.factor("RATE", layout.units.get("RATE", f"{amount_unit}/{time_unit}"), f"{basis}/min"),
        weight_kg=scales.factor("WT", scales.declared("WT", "kg", "kg"), "kg"),
        surface_m2=scales.factor("BSA", scales.declared("BSA", "m^2", "m^2"), "m^2"),
        values={
            endpoint: scales.factor("DV", layout.value_units.get(endpoint, ""), ENDPOINT_UNITS[endpoint])
            for endpoint in dict.fromkeys(layout.endpoints.values())
            if endpoint
        },
        usable=_errors(findings) == before,
    )
    return columns if {"ID", "TIME"} <= names.keys() else None


class _Scales:
    """Factors to the units used inside a study; a missing or unfitting unit is reported once."""

    def __init__(self, names: Mapping[str, str], layout: Layout, findings: list[Finding]) -> None:
        self.names = names
        self.layout = layout
        self.findings = findings

    def declared(self, name: str, inside: str, example: str) -> str:
        """Unit of a column as declared; `inside` where there is no such column, or after it was reported."""
        unit = self.layout.units.get(name)
        if unit is not None or name not in self.names:
            return unit if unit is not None else inside
        self._missing(name, example)
        return inside

    def factor(self, name: str, unit: str, inside: str) -> float:
        if name not in self.names:
            return 1.0
        if not unit:
            self._missing(name, inside)
            return 1.0
        try:
            return units.factor(unit, inside)
        except units.UnitError as error:
            self._report("E_UNIT", name, error.message, error.hint)
            return 1.0

    def amount(self, unit: str) -> tuple[AmountBasis, float]:
        if "AMT" not in self.names:
            return AmountBasis.ABSOLUTE, 1.0
        try:
            factor, basis = units.parse_amount(f"1 {unit}")
        except units.UnitError as error:
            self._report("E_UNIT", "AMT", error.message, error.hint)
            return AmountBasis.ABSOLUTE, 1.0
        return AmountBasis(basis), factor

    def _missing(self, name: str, example: str) -> None:
        self._report(
            "E_MISSING_UNIT",
            name,
            f"column '{self.names[name]}' ({name}) has no unit",
            f'write {name} = "{example}" in [units]',
        )

    def _report(self, code: str, name: str, message: str, hint: str) -> None:
        _report(self.findings, code, f"{self.layout.where}: units.{name}", message, hint)


def _names(table: Table, layout: Layout, findings: list[Finding]) -> dict[str, str]:
    header = f"{table.name}:1"
    names: dict[str, str] = {}
    for name, column in layout.columns.items():
        if name not in STANDARD_COLUMNS:
            hint = closest_hint(name.upper(), STANDARD_COLUMNS)
            where = f"{layout.where}: columns.{name}"
            _report(findings, "E_UNKNOWN_COLUMN", where, f"'{name}' is not a standard column", hint)
        elif column not in table.columns:
            hint = closest_hint(column, table.columns)
            where = f"{layout.where}: columns.{name}"
            _report(findings, "E_MISSING_COLUMN", where, f"{table.name} has no column '{column}'", hint)
        else:
            names[name] = column
    mapped = set(layout.columns.values())
    for column in table.columns:
        if column in mapped or column in layout.ignored_columns:
            continue
        name = column.upper()
        if name not in STANDARD_COLUMNS or name in layout.columns:
            _report(
                findings,
                "E_UNKNOWN_COLUMN",
                header,
                f"the column '{column}' is not understood",
                f'map it in [columns] of {layout.where}, or leave it out with [ignore] columns = ["{column}"]',
            )
        elif name in names:
            message = f"'{names[name]}' and '{column}' are both {name}"
            _report(findings, "E_DUPLICATE_COLUMN", header, message, "keep one of them")
        else:
            names[name] = column
    for name in [name for name in names if name in UNSUPPORTED_COLUMNS]:
        _report(
            findings,
            "E_UNSUPPORTED",
            header,
            f"the column {name} cannot be used: {UNSUPPORTED_COLUMNS[name]}",
            f'if the analysis does not need it, write [ignore] columns = ["{names[name]}"]',
        )
    _check_ignored(table, layout, mapped, findings)
    return names


def _check_ignored(table: Table, layout: Layout, mapped: set[str], findings: list[Finding]) -> None:
    where = f"{layout.where}: ignore.columns"
    for column in layout.ignored_columns:
        if column in mapped:
            message = f"'{column}' is both ignored and mapped in [columns]"
            _report(findings, "E_UNKNOWN_COLUMN", where, message, "delete one of the two")
        elif column not in table.columns:
            findings.append(
                Finding(
                    code="W_NOTHING_IGNORED",
                    where=where,
                    message=f"{table.name} has no column '{column}'",
                    hint=closest_hint(column, table.columns),
                    severity=Severity.WARNING,
                )
            )


def _check_against_analysis(names: Mapping[str, str], layout: Layout, findings: list[Finding]) -> None:
    """Report what both the table and the analysis say, or what one says and the other does not explain."""
    if "DVID" in names and (not layout.endpoints or "" in layout.endpoints):
        _report(
            findings,
            "E_MISSING_KEY",
            f"{layout.where}: observations.endpoints",
            f"the table has the column '{names['DVID']}' (DVID), and nothing says what its values mean",
            'write [observations.endpoints] 1 = "tumor_volume" in place of endpoint',
        )
    for name, word, value in (("WT", "weight", layout.weight_kg), ("BSA", "surface", layout.surface_m2)):
        if name in names and not math.isnan(value):
            _report(
                findings,
                "E_STATED_TWICE",
                f"{layout.where}: covariates.{word}",
                f"the table has the column '{names[name]}' ({name}), and the analysis a value for everybody",
                "delete one of the two",
            )


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(f"'{column}'" for column in columns[:12]) + (", ..." if len(columns) > 12 else "")


def _errors(findings: list[Finding]) -> int:
    return sum(finding.severity is Severity.ERROR for finding in findings)


def _report(findings: list[Finding], code: str, where: str, message: str, hint: str) -> None:
    findings.append(Finding(code=code, where=where, message=message, hint=hint))
