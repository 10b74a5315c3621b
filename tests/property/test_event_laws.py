"""Laws of the event engine, on every linear structure that is registered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import expm

import pkpd
from pkpd.dynamics.base import AbstractLinearPKModel, AbstractPKModel, parameters_of
from pkpd.registry import Registry

MODELS = Registry("pkpd.pk_models", AbstractPKModel)
LINEAR = tuple(name for name in MODELS.names() if issubclass(MODELS.get(name), AbstractLinearPKModel))
VALUES = {"1/h": "0.7 1/h", "L/h": "1.3 L/h", "L": "11 L", "1": 0.5, "h": "2 h"}
# One to three compartments around a central one; tests/science/test_event_structures.py holds the others to their own equations.
MAMMILLARY = tuple(f"{number}_compartment{route}" for number in ("one", "two", "three") for route in ("", "_oral"))
every_linear_structure = pytest.mark.parametrize("name", LINEAR)


def simulated(name: str, rows: list[dict]) -> np.ndarray:
    """Amounts `[record, compartment]`."""
    units = parameters_of(MODELS.get(name))
    model = {
        "schema": 1,
        "model": {"structure": name},
        "parameters": {parameter: VALUES[unit] for parameter, unit in units.items()},
        "units": {"TIME": "h", "AMT": "mg"},
    }
    result = pkpd.simulate_events(model, pd.DataFrame(rows).fillna(0.0))
    return result[[column for column in result if column.startswith("A_")]].to_numpy()


def looks(*times: float) -> list[dict]:
    return [{"TIME": time, "EVID": 0, "AMT": 0.0} for time in times]


def rate_matrix(name: str) -> np.ndarray:
    clearance, volume, absorption = 1.3 / 11.0, 1.3 / 11.0, 0.7
    compartments = MODELS.get(name).compartments
    size, central = len(compartments), compartments.index("central")
    matrix = np.zeros((size, size))
    matrix[central, central] = -clearance
    for outer in range(central + 1, size):
        matrix[central, central] -= volume
        matrix[outer, central] = matrix[central, outer] = volume
        matrix[outer, outer] = -volume
    if central == 1:
        matrix[0, 0], matrix[1, 0] = -absorption, absorption
    return matrix


@pytest.mark.parametrize("name", MAMMILLARY)
def test_amounts_solve_the_differential_equation_also_where_outer_compartments_are_equal(name):
    times = (0.0, 0.5, 3.0, 24.0, 100.0)

    amounts = simulated(name, [{"TIME": 0.0, "EVID": 1, "AMT": 100.0}, *looks(*times)])[1:]

    start = np.eye(amounts.shape[1])[0] * 100.0
    expected = [expm(rate_matrix(name) * time) @ start for time in times]
    np.testing.assert_allclose(amounts, expected, rtol=1e-6, atol=1e-9)


@every_linear_structure
@pytest.mark.parametrize("rate", [0.0, 20.0, 2.5])
def test_a_steady_state_is_a_long_repetition(name, rate):
    dose = {"EVID": 1, "AMT": 100.0, "RATE": rate, "II": 24.0}
    after = [0.0, 1.0, 7.0, 30.0]

    steady = simulated(name, [{**dose, "TIME": 0.0, "SS": 1}, *looks(*after)])

    long = 24.0 * 400
    repeated = simulated(name, [{**dose, "TIME": 0.0, "ADDL": 400}, *looks(*(long + time for time in after))])
    np.testing.assert_allclose(steady[1:], repeated[1:], rtol=1e-6)


@every_linear_structure
def test_additional_doses_are_the_same_as_doses_written_out(name):
    dose = {"EVID": 1, "AMT": 100.0, "RATE": 30.0, "II": 12.0}

    added = simulated(name, [{**dose, "TIME": 0.0, "ADDL": 2}, *looks(11.0, 25.0, 60.0)])

    written = [{**dose, "II": 0.0, "TIME": time} for time in (0.0, 12.0, 24.0)]
    one_by_one = simulated(name, [written[0], looks(11.0)[0], written[1], written[2], *looks(25.0, 60.0)])
    np.testing.assert_allclose(added[1:], one_by_one[[1, 4, 5]], rtol=1e-10)


@every_linear_structure
def test_reset_and_dose_is_a_reset_then_a_dose(name):
    first = [{"TIME": 0.0, "EVID": 1, "AMT": 50.0, "ADDL": 5, "II": 4.0}]

    both = simulated(name, [*first, {"TIME": 9.0, "EVID": 4, "AMT": 80.0}, *looks(9.0, 20.0)])

    apart = simulated(
        name, [*first, {"TIME": 9.0, "EVID": 3, "AMT": 0.0}, {"TIME": 9.0, "EVID": 1, "AMT": 80.0}, *looks(9.0, 20.0)]
    )
    np.testing.assert_allclose(both[-2:], apart[-2:], rtol=1e-12)
