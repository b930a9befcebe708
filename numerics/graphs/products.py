r"""Norms of what stands between the weights of two nodes of a graph, without forming it.

Two families, as in `theory.vocabulary`.  With B^k the derivative of alpha^k by its own weights,
A^{n,k} = dalpha^n/dalpha^k over all paths, and S_{k,k'} the second derivative of the output by what
is added to alpha^k and to alpha^k', weights held,

    pair_curve of (k, k'), k <= k':  the norm of  B^k' S_{k,k'} B^k',
    pair_cross of (k', k), k < k':   the norm of  (sum_i delta^k'_i T^k'_i) A^{p,k} B^k,

p the parent of k'.  Weights are met through a few of their columns only: ``V -> V X`` is
``U -> U R`` for X = Q R and U = V Q, an isometry on what is not lost, and likewise from the left;
rows with a mask have a factor each.  So all norms are taken between spaces of nodes' values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from numerics.graphs import host
from numerics.graphs.model import GraphModel
from numerics.measure import weight_norm
from numerics.models import Params
from numerics.products import DENSE_PRODUCT, Enclosure, Map, Matrix, norm_of
from numerics.tolerances import Numbers, gamma
from theory.graph import BilinearRule, InputRule, PointwiseRule
from theory.vocabulary import PAIR_CROSS, PAIR_CURVE

Stack = Float[np.ndarray, "_ _ _"]
CHUNK = 256  # columns taken through the graph at once
Key = tuple[str, int, int]


@dataclass(frozen=True, eq=False)
class NodeProducts:
    """The maps between the weights of two nodes, at one point and one input.

    Attributes:
        model: the network.
        passes: its values, signals and derivatives of activations there.
    """

    model: GraphModel
    passes: host.HostPass

    def pairs(self) -> Iterator[Key]:
        """Every pair of nodes that has such a map, by name."""
        steps = self.model.walk.graph
        weighted = steps.weighted
        bent = [n.parents[0] for n in steps.nodes if isinstance(n.rule, PointwiseRule)]
        for i, low in enumerate(weighted):
            for high in weighted[i:]:
                if any({low, high} <= self._sources[p] for p in bent):
                    yield PAIR_CURVE, low, high
                if low < high and low in self._sources[steps.nodes[high].parents[0]]:
                    yield PAIR_CROSS, high, low

    def norm(self, name: str, row: int, col: int) -> Enclosure:
        """The spectral norm of such a map, both sides, as `numerics.products.norm_of` has them.

        Raises:
            KeyError: no such map.
        """
        return norm_of(self.map(name, row, col), DENSE_PRODUCT)

    def map(self, name: str, row: int, col: int) -> Map:
        """The map itself, between the coordinates of what the weights meet.

        Raises:
            KeyError: no such map.
        """
        if (name, row, col) not in set(self.pairs()):
            msg = (
                f"{name} of nodes {row} and {col} is not measured: {PAIR_CURVE} of two nodes with "
                f"weights below one activation, {PAIR_CROSS} of one and another below it"
            )
            raise KeyError(msg)
        if name == PAIR_CURVE:
            shape = (self._count(row), self._count(col))
            return Map(
                shape,
                lambda x: _by_chunks(x, lambda c: self._curved(row, col, c)),
                lambda y: _by_chunks(y, lambda c: self._curved(col, row, c)),
                self._rounding * self._curve_size(row, col),
            )
        left = self._left(row)
        cols = self.model.walk.weight_shape(row)[1]
        return Map(
            (cols * left.shape[1], self._count(col)),
            lambda x: _by_chunks(x, lambda c: self._crossed(row, col, c)),
            lambda y: _by_chunks(y, lambda c: self._uncrossed(row, col, c)),
            self._rounding * self._cross_size(row, col),
        )

    # -- the weights of one node ------------------------------------------------------------------

    @cached_property
    def _kept(self) -> dict[Any, Any]:
        return {}

    def _right(self, node: int) -> Stack:
        """R with ``B^k U = factors (U R)``, shape (1 or rows, r, positions)."""
        key = "right", node
        if key not in self._kept:
            steps = self.model.walk
            (parent,) = steps.graph.nodes[node].parents
            (columns,) = host.maps(steps, node)
            cols = steps.weight_shape(node)[1]
            X = (columns @ self.passes.alpha[parent]).reshape(cols, -1)
            mask = steps.masks.get(node)
            parts = [X] if mask is None else [X * row[:, None] for row in mask]
            self._kept[key] = np.array([_reduced(part) for part in parts])
        return self._kept[key]

    def _left(self, node: int) -> Stack:
        """L with ``|sum_i delta_i T_i a| = |L columns(a)|``, shape (1 or cols, y, positions)."""
        key = "left", node
        if key not in self._kept:
            steps = self.model.walk
            signal = host.outer(steps, node, self.passes.delta[node])
            mask = steps.masks.get(node)
            parts = [signal] if mask is None else [signal * col[:, None] for col in mask.T]
            self._kept[key] = np.array([_reduced(part) for part in parts])
        return self._kept[key]

    def _count(self, node: int) -> int:
        return self.model.walk.weight_shape(node)[0] * int(self._right(node).shape[1])

    def _own(self, node: int, columns: Matrix) -> Matrix:
        """B^k times columns of coordinates."""
        rows = self.model.walk.weight_shape(node)[0]
        right = self._right(node)
        found = np.matmul(right.transpose(0, 2, 1), columns.reshape(rows, right.shape[1], -1))
        return self._factored(node, found).reshape(-1, columns.shape[1])

    def _own_back(self, node: int, columns: Matrix) -> Matrix:
        rows = self.model.walk.weight_shape(node)[0]
        found = self._factored(node, columns.reshape(rows, -1, columns.shape[1]))
        pulled: Matrix = np.matmul(self._right(node), found).reshape(-1, columns.shape[1])
        return pulled

    def _factored(self, node: int, columns: Stack) -> Stack:
        factor = self.model.walk.factors[node]
        scaled: Stack = (factor[:, :, None] if isinstance(factor, np.ndarray) else factor) * columns
        return scaled

    # -- through the graph ------------------------------------------------------------------------

    @cached_property
    def _sources(self) -> tuple[frozenset[int], ...]:
        """For each node the nodes whose weights its value depends on."""
        graph = self.model.walk.graph
        found: list[frozenset[int]] = []
        for node in graph.nodes:
            own = {node.index} if node.index in graph.weighted else set()
            found.append(frozenset(own).union(*(found[p] for p in node.parents)))
        return tuple(found)

    def _up(self, start: int, columns: Matrix, stop: int) -> dict[int, Matrix]:
        """What a change of alpha^k does to the values up to a node."""
        found = {start: columns}
        for node in self.model.walk.graph.nodes[start + 1 : stop + 1]:
            above = [(slot, found[p]) for slot, p in enumerate(node.parents) if p in found]
            if above:
                images = [self._step(node.index, slot, value) for slot, value in above]
                found[node.index] = sum(images[1:], images[0])
        return found

    def _down(self, pending: dict[int, Matrix], stop: int) -> Matrix | None:
        """What arrives at alpha^k of covectors at the nodes above it."""
        nodes = self.model.walk.graph.nodes
        for index in range(len(nodes) - 1, stop, -1):
            value = pending.pop(index, None)
            if value is None:
                continue
            for slot, parent in enumerate(nodes[index].parents):
                if parent >= stop:
                    pulled = self._back(index, slot, value)
                    pending[parent] = pending[parent] + pulled if parent in pending else pulled
        return pending.get(stop)

    def _step(self, node: int, slot: int, columns: Matrix) -> Matrix:
        steps = self.model.walk
        rule = steps.graph.nodes[node].rule
        if isinstance(rule, PointwiseRule):
            return self.passes.derived[node][1][:, None] * columns
        maps = host.maps(steps, node)
        if not isinstance(rule, BilinearRule):
            return np.asarray(maps[slot] @ columns)
        weight = self.passes.weights[node]
        moved = (maps[0] @ columns).reshape(weight.shape[1], -1)
        found = (weight @ moved).reshape(weight.shape[0], -1, columns.shape[1])
        return self._factored(node, found).reshape(-1, columns.shape[1])

    def _back(self, node: int, slot: int, columns: Matrix) -> Matrix:
        steps = self.model.walk
        rule = steps.graph.nodes[node].rule
        if isinstance(rule, PointwiseRule):
            return self.passes.derived[node][1][:, None] * columns
        maps = host.maps(steps, node)
        if not isinstance(rule, BilinearRule):
            return np.asarray(maps[slot].T @ columns)
        weight = self.passes.weights[node]
        signal = self._factored(node, columns.reshape(weight.shape[0], -1, columns.shape[1]))
        pulled = weight.T @ signal.reshape(weight.shape[0], -1)
        return np.asarray(maps[0].T @ pulled.reshape(-1, columns.shape[1]))

    def _curved(self, row: int, col: int, columns: Matrix) -> Matrix:
        """``B^k' S_{k,k'} B^k'`` times columns."""
        last = len(self.model.walk.graph.nodes) - 1
        moved = self._up(col, self._own(col, columns), last)
        pending: dict[int, Matrix] = {}
        for node in self.model.walk.graph.nodes:
            if isinstance(node.rule, PointwiseRule) and node.parents[0] in moved:
                (parent,) = node.parents
                bent = self._bend(node.index)[:, None] * moved[parent]
                pending[parent] = pending[parent] + bent if parent in pending else bent
        found = self._down(pending, row)
        if found is None:
            return np.zeros((self._count(row), columns.shape[1]))
        return self._own_back(row, found)

    def _bend(self, node: int) -> np.ndarray:
        return np.asarray(self.passes.derived[node][2] * self.passes.delta[node])

    def _crossed(self, high: int, low: int, columns: Matrix) -> Matrix:
        steps = self.model.walk
        (parent,) = steps.graph.nodes[high].parents
        (gathered,) = host.maps(steps, high)
        value = gathered @ self._up(low, self._own(low, columns), parent)[parent]
        inside = value.reshape(steps.weight_shape(high)[1], -1, columns.shape[1])
        found: Matrix = np.matmul(self._left(high), inside).reshape(-1, columns.shape[1])
        return found

    def _uncrossed(self, high: int, low: int, columns: Matrix) -> Matrix:
        steps = self.model.walk
        (parent,) = steps.graph.nodes[high].parents
        (gathered,) = host.maps(steps, high)
        left = self._left(high)
        inside = columns.reshape(steps.weight_shape(high)[1], left.shape[1], -1)
        pulled = np.matmul(left.transpose(0, 2, 1), inside).reshape(-1, columns.shape[1])
        found = self._down({parent: np.asarray(gathered.T @ pulled)}, low)
        if found is None:
            return np.zeros((self._count(low), columns.shape[1]))
        return self._own_back(low, found)

    # -- what rounding errors are relative to -----------------------------------------------------

    @cached_property
    def _rounding(self) -> float:
        steps = self.model.walk
        inner = sum(sum(steps.weight_shape(n)) for n in steps.rules)
        spent = sum(len(n.parents) for n in steps.graph.nodes)
        positions = sum(math.prod(s) for s in steps.shapes)
        return gamma(4 * (inner + spent + positions))

    @cached_property
    def _reach(self) -> tuple[dict[int, float], ...]:
        """For each node bounds on its derivatives by the weights below it."""
        steps = self.model.walk
        found: list[dict[int, float]] = []
        for node in steps.graph.nodes:
            own: dict[int, float] = {}
            if node.index in steps.graph.weighted:
                sizes = np.linalg.norm(self._right(node.index), axis=(1, 2))
                own[node.index] = float(np.max(sizes)) * self._factor(node.index)
            for slot, parent in enumerate(node.parents):
                strength = self._strength(node.index, slot)
                for which, size in found[parent].items():
                    own[which] = own.get(which, 0.0) + strength * size
            found.append(own)
        return tuple(found)

    def _factor(self, node: int) -> float:
        return float(np.max(np.abs(self.model.walk.factors[node]), initial=0.0))

    def _strength(self, node: int, slot: int) -> float:
        rule = self.model.walk.graph.nodes[node].rule
        if isinstance(rule, InputRule):
            return 0.0
        if isinstance(rule, PointwiseRule):
            return float(np.max(np.abs(self.passes.derived[node][1]), initial=0.0))
        size = _at_most(host.maps(self.model.walk, node)[slot])
        if isinstance(rule, BilinearRule):
            size *= self._factor(node) * weight_norm(self.passes.weights[node]).upper
        return size

    def _curve_size(self, row: int, col: int) -> float:
        total = 0.0
        for node in self.model.walk.graph.nodes:
            if isinstance(node.rule, PointwiseRule):
                reach = self._reach[node.parents[0]]
                largest = float(np.max(np.abs(self._bend(node.index)), initial=0.0))
                total += largest * reach.get(row, 0.0) * reach.get(col, 0.0)
        return total

    def _cross_size(self, high: int, low: int) -> float:
        steps = self.model.walk
        (parent,) = steps.graph.nodes[high].parents
        left = float(np.max(np.linalg.norm(self._left(high), axis=(1, 2)), initial=0.0))
        return left * _at_most(host.maps(steps, high)[0]) * self._reach[parent].get(low, 0.0)


