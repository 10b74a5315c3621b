"""Reads the tables of one parameter: its distribution, the spread between individuals, the shift from another setting.

The words are explained in `priors/README.md`. They are the same in a shipped file and under `[priors]` of an analysis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from pkpd.domain.evidence import Basis, Source
from pkpd.domain.prior import Between, Family, ParameterPrior, Prior, Scale
from pkpd.errors import Finding
from pkpd.io.decode import Quantity, TomlTable, unknown_source

NONE, TIED = "none", "tied"


class SpreadFamily(StrEnum):
    """How sure we are about a spread between individuals."""

    LOGNORMAL = "lognormal"  # median `sd`, log-scale standard deviation `uncertainty`
    HALFNORMAL = "halfnormal"  # weakly known: anything up to about twice `sd`
    FIXED = "fixed"  # taken as known


class Entry(NamedTuple):
    """One parameter table as written, before ties and references to other settings are followed."""

    prior: ParameterPrior | None
    between: Between | None
    tied_to: str
    origin: str
    shift: Prior | None
    place: str


def read_entry(table: TomlTable, name: str, *, sources: Mapping[str, Source], like: str | None = None) -> Entry | None:
    """One parameter table; None, with new findings, where it cannot be used.

    Parameters
    ----------
    sources
        What `source` may name.
    like
        Unit that measures what the parameter must measure; None accepts any.
    """
    before = len(table.findings)
    table.ask("typical", "between", "from", "shift")
    origin = table.text("from", required=False, example="mouse") or ""
    typical, tied_to = (None, "") if origin else _typical(table, sources, like)
    if origin and "typical" in table:
        table.report("E_CONFLICT", "typical", "a value taken from another setting has no prior of its own", "delete it")
    shift = _shift(table, sources, required=bool(origin))
    between = _between(table, sources, tied=bool(tied_to))
    table.refuse_unknown()
    if len(table.findings) > before:
        return None
    prior = None if typical is None else ParameterPrior(name=name, typical=typical, between=between)
    return Entry(prior, between, tied_to, origin, shift, table.place("typical"))


def read_override(
    values: Mapping[str, object],
    name: str,
    *,
    replaced: ParameterPrior,
    findings: list[Finding],
    where: str,
    sources: Mapping[str, Source],
) -> ParameterPrior | None:
    """Parameter as an analysis replaces it under `[priors]`; None, with new findings, where it cannot be used.

    Parameters
    ----------
    replaced
        The parameter of the prior file: the new one must measure the same thing.
    """
    table = TomlTable(values, findings, where=where)
    entry = read_entry(table, name, sources=sources, like=replaced.unit)
    if entry is None:
        return None
    if entry.prior is None:
        table.report("E_CONFLICT", "typical", "an analysis cannot tie a parameter", "write typical = { family = ... }")
    return entry.prior


def read_prior(table: TomlTable, *, sources: Mapping[str, Source], like: str | None = None) -> Prior | None:
    """One distribution: its family, the family's numbers, basis and source."""
    family = table.choice("family", Family)
    numbers = None if family is None else _NUMBERS[family](table, like)
    basis, source = read_evidence(table, sources)
    if family is None:
        return None
    table.refuse_unknown()
    if numbers is None or basis is None or source is None:
        return None
    location, scale, unit = numbers
    return Prior(family=family, location=location, scale=scale, unit=unit, basis=basis, source=source)


type _Numbers = tuple[float, float, str] | None


def _lognormal(table: TomlTable, like: str | None) -> _Numbers:
    median = table.quantity("median", like=like, above=0.0)
    sd = read_log_sd(table)
    return None if median is None or sd is None else (median.value, sd, median.unit)


def _normal(table: TomlTable, like: str | None) -> _Numbers:
    mean = table.quantity("mean", like=like)
    sd = table.quantity("sd", like=mean.unit if mean else like, above=0.0)
    if mean is None or sd is None:
        return None
    if sd.unit != mean.unit:
        table.report("E_UNIT", "sd", f"is in {sd.unit}, the mean in {mean.unit}", f'write sd in "{mean.unit}"')
        return None
    return mean.value, sd.value, mean.unit


def _logitnormal(table: TomlTable, like: str | None) -> _Numbers:
    median = table.quantity("median", like=_share(table, "median", like), above=0.0)
    sd = table.number("sd", above=0.0)
    if median is not None and median.value >= 1.0:
        table.report("E_RANGE", "median", f"{median.value:g} is not a share below 1", "write median = 0.15")
        return None
    return None if median is None or sd is None else (median.value, sd, median.unit)


def _beta(table: TomlTable, like: str | None) -> _Numbers:
    _share(table, "alpha", like)
    alpha, beta = table.number("alpha", above=0.0), table.number("beta", above=0.0)
    return None if alpha is None or beta is None else (alpha, beta, "1")


def _halfnormal(table: TomlTable, like: str | None) -> _Numbers:
    sd = table.quantity("sd", like=like, above=0.0)
    return None if sd is None else (0.0, sd.value, sd.unit)


def _halfcauchy(table: TomlTable, like: str | None) -> _Numbers:
    median = table.quantity("median", like=like, above=0.0)
    return None if median is None else (0.0, median.value, median.unit)


def _fixed(table: TomlTable, like: str | None) -> _Numbers:
    value = table.quantity("value", like=like)
    return None if value is None else (value.value, 0.0, value.unit)


