"""Spaces expand as they are written, hold every schedule once, and report everything that is wrong at once."""

from __future__ import annotations

import pytest

from pkpd.domain.dosing import MINUTES_PER_DAY, AmountBasis
from pkpd.domain.space import Measure
from pkpd.errors import SpecError
from pkpd.io.spaces import read_space, space_names

HEAD = """
schema  = 1
horizon = "84 d"
reference = ["palbociclib-3-1-cetuximab-weekly"]
"""
TAIL = """
[objective]
name = "tumor_burden"
"""
PALBOCICLIB = """
[choose.palbociclib]
amount = ["75 mg", "125 mg"]
every  = "24 h"
"""


def read(tmp_path, text: str):
    path = tmp_path / "space.toml"
    path.write_text(text)
    return read_space(path)


def findings_of(tmp_path, text: str) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        read(tmp_path, text)
    return {finding.where: finding.code for finding in caught.value.findings}


@pytest.mark.parametrize("name", space_names())
def test_a_shipped_space_holds_every_schedule_once(name):
    space = read_space(name)

    schedules = list(space)

    assert len(schedules) == space.size
    assert len({one.doses() for one in schedules}) == space.size
    assert len({one.name for one in schedules}) == space.size
    assert {one.name for one in space.references} >= {
        "palbociclib-3-1-cetuximab-weekly",
        "palbociclib-3-1",
        "cetuximab-weekly",
        "cetuximab-first",
    }
    assert all(reference.horizon_min == space.horizon_min for reference in space.references)


def test_the_large_space_has_at_least_five_thousand_schedules():
    space = read_space("lead-in-84d")

    assert space.size >= 5000
    assert space.horizon_min == 84 * MINUTES_PER_DAY
    amounts = {course.amount.value for course in space.choices["palbociclib"]}
    assert amounts == {75.0, 100.0, 125.0}
    assert {course.every_min for course in space.choices["cetuximab"]} == {7 * MINUTES_PER_DAY, 14 * MINUTES_PER_DAY}


def test_the_small_space_is_small():
    assert 60 <= read_space("lead-in-small").size <= 150


def test_lists_are_crossed_and_words_of_one_of_go_together(tmp_path):
    space = read(
        tmp_path,
        HEAD
        + PALBOCICLIB
        + """
one_of = [{ on = "21 d", off = "7 d" }, { on = ["5 d", "4 d"], off = "2 d" }]
"""
        + TAIL,
    )

    patterns = {(course.amount.value, course.on_min, course.off_min) for course in space.choices["palbociclib"]}

    days = [(21, 7), (5, 2), (4, 2)]
    assert patterns == {(mg, on * 1440, off * 1440) for mg in (75.0, 125.0) for on, off in days}


def test_courses_with_the_same_doses_within_the_horizon_are_one_choice(tmp_path):
    space = read(tmp_path, HEAD + PALBOCICLIB + 'on = "84 d"\noff = ["0 d", "7 d", "14 d"]\n' + TAIL)

    assert space.size == 2


def test_courses_that_end_before_they_start_are_left_out(tmp_path):
    space = read(tmp_path, HEAD + PALBOCICLIB + 'start = ["0 d", "28 d"]\nuntil = ["14 d", "84 d"]\n' + TAIL)

    assert space.size == 2 * 3


def test_a_drug_may_be_left_out_but_not_all_of_them(tmp_path):
    space = read(
        tmp_path,
        HEAD
        + PALBOCICLIB
        + "omit = true\n"
        + '[choose.cetuximab]\namount = "250 mg/m2"\nevery = "7 d"\nomit = true\n'
        + TAIL,
    )

    assert space.size == 3 * 2 - 1
    assert {one.drugs for one in space} == {("palbociclib",), ("cetuximab",), ("cetuximab", "palbociclib")}


