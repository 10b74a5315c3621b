"""The whole line on the simulated study: check, fit, optimize, export, report, and how truth and posterior compare."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pkpd.cache import enable_compilation_cache
from pkpd.cli.checking import as_text, read_checked
from pkpd.cli.exporting import ExportJob, export_run
from pkpd.cli.fitting import FitJob, fit_run, gate_lines
from pkpd.cli.messages import tell
from pkpd.cli.options import ProgressMode
from pkpd.cli.recovery import Recovered, recovered, recovery_lines
from pkpd.cli.run_folder import require_writable
from pkpd.cli.searching import SearchJob, search
from pkpd.cli.simulated_study import ANALYSIS, SPACE, TRUTH, Truth, write_example
from pkpd.domain.recommendation import Recommendation, Verdict
from pkpd.errors import ExitCode, Finding, PkpdError
from pkpd.io.checks import Checked
from pkpd.posterior import Posterior
from pkpd.report import write_report

RUN = "simulated-run"
DRAWS, FRESH, SEED = 256, 1024, 1
_FORMATS = ("nonmem", "calendar", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What the line gave.

    Attributes
    ----------
    overridden
        Whether the regimen was exported although nothing recommends it.
    seconds
        Step -> time.
    """

    folder: Path
    report: Path
    exports: tuple[Path, ...]
    posterior: Posterior
    recommendation: Recommendation
    rows: tuple[Recovered, ...]
    overridden: bool
    seconds: Mapping[str, float]

    @property
    def exit_code(self) -> ExitCode:
        """An abstaining verdict is a result; draws that cannot be trusted are not."""
        return ExitCode.OK if self.posterior.reliable else ExitCode.NOT_CONVERGED

    def summary(self) -> str:
        """The closing lines."""
        times = ", ".join(f"{step} {seconds:.0f} s" for step, seconds in self.seconds.items())
        words = "exported although nothing recommends it; the files say so" if self.overridden else "exported"
        gate = "passed" if self.posterior.reliable else "FAILED: nothing below may be relied on"
        return "\n".join(
            (
                "",
                "How truth and posterior compare (SIMULATED study, known truth)",
                *recovery_lines(self.rows),
                "",
                f"gate      {gate}",
                f"verdict   {self.recommendation.verdict}",
                *(f"          - {reason}" for reason in self.recommendation.reasons),
                f"regimen   {words}: {self.exports[0].parent}",
                f"report    {self.report}",
                f"times     {times}; together {sum(self.seconds.values()):.0f} s",
                f"          Simulated data: the study, its truth and the analysis are in {self.folder}",
            )
        )


def walk(
    folder: Path, *, overwrite: bool, options: Mapping[str, Any], progress: ProgressMode, quiet: bool = False
) -> Walk:
    """Run the whole line in a folder.

    Raises
    ------
    PkpdError
        If the folder is in use, or if a step fails.
    """
    steps = _Steps(quiet=quiet)
    with steps.step("simulate", "a mouse study with a known truth, from the model itself"):
        _start(folder, overwrite=overwrite)
        enable_compilation_cache()
        truth = write_example(folder)
    with steps.step("check", folder / ANALYSIS):
        analysis = read_checked(folder / ANALYSIS)
        steps.note(as_text(folder / ANALYSIS, Checked(analysis=analysis, findings=())))
    with steps.step("fit", f"{analysis.options.chains} chains of {analysis.options.draws} draws"):
        posterior = fit_run(
            FitJob(
                folder=folder / RUN,
                analysis=analysis,
                options=options,
                overwrite=overwrite,
                progress=progress,
                quiet=quiet,
            )
        )
        steps.note("\n".join(gate_lines(posterior)))
    with steps.step("optimize", f"{DRAWS} patients choose, {FRESH} others judge"):
        recommendation = _search(folder, posterior, options=options, progress=progress, quiet=quiet)
        steps.note(recommendation.summary())
    with steps.step("export", ", ".join(_FORMATS)):
        exports, overridden = _export(folder, truth, posterior, recommendation, options=options)
    with steps.step("report", "one HTML file"):
        report = write_report(folder / RUN)
    return Walk(
        folder=folder,
        report=report,
        exports=exports,
        posterior=posterior,
        recommendation=recommendation,
        rows=recovered(posterior, truth.values),
        overridden=overridden,
        seconds=steps.seconds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Steps:
    """Headings and times."""

    quiet: bool
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, what: object) -> Iterator[None]:
        self.note(f"\n[{len(self.seconds) + 1}/6] {name}: {what}")
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
        self.note(f"      {name} took {self.seconds[name]:.1f} s")

    def note(self, text: str) -> None:
        if not self.quiet:
            tell(text)


def _start(folder: Path, *, overwrite: bool) -> None:
    if (folder / TRUTH).exists() and not overwrite:
        message, hint = "holds a quickstart", "choose another --out, or add --overwrite to run it again"
        raise PkpdError(Finding(code="E_EXISTS", where=str(folder), message=message, hint=hint))
    require_writable(folder)


def _search(
    folder: Path, posterior: Posterior, *, options: Mapping[str, Any], progress: ProgressMode, quiet: bool
) -> Recommendation:
    assert posterior.path is not None
    return search(
        SearchJob(
            posterior=posterior.path,
            space=str(folder / SPACE),
            draws=DRAWS,
            fresh=FRESH,
            seed=SEED,
            disease="pdac_patient",
            options=options,
            allow_unreliable=not posterior.reliable,
            progress=progress,
            quiet=quiet,
        )
    )


def _export(
    folder: Path,
    truth: Truth,
    posterior: Posterior,
    recommendation: Recommendation,
    *,
    options: Mapping[str, Any],
) -> tuple[tuple[Path, ...], bool]:
    """Every format, one after another; a regimen that nothing recommends leaves with the warning in its files."""
    recommended = recommendation.verdict in (Verdict.RECOMMEND, Verdict.EQUIVALENT)
    overridden = not (recommended and posterior.reliable)
    job = ExportJob(
        recommendation=folder / RUN,
        format="",
        which="1",
        patient=truth.patient,
        options=options,
        allow_unreliable=overridden,
    )
    written = [export_run(replace(job, format=name)) for name in _FORMATS]
    return tuple(path for paths in written for path in paths), overridden
