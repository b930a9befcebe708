"""The order of growth of a bound, read off its terms, and what O, Omega and Theta mean there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from theory.growth import CONSTANT, HALF, Growth, Monomial, monomial_text, of_width
from theory.terms import PARAMS, Term, make, substitute, subterms
from theory.vocabulary import (
    PAIR_STATISTICS,
    PARTS,
    RADIUS,
    RECURSIVE,
    STATISTICS,
    recursive_definition,
)

if TYPE_CHECKING:
    from theory.graph_orders import NodeOrders


@dataclass(frozen=True)
class OrderAssumption:
    """The order of a measured quantity that the order of a bound rests on.

    Attributes:
        symbol: the quantity, such as ``q_2``.
        growth: the order it is taken to have.
        why: where that comes from.
        proved: whether the toolkit proves it, as the a-priori theorem does for dense networks.
        relation: ``O``, ``Omega`` or ``Theta``, as for the bound that rests on it.
    """

    symbol: str
    growth: Growth
    why: str
    proved: bool = False
    relation: str = "O"

    def __str__(self) -> str:
        """The assumption with its mark."""
        mark = "proved" if self.proved else "ASSUMED"
        return f"[{mark}] {self.symbol} = {self.relation}({self.growth}): {self.why}"


@dataclass(frozen=True)
class Order:
    """The order of growth of a bound.

    Attributes:
        growth: monomials in the widths, R and log.
        assumptions: orders of measured quantities it rests on.
        meaning: what O means here: in which widths, uniformly in what, with which probability.
        relation: ``O`` of an upper bound, ``Omega`` of a lower one, ``Theta`` of an equality, or
            ``Otilde``, an upper bound up to powers of logarithms.
    """

    growth: Growth
    assumptions: tuple[OrderAssumption, ...]
    meaning: str
    relation: str = "O"

    @property
    def soft(self) -> Order:
        """The same upper bound up to powers of logarithms.

        Raises:
            ValueError: for a lower bound, which dropping a logarithm could make false.
        """
        if self.relation == "Omega":
            msg = f"{self} is a lower bound; without its logarithms it would say another thing"
            raise ValueError(msg)
        return Order(self.growth.soft, self.assumptions, MEANINGS["Otilde"], "Otilde")

    def exponent(self, name: str) -> Fraction:
        """The exponent of a width symbol, of ``R`` or of ``log`` in the leading monomial.

        Raises:
            ValueError: when several monomials lead and their exponents differ, or the bound is 0.
        """
        found = {
            {"R": m.radius, "log": m.log}.get(name, m.width(name)) for m in self.growth.monomials
        }
        if len(found) != 1:
            msg = f"{name} has no single exponent in {self.growth}: {sorted(found)}"
            raise ValueError(msg)
        return found.pop()

    @property
    def latex(self) -> str:
        """The order for a page."""
        from theory.writing.sentences import growth_to_latex

        return rf"{SIGNS[self.relation]}\bigl({growth_to_latex(self.growth)}\bigr)"

    def __str__(self) -> str:
        """The order in a line."""
        return f"{self.relation}({self.growth})"


SIGNS = {"O": "O", "Otilde": r"\tilde O", "Omega": r"\Omega", "Theta": r"\Theta"}
_CONSTANT = (
    "that depends on the depth, on the activations' constants, on |x|/sqrt(d) and on the failure "
    "probability delta (not on the widths, and not on R while 1 <= R <= sqrt(least width)) such "
    "that, with probability at least 1 - delta over the Gaussian weights, the bound is"
)
_WHERE = (
    "at all points of the ball at once, as all width symbols grow, each at most like a power of "
    "every other."
)
MEANING = f"O: there is a constant {_CONSTANT} at most that constant times the expression, {_WHERE}"
MEANINGS = {
    "O": MEANING,
    "Otilde": (
        "Otilde: there are a power of the logarithm of the largest width and a constant "
        f"{_CONSTANT} at most both times the expression, {_WHERE}"
    ),
    "Omega": (
        f"Omega: there is a positive constant {_CONSTANT} at least that constant times the "
        f"expression, {_WHERE}"
    ),
    "Theta": (
        f"Theta: there are two positive constants {_CONSTANT} between them times the expression, "
        f"{_WHERE}"
    ),
}

_WHY = {
    "s": "Davidson-Szarek: s_l <= (sqrt m_l + sqrt m_{l-1} + t) / sqrt m_{l-1}",
    "a": "Gaussian concentration of |alpha^l| / sqrt m_l (LZB20/A7-apriori)",
    "g": "Gaussian conditioning of delta^l on its linear image (LZB20/A7-apriori)",
    "q": "maximum of m_l Gaussians of standard deviation O(1/sqrt m_l)",
    "r": "at most s_l times sup|sigma'| (LZB20/A7-apriori)",
    "h": "at most g_l times sup|sigma'| (LZB20/A7-apriori)",
    "c": "at most q_l times sup|sigma''| (LZB20/A7-apriori)",
    "t": "at most r_l times c_l",
    "y": "at most r_l^2 times c_l",
    "e": "at most s_l times q_l",
    "p": "at most s_l times q_l",
    "u": "at most s_l",
    "N": "singular values of a product of Gaussian matrices and slopes",
    "C": "curvature of the output as a function of one layer, a sum of random signs",
    "n": "singular values of a product of Gaussian matrices and slopes",
    "w": "at most n_{l,k}",
    "b": "at most n_{l,k} times c_l",
    "max": "maximum of Gaussians of standard deviation O(1)",
    "part": "bounds on the sub-models' Hessian norms, uniform in their number",
    "distance": "at most R for a point of the ball",
    "residual": "outputs of variance O(1) at a random start, and labels of order one",
    "gradient": "|grad f|^2 = K(x, x), a sum of products of a_l and g_l",
}

_OF_TRAINING = {
    "mu": "least eigenvalue of the limiting kernel on the training set, which does not grow",
    "mu_inverse": "least eigenvalue of the limiting kernel, positive where no two inputs are "
    "parallel; the kernel stays near it on the ball",
    "slope_sup": "|J|^2 = |K| on a fixed training set, K a sum of products of a_l and g_l",
    "slope_inverse": "|J|^2 = |K| on a fixed training set, K a sum of products of a_l and g_l",
    "rate": "at most 1, as kappa + eta mu = 1",
    "rate_power": "at most 1, as kappa + eta mu = 1",
}
_AT_MOST_ONE = frozenset({"rate", "rate_power"})

PROVED = frozenset({"s", "a", "g", "q", "r", "h", "c"})
"""Layer statistics of dense networks whose order is proved: A7 a priori bounds each by a quantity
of that order, with probability at least 1 - delta over Gaussian weights; a test compares them."""


@dataclass
class _Walk:
    """What one walk over a bound needs: abbreviations, widths, and what it has found."""

    table: Mapping[Term, Term]
    widths: Sequence[Any]
    fixed_radius: bool
    nodes: NodeOrders | None = None
    relation: str = "O"
    memo: dict[Term, Growth] = field(default_factory=dict)
    assumed: dict[str, OrderAssumption] = field(default_factory=dict)

    def grow(self, term: Term) -> Growth:
        """The growth of a term, abbreviations unfolded, layer statistics taken as assumed."""
        if term not in self.memo:
            self.memo[term] = self._grow(term)
        return self.memo[term]

    def _grow(self, term: Term) -> Growth:
        taken = self._statistic(term)
        if taken is not None:
            self.assumed[taken.symbol] = taken
            return taken.growth
        if term in self.table:
            return self.grow(self.table[term])
        match term.head:
            case "dim" if term.args[0] is PARTS:
                return _named("m")
            case "rsum" | "rmax":
                return self._over_range(term)
            case "sym" if term.args[0] in RECURSIVE:
                return self.grow(unfolded(term)[0])
            case "sym" if term.args[0] == "eta":
                return _named("eta")
            case "dim":
                return of_width(self.widths[term.args[0].args[0]])
            case "rat":
                return CONSTANT if term.args[0] else Growth(frozenset())
            case "sym" if term is RADIUS and not self.fixed_radius:
                return Growth(frozenset({Monomial(radius=Fraction(1))}))
            case "sym" | "norm" | "var":
                return CONSTANT
            case "tail" | "quantile":
                wide = any(self._is_symbolic(t) for t in subterms(term) if t.head == "dim")
                return Growth(frozenset({Monomial(log=HALF)})) if wide else CONSTANT
            case "rms" if self.relation == "O":  # at most |sigma(0)| + lambda a, or lambda
                return CONSTANT + self.grow(term.args[2])
            case "rms":
                msg = f"the order of {term} is known from above alone, not {self.relation}"
                raise ValueError(msg)
        parts = [self.grow(a) for a in term.args if isinstance(a, Term)]
        if term.head == "min" and self.relation != "O":
            return _least(parts, self.relation)
        return _joined(term, parts)

    def _is_symbolic(self, term: Term) -> bool:
        space = term.args[0]
        sizes = self.widths if space is PARAMS else (self.widths[space.args[0]],)
        return any(getattr(size, "free_symbols", ()) for size in sizes)

    def _statistic(self, term: Term) -> OrderAssumption | None:
        """The order taken for a layer statistic or a gradient norm, or None for other terms."""
        from theory.writing.plain import plain

        if self.nodes is not None and term.head == "sym":
            return self.nodes.statistic(term)
        if term.head == "norm":
            return self._norm(term, plain(term))
        if term.head == "sym" and term.args[0] in _OF_TRAINING:
            return self._of_training(term.args[0], plain(term))
        if term.head == "sym" and term.args[0] == "part_beta":
            return OrderAssumption(plain(term), CONSTANT, _WHY["part"])
        if term.head != "sym" or term.args[0] not in (*STATISTICS, *PAIR_STATISTICS):
            return None
        name, index = term.args[0], term.args[1]
        growth = CONSTANT
        root_log = Growth(frozenset({Monomial(log=HALF)}))
        if name in PAIR_STATISTICS:
            growth = self._pair(name, term.args[1], term.args[2])
        elif name in ("s", "r", "u"):
            growth = self._strength(index)
        elif name in ("q", "c", "t", "y", "e", "p"):
            growth = of_width(self.widths[index]) ** -HALF * root_log
            for _ in range({"q": 0, "c": 0, "y": 2}.get(name, 1)):
                growth = growth * self._strength(index)
        return OrderAssumption(plain(term), growth, _WHY[name], name in PROVED)

    def _of_training(self, name: str, shown: str) -> OrderAssumption:
        """Numbers of a training run; a contraction is at most 1 and may be anything below it."""
        if name in _AT_MOST_ONE and self.relation != "O":
            msg = f"the order of {shown} is known from above alone, not {self.relation}"
            raise ValueError(msg)
        return OrderAssumption(shown, CONSTANT, _OF_TRAINING[name], name in _AT_MOST_ONE)

    def _over_range(self, term: Term) -> Growth:
        """Of a sum or maximum over an index: written out, or m times or once its general term."""
        _, low, high, body = term.args
        if type(low) is int and type(high) is int:
            return sum((self.grow(t) for t in unfolded(term)), Growth(frozenset()))
        largest = self.grow(body)
        if term.head == "rmax":
            return largest
        if type(high) is int or high.args[0] != "m":
            msg = f"the order of the number of terms of {term} is not known"
            raise ValueError(msg)
        return largest * _named("m")

    def _of_neuron(self, kind: str, inner: Term, shown: str) -> OrderAssumption | None:
        """Norms that the theorem on single neurons speaks of: of weights, of its signal."""
        if inner.head == "op" and inner.args[0] == "W":
            row, col = (of_width(self.widths[inner.args[3] - i]) for i in (0, 1))
            return OrderAssumption(shown, row**HALF + col**HALF, _WHY["s"])
        transfers = [t for t in subterms(inner) if t.head == "op" and t.args[0] == "B"]
        if not transfers:
            return None
        if kind == "2":
            return OrderAssumption(shown, CONSTANT, _WHY["g"])
        root_log = Growth(frozenset({Monomial(log=HALF)}))
        spread = of_width(self.widths[transfers[0].args[4]]) ** -HALF * root_log
        return OrderAssumption(shown, spread, _WHY["q"])

    def _strength(self, index: int) -> Growth:
        """Of a Gaussian matrix over the root of its columns: root of rows over columns, or 1."""
        ratio = of_width(self.widths[index]) * of_width(self.widths[index - 1]) ** Fraction(-1)
        return CONSTANT + ratio**HALF

    def _pair(self, name: str, row: int, col: int) -> Growth:
        """Of N, n, w: root of m_l over the least width between; of C and b: that of curvature."""
        if name == "b":
            root_log = Growth(frozenset({Monomial(log=HALF)}))
            spread = of_width(self.widths[row]) ** -HALF * root_log
            return self._pair("n", row, col) * spread
        low = min(row, col)
        jacobian = name != "C"
        top = row if jacobian else len(self.widths) - 1
        root = of_width(self.widths[row]) ** HALF
        total = Growth(frozenset())
        for index in range(low, top + 1):
            total = total + of_width(self.widths[index]) ** -HALF
        if jacobian:
            return total * root
        if self.relation == "Omega":
            return total
        return total * Growth(frozenset({Monomial(log=HALF)}))

    def _norm(self, term: Term, shown: str) -> OrderAssumption | None:
        """The order taken for a norm that a statement speaks of without an abbreviation."""
        kind, inner = term.args
        found = self._of_neuron(kind, inner, shown) if self.widths else None
        if found is not None:
            return found
        heads = {t.head for t in subterms(inner)}
        if "hess" in heads:
            return self._hessian(inner, shown)
        if "jac" in heads:
            return OrderAssumption(shown, CONSTANT, _WHY["gradient"])
        if any(t.head == "op" and t.args[0] in ("F", "labels") for t in subterms(inner)):
            return OrderAssumption(shown, CONSTANT, _WHY["residual"])
        named = [t.args[0] for t in subterms(inner) if t.head == "op"]
        if named and set(named) == {"theta"}:
            radius = Growth(frozenset({Monomial(radius=Fraction(1))}))
            reach = CONSTANT if self.fixed_radius else radius
            return OrderAssumption(shown, reach, _WHY["distance"])
        if inner.head == "op" and inner.args[0] == "alpha":
            return OrderAssumption(shown, of_width(self.widths[inner.args[3]]) ** HALF, _WHY["a"])
        if kind == "inf" and self.widths:
            root_log = Growth(frozenset({Monomial(log=HALF)}))
            return OrderAssumption(shown, root_log, _WHY["max"])
        return None

    def _hessian(self, inner: Term, shown: str) -> OrderAssumption:
        """A sub-model's Hessian norm is what it is; that of f is what theorems are about."""
        if any(t.head == "op" and t.args[0] == "f" for t in subterms(inner)):
            msg = (
                f"the order of {shown} is not known: theorems bound it, no statistic gives it; "
                "ask for the order of a bound, such as theory.hessian_bound(network).order"
            )
            raise ValueError(msg)
        return OrderAssumption(shown, CONSTANT, _WHY["part"])


