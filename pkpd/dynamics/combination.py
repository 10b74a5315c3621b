"""Several drugs, one pharmacodynamic model: doses to exposures to drives."""

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from pkpd.dynamics.base import AbstractPKModel, DoseTable, Exposure, Lanes, parameter
from pkpd.dynamics.forcing import quadrature
from pkpd.dynamics.timeline import Grid

NMOL_PER_MMOL = 1e6


class Target(eqx.Module):
    """How much of a drug in plasma is free at its target."""

    unbound_fraction: Lanes = parameter("1")
    tissue_ratio: Lanes = parameter("1")
    molar_mass: Lanes = parameter("g/mol")

    def free(self, total: Array) -> Array:
        """Free concentration at the target, nmol/L, from the total in plasma, mg/L."""
        return total * self.unbound_fraction * self.tissue_ratio / self.molar_mass * NMOL_PER_MMOL


class DrugModel(eqx.Module):
    """One drug under one set of parameters."""

    pk: AbstractPKModel
    target: Target

    def exposure(self, doses: DoseTable, grid: Grid) -> Exposure:
        """Concentrations at the nodes of every step."""
        nodes = quadrature(grid, self.pk.onset_h(), doses.time_h)
        flat = nodes.times_h.reshape(-1, *nodes.times_h.shape[2:])
        total = self.pk.concentration(doses, flat)
        total = jnp.reshape(total, (*nodes.times_h.shape[:2], *total.shape[1:]))
        return Exposure(total=total, free=self.target.free(total), nodes=nodes)


def absent(grid: Grid) -> Exposure:
    """Exposure to a drug that nobody takes, on one lane that stands for all."""
    nodes = quadrature(grid, 0.0)
    nothing = jnp.zeros((*nodes.times_h.shape, 1))
    return Exposure(total=nothing, free=nothing, nodes=nodes)


def constant(free_nmol_per_l: Mapping[str, Array], grid: Grid) -> dict[str, Exposure]:
    """Exposures, by target, of cells in a medium that does not change (in vitro)."""
    nodes = quadrature(grid, 0.0)
    return {
        target: Exposure(total=nan, free=free, nodes=nodes)
        for target, value in free_nmol_per_l.items()
        for free in [jnp.broadcast_to(value, (*nodes.times_h.shape, *jnp.shape(value)))]
        for nan in [jnp.full_like(free, jnp.nan)]
    }
