"""Every shipped prior file loads, fits its model, and says where each number comes from."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pkpd import units
from pkpd.domain.evidence import Basis
from pkpd.domain.prior import Level, Prior
from pkpd.dynamics.base import AbstractGrowthLaw, AbstractPDModel, AbstractPKModel, units_of
from pkpd.io.priors import Kind, priors_folder, read_component, read_file, shipped_prior_files, shipped_prior_names
from pkpd.io.schedules import schedule_names
from pkpd.registry import Registry

FILES = shipped_prior_files()
COMPONENTS = [
    pytest.param(component, id=f"{path.stem}-{setting}")
    for path in FILES
    for setting, component in read_file(path).components.items()
]
TUMORS = [("pdac_xenograft", "mouse"), ("colorectal_pdx", "mouse"), ("pdac_patient", "human")]


def _priors(component):
    for parameter in (*component.parameters.values(), *component.residuals.values()):
        yield parameter.typical
        if parameter.between is not None:
            yield parameter.between.sd
        if parameter.shift is not None:
            yield parameter.shift


def test_each_kind_of_prior_is_shipped():
    names = {kind: shipped_prior_names(kind) for kind in Kind}

    inhibitors, blockers = (
        ("abemaciclib", "palbociclib", "ribociclib"),
        ("cetuximab", "cetuximab_saturable", "erlotinib", "gefitinib"),
    )
    assert names[Kind.DRUG] == tuple(sorted(inhibitors + blockers))
    assert {"pdac_xenograft", "colorectal_pdx", "pdac_patient"} <= set(names[Kind.DISEASE])
    assert names[Kind.COMBINATION] == ("senolysis",)
    assert names[Kind.TOXICITY] == ("neutropenia",)
    assert "adult_cancer" in names[Kind.POPULATION]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_stands_in_the_folder_of_its_kind_under_its_own_name(path):
    file = read_file(path)

    assert file.name == path.stem
    assert path.stem in shipped_prior_names(file.kind)
    assert file.title


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_number_has_a_document_or_says_that_it_is_assumed(component):
    for prior in _priors(component):
        source = component.sources[prior.source]

        assert source.title
        assert prior.basis is Basis.ASSUMED or (source.locator and source.section and source.read)


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_quantile_of_every_prior_is_finite_and_above_zero(component):
    shares = np.array([0.001, 0.5, 0.999])

    for prior in _priors(component):
        quantiles = prior.quantile(shares)

        assert np.all(np.isfinite(quantiles))
        assert prior.is_fixed or np.all(np.diff(quantiles) > 0.0)
        assert prior.unit == "1" or np.all(quantiles >= 0.0)


@pytest.mark.parametrize(
    "component",
    [
        pytest.param(component, id=f"{name}-{setting}")
        for name in shipped_prior_names(Kind.DRUG)
        for setting, component in read_file(priors_folder() / "drugs" / f"{name}.toml").components.items()
    ],
)
def test_a_drug_gives_every_parameter_of_its_model(component):
    model = Registry("pkpd.pk_models", AbstractPKModel).get(component.model)

    assert set(component.parameters) == {*units_of(model), "unbound_fraction", "tissue_ratio"}
    assert 100.0 < component.molar_mass < 1e6
    assert component.target in {"cdk46", "egfr"}


@pytest.mark.parametrize("law", ["exponential", "logistic", "gompertz", "simeoni"])
@pytest.mark.parametrize(("disease", "setting"), TUMORS)
def test_combination_and_disease_together_give_every_parameter_of_a_tumor(disease, setting, law):
    tumor = read_component(Kind.COMBINATION, "senolysis", setting).overlaid(
        read_component(Kind.DISEASE, disease, setting)
    )

    model = Registry("pkpd.pd_models", AbstractPDModel).get(tumor.model)
    growth = Registry("pkpd.growth_laws", AbstractGrowthLaw).get(law)

    assert {*units_of(model), *units_of(growth)} <= set(tumor.parameters)
    assert "tumor_volume" in tumor.residuals


def test_a_disease_replaces_what_the_combination_says():
    combination = read_component(Kind.COMBINATION, "senolysis", "mouse")
    disease = read_component(Kind.DISEASE, "colorectal_pdx", "mouse")

    tumor = combination.overlaid(disease)

    assert tumor.parameters["egfr_growth_share"] == disease.parameters["egfr_growth_share"]
    assert tumor.parameters["entry_rate"] == combination.parameters["entry_rate"]


def test_what_a_patient_takes_over_from_the_mouse_names_its_origin():
    tumor = read_component(Kind.COMBINATION, "senolysis", "human").parameters

    assert {name for name, prior in tumor.items() if not prior.origin} == set()
    assert tumor["entry_rate"].origin == "mouse"
    assert tumor["entry_rate"].shift is not None
    assert tumor["escape_rate"].origin == "shared"
    assert tumor["escape_rate"].shift is None


def test_the_same_key_means_the_same_document_in_files_that_are_joined():
    tumors = [read_component(Kind.COMBINATION, "senolysis", "mouse")]
    tumors += [read_component(Kind.DISEASE, disease, setting) for disease, setting in TUMORS]
    found: dict[str, str] = {}

    for component in tumors:
        for key, source in component.sources.items():
            assert found.setdefault(key, source.locator) == source.locator


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_published_fact_has_a_document_an_ordered_range_and_a_schedule_that_is_shipped(component):
    for fact in component.published:
        low = fact.value if fact.low is None else fact.low
        high = fact.value if fact.high is None else fact.high

        assert component.sources[fact.source].locator
        assert low <= fact.value <= high
        assert fact.schedule in {"", *schedule_names()}
        assert units.dimension_name(fact.unit)


def test_no_observed_fact_repeats_the_median_of_a_prior_beside_it():
    for param in COMPONENTS:
        component = param.values[0]
        medians = {(p.typical.location, p.unit) for p in component.parameters.values()}

        assert not medians & {(fact.value, fact.unit) for fact in component.published if fact.level is not Level.BOUND}


def test_priors_are_facts_that_cannot_be_changed():
    prior = read_component(Kind.DRUG, "palbociclib", "human").parameters["clearance"].typical

    assert isinstance(prior, Prior)
    with pytest.raises(dataclasses.FrozenInstanceError):
        prior.location = 1.0
