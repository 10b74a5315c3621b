"""What a schedule is good for: each file turns outcomes of a simulation into one utility per draw."""

from __future__ import annotations

import dataclasses
import difflib

from pkpd.domain.space import ObjectiveSpec
from pkpd.errors import Finding, SpecError
from pkpd.optimize.base import AbstractObjective
from pkpd.registry import Registry

OBJECTIVES: Registry[AbstractObjective] = Registry("pkpd.objectives", AbstractObjective)


def objective_of(spec: ObjectiveSpec, *, where: str = "space") -> AbstractObjective:
    """The objective that a space names, with its options.

    Raises
    ------
    SpecError
        If no objective has that name, or it has no such option.
    """
    kind = OBJECTIVES.get(spec.name, where=f"{where}: objective.name")
    options = dict(spec.options or {})
    known = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
    findings = [
        Finding(
            code="E_UNKNOWN_KEY",
            where=f"{where}: objective.options.{option}",
            message=f"'{option}' is not an option of {spec.name}",
            hint=_hint(option, known),
        )
        for option in options
        if option not in known
    ]
    if findings:
        raise SpecError(findings)
    return kind(**options)


def _hint(option: str, known: list[str]) -> str:
    near = difflib.get_close_matches(option, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"its options are: {', '.join(known) or 'none'}"
