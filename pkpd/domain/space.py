"""A space of schedules to search: choices per drug, references, one objective and the constraints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product

from pkpd.domain.dosing import Course, Dose, Schedule
from pkpd.domain.wording import short_title


class Measure(StrEnum):
    """How a utility over draws becomes one number."""

    MEAN = "mean"
    CVAR = "cvar"


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSpec:
    """`tail` is the share of worst draws that CVaR averages."""

    measure: Measure = Measure.MEAN
    tail: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveSpec:
    """Entry-point name of an objective, its options, and how draws are reduced."""

    name: str
    risk: RiskSpec = RiskSpec()
    options: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintSpec:
    """`P(statistic of endpoint < below) <= max_probability`, over new patients."""

    endpoint: str
    statistic: str
    below: float
    unit: str
    max_probability: float

    def __str__(self) -> str:
        power = self.unit.startswith("1e")
        limit = f"{self.below:g}{self.unit[1:]}" if power else f"{self.below:g} {self.unit}"
        return f"P({self.endpoint} {self.statistic} < {limit}) <= {self.max_probability:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSpec:
    """Two block courses of equal length, of which the order is to be judged.

    Attributes
    ----------
    inducer, partner
        Doses of one block that starts at 0. The inducer alone, with the same timing, is the matched control.
    block_min
        Length of a block; the second block starts where the first ends.
    """

    inducer: Course
    partner: Course
    block_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSpace:
    """The courses that may be combined, one choice per drug.

    Attributes
    ----------
    choices
        Drug -> every course of it that may be chosen, without repeats of the same doses within the horizon;
        None among them means that the drug may be left out.
    references
        Schedules that are always scored, whatever the search does; each name says what it stands for.
    equivalence_margin
        Schedules whose objectives differ by less are reported as one group.
    required_probability
        Each drug of a recommended schedule must improve the objective by more than the margin with at least this
        probability, for a new patient, against the same schedule without that drug.
    order
        The two blocks whose order is contrasted; None leaves the contrast out.
    """

    name: str
    horizon_min: int
    choices: Mapping[str, tuple[Course | None, ...]]
    references: tuple[Schedule, ...]
    objective: ObjectiveSpec
    constraints: tuple[ConstraintSpec, ...]
    equivalence_margin: float = 0.01
    required_probability: float = 0.8
    order: OrderSpec | None = None

    @property
    def size(self) -> int:
        """Number of combinations, before references; leaving out every drug is not one of them."""
        total = 1
        for options in self.choices.values():
            total *= len(options)
        return total - all(None in options for options in self.choices.values())

    def __iter__(self) -> Iterator[Schedule]:
        """Every schedule, always in the same order and under the same name."""
        combinations = (chosen for chosen in product(*self.choices.values()) if any(chosen))
        for index, chosen in enumerate(combinations, start=1):
            courses = tuple(course for course in chosen if course is not None)
            yield Schedule(
                name=f"{self.name}-{index:05d}",
                horizon_min=self.horizon_min,
                courses=courses,
                title=short_title(courses, self.horizon_min),
            )


def same_doses_once(courses: tuple[Course | None, ...], horizon_min: int) -> tuple[Course | None, ...]:
    """The courses without those that repeat the doses of an earlier one; a course without doses counts as None."""
    seen: dict[tuple[Dose, ...], Course | None] = {}
    for course in courses:
        doses = () if course is None else course.doses(horizon_min)
        if doses or course is None:
            seen.setdefault(doses, course)
    return tuple(seen.values())


def without_drug(schedule: Schedule, drug: str) -> Schedule:
    """The same schedule with every course of one drug left out."""
    kept = tuple(course for course in schedule.courses if course.drug != drug)
    return replace(
        schedule, name=f"{schedule.name} without {drug}", courses=kept, title=short_title(kept, schedule.horizon_min)
    )
