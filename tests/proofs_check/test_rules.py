"""Every rule, replayed: what the kernel gives is accepted, what it would refuse is refused."""

from __future__ import annotations

import ast
from fractions import Fraction
from pathlib import Path

import pytest

import proofs_check
from proofs_check.replay.arithmetic import ArithmeticLimitError
from proofs_check.replay.rules import BindingError, RuleError, Sequent, replay
from theory import kernel
from theory.lemmas import A, UnknownLemmaError, V, fact, operator_variable
from theory.proofs import linearize
from theory.terms import (
    ONE,
    PARAMS,
    SCALAR,
    ZERO,
    TermError,
    add,
    dot,
    eq,
    le,
    make,
    mul,
    norm,
    power,
    transpose,
)
from theory.vocabulary import (
    CENTRE,
    FAILURE,
    INPUT,
    POINT,
    SAMPLES,
    activation,
    parameters,
    readout_weights,
    share,
    sigma,
    tail,
    weights,
)

X, Y, Z = (make("sym", n) for n in "xyz")
H, K = make("var", "h", "real"), make("var", "k", "real")
L = make("index", "l", 0)
SIZE = make("sym", "c")
STAR, P = make("point", "*"), make("point", "p")
W1, W2 = weights(1, CENTRE), weights(2, CENTRE)
LAYER = make("layer", 1)
REFUSED = (RuleError, BindingError, TermError, ArithmeticLimitError, UnknownLemmaError)


def from_kernel(judgement):
    """The judgement's last step, replayed."""
    premises = [Sequent(p.hypotheses, p.conclusion) for p in judgement.premises]
    return replay(judgement.rule, judgement.data, premises)


def given(conclusion, *hypotheses):
    return Sequent(frozenset(hypotheses), conclusion)


def assume(left, right):
    return kernel.hypothesis(le(left, right))


def claim(index):
    return le(make("sym", "a", index), make("sym", "b", index))


def some_judgements():
    """One or more uses of every rule."""
    equal = kernel.by_form(add(X, Y), add(Y, X))
    vector = operator_variable("x", LAYER, SCALAR), operator_variable("z", PARAMS, SCALAR)
    jac = make("jac", activation(1, POINT, INPUT), POINT)
    body = make("op", "W", LAYER, LAYER, make("index", "k", 0))
    total = make("osum", "k", 1, L, body)
    everywhere = kernel.hypothesis(make("forall", "l", 1, 3, fact("dense", L)))
    small = kernel.hypothesis(kernel.in_ball(POINT, CENTRE, X))
    on_ball = kernel.ball_intro(small, POINT, CENTRE, X)
    step = kernel.transitivity(kernel.hypothesis(claim(make("index", "l", -1))))
    constant = make("sym", "c")
    steady = kernel.hypothesis(le(constant, X))
    yield from (equal, kernel.symmetry(equal), kernel.weaken(equal))
    yield kernel.at_most_by_form(X, add(X, Y))
    yield kernel.transitivity(assume(X, Y), assume(Y, Z))
    yield kernel.transitivity(equal, assume(add(Y, X), Z))
    yield kernel.congruence(mul(H, Z), {H: equal})
    yield kernel.monotone(add(mul(H, X), K), {H: assume(X, Y), K: equal})
    yield kernel.monotone(power(H, Fraction(1, 2)), {H: assume(X, Y)})
    yield kernel.lemma(
        "product",
        (2,),
        {operator_variable("A1", "s0", "s1"): W2, operator_variable("A2", "s1", "s2"): W1},
    )
    yield kernel.lemma(
        "slope_bound",
        (),
        {make("index", "l", 0): 2, V: vector[0]},
        [kernel.hypothesis(fact("bounded", 2, 1))],
    )
    yield kernel.cut(assume(X, Y), assume(X, Y))
    yield kernel.instance(kernel.hypothesis(fact("dense", L)), {L: 2})
    yield kernel.instance(small, {CENTRE: P})
    yield kernel.spectral(_bilinear_bound(jac, *vector), *vector)
    yield kernel.sum_last(total, 5)
    for head in ("rsum", "rmax"):
        yield kernel.sum_last(make(head, "k", 1, L, make("sym", "a", make("index", "k", 0))), 5)
    yield kernel.range_intro(2, 1, 3)
    yield kernel.range_intro(L, 0, L)
    yield kernel.range_intro(1, 0, make("index", "l", 1))
    yield kernel.range_back(kernel.hypothesis(make("range", L, 1, 4)))
    yield kernel.forall_elim(everywhere, 2)
    yield kernel.forall_elim(everywhere, L)
    yield kernel.forall_intro(
        "l", 1, fact("dense", L), [kernel.hypothesis(fact("dense", i)) for i in (1, 2)]
    )
    yield kernel.induction("l", 4, kernel.cut(steady), kernel.cut(steady))
    yield on_ball
    yield kernel.ball_elim(on_ball, P)
    anywhere = kernel.everywhere_intro(
        kernel.at_most_by_form(norm(parameters(P)), add(norm(parameters(P)), X)), P
    )
    yield kernel.everywhere_elim(anywhere, POINT)
    yield from _far_out()
    yield kernel.part_intro(assume(SIZE, add(SIZE, SIZE)), make("index", "i", 0))
    yield from _two_steps()
    yield kernel.likely_intro(*_union_bound())
    yield step


