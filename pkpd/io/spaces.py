"""Reads a space of schedules: the words of a course, with a list wherever there is a choice.

    [choose.palbociclib]
    amount = ["75 mg", "100 mg", "125 mg"]
    every  = "24 h"
    start  = { from = "0 d", to = "28 d", step = "7 d" }
    one_of = [{ on = "21 d", off = "7 d" }, { on = "5 d", off = "2 d" }, {}]      # words that go together
    omit   = true                                                                 # the drug may be left out

Every combination becomes a course. Combinations that end before they start are dropped without a word; combinations
that give the same doses within the horizon are one choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pkpd import units
from pkpd.domain.dosing import MINUTES_PER_DAY, Schedule
from pkpd.domain.space import ConstraintSpec, Measure, ObjectiveSpec, OrderSpec, RiskSpec, ScheduleSpace
from pkpd.errors import Finding, SpecError
from pkpd.io.decode import TomlTable, closest_hint, load_toml
from pkpd.io.schedules import read_course, read_schedule, schedule_names, schedules_folder
from pkpd.io.space_choices import read_choices, read_minutes, weekday_of_day_0

MOST_SCHEDULES = 1_000_000
# Statistics that a simulation gives, with the unit that it gives them in.
CONSTRAINED: Mapping[tuple[str, str], str] = {("neutrophils", "minimum"): "1e9/L"}


def space_names() -> tuple[str, ...]:
    """Names of the shipped spaces, sorted."""
    return tuple(sorted(path.stem for path in (schedules_folder() / "spaces").glob("*.toml")))


def read_space(path_or_name: Path | str) -> ScheduleSpace:
    """Read a space from a file, or a shipped one by its name.

    Raises
    ------
    SpecError
        If there is no such space, or with everything that is wrong in it.
    """
    path = _locate(path_or_name)
    findings: list[Finding] = []
    table = TomlTable(load_toml(path), findings, where=path.name)
    space = _read(table, findings, name=path.stem, folder=path.parent)
    if space is None or findings:
        raise SpecError(tuple(dict.fromkeys(findings)))
    return space


def _read(table: TomlTable, findings: list[Finding], *, name: str, folder: Path) -> ScheduleSpace | None:
    if table.integer("schema") not in (None, 1):
        table.report("E_SCHEMA", "schema", f"schema is {table.values['schema']!r}", "write schema = 1")
    table.ask("title", "source", "constraint", "reference", "order")
    horizon_min = read_minutes(table, "horizon", example="84 d")
    if horizon_min is None or horizon_min <= 0:
        if horizon_min is not None:
            table.report("E_RANGE", "horizon", f"'{table.values['horizon']}' is not after the start", 'write "84 d"')
        horizon_min = None
    day_0 = weekday_of_day_0(table)
    choices = read_choices(table, findings, horizon_min=horizon_min, day_0=day_0)
    objective = _objective(table)
    margin = _fraction(table, "equivalence_margin", default=0.01, most=float("inf"))
    required = _fraction(table, "required_probability", default=0.8, most=1.0)
    constraints = _constraints(table, findings)
    references = _references(table, horizon_min, folder=folder)
    order = _order(table, findings, horizon_min)
    table.refuse_unknown()
    if findings or horizon_min is None or objective is None:
        return None
    space = ScheduleSpace(
        name=table.text("name", required=False) or name,
        horizon_min=horizon_min,
        choices=choices,
        references=references,
        objective=objective,
        constraints=constraints,
        equivalence_margin=margin,
        required_probability=required,
        order=order,
    )
    if not 1 <= space.size <= MOST_SCHEDULES:
        message = f"the space holds {space.size:,} schedules; 1 to {MOST_SCHEDULES:,} can be searched"
        table.report("E_SPACE_SIZE", "choose", message, "choose other lists, or coarser ranges")
        return None
    return space


def _fraction(table: TomlTable, key: str, *, default: float, most: float) -> float:
    value = table.number(key, required=False)
    if value is None:
        return default
    if not 0.0 <= value <= most:
        table.report("E_RANGE", key, f"{value:g} is not between 0 and {most:g}", f"write {key} = {default}")
    return value


def _objective(table: TomlTable) -> ObjectiveSpec | None:
    words = table.table("objective")
    if words is None:
        return None
    name = words.text("name", example="tumor_burden")
    risk = words.table("risk", required=False)
    options = words.table("options", required=False)
    spec = RiskSpec()
    if risk is not None:
        measure = risk.choice("measure", Measure) or Measure.MEAN
        tail = risk.number("tail", required=measure is Measure.CVAR)
        if tail is not None and not 0.0 < tail <= 1.0:
            risk.report("E_RANGE", "tail", f"{tail:g} is not above 0 and at most 1", "write tail = 0.2")
        spec = RiskSpec(measure=measure, tail=spec.tail if tail is None else tail)
        risk.refuse_unknown()
    values = {}
    if options is not None:
        values = {key: number for key in options.values if (number := options.number(key)) is not None}
    words.refuse_unknown()
    return None if name is None else ObjectiveSpec(name=name, risk=spec, options=values or None)


def _constraints(table: TomlTable, findings: list[Finding]) -> tuple[ConstraintSpec, ...]:
    constraints = []
    for number, row in enumerate(_tables(table, "constraint", findings), start=1):
        words = TomlTable(row, findings, where=f"{table.where}: constraint {number}")
        endpoint, statistic = words.text("endpoint", example="neutrophils"), words.text("statistic", example="minimum")
        limit = words.number("max_probability")
        if limit is not None and not 0.0 <= limit <= 1.0:
            hint = "write max_probability = 0.10"
            words.report("E_RANGE", "max_probability", f"{limit:g} is not a probability", hint)
        below = words.text("below", example="0.5e9/L")
        unit = CONSTRAINED.get((endpoint or "", statistic or ""))
        if unit is None and endpoint is not None and statistic is not None:
            known = ", ".join(f"{statistic} of {endpoint}" for endpoint, statistic in CONSTRAINED)
            message = f"no simulation gives the {statistic} of {endpoint}"
            words.report("E_CHOICE", "statistic", message, f"known: {known}")
        words.refuse_unknown()
        if unit is None or below is None or limit is None or endpoint is None or statistic is None:
            continue
        try:
            value = units.parse(below, to=unit)
        except units.UnitError as error:
            words.report("E_UNIT", "below", error.message, error.hint or 'write below = "0.5e9/L"')
            continue
        constraints.append(
            ConstraintSpec(endpoint=endpoint, statistic=statistic, below=value, unit=unit, max_probability=limit)
        )
    return tuple(constraints)


def _tables(table: TomlTable, key: str, findings: list[Finding]) -> list[Mapping[str, object]]:
    value = table.values.get(key, [])
    if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        return value
    findings.append(
        Finding(code="E_TYPE", where=table.place(key), message="is not a list of tables", hint=f"write [[{key}]]")
    )
    return []


def _references(table: TomlTable, horizon_min: int | None, *, folder: Path) -> tuple[Schedule, ...]:
    names = table.values.get("reference", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        table.report("E_TYPE", "reference", "is not a list of names", f'write reference = ["{schedule_names()[0]}"]')
        return ()
    references = []
    for name in names:
        try:
            schedule = read_schedule(folder / name if name.endswith(".toml") else name)
        except SpecError as error:
            table.findings.extend(replace(finding, where=table.place("reference")) for finding in error.findings)
            continue
        if horizon_min is not None and schedule.horizon_min < horizon_min:
            days = schedule.horizon_min / MINUTES_PER_DAY
            message = f"'{name}' is written for {days:g} d, less than the horizon of the space"
            table.report("E_HORIZON", "reference", message, "write the schedule out to the horizon of the space")
        elif horizon_min is not None:
            references.append(replace(schedule, name=Path(name).stem, horizon_min=horizon_min))
    return tuple(references)


def _order(table: TomlTable, findings: list[Finding], horizon_min: int | None) -> OrderSpec | None:
    words = table.table("order", required=False)
    if words is None:
        return None
    block_min = read_minutes(words, "block", example="28 d")
    words.ask("course")
    words.refuse_unknown()
    rows = _tables(words, "course", findings)
    courses = [
        read_course(row, findings, where=f"{table.where}: order.course {number}", horizon_min=horizon_min)
        for number, row in enumerate(rows, start=1)
    ]
    for row in rows:
        for key in ("start", "until", "on", "off"):
            if key in row:
                words.report("E_ORDER", "course", f"'{key}' is set by the block", f"delete {key}")
    found = [course for course in courses if course is not None]
    if len(rows) != 2 or len({row.get("drug") for row in rows}) != 2:
        hint = "write [[order.course]] for the drug that induces senescence, then for its partner"
        words.report("E_ORDER", "course", "an order needs one course of each of two drugs", hint)
        return None
    if block_min is not None and horizon_min is not None and not 0 < 2 * block_min <= horizon_min:
        message = f"two blocks of '{words.values['block']}' do not fit in the horizon"
        words.report("E_ORDER", "block", message, "write a block of at most half of the horizon")
    if block_min is None or len(found) != 2:
        return None
    return OrderSpec(inducer=found[0], partner=found[1], block_min=block_min)


def _locate(path_or_name: Path | str) -> Path:
    path = Path(path_or_name)
    if path.suffix == ".toml" or len(path.parts) > 1:
        return path
    if str(path_or_name) in space_names():
        return schedules_folder() / "spaces" / f"{path_or_name}.toml"
    hint = f"{closest_hint(str(path_or_name), space_names())}; a file of your own ends in .toml"
    message = f"there is no shipped space '{path_or_name}'"
    raise SpecError(Finding(code="E_UNKNOWN_SPACE", where=str(path_or_name), message=message, hint=hint))
