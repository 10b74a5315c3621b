"""A population study to a PyMC model: hierarchy in PyMC, everything from the parameters to the likelihood in one piece of JAX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
from jaxtyping import Array
from numpy.typing import NDArray
from pytensor.link.jax.ops import wrap_jax

from pkpd.domain.population import Correlation, PopulationAnalysis, PopulationParameter
from pkpd.domain.prior import Prior
from pkpd.domain.study import LEFT_CENSORED
from pkpd.inference.declare import Symbol, declare_prior, forward
from pkpd.simulate.population import PopulationDesign, categories_of, endpoint_of, predictions


def sampled_priors(analysis: PopulationAnalysis) -> dict[str, Prior]:
    """Every number that is not fixed and has a prior of its own, by its name in the posterior."""
    found: dict[str, Prior] = {}
    for name, parameter in analysis.parameters.items():
        found[name] = parameter.typical
        if parameter.between is not None:
            found[f"{name}.between"] = parameter.between.sd
        if parameter.occasion is not None:
            found[f"{name}.occasion"] = parameter.occasion.sd
        for effect in parameter.covariates:
            names = [""] if "" in effect.coefficients else [*categories_of(analysis, effect)]
            for category in names:
                if category in effect.coefficients:
                    found[parameter.coefficient_name(effect, category)] = effect.coefficients[category]
    for endpoint, error in analysis.errors.items():
        found |= {f"{endpoint}.{field}": prior for field, prior in error.parameters.items()}
    return {name: prior for name, prior in found.items() if not prior.is_fixed}


def correlation_names(correlation: Correlation) -> dict[tuple[int, int], str]:
    """Row and column of each correlation below the diagonal -> its name in the posterior."""
    names = correlation.parameters
    return {
        (row, column): f"correlation.{names[column]}.{names[row]}" for row in range(len(names)) for column in range(row)
    }


def partial_shape(correlation: Correlation, column: int) -> float:
    """Both shapes of the beta distribution, on -1 to 1, of the partial correlations of one column."""
    return correlation.shape + 0.5 * (len(correlation.parameters) - 2 - column)


def cholesky_row(partial: Mapping[tuple[int, int], Any], row: int) -> list[Any]:
    """Row of the Cholesky factor of a correlation matrix, from partial correlations."""
    entries: list[Any] = []
    left: Any = 1.0
    for column in range(row):
        entries.append(partial[row, column] * left**0.5)
        left = left * (1.0 - partial[row, column] ** 2)
    return [*entries, left**0.5]


def build_population_model(
    analysis: PopulationAnalysis, design: PopulationDesign, weights: Mapping[str, NDArray[np.float64]]
) -> pm.Model:
    """PyMC model of a population analysis.

    Parameters
    ----------
    weights
        Parameter -> for each subject, how far its individual value is sampled as itself (1) rather than as a standard normal
        deviate (0).
    """
    study = analysis.study
    coords: dict[str, Any] = {
        "subject": list(study.subjects),
        "occasion": np.arange(study.occasions),
        "obs_id": np.arange(study.data.sizes["obs_id"]),
    }
    with pm.Model(coords=coords) as model:
        values = {name: declare_prior(name, prior) for name, prior in sampled_priors(analysis).items()}
        correlated = {name for each in analysis.correlations for name in each.parameters}
        for correlation in analysis.correlations:
            _declare_correlated(analysis, correlation, values, weights)
        for name, parameter in analysis.parameters.items():
            if parameter.between is not None and name not in correlated:
                deviate = _individual(parameter, values, weights, shift=0.0, width=1.0)
                values[f"{name}.eta"] = pm.Deterministic(f"{name}.eta", deviate, dims="subject")
            if parameter.occasion is not None:
                values[f"{name}.kappa"] = pm.Normal(f"{name}.kappa", 0.0, 1.0, dims=("subject", "occasion"))
        names = list(values)

        def log_likelihood(*arrays: Array) -> Array:
            draw = dict(zip(names, arrays, strict=True))
            return sum((jnp.sum(each) for each in pointwise(analysis, design, draw).values()), start=jnp.zeros(()))

        total: Any = wrap_jax(log_likelihood)
        pm.Potential("log_likelihood", total(*values.values()))
    return model


def _declare_correlated(
    analysis: PopulationAnalysis,
    correlation: Correlation,
    values: dict[str, Symbol],
    weights: Mapping[str, NDArray[np.float64]],
) -> None:
    """Deviates of one block, each given those before it."""
    partial: dict[tuple[int, int], Any] = {}
    for (row, column), name in correlation_names(correlation).items():
        shape = partial_shape(correlation, column)
        share: Any = pm.Beta(f"{name}.share", shape, shape)
        partial[row, column] = 2.0 * share - 1.0
    rows = [cholesky_row(partial, row) for row in range(len(correlation.parameters))]
    independent: list[Any] = []
    for row, (name, entries) in enumerate(zip(correlation.parameters, rows, strict=True)):
        shift: Any = sum(
            (entry * deviate for entry, deviate in zip(entries[:-1], independent, strict=True)), start=pt.zeros(1)
        )
        own = _individual(analysis.parameters[name], values, weights, shift=shift, width=entries[-1])
        independent.append((own - shift) / entries[-1])
        values[f"{name}.eta"] = pm.Deterministic(f"{name}.eta", own, dims="subject")
        for column in range(row):
            together = sum(rows[row][k] * rows[column][k] for k in range(column + 1))
            pm.Deterministic(correlation_names(correlation)[row, column], pt.as_tensor(together))


def _individual(
    parameter: PopulationParameter,
    values: Mapping[str, Symbol],
    weights: Mapping[str, NDArray[np.float64]],
    *,
    shift: Symbol,
    width: Symbol,
) -> Symbol:
    """Standardized deviation of each subject, `normal(shift, width)`, by a sampled variable that the data leave where it is.

    With weight `w`, center `m` and spread `s`, the variable is `normal(w m, s^w)` and the deviation `s^(1 - w) (x - w m)`: with 1 the
    individual value itself, with 0 a standard normal deviate. See docs/decisions/005-partial-centering.md.
    """
    assert parameter.between is not None
    name, prior = parameter.name, parameter.between.sd
    typical: Any = values.get(name, parameter.typical.location)
    spread: Any = values.get(f"{name}.between", prior.location)
    origin = forward(parameter.between, pt.as_tensor(float(parameter.typical.quantile(0.5))))
    center = forward(parameter.between, pt.as_tensor(typical)) - origin + spread * shift
    weight = weights[name]
    scale = spread * width
    sampled: Any = pm.Normal(f"{name}.centered", weight * center, scale**weight, dims="subject")
    return shift + (scale ** (1.0 - weight) * (sampled - weight * center)) / spread


def pointwise(analysis: PopulationAnalysis, design: PopulationDesign, draw: Mapping[str, Array]) -> dict[str, Array]:
    """Log-density of every observation under one draw, by endpoint, in the order of the study."""
    predicted = predictions(design, draw)
    found = {}
    for endpoint, (rows, value, censored) in observations_of(analysis).items():
        error = endpoint_of(analysis, endpoint, draw)
        found[endpoint] = error.log_density(predicted[endpoint][rows], jnp.asarray(value), jnp.asarray(censored))
    return found


def observations_of(
    analysis: PopulationAnalysis,
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]]:
    """Rows, values and censoring of the observations of each endpoint."""
    data = analysis.study.data
    names = data["endpoint"].values.astype(str)
    found = {}
    for endpoint in analysis.errors:
        rows = np.flatnonzero(names == endpoint)
        found[endpoint] = (rows, data["value"].values[rows], data["censored"].values[rows] == LEFT_CENSORED)
    return found
