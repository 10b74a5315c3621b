"""Reads schedules and their courses from TOML, and finds the shipped ones by name.

The words of a course are the same in a schedule, in an arm of an analysis and in a space (where each may be a list).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pkpd
from pkpd import units
from pkpd.domain.dosing import Amount, AmountBasis, Course, Route, Schedule
from pkpd.errors import Finding, SpecError
from pkpd.io.decode import TomlTable, closest_hint, load_toml
from pkpd.io.routes import route_choices, usual_route, why_route_is_needed, wrong_route

SCHEMA = 1
_WHOLE_MINUTE_TOLERANCE = 1e-6
_MOST_DOSES = 10_000
# Words that hold a time, and the smallest number of minutes that each accepts.
_TIME_WORDS: Mapping[str, int] = {
    "every": 1,
    "start": 0,
    "until": 0,
    "on": 1,
    "off": 0,
    "duration": 0,
    "loading_duration": 0,
}


def schedules_folder() -> Path:
    """Folder of the shipped schedules: inside an installed wheel, beside the package in a checkout."""
    package = Path(pkpd.__file__).parent
    installed = package / "_shipped" / "schedules"
    return installed if installed.is_dir() else package.parent / "schedules"


def schedule_names() -> tuple[str, ...]:
    """Names of the shipped reference schedules, sorted."""
    return tuple(sorted(path.stem for path in (schedules_folder() / "reference").glob("*.toml")))


def read_schedule(path_or_name: Path | str, *, setting: str = "human") -> Schedule:
    """Read a schedule from a file, or a shipped one by its name.

    Raises
    ------
    SpecError
        If there is no such schedule, or with everything that is wrong in it.
    """
    path = _locate(path_or_name)
    findings: list[Finding] = []
    table = load_toml(path)
    schedule = read_schedule_table(table, findings, where=path.name, name=path.stem, setting=setting)
    if schedule is None or findings:
        raise SpecError(findings)
    return schedule


def read_schedule_table(
    table: Mapping[str, object], findings: list[Finding], *, where: str, name: str, setting: str = "human"
) -> Schedule | None:
    """Schedule of a decoded file; None, with new findings, where it cannot be used.

    Parameters
    ----------
    where
        File name that starts the `where` of each finding.
    name
        Name of the schedule where the table does not state one.
    """
    before = len(findings)
    words = TomlTable(table, findings, where=where)
    words.ask("course", "source")
    if words.integer("schema") not in (SCHEMA, None):
        words.report("E_SCHEMA", "schema", f"schema {table['schema']} is not known", f"write schema = {SCHEMA}")
    stated_name = words.text("name", required=False)
    title = words.text("title", required=False)
    horizon = _minutes(words, "horizon", required=True)
    words.refuse_unknown()
    if horizon is not None and horizon <= 0:
        words.report("E_COURSE", "horizon", f"'{table['horizon']}' is not after the start", 'write "84 d"')
        horizon = None
    courses = read_courses(table.get("course"), findings, where=where, setting=setting, horizon_min=horizon)
    if len(findings) > before or horizon is None:
        return None
    return Schedule(name=stated_name or name, title=title or "", horizon_min=horizon, courses=courses)


def read_courses(
    value: object, findings: list[Finding], *, where: str, setting: str, horizon_min: int | None
) -> tuple[Course, ...]:
    """All courses of an array of tables `[[course]]`; those that cannot be used are left out and reported."""
    place = f"{where}.course" if ": " in where else f"{where}: course"
    tables = value if isinstance(value, list) else []
    if not tables or not all(isinstance(table, Mapping) for table in tables):
        findings.append(
            Finding(
                code="E_MISSING_KEY",
                where=place,
                message="no dosing course is described",
                hint="write one table [[course]] with drug, amount and every for each course",
            )
        )
        return ()
    read = [
        read_course(table, findings, where=f"{place} {number}", setting=setting, horizon_min=horizon_min)
        for number, table in enumerate(tables, start=1)
    ]
    courses = tuple(course for course in read if course is not None)
    if horizon_min is not None:
        _refuse_coinciding_doses(courses, findings, where=place, horizon_min=horizon_min)
    return courses


def read_course(
    table: Mapping[str, object],
    findings: list[Finding],
    *,
    where: str,
    setting: str = "human",
    horizon_min: int | None = None,
) -> Course | None:
    """One course from its words; None, with new findings, where it cannot be used.

    Parameters
    ----------
    where
        File and table that start the `where` of each finding.
    setting
        Decides the route where the course does not state one.
    horizon_min
        If given, a course that would start after it is refused.
    """
    before = len(findings)
    words = TomlTable(table, findings, where=where)
    drug = words.text("drug", example=_EXAMPLES["drug"])
    amount = _amount(words, "amount", required=True)
    loading = _amount(words, "loading")
    minutes = {key: _minutes(words, key, required=key == "every") for key in _TIME_WORDS}
    route = _route(words, drug, setting)
    words.refuse_unknown()

    for key, smallest in _TIME_WORDS.items():
        value = minutes[key]
        if value is not None and value < smallest:
            problem = "is negative" if value < 0 else "is no time at all"
            words.report("E_COURSE", key, f"'{table[key]}' {problem}", f'write {key} = "{_EXAMPLES[key]}"')
    every, until, on, off = (minutes[key] for key in ("every", "until", "on", "off"))
    start, duration = minutes["start"] or 0, minutes["duration"] or 0
    loading_duration = minutes["loading_duration"]
    if until is not None and until <= start:
        words.report(
            "E_COURSE",
            "until",
            f"ends at {_days(until)}, not after its start at {_days(start)}",
            "both are counted from the start of the schedule",
        )
    if horizon_min is not None and start >= horizon_min:
        words.report(
            "E_COURSE",
            "start",
            f"{_days(start)} is not before the horizon of {_days(horizon_min)}",
            "start earlier or write a later horizon",
        )
    if off is not None and on is None:
        words.report("E_COURSE", "off", "a rest needs the length of the dosing part", 'write on = "21 d" beside off')
    if on is not None and off is None:
        words.report("E_COURSE", "on", "a dosing part needs the length of its rest", 'write off = "7 d" beside on')
    for key, length in (("duration", duration), ("loading_duration", loading_duration)):
        if length and every and length > every > 0:
            words.report(
                "E_COURSE",
                key,
                f"an infusion of {_days(length)} does not end before the next dose in {_days(every)}",
                "shorten the infusion, or write a longer every",
            )
        if length and route is not None and route is not Route.INTRAVENOUS:
            words.report("E_COURSE", key, f"an {route} dose has no infusion time", f"delete {key}")
    if loading_duration is not None and "loading" not in words:
        words.report(
            "E_COURSE", "loading_duration", "there is no loading dose", 'write loading = "400 mg/m2" beside it'
        )

    if len(findings) > before or drug is None or amount is None or every is None or route is None:
        return None
    course = Course(
        drug=drug,
        amount=amount,
        route=route,
        every_min=every,
        start_min=start,
        until_min=until,
        on_min=on,
        off_min=off or 0,
        duration_min=duration,
        loading=loading,
        loading_duration_min=loading_duration,
    )
    too_many = None if horizon_min is None else too_many_doses(course, horizon_min)
    if too_many is not None:
        words.report("E_COURSE", "every", *too_many)
        return None
    return course


def too_many_doses(course: Course, horizon_min: int) -> tuple[str, str] | None:
    """Message and hint where a course has so many doses that its interval must be a slip of the pen; else None."""
    most = course.most_doses(horizon_min)
    if most <= _MOST_DOSES:
        return None
    return (
        f"gives up to {most:,} doses before {_days(horizon_min)}",
        f"write a longer time, at most {_MOST_DOSES:,} doses",
    )


def _minutes(words: TomlTable, key: str, *, required: bool = False) -> int | None:
    text = words.text(key, required=required, example=_EXAMPLES[key])
    if text is None:
        return None
    unit = _EXAMPLES[key].partition(" ")[2]  # in which this time is usually written: the hint shows it
    try:
        value = units.parse(text, to=unit) * units.factor(unit, "min")
    except units.UnitError as error:
        words.report("E_UNIT", key, error.message, error.hint)
        return None
    whole = round(value)
    if abs(value - whole) > _WHOLE_MINUTE_TOLERANCE:
        words.report("E_COURSE", key, f"'{text}' is {value:g} minutes", "write a whole number of minutes")
        return None
    return whole


def _amount(words: TomlTable, key: str, *, required: bool = False) -> Amount | None:
    text = words.text(key, required=required, example=_EXAMPLES[key])
    if text is None:
        return None
    try:
        value, basis = units.parse_amount(text)
    except units.UnitError as error:
        words.report("E_UNIT", key, error.message, error.hint)
        return None
    if value <= 0.0:
        words.report(
            "E_NEGATIVE_DOSE", key, f"'{text}' is not an amount above zero", "leave the course out to give no dose"
        )
        return None
    return Amount(value=value, basis=AmountBasis(basis))


def _route(words: TomlTable, drug: str | None, setting: str) -> Route | None:
    if "route" in words:
        route = words.choice("route", Route)
        wrong = None if route is None or drug is None else wrong_route(drug, setting, route)
        if wrong is not None:
            words.report("E_ROUTE", "route", *wrong)
        return route
    words.ask("route")
    needed = None if drug is None else why_route_is_needed(drug, setting)
    if drug is not None and needed is not None:
        choices = ", ".join(f'"{route}"' for route in route_choices(drug, setting))
        words.report("E_MISSING_KEY", "route", needed, f"write route as one of {choices}")
    return usual_route(drug or "", setting)


_EXAMPLES: Mapping[str, str] = {
    "drug": "palbociclib",
    "amount": "125 mg",
    "every": "24 h",
    "start": "0 d",
    "until": "28 d",
    "on": "21 d",
    "off": "7 d",
    "duration": "1 h",
    "loading": "400 mg/m2",
    "loading_duration": "2 h",
    "horizon": "84 d",
}


def _days(minutes: int) -> str:
    return f"{minutes / 1440:g} d" if minutes % 1440 == 0 else f"{minutes / 60:g} h"


def _refuse_coinciding_doses(
    courses: tuple[Course, ...], findings: list[Finding], *, where: str, horizon_min: int
) -> None:
    """Two doses of a drug at the same minute are a slip of the pen: write one larger dose instead."""
    starts = Counter((dose.drug, dose.time_min) for course in courses for dose in course.doses(horizon_min))
    twice = sorted({drug for (drug, _), count in starts.items() if count > 1})
    for drug in twice:
        first = min(time for (name, time), count in starts.items() if name == drug and count > 1)
        findings.append(
            Finding(
                code="E_DUPLICATE_DOSE",
                where=where,
                message=f"two courses give {drug} at the same time, first at {_days(first)}",
                hint="end one course with until before the next one starts",
            )
        )


def _locate(path_or_name: Path | str) -> Path:
    path = Path(path_or_name)
    if path.suffix == ".toml" or len(path.parts) > 1:
        return path
    names = schedule_names()
    if str(path_or_name) in names:
        return schedules_folder() / "reference" / f"{path_or_name}.toml"
    raise SpecError(
        Finding(
            code="E_UNKNOWN_SCHEDULE",
            where=str(path_or_name),
            message=f"there is no shipped schedule '{path_or_name}'",
            hint=closest_hint(str(path_or_name), names) + "; a file of your own ends in .toml",
        )
    )
