"""Equality of operator terms: sums of words in letters, with real coefficients.

A word is a product of letters, a letter being whatever is not a sum, a product, a multiple, a
transpose or an identity.  Letters are numbered, and remember the spaces they map between, so that
nothing about zero or the identity is lost inside them.  Coefficients are the polynomials of
:mod:`proofs_check.replay.arithmetic`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from proofs_check.replay.arithmetic import (
    ArithmeticLimitError,
    Real,
    equal_reals,
    number,
    plus,
    real,
    times,
)
from proofs_check.replay.binding import brief, postorder, put
from theory.terms import SCALAR, Term, make

Word = tuple[int, ...]
Form = Mapping[Word, Real]
Key = tuple[Any, frozenset[tuple[Word, Any]]]

MOST_SUMMANDS = 5_000
_NUMBERS: dict[Hashable, int] = {}
_LETTERS: list[tuple[Any, ...]] = []
_FLIPPED: dict[int, int] = {}
_FORMS: dict[Term, Form] = {}
ONE = number(1)


def _letter(kind: str, *rest: Any) -> int:
    """The number of a letter, whose key is its kind and what it is made of."""
    key = (kind, *rest)
    found = _NUMBERS.get(key)
    if found is None:
        found = _NUMBERS[key] = len(_LETTERS)
        _LETTERS.append(key)
    return found


def operator(term: Term) -> Form:
    """The form of an operator term."""
    for node in postorder(term, _FORMS.__contains__):
        if node.sort == "op":
            _FORMS[node] = _form(node)
    return _FORMS[term]


def operator_key(term: Term) -> Key:
    """A hashable form: the spaces, and the words with their coefficients."""
    return term.shape, _frozen(operator(term))


def _frozen(form: Form) -> frozenset[tuple[Word, Any]]:
    return frozenset((word, coefficient.key) for word, coefficient in form.items())


def equal(left: Term, right: Term) -> bool:
    """Whether two real or two operator terms, between the same spaces, have the same form."""
    if left.sort != right.sort or left.shape != right.shape:
        return False
    if left.sort == "real":
        return equal_reals(left, right)
    return left is right or (left.sort == "op" and operator_key(left) == operator_key(right))


# -- sums of words --------------------------------------------------------------------------------


def _sum(pairs: Iterable[tuple[Word, Real]]) -> Form:
    total: dict[Word, Real] = {}
    for word, coefficient in pairs:
        known = total.get(word)
        total[word] = coefficient if known is None else plus(known, coefficient)
        if len(total) > MOST_SUMMANDS:
            msg = f"more than {MOST_SUMMANDS} summands in a sum of operators"
            raise ArithmeticLimitError(msg)
    return {word: c for word, c in total.items() if not c.is_zero}


def _pairs(left: Form, right: Form) -> Iterable[tuple[Word, Word, Real]]:
    if len(left) * len(right) > 20 * MOST_SUMMANDS:
        msg = f"a product of {len(left)} by {len(right)} summands"
        raise ArithmeticLimitError(msg)
    return ((u, w, times(c, d)) for u, c in left.items() for w, d in right.items())


def _form(node: Term) -> Form:
    args = node.args
    match node.head:
        case "id":
            return {(): ONE}
        case "zero":
            return {}
        case "plus":
            return _sum(pair for a in args for pair in _FORMS[a].items())
        case "neg":
            return {w: times(c, number(-1)) for w, c in _FORMS[args[0]].items()}
        case "scale":
            factor = real(args[0])
            return _sum((w, times(c, factor)) for w, c in _FORMS[args[1]].items())
        case "dot":
            total = _FORMS[args[0]]
            for arg in args[1:]:
                total = _sum((u + w, c) for u, w, c in _pairs(total, _FORMS[arg]))
            return total
        case "T":
            return _flip(_FORMS[args[0]])
        case "kron":
            return _kron(*args)
    return _one_letter(node)


def _one_letter(node: Term) -> Form:
    args = node.args
    match node.head:
        case "op" | "var":
            return {(_letter("name", node),): ONE}
        case "diag":
            forms = _FORMS[args[0]].items()
            return _sum(((_letter("diag", node.shape, w),), c) for w, c in forms)
        case "act":
            return {(_letter("act", *args[:2], operator_key(args[2])),): ONE}
        case "jac":
            return {(_letter("jac", operator_key(args[0]), args[1]),): ONE}
        case "hess":
            what = (operator_key(args[1]), args[2])
            forms = _FORMS[args[0]].items()
            return _sum(((_letter("hess", w, *what),), c) for w, c in forms)
        case "contract":
            return {(_letter("contract", *map(operator_key, args)),): ONE}
        case "osum":
            return _sum_over_index(node)
    msg = f"{brief(node)} is no operator term that is known here"
    raise ArithmeticLimitError(msg)


def _sum_over_index(node: Term) -> Form:
    name, low, high, body = node.args
    if type(low) is not int or type(high) is not int:
        return {(_letter("osum", name, low, high, node.shape, _hold(_FORMS[body])),): ONE}
    if high - low >= MOST_SUMMANDS:
        msg = f"a sum of {high - low + 1} terms written out"
        raise ArithmeticLimitError(msg)
    variable = make("index", name, 0)
    parts = [operator(put(body, {variable: i})) for i in range(low, high + 1)]
    return _sum(pair for part in parts for pair in part.items())


class _Held:
    """A form as part of a letter: compared by its words and coefficients, kept to be transposed."""

    __slots__ = ("form", "key")

    def __init__(self, form: Form) -> None:
        self.form, self.key = form, _frozen(form)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _hold(form: Form) -> _Held:
    return _Held(form)


# -- transposes and tensor products ---------------------------------------------------------------


def _flip(form: Form) -> Form:
    return {_flip_word(w): c for w, c in form.items()}


def _flip_word(word: Word) -> Word:
    return tuple(_flip_letter(n) for n in reversed(word))


def _flip_letter(n: int) -> int:
    found = _FLIPPED.get(n)
    if found is None:
        found = _flipped(n)
        _FLIPPED[n], _FLIPPED[found] = found, n
    return found


def _flipped(n: int) -> int:
    key = _LETTERS[n]
    match key[0]:
        case "T":
            return int(key[1])
        case "diag" | "hess":
            return n
        case "kron":
            _, left, left_shape, right, right_shape = key
            parts = (_flip_word(left), left_shape[::-1], _flip_word(right), right_shape[::-1])
            return _letter("kron", *parts)
        case "osum":
            _, name, low, high, shape, held = key
            return _letter("osum", name, low, high, shape[::-1], _hold(_flip(held.form)))
    return _letter("T", n)


def _kron(left: Term, right: Term) -> Form:
    return _sum(
        (_kron_word(u, left.shape, w, right.shape), c)
        for u, w, c in _pairs(_FORMS[left], _FORMS[right])
    )


def _kron_word(left: Word, left_shape: Any, right: Word, right_shape: Any) -> Word:
    """Identities join to an identity; the identity of ``scalar`` is the unit of the product."""
    if left == () == right:
        return ()
    if right == () and right_shape == (SCALAR, SCALAR):
        return left
    if left == () and left_shape == (SCALAR, SCALAR):
        return right
    return (_letter("kron", left, left_shape, right, right_shape),)
