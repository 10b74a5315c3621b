"""`pkpd quickstart`: the whole line on a study that is simulated with a known truth."""

from pathlib import Path
from typing import Annotated

import typer

from pkpd.cli.failures import exit_on_user_error
from pkpd.cli.messages import show
from pkpd.cli.options import Overwrite, Progress, ProgressMode, Quiet, Verbose


def quickstart(
    ctx: typer.Context,
    *,
    out: Annotated[Path, typer.Option(help="Folder of the example.")] = Path("pkpd-quickstart"),
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    progress: Progress = ProgressMode.AUTO,
    verbose: Verbose = False,
) -> None:
    """Run the whole line on a simulated study.

    The study is drawn from the model with a known truth; then check, fit, optimize, export and report run on it.
    A verdict that recommends nothing is a result (exit code 0); draws that fail the gate are not (exit code 4).
    """
    with exit_on_user_error(verbose=verbose):
        from pkpd.cli.whole_line import walk

        done = walk(out, overwrite=overwrite, options=ctx.params, progress=progress, quiet=quiet)
        show(done.summary())
        raise typer.Exit(int(done.exit_code))
