"""A fit of a population study: from draws to individual parameters, predictions, likelihoods and the prior beside the posterior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import xarray as xr
from jaxtyping import Array
from numpy.typing import NDArray

from pkpd.domain.evidence import Source
from pkpd.domain.population import PopulationAnalysis
from pkpd.domain.prior import Prior, Scale
from pkpd.dynamics.base import AbstractLinearPKModel
from pkpd.dynamics.events.mesh import Mesh
from pkpd.errors import Finding, SpecError
from pkpd.inference.centering import start_of, weights_and_mode
from pkpd.inference.fit_model import AbstractFitModel, Label
from pkpd.inference.population_model import (
    build_population_model,
    cholesky_row,
    correlation_names,
    observations_of,
    partial_shape,
    pointwise,
    sampled_priors,
)
from pkpd.simulate.draws import prior_draws, stream
from pkpd.simulate.population import (
    PopulationDesign,
    endpoint_of,
    individual_parameters,
    population_design,
    predictions,
)
from pkpd.simulate.verified_steps import with_verified_steps

BATCH = 16  # draws that are simulated side by side
TOLERANCE = 1e-4
PILOT_DRAWS, PILOT_SEED = 4, 20251225


def _refuse_no_steady_state(analysis: PopulationAnalysis, design: PopulationDesign) -> None:
    if np.isfinite(design.error) or not np.any(analysis.study.data["steady"].values):
        return
    message = "the table has doses at steady state, and under draws of the priors repeated doses lead to none"
    hint = "write the doses out with ADDL and II in place of SS, or narrow the priors"
    raise SpecError(Finding(code="E_NO_STEADY_STATE", where=analysis.name, message=message, hint=hint))


def population_fit(
    analysis: PopulationAnalysis,
    *,
    weights: Mapping[str, NDArray[np.float64]] | None = None,
    mode: Mapping[str, NDArray[np.float64]] | None = None,
    steps: tuple[int, Mesh | None] | None = None,
) -> PopulationFit:
    """Model of a population analysis; weights, mode and steps that were found before are taken as they are."""
    design = population_design(analysis)
    design = (
        with_verified_steps(design, _pilot_draws(analysis), tolerance=TOLERANCE)
        if steps is None
        else replace(design, steps=steps[0], mesh=steps[1])
    )
    _refuse_no_steady_state(analysis, design)
    if weights is None or mode is None:
        weights, mode = weights_and_mode(analysis, design)
    return PopulationFit(
        model=build_population_model(analysis, design, weights),
        analysis=analysis,
        design=design,
        weights=weights,
        mode=mode,
    )


def _pilot_draws(analysis: PopulationAnalysis) -> list[dict[str, Array]]:
    """The center of the priors, and subjects around it."""
    center = {name: jnp.asarray(float(prior.quantile(0.5))) for name, prior in sampled_priors(analysis).items()}
    draws = []
    for number in range(PILOT_DRAWS):
        draw = dict(center)
        for name, each in analysis.parameters.items():
            subjects = len(analysis.study.subjects)
            noise = stream(PILOT_SEED, f"{name}.{number}")
            if each.between is not None:
                draw[f"{name}.eta"] = jnp.asarray(noise.standard_normal(subjects))
            if each.occasion is not None:
                draw[f"{name}.kappa"] = jnp.asarray(noise.standard_normal((subjects, analysis.study.occasions)))
        draws.append(draw)
    return draws


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationFit(AbstractFitModel):
    """One model of a population analysis.

    Attributes
    ----------
    weights
        Parameter -> how far each subject's value is sampled as itself.
    mode
        The most probable values, by their names in the posterior.
    """

    model: pm.Model
    analysis: PopulationAnalysis
    design: PopulationDesign
    weights: Mapping[str, NDArray[np.float64]]
    mode: Mapping[str, NDArray[np.float64]]

    @property
    def doublings(self) -> int:
        """None."""
        return 0

    def recipe(self) -> Callable[[], AbstractFitModel]:
        """Builds it again with the weights that were found here."""
        steps = (self.design.steps, self.design.mesh)
        return partial(population_fit, self.analysis, weights=self.weights, mode=self.mode, steps=steps)

    def initial_values(self) -> Mapping[str, NDArray[np.float64]]:
        """The most probable values."""
        return start_of(self.analysis, self.weights, self.mode)

    def label(self, name: str) -> Label:
        """Label of a variable of the posterior."""
        priors = sampled_priors(self.analysis)
        if name in priors:
            return Label.of(priors[name])
        if name.startswith("correlation."):
            return Label(unit="1", basis="assumed", scale=Scale.LINEAR)
        base, _, suffix = name.rpartition(".")
        typical = self.analysis.parameters[base].typical
        if suffix in ("eta", "kappa"):
            return Label(unit="1", basis=str(typical.basis), scale=Scale.LINEAR)
        return Label.of(typical)

    def with_derived(self, draws: xr.Dataset) -> xr.Dataset:
        """Adds the individual parameters, `NAME.subject`, with the covariates and the occasion of each subject's first record."""
        kept = draws[[name for name in draws.data_vars if not str(name).endswith(".share")]]

        def individual(draw: Mapping[str, Array]) -> dict[str, Array]:
            found = individual_parameters(self.design, draw)
            return {
                name: (each if each.ndim < 2 else each[:, 0]) / self.design.factors[name]
                for name, each in found.items()
            }

        for name, values in self._over_draws(individual, kept).items():
            if values.ndim == 3:
                kept = kept.assign({f"{name}.subject": (("chain", "draw", "subject"), values)})
        return kept

    def prior(self, *, count: int, seed: int) -> xr.Dataset:
        """Independent prior draws of every variable that the posterior has."""
        analysis, subjects = self.analysis, self.analysis.study.subjects
        found: dict[str, NDArray[np.float64]] = {
            name: prior_draws(prior, count=count, seed=seed, purpose=name)
            for name, prior in sampled_priors(analysis).items()
        }
        etas = {
            name: np.stack(
                [stream(seed, f"{name}.eta.{subject}").standard_normal(count) for subject in subjects], axis=1
            )
            for name, each in analysis.parameters.items()
            if each.between is not None
        }
        for correlation in analysis.correlations:
            names = correlation_names(correlation)
            partial_draws: dict[tuple[int, int], Any] = {}
            for place, name in names.items():
                shape = partial_shape(correlation, place[1])
                partial_draws[place] = 2.0 * stream(seed, name).beta(shape, shape, count) - 1.0
            rows = [cholesky_row(partial_draws, row) for row in range(len(correlation.parameters))]
            for (row, column), name in names.items():
                found[name] = np.asarray(sum(rows[row][k] * rows[column][k] for k in range(column + 1)))
            independent = [etas[name] for name in correlation.parameters]
            for row, name in enumerate(correlation.parameters):
                etas[name] = sum(
                    (np.broadcast_to(rows[row][k], count)[:, None] * independent[k] for k in range(row + 1)),
                    start=np.zeros((count, len(subjects))),
                )
        found |= {f"{name}.eta": values for name, values in etas.items()}
        for name, each in analysis.parameters.items():
            if each.occasion is not None:
                shape3 = (count, len(subjects), analysis.study.occasions)
                found[f"{name}.kappa"] = stream(seed, f"{name}.kappa").standard_normal(shape3)
        dims = ("chain", "draw", "subject", "occasion")
        data = xr.Dataset({name: (dims[: values.ndim + 1], values[None]) for name, values in found.items()})
        return self.with_derived(data.assign_coords(subject=list(subjects)))

    def predict(self, draws: xr.Dataset, *, seed: int) -> tuple[xr.Dataset, xr.Dataset]:
        """New observations of the same subjects at the same times, and the log-likelihood of those that were made."""
        rows = observations_of(self.analysis)
        total = self.analysis.study.data.sizes["obs_id"]

        def both(draw: Mapping[str, Array]) -> dict[str, Array]:
            noise = draw["noise"]
            predicted = predictions(self.design, draw)
            likelihood = jnp.zeros(total)
            found: dict[str, Array] = {}
            for endpoint, density in pointwise(self.analysis, self.design, draw).items():
                at = rows[endpoint][0]
                likelihood = likelihood.at[at].set(density)
                error = endpoint_of(self.analysis, endpoint, draw)
                found[endpoint] = error.draw(predicted[endpoint][at], noise[at])
            return found | {"log_likelihood": likelihood}

        chains, count = draws.sizes["chain"], draws.sizes["draw"]
        noise = stream(seed, "posterior predictive").standard_normal((chains, count, total))
        found = self._over_draws(both, draws.assign(noise=(("chain", "draw", "obs_id"), noise)))
        likelihood = found.pop("log_likelihood")
        only = len(found) == 1
        name = next(iter(found)) if only else "observation"
        predicted = {
            endpoint: (
                ("chain", "draw", "obs_id" if only else f"obs_id_{endpoint}"),
                values,
                {"units": self.analysis.study.units[endpoint]},
            )
            for endpoint, values in found.items()
        }
        return xr.Dataset(predicted), xr.Dataset({name: (("chain", "draw", "obs_id"), likelihood, {"units": "1"})})

    def _over_draws(
        self, function: Callable[[Mapping[str, Array]], dict[str, Array]], draws: xr.Dataset
    ) -> dict[str, NDArray[np.float64]]:
        """What a function of one draw gives for all draws, [chain, draw, ...]."""
        chains, count = draws.sizes["chain"], draws.sizes["draw"]
        flat = {
            str(name): jnp.asarray(draws[name].values.reshape(chains * count, *draws[name].shape[2:]), dtype=float)
            for name in draws.data_vars
            if not str(name).endswith(".subject")
        }
        found = jax.jit(lambda values: jax.lax.map(function, values, batch_size=BATCH))(flat)
        return {name: np.asarray(each).reshape(chains, count, *each.shape[1:]) for name, each in found.items()}

    def observed(self) -> tuple[xr.Dataset, xr.Dataset]:
        """Observations by endpoint, and the study."""
        data = self.analysis.study.data
        rows = observations_of(self.analysis)
        only = len(rows) == 1
        observed = {
            endpoint: (
                "obs_id" if only else f"obs_id_{endpoint}",
                value,
                {"units": self.analysis.study.units[endpoint]},
            )
            for endpoint, (_, value, _) in rows.items()
        }
        return xr.Dataset(observed), data

    def description(self) -> Mapping[str, Any]:
        """What a report says of the analysis."""
        analysis = self.analysis
        return {
            "name": analysis.name,
            "kind": "population",
            "setting": analysis.study.setting,
            "structure": analysis.structure,
            "endpoints": list(analysis.errors),
            "integrator": {
                "steps": self.design.steps,
                "steps_of_a_subject": None if self.design.mesh is None else self.design.mesh.share.shape[1],
                "relative_error": self.design.error,
            },
            "observed": list(analysis.observed_in_words()),
            "assumptions": list(analysis.assumptions),
        }

    def inputs(self) -> Mapping[str, str]:
        """Files that were read."""
        return self.analysis.inputs

    def evidence(self) -> tuple[Mapping[str, Prior], Mapping[str, Source]]:
        """Every prior of the analysis, and its documents."""
        return sampled_priors(self.analysis), self.analysis.sources

    def plan(self) -> tuple[str, ...]:
        """Sizes, and what is observed."""
        study = self.analysis.study
        return (
            f"{len(study.subjects)} subjects, {study.data.sizes['obs_id']} observations, "
            f"{study.data.sizes['record']} records of {self.analysis.structure}",
            *self._integrator_in_words(),
            *self.analysis.observed_in_words(),
        )

    def _integrator_in_words(self) -> tuple[str, ...]:
        if issubclass(self.design.kind, AbstractLinearPKModel):
            return ()
        met = "" if self.design.error <= TOLERANCE else f", above the {TOLERANCE:g} that is wanted"
        steps = f"{self.design.steps} steps an interval"
        if self.design.mesh is not None:
            most = self.design.mesh.share.shape[1]
            steps = f"1 to {steps}, at most {most} a subject"
        return (f"integrator: {steps}, relative error {self.design.error:.1e} at the center of the priors{met}",)
