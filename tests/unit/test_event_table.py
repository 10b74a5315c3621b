"""Event tables: what rows mean, which columns are found, and which values are censored."""

import math
from pathlib import Path

import numpy as np
import pytest

from pkpd.domain.dosing import Route
from pkpd.domain.study import LEFT_CENSORED, NOT_CENSORED, Study
from pkpd.errors import DataError, Finding
from pkpd.io.event_table import read_event_table, read_events
from pkpd.io.layout import Layout

VOLUMES = Layout(
    setting="mouse",
    units={"TIME": "d"},
    endpoints={"": "tumor_volume"},
    value_units={"tumor_volume": "mm^3"},
)
DOSES = Layout(setting="human", units={"TIME": "h", "AMT": "mg"}, drugs=("palbociclib", "cetuximab"))


def read(folder: Path, text: str, layout: Layout) -> Study:
    path = folder / "study.csv"
    path.write_text(text, encoding="utf-8")
    return read_event_table(path, layout, name="study")


def with_changes(layout: Layout, **changes: object) -> Layout:
    fields = {name: getattr(layout, name) for name in layout.__slots__}
    return Layout(**{**fields, **changes})


def test_values_and_times_become_the_units_of_a_study(tmp_path):
    layout = with_changes(VOLUMES, value_units={"tumor_volume": "cm^3"})

    study = read(tmp_path, "ID,TIME,DV\na,0.5,0.2\n", layout)

    assert study.data["obs_time_h"].values.tolist() == [12.0]
    assert study.data["value"].values.tolist() == [200.0]
    assert study.data["obs_time_h"].attrs["units"] == "h"


def test_column_names_are_read_in_any_case_and_blanks_around_cells_are_nothing(tmp_path):
    study = read(tmp_path, "Id , time, dv\n a, 0 , 7\n\n", VOLUMES)

    assert study.subjects == ("a",)
    assert study.observations()[0].value == 7.0


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    (tmp_path / "study.csv").write_text("ID,TIME,DV\na,0,7\n", encoding="utf-8-sig")

    assert read_event_table(tmp_path / "study.csv", VOLUMES, name="study").subjects == ("a",)


def test_subjects_and_arms_keep_the_order_of_the_table(tmp_path):
    study = read(tmp_path, "ID,TIME,DV,ARM\nz,0,7,two\na,0,7,one\nz,1,8,two\n", VOLUMES)

    assert study.subjects == ("z", "a")
    assert study.arms == ("two", "one")
    assert study.data["obs_subject"].values.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("row", "value", "limit", "censored"),
    [
        ("0,.,.", 15.0, 15.0, LEFT_CENSORED),  # an exact zero
        ("14.9,.,.", 15.0, 15.0, LEFT_CENSORED),
        ("15,.,.", 15.0, 15.0, NOT_CENSORED),  # the limit itself was measured
        ("10,20,.", 20.0, 20.0, LEFT_CENSORED),  # the limit of the row goes before that of the analysis
        ("17,10,.", 17.0, 10.0, NOT_CENSORED),
        ("12,.,1", 15.0, 15.0, LEFT_CENSORED),
        ("9,10,1", 10.0, 10.0, LEFT_CENSORED),
    ],
)
def test_a_value_below_its_limit_is_left_censored(tmp_path, row, value, limit, censored):
    layout = with_changes(VOLUMES, lower_limits={"tumor_volume": 15.0})

    study = read(tmp_path, f"ID,TIME,DV,LLOQ,CENS\na,0,{row}\n", layout)

    assert study.data["value"].values.tolist() == [value]
    assert study.data["lower_limit"].values.tolist() == [limit]
    assert study.data["censored"].values.tolist() == [censored]


def test_cens_without_a_limit_means_below_dv(tmp_path):
    study = read(tmp_path, "ID,TIME,DV,CENS,LIMIT\na,0,20,1,0\na,1,30,0,.\n", VOLUMES)

    first, second = study.observations()
    assert (first.value, first.lower_limit, first.censored) == (20.0, 20.0, True)
    assert math.isnan(second.lower_limit)
    assert study.observed.tolist() == [False, True]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("20,15,1", "20 is above its limit"),
        ("10,15,0", "10 is below LLOQ"),
        ("0,.,1", "no limit"),
        ("10,-1,.", "-1 is not above zero"),
        ("10,.,-1", "censoring of kind -1"),
    ],
)
def test_contradictions_about_a_limit_are_refused(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, f"ID,TIME,DV,LLOQ,CENS\na,0,{row}\n", VOLUMES)


def test_rows_marked_by_c_or_mdv_are_left_out_with_a_warning(tmp_path):
    path = tmp_path / "study.csv"
    path.write_text("C,ID,TIME,DV,MDV\nC,a,0,spilled,0\n.,a,0,7,0\n.,a,1,8,1\n")
    findings: list[Finding] = []

    events = read_events(path, VOLUMES, findings)

    assert events is not None
    assert [observation.value for observation in events.observations] == [7.0]
    assert [(finding.code, finding.where) for finding in findings] == [
        ("W_ROWS_LEFT_OUT", "study.csv:2"),
        ("W_ROWS_LEFT_OUT", "study.csv:4"),
    ]


