"""What `fit` needs of a model, whatever it is a model of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from pkpd.domain.evidence import Source
from pkpd.domain.prior import Prior, Scale

# Longer trajectories cost more in warm-up than the mass matrix learns from them.
MAX_TREE_DEPTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Unit, basis and scale of change of one variable of a posterior."""

    unit: str
    basis: str
    scale: Scale

    @staticmethod
    def of(prior: Prior) -> Label:
        """Label of a variable with a prior of its own."""
        return Label(unit=prior.unit, basis=str(prior.basis), scale=prior.scale_of_change)


class AbstractFitModel(ABC):
    """A PyMC model, and how its draws become a posterior file.

    Datasets have the dimensions `chain` and `draw`, then `subject` or `obs_id`.
    """

    model: pm.Model

    @property
    @abstractmethod
    def doublings(self) -> int:
        """Doublings that every trajectory makes before it may turn: none lets each turn where it will (NUTS)."""

    @abstractmethod
    def recipe(self) -> Callable[[], AbstractFitModel]:
        """Builds the same model in another process, without the verification that was done here."""

    @abstractmethod
    def initial_values(self) -> Mapping[str, NDArray[np.float64]]:
        """Sampled variable -> where its chains start; what is left out starts at the center of its prior."""

    @abstractmethod
    def label(self, name: str) -> Label:
        """Label of a variable of the posterior."""

    @abstractmethod
    def with_derived(self, draws: xr.Dataset) -> xr.Dataset:
        """Draws with the variables that follow from those that were sampled."""

    @abstractmethod
    def prior(self, *, count: int, seed: int) -> xr.Dataset:
        """Independent prior draws of every variable that the posterior has."""

    @abstractmethod
    def predict(self, draws: xr.Dataset, *, seed: int) -> tuple[xr.Dataset, xr.Dataset]:
        """New observations of the same subjects at the same times, and the log-likelihood of those that were made."""

    @abstractmethod
    def observed(self) -> tuple[xr.Dataset, xr.Dataset]:
        """Observations by endpoint, and everything that was known beforehand."""

    @abstractmethod
    def description(self) -> Mapping[str, Any]:
        """What a report says of the analysis."""

    @abstractmethod
    def inputs(self) -> Mapping[str, str]:
        """Path as written -> sha256 of every file that was read."""

    @abstractmethod
    def evidence(self) -> tuple[Mapping[str, Prior], Mapping[str, Source]]:
        """Every prior by the name that a report gives it, and every document that one may come from."""

    @abstractmethod
    def plan(self) -> tuple[str, ...]:
        """Sizes and verified errors, one line each."""
