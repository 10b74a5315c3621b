"""Workload W2 in `pkpd`: closed-form oral drug, the antibody beside the tumor it acts on, the package's own neutrophils."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from w2_workload import ANTIBODY_DAYS, ANTIBODY_MG, DAYS, NAMES, ORAL_DAYS, ORAL_MG

from pkpd.dynamics.base import AbstractPDModel, DoseTable, Exposure, Lanes, State, parameter
from pkpd.dynamics.combination import DrugModel, Target
from pkpd.dynamics.forcing import Forcing, project
from pkpd.dynamics.integrate import integrate
from pkpd.dynamics.pd.friberg import Friberg
from pkpd.dynamics.pd.senolysis import CDK46
from pkpd.dynamics.pk.two_compartment_oral import TwoCompartmentOral
from pkpd.dynamics.timeline import Grid

HOURS_PER_DAY = 24.0
FAR_UG_PER_L = 1e12  # an Emax curve with its half so far away is the line that the workload asks for
ANTIBODY = 0


class Tumor(AbstractPDModel):
    """Antibody with linear and saturable elimination, proliferating and senescent cells, three dying stages, ligand."""

    targets: ClassVar[tuple[str, ...]] = (CDK46,)

    clearance: Lanes = parameter("L/h")
    volume: Lanes = parameter("L")
    exchange: Lanes = parameter("L/h")
    beyond_volume: Lanes = parameter("L")
    max_elimination: Lanes = parameter("mg/h")
    half_elimination: Lanes = parameter("mg/L")
    max_arrest: Lanes = parameter("1/h")
    half_arrest: Lanes = parameter("mg/L")
    max_kill: Lanes = parameter("1/h")
    half_kill: Lanes = parameter("mg/L")
    growth: Lanes = parameter("1/h")
    capacity: Lanes = parameter("mm^3")
    senescent_death: Lanes = parameter("1/h")
    ligand_effect: Lanes = parameter("1")
    dying_rate: Lanes = parameter("1/h")
    ligand_rate: Lanes = parameter("1/h")
    initial_volume: Lanes = parameter("mm^3")

    def forcings(self, exposures: Mapping[str, Exposure], grid: Grid) -> tuple[Forcing, ...]:
        """Arrest by the oral drug."""
        plasma = exposures[CDK46].total
        return (project(self.max_arrest * plasma / (self.half_arrest + plasma), exposures[CDK46].nodes),)

    def initial(self) -> State:
        """Proliferating cells only."""
        nothing = jnp.zeros_like(self.initial_volume)
        return (nothing, nothing, self.initial_volume, nothing, nothing, nothing, nothing, nothing)

    def rate(self, state: State, drives: tuple[Array, ...]) -> State:
        """Derivatives, per hour."""
        antibody, beyond, cells, senescent, dying1, dying2, dying3, ligand = state
        (arrest,) = drives
        plasma = antibody / self.volume
        to_kill, to_eliminate = self.half_kill + plasma, self.half_elimination + plasma
        living = cells + senescent
        over = living + 1e-9
        # one division for three saturating terms: divisions are what the loop costs
        shared = 1.0 / (to_kill * to_eliminate * over)
        kill = self.max_kill * plasma * (to_eliminate * over * shared) * (1.0 + self.ligand_effect * ligand)
        eliminated = self.max_elimination * plasma * (to_kill * over * shared)
        share = senescent * (to_kill * to_eliminate * shared)
        exchanged = self.exchange * (plasma - beyond / self.beyond_volume)
        total = living + dying1 + dying2 + dying3
        return (
            -self.clearance * plasma - exchanged - eliminated,
            exchanged,
            self.growth * cells * (1.0 - total / self.capacity) - (arrest + kill) * cells,
            arrest * cells - (self.senescent_death + kill) * senescent,
            kill * living + self.senescent_death * senescent - self.dying_rate * dying1,
            self.dying_rate * (dying1 - dying2),
            self.dying_rate * (dying2 - dying3),
            self.ligand_rate * (share - ligand),
        )

    def fast_losses(self, state: State, drives: tuple[Array, ...]) -> dict[int, Array]:
        """None."""
        return {}

    def observe(self, state: State, drives: tuple[Array, ...]) -> dict[str, Array]:
        """All cells."""
        return {"tumor": state[2] + state[3] + state[4] + state[5] + state[6]}


def models(p: Mapping[str, Array]) -> tuple[DrugModel, Tumor, Friberg]:
    """The parts, from parameters per day by name."""
    day = HOURS_PER_DAY
    one = jnp.ones(())
    drug = DrugModel(
        pk=TwoCompartmentOral(
            clearance=p["CLA"] / day,
            central_volume=p["V1A"],
            intercompartmental_clearance=p["QA"] / day,
            peripheral_volume=p["V2A"],
            absorption=p["ka"] / day,
            lag=0.0,
        ),
        target=Target(unbound_fraction=one, tissue_ratio=one, molar_mass=one),
    )
    tumor = Tumor(
        clearance=p["CLB"] / day,
        volume=p["V1B"],
        exchange=p["QB"] / day,
        beyond_volume=p["V2B"],
        max_elimination=p["VMB"] / day,
        half_elimination=p["KMB"],
        max_arrest=p["EMXA"] / day,
        half_arrest=p["EC50A"],
        max_kill=p["KB"] / day,
        half_kill=p["EC50B"],
        growth=p["kg"] / day,
        capacity=p["TMAX"],
        senescent_death=p["kds"] / day,
        ligand_effect=p["FL"],
        dying_rate=p["ktr"] / day,
        ligand_rate=p["kl"] / day,
        initial_volume=p["P0"],
    )
    neutrophils = Friberg(
        baseline=p["N0"],
        mean_transit_time=4.0 * day / p["ktn"],
        feedback_power=p["GAM"],
        max_inhibition=p["SL"] * (FAR_UG_PER_L / 1000.0),
        half_inhibition=jnp.asarray(FAR_UG_PER_L),
    )
    return drug, tumor, neutrophils


def simulator(grid: Grid) -> Callable[[Array], Array]:
    """Parameters `[parameter, draw]` to tumor and neutrophils at the end of every day, `[output, day, draw]`."""
    count = ORAL_DAYS.size
    doses = DoseTable(
        time_h=HOURS_PER_DAY * ORAL_DAYS,
        amount_mg=np.full((count, 1), ORAL_MG),
        duration_h=np.zeros(count),
        absorbed=np.ones(count),
        end_h=HOURS_PER_DAY * DAYS,
        all_absorbed=True,
        none_infused=True,
    )
    lengths = jnp.asarray(grid.lengths_h)
    at = grid.index_of(HOURS_PER_DAY * np.arange(1, DAYS + 1))
    given = np.zeros((lengths.size, 1))
    given[grid.index_of(HOURS_PER_DAY * ANTIBODY_DAYS)] = ANTIBODY_MG

    def simulate(parameters: Array) -> Array:
        drug, tumor, neutrophils = models(dict(zip(NAMES, parameters, strict=True)))
        exposures = {CDK46: drug.exposure(doses, grid)}
        volume = integrate(
            tumor,
            tumor.forcings(exposures, grid),
            lengths,
            keep=lambda state, drives: tumor.observe(state, drives)["tumor"],
            impulses={ANTIBODY: jnp.asarray(given)},
        )
        blood = integrate(
            neutrophils,
            neutrophils.forcings(exposures, grid),
            lengths,
            keep=lambda state, drives: neutrophils.observe(state, drives)["neutrophils"],
        )
        return jnp.stack([volume[at], blood[at]])

    return simulate
