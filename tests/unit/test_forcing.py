"""Drives within a step: what the projection keeps, and the response that follows a drive."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from pkpd.dynamics.forcing import Quadrature, decayed_share, follow, project, quadrature
from pkpd.dynamics.timeline import Grid

NO_LAG = jnp.zeros(())
GRID = Grid(edges_h=np.array([0.0, 1.0, 7.0, 19.0]), nodes=12)


def test_a_polynomial_keeps_its_integral_and_first_moment():
    nodes = quadrature(GRID, NO_LAG)

    forcing = project(10.0 + nodes.times_h**2, nodes)

    for step, (start, stop) in enumerate(zip(GRID.edges_h[:-1], GRID.edges_h[1:], strict=True)):
        length = stop - start
        mean = quad(lambda t: 10.0 + t**2, start, stop)[0] / length
        tilt = 3.0 * quad(lambda t: (10.0 + t**2) * (2.0 * (t - start) / length - 1.0), start, stop)[0] / length
        np.testing.assert_allclose(forcing.mean[step], mean, rtol=1e-12)
        np.testing.assert_allclose(forcing.slope[step], tilt, rtol=1e-10)


def test_a_line_is_its_own_projection():
    nodes = quadrature(GRID, NO_LAG)

    forcing = project(2.0 + 0.1 * nodes.times_h, nodes)

    np.testing.assert_allclose(forcing.mean - forcing.slope, 2.0 + 0.1 * GRID.edges_h[:-1], rtol=1e-12)
    np.testing.assert_allclose(forcing.mean + forcing.slope, 2.0 + 0.1 * GRID.edges_h[1:], rtol=1e-12)


@given(rate=st.floats(0.01, 20.0))
def test_a_projected_decay_is_never_negative(rate):
    nodes = quadrature(GRID, NO_LAG)

    forcing = project(jnp.exp(-rate * nodes.times_h), nodes)

    assert np.all(forcing.mean - np.abs(forcing.slope) >= 0.0)


@given(lag=st.floats(0.0, 6.5))
def test_a_kink_at_the_lag_is_integrated_exactly(lag):
    grid = Grid(edges_h=np.array([0.0, 0.5, 3.0, 7.0]), nodes=12)
    nodes = quadrature(grid, jnp.array([lag]), jnp.zeros(1))

    integral = jnp.sum(project(jnp.maximum(nodes.times_h - lag, 0.0), nodes).mean * grid.lengths_h[:, None])

    np.testing.assert_allclose(integral, 0.5 * (7.0 - lag) ** 2, rtol=1e-12)


def test_every_lane_has_the_kink_of_its_own_lag_and_of_its_last_dose():
    grid = Grid(edges_h=np.array([0.0, 24.0, 48.0]), nodes=12)
    lag = jnp.array([0.3, 5.0, 20.0])

    nodes = quadrature(grid, lag, jnp.array([0.0, 24.0]))
    since = jnp.where(nodes.times_h > 24.0 + lag, nodes.times_h - 24.0, nodes.times_h) - lag
    forcing = project(jnp.maximum(since, 0.0), nodes)

    rest = 24.0 - lag
    kept = 0.5 * ((24.0**2) - rest**2)  # the first dose goes on until the second begins to act
    np.testing.assert_allclose(forcing.mean[0] * 24.0, 0.5 * rest**2, rtol=1e-12)
    np.testing.assert_allclose(forcing.mean[1] * 24.0, kept + 0.5 * rest**2, rtol=1e-12)


@given(rate=st.floats(1e-4, 50.0))
def test_the_response_to_a_constant_is_a_saturating_exponential(rate):
    nodes = quadrature(GRID, NO_LAG)
    edges = GRID.edges_h

    response = follow(jnp.full_like(nodes.times_h, 0.7), nodes, jnp.array(rate), GRID)

    decay = np.exp(-rate * edges)
    mean = 0.7 * (1.0 - (decay[:-1] - decay[1:]) / (rate * np.diff(edges)))
    np.testing.assert_allclose(response.mean, mean, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("rate", [1e-3, 0.024, 0.026, 0.1, 1.0, 5.0])
def test_mean_and_slope_of_the_response_are_those_of_the_differential_equation(rate):
    nodes = quadrature(Grid(edges_h=GRID.edges_h, nodes=24), NO_LAG)

    response = follow(jnp.sin(nodes.times_h / 4.0) ** 2, nodes, jnp.array(rate), GRID)

    def exact(t):  # of y' = rate (sin^2(t/4) - y), y(0) = 0
        wave = rate * (rate * np.cos(t / 2.0) + 0.5 * np.sin(t / 2.0)) / (rate**2 + 0.25)
        return 0.5 * (1.0 - wave) - 0.5 * np.exp(-rate * t) * (1.0 - rate**2 / (rate**2 + 0.25))

    for step, (start, stop) in enumerate(zip(GRID.edges_h[:-1], GRID.edges_h[1:], strict=True)):
        length = stop - start
        mean = quad(exact, start, stop, epsabs=1e-13)[0] / length
        tilt = (
            3.0 * quad(lambda t: exact(t) * (2.0 * (t - start) / length - 1.0), start, stop, epsabs=1e-13)[0] / length
        )
        np.testing.assert_allclose(response.mean[step], mean, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(response.slope[step], tilt, rtol=1e-7, atol=1e-11)


def test_the_response_has_a_finite_derivative_at_rate_zero_and_without_any_drug():
    nodes = quadrature(GRID, NO_LAG)

    def total(rate, height):
        response = follow(height * jnp.ones_like(nodes.times_h), nodes, rate, GRID)
        return jnp.sum(response.mean * GRID.lengths_h)

    by_rate, by_height = jax.grad(total, argnums=(0, 1))(0.0, 0.0)

    assert by_rate == 0.0
    np.testing.assert_allclose(by_height, 0.0, atol=1e-12)
    np.testing.assert_allclose(jax.grad(total)(0.0, 1.0), 0.5 * 19.0**2, rtol=1e-6)


def test_the_share_of_a_decay_and_its_derivative_are_continuous_where_the_formula_changes():
    around = jnp.array([0.0, 0.9e-6, 1.1e-6, 1e-3])

    np.testing.assert_allclose(decayed_share(around), [1.0, 1.0 - 0.45e-6, 1.0 - 0.55e-6, 0.99950016662], rtol=1e-11)
    np.testing.assert_allclose(jax.vmap(jax.grad(decayed_share))(around), [-0.5, -0.5, -0.5, -0.49966679], rtol=2e-6)


def test_nodes_are_shared_by_lanes_without_a_lag():
    nodes = quadrature(GRID, NO_LAG)

    assert isinstance(nodes, Quadrature)
    assert nodes.times_h.shape == (3, 12)
    np.testing.assert_allclose(jnp.sum(nodes.mean_weights, axis=1), 1.0, rtol=1e-14)
