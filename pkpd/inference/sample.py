"""The sampling engines, by name.

Chains run in processes of their own: within one process Python lets only one chain of nutpie evaluate its gradient at a time, and two
chains take twice as long as one. NumPyro's run side by side in one program.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from pkpd.cache import enable_compilation_cache
from pkpd.domain.population import GIBBS, POPULATION_ENGINES
from pkpd.domain.study import FitOptions
from pkpd.inference import gibbs
from pkpd.inference.fit_model import MAX_TREE_DEPTH, AbstractFitModel
from pkpd.inference.gibbs import Chain, Tell
from pkpd.inference.population_fit import PopulationFit

# Ridges of moderate width count too: nutpie's own cutoff leaves them to the diagonal.
ADAPTATION = {"mass_matrix_eigval_cutoff": 1.3, "mass_matrix_switch_freq": 120}
POLL_SECONDS = 0.5
GROUPS = ("posterior", "sample_stats")
type Progress = Callable[[int, int, str], None]


def sample(fitted: AbstractFitModel, options: FitOptions, *, progress: Progress, cores: int) -> xr.DataTree:
    """Groups `posterior` and `sample_stats` of every chain, warm-up left out.

    Parameters
    ----------
    options
        `engine` is one of `POPULATION_ENGINES`; `gibbs` is for population studies alone.
    progress
        Is told draws done, draws in all and a note.
    cores
        Chains that run at the same time; each has its own seed, whatever their number.

    Raises
    ------
    ValueError
        If there is no such engine for this kind of study: analysis files and the command line are refused earlier.
    """
    if options.engine not in POPULATION_ENGINES:
        raise ValueError(f"there is no engine '{options.engine}'")
    if options.engine == GIBBS and not isinstance(fitted, PopulationFit):
        raise ValueError("engine 'gibbs' is for population studies")
    enable_compilation_cache()
    if options.engine == "numpyro":
        return _kept(_numpyro(fitted, options, progress))
    workers = min(cores, options.chains)
    chains = _one_process(fitted, options, progress) if workers == 1 else _processes(fitted, options, progress, workers)
    return xr.DataTree.from_dict(
        {group: xr.concat([chain[group] for chain in chains], dim="chain", join="outer") for group in GROUPS}
    )


def _one_process(fitted: AbstractFitModel, options: FitOptions, progress: Progress) -> list[dict[str, xr.Dataset]]:
    total = options.chains * (options.draws + options.tune)
    chain_of = _chains(fitted, options.engine)
    divergent = [0] * options.chains
    found = []
    for chain in range(options.chains):

        def tell(done: int, divergences: int, chain: int = chain) -> None:
            divergent[chain] = divergences
            before = chain * (options.draws + options.tune)
            progress(before + done, total, _note(options, sum(divergent)))

        found.append(chain_of(options, chain, tell))
    return found


def _processes(
    fitted: AbstractFitModel, options: FitOptions, progress: Progress, workers: int
) -> list[dict[str, xr.Dataset]]:
    total = options.chains * (options.draws + options.tune)
    context = multiprocessing.get_context("spawn")
    done: Any = context.Array("q", options.chains)
    divergent: Any = context.Array("q", options.chains)
    turn: Any = context.Value("q", 0)
    free = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    others = set(multiprocessing.active_children())
    shared = (fitted.recipe(), options, done, divergent, turn, free)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=shared) as pool:
        try:
            with _deaf_to_interruptions():
                futures = [pool.submit(_work, chain) for chain in range(options.chains)]
            while wait(futures, timeout=POLL_SECONDS).not_done:
                progress(sum(done), total, _note(options, sum(divergent)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise
        return [future.result() for future in futures]


def _note(options: FitOptions, divergent: int) -> str:
    return "sampling" if options.engine == GIBBS else f"sampling, {divergent} divergences"


@contextmanager
def _deaf_to_interruptions() -> Iterator[None]:
    """Processes that start here do not hear Ctrl-C, which a terminal sends to all: the parent hears it and ends them."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: dict[str, Any] = {}


