"""Levels ``layers`` and ``operators`` against their formulas, coded here independently."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import proofs_check
import theory
from theory.vocabulary import CENTRE, INPUT, WEIGHT_STATISTICS, curvature, lipschitz, symbol
from theory.vocabulary import width as width_term

NAMES = ("s", "a", "g", "q", "r", "h", "c", "t", "y", "e", "p", "u")


@st.composite
def statistics(draw):
    """Random statistics of a network of depth 1 to 5, layers and pairs of layers."""
    depth = draw(st.integers(1, 5))
    number = st.floats(0.01, 5.0)
    stats = {"m": [draw(st.integers(1, 5000)) for _ in range(depth + 1)]}
    for name in (*NAMES, "lam", "beta"):
        stats[name] = [draw(number) for _ in range(depth + 1)]
    for name in ("N", "C"):
        stats[name] = np.array(draw(st.lists(number, min_size=36, max_size=36))).reshape(6, 6)
    return depth, draw(st.booleans()), draw(st.floats(0.0, 20.0)), stats


def as_values(depth, stats):
    """The statistics as values of the vocabulary's symbols."""
    values = {}
    for i in range(depth + 1):
        values[width_term(i)] = stats["m"][i]
        values[lipschitz(i)], values[curvature(i)] = stats["lam"][i], stats["beta"][i]
        for name in NAMES:
            tags = () if name in WEIGHT_STATISTICS else (INPUT,)
            values[symbol(name, i, CENTRE, *tags)] = stats[name][i]
        for j in range(depth + 1):
            for name in ("N", "C"):
                values[symbol(name, i, j, CENTRE, INPUT)] = stats[name][i, j]
    return values


def assembled(depth, trained, entry, by_readout):
    """The norm of the symmetric matrix of block bounds."""
    size = depth + trained
    matrix = np.zeros((size, size))
    for k in range(1, depth + 1):
        for j in range(k, depth + 1):
            matrix[k - 1, j - 1] = matrix[j - 1, k - 1] = entry(k, j)
        if trained:
            matrix[k - 1, depth] = matrix[depth, k - 1] = by_readout(k)
    return np.linalg.norm(matrix, 2)


def by_layers(depth, trained, t, path, signal):
    """The blocks from c, t, y: ``path[l, k]`` bounds dz^l/dW^k, ``signal[l]`` D^l delta^l."""
    m, lam = t["m"], t["lam"]

    def entry(k, j):
        total = t["c"][k] * path[k, k] ** 2 if k == j else t["t"][j] * path[j - 1, k] * path[j, j]
        for i in range(j + 1, depth + 1):
            total += t["y"][i] * path[i - 1, k] * path[i - 1, j]
        if k < j:
            total += signal[j] * lam[j - 1] * path[j - 1, k] / math.sqrt(m[j - 1])
        return total

    return assembled(
        depth, trained, entry, lambda k: lam[depth] * path[depth, k] / math.sqrt(m[depth])
    )


def paths(depth, start, step):
    found = np.zeros((depth + 1, depth + 1))
    for k in range(1, depth + 1):
        found[k, k] = start[k - 1]
        for i in range(k + 1, depth + 1):
            found[i, k] = step[i] * found[i - 1, k]
    return found


