"""z3's opinion of arithmetic steps, and equations between operators tried on random matrices."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theory
from proofs_check.replay.arithmetic import ArithmeticLimitError
from proofs_check.replay.samples import World
from proofs_check.replay.second_opinion import (
    AGREED,
    CONTRADICTED,
    UNKNOWN,
    implies,
    is_arithmetic,
    opinion,
)
from proofs_check.replay.words import equal
from tests.proofs_check.term_strategies import exact, operators, reals, rewritten
from theory import kernel
from theory.proofs import Step
from theory.terms import (
    ONE,
    SCALAR,
    ZERO,
    add,
    dot,
    eq,
    le,
    make,
    mul,
    norm,
    plus,
    power,
    rat,
    root,
    transpose,
)
from theory.vocabulary import CENTRE, INPUT, activation, weights, width

X, Y, Z = (make("sym", n) for n in "xyz")
H, K = make("var", "h", "real"), make("var", "k", "real")
M = width(1)
W1, W2 = weights(1, CENTRE), weights(2, CENTRE)


def verdict(rule, conclusion, *premises, data=()):
    return opinion(Step(rule, data, tuple(range(len(premises))), conclusion), premises).verdict


def of(judgement):
    step = Step(judgement.rule, judgement.data, (), judgement.conclusion)
    return opinion(step, [p.conclusion for p in judgement.premises]).verdict


RIGHT = {
    "sum": eq(add(X, Y), add(Y, X)),
    "square": eq(power(add(X, Y), 2), add(power(X, 2), mul(rat(2), X, Y), power(Y, 2))),
    "root of a product": eq(root(mul(X, Y)), mul(root(X), root(Y))),
    "root of a square": eq(root(mul(X, X)), X),
    "inverse": eq(mul(power(M, -1), M), ONE),
    "roots of a width": eq(mul(power(M, Fraction(-1, 2)), power(M, Fraction(1, 2))), ONE),
    "three halves": eq(mul(power(M, Fraction(-3, 2)), M), power(M, Fraction(-1, 2))),
    "numbers under roots": eq(root(rat(12)), mul(rat(2), root(rat(3)))),
    "product of roots": eq(mul(root(rat(2)), root(rat(3))), root(rat(6))),
    "root of a sum squared": eq(mul(root(add(X, Y)), root(add(X, Y))), add(X, Y)),
    "inverse of a sum": eq(mul(power(add(M, X), -1), add(M, X)), ONE),
    "norms of one operator": eq(norm(plus(W1, W1)), norm(make("scale", rat(2), W1))),
    "power of a maximum": eq(power(make("max", X, Y), 2), make("max", power(X, 2), power(Y, 2))),
    "maximum, reordered": eq(make("max", X, Y), make("max", Y, X)),
    "a summand more": le(X, add(X, Y)),
    "a larger coefficient": le(mul(X, power(M, -1)), mul(rat(2), X, power(M, -1))),
    "zero": le(ZERO, mul(X, Y)),
}
WRONG = {
    "a term lost": le(add(X, Y), X),
    "a factor lost": le(mul(X, rat(2)), X),
    "an exponent": eq(power(M, Fraction(-1, 2)), power(M, -1)),
    "an order of powers that needs m >= 1": le(power(M, -1), power(M, Fraction(-1, 2))),
    "a constant": le(mul(rat(2), X), mul(rat(3, 2), X)),
    "maximum for minimum": le(make("max", X, Y), make("min", X, Y)),
    "a root of a sum": eq(root(add(X, Y)), add(root(X), root(Y))),
    "a positive zero": eq(M, ZERO),
    "two norms": eq(norm(W1), norm(W2)),
    "one and zero": le(ONE, ZERO),
    "a number under a root": eq(root(rat(12)), mul(rat(3), root(rat(2)))),
}


@pytest.mark.parametrize("formula", RIGHT.values(), ids=RIGHT.keys())
def test_what_follows_from_nothing(formula):
    rule = "by_form" if formula.head == "eq" else "at_most_by_form"
    assert verdict(rule, formula) == AGREED


@pytest.mark.parametrize("formula", WRONG.values(), ids=WRONG.keys())
def test_what_does_not_is_contradicted(formula):
    rule = "by_form" if formula.head == "eq" else "at_most_by_form"
    assert verdict(rule, formula) == CONTRADICTED


RELATED = [
    ("transitivity", le(X, Z), [le(X, Y), le(Y, Z)], AGREED),
    ("transitivity", le(Z, X), [le(X, Y), le(Y, Z)], CONTRADICTED),
    ("transitivity", eq(X, Z), [le(X, Y), le(Y, Z)], CONTRADICTED),
    ("transitivity", le(X, Z), [le(X, Y), le(K, Z)], CONTRADICTED),
    ("symmetry", eq(Y, X), [eq(X, Y)], AGREED),
    ("symmetry", eq(Y, Z), [eq(X, Y)], CONTRADICTED),
    ("weaken", le(X, Y), [eq(X, Y)], AGREED),
    ("weaken", le(add(X, ONE), Y), [eq(X, Y)], CONTRADICTED),
]


@pytest.mark.parametrize(("rule", "conclusion", "premises", "expected"), RELATED)
def test_what_follows_from_premises(rule, conclusion, premises, expected):
    assert verdict(rule, conclusion, *premises) == expected


def test_monotone_substitution_level_by_level():
    below = kernel.hypothesis(le(norm(W1), X))
    other = kernel.hypothesis(le(norm(W2), Y))
    deep = add(
        mul(H, K, X, power(M, Fraction(-1, 2))),
        make("max", power(add(H, Z), Fraction(3, 2)), make("min", K, Z)),
    )
    assert of(kernel.monotone(deep, {H: below, K: other})) == AGREED


@pytest.mark.parametrize(
    ("template", "conclusion"),
    [
        (mul(H, Z), le(mul(Y, Z), mul(X, Z))),
        (mul(H, Z), le(mul(X, Z), Y)),
        (add(H, Z), le(add(X, Z, ONE), add(Y, Z))),
        (power(add(ONE, H), -1), le(power(add(ONE, X), -1), power(add(ONE, Y), -1))),
        (make("max", H, Z), le(make("max", X, Z), make("min", Y, Z))),
    ],
)
def test_substitution_that_is_not_monotone_is_contradicted(template, conclusion):
    assert verdict("monotone", conclusion, le(X, Y), data=(template, (H,))) == CONTRADICTED


def test_a_long_product_of_many_bounds():
    holes = {
        make("var", f"h{i}", "real"): (make("sym", f"a{i}"), make("sym", f"b{i}"))
        for i in range(12)
    }
    premises = {h: kernel.hypothesis(le(*pair)) for h, pair in holes.items()}
    assert of(kernel.monotone(mul(*holes), premises)) == AGREED


def test_a_question_too_hard_is_unknown_and_not_agreed():
    many = add(*(make("sym", f"x{i}") for i in range(30_000)))
    assert verdict("by_form", eq(many, add(many, X))) == UNKNOWN


def test_only_real_arithmetic_is_asked_about():
    assert is_arithmetic(Step("by_form", (), (), eq(X, X)))
    assert not is_arithmetic(Step("by_form", (), (), eq(W1, W1)))
    assert not is_arithmetic(Step("lemma", (), (), le(X, Y)))


def test_what_arithmetic_says_of_two_statements():
    assert implies([le(X, Y)], le(X, add(Y, Z))).verdict == AGREED
    assert implies([le(X, mul(rat(2), Y))], le(X, Y)).verdict == CONTRADICTED


@settings(max_examples=30)
@given(st.data())
def test_the_solver_agrees_with_equal_forms(data):
    left = data.draw(reals())
    right = data.draw(rewritten(left))
    try:
        if equal(left, right):
            assert implies([], eq(left, right), 500).verdict != CONTRADICTED
    except ArithmeticLimitError:
        pass


VALUES = {s: Fraction(n + 2, 3) for n, s in enumerate([*(make("sym", c) for c in "abc"), M])}


@settings(max_examples=30)
@given(reals(plain=True), reals(plain=True))
def test_the_solver_is_not_contradicted_by_exact_numbers(left, right):
    if implies([], le(left, right), 500).verdict == AGREED:
        assert exact(left, VALUES) <= exact(right, VALUES)


# -- random matrices ------------------------------------------------------------------------------

ALPHA = activation(1, CENTRE, INPUT)
PAIRS = [
    (transpose(dot(W2, W1)), dot(transpose(W1), transpose(W2)), True),
    (dot(W2, plus(W1, W1)), make("scale", rat(2), dot(W2, W1)), True),
    (make("diag", plus(ALPHA, ALPHA)), make("scale", rat(2), make("diag", ALPHA)), True),
    (plus(W1, make("neg", W1)), make("zero", *W1.shape), True),
    (W1, make("scale", rat(2), W1), False),
    (W1, weights(1, make("point", "theta")), False),
    (dot(W2, W1), make("zero", W2.rows, W1.cols), False),
    (make("act", 1, 0, ALPHA), make("act", 1, 1, ALPHA), False),
    (make("act", 1, 0, ALPHA), make("act", 2, 0, ALPHA), False),
    (make("jac", ALPHA, CENTRE), make("jac", make("scale", rat(2), ALPHA), CENTRE), False),
]


@pytest.mark.parametrize(("left", "right", "same"), PAIRS)
def test_equations_between_operators(left, right, same):
    assert World(1).agree(left, right) is same
    assert equal(left, right) is same


def test_sums_over_indices_are_written_out():
    index = make("index", "k", 0)
    body = make("scale", make("sym", "s", index), make("op", "A", SCALAR, SCALAR, index))
    total = make("osum", "k", 1, 3, body)
    by_hand = plus(
        *(make("scale", make("sym", "s", i), make("op", "A", SCALAR, SCALAR, i)) for i in (1, 2, 3))
    )
    assert World(1).agree(total, by_hand) is True
    assert World(1).agree(total, plus(*by_hand.args[:2])) is False
    assert World(1).agree(make("osum", "k", 3, 1, body), make("zero", SCALAR, SCALAR)) is True


def test_spaces_too_large_are_not_tried():
    space = make("layer", 1)
    for _ in range(4):
        space = make("tensor", space, space)
    assert World(1).agree(make("id", space), make("id", space)) is None


@given(operators(), operators())
def test_matrices_that_differ_are_different_terms(left, right):
    if World(2).agree(left, right) is False:
        assert not equal(left, right)


def test_the_depth_3_bound_is_agreed_on_without_unknowns():
    bound = theory.hessian_bound(theory.reference_network(3, trainable=True), radius="R")
    steps = bound.proof.steps
    for step in filter(is_arithmetic, steps):
        premises = [steps[p].conclusion for p in step.premises]
        assert opinion(step, premises).verdict == AGREED
