"""A network as a directed acyclic graph of elementary maps: what every description becomes.

Proofs and arrays walk over this graph and know four kinds of node, each given by a *rule*:

    input      alpha^n = x;
    bilinear   alpha^n = z_n(W^n, alpha^p), linear in its own weights and in its one parent: dense
               and convolutional layers, neurons that see some of the layers below, the readout;
    linear     alpha^n = sum_j L_{n,j} alpha^{p_j}, fixed maps: sums of a skip connection,
               concatenation, pooling, dropout masks, a readout that is not trained;
    pointwise  alpha^n = sigma_n(alpha^p), entry by entry.

A rule states what is *local* to its layer: shapes, the map itself (written for any array module
``xp`` with NumPy's interface, so that NumPy and JAX can both run it), and an upper bound on its
norm.  Everything else, for all architectures at once, follows from these: the Hessian identity, the
bounds, the arrays, the low-rank coordinates.  A new kind of layer is one class with such a rule.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import sympy

    from theory.activations import ActivationFunction

Size: TypeAlias = "sympy.Expr | int"
Shape: TypeAlias = tuple[Size, ...]
"""Sizes of the axes of a node's value: ``(m,)``, ``(channels, length)``, ``()`` for a scalar."""


class Rule(ABC):
    """What one node does with the values of its parents."""

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """The shape of the node's value."""


@dataclass(frozen=True)
class InputRule(Rule):
    """alpha^n = x, which does not depend on the parameters.

    Attributes:
        sizes: the shape of x.
    """

    sizes: Shape

    @property
    def shape(self) -> Shape:
        """The shape of x."""
        return self.sizes


class BilinearRule(Rule):
    """``alpha^n = scale * (W columns(alpha^p))``, with independent N(0, 1) entries in W.

    ``columns`` is a fixed linear map from the parent's value to a matrix of shape
    ``(cols, positions)``: the value itself as one column for a dense layer, the patches for a
    convolution.  The product, of shape ``(rows, positions)``, is reshaped to the node's shape.
    """

    @property
    @abstractmethod
    def weight_shape(self) -> tuple[Size, Size]:
        """(rows, cols) of W."""

    @property
    @abstractmethod
    def scale(self) -> sympy.Expr:
        """What the product is multiplied by, such as 1/sqrt(fan in)."""

    @property
    @abstractmethod
    def contraction(self) -> sympy.Expr:
        """tau: ``|c . alpha^n(V, a)| <= tau |c| |V|_F |a|`` for all c, V, a (Euclidean norms)."""

    @abstractmethod
    def columns(self, xp: Any, value: Any) -> Any:
        """The parent's value as columns, shape ``(cols, positions)``; numbers for all sizes."""

    @property
    def mask(self) -> Any:
        """Which entries of W are parameters, (rows, cols) of bool, the others zero; None: all."""
        return None

    @property
    def row_scale(self) -> Any:
        """A further factor for each row of W, shape (rows,), such as in(v)^{-1/2}; None: 1."""
        return None

    @property
    def init(self) -> str:
        """Distribution of the entries of W at the start: ``gaussian`` or ``sign``."""
        return "gaussian"

    @property
    def trainable(self) -> bool:
        """Whether W is among the parameters; if not, the node is a fixed linear map."""
        return True


class LinearRule(Rule):
    """``alpha^n = sum_j L_j alpha^{p_j}`` with fixed maps L_j, one for each parent."""

    @property
    @abstractmethod
    def norms(self) -> tuple[sympy.Expr, ...]:
        """Upper bounds on the spectral norms of the L_j, one for each parent."""

    @abstractmethod
    def apply(self, xp: Any, *values: Any) -> Any:
        """The node's value from those of its parents."""


@dataclass(frozen=True)
class PointwiseRule(Rule):
    """``alpha^n = sigma(alpha^p)``, entry by entry.

    Attributes:
        function: sigma.
        sizes: the shape of the value, that of the parent.
    """

    function: ActivationFunction
    sizes: Shape

    @property
    def shape(self) -> Shape:
        """The parent's shape."""
        return self.sizes


@dataclass(frozen=True)
class Node:
    """One node of a graph.

    Attributes:
        index: its position; parents come before it.
        rule: what it does.
        parents: their indices.
        label: the layer it comes from, in words, for pages and messages.
    """

    index: int
    rule: Rule
    parents: tuple[int, ...]
    label: str = ""

    @property
    def shape(self) -> Shape:
        """The shape of the node's value."""
        return self.rule.shape


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order; node 0 is the input, the last node the output.

    Attributes:
        nodes: the nodes, node n at position n.
    """

    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        """Refuse what is not a graph in topological order, naming the node."""
        for position, node in enumerate(self.nodes):
            if node.index != position or any(not 0 <= p < position for p in node.parents):
                msg = (
                    f"node {position} has index {node.index} and parents {node.parents}: nodes "
                    "are numbered from 0 and parents come before their children"
                )
                raise ValueError(msg)
            if isinstance(node.rule, InputRule) is not (position == 0):
                msg = f"node {position} is a {type(node.rule).__name__}: node 0 alone is the input"
                raise ValueError(msg)
            if isinstance(node.rule, BilinearRule | PointwiseRule) and len(node.parents) != 1:
                msg = f"node {position} has parents {node.parents}; its rule takes exactly one"
                raise ValueError(msg)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """For each node the nodes that it is a parent of, with multiplicity."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for node in self.nodes:
            for parent in node.parents:
                found[parent].append(node.index)
        return tuple(map(tuple, found))

    @cached_property
    def weighted(self) -> tuple[int, ...]:
        """The nodes whose weights are parameters, in order: the blocks of the parameter vector."""
        return tuple(
            n.index for n in self.nodes if isinstance(n.rule, BilinearRule) and n.rule.trainable
        )

    @cached_property
    def sizes(self) -> tuple[Size, ...]:
        """The number of entries of each node's value."""
        import sympy

        found = [sympy.Mul(*node.shape) for node in self.nodes]
        return tuple(int(s) if s.is_Integer else s for s in found)

    def path(self, nodes: Sequence[int]) -> str:
        """Some nodes in words, for messages."""
        return ", ".join(f"{i} ({self.nodes[i].label or self.nodes[i].rule})" for i in nodes)


__all__ = [
    "BilinearRule",
    "Graph",
    "InputRule",
    "LinearRule",
    "Node",
    "PointwiseRule",
    "Rule",
    "Shape",
    "Size",
]
