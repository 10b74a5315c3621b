"""The page of the benchmarks, from results."""

from __future__ import annotations

from collections.abc import Callable, Iterable

type Result = dict[str, object]
WANTED_ERROR = 1e-4


def page(found: list[Result]) -> str:
    """Markdown: targets first, then every figure."""
    loads = [float(each["load"]) for each in found if each.get("load") is not None]  # pyright: ignore
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `python -m uv run nox -s bench`; raw figures in `results.json`. Both sides ran in this one run on a machine of two "
            f"cores that others used too (load while it ran: {min(loads, default=0):.1f} to {max(loads, default=0):.1f}).",
            "",
            "| target | figure | met |",
            "| --- | --- | --- |",
            *(f"| {what} | {figure} | {'yes' if met else 'no'} |" for what, figure, met in targets(found)),
            "",
            "## W2: 16 states, 84 days, daily output",
            "",
            "Error: largest relative error of tumor and neutrophils over all days of a draw against a 1e-11 solution of the same run: worst, "
            "99 % and median of the held-out draws (40 for CVODE, 200 for diffrax, 1,800 otherwise). A peer's tolerance is tightened until its worst "
            f"draw is within {WANTED_ERROR:g}.",
            "",
            "| engine | setting | cores | trajectories/s | error | compile s |",
            "| --- | --- | --- | --- | --- | --- |",
            *(row(each) for each in found if each["part"] == "w2"),
            "",
            "## The rest",
            "",
            *(f"- {each['engine']}: {plain(each)}" for each in found if each["part"] != "w2"),
            "",
        ]
    )


def targets(found: list[Result]) -> Iterable[tuple[str, str, bool]]:
    """What was asked for, what was found, and whether that is enough."""
    ours = {cores: best(found, lambda r, c=cores: r["engine"] == "pkpd" and r["cores"] == c) for cores in (1, 2)}
    for cores, wanted in ((1, 25_000), (2, 45_000)):
        if ours[cores]:
            yield (
                f"W2 on {cores} core(s): {wanted:,} trajectories/s, error within 1e-4",
                f"{ours[cores]:,.0f}",
                ours[cores] >= wanted,
            )
        theirs = best(found, lambda r, c=cores: r["engine"] == "numbalsoda DOP853" and r["cores"] == c)
        if ours[cores] and theirs:
            times = ours[cores] / theirs
            yield f"20 times DOP853 at matched accuracy, {cores} core(s)", f"{times:.1f} times", times >= 20
    gradients = [each for each in found if each["part"] == "gradient"]
    if gradients:
        fast = min(float(each["milliseconds"]) for each in gradients)  # pyright: ignore
        steps = gradients[0]["steps"]
        yield f"gradient, 48 mice x 28 days: 4 ms ({steps} verified steps)", f"{fast:.1f} ms", fast <= 4
        yield "compile cold: 12 s", f"{gradients[0]['compile_s']:.1f} s", float(gradients[0]["compile_s"]) <= 12  # pyright: ignore
    if len(gradients) > 1:
        warm = float(gradients[1]["compile_s"])  # pyright: ignore
        yield "compile from the cache: 1 s", f"{warm:.1f} s", warm <= 1
    for each in found:
        if each["part"] == "command line":
            wanted, seconds = {"pkpd help": 0.5, "pkpd check": 3.0}[str(each["engine"])], float(each["seconds"])  # pyright: ignore
            yield f"{each['engine']}: {wanted:g} s", f"{seconds:.2f} s", seconds <= wanted
        if each["part"] == "search" and each["engine"] == "cold":
            seconds = 1e4 * 256 / float(each["per_second"])  # pyright: ignore
            yield (
                "10^4 schedules x 256 draws x 84 d: 90 s on two cores",
                f"{seconds:.0f} s at the measured rate",
                seconds <= 90,
            )


def best(found: list[Result], which: Callable[[Result], bool]) -> float:
    """Trajectories per second of the fastest run that is accurate enough; 0 where there is none."""
    accurate = [
        float(each["per_second"])  # pyright: ignore
        for each in found
        if each["part"] == "w2" and which(each) and each["error"]["max"] <= WANTED_ERROR  # pyright: ignore
    ]
    return max(accurate, default=0.0)


def row(each: Result) -> str:
    """One engine at one setting."""
    error: dict[str, float] = each["error"]  # pyright: ignore
    compiled = each["compile_s"]
    return (
        f"| {each['engine']} | {each['setting']} | {each['cores']} | {each['per_second']:,.0f} | {error['max']:.1e} / {error['q99']:.1e} / "
        f"{error['median']:.1e} | {'' if compiled is None else f'{compiled:.1f}'} |"
    )


def plain(each: Result) -> str:
    """Figures as words."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in each.items()
        if name not in ("engine", "load")
    )
