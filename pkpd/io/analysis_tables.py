"""The tables of an analysis file, one function each: what the data mean, the models, the sampler and the scenarios."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pkpd import units
from pkpd.domain.evidence import Source
from pkpd.domain.study import ENDPOINT_UNITS, ENGINES, SETTINGS, FitOptions, Scenario
from pkpd.io.decode import TomlTable, closest_hint, read_texts
from pkpd.io.layout import MEASURED_COLUMNS, STANDARD_COLUMNS, Layout
from pkpd.registry import Registry

_OF_DV = ("LLOQ", "LIMIT")  # measured in the unit of DV by definition


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """Names of the models and prior files; empty where an analysis holds doses only."""

    disease: str = ""
    combination: str = ""
    growth: str = ""
    drugs: tuple[str, ...] = ()


def read_setting(study: TomlTable) -> str:
    """Setting of the study; `human` after a finding, so that the rest of the file can be read."""
    setting = study.text("setting", example="mouse")
    if setting is None or setting in SETTINGS:
        return setting or "human"
    study.report("E_CHOICE", "setting", f"'{setting}' is not a setting", closest_hint(setting, SETTINGS))
    return "human"


def read_layout(root: TomlTable, *, setting: str, drugs: tuple[str, ...], where: str) -> Layout:
    """How to read the table, from `[columns]`, `[units]`, `[ignore]`, `[observations]` and `[covariates]`."""
    endpoints, lower_limits = _observations(root)
    stated_units, value_units = _units(root, endpoints)
    ignored_columns: tuple[str, ...] = ()
    ignored_observations: tuple[str, ...] = ()
    ignore = root.table("ignore", required=False)
    if ignore is not None:
        ignored_columns = read_texts(ignore, "columns")
        ignored_observations = read_texts(ignore, "observations")
        ignore.refuse_unknown()
    covariates = root.table("covariates", required=False)
    weight = surface = math.nan
    if covariates is not None:
        weight = _measured(covariates, "weight", "kg")
        surface = _measured(covariates, "surface", "m^2")
        covariates.refuse_unknown()
    return Layout(
        setting=setting,
        columns=_columns(root),
        units=stated_units,
        value_units=value_units,
        endpoints=endpoints,
        ignored_columns=ignored_columns,
        ignored_observations=ignored_observations,
        lower_limits=lower_limits,
        weight_kg=weight,
        surface_m2=surface,
        drugs=drugs,
        where=where,
    )


def _columns(root: TomlTable) -> dict[str, str]:
    table = root.table("columns", required=False)
    if table is None:
        return {}
    found: dict[str, str] = {}
    for key in table.values:
        column = table.text(key, example="Mouse")
        if column is None:
            continue
        if key.upper() in found:
            table.report("E_STATED_TWICE", key, f"{key.upper()} is mapped twice", "delete one of the two")
        found[key.upper()] = column
    return found


def _units(root: TomlTable, endpoints: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Units by column, and the unit of DV by endpoint."""
    table = root.table("units", required=False)
    stated: dict[str, str] = {}
    values: dict[str, str] = {}
    names = _known(endpoints)
    for key in table.values if table is not None else ():
        assert table is not None
        name = key.upper()
        if name in _OF_DV:
            table.report("E_UNKNOWN_KEY", key, f"{name} is measured in the unit of DV", "delete it")
        elif name not in MEASURED_COLUMNS:
            known = tuple(column for column in MEASURED_COLUMNS if column not in _OF_DV)
            what = "has no unit" if name in STANDARD_COLUMNS else "is not a standard column"
            table.report("E_UNKNOWN_KEY", key, f"'{key}' {what}", closest_hint(name, known))
        elif name == "DV" and isinstance(table.values[key], Mapping):
            inner = table.table(key)
            for endpoint in names if inner is not None else ():
                assert inner is not None
                values[endpoint] = inner.text(endpoint, example=ENDPOINT_UNITS[endpoint]) or ""
            if inner is not None:
                inner.refuse_unknown()
        else:
            unit = table.text(key, example="h")
            if unit is not None:
                stated[name] = unit
    if "DV" in stated:
        values = dict.fromkeys(names, stated["DV"])
    return stated, values


