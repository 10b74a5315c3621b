"""An exported regimen reads back as the same dated doses, and a schedule that must not leave is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from fake_run import FAILED_GATE, recommendation, schedules, tree

from pkpd.domain.dosing import MINUTES_PER_DAY, Amount, AmountBasis, Course, Dose, Route, Schedule
from pkpd.domain.recommendation import Verdict
from pkpd.errors import DataError, DiagnosticsError, ExitCode, InfeasibleError, PkpdError, SpecError
from pkpd.export import EXPORTERS, NotRecommendedError, Patient, Regimen, export_schedule, read_exported, regimen_of
from pkpd.export.calendar import cycle_min
from pkpd.export.json import JsonExporter
from pkpd.io.analysis import examine
from pkpd.posterior import Posterior

FORMATS = ("calendar", "json", "nonmem")
PATIENT = Patient(weight_kg=71.3, surface_m2=1.83)
GOLDEN = Path(__file__).resolve().parent.parent / "golden"


def odd_schedule() -> Schedule:
    """Times, amounts and lengths that round badly, and every basis and route."""
    course = {"every_min": 1441, "until_min": 20_000}
    return Schedule(
        name="odd",
        title="odd, with a comma: and a colon",
        horizon_min=21 * MINUTES_PER_DAY,
        courses=(
            Course(drug="palbociclib", amount=Amount(value=100.1 / 3), route=Route.ORAL, start_min=7, **course),
            Course(
                drug="cetuximab",
                amount=Amount(value=250.0 / 7, basis=AmountBasis.BODY_SURFACE),
                route=Route.INTRAVENOUS,
                duration_min=47,
                start_min=20,
                loading=Amount(value=1 / 3, basis=AmountBasis.BODY_WEIGHT),
                loading_duration_min=121,
                **course,
            ),
        ),
    )


def in_milligrams(doses: tuple[Dose, ...]) -> list[Dose]:
    return [dataclasses.replace(dose, amount=Amount(value=PATIENT.milligrams(dose.amount) or 0.0)) for dose in doses]


def written(regimen: Regimen, name: str, folder: Path) -> Path:
    for file, text in EXPORTERS.get(name)().files(regimen).items():
        (folder / file).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("schedule", [*schedules().values(), odd_schedule()], ids=lambda schedule: schedule.name)
def test_an_export_reads_back_as_the_same_dated_doses(tmp_path, name, schedule):
    folder = written(Regimen(schedule=schedule, patient=PATIENT), name, tmp_path)

    again = read_exported(folder, format=name)

    expected = in_milligrams(schedule.doses()) if name == "nonmem" else list(schedule.doses())
    assert list(again.doses()) == expected
    assert (again.name, again.horizon_min) == (schedule.name, schedule.horizon_min)


@pytest.mark.parametrize("schedule", [*schedules().values(), odd_schedule()], ids=lambda schedule: schedule.name)
def test_the_check_of_a_fit_accepts_the_nonmem_table_without_any_finding(tmp_path, schedule):
    folder = written(Regimen(schedule=schedule, patient=PATIENT), "nonmem", tmp_path)

    examined = examine(folder / "regimen.toml")

    assert examined.findings == ()
    assert examined.analysis is not None
    assert examined.analysis.study.data.sizes["dose_id"] == len(schedule.doses())


@pytest.mark.parametrize("name", FORMATS)
def test_a_regimen_is_written_as_it_always_was(name, tmp_path):
    files = export_schedule(recommendation(), tmp_path, format=name, patient=PATIENT)

    for file in files:
        assert file.read_text(encoding="utf-8") == (GOLDEN / "export" / file.name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_says_that_it_is_for_research(name, tmp_path):
    files = export_schedule(recommendation(), tmp_path, format=name, patient=PATIENT)

    texts = [file.read_text(encoding="utf-8") for file in files if file.name != "regimen.csv"]
    assert all("For research use only" in text for text in texts)


@pytest.mark.parametrize("name", FORMATS)
def test_a_failed_gate_is_refused_unless_asked_for_and_then_recorded(name, tmp_path):
    unreliable = Posterior(tree=tree(gate=FAILED_GATE))
    common = {"format": name, "patient": PATIENT, "posterior": unreliable}

    with pytest.raises(DiagnosticsError, match="R-hat"):
        export_schedule(recommendation(), tmp_path / "refused", **common)
    files = export_schedule(recommendation(), tmp_path / "asked", **common, allow_unreliable=True)

    assert not (tmp_path / "refused").exists()
    assert all("failed its diagnostics gate" in file.read_text() for file in files if file.name != "regimen.csv")


@pytest.mark.parametrize(
    ("verdict", "error", "code"),
    [
        (Verdict.DO_NOT_RECOMMEND, NotRecommendedError, ExitCode.ABSTAINED),
        (Verdict.NOT_DISTINGUISHABLE, NotRecommendedError, ExitCode.ABSTAINED),
        (Verdict.INFEASIBLE, InfeasibleError, ExitCode.INFEASIBLE),
    ],
)
def test_a_verdict_against_a_schedule_is_refused_unless_asked_for(verdict, error, code, tmp_path):
    with pytest.raises(error) as raised:
        export_schedule(recommendation(verdict), tmp_path)
    files = export_schedule(recommendation(verdict), tmp_path, allow_unreliable=True)

    assert raised.value.exit_code is code
    assert json.loads(files[0].read_text())["warnings"] == [f"written although the verdict is '{verdict}'"]


def test_any_schedule_of_the_equivalent_set_may_leave_and_a_reference_may_not(tmp_path):
    second = regimen_of(recommendation(), 2)

    with pytest.raises(NotRecommendedError, match="only best, second is recommended"):
        regimen_of(recommendation(), "label")
    label = regimen_of(recommendation(), "label", allow_unreliable=True)

    assert (second.schedule.name, second.warnings) == ("second", ())
    assert label.schedule == schedules()["label"]


def test_all_reasons_against_an_export_are_given_at_once(tmp_path):
    with pytest.raises(DiagnosticsError) as raised:
        export_schedule(
            recommendation(Verdict.DO_NOT_RECOMMEND), tmp_path, posterior=Posterior(tree=tree(gate=FAILED_GATE))
        )

    assert [finding.code for finding in raised.value.findings] == ["E_UNRELIABLE", "E_NOT_RECOMMENDED"]


def test_milligrams_need_the_covariate_of_the_patient(tmp_path):
    with pytest.raises(DataError, match="--surface"):
        export_schedule(recommendation(), tmp_path, format="nonmem", patient=Patient(weight_kg=70.0))
    files = export_schedule(recommendation(), tmp_path, format="json")

    doses = json.loads(files[0].read_text())["doses"]
    assert {dose["mg"] for dose in doses if dose["drug"] == "cetuximab"} == {None}
    assert {dose["mg"] for dose in doses if dose["drug"] == "palbociclib"} == {125.0}


@pytest.mark.parametrize(("which", "words"), [(9, "2 schedules are ranked"), ("nothing", "scored are best")])
def test_an_unknown_schedule_is_refused_with_what_there_is(which, words, tmp_path):
    with pytest.raises(SpecError, match=words):
        export_schedule(recommendation(), tmp_path, which=which)


def test_an_unknown_format_and_an_unwritable_folder_are_refused(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SpecError, match="calendar"):
        export_schedule(recommendation(), tmp_path, format="calender")
    with pytest.raises(PkpdError, match="could not be written"):
        export_schedule(recommendation(), tmp_path / "file" / "folder")


def test_days_and_cycles_of_the_calendar_count_from_one(tmp_path):
    export_schedule(recommendation(), tmp_path, format="calendar", patient=PATIENT)

    rows = [line for line in (tmp_path / "calendar.csv").read_text().splitlines() if not line.startswith("#")]

    assert rows[1].split(",")[:5] == ["1", "1", "1", "00:00", "palbociclib"]
    assert rows[15].split(",") == ["1", "15", "15", "00:00", "cetuximab", "732", "400", "mg/m2", "intravenous", "120"]
    assert rows[-1].split(",")[:3] == ["3", "22", "78"]
    assert cycle_min(schedules()["cetuximab-alone"]) == 7 * MINUTES_PER_DAY


def test_an_edited_json_regimen_is_refused(tmp_path):
    export_schedule(recommendation(), tmp_path)
    path = tmp_path / "regimen.json"
    plain = json.loads(path.read_text())
    plain["doses"][3]["amount"] = 1250.0
    path.write_text(json.dumps(plain))

    with pytest.raises(DataError, match="was edited"):
        JsonExporter().read(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "pkpd regimen", "schema": 2}'])
def test_json_that_is_no_regimen_is_refused(text, tmp_path):
    (tmp_path / "regimen.json").write_text(text)

    with pytest.raises(DataError, match="regimen"):
        JsonExporter().read(tmp_path)


def test_every_bad_row_of_a_calendar_is_reported(tmp_path):
    export_schedule(recommendation(), tmp_path, format="calendar", patient=PATIENT)
    path = tmp_path / "calendar.csv"
    lines = path.read_text().splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("cycle")) + 1
    lines[first] = lines[first].replace("oral", "oralish")
    lines[first + 1] = lines[first + 1].replace(",125,mg", ",-125,mg")
    path.write_text("\n".join(lines))

    with pytest.raises(DataError) as raised:
        read_exported(tmp_path, format="calendar")

    assert [finding.where for finding in raised.value.findings] == [
        f"calendar.csv:{first + 1}",
        f"calendar.csv:{first + 2}",
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_folder_is_refused(name, tmp_path):
    with pytest.raises(PkpdError):
        read_exported(tmp_path, format=name)


def test_a_calendar_without_its_header_and_a_sidecar_without_horizon_are_refused(tmp_path):
    export_schedule(recommendation(), tmp_path, format="nonmem", patient=PATIENT)
    sidecar = tmp_path / "regimen.toml"
    sidecar.write_text("\n".join(line for line in sidecar.read_text().splitlines() if "horizon_min" not in line))
    (tmp_path / "calendar.csv").write_text("a,b\n1,2\n")

    with pytest.raises(DataError, match="horizon_min"):
        read_exported(tmp_path, format="nonmem")
    with pytest.raises(DataError, match="lacks cycle"):
        read_exported(tmp_path, format="calendar")
