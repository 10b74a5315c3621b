"""The record of a run folder, `run.json`: what was asked, when, with which versions and inputs, and how it ended."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pkpd.cli.messages import tell
from pkpd.errors import DataError, ExitCode, Finding, PkpdError

SCHEMA = 1
RECORD = "run.json"
POSTERIOR = "posterior.nc"
# What a run may hold; --overwrite takes these away and nothing else.
CONTENTS = (
    *(RECORD, POSTERIOR, "analysis.resolved.toml", "study.csv"),
    *("checkpoints", "export", "optimize", "priors", "report", "sensitivity", "simulate"),
)
_STARTED = (RECORD, "analysis.resolved.toml", "study.csv")  # what a fit writes before it samples
_VERSIONS = (
    *("pkpd-scheduler", "arviz", "equinox", "jax", "numpy", "numpyro", "nutpie", "pandas", "pymc", "scipy", "xarray"),
)


@dataclass(slots=True, kw_only=True)
class Entry:
    """One command that works on a run folder.

    Attributes
    ----------
    command
        `pkpd fit`, and so on; `options` are its arguments as they were understood.
    status
        `running`, then `ok`, a word for the exit code, `failed` or `interrupted`.
    timings
        Name -> seconds.
    inputs
        Path as written -> sha256.
    """

    command: str
    options: Mapping[str, Any]
    seed: int | None
    inputs: Mapping[str, str]
    status: str = "running"
    started: str = ""
    timings: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Measure a part of the command."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings[name] = round(time.perf_counter() - start, 3)

    def plain(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {
            "command": self.command,
            "options": {name: _plain(value) for name, value in sorted(self.options.items())},
            "seed": self.seed,
            "status": self.status,
            "started": self.started,
            "timings": self.timings,
            "inputs": dict(self.inputs),
        }


@contextlib.contextmanager
def recorded(folder: Path, entry: Entry) -> Iterator[Entry]:
    """Record a command in `run.json` while it runs: `pkpd fit` starts the record, the others add to its list `later`.

    A folder without a record (a posterior that was copied somewhere) is left without one.
    """
    path = folder / RECORD
    first = entry.command == "pkpd fit"
    if not first and not path.is_file():
        yield entry
        return
    before = {} if first else _read(path)
    entry.started = datetime.now(UTC).isoformat(timespec="seconds")

    def write() -> None:
        if first:
            content = {"schema": SCHEMA, **entry.plain(), "versions": versions(), "later": []}
        else:
            content = {**before, "later": [*before.get("later", []), entry.plain()]}
        write_text(path, json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n")

    write()
    try:
        with entry.timed("total_s"):
            yield entry
        entry.status = "ok" if entry.status == "running" else entry.status
    except KeyboardInterrupt:
        entry.status = "interrupted"
        tell(f"{folder} keeps {', '.join(kept(folder))}")
        raise
    except BaseException:
        entry.status = "failed" if entry.status == "running" else entry.status
        raise
    finally:
        write()


def kept(folder: Path) -> tuple[str, ...]:
    """Names of the results in a run folder."""
    return tuple(name for name in sorted(CONTENTS) if (folder / name).exists())


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other commands out of a run folder while one works in it; where files cannot be locked, nothing is kept out.

    Raises
    ------
    PkpdError
        If another command is at work there, or the folder cannot be written to.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    require_writable(folder)
    path = folder / ".pkpd.lock"
    with path.open("w", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            message, hint = "another pkpd command is at work in it", "wait until it is done, or choose another --out"
            raise PkpdError(Finding(code="E_IN_USE", where=str(folder), message=message, hint=hint)) from error
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def start_run(folder: Path, *, overwrite: bool) -> None:
    """Make a run folder ready to be written to; what a fit left that never came to a posterior is no result.

    Raises
    ------
    PkpdError
        If it holds results and `overwrite` is not asked for, or if it cannot be written to.
    """
    there = kept(folder)
    # without locks, as on Windows, the files of a fit that is still at work look the same
    unfinished = RECORD in there and set(there) <= set(_STARTED) and sys.platform != "win32"
    if there and not overwrite and not unfinished:
        message, hint = f"holds {', '.join(there)}", "choose another --out, or add --overwrite to replace them"
        raise PkpdError(Finding(code="E_EXISTS", where=str(folder), message=message, hint=hint))
    require_writable(folder)
    for name in there:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def require_writable(folder: Path) -> None:
    """Create a folder and a file in it, before anything long is computed for it.

    Raises
    ------
    PkpdError
        If that fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise _not_writable(folder, error) from error


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """A result is replaced on request only.

    Raises
    ------
    PkpdError
        If the file is there and may not be replaced.
    """
    if path.exists() and not overwrite:
        raise PkpdError(Finding(code="E_EXISTS", where=str(path), message="is there already", hint="add --overwrite"))


def write_text(path: Path, text: str) -> Path:
    """Write a text file in one step, so that an interruption leaves no half of it.

    Raises
    ------
    PkpdError
        If it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8", newline="\n")
        os.replace(partial, path)
    except OSError as error:
        raise _not_writable(path, error) from error
    return path


def posterior_path(given: Path) -> Path:
    """The posterior of a run folder, or the file itself."""
    return given / POSTERIOR if given.is_dir() else given


def sha256(path: Path) -> str:
    """Digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of everything that a number may depend on."""
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        with contextlib.suppress(PackageNotFoundError):
            found["pkpd" if name == "pkpd-scheduler" else name] = version(name)
    return found


def status_of(code: ExitCode) -> str:
    """Word for the end of a command that gave a result."""
    return "ok" if code is ExitCode.OK else code.name.lower().replace("_", " ")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(_bad_record(path, f"is not JSON ({error})")) from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA or not isinstance(content.get("later"), list):
        raise DataError(_bad_record(path, f"is not a record of schema {SCHEMA}"))
    return content


def _bad_record(path: Path, message: str) -> Finding:
    return Finding(code="E_NOT_JSON", where=str(path), message=message, hint="run `pkpd fit` again, or delete the file")


def _not_writable(path: Path, error: OSError) -> PkpdError:
    message, hint = f"cannot be written ({error.strerror or error})", "choose a folder that you may write to with --out"
    return PkpdError(Finding(code="E_NOT_WRITABLE", where=str(path), message=message, hint=hint))


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Iterable) and not isinstance(value, (str, Mapping)):
        return [_plain(each) for each in value]
    return value
