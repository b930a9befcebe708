"""The term language refuses what is not well formed, and substitutes without capture."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction

import pytest

from theory.terms import (
    ONE,
    PARAMS,
    SCALAR,
    ZERO,
    TermError,
    add,
    dot,
    eq,
    inv_root,
    le,
    make,
    mul,
    norm,
    power,
    rat,
    shift,
    substitute,
    tensor,
    transpose,
)
from theory.vocabulary import (
    CENTRE,
    INPUT,
    POINT,
    Quantity,
    activation,
    layer,
    named_once,
    output,
    weights,
    width,
)

L = make("index", "l", 0)
R = make("sym", "R")
V = make("var", "v", "op", layer(1), SCALAR)


def test_equal_terms_are_one_object_and_stay_so_when_copied():
    term = mul(R, width(2))
    assert term is mul(make("sym", "R"), width(2))
    assert copy.deepcopy(term) is term


def test_a_number_and_a_fraction_are_different_arguments():
    with pytest.raises(TermError, match="Fraction"):
        make("rat", 1)
    assert make("rat", Fraction(1)) is ONE


@pytest.mark.parametrize(
    ("head", "args"),
    [
        ("nonsense", ()),
        ("rat", (Fraction(-1),)),
        ("rat", (0.5,)),
        ("pow", (R, Fraction(-1))),
        ("pow", (R, Fraction(0))),
        ("pow", (width(1), Fraction(1000))),
        ("add", (R,)),
        ("dot", (weights(2, CENTRE), weights(2, CENTRE))),
        ("plus", (weights(1, CENTRE), weights(2, CENTRE))),
        ("norm", ("3", weights(1, CENTRE))),
        ("norm", ("inf", weights(1, CENTRE))),
        ("norm", ("221", weights(1, CENTRE))),
        ("specnorm", (2, R, R, R)),
        ("specnorm", (0,)),
        ("diag", (weights(1, CENTRE),)),
        ("act", (1, 3, V)),
        ("act", (-1, 0, V)),
        ("le", (V, V)),
        ("eq", (R, V)),
        ("eq", (weights(1, CENTRE), weights(2, CENTRE))),
        ("layer", (-1,)),
        ("osum", ("k", 1, make("index", "k", 0), weights(1, CENTRE))),
        ("forall", ("k", 1, make("index", "k", 0), le(R, R))),
        ("ball", ("p", CENTRE, R, le(R, R))),
        ("hess", (make("id", SCALAR), V, CENTRE)),
    ],
)
def test_ill_formed_terms_are_refused(head, args):
    with pytest.raises(TermError):
        make(head, *args)


def test_positivity_is_seen_from_the_form():
    assert width(1).positive
    assert not R.positive
    assert add(R, ONE).positive
    assert not add(R, ZERO).positive
    assert not mul(R, width(1)).positive
    assert make("max", R, ONE).positive
    assert not make("min", R, ONE).positive
    assert inv_root(add(R, rat(1, 3))).positive


def test_only_smooth_functions_of_the_one_point_are_differentiated():
    make("jac", output(POINT, INPUT), POINT)
    with pytest.raises(TermError, match="one point"):
        make("jac", output(CENTRE, INPUT), POINT)
    vector = activation(1, POINT, INPUT)
    with pytest.raises(TermError, match="C\\^2"):
        make("jac", make("scale", norm(vector), vector), POINT)
    with pytest.raises(TermError, match="C\\^2"):
        make("jac", make("act", 1, 1, vector), POINT)


def test_substitution_shifts_indices_and_refuses_negative_layers():
    term = weights(shift(L, 1), CENTRE)
    assert substitute(term, {L: 2}) is weights(3, CENTRE)
    with pytest.raises(TermError, match="not negative"):
        substitute(weights(L, CENTRE), {L: 0})


def test_substitution_respects_binders():
    k = make("index", "k", 0)
    body = make("op", "A", layer(1), layer(1), k, L)
    total = make("osum", "k", 1, 3, body)
    assert substitute(total, {k: 5}) is total
    with pytest.raises(TermError, match="capture"):
        substitute(total, {L: k})
    assert k not in total.free
    assert L in total.free


def test_substitution_checks_sorts_and_shapes():
    with pytest.raises(TermError, match="sort"):
        substitute(le(R, R), {make("var", "a", "real"): V})
    with pytest.raises(TermError, match="spaces"):
        substitute(norm(V), {V: activation(2, CENTRE, INPUT)})


def test_scalar_is_the_unit_of_tensor_products():
    assert tensor(SCALAR, layer(1)) is layer(1)
    assert tensor(layer(1), SCALAR) is layer(1)


def test_terms_are_immutable():
    with pytest.raises(AttributeError):
        R.head = "rat"


def test_printing_a_shared_term_is_bounded():
    term = R
    for _ in range(60):
        term = add(term, term)
    assert len(str(term)) < 5000
    with pytest.raises(TermError) as caught:
        make("pow", term, Fraction(-1))
    assert len(str(caught.value)) < 10000


def test_shapes_of_products_and_transposes():
    w = weights(2, CENTRE)
    assert transpose(w).rows is layer(1)
    assert dot(w, transpose(w)).shape == (layer(2), layer(2))
    assert make("jac", output(POINT, INPUT), POINT).shape == (SCALAR, PARAMS)
    assert eq(power(R, 2), mul(R, R)).sort == "formula"


def test_a_quantity_has_one_meaning():
    first = Quantity("mu", r"\mu", "a bound on eigenvalues", "a number")
    with pytest.raises(ValueError, match="'mu' stands for 'a bound on eigenvalues' and 'a scale'"):
        named_once(first, replace(first, meaning="a scale"))
    assert named_once(first) == {"mu": first}