def oracle_ball(depth, trained, radius, t):
    """The statistics of level ``layers`` at their worst on the ball, and the bound from them."""
    m, lam, beta = t["m"], t["lam"], t["beta"]
    inv = [1 / math.sqrt(x) for x in m]
    s = [0.0] + [t["s"][i] + radius * inv[i - 1] for i in range(1, depth + 1)]
    z, a = [0.0] * (depth + 1), [t["a"][0]]
    for i in range(1, depth + 1):
        z[i] = radius * t["a"][i - 1] + s[i] * lam[i - 1] * z[i - 1] * (i > 1)
        a.append(t["a"][i] + lam[i] * z[i] * inv[i])
    top = radius * inv[depth] if trained else 0.0
    move, largest = {depth: top}, {depth: top}
    g, q = {depth: t["g"][depth] + top}, {}
    q[depth] = min(t["q"][depth] + top, g[depth])
    for i in range(depth - 1, 0, -1):
        h = i + 1
        first, bent = lam[h] * radius * g[h] * inv[i], beta[h] * z[h]
        move[i] = first + t["e"][h] * bent + t["s"][h] * lam[h] * move[h]
        largest[i] = first + t["p"][h] * bent + t["u"][h] * lam[h] * move[h]
        g[i] = min(t["g"][i] + move[i], lam[h] * s[h] * g[h])
        q[i] = min(t["q"][i] + largest[i], g[i])
    worst = {"m": m, "lam": lam, "c": {}, "t": {}, "y": {}}
    for i in range(1, depth + 1):
        seen = t["e"][i] + radius * t["q"][i] * inv[i - 1] + s[i] * largest[i]
        worst["c"][i] = beta[i] * q[i]
        worst["t"][i] = beta[i] * min(seen, s[i] * q[i]) * lam[i - 1]
        worst["y"][i] = worst["t"][i] * s[i] * lam[i - 1]
    path = paths(depth, a, [0.0] + [s[i] * lam[i - 1] for i in range(1, depth + 1)])
    return by_layers(depth, trained, worst, path, {i: lam[i] * g[i] for i in g})


@given(statistics())
def test_layers_at_the_centre_is_the_formula(case):
    depth, trained, _, t = case
    net = theory.reference_network(depth, trainable=trained)
    got = theory.hessian_bound(net).evaluate(as_values(depth, t))
    want = by_layers(depth, trained, t, paths(depth, t["a"], t["r"]), t["h"])
    assert got == pytest.approx(want, rel=1e-12)


@given(statistics())
def test_layers_on_the_ball_is_the_formula(case):
    depth, trained, radius, t = case
    net = theory.reference_network(depth, trainable=trained)
    got = theory.hessian_bound(net, radius=radius).evaluate(as_values(depth, t))
    assert got == pytest.approx(oracle_ball(depth, trained, radius, t), rel=1e-11)


@given(statistics())
def test_operators_is_the_formula(case):
    depth, trained, _, t = case
    net = theory.reference_network(depth, trainable=trained)
    got = theory.hessian_bound(net, level="operators").evaluate(as_values(depth, t))
    a, m = t["a"], t["m"]

    def entry(k, j):
        cross = t["h"][j] * a[k - 1] * t["N"][j - 1, k] / math.sqrt(m[j - 1]) if k < j else 0.0
        return a[k - 1] * a[j - 1] * t["C"][k, j] + cross

    def by_readout(k):
        return a[k - 1] * t["N"][depth, k] / math.sqrt(m[depth])

    assert got == pytest.approx(assembled(depth, trained, entry, by_readout), rel=1e-12)


@given(statistics())
def test_the_bound_on_the_ball_grows_with_the_radius(case):
    depth, trained, radius, t = case
    thm = theory.hessian_bound(theory.reference_network(depth, trainable=trained), radius="R")
    values = as_values(depth, t)
    small, large = (thm.evaluate(values, radius=r) for r in (radius, 2 * radius + 0.1))
    assert small <= large * (1 + 1e-12)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize(
    ("level", "radius"), [("layers", None), ("layers", "R"), ("operators", None)]
)
def test_every_step_is_replayed(level, radius, depth, trained):
    net = theory.reference_network(depth, trainable=trained)
    report = proofs_check.check(theory.hessian_bound(net, radius=radius, level=level))
    assert report.ok


@pytest.mark.parametrize("level", ["operators", "slopes"])
def test_a_level_of_the_centre_is_refused_on_a_ball(level):
    with pytest.raises(ValueError, match="known at the centre alone"):
        theory.hessian_bound(theory.reference_network(2), radius=1, level=level)


@pytest.mark.parametrize("depth", range(1, 7))
def test_the_degree_in_the_radius_is_at_most_one(depth):
    for trained in (False, True):
        net = theory.reference_network(depth, trainable=trained)
        order = theory.hessian_bound(net, radius="R").order
        assert order.exponent("m") == Fraction(-1, 2)
        assert all(m.radius <= 1 for m in order.growth.monomials)
