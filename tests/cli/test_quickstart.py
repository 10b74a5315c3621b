"""The quickstart runs the whole line, labels everything as simulated, and compares truth with posterior."""

import json

import fake_run
import pytest

from pkpd.cli.recovery import Recovered, recovery_lines
from pkpd.cli.simulated_study import read_truth
from pkpd.domain.recommendation import Verdict
from pkpd.errors import ExitCode
from pkpd.io.checks import checked
from pkpd.io.prior_file import Kind
from pkpd.io.priors import read_component
from pkpd.io.spaces import read_space


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "pkpd-quickstart"


@pytest.fixture
def without_figures(monkeypatch):
    """A report in no time: drawing it takes most of a test."""

    def write(folder):
        page = folder / "report" / "report.html"
        page.parent.mkdir(exist_ok=True)
        page.write_text("a report")
        return page

    monkeypatch.setattr("pkpd.cli.whole_line.write_report", write)


def test_it_runs_every_step_and_says_where_things_are(run, line, folder):
    result = run("quickstart")

    assert result.exit_code == ExitCode.OK, result.output
    assert all(f"[{number}/6]" in result.stderr for number in range(1, 7))
    assert (folder / "simulated-run" / "report" / "report.html").is_file()
    assert "report.html" in result.stdout
    assert "intervals hold the truth" in result.stdout
    exported = {path.name for path in (folder / "simulated-run" / "export").iterdir()}
    assert exported == {"regimen.csv", "regimen.toml", "calendar.csv", "calendar.md", "regimen.json"}


def test_everything_it_writes_is_labeled_as_simulated(run, line, without_figures, folder):
    run("quickstart")

    analysis, _ = line.fitted[0]
    assert "simulated" in analysis.name
    assert any("SIMULATED" in sentence for sentence in analysis.assumptions)
    assert {"simulated-study.csv", "simulated-truth.toml", "simulated-run"} <= {path.name for path in folder.iterdir()}
    assert all(subject.startswith("simulated") for subject in analysis.study.subjects)
    space = read_space(folder / "simulated-lead-in-small.toml")
    assert next(iter(space)).name.startswith("simulated")


def test_its_study_has_four_arms_and_passes_the_check_without_a_finding(run, line, without_figures, folder):
    run("quickstart")

    analysis, _ = line.fitted[0]
    assert analysis.study.arms == ("vehicle", "palbociclib", "cetuximab", "palbociclib, then cetuximab")
    assert analysis.study.drugs == ("cetuximab", "palbociclib")
    assert checked(folder / "analysis.toml").findings == ()


@pytest.mark.parametrize("verdict", [Verdict.NOT_DISTINGUISHABLE, Verdict.DO_NOT_RECOMMEND, Verdict.INFEASIBLE])
def test_an_abstaining_verdict_is_a_result_and_the_export_says_so(run, line, without_figures, folder, verdict):
    line.verdict = verdict

    result = run("quickstart")

    warnings = json.loads((folder / "simulated-run" / "export" / "regimen.json").read_text())["warnings"]
    assert result.exit_code == ExitCode.OK, result.output
    assert "although nothing recommends it" in result.stdout
    assert str(verdict) in " ".join(warnings)


def test_a_failed_gate_runs_to_the_end_and_leaves_with_4(run, line, without_figures, folder):
    line.gate = fake_run.FAILED_GATE

    result = run("quickstart")

    assert result.exit_code == ExitCode.NOT_CONVERGED
    assert "nothing below may be relied on" in result.stdout
    assert (folder / "simulated-run" / "report" / "report.html").is_file()


def test_it_does_not_overwrite_an_earlier_quickstart_unless_asked(run, line, without_figures):
    codes = [run("quickstart", *words).exit_code for words in ((), (), ("--overwrite",))]

    assert codes == [ExitCode.OK, ExitCode.RUNTIME, ExitCode.OK]


def test_quiet_leaves_nothing_but_the_summary(run, line, without_figures):
    result = run("quickstart", "--quiet")

    assert result.stderr == ""
    assert result.stdout.lstrip().startswith("How truth and posterior compare")


def test_the_truth_is_written_in_the_units_of_the_priors_and_names_only_parameters(run, line, without_figures, folder):
    run("quickstart")
    truth = read_truth(folder / "simulated-truth.toml")
    tumor = read_component(Kind.COMBINATION, "senolysis", "mouse").overlaid(
        read_component(Kind.DISEASE, "pdac_xenograft", "mouse")
    )
    drugs = [read_component(Kind.DRUG, name, "mouse") for name in ("palbociclib", "cetuximab")]

    priors = {f"{part.name}.{name}": prior for part in (tumor, *drugs) for name, prior in part.parameters.items()}

    typical = {name for name in truth.values if name.rpartition(".")[2] not in ("between", "residual")}
    assert typical <= set(priors)
    spreads = {name for name in truth.values if name.endswith(".between")}
    assert spreads == {f"{name}.between" for name, prior in priors.items() if prior.between is not None}
    assert {name: truth.units[name] for name in typical} == {name: priors[name].unit for name in typical}


def row(truth):
    return Recovered(name="tumor.x", unit="1/d", truth=truth, median=1.0, lower=0.5, upper=2.0, contraction=0.7)


def test_an_interval_that_misses_the_truth_is_said_to_miss_it():
    lines = recovery_lines([row(1.1), row(3.0)])

    assert "yes" in lines[1]
    assert "NO" in lines[2]
    assert lines[-1].startswith("1 of 2")
