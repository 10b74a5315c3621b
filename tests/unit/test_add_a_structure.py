"""The contributor's page is true: a structure is one file and one line."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

import pkpd
from pkpd import registry

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-structure.md"


def test_the_structure_of_the_page_is_registered_by_its_line_and_simulates(tmp_path, monkeypatch):
    text = PAGE.read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    name, module, attribute = re.search(r"^(\w+) = \"([\w.]+):(\w+)\"$", text, re.MULTILINE).groups()
    package, _, stem = module.partition(".")
    (tmp_path / package).mkdir()
    (tmp_path / package / f"{stem}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = importlib.metadata.EntryPoint(name=name, value=f"{module}:{attribute}", group="pkpd.pk_models")
    installed = registry.entry_points
    monkeypatch.setattr(registry, "entry_points", lambda **which: [*installed(**which), point])
    model = {
        "schema": 1,
        "model": {"structure": name},
        "parameters": {"volume": "10 L", "max_elimination_rate": "8 mg/h", "half_saturation": "2 mg/L"},
        "units": {"TIME": "h", "AMT": "mg"},
        "output": {"concentration": "mg/L"},
    }
    table = pd.DataFrame({"TIME": [0.0, 2.0, 8.0, 24.0], "EVID": [1, 0, 0, 0], "AMT": [100.0, 0.0, 0.0, 0.0]})

    result = pkpd.simulate_events(model, table)

    course = solve_ivp(
        lambda _, x: -8.0 * (x / 10.0) ** 2 / (4.0 + (x / 10.0) ** 2),
        (0.0, 24.0),
        [100.0],
        t_eval=table["TIME"],
        rtol=1e-10,
        atol=1e-12,
    )
    np.testing.assert_allclose(result["concentration"], course.y[0] / 10.0, rtol=1e-5)