def _observations(root: TomlTable) -> tuple[dict[str, str], dict[str, float]]:
    """Endpoint by value of DVID ("" where all rows are of one endpoint), and limit by endpoint; "" is an endpoint with a finding."""
    table = root.table("observations", required=False)
    if table is None:
        return {}, {}
    several = table.table("endpoints", required=False)
    endpoints = {} if several is None else {key: _endpoint(several, key) for key in several.values}
    if several is None or "endpoint" in table:
        endpoints[""] = _endpoint(table, "endpoint")
    if several is not None and "endpoint" in table:
        table.report("E_STATED_TWICE", "endpoint", "endpoint and endpoints are both stated", "delete one of the two")
    limits = _lower_limits(table, _known(endpoints))
    table.refuse_unknown()
    return endpoints, limits


def _endpoint(table: TomlTable, key: str) -> str:
    endpoint = table.text(key, example="tumor_volume")
    if endpoint is None or endpoint in ENDPOINT_UNITS:
        return endpoint or ""
    hint = closest_hint(endpoint, ENDPOINT_UNITS)
    table.report("E_UNKNOWN_ENDPOINT", key, f"'{endpoint}' is not an endpoint", hint)
    return ""


def _known(endpoints: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(endpoint for endpoint in endpoints.values() if endpoint))


def _lower_limits(table: TomlTable, endpoints: tuple[str, ...]) -> dict[str, float]:
    if isinstance(table.values.get("lower_limit"), Mapping):
        inner = table.table("lower_limit")
        keys = {endpoint: endpoint for endpoint in endpoints}
    else:
        inner = table
        table.ask("lower_limit")
        keys = dict.fromkeys(endpoints, "lower_limit")
    limits: dict[str, float] = {}
    for endpoint, key in keys.items() if inner is not None else ():
        assert inner is not None
        limit = _measured(inner, key, ENDPOINT_UNITS[endpoint])
        if not math.isnan(limit):
            limits[endpoint] = limit
    if inner is not None and inner is not table:
        inner.refuse_unknown()
    return limits


def _measured(table: TomlTable, key: str, unit: str) -> float:
    """Value above zero with a unit, in `unit`; NaN where it is not stated.

    After a finding it is infinity, so that nobody goes on to say that it is missing.
    """
    if key not in table:
        table.ask(key)
        return math.nan
    quantity = table.quantity(key, like=unit, above=0.0)
    return math.inf if quantity is None else quantity.value * units.factor(quantity.unit, unit)


def read_models(root: TomlTable, *, required: bool, folder: Path) -> ModelChoice:
    """Choice of models; empty where there is no such table.

    Parameters
    ----------
    folder
        Folder of the analysis: a prior file of one's own (`my_tumor.toml`) is looked for from there.
    """
    table = root.table("model", required=required)
    if table is None:
        return ModelChoice()
    disease = table.text("disease", required=required, example="colorectal_pdx")
    combination = table.text("combination", required=False) or "senolysis"
    growth = table.text("growth", required=False) or "gompertz"
    laws = Registry("pkpd.growth_laws", object).names()
    if growth not in laws:
        table.report("E_CHOICE", "growth", f"'{growth}' is not a growth law", closest_hint(growth, laws))
    if "drugs" not in table and required:
        hint = 'write drugs = ["palbociclib", "cetuximab"], or [] for a study of controls'
        table.report("E_MISSING_KEY", "drugs", "'drugs' is missing", hint)
    drugs = read_texts(table, "drugs")
    if len(set(drugs)) < len(drugs):
        table.report("E_STATED_TWICE", "drugs", "a drug is named twice", "name each drug once")
    table.refuse_unknown()
    return ModelChoice(
        disease=_prior_file(disease or "", folder),
        combination=_prior_file(combination, folder),
        growth=growth,
        drugs=tuple(dict.fromkeys(drugs)),
    )


def _prior_file(name: str, folder: Path) -> str:
    return str(folder / name) if name.endswith(".toml") else name


