"""What is wrong in a model file and in its event table is told in one pass."""

from __future__ import annotations

import pandas as pd
import pytest

import pkpd
from pkpd.errors import DataError, PkpdError, SpecError

MODEL = """schema = 1
[model]
structure = "one_compartment"
[parameters]
clearance = { typical = "2 L/h", covariates = [ { column = "WT", form = "power", reference = 70, exponent = 0.75 } ] }
volume = "20 L"
[compartment.central]
duration = "2 h"
[units]
TIME = "h"
AMT = "mg"
"""
EVENTS = "TIME,EVID,AMT,RATE,CMT,WT\n0,1,100,-2,1,70\n5,0,0,0,1,70\n"


def found(folder, model: str, events: str) -> list[tuple[str, str]]:
    (folder / "model.toml").write_text(model, encoding="utf-8")
    (folder / "events.csv").write_text(events, encoding="utf-8")
    with pytest.raises(PkpdError) as caught:
        pkpd.simulate_events(folder / "model.toml", folder / "events.csv")
    return [(finding.code, finding.where) for finding in caught.value.findings]


def test_slips_in_the_model_the_rows_and_the_covariates_come_together(tmp_path):
    model = MODEL.replace('volume = "20 L"', 'volume = "20 h"').replace('TIME = "h"', 'TIME = "mg"')
    events = EVENTS + "7,9,0,0,1,70\n8,1,50,0,4,70\n9,0,0,0,1,heavy\n"

    codes = found(tmp_path, model, events)

    assert codes == [
        ("E_UNIT", "model.toml: parameters.volume"),
        ("E_UNIT", "model.toml: units.TIME"),
        ("E_EVENT", "events.csv:4"),
        ("E_EVENT", "events.csv:5"),
        ("E_NOT_A_NUMBER", "events.csv:6"),
    ]


def test_a_word_that_is_written_and_cannot_be_used_is_not_said_to_be_missing(tmp_path):
    codes = found(tmp_path, MODEL.replace('duration = "2 h"', 'duration = "2 mg"'), EVENTS)

    assert codes == [("E_UNIT", "model.toml: compartment.central.duration")]


@pytest.mark.parametrize(
    ("model", "code"),
    [
        (MODEL.replace("one_compartment", "one_compartmentt"), "E_UNKNOWN_NAME"),
        (MODEL.replace("schema = 1", "schema = "), "E_TOML"),
    ],
)
def test_rows_are_read_where_the_structure_is_not_known(tmp_path, model, code):
    codes = found(tmp_path, model, EVENTS + "7,9,0,0,1,70\n8,1,50,0,9,70\n9,1,50,-7,1,70\n")

    assert [word for word, _ in codes] == [code, "E_EVENT", "E_EVENT"]
    assert [where for _, where in codes][1:] == ["events.csv:4", "events.csv:6"]


def test_a_model_without_a_table_and_a_table_without_a_model_are_both_named(tmp_path):
    with pytest.raises(SpecError) as caught:
        pkpd.simulate_events(tmp_path / "no-model.toml", tmp_path / "no-events.csv")

    assert [finding.code for finding in caught.value.findings] == ["E_FILE", "E_FILE"]


def test_a_column_that_is_not_there_is_named_once(tmp_path):
    codes = found(tmp_path, MODEL, EVENTS.replace("WT", "WEIGHT") + "7,9,0,0,1,70\n")

    assert [word for word, _ in codes] == ["E_MISSING_COLUMN", "E_EVENT"]


def test_correlations_that_contradict_each_other_come_with_the_rest(tmp_path):
    between = "between = { sd = 0.3 }"
    model = MODEL.replace('volume = "20 L"', f'volume = {{ typical = "20 L", {between} }}')
    model = model.replace('typical = "2 L/h",', f'typical = "2 L/h", {between},')
    table = pd.DataFrame({"TIME": [0.0], "EVID": [7], "AMT": [0.0], "WT": ["x"]})
    structure = model.replace("one_compartment", "two_compartment").replace("volume =", "central_volume =")
    structure = structure.replace(
        "[compartment",
        f'intercompartmental_clearance = {{ typical = "1 L/h", {between} }}\nperipheral_volume = "9 L"\n'
        "[correlation.clearance]\ncentral_volume = 0.9\nintercompartmental_clearance = -0.9\n"
        "[correlation.central_volume]\nintercompartmental_clearance = 0.9\n[compartment",
        1,
    )
    (tmp_path / "model.toml").write_text(structure, encoding="utf-8")

    with pytest.raises(DataError) as caught:
        pkpd.simulate_events(tmp_path / "model.toml", table)

    assert {finding.code for finding in caught.value.findings} == {"E_EVENT", "E_CORRELATION", "E_NOT_A_NUMBER"}


def test_a_response_takes_no_lag(tmp_path):
    model = """schema = 1
[model]
structure = "koch"
[parameters]
clearance = "2 L/h"
volume = "10 L"
absorption = "1 1/h"
growth_rate = "0.1 1/d"
linear_growth = "0.1 cm^3/d"
potency = "0.1 L/mg/d"
initial_volume = "0.1 cm^3"
[compartment.tumor]
lag = "1 h"
[units]
TIME = "h"
AMT = "mg"
"""

    codes = found(tmp_path, model, "TIME,EVID,AMT\n0,1,100\n")

    assert codes == [("E_UNSUPPORTED", "model.toml: compartment.tumor")]
