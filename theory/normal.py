"""Exact normal forms: when two terms are equal by rearrangement alone.

A real becomes a polynomial: a map from monomials to rational coefficients, a monomial being a set
of pairs (atom, rational exponent).  Everything that is not a sum, a product or a power is an atom.
An atom carries the spaces it maps between, as zero and the identity look alike in all spaces.
Every atom is non-negative, and an exponent is negative only over an atom that is positive by its
form (``Term.positive``), so that multiplying out and cancelling are valid everywhere: there is
no value of the symbols for which the two sides differ, and none for which one side is undefined.

An operator becomes a non-commutative polynomial: a map from words (products of atoms, transposes
pushed inward) to coefficients, which are real normal forms that may now have negative rationals.

Nothing here rounds, searches or guesses.  Incomplete on purpose: what is not seen to be equal is
simply not proved.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from theory.terms import SCALAR, Term, TermError, make, substitute

Monomial = frozenset[tuple[Any, Fraction]]
Real = dict[Monomial, Fraction]
Word = tuple[Any, ...]
Operator = dict[Word, Real]

UNIT: Monomial = frozenset()
_REALS: dict[Term, Real] = {}
_OPERATORS: dict[Term, Operator] = {}
EXPANSION_LIMIT = 20_000


def same(left: Term, right: Term) -> bool:
    """Whether two terms of one sort and shape have the same normal form.

    Raises:
        TermError: when the sorts or the shapes differ, or neither is a real or an operator.
    """
    if left.sort != right.sort or left.shape != right.shape:
        msg = f"only terms of one sort and shape can be compared: {left} and {right}"
        raise TermError(msg)
    if left.sort == "real":
        return real_form(left) == real_form(right)
    return operator_form(left) == operator_form(right)


def at_most(left: Term, right: Term) -> bool:
    """Whether right - left is a sum of non-negative terms with non-negative coefficients."""
    return all(c >= 0 for c in _combine(real_form(right), real_form(left), -1).values())


# -- reals ----------------------------------------------------------------------------------------


def real_form(term: Term) -> Real:
    """The polynomial of a real term."""
    found = _REALS.get(term)
    if found is None:
        found = _REALS[term] = _real(term)
    return found


def _real(term: Term) -> Real:
    match term.head:
        case "rat":
            return {UNIT: term.args[0]} if term.args[0] else {}
        case "add":
            total: Real = {}
            for arg in term.args:
                total = _combine(total, real_form(arg), 1)
            return total
        case "mul":
            product: Real = {UNIT: Fraction(1)}
            for arg in term.args:
                product = times(product, real_form(arg))
            return product
        case "pow":
            return _power(term.args[0], term.args[1])
        case "max" | "min":
            return _atom((term.head, frozenset(freeze(real_form(a)) for a in term.args)))
        case "norm":
            kind, operator = term.args
            return _atom(("norm", kind, operator.shape, _frozen(operator)))
        case "specnorm":
            entries = tuple(freeze(real_form(a)) for a in term.args[1:])
            return _atom(("specnorm", term.args[0], entries))
        case "rsum" | "rmax":
            return _over_range(term)
        case "tail" | "quantile" | "rms":
            return _atom((term.head, *term.args[:-1], freeze(real_form(term.args[-1]))))
        case "sym" | "var" | "dim":
            return _atom(term)
    msg = f"{term} is of sort {term.sort}; only a real has a polynomial"
    raise TermError(msg)


def _over_range(term: Term) -> Real:
    """A sum or maximum over an index: written out between numbers, an atom otherwise."""
    name, low, high, body = term.args
    if type(low) is not int or type(high) is not int:
        return _atom((term.head, name, low, high, freeze(real_form(body))))
    variable = make("index", name, 0)
    parts = [real_form(substitute(body, {variable: i})) for i in range(low, high + 1)]
    if term.head == "rsum":
        total: Real = {}
        for part in parts:
            total = _combine(total, part, 1)
        return total
    if len(parts) < 2:
        return parts[0] if parts else {}
    return _atom(("max", frozenset(map(freeze, parts))))


def _atom(atom: Any) -> Real:
    return {frozenset({(atom, Fraction(1))}): Fraction(1)}


def freeze(form: Real) -> frozenset[tuple[Monomial, Fraction]]:
    """A hashable copy of a polynomial."""
    return frozenset(form.items())


def _combine(left: Real, right: Real, factor: int) -> Real:
    """Left + factor * right."""
    total = dict(left)
    for monomial, coefficient in right.items():
        value = total.get(monomial, Fraction(0)) + factor * coefficient
        if value:
            total[monomial] = value
        else:
            total.pop(monomial, None)
    return total


def times(left: Real, right: Real) -> Real:
    """The product of two polynomials."""
    if len(left) * len(right) > EXPANSION_LIMIT:
        msg = f"a product of {len(left)} by {len(right)} terms; abbreviate a factor by a definition"
        raise TermError(msg)
    total: Real = {}
    for monomial, coefficient in left.items():
        for other, factor in right.items():
            scale, product = _merge(monomial, other)
            value = total.get(product, Fraction(0)) + scale * coefficient * factor
            if value:
                total[product] = value
            else:
                total.pop(product, None)
    return total


def _merge(left: Monomial, right: Monomial) -> tuple[Fraction, Monomial]:
    """The product of two monomials; whole powers of numbers move into the factor returned."""
    if not left or not right:
        return Fraction(1), left or right
    exponents = dict(left)
    factor = Fraction(1)
    for atom, exponent in right:
        exponent += exponents.pop(atom, Fraction(0))
        if isinstance(atom, int):
            whole = exponent.numerator // exponent.denominator
            factor *= Fraction(atom) ** whole
            exponent -= whole
        if exponent:
            exponents[atom] = exponent
    return factor, frozenset(exponents.items())


def _power(base: Term, exponent: Fraction) -> Real:
    if exponent < 0 and not base.positive:
        msg = f"{base} may be zero, so it has no power {exponent}"
        raise TermError(msg)
    form = real_form(base)
    if not form:
        return {}
    if len(form) == 1:
        ((monomial, coefficient),) = form.items()
        powered = frozenset((atom, e * exponent) for atom, e in monomial)
        return times(_number_power(coefficient, exponent), _whole_numbers_out(powered))
    if exponent.denominator == 1 and exponent > 0:
        product: Real = {UNIT: Fraction(1)}
        for _ in range(exponent.numerator):
            product = times(product, form)
        return product
    return {frozenset({(("sum", freeze(form)), exponent)}): Fraction(1)}


def _whole_numbers_out(monomial: Monomial) -> Real:
    factor, cleaned = _merge(frozenset(p for p in monomial if not isinstance(p[0], int)), UNIT)
    result: Real = {cleaned: factor}
    for atom, exponent in monomial:
        if isinstance(atom, int):
            result = times(result, _number_power(Fraction(atom), exponent))
    return result


def _number_power(number: Fraction, exponent: Fraction) -> Real:
    """A positive rational to a rational power: primes with exponents in (0, 1) stay as atoms."""
    coefficient = Fraction(1)
    exponents: dict[Any, Fraction] = {}
    for value, sign in ((number.numerator, 1), (number.denominator, -1)):
        for prime, multiplicity in _factor(value).items():
            total = sign * multiplicity * exponent
            whole = total.numerator // total.denominator
            coefficient *= Fraction(prime) ** whole
            if total != whole:
                exponents[prime] = total - whole
    return {frozenset(exponents.items()): coefficient}


def _factor(number: int) -> dict[int, int]:
    """Trial division; the numbers in proofs are small."""
    factors: dict[int, int] = {}
    divisor = 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            factors[divisor] = factors.get(divisor, 0) + 1
            number //= divisor
        divisor += 1
        if divisor > 1_000_000:
            break
    if number > 1:
        factors[number] = factors.get(number, 0) + 1
    return factors


# -- operators ------------------------------------------------------------------------------------


def operator_form(term: Term) -> Operator:
    """The non-commutative polynomial of an operator term."""
    found = _OPERATORS.get(term)
    if found is None:
        found = _OPERATORS[term] = _operator(term)
    return found


ONE_FORM: Real = {UNIT: Fraction(1)}


def _operator(term: Term) -> Operator:
    match term.head:
        case "id":
            return {(): ONE_FORM}
        case "zero":
            return {}
        case "plus":
            return _sum([operator_form(a) for a in term.args])
        case "neg":
            return _scaled(operator_form(term.args[0]), {UNIT: Fraction(-1)})
        case "scale":
            return _scaled(operator_form(term.args[1]), real_form(term.args[0]))
        case "dot":
            product = operator_form(term.args[0])
            for arg in term.args[1:]:
                product = _product(product, operator_form(arg))
            return product
        case "T":
            return _transposed(operator_form(term.args[0]))
        case "osum" if type(term.args[1]) is int and type(term.args[2]) is int:
            return _unrolled(*term.args)
    return _operator_atom(term)


def _operator_atom(term: Term) -> Operator:
    args = term.args
    match term.head:
        case "op" | "var":
            return {(term,): ONE_FORM}
        case "diag":
            return _linear(operator_form(args[0]), lambda w: (("diag", w),))
        case "kron":
            return _kron(*args)
        case "act":
            return {(("act", args[0], args[1], term.shape, _frozen(args[2])),): ONE_FORM}
        case "jac":
            return {(("jac", term.shape, _frozen(args[0]), args[1]),): ONE_FORM}
        case "hess":
            rest = (args[1].shape, _frozen(args[1]), args[2])
            return _linear(operator_form(args[0]), lambda w: (("hess", w, *rest),))
        case "contract":
            parts = (_frozen(args[0]), args[1].shape, _frozen(args[1]))
            return {(("contract", *parts),): ONE_FORM}
        case "osum":
            return {(("osum", *args[:3], term.shape, _frozen(args[3])),): ONE_FORM}
    msg = f"{term} is of sort {term.sort}; only an operator has words"
    raise TermError(msg)


def freeze_operator(form: Operator) -> frozenset[tuple[Word, Any]]:
    """A hashable copy of a non-commutative polynomial."""
    return frozenset((word, freeze(c)) for word, c in form.items())


def _thaw(frozen: frozenset[tuple[Word, Any]]) -> Operator:
    return {word: dict(coefficient) for word, coefficient in frozen}


def _frozen(term: Term) -> frozenset[tuple[Word, Any]]:
    return freeze_operator(operator_form(term))


def _sum(forms: list[Operator]) -> Operator:
    total: Operator = {}
    for form in forms:
        for word, coefficient in form.items():
            value = _combine(total.get(word, {}), coefficient, 1)
            if value:
                total[word] = value
            else:
                total.pop(word, None)
    return total


def _scaled(form: Operator, factor: Real) -> Operator:
    return {w: value for w, c in form.items() if (value := times(c, factor))}


def _linear(form: Operator, wrap: Any) -> Operator:
    return _sum([{wrap(word): coefficient} for word, coefficient in form.items()])


def _product(left: Operator, right: Operator) -> Operator:
    return _sum([{u + w: times(c, d)} for u, c in left.items() for w, d in right.items()])


def _transposed(form: Operator) -> Operator:
    return {tuple(_transposed_atom(a) for a in reversed(w)): c for w, c in form.items()}


def _transposed_atom(atom: Any) -> Any:
    if isinstance(atom, Term):
        return ("T", atom)
    match atom[0]:
        case "T":
            return atom[1]
        case "diag" | "hess":
            return atom
        case "kron":
            _, left, left_shape, right, right_shape = atom
            (a,) = _transposed({left: ONE_FORM})
            (b,) = _transposed({right: ONE_FORM})
            return ("kron", a, left_shape[::-1], b, right_shape[::-1])
        case "osum":
            flipped = freeze_operator(_transposed(_thaw(atom[5])))
            return (*atom[:4], atom[4][::-1], flipped)
    return ("T", atom)


def _kron(left: Term, right: Term) -> Operator:
    terms: list[Operator] = []
    for u, c in operator_form(left).items():
        for w, d in operator_form(right).items():
            terms.append({_kron_word(u, left.shape, w, right.shape): times(c, d)})
    return _sum(terms)


def _kron_word(left: Word, left_shape: Any, right: Word, right_shape: Any) -> Word:
    """The word of a Kronecker product of words; the identity of ``scalar`` is its unit."""
    unit = (SCALAR, SCALAR)
    if not right and (not left or right_shape == unit):
        return left
    if not left and left_shape == unit:
        return right
    return (("kron", left, left_shape, right, right_shape),)


def _unrolled(name: str, low: int, high: int, body: Term) -> Operator:
    variable = make("index", name, 0)
    return _sum(
        [operator_form(substitute(body, {variable: i})) for i in range(low, high + 1)],
    )
