"""`pkpd export`: a schedule of a recommendation, in a format that somebody else reads."""

from pathlib import Path
from typing import Annotated

import typer

from pkpd.cli.failures import exit_on_user_error
from pkpd.cli.messages import show
from pkpd.cli.options import AllowUnreliable, Verbose


def export(
    ctx: typer.Context,
    recommendation: Annotated[
        Path,
        typer.Argument(metavar="RECOMMENDATION", help="recommendation.json, or its run folder.", show_default=False),
    ],
    *,
    format: Annotated[str, typer.Option(help="nonmem, calendar or json.", show_default=False)],  # noqa: A002
    which: Annotated[str, typer.Option(metavar="RANK|NAME", help="Rank, or name of a scored schedule.")] = "1",
    weight: Annotated[float | None, typer.Option(min=0.001, help="Body weight in kg, for mg/kg.")] = None,
    surface: Annotated[float | None, typer.Option(min=0.001, help="Body surface in m2, for mg/m2.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the files.", show_default="export/ of the run")] = None,
    allow_unreliable: AllowUnreliable = False,
    verbose: Verbose = False,
) -> None:
    """Hand over a schedule: NONMEM, calendar or JSON.

    A schedule that nothing recommends is refused, and so is one from a fit that failed its gate.
    For research use only: model output, never a basis for treating anyone.
    """
    with exit_on_user_error(verbose=verbose):
        from pkpd.cli.exporting import ExportJob, export_run
        from pkpd.export import Patient

        job = ExportJob(
            recommendation=recommendation,
            format=format,
            which=which,
            patient=Patient(weight_kg=weight, surface_m2=surface),
            options=ctx.params,
            out=out,
            allow_unreliable=allow_unreliable,
        )
        for path in export_run(job):
            show(str(path))
