"""A population study of one drug: its records, who was observed, and the hierarchical model that a user asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import xarray as xr

from pkpd.domain.evidence import Source
from pkpd.domain.prior import Between, Prior
from pkpd.domain.study import ENGINES, FitOptions, Scenario

# Moves each subject by its own likelihood; the others follow the gradient of all.
GIBBS = "gibbs"
POPULATION_ENGINES = (*ENGINES, GIBBS)


class BlqMethod(StrEnum):
    """How values below the limit of quantification count; the names are those of Beal 2001, doi:10.1023/A:1012299115260."""

    M1 = "M1"  # they are left out
    M3 = "M3"  # by the probability of lying below the limit
    M4 = "M4"  # the same, given that no value is negative


class CovariateForm(StrEnum):
    """How a covariate multiplies a typical value; `x` is the covariate, `r` its reference, `c` the coefficient."""

    POWER = "power"  # (x / r) ** c
    LINEAR = "linear"  # 1 + c (x - r)
    EXPONENTIAL = "exponential"  # exp(c (x - r))
    CATEGORICAL = "categorical"  # the factor of the category; 1 for the reference


COEFFICIENTS: Mapping[CovariateForm, str] = {
    CovariateForm.POWER: "exponent",
    CovariateForm.LINEAR: "slope",
    CovariateForm.EXPONENTIAL: "slope",
    CovariateForm.CATEGORICAL: "factors",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CovariateEffect:
    """One covariate on one typical value.

    Attributes
    ----------
    column
        Of the event table.
    reference
        Covariate of the typical subject; a category as text.
    coefficients
        Prior of the coefficient under the key ``""``; of a categorical effect, of the factor of each other category.
    """

    column: str
    form: CovariateForm
    reference: float | str
    coefficients: Mapping[str, Prior]


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationParameter:
    """Typical value, spread between subjects, spread between occasions of a subject, and covariates."""

    name: str
    typical: Prior
    between: Between | None = None
    occasion: Between | None = None
    covariates: tuple[CovariateEffect, ...] = ()

    def coefficient_name(self, effect: CovariateEffect, category: str = "") -> str:
        """Name of a coefficient in the posterior: `clearance.WT`, `clearance.SEX.female`."""
        return ".".join((self.name, effect.column, *([category] if category else [])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Parameters whose deviations in one subject go together.

    Attributes
    ----------
    shape
        Of the prior of Lewandowski, Kurowicka and Joe (2009), doi:10.1016/j.jmva.2009.04.008: 1 is uniform over all
        correlation matrices, larger values favor weak correlations.
    """

    parameters: tuple[str, ...]
    shape: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualError:
    """How an endpoint is observed.

    Attributes
    ----------
    model
        Entry-point name in `pkpd.endpoints`.
    parameters
        Prior of each parameter of the model, in the unit of the endpoint where it has one.
    """

    model: str
    parameters: Mapping[str, Prior]


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationStudy:
    """Records and observations.

    Attributes
    ----------
    data
        Dataset with the dimensions

        - `subject`: coordinate `subject` (text), `arm` (text);
        - `record`: `record_subject`, `record_time_h`, `evid`, `amount_mg`, `rate_mg_h` (-1 and -2 as NONMEM means them), `interval_h`,
          `additional`, `steady`, `compartment`, `occasion` (index), and one variable `covariate_NAME` for each covariate that
          the model uses: a number, or the index of the category in its attribute `categories`;
        - `obs_id`: `obs_subject`, `obs_record`, `obs_time_h`, `endpoint` (text), `value` (the limit where censored), `censored`,
          `lower_limit` (NaN: none).
    units
        Endpoint -> unit of its values.
    left_out
        Endpoint -> observations below the limit that method M1 left out.
    """

    name: str
    setting: str
    data: xr.Dataset
    units: Mapping[str, str]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names, in the order of the table."""
        return tuple(str(name) for name in self.data["subject"].values)

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms, in order of first appearance."""
        return tuple(dict.fromkeys(str(arm) for arm in self.data["arm"].values))

    @property
    def occasions(self) -> int:
        """Largest number of occasions of a subject."""
        return int(self.data["occasion"].values.max()) + 1

    def counts(self, endpoint: str) -> tuple[int, int]:
        """Observations of an endpoint, and how many of them lie below the limit."""
        mine = self.data["endpoint"].values.astype(str) == endpoint
        return int(mine.sum()), int(np.sum(self.data["censored"].values[mine] == 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationAnalysis:
    """Everything that `pkpd fit` needs for a population study.

    Attributes
    ----------
    structure
        Entry-point name in `pkpd.pk_models`.
    parameters
        By full name: `clearance`, and `depot.lag` for those of a compartment.
    errors, blq
        By endpoint.
    table
        Text of the event table, for the run folder; `text` is that of the analysis file.
    """

    name: str
    study: PopulationStudy
    structure: str
    parameters: Mapping[str, PopulationParameter]
    errors: Mapping[str, ResidualError]
    blq: Mapping[str, BlqMethod] = field(default_factory=dict)
    correlations: tuple[Correlation, ...] = ()
    options: FitOptions = field(default_factory=FitOptions)
    sources: Mapping[str, Source] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    table: str = ""
    text: str = ""

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """None: the doses of a population study are in its table."""
        return ()

    def observed_in_words(self) -> tuple[str, ...]:
        """One line per endpoint: residual error, number of observations and what was done below the limit."""
        return tuple(self._endpoint_in_words(endpoint) for endpoint in self.errors)

    def _endpoint_in_words(self, endpoint: str) -> str:
        observed, below = self.study.counts(endpoint)
        dropped = self.study.left_out.get(endpoint, 0)
        method = self.blq.get(endpoint)
        words = "no limit of quantification stated" if method is None else f"BLQ method {method}"
        if method is BlqMethod.M1:
            words += f", {dropped} below the limit left out"
        elif method is not None:
            words += f", {below} below the limit"
        return f"{endpoint}: {self.errors[endpoint].model} residual error, {observed} observations, {words}"
