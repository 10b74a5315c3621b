"""Registries: names of files become classes, and a wrong name says what there is."""

import importlib.metadata
from collections import Counter, OrderedDict

import pytest

from pkpd import registry
from pkpd.errors import ExitCode, PkpdError, SpecError
from pkpd.registry import Registry


@pytest.fixture
def declared(monkeypatch):
    """Replace the installed entry points by those that a test declares."""

    def declare(*entries: tuple[str, str]) -> Registry[dict]:
        points = [
            importlib.metadata.EntryPoint(name=name, value=value, group="pkpd.pk_models") for name, value in entries
        ]
        monkeypatch.setattr(registry, "entry_points", lambda **_: points)
        return Registry("pkpd.pk_models", dict)

    return declare


def test_a_name_gives_the_declared_class(declared):
    models = declared(("counter", "collections:Counter"), ("an_ordered_dict", "collections:OrderedDict"))

    assert models.names() == ("an_ordered_dict", "counter")
    assert models.get("counter") is Counter
    assert models.get("an_ordered_dict") is OrderedDict


def test_nothing_is_imported_before_it_is_asked_for(declared):
    models = declared(("counter", "collections:Counter"), ("broken", "no.such.module:Model"))

    assert models.get("counter") is Counter


def test_an_unknown_name_lists_what_there_is_and_guesses(declared):
    models = declared(("one_compartment", "collections:Counter"), ("two_compartment_oral", "collections:OrderedDict"))

    with pytest.raises(SpecError) as caught:
        models.get("two_compartment_orl", where="palbociclib.toml: human.pk.model")

    (finding,) = caught.value.findings
    assert caught.value.exit_code is ExitCode.INVALID
    assert finding.where == "palbociclib.toml: human.pk.model"
    assert "'two_compartment_orl' is not one of the pk models" in finding.message
    assert "did you mean 'two_compartment_oral'?" in finding.hint
    assert "one_compartment, two_compartment_oral" in finding.hint


def test_a_name_like_no_other_gets_no_guess(declared):
    models = declared(("one_compartment", "collections:Counter"))

    with pytest.raises(SpecError) as caught:
        models.get("zzz")

    assert caught.value.findings[0].hint == "registered are: one_compartment"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no.such.module:Model", "cannot be imported"),
        ("collections:NoSuchClass", "cannot be imported"),
        ("collections:deque", "is not a subclass of dict"),
        ("collections:namedtuple", "is not a subclass of dict"),
    ],
)
def test_a_broken_entry_point_is_named(declared, value, words):
    models = declared(("broken", value))

    with pytest.raises(PkpdError, match=words) as caught:
        models.get("broken")

    assert caught.value.findings[0].where == "pkpd.pk_models: broken"


def test_one_name_for_two_classes_is_refused(declared):
    models = declared(("same", "collections:Counter"), ("same", "collections:OrderedDict"))

    with pytest.raises(PkpdError, match="declared twice"):
        models.names()


def test_the_same_declaration_may_be_found_twice(declared):
    models = declared(("same", "collections:Counter"), ("same", "collections:Counter"))

    assert models.names() == ("same",)


def test_a_group_that_pkpd_does_not_know_is_refused():
    with pytest.raises(ValueError, match="not an entry-point group"):
        Registry("pkpd.pk_model", dict)
