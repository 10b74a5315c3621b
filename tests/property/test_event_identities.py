"""Identities that every registered structure obeys, linear or not; the variants are subjects of one table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pkpd
from pkpd.dynamics.base import AbstractLinearPKModel, AbstractPKModel, parameters_of
from pkpd.registry import Registry

MODELS = Registry("pkpd.pk_models", AbstractPKModel)
VALUES = {
    "1/h": 0.7,
    "L/h": 1.3,
    "L": 11.0,
    "mg/h": 5.0,
    "mg/L": 2.0,
    "1": 0.5,
    "h": 2.0,
    "1e9/L": 4.0,
    "L/mg": 0.05,
    "L/mg/h": 0.02,
    "mm": 60.0,
    "mm^3": 150.0,
    "mm^3/h": 2.0,
}
SLOW = {"growth_rate": 0.01, "resistance_rate": 0.02}  # a tumor takes days


def model_file(name: str) -> dict:
    kind = MODELS.get(name)
    return {
        "schema": 1,
        "model": {"structure": name},
        "parameters": {
            word: VALUES[unit] if unit == "1" else f"{SLOW.get(word, VALUES[unit])} {unit}"
            for word, unit in parameters_of(kind).items()
        },
        "compartment": {
            kind.compartments[0]: {
                "bioavailability": {"column": "SHARE"},
                "duration": {"column": "LENGTH", "unit": "h"},
                "rate": {"column": "SPEED", "unit": "mg/h"},
                "lag": {"column": "LAG", "unit": "h"},
            }
        },
        "units": {"TIME": "h", "AMT": "mg"},
    }


def dose(time: float, amount: float, **more: float) -> dict:
    return {"TIME": time, "EVID": 1, "AMT": amount, **more}


def looks(*times: float) -> list[dict]:
    return [{"TIME": time, "EVID": 0} for time in times]


@pytest.mark.parametrize("name", MODELS.names())
@settings(max_examples=2)
@given(amount=st.floats(5.0, 300.0), share=st.floats(0.1, 0.9), shift=st.floats(0.5, 50.0), speed=st.floats(8.0, 40.0))
def test_the_same_doses_written_in_other_ways_act_alike(name, amount, share, shift, speed):
    after = looks(5.0, 24.0)
    length = amount / speed
    subjects = {
        "whole": [dose(0.0, amount), *after],
        "in_parts": [dose(0.0, amount * share), dose(0.0, amount * (1.0 - share)), *after],
        "later": [dose(shift, amount), *looks(shift + 5.0, shift + 24.0)],
        "lagged": [dose(0.0, amount, LAG=shift), *looks(shift + 5.0, shift + 24.0)],
        "a_share_of_more": [dose(0.0, amount / share, SHARE=share), *after],
        "looked_at_before": [*looks(0.0), dose(0.0, amount), *after],
        "second": [dose(2.0, 40.0), *after],
        "both": [dose(0.0, amount), dose(2.0, 40.0), *after],
        "infused": [dose(0.0, amount, RATE=speed), *after],
        "infused_by_duration": [dose(0.0, amount, RATE=-2.0, LENGTH=length), *after],
        "infused_by_rate": [dose(0.0, amount, RATE=-1.0, SPEED=speed), *after],
        "a_share_infused_as_long": [dose(0.0, amount / share, RATE=speed, SHARE=share), *after],
    }
    usual = {"SHARE": 1.0, "LENGTH": 1.0, "SPEED": 1.0, "LAG": 0.0, "RATE": 0.0, "AMT": 0.0}
    table = pd.DataFrame([usual | {"ID": subject} | row for subject, rows in subjects.items() for row in rows])

    result = pkpd.simulate_events(model_file(name), table)

    amounts = result[[f"A_{compartment}" for compartment in MODELS.get(name).compartments]]
    last = {subject: amounts[result["ID"] == subject].to_numpy()[-2:] for subject in subjects}
    first = amounts[result["ID"] == "looked_at_before"].to_numpy()[0]
    initial = amounts[result["ID"] == "lagged"].to_numpy()[0]
    close = {"rtol": 1e-4, "atol": 1e-5 * amount}
    for other in ("in_parts", "later", "a_share_of_more", "looked_at_before"):
        np.testing.assert_allclose(last[other], last["whole"], **close)
    kind = MODELS.get(name)
    # what grows does not wait for a dose that is late
    waits = [not kind.grows or compartment not in kind.responses for compartment in kind.compartments]
    np.testing.assert_allclose(last["lagged"][:, waits], last["whole"][:, waits], **close)
    for other in ("infused_by_duration", "infused_by_rate", "a_share_infused_as_long"):
        np.testing.assert_allclose(last[other], last["infused"], **close)
    if issubclass(MODELS.get(name), AbstractLinearPKModel):
        np.testing.assert_allclose(last["both"], last["whole"] + last["second"], rtol=1e-9, atol=1e-9 * amount)
    np.testing.assert_array_equal(first, initial)
    assert not np.allclose(last["infused"], last["whole"], **close)
