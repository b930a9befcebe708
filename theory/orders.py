"""Orders of growth as an exact algebra, and the order of a bound.

A growth is a finite set of monomials ``m_1^{e_1} ... m_k^{e_k} R^r (log m)^c`` with rational
exponents, standing for their maximum up to a constant factor.  The regime: every width symbol
tends to infinity, and ``1 <= R <= sqrt(min_i m_i)``.  In it a monomial is at most another when its
exponents are, along every extreme ray of the cone ``0 <= log R <= min_i log(m_i)/2``: each width
alone, and all widths together with R at its largest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from theory.terms import Term, make, substitute, subterms
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

HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Monomial:
    """``prod m_i^{widths[i]} * R^radius * (log m)^log``."""

    widths: tuple[tuple[str, Fraction], ...] = ()
    radius: Fraction = Fraction(0)
    log: Fraction = Fraction(0)

    def width(self, name: str) -> Fraction:
        """The exponent of one width."""
        return dict(self.widths).get(name, Fraction(0))

    def __mul__(self, other: Monomial) -> Monomial:
        """The product."""
        exponents = dict(self.widths)
        for name, exponent in other.widths:
            exponents[name] = exponents.get(name, Fraction(0)) + exponent
        kept = tuple(sorted((n, e) for n, e in exponents.items() if e))
        return Monomial(kept, self.radius + other.radius, self.log + other.log)

    def __pow__(self, exponent: Fraction) -> Monomial:
        """A rational power."""
        powered = tuple((n, e * exponent) for n, e in self.widths)
        return Monomial(powered, self.radius * exponent, self.log * exponent)

    def at_most(self, other: Monomial) -> bool:
        """Whether this is O(other) throughout the regime."""
        names = sorted({n for n, _ in (*self.widths, *other.widths)})
        gaps = [self.width(n) - other.width(n) for n in names]
        gaps.append(sum(gaps, Fraction(0)) + (self.radius - other.radius) * HALF)
        if any(g > 0 for g in gaps):
            return False
        strictly = all(g < 0 for g in gaps)
        return strictly or self.log <= other.log


@dataclass(frozen=True)
class Growth:
    """The maximum of finitely many monomials, none at most another; none at all for zero."""

    monomials: frozenset[Monomial]

    def __add__(self, other: Growth) -> Growth:
        """The sum, of the order of the larger."""
        return _pruned([*self.monomials, *other.monomials])

    def __mul__(self, other: Growth) -> Growth:
        """The product."""
        return _pruned(a * b for a in self.monomials for b in other.monomials)

    def __pow__(self, exponent: Fraction) -> Growth:
        """A positive power, or any power of a single monomial.

        Raises:
            ValueError: for a negative power of several monomials, whose order is not determined.
        """
        if exponent < 0 and len(self.monomials) != 1:
            msg = f"the order of a power {exponent} of {self} is not determined"
            raise ValueError(msg)
        return _pruned(a**exponent for a in self.monomials)

    def at_most(self, other: Growth) -> bool:
        """Whether this is O(other) throughout the regime."""
        return all(any(a.at_most(b) for b in other.monomials) for a in self.monomials)

    def least(self, other: Growth) -> Growth:
        """An order of the minimum of two: the smaller where they compare, else the first."""
        return other if other.at_most(self) and not self.at_most(other) else self

    def __str__(self) -> str:
        """Such as ``m^(-1/2) R (log m)^(1/2)``."""
        return " + ".join(sorted(map(monomial_text, self.monomials))) or "0"


def _pruned(monomials: Iterable[Monomial]) -> Growth:
    kept: list[Monomial] = []
    for new in monomials:
        if not any(new.at_most(old) for old in kept):
            kept = [old for old in kept if not old.at_most(new)] + [new]
    return Growth(frozenset(kept))


CONSTANT = Growth(frozenset({Monomial()}))


def of_width(width: Any) -> Growth:
    """The order of a width: constant for a number, exact for a product of powers of symbols.

    Raises:
        ValueError: when the width is another kind of expression.
    """
    if isinstance(width, int) or width.is_number:
        return CONSTANT
    exponents = {}
    for base, exponent in width.as_powers_dict().items():
        if base.is_Symbol:
            exponents[base.name] = Fraction(int(exponent.p), int(exponent.q))
        elif not base.is_number:
            msg = f"the order of the width {width} is not a product of powers of symbols"
            raise ValueError(msg)
    return Growth(frozenset({Monomial(tuple(sorted(exponents.items())))}))


def monomial_text(m: Monomial, *, latex: bool = False) -> str:
    """A monomial as text: ``m^(-1/2) R (log m)^(1/2)``."""
    log = r"(\log m)" if latex else "(log m)"
    parts = []
    for name, exponent in (*m.widths, ("R", m.radius), (log, m.log)):
        if exponent == 1:
            parts.append(name)
        elif exponent:
            parts.append(f"{name}^{{{exponent}}}" if latex else f"{name}^({exponent})")
    return " ".join(parts) or "1"


# -- the order of a bound -------------------------------------------------------------------------


@dataclass(frozen=True)
class OrderAssumption:
    """The order of a measured quantity that the order of a bound rests on.

    Attributes:
        symbol: the quantity, such as ``q_2``.
        growth: the order it is taken to have.
        why: where that comes from.
        proved: whether the toolkit proves it, as the a-priori theorem does for dense networks.
    """

    symbol: str
    growth: Growth
    why: str
    proved: bool = False

    def __str__(self) -> str:
        """The assumption with its mark."""
        mark = "proved" if self.proved else "ASSUMED"
        return f"[{mark}] {self.symbol} = O({self.growth}): {self.why}"


@dataclass(frozen=True)
class Order:
    """The order of growth of a bound.

    Attributes:
        growth: monomials in the widths, R and log.
        assumptions: orders of measured quantities it rests on.
        meaning: what O means here: in which widths, uniformly in what, with which probability.
    """

    growth: Growth
    assumptions: tuple[OrderAssumption, ...]
    meaning: str

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
        monomials = sorted(monomial_text(m, latex=True) for m in self.growth.monomials)
        return rf"O\bigl({' + '.join(monomials) or '0'}\bigr)"

    def __str__(self) -> str:
        """The order in a line."""
        return f"O({self.growth})"


MEANING = (
    "O: there is a constant that depends on the depth, on the activations' constants, on "
    "|x|/sqrt(d) and on the failure probability delta (not on the widths, and not on R while "
    "1 <= R <= sqrt(least width)) such that, with probability at least 1 - delta over the Gaussian "
    "weights, the bound is at most that constant times the expression, at all points of the ball "
    "at once, as all width symbols grow at comparable rates."
)

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
    "max": "maximum of Gaussians of standard deviation O(1)",
    "part": "bounds on the sub-models' Hessian norms, uniform in their number",
    "gradient": "|grad f|^2 = K(x, x), a sum of products of a_l and g_l",
}


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
            case "sym" | "norm" | "var" | "tail":
                return CONSTANT
            case "quantile":
                wide = any(self._is_symbolic(t) for t in subterms(term) if t.head == "dim")
                return Growth(frozenset({Monomial(log=HALF)})) if wide else CONSTANT
            case "rms":  # at most |sigma(0)| + lambda a, or lambda
                return CONSTANT + self.grow(term.args[2])
        parts = [self.grow(a) for a in term.args if isinstance(a, Term)]
        return _joined(term, parts)

    def _is_symbolic(self, term: Term) -> bool:
        return of_width(self.widths[term.args[0].args[0]]) != CONSTANT

    def _statistic(self, term: Term) -> OrderAssumption | None:
        """The order taken for a layer statistic or a gradient norm, or None for other terms."""
        from theory.writing.plain import plain

        if self.nodes is not None and term.head == "sym":
            return self.nodes.statistic(term)
        if term.head == "norm":
            return self._norm(term, plain(term))
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
        """Of N_{l,k}: root of m_l over the least width between; of C_{k,l}: that of curvature."""
        low = min(row, col)
        top = row if name == "N" else len(self.widths) - 1
        root = of_width(self.widths[row]) ** HALF
        total = Growth(frozenset())
        for index in range(low, top + 1):
            total = total + of_width(self.widths[index]) ** -HALF
        return total * (root if name == "N" else Growth(frozenset({Monomial(log=HALF)})))

    def _norm(self, term: Term, shown: str) -> OrderAssumption | None:
        """The order taken for a norm that a statement speaks of without an abbreviation."""
        kind, inner = term.args
        found = self._of_neuron(kind, inner, shown) if self.widths else None
        if found is not None:
            return found
        heads = {t.head for t in subterms(inner)}
        if "jac" in heads:
            return OrderAssumption(shown, CONSTANT, _WHY["gradient"])
        if inner.head == "op" and inner.args[0] == "alpha":
            return OrderAssumption(shown, of_width(self.widths[inner.args[3]]) ** HALF, _WHY["a"])
        if kind == "inf" and self.widths:
            root_log = Growth(frozenset({Monomial(log=HALF)}))
            return OrderAssumption(shown, root_log, _WHY["max"])
        return None


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
) -> Order:
    """The order of growth of a real term.

    Args:
        term: the bound.
        definitions: its abbreviations; a layer statistic's own definition is not unfolded.
        widths: m_0, ..., m_L, numbers or symbols.
        radius: None or a number (then R is a constant) or a symbol.
        nodes: the orders of the nodes' statistics, for a statement about a graph.

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
    )
    growth = walk.grow(term)
    return Order(growth, tuple(walk.assumed.values()), MEANING)
