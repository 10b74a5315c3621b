"""What every export format shares: the regimen that is handed over, and the way back from a file to a schedule."""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pkpd.domain.dosing import Amount, AmountBasis, Course, Dose, Schedule
from pkpd.errors import DataError, Finding

NOTICE = (
    "For research use only. Not a medical device, not medical advice, not for decisions about the care of a patient."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Whom the doses in mg are for; a covariate that is not known is None."""

    weight_kg: float | None = None
    surface_m2: float | None = None

    def milligrams(self, amount: Amount) -> float | None:
        """Absolute amount in mg; None where the covariate that it needs is not known."""
        weight = math.nan if self.weight_kg is None else self.weight_kg
        surface = math.nan if self.surface_m2 is None else self.surface_m2
        value = float(amount.milligrams(weight_kg=weight, surface_m2=surface))
        return None if math.isnan(value) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Regimen:
    """One schedule on its way out, with what a reader of the file must know.

    Attributes
    ----------
    verdict, reasons
        Conclusion of the search that the schedule comes from.
    words
        One line per course.
    warnings
        Why the schedule would have been refused; not empty only if the caller insisted.
    provenance
        Name -> value: versions, seed and sha256 of the inputs.
    """

    schedule: Schedule
    patient: Patient = Patient()
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notice: str = NOTICE
    provenance: Mapping[str, str] = field(default_factory=dict)


class AbstractExporter(abc.ABC):
    """A file format for regimens; registered in the entry-point group `pkpd.exporters`."""

    @abc.abstractmethod
    def files(self, regimen: Regimen) -> Mapping[str, str]:
        """File name -> text; the same regimen gives the same text.

        Raises
        ------
        DataError
            If the format needs a covariate of the patient that is not known.
        """

    @abc.abstractmethod
    def read(self, folder: Path) -> Schedule:
        """Read back what `files` wrote: a schedule with the same dated doses.

        Raises
        ------
        DataError
            With everything that cannot be used.
        """


def schedule_of_doses(doses: Sequence[Dose], *, name: str, horizon_min: int, title: str = "") -> Schedule:
    """Build a schedule that gives these doses and no others: one course of one dose each."""
    courses = tuple(
        Course(
            drug=dose.drug,
            amount=dose.amount,
            route=dose.route,
            every_min=horizon_min,
            start_min=dose.time_min,
            until_min=dose.time_min + 1,
            duration_min=dose.duration_min,
        )
        for dose in doses
    )
    return Schedule(name=name, title=title, horizon_min=horizon_min, courses=courses)


def require_milligrams(regimen: Regimen) -> None:
    """Refuse a dose per body weight or surface without the covariate that makes it mg.

    Raises
    ------
    DataError
        With one finding per missing covariate.
    """
    options = {AmountBasis.BODY_WEIGHT: ("weight", "70"), AmountBasis.BODY_SURFACE: ("surface", "1.8")}
    missing = {
        (dose.drug, dose.amount.basis)
        for dose in regimen.schedule.doses()
        if regimen.patient.milligrams(dose.amount) is None
    }
    if missing:
        raise DataError(
            [
                Finding(
                    code="E_MISSING_COVARIATE",
                    where=f"{regimen.schedule.name}: {drug}",
                    message=f"doses in {basis} need the body {options[basis][0]} of the patient",
                    hint=f"give it with --{options[basis][0]} {options[basis][1]}",
                )
                for drug, basis in sorted(missing)
            ]
        )


def plain_number(value: float) -> str:
    """Shortest text that reads back as the same number, without a needless `.0`."""
    text = repr(float(value))
    return text.removesuffix(".0")


COMMENT = "# "


def facts(regimen: Regimen) -> list[tuple[str, str]]:
    """Name and value of what stands in the comment lines above a table, each on one line."""
    schedule, patient = regimen.schedule, patient_in_words(regimen.patient)
    found = [("notice", regimen.notice), *(("WARNING", warning) for warning in regimen.warnings)]
    found += [("name", schedule.name), ("title", schedule.title), ("verdict", regimen.verdict)]
    found += [("horizon_min", str(schedule.horizon_min)), ("patient", patient)]
    found += [("course", words) for words in regimen.words]
    found += [(f"provenance {name}", value) for name, value in regimen.provenance.items()]
    return [(name, " ".join(value.split())) for name, value in found]


def comments(found: Sequence[tuple[str, str]]) -> str:
    """Comment lines that `read_facts` understands."""
    return "".join(f"{COMMENT}{name}: {value}\n" for name, value in found)


def read_facts(text: str) -> dict[str, str]:
    """Facts by name; of a name that stands there more than once, the last."""
    lines = (line.removeprefix(COMMENT) for line in text.splitlines() if line.startswith(COMMENT) and ": " in line)
    return dict(line.split(": ", 1) for line in lines)


def horizon_of(found: Mapping[str, str], path: Path) -> int:
    """Horizon in minutes.

    Raises
    ------
    DataError
        If the comment lines do not hold it.
    """
    text = found.get("horizon_min", "")
    if not text.isdecimal() or int(text) == 0:
        message = f"horizon_min is {text!r}, not a number of minutes" if text else "lacks the line '# horizon_min: ...'"
        hint = "write it again with `pkpd export`"
        raise DataError(Finding(code="E_MISSING_KEY", where=str(path), message=message, hint=hint))
    return int(text)


def patient_in_words(patient: Patient) -> str:
    """Covariates with their units."""
    known = [] if patient.weight_kg is None else [f"{plain_number(patient.weight_kg)} kg"]
    known += [] if patient.surface_m2 is None else [f"{plain_number(patient.surface_m2)} m2"]
    return ", ".join(known) or "not stated"


def read_text(path: Path) -> str:
    """Text of a file.

    Raises
    ------
    DataError
        If it cannot be read as text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        finding = Finding(code="E_FILE", where=str(path), message=f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        finding = Finding(code="E_NOT_TEXT", where=str(path), message="is not a text file")
    raise DataError(finding)
