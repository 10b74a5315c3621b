"""The diagnostics gate: what it lets through, and that what is not a number fails."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from pkpd.inference.checks import gate


def tree(count: int = 500, **draws: np.ndarray) -> xr.DataTree:
    """Four chains of well mixed draws, with some variables of one's own."""
    generator = np.random.default_rng(1)
    normal = generator.standard_normal((4, count))
    dims = ("chain", "draw")
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({name: (dims, values) for name, values in {"mixed": normal, **draws}.items()}),
            "sample_stats": xr.Dataset(
                {
                    "diverging": (dims, np.zeros((4, count), dtype=bool)),
                    "energy": (dims, generator.standard_normal((4, count))),
                }
            ),
            "log_likelihood": xr.Dataset({"y": ((*dims, "obs_id"), 0.01 * generator.standard_normal((4, count, 3)))}),
        }
    )


def failed(judged: xr.DataTree) -> dict[str, str]:
    checks = json.loads(judged.attrs["gate"])["checks"]
    return {check["name"]: check["worst"] for check in checks if not check["passed"]}


def test_mixed_chains_pass_and_a_fixed_number_is_left_out():
    judged = gate(tree(fixed=np.full((4, 500), 2.0)))

    assert failed(judged) == {}


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_variable_that_is_not_a_number_fails_by_name(broken):
    values = np.random.default_rng(2).standard_normal((4, 500))
    values[2, 7] = broken

    judged = gate(tree(broken=values))

    assert failed(judged)["R-hat"] == "broken"


def test_chains_that_stand_still_at_different_places_fail_by_name():
    judged = gate(tree(stuck=np.broadcast_to(np.arange(4.0)[:, None], (4, 500))))

    assert failed(judged)["R-hat"] == "stuck"


def test_a_handful_of_draws_is_judged_and_not_lost():
    judged = gate(tree(count=5))

    assert "bulk effective sample size" in failed(judged)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_a_few_draws_of_one_chain_fail_and_are_not_lost(count):
    few = tree(count).map_over_datasets(lambda each: each.isel(chain=[0]) if "chain" in each.dims else each)

    assert {"R-hat", "bulk effective sample size"} & set(failed(gate(few)))


def test_a_single_chain_is_compared_with_itself():
    def one(judged: xr.DataTree) -> xr.DataTree:
        return judged.map_over_datasets(lambda each: each.isel(chain=[0]) if "chain" in each.dims else each)

    drifting = np.linspace(0.0, 5.0, 2000) * np.ones((4, 1))

    assert failed(gate(one(tree(2000)))) == {}
    assert failed(gate(one(tree(2000, drifting=drifting))))["R-hat"] == "drifting"


def test_a_sampler_without_gradients_is_judged_by_its_draws_alone():
    mixed = tree()
    mixed["sample_stats"] = xr.DataTree(xr.Dataset())
    mixed.attrs["engine"] = "gibbs"

    checks = json.loads(gate(mixed).attrs["gate"])

    assert checks["passed"]
    assert {"divergences", "E-BFMI"}.isdisjoint(check["name"] for check in checks["checks"])


def test_divergences_that_a_sampler_with_gradients_does_not_tell_are_not_passed_over():
    mute = tree()
    mute["sample_stats"] = xr.DataTree(xr.Dataset())

    with pytest.raises(KeyError):
        gate(mute)
