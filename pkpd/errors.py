"""What can go wrong for a user: every error says where, what was found and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The process exit codes that scripts may rely on."""

    OK = 0
    RUNTIME = 1
    USAGE = 2
    INVALID = 3
    NOT_CONVERGED = 4
    INFEASIBLE = 5
    ABSTAINED = 6
    MISMATCH = 7
    INTERRUPTED = 130


class Severity(StrEnum):
    """Whether a finding stops the run."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with one input.

    Attributes
    ----------
    code
        Stable name such as `E_MISSING_COVARIATE`; each has a section in `docs/reference/findings.md`.
    where
        File, then line or key: `study.csv:14`, `priors/drugs/palbociclib.toml: human.pk.clearance.typical`.
    message
        What was found.
    hint
        What to write instead.
    """

    code: str
    where: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        first = f"{self.severity}[{self.code}] {self.where}: {self.message}"
        return f"{first}\n  help: {self.hint}" if self.hint else first


class PkpdError(Exception):
    """Base of every error that reaches a user; carries all findings at once.

    Parameters
    ----------
    findings
        One or more findings, or a plain sentence.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.RUNTIME
    findings: tuple[Finding, ...]

    def __init__(self, findings: Finding | Sequence[Finding] | str) -> None:
        if isinstance(findings, str):
            findings = Finding(code=type(self).__name__, where="pkpd", message=findings)
        self.findings = (findings,) if isinstance(findings, Finding) else tuple(findings)
        Exception.__init__(self, "\n".join(str(finding) for finding in self.findings))


class SpecError(PkpdError):
    """A TOML file (analysis, prior, schedule, space) says something that cannot be used."""

    exit_code = ExitCode.INVALID


class DataError(PkpdError):
    """A data table or a result file cannot be used."""

    exit_code = ExitCode.INVALID


class DiagnosticsError(PkpdError):
    """A posterior failed its gate, and the caller did not accept that."""

    exit_code = ExitCode.NOT_CONVERGED


class InfeasibleError(PkpdError):
    """No schedule meets the constraints."""

    exit_code = ExitCode.INFEASIBLE
