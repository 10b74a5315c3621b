"""The checks: `nox` runs the linters and the tests; `nox -l` lists every session.

Sessions install with `constraints.txt`, so that a check that passed yesterday passes today.
"""

import shutil
import tempfile
from pathlib import Path

import nox
from nox.virtualenv import UV

nox.needs_version = ">=2025.11"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "tests-3.13"]

ROOT = Path(__file__).parent
PYTHON = "3.13"
PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    """Install the package in editable mode, with dependency groups of `pyproject.toml`."""
    needed = nox.project.dependency_groups(PROJECT, *groups)
    session.install("--constraint", "constraints.txt", "--editable", ".", *needed)


@nox.session(python=PYTHON)
def lint(session: nox.Session) -> None:
    """Style, types and layers."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("pyright", "--pythonpath", str(Path(session.bin) / "python"))
    session.run("lint-imports")


@nox.session(python=[PYTHON, "3.12"])
def tests(session: nox.Session) -> None:
    """Every test, with branch coverage; arguments after `--` replace that."""
    install(session, "test")
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    # Two workers: compiling is most of the time. A module's tests stay together and share what they compiled.
    session.run(
        "pytest", "--numprocesses=2", "--dist=loadscope", "--cov", "--cov-report=term", "--durations=15", "--color=no"
    )


@nox.session(python=PYTHON, venv_backend="uv", reuse_venv=False)
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it in an empty environment, and run what must work without the checkout."""
    # Outside the checkout, so that neither its package nor its pytest settings are found.
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        session.run(UV, "build", "--wheel", "--out-dir", str(work / "dist"), external=True)
        (built,) = (work / "dist").glob("*.whl")
        session.install("--constraint", "constraints.txt", str(built), "pytest")
        shutil.copytree(ROOT / "tests" / "shipped", work / "shipped", ignore=shutil.ignore_patterns("__pycache__"))
        with session.chdir(work / "shipped"):
            session.run("python", "-m", "pytest", "-p", "no:cacheprovider", "--color=no", ".")


@nox.session(python=PYTHON)
def reports(session: nox.Session) -> None:
    """Rebuild the case studies under reports/, or those named after `--`; `out` is not committed, `expected` is."""
    install(session)
    for study in sorted((ROOT / "reports").glob("*/analysis.toml")):
        run = study.parent / "out"
        if session.posargs and study.parent.name not in session.posargs:
            continue
        # 4 says that the gate failed and 6 that no schedule is recommended: results, not failures.
        session.run("pkpd", "fit", str(study), "--out", str(run), "--overwrite", "--sensitivity", success_codes=[0, 4])
        if "[arm" in study.read_text(encoding="utf-8"):
            session.run("pkpd", "optimize", str(run), "--space", "lead-in-84d", "--overwrite", success_codes=[0, 4, 6])
        session.run("python", "reports/summarize.py", str(run), str(study.parent / "expected"))
        session.run("pkpd", "report", str(run))
    rivals = {name: ROOT / "reports" / name / "out" for name in ("nimotuzumab", "nimotuzumab-saturable")}
    if all((run / "posterior.nc").is_file() for run in rivals.values()):
        target = ROOT / "reports" / "nimotuzumab" / "expected" / "comparison.json"
        session.run("python", "reports/compare.py", str(target), *(f"{name}={run}" for name, run in rivals.items()))


@nox.session(python=PYTHON)
def calibration(session: nox.Session) -> None:
    """Fit studies that the priors made and write how often the truth is inside: reports/calibration/."""
    install(session)
    session.run("python", "reports/calibrate.py", "reports/theophylline/analysis.toml", "reports/calibration")


@nox.session(python=PYTHON)
def bench(session: nox.Session) -> None:
    """Time the package beside its peers and write reports/benchmarks/; peers that are not installed are listed."""
    install(session, "bench")
    session.run("python", "tests/benchmarks/run.py")
