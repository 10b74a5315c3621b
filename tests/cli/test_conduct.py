"""How every command behaves: instant help, clean streams, interruptions, bugs that own up, progress for each reader."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings

import pytest
import typer

from pkpd.cli.failures import exit_on_user_error
from pkpd.cli.interruption import interruptible
from pkpd.cli.messages import show_findings
from pkpd.cli.options import ProgressMode
from pkpd.cli.progress import progress_of
from pkpd.errors import DataError, ExitCode, Finding, PkpdError, SpecError

COMMANDS = ("check", "fit", "simulate", "optimize", "export", "report", "quickstart")
SLOW = {"jax", "pymc", "xarray", "pandas", "numpy", "matplotlib", "scipy", "arviz", "rich"}


def leave(error, *, verbose=False):
    """Exit code of a command that fails in this way."""
    with pytest.raises(typer.Exit) as left, exit_on_user_error(verbose=verbose):
        raise error
    return left.value.exit_code


@pytest.mark.parametrize("words", [(), *((command,) for command in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_slow(words):
    program = (
        "import sys\n"
        "from pkpd.cli import main\n"
        f"sys.argv = ['pkpd', *{words!r}, '--help']\n"
        "try:\n    main()\nexcept SystemExit as left:\n    code = left.code\n"
        "print(code, *sys.modules, file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    code, *loaded = done.stderr.split()
    assert code == "0"
    assert done.stdout.startswith("Usage: pkpd")
    assert not SLOW & set(loaded)


def test_help_lists_every_command_and_the_exit_codes(run):
    result = run("--help")

    assert all(re.search(rf"^  {command} ", result.stdout, flags=re.MULTILINE) for command in COMMANDS)
    assert "130 interrupted" in " ".join(result.stdout.split())


def test_the_version_is_printed_alone(run):
    assert re.fullmatch(r"pkpd \d+\.\d+\.\d+\S*\n", run("--version").stdout)


def test_without_words_the_help_is_shown_as_a_usage_error(run):
    result = run()

    assert result.exit_code == ExitCode.USAGE
    assert "Usage: pkpd" in result.output


@pytest.mark.parametrize(("kind", "code"), [(PkpdError, 1), (SpecError, 3), (DataError, 3)])
def test_every_finding_is_shown_and_the_kind_of_error_decides_the_exit_code(capsys, kind, code):
    findings = [Finding(code=f"E_{number}", where="here", message="found", hint="write") for number in (1, 2)]

    assert leave(kind(findings)) == code

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "".join(f"error[E_{number}] here: found\n  help: write\n" for number in (1, 2))


def test_findings_that_say_the_same_of_many_rows_are_counted(capsys):
    show_findings(Finding(code="E_TYPE", where=f"study.csv:{row}", message="is text") for row in range(2, 400))

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "error[E_TYPE] study.csv:2: is text"
    assert lines[3:] == ["  the same in 395 more places, last study.csv:399"]


def test_a_bug_is_called_a_bug_in_one_line(capsys):
    assert leave(ZeroDivisionError("division\nby zero")) == ExitCode.RUNTIME

    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "bug in pkpd" in shown
    assert "ZeroDivisionError: division by zero" in shown


def test_the_traceback_of_a_bug_is_shown_on_request(capsys):
    leave(ZeroDivisionError("division by zero"), verbose=True)

    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_is_not_called_a_bug(capsys):
    assert leave(OSError(28, "No space left on device", "run/posterior.nc")) == ExitCode.RUNTIME

    assert capsys.readouterr().err == "error[E_FILE] run/posterior.nc: No space left on device\n"


def test_a_warning_is_one_line(capsys):
    with exit_on_user_error():
        warnings.simplefilter("always")
        warnings.warn("the step is\n coarse", stacklevel=1)

    assert capsys.readouterr().err == "warning: the step is coarse\n"


def test_an_interruption_leaves_with_130_and_says_what_is_kept(run, line, analysis, tmp_path):
    line.interrupt = True

    result = run("fit", analysis, "--out", "run")

    assert result.exit_code == ExitCode.INTERRUPTED
    assert "keeps analysis.resolved.toml" in result.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"


@pytest.mark.parametrize("request_to_end", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("afterwards", ["returns half of a result", "fails on having none"])
def test_an_interruption_that_a_sampler_keeps_to_itself_is_an_interruption_all_the_same(afterwards, request_to_end):
    def sampler():
        try:
            os.kill(os.getpid(), request_to_end)
            time.sleep(1.0)
        except KeyboardInterrupt:
            if afterwards.startswith("fails"):
                raise ValueError("no draws") from None

    with pytest.raises(KeyboardInterrupt), interruptible():
        sampler()


def test_an_interruption_that_is_lost_in_garbage_collection_is_asked_for_again(capsys):
    class Callback:
        def __del__(self):
            raise KeyboardInterrupt

    def sampler():
        callback = Callback()
        del callback
        time.sleep(5.0)

    with pytest.raises(KeyboardInterrupt), interruptible():
        sampler()

    assert capsys.readouterr().err == ""


def test_a_fit_that_was_interrupted_is_repeated_without_being_asked_to_overwrite(run, line, analysis):
    line.interrupt = True
    assert run("fit", analysis, "--out", "run").exit_code == ExitCode.INTERRUPTED
    line.interrupt = False

    assert run("fit", analysis, "--out", "run").exit_code == ExitCode.OK
    again = run("fit", analysis, "--out", "run")

    assert again.exit_code == ExitCode.RUNTIME
    assert "E_EXISTS" in again.stderr


def test_without_an_interruption_errors_pass_as_they_are():
    with pytest.raises(ValueError, match="ours"), interruptible():
        raise ValueError("ours")


@pytest.mark.parametrize("words", [(), ("-v",)])
def test_a_crash_of_the_fit_leaves_a_record_and_a_traceback_only_on_request(run, line, analysis, tmp_path, words):
    line.crash = RuntimeError("the sampler is broken")

    result = run("fit", analysis, "--out", "run", *words)

    assert result.exit_code == ExitCode.RUNTIME
    assert "this is a bug in pkpd, please report it: RuntimeError: the sampler is broken" in result.stderr
    assert ("Traceback" in result.stderr) == bool(words)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_results_go_to_stdout_and_progress_to_stderr(run, line, analysis):
    result = run("fit", analysis, "--out", "run", "--progress", "plain")

    assert "posterior.nc" in result.stdout
    assert "gate: passed" in result.stdout
    assert "fit:" not in result.stdout
    assert "fit: 100 % (10 of 10), drawing" in result.stderr


def test_progress_as_json_is_one_record_per_line(run, line, analysis):
    result = run("fit", analysis, "--out", "run", "--progress", "jsonl")

    records = [json.loads(text) for text in result.stderr.splitlines()]
    assert {"event": "progress", "step": "fit", "done": 10, "total": 10, "note": "drawing"} in records


@pytest.mark.parametrize("words", [("--quiet",), ("--progress", "none")])
def test_progress_can_be_switched_off(run, line, analysis, words):
    assert run("fit", analysis, "--out", "run", *words).stderr == ""


@pytest.mark.parametrize("setting", ["NO_COLOR", "TERM"])
def test_colors_and_bars_are_for_terminals_that_want_them(run, line, analysis, monkeypatch, setting):
    monkeypatch.setenv(setting, "dumb")

    result = run("fit", analysis, "--out", "run")

    assert "\x1b" not in result.output


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr("pkpd.cli.progress._is_terminal", lambda: True)

    with progress_of("fit", ProgressMode.AUTO) as update:
        update(1, 2, "drawing")

    assert "fit" in capsys.readouterr().err


def test_plain_progress_writes_no_more_than_a_line_per_tenth(capsys):
    with progress_of("search", ProgressMode.PLAIN) as update:
        for done in range(1001):
            update(done, 1000)

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 12
    assert lines[-1] == "search: 100 % (1000 of 1000)"
