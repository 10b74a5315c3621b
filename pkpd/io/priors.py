"""Finds prior files, shipped or one's own, and reads the component that a fit or a simulation asks for."""

from __future__ import annotations

from pathlib import Path

import pkpd
from pkpd.domain.prior import Component
from pkpd.errors import Finding, SpecError
from pkpd.io.decode import TomlTable, closest_hint, load_toml
from pkpd.io.prior_file import LAYOUTS, Kind, PriorFile, decode_prior_file


def priors_folder() -> Path:
    """Folder of the shipped priors: inside an installed wheel, beside the package in a checkout."""
    package = Path(pkpd.__file__).parent
    installed = package / "_shipped" / "priors"
    return installed if installed.is_dir() else package.parent / "priors"


def shipped_prior_files() -> tuple[Path, ...]:
    """Every shipped prior file, sorted."""
    return tuple(sorted(priors_folder().glob("*/*.toml")))


def shipped_prior_names(kind: Kind) -> tuple[str, ...]:
    """Names of the shipped prior files of one kind, sorted."""
    return tuple(sorted(path.stem for path in (priors_folder() / LAYOUTS[kind].folder).glob("*.toml")))


def read_component(kind: Kind | str, name: str | Path, setting: str) -> Component:
    """Component of a shipped prior file, or of a file of one's own (`name` ends in `.toml`), in one setting.

    Raises
    ------
    SpecError
        If there is no such file, if it does not know the setting, or with everything that is wrong in it.
    """
    kind = Kind(kind)
    file = read_file(_locate(kind, name))
    if file.kind is not kind:
        raise SpecError(
            Finding(
                code="E_KIND",
                where=str(name),
                message=f"describes a {file.kind}, not a {kind}",
                hint=f"name a file that starts with [{kind}]",
            )
        )
    if setting not in file.components:
        raise SpecError(
            Finding(
                code="E_SETTING",
                where=file.path.name,
                message=f"says nothing about the setting '{setting}'",
                hint=f"it knows {', '.join(file.components)}; add tables [{setting}.{LAYOUTS[kind].part}.FIELD]",
            )
        )
    return file.components[setting]


def read_file(path: Path) -> PriorFile:
    """Read one prior file.

    Raises
    ------
    SpecError
        If it cannot be opened, or with everything that is wrong in it.
    """
    findings: list[Finding] = []
    root = TomlTable(load_toml(path), findings, where=path.name)
    file = decode_prior_file(root, path)
    if findings or file is None:
        raise SpecError(findings)
    return file


def _locate(kind: Kind, name: str | Path) -> Path:
    path = Path(name)
    if path.suffix == ".toml":
        return path
    shipped = priors_folder() / LAYOUTS[kind].folder / f"{name}.toml"
    if shipped.is_file():
        return shipped
    raise SpecError(
        Finding(
            code="E_UNKNOWN_NAME",
            where=str(name),
            message=f"there is no shipped {kind} '{name}'",
            hint=closest_hint(str(name), shipped_prior_names(kind)) + "; a file of your own ends in .toml",
        )
    )
