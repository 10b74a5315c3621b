"""Units: text such as "61 L/h" becomes a float in the unit that the caller names. Nothing else imports pint.

Body weight and body surface below a fraction bar are dimensions of their own: "5 mg/kg" is a dose per body weight and
"0.4 L/h/kg" a clearance per body weight. Neither is a pure number or a clearance, and neither becomes one without a
patient. Mass and amount of substance are likewise different things until somebody states a molar mass.

Factors are exact fractions until the last step, so that "0.4 g" is 400 mg and not 400.00000000000006.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple, cast

type AmountUnit = Literal["mg", "mg/kg", "mg/m2"]
type Dimension = tuple[tuple[str, int], ...]

AMOUNT_UNITS: tuple[AmountUnit, ...] = ("mg", "mg/kg", "mg/m2")

# Only what this field writes: a small vocabulary turns a slip ("3 parsec", "125 mq") into an error, not a number.
_DEFINITIONS = (
    "femto- = 1/1000000000000000 = f-",
    "pico- = 1/1000000000000 = p-",
    "nano- = 1/1000000000 = n-",
    "micro- = 1/1000000 = u-",
    "milli- = 1/1000 = m-",
    "centi- = 1/100 = c-",
    "deci- = 1/10 = d-",
    "kilo- = 1000 = k-",
    "hour = [time] = h = hr",
    "minute = 1/60 * hour = min",
    "second = 1/3600 * hour = s = sec",
    "day = 24 * hour = d",
    "week = 168 * hour = wk",
    "gram = [mass] = g",
    "mcg = 1/1000000 * gram",
    "mole = [substance] = mol",
    "meter = [length] = m = metre",
    "liter = 1/1000 * meter ** 3 = L = l = litre",
    "molar = mole / liter = M",
    "percent = 1/100",
    "body_weight = [weight]",
    "body_surface = [surface]",
)
_VOCABULARY = (
    "min h d wk mg ug ng g kg nmol umol mol nM uM L mL dL uL mm^3 cm^3 mg/kg mg/m2 mg/L ng/mL L/h L/h/kg percent"
)

_NAMES: dict[Dimension, str] = {
    (): "pure number",
    (("[time]", 1),): "time",
    (("[time]", -1),): "rate (1/time)",
    (("[mass]", 1),): "mass",
    (("[substance]", 1),): "amount of substance (mol)",
    (("[length]", 1),): "length",
    (("[length]", 2),): "area",
    (("[length]", 3),): "volume",
    (("[length]", 3), ("[time]", -1)): "clearance (volume/time)",
    (("[length]", 3), ("[time]", -1), ("[weight]", -1)): "clearance per body weight (volume/time/kg)",
    (("[length]", 3), ("[surface]", -1), ("[time]", -1)): "clearance per body surface (volume/time/m2)",
    (("[length]", 3), ("[weight]", -1)): "volume per body weight (volume/kg)",
    (("[length]", 3), ("[surface]", -1)): "volume per body surface (volume/m2)",
    (("[length]", -3),): "number concentration (count/volume)",
    (("[length]", -3), ("[mass]", 1)): "concentration (mass/volume)",
    (("[length]", -3), ("[substance]", 1)): "molar concentration (mol/volume)",
    (("[mass]", 1), ("[substance]", -1)): "molar mass (mass/mol)",
    (("[mass]", 1), ("[time]", -1)): "mass rate (mass/time)",
    (("[mass]", 1), ("[time]", -1), ("[weight]", -1)): "mass rate per body weight (mass/time/kg)",
    (("[mass]", 1), ("[surface]", -1), ("[time]", -1)): "mass rate per body surface (mass/time/m2)",
    (("[mass]", 1), ("[weight]", -1)): "dose per body weight (mass/kg)",
    (("[mass]", 1), ("[surface]", -1)): "dose per body surface (mass/m2)",
    (("[length]", -3), ("[mass]", 1), ("[time]", 1)): "area under a concentration curve (mass*time/volume)",
    (("[length]", -3), ("[substance]", 1), ("[time]", 1)): "area under a molar concentration curve (mol*time/volume)",
}

_SPELLINGS = str.maketrans({"µ": "u", "μ": "u", "·": "*", "⋅": "*", "²": "2", "³": "3", "⁻": "-", "¹": "1", "−": "-"})
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_VALUE = re.compile(rf"\s*(?P<value>{_NUMBER})\s*(?P<unit>.*)", re.DOTALL)
_TOKEN = re.compile(
    rf"\s*(?:(?P<number>{_NUMBER})(?:\s*(?:\^|\*\*)\s*(?P<ten>[+-]?\d\d?))?"
    r"|(?P<symbol>[A-Za-z]+|%)(?:\s*(?:\^|\*\*)\s*)?(?P<power>[+-]?\d)?"
    r"|(?P<mark>[*/()]))"
)
_LONGEST = 200  # characters
_LARGEST_EXPONENT = 100
_PER_SQUARE = -2


class UnitError(ValueError):
    """A text that does not hold the quantity that is wanted.

    Attributes
    ----------
    message
        What was found, and what was wanted.
    hint
        What to write instead; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        ValueError.__init__(self, f"{message}; {hint}" if hint else message)


