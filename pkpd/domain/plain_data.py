"""Frozen dataclasses to plain JSON values and back, with every wrong value reported by its place."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pkpd.errors import DataError, Finding


def to_plain(value: object) -> Any:
    """Dictionaries, lists, text, numbers, booleans and None.

    Raises
    ------
    ValueError
        If a number is not finite: JSON has no word for it, so absent numbers must be None.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        message = "a number in a result is not finite; use None where there is no number"
        raise ValueError(message)
    return str(value) if isinstance(value, StrEnum) else value


def from_plain[T](kind: type[T], plain: object, *, where: str) -> T:
    """Rebuild `kind` from what `to_plain` gave.

    Raises
    ------
    DataError
        With every missing, unknown or mistyped value at once.
    """
    findings: list[Finding] = []
    value = _read(kind, plain, where, findings)
    if findings:
        raise DataError(findings)
    return value


def _read(kind: Any, plain: Any, where: str, findings: list[Finding]) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        inner = [option for option in typing.get_args(kind) if option is not type(None)]
        return None if plain is None else _read(inner[0], plain, where, findings)
    if origin is tuple:
        return _read_tuple(kind, plain, where, findings)
    if origin is not None and issubclass(origin, Mapping):
        return _read_mapping(kind, plain, where, findings)
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, plain, where, findings)
    return _read_scalar(kind, plain, where, findings)


def _read_tuple(kind: Any, plain: Any, where: str, findings: list[Finding]) -> tuple[Any, ...]:
    if not isinstance(plain, list):
        findings.append(_wrong(where, "a list", plain))
        return ()
    arguments = typing.get_args(kind)
    item_kinds = [arguments[0]] * len(plain) if arguments[-1] is Ellipsis else list(arguments)
    if len(item_kinds) != len(plain):
        findings.append(_wrong(where, f"a list of {len(item_kinds)} values", plain))
        return ()
    pairs = enumerate(zip(item_kinds, plain, strict=True))
    return tuple(_read(item_kind, item, f"{where}[{index}]", findings) for index, (item_kind, item) in pairs)


def _read_mapping(kind: Any, plain: Any, where: str, findings: list[Finding]) -> dict[str, Any]:
    if not isinstance(plain, dict):
        findings.append(_wrong(where, "a table of names", plain))
        return {}
    item_kind = typing.get_args(kind)[1]
    return {key: _read(item_kind, item, _inside(where, key), findings) for key, item in plain.items()}


def _read_dataclass(kind: Any, plain: Any, where: str, findings: list[Finding]) -> Any:
    if not isinstance(plain, dict):
        findings.append(_wrong(where, f"a table ({kind.__name__})", plain))
        return None
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    before, values = len(findings), {}
    findings.extend(
        Finding(
            code="E_UNKNOWN_KEY",
            where=_inside(where, name),
            message=f"'{name}' is not known here",
            hint="the file may come from a newer version of pkpd; write it again with this one",
        )
        for name in plain
        if name not in fields
    )
    for name, field in fields.items():
        if name in plain:
            values[name] = _read(hints[name], plain[name], _inside(where, name), findings)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            findings.append(
                Finding(
                    code="E_MISSING_KEY",
                    where=_inside(where, name),
                    message=f"'{name}' is missing",
                    hint="the file is cut off or was edited; write it again with `pkpd optimize`",
                )
            )
    return kind(**values) if len(findings) == before else None


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if ":" in where else f"{where}: {name}"


def _read_scalar(kind: Any, plain: Any, where: str, findings: list[Finding]) -> Any:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        words = [str(member) for member in kind]
        if plain not in words:
            findings.append(_wrong(where, "one of " + ", ".join(repr(word) for word in words), plain))
            return None
        return kind(plain)
    number = isinstance(plain, (int, float)) and not isinstance(plain, bool)
    if kind is float and number:
        return float(plain)
    if kind is int and number and isinstance(plain, int):
        return plain
    if kind in (str, bool) and isinstance(plain, kind):
        return plain
    names = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
    findings.append(_wrong(where, names.get(kind, str(kind)), plain))
    return None


def _wrong(where: str, expected: str, found: object) -> Finding:
    shown = repr(found)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return Finding(
        code="E_WRONG_TYPE",
        where=where,
        message=f"expected {expected}, found {shown}",
        hint="write the file again with `pkpd optimize`",
    )
