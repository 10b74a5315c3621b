"""Differentiable models: equinox modules and pure functions on lanes; 64-bit floats are switched on here."""

import jax

jax.config.update("jax_enable_x64", True)