def test_several_endpoints_are_told_apart_by_dvid(tmp_path):
    layout = with_changes(
        VOLUMES,
        endpoints={"1": "tumor_volume", "2": "neutrophils"},
        value_units={"tumor_volume": "mm^3", "neutrophils": "1e6/L"},
        lower_limits={"tumor_volume": 15.0},
        ignored_observations=("3",),
    )

    study = read(tmp_path, "ID,TIME,DV,DVID\na,0,10,1\na,0,3000,2\na,0,25,3\n", layout)

    volume, neutrophils = study.observations()
    assert (volume.endpoint, volume.censored) == ("tumor_volume", True)
    assert (neutrophils.endpoint, neutrophils.value, neutrophils.censored) == ("neutrophils", 3.0, False)


def test_additional_doses_are_written_out(tmp_path):
    text = "ID,TIME,AMT,DRUG,ADDL,II\n1,12,125,palbociclib,2,24\n"

    study = read(tmp_path, text, DOSES)

    assert study.data["dose_time_min"].values.tolist() == [720, 2160, 3600]
    assert study.data["dose_mg"].values.tolist() == [125.0] * 3
    assert study.data["dose_route"].values.tolist() == ["oral"] * 3


@pytest.mark.parametrize(("rate", "duration"), [("250", "."), (".", "2"), ("250", "2"), ("249.99", "2")])
def test_an_infusion_is_stated_by_rate_or_by_duration(tmp_path, rate, duration):
    study = read(tmp_path, f"ID,TIME,AMT,DRUG,RATE,DUR\n1,0,500,cetuximab,{rate},{duration}\n", DOSES)

    (dose,) = study.administrations()
    assert (dose.duration_min, dose.route) == (120, Route.INTRAVENOUS)


def test_an_amount_per_surface_becomes_that_of_the_subject(tmp_path):
    layout = with_changes(DOSES, units={"TIME": "h", "AMT": "mg/m2", "BSA": "m^2", "WT": "kg"})
    text = "ID,TIME,AMT,DRUG,BSA,WT,RATE\n1,0,400,cetuximab,2,80,200\n2,0,400,cetuximab,1.5,.,200\n"

    study = read(tmp_path, text, layout)

    assert study.data["dose_mg"].values.tolist() == [800.0, 600.0]
    assert study.data["dose_duration_min"].values.tolist() == [120, 120]
    np.testing.assert_array_equal(study.data["weight_kg"].values, [80.0, np.nan])


def test_a_dose_and_a_value_at_one_time_stand_in_two_rows(tmp_path):
    layout = with_changes(
        VOLUMES, setting="human", units={"TIME": "d", "AMT": "mg"}, drugs=("palbociclib",), weight_kg=70.0
    )

    study = read(tmp_path, "ID,TIME,DV,AMT,EVID,MDV,CMT,SS\n1,0,.,125,1,1,1,0\n1,0,100,.,0,0,2,0\n", layout)

    assert len(study.administrations()) == len(study.observations()) == 1
    assert study.subject_facts()[0].weight_kg == 70.0


def test_a_row_without_evid_is_a_dose_if_it_has_an_amount(tmp_path):
    layout = with_changes(VOLUMES, units={"TIME": "d", "AMT": "mg"}, drugs=("palbociclib",))

    study = read(tmp_path, "ID,TIME,DV,AMT\n1,0,.,125\n1,0,100,0\n", layout)

    assert len(study.administrations()) == len(study.observations()) == 1


def test_text_of_a_study_has_a_fixed_width_so_that_it_can_be_saved(tmp_path):
    study = read(tmp_path, "ID,TIME,DV\na,0,7\n", VOLUMES)

    study.data.to_netcdf(tmp_path / "study.nc", engine="h5netcdf")

    assert all(study.data[name].dtype.kind in "Ufi" for name in study.data.variables)
    assert study.drugs == ()


LUNG = Layout(
    setting="mouse",
    columns={"TIME": "Time", "DV": "Value", "DVID": "Observable"},
    units={"TIME": "d"},
    value_units={"tumor_volume": "cm^3"},
    endpoints={"Tumour volume": "tumor_volume"},
    ignored_columns=("Time unit", "Observable unit"),
    ignored_observations=("Body weight", "Plasma concentration"),
)


def test_the_controls_of_a_public_lung_tumor_study_are_read(shared_data):
    study = read_event_table(shared_data / "erlotinib_lxf_a677" / "lxf_control_growth.csv", LUNG, name="lung")

    assert (len(study.subjects), study.data.sizes["obs_id"]) == (8, 102)
    assert 50.0 < float(study.data["value"].min()) < float(study.data["value"].max()) < 2500.0


def test_a_public_table_of_stacked_parts_gives_every_volume_and_says_what_must_change(shared_data):
    layout = with_changes(
        LUNG,
        columns={**LUNG.columns, "ARM": "group"},
        ignored_columns=("Time unit", "Observable unit", "Dose", "Dose unit", "Duration"),
    )
    findings: list[Finding] = []

    events = read_events(shared_data / "erlotinib_lxf_a677" / "all_groups_long.csv", layout, findings)

    assert events is not None
    assert len(events.observations) == 397
    assert {finding.code for finding in findings} == {"E_MISSING_VALUE", "E_UNSORTED_TIME", "W_ROWS_LEFT_OUT"}
