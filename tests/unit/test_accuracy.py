"""The choice of a grid: coarsest that is good enough, and a sentence where none is."""

import numpy as np
import pytest

from pkpd.dynamics.accuracy import WHOLE_PER_DIFFERENCE, choose_grid, relative_error
from pkpd.dynamics.timeline import Grid

EVENTS = np.arange(0.0, 96.0, 24.0)


class Solver:
    """Values with an error of `scale * step**order`; remembers the grids that it was asked for."""

    def __init__(self, *, scale: float, order: int = 4):
        self.scale, self.order = scale, order
        self.grids: list[Grid] = []

    def __call__(self, grid: Grid):
        self.grids.append(grid)
        return np.array([[1.0, 2.0], [3.0, 4.0]]) * (1.0 + self.scale * grid.lengths_h.max() ** self.order)


def choose(solver, **options):
    return choose_grid(solver, event_times_h=EVENTS, end_h=96.0, **options)


def test_the_coarsest_grid_within_the_tolerance_is_taken():
    chosen = choose(Solver(scale=1e-4 / 7.0**4), tolerance=1e-4)

    assert chosen.met
    assert chosen.max_step_h == 6.0
    assert chosen.error == pytest.approx(1e-4 * (6.0 / 7.0) ** 4 * (15.0 / 16.0) * WHOLE_PER_DIFFERENCE, rel=1e-3)
    assert chosen.cause == ""


def test_a_coarse_grid_that_is_good_enough_costs_two_simulations():
    solver = Solver(scale=0.0)

    chosen = choose(solver)

    assert chosen.max_step_h == 24.0
    assert len(solver.grids) == 2


def test_grids_without_hope_are_not_tried_and_none_is_tried_twice():
    solver = Solver(scale=1e-4 / 2.5**4)

    chosen = choose(solver)

    assert chosen.max_step_h == 2.0
    assert [grid.lengths_h.max() for grid in solver.grids] == [24.0, 12.0, 2.0, 1.0]


def test_where_no_grid_is_good_enough_the_finest_is_returned_with_its_cause():
    def simulate(grid):
        values = np.ones((2, 3))
        values[1, 2] += 0.01 * grid.lengths_h.max()
        return values

    chosen = choose(
        simulate,
        ladder=((24.0, 8), (12.0, 8)),
        outputs=("tumor volume at 24 h", "tumor volume at 48 h"),
        rates_per_h={"tumor.entry_rate": np.array([1.0, 1.0, 0.1]), "tumor.activation_rate": 0.5},
    )

    assert not chosen.met
    assert chosen.max_step_h == 12.0
    assert "tumor volume at 48 h of draw 2" in chosen.cause
    assert "33% of the draws" in chosen.cause
    assert "tumor.activation_rate, 0.5 1/h or 6 per step" in chosen.cause


def test_a_value_that_is_not_finite_is_an_infinite_error():
    def simulate(grid):
        return np.array([[1.0, np.nan if grid.lengths_h.max() > 6.0 else 1.0]])

    chosen = choose(simulate, ladder=((24.0, 8), (12.0, 8), (6.0, 8)))

    assert chosen.met
    assert chosen.max_step_h == 6.0


def test_values_that_are_never_finite_are_said_to_be_so():
    chosen = choose(lambda grid: np.array([[np.inf]]), ladder=((24.0, 8),))

    assert chosen.error == np.inf
    assert "output 0 of draw 0 is not a finite number" in chosen.cause


def test_relative_errors_are_zero_where_values_agree_and_one_where_one_is_zero():
    errors = relative_error(np.array([0.0, 1.0, 1.0, np.nan]), np.array([0.0, 1.1, 0.0, 1.0]))

    np.testing.assert_allclose(errors, [0.0, 0.1 / 1.1, 1.0, np.inf])


def test_the_first_doses_get_short_steps():
    solver = Solver(scale=0.0)

    chosen = choose(solver, onset_times_h=np.zeros(1))

    assert 0.25 in chosen.grid.edges_h


def test_an_empty_ladder_is_refused():
    with pytest.raises(ValueError, match="needs a rung"):
        choose(Solver(scale=0.0), ladder=())
