"""Where a number comes from and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Basis(StrEnum):
    """How a number was obtained."""

    MEASURED = "measured"
    DERIVED = "derived"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document that a number was read in.

    Attributes
    ----------
    key
        Name used by `source = "..."` in the same file.
    locator
        DOI or address of the document; empty for a judgement of our own.
    section
        Table, page or section that holds the number.
    read
        Day on which the document was read.
    """

    key: str
    title: str
    locator: str = ""
    section: str = ""
    read: date | None = None
