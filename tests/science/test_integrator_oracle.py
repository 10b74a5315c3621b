"""The integrator against adaptive solvers of high accuracy that solve the published equations, on draws from the priors."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import drawn_models
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_models import GROWTH, Parameters, Scenario
from reference_equations import by_diffrax, by_scipy

from pkpd.dynamics.accuracy import ChosenGrid, choose_grid
from pkpd.dynamics.timeline import Grid

DRAWS = 200
TOLERANCE = 1e-4
LADDER = ((12.0, 24), (6.0, 24), (4.0, 24), (2.0, 24))
COMPARED = ("tumor_volume", "neutrophils")
SETTINGS: dict[str, Callable[..., Scenario]] = {
    "mouse": drawn_models.mouse,
    "human": drawn_models.human,
    "in_vitro": drawn_models.in_vitro,
}
each_setting = pytest.mark.parametrize("setting", SETTINGS)


@cache
def scenario(setting: str) -> Scenario:
    return SETTINGS[setting](DRAWS)


@cache
def reference(setting: str) -> dict[str, np.ndarray]:
    return {name: np.asarray(values) for name, values in by_diffrax(scenario(setting), tolerance=1e-10).items()}


@cache
def chosen(setting: str) -> ChosenGrid:
    drawn = scenario(setting)

    def simulate(grid: Grid):
        result = drawn.run(grid)
        return jnp.concatenate([result[name] for name in COMPARED if name in result])

    return choose_grid(
        simulate,
        event_times_h=drawn.event_times_h,
        end_h=drawn.end_h,
        tolerance=TOLERANCE,
        ladder=LADDER,
        onset_times_h=np.zeros(1),
    )


@pytest.mark.slow
@each_setting
def test_every_prior_draw_agrees_with_diffrax_on_the_chosen_grid(setting):
    grid = chosen(setting)

    found = scenario(setting).run(grid.grid)

    assert grid.met, grid.cause
    for name, expected in reference(setting).items():
        np.testing.assert_allclose(np.asarray(found[name]), expected, rtol=TOLERANCE, err_msg=f"{name}, {setting}")


@pytest.mark.slow
@each_setting
def test_the_estimated_error_is_of_the_size_of_the_true_one(setting):
    grid = chosen(setting)

    found = scenario(setting).run(grid.grid)
    true = max(float(np.max(np.abs(np.asarray(found[name]) / x - 1.0))) for name, x in reference(setting).items())

    assert true / 2.0 < grid.error < 5.0 * true


@pytest.mark.slow
@each_setting
def test_scipy_agrees_with_diffrax(setting):
    for lane in (0, DRAWS - 1):
        independent = by_scipy(scenario(setting), lane)

        for name, expected in reference(setting).items():
            np.testing.assert_allclose(independent[name], expected[:, lane], rtol=1e-6)


@pytest.mark.parametrize("growth", GROWTH)
def test_every_growth_law_agrees_with_diffrax(growth):
    drawn = drawn_models.mouse(4, seed=3, growth=growth)

    found = drawn.run(drawn.grid(2.0, 24))["tumor_volume"]

    np.testing.assert_allclose(np.asarray(found), np.asarray(by_diffrax(drawn)["tumor_volume"]), rtol=TOLERANCE)


@pytest.mark.slow
@each_setting
def test_gradients_of_log_volume_agree_with_finite_differences(setting):
    drawn = SETTINGS[setting](3, seed=5)
    simulate = drawn.simulator(drawn.grid(12.0, 12))

    def log_volume(factors: Parameters) -> jax.Array:
        values = jax.tree.map(
            lambda factor, value: jnp.where(value == 0.0, factor - 1.0, factor * value), factors, start
        )
        return jnp.mean(jnp.log(simulate(values)["tumor_volume"]), axis=0)

    start = drawn.parameters
    ones = jax.tree.map(jnp.ones_like, start)
    evaluate = jax.jit(log_volume)
    gradient = jax.jit(jax.grad(lambda factors: jnp.sum(log_volume(factors))))(ones)
    change = 1e-5
    for part, fields in start.items():
        for name in fields:
            if name == "lag" and not np.any(fields[name]):
                continue  # fixed at zero: a dose that acts before it is given has no meaning, and no fit asks for this derivative
            up, down = (
                evaluate({**ones, part: {**ones[part], name: ones[part][name] + sign * change}}) for sign in (1, -1)
            )

            difference = np.asarray(up - down) / (2.0 * change)

            np.testing.assert_allclose(
                np.asarray(gradient[part][name]), difference, rtol=1e-4, atol=1e-6, err_msg=f"{part}.{name}"
            )
