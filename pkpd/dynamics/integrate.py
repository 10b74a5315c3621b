"""The stepping loop: Runge-Kutta steps of order four under drives whose mean and slope within each step are exact."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractPDModel, State
from pkpd.dynamics.forcing import Forcing


def integrate[T](
    model: AbstractPDModel,
    forcings: tuple[Forcing, ...],
    lengths_h: Float[Array, " step"],
    *,
    keep: Callable[[State], T],
    checkpoint: bool = False,
) -> T:
    """Take every step and return `keep(state)` at every edge, the initial one included.

    Parameters
    ----------
    model
        Equations, initial state and the losses that may be fast.
    keep
        What is stored of each state: a tree of arrays, to which an axis `edge` is prepended.
    checkpoint
        Recompute a step in reverse mode instead of storing its stages: less memory, and faster on a CPU.

    References
    ----------
    Integrating factor on the fast losses: Lawson JD. SIAM J Numer Anal 1967;4:372, doi:10.1137/0704033.
    """

    def step(state: State, x: tuple[Array, tuple[Forcing, ...]]) -> tuple[State, T]:
        length, forcing = x
        start = tuple(drive.mean - drive.slope for drive in forcing)
        middle = tuple(drive.mean for drive in forcing)
        end = tuple(drive.mean + drive.slope for drive in forcing)
        losses = model.fast_losses(state, middle)
        half = 0.5 * length
        kept = {index: jnp.exp(-half * loss) for index, loss in losses.items()}

        def gains(at: State, drives: tuple[Array, ...]) -> State:
            slopes = model.rate(at, drives)
            return tuple(slope + losses[i] * at[i] if i in losses else slope for i, slope in enumerate(slopes))

        def decayed(values: State) -> State:
            return tuple(value * kept[i] if i in kept else value for i, value in enumerate(values))

        k1 = gains(state, start)
        k2 = gains(decayed(_shift(state, half, k1)), middle)
        halfway = decayed(state)
        k3 = gains(_shift(halfway, half, k2), middle)
        whole = decayed(halfway)
        k4 = gains(_shift(whole, length, decayed(k3)), end)
        first, inner = decayed(decayed(k1)), decayed(tuple(b + c for b, c in zip(k2, k3, strict=True)))
        sixth = length / 6.0
        after = tuple(
            y + sixth * (a + 2.0 * b + d) for y, a, b, d in zip(whole, first, inner, k4, strict=True)
        )
        return after, keep(after)

    body = jax.checkpoint(step) if checkpoint else step
    initial = model.initial()
    _, stored = jax.lax.scan(body, initial, (jnp.asarray(lengths_h), forcings))
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), keep(initial), stored)


def _shift(state: State, length: Array, slope: State) -> State:
    return tuple(y + length * k for y, k in zip(state, slope, strict=True))
