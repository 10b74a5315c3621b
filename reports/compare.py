"""Fits of the same observations compared by leave-one-out (PSIS).

python reports/compare.py FILE.json NAME=RUN NAME=RUN ...

Two standard errors of each difference: of single observations as ArviZ gives it, and of whole subjects, whose observations belong
together.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np

from pkpd.posterior import Posterior

PARETO_LIMIT = 0.7

target, *pairs = sys.argv[1:]
runs = {name: Posterior.open(Path(run) / "posterior.nc") for name, run in (pair.split("=", 1) for pair in pairs)}
observed = [posterior.group("constant_data")[["value", "obs_subject", "obs_time_h"]] for posterior in runs.values()]
if not all(each.equals(observed[0]) for each in observed):
    raise SystemExit("the runs did not observe the same values")
with warnings.catch_warnings():
    # ArviZ warns of large k, which the table counts
    warnings.simplefilter("ignore")
    left_out: dict[str, Any] = {name: az.loo(posterior.tree, pointwise=True) for name, posterior in runs.items()}
    table = az.compare(left_out, round_to="none")
best = str(table.index[0])
subject = observed[0]["obs_subject"].values
found = {}
for name, row in table.iterrows():
    pareto = np.asarray(left_out[name].pareto_k)
    behind = np.asarray(left_out[name].elpd_i) - np.asarray(left_out[best].elpd_i)
    of_subjects = np.bincount(subject, weights=behind)
    found[str(name)] = {
        "gate_passed": runs[str(name)].gate.passed,
        "elpd": round(float(row["elpd"]), 2),
        "standard_error": round(float(row["se"]), 2),
        "effective_parameters": round(float(row["p"]), 1),
        "difference": round(float(behind.sum()), 2),
        "standard_error_of_difference": round(float(row["dse"]), 2),
        "standard_error_by_subject": round(float(np.sqrt(of_subjects.size) * of_subjects.std(ddof=1)), 2),
        "subjects_in_favor": int(np.sum(of_subjects > 0.0)),
        "pareto_k_above_0.7": int(np.sum(pareto > PARETO_LIMIT)),
        "largest_pareto_k": round(float(pareto.max()), 3),
        "observations": int(pareto.size),
    }
Path(target).parent.mkdir(parents=True, exist_ok=True)
Path(target).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
print("| model | elpd (SE) | difference (SE; by subject) | effective parameters | Pareto k above 0.7 | largest k |")
print("| --- | --- | --- | --- | --- | --- |")
for name, row in found.items():
    print(
        f"| {name} | {row['elpd']} ({row['standard_error']}) | {row['difference']} ({row['standard_error_of_difference']}; "
        f"{row['standard_error_by_subject']}) | {row['effective_parameters']} | {row['pareto_k_above_0.7']} of "
        f"{row['observations']} | {row['largest_pareto_k']} |"
    )
