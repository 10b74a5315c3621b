"""A study: what was given to whom, and what was observed; and the analysis that a user asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pkpd.domain.dosing import Route, Schedule
from pkpd.domain.evidence import Source

NOT_CENSORED, LEFT_CENSORED = 0, 1
SETTINGS = ("in_vitro", "mouse", "human")
# Endpoint -> unit of its values inside a study.
ENDPOINT_UNITS: Mapping[str, str] = {"tumor_volume": "mm^3", "neutrophils": "1e9/L"}
ONLY_ARM = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One patient, animal or well; a covariate that is not known is NaN."""

    name: str
    arm: str = ONLY_ARM
    weight_kg: float = float("nan")
    surface_m2: float = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One value of one endpoint in one subject.

    Attributes
    ----------
    value
        In the unit of `ENDPOINT_UNITS`; the limit itself where the value is censored.
    censored
        Whether all that is known is that the value lies below `lower_limit`.
    lower_limit
        Smallest value that could be measured; NaN where none is stated.
    """

    subject: str
    time_h: float
    endpoint: str
    value: float
    censored: bool = False
    lower_limit: float = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """One dose that one subject received, in mg."""

    subject: str
    time_min: int
    drug: str
    mg: float
    route: Route
    duration_min: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Observations, doses and covariates of one study in one setting.

    Attributes
    ----------
    data
        Dataset with the dimensions

        - `subject`: coordinate `subject` (text); `arm` (text), `weight_kg`, `surface_m2` (NaN where unknown);
        - `obs_id`: `obs_subject` (index), `obs_time_h`, `endpoint` (text), `value` (canonical unit of the endpoint; the
          limit itself where censored), `censored` (1: the value is below `lower_limit`, 0: observed), `lower_limit`
          (NaN: none);
        - `dose_id`: `dose_subject` (index), `dose_time_min`, `dose_drug` (text), `dose_mg`, `dose_duration_min`,
          `dose_route` (text).

        Text is fixed-width unicode; units stand in `attrs["units"]` of every numeric variable.
    """

    name: str
    setting: str
    data: xr.Dataset

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects, in the order of the table."""
        return tuple(str(name) for name in self.data["subject"].values)

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms, in order of first appearance."""
        return tuple(dict.fromkeys(str(arm) for arm in self.data["arm"].values))

    @property
    def drugs(self) -> tuple[str, ...]:
        """Names of the drugs that somebody received, sorted."""
        return tuple(sorted({str(drug) for drug in self.data["dose_drug"].values}))

    @property
    def observed(self) -> NDArray[np.bool_]:
        """For each observation, whether its value is known rather than below a limit."""
        return np.asarray(self.data["censored"].values == NOT_CENSORED)

    def subject_facts(self) -> tuple[Subject, ...]:
        """Every subject with its arm and covariates."""
        columns = (self.data[name].values.tolist() for name in ("subject", "arm", "weight_kg", "surface_m2"))
        return tuple(
            Subject(name=name, arm=arm, weight_kg=weight, surface_m2=surface)
            for name, arm, weight, surface in zip(*columns, strict=True)
        )

    def observations(self) -> tuple[Observation, ...]:
        """Every observation, in the order of the table."""
        names = ("obs_subject", "obs_time_h", "endpoint", "value", "censored", "lower_limit")
        subjects = self.subjects
        return tuple(
            Observation(
                subject=subjects[subject],
                time_h=time_h,
                endpoint=endpoint,
                value=value,
                censored=censored == LEFT_CENSORED,
                lower_limit=limit,
            )
            for subject, time_h, endpoint, value, censored, limit in zip(
                *(self.data[name].values.tolist() for name in names), strict=True
            )
        )

    def administrations(self) -> tuple[Administration, ...]:
        """Every dose, by subject, time and drug."""
        names = ("dose_subject", "dose_time_min", "dose_drug", "dose_mg", "dose_duration_min", "dose_route")
        subjects = self.subjects
        return tuple(
            Administration(
                subject=subjects[subject],
                time_min=time_min,
                drug=drug,
                mg=mg,
                duration_min=duration_min,
                route=Route(route),
            )
            for subject, time_min, drug, mg, duration_min, route in zip(
                *(self.data[name].values.tolist() for name in names), strict=True
            )
        )