def _two_steps():
    """What holds everywhere holds along a path."""

    def grown(point):
        return kernel.at_most_by_form(norm(parameters(point)), add(norm(parameters(point)), X))

    small = le(norm(parameters(STAR)), add(norm(parameters(STAR)), X))
    begun = kernel.descent_start(grown(CENTRE), CENTRE, SAMPLES, small)
    once = kernel.descent_step(grown(POINT), P, POINT, begun)
    yield from (begun, once, kernel.descent_step(kernel.cut(assume(X, Y)), P, POINT, once, once))


WIDE = (2, 3, "gaussian", 1, 2)
NORMAL = fact("gaussian", 3, "gaussian")


def _union_bound():
    """Two events with half of delta each, and what follows from them."""
    events = [
        kernel.lemma("gaussian_matrix", (i, *WIDE[1:]), {}, [kernel.hypothesis(NORMAL)])
        for i in (2, 3)
    ]
    first, second = (kernel.hypothesis(e.conclusion.args[1]) for e in events)
    both = kernel.monotone(add(H, K), {H: first, K: second})
    spent = add(*(e.conclusion.args[0] for e in events))
    return both, kernel.by_form(spent, FAILURE), events


def _far_out():
    """A point chosen, and t growing, in an inequality that is true for all t."""
    value = make("scale", H, parameters(CENTRE))
    placed = kernel.hypothesis(eq(parameters(P), value))
    moved = make("var", "v", "op", PARAMS, SCALAR)
    size = kernel.congruence(norm(moved), {moved: placed})
    less = kernel.at_most_by_form(add(X, mul(H, Y)), add(X, mul(H, add(Y, Z))))
    both = kernel.transitivity(
        less, kernel.by_form(less.conclusion.args[1], add(X, mul(H, add(Y, Z))))
    )
    yield size
    yield kernel.witness(kernel.cut(both, size), P, value)
    yield kernel.archimedean(less, H)


def _bilinear_bound(operator, left, right):
    """|x' A z| <= |A| |x| |z| for arbitrary x and z."""
    names = [operator_variable(f"A{i}", f"s{i - 1}", f"s{i}") for i in (1, 2, 3)]
    factors = (transpose(left), operator, right)
    bound = kernel.lemma("product", (3,), dict(zip(names, factors, strict=True)))
    same = kernel.lemma("transpose", (), {A: left})
    rest = kernel.congruence(mul(H, norm(operator), norm(right)), {H: same})
    order = kernel.by_form(rest.conclusion.args[1], mul(norm(operator), norm(left), norm(right)))
    return kernel.transitivity(bound, rest, order)


JUDGEMENTS = [step for judgement in some_judgements() for step in linearize(judgement)]


def test_every_rule_is_tried():
    assert {j.rule for j in JUDGEMENTS} == set(kernel.RULES)


