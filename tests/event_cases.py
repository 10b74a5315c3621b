"""The reference cases of `event_cases` as an event table, whatever engine reads it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

MODEL = {
    "schema": 1,
    "model": {"structure": "one_compartment_oral"},
    "parameters": {"clearance": "1.1 L/h", "volume": "20 L", "absorption": "1.5 1/h"},
    "compartment": {
        "central": {
            "lag": {"column": "LAGT", "unit": "h"},
            "bioavailability": {"column": "BIOAV"},
            "duration": {"column": "DUR2", "unit": "h"},
            "rate": {"column": "RAT2", "unit": "mg/h"},
        }
    },
    "units": {"TIME": "h", "AMT": "mg"},
    "output": {"concentration": "ug/L"},
}


def read_cases(folder: Path) -> list[dict]:
    return json.loads((folder / "event_cases" / "cases.json").read_text())["cases"]


def frame_of(case: dict) -> pd.DataFrame:
    return pd.DataFrame(case["records"]).rename(columns=str.upper).assign(ID=1)


def worst_error(case: dict, concentration: np.ndarray) -> float:
    expected = np.asarray(case["expected"]["CP_NONMEM"], dtype=float)
    records = pd.DataFrame(case["records"])
    judged = ((records["evid"] == 0) & (records["time"] >= case["compare_from_time"])).to_numpy()
    for row in case.get("exclude_rows") or ():
        judged[row] = False
    apart = np.abs(concentration - expected)[judged]
    return float(np.max(apart / np.where(expected[judged] > 0.0, expected[judged], 1.0)))
