"""Keep what a case study gave: `python reports/summarize.py RUN EXPECTED` writes the numbers that its README quotes.

`summary.json` holds the gate, the coverage of each arm and what the data taught about each parameter; `recommendation.json` is
copied where the run has one.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from pkpd.posterior import Posterior
from pkpd.report.fit_figures import coverage, learned, predictive


def summarize(run: Path, expected: Path) -> None:
    """Write the numbers of a run folder into `expected`."""
    posterior = Posterior.open(run / "posterior.nc")
    endpoints = [str(name) for name in posterior.analysis.get("endpoints", ["tumor_volume"])]
    covered = {name: _coverage(posterior, name) for name in endpoints}
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    rows = learned(posterior)
    summary = {
        "command": record["command"],
        "seed": record["seed"],
        "seconds": record["timings"],
        "versions": record["versions"],
        "gate": {check.name: {"value": _digits(check.value), "limit": check.limit} for check in posterior.gate.checks},
        "gate_passed": posterior.gate.passed,
        "coverage_of_90_percent_interval": covered if len(endpoints) > 1 else covered[endpoints[0]],
        "parameters": {
            row.name: {
                "unit": row.unit,
                "prior_5_50_95": [_digits(value) for value in row.prior],
                "posterior_5_50_95": [_digits(value) for value in row.posterior],
                "contraction": round(row.contraction, 3),
                "informed": row.informed,
            }
            for row in rows
        },
        "not_informed": [row.name for row in rows if not row.informed],
        "sensitivity": {
            file.stem: json.loads(file.read_text(encoding="utf-8"))
            for file in sorted((run / "sensitivity").glob("*.json"))
        },
    }
    expected.mkdir(parents=True, exist_ok=True)
    text = json.dumps(summary, indent=1, ensure_ascii=False)
    (expected / "summary.json").write_text(text + "\n", encoding="utf-8")
    recommendation = run / "optimize" / "recommendation.json"
    if recommendation.is_file():
        shutil.copy(recommendation, expected / "recommendation.json")


def _coverage(posterior: Posterior, endpoint: str) -> dict[str, dict[str, float]]:
    """By arm."""
    shown = predictive(posterior, endpoint)
    if shown is None:
        return {}
    return {
        fit.arm: {"predicted_from_the_others": round(fit.coverage, 3), "value_seen": round(fit.coverage_seen, 3)}
        for fit in coverage(shown)
    }


def _digits(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    summarize(Path(sys.argv[1]), Path(sys.argv[2]))
