"""Progress of a long step on stderr: a bar for a terminal, lines for a log, JSON for a program, or nothing."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pkpd.cli.messages import tell
from pkpd.cli.options import ProgressMode

type Update = Callable[..., None]

_STEPS_OF_A_LOG = 10
_SECONDS_BETWEEN_LINES = 15.0
_SECONDS_BETWEEN_RECORDS = 0.5


@contextmanager
def progress_of(title: str, mode: ProgressMode, *, quiet: bool = False) -> Iterator[Update]:
    """Show the progress of one step.

    Yields
    ------
    A function of what is done, what is expected, and perhaps a note.
    """
    chosen = ProgressMode.NONE if quiet else mode
    if chosen is ProgressMode.AUTO and _is_terminal():
        with _bar(title) as update:
            yield update
    elif chosen in (ProgressMode.AUTO, ProgressMode.PLAIN):
        yield _lines(title)
    elif chosen is ProgressMode.JSONL:
        yield _records(title)
    else:
        yield _nothing


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def _bar(title: str) -> Iterator[Update]:
    from rich.console import Console  # slow import
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(title, total=None, note="")

        def update(done: int, total: int, note: str = "") -> None:
            shown.update(task, completed=done, total=max(total, 1), note=note)

        yield update


def _lines(title: str) -> Update:
    """A line for each tenth, or after a while without one."""
    last_share, last_time = -1.0, float("-inf")

    def update(done: int, total: int, note: str = "") -> None:
        nonlocal last_share, last_time
        share, now = done / max(total, 1), time.monotonic()
        finished = done >= total and last_share < 1.0
        late = now - last_time >= _SECONDS_BETWEEN_LINES
        if finished or late or share - last_share >= 1.0 / _STEPS_OF_A_LOG:
            tell(f"{title}: {100.0 * share:3.0f} % ({done} of {total}){f', {note}' if note else ''}")
            last_share, last_time = share, now

    return update


def _records(title: str) -> Update:
    last_time = float("-inf")

    def update(done: int, total: int, note: str = "") -> None:
        nonlocal last_time
        now = time.monotonic()
        if done >= total or now - last_time >= _SECONDS_BETWEEN_RECORDS:
            record = {"event": "progress", "step": title, "done": done, "total": total, "note": note}
            tell(json.dumps(record))
            last_time = now

    return update


def _nothing(done: int, total: int, note: str = "") -> None:
    """No progress at all."""
