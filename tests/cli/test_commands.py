"""Each command does its one thing, says where the result is, and leaves with the exit code that scripts rely on."""

import json
import tomllib
from dataclasses import replace

import fake_run
import numpy as np
import pytest
from analysis_files import ANALYSIS, DOSE_ANALYSIS, DOSE_TABLE, write

from pkpd.cli.fitting import with_doses_of
from pkpd.cli.options import Engine
from pkpd.cli.run_folder import locked
from pkpd.domain.population import POPULATION_ENGINES
from pkpd.domain.recommendation import Recommendation, Verdict
from pkpd.domain.study import Scenario
from pkpd.errors import ExitCode
from pkpd.io.analysis import read_analysis
from pkpd.posterior import Posterior

SCENARIO = """
[[scenario]]
name = "half the doses"
dose_factors = { palbociclib = 0.5 }
"""


def record(folder):
    return json.loads((folder / "run.json").read_text())


# ---------------------------------------------------------------------------------------------------------------- check
def test_check_accepts_an_analysis_that_is_in_order(run, analysis):
    result = run("check", analysis)

    assert result.exit_code == ExitCode.OK
    assert "0 errors" in result.stdout
    assert "2 subjects, 2 arms, 4 observations" in result.stdout


def test_check_finds_everything_at_once(run, tmp_path):
    path = write(tmp_path, analysis=ANALYSIS.replace('"22 g"', '"22"').replace("disease =", "diseas ="))

    result = run("check", path)

    assert result.exit_code == ExitCode.INVALID
    assert "covariates.weight" in result.stdout
    assert "did you mean 'disease'" in result.stdout
    assert result.stdout.count("error[") >= 2


def test_check_as_json_holds_the_same_findings(run, tmp_path):
    path = write(tmp_path, analysis=ANALYSIS.replace('"22 g"', '"22"'))

    result = run("check", path, "--json")

    content = json.loads(result.stdout)
    assert result.exit_code == ExitCode.INVALID
    assert content["errors"] == len(content["findings"]) > 0
    assert {"code", "where", "message", "hint", "severity"} == set(content["findings"][0])


@pytest.mark.parametrize("name", ["analysis.toml", "analysis.csv"])
def test_check_accepts_an_analysis_of_doses_alone_and_its_table(run, tmp_path, name):
    write(tmp_path, analysis=DOSE_ANALYSIS, table=DOSE_TABLE)

    result = run("check", tmp_path / name)

    assert result.exit_code == ExitCode.OK
    assert "0 observations, 2 doses" in result.stdout


# ------------------------------------------------------------------------------------------------------------------ fit
def test_fit_writes_a_run_folder_that_can_be_fitted_again(run, line, analysis, tmp_path):
    result = run("fit", analysis, "--out", "run", "--seed", 5, "--draws", 20, "--engine", "numpyro")

    again = read_analysis(tmp_path / "run" / "analysis.resolved.toml")
    original = read_analysis(analysis)
    asked, options = line.fitted[0]
    assert result.exit_code == ExitCode.OK, result.output
    assert (options.seed, options.draws, options.engine, options.chains) == (5, 20, "numpyro", 4)
    assert again.study.data.identical(original.study.data)
    assert again.options == asked.options
    assert (again.name, again.assumptions, again.drugs) == (original.name, original.assumptions, original.drugs)


def test_an_engine_for_another_kind_of_study_is_refused_by_name(run, line, analysis):
    result = run("fit", analysis, "--out", "run", "--engine", "gibbs")

    assert result.exit_code == ExitCode.INVALID
    assert "E_CHOICE" in result.stderr
    assert "nutpie, numpyro" in result.stderr
    assert not line.fitted


def test_a_table_is_not_fitted_in_place_of_its_analysis(run, line, analysis):
    result = run("fit", analysis.parent / "study.csv", "--out", "run")

    assert result.exit_code == ExitCode.INVALID
    assert "is a table and not an analysis" in result.stderr


