"""A fit of tumor volumes: from draws to predictions, likelihoods and the prior beside the posterior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from pkpd.domain.evidence import Source
from pkpd.domain.prior import ParameterPrior, Prior, Scale
from pkpd.domain.study import ENDPOINT_UNITS, LEFT_CENSORED, Analysis
from pkpd.dynamics.accuracy import ChosenGrid
from pkpd.dynamics.endpoint.continuous import Continuous
from pkpd.inference.fit_model import MAX_TREE_DEPTH, AbstractFitModel, Label
from pkpd.inference.tumor_model import (
    ENDPOINT,
    RESIDUAL,
    SMALLEST_VOLUME,
    TumorModel,
    build_tumor_model,
    constants,
)
from pkpd.simulate.design import predict_volumes
from pkpd.simulate.draws import deviates, prior_draws, stream

BATCH = 8  # draws that are simulated side by side
type Draws = Mapping[str, NDArray[np.float64]]


def tumor_fit(analysis: Analysis, *, grid: ChosenGrid | None = None) -> TumorFit:
    """Model of an analysis of tumor volumes; a grid that was verified before is taken as it is."""
    built = build_tumor_model(analysis, grid=grid)
    return TumorFit(model=built.model, analysis=analysis, built=built)


@dataclass(frozen=True, slots=True, kw_only=True)
class TumorFit(AbstractFitModel):
    """One model of an analysis of tumor volumes."""

    model: pm.Model
    analysis: Analysis
    built: TumorModel

    @property
    def doublings(self) -> int:
        """As many as are allowed: trajectories of one length, which do not turn before they have left a minor mode behind."""
        return MAX_TREE_DEPTH

    def recipe(self) -> Callable[[], AbstractFitModel]:
        """Builds it again on the grid that was verified here."""
        return partial(tumor_fit, self.analysis, grid=self.built.grid)

    @property
    def _priors(self) -> dict[str, ParameterPrior]:
        return self.built.priors | {RESIDUAL: self.built.assembly.tumor.residuals[ENDPOINT]}

    def initial_values(self) -> Mapping[str, NDArray[np.float64]]:
        """Every chain starts at the center of the priors."""
        return {}

    def label(self, name: str) -> Label:
        """Label of a variable of the posterior."""
        base, _, suffix = name.rpartition(".")
        priors = self._priors
        parameter = priors[base] if suffix in ("between", "eta", "subject") else priors[name]
        own = parameter.typical if suffix != "between" or parameter.between is None else parameter.between.sd
        scale = Scale.LINEAR if suffix == "eta" else own.scale_of_change
        unit = "1" if suffix in ("between", "eta") else parameter.unit
        return Label(unit=unit, basis=str(own.basis), scale=scale)

    def with_derived(self, draws: xr.Dataset) -> xr.Dataset:
        """Nothing to add: the values of the animals are part of the model."""
        return draws

    def prior(self, *, count: int, seed: int) -> xr.Dataset:
        """Independent prior draws of every variable that the posterior has."""
        found: dict[str, xr.DataArray] = {}
        subjects = self.analysis.study.subjects
        for name, parameter in self._priors.items():
            if parameter.tied_to:
                continue
            typical = prior_draws(parameter.typical, count=count, seed=seed, purpose=name)
            if parameter.is_sampled:
                found[name] = _variable(typical)
            if parameter.between is None:
                continue
            sd = prior_draws(parameter.between.sd, count=count, seed=seed, purpose=f"{name}.between")
            eta = np.stack(
                [deviates(count=count, seed=seed, purpose=f"{name}.eta.{subject}") for subject in subjects], axis=1
            )
            found[f"{name}.between"] = _variable(sd)
            found[f"{name}.eta"] = _variable(eta)
            found[f"{name}.subject"] = _variable(parameter.between.individual(typical[:, None], sd[:, None], eta))
        return xr.Dataset(found).assign_coords(subject=list(subjects))

    def predict(self, draws: xr.Dataset, *, seed: int) -> tuple[xr.Dataset, xr.Dataset]:
        """New observations of the same animals at the same times, and the log-likelihood of those that were made."""
        chains, count = draws.sizes["chain"], draws.sizes["draw"]
        flat = {
            str(name): draws[name].values.reshape(chains * count, *draws[name].shape[2:]) for name in draws.data_vars
        }
        volumes = _volumes(self.built, flat)
        data = self.analysis.study.data
        subject = data["obs_subject"].values
        residual = flat[f"{RESIDUAL}.subject"][:, subject] if f"{RESIDUAL}.subject" in flat else flat[RESIDUAL][:, None]
        endpoint = Continuous(residual=jnp.asarray(residual))
        noise = stream(seed, "posterior predictive").standard_normal(volumes.shape)
        new = np.asarray(endpoint.draw(jnp.asarray(volumes), jnp.asarray(noise)))
        censored = jnp.asarray(data["censored"].values == LEFT_CENSORED)
        log_density = endpoint.log_density(jnp.asarray(volumes), jnp.asarray(data["value"].values), censored)
        shape = (chains, count, -1)
        dims = ("chain", "draw", "obs_id")
        predicted = xr.Dataset({ENDPOINT: (dims, new.reshape(shape), {"units": ENDPOINT_UNITS[ENDPOINT]})})
        return predicted, xr.Dataset({ENDPOINT: (dims, np.asarray(log_density).reshape(shape), {"units": "1"})})

    def observed(self) -> tuple[xr.Dataset, xr.Dataset]:
        """Volumes, and the study."""
        data = self.analysis.study.data
        return xr.Dataset({ENDPOINT: data["value"].assign_attrs(units=ENDPOINT_UNITS[ENDPOINT])}), data

    def description(self) -> Mapping[str, Any]:
        """What a report says of the analysis."""
        analysis, grid = self.analysis, self.built.grid
        return {
            "name": analysis.name,
            "setting": analysis.study.setting,
            "disease": analysis.disease,
            "combination": analysis.combination,
            "growth": analysis.growth,
            "drugs": list(analysis.drugs),
            "assumptions": list(analysis.assumptions),
            "integrator": {
                "max_step_h": grid.max_step_h,
                "relative_error": grid.error if np.isfinite(grid.error) else None,
                "met": grid.met,
                "cause": grid.cause,
            },
        }

    def inputs(self) -> Mapping[str, str]:
        """Files that were read."""
        return self.analysis.inputs

    def evidence(self) -> tuple[Mapping[str, Prior], Mapping[str, Source]]:
        """Typical values by full name, and the documents of all components."""
        components = (*self.built.assembly.drugs.values(), self.built.assembly.tumor)
        sources = {key: source for part in components for key, source in part.sources.items()}
        priors = {name: parameter.typical for name, parameter in self.built.priors.items()}
        return priors, sources | dict(self.analysis.sources)

    def plan(self) -> tuple[str, ...]:
        """Sizes and the steps of the integrator."""
        design, grid = self.built.design, self.built.grid
        met = "" if grid.met else f", more than is wanted: {grid.cause}"
        return (
            f"{design.subjects} subjects, {design.times_h.size} observations, {design.groups} groups with the same exposure",
            f"integrator: {grid.grid.lengths_h.size} steps of at most {grid.max_step_h:g} h, "
            f"relative error {grid.error:.1e} on prior draws{met}",
            *self.built.assembly.borrowed_in_words(),
        )


def _variable(values: NDArray[np.float64]) -> xr.DataArray:
    return xr.DataArray(values[None], dims=("chain", "draw", "subject")[: values.ndim + 1])


def _volumes(fitted: TumorModel, flat: Draws) -> NDArray[np.float64]:
    """Predicted volume of every observation in every draw."""
    design, grid = fitted.design, fitted.grid.grid
    at = grid.index_of(design.times_h)
    constant = constants(fitted.assembly)
    changing = {
        name: jnp.asarray(flat.get(f"{name}.subject", flat.get(name)))
        for name, parameter in fitted.priors.items()
        if not parameter.tied_to and (f"{name}.subject" in flat or name in flat)
    }
    tied = fitted.assembly.tied

    def volumes(values: dict[str, jax.Array]) -> jax.Array:
        full: dict[str, Any] = {**constant, **values}
        full |= {name: full[other] for name, other in tied.items()}
        predicted = predict_volumes(fitted.assembly, design, full, grid, checkpoint=False)
        return jnp.maximum(predicted[at, design.subject_of], SMALLEST_VOLUME)

    return np.asarray(jax.jit(lambda values: jax.lax.map(volumes, values, batch_size=BATCH))(changing))
