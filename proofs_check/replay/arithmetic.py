"""Equality and order of real terms, decided in polynomial rings of FLINT.

Another road than :mod:`theory.normal`: a real term becomes a polynomial over Q divided by a
monomial, in a ring whose generators g_1, g_2, ... belong to this term alone.  A generator is a fine
root of an atom, ``atom = g^n`` with n = ``FINE``, so that rational powers of atoms are whole powers
of generators; the ring's own arithmetic (in C) does the rest.  For a prime p under a root the
relation ``g^n = p`` is reduced by; the classes of the monomials in such g are linearly independent
over Q (Besicovitch), so equal numbers have equal forms.

An atom is a symbol, a dimension, a maximum or minimum, a norm, or a power of a sum that is not a
whole positive power.  Atoms are non-negative, so a difference with only non-negative coefficients
is non-negative; an atom under a negative power is positive, which the term language sees to.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from fractions import Fraction
from typing import Any

from flint import Ordering, fmpq, fmpq_mpoly_ctx, fmpz

from proofs_check.replay.binding import brief, postorder, put
from theory.terms import Term, make

FINE = 2**8 * 3**4 * 5**2 * 7 * 11 * 13  # generators are roots of their atoms of this order
MOST_PRODUCTS = 250_000  # term-by-term products in one multiplication
MOST_DIGITS_OF_POWER = 20_000
MOST_TERMS = 5_000  # of a sum or maximum over an index


class ArithmeticLimitError(ValueError):
    """An expression too large, or with a root too fine, for exact comparison here."""


Key = Hashable
_ATOMS: dict[Key, int] = {}
_PRIMES: dict[int, int] = {}  # generator number -> prime
_CONTEXTS: dict[tuple[int, ...], Any] = {}


def atom(key: Key) -> int:
    """The number of the generator that belongs to an atom."""
    return _ATOMS.setdefault(key, len(_ATOMS))


def _prime(value: int) -> int:
    number = atom(("prime", value))
    _PRIMES[number] = value
    return number


def _context(gens: tuple[int, ...]) -> Any:
    found = _CONTEXTS.get(gens)
    if found is None:
        names = tuple(f"g{n}" for n in gens)
        found = _CONTEXTS[gens] = fmpq_mpoly_ctx.get(names, Ordering.lex)
    return found


class Real:
    """A polynomial in some generators, divided by a monomial in them.

    Attributes:
        gens: numbers of the generators, increasing.
        poly: the polynomial, in the context of just these generators.
        down: for each generator its power in the divisor; no generator divides both.
    """

    __slots__ = ("_key", "down", "gens", "poly")

    def __init__(self, gens: tuple[int, ...], poly: Any, down: dict[int, int]) -> None:
        self.gens, self.poly, self.down = gens, poly, down
        self._key: frozenset[Any] | None = None

    @property
    def key(self) -> frozenset[Any]:
        """A hashable form, equal just for equal values in this ring."""
        if self._key is None:
            self._key = frozenset(self.terms().items())
        return self._key

    def terms(self) -> dict[tuple[tuple[int, int], ...], tuple[int, int]]:
        """Coefficients by monomial, a monomial being pairs (generator, exponent), none zero."""
        found = {}
        for exponents, coefficient in self.poly.to_dict().items():
            net = (
                (g, int(e) - self.down.get(g, 0)) for g, e in zip(self.gens, exponents, strict=True)
            )
            found[tuple(p for p in net if p[1])] = (int(coefficient.p), int(coefficient.q))
        return found

    @property
    def is_zero(self) -> bool:
        """Whether it is zero."""
        return len(self.poly) == 0


def number(value: Fraction | int) -> Real:
    """A rational number, of any sign."""
    value = Fraction(value)
    return Real((), _context(()).constant(fmpq(value.numerator, value.denominator)), {})


def generator(key: Key, power: Fraction = Fraction(1)) -> Real:
    """A power of an atom."""
    return _monomial(Fraction(1), {atom(key): _fine(power)})


def _fine(power: Fraction) -> int:
    scaled = power * FINE
    if scaled.denominator != 1:
        msg = f"the root of order {power.denominator} is too fine; orders divide {FINE}"
        raise ArithmeticLimitError(msg)
    return scaled.numerator


def _monomial(coefficient: Fraction, exponents: dict[int, int]) -> Real:
    gens = tuple(sorted(g for g, e in exponents.items() if e))
    up = tuple(max(exponents[g], 0) for g in gens)
    value = fmpq(coefficient.numerator, coefficient.denominator)
    poly = _context(gens).from_dict({up: value})
    return Real(gens, poly, {g: -exponents[g] for g in gens if exponents[g] < 0})


# -- ring operations ------------------------------------------------------------------------------


def _together(left: Real, right: Real) -> tuple[tuple[int, ...], Any, Any]:
    """Both polynomials in the ring of all generators of either."""
    if left.gens == right.gens:
        return left.gens, left.poly, right.poly
    gens = tuple(sorted({*left.gens, *right.gens}))
    context = _context(gens)
    a = left.poly if left.gens == gens else left.poly.project_to_context(context)
    b = right.poly if right.gens == gens else right.poly.project_to_context(context)
    return gens, a, b


def _times_monomial(gens: tuple[int, ...], poly: Any, up: dict[int, int]) -> Any:
    exponents = tuple(up.get(g, 0) for g in gens)
    return poly * _context(gens).from_dict({exponents: 1}) if any(exponents) else poly


def plus(left: Real, right: Real, factor: int = 1) -> Real:
    """``left + factor * right``."""
    gens, a, b = _together(left, right)
    down = dict(left.down)
    for g, e in right.down.items():
        down[g] = max(down.get(g, 0), e)
    a = _times_monomial(gens, a, {g: e - left.down.get(g, 0) for g, e in down.items()})
    b = _times_monomial(gens, b, {g: e - right.down.get(g, 0) for g, e in down.items()})
    return _tidy(gens, a + factor * b, down)


def times(left: Real, right: Real) -> Real:
    """The product."""
    if len(left.poly) * len(right.poly) > MOST_PRODUCTS:
        msg = f"a product of {len(left.poly)} by {len(right.poly)} terms"
        raise ArithmeticLimitError(msg)
    gens, a, b = _together(left, right)
    down = dict(left.down)
    for g, e in right.down.items():
        down[g] = down.get(g, 0) + e
    return _tidy(gens, a * b, down)


def _tidy(gens: tuple[int, ...], poly: Any, down: dict[int, int]) -> Real:
    """Cancel the divisor, reduce roots of primes, forget generators that no longer occur."""
    if any(g in _PRIMES for g in gens):
        poly = _reduced(gens, poly)
    if len(poly) == 0:
        return number(0)
    used = set(gens) - {gens[poly.context().variable_to_index(n)] for n in poly.unused_gens()}
    if down:
        common = dict(zip(gens, poly.term_content().monoms()[0], strict=True))
        cancel = {g: min(int(common[g]), e) for g, e in down.items()}
        if any(cancel.values()):
            exponents = tuple(cancel.get(g, 0) for g in gens)
            poly = poly / poly.context().from_dict({exponents: 1})
        down = {g: e - cancel[g] for g, e in down.items() if e > cancel[g]}
        used = {g for g, d in zip(gens, poly.degrees(), strict=True) if d} | set(down)
    if len(used) < len(gens):
        gens = tuple(g for g in gens if g in used)
        poly = poly.project_to_context(_context(gens))
    return Real(gens, poly, down)


def _reduced(gens: tuple[int, ...], poly: Any) -> Any:
    """Replace ``g^n`` by p for the generators of primes."""
    if all(d < FINE for g, d in zip(gens, poly.degrees(), strict=True) if g in _PRIMES):
        return poly
    total: dict[tuple[int, ...], Any] = {}
    for exponents, coefficient in poly.to_dict().items():
        left = list(exponents)
        for i, g in enumerate(gens):
            if g in _PRIMES:
                whole, left[i] = divmod(int(exponents[i]), FINE)
                coefficient *= fmpq(_PRIMES[g]) ** whole
        spot = tuple(left)
        total[spot] = total.get(spot, fmpq(0)) + coefficient
    return poly.context().from_dict({e: c for e, c in total.items() if c != 0})


def power(base: Real, exponent: Fraction) -> Real:
    """A rational power of something not negative, and positive under a negative exponent.

    Raises:
        ArithmeticLimitError: when the power is too large to write out.
    """
    if base.is_zero:
        if exponent < 0:
            msg = "a negative power of zero"
            raise ArithmeticLimitError(msg)
        return base
    if len(base.poly) == 1:
        return _power_of_monomial(base, exponent)
    if exponent.denominator == 1 and 0 < exponent <= FINE:
        result = base
        for _ in range(exponent.numerator - 1):
            result = times(result, base)
        return result
    return generator(("power of", base.key), exponent)


def _power_of_monomial(base: Real, exponent: Fraction) -> Real:
    ((exponents, (top, bottom)),) = base.terms().items()
    exponents_now: dict[int, int] = {}
    coefficient = Fraction(1)
    factors = [(g, Fraction(e, FINE)) for g, e in exponents]
    for value, sign in ((top, 1), (bottom, -1)):
        factors += [(_prime(p), Fraction(sign * k)) for p, k in factored(value)]
    for g, e in factors:
        if g not in _PRIMES:
            exponents_now[g] = exponents_now.get(g, 0) + _fine(e * exponent)
            continue
        total = exponents_now.get(g, 0) + _fine(e * exponent)
        whole, exponents_now[g] = divmod(total, FINE)
        if abs(whole) * _PRIMES[g].bit_length() > 3 * MOST_DIGITS_OF_POWER:
            msg = f"{_PRIMES[g]} to the power {whole} is too long to write out"
            raise ArithmeticLimitError(msg)
        coefficient *= Fraction(_PRIMES[g]) ** whole
    return _monomial(coefficient, exponents_now)


def factored(value: int) -> list[tuple[int, int]]:
    """The primes of a positive integer of at most 60 digits, and how often each divides it."""
    if value <= 0 or value > 10**60:
        msg = f"cannot take a root of the number {str(value)[:80]}"
        raise ArithmeticLimitError(msg)
    return [] if value == 1 else [(int(p), k) for p, k in fmpz(value).factor()]


# -- terms ----------------------------------------------------------------------------------------

_REALS: dict[Term, Real] = {}
Compare = Callable[[Term], Key]


def real(term: Term) -> Real:
    """The form of a real term, kept for every subterm."""
    for node in postorder(term, _REALS.__contains__):
        if node.sort == "real":
            _REALS[node] = _real(node)
    return _REALS[term]


def _real(node: Term) -> Real:
    args = node.args
    match node.head:
        case "rat":
            return number(args[0])
        case "add" | "mul":
            join = plus if node.head == "add" else times
            total = _REALS[args[0]]
            for arg in args[1:]:
                total = join(total, _REALS[arg])
            return total
        case "pow":
            return power(_REALS[args[0]], args[1])
        case "max" | "min":
            return generator((node.head, frozenset(_REALS[a].key for a in args)))
        case "norm":
            from proofs_check.replay.words import operator_key

            return generator(("norm", args[0], operator_key(args[1])))
        case "specnorm":
            return generator(("specnorm", args[0], tuple(_REALS[a].key for a in args[1:])))
        case "rsum" | "rmax":
            return _over_indices(node)
        case "tail" | "quantile":
            return generator((node.head, _REALS[args[0]].key))
        case "rms":
            return generator(("rms", args[0], args[1], _REALS[args[2]].key))
        case "sym" | "var" | "dim":
            return generator(node)
    msg = f"{brief(node)} is no real term that is known here"
    raise ArithmeticLimitError(msg)


def _over_indices(node: Term) -> Real:
    """A sum or maximum of known length is written out; any other is a generator of its own."""
    name, low, high, body = node.args
    if type(low) is not int or type(high) is not int:
        return generator((node.head, name, low, high, _REALS[body].key))
    if high - low >= MOST_TERMS:
        msg = f"{high - low + 1} terms over an index written out"
        raise ArithmeticLimitError(msg)
    variable = make("index", name, 0)
    parts = [real(put(body, {variable: i})) for i in range(low, high + 1)]
    if node.head == "rmax" and len(parts) > 1:
        return generator(("max", frozenset(part.key for part in parts)))
    total = number(0)
    for part in parts:
        total = plus(total, part)
    return total


def equal_reals(left: Term, right: Term) -> bool:
    """Whether two real terms have the same form."""
    return left is right or real(left).key == real(right).key


def at_most(left: Term, right: Term) -> bool:
    """Whether right - left has no negative coefficient, and so is not negative."""
    difference = plus(real(right), real(left), -1)
    return all(coefficient >= 0 for coefficient in difference.poly.coeffs())
