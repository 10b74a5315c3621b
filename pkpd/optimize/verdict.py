"""The rules that turn scores on fresh draws into a verdict with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pkpd.domain.recommendation import RankedSchedule, Verdict
from pkpd.domain.space import ScheduleSpace
from pkpd.optimize.ranking import is_tied


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and why."""

    verdict: Verdict
    reasons: tuple[str, ...]


def judge(
    space: ScheduleSpace,
    best: RankedSchedule,
    *,
    ranking: Sequence[RankedSchedule],
    references: Sequence[RankedSchedule],
    controls: Sequence[RankedSchedule],
) -> Judgement:
    """Verdict on the best schedule that meets the constraints; the first rule that applies decides.

    1. Every drug of the schedule must add more than the margin, with the required probability, and a single drug must
       not do as well: else nothing is recommended.
    2. The best reference that meets the constraints must be worse, and distinguishably so: else the search found
       nothing new.
    3. Other schedules that cannot be told from the best make it a set.
    """
    margin, required = space.equivalence_margin, space.required_probability
    against = {comparison.other: comparison for comparison in best.against}
    weak = []
    for other in (*controls, *(one for one in references if len(one.doses) < len(best.doses) and one.feasible)):
        comparison = against[other.name]
        if comparison.probability_better_by_margin < required or comparison.difference.value <= margin:
            weak.append(
                f"against '{other.name}' it gains {comparison.difference.value:+.3f}, and more than the margin of "
                f"{margin:g} with probability {comparison.probability_better_by_margin:.2f}; {required:g} is required"
            )
    if weak:
        return Judgement(verdict=Verdict.DO_NOT_RECOMMEND, reasons=tuple(weak))

    feasible = [one for one in references if one.feasible]
    notes = [
        f"reference '{one.name}' does not meet the constraints: violated by {worst.probability:.3f} "
        f"[{worst.lower:.3f}, {worst.upper:.3f}] of new patients, limit {worst.constraint.max_probability:g}"
        for one in references
        if not one.feasible
        for worst in [max(one.constraints, key=lambda result: result.probability - result.constraint.max_probability)]
    ]
    rival = max(feasible, key=lambda one: one.value.value, default=None)
    if rival is not None:
        gain = against[rival.name].difference
        text = f"{gain.value:+.3f} (s.e. {gain.standard_error:.3f}) against '{rival.name}', the best reference"
        if is_tied(gain, margin=margin) or gain.value <= 0.0:
            return Judgement(verdict=Verdict.NOT_DISTINGUISHABLE, reasons=(text, *notes))
        notes.insert(0, text)
    if best.constraints:
        notes.insert(0, _safety(best))

    tied = [one for one in ranking if one.tied and one.name != best.name]
    if tied:
        nearest = min(tied, key=lambda one: abs(one.difference.value))
        text = (
            f"{len(tied) + 1} finalists cannot be told apart; the closest to the best differs by "
            f"{nearest.difference.value:+.4f} (s.e. {nearest.difference.standard_error:.4f})"
        )
        return Judgement(verdict=Verdict.EQUIVALENT, reasons=(*notes, text))
    return Judgement(verdict=Verdict.RECOMMEND, reasons=tuple(notes))


def infeasible(miss: RankedSchedule | None) -> Judgement:
    """Verdict without a feasible schedule, with the one that came closest."""
    if miss is None:
        return Judgement(verdict=Verdict.INFEASIBLE, reasons=("the space holds no schedule",))
    parts = [
        f"nearest miss '{miss.name}' ({miss.schedule.title}): {result.constraint} is violated by "
        f"{result.probability:.3f} [{result.lower:.3f}, {result.upper:.3f}] of new patients"
        for result in miss.constraints
        if not result.met
    ]
    return Judgement(verdict=Verdict.INFEASIBLE, reasons=tuple(parts))


def _safety(best: RankedSchedule) -> str:
    parts = [
        f"{result.constraint}: {result.probability:.3f} [{result.lower:.3f}, {result.upper:.3f}], "
        f"{result.violations} of {result.draws} new patients"
        for result in best.constraints
    ]
    return "it meets " + " and ".join(parts)
