"""Draws of parameters from their priors, one stream of random numbers per parameter."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pkpd.domain.prior import ParameterPrior, Prior, ties

type Draws = NDArray[np.float64]


def stream(seed: int, *purpose: str) -> np.random.Generator:
    """Random numbers of one purpose; adding another purpose never moves them."""
    return np.random.default_rng(
        np.random.SeedSequence(seed, spawn_key=[zlib.crc32(word.encode()) for word in purpose])
    )


def prior_draws(prior: Prior, *, count: int, seed: int, purpose: str) -> Draws:
    """Independent draws of one prior, in its unit."""
    return prior.quantile(stream(seed, purpose).uniform(size=count))


def deviates(*, count: int, seed: int, purpose: str) -> Draws:
    """Standard normal deviates of one purpose."""
    return stream(seed, purpose).standard_normal(count)


def individual_prior_draws(parameters: Mapping[str, ParameterPrior], *, count: int, seed: int) -> dict[str, Draws]:
    """Parameters of new individuals under the priors: typical value, then the individual around it.

    Parameters
    ----------
    parameters
        By full name.
    """
    values: dict[str, Draws] = {}
    for name, parameter in parameters.items():
        if parameter.tied_to:
            continue
        typical = prior_draws(parameter.typical, count=count, seed=seed, purpose=name)
        values[name] = individual_values(name, parameter, typical, seed=seed)
    return values | tied_values(parameters, values)


def individual_values(
    name: str, parameter: ParameterPrior, typical: Draws, *, seed: int, spread: Draws | None = None
) -> Draws:
    """New individuals around typical values; `spread` replaces the prior of the standard deviation between them."""
    if parameter.between is None:
        return typical
    sd = (
        prior_draws(parameter.between.sd, count=typical.size, seed=seed, purpose=f"{name}.between")
        if spread is None
        else spread
    )
    return parameter.between.individual(typical, sd, deviates(count=typical.size, seed=seed, purpose=f"{name}.eta"))


def tied_values(parameters: Mapping[str, ParameterPrior], values: Mapping[str, Draws]) -> dict[str, Draws]:
    """Values of the parameters that take those of another of the same component."""
    return {name: values[partner] for name, partner in ties(parameters).items()}
