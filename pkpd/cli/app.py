"""The commands of `pkpd` under one name; each imports what it needs when it runs, so that help is instant."""

from typing import Annotated

import typer

from pkpd.cli.check import check
from pkpd.cli.export import export
from pkpd.cli.fit import fit
from pkpd.cli.optimize import optimize
from pkpd.cli.quickstart import quickstart
from pkpd.cli.report import report
from pkpd.cli.simulate import simulate

# Plain help: drawing it with rich would take longer than everything else that --help does.
app = typer.Typer(
    name="pkpd", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
for command in (check, fit, simulate, optimize, export, report, quickstart):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"pkpd {version('pkpd-scheduler')}")
        raise typer.Exit


@app.callback()
def pkpd(
    version: Annotated[  # the callback acts on it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Fit a PK/PD model of two drugs to a study, search schedules under the posterior, and hand over a regimen.

    For research use only. The line: check, fit, simulate, optimize, export, report; quickstart runs all of it.

    Exit codes: 0 done, 1 runtime error, 2 usage, 3 data or configuration invalid, 4 not converged, 5 infeasible, 6
    abstained, 7 mismatch, 130 interrupted.
    """
