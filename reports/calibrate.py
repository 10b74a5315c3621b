"""Simulation-based calibration of an analysis: `python reports/calibrate.py ANALYSIS FOLDER [replicates]`.

Writes `calibration.json` after every replicate, so that an interruption keeps what was computed, and `README.md` from all of it.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from pkpd.cache import enable_compilation_cache
from pkpd.inference.calibration import calibrate, uniformity
from pkpd.io.analysis import read_analysis
from pkpd.io.population import is_population, read_population

REPLICATES, SEED, BINS = 40, 20261128, 5
ROOT = Path(__file__).resolve().parents[1]
INTERVALS = (0.5, 0.8, 0.95)


def main(path: Path, folder: Path, replicates: int) -> None:
    """Fit every replicate, keep every rank."""
    enable_compilation_cache()
    analysis = read_population(path) if is_population(path) else read_analysis(path)
    analysis = replace(analysis, options=replace(analysis.options, chains=2, tune=400, draws=500))
    folder.mkdir(parents=True, exist_ok=True)
    begun, found = time.monotonic(), []
    for replicate in calibrate(analysis, replicates=replicates, seed=SEED):
        found.append(asdict(replicate))
        seconds = time.monotonic() - begun
        print(f"{len(found)} of {replicates}, {seconds:.0f} s", file=sys.stderr, flush=True)
        text = json.dumps(
            {"analysis": analysis.name, "seed": SEED, "seconds": round(seconds), "replicates": found}, indent=1
        )
        (folder / "calibration.json").write_text(text + "\n", encoding="utf-8")
    command = f"python reports/calibrate.py {_from_root(path)} {_from_root(folder)} {replicates}"
    (folder / "README.md").write_text(page(analysis.name, command, found, time.monotonic() - begun), encoding="utf-8")


def _from_root(path: Path) -> str:
    """Path as seen from the repository, or its name alone: a page that is committed names no machine."""
    whole = path.resolve()
    return whole.relative_to(ROOT).as_posix() if whole.is_relative_to(ROOT) else whole.name


def page(name: str, command: str, found: list[dict[str, object]], seconds: float) -> str:
    """The ranks as a table."""
    names = list(found[0]["shares"])  # type: ignore[call-overload]
    lines = [
        f"# Calibration: {name}",
        "",
        f"`{command}`: {len(found)} studies drawn from the priors of the analysis, each "
        f"fitted with 2 x (400 + 500) draws; {seconds:.0f} s. "
        f"{sum(bool(each['reliable']) for each in found)} fits passed the gate; all are counted.",
        "",
        "Share of the truths inside the central interval, and the probability of ranks as uneven as these if they are uniform "
        f"({BINS} bins):",
        "",
        "| number | " + " | ".join(f"{100 * width:.0f} %" for width in INTERVALS) + " | p of uniform ranks |",
        "| --- |" + " --- |" * (len(INTERVALS) + 1),
    ]
    for each in names:
        shares = np.asarray([one["shares"][each] for one in found])  # type: ignore[index]
        inside = [float(np.mean(np.abs(shares - 0.5) <= 0.5 * width)) for width in INTERVALS]
        lines.append(
            f"| {each} | " + " | ".join(f"{x:.2f}" for x in inside) + f" | {uniformity(shares, bins=BINS):.3f} |"
        )
    error = [np.sqrt(width * (1 - width) / len(found)) for width in INTERVALS]
    lines += ["", "Standard errors of the shares: " + ", ".join(f"{x:.2f}" for x in error) + ".", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else REPLICATES)