def unfolded(term: Term) -> list[Term]:
    """What a sum or maximum between numbers ranges over; what a recursive symbol stands for."""
    args = term.args
    if term.head in ("rsum", "rmax") and type(args[1]) is type(args[2]) is int:
        variable = make("index", args[0], 0)
        return [substitute(args[3], {variable: i}) for i in range(args[1], args[2] + 1)]
    if term.head == "sym" and args[0] in RECURSIVE and type(args[1]) is int:
        return [recursive_definition(*args)]
    return []


def _named(symbol: str) -> Growth:
    """The growth of a symbol that is no width: the number m of sub-models, the scale eta."""
    return Growth(frozenset({Monomial(((symbol, Fraction(1)),))}))


def _least(parts: list[Growth], relation: str) -> Growth:
    """The order of a minimum from below: that of the part that all others are at least."""
    for part in parts:
        if all(part.at_most(other) for other in parts):
            return part
    msg = f"{relation} of the minimum of {', '.join(map(str, parts))}: none is below all others"
    raise ValueError(msg)


def _joined(term: Term, parts: list[Growth]) -> Growth:
    result = parts[0]
    if term.head == "pow":
        return result ** term.args[1]
    for part in parts[1:]:
        if term.head == "mul":
            result = result * part
        elif term.head == "min":
            result = result.least(part)
        else:  # a sum, a maximum, or a matrix of fixed size: of the order of the largest
            result = result + part
    return result


