"""Regimen as a NONMEM event table for one patient, with a sidecar that declares its units for `pkpd check`."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit

from pkpd.domain.dosing import MINUTES_PER_HOUR, Amount, Dose, Route, Schedule
from pkpd.errors import DataError
from pkpd.export.base import (
    AbstractExporter,
    Regimen,
    comments,
    facts,
    horizon_of,
    plain_number,
    read_facts,
    read_text,
    require_milligrams,
    schedule_of_doses,
)
from pkpd.io.analysis import examine

TABLE, SIDECAR = "regimen.csv", "regimen.toml"
MISSING = "."
HEADER = ("ID", "TIME", "DV", "AMT", "RATE", "DUR", "EVID", "MDV", "CMT", "DRUG", "ROUTE")
COVARIATES = {"WT": "kg", "BSA": "m^2"}


class NonmemExporter(AbstractExporter):
    """Writes `regimen.csv` (hours, mg) and `regimen.toml`; amounts per weight or surface become this patient's mg."""

    def files(self, regimen: Regimen) -> Mapping[str, str]:
        """One row per administration; text columns are for `DROP` in a control stream."""
        require_milligrams(regimen)
        return {TABLE: _table(regimen), SIDECAR: _sidecar(regimen)}

    def read(self, folder: Path) -> Schedule:
        """Read the table as `pkpd check` does; amounts are the mg of the patient that it was written for."""
        path = folder / SIDECAR
        examined = examine(path)
        if examined.analysis is None:
            raise DataError(examined.findings)
        found = read_facts(read_text(path))
        doses = [
            Dose(
                drug=given.drug,
                time_min=given.time_min,
                amount=Amount(value=given.mg),
                route=given.route,
                duration_min=given.duration_min,
            )
            for given in examined.analysis.study.administrations()
        ]
        return schedule_of_doses(
            doses,
            name=examined.analysis.name,
            title=found.get("title", ""),
            horizon_min=horizon_of(found, path),
        )


def _compartments(schedule: Schedule) -> dict[tuple[str, Route], int]:
    """Number the pairs of drug and route; CMT says only where a dose enters, DRUG and ROUTE say what it is."""
    pairs = dict.fromkeys((dose.drug, dose.route) for dose in schedule.doses())
    return {pair: number for number, pair in enumerate(sorted(pairs), start=1)}


def _covariates(regimen: Regimen) -> dict[str, str]:
    known = {"WT": regimen.patient.weight_kg, "BSA": regimen.patient.surface_m2}
    return {name: plain_number(value) for name, value in known.items() if value is not None}


def _table(regimen: Regimen) -> str:
    compartments = _compartments(regimen.schedule)
    covariates = _covariates(regimen)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow((*HEADER, *covariates))
    for dose in regimen.schedule.doses():
        mg = regimen.patient.milligrams(dose.amount)
        assert mg is not None  # refused before
        hours = dose.duration_min / MINUTES_PER_HOUR
        row = {
            "ID": "1",
            "TIME": plain_number(dose.time_min / MINUTES_PER_HOUR),
            "DV": MISSING,
            "AMT": plain_number(mg),
            "RATE": plain_number(mg / hours) if hours else "0",
            "DUR": plain_number(hours),
            "EVID": "1",
            "MDV": "1",
            "CMT": str(compartments[(dose.drug, dose.route)]),
            "DRUG": dose.drug,
            "ROUTE": str(dose.route),
        }
        writer.writerow((*(row[name] for name in HEADER), *covariates.values()))
    return stream.getvalue()


def _sidecar(regimen: Regimen) -> str:
    schedule = regimen.schedule
    document: dict[str, Any] = {
        "schema": 1,
        "name": schedule.name,
        "assumptions": [
            regimen.notice,
            *regimen.warnings,
            *([f"Verdict: {regimen.verdict}."] if regimen.verdict else []),
        ],
        "study": {"data": TABLE, "setting": "human"},
        "model": {"drugs": list(schedule.drugs)},
        "units": {"TIME": "h", "AMT": "mg", "RATE": "mg/h", "DUR": "h"}
        | {name: COVARIATES[name] for name in _covariates(regimen)},
    }
    compartments = [
        (f"compartment {number}", f"{drug}, {route}") for (drug, route), number in _compartments(schedule).items()
    ]
    return f"{comments([*facts(regimen), *compartments])}\n{tomlkit.dumps(document)}"
