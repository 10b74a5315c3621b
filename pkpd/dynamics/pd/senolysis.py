"""Senescence under a CDK4/6 inhibitor, survival by EGFR signal, and death when EGFR is blocked (senolysis).

States, all per lane: a growth clock, EGFR ligand l (in units of its half-binding concentration), proliferating cells P,
a resistant share Q that the CDK4/6 inhibitor does not arrest, early arrested cells S1, mature senescent cells S2, and two dying stages.
Cells are counted as the tumor volume they fill. In place of D1 the state holds S2 + D1: cells that die faster than a step lasts leave
one for the other, and their sum does not notice.

    E    = l / (1 + l + X/Kx) = l v / (1 + l v)               EGFR signal, antibody competing with ligand; v = 1 / (1 + X/Kx)
    b    = min(1, E/E0)                                       share of the untreated signal that is left
    R'   = kR (H(C) - R)                                      H: Hill function of the free CDK4/6 inhibitor; R is a drive
    l'   = kl (l0 + lR R + lS S2/N - l)                       N = P + Q + S1 + S2
    P'   = g(V) (1 - emax R) (1 - eta (1 - b)) P - u P + krev (1 - R) S1 + kesc (1 - R) S2
    Q'   = g(V) (1 - eta (1 - b)) Q
    u    = ks R (1 - omega (1 - b))                           entry into arrest, which may need EGFR input (omega)
    S1'  = u P - km R S1 - krev (1 - R) S1 - d1 S1
    S2'  = km R S1 - kesc (1 - R) S2 - hS S2
    hS   = hoff (hon/hoff)^(E/E*)                             E*: signal of a fully senescent tumor without antibody
    D1'  = hS S2 + d1 S1 - kD D1,   D2' = kD (D1 - D2)
    V    = P + Q + S1 + sig S2 + vD (D1 + D2)

Nothing here makes one order of the drugs win: with hoff = hon and omega = 0 the antibody only slows growth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from pkpd.dynamics.base import AbstractGrowthLaw, AbstractPDModel, Exposure, Lanes, State, parameter
from pkpd.dynamics.forcing import Forcing, follow, project
from pkpd.dynamics.timeline import Grid

CDK46, EGFR = "cdk46", "egfr"
NO_DRUG = 1e-40  # of the half-maximal concentration: nothing, to the power of any Hill coefficient
LIGAND, MATURE, ENDED, DEAD = 1, 5, 6, 7


class Senolysis(AbstractPDModel):
    """The model of the module's docstring; `growth` is any growth law."""

    targets: ClassVar[tuple[str, ...]] = (CDK46, EGFR)

    growth: AbstractGrowthLaw = eqx.field()
    initial_volume: Lanes = parameter("mm^3")
    half_activation: Lanes = parameter("nmol/L")
    hill: Lanes = parameter("1")
    activation_rate: Lanes = parameter("1/h")
    arrest_max: Lanes = parameter("1")
    entry_rate: Lanes = parameter("1/h")
    maturation_rate: Lanes = parameter("1/h")
    reversion_rate: Lanes = parameter("1/h")
    escape_rate: Lanes = parameter("1/h")
    ligand_basal: Lanes = parameter("1")
    ligand_senescent: Lanes = parameter("1")
    ligand_fast: Lanes = parameter("1")
    ligand_turnover: Lanes = parameter("1/h")
    receptor_half_block: Lanes = parameter("nmol/L")
    egfr_growth_share: Lanes = parameter("1")
    egfr_entry_need: Lanes = parameter("1")
    hazard_protected: Lanes = parameter("1/h")
    hazard_exposed: Lanes = parameter("1/h")
    early_death_rate: Lanes = parameter("1/h")
    death_clearance_rate: Lanes = parameter("1/h")
    senescent_size: Lanes = parameter("1")
    dying_size: Lanes = parameter("1")
    resistant_fraction: Lanes = parameter("1")

    def forcings(self, exposures: Mapping[str, Exposure], grid: Grid) -> tuple[Forcing, ...]:
        """RB activation R, and share v of the receptors that the antibody leaves to a ligand at low concentration.

        R depends on nothing but the CDK4/6 inhibitor; as a drive it is exact, and its rate, the fastest of all, is not stiff.
        """
        inhibitor, antibody = exposures[CDK46], exposures[EGFR]
        floor = NO_DRUG * self.half_activation
        target = jax.nn.sigmoid(self.hill * jnp.log(jnp.maximum(inhibitor.free, floor) / self.half_activation))
        unblocked = 1.0 / (1.0 + antibody.free / self.receptor_half_block)
        active = follow(target, inhibitor.nodes, self.activation_rate, grid)
        return active, project(unblocked, antibody.nodes)

    def initial(self) -> State:
        """Untreated: basal ligand, no senescent and no dying cell."""
        volume = self.initial_volume
        zero = jnp.zeros_like(volume)
        proliferating = volume * (1.0 - self.resistant_fraction)
        resistant = volume * self.resistant_fraction
        return (zero + 1.0, zero + self.ligand_basal, proliferating, resistant, zero, zero, zero, zero)

    def signal(self, ligand: Array, unblocked: Array) -> Array:
        """EGFR signal E, a share of its maximum."""
        bound = ligand * unblocked
        return bound / (1.0 + bound)

    def lost(self, signal: Array) -> Array:
        """Share of the untreated EGFR signal that is missing, 1 - b."""
        return 1.0 - jnp.minimum(1.0, signal * (1.0 + self.ligand_basal) / self.ligand_basal)

    def hazard(self, signal: Array) -> Array:
        """Death rate of mature senescent cells, 1/h, log-linear between its two ends."""
        full = self.ligand_basal + self.ligand_fast + self.ligand_senescent
        share = signal * (1.0 + full) / full
        return self.hazard_exposed * jnp.exp(share * jnp.log(self.hazard_protected / self.hazard_exposed))

    def rate(self, state: State, drives: tuple[Array, ...]) -> State:
        """Derivatives, per hour, in the order of the states."""
        clock, ligand, cycling, resistant, early, mature, ended, dead = state
        dying = ended - mature
        active, unblocked = drives
        resting = 1.0 - active
        volume = self._volume(cycling, resistant, early, mature, dying, dead)
        signal = self.signal(ligand, unblocked)
        lost = self.lost(signal)
        growth = self.growth.per_volume(volume, clock) * (1.0 - self.egfr_growth_share * lost)
        enter = self.entry_rate * active * (1.0 - self.egfr_entry_need * lost) * cycling
        mature_in = self.maturation_rate * active * early
        revert = self.reversion_rate * resting * early
        escape = self.escape_rate * resting * mature
        early_death = self.early_death_rate * early
        senolysis = self.hazard(signal) * mature
        senescent_share = mature / (cycling + resistant + early + mature)
        return (
            self.growth.clock_rate(clock),
            self.ligand_turnover
            * (self.ligand_basal + self.ligand_fast * active + self.ligand_senescent * senescent_share - ligand),
            growth * (1.0 - self.arrest_max * active) * cycling - enter + revert + escape,
            growth * resistant,
            enter - mature_in - revert - early_death,
            mature_in - escape - senolysis,
            mature_in - escape + early_death - self.death_clearance_rate * dying,
            self.death_clearance_rate * (dying - dead),
        )

    def fast_losses(self, state: State, drives: tuple[Array, ...]) -> dict[int, Array]:
        """Death of mature senescent cells, with EGFR blocked the fastest process by far, and clearance of dying ones."""
        clearance = self.death_clearance_rate
        return {MATURE: self.hazard(self.signal(state[LIGAND], drives[1])), ENDED: clearance, DEAD: clearance}

    def observe(self, state: State, drives: tuple[Array, ...]) -> dict[str, Array]:
        """Volumes (mm^3), activation, ligand and signal (1), and senolysis: death beyond that under full signal (mm^3/h)."""
        _, ligand, cycling, resistant, early, mature, ended, dead = state
        dying = ended - mature
        signal = self.signal(ligand, drives[1])
        return {
            "tumor_volume": self._volume(cycling, resistant, early, mature, dying, dead),
            "senescent_volume": mature,
            "living_volume": cycling + resistant + early + mature,
            "rb_activation": drives[0],
            "ligand": ligand,
            "egfr_signal": signal,
            "unblocked_receptors": drives[1],
            "senolysis": (self.hazard(signal) - self.hazard_protected) * mature,
        }

    def _volume(
        self, cycling: Array, resistant: Array, early: Array, mature: Array, dying: Array, dead: Array
    ) -> Array:
        return cycling + resistant + early + self.senescent_size * mature + self.dying_size * (dying + dead)
