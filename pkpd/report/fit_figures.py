"""Figures of the fit: observed against predicted values per arm, and what the data added to the priors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy import stats

from pkpd.posterior import Posterior
from pkpd.report import drawing
from pkpd.report.drawing import Drawing
from pkpd.report.left_out import weighted_quantiles, weights_without

NOT_INFORMED = 0.1  # contraction below this is within what 400 effective draws scatter
QUANTILES = (0.05, 0.95)
MOST_WEIGHTS = 8_000_000  # draws times observations: beyond, weighting each observation takes minutes
ALL_ENDPOINTS = "observation"  # the log-likelihood of a fit of several endpoints
LONGEST_IN_HOURS = 14 * 24.0  # a study that lasts longer is drawn in days
HOURS = {"h": 1.0, "d": 24.0}
MOST_TIMES = 24  # at which a band is drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFit:
    """One arm: how many of its observed values lie inside their 90 % predictive interval.

    Attributes
    ----------
    observed
        Uncensored observations.
    inside
        Those inside an interval predicted from all other observations; None where the file does not keep what that needs.
    inside_seen
        Those inside an interval whose draws have seen them: more, the more parameters an animal has of its own.
    censored
        Observations below the limit; they have no value to compare.
    """

    arm: str
    observed: int
    inside: int | None
    inside_seen: int
    censored: int

    @property
    def counted(self) -> int:
        """Inside: predicted from the others where that is known."""
        return self.inside_seen if self.inside is None else self.inside

    @property
    def coverage(self) -> float:
        """Share inside, predicted from the others where that is known; NaN without observations."""
        return self.counted / self.observed if self.observed else math.nan

    @property
    def coverage_seen(self) -> float:
        """Share inside an interval that has seen the value; NaN without observations."""
        return self.inside_seen / self.observed if self.observed else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictive:
    """Observations of one endpoint beside their predictive draws.

    Attributes
    ----------
    table
        Variables by `obs_id`: `arm`, `subject`, `time` (in `clock`), `value`, `censored`, `limit`.
    draws
        Array [sample, obs_id].
    weights
        Weights of the draws without the observation, of the same shape; None where the file keeps no log-likelihood.
    """

    endpoint: str
    unit: str
    clock: str
    table: xr.Dataset
    draws: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms in the order of the study."""
        return tuple(dict.fromkeys(str(arm) for arm in self.table["arm"].values))


def predictive(posterior: Posterior, endpoint: str = "tumor_volume") -> Predictive | None:
    """Pair observations with predictions; None where the file holds no observations (`--no-observed`)."""
    needed = {"obs_subject", "obs_time_h", "endpoint", "value", "censored", "arm"}
    if not (posterior.has_group("posterior_predictive") and posterior.has_group("constant_data")):
        return None
    study = posterior.group("constant_data")
    if not needed <= set(study.variables) or endpoint not in posterior.group("posterior_predictive"):
        return None
    draws = posterior.values(endpoint, "posterior_predictive")
    of_endpoint = study["endpoint"].values.astype(str) == endpoint
    if draws.shape[1] == of_endpoint.size:
        draws = draws[:, of_endpoint]
    subject = study["obs_subject"].values[of_endpoint].astype(int)
    clock = "d" if study["obs_time_h"].values.max() > LONGEST_IN_HOURS else "h"
    columns = {
        "arm": study["arm"].values.astype(str)[subject],
        "subject": subject,
        "time": study["obs_time_h"].values[of_endpoint] / HOURS[clock],
        "value": study["value"].values[of_endpoint].astype(float),
        "censored": study["censored"].values[of_endpoint].astype(bool),
    }
    table = xr.Dataset({name: ("obs_id", values) for name, values in columns.items()})
    unit = str(posterior.group("posterior_predictive")[endpoint].attrs.get("units", ""))
    return Predictive(
        endpoint=endpoint,
        unit=unit,
        clock=clock,
        table=table,
        draws=draws,
        weights=_weights(posterior, endpoint, of_endpoint, draws.shape),
    )