class _Unit(NamedTuple):
    """Size in base units (h, g, mol, m) and exponents of the base dimensions."""

    size: Fraction
    dimension: Dimension


def parse(text: str, *, to: str) -> float:
    """Value of a text in the unit `to`.

    Parameters
    ----------
    text
        A number and a unit, such as `"61 L/h"`, `"4.1e9/L"` or `"29 %"`; only where `to` is `"1"` may the unit be
        left out.
    to
        Unit of the result, such as `"L/h"` or `"1e9/L"`.

    Raises
    ------
    UnitError
        If the text is not a number with a unit, or if it is another kind of quantity.
    """
    value, found = _split(text, example=f"20 {to}" if to != "1" else "0.15")
    wanted = _unit(to)
    if not found:
        if wanted.dimension:
            raise _bare(text, example=f"{text.strip()} {to}")
        return float(value / wanted.size)
    unit = _unit(found)
    if unit.dimension != wanted.dimension:
        raise _mismatch(text.strip(), unit.dimension, wanted.dimension, to)
    return float(value * unit.size / wanted.size)


def split(text: str) -> tuple[float, str]:
    """Number and unit of a text, as written: `"61 L/h"` is `(61.0, "L/h")`; `"4.1e9/L"` is `(4.1e9, "1/L")`.

    Raises
    ------
    UnitError
        If there is no number, no unit, or a unit that is not known.
    """
    value, unit = _split(text)
    if not unit:
        raise _bare(text, example=f"{text.strip()} mg")
    _unit(unit)
    return float(value), unit


def parse_amount(text: str) -> tuple[float, AmountUnit]:
    """Dose amount and what it is relative to: `"0.4 g/m2"` is `(400.0, "mg/m2")`.

    Raises
    ------
    UnitError
        If the text is not a mass, a mass per kg body weight or a mass per m2 body surface.
    """
    value, found = _split(text, example="125 mg")
    if not found:
        raise _bare(text, example=f"{text.strip()} mg")
    unit = _unit(found)
    for basis in AMOUNT_UNITS:
        wanted = _unit(basis)
        if unit.dimension == wanted.dimension:
            return float(value * unit.size / wanted.size), basis
    raise UnitError(
        f"'{text.strip()}' is {_a(_name(unit.dimension))}, not a dose",
        "write mg, mg/kg (body weight) or mg/m2 (body surface), such as '125 mg' or '400 mg/m2'",
    )


@lru_cache(maxsize=4096)
def factor(from_unit: str, to_unit: str) -> float:
    """Number that turns a value in `from_unit` into one in `to_unit`.

    Raises
    ------
    UnitError
        If the two measure different things.
    """
    found, wanted = _unit(from_unit), _unit(to_unit)
    if found.dimension != wanted.dimension:
        raise _mismatch(from_unit, found.dimension, wanted.dimension, to_unit)
    return float(found.size / wanted.size)


def dimension_name(unit: str) -> str:
    """What a unit measures, in words: `"L/h"` is a `"clearance (volume/time)"`."""
    return _name(_unit(unit).dimension)


def _split(text: str, *, example: str = "61 L/h") -> tuple[Fraction, str]:
    match = _VALUE.fullmatch(text.translate(_SPELLINGS)) if len(text) <= _LONGEST else None
    if match is None:
        raise UnitError(f"'{text[:_LONGEST]}' does not start with a number", f"write it like '{example}'")
    unit = match["unit"].strip()
    return _exact(match["value"], text), f"1{unit}" if unit.startswith("/") else unit


def _exact(number: str, text: str) -> Fraction:
    _, _, exponent = number.lower().partition("e")
    if abs(int(exponent or 0)) > _LARGEST_EXPONENT:
        raise UnitError(f"'{text}' is too large or too small to be meant", "check the exponent")
    return Fraction(number)


