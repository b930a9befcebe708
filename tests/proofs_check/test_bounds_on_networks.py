"""Each bound on real networks: it holds, it is tight, it survives re-encoding, an oracle agrees."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numerics
import theory
from theory.terms import norm, subterms
from theory.vocabulary import (
    CENTRE,
    INPUT,
    PAIR_STATISTICS,
    STATISTICS,
    WEIGHT_STATISTICS,
    curvature,
    lipschitz,
    symbol,
    third,
)
from theory.vocabulary import width as width_term

ACTIVATIONS = ("tanh", "sigmoid", "softplus", "erf", "sin", "gelu", "silu", "identity", "t/(1+t^2)")
LEVELS = ("layers", "operators", "slopes", "norms")
ROUNDING = 1e-9  # far above that of float64 here, far below any slack that means something


def network(widths, activations, *, trainable):
    """A dense network of these widths; None leaves an activation out."""
    parts = [theory.Input(widths[0])]
    for m, name in zip(widths[1:], activations, strict=True):
        parts.append(theory.Dense(m))
        if name is not None:
            parts.append(theory.Activation(name))
    return theory.Network(*parts, theory.Readout(trainable=trainable))


def values_of(model, x, params=None):
    """Measured layer statistics as values of the vocabulary's symbols."""
    measured = numerics.measure(model, x, params, hessian=False, pairs=True)
    values = {}
    for key, value in measured.items():
        if isinstance(key, str):
            continue
        name, index = key[:2]
        if name in PAIR_STATISTICS:
            values[symbol(*key, CENTRE, INPUT)] = value
        elif name == "m":
            values[width_term(index)] = int(value)
        elif name == "lambda":
            values[lipschitz(index)] = value
        elif name == "beta":
            values[curvature(index)] = value
            values[third(index)] = float(model.net.activations[index - 1].sup(3))
        elif name in STATISTICS:
            tags = (index, CENTRE) if name in WEIGHT_STATISTICS else (index, CENTRE, INPUT)
            values[symbol(name, *tags)] = value
    return values


def draw_input(kind, d, seed):
    """An input: zero, ordinary, huge, tiny, or with one large entry."""
    x = np.random.default_rng(seed).standard_normal(d)
    return {
        "zero": 0 * x,
        "normal": x,
        "huge": 1e6 * x,
        "tiny": 1e-6 * x,
        "spike": 100 * np.eye(d)[0],
    }[kind]


@st.composite
def cases(draw):
    depth = draw(st.integers(1, 5))
    widths = [draw(st.integers(1, 6)) for _ in range(depth + 1)]
    names = [draw(st.sampled_from(ACTIVATIONS)) for _ in range(depth)]
    net = network(widths, names, trainable=draw(st.booleans()))
    kind = draw(st.sampled_from(["zero", "normal", "huge", "tiny", "spike"]))
    return net, draw(st.integers(0, 99)), kind


@given(cases())
@pytest.mark.parametrize("level", LEVELS)
def test_the_bound_at_the_centre_holds(level, case):
    net, seed, kind = case
    model = numerics.instantiate(net, {}, seed=seed)
    x = draw_input(kind, net.widths[0], seed)
    bound = theory.hessian_bound(net, level=level).evaluate(values_of(model, x))
    truth = numerics.hessian_norm(model, x)
    assert truth.lower <= bound * (1 + ROUNDING) + 1e-300


@given(cases(), st.sampled_from([0.0, 1e-3, 1.0, 30.0]), st.integers(0, 9))
@pytest.mark.parametrize("level", ["layers", "operators", "norms"])
def test_the_bound_on_the_ball_holds_at_random_points(level, case, radius, seed):
    net, own, kind = case
    model = numerics.instantiate(net, {}, seed=own)
    x = draw_input(kind, net.widths[0], own)
    bound = theory.hessian_bound(net, radius=radius, level=level).evaluate(values_of(model, x))
    there = numerics.perturb(model, radius, seed=seed) if radius else model.params
    truth = numerics.hessian_norm(model, x, there)
    assert truth.lower <= bound * (1 + ROUNDING) + 1e-300


