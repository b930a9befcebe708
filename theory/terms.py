"""The language of the kernel: indices, spaces, non-negative reals, linear operators, formulas.

A term is an immutable tree ``(head, args)``, built only by ``make``, which looks the head up in
one table and refuses whatever is not well formed (a product whose inner spaces differ, a negative
power of something that may be zero, a negative number).  Equal terms are the same object, so that
equality is identity and a proof of thousands of steps stays small.

Every term has a *sort*: ``index`` (a layer index), ``space`` (a finite-dimensional Euclidean
space), ``point`` (a parameter vector), ``input`` (an input of the network), ``real`` (a
non-negative real), ``op`` (a linear operator between two spaces; a vector is an operator from
``scalar``) or ``formula``.

What the words mean: ``act l 0 v`` is an activation sigma_l applied entry by entry, always a C^2
function (theorems state it as the assumption ``smooth``), ``act l 1`` and ``act l 2`` are its
derivatives. ``jac y p`` is the Jacobian of y as a function of the parameters, at p; ``hess c y p``
is ``sum_i c_i`` times the Hessian of y_i at p, c held constant.  What they differentiate depends
on the parameters only through C^2 functions of the one point p.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from theory.forms import DIFFERENTIABLE, NORMS, PARAMS, SCALAR, tensor
from theory.syntax import (
    BINDERS,
    VARIABLE_HEADS,
    Arg,
    Term,
    TermError,
    bound_variable,
    make,
    subterms,
)

__all__ = [
    "DIFFERENTIABLE",
    "NORMS",
    "ONE",
    "PARAMS",
    "SCALAR",
    "ZERO",
    "Arg",
    "Term",
    "TermError",
    "add",
    "bound_variable",
    "dot",
    "eq",
    "inv_root",
    "le",
    "make",
    "minus",
    "mul",
    "norm",
    "plus",
    "power",
    "rat",
    "root",
    "shift",
    "substitute",
    "subterms",
    "tensor",
    "transpose",
]

# -- constructors that read like mathematics ------------------------------------------------------


def rat(value: int | Fraction, denominator: int = 1) -> Term:
    """The non-negative rational ``value/denominator``."""
    return make("rat", Fraction(value) / denominator)


ZERO, ONE = rat(0), rat(1)


def add(*terms: Term) -> Term:
    """The sum of reals; the sum of none is 0."""
    return ZERO if not terms else terms[0] if len(terms) == 1 else make("add", *terms)


def mul(*terms: Term) -> Term:
    """The product of reals; the product of none is 1."""
    return ONE if not terms else terms[0] if len(terms) == 1 else make("mul", *terms)


def power(base: Term, exponent: int | Fraction) -> Term:
    """A rational power of a real."""
    return make("pow", base, Fraction(exponent))


def root(base: Term) -> Term:
    """The square root."""
    return power(base, Fraction(1, 2))


def inv_root(base: Term) -> Term:
    """One over the square root of a positive real."""
    return power(base, Fraction(-1, 2))


def plus(*terms: Term) -> Term:
    """The sum of one or more operators."""
    return terms[0] if len(terms) == 1 else make("plus", *terms)


def dot(*terms: Term) -> Term:
    """The product of one or more operators."""
    return terms[0] if len(terms) == 1 else make("dot", *terms)


def minus(left: Term, right: Term) -> Term:
    """The difference of two operators."""
    return make("plus", left, make("neg", right))


def transpose(operator: Term) -> Term:
    """The transpose."""
    return make("T", operator)


def norm(operator: Term, kind: str = "2") -> Term:
    """A norm: ``2`` spectral (Euclidean for a vector), ``inf``, ``1``, ``221``, ``2inf``.

    ``221`` is that of a three-tensor, ``2inf`` the largest Euclidean norm of a row. ``min`` is no
    norm but the least singular value, inf |A v| over unit vectors v.
    """
    return make("norm", kind, operator)


def eq(left: Term, right: Term) -> Term:
    """The formula left = right."""
    return make("eq", left, right)


def le(left: Term, right: Term) -> Term:
    """The formula left <= right."""
    return make("le", left, right)


def shift(index: Arg, by: int) -> Arg:
    """The index plus an integer."""
    if isinstance(index, int):
        return index + by
    return make("index", index.args[0], index.args[1] + by)


# -- substitution ---------------------------------------------------------------------------------


def substitute(term: Term, mapping: Mapping[Term, Arg]) -> Term:
    """Replace free variables (or hole variables) simultaneously, refusing capture.

    Args:
        term: where to replace.
        mapping: from variables (heads ``index`` with offset 0, ``point``, ``input``, ``var``) to
            terms of the same sort and shape (for an index also an ``int``).

    Returns:
        The term after replacement.

    Raises:
        TermError: when a replacement would be captured by a binder, or is of another sort.
    """
    for old, new in mapping.items():
        sort = "index" if type(new) is int else new.sort
        if old.head not in VARIABLE_HEADS or old.sort != sort:
            msg = f"cannot put {new} (sort {sort}) for {old}: variables of one sort only"
            raise TermError(msg)
        if old.shape is not None:
            spaces = tuple(_substitute(s, dict(mapping), {}) for s in old.shape)
            if spaces != new.shape:
                msg = f"cannot put {new} for {old}: it maps between other spaces"
                raise TermError(msg)
    return _substitute(term, dict(mapping), {})


def _substitute(term: Term, mapping: dict[Term, Arg], memo: dict[Term, Arg]) -> Any:
    if not (term.free & mapping.keys()):
        return term
    if term in memo:
        return memo[term]
    if term.head == "index":
        result = shift(mapping[make("index", term.args[0], 0)], term.args[1])
        if type(result) is int and result < 0:
            msg = f"index {term} became {result}; layer indices are not negative"
            raise TermError(msg)
    elif term in mapping:
        result = mapping[term]
    else:
        inner, inner_memo = mapping, memo
        if term.head in BINDERS:
            inner, inner_memo = _under_binder(term, mapping), {}
        result = make(
            term.head,
            *(_substitute(a, inner, inner_memo) if isinstance(a, Term) else a for a in term.args),
        )
    memo[term] = result
    return result


def _under_binder(term: Term, mapping: dict[Term, Arg]) -> dict[Term, Arg]:
    bound = bound_variable(term)
    inner = {k: v for k, v in mapping.items() if k is not bound and k in term.free}
    for old, new in inner.items():
        if isinstance(new, Term) and bound in new.free:
            msg = f"putting {new} for {old} under the binder of {bound} would capture it"
            raise TermError(msg)
    return inner
