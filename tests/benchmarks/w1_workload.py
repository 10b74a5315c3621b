"""Workload W1: 20 subjects, seven daily oral doses, two compartments, 12 log-concentrations each; data and a common measure."""

from __future__ import annotations

import numpy as np

SUBJECTS, INTERVAL_H, DOSE_MG, DOSES = 20, 24.0, 100.0, 7
TIMES_H = np.array([0.5, 1, 2, 4, 8, 23.9, 71.9, 143.9, 145, 147, 152, 168.0])
GIVEN = np.minimum(np.floor(TIMES_H / INTERVAL_H), DOSES - 1).astype(int) + 1  # doses before each time
SINCE_H = TIMES_H - INTERVAL_H * (GIVEN - 1)
CHAINS, WARM_UP, DRAWS, TARGET_ACCEPT = 4, 500, 500, 0.8
# clearance, central volume, intercompartmental clearance, peripheral volume, absorption rate
TYPICAL, SPREAD = np.array([5.0, 40.0, 8.0, 80.0, 1.0]), np.array([0.3, 0.25, 0.4])


def concentration(clearance, volume, exchange, beyond, absorption, xp=np):
    """`[subject, time]` in closed form, parameters `[subject, 1]`; `xp` is NumPy or PyTensor."""
    out, there, back = clearance / volume, exchange / volume, exchange / beyond
    total = out + there + back
    slow = 0.5 * (total - xp.sqrt(total**2 - 4.0 * out * back))
    fast = out * back / slow
    first = absorption / volume * (back - fast) / ((absorption - fast) * (slow - fast))
    second = absorption / volume * (back - slow) / ((absorption - slow) * (fast - slow))

    def decay(rate):
        repeated = (1.0 - xp.exp(-INTERVAL_H * rate * GIVEN)) / (1.0 - xp.exp(-INTERVAL_H * rate))
        return xp.exp(-rate * SINCE_H) * repeated

    return DOSE_MG * (first * decay(fast) + second * decay(slow) - (first + second) * decay(absorption))


def observed() -> np.ndarray:
    """Logarithms of the concentrations, `[subject, time]`."""
    rng = np.random.default_rng(11)
    deviates = rng.standard_normal((SUBJECTS, 3))
    clearance, volume, absorption = (
        (TYPICAL[i] * np.exp(SPREAD[k] * deviates[:, k]))[:, None] for k, i in enumerate((0, 1, 4))
    )
    exact = np.log(concentration(clearance, volume, TYPICAL[2], TYPICAL[3], absorption))
    return exact + 0.15 * rng.standard_normal(exact.shape)


def smallest_ess(draws: dict[str, np.ndarray]) -> float:
    """Smallest bulk effective sample size of the population's parameters, `[chain, draw, ...]` each (Vehtari 2021)."""
    return min(
        _bulk_ess(values.reshape(*values.shape[:2], -1)[:, :, i])
        for values in map(np.asarray, draws.values())
        for i in range(int(np.prod(values.shape[2:], initial=1)))
    )


def _bulk_ess(x: np.ndarray) -> float:
    from scipy.stats import norm, rankdata

    half = x.shape[1] // 2
    x = np.concatenate([x[:, :half], x[:, -half:]])
    z = norm.ppf((rankdata(x).reshape(x.shape) - 0.375) / (x.size + 0.25))
    chains, n = z.shape
    centered = z - z.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centered, 4 * n, axis=1)
    covariance = np.fft.irfft(spectrum * spectrum.conj(), 4 * n, axis=1)[:, :n] / n
    within = (covariance[:, 0] * n / (n - 1)).mean()
    variance = within * (n - 1) / n + z.mean(axis=1).var(ddof=1)
    correlation = 1.0 - (within - covariance.mean(axis=0) * n / (n - 1)) / variance
    correlation[0], total, before = 1.0, 0.0, np.inf
    for lag in range(0, n - 1, 2):
        pair = min(correlation[lag] + correlation[lag + 1], before)
        if pair < 0:
            break
        total, before = total + pair, pair
    return chains * n / max(-1.0 + 2.0 * total, 1.0 / np.log10(chains * n))
