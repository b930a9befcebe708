"""The derived bounds against theory.md's formulas, coded here independently, and their orders."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import theory
from theory.evaluation import MissingValueError
from theory.orders import PROVED, Growth, Monomial, of_width
from theory.vocabulary import CENTRE, INPUT, curvature, lipschitz, symbol
from theory.vocabulary import width as width_term


@st.composite
def statistics(draw):
    """Random layer statistics of a network of depth 1 to 6; g at least q."""
    depth = draw(st.integers(1, 6))
    number = st.floats(0.01, 5.0)
    stats = {"m": [draw(st.integers(1, 5000)) for _ in range(depth + 1)]}
    for name in ("s", "a", "g", "q", "lam", "beta"):
        stats[name] = [draw(number) for _ in range(depth + 1)]
    stats["q"] = [min(q, g) for q, g in zip(stats["q"], stats["g"], strict=True)]
    return depth, draw(st.booleans()), draw(st.floats(0.0, 20.0)), stats


def as_values(depth, stats):
    """The statistics as values of the vocabulary's symbols."""
    values = {}
    for i in range(depth + 1):
        values[width_term(i)] = stats["m"][i]
        values[symbol("a", i, CENTRE, INPUT)] = stats["a"][i]
        if i:
            values[symbol("s", i, CENTRE)] = stats["s"][i]
            values[symbol("g", i, CENTRE, INPUT)] = stats["g"][i]
            values[symbol("q", i, CENTRE, INPUT)] = stats["q"][i]
            values[lipschitz(i)] = stats["lam"][i]
            values[curvature(i)] = stats["beta"][i]
    return values


def oracle_ball(depth, trained, radius, t):
    """theory.md, section 3: the statistics' worst case on the ball."""
    m, lam, beta = t["m"], t["lam"], t["beta"]
    s = [0.0] + [t["s"][i] + radius / math.sqrt(m[i - 1]) for i in range(1, depth + 1)]
    e, z = [0.0] * (depth + 1), [0.0] * (depth + 1)
    for i in range(1, depth + 1):
        z[i] = radius * t["a"][i - 1] + s[i] * e[i - 1]
        e[i] = lam[i] * z[i]
    a = [t["a"][i] + e[i] / math.sqrt(m[i]) for i in range(depth + 1)]
    move = [0.0] * (depth + 1)
    move[depth] = radius / math.sqrt(m[depth]) if trained else 0.0
    g, q = [0.0] * (depth + 1), [0.0] * (depth + 1)
    for i in range(depth, 0, -1):
        if i < depth:
            move[i] = (
                lam[i + 1] * radius * t["g"][i + 1] / math.sqrt(m[i])
                + beta[i + 1] * s[i + 1] * z[i + 1] * t["q"][i + 1]
                + lam[i + 1] * s[i + 1] * move[i + 1]
            )
        g[i] = t["g"][i] + move[i]
        if i < depth:
            g[i] = min(g[i], lam[i + 1] * s[i + 1] * g[i + 1])
        q[i] = min(t["q"][i] + move[i], g[i])
    return {**t, "s": s, "a": a, "g": g, "q": q}


def oracle_bound(depth, trained, t):
    """theory.md, section 3: the matrix of block bounds at a point, and its spectral norm."""
    m, lam, beta = t["m"], t["lam"], t["beta"]
    p = np.zeros((depth + 1, depth + 1))
    for k in range(1, depth + 1):
        for i in range(k, depth + 1):
            p[i, k] = t["a"][k - 1] * math.prod(t["s"][j] * lam[j - 1] for j in range(k + 1, i + 1))
    size = depth + (1 if trained else 0)
    matrix = np.zeros((size, size))
    for k in range(1, depth + 1):
        for j in range(1, depth + 1):
            top, low = max(k, j), min(k, j)
            entry = sum(beta[i] * t["q"][i] * p[i, k] * p[i, j] for i in range(top, depth + 1))
            if k != j:
                entry += (
                    lam[top] * t["g"][top] / math.sqrt(m[top - 1]) * lam[top - 1] * p[top - 1, low]
                )
            matrix[k - 1, j - 1] = entry
        if trained:
            matrix[k - 1, depth] = matrix[depth, k - 1] = (
                lam[depth] * p[depth, k] / math.sqrt(m[depth])
            )
    return np.linalg.norm(matrix, 2)


