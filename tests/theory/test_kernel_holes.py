"""Derivations of falsehoods that once went through the kernel: each must be refused for good."""

from __future__ import annotations

import pytest

from theory import kernel
from theory.kernel import KernelError
from theory.lemmas import POINT_P, UnknownLemmaError, V, schema
from theory.normal import same
from theory.proofs import ProofFormatError, from_json
from theory.terms import (
    PARAMS,
    SCALAR,
    ZERO,
    TermError,
    eq,
    le,
    make,
    mul,
    norm,
    power,
)
from theory.vocabulary import CENTRE, INPUT, activation, parameters, sigma

STAR, P = make("point", "*"), make("point", "p")
RADIUS = make("sym", "R")
LARGE = make("layer", 7)
REFUSED = (KernelError, TermError)


def test_a_ball_does_not_capture_a_free_point():
    """It once gave: every point of every ball is its centre."""
    free = kernel.hypothesis(kernel.in_ball(STAR, CENTRE, ZERO))
    with pytest.raises(REFUSED):
        kernel.ball_intro(free, P, CENTRE, RADIUS)


@pytest.mark.parametrize("kind", ["2", "inf"])
def test_an_activation_of_zero_keeps_its_space(kind):
    """It once gave |sigma(0 in R^1)| = |sigma(0 in R^m)|, and so lost a factor sqrt(m)."""
    small, large = (sigma(1, 0, make("zero", s, SCALAR)) for s in (SCALAR, LARGE))
    assert not same(norm(small, kind), norm(large, kind))


def test_the_norm_of_an_identity_tensor_keeps_its_space():
    small, large = (make("id", make("tensor", s, s)) for s in (SCALAR, LARGE))
    assert not same(norm(small, "221"), norm(large, "221"))


@pytest.mark.parametrize("sort", ["real", "op"])
def test_an_equation_of_variables_is_not_differentiated(sort):
    """A function of the point could be put for a variable afterwards."""
    shape = () if sort == "real" else (make("layer", 1), SCALAR)
    a, b, hole = (make("var", n, sort, *shape) for n in "abh")
    vector = make("op", "e", make("layer", 1), SCALAR)
    inner = hole if sort == "op" else make("scale", hole, vector)
    with pytest.raises(REFUSED):
        kernel.congruence(make("jac", inner, P), {hole: kernel.hypothesis(eq(a, b))})


@pytest.mark.parametrize(
    "factor",
    [
        norm(parameters(P)),
        make("sym", "s", P),
        power(norm(parameters(P)), 2),
        make("max", norm(parameters(P)), ZERO),
        make("specnorm", 1, norm(parameters(P))),
    ],
)
@pytest.mark.parametrize("head", ["jac", "hess"])
def test_what_is_not_differentiable_is_not_differentiated(factor, head):
    vector = make("op", "e", make("layer", 1), SCALAR)
    bent = make("scale", factor, vector)
    with pytest.raises(TermError):
        make(head, *([vector] if head == "hess" else []), bent, P)
    bind = {make("index", "l", 0): 1, POINT_P: P, V: bent}
    premise = kernel.hypothesis(make("fact", "smooth", 1))
    with pytest.raises(REFUSED):
        kernel.lemma("jacobian_pointwise", (), bind, [premise])


def test_a_variable_is_replaced_by_an_operator_of_its_shape_only():
    number = make("var", "a", "op", SCALAR, SCALAR)
    judgement = kernel.hypothesis(le(norm(number), RADIUS))
    with pytest.raises(REFUSED):
        kernel.instance(judgement, {number: activation(1, P, INPUT)})


def test_terms_that_share_their_parts_are_handled_quickly():
    term = make("sym", "x")
    for _ in range(200):
        term = mul(term, term)
    with pytest.raises(TermError) as error:
        power(term, -1)
    assert len(str(error.value)) < 10_000
    hole, below = make("var", "h", "real"), kernel.hypothesis(le(ZERO, RADIUS))
    template = hole
    for _ in range(60):
        template = mul(template, template)
    with pytest.raises(REFUSED):
        kernel.monotone(norm(make("scale", template, make("id", PARAMS))), {hole: below})


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_a_range_starts_from_a_number(offset):
    """It once gave ``l-1 <= l-1 <= l+1``, which at l = 0 speaks of a layer that there is not."""
    start = make("index", "l", offset)
    with pytest.raises(KernelError, match="is not seen from its form"):
        kernel.range_intro(start, start, make("index", "l", 1))


def test_families_of_lemmas_are_limited():
    with pytest.raises(UnknownLemmaError):
        schema("entrywise", (10**6,))
    with pytest.raises(UnknownLemmaError):
        schema("coordinates", (10**9, "fixed", 1, 1))


def test_a_deep_file_is_refused_with_an_error():
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    data = {
        "format": "widthproof-proof/1",
        "statement": 0,
        "assumptions": [],
        "definitions": [],
        "terms": [["sym", "x"]],
        "steps": [{"rule": "by_form", "data": nested, "premises": [], "conclusion": 0}],
    }
    with pytest.raises(ProofFormatError):
        from_json(data)
