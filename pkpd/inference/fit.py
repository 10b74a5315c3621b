"""`fit`: an analysis to a posterior with everything that a reader needs to judge it."""

from __future__ import annotations

from collections.abc import Callable

from pkpd.domain.population import PopulationAnalysis
from pkpd.domain.study import Analysis, FitOptions
from pkpd.inference.checks import gate
from pkpd.inference.fit_model import AbstractFitModel
from pkpd.inference.model import build_model
from pkpd.inference.results import assemble
from pkpd.inference.sample import sample
from pkpd.posterior import Posterior

type Progress = Callable[[int, int, str], None]


def fit(
    analysis: Analysis | PopulationAnalysis,
    *,
    options: FitOptions | None = None,
    progress: Progress | None = None,
    cores: int = 2,
) -> Posterior:
    """Sample the posterior of an analysis and check it.

    Parameters
    ----------
    options
        Replace those of the analysis.
    progress
        Is told the draws done (warm-up included), the draws in all, and what is going on.
    cores
        Chains that run at the same time.

    Returns
    -------
    A posterior with prior, posterior, predictive and log-likelihood groups; `gate` says whether it may be trusted.

    Raises
    ------
    SpecError
        If the analysis asks for what no model can do.
    """
    options = analysis.options if options is None else options
    tell = progress if progress is not None else _silent
    total = options.chains * (options.draws + options.tune)
    tell(0, total, "building the model")
    fitted = build_model(analysis)
    tell(0, total, f"compiling ({fitted.plan()[-1]})")
    return fit_built(fitted, options, progress=tell, cores=cores)


def fit_built(
    fitted: AbstractFitModel, options: FitOptions, *, progress: Progress | None = None, cores: int = 2
) -> Posterior:
    """Sample the posterior of a model that is built already, and check it."""
    tell = progress if progress is not None else _silent
    total = options.chains * (options.draws + options.tune)
    draws = sample(fitted, options, progress=tell, cores=cores)
    tell(total, total, "predictive draws and checks")
    return Posterior(tree=gate(assemble(fitted, draws, options)))


def describe(analysis: Analysis | PopulationAnalysis) -> str:
    """Plan of a fit without sampling: sizes, steps, engine."""
    fitted = build_model(analysis)
    free = sum(int(variable.size.eval()) for variable in fitted.model.free_RVs)
    options = analysis.options
    first, *rest = fitted.plan()
    lines = [
        f"{analysis.name}: {first}",
        f"unknowns: {free}",
        *rest,
        f"sampling: {options.chains} chains x ({options.tune} warm-up + {options.draws} draws) with {options.engine}",
    ]
    return "\n".join(lines)


def _silent(done: int, total: int, note: str) -> None:
    """Nobody wants to know."""