def test_fit_records_command_seed_status_versions_and_inputs(run, line, analysis, tmp_path):
    run("fit", analysis, "--out", "run", "--seed", 5)

    written = record(tmp_path / "run")

    assert (written["schema"], written["command"], written["seed"], written["status"]) == (1, "pkpd fit", 5, "ok")
    assert set(written["inputs"]) == {"analysis.toml", "study.csv"}
    assert all(len(digest) == 64 for digest in written["inputs"].values())
    assert {"python", "pkpd", "jax", "pymc"} <= set(written["versions"])
    assert written["timings"]["total_s"] >= 0.0


def test_fit_without_out_takes_the_name_of_the_analysis(run, line, analysis, tmp_path):
    run("fit", analysis)

    assert (tmp_path / "runs" / "small" / "posterior.nc").is_file()


@pytest.mark.parametrize(("words", "expected"), [(("--cores", "3"), {3}), ((), set(range(1, 1025)))])
def test_chains_run_on_as_many_cores_as_are_asked_for_or_there(run, line, analysis, words, expected):
    run("fit", analysis, "--out", "run", *words)

    assert line.cores in expected


def test_a_failed_gate_leaves_with_4_and_keeps_the_marked_posterior(run, line, analysis, tmp_path):
    line.gate = fake_run.FAILED_GATE

    result = run("fit", analysis, "--out", "run")

    assert result.exit_code == ExitCode.NOT_CONVERGED
    assert "FAIL R-hat" in result.stdout
    assert not Posterior.open(tmp_path / "run" / "posterior.nc").reliable
    assert record(tmp_path / "run")["status"] == "not converged"


def test_a_dry_run_shows_the_plan_and_writes_nothing(run, line, analysis, tmp_path):
    before = sorted(tmp_path.rglob("*"))

    result = run("fit", analysis, "--out", "run", "--dry-run")

    assert (result.exit_code, result.stdout) == (ExitCode.OK, "plan of small\n")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_with_results_is_left_alone_unless_overwriting_is_asked_for(run, line, analysis, finished, tmp_path):
    before = (finished / "posterior.nc").read_bytes()

    refused = run("fit", analysis, "--out", finished)
    untouched = (finished / "posterior.nc").read_bytes()
    (finished / "my notes.txt").write_text("kept")
    accepted = run("fit", analysis, "--out", finished, "--overwrite")

    assert (refused.exit_code, untouched) == (ExitCode.RUNTIME, before)
    assert "E_EXISTS" in refused.stderr
    assert accepted.exit_code == ExitCode.OK
    assert not (finished / "optimize").exists()  # it belonged to the posterior that was replaced
    assert (finished / "my notes.txt").read_text() == "kept"


def test_without_observations_the_run_folder_names_no_subject_and_holds_no_value(run, line, analysis, tmp_path):
    run("fit", analysis, "--out", "run", "--no-observed")

    posterior = Posterior.open(tmp_path / "run" / "posterior.nc")
    assert not {"observed_data", "constant_data", "log_likelihood", "posterior_predictive"} & set(posterior.groups)
    assert posterior.analysis["name"] == "example"
    assert not (tmp_path / "run" / "study.csv").exists()
    assert "subject" not in posterior.group("posterior").coords or set(
        posterior.group("posterior")["subject"].values
    ).isdisjoint({"a", "b", "vehicle-00"})


def test_a_sensitivity_run_multiplies_the_doses_and_writes_what_the_report_reads(run, line, tmp_path):
    path = write(tmp_path, analysis=ANALYSIS + SCENARIO)

    result = run("fit", path, "--out", "run", "--sensitivity")

    (first, _), (second, _) = line.fitted
    written = json.loads((tmp_path / "run" / "sensitivity" / "half-the-doses.json").read_text())
    assert result.exit_code == ExitCode.OK
    np.testing.assert_allclose(second.study.data["dose_mg"], 0.5 * first.study.data["dose_mg"])
    assert (written["name"], written["dose_factors"]) == ("half the doses", {"palbociclib": 0.5})
    assert set(written["parameters"]["tumor.growth_rate"]) == {"median", "lower", "upper", "unit"}
    assert set(written["coverage"]) == set(fake_run.ARMS)
    assert run("report", "run").exit_code == ExitCode.OK


