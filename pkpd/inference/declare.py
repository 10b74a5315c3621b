"""Priors as random variables of PyMC, and the scales on which individuals are moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from pkpd.domain.prior import Between, Family, Prior, Scale

# A symbolic variable of PyTensor, whose annotations know no tensors that PyMC makes.
type Symbol = Any


def declare_prior(name: str, prior: Prior, *, offset: Symbol = 0.0) -> Symbol:  # noqa: PLR0911 one return per family
    """One random variable in the unit of its prior; log-normal and logit-normal ones through a standard normal deviate.

    `offset` is added to the logarithm of a log-normal value to give what is sampled; its prior stays as it is.
    """
    match prior.family:
        case Family.LOGNORMAL:
            moved = offset / prior.scale
            deviate: Any = pm.Normal(f"{name}.deviate", moved) - moved
            return pm.Deterministic(name, prior.location * exp(prior.scale * deviate))
        case Family.LOGITNORMAL:
            center = float(np.log(prior.location / (1.0 - prior.location)))
            return pm.Deterministic(name, pm.math.invlogit(center + prior.scale * _standard_normal(f"{name}.deviate")))
        case Family.NORMAL:
            return pm.Deterministic(name, prior.location + prior.scale * _standard_normal(f"{name}.deviate"))
        case Family.BETA:
            return _declare_beta(name, prior)
        case Family.HALFNORMAL:
            return pm.HalfNormal(name, prior.scale)
        case Family.HALFCAUCHY:
            # As a function of a standard normal deviate its tail is light, and its mass near zero is no boundary.
            twice_above: Any = pt.erfc(_standard_normal(f"{name}.deviate") / np.sqrt(2.0))
            slope: Any = pt.tan(0.25 * np.pi * twice_above)
            return pm.Deterministic(name, prior.scale / slope)
        case Family.FIXED:
            return pm.Deterministic(name, pt.as_tensor(prior.location))


def _declare_beta(name: str, prior: Prior) -> Symbol:
    if prior.location != 1.0:
        return pm.Beta(name, prior.location, prior.scale)
    # Much of its mass lies near zero, a long tail for a logit; as a function of a standard normal deviate it has none.
    above: Any = pt.erfc(_standard_normal(f"{name}.deviate") / np.sqrt(2.0))
    return pm.Deterministic(name, -expm1(log(0.5 * above) / prior.scale))


# PyTensor's annotations of these functions say that they return nothing.
def log(value: Any) -> Any:
    """Natural logarithm."""
    return pt.log(value)


def log1p(value: Any) -> Any:
    """Logarithm of one plus a value."""
    return pt.log1p(value)


def expm1(value: Any) -> Any:
    """Exponential minus one."""
    return pt.expm1(value)


def exp(value: Any) -> Any:
    """Exponential."""
    return pt.exp(value)


def _standard_normal(name: str) -> Any:
    return pm.Normal(name)


def forward(between: Between, value: Symbol) -> Symbol:
    """Value on the scale on which individuals differ."""
    match between.scale:
        case Scale.LOG:
            return pt.log(value)
        case Scale.LOGIT:
            return pm.math.logit(value)
        case Scale.LINEAR:
            return value


def backward(between: Between, value: Symbol) -> Symbol:
    """Value from the scale on which individuals differ."""
    match between.scale:
        case Scale.LOG:
            return pt.exp(value)
        case Scale.LOGIT:
            return pm.math.invlogit(value)
        case Scale.LINEAR:
            return value
