"""A second opinion on the real arithmetic of a proof, from the SMT solver z3.

The rules of the kernel are not mentioned to the solver: it is asked whether the premises of a step,
as statements about unknown non-negative reals, imply its conclusion.  Norms, symbols and dimensions
are unknowns; a rational power is a fine root r with r^n = x.  Questions are kept small: first with
whole sides as unknowns (a chain of inequalities needs no more), then, for monotone substitution,
one level of the context at a time, and only then in full.  Equal questions up to renaming are asked
once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import z3

from proofs_check.replay.arithmetic import ArithmeticLimitError
from proofs_check.replay.binding import BindingError, free, postorder, put
from proofs_check.replay.skeletons import Skeleton, SkeletonError, Unknowns
from theory.proofs import Step
from theory.terms import Term, TermError

AGREED, CONTRADICTED, UNKNOWN = "agreed", "contradicted", "unknown"
ARITHMETIC_RULES = frozenset(
    {"by_form", "at_most_by_form", "monotone", "transitivity", "weaken", "symmetry"}
)
TIMEOUT_MS = 2000


@dataclass(frozen=True)
class Opinion:
    """What the solver says of a step.

    Attributes:
        verdict: ``agreed``, ``contradicted`` or ``unknown``.
        reason: for a contradiction, values of the unknowns that refute the step.
    """

    verdict: str
    reason: str = ""


def is_arithmetic(step: Step) -> bool:
    """Whether the solver is asked about a step: reals compared by an arithmetic rule."""
    formula = step.conclusion
    return (
        step.rule in ARITHMETIC_RULES
        and formula.head in ("le", "eq")
        and formula.args[0].sort == "real"
    )


def opinion(step: Step, premises: Sequence[Term], timeout_ms: int = TIMEOUT_MS) -> Opinion:
    """The solver's opinion of one arithmetic step.

    Args:
        step: the step, its conclusion as claimed.
        premises: the conclusions, as claimed, of the steps it appeals to.
        timeout_ms: limit for each question.
    """
    try:
        if step.rule not in ("by_form", "at_most_by_form"):
            whole = _ask(premises, step.conclusion, timeout_ms, whole=True)
            if whole.verdict == AGREED:
                return whole
        if step.rule == "monotone" and _by_levels(step, premises, timeout_ms):
            return Opinion(AGREED)
        return _ask(premises, step.conclusion, timeout_ms)
    except (SkeletonError, ArithmeticLimitError, TermError, BindingError, RecursionError) as error:
        return Opinion(UNKNOWN, f"{type(error).__name__}: {error}")


def implies(premises: Sequence[Term], conclusion: Term, timeout_ms: int = TIMEOUT_MS) -> Opinion:
    """Whether formulas about reals imply another, as far as arithmetic alone can tell."""
    try:
        return _ask(premises, conclusion, timeout_ms)
    except (SkeletonError, ArithmeticLimitError, RecursionError) as error:
        return Opinion(UNKNOWN, f"{type(error).__name__}: {error}")


# -- questions ------------------------------------------------------------------------------------

Formula = tuple[str, Skeleton, Skeleton]
Question = tuple[tuple[Formula, ...], tuple[bool, ...]]  # premises, conclusion; what is positive


def _ask(
    premises: Sequence[Term], conclusion: Term, timeout_ms: int, *, whole: bool = False
) -> Opinion:
    """Do the premises imply the conclusion; with whole sides as unknowns, or in full."""
    unknowns = Unknowns()
    side = unknowns.unknown if whole else unknowns.skeleton
    formulas = tuple(
        (f.head, side(f.args[0]), side(f.args[1]))
        for f in (*premises, conclusion)
        if f.head in ("le", "eq") and f.args[0].sort == "real"
    )
    return _answer((formulas, tuple(unknowns.positive)), timeout_ms)


@lru_cache(maxsize=100_000)
def _answer(question: Question, timeout_ms: int) -> Opinion:
    *premises, (head, left, right) = question[0]
    if left == right:
        return Opinion(AGREED)
    encoding = _Encoding(question)
    goal = encoding.relation(head, left, right)
    given = [encoding.relation(*p) for p in premises]
    if head == "eq" and not given:
        difference = z3.simplify(encoding.term(left) - encoding.term(right), som=True)
        if z3.is_rational_value(difference) and difference.as_fraction() == 0:
            return Opinion(AGREED)
    solver = z3.Solver()
    solver.set("timeout", timeout_ms)
    solver.set("random_seed", 1)
    solver.add(*encoding.facts, *given, z3.Not(goal))
    result = solver.check()
    if result == z3.unsat:
        return Opinion(AGREED)
    if result == z3.sat:
        return Opinion(CONTRADICTED, str(solver.model())[:500])
    return Opinion(UNKNOWN, solver.reason_unknown())


class _Encoding:
    """Skeletons as z3 terms, with the facts that hold of their unknowns."""

    def __init__(self, question: Question) -> None:
        formulas, self.positive = question
        self.facts: list[Any] = []
        self._exponents: dict[Skeleton, set[Fraction]] = {}
        self._roots: dict[Skeleton, tuple[Any, Any, int]] = {}
        for _, left, right in formulas:
            self._collect(left, Fraction(1))
            self._collect(right, Fraction(1))

    def _collect(self, node: Skeleton, exponent: Fraction) -> None:
        match node[0]:
            case "pow":
                self._collect(node[1], node[2])
            case "q":
                if exponent.denominator > 1:
                    self._exponents.setdefault(node, set()).add(exponent)
            case "x":
                self._exponents.setdefault(node, set()).add(exponent)
            case _:
                if exponent.denominator > 1 or exponent < 0:
                    self._exponents.setdefault(node, set()).add(exponent)
                for part in node[1:]:
                    self._collect(part, Fraction(1))

    def _root(self, node: Skeleton) -> tuple[Any, Any, int]:
        """Unknowns for a fine root of the node and for its inverse, and how fine it is."""
        if node not in self._roots:
            exponents = self._exponents[node]
            fine = math.lcm(*(e.denominator for e in exponents))
            name = f"x{node[1]}" if node[0] == "x" else f"r{len(self._roots)}"
            up, down = z3.Real(name), z3.Real(f"{name}_inverse")
            self._roots[node] = (up, down, fine)
            self._describe(node, exponents, up, down, fine)
        return self._roots[node]

    def _describe(
        self, node: Skeleton, exponents: set[Fraction], up: Any, down: Any, fine: int
    ) -> None:
        inverted = any(e < 0 for e in exponents)
        only_inverted = inverted and node[0] == "x" and all(e < 0 for e in exponents)
        positive = inverted or node[0] == "q" or (node[0] == "x" and self.positive[node[1]])
        if inverted:
            self.facts.append(down > 0)
        if only_inverted:
            return
        self.facts.append(up > 0 if positive else up >= 0)
        if inverted:
            self.facts.append(up * down == 1)
        if node[0] != "x":
            self.facts.append(_whole_power(up, fine) == self.term(node))

    def relation(self, head: str, left: Skeleton, right: Skeleton) -> Any:
        """A formula between two skeletons."""
        a, b = self.term(left), self.term(right)
        return a <= b if head == "le" else a == b

    def term(self, node: Skeleton) -> Any:
        """A skeleton as a z3 term."""
        match node[0]:
            case "q":
                return z3.RealVal(f"{node[1].numerator}/{node[1].denominator}")
            case "x":
                return self._power(node, Fraction(1))
            case "pow":
                return self._power(node[1], node[2])
        parts = [self.term(p) for p in node[1:]]
        total = parts[0]
        for part in parts[1:]:
            match node[0]:
                case "add":
                    total = total + part
                case "mul":
                    total = total * part
                case "max":
                    total = z3.If(total <= part, part, total)
                case "min":
                    total = z3.If(total <= part, total, part)
        return total

    def _power(self, node: Skeleton, exponent: Fraction) -> Any:
        if node not in self._exponents:  # a sum to a whole power
            return _whole_power(self.term(node), exponent.numerator)
        up, down, fine = self._root(node)
        whole = int(exponent * fine)
        return _whole_power(up, whole) if whole > 0 else _whole_power(down, -whole)


def _whole_power(base: Any, exponent: int) -> Any:
    if exponent > 256:
        msg = f"the power {exponent} is too high for the solver"
        raise SkeletonError(msg)
    total = base
    for _ in range(exponent - 1):
        total = total * base
    return total


# -- monotone substitution, one level at a time ---------------------------------------------------


def _by_levels(step: Step, premises: Sequence[Term], timeout_ms: int) -> bool:
    """Whether the claim is the template with the premises' sides, and each level of it grows."""
    template, holes = step.data
    sides = [(p.args[0], p.args[1]) for p in premises]
    for i in (0, 1):
        filled = put(template, {h: s[i] for h, s in zip(holes, sides, strict=True)})
        if filled is not step.conclusion.args[i]:
            return False
    spots = frozenset(holes)
    levels = {
        (node.head, node.args[1] if node.head == "pow" else None)
        for node in postorder(template, spots.__contains__)
        if free(node) & spots
    }
    return step.conclusion.head == "le" and all(_grows(*level, timeout_ms) for level in levels)


@lru_cache(maxsize=1000)
def _grows(head: str, exponent: Fraction | None, timeout_ms: int) -> bool:
    """Whether an operation of non-negative reals grows with its arguments, asked of the solver.

    Sums, products, maxima and minima of many arguments grow as those of two do, one after the
    other.
    """
    x, y, u, v = (("x", i) for i in range(4))
    claims: list[tuple[Formula, ...]] = []
    if head in ("add", "mul", "max", "min"):
        claims.append((("le", x, y), ("le", u, v), ("le", (head, x, u), (head, y, v))))
    elif head == "pow" and exponent is not None and exponent > 0:
        # with roots u and v: from u^q <= v^q first u <= v, and from that u^p <= v^p
        for power, upward in ((exponent.denominator, False), (exponent.numerator, True)):
            low, high = (("pow", w, Fraction(power)) for w in (u, v))
            both: tuple[Formula, Formula] = (("le", u, v), ("le", low, high))
            if power > 1:
                claims.append(both if upward else both[::-1])
    else:
        return False
    none_positive = (False,) * 4
    return all(_answer((c, none_positive), timeout_ms).verdict == AGREED for c in claims)
