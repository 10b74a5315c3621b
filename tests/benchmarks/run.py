"""Every benchmark, one process after another, and the table `reports/benchmarks/README.md`.

`python tests/benchmarks/run.py`, or some of it: `run.py w1 slopes`; the parts are `PARTS` below.
A peer is looked for in this environment; `PKPD_BENCH_PEERS` and `PKPD_BENCH_STAN` name the interpreters of others.
A peer that is not there is listed with the way to get it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from table import Result, page

HERE = Path(__file__).parent
OUT = HERE.parents[1] / "reports" / "benchmarks"
STAN = os.environ.get("PKPD_BENCH_STAN", sys.executable)
PEERS = os.environ.get("PKPD_BENCH_PEERS", sys.executable)
HOW = {
    "stan": "needs Python 3.12 and a C++ compiler: `pip install pystan scipy`, then `PKPD_BENCH_STAN=its/python`",
    "numbalsoda": "needs gfortran: `CMAKE_POLICY_VERSION_MINIMUM=3.5 pip install numbalsoda`, then `PKPD_BENCH_PEERS=its/python`",
    "sksundae": "`pip install scikit-sundae numba`, then `PKPD_BENCH_PEERS=its/python`",
}


def results(script: str, *arguments: str, python: str = sys.executable) -> list[Result]:
    """JSON lines of one script; one that fails says so in a line of its own, and the others go on."""
    print(f"{script} {' '.join(arguments)}", file=sys.stderr, flush=True)
    done = subprocess.run([python, str(HERE / script), *arguments], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        lines.append({"part": "failed", "engine": script, "reason": reason[:200]})
    return lines


def peer(module: str, script: str, *arguments: str, python: str = PEERS) -> list[Result]:
    """Results of a peer, or how to get it."""
    there = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0
    if not there:
        return [{"part": "absent", "engine": module, "reason": f"not installed: {HOW[module]}"}]
    return results(script, *arguments, python=python)


def w2(folder: Path) -> list[Result]:
    """Simulation."""
    reference = str(folder / "reference.npy")
    found = results("w2_reference.py", reference)
    for cores in ("1", "2"):
        # before and after the peers, so that a change of the machine's load shows
        found += results("w2.py", reference, cores)
        found += peer("numbalsoda", "w2_numbalsoda.py", reference, cores)
        found += results("w2.py", reference, cores)
    return found + peer("sksundae", "w2_cvode.py", reference, "1") + results("w2_diffrax.py", reference, "1")


def w1(folder: Path) -> list[Result]:
    """Inference."""
    ours = results("w1_pkpd.py", str(folder / "w1"))
    return ours + results("w1_pymc.py") + peer("stan", "w1_stan.py", python=STAN)


def gradient(folder: Path) -> list[Result]:
    """One gradient: cold, then from the cache, then Stan's."""
    cache = str(folder / "cache")
    ours = [each for _ in range(2) for each in results("gradient.py", cache)]
    return ours + peer("stan", "senolysis_stan.py", cache, python=STAN)


def whole(folder: Path) -> list[Result]:
    """The command line and the search."""
    return results("command_line.py", str(folder / "example")) + results("schedule_search.py")


def slopes(folder: Path) -> list[Result]:
    """How cost grows."""
    return results("slopes.py", str(folder / "slopes"))


PARTS = {"w2": w2, "w1": w1, "gradient": gradient, "whole": whole, "slopes": slopes}


def main(chosen: Sequence[str]) -> None:
    """Run the chosen parts, or all; what the others gave last is kept."""
    kept = json.loads((OUT / "results.json").read_text()) if chosen and (OUT / "results.json").is_file() else []
    found: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, part in PARTS.items():
            if chosen and name not in chosen:
                found += [each for each in kept if each["of"] == name]
            else:
                found += [{**each, "of": name} for each in part(Path(folder))]
    save(found)


def save(found: list[Result]) -> None:
    """The raw figures and the page."""
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "results.json").write_text("[\n" + ",\n".join(json.dumps(line) for line in found) + "\n]\n")
    (OUT / "README.md").write_text(page(found))


if __name__ == "__main__":
    main(sys.argv[1:])
