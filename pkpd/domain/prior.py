"""Priors: how sure we are about a typical value, and how much individuals differ around it.

The two are different numbers. A label's "29 % CV" is the spread between patients; it says nothing about how well
the typical patient is known. A parameter therefore carries both slots, and both are mandatory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pkpd.domain.dosing import Route
from pkpd.domain.evidence import Basis, Source


class Family(StrEnum):
    """Distribution families of a prior; `location` and `scale` mean what the comment says."""

    LOGNORMAL = "lognormal"  # median, standard deviation of the logarithm
    NORMAL = "normal"  # mean, standard deviation
    LOGITNORMAL = "logitnormal"  # median, standard deviation of the logit
    BETA = "beta"  # the two shape parameters
    HALFNORMAL = "halfnormal"  # 0, standard deviation of the unfolded normal
    HALFCAUCHY = "halfcauchy"  # 0, the median
    FIXED = "fixed"  # the value, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """A distribution with a unit, a basis and a source; never a bare number."""

    family: Family
    location: float
    scale: float
    unit: str
    basis: Basis
    source: str

    def quantile(  # noqa: PLR0911 one return per family
        self, probability: NDArray[np.float64] | float
    ) -> NDArray[np.float64]:
        """Value below which the given share of the prior lies, in `unit`."""
        p = np.asarray(probability, dtype=np.float64)
        match self.family:
            case Family.LOGNORMAL:
                return self.location * np.exp(self.scale * special.ndtri(p))
            case Family.NORMAL:
                return self.location + self.scale * special.ndtri(p)
            case Family.LOGITNORMAL:
                return special.expit(special.logit(self.location) + self.scale * special.ndtri(p))
            case Family.BETA:
                return np.asarray(special.betaincinv(self.location, self.scale, p))
            case Family.HALFNORMAL:
                return self.scale * special.ndtri(0.5 * (1.0 + p))
            case Family.HALFCAUCHY:
                return self.scale * np.tan(0.5 * np.pi * p)
            case Family.FIXED:
                return np.full_like(p, self.location)

    @property
    def is_fixed(self) -> bool:
        """Whether the value is taken as known."""
        return self.family is Family.FIXED

    @property
    def scale_of_change(self) -> Scale:
        """Scale on which the parameter may be moved without leaving its range: log, logit of a share, or linear."""
        match self.family:
            case Family.LOGITNORMAL | Family.BETA:
                return Scale.LOGIT
            case Family.NORMAL:
                return Scale.LINEAR
            case Family.LOGNORMAL | Family.HALFNORMAL | Family.HALFCAUCHY | Family.FIXED:
                return Scale.LOG


class Scale(StrEnum):
    """Scale on which a value is moved by a deviate: individuals around the typical, one setting against another."""

    LOG = "lognormal"
    LOGIT = "logitnormal"
    LINEAR = "normal"

    def moved(self, value: NDArray[np.float64] | float, by: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """`value` moved by `by` on this scale; the two broadcast."""
        value = np.asarray(value, dtype=np.float64)
        match self:
            case Scale.LOG:
                return value * np.exp(by)
            case Scale.LOGIT:
                return special.expit(special.logit(value) + by)
            case Scale.LINEAR:
                return value + by


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Spread between individuals: `individual = typical (+) sd * eta` on `scale`, `eta ~ normal(0, 1)`."""

    scale: Scale
    sd: Prior

    def individual(
        self, typical: NDArray[np.float64], sd: NDArray[np.float64], eta: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Individual values for typical values, spreads and standard normal deviates that broadcast."""
        return self.scale.moved(typical, sd * eta)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterPrior:
    """One parameter of one component in one setting: typical value and spread between individuals.

    Attributes
    ----------
    typical
        Where `tied_to` is set: the prior of that parameter; where `origin` is set: the prior of that setting.
    between
        None where every individual is taken to share the typical value (written `between = "none"`).
    shift
        Discrepancy between `origin` and this setting, around 0 on `typical.scale_of_change`; None: no discrepancy.
    tied_to
        Name of a parameter of the same component whose value, typical and individual, this one takes; empty: none.
    origin
        Setting whose typical value this one takes, so that a posterior of that setting replaces the prior here:
        `shared` (one value in every setting), or another setting's name; empty: specific to this setting.
    """

    name: str
    typical: Prior
    between: Between | None = None
    shift: Prior | None = None
    tied_to: str = ""
    origin: str = ""

    @property
    def unit(self) -> str:
        """Unit of the typical value, as written in the file."""
        return self.typical.unit

    @property
    def is_sampled(self) -> bool:
        """Whether the typical value is an unknown of its own: neither fixed nor tied."""
        return not self.typical.is_fixed and not self.tied_to

    def shifted(
        self, typical: NDArray[np.float64] | float, discrepancy: NDArray[np.float64] | float
    ) -> NDArray[np.float64]:
        """Typical values of `origin`, moved to this setting by draws of `shift`; the two broadcast."""
        return self.typical.scale_of_change.moved(typical, discrepancy)


class Level(StrEnum):
    """What a published fact describes, and so which 90 % interval of the prior predictive must cover it."""

    COHORT = "cohort"  # a mean, median or share of many individuals: the same summary of simulated cohorts
    PATIENT = "patient"  # a range of single observations: those of simulated individuals, with residual error
    BOUND = "bound"  # a limit on what is credible: the prior predictive's own value lies from `low` to `high`


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFact:
    """An observed summary that no prior was built from; the prior predictive must cover it.

    Attributes
    ----------
    statistic
        What is compared, such as `half_life` or `steady_state_trough`; the tests know how to simulate each.
    level
        What the number describes.
    low, high
        Range that was published (mean -+ 2 sd, a confidence interval, or the value twice).
    schedule
        Shipped schedule under which the statistic was observed; empty where it does not depend on one.
    """

    name: str
    statistic: str
    value: float
    unit: str
    source: str
    level: Level = Level.COHORT
    low: float | None = None
    high: float | None = None
    schedule: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Priors of one model part in one setting: a drug's PK, a tumor, a toxicity.

    Attributes
    ----------
    name
        First half of the full parameter names: the drug's name, `tumor`, `neutrophils` or `population`.
    model
        Entry-point name of the model whose parameters these are, such as `two_compartment_oral`; empty where the file
        serves several models (a disease knows growth, the analysis names the growth law).
    parameters
        By field name of the model.
    residuals
        By endpoint, the standard deviation of the logarithm of an observation; individuals may be measured with unlike errors.
    target
        What a drug binds, such as `cdk46`; empty for what is no drug.
    molar_mass
        Of a drug, g/mol, taken as exact; NaN for what is no drug.
    effects_of
        The drug whose potency and toxicity stand in for those of this one; empty where it has its own.
    routes
        Of a drug, the routes that its model holds for in this setting; empty for what is no drug.
    """

    name: str
    setting: str
    model: str
    parameters: Mapping[str, ParameterPrior]
    residuals: Mapping[str, ParameterPrior] = field(default_factory=dict)
    target: str = ""
    molar_mass: float = float("nan")
    effects_of: str = ""
    routes: tuple[Route, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    published: tuple[PublishedFact, ...] = ()

    def overlaid(self, other: Component) -> Component:
        """Join what `other` says in addition or instead: a disease over a combination."""
        return replace(
            self,
            model=self.model or other.model,
            parameters={**self.parameters, **other.parameters},
            residuals={**self.residuals, **other.residuals},
            sources={**self.sources, **other.sources},
            published=(*self.published, *other.published),
        )


def ties(parameters: Mapping[str, ParameterPrior]) -> dict[str, str]:
    """Full name of each tied parameter -> that of the one of the same component whose value it has."""
    return {
        name: f"{name.partition('.')[0]}.{parameter.tied_to}"
        for name, parameter in parameters.items()
        if parameter.tied_to
    }
