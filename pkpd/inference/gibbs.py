"""Metropolis steps within a Gibbs sweep: a sampler of population models that takes no derivative, so that no kink disturbs it.

Every subject moves by itself, all side by side: one deviate, all deviates along their own covariance, or some of them drawn anew from
the population. The numbers of the population move with the deviates held and with the individual values held. What is learned about
step sizes ends with the warm-up. See docs/decisions/006-a-sampler-without-gradients.md.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from pkpd.domain.study import FitOptions
from pkpd.errors import Finding, SpecError
from pkpd.inference.fit_model import AbstractFitModel
from pkpd.inference.hierarchy import Hierarchy
from pkpd.inference.population_fit import PopulationFit

SWEEPS_PER_DRAW = 10
HELD_REPEATS = 3  # moves without a likelihood cost next to nothing
ONE, SEVERAL = 0.44, 0.3  # acceptance that moves of one number, and of several, are tuned to
JITTERS = (0.1, 0.01, 0.0)
type Tell = Callable[[int, int], None]
type Chain = Callable[[FitOptions, int, Tell], dict[str, xr.Dataset]]


class Kind(IntEnum):
    """What a subject's move changes."""

    ONE = 0
    ALONG_COVARIANCE = 1
    ANEW = 2
    OCCASIONS = 3


class Place(eqx.Module):
    """Where a chain is, and the log-likelihood of each subject there."""

    population: Float[Array, " number"]
    deviates: Float[Array, "effect subject"]
    occasions: Float[Array, "effect subject occasion"]
    likelihood: Float[Array, " subject"]


class Tuning(eqx.Module):
    """Logarithms of step sizes, and the spread of the chain so far."""

    subject: Float[Array, "move subject"]
    population: Float[Array, " move"]
    held: Float[Array, " move"]
    mean: Float[Array, " number"]
    covariance: Float[Array, "number number"]
    subject_mean: Float[Array, "subject effect"]
    subject_covariance: Float[Array, "subject effect effect"]


def chains_of(fitted: AbstractFitModel) -> Chain:
    """A function that runs one chain of a population model.

    Raises
    ------
    ValueError
        If the model is of another kind.
    """
    if not isinstance(fitted, PopulationFit):
        raise ValueError("engine 'gibbs' is for population studies")
    hierarchy = Hierarchy.of(fitted.analysis, fitted.design)
    moves = _moves(hierarchy)
    targets = jnp.asarray([ONE if kind is Kind.ONE else SEVERAL for kind, _ in moves])[:, None]
    likelihood = jax.jit(hierarchy.log_likelihood)

    @jax.jit
    def block(place: Place, tuning: Tuning, key: Array) -> tuple[Place, tuple[Array, Array, Array]]:
        """As many sweeps as a kept draw takes, and the share of accepted moves."""

        def sweep(place: Place, key: Array) -> tuple[Place, tuple[Array, Array, Array]]:
            first, second, third = jax.random.split(key, 3)
            place, subject = _move_subjects(hierarchy, moves, place, tuning, first)
            place, held = _move_held(hierarchy, place, tuning, second)
            place, population = _move_population(hierarchy, place, tuning, third)
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
        place = _start(hierarchy, fitted, likelihood, start)
        tuning = _untuned(len(moves), place, hierarchy)
        kept, accepted = [], []
        for step, each in enumerate(jax.random.split(key, options.tune + options.draws)):
            place, rates = block(place, tuning, each)
            if step < options.tune:
                tuning = learn(tuning, place, rates, jnp.asarray(float(step)))
            else:
                kept.append(jax.tree.map(np.asarray, (place.population, place.deviates, place.occasions)))
                accepted.append(float(jnp.mean(rates[1])))
            tell(step + 1, 0)
        values = collected(*(np.stack(part) for part in zip(*kept, strict=True)))
        stats = xr.Dataset({"acceptance_rate": (("chain", "draw"), np.asarray([accepted]))})
        return {"posterior": _dataset(values, fitted, number), "sample_stats": stats.assign_coords(chain=[number])}

    return chain


