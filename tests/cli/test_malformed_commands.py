"""Malformed invocations and inputs: each gives a precise message, the right exit code and never a traceback."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import fake_run
import pytest
from analysis_files import ANALYSIS, TABLE, write

from pkpd.domain.recommendation import Verdict
from pkpd.errors import ExitCode

SMALL = "lead-in-small"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call of `pkpd` in a folder that `prepare` has put something into."""

    name: str
    words: tuple[str, ...]
    code: ExitCode
    message: str
    prepare: Callable[[Path], object] = lambda _folder: None


def usage(name: str, words: str, message: str) -> Case:
    return Case(name=name, words=tuple(words.split()), code=ExitCode.USAGE, message=message)


def invalid(name: str, words: str, message: str, prepare: Callable[[Path], object] = lambda _folder: None) -> Case:
    return Case(name=name, words=tuple(words.split()), code=ExitCode.INVALID, message=message, prepare=prepare)


def runtime(name: str, words: str, message: str, prepare: Callable[[Path], object] = lambda _folder: None) -> Case:
    return Case(name=name, words=tuple(words.split()), code=ExitCode.RUNTIME, message=message, prepare=prepare)


def analysis_with(old: str, new: str) -> Callable[[Path], object]:
    assert old in ANALYSIS
    return lambda folder: write(folder, analysis=ANALYSIS.replace(old, new, 1))


def table_with(old: str, new: str) -> Callable[[Path], object]:
    assert old in TABLE
    return lambda folder: write(folder, table=TABLE.replace(old, new, 1))


def finished(folder: Path) -> None:
    fake_run.write_run(folder / "run")


def unreliable(folder: Path) -> None:
    fake_run.write_run(folder / "run", gate=fake_run.FAILED_GATE)