@pytest.mark.parametrize(
    ("depth", "factors"),
    [
        (1, {"norms": 2.0, "slopes": 1.0, "layers": 1.0, "operators": 1.0}),
        (2, {"norms": 9, "slopes": 6, "layers": 2.5, "operators": 2}),
        (3, {"norms": 40, "slopes": 16, "layers": 6, "operators": 2.5}),
        (4, {"layers": 18, "operators": 2.5}),
        (6, {"layers": 150, "operators": 3}),
    ],
)
def test_the_bound_is_tight_enough_to_mean_something(depth, factors):
    net = network([16] + [256 if depth < 4 else 96] * depth, ["tanh"] * depth, trainable=False)
    model = numerics.instantiate(net, {}, seed=0)
    x = draw_input("normal", 16, 0)
    x *= math.sqrt(16) / np.linalg.norm(x)
    truth = numerics.hessian_norm(model, x).value
    values = values_of(model, x)
    for level, factor in factors.items():
        bound = theory.hessian_bound(net, level=level).evaluate(values)
        assert truth * (1 - ROUNDING) <= bound <= factor * truth * (1 + ROUNDING)


def test_the_bound_on_the_ball_is_tight_enough_to_mean_something():
    net = network([16, 256, 256, 256], ["tanh"] * 3, trainable=False)
    model = numerics.instantiate(net, {}, seed=0)
    x = draw_input("normal", 16, 0)
    x *= math.sqrt(16) / np.linalg.norm(x)
    truth = numerics.hessian_norm(model, x).value
    values = values_of(model, x)
    for radius, near, far in ((0.0, 2.2, 18), (0.1, 9, 18), (1.0, 36, 36), (10.0, 220, 220)):
        least, bound, old = (
            theory.hessian_bound(net, radius=radius, level=level).evaluate(values)
            for level in ("operators", "layers", "norms")
        )
        assert truth <= least <= near * truth
        assert least * (1 - ROUNDING) <= bound <= min(far * truth, old)


@given(cases())
def test_operators_on_a_ball_of_radius_zero_are_those_of_the_centre(case):
    net, seed, kind = case
    model = numerics.instantiate(net, {}, seed=seed)
    values = values_of(model, draw_input(kind, net.widths[0], seed))
    centre = theory.hessian_bound(net, level="operators").evaluate(values)
    ball = theory.hessian_bound(net, radius=0, level="operators").evaluate(values)
    assert ball == pytest.approx(centre, rel=ROUNDING, abs=1e-300)


@pytest.mark.parametrize("scale", [0.0, 1e-8, 1.0, 300.0])
@pytest.mark.parametrize("widths", [(1, 1), (1,) * 9, (2, 3, 1, 2, 1, 3, 2, 1, 2), (3, 8, 8)])
def test_operators_on_the_ball_hold_where_neurons_saturate_or_are_alone(widths, scale):
    net = network(list(widths), ["tanh"] * (len(widths) - 1), trainable=False)
    model = numerics.instantiate(net, {}, seed=3)
    x = scale * np.linspace(0.5, 1.5, widths[0])
    values = values_of(model, x)
    for radius in (1e-3, 0.3, 5.0):
        found = numerics.ball_search(model, x, radius, starts=3, steps=8)
        thm = theory.hessian_bound(net, radius=radius, level="operators")
        assert found.value <= thm.evaluate(values) * (1 + ROUNDING) + 1e-300


@pytest.mark.parametrize("narrow", [1, 2, 16, 256])
def test_products_lose_nothing_at_a_narrow_layer(narrow):
    net = network([16, 256, narrow, 256], ["tanh"] * 3, trainable=False)
    model = numerics.instantiate(net, {}, seed=1)
    x = draw_input("normal", 16, 1)
    values = values_of(model, x)
    truth = numerics.hessian_norm(model, x).value
    bound = theory.hessian_bound(net, level="operators").evaluate(values)
    assert truth * (1 - ROUNDING) <= bound <= 3 * truth
    if narrow <= 2:  # where products of norms lose a power of the width
        assert theory.hessian_bound(net, level="norms").evaluate(values) > 20 * truth