def test_a_range_keeps_the_weekdays_that_are_open(tmp_path):
    space = read(
        tmp_path,
        'day_0 = "wed"\n'
        + HEAD
        + PALBOCICLIB
        + 'start = { from = "0 d", to = "9 d", step = "1 d", weekday = ["mon", "fri"] }\n'
        + TAIL,
    )

    starts = {course.start_min // MINUTES_PER_DAY for course in space.choices["palbociclib"]}

    assert starts == {2, 5, 9}


def test_a_constraint_is_read_in_the_unit_of_the_simulation(tmp_path):
    space = read(
        tmp_path,
        HEAD
        + PALBOCICLIB
        + TAIL
        + """
risk = { measure = "cvar", tail = 0.25 }
[[constraint]]
endpoint = "neutrophils"
statistic = "minimum"
below = "500 / uL"
max_probability = 0.1
""",
    )

    (constraint,) = space.constraints
    assert constraint.below == pytest.approx(0.5)
    assert constraint.unit == "1e9/L"
    assert space.objective.risk.measure is Measure.CVAR
    assert space.objective.risk.tail == 0.25


def test_the_blocks_of_an_order_are_read():
    order = read_space("lead-in-84d").order

    assert order is not None
    assert (order.inducer.drug, order.partner.drug) == ("palbociclib", "cetuximab")
    assert order.partner.amount.basis is AmountBasis.BODY_SURFACE
    assert order.block_min == 28 * MINUTES_PER_DAY


def test_everything_that_is_wrong_is_reported_at_once(tmp_path):
    found = findings_of(
        tmp_path,
        """
schema = 1
horizon = "84"
reference = ["palbociclib-4-1"]
colour = "red"
equivalence_margin = -1
[choose.palbociclib]
amount = ["75 mg", "125 mq"]
every = "24 h"
stat = "0 d"
start = { from = "0 d", to = "28 d" }
[objective]
nam = "tumor_burden"
[[constraint]]
endpoint = "neutrophils"
statistic = "maximum"
below = "0.5 mg"
max_probability = 10
""",
    )

    assert found == {
        "space.toml: horizon": "E_UNIT",
        "space.toml: reference": "E_UNKNOWN_SCHEDULE",
        "space.toml: colour": "E_UNKNOWN_KEY",
        "space.toml: equivalence_margin": "E_RANGE",
        "space.toml: choose.palbociclib.amount": "E_UNIT",
        "space.toml: choose.palbociclib.stat": "E_UNKNOWN_KEY",
        "space.toml: choose.palbociclib.start.step": "E_MISSING_KEY",
        "space.toml: objective.name": "E_MISSING_KEY",
        "space.toml: objective.nam": "E_UNKNOWN_KEY",
        "space.toml: constraint 1.statistic": "E_CHOICE",
        "space.toml: constraint 1.max_probability": "E_RANGE",
    }


@pytest.mark.parametrize(
    ("extra", "place", "code"),
    [
        ('drug = "cetuximab"', "choose.palbociclib.drug", "E_UNKNOWN_KEY"),
        ("start = []", "choose.palbociclib.start", "E_SPACE_SIZE"),
        ("omit = 1", "choose.palbociclib.omit", "E_TYPE"),
        ("one_of = []", "choose.palbociclib.one_of", "E_TYPE"),
        ('one_of = [{ amount = "100 mg" }]', "choose.palbociclib.one_of 1.amount", "E_DUPLICATE_KEY"),
        ('one_of = [{ om = "21 d" }]', "choose.palbociclib.one_of 1.om", "E_UNKNOWN_KEY"),
        ('start = { from = "9 d", to = "0 d", step = "1 d" }', "choose.palbociclib.start.to", "E_RANGE"),
        ('start = { from = "0 d", to = "9 d", step = "0 d" }', "choose.palbociclib.start.step", "E_RANGE"),
        (
            'start = { from = "0 d", to = "9 d", step = "1 d", weekday = ["mon"] }',
            "choose.palbociclib.start.weekday",
            "E_MISSING_KEY",
        ),
        (
            'start = { from = "0 d", to = "9 d", step = "1 d", weekday = ["mo"] }',
            "choose.palbociclib.start.weekday",
            "E_CHOICE",
        ),
        ('start = "28 d"\nuntil = "14 d"', "choose.palbociclib.until", "E_SPACE_SIZE"),
        ('start = "90 d"', "choose.palbociclib.start", "E_COURSE"),
        ('[order]\nblock = "50 d"', "order.course", "E_ORDER"),
        (
            '[order]\nblock = "50 d"\n[[order.course]]\ndrug = "palbociclib"\namount = "1 mg"\nevery = "1 d"\n'
            '[[order.course]]\ndrug = "cetuximab"\namount = "1 mg"\nevery = "7 d"\nstart = "1 d"',
            "order.block",
            "E_ORDER",
        ),
    ],
)
def test_a_slip_in_a_space_is_named_by_its_place(tmp_path, extra, place, code):
    found = findings_of(tmp_path, HEAD + PALBOCICLIB + extra + TAIL)

    assert found.get(f"space.toml: {place}") == code


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (HEAD + TAIL, "space.toml: choose"),
        (HEAD + "[choose]\n" + TAIL, "space.toml: choose"),
        (HEAD + PALBOCICLIB, "space.toml: objective"),
        ("schema = 2" + HEAD.replace("schema  = 1", "") + PALBOCICLIB + TAIL, "space.toml: schema"),
        (HEAD.replace("84 d", "0 d") + PALBOCICLIB + TAIL, "space.toml: horizon"),
        (HEAD.replace("84 d", "85 d") + PALBOCICLIB + TAIL, "space.toml: reference"),
        ("day_0 = 'someday'" + HEAD + PALBOCICLIB + TAIL, "space.toml: day_0"),
        (HEAD + PALBOCICLIB + TAIL + 'risk = { measure = "cvar" }', "space.toml: objective.risk.tail"),
        (HEAD + PALBOCICLIB + TAIL + 'risk = { measure = "cvar", tail = 2.0 }', "space.toml: objective.risk.tail"),
        (HEAD + PALBOCICLIB + TAIL + 'risk = { measure = "median" }', "space.toml: objective.risk.measure"),
        ("constraint = 1" + HEAD + PALBOCICLIB + TAIL, "space.toml: constraint"),
        ("order = 1" + HEAD + PALBOCICLIB + TAIL, "space.toml: order"),
        (HEAD.replace('["pal', '[1, "pal') + PALBOCICLIB + TAIL, "space.toml: reference"),
    ],
)
def test_a_missing_or_mistyped_part_is_named(tmp_path, text, where):
    assert where in findings_of(tmp_path, text)


