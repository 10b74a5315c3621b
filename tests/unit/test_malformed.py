"""Malformed inputs: each gives its own code, the place, a precise message and a hint, and never a traceback."""

from dataclasses import dataclass

import pytest
from analysis_files import ANALYSIS, DOSE_ANALYSIS, DOSE_TABLE, TABLE, write

from pkpd.errors import ExitCode, Finding, Severity, SpecError
from pkpd.io.analysis import read_analysis
from pkpd.io.checks import checked

DVID_ANALYSIS = ANALYSIS.replace('endpoint = "tumor_volume"', "endpoints = { 1 = 'tumor_volume' }").replace(
    'ARM = "group"', 'ARM = "group"\nDVID = "kind"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One malformed input and the finding that it must give."""

    name: str
    code: str
    where: str
    message: str
    analysis: str = ANALYSIS
    table: str | bytes | None = TABLE


def in_table(name: str, old: str, new: str, code: str, where: str, message: str) -> Case:
    assert old in TABLE
    table = TABLE.replace(old, new, 1)
    return Case(name=name, code=code, where=where, message=message, table=table)


def in_analysis(name: str, old: str, new: str, code: str, where: str, message: str) -> Case:
    assert old in ANALYSIS
    analysis = ANALYSIS.replace(old, new, 1)
    return Case(name=name, code=code, where=where, message=message, analysis=analysis)


def in_doses(name: str, table: str, code: str, where: str, message: str, *, analysis: str = DOSE_ANALYSIS) -> Case:
    return Case(name=name, code=code, where=where, message=message, table=table, analysis=analysis)


def dose_row(columns: str, values: str) -> str:
    return f"ID,TIME,AMT,EVID,DRUG,{columns}\n1,0,125,1,palbociclib,{values}\n"


CASES = [
    # The table as a file
    Case(name="table absent", code="E_FILE", where="study.csv", message="there is no such file", table=None),
    Case(name="empty file", code="E_EMPTY_FILE", where="study.csv", message="the file is empty", table=""),
    Case(
        name="header only", code="E_EMPTY_FILE", where="study.csv", message="no row", table="Mouse,day,volume,group\n"
    ),
    Case(name="no header", code="E_NO_HEADER", where="study.csv:1", message="holds values", table="a,0,100,Vehicle\n"),
    Case(name="an Excel file", code="E_NOT_TEXT", where="study.csv", message="Excel", table=b"PK\x03\x04\0\0"),
    Case(name="binary", code="E_NOT_TEXT", where="study.csv", message="not text in UTF-8", table=b"\xff\xfe\xfa,\n"),
    Case(name="NetCDF", code="E_NOT_TEXT", where="study.csv", message="NetCDF", table=b"\x89HDF\r\n\x1a\n"),
    Case(
        name="semicolons",
        code="E_SEPARATOR",
        where="study.csv:1",
        message="semicolons",
        table=TABLE.replace(",", ";"),
    ),
    Case(
        name="quote never closed",
        code="E_NOT_A_TABLE",
        where="study.csv:",
        message="cannot be read as CSV",
        table=TABLE + '"b,9,1,Vehicle\n',
    ),
    Case(
        name="column twice",
        code="E_DUPLICATE_COLUMN",
        where="study.csv:1",
        message="2 columns are named 'day'",
        table=TABLE.replace("group", "day", 1),
    ),
    in_table("row too short", "a,7,220,Vehicle", "a,7,220", "E_RAGGED_ROW", "study.csv:3", "3 cells, the header 4"),
    # Columns and units
    in_analysis("missing unit", 'DV = "mm^3"\n', "", "E_MISSING_UNIT", "analysis.toml: units.DV", "'volume' (DV)"),
    in_analysis("no unit of time", 'TIME = "d"\n', "", "E_MISSING_UNIT", "analysis.toml: units.TIME", "'day' (TIME)"),
    in_analysis("wrong unit", 'DV = "mm^3"', 'DV = "mg"', "E_UNIT", "analysis.toml: units.DV", "mass"),
    in_analysis("unknown unit", 'TIME = "d"', 'TIME = "dayz"', "E_UNIT", "analysis.toml: units.TIME", "dayz"),
    in_analysis(
        "mapped column absent", 'DV = "volume"', 'DV = "volum"', "E_MISSING_COLUMN", "columns.DV", "no column 'volum'"
    ),
    in_analysis(
        "column not standard", 'ARM = "group"', 'ARMS = "group"', "E_UNKNOWN_COLUMN", "columns.ARMS", "not a standard"
    ),
    Case(
        name="column not understood",
        code="E_UNKNOWN_COLUMN",
        where="study.csv:1",
        message="'age' is not understood",
        table="\n".join(f"{line},{'age' if index == 0 else 3}" for index, line in enumerate(TABLE.splitlines())),
    ),
    in_table("no ID", "Mouse", "mouse_id", "E_MISSING_COLUMN", "columns.ID", "no column 'Mouse'"),
    in_table("column of occasions", "group", "OCC", "E_UNSUPPORTED", "study.csv:1", "OCC"),
    # Values
    in_table("text for a time", "a,7", "a,day7", "E_NOT_A_NUMBER", "study.csv:3", "'day7' is not a number"),
    in_table("NaN", "220", "NaN", "E_NOT_FINITE", "study.csv:3", "'NaN'"),
    in_table("infinite", "220", "1e999", "E_NOT_FINITE", "study.csv:3", "'1e999'"),
    in_table("decimal comma", "220", '"2,2"', "E_NOT_A_NUMBER", "study.csv:3", "'2,2' is not a number"),
    in_table("NA of R", "220", "NA", "E_NOT_A_NUMBER", "study.csv:3", "'NA' is not a number"),
    in_table("value missing", "220", ".", "E_MISSING_VALUE", "study.csv:3", "DV ('volume'): is missing"),
    in_table("subject missing", "a,7", ".,7", "E_MISSING_VALUE", "study.csv:3", "ID ('Mouse'): is missing"),
    in_table("negative volume", "220", "-220", "E_NEGATIVE_VALUE", "study.csv:3", "-220 is below zero"),
    in_table("negative time", "a,0", "a,-1", "E_UNSUPPORTED", "study.csv:2", "negative, a time before the start"),
    in_table("zero without limit", "220", "0", "E_ZERO_WITHOUT_LIMIT", "study.csv:3", "no limit of measurement"),
    in_table("times not sorted", "b,0,110", "b,9,110", "E_UNSORTED_TIME", "study.csv:5", "7 comes after 9"),
    in_table("row twice", "a,7,220", "a,0,220", "E_DUPLICATE_ROW", "study.csv:3", "in line 2 too"),
    in_table(
        "subject in two arms",
        "a,7,220,Vehicle",
        "a,7,220,Palbociclib",
        "E_SUBJECT_IN_TWO_ARMS",
        "study.csv:3",
        "'Vehicle'",
    ),
    # Arms and doses by plan
    in_table("arm not described", "b,0,110,Palbociclib", "b,0,110,Palbo", "E_UNKNOWN_ARM", "study.csv", "'Palbo'"),
    in_analysis(
        "arm without subjects",
        "[arm.Vehicle]",
        "[arm.Placebo]\ncontrol = true\n[arm.Vehicle]",
        "E_ARM_WITHOUT_SUBJECTS",
        "analysis.toml: arm.Placebo",
        "no subject",
    ),
    in_analysis("arm without course", "control = true", "", "E_MISSING_KEY", "arm.Vehicle.course", "no course"),
    in_analysis("dose per kg", 'weight = "22 g"\n', "", "E_MISSING_COVARIATE", "arm.Palbociclib", "WT of subject b"),
    in_analysis(
        "dose per m2", '"75 mg/kg"', '"75 mg/m2"', "E_MISSING_COVARIATE", "arm.Palbociclib", "BSA of subject b"
    ),
    Case(
        name="mouse without weight",
        code="E_MISSING_COVARIATE",
        where="analysis.toml: covariates",
        message="per kg, and the weight of subject b",
        analysis=ANALYSIS.replace('weight = "22 g"', "").replace("75 mg/kg", "1 mg"),
    ),
    Case(
        name="weight stated twice",
        code="E_STATED_TWICE",
        where="analysis.toml: covariates.weight",
        message="'WT' (WT)",
        table="\n".join(f"{line},{'WT' if index == 0 else 22}" for index, line in enumerate(TABLE.splitlines())),
    ),
    Case(
        name="DVID beside one endpoint",
        code="E_MISSING_KEY",
        where="analysis.toml: observations.endpoints",
        message="(DVID)",
        table="\n".join(f"{line},{'DVID' if index == 0 else 1}" for index, line in enumerate(TABLE.splitlines())),
    ),
    in_analysis("doses to a culture", '"mouse"', '"in_vitro"', "E_UNSUPPORTED", "study.setting", "doses to a culture"),
    in_analysis(
        "control with courses",
        "[arm.Vehicle]\ncontrol = true",
        '[arm.Vehicle]\ncontrol = true\n[[arm.Vehicle.course]]\ndrug = "palbociclib"\namount = "1 mg"\nevery = "24 h"',
        "E_STATED_TWICE",
        "arm.Vehicle.control",
        "no courses",
    ),
    in_analysis("control of no kind", "control = true", 'control = "yes"', "E_TYPE", "arm.Vehicle.control", "'yes'"),
    in_analysis("unit of no column", 'TIME = "d"', 'TIME = "d"\nEVID = "1"', "E_UNKNOWN_KEY", "units.EVID", "no unit"),
    in_analysis(
        "drug named twice", '["palbociclib"]', '["palbociclib", "palbociclib"]', "E_STATED_TWICE", "drugs", "twice"
    ),
    in_analysis("dose without unit", '"75 mg/kg"', '"75"', "E_UNIT", "arm.Palbociclib.course 1.amount", "no unit"),
    in_analysis("negative dose", '"75 mg/kg"', '"-75 mg/kg"', "E_NEGATIVE_DOSE", "course 1.amount", "above zero"),
    in_analysis("no time between doses", '"24 h"', '"0 h"', "E_COURSE", "course 1.every", "no time at all"),
    in_analysis("part of a minute", '"24 h"', '"1.5 s"', "E_COURSE", "course 1.every", "0.025 minutes"),
    in_analysis(
        "ends before start", '"5 d"', '"5 d"\nstart = "6 d"', "E_COURSE", "course 1.until", "not after its start"
    ),
    in_analysis(
        "starts after the study",
        'until = "5 d"',
        'start = "8 d"',
        "E_COURSE",
        "arm.Palbociclib.course 1.start",
        "after the last observation",
    ),
    in_analysis(
        "rest without dosing part", '"5 d"', '"5 d"\noff = "1 d"', "E_COURSE", "course 1.off", "needs the length"
    ),
    in_analysis(
        "infusion of a tablet", '"5 d"', '"5 d"\nduration = "1 h"', "E_COURSE", "course 1.duration", "no infusion time"
    ),
    in_analysis(
        "a dose each minute",
        'every = "24 h"\nuntil = "5 d"',
        'every = "1 min"',
        "E_COURSE",
        "course 1.every",
        "10,080 doses before 7 d",
    ),
    in_analysis("tablet into a vein", '"5 d"', '"5 d"\nroute = "intravenous"', "E_ROUTE", "course 1.route", "hold"),
    in_analysis("unknown route", '"5 d"', '"5 d"\nroute = "po"', "E_CHOICE", "course 1.route", "'po'"),
    in_analysis(
        "mouse cetuximab without route",
        'drug = "palbociclib"\n',
        'drug = "cetuximab"\n',
        "E_MISSING_KEY",
        "course 1.route",
        "no usual route",
    ),
    in_analysis(
        "misspelt word of a course",
        "until =",
        "untill =",
        "E_UNKNOWN_KEY",
        "course 1.untill",
        "not a word of this table",
    ),
    # Names
    in_analysis(
        "unknown drug",
        'drug = "palbociclib"',
        'drug = "palbocicilb"',
        "E_UNKNOWN_DRUG",
        "course 1.drug",
        "'palbocicilb'",
    ),
    in_analysis(
        "unknown disease", "colorectal_pdx", "colorectal", "E_UNKNOWN_NAME", "analysis.toml: model", "'colorectal'"
    ),
    in_analysis(
        "disease in another setting",
        "colorectal_pdx",
        "pdac_patient",
        "E_SETTING",
        "pdac_patient.toml",
        "setting 'mouse'",
    ),
    in_analysis(
        "drug without priors",
        '["palbociclib"]',
        '["palbociclib", "lapatinib"]',
        "E_UNKNOWN_NAME",
        "model",
        "'lapatinib'",
    ),
    in_analysis(
        "unknown growth law", "[model]", '[model]\ngrowth = "gompert"', "E_CHOICE", "model.growth", "'gompert'"
    ),
    in_analysis("unknown engine", "[model]", '[fit]\nengine = "stan"\n[model]', "E_CHOICE", "fit.engine", "'stan'"),
    in_analysis("unknown setting", '"mouse"', '"rat"', "E_CHOICE", "study.setting", "'rat'"),
    in_analysis(
        "unknown endpoint", '"tumor_volume"', '"tumour_volume"', "E_UNKNOWN_ENDPOINT", "endpoint", "'tumour_volume'"
    ),
    in_analysis(
        "misspelt table", "[covariates]", "[covariate]", "E_UNKNOWN_KEY", "analysis.toml: covariate", "'covariate'"
    ),
    in_analysis("misspelt key", "data =", "dta =", "E_MISSING_KEY", "analysis.toml: study.data", "'data' is missing"),
    in_analysis("other schema", "schema = 1", "schema = 2", "E_SCHEMA", "analysis.toml: schema", "schema 2"),
    in_analysis(
        "no model", '[model]\ndisease = "colorectal_pdx"', "[model]", "E_MISSING_KEY", "model.disease", "missing"
    ),
    in_analysis(
        "no draws", "[model]", "[fit]\ndraws = 0\n[model]", "E_RANGE", "analysis.toml: fit.draws", "0 is below 1"
    ),
    in_analysis(
        "scenario of a drug not given",
        "[arm.Vehicle]",
        '[[scenario]]\nname = "x"\ndose_factors = { cetuximab = 0.5 }\n[arm.Vehicle]',
        "E_UNKNOWN_DRUG",
        "scenario 1.dose_factors.cetuximab",
        "'cetuximab'",
    ),
    in_analysis(
        "prior of no parameter",
        "[arm.Vehicle]",
        '[priors."tumor.growth"]\nbetween = "none"\n[arm.Vehicle]',
        "E_UNKNOWN_PARAMETER",
        'priors."tumor.growth"',
        "'tumor.growth'",
    ),
    in_analysis(
        "limit without unit", "[covariates]", "lower_limit = 15\n[covariates]", "E_MISSING_UNIT", "lower_limit", "15"
    ),
    in_analysis("broken TOML", "[model]", "[model", "E_TOML", "analysis.toml", "not valid TOML"),
    Case(
        name="DVID not mapped",
        code="E_UNKNOWN_ENDPOINT",
        where="study.csv:3",
        message="'2' has no endpoint",
        analysis=DVID_ANALYSIS,
        table="Mouse,day,volume,group,kind\na,0,100,Vehicle,1\na,7,100,Vehicle,2\nb,0,100,Palbociclib,1\n",
    ),
    # Doses in rows
    in_doses("negative amount", DOSE_TABLE.replace("125", "-125", 1), "E_NEGATIVE_DOSE", "study.csv:2", "-125"),
    in_doses("dose without amount", DOSE_TABLE.replace("125", ".", 1), "E_EVENT", "study.csv:2", "has no amount"),
    in_doses("another drug", DOSE_TABLE.replace("palbo", "dina", 1), "E_UNKNOWN_DRUG", "study.csv:2", "'dinaciclib'"),
    in_doses("reset", DOSE_TABLE.replace("125,1", "125,4", 1), "E_UNSUPPORTED", "study.csv:2", "EVID: a reset"),
    in_doses("EVID of no kind", DOSE_TABLE.replace("125,1", "125,7", 1), "E_EVENT", "study.csv:2", "7 is not a kind"),
    in_doses("steady state", dose_row("SS", "1"), "E_UNSUPPORTED", "study.csv:2", "steady state"),
    in_doses(
        "modeled rate",
        dose_row("RATE", "-2"),
        "E_UNSUPPORTED",
        "study.csv:2",
        "RATE = -2",
    ),
    in_doses("repeats without interval", dose_row("ADDL", "3"), "E_EVENT", "study.csv:2", "needs the time between"),
    in_doses("interval without repeats", dose_row("II", "24"), "E_EVENT", "study.csv:2", "without ADDL"),
    in_doses("half a repeat", dose_row("ADDL,II", "1.5,24"), "E_EVENT", "study.csv:2", "1.5 is not a number"),
    in_doses("half a compartment", dose_row("CMT", "1.5"), "E_EVENT", "study.csv:2", "1.5 is not a compartment"),
    in_doses("negative duration", dose_row("DUR", "-1"), "E_EVENT", "study.csv:2", "DUR: -1 is negative"),
    in_doses("value in a dose row", dose_row("DV", "7"), "E_EVENT", "study.csv:2", "DV: is given in the row of a dose"),
    in_doses("route of no kind", dose_row("ROUTE", "iv"), "E_ROUTE", "study.csv:2", "'iv' is not a route"),
    in_doses(
        "tablet into a vein, in a row", dose_row("ROUTE", "intravenous"), "E_ROUTE", "study.csv:2", "does not hold"
    ),
    in_doses("infusion by mouth", dose_row("DUR", "1"), "E_EVENT", "study.csv:2", "has no infusion time"),
    in_doses(
        "rate against duration",
        dose_row("RATE,DUR,ROUTE", "125,2,intravenous"),
        "E_EVENT",
        "study.csv:2",
        "AMT / RATE is 60 min",
    ),
    in_doses("half a minute", DOSE_TABLE.replace("1,24,", "1,24.0083,"), "E_EVENT", "study.csv:3", "minutes"),
    in_doses(
        "amount without unit",
        DOSE_TABLE,
        "E_MISSING_UNIT",
        "units.AMT",
        "AMT",
        analysis=DOSE_ANALYSIS.replace('AMT = "mg"', ""),
    ),
    in_doses(
        "per kg without weight",
        DOSE_TABLE,
        "E_MISSING_COVARIATE",
        "study.csv:2",
        "WT of subject 1",
        analysis=DOSE_ANALYSIS.replace('"mg"', '"mg/kg"'),
    ),
    in_doses(
        "covariate that changes",
        "ID,TIME,AMT,EVID,DRUG,WT\n1,0,125,1,palbociclib,70\n1,24,125,1,palbociclib,71\n",
        "E_UNSUPPORTED",
        "study.csv:3",
        "changes over time",
        analysis=DOSE_ANALYSIS + 'WT = "kg"\n',
    ),
    in_doses("dose twice", DOSE_TABLE.replace("1,24,", "1,0,"), "E_DUPLICATE_ROW", "study.csv:3", "in line 2 too"),
    in_doses(
        "repeat that meets a row",
        "ID,TIME,AMT,EVID,DRUG,ADDL,II\n1,0,125,1,palbociclib,2,12\n1,24,125,1,palbociclib,.,.\n",
        "E_DUPLICATE_ROW",
        "study.csv:3",
        "at 24 h in line 2 too",
    ),
]


def matching(findings: tuple[Finding, ...], case: Case) -> list[Finding]:
    return [
        finding
        for finding in findings
        if finding.code == case.code and case.where in finding.where and case.message in finding.message
    ]


def test_the_input_that_the_cases_change_is_in_order(tmp_path):
    assert [str(finding) for finding in checked(write(tmp_path)).findings] == []
    assert [
        str(finding) for finding in checked(write(tmp_path, analysis=DOSE_ANALYSIS, table=DOSE_TABLE)).findings
    ] == []


def test_no_two_cases_share_a_name():
    names = [case.name for case in CASES]

    assert len(set(names)) == len(names) >= 30


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_malformed_input_is_reported_by_code_place_and_message(case, tmp_path):
    path = write(tmp_path, analysis=case.analysis, table=case.table)

    findings = checked(path).findings

    assert matching(findings, case), "\n".join(str(finding) for finding in findings)
    assert all(finding.severity is Severity.ERROR for finding in matching(findings, case))
    assert any(finding.hint for finding in matching(findings, case))


def test_all_findings_of_file_and_table_come_at_once(tmp_path):
    analysis = ANALYSIS.replace("until =", "untill =").replace('"mouse"', '"rat"').replace('"75 mg/kg"', '"75"')
    table = TABLE.replace("220", "-220").replace("a,0", "a,x").replace("150", ".")
    path = write(tmp_path, analysis=analysis, table=table)

    with pytest.raises(SpecError) as caught:
        read_analysis(path)

    found = {(finding.code, finding.where.partition(" ")[2] or finding.where) for finding in caught.value.findings}
    assert {
        ("E_UNKNOWN_KEY", "arm.Palbociclib.course 1.untill"),
        ("E_CHOICE", "study.setting"),
        ("E_UNIT", "arm.Palbociclib.course 1.amount"),
        ("E_NEGATIVE_VALUE", "study.csv:3"),
        ("E_NOT_A_NUMBER", "study.csv:2"),
        ("E_MISSING_VALUE", "study.csv:5"),
    } <= found
    assert caught.value.exit_code is ExitCode.INVALID


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"75 mg/kg"', '"75"', "E_UNIT"),  # the drug is given all the same
        ('weight = "22 g"', 'weight = "inf g"', "E_UNIT"),  # the weight is not missing
        ("[covariates]", "lower_limit = 15\n[covariates]", "E_MISSING_UNIT"),  # the zero has a limit
        ('"tumor_volume"', '"tumour_volume"', "E_UNKNOWN_ENDPOINT"),  # the rows have an endpoint
        ('DV = "mm^3"', 'DV = "mm"', "E_UNIT"),
    ],
)
def test_what_only_follows_from_an_error_is_not_said(tmp_path, old, new, code):
    assert old in ANALYSIS
    table = TABLE.replace("220", "0") if code == "E_MISSING_UNIT" else TABLE
    path = write(tmp_path, analysis=ANALYSIS.replace(old, new, 1), table=table)

    assert [finding.code for finding in checked(path).findings] == [code]