def order_of(
    term: Term,
    definitions: Sequence[Term],
    widths: Sequence[Any],
    radius: Any = None,
    nodes: NodeOrders | None = None,
    relation: str = "O",
) -> Order:
    """The order of growth of a real term.

    Args:
        term: the bound.
        definitions: its abbreviations; a layer statistic's own definition is not unfolded.
        widths: m_0, ..., m_L, numbers or symbols.
        radius: None or a number (then R is a constant) or a symbol.
        nodes: the orders of the nodes' statistics, for a statement about a graph.
        relation: how the order bounds: ``O``, ``Omega`` or ``Theta``.

    Returns:
        The order with the assumptions it rests on.

    Raises:
        ValueError: when the order is not determined.
        IndexError: when the statement speaks of a width that is not given.
    """
    walk = _Walk(
        {d.args[0]: d.args[1] for d in definitions},
        widths,
        radius is None or radius.is_number,
        nodes,
        relation,
    )
    growth = walk.grow(term)
    upper = relation == "O"  # what is proved of the statistics are bounds from above
    assumed = tuple(
        replace(a, relation=relation, proved=a.proved and upper) for a in walk.assumed.values()
    )
    return Order(growth, assumed, MEANINGS[relation], relation)


__all__ = [
    "CONSTANT",
    "HALF",
    "MEANING",
    "MEANINGS",
    "SIGNS",
    "Growth",
    "Monomial",
    "Order",
    "OrderAssumption",
    "monomial_text",
    "of_width",
    "order_of",
    "unfolded",
]
