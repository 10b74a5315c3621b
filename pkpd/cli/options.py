"""Options that several commands share, each described once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ProgressMode(StrEnum):
    """How progress is shown on stderr."""

    AUTO = "auto"
    PLAIN = "plain"
    JSONL = "jsonl"
    NONE = "none"


class Engine(StrEnum):
    """Samplers; `pkpd.domain.population.POPULATION_ENGINES` as a choice of the command line."""

    NUTPIE = "nutpie"
    NUMPYRO = "numpyro"
    GIBBS = "gibbs"


AnalysisFile = Annotated[Path, typer.Argument(metavar="ANALYSIS", help="analysis.toml", show_default=False)]
PosteriorFile = Annotated[
    Path, typer.Argument(metavar="POSTERIOR", help="posterior.nc, or the run folder that holds it.", show_default=False)
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random number.")]
Disease = Annotated[str, typer.Option("--disease", help="Disease of the simulated patients: a name, or a file.toml.")]
AllowUnreliable = Annotated[
    bool,
    typer.Option("--allow-unreliable", help="Go on in spite of a failed gate or a verdict against it; it is recorded."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the results that are there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no messages but errors.")]
Progress = Annotated[ProgressMode, typer.Option("--progress", help="How progress is shown on stderr.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the traceback of an unexpected error.")]
