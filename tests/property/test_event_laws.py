"""Laws of the event engine, on every structure that is registered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import expm

import pkpd
from pkpd.dynamics.base import AbstractLinearPKModel, AbstractPKModel, parameters_of
from pkpd.errors import PkpdError
from pkpd.registry import Registry

MODELS = Registry("pkpd.pk_models", AbstractPKModel)
NAMES = MODELS.names()
AT_REST = tuple(name for name in NAMES if not MODELS.get(name).grows)
GROWING = tuple(name for name in NAMES if MODELS.get(name).grows)
VALUES = {
    "1/h": "0.7 1/h",
    "L/h": "1.3 L/h",
    "L": "11 L",
    "1": 0.5,
    "h": "2 h",
    "mg/h": "6 mg/h",
    "mg/L": "2 mg/L",
    "1e9/L": "4e9/L",
    "L/mg": "0.05 L/mg",
    "L/mg/h": "0.02 L/mg/h",
    "mm": "60 mm",
    "mm^3": "150 mm^3",
    "mm^3/h": "2 mm^3/h",
}
SLOW = {"growth_rate": "0.01 1/h", "resistance_rate": "0.02 1/h"}  # a tumor takes days
# One to three compartments around a central one; tests/science/test_event_structures.py holds the others to their own equations.
MAMMILLARY = tuple(f"{number}_compartment{route}" for number in ("one", "two", "three") for route in ("", "_oral"))
every_structure = pytest.mark.parametrize("name", NAMES)
every_structure_at_rest = pytest.mark.parametrize("name", AT_REST)


def model_file(name: str) -> dict:
    kind = MODELS.get(name)
    return {
        "schema": 1,
        "model": {"structure": name},
        "parameters": {word: SLOW.get(word, VALUES[unit]) for word, unit in parameters_of(kind).items()},
        "compartment": {kind.compartments[0]: {"lag": {"column": "LAG", "unit": "h"}}},
        "units": {"TIME": "h", "AMT": "mg"},
    }


def simulated(name: str, rows: list[dict]) -> np.ndarray:
    """Amounts `[record, compartment]`."""
    table = pd.DataFrame([{"LAG": 0.0} | row for row in rows]).fillna(0.0)
    result = pkpd.simulate_events(model_file(name), table)
    return result[[column for column in result if column.startswith("A_")]].to_numpy()


def exactness(name: str, linear: float) -> dict[str, float]:
    """Rounding for a closed form; for steps what their verification allows."""
    if issubclass(MODELS.get(name), AbstractLinearPKModel):
        return {"rtol": linear, "atol": 1e-12}
    return {"rtol": 5e-5, "atol": 5e-5}


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


@every_structure_at_rest
def test_a_steady_state_is_a_long_repetition(name):
    after, long = [0.0, 1.0, 7.0, 30.0], 24.0 * 60
    dose = {"EVID": 1, "AMT": 60.0, "TIME": 0.0}
    kinds: dict[str, dict[str, float]] = {
        "at_once": {"II": 24.0},
        "infused": {"II": 24.0, "RATE": 20.0},
        "infused_for_longer_than_the_interval": {"II": 24.0, "RATE": 2.0},
        "infused_without_end": {"II": 24.0, "RATE": 2.5},
        "late": {"II": 12.0, "LAG": 5.0},
        "later_than_the_interval": {"II": 12.0, "LAG": 30.0},
    }
    rows: list[dict] = []
    for word, more in kinds.items():
        whole, lag = {**dose, **more}, {"LAG": more.get("LAG", 0.0)}
        endless = {"AMT": 0.0, "II": 0.0} if word == "infused_without_end" else {}
        rows += [{**row, **lag, "ID": f"{word}_steady"} for row in ({**whole, **endless, "SS": 1}, *looks(*after))]
        rows += [
            {**row, **lag, "ID": f"{word}_repeated"}
            for row in ({**whole, "ADDL": int(long / more["II"])}, *looks(*(long + time for time in after)))
        ]
    rows += [{**row, "ID": "added"} for row in ({**dose, "II": 24.0, "SS": 2}, *looks(*after))]
    # the last of the repeated infusions begins when the endless one stops
    last = next(row for row in rows if row["ID"] == "infused_without_end_repeated")
    last["ADDL"] -= 1

    found = simulated(name, rows).reshape(2 * len(kinds) + 1, len(after) + 1, -1)[:, 1:]

    for steady, repeated in zip(found[:-1:2], found[1::2], strict=True):
        np.testing.assert_allclose(steady, repeated, **exactness(name, 1e-6))
    np.testing.assert_allclose(found[-1], found[0], rtol=1e-12, atol=1e-12)  # added to nothing


@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize("steady", [1.0, 2.0])
def test_a_steady_state_is_refused_where_a_tumor_grows(name, steady):
    dose = {"TIME": 0.0, "EVID": 1, "AMT": 60.0, "II": 24.0, "SS": steady}

    with pytest.raises(PkpdError) as caught:
        simulated(name, [dose, *looks(3.0)])

    (finding,) = caught.value.findings
    assert finding.code == "E_NO_STEADY_STATE"
    assert "there is no steady state" in finding.message
    assert finding.where == "events:2"


@every_structure
def test_additional_doses_are_the_same_as_doses_written_out(name):
    dose = {"EVID": 1, "AMT": 60.0, "RATE": 30.0, "II": 12.0}

    added = simulated(name, [{**dose, "TIME": 0.0, "ADDL": 2}, *looks(11.0, 25.0, 60.0)])

    written = [{**dose, "II": 0.0, "TIME": time} for time in (0.0, 12.0, 24.0)]
    one_by_one = simulated(name, [written[0], looks(11.0)[0], written[1], written[2], *looks(25.0, 60.0)])
    np.testing.assert_allclose(added[1:], one_by_one[[1, 4, 5]], **exactness(name, 1e-10))


@every_structure
def test_a_reset_restores_the_start_and_a_reset_with_a_dose_is_a_reset_then_a_dose(name):
    first = [{"TIME": 0.0, "EVID": 1, "AMT": 50.0, "ADDL": 5, "II": 4.0}]

    both = simulated(name, [*first, {"TIME": 9.0, "EVID": 4, "AMT": 80.0}, *looks(9.0, 20.0)])

    apart = simulated(
        name,
        [*looks(0.0), *first, {"TIME": 9.0, "EVID": 3}, {"TIME": 9.0, "EVID": 1, "AMT": 80.0}, *looks(9.0, 20.0)],
    )
    np.testing.assert_allclose(both[-2:], apart[-2:], rtol=1e-12)
    np.testing.assert_array_equal(apart[2], apart[0])


@every_structure
def test_a_record_without_a_dose_changes_nothing(name):
    dose = {"TIME": 0.0, "EVID": 1, "AMT": 60.0}

    without = simulated(name, [dose, *looks(3.0, 40.0)])

    with_it = simulated(name, [dose, *looks(3.0), {"TIME": 17.0, "EVID": 2}, *looks(40.0)])
    np.testing.assert_allclose(with_it[[0, 1, 3]], without, **exactness(name, 1e-10))


@pytest.mark.parametrize("power", [0.8, 8.0])
def test_no_steady_state_is_given_where_doses_would_lead_away_from_it(power):
    """Blood counts that swing by themselves (a strong feedback) have a fixed point that no repetition reaches."""
    model = model_file("friberg")
    model["parameters"] |= {"mean_transit_time": "24 h", "feedback_power": power}
    rows = [{"TIME": 0.0, "EVID": 1, "AMT": 60.0, "II": 24.0, "SS": 1.0, "LAG": 0.0}]

    with pytest.raises(PkpdError, match="E_NO_STEADY_STATE"):
        pkpd.simulate_events(model, pd.DataFrame(rows))
