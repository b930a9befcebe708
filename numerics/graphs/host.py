r"""Passes and the Hessian of a graph in NumPy, for networks too small to be worth compiling.

The fixed parts of the rules, columns and linear maps, are written out as sparse matrices, once per
graph; with them the identity of `numerics.graphs.lowrank` is evaluated as it stands,

    H = sum_{pointwise n} J_p^T diag(delta^n sigma''(alpha^p)) J_p + sum_{weights n} (K_n + K_n^T),

J_p the derivative of alpha^p by the coordinates, and K_n that of <delta^n, scale R^n V^n C> by the
node's own coordinates, C = columns(dalpha^p).  `numerics.graphs.lowrank` has the same Hessian by
automatic differentiation, without the identity.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from jaxtyping import Float

from numerics.activations import host_derivatives
from numerics.graphs.lowrank import Frame, Frames, dimension, sizes
from numerics.graphs.model import GraphModel, NodeTrace
from numerics.graphs.walk import Walk
from numerics.models import Params
from theory.graph import BilinearRule, InputRule, LinearRule, PointwiseRule

LARGEST = 1 << 12
"""Up to so many entries of all nodes' values a graph is run in NumPy."""


def fits(model: GraphModel) -> bool:
    """Whether the network is small enough for this module."""
    return sum(int(np.prod(shape, dtype=np.int64)) for shape in model.walk.shapes) <= LARGEST


def maps(steps: Walk, node: int) -> tuple[Any, ...]:
    """The fixed linear parts of a node, one for each parent, as sparse matrices.

    Args:
        steps: the graph.
        node: which node.

    Returns:
        For weights ``columns``, (cols * positions, size of the parent); for a linear node its L_j,
        (size, size of the parent); none for others.
    """
    key = "maps", node
    if key not in steps.operators:
        steps.operators[key] = _maps(steps, node)
    return steps.operators[key]


def map_matrix(steps: Walk, node: int, weight: Any) -> np.ndarray:
    """A^n of a node with weights written out, shape (size, size of the parent)."""
    W = np.asarray(steps.masked(node, np.asarray(weight)), np.float64) * steps.factors[node]
    (columns,) = maps(steps, node)
    positions = columns.shape[0] // W.shape[1]
    return np.asarray((scipy.sparse.kron(W, scipy.sparse.eye_array(positions)) @ columns).toarray())


def _maps(steps: Walk, node: int) -> tuple[Any, ...]:
    rule, parents = steps.graph.nodes[node].rule, steps.graph.nodes[node].parents
    shapes = [steps.shapes[p] for p in parents]
    if isinstance(rule, BilinearRule):
        return (_written_out(lambda value: rule.columns(np, value), shapes[0]),)
    if not isinstance(rule, LinearRule):
        return ()
    zeros = [np.zeros(shape) for shape in shapes]

    def alone(slot: int) -> Callable[[Any], Any]:
        return lambda value: rule.apply(np, *zeros[:slot], value, *zeros[slot + 1 :])

    return tuple(_written_out(alone(slot), shape) for slot, shape in enumerate(shapes))


def _written_out(linear: Callable[[Any], Any], shape: tuple[int, ...]) -> Any:
    size = int(np.prod(shape, dtype=np.int64))
    columns = []
    for i in range(size):
        unit = np.zeros(size)
        unit[i] = 1
        image = np.asarray(linear(unit.reshape(shape))).ravel()
        rows = np.flatnonzero(image)
        columns.append((rows, image[rows]))
    height = image.size if size else 0
    pointers = np.cumsum([0, *(rows.size for rows, _ in columns)])
    entries = np.concatenate([values for _, values in columns])
    indices = np.concatenate([rows for rows, _ in columns])
    return scipy.sparse.csc_array((entries, indices, pointers), (height, size)).tocsr()


