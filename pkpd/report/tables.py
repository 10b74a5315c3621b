"""Rows of the report's tables: numbers become text here, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pkpd.domain.recommendation import ConstraintResult, Estimate, RankedSchedule, Recommendation
from pkpd.posterior import Gate, GateCheck, Posterior
from pkpd.report.fit_figures import Learned

PASSED, FAILED = "\N{CHECK MARK}", "\N{BALLOT X}"
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Text of a table cell; `notes` are smaller lines below it, `mood` colors it: good, bad or nothing."""

    text: str
    notes: tuple[str, ...] = ()
    mood: str = ""
    number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Header and rows; `strong` are the rows (by position) to emphasize."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    strong: frozenset[int] = frozenset()


def gate_table(gate: Gate) -> Table:
    """Every check with its limit and the parameter that set it."""
    header = ("", "check", "value", "limit", "set by")
    return Table(header=header, rows=tuple(_gate_row(check) for check in gate.checks))


def _gate_row(check: GateCheck) -> tuple[Cell, ...]:
    mark = Cell(text=PASSED, mood="good") if check.passed else Cell(text=FAILED, mood="bad")
    return (mark, Cell(text=check.name), _number(check.value), _number(check.limit), Cell(text=check.worst))


def learned_table(rows: Sequence[Learned]) -> Table:
    """Prior and posterior medians with 90 % intervals, most informed first."""
    header = ("parameter", "unit", "prior median (90 %)", "posterior median (90 %)", "contraction")
    return Table(
        header=header,
        rows=tuple(
            (
                Cell(text=row.name),
                Cell(text=row.unit),
                Cell(text=_interval(row.prior), number=True),
                Cell(text=_interval(row.posterior), number=True),
                Cell(
                    text=f"{row.contraction:.2f}",
                    notes=() if row.informed else ("not informed",),
                    mood="" if row.informed else "bad",
                    number=True,
                ),
            )
            for row in rows
        ),
    )


def ranking_table(recommendation: Recommendation, rows: Sequence[RankedSchedule]) -> Table:
    """Scores of schedules with Monte-Carlo errors and the probability of each constraint's violation."""
    constraints = rows[0].constraints if rows else ()
    limits = [f"P({_limit(result)}), allowed {result.constraint.max_probability:g}" for result in constraints]
    risk = recommendation.objective.risk
    measure = "mean" if str(risk.measure) == "mean" else f"CVaR of the worst {100 * risk.tail:.0f} %"
    header = ("", "schedule", f"utility ({measure})", "against the best", *limits, "P(best)", "expected regret")
    strong = frozenset(index for index, row in enumerate(rows) if row.name in recommendation.equivalent)
    return Table(header=header, rows=tuple(_ranked_row(row) for row in rows), strong=strong)


def _ranked_row(row: RankedSchedule) -> tuple[Cell, ...]:
    mark = str(row.role) if row.rank is None else f"{row.rank}{' =' if row.tied else ''}"
    total = ", ".join(f"{count} {drug}" for drug, count in row.doses.items())
    return (
        Cell(text=mark),
        Cell(text=row.schedule.title or row.name, notes=(*row.words, f"doses: {total or 'none'}")),
        _estimate(row.value),
        _estimate(row.difference, signed=True),
        *(_constraint(result) for result in row.constraints),
        Cell(
            text=f"{row.probability_best:.2f}", notes=(f"near best {row.probability_within_margin:.2f}",), number=True
        ),
        _estimate(row.expected_regret),
    )


def _limit(result: ConstraintResult) -> str:
    spec = result.constraint
    return f"{spec.statistic} {spec.endpoint} < {spec.below:g} {spec.unit}"


def _constraint(result: ConstraintResult) -> Cell:
    return Cell(
        text=f"{result.probability:.3f} {PASSED if result.met else FAILED}",
        notes=(f"95 %: {result.lower:.3f} to {result.upper:.3f}", f"met with P = {result.confidence:.2f}"),
        mood="good" if result.met else "bad",
        number=True,
    )


def against_table(row: RankedSchedule) -> Table:
    """One schedule against every reference, draw by draw."""
    header = ("reference", "gain over it", "share of patients better", "better by more than the margin")
    return Table(
        header=header,
        rows=tuple(
            (
                Cell(text=each.other),
                _estimate(each.difference, signed=True),
                Cell(text=f"{100 * each.probability_better:.0f} %", number=True),
                Cell(text=f"{100 * each.probability_better_by_margin:.0f} %", number=True),
            )
            for each in row.against
        ),
    )


