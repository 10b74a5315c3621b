"""The study of the quickstart: an invented truth, a design, and the values that the model itself draws from them.

It is labeled as simulated in its file names, its name, its assumptions, and the name of every schedule that comes out.
"""

from __future__ import annotations

import csv
import io
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pkpd.cli.run_folder import write_text
from pkpd.domain.study import Observation, Study
from pkpd.errors import Finding, SpecError
from pkpd.export import Patient
from pkpd.io.analysis import read_analysis
from pkpd.io.decode import TomlTable, load_toml
from pkpd.io.schedules import schedules_folder

ANALYSIS, TABLE, TRUTH = "analysis.toml", "simulated-study.csv", "simulated-truth.toml"
SHIPPED_SPACE = "lead-in-small"
SPACE = f"simulated-{SHIPPED_SPACE}.toml"
_PLACEHOLDER_MM3 = 1.0  # in the design, where nothing is observed yet
_HOURS_PER_DAY = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the study is drawn from.

    Attributes
    ----------
    values
        Full name (`tumor.growth_rate`, `tumor.growth_rate.between`, `tumor_volume.residual`) -> value in `units`.
    patient
        Whom the regimen is exported for.
    """

    values: Mapping[str, float]
    units: Mapping[str, str]
    mice_per_arm: int
    days: tuple[int, ...]
    seed: int
    patient: Patient


def write_example(folder: Path) -> Truth:
    """Write the analysis, the truth, the space and the simulated table into a folder."""
    for source, name in (("analysis.toml", ANALYSIS), ("truth.toml", TRUTH)):
        write_text(folder / name, _embedded(source))
    space = (schedules_folder() / "spaces" / f"{SHIPPED_SPACE}.toml").read_text(encoding="utf-8")
    write_text(folder / SPACE, f"# A copy, so that every schedule of it is named after the simulated study.\n{space}")
    truth = read_truth(folder / TRUTH)
    write_text(folder / TABLE, study_table(draw_study(truth)))
    return truth


def read_truth(path: Path) -> Truth:
    """Read the truth behind an example.

    Raises
    ------
    SpecError
        With everything that is wrong in the file.
    """
    findings: list[Finding] = []
    root = TomlTable(load_toml(path), findings, where=path.name)
    values: dict[str, float] = {}
    units: dict[str, str] = {}
    for group, suffix in (("typical", ""), ("between", ".between"), ("residual", ".residual")):
        table = root.table(group)
        for name in () if table is None else table.values:
            assert table is not None
            quantity = table.quantity(name)
            if quantity is not None:
                values[name + suffix], units[name + suffix] = quantity
    design, patient = root.table("design"), root.table("patient")
    if design is None or patient is None or findings:
        raise SpecError(findings)
    truth = Truth(
        values=values,
        units=units,
        mice_per_arm=design.integer("mice_per_arm") or 0,
        days=_days(design),
        seed=design.integer("seed") or 0,
        patient=Patient(weight_kg=patient.number("weight_kg"), surface_m2=patient.number("surface_m2")),
    )
    if findings:
        raise SpecError(findings)
    return truth


def draw_study(truth: Truth) -> Study:
    """Draw the values of the study from the model, under the doses of its analysis."""
    from pkpd.simulate import simulate_study  # slow import: JAX

    analysis_text = _embedded("analysis.toml")
    with tempfile.TemporaryDirectory() as folder:
        design = Path(folder)
        write_text(design / ANALYSIS, analysis_text)
        arms = tuple(tomllib.loads(analysis_text)["arm"])
        write_text(design / TABLE, _csv(_design_rows(truth, arms=arms)))
        return simulate_study(read_analysis(design / ANALYSIS), truth.values, seed=truth.seed)


def study_table(study: Study) -> str:
    """CSV text of the simulated volumes, to a tenth of a cubic millimeter."""
    arms = {subject.name: subject.arm for subject in study.subject_facts()}
    return _csv([_row(each, arms[each.subject]) for each in study.observations()])


def _days(design: TomlTable) -> tuple[int, ...]:
    design.ask("days")
    days = design.values.get("days")
    if isinstance(days, list) and days and all(isinstance(day, int) for day in days):
        return tuple(days)
    design.report("E_TYPE", "days", f"{days!r} is not a list of whole days", "write days = [0, 7, 14]")
    return ()


def _design_rows(truth: Truth, *, arms: tuple[str, ...]) -> list[tuple[str, ...]]:
    arm_of_mouse = [arm for arm in arms for _ in range(truth.mice_per_arm)]
    return [
        (f"simulated-{number:02d}", str(day), str(_PLACEHOLDER_MM3), arm)
        for number, arm in enumerate(arm_of_mouse, start=1)
        for day in truth.days
    ]


def _row(observation: Observation, arm: str) -> tuple[str, ...]:
    return observation.subject, f"{observation.time_h / _HOURS_PER_DAY:g}", f"{observation.value:.1f}", arm


def _csv(rows: list[tuple[str, ...]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("mouse", "day", "volume_mm3", "arm"))
    writer.writerows(rows)
    return stream.getvalue()


def _embedded(name: str) -> str:
    return files("pkpd.cli").joinpath("example", name).read_text(encoding="utf-8")
