"""Orders of growth as an exact algebra, in several width symbols at once.

A growth is a finite set of monomials ``m_1^{e_1} ... m_k^{e_k} R^r (log m)^c`` with rational
exponents, standing for their maximum up to a constant factor.  The regime: every width symbol
tends to infinity, their logarithms within constant factors of each other, and
``1 <= R <= sqrt(min_i m_i)``.  In it a monomial is at most another when its
exponents are, along every extreme ray of the cone ``0 <= log R <= min_i log(m_i)/2``: each width
alone, and all widths together with R at its largest.  A width that is a number is a constant, one
that is a power of a symbol, such as sqrt(m), a monomial.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

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
        together = sum(gaps, Fraction(0)) + (self.radius - other.radius) * HALF
        if together > 0 or any(g > 0 for g in gaps):
            return False
        # A power of any width outweighs logarithms, as the widths' logarithms are comparable.
        smaller = together < 0 and any(g < 0 for g in gaps)
        return smaller or self.log <= other.log


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
        return other if other.at_most(self) else self

    def same(self, other: Growth) -> bool:
        """Whether each is O of the other throughout the regime."""
        return self.at_most(other) and other.at_most(self)

    @property
    def soft(self) -> Growth:
        """The growth without its logarithms, as the O with a tilde has it."""
        return _pruned(replace(m, log=Fraction(0)) for m in self.monomials)

    @property
    def extremal(self) -> Extremal | None:
        """The growth as one monomial times a power of a minimum or maximum of widths."""
        return _extremal(self)

    def __str__(self) -> str:
        """Such as ``m^(-1/2) R (log m)^(1/2)`` or ``min(m_1, m_2)^(-1/2)``."""
        found = self.extremal
        if found is None:
            return " + ".join(sorted(map(monomial_text, self.monomials))) or "0"
        rest = "" if found.common == Monomial() else f" {monomial_text(found.common)}"
        return f"{found.of}({', '.join(found.names)}){_exponent(found.exponent)}{rest}"


@dataclass(frozen=True)
class Extremal:
    """``common * of(names)^exponent``: what several monomials that differ in a width come to.

    Attributes:
        common: what the monomials share.
        of: ``min`` for a negative exponent, ``max`` for a positive one: the largest monomial.
        names: the width symbols.
        exponent: of the minimum or maximum.
    """

    common: Monomial
    of: str
    names: tuple[str, ...]
    exponent: Fraction


def _extremal(growth: Growth) -> Extremal | None:
    monomials = list(growth.monomials)
    if len(monomials) < 2 or len({(m.radius, m.log) for m in monomials}) != 1:
        return None
    names = {n for m in monomials for n, _ in m.widths}
    shared = tuple(
        (n, monomials[0].width(n))
        for n in sorted(names)
        if len({m.width(n) for m in monomials}) == 1
    )
    common = Monomial(shared, monomials[0].radius, monomials[0].log)
    rests = [(m * common ** Fraction(-1)).widths for m in monomials]
    if any(len(r) != 1 for r in rests) or len({r[0][1] for r in rests}) != 1:
        return None
    exponent = rests[0][0][1]
    of = "min" if exponent < 0 else "max"
    return Extremal(common, of, tuple(sorted(r[0][0] for r in rests)), exponent)


def _exponent(exponent: Fraction) -> str:
    return "" if exponent == 1 else f"^({exponent})"


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


__all__ = ["CONSTANT", "HALF", "Extremal", "Growth", "Monomial", "monomial_text", "of_width"]
