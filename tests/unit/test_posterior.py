"""A posterior file is read faithfully, or refused with the reason."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from fake_run import CHAINS, DRAWS, FAILED_GATE, PARAMETERS, tree

from pkpd.errors import DataError, PkpdError
from pkpd.posterior import Posterior


@pytest.fixture
def saved(tmp_path):
    return Posterior(tree=tree()).save(tmp_path / "posterior.nc")


def codes(error: pytest.ExceptionInfo[PkpdError]) -> set[str]:
    return {finding.code for finding in error.value.findings}


def test_a_saved_posterior_comes_back_bit_for_bit(saved):
    original = Posterior(tree=tree())

    again = Posterior.open(saved)

    assert again.names == original.names
    for name in original.names:
        np.testing.assert_array_equal(again.values(name), original.values(name))
        assert again.units(name) == original.units(name)
    xr.testing.assert_identical(again.group("constant_data"), original.group("constant_data"))
    assert again.tree.attrs == original.tree.attrs


def test_text_comes_back_as_text_and_not_as_objects(saved):
    again = Posterior.open(saved)

    kinds = {array.dtype.kind for node in again.tree.subtree for array in node.dataset.variables.values()}

    assert "O" not in kinds
    assert again.group("constant_data")["arm"].values[0] == "vehicle"


def test_values_run_through_the_chains_one_after_another():
    posterior = Posterior(tree=tree())
    name = "tumor.growth_rate.subject"

    flat = posterior.values(name)

    raw = posterior.group("posterior")[name].values
    assert flat.shape == (CHAINS * DRAWS, raw.shape[2])
    np.testing.assert_array_equal(flat[DRAWS + 3], raw[1, 3])


def test_values_cannot_be_changed_through_the_view():
    posterior = Posterior(tree=tree())

    with pytest.raises(ValueError, match="read-only"):
        posterior.values("tumor.entry_rate")[0] = 0.0


def test_typical_names_leave_out_spreads_individuals_and_residuals():
    posterior = Posterior(tree=tree())

    assert posterior.typical_names == tuple(PARAMETERS)


def test_provenance_is_read_from_the_root_attributes(saved):
    posterior = Posterior.open(saved)

    assert (posterior.seed, posterior.engine, posterior.size) == (7, "nutpie", CHAINS * DRAWS)
    assert posterior.inputs["study.csv"] == "b" * 64
    assert posterior.analysis["disease"] == "colorectal_pdx"
    assert posterior.reliable
    assert posterior.gate.failed == ()


def test_a_failed_gate_makes_the_posterior_unreliable():
    posterior = Posterior(tree=tree(gate=FAILED_GATE))

    assert not posterior.reliable
    assert [check.worst for check in posterior.gate.failed] == ["tumor.entry_rate"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"schema = 1\nname = 'x'\n", "not a NetCDF-4 file"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "truncated"),
    ],
)
def test_a_file_that_is_no_posterior_is_refused_with_the_reason(tmp_path, content, words):
    path = tmp_path / "posterior.nc"
    path.write_bytes(content)

    with pytest.raises(DataError, match=words) as error:
        Posterior.open(path)

    assert codes(error) == {"E_NOT_NETCDF"}


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_truncated_posterior_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])

    with pytest.raises(DataError, match="truncated"):
        Posterior.open(saved)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        Posterior.open(tmp_path / "absent.nc")
    with pytest.raises(DataError, match="not a file"):
        Posterior.open(tmp_path)


def test_a_netcdf_file_of_somebody_else_is_named_as_such(tmp_path):
    path = tmp_path / "other.nc"
    xr.Dataset({"temperature": ("time", [1.0, 2.0])}).to_netcdf(path, engine="h5netcdf")

    with pytest.raises(DataError, match="not written by `pkpd fit`") as error:
        Posterior.open(path)

    assert codes(error) == {"E_NOT_A_POSTERIOR"}


def test_another_schema_is_refused():
    wrong = tree()
    wrong.attrs["schema"] = 2

    with pytest.raises(DataError, match="schema 2 was found"):
        Posterior(tree=wrong)


def test_every_finding_is_reported_at_once():
    wrong = tree()
    del wrong.attrs["engine"]
    wrong.attrs["inputs"] = "{"
    wrong.attrs["gate"] = '{"checks": 3}'
    draws = wrong["posterior"]["tumor.entry_rate"].copy()
    draws[0, 0] = np.nan
    del draws.attrs["units"]
    wrong["posterior"]["tumor.entry_rate"] = draws
    wrong["posterior"]["tumor.arrest_max"] = xr.DataArray(np.ones(CHAINS), dims="chain", attrs={"units": "1"})

    with pytest.raises(DataError) as error:
        Posterior(tree=wrong)

    assert codes(error) == {"E_NO_PROVENANCE", "E_BAD_ATTRIBUTE", "E_NOT_FINITE", "E_NO_UNIT", "E_DIMENSION"}


def test_a_posterior_without_draws_is_refused():
    empty = xr.DataTree.from_dict({"/prior": tree()["prior"].to_dataset()})
    empty.attrs = tree().attrs

    with pytest.raises(DataError, match="no group 'posterior'"):
        Posterior(tree=empty)


def test_python_objects_are_refused_before_they_reach_a_file():
    wrong = tree()
    wrong["constant_data"]["note"] = xr.DataArray(np.asarray(["a", 1], dtype=object), dims="note")

    with pytest.raises(DataError) as error:
        Posterior(tree=wrong)

    assert codes(error) == {"E_OBJECT_TYPE"}


def test_an_unknown_parameter_and_an_unknown_group_name_what_there_is():
    posterior = Posterior(tree=tree())

    with pytest.raises(DataError, match=r"tumor\.entry_rate"):
        posterior.values("tumor.entry")
    with pytest.raises(DataError, match="posterior_predictive"):
        posterior.group("predictions")


def test_an_unwritable_place_is_reported_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "blocked").write_text("a file, not a folder")

    with pytest.raises(PkpdError, match="could not be written"):
        Posterior(tree=tree()).save(tmp_path / "blocked" / "posterior.nc")
