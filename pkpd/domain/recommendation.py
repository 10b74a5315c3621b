"""What a search of schedules concluded, with every error bar, as facts that a file can hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pkpd.domain.dosing import Schedule
from pkpd.domain.order import OrderContrast
from pkpd.domain.plain_data import from_plain, to_plain
from pkpd.domain.space import ConstraintSpec, ObjectiveSpec
from pkpd.errors import DataError, ExitCode, Finding

SCHEMA = 1
_WIDTHS = (4, 8, 7, 8, 7, 7, 7)


class Verdict(StrEnum):
    """The conclusion, as a sentence; its reasons stand beside it."""

    RECOMMEND = "recommend: one schedule is better than every other and than every reference"
    EQUIVALENT = "recommend any of an equivalent set: several schedules cannot be told from the best"
    NOT_DISTINGUISHABLE = "not distinguishable: no schedule can be told from the best reference"
    DO_NOT_RECOMMEND = "do not recommend: a drug of the best schedule does not add enough to the others"
    INFEASIBLE = "infeasible: no schedule meets the constraints"

    @property
    def exit_code(self) -> ExitCode:
        """Exit code of a command that ends with this verdict."""
        match self:
            case Verdict.RECOMMEND | Verdict.EQUIVALENT:
                return ExitCode.OK
            case Verdict.INFEASIBLE:
                return ExitCode.INFEASIBLE
            case _:
                return ExitCode.ABSTAINED


class Role(StrEnum):
    """Why a schedule was scored."""

    CANDIDATE = "candidate"
    REFERENCE = "reference"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number and its Monte-Carlo standard error: what more draws would change."""

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median and central 90 % interval over draws of new patients: what more draws would not change."""

    median: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintResult:
    """How often a schedule violates a constraint.

    Attributes
    ----------
    violations, draws
        Draws that violate, of all.
    lower, upper
        Central 95 % Jeffreys interval of the probability.
    confidence
        Probability, under the Jeffreys prior, that the limit is met.
    """

    constraint: ConstraintSpec
    violations: int
    draws: int
    probability: float
    lower: float
    upper: float
    confidence: float

    @property
    def met(self) -> bool:
        """Whether the observed share is within the limit."""
        return self.probability <= self.constraint.max_probability


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One schedule against another, draw by draw; positive differences favor the first.

    Attributes
    ----------
    difference
        Of the objective (mean or CVaR), with its paired standard error.
    probability_better, probability_better_by_margin
        Share of new patients who fare better, and better by more than the equivalence margin.
    """

    other: str
    difference: Estimate
    probability_better: float
    probability_better_by_margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedSchedule:
    """One schedule with its scores on the fresh draws.

    Attributes
    ----------
    words
        One line per course.
    value
        The objective under the chosen risk measure; `mean` and `cvar` are both shown whatever was chosen.
    search_value
        The same on the draws that chose the finalists; None for schedules that the search did not score.
    difference
        To the recommended schedule (paired); positive is better than the recommended one.
    tied
        Whether it cannot be told from the recommended one.
    probability_best, probability_within_margin, expected_regret
        Against the best of all scored schedules that meet the constraints, draw by draw. They describe, they do
        not decide: a schedule that is best for many patients may be bad for the rest.
    doses
        Administrations within the horizon, per drug.
    """

    role: Role
    rank: int | None
    schedule: Schedule
    words: tuple[str, ...]
    doses: Mapping[str, int]
    value: Estimate
    mean: Estimate
    cvar: Estimate
    search_value: float | None
    difference: Estimate
    tied: bool
    probability_best: float
    probability_within_margin: float
    expected_regret: Estimate
    constraints: tuple[ConstraintResult, ...]
    against: tuple[Comparison, ...]
    outcomes: Mapping[str, Spread]

    @property
    def feasible(self) -> bool:
        """Whether every constraint is met."""
        return all(result.met for result in self.constraints)

    @property
    def name(self) -> str:
        """Name of the schedule."""
        return self.schedule.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The ranking, the verdict and what they rest on.

    Attributes
    ----------
    seed
        Seed that the draws were made with.
    inputs
        File -> sha256 of everything that the result depends on.
    draws_search, draws_fresh
        New patients that chose the finalists, and those that every reported number comes from.
    schedules_scored, schedules_feasible, schedules_tied
        In the search: all of them; those that met the constraints; those not distinguishable from its best.
    best
        Name of the best schedule that meets the constraints; None when there is none. It is recommended only if
        the verdict says so.
    equivalent
        Names of the schedules that cannot be told from the best, best first, itself included.
    lightest
        The one of them with the fewest administrations.
    ranking, references, controls
        Scored schedules: the best candidates; the references of the space; the best schedule without one drug.
    nearest_miss
        Without a feasible schedule, the one that came closest.
    numerical_error
        Largest relative error of the integrator over all simulations; None where it was not measured.
    """

    schema: int
    pkpd_version: str
    seed: int
    space: str
    horizon_min: int
    inputs: Mapping[str, str]
    objective: ObjectiveSpec
    constraints: tuple[ConstraintSpec, ...]
    equivalence_margin: float
    required_probability: float
    draws_search: int
    draws_fresh: int
    schedules_scored: int
    schedules_feasible: int
    schedules_tied: int
    verdict: Verdict
    reasons: tuple[str, ...]
    best: str | None
    equivalent: tuple[str, ...]
    lightest: str | None
    ranking: tuple[RankedSchedule, ...]
    references: tuple[RankedSchedule, ...]
    controls: tuple[RankedSchedule, ...]
    nearest_miss: RankedSchedule | None
    order: OrderContrast | None
    numerical_error: float | None
    assumptions: tuple[str, ...]
    sources: tuple[str, ...]

    def __getitem__(self, name: str) -> RankedSchedule:
        """The scored schedule of that name."""
        for ranked in (*self.ranking, *self.references, *self.controls, self.nearest_miss):
            if ranked is not None and ranked.name == name:
                return ranked
        raise KeyError(name)

    @property
    def best_schedule(self) -> RankedSchedule | None:
        """The best schedule that meets the constraints, with its scores."""
        return None if self.best is None else self[self.best]

    def to_json(self) -> str:
        """Strict JSON (no NaN), indented, ending in a newline; the same result gives the same text."""
        return json.dumps(to_plain(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: Path | str) -> None:
        """Write `recommendation.json`."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> Recommendation:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            With everything that is missing, unknown or mistyped.
        """
        path = Path(path)
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise _unreadable(path, f"cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise _unreadable(path, f"is not JSON: {error}") from error
        if isinstance(plain, dict) and plain.get("schema") != SCHEMA:
            raise _unreadable(path, f"schema is {plain.get('schema', 'missing')!r}, this version reads {SCHEMA}")
        return from_plain(cls, plain, where=path.name)

    def summary(self) -> str:
        """The verdict, its reasons and a short table."""
        lines = [str(self.verdict), *(f"  - {reason}" for reason in self.reasons), ""]
        lines.append(
            f"{self.schedules_scored} schedules scored on {self.draws_search} new patients, on whom "
            f"{self.schedules_feasible} meet the constraints; the numbers below come from {self.draws_fresh} others."
        )
        shown = [*self.ranking[:10], *self.references, *self.controls]
        if self.nearest_miss is not None:
            shown.insert(0, self.nearest_miss)
        head = ("", "utility", "s.e.", "vs best", "s.e.", "P(best)", "P(tox)")
        lines.append(" ".join(f"{word:>{width}}" for word, width in zip(head, _WIDTHS, strict=True)) + "  schedule")
        lines.extend(_row(ranked) for ranked in shown)
        if self.order is not None:
            lines.extend(["", *self.order.sentences()])
        return "\n".join(lines)


def _row(ranked: RankedSchedule) -> str:
    mark = f"{ranked.rank}{'=' if ranked.tied else ''}" if ranked.rank is not None else ranked.role[:3]
    worst = max((result.probability for result in ranked.constraints), default=None)
    violated = "" if worst is None else f"{worst:.3f}{'' if ranked.feasible else '!'}"
    cells = (
        mark,
        f"{ranked.value.value:.3f}",
        f"{ranked.value.standard_error:.3f}",
        f"{ranked.difference.value:+.3f}",
        f"{ranked.difference.standard_error:.3f}",
        f"{ranked.probability_best:.2f}",
        violated,
    )
    shown = " ".join(f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))
    described = ranked.schedule.title or ranked.name if ranked.role is not Role.CONTROL else ranked.name
    return f"{shown}  {described}"


def _unreadable(path: Path, message: str) -> DataError:
    hint = "give a recommendation.json that `pkpd optimize` wrote"
    return DataError(Finding(code="E_RECOMMENDATION", where=path.name, message=message, hint=hint))
