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
from theory.vocabulary import (
    CENTRE,
    INPUT,
    PAIR_STATISTICS,
    WEIGHT_STATISTICS,
    curvature,
    lipschitz,
    symbol,
    third,
)
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
    stats["gamma"] = [draw(number) for _ in range(depth + 1)]
    for name in PAIR_STATISTICS:
        stats[name] = np.array(draw(st.lists(number, min_size=36, max_size=36))).reshape(6, 6)
    return depth, draw(st.booleans()), draw(st.floats(0.0, 20.0)), stats


def as_values(depth, stats):
    """The statistics as values of the vocabulary's symbols."""
    values = {}
    for i in range(depth + 1):
        values[width_term(i)] = stats["m"][i]
        values[lipschitz(i)], values[curvature(i)] = stats["lam"][i], stats["beta"][i]
        values[third(i)] = stats["gamma"][i]
        for name in NAMES:
            tags = () if name in WEIGHT_STATISTICS else (INPUT,)
            values[symbol(name, i, CENTRE, *tags)] = stats[name][i]
        for j in range(depth + 1):
            for name in PAIR_STATISTICS:
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


def on_the_ball(depth, trained, radius, t, *, second=False):
    """The statistics of level ``layers`` at their worst on the ball.

    Args:
        depth: number of hidden layers.
        trained: whether the readout is trained.
        radius: of the ball.
        t: the statistics at the centre.
        second: whether pre-activations may also be followed to second order, by n.
    """
    m, lam, beta = t["m"], t["lam"], t["beta"]
    inv = [1 / math.sqrt(x) for x in m]
    s = [0.0] + [t["s"][i] + radius * inv[i - 1] for i in range(1, depth + 1)]
    z, a = [0.0] * (depth + 1), [t["a"][0]]
    reach = paths(depth, t["a"], [0.0] + [s[i] * lam[i - 1] for i in range(1, depth + 1)])
    for i in range(1, depth + 1):
        z[i] = radius * math.hypot(*reach[i, 1 : i + 1])
        if second and i > 1:
            n = [*t["n"][i, :i], 1.0]
            linear = radius * math.hypot(*(n[k] * a[k - 1] for k in range(1, i + 1)))
            bent = [n[k] * t["s"][k] * beta[k - 1] * z[k - 1] ** 2 / 2 for k in range(2, i + 1)]
            z[i] = min(z[i], linear + sum(bent))
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
        columns = (t["u"][h] + radius * inv[i]) * lam[h] * g[h]
        q[i] = min(t["q"][i] + largest[i], g[i], columns)
    worst = {"m": m, "lam": lam, "c": {}, "t": {}, "y": {}}
    for i in range(1, depth + 1):
        seen = t["e"][i] + radius * t["q"][i] * inv[i - 1] + s[i] * largest[i]
        worst["c"][i] = beta[i] * q[i]
        worst["t"][i] = beta[i] * min(seen, s[i] * q[i]) * lam[i - 1]
        worst["y"][i] = worst["t"][i] * s[i] * lam[i - 1]
    return worst | {"s": s, "a": a, "g": g, "q": q, "z": z, "move": move, "largest": largest}


def oracle_ball(depth, trained, radius, t):
    """The bound of level ``layers`` on the ball."""
    worst = on_the_ball(depth, trained, radius, t)
    lam, s = t["lam"], worst["s"]
    path = paths(depth, worst["a"], [0.0] + [s[i] * lam[i - 1] for i in range(1, depth + 1)])
    return by_layers(depth, trained, worst, path, {i: lam[i] * g for i, g in worst["g"].items()})


