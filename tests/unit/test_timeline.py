"""Grids: what every step must end at, and how long it may be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkpd.dynamics.timeline import Grid, build_grid

times = st.lists(st.floats(0.0, 100.0).map(lambda t: round(t, 3)), max_size=12).map(np.array)


@given(events=times, max_step_h=st.floats(0.5, 48.0))
def test_every_event_is_an_edge_and_no_step_is_too_long(events, max_step_h):
    grid = build_grid(events, end_h=100.0, max_step_h=max_step_h)

    assert grid.edges_h[0] == 0.0
    assert grid.edges_h[-1] == 100.0
    assert np.all(grid.lengths_h > 0.0)
    assert np.all(grid.lengths_h <= max_step_h * (1.0 + 1e-6))
    np.testing.assert_allclose(grid.edges_h[grid.index_of(events)], events, atol=2e-9)


def test_steps_between_events_are_equal():
    grid = build_grid(np.array([10.0]), end_h=34.0, max_step_h=6.0)

    np.testing.assert_allclose(grid.lengths_h, [5.0, 5.0, 6.0, 6.0, 6.0, 6.0])


def test_events_after_the_end_and_before_the_start_are_left_out():
    grid = build_grid(np.array([-5.0, 12.0, 400.0]), end_h=24.0, max_step_h=24.0)

    np.testing.assert_allclose(grid.edges_h, [0.0, 12.0, 24.0])


def test_short_steps_follow_the_first_dose_of_every_drug_and_no_other():
    grid = build_grid(np.arange(0.0, 96.0, 24.0), end_h=96.0, max_step_h=24.0, onset_times_h=np.array([0.0, 48.0]))

    np.testing.assert_allclose(grid.edges_h, [0.0, 0.25, 1.0, 24.0, 48.0, 48.25, 49.0, 72.0, 96.0])


def test_events_closer_than_a_nanohour_are_one():
    grid = build_grid(np.array([12.0, 12.0 + 1e-11]), end_h=24.0, max_step_h=24.0)

    assert grid.lengths_h.size == 2


@given(factor=st.integers(2, 5))
def test_a_refined_grid_holds_every_edge_and_cuts_every_step(factor):
    grid = build_grid(np.array([7.0, 31.0]), end_h=50.0, max_step_h=12.0, nodes=9)

    fine = grid.refined(factor)

    assert fine.nodes == grid.nodes
    assert fine.lengths_h.size == factor * grid.lengths_h.size
    np.testing.assert_array_equal(fine.index_of(grid.edges_h), factor * np.arange(grid.edges_h.size))
    np.testing.assert_allclose(fine.lengths_h, np.repeat(grid.lengths_h / factor, factor))


def test_a_time_that_is_not_on_the_grid_is_refused():
    grid = Grid(edges_h=np.array([0.0, 12.0, 24.0]))

    with pytest.raises(ValueError, match="not on the grid"):
        grid.index_of(np.array([6.0]))
