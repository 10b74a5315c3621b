"""Workload W2: an oral drug, an antibody, a tumor and neutrophils over 84 days; what every engine is given.

Rates are per day, amounts in mg, as in the published page of this benchmark; 16 states, 26 log-normal parameters, 63 oral and 12
antibody doses, output once a day. Needs nothing but NumPy, so that every environment can read it.
"""

from __future__ import annotations

import numpy as np

TYPICAL = {
    "ka": 8.0,
    "CLA": 120.0,
    "V1A": 60.0,
    "QA": 48.0,
    "V2A": 90.0,
    "CLB": 0.25,
    "V1B": 3.2,
    "QB": 0.5,
    "V2B": 2.8,
    "VMB": 4.0,
    "KMB": 2.0,
    "EMXA": 0.08,
    "EC50A": 0.15,
    "KB": 0.03,
    "EC50B": 10.0,
    "kg": 0.08,
    "TMAX": 600.0,
    "kds": 0.03,
    "FL": 0.8,
    "ktr": 0.4,
    "kl": 0.2,
    "P0": 50.0,
    "SL": 0.25,
    "ktn": 0.9,
    "N0": 4.0,
    "GAM": 0.17,
}
NAMES = tuple(TYPICAL)
NARROW = ("GAM", "FL", "TMAX", "ktn", "N0")
STATES = 16
DAYS = 84
ORAL_MG, ANTIBODY_MG = 50.0, 100.0
ORAL_DAYS = np.array([28 * cycle + day for cycle in range(3) for day in range(21)])
ANTIBODY_DAYS = np.arange(0, DAYS, 7)
SEED, PILOT = 2026, 200  # the first draws choose steps and tolerances, the others judge them
HELD_OUT = 1800


def draws(count: int) -> np.ndarray:
    """Log-normal parameters `[draw, parameter]`; one draw never depends on how many there are."""
    deviates = np.random.default_rng(SEED).standard_normal((count, len(NAMES)))
    spread = np.array([0.1 if name in NARROW else 0.3 for name in NAMES])
    return np.array(list(TYPICAL.values())) * np.exp(spread * deviates)


def start(p: np.ndarray) -> np.ndarray:
    """State before the first dose."""
    y = np.zeros(STATES)
    y[5] = p[21]
    y[11:16] = p[24]
    return y


def rate(t, y, d, p):  # scalar arithmetic only: numba compiles it
    """Time derivative of the state `y`, written to `d`."""
    oral, central, there, antibody, beyond = y[0], y[1], y[2], y[3], y[4]
    cells, senescent, dying1, dying2, dying3, ligand = y[5], y[6], y[7], y[8], y[9], y[10]
    plasma = central / p[2]
    bound = antibody / p[6]
    d[0] = -p[0] * oral
    d[1] = p[0] * oral - (p[1] / p[2] + p[3] / p[2]) * central + p[3] / p[4] * there
    d[2] = p[3] / p[2] * central - p[3] / p[4] * there
    d[3] = -(p[5] / p[6] + p[7] / p[6]) * antibody + p[7] / p[8] * beyond - p[9] * bound / (p[10] + bound)
    d[4] = p[7] / p[6] * antibody - p[7] / p[8] * beyond
    arrest = p[11] * plasma / (p[12] + plasma)
    kill = p[13] * bound / (p[14] + bound) * (1 + p[18] * ligand)
    total = cells + senescent + dying1 + dying2 + dying3
    d[5] = p[15] * cells * (1 - total / p[16]) - (arrest + kill) * cells
    d[6] = arrest * cells - (p[17] + kill) * senescent
    d[7] = kill * (cells + senescent) + p[17] * senescent - p[19] * dying1
    d[8] = p[19] * (dying1 - dying2)
    d[9] = p[19] * (dying2 - dying3)
    d[10] = p[20] * (senescent / (senescent + cells + 1e-9) - ligand)
    d[11] = p[23] * y[11] * ((1 - p[22] * plasma) * (p[24] / y[15]) ** p[25] - 1)
    d[12] = p[23] * (y[11] - y[12])
    d[13] = p[23] * (y[12] - y[13])
    d[14] = p[23] * (y[13] - y[14])
    d[15] = p[23] * (y[14] - y[15])


def errors(found: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Largest relative error of a draw over days and outputs `[draw, day, output]`: worst draw, 99 %, median."""
    worst = np.max(np.abs(found / reference - 1.0), axis=(1, 2))
    worst = np.where(np.isfinite(worst), worst, np.inf)
    return {"max": float(worst.max()), "q99": float(np.quantile(worst, 0.99)), "median": float(np.median(worst))}