def with_values(data: xr.Dataset, values: NDArray[np.float64]) -> xr.Dataset:
    """The dataset of a study with other values, `[obs_id]`; one below its limit is censored there."""
    limit = data["lower_limit"].values
    below = values < limit  # never where there is no limit
    return data.assign(
        value=data["value"].copy(data=np.where(below, limit, values)),
        censored=data["censored"].copy(data=np.where(below, LEFT_CENSORED, NOT_CENSORED)),
    )


def build_study(
    *,
    name: str,
    setting: str,
    subjects: Sequence[Subject],
    observations: Sequence[Observation],
    administrations: Sequence[Administration],
) -> Study:
    """Study from facts; doses are put in order of subject, time and drug, observations stay as they are.

    Raises
    ------
    KeyError
        If an observation or a dose names a subject that is not among `subjects`.
    """
    index = {subject.name: position for position, subject in enumerate(subjects)}
    doses = sorted(administrations, key=lambda dose: (index[dose.subject], dose.time_min, dose.drug))
    data = xr.Dataset(
        {
            "arm": ("subject", _text([subject.arm for subject in subjects])),
            "weight_kg": _floats("subject", [subject.weight_kg for subject in subjects], "kg"),
            "surface_m2": _floats("subject", [subject.surface_m2 for subject in subjects], "m^2"),
            "obs_subject": _integers("obs_id", [index[row.subject] for row in observations], "1"),
            "obs_time_h": _floats("obs_id", [row.time_h for row in observations], "h"),
            "endpoint": ("obs_id", _text([row.endpoint for row in observations])),
            "value": _floats("obs_id", [row.value for row in observations], "unit of the endpoint"),
            "censored": _integers(
                "obs_id", [LEFT_CENSORED if row.censored else NOT_CENSORED for row in observations], "1"
            ),
            "lower_limit": _floats("obs_id", [row.lower_limit for row in observations], "unit of the endpoint"),
            "dose_subject": _integers("dose_id", [index[dose.subject] for dose in doses], "1"),
            "dose_time_min": _integers("dose_id", [dose.time_min for dose in doses], "min"),
            "dose_drug": ("dose_id", _text([dose.drug for dose in doses])),
            "dose_mg": _floats("dose_id", [dose.mg for dose in doses], "mg"),
            "dose_duration_min": _integers("dose_id", [dose.duration_min for dose in doses], "min"),
            "dose_route": ("dose_id", _text([str(dose.route) for dose in doses])),
        },
        coords={"subject": _text([subject.name for subject in subjects])},
        attrs={f"units_{endpoint}": unit for endpoint, unit in ENDPOINT_UNITS.items()},
    )
    return Study(name=name, setting=setting, data=data)


def _text(values: Sequence[str]) -> NDArray[np.str_]:
    # NetCDF has no text of width zero, which is what an empty list would get.
    return np.asarray(values, dtype=np.str_) if values else np.zeros(0, dtype="<U1")


def _floats(dimension: str, values: Sequence[float], unit: str) -> tuple[str, NDArray[np.float64], dict[str, str]]:
    return dimension, np.asarray(values, dtype=np.float64), {"units": unit}


def _integers(dimension: str, values: Sequence[int], unit: str) -> tuple[str, NDArray[np.int64], dict[str, str]]:
    return dimension, np.asarray(values, dtype=np.int64), {"units": unit}


ENGINES = ("nutpie", "numpyro")


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How to sample; the command line may override each."""

    chains: int = 4
    draws: int = 1000
    tune: int = 1000
    target_accept: float = 0.9
    engine: str = "nutpie"
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A sensitivity run: the same analysis with the amounts of some drugs multiplied."""

    name: str
    dose_factors: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything that `pkpd fit` needs: the study, the models, the priors' names and the options.

    Attributes
    ----------
    arms
        Planned schedule of each arm, where the doses come from the analysis rather than from the table.
    disease, combination
        Names of shipped or local prior files.
    growth
        Growth law: `exponential`, `logistic`, `gompertz` or `simeoni`.
    overrides
        `component.parameter` -> replacement prior table as written in `[priors]` of the analysis.
    sources
        Key -> document that a replaced prior names.
    assumptions
        Sentences that the report repeats, such as "doses are not published".
    inputs
        Path as written -> sha256 of every file that was read.
    """

    name: str
    study: Study
    arms: Mapping[str, Schedule]
    drugs: tuple[str, ...]
    disease: str
    combination: str = "senolysis"
    growth: str = "gompertz"
    overrides: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    options: FitOptions = FitOptions()
    scenarios: tuple[Scenario, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
