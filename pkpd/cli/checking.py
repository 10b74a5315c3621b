"""What `pkpd check` says about an analysis: the findings for a program, and one line for a person."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pkpd.cli.messages import tell_findings
from pkpd.domain.population import PopulationAnalysis
from pkpd.domain.study import Analysis
from pkpd.errors import Finding, Severity, SpecError
from pkpd.io.analysis import examine, read_analysis
from pkpd.io.checks import check_analysis
from pkpd.io.population import examine_population, is_population, read_population


def read_checked(path: Path) -> Analysis | PopulationAnalysis:
    """Analysis that can be fitted, after every check; warnings go to stderr.

    Raises
    ------
    SpecError
        With everything that is wrong.
    """
    findings = check_analysis(path)
    if _count(findings, Severity.ERROR):
        raise SpecError(findings)
    analysis = read_population(path) if is_population(path) else read_analysis(path)
    tell_findings(findings)
    return analysis


def with_options[A: Analysis | PopulationAnalysis](analysis: A, **stated: Any) -> A:
    """The analysis with those options of the sampler that are not None replaced."""
    given = {name: value for name, value in stated.items() if value is not None}
    return replace(analysis, options=replace(analysis.options, **given))


def findings_json(path: Path, findings: Sequence[Finding]) -> str:
    """Findings as JSON."""
    content = {
        "file": path.name,
        "errors": _count(findings, Severity.ERROR),
        "warnings": _count(findings, Severity.WARNING),
        "findings": [asdict(finding) for finding in findings],
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


def as_text(path: Path, findings: Sequence[Finding]) -> str:
    """One line: the number of findings, and what was read where there is no error."""
    errors, warnings = _count(findings, Severity.ERROR), _count(findings, Severity.WARNING)
    counts = f"{path}: {_number(errors, 'error')}, {_number(warnings, 'warning')}"
    if errors:
        return counts
    read = path.with_suffix(".toml") if path.suffix.lower() == ".csv" else path
    if is_population(read):
        return _population_as_text(counts, examine_population(read).analysis)
    analysis = examine(read).analysis
    if analysis is None:
        return counts
    study = analysis.study
    sizes = study.data.sizes
    parts = (
        _number(sizes["subject"], "subject"),
        _number(len(study.arms), "arm"),
        _number(sizes["obs_id"], "observation"),
        _number(sizes["dose_id"], "dose"),
    )
    return f"{counts}; {', '.join(parts)} of {', '.join(study.drugs) or 'no drug'}"


def _population_as_text(counts: str, analysis: PopulationAnalysis | None) -> str:
    if analysis is None:
        return counts
    subjects = _number(len(analysis.study.subjects), "subject")
    return "\n".join((f"{counts}; {subjects}, {analysis.structure}", *analysis.observed_in_words()))


def _count(findings: Sequence[Finding], severity: Severity) -> int:
    return sum(finding.severity is severity for finding in findings)


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
