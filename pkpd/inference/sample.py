"""The sampling engines, by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import nutpie
import xarray as xr

from pkpd.cache import enable_compilation_cache
from pkpd.domain.study import FitOptions
from pkpd.inference.model import FitModel

ENGINES = ("nutpie", "numpyro")
MAX_TREE_DEPTH = 8


def sample(
    fitted: FitModel, options: FitOptions, *, progress: Callable[[int, int, str], None], cores: int
) -> xr.DataTree:
    """Groups `posterior` and `sample_stats` of every chain, warm-up left out.

    Parameters
    ----------
    options
        `engine` is one of `ENGINES`; a name that is none of them was refused when the analysis was read.
    progress
        Is told draws done, draws in all and a note.
    """
    enable_compilation_cache()
    run = {"nutpie": _nutpie, "numpyro": _numpyro}[options.engine]
    tree = run(fitted, options, progress, cores)
    return xr.DataTree.from_dict({name: tree[name].to_dataset() for name in ("posterior", "sample_stats")})


def _nutpie(
    fitted: FitModel, options: FitOptions, progress: Callable[[int, int, str], None], cores: int
) -> xr.DataTree:
    """NUTS in Rust with a low-rank mass matrix, which ridges among the population's parameters need."""
    total = options.chains * (options.draws + options.tune)
    compiled = nutpie.compile_pymc_model(fitted.model, backend="jax", gradient_backend="jax")

    def report(chains: list[Any]) -> None:
        done = sum(chain.finished_draws for chain in chains)
        divergent = sum(chain.divergences for chain in chains)
        progress(done, total, f"sampling, {divergent} divergences")

    return nutpie.sample(
        compiled,
        draws=options.draws,
        tune=options.tune,
        chains=options.chains,
        cores=min(cores, options.chains),
        seed=options.seed,
        target_accept=options.target_accept,
        maxdepth=MAX_TREE_DEPTH,
        adaptation="low_rank",
        save_warmup=False,
        progress_bar=False,
        progress_callback=report,
    )


def _numpyro(
    fitted: FitModel, options: FitOptions, progress: Callable[[int, int, str], None], _cores: int
) -> xr.DataTree:
    """NUTS in JAX, all chains side by side in one program, with a dense mass matrix."""
    from pymc.sampling.jax import sample_numpyro_nuts

    progress(0, options.chains * (options.draws + options.tune), "sampling (numpyro reports when it is done)")
    with warnings.catch_warnings(), fitted.model:
        # PyMC and NumPyro give advice on few chains and few effective draws; the gate says the same with numbers.
        warnings.simplefilter("ignore")
        return sample_numpyro_nuts(
            draws=options.draws,
            tune=options.tune,
            chains=options.chains,
            target_accept=options.target_accept,
            random_seed=options.seed,
            chain_method="vectorized",
            progressbar=False,
            quiet=True,
            idata_kwargs={"log_likelihood": False},
            nuts_kwargs={"dense_mass": True, "max_tree_depth": MAX_TREE_DEPTH},
            initvals={name: np.asarray(value) for name, value in fitted.model.initial_point().items()},
        )
