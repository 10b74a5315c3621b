"""How individual values are sampled: how far as themselves, and along which directions; and where the chains start.

Chains start at the most probable individual values. Where all individuals start alike, the density of values that are sampled
as themselves grows without bound as their spread goes to zero, and a chain may follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray
from scipy import optimize, special

from pkpd.domain.population import PopulationAnalysis, PopulationParameter
from pkpd.domain.prior import Family, Prior, Scale
from pkpd.inference.population_model import observations_of, pointwise, sampled_priors
from pkpd.inference.told import Centering
from pkpd.simulate.population import PopulationDesign, endpoint_of, predictions

SPREADS = (".between", ".occasion")
MOST_STEPS = 150
OFF_CENTER = 0.01
LARGEST_SLOPE = (
    1e3  # residual errors per deviate: who is known better needs no better center, and the matrices stay invertible
)
type Draw = dict[str, Array]


def centering_and_mode(
    analysis: PopulationAnalysis, design: PopulationDesign
) -> tuple[Centering, dict[str, NDArray[np.float64]]]:
    """How the individual values are sampled; and the most probable values by their names in the posterior.

    A weight is one minus the variance that a standard normal deviate keeps once the subject's observations are known: Gauss-Newton
    curvature of a normal residual with the same standard deviation, at the most probable values under spreads at the median of
    their priors.
    """
    names = [name for name, each in analysis.parameters.items() if each.between is not None]
    mode = _most_probable(analysis, design, names)
    values = {name: np.asarray(value) for name, value in mode.items()}
    if not names:
        none = np.zeros((design.subjects, 0, 0))
        return Centering(weights={}, told=none, roots=none), values
    rows = observations_of(analysis)

    def standardized(deviates: Array) -> Array:
        draw = mode | {f"{name}.eta": deviates[index] for index, name in enumerate(names)}
        predicted = predictions(design, draw)
        scaled = jnp.zeros(design.obs_subject.size)
        for endpoint, (at, _, _) in rows.items():
            middle = predicted[endpoint][at]
            noisy = endpoint_of(analysis, endpoint, draw).draw(middle, jnp.ones(()))
            size = jax.lax.stop_gradient(jnp.abs(noisy - middle))
            scaled = scaled.at[at].set(middle / jnp.maximum(size, 1e-12))
        return scaled

    start = jnp.stack([mode[f"{name}.eta"] for name in names])
    # one subject's observations depend on its own deviates alone: one direction serves all subjects
    slope = jax.jit(lambda along: jax.jvp(standardized, (start,), (along,))[1])
    none = jnp.zeros_like(start)
    slopes = np.stack([np.asarray(slope(none.at[index].set(1.0))) for index in range(len(names))])
    spreads = np.asarray([_spread(analysis.parameters[name], values) for name in names])
    weights = np.zeros((len(names), design.subjects))
    told, roots = np.zeros((2, design.subjects, len(names), len(names)))
    for subject in range(design.subjects):
        mine = np.clip(np.nan_to_num(slopes[:, design.obs_subject == subject]), -LARGEST_SLOPE, LARGEST_SLOPE)
        curvature = np.eye(len(names)) + mine @ mine.T
        left = np.linalg.inv(curvature)
        weights[:, subject] = np.clip(1.0 - np.diag(left), 0.0, 1.0)
        told[subject] = np.eye(len(names)) - left
        roots[subject] = spreads[:, None] ** weights[:, subject, None] * np.linalg.cholesky(0.5 * (left + left.T))
    return Centering(weights=dict(zip(names, weights, strict=True)), told=told, roots=roots), values


def _spread(parameter: PopulationParameter, mode: Mapping[str, NDArray[np.float64]]) -> float:
    """Spread between subjects as it is held while the most probable values are looked for: the center of its prior."""
    assert parameter.between is not None
    return float(mode.get(f"{parameter.name}.between", np.asarray(parameter.between.sd.location)))


def _most_probable(analysis: PopulationAnalysis, design: PopulationDesign, names: list[str]) -> Draw:
    """Typical values, residual errors and deviates that maximize the posterior under fixed spreads, or the center of the priors."""
    priors = sampled_priors(analysis)
    free = {
        name: prior for name, prior in priors.items() if not name.endswith(SPREADS) and prior.family is not Family.BETA
    }
    fixed: Draw = {name: jnp.asarray(float(prior.quantile(0.5))) for name, prior in priors.items() if name not in free}
    for name, each in analysis.parameters.items():
        if each.occasion is not None:
            fixed[f"{name}.kappa"] = jnp.zeros((design.subjects, analysis.study.occasions))
    shape = (len(names), design.subjects)

    def draw_of(flat: Array) -> Draw:
        deviates = flat[len(free) :].reshape(shape)
        values = {name: _value(prior)(flat[index]) for index, (name, prior) in enumerate(free.items())}
        return fixed | values | {f"{name}.eta": deviates[index] for index, name in enumerate(names)}

    def loss(flat: Array) -> Array:
        density = sum(
            (jnp.sum(each) for each in pointwise(analysis, design, draw_of(flat)).values()), start=jnp.zeros(())
        )
        return 0.5 * jnp.sum(flat**2) - density

    slope = jax.jit(jax.value_and_grad(loss))

    def finite(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradient = slope(jnp.asarray(flat))
        usable = bool(np.isfinite(value)) and bool(np.all(np.isfinite(gradient)))
        return (float(value), np.asarray(gradient)) if usable else (1e300, np.zeros(flat.size))

    start = np.zeros(len(free) + shape[0] * shape[1])
    found: Any = optimize.minimize(finite, start, jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS})
    return draw_of(jnp.asarray(found.x if found.fun < 1e299 else start))


def _value(prior: Prior) -> Callable[[Array], Array]:
    """Value of a prior at a deviate from its middle, on the scale of the prior."""
    location, scale = prior.location, prior.scale
    match prior.family:
        case Family.LOGNORMAL:
            return lambda z: location * jnp.exp(scale * z)
        case Family.LOGITNORMAL:
            return lambda z: jax.nn.sigmoid(np.log(location / (1.0 - location)) + scale * z)
        case Family.NORMAL:
            return lambda z: location + scale * z
        case _:
            return lambda z: float(prior.quantile(0.5)) * jnp.exp(z)


def start_of(
    analysis: PopulationAnalysis,
    centering: Centering,
    mode: Mapping[str, NDArray[np.float64]],
) -> dict[str, NDArray[np.float64]]:
    """Value of every sampled variable at the most probable values."""
    start: dict[str, NDArray[np.float64]] = {}
    for name, prior in sampled_priors(analysis).items():
        if prior.family is Family.HALFNORMAL:
            start[name] = np.asarray(mode[name])
        elif prior.family is not Family.BETA:
            start[f"{name}.deviate"] = np.asarray(_deviate(prior, float(mode[name])))
    names = list(centering.weights)
    centers, spreads = np.zeros(len(names)), np.ones(len(names))
    for index, name in enumerate(names):
        parameter = analysis.parameters[name]
        assert parameter.between is not None
        typical = float(mode.get(name, np.asarray(parameter.typical.location)))
        middle = float(parameter.typical.quantile(0.5))
        centers[index] = _on_scale(parameter.between.scale, typical) - _on_scale(parameter.between.scale, middle)
        spreads[index] = _spread(parameter, mode)
    for index, name in enumerate(names if analysis.correlations else ()):
        weight = centering.weights[name]
        start[f"{name}.centered"] = weight * centers[index] + spreads[index] ** weight * _off_center(
            mode[f"{name}.eta"]
        )
    if names and not analysis.correlations:
        weights = np.stack([centering.weights[name] for name in names], axis=1)
        deviates = np.stack([_off_center(mode[f"{name}.eta"]) for name in names], axis=1)
        moved = spreads**weights * (deviates + centering.told @ (centers / spreads))
        sampled = np.linalg.solve(centering.roots, moved[..., None])[..., 0]
        start |= {f"{name}.centered": sampled[:, index] for index, name in enumerate(names)}
    return start


def _off_center(deviates: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sampler refuses a start without a slope, as a subject has who was never observed."""
    return np.where(deviates == 0.0, OFF_CENTER, deviates)


def _deviate(prior: Prior, value: float) -> float:
    match prior.family:
        case Family.LOGNORMAL:
            return float(np.log(value / prior.location) / prior.scale)
        case Family.LOGITNORMAL:
            return float((special.logit(value) - special.logit(prior.location)) / prior.scale)
        case Family.HALFCAUCHY:
            return float(special.ndtri(2.0 / np.pi * np.arctan(value / prior.scale)))
        case _:
            return (value - prior.location) / prior.scale


def _on_scale(scale: Scale, value: float) -> float:
    match scale:
        case Scale.LOG:
            return float(np.log(value))
        case Scale.LOGIT:
            return float(special.logit(value))
        case Scale.LINEAR:
            return value
