"""The moves of the sampler without gradients; each leaves the posterior as it is.

References
----------
Metropolis N et al. (1953), doi:10.1063/1.1699114; moves with the individual values held: Papaspiliopoulos O et al. (2007),
doi:10.1214/088342307000000014.
"""

from __future__ import annotations

from enum import IntEnum

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.inference.hierarchy import Hierarchy

HELD_REPEATS = 3  # moves without a likelihood cost next to nothing


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
    occasions: Float[Array, "occasion_effect subject occasion"]
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


def subject_moves(hierarchy: Hierarchy) -> list[tuple[Kind, int]]:
    """Moves of a sweep: what each changes, and which effect where it is one."""
    effects = len(hierarchy.effects)
    found = [(Kind.ONE, at) for at in range(effects)]
    if effects:
        found += [(Kind.ALONG_COVARIANCE, 0), (Kind.ANEW, 0)]
    return [*found, *((Kind.OCCASIONS, at) for at in range(len(hierarchy.occasion_effects)))]


def move_subjects(hierarchy: Hierarchy, place: Place, *, tuning: Tuning, key: Array) -> tuple[Place, Array]:
    """Every kind of move once, each subject deciding for itself."""
    moves = subject_moves(hierarchy)
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


def move_population(hierarchy: Hierarchy, place: Place, *, tuning: Tuning, key: Array) -> tuple[Place, Array]:
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


def move_held(hierarchy: Hierarchy, place: Place, *, tuning: Tuning, key: Array) -> tuple[Place, Array]:
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