@pytest.mark.parametrize("judgement", JUDGEMENTS, ids=lambda j: j.rule)
def test_what_the_kernel_gives_is_given_again(judgement):
    assert from_kernel(judgement) == Sequent(judgement.hypotheses, judgement.conclusion)


@pytest.mark.parametrize("judgement", JUDGEMENTS, ids=lambda j: j.rule)
def test_wrong_numbers_of_arguments_and_premises_are_refused(judgement):
    premises = [Sequent(p.hypotheses, p.conclusion) for p in judgement.premises]
    with pytest.raises(RuleError, match="arguments"):
        replay(judgement.rule, (*judgement.data, X), premises)
    if judgement.rule in ("transitivity", "cut"):
        with pytest.raises(RuleError):
            replay(judgement.rule, judgement.data, [])
    elif judgement.rule != "forall_intro":
        with pytest.raises(RuleError):
            replay(judgement.rule, judgement.data, [*premises, given(le(X, Y))])


EQUAL, LESS = given(eq(X, Y)), given(le(X, Y))
HOLES = (H,)
SMALL = kernel.in_ball(POINT, CENTRE, X)
DIFFERENT = eq(activation(1, POINT, INPUT), make("zero", LAYER, SCALAR))
VAR = make("var", "u", "op", LAYER, SCALAR)
OTHER_VAR = make("var", "w", "op", LAYER, SCALAR)
FREE_X, FREE_Z = operator_variable("x", LAYER, SCALAR), operator_variable("z", LAYER, SCALAR)
SQUARE = make("op", "A", LAYER, LAYER)


def _bilinear(constant, *hypotheses, operator=SQUARE):
    left = norm(make("dot", transpose(FREE_X), operator, FREE_Z))
    return given(le(left, mul(constant, norm(FREE_X), norm(FREE_Z))), *hypotheses)


def _likely(*left, chance=FAILURE, hypotheses=(), event=None):
    """A union bound over |W2| <= x, with other hypotheses left."""
    sure = le(norm(W2), X) if event is None else event
    return [
        given(le(norm(W2), add(X, Y)), le(norm(W2), X), *left),
        given(le(chance, Z), *hypotheses),
        given(make("likely", FAILURE, sure)),
    ]


READOUT = readout_weights(1, None)
UNLIKELY = make("likely", FAILURE, le(norm(W2), H))

