"""Writes a study as an event table, with the tables of an analysis that state its units.

Numbers are written so that they read back to the same minutes, milligrams and values.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence

from pkpd.domain.dosing import MINUTES_PER_HOUR, Route
from pkpd.domain.study import ENDPOINT_UNITS, Administration, Observation, Study, Subject

STUDY_COLUMNS = (
    *("ID", "TIME", "DV", "AMT", "RATE", "DUR", "EVID", "MDV", "CMT", "DRUG", "ROUTE"),
    *("DVID", "CENS", "LLOQ", "ARM", "WT", "BSA"),
)
_DEPOT, _CENTRAL = 1, 2
_COMPARTMENTS_PER_DRUG = 2


def study_to_table(study: Study) -> str:
    """CSV text of a study: hours, mg, kg, m2, and values in the units of `ENDPOINT_UNITS`."""
    facts = {subject.name: subject for subject in study.subject_facts()}
    position = {name: index for index, name in enumerate(facts)}
    rows = [
        *_dose_rows(study.administrations(), _first_compartments(study.drugs)),
        *(_observation_row(observation) for observation in study.observations()),
    ]
    # A subject keeps its place; doses come before what is observed at the same time, as NONMEM reads them.
    rows.sort(key=lambda row: (position[row["ID"]], float(row["TIME"]), row["EVID"] == "0"))
    described = (row | _subject_cells(facts[row["ID"]]) for row in rows)
    return _csv(STUDY_COLUMNS, described)


def study_analysis_tables(endpoints: Sequence[str]) -> str:
    """The tables `[units]` and `[observations]` of an analysis that read what `study_to_table` wrote."""
    units = ", ".join(f'{endpoint} = "{ENDPOINT_UNITS[endpoint]}"' for endpoint in endpoints)
    names = ", ".join(f"{endpoint} = {_quoted(endpoint)}" for endpoint in endpoints)
    return "\n".join(
        (
            "[units]",
            'TIME = "h"',
            'AMT = "mg"',
            'RATE = "mg/h"',
            'DUR = "h"',
            'WT = "kg"',
            'BSA = "m^2"',
            f"DV = {{ {units} }}",
            "",
            "[observations]",
            f"endpoints = {{ {names} }}",
            "",
        )
    )


def _first_compartments(drugs: Sequence[str]) -> dict[str, int]:
    """Compartments 1 and 2 are depot and central of the first drug, 3 and 4 of the second, and so on."""
    return {drug: index * _COMPARTMENTS_PER_DRUG for index, drug in enumerate(sorted(drugs))}


def _dose_rows(doses: Iterable[Administration], first: Mapping[str, int]) -> list[dict[str, str]]:
    return [
        {
            "ID": dose.subject,
            "TIME": _number(dose.time_min / MINUTES_PER_HOUR),
            "AMT": _number(dose.mg),
            "RATE": _number(dose.mg / (dose.duration_min / MINUTES_PER_HOUR)) if dose.duration_min else "0",
            "DUR": _number(dose.duration_min / MINUTES_PER_HOUR),
            "EVID": "1",
            "MDV": "1",
            "CMT": str(first[dose.drug] + (_CENTRAL if dose.route is Route.INTRAVENOUS else _DEPOT)),
            "DRUG": dose.drug,
            "ROUTE": str(dose.route),
        }
        for dose in doses
    ]


def _observation_row(observation: Observation) -> dict[str, str]:
    return {
        "ID": observation.subject,
        "TIME": _number(observation.time_h),
        "DV": _number(observation.value),
        "EVID": "0",
        "MDV": "0",
        "DVID": observation.endpoint,
        "CENS": str(int(observation.censored)),
        "LLOQ": _number(observation.lower_limit),
    }


def _subject_cells(subject: Subject) -> dict[str, str]:
    return {"ARM": subject.arm, "WT": _number(subject.weight_kg), "BSA": _number(subject.surface_m2)}


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=columns, restval=".", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _number(value: float) -> str:
    """Shortest text that reads back to the same number; `.` where there is none."""
    return "." if math.isnan(value) else repr(float(value)).removesuffix(".0")


def _quoted(text: str) -> str:
    # JSON escapes what TOML escapes in the same way, except for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
