"""Courses in words that a clinician reads: the first day of a schedule is day 1."""

from __future__ import annotations

from pkpd.domain.dosing import MINUTES_PER_DAY, MINUTES_PER_HOUR, Course, Route

ROUTE_WORDS = {
    Route.ORAL: "by mouth",
    Route.INTRAVENOUS: "intravenously",
    Route.INTRAPERITONEAL: "intraperitoneally",
}


def course_in_words(course: Course, horizon_min: int) -> str:
    """One sentence part per course: amount, route, rhythm, first and last dosing day."""
    doses = course.doses(horizon_min)
    if not doses:
        return f"{course.drug}: no dose within the horizon"
    parts = [f"{course.drug} {course.amount} {ROUTE_WORDS[course.route]}{_over(course.duration_min)}"]
    parts.append(f"every {_length(course.every_min)}")
    if course.on_min is not None and course.off_min > 0:
        parts.append(f"{_length(course.on_min)} on and {_length(course.off_min)} off")
    parts.append(f"day {_day(doses[0].time_min)} to day {_day(doses[-1].time_min)}")
    if course.loading is not None:
        loading_min = course.duration_min if course.loading_duration_min is None else course.loading_duration_min
        parts.append(f"first dose {course.loading}{_over(loading_min)}")
    parts.append(f"{len(doses)} doses" if len(doses) > 1 else "1 dose")
    return ", ".join(parts)


def short_title(courses: tuple[Course, ...], horizon_min: int) -> str:
    """The courses in a few words, for a table."""
    return "; ".join(_short(course, horizon_min) for course in courses) or "no drug"


def _short(course: Course, horizon_min: int) -> str:
    doses = course.doses(horizon_min)
    rhythm = f"every {_length(course.every_min)}"
    if course.on_min is not None and course.off_min > 0:
        rhythm += f" {_length(course.on_min)} on/{_length(course.off_min)} off"
    span = f"d{_day(doses[0].time_min)}-{_day(doses[-1].time_min)}" if doses else "no dose"
    return f"{course.drug} {course.amount} {rhythm} {span}"


def _day(time_min: int) -> int:
    return time_min // MINUTES_PER_DAY + 1


def _over(duration_min: int) -> str:
    return f" over {_length(duration_min)}" if duration_min else ""


def _length(minutes: int) -> str:
    if minutes % MINUTES_PER_DAY == 0 and minutes > MINUTES_PER_DAY:
        return f"{minutes // MINUTES_PER_DAY} d"
    if minutes % MINUTES_PER_HOUR == 0:
        return f"{minutes // MINUTES_PER_HOUR} h"
    return f"{minutes} min"
