"""Reads an analysis: one TOML file that says what the data mean, who received what, and which models to fit.

Everything that is wrong in the file and in its table is found in one pass. `read_analysis` is for a fit; `examine` is
for `pkpd check`, which also accepts an analysis of doses alone, such as an exported regimen.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pkpd.domain.dosing import Schedule
from pkpd.domain.evidence import Source
from pkpd.domain.study import Administration, Analysis, FitOptions, Scenario, build_study
from pkpd.errors import Finding, Severity, SpecError
from pkpd.io.analysis_tables import (
    ModelChoice,
    read_layout,
    read_models,
    read_options,
    read_overrides,
    read_scenarios,
    read_setting,
    read_sources,
)
from pkpd.io.arms import Arm, plan_arms, planned_doses, read_arms, subjects_in_words
from pkpd.io.decode import TomlTable, load_toml, read_texts
from pkpd.io.event_table import Events, read_events
from pkpd.io.layout import Layout
from pkpd.io.prior_file import Kind
from pkpd.io.priors import shipped_prior_names

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What could be read of an analysis, and everything that was found wrong.

    Attributes
    ----------
    analysis
        None where there is an error.
    findings
        Errors and warnings, each once.
    setting, models, overrides, sources
        As written, for checks against the prior files that need no usable table.
    """

    analysis: Analysis | None
    findings: tuple[Finding, ...]
    setting: str = ""
    models: ModelChoice = field(default_factory=ModelChoice)
    overrides: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)


def read_analysis(path: Path) -> Analysis:
    """Analysis that can be fitted.

    Raises
    ------
    SpecError
        With everything that is wrong in the file and its table, or if there is nothing to fit.
    """
    examined = examine(path)
    if examined.analysis is None:
        raise SpecError(examined.findings)
    require_observations(examined.analysis, path)
    return examined.analysis


def require_observations(analysis: Analysis, path: Path) -> None:
    """Refuse an analysis that describes doses alone.

    Raises
    ------
    SpecError
        If there is nothing to fit.
    """
    if analysis.study.data.sizes["obs_id"] == 0:
        raise SpecError(
            Finding(
                code="E_NO_OBSERVATIONS",
                where=path.name,
                message="there are doses and no observations, so there is nothing to fit",
                hint='write [observations] endpoint = "tumor_volume", and name the column DV',
            )
        )


