"""The sections of a report, in reading order; one that has nothing to show names the command that would fill it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass

import pkpd
from pkpd.domain.recommendation import RankedSchedule, Recommendation, Verdict
from pkpd.report import fit_figures, tables
from pkpd.report.calendar_figure import calendar_figure
from pkpd.report.drawing import Drawing
from pkpd.report.order_figure import order_figure
from pkpd.report.run_folder import RunFolder
from pkpd.report.simulated_figures import exposure_figure, outcome_figures
from pkpd.report.tables import Table

SHOWN_CANDIDATES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One thing in a section: a figure, a table or text; a folded one opens on a click."""

    heading: str = ""
    drawing: Drawing | None = None
    table: Table | None = None
    text: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading with its blocks; `command` says how to get what is missing."""

    key: str
    title: str
    blocks: tuple[Block, ...] = ()
    missing: str = ""
    command: str = ""


def sections(run: RunFolder) -> tuple[Section, ...]:
    """Every section of the report; that of a population study has none about schedules."""
    if run.posterior.analysis.get("kind") == "population":
        return (_asked(run), _gate(run), _observed(run), _learned(run), _sources(run), _provenance(run))
    return (
        _asked(run),
        _gate(run),
        _observed(run),
        _learned(run),
        _verdict(run),
        _calendar(run),
        _ranking(run),
        _simulated(run),
        _order(run),
        _sensitivity(run),
        _sources(run),
        _provenance(run),
    )


def _asked(run: RunFolder) -> Section:
    labels = ("setting", "disease", "combination", "growth", "drugs", "structure", "observed")
    analysis = run.posterior.analysis
    entries = [(label, _plain(analysis[label])) for label in labels if label in analysis]
    recommended = run.recommendation
    if recommended is not None:
        entries += [
            ("space", recommended.space),
            ("objective", f"{recommended.objective.name}, {_risk(recommended)}"),
            ("horizon", f"{recommended.horizon_min / 1440:g} d"),
            ("equivalence margin", f"{recommended.equivalence_margin:g}"),
        ]
    assumptions = tuple(map(str, analysis.get("assumptions", ())))
    assumptions += () if recommended is None else recommended.assumptions
    blocks = [Block(table=tables.provenance_table(entries))]
    if assumptions:
        blocks.append(Block(heading="Assumptions", items=tuple(dict.fromkeys(assumptions))))
    return Section(key="asked", title="What was asked", blocks=tuple(blocks))


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _risk(recommended: Recommendation) -> str:
    risk = recommended.objective.risk
    return "mean" if str(risk.measure) == "mean" else f"CVaR over the worst {100 * risk.tail:.0f} % of patients"


def _gate(run: RunFolder) -> Section:
    gate = run.posterior.gate
    failed = ", ".join(f"{check.name} ({check.worst})" if check.worst else check.name for check in gate.failed)
    words = (
        f"Every check that decides passes: the {run.posterior.size} draws may be used."
        if gate.passed
        else f"The gate failed: {failed or 'see the table'}. Nothing below may be relied on."
    )
    blocks = (Block(text=(words,)), Block(table=tables.gate_table(gate)))
    return Section(key="gate", title="May the draws be trusted?", blocks=blocks)


def _observed(run: RunFolder) -> Section:
    title = "Observed against predicted"
    names = run.posterior.analysis.get("endpoints", ["tumor_volume"])
    each = [fit_figures.predictive(run.posterior, str(name)) for name in names]
    shown = [one for one in each if one is not None]
    if not shown:
        missing = "This posterior holds no observations or no predictive draws."
        command = "pkpd fit analysis.toml   (without --no-observed)"
        return Section(key="observed", title=title, missing=missing, command=command)
    return Section(
        key="observed", title=title, blocks=tuple(Block(drawing=fit_figures.observed_figure(one)) for one in shown)
    )


def _learned(run: RunFolder) -> Section:
    title = "What the data added"
    rows = fit_figures.learned(run.posterior)
    if not rows:
        missing = "This posterior holds no prior draws to compare with."
        return Section(key="learned", title=title, missing=missing, command="pkpd fit analysis.toml")
    blocks = (
        Block(drawing=fit_figures.learned_figure(run.posterior, rows)),
        Block(heading="The same in numbers", table=tables.learned_table(rows), folded=True),
    )
    return Section(key="learned", title=title, blocks=blocks)


def _without_search(key: str, title: str) -> Section:
    missing = "No schedules have been searched in this run."
    return Section(key=key, title=title, missing=missing, command="pkpd optimize RUN_DIR/posterior.nc --space SPACE")


def _verdict(run: RunFolder) -> Section:
    title, recommended = "Verdict", run.recommendation
    if recommended is None:
        return _without_search("verdict", title)
    counts = (
        f"{recommended.schedules_scored} schedules were scored on {recommended.draws_search} simulated patients; "
        f"{recommended.schedules_feasible} meet the constraints and {recommended.schedules_tied} of them cannot be "
        f"told from the best of the search. Every number below comes from {recommended.draws_fresh} other patients."
    )
    error = recommended.numerical_error
    text = (counts,) if error is None else (counts, f"Largest relative error of the integrator: {error:.1g}.")
    blocks = [Block(heading=sentence(recommended.verdict), items=recommended.reasons), Block(text=text)]
    return Section(key="verdict", title=title, blocks=tuple(blocks))


def sentence(verdict: Verdict) -> str:
    """Return the verdict with a capital letter."""
    return str(verdict)[0].upper() + str(verdict)[1:]


def shown_schedule(recommended: Recommendation) -> RankedSchedule | None:
    """The schedule that the calendar draws: the best one, else the nearest miss."""
    return recommended.best_schedule or recommended.nearest_miss


def _calendar(run: RunFolder) -> Section:
    title, recommended = "The regimen", run.recommendation
    if recommended is None:
        return _without_search("calendar", title)
    row = shown_schedule(recommended)
    if row is None:
        return Section(key="calendar", title=title, missing="The search gave no schedule to draw.")
    match recommended.verdict:
        case Verdict.RECOMMEND | Verdict.EQUIVALENT:
            head = "Recommended"
        case Verdict.INFEASIBLE:
            head = "Not recommended: the schedule that came closest to meeting the constraints"
        case _:
            head = "Best of the search, but not recommended"
    blocks = [Block(heading=f"{head}: {row.schedule.title or row.name}", items=row.words)]
    blocks.append(Block(drawing=calendar_figure(row.schedule)))
    return Section(key="calendar", title=title, blocks=tuple(blocks))


def _ranking(run: RunFolder) -> Section:
    title, recommended = "Ranking", run.recommendation
    if recommended is None:
        return _without_search("ranking", title)
    missed = () if recommended.nearest_miss is None else (recommended.nearest_miss,)
    shown = (*missed, *recommended.ranking[:SHOWN_CANDIDATES], *recommended.references, *recommended.controls)
    blocks = [
        Block(text=(_ranking_reading(recommended),), table=tables.ranking_table(recommended, shown)),
    ]
    best = shown_schedule(recommended)
    if best is not None and best.against:
        heading = "The first schedule against the references, patient by patient"
        blocks.append(Block(heading=heading, table=tables.against_table(best)))
    if any(row.outcomes for row in shown):
        heading = "Outcomes in new patients, median (90 %)"
        blocks.append(Block(heading=heading, table=tables.outcome_table(shown), folded=True))
    return Section(key="ranking", title=title, blocks=tuple(blocks))


def _ranking_reading(recommended: Recommendation) -> str:
    sizes = (
        f"Errors ({tables.PLUS_MINUS}) are Monte-Carlo standard errors of paired differences; more draws shrink them."
    )
    if recommended.best is None:
        return f"No schedule meets the constraints. {sizes}"
    if len(recommended.equivalent) < 2:
        return f"No other schedule ties with the first. {sizes}"
    lightest = f"; {_title(recommended, recommended.lightest)} gives the fewest doses" if recommended.lightest else ""
    return f"{len(recommended.equivalent)} schedules (shaded) cannot be told apart{lightest}. {sizes}"


def _title(recommended: Recommendation, name: str) -> str:
    try:
        return recommended[name].schedule.title or name
    except KeyError:
        return name


def _simulated(run: RunFolder) -> Section:
    title = "Exposure, tumor and neutrophils in new patients"
    if not run.trajectories:
        missing = "No courses have been simulated in this run."
        command = "pkpd simulate RUN_DIR/posterior.nc --schedule SCHEDULE --out RUN_DIR/simulate"
        return Section(key="simulated", title=title, missing=missing, command=command)
    recommended = run.recommendation
    references = set() if recommended is None else {row.name for row in recommended.references}
    top, rest = run.trajectories[0], run.trajectories[1:]
    against = sorted(rest, key=lambda each: each.schedule not in references)
    drawings = (exposure_figure((top, *against)), *outcome_figures(run.trajectories))
    blocks = tuple(Block(heading=each.title, drawing=each) for each in drawings)
    return Section(key="simulated", title=title, blocks=blocks)


def _order(run: RunFolder) -> Section:
    title, recommended = "Does the order matter?", run.recommendation
    if recommended is None:
        return _without_search("order", title)
    if recommended.order is None or not recommended.order.contrasts:
        missing = "The space asks for no order contrast."
        return Section(key="order", title=title, missing=missing)
    return Section(key="order", title=title, blocks=(Block(drawing=order_figure(recommended.order)),))


def _sensitivity(run: RunFolder) -> Section:
    title = "Sensitivity to the assumed doses"
    if not run.sensitivity:
        missing = "No sensitivity run was made."
        command = "pkpd fit analysis.toml   (with a [[scenario]] in the analysis)"
        return Section(key="sensitivity", title=title, missing=missing, command=command)
    table = tables.sensitivity_table(run.sensitivity)
    return Section(key="sensitivity", title=title, blocks=(Block(table=table),))


def _sources(run: RunFolder) -> Section:
    blocks = [Block(table=tables.sources_table(run.posterior))]
    assumed = tables.assumed_numbers(run.posterior)
    if assumed:
        blocks.append(Block(heading="Assumed numbers: a judgement, no measurement", items=assumed))
    return Section(key="sources", title="Sources", blocks=tuple(blocks))


def _provenance(run: RunFolder) -> Section:
    posterior, recommended = run.posterior, run.recommendation
    entries: list[tuple[str, object]] = [
        ("pkpd, this report", pkpd.__version__),
        ("pkpd, fit", posterior.pkpd_version),
        ("engine", posterior.engine),
        ("seed of the fit", posterior.seed),
        ("date of the fit", posterior.created),
    ]
    if recommended is not None:
        entries += [("pkpd, search", recommended.pkpd_version), ("seed of the search", recommended.seed)]
    entries += [(str(name), version) for name, version in sorted(dict(run.run.get("versions", {})).items())]
    entries += [("Python, this report", platform.python_version())] if not run.run.get("versions") else []
    files = {**posterior.inputs, **({} if recommended is None else recommended.inputs), **run.hashes}
    hashes = tables.provenance_table(sorted(files.items()))
    blocks = [Block(table=tables.provenance_table(entries)), Block(heading="Files, sha256", table=hashes, folded=True)]
    if recommended is not None:
        changed = _changed(recommended, run.hashes)
        if changed:
            blocks.insert(0, Block(text=(changed,)))
    return Section(key="provenance", title="Provenance", blocks=tuple(blocks))


def _changed(recommended: Recommendation, hashes: Mapping[str, str]) -> str:
    now = hashes.get("posterior.nc")
    then = [digest for path, digest in recommended.inputs.items() if path.endswith("posterior.nc")]
    if now is None or not then or now in then:
        return ""
    return "The posterior in this folder is not the one that the search used: its hash differs. Search again."
