"""Reference of workload W2: diffrax Dopri8 at 1e-11, held against SciPy's DOP853 on a few draws.

`python w2_reference.py FILE` writes tumor and neutrophils of the pilot and the held-out draws, `[draw, day, output]`.
"""

from __future__ import annotations

import sys

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp
from w2_workload import (
    ANTIBODY_DAYS,
    ANTIBODY_MG,
    DAYS,
    HELD_OUT,
    ORAL_DAYS,
    ORAL_MG,
    PILOT,
    STATES,
    draws,
    errors,
    rate,
    start,
)

jax.config.update("jax_enable_x64", True)
TOLERANCE, CHECKED, BLOCK = 1e-11, 3, 50
ORAL = np.isin(np.arange(DAYS), ORAL_DAYS) * ORAL_MG
ANTIBODY = np.isin(np.arange(DAYS), ANTIBODY_DAYS) * ANTIBODY_MG


def field(t, y, p):
    """The right-hand side as an array."""
    slopes = [jnp.zeros(())] * STATES
    rate(t, y, slopes, p)
    return jnp.stack(slopes)


def by_diffrax(parameters: np.ndarray, solver: diffrax.AbstractSolver, rtol: float, atol: float):
    """Compiled program for a block of draws; restarts at every day, as the doses demand."""
    control = diffrax.PIDController(rtol=rtol, atol=atol)

    def one(p):
        def day(y, doses):
            y = y.at[0].add(doses[0]).at[3].add(doses[1])
            solution = diffrax.diffeqsolve(
                diffrax.ODETerm(field),
                solver,
                0.0,
                1.0,
                dt0=0.02,
                y0=y,
                args=p,
                stepsize_controller=control,
                saveat=diffrax.SaveAt(t1=True),
                max_steps=4096,
            )
            y = solution.ys[0]
            return y, jnp.stack([y[5:10].sum(), y[15]])

        first = jnp.zeros(STATES).at[5].set(p[21]).at[11:16].set(p[24])
        return jax.lax.scan(day, first, (jnp.asarray(ORAL), jnp.asarray(ANTIBODY)))[1]

    return jax.jit(jax.vmap(one)).lower(jnp.asarray(parameters)).compile()


def by_scipy(p: np.ndarray) -> np.ndarray:
    """One draw by an independent implementation of another method."""

    def slopes(t, y):
        d = np.empty(STATES)
        rate(t, y, d, p)
        return d

    y, found = start(p), []
    for day in range(DAYS):
        y[0] += ORAL[day]
        y[3] += ANTIBODY[day]
        y = solve_ivp(slopes, (0.0, 1.0), y, "DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
        found.append([y[5:10].sum(), y[15]])
    return np.array(found)


def main(file: str) -> None:
    """Compute, check, write."""
    parameters = draws(PILOT + HELD_OUT)
    solve = by_diffrax(parameters[:BLOCK], diffrax.Dopri8(), TOLERANCE, 1e-12)
    found = np.concatenate([np.asarray(solve(parameters[at : at + BLOCK])) for at in range(0, len(parameters), BLOCK)])
    independent = np.stack([by_scipy(p) for p in parameters[:CHECKED]])
    apart = errors(found[:CHECKED], independent)["max"]
    if not apart < 1e-8:
        raise SystemExit(f"the two references are {apart:.1e} apart")
    np.save(file, found)
    print(f"two references agree to {apart:.1e}")


if __name__ == "__main__":
    main(sys.argv[1])
