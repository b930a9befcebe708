"""The checker's normal forms: against the kernel's, and against exact numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proofs_check.replay import arithmetic, words
from proofs_check.replay.arithmetic import ArithmeticLimitError
from proofs_check.replay.samples import World
from tests.proofs_check.term_strategies import (
    DIM,
    SYMBOLS,
    exact,
    operators,
    reals,
    reordered,
    rewritten,
)
from theory import normal
from theory.terms import (
    ONE,
    PARAMS,
    SCALAR,
    ZERO,
    TermError,
    add,
    make,
    mul,
    norm,
    power,
    rat,
    root,
)
from theory.vocabulary import INPUT, POINT, output

X, Y, M = SYMBOLS[0], SYMBOLS[1], DIM
VALUES = {
    s: Fraction(n, d)
    for s, (n, d) in zip([*SYMBOLS, DIM], ((2, 3), (5, 4), (0, 1), (3, 1)), strict=True)
}
OTHERS = {
    s: Fraction(n, d)
    for s, (n, d) in zip([*SYMBOLS, DIM], ((7, 5), (1, 6), (3, 2), (2, 1)), strict=True)
}


def kernel_says(left, right):
    """The kernel's opinion, where both can write the terms out."""
    try:
        arithmetic.real(left), arithmetic.real(right)
        return normal.same(left, right), normal.at_most(left, right)
    except (TermError, ArithmeticLimitError):
        assume(False)


@given(reals(), reals())
def test_reals_are_compared_as_the_kernel_does(left, right):
    same, below = kernel_says(left, right)
    assert words.equal(left, right) == same
    assert arithmetic.at_most(left, right) == below


@given(st.data())
def test_reals_written_differently_are_still_equal(data):
    left = data.draw(reals())
    right = data.draw(rewritten(left))
    same, _ = kernel_says(left, right)
    assert words.equal(left, right) == same
    assert arithmetic.at_most(left, right) >= same
    assert World(3).agree(left, right) is not False


@given(reals(plain=True), reals(plain=True))
def test_comparisons_hold_in_exact_numbers(left, right):
    equal, below = words.equal(left, right), arithmetic.at_most(left, right)
    pairs = [(exact(left, v), exact(right, v)) for v in (VALUES, OTHERS)]
    if equal:
        assert all(a == b for a, b in pairs)
    if below:
        assert all(a <= b for a, b in pairs)


@given(st.data())
def test_a_rewritten_term_has_the_same_exact_value(data):
    left = data.draw(reals(plain=True))
    right = data.draw(rewritten(left))
    assert all(exact(left, v) == exact(right, v) for v in (VALUES, OTHERS))


@given(reals(), reals())
def test_equal_forms_have_equal_samples(left, right):
    if words.equal(left, right):
        assert World(5).agree(left, right) is not False


@given(operators(), operators())
def test_operators_are_compared_as_the_kernel_does(left, right):
    assert words.equal(left, right) == normal.same(left, right)


@given(st.data())
def test_operators_written_differently(data):
    left = data.draw(operators(3))
    right = data.draw(reordered(left))
    assert words.equal(left, right) == normal.same(left, right)
    assert words.equal(left, right)
    assert World(5).agree(left, right) is not False


@given(operators(), operators())
def test_unequal_samples_mean_unequal_forms(left, right):
    if World(5).agree(left, right) is False:
        assert not words.equal(left, right)
        assert not normal.same(left, right)


def test_a_square_jacobian_need_not_be_symmetric():
    """A second derivative is; the derivative of a map from the parameters to themselves is not."""
    jacobian = make("jac", make("op", "theta", PARAMS, SCALAR, POINT), POINT)
    second = make("hess", make("op", "c", SCALAR, SCALAR), output(POINT, INPUT), POINT)
    for same in (words.equal, normal.same):
        assert not same(make("T", jacobian), jacobian)
        assert same(make("T", second), second)
        assert same(make("T", make("T", jacobian)), jacobian)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (root(rat(12)), mul(rat(2), root(rat(3))), True),
        (mul(root(rat(2)), root(rat(2))), rat(2), True),
        (mul(root(rat(2)), root(rat(3))), root(rat(6)), True),
        (power(rat(8, 27), Fraction(-1, 3)), rat(3, 2), True),
        (mul(power(M, -1), M), ONE, True),
        (mul(power(M, Fraction(-1, 2)), power(M, Fraction(-1, 2))), power(M, -1), True),
        (add(mul(power(M, -1), X), mul(power(M, -1), Y)), mul(power(M, -1), add(X, Y)), True),
        (power(add(X, X), Fraction(1, 2)), mul(root(rat(2)), root(X)), True),
        (make("max", X, Y), make("max", Y, X), True),
        (make("max", X, Y), make("min", X, Y), False),
        (root(add(X, Y)), add(root(X), root(Y)), False),
        (mul(X, ZERO), ZERO, True),
        (X, ZERO, False),
        (power(X, 2), X, False),
    ],
)
def test_equality_of_reals(left, right, equal):
    assert words.equal(left, right) is equal
    assert normal.same(left, right) is equal


@pytest.mark.parametrize(
    ("left", "right", "below"),
    [
        (X, add(X, Y), True),
        (add(X, Y), X, False),
        (mul(X, Y), mul(rat(2), X, Y), True),
        (mul(rat(2), X), X, False),
        (root(rat(2)), add(root(rat(2)), ONE), True),
        (ONE, M, False),
        (power(M, -1), add(power(M, -1), X), True),
    ],
)
def test_order_of_reals(left, right, below):
    assert arithmetic.at_most(left, right) is below
    assert normal.at_most(left, right) is below


@pytest.mark.parametrize("norm_kind", ["2", "inf"])
def test_zero_keeps_its_space_inside_an_activation(norm_kind):
    small, large = (make("act", 1, 0, make("zero", s, SCALAR)) for s in (SCALAR, make("layer", 7)))
    assert not words.equal(norm(small, norm_kind), norm(large, norm_kind))


def test_the_identity_keeps_its_space_inside_a_tensor_norm():
    spaces = make("tensor", SCALAR, SCALAR), make("tensor", make("layer", 7), make("layer", 7))
    left, right = (norm(make("id", s), "221") for s in spaces)
    assert not words.equal(left, right)


def test_an_expansion_that_explodes_is_refused():
    many = add(*(make("sym", f"x{i}") for i in range(40)))
    with pytest.raises(ArithmeticLimitError, match="terms"):
        arithmetic.real(power(many, 9))


def test_a_root_that_is_too_fine_is_refused():
    with pytest.raises(ArithmeticLimitError, match="too fine"):
        arithmetic.real(power(X, Fraction(1, 37)))


def test_a_power_too_long_to_write_out_is_refused():
    term = power(power(power(rat(10**30), 64), 64), 64)
    with pytest.raises(ArithmeticLimitError, match=r"too long|cannot take"):
        arithmetic.real(term)


def test_a_long_sum_over_an_index_is_refused():
    body = make("op", "W", make("space", "n"), make("space", "n"), make("index", "k", 0))
    total = make("osum", "k", 1, 10**9, body)
    with pytest.raises(ArithmeticLimitError, match="1000000000"):
        words.operator(total)
