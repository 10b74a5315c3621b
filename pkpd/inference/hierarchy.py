"""A population model as numbers of the population, deviates of its subjects, and a likelihood of each subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from pkpd.domain.population import PopulationAnalysis, PopulationParameter
from pkpd.domain.prior import Scale
from pkpd.inference.population_model import (
    cholesky_row,
    correlation_names,
    observations_of,
    partial_shape,
    pointwise,
    sampled_priors,
)
from pkpd.inference.unbounded import Unbounded, on_scale, share, unbounded
from pkpd.simulate.population import PopulationDesign, known


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """Every unknown as a number without bounds.

    `population` below is [number] in the order of `numbers`; `deviates` [effect, subject] are independent and standard normal a
    priori, `occasions` [occasion_effect, subject, occasion] too.

    Attributes
    ----------
    numbers
        Name -> unbounded number: what has a prior of its own, then the share that stands for each partial correlation.
    effects, occasion_effects
        Parameters that differ between subjects, and between the occasions of one.
    shares
        Those of `numbers` that stand for partial correlations.
    """

    analysis: PopulationAnalysis
    design: PopulationDesign
    numbers: Mapping[str, Unbounded]
    effects: tuple[str, ...]
    occasion_effects: tuple[str, ...]
    shares: frozenset[str]

    @staticmethod
    def of(analysis: PopulationAnalysis, design: PopulationDesign) -> Hierarchy:
        """Hierarchy of an analysis."""
        numbers = {name: unbounded(prior) for name, prior in sampled_priors(analysis).items()}
        shares: dict[str, Unbounded] = {}
        for correlation in analysis.correlations:
            for (_, column), name in correlation_names(correlation).items():
                shape = partial_shape(correlation, column)
                shares[f"{name}.share"] = share(shape, shape)
        parameters = analysis.parameters
        # correlated ones first, each block in its order: the factor of their correlations is lower triangular
        correlated = [name for each in analysis.correlations for name in each.parameters]
        effects = dict.fromkeys([*correlated, *(name for name, each in parameters.items() if each.between is not None)])
        return Hierarchy(
            analysis=analysis,
            design=design,
            numbers=numbers | shares,
            shares=frozenset(shares),
            effects=tuple(effects),
            occasion_effects=tuple(name for name, each in parameters.items() if each.occasion is not None),
        )

    @property
    def held(self) -> NDArray[np.int64]:
        """Numbers of the population that the data see only through the individual values: typical values and spreads.

        Coefficients of covariates are not among them, nor typical values with covariates where individuals differ on the scale of a
        share or a line: they move with the deviates held alone.
        """
        names = [*self.effects, *(f"{name}.between" for name in self.effects)]
        names += [f"{name}.occasion" for name in self.occasion_effects]
        not_alike = {name for name in self.effects if not _adds_up(self.analysis.parameters[name])}
        chosen = (set(names) | self.shares) - not_alike
        return np.asarray([at for at, name in enumerate(self.numbers) if name in chosen], dtype=int)

    def log_prior(self, population: Float[Array, " number"]) -> Array:
        """Log-density of the numbers of the population."""
        each = [number.log_density(population[at]) for at, number in enumerate(self.numbers.values())]
        return sum(each, start=jnp.zeros(()))

    def log_likelihood(
        self,
        population: Float[Array, " number"],
        deviates: Float[Array, "effect subject"],
        occasions: Float[Array, "occasion_effect subject occasion"],
    ) -> Float[Array, " subject"]:
        """Log-likelihood of each subject; what is not a number counts as impossible."""
        total = jnp.zeros(self.design.subjects)
        rows = observations_of(self.analysis)
        for endpoint, density in pointwise(
            self.analysis, self.design, self.draw(population, deviates, occasions)
        ).items():
            total = total.at[self.design.obs_subject[rows[endpoint][0]]].add(density)
        return jnp.where(jnp.isfinite(total), total, -jnp.inf)

    def draw(
        self,
        population: Float[Array, " number"],
        deviates: Float[Array, "effect subject"],
        occasions: Float[Array, "occasion_effect subject occasion"],
    ) -> dict[str, Array]:
        """Everything by its name in the posterior."""
        values = self._values(population)
        found = {name: value for name, value in values.items() if name not in self.shares}
        factor = self._correlation_factor(values)
        for correlation in self.analysis.correlations:
            places = [self.effects.index(name) for name in correlation.parameters]
            for (row, column), name in correlation_names(correlation).items():
                found[name] = factor[places[row]] @ factor[places[column]]
        dependent = factor @ deviates
        found |= {f"{name}.eta": dependent[at] for at, name in enumerate(self.effects)}
        return found | {f"{name}.kappa": occasions[at] for at, name in enumerate(self.occasion_effects)}

    def center_and_factor(
        self, population: Float[Array, " number"]
    ) -> tuple[Float[Array, " effect"], Float[Array, "effect effect"]]:
        """`c` and `F`: an individual value is `c + F @ deviates` on the scale of its spread, plus what the population does not move."""
        values = self._values(population)
        parameters = self.analysis.parameters
        spreads = [_spread(values, parameters[name], "between") for name in self.effects]
        return (
            jnp.asarray([_center(values, parameters[name]) for name in self.effects]),
            jnp.asarray(spreads)[:, None] * self._correlation_factor(values),
        )

    def occasion_spreads(self, population: Float[Array, " number"]) -> Float[Array, " occasion_effect"]:
        """Spread between the occasions of a subject."""
        values = self._values(population)
        parameters = self.analysis.parameters
        return jnp.asarray([_spread(values, parameters[name], "occasion") for name in self.occasion_effects])

    def _values(self, population: Array) -> dict[str, Array]:
        return {name: number.value(population[at]) for at, (name, number) in enumerate(self.numbers.items())}

    def _correlation_factor(self, values: Mapping[str, Array]) -> Float[Array, "effect effect"]:
        """Cholesky factor of the correlations of the effects."""
        factor = jnp.eye(len(self.effects))
        for correlation in self.analysis.correlations:
            places = [self.effects.index(name) for name in correlation.parameters]
            names = correlation_names(correlation)
            partial = {place: 2.0 * values[f"{name}.share"] - 1.0 for place, name in names.items()}
            for row, place in enumerate(places):
                for column, entry in enumerate(cholesky_row(partial, row)):
                    factor = factor.at[place, places[column]].set(entry)
        return factor


def _adds_up(parameter: PopulationParameter) -> bool:
    """Whether a change of the typical value moves all individuals alike on the scale of their spread."""
    return not parameter.covariates or (parameter.between is not None and parameter.between.scale is Scale.LOG)


def _center(values: Mapping[str, Array], parameter: PopulationParameter) -> Array:
    assert parameter.between is not None
    if parameter.typical.is_fixed or not _adds_up(parameter):
        return jnp.zeros(())  # it does not move
    return on_scale(parameter.between.scale, known(values, parameter.name, parameter.typical))


def _spread(values: Mapping[str, Array], parameter: PopulationParameter, kind: str) -> Array:
    level = parameter.between if kind == "between" else parameter.occasion
    assert level is not None
    return known(values, f"{parameter.name}.{kind}", level.sd)
