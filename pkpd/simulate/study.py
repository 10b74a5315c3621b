"""Simulated studies: the doses and times of an analysis, observations from a known truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from pkpd.domain.study import Analysis, Study, with_values
from pkpd.dynamics.endpoint.continuous import Continuous
from pkpd.dynamics.timeline import build_grid
from pkpd.simulate.design import design_of, predict_volumes
from pkpd.simulate.draws import stream
from pkpd.simulate.models import read_assembly

ENDPOINT = "tumor_volume"
STEP_H = 4.0


def simulate_study(analysis: Analysis, truth: Mapping[str, float], *, seed: int) -> Study:
    """The study of an analysis with its tumor volumes replaced by simulated ones.

    Parameters
    ----------
    truth
        Typical values by full name, in written units; `NAME.between` is the spread between animals, `tumor_volume.residual` the
        residual standard deviation of the logarithm. What is left out takes the median of its prior, spreads too.

    Raises
    ------
    KeyError
        If `truth` names a parameter that no model has.
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
    priors = {**assembly.parameters, f"{ENDPOINT}.residual": assembly.tumor.residuals[ENDPOINT]}
    known = set(priors) | {f"{name}.between" for name, prior in priors.items() if prior.between is not None}
    if unknown := sorted(set(truth) - known):
        raise KeyError(f"the truth names {', '.join(unknown)}, which no model has")
    individual = any(priors[name].between is not None for name in assembly.on_exposure_lanes)
    design = design_of(analysis.study, analysis.drugs, individual_exposure=individual)
    values = {}
    for name, prior in priors.items():
        if prior.tied_to:
            continue
        typical = np.asarray(truth.get(name, float(prior.typical.quantile(0.5))))
        values[name] = typical
        if prior.between is not None:
            sd = np.asarray(truth.get(f"{name}.between", float(prior.between.sd.quantile(0.5))))
            eta = stream(seed, name, "eta").standard_normal(design.subjects)
            values[name] = prior.between.individual(typical, sd, eta)
    values |= {name: values[other] for name, other in assembly.tied.items()}
    residual = np.broadcast_to(values.pop(f"{ENDPOINT}.residual"), (design.subjects,))[design.subject_of]
    grid = build_grid(design.event_times_h, end_h=design.end_h, max_step_h=STEP_H, nodes=24)
    volumes = predict_volumes(
        assembly, design, {name: jnp.asarray(value) for name, value in values.items()}, grid, checkpoint=False
    )[grid.index_of(design.times_h), design.subject_of]
    noise = stream(seed, ENDPOINT, "residual").standard_normal(design.times_h.size)
    observed = np.asarray(Continuous(residual=jnp.asarray(residual)).draw(volumes, jnp.asarray(noise)))
    return dataclasses.replace(analysis.study, data=with_values(analysis.study.data, observed))
