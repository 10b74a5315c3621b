"""Analyses: arms become doses, options and scenarios are read, and warnings say what the data cannot tell."""

import hashlib

import pytest
from analysis_files import ANALYSIS, DOSE_ANALYSIS, DOSE_TABLE, TABLE, write

from pkpd.domain.study import FitOptions
from pkpd.errors import Severity, SpecError
from pkpd.io.analysis import examine, read_analysis
from pkpd.io.checks import checked

CR1197 = """
schema = 1
name = "cr1197"

[study]
setting = "mouse"
data = "DATA"

[columns]
ID = "Mouse"
TIME = "day"
DV = "volume_mm3"
ARM = "Treatment"

[units]
TIME = "d"
DV = "mm^3"

[ignore]
columns = ["day_post_implant"]

[observations]
endpoint = "tumor_volume"
lower_limit = "15 mm^3"

[covariates]
weight = "22 g"

[model]
disease = "colorectal_pdx"
drugs = ["palbociclib", "cetuximab"]

[arm.Vehicle]
control = true

[[arm.Palbociclib.course]]
drug = "palbociclib"
amount = "75 mg/kg"
every = "24 h"

[[arm.Cetuximab.course]]
drug = "cetuximab"
amount = "1 mg"
every = "84 h"
route = "intraperitoneal"

[[arm."Palbociclib+Cetuximab".course]]
drug = "palbociclib"
amount = "75 mg/kg"
every = "24 h"

[[arm."Palbociclib+Cetuximab".course]]
drug = "cetuximab"
amount = "1 mg"
every = "84 h"
route = "intraperitoneal"
"""


def test_an_arm_gives_its_doses_to_each_of_its_subjects_until_its_last_observation(tmp_path):
    analysis = read_analysis(write(tmp_path, analysis=ANALYSIS.replace('until = "5 d"', "")))

    doses = analysis.study.administrations()
    assert {dose.subject for dose in doses} == {"b"}
    assert [dose.time_min for dose in doses] == [day * 1440 for day in range(7)]
    assert {dose.mg for dose in doses} == {75 * 0.022}
    assert analysis.arms["Palbociclib"].horizon_min == 7 * 1440
    assert analysis.arms["Vehicle"].courses == ()


def test_options_scenarios_and_overrides_are_read(tmp_path):
    more = """
[fit]
draws = 200
engine = "numpyro"
target_accept = 0.95

[[scenario]]
name = "half"
dose_factors = { palbociclib = 0.5 }

[priors."tumor.growth_rate"]
typical = { family = "lognormal", median = "0.2 1/d", sd = 0.1, basis = "measured", source = "pilot" }
between = "none"

[sources.pilot]
title = "Pilot study"
url = "https://example.org/pilot"
section = "table 1"
read = 2026-11-22
"""
    path = write(tmp_path, analysis=ANALYSIS + more)

    analysis = read_analysis(path)

    assert analysis.options == FitOptions(draws=200, engine="numpyro", target_accept=0.95)
    assert [(scenario.name, dict(scenario.dose_factors)) for scenario in analysis.scenarios] == [
        ("half", {"palbociclib": 0.5})
    ]
    assert list(analysis.overrides) == ["tumor.growth_rate"]
    assert analysis.sources["pilot"].title == "Pilot study"
    assert analysis.assumptions == ("Doses are assumed.",)
    assert [str(finding) for finding in checked(path).findings] == []


def test_every_file_that_was_read_is_recorded_with_its_digest(tmp_path):
    path = write(tmp_path)

    inputs = read_analysis(path).inputs

    assert inputs == {
        "analysis.toml": hashlib.sha256(path.read_bytes()).hexdigest(),
        "study.csv": hashlib.sha256(TABLE.encode()).hexdigest(),
    }


def test_doses_alone_pass_a_check_and_are_refused_by_a_fit(tmp_path):
    path = write(tmp_path, analysis=DOSE_ANALYSIS, table=DOSE_TABLE)

    assert checked(path).findings == ()
    assert [dose.mg for dose in examine(path).analysis.study.administrations()] == [125.0, 125.0]
    with pytest.raises(SpecError, match="E_NO_OBSERVATIONS"):
        read_analysis(path)


def test_a_table_is_checked_by_the_analysis_beside_it(tmp_path):
    write(tmp_path, analysis=DOSE_ANALYSIS, table=DOSE_TABLE).rename(tmp_path / "study.toml")

    assert checked(tmp_path / "study.csv").findings == ()
    (finding,) = checked(tmp_path / "other.csv").findings
    assert finding.where.endswith("other.csv")
    assert "there is no other.toml" in finding.message


def test_a_study_without_control_arm_is_warned_about_and_accepted(tmp_path):
    path = write(
        tmp_path,
        analysis=ANALYSIS.replace("[arm.Vehicle]\ncontrol = true\n", ""),
        table="".join(line for line in TABLE.splitlines(keepends=True) if "Vehicle" not in line),
    )

    findings = checked(path).findings

    assert [(finding.code, finding.severity) for finding in findings] == [("W_NO_CONTROL_ARM", Severity.WARNING)]
    assert read_analysis(path).study.arms == ("Palbociclib",)