def outcome_table(rows: Sequence[RankedSchedule]) -> Table:
    """Median and 90 % interval of every simulated outcome in new patients."""
    names = list(dict.fromkeys(name for row in rows for name in row.outcomes))
    return Table(
        header=("schedule", *(name.replace("_", " ") for name in names)),
        rows=tuple(
            (
                Cell(text=row.schedule.title or row.name),
                *(
                    Cell(text=_interval((spread.lower, spread.median, spread.upper)), number=True)
                    if (spread := row.outcomes.get(name)) is not None
                    else Cell(text="")
                    for name in names
                ),
            )
            for row in rows
        ),
    )


def sensitivity_table(scenarios: Sequence[Mapping[str, Any]]) -> Table:
    """One column per scenario, one row per parameter or arm that any of them reports."""
    names = list(dict.fromkeys(name for each in scenarios for name in each.get("parameters", {})))
    arms = list(dict.fromkeys(arm for each in scenarios for arm in each.get("coverage", {})))
    header = ("", *(str(each.get("name", "scenario")) for each in scenarios))
    factors = tuple(
        Cell(
            text=", ".join(
                f"{drug} \N{MULTIPLICATION SIGN} {by:g}" for drug, by in each.get("dose_factors", {}).items()
            )
        )
        for each in scenarios
    )
    rows = [(Cell(text="doses"), *factors)]
    rows += [(Cell(text=name), *(_scenario_cell(each, name) for each in scenarios)) for name in names]
    rows += [
        (
            Cell(text=f"90 % coverage, {arm}"),
            *(Cell(text=_percent(each.get("coverage", {}).get(arm)), number=True) for each in scenarios),
        )
        for arm in arms
    ]
    return Table(header=header, rows=tuple(rows))


def _scenario_cell(scenario: Mapping[str, Any], name: str) -> Cell:
    value = scenario.get("parameters", {}).get(name)
    if not isinstance(value, Mapping):
        return Cell(text="")
    numbers = (float(value["lower"]), float(value["median"]), float(value["upper"]))
    return Cell(text=f"{_interval(numbers)} {value.get('unit', '')}".strip(), number=True)


def sources_table(posterior: Posterior) -> Table:
    """Every document that a number came from, and the basis of the numbers."""
    rows = tuple(
        (
            Cell(text=str(source.get("key", ""))),
            Cell(text=str(source.get("title", ""))),
            Cell(text=str(source.get("locator") or "")),
            Cell(text=_joined(source.get("basis")), mood="bad" if "assumed" in _joined(source.get("basis")) else ""),
        )
        for source in _sources(posterior)
    )
    return Table(header=("key", "title", "where", "basis"), rows=rows)


def assumed_numbers(posterior: Posterior) -> tuple[str, ...]:
    """Names of the parameters whose prior is a judgement, by the variables' attributes and by the sources."""
    group = posterior.group("posterior")
    names = [name for name in posterior.names if group[name].attrs.get("basis") == "assumed"]
    for source in _sources(posterior):
        if _joined(source.get("basis")) == "assumed":
            names += [str(name) for name in source.get("parameters", ())]
    return tuple(dict.fromkeys(names))


def _sources(posterior: Posterior) -> list[Mapping[str, Any]]:
    written = posterior.sources
    if isinstance(written, Mapping):
        return [
            {"key": key, **(value if isinstance(value, Mapping) else {"title": value})}
            for key, value in written.items()
        ]
    return [each if isinstance(each, Mapping) else {"key": str(each)} for each in written]


def _joined(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value or "")


def provenance_table(entries: Iterable[tuple[str, object]]) -> Table:
    """Names and values, one line each."""
    return Table(header=("", ""), rows=tuple((Cell(text=name), Cell(text=str(value))) for name, value in entries))


def _estimate(estimate: Estimate, *, signed: bool = False) -> Cell:
    value = f"{estimate.value:+.3f}" if signed else f"{estimate.value:.3f}"
    return Cell(text=value, notes=(f"{PLUS_MINUS} {estimate.standard_error:.3f}",), number=True)


def _number(value: float) -> Cell:
    return Cell(text="" if math.isnan(value) else f"{value:.4g}", number=True)


def _interval(numbers: tuple[float, float, float]) -> str:
    low, median, high = numbers
    return f"{median:.3g} ({low:.3g} to {high:.3g})"


def _percent(value: object) -> str:
    return f"{100 * value:.0f} %" if isinstance(value, (int, float)) else ""