def test_bad_cells_are_reported_beside_a_bad_column(tmp_path):
    path = write(tmp_path, analysis=ANALYSIS.replace('DV = "mm^3"', 'DV = "mm"'), table=TABLE.replace("220", "many"))

    assert [finding.code for finding in checked(path).findings] == ["E_UNIT", "E_NOT_A_NUMBER"]


def test_an_analysis_that_is_not_there_or_not_text_is_reported(tmp_path):
    binary = tmp_path / "analysis.toml"
    binary.write_bytes(b"\xff\xfe\x00")

    assert [finding.code for finding in checked(tmp_path / "none.toml").findings] == ["E_FILE"]
    assert [finding.code for finding in checked(tmp_path).findings] == ["E_FILE"]
    assert [finding.code for finding in checked(binary).findings] == ["E_NOT_TEXT"]


def test_a_table_that_is_a_folder_is_reported(tmp_path):
    (tmp_path / "study.csv").mkdir()

    assert "E_FILE" in [finding.code for finding in checked(write(tmp_path, table=None)).findings]


def test_doses_stated_in_rows_and_in_arms_are_refused(tmp_path):
    table = (
        "Mouse,day,volume,group,AMT,DRUG\na,0,100,Vehicle,.,.\nb,0,110,Palbociclib,.,.\n"
        "b,1,.,Palbociclib,1,palbociclib\nb,7,9,Palbociclib,.,.\n"
    )
    path = write(tmp_path, analysis=ANALYSIS.replace('DV = "mm^3"', 'DV = "mm^3"\nAMT = "mg"'), table=table)

    codes = [finding.code for finding in checked(path).findings]

    assert codes == ["E_STATED_TWICE"]


def test_every_code_of_the_readers_has_a_section_in_the_reference(repository):
    text = (repository / "docs" / "reference" / "findings.md").read_text(encoding="utf-8")
    words = {
        word.strip("\"',()")
        for path in sorted((repository / "pkpd" / "io").glob("*.py"))
        for word in path.read_text(encoding="utf-8").split()
    }
    codes = {word for word in words if word.startswith(("E_", "W_")) and word.isupper()}

    assert len(codes) > 30
    assert sorted(code for code in codes if f"\n### {code}\n" not in text) == []
