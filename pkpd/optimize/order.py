"""Order contrast: two equal blocks in both orders and together, each against the inducer alone with the same timing.

A tumor that is treated later has grown for longer, and senescent cells that appear later had less time to die. Neither
is an effect of order. So each order is first compared with the inducer alone, given at the same times, and only these
two differences are compared:

    SEQ* = [log S(A then B) - log S(A alone, early)] - [log S(B then A) - log S(A alone, late)]

What the null is depends on the statistic S. The number of senescent cells depends on how many cells were there to
become senescent, which a partner that slows growth changes; so S is their survival, the share of them that senolysis
spared. Without senolysis it is one, and its contrast zero, for every draw. Tumor volume is different: the partner may
slow growth directly, and a given slowing of growth is worth more early, when the tumor grows faster, than late. For
volume, the attributable contrast subtracts the matched contrast of the same draws with senolysis switched off, and is
zero without senolysis whatever the direct effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from pkpd.domain.dosing import Course, Schedule
from pkpd.domain.order import Contrast, Matching, Order, OrderContrast
from pkpd.domain.space import OrderSpec
from pkpd.domain.wording import short_title
from pkpd.optimize.base import Evaluate, Floats
from pkpd.optimize.ranking import share_above

SENESCENT_SURVIVAL = "senescent survival"
TUMOR_VOLUME = "tumor volume"
NO_SENOLYSIS: Mapping[str, float] = MappingProxyType({"senolysis": 0.0})
SIMULATED_ARMS = 10  # three layouts and two controls, each with and without senolysis
SMALLEST_ALIVE = 1e-12  # of the initial volume; where all are dead, steps leave a rounding of either sign
EARLY, LATE = "inducer alone, early", "inducer alone, late"
CONTROL_OF: Mapping[Order, str] = MappingProxyType(
    {Order.INDUCER_FIRST: EARLY, Order.CONCURRENT: EARLY, Order.PARTNER_FIRST: LATE}
)
PAIRS = (
    (Order.INDUCER_FIRST, Order.PARTNER_FIRST),
    (Order.INDUCER_FIRST, Order.CONCURRENT),
    (Order.CONCURRENT, Order.PARTNER_FIRST),
)


def senescent_survival(outcomes: xr.Dataset) -> Floats:
    """Log of the share of senescent cells that senolysis spared: those alive, over those alive and those it killed."""
    alive, killed = (_values(outcomes, name) for name in ("senescent_final", "senolytic_exposure"))
    return -np.log1p(np.maximum(killed, 0.0) / np.maximum(alive, SMALLEST_ALIVE))


def tumor_volume(outcomes: xr.Dataset) -> Floats:
    """Log of the volume at the horizon over the initial volume."""
    return np.log(_values(outcomes, "tumor_final"))


def _values(outcomes: xr.Dataset, name: str) -> Floats:
    return outcomes[name].transpose("schedule", "draw").values


STATISTICS: Mapping[str, Callable[[xr.Dataset], Floats]] = MappingProxyType(
    {SENESCENT_SURVIVAL: senescent_survival, TUMOR_VOLUME: tumor_volume}
)


def order_schedules(spec: OrderSpec, horizon_min: int) -> dict[str, Schedule]:
    """The three layouts and their two controls; every layout holds the same doses of both drugs."""
    first, second = 0, spec.block_min
    layouts: dict[str, tuple[Course, ...]] = {
        Order.INDUCER_FIRST: (_block(spec, spec.inducer, first), _block(spec, spec.partner, second)),
        Order.PARTNER_FIRST: (_block(spec, spec.inducer, second), _block(spec, spec.partner, first)),
        Order.CONCURRENT: (_block(spec, spec.inducer, first), _block(spec, spec.partner, first)),
        EARLY: (_block(spec, spec.inducer, first),),
        LATE: (_block(spec, spec.inducer, second),),
    }
    return {
        str(name): Schedule(
            name=f"order: {name}", horizon_min=horizon_min, courses=courses, title=short_title(courses, horizon_min)
        )
        for name, courses in layouts.items()
    }


def order_contrast(evaluate: Evaluate, patients: Any, spec: OrderSpec, *, horizon_min: int) -> OrderContrast:
    """Simulate the blocks in every order for the same patients and contrast them draw by draw.

    Parameters
    ----------
    evaluate
        Has to give `senescent_final` (senescent cells at the horizon) and `senolytic_exposure` (those that died beyond
        the hazard of protected cells) in the same unit, and `tumor_final`; and to understand the switch `senolysis`.
    """
    arms = order_schedules(spec, horizon_min)
    outcomes = evaluate(patients, tuple(arms.values()))
    without = evaluate(patients, tuple(arms.values()), switches=NO_SENOLYSIS)
    contrasts = [
        contrast
        for name, statistic in STATISTICS.items()
        for contrast in _contrasts(
            name, dict(zip(arms, statistic(outcomes), strict=True)), dict(zip(arms, statistic(without), strict=True))
        )
    ]
    return OrderContrast(
        inducer=spec.inducer.drug,
        partner=spec.partner.drug,
        block_min=spec.block_min,
        draws=outcomes.sizes["draw"],
        arms=arms,
        contrasts=tuple(contrasts),
    )


def _contrasts(statistic: str, full: Mapping[str, Floats], null: Mapping[str, Floats]) -> list[Contrast]:
    contrasts = []
    for first, second in PAIRS:
        matched = _matched(full, first) - _matched(full, second)
        direct = _matched(null, first) - _matched(null, second)
        draws = {Matching.MATCHED: matched, Matching.ATTRIBUTABLE: matched - direct}
        draws[Matching.RAW] = full[first] - full[second]
        contrasts.extend(
            _summary(values, statistic, matching=matching, first=first, second=second)
            for matching, values in draws.items()
        )
    return contrasts


def _matched(values: Mapping[str, Floats], order: Order) -> Floats:
    return values[order] - values[CONTROL_OF[order]]


def _summary(values: Floats, statistic: str, *, matching: Matching, first: Order, second: Order) -> Contrast:
    lower, median, upper = (float(value) for value in np.quantile(values, [0.05, 0.5, 0.95]))
    return Contrast(
        statistic=statistic,
        matching=matching,
        first=first,
        second=second,
        median=median,
        lower=lower,
        upper=upper,
        probability_first_better=share_above(-values),
    )


def _block(spec: OrderSpec, course: Course, start_min: int) -> Course:
    return replace(course, start_min=start_min, until_min=start_min + spec.block_min)