@dataclass(frozen=True, eq=False)
class HostPass:
    """Forward and backward pass at one point, all vectors flat.

    Attributes:
        weights: the masked weights of each node that has any.
        alpha: alpha^n, node by node.
        delta: delta^n.
        derived: for pointwise nodes sigma and its first three derivatives at alpha^p.
    """

    weights: dict[int, np.ndarray]
    alpha: list[np.ndarray]
    delta: list[np.ndarray]
    derived: dict[int, tuple[np.ndarray, ...]]


def run(model: GraphModel, params: Params, x: Any, output: int) -> HostPass:
    """Forward and backward pass.

    Args:
        model: the network.
        params: where; already checked.
        x: one input; already checked.
        output: which output.

    Returns:
        The pass.
    """
    steps = model.walk
    weights = {
        n: steps.masked(n, np.asarray(w)) for n, w in steps.weights(params, model.fixed).items()
    }
    alpha: list[np.ndarray] = []
    derived: dict[int, tuple[np.ndarray, ...]] = {}
    with np.errstate(all="ignore"):  # what is not finite is refused where it matters
        _forward(steps, weights, np.asarray(x), alpha, derived)
        delta = _backward(steps, weights, alpha, derived, output)
    return HostPass(weights, alpha, delta, derived)


def _forward(
    steps: Walk,
    weights: dict[int, np.ndarray],
    x: np.ndarray,
    alpha: list[np.ndarray],
    derived: dict[int, tuple[np.ndarray, ...]],
) -> None:
    """Fill in the values and the derivatives of activations, node by node."""
    for node in steps.graph.nodes:
        above = [alpha[p] for p in node.parents]
        if isinstance(node.rule, InputRule):
            value = x.ravel()
        elif isinstance(node.rule, BilinearRule):
            weight = weights[node.index]
            (columns,) = maps(steps, node.index)
            product = weight @ (columns @ above[0]).reshape(weight.shape[1], -1)
            value = (steps.factors[node.index] * product).ravel()
        elif isinstance(node.rule, PointwiseRule):
            derived[node.index] = host_derivatives(node.rule.function, above[0], 3)
            value = derived[node.index][0]
        else:
            linear = zip(maps(steps, node.index), above, strict=True)
            value = sum(L @ a for L, a in linear)
        alpha.append(np.asarray(value, x.dtype))


def _backward(
    steps: Walk,
    weights: dict[int, np.ndarray],
    alpha: list[np.ndarray],
    derived: dict[int, tuple[np.ndarray, ...]],
    output: int,
) -> list[np.ndarray]:
    """The signals."""
    delta = [np.zeros_like(value) for value in alpha]
    delta[-1][output] = 1
    for node in reversed(steps.graph.nodes):
        signal = delta[node.index]
        if isinstance(node.rule, BilinearRule):
            (columns,) = maps(steps, node.index)
            pulled = weights[node.index].T @ outer(steps, node.index, signal)
            delta[node.parents[0]] += columns.T @ pulled.ravel()
        elif isinstance(node.rule, PointwiseRule):
            delta[node.parents[0]] += derived[node.index][1] * signal
        else:
            for L, parent in zip(maps(steps, node.index), node.parents, strict=True):
                delta[parent] += L.T @ signal
    return delta


def outer(steps: Walk, node: int, signal: np.ndarray) -> np.ndarray:
    """The signal of a node with weights times its scales, shape (rows, positions)."""
    return steps.factors[node] * signal.reshape(steps.weight_shape(node)[0], -1)


def as_trace(model: GraphModel, passes: HostPass, output: int) -> NodeTrace:
    """The pass as `numerics.graphs.node_trace` gives it, of NumPy arrays."""
    shapes = model.walk.shapes
    alpha = tuple(a.reshape(s) for a, s in zip(passes.alpha, shapes, strict=True))
    delta = tuple(d.reshape(s) for d, s in zip(passes.delta, shapes, strict=True))
    return NodeTrace(alpha, delta, passes.alpha[-1][output])


