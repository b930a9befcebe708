"""The algebra of orders: its laws, and what it says against numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import sympy
from hypothesis import assume, given
from hypothesis import strategies as st

import theory
from theory.growth import CONSTANT, Growth, Monomial, of_width
from theory.ledger.bottleneck import bottleneck_bound, narrowest_bound, reference_bottleneck
from theory.orders import order_of
from theory.terms import make
from theory.vocabulary import CENTRE, INPUT, symbol

EXPONENTS = st.fractions(-2, 2, max_denominator=4)


@st.composite
def monomials(draw):
    names = draw(st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3))
    widths = tuple(sorted((n, e) for n in names if (e := draw(EXPONENTS))))
    return Monomial(widths, draw(EXPONENTS), draw(EXPONENTS))


@st.composite
def growths(draw, least=1):
    total = Growth(frozenset())
    for m in draw(st.lists(monomials(), min_size=least, max_size=3)):
        total = total + Growth(frozenset({m}))
    return total


def size(growth, logs, radius):
    """The logarithm of the growth for given logarithms of the widths and of R, log m left out."""
    return max(
        sum(float(e) * logs[n] for n, e in m.widths) + float(m.radius) * radius
        for m in growth.monomials
    )


@given(growths(), growths(), growths())
def test_the_laws_of_a_semiring(a, b, c):
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a * b == b * a
    assert a * (b + c) == a * b + a * c
    assert a + a == a
    assert a * CONSTANT == a
    assert a + Growth(frozenset()) == a


@given(growths(), growths(), growths())
def test_the_order_is_one_and_products_and_sums_keep_it(a, d, c):
    b = a + d
    assert a.at_most(a)
    assert a.at_most(b)
    assert a.at_most(b + c)
    assert (a * c).at_most(b * c)
    assert (a + c).at_most(b + c)
    assert b.same(a) == b.at_most(a) == (a == b)


@given(growths(), growths())
def test_only_equal_growths_are_of_one_order(a, b):
    assert (a.at_most(b) and b.at_most(a)) == (a == b) == a.same(b)
    assert a.least(a + b) == a
    assert (a + b).least(a) == a


@given(growths(), st.fractions(0, 3, max_denominator=4))
def test_powers(a, exponent):
    assume(exponent)
    assert (a ** Fraction(1)) == a
    assert a.at_most(a + CONSTANT)
    assert (a**exponent).monomials
    assert ((a**2) ** Fraction(1, 2)) == a


@given(growths(), growths(), st.tuples(*[st.floats(1, 9)] * 3), st.floats(0, 1))
def test_at_most_is_true_of_numbers(a, b, logs, part):
    """In the regime, with all logarithms of widths and R scaled up together."""
    values = dict(zip("abc", logs, strict=True))
    radius = part * min(logs) / 2
    if a.at_most(b):
        assert size(a, values, radius) <= size(b, values, radius) + 1e-9


@st.composite
def extremes(draw):
    """A power of each of several widths, times a factor in which another width may occur."""
    names = draw(st.lists(st.sampled_from("abc"), unique=True, min_size=2, max_size=3))
    exponent = draw(EXPONENTS.filter(bool))
    rest = draw(monomials())
    common = Growth(frozenset({replace(rest, widths=tuple(("d", e) for _, e in rest.widths[:1]))}))
    total = Growth(frozenset())
    for name in names:
        total = total + Growth(frozenset({Monomial(((name, exponent),))})) * common
    return total


@given(extremes(), st.tuples(*[st.floats(1, 9)] * 4))
def test_a_minimum_or_maximum_of_widths_is_the_growth(growth, logs):
    found = growth.extremal
    assert found is not None
    assert len(found.names) == len(growth.monomials)
    values = dict(zip("abcd", logs, strict=True))
    pick = min if found.of == "min" else max
    whole = size(Growth(frozenset({found.common})), values, 0.5)
    whole += float(found.exponent) * pick(values[n] for n in found.names)
    assert whole == pytest.approx(size(growth, values, 0.5))
    assert (found.exponent < 0) == (found.of == "min")


@given(growths())
def test_without_logarithms(growth):
    soft = growth.soft
    assert all(m.log == 0 for m in soft.monomials)
    assert soft.soft == soft


def test_how_growths_read():
    a, b = (of_width(theory.width(n)) ** Fraction(-1, 2) for n in ("m_1", "m_2"))
    assert str(a + b) == "min(m_1, m_2)^(-1/2)"
    assert str(a**-1 + b**-1) == "max(m_1, m_2)^(1/2)"
    log = Growth(frozenset({Monomial(log=Fraction(1, 2), radius=Fraction(1))}))
    assert str((a + b) * log) == "min(m_1, m_2)^(-1/2) R (log m)^(1/2)"
    assert str(a + b**2) == "m_1^(-1/2) + m_2^(-1)"
    assert str(a + a**2 + CONSTANT) == "1"
    assert str(Growth(frozenset())) == "0"


def test_widths_that_are_powers_and_constants():
    m = theory.width("m")
    assert of_width(7) == CONSTANT
    assert of_width(sympy.sqrt(m)) == of_width(m) ** Fraction(1, 2)
    assert of_width(3 * m**2) == of_width(m) ** 2
    with pytest.raises(ValueError, match="is not a product of powers"):
        of_width(m + 1)


def test_the_narrowest_layer_rules():
    order = theory.catalog["LZB22/B6"].order
    assert str(order.soft) == "Otilde(min(m_1, m_2, m_3)^(-1/2))"
    assert order.latex == r"O\bigl(\min(m_{1},m_{2},m_{3})^{-1/2}\,(\log m)^{1/2}\bigr)"
    m, b = theory.width("m"), theory.width("b")
    for narrow, said in (
        (1, "1"),
        (sympy.sqrt(m), "m^(-1/4)"),
        (m, "m^(-1/2)"),
        (b, "min(b, m)^(-1/2)"),
    ):
        net = reference_bottleneck(narrow)
        assert str(narrowest_bound(net).order.soft) == f"Otilde({said})"
        assert str(bottleneck_bound(net, 2).order) == f"Omega({said})"


def test_relations_and_what_they_mean():
    lower = theory.catalog["LZB20/A10"].order
    assert str(lower) == "Omega(1)"
    assert "at least" in lower.meaning
    assert all(a.relation == "Omega" for a in lower.assumptions)
    with pytest.raises(ValueError, match="is a lower bound"):
        _ = lower.soft
    equal = theory.catalog["LZB20/A4"].order
    assert (equal.relation, equal.soft.relation) == ("Theta", "Otilde")
    assert "between" in equal.meaning
    assert math.isclose(float(equal.exponent("m")), -0.5)


def test_logarithms_are_outweighed_by_powers_of_widths_alone():
    one = Monomial()
    log = Monomial(log=Fraction(1))
    less = {n: Monomial(((n, Fraction(-1)),), log=Fraction(3)) for n in "ab"}
    assert less["a"].at_most(one)
    other = Monomial((("b", Fraction(1)),))
    assert (less["a"] * other).at_most(other)  # whatever both are multiplied by
    assert not (Monomial(radius=Fraction(-1)) * log).at_most(one)  # R may be 1
    largest = Monomial((("a", Fraction(-1, 2)),), Fraction(1))
    assert largest.at_most(one)
    assert not (largest * log).at_most(one)  # R may be sqrt(a)


def test_a_minimum_from_below_is_that_of_the_least_part():
    low, high = (make("dim", make("layer", i)) for i in (0, 1))
    both = make("min", low, high)
    m, n = theory.width("m"), theory.width("n")
    assert str(order_of(both, (), (m, m**2), relation="Omega")) == "Omega(m)"
    with pytest.raises(ValueError, match="none is below all others"):
        order_of(both, (), (m, n), relation="Omega")
    assert order_of(both, (), (m, n)).growth.at_most(of_width(m))


@pytest.mark.parametrize("relation", ["Omega", "Theta"])
def test_what_is_proved_from_above_is_not_proved_from_below(relation):
    signal = symbol("q", 1, CENTRE, INPUT)
    (above,) = order_of(signal, (), (3, theory.width("m"))).assumptions
    (below,) = order_of(signal, (), (3, theory.width("m")), relation=relation).assumptions
    assert above.proved
    assert not below.proved


def test_a_lower_bound_has_the_order_of_its_lower_side():
    assert str(theory.catalog["LZB20/A9"].order) == "Omega(1)"
    assert str(theory.catalog["LZB22/B3"].order) == "Omega(eta)"
    with pytest.raises(ValueError, match="theorems bound it, no statistic gives it"):
        _ = theory.catalog["ZLB22/C2"].order
