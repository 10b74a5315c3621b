"""`pkpd simulate`: new patients under one schedule, hour by hour."""

from pathlib import Path
from typing import Annotated

import typer

from pkpd.cli.failures import exit_on_user_error
from pkpd.cli.messages import show, tell
from pkpd.cli.options import Disease, PosteriorFile, Seed, Verbose


def simulate(
    ctx: typer.Context,
    posterior: PosteriorFile,
    *,
    schedule: Annotated[str, typer.Option(help="Name of a shipped schedule, or a file.toml.", show_default=False)],
    draws: Annotated[int, typer.Option(min=1, help="Number of simulated patients.")] = 256,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the result.", show_default="simulate/ beside the posterior")
    ] = None,
    every: Annotated[float, typer.Option("--every-h", min=0.1, help="Hours between the times that are kept.")] = 6.0,
    disease: Disease = "pdac_patient",
    verbose: Verbose = False,
) -> None:
    """Simulate new patients under one schedule.

    The uncertainty of POSTERIOR is carried over to them.

    Writes SCHEDULE.nc (time, draw): tumor, neutrophils, plasma concentrations, occupancy and inhibition.
    """
    with exit_on_user_error(verbose=verbose):
        from pkpd.cli.run_folder import Entry, posterior_path, recorded, require_writable, sha256
        from pkpd.cli.simulating import FOLDER, course_lines, save_courses
        from pkpd.io.schedules import read_schedule
        from pkpd.posterior import Posterior

        path = posterior_path(posterior)
        wanted, opened = read_schedule(schedule), Posterior.open(path)
        folder = path.parent / FOLDER if out is None else out
        require_writable(folder)
        if not opened.reliable:
            tell("warning: this posterior failed its diagnostics gate; the file will say so")
        from pkpd.cache import enable_compilation_cache
        from pkpd.simulate import human_patients, trajectories

        enable_compilation_cache()
        entry = Entry(command="pkpd simulate", options=ctx.params, seed=seed, inputs={path.name: sha256(path)})
        with recorded(path.parent, entry):
            patients = human_patients(opened, count=draws, seed=seed, disease=disease, purpose="report")
            courses = trajectories(patients, wanted, every_h=every)
            written = save_courses(courses, wanted, folder, posterior=opened)
        show(str(written))
        show("\n".join(course_lines(courses, wanted)))
