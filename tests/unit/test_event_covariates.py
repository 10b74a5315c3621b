"""Covariates and variability between subjects act on the parameters as the model file says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pkpd


def simulated(clearance: dict, table: pd.DataFrame, **more: dict) -> pd.DataFrame:
    model = {
        "schema": 1,
        "model": {"structure": "one_compartment", "seed": 7},
        "parameters": {"clearance": clearance, "volume": more.pop("volume", "10 L")},
        "units": {"TIME": "h", "AMT": "mg"},
        "output": {"concentration": "mg/L"},
        **more,
    }
    return pkpd.simulate_events(model, table)


@pytest.mark.parametrize(
    ("effect", "factor"),
    [
        ({"form": "power", "reference": 70, "exponent": 0.75}, (90.0 / 70.0) ** 0.75),
        ({"form": "linear", "reference": 70, "slope": 0.01}, 1.2),
        ({"form": "exponential", "reference": 70, "slope": -0.02}, np.exp(-0.4)),
        ({"form": "categorical", "factors": {"90": 1.7}}, 1.7),
    ],
)
def test_a_covariate_multiplies_the_typical_value_by_its_form(effect, factor):
    table = pd.DataFrame({"TIME": [0.0, 4.0], "EVID": [1, 0], "AMT": [100.0, 0.0], "WT": [90, 90]})

    result = simulated({"typical": "2 L/h", "covariates": [{"column": "WT", **effect}]}, table)

    assert result["A_central"][1] == pytest.approx(100.0 * np.exp(-0.2 * factor * 4.0), rel=1e-9)


def test_the_covariate_of_a_record_holds_over_the_interval_that_ends_there():
    table = pd.DataFrame({"TIME": [0.0, 4.0, 10.0], "EVID": [1, 0, 0], "AMT": [100.0, 0.0, 0.0], "CL": [9.0, 1.0, 2.0]})

    result = simulated({"column": "CL", "unit": "L/h"}, table)

    assert result["A_central"][2] == pytest.approx(100.0 * np.exp(-0.1 * 4.0 - 0.2 * 6.0), rel=1e-9)


def test_correlated_variability_has_the_stated_size_and_correlation():
    count = 400
    rows = [
        {"ID": i, "TIME": t, "EVID": int(t == 0), "AMT": 100.0 * (t == 0)} for i in range(count) for t in (0.0, 4.0)
    ]

    result = simulated(
        {"typical": "2 L/h", "between": {"sd": 0.3}},
        pd.DataFrame(rows),
        volume={"typical": "10 L", "between": {"sd": 0.2}},
        correlation={"clearance": {"volume": 0.6}},
    )

    at_dose, later = result[result["TIME"] == 0.0], result[result["TIME"] == 4.0]
    volume = 100.0 / at_dose["concentration"].to_numpy()
    clearance = -volume * np.log(later["A_central"].to_numpy() / 100.0) / 4.0
    deviations = np.log([clearance / 2.0, volume / 10.0])
    np.testing.assert_allclose(deviations.std(axis=1), [0.3, 0.2], rtol=0.12)
    assert np.corrcoef(deviations)[0, 1] == pytest.approx(0.6, abs=0.12)