WRONG = {
    "union bound without a budget": ("likely_intro", (), [LESS]),
    "union bound, a random hypothesis left": ("likely_intro", (), _likely(le(norm(W1), X))),
    "union bound, a hypothesis on a fixed readout": (
        "likely_intro",
        (),
        _likely(le(norm(READOUT), X)),
    ),
    "union bound, a point left": ("likely_intro", (), _likely(SMALL)),
    "union bound, a random budget": (
        "likely_intro",
        (),
        _likely(hypotheses=[le(norm(READOUT), X)]),
    ),
    "union bound over half the cost": ("likely_intro", (), _likely(chance=share(1, 2))),
    "union bound over another event": ("likely_intro", (), _likely(event=le(norm(W2), Y))),
    "union bound over one event of two": (
        "likely_intro",
        (),
        [*_likely(le(norm(W1), X))[:2], given(make("likely", FAILURE, le(norm(W1), X)))],
    ),
    "union bound, the events counted once": (
        "likely_intro",
        (),
        [*_likely(), given(make("likely", FAILURE, le(norm(W2), X)))],
    ),
    "union bound over what is certain of nothing": ("likely_intro", (), [*_likely()[:2], LESS]),
    "a random vector in a likely statement": (
        "instance",
        (((H, norm(READOUT)),),),
        [given(UNLIKELY)],
    ),
    "the bound centre captured": ("instance", (((H, norm(W2)),),), [given(UNLIKELY)]),
    "a likely lemma with a fraction of no part": (
        "lemma",
        ("gaussian_matrix", (2, 3, "gaussian", 0, 2), ()),
        [given(NORMAL)],
    ),
    "a likely lemma of a layer that is not there": (
        "lemma",
        ("gaussian_matrix", (4, 3, "gaussian", 1, 2), ()),
        [given(NORMAL)],
    ),
    "a likely lemma without its law": ("lemma", ("gaussian_matrix", WIDE, ()), []),
    "no such rule": ("sorry", (), []),
    "hypothesis of a real": ("hypothesis", (X,), []),
    "unknown lemma": ("lemma", ("trust_me", (), ()), []),
    "lemma without its premise": ("lemma", ("slope_bound", (), ((L, 1),)), []),
    "lemma with another premise": (
        "lemma",
        ("slope_bound", (), ((L, 1),)),
        [given(fact("bounded", 2, 1))],
    ),
    "lemma with a family out of range": ("lemma", ("triangle", (1, "2"), ()), []),
    "lemma with a huge family": ("lemma", ("entrywise", (10**6,), ()), []),
    "lemma with an odd parameter": ("lemma", ("triangle", (Fraction(2), "2"), ()), []),
    "lemma bound to the wrong sort": ("lemma", ("homogeneity", ("2",), ((A, X),)), []),
    "lemma bound to operators that do not fit": (
        "lemma",
        ("gram", (), ((A, W1), (make("var", "r", "space"), PARAMS))),
        [],
    ),
    "lemma variable bound twice": ("lemma", ("gram", (), ((A, W1), (A, W2))), []),
    "lemma binding that is no pair": ("lemma", ("gram", (), (A,)), []),
    "unequal forms": ("by_form", (add(X, Y), add(X, X)), []),
    "forms of two sorts": ("by_form", (X, W1), []),
    "forms of two shapes": ("by_form", (W1, W2), []),
    "not at most": ("at_most_by_form", (add(X, Y), X), []),
    "at most, reversed": ("at_most_by_form", (ONE, ZERO), []),
    "symmetry of an inequality": ("symmetry", (), [LESS]),
    "weaken an inequality": ("weaken", (), [LESS]),
    "weaken an equation of operators": ("weaken", (), [given(eq(W1, W1))]),
    "a chain that breaks": ("transitivity", (), [LESS, given(le(Z, X))]),
    "a chain with a fact": ("transitivity", (), [LESS, given(fact("input"))]),
    "congruence from an inequality": ("congruence", (mul(H, Z), HOLES), [LESS]),
    "congruence with a hole too many": ("congruence", (mul(H, K), (H, K)), [EQUAL]),
    "congruence with one hole twice": ("congruence", (H, (H, H)), [EQUAL, EQUAL]),
    "congruence with a hole that is no variable": ("congruence", (mul(X, Z), (X,)), [EQUAL]),
    "congruence of another kind": ("congruence", (norm(VAR), (VAR,)), [EQUAL]),
    "derivative of an equation at a point": (
        "congruence",
        (make("jac", VAR, POINT), (VAR,)),
        [given(DIFFERENT, DIFFERENT)],
    ),
    "derivative of an equation of variables": (
        "congruence",
        (make("jac", VAR, POINT), (VAR,)),
        [given(eq(VAR, OTHER_VAR), eq(VAR, OTHER_VAR))],
    ),
    "second derivative of an equation at a point": (
        "congruence",
        (make("hess", make("op", "c", LAYER, SCALAR), VAR, POINT), (VAR,)),
        [given(DIFFERENT, SMALL)],
    ),
    "a sum that captures": (
        "congruence",
        (make("osum", "l", 1, 3, make("scale", H, W1)), HOLES),
        [given(eq(make("sym", "s", L), Y))],
    ),
    "monotone below a norm": ("monotone", (norm(make("scale", H, W1)), HOLES), [LESS]),
    "monotone below a negative power": ("monotone", (power(add(ONE, H), -1), HOLES), [LESS]),
    "monotone in a matrix norm": ("monotone", (make("specnorm", 1, H), HOLES), [LESS]),
    "monotone template that is an operator": ("monotone", (make("scale", H, W1), HOLES), [LESS]),
    "instance with another sort": ("instance", (((CENTRE, INPUT),),), [given(SMALL)]),
    "instance of a symbol": ("instance", (((X, ZERO),),), [LESS]),
    "instance below layer 0": (
        "instance",
        (((L, 0),),),
        [given(fact("dense", make("index", "l", -1)))],
    ),
    "instance with another shape": (
        "instance",
        (((VAR, make("zero", PARAMS, SCALAR)),),),
        [given(le(norm(VAR), X))],
    ),
    "instance without the spaces": ("instance", (((A, W1),),), [given(le(norm(A), X))]),
    "instance that is captured": (
        "instance",
        (((make("index", "n", 0), L),),),
        [given(make("forall", "l", 1, make("index", "n", 0), fact("dense", L)))],
    ),
    "spectral with a vector in the constant": (
        "spectral",
        (FREE_X, FREE_Z),
        [_bilinear(norm(FREE_X))],
    ),
    "spectral with a vector in the operator": (
        "spectral",
        (FREE_X, FREE_Z),
        [_bilinear(X, operator=dot(FREE_X, transpose(FREE_Z)))],
    ),
    "spectral with a vector in a hypothesis": (
        "spectral",
        (FREE_X, FREE_Z),
        [_bilinear(X, le(norm(FREE_X), Y))],
    ),
    "spectral with one vector": ("spectral", (FREE_X, FREE_X), [_bilinear(X)]),
    "spectral with vectors that are given": (
        "spectral",
        (activation(1, CENTRE, INPUT), FREE_Z),
        [_bilinear(X)],
    ),
    "spectral from another form": ("spectral", (FREE_X, FREE_Z), [LESS]),
    "induction with another base": ("induction", ("l", 3), [given(claim(1)), given(claim(L))]),
    "induction with the index in a hypothesis": (
        "induction",
        ("l", 3),
        [given(claim(0)), given(claim(L), fact("dense", L))],
    ),
    "induction with a longer range": (
        "induction",
        ("l", 3),
        [given(claim(0)), given(claim(L), make("range", L, 0, 3))],
    ),
    "induction with the index in the base": (
        "induction",
        ("l", 3),
        [given(claim(0), fact("dense", L)), given(claim(L))],
    ),
    "induction up to the index": ("induction", ("l", L), [given(claim(0)), given(claim(L))]),
    "last term of no sum": ("sum_last", (W1, 3), []),
    "last term of an empty sum": ("sum_last", (make("osum", "k", 0, 0, W1), 3), []),
    "last term of a sum at its own index": (
        "sum_last",
        (make("rsum", "k", 1, make("index", "j", 0), make("sym", "a", make("index", "k", 0))), L),
        [given(LESS.conclusion)],
    ),
    "last term of an empty maximum": ("sum_last", (make("rmax", "k", 0, 0, X), 3), []),
    "last term of a plain maximum": ("sum_last", (make("max", X, Y), 3), []),
    "a range that is empty": ("range_intro", (2, 3, 3), []),
    "a range that may be empty": ("range_intro", (L, 1, L), []),
    "a range of another index": ("range_intro", (L, 0, make("index", "k", 0)), []),
    "an index below a number": ("range_intro", (L, 0, 5), []),
    "an index beyond itself": ("range_intro", (make("index", "l", 1), 0, L), []),
    "an index before itself": ("range_intro", (make("index", "l", -1), 0, L), []),
    "a range from an index on": ("range_intro", (L, L, L), []),
    "back from a range from 0 on": ("range_back", (), [given(make("range", L, 0, 4))]),
    "back from a range from an index on": (
        "range_back",
        (),
        [given(make("range", L, make("index", "k", 0), 4))],
    ),
    "back from no range": ("range_back", (), [LESS]),
    "case outside the range": (
        "forall_elim",
        (4,),
        [given(make("forall", "l", 1, 3, fact("dense", L)))],
    ),
    "case of no statement for all": ("forall_elim", (1,), [LESS]),
    "a case that is another": (
        "forall_intro",
        ("l", 1, fact("dense", L)),
        [given(fact("dense", 2))],
    ),
    "no case at all": ("forall_intro", ("l", 1, fact("dense", L)), []),
    "cases from a symbolic index": (
        "forall_intro",
        ("l", make("index", "k", 0), fact("dense", L)),
        [given(fact("dense", make("index", "k", 0)))],
    ),
    "ball around the point itself": ("ball_intro", (POINT, POINT, X), [LESS]),
    "ball with the point in a hypothesis": (
        "ball_intro",
        (POINT, CENTRE, X),
        [given(le(norm(parameters(POINT)), Y), le(norm(parameters(POINT)), Y))],
    ),
    "ball of another radius": ("ball_intro", (POINT, CENTRE, Y), [given(SMALL, SMALL)]),
    "ball with the point in the radius": (
        "ball_intro",
        (POINT, CENTRE, norm(parameters(POINT))),
        [LESS],
    ),
    "ball that captures": (
        "ball_intro",
        (P, CENTRE, X),
        [given(kernel.in_ball(STAR, CENTRE, ZERO), kernel.in_ball(STAR, CENTRE, ZERO))],
    ),
    "ball for the bound point": ("ball_intro", (STAR, CENTRE, X), [LESS]),
    "ball around the bound point": ("ball_intro", (P, STAR, X), [LESS]),
    "point of no ball": ("ball_elim", (POINT,), [LESS]),
    "all points of no statement about them": ("everywhere_elim", (POINT,), [LESS]),
    "all points, one of them assumed about": (
        "everywhere_intro",
        (POINT,),
        [given(le(X, Y), eq(parameters(POINT), parameters(CENTRE)))],
    ),
    "a point chosen that is spoken of": (
        "witness",
        (POINT, parameters(CENTRE)),
        [given(le(norm(parameters(POINT)), X), eq(parameters(POINT), parameters(CENTRE)))],
    ),
    "of a sub-model what is of any number": ("part_intro", (1,), [given(le(H, SIZE))]),
    "of a sub-model what is of a ball": (
        "part_intro",
        (1,),
        [given(make("ball", "*", CENTRE, SIZE, le(SIZE, SIZE)))],
    ),
    "of a sub-model what is of the bound point": (
        "part_intro",
        (1,),
        [given(le(norm(parameters(STAR)), SIZE))],
    ),
    "of a sub-model under a hypothesis of any number": (
        "part_intro",
        (1,),
        [given(le(SIZE, SIZE), le(H, SIZE))],
    ),
    "of a sub-model what is of another": (
        "part_intro",
        (1,),
        [given(make("for_part", 2, le(SIZE, SIZE)))],
    ),
    "a step of no path": ("descent_step", (POINT, P), [LESS, LESS]),
    "a step from nowhere": ("descent_step", (POINT, P), [LESS]),
    "a start elsewhere": (
        "descent_start",
        (CENTRE, SAMPLES, le(norm(parameters(STAR)), X)),
        [LESS],
    ),
    "a bounded number that grows": (
        "archimedean",
        (H,),
        [given(le(add(X, mul(H, Y)), add(X, mul(H, Z))), le(H, X))],
    ),
    "point that is an index": ("ball_elim", (L,), [given(make("ball", "*", CENTRE, X, le(X, Y)))]),
}


