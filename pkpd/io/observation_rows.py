"""Rows of an event table that hold a measured value, with the limits that values may lie below.

A value below its limit is left-censored: what is known is that it lies below (method M3 of Beal 2001,
doi:10.1023/A:1012299115260). An exact zero is such a value, and never the argument of a logarithm.
"""

from __future__ import annotations

import math

from pkpd.domain.study import Observation
from pkpd.io.decode import closest_hint
from pkpd.io.layout import Columns, Layout
from pkpd.io.records import Record, RowReport


def read_observation(record: Record, layout: Layout, columns: Columns, report: RowReport) -> Observation | None:
    """Observation of one row; None, with a finding, where it cannot be used."""
    endpoint = _endpoint(record, layout, report)
    value = record.numbers.get("DV")
    if endpoint is None:
        return None
    if value is None:
        report.add(record.line, "E_MISSING_VALUE", "DV", "is missing", "leave the row out, or mark it with MDV = 1")
        return None
    if value < 0.0:
        report.add(
            record.line,
            "E_NEGATIVE_VALUE",
            "DV",
            f"{value:g} is below zero, and {endpoint} cannot be",
            "write '.' with MDV = 1 if it was not measured",
        )
        return None
    factor = columns.values[endpoint]
    limit = _limit(record, factor, layout.lower_limits.get(endpoint, math.nan), report)
    if limit is None:
        return None
    censored = value * factor < limit or record.numbers.get("CENS") == 1.0
    if value == 0.0 and not censored:
        report.add(
            record.line,
            "E_ZERO_WITHOUT_LIMIT",
            "DV",
            "is zero, and no limit of measurement is stated",
            f'write lower_limit = "... {layout.value_units[endpoint]}" in [observations] of {layout.where}, '
            "so that the value is known to lie below it",
        )
        return None
    return Observation(
        subject=record.subject,
        time_h=record.numbers["TIME"] * columns.time_h,
        endpoint=endpoint,
        value=limit if censored else value * factor,
        censored=censored,
        lower_limit=limit,
    )


def _endpoint(record: Record, layout: Layout, report: RowReport) -> str | None:
    endpoints = layout.endpoints
    if not endpoints:
        report.add(
            record.line,
            "E_EVENT",
            "DV",
            "this row is an observation, and the analysis states no endpoint",
            f'write [observations] endpoint = "tumor_volume" in {layout.where}; a dose needs AMT',
        )
        return None
    if "" in endpoints:
        return endpoints[""] or None  # one that is not known was reported where the analysis states it
    name = record.words.get("DVID")
    if name is None:
        report.add(record.line, "E_MISSING_VALUE", "DVID", "is missing", "say in each row what was observed")
    elif name not in endpoints:
        hint = f"{closest_hint(name, endpoints)}; map it in [observations.endpoints] or leave it out in [ignore]"
        report.add(record.line, "E_UNKNOWN_ENDPOINT", "DVID", f"'{name}' has no endpoint", hint)
    return endpoints.get(name or "") or None


def _limit(record: Record, factor: float, stated: float, report: RowReport) -> float | None:
    """Limit that applies to one value, NaN where there is none; None, with a finding, where it makes no sense."""
    value, numbers, line = record.numbers["DV"], record.numbers, record.line
    mark, quantification = numbers.get("CENS"), numbers.get("LLOQ")
    before = len(report.findings)
    if mark not in (None, 0.0, 1.0):
        hint = "write 1 for a value below the limit, else 0"
        report.refuse(line, "CENS", f"censoring of kind {mark:g}", hint)
    if record.given("LIMIT"):
        report.refuse(line, "LIMIT", "censoring within an interval", "write 0: the value lies below the limit")
    if quantification is not None and quantification <= 0.0:
        report.add(line, "E_CENSORING", "LLOQ", f"{quantification:g} is not above zero", "write '.' where none applies")
    limit = stated if quantification is None else quantification * factor
    if mark == 1.0:
        limit = value * factor if math.isnan(limit) else limit
        if limit <= 0.0:
            report.add(line, "E_CENSORING", "CENS", "is 1, and there is no limit", "write the limit in LLOQ or DV")
        elif value * factor > limit:
            message = f"{value:g} is above its limit, and CENS is 1"
            report.add(line, "E_CENSORING", "DV", message, "write CENS = 0, or correct the limit")
    elif mark == 0.0 and quantification is not None and value < quantification:
        report.add(line, "E_CENSORING", "DV", f"{value:g} is below LLOQ, and CENS is 0", "write CENS = 1")
    return limit if len(report.findings) == before else None