def _weights(
    posterior: Posterior, endpoint: str, of_endpoint: NDArray[np.bool_], shape: tuple[int, ...]
) -> NDArray[np.float64] | None:
    if not posterior.has_group("log_likelihood") or math.prod(shape) > MOST_WEIGHTS:
        return None
    kept = posterior.group("log_likelihood")
    name = endpoint if endpoint in kept else ALL_ENDPOINTS
    if name not in kept:
        return None
    pointwise = posterior.values(name, "log_likelihood")
    if name == ALL_ENDPOINTS and pointwise.shape[1] == of_endpoint.size:
        pointwise = pointwise[:, of_endpoint]
    return weights_without(pointwise) if pointwise.shape == shape else None


def coverage(shown: Predictive) -> tuple[ArmFit, ...]:
    """Share of observed values inside their 90 % predictive interval, by arm."""
    value, censored = shown.table["value"].values, shown.table["censored"].values
    arm = shown.table["arm"].values

    def within(interval: NDArray[np.float64]) -> NDArray[np.bool_]:
        return (value >= interval[0]) & (value <= interval[1]) & ~censored

    seen = within(np.quantile(shown.draws, QUANTILES, axis=0))
    left_out = None if shown.weights is None else within(weighted_quantiles(shown.draws, shown.weights, QUANTILES))
    return tuple(
        ArmFit(
            arm=name,
            observed=int((~censored & (arm == name)).sum()),
            inside=None if left_out is None else int((left_out & (arm == name)).sum()),
            inside_seen=int((seen & (arm == name)).sum()),
            censored=int((censored & (arm == name)).sum()),
        )
        for name in shown.arms
    )


def observed_figure(shown: Predictive) -> Drawing:
    """Every animal over the predictive band of its arm, on a logarithmic axis."""
    fits = coverage(shown)
    columns = len(fits) if len(fits) in (1, 3) else min(4, max(2, math.ceil(math.sqrt(len(fits)))))
    rows = math.ceil(len(fits) / columns)
    with drawing.figure(2.7 * rows + 0.3) as figure:
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, fit in zip(grid.flat, fits, strict=False):
            _draw_arm(axes, shown, fit)
        for axes in grid.flat[len(fits) :]:
            axes.set_visible(False)
        positive = shown.table["value"].values[shown.table["value"].values > 0.0]
        grid.flat[0].set_ylim(0.45 * positive.min(), 2.2 * positive.max())
        for axes in grid[:, 0]:
            axes.set_ylabel(f"{_words(shown.endpoint)} [{_unit(shown.unit)}]")
        for column in range(columns):
            lowest = max(row for row in range(rows) if row * columns + column < len(fits))
            grid[lowest, column].set_xlabel(f"time [{shown.clock}]")
            grid[lowest, column].tick_params(labelbottom=True)
        return drawing.finish(
            figure,
            name=f"observed-{shown.endpoint}",
            title="Observed against predicted, by arm",
            reading=_observed_reading(fits),
        )


def _draw_arm(axes: Axes, shown: Predictive, fit: ArmFit) -> None:
    in_arm = shown.table["arm"].values == fit.arm
    table, draws = shown.table.isel(obs_id=in_arm), shown.draws[:, in_arm]
    times, group = _pooled_times(table["time"].values)
    pooled = [draws[:, group == index].ravel() for index in range(times.size)]
    summary = np.asarray([np.quantile(values, (0.05, 0.5, 0.95)) for values in pooled]).T
    band = drawing.Band(low=summary[0], median=summary[1], high=summary[2])
    drawing.draw_band(axes, times, band, color=drawing.BLUE)
    for subject in np.unique(table["subject"].values):
        mine = table.isel(obs_id=table["subject"].values == subject).sortby("time")
        known = mine.isel(obs_id=~mine["censored"].values)
        below = mine.isel(obs_id=mine["censored"].values)
        axes.plot(mine["time"], mine["value"], color=drawing.INK, linewidth=0.5, alpha=0.35)
        axes.plot(known["time"], known["value"], "o", color=drawing.INK, markersize=2.2, alpha=0.7)
        axes.plot(below["time"], below["value"], "v", color=drawing.VERMILION, markersize=5, fillstyle="none")
    drawing.logarithmic(axes)
    axes.set_title(drawing.wrapped(fit.arm, 34))
    note = f"{fit.counted} of {fit.observed} inside ({100 * fit.coverage:.0f} %)" if fit.observed else "none observed"
    note += f"\n{fit.censored} below the limit (\N{WHITE DOWN-POINTING TRIANGLE})" if fit.censored else ""
    axes.text(0.03, 0.97, note, transform=axes.transAxes, va="top", fontsize=8)