@pytest.mark.parametrize(("rule", "data", "premises"), WRONG.values(), ids=WRONG.keys())
def test_what_a_rule_does_not_give_is_refused(rule, data, premises):
    with pytest.raises(REFUSED):
        replay(rule, data, premises)


def test_the_wrong_ones_would_be_wrong_in_the_kernel_too():
    """A few of them, asked of the kernel itself."""
    with pytest.raises(kernel.KernelError):
        kernel.by_form(add(X, Y), add(X, X))
    with pytest.raises((kernel.KernelError, TermError)):
        kernel.ball_intro(kernel.hypothesis(kernel.in_ball(STAR, CENTRE, ZERO)), P, CENTRE, X)
    with pytest.raises(kernel.KernelError):
        kernel.congruence(make("jac", VAR, POINT), {VAR: kernel.hypothesis(DIFFERENT)})


def test_the_union_bound_of_the_kernel_refuses_what_is_false():
    """Each of these would prove a falsehood about random weights."""
    main, budget, events = _union_bound()
    assert kernel.likely_intro(main, budget, events).hypotheses == {NORMAL}
    half = kernel.at_most_by_form(share(1, 2), FAILURE)
    random = [kernel.hypothesis(le(norm(o), X)) for o in (W1, READOUT, parameters(POINT))]
    for wrong in (
        lambda: kernel.likely_intro(main, budget, events[:1]),
        lambda: kernel.likely_intro(main, half, events[:1]),  # an event dropped
        lambda: kernel.likely_intro(main, half, events),  # the union factor lost
        lambda: kernel.likely_intro(main, budget, events[::-1][:1] * 2),
        lambda: kernel.likely_intro(main, budget, [main, main]),
        lambda: kernel.at_most_by_form(budget.conclusion.args[0], share(1, 2)),  # a smaller budget
        lambda: kernel.instance(kernel.hypothesis(UNLIKELY), {H: norm(READOUT)}),
        lambda: kernel.instance(kernel.hypothesis(UNLIKELY), {H: norm(W2)}),
    ):
        with pytest.raises((kernel.KernelError, TermError)):
            wrong()
    for outcome in random:  # it may hold at some outcomes only
        for parts in (
            (kernel.cut(main, outcome), budget, events),
            (main, kernel.cut(budget, outcome), events),
            (main, budget, [kernel.cut(events[0], outcome), *events[1:]]),
        ):
            with pytest.raises(kernel.KernelError, match="it may be random"):
                kernel.likely_intro(*parts)
            with pytest.raises(RuleError):
                replay(
                    "likely_intro",
                    (),
                    [given(j.conclusion, *j.hypotheses) for j in (*parts[:2], *parts[2])],
                )