def _moves(hierarchy: Hierarchy) -> list[tuple[Kind, int]]:
    effects = len(hierarchy.effects)
    found = [(Kind.ONE, at) for at in range(effects)]
    if effects:
        found += [(Kind.ALONG_COVARIANCE, 0), (Kind.ANEW, 0)]
    return [*found, *((Kind.OCCASIONS, at) for at in range(len(hierarchy.occasion_effects)))]


def _start(hierarchy: Hierarchy, fitted: PopulationFit, likelihood: Any, key: Array) -> Place:
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


def _untuned(moves: int, place: Place, hierarchy: Hierarchy) -> Tuning:
    numbers, (effects, subjects) = place.population.size, place.deviates.shape
    return Tuning(
        subject=jnp.full((moves, subjects), np.log(0.3)),
        population=jnp.full(numbers + 1, np.log(0.2)),
        held=jnp.full(hierarchy.held.size, np.log(0.2)),
        mean=place.population,
        covariance=jnp.eye(numbers),
        subject_mean=place.deviates.T,
        subject_covariance=jnp.tile(jnp.eye(effects), (subjects, 1, 1)),
    )


def _move_subjects(
    hierarchy: Hierarchy, moves: list[tuple[Kind, int]], place: Place, tuning: Tuning, key: Array
) -> tuple[Place, Array]:
    """Every kind of move once, each subject deciding for itself."""
    if not moves:
        return place, jnp.zeros((0, hierarchy.design.subjects))
    effects, subjects = place.deviates.shape
    factor = _factor(tuning.subject_covariance)

    def move(place: Place, chosen: tuple[Array, Array, Array, Array]) -> tuple[Place, Array]:
        kind, index, log_size, key = chosen
        pick, noise_key, more_key, chance_key = jax.random.split(key, 4)
        noise = jax.random.normal(noise_key, (effects, subjects))
        of_occasions = jax.random.normal(more_key, place.occasions.shape)
        size = jnp.exp(log_size)

        def one() -> tuple[Array, Array]:
            return place.deviates + size * noise * (jnp.arange(effects) == index)[:, None], place.occasions

        def along() -> tuple[Array, Array]:
            return place.deviates + size * jnp.einsum("sij,js->is", factor, noise), place.occasions

        def anew() -> tuple[Array, Array]:
            return jnp.where(jax.random.bernoulli(pick, 0.5, noise.shape), noise, place.deviates), place.occasions

        def occasion() -> tuple[Array, Array]:
            mine = (jnp.arange(place.occasions.shape[0]) == index)[:, None, None]
            return place.deviates, place.occasions + size[:, None] * of_occasions * mine

        deviates, occasions = jax.lax.switch(kind, [one, along, anew, occasion])
        likelihood = hierarchy.log_likelihood(place.population, deviates, occasions)
        prior = _normal(deviates, place.deviates).sum(axis=0) + _normal(occasions, place.occasions).sum(axis=(0, 2))
        # what is drawn from the population is proposed as often as it is probable there
        gain = likelihood - place.likelihood + jnp.where(kind == Kind.ANEW, 0.0, prior)
        taken = jnp.log(jax.random.uniform(chance_key, (subjects,))) < gain
        return Place(
            place.population,
            jnp.where(taken, deviates, place.deviates),
            jnp.where(taken[:, None], occasions, place.occasions),
            jnp.where(taken, likelihood, place.likelihood),
        ), taken

    kinds, indices = (jnp.asarray(each) for each in zip(*moves, strict=True))
    place, taken = jax.lax.scan(move, place, (kinds, indices, tuning.subject, jax.random.split(key, len(moves))))
    return place, taken.astype(float)


