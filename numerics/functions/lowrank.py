r"""The Hessian of any function that JAX can trace, in exact low-rank coordinates.

Theorem (rank bound)
--------------------
Let f be twice differentiable, and let the parameter W, seen as a matrix of shape (rows, cols),
enter f only through products W X_i and W^T Z_j with activations X_i (cols, positions) and Z_j
(rows, positions), which may depend on all parameters.  Let B_i (rows, positions) and C_j (cols,
positions) be the derivatives of f by these products.  Put

    X = [X_i, C_j : the activation of C_j's product depends on parameters],
    B = [Z_j, B_i : likewise],                                    r = rank X,  s = rank B.

Then the block of W contributes at most rows r + s (cols - r) to the rank of the Hessian of f, and
the blocks of different parameters add up.

Proof.  Let y_1, y_2, ... be all these products in the order of evaluation, y_i = W X_i (with W^T
and Z in place of W and X for some).  The program makes X_i = phi_i(y_1, ..., y_{i-1}, rest) and
f = phi(y_1, y_2, ..., rest), where `rest` are parameters that are in no product.  Along a direction
that moves W by V,

    dy_i = V X_i + W dX_i,    dX_i = dphi_i[dy, drest],    d2y_i = 2 V dX_i + W d2X_i,

and d2X_i, d2f are quadratic forms in (dy, drest) plus dphi_i, dphi applied to d2y.  Resolving the
latter backwards, with B_i the derivative of f by y_i (through all that follows),

    d2f = (a quadratic form in dy_1, dy_2, ..., drest) + 2 sum_i <B_i, V dX_i>.

By induction along the evaluation, dy_i and dX_i depend on V through V X_i (V^T Z_i) only; and
<B_i, V dX_i> = <V^T B_i, dX_i>, which vanishes if X_i does not move.  So V enters through V X and
V^T B.  By polarisation, whoever has both equal to zero for every parameter, and drest = 0, is in
the kernel of H.  The rest is as in `numerics.graphs.lowrank`: the two families of functionals span
rows r + cols s - r s dimensions, and H is symmetric.  QED

Coordinates are those of `numerics.graphs.lowrank`: E(U, P) = U Q^T + Y (P (1 - Q Q^T)), with Q, Y
orthonormal bases of spaces that contain the ranges of X and B, and the products become

    (W + E) X = W X + U (Q^T X) + Y (P (1 - Q Q^T) X),
    (W + E)^T Z = W^T Z + Q (U^T Z) + (1 - Q Q^T) P^T (Y^T Z).

A parameter that is used in another way, or for which this would take as many numbers as it has, is
taken entry by entry.  So the coordinates are exact for every function, and short for most.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from numerics.functions.interpreter import Meeting
from numerics.functions.program import Program

__all__ = ["Frame", "Frames", "dimension", "embed", "frames", "multiply", "sizes"]


class Frame(NamedTuple):
    """Coordinates of one parameter: see the module.

    Attributes:
        right: Q, shape (cols, q); None where the parameter is taken entry by entry.
        left: Y, shape (rows, y), y may be 0; None likewise.
    """

    right: Any
    left: Any


Frames: TypeAlias = tuple[Frame, ...]
_WHOLE = Frame(None, None)


def frames(program: Program, point: Any) -> Frames:
    """The coordinates at one point.

    Args:
        program: the function.
        point: where, of `Program.point`.

    Returns:
        One frame for each parameter.
    """
    met = program.meetings(point)
    gathered: dict[int, tuple[list[np.ndarray], list[np.ndarray]]] = {}
    for meeting, (columns, signal) in zip(program.analysis.meetings, met, strict=True):
        X, B = gathered.setdefault(meeting.leaf, ([], []))
        above, below = (B, X) if meeting.transposed else (X, B)
        above.append(columns)
        if meeting.moving:
            below.append(signal)
    return tuple(
        _frame(program.matrix_shape(leaf), *gathered[leaf]) if leaf in gathered else _WHOLE
        for leaf in range(len(program.shapes))
    )


def _frame(shape: tuple[int, int], right: list[np.ndarray], left: list[np.ndarray]) -> Frame:
    rows, cols = shape
    q = min(cols, sum(len(part) for part in right))
    y = min(rows, sum(len(part) for part in left))
    if rows * q + y * cols >= rows * cols:
        return _WHOLE
    return Frame(_basis(right, cols), _basis(left, rows))


def _basis(parts: list[np.ndarray], size: int) -> Float[np.ndarray, "size k"]:
    """Orthonormal columns whose span contains the rows of the parts."""
    if not parts:
        return np.zeros((size, 0))
    return np.linalg.qr(np.concatenate(parts).T)[0]


def sizes(program: Program, coordinates: Frames) -> list[tuple[int, int]]:
    """For each parameter how many numbers U and P are; entry by entry all are U."""
    found = []
    for leaf, frame in enumerate(coordinates):
        if frame.right is None:
            found.append((int(np.prod(program.shapes[leaf], dtype=int)), 0))
        else:
            rows, cols = program.matrix_shape(leaf)
            found.append((rows * frame.right.shape[1], frame.left.shape[1] * cols))
    return found


def dimension(program: Program, coordinates: Frames) -> int:
    """The number n of coordinates."""
    return sum(u + p for u, p in sizes(program, coordinates))


def _parts(program: Program, coordinates: Frames, y: Any) -> list[tuple[Any, Any]]:
    """U and P of each parameter, P (1 - Q Q^T) in place of P."""
    found, start = [], 0
    for leaf, (frame, (u, p)) in enumerate(
        zip(coordinates, sizes(program, coordinates), strict=True)
    ):
        U, P = y[start : start + u], y[start + u : start + u + p]
        start += u + p
        if frame.right is None:
            found.append((U.reshape(program.shapes[leaf]), None))
            continue
        rows, cols = program.matrix_shape(leaf)
        rest = P.reshape(-1, cols)
        rest = rest - (rest @ frame.right) @ frame.right.T
        found.append((U.reshape(rows, -1), rest))
    return found


def embed(program: Program, coordinates: Frames, y: Float[np.ndarray, " n"]) -> list[np.ndarray]:
    """The direction in parameter space with coordinates `y`, leaf by leaf.

    Args:
        program: the function.
        coordinates: of `frames`.
        y: shape (n,).

    Returns:
        E y; |E y| <= |y|, with equality for eigenvectors of E^T H E with a non-zero eigenvalue.
    """
    directions = []
    for leaf, (frame, (U, P)) in enumerate(
        zip(coordinates, _parts(program, coordinates, np.asarray(y)), strict=True)
    ):
        if frame.right is None:
            directions.append(U)
        else:
            matrix = U @ np.asarray(frame.right).T + np.asarray(frame.left) @ P
            directions.append(program.as_leaf(leaf, matrix))
    return directions


def moved(program: Program, point: Any, coordinates: Frames, y: Any) -> Any:
    """F at the point moved by E y, without forming E y; for use under JAX transformations."""
    parts = _parts(program, coordinates, y)
    leaves = [
        leaf + part[0] if frame.right is None else leaf
        for leaf, frame, part in zip(point.leaves, coordinates, parts, strict=True)
    ]

    def added(k: int, activation: Any) -> Any:
        meeting = program.analysis.meetings[k]
        frame, (U, P) = coordinates[meeting.leaf], parts[meeting.leaf]
        if frame.right is None:
            return jnp.zeros(meeting.product, y.dtype)
        return meeting.place(_product(meeting, frame, U, P, activation.astype(y.dtype)))

    return program.value(point._replace(leaves=leaves), added)


def _product(meeting: Meeting, frame: Frame, U: Any, P: Any, activation: Any) -> Any:
    project = meeting.project
    if meeting.transposed:
        term = project(activation, U.T) @ frame.right.T
        return term + project(activation, frame.left.T) @ P
    term = project(activation, frame.right.T) @ U.T
    return term + project(activation, P) @ frame.left.T


def multiply(program: Program, arguments: tuple[Any, Frames], y: Float[Any, "k n"]) -> Any:
    """The Hessian in coordinates times each row of `y`, for use under JAX transformations.

    Args:
        program: the function.
        arguments: the point and its frames.
        y: shape (k, n).

    Returns:
        Shape (k, n). No temporary has the size of a parameter that only meets activations.
    """
    point, coordinates = arguments
    slope = jax.grad(lambda move: moved(program, point, coordinates, move))
    zero = jnp.zeros(y.shape[1:], y.dtype)
    return jax.vmap(lambda row: jax.jvp(slope, (zero,), (row,))[1])(y)


@lru_cache(maxsize=64)
def operator(program: Program) -> Callable[[Any, Any], Any]:
    """`multiply` for one program, always the same object: what is compiled with it is kept."""
    return partial(multiply, program)
