"""Everything that `pkpd check` finds: the analysis, its table, and whether the prior files answer what it asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from pkpd.domain.population import PopulationAnalysis
from pkpd.domain.prior import Component, ParameterPrior
from pkpd.domain.study import Analysis
from pkpd.errors import Finding, Severity, SpecError
from pkpd.io.analysis import Examined, examine
from pkpd.io.decode import closest_hint
from pkpd.io.population import examine_population, is_population
from pkpd.io.prior_file import Kind
from pkpd.io.prior_tables import read_override
from pkpd.io.priors import read_component
from pkpd.registry import Registry


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Every error and warning of an analysis, errors first, and the analysis itself where there is no error."""

    analysis: Analysis | PopulationAnalysis | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """Number of errors."""
        return sum(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def warnings(self) -> int:
        """Number of warnings."""
        return len(self.findings) - self.errors


def checked(path: Path) -> Checked:
    """Read an analysis and everything that it names; nothing is sampled.

    An analysis without observations, such as an exported regimen, is in order. A table (`regimen.csv`) is checked by
    the analysis beside it (`regimen.toml`), since only that states its units.
    """
    if path.suffix.lower() == ".csv":
        table, path = path, path.with_suffix(".toml")
        if not path.is_file():
            message = f"a table is checked by the analysis beside it, and there is no {path.name}"
            hint = "name the analysis that reads this table: only it states units and endpoints"
            finding = Finding(code="E_FILE", where=str(table), message=message, hint=hint)
            return Checked(analysis=None, findings=(finding,))
    if is_population(path):
        population = examine_population(path)
        return _judged(population.analysis, population.findings)
    examined = examine(path)
    findings = [*examined.findings]
    if examined.models.disease:
        _check_priors(examined, path.name, findings)
    return _judged(examined.analysis, findings)


def _judged(analysis: Analysis | PopulationAnalysis | None, findings: Sequence[Finding]) -> Checked:
    unique = dict.fromkeys(findings)
    found = tuple(sorted(unique, key=lambda finding: finding.severity is not Severity.ERROR))
    judged = Checked(analysis=analysis, findings=found)
    return dataclasses.replace(judged, analysis=None) if judged.errors else judged


def _check_priors(examined: Examined, file: str, findings: list[Finding]) -> None:
    models, setting = examined.models, examined.setting
    wanted = [
        (Kind.COMBINATION, models.combination, "combination"),
        (Kind.DISEASE, models.disease, "disease"),
        *((Kind.DRUG, drug, "drugs") for drug in models.drugs),
    ]
    parts = [_component(kind, name, setting, f"{file}: model.{key}", findings) for kind, name, key in wanted]
    known = [part for part in parts if part is not None]
    combination, disease = parts[0], parts[1]
    if combination is not None and disease is not None:
        tumor = combination.overlaid(disease)
        _check_growth(tumor, examined, file, findings)
        _check_residuals(tumor, examined, file, findings)
    if len(known) == len(parts):
        _check_overrides(examined, known, file, findings)


def _component(kind: Kind, name: str, setting: str, where: str, findings: list[Finding]) -> Component | None:
    try:
        return read_component(kind, name, setting)
    except SpecError as error:
        # A name that is not known stands in the analysis; anything else is wrong in the prior file itself.
        findings.extend(
            dataclasses.replace(finding, where=where) if finding.where == name else finding
            for finding in error.findings
        )
        return None


def _check_growth(tumor: Component, examined: Examined, file: str, findings: list[Finding]) -> None:
    laws = Registry("pkpd.growth_laws", object)
    growth = examined.models.growth
    if growth not in laws.names():
        return
    law: Callable[..., object] = laws.get(growth)
    fields = dataclasses.fields(law)  # pyright: ignore[reportArgumentType]  # every growth law is a dataclass
    missing = [field.name for field in fields if "unit" in field.metadata and field.name not in tumor.parameters]
    findings.extend(
        Finding(
            code="E_MISSING_PARAMETER",
            where=f"{file}: model.growth",
            message=f"'{growth}' needs {name}, and {examined.models.disease} has no prior for it",
            hint=f"add [{examined.setting}.tumor.{name}] to a prior file of your own, or choose another growth law",
        )
        for name in missing
    )


def _check_residuals(tumor: Component, examined: Examined, file: str, findings: list[Finding]) -> None:
    if examined.analysis is None:
        return
    endpoints = sorted({observation.endpoint for observation in examined.analysis.study.observations()})
    findings.extend(
        Finding(
            code="E_MISSING_PARAMETER",
            where=f"{file}: observations",
            message=f"{examined.models.disease} has no prior for the residual error of {endpoint}",
            hint=f"add [{examined.setting}.residual.{endpoint}] to a prior file of your own",
        )
        for endpoint in endpoints
        if endpoint not in tumor.residuals
    )


def _check_overrides(examined: Examined, components: Sequence[Component], file: str, findings: list[Finding]) -> None:
    parameters: dict[str, ParameterPrior] = {
        f"{component.name}.{name}": prior for component in components for name, prior in component.parameters.items()
    }
    sources = {key: source for component in components for key, source in component.sources.items()}
    sources |= examined.sources
    for name, values in examined.overrides.items():
        where = f'{file}: priors."{name}"'
        if name not in parameters:
            hint = closest_hint(name, parameters)
            message = f"'{name}' is not a parameter of this analysis"
            findings.append(Finding(code="E_UNKNOWN_PARAMETER", where=where, message=message, hint=hint))
            continue
        field = name.partition(".")[2]
        read_override(values, field, replaced=parameters[name], findings=findings, where=where, sources=sources)
