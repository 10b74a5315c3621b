"""Rows of a long table: in any order, without a value, and doses that a structure cannot take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pkpd.errors import Severity
from pkpd.inference import fit
from pkpd.inference.population_fit import population_fit
from pkpd.io.population import examine_population, read_population

PRIOR = 'basis = "assumed", source = "analyst"'


def typical(name: str, median: str) -> str:
    return (
        f'[parameters.{name}]\ntypical = {{ family = "lognormal", median = "{median}", sd = 0.3, {PRIOR} }}\n'
        'between = "none"\n'
    )


ANALYSIS = f"""schema = 1
[study]
setting = "mouse"
data = "study.csv"
order = "any"
[units]
TIME = "d"
AMT = "mg"
DV = {{ concentration = "mg/L", tumor_volume = "cm^3" }}
[observations]
endpoints = {{ plasma = "concentration", tumor = "tumor_volume" }}
empty = "left_out"
[ignore]
observations = ["weight"]
[model]
structure = "koch"
{typical("clearance", "0.05 L/h")}
{typical("volume", "0.3 L")}
{typical("absorption", "2 1/h")}
{typical("growth_rate", "0.05 1/d")}
{typical("linear_growth", "0.1 cm^3/d")}
{typical("potency", "0.1 L/mg/d")}
{typical("initial_volume", "0.1 cm^3")}
[error.concentration]
model = "proportional"
proportional = {{ family = "halfnormal", sd = 0.3, {PRIOR} }}
[error.tumor_volume]
model = "combined"
additive = {{ family = "halfnormal", sd = "0.01 cm^3", {PRIOR} }}
proportional = {{ family = "halfnormal", sd = 0.3, {PRIOR} }}
[sources.analyst]
title = "Choice of the analyst"
"""
TABLE = """ID,TIME,DVID,DV,AMT
b,1,tumor,0.11,.
a,4,tumor,0.12,.
a,0,tumor,0.10,.
b,0,tumor,0.09,.
a,3,.,.,2.5
a,3,plasma,0.01,.
a,3.1,plasma,5.1,.
a,9,tumor,.,.
a,0,weight,25,.
"""


def write(folder: Path, analysis: str = ANALYSIS, table: str = TABLE) -> Path:
    (folder / "study.csv").write_text(table, encoding="utf-8")
    path = folder / "analysis.toml"
    path.write_text(analysis, encoding="utf-8")
    return path


def errors(path: Path) -> set[str]:
    return {finding.code for finding in examine_population(path).findings if finding.severity is Severity.ERROR}


def test_rows_in_any_order_are_sorted_with_observations_before_doses(tmp_path):
    data = read_population(write(tmp_path)).study.data

    mine = data["record_subject"].values == list(data["subject"].values).index("a")
    assert list(data["record_time_h"].values[mine]) == [0.0, 72.0, 72.0, pytest.approx(74.4), 96.0]
    assert list(data["evid"].values[mine]) == [0, 0, 1, 0, 0]
    assert list(data["subject"].values) == ["b", "a"]


def test_rows_without_value_and_dose_are_left_out_where_that_is_said_and_counted(tmp_path):
    examined = examine_population(write(tmp_path))

    assert examined.analysis is not None
    assert ["1 rows without a value" in finding.message for finding in examined.findings] == [True]
    assert "E_MISSING_VALUE" in errors(write(tmp_path, ANALYSIS.replace('empty = "left_out"\n', "")))


def test_rows_in_disorder_are_refused_where_nothing_says_that_they_are_to_be_sorted(tmp_path):
    assert {"E_UNSORTED_TIME", "E_ROW"} <= errors(write(tmp_path, ANALYSIS.replace('order = "any"\n', "")))


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("a,4,.,.,2,1,3,1,0", "E_UNSUPPORTED"),  # into the tumor
        ("a,4,.,.,2,1,1,1,1", "E_NO_STEADY_STATE"),
        ("a,4,.,.,2,4,1,0,0", "E_UNSUPPORTED"),  # a reset in a table that is to be sorted
    ],
)
def test_a_dose_that_the_structure_or_the_order_cannot_take_is_named(tmp_path, row, code):
    wide = "\n".join(f"{line},." + ",." * 3 for line in TABLE.splitlines()[1:])
    table = f"ID,TIME,DVID,DV,AMT,EVID,CMT,II,SS\n{wide}\n{row}\n"

    assert code in errors(write(tmp_path, table=table))


def test_steps_are_verified_on_what_is_observed_and_values_are_in_the_unit_of_the_structure(tmp_path):
    analysis = read_population(write(tmp_path))

    fitted = population_fit(analysis)

    assert fitted.design.error <= 1e-4
    volumes = analysis.study.data["value"].values[analysis.study.data["endpoint"].values == "tumor_volume"]
    np.testing.assert_allclose(sorted(volumes), [90.0, 100.0, 110.0, 120.0])


def test_a_subject_whose_data_say_nothing_of_a_parameter_does_not_stop_a_fit(tmp_path):
    """One of the mice got no drug: nothing depends on its clearance."""
    spread = f'between = {{ family = "lognormal", sd = 0.3, uncertainty = 0.5, {PRIOR} }}'
    varying = ANALYSIS.replace(
        typical("clearance", "0.05 L/h"), typical("clearance", "0.05 L/h").replace('between = "none"', spread)
    )
    few = varying.replace("[sources.analyst]", "[fit]\nchains = 2\ntune = 10\ndraws = 5\n[sources.analyst]")

    posterior = fit(read_population(write(tmp_path, few)), cores=1)

    assert posterior.values("clearance.subject").shape == (10, 2)
