"""What the data of each subject tell of its own values: it steers how they are sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Centering:
    """What steers the sampling of individual values; the posterior is the same for all of them.

    Attributes
    ----------
    weights
        Parameter -> for each subject, how far its value is sampled as itself (1) rather than as a standard normal deviate (0).
    told
        For each subject, one minus the covariance [parameter, parameter] that standard normal deviates keep once its observations are
        known, in the order of `weights`, which are its diagonal.
    roots
        For each subject, a Cholesky factor of the covariance that its observations leave to what is sampled.
    """

    weights: Mapping[str, NDArray[np.float64]]
    told: NDArray[np.float64]
    roots: NDArray[np.float64]
