"""Two endpoints of one structure, each with a residual error and a limit of its own, from the table to the report."""

import numpy as np
import pytest

from pkpd.inference import fit
from pkpd.io.population import read_population
from pkpd.report import write_report
from pkpd.report.fit_figures import predictive

PRIOR = 'basis = "assumed", source = "analyst"'


def typical(name: str, median: str, between: str = '"none"') -> str:
    prior = f'{{ family = "lognormal", median = "{median}", sd = 0.3, {PRIOR} }}'
    return f"[parameters.{name}]\ntypical = {prior}\nbetween = {between}\n"


ANALYSIS = f"""schema = 1
name = "parent and metabolite"
[study]
setting = "human"
data = "study.csv"
[units]
TIME = "h"
AMT = "mg"
DV = {{ concentration = "mg/L", metabolite_concentration = "ug/L" }}
[observations]
endpoints = {{ p = "concentration", m = "metabolite_concentration" }}
[model]
structure = "parent_metabolite"
{typical("clearance", "4 L/h", f'{{ family = "lognormal", sd = 0.3, uncertainty = 0.5, {PRIOR} }}')}
{typical("volume", "20 L")}
{typical("absorption", "1 1/h")}
{typical("metabolite_clearance", "8 L/h")}
{typical("metabolite_volume", "30 L")}
[parameters.fraction_metabolized]
typical = {{ family = "fixed", value = 0.5, {PRIOR} }}
between = "none"
[error.concentration]
model = "combined"
additive = {{ family = "halfnormal", sd = "0.1 mg/L", {PRIOR} }}
proportional = {{ family = "halfnormal", sd = 0.2, {PRIOR} }}
[error.metabolite_concentration]
model = "additive"
additive = {{ family = "halfnormal", sd = "300 ug/L", {PRIOR} }}
[blq.metabolite_concentration]
method = "M4"
limit = "100 ug/L"
[fit]
chains = 2
draws = 40
tune = 60
[sources.analyst]
title = "Choice of the analyst"
"""
TABLE = """ID,TIME,AMT,EVID,DVID,DV
1,0,100,1,.,.
1,1,.,0,p,2.9
1,1,.,0,m,90
1,8,.,0,p,1.1
1,8,.,0,m,500
2,0,100,1,.,.
2,1,.,0,p,2.7
2,8,.,0,p,0.6
2,8,.,0,m,300
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("endpoints")
    (folder / "study.csv").write_text(TABLE, encoding="utf-8")
    (folder / "analysis.toml").write_text(ANALYSIS, encoding="utf-8")
    posterior = fit(read_population(folder / "analysis.toml"), cores=1)
    posterior.save(folder / "posterior.nc")
    return folder, posterior


def test_each_endpoint_has_its_own_observations_and_predictions(run):
    _, posterior = run

    predicted, observed = posterior.group("posterior_predictive"), posterior.group("observed_data")
    assert predicted["concentration"].shape == (2, 40, 4)
    assert predicted["metabolite_concentration"].shape == (2, 40, 3)
    np.testing.assert_allclose(observed["metabolite_concentration"], [0.1, 0.5, 0.3])
    assert posterior.group("log_likelihood")["observation"].shape == (2, 40, 7)


def test_each_endpoint_says_its_residual_error_and_its_method(run):
    _, posterior = run

    lines = posterior.analysis["observed"]

    assert "combined residual error, 4 observations, no limit" in lines[0]
    assert "additive residual error, 3 observations, BLQ method M4, 1 below the limit" in lines[1]


def test_the_priors_of_an_error_are_kept_in_the_unit_of_the_output(run):
    _, posterior = run

    assert posterior.units("metabolite_concentration.additive") == "mg/L"
    assert np.median(posterior.values("metabolite_concentration.additive", "prior")) == pytest.approx(0.2, rel=0.2)


def test_each_observation_is_predicted_from_the_others_of_all_endpoints(run):
    _, posterior = run

    for name, count in (("concentration", 4), ("metabolite_concentration", 3)):
        shown = predictive(posterior, name)
        assert shown is not None
        assert shown.weights is not None
        assert shown.weights.shape == (80, count)
        np.testing.assert_allclose(shown.weights.sum(axis=0), 1.0)


def test_a_report_draws_both(run):
    folder, _ = run

    page = write_report(folder).read_text(encoding="utf-8")

    assert page.count("observed values (") == 2
