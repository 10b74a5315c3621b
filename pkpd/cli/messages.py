"""What a command says: results on stdout, messages on stderr, colors only for a terminal that wants them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import typer

from pkpd.errors import Finding, Severity

_PLACES_SHOWN = 3


def show(text: str) -> None:
    """Print a result."""
    typer.echo(text)


def tell(text: str) -> None:
    """Say something beside the result."""
    typer.echo(text, err=True, color=_color())


def tell_findings(findings: Iterable[Finding]) -> None:
    """Every finding on stderr, with its place and its hint."""
    for line in _finding_lines(findings):
        tell(line)


def show_findings(findings: Iterable[Finding]) -> None:
    """Every finding on stdout, for a command whose result they are."""
    for line in _finding_lines(findings):
        typer.echo(line, color=_color())


def _finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Findings that say the same of many places (a wrong column is wrong in each row) are counted after the first few."""
    places: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        places.setdefault((finding.code, finding.message, finding.hint), []).append(finding)
    for alike in places.values():
        yield from map(_colored, alike[:_PLACES_SHOWN])
        if len(alike) > _PLACES_SHOWN:
            more = len(alike) - _PLACES_SHOWN
            yield f"  the same in {more} more {'place' if more == 1 else 'places'}, last {alike[-1].where}"


def _colored(finding: Finding) -> str:
    head, bracket, rest = str(finding).partition("]")
    shade = typer.colors.RED if finding.severity is Severity.ERROR else typer.colors.YELLOW
    return typer.style(head + bracket, fg=shade, bold=True) + rest


def _color() -> bool | None:
    """False where colors are switched off; None leaves them to a terminal."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None
