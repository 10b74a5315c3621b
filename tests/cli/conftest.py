"""Stand-ins for the slow stations of the line, so that the command line is tested in seconds and by itself."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import fake_run
import numpy as np
import pytest
import xarray as xr
from analysis_files import write
from typer.testing import CliRunner, Result

from pkpd.cli.app import app
from pkpd.domain.recommendation import Verdict
from pkpd.posterior import Posterior

type Run = Callable[..., Result]


@dataclass(frozen=True)
class FakePatients:
    """Patients of whom only the number matters."""

    size: int
    assumptions: tuple[str, ...] = ("Patients are simulated.",)

    def first(self, count):
        return FakePatients(size=min(count, self.size))


class FakeLine:
    """What the stand-ins give, and what they were asked."""

    def __init__(self):
        self.gate: dict[str, object] | None = None
        self.verdict = Verdict.EQUIVALENT
        self.fitted = []
        self.cores = None
        self.asked_patients = []
        self.provenance = None
        self.interrupt = False
        self.crash = None

    def fit(self, analysis, *, options=None, progress=None, cores=2):
        self.cores = cores
        self.fitted.append((analysis, options))
        for done in range(11):
            if progress is not None:
                progress(done, 10, "tuning" if done < 5 else "drawing")
            if self.interrupt and done == 5:
                raise KeyboardInterrupt
        if self.crash is not None:
            raise self.crash
        return Posterior(tree=fake_run.tree(gate=self.gate))

    def human_patients(self, _posterior, *, count, seed, disease="pdac_patient", purpose="search"):
        self.asked_patients.append((count, seed, disease, purpose))
        return FakePatients(size=count)

    def trajectories(self, _patients, schedule, *, every_h=6.0):
        return fake_run.trajectories(schedule, draws=5, every_h=max(every_h, 12.0))

    def recommend(self, patients, _fresh, space, *, seed, progress=None, provenance=None):
        self.provenance = provenance
        if progress is not None:
            progress(patients.size, patients.size)
        found = fake_run.recommendation(self.verdict)
        return replace(
            found,
            seed=seed,
            space=space.name,
            inputs=provenance.inputs,
            assumptions=provenance.assumptions,
            sources=provenance.sources,
        )

    def simulate_study(self, analysis, _truth, *, seed):
        generator = np.random.default_rng(seed)
        data = analysis.study.data
        values = 200.0 * np.exp(0.1 * generator.standard_normal(data.sizes["obs_id"]))
        drawn = data.assign(value=("obs_id", values, data["value"].attrs))
        return replace(analysis.study, data=drawn)


@pytest.fixture
def line(monkeypatch) -> FakeLine:
    """Fake fit, simulation and search behind the real command line."""
    fake = FakeLine()
    inference, simulate = ModuleType("pkpd.inference"), ModuleType("pkpd.simulate")
    inference.fit, inference.describe = fake.fit, lambda analysis: f"plan of {analysis.name}"
    simulate.human_patients, simulate.trajectories = fake.human_patients, fake.trajectories
    simulate.simulate_study = fake.simulate_study
    monkeypatch.setitem(sys.modules, "pkpd.inference", inference)
    monkeypatch.setitem(sys.modules, "pkpd.simulate", simulate)
    monkeypatch.setattr("pkpd.cli.searching.recommend", fake.recommend)
    return fake


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    """Call `pkpd` inside an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def analysis(tmp_path) -> Path:
    """A small analysis that is in order."""
    return write(tmp_path)


@pytest.fixture
def finished(tmp_path) -> Path:
    """A run folder with a fit, a recommendation and simulations."""
    return fake_run.write_run(tmp_path / "run")


@pytest.fixture
def unreliable(tmp_path) -> Path:
    """A run folder whose fit failed its gate."""
    return fake_run.write_run(tmp_path / "unreliable", gate=fake_run.FAILED_GATE)


@pytest.fixture
def courses() -> Callable[[Path], xr.Dataset]:
    """Read what a simulation wrote."""

    def read(path: Path) -> xr.Dataset:
        with xr.open_dataset(path, engine="h5netcdf") as lazy:
            return lazy.load()

    return read
