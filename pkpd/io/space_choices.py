"""Expands the choices of a space: every combination of its lists becomes a course, the same doses only once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from pkpd import units
from pkpd.domain.dosing import MINUTES_PER_DAY, Course
from pkpd.domain.space import same_doses_once
from pkpd.errors import Finding
from pkpd.io.decode import TomlTable, closest_hint
from pkpd.io.schedules import read_course

COURSE_WORDS = (
    "amount",
    "every",
    "start",
    "until",
    "on",
    "off",
    "duration",
    "loading",
    "loading_duration",
    "route",
)
MOST_COURSES = 20_000
STAND_IN = "1 d"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_RANGE_EXAMPLES = (("from", "0 d"), ("to", "28 d"), ("step", "7 d"))


def read_choices(
    table: TomlTable, findings: list[Finding], *, horizon_min: int | None, day_0: str | None
) -> dict[str, tuple[Course | None, ...]]:
    """Drug -> the courses that may be chosen, from the tables [choose.DRUG].

    Parameters
    ----------
    day_0
        Weekday of the first day, which ranges with a weekday need.
    """
    choose = table.table("choose")
    if choose is None:
        return {}
    if not choose.values:
        table.report("E_MISSING_KEY", "choose", "no drug is chosen", "write a table [choose.DRUG] for each drug")
    choices = {}
    for drug, words in choose.tables():
        omit = words.values.get("omit", False)
        if not isinstance(omit, bool):
            words.report("E_TYPE", "omit", f"{omit!r} is not true or false", "write omit = true")
        rows = _rows(words, day_0=day_0, known={"omit", "one_of"})
        if len(rows) > MOST_COURSES:
            message = f"the lists make {len(rows):,} courses of {drug}; at most {MOST_COURSES:,} can be searched"
            table.report("E_SPACE_SIZE", "choose", message, "choose shorter lists, or coarser ranges")
            continue
        courses = [
            read_course({"drug": drug, **row}, findings, where=words.where, horizon_min=horizon_min)
            for row in rows
            if not _ends_before_start(row)
        ]
        found = tuple(course for course in courses if course is not None)
        if horizon_min is not None:
            options = same_doses_once((*found, None) if omit is True else found, horizon_min)
            if not options and rows and len(found) == len(courses):
                words.report("E_SPACE_SIZE", "until", "every course ends before it starts", "choose a later until")
            choices[drug] = options
    return choices


def _rows(words: TomlTable, *, day_0: str | None, known: set[str]) -> list[dict[str, object]]:
    """Every combination of the words of one table, words that go together kept together."""
    groups = words.values.get("one_of")
    words.ask(*COURSE_WORDS, *known)
    if "drug" in words.values:
        words.report("E_UNKNOWN_KEY", "drug", "the drug is the name of the table", "delete it")
    plain = {key: value for key, value in words.values.items() if key in COURSE_WORDS and key != "drug"}
    words.refuse_unknown()
    if groups is None:
        return _crossed(words, plain, day_0=day_0)
    if not isinstance(groups, list) or not groups or not all(isinstance(group, Mapping) for group in groups):
        words.report("E_TYPE", "one_of", "is not a list of tables", 'write one_of = [{ on = "21 d", off = "7 d" }, {}]')
        return []
    rows = []
    for number, group in enumerate(groups, start=1):
        inner = TomlTable(group, words.findings, where=f"{words.where}.one_of {number}")
        inner.ask(*COURSE_WORDS)
        inner.refuse_unknown()
        for key in group:
            if key in plain:
                inner.report("E_DUPLICATE_KEY", key, f"'{key}' is also chosen outside of one_of", "keep one of the two")
        rows.extend(
            {**outer, **together}
            for outer in _crossed(words, plain, day_0=day_0)
            for together in _crossed(inner, dict(group), day_0=day_0)
        )
    return rows


def _crossed(words: TomlTable, values: Mapping[str, object], *, day_0: str | None) -> list[dict[str, object]]:
    options = [_options(words, key, value, day_0=day_0) for key, value in values.items()]
    return [dict(zip(values, row, strict=True)) for row in product(*options)]


def _options(words: TomlTable, key: str, value: object, *, day_0: str | None) -> Sequence[object]:
    if isinstance(value, list):
        if not value:
            words.report("E_SPACE_SIZE", key, "the list is empty", "write at least one choice, or delete the word")
        return value
    if isinstance(value, Mapping):
        return _range(TomlTable(value, words.findings, where=words.place(key)), day_0=day_0)
    return [value]


def _range(words: TomlTable, *, day_0: str | None) -> list[str]:
    """Times of a range; one stand-in where it cannot be used, so that the words beside it are still judged."""
    first, last, step = (read_minutes(words, key, example=example) for key, example in _RANGE_EXAMPLES)
    weekdays = _weekdays(words, day_0)
    words.refuse_unknown()
    if first is None or last is None or step is None or weekdays is None:
        return [STAND_IN]
    if step <= 0 or last < first:
        key, message = ("step", "is not above zero") if step <= 0 else ("to", f"is before '{words.values['from']}'")
        hint = 'write { from = "0 d", to = "28 d", step = "7 d" }'
        words.report("E_RANGE", key, f"'{words.values[key]}' {message}", hint)
        return [STAND_IN]
    if (last - first) // step > MOST_COURSES:
        words.report("E_SPACE_SIZE", "step", f"the range holds more than {MOST_COURSES:,} times", "write a longer step")
        return [STAND_IN]
    offset = WEEKDAYS.index(day_0) if day_0 is not None else 0
    times = [
        time
        for time in range(first, last + 1, step)
        if not weekdays or WEEKDAYS[(time // MINUTES_PER_DAY + offset) % len(WEEKDAYS)] in weekdays
    ]
    if not times:
        words.report("E_SPACE_SIZE", "weekday", "no day of the range falls on these weekdays", "choose a wider range")
    return [f"{time} min" for time in times] or [STAND_IN]


def _weekdays(words: TomlTable, day_0: str | None) -> list[str] | None:
    """Days that are allowed; empty allows every day, None was reported."""
    words.ask("weekday")
    value = words.values.get("weekday")
    if value is None:
        return []
    if not isinstance(value, list) or not value or any(day not in WEEKDAYS for day in value):
        wrong = next((str(day) for day in value if day not in WEEKDAYS), "") if isinstance(value, list) else str(value)
        words.report("E_CHOICE", "weekday", f"'{wrong}' is not a list of weekdays", closest_hint(wrong, WEEKDAYS))
        return None
    if day_0 is None:
        words.report("E_MISSING_KEY", "weekday", "the weekday of the first day is not known", 'write day_0 = "mon"')
        return None
    return value


def weekday_of_day_0(table: TomlTable) -> str | None:
    """Weekday of the first day, such as `mon`; None where it is not stated or not a weekday."""
    day = table.text("day_0", required=False, example="mon")
    if day is not None and day not in WEEKDAYS:
        table.report("E_CHOICE", "day_0", f"'{day}' is not a weekday", closest_hint(day, WEEKDAYS))
        return None
    return day


def _ends_before_start(row: Mapping[str, object]) -> bool:
    start, until = (_peek(row.get(key)) for key in ("start", "until"))
    return until is not None and 0.0 < until <= (start or 0.0)


def _peek(value: object) -> float | None:
    """Minutes of a text that `read_course` will judge; None where it will refuse it."""
    try:
        return units.parse(value, to="min") if isinstance(value, str) else None
    except units.UnitError:
        return None


def read_minutes(table: TomlTable, key: str, *, example: str, required: bool = True) -> int | None:
    """A time in whole minutes; None, with a finding, where it cannot be used."""
    text = table.text(key, required=required, example=example)
    if text is None:
        return None
    try:
        return round(units.parse(text, to="min"))
    except units.UnitError as error:
        table.report("E_UNIT", key, error.message, error.hint or f'write {key} = "{example}"')
        return None
