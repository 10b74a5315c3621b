"""Records of a study to predicted outputs at every record.

The seam to the event engine; until it is joined, doses are superposed by the closed forms of the structures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array
from numpy.typing import NDArray

from pkpd.dynamics.base import AbstractPKModel, DoseTable, units_of
from pkpd.errors import Finding, SpecError

DEPOT = {"lag": "depot.lag", "bioavailability": "depot.bioavailability"}
DEFAULT = {"lag": 0.0, "bioavailability": 1.0}
OUTPUTS = {"concentration": "mg/L"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEvents:
    """Records [subject, record], padded with -1, and the doses of all subjects on one clock."""

    rows: NDArray[np.int64]
    time_h: NDArray[np.float64]
    doses: DoseTable


def parameter_units(kind: type[AbstractPKModel]) -> dict[str, str]:
    """Full name of every parameter that an analysis may give -> unit."""
    return {DEPOT.get(name, name): unit for name, unit in units_of(kind).items()}


def required_parameters(kind: type[AbstractPKModel]) -> tuple[str, ...]:
    """Parameters that have no default."""
    return tuple(name for name in units_of(kind) if name not in DEPOT)


def output_units(kind: type[AbstractPKModel]) -> Mapping[str, str]:
    """Outputs of a structure that may be observed -> unit."""
    return OUTPUTS


def events_of(data: xr.Dataset, kind: type[AbstractPKModel]) -> StudyEvents:
    """Lay out the records of a study."""
    subject = np.asarray(data["record_subject"].values)
    if np.any(data["steady"].values != 0) or np.any(data["evid"].values > 2):
        raise SpecError(Finding(code="E_UNSUPPORTED", where="study", message="steady state and resets"))
    counts = np.bincount(subject, minlength=data.sizes["subject"])
    rows = np.full((counts.size, int(counts.max())), -1, dtype=np.int64)
    for index in range(counts.size):
        rows[index, : counts[index]] = np.flatnonzero(subject == index)
    time_h = np.asarray(data["record_time_h"].values)[np.maximum(rows, 0)]
    time_h = np.where(rows >= 0, time_h, time_h.max(axis=1, keepdims=True))
    return StudyEvents(rows=rows, time_h=time_h, doses=_doses(data, subject, counts.size))


def _doses(data: xr.Dataset, subject: NDArray[np.int64], subjects: int) -> DoseTable:
    given = []
    for row in np.flatnonzero(data["evid"].values == 1):
        amount, rate = float(data["amount_mg"].values[row]), float(data["rate_mg_h"].values[row])
        compartment = int(data["compartment"].values[row])
        for repeat in range(int(data["additional"].values[row]) + 1):
            start = float(data["record_time_h"].values[row]) + repeat * float(data["interval_h"].values[row])
            given.append((start, amount / rate if rate > 0 else 0.0, compartment, int(subject[row]), amount))
    keys = sorted({each[:3] for each in given})
    index = {key: position for position, key in enumerate(keys)}
    amounts = np.zeros((len(keys), subjects))
    for each in given:
        amounts[index[each[:3]], each[3]] += each[4]
    return DoseTable(
        time_h=np.asarray([key[0] for key in keys]),  # pyright: ignore[reportArgumentType]
        duration_h=np.asarray([key[1] for key in keys]),  # pyright: ignore[reportArgumentType]
        amount_mg=amounts,  # pyright: ignore[reportArgumentType]
        absorbed=np.asarray([float(key[2] == 1) for key in keys]),  # pyright: ignore[reportArgumentType]
        end_h=float(data["record_time_h"].values.max()),
        all_absorbed=all(key[2] == 1 for key in keys),
        none_infused=all(key[1] == 0.0 for key in keys),
    )


def concentrations(
    kind: type[AbstractPKModel], events: StudyEvents, parameters: Mapping[str, Array]
) -> dict[str, Array]:
    """Outputs [subject, record] under parameters in the units of the model."""
    named = {name: parameters.get(DEPOT.get(name, name), DEFAULT.get(name)) for name in units_of(kind)}
    model = kind.of({name: jnp.asarray(value) for name, value in named.items()})
    return {"concentration": model.concentration(events.doses, jnp.asarray(events.time_h.T)).T}