def test_a_scenario_leaves_the_other_drugs_and_the_original_alone(tmp_path):
    analysis = read_analysis(write(tmp_path))
    scenario = Scenario(name="other drug", dose_factors={"cetuximab": 3.0})

    changed = with_doses_of(analysis, scenario)

    assert changed.study.data.identical(analysis.study.data)
    assert changed.arms == analysis.arms
    assert len(changed.assumptions) == len(analysis.assumptions) + 1


def test_the_engines_of_the_command_line_are_those_of_the_analysis():
    assert tuple(Engine) == POPULATION_ENGINES


# ------------------------------------------------------------------------------------------------------------- simulate
@pytest.mark.parametrize("given", ["run", "run/posterior.nc"])
def test_simulate_writes_the_courses_where_the_report_finds_them(run, line, finished, courses, given):
    result = run("simulate", given, "--schedule", "palbociclib-3-1", "--draws", 7, "--seed", 3)

    written = courses(finished / "simulate" / "palbociclib-3-1.nc")
    assert result.exit_code == ExitCode.OK, result.output
    assert line.asked_patients == [(7, 3, "pdac_patient", "report")]
    assert set(written.dims) == {"time_h", "draw"}
    assert written.attrs["schedule"] == "palbociclib-3-1"
    assert "lowest neutrophils" in result.stdout


def test_simulating_an_unreliable_posterior_says_so(run, line, unreliable, courses):
    result = run("simulate", unreliable, "--schedule", "palbociclib-3-1")

    assert result.exit_code == ExitCode.OK
    assert "failed its diagnostics gate" in result.stderr
    assert "UNRELIABLE" in courses(unreliable / "simulate" / "palbociclib-3-1.nc").attrs["assumptions"]


def test_a_search_keeps_a_simulation_that_is_not_its_own(run, line, finished):
    (finished / "optimize" / "recommendation.json").unlink()
    before = (finished / "simulate" / "label.nc").read_bytes()

    result = run("optimize", finished, "--space", "lead-in-small")

    assert "kept:" in result.stderr
    assert (finished / "simulate" / "label.nc").read_bytes() == before


def test_a_folder_in_which_a_command_is_at_work_is_refused(run, line, finished):
    with locked(finished):
        result = run("simulate", finished, "--schedule", "cetuximab-weekly")

    assert result.exit_code == ExitCode.RUNTIME
    assert "E_IN_USE" in result.stderr
    assert run("simulate", finished, "--schedule", "cetuximab-weekly").exit_code == ExitCode.OK


def test_results_are_replaced_on_request_only(run, line, finished):
    for words in (
        ("optimize", finished, "--space", "lead-in-small"),
        ("simulate", finished, "--schedule", "cetuximab-weekly"),
    ):
        first, again, asked = run(*words, "--overwrite"), run(*words), run(*words, "--overwrite")

        assert first.exit_code == asked.exit_code == ExitCode.OK, first.output
        assert again.exit_code == ExitCode.RUNTIME
        assert "E_EXISTS" in again.stderr


