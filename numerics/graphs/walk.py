"""A graph of elementary maps as pure functions of arrays.

The rules of the nodes say what a node computes (`theory.graph`); here they are run with JAX, one
node after the other.  Nothing in this module knows a kind of layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np

from numerics.activations import jax_function
from theory.graph import BilinearRule, Graph, InputRule, LinearRule, Node, PointwiseRule

Product: TypeAlias = Callable[[Node, Any], Any]
"""(node with weights, its parent's value) -> the node's value."""


class Walk:
    """The functions of one graph, all sizes numbers; equal only to itself (see `walk`).

    Attributes:
        graph: the graph.
    """

    def __init__(self, graph: Graph) -> None:
        """Check that every node is known.

        Raises:
            TypeError: a node has a rule that is neither of the four kinds.
        """
        kinds = (InputRule, BilinearRule, LinearRule, PointwiseRule)
        for node in graph.nodes:
            if not isinstance(node.rule, kinds):
                msg = (
                    f"node {node.index} ({node.label}) has a rule of the kind "
                    f"{type(node.rule).__name__}; needed is an input, bilinear, linear or "
                    "pointwise rule of theory.graph"
                )
                raise TypeError(msg)
        self.graph = graph
        self.operators: dict[Any, Any] = {}

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each node's value."""
        return tuple(tuple(int(s) for s in node.shape) for node in self.graph.nodes)

    @cached_property
    def frozen(self) -> tuple[int, ...]:
        """The nodes whose weights are not parameters."""
        return tuple(
            node.index
            for node in self.graph.nodes
            if isinstance(node.rule, BilinearRule) and not node.rule.trainable
        )

    @cached_property
    def moving(self) -> tuple[bool, ...]:
        """For each node whether its value depends on the parameters."""
        found: list[bool] = []
        for node in self.graph.nodes:
            found.append(node.index in self.graph.weighted or any(found[p] for p in node.parents))
        return tuple(found)

    @cached_property
    def rules(self) -> dict[int, BilinearRule]:
        """The rules of the nodes with weights."""
        return {n.index: n.rule for n in self.graph.nodes if isinstance(n.rule, BilinearRule)}

    @cached_property
    def masks(self) -> dict[int, np.ndarray]:
        """The masks of the nodes with weights that are not all parameters."""
        found = {index: rule.mask for index, rule in self.rules.items()}
        return {
            index: np.asarray(mask, bool)
            for index, mask in found.items()
            if mask is not None and not np.all(mask)
        }

    @cached_property
    def factors(self) -> dict[int, np.ndarray | float]:
        """For each node with weights scale times row_scale: a number, or shape (rows, 1)."""
        found: dict[int, np.ndarray | float] = {}
        for index, rule in self.rules.items():
            scale = float(rule.scale)
            rows = rule.row_scale
            found[index] = scale if rows is None else scale * np.asarray(rows, float)[:, None]
        return found

    def weight_shape(self, node: int) -> tuple[int, int]:
        """(rows, cols) of the weights of a node."""
        rows, cols = self.rules[node].weight_shape
        return int(rows), int(cols)

    @property
    def num_outputs(self) -> int:
        """The number of entries of the last node's value."""
        return math.prod(self.shapes[-1])

    def weights(self, params: Any, fixed: Mapping[int, Any]) -> dict[int, Any]:
        """The weights of every node that has any, by node."""
        return {**fixed, **dict(zip(self.graph.weighted, params["W"], strict=True))}

    def masked(self, node: int, weight: Any) -> Any:
        """The weights of a node, zero where the mask is."""
        mask = self.masks.get(node)
        if mask is None:
            return weight
        xp = np if isinstance(weight, np.ndarray) else jnp
        return xp.where(mask, weight, xp.zeros_like(weight))

    def scaled(self, node: int, product: Any) -> Any:
        """A product ``W columns``, (rows, positions), times the node's scales, in its shape."""
        factor: Any = self.factors[node]
        if isinstance(factor, np.ndarray):
            factor = jnp.asarray(factor, dtype=product.dtype)
        return jnp.reshape(factor * product, self.shapes[node])

    def product(self, weights: Mapping[int, Any]) -> Product:
        """What a node with weights does, with these weights."""

        def run(node: Node, value: Any) -> Any:
            columns = self.rules[node.index].columns(jnp, value)
            return self.scaled(node.index, self.masked(node.index, weights[node.index]) @ columns)

        return run

    def values(
        self,
        product: Product,
        x: Any,
        *,
        shifts: Sequence[Any] | None = None,
        given: Mapping[int, Any] | None = None,
    ) -> list[Any]:
        """The value of every node.

        Args:
            product: what nodes with weights do.
            x: the input, of the shape of node 0.
            shifts: added to the nodes' values on the way, one for each.
            given: values that take the place of those computed, by node.

        Returns:
            The values, node by node.
        """
        found: list[Any] = []
        for node in self.graph.nodes:
            above = [found[p] for p in node.parents]
            if given is not None and node.index in given:
                value = given[node.index]
            elif isinstance(node.rule, InputRule):
                value = x
            elif isinstance(node.rule, BilinearRule):
                value = product(node, above[0])
            elif isinstance(node.rule, PointwiseRule):
                value = jax_function(node.rule.function)(above[0])
            elif isinstance(node.rule, LinearRule):
                value = node.rule.apply(jnp, *above)
            found.append(value if shifts is None else value + shifts[node.index])
        return found

    def output(self, values: Sequence[Any], output: int) -> Any:
        """One entry of the last node's value, a scalar."""
        return jnp.reshape(values[-1], (-1,))[output]


@lru_cache(maxsize=256)
def walk(graph: Graph) -> Walk:
    """The functions of a graph: one object for equal graphs, so that compilations are shared."""
    return Walk(graph)


__all__ = ["Product", "Walk", "walk"]
