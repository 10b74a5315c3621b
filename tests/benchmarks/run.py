"""Every benchmark, one process after another, and the table `reports/benchmarks/README.md`.

`python tests/benchmarks/run.py`. A peer is looked for in this environment; `PKPD_BENCH_PEERS` names the interpreter of another one.
A peer that is not there is listed with the way to get it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from table import page

HERE = Path(__file__).parent
OUT = HERE.parents[1] / "reports" / "benchmarks"
PEERS = os.environ.get("PKPD_BENCH_PEERS", sys.executable)
HOW = {
    "numbalsoda": "needs gfortran: `CMAKE_POLICY_VERSION_MINIMUM=3.5 pip install numbalsoda`, then `PKPD_BENCH_PEERS=its/python`",
    "sksundae": "`pip install scikit-sundae numba`, then `PKPD_BENCH_PEERS=its/python`",
}


def results(script: str, *arguments: str, python: str = sys.executable) -> list[dict[str, object]]:
    """JSON lines of one script; one that fails says so in a line of its own, and the others go on."""
    print(f"{script} {' '.join(arguments)}", file=sys.stderr, flush=True)
    done = subprocess.run([python, str(HERE / script), *arguments], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        lines.append({"part": "failed", "engine": script, "reason": reason[:200]})
    return lines


def peer(module: str, script: str, *arguments: str) -> list[dict[str, object]]:
    """Results of a peer, or how to get it."""
    there = subprocess.run([PEERS, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0
    if not there:
        return [{"part": "absent", "engine": module, "reason": f"not installed: {HOW[module]}"}]
    return results(script, *arguments, python=PEERS)


def main() -> None:
    """Run all, write the raw figures and the page."""
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
        for _ in range(2):  # cold, then from the cache
            found += results("gradient.py", str(Path(folder) / "cache"))
        found += results("command_line.py", str(Path(folder) / "example"))
        found += results("schedule_search.py")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "results.json").write_text("[\n" + ",\n".join(json.dumps(line) for line in found) + "\n]\n")
    (OUT / "README.md").write_text(page(found))


if __name__ == "__main__":
    main()
