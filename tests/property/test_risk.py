"""Laws of risk measures and of probabilities with few counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pkpd.domain.space import ConstraintSpec, Measure, RiskSpec
from pkpd.optimize.base import ChanceConstraint, RiskMeasure

MEAN = RiskMeasure(spec=RiskSpec(measure=Measure.MEAN))
LIMIT = ChanceConstraint(
    spec=ConstraintSpec(endpoint="neutrophils", statistic="minimum", below=0.5, unit="1e9/L", max_probability=0.1)
)
utilities = hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(2, 40)), elements=st.floats(-100.0, 100.0))
tails = st.floats(0.02, 1.0)


def cvar(tail: float) -> RiskMeasure:
    return RiskMeasure(spec=RiskSpec(measure=Measure.CVAR, tail=tail))


@given(utility=utilities)
def test_cvar_of_the_whole_is_the_mean(utility):
    np.testing.assert_allclose(cvar(1.0).value(utility), MEAN.value(utility), atol=1e-9)


@given(utility=utilities, tail=tails)
def test_cvar_lies_between_the_worst_draw_and_the_mean(utility, tail):
    value = cvar(tail).value(utility)

    assert np.all(value <= utility.mean(axis=-1) + 1e-9)
    assert np.all(value >= utility.min(axis=-1) - 1e-9)


@given(utility=utilities, tail=tails, shift=st.floats(-10.0, 10.0), factor=st.floats(0.1, 10.0))
def test_cvar_moves_and_stretches_with_its_argument(utility, tail, shift, factor):
    actual = cvar(tail).value(factor * utility + shift)

    np.testing.assert_allclose(actual, factor * cvar(tail).value(utility) + shift, atol=1e-8)


@given(utility=utilities, tail=tails, seed=st.integers(0, 1000))
def test_the_order_of_draws_is_irrelevant(utility, tail, seed):
    shuffled = utility[:, np.random.default_rng(seed).permutation(utility.shape[1])]

    np.testing.assert_allclose(cvar(tail).value(shuffled), cvar(tail).value(utility), atol=1e-9)


@given(utility=utilities, tail=tails, gain=st.floats(0.0, 10.0), draw=st.integers(0, 1))
def test_a_gain_in_any_draw_never_lowers_cvar(utility, tail, gain, draw):
    better = utility.copy()
    better[:, draw] += gain

    assert np.all(cvar(tail).value(better) >= cvar(tail).value(utility) - 1e-9)


@given(utility=hnp.arrays(np.float64, 20, elements=st.floats(-100.0, 100.0)), worst=st.integers(1, 20))
def test_cvar_is_the_mean_of_the_worst_draws_where_they_are_whole(utility, worst):
    expected = np.sort(utility)[:worst].mean()

    assert cvar(worst / 20).value(utility) == pytest.approx(expected, abs=1e-9)


def test_cvar_of_a_normal_distribution_is_known():
    utility = np.random.default_rng(3).normal(1.0, 2.0, size=400_000)

    estimate = cvar(0.25).estimate(utility)

    assert estimate.value == pytest.approx(-1.542, abs=4 * estimate.standard_error)
    assert estimate.standard_error < 0.01


def test_the_standard_error_of_cvar_is_its_spread_over_repetitions():
    utility = np.random.default_rng(4).normal(size=(400, 500))

    values = cvar(0.2).value(utility)
    stated = [cvar(0.2).estimate(row).standard_error for row in utility]

    assert np.mean(stated) == pytest.approx(values.std(ddof=1), rel=0.12)


def test_common_draws_cancel_in_a_difference():
    shared = np.random.default_rng(5).normal(size=1000)
    own = np.random.default_rng(6).normal(size=1000)

    difference = MEAN.difference(shared + 0.01 * own + 0.1, shared)

    assert difference.value == pytest.approx(0.1, abs=0.002)
    assert difference.standard_error < 0.001


@given(draws=st.integers(1, 3000), share=st.floats(0.0, 1.0))
def test_the_jeffreys_interval_contains_the_observed_share(draws, share):
    result = LIMIT.result(round(share * draws), draws)

    assert 0.0 <= result.lower <= result.probability <= result.upper <= 1.0
    assert 0.0 <= result.confidence <= 1.0


@pytest.mark.parametrize(("violations", "draws", "lower", "upper"), [(6, 256, 0.0098, 0.0477), (0, 10, 0.0, 0.2172)])
def test_the_jeffreys_interval_agrees_with_published_values(violations, draws, lower, upper):
    result = LIMIT.result(violations, draws)

    assert (result.lower, result.upper) == pytest.approx((lower, upper), abs=5e-4)


def test_the_jeffreys_interval_covers_as_often_as_it_says():
    counts = np.random.default_rng(7).binomial(256, 0.08, size=2000)

    covered = [result.lower <= 0.08 <= result.upper for result in (LIMIT.result(int(k), 256) for k in counts)]

    assert 0.93 <= np.mean(covered) <= 0.98
