"""What is measured: a theorem or a conjecture, its bound as a number, and its predicted order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import sympy
from numpy.linalg import LinAlgError

from proofs_check.verification.plan import PlanError
from theory.evaluation import definitions_of, evaluate
from theory.graph_terms import GRAPH_STATISTICS
from theory.networks import Network
from theory.orders import Growth, order_of
from theory.terms import Term, make, mul, norm, rat, subterms
from theory.theorem import Theorem
from theory.theorems import HypothesisError
from theory.vocabulary import CENTRE, RADIUS, STATISTICS, gradient

if TYPE_CHECKING:
    from numerics.measure import Measurement
    from theory.graph import Graph

QUANTITIES = ("hessian_norm", "gradient_norm", "kernel_change", "linearization_gap")
ON_BALL = ("kernel_change", "linearization_gap")
MEASURED = (*dict.fromkeys((*STATISTICS, *GRAPH_STATISTICS)), "lambda", "beta", "tau", "ell")

Formula: TypeAlias = Callable[[Mapping[Any, float]], float]


@dataclass(frozen=True)
class Sides:
    """A number between two others.

    Attributes:
        lower: at most the exact number.
        value: the computed number.
        upper: at least the exact number.
    """

    lower: float
    value: float
    upper: float

    @classmethod
    def exactly(cls, value: float) -> Sides:
        """A number without error."""
        return cls(value, value, value)

    @classmethod
    def around(cls, value: float, error: float) -> Sides:
        """A non-negative number with an absolute error."""
        return cls(max(0.0, value - error), value, value + error)

    def widened(self, relative: float) -> Sides:
        """The same with a further relative error on both sides."""
        return Sides(self.lower * (1 - relative), self.value, self.upper * (1 + relative))

    @property
    def defined(self) -> bool:
        """Whether all three are numbers; infinity is one."""
        return not any(math.isnan(v) for v in (self.lower, self.value, self.upper))


UNKNOWN = Sides(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Conjecture:
    """A bound that nobody has proved, in the form that ``verify`` and ``falsify`` take.

    Attributes:
        name: what reports call it.
        network: the description it is about.
        bound: the bound: a real term over the symbols that theorems use (layer statistics, widths,
            R, and what ``definitions`` define), or a function of a mapping of measured quantities,
            ``("s", 2)``, ``("a", 0)``, ``("m", 1)``, ``"gradient_norm"``, ``"R"`` and so on (see
            :func:`numerics.measure`), to a number.
        quantity: what it bounds: ``hessian_norm``, ``gradient_norm``, ``kernel_change`` or
            ``linearization_gap``.
        radius: None for a statement at the centre; for one about a ball its radius, a number, or a
            symbol that ``verify`` gets a number for.
        relation: ``le``, or ``eq`` for an exact formula.
        definitions: formulas ``symbol = term``, each from earlier ones.
    """

    name: str
    network: Network
    bound: Term | Formula
    quantity: str = "hessian_norm"
    radius: sympy.Expr | float | None = None
    relation: str = "le"
    definitions: tuple[Term, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a quantity or a relation that has no measurement."""
        if self.quantity not in QUANTITIES:
            msg = f"the quantity {self.quantity!r} is not measured; give one of {QUANTITIES}"
            raise ValueError(msg)
        if self.relation not in ("le", "eq"):
            msg = f"the relation {self.relation!r} is neither 'le' nor 'eq'"
            raise ValueError(msg)
        if self.quantity in ON_BALL and self.radius is None:
            msg = f"{self.quantity} is about a ball; give radius= a number or a symbol"
            raise ValueError(msg)

    @classmethod
    def scaled(cls, theorem: Theorem, factor: int | Fraction) -> Conjecture:
        """A theorem with its bound multiplied: below 1, a sharper claim than was proved."""
        sides = theorem.inequality.args
        return cls(
            f"{theorem.name} times {Fraction(factor)}",
            network_of(theorem),
            mul(rat(Fraction(factor)), sides[1]),
            theorem.quantity,
            theorem.radius,
            theorem.inequality.head,
            theorem.definitions,
        )


Statement: TypeAlias = Theorem | Conjecture


