"""Matrices of a few compartments as nested tuples: every entry is an array of lanes, None is a zero that stays one."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

type Matrix = tuple[tuple[Array | None, ...], ...]
type Vector = tuple[Array | None, ...]


def matvec(matrix: Matrix, vector: Vector) -> tuple[Array, ...]:
    """Product of a matrix and a vector."""
    return tuple(_sum([_product(a, b) for a, b in zip(row, vector, strict=True)]) for row in matrix)


def composed(second: Matrix, first: Matrix) -> Matrix:
    """Product of two matrices: the first map, then the second."""
    columns = list(zip(*first, strict=True))
    return tuple(
        tuple(_sum([_product(a, b) for a, b in zip(row, column, strict=True)]) for column in columns) for row in second
    )


def added(one: tuple[Array, ...], other: tuple[Array, ...]) -> tuple[Array, ...]:
    """Sum of two vectors."""
    return tuple(a + b for a, b in zip(one, other, strict=True))


def solved(matrix: Matrix, right: tuple[Array, ...]) -> tuple[Array, ...]:
    """`x = matrix x + right`: the fixed point of an affine map that loses something.

    Elimination needs no pivots: columns of the map sum to less than one.
    """
    size = len(right)
    rows = [
        [(1.0 if i == j else 0.0) - (0.0 if entry is None else entry) for j, entry in enumerate(row)]
        for i, row in enumerate(matrix)
    ]
    values = list(right)
    for pivot in range(size):
        for below in range(pivot + 1, size):
            factor = rows[below][pivot] / rows[pivot][pivot]
            rows[below] = [low - factor * high for low, high in zip(rows[below], rows[pivot], strict=True)]
            values[below] = values[below] - factor * values[pivot]
    solution: list[Array] = [jnp.zeros(())] * size
    for row in reversed(range(size)):
        known = sum((rows[row][column] * solution[column] for column in range(row + 1, size)), jnp.zeros(()))
        solution[row] = (values[row] - known) / rows[row][row]
    return tuple(solution)


def _product(one: Array | None, other: Array | None) -> Array | None:
    return None if one is None or other is None else one * other


def _sum(terms: list[Array | None]) -> Array:
    there = [term for term in terms if term is not None]
    return sum(there[1:], there[0]) if there else jnp.zeros(())
