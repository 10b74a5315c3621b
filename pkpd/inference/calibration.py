"""Simulation-based calibration: fitted to studies that its own priors made, a posterior holds the truth as often as it says.

References
----------
Talts S et al. 2018, arXiv:1804.06788: the rank of the truth among the draws is uniform. Modrák M et al. Bayesian Anal 2025;20:461,
doi:10.1214/23-BA1404: the log-likelihood is ranked beside the parameters, since it sees what single parameters hide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from pkpd.domain.population import BlqMethod, PopulationAnalysis
from pkpd.domain.study import Analysis, with_values
from pkpd.errors import Finding, SpecError
from pkpd.inference.fit import fit_built
from pkpd.inference.fit_model import AbstractFitModel
from pkpd.inference.model import build_model

LOG_LIKELIHOOD = "log-likelihood"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicate:
    """One simulated study and its fit.

    Attributes
    ----------
    shares
        Variable -> share of the posterior draws below the truth, 0 to 1.
    reliable
        Whether the fit passed its gate.
    """

    shares: dict[str, float]
    reliable: bool


def calibrate(
    analysis: Analysis | PopulationAnalysis,
    *,
    replicates: int,
    seed: int,
    cores: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Replicate]:
    """Simulate the study of an analysis from its priors, again and again, and fit each.

    Raises
    ------
    SpecError
        If the study has several endpoints, whose values would have to be drawn together, or leaves out values below a limit.
    """
    _refuse_left_out(analysis)
    fitted = build_model(analysis)
    truths = fitted.prior(count=replicates, seed=seed)
    predicted, _ = fitted.predict(truths, seed=seed)
    if len(predicted.data_vars) != 1:
        where, message = analysis.name, "a study with several endpoints cannot be calibrated yet"
        raise SpecError(Finding(code="E_UNSUPPORTED", where=where, message=message, hint="keep one endpoint"))
    (values,) = (predicted[name].values[0] for name in predicted.data_vars)
    for index in range(replicates):
        if progress is not None:
            progress(index, replicates)
        truth = truths.isel(draw=[index])
        study = replace(analysis.study, data=with_values(analysis.study.data, values[index]))
        yield _one(replace(analysis, study=study), truth, seed=seed + index, cores=cores)


def _refuse_left_out(analysis: Analysis | PopulationAnalysis) -> None:
    """Values that are left out below a limit (method M1) are left out of the likelihood too, and no simulation of it has them."""
    if isinstance(analysis, PopulationAnalysis) and BlqMethod.M1 in analysis.blq.values():
        where, message = analysis.name, "values below a limit that are left out (M1) cannot be calibrated"
        raise SpecError(Finding(code="E_UNSUPPORTED", where=where, message=message, hint="write method M3 or M4"))


def uniformity(shares: NDArray[np.float64], *, bins: int) -> float:
    """Probability of a chi-square statistic this large if the ranks are uniform."""
    counts, _ = np.histogram(shares, bins=bins, range=(0.0, 1.0))
    expected = shares.size / bins
    statistic = float(np.sum((counts - expected) ** 2) / expected)
    return float(special.gammaincc(0.5 * (bins - 1), 0.5 * statistic))


def _one(analysis: Analysis | PopulationAnalysis, truth: xr.Dataset, *, seed: int, cores: int) -> Replicate:
    fitted = build_model(analysis)
    options = replace(analysis.options, seed=seed)
    posterior = fit_built(fitted, options, cores=cores)
    draws = posterior.tree["posterior"].to_dataset()
    shares = {
        str(name): float(np.mean(draws[name].values < float(truth[name].values.squeeze())))
        for name in draws.data_vars
        if name in truth and draws[name].dims == ("chain", "draw")  # not what each subject has of its own
    }
    likelihood = posterior.tree["log_likelihood"].to_dataset()
    (drawn,) = (likelihood[name].sum("obs_id").values for name in likelihood.data_vars)
    shares[LOG_LIKELIHOOD] = float(np.mean(drawn < _likelihood_of(fitted, truth)))
    return Replicate(shares=shares, reliable=posterior.reliable)


def _likelihood_of(fitted: AbstractFitModel, truth: xr.Dataset) -> float:
    _, likelihood = fitted.predict(truth, seed=0)
    (values,) = (likelihood[name].values for name in likelihood.data_vars)
    return float(values.sum())