@pytest.mark.parametrize("radius", [None, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_permuting_neurons_changes_neither_bound_nor_norm(seed, radius):
    net = network([3, 5, 4], ["tanh", "gelu"], trainable=True)
    model = numerics.instantiate(net, {}, seed=seed)
    x = draw_input("normal", 3, seed)
    order = np.random.default_rng(seed).permutation(5)
    first, second = model.params["W"]
    moved = {**model.params, "W": (first[order], second[:, order])}
    thm = theory.hessian_bound(net, radius=radius)
    here = thm.evaluate(values_of(model, x))
    assert thm.evaluate(values_of(model, x, moved)) == pytest.approx(here, rel=1e-12)
    norms = [numerics.hessian_norm(model, x, p).value for p in (model.params, moved)]
    assert norms[0] == pytest.approx(norms[1], rel=1e-10)


def test_writing_out_the_identity_changes_nothing():
    bare = network([3, 5, 4], [None, "tanh"], trainable=False)
    spelled = network([3, 5, 4], ["identity", "tanh"], trainable=False)
    x = draw_input("normal", 3, 0)
    numbers = []
    for net in (bare, spelled):
        model = numerics.instantiate(net, {}, seed=1)
        bound = theory.hessian_bound(net, radius=1).evaluate(values_of(model, x))
        numbers.append((bound, numerics.hessian_norm(model, x).value))
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("name", ["tanh", "softplus", "gelu"])
@pytest.mark.parametrize(("d", "m"), [(1, 1), (5, 1), (1, 40), (7, 30)])
def test_a4_is_an_equality(name, d, m):
    net = network([d, m], [name], trainable=False)
    thm = theory.one_hidden_layer(net)
    model = numerics.instantiate(net, {}, seed=d + m)
    x = draw_input("normal", d, 3)
    passes = numerics.trace(model, x)
    function = numerics.jax_function(net.activations[0])
    second = jax.vmap(jax.grad(jax.grad(function)))(passes.z[0])
    values = {width_term(0): d, width_term(1): m}
    for term in subterms(thm.statement.args[1]):
        if term.head == "norm":
            kind, inner = term.args
            assert term is norm(inner, kind)
            vector = second * model.readout if kind == "inf" else passes.alpha[0]
            values[term] = float(np.linalg.norm(vector, np.inf if kind == "inf" else 2))
    truth = numerics.hessian_norm(model, x)
    assert thm.evaluate(values) == pytest.approx(truth.value, rel=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_the_kernel_change_and_the_linearization_gap_are_bounded(seed):
    net = network([4, 30, 30], ["tanh", "tanh"], trainable=bool(seed % 2))
    model = numerics.instantiate(net, {}, seed=seed)
    x = draw_input("normal", 4, seed)
    there = numerics.perturb(model, 0.7, seed=seed)
    values = values_of(model, x)
    gap = theory.linearization_bound(net, radius=0.7).evaluate(values)
    assert numerics.linearization_gap(model, x, there) <= gap


@pytest.mark.slow
@given(cases(), st.sampled_from([0.0, 1e-3, 1.0, 30.0]), st.integers(0, 9))
@pytest.mark.parametrize("level", ["layers", "operators"])
def test_the_bound_on_the_ball_holds_under_search(level, case, radius, seed):
    net, own, kind = case
    model = numerics.instantiate(net, {}, seed=own)
    x = draw_input(kind, net.widths[0], own)
    thm = theory.hessian_bound(net, radius=radius, level=level)
    bound = thm.evaluate(values_of(model, x))
    found = numerics.ball_search(model, x, radius, seed=seed)
    assert found.value <= bound * (1 + ROUNDING) + 1e-300
