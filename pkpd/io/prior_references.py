"""Follows what one parameter says about another: ties within a setting, and values taken from another setting."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from pkpd.domain.dosing import Route
from pkpd.domain.prior import ParameterPrior, PublishedFact
from pkpd.errors import Finding
from pkpd.io.prior_tables import Entry

SHARED = "shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One setting of a file, before references to other settings are followed.

    Attributes
    ----------
    written
        Names of all parameter tables; `entries` lacks those that cannot be used.
    """

    model: str = ""
    routes: tuple[Route, ...] = ()
    written: frozenset[str] = frozenset()
    entries: Mapping[str, Entry] = dataclasses.field(default_factory=dict)
    residuals: Mapping[str, ParameterPrior] = dataclasses.field(default_factory=dict)
    published: tuple[PublishedFact, ...] = ()


def follow(
    setting: str, blocks: Mapping[str, Block], shared: Block, findings: list[Finding]
) -> dict[str, ParameterPrior]:
    """Parameters of one setting, with every tie and every reference to another setting replaced by what it names."""

    def refuse(entry: Entry, message: str, hint: str) -> None:
        finding = Finding(code="E_REFERENCE", where=entry.place, message=message, hint=hint)
        if finding not in findings:  # a shared table is followed once per setting
            findings.append(finding)

    def resolve(name: str) -> ParameterPrior | None:
        own = blocks[setting].entries.get(name)
        entry = own or shared.entries[name]
        if entry.tied_to:
            return resolve_tie(name, entry)
        if entry.origin:
            return resolve_origin(name, entry)
        return None if entry.prior is None else dataclasses.replace(entry.prior, origin="" if own else SHARED)

    def resolve_tie(name: str, entry: Entry) -> ParameterPrior | None:
        partner = blocks[setting].entries.get(entry.tied_to) or shared.entries.get(entry.tied_to)
        if partner is None or partner.tied_to:
            if partner is not None or entry.tied_to not in blocks[setting].written | shared.written:
                refuse(entry, f"'{entry.tied_to}' has no prior to be tied to", "name a parameter of the same setting")
            return None
        followed = resolve(entry.tied_to)
        return None if followed is None else dataclasses.replace(followed, name=name, tied_to=entry.tied_to)

    def resolve_origin(name: str, entry: Entry) -> ParameterPrior | None:
        source = shared if entry.origin == SHARED else blocks.get(entry.origin, Block())
        first = source.entries.get(name)
        if first is None or first.prior is None:
            if first is not None or name not in source.written:
                hint = "name the setting that holds the numbers"
                refuse(entry, f"'{entry.origin}' has no prior for '{name}'", hint)
            return None
        return dataclasses.replace(first.prior, between=entry.between, shift=entry.shift, origin=entry.origin)

    names = dict.fromkeys((*shared.entries, *blocks[setting].entries))
    return {name: prior for name in names if (prior := resolve(name)) is not None}
