"""Sums and maxima of reals over a symbolic index: their meaning, and what must not be provable."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.replay import binding, words
from proofs_check.replay.samples import World
from proofs_check.replay.second_opinion import implies
from theory import kernel
from theory.derive.indexed import at_least_all, at_most_all, term_by_term, triangle
from theory.derive.tactics import use
from theory.evaluation import MissingValueError, evaluate
from theory.kernel import KernelError
from theory.lemmas import fact, real_variable
from theory.normal import at_most, same
from theory.terms import (
    TermError,
    add,
    eq,
    le,
    make,
    mul,
    norm,
    power,
    rat,
    shift,
    substitute,
)
from theory.vocabulary import CENTRE, weights
from theory.writing.latex import tex
from theory.writing.plain import plain

L, M, K = (make("index", n, 0) for n in "lmk")
I = make("index", "i", 0)  # noqa: E741 the field's name for it
X = make("sym", "x")


def a(index) -> object:
    return make("sym", "a", index)


def b(index) -> object:
    return make("sym", "b", index)


def rsum(low, high, body=None, name="i"):
    return make("rsum", name, low, high, a(I) if body is None else body)


def rmax(low, high, body=None, name="i"):
    return make("rmax", name, low, high, a(I) if body is None else body)


# -- meaning --------------------------------------------------------------------------------------


@given(
    low=st.integers(0, 3),
    length=st.integers(0, 4),
    values=st.lists(st.floats(0, 9), min_size=8, max_size=8),
)
@settings(max_examples=40, deadline=None)
def test_between_numbers_they_are_what_they_say(low, length, values):
    high = low + length - 1
    if high < 0:
        return
    known = {a(i): v for i, v in enumerate(values)}
    picked = values[low : high + 1]
    assert evaluate(rsum(low, high), known) == pytest.approx(sum(picked))
    assert evaluate(rmax(low, high), known) == max(picked, default=0.0)
    written = [a(i) for i in range(low, high + 1)]
    assert same(rsum(low, high), add(*written))
    assert words.equal(rsum(low, high), add(*written))
    if len(written) > 1:
        assert same(rmax(low, high), make("max", *written))
        assert words.equal(rmax(low, high), make("max", *written))


@pytest.mark.parametrize("head", ["rsum", "rmax"])
def test_over_nothing_both_are_zero_and_so_have_no_inverse(head):
    empty = make(head, "i", 1, 0, a(I))
    assert same(empty, rat(0))
    assert words.equal(empty, rat(0))
    assert World(1).value(empty) == 0.0
    assert implies((), eq(empty, rat(0))).verdict == "agreed"
    for high in (0, 3, M):
        total = make(head, "i", 1, high, rat(1))
        assert not total.positive
        with pytest.raises(TermError):
            power(total, -1)


def test_a_symbolic_range_is_known_as_a_whole_only():
    with pytest.raises(MissingValueError, match="limits"):
        evaluate(rsum(1, M), {})
    assert not same(rsum(1, M), rsum(1, shift(M, -1)))
    assert not same(rsum(1, M), rmax(1, M))
    assert not words.equal(rsum(1, M), rmax(1, M))
    assert not same(rsum(1, M), rsum(0, M))
    assert not at_most(rmax(1, M), rsum(1, M))
    assert not at_most(a(L), rmax(1, M))


def test_what_is_equal_inside_is_equal_outside():
    left, right = rsum(1, M, add(a(I), b(I))), rsum(1, M, add(b(I), a(I)))
    assert same(left, right)
    assert words.equal(left, right)


@pytest.mark.parametrize("head", ["rsum", "rmax"])
@pytest.mark.parametrize(
    "args",
    [
        ("i", 1, I, a(I)),
        ("i", I, 3, a(I)),
        ("i", -1, 3, a(I)),
        ("i", 1, 3, weights(1, CENTRE)),
        (1, 1, 3, X),
        ("i", 1, 3),
        ("i", 1, 3, le(X, X)),
    ],
)
def test_what_is_not_well_formed_is_refused(head, args):
    with pytest.raises(TermError):
        make(head, *args)


# -- scope ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["rsum", "rmax"])
def test_a_bound_index_is_neither_replaced_nor_captured(head):
    total = make(head, "i", 1, L, mul(a(I), b(L)))
    assert I not in total.free
    assert I not in binding.free(total)
    assert substitute(total, {I: 5}) is total
    assert binding.put(total, {I: 5}) is total
    for put in (substitute, binding.put):
        assert put(total, {L: 3}) is make(head, "i", 1, 3, mul(a(I), b(3)))
        with pytest.raises((TermError, binding.BindingError)):
            put(total, {L: I})


def test_nothing_grows_below_a_binder():
    h = make("var", "h", "real")
    for head in ("rsum", "rmax"):
        with pytest.raises(KernelError):
            kernel.monotone(make(head, "i", 1, 3, h), {h: kernel.hypothesis(le(a(I), b(I)))})


def test_a_free_index_in_a_hole_is_captured_by_no_binder():
    """From a(i) = b(i) for one i nothing follows about the sums over all i."""
    h = make("var", "h", "real")
    with pytest.raises(TermError):
        kernel.congruence(make("rsum", "i", 1, 3, h), {h: kernel.hypothesis(eq(a(I), b(I)))})


def test_the_last_term_needs_a_last_term():
    judgement = kernel.sum_last(rmax(1, L), M)
    assert judgement.hypotheses == {make("range", L, 1, M)}
    assert judgement.conclusion is eq(rmax(1, L), make("max", rmax(1, shift(L, -1)), a(L)))
    with pytest.raises(TermError):
        kernel.sum_last(rsum(0, 0), 3)


# -- what follows, term by term -------------------------------------------------------------------


def known(relation):
    """For all i in 1..m: a(i) R b(i), as a proof of each case."""
    everywhere = kernel.hypothesis(make("forall", "i", 1, M, make(relation, a(I), b(I))))
    return lambda index: kernel.forall_elim(everywhere, index)


@pytest.mark.parametrize("head", ["rsum", "rmax"])
@pytest.mark.parametrize("relation", ["le", "eq"])
def test_term_by_term(head, relation):
    found = term_by_term(head, (a(I), b(I)), known(relation), M)
    assert found.conclusion is make(
        relation, make(head, "i", 1, M, a(I)), make(head, "i", 1, M, b(I))
    )
    assert found.hypotheses == {make("forall", "i", 1, M, make(relation, a(I), b(I)))}


@pytest.mark.parametrize("head", ["rsum", "rmax"])
def test_a_factor_comes_out(head):
    def each(index):
        return kernel.by_form(mul(X, a(index)), mul(X, a(index)))

    found = term_by_term(head, (mul(X, a(I)), a(I)), each, M, X)
    whole = make(head, "i", 1, M, a(I))
    assert found.conclusion is eq(make(head, "i", 1, M, mul(X, a(I))), mul(X, whole))
    assert not found.hypotheses


def test_one_term_alone_does_not_bound_them_all():
    single = kernel.hypothesis(le(a(L), b(L)))
    with pytest.raises(KernelError, match="mentions the index"):
        term_by_term("rsum", (a(I), b(I)), lambda index: kernel.instance(single, {L: index}), M)


def test_a_bound_and_a_floor_for_all():
    bounded = kernel.hypothesis(make("forall", "i", 1, M, le(a(I), X)))
    above = at_most_all(a(I), X, lambda i: kernel.forall_elim(bounded, i), M)
    assert above.conclusion is le(rmax(1, M), X)
    steep = kernel.hypothesis(make("forall", "i", 1, M, le(X, a(I))))
    below = at_least_all(a(I), X, lambda i: kernel.forall_elim(steep, i), M)
    assert below.conclusion is le(mul(X, rsum(1, M, rat(1))), rsum(1, M))


def test_a_bound_that_depends_on_the_index_is_refused():
    def each(index):
        return kernel.by_form(a(index), a(index))

    with pytest.raises(KernelError):
        at_most_all(a(I), a(L), each, M)


def test_the_triangle_inequality_over_an_index():
    total = make("osum", "k", 1, M, make("scale", a(K), weights(1, CENTRE)))
    found = triangle(total, M)
    inner = norm(total.args[3])
    assert found.conclusion is le(norm(total), make("rsum", "k", 1, M, inner))
    assert not found.hypotheses


# -- ranges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "low", "high"), [(L, 1, L), (L, 0, M), (3, 0, 2), (shift(L, 1), 0, L), (L, 0, 7)]
)
def test_a_range_that_is_not_seen_is_not_given(index, low, high):
    with pytest.raises(KernelError):
        kernel.range_intro(index, low, high)


def test_one_layer_back():
    back = kernel.range_back(kernel.hypothesis(make("range", L, 1, M)))
    assert back.conclusion is make("range", shift(L, -1), 0, M)
    for formula in (make("range", L, 0, M), fact("dense", L)):
        with pytest.raises(KernelError):
            kernel.range_back(kernel.hypothesis(formula))


# -- words ----------------------------------------------------------------------------------------


def test_how_they_are_written():
    assert plain(rmax(1, M)) == "max_{1 <= i <= m} (a_i)"
    assert plain(rsum(1, M)) == "sum_{i=1}^{m} (a_i)"
    assert tex(rmax(1, M)).startswith(r"\max_{1\le i\le m}")
    assert tex(rsum(1, shift(M, -1))).startswith(r"\sum_{i=1}^{m-1}")
    assert tex(mul(X, rsum(1, M))).count("(") == 1


def test_lemmas_on_maxima_are_what_they_say():
    names = {n: real_variable(n) for n in "abc"}
    least = use(
        "max_least",
        bind={names["a"]: X, names["b"]: X, names["c"]: X},
        given=[kernel.weaken(kernel.by_form(X, X))] * 2,
    )
    assert least.conclusion is le(make("max", X, X), X)
