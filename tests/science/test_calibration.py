"""Calibration: the truth behind a simulated study lies within what the fit of that study allows, and ranks are judged."""

import numpy as np
import pytest
from population_files import beginning

from pkpd.inference.calibration import LOG_LIKELIHOOD, calibrate, uniformity
from pkpd.io.population import read_population

PRIOR = 'basis = "assumed", source = "analyst"'
ANALYSIS = (
    beginning("one_compartment", name="small")
    + f"""\
[parameters.clearance]
typical = {{ family = "lognormal", median = "3 L/h", sd = 1.0, {PRIOR} }}
between = {{ family = "lognormal", prior = "halfnormal", sd = 0.5, {PRIOR} }}
[parameters.volume]
typical = {{ family = "lognormal", median = "30 L", sd = 1.0, {PRIOR} }}
between = "none"
[error.concentration]
model = "lognormal"
residual = {{ family = "halfnormal", sd = 0.3, {PRIOR} }}
[fit]
chains = 2
draws = 300
tune = 300
[sources.analyst]
title = "Choice of the analyst"
"""
)
SUBJECTS, TIMES_H = 12, (1.0, 4.0, 9.0)


def test_the_truth_of_each_simulated_study_is_possible_under_its_fit(tmp_path):
    rows = [
        line
        for subject in range(SUBJECTS)
        for line in (f"{subject},0,100,1,.", *(f"{subject},{time},.,0,1.0" for time in TIMES_H))
    ]
    (tmp_path / "study.csv").write_text("\n".join(["ID,TIME,AMT,EVID,DV", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "analysis.toml").write_text(ANALYSIS, encoding="utf-8")

    found = list(calibrate(read_population(tmp_path / "analysis.toml"), replicates=2, seed=3, cores=1))

    names = {"clearance", "clearance.between", "volume", "concentration.residual", LOG_LIKELIHOOD}
    assert [set(replicate.shares) for replicate in found] == [names, names]
    # 36 values leave a volume known to a few per cent, under a prior that spans two orders of magnitude
    assert all(0.0 < replicate.shares["volume"] < 1.0 for replicate in found)
    assert found[0].shares != found[1].shares


def test_even_ranks_are_uniform_and_gathered_ones_are_not():
    assert uniformity((np.arange(100) + 0.5) / 100, bins=5) == pytest.approx(1.0)
    assert uniformity(np.full(100, 0.5), bins=5) < 1e-6
