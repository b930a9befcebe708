"""The rules about gradient descent and about sub-models: what they give and must refuse."""

from __future__ import annotations

import pytest

from tests.judgements import both, judged
from theory import kernel, lemmas
from theory.kernel import KernelError
from theory.terms import TermError, eq, le, make, minus, norm, rat, substitute
from theory.vocabulary import (
    CENTRE,
    SAMPLES,
    descent_formula,
    loss,
    parameters,
    rate_power,
    residual,
)

STAR, P, Q = (make("point", n) for n in ("*", "p", "q"))
OTHER = make("input", "Z")
TIME = make("index", "t", 0)
A, B = make("var", "a", "real"), make("sym", "mu")
STEP = descent_formula(P, Q)


def small(point):
    return le(norm(parameters(point)), A)


def after(steps, formula, centre=CENTRE, at=SAMPLES):
    return make("after", "*", steps, centre, at, formula)


def test_what_holds_at_the_start_holds_after_no_step():
    data = (CENTRE, SAMPLES, small(STAR))
    hypotheses, conclusion = both("descent_start", data, [judged(small(CENTRE), le(A, A))])
    assert conclusion is after(0, small(STAR))
    assert hypotheses == {le(A, A)}


def test_the_start_may_be_spoken_of_where_the_path_is_not():
    """Not every theta_0 in a formula is the path's point: |* - theta_0| at the start is 0."""
    formula = le(norm(minus(parameters(STAR), parameters(CENTRE))), A)
    found = both(
        "descent_start",
        (CENTRE, SAMPLES, formula),
        [judged(substitute(formula, {STAR: CENTRE}))],
    )
    assert found[1] is after(0, formula)


def test_a_step_takes_what_was_known_and_the_step_away():
    known = [judged(after(3, small(STAR)), le(A, rat(1))), judged(after(3, le(A, A)))]
    main = judged(le(loss(Q), A), small(P), STEP, le(A, A), le(A, rat(2)))
    hypotheses, conclusion = both("descent_step", (P, Q), [main, *known])
    assert conclusion is after(4, le(loss(STAR), A))
    assert hypotheses == {le(A, rat(1)), le(A, rat(2))}


@pytest.mark.parametrize(
    ("main", "known"),
    [
        pytest.param(judged(small(Q), small(Q)), [judged(after(0, small(STAR)))], id="of the next"),
        pytest.param(
            judged(small(Q), STEP), [judged(after(0, small(P)))], id="the point in what was known"
        ),
        pytest.param(
            judged(small(Q), STEP, small(P)),
            [judged(after(0, le(loss(STAR), A)))],
            id="another thing was known",
        ),
        pytest.param(
            judged(small(Q), descent_formula(Q, P)), [judged(after(0, small(STAR)))], id="backwards"
        ),
        pytest.param(
            judged(small(Q), descent_formula(P, Q, OTHER)),
            [judged(after(0, small(STAR)))],
            id="on another training set",
        ),
        pytest.param(
            judged(small(Q), eq(parameters(Q), parameters(P))),
            [judged(after(0, small(STAR)))],
            id="no gradient step",
        ),
        pytest.param(judged(small(P), STEP), [judged(after(0, small(STAR)))], id="of the last"),
        pytest.param(
            judged(le(loss(Q), loss(STAR)), STEP), [judged(after(0, small(STAR)))], id="captured"
        ),
        pytest.param(
            judged(small(Q), STEP, small(STAR)),
            [judged(after(0, small(STAR)))],
            id="the bound name assumed",
        ),
        pytest.param(
            judged(small(Q), STEP),
            [judged(after(0, small(STAR))), judged(after(1, small(STAR)))],
            id="different numbers of steps",
        ),
        pytest.param(
            judged(small(Q), STEP),
            [judged(after(0, small(STAR))), judged(after(0, small(STAR), at=OTHER))],
            id="different training sets",
        ),
        pytest.param(
            judged(small(Q), STEP),
            [judged(after(0, small(STAR))), judged(after(0, small(STAR), make("point", "r")))],
            id="different starts",
        ),
        pytest.param(judged(small(Q), STEP), [judged(small(STAR))], id="known of no path"),
        pytest.param(judged(small(Q), STEP), [], id="nothing known"),
        pytest.param(
            judged(small(Q), STEP), [judged(after(0, small(STAR), P))], id="started at the point"
        ),
    ],
)
def test_what_a_step_does_not_give(main, known):
    assert both("descent_step", (P, Q), [main, *known]) is None


