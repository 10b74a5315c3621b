"""The posterior of the warfarin analysis by a sampler that no kink disturbs: Metropolis steps within a Gibbs sweep.

python reports/warfarin/without_gradients.py RUN FILE.json

Leapfrog steps of NUTS fly off where a lag passes a sampling time. Here every subject moves by itself, up or down in one parameter, or
to a lag and an absorption rate drawn from the population; nothing needs a derivative. Model and priors are those of `analysis.toml`
beside this file, written out by hand. The table puts the medians and intervals of both samplers side by side.
"""

import json
import sys
from pathlib import Path

import arviz as az
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pkpd.posterior import Posterior

type Numbers = NDArray[np.float64]
NAMES = ("clearance", "volume", "absorption", "depot.lag")
CLEARANCE, VOLUME, ABSORPTION, LAG = range(4)
MIDDLE, WIDTH = np.log([0.15, 10.0, 1.0, 0.5]), np.ones(4)  # log-normal priors of the typical values
MOST_ADDITIVE, MOST_PROPORTIONAL = 2.0, 0.3  # half-normal priors of the residual error
CHAINS, WARM_UP, SWEEPS, KEEP_EVERY = 4, 4_000, 20_000, 10

run, target = Posterior.open(Path(sys.argv[1]) / "posterior.nc"), Path(sys.argv[2])
data = run.group("constant_data")
subjects = data.sizes["subject"]
dose = np.bincount(data["record_subject"].values, weights=data["amount_mg"].values, minlength=subjects)
first = np.full(subjects, np.inf)
given = data["amount_mg"].values > 0.0
np.minimum.at(first, data["record_subject"].values[given], data["record_time_h"].values[given])
owner = data["obs_subject"].values
position = np.arange(owner.size) - np.searchsorted(owner, owner)
shape = (subjects, int(position.max()) + 1)
time, value, seen = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
time[owner, position] = data["obs_time_h"].values - first[owner]
value[owner, position] = data["value"].values
seen[owner, position] = True


def likelihood(x: Numbers, additive: Numbers, proportional: Numbers) -> Numbers:
    """Log-likelihood of each subject, [chain, subject], from logarithms of parameters [chain, subject, 4]."""
    clearance, volume, absorption, lag = np.moveaxis(np.exp(x)[..., None], 2, 0)
    since = np.maximum(time - lag, 0.0)
    out = clearance / volume
    gap = absorption - out
    gap = np.where(np.abs(gap) < 1e-6 * out, 1e-6 * out, gap)
    predicted = dose[:, None] / volume * absorption / gap * (np.exp(-out * since) - np.exp(-absorption * since))
    sd = additive[:, None, None] + proportional[:, None, None] * np.maximum(predicted, 0.0)
    return np.sum(np.where(seen, -0.5 * ((value - predicted) / sd) ** 2 - np.log(sd), 0.0), axis=-1)


def spread_prior(log_spread: Numbers) -> Numbers:
    """Log-density of the logarithm of each spread: log-normal for clearance and volume, else half-normal."""
    lognormal = -0.5 * (log_spread - np.log(0.3)) ** 2
    halfnormal = -0.5 * np.exp(2.0 * log_spread) + log_spread
    return np.where(np.arange(4) < ABSORPTION, lognormal, halfnormal)


def spread_density(log_spread: Numbers, squares: Numbers) -> Numbers:
    """Log-density of the logarithm of each spread given the sum of squared deviations, [chain, 4]."""
    return spread_prior(log_spread) - subjects * log_spread - 0.5 * squares * np.exp(-2.0 * log_spread)


def noise_prior(log_noise: Numbers) -> Numbers:
    """Log-density of the logarithms of both residual errors, [chain]."""
    return np.sum(-0.5 * (np.exp(log_noise) / [MOST_ADDITIVE, MOST_PROPORTIONAL]) ** 2 + log_noise, axis=-1)


random = np.random.default_rng(20251225)
typical = np.log([0.13, 8.0, 1.4, 0.7]) + 0.1 * random.standard_normal((CHAINS, 4))
log_spread = np.log([0.3, 0.25, 0.8, 0.6]) + 0.1 * random.standard_normal((CHAINS, 4))
log_noise = np.log([0.3, 0.06]) + 0.1 * random.standard_normal((CHAINS, 2))
x = typical[:, None, :] + 0.1 * random.standard_normal((CHAINS, subjects, 4))
x[..., LAG] -= 1.0
now = likelihood(x, *np.exp(log_noise).T)
scale = np.full((CHAINS, subjects, 4), 0.3)
scale_noise, scale_spread, scale_both = np.full(CHAINS, 0.1), np.full((CHAINS, 4), 0.2), np.full((CHAINS, 4), 0.2)
kept = []


def chance(size: int | tuple[int, ...]) -> Numbers:
    """Logarithm of a uniform number."""
    return np.log(random.random(size))


