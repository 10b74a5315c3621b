"""From draws to `posterior.nc`: predictive draws, likelihoods, the prior beside the posterior, and provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pkpd.domain.prior import ParameterPrior, Scale
from pkpd.domain.study import ENDPOINT_UNITS, LEFT_CENSORED, Analysis, FitOptions
from pkpd.dynamics.endpoint.continuous import Continuous
from pkpd.inference.model import ENDPOINT, RESIDUAL, SMALLEST_VOLUME, FitModel, constants
from pkpd.posterior import SCHEMA
from pkpd.simulate.design import predict_volumes
from pkpd.simulate.draws import deviates, prior_draws, stream

PRIOR_DRAWS = 500
BATCH = 8  # draws that are simulated side by side
SAMPLER_ONLY = (".deviate", ".centered")
type Draws = Mapping[str, NDArray[np.float64]]


def assemble(analysis: Analysis, fitted: FitModel, draws: xr.DataTree, options: FitOptions) -> xr.DataTree:
    """Every group of a posterior file except the gate's verdict."""
    priors = fitted.priors | {RESIDUAL: fitted.assembly.tumor.residuals[ENDPOINT]}
    posterior = _cleaned(draws["posterior"].to_dataset(), priors)
    prior = _prior(analysis, priors, seed=options.seed)
    groups = {"posterior": posterior, "prior": prior, "sample_stats": draws["sample_stats"].to_dataset()}
    for name, source in (("posterior", posterior), ("prior", prior)):
        predicted, likelihood = _predict(analysis, fitted, source, seed=options.seed)
        groups[f"{name}_predictive"] = predicted
        if name == "posterior":
            groups["log_likelihood"] = likelihood
    data = analysis.study.data
    groups["observed_data"] = xr.Dataset({ENDPOINT: data["value"].assign_attrs(units=ENDPOINT_UNITS[ENDPOINT])})
    groups["constant_data"] = data
    tree = xr.DataTree.from_dict({name: _plain(group) for name, group in groups.items()})
    tree.attrs.update(_provenance(analysis, fitted, options))
    return tree


def _cleaned(draws: xr.Dataset, priors: Mapping[str, ParameterPrior]) -> xr.Dataset:
    kept = draws[[name for name in draws.data_vars if not str(name).endswith(SAMPLER_ONLY)]]
    return _labeled(kept.transpose("chain", "draw", ...), priors)


def _labeled(data: xr.Dataset, priors: Mapping[str, ParameterPrior]) -> xr.Dataset:
    """Units, basis and scale of every variable."""
    labeled = {}
    for name in map(str, data.data_vars):
        base, _, suffix = name.rpartition(".")
        parameter = priors[base] if suffix in ("between", "eta", "subject") else priors[name]
        own = parameter.typical if suffix != "between" or parameter.between is None else parameter.between.sd
        scale = Scale.LINEAR if suffix == "eta" else own.scale_of_change
        unit = "1" if suffix in ("between", "eta") else parameter.unit
        labeled[name] = data[name].assign_attrs(
            units=unit, long_name=name.replace(".", " ").replace("_", " "), basis=str(own.basis), scale=str(scale)
        )
    return xr.Dataset(labeled)


def _prior(analysis: Analysis, priors: Mapping[str, ParameterPrior], *, seed: int) -> xr.Dataset:
    """Independent prior draws of every variable that the posterior has."""
    found: dict[str, xr.DataArray] = {}
    subjects = analysis.study.subjects
    for name, parameter in priors.items():
        if parameter.tied_to:
            continue
        typical = prior_draws(parameter.typical, count=PRIOR_DRAWS, seed=seed, purpose=name)
        if parameter.is_sampled:
            found[name] = _variable(typical)
        if parameter.between is None:
            continue
        sd = prior_draws(parameter.between.sd, count=PRIOR_DRAWS, seed=seed, purpose=f"{name}.between")
        eta = np.stack(
            [deviates(count=PRIOR_DRAWS, seed=seed, purpose=f"{name}.eta.{subject}") for subject in subjects], axis=1
        )
        found[f"{name}.between"] = _variable(sd)
        found[f"{name}.eta"] = _variable(eta)
        found[f"{name}.subject"] = _variable(parameter.between.individual(typical[:, None], sd[:, None], eta))
    data = xr.Dataset(found).assign_coords(subject=list(subjects))
    return _labeled(data, priors)


