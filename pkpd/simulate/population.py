"""Individual parameters and predictions of a population study under one draw: where a draw meets the PK model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from pkpd import units
from pkpd.domain.population import BlqMethod, CovariateEffect, CovariateForm, PopulationAnalysis, PopulationParameter
from pkpd.domain.prior import Prior, Scale
from pkpd.dynamics.base import AbstractEndpoint, AbstractPKModel
from pkpd.dynamics.events.mesh import Mesh
from pkpd.dynamics.events.plan import Plan
from pkpd.io.structures import parameter_units
from pkpd.registry import Registry
from pkpd.simulate.study_events import outputs_at_records, plan_of

type Values = Mapping[str, Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationDesign:
    """What stays the same from draw to draw.

    Attributes
    ----------
    plan
        Records of every subject side by side, padded.
    steps
        Per interval between records, for structures without a closed form.
    mesh
        Steps of each interval, where not all take the same number.
    error
        Largest difference of an observed prediction from that of twice the uniform steps, relative to the largest of its endpoint
        in the subject.
    factors
        Parameter -> number from its written unit to that of the model.
    covariates
        Column -> values [subject, record], or [subject, 1] where they do not change within a subject.
    occasion
        Index of the occasion [subject, record].
    obs_subject, obs_record
        Where each observation lies among the records.
    """

    analysis: PopulationAnalysis
    kind: type[AbstractPKModel]
    plan: Plan
    factors: Mapping[str, float]
    covariates: Mapping[str, NDArray[np.float64]]
    occasion: NDArray[np.int64]
    obs_subject: NDArray[np.int64]
    obs_record: NDArray[np.int64]
    steps: int = 1
    mesh: Mesh | None = None
    error: float = 0.0

    @property
    def subjects(self) -> int:
        """Number of subjects."""
        return self.occasion.shape[0]


def population_design(analysis: PopulationAnalysis) -> PopulationDesign:
    """Put the records of a study side by side."""
    data = analysis.study.data
    kind = Registry("pkpd.pk_models", AbstractPKModel).get(analysis.structure)
    lags = [each.typical for name, each in analysis.parameters.items() if name.endswith(".lag")]
    plan = plan_of(data, longest_lag_h=max((_longest_h(prior) for prior in lags), default=0.0))
    # a padded record repeats the last one of its subject
    rows = np.maximum.accumulate(plan.rows, axis=1)
    unit = parameter_units(analysis.structure)
    covariates = {}
    for name in map(str, data.data_vars):
        if name.startswith("covariate_"):
            values = np.asarray(data[name].values, dtype=float)[rows]
            constant = np.all(values == values[:, :1])
            covariates[name.removeprefix("covariate_")] = values[:, :1] if constant else values
    return PopulationDesign(
        analysis=analysis,
        kind=kind,
        plan=plan,
        factors={name: units.factor(each.typical.unit, unit[name]) for name, each in analysis.parameters.items()},
        covariates=covariates,
        occasion=np.asarray(data["occasion"].values)[rows],
        obs_subject=np.asarray(data["obs_subject"].values),
        obs_record=np.asarray(plan.record_of_row)[np.asarray(data["obs_record"].values)],
    )


def _longest_h(prior: Prior) -> float:
    """A lag that its prior hardly ever exceeds, in hours."""
    return float(prior.quantile(0.9999)) * units.factor(prior.unit, "h")


def individual_parameters(design: PopulationDesign, values: Values) -> dict[str, Array]:
    """Parameters of every subject in the units of the model: a scalar, [subject], or [subject, record] where they change.

    Parameters
    ----------
    values
        One draw by posterior name: `NAME`, `NAME.between`, `NAME.eta` [subject], `NAME.occasion`, `NAME.kappa` [subject, occasion],
        `NAME.COLUMN`; what is fixed may be left out.
    """
    return {
        name: design.factors[name] * _individual(design, parameter, values)
        for name, parameter in design.analysis.parameters.items()
    }


def _individual(design: PopulationDesign, parameter: PopulationParameter, values: Values) -> Array:
    typical = known(values, parameter.name, parameter.typical)
    for effect in parameter.covariates:
        typical = typical * _effect(design, parameter, effect, values)
    moved: Any = 0.0
    scale = Scale.LOG
    if parameter.between is not None:
        scale = parameter.between.scale
        sd = known(values, f"{parameter.name}.between", parameter.between.sd)
        moved = moved + (sd * values[f"{parameter.name}.eta"])[:, None]
    if parameter.occasion is not None:
        scale = parameter.occasion.scale
        sd = known(values, f"{parameter.name}.occasion", parameter.occasion.sd)
        rows = jnp.arange(design.subjects)[:, None]
        moved = moved + sd * values[f"{parameter.name}.kappa"][rows, design.occasion]
    result = jnp.asarray(_moved(scale, typical, moved))
    return result[:, 0] if result.ndim == 2 and result.shape[1] == 1 else result


def known(values: Values, name: str, prior: Prior) -> Array:
    """Value of a draw, or the value that its prior fixes."""
    return jnp.asarray(prior.location if prior.is_fixed and name not in values else values[name])


def _moved(scale: Scale, value: Array, by: Array) -> Array:
    match scale:
        case Scale.LOG:
            return value * jnp.exp(by)
        case Scale.LOGIT:
            return jax.nn.sigmoid(jnp.log(value) - jnp.log1p(-value) + by)
        case Scale.LINEAR:
            return value + by


def _effect(design: PopulationDesign, parameter: PopulationParameter, effect: CovariateEffect, values: Values) -> Array:
    """Factor of one covariate [subject, record or 1]."""
    x = jnp.asarray(design.covariates[effect.column])
    if effect.form is CovariateForm.CATEGORICAL:
        names = categories_of(design.analysis, effect)
        factors = [
            jnp.ones(())
            if name == effect.reference
            else known(values, parameter.coefficient_name(effect, name), effect.coefficients[name])
            for name in names
        ]
        return jnp.stack(factors)[x.astype(int)]
    coefficient = known(values, parameter.coefficient_name(effect), effect.coefficients[""])
    reference = float(effect.reference)
    match effect.form:
        case CovariateForm.POWER:
            return (x / reference) ** coefficient
        case CovariateForm.LINEAR:
            return 1.0 + coefficient * (x - reference)
        case _:
            return jnp.exp(coefficient * (x - reference))


def categories_of(analysis: PopulationAnalysis, effect: CovariateEffect) -> tuple[str, ...]:
    """Categories of a column, by index."""
    return tuple(str(analysis.study.data[f"covariate_{effect.column}"].attrs["categories"]).split("\n"))


def predictions(design: PopulationDesign, values: Values) -> dict[str, Float[Array, " obs_id"]]:
    """Prediction of every observation under one draw, by output of the structure, in the unit of the output."""
    parameters = individual_parameters(design, values)
    outputs = outputs_at_records(design.kind, design.plan, parameters, steps=design.steps, mesh=design.mesh)
    return {name: each[design.obs_subject, design.obs_record] for name, each in outputs.items()}


def endpoint_of(analysis: PopulationAnalysis, name: str, values: Values) -> AbstractEndpoint:
    """Residual error of one endpoint under one draw."""
    error = analysis.errors[name]
    kind: Any = Registry("pkpd.endpoints", AbstractEndpoint).get(error.model)
    fields = {field: known(values, f"{name}.{field}", prior) for field, prior in error.parameters.items()}
    return kind(**fields, positive=analysis.blq.get(name) is BlqMethod.M4)
