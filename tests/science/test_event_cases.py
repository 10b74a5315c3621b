"""Every visible reference case of NONMEM, through Python and through the command line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from event_cases import MODEL, frame_of, read_cases, worst_error
from typer.testing import CliRunner

import pkpd
from pkpd.cli.app import app

TOLERANCE = 2e-4
MODEL_FILE = """
schema = 1
[model]
structure = "one_compartment_oral"
[parameters]
clearance  = "1.1 L/h"
volume     = "20 L"
absorption = "1.5 1/h"
[compartment.central]
lag             = { column = "LAGT", unit = "h" }
bioavailability = { column = "BIOAV" }
duration        = { column = "DUR2", unit = "h" }
rate            = { column = "RAT2", unit = "mg/h" }
[units]
TIME = "h"
AMT  = "mg"
[output]
concentration = "ug/L"
"""


def test_python_reproduces_every_case(shared_data):
    errors = {
        case["case_id"]: worst_error(case, pkpd.simulate_events(MODEL, frame_of(case))["concentration"].to_numpy())
        for case in read_cases(shared_data)
    }

    assert max(errors.values()) < TOLERANCE, errors


@pytest.mark.parametrize("number", range(15))
def test_the_command_line_reproduces_a_case(shared_data, tmp_path: Path, number):
    case = read_cases(shared_data)[number]
    model, events, out = tmp_path / "model.toml", tmp_path / "events.csv", tmp_path / "out.csv"
    model.write_text(MODEL_FILE)
    frame_of(case).to_csv(events, index=False)

    ran = CliRunner().invoke(app, ["simulate", "--model", str(model), "--events", str(events), "--out", str(out)])

    assert ran.exit_code == 0, ran.output
    found = pd.read_csv(out)
    assert list(found.columns[:6]) == ["ID", "TIME", "EVID", "A_depot", "A_central", "concentration"]
    assert len(found) == len(case["records"])
    np.testing.assert_array_equal(found["TIME"], [record["time"] for record in case["records"]])
    assert worst_error(case, found["concentration"].to_numpy()) < TOLERANCE
