"""The order contrast on the senolysis equations, solved by scipy: zero without senolysis, the right sign with it.

Exposure is simplified (a block of RB activation, an antibody that decays); what is tested is the contrast.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from fake_simulation import HORIZON, cetuximab, palbociclib
from scipy.integrate import solve_ivp

from pkpd.domain.order import Matching, Order
from pkpd.domain.space import OrderSpec
from pkpd.optimize.order import SENESCENT_SURVIVAL, TUMOR_VOLUME, order_contrast

SPEC = OrderSpec(inducer=palbociclib(), partner=cetuximab(), block_min=28 * 1440)
DAYS = HORIZON / 1440
NO_SENOLYSIS = {"ligand_senescent": 0.0, "ligand_fast": 0.0, "egfr_entry_need": 0.0}


@dataclass(frozen=True)
class Draws:
    """Parameters per day and draw, around the values of xenograft studies."""

    values: dict[str, np.ndarray]

    @property
    def size(self) -> int:
        """Number of draws."""
        return self.values["growth"].size


def draws(count: int, *, hazard_ratio: float = 12.0, **changes: float) -> Draws:
    """Draws whose exposed hazard is `hazard_ratio` times the protected one."""
    rng = np.random.default_rng(11)

    def lognormal(median: float, spread: float) -> np.ndarray:
        return median * np.exp(spread * rng.standard_normal(count))

    values = {
        "growth": lognormal(0.03, 0.4),
        "growth_decay": lognormal(0.02, 0.3),
        "activation": rng.uniform(0.6, 0.95, count),
        "arrest_max": rng.beta(4, 2, count),
        "entry": lognormal(0.1, 0.4),
        "reversion": lognormal(0.3, 0.4),
        "escape": lognormal(0.002, 0.5),
        "ligand_basal": lognormal(0.3, 0.4),
        "ligand_senescent": lognormal(4.0, 0.5),
        "ligand_fast": np.abs(lognormal(0.3, 0.5)),
        "half_block": lognormal(60.0, 0.5),
        "growth_share": rng.beta(2, 14, count),
        "egfr_entry_need": rng.beta(1, 3, count),
        "hazard_protected": lognormal(0.02, 0.3),
    }
    values["hazard_exposed"] = values["hazard_protected"] * hazard_ratio
    values.update({name: np.full(count, value) for name, value in changes.items()})
    return Draws(values)


def evaluate(patients: Draws, schedules, *, switches=None) -> xr.Dataset:
    """Outcomes of the equations of the senolysis model, with an independent solver."""
    values = dict(patients.values)
    if switches is not None:
        values.update({name: np.zeros(patients.size) for name in NO_SENOLYSIS})
        values["hazard_exposed"] = values["hazard_protected"]
    ends = [_solve(values, one) for one in schedules]
    names = ("tumor_final", "senescent_final", "senolytic_exposure")
    return xr.Dataset(
        {name: (("schedule", "draw"), np.stack(end)) for name, end in zip(names, zip(*ends, strict=True), strict=True)}
    )


def _solve(p: dict[str, np.ndarray], one) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    size = p["growth"].size
    tablets = [dose.time_min / 1440 for dose in one.doses_of("palbociclib")]
    infusions = np.asarray([dose.time_min / 1440 for dose in one.doses_of("cetuximab")])
    full = p["ligand_basal"] + p["ligand_fast"] + p["ligand_senescent"]

    def rate(time, state, active):
        cells, early, mature, dying, ligand, _ = np.reshape(state, (6, size))
        since = time - infusions[infusions <= time + 1e-9]
        antibody = 700.0 * np.exp(-np.log(2.0) / 4.6 * since).sum()
        bound = ligand / (1.0 + antibody / p["half_block"])
        signal = bound / (1.0 + bound)
        lost = 1.0 - np.minimum(1.0, signal * (1.0 + p["ligand_basal"]) / p["ligand_basal"])
        share = signal * (1.0 + full) / full
        hazard = p["hazard_exposed"] * (p["hazard_protected"] / p["hazard_exposed"]) ** share
        enter = p["entry"] * active * (1.0 - p["egfr_entry_need"] * lost) * cells
        maturing = p["entry"] * active * early
        revert = p["reversion"] * (1.0 - active) * early
        escape = p["escape"] * (1.0 - active) * mature
        growth = p["growth"] * np.exp(-p["growth_decay"] * time) * (1.0 - p["growth_share"] * lost)
        target = p["ligand_basal"] + p["ligand_fast"] * active
        target = target + p["ligand_senescent"] * mature / (cells + early + mature)
        return np.concatenate(
            [
                growth * (1.0 - p["arrest_max"] * active) * cells - enter + revert + escape,
                enter - maturing - revert,
                maturing - escape - hazard * mature,
                hazard * mature - 0.35 * dying,
                1.5 * (target - ligand),
                (hazard - p["hazard_protected"]) * mature,
            ]
        )

    zero = np.zeros(size)
    state = np.concatenate([zero + 1.0, zero, zero, zero, p["ligand_basal"], zero])
    first, last = min(tablets), max(tablets) + 1.0
    knots = sorted({0.0, first, last, *infusions, DAYS})
    for start, stop in pairwise(knots):
        active = p["activation"] if first <= start < last else zero
        state = solve_ivp(rate, (start, stop), state, args=(active,), rtol=1e-6, atol=1e-9, method="LSODA").y[:, -1]
    cells, early, mature, dying, _, killed = np.reshape(state, (6, size))
    return cells + early + 1.5 * mature + 0.5 * dying, mature, killed


@pytest.fixture(scope="module")
def strong():
    """A known, strong effect: senescent cells die twenty times faster without EGFR, and entry needs EGFR."""
    return order_contrast(evaluate, draws(30, hazard_ratio=20.0, egfr_entry_need=0.8), SPEC, horizon_min=HORIZON)


@pytest.fixture(scope="module")
def none():
    """The same population without senolysis; the antibody still slows growth."""
    return order_contrast(evaluate, draws(30, hazard_ratio=1.0, **NO_SENOLYSIS), SPEC, horizon_min=HORIZON)


def test_without_senolysis_the_contrast_covers_zero(none):
    for statistic in (SENESCENT_SURVIVAL, TUMOR_VOLUME):
        found = none.find(statistic, matching=Matching.ATTRIBUTABLE)

        assert not found.excludes_zero
        assert found.lower == pytest.approx(0.0, abs=1e-9)
        assert found.upper == pytest.approx(0.0, abs=1e-9)
    assert not none.find(SENESCENT_SURVIVAL).excludes_zero


def test_without_senolysis_the_raw_contrast_of_volume_is_fooled_by_timing(none):
    assert none.find(TUMOR_VOLUME, matching=Matching.RAW).excludes_zero


def test_with_strong_senolysis_the_contrast_excludes_zero_and_favors_the_inducer(strong):
    found = strong.find(SENESCENT_SURVIVAL)

    assert found.upper < 0.0
    assert found.probability_first_better > 0.95


def test_the_attributable_volume_contrast_has_the_sign_of_the_survival_contrast(strong):
    found = strong.find(TUMOR_VOLUME, matching=Matching.ATTRIBUTABLE, second=Order.CONCURRENT)

    assert found.median < 0.0