def _move_population(hierarchy: Hierarchy, place: Place, tuning: Tuning, key: Array) -> tuple[Place, Array]:
    """Each number of the population, then all along their covariance, with the deviates held."""
    numbers = place.population.size
    factor = _factor(tuning.covariance[None])[0]

    def move(place: Place, chosen: tuple[Array, Array, Array]) -> tuple[Place, Array]:
        index, log_size, key = chosen
        noise_key, chance_key = jax.random.split(key)
        noise = jax.random.normal(noise_key, (numbers,))
        step = jnp.where(index == numbers, factor @ noise, noise * (jnp.arange(numbers) == index))
        population = place.population + jnp.exp(log_size) * step
        likelihood = hierarchy.log_likelihood(population, place.deviates, place.occasions)
        gain = jnp.sum(likelihood - place.likelihood)
        gain += hierarchy.log_prior(population) - hierarchy.log_prior(place.population)
        taken = jnp.log(jax.random.uniform(chance_key)) < gain
        return Place(
            jnp.where(taken, population, place.population),
            place.deviates,
            place.occasions,
            jnp.where(taken, likelihood, place.likelihood),
        ), taken

    keys = jax.random.split(key, numbers + 1)
    place, taken = jax.lax.scan(move, place, (jnp.arange(numbers + 1), tuning.population, keys))
    return place, taken.astype(float)


def _move_held(hierarchy: Hierarchy, place: Place, tuning: Tuning, key: Array) -> tuple[Place, Array]:
    """Typical values and spreads with the individual values held, which leaves the likelihood as it is."""
    held = jnp.asarray(hierarchy.held)
    if not held.size:
        return place, jnp.zeros(0)
    subjects = place.deviates.shape[1]

    def move(place: Place, chosen: tuple[Array, Array, Array]) -> tuple[Place, Array]:
        index, log_size, key = chosen
        noise_key, chance_key = jax.random.split(key)
        population = place.population.at[index].add(jnp.exp(log_size) * jax.random.normal(noise_key))
        center, factor = hierarchy.center_and_factor(place.population)
        new_center, new_factor = hierarchy.center_and_factor(population)
        deviates = jax.scipy.linalg.solve_triangular(
            new_factor, factor @ place.deviates + (center - new_center)[:, None], lower=True
        )
        shrunk = hierarchy.occasion_spreads(place.population) / hierarchy.occasion_spreads(population)
        occasions = place.occasions * shrunk[:, None, None]
        gain = hierarchy.log_prior(population) - hierarchy.log_prior(place.population)
        gain += jnp.sum(_normal(deviates, place.deviates)) + jnp.sum(_normal(occasions, place.occasions))
        gain += subjects * jnp.sum(jnp.log(jnp.diag(factor)) - jnp.log(jnp.diag(new_factor)))
        gain += subjects * place.occasions.shape[2] * jnp.sum(jnp.log(shrunk))
        taken = jnp.log(jax.random.uniform(chance_key)) < gain
        return Place(
            jnp.where(taken, population, place.population),
            jnp.where(taken, deviates, place.deviates),
            jnp.where(taken, occasions, place.occasions),
            place.likelihood,
        ), taken

    repeated, sizes = jnp.tile(held, HELD_REPEATS), jnp.tile(tuning.held, HELD_REPEATS)
    place, taken = jax.lax.scan(move, place, (repeated, sizes, jax.random.split(key, repeated.size)))
    return place, taken.reshape(HELD_REPEATS, -1).astype(float).mean(axis=0)


def _normal(new: Array, old: Array) -> Array:
    """Gain of a standard normal log-density."""
    return -0.5 * (new**2 - old**2)


def _factor(covariance: Float[Array, "batch n n"]) -> Float[Array, "batch n n"]:
    size = covariance.shape[-1]
    return jnp.linalg.cholesky(covariance + 1e-6 * jnp.eye(size)) if size else covariance


def _dataset(values: dict[str, Array], fitted: PopulationFit, number: int) -> xr.Dataset:
    """Draws of one chain with the names of their dimensions."""
    study = fitted.analysis.study
    dims = ("chain", "draw", "subject", "occasion")
    arrays = {name: np.asarray(each)[None] for name, each in values.items()}
    found = xr.Dataset({name: (dims[: each.ndim], each) for name, each in arrays.items()})
    named: dict[str, Any] = {"subject": list(study.subjects), "occasion": np.arange(study.occasions)}
    return found.assign_coords(chain=[number], **{name: named[name] for name in named if name in found.dims})