def hessian(model: GraphModel, passes: HostPass, coordinates: Frames) -> Float[np.ndarray, "n n"]:
    """The Hessian in coordinates, E^T H E, as a matrix.

    Args:
        model: the network.
        passes: at the point meant.
        coordinates: of `numerics.graphs.lowrank.frames` there.

    Returns:
        Shape (n, n), symmetric by construction.
    """
    steps, n = model.walk, dimension(model, coordinates)
    starts = itertools.accumulate((u + p for u, p in sizes(model.walk, coordinates)), initial=0)
    blocks = dict(zip(steps.graph.weighted, zip(coordinates, starts, strict=False), strict=True))
    H = np.zeros((n, n))
    J: list[np.ndarray | None] = []
    for node in steps.graph.nodes:
        below = [J[p] for p in node.parents]
        own: np.ndarray | None = None
        if isinstance(node.rule, PointwiseRule) and below[0] is not None:
            bend = passes.derived[node.index][2] * passes.delta[node.index]
            H += below[0].T @ (bend[:, None] * below[0])
            own = passes.derived[node.index][1][:, None] * below[0]
        elif isinstance(node.rule, LinearRule):
            moved = zip(maps(steps, node.index), below, strict=True)
            images = [L @ j for L, j in moved if j is not None]
            own = sum(images[1:], images[0]) if images else None
        elif isinstance(node.rule, BilinearRule):
            own = _bilinear(steps, node.index, passes, below[0], blocks.get(node.index), H)
        J.append(own)
    return H


def _bilinear(
    steps: Walk,
    node: int,
    passes: HostPass,
    below: np.ndarray | None,
    block: tuple[Frame, int] | None,
    H: np.ndarray,
) -> np.ndarray | None:
    """J of a node with weights; its K and K^T are added to H."""
    weight, (columns,) = passes.weights[node], maps(steps, node)
    rows, cols = weight.shape
    (parent,) = steps.graph.nodes[node].parents
    X = (columns @ passes.alpha[parent]).reshape(cols, -1)
    total = np.zeros((rows, X.shape[1], H.shape[1]))
    moved = None if below is None else (columns @ below).reshape(cols, X.shape[1], -1)
    if moved is not None:
        total += np.tensordot(weight, moved, 1)
    if block is not None:
        frame, start = block
        own = _own(frame, X, rows)
        total[:, :, start : start + own.shape[2]] += own
        if moved is not None:
            K = _crossed(frame, outer(steps, node, passes.delta[node]), moved)
            H[start : start + K.shape[0]] += K
            H[:, start : start + K.shape[0]] += K.T
    elif below is None:
        return None
    factor = steps.factors[node]
    scaled = total * (factor[:, :, None] if isinstance(factor, np.ndarray) else factor)
    return scaled.reshape(-1, H.shape[1])


def _own(frame: Frame, X: np.ndarray, rows: int) -> np.ndarray:
    """The derivative of V X by the first coordinates of V, shape (rows, positions, count)."""
    if frame.entries is not None:
        row, col = frame.entries
        found = np.zeros((rows, X.shape[1], row.size))
        found[row, :, np.arange(row.size)] = X[col]
        return found
    inside = X if frame.right is None else frame.right.T @ X
    found = np.zeros((rows, X.shape[1], rows, inside.shape[0]))
    found[np.arange(rows), :, np.arange(rows)] = inside.T
    return found.reshape(rows, X.shape[1], -1)  # P X = 0 for the P of the coordinates


def _crossed(frame: Frame, G: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """The derivative of <G, V C> by the coordinates of V, for each column C of `moved`."""
    if frame.entries is not None:
        row, col = frame.entries
        return np.einsum("ep,epn->en", G[row], moved[col])
    inside = moved if frame.right is None else np.tensordot(frame.right.T, moved, 1)
    first = np.tensordot(G, inside, ((1,), (1,))).reshape(-1, moved.shape[2])
    if frame.left is None:
        return first
    rest = moved - np.tensordot(frame.right, inside, 1)
    second = np.tensordot(frame.left.T @ G, rest, ((1,), (1,))).reshape(-1, moved.shape[2])
    return np.concatenate([first, second])


__all__ = [
    "HostPass",
    "as_trace",
    "fits",
    "hessian",
    "maps",
    "outer",
    "run",
]
