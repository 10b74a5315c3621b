"""Reads the prior files that an analysis names and assembles its models."""

from __future__ import annotations

from collections.abc import Mapping

from pkpd.domain.evidence import Source
from pkpd.domain.prior import Component, ParameterPrior
from pkpd.dynamics.assembly import NEUTROPHILS, TUMOR, Assembly, replace_parameters
from pkpd.errors import Finding, SpecError
from pkpd.io.prior_tables import read_override
from pkpd.io.priors import read_component

PATIENT_TOXICITY = "neutropenia"


def read_assembly(
    *,
    setting: str,
    drugs: tuple[str, ...],
    disease: str,
    combination: str,
    growth: str,
    overrides: Mapping[str, Mapping[str, object]] | None = None,
    sources: Mapping[str, Source] | None = None,
    with_neutrophils: bool = False,
) -> Assembly:
    """Models of one setting with their priors.

    Parameters
    ----------
    overrides
        Full parameter name -> prior table that replaces the one of the file, in the words of the files.
    sources
        Documents that the overrides may name, beside those of the files.

    Raises
    ------
    SpecError
        If a file cannot be read, or with everything that is wrong in the overrides.
    """
    components = {name: read_component("drug", name, setting) for name in drugs}
    components[TUMOR] = read_component("combination", combination, setting).overlaid(
        read_component("disease", disease, setting)
    )
    if with_neutrophils:
        components[NEUTROPHILS] = read_component("toxicity", PATIENT_TOXICITY, setting)
    for name, replaced in _overridden(components, overrides or {}, sources or {}).items():
        components[name] = replace_parameters(components[name], replaced)
    return Assembly(
        drugs={name: components[name] for name in drugs},
        tumor=components[TUMOR],
        growth=growth,
        neutrophils=components.get(NEUTROPHILS),
    )


def _overridden(
    components: Mapping[str, Component],
    overrides: Mapping[str, Mapping[str, object]],
    sources: Mapping[str, Source],
) -> dict[str, dict[str, ParameterPrior]]:
    findings: list[Finding] = []
    found: dict[str, dict[str, ParameterPrior]] = {}
    for full_name, table in overrides.items():
        component, _, field = full_name.partition(".")
        where = f'[priors."{full_name}"]'
        if component not in components or field not in components[component].parameters:
            known = [f"{name}.{each}" for name, part in components.items() for each in part.parameters]
            findings.append(
                Finding(
                    code="E_UNKNOWN_PARAMETER",
                    where=where,
                    message=f"no model of this analysis has a parameter '{full_name}'",
                    hint=f"the parameters are {', '.join(sorted(known))}",
                )
            )
            continue
        part = components[component]
        prior = read_override(
            table,
            field,
            replaced=part.parameters[field],
            findings=findings,
            where=where,
            sources={**part.sources, **sources},
        )
        if prior is not None:
            found.setdefault(component, {})[field] = prior
    if findings:
        raise SpecError(findings)
    return found
