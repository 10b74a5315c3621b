"""Limits the processor cores of this process, before any library counts them."""

from __future__ import annotations

import os

from pkpd.errors import Finding, PkpdError

# Read by OpenMP (BLAS), Numba and Rayon (nutpie) when they are first imported.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")


def limit_cores(cores: int | None) -> None:
    """Use at most so many cores; None leaves them all. Results do not depend on it.

    Raises
    ------
    PkpdError
        If the platform cannot do that.
    """
    if cores is None:
        return
    if not hasattr(os, "sched_setaffinity"):
        message, hint = "this platform cannot limit the cores of a process", "leave --cores out"
        raise PkpdError(Finding(code="E_UNSUPPORTED", where="--cores", message=message, hint=hint))
    usable = sorted(os.sched_getaffinity(0))[:cores]
    os.sched_setaffinity(0, usable)
    os.environ.update(dict.fromkeys(_THREADS, str(len(usable))))
