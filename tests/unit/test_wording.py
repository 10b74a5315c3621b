"""Courses in words: what a clinician would write on an order, counted from day 1."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_simulation import HORIZON, cetuximab, palbociclib

from pkpd.domain.wording import course_in_words, short_title


@pytest.mark.parametrize(
    ("course", "words"),
    [
        (palbociclib(until_d=28), "palbociclib 125 mg by mouth, every 24 h, day 1 to day 28, 28 doses"),
        (
            replace(palbociclib(start_d=7), on_min=21 * 1440, off_min=7 * 1440),
            "palbociclib 125 mg by mouth, every 24 h, 21 d on and 7 d off, day 8 to day 84, 63 doses",
        ),
        (
            cetuximab(start_d=14, until_d=28),
            "cetuximab 250 mg/m2 intravenously over 1 h, every 7 d, day 15 to day 22, "
            "first dose 400 mg/m2 over 2 h, 2 doses",
        ),
        (
            replace(palbociclib(until_d=1), every_min=90),
            "palbociclib 125 mg by mouth, every 90 min, day 1 to day 1, 16 doses",
        ),
        (palbociclib(until_d=1), "palbociclib 125 mg by mouth, every 24 h, day 1 to day 1, 1 dose"),
        (palbociclib(start_d=90), "palbociclib: no dose within the horizon"),
    ],
)
def test_a_course_reads_as_a_sentence(course, words):
    assert course_in_words(course, HORIZON) == words


def test_a_title_holds_every_drug():
    title = short_title((palbociclib(), cetuximab(start_d=14)), HORIZON)

    assert title == "palbociclib 125 mg every 24 h d1-84; cetuximab 250 mg/m2 every 7 d d15-78"
    assert short_title((), HORIZON) == "no drug"
