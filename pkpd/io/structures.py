"""What the registered structures and residual errors ask of an analysis: names and units, read from their classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pkpd.registry import Registry

COMPARTMENT_PARAMETERS = {"lag": "depot.lag", "bioavailability": "depot.bioavailability"}


def structures() -> tuple[str, ...]:
    """Names of the structures."""
    return Registry("pkpd.pk_models", object).names()


def endpoints() -> tuple[str, ...]:
    """Names of the residual errors."""
    return Registry("pkpd.endpoints", object).names()


def parameter_units(structure: str) -> dict[str, str]:
    """Full name of every parameter that an analysis may give -> unit."""
    return {COMPARTMENT_PARAMETERS.get(name, name): unit for name, unit in _units("pkpd.pk_models", structure).items()}


def required_parameters(structure: str) -> tuple[str, ...]:
    """Parameters that have no default."""
    return tuple(name for name in _units("pkpd.pk_models", structure) if name not in COMPARTMENT_PARAMETERS)


def compartments(structure: str) -> tuple[str, ...]:
    """Compartments that a dose may enter, CMT 1 first."""
    return ("depot", "central") if any("absorption" in name for name in parameter_units(structure)) else ("central",)


def output_units(structure: str) -> Mapping[str, str]:
    """Outputs that may be observed -> unit."""
    kind: Any = Registry("pkpd.pk_models", object).get(structure)
    return dict(getattr(kind, "outputs", {"concentration": "mg/L"}))


def endpoint_parameters(model: str) -> dict[str, str]:
    """Parameters of a residual error -> unit; `value` is the unit of the endpoint."""
    return _units("pkpd.endpoints", model)


def _units(group: str, name: str) -> dict[str, str]:
    kind: Any = Registry(group, object).get(name)
    return {field.name: field.metadata["unit"] for field in dataclasses.fields(kind) if "unit" in field.metadata}
