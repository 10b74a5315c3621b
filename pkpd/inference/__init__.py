"""Bayesian inference; the only package that imports PyMC."""

from pkpd.inference.fit import describe, fit

__all__ = ["describe", "fit"]