def examine(path: Path) -> Examined:
    """Read an analysis as far as it can be read, and collect every finding."""
    findings: list[Finding] = []
    try:
        root = TomlTable(load_toml(path), findings, where=path.name)
    except SpecError as error:
        return Examined(analysis=None, findings=error.findings)
    draft = _read_file(root, path)
    events = None if draft.table is None else read_events(draft.table, draft.layout, findings)
    analysis = None if events is None else _complete(draft, events, path, findings)
    unique = tuple(dict.fromkeys(findings))
    failed = any(finding.severity is Severity.ERROR for finding in unique)
    return Examined(
        analysis=None if failed else analysis,
        findings=unique,
        setting=draft.setting,
        models=draft.models,
        overrides=draft.overrides,
        sources=draft.sources,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """The analysis file, before its table is read.

    Attributes
    ----------
    table
        Path of the event table; None where the file does not say it.
    table_as_written
        The same, as it stands in the file.
    """

    name: str
    setting: str
    table: Path | None
    table_as_written: str
    layout: Layout
    models: ModelChoice
    arms: Mapping[str, Arm]
    overrides: Mapping[str, Mapping[str, object]]
    options: FitOptions
    scenarios: tuple[Scenario, ...]
    sources: Mapping[str, Source]
    assumptions: tuple[str, ...]


def _read_file(root: TomlTable, path: Path) -> _Draft:
    if root.integer("schema") not in (None, SCHEMA):
        root.report("E_SCHEMA", "schema", f"schema {root.values['schema']} is not known", f"write schema = {SCHEMA}")
    name = root.text("name", required=False) or path.stem
    setting, data = "human", None
    study = root.table("study", example='[study] with setting = "mouse" and data = "study.csv"')
    if study is not None:
        setting = read_setting(study)
        data = study.text("data", example="study.csv")
        study.refuse_unknown()
    models = read_models(root, required="observations" in root, folder=path.parent)
    drugs = models.drugs if "model" in root else shipped_prior_names(Kind.DRUG)
    draft = _Draft(
        name=name,
        setting=setting,
        table=None if data is None else path.parent / data,
        table_as_written=data or "",
        layout=read_layout(root, setting=setting, drugs=drugs, where=path.name),
        models=models,
        arms=read_arms(root, setting=setting, drugs=drugs),
        overrides=read_overrides(root),
        options=read_options(root),
        scenarios=read_scenarios(root, drugs),
        sources=read_sources(root),
        assumptions=read_texts(root, "assumptions"),
    )
    root.refuse_unknown()
    return draft


def _complete(draft: _Draft, events: Events, path: Path, findings: list[Finding]) -> Analysis:
    """Analysis from its file and its events; what does not fit together is reported."""
    assert draft.table is not None
    planned: Mapping[str, Schedule] = {}
    administrations = events.administrations
    if draft.arms:
        planned = plan_arms(
            draft.arms, events.subjects, events.observations, table_name=draft.table.name, findings=findings
        )
        administrations += planned_doses(planned, draft.arms, events.subjects, findings)
    _report_doses_stated_twice(draft, events, findings)
    _report_unusable_doses(draft, events, administrations, findings)
    if not any(finding.severity is Severity.ERROR for finding in findings):  # what could not be read is no gap
        _warn_of_gaps(draft, events, administrations, findings)
    study = build_study(
        name=draft.name,
        setting=draft.setting,
        subjects=events.subjects,
        observations=events.observations,
        administrations=administrations,
    )
    return Analysis(
        name=draft.name,
        study=study,
        arms=planned,
        drugs=draft.models.drugs or study.drugs,
        disease=draft.models.disease,
        combination=draft.models.combination,
        growth=draft.models.growth,
        overrides=draft.overrides,
        options=draft.options,
        scenarios=draft.scenarios,
        sources=draft.sources,
        assumptions=draft.assumptions,
        inputs={path.name: _sha256(path), draft.table_as_written: _sha256(draft.table)},
    )


def _report_doses_stated_twice(draft: _Draft, events: Events, findings: list[Finding]) -> None:
    by_plan = {course.drug for arm in draft.arms.values() for course in arm.courses}
    findings.extend(
        Finding(
            code="E_STATED_TWICE",
            where=f"{draft.layout.where}: arm",
            message=f"doses of {drug} stand in the rows of the table and in the arms of the analysis",
            hint="keep one of the two; [ignore] columns leaves the dose columns of the table out",
        )
        for drug in sorted(by_plan & {dose.drug for dose in events.administrations})
    )


def _report_unusable_doses(
    draft: _Draft, events: Events, administrations: Sequence[Administration], findings: list[Finding]
) -> None:
    where = f"{draft.layout.where}: covariates"
    if draft.setting == "in_vitro" and (administrations or any(arm.dosed for arm in draft.arms.values())):
        findings.append(
            Finding(
                code="E_UNSUPPORTED",
                where=f"{draft.layout.where}: study.setting",
                message="doses to a culture: not supported, cells see concentrations and not doses",
                hint='write setting = "mouse" or "human" for dosed subjects',
            )
        )
    dosed = {dose.subject for dose in administrations}
    unknown = [subject.name for subject in events.subjects if subject.name in dosed and math.isnan(subject.weight_kg)]
    reported = any(finding.code == "E_MISSING_COVARIATE" for finding in findings)
    if draft.setting == "mouse" and unknown and not reported:
        findings.append(
            Finding(
                code="E_MISSING_COVARIATE",
                where=where,
                message=f"the pharmacokinetics of mice are per kg, and the weight of {subjects_in_words(unknown)} "
                "is not known",
                hint='write weight = "22 g" in [covariates], or add a column WT to the table',
            )
        )


def _warn_of_gaps(
    draft: _Draft, events: Events, administrations: Sequence[Administration], findings: list[Finding]
) -> None:
    def warn(code: str, where: str, message: str, hint: str) -> None:
        findings.append(Finding(code=code, where=where, message=message, hint=hint, severity=Severity.WARNING))

    if not events.observations:
        return
    dosed = {dose.subject for dose in administrations}
    treated = {subject.arm for subject in events.subjects if subject.name in dosed}
    treated |= {name for name, arm in draft.arms.items() if arm.dosed}
    arms = {subject.arm for subject in events.subjects}
    if draft.setting != "human" and treated >= arms:
        hint = "without an arm that gets no drug, growth and effect are told apart by the priors alone"
        warn("W_NO_CONTROL_ARM", f"{draft.layout.where}: arm", "every arm is given a drug", hint)
    given = {dose.drug for dose in administrations}
    given |= {course.drug for arm in draft.arms.values() for course in arm.courses}
    for drug in draft.models.drugs:
        if drug not in given:
            hint = "what is said about it afterwards is the prior; leave it out of drugs if that is not meant"
            warn("W_DRUG_NOT_GIVEN", f"{draft.layout.where}: model.drugs", f"nobody is given {drug}", hint)
    observed = {observation.subject for observation in events.observations}
    silent = [subject.name for subject in events.subjects if subject.name not in observed]
    if silent:
        message = f"nothing was observed in {subjects_in_words(silent)}"
        warn("W_SUBJECT_WITHOUT_DATA", draft.table_as_written, message, "they inform nothing and are kept")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
