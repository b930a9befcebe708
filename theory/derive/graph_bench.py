"""The workbench of a derivation for a graph: what depends on which weights, its lemmas."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from theory.derive.tactics import Known, use
from theory.derive.workbench import Bench, Claim
from theory.graph import BilinearRule, Graph, InputRule, LinearRule, PointwiseRule
from theory.graph_terms import Shape, parse
from theory.kernel import Judgement
from theory.lemmas import INPUT_X, POINT_P
from theory.terms import Arg, Term


class GraphError(ValueError):
    """A graph that the derivation does not cover; the message names the node and why."""


def code_of(graph: Graph) -> str:
    """The code of a graph (see :mod:`theory.lemmas.graphs`): kinds and parents.

    A node whose weights are not trained is a fixed linear map.

    Raises:
        GraphError: a node has a rule of another kind.
    """
    words = []
    for node in graph.nodes:
        match node.rule:
            case InputRule():
                words.append("input")
                continue
            case BilinearRule():
                kind = "bilinear" if node.rule.trainable else "linear"
            case PointwiseRule():
                kind = "pointwise"
            case LinearRule():
                kind = "linear"
            case _:
                msg = (
                    f"node {node.index} ({node.label}) has a rule of the kind "
                    f"{type(node.rule).__name__}; needed is an input, bilinear, linear or "
                    "pointwise rule of theory.graph"
                )
                raise GraphError(msg)
        words.append(" ".join([kind, *map(str, node.parents)]))
    return "; ".join(words)


@dataclass
class GraphDerivation(Bench):
    """The workbench of one derivation: where, for which graph, and what is known so far.

    Attributes:
        code: the graph, as the fact ``graph`` names it.
        point: the point at which the Hessian is bounded.
        at: the input.
        bar: suffix of the abbreviations' names, ``_bar`` on a ball.
        known: bounds found so far, by the norm they bound.
        definitions: abbreviations introduced so far, in order.
        claims: lines for the reader, in order.
        jacobians: what is known of each block ``dalpha^n/dW^k``.
        still: ``alpha^n = alpha^n_0`` for the nodes that have no weights below them.
    """

    code: str
    point: Term
    at: Term
    bar: str = ""
    known: Known = field(default_factory=dict)
    definitions: list[Term] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    facts: dict[Term, Judgement] = field(default_factory=dict)
    pairs: dict[tuple[int, int], Judgement] = field(default_factory=dict)
    jacobians: dict[tuple[int, int], Judgement] = field(default_factory=dict)
    still: dict[int, Judgement] = field(default_factory=dict)

    @cached_property
    def shape(self) -> Shape:
        """Kinds and parents of the nodes."""
        return parse(self.code)

    @cached_property
    def sources(self) -> tuple[frozenset[int], ...]:
        """For each node the nodes whose weights its value depends on."""
        found: list[frozenset[int]] = []
        for node, kind in enumerate(self.shape.kinds):
            own = {node} if kind == "bilinear" else set()
            found.append(frozenset(own).union(*(found[p] for p in self.shape.parents[node])))
        return tuple(found)

    def parent(self, node: int) -> int:
        """The one parent of a bilinear or pointwise node."""
        return self.shape.parents[node][0]

    def nodes(self, *kinds: str) -> list[int]:
        """The nodes of these kinds, in order."""
        return [n for n, kind in enumerate(self.shape.kinds) if kind in kinds]

    def value(self, node: int, point: Term | None = None) -> Term:
        """alpha^n at the derivation's point, or another."""
        return self.shape.value(node, point or self.point, self.at)

    def delta(self, node: int, point: Term | None = None) -> Term:
        """delta^n at the derivation's point, or another."""
        return self.shape.signal(node, point or self.point, self.at)

    def rule(
        self,
        name: str,
        *parameters: int,
        point: Term | None = None,
        bind: dict[Term, Arg] | None = None,
    ) -> Judgement:
        """A lemma about this graph, at the derivation's point or another."""
        where: dict[Term, Arg] = {POINT_P: point or self.point, INPUT_X: self.at}
        premise = self.fact("graph", self.code)
        return use(name, self.code, *parameters, bind={**where, **(bind or {})}, given=[premise])


__all__ = ["GraphDerivation", "GraphError", "code_of"]
