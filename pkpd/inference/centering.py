"""How far each individual value is sampled as itself, as far as its subject's data tell it; and where the chains start.

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

from pkpd.domain.population import PopulationAnalysis
from pkpd.domain.prior import Family, Prior, Scale
from pkpd.inference.population_model import observations_of, pointwise, sampled_priors
from pkpd.inference.unbounded import on_scale, unbounded
from pkpd.simulate.population import PopulationDesign, endpoint_of, predictions

SPREADS = (".between", ".occasion")
MOST_STEPS = 150
OFF_CENTER = 0.01
HALF = (Family.HALFNORMAL, Family.HALFCAUCHY)
type Draw = dict[str, Array]


def weights_and_mode(
    analysis: PopulationAnalysis, design: PopulationDesign
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Parameter -> weight of each subject; and the most probable values by their names in the posterior.

    One minus the variance that a standard normal deviate keeps once the subject's observations are known: Gauss-Newton curvature of
    a normal residual with the same standard deviation, at the most probable values under spreads at the median of their priors. The
    weights steer the sampler only: the posterior is the same for all of them.
    """
    names = [name for name, each in analysis.parameters.items() if each.between is not None]
    mode = _most_probable(analysis, design, names)
    values = {name: np.asarray(value) for name, value in mode.items()}
    if not names:
        return {}, values
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
    weights = np.zeros((len(names), design.subjects))
    for subject in range(design.subjects):
        mine = slopes[:, design.obs_subject == subject]
        curvature = np.eye(len(names)) + np.nan_to_num(mine @ mine.T, posinf=1e12)
        weights[:, subject] = 1.0 - np.diag(np.linalg.inv(curvature))
    return dict(zip(names, np.clip(weights, 0.0, 1.0), strict=True)), values


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
    # half-normal and half-Cauchy numbers around their median: their own density is flat toward zero, where a fit of few values would go
    value = {
        name: _around_median(prior) if prior.family in HALF else unbounded(prior).value for name, prior in free.items()
    }
    shape = (len(names), design.subjects)

    def draw_of(flat: Array) -> Draw:
        deviates = flat[len(free) :].reshape(shape)
        values = {name: of(flat[index]) for index, (name, of) in enumerate(value.items())}
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


def _around_median(prior: Prior) -> Callable[[Array], Array]:
    median = float(prior.quantile(0.5))
    return lambda z: median * jnp.exp(z)


def start_of(
    analysis: PopulationAnalysis,
    weights: Mapping[str, NDArray[np.float64]],
    mode: Mapping[str, NDArray[np.float64]],
) -> dict[str, NDArray[np.float64]]:
    """Value of every sampled variable at the most probable values."""
    start: dict[str, NDArray[np.float64]] = {}
    for name, prior in sampled_priors(analysis).items():
        if prior.family is Family.HALFNORMAL:
            start[name] = np.asarray(mode[name])
        elif prior.family is not Family.BETA:
            start[f"{name}.deviate"] = np.asarray(_deviate(prior, float(mode[name])))
    for name, parameter in analysis.parameters.items():
        if parameter.between is not None:
            typical, middle = (
                float(mode.get(name, np.asarray(parameter.typical.location))),
                parameter.typical.quantile(0.5),
            )
            center = float(
                _on_scale(parameter.between.scale, typical) - _on_scale(parameter.between.scale, float(middle))
            )
            spread = float(mode.get(f"{name}.between", np.asarray(parameter.between.sd.location)))
            weight = weights[name]
            # the sampler refuses a start without a slope, as a subject has who was never observed
            deviation = np.where(mode[f"{name}.eta"] == 0.0, OFF_CENTER, mode[f"{name}.eta"])
            start[f"{name}.centered"] = weight * center + spread**weight * deviation
        if parameter.occasion is not None:
            # nor has an occasion that a subject did not have
            start[f"{name}.kappa"] = np.full_like(mode[f"{name}.kappa"], OFF_CENTER)
    return start


def _deviate(prior: Prior, value: float) -> float:
    if prior.family is Family.HALFCAUCHY:
        return float(special.ndtri(2.0 / np.pi * np.arctan(value / prior.scale)))
    return float(unbounded(prior).inverse(jnp.asarray(value)))


def _on_scale(scale: Scale, value: float) -> float:
    return float(on_scale(scale, jnp.asarray(value)))
