"""Real terms reduced to their arithmetic, for a solver: numbers, unknowns, sums, products, powers.

Everything that is no arithmetic (a symbol, a dimension, a norm) becomes an unknown ``("x", i)``,
numbered in order of appearance, so that the same question about other layers is literally the same
question. Powers are pushed inward, to unknowns, primes and sums.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from proofs_check.replay.arithmetic import factored, real
from proofs_check.replay.binding import put
from proofs_check.replay.samples import World
from theory.terms import Term, make

Skeleton = tuple[Any, ...]
_WORLD = World(7)
LARGEST = 20_000  # nodes


class SkeletonError(ValueError):
    """A term too large for a solver's opinion."""


class Unknowns:
    """Numbers the unknowns of one question.

    Attributes:
        positive: for each unknown, whether it is positive rather than only not negative.
    """

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self.positive: list[bool] = []
        self.nodes = 0

    def skeleton(self, term: Term) -> Skeleton:
        """The arithmetic of a real term."""
        self.nodes += 1
        if self.nodes > LARGEST:
            msg = f"more than {LARGEST} nodes"
            raise SkeletonError(msg)
        match term.head:
            case "rsum" | "rmax" if all(type(a) is int for a in term.args[1:3]):
                return self._over_indices(term)
            case "rat":
                return ("q", term.args[0])
            case "add" | "mul" | "max" | "min":
                return (term.head, *(self.skeleton(a) for a in term.args))
            case "pow":
                return raised(self.skeleton(term.args[0]), term.args[1])
        return self.unknown(term)

    def _over_indices(self, term: Term) -> Skeleton:
        """A sum or maximum of known length, written out."""
        name, low, high, body = term.args
        if high - low >= LARGEST:
            msg = f"{high - low + 1} terms over an index"
            raise SkeletonError(msg)
        variable = make("index", name, 0)
        parts = [self.skeleton(put(body, {variable: i})) for i in range(low, high + 1)]
        if len(parts) < 2:
            return parts[0] if parts else ("q", Fraction(0))
        return ("add" if term.head == "rsum" else "max", *parts)

    def unknown(self, term: Term) -> Skeleton:
        """An unknown that stands for a whole term."""
        key = _class(term)
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self.positive.append(term.head == "dim" or _named_positive(term))
        return ("x", self._numbers[key])


def _named_positive(term: Term) -> bool:
    """Whether a symbol stands for a positive number by its meaning."""
    return term.head == "sym" and term.args[0] in ("failure", "floor")


def _class(term: Term) -> Any:
    """What two terms have in common that are one unknown: the form, confirmed by a sample."""
    if term.head not in ("norm", "specnorm", "rsum", "rmax", "tail", "quantile", "rms"):
        return term
    key = real(term).key
    first = _FIRST.setdefault(key, term)
    return key if first is term or _WORLD.agree(first, term) is not False else term


_FIRST: dict[Any, Term] = {}


def raised(base: Skeleton, exponent: Fraction) -> Skeleton:
    """A power, pushed inward; what is raised to a negative power is positive."""
    if exponent == 1:
        return base
    match base[0]:
        case "mul":
            return ("mul", *(raised(b, exponent) for b in base[1:]))
        case "max" | "min":
            flipped = {"max": "min", "min": "max"}[base[0]] if exponent < 0 else base[0]
            return (flipped, *(raised(b, exponent) for b in base[1:]))
        case "pow":
            return raised(base[1], base[2] * exponent)
        case "q":
            return _number_raised(base[1], exponent)
    return ("pow", base, exponent)


def _number_raised(value: Fraction, exponent: Fraction) -> Skeleton:
    if value in (0, 1):
        return ("q", value)
    if exponent.denominator == 1 and abs(exponent) <= 64:
        return ("q", value**exponent.numerator)
    parts: list[Skeleton] = []
    for number, sign in ((value.numerator, 1), (value.denominator, -1)):
        for prime, count in factored(number):
            total = sign * count * exponent
            whole = total.numerator // total.denominator
            if abs(whole) > 64:
                msg = f"{value} to the power {exponent}"
                raise SkeletonError(msg)
            parts.append(("q", Fraction(prime) ** whole))
            if total != whole:
                parts.append(("pow", ("q", Fraction(prime)), total - whole))
    return ("mul", *parts) if len(parts) > 1 else parts[0]