def test_a_drug_that_nobody_gets_and_a_subject_without_data_are_warned_about(tmp_path):
    path = write(
        tmp_path,
        analysis=ANALYSIS.replace('["palbociclib"]', '["palbociclib", "cetuximab"]')
        + '\n[ignore]\ncolumns = ["age"]\n',
        table=TABLE.replace("group", "group,MDV", 1).replace("Vehicle\n", "Vehicle,1\n").replace("clib\n", "clib,0\n"),
    )

    codes = [finding.code for finding in checked(path).findings]

    assert sorted(codes) == ["W_DRUG_NOT_GIVEN", "W_NOTHING_IGNORED", "W_ROWS_LEFT_OUT", "W_SUBJECT_WITHOUT_DATA"]


@pytest.mark.parametrize("drug", ["ribociclib", "abemaciclib", "erlotinib", "gefitinib", "cetuximab_saturable"])
def test_every_shipped_drug_is_dosed_in_patients_by_its_usual_route(tmp_path, drug):
    path = write(tmp_path, analysis=DOSE_ANALYSIS, table=DOSE_TABLE.replace("palbociclib", drug))

    assert checked(path).findings == ()


def test_a_study_of_ribociclib_in_mice_is_in_order(tmp_path):
    course = (
        '[[arm.Palbociclib.course]]\ndrug = "cetuximab"\namount = "1 mg"\nevery = "84 h"\nroute = "intraperitoneal"\n'
    )
    drugs = '["ribociclib", "cetuximab"]'
    analysis = (
        ANALYSIS.replace('["palbociclib"]', drugs).replace('drug = "palbociclib"', 'drug = "ribociclib"') + course
    )

    assert checked(write(tmp_path, analysis=analysis)).findings == ()


def test_errors_stand_before_warnings(tmp_path):
    path = write(tmp_path, analysis=ANALYSIS.replace('["palbociclib"]', '["palbociclib", "cetuximab", "lapatinib"]'))

    severities = [finding.severity for finding in checked(path).findings]

    assert severities == sorted(severities)
    assert set(severities) == {Severity.ERROR, Severity.WARNING}


def test_a_prior_file_of_ones_own_is_looked_for_beside_the_analysis(tmp_path, repository):
    own = (repository / "priors" / "diseases" / "colorectal_pdx.toml").read_text(encoding="utf-8")
    (tmp_path / "own.toml").write_text(own, encoding="utf-8")

    path = write(tmp_path, analysis=ANALYSIS.replace('"colorectal_pdx"', '"own.toml"'))

    assert checked(path).findings == ()


def test_a_growth_law_without_its_priors_is_reported(tmp_path, repository):
    own = (repository / "priors" / "diseases" / "colorectal_pdx.toml").read_text(encoding="utf-8")
    start = own.index("[mouse.tumor.growth_decay]")
    end = own.index("[mouse.tumor.carrying_capacity]")
    residual = own.index("[mouse.residual.tumor_volume]")
    after = own.index("[sources.pdxe]")
    (tmp_path / "own.toml").write_text(own[:start] + own[end:residual] + own[after:], encoding="utf-8")

    findings = checked(write(tmp_path, analysis=ANALYSIS.replace('"colorectal_pdx"', '"own.toml"'))).findings

    assert {finding.code for finding in findings} == {"E_MISSING_PARAMETER"}
    assert any("growth_decay" in finding.message for finding in findings)
    assert any("residual error of tumor_volume" in finding.message for finding in findings)


def test_the_public_study_of_both_drugs_is_read_with_its_zeros_below_the_limit(tmp_path, shared_data):
    data = shared_data / "cr1197" / "CR1197_long.csv"
    path = tmp_path / "analysis.toml"
    path.write_text(CR1197.replace("DATA", data.as_posix()), encoding="utf-8")

    study = read_analysis(path).study

    assert checked(path).findings == ()
    assert (len(study.subjects), study.data.sizes["obs_id"], len(study.arms)) == (37, 379, 4)
    assert int((~study.observed).sum()) == 4
    assert float(study.data["value"].min()) == 15.0
    assert study.drugs == ("cetuximab", "palbociclib")


def test_the_zeros_of_the_public_study_are_refused_without_a_limit(tmp_path, shared_data):
    data = shared_data / "cr1197" / "CR1197_long.csv"
    path = tmp_path / "analysis.toml"
    path.write_text(CR1197.replace("DATA", data.as_posix()).replace('lower_limit = "15 mm^3"', ""), encoding="utf-8")

    with pytest.raises(SpecError) as caught:
        read_analysis(path)

    assert [finding.code for finding in caught.value.findings] == ["E_ZERO_WITHOUT_LIMIT"] * 2
