"""Every rule of the kernel: what it gives, and what it refuses."""

from __future__ import annotations

import pytest

from theory import kernel
from theory.kernel import Judgement, KernelError
from theory.lemmas import INPUT_X, POINT_P, UnknownLemmaError, fact, operator_variable
from theory.terms import (
    ONE,
    SCALAR,
    ZERO,
    TermError,
    add,
    dot,
    eq,
    le,
    make,
    minus,
    mul,
    norm,
    plus,
    power,
    rat,
    root,
    shift,
    transpose,
)
from theory.vocabulary import CENTRE, INPUT, POINT, activation, parameters, weights, width

X, Y, Z = (make("sym", n) for n in ("x", "y", "z"))
H, K = make("var", "h", "real"), make("var", "k", "real")
INDEX = make("index", "l", 0)
W1, W2 = weights(1, CENTRE), weights(2, CENTRE)


def assume(left, right):
    return kernel.hypothesis(le(left, right))


def test_a_judgement_cannot_be_built_or_changed_by_hand():
    with pytest.raises(KernelError):
        Judgement(frozenset(), le(ONE, ZERO), "hypothesis", (), ())
    with pytest.raises(AttributeError):
        assume(X, Y).conclusion = le(ONE, ZERO)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (add(X, Y), add(Y, X)),
        (mul(add(X, Y), add(X, Y)), add(mul(X, X), mul(rat(2), X, Y), power(Y, 2))),
        (mul(root(width(1)), root(width(1))), width(1)),
        (mul(power(width(1), -1), width(1), X), X),
        (root(mul(X, X)), X),
        (root(rat(12)), mul(rat(2), root(rat(3)))),
        (dot(W2, plus(W1, W1)), make("scale", rat(2), dot(W2, W1))),
        (transpose(dot(W2, W1)), dot(transpose(W1), transpose(W2))),
        (minus(W1, W1), make("zero", *W1.shape)),
        (dot(make("id", W1.rows), W1), W1),
        (make("osum", "k", 1, 0, W1), make("zero", *W1.shape)),
    ],
)
def test_rearrangement_proves_equals(left, right):
    assert kernel.by_form(left, right).conclusion is eq(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (X, Y),
        (X, mul(X, X)),
        (add(X, ONE), X),
        (root(add(X, Y)), add(root(X), root(Y))),
        (mul(X, power(add(X, ONE), -1)), ONE),
        (dot(W2, W1, transpose(W1), transpose(W2)), dot(W2, transpose(W2))),
        (norm(W1), norm(W2)),
        (norm(activation(1, CENTRE, INPUT)), norm(activation(1, CENTRE, INPUT), "inf")),
        (W1, make("neg", W1)),
    ],
)
def test_rearrangement_refuses_what_is_not_equal(left, right):
    with pytest.raises((KernelError, TermError)):
        kernel.by_form(left, right)


def test_order_by_form():
    kernel.at_most_by_form(X, add(X, mul(Y, Z)))
    kernel.at_most_by_form(ZERO, X)
    for left, right in ((add(X, Y), X), (X, mul(rat(1, 2), X)), (ONE, width(1))):
        with pytest.raises(KernelError):
            kernel.at_most_by_form(left, right)


def test_symmetry_is_for_equalities_only():
    with pytest.raises(KernelError):
        kernel.symmetry(assume(X, Y))
    assert kernel.symmetry(kernel.by_form(X, X)).conclusion is eq(X, X)


def test_transitivity_keeps_direction_and_hypotheses():
    joined = kernel.transitivity(assume(X, Y), assume(Y, Z))
    assert joined.conclusion is le(X, Z)
    assert joined.hypotheses == {le(X, Y), le(Y, Z)}
    with pytest.raises(KernelError, match="breaks"):
        kernel.transitivity(assume(X, Y), assume(X, Z))
    with pytest.raises(KernelError):
        kernel.transitivity()


def test_monotone_needs_positive_positions():
    raised = kernel.monotone(add(mul(H, Z), root(K)), {H: assume(X, Y), K: assume(X, Z)})
    assert raised.conclusion is le(add(mul(X, Z), root(X)), add(mul(Y, Z), root(Z)))
    with pytest.raises(KernelError):
        kernel.monotone(power(add(H, ONE), -1), {H: assume(X, Y)})
    with pytest.raises(KernelError):
        kernel.monotone(norm(make("scale", H, W1)), {H: assume(X, Y)})


def test_congruence_rewrites_anywhere_but_only_equals():
    equal = kernel.hypothesis(eq(X, Y))
    inside = kernel.congruence(norm(make("scale", H, W1)), {H: equal})
    assert inside.conclusion is eq(norm(make("scale", X, W1)), norm(make("scale", Y, W1)))
    with pytest.raises(KernelError):
        kernel.congruence(H, {H: assume(X, Y)})


def test_equality_at_some_points_is_not_differentiated():
    one, two = (make("op", n, make("layer", 1), SCALAR) for n in ("b", "c"))
    spot = make("var", "s", "op", make("layer", 1), SCALAR)
    everywhere = kernel.hypothesis(eq(one, two))
    kernel.congruence(make("jac", spot, POINT), {spot: everywhere})
    here = kernel.cut(everywhere, kernel.hypothesis(le(norm(parameters(POINT)), X)))
    assert not here.hypotheses - {eq(one, two), le(norm(parameters(POINT)), X)}
    with pytest.raises(KernelError, match="differentiated"):
        kernel.congruence(make("jac", spot, POINT), {spot: here})