# ------------------------------------------------------------------------------------------------------------- optimize
def test_optimize_writes_recommendation_and_courses_beside_the_posterior(run, line, finished):
    (finished / "simulate" / "second.nc").unlink()

    result = run(
        "optimize", finished, "--space", "lead-in-small", "--overwrite", "--draws", 8, "--fresh", 9, "--seed", 2
    )

    found = Recommendation.load(finished / "optimize" / "recommendation.json")
    assert result.exit_code == ExitCode.OK, result.output
    assert str(found.verdict) in result.stdout
    assert line.asked_patients == [(8, 2, "pdac_patient", "search"), (9, 2, "pdac_patient", "report")]
    assert set(found.inputs) == {"posterior.nc", "lead-in-small.toml"}
    assert "Patients are simulated." in found.assumptions
    assert {path.stem for path in (finished / "simulate").glob("*.nc")} == {
        "best",
        "label",
        "palbociclib-alone",
        "cetuximab-alone",
    }


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.RECOMMEND, ExitCode.OK),
        (Verdict.EQUIVALENT, ExitCode.OK),
        (Verdict.NOT_DISTINGUISHABLE, ExitCode.ABSTAINED),
        (Verdict.DO_NOT_RECOMMEND, ExitCode.ABSTAINED),
        (Verdict.INFEASIBLE, ExitCode.INFEASIBLE),
    ],
)
def test_the_verdict_decides_the_exit_code(run, line, finished, verdict, code):
    line.verdict = verdict

    result = run("optimize", finished, "--space", "lead-in-small", "--overwrite")

    assert result.exit_code == code
    assert str(verdict) in result.stdout


def test_without_a_feasible_schedule_the_nearest_miss_is_shown_and_drawn(run, line, finished):
    line.verdict = Verdict.INFEASIBLE

    result = run("optimize", finished, "--space", "lead-in-small", "--out", "elsewhere")

    assert "palbociclib 125 mg, cetuximab from day 15" in result.stdout
    assert (finished.parent / "elsewhere" / "simulate" / "best.nc").is_file()


def test_a_failed_gate_is_refused_unless_allowed_and_then_recorded(run, line, unreliable):
    refused = run("optimize", unreliable, "--space", "lead-in-small", "--overwrite")
    allowed = run("optimize", unreliable, "--space", "lead-in-small", "--overwrite", "--allow-unreliable")

    assert refused.exit_code == ExitCode.NOT_CONVERGED
    assert "E_UNRELIABLE" in refused.stderr
    assert allowed.exit_code == ExitCode.OK
    found = Recommendation.load(unreliable / "optimize" / "recommendation.json")
    assert found.assumptions[0].startswith("UNRELIABLE")


def test_optimize_as_json_prints_the_recommendation_and_nothing_else(run, line, finished):
    result = run("optimize", finished, "--space", "lead-in-small", "--overwrite", "--json")

    assert json.loads(result.stdout) == json.loads((finished / "optimize" / "recommendation.json").read_text())


# --------------------------------------------------------------------------------------------------------------- export
@pytest.fixture
def searched(run, line, finished):
    run("optimize", finished, "--space", "lead-in-small", "--overwrite")
    return finished


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("nonmem", {"regimen.csv", "regimen.toml"}),
        ("calendar", {"calendar.csv", "calendar.md"}),
        ("json", {"regimen.json"}),
    ],
)
def test_export_writes_the_recommended_schedule(run, searched, form, files):
    result = run("export", searched, "--format", form, "--surface", 1.8)

    assert result.exit_code == ExitCode.OK, result.output
    assert {path.name for path in (searched / "export").iterdir()} == files
    assert result.stdout.count("\n") == len(files)


@pytest.mark.parametrize("file", ["regimen.toml", "regimen.csv"])
def test_the_check_accepts_what_the_export_wrote(run, searched, file):
    run("export", searched / "optimize" / "recommendation.json", "--format", "nonmem", "--surface", 1.8, "--out", "x")

    assert run("check", f"x/{file}").exit_code == ExitCode.OK


@pytest.mark.parametrize(
    ("which", "code"), [("2", ExitCode.OK), ("second", ExitCode.OK), ("label", ExitCode.ABSTAINED)]
)
def test_another_schedule_is_chosen_by_rank_or_name(run, searched, which, code):
    assert run("export", searched, "--format", "json", "--which", which).exit_code == code


def test_a_posterior_that_was_fitted_again_after_the_search_is_a_mismatch(run, searched):
    Posterior(tree=fake_run.tree(seed=2)).save(searched / "posterior.nc")

    result = run("export", searched, "--format", "json")

    assert result.exit_code == ExitCode.MISMATCH
    assert "E_CHANGED" in result.stderr


