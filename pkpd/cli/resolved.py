"""Writes an analysis with every default, beside its study as one table, so that a run folder can be fitted again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import tomlkit

from pkpd.cli.resolved_population import write_resolved_population
from pkpd.cli.run_folder import write_text
from pkpd.domain.evidence import Source
from pkpd.domain.population import PopulationAnalysis
from pkpd.domain.study import Analysis
from pkpd.domain.wording import course_in_words
from pkpd.io.study_table import study_analysis_tables, study_to_table

ANALYSIS, TABLE, PRIORS = "analysis.resolved.toml", "study.csv", "priors"


def write_resolved(analysis: Analysis | PopulationAnalysis, folder: Path, *, observed: bool = True) -> Path:
    """Write `analysis.resolved.toml`, `study.csv` and the prior files of one's own.

    Parameters
    ----------
    observed
        Write the table of the study; without it the analysis cannot be fitted again.
    """
    if isinstance(analysis, PopulationAnalysis):
        return write_resolved_population(analysis, folder, name=ANALYSIS, table=TABLE, observed=observed)
    document: dict[str, Any] = {
        "schema": 1,
        "name": analysis.name,
        "assumptions": list(analysis.assumptions),
        "study": {"setting": analysis.study.setting, "data": TABLE},
        "model": {
            "disease": _own_file(analysis.disease, folder),
            "combination": _own_file(analysis.combination, folder),
            "growth": analysis.growth,
            "drugs": list(analysis.drugs),
        },
        "fit": {
            name: getattr(analysis.options, name)
            for name in ("chains", "draws", "tune", "target_accept", "engine", "seed")
        },
    }
    if analysis.overrides:
        document["priors"] = {name: dict(table) for name, table in analysis.overrides.items()}
    if analysis.sources:
        document["sources"] = {key: _source(source) for key, source in analysis.sources.items()}
    if analysis.scenarios:
        document["scenario"] = [
            {"name": scenario.name, "dose_factors": dict(scenario.dose_factors)} for scenario in analysis.scenarios
        ]
    endpoints = sorted({str(endpoint) for endpoint in analysis.study.data["endpoint"].values})
    tables = study_analysis_tables(endpoints)
    if observed:
        write_text(folder / TABLE, study_to_table(analysis.study))
    comments = _comments(analysis, observed=observed)
    return write_text(folder / ANALYSIS, f"{comments}{tomlkit.dumps(document)}\n{tables}")


def _comments(analysis: Analysis, *, observed: bool) -> str:
    lines = ["The analysis with every default written out. Doses stand in the rows of the table."]
    if not observed:
        lines.append("The observations were left out on request: without the table it cannot be fitted again.")
    for arm, schedule in analysis.arms.items():
        words = [course_in_words(course, schedule.horizon_min) for course in schedule.courses] or ["no drug"]
        lines += [f"Arm {arm}: {text}." for text in words]
    return "".join(f"# {' '.join(line.split())}\n" for line in lines) + "\n"


def _own_file(name: str, folder: Path) -> str:
    """Name of a shipped prior file as it is; a file of one's own is copied into the run."""
    if not name.endswith(".toml"):
        return name
    target = folder / PRIORS / Path(name).name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(name, target)
    return f"{PRIORS}/{target.name}"


def _source(source: Source) -> dict[str, Any]:
    doi = source.locator.removeprefix("doi:")
    place = {} if not source.locator else {"doi": doi} if doi != source.locator else {"url": source.locator}
    words = {"title": source.title, **place, "section": source.section, "read": source.read}
    return {name: value for name, value in words.items() if value}
