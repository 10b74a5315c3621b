"""Reads a population analysis: `[model] structure`, its parameters with spreads and covariates, residual errors and limits.

It is the second form of an analysis file; the first, for tumors, names a disease. Both share study, columns, units, sources and
sampler options. Everything that is wrong in the file and in its table is found in one pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pkpd import units
from pkpd.domain.evidence import Source
from pkpd.domain.population import (
    COEFFICIENTS,
    POPULATION_ENGINES,
    BlqMethod,
    Correlation,
    CovariateEffect,
    CovariateForm,
    PopulationAnalysis,
    PopulationParameter,
    PopulationStudy,
    ResidualError,
)
from pkpd.domain.prior import Between, Family, Prior, Scale
from pkpd.domain.study import NOT_CENSORED, FitOptions
from pkpd.errors import Finding, Severity, SpecError
from pkpd.io.analysis_tables import read_options, read_setting, read_sources
from pkpd.io.decode import TomlTable, closest_hint, load_toml, read_texts
from pkpd.io.population_layout import PopulationLayout, RowOrder, read_population_layout
from pkpd.io.population_table import read_population_table
from pkpd.io.prior_tables import NONE, read_evidence, read_prior, read_spread
from pkpd.io.structures import (
    compartments,
    endpoint_parameters,
    endpoints,
    output_units,
    parameter_units,
    required_parameters,
    structures,
)

SCHEMA = 1
LOGNORMAL = "lognormal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedPopulation:
    """What could be read of a population analysis; `analysis` is None where there is an error."""

    analysis: PopulationAnalysis | None
    findings: tuple[Finding, ...]


def is_population(path: Path) -> bool:
    """Whether a file is a population analysis: its model is a structure."""
    try:
        model = load_toml(path).get("model")
    except SpecError:
        return False
    return isinstance(model, Mapping) and "structure" in model


def examine_population(path: Path) -> ExaminedPopulation:
    """Read a population analysis as far as it can be read, and collect every finding."""
    findings: list[Finding] = []
    try:
        root = TomlTable(load_toml(path), findings, where=path.name)
    except SpecError as error:
        return ExaminedPopulation(analysis=None, findings=error.findings)
    analysis = _read(root, path, findings)
    unique = tuple(dict.fromkeys(findings))
    failed = any(finding.severity is Severity.ERROR for finding in unique)
    return ExaminedPopulation(analysis=None if failed else analysis, findings=unique)


def read_population(path: Path) -> PopulationAnalysis:
    """Population analysis that can be fitted.

    Raises
    ------
    SpecError
        With everything that is wrong in the file and its table.
    """
    examined = examine_population(path)
    if examined.analysis is None:
        raise SpecError(examined.findings)
    return examined.analysis


def _read(root: TomlTable, path: Path, findings: list[Finding]) -> PopulationAnalysis | None:
    if root.integer("schema") not in (None, SCHEMA):
        root.report("E_SCHEMA", "schema", f"schema {root.values['schema']} is not known", f"write schema = {SCHEMA}")
    name = root.text("name", required=False) or path.stem
    setting, data, order = "human", None, None
    study = root.table("study")
    if study is not None:
        setting = read_setting(study)
        data = study.text("data", example="study.csv")
        order = study.choice("order", RowOrder, required=False)
        study.refuse_unknown()
    sources = read_sources(root)
    structure = _structure(root)
    parameters = _parameters(root, structure, sources)
    layout = read_population_layout(
        root,
        parameters,
        outputs=output_units(structure) if structure else {},
        where=path.name,
        order=order or RowOrder.TIME,
    )
    errors = _errors(root, layout, sources)
    methods, limits = _blq(root, layout)
    correlations = _correlations(root, parameters, sources, written=_written(root))
    options: FitOptions = read_options(root, POPULATION_ENGINES)
    assumptions = read_texts(root, "assumptions")
    root.refuse_unknown()
    if data is None or structure is None:
        return None
    table = path.parent / data
    read = read_population_table(table, layout, methods, limits, structure, findings, name=name, setting=setting)
    if read is None:
        return None
    _refuse_zeros(read, errors, table.name, findings)
    _refuse_unmodeled_rates(read, structure, parameters, where=path.name, findings=findings)
    return PopulationAnalysis(
        name=name,
        study=read,
        structure=structure,
        parameters=parameters,
        errors=errors,
        blq=methods,
        correlations=correlations,
        options=options,
        sources=sources,
        assumptions=assumptions,
        inputs={path.name: _sha256(path), data: _sha256(table)},
        table=table.read_text(encoding="utf-8-sig"),
        text=path.read_text(encoding="utf-8"),
    )


def _refuse_zeros(
    study: PopulationStudy, errors: Mapping[str, ResidualError], name: str, findings: list[Finding]
) -> None:
    """A value that is zero or less has no logarithm."""
    data = study.data
    for endpoint, error in errors.items():
        known = (data["endpoint"].values.astype(str) == endpoint) & (data["censored"].values == NOT_CENSORED)
        count = int(np.sum(data["value"].values[known] <= 0.0))
        if error.model == LOGNORMAL and count:
            findings.append(
                Finding(
                    code="E_ZERO_WITHOUT_LIMIT",
                    where=name,
                    message=f"{count} values of {endpoint} are not above zero, and its error is on the logarithm",
                    hint=f'write [blq.{endpoint}] with a limit, mark the rows with MDV = 1, or choose model = "combined"',
                )
            )


def _refuse_unmodeled_rates(
    study: PopulationStudy,
    structure: str,
    parameters: Mapping[str, PopulationParameter],
    *,
    where: str,
    findings: list[Finding],
) -> None:
    """RATE -1 and -2 leave the rate or the duration of an infusion to the model, which must then have it."""
    names = compartments(structure)
    numbers, rates = (study.data[name].values.tolist() for name in ("compartment", "rate_mg_h"))
    for number, rate in sorted(set(zip(numbers, rates, strict=True))):
        word = {-1.0: "rate", -2.0: "duration"}.get(rate)
        if word is not None and 1 <= number <= len(names) and f"{names[number - 1]}.{word}" not in parameters:
            name = names[number - 1]
            findings.append(
                Finding(
                    code="E_MISSING_PARAMETER",
                    where=f"{where}: compartment.{name}",
                    message=f"RATE {rate:g} leaves the {word} of a dose into '{name}' to the model, and there is none",
                    hint=f"write [compartment.{name}.{word}], or the rate in the table",
                )
            )


def _structure(root: TomlTable) -> str | None:
    model = root.table("model")
    name = None if model is None else model.text("structure", example="one_compartment_oral")
    if model is not None:
        model.refuse_unknown()
    known = structures()
    if model is not None and name is not None and name not in known:
        model.report("E_UNKNOWN_NAME", "structure", f"'{name}' is not a structure", closest_hint(name, known))
        return None
    return name


def _parameters(
    root: TomlTable, structure: str | None, sources: Mapping[str, Source]
) -> dict[str, PopulationParameter]:
    unit = parameter_units(structure) if structure else {}
    found: dict[str, PopulationParameter] = {}
    tables: list[tuple[str, TomlTable]] = []
    table = root.table("parameters")
    if table is not None:
        tables += list(table.tables())
    entries = root.table("compartment", required=False)
    if entries is not None:
        for compartment, inner in entries.tables():
            tables += [(f"{compartment}.{word}", each) for word, each in inner.tables()]
    for name, each in tables:
        if structure and name not in unit:
            message = f"'{name}' is not a parameter of {structure}"
            root.findings.append(
                Finding(code="E_UNKNOWN_PARAMETER", where=each.where, message=message, hint=closest_hint(name, unit))
            )
            continue
        parameter = _parameter(each, name, unit.get(name), sources)
        if parameter is not None:
            found[name] = parameter
    written = {name for name, _ in tables}
    for name in required_parameters(structure) if structure else ():
        if name not in written:
            hint = (
                f'write [parameters.{name}] with typical = {{ family = "lognormal", median = "... {unit[name]}", ... }}'
            )
            root.report("E_MISSING_PARAMETER", f"parameters.{name}", f"{structure} needs {name}", hint)
    return found


def _parameter(
    table: TomlTable, name: str, unit: str | None, sources: Mapping[str, Source]
) -> PopulationParameter | None:
    before = len(table.findings)
    inner = table.table("typical")
    typical = None if inner is None else read_prior(inner, sources=sources, like=unit)
    between = _spread(table, "between", sources, required=True)
    occasion = _spread(table, "occasion", sources, required=False)
    if between is not None and occasion is not None and between.scale is not occasion.scale:
        table.report(
            "E_CONFLICT", "occasion", "family differs from that of between", f'write family = "{between.scale}"'
        )
    covariates = _covariates(table, sources)
    table.refuse_unknown()
    if len(table.findings) > before or typical is None:
        return None
    if (
        Scale.LOG in {each.scale for each in (between, occasion) if each is not None}
        and typical.family is Family.NORMAL
    ):
        table.report(
            "E_CONFLICT", "typical.family", "a normal typical value may be negative, its log-normal spread may not",
            'write family = "lognormal" in typical',
        )  # fmt: skip
        return None
    return PopulationParameter(name=name, typical=typical, between=between, occasion=occasion, covariates=covariates)


def _spread(table: TomlTable, key: str, sources: Mapping[str, Source], *, required: bool) -> Between | None:
    table.ask(key)
    if key not in table:
        if required:
            hint = f'write {key} = "none", or {{ family = "lognormal", sd = 0.3, ... }}'
            table.report("E_MISSING_KEY", key, f"'{key}' is missing: how much do individuals differ?", hint)
        return None
    if table.values[key] == NONE:
        return None
    inner = table.table(key)
    return None if inner is None else read_spread(inner, sources)


def _covariates(table: TomlTable, sources: Mapping[str, Source]) -> tuple[CovariateEffect, ...]:
    found: list[CovariateEffect] = []
    for number, each in enumerate(_array(table, "covariates"), start=1):
        inner = TomlTable(each, table.findings, where=table.place(f"covariates {number}"))
        column = inner.text("column", example="WT")
        form = inner.choice("form", CovariateForm)
        reference: float | str | None
        if form is CovariateForm.CATEGORICAL:
            reference = inner.text("reference", example="male")
            factors = inner.table("factors")
            coefficients = {
                key: _coefficient(factors, key, sources) for key in (factors.values if factors is not None else ())
            }
        else:
            reference = inner.number("reference")
            word = COEFFICIENTS[form] if form is not None else "exponent"
            coefficients = {"": _coefficient(inner, word, sources)} if form is not None else {}
            if form is CovariateForm.POWER and reference is not None and reference <= 0.0:
                inner.report("E_RANGE", "reference", f"{reference:g} is not above zero", "write reference = 70")
        if form is not None:
            inner.refuse_unknown()
        usable = {key: prior for key, prior in coefficients.items() if prior is not None}
        if column is not None and form is not None and reference is not None and len(usable) == len(coefficients):
            found.append(CovariateEffect(column=column, form=form, reference=reference, coefficients=usable))
    return tuple(found)


def _coefficient(table: TomlTable | None, key: str, sources: Mapping[str, Source]) -> Prior | None:
    """A prior, or a plain number that is taken as known."""
    assert table is not None
    if isinstance(table.values.get(key), Mapping):
        inner = table.table(key)
        return None if inner is None else read_prior(inner, sources=sources, like="1")
    value = table.number(key)
    if value is None:
        return None
    from pkpd.domain.evidence import Basis

    return Prior(family=Family.FIXED, location=value, scale=0.0, unit="1", basis=Basis.ASSUMED, source="")


def _array(table: TomlTable, key: str) -> tuple[Mapping[str, Any], ...]:
    table.ask(key)
    value = table.values.get(key, [])
    if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        return tuple(value)
    table.report("E_TYPE", key, "is not a list of tables", f"write {key} = [ {{ ... }} ]")
    return ()


def _errors(root: TomlTable, layout: PopulationLayout, sources: Mapping[str, Source]) -> dict[str, ResidualError]:
    table = root.table("error")
    found: dict[str, ResidualError] = {}
    for endpoint in layout.outputs:
        inner = None if table is None else table.table(endpoint)
        model = None if inner is None else inner.text("model", example="combined")
        if inner is None or model is None:
            continue
        if model not in endpoints():
            inner.report("E_CHOICE", "model", f"'{model}' is not a residual error", closest_hint(model, endpoints()))
            continue
        priors: dict[str, Prior] = {}
        for field, unit in endpoint_parameters(model).items():
            sub = inner.table(field)
            like = layout.outputs[endpoint] if unit == "value" else unit
            prior = None if sub is None else read_prior(sub, sources=sources, like=like)
            if prior is not None:
                factor = units.factor(prior.unit, like)
                priors[field] = prior if factor == 1.0 else _rescaled(prior, factor, like)
        inner.refuse_unknown()
        found[endpoint] = ResidualError(model=model, parameters=priors)
    if table is not None and layout.outputs:  # without a known endpoint that was said already
        table.refuse_unknown()
    return found


def _rescaled(prior: Prior, factor: float, unit: str) -> Prior:
    """The same prior in the unit of the model."""
    from dataclasses import replace

    moves_scale = prior.family in (Family.NORMAL, Family.HALFNORMAL, Family.HALFCAUCHY)
    scale = prior.scale * factor if moves_scale else prior.scale
    return replace(prior, location=prior.location * factor, scale=scale, unit=unit)


def _blq(root: TomlTable, layout: PopulationLayout) -> tuple[dict[str, BlqMethod], dict[str, float]]:
    """Method and limit (in the unit of the output) by endpoint."""
    methods: dict[str, BlqMethod] = {}
    limits: dict[str, float] = {}
    table = root.table("blq", required=False)
    if table is None:
        return methods, limits
    for endpoint, unit in layout.outputs.items():
        inner = table.table(endpoint, required=False)
        if inner is None:
            continue
        method = inner.choice("method", BlqMethod)
        limit = inner.quantity("limit", like=unit, required=False, above=0.0)
        inner.refuse_unknown()
        if method is not None:
            methods[endpoint] = method
        if limit is not None:
            limits[endpoint] = limit.value * units.factor(limit.unit, unit)
    table.refuse_unknown()
    return methods, limits


def _correlations(
    root: TomlTable,
    parameters: Mapping[str, PopulationParameter],
    sources: Mapping[str, Source],
    *,
    written: frozenset[str],
) -> tuple[Correlation, ...]:
    """Correlations; what is wrong with a parameter that is `written` was said where it stands."""
    found: list[Correlation] = []
    used: set[str] = set()
    for number, each in enumerate(_array(root, "correlation"), start=1):
        table = TomlTable(each, root.findings, where=root.place(f"correlation {number}"))
        names = read_texts(table, "parameters")
        shape = table.number("shape", above=0.0)
        _, source = read_evidence(table, sources)
        table.refuse_unknown()
        for name in names:
            if name not in parameters and name in written:
                continue
            if name not in parameters:
                table.report(
                    "E_UNKNOWN_PARAMETER", "parameters", f"'{name}' is not a parameter", closest_hint(name, parameters)
                )
            elif parameters[name].between is None:
                table.report("E_CONFLICT", "parameters", f"{name} does not differ between subjects", "leave it out")
            elif name in used:
                table.report("E_STATED_TWICE", "parameters", f"{name} is correlated twice", "write one block")
            used.add(name)
        if len(names) < 2:
            table.report("E_RANGE", "parameters", "a correlation needs two parameters", "name two or more")
        elif shape is not None and source is not None:
            found.append(Correlation(parameters=names, shape=shape, source=source))
    return tuple(found)


def _written(root: TomlTable) -> frozenset[str]:
    """Names of all parameters that have a table, whatever is in it."""
    parameters, entries = root.values.get("parameters"), root.values.get("compartment")
    names = set(parameters) if isinstance(parameters, Mapping) else set()
    for compartment, words in entries.items() if isinstance(entries, Mapping) else ():
        names |= {f"{compartment}.{word}" for word in words} if isinstance(words, Mapping) else set()
    return frozenset(names)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
