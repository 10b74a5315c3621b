"""Read a model file for simulation from an event table; every finding at once."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pkpd import units
from pkpd.domain.event_model import CovariateEffect, CovariateForm, EventModel, ParameterSpec
from pkpd.errors import Finding
from pkpd.io.decode import TomlTable, closest_hint

ENTRY_UNITS: Mapping[str, str] = {"lag": "h", "bioavailability": "1", "duration": "h", "rate": "mg/h"}
_UNUSABLE = ParameterSpec(value=math.nan)
_MAY_BE_ZERO = ("clearance", "lag", "bioavailability")


def read_event_model(
    values: Mapping[str, object], *, where: str, structures: Mapping[str, StructureFacts], findings: list[Finding]
) -> EventModel:
    """Interpret the content of a model file as far as it can be read; usable only where no error is found.

    What is written and cannot be used is NaN, so that a table is not told that it is missing.

    Parameters
    ----------
    structures
        What is known of each structure, by name.
    """
    top = TomlTable(values, findings, where=where)
    top.integer("schema")
    model = top.table("model")
    name = model.text("structure", example="one_compartment_oral") if model else None
    seed = model.integer("seed", required=False) if model else None
    if model:
        model.refuse_unknown()
    if model and name is not None and name not in structures:
        model.report(
            "E_UNKNOWN_NAME", "structure", f"there is no structure '{name}'", closest_hint(name, sorted(structures))
        )
    facts = structures.get(name or "")
    parameters = _parameters(top, facts)
    entries = _entries(top, facts)
    time_unit, amount_unit = _units(top)
    outputs = _outputs(top, facts)
    correlations = _correlations(top, parameters)
    top.refuse_unknown()
    return EventModel(
        where=where,
        structure=name or "",
        parameters=parameters,
        entries=entries,
        time_unit=time_unit,
        amount_unit=amount_unit,
        output_units=outputs,
        seed=seed or 0,
        correlations=correlations,
    )


class StructureFacts:
    """Names and units of a structure, without its equations."""

    def __init__(
        self,
        parameters: Mapping[str, str],
        compartments: tuple[str, ...],
        outputs: Mapping[str, str],
        optional: frozenset[str] = frozenset(),
        responses: tuple[str, ...] = (),
    ) -> None:
        self.parameters = parameters
        self.optional = optional
        self.compartments = compartments
        self.responses = responses
        self.outputs = outputs


def _parameters(top: TomlTable, facts: StructureFacts | None) -> dict[str, ParameterSpec]:
    table = top.table("parameters")
    if table is None or facts is None:
        return {}
    table.ask(*facts.optional)
    asked = {name: unit for name, unit in facts.parameters.items() if name in table or name not in facts.optional}
    found = {name: _spec(table, name, unit) for name, unit in asked.items()}
    for word in ("lag", "bioavailability"):
        if word in table and word not in facts.parameters:
            table.ask(word)
            hint = f"write it under [compartment.{facts.compartments[0]}]"
            table.report("E_UNKNOWN_KEY", word, f"'{word}' belongs to a compartment", hint)
    table.refuse_unknown()
    return {name: spec for name, spec in found.items() if spec is not None}


def _entries(top: TomlTable, facts: StructureFacts | None) -> dict[str, dict[str, ParameterSpec]]:
    table = top.table("compartment", required=False)
    if table is None or facts is None:
        return {}
    found: dict[str, dict[str, ParameterSpec]] = {}
    for name, inner in table.tables():
        if name not in facts.compartments:
            table.report(
                "E_UNKNOWN_NAME",
                name,
                f"the structure has no compartment '{name}'",
                closest_hint(name, facts.compartments),
            )
            continue
        if name in facts.responses:
            held = [each for each in facts.compartments if each not in facts.responses]
            message = f"'{name}' holds no drug, so that nothing enters it late or in part"
            table.report("E_UNSUPPORTED", name, message, f"write one of {', '.join(held)}")
            continue
        specs = {word: _spec(inner, word, unit) for word, unit in ENTRY_UNITS.items() if word in inner}
        inner.ask(*ENTRY_UNITS)
        inner.refuse_unknown()
        found[name] = {word: spec or _UNUSABLE for word, spec in specs.items()}
    return found


def _spec(table: TomlTable, key: str, unit: str) -> ParameterSpec | None:
    if not isinstance(table.values.get(key), Mapping):
        quantity = table.quantity(key, like=unit)
        return (
            None
            if quantity is None
            else _checked(table, key, ParameterSpec(value=_in(quantity.value, quantity.unit, unit)))
        )
    inner = table.table(key)
    assert inner is not None
    between = inner.table("between", required=False)
    sd = between.number("sd", above=0.0) if between else 0.0
    if between:
        between.refuse_unknown()
    effects = _effects(inner)
    if "column" in inner:
        column = inner.text("column")
        written = inner.text("unit", required=units.dimension_name(unit) != units.dimension_name("1"), example=unit)
        inner.refuse_unknown()
        try:
            factor = (
                units.factor(written or "1", unit) if written or units.dimension_name(unit) == "pure number" else 1.0
            )
        except units.UnitError as error:
            inner.report("E_UNIT", "unit", error.message, error.hint)
            return None
        return ParameterSpec(column=column, factor=factor, effects=effects, between_sd=sd or 0.0)
    quantity = inner.quantity("typical", like=unit)
    inner.refuse_unknown()
    if quantity is None:
        return None
    value = _in(quantity.value, quantity.unit, unit)
    return _checked(table, key, ParameterSpec(value=value, effects=effects, between_sd=sd or 0.0))


def _in(value: float, written: str, unit: str) -> float:
    return value * units.factor(written, unit)


def _checked(table: TomlTable, key: str, spec: ParameterSpec) -> ParameterSpec | None:
    assert spec.value is not None
    if spec.value > 0.0 or (spec.value == 0.0 and key in _MAY_BE_ZERO):
        return spec
    table.report("E_RANGE", key, f"{spec.value:g} is not greater than 0", "write a number above 0")
    return None


def _effects(table: TomlTable) -> tuple[CovariateEffect, ...]:
    table.ask("covariates")
    listed = table.values.get("covariates", [])
    if not isinstance(listed, list) or not all(isinstance(each, Mapping) for each in listed):
        table.report("E_TYPE", "covariates", "is not a list of tables", 'write covariates = [ { column = "WT", ... } ]')
        return ()
    found: list[CovariateEffect] = []
    for number, values in enumerate(listed, start=1):
        inner = TomlTable(values, table.findings, where=table.place(f"covariates.{number}"))
        column, form = inner.text("column", example="WT"), inner.choice("form", CovariateForm)
        word = "exponent" if form is CovariateForm.POWER else "slope"
        levels: dict[str, float] = {}
        reference = coefficient = math.nan
        if form is CovariateForm.CATEGORICAL:
            table_of_levels = inner.table("factors")
            if table_of_levels is not None:
                read = {level: table_of_levels.number(level, above=0.0) for level in table_of_levels.values}
                levels = {level: factor for level, factor in read.items() if factor is not None}
        elif form is not None:
            least = 0.0 if form is CovariateForm.POWER else -math.inf
            reference = inner.number("reference", above=least) or 0.0
            coefficient = inner.number(word) or 0.0
        inner.refuse_unknown()
        if column and form:
            found.append(
                CovariateEffect(column=column, form=form, reference=reference, coefficient=coefficient, factors=levels)
            )
    return tuple(found)


def _units(top: TomlTable) -> tuple[str, str]:
    table = top.table("units")
    if table is None:
        return "h", "mg"
    found = []
    for column, like in (("TIME", "h"), ("AMT", "mg")):
        text = table.text(column, example=like) or like
        try:
            units.factor(text, like)
        except units.UnitError as error:
            table.report("E_UNIT", column, error.message, error.hint)
            text = like
        found.append(text)
    table.refuse_unknown()
    return found[0], found[1]


def _outputs(top: TomlTable, facts: StructureFacts | None) -> dict[str, str]:
    table = top.table("output", required=False)
    if table is None or facts is None:
        return {}
    found: dict[str, str] = {}
    for name, like in facts.outputs.items():
        text = table.text(name, required=False, example=like)
        if text is None:
            continue
        try:
            units.factor(text, like)
        except units.UnitError as error:
            table.report("E_UNIT", name, error.message, error.hint)
            continue
        found[name] = text
    table.refuse_unknown()
    return found


def _correlations(top: TomlTable, parameters: Mapping[str, ParameterSpec]) -> dict[tuple[str, str], float]:
    table = top.table("correlation", required=False)
    found: dict[tuple[str, str], float] = {}
    for first, inner in table.tables() if table else ():
        for second in inner.values:
            value = inner.number(second)
            varying = [name for name, spec in parameters.items() if spec.between_sd > 0.0]
            if first == second or first not in varying or second not in varying:
                hint = "name two parameters that have between = { sd = ... }"
                inner.report("E_CORRELATION", second, f"'{first}' and '{second}' do not both vary", hint)
            elif value is not None and abs(value) >= 1.0:
                inner.report("E_RANGE", second, f"{value:g} is not between -1 and 1", "write a correlation such as 0.5")
            elif value is not None:
                found[first, second] = value
    return found
