"""How to read the event table of a population study: columns, units, endpoints and covariates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pkpd.domain.population import CovariateForm, PopulationParameter
from pkpd.io.decode import TomlTable, closest_hint, read_texts

COLUMNS = (
    *(
        "ID",
        "TIME",
        "DV",
        "AMT",
        "EVID",
        "CMT",
        "MDV",
        "RATE",
        "II",
        "ADDL",
        "SS",
        "CENS",
        "LLOQ",
        "DVID",
        "OCC",
        "ARM",
        "WT",
        "C",
    ),
)
MEASURED = ("TIME", "AMT", "DV", "WT")
SCALES = ("linear", "log")


class RowOrder(StrEnum):
    """In which order the rows of a table stand."""

    TIME = "time"  # those of a subject together and by time; at one time as they act
    ANY = "any"  # they are sorted by subject and time; at one time observations come before doses


class EmptyValues(StrEnum):
    """What becomes of a row that holds neither a value nor a dose."""

    REFUSED = "refused"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationLayout:
    """What the columns of one table mean.

    Attributes
    ----------
    columns
        Standard name -> column of the file, where the two differ.
    units
        Of TIME, AMT, WT, and of DV where all endpoints share one.
    value_units
        Endpoint -> unit of its values as written.
    outputs
        Endpoint -> unit of the output of the structure.
    endpoints
        DVID as written -> endpoint; the one key "" where all rows are of one endpoint.
    ignored_rows
        Column of the file -> cells whose rows are left out.
    logarithm
        Whether DV holds the natural logarithm of the value.
    covariates
        Column -> whether it is categorical.
    missing
        Standard name -> numbers that stand for a missing value.
    order
        How the rows stand.
    empty
        What becomes of observations without a value.
    """

    columns: Mapping[str, str]
    units: Mapping[str, str]
    value_units: Mapping[str, str]
    outputs: Mapping[str, str]
    endpoints: Mapping[str, str]
    ignored_columns: tuple[str, ...]
    ignored_observations: tuple[str, ...]
    ignored_rows: Mapping[str, tuple[str, ...]]
    logarithm: bool
    covariates: Mapping[str, bool]
    missing: Mapping[str, tuple[float, ...]]
    where: str
    order: RowOrder = RowOrder.TIME
    empty: EmptyValues = EmptyValues.REFUSED


def read_population_layout(
    root: TomlTable,
    parameters: Mapping[str, PopulationParameter],
    *,
    outputs: Mapping[str, str],
    where: str,
    order: RowOrder = RowOrder.TIME,
) -> PopulationLayout:
    """Read `[columns]`, `[units]`, `[ignore]` and `[observations]`; covariates are those that the parameters name."""
    endpoints, logarithm, empty = _observations(root, outputs)
    named = tuple(dict.fromkeys(endpoints.values()))
    stated, value_units = _units(root, named, outputs)
    ignore = root.table("ignore", required=False)
    columns, observations = (), ()
    rows: dict[str, tuple[str, ...]] = {}
    if ignore is not None:
        columns, observations = read_texts(ignore, "columns"), read_texts(ignore, "observations")
        inner = ignore.table("rows", required=False)
        rows = {} if inner is None else {key: read_texts(inner, key) for key in inner.values}
        ignore.refuse_unknown()
    return PopulationLayout(
        columns=_columns(root),
        units=stated,
        value_units=value_units,
        outputs={endpoint: outputs[endpoint] for endpoint in named},
        endpoints=endpoints,
        ignored_columns=columns,
        ignored_observations=observations,
        ignored_rows=rows,
        logarithm=logarithm,
        covariates={
            effect.column: effect.form is CovariateForm.CATEGORICAL
            for parameter in parameters.values()
            for effect in parameter.covariates
        },
        missing=_missing(root),
        where=where,
        order=order,
        empty=empty,
    )


def _missing(root: TomlTable) -> dict[str, tuple[float, ...]]:
    table = root.table("missing", required=False)
    found: dict[str, tuple[float, ...]] = {}
    for key, value in table.values.items() if table is not None else ():
        assert table is not None
        if key.upper() not in COLUMNS:
            table.report(
                "E_UNKNOWN_COLUMN", key, f"'{key}' is not a standard column", closest_hint(key.upper(), COLUMNS)
            )
        elif not isinstance(value, list) or not all(isinstance(item, (int, float)) for item in value):
            table.report("E_TYPE", key, f"{value!r} is not a list of numbers", f"write {key} = [99]")
        else:
            found[key.upper()] = tuple(float(item) for item in value)
    return found


def _columns(root: TomlTable) -> dict[str, str]:
    table = root.table("columns", required=False)
    found: dict[str, str] = {}
    for key in table.values if table is not None else ():
        assert table is not None
        column = table.text(key, example="time")
        if key.upper() not in COLUMNS:
            table.report(
                "E_UNKNOWN_COLUMN", key, f"'{key}' is not a standard column", closest_hint(key.upper(), COLUMNS)
            )
        elif column is not None:
            found[key.upper()] = column
    return found


def _units(
    root: TomlTable, endpoints: tuple[str, ...], outputs: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    table = root.table("units")
    stated: dict[str, str] = {}
    values: dict[str, str] = {}
    for key in table.values if table is not None else ():
        assert table is not None
        name = key.upper()
        if name not in MEASURED:
            table.report("E_UNKNOWN_KEY", key, f"'{key}' has no unit here", closest_hint(name, MEASURED))
        elif name == "DV" and isinstance(table.values[key], Mapping):
            inner = table.table(key)
            for endpoint in endpoints if inner is not None else ():
                assert inner is not None
                values[endpoint] = inner.text(endpoint, example=outputs[endpoint]) or ""
            if inner is not None:
                inner.refuse_unknown()
        else:
            unit = table.text(key, example="h")
            if unit is not None:
                stated[name] = unit
    if "DV" in stated:
        values = dict.fromkeys(endpoints, stated["DV"])
    return stated, values


def _observations(root: TomlTable, outputs: Mapping[str, str]) -> tuple[dict[str, str], bool, EmptyValues]:
    table = root.table("observations")
    if table is None:
        return {}, False, EmptyValues.REFUSED
    endpoints: dict[str, str] = {}
    several = table.table("endpoints", required=False)
    for key in several.values if several is not None else ():
        assert several is not None
        endpoint = several.text(key, example="concentration")
        if endpoint is not None and _is_output(several, key, endpoint, outputs):
            endpoints[key] = endpoint
    only = table.text("endpoint", required=several is None, example="concentration")
    if only is not None and several is not None:
        table.report("E_STATED_TWICE", "endpoint", "endpoint and endpoints are both stated", "delete one of the two")
    elif only is not None and _is_output(table, "endpoint", only, outputs):
        endpoints[""] = only
    scale = table.text("scale", required=False, example="log")
    if scale is not None and scale not in SCALES:
        table.report("E_CHOICE", "scale", f"'{scale}' is not a scale", closest_hint(scale, SCALES))
    empty = table.choice("empty", EmptyValues, required=False) or EmptyValues.REFUSED
    table.refuse_unknown()
    return endpoints, scale == "log", empty


def _is_output(table: TomlTable, key: str, endpoint: str, outputs: Mapping[str, str]) -> bool:
    if endpoint in outputs:
        return True
    if outputs:
        message = f"'{endpoint}' is not an output of the structure"
        table.report("E_UNKNOWN_ENDPOINT", key, message, closest_hint(endpoint, outputs))
    return False
