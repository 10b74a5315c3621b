"""Seconds of `pkpd --help` and of a warm `pkpd check`. `python command_line.py FOLDER`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from measure import fastest, report

from pkpd.cli.simulated_study import write_example

COMMAND = str(Path(sys.executable).with_name("pkpd"))
# Warm means that Python has kept its compiled files, which this variable forbids.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def main(folder: Path) -> None:
    """Run each several times as a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    write_example(folder)
    for name, words in (("help", ["--help"]), ("check", ["check", str(folder / "analysis.toml")])):
        call = [COMMAND, *words]
        subprocess.run(call, check=True, capture_output=True, env=ENVIRONMENT)  # warms caches
        seconds = fastest(lambda call=call: subprocess.run(call, check=True, capture_output=True, env=ENVIRONMENT))
        report("command line", f"pkpd {name}", seconds=seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
