"""The same models written a second time, from their published equations, and solved by adaptive methods.

Nothing here is shared with `pkpd.dynamics`: drugs are amounts in compartments, RB activation is a state, the growth clock
is time, and every dose, infusion and change of medium starts a new segment.
"""

from __future__ import annotations

from dataclasses import dataclass

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from drawn_models import DRUGS, Scenario
from jaxtyping import Array
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from pkpd.dynamics.pd.senolysis import CDK46, EGFR

type Values = NDArray[np.float64]

# Where each state stands in the vector.
DEPOT, CENTRAL, OUTER, DEPOT_X, CENTRAL_X, OUTER_X = range(6)
ACTIVE, LIGAND, CYCLING, RESISTANT, EARLY, MATURE, DYING, DEAD = range(6, 14)
PRECURSOR, TRANSIT_1, TRANSIT_2, TRANSIT_3, CIRCULATING = range(14, 19)
STATES = 19
SITES = {CDK46: (DEPOT, CENTRAL), EGFR: (DEPOT_X, CENTRAL_X)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """Intervals between events, per lane: `[segment, lane]`; `jump` `[segment, lane, state]` acts at the start."""

    start_h: Values
    stop_h: Values
    jump: Values
    infused_mg_per_h: Values
    medium: Values  # [segment, lane, target], nmol/L
    output: NDArray[np.int64]  # [output, lane]: the segment that ends at an output time


def segments(scenario: Scenario, lanes: int) -> Segments:
    """Doses and changes of medium of every lane, in its own order: a lag is a lane's own."""
    common = np.unique(np.concatenate([[0.0], scenario.event_times_h]))
    lag = np.zeros(lanes)
    lagged = np.zeros((0, lanes))
    if scenario.courses:
        lag = np.asarray(scenario.parameters["palbociclib"]["lag"])
        if lag.any():
            lagged = scenario.courses[CDK46].time_h[:, None] + lag
            lagged = lagged[lagged.max(axis=1) < scenario.end_h]
    edges = np.sort(np.concatenate([np.repeat(common[:, None], lanes, axis=1), lagged]), axis=0)
    count = edges.shape[0] - 1
    jump = np.zeros((count, lanes, STATES))
    rate_in = np.zeros((count, lanes))
    medium = np.zeros((count, lanes, len(DRUGS)))
    each = np.arange(lanes)
    for target, course in scenario.courses.items():
        drug = scenario.parameters[DRUGS[target]]
        depot, central = SITES[target]
        delay = lag if target == CDK46 else 0.0
        share = np.asarray(drug.get("bioavailability", 1.0))
        amounts = course.amount_mg if course.amount_mg.ndim == 2 else course.amount_mg[:, None]
        for time, amount, duration in zip(course.time_h, amounts, course.duration_h, strict=True):
            first = (edges < time + delay - 1e-9).sum(axis=0)
            if duration > 0:
                running = (edges[:-1] > time - 1e-9) & (edges[1:] < time + duration + 1e-9)
                rate_in += running * amount / duration
            elif np.all(first < count):
                jump[first, each, depot if course.absorbed else central] += amount * (share if course.absorbed else 1.0)
    for index, target in enumerate(DRUGS):
        for start, value in scenario.medium.get(target, ()):
            medium[edges[:-1] > start - 1e-9, index] = value
    output = np.stack([(edges < time - 1e-9).sum(axis=0) - 1 for time in scenario.output_h])
    return Segments(
        start_h=edges[:-1], stop_h=edges[1:], jump=jump, infused_mg_per_h=rate_in, medium=medium, output=output
    )


def initial(parameters: dict[str, dict[str, Array]]) -> Array:
    """State of one lane at time zero."""
    tumor = parameters["tumor"]
    start = jnp.zeros(STATES).at[LIGAND].set(tumor["ligand_basal"])
    start = start.at[CYCLING].set(tumor["initial_volume"] * (1.0 - tumor["resistant_fraction"]))
    start = start.at[RESISTANT].set(tumor["initial_volume"] * tumor["resistant_fraction"])
    if "neutrophils" in parameters:
        start = start.at[PRECURSOR:].set(parameters["neutrophils"]["baseline"])
    return start


def derivative(time_h: Array, y: Array, args: tuple, *, growth: str, molar_mass: dict[str, float]) -> Array:
    """Right-hand side for one lane, per hour."""
    parameters, infused, medium = args
    rate = jnp.zeros(STATES)
    plasma = jnp.zeros(())
    free_c, free_x = medium
    if molar_mass:
        pal, cet = parameters["palbociclib"], parameters["cetuximab"]
        plasma, change = _palbociclib(pal, y)
        rate = rate.at[:DEPOT_X].set(change)
        antibody, change = _cetuximab(cet, y, infused)
        rate = rate.at[DEPOT_X:ACTIVE].set(change)
        free_c = 1e6 / molar_mass[CDK46] * plasma * pal["unbound_fraction"] * pal["tissue_ratio"]
        free_x = 1e6 / molar_mass[EGFR] * antibody * cet["unbound_fraction"] * cet["tissue_ratio"]
    rate = rate.at[ACTIVE:PRECURSOR].set(_tumor(parameters["tumor"], growth, time_h, y, free_c, free_x))
    if "neutrophils" in parameters:
        rate = rate.at[PRECURSOR:].set(_neutrophils(parameters["neutrophils"], y, plasma))
    return rate


def _palbociclib(p: dict[str, Array], y: Array) -> tuple[Array, Array]:
    absorbed = p["absorption"] * y[DEPOT]
    if "volume" in p:
        concentration = y[CENTRAL] / p["volume"]
        exchange = jnp.zeros(())
    else:
        concentration = y[CENTRAL] / p["central_volume"]
        exchange = p["intercompartmental_clearance"] * (concentration - y[OUTER] / p["peripheral_volume"])
    return concentration, jnp.stack([-absorbed, absorbed - p["clearance"] * concentration - exchange, exchange])


def _cetuximab(p: dict[str, Array], y: Array, infused: Array) -> tuple[Array, Array]:
    if "volume" in p:
        absorbed = p["absorption"] * y[DEPOT_X]
        concentration = y[CENTRAL_X] / p["volume"]
        return concentration, jnp.stack([-absorbed, absorbed - p["clearance"] * concentration, jnp.zeros(())])
    concentration = y[CENTRAL_X] / p["central_volume"]
    exchange = p["intercompartmental_clearance"] * (concentration - y[OUTER_X] / p["peripheral_volume"])
    saturable = p["max_elimination_rate"] * concentration / (p["half_saturation"] + concentration)
    change = infused - p["clearance"] * concentration - saturable - exchange
    return concentration, jnp.stack([jnp.zeros(()), change, exchange])


def _tumor(p: dict[str, Array], growth: str, time_h: Array, y: Array, free_c: Array, free_x: Array) -> Array:
    r, ligand, cycling, resistant, s1, s2, d1, d2 = y[ACTIVE:PRECURSOR]
    volume = cycling + resistant + s1 + p["senescent_size"] * s2 + p["dying_size"] * (d1 + d2)
    per_volume = {
        "exponential": lambda: p["growth_rate"],
        "gompertz": lambda: p["growth_rate"] * jnp.exp(-p["growth_decay"] * time_h),
        "logistic": lambda: p["growth_rate"] * (1.0 - volume / p["carrying_capacity"]),
        "simeoni": lambda: p["growth_rate"] * (1.0 + (p["growth_rate"] * volume / p["linear_growth"]) ** 8) ** -0.125,
    }[growth]()
    relative = jnp.maximum(free_c, 0.0) / p["half_activation"]
    power = jnp.where(relative > 0.0, jnp.where(relative > 0.0, relative, 1.0) ** p["hill"], 0.0)
    signal = ligand / (1.0 + ligand + free_x / p["receptor_half_block"])
    untreated = p["ligand_basal"] / (1.0 + p["ligand_basal"])
    full = p["ligand_basal"] + p["ligand_fast"] + p["ligand_senescent"]
    lost = 1.0 - jnp.minimum(1.0, signal / untreated)
    entry = p["entry_rate"] * r * (1.0 - p["egfr_entry_need"] * lost)
    hazard = p["hazard_exposed"] * (p["hazard_protected"] / p["hazard_exposed"]) ** (signal / (full / (1.0 + full)))
    speed = per_volume * (1.0 - p["egfr_growth_share"] * lost)
    revert, escape = p["reversion_rate"] * (1.0 - r) * s1, p["escape_rate"] * (1.0 - r) * s2
    mature = p["maturation_rate"] * r * s1
    cells = cycling + resistant + s1 + s2
    senescent = p["ligand_senescent"] * s2 / cells
    return jnp.stack(
        [
            p["activation_rate"] * (power / (1.0 + power) - r),
            p["ligand_turnover"] * (p["ligand_basal"] + p["ligand_fast"] * r + senescent - ligand),
            speed * (1.0 - p["arrest_max"] * r) * cycling - entry * cycling + revert + escape,
            speed * resistant,
            entry * cycling - mature - revert - p["early_death_rate"] * s1,
            mature - escape - hazard * s2,
            hazard * s2 + p["early_death_rate"] * s1 - p["death_clearance_rate"] * d1,
            p["death_clearance_rate"] * (d1 - d2),
        ]
    )


def _neutrophils(p: dict[str, Array], y: Array, plasma: Array) -> Array:
    precursor, first, second, third, circulating = y[PRECURSOR:]
    turnover = 4.0 / p["mean_transit_time"]
    inhibited = p["max_inhibition"] * 1000.0 * plasma / (p["half_inhibition"] + 1000.0 * plasma)
    feedback = (p["baseline"] / circulating) ** p["feedback_power"]
    return turnover * jnp.stack(
        [
            precursor * ((1.0 - inhibited) * feedback - 1.0),
            precursor - first,
            first - second,
            second - third,
            third - circulating,
        ]
    )


def observed(parameters: dict[str, dict[str, Array]], states: Array) -> dict[str, Array]:
    """Tumor volume and neutrophils from states `[..., lane, state]`."""
    tumor = parameters["tumor"]
    living = states[..., CYCLING] + states[..., RESISTANT] + states[..., EARLY]
    dying = states[..., DYING] + states[..., DEAD]
    volume = living + tumor["senescent_size"] * states[..., MATURE] + tumor["dying_size"] * dying
    return {"tumor_volume": volume} | ({"neutrophils": states[..., CIRCULATING]} if "neutrophils" in parameters else {})


def by_diffrax(scenario: Scenario, *, tolerance: float = 1e-10) -> dict[str, Array]:
    """Every lane by Dormand and Prince's method of order eight, segment by segment."""
    parameters = scenario.parameters
    lanes = parameters["tumor"]["initial_volume"].shape[0]
    cut = segments(scenario, lanes)
    term = diffrax.ODETerm(
        lambda t, y, args: derivative(t, y, args, growth=scenario.growth, molar_mass=dict(scenario.molar_mass))
    )
    control = diffrax.PIDController(rtol=tolerance, atol=1e-3 * tolerance)

    def advance(y: Array, start: Array, stop: Array, jump: Array, args: tuple) -> Array:
        solution = diffrax.diffeqsolve(
            term, diffrax.Dopri8(), start, stop, None, y + jump, args, stepsize_controller=control, max_steps=None
        )
        return solution.ys[-1]

    @jax.jit
    def solve(parameters: dict[str, dict[str, Array]]) -> Array:
        def segment(y: Array, x: tuple[Array, ...]) -> tuple[Array, Array]:
            start, stop, jump, infused, medium = x
            after = jax.vmap(advance)(y, start, stop, jump, (parameters, infused, medium))
            return after, after

        columns = (cut.start_h, cut.stop_h, cut.jump, cut.infused_mg_per_h, cut.medium)
        _, states = jax.lax.scan(segment, jax.vmap(initial)(parameters), tuple(jnp.asarray(c) for c in columns))
        return states[cut.output, jnp.arange(lanes)]

    return observed(parameters, solve(parameters))


def by_scipy(scenario: Scenario, lane: int, *, tolerance: float = 1e-9) -> dict[str, Values]:
    """One lane by LSODA, which switches between explicit and stiff methods: independent of diffrax and of JAX loops."""
    parameters = jax.tree.map(lambda value: value[lane], scenario.parameters)
    cut = segments(scenario, scenario.parameters["tumor"]["initial_volume"].shape[0])
    rhs = jax.jit(
        lambda t, y, args: derivative(t, y, args, growth=scenario.growth, molar_mass=dict(scenario.molar_mass))
    )
    y = np.asarray(initial(parameters))
    states = []
    for index in range(cut.start_h.shape[0]):
        args = (parameters, cut.infused_mg_per_h[index, lane], cut.medium[index, lane])
        span = (cut.start_h[index, lane], cut.stop_h[index, lane])
        y = y + cut.jump[index, lane]
        solution = solve_ivp(
            lambda t, y, args=args: np.asarray(rhs(t, y, args)), span, y, method="LSODA", rtol=tolerance, atol=1e-12
        )
        y = solution.y[:, -1]
        states.append(y)
    return {
        name: np.asarray(values)
        for name, values in observed(parameters, jnp.asarray(np.stack(states))[cut.output[:, lane]]).items()
    }
