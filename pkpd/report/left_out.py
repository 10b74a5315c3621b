"""Prediction of each observation from all the others, by importance weights on the draws that have seen it.

An animal with three parameters of its own and seven volumes fits each of them better than it would have predicted it: intervals
that have seen a value cover it too often. Weighted to what the draws would be without the value, they do not know it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pkpd.posterior import FEWEST_DRAWS, SMALLEST_CHANGE


def weights_without(log_likelihood: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of the draws, for each observation, under the posterior of all other observations.

    Parameters
    ----------
    log_likelihood
        Pointwise, `[sample, obs_id]`.

    Returns
    -------
    Positive weights of the same shape that sum to one over the samples.

    References
    ----------
    Pareto smoothed importance sampling: Vehtari A, Gelman A, Gabry J. Stat Comput 2017;27:1413, doi:10.1007/s11222-016-9696-4.
    """
    from arviz_stats.base.array import array_stats  # slow import

    found = np.empty_like(log_likelihood)
    enough = log_likelihood.shape[0] >= FEWEST_DRAWS
    for index in range(log_likelihood.shape[1]):
        if np.ptp(log_likelihood[:, index]) < SMALLEST_CHANGE:
            # Such as a value below its limit that every draw predicts far below it: no draw knows more of it than another.
            found[:, index] = 1.0 / log_likelihood.shape[0]
            continue
        # ArviZ turns the log-likelihood into the log of the ratio itself.
        logs = np.asarray(array_stats.psislw(log_likelihood[:, index])[0]) if enough else -log_likelihood[:, index]
        raw = np.exp(logs - logs.max())
        found[:, index] = raw / raw.sum()
    return found


def weighted_quantiles(
    values: NDArray[np.float64], weights: NDArray[np.float64], probabilities: tuple[float, ...]
) -> NDArray[np.float64]:
    """Quantiles `[probability, obs_id]` of weighted draws `[sample, obs_id]`."""
    order = np.argsort(values, axis=0)
    ordered = np.take_along_axis(values, order, axis=0)
    below = np.take_along_axis(weights, order, axis=0)
    middle = np.cumsum(below, axis=0) - 0.5 * below
    columns = range(values.shape[1])
    return np.asarray([np.interp(probabilities, middle[:, each], ordered[:, each]) for each in columns]).T
