"""From an analysis of any kind to a model that can be sampled."""

from __future__ import annotations

from pkpd.domain.population import PopulationAnalysis
from pkpd.domain.study import Analysis
from pkpd.inference.fit_model import AbstractFitModel
from pkpd.inference.population_fit import population_fit
from pkpd.inference.tumor_fit import tumor_fit


def build_model(analysis: Analysis | PopulationAnalysis) -> AbstractFitModel:
    """Model of an analysis.

    Raises
    ------
    SpecError
        If an endpoint is observed that no model predicts, or a prior is missing.
    """
    return population_fit(analysis) if isinstance(analysis, PopulationAnalysis) else tumor_fit(analysis)
