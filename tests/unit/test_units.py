"""Units: text to floats, exactly, with errors that name what was found."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pkpd import units

SAME_KIND = (
    ("min", "h", "d", "wk", "s"),
    ("mg", "ug", "ng", "g", "kg", "mcg"),
    ("mg/kg", "ug/kg", "g/kg", "mg kg^-1"),
    ("mg/m2", "g/m^2", "ug/m**2"),
    ("L/h", "mL/min", "L/d"),
    ("L/h/kg", "mL/min/kg", "L/(h*kg)"),
    ("L/kg", "mL/kg"),
    ("nmol/L", "uM", "nM", "mmol/L"),
    ("mg/L", "ug/mL", "ng/mL", "mg/dL"),
    ("mm^3", "mm3", "cm^3", "cm3", "mL", "L"),
    ("1/d", "1/h", "d^-1"),
    ("mg/d", "mg/h"),
    ("1e9/L", "1/L", "10^9/L", "1/uL"),
    ("1", "percent", "%"),
    ("g/mol", "kg/mol"),
)
PAIRS = [(one, other) for kind in SAME_KIND for one in kind for other in kind]


@given(value=st.floats(1e-6, 1e6), pair=st.sampled_from(PAIRS))
def test_a_value_survives_the_way_to_another_unit_and_back(value, pair):
    one, other = pair

    there = value * units.factor(one, other)
    back = there * units.factor(other, one)

    assert math.isclose(back, value, rel_tol=1e-14)


@given(one=st.sampled_from(PAIRS), other=st.sampled_from(PAIRS))
def test_units_convert_exactly_when_they_measure_the_same(one, other):
    first, second = one[0], other[0]
    same = units.dimension_name(first) == units.dimension_name(second)

    if same:
        assert units.factor(first, second) > 0.0
    else:
        with pytest.raises(units.UnitError, match="not a"):
            units.factor(first, second)


@pytest.mark.parametrize(
    ("text", "to", "value"),
    [
        ("61 L/h", "L/h", 61.0),
        ("61L/h", "L/h", 61.0),
        ("1 wk", "h", 168.0),
        ("21 d", "min", 30240.0),
        ("0.4 g", "mg", 400.0),
        ("4.1e9/L", "1e9/L", 4.1),
        ("4.1e9 / L", "1e9/L", 4.1),
        ("4.1 1e9/L", "1e9/L", 4.1),
        ("4.1 10^9/L", "1e9/L", 4.1),
        ("1e9 / L", "1e9/L", 1.0),
        ("4100 1/uL", "1e9/L", 4.1),
        ("0.12 1/d", "1/h", 0.005),
        ("0.12/d", "1/h", 0.005),
        ("1 uM", "nmol/L", 1000.0),
        ("3 µg/mL", "mg/L", 3.0),
        ("250 mm^3", "mm3", 250.0),
        ("0.25 cm³", "mm^3", 250.0),
        ("29 %", "1", 0.29),
        ("29 percent", "1", 0.29),
        ("0.9 1", "1", 0.9),
        ("0.9", "1", 0.9),
        ("-2 h", "h", -2.0),
        ("24 mg/d", "mg/h", 1.0),
        ("2 h⁻¹", "1/h", 2.0),
        ("120 mg*h/L", "ug*h/mL", 120.0),
        ("120 mg·h/L", "ug*h/mL", 120.0),
        ("1.8 m2", "m^2", 1.8),
        ("70 kg", "kg", 70.0),
    ],
)
def test_a_text_is_read_without_rounding(text, to, value):
    actual = units.parse(text, to=to)

    assert actual == value


@pytest.mark.parametrize(
    ("text", "to", "words"),
    [
        ("29 h", "L/h", "'29 h' is a time, not a clearance (volume/time)"),
        ("61", "L/h", "'61' has no unit; add a unit, such as '61 L/h'"),
        ("5 mg/kg", "1", "dose per body weight"),
        ("5 mg/kg", "mg", "write a value not per kg body weight"),
        ("5 mg", "mg/m2", "write a value per m2 body surface"),
        ("0.4 L/h/kg", "L/h", "'0.4 L/h/kg' is a clearance per body weight"),
        ("20 L", "L/kg", "write a value per kg body weight"),
        ("5 mg/L", "nmol/L", "molar mass"),
        ("5 nmol/L", "mg/L", "molar mass"),
        ("5 mg m", "h", "is a quantity of dimension length mass, not a time"),
        ("3 parsec", "h", "'parsec' in 'parsec' is not a unit"),
        ("3 mqol", "mol", "did you mean"),
        ("", "h", "does not start with a number"),
        ("many h", "h", "does not start with a number"),
        ("nan h", "h", "does not start with a number"),
        ("1e999 h", "h", "too large or too small"),
        ("3 1e-999/L", "1/L", "too large or too small"),
        ("3 (h", "h", "cannot be read as a unit"),
        ("3 h)", "h", "cannot be read as a unit"),
        ("3 h/", "h", "cannot be read as a unit"),
        ("3 h $", "h", "cannot be read as a unit"),
        ("3 L/70kg", "L/kg", "cannot be read as a unit"),
        ("3 0/h", "1/h", "cannot be read as a unit"),
        ("3 " + "h" * 300, "h", "does not start with a number"),
    ],
)
def test_a_wrong_text_is_refused_by_what_was_found(text, to, words):
    with pytest.raises(units.UnitError) as caught:
        units.parse(text, to=to)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("125 mg", (125.0, "mg")),
        ("0.4 g", (400.0, "mg")),
        ("75 mg/kg", (75.0, "mg/kg")),
        ("400 mg/m2", (400.0, "mg/m2")),
        ("0.4 g/m^2", (400.0, "mg/m2")),
    ],
)
def test_an_amount_keeps_what_it_is_relative_to(text, amount):
    assert units.parse_amount(text) == amount


@pytest.mark.parametrize(
    ("text", "words"),
    [("3 d", "is a time, not a dose"), ("125", "add a unit"), ("5 mg/kg/d", "not a dose"), ("5 nmol", "not a dose")],
)
def test_what_is_no_dose_is_not_an_amount(text, words):
    with pytest.raises(units.UnitError, match=words):
        units.parse_amount(text)


def test_a_text_splits_into_number_and_unit_as_written():
    assert units.split("61 L/h") == (61.0, "L/h")
    assert units.split("4.1e9/L") == (4.1e9, "1/L")


@pytest.mark.parametrize("text", ["61", "61 furlong", "L/h"])
def test_a_text_without_number_or_unit_does_not_split(text):
    with pytest.raises(units.UnitError):
        units.split(text)


def test_an_error_keeps_message_and_hint_apart():
    error = units.UnitError("what was found", "what to write")

    assert (error.message, error.hint, str(error)) == (
        "what was found",
        "what to write",
        "what was found; what to write",
    )


@given(text=st.text(max_size=40))
def test_any_text_is_a_number_or_a_unit_error(text):
    try:
        value = units.parse(text, to="L/h")
    except units.UnitError:
        value = None

    assert value is None or math.isfinite(value)


@pytest.mark.parametrize("text", ["nan", "NaN", "mg/nan"])
def test_what_is_not_a_number_is_not_a_unit_either(text):
    with pytest.raises(units.UnitError):
        units.factor(text, "h")