def network_of(statement: Statement) -> Network:
    """The network a statement is about.

    Raises:
        HypothesisError: it is a general statement, which has no measurement of its own.
    """
    if statement.network is None:
        general = {
            "kernel_change": "theory.kernel_change_bound(network)",
            "linearization_gap": "theory.linearization_bound(network)",
        }
        name = statement.quantity
        instead = general.get(name, "theory.hessian_bound(network), which rests on it")
        msg = (
            f"{statement.name} is a statement about any model or tensor, with no network to "
            f"measure: verify {instead}"
        )
        raise HypothesisError(msg)
    return statement.network


def label_of(statement: Statement) -> str:
    """The name of a statement, with what tells the versions of A7 apart."""
    if not isinstance(statement, Theorem) or statement.quantity != "hessian_norm":
        return statement.name
    by = "" if statement.level == "layers" else f" by {statement.level}"
    where = "" if statement.radius is None else " on the ball"
    return f"{statement.name}{where}{by}"


def relation_of(statement: Statement) -> str:
    """``le`` or ``eq``."""
    if isinstance(statement, Conjecture):
        return statement.relation
    return statement.inequality.head


def right_side(statement: Statement) -> Term | Formula:
    """The bound: a real term, or a conjecture's function."""
    if isinstance(statement, Conjecture):
        return statement.bound
    return statement.side


def radius_of(statement: Statement, given: float | None) -> float | None:
    """The radius to measure with; None where there is no ball.

    Raises:
        PlanError: a ball of unknown radius, or a radius that is negative or not finite.
    """
    own = statement.radius
    if given is None and own is not None:
        if isinstance(own, sympy.Expr) and not own.is_number:
            msg = f"{statement.name} is about a ball of radius {own}: give radius= a number"
            raise PlanError(msg)
        given = float(own)
    if given is not None and not (math.isfinite(given) and given >= 0):
        msg = f"radius {given!r}: give a finite number that is not negative"
        raise PlanError(msg)
    return None if given is None else float(given)


# -- the bound as a number ------------------------------------------------------------------------


def bound_sides(
    statement: Statement,
    measured: Mapping[str, Measurement],
    radius: float | None,
    other: Callable[[Term], Sides],
) -> Sides:
    """The bound on a concrete network, from both ends of what was measured there.

    A bound is built of non-negative terms in which measured quantities occur with positive powers,
    so that it grows with each of them: their lower ends give a number it is not below, their upper
    ends one it is not above.

    Args:
        statement: the theorem or conjecture.
        measured: the layer statistics at the centre, by the name of the input (``x``, ``z``).
        radius: of the ball; None where there is none.
        other: measures any other norm that the bound speaks of.

    Returns:
        The bound without the rounding of this evaluation itself.
    """
    right = right_side(statement)
    if not isinstance(right, Term):
        seen: dict[Any, float] = dict(measured["x"])
        return Sides.exactly(float(right(seen if radius is None else seen | {"R": radius})))
    table = definitions_of(statement.definitions)
    known = _known(statement, right, table, measured, radius, other)
    net = network_of(statement)
    activations = net.activations if net.is_dense else ()

    def end(which: str) -> float:
        numbers = {t: getattr(s, which) for t, s in known.items()}
        try:
            return float(evaluate(right, numbers, table, activations=activations))
        except (OverflowError, LinAlgError):
            return math.inf

    return Sides(end("lower"), end("value"), end("upper"))


def choices(
    theorem: Theorem,
    measured: Mapping[str, Measurement],
    radius: float | None,
    other: Callable[[Term], Sides],
) -> dict[str, str]:
    """Which of several bounds won on a network, for each abbreviation that is the least of them.

    Args:
        theorem: a theorem about a network.
        measured: as for `bound_sides`.
        radius: as for `bound_sides`.
        other: as for `bound_sides`.
    """
    table = definitions_of(theorem.definitions)
    known = _known(theorem, theorem.side, table, measured, radius, other)
    return theorem.choices({t: s.value for t, s in known.items()}, radius)


def _known(
    statement: Statement,
    right: Term,
    table: Mapping[Term, Term],
    measured: Mapping[str, Measurement],
    radius: float | None,
    other: Callable[[Term], Sides],
) -> dict[Term, Sides]:
    """What a bound rests on, measured."""
    chosen = apriori_constants(statement, measured["x"])
    return {
        t: chosen[t] if t in chosen else _leaf(t, measured, radius, other)
        for t in leaves(right, table)
    }