def test_an_unreliable_posterior_is_not_exported_unless_asked_for(run, line, unreliable):
    run("optimize", unreliable, "--space", "lead-in-small", "--overwrite", "--allow-unreliable")

    refused = run("export", unreliable, "--format", "json")
    allowed = run("export", unreliable, "--format", "json", "--allow-unreliable")

    assert (refused.exit_code, allowed.exit_code) == (ExitCode.NOT_CONVERGED, ExitCode.OK)
    assert json.loads((unreliable / "export" / "regimen.json").read_text())["warnings"]


def test_a_recommendation_without_its_posterior_is_exported_with_a_warning(run, searched):
    (searched / "posterior.nc").unlink()

    result = run("export", searched, "--format", "json")

    assert result.exit_code == ExitCode.OK
    assert "is not known" in result.stderr


# --------------------------------------------------------------------------------------------------- report, run record
def test_report_writes_one_html_file(run, finished):
    result = run("report", finished, "--out", "page.html")

    assert (result.exit_code, result.stdout.strip()) == (ExitCode.OK, "page.html")
    assert (finished.parent / "page.html").read_text().startswith("<!")


def test_later_commands_are_added_to_the_record_of_the_run(run, line, analysis, tmp_path):
    run("fit", analysis, "--out", "run")
    run("optimize", "run", "--space", "lead-in-small", "--seed", 4)
    run("simulate", "run", "--schedule", "cetuximab-weekly")
    run("export", "run", "--format", "json")

    written = record(tmp_path / "run")

    assert written["command"] == "pkpd fit"
    commands = [entry["command"] for entry in written["later"]]
    assert commands == ["pkpd optimize", "pkpd simulate", "pkpd export"]
    assert written["later"][0]["seed"] == 4
    assert written["later"][0]["options"]["space"] == "lead-in-small"
    assert run("report", "run").exit_code == ExitCode.OK


def test_the_same_seed_gives_the_same_recommendation(run, line, finished):
    texts = []
    for _ in range(2):
        run("optimize", finished, "--space", "lead-in-small", "--seed", 6, "--overwrite")
        texts.append((finished / "optimize" / "recommendation.json").read_text())

    assert texts[0] == texts[1]


def test_a_resolved_analysis_keeps_arms_scenarios_priors_and_sources(run, line, tmp_path):
    text = (
        ANALYSIS
        + SCENARIO
        + """
[priors."tumor.growth_rate"]
typical = { family = "lognormal", median = "0.1 1/d", sd = 0.6, basis = "assumed", source = "mine" }
between = "none"

[sources.mine]
title = "A judgment"
"""
    )
    path = write(tmp_path, analysis=text)

    assert run("fit", path, "--out", "run").exit_code == ExitCode.OK

    resolved = tmp_path / "run" / "analysis.resolved.toml"
    again, original = read_analysis(resolved), read_analysis(path)
    assert tomllib.loads(resolved.read_text())["fit"]["engine"] == "nutpie"
    assert replace(again, arms={}, inputs={}, study=original.study) == replace(original, arms={}, inputs={})
    assert "palbociclib 75 mg/kg" in resolved.read_text()


def test_a_prior_file_of_ones_own_travels_with_the_run(run, line, tmp_path, repository):
    own = (repository / "priors" / "diseases" / "colorectal_pdx.toml").read_text()
    (tmp_path / "my_tumor.toml").write_text(own)
    path = write(tmp_path, analysis=ANALYSIS.replace('"colorectal_pdx"', '"my_tumor.toml"'))

    result = run("fit", path, "--out", "run")

    assert result.exit_code == ExitCode.OK, result.output
    assert (tmp_path / "run" / "priors" / "my_tumor.toml").read_text() == own
    assert run("check", tmp_path / "run" / "analysis.resolved.toml").exit_code == ExitCode.OK
