"""Typed getters over TOML tables that know their path and collect findings, so that one run reports all of a file's.

A getter returns None where the value is missing or unusable, and has then reported why; a caller builds its object only
if nothing was reported. Keys that nobody asked for are slips of the pen, and `refuse_unknown` names the likely word.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from pkpd import units
from pkpd.errors import Finding, SpecError

_SHOWN_CHARACTERS = 60


class Quantity(NamedTuple):
    """A number and its unit, as written; a pure number has the unit `1`."""

    value: float
    unit: str


def load_toml(path: Path) -> dict[str, object]:
    """Content of a TOML file.

    Raises
    ------
    SpecError
        If the file cannot be opened, is not text or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        hint = f"write the path of a TOML file{'' if path.is_absolute() else f', as seen from {Path.cwd().name}/'}"
        finding = Finding(code="E_FILE", where=str(path), message=f"cannot be read: {error.strerror}", hint=hint)
    except UnicodeDecodeError:
        finding = Finding(code="E_NOT_TEXT", where=str(path), message="is not a text file", hint="give a TOML file")
    except tomllib.TOMLDecodeError as error:
        hint = 'a line is [table], or key = value with text in quotes: amount = "125 mg"'
        finding = Finding(code="E_TOML", where=str(path), message=f"is not valid TOML: {error}", hint=hint)
    raise SpecError(finding)


