"""Ranks the schedules of a space under uncertainty and says what may be concluded.

The search draws choose the finalists and the best of them. Every number that is reported comes from fresh draws,
because the best of thousands of noisy scores is always too good on the draws that made it the best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import pkpd
from pkpd.domain.order import OrderContrast
from pkpd.domain.recommendation import SCHEMA, RankedSchedule, Recommendation, Role, Verdict
from pkpd.domain.space import ScheduleSpace, without_drug
from pkpd.optimize.base import ChanceConstraint, Evaluate, Progress, RiskMeasure
from pkpd.optimize.fresh import FreshDraws, Meter
from pkpd.optimize.objectives import objective_of
from pkpd.optimize.order import SIMULATED_ARMS, order_contrast
from pkpd.optimize.ranking import Entrant, is_tied, ranked, tied_in_search
from pkpd.optimize.search import CHUNK, Judges, Scores, finalists, nearest_misses, score
from pkpd.optimize.verdict import Judgement, infeasible, judge

FINALISTS = 20
COVER = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a recommendation rests on beside the draws: copied into the file as it is.

    Attributes
    ----------
    inputs
        File -> sha256.
    """

    inputs: Mapping[str, str]
    assumptions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def recommend(
    patients: Any,
    fresh_patients: Any,
    space: ScheduleSpace,
    *,
    seed: int,
    progress: Progress | None = None,
    provenance: Provenance | None = None,
    evaluate: Evaluate | None = None,
    top: int = FINALISTS,
    chunk: int = CHUNK,
) -> Recommendation:
    """Score every schedule of a space, rank the best on fresh draws and reach a verdict.

    Parameters
    ----------
    patients
        Draws that choose the finalists; every schedule sees the same ones.
    fresh_patients
        Other draws, that every reported number comes from.
    seed
        Seed that both were drawn with; only recorded.
    progress
        Is called with simulations done and simulations expected; ends with both equal.
    evaluate
        Simulation; the one of `pkpd.simulate` where it is left out.
    top
        Finalists by each criterion.
    chunk
        Schedules that are simulated at once.

    Raises
    ------
    SpecError
        If the objective of the space is not known.
    PkpdError
        If a simulation gave no finite utility.
    """
    judges = Judges(
        objective=objective_of(space.objective, where=space.name),
        risk=RiskMeasure(spec=space.objective.risk),
        constraints=tuple(ChanceConstraint(spec=spec) for spec in space.constraints),
    )
    schedules = tuple(space)
    fresh_arms = top + COVER + len(space.references) + len(space.choices)
    fresh_arms += SIMULATED_ARMS if space.order is not None else 0
    expected = len(schedules) * patients.size + fresh_arms * fresh_patients.size
    fresh = FreshDraws(
        evaluate=_simulation() if evaluate is None else evaluate,
        patients=fresh_patients,
        judges=judges,
        meter=Meter(progress=progress, expected=expected),
    )

    search = score(
        fresh.evaluate,
        patients,
        schedules,
        judges=judges,
        chunk=chunk,
        progress=lambda count: fresh.meter.add(count * patients.size),
    )
    fresh.note_error(search.numerical_error)
    candidates = _candidates(fresh, search, top=top)
    references = fresh.enter(space.references, role=Role.REFERENCE)
    best = _best(candidates, judges, margin=space.equivalence_margin)
    controls = [] if best is None else fresh.enter(_without_one_drug(best), role=Role.CONTROL)
    order = None
    if space.order is not None:
        order = order_contrast(fresh.simulate, fresh_patients, space.order, horizon_min=space.horizon_min)
    fresh.meter.finish()
    return _recommendation(
        space,
        search=search,
        judges=judges,
        candidates=candidates,
        references=references,
        controls=controls,
        best=best,
        order=order,
        numerical_error=fresh.worst_error,
        seed=seed,
        draws_fresh=fresh_patients.size,
        top=top,
        provenance=Provenance(inputs={}) if provenance is None else provenance,
    )


def _candidates(fresh: FreshDraws, search: Scores, *, top: int) -> list[Entrant]:
    """Finalists on fresh draws; if all of them break a constraint there, also the schedules that violate least."""
    judges, values = fresh.judges, fresh.judges.risk.value(search.utility)
    chosen = finalists(search, judges, top=top, cover=COVER)
    entered = _enter(fresh, search, chosen, values)
    if not any(entrant.feasible(judges) for entrant in entered):
        more = [index for index in nearest_misses(search, judges, top=top) if index not in chosen]
        entered += _enter(fresh, search, more, values)
    return entered


def _enter(fresh: FreshDraws, search: Scores, chosen: Sequence[int], values: np.ndarray) -> list[Entrant]:
    entered = fresh.enter([search.schedules[index] for index in chosen], role=Role.CANDIDATE)
    return [replace(entrant, search_value=float(values[i])) for entrant, i in zip(entered, chosen, strict=True)]


