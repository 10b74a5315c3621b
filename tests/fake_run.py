"""A small run folder that looks like a real one: draws, predictive values and provenance, made with numpy alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import stats

from pkpd.domain.dosing import MINUTES_PER_DAY as DAY
from pkpd.domain.dosing import Amount, AmountBasis, Course, Route, Schedule
from pkpd.domain.order import Contrast, Matching, Order, OrderContrast
from pkpd.domain.recommendation import (
    Comparison,
    ConstraintResult,
    Estimate,
    RankedSchedule,
    Recommendation,
    Role,
    Spread,
    Verdict,
)
from pkpd.domain.space import ConstraintSpec, Measure, ObjectiveSpec, RiskSpec
from pkpd.domain.wording import course_in_words
from pkpd.posterior import Posterior

CHAINS, DRAWS = 2, 200
ARMS = ("vehicle", "cetuximab", "palbociclib", "combination")
GROWTH_PER_ARM = {"vehicle": 0.11, "cetuximab": 0.07, "palbociclib": 0.05, "combination": 0.012}
# name -> unit, prior median, prior sd of the logarithm, posterior median, posterior sd of the logarithm
PARAMETERS = {
    "tumor.growth_rate": ("1/d", 0.08, 0.6, 0.11, 0.08),
    "tumor.initial_volume": ("mm^3", 150.0, 0.3, 172.0, 0.06),
    "tumor.arrest_max": ("1", 0.6, 0.4, 0.52, 0.15),
    "tumor.entry_rate": ("1/d", 0.12, 0.7, 0.10, 0.69),
    "tumor.hazard_exposed": ("1/d", 0.4, 0.8, 0.55, 0.45),
    "tumor.ligand_senescent": ("nmol/L", 1.2, 0.5, 1.21, 0.5),
    "palbociclib.clearance": ("L/h/kg", 2.1, 0.25, 2.12, 0.25),
    "cetuximab.clearance": ("L/h/kg", 0.0006, 0.3, 0.00058, 0.22),
}
GATE = {
    "passed": True,
    "checks": [
        {"name": "R-hat", "value": 1.004, "limit": 1.01, "passed": True, "worst": "tumor.hazard_exposed"},
        {"name": "bulk ESS", "value": 812.0, "limit": 400.0, "passed": True, "worst": "tumor.growth_rate.between"},
        {"name": "tail ESS", "value": 655.0, "limit": 400.0, "passed": True, "worst": "tumor.growth_rate"},
        {"name": "divergences", "value": 0.0, "limit": 0.0, "passed": True, "worst": ""},
        {"name": "E-BFMI", "value": 0.81, "limit": 0.3, "passed": True, "worst": "chain 1"},
        {"name": "Pareto k", "value": 0.62, "limit": 0.7, "passed": True, "worst": "vehicle-03 at 504 h"},
    ],
}
FAILED_GATE = {
    "passed": False,
    "checks": [{"name": "R-hat", "value": 1.23, "limit": 1.01, "passed": False, "worst": "tumor.entry_rate"}],
}
SOURCES = [
    {
        "key": "sun2014",
        "title": "Population pharmacokinetics of palbociclib",
        "locator": "doi:10.0000/example",
        "basis": "measured",
        "parameters": ["palbociclib.clearance"],
    },
    {
        "key": "judgement",
        "title": "Judgement of the authors",
        "locator": "",
        "basis": "assumed",
        "parameters": ["tumor.entry_rate", "tumor.ligand_senescent"],
    },
]


def attributes(gate: dict[str, object] | None = None) -> dict[str, object]:
    """Root attributes of a posterior that `pkpd fit` would write."""
    return {
        "schema": 1,
        "pkpd_version": "0.1.0",
        "seed": 7,
        "engine": "nutpie",
        "created": "2026-01-02",
        "inputs": json.dumps({"analysis.toml": "a" * 64, "study.csv": "b" * 64}),
        "analysis": json.dumps(
            {
                "name": "example",
                "disease": "colorectal_pdx",
                "combination": "senolysis",
                "growth": "gompertz",
                "drugs": ["cetuximab", "palbociclib"],
                "setting": "mouse",
                "assumptions": ["The doses are not published: 75 mg/kg palbociclib once daily is assumed."],
            }
        ),
        "gate": json.dumps(GATE if gate is None else gate),
        "sources": json.dumps(SOURCES),
    }


def _draws(generator: np.random.Generator, median: float, sd: float, unit: str) -> xr.DataArray:
    values = median * np.exp(sd * generator.standard_normal((CHAINS, DRAWS)))
    return xr.DataArray(values, dims=("chain", "draw"), attrs={"units": unit})


def study(generator: np.random.Generator, animals: int = 5, times: int = 9) -> xr.Dataset:
    """A study as `pkpd.domain.study.Study` describes it; its smallest volumes lie below the limit of the caliper."""
    arms = np.repeat(ARMS, animals)
    subject = np.asarray([f"{arm}-{index:02d}" for arm in ARMS for index in range(animals)])
    rate = np.asarray([GROWTH_PER_ARM[arm] for arm in arms]) + 0.012 * generator.standard_normal(arms.size)
    time_d = np.linspace(0.0, 24.0, times)
    volume = 170.0 * np.exp(rate[:, None] * time_d) * np.exp(0.12 * generator.standard_normal((arms.size, times)))
    volume[-1, -2:] = 9.0
    limit = 14.0
    observation = {
        "obs_subject": np.repeat(np.arange(arms.size), times),
        "obs_time_h": np.tile(24.0 * time_d, arms.size),
        "endpoint": np.full(arms.size * times, "tumor_volume"),
        "value": np.maximum(volume, limit).ravel(),
        "censored": (volume < limit).ravel().astype(np.int64),
        "lower_limit": np.full(arms.size * times, limit),
    }
    return xr.Dataset(
        {name: ("obs_id", values) for name, values in observation.items()}
        | {"arm": ("subject", arms), "weight_kg": ("subject", np.full(arms.size, 0.02))},
        coords={"subject": subject},
    )


def tree(seed: int = 1, gate: dict[str, object] | None = None) -> xr.DataTree:
    """A posterior as the fit writes it, with predictive draws and the study itself."""
    generator = np.random.default_rng(seed)
    prior = {name: _draws(generator, p[1], p[2], p[0]) for name, p in PARAMETERS.items()}
    posterior = {name: _draws(generator, p[3], p[4], p[0]) for name, p in PARAMETERS.items()}
    observed = study(generator)
    subjects = observed.sizes["subject"]
    spread = xr.DataArray(np.abs(generator.normal(0.2, 0.03, (CHAINS, DRAWS))), dims=("chain", "draw"))
    posterior["tumor.growth_rate.between"] = spread.assign_attrs(units="1")
    posterior["tumor_volume.residual"] = (0.6 * spread).assign_attrs(units="1")
    posterior["tumor.growth_rate.subject"] = xr.DataArray(
        0.11 * np.exp(0.2 * generator.standard_normal((CHAINS, DRAWS, subjects))),
        dims=("chain", "draw", "subject"),
        attrs={"units": "1/d"},
    )
    arm = observed["arm"].values[observed["obs_subject"].values]
    rate = np.asarray([GROWTH_PER_ARM[name] for name in arm])
    days = observed["obs_time_h"].values / 24.0
    lane = observed["obs_subject"].values
    wobble = 0.016 * generator.standard_normal((CHAINS, DRAWS, subjects))[..., lane]
    noise = 0.12 * generator.standard_normal((CHAINS, DRAWS, lane.size))
    predictive = 170.0 * np.exp((rate + wobble) * days + noise)
    predicted = xr.Dataset({"tumor_volume": (("chain", "draw", "obs_id"), predictive, {"units": "mm^3"})})
    result = xr.DataTree.from_dict(
        {
            "/posterior": xr.Dataset(posterior),
            "/prior": xr.Dataset(prior),
            "/posterior_predictive": predicted,
            "/observed_data": observed[["value", "censored"]],
            "/constant_data": observed,
            "/sample_stats": xr.Dataset({"diverging": (("chain", "draw"), np.zeros((CHAINS, DRAWS), dtype=bool))}),
        }
    )
    result.attrs = attributes(gate)
    return result


def _course(drug: str, value: float, basis: AmountBasis, every_d: int, **options: object) -> Course:
    route = Route.ORAL if drug == "palbociclib" else Route.INTRAVENOUS
    amount = Amount(value=value, basis=basis)
    return Course(drug=drug, amount=amount, route=route, every_min=every_d * DAY, **options)  # type: ignore[arg-type]


def schedules() -> dict[str, Schedule]:
    """The label schedules and a lead-in, by role and name."""
    tablets = _course("palbociclib", 125.0, AmountBasis.ABSOLUTE, 1, on_min=21 * DAY, off_min=7 * DAY)
    light = _course("palbociclib", 100.0, AmountBasis.ABSOLUTE, 1, on_min=14 * DAY, off_min=14 * DAY)
    infusion = {"duration_min": 60, "loading_duration_min": 120}
    loading = Amount(value=400.0, basis=AmountBasis.BODY_SURFACE)
    weekly = _course("cetuximab", 250.0, AmountBasis.BODY_SURFACE, 7, loading=loading, **infusion)
    later = _course("cetuximab", 250.0, AmountBasis.BODY_SURFACE, 7, start_min=14 * DAY, loading=loading, **infusion)
    named = {
        "best": ("palbociclib 125 mg, cetuximab from day 15", (tablets, later)),
        "second": ("palbociclib 100 mg 14/14, cetuximab from day 15", (light, later)),
        "label": ("label doses, both from day 1", (tablets, weekly)),
        "palbociclib-alone": ("palbociclib 3/1 alone", (tablets,)),
        "cetuximab-alone": ("cetuximab weekly alone", (weekly,)),
    }
    return {
        name: Schedule(name=name, title=title, horizon_min=84 * DAY, courses=courses)
        for name, (title, courses) in named.items()
    }


NEUTROPENIA = ConstraintSpec(endpoint="neutrophils", statistic="minimum", below=0.5, unit="1e9/L", max_probability=0.10)


def _ranked(
    schedule: Schedule, role: Role, *, rank: int | None, value: float, difference: float, violations: int
) -> RankedSchedule:
    against = tuple(
        Comparison(
            other=other,
            difference=Estimate(value=gain, standard_error=0.012),
            probability_better=0.71,
            probability_better_by_margin=0.66,
        )
        for other, gain in (("label", 0.08), ("palbociclib-alone", 0.21))
    )
    low, high = stats.beta.ppf((0.025, 0.975), violations + 0.5, 1000 - violations + 0.5)
    met = float(stats.beta.cdf(0.10, violations + 0.5, 1000 - violations + 0.5))
    constraint = ConstraintResult(
        constraint=NEUTROPENIA,
        violations=violations,
        draws=1000,
        probability=violations / 1000,
        lower=float(low),
        upper=float(high),
        confidence=met,
    )
    return RankedSchedule(
        role=role,
        rank=rank,
        schedule=schedule,
        words=tuple(course_in_words(course, schedule.horizon_min) for course in schedule.courses),
        doses={drug: len(schedule.doses_of(drug)) for drug in schedule.drugs},
        value=Estimate(value=value, standard_error=0.021),
        mean=Estimate(value=value + 0.3, standard_error=0.015),
        cvar=Estimate(value=value, standard_error=0.021),
        search_value=None if role is Role.REFERENCE else value + 0.01,
        difference=Estimate(value=difference, standard_error=0.004 if difference else 0.0),
        tied=difference > -0.01,
        probability_best=max(0.5 + 4 * difference, 0.02),
        probability_within_margin=max(0.7 + 4 * difference, 0.05),
        expected_regret=Estimate(value=0.02 - difference, standard_error=0.003),
        constraints=(constraint,),
        against=against,
        outcomes={"tumor_final": Spread(median=0.62 - difference, lower=0.21, upper=1.9)},
    )


def _contrasts() -> tuple[Contrast, ...]:
    def one(statistic: str, matching: Matching, second: Order, median: float, half: float) -> Contrast:
        return Contrast(
            statistic=statistic,
            matching=matching,
            first=Order.INDUCER_FIRST,
            second=second,
            median=median,
            lower=median - half,
            upper=median + half,
            probability_first_better=float(stats.norm.cdf(-median / half * 1.645)),
        )

    return (
        one("final volume", Matching.MATCHED, Order.PARTNER_FIRST, -0.31, 0.22),
        one("final volume", Matching.RAW, Order.PARTNER_FIRST, -0.12, 0.30),
        one("final volume", Matching.ATTRIBUTABLE, Order.PARTNER_FIRST, -0.18, 0.24),
        one("final volume", Matching.MATCHED, Order.CONCURRENT, -0.06, 0.15),
        one("minimum volume", Matching.MATCHED, Order.PARTNER_FIRST, -0.22, 0.25),
    )


def recommendation(verdict: Verdict = Verdict.EQUIVALENT) -> Recommendation:
    """A search that found two schedules which cannot be told apart; `INFEASIBLE` leaves only the nearest miss."""
    named = schedules()
    infeasible = verdict is Verdict.INFEASIBLE
    violations = 180 if infeasible else 61
    best = _ranked(named["best"], Role.CANDIDATE, rank=1, value=0.412, difference=0.0, violations=violations)
    second = _ranked(named["second"], Role.CANDIDATE, rank=2, value=0.408, difference=-0.004, violations=18)
    references = tuple(
        _ranked(named[name], Role.REFERENCE, rank=None, value=0.412 + gap, difference=gap, violations=bad)
        for name, gap, bad in (("label", -0.08, 64), ("palbociclib-alone", -0.21, 61), ("cetuximab-alone", -0.33, 0))
    )
    return Recommendation(
        schema=1,
        pkpd_version="0.1.0",
        seed=11,
        space="lead-in-28d",
        horizon_min=84 * DAY,
        inputs={"posterior.nc": "c" * 64, "lead-in-28d.toml": "d" * 64},
        objective=ObjectiveSpec(name="tumor_burden", risk=RiskSpec(measure=Measure.CVAR, tail=0.2)),
        constraints=(NEUTROPENIA,),
        equivalence_margin=0.01,
        required_probability=0.8,
        draws_search=256,
        draws_fresh=1000,
        schedules_scored=5184,
        schedules_feasible=0 if infeasible else 3120,
        schedules_tied=14,
        verdict=verdict,
        reasons=("2 schedules differ by less than the margin of 0.01", "the lightest of them gives 54 doses"),
        best=None if infeasible else "best",
        equivalent=() if infeasible else ("best", "second"),
        lightest=None if infeasible else "second",
        ranking=() if infeasible else (best, second),
        references=references,
        controls=(),
        nearest_miss=best if infeasible else None,
        order=OrderContrast(
            inducer="palbociclib",
            partner="cetuximab",
            block_min=14 * DAY,
            draws=1000,
            arms={"inducer first": named["best"]},
            contrasts=_contrasts(),
        ),
        numerical_error=4e-5,
        assumptions=("Translation from mouse to patient: factor 1 with a log-sd of 0.5.",),
        sources=("sun2014", "judgement"),
    )


def trajectories(schedule: Schedule, seed: int = 3, draws: int = 60, every_h: float = 8.0) -> xr.Dataset:
    """Courses that look like a simulation of the schedule: superposed decays, and a tumor that follows them."""
    generator = np.random.default_rng(seed)
    time_h = np.arange(0.0, schedule.horizon_min / 60.0 + every_h / 2, every_h)
    variables = {}
    for drug, volume, half_life_h in (("palbociclib", 2500.0, 27.0), ("cetuximab", 4.5, 110.0)):
        plasma = np.zeros((time_h.size, draws))
        rate = np.log(2) / half_life_h * np.exp(0.25 * generator.standard_normal(draws))
        for dose in schedule.doses_of(drug):
            after = np.clip(time_h - dose.time_min / 60.0, 0.0, None)[:, None]
            milligrams = float(dose.amount.milligrams(weight_kg=70.0, surface_m2=1.8))
            plasma += (after > 0.0) * milligrams / volume * np.exp(-rate * after)
        variables[f"plasma_{drug}"] = (("time_h", "draw"), plasma, {"units": "mg/L"})
    inhibition = variables["plasma_palbociclib"][1] / (variables["plasma_palbociclib"][1] + 0.05)
    occupancy = variables["plasma_cetuximab"][1] / (variables["plasma_cetuximab"][1] + 5.0)
    net = 0.02 + 0.006 * generator.standard_normal(draws) - 0.022 * inhibition - 0.012 * inhibition * occupancy
    tumor = 900.0 * np.exp(np.cumsum(net * every_h / 24.0, axis=0))
    neutrophils = 4.2 * np.exp(0.3 * generator.standard_normal(draws)) * (1.0 - 0.72 * inhibition)
    variables |= {
        "tumor_volume": (("time_h", "draw"), tumor, {"units": "mm^3"}),
        "neutrophils": (("time_h", "draw"), neutrophils, {"units": "1e9/L"}),
        "occupancy": (("time_h", "draw"), occupancy, {"units": "1"}),
        "rb_activation": (("time_h", "draw"), inhibition, {"units": "1"}),
    }
    result = xr.Dataset(variables, coords={"time_h": time_h})
    return result.assign_attrs(schedule=schedule.name, title=schedule.title)


def write_run(folder: Path, *, optimized: bool = True, gate: dict[str, object] | None = None) -> Path:
    """A run folder: always a fit, and with `optimized` a recommendation, simulations and a sensitivity run."""
    folder.mkdir(parents=True, exist_ok=True)
    Posterior(tree=tree(gate=gate)).save(folder / "posterior.nc")
    if not optimized:
        return folder
    (folder / "optimize").mkdir()
    recommendation().save(folder / "optimize" / "recommendation.json")
    (folder / "simulate").mkdir()
    for name, schedule in schedules().items():
        trajectories(schedule).to_netcdf(folder / "simulate" / f"{name}.nc", engine="h5netcdf")
    (folder / "sensitivity").mkdir()
    scenario = {
        "name": "palbociclib halved",
        "dose_factors": {"palbociclib": 0.5},
        "parameters": {
            "tumor.arrest_max": {"median": 0.71, "lower": 0.5, "upper": 0.94, "unit": "1"},
            "tumor.growth_rate": {"median": 0.11, "lower": 0.09, "upper": 0.13, "unit": "1/d"},
        },
        "coverage": {"vehicle": 0.95, "combination": 0.9},
    }
    (folder / "sensitivity" / "palbociclib-halved.json").write_text(json.dumps(scenario), encoding="utf-8")
    return folder
