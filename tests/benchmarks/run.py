"""Every benchmark, one process after another, and the table `reports/benchmarks/README.md`.

`python tests/benchmarks/run.py`. A peer is looked for in this environment; `PKPD_BENCH_PEERS` and `PKPD_BENCH_STAN` name the
interpreters of others.
A peer that is not there is listed with the way to get it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
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


def main() -> None:
    """Run all, write all."""
    with tempfile.TemporaryDirectory() as folder:
        reference = str(Path(folder) / "reference.npy")
        found = results("w2_reference.py", reference)
        for cores in ("1", "2"):
            # before and after the peers, so that a change of the machine's load shows
            found += results("w2.py", reference, cores)
            found += peer("numbalsoda", "w2_numbalsoda.py", reference, cores)
            found += results("w2.py", reference, cores)
        found += peer("sksundae", "w2_cvode.py", reference, "1")
        found += results("w2_diffrax.py", reference, "1")
        found += (
            results("w1_pkpd.py", str(Path(folder) / "w1"))
            + results("w1_pymc.py")
            + peer("stan", "w1_stan.py", python=STAN)
        )
        for _ in range(2):  # cold, then from the cache
            found += results("gradient.py", str(Path(folder) / "cache"))
        found += peer("stan", "senolysis_stan.py", str(Path(folder) / "cache"), python=STAN)
        found += results("command_line.py", str(Path(folder) / "example"))
        found += results("schedule_search.py")
        found += results("slopes.py", str(Path(folder) / "slopes"))
    save(found)


def save(found: list[Result]) -> None:
    """The raw figures and the page."""
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "results.json").write_text("[\n" + ",\n".join(json.dumps(line) for line in found) + "\n]\n")
    (OUT / "README.md").write_text(page(found))


if __name__ == "__main__":
    main()
