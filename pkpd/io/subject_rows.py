"""Subjects of an event table: each belongs to one arm and has covariates that do not change."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pkpd.domain.study import ONLY_ARM, Subject
from pkpd.io.layout import Columns, Layout
from pkpd.io.records import Record, RowReport


def read_subjects(records: Sequence[Record], layout: Layout, columns: Columns, report: RowReport) -> dict[str, Subject]:
    """Subjects by name, in order of first appearance."""
    arms: dict[str, str] = {}
    weights: dict[str, float] = {}
    surfaces: dict[str, float] = {}
    for record in records:
        _note_arm(record, arms, report)
        _note_covariate(record, "WT", weights, columns.weight_kg, report)
        _note_covariate(record, "BSA", surfaces, columns.surface_m2, report)
    weight = math.nan if "WT" in columns.names else layout.weight_kg
    surface = math.nan if "BSA" in columns.names else layout.surface_m2
    return {
        name: Subject(name=name, arm=arm, weight_kg=weights.get(name, weight), surface_m2=surfaces.get(name, surface))
        for name, arm in arms.items()
    }


def _note_arm(record: Record, arms: dict[str, str], report: RowReport) -> None:
    arm = record.words.get("ARM", ONLY_ARM)
    first = arms.setdefault(record.subject, arm)
    if arm != first:
        report.add(
            record.line,
            "E_SUBJECT_IN_TWO_ARMS",
            "ARM",
            f"subject {record.subject} is in '{arm}' here and in '{first}' above",
            "a subject belongs to one arm; give the subjects of different arms different names",
        )


def _note_covariate(record: Record, name: str, known: dict[str, float], factor: float, report: RowReport) -> None:
    value = record.numbers.get(name)
    if value is None:
        return
    if value <= 0.0:
        report.add(record.line, "E_NEGATIVE_VALUE", name, f"{value:g} is not above zero", "write '.' where not known")
    elif not math.isclose(known.setdefault(record.subject, value * factor), value * factor):
        report.refuse(
            record.line,
            name,
            f"a covariate that changes over time (subject {record.subject})",
            "repeat the first value, or '.', in the other rows of the subject",
        )
