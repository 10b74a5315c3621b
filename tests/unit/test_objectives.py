"""Objectives: more is better, options are honored, the layout of the outcomes does not matter."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from pkpd.domain.space import ObjectiveSpec
from pkpd.optimize.objectives import OBJECTIVES, objective_of

VALUES = {
    "tumor_final": [[0.2, 1.0, 4.0]],
    "tumor_mean_log": [[-1.0, 0.0, 1.0]],
    "tumor_minimum": [[0.2, 0.342, 0.344]],
}


def outcomes(**changes) -> xr.Dataset:
    table = {**VALUES, "senolytic_exposure": [[0.1, 0.2, 0.3]], **changes}
    return xr.Dataset({name: (("schedule", "draw"), np.asarray(values)) for name, values in table.items()})


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_every_objective_gives_one_utility_per_schedule_and_draw_in_any_layout(name):
    objective = objective_of(ObjectiveSpec(name=name))

    utility = objective.utility(outcomes())

    assert utility.shape == (1, 3)
    np.testing.assert_array_equal(objective.utility(outcomes().transpose("draw", "schedule")), utility)
    assert set(objective.outcomes) <= set(outcomes())


def test_burden_weighs_the_end_against_the_time_mean():
    mean_only = objective_of(ObjectiveSpec(name="tumor_burden")).utility(outcomes())
    end_only = objective_of(ObjectiveSpec(name="tumor_burden", options={"final_weight": 1.0})).utility(outcomes())

    np.testing.assert_allclose(mean_only, [[1.0, 0.0, -1.0]])
    np.testing.assert_allclose(end_only, -np.log([[0.2, 1.0, 4.0]]))


def test_one_percent_of_volume_is_a_hundredth_of_burden():
    objective = objective_of(ObjectiveSpec(name="tumor_burden", options={"final_weight": 1.0}))

    smaller, larger = (objective.utility(outcomes(tumor_final=[[size, size, size]])) for size in (1.0, 1.01))

    assert (smaller - larger).item(0) == pytest.approx(0.01, abs=1e-4)


def test_a_response_is_a_diameter_that_shrank_by_thirty_percent():
    utility = objective_of(ObjectiveSpec(name="tumor_response")).utility(outcomes())

    np.testing.assert_array_equal(utility, [[1.0, 1.0, 0.0]])


def test_more_senolytic_exposure_is_better():
    utility = objective_of(ObjectiveSpec(name="senolytic_exposure")).utility(outcomes())

    np.testing.assert_array_equal(utility, [[0.1, 0.2, 0.3]])
