"""Schedules: the shipped ones, the words of a course, and what is refused."""

import pytest

from pkpd.domain.dosing import Amount, AmountBasis, Route
from pkpd.errors import Finding, SpecError
from pkpd.io.schedules import read_course, read_courses, read_schedule, schedule_names

DAY = 1440
WEEKLY = {"drug": "cetuximab", "amount": "250 mg/m2", "every": "7 d", "loading": "400 mg/m2"}


def test_the_label_schedule_rests_palbociclib_and_loads_cetuximab():
    schedule = read_schedule("palbociclib-3-1-cetuximab-weekly")

    palbociclib, cetuximab = schedule.doses_of("palbociclib"), schedule.doses_of("cetuximab")
    assert [dose.time_min // DAY for dose in palbociclib] == [day for day in range(84) if day % 28 < 21]
    assert [dose.time_min // DAY for dose in cetuximab] == list(range(0, 84, 7))
    assert [dose.amount.value for dose in cetuximab] == [400.0] + [250.0] * 11
    assert [dose.duration_min for dose in cetuximab] == [120] + [60] * 11
    assert {dose.route for dose in cetuximab} == {Route.INTRAVENOUS}


@pytest.mark.parametrize("name", schedule_names())
def test_every_shipped_schedule_has_a_title_and_gives_doses_up_to_its_horizon(name):
    schedule = read_schedule(name)

    assert schedule.name == name
    assert len(schedule.title) > 10
    assert schedule.doses()[0].time_min == 0
    assert schedule.doses()[-1].time_min >= schedule.horizon_min - 28 * DAY


def test_a_schedule_of_ones_own_is_read_by_its_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'schema = 1\nhorizon = "7 d"\n[[course]]\ndrug = "palbociclib"\namount = "0.1 g"\nevery = "1 d"\n', "utf-8"
    )

    schedule = read_schedule(path)

    assert (schedule.name, len(schedule.doses())) == ("mine", 7)
    assert schedule.doses()[0].amount == Amount(value=100.0, basis=AmountBasis.ABSOLUTE)


def test_an_unknown_schedule_is_answered_with_the_closest_name():
    with pytest.raises(SpecError, match="did you mean 'cetuximab-first'"):
        read_schedule("cetuximab-frist")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('schema = 2\nhorizon = "7 d"\n', "E_SCHEMA"),
        ("schema = 1\n", "E_MISSING_KEY"),
        ('schema = 1\nhorizon = "0 d"\n', "E_COURSE"),
        ('schema = 1\nhorizon = "7 d"\ncourse = 3\n', "E_MISSING_KEY"),
        ('schema = 1\nhorizon = "7 d"\ncourses = []\n', "E_UNKNOWN_KEY"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(tmp_path, text, code):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(SpecError) as caught:
        read_schedule(path)

    assert code in [finding.code for finding in caught.value.findings]
    assert all(finding.where.startswith("mine.toml: ") for finding in caught.value.findings)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"start": "-1 d"}, "start"),
        ({"start": "84 d"}, "start"),
        ({"every": "0 h"}, "every"),
        ({"every": "90 s"}, "every"),
        ({"on": "0 d", "off": "7 d"}, "on"),
        ({"on": "21 d"}, "on"),
        ({"off": "7 d"}, "off"),
        ({"duration": "8 d"}, "duration"),
        ({"duration": "-1 h"}, "duration"),
        ({"loading_duration": "8 d"}, "loading_duration"),
        ({"until": "0 d"}, "until"),
        ({"drug": "palbociclib", "route": "oral", "duration": "1 h"}, "duration"),
        ({"every": "1 min"}, "every"),
    ],
)
def test_a_course_whose_times_do_not_fit_together_is_refused(change, key):
    findings: list[Finding] = []

    course = read_course({**WEEKLY, **change}, findings, where="space.toml: course 1", horizon_min=84 * DAY)

    assert course is None
    assert [(finding.code, finding.where) for finding in findings] == [("E_COURSE", f"space.toml: course 1.{key}")]


def test_a_loading_duration_needs_a_loading_dose():
    findings: list[Finding] = []
    table = {key: value for key, value in WEEKLY.items() if key != "loading"} | {"loading_duration": "2 h"}

    assert read_course(table, findings, where="a.toml: course 1") is None
    assert [finding.code for finding in findings] == ["E_COURSE"]


def test_two_courses_that_give_a_drug_at_one_time_are_refused():
    findings: list[Finding] = []

    read_courses([WEEKLY, {**WEEKLY, "start": "21 d"}], findings, where="a.toml", setting="human", horizon_min=84 * DAY)

    assert [finding.code for finding in findings] == ["E_DUPLICATE_DOSE"]
    assert "first at 21 d" in findings[0].message
