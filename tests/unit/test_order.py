"""The order contrast separates order from timing: formulas with and without an effect of order."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from fake_simulation import HORIZON, FakePatients, cetuximab, infusions, palbociclib

from pkpd.domain.order import Matching, Order
from pkpd.domain.space import OrderSpec
from pkpd.optimize.order import SENESCENT_SURVIVAL, TUMOR_VOLUME, order_contrast, order_schedules

PATIENTS = FakePatients(size=400, seed=5)
SPEC = OrderSpec(inducer=palbociclib(), partner=cetuximab(), block_min=28 * 1440)


def blocks(*, senolysis: float, direct_effect: float = 0.0):
    """Infusions after the first tablet kill senescent cells; early infusions slow growth more than late ones."""

    def evaluate(patients, schedules, *, switches=None):
        strength = senolysis * (switches or {}).get("senolysis", 1.0)
        killed, volume = [], []
        for one in schedules:
            induced = one.doses_of("palbociclib")[0].time_min
            useful = sum(dose.time_min >= induced for dose in one.doses_of("cetuximab"))
            early = sum(np.exp(-dose.time_min / 40_000) for dose in one.doses_of("cetuximab"))
            kill = strength * useful * np.exp(0.3 * patients.deviates("z"))
            head_start = 2.0 * induced / HORIZON * np.exp(0.2 * patients.deviates("growth"))
            killed.append(kill)
            volume.append(np.exp(head_start - direct_effect * early - 0.5 * kill))
        variables = {
            "senescent_final": np.exp(-np.stack(killed)),
            "senolytic_exposure": 1.0 - np.exp(-np.stack(killed)),
            "tumor_final": np.stack(volume),
        }
        return xr.Dataset({name: (("schedule", "draw"), values) for name, values in variables.items()})

    return evaluate


def contrast(**effects):
    return order_contrast(blocks(**effects), PATIENTS, SPEC, horizon_min=HORIZON)


def test_every_order_holds_the_same_doses_and_its_control_the_same_timing():
    arms = order_schedules(SPEC, HORIZON)

    layouts = [arms[order] for order in Order]
    assert {infusions(one) for one in layouts} == {4}
    assert {len(one.doses_of("palbociclib")) for one in layouts} == {28}
    early, late = arms["inducer alone, early"], arms["inducer alone, late"]
    assert early.doses() == arms[Order.INDUCER_FIRST].doses_of("palbociclib")
    assert early.doses() == arms[Order.CONCURRENT].doses_of("palbociclib")
    assert late.doses() == arms[Order.PARTNER_FIRST].doses_of("palbociclib")
    assert arms[Order.PARTNER_FIRST].doses_of("cetuximab")[0].time_min == 0


def test_a_strong_effect_of_order_is_seen_with_its_sign():
    found = contrast(senolysis=0.5)

    for statistic in (SENESCENT_SURVIVAL, TUMOR_VOLUME):
        matched = found.find(statistic)
        assert matched.upper < 0.0
        assert matched.excludes_zero
        assert matched.probability_first_better == 1.0


def test_a_growth_head_start_alone_is_no_effect_of_order():
    found = contrast(senolysis=0.0)

    raw = found.find(TUMOR_VOLUME, matching=Matching.RAW)
    matched = found.find(TUMOR_VOLUME)
    assert raw.excludes_zero
    assert matched.lower <= 0.0 <= matched.upper
    assert matched.probability_first_better == pytest.approx(0.5, abs=0.2)


def test_a_direct_effect_on_growth_is_not_attributed_to_senolysis():
    found = contrast(senolysis=0.0, direct_effect=0.1)

    assert found.find(TUMOR_VOLUME).excludes_zero
    attributable = found.find(TUMOR_VOLUME, matching=Matching.ATTRIBUTABLE)
    assert attributable.lower <= 0.0 <= attributable.upper
    assert attributable.probability_first_better == 0.5
    survival = found.find(SENESCENT_SURVIVAL)
    assert survival.lower <= 0.0 <= survival.upper


def test_concurrent_blocks_kill_as_the_inducer_first_where_only_later_infusions_count():
    found = contrast(senolysis=0.5)

    assert found.find(SENESCENT_SURVIVAL, second=Order.CONCURRENT).median == pytest.approx(0.0)
    assert "palbociclib" in found.sentences()[0]
    assert any("differs" in line for line in found.sentences())
