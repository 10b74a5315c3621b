"""Times that are known before tracing need few exponentials, and give what any other times give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.dynamics.base import DoseTable
from pkpd.dynamics.forcing import quadrature
from pkpd.dynamics.integrate import integrate
from pkpd.dynamics.pd.friberg import Friberg
from pkpd.dynamics.pk.two_compartment_oral import TwoCompartmentOral
from pkpd.dynamics.timeline import build_grid

DOSES_H = np.array([0.0, 24.0, 48.0, 120.0])
MODEL = TwoCompartmentOral(
    clearance=jnp.array([5.0, 7.0]),
    central_volume=jnp.array([60.0, 50.0]),
    intercompartmental_clearance=jnp.array([2.0, 3.0]),
    peripheral_volume=jnp.array([90.0, 80.0]),
    absorption=jnp.array([0.4, 1.1]),
    lag=0.0,
)
TABLE = DoseTable(
    time_h=DOSES_H,
    amount_mg=np.full((4, 1), 100.0),
    duration_h=np.zeros(4),
    absorbed=np.ones(4),
    end_h=192.0,
    all_absorbed=True,
    none_infused=True,
)


@pytest.mark.parametrize("max_step_h", [8.0, 7.0, 24.0])
def test_known_times_give_what_traced_times_give(max_step_h):
    times_h = quadrature(build_grid(DOSES_H, end_h=192.0, max_step_h=max_step_h, nodes=6), 0.0).times_h.ravel()

    known = MODEL.concentration(TABLE, times_h)
    traced = jax.jit(lambda times: MODEL.concentration(TABLE, times))(times_h)

    np.testing.assert_allclose(known, traced, rtol=1e-9)


def test_known_times_in_no_order_of_steps_give_what_traced_times_give():
    times_h = np.sort(np.random.default_rng(1).uniform(0.0, 192.0, 30))

    known = MODEL.concentration(TABLE, times_h)
    traced = jax.jit(lambda times: MODEL.concentration(TABLE, times))(times_h)

    np.testing.assert_allclose(known, traced, rtol=1e-9)


def test_an_impulse_at_the_start_is_a_larger_initial_state():
    grid = build_grid(np.zeros(0), end_h=96.0, max_step_h=2.0)
    lengths = jnp.asarray(grid.lengths_h)
    idle = jnp.zeros((lengths.size, 1))
    model = Friberg(
        baseline=jnp.array([4.0]),
        mean_transit_time=jnp.array(100.0),
        feedback_power=jnp.array(0.0),
        max_inhibition=jnp.array(0.0),
        half_inhibition=jnp.array(1.0),
    )
    nothing = model.forcings(_no_drug(grid), grid)

    moved = integrate(model, nothing, lengths, keep=lambda s, d: s[4], impulses={4: idle.at[0].set(2.0)})
    still = integrate(model, nothing, lengths, keep=lambda s, d: s[4])

    assert moved[0, 0] == still[0, 0]  # an edge keeps what was there just before
    rate = 4.0 / 100.0
    # circulating cells leave at the turnover, so what entered decays
    np.testing.assert_allclose(moved[1:, 0] - still[1:, 0], 2.0 * np.exp(-rate * grid.edges_h[1:]), rtol=1e-3)


def _no_drug(grid):
    from pkpd.dynamics.combination import absent
    from pkpd.dynamics.pd.senolysis import CDK46

    return {CDK46: absent(grid)}