def truncated(folder: Path) -> None:
    finished(folder)
    whole = (folder / "run" / "posterior.nc").read_bytes()
    (folder / "run" / "posterior.nc").write_bytes(whole[: len(whole) // 2])


def file_in_the_way(folder: Path) -> None:
    write(folder)
    finished(folder)
    (folder / "taken").write_text("a file where a folder should be")


def with_file(name: str, content: str | bytes) -> Callable[[Path], object]:
    def prepare(folder: Path) -> None:
        finished(folder)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return prepare


def without_posterior(folder: Path) -> None:
    finished(folder)
    (folder / "run" / "posterior.nc").unlink()


def fitted_again(folder: Path) -> None:
    finished(folder)
    path = folder / "run" / "optimize" / "recommendation.json"
    path.write_text(path.read_text().replace("c" * 64, "d" * 64))


def verdict(which: Verdict) -> Callable[[Path], object]:
    def prepare(folder: Path) -> None:
        fake_run.recommendation(which).save(folder / "recommendation.json")

    return prepare


SPACE = 'schema = 1\nhorizon = "28 d"\n[choose.palbociclib]\namount = "125 mg"\nevery = "24 h"\n[objective]\n'
COURSE = '[[course]]\ndrug = "palbociclib"\namount = "125 mg"\nevery = "24 h"\n'

CASES = [
    # The words of the command line
    usage("unknown command", "chekc analysis.toml", "No such command"),
    usage("unknown option", "check analysis.toml --jsn", "No such option"),
    usage("no argument", "fit", "Missing argument"),
    usage("too many arguments", "report run again", "unexpected extra argument"),
    usage("no schedule", "simulate posterior.nc", "Missing option '--schedule'"),
    usage("a model without events", "simulate --model m.toml --out o.csv", "needs --model, --events and --out"),
    usage("a schedule and events", "simulate run --model m.toml --events e.csv --out o.csv", "not both"),
    usage("no space", "optimize posterior.nc", "Missing option '--space'"),
    usage("no format", "export recommendation.json", "Missing option '--format'"),
    usage("a seed in words", "fit analysis.toml --seed many", "--seed"),
    usage("a negative seed", f"optimize posterior.nc --space {SMALL} --seed -1", "--seed"),
    usage("no draws", f"optimize posterior.nc --space {SMALL} --draws 0", "--draws"),
    usage("acceptance above one", "fit analysis.toml --target-accept 1.5", "--target-accept"),
    usage("unknown engine", "fit analysis.toml --engine stan", "nutpie"),
    usage("unknown progress", "fit analysis.toml --progress loud", "jsonl"),
    usage("a weight in words", "export r.json --format json --weight heavy", "--weight"),
    usage("a weight of zero", "export r.json --format json --weight 0", "--weight"),
    # The analysis and its table
    invalid("no analysis", "check nowhere.toml", "error[E_FILE]"),
    invalid("a folder as analysis", "check .", "error[E_FILE]"),
    invalid("no analysis to fit", "fit nowhere.toml --out run", "error[E_FILE]"),
    invalid("broken TOML", "check analysis.toml", "error[E_TOML]", analysis_with("[study]", "[study")),
    invalid("misspelt key", "fit analysis.toml", "did you mean 'disease'", analysis_with("disease =", "diseese =")),
    invalid("missing unit", "fit analysis.toml", "'22' has no unit", analysis_with('"22 g"', '"22"')),
    invalid("unknown drug", "fit analysis.toml", "palbociclip", analysis_with('["palbociclib"]', '["palbociclip"]')),
    invalid("unknown disease", "fit analysis.toml", "colorectal_pdx", analysis_with("colorectal_pdx", "colorectl")),
    invalid("negative dose", "check analysis.toml", "E_NEGATIVE_DOSE", analysis_with('"75 mg/kg"', '"-75 mg/kg"')),
    invalid(
        "an arm without a plan", "fit analysis.toml", "E_UNKNOWN_ARM", analysis_with("[arm.Vehicle]", "[arm.Vehicl]")
    ),
    invalid("a value in words", "fit analysis.toml", "study.csv:3", table_with("220", "big")),
    invalid("a time in words", "check analysis.toml", "study.csv:3", table_with("a,7,220", "a,week,220")),
    invalid("NaN", "fit analysis.toml", "study.csv:3", table_with("220", "nan")),
    invalid("unsorted time", "fit analysis.toml", "E_UNSORTED_TIME", table_with("a,0,100", "a,9,100")),
    invalid("duplicate rows", "check analysis.toml", "E_DUPLICATE_ROW", table_with("a,7,220", "a,0,220")),
    invalid("empty table", "fit analysis.toml", "E_EMPTY_FILE", lambda folder: write(folder, table="")),
    invalid("no table", "fit analysis.toml", "study.csv", lambda folder: write(folder, table=None)),
    invalid("a spreadsheet", "check analysis.toml", "Excel", lambda folder: write(folder, table=b"PK\x03\x04\0\0")),
    invalid("a binary analysis", "check a.toml", "E_NOT_TEXT", with_file("a.toml", b"\x89HDF\r\n\x1a\n\xff")),
    # The posterior
    invalid("no posterior", "simulate none.nc --schedule palbociclib-3-1", "error[E_NO_FILE]"),
    invalid("an empty run folder", "simulate . --schedule palbociclib-3-1", "error[E_NO_FILE]"),
    invalid("truncated NetCDF", f"optimize run --space {SMALL}", "truncated?", truncated),
    invalid("truncated NetCDF, simulated", "simulate run --schedule palbociclib-3-1", "E_NOT_NETCDF", truncated),
    invalid("truncated NetCDF, reported", "report run", "E_NOT_NETCDF", truncated),
    invalid("an empty posterior", f"optimize p.nc --space {SMALL}", "the file is empty", with_file("p.nc", b"")),
    invalid("a table as posterior", f"optimize p.nc --space {SMALL}", "not a NetCDF-4", with_file("p.nc", TABLE)),
    invalid(
        "a simulation as posterior", f"optimize run/simulate/best.nc --space {SMALL}", "E_NOT_A_POSTERIOR", finished
    ),
    Case(
        name="a failed gate",
        words=("optimize", "run", "--space", SMALL),
        code=ExitCode.NOT_CONVERGED,
        message="failed its diagnostics gate (R-hat 1.23)",
        prepare=unreliable,
    ),
    # Schedules and spaces
    invalid("unknown schedule", "simulate run --schedule palbocilcib-3-1", "did you mean 'palbociclib-3-1'", finished),
    invalid("no schedule file", "simulate run --schedule mine.toml", "error[E_FILE]", finished),
    invalid("unknown space", "optimize run --space lead-in-smal", "did you mean 'lead-in-small'", finished),
    invalid("no space file", "optimize run --space mine.toml", "error[E_FILE]", finished),
    invalid("unfinished space", "optimize run --space s.toml", "objective.name", with_file("s.toml", SPACE)),
    invalid("no horizon", "simulate run --schedule s.toml", "'horizon' is missing", with_file("s.toml", COURSE)),
    # Recommendation, export, report
    invalid("no recommendation", "export nowhere.json --format json", "error[E_RECOMMENDATION]"),
    invalid("a run without a search", "export . --format json", "error[E_RECOMMENDATION]"),
    invalid("a recommendation of text", "export r.json --format json", "is not JSON", with_file("r.json", "best: 1")),
    invalid("another JSON", "export r.json --format json", "schema is 'missing'", with_file("r.json", "{}")),
    invalid("unknown format", "export recommendation.json --format nonmen", "nonmem", verdict(Verdict.RECOMMEND)),
    invalid("unknown rank", "export recommendation.json --format json --which 99", "99", verdict(Verdict.RECOMMEND)),
    invalid("no body surface", "export recommendation.json --format nonmem", "--surface", verdict(Verdict.RECOMMEND)),
    Case(
        name="nothing recommended",
        words=("export", "recommendation.json", "--format", "json"),
        code=ExitCode.ABSTAINED,
        message="E_NOT_RECOMMENDED",
        prepare=verdict(Verdict.NOT_DISTINGUISHABLE),
    ),
    Case(
        name="nothing feasible",
        words=("export", "recommendation.json", "--format", "json"),
        code=ExitCode.INFEASIBLE,
        message="E_INFEASIBLE",
        prepare=verdict(Verdict.INFEASIBLE),
    ),
    Case(
        name="another posterior than the one searched",
        words=("export", "run", "--format", "json"),
        code=ExitCode.MISMATCH,
        message="E_CHANGED",
        prepare=fitted_again,
    ),
    invalid("no run folder", "report nowhere", "there is no such folder"),
    invalid("a run without a posterior", "report run", "no posterior.nc", without_posterior),
    invalid("a broken record", "report run", "E_NOT_JSON", with_file("run/run.json", "{")),
    invalid(
        "a record of a later version",
        f"optimize run --space {SMALL} --overwrite",
        "run.json",
        with_file("run/run.json", "{}"),
    ),
    invalid("a broken simulation", "report run", "best.nc", with_file("run/simulate/best.nc", b"\x89HDF\r\n\x1a\n")),
    # Where results go
    runtime("a file as run folder", "fit analysis.toml --out taken", "E_NOT_WRITABLE", file_in_the_way),
    runtime("a file above the run folder", "fit analysis.toml --out taken/run", "E_NOT_WRITABLE", file_in_the_way),
    runtime("a run folder in use", "fit analysis.toml --out run", "add --overwrite", file_in_the_way),
    runtime("nowhere to search", f"optimize run --space {SMALL} --out taken", "E_NOT_WRITABLE", file_in_the_way),
    runtime(
        "nowhere to simulate", "simulate run --schedule palbociclib-3-1 --out taken", "E_NOT_WRITABLE", file_in_the_way
    ),
    runtime("nowhere to report", "report run --out taken/report.html", "E_NOT_WRITABLE", file_in_the_way),
    runtime("nowhere for a quickstart", "quickstart --out taken", "E_NOT_WRITABLE", file_in_the_way),
]


def test_there_are_many_cases_and_each_has_its_own_name():
    assert len(CASES) == len({case.name for case in CASES})
    assert len(CASES) >= 30


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_malformed_call_gives_a_precise_message_and_its_exit_code(run, line, tmp_path, case):
    case.prepare(tmp_path)

    result = run(*case.words)

    shown = " ".join(result.output.split())
    assert (result.exit_code, case.message in shown) == (case.code, True), result.output
    assert "Traceback" not in result.output
    assert "bug in pkpd" not in result.output
    assert not line.fitted


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("check", "nowhere.toml"), ExitCode.INVALID, "E_FILE"),
        (("simulate", "nowhere.nc", "--schedule", "palbociclib-3-1"), ExitCode.INVALID, "E_NO_FILE"),
        (("fit",), ExitCode.USAGE, "Missing argument"),
    ],
)
def test_the_process_itself_leaves_with_the_exit_code(tmp_path, words, code, message):
    done = subprocess.run(
        [sys.executable, "-c", "from pkpd.cli import main; main()", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