def closest_hint(word: str, choices: Iterable[str]) -> str:
    """Hint that names the closest choice, or all of them where none is close."""
    names = tuple(choices)
    close = get_close_matches(word.lower(), names, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"write one of {', '.join(f"'{name}'" for name in names)}" if names else "delete it"


def unknown_source(key: str, sources: Iterable[str]) -> tuple[str, str, str, str]:
    """Finding of a source that is not described: code, key, message, hint."""
    hint = f'write [sources.{key}] with title = "..."'
    names = tuple(sources)
    if names:
        hint += f", or {closest_hint(key, names)}"
    return "E_UNKNOWN_SOURCE", "source", f"there is no [sources.{key}]", hint


class TomlTable:
    """One TOML table, its path, and the findings of the file it stands in.

    Parameters
    ----------
    where
        File, or file and path (`palbociclib.toml: human.pk`): the start of the `where` of each finding.
    """

    def __init__(self, values: Mapping[str, object], findings: list[Finding], *, where: str) -> None:
        self.values = values
        self.findings = findings
        self.where = where
        self._asked: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def place(self, key: str) -> str:
        """Where a key of this table stands: `palbociclib.toml: human.pk.model`."""
        return f"{self.where}.{key}" if ": " in self.where else f"{self.where}: {key}"

    def report(self, code: str, key: str, message: str, hint: str = "") -> None:
        """Add a finding about one key."""
        self.findings.append(Finding(code=code, where=self.place(key), message=message, hint=hint))

    def ask(self, *keys: str) -> None:
        """Count keys as known, without reading them."""
        self._asked.update(dict.fromkeys(keys))

    def refuse_unknown(self) -> None:
        """Report each key that was never asked for, with the word that it may stand for."""
        for key in self.values:
            if key not in self._asked:
                unused = [word for word in self._asked if word not in self.values] or list(self._asked)
                self.report("E_UNKNOWN_KEY", key, f"'{key}' is not a word of this table", closest_hint(key, unused))

    def text(self, key: str, *, required: bool = True, example: str = "...") -> str | None:
        """Text that is not empty."""
        value = self._get(key, required=required, hint=f'write {key} = "{example}"')
        if value is None or (isinstance(value, str) and value.strip()):
            return value if isinstance(value, str) else None
        self._mistyped(key, value, "text", f'write {key} = "{example}", in quotes')
        return None

    def choice[E: StrEnum](self, key: str, kind: type[E], *, required: bool = True) -> E | None:
        """Member of an enumeration, by its text."""
        names = [str(member) for member in kind]
        text = self.text(key, required=required, example=names[0])
        if text is None:
            return None
        if text in names:
            return kind(text)
        self.report("E_CHOICE", key, f"'{text}' is not known here", closest_hint(text, names))
        return None

    def number(self, key: str, *, required: bool = True, above: float = -math.inf) -> float | None:
        """Pure number, greater than `above`."""
        value = self._get(key, required=required, hint=f"write {key} = 0.3")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._mistyped(key, value, "a pure number", f"write {key} = 0.3, without quotes and without a unit")
            return None
        return self._in_range(key, float(value), above)

    def integer(self, key: str, *, required: bool = True) -> int | None:
        """Whole number."""
        value = self._get(key, required=required, hint=f"write {key} = 1")
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value if isinstance(value, int) else None
        self._mistyped(key, value, "a whole number", f"write {key} = 1")
        return None

    def day(self, key: str, *, required: bool = True) -> date | None:
        """Date, written as TOML writes it: 2026-11-22 without quotes."""
        value = self._get(key, required=required, hint=f"write {key} = 2026-11-22")
        if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
            return value if isinstance(value, date) else None
        self._mistyped(key, value, "a date", f"write {key} = 2026-11-22, without quotes")
        return None

    def quantity(
        self, key: str, *, like: str | None = None, required: bool = True, above: float = -math.inf
    ) -> Quantity | None:
        """Number with its unit as text (`"61 L/h"`), or a bare TOML number where it is a pure number.

        Parameters
        ----------
        like
            A unit that measures the same thing; None accepts any.
        above
            Bound, in the written unit, that the number must exceed.
        """
        example = f'"61 {like}"' if like not in (None, "1") else "0.15"
        value = self._get(key, required=required, hint=f"write {key} = {example}")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            self._mistyped(key, value, "a number with a unit", f"write {key} = {example if like else '"61 L/h"'}")
            return None
        found = self._split(key, value, like)
        if found is None or self._in_range(key, found.value, above) is None:
            return None
        return found

    def table(self, key: str, *, required: bool = True, example: str = "") -> TomlTable | None:
        """Table inside this one."""
        value = self._get(key, required=required, hint=f"write {example or f'a table named {key}'}")
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self._mistyped(key, value, "a table", f"write {key} = {{ ... }}")
            return None
        return TomlTable(value, self.findings, where=self.place(key))

    def tables(self) -> tuple[tuple[str, TomlTable], ...]:
        """Every key of this table, each of which must hold a table."""
        found = ((key, self.table(key)) for key in self.values)
        return tuple((key, table) for key, table in found if table is not None)

    def _get(self, key: str, *, required: bool, hint: str) -> object | None:
        self._asked[key] = None
        if key not in self.values and required:
            self.report("E_MISSING_KEY", key, f"'{key}' is missing", hint)
        return self.values.get(key)

    def _mistyped(self, key: str, value: object, wanted: str, hint: str) -> None:
        shown = repr(value)
        shown = shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[: _SHOWN_CHARACTERS - 3]}..."
        self.report("E_TYPE", key, f"{shown} is not {wanted}", hint)

    def _in_range(self, key: str, value: float, above: float) -> float | None:
        if math.isfinite(value) and value > above:
            return value
        wanted = "a finite number" if not math.isfinite(value) else f"greater than {above:g}"
        bound = "a number" if above == -math.inf else f"a number greater than {above:g}"
        self.report("E_RANGE", key, f"{value:g} is not {wanted}", f"write {bound}")
        return None

    def _split(self, key: str, value: float | str, like: str | None) -> Quantity | None:
        try:
            if isinstance(value, str):
                if like is not None:
                    units.parse(value, to=like)
                found = Quantity(*units.split(value))
                if units.dimension_name(found.unit) == units.dimension_name("1"):
                    found = Quantity(units.parse(value, to="1"), "1")
                return found
            if like is not None and units.dimension_name(like) != units.dimension_name("1"):
                hint = f'write {key} = "{value:g} {like}"'
                self.report("E_MISSING_UNIT", key, f"{value:g} has no unit", hint)
                return None
            return Quantity(float(value), "1")
        except units.UnitError as error:
            self.report("E_UNIT", key, error.message, error.hint)
            return None


def read_texts(table: TomlTable, key: str) -> tuple[str, ...]:
    """List of texts; empty where it is missing, or after a finding."""
    table.ask(key)
    value = table.values.get(key, [])
    if isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value):
        return tuple(value)
    table.report("E_TYPE", key, f"{value!r} is not a list of texts", f'write {key} = ["..."]')
    return ()
