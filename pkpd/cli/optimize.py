"""`pkpd optimize`: every schedule of a space under the posterior, ranked, with a verdict."""

from pathlib import Path
from typing import Annotated

import typer

from pkpd.cli.failures import exit_on_user_error
from pkpd.cli.messages import show, tell
from pkpd.cli.options import (
    AllowUnreliable,
    Disease,
    Json,
    Overwrite,
    PosteriorFile,
    Progress,
    ProgressMode,
    Quiet,
    Seed,
    Verbose,
)


def optimize(
    ctx: typer.Context,
    posterior: PosteriorFile,
    *,
    space: Annotated[str, typer.Option(help="Name of a shipped space, or a file.toml.", show_default=False)],
    draws: Annotated[int, typer.Option(min=2, help="New patients that choose the finalists.")] = 256,
    fresh: Annotated[int, typer.Option(min=2, help="Other patients, that every reported number comes from.")] = 1024,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the result.", show_default="optimize/ beside the posterior")
    ] = None,
    disease: Disease = "pdac_patient",
    overwrite: Overwrite = False,
    allow_unreliable: AllowUnreliable = False,
    as_json: Json = False,
    quiet: Quiet = False,
    progress: Progress = ProgressMode.AUTO,
    verbose: Verbose = False,
) -> None:
    """Rank the schedules of a space, with a verdict.

    Exit code 5 says that no schedule meets the constraints (the nearest miss is shown), 6 that none is recommended.
    """
    with exit_on_user_error(verbose=verbose):
        from pkpd.cli.run_folder import posterior_path
        from pkpd.cli.searching import RECOMMENDATION, SearchJob, search

        job = SearchJob(
            posterior=posterior_path(posterior),
            space=space,
            draws=draws,
            fresh=fresh,
            seed=seed,
            disease=disease,
            options=ctx.params,
            out=out,
            overwrite=overwrite,
            allow_unreliable=allow_unreliable,
            progress=progress,
            quiet=quiet,
        )
        found = search(job)
        show(found.to_json().rstrip() if as_json else found.summary())
        if not quiet:
            tell(f"written: {job.folder / RECOMMENDATION}")
        raise typer.Exit(int(found.verdict.exit_code))
