"""What one prior file says: its header, sources, and one component for each setting.

The header names the kind: `priors/drugs/palbociclib.toml` starts with `[drug]`. Parameters are checked against the
fields that their model declares.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from pkpd import units
from pkpd.domain.dosing import Route
from pkpd.domain.evidence import Source
from pkpd.domain.prior import Component, Level, ParameterPrior, PublishedFact
from pkpd.io.decode import TomlTable, closest_hint, read_texts, unknown_source
from pkpd.io.prior_references import SHARED, Block, follow
from pkpd.io.prior_tables import Entry, read_entry
from pkpd.registry import Registry

SCHEMA = 1
SETTINGS = ("in_vitro", "mouse", "human")
_PER_WEIGHT = ("L/h", "L", "mg/h")  # what scales with the body, and may be written per kg for an animal


class Kind(StrEnum):
    """Kinds of prior files: the name of the header table."""

    DRUG = "drug"
    DISEASE = "disease"
    COMBINATION = "combination"
    TOXICITY = "toxicity"
    POPULATION = "population"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorFile:
    """Everything that one prior file says.

    Attributes
    ----------
    components
        By setting.
    """

    kind: Kind
    name: str
    title: str
    path: Path
    components: Mapping[str, Component]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a kind keeps its parameters: `[SETTING.part.FIELD]`; components are named `component`, or as the file."""

    folder: str
    part: str
    component: str = ""


