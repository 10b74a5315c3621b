"""What a command says: results on stdout, messages on stderr, colors only for a terminal that wants them."""

from __future__ import annotations

import os
from collections.abc import Iterable

import typer

from pkpd.errors import Finding, Severity


def show(text: str) -> None:
    """Print a result."""
    typer.echo(text)


def tell(text: str) -> None:
    """Say something beside the result."""
    typer.echo(text, err=True, color=_color())


def tell_findings(findings: Iterable[Finding]) -> None:
    """Every finding on stderr, with its place and its hint."""
    for finding in findings:
        tell(_colored(finding))


def show_findings(findings: Iterable[Finding]) -> None:
    """Every finding on stdout, for a command whose result they are."""
    for finding in findings:
        typer.echo(_colored(finding), color=_color())


def _colored(finding: Finding) -> str:
    head, bracket, rest = str(finding).partition("]")
    shade = typer.colors.RED if finding.severity is Severity.ERROR else typer.colors.YELLOW
    return typer.style(head + bracket, fg=shade, bold=True) + rest


def _color() -> bool | None:
    """False where colors are switched off; None leaves them to a terminal."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None
