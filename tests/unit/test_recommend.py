"""The search finds known answers, its numbers are honest, and its result survives a file."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from fake_simulation import (
    SAFE,
    FakePatients,
    cetuximab,
    infusions,
    milligrams,
    palbociclib,
    schedule,
    simulation,
    space,
)

from pkpd.domain.recommendation import Recommendation, Role, Verdict
from pkpd.domain.space import Measure, ObjectiveSpec, OrderSpec, RiskSpec
from pkpd.errors import DataError, ExitCode, PkpdError, SpecError
from pkpd.optimize.recommend import Provenance, recommend

SEARCH, FRESH = FakePatients(size=256, seed=1), FakePatients(size=1024, seed=2)
STARTS = (0, 14, 28)


def dose_effect(one, patients):
    """Every milligram and every infusion helps, more in some patients than in others."""
    z = patients.deviates("z")
    return 1.0 + 0.5 * patients.deviates("level") - (milligrams(one) * 1e-4 + infusions(one) * 0.04) * np.exp(0.2 * z)


def dose_toxicity(one, patients):
    """A quarter of the patients fall below 0.5 at full dose, almost none at 75 mg."""
    return 2.0 - 1.3 * milligrams(one) / 10500.0 * np.exp(0.2 * patients.deviates("w"))


def three_doses(**changes):
    defaults = {
        "palbociclib_courses": [palbociclib(mg) for mg in (75.0, 100.0, 125.0)],
        "cetuximab_courses": [cetuximab(start_d=start) for start in STARTS],
        "references": [schedule("palbociclib alone", palbociclib(75.0)), schedule("cetuximab alone", cetuximab())],
    }
    return space(**{**defaults, **changes})


def run(one_space=None, *, mean_log=dose_effect, neutrophils=dose_toxicity, **options):
    return recommend(
        SEARCH,
        FRESH,
        three_doses() if one_space is None else one_space,
        seed=7,
        evaluate=simulation(mean_log=mean_log, neutrophils=neutrophils),
        **options,
    )


def test_the_best_schedule_that_meets_the_constraint_wins():
    found = run()

    assert found.verdict is Verdict.RECOMMEND
    assert found.verdict.exit_code is ExitCode.OK
    best = found.best_schedule
    assert best is not None
    assert [course.amount.value for course in best.schedule.courses] == [100.0, 250.0]
    assert best.doses == {"cetuximab": 12, "palbociclib": 84}
    assert best.feasible
    assert found.schedules_scored == 9
    assert found.schedules_feasible == 6
    assert all(row.feasible for row in found.ranking)


def test_differences_are_paired_and_so_far_more_precise_than_the_values():
    found = run()

    second = found.ranking[1]
    assert second.difference.value < 0.0
    assert second.difference.standard_error < 0.1 * second.value.standard_error


def test_schedules_that_differ_by_less_than_the_margin_are_one_set_and_the_lightest_is_named():
    def only_palbociclib_and_any_cetuximab(one, patients):
        return patients.deviates("level") - milligrams(one) * 1e-4 - 0.5 * (infusions(one) > 0)

    found = run(mean_log=only_palbociclib_and_any_cetuximab)

    assert found.verdict is Verdict.EQUIVALENT
    assert found.verdict.exit_code is ExitCode.OK
    assert len(found.equivalent) == 3
    assert found.lightest is not None
    assert found[found.lightest].doses["cetuximab"] == 8
    assert found.schedules_tied == 3


def test_a_reference_that_does_as_well_ends_in_not_distinguishable():
    reference = schedule("as good", palbociclib(100.0), cetuximab())

    found = run(three_doses(references=[reference]))

    assert found.verdict is Verdict.NOT_DISTINGUISHABLE
    assert found.verdict.exit_code is ExitCode.ABSTAINED
    assert "as good" in found.reasons[0]


def test_a_reference_that_breaks_the_constraint_is_scored_but_is_no_rival():
    reference = schedule("too much", palbociclib(125.0), cetuximab())

    found = run(three_doses(references=[reference]))

    assert found.verdict is Verdict.RECOMMEND
    assert not found["too much"].feasible
    assert found["too much"].difference.value > 0.0
    assert any("too much" in reason for reason in found.reasons)


def test_a_drug_that_adds_nothing_is_not_recommended():
    found = run(mean_log=lambda one, patients: patients.deviates("level") - milligrams(one) * 1e-4)

    assert found.verdict is Verdict.DO_NOT_RECOMMEND
    assert found.verdict.exit_code is ExitCode.ABSTAINED
    assert any("without cetuximab" in reason for reason in found.reasons)
    assert {row.role for row in found.controls} == {Role.CONTROL}


def test_a_drug_that_helps_on_average_but_too_few_patients_is_not_recommended():
    def helps_one_in_three(one, patients):
        helped = patients.deviates("responds") > 0.43
        return patients.deviates("level") - milligrams(one) * 1e-4 - infusions(one) * 0.2 * helped

    found = run(mean_log=helps_one_in_three)

    assert found.verdict is Verdict.DO_NOT_RECOMMEND
    added = next(row for row in found.best_schedule.against if row.other.endswith("without cetuximab"))
    assert added.difference.value > 0.3
    assert added.probability_better_by_margin == pytest.approx(1 / 3, abs=0.05)


def test_without_a_feasible_schedule_the_nearest_miss_is_shown():
    found = run(neutrophils=lambda one, patients: 0.7 - milligrams(one) / 20000.0 + 0.1 * patients.deviates("w"))

    assert found.verdict is Verdict.INFEASIBLE
    assert found.verdict.exit_code is ExitCode.INFEASIBLE
    assert found.best is None
    assert found.ranking == ()
    miss = found.nearest_miss
    assert miss is not None
    assert milligrams(miss.schedule) == 75.0 * 84
    assert not miss.feasible
    assert miss.name in found.reasons[0]


def test_when_fresh_draws_refuse_every_finalist_the_safer_schedules_are_tried():
    def on_the_limit(one, patients):
        shares = {0: 0.0, 6300: 0.08, 8400: 0.085, 10500: 0.09 if patients.size == SEARCH.size else 0.12}
        return np.where(np.arange(patients.size) < shares[milligrams(one)] * patients.size, 0.4, 1.0)

    found = run(neutrophils=on_the_limit, top=1)

    assert found.best_schedule is not None
    assert milligrams(found.best_schedule.schedule) == 6300.0


def test_reported_numbers_are_free_of_the_winners_curse():
    def noise(one, patients):
        return patients.deviates(one.name)

    found = run(three_doses(palbociclib_courses=[palbociclib(75.0 + i) for i in range(60)]), mean_log=noise)

    best = found.best_schedule
    assert best is not None
    assert best.search_value > 0.1
    assert abs(best.value.value) < 3.0 * best.value.standard_error


def test_the_risk_measure_can_change_the_winner():
    def gamble(one, patients):
        chance = 0.2 + patients.deviates("z") if milligrams(one) > 8000.0 else 0.0
        return np.zeros(patients.size) - chance - 0.1 * infusions(one)

    averse = ObjectiveSpec(name="tumor_burden", risk=RiskSpec(measure=Measure.CVAR, tail=0.2))

    by_mean = run(mean_log=gamble)
    by_tail = run(replace(three_doses(), objective=averse), mean_log=gamble)

    assert milligrams(by_mean.best_schedule.schedule) == 8400.0
    assert milligrams(by_tail.best_schedule.schedule) == 6300.0
    assert by_mean.best_schedule.cvar.value < by_tail.best_schedule.cvar.value


def test_probabilities_of_being_best_add_up_and_regret_is_smallest_for_the_best():
    found = run()

    scored = [row for row in (*found.ranking, *found.references) if row.feasible]
    assert sum(row.probability_best for row in scored) == pytest.approx(1.0)
    assert min(scored, key=lambda row: row.expected_regret.value).name == found.best
    assert all(row.expected_regret.value >= 0.0 for row in scored)


def test_the_result_does_not_depend_on_the_chunks():
    assert run(chunk=2) == run(chunk=1024)


def test_progress_never_runs_backwards_and_ends_full():
    seen = []

    run(progress=lambda done, total: seen.append((done, total)), chunk=2)

    done, totals = zip(*seen, strict=True)
    assert list(done) == sorted(done)
    assert len(set(totals)) == 1
    assert seen[-1][0] == seen[-1][1]
    assert len(seen) >= 5


def test_an_unknown_objective_is_refused_with_the_known_names():
    with pytest.raises(SpecError, match="tumor_burden"):
        run(replace(three_doses(), objective=ObjectiveSpec(name="tumour_burden")))


def test_an_unknown_option_of_an_objective_is_refused():
    with pytest.raises(SpecError, match="final_weight"):
        run(replace(three_doses(), objective=ObjectiveSpec(name="tumor_burden", options={"final_wait": 0.5})))


def test_a_utility_that_is_not_a_number_is_refused():
    with pytest.raises(PkpdError, match="E_UTILITY_NOT_FINITE"):
        run(mean_log=lambda _, patients: np.full(patients.size, np.nan))


def test_an_integrator_error_above_the_margin_is_said():
    found = recommend(
        SEARCH,
        FRESH,
        three_doses(),
        seed=7,
        evaluate=simulation(mean_log=dose_effect, neutrophils=dose_toxicity, numerical_error=0.05),
    )

    assert found.numerical_error == 0.05
    assert any("integrator" in reason for reason in found.reasons)


def test_a_recommendation_survives_its_file(tmp_path):
    provenance = Provenance(inputs={"posterior.nc": "ab" * 32}, assumptions=("doses assumed",), sources=("label",))
    found = run(provenance=provenance)
    found.save(tmp_path / "recommendation.json")

    again = Recommendation.load(tmp_path / "recommendation.json")

    assert again == found
    assert again.best_schedule.schedule.doses() == found.best_schedule.schedule.doses()
    assert again.to_json() == found.to_json()


def test_an_infeasible_result_survives_its_file(tmp_path):
    found = run(neutrophils=lambda _, patients: np.zeros(patients.size))
    found.save(tmp_path / "recommendation.json")

    assert Recommendation.load(tmp_path / "recommendation.json") == found


def test_every_fault_of_a_file_is_reported_at_once(tmp_path):
    path = tmp_path / "recommendation.json"
    run().save(path)
    plain = json.loads(path.read_text())
    plain["seed"] = "seven"
    plain["surplus"] = 1
    plain["verdict"] = "maybe"
    del plain["space"]
    plain["ranking"][0]["schedule"]["courses"][0]["route"] = "nasal"
    path.write_text(json.dumps(plain))

    with pytest.raises(DataError) as caught:
        Recommendation.load(path)

    assert {finding.where for finding in caught.value.findings} == {
        "recommendation.json: seed",
        "recommendation.json: surplus",
        "recommendation.json: verdict",
        "recommendation.json: space",
        "recommendation.json: ranking[0].schedule.courses[0].route",
    }


@pytest.mark.parametrize("content", ["", "{", '{"schema": 99}', "[]", "null"])
def test_a_file_that_is_no_recommendation_is_refused(tmp_path, content):
    path = tmp_path / "recommendation.json"
    path.write_text(content)

    with pytest.raises(DataError, match=r"recommendation\.json"):
        Recommendation.load(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        Recommendation.load(tmp_path / "none.json")


def test_the_summary_names_verdict_best_and_references():
    found = run()

    text = found.summary()

    assert str(found.verdict) in text
    assert found.best_schedule.schedule.title in text
    assert "cetuximab alone" in text
    assert len(text.splitlines()) < 30


def test_without_constraints_every_schedule_is_feasible():
    found = run(three_doses(constraints=()))

    assert found.schedules_feasible == 9
    assert milligrams(found.best_schedule.schedule) == 10500.0


def test_the_constraint_interval_contains_its_probability():
    found = run()

    for row in (*found.ranking, *found.references):
        (result,) = row.constraints
        assert result.constraint == SAFE
        assert result.lower <= result.probability <= result.upper
        assert result.violations == round(result.probability * result.draws)


def test_fresh_draws_overrule_a_search_that_was_misled():
    def misleading(one, patients):
        gain = infusions(one) if patients.size == FRESH.size else 12 - infusions(one)
        return patients.deviates("level") - milligrams(one) * 1e-4 - 0.2 * (infusions(one) > 0) - 0.1 * gain

    found = run(mean_log=misleading)

    assert found.best_schedule.doses["cetuximab"] == 12


def test_the_order_of_the_blocks_is_contrasted_and_kept_in_the_file(tmp_path):
    order = OrderSpec(inducer=palbociclib(), partner=cetuximab(), block_min=28 * 1440)

    found = run(three_doses(order=order))
    found.save(tmp_path / "recommendation.json")

    assert found.order is not None
    assert found.order.draws == FRESH.size
    assert "order:" in found.summary()
    assert Recommendation.load(tmp_path / "recommendation.json").order == found.order


def test_a_summary_without_a_feasible_schedule_shows_the_nearest_miss():
    found = run(neutrophils=lambda _, patients: np.zeros(patients.size))

    text = found.summary()

    assert found.nearest_miss.schedule.title in text
    with pytest.raises(KeyError):
        found["no such schedule"]
