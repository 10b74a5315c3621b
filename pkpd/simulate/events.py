"""A model file and an event table -> the amounts and outputs at every record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from pkpd import units
from pkpd.domain.event_model import CovariateForm, EventModel
from pkpd.dynamics.base import AbstractLinearPKModel, AbstractPKModel, optional_of, parameters_of
from pkpd.dynamics.events.engine import Entry, observed, study_amounts
from pkpd.dynamics.events.plan import plan_events
from pkpd.errors import DataError, Finding, PkpdError, Severity, SpecError
from pkpd.io.decode import closest_hint, load_toml
from pkpd.io.event_model import StructureFacts, read_event_model
from pkpd.io.event_rows import EventRows, read_event_rows
from pkpd.io.tables import Row, Table, read_table
from pkpd.registry import Registry

if TYPE_CHECKING:
    import pandas as pd

STEPS = (8, 16, 32, 64, 128, 256, 512, 1024)
TOLERANCE = 1e-5
_TINY = 1e-6  # of the largest amount in the compartment: below it the error is absolute


def simulate_events(
    model: str | Path | Mapping[str, Any],
    events: str | Path | pd.DataFrame,
    *,
    seed: int | None = None,
    warn: Callable[[Finding], None] | None = None,
) -> pd.DataFrame:
    """Amounts of every compartment and outputs at every record of an event table.

    Parameters
    ----------
    model
        Path of a model file, or its content.
    events
        Path of a CSV file, or a table.
    seed
        Of the deviations between subjects; by default that of the model file.
    warn
        Called with each finding that does not stop the run.

    Returns
    -------
    One row per record, in the order of the table: ID, TIME, EVID, `A_<compartment>` in the unit of AMT, the outputs that the model
    lists, and the columns that it names.

    Raises
    ------
    PkpdError
        With everything that is wrong.
    """
    import pandas as pd

    where = "model" if isinstance(model, Mapping) else Path(model).name
    kinds = Registry("pkpd.pk_models", AbstractPKModel)
    of_model: list[Finding] = []
    findings: list[Finding] = []
    spec = _model(model, where, kinds, of_model)
    kind = kinds.get(spec.structure) if spec.structure in kinds.names() else None
    table = _table(events, findings)
    rows, given = None, {}
    if table is not None:
        compartments, responses, grows = (kind.compartments, kind.responses, kind.grows) if kind else (None, (), False)
        rows = read_event_rows(table, spec, compartments, responses, findings, grows=grows)
        given = _values(spec, rows, table, findings, seed)
    errors = [finding for finding in (*of_model, *findings) if finding.severity is Severity.ERROR]
    if of_model:
        raise SpecError(errors)
    if errors or rows is None or kind is None:
        raise DataError(errors)
    for finding in findings:
        if warn is not None:
            warn(finding)
    amounts, seen = _run(kind, spec, rows, given)
    mg = units.factor("mg", spec.amount_unit)
    evid = rows.events.evid
    columns: dict[str, Any] = {
        "ID": _identifiers([rows.names[number] for number in rows.events.subject]),
        "TIME": rows.time,
        "EVID": evid,
    }
    columns |= {
        f"A_{name}": amounts[:, index] * (1.0 if name in kind.responses else mg)
        for index, name in enumerate(kind.compartments)
    }
    for name, unit in spec.output_units.items():
        columns[name] = seen[name] * units.factor(kind.outputs[name], unit)
    columns |= {name: _identifiers(list(cells)) for name, cells in rows.columns.items()}
    return pd.DataFrame(columns)


def _model(
    model: str | Path | Mapping[str, Any], where: str, kinds: Registry[AbstractPKModel], findings: list[Finding]
) -> EventModel:
    """What a model file says, as far as it can be read."""
    facts = {name: _facts(kinds.get(name)) for name in kinds.names()}
    try:
        values = cast(Mapping[str, object], model) if isinstance(model, Mapping) else load_toml(Path(model))
    except SpecError as error:
        findings.extend(error.findings)
        return EventModel.unread(where)
    return read_event_model(values, where=where, structures=facts, findings=findings)


def _facts(kind: type[AbstractPKModel]) -> StructureFacts:
    return StructureFacts(parameters_of(kind), kind.compartments, kind.outputs, optional_of(kind), kind.responses)


def _table(events: Any, findings: list[Finding]) -> Table | None:
    if isinstance(events, (str, Path)):
        return read_table(Path(events), findings)
    columns = tuple(str(column) for column in events.columns)
    rows = [
        Row(line=line, cells={name: _text(cell) for name, cell in zip(columns, cells, strict=True) if _is_there(cell)})
        for line, cells in enumerate(events.itertuples(index=False, name=None), start=2)
    ]
    if not rows:
        findings.append(Finding(code="E_EMPTY_FILE", where="events", message="there is no row"))
        return None
    return Table(name="events", columns=columns, rows=tuple(rows))


def _is_there(cell: object) -> bool:
    return cell is not None and cell == cell and str(cell).strip() not in ("", ".", "<NA>", "nan")  # noqa: PLR0124


def _text(cell: object) -> str:
    return (
        repr(float(cell))
        if isinstance(cell, float) and not cell.is_integer()
        else f"{cell:g}"
        if isinstance(cell, float)
        else str(cell).strip()
    )


def _identifiers(texts: list[str]) -> list[Any]:
    """Numbers where all are, else the texts."""
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return texts
    return [int(number) if number.is_integer() else number for number in numbers]


def _values(
    spec: EventModel, rows: EventRows, table: Table, findings: list[Finding], seed: int | None
) -> dict[str, NDArray[np.float64]]:
    """Every parameter at every row, by the name of its specification."""
    deviates = _deviates(spec, rows, spec.seed if seed is None else seed, findings)
    found: dict[str, NDArray[np.float64]] = {}
    for name, one in spec.specs.items():
        if not {one.column, *(effect.column for effect in one.effects)} - {None} <= set(rows.columns):
            continue  # the missing column is reported
        value = (
            _numbers(one.column, rows, table, findings) * one.factor
            if one.column
            else np.full(rows.time.size, one.value)
        )
        for effect in one.effects:
            if effect.form is CovariateForm.CATEGORICAL:
                value = value * _levels(effect.column, effect.factors, rows, table, findings)
                continue
            x = _numbers(effect.column, rows, table, findings)
            with np.errstate(all="ignore"):
                value = (
                    value
                    * {
                        CovariateForm.POWER: (x / effect.reference) ** effect.coefficient,
                        CovariateForm.LINEAR: 1.0 + effect.coefficient * (x - effect.reference),
                        CovariateForm.EXPONENTIAL: np.exp(effect.coefficient * (x - effect.reference)),
                    }[effect.form]
                )
        short = name.removeprefix("parameters.")
        if short in deviates:
            value = value * np.exp(deviates[short][rows.events.subject])
        found[name] = value
        _refuse_values(name, value, rows, table, findings)
    return found


def _refuse_values(
    name: str, value: NDArray[np.float64], rows: EventRows, table: Table, findings: list[Finding]
) -> None:
    zero = name.endswith((".lag", ".bioavailability", ".clearance"))
    optional = name.endswith((".duration", ".rate"))
    code = -2.0 if name.endswith(".duration") else -1.0
    asked = rows.events.rate == code if optional else np.ones(value.size, dtype=bool)
    bad = asked & ~(np.isfinite(value) & ((value > 0.0) | (zero & (value == 0.0))))
    for row in np.flatnonzero(bad & np.isfinite(value))[:5]:
        where = table.where(table.rows[row].line)
        message = f"{name} becomes {value[row]:g}, which is not {'zero or more' if zero else 'greater than 0'}"
        findings.append(
            Finding(code="E_RANGE", where=where, message=message, hint="correct the column or the covariate effect")
        )


def _numbers(column: str, rows: EventRows, table: Table, findings: list[Finding]) -> NDArray[np.float64]:
    found = np.full(rows.time.size, np.nan)
    for index, text in enumerate(rows.columns[column]):
        try:
            found[index] = float(text)
        except ValueError:
            shown = f"'{text}' is not a number" if text else "is missing"
            findings.append(
                Finding(
                    code="E_NOT_A_NUMBER",
                    where=table.where(table.rows[index].line),
                    message=f"{column}: {shown}",
                    hint="every row needs a number",
                )
            )
    return found


def _levels(
    column: str, factors: Mapping[str, float], rows: EventRows, table: Table, findings: list[Finding]
) -> NDArray[np.float64]:
    found = np.ones(rows.time.size)
    for index, text in enumerate(rows.columns[column]):
        if text in factors:
            found[index] = factors[text]
            continue
        findings.append(
            Finding(
                code="E_UNKNOWN_LEVEL",
                where=table.where(table.rows[index].line),
                message=f"{column}: '{text}' has no factor",
                hint=closest_hint(text, factors),
            )
        )
    return found


def _deviates(spec: EventModel, rows: EventRows, seed: int, findings: list[Finding]) -> dict[str, NDArray[np.float64]]:
    """Deviation of each varying parameter, on the log scale, by subject; a subject's do not depend on the others."""
    varying = [name for name, one in spec.parameters.items() if one.between_sd > 0.0]
    if not varying:
        return {}
    correlation = np.eye(len(varying))
    for (first, second), value in spec.correlations.items():
        i, j = varying.index(first), varying.index(second)
        correlation[i, j] = correlation[j, i] = value
    try:
        root = np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError:
        message = "these correlations contradict each other (the matrix is not positive definite)"
        hint = "bring the correlations of each three parameters closer to each other, or to 0"
        findings.append(Finding(code="E_CORRELATION", where=f"{spec.where}: correlation", message=message, hint=hint))
        return {}
    drawn = np.empty((len(rows.names), len(varying)))
    for index, name in enumerate(rows.names):
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
        drawn[index] = root @ np.random.default_rng(np.random.SeedSequence([seed, key])).standard_normal(len(varying))
    return {name: drawn[:, index] * spec.parameters[name].between_sd for index, name in enumerate(varying)}