def _best(candidates: Sequence[Entrant], judges: Judges, *, margin: float) -> Entrant | None:
    """The search's best that fresh draws find feasible, unless they show another one to be better beyond doubt.

    Taking the best on the fresh draws would make their numbers too good again; taking the search's best whatever they
    show would waste them.
    """
    feasible = sorted((one for one in candidates if one.feasible(judges)), key=lambda one: -(one.search_value or 0.0))
    if not feasible:
        return None
    best = feasible[0]
    for other in feasible[1:]:
        difference = judges.risk.difference(other.utility, best.utility)
        if difference.value > 0.0 and not is_tied(difference, margin=margin):
            best = other
    return best


def _without_one_drug(best: Entrant) -> list[Any]:
    drugs = best.schedule.drugs
    return [without_drug(best.schedule, drug) for drug in drugs] if len(drugs) > 1 else []


def _recommendation(
    space: ScheduleSpace,
    *,
    search: Scores,
    judges: Judges,
    candidates: Sequence[Entrant],
    references: Sequence[Entrant],
    controls: Sequence[Entrant],
    best: Entrant | None,
    order: OrderContrast | None,
    numerical_error: float | None,
    seed: int,
    draws_fresh: int,
    top: int,
    provenance: Provenance,
) -> Recommendation:
    margin = space.equivalence_margin
    miss = None if best is not None else _nearest_miss(candidates, judges)
    rows = ranked(
        [*candidates, *references, *controls],
        best or miss or candidates[0],
        judges=judges,
        cvar_tail=space.objective.risk.tail,
        margin=margin,
    )
    ranking = _numbered([row for row in rows if row.role is Role.CANDIDATE and row.feasible], best, top=top)
    reference_rows = tuple(row for row in rows if row.role is Role.REFERENCE)
    control_rows = tuple(row for row in rows if row.role is Role.CONTROL)
    best_row = next((row for row in ranking if best is not None and row.name == best.schedule.name), None)
    miss_row = next((row for row in rows if miss is not None and row.name == miss.schedule.name), None)
    if best_row is not None:
        judgement = judge(space, best_row, ranking=ranking, references=reference_rows, controls=control_rows)
    else:
        judgement = infeasible(miss_row)
    judgement = _with_numerical_caveat(judgement, numerical_error, margin)
    equivalent = [row for row in ranking if row.tied]
    feasible = search.excess(judges.constraints) <= 0.0
    return Recommendation(
        schema=SCHEMA,
        pkpd_version=pkpd.__version__,
        seed=seed,
        space=space.name,
        horizon_min=space.horizon_min,
        inputs=dict(provenance.inputs),
        objective=space.objective,
        constraints=space.constraints,
        equivalence_margin=margin,
        required_probability=space.required_probability,
        draws_search=search.draws,
        draws_fresh=draws_fresh,
        schedules_scored=len(search.schedules),
        schedules_feasible=int(feasible.sum()),
        schedules_tied=tied_in_search(search.utility[feasible], judges.risk, margin=margin),
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        best=None if best_row is None else best_row.name,
        equivalent=tuple(row.name for row in equivalent),
        lightest=min(equivalent, key=lambda row: sum(row.doses.values())).name if equivalent else None,
        ranking=ranking,
        references=reference_rows,
        controls=control_rows,
        nearest_miss=miss_row,
        order=order,
        numerical_error=numerical_error,
        assumptions=provenance.assumptions,
        sources=provenance.sources,
    )


def _numbered(rows: Sequence[RankedSchedule], best: Entrant | None, *, top: int) -> tuple[RankedSchedule, ...]:
    """The best first, then the others by their value on fresh draws; members of the equivalent set are never cut."""
    if best is None:
        return ()
    by_value = sorted(rows, key=lambda row: (row.name != best.schedule.name, -row.value.value, row.name))
    shown = [row for index, row in enumerate(by_value) if index < top or row.tied]
    return tuple(replace(row, rank=rank) for rank, row in enumerate(shown, start=1))


def _nearest_miss(candidates: Sequence[Entrant], judges: Judges) -> Entrant:
    def excess(one: Entrant) -> float:
        pairs = zip(judges.constraints, one.violations, strict=True)
        return max(count / one.utility.size - constraint.spec.max_probability for constraint, count in pairs)

    return min(candidates, key=lambda one: (excess(one), -float(judges.risk.value(one.utility))))


def _with_numerical_caveat(judgement: Judgement, error: float | None, margin: float) -> Judgement:
    if judgement.verdict is Verdict.INFEASIBLE or error is None or error <= margin:
        return judgement
    text = f"the integrator's relative error of {error:.1g} exceeds the equivalence margin of {margin:g}"
    return replace(judgement, reasons=(*judgement.reasons, text))


def _simulation() -> Evaluate:
    from pkpd.simulate import evaluate  # slow import: JAX, and not needed where a caller brings a simulation

    return evaluate