def test_a_space_that_is_too_large_is_refused(tmp_path):
    starts = 'start = { from = "0 h", to = "500 h", step = "1 h" }\n'
    lengths = 'on = { from = "1 h", to = "500 h", step = "1 h" }\n'
    hours = 'start = { from = "0 h", to = "1999 h", step = "1 h" }\n'
    cetuximab = '[choose.cetuximab]\namount = "250 mg/m2"\nevery = "7 d"\n'

    too_many_courses = findings_of(tmp_path, HEAD + PALBOCICLIB + starts + lengths + TAIL)
    too_long_a_range = findings_of(tmp_path, HEAD + PALBOCICLIB + starts.replace('"500 h"', '"1e9 h"') + TAIL)
    too_many_schedules = findings_of(tmp_path, HEAD + PALBOCICLIB + hours + cetuximab + hours + TAIL)

    assert too_many_courses == {"space.toml: choose": "E_SPACE_SIZE"}
    assert too_long_a_range == {"space.toml: choose.palbociclib.start.step": "E_SPACE_SIZE"}
    assert too_many_schedules == {"space.toml: choose": "E_SPACE_SIZE"}


def test_an_unknown_space_is_answered_with_the_closest_name():
    with pytest.raises(SpecError, match="lead-in-small"):
        read_space("lead-in-smal")


def test_broken_toml_is_refused(tmp_path):
    with pytest.raises(SpecError, match="TOML"):
        read(tmp_path, "[choose")


def test_a_reference_may_be_a_file_beside_the_space(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'schema = 1\nhorizon = "84 d"\n[[course]]\ndrug = "palbociclib"\namount = "100 mg"\nevery = "24 h"\n'
    )

    space = read(tmp_path, HEAD.replace("palbociclib-3-1-cetuximab-weekly", "mine.toml") + PALBOCICLIB + TAIL)

    assert space.references[0].name == "mine"
