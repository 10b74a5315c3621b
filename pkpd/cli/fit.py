"""`pkpd fit`: a study and its priors become a posterior, in a run folder of its own."""

from pathlib import Path
from typing import Annotated

import typer

from pkpd.cli.failures import exit_on_user_error
from pkpd.cli.messages import show
from pkpd.cli.options import AnalysisFile, Engine, Overwrite, Progress, ProgressMode, Quiet, Verbose


def fit(
    ctx: typer.Context,
    analysis: AnalysisFile,
    *,
    out: Annotated[Path | None, typer.Option(help="Run folder.", show_default="runs/NAME")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of every random number.")] = None,
    chains: Annotated[int | None, typer.Option(min=1, help="Number of chains.")] = None,
    draws: Annotated[int | None, typer.Option(min=1, help="Draws that each chain keeps.")] = None,
    tune: Annotated[int | None, typer.Option(min=0, help="Draws of each chain for adaptation, not kept.")] = None,
    target_accept: Annotated[float | None, typer.Option(min=0.5, max=0.999, help="Acceptance to adapt to.")] = None,
    engine: Annotated[Engine | None, typer.Option(help="Sampler.")] = None,
    cores: Annotated[int | None, typer.Option(min=1, help="Chains at once.", show_default="as many as cores")] = None,
    sensitivity: Annotated[bool, typer.Option("--sensitivity", help="Also fit every [[scenario]].")] = False,
    no_observed: Annotated[bool, typer.Option("--no-observed", help="Keep no observation in the run folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show plan, sizes and cost; write nothing.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    progress: Progress = ProgressMode.AUTO,
    verbose: Verbose = False,
) -> None:
    """Sample the posterior of an analysis.

    An option that is not given here stands in the table [fit] of ANALYSIS, or is the default.
    Exit code 4 says that the draws failed the diagnostics gate: they are kept, and marked unreliable.
    """
    with exit_on_user_error(verbose=verbose):
        from pkpd.cli.checking import read_checked, with_options

        stated = {"seed": seed, "chains": chains, "draws": draws, "tune": tune, "target_accept": target_accept}
        asked = with_options(read_checked(analysis), engine=None if engine is None else str(engine), **stated)
        if dry_run:
            from pkpd.inference import describe

            show(describe(asked))
            return
        from pkpd.cli.fitting import FitJob, fit_run, gate_lines, slug
        from pkpd.errors import ExitCode

        folder = Path("runs") / slug(asked.name) if out is None else out
        job = FitJob(
            folder=folder,
            analysis=asked,
            options=ctx.params,
            observed=not no_observed,
            sensitivity=sensitivity,
            cores=cores,
            overwrite=overwrite,
            progress=progress,
            quiet=quiet,
        )
        posterior = fit_run(job)
        show(f"{posterior.path}: {posterior.size} draws, {posterior.engine}, seed {posterior.seed}")
        show("\n".join(gate_lines(posterior)))
        if not posterior.reliable:
            raise typer.Exit(int(ExitCode.NOT_CONVERGED))
