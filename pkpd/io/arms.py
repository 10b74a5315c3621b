"""Arms of an analysis: the planned courses of each, and the doses that its subjects received by plan."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pkpd.domain.dosing import Course, Schedule
from pkpd.domain.study import Administration, Observation, Subject
from pkpd.errors import Finding
from pkpd.io.decode import TomlTable, closest_hint
from pkpd.io.dose_rows import milligrams, missing_covariate
from pkpd.io.schedules import read_courses, too_many_doses


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One arm as written; a control has no course.

    Attributes
    ----------
    courses
        Those that could be read.
    dosed
        Whether courses are written, readable or not.
    """

    name: str
    courses: tuple[Course, ...]
    dosed: bool
    place: str


def read_arms(root: TomlTable, *, setting: str, drugs: tuple[str, ...]) -> dict[str, Arm]:
    """Arms by name, from the tables `[arm.NAME]`; empty where the doses stand in the table of the study."""
    table = root.table("arm", required=False)
    if table is None:
        return {}
    return {name: _read_arm(name, inner, setting, drugs) for name, inner in table.tables()}


def _read_arm(name: str, table: TomlTable, setting: str, drugs: tuple[str, ...]) -> Arm:
    table.ask("control", "course")
    control = table.values.get("control", False)
    if not isinstance(control, bool):
        table.report("E_TYPE", "control", f"{control!r} is neither true nor false", "write control = true")
    table.refuse_unknown()
    if control and "course" in table:
        table.report("E_STATED_TWICE", "control", "a control has no courses", "delete control or the courses")
    if "course" not in table:
        if not control:
            hint = f"write [[{table.where.partition(': ')[2]}.course]], or control = true for an arm without drug"
            table.report("E_MISSING_KEY", "course", "the arm has no course", hint)
        return Arm(name=name, courses=(), dosed=False, place=table.where)
    value = table.values["course"]
    courses = read_courses(value, table.findings, where=table.where, setting=setting, horizon_min=None)
    for number, written in enumerate(value if isinstance(value, list) else [], start=1):
        drug = written.get("drug") if isinstance(written, Mapping) else None
        if isinstance(drug, str) and drug not in drugs:
            message = f"'{drug}' is not a drug of this analysis"
            table.report("E_UNKNOWN_DRUG", f"course {number}.drug", message, closest_hint(drug, drugs))
    return Arm(name=name, courses=courses, dosed=True, place=table.where)


def plan_arms(
    arms: Mapping[str, Arm],
    subjects: Sequence[Subject],
    observations: Sequence[Observation],
    *,
    table_name: str,
    findings: list[Finding],
) -> dict[str, Schedule]:
    """Schedule of each arm up to its last observation; arms that do not match the table are reported."""
    in_table = dict.fromkeys(subject.arm for subject in subjects)
    findings.extend(
        Finding(
            code="E_UNKNOWN_ARM",
            where=table_name,
            message=f"the arm '{name}' of the table is not described in the analysis",
            hint=f'{closest_hint(name, arms)} - else add [arm."{name}"]',
        )
        for name in in_table
        if name not in arms
    )
    for name, arm in arms.items():
        if name not in in_table:
            findings.append(
                Finding(
                    code="E_ARM_WITHOUT_SUBJECTS",
                    where=arm.place,
                    message=f"no subject of the table is in the arm '{name}'",
                    hint=closest_hint(name, in_table),
                )
            )
    arm_of = {subject.name: subject.arm for subject in subjects}
    last_h: dict[str, float] = {}
    for observation in observations:
        arm = arm_of[observation.subject]
        last_h[arm] = max(observation.time_h, last_h.get(arm, 0.0))
    planned: dict[str, Schedule] = {}
    for name, arm in arms.items():
        if name in last_h:
            horizon_min = max(1, math.ceil(last_h[name] * 60.0))
            courses = tuple(
                course
                for number, course in enumerate(arm.courses, start=1)
                if _fits(course, f"{arm.place}.course {number}", horizon_min, findings)
            )
            planned[name] = Schedule(name=name, horizon_min=horizon_min, courses=courses)
    return planned


def _fits(course: Course, place: str, horizon_min: int, findings: list[Finding]) -> bool:
    """Whether a course starts before the last observation and has a believable number of doses up to there."""
    too_many = too_many_doses(course, horizon_min)
    if course.start_min >= horizon_min:
        message = f"{course.start_min / 1440:g} d is after the last observation of the arm"
        hint = "start earlier, or delete the course"
        findings.append(Finding(code="E_COURSE", where=f"{place}.start", message=message, hint=hint))
    elif too_many is not None:
        findings.append(Finding(code="E_COURSE", where=f"{place}.every", message=too_many[0], hint=too_many[1]))
    else:
        return True
    return False


def planned_doses(
    planned: Mapping[str, Schedule], arms: Mapping[str, Arm], subjects: Sequence[Subject], findings: list[Finding]
) -> tuple[Administration, ...]:
    """Doses of every subject by the plan of its arm; a covariate that an amount needs and nobody knows is reported."""
    doses: list[Administration] = []
    unknown: dict[tuple[str, str, str, str], list[str]] = {}
    for subject in subjects:
        schedule = planned.get(subject.arm)
        for dose in () if schedule is None else schedule.doses():
            mg = milligrams(dose.amount, subject)
            if math.isnan(mg):
                key = (subject.arm, dose.drug, str(dose.amount.basis), missing_covariate(dose.amount.basis)[0])
                names = unknown.setdefault(key, [])
                if subject.name not in names:
                    names.append(subject.name)
                continue
            doses.append(
                Administration(
                    subject=subject.name,
                    time_min=dose.time_min,
                    drug=dose.drug,
                    mg=mg,
                    route=dose.route,
                    duration_min=dose.duration_min,
                )
            )
    for (arm, drug, basis, column), names in unknown.items():
        word = "weight" if column == "WT" else "surface"
        findings.append(
            Finding(
                code="E_MISSING_COVARIATE",
                where=arms[arm].place,
                message=f"{drug} is in {basis}, and {column} of {subjects_in_words(names)} is not known",
                hint=f"write {word} in [covariates], or add a column {column} to the table",
            )
        )
    return tuple(doses)


def subjects_in_words(names: Sequence[str]) -> str:
    """Up to five names: `3 subjects (a, b, c)`."""
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"subject {shown}" if len(names) == 1 else f"{len(names)} subjects ({shown})"