def test_probabilities_and_their_thresholds_are_what_they_are():
    """A random probability, or the tail of one that may be zero, is no term."""
    for head, *args in (
        ("likely", norm(W2), le(X, Y)),
        ("likely", norm(READOUT), le(X, Y)),
        ("likely", FAILURE, X),
        ("tail", X),
        ("quantile", make("rat", Fraction(0))),
        ("quantile", H),
        ("rms", 1, 2, X),
    ):
        with pytest.raises(TermError):
            make(head, *args)
    assert tail(share(1, 2)) is not tail(share(1, 3))
    with pytest.raises(kernel.KernelError):  # the threshold of a smaller probability is larger
        kernel.at_most_by_form(tail(share(1, 3)), tail(share(1, 2)))


def test_derivatives_of_what_is_the_same_function():
    """An equation without hypotheses on the point may be differentiated at it."""
    z = make("op", "z", LAYER, SCALAR, 1, POINT, INPUT)
    meaning = given(eq(activation(1, POINT, INPUT), sigma(1, 0, z)), fact("pointwise", 1))
    found = replay("congruence", (make("jac", VAR, POINT), (VAR,)), [meaning])
    assert found.conclusion.args[0] is make("jac", activation(1, POINT, INPUT), POINT)
    assert found.hypotheses == {fact("pointwise", 1)}