@given(statistics())
def test_the_derived_bound_at_the_centre_is_the_formula(case):
    depth, trained, _, stats = case
    net = theory.reference_network(depth, trainable=trained)
    got = theory.hessian_bound(net, level="norms").evaluate(as_values(depth, stats))
    assert got == pytest.approx(oracle_bound(depth, trained, stats), rel=1e-12)


@given(statistics())
def test_the_derived_bound_on_the_ball_is_the_formula(case):
    depth, trained, radius, stats = case
    net = theory.reference_network(depth, trainable=trained)
    thm = theory.hessian_bound(net, radius=radius, level="norms")
    got = thm.evaluate(as_values(depth, stats))
    worst = oracle_ball(depth, trained, radius, stats)
    assert got == pytest.approx(oracle_bound(depth, trained, worst), rel=1e-11)


@given(statistics())
def test_radius_zero_is_at_most_the_centre_and_the_bound_grows_with_the_radius(case):
    depth, trained, radius, stats = case
    net = theory.reference_network(depth, trainable=trained)
    values = as_values(depth, stats)
    centre = theory.hessian_bound(net, level="norms").evaluate(values)
    thm = theory.hessian_bound(net, radius="R", level="norms")
    assert thm.evaluate(values, radius=0.0) <= centre * (1 + 1e-12)
    assert thm.evaluate(values, radius=radius) <= thm.evaluate(values, radius=2 * radius + 0.1) * (
        1 + 1e-12
    )


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
@pytest.mark.parametrize("trained", [False, True])
def test_the_order_of_the_hessian_bound(depth, trained):
    net = theory.reference_network(depth, trainable=trained)
    centre = theory.hessian_bound(net).order
    assert (centre.exponent("m"), centre.exponent("log")) == (Fraction(-1, 2), Fraction(1, 2))
    assert centre.exponent("R") == 0
    ball = theory.hessian_bound(net, radius="R").order
    assert ball.exponent("m") == Fraction(-1, 2)
    if depth == 1:  # the curvature does not move with R; a trained readout does
        assert str(ball.growth) == "m^(-1/2) (log m)^(1/2)" + (" + m^(-1/2) R" if trained else "")
    else:
        assert ball.exponent("R") == 1
        assert ball.exponent("log") == Fraction(1, 2)
    for a in ball.assumptions:
        proved = a.symbol.partition("_")[0] in PROVED
        assert ("[proved]" if proved else "[ASSUMED]") in str(a)


def test_the_order_in_several_widths_is_that_of_the_narrowest_parts():
    p, n = theory.width("p"), theory.width("n")
    net = theory.Network(
        theory.Input(8),
        theory.Dense(n),
        theory.Activation("tanh"),
        theory.Dense(p),
        theory.Activation("tanh"),
        theory.Readout(),
    )
    order = theory.hessian_bound(net).order
    both = Growth(
        frozenset(
            {
                Monomial((("n", Fraction(-1, 2)),), log=Fraction(1, 2)),
                Monomial((("p", Fraction(-1, 2)),), log=Fraction(1, 2)),
            }
        )
    )
    assert both.at_most(order.growth)
    with pytest.raises(ValueError, match="no single exponent"):
        order.exponent("n")