def apriori_constants(statement: Statement, here: Measurement) -> dict[Term, Sides]:
    """What an a-priori bound rests on, from the widths and the norm of the input; else nothing.

    Raises:
        WidthError: the widths are too small for it; the message names the least that work.
    """
    if not isinstance(statement, Theorem) or statement.failure is None:
        return {}
    from theory.ledger import series
    from theory.ledger.apriori import constants

    if statement.graph is not None:
        sizes = [here["m", n] for n in range(len(statement.widths))]
        graph = _numeric(statement, sizes)
        scale = float(here["a", 0])
        found = series.constants(graph, float(statement.failure), scale)
        return {t: Sides.exactly(v) for t, v in found.items()}
    widths = [int(here["m", i]) for i in range(network_of(statement).depth + 1)]
    numbers = constants(statement, widths, float(here["a", 0]))
    return {t: Sides.exactly(v) for t, v in numbers.items()}


def _numeric(statement: Theorem, sizes: Sequence[float]) -> Graph:
    """The graph of a statement with numbers for its symbols, from the sizes of its nodes."""
    network = network_of(statement)
    values: dict[Any, int] = {}
    for wanted, size in zip(statement.widths, sizes, strict=True):
        if isinstance(wanted, int):
            continue
        left = [s for s in wanted.free_symbols if s not in values]
        if len(left) == 1:
            (name,) = left
            known = wanted.subs(values) - int(size)
            found = [v for v in sympy.solve(known, name) if v.is_positive]
            values[name] = int(found[0])
    return network.substitute(values).graph if network.symbols else network.graph


def leaves(term: Term, table: Mapping[Term, Term]) -> list[Term]:
    """What must be measured to know a term: statistics, widths, norms; abbreviations unfolded.

    A layer statistic is one, although a theorem also says what it abbreviates.
    """
    found: dict[Term, None] = {}
    seen: set[Term] = set()
    pending = [term]
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in table and not is_statistic(node):
            pending.append(table[node])
        elif node.head in ("sym", "dim", "norm"):
            found[node] = None
        else:
            pending.extend(a for a in node.args if isinstance(a, Term))
    return list(found)


def is_statistic(term: Term) -> bool:
    """Whether a term is a layer statistic or a constant of an activation: measured directly."""
    return term.head == "sym" and term.args[0] in MEASURED


def _leaf(
    term: Term,
    measured: Mapping[str, Measurement],
    radius: float | None,
    other: Callable[[Term], Sides],
) -> Sides:
    if term is RADIUS and radius is not None:
        return Sides.exactly(radius)
    at = next((t.args[0] for t in subterms(term) if t.head == "input"), "x")
    here = measured[at]
    if term.head == "dim" and ("m", *term.args[0].args) in here:
        return Sides.exactly(here["m", term.args[0].args[0]])
    if is_statistic(term):
        key = (term.args[0], term.args[1])
        if key[0] == "ell":  # of a fixed map by its slot; of fixed weights their measured norm
            slot = (f"ell[{term.args[2]}]", key[1])
            key = slot if slot in here else ("node_norm", key[1])
        if key in here:
            ends = here.enclosure(key)
            return Sides(ends.lower, here[key], ends.upper)
        return other(term)
    if term is norm(gradient(CENTRE, make("input", at))) and "gradient_norm" in here:
        return Sides.exactly(here["gradient_norm"])
    return other(term)


# -- the order ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prediction:
    """A predicted power law ``m^exponent (log m)^log`` as all widths grow together.

    Attributes:
        exponent: of the common width.
        log: of its logarithm.
        relation: ``<=`` for an upper bound, which a faster decay does not contradict, or ``==``.
        source: where it comes from.
    """

    exponent: Fraction
    log: Fraction
    relation: str
    source: str


def predicted_order(statement: Theorem) -> Prediction:
    """The order of a theorem's bound at a fixed radius, all width symbols growing in proportion.

    Raises:
        ValueError: the order is not determined.
    """
    widths: Sequence[Any] = statement.widths
    right = statement.side
    growth: Growth = order_of(
        right, statement.definitions, widths, None, statement.node_orders
    ).growth
    sizes = [(sum((e for _, e in m.widths), Fraction(0)), m.log) for m in growth.monomials]
    if not sizes:
        msg = f"the bound of {statement.name} is zero; it has no order"
        raise ValueError(msg)
    exponent, log = max(sizes)
    return Prediction(exponent, log, "<=", f"{statement.name}: {growth} at fixed R")
