"""A graph of elementary maps with numbers in it, and its derivatives by JAX alone.

As :mod:`proofs_check.measuring.derivatives` does for layers: values are computed by the rules of
the nodes, derivatives by JAX, and the back-propagated signals are the gradient of the output by
perturbations added to the nodes' values.  No formula of the theory is used.

Parameters are one flat vector: the weights of the nodes that train any, node by node, with rows
stacked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from numerics.activations import derivatives as activation_derivatives
from theory.activations import ActivationFunction
from theory.derive.graph_bench import code_of
from theory.graph import BilinearRule, Graph, InputRule, LinearRule, PointwiseRule
from theory.graph_terms import Shape, parse

Vector = NDArray[np.float64]
Weights = Sequence[Vector]
LARGEST = 1 << 24  # entries of a map that is written out


def size_of(shape: Sequence[Any]) -> int:
    """The number of entries of a value of this shape."""
    return int(np.prod([int(s) for s in shape], dtype=np.int64)) if shape else 1


@dataclass(frozen=True, eq=False)
class GraphArchitecture:
    """What compiled functions of a graph depend on: the graph, and which output is meant.

    Attributes:
        graph: the graph, all sizes numbers.
        output: which entry of the last node's value is f.
    """

    graph: Graph
    output: int = 0

    @cached_property
    def code(self) -> str:
        """The graph as proofs write it."""
        return code_of(self.graph)

    @cached_property
    def shape(self) -> Shape:
        """Kinds and parents of the nodes."""
        return parse(self.code)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The number of entries of each node's value."""
        return tuple(size_of(node.shape) for node in self.graph.nodes)

    @cached_property
    def blocks(self) -> dict[int, tuple[int, int]]:
        """Where the weights of each node begin and end among the parameters."""
        counts = [size_of(self.bilinear(n).weight_shape) for n in self.graph.weighted]
        stops = list(accumulate(counts))
        ends = zip(stops, counts, strict=True)
        return {n: (e - c, e) for n, (e, c) in zip(self.graph.weighted, ends, strict=True)}

    def bilinear(self, node: int) -> BilinearRule:
        """The rule of a node with weights."""
        rule = self.graph.nodes[node].rule
        if not isinstance(rule, BilinearRule):
            msg = f"node {node} has no weights; its rule is {type(rule).__name__}"
            raise KeyError(msg)
        return rule

    def function(self, node: int) -> ActivationFunction:
        """The activation of a pointwise node."""
        rule = self.graph.nodes[node].rule
        if not isinstance(rule, PointwiseRule):
            msg = f"node {node} has no activation; its rule is {type(rule).__name__}"
            raise KeyError(msg)
        return rule.function

    @property
    def num_params(self) -> int:
        """Number of trainable parameters p."""
        return max((stop for _, stop in self.blocks.values()), default=0)

    def block(self, which: int) -> tuple[int, int]:
        """Where the weights of a node begin and end among the parameters."""
        return self.blocks[which]

    @property
    def num_outputs(self) -> int:
        """Number of all entries of all nodes' values, and one for f."""
        return sum(self.sizes) + 1

    def slot(self, name: str, node: int) -> tuple[int, int]:
        """Where alpha^n (or f) begins and ends among the outputs."""
        if name == "f":
            return sum(self.sizes), sum(self.sizes) + 1
        if name != "alpha" or not 0 <= node < len(self.sizes):
            msg = f"the graph has no {name} of node {node}; it has {len(self.sizes)} nodes"
            raise KeyError(msg)
        start = sum(self.sizes[:node])
        return start, start + self.sizes[node]

    # -- values -----------------------------------------------------------------------------------

    def weights(self, theta: Any) -> dict[int, Any]:
        """The matrices of the nodes that train any, from the vector of parameters."""
        found = {}
        for node, (start, stop) in self.blocks.items():
            shape = tuple(int(s) for s in self.bilinear(node).weight_shape)
            found[node] = theta[start:stop].reshape(shape)
        return found

    def product(self, xp: Any, node: int, matrix: Any, value: Any) -> Any:
        """``alpha^n(W, a)`` of a bilinear node, in the node's shape."""
        rule = self.bilinear(node)
        effective = matrix
        if rule.mask is not None:
            effective = effective * xp.asarray(rule.mask, dtype=matrix.dtype)
        if rule.row_scale is not None:
            effective = effective * xp.asarray(rule.row_scale, dtype=matrix.dtype)[:, None]
        found = float(rule.scale) * (effective @ rule.columns(xp, value))
        return found.reshape(tuple(int(s) for s in self.graph.nodes[node].shape))

    def values(
        self, theta: Any, fixed: Mapping[int, Any], x: Any, shifts: Sequence[Any] | None = None
    ) -> list[Any]:
        """The values of all nodes, as JAX arrays; ``shifts`` are added to them on the way."""
        weights = {**fixed, **self.weights(theta)}
        found: list[Any] = []
        for node in self.graph.nodes:
            above = [found[p] for p in node.parents]
            match node.rule:
                case InputRule():
                    value = jnp.asarray(x).reshape(tuple(int(s) for s in node.shape))
                case BilinearRule():
                    value = self.product(jnp, node.index, weights[node.index], above[0])
                case PointwiseRule():
                    value = activation_derivatives(node.rule.function, above[0], 0)[0]
                case LinearRule():
                    value = node.rule.apply(jnp, *above)
            if shifts is not None:
                value = value + shifts[node.index].reshape(value.shape)
            found.append(value)
        return found

    def outputs(self, theta: Any, fixed: Any, x: Any) -> Any:
        """The values of all nodes one after the other, and f."""
        values = [v.ravel() for v in self.values(theta, fixed, x)]
        return jnp.concatenate([*values, values[-1][self.output][None]])

    # -- fixed maps -------------------------------------------------------------------------------

    @cached_property
    def _columns(self) -> dict[int, Any]:
        return {}

    def columns(self, node: int) -> Any:
        """The parent's value as columns: a sparse matrix, (cols * positions, parent's size)."""
        if node not in self._columns:
            rule = self.bilinear(node)
            parent = self.graph.nodes[self.graph.nodes[node].parents[0]]
            self._columns[node] = written_out(partial(rule.columns, np), parent.shape)
        return self._columns[node]

    def link(self, node: int, slot: int) -> Any:
        """L^{n,j} of a linear rule as a sparse matrix, (size, parent's size)."""
        key = -1 - node * 1000 - slot
        if key not in self._columns:
            rule = self.graph.nodes[node].rule
            parents = [self.graph.nodes[p].shape for p in self.graph.nodes[node].parents]
            zeros = [np.zeros(tuple(int(s) for s in shape)) for shape in parents]

            def alone(value: Any) -> Any:
                values = [*zeros[:slot], value, *zeros[slot + 1 :]]
                return rule.apply(np, *values)  # type: ignore[attr-defined]

            self._columns[key] = written_out(alone, parents[slot])
        return self._columns[key]


