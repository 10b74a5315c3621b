"""Posterior medians beside the estimates of Monolix, and the prior beside both.

python reports/against_monolix.py RUN CSV NAME=PARAMETER[/DIVISOR] ...
"""

import csv
import sys
from pathlib import Path

import numpy as np

from pkpd.posterior import Posterior

run, table, *pairs = sys.argv[1:]
posterior = Posterior.open(Path(run) / "posterior.nc")
with Path(table).open(encoding="utf-8") as stream:
    estimates = {row["parameter"]: float(row["value"]) for row in csv.DictReader(stream)}
print("| number | Monolix | posterior median (90 %) | difference | prior median (90 %) |")
print("| --- | --- | --- | --- | --- |")
for pair in pairs:
    name, _, word = pair.partition("=")
    variable, _, divisor = word.partition("/")
    scale = float(divisor or 1.0)
    after, before = (posterior.values(variable, group) / scale for group in ("posterior", "prior"))
    low, median, high = np.quantile(after, (0.05, 0.5, 0.95))
    lowest, middle, highest = np.quantile(before, (0.05, 0.5, 0.95))
    print(
        f"| {name} | {estimates[name]:.4g} | {median:.4g} ({low:.3g} to {high:.3g}) | "
        f"{100 * (median / estimates[name] - 1):+.1f} % | {middle:.3g} ({lowest:.2g} to {highest:.2g}) |"
    )
