"""Whether a schedule may leave: a failed gate or a verdict against it is refused, unless the caller insists."""

from __future__ import annotations

from typing import ClassVar

from pkpd.domain.recommendation import RankedSchedule, Recommendation, Verdict
from pkpd.errors import DiagnosticsError, ExitCode, Finding, InfeasibleError, PkpdError
from pkpd.posterior import Posterior

HINT = "add --allow-unreliable to write it nevertheless; the file will say so"


class NotRecommendedError(PkpdError):
    """The search did not recommend this schedule, and the caller did not accept that."""

    exit_code: ClassVar[ExitCode] = ExitCode.ABSTAINED


def permit(
    recommendation: Recommendation, chosen: RankedSchedule, posterior: Posterior | None, *, allow_unreliable: bool
) -> tuple[str, ...]:
    """Return the warnings that the file must carry: none if nothing speaks against the schedule.

    Raises
    ------
    DiagnosticsError
        If the posterior failed its gate.
    InfeasibleError
        If no schedule meets the constraints.
    NotRecommendedError
        If the verdict is not a recommendation, or this schedule is not among those that it recommends.
    """
    doubts: list[tuple[type[PkpdError], Finding]] = []
    if posterior is not None and not posterior.reliable:
        failed = ", ".join(check.name for check in posterior.gate.failed) or "a check"
        message = f"the posterior failed its diagnostics gate ({failed})"
        doubts.append((DiagnosticsError, _finding("E_UNRELIABLE", chosen, message)))
    good = recommendation.verdict in (Verdict.RECOMMEND, Verdict.EQUIVALENT)
    if recommendation.verdict is Verdict.INFEASIBLE:
        doubts.append((InfeasibleError, _finding("E_INFEASIBLE", chosen, f"the verdict is '{recommendation.verdict}'")))
    elif not good:
        message = f"the verdict is '{recommendation.verdict}'"
        doubts.append((NotRecommendedError, _finding("E_NOT_RECOMMENDED", chosen, message)))
    elif chosen.name not in recommendation.equivalent:
        message = f"only {', '.join(recommendation.equivalent)} is recommended"
        doubts.append((NotRecommendedError, _finding("E_NOT_RECOMMENDED", chosen, message)))
    if doubts and not allow_unreliable:
        raise doubts[0][0]([finding for _, finding in doubts])
    return tuple(f"written although {finding.message}" for _, finding in doubts)


def _finding(code: str, chosen: RankedSchedule, message: str) -> Finding:
    return Finding(code=code, where=chosen.name, message=message, hint=HINT)