def written_out(linear: Any, shape: Sequence[Any]) -> Any:
    """The sparse matrix of a linear map on values of a shape."""
    sizes = tuple(int(s) for s in shape)
    count = size_of(sizes)
    columns = []
    for i in range(count):
        unit = np.zeros(count)
        unit[i] = 1.0
        columns.append(
            scipy.sparse.csc_array(np.asarray(linear(unit.reshape(sizes))).reshape(-1, 1))
        )
    return scipy.sparse.hstack(columns, format="csr")


@dataclass(frozen=True, eq=False)
class GraphModel:
    """A graph with numbers in it.

    Attributes:
        arch: the graph with all sizes numbers.
        params: the weights of the nodes that train any, in order, each of shape (rows, cols).
        fixed: the weights of bilinear nodes that are not trained, by node.
        seed: of the weights.
    """

    arch: GraphArchitecture
    params: tuple[Vector, ...]
    fixed: Mapping[int, Vector] = field(default_factory=dict)
    seed: int = 0

    @property
    def theta(self) -> Vector:
        """The parameters as one vector, shape (p,)."""
        return flatten(self.params)

    def hessian(self, x: Any, theta: Any = None) -> Vector:
        """The dense Hessian of f by JAX, shape (p, p)."""
        where = self.theta if theta is None else theta
        return np.asarray(_hessian(where, dict(self.fixed), np.asarray(x), self.arch))


def flatten(params: Weights) -> Vector:
    """The weights as one vector."""
    parts = [np.asarray(p, dtype=np.float64).ravel() for p in params]
    return np.concatenate(parts) if parts else np.zeros(0)


def draw(graph: Graph, seed: int = 0, output: int = 0) -> GraphModel:
    """A graph with weights drawn as its rules say: N(0, 1), or signs."""
    arch = GraphArchitecture(graph, output)
    random = np.random.default_rng(seed)
    drawn = {}
    for node in graph.nodes:
        if isinstance(node.rule, BilinearRule):
            shape = tuple(int(s) for s in node.rule.weight_shape)
            signs = node.rule.init == "sign"
            drawn[node.index] = (
                random.choice([-1.0, 1.0], shape) if signs else random.standard_normal(shape)
            )
    trained = tuple(drawn.pop(n) for n in graph.weighted)
    return GraphModel(arch, trained, drawn, seed)


@partial(jax.jit, static_argnames="arch")
def measured(
    theta: Vector, fixed: Any, x: Vector, arch: GraphArchitecture
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """All outputs, and df/dalpha^n for every node: the gradient by what is added to its value."""
    zeros = [jnp.zeros(size) for size in arch.sizes]

    def perturbed(shifts: list[jax.Array]) -> jax.Array:
        return arch.values(jnp.asarray(theta), fixed, x, shifts)[-1].ravel()[arch.output]

    return arch.outputs(jnp.asarray(theta), fixed, x), tuple(jax.grad(perturbed)(zeros))


@partial(jax.jit, static_argnames="arch")
def _hessian(theta: Any, fixed: Any, x: Any, arch: GraphArchitecture) -> jax.Array:
    def output(t: jax.Array) -> jax.Array:
        return arch.values(t, fixed, x)[-1].ravel()[arch.output]

    return jax.hessian(output)(jnp.asarray(theta))


__all__ = ["GraphArchitecture", "GraphModel", "draw", "flatten", "measured", "size_of"]
