"""`pkpd report`: a run folder as one self-contained HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from pkpd.cli.failures import exit_on_user_error
from pkpd.cli.messages import show
from pkpd.cli.options import Verbose


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of `pkpd fit`.", show_default=False)],
    *,
    out: Annotated[
        Path | None, typer.Option(help="File to write.", show_default="report/report.html of the run")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Write the report of a run as one HTML file."""
    with exit_on_user_error(verbose=verbose):
        from pkpd.report import write_report

        show(str(write_report(run, out)))
