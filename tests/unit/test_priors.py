"""Prior files: what can be written, what it means, and what each slip of the pen is told."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkpd.domain.evidence import Basis, Source
from pkpd.domain.prior import Family, Scale
from pkpd.errors import Finding, SpecError
from pkpd.io.decode import TomlTable
from pkpd.io.prior_tables import read_override, read_prior
from pkpd.io.priors import priors_folder, read_component, read_file
from pkpd.simulate.models import read_assembly

CLEARANCE = """
[human.pk.clearance]
typical = { family = "lognormal", median = "61 L/h", sd = 0.10, basis = "measured", source = "paper" }
between = { family = "lognormal", cv = 0.32, uncertainty = 0.15, basis = "measured", source = "paper" }
"""
OTHERS = "".join(
    f"""
[human.pk.{name}]
typical = {{ family = "fixed", value = "{value}", basis = "assumed", source = "guess" }}
between = "none"
"""
    for name, value in {"volume": "1580 L", "absorption": "0.2 1/h", "lag": "0.5 h"}.items()
)
SHARE = """
[human.pk.bioavailability]
typical = { family = "beta", alpha = 4.0, beta = 5, basis = "assumed", source = "guess" }
between = { family = "logitnormal", sd = 0.5, prior = "halfnormal", basis = "assumed", source = "guess" }
"""
DRUG = f"""
schema = 1
[drug]
name = "examplinib"
molar_mass = "0.45 kg/mol"
target = "cdk46"
source = "paper"

[human.pk]
model = "one_compartment_oral"
routes = ["oral"]
{CLEARANCE}{OTHERS}{SHARE}
[human.published.half_life]
statistic = "half_life"
level = "cohort"
value = "29 h"
low = "1 d"
source = "paper"

[sources.paper]
title = "A paper"
doi = "10.1000/1"
section = "table 2"
read = 2026-11-22
[sources.guess]
title = "Our judgment"
"""
SHIFT = 'shift = { family = "normal", mean = 0.0, sd = 0.5, basis = "assumed", source = "guess" }\n'
TUMOR = """
schema = 1
[combination]
name = "example"
model = "senolysis"

[shared.tumor.hill]
typical = { family = "fixed", value = 1.2, basis = "assumed", source = "guess" }
between = "none"

[mouse.tumor.entry_rate]
typical = { family = "lognormal", median = "0.1 1/d", sd = 0.6, basis = "assumed", source = "guess" }
between = "none"

[shared.tumor.maturation_rate]
typical = { tied = "entry_rate" }
between = "tied"

[human.tumor.entry_rate]
from = "mouse"
{SHIFT}between = { family = "lognormal", sd = 0.3, prior = "fixed", basis = "assumed", source = "guess" }