def oracle_operators(depth, trained, radius, t):
    """The bound of level ``operators`` on the ball, written as one bound for each block."""
    w = on_the_ball(depth, trained, radius, t, second=True)
    m, lam, beta, s, z, q, a = (w["m"], t["lam"], t["beta"], w["s"], w["z"], w["q"], w["a"])
    turn = [0.0] + [t["gamma"][i] * z[i] * t["q"][i] for i in range(1, depth + 1)]
    u = [0.0] + [beta[i] * w["move"][i] + turn[i] for i in range(1, depth + 1)]
    v = [0.0] + [beta[i] * w["largest"][i] + turn[i] for i in range(1, depth + 1)]
    x, n, reach = np.zeros((6, 6)), np.eye(6), np.zeros((6, 6))
    for k in range(1, depth + 1):
        for i in range(k + 1, depth + 1):
            rho = radius / math.sqrt(m[i - 1])
            rows = t["u"][i] if k == i - 1 else t["s"][i] * t["w"][i - 1, k]
            x[i, k] = rho * lam[i - 1] * n[i - 1, k] + rows * beta[i - 1] * z[i - 1]
            x[i, k] += t["s"][i] * lam[i - 1] * x[i - 1, k]
            n[i, k] = min(t["n"][i, k] + x[i, k], s[i] * lam[i - 1] * n[i - 1, k])
        for i in range(k, depth + 1):
            rows = 1.0 if i == k else t["w"][i, k]
            moved = t["N"][i, k] + beta[i] * z[i] * rows + lam[i] * x[i, k]
            reach[i, k] = min(moved, lam[i] * n[i, k])

    def change(i, k, j):
        """What layer i adds to how far the curvature between layers k and j moves."""
        curved = beta[i] * q[i]
        if i == k == j:
            return v[i]
        if i == j:
            return u[i] * t["w"][i, k] + x[i, k] * curved
        bent = {h: t["b"][i, h] + u[i] * t["w"][i, h] for h in (k, j)}
        total = u[i] * t["w"][i, k] * t["n"][i, j] + x[i, k] * curved * x[i, j]
        return total + bent[k] * x[i, j] + bent[j] * x[i, k]

    def entry(k, j):
        moved = t["C"][k, j] + sum(change(i, k, j) for i in range(j, depth + 1))
        layers = w["c"][k] if k == j else w["t"][j] * n[j - 1, k]
        layers += sum(w["y"][i] * n[i - 1, k] * n[i - 1, j] for i in range(j + 1, depth + 1))
        total = a[k - 1] * a[j - 1] * min(moved, layers)
        if k < j:
            turned = beta[j] * z[j] * t["q"][j] + lam[j] * w["move"][j]
            pushed = min(t["h"][j] + turned, lam[j] * w["g"][j])
            total += pushed * a[k - 1] * reach[j - 1, k] / math.sqrt(m[j - 1])
        return total

    def by_readout(k):
        return a[k - 1] * reach[depth, k] / math.sqrt(m[depth])

    return assembled(depth, trained, entry, by_readout)


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
def test_operators_on_the_ball_is_the_formula(case):
    depth, trained, radius, t = case
    net = theory.reference_network(depth, trainable=trained)
    thm = theory.hessian_bound(net, radius="R", level="operators")
    for r in (radius, radius / 1000):  # the smaller bound of a block is another one
        got = thm.evaluate(as_values(depth, t), radius=r)
        assert got == pytest.approx(oracle_operators(depth, trained, r, t), rel=1e-11)


@given(statistics())
def test_operators_on_the_ball_is_between_the_centre_and_layers(case):
    depth, trained, radius, t = case
    net = theory.reference_network(depth, trainable=trained)
    values = as_values(depth, t)
    thm = theory.hessian_bound(net, radius="R", level="operators")
    layers = theory.hessian_bound(net, radius="R").evaluate(values, radius=radius)
    assert thm.evaluate(values, radius=radius) <= layers * (1 + 1e-12)
    centre = theory.hessian_bound(net, level="operators").evaluate(values)
    # Random numbers need not be the statistics of a network, where N <= lambda n and so on.
    assert thm.evaluate(values, radius=0.0) <= centre * (1 + 1e-12)


def test_which_bound_won_is_named():
    net = theory.reference_network(2, trainable=False)
    stats = {name: [0.5] * 3 for name in (*NAMES, "lam", "beta", "gamma")} | {"m": [9, 100, 100]}
    stats |= {name: np.full((6, 6), 0.01) for name in PAIR_STATISTICS}
    thm = theory.hessian_bound(net, radius="R", level="operators")
    values = as_values(2, stats)
    near, far = (thm.choices(values, radius=r) for r in (0.0, 50.0))
    assert near.keys() == far.keys()
    assert near["C_bar_1,1"].startswith("C_1,1 + V_1")
    assert far["C_bar_1,1"] == "beta_1 q_bar_1 + y_bar_2"
    assert (near["N_bar_1,1"], far["N_bar_1,1"]) == ("N_1,1 + beta_1 Z_1", "lambda_1")
    with pytest.raises(ValueError, match="radius"):
        thm.choices(values)


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
    net = theory.reference_network(depth, trainable=trained)
    values = as_values(depth, t)
    for level in ("layers", "operators"):
        thm = theory.hessian_bound(net, radius="R", level=level)
        small, large = (thm.evaluate(values, radius=r) for r in (radius, 2 * radius + 0.1))
        assert small <= large * (1 + 1e-12)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize(
    ("level", "radius"),
    [("layers", None), ("layers", "R"), ("operators", None), ("operators", "R")],
)
def test_every_step_is_replayed(level, radius, depth, trained):
    net = theory.reference_network(depth, trainable=trained)
    report = proofs_check.check(theory.hessian_bound(net, radius=radius, level=level))
    assert report.ok


def test_a_level_of_the_centre_is_refused_on_a_ball():
    with pytest.raises(ValueError, match="known at the centre alone"):
        theory.hessian_bound(theory.reference_network(2), radius=1, level="slopes")


@pytest.mark.parametrize("depth", range(1, 7))
def test_the_degree_in_the_radius_is_at_most_one(depth):
    for trained in (False, True):
        net = theory.reference_network(depth, trainable=trained)
        for level in ("layers", "operators"):
            order = theory.hessian_bound(net, radius="R", level=level).order
            assert order.exponent("m") == Fraction(-1, 2)
            assert all(m.radius <= 1 for m in order.growth.monomials)
