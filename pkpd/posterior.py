"""The result of a fit as a read-only view of `posterior.nc`: draws, the diagnostics gate and where it all came from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pkpd.errors import DataError, Finding, PkpdError

SCHEMA = 1
SAMPLE_DIMS = ("chain", "draw")
TEXT_ATTRIBUTES = ("pkpd_version", "engine", "created")
JSON_ATTRIBUTES = ("inputs", "analysis", "gate", "sources")
FEWEST_DRAWS = 25  # of which a tail is smoothed when an observation is left out
SMALLEST_CHANGE = 1e-4  # of the log-likelihood of an observation over all draws: less tells no draw from another
DERIVED_SUFFIXES = ("between", "eta", "subject", "shift", "residual", "occasion", "kappa")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCheck:
    """One line of the diagnostics gate; `worst` names the parameter or observation that set `value`."""

    name: str
    value: float
    limit: float
    passed: bool
    worst: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Whether the draws may be trusted, and every check that says so."""

    passed: bool
    checks: tuple[GateCheck, ...] = ()

    @property
    def failed(self) -> tuple[GateCheck, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Draws of every parameter with ArviZ group names, in the units that the priors were written in.

    Attributes
    ----------
    tree
        Groups `posterior`, `prior`, `sample_stats`, ... ; the root attributes hold the provenance.
    path
        File that it was read from; None while it has not been saved.
    """

    tree: xr.DataTree
    path: Path | None = None

    def __post_init__(self) -> None:
        findings = _findings(self.tree, where=str(self.path or "posterior"))
        if findings:
            raise DataError(findings)

    @staticmethod
    def open(path: str | Path) -> Posterior:
        """Read a posterior into memory and check that it is one.

        Raises
        ------
        DataError
            If the file is missing, truncated, not a NetCDF-4 file, or not written by `pkpd fit`; all findings at once.
        """
        return Posterior(tree=_read(Path(path)), path=Path(path))

    def save(self, path: str | Path) -> Path:
        """Write the file in one step, so that an interrupted run leaves no half-written posterior.

        Raises
        ------
        PkpdError
            If the folder cannot be written to.
        """
        target = Path(path)
        partial = target.with_name(f".{target.name}.partial")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self.tree.to_netcdf(partial, engine="h5netcdf")
            os.replace(partial, target)
        except OSError as error:
            raise PkpdError(
                Finding(
                    code="E_NOT_WRITABLE",
                    where=str(target),
                    message=f"the posterior could not be written ({error.strerror or error})",
                    hint="choose a folder that you may write to with --out",
                )
            ) from error
        return target

    @property
    def names(self) -> tuple[str, ...]:
        """Every variable of the group `posterior`."""
        return tuple(str(name) for name in self.tree["posterior"].data_vars)

    @property
    def typical_names(self) -> tuple[str, ...]:
        """Typical values only: one number per draw, neither a spread nor a residual."""
        group = self.tree["posterior"]
        return tuple(
            name
            for name in self.names
            if group[name].ndim == len(SAMPLE_DIMS)
            and name.rpartition(".")[2] not in DERIVED_SUFFIXES
            and name.partition(".")[0] not in ("correlation", *self.analysis.get("endpoints", ()))
        )

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups that the file holds."""
        return tuple(self.tree.children)

    @property
    def size(self) -> int:
        """Number of draws over all chains."""
        sizes = self.tree["posterior"].sizes
        return int(sizes["chain"] * sizes["draw"])

    def has_group(self, group: str) -> bool:
        """Whether the file holds a group of this name."""
        return group in self.tree.children

    def group(self, name: str) -> xr.Dataset:
        """One group as a dataset.

        Raises
        ------
        DataError
            If the file has no such group.
        """
        if not self.has_group(name):
            raise DataError(
                Finding(
                    code="E_NO_GROUP",
                    where=str(self.path or "posterior"),
                    message=f"there is no group '{name}'",
                    hint=f"it holds {', '.join(self.groups)}",
                )
            )
        return self.tree[name].to_dataset()

    def values(self, name: str, group: str = "posterior") -> NDArray[np.float64]:
        """Draws of one variable as a read-only array [sample, ...], chains one after another.

        Raises
        ------
        DataError
            If the group has no such variable.
        """
        array = self._variable(name, group)
        rest = [dim for dim in array.dims if dim not in SAMPLE_DIMS]
        ordered = array.transpose(*SAMPLE_DIMS, *rest).values
        flat = np.array(ordered, dtype=np.float64).reshape(-1, *ordered.shape[2:])
        flat.flags.writeable = False
        return flat

    def units(self, name: str, group: str = "posterior") -> str:
        """Return the unit of a variable as written in the priors; `1` for a plain number."""
        return str(self._variable(name, group).attrs["units"])

    def _variable(self, name: str, group: str) -> xr.DataArray:
        dataset = self.group(group)
        if name not in dataset.data_vars:
            raise DataError(
                Finding(
                    code="E_NO_PARAMETER",
                    where=f"{self.path or 'posterior'}: {group}",
                    message=f"there is no variable '{name}'",
                    hint=f"it holds {', '.join(str(each) for each in dataset.data_vars)}",
                )
            )
        return dataset[name]

    @property
    def gate(self) -> Gate:
        """The diagnostics gate as the fit left it."""
        written = self._json("gate")
        checks = tuple(
            GateCheck(
                name=str(check["name"]),
                value=_number(check.get("value")),
                limit=_number(check.get("limit")),
                passed=bool(check["passed"]),
                worst=str(check.get("worst") or ""),
            )
            for check in written["checks"]
        )
        return Gate(passed=bool(written["passed"]), checks=checks)

    @property
    def reliable(self) -> bool:
        """Whether the gate passed."""
        return self.gate.passed

    @property
    def seed(self) -> int:
        """Seed of the fit."""
        return int(self.tree.attrs["seed"])

    @property
    def engine(self) -> str:
        """Sampler that drew it."""
        return str(self.tree.attrs["engine"])

    @property
    def created(self) -> str:
        """ISO date of the fit."""
        return str(self.tree.attrs["created"])

    @property
    def pkpd_version(self) -> str:
        """Version that wrote the file."""
        return str(self.tree.attrs["pkpd_version"])

    @property
    def inputs(self) -> Mapping[str, str]:
        """Path as written -> sha256 of every file that the fit read."""
        return self._json("inputs")

    @property
    def analysis(self) -> Mapping[str, Any]:
        """Names of disease, combination, growth law, drugs and setting, and the assumptions."""
        return self._json("analysis")

    @property
    def sources(self) -> Any:
        """Every document that a prior came from."""
        return self._json("sources")

    def _json(self, name: str) -> Any:
        return json.loads(self.tree.attrs[name])


def _number(value: object) -> float:
    return float("nan") if value is None else float(value)  # type: ignore[arg-type]


def _read(path: Path) -> xr.DataTree:
    if not path.is_file():
        raise DataError(
            Finding(
                code="E_NO_FILE",
                where=str(path),
                message="there is no such file" if not path.exists() else "this is not a file",
                hint="write the path of a posterior.nc; `pkpd fit analysis.toml` writes one",
            )
        )
    try:
        with xr.open_datatree(path, engine="h5netcdf") as lazy:
            return lazy.load().map_over_datasets(_without_objects)
    except (OSError, ValueError, KeyError, RuntimeError, UnicodeDecodeError) as error:
        raise DataError(_unreadable(path)) from error


def _without_objects(dataset: xr.Dataset) -> xr.Dataset:
    """Text comes back from HDF5 as objects; give it the fixed width that it was written with."""
    text = {name: array.astype(str) for name, array in dataset.variables.items() if array.dtype == object}
    return dataset.assign(text) if text else dataset


def _unreadable(path: Path) -> Finding:
    with path.open("rb") as stream:
        head = stream.read(8)
    if not head:
        found, hint = "the file is empty", "the fit may have been interrupted; run `pkpd fit` again"
    elif head == b"\x89HDF\r\n\x1a\n":
        found = f"the file starts as NetCDF-4 but cannot be read to its end ({path.stat().st_size} bytes): truncated?"
        hint = "copy it again, or run `pkpd fit` again"
    else:
        found, hint = f"this is not a NetCDF-4 file (it starts with {head!r})", "write the path of a posterior.nc"
    return Finding(code="E_NOT_NETCDF", where=str(path), message=found, hint=hint)


def _findings(tree: xr.DataTree, *, where: str) -> list[Finding]:
    schema = tree.attrs.get("schema")
    if schema is None:
        return [
            Finding(
                code="E_NOT_A_POSTERIOR",
                where=where,
                message="the root has no attribute 'schema': it was not written by `pkpd fit`",
                hint="give the posterior.nc of a run folder",
            )
        ]
    if int(schema) != SCHEMA:
        return [
            Finding(
                code="E_SCHEMA",
                where=where,
                message=f"schema {int(schema)} was found, this version reads schema {SCHEMA}",
                hint="run `pkpd fit` again with this version",
            )
        ]
    return [*_attribute_findings(tree.attrs, where), *_group_findings(tree, where)]


def _attribute_findings(attributes: Mapping[Any, Any], where: str) -> list[Finding]:
    findings = [
        Finding(
            code="E_NO_PROVENANCE",
            where=where,
            message=f"the root has no attribute '{name}'",
            hint="run `pkpd fit` again: a posterior without provenance is not used",
        )
        for name in (*TEXT_ATTRIBUTES, "seed", *JSON_ATTRIBUTES)
        if name not in attributes
    ]
    for name in JSON_ATTRIBUTES:
        if name not in attributes:
            continue
        try:
            decoded = json.loads(str(attributes[name]))
        except json.JSONDecodeError as error:
            findings.append(_bad_attribute(where, name, f"is not JSON ({error.msg} at character {error.pos})"))
            continue
        if name == "gate" and not _is_gate(decoded):
            findings.append(_bad_attribute(where, name, "does not hold 'passed' and a list of 'checks'"))
    return findings


def _bad_attribute(where: str, name: str, message: str) -> Finding:
    return Finding(
        code="E_BAD_ATTRIBUTE",
        where=f"{where}: attribute '{name}'",
        message=message,
        hint="run `pkpd fit` again; the file was changed after it was written",
    )


def _is_gate(decoded: object) -> bool:
    if not isinstance(decoded, Mapping) or not isinstance(decoded.get("passed"), bool):
        return False
    checks = decoded.get("checks")
    return isinstance(checks, Sequence) and all(
        isinstance(check, Mapping) and "name" in check and "passed" in check for check in checks
    )


def _group_findings(tree: xr.DataTree, where: str) -> list[Finding]:
    if "posterior" not in tree.children or not tree["posterior"].data_vars:
        return [
            Finding(
                code="E_NO_GROUP",
                where=where,
                message="there is no group 'posterior' with draws",
                hint="give the posterior.nc of a run folder",
            )
        ]
    findings: list[Finding] = []
    for group in ("posterior", "prior"):
        if group not in tree.children:
            continue
        for name, array in tree[group].data_vars.items():
            place = f"{where}: {group}/{name}"
            missing = [dim for dim in SAMPLE_DIMS if dim not in array.dims]
            if missing:
                hint = f"its dimensions are {', '.join(map(str, array.dims)) or 'none'}"
                message = f"lacks the dimension {', '.join(missing)}"
                findings.append(Finding(code="E_DIMENSION", where=place, message=message, hint=hint))
            if array.dtype.kind not in "fiu":
                message = f"has the type {array.dtype}, not a number"
                findings.append(Finding(code="E_NOT_NUMERIC", where=place, message=message))
            elif not np.isfinite(array.values).all():
                message = f"{int((~np.isfinite(array.values)).sum())} of {array.size} draws are not finite"
                findings.append(Finding(code="E_NOT_FINITE", where=place, message=message))
            if "units" not in array.attrs:
                message = "has no attribute 'units'"
                hint = "write the unit of the prior; '1' for a plain number"
                findings.append(Finding(code="E_NO_UNIT", where=place, message=message, hint=hint))
    for group, node in tree.children.items():
        findings += [
            Finding(
                code="E_OBJECT_TYPE",
                where=f"{where}: {group}/{name}",
                message="holds Python objects, which a file cannot keep faithfully",
                hint="convert text to fixed-width unicode before saving",
            )
            for name, array in node.dataset.variables.items()
            if array.dtype == object
        ]
    return findings
