"""What a model file says: a structure, and where each of its parameters comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class CovariateForm(StrEnum):
    """How a covariate acts on a typical value."""

    POWER = "power"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"
    CATEGORICAL = "categorical"


@dataclass(frozen=True, slots=True, kw_only=True)
class CovariateEffect:
    """Factor on a typical value: `(x/r)^b`, `1 + b (x - r)`, `exp(b (x - r))`, or one per level.

    Attributes
    ----------
    reference, coefficient
        `r` and `b`; NaN for levels.
    factors
        By level, for the categorical form.
    """

    column: str
    form: CovariateForm
    reference: float
    coefficient: float
    factors: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSpec:
    """A value, or a column of the table, in the unit of the model.

    Attributes
    ----------
    value
        Typical value; None where a column gives it.
    column, factor
        Column of the table and what turns its unit into that of the model.
    between_sd
        Standard deviation, on the log scale, between subjects.
    """

    value: float | None = None
    column: str | None = None
    factor: float = 1.0
    effects: tuple[CovariateEffect, ...] = ()
    between_sd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventModel:
    """A structure with its parameters, as a model file states them.

    Attributes
    ----------
    parameters
        By name.
    entries
        Compartment -> lag, bioavailability, duration, rate.
    time_unit, amount_unit
        Of the table.
    output_units
        Output -> unit.
    correlations
        Pairs of parameters whose deviations between subjects are correlated.
    """

    where: str
    structure: str
    parameters: Mapping[str, ParameterSpec]
    entries: Mapping[str, Mapping[str, ParameterSpec]]
    time_unit: str
    amount_unit: str
    output_units: Mapping[str, str]
    seed: int
    correlations: Mapping[tuple[str, str], float]

    @classmethod
    def unread(cls, where: str) -> EventModel:
        """Nothing is known of the file."""
        return cls(
            where=where,
            structure="",
            parameters={},
            entries={},
            time_unit="h",
            amount_unit="mg",
            output_units={},
            seed=0,
            correlations={},
        )

    @property
    def specs(self) -> dict[str, ParameterSpec]:
        """Every parameter by the name that a message uses."""
        inside = {
            f"compartment.{name}.{word}": spec for name, words in self.entries.items() for word, spec in words.items()
        }
        return {f"parameters.{name}": spec for name, spec in self.parameters.items()} | inside

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table that the model names."""
        used = [spec.column for spec in self.specs.values() if spec.column]
        used += [effect.column for spec in self.specs.values() for effect in spec.effects]
        return tuple(dict.fromkeys(used))
