"""From draws to `posterior.nc`: every group of the file, and where it all came from."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.metadata import version

import xarray as xr

from pkpd.domain.study import FitOptions
from pkpd.inference.fit_model import AbstractFitModel
from pkpd.posterior import SCHEMA

PRIOR_DRAWS = 500
SAMPLER_ONLY = (".deviate", ".centered", ".share")


def assemble(fitted: AbstractFitModel, draws: xr.DataTree, options: FitOptions) -> xr.DataTree:
    """Every group of a posterior file except the gate's verdict."""
    sampled = draws["posterior"].to_dataset()
    kept = sampled[[name for name in sampled.data_vars if not str(name).endswith(SAMPLER_ONLY)]]
    posterior = _labeled(fitted.with_derived(kept.transpose("chain", "draw", ...)), fitted)
    prior = _labeled(fitted.prior(count=PRIOR_DRAWS, seed=options.seed), fitted)
    groups = {"posterior": posterior, "prior": prior, "sample_stats": draws["sample_stats"].to_dataset()}
    for name, source in (("posterior", posterior), ("prior", prior)):
        predicted, likelihood = fitted.predict(source, seed=options.seed)
        groups[f"{name}_predictive"] = predicted
        if name == "posterior":
            groups["log_likelihood"] = likelihood
    groups["observed_data"], groups["constant_data"] = fitted.observed()
    tree = xr.DataTree.from_dict({name: _plain(group) for name, group in groups.items()})
    tree.attrs.update(_provenance(fitted, options))
    return tree


def _labeled(data: xr.Dataset, fitted: AbstractFitModel) -> xr.Dataset:
    """Units, basis and scale of every variable."""
    labeled = {}
    for name in map(str, data.data_vars):
        label = fitted.label(name)
        labeled[name] = data[name].assign_attrs(
            units=label.unit,
            long_name=name.replace(".", " ").replace("_", " "),
            basis=label.basis,
            scale=str(label.scale),
        )
    return xr.Dataset(labeled)


def _plain(group: xr.Dataset) -> xr.Dataset:
    """Coordinates of text as fixed-width text, which NetCDF can hold."""
    text = {
        name: (variable.dims, variable.values.astype(str))
        for name, variable in group.variables.items()
        if variable.dtype.kind in "OT"
    }
    return group.assign(text) if text else group


def _provenance(fitted: AbstractFitModel, options: FitOptions) -> dict[str, object]:
    priors, sources = fitted.evidence()
    basis: dict[str, list[str]] = {}
    used: dict[str, list[str]] = {}
    for name, prior in priors.items():
        basis.setdefault(prior.source, []).append(str(prior.basis))
        used.setdefault(prior.source, []).append(name)
    return {
        "schema": SCHEMA,
        "pkpd_version": version("pkpd-scheduler"),
        "seed": options.seed,
        "engine": options.engine,
        "created": datetime.now(UTC).date().isoformat(),
        "inputs": json.dumps(dict(fitted.inputs())),
        "analysis": json.dumps(dict(fitted.description())),
        "sources": json.dumps(
            [
                {
                    "key": key,
                    "title": source.title,
                    "locator": source.locator,
                    "section": source.section,
                    "basis": "assumed" if "assumed" in basis.get(key, []) else next(iter(basis.get(key, [])), ""),
                    "parameters": used.get(key, []),
                }
                for key, source in sources.items()
                if key in used
            ]
        ),
    }
