"""How every benchmark measures and reports: one JSON object a line on standard output."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable


def fastest(run: Callable[[], object], *, repeats: int = 3) -> float:
    """Seconds of the fastest repeat: what else the machine does only adds."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return min(times)


def report(part: str, engine: str, **figures: object) -> None:
    """One result; the load of the machine is part of it."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    print(json.dumps({"part": part, "engine": engine, **figures, "load": load}), flush=True)
