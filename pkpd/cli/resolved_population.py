"""Writes a population analysis and its table into a run folder, so that it can be fitted again from there."""

from __future__ import annotations

from pathlib import Path

import tomlkit

from pkpd.cli.run_folder import write_text
from pkpd.domain.population import PopulationAnalysis


def write_resolved_population(
    analysis: PopulationAnalysis, folder: Path, *, name: str, table: str, observed: bool
) -> Path:
    """Write the analysis with the options of this fit, and its event table as it was."""
    document = tomlkit.parse(analysis.text)
    document["study"]["data"] = table  # pyright: ignore[reportIndexIssue]
    document["fit"] = {
        each: getattr(analysis.options, each) for each in ("chains", "draws", "tune", "target_accept", "engine", "seed")
    }
    comment = "# The analysis with the options of this fit."
    if observed:
        write_text(folder / table, analysis.table)
    else:
        comment += " The observations were left out on request: without the table it cannot be fitted again."
    return write_text(folder / name, f"{comment}\n{tomlkit.dumps(document)}")
