"""Metropolis steps within a Gibbs sweep: a sampler of population models that takes no derivative, so that no kink disturbs it.

Every subject moves by itself, all side by side: one deviate, all deviates along their own covariance, or some of them drawn anew from
the population. The numbers of the population move with the deviates held; typical values and spreads also with the individual values
held. What is learned about step sizes ends with the warm-up. See docs/decisions/006-a-sampler-without-gradients.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array

from pkpd.domain.study import FitOptions
from pkpd.errors import Finding, SpecError
from pkpd.inference.gibbs_moves import (
    Kind,
    Place,
    Tuning,
    move_held,
    move_population,
    move_subjects,
    subject_moves,
)
from pkpd.inference.hierarchy import Hierarchy
from pkpd.inference.population_fit import PopulationFit

SWEEPS_PER_DRAW = 10
ONE, SEVERAL = 0.44, 0.3  # acceptance that moves of one number, and of several, are tuned to
JITTERS = (0.1, 0.01, 0.0)
type Tell = Callable[[int, int], None]
type Chain = Callable[[FitOptions, int, Tell], dict[str, xr.Dataset]]


def chains_of(fitted: PopulationFit) -> Chain:
    """A function that runs one chain of a population model."""
    hierarchy = Hierarchy.of(fitted.analysis, fitted.design)
    moves = subject_moves(hierarchy)
    targets = jnp.asarray([ONE if kind is Kind.ONE else SEVERAL for kind, _ in moves])[:, None]
    likelihood = jax.jit(hierarchy.log_likelihood)

    @jax.jit
    def block(place: Place, tuning: Tuning, key: Array) -> tuple[Place, tuple[Array, Array, Array]]:
        """As many sweeps as a kept draw takes, and the share of accepted moves."""

        def sweep(place: Place, key: Array) -> tuple[Place, tuple[Array, Array, Array]]:
            first, second, third = jax.random.split(key, 3)
            place, subject = move_subjects(hierarchy, place, tuning=tuning, key=first)
            place, held = move_held(hierarchy, place, tuning=tuning, key=second)
            place, population = move_population(hierarchy, place, tuning=tuning, key=third)
            return place, (subject, population, held)

        place, taken = jax.lax.scan(sweep, place, jax.random.split(key, SWEEPS_PER_DRAW))
        return place, jax.tree.map(lambda each: jnp.mean(each, axis=0), taken)

    @jax.jit
    def learn(tuning: Tuning, place: Place, rates: tuple[Array, Array, Array], number: Array) -> Tuning:
        """Step sizes nearer to their targets, and the spread with one place more."""
        gain, weight = 5.0 / (number + 5.0) ** 0.6, (number + 2.0) ** -0.7
        subject, population, held = rates
        several = jnp.full(population.size, ONE).at[-1].set(SEVERAL)
        apart = place.population - tuning.mean
        subject_apart = place.deviates.T - tuning.subject_mean
        return Tuning(
            subject=tuning.subject + gain * (subject - targets),
            population=tuning.population + gain * (population - several),
            held=tuning.held + gain * (held - ONE),
            mean=tuning.mean + weight * apart,
            covariance=tuning.covariance + weight * (jnp.outer(apart, apart) - tuning.covariance),
            subject_mean=tuning.subject_mean + weight * subject_apart,
            subject_covariance=tuning.subject_covariance
            + weight * (subject_apart[:, :, None] * subject_apart[:, None, :] - tuning.subject_covariance),
        )

    collected = jax.jit(jax.vmap(hierarchy.draw))

    def chain(options: FitOptions, number: int, tell: Tell) -> dict[str, xr.Dataset]:
        seed = np.random.SeedSequence(options.seed, spawn_key=(number,)).generate_state(1)[0]
        start, key = jax.random.split(jax.random.key(int(seed)))
        place = _start(hierarchy, fitted, likelihood=likelihood, key=start)
        tuning = _untuned(hierarchy, place)
        kept, accepted = [], []
        for step, each in enumerate(jax.random.split(key, options.tune + options.draws)):
            place, rates = block(place, tuning, each)
            if step < options.tune:
                tuning = learn(tuning, place, rates, jnp.asarray(float(step)))
            else:
                kept.append(jax.tree.map(np.asarray, (place.population, place.deviates, place.occasions)))
                accepted.append([float(jnp.mean(each)) for each in rates])
            tell(step + 1, 0)
        values = collected(*(np.stack(part) for part in zip(*kept, strict=True)))
        names = ("subject_acceptance", "population_acceptance", "held_acceptance")
        stats = xr.Dataset(
            {
                name: (("chain", "draw"), np.asarray(rate)[None])
                for name, rate in zip(names, zip(*accepted, strict=True), strict=True)
            }
        )
        return {
            "posterior": _dataset(values, fitted, chain=number),
            "sample_stats": stats.assign_coords(chain=[number]),
        }

    return chain


def _start(
    hierarchy: Hierarchy, fitted: PopulationFit, *, likelihood: Callable[[Array, Array, Array], Array], key: Array
) -> Place:
    """Near the most probable values."""
    mode = fitted.mode
    middle = jnp.asarray(
        [
            jnp.zeros(()) if name not in mode else number.inverse(jnp.asarray(mode[name]))
            for name, number in hierarchy.numbers.items()
        ]
    )
    subjects = fitted.design.subjects
    deviates = jnp.asarray([mode[f"{name}.eta"] for name in hierarchy.effects]).reshape(-1, subjects)
    occasions = jnp.zeros((len(hierarchy.occasion_effects), subjects, fitted.analysis.study.occasions))
    first, second = jax.random.split(key)
    for jitter in JITTERS:
        population = middle + jitter * jax.random.normal(first, middle.shape)
        moved = deviates + jitter * jax.random.normal(second, deviates.shape)
        found = likelihood(population, moved, occasions)
        if bool(jnp.all(jnp.isfinite(found))):
            return Place(population, moved, occasions, found)
    raise SpecError(
        Finding(
            code="E_START",
            where=fitted.analysis.name,
            message="the likelihood is not a number at the most probable values",
            hint="narrow the priors to values that the structure can take",
        )
    )


def _untuned(hierarchy: Hierarchy, place: Place) -> Tuning:
    numbers, (effects, subjects) = place.population.size, place.deviates.shape
    return Tuning(
        subject=jnp.full((len(subject_moves(hierarchy)), subjects), np.log(0.3)),
        population=jnp.full(numbers + 1, np.log(0.2)),
        held=jnp.full(hierarchy.held.size, np.log(0.2)),
        mean=place.population,
        covariance=jnp.eye(numbers),
        subject_mean=place.deviates.T,
        subject_covariance=jnp.tile(jnp.eye(effects), (subjects, 1, 1)),
    )


def _dataset(values: dict[str, Array], fitted: PopulationFit, *, chain: int) -> xr.Dataset:
    """Draws of one chain with the names of their dimensions."""
    study = fitted.analysis.study
    dims = ("chain", "draw", "subject", "occasion")
    arrays = {name: np.asarray(each)[None] for name, each in values.items()}
    found = xr.Dataset({name: (dims[: each.ndim], each) for name, each in arrays.items()})
    named: dict[str, Any] = {"subject": list(study.subjects), "occasion": np.arange(study.occasions)}
    return found.assign_coords(chain=[chain], **{name: named[name] for name in named if name in found.dims})