def _reduced(matrix: Matrix) -> Matrix:
    """A matrix with the Gram matrix ``X' X`` of the given one and no more rows than columns."""
    return matrix if matrix.shape[0] <= matrix.shape[1] else np.linalg.qr(matrix)[1]


def _at_most(matrix: Any) -> float:
    """The norm of a sparse matrix from above, also of its absolute values: by Riesz and Thorin."""
    sizes = abs(matrix)
    return math.sqrt(float(sizes.sum(axis=0).max()) * float(sizes.sum(axis=1).max()))


def _by_chunks(columns: Matrix, action: Any) -> Matrix:
    count = columns.shape[1]
    return np.hstack([action(columns[:, i : i + CHUNK]) for i in range(0, count, CHUNK)])


def node_products(
    model: GraphModel, x: Numbers, params: Params | None = None, *, output: int = 0
) -> NodeProducts:
    """The maps between the weights of two nodes at one input, in float64.

    Args:
        model: the network.
        x: one input, of the network's input shape.
        params: where; None means `model.params`.
        output: which output f is.

    Raises:
        ValueError: x or a parameter has the wrong shape, or there is no such output.
    """
    checked, output = model.checked_params(params), model.checked_output(output)
    point = jax.tree.map(lambda w: np.asarray(w, np.float64), checked)
    at = np.asarray(model.checked_input(x, batch=False), np.float64)
    double = model.double()
    return NodeProducts(double, host.run(double, point, at, output))


__all__ = ["NodeProducts", "node_products"]
