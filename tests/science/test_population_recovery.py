"""A simulated population comes back: typical values, spreads, their correlation and a covariate."""

import numpy as np
import pytest
from population_files import beginning

from pkpd.inference import fit
from pkpd.io.population import read_population

PRIOR = 'basis = "assumed", source = "analyst"'
SPREAD = f'{{ family = "lognormal", prior = "halfnormal", sd = 0.5, {PRIOR} }}'
ANALYSIS = (
    beginning("one_compartment", name="correlated")
    + f"""\
[parameters.clearance]
typical = {{ family = "lognormal", median = "3 L/h", sd = 1.0, {PRIOR} }}
between = {SPREAD}
covariates = [{{ column = "WT", form = "power", reference = 70, exponent = {{ family = "normal", mean = 0.0, sd = 1.0, {PRIOR} }} }}]
[parameters.volume]
typical = {{ family = "lognormal", median = "30 L", sd = 1.0, {PRIOR} }}
between = {SPREAD}
[[correlation]]
parameters = ["clearance", "volume"]
shape = 1.0
basis = "assumed"
source = "analyst"
[error.concentration]
model = "proportional"
proportional = {{ family = "halfnormal", sd = 0.5, {PRIOR} }}
[fit]
chains = 2
draws = 400
tune = 400
seed = 2
[sources.analyst]
title = "Choice of the analyst"
"""
)
SUBJECTS = 60
TRUTH = {
    "clearance": 5.0,
    "volume": 20.0,
    "clearance.between": 0.35,
    "volume.between": 0.25,
    "clearance.WT": 0.75,
    "correlation.clearance.volume": 0.7,
    "concentration.proportional": 0.1,
}


def table() -> str:
    generator = np.random.default_rng(11)
    share = TRUTH["correlation.clearance.volume"]
    rows = ["ID,TIME,AMT,EVID,DV,WT"]
    for subject in range(SUBJECTS):
        weight = generator.uniform(45.0, 110.0)
        first, second = generator.standard_normal(2)
        clearance = TRUTH["clearance"] * (weight / 70.0) ** 0.75 * np.exp(TRUTH["clearance.between"] * first)
        volume = TRUTH["volume"] * np.exp(TRUTH["volume.between"] * (share * first + np.sqrt(1 - share**2) * second))
        rows.append(f"{subject},0,100,1,.,{weight:.1f}")
        for time in (0.5, 2.0, 5.0, 8.0):
            noise = 1.0 + TRUTH["concentration.proportional"] * generator.standard_normal()
            rows.append(
                f"{subject},{time},.,0,{100.0 / volume * np.exp(-clearance / volume * time) * noise:.5f},{weight:.1f}"
            )
    return "\n".join(rows) + "\n"


@pytest.mark.slow
def test_every_population_value_lies_in_its_central_98_percent_interval(tmp_path):
    (tmp_path / "study.csv").write_text(table(), encoding="utf-8")
    (tmp_path / "analysis.toml").write_text(ANALYSIS, encoding="utf-8")

    posterior = fit(read_population(tmp_path / "analysis.toml"))

    intervals = {name: np.quantile(posterior.values(name), (0.01, 0.99)) for name in TRUTH}
    outside = {name: interval for name, interval in intervals.items() if not interval[0] <= TRUTH[name] <= interval[1]}
    assert not outside
    low, high = intervals["correlation.clearance.volume"]
    assert low > 0.2  # the data tell it: the prior is uniform
    assert high < 1.0