def test_cut_discharges_what_is_proved():
    chained = kernel.transitivity(assume(X, Y), assume(Y, Z))
    by = kernel.transitivity(kernel.hypothesis(eq(X, Y)), kernel.by_form(Y, Y))
    done = kernel.cut(chained, kernel.weaken(by))
    assert done.hypotheses == {eq(X, Y), le(Y, Z)}


def test_lemmas_are_matched_not_labelled():
    product = operator_variable("A1", "s0", "s1"), operator_variable("A2", "s1", "s2")
    instance = kernel.lemma("product", (2,), dict(zip(product, (W2, W1), strict=True)))
    assert instance.conclusion is le(norm(dot(W2, W1)), mul(norm(W2), norm(W1)))
    with pytest.raises((KernelError, TermError)):
        kernel.lemma("product", (2,), dict(zip(product, (W1, W1), strict=True)))
    with pytest.raises(UnknownLemmaError):
        kernel.lemma("wishful", (), {})
    with pytest.raises(UnknownLemmaError):
        kernel.lemma("product", (1,), {})
    with pytest.raises(UnknownLemmaError):
        kernel.lemma("product", (10**9,), {})


def test_a_lemma_needs_its_premises():
    bind = {INDEX: 1, POINT_P: CENTRE, INPUT_X: INPUT}
    right = kernel.hypothesis(fact("dense", 1))
    wrong = kernel.hypothesis(fact("dense", 2))
    kernel.lemma("preactivation", (), bind, [right])
    for given in ([], [wrong], [right, right]):
        with pytest.raises(KernelError):
            kernel.lemma("preactivation", (), bind, given)


def test_induction_refuses_a_wrong_base_and_a_leaking_index():
    claim = eq(make("sym", "c", INDEX), ZERO)
    base = kernel.hypothesis(eq(make("sym", "c", 0), ZERO))
    before = eq(make("sym", "c", shift(INDEX, -1)), ZERO)
    rule = kernel.hypothesis(eq(make("sym", "c", INDEX), make("sym", "c", shift(INDEX, -1))))
    step = kernel.transitivity(rule, kernel.hypothesis(before))
    assert step.conclusion is claim
    with pytest.raises(KernelError, match="mentions the index"):
        kernel.induction("l", 3, base, step)
    with pytest.raises(KernelError, match="base"):
        kernel.induction("l", 3, kernel.hypothesis(eq(make("sym", "c", 1), ZERO)), step)
    everywhere = kernel.hypothesis(make("forall", "l", 1, 3, rule.conclusion))
    closed = kernel.cut(step, kernel.forall_elim(everywhere, INDEX))
    leaking = kernel.cut(base, kernel.hypothesis(fact("dense", INDEX)))
    with pytest.raises(KernelError, match="mentions the index"):
        kernel.induction("l", 3, leaking, closed)
    proved = kernel.induction("l", 3, base, closed)
    assert proved.conclusion is make("forall", "l", 0, 3, claim)
    assert kernel.forall_elim(proved, 2).conclusion is eq(make("sym", "c", 2), ZERO)
    with pytest.raises(KernelError, match="outside"):
        kernel.forall_elim(proved, 4)


def test_forall_needs_every_case():
    formula = le(make("sym", "c", INDEX), X)
    cases = [kernel.hypothesis(le(make("sym", "c", i), X)) for i in (1, 2)]
    assert kernel.forall_intro("l", 1, formula, cases).conclusion.args[2] == 2
    with pytest.raises(KernelError):
        kernel.forall_intro("l", 1, formula, cases[::-1])
    for low, given in ((1, []), (INDEX, cases)):
        with pytest.raises(KernelError, match="an integer to start from"):
            kernel.forall_intro("l", low, formula, given)


def test_sum_last_carries_its_range():
    body = make("op", "B", make("layer", 1), make("layer", 1), make("index", "k", 0))
    total = make("osum", "k", 1, INDEX, body)
    split = kernel.sum_last(total, make("index", "L", 0))
    assert split.hypotheses == {make("range", INDEX, 1, make("index", "L", 0))}


def test_a_ball_needs_an_arbitrary_point():
    inside = kernel.hypothesis(kernel.in_ball(POINT, CENTRE, X))
    ball = kernel.ball_intro(inside, POINT, CENTRE, X)
    assert not ball.hypotheses
    assert kernel.ball_elim(ball, make("point", "other")).hypotheses
    special = kernel.cut(inside, kernel.hypothesis(kernel.in_ball(POINT, CENTRE, Y)))
    restricted = kernel.transitivity(
        special, kernel.cut(assume(X, Z), kernel.hypothesis(le(norm(parameters(POINT)), Y)))
    )
    with pytest.raises(KernelError, match="arbitrary"):
        kernel.ball_intro(restricted, POINT, CENTRE, X)
    with pytest.raises(KernelError):
        kernel.ball_intro(inside, CENTRE, CENTRE, X)


def test_the_spectral_rule_needs_arbitrary_vectors():
    x, z = (make("var", n, "op", make("layer", 1), SCALAR) for n in "xz")
    a = operator_variable("A", make("layer", 1), make("layer", 1))
    form = le(norm(dot(transpose(x), a, z)), mul(X, norm(x), norm(z)))
    with pytest.raises(KernelError, match="arbitrary"):
        kernel.spectral(kernel.hypothesis(form), x, z)
    with pytest.raises(KernelError):
        kernel.spectral(kernel.by_form(X, X), x, z)
