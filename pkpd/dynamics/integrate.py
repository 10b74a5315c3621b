"""The stepping loop: Runge-Kutta steps of order four under drives whose mean and slope within each step are exact."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.dynamics.base import AbstractPDModel, State
from pkpd.dynamics.forcing import Forcing, decayed_share


def integrate[T](
    model: AbstractPDModel,
    forcings: tuple[Forcing, ...],
    lengths_h: Float[Array, " step"],
    *,
    keep: Callable[[State, tuple[Array, ...]], T],
    impulses: Mapping[int, Float[Array, "step ..."]] | None = None,
    checkpoint: bool = False,
) -> T:
    """Take every step and return `keep(state, drives)` at every edge, the initial one included.

    Parameters
    ----------
    model
        Equations, initial state and the losses that may be fast.
    keep
        What is stored of each state and the drives at that time: a tree of arrays, to which an axis `edge` is prepended.
    impulses
        By state, what enters it at the start of every step, as a dose does; what is kept of an edge was there just before.
    checkpoint
        Recompute a step in reverse mode instead of storing its stages: less memory, and faster on a CPU.

    References
    ----------
    Integrating factor on the fast losses: Lawson JD. SIAM J Numer Anal 1967;4:372, doi:10.1137/0704033; with the gain at the
    start taken out, which keeps steady states exact: Krogstad S. J Comput Phys 2005;203:72, doi:10.1016/j.jcp.2004.08.006.
    """

    def step(state: State, x: tuple[Array, tuple[Forcing, ...], dict[int, Array]]) -> tuple[State, T]:
        length, forcing, entering = x
        state = tuple(value + entering[i] if i in entering else value for i, value in enumerate(state))
        start = tuple(drive.mean - drive.slope for drive in forcing)
        middle = tuple(drive.mean for drive in forcing)
        end = tuple(drive.mean + drive.slope for drive in forcing)
        losses = _largest([model.fast_losses(state, drives) for drives in (start, middle, end)])
        half = 0.5 * length
        kept = {index: jnp.exp(-half * loss) for index, loss in losses.items()}
        share = {index: half * decayed_share(half * loss) for index, loss in losses.items()}
        # Gains of the states with a fast loss; the gain at the start is integrated exactly, later ones count relative to it.
        k1 = tuple(
            slope + losses[i] * state[i] if i in losses else slope for i, slope in enumerate(model.rate(state, start))
        )

        k1 = _apart(k1) if checkpoint else k1

        def gains(at: State, drives: tuple[Array, ...]) -> State:
            at, drives = _apart((at, drives)) if checkpoint else (at, drives)
            slopes = enumerate(model.rate(at, drives))
            gained = tuple(slope + losses[i] * at[i] - k1[i] if i in losses else slope for i, slope in slopes)
            return _apart(gained) if checkpoint else gained

        def decayed(values: State) -> State:
            return tuple(value * kept[i] if i in kept else value for i, value in enumerate(values))

        def fed(values: State) -> State:
            return tuple(value + share[i] * k1[i] if i in share else value for i, value in enumerate(values))

        halfway = fed(decayed(state))
        k2 = gains(
            tuple(y if i in kept else y + half * k for i, (y, k) in enumerate(zip(halfway, k1, strict=True))), middle
        )
        k3 = gains(_shift(halfway, half, k2), middle)
        whole = fed(decayed(halfway))
        k4 = gains(_shift(whole, length, decayed(k3)), end)
        inner = decayed(tuple(b + c for b, c in zip(k2, k3, strict=True)))
        sixth = length / 6.0
        after = tuple(
            y + sixth * ((0.0 if i in kept else a) + 2.0 * b + d)
            for i, (y, a, b, d) in enumerate(zip(whole, k1, inner, k4, strict=True))
        )
        return after, keep(after, end)

    body = jax.checkpoint(step) if checkpoint else step
    initial = model.initial()
    _, stored = jax.lax.scan(body, initial, (jnp.asarray(lengths_h), forcings, dict(impulses or {})))
    at_start = keep(initial, tuple(drive.mean[0] - drive.slope[0] for drive in forcings))
    return jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), at_start, stored)


def _largest(losses: list[dict[int, Array]]) -> dict[int, Array]:
    """Largest rate of each loss within a step: what is left over is then a gain, and a gain that is overestimated does no harm."""
    first, *others = losses
    return {
        index: functools.reduce(jnp.maximum, [each[index] for each in others], rate) for index, rate in first.items()
    }


def _apart[T](values: T) -> T:
    """Keep the compiler from computing the stages before anew for every cotangent: a third of the arithmetic of a gradient."""
    return jax.lax.optimization_barrier(values)


def _shift(state: State, length: Array, slope: State) -> State:
    return tuple(y + length * k for y, k in zip(state, slope, strict=True))
