"""What a run folder holds: always a fit; a recommendation, simulated courses and sensitivity runs where they exist."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pkpd.domain.recommendation import Recommendation
from pkpd.errors import DataError, Finding
from pkpd.posterior import Posterior
from pkpd.report.trajectories import Trajectories, read_trajectories


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Everything that a report reads.

    Attributes
    ----------
    run
        Content of `run.json`: command, versions, timings; empty where the file is absent.
    sensitivity
        One table per scenario: `name`, `dose_factors`, `parameters` (name -> median, lower, upper, unit),
        `coverage` (arm -> share).
    hashes
        File of the folder -> sha256.
    """

    path: Path
    posterior: Posterior
    recommendation: Recommendation | None = None
    trajectories: tuple[Trajectories, ...] = ()
    sensitivity: tuple[Mapping[str, Any], ...] = ()
    run: Mapping[str, Any] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the analysis, else of the folder."""
        return str(self.posterior.analysis.get("name") or self.path.resolve().name)


def read_run(folder: Path | str) -> RunFolder:
    """Read a run folder.

    Raises
    ------
    DataError
        If there is no posterior in it, or with what is wrong in a file.
    """
    folder = Path(folder)
    if not (folder / "posterior.nc").is_file():
        message = "there is no posterior.nc in this folder" if folder.is_dir() else "there is no such folder"
        hint = "give the --out folder of `pkpd fit`"
        raise DataError(Finding(code="E_NO_FILE", where=str(folder), message=message, hint=hint))
    posterior = Posterior.open(folder / "posterior.nc")
    places = (folder / "optimize" / "recommendation.json", folder / "recommendation.json")
    recommended = next((path for path in places if path.is_file()), None)
    recommendation = None if recommended is None else Recommendation.load(recommended)
    used = [folder / "posterior.nc", *([] if recommended is None else [recommended])]
    return RunFolder(
        path=folder,
        posterior=posterior,
        recommendation=recommendation,
        trajectories=read_trajectories(folder / "simulate", _order(recommendation)),
        sensitivity=tuple(_read_json(path) for path in sorted((folder / "sensitivity").glob("*.json"))),
        run=_read_json(folder / "run.json") if (folder / "run.json").is_file() else {},
        hashes={path.relative_to(folder).as_posix(): _sha256(path) for path in used},
    )


def _order(recommendation: Recommendation | None) -> list[str]:
    if recommendation is None:
        return []
    groups = (recommendation.ranking, recommendation.references, recommendation.controls)
    first = [recommendation.best] if recommendation.best is not None else []
    missed = [recommendation.nearest_miss.name] if recommendation.nearest_miss is not None else []
    return list(dict.fromkeys([*first, *missed, *(ranked.name for group in groups for ranked in group)]))


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"is not JSON ({error})"
        raise DataError(Finding(code="E_NOT_JSON", where=str(path), message=message)) from error
    if not isinstance(content, Mapping):
        message = f"holds a {type(content).__name__}, not a table of names"
        raise DataError(Finding(code="E_NOT_JSON", where=str(path), message=message))
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