def _run(
    kind: type[AbstractPKModel], spec: EventModel, rows: EventRows, given: Mapping[str, NDArray[np.float64]]
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    steady = rows.events.steady > 0
    lags = [value[steady].max(initial=0.0) for name, value in given.items() if name.endswith(".lag")]
    plan = plan_events(
        rows.events,
        longest_lag_h=max(lags, default=0.0),
        longest_infusion_h=_longest_infusion(kind, rows, given),
        padded=True,
    )
    pick = np.where(plan.rows >= 0, plan.rows, plan.rows.max(axis=1, keepdims=True))

    def at(name: str) -> Any:
        value = given[name]
        return jnp.asarray(value[0]) if np.all(value == value[0]) else jnp.asarray(value[pick])

    model = kind.of({name: at(f"parameters.{name}") for name in spec.parameters})
    entries = tuple(
        Entry(**{word: at(f"compartment.{name}.{word}") for word in spec.entries.get(name, {})})
        for name in kind.compartments
    )
    run = eqx.filter_jit(study_amounts)
    if isinstance(model, AbstractLinearPKModel):
        amounts = np.asarray(run(model, entries, plan, steps=1))
    else:
        amounts = _verified(lambda steps: np.asarray(run(model, entries, plan, steps=jnp.asarray(steps))), spec)
    found = amounts[plan.subject_of_row, plan.record_of_row]
    if not np.all(np.isfinite(found)):
        row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
        sought = bool(steady[rows.events.subject == rows.events.subject[row]].any())
        raise DataError(
            Finding(
                code="E_NO_STEADY_STATE" if sought else "E_NOT_FINITE",
                where=f"subject {rows.names[rows.events.subject[row]]}, TIME {rows.time[row]:g}",
                message="no steady state is reached under these doses" if sought else "the amounts are not finite",
                hint="elimination may be slower than the doses, or the response may swing by itself; check doses and parameters",
            )
        )
    seen = {
        name: np.asarray(value)[plan.subject_of_row, plan.record_of_row]
        for name, value in observed(model, jnp.asarray(amounts)).items()
    }
    return found, seen


def _longest_infusion(kind: type[AbstractPKModel], rows: EventRows, given: Mapping[str, NDArray[np.float64]]) -> float:
    events, longest = rows.events, 0.0
    for index, name in enumerate(kind.compartments):
        here = (events.steady > 0) & (events.rate != 0.0) & (events.compartment == index + 1)
        share = given.get(f"compartment.{name}.bioavailability", np.ones(rows.time.size))
        duration = given.get(f"compartment.{name}.duration", np.zeros(rows.time.size))
        modeled = given.get(f"compartment.{name}.rate", np.ones(rows.time.size))
        rate = np.where(events.rate > 0.0, events.rate, np.where(events.rate == -1.0, modeled, 1.0))
        length = np.where(events.rate == -2.0, duration, share * events.amount_mg / np.where(here, rate, 1.0))
        longest = max(longest, float(length[here].max(initial=0.0)))
    return longest


def _verified(run: Callable[[int], NDArray[np.float64]], spec: EventModel) -> NDArray[np.float64]:
    """Double the steps until two answers agree; the finer one is returned."""
    coarse, error = run(STEPS[0]), np.inf
    for steps in STEPS[1:]:
        fine = run(steps)
        largest = np.nan_to_num(np.abs(fine)).max(axis=(0, 1), keepdims=True)
        size = np.maximum(np.abs(fine), _TINY * largest)
        change = np.abs(fine - coarse) / np.where(size > 0.0, size, 1.0)
        # what neither finds is reported later; what only one of them finds is no agreement
        change = np.where(np.isnan(fine) & np.isnan(coarse), 0.0, np.nan_to_num(change, nan=np.inf))
        error = float(change.max())
        if error <= TOLERANCE:
            return fine
        coarse = fine
    message = f"{STEPS[-1]} steps per interval leave an error of {error:.1e}, more than {TOLERANCE:.0e}"
    raise PkpdError(
        Finding(
            code="E_NOT_ACCURATE",
            where=spec.where,
            message=message,
            hint="add records, so that intervals become shorter",
        )
    )
