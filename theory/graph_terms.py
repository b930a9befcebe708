"""Kernel terms of a graph of elementary maps: its code, and what belongs to its nodes.

A graph is written as one word, its *code*: nodes in topological order, each by its kind and its
parents, such as ``"input; bilinear 0; pointwise 1; bilinear 2"``.  In a proof about it ``alpha^n``
is the value of node n and ``delta^n`` the derivative of the output by that value; both live in the
space ``layer n``, or, as a pointwise node changes no shape, in the space of its parent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from theory.terms import PARAMS, SCALAR, Arg, Term, make, norm, tensor
from theory.vocabulary import layer

MOST_NODES = 400
_NODE = re.compile(r"(bilinear|pointwise|linear)((?: (?:0|[1-9][0-9]{0,2}))+)")


@dataclass(frozen=True)
class Shape:
    """What a code says.

    Attributes:
        kinds: the kind of each node; ``input`` for node 0 alone.
        parents: the parents of each node, in order, each before the node.
    """

    kinds: tuple[str, ...]
    parents: tuple[tuple[int, ...], ...]

    @property
    def last(self) -> int:
        """The output, the last node."""
        return len(self.kinds) - 1

    @cached_property
    def weighted(self) -> tuple[int, ...]:
        """The nodes whose weights are the parameters."""
        return tuple(n for n, kind in enumerate(self.kinds) if kind == "bilinear")

    @cached_property
    def spaces(self) -> tuple[int, ...]:
        """For each node the one whose space its value is in: a pointwise node has its parent's."""
        found: list[int] = []
        for node, kind in enumerate(self.kinds):
            found.append(found[self.parents[node][0]] if kind == "pointwise" else node)
        return tuple(found)

    def children(self, node: int) -> list[tuple[int, int]]:
        """The nodes that a node is a parent of, each with the slot that it has there."""
        return [
            (n, slot)
            for n, parents in enumerate(self.parents)
            for slot, parent in enumerate(parents)
            if parent == node
        ]

    # -- terms ------------------------------------------------------------------------------------

    def space(self, node: int) -> Term:
        """The space that the value of a node lives in."""
        return layer(self.spaces[node])

    def value(self, node: int, point: Term, at: Term) -> Term:
        """alpha^n, the value of node n."""
        return make("op", "alpha", self.space(node), SCALAR, node, point, at)

    def signal(self, node: int, point: Term, at: Term) -> Term:
        """delta^n, the derivative of the output by the value of node n."""
        return make("op", "delta", self.space(node), SCALAR, node, point, at)

    def map(self, node: int, point: Term) -> Term:
        """A^n, by which a bilinear node acts on its parent: ``alpha^n = A^n alpha^p``."""
        parent = self.space(self.parents[node][0])
        return make("op", "node_map", self.space(node), parent, node, point)

    def form(self, node: int) -> Term:
        """T^n, the bilinear form of node n, from weights (x) parent's value."""
        whole = tensor(weights_of(node), self.space(self.parents[node][0]))
        return make("op", "form", self.space(node), whole, node)

    def own(self, node: int, point: Term, at: Term) -> Term:
        """B^n, the derivative of the value of node n by its own weights."""
        return make("op", "own", self.space(node), weights_of(node), node, point, at)

    def mixed(self, node: int, point: Term, at: Term) -> Term:
        """sum_k delta^n_k T^n_k, from the parent's value to the weights of a bilinear node."""
        return make("contract", self.signal(node, point, at), self.form(node))

    def link(self, node: int, slot: int) -> Term:
        """L^{n,j}, the fixed map of node n on the value of its j-th parent."""
        parent = self.space(self.parents[node][slot])
        return make("op", "link", self.space(node), parent, node, slot)

    @property
    def covector(self) -> Term:
        """e, the unit vector that picks one output of the last node."""
        return make("op", "covector", self.space(self.last), SCALAR, self.last)

    def definition(self, name: str, node: int, point: Term, at: Term) -> Term:
        """What a measured statistic of node n stands for, as a real term.

        Raises:
            KeyError: the name is not one of ``GRAPH_STATISTICS``.
        """
        match name:
            case "node_norm":
                return norm(self.map(node, point))
            case "own_norm":
                return norm(self.own(node, point, at))
            case "mixed_norm":
                return norm(self.mixed(node, point, at))
            case "g":
                return norm(self.signal(node, point, at))
            case "q":
                return norm(self.signal(node, point, at), "inf")
        msg = f"{name!r} is not a statistic of a node; these are {', '.join(GRAPH_STATISTICS)}"
        raise KeyError(msg)


GRAPH_STATISTICS = ("node_norm", "own_norm", "mixed_norm", "g", "q")


@lru_cache(maxsize=1024)
def parse(code: str) -> Shape:
    """The graph of a code.

    Raises:
        ValueError: when the word is not the code of a graph.
    """
    words = code.split("; ")
    if words[0] != "input" or not 2 <= len(words) <= MOST_NODES:
        msg = f"a graph begins with its input and has 2 to {MOST_NODES} nodes"
        raise ValueError(msg)
    kinds: list[str] = ["input"]
    parents: list[tuple[int, ...]] = [()]
    for node, word in enumerate(words[1:], start=1):
        match = _NODE.fullmatch(word)
        if match is None:
            msg = f"node {node} of the graph is {word[:40]!r}, not a kind and its parents"
            raise ValueError(msg)
        above = tuple(map(int, match[2].split()))
        if any(p >= node for p in above) or (match[1] != "linear" and len(above) != 1):
            msg = f"node {node} of the graph, {word[:40]!r}, has parents that it cannot have"
            raise ValueError(msg)
        kinds.append(match[1])
        parents.append(above)
    return Shape(tuple(kinds), tuple(parents))


def weights_of(node: Arg) -> Term:
    """The space of the weights of a node."""
    return make("weights", node)


def block_of(node: Arg) -> Term:
    """The coordinate projection of all parameters onto the weights of a node."""
    return make("op", "Pi", weights_of(node), PARAMS, node)


def contraction_constant(node: Arg) -> Term:
    """tau_n: ``|c . T^n(V, a)| <= tau_n |c| |V| |a|``."""
    return make("sym", "tau", node)


def link_constant(node: Arg, slot: int) -> Term:
    """ell_{n,j}, at least the norm of L^{n,j}."""
    return make("sym", "ell", node, slot)


__all__ = [
    "GRAPH_STATISTICS",
    "Shape",
    "block_of",
    "contraction_constant",
    "link_constant",
    "parse",
    "weights_of",
]
