"""`pkpd simulate`: new patients under one schedule, or the subjects of an event table."""

from pathlib import Path
from typing import Annotated

import typer

from pkpd.cli.failures import exit_on_user_error
from pkpd.cli.messages import show, tell, tell_findings
from pkpd.cli.options import Disease, Overwrite, Verbose


def simulate(
    ctx: typer.Context,
    posterior: Annotated[
        Path | None,
        typer.Argument(
            metavar="[POSTERIOR]", help="posterior.nc, or its run folder; with --schedule.", show_default=False
        ),
    ] = None,
    *,
    schedule: Annotated[
        str | None, typer.Option(help="Name of a shipped schedule, or a file.toml.", show_default=False)
    ] = None,
    model: Annotated[Path | None, typer.Option(help="model.toml; with --events.", show_default=False)] = None,
    events: Annotated[Path | None, typer.Option(help="Event table (CSV); with --model.", show_default=False)] = None,
    draws: Annotated[int, typer.Option(min=1, help="Number of simulated patients.")] = 256,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of every random number.", show_default="0, or that of the model")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the result, or CSV file with --events.", show_default="simulate/ beside the posterior"
        ),
    ] = None,
    every: Annotated[float, typer.Option("--every-h", min=0.1, help="Hours between the times that are kept.")] = 6.0,
    disease: Disease = "pdac_patient",
    overwrite: Overwrite = False,
    verbose: Verbose = False,
) -> None:
    """Simulate new patients under one schedule, or from an event table.

    pkpd simulate POSTERIOR --schedule NAME carries the uncertainty of POSTERIOR over to new patients and writes NAME.nc.

    pkpd simulate --model model.toml --events events.csv --out out.csv writes one row per record.
    """
    with exit_on_user_error(verbose=verbose):
        if model is not None or events is not None:
            if model is None or events is None or out is None:
                raise typer.BadParameter("an event table needs --model, --events and --out")
            if posterior is not None or schedule is not None:
                raise typer.BadParameter("give POSTERIOR and --schedule, or --model and --events, not both")
            _from_events(model, events, out, seed=seed, overwrite=overwrite)
            return
        if posterior is not None and schedule is None:
            raise typer.BadParameter("Missing option '--schedule'")
        if posterior is None or schedule is None:
            raise typer.BadParameter("give POSTERIOR and --schedule, or --model, --events and --out")
        _from_posterior(
            ctx,
            posterior,
            schedule,
            draws=draws,
            seed=seed or 0,
            out=out,
            every=every,
            disease=disease,
            overwrite=overwrite,
        )


def _from_events(model: Path, events: Path, out: Path, *, seed: int | None, overwrite: bool) -> None:
    from pkpd.cache import enable_compilation_cache
    from pkpd.cli.run_folder import refuse_existing

    refuse_existing(out, overwrite=overwrite)
    from pkpd.simulate.events import simulate_events

    enable_compilation_cache()
    result = simulate_events(model, events, seed=seed, warn=lambda finding: tell_findings([finding]))
    result.to_csv(out, index=False)
    show(f"{out}: {len(result)} records of {result['ID'].nunique()} subjects")


def _from_posterior(
    ctx: typer.Context,
    posterior: Path,
    schedule: str,
    *,
    draws: int,
    seed: int,
    out: Path | None,
    every: float,
    disease: str,
    overwrite: bool,
) -> None:
    from pkpd.cli.run_folder import Entry, locked, posterior_path, recorded, refuse_existing, require_writable, sha256
    from pkpd.cli.simulating import FOLDER, course_file, course_lines, save_courses
    from pkpd.io.schedules import read_schedule
    from pkpd.posterior import Posterior

    path = posterior_path(posterior)
    wanted, opened = read_schedule(schedule), Posterior.open(path)
    folder = path.parent / FOLDER if out is None else out
    require_writable(folder)
    refuse_existing(course_file(folder, wanted), overwrite=overwrite)
    if not opened.reliable:
        tell("warning: this posterior failed its diagnostics gate; the file will say so")
    from pkpd.cache import enable_compilation_cache
    from pkpd.simulate import human_patients, trajectories

    enable_compilation_cache()
    entry = Entry(command="pkpd simulate", options=ctx.params, seed=seed, inputs={path.name: sha256(path)})
    with locked(path.parent), recorded(path.parent, entry):
        patients = human_patients(opened, count=draws, seed=seed, disease=disease, purpose="report")
        courses = trajectories(patients, wanted, every_h=every)
        written = save_courses(courses, wanted, folder, posterior=opened)
    show(str(written))
    show("\n".join(course_lines(courses, wanted)))