def test_growth_is_an_exact_algebra():
    m, n = (of_width(theory.width(x)) for x in "mn")
    assert (m + n) * m == m * m + m * n
    assert m ** Fraction(1, 2) * m ** Fraction(1, 2) == m
    radius = Growth(frozenset({Monomial(radius=Fraction(1))}))
    assert radius.at_most(m ** Fraction(1, 2))
    assert not radius.at_most(m ** Fraction(1, 3))
    log = Growth(frozenset({Monomial(log=Fraction(5))}))
    assert log.at_most(m ** Fraction(1, 100))
    assert (m + n).least(m) == m
    with pytest.raises(ValueError, match="not determined"):
        (m + n) ** Fraction(-1)


def test_sympy_agrees_with_the_direct_evaluation():
    net = theory.reference_network(3, trainable=True)
    thm = theory.hessian_bound(net, radius="R", level="norms")
    rng = np.random.default_rng(0)
    stats = {n: rng.uniform(0.5, 2.0, 4) for n in ("s", "a", "g", "q", "lam", "beta")}
    stats["m"] = [64, 300, 300, 300]
    values = as_values(3, stats)
    table = {}
    for symbol_, value in values.items():
        if symbol_.head != "dim":
            from theory.symbolic import to_sympy

            table[to_sympy(symbol_)] = value
    table[theory.width("m")] = 300
    table[sympy.Symbol("R", nonnegative=True)] = 1.5
    bound = thm.bound
    for name, definition in reversed(thm.definition_table.items()):
        if name not in table:
            bound = bound.subs(name, definition)
    assert float(bound.subs(table).evalf()) == pytest.approx(
        thm.evaluate(values, radius=1.5), rel=1e-9
    )


def test_a_missing_value_is_named():
    thm = theory.hessian_bound(theory.reference_network(1))
    with pytest.raises(MissingValueError, match="norm"):
        thm.evaluate({width_term(0): 3, width_term(1): 3, lipschitz(1): 1, curvature(1): 1})


def test_a_symbolic_radius_needs_a_number():
    thm = theory.hessian_bound(theory.reference_network(1), radius="R")
    with pytest.raises(ValueError, match="radius"):
        thm.evaluate({})


@pytest.mark.parametrize("radius", [-1, float("nan"), float("inf"), "not a name", True, [1]])
def test_a_radius_that_is_none_is_refused(radius):
    with pytest.raises(ValueError, match="radius"):
        theory.hessian_bound(theory.reference_network(1), radius=radius)


def test_an_infinite_constant_is_named():
    net = theory.reference_network(2, activation="square")
    with pytest.raises(theory.HypothesisError, match="lambda = sup\\|sigma'\\| is infinite"):
        theory.hessian_bound(net)


def test_levels_and_names_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="levels: layers"):
        theory.hessian_bound(theory.reference_network(1), level="wishful")
    with pytest.raises(theory.UnknownTheoremError, match="LZB20/A7"):
        theory.catalog["LZB20/A99"]


def test_a4_is_for_one_hidden_layer():
    with pytest.raises(theory.HypothesisError, match="depth 2"):
        theory.one_hidden_layer(theory.reference_network(2))


@pytest.mark.parametrize("name", list(theory.catalog))
def test_every_catalogue_theorem_reads_well_and_names_its_lemmas(name):
    thm = theory.catalog[name]
    text = repr(thm)
    assert thm.name.split("/")[0] in text
    assert all(a.text in text for a in thm.assumptions)
    assert thm.lemmas
    grouped = {f for a in thm.assumptions for f in a.formulas}
    assert grouped | set(thm.definitions) == set(thm.judgement.hypotheses) | set(thm.definitions)


def test_the_order_of_the_kernel_change_and_the_linearization():
    change = theory.catalog["LZB20/A7+A2"].order.growth
    small = Growth(frozenset({Monomial((("m", Fraction(-1, 2)),), Fraction(2), Fraction(1, 2))}))
    assert small.at_most(change)
    gap = theory.catalog["LZB20/A7+A3"].order
    assert (gap.exponent("m"), gap.exponent("R")) == (Fraction(-1, 2), Fraction(3))
