"""Seconds of `pkpd --help` and of a warm `pkpd check`. `python command_line.py FOLDER`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from measure import fastest, report

from pkpd.cli.simulated_study import write_example

COMMAND = str(Path(sys.executable).with_name("pkpd"))


def main(folder: Path) -> None:
    """Run each several times as a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    write_example(folder)
    for name, words in (("help", ["--help"]), ("check", ["check", str(folder / "analysis.toml")])):
        subprocess.run([COMMAND, *words], check=True, capture_output=True)  # warms caches
        seconds = fastest(lambda words=words: subprocess.run([COMMAND, *words], check=True, capture_output=True))
        report("command line", f"pkpd {name}", seconds=seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
