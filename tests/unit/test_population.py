"""Population analyses: what is read, how residual errors and limits count, and a small study from table to posterior."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from population_files import beginning
from scipy import stats

from pkpd.domain.population import BlqMethod
from pkpd.dynamics.base import AbstractEndpoint
from pkpd.errors import Severity
from pkpd.inference import fit
from pkpd.inference.model import build_model
from pkpd.inference.population_model import cholesky_row
from pkpd.io.population import examine_population, is_population, read_population
from pkpd.registry import Registry

PRIOR = 'basis = "assumed", source = "analyst"'
ANALYSIS = (
    beginning("one_compartment", name="small")
    + f"""\
[parameters.clearance]
typical = {{ family = "lognormal", median = "4 L/h", sd = 0.5, {PRIOR} }}
between = {{ family = "lognormal", sd = 0.3, uncertainty = 0.5, {PRIOR} }}
covariates = [{{ column = "WT", form = "power", reference = 70, exponent = {{ family = "normal", mean = 0.75, sd = 0.3, {PRIOR} }} }}]
[parameters.volume]
typical = {{ family = "lognormal", median = "20 L", sd = 0.5, {PRIOR} }}
between = {{ family = "lognormal", sd = 0.3, uncertainty = 0.5, {PRIOR} }}
[[correlation]]
parameters = ["clearance", "volume"]
shape = 2.0
{PRIOR.replace(", ", chr(10))}
[error.concentration]
model = "proportional"
proportional = {{ family = "halfnormal", sd = 0.3, {PRIOR} }}
[blq.concentration]
method = "M3"
limit = "0.2 mg/L"
[fit]
chains = 2
draws = 60
tune = 100
[sources.analyst]
title = "Choice of the analyst"
"""
)
TIMES_H = (0.5, 2.0, 6.0, 12.0, 24.0)


def table(subjects: int = 6) -> str:
    """Bolus doses; the last sample of the fastest subjects lies below the limit."""
    generator = np.random.default_rng(3)
    rows = ["ID,TIME,AMT,EVID,DV,WT"]
    for subject in range(subjects):
        weight = 50.0 + 8.0 * subject
        clearance = 5.0 * (weight / 70.0) ** 0.75 * np.exp(0.3 * generator.standard_normal())
        volume = 20.0 * np.exp(0.2 * generator.standard_normal())
        rows.append(f"{subject},0,100,1,.,{weight}")
        for time in TIMES_H:
            value = 100.0 / volume * np.exp(-clearance / volume * time) * (1.0 + 0.1 * generator.standard_normal())
            rows.append(f"{subject},{time},.,0,{value:.4f},{weight}")
    return "\n".join(rows) + "\n"


def write(folder: Path, analysis: str = ANALYSIS, rows: str | None = None) -> Path:
    (folder / "study.csv").write_text(table() if rows is None else rows, encoding="utf-8")
    path = folder / "analysis.toml"
    path.write_text(analysis, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def posterior(tmp_path_factory):
    return fit(read_population(write(tmp_path_factory.mktemp("small"))), cores=1)


def codes(path: Path) -> set[str]:
    return {finding.code for finding in examine_population(path).findings if finding.severity is Severity.ERROR}


def test_a_model_with_a_structure_is_a_population_analysis(tmp_path):
    assert is_population(write(tmp_path))


def test_a_population_analysis_is_read_with_its_covariates_and_limits(tmp_path):
    analysis = read_population(write(tmp_path))

    assert analysis.study.subjects == ("0", "1", "2", "3", "4", "5")
    assert analysis.blq == {"concentration": BlqMethod.M3}
    assert analysis.parameters["clearance"].covariates[0].column == "WT"
    assert analysis.study.counts("concentration")[1] > 0
    assert "BLQ method M3" in analysis.observed_in_words()[0]


def test_method_m1_leaves_out_what_lies_below_the_limit_and_says_how_much(tmp_path):
    kept = read_population(write(tmp_path, ANALYSIS.replace('"M3"', '"M1"')))

    observed, below = kept.study.counts("concentration")
    assert below == 0
    assert observed + kept.study.left_out["concentration"] == 6 * len(TIMES_H)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('structure = "one_compartment"', 'structure = "one_compartmentt"', "E_UNKNOWN_NAME"),
        ("[parameters.volume]", "[parameters.volum]", "E_MISSING_PARAMETER"),
        ("[parameters.volume]", "[parameters.volum]", "E_UNKNOWN_PARAMETER"),
        ('median = "20 L"', 'median = "20 h"', "E_UNIT"),
        ('model = "proportional"', 'model = "proportionall"', "E_CHOICE"),
        ('method = "M3"', 'method = "M7"', "E_CHOICE"),
        ('TIME = "h"\n', "", "E_MISSING_UNIT"),
        ('parameters = ["clearance", "volume"]', 'parameters = ["clearance", "lag"]', "E_UNKNOWN_PARAMETER"),
        ('column = "WT"', 'column = "WEIGHT"', "E_MISSING_COLUMN"),
        ('endpoint = "concentration"', 'endpoint = "tumor_volume"', "E_UNKNOWN_ENDPOINT"),
        ('source = "analyst" }}\n[error', 'source = "analist" }}\n[error', None),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path, old, new, code):
    found = codes(write(tmp_path, ANALYSIS.replace(old, new)))

    assert code is None or code in found


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("0,30,-5,1,.,50", "E_NEGATIVE_DOSE"),
        ("0,30,5,1,.,x", "E_NOT_A_NUMBER"),
        ("5,1,.,0,1,90", "E_UNSORTED_TIME"),
        ("5,30,5,7,.,90", "E_EVENT"),
        ("5,30,.,0,.,90", "E_MISSING_VALUE"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path, row, code):
    path = write(tmp_path, rows=table() + row + "\n")

    assert code in codes(path)


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"SS": 1}, "E_EVENT"),  # a steady state without the time between its doses
        ({"SS": 3}, "E_UNSUPPORTED"),
        ({"ADDL": -1, "II": 12}, "E_EVENT"),
        ({"ADDL": 1.5, "II": 12}, "E_EVENT"),
        ({"ADDL": 2}, "E_EVENT"),
        ({"II": -12}, "E_EVENT"),
        ({"RATE": -3}, "E_EVENT"),
        ({"RATE": -2}, "E_MISSING_PARAMETER"),  # no [compartment.central.duration]
        ({"EVID": 1.5}, "E_EVENT"),
    ],
)
def test_a_dose_that_contradicts_itself_is_refused(tmp_path, cells, code):
    names = ("ID", "TIME", "AMT", "EVID", "DV", "WT", "II", "ADDL", "SS", "RATE")
    dose = {"ID": 0, "TIME": 0, "AMT": 100, "EVID": 1, "DV": ".", "WT": 70} | cells
    rows = [
        ",".join(names),
        ",".join(str(dose.get(name, 0)) for name in names),
        *(f"0,{time},.,0,1.0,70,0,0,0,0" for time in TIMES_H),
    ]

    assert codes(write(tmp_path, rows="\n".join(rows) + "\n")) == {code}


def test_a_value_of_zero_is_refused_where_the_error_is_on_the_logarithm(tmp_path):
    logarithmic = ANALYSIS.replace('"proportional"\nproportional', '"lognormal"\nresidual').split("[blq")
    without_limit = logarithmic[0] + "[fit]" + logarithmic[1].split("[fit]")[1]

    assert "E_ZERO_WITHOUT_LIMIT" in codes(write(tmp_path, without_limit, table() + "5,30,.,0,0,90\n"))


def test_all_findings_come_at_once(tmp_path):
    broken = ANALYSIS.replace('median = "20 L"', 'median = "20 h"').replace('method = "M3"', 'method = "M7"')

    assert {"E_UNIT", "E_CHOICE"} <= codes(write(tmp_path, broken))


def endpoint(name: str, **values: float) -> AbstractEndpoint:
    kind = Registry("pkpd.endpoints", AbstractEndpoint).get(name)
    positive = bool(values.pop("positive", False))
    return kind(**{key: jnp.asarray(value) for key, value in values.items()}, positive=positive)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "values", "sd"),
    [
        ("additive", {"additive": 0.5}, 0.5),
        ("proportional", {"proportional": 0.2}, 0.8),
        ("combined", {"additive": 0.6, "proportional": 0.2}, 1.0),
        ("combined_linear", {"additive": 0.5, "proportional": 0.2}, 1.3),
        ("power", {"proportional": 0.2, "exponent": 0.5}, 0.4),
    ],
)
def test_a_normal_error_has_the_density_of_scipy_and_m3_and_m4_its_probabilities(name, values, sd):
    prediction, value = jnp.asarray(4.0), jnp.asarray(3.0)
    normal = stats.norm(4.0, sd)
    plain, conditional = endpoint(name, **values), endpoint(name, **values, positive=True)

    density, below = (float(plain.log_density(prediction, value, jnp.asarray(flag))) for flag in (False, True))
    density4, below4 = (float(conditional.log_density(prediction, value, jnp.asarray(flag))) for flag in (False, True))

    assert density == pytest.approx(normal.logpdf(3.0))
    assert below == pytest.approx(normal.logcdf(3.0))
    assert density4 == pytest.approx(normal.logpdf(3.0) - normal.logsf(0.0))
    assert below4 == pytest.approx(np.log((normal.cdf(3.0) - normal.cdf(0.0)) / normal.sf(0.0)))


def test_partial_correlations_make_a_correlation_matrix():
    partial = {(1, 0): 0.4, (2, 0): -0.7, (2, 1): 0.9}

    rows = [cholesky_row(partial, row) for row in range(3)]

    factor = np.array([[*row, *([0.0] * (3 - len(row)))] for row in rows])
    correlation = factor @ factor.T
    np.testing.assert_allclose(np.diag(correlation), 1.0)
    assert correlation[1, 0] == pytest.approx(0.4)
    assert np.linalg.eigvalsh(correlation).min() > 0.0


def test_a_fit_holds_typical_values_spreads_individuals_and_the_correlation(posterior):
    expected = {"clearance", "clearance.between", "clearance.eta", "clearance.subject", "clearance.WT"}

    assert expected | {"correlation.clearance.volume", "concentration.proportional"} <= set(posterior.names)
    assert posterior.units("clearance") == "L/h"
    assert posterior.values("clearance.subject").shape == (120, 6)
    assert np.all(np.abs(posterior.values("correlation.clearance.volume")) < 1.0)
    assert {"prior", "posterior_predictive", "log_likelihood", "observed_data", "constant_data"} <= set(
        posterior.groups
    )


def test_an_individual_value_is_typical_times_covariate_times_its_deviation(posterior):
    weight = 50.0 + 8.0 * np.arange(6)
    typical, spread, power = (posterior.values(f"clearance{end}")[:, None] for end in ("", ".between", ".WT"))

    expected = typical * (weight / 70.0) ** power * np.exp(spread * posterior.values("clearance.eta"))

    np.testing.assert_allclose(posterior.values("clearance.subject"), expected, rtol=1e-9)


def test_the_summary_names_residual_error_and_the_method_below_the_limit(posterior):
    line = posterior.analysis["observed"][0]

    assert "proportional residual error" in line
    assert "BLQ method M3" in line


def test_the_density_does_not_depend_on_how_individuals_are_sampled(tmp_path):
    fitted = build_model(read_population(write(tmp_path)))
    names = {str(variable.name) for variable in fitted.model.free_RVs}

    assert {"clearance.centered", "volume.centered"} <= names
    assert np.isfinite(fitted.model.compile_logp()(fitted.model.initial_point()))


def test_a_report_shows_observed_values_priors_gate_and_sources_of_a_population_fit(posterior, tmp_path):
    from pkpd.report import write_report

    posterior.save(tmp_path / "posterior.nc")

    page = write_report(tmp_path).read_text(encoding="utf-8")

    assert "lie inside the 90 % interval that all other values predict for them" in page
    assert "contraction" in page
    assert "BLQ method M3" in page
    assert "Choice of the analyst" in page


def warnings_of(folder: Path, rows: str) -> dict[str, str]:
    found = examine_population(write(folder, rows=rows)).findings
    return {finding.code: finding.message for finding in found if finding.severity is Severity.WARNING}


def test_rows_that_repeat_another_are_counted_and_told(tmp_path):
    lines = table().splitlines()

    told = warnings_of(tmp_path, "\n".join([*lines[:2], lines[1], *lines[2:]]) + "\n")

    assert told == {"W_ROW_REPEATED": "1 rows repeat another one in every column; each counts"}


def test_subjects_that_are_only_dosed_or_only_observed_are_told(tmp_path):
    told = warnings_of(tmp_path, table() + "8,0,100,1,.,70\n9,1,.,0,3.0,70\n")

    assert told["W_SUBJECT_WITHOUT_DATA"] == "no observation of 8"
    assert told["W_SUBJECT_WITHOUT_DOSE"].startswith("no dose of 9,")


def test_a_table_out_of_order_is_told_once_with_the_way_out(tmp_path):
    head, *rows = table().splitlines()

    found = examine_population(write(tmp_path, rows="\n".join([head, *reversed(rows)]) + "\n")).findings

    (finding,) = (finding for finding in found if finding.code == "E_UNSORTED_TIME")
    assert "more rows are out of order" in finding.message
    assert 'order = "any"' in finding.hint


def test_an_error_in_a_parameter_is_not_followed_by_one_in_its_correlation(tmp_path):
    wrong = ANALYSIS.replace('median = "20 L"', 'median = "20 h"')

    assert codes(write(tmp_path, wrong)) == {"E_UNIT"}


def test_a_source_that_is_not_described_comes_with_the_way_to_describe_it(tmp_path):
    nameless = ANALYSIS[: ANALYSIS.index("[sources.analyst]")]

    found = examine_population(write(tmp_path, nameless)).findings

    assert {finding.code for finding in found} == {"E_UNKNOWN_SOURCE"}
    assert all(finding.hint.startswith("write [sources.analyst] with title") for finding in found)
