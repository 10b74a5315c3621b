"""Bayesian PK/PD models and a schedule search for two drugs that may have to be given in the right order.

The line is straight: `read_analysis` -> `check` -> `fit` -> `recommend` -> `export_schedule`, `write_report`. Each name
is imported when it is first used, so that `import pkpd` costs nothing.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "Analysis": "pkpd.domain.study",
    "Course": "pkpd.domain.dosing",
    "Dose": "pkpd.domain.dosing",
    "PkpdError": "pkpd.errors",
    "Posterior": "pkpd.posterior",
    "Prior": "pkpd.domain.prior",
    "Recommendation": "pkpd.domain.recommendation",
    "Schedule": "pkpd.domain.dosing",
    "ScheduleSpace": "pkpd.domain.space",
    "Study": "pkpd.domain.study",
    "evaluate": "pkpd.simulate",
    "export_schedule": "pkpd.export",
    "fit": "pkpd.inference",
    "human_patients": "pkpd.simulate",
    "read_analysis": "pkpd.io.analysis",
    "read_schedule": "pkpd.io.schedules",
    "read_space": "pkpd.io.spaces",
    "recommend": "pkpd.optimize.recommend",
    "simulate_events": "pkpd.simulate.events",
    "trajectories": "pkpd.simulate",
    "write_report": "pkpd.report.html",
}

__all__ = [*sorted(_EXPORTS), "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    """Import a public name, or find the installed version, when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("pkpd-scheduler")
    elif name in _EXPORTS:
        value = getattr(import_module(_EXPORTS[name]), name)
    else:
        raise AttributeError(f"module 'pkpd' has no attribute '{name}'; public names are {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