def _pooled_times(times: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Times at which the band is drawn, and which of them each observation counts to.

    Subjects seen at the same times share them; where everybody has times of its own, neighbors are put together, equally many each.
    """
    unique, group = np.unique(times, return_inverse=True)
    if unique.size <= MOST_TIMES:
        return unique, group
    edges = np.unique(np.quantile(times, np.linspace(0.0, 1.0, MOST_TIMES + 1)))
    group = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, edges.size - 2)
    present, group = np.unique(group, return_inverse=True)
    return np.asarray([times[group == index].mean() for index in range(present.size)]), group


def _observed_reading(fits: Sequence[ArmFit]) -> str:
    observed, inside = sum(fit.observed for fit in fits), sum(fit.counted for fit in fits)
    if not observed:
        return "No uncensored value was observed."
    shares = [fit for fit in fits if fit.observed]
    low, high = min(shares, key=lambda fit: fit.coverage), max(shares, key=lambda fit: fit.coverage)
    left_out = all(fit.inside is not None for fit in fits)
    whose = "the 90 % interval that all other values predict for them" if left_out else "their 90 % interval"
    text = f"{inside} of {observed} observed values ({100 * inside / observed:.0f} %) lie inside {whose}"
    if len(shares) > 1:
        text += f"; by arm from {100 * low.coverage:.0f} % ({low.arm}) to {100 * high.coverage:.0f} % ({high.arm})"
    off = [fit.arm for fit in shares if not 0.85 <= fit.coverage <= 0.97]
    text += f". Outside the 85-97 % that is expected: {', '.join(off)}." if off else ", as expected of a 90 % band."
    if left_out:
        seen = sum(fit.inside_seen for fit in fits)
        text += f" Intervals that have seen the value hold {seen} of {observed} ({100 * seen / observed:.0f} %)."
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What the data added to one prior.

    Attributes
    ----------
    prior, posterior
        5, 50 and 95 % quantiles in `unit`.
    contraction
        `1 - var(posterior) / var(prior)` on the unconstrained scale; 0: the data say nothing, 1: all.
    """

    name: str
    unit: str
    prior: tuple[float, float, float]
    posterior: tuple[float, float, float]
    contraction: float

    @property
    def informed(self) -> bool:
        """Whether the data narrowed the prior by more than chance."""
        return self.contraction >= NOT_INFORMED


def unconstrained(values: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    """Map values to the scale on which the sampler moves."""
    match scale:
        case "log":
            return np.log(values)
        case "logit":
            return np.log(values) - np.log1p(-values)
        case _:
            return values


def scale_of(posterior: Posterior, name: str) -> str:
    """Return `log`, `logit` or `linear`: the attribute `scale` of the variable, else by the sign of its draws."""
    written = str(posterior.group("posterior")[name].attrs.get("scale", ""))
    known = {"log": "log", "lognormal": "log", "halfnormal": "log", "logit": "logit", "logitnormal": "logit"}
    known |= {"beta": "logit", "linear": "linear", "normal": "linear"}
    if written in known:
        return known[written]
    both = (posterior.values(name), posterior.values(name, "prior"))
    return "log" if all((values > 0.0).all() for values in both) else "linear"


def learned(posterior: Posterior) -> tuple[Learned, ...]:
    """Prior against posterior of every number that was estimated, most informed first; fixed numbers are left out."""
    if not posterior.has_group("prior"):
        return ()
    priors = posterior.group("prior")
    rows: list[Learned] = []
    for name in posterior.names:
        if name not in priors or posterior.group("posterior")[name].ndim != 2:
            continue
        scale = scale_of(posterior, name)
        before, after = posterior.values(name, "prior"), posterior.values(name)
        if np.ptp(before) == 0.0:
            continue
        wide = float(np.var(unconstrained(before, scale)))
        narrow = float(np.var(unconstrained(after, scale)))
        rows.append(
            Learned(
                name=name,
                unit=posterior.units(name),
                prior=_quantiles(before),
                posterior=_quantiles(after),
                contraction=1.0 - narrow / wide,
            )
        )
    return tuple(sorted(rows, key=lambda row: -row.contraction))


def _quantiles(values: NDArray[np.float64]) -> tuple[float, float, float]:
    low, median, high = np.quantile(values, (0.05, 0.5, 0.95))
    return float(low), float(median), float(high)


def learned_figure(posterior: Posterior, rows: Sequence[Learned]) -> Drawing:
    """Prior and posterior densities of each parameter on its unconstrained scale."""
    columns = 4
    lines = math.ceil(len(rows) / columns)
    with drawing.figure(1.28 * lines + 0.35) as figure:
        grid = figure.subplots(lines, columns, squeeze=False)
        for index, (axes, row) in enumerate(zip(grid.flat, rows, strict=False)):
            _draw_densities(axes, posterior, row, first=index == 0)
        for axes in grid.flat[len(rows) :]:
            axes.set_visible(False)
        return drawing.finish(figure, name="learned", title="Prior against posterior", reading=_learned_reading(rows))


def _draw_densities(axes: Axes, posterior: Posterior, row: Learned, *, first: bool) -> None:
    scale = scale_of(posterior, row.name)
    before = unconstrained(posterior.values(row.name, "prior"), scale)
    after = unconstrained(posterior.values(row.name), scale)
    color = drawing.BLUE if row.informed else drawing.GRAY
    start, end = np.quantile(np.concatenate([before, after]), (0.002, 0.998))
    x = np.linspace(start, end, 160)
    for values, shade, alpha, word in ((before, drawing.GRAY, 0.28, "prior"), (after, color, 0.45, "posterior")):
        if np.ptp(values) > 0.0:
            density = stats.gaussian_kde(values)(x)
            height = density / density.max()
            axes.fill_between(x, height, color=shade, alpha=alpha, linewidth=0)
            axes.plot(x, height, color=shade, linewidth=1.2)
            if first:
                at = int(np.argmax(height > 0.45))
                axes.text(x[at], 0.47, f"{word} ", color=shade, fontsize=8, ha="right", va="bottom")
    axes.set_title(row.name, fontsize=8)
    label = "contraction " if first else ""
    axes.text(
        1.0,
        0.98,
        f"{label}{max(row.contraction, -9.99):.2f}",
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=8,
        color=color if row.informed else drawing.INK,
    )
    axes.set_ylim(0.0, 1.18)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlim(x[0], x[-1])
    places = x[0] + np.asarray([0.14, 0.5, 0.86]) * (x[-1] - x[0])
    axes.set_xticks(places, [_short(_constrained(place, scale)) for place in places])
    axes.set_xlabel(f"[{_unit(row.unit)}]" if row.unit not in ("", "1") else "", fontsize=7.5, labelpad=1)


def _constrained(value: float, scale: str) -> float:
    match scale:
        case "log":
            return math.exp(value)
        case "logit":
            return 1.0 / (1.0 + math.exp(-value))
        case _:
            return value


def _learned_reading(rows: Sequence[Learned]) -> str:
    silent = [row.name for row in rows if not row.informed]
    best = rows[0]
    text = (
        f"The data narrow {len(rows) - len(silent)} of {len(rows)} numbers; most of all {best.name} "
        f"(contraction {best.contraction:.2f}: {_sig(best.posterior[1])} {_unit(best.unit)}, "
        f"90 % interval {_sig(best.posterior[0])} to {_sig(best.posterior[2])})."
    )
    if silent:
        text += f" Not informed (contraction below {NOT_INFORMED:g}, the prior speaks): {', '.join(silent)}."
    return text


def _short(value: float) -> str:
    """Two digits, and a power of ten only where it saves room."""
    return f"{value:.0f}" if 10.0 <= abs(value) < 1e4 else f"{value:.2g}"


def _sig(value: float) -> str:
    return f"{value:.3g}"


def _unit(unit: str) -> str:
    return unit.replace("^3", "\N{SUPERSCRIPT THREE}").replace("^2", "\N{SUPERSCRIPT TWO}")


def _words(name: str) -> str:
    return name.replace("_", " ")
