"""Rows of an event table that hold a dose, with its infusion and its repeats, as NONMEM defines them."""

from __future__ import annotations

import math

import numpy as np

from pkpd.domain.dosing import Amount, AmountBasis, Route
from pkpd.domain.study import Administration, Subject
from pkpd.io.decode import closest_hint
from pkpd.io.dose_rules import MODELED_RATES, further_doses
from pkpd.io.layout import Columns, Layout
from pkpd.io.records import Record, RowReport
from pkpd.io.routes import route_choices, usual_route, why_route_is_needed, wrong_route

_RATE_TOLERANCE = 1e-4


def read_doses(
    record: Record, subject: Subject, layout: Layout, columns: Columns, report: RowReport
) -> tuple[Administration, ...]:
    """The dose of one row and those that ADDL adds; none, with findings, where it cannot be used."""
    before = len(report.findings)
    amount = Amount(value=record.numbers["AMT"] * columns.amount, basis=columns.basis)
    drug = _drug(record, layout, columns, report)
    route = _route(record, drug, layout, report)
    start = report.whole_minutes(record.line, "TIME", record.numbers["TIME"] * columns.time_h * 60.0)
    duration = _duration(record, amount.value, columns, report)
    repeats, interval = _repeats(record, columns, report)
    mg = _milligrams(record, subject, amount, layout, report)
    if duration and route not in (None, Route.INTRAVENOUS):
        hint = "only an intravenous dose is infused; write '.' in RATE and DUR"
        report.add(record.line, "E_EVENT", "ROUTE", f"a dose by the route '{route}' has no infusion time", hint)
    if len(report.findings) > before or drug is None or route is None or start is None:
        return ()
    return tuple(
        Administration(
            subject=record.subject,
            time_min=start + repeat * interval,
            drug=drug,
            mg=mg,
            route=route,
            duration_min=duration,
        )
        for repeat in range(repeats + 1)
    )


def milligrams(amount: Amount, subject: Subject) -> float:
    """Absolute amount for one subject; NaN where the covariate that it needs is not known."""
    return float(np.asarray(amount.milligrams(weight_kg=subject.weight_kg, surface_m2=subject.surface_m2)))


def missing_covariate(basis: AmountBasis) -> tuple[str, str]:
    """Column and word of `[covariates]` for the covariate that an amount of this basis needs."""
    return ("WT", "weight") if basis is AmountBasis.BODY_WEIGHT else ("BSA", "surface")


def _drug(record: Record, layout: Layout, columns: Columns, report: RowReport) -> str | None:
    drug = record.words.get("DRUG")
    if drug is None and "DRUG" not in columns.names and len(layout.drugs) == 1:
        return layout.drugs[0]
    if drug is None:
        hint = f"write one of {', '.join(layout.drugs)} in a column DRUG"
        report.add(record.line, "E_MISSING_VALUE", "DRUG", "is missing in the row of a dose", hint)
    elif drug not in layout.drugs:
        hint = closest_hint(drug, layout.drugs)
        report.add(record.line, "E_UNKNOWN_DRUG", "DRUG", f"'{drug}' is not a drug of this analysis", hint)
        return None
    return drug


def _route(record: Record, drug: str | None, layout: Layout, report: RowReport) -> Route | None:
    text = record.words.get("ROUTE")
    if text is None:
        needed = None if drug is None else why_route_is_needed(drug, layout.setting)
        if drug is not None and needed is not None:
            hint = f"write one of {', '.join(route_choices(drug, layout.setting))}"
            report.add(record.line, "E_ROUTE", "ROUTE", f"is missing, and {needed}", hint)
        return usual_route(drug or "", layout.setting)
    routes = tuple(str(route) for route in Route)
    if text not in routes:
        report.add(record.line, "E_ROUTE", "ROUTE", f"'{text}' is not a route", closest_hint(text, routes))
        return None
    wrong = None if drug is None else wrong_route(drug, layout.setting, Route(text))
    if wrong is not None:
        report.add(record.line, "E_ROUTE", "ROUTE", *wrong)
    return Route(text)


def _duration(record: Record, amount: float, columns: Columns, report: RowReport) -> int:
    """Minutes of infusion, from DUR or from RATE; 0 for a bolus or after a finding."""
    rate, length = record.numbers.get("RATE", 0.0), record.numbers.get("DUR", 0.0)
    if rate in MODELED_RATES:
        report.refuse(record.line, "RATE", f"a rate or duration that is modeled (RATE = {rate:g})", "write the rate")
        return 0
    for name, value in (("RATE", rate), ("DUR", length)):
        if value < 0.0:
            report.add(record.line, "E_EVENT", name, f"{value:g} is negative", "write 0 for a dose without infusion")
            return 0
    by_length = length * columns.duration_min
    by_rate = amount / (rate * columns.rate_per_min) if rate else by_length
    if length and not math.isclose(by_rate, by_length, rel_tol=_RATE_TOLERANCE):
        message = f"is {by_length:g} min, but AMT / RATE is {by_rate:g} min"
        report.add(record.line, "E_EVENT", "DUR", message, "correct one of the two")
        return 0
    name, minutes = ("DUR", by_length) if length else ("RATE", by_rate)
    return report.whole_minutes(record.line, name, minutes) or 0


def _repeats(record: Record, columns: Columns, report: RowReport) -> tuple[int, int]:
    """Number of further doses and the minutes between them."""
    repeats, interval = record.numbers.get("ADDL", 0.0), record.numbers.get("II", 0.0)
    wrong = further_doses(repeats, interval)
    if wrong is not None:
        report.add(record.line, *wrong)
    elif interval and not repeats:
        report.add(record.line, "E_EVENT", "II", "is given without ADDL", "write how many further doses in ADDL")
    elif repeats:
        return int(repeats), report.whole_minutes(record.line, "II", interval * columns.interval_min) or 0
    return 0, 0


def _milligrams(record: Record, subject: Subject, amount: Amount, layout: Layout, report: RowReport) -> float:
    mg = milligrams(amount, subject)
    if math.isnan(mg):
        column, word = missing_covariate(amount.basis)
        report.add(
            record.line,
            "E_MISSING_COVARIATE",
            "AMT",
            f"is in {amount.basis}, and {column} of subject {subject.name} is not known",
            f"add the column {column}, or write {word} in [covariates] of {layout.where}",
        )
    return mg
