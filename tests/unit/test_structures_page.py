"""The page of structures is what the classes say, and its example runs."""

from __future__ import annotations

import io
import re
import tomllib

import pandas as pd
from structures_page import PAGE, page

import pkpd


def test_the_page_of_structures_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python tests/structures_page.py"


def test_the_example_of_the_page_of_structures_runs():
    text = PAGE.read_text(encoding="utf-8")
    (model,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (events,) = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)

    result = pkpd.simulate_events(tomllib.loads(model), pd.read_csv(io.StringIO(events)))

    volume = result["tumor_volume"].to_numpy()
    assert volume[0] == 0.15
    assert volume[1] > volume[0]
    assert volume[3] < min(volume[2], volume[4])
