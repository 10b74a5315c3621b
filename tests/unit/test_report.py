"""A report opens without a network, shows what the files hold, and says what is missing."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fake_run import ARMS, FAILED_GATE, PARAMETERS, recommendation, schedules, trajectories, tree, write_run

from pkpd.domain.dosing import Schedule
from pkpd.domain.order import Matching
from pkpd.domain.recommendation import Recommendation, Verdict
from pkpd.errors import DataError, PkpdError
from pkpd.posterior import Posterior
from pkpd.report import RunFolder, fit_figures, read_run, render, write_report
from pkpd.report.calendar_figure import calendar_figure
from pkpd.report.left_out import weighted_quantiles, weights_without
from pkpd.report.order_figure import order_figure
from pkpd.report.simulated_figures import exposure_figure, outcome_figures
from pkpd.report.trajectories import Trajectories, read_trajectories


class Page(HTMLParser):
    """Elements, the addresses that they load, the links to elsewhere, and the text outside of style."""

    def __init__(self, text: str) -> None:
        HTMLParser.__init__(self)
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.fragments: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "xlink:href") and value.startswith("#"):
                self.fragments.append(value[1:])
            elif name in ("src", "srcset", "data", "action") or (name.endswith("href") and tag != "a"):
                self.loaded.append(value)

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "full")


@pytest.fixture(scope="module")
def report(run_folder):
    return render(read_run(run_folder))


@pytest.fixture(scope="module")
def fit_only(tmp_path_factory):
    return render(read_run(write_run(tmp_path_factory.mktemp("runs") / "fit", optimized=False)))


def shown(schedule: Schedule, data: xr.Dataset | None = None) -> Trajectories:
    return Trajectories(
        schedule=schedule.name, title=schedule.title, data=trajectories(schedule) if data is None else data
    )


def bare_run() -> RunFolder:
    """Draws alone: what a private fit without predictive draws leaves."""
    bare = tree()
    for group in ("prior", "constant_data", "posterior_predictive"):
        del bare[group]
    return RunFolder(path=Path("run"), posterior=Posterior(tree=bare))


def test_a_report_loads_nothing_and_runs_nothing(report):
    page = Page(report)

    assert page.loaded == []
    assert not {"script", "iframe", "link", "img", "object", "embed"} & set(page.tags)
    assert not re.search(r"@import|url\((?!#)", report)


def test_ids_are_unique_and_every_reference_has_a_target(report):
    page = Page(report)

    assert len(page.ids) == len(set(page.ids))
    assert set(page.fragments) <= set(page.ids)


def test_the_same_run_gives_the_same_bytes(run_folder, report):
    assert render(read_run(run_folder)) == report


def test_a_report_holds_every_figure_and_a_banner(report):
    page = Page(report)

    assert page.tags.count("svg") == 7
    assert "For research use only" in page.text
    assert page.text.count("This command would fill the section") == 0


def test_a_fit_alone_says_which_commands_would_fill_the_rest(fit_only):
    page = Page(fit_only)

    assert page.tags.count("svg") == 2
    assert "pkpd optimize" in page.text
    assert "pkpd simulate" in page.text


def test_the_numbers_of_the_recommendation_stand_in_the_report(report):
    text = Page(report).text

    assert "Recommend any of an equivalent set" in text
    assert "5184 schedules were scored on 256 simulated patients; 3120 meet the constraints" in text
    for ranked in (*recommendation().ranking, *recommendation().references):
        assert ranked.schedule.title in text
        assert f"{ranked.value.value:.3f}" in text
        assert f"{ranked.constraints[0].lower:.3f} to {ranked.constraints[0].upper:.3f}" in text


def test_assumptions_sources_and_hashes_stand_in_the_report(report):
    text = Page(report).text

    assert "The doses are not published: 75 mg/kg palbociclib once daily is assumed." in text
    assert "Translation from mouse to patient: factor 1 with a log-sd of 0.5." in text
    assert "Assumed numbers: a judgement, no measurement tumor.entry_rate tumor.ligand_senescent" in text
    assert "palbociclib × 0.5" in text
    assert "a" * 64 in text


def test_a_doi_becomes_a_link_and_other_text_does_not(report):
    assert 'href="https://doi.org/10.0000/example"' in report
    assert report.count('href="http') == 1


def test_a_failed_gate_is_said_before_anything_else(tmp_path):
    text = Page(render(read_run(write_run(tmp_path / "run", optimized=False, gate=FAILED_GATE)))).text

    assert text.index("The diagnostics gate failed") < text.index("What was asked")
    assert "The gate failed: R-hat (tumor.entry_rate). Nothing below may be relied on." in text


def test_markup_in_a_name_is_shown_and_not_obeyed():
    run = bare_run()
    evil = "<script>alert(1)</script> $x$"
    run.posterior.tree.attrs["analysis"] = json.dumps({"name": evil, "assumptions": [evil]})
    course = Trajectories(schedule="evil", title=evil, data=trajectories(schedules()["best"]))

    text = render(dataclasses.replace(run, trajectories=(course,)))

    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 3


def test_no_feasible_schedule_shows_the_nearest_miss_as_not_recommended():
    run = dataclasses.replace(bare_run(), recommendation=recommendation(Verdict.INFEASIBLE))

    text = Page(render(run)).text

    assert "Not recommended: the schedule that came closest to meeting the constraints" in text
    assert "No schedule meets the constraints." in text
    assert "0.180 ✗" in text


@pytest.mark.parametrize("verdict", [Verdict.DO_NOT_RECOMMEND, Verdict.NOT_DISTINGUISHABLE])
def test_a_verdict_against_is_never_headed_recommended(verdict):
    run = dataclasses.replace(bare_run(), recommendation=recommendation(verdict))

    text = Page(render(run)).text

    assert "Best of the search, but not recommended" in text
    assert "Recommended: " not in text


def test_a_posterior_that_changed_since_the_search_is_noticed(report):
    assert "is not the one that the search used" in Page(report).text


def test_the_default_place_of_the_report_is_inside_the_run_folder(tmp_path):
    folder = write_run(tmp_path / "run", optimized=False)

    path = write_report(folder)

    assert path == folder / "report" / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_folders_and_files_that_cannot_be_used_are_refused_by_name(tmp_path):
    folder = write_run(tmp_path / "run")
    (folder / "simulate" / "broken.nc").write_bytes(b"\x89HDF\r\n\x1a\n")
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(folder / "simulate" / "other.nc", engine="h5netcdf")

    with pytest.raises(DataError, match=r"no posterior\.nc"):
        write_report(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        write_report(tmp_path / "absent")
    with pytest.raises(DataError) as raised:
        write_report(folder)

    assert [finding.code for finding in raised.value.findings] == ["E_NOT_NETCDF", "E_DIMENSION"]


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_broken_sensitivity_file_is_refused(text, tmp_path):
    folder = write_run(tmp_path / "run", optimized=False)
    (folder / "sensitivity").mkdir()
    (folder / "sensitivity" / "half.json").write_text(text)

    with pytest.raises(DataError, match=r"half\.json"):
        write_report(folder)


def test_a_report_that_cannot_be_written_is_an_error(tmp_path):
    folder = write_run(tmp_path / "run", optimized=False)
    (tmp_path / "file").write_text("")

    with pytest.raises(PkpdError, match="could not be written"):
        write_report(folder, tmp_path / "file" / "report.html")


def test_coverage_counts_only_values_that_were_measured():
    values = np.asarray([1.0, 5.0, 9.0, 0.5])
    table = xr.Dataset(
        {
            "arm": ("obs_id", np.asarray(["a", "a", "b", "b"])),
            "subject": ("obs_id", [0, 0, 1, 1]),
            "time": ("obs_id", [0.0, 1.0, 0.0, 1.0]),
            "value": ("obs_id", values),
            "censored": ("obs_id", [False, False, False, True]),
        }
    )
    draws = np.linspace(0.0, 6.0, 101)[:, None] * np.ones(4)

    fits = fit_figures.coverage(
        fit_figures.Predictive(endpoint="tumor_volume", unit="mm^3", clock="d", table=table, draws=draws)
    )

    assert [(fit.arm, fit.observed, fit.inside_seen, fit.censored) for fit in fits] == [("a", 2, 2, 0), ("b", 1, 0, 1)]
    assert fits[1].coverage == 0.0


def test_an_observation_that_the_draws_have_fitted_is_predicted_less_well_by_the_others():
    rng = np.random.default_rng(0)
    location = rng.normal(1.0, 0.7, (4000, 1))  # posterior of the only observation, 2 under a normal prior of sd 1
    pointwise = -0.5 * (2.0 - location) ** 2

    weights = weights_without(pointwise)

    np.testing.assert_allclose(weights.sum(axis=0), 1.0)
    middle = weighted_quantiles(location, weights, (0.5,))[0, 0]
    assert abs(middle) < 0.25  # the prior, which has not seen it


def test_equal_weights_give_the_quantiles_of_the_draws():
    draws = np.random.default_rng(1).normal(size=(4001, 3))

    found = weighted_quantiles(draws, np.full(draws.shape, 1.0 / 4001), (0.05, 0.5, 0.95))

    np.testing.assert_allclose(found, np.quantile(draws, (0.05, 0.5, 0.95), axis=0), atol=2e-3)


def test_the_reading_names_the_arms_that_are_not_covered():
    posterior = Posterior(tree=tree())
    predictive = fit_figures.predictive(posterior)
    assert predictive is not None
    too_wide = dataclasses.replace(predictive, draws=np.concatenate([0.01 * predictive.draws, 9 * predictive.draws]))

    reading = fit_figures.observed_figure(too_wide).reading

    assert reading.startswith("178 of 178 observed values (100 %)")
    assert all(arm in reading for arm in ARMS)


def test_without_observations_and_without_prior_draws_the_report_says_so():
    page = Page(render(bare_run()))

    assert fit_figures.predictive(bare_run().posterior) is None
    assert "holds no observations" in page.text
    assert "holds no prior draws" in page.text


def test_contraction_is_the_share_of_variance_removed_on_the_unconstrained_scale():
    rows = {row.name: row for row in fit_figures.learned(Posterior(tree=tree(seed=5)))}

    for name, (_, _, prior_sd, _, posterior_sd) in PARAMETERS.items():
        ratio = (posterior_sd / prior_sd) ** 2
        assert rows[name].contraction == pytest.approx(1.0 - ratio, abs=0.35 * ratio)  # 400 draws: 3.5 standard errors


def test_parameters_that_the_data_do_not_inform_are_named():
    posterior = Posterior(tree=tree())
    rows = fit_figures.learned(posterior)

    reading = fit_figures.learned_figure(posterior, rows).reading

    silent = [row.name for row in rows if not row.informed]
    assert set(silent) >= {"palbociclib.clearance", "tumor.ligand_senescent"}
    assert reading.endswith(f"the prior speaks): {', '.join(silent)}.")


def test_a_number_that_is_fixed_by_its_prior_is_left_out():
    fixed = tree()
    for group in ("prior", "posterior"):
        fixed[group]["tumor.arrest_max"] = xr.full_like(fixed[group]["tumor.arrest_max"], 0.5)

    names = [row.name for row in fit_figures.learned(Posterior(tree=fixed))]

    assert "tumor.arrest_max" not in names
    assert len(names) == len(PARAMETERS) - 1


@pytest.mark.parametrize(
    ("written", "expected"),
    [("", "log"), ("lognormal", "log"), ("beta", "logit"), ("normal", "linear"), ("unheard of", "log")],
)
def test_the_scale_of_a_parameter_is_the_written_one_else_by_its_sign(written, expected):
    data = tree()
    data["posterior"]["tumor.arrest_max"].attrs["scale"] = written

    assert fit_figures.scale_of(Posterior(tree=data), "tumor.arrest_max") == expected


def test_a_number_with_both_signs_is_linear_and_the_logit_inverts_the_share():
    data = tree()
    data["posterior"]["tumor.arrest_max"][0, 0] = -1.0
    shares = np.asarray([0.1, 0.5, 0.9])

    assert fit_figures.scale_of(Posterior(tree=data), "tumor.arrest_max") == "linear"
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-fit_figures.unconstrained(shares, "logit"))), shares)


def test_the_tumor_reading_states_the_median_at_the_end():
    best = shown(schedules()["best"])

    tumor, neutrophils = outcome_figures([best, shown(schedules()["cetuximab-alone"])])

    end = np.median(best.draws("tumor_volume")[:, -1] / best.draws("tumor_volume")[:, 0])
    assert f"is {end:.2f} times its start" in tumor.reading
    assert "On day 84" in tumor.reading
    assert "0 % under cetuximab weekly alone" in neutrophils.reading


def test_the_neutrophil_reading_counts_patients_below_the_limit():
    data = trajectories(schedules()["best"])
    data["neutrophils"][:, : data.sizes["draw"] // 4] = 0.3

    _, neutrophils = outcome_figures([shown(schedules()["best"], data)])

    assert "25 % under palbociclib 125 mg" in neutrophils.reading


def test_the_exposure_figure_copes_with_a_drug_that_is_not_given_and_with_one_schedule():
    data = trajectories(schedules()["palbociclib-alone"]).drop_vars(["plasma_cetuximab", "occupancy"])
    alone = shown(schedules()["palbociclib-alone"], data)

    one = exposure_figure([alone])
    two = exposure_figure([alone, shown(schedules()["label"])])

    assert "cetuximab" not in one.reading
    assert "no cetuximab is given" in two.reading


def test_courses_are_read_in_the_order_of_the_ranking(run_folder):
    read = read_trajectories(run_folder / "simulate", ["label", "best"])

    assert [each.schedule for each in read[:2]] == ["label", "best"]
    assert read[0].drugs == ("cetuximab", "palbociclib")


def test_the_calendar_labels_every_day_with_a_dose_and_cuts_at_half_a_year():
    label = schedules()["label"]

    short = calendar_figure(label)
    long = calendar_figure(dataclasses.replace(label, horizon_min=400 * 1440))

    assert short.svg.count("125 mg") == len(label.doses_of("palbociclib"))
    assert short.svg.count("250 mg/m²") == len(label.doses_of("cetuximab")) - 1
    assert "Only the first 26 weeks are drawn" in long.reading
    assert "no drug is given" in calendar_figure(Schedule(name="none", horizon_min=7 * 1440, courses=())).reading


def test_the_order_figure_reads_the_matched_contrast_first():
    order = recommendation().order
    assert order is not None

    reading = order_figure(order).reading

    assert "by -0.31 (90 % interval -0.53 to -0.09, which excludes zero" in reading
    assert "Unmatched: -0.12" in reading
    assert "The part that needs senolysis: -0.18" in reading


def test_the_order_figure_without_a_matched_contrast_does_not_claim_one():
    order = recommendation().order
    assert order is not None
    raw = dataclasses.replace(order, contrasts=tuple(each for each in order.contrasts if each.matching is Matching.RAW))

    reading = order_figure(raw).reading

    assert "which includes zero)" in reading
    assert "subtracted" not in reading


def test_a_search_without_order_or_ties_says_so():
    best = recommendation()
    single = dataclasses.replace(best, order=None, equivalent=("best",), lightest=None)

    text = Page(render(dataclasses.replace(bare_run(), recommendation=single))).text

    assert "The space asks for no order contrast." in text
    assert "No other schedule ties with the first." in text


def test_the_recommendation_of_the_fixture_survives_its_file(run_folder):
    assert Recommendation.load(run_folder / "optimize" / "recommendation.json") == recommendation()


def test_reports_and_exports_load_no_model():
    program = "import sys, pkpd.report, pkpd.export; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert not {"jax", "equinox", "pymc", "pkpd.simulate", "pkpd.dynamics"} & set(loaded)