_NUMBERS: Mapping[Family, Callable[[TomlTable, str | None], _Numbers]] = {
    Family.LOGNORMAL: _lognormal,
    Family.NORMAL: _normal,
    Family.LOGITNORMAL: _logitnormal,
    Family.BETA: _beta,
    Family.HALFNORMAL: _halfnormal,
    Family.HALFCAUCHY: _halfcauchy,
    Family.FIXED: _fixed,
}


def _share(table: TomlTable, key: str, like: str | None) -> str:
    """Unit of a family that lives between 0 and 1; reports a parameter that does not."""
    if like not in (None, "1"):
        table.report("E_UNIT", key, f"a share has no unit, the parameter is in {like}", 'write family = "lognormal"')
    return "1"


def read_log_sd(table: TomlTable) -> float | None:
    """Standard deviation of the logarithm, from `sd`, or from `cv` as sqrt(log(1 + cv^2))."""
    if "cv" not in table:
        sd = table.number("sd", above=0.0)
        table.ask("cv")
        return sd
    if "sd" in table:
        table.report("E_CONFLICT", "cv", "sd and cv say the same thing twice", "keep one of them")
    table.ask("sd")
    cv = table.quantity("cv", like="1", above=0.0)
    return None if cv is None else math.sqrt(math.log1p(cv.value**2))


def read_evidence(table: TomlTable, sources: Mapping[str, Source]) -> tuple[Basis | None, str | None]:
    """Basis and source of a number; None where either cannot be used."""
    basis = table.choice("basis", Basis)
    key = table.text("source", example=next(iter(sources), "label"))
    if key is None:
        return basis, None
    if key not in sources:
        table.report(*unknown_source(key, sources))
        return basis, None
    if basis not in (None, Basis.ASSUMED) and not sources[key].locator:
        hint = f'write basis = "assumed", or a doi or url in [sources.{key}]'
        table.report("E_NO_DOCUMENT", "source", f"a {basis} number needs a document; [sources.{key}] names none", hint)
        return basis, None
    return basis, key


def _typical(table: TomlTable, sources: Mapping[str, Source], like: str | None) -> tuple[Prior | None, str]:
    typical = table.table("typical")
    if typical is None:
        return None, ""
    if TIED in typical:
        tied_to = typical.text(TIED, example="entry_rate") or ""
        typical.refuse_unknown()
        return None, tied_to
    return read_prior(typical, sources=sources, like=like), ""


def _shift(table: TomlTable, sources: Mapping[str, Source], *, required: bool) -> Prior | None:
    if "shift" not in table:
        if required:
            hint = 'write shift = "none", or shift = { family = "normal", mean = 0.0, sd = 0.3, ... }'
            table.report("E_MISSING_KEY", "shift", "a value from another setting says how far it may be off", hint)
        return None
    if not required:
        hint = 'write from = "mouse" beside it, or delete it'
        table.report("E_CONFLICT", "shift", "there is no other setting to be shifted from", hint)
        return None
    if table.values["shift"] == NONE:
        return None
    inner = table.table("shift")
    shift = None if inner is None else read_prior(inner, sources=sources, like="1")
    if inner is not None and shift is not None and (shift.family is not Family.NORMAL or shift.location != 0.0):
        inner.report("E_CHOICE", "family", "a shift is normal around 0", 'write family = "normal", mean = 0.0')
        return None
    return shift


def _between(table: TomlTable, sources: Mapping[str, Source], *, tied: bool) -> Between | None:
    wanted = TIED if tied else NONE
    if "between" not in table:
        hint = f'write between = "{wanted}"' + ("" if tied else ', or { family = "lognormal", sd = 0.3, ... }')
        table.report("E_MISSING_KEY", "between", "'between' is missing: how much do individuals differ?", hint)
        return None
    value = table.values["between"]
    if value == wanted:
        return None
    if tied or not isinstance(value, Mapping):
        hint = f'write between = "{wanted}"' + ("" if tied else " or a table")
        table.report("E_TYPE", "between", f"{value!r} cannot be used here", hint)
        return None
    return read_spread(TomlTable(value, table.findings, where=table.place("between")), sources)


def read_spread(table: TomlTable, sources: Mapping[str, Source]) -> Between | None:
    """Spread between individuals, or between occasions: its scale, its size and how sure that is."""
    scale = table.choice("family", Scale)
    sd = _spread_sd(table, scale)
    form = table.choice("prior", SpreadFamily, required=False)
    if "prior" in table and form is None:
        table.ask("uncertainty")
    form = form or SpreadFamily.LOGNORMAL
    uncertainty = 0.0
    if form is SpreadFamily.LOGNORMAL:
        uncertainty = table.number("uncertainty", above=0.0)
    basis, source = read_evidence(table, sources)
    table.refuse_unknown()
    if scale is None or sd is None or uncertainty is None or basis is None or source is None:
        return None
    location = 0.0 if form is SpreadFamily.HALFNORMAL else sd.value
    width = sd.value if form is SpreadFamily.HALFNORMAL else uncertainty
    prior = Prior(family=Family(form), location=location, scale=width, unit=sd.unit, basis=basis, source=source)
    return Between(scale=scale, sd=prior)


def _spread_sd(table: TomlTable, scale: Scale | None) -> Quantity | None:
    if scale is Scale.LINEAR:
        return table.quantity("sd", above=0.0)
    sd = read_log_sd(table) if scale is Scale.LOG else table.number("sd", above=0.0)
    return None if sd is None else Quantity(sd, "1")
