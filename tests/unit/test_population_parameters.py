"""Individual parameters: occasions, covariates that change, categories; and observations on a logarithmic scale."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from pkpd.inference.model import build_model
from pkpd.inference.population_model import sampled_priors
from pkpd.io.population import read_population
from pkpd.simulate.population import individual_parameters, population_design, predictions

PRIOR = 'basis = "assumed", source = "analyst"'
FEMALE = f'{{ family = "lognormal", median = 0.8, sd = 0.2, {PRIOR} }}'
ANALYSIS = f"""schema = 1
[study]
setting = "human"
data = "study.csv"
[units]
TIME = "h"
AMT = "mg"
DV = "ug/L"
[observations]
endpoint = "concentration"
scale = "log"
[model]
structure = "one_compartment_oral"
[parameters.clearance]
typical = {{ family = "lognormal", median = "4 L/h", sd = 0.5, {PRIOR} }}
between = {{ family = "lognormal", sd = 0.3, uncertainty = 0.5, {PRIOR} }}
occasion = {{ family = "lognormal", sd = 0.2, uncertainty = 0.5, {PRIOR} }}
covariates = [
  {{ column = "CRCL", form = "linear", reference = 100, slope = 0.01 }},
  {{ column = "SEX", form = "categorical", reference = "male", factors = {{ female = {FEMALE} }} }},
]
[parameters.volume]
typical = {{ family = "lognormal", median = "20000 mL", sd = 0.5, {PRIOR} }}
between = "none"
covariates = [{{ column = "AGE", form = "exponential", reference = 40, slope = 0.02 }}]
[parameters.absorption]
typical = {{ family = "fixed", value = "1 1/h", {PRIOR} }}
between = "none"
[compartment.depot.lag]
typical = {{ family = "lognormal", median = "30 min", sd = 0.2, {PRIOR} }}
between = "none"
[error.concentration]
model = "lognormal"
residual = {{ family = "halfnormal", sd = 0.3, {PRIOR} }}
[sources.analyst]
title = "Choice of the analyst"
"""
TABLE = """ID,TIME,AMT,EVID,DV,OCC,CRCL,SEX,AGE
a,0,100,1,.,1,100,male,40
a,4,.,0,8,1,100,male,40
a,24,100,1,.,2,50,male,40
a,28,.,0,8.2,2,50,male,40
b,0,100,1,.,1,80,female,60
b,4,.,0,8.1,1,80,female,60
"""


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("occasions")
    (folder / "study.csv").write_text(TABLE, encoding="utf-8")
    (folder / "analysis.toml").write_text(ANALYSIS, encoding="utf-8")
    return read_population(folder / "analysis.toml")


@pytest.fixture(scope="module")
def draw(analysis):
    center = {name: jnp.asarray(float(prior.quantile(0.5))) for name, prior in sampled_priors(analysis).items()}
    deviates = {"clearance.eta": jnp.asarray([1.0, -1.0]), "clearance.kappa": jnp.asarray([[0.5, -1.0], [2.0, 0.0]])}
    return center | deviates


def test_values_on_a_logarithmic_scale_are_read_as_values_in_the_unit_of_the_output(analysis):
    np.testing.assert_allclose(analysis.study.data["value"].values, np.exp([8.0, 8.2, 8.1]) / 1000.0)


def test_a_parameter_changes_with_its_covariates_and_its_occasion_from_record_to_record(analysis, draw):
    clearance = individual_parameters(population_design(analysis), draw)["clearance"]

    first = 4.0 * np.exp(0.3 + 0.2 * 0.5)
    second = 4.0 * (1.0 - 0.01 * 50.0) * np.exp(0.3 - 0.2)
    female = 4.0 * (1.0 - 0.01 * 20.0) * 0.8 * np.exp(-0.3 + 0.2 * 2.0)
    np.testing.assert_allclose(clearance[0], [first, first, second, second], rtol=1e-12)
    np.testing.assert_allclose(clearance[1][:2], female, rtol=1e-12)


def test_parameters_come_in_the_units_of_the_structure(analysis, draw):
    found = individual_parameters(population_design(analysis), draw)

    np.testing.assert_allclose(found["volume"], 20.0 * np.exp(0.02 * np.asarray([0.0, 20.0])), rtol=1e-12)
    assert float(found["depot.lag"]) == pytest.approx(0.5)


def test_a_prediction_is_that_of_the_closed_form(analysis, draw):
    predicted = predictions(population_design(analysis), draw)["concentration"]

    volume, since = 20.0, 3.5
    out = 4.0 * np.exp(0.3 + 0.1) / volume
    expected = 100.0 / volume / (1.0 - out) * (np.exp(-out * since) - np.exp(-since))
    assert float(predicted[0]) == pytest.approx(expected, rel=1e-9)


def test_a_model_with_occasions_has_a_finite_density(analysis):
    fitted = build_model(analysis)

    assert np.isfinite(fitted.model.compile_logp()(fitted.model.initial_point()))
    assert fitted.prior(count=3, seed=1)["clearance.kappa"].shape == (1, 3, 2, 2)
