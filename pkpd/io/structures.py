"""What the registered structures and residual errors ask of an analysis: names and units, read from their classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pkpd.registry import Registry

# What an event table may give or leave to each compartment.
OF_A_COMPARTMENT = {"lag": "h", "bioavailability": "1", "duration": "h", "rate": "mg/h"}


def structures() -> tuple[str, ...]:
    """Names of the structures."""
    return Registry("pkpd.pk_models", object).names()


def endpoints() -> tuple[str, ...]:
    """Names of the residual errors."""
    return Registry("pkpd.endpoints", object).names()


def parameter_units(structure: str) -> dict[str, str]:
    """Full name of every parameter that an analysis may give -> unit."""
    of_compartments = {
        f"{compartment}.{word}": unit
        for compartment in compartments(structure)
        if compartment not in responses(structure)
        for word, unit in OF_A_COMPARTMENT.items()
    }
    return _body(structure) | of_compartments


def required_parameters(structure: str) -> tuple[str, ...]:
    """Parameters that have no default."""
    fields = dataclasses.fields(_kind(structure))
    optional = {each.name for each in fields if "absent" in each.metadata}
    return tuple(name for name in _body(structure) if name not in optional)


def compartments(structure: str) -> tuple[str, ...]:
    """Compartments, CMT 1 first."""
    return tuple(_kind(structure).compartments)


def responses(structure: str) -> tuple[str, ...]:
    """Compartments that hold no drug and take no dose."""
    return tuple(_kind(structure).responses)


def grows(structure: str) -> bool:
    """Whether a response never comes to rest, so that there is no steady state."""
    return bool(_kind(structure).grows)


def output_units(structure: str) -> Mapping[str, str]:
    """Outputs that may be observed -> unit."""
    return dict(_kind(structure).outputs)


def endpoint_parameters(model: str) -> dict[str, str]:
    """Parameters of a residual error -> unit; `value` is the unit of the endpoint."""
    return _units("pkpd.endpoints", model)


def _kind(structure: str) -> Any:
    return Registry("pkpd.pk_models", object).get(structure)


def _body(structure: str) -> dict[str, str]:
    """Parameters of the structure itself; those of its route are said of a compartment."""
    fields = dataclasses.fields(_kind(structure))
    return {
        each.name: each.metadata["unit"]
        for each in fields
        if "unit" in each.metadata and "neutral" not in each.metadata
    }


def _units(group: str, name: str) -> dict[str, str]:
    kind: Any = Registry(group, object).get(name)
    return {field.name: field.metadata["unit"] for field in dataclasses.fields(kind) if "unit" in field.metadata}