def read_options(root: TomlTable, engines: tuple[str, ...] = ENGINES) -> FitOptions:
    """Options of the sampler, one of `engines`; what is not stated, or wrong, stays at its default."""
    table = root.table("fit", required=False)
    usual = FitOptions()
    if table is None:
        return usual
    counts = {key: table.integer(key, required=False) for key in ("chains", "draws", "tune", "seed")}
    for key, smallest in (("chains", 1), ("draws", 1), ("tune", 0), ("seed", 0)):
        value = counts[key]
        if value is not None and value < smallest:
            table.report("E_RANGE", key, f"{value} is below {smallest}", f"write {key} = {getattr(usual, key)}")
    accept = table.number("target_accept", required=False, above=0.0)
    if accept is not None and accept >= 1.0:
        table.report("E_RANGE", "target_accept", f"{accept:g} is not below 1", "write target_accept = 0.9")
    engine = table.text("engine", required=False)
    if engine is not None and engine not in engines:
        message = f"'{engine}' is not an engine, or not one for this kind of study"
        table.report("E_CHOICE", "engine", message, closest_hint(engine, engines))
    table.refuse_unknown()
    stated = {key: value for key, value in counts.items() if value is not None}
    return FitOptions(
        chains=stated.get("chains", usual.chains),
        draws=stated.get("draws", usual.draws),
        tune=stated.get("tune", usual.tune),
        seed=stated.get("seed", usual.seed),
        target_accept=usual.target_accept if accept is None else accept,
        engine=engine or usual.engine,
    )


def read_scenarios(root: TomlTable, drugs: tuple[str, ...]) -> tuple[Scenario, ...]:
    """Sensitivity runs."""
    root.ask("scenario")
    value = root.values.get("scenario", [])
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        root.report("E_TYPE", "scenario", "is not an array of tables", "write [[scenario]] above each scenario")
        return ()
    scenarios: list[Scenario] = []
    for number, item in enumerate(value, start=1):
        table = TomlTable(item, root.findings, where=root.place(f"scenario {number}"))
        name = table.text("name", example="half the assumed doses")
        factors = table.table("dose_factors")
        found: dict[str, float] = {}
        for drug in factors.values if factors is not None else ():
            assert factors is not None
            factor = factors.number(drug, above=0.0)
            if drug not in drugs:
                message = f"'{drug}' is not a drug of this analysis"
                factors.report("E_UNKNOWN_DRUG", drug, message, closest_hint(drug, drugs))
            elif factor is not None:
                found[drug] = factor
        table.refuse_unknown()
        if name is not None and any(name == scenario.name for scenario in scenarios):
            table.report("E_STATED_TWICE", "name", f"another scenario is named '{name}'", "give each its own name")
        scenarios.append(Scenario(name=name or "", dose_factors=found))
    return tuple(scenarios)


def read_overrides(root: TomlTable) -> dict[str, Mapping[str, object]]:
    """Replacement priors as written; whether they fit is judged beside the priors that they replace."""
    table = root.table("priors", required=False)
    found: dict[str, Mapping[str, object]] = {}
    for name, inner in table.tables() if table is not None else ():
        assert table is not None
        component, dot, field = name.partition(".")
        if not (component and dot and field):
            hint = f'name component and parameter in quotes: [priors."tumor.{name}"]'
            table.report("E_UNKNOWN_KEY", name, f"'{name}' is not component.parameter", hint)
        else:
            found[name] = inner.values
    return found


def read_sources(root: TomlTable) -> dict[str, Source]:
    """Documents that the replaced priors of the analysis name."""
    table = root.table("sources", required=False)
    found: dict[str, Source] = {}
    for key, inner in table.tables() if table is not None else ():
        title = inner.text("title", example="Sun W, Wang DD. Ann Oncol 2014")
        doi, url = inner.text("doi", required=False), inner.text("url", required=False)
        section, read = inner.text("section", required=False), inner.day("read", required=False)
        inner.refuse_unknown()
        locator = f"doi:{doi}" if doi else url or ""
        found[key] = Source(key=key, title=title or "", locator=locator, section=section or "", read=read)
    return found
