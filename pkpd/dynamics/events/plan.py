"""Host side of the event engine: counts every dose that a table gives, and pads subjects to one shape."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from pkpd.domain.events import EventTable

NEVER_H = 1e12
NO_CHANGE, EMPTY, STEADY, STEADY_ADDED = range(4)  # what a record does to the amounts before its dose
_ROUNDING = 1e-9


class Items(eqx.Module):
    """Doses of one subject, ADDL and SS written out, padded with zero amounts."""

    nominal_h: Float[Array, "*subject item"]
    """Time without lag."""
    owner: Int[Array, "*subject item"]
    """Record whose parameters give lag, bioavailability, duration and rate."""
    source: Int[Array, "*subject item"]
    """Record of the dose."""
    compartment: Int[Array, "*subject item"]
    amount_mg: Float[Array, "*subject item"]
    rate: Float[Array, "*subject item"]
    """As in the table; 0 for a bolus."""
    until_h: Float[Array, "*subject item"]
    """Reset that cancels what is pending."""
    past: Float[Array, "*subject item"]
    """Number of intervals before the record, for the history of a steady state; else 0."""
    interval_h: Float[Array, "*subject item"]


class Changes(eqx.Module):
    """Records that empty or fill the system before their own dose."""

    record: Int[Array, "*subject change"]
    kind: Int[Array, "*subject change"]
    amount_mg: Float[Array, "*subject change"]
    rate: Float[Array, "*subject change"]
    interval_h: Float[Array, "*subject change"]
    compartment: Int[Array, "*subject change"]
    history: Float[Array, "*subject change"]
    """Doses before the record that are written out; a steady state that needs more becomes NaN."""


class Plan(eqx.Module):
    """Static shape of a study: every array starts with the subject.

    Attributes
    ----------
    time_h
        Of each record, rising; padded with the last one.
    rows
        Row of the table of each record, -1 where padded.
    subject_of_row, record_of_row
        Where each row of the table is found.
    infused
        Compartments that get a constant-rate input somewhere in the study, counted from 0.
    has_steady
        Whether any record asks for a steady state.
    """

    time_h: Float[Array, "subject record"]
    boluses: Items
    infusions: Items
    changes: Changes
    rows: NDArray[np.int64]
    subject_of_row: NDArray[np.int64]
    record_of_row: NDArray[np.int64]
    infused: tuple[int, ...] = eqx.field(static=True)
    has_steady: bool = eqx.field(static=True)


def plan_events(
    table: EventTable, *, longest_lag_h: float = 0.0, longest_infusion_h: float | None = None, padded: bool = False
) -> Plan:
    """Count and date everything of a table that does not depend on a parameter.

    Parameters
    ----------
    longest_lag_h, longest_infusion_h
        Bounds of lags and infusions of SS doses; they decide how many earlier doses may still be under way. By default
        no lag, and infusions of AMT / RATE.
    padded
        Round counts up, so that tables of similar size share one compilation.
    """
    order = np.split(np.arange(table.subject.size), np.flatnonzero(np.diff(table.subject)) + 1)
    subjects = [_Subject(table, rows, longest_lag_h, longest_infusion_h) for rows in order]
    count = _room(max(len(rows) for rows in order), padded)
    times = np.stack([np.pad(one.time_h, (0, count - one.time_h.size), mode="edge") for one in subjects])
    rows = np.stack([np.pad(rows, (0, count - rows.size), constant_values=-1) for rows in order])
    found_subject, found_record = np.nonzero(rows >= 0)
    return Plan(
        time_h=jnp.asarray(times),
        boluses=_stack(Items, [one.boluses for one in subjects], padded),
        infusions=_stack(Items, [one.infusions for one in subjects], padded),
        changes=_stack(Changes, [one.changes for one in subjects], padded=False),
        rows=rows,
        subject_of_row=found_subject,
        record_of_row=found_record,
        infused=tuple(sorted({int(item["compartment"]) for one in subjects for item in one.infusions})),
        has_steady=bool(np.any(table.steady > 0)),
    )


class _Subject:
    """What one subject's records give, as lists of plain values."""

    def __init__(
        self, table: EventTable, rows: NDArray[np.int64], longest_lag_h: float, longest_infusion_h: float | None
    ) -> None:
        self.time_h = _one_clock(table.time_h[rows], table.is_reset[rows])
        self.boluses: list[dict[str, float]] = []
        self.infusions: list[dict[str, float]] = []
        self.changes: list[dict[str, float]] = []
        empties = table.is_reset[rows] | (table.is_dose[rows] & (table.steady[rows] == 1))
        for record, row in enumerate(rows):
            if not (empties[record] or table.is_dose[row]):
                continue
            amount, rate = float(table.amount_mg[row]), float(table.rate[row])
            interval = float(table.interval_h[row])
            history = 0
            if table.is_dose[row] and table.steady[row]:
                usual = amount / rate if rate > 0.0 else 0.0
                length = (usual if longest_infusion_h is None else longest_infusion_h) if rate else 0.0
                under_way = (longest_lag_h + length) / interval if interval > 0.0 else 0.0
                history = max(math.ceil(under_way - _ROUNDING) - 1, 0)
            kind = EMPTY if empties[record] else NO_CHANGE
            if table.is_dose[row] and table.steady[row]:
                kind = STEADY if table.steady[row] == 1 else STEADY_ADDED
            shared = {
                "rate": rate,
                "amount_mg": amount,
                "interval_h": interval,
                "compartment": int(table.compartment[row]) - 1,
            }
            if kind != NO_CHANGE:
                self.changes.append({**shared, "record": record, "kind": kind, "history": history})
            if not table.is_dose[row] or amount == 0.0:
                continue
            later = np.flatnonzero(empties[record + 1 :])
            until = float(self.time_h[record + 1 + later[0]]) if later.size else NEVER_H
            for repeat in range(-history, int(table.additional[row]) + 1):
                nominal = float(self.time_h[record]) + repeat * interval
                if repeat > 0 and (nominal > self.time_h[-1] + _ROUNDING or nominal >= until - _ROUNDING):
                    break
                owner = record
                if repeat > 0:
                    owner += 1 + int(np.searchsorted(self.time_h[record + 1 :], nominal - _ROUNDING, side="left"))
                (self.infusions if rate else self.boluses).append(
                    {
                        **shared,
                        "nominal_h": nominal,
                        "owner": min(owner, self.time_h.size - 1),
                        "source": record,
                        "until_h": until,
                        "past": max(-repeat, 0),
                    }
                )


