"""From named parameter values in written units to models: the one place where a prior file meets a field."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from pkpd.domain.prior import Component, ParameterPrior, ties
from pkpd.dynamics.base import AbstractGrowthLaw, AbstractPDModel, AbstractPKModel, DoseTable, Exposure, units_of
from pkpd.dynamics.combination import DrugModel, Target, absent
from pkpd.dynamics.pd.senolysis import CDK46, EGFR
from pkpd.dynamics.timeline import Grid
from pkpd.errors import Finding, SpecError
from pkpd.registry import Registry
from pkpd.units import factor

PER_BODY_WEIGHT = "/kg"
TUMOR, NEUTROPHILS = "tumor", "neutrophils"
# Fields of the tumor model that turn exposures into drives: they live on the lanes of the exposures.
DRIVE_FIELDS = ("half_activation", "hill", "activation_rate", "receptor_half_block")
TARGET_FIELDS = ("unbound_fraction", "tissue_ratio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """Which models are simulated, and the priors that name and measure their parameters.

    Attributes
    ----------
    drugs
        By name; each binds another target.
    tumor
        The combination's component, overlaid by the disease's.
    growth
        Entry-point name of the growth law.
    neutrophils
        None where they are not observed (mice).
    """

    drugs: Mapping[str, Component]
    tumor: Component
    growth: str
    neutrophils: Component | None = None

    def __post_init__(self) -> None:
        targets = [drug.target for drug in self.drugs.values()]
        if len(set(targets)) < len(targets):
            raise SpecError(
                Finding(
                    code="E_SHARED_TARGET",
                    where=", ".join(self.drugs),
                    message="two drugs bind the same target",
                    hint="name one drug per target under [model] drugs",
                )
            )

    @property
    def parameters(self) -> dict[str, ParameterPrior]:
        """Full name -> prior, of the parameters that the models have, in a fixed order."""
        found: dict[str, ParameterPrior] = {}
        for name, drug in self.drugs.items():
            wanted = (*units_of(Registry("pkpd.pk_models", AbstractPKModel).get(drug.model)), *TARGET_FIELDS)
            found |= _pick(drug, wanted, prefix=name)
        found |= _pick(self.tumor, tuple(self._tumor_units()), prefix=TUMOR)
        if self.neutrophils is not None:
            found |= _pick(self.neutrophils, tuple(units_of(self._neutrophil_class())), prefix=NEUTROPHILS)
        return found

    @property
    def tied(self) -> dict[str, str]:
        """Parameter -> the one whose value it has."""
        return ties(self.parameters)

    @property
    def on_exposure_lanes(self) -> frozenset[str]:
        """Names of the parameters that are needed before drives exist."""
        drives = {f"{TUMOR}.{field}" for field in DRIVE_FIELDS}
        return frozenset(name for name in self.parameters if name in drives or name.split(".")[0] in self.drugs)

    def borrowed_in_words(self) -> tuple[str, ...]:
        """One sentence for each drug whose potency and toxicity are those of another."""
        return tuple(
            f"{name} acts at the unbound concentrations of {drug.effects_of}, on the tumor and on neutrophils: no prior of its own."
            for name, drug in self.drugs.items()
            if drug.effects_of
        )

    def exposures(
        self, values: Mapping[str, Array], doses: Mapping[str, DoseTable], grid: Grid, *, weight_kg: Array
    ) -> dict[str, Exposure]:
        """Exposure to every target; one that no drug reaches gets the exposure to nothing."""
        reached = {
            drug.target: self._drug_model(name, values, weight_kg).exposure(doses[name], grid)
            for name, drug in self.drugs.items()
        }
        return self._with_nothing_else(reached, grid)

    def exposures_of(
        self, drug: str | None, values: Mapping[str, Array], doses: DoseTable | None, grid: Grid, *, weight_kg: Array
    ) -> dict[str, Exposure]:
        """Exposure to every target when only one drug is taken, or none."""
        if drug is None or doses is None:
            return self._with_nothing_else({}, grid)
        own = self._drug_model(drug, values, weight_kg).exposure(doses, grid)
        return self._with_nothing_else({self.drugs[drug].target: own}, grid)

    def _with_nothing_else(self, reached: Mapping[str, Exposure], grid: Grid) -> dict[str, Exposure]:
        return {target: reached[target] if target in reached else absent(grid) for target in (CDK46, EGFR)}

    def plasma(
        self, drug: str, values: Mapping[str, Array], doses: DoseTable, times_h: Array, *, weight_kg: Array
    ) -> Array:
        """Total concentration of one drug, mg/L, at any times."""
        return self._drug_model(drug, values, weight_kg).pk.concentration(doses, times_h)

    def tumor_model(self, values: Mapping[str, Array]) -> AbstractPDModel:
        """The tumor, from values by full name."""
        growth = Registry("pkpd.growth_laws", AbstractGrowthLaw).get(self.growth)
        model = self.tumor_class
        fields = self._fields(TUMOR, self.tumor, self._tumor_units(), values)
        law = growth(**{name: fields[name] for name in units_of(growth)})
        return model(**{"growth": law, **{name: fields[name] for name in units_of(model)}})

    def neutrophil_model(self, values: Mapping[str, Array]) -> AbstractPDModel:
        """The neutrophils, from values by full name.

        Raises
        ------
        ValueError
            If this assembly has none: an error of the caller.
        """
        if self.neutrophils is None:
            raise ValueError("neutrophils are not part of this assembly")
        model = self._neutrophil_class()
        return model(**self._fields(NEUTROPHILS, self.neutrophils, units_of(model), values))

    def _drug_model(self, name: str, values: Mapping[str, Array], weight_kg: Array) -> DrugModel:
        drug = self.drugs[name]
        pk = Registry("pkpd.pk_models", AbstractPKModel).get(drug.model)
        fields = self._fields(name, drug, units_of(pk) | dict.fromkeys(TARGET_FIELDS, "1"), values, weight_kg)
        return DrugModel(
            pk=pk(**{field: fields[field] for field in units_of(pk)}),
            target=Target(**{field: fields[field] for field in TARGET_FIELDS}, molar_mass=jnp.asarray(drug.molar_mass)),
        )

    def _fields(
        self,
        prefix: str,
        component: Component,
        units: Mapping[str, str],
        values: Mapping[str, Array],
        weight_kg: Array | float = float("nan"),
    ) -> dict[str, Any]:
        """Values in the units of the fields."""
        found: dict[str, Any] = {}
        for field, unit in units.items():
            written = component.parameters[field].unit
            value: Any = values[f"{prefix}.{field}"]
            # A plain number stays one: a lag that is known to be zero spares the search for onsets.
            value = value if isinstance(value, float) else jnp.asarray(value)
            if written.endswith(PER_BODY_WEIGHT):
                value = value * weight_kg
                written = written.removesuffix(PER_BODY_WEIGHT)
            found[field] = value * factor(written, unit)
        return found

    @property
    def tumor_class(self) -> type[AbstractPDModel]:
        """Class of the tumor model."""
        return Registry("pkpd.pd_models", AbstractPDModel).get(self.tumor.model)

    def _tumor_units(self) -> dict[str, str]:
        growth = Registry("pkpd.growth_laws", AbstractGrowthLaw).get(self.growth)
        return units_of(growth) | units_of(self.tumor_class)

    def _neutrophil_class(self) -> type[AbstractPDModel]:
        assert self.neutrophils is not None
        return Registry("pkpd.pd_models", AbstractPDModel).get(self.neutrophils.model)


def _pick(component: Component, fields: tuple[str, ...], *, prefix: str) -> dict[str, ParameterPrior]:
    missing = [field for field in fields if field not in component.parameters]
    if missing:
        raise SpecError(
            [
                Finding(
                    code="E_MISSING_PRIOR",
                    where=f"{prefix}.{field}",
                    message=f"the model '{component.model}' needs it, and no prior file of the setting '{component.setting}' has it",
                    hint=f"add [{component.setting}.{prefix}.{field}] to the disease or drug file",
                )
                for field in missing
            ]
        )
    return {f"{prefix}.{field}": component.parameters[field] for field in fields}


def replace_parameters(component: Component, replaced: Mapping[str, ParameterPrior]) -> Component:
    """The component with some priors replaced."""
    return dataclasses.replace(component, parameters={**component.parameters, **replaced})
