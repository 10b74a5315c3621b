"""New patients: what mice have taught about the tumor, moved to humans, beside human pharmacokinetics and neutrophils."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkpd.domain.prior import ParameterPrior
from pkpd.dynamics.assembly import TUMOR, Assembly
from pkpd.io.priors import read_component
from pkpd.posterior import Posterior
from pkpd.simulate.draws import Draws, individual_values, prior_draws, stream, tied_values
from pkpd.simulate.models import read_assembly

POPULATION = "adult_cancer"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Patients:
    """Draws of patients: each has parameters of its own, from uncertainty about the typical patient and spread around it.

    Attributes
    ----------
    assembly
        Models, and the priors that give every parameter its unit.
    parameters
        Full name -> one value per draw, in written units.
    weight_kg, surface_m2
        Of each draw.
    assumptions
        Sentences on what was carried over from where.
    """

    assembly: Assembly
    parameters: Mapping[str, NDArray[np.float64]]
    weight_kg: NDArray[np.float64]
    surface_m2: NDArray[np.float64]
    assumptions: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of draws."""
        return self.weight_kg.size

    @property
    def units(self) -> dict[str, str]:
        """Full name -> unit of every parameter."""
        return {name: parameter.unit for name, parameter in self.assembly.parameters.items()}

    @property
    def digest(self) -> str:
        """Fingerprint of every value: equal patients have equal digests."""
        found = hashlib.sha256()
        for name in sorted(self.parameters):
            found.update(name.encode())
            found.update(np.ascontiguousarray(self.parameters[name]).tobytes())
        found.update(self.weight_kg.tobytes() + self.surface_m2.tobytes())
        return found.hexdigest()

    def first(self, count: int) -> Patients:
        """The first draws only."""
        return Patients(
            assembly=self.assembly,
            parameters={name: values[:count] for name, values in self.parameters.items()},
            weight_kg=self.weight_kg[:count],
            surface_m2=self.surface_m2[:count],
            assumptions=self.assumptions,
        )


def human_patients(
    posterior: Posterior, *, count: int, seed: int, disease: str = "pdac_patient", purpose: str = "search"
) -> Patients:
    """Draw new patients under a posterior.

    A parameter that the human priors take `from` the fitted setting, or share with it, gets posterior draws, all from the same
    draw so that correlations survive, then its translation shift, then its spread between patients. What the fitted disease
    says instead of the combination is a property of that disease and stays behind. Everything else comes from the human priors.

    Parameters
    ----------
    purpose
        Draws of another purpose are independent: `search` chooses schedules, `report` judges the chosen.

    Raises
    ------
    SpecError
        If a prior file is missing or wrong.
    """
    facts = posterior.analysis
    drugs = tuple(facts["drugs"])
    assembly = read_assembly(
        setting="human",
        drugs=drugs,
        disease=disease,
        combination=facts["combination"],
        growth=facts["growth"],
        with_neutrophils=True,
    )
    priors = assembly.parameters
    left_behind = _properties_of_disease(facts)
    learned = {
        name: posterior.values(name)
        for name, prior in priors.items()
        if prior.origin in ("shared", facts["setting"]) and name in posterior.names and name not in left_behind
    }
    chosen = stream(seed, purpose, "posterior draw").integers(posterior.size, size=count)
    values: dict[str, Draws] = {}
    for name, prior in priors.items():
        if prior.tied_to:
            continue
        key = f"{purpose}.{name}"
        typical = learned[name][chosen] if name in learned else _prior_typical(prior, count=count, seed=seed, key=key)
        if prior.shift is not None:
            typical = prior.shifted(typical, prior_draws(prior.shift, count=count, seed=seed, purpose=f"{key}.shift"))
        values[name] = individual_values(key, prior, typical, seed=seed)
    values |= tied_values(priors, values)
    people = read_component("population", POPULATION, "human").parameters
    size = {
        name: individual_values(
            f"{purpose}.{name}",
            people[name],
            _prior_typical(people[name], count=count, seed=seed, key=f"{purpose}.{name}"),
            seed=seed,
        )
        for name in ("weight", "surface")
    }
    return Patients(
        assembly=assembly,
        parameters=values,
        weight_kg=size["weight"],
        surface_m2=size["surface"],
        assumptions=(*_assumptions(facts, disease, learned, left_behind), *assembly.borrowed_in_words()),
    )


def _prior_typical(prior: ParameterPrior, *, count: int, seed: int, key: str) -> Draws:
    return prior_draws(prior.typical, count=count, seed=seed, purpose=key)


def _properties_of_disease(facts: Mapping[str, object]) -> frozenset[str]:
    """Parameters of the combination that the fitted disease replaced."""
    setting = str(facts["setting"])
    general = read_component("combination", str(facts["combination"]), setting).parameters
    special = read_component("disease", str(facts["disease"]), setting).parameters
    return frozenset(f"{TUMOR}.{name}" for name in special if name in general)


def _assumptions(
    facts: Mapping[str, object], disease: str, learned: Mapping[str, Draws], left_behind: frozenset[str]
) -> tuple[str, ...]:
    found = [
        f"Learned from {facts['disease']} ({facts['setting']}) and carried to {disease} with the shifts of the prior files: "
        f"{', '.join(sorted(learned)) or 'nothing'}."
    ]
    if left_behind:
        found.append(
            f"Properties of {facts['disease']} that were not carried to {disease}: {', '.join(sorted(left_behind))}."
        )
    return tuple(found)
