"""The number of steps is verified: a stiff set is noticed, refined, and right."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

import pkpd
from pkpd.simulate import events

LOOKS_H = np.array([12.0, 24.0, 25.0, 25.5, 36.0])
VOLUME, MOST, HALF, ABSORPTION = 10.0, 4.0, 0.04, 12.0
MODEL = {
    "schema": 1,
    "model": {"structure": "one_compartment_saturable_oral"},
    "parameters": {
        "volume": f"{VOLUME} L",
        "max_elimination_rate": f"{MOST} mg/h",
        "half_saturation": f"{HALF} mg/L",
        "absorption": f"{ABSORPTION} 1/h",
    },
    "units": {"TIME": "h", "AMT": "mg"},
}


def reference() -> np.ndarray:
    """Amount in plasma after 100 mg at 0 h, by an implicit method with tight tolerances."""

    def slope(_, x):
        level = x[1] / VOLUME
        return [-ABSORPTION * x[0], ABSORPTION * x[0] - MOST * level / (HALF + level)]

    course = solve_ivp(slope, (0.0, 36.0), [100.0, 0.0], method="Radau", rtol=1e-12, atol=1e-14, t_eval=LOOKS_H)
    return course.y[1]


def test_the_verification_notices_a_stiff_set_and_what_it_returns_is_right(monkeypatch):
    table = pd.DataFrame([{"TIME": 0.0, "EVID": 1, "AMT": 100.0}, *({"TIME": t, "EVID": 0} for t in LOOKS_H)])
    verified, tried = events._verified, []

    def watched(run, spec):
        def counted(steps):
            tried.append((steps, run(steps)))
            return tried[-1][1]

        return verified(counted, spec)

    monkeypatch.setattr(events, "_verified", watched)

    result = pkpd.simulate_events(MODEL, table.fillna(0.0))

    expected = reference()
    seen = expected > 1e-6 * expected.max()
    np.testing.assert_allclose(result["A_central"][1:][seen], expected[seen], rtol=1e-4)
    coarse = tried[0][1][0, 1 : LOOKS_H.size + 1, 1]
    assert np.max(np.abs(coarse[seen] / expected[seen] - 1.0)) > 1e-4  # what would have been returned without it
    assert len(tried) > 2  # the first two answers were too far apart
