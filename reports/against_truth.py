"""Posterior 95 % intervals beside the values that simulated the data.

python reports/against_truth.py RUN DATASET NAME=PARAMETER[/DIVISOR] ...
"""

import csv
import os
import sys
from pathlib import Path

import numpy as np

from pkpd.posterior import Posterior

run, dataset, *pairs = sys.argv[1:]
data = Path(os.environ.get("PKPD_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
posterior = Posterior.open(Path(run) / "posterior.nc")
with (data / "classic_pk" / "simulated_truth_individual_param_summary.csv").open(encoding="utf-8") as stream:
    rows = [row for row in csv.DictReader(stream) if row["dataset"] == dataset]
truth = {row["param"]: (float(row["geo_mean"]), float(row["sd_log"])) for row in rows}
print("| number | true value | posterior median | 95 % interval | inside |")
print("| --- | --- | --- | --- | --- |")
for pair in pairs:
    name, _, word = pair.partition("=")
    variable, _, divisor = word.partition("/")
    for title, full, true, scale in (
        (name, variable, truth[name][0], float(divisor or 1.0)),
        (f"spread of {name}", f"{variable}.between", truth[name][1], 1.0),
    ):
        low, median, high = np.quantile(posterior.values(full) / scale, (0.025, 0.5, 0.975))
        inside = "yes" if low <= true <= high else "NO"
        print(f"| {title} | {true:.4g} | {median:.4g} | {low:.4g} to {high:.4g} | {inside} |")
