r"""The Hessian of any graph at one input, in exact low-rank coordinates.

Theorem (rank bound)
--------------------
Let H be the Hessian of one output f(.; x) over all trainable parameters.  For every node n with
weights W^n of shape (rows, cols) and parent p let X^n = columns(alpha^p), of shape
(cols, positions), let R^n = diag(row_scale), and let B^n = R^n delta^n as a matrix of shape (rows,
positions), where delta^n = df/dalpha^n.  Let r_n and s_n be the ranks of X^n and of B^n, and
s_n = 0 where alpha^p does not depend on the parameters.  Then

    rank H <= sum_n ( rows_n r_n + s_n (cols_n - r_n) ),    r_n <= min(cols_n, positions_n),
                                                            s_n <= min(rows_n, positions_n),

and no summand exceeds the number of parameters of its node.  For a fully connected network
r_n = s_n = 1 and this is the bound of `numerics.lowrank`.

Proof.  Pointwise nodes are the only non-linear ones and nodes with weights are bilinear, so the
chain rule gives, for a direction V and with dalpha for the derivative of alpha along V,

    d2f[V, V] = sum_{pointwise n} <delta^n, sigma''(alpha^p) (dalpha^p)^2>
                + 2 sum_{n with weights} scale_n <delta^n, R^n V^n columns(dalpha^p)>,
    dalpha^n = scale_n R^n (V^n X^n + W^n columns(dalpha^p))    at a node with weights,

and dalpha of other nodes follows from those of their parents by fixed maps.  So V^n enters through
V^n X^n and, as <delta^n, R^n V^n C> = <(V^n)^T B^n, C> with C = columns(dalpha^p), through
(V^n)^T B^n, the latter only where dalpha^p is not always zero.  By polarisation, whoever has both
equal to zero for every n is in the kernel of H.  The functionals V -> V X^n and V -> V^T B^n of the
weights of one node span at most rows r + cols s dimensions, less r s: for columns x of a basis of
the range of X^n and b of that of B^n, b . (V x) is a combination of the former and of the latter,
and these r s relations are independent.  H is symmetric, so its rank is at most the dimension of
the orthogonal complement of that part of its kernel.  QED

Coordinates
-----------
Let Q have orthonormal columns whose span contains the range of X^n, and Y those of B^n.  What is
orthogonal to the part of the kernel above is contained in the range of

    E (U, P) = U Q^T + Y (P (1 - Q Q^T)),        U of shape (rows, q), P of shape (y, cols),

and E is a partial isometry: its two summands are orthogonal, the first is an isometry, the second
one on the P with P Q = 0 and zero on the others.  Hence E^T H E has the non-zero eigenvalues of
H, with multiplicities, and otherwise zeros.  Bases too large do no harm, so none is cut off by a
tolerance: Q and Y come from a Householder factorisation of X^n and B^n with all their columns.
Where this would take as many numbers as the weights, these are taken as they are (Q = 1).  Weights
with a mask are always taken as they are, entry by entry: the bases of their rows and columns are
not orthogonal after masking, and to make them so could cancel.

E^T H E is not formed from V = E(U, P): in ``W + V`` a node's product is
``W C + U (Q^T C) + Y (P (1 - Q Q^T) C)``, and JAX differentiates that by (U, P).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from numerics.graphs.model import GraphModel, NodeTrace
from numerics.graphs.walk import Walk
from numerics.models import Params
from theory.graph import Node

_ROWS = 128  # products with the Hessian made at once


class Frame(NamedTuple):
    """Coordinates for the weights of one node: see the module.

    Attributes:
        right: Q, shape (cols, q); None stands for the identity.
        left: Y, shape (rows, y); None where there is no P.
        entries: rows and columns of the entries that the mask leaves, two vectors of integers;
            None where there is no mask. With it the coordinates are those entries.
    """

    right: Any
    left: Any
    entries: Any


Frames: TypeAlias = tuple[Frame, ...]


def rank_bound(model: GraphModel) -> int:
    """The bound on the rank of the Hessian of one output, from shapes alone.

    Args:
        model: the network.

    Returns:
        ``sum_n min(rows r + s (cols - r), parameters of n)`` over the nodes with weights, with
        r = min(cols, positions), s = min(rows, positions), and s = 0 where the parent's value does
        not depend on the parameters.
    """
    total = 0
    for node, parameters in zip(model.graph.weighted, model.block_sizes, strict=True):
        rows, cols = model.walk.weight_shape(node)
        positions = math.prod(model.walk.shapes[node]) // rows
        r = min(cols, positions)
        s = min(rows, positions) if _below_moves(model.walk, node) else 0
        total += min(rows * r + s * (cols - r), parameters)
    return total


def _below_moves(steps: Walk, node: int) -> bool:
    (parent,) = steps.graph.nodes[node].parents
    return steps.moving[parent]


def frames(model: GraphModel, passes: NodeTrace) -> Frames:
    """The coordinates at one point.

    Args:
        model: the network.
        passes: of `numerics.graphs.node_trace` there.

    Returns:
        One frame for each node with weights, of NumPy arrays.
    """
    return tuple(_frame(model.walk, node, passes) for node in model.graph.weighted)


def _frame(steps: Walk, node: int, passes: NodeTrace) -> Frame:
    rows, cols = steps.weight_shape(node)
    if node in steps.masks:
        return Frame(None, None, tuple(np.nonzero(steps.masks[node])))
    X, B = meeting(steps, node, passes)
    q = min(X.shape)
    y = min(B.shape) if _below_moves(steps, node) else 0
    if rows * q + y * cols >= rows * cols:
        return Frame(None, None, None)
    left = np.linalg.qr(B)[0] if y else None
    return Frame(np.linalg.qr(X)[0], left, None)


def meeting(steps: Walk, node: int, passes: NodeTrace) -> tuple[np.ndarray, np.ndarray]:
    """X^n, shape (cols, positions), and B^n, shape (rows, positions), of a node with weights."""
    rows, cols = steps.weight_shape(node)
    (parent,) = steps.graph.nodes[node].parents
    rule = steps.rules[node]
    X = np.asarray(rule.columns(np, np.asarray(passes.alpha[parent]))).reshape(cols, -1)
    B = np.asarray(passes.delta[node]).reshape(rows, -1)
    return X, B if rule.row_scale is None else np.asarray(rule.row_scale)[:, None] * B


def sizes(steps: Walk, coordinates: Frames) -> list[tuple[int, int]]:
    """For each node with weights how many numbers U and P are."""
    found = []
    for node, frame in zip(steps.graph.weighted, coordinates, strict=True):
        rows, cols = steps.weight_shape(node)
        if frame.entries is not None:
            found.append((int(frame.entries[0].size), 0))
        else:
            q = cols if frame.right is None else int(frame.right.shape[1])
            y = 0 if frame.left is None else int(frame.left.shape[1])
            found.append((rows * q, y * cols))
    return found


def dimension(model: GraphModel, coordinates: Frames) -> int:
    """The number n of coordinates."""
    return sum(u + p for u, p in sizes(model.walk, coordinates))


def embed(model: GraphModel, coordinates: Frames, y: Float[np.ndarray, " n"]) -> Params:
    """The direction in parameter space with coordinates `y`, NumPy.

    Args:
        model: the network.
        coordinates: of `frames`.
        y: shape (n,).

    Returns:
        E y, of the structure of `model.params`; |E y| <= |y|, and equal for eigenvectors of
        E^T H E with a non-zero eigenvalue.
    """
    directions, start = [], 0
    for node, frame, (u, p) in zip(
        model.graph.weighted, coordinates, sizes(model.walk, coordinates), strict=True
    ):
        rows, cols = model.walk.weight_shape(node)
        U, P = y[start : start + u], y[start + u : start + u + p]
        start += u + p
        if frame.entries is not None:
            direction = np.zeros((rows, cols), y.dtype)
            direction[frame.entries] = U
        elif frame.right is None:
            direction = U.reshape(rows, cols)
        else:
            direction = U.reshape(rows, -1) @ frame.right.T
            if frame.left is not None:
                rest = P.reshape(-1, cols)
                direction = direction + frame.left @ (rest - (rest @ frame.right) @ frame.right.T)
        directions.append(direction)
    return {"W": tuple(directions)}


class Arguments(NamedTuple):
    """What a product with the Hessian depends on, besides the graph.

    Attributes:
        params: where.
        fixed: weights that are not trained.
        x: the input.
        coordinates: of `frames` there.
    """

    params: Params
    fixed: Any
    x: Any
    coordinates: Frames


def operator(steps: Walk, output: int) -> Any:
    """The Hessian of one output in coordinates: (arguments, rows) -> its product with each row.

    The same object every time, so that it can be a static argument under `jax.jit`.
    """
    key = "hessian", output
    if key not in steps.operators:
        steps.operators[key] = partial(_multiply, steps, output)
    return steps.operators[key]


def _multiply(
    steps: Walk, output: int, arguments: Arguments, y: Float[Array, "k n"]
) -> Float[Array, "k n"]:
    slope = jax.grad(partial(_moved, steps, output, arguments))
    origin = jnp.zeros(y.shape[1], y.dtype)
    return jax.vmap(lambda row: jax.jvp(slope, (origin,), (row,))[1])(y)


def _moved(steps: Walk, output: int, arguments: Arguments, y: Any) -> Any:
    """The output at the parameters moved by E y, which is not formed."""
    params, fixed, x, coordinates = arguments
    weights = steps.weights(params, fixed)
    still = steps.product(weights)
    blocks, start = {}, 0
    for node, frame, parts in zip(
        steps.graph.weighted, coordinates, sizes(steps, coordinates), strict=True
    ):
        blocks[node] = frame, y[start : start + sum(parts)]
        start += sum(parts)

    def product(node: Node, value: Any) -> Any:
        if node.index not in blocks:
            return still(node, value)
        columns = steps.rules[node.index].columns(jnp, value)
        total = steps.masked(node.index, weights[node.index]) @ columns
        return steps.scaled(node.index, total + _part(*blocks[node.index], columns, total.shape[0]))

    return steps.output(steps.values(product, x), output)


def _part(frame: Frame, y: Any, columns: Any, rows: int) -> Any:
    """``V C`` for the direction V = E(U, P) with coordinates y, shape (rows, positions)."""
    cols = columns.shape[0]
    if frame.entries is not None:
        row, col = frame.entries
        return jax.ops.segment_sum(y[:, None] * columns[col], row, num_segments=rows)
    if frame.right is None:
        return jnp.reshape(y, (rows, cols)) @ columns
    inside = frame.right.T @ columns
    split = rows * frame.right.shape[1]
    total = jnp.reshape(y[:split], (rows, -1)) @ inside
    if frame.left is None:
        return total
    rest = columns - frame.right @ inside
    return total + frame.left @ (jnp.reshape(y[split:], (-1, cols)) @ rest)


_compiled = partial(jax.jit, static_argnums=(0, 1))(_multiply)


def multiply(
    steps: Walk, output: int, arguments: Arguments, y: Float[np.ndarray, "k n"]
) -> Float[np.ndarray, "k n"]:
    """The Hessian in coordinates, times each row of `y`, some rows at a time.

    Args:
        steps: the graph.
        output: which output.
        arguments: the point and its coordinates.
        y: rows, shape (k, n).

    Returns:
        Shape (k, n), NumPy.
    """
    count = y.shape[0]
    block = min(_ROWS, 1 << max(count - 1, 0).bit_length())
    padded = np.zeros((-(-count // block) * block, y.shape[1]), y.dtype)
    padded[:count] = y
    parts = [
        np.asarray(_compiled(steps, output, arguments, padded[k : k + block]))
        for k in range(0, padded.shape[0], block)
    ]
    return np.concatenate(parts)[:count]


__all__ = [
    "Arguments",
    "Frame",
    "Frames",
    "dimension",
    "embed",
    "frames",
    "meeting",
    "multiply",
    "operator",
    "rank_bound",
]
