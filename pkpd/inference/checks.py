"""The gate: may these draws be trusted?"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable

import arviz as az
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pkpd.domain.population import GIBBS
from pkpd.posterior import FEWEST_DRAWS, SMALLEST_CHANGE

RHAT_LIMIT = 1.01
ESS_LIMIT = 400.0
BFMI_LIMIT = 0.3
PARETO_LIMIT = 0.7
FEWEST_TO_HALVE = 8  # draws of a single chain
# Functions of other variables, one per subject: they converge when what they are made of does.
DERIVED = ".subject"


def gate(tree: xr.DataTree) -> xr.DataTree:
    """The tree with the attribute `gate`: every check with its value, its limit and what set it.

    Pareto k judges leave-one-out comparison, not the draws: it is printed and does not decide.
    """
    posterior = tree["posterior"].to_dataset()
    sampled = posterior[[name for name in posterior.data_vars if not str(name).endswith(DERIVED)]]
    with warnings.catch_warnings():
        # ArviZ warns of what the gate states with a number.
        warnings.simplefilter("ignore")
        rhat, bulk, tail = az.rhat(_as_chains(sampled)), az.ess(sampled, method="bulk"), az.ess(sampled, method="tail")
        pareto, kept = _pareto(tree)
        of_gradients = [] if tree.attrs.get("engine") == GIBBS else _of_gradients(tree)
    checks = [
        _check("R-hat", *_extreme(rhat, sampled, np.max), RHAT_LIMIT, below=True),
        _check("bulk effective sample size", *_extreme(bulk, sampled, np.min), ESS_LIMIT, below=False),
        _check("tail effective sample size", *_extreme(tail, sampled, np.min), ESS_LIMIT, below=False),
        *of_gradients,
    ]
    passed = all(check["passed"] for check in checks)
    worst = int(np.argmax(np.nan_to_num(pareto, nan=np.inf)))
    checks.append(
        _check(
            "Pareto k (comparison only)", float(pareto[worst]), f"observation {kept[worst]}", PARETO_LIMIT, below=True
        )
    )
    judged = tree.copy()
    judged.attrs["gate"] = json.dumps({"passed": passed, "checks": checks})
    return judged


def _of_gradients(tree: xr.DataTree) -> list[dict[str, object]]:
    """What only a sampler that follows gradients can show."""
    bfmi = float(np.min(np.asarray(az.bfmi(tree)["energy"])))
    diverging = tree["sample_stats"].to_dataset()["diverging"]
    return [
        _check("divergences", float(diverging.sum()), "", 0.0, below=True),
        _check("E-BFMI", bfmi, "", BFMI_LIMIT, below=False),
    ]


def _as_chains(draws: xr.Dataset) -> xr.Dataset:
    """The draws; a single chain as its two halves, which is the least that R-hat can compare."""
    if draws.sizes["chain"] > 1 or draws.sizes["draw"] < FEWEST_TO_HALVE:
        return draws
    half = draws.sizes["draw"] // 2
    halves = [draws.isel(draw=slice(start, start + half)).assign_coords(draw=np.arange(half)) for start in (0, half)]
    return xr.concat(halves, dim="chain", join="override")


def _pareto(tree: xr.DataTree) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Pareto k of the observations whose likelihood depends on the draw, and which those are.

    A value below its limit that every draw predicts far below it has the same likelihood in all of them, and no tail to fit.
    """
    likelihood = tree["log_likelihood"].to_dataset()
    name = next(iter(likelihood.data_vars))
    spread = np.ptp(likelihood[name].values, axis=(0, 1))
    kept = np.flatnonzero(spread > SMALLEST_CHANGE)
    if not kept.size:
        return np.zeros(1), np.zeros(1, dtype=np.int64)
    if likelihood.sizes["chain"] * likelihood.sizes["draw"] < FEWEST_DRAWS:
        return np.full(kept.size, np.nan), kept
    moving = tree.copy()
    moving["log_likelihood"] = xr.DataTree(likelihood.isel(obs_id=kept))
    return np.asarray(az.loo(moving, pointwise=True).pareto_k), kept  # type: ignore[union-attr]


def _extreme(
    values: xr.Dataset, draws: xr.Dataset, reduce: Callable[[NDArray[np.float64]], float]
) -> tuple[float, str]:
    """Extreme value over all variables that move, and the variable that has it; one that is not a number comes before all."""
    each = {}
    for name in values.data_vars:
        drawn = draws[name].values
        moving = drawn.min(axis=(0, 1)) != drawn.max(axis=(0, 1))  # also where a draw is not a number
        if np.any(moving):
            found = float(reduce(np.asarray(values[name].values)[moving]))
            each[str(name)] = found if np.all(np.isfinite(drawn)) else float("nan")
    if not each:  # a single draw, or nothing that was estimated
        return float("nan"), ""
    broken = [name for name, value in each.items() if np.isnan(value)]
    if broken:
        return float("nan"), broken[0]
    target = float(reduce(np.asarray(list(each.values()))))
    return target, next(name for name, value in each.items() if value == target)


def _check(name: str, value: float, worst: str, limit: float, *, below: bool) -> dict[str, object]:
    passed = value <= limit if below else value >= limit
    return {"name": name, "value": value, "limit": limit, "passed": bool(passed), "worst": worst}
