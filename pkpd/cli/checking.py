"""What `pkpd check` says about an analysis: the findings for a program, and one line for a person."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pkpd.cli.messages import tell_findings
from pkpd.domain.population import POPULATION_ENGINES, PopulationAnalysis
from pkpd.domain.study import ENGINES, Analysis
from pkpd.errors import Finding, SpecError
from pkpd.io.analysis import require_observations
from pkpd.io.checks import Checked, checked


def read_checked(path: Path) -> Analysis | PopulationAnalysis:
    """Analysis that can be fitted, after every check; warnings go to stderr.

    Raises
    ------
    SpecError
        With everything that is wrong.
    """
    if path.suffix.lower() == ".csv":
        hint = "name the analysis that reads this table"
        raise SpecError(Finding(code="E_FILE", where=str(path), message="is a table and not an analysis", hint=hint))
    found = checked(path)
    if found.analysis is None:
        raise SpecError(found.findings)
    if isinstance(found.analysis, Analysis):
        require_observations(found.analysis, path)
    tell_findings(found.findings)
    return found.analysis


def with_options[A: Analysis | PopulationAnalysis](analysis: A, **stated: Any) -> A:
    """The analysis with those options of the sampler that are not None replaced.

    Raises
    ------
    SpecError
        If the engine is not one for this kind of study.
    """
    engines = POPULATION_ENGINES if isinstance(analysis, PopulationAnalysis) else ENGINES
    engine = stated.get("engine")
    if engine is not None and engine not in engines:
        message = f"'{engine}' is for another kind of study"
        raise SpecError(
            Finding(code="E_CHOICE", where="--engine", message=message, hint=f"write one of {', '.join(engines)}")
        )
    given = {name: value for name, value in stated.items() if value is not None}
    return replace(analysis, options=replace(analysis.options, **given))


def findings_json(path: Path, found: Checked) -> str:
    """Findings as JSON."""
    content = {
        "file": path.name,
        "errors": found.errors,
        "warnings": found.warnings,
        "findings": [asdict(finding) for finding in found.findings],
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


def as_text(path: Path, found: Checked) -> str:
    """One line: the number of findings, and what was read where there is no error."""
    counts = f"{path}: {_number(found.errors, 'error')}, {_number(found.warnings, 'warning')}"
    analysis = found.analysis
    if analysis is None:
        return counts
    if isinstance(analysis, PopulationAnalysis):
        return _population_as_text(counts, analysis)
    study = analysis.study
    sizes = study.data.sizes
    parts = (
        _number(sizes["subject"], "subject"),
        _number(len(study.arms), "arm"),
        _number(sizes["obs_id"], "observation"),
        _number(sizes["dose_id"], "dose"),
    )
    return f"{counts}; {', '.join(parts)} of {', '.join(study.drugs) or 'no drug'}"


def _population_as_text(counts: str, analysis: PopulationAnalysis) -> str:
    subjects = _number(len(analysis.study.subjects), "subject")
    return "\n".join((f"{counts}; {subjects}, {analysis.structure}", *analysis.observed_in_words()))


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