# -- independence ---------------------------------------------------------------------------------

CHECKER = (
    "arithmetic",
    "binding",
    "checker",
    "check_report",
    "definitions",
    "hypotheses",
    "loading",
    "rules",
    "samples",
    "second_opinion",
    "skeletons",
    "words",
)
SHARED = {
    "theory.terms": {"PARAMS", "SCALAR", "Term", "TermError", "make"},
    "theory.lemmas": {"LEMMAS", "UnknownLemmaError"},
    "theory.graph_terms": {"GRAPH_STATISTICS", "Shape", "parse"},  # codes that lemmas speak in
    "theory.proofs": {"Proof", "ProofFormatError", "Step", "from_json"},
    "theory.kernel": {"RULES"},
    "theory.writing.plain": {"plain"},
    "theory": {"lemmas", "vocabulary"},
}


@pytest.mark.parametrize("name", CHECKER)
def test_the_checker_shares_only_the_language_and_the_lemmas(name):
    source = Path(proofs_check.__path__[0], "replay", f"{name}.py").read_text()
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, ast.Assert)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "theory":
            assert {a.name for a in node.names} <= SHARED[node.module], ast.unparse(node)
        if isinstance(node, ast.Import):
            assert not any(a.name.startswith(("theory", "jax")) for a in node.names)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec", "compile", "__import__")