@lru_cache(maxsize=4096)
def _unit(text: str) -> _Unit:
    """Read a unit: factors joined by `*`, `/` or a space, from left to right, after at most one leading number."""
    clean = text.translate(_SPELLINGS).strip()
    size = Fraction(1)
    powers: Counter[str] = Counter()
    outer = [1]  # sign of the exponents in each open parenthesis
    sign, position = 1, 0
    while position < len(clean):
        token = _TOKEN.match(clean, position) if len(clean) <= _LONGEST else None
        if token is None or (token["number"] and position > 0):
            raise _unreadable(text)
        position = token.end()
        if token["mark"]:
            if token["mark"] == "(":
                outer.append(sign)
            elif token["mark"] == ")":
                outer.pop()
            if not outer:
                raise _unreadable(text)
            sign = -outer[-1] if token["mark"] == "/" else outer[-1]
            continue
        if token["number"]:
            size = _exact(token["number"], text) ** int(token["ten"] or 1)
        else:
            symbol, power = _patient(_known(token["symbol"], text), sign * int(token["power"] or 1))
            powers[symbol] += power
        sign = outer[-1]
    if not clean or clean[-1] in "*/" or clean[0] in "*/" or len(outer) > 1 or size <= 0:
        raise _unreadable(text)
    return _measure(size, powers)


def _known(symbol: str, text: str) -> str:
    symbol = "percent" if symbol == "%" else symbol
    if symbol.lower() == "nan" or symbol not in _registry():  # pint fails on the first
        near = difflib.get_close_matches(symbol, _VOCABULARY.split(), n=1, cutoff=0.5)
        raise UnitError(
            f"'{symbol}' in '{text}' is not a unit that is known",
            (f"did you mean '{near[0]}'? " if near else "")
            + f"known are, for example: {_VOCABULARY.replace(' ', ', ')}",
        )
    return symbol


def _patient(symbol: str, power: int) -> tuple[str, int]:
    """Below a fraction bar a kilogram is body weight and a square meter is body surface."""
    if symbol == "kg" and power < 0:
        return "body_weight", power
    if symbol == "m" and power == _PER_SQUARE:
        return "body_surface", -1
    return symbol, power


def _measure(size: Fraction, powers: Counter[str]) -> _Unit:
    registry = _registry()
    unit = registry.UnitsContainer({registry.get_name(symbol): Fraction(power) for symbol, power in powers.items()})
    scale, base = registry.get_base_units(registry.Unit(unit))
    dimension = {name: int(power) for name, power in registry.get_dimensionality(base).items() if power}
    return _Unit(size * Fraction(scale), tuple(sorted(dimension.items())))


@cache
def _registry() -> Any:  # pint's annotations know no registry of fractions
    from pint import UnitRegistry  # slow import, and many commands read no unit

    registry = cast(Any, UnitRegistry)(None, non_int_type=Fraction)
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


def _name(dimension: Dimension) -> str:
    if dimension in _NAMES:
        return _NAMES[dimension]
    factors = " ".join(name.strip("[]") + (f"^{power}" if power != 1 else "") for name, power in dimension)
    return f"quantity of dimension {factors}"


def _a(name: str) -> str:
    return f"an {name}" if name.startswith(("a", "e", "i", "o", "u")) else f"a {name}"


def _bare(text: str, *, example: str) -> UnitError:
    return UnitError(f"'{text.strip()}' has no unit", f"add a unit, such as '{example}'")


def _unreadable(text: str) -> UnitError:
    return UnitError(f"'{text[:_LONGEST]}' cannot be read as a unit", "write it like 'L/h/kg', 'mm^3' or '1e9/L'")


def _mismatch(text: str, found: Dimension, wanted: Dimension, to: str) -> UnitError:
    message = f"'{text}' is {_a(_name(found))}, not {_a(_name(wanted))}"
    kinds, wanted_kinds = dict(found), dict(wanted)
    if {*kinds} ^ {*wanted_kinds} == {"[mass]", "[substance]"}:
        return UnitError(
            message, f"mass and mol differ by the molar mass, which is no unit: convert with it and write '{to}'"
        )
    for kind, words in (("[weight]", "kg body weight"), ("[surface]", "m2 body surface")):
        if (kind in kinds) != (kind in wanted_kinds):
            per = "per" if kind in wanted_kinds else "not per"
            return UnitError(message, f"write a value {per} {words}, in a unit such as '{to}'")
    return UnitError(message, f"write it in a unit such as '{to}'")
