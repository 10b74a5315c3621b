"""Records of a study through the event engine: outputs at every record, from parameters in the units of the structure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from pkpd.domain.events import EventTable
from pkpd.dynamics.base import AbstractPKModel, parameters_of
from pkpd.dynamics.events.engine import Entry, observed, study_amounts
from pkpd.dynamics.events.mesh import Mesh
from pkpd.dynamics.events.plan import Plan, plan_events


def plan_of(data: xr.Dataset, *, longest_lag_h: float) -> Plan:
    """Plan of the records of a study.

    Parameters
    ----------
    longest_lag_h
        Bound on a lag that is estimated; it matters for doses at steady state only, where a longer lag gives NaN.
    """
    table = EventTable(
        subject=data["record_subject"].values.astype(np.int64),
        time_h=data["record_time_h"].values.astype(np.float64),
        evid=data["evid"].values.astype(np.int64),
        amount_mg=data["amount_mg"].values.astype(np.float64),
        rate=data["rate_mg_h"].values.astype(np.float64),
        interval_h=data["interval_h"].values.astype(np.float64),
        additional=data["additional"].values.astype(np.int64),
        steady=data["steady"].values.astype(np.int64),
        compartment=data["compartment"].values.astype(np.int64),
    )
    return plan_events(table, longest_lag_h=longest_lag_h)


def structure_of[P: AbstractPKModel](kind: type[P], parameters: Mapping[str, Array]) -> P:
    """The structure with those of the parameters that are its own, not of a compartment."""
    return kind.of({name: jnp.asarray(parameters[name]) for name in parameters_of(kind) if name in parameters})


def outputs_at_records(
    kind: type[AbstractPKModel], plan: Plan, parameters: Mapping[str, Array], *, steps: int, mesh: Mesh | None = None
) -> dict[str, Array]:
    """Outputs [subject, record].

    Parameters
    ----------
    parameters
        By name; those of a compartment as `depot.lag`.
    steps
        Per interval, for structures without a closed form.
    mesh
        Takes their place between points.
    """
    model = structure_of(kind, parameters)
    words = tuple(field.name for field in dataclasses.fields(Entry))
    entries = tuple(
        Entry(
            **{
                word: jnp.asarray(parameters[f"{compartment}.{word}"])
                for word in words
                if f"{compartment}.{word}" in parameters
            }
        )
        for compartment in kind.compartments
    )
    return observed(model, study_amounts(model, entries, plan, steps=steps, mesh=mesh))