LAYOUTS = {
    Kind.DRUG: Layout("drugs", "pk"),
    Kind.DISEASE: Layout("diseases", "tumor", "tumor"),
    Kind.COMBINATION: Layout("combinations", "tumor", "tumor"),
    Kind.TOXICITY: Layout("toxicities", "neutrophils", "neutrophils"),
    Kind.POPULATION: Layout("populations", "population", "population"),
}
_NO_PARAMETERS = ("model", "routes")
_TARGET_UNITS = {"unbound_fraction": "1", "tissue_ratio": "1"}
_POPULATION_UNITS = {"weight": "kg", "surface": "m2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    kind: Kind
    name: str
    title: str
    model: str = ""
    target: str = ""
    molar_mass: float = float("nan")
    effects_of: str = ""


def decode_prior_file(root: TomlTable, path: Path) -> PriorFile | None:
    """Content of a prior file; what is wrong with it is added to the findings of `root`."""
    if root.integer("schema") not in (None, SCHEMA):
        root.report("E_SCHEMA", "schema", f"schema {root.values['schema']} is not known", f"write schema = {SCHEMA}")
    sources = _sources(root)
    header = _header(root, sources)
    root.ask(*SETTINGS, SHARED)
    root.refuse_unknown()
    if header is None:
        return None
    blocks = {
        setting: _read_setting(table, header, setting, sources)
        for setting in (SHARED, *SETTINGS)
        if (table := root.table(setting, required=False)) is not None
    }
    shared = blocks.pop(SHARED, Block())
    components = {
        setting: Component(
            name=LAYOUTS[header.kind].component or header.name,
            setting=setting,
            model=block.model,
            parameters=follow(setting, blocks, shared, root.findings),
            residuals=block.residuals,
            target=header.target,
            molar_mass=header.molar_mass,
            effects_of=header.effects_of,
            routes=block.routes,
            sources=sources,
            published=block.published,
        )
        for setting, block in blocks.items()
    }
    return PriorFile(kind=header.kind, name=header.name, title=header.title, path=path, components=components)


def _header(root: TomlTable, sources: Mapping[str, Source]) -> _Header | None:
    root.ask(*Kind)
    kinds = [kind for kind in Kind if kind in root]
    if len(kinds) != 1:
        found = " and ".join(f"[{kind}]" for kind in kinds) or "none"
        hint = f"start the file with one of {', '.join(f'[{kind}]' for kind in Kind)}"
        root.report("E_KIND", "header", f"a prior file has one header table, found {found}", hint)
        return None
    kind = kinds[0]
    table = root.table(kind)
    if table is None:
        return None
    name = table.text("name", example="palbociclib") or ""
    title = table.text("title", required=False) or name
    if kind is Kind.DRUG:
        mass = table.quantity("molar_mass", like="g/mol", above=0.0)
        target = table.text("target", example="cdk46") or ""
        key = table.text("source", example="label")
        if key is not None and key not in sources:
            table.report(*unknown_source(key, sources))
        grams = float("nan") if mass is None else mass.value * units.factor(mass.unit, "g/mol")
        borrowed = table.text("effects_of", required=False) or ""
        header = _Header(kind=kind, name=name, title=title, target=target, molar_mass=grams, effects_of=borrowed)
    elif kind in (Kind.COMBINATION, Kind.TOXICITY):
        model = table.text("model", example="senolysis") or ""
        header = _Header(kind=kind, name=name, title=title, model=model)
    else:
        header = _Header(kind=kind, name=name, title=title)
    table.refuse_unknown()
    return header


def _sources(root: TomlTable) -> dict[str, Source]:
    tables = root.table("sources")
    return {} if tables is None else {key: _source(key, table) for key, table in tables.tables()}


def _source(key: str, table: TomlTable) -> Source:
    title = table.text("title", example="Sun W, Wang DD. Ann Oncol 2014") or ""
    doi, url = table.text("doi", required=False), table.text("url", required=False)
    section = table.text("section", required=doi is not None or url is not None, example="table 2") or ""
    read = table.day("read", required=doi is not None or url is not None)
    table.refuse_unknown()
    return Source(key=key, title=title, locator=f"doi:{doi}" if doi else url or "", section=section, read=read)


def _read_setting(table: TomlTable, header: _Header, setting: str, sources: Mapping[str, Source]) -> Block:
    entries: dict[str, Entry] = {}
    written: set[str] = set()
    model, routes = header.model, ()
    part = table.table(LAYOUTS[header.kind].part, required=header.kind is Kind.DRUG)
    if part is not None:
        if header.kind is Kind.DRUG:
            model = part.text("model", example="two_compartment_oral") or ""
            routes = _routes(part)
        declared = _declared(header.kind, model, part)
        entries |= _entries(part, sources, declared, animal=setting == "mouse", complete=_is_complete(header.kind))
        written |= part.values.keys()
    target = table.table("target", required=False) if header.kind is Kind.DRUG else None
    if target is not None:
        entries |= _entries(target, sources, _TARGET_UNITS, animal=False, complete=True)
    residuals = table.table("residual", required=False)
    published = table.table("published", required=False)
    table.refuse_unknown()
    return Block(
        model=model,
        routes=routes,
        written=frozenset(written),
        entries=entries,
        residuals={} if residuals is None else _residuals(residuals, sources),
        published=() if published is None else _facts(published, sources),
    )


def _routes(part: TomlTable) -> tuple[Route, ...]:
    known = tuple(str(route) for route in Route)
    if not part.values.get("routes"):
        hint = f'write routes = ["oral"], with one or more of {", ".join(known)}'
        part.report("E_MISSING_KEY", "routes", "the routes that the model holds for are missing", hint)
    written = read_texts(part, "routes")
    for text in written:
        if text not in known:
            part.report("E_ROUTE", "routes", f"'{text}' is not a route", closest_hint(text, known))
    return tuple(Route(text) for text in written if text in known)


def _residuals(table: TomlTable, sources: Mapping[str, Source]) -> dict[str, ParameterPrior]:
    found: dict[str, ParameterPrior] = {}
    for endpoint, inner in table.tables():
        entry = read_entry(inner, f"residual.{endpoint}", sources=sources, like="1")
        if entry is not None and entry.prior is None:
            inner.report("E_CONFLICT", "typical", "a residual cannot be tied", "write typical = { family = ... }")
        elif entry is not None and entry.prior is not None:
            found[endpoint] = entry.prior
    return found


def _facts(table: TomlTable, sources: Mapping[str, Source]) -> tuple[PublishedFact, ...]:
    found = (_fact(name, inner, sources) for name, inner in table.tables())
    return tuple(fact for fact in found if fact is not None)


def _is_complete(kind: Kind) -> bool:
    """Whether a file of this kind gives every parameter of its model; a tumor's stand in two files."""
    return kind in (Kind.DRUG, Kind.TOXICITY)


def _declared(kind: Kind, model: str, part: TomlTable) -> Mapping[str, str] | None:
    """Parameter -> unit of the model; None, with a finding, where there is no such model."""
    if kind is Kind.POPULATION:
        return _POPULATION_UNITS
    if kind is Kind.DISEASE:
        every = (_units_of(group, name) for group in ("pkpd.growth_laws", "pkpd.pd_models") for name in _names(group))
        return {field: unit for fields in every for field, unit in fields.items()}
    if not model:
        return None
    group = "pkpd.pk_models" if kind is Kind.DRUG else "pkpd.pd_models"
    if model not in _names(group):
        part.report("E_UNKNOWN_NAME", "model", f"there is no model '{model}'", closest_hint(model, _names(group)))
        return None
    fields = dict(_units_of(group, model))
    if kind is Kind.COMBINATION:  # a combination may say what is usual for growth; a disease may replace it
        fields |= {
            field: unit
            for name in _names("pkpd.growth_laws")
            for field, unit in _units_of("pkpd.growth_laws", name).items()
        }
    return fields


@cache
def _registry(group: str) -> Registry[object]:
    return Registry(group, object)


def _names(group: str) -> tuple[str, ...]:
    return _registry(group).names()


@cache
def _units_of(group: str, name: str) -> Mapping[str, str]:
    model = _registry(group).get(name)
    fields = dataclasses.fields(model)  # pyright: ignore[reportArgumentType]  # every registered model is a dataclass
    return {field.name: field.metadata["unit"] for field in fields if "unit" in field.metadata}


def _entries(
    part: TomlTable, sources: Mapping[str, Source], declared: Mapping[str, str] | None, *, animal: bool, complete: bool
) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for name in part.values:
        if name in _NO_PARAMETERS:
            continue
        table = part.table(name)
        if table is None:
            continue
        if declared is not None and name not in declared:
            part.report(
                "E_UNKNOWN_KEY", name, f"'{name}' is not a parameter of the model", closest_hint(name, declared)
            )
            continue
        like = None if declared is None else _expected_unit(table, declared[name], animal=animal)
        entry = read_entry(table, name, sources=sources, like=like)
        if entry is not None:
            found[name] = entry
    for name in declared or {} if complete else ():
        if name not in part.values:
            hint = f"write a table [{part.where.partition(': ')[2]}.{name}] with typical and between"
            part.report("E_MISSING_PARAMETER", name, f"the model needs '{name}'", hint)
    return found


def _expected_unit(table: TomlTable, declared: str, *, animal: bool) -> str:
    """The declared unit, or its form per kg body weight where the file of an animal is written so."""
    typical = table.values.get("typical")
    if not animal or declared not in _PER_WEIGHT or not isinstance(typical, Mapping):
        return declared
    written = next((str(typical[key]) for key in ("median", "mean", "value", "sd") if key in typical), "")
    return f"{declared}/kg" if "/kg" in written.replace(" ", "") else declared


def _fact(name: str, table: TomlTable, sources: Mapping[str, Source]) -> PublishedFact | None:
    statistic = table.text("statistic", example="half_life")
    value = table.quantity("value")
    unit = None if value is None else value.unit
    low = table.quantity("low", like=unit, required=False)
    high = table.quantity("high", like=unit, required=False)
    key = table.text("source", example="label")
    level = table.choice("level", Level)
    schedule, note = table.text("schedule", required=False) or "", table.text("note", required=False) or ""
    table.refuse_unknown()
    if key is not None and key not in sources:
        table.report(*unknown_source(key, sources))
    if level is Level.BOUND and (low is None or high is None):
        table.report("E_MISSING_KEY", "low", "a bound has two ends", 'write low = "0 %" and high = "15 %"')
    if statistic is None or value is None or key is None or level is None:
        return None
    return PublishedFact(
        name=name,
        statistic=statistic,
        value=value.value,
        unit=value.unit,
        source=key,
        level=level,
        low=None if low is None else low.value * units.factor(low.unit, value.unit),
        high=None if high is None else high.value * units.factor(high.unit, value.unit),
        schedule=schedule,
        note=note,
    )