def _variable(values: NDArray[np.float64]) -> xr.DataArray:
    return xr.DataArray(values[None], dims=("chain", "draw", "subject")[: values.ndim + 1])


def _predict(analysis: Analysis, fitted: FitModel, draws: xr.Dataset, *, seed: int) -> tuple[xr.Dataset, xr.Dataset]:
    """New observations of the same animals at the same times, and the log-likelihood of those that were made."""
    chains, count = draws.sizes["chain"], draws.sizes["draw"]
    flat = {str(name): draws[name].values.reshape(chains * count, *draws[name].shape[2:]) for name in draws.data_vars}
    volumes = _volumes(fitted, flat)
    data = analysis.study.data
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


def _volumes(fitted: FitModel, flat: Draws) -> NDArray[np.float64]:
    """Predicted volume of every observation in every draw."""
    design, grid = fitted.design, fitted.grid.grid
    at = grid.index_of(design.times_h)
    constant = constants(fitted.assembly)
    changing = {
        name: jnp.asarray(flat.get(f"{name}.subject", flat.get(name)))
        for name, parameter in fitted.priors.items()
        if not parameter.tied_to and (f"{name}.subject" in flat or name in flat)
    }
    tied = {name: f"{name.partition('.')[0]}.{p.tied_to}" for name, p in fitted.priors.items() if p.tied_to}

    def volumes(values: dict[str, jax.Array]) -> jax.Array:
        full = constant | values
        full |= {name: full[other] for name, other in tied.items()}
        predicted = predict_volumes(fitted.assembly, design, full, grid, checkpoint=False)
        return jnp.maximum(predicted[at, design.subject_of], SMALLEST_VOLUME)

    return np.asarray(jax.jit(lambda values: jax.lax.map(volumes, values, batch_size=BATCH))(changing))


def _plain(group: xr.Dataset) -> xr.Dataset:
    """Coordinates of text as fixed-width text, which NetCDF can hold."""
    text = {
        name: (variable.dims, variable.values.astype(str))
        for name, variable in group.variables.items()
        if variable.dtype.kind in "OT"
    }
    return group.assign(text) if text else group


def _provenance(analysis: Analysis, fitted: FitModel, options: FitOptions) -> dict[str, object]:
    components = (*fitted.assembly.drugs.values(), fitted.assembly.tumor)
    sources = {key: source for part in components for key, source in part.sources.items()} | dict(analysis.sources)
    basis: dict[str, list[str]] = {}
    used: dict[str, list[str]] = {}
    for name, parameter in fitted.priors.items():
        basis.setdefault(parameter.typical.source, []).append(str(parameter.typical.basis))
        used.setdefault(parameter.typical.source, []).append(name)
    return {
        "schema": SCHEMA,
        "pkpd_version": version("pkpd-scheduler"),
        "seed": options.seed,
        "engine": options.engine,
        "created": datetime.now(UTC).date().isoformat(),
        "inputs": json.dumps(dict(analysis.inputs)),
        "analysis": json.dumps(
            {
                "name": analysis.name,
                "setting": analysis.study.setting,
                "disease": analysis.disease,
                "combination": analysis.combination,
                "growth": analysis.growth,
                "drugs": list(analysis.drugs),
                "assumptions": list(analysis.assumptions),
                "integrator": {
                    "max_step_h": fitted.grid.max_step_h,
                    "relative_error": fitted.grid.error if np.isfinite(fitted.grid.error) else None,
                    "met": fitted.grid.met,
                    "cause": fitted.grid.cause,
                },
            }
        ),
        "sources": json.dumps(
            [
                {
                    "key": key,
                    "title": source.title,
                    "locator": source.locator,
                    "section": source.section,
                    "basis": "assumed" if "assumed" in basis.get(key, []) else next(iter(basis.get(key, [])), ""),
                    "parameters": used.get(key, []),
                }
                for key, source in sources.items()
                if key in used
            ]
        ),
    }
