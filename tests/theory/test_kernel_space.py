"""The rules about all of parameter space: what they give, and what they must refuse."""

from __future__ import annotations

from fractions import Fraction

import pytest

from proofs_check import check
from tests.judgements import both, judged
from theory import kernel
from theory.kernel import KernelError
from theory.proofs import proof_of
from theory.terms import ZERO, add, eq, le, make, mul, norm, plus, power, rat
from theory.vocabulary import CENTRE, INPUT, POINT, gradient, output, parameters

STAR = make("point", "*")
P, Q = make("point", "p"), make("point", "q")
T, A, B, C, D = (make("var", n, "real") for n in "tabcd")
SLOPE = le(norm(gradient(P, INPUT)), C)


# -- everywhere -----------------------------------------------------------------------------------


def test_what_holds_at_an_arbitrary_point_holds_everywhere():
    fact = make("fact", "input")
    hypotheses, conclusion = both("everywhere_intro", (P,), [judged(SLOPE, fact)])
    assert hypotheses == {fact}
    assert conclusion is make("everywhere", "*", le(norm(gradient(STAR, INPUT)), C))
    assert both("everywhere_elim", (Q,), [judged(conclusion, fact)])[1] is le(
        norm(gradient(Q, INPUT)), C
    )


@pytest.mark.parametrize(
    ("point", "formula", "hypotheses"),
    [
        pytest.param(P, SLOPE, [SLOPE], id="only where a hypothesis holds"),
        pytest.param(P, SLOPE, [kernel.in_ball(P, CENTRE, C)], id="only in a ball"),
        pytest.param(P, SLOPE, [eq(parameters(P), parameters(Q))], id="only at another point"),
        pytest.param(STAR, SLOPE, [], id="the bound name"),
        pytest.param(
            P, le(norm(gradient(STAR, INPUT)), norm(gradient(P, INPUT))), [], id="captured"
        ),
        pytest.param(P, SLOPE, [le(norm(gradient(STAR, INPUT)), C)], id="the bound name assumed"),
        pytest.param(
            P,
            make("ball", "*", CENTRE, C, le(norm(gradient(P, INPUT)), norm(gradient(STAR, INPUT)))),
            [],
            id="under another binder",
        ),
    ],
)
def test_what_does_not_hold_everywhere(point, formula, hypotheses):
    assert both("everywhere_intro", (point,), [judged(formula, *hypotheses)]) is None


def test_only_a_statement_about_all_points_is_instantiated():
    for formula in (SLOPE, make("ball", "*", CENTRE, C, le(norm(gradient(STAR, INPUT)), C))):
        assert both("everywhere_elim", (Q,), [judged(formula)]) is None


def test_an_equality_at_one_point_is_not_differentiated():
    """f(p) = f(q) at a chosen point p says nothing of derivatives."""
    same = kernel.hypothesis(eq(output(P, INPUT), output(Q, INPUT)))
    hole = make("var", "h", "op", *output(P, INPUT).shape)
    with pytest.raises((KernelError, ValueError)):
        kernel.congruence(make("jac", hole, P), {hole: same})


# -- points are chosen ----------------------------------------------------------------------------

VALUE = plus(parameters(Q), make("scale", T, gradient(Q, INPUT)))
CHOSEN = eq(parameters(P), VALUE)


def test_a_point_with_given_parameters_exists():
    free_of_it = le(norm(gradient(Q, INPUT)), C)
    assert both("witness", (P, VALUE), [judged(free_of_it, CHOSEN)]) == (frozenset(), free_of_it)


@pytest.mark.parametrize(
    ("point", "value", "formula", "hypotheses"),
    [
        pytest.param(P, VALUE, SLOPE, [CHOSEN], id="the conclusion speaks of it"),
        pytest.param(P, VALUE, le(ZERO, C), [CHOSEN, SLOPE], id="another hypothesis does"),
        pytest.param(
            P,
            plus(parameters(P), gradient(Q, INPUT)),
            le(ZERO, C),
            [eq(parameters(P), plus(parameters(P), gradient(Q, INPUT)))],
            id="the value does: theta = theta + g has no solution",
        ),
        pytest.param(
            P,
            gradient(P, INPUT),
            le(ZERO, C),
            [eq(parameters(P), gradient(P, INPUT))],
            id="the value does: theta = grad f(theta) need not have one",
        ),
        pytest.param(STAR, VALUE, le(ZERO, C), [CHOSEN], id="the bound name"),
        pytest.param(
            P,
            VALUE,
            le(ZERO, C),
            [CHOSEN, eq(parameters(P), parameters(Q))],
            id="two values for one point",
        ),
    ],
)
def test_a_point_is_not_chosen_twice_or_to_please_itself(point, value, formula, hypotheses):
    assert both("witness", (point, value), [judged(formula, *hypotheses)]) is None


# -- far out --------------------------------------------------------------------------------------


def test_far_out_only_the_rates_count():
    formula = le(add(A, mul(T, B)), add(C, mul(T, D)))
    assert both("archimedean", (T,), [judged(formula)])[1] is le(B, D)


@pytest.mark.parametrize(
    ("formula", "hypotheses"),
    [
        pytest.param(le(add(T, mul(T, B)), add(C, mul(T, D))), [], id="grows on the left"),
        pytest.param(le(add(A, mul(T, B)), add(power(T, 2), mul(T, D))), [], id="a square"),
        pytest.param(le(add(A, mul(T, B)), add(C, mul(T, T))), [], id="a rate that grows"),
        pytest.param(le(add(A, mul(T, B)), add(C, mul(T, D))), [le(T, rat(1))], id="t is bounded"),
        pytest.param(le(add(A, mul(C, B)), add(C, mul(T, D))), [], id="two parameters"),
        pytest.param(le(add(A, mul(T, B)), C), [], id="no rate on the right"),
        pytest.param(le(add(A, mul(B, T)), add(C, mul(D, T))), [], id="another arrangement"),
        pytest.param(
            le(add(A, mul(rat(Fraction(1, 2)), B)), add(C, mul(rat(Fraction(1, 2)), D))),
            [],
            id="a number",
        ),
        pytest.param(
            le(add(A, mul(T, B)), add(C, mul(T, D))),
            [eq(parameters(P), VALUE)],
            id="a point still depends on t",
        ),
    ],
)
def test_what_says_nothing_far_out(formula, hypotheses):
    for variable in (T, C, make("sym", "R")):
        if variable is T or formula.args[0].args[1].args[0] is variable:
            assert both("archimedean", (variable,), [judged(formula, *hypotheses)]) is None


def test_a_number_in_place_of_the_parameter_is_refused():
    half = rat(1, 2)
    formula = le(add(A, mul(half, B)), add(C, mul(half, D)))
    assert both("archimedean", (half,), [judged(formula)]) is None


# -- a false theorem ------------------------------------------------------------------------------


def test_a_kernel_constant_on_a_ball_does_not_go_through():
    """The proof of A1 needs all of space: from a ball the lines cannot be followed to the end."""
    from theory.derive import constancy

    d = constancy.Constancy()
    proof = constancy.linear(d)
    everywhere = next(h for h in proof.hypotheses if h.head == "everywhere")
    on_ball = make("ball", "*", CENTRE, make("sym", "R"), everywhere.args[1])
    forged = proof_of(proof, [on_ball, *(proof.hypotheses - {everywhere})], ())
    assert not check(forged, second_opinion=False).ok
    assert POINT in proof.conclusion.free
