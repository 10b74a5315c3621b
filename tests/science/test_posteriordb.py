"""One compartment, saturable elimination, against the reference draws of posteriordb (Stan, BSD-3).

Priors are those of `one_comp_mm_elim_abs.stan`: half-Cauchy of scale 1 for every parameter, log-normal observations, volume known.
"""

import csv
import json

import numpy as np
import pytest
from population_files import beginning

from pkpd.inference import fit
from pkpd.io.population import read_population

ANALYSIS = (
    beginning("one_compartment_saturable_oral", name="one_comp_mm_elim_abs")
    + """\
[parameters.clearance]
typical = { family = "fixed", value = "0 L/h", basis = "assumed", source = "stan" }
between = "none"
[parameters.volume]
typical = { family = "fixed", value = "2 L", basis = "assumed", source = "stan" }
between = "none"
[parameters.absorption]
typical = { family = "halfcauchy", median = "1 1/h", basis = "assumed", source = "stan" }
between = "none"
[parameters.half_saturation]
typical = { family = "halfcauchy", median = "1 mg/L", basis = "assumed", source = "stan" }
between = "none"
[parameters.max_elimination_rate]
typical = { family = "halfcauchy", median = "1 mg/h", basis = "assumed", source = "stan" }
between = "none"
[error.concentration]
model = "lognormal"
residual = { family = "halfcauchy", median = 1.0, basis = "assumed", source = "stan" }
[fit]
chains = 4
draws = 6000
tune = 1500
target_accept = 0.99
seed = 4
[sources.stan]
title = "posteriordb, one_comp_mm_elim_abs"
"""
)
NAMES = {
    "k_a": "absorption",
    "K_m": "half_saturation",
    "V_m": "max_elimination_rate",
    "sigma": "concentration.residual",
}


@pytest.mark.slow
def test_quantiles_of_every_parameter_are_those_of_the_reference_draws(shared_data, tmp_path):
    folder = shared_data / "posteriordb_one_comp_mm" / "one_comp_mm_elim_abs-one_comp_mm_elim_abs"
    if not folder.is_dir():
        pytest.skip(f"reference draws not found at {folder}")
    data = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    rows = ["ID,TIME,AMT,EVID,DV", f"1,0,{data['D']},1,."]
    rows += [f"1,{time},.,0,{value}" for time, value in zip(data["times"], data["C_hat"], strict=True)]
    (tmp_path / "study.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "analysis.toml").write_text(ANALYSIS, encoding="utf-8")
    with (folder / "reference_draws.csv").open(encoding="utf-8") as stream:
        reference = list(csv.DictReader(stream))

    posterior = fit(read_population(tmp_path / "analysis.toml"))

    for name, ours in NAMES.items():
        expected = np.asarray([float(row[name]) for row in reference])
        off = np.quantile(posterior.values(ours), (0.05, 0.5, 0.95)) - np.quantile(expected, (0.05, 0.5, 0.95))
        assert np.all(np.abs(off) < 0.15 * expected.std()), f"{name}: {off / expected.std()} posterior sd"
