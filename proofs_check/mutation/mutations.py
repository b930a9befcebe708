"""Small wrong changes of terms: what an author, or a program, is likely to get wrong in a bound.

Each takes a term and gives terms that differ from it at one place: a term of a sum lost, a
layer index off by one, a norm for another.  Most make an upper bound too small; some only make it
another one.  Which of them make a theorem false is for the judges of
:mod:`proofs_check.mutation.mutants` to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from proofs_check.mutation.operator_errors import changes, ranges
from proofs_check.replay.binding import brief
from theory.terms import SCALAR, Term, TermError, add, make, mul, rat

ZERO, HALF = rat(0), rat(1, 2)


@dataclass(frozen=True)
class Variant:
    """A term changed at one place.

    Attributes:
        kind: the kind of error, such as ``term lost``.
        what: what was changed, in words.
        term: the term with the change.
    """

    kind: str
    what: str
    term: Term


def variants(term: Term) -> Iterator[Variant]:
    """The term with one error, for every place and every kind of error that applies there.

    Reals and operators are looked into; what is differentiated is left as it is.
    """
    yield from _here(term)
    inside = term.args[:1] if term.head in ("jac", "hess") else term.args
    for place, arg in enumerate(inside if term.head != "jac" else ()):
        if isinstance(arg, Term) and arg.sort in ("real", "op"):
            for inner in variants(arg):
                try:
                    changed = _with(term, place, inner.term)
                except TermError:  # the language refuses that error by itself
                    continue
                yield Variant(inner.kind, inner.what, changed)


def _with(term: Term, place: int, value: Any) -> Term:
    return make(term.head, *term.args[:place], value, *term.args[place + 1 :])


def _here(term: Term) -> Iterator[Variant]:
    for change in (_lost, _power, _number, _swapped, _norm, _shifted, _vanished, _operator):
        try:
            yield from change(term)
        except TermError:  # not well formed: the term language refuses that error by itself
            continue


def _operator(term: Term) -> Iterator[Variant]:
    """Errors in operators, and in the range of a sum or a maximum."""
    found = changes(term) if term.sort == "op" else iter(())
    for kind, what, other in (*found, *ranges(term)):
        yield Variant(kind, what, other)


def _lost(term: Term) -> Iterator[Variant]:
    """A summand or a factor lost; a matrix entry lost."""
    if term.head in ("add", "mul"):
        kind, join = ("term lost", add) if term.head == "add" else ("factor lost", mul)
        for place, arg in enumerate(term.args):
            rest = term.args[:place] + term.args[place + 1 :]
            yield Variant(kind, f"without {brief(arg)}", join(*rest))
    if term.head == "specnorm":
        for place in range(1, len(term.args)):
            if term.args[place] is not ZERO:
                kept = _with(term, place, ZERO)
                yield Variant("term lost", f"entry {place} of the matrix is 0", kept)


def _power(term: Term) -> Iterator[Variant]:
    if term.head == "pow":
        base, exponent = term.args
        smaller = exponent - Fraction(1, 2)
        if smaller != 0:
            what = f"exponent {exponent} of {brief(base)} became {smaller}"
            yield Variant("exponent sharpened", what, make("pow", base, smaller))
    elif term.head == "norm":
        what = f"{brief(term)} to the power 1/2"
        yield Variant("exponent sharpened", what, make("pow", term, Fraction(1, 2)))


def _number(term: Term) -> Iterator[Variant]:
    if term.head == "rat" and term.args[0] > 0:
        value = term.args[0] / 2
        yield Variant("constant sharpened", f"{term.args[0]} became {value}", rat(value))
    elif term.head in ("mul", "sym", "norm", "specnorm"):
        what = f"half of {brief(term)}"
        yield Variant("constant sharpened", what, make("mul", HALF, term))


def _swapped(term: Term) -> Iterator[Variant]:
    other = {"max": "min", "min": "max"}.get(term.head)
    if other:
        yield Variant("max and min swapped", f"{other} in {brief(term)}", make(other, *term.args))


_NORMS = {
    "2": ("inf",),
    "1": ("inf", "2"),
    "inf": ("1",),
    "221": ("2",),
    "2inf": ("inf",),
    "min": ("2",),
}


def _norm(term: Term) -> Iterator[Variant]:
    if term.head == "norm":
        kind, operator = term.args
        for other in _NORMS.get(kind, ()):
            if other == "2" or operator.cols is SCALAR:
                what = f"norm {other} for {kind} of {brief(operator)}"
                yield Variant("norm changed", what, make("norm", other, operator))


def _shifted(term: Term) -> Iterator[Variant]:
    """A layer index off by one: of a symbol, of a dimension, of everything inside a norm."""
    if term.head in ("sym", "dim", "norm", "op"):
        for by in (1, -1):
            moved = _all_shifted(term, by)
            if moved is not None and moved is not term:
                yield Variant("index shifted", f"{brief(moved)} for {brief(term)}", moved)


def _all_shifted(term: Term, by: int) -> Term | None:
    """The term with every layer number moved; None when one would be negative."""
    args: list[Any] = []
    for place, arg in enumerate(term.args):
        if isinstance(arg, Term):
            inner = _all_shifted(arg, by)
            if inner is None:
                return None
            args.append(inner)
        elif type(arg) is int and not (term.head == "act" and place == 1) and term.head != "index":
            if arg + by < 0:
                return None
            args.append(arg + by)
        else:
            args.append(arg)
    return make(term.head, *args)


def _vanished(term: Term) -> Iterator[Variant]:
    if term.head in ("sym", "norm"):
        yield Variant("zero for positive", f"0 for {brief(term)}", ZERO)