@pytest.mark.parametrize("points", [(P, P), (STAR, Q), (P, STAR), (CENTRE, Q), (P, CENTRE)])
def test_the_points_of_a_step_are_two_and_arbitrary(points):
    main = judged(small(points[1]), descent_formula(*points))
    assert both("descent_step", points, [main, judged(after(0, small(STAR)))]) is None


@pytest.mark.parametrize(
    "premise",
    [
        pytest.param(judged(small(Q)), id="at another point"),
        pytest.param(judged(small(STAR)), id="at the bound point"),
        pytest.param(judged(small(CENTRE), small(STAR)), id="the bound name assumed"),
    ],
)
def test_what_is_no_start(premise):
    assert both("descent_start", (CENTRE, SAMPLES, small(STAR)), [premise]) is None


def test_a_path_from_the_bound_point_is_no_term():
    with pytest.raises(TermError, match="a point to start from"):
        after(0, small(STAR), STAR)


def test_another_training_set_moves_the_path_with_it():
    """The set is in the formula: putting another for it cannot leave the path where it was."""
    known = kernel.hypothesis(after(2, le(norm(residual(STAR)), A)))
    moved = kernel.instance(known, {SAMPLES: OTHER}).conclusion
    assert moved is after(2, le(norm(residual(STAR, OTHER)), A), at=OTHER)


def test_the_number_of_steps_is_counted_through_an_induction():
    base = kernel.descent_start(kernel.by_form(rat(1), rat(1)), CENTRE, SAMPLES, eq(rat(1), rat(1)))
    step = kernel.descent_step(
        kernel.by_form(rat(1), rat(1)),
        P,
        Q,
        kernel.hypothesis(after(make("index", "t", -1), eq(rat(1), rat(1)))),
    )
    found = kernel.induction("t", make("index", "T", 0), base, step)
    assert not found.hypotheses
    assert found.conclusion.args[3] is after(TIME, eq(rat(1), rat(1)))
    with pytest.raises(KernelError, match="not the claim"):
        kernel.induction(
            "t",
            3,
            kernel.cut(base),
            kernel.descent_step(
                kernel.hypothesis(le(rate_power(TIME), rat(1))),
                P,
                Q,
                kernel.hypothesis(after(make("index", "t", -1), eq(rat(1), rat(1)))),
            ),
        )


# -- sub-models -----------------------------------------------------------------------------------


def test_what_holds_of_every_model_holds_of_a_part_under_its_own_hypotheses():
    hypotheses, conclusion = both("part_intro", (3,), [judged(small_number(P), le(B, rat(1)))])
    assert conclusion is make("for_part", 3, small_number(P))
    assert hypotheses == {make("for_part", 3, le(B, rat(1)))}


def small_number(point):
    return le(norm(parameters(point)), B)


@pytest.mark.parametrize(
    "premise",
    [
        pytest.param(judged(small(P)), id="a number that may be anything"),
        pytest.param(judged(small_number(P), small(P)), id="assumed of such a number"),
        pytest.param(judged(small_number(STAR)), id="the bound point"),
        pytest.param(judged(make("ball", "*", CENTRE, B, small_number(STAR))), id="a ball"),
        pytest.param(judged(make("everywhere", "*", small_number(STAR))), id="everywhere"),
        pytest.param(judged(after(1, small_number(STAR))), id="a path"),
        pytest.param(judged(make("likely", rat(1), small_number(P))), id="a probability"),
        pytest.param(judged(make("for_part", 1, small_number(P))), id="a part of a part"),
        pytest.param(judged(small_number(P), after(1, small_number(STAR))), id="assumed of a path"),
    ],
)
def test_what_is_not_about_one_model_alone(premise):
    assert both("part_intro", (1,), [premise]) is None


def test_a_part_is_not_the_whole_and_not_another_part():
    """Nothing leads from what holds of a part to what holds of the whole, or of another part."""
    known = kernel.part_intro(kernel.hypothesis(small_number(P)), 1)
    with pytest.raises(KernelError):
        kernel.transitivity(known, kernel.by_form(B, B))
    with pytest.raises(KernelError):
        kernel.lemma(
            "part_model",
            (),
            {make("index", "l", 0): 2},
            [kernel.hypothesis(f) for f in lemmas.schema("part_model").premises[:2]] + [known],
        )
    with pytest.raises(TermError):
        make("for_part", 1, small(P))