def _start(
    recipe: Callable[[], AbstractFitModel],
    options: FitOptions,
    done: Any,
    divergent: Any,
    turn: Any,
    free: list[int],
) -> None:
    """In a new process: build and compile the model once for all its chains."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with turn.get_lock():
        mine, turn.value = turn.value, turn.value + 1
    if free and sys.platform == "linux":
        # Before the first use of JAX, which otherwise starts a thread per core in every process: they would crowd each other out.
        os.sched_setaffinity(0, {free[mine % len(free)]})
    enable_compilation_cache()
    # PyTensor explains how it falls back to Python for the JAX function when PyMC tests the starting point.
    warnings.simplefilter("ignore")
    _worker.update(chain=_chains(recipe(), options.engine), options=options, done=done, divergent=divergent)


def _end_with_parent() -> None:
    """A parent that is killed cannot tell its children to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _work(chain: int) -> dict[str, xr.Dataset]:
    def tell(done: int, divergences: int) -> None:
        _worker["done"][chain] = done
        _worker["divergent"][chain] = divergences

    return _worker["chain"](_worker["options"], chain, tell)


def _chains(fitted: AbstractFitModel, engine: str) -> Chain:
    """A function that runs one chain, compiled as far as it can be."""
    if engine == GIBBS:
        assert isinstance(fitted, PopulationFit)  # `sample` refuses the others
        return gibbs.chains_of(fitted)
    return partial(_nutpie_chain, _compile(fitted), fitted.doublings)


def _compile(fitted: AbstractFitModel) -> Any:
    import nutpie
    from pymc.model.transform.optimization import freeze_dims_and_data

    # Chains start apart in the standard normal deviates only: a jitter of one on the logarithm of a volume would start them far off.
    model = freeze_dims_and_data(fitted.model)
    apart = {variable for variable in model.free_RVs if str(variable.name).endswith((".deviate", ".eta"))}
    starts: dict[Any, Any] = dict(fitted.initial_values())
    return nutpie.compile_pymc_model(
        model,
        backend="jax",
        gradient_backend="jax",
        jitter_rvs=apart,
        freeze_model=False,
        initial_points=starts or None,
    )


def _nutpie_chain(compiled: Any, doublings: int, options: FitOptions, chain: int, tell: Tell) -> dict[str, xr.Dataset]:
    """One chain, in Rust, with a low-rank mass matrix: ridges among the population's parameters need it."""
    import nutpie

    tree = nutpie.sample(
        compiled,
        draws=options.draws,
        tune=options.tune,
        chains=1,
        cores=1,
        seed=int(np.random.SeedSequence(options.seed, spawn_key=(chain,)).generate_state(1)[0]),
        target_accept=options.target_accept,
        maxdepth=MAX_TREE_DEPTH,
        mindepth=doublings,
        adaptation="low_rank",
        **ADAPTATION,
        save_warmup=False,
        progress_bar=False,
        progress_callback=lambda chains: tell(chains[0].finished_draws, chains[0].divergences),
    )
    kept = {group: tree[group].to_dataset().assign_coords(chain=[chain]) for group in GROUPS}
    stats = kept["sample_stats"]
    numbers = [name for name in stats.data_vars if stats[name].dtype.kind in "biuf"]
    return kept | {"sample_stats": stats[numbers]}


def _numpyro(fitted: AbstractFitModel, options: FitOptions, progress: Progress) -> xr.DataTree:
    """NUTS in JAX, all chains side by side in one program, with a dense mass matrix."""
    from pymc.sampling.jax import sample_numpyro_nuts

    starts: dict[Any, Any] = dict(fitted.initial_values())
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
            initvals=starts or None,
            chain_method="vectorized",
            progressbar=False,
            quiet=True,
            idata_kwargs={"log_likelihood": False},
            nuts_kwargs={"dense_mass": True, "max_tree_depth": MAX_TREE_DEPTH},
        )


def _kept(tree: xr.DataTree) -> xr.DataTree:
    return xr.DataTree.from_dict({group: tree[group].to_dataset() for group in GROUPS})