[sources.guess]
title = "Our judgment"
""".replace("{SHIFT}", SHIFT)


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str) -> Path:
        path = tmp_path / "example.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return _write


def findings_of(path: Path) -> tuple[Finding, ...]:
    with pytest.raises(SpecError) as caught:
        read_file(path)
    return caught.value.findings


def test_a_written_parameter_keeps_its_unit_its_evidence_and_both_slots(write):
    component = read_file(write(DRUG)).components["human"]

    clearance = component.parameters["clearance"]

    assert (clearance.typical.location, clearance.unit, clearance.typical.scale) == (61.0, "L/h", 0.10)
    assert clearance.typical.basis is Basis.MEASURED
    assert component.sources[clearance.typical.source].locator == "doi:10.1000/1"
    assert clearance.between is not None
    assert clearance.between.sd.location == pytest.approx(math.sqrt(math.log(1.0 + 0.32**2)))
    assert clearance.between.sd.scale == 0.15
    assert component.name == "examplinib"


def test_quantities_of_the_header_and_of_facts_are_converted_to_one_unit(write):
    component = read_file(write(DRUG)).components["human"]

    (fact,) = component.published

    assert component.molar_mass == pytest.approx(450.0)
    assert (fact.value, fact.low, fact.high, fact.unit) == (29.0, 24.0, None, "h")


def test_a_weakly_known_spread_is_half_normal(write):
    between = read_file(write(DRUG)).components["human"].parameters["bioavailability"].between

    assert between is not None
    assert between.scale is Scale.LOGIT
    assert (between.sd.family, between.sd.location, between.sd.scale) == (Family.HALFNORMAL, 0.0, 0.5)


def test_shared_specific_shifted_and_tied_parameters_are_told_apart(write):
    components = read_file(write(TUMOR)).components

    mouse, human = components["mouse"].parameters, components["human"].parameters

    assert (mouse["hill"].origin, human["hill"].origin) == ("shared", "shared")
    assert mouse["entry_rate"].origin == ""
    assert (human["entry_rate"].origin, human["entry_rate"].typical) == ("mouse", mouse["entry_rate"].typical)
    assert human["entry_rate"].shift is not None
    assert mouse["entry_rate"].between is None
    assert human["entry_rate"].between is not None
    assert (mouse["maturation_rate"].tied_to, human["maturation_rate"].tied_to) == ("entry_rate", "entry_rate")
    assert human["maturation_rate"].typical == human["entry_rate"].typical


def test_only_what_is_neither_fixed_nor_tied_is_sampled(write):
    mouse = read_file(write(TUMOR)).components["mouse"].parameters

    sampled = {name for name, prior in mouse.items() if prior.is_sampled}

    assert sampled == {"entry_rate"}


def test_a_setting_that_writes_its_own_table_does_not_take_the_shared_one(write):
    own = '[human.tumor.hill]\ntypical = { family = "fixed", value = 2.0, basis = "assumed", source = "guess" }\n'

    human = read_file(write(f'{TUMOR}\n{own}between = "none"\n')).components["human"].parameters

    assert human["hill"].typical.location == 2.0
    assert human["hill"].origin == ""


def test_mouse_values_may_be_written_per_body_weight(write):
    text = DRUG.replace("human.", "mouse.").replace("61 L/h", "2.2 L/h/kg").replace("1580 L", "4.5 L/kg")

    mouse = read_file(write(text)).components["mouse"].parameters

    assert (mouse["clearance"].unit, mouse["volume"].unit) == ("L/h/kg", "L/kg")


@given(share=st.floats(0.01, 0.99), discrepancy=st.floats(-5.0, 5.0))
def test_a_shifted_share_remains_a_share(share, discrepancy):
    arrest = read_component("combination", "senolysis", "human").parameters["arrest_max"]

    shifted = arrest.shifted(share, discrepancy)

    assert 0.0 < shifted < 1.0
    np.testing.assert_allclose(arrest.shifted(shifted, -discrepancy), share, rtol=1e-9)


@given(rate=st.floats(1e-4, 10.0), discrepancy=st.floats(-5.0, 5.0))
def test_a_shift_multiplies_a_rate(rate, discrepancy):
    entry = read_component("combination", "senolysis", "human").parameters["entry_rate"]

    shifted = entry.shifted(rate, discrepancy)

    np.testing.assert_allclose(shifted, rate * math.exp(discrepancy), rtol=1e-12)


@given(eta=st.floats(-4.0, 4.0), sd=st.floats(0.01, 2.0))
def test_an_individual_with_no_deviation_is_typical_on_every_scale(eta, sd):
    for scale in Scale:
        spread = read_component("drug", "palbociclib", "human").parameters["clearance"].between
        assert spread is not None

        typical = scale.moved(0.4, 0.0)
        there_and_back = scale.moved(scale.moved(0.4, sd * eta), -sd * eta)

        np.testing.assert_allclose(typical, 0.4, rtol=1e-12)
        np.testing.assert_allclose(there_and_back, 0.4, rtol=1e-9)
        np.testing.assert_allclose(
            spread.individual(np.array(0.4), np.array(sd), np.array(eta)), 0.4 * math.exp(sd * eta), rtol=1e-12
        )


@pytest.mark.parametrize(
    ("values", "median"),
    [
        ({"family": "lognormal", "median": "61 L/h", "sd": 0.1}, 61.0),
        ({"family": "normal", "mean": "3 h", "sd": "2 h"}, 3.0),
        ({"family": "logitnormal", "median": "15 %", "sd": 0.15}, 0.15),
        ({"family": "beta", "alpha": 3.0, "beta": 3.0}, 0.5),
        ({"family": "halfnormal", "sd": 1.0}, 0.6744897501960817),
        ({"family": "fixed", "value": "5 d"}, 5.0),
    ],
)
def test_each_family_has_the_median_that_its_numbers_mean(values, median):
    findings: list[Finding] = []
    table = TomlTable({**values, "basis": "assumed", "source": "guess"}, findings, where="x.toml")

    prior = read_prior(table, sources={"guess": Source(key="guess", title="Our judgment")})

    assert findings == []
    assert prior is not None
    np.testing.assert_allclose(prior.quantile(0.5), median, rtol=1e-12)


@pytest.mark.parametrize(
    "slip",
    [
        ('median = "61 L/h"', 'median = "29 h"', "E_UNIT", "human.pk.clearance.typical.median", "clearance"),
        ('median = "61 L/h"', "median = 61", "E_MISSING_UNIT", "human.pk.clearance.typical.median", "61 L/h"),
        ('median = "61 L/h"', 'median = "61"', "E_UNIT", "human.pk.clearance.typical.median", "unit"),
        ('median = "61 L/h"', 'median = "-61 L/h"', "E_RANGE", "human.pk.clearance.typical.median", "greater than 0"),
        ('median = "61 L/h"', "median = true", "E_TYPE", "human.pk.clearance.typical.median", "number with a unit"),
        ('median = "61 L/h"', 'mean = "61 L/h"', "E_MISSING_KEY", "human.pk.clearance.typical.median", "median"),
        ('median = "61 L/h"', 'medain = "61 L/h"', "E_UNKNOWN_KEY", "human.pk.clearance.typical.medain", "'median'"),
        ("sd = 0.10", 'sd = "0.10"', "E_TYPE", "human.pk.clearance.typical.sd", "without quotes"),
        ("sd = 0.10", "sd = nan", "E_RANGE", "human.pk.clearance.typical.sd", "finite"),
        ("sd = 0.10", "sd = 0.0", "E_RANGE", "human.pk.clearance.typical.sd", "greater than 0"),
        ("sd = 0.10", "sd = 0.10, cv = 0.1", "E_CONFLICT", "human.pk.clearance.typical.cv", "twice"),
        ('"lognormal", median', '"log-normal", median', "E_CHOICE", "clearance.typical.family", "'lognormal'"),
        ('basis = "measured", source = "paper" }\nb', 'source = "paper" }\nb', "E_MISSING_KEY", "typical.basis", ""),
        ('basis = "measured", source = "paper" }\nb', 'basis = "measured" }\nb', "E_MISSING_KEY", "typical.source", ""),
        ('source = "paper" }\nb', 'source = "papre" }\nb', "E_UNKNOWN_SOURCE", "typical.source", "'paper'"),
        ('source = "paper" }\nb', 'source = "guess" }\nb', "E_NO_DOCUMENT", "typical.source", "assumed"),
        ("cv = 0.32, uncertainty = 0.15", "cv = 0.32", "E_MISSING_KEY", "between.uncertainty", "uncertainty"),
        ('prior = "halfnormal"', 'prior = "weak"', "E_CHOICE", "between.prior", "halfnormal"),
        ('between = "none"', 'between = "nothing"', "E_TYPE", "between", "none"),
        ('between = "none"', "", "E_MISSING_KEY", "between", "individuals"),
        ('value = "1580 L"', 'value = "1580 kg"', "E_UNIT", "human.pk.volume.typical.value", "volume"),
        ("alpha = 4.0", "alpha = 0", "E_RANGE", "bioavailability.typical.alpha", "greater than 0"),
        ("human.pk.clearance", "human.pk.clearence", "E_UNKNOWN_KEY", "human.pk.clearence", "'clearance'"),
        ('"one_compartment_oral"', '"one_compartment_orla"', "E_UNKNOWN_NAME", "human.pk.model", "did you mean"),
        ('model = "one_compartment_oral"', "", "E_MISSING_KEY", "human.pk.model", "model"),
        ("human.published", "human.publshed", "E_UNKNOWN_KEY", "human.publshed", "'published'"),
        ('low = "1 d"', 'low = "1 kg"', "E_UNIT", "human.published.half_life.low", "time"),
        ('level = "cohort"', 'level = "crowd"', "E_CHOICE", "human.published.half_life.level", "cohort"),
        ('level = "cohort"', 'level = "bound"', "E_MISSING_KEY", "human.published.half_life.low", "two ends"),
        (
            'source = "paper"\n\n[sources',
            'source = "label"\n\n[sources',
            "E_UNKNOWN_SOURCE",
            "half_life.source",
            "'paper'",
        ),
        ('source = "paper"\n\n[human', 'source = "label"\n\n[human', "E_UNKNOWN_SOURCE", "drug.source", "'paper'"),
        ("human.pk", "rat.pk", "E_UNKNOWN_KEY", "rat", "mouse"),
        ("schema = 1", "schema = 2", "E_SCHEMA", "schema", "schema = 1"),
        ("schema = 1", "", "E_MISSING_KEY", "schema", "schema = 1"),
        ("[drug]", "[medicine]", "E_KIND", "header", "[drug]"),
        ('target = "cdk46"', 'targett = "cdk46"', "E_UNKNOWN_KEY", "drug.targett", "'target'"),
        ('"0.45 kg/mol"', '"450 g"', "E_UNIT", "drug.molar_mass", "molar mass"),
        ("read = 2026-11-22", 'read = "yesterday"', "E_TYPE", "sources.paper.read", "without quotes"),
        ("read = 2026-11-22", "", "E_MISSING_KEY", "sources.paper.read", "2026"),
    ],
)
def test_each_slip_of_the_pen_is_named_with_its_place_and_its_remedy(write, slip):
    old, new, code, where, told = slip
    assert old in DRUG

    findings = findings_of(write(DRUG.replace(old, new, 1)))

    fitting = [found for found in findings if found.code == code and found.where.endswith(where)]
    assert fitting, findings
    assert told in f"{fitting[0].message} {fitting[0].hint}"


def test_a_missing_parameter_of_the_model_is_named(write):
    findings = findings_of(write(DRUG.replace(CLEARANCE, "")))

    assert [(found.code, found.where) for found in findings] == [
        ("E_MISSING_PARAMETER", "example.toml: human.pk.clearance")
    ]


def test_all_findings_of_a_file_are_reported_at_once(write):
    slips = {"61 L/h": "61 h", "cdk46": "", "1580 L": "many", "beta = 5": "beta = -5"}
    text = DRUG
    for right, wrong in slips.items():
        text = text.replace(right, wrong)

    codes = sorted((found.code, found.where.rpartition(".")[2]) for found in findings_of(write(text)))

    assert codes == [("E_RANGE", "beta"), ("E_TYPE", "target"), ("E_UNIT", "median"), ("E_UNIT", "value")]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('tied = "entry_rate"', 'tied = "escape_rate"', "E_REFERENCE"),
        ('tied = "entry_rate"', 'tied = "maturation_rate"', "E_REFERENCE"),
        ('from = "mouse"', 'from = "rat"', "E_REFERENCE"),
        ('from = "mouse"', 'from = "shared"', "E_REFERENCE"),
        ('between = "tied"', 'between = "none"', "E_TYPE"),
        ('from = "mouse"\n', "", "E_CONFLICT"),
        ("mean = 0.0", "mean = 0.7", "E_CHOICE"),
        ("[human.tumor.entry_rate]", "[human.tumor.entry_rate]\ntypical = {}", "E_CONFLICT"),
        (SHIFT, "", "E_MISSING_KEY"),
    ],
)
def test_references_between_parameters_and_settings_are_checked(write, old, new, code):
    assert old in TUMOR

    findings = findings_of(write(TUMOR.replace(old, new, 1)))

    assert code in {found.code for found in findings}, findings


def test_a_reference_to_a_parameter_that_is_itself_wrong_is_not_reported_twice(write):
    findings = findings_of(write(TUMOR.replace("0.1 1/d", "0.1 d", 1)))

    assert [(found.code, found.where) for found in findings] == [
        ("E_UNIT", "example.toml: mouse.tumor.entry_rate.typical.median")
    ]


def test_a_file_that_is_not_toml_or_not_there_is_told_apart(write, tmp_path):
    broken, absent, binary = write("schema = = 1"), tmp_path / "absent.toml", tmp_path / "binary.toml"
    binary.write_bytes(b"\x89HDF\r\n\xff\xfe")

    codes = [findings_of(path)[0].code for path in (broken, absent, binary)]

    assert codes == ["E_TOML", "E_FILE", "E_NOT_TEXT"]


@pytest.mark.parametrize(
    ("kind", "name", "setting", "code", "told"),
    [
        ("drug", "palbocyclib", "human", "E_UNKNOWN_NAME", "'palbociclib'"),
        ("disease", "pdac_patient", "mouse", "E_SETTING", "human"),
        ("disease", priors_folder() / "drugs" / "cetuximab.toml", "human", "E_KIND", "[disease]"),
    ],
)
def test_a_component_that_is_not_there_is_refused_with_what_there_is(kind, name, setting, code, told):
    with pytest.raises(SpecError) as caught:
        read_component(kind, name, setting)

    (finding,) = caught.value.findings
    assert finding.code == code
    assert told in finding.hint


def test_an_analysis_may_replace_a_prior_in_the_same_dimension_only():
    component = read_component("drug", "palbociclib", "mouse")
    replaced = component.parameters["absorption"]
    good = {"family": "lognormal", "median": "2 1/d", "sd": 0.5, "basis": "assumed", "source": "judgment"}
    bad = {**good, "median": "2 h"}
    findings: list[Finding] = []

    def override(typical):
        return read_override(
            {"typical": typical, "between": "none"},
            "absorption",
            replaced=replaced,
            findings=findings,
            where="analysis.toml: priors.palbociclib.absorption",
            sources=component.sources,
        )

    accepted, refused = override(good), override(bad)

    assert accepted is not None
    assert (accepted.typical.location, accepted.unit) == (2.0, "1/d")
    assert refused is None
    assert [found.where for found in findings] == ["analysis.toml: priors.palbociclib.absorption.typical.median"]


def test_a_drug_without_a_potency_of_its_own_says_whose_it_borrows():
    def sentences(inhibitor: str) -> tuple[str, ...]:
        assembly = read_assembly(
            setting="human",
            drugs=(inhibitor, "cetuximab"),
            disease="pdac_patient",
            combination="senolysis",
            growth="gompertz",
        )
        return assembly.borrowed_in_words()

    assert sentences("palbociclib") == ()
    (sentence,) = sentences("ribociclib")
    assert sentence.startswith("ribociclib acts at the unbound concentrations of palbociclib")
