"""`pkpd check`: everything that is wrong with an analysis, at once, without a sample."""

import typer

from pkpd.cli.failures import exit_on_user_error
from pkpd.cli.messages import show, show_findings
from pkpd.cli.options import AnalysisFile, Json, Verbose


def check(
    analysis: AnalysisFile,
    *,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Find everything that is wrong in an analysis.

    Its table and its priors are checked too, and nothing is sampled.

    Accepts what `pkpd export --format nonmem` wrote, regimen.toml or regimen.csv, as well.
    """
    with exit_on_user_error(verbose=verbose):
        from pkpd.cli.checking import as_text, findings_json
        from pkpd.errors import ExitCode
        from pkpd.io.checks import checked

        found = checked(analysis)
        if as_json:
            show(findings_json(analysis, found))
        else:
            show_findings(found.findings)
            show(as_text(analysis, found))
        if found.errors:
            raise typer.Exit(int(ExitCode.INVALID))
