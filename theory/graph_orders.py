"""Orders of growth of what is measured at the nodes of a graph.

The orders are assumed, as :mod:`theory.orders` assumes those of dense layers; they follow the graph
from the output down.  A node's own constants, tau and ell, grow as its rule says, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import sympy

from theory.graph import BilinearRule, Graph, LinearRule
from theory.graph_constants import CONSTANTS
from theory.graph_terms import Shape
from theory.orders import (
    CONSTANT,
    HALF,
    Growth,
    Monomial,
    OrderAssumption,
    of_width,
)
from theory.terms import Term

ZERO = Growth(frozenset())
ROOT_LOG = Growth(frozenset({Monomial(log=HALF)}))
_WHY = {
    "node_norm": "Davidson-Szarek: |W| <= sqrt(rows) + sqrt(columns) + t, times tau; by the sums "
    "of variances of rows and columns where each row has inputs of its own",
    "ell": "Davidson-Szarek for weights that are drawn and not trained, times tau",
    "own_norm": "Gaussian concentration of |alpha^p| / sqrt m_p, or of each neuron's own inputs",
    "mixed_norm": "at most tau g",
    "pair_curve": "at most q times what both weights reach an activation with, through maps of the "
    "orders of b, s and ell, added up",
    "pair_cross": "at most tau g and what the lower weights reach the node below with",
    "g": "from the children, through maps of the orders of s and ell",
    "q": "maximum of Gaussians of standard deviation tau g of the children; fixed maps of O(1) "
    "entries per column",
}


def growth_of(expression: Any) -> Growth:
    """The order of a positive expression in width symbols.

    A negative power of a sum is at most that of any of its summands; as all widths grow at
    comparable rates, any of them will do.

    Raises:
        ValueError: it is not made of sums, products, powers, maxima and minima of symbols.
    """
    value = sympy.Integer(expression) if isinstance(expression, int) else expression
    if value.is_number:
        return ZERO if value.is_zero else CONSTANT
    if isinstance(value, sympy.Add | sympy.Max):
        total = ZERO
        for part in value.args:
            if not part.is_number or part.is_positive:
                total = total + growth_of(part)
        return total
    if isinstance(value, sympy.Mul):
        product = CONSTANT
        for part in value.args:
            product = product * growth_of(part)
        return product
    if isinstance(value, sympy.Pow) and value.exp.is_Rational:
        base = growth_of(value.base)
        exponent = Fraction(int(value.exp.p), int(value.exp.q))
        if exponent < 0 and len(base.monomials) > 1:
            base = Growth(frozenset({min(base.monomials, key=str)}))
        return base**exponent
    if isinstance(value, sympy.Min):
        parts = [growth_of(part) for part in value.args]
        least = parts[0]
        for part in parts[1:]:
            least = least.least(part)
        return least
    return of_width(value)


@dataclass(frozen=True)
class NodeOrders:
    """The orders of a graph's statistics and constants.

    Attributes:
        graph: the graph, its sizes symbols or numbers.
        shape: the same graph as proofs write it.
    """

    graph: Graph
    shape: Shape

    def statistic(self, term: Term) -> OrderAssumption | None:
        """The order taken for a symbol; exact ones, which nothing is assumed for, are proved."""
        from theory.writing.plain import plain

        name, *tags = term.args
        if not tags or type(tags[0]) is not int:
            return None
        node = tags[0]
        match name:
            case "tau":
                why = "the constant of the node's rule"
                return OrderAssumption(plain(term), self.tau(node), why, proved=True)
            case _ if name in CONSTANTS:
                growth, why = self.constant(name, node), "the constant of the node's rule"
                return OrderAssumption(plain(term), growth, why, proved=True)
            case "ell" if isinstance(self.graph.nodes[node].rule, LinearRule):
                why = "the norm of the node's fixed map"
                return OrderAssumption(plain(term), self.ell(node, tags[1]), why, proved=True)
            case "ell":
                growth = self.ell(node, tags[1])
            case "node_norm":
                growth = self.norm(node)
            case "own_norm":
                growth = self.own(node)
            case "mixed_norm":
                growth = self.tau(node) * self.signals[node][0]
            case "g":
                growth = self.signals[node][0]
            case "q":
                growth = self.signals[node][1]
            case "pair_curve":
                growth = self._curve(node, tags[1])
            case "pair_cross":
                growth = self._cross(node, tags[1])
            case _:
                return None
        return OrderAssumption(plain(term), growth, _WHY[name])

    def _bilinear(self, node: int) -> BilinearRule:
        rule = self.graph.nodes[node].rule
        if not isinstance(rule, BilinearRule):
            msg = f"node {node} has no weights; its rule is {type(rule).__name__}"
            raise TypeError(msg)
        return rule

    def tau(self, node: int) -> Growth:
        """The order of the constant of a bilinear form."""
        return growth_of(self._bilinear(node).contraction)

    def constant(self, name: str, node: int) -> Growth:
        """The order of a constant of a node's rule for random weights."""
        found = CONSTANTS[name](self._bilinear(node))
        return growth_of(sympy.nsimplify(found) if isinstance(found, float) else found)

    def norm(self, node: int) -> Growth:
        """The order of the norm of a node's map, for independent N(0, 1) weights.

        Where each row has weights of its own to some of the columns only, divided by the root of
        their number, the variances of a row add up to 1, those of a column to at most rows tau^2,
        and the norm is at most a constant times the roots of the largest of these sums, plus
        sqrt(log) times the largest deviation, tau (Bandeira and van Handel 2016, Theorem 3.1;
        with sqrt(log) times all of it, Tropp 2015, Theorem 4.1.1).
        """
        rows, cols = (growth_of(s) for s in self._bilinear(node).weight_shape)
        if self._own_inputs(node):
            return CONSTANT + self.tau(node) * (rows**HALF + ROOT_LOG)
        return self.tau(node) * (rows**HALF + cols**HALF)

    def own(self, node: int) -> Growth:
        """The order of the derivative of a node by its own weights."""
        if self._own_inputs(node):
            return CONSTANT
        (parent,) = self.shape.parents[node]
        return self.tau(node) * growth_of(self.graph.sizes[parent]) ** HALF

    def _own_inputs(self, node: int) -> bool:
        """Whether the rows of the weights are masked, each with an in-degree of its own."""
        return type(self._bilinear(node)).mask is not BilinearRule.mask

    def ell(self, node: int, slot: int) -> Growth:
        """The order of the norm of a fixed map."""
        rule = self.graph.nodes[node].rule
        return growth_of(rule.norms[slot]) if isinstance(rule, LinearRule) else self.norm(node)

    @cached_property
    def reaches(self) -> tuple[dict[int, Growth], ...]:
        """For each node the order of its derivative by the weights of every node below it."""
        found: list[dict[int, Growth]] = []
        for node, parents in enumerate(self.shape.parents):
            own = {node: self.own(node)} if self.shape.kinds[node] == "bilinear" else {}
            for slot, parent in enumerate(parents):
                step = self._step(node, slot)
                for which, growth in found[parent].items():
                    own[which] = own.get(which, ZERO) + step * growth
            found.append(own)
        return tuple(found)

    def _step(self, node: int, slot: int) -> Growth:
        kind = self.shape.kinds[node]
        if kind == "pointwise":
            return CONSTANT
        return self.norm(node) if kind == "bilinear" else self.ell(node, slot)

    def _curve(self, row: int, col: int) -> Growth:
        total = ZERO
        for node, kind in enumerate(self.shape.kinds):
            reach = self.reaches[self.shape.parents[node][0]] if kind == "pointwise" else {}
            if row in reach and col in reach:
                total = total + self.signals[node][1] * reach[row] * reach[col]
        return total

    def _cross(self, high: int, low: int) -> Growth:
        (parent,) = self.shape.parents[high]
        return self.tau(high) * self.signals[high][0] * self.reaches[parent].get(low, ZERO)

    @cached_property
    def signals(self) -> dict[int, tuple[Growth, Growth]]:
        """The orders of g_n and q_n, from the output down."""
        found = {self.shape.last: (CONSTANT, CONSTANT)}
        for node in range(self.shape.last - 1, -1, -1):
            size, most = ZERO, ZERO
            for child, slot in self.shape.children(node):
                above, peak = found[child]
                if self.shape.kinds[child] == "pointwise":
                    size, most = size + above, most + peak
                elif isinstance(self.graph.nodes[child].rule, BilinearRule):
                    size = size + self.norm(child) * above
                    most = most + self.tau(child) * above * ROOT_LOG
                else:
                    size = size + self.ell(child, slot) * above
                    most = most + self.ell(child, slot) * peak
            found[node] = (size, most)
        return found


__all__ = ["NodeOrders", "growth_of"]