for sweep in range(WARM_UP + SWEEPS):
    rate = 5.0 / (sweep + 10.0) ** 0.6 if sweep < WARM_UP else 0.0  # scales stay as they are after the warm-up
    spread = np.exp(log_spread)
    noise = np.exp(log_noise).T
    for parameter in range(4):
        trial = x.copy()
        trial[..., parameter] += scale[..., parameter] * random.standard_normal((CHAINS, subjects))
        then = likelihood(trial, *noise)
        z_then, z_now = ((each - typical[:, None]) / spread[:, None] for each in (trial, x))
        taken = chance((CHAINS, subjects)) < then - now - 0.5 * np.sum(z_then**2 - z_now**2, axis=-1)
        x, now = np.where(taken[..., None], trial, x), np.where(taken, then, now)
        scale[..., parameter] *= np.exp(rate * (taken - 0.4))
    trial = x.copy()
    for parameter in (ABSORPTION, LAG):
        drawn = random.standard_normal((CHAINS, subjects))
        trial[..., parameter] = typical[:, None, parameter] + spread[:, None, parameter] * drawn
    then = likelihood(trial, *noise)
    taken = chance((CHAINS, subjects)) < then - now
    x, now = np.where(taken[..., None], trial, x), np.where(taken, then, now)
    # typical values given the individual ones, then spreads; and both once more with the deviates held
    precision = subjects / spread**2 + 1.0 / WIDTH**2
    middle = (x.sum(axis=1) / spread**2 + MIDDLE / WIDTH**2) / precision
    typical = middle + random.standard_normal((CHAINS, 4)) / np.sqrt(precision)
    squares = np.sum((x - typical[:, None]) ** 2, axis=1)
    trial_spread = log_spread + scale_spread * random.standard_normal((CHAINS, 4))
    taken = chance((CHAINS, 4)) < spread_density(trial_spread, squares) - spread_density(log_spread, squares)
    log_spread = np.where(taken, trial_spread, log_spread)
    scale_spread *= np.exp(rate * (taken - 0.4))
    for parameter in range(4):
        step = scale_both[:, parameter, None] * random.standard_normal((CHAINS, 2)) * [0.5, 1.0]
        new_typical, new_spread = typical.copy(), log_spread.copy()
        new_typical[:, parameter] += step[:, 0]
        new_spread[:, parameter] += step[:, 1]
        trial = x.copy()
        deviates = (x[..., parameter] - typical[:, None, parameter]) / np.exp(log_spread)[:, None, parameter]
        trial[..., parameter] = new_typical[:, None, parameter] + np.exp(new_spread)[:, None, parameter] * deviates
        then = likelihood(trial, *noise)
        gain = np.sum(then - now, axis=1)
        gain += np.sum(spread_prior(new_spread) - spread_prior(log_spread), axis=1)
        gain -= 0.5 * np.sum(((new_typical - MIDDLE) ** 2 - (typical - MIDDLE) ** 2) / WIDTH**2, axis=1)
        taken = chance(CHAINS) < gain
        typical = np.where(taken[:, None], new_typical, typical)
        log_spread = np.where(taken[:, None], new_spread, log_spread)
        x, now = np.where(taken[:, None, None], trial, x), np.where(taken[:, None], then, now)
        scale_both[:, parameter] *= np.exp(rate * (taken - 0.3))
    trial_noise = log_noise + scale_noise[:, None] * random.standard_normal((CHAINS, 2)) * [1.0, 1.0]
    then = likelihood(x, *np.exp(trial_noise).T)
    taken = chance(CHAINS) < np.sum(then - now, axis=1) + noise_prior(trial_noise) - noise_prior(log_noise)
    log_noise, now = np.where(taken[:, None], trial_noise, log_noise), np.where(taken[:, None], then, now)
    scale_noise *= np.exp(rate * (taken - 0.3))
    if sweep >= WARM_UP and sweep % KEEP_EVERY == 0:
        kept.append(np.concatenate([np.exp(typical), np.exp(log_spread), np.exp(log_noise)], axis=1))

draws = np.stack(kept, axis=1)
names = [*NAMES, *(f"{name}.between" for name in NAMES), "concentration.additive", "concentration.proportional"]
found = xr.Dataset({name: (("chain", "draw"), draws[..., column]) for column, name in enumerate(names)})
worst_rhat = max(float(each) for each in az.rhat(found).data_vars.values())
fewest = min(float(each) for each in az.ess(found).data_vars.values())
print(
    f"{CHAINS} chains x ({WARM_UP} + {SWEEPS}) sweeps: R-hat {worst_rhat:.4f}, smallest effective sample size {fewest:.0f}\n"
)
print("| number | NUTS median (90 %) | without gradients | difference |")
print("| --- | --- | --- | --- |")
record = {"sweeps": SWEEPS, "warm_up": WARM_UP, "R-hat": round(worst_rhat, 4), "effective_sample_size": round(fewest)}
for name in names:
    theirs, ours = (np.quantile(each, (0.05, 0.5, 0.95)) for each in (run.values(name), found[name].values))
    record[name] = {
        "nuts_5_50_95": [float(f"{each:.4g}") for each in theirs],
        "without_gradients_5_50_95": [float(f"{each:.4g}") for each in ours],
    }
    words = [f"{middle:.4g} ({low:.3g} to {high:.3g})" for low, middle, high in (theirs, ours)]
    print(f"| {name} | {words[0]} | {words[1]} | {100 * (theirs[1] / ours[1] - 1):+.1f} % |")
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