def _one_clock(time_h: NDArray[np.float64], resets: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Times that never fall: where a reset starts the clock again, it goes on from the record before."""
    steps = np.diff(time_h)
    again = (steps < 0.0) & resets[1:]
    offset = np.concatenate([[0.0], np.cumsum(np.where(again, -steps, 0.0))])
    return time_h + offset


def _room(count: int, padded: bool) -> int:
    if not padded or count <= 1:
        return count
    unit = max(4, 2 ** (count.bit_length() - 3))
    return -(-count // unit) * unit


def _stack[T: eqx.Module](kind: type[T], lists: list[list[dict[str, float]]], padded: bool) -> T:
    """One array per field, `[subject, item]`; what is padded is never, of nothing."""
    count = _room(max(len(items) for items in lists), padded)
    fields: dict[str, Any] = {}
    for name, annotation in kind.__annotations__.items():
        whole = "Int" in str(annotation)
        empty = NEVER_H if name in ("nominal_h", "until_h") else 1.0 if name == "interval_h" else 0
        rows = [[item.get(name, 0) for item in items] + [empty] * (count - len(items)) for items in lists]
        values = np.asarray(rows, dtype=np.int64 if whole else np.float64).reshape(len(lists), count)
        fields[name] = jnp.asarray(values)
    return kind(**fields)
