"""A tumor study, its priors and models to a PyMC model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
from jaxtyping import Array
from numpy.typing import NDArray
from pytensor.link.jax.ops import wrap_jax

from pkpd.domain.prior import ParameterPrior
from pkpd.domain.study import LEFT_CENSORED, Analysis
from pkpd.dynamics.accuracy import ChosenGrid, choose_grid
from pkpd.dynamics.assembly import TUMOR, Assembly
from pkpd.dynamics.endpoint.continuous import Continuous
from pkpd.dynamics.timeline import Grid
from pkpd.errors import Finding, SpecError
from pkpd.inference.declare import Symbol, backward, declare_prior, forward
from pkpd.inference.shown import ENTRY_RATE, GROWTH_RATE, shown_offsets
from pkpd.simulate.design import Design, design_of, predict_volumes
from pkpd.simulate.draws import individual_prior_draws
from pkpd.simulate.models import read_assembly

ENDPOINT = "tumor_volume"
RESIDUAL = f"{ENDPOINT}.residual"
PILOT_DRAWS, PILOT_SEED = 32, 20251225
ENOUGH_DRAWS = 0.9
# The first dose acts within minutes, effects set in during the first days and change slowly later: short steps early save short
# steps throughout.
EARLY_EDGES_H = np.union1d([0.25, 1.0], np.arange(0.0, 120.0, 6.0))
LADDER = ((24.0, 16), (12.0, 16), (12.0, 24), (8.0, 16), (6.0, 24), (4.0, 24), (3.0, 24), (2.0, 24), (1.0, 24))
SMALLEST_VOLUME = 1e-3
# What each animal's own data fix better than the population does. Their individual values are sampled around the typical value
# directly ("centered"); every other spread is sampled as standard normal deviates. See docs/decisions/003-parameterization.md.
CENTERED = frozenset({GROWTH_RATE, f"{TUMOR}.initial_volume"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TumorModel:
    """A PyMC model and what it was built from.

    Attributes
    ----------
    grid
        Steps of the integrator and their verified error.
    """

    model: pm.Model
    assembly: Assembly
    design: Design
    grid: ChosenGrid
    priors: dict[str, ParameterPrior]


def build_tumor_model(analysis: Analysis, *, tolerance: float = 1e-4, grid: ChosenGrid | None = None) -> TumorModel:
    """PyMC model of an analysis; a grid that was verified before is taken as it is.

    Raises
    ------
    SpecError
        If an endpoint is observed that no model predicts, or a prior is missing.
    """
    assembly = read_assembly(
        setting=analysis.study.setting,
        drugs=analysis.drugs,
        disease=analysis.disease,
        combination=analysis.combination,
        growth=analysis.growth,
        overrides=analysis.overrides,
        sources=analysis.sources,
    )
    _refuse_other_endpoints(analysis)
    priors = assembly.parameters
    individual = any(priors[name].between is not None for name in assembly.on_exposure_lanes)
    design = design_of(analysis.study, analysis.drugs, individual_exposure=individual)
    grid = verified_grid(assembly, design, tolerance=tolerance) if grid is None else grid
    data = analysis.study.data
    coords = {
        "subject": list(analysis.study.subjects),
        "obs_id": np.arange(data.sizes["obs_id"]),
    }
    with pm.Model(coords=coords) as model:
        values: dict[str, Symbol] = {}
        for name, prior in priors.items():
            if name not in CENTERED | {ENTRY_RATE} and not prior.tied_to:
                values[name] = _declare(name, prior)
        entry, slowing = shown_offsets(assembly, design, grid=grid.grid, values=values, known=constants(assembly))
        if ENTRY_RATE in priors:
            values[ENTRY_RATE] = _declare(ENTRY_RATE, priors[ENTRY_RATE], typical_offset=entry)
        for name in sorted(CENTERED & set(priors)):
            values[name] = _declare(name, priors[name], offset=slowing if name == GROWTH_RATE else 0.0)
        residual = _declare(RESIDUAL, assembly.tumor.residuals[ENDPOINT])
        pm.Potential("log_likelihood", _log_likelihood(analysis, assembly, design, grid, values, residual))
    return TumorModel(model=model, assembly=assembly, design=design, grid=grid, priors=priors)


def verified_grid(assembly: Assembly, design: Design, *, tolerance: float) -> ChosenGrid:
    """Steps that meet the tolerance on prior draws of one animal per group."""
    draws = individual_prior_draws(assembly.parameters, count=PILOT_DRAWS, seed=PILOT_SEED)
    pilot = design.pilot(PILOT_DRAWS)
    known: dict[str, Any] = {**constants(assembly)}
    values = {name: jnp.asarray(np.tile(draw, design.groups)) for name, draw in draws.items() if name not in known}
    times_h = np.unique(pilot.times_h)

    def simulate(grid: Grid) -> Array:
        at = grid.index_of(times_h)
        return jax.jit(lambda v: predict_volumes(assembly, pilot, v | known, grid, checkpoint=False)[at])(values)

    return choose_grid(
        simulate,
        event_times_h=np.union1d(design.event_times_h, EARLY_EDGES_H[design.end_h > EARLY_EDGES_H]),
        end_h=design.end_h,
        tolerance=tolerance,
        ladder=LADDER,
        outputs=[f"tumor volume at {time:g} h" for time in times_h],
        enough=ENOUGH_DRAWS,
    )


def _refuse_other_endpoints(analysis: Analysis) -> None:
    others = sorted({str(name) for name in analysis.study.data["endpoint"].values} - {ENDPOINT})
    if others:
        raise SpecError(
            Finding(
                code="E_ENDPOINT_NOT_FITTED",
                where=analysis.name,
                message=f"the endpoint {', '.join(others)} can be simulated but not fitted yet",
                hint="leave its rows out of the table, or set MDV = 1 for them",
            )
        )


def constants(assembly: Assembly) -> dict[str, float]:
    """Parameters that are taken as known."""
    return {
        name: float(parameter.typical.location)
        for name, parameter in assembly.parameters.items()
        if parameter.typical.is_fixed and parameter.between is None and not parameter.tied_to
    }


def _declare(name: str, prior: ParameterPrior, *, offset: Symbol = 0.0, typical_offset: Symbol = 0.0) -> Symbol:
    """Random variables of one parameter; its value is a scalar, or one per subject.

    Offsets move what is sampled, of the individual values of a centered parameter and of the typical value, on the logarithm of a
    log-normal one; the prior stays as it is.
    """
    typical = (
        pt.as_tensor(prior.typical.location)
        if prior.typical.is_fixed
        else declare_prior(name, prior.typical, offset=typical_offset)
    )
    if prior.between is None:
        return typical
    spread: Any = declare_prior(f"{name}.between", prior.between.sd)
    center = forward(prior.between, typical)
    if name in CENTERED:
        moved: Any = pm.Normal(f"{name}.centered", center + offset, spread, dims="subject")
        individual = moved - offset
        pm.Deterministic(f"{name}.eta", (individual - center) / spread, dims="subject")
    else:
        deviate: Any = pm.Normal(f"{name}.eta", 0.0, 1.0, dims="subject")
        individual = center + spread * deviate
    return pm.Deterministic(f"{name}.subject", backward(prior.between, individual), dims="subject")


def _log_likelihood(
    analysis: Analysis,
    assembly: Assembly,
    design: Design,
    grid: ChosenGrid,
    values: dict[str, Symbol],
    residual: Symbol,
) -> Symbol:
    """Log-likelihood of all observations, from the parameters on in one piece of JAX.

    The density is that of the endpoint; the one of PyTensor has no gradient where a censored value is predicted far above its limit.
    """
    fixed = constants(assembly)
    tied = assembly.tied
    names = [name for name in values if name not in fixed and name not in tied]
    at: NDArray[np.int64] = grid.grid.index_of(design.times_h)
    value = jnp.asarray(analysis.study.data["value"].values, dtype=float)
    censored = jnp.asarray(analysis.study.data["censored"].values == LEFT_CENSORED)

    def log_likelihood(error: Array, *arrays: Array) -> Array:
        full: dict[str, Any] = {**fixed, **dict(zip(names, arrays, strict=True))}
        full |= {name: full[other] for name, other in tied.items()}
        volumes = predict_volumes(assembly, design, full, grid.grid)[at, design.subject_of]
        endpoint = Continuous(residual=error[design.subject_of] if error.ndim else error)
        return jnp.sum(endpoint.log_density(jnp.maximum(volumes, SMALLEST_VOLUME), value, censored))

    return wrap_jax(log_likelihood)(residual, *(values[name] for name in names))
