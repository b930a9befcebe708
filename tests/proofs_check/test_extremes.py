"""Theorems on networks at the edge of what is allowed: width one, no input, saturation, radius 0.

Deterministic statements allow no violation beyond rounding, however degenerate the network.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import numerics
import theory
from proofs_check.measuring.evaluate import Comparison, Environment, evaluate
from theory.lemmas import operator_variable, real_variable, space_variable
from theory.terms import le, norm

SHAPES = [(1, 1), (5, 1), (1, 5), (1, 1, 1), (3, 1, 4), (1, 4, 1), (2, 1, 1, 3)]
DEEP = (1,) * 9
ACTIVATIONS = ["tanh", "sin", "softplus", "gelu", "t*exp(-t^2)", "identity"]
# factors of the input and of the parameters, and the radius
PLACES = [
    (1, 1, 1.0),
    (0, 1, 1.0),
    (1e3, 1, 0.1),
    (1e-6, 1, 3.0),
    (1, 0, 1.0),
    (1, 30, 0.5),
    (1, 1, 0.0),
    (1, 1, 100.0),
    (1, 1e-8, 1e-3),
]


def network(widths, activation, trained):
    hidden = [p for m in widths[1:] for p in (theory.Dense(m), theory.Activation(activation))]
    return theory.Network(theory.Input(widths[0]), *hidden, theory.Readout(trainable=trained))


def theorems(net):
    return [
        theory.hessian_bound(net),
        theory.hessian_bound(net, level="slopes"),
        theory.hessian_bound(net, level="operators"),
        theory.hessian_bound(net, radius="R"),
        theory.hessian_bound(net, radius="R", level="norms"),
        theory.kernel_change_bound(net),
        theory.linearization_bound(net),
    ]


def environment(net, place, seed, definitions):
    """The network there, with a point at the edge of the ball."""
    inputs, scale, radius = place
    model = numerics.instantiate(net, {}, seed=seed)
    random = np.random.default_rng(seed)
    centre = dict(model.params)
    centre["W"] = tuple(np.asarray(w) * scale for w in centre["W"])
    if "v" in centre:
        centre["v"] = np.asarray(centre["v"]) * scale
    blocks = [*centre["W"], *([centre["v"]] if "v" in centre else [])]
    steps = [random.standard_normal(np.shape(b)) for b in blocks]
    length = np.sqrt(sum(float(np.sum(s * s)) for s in steps))
    moved = [b + 0.999 * radius * s / length for b, s in zip(blocks, steps, strict=True)]
    far = {"W": tuple(moved[: len(centre["W"])])}
    if "v" in centre:
        far["v"] = moved[-1]
    x, z = (inputs * random.standard_normal(model.widths[0]) for _ in range(2))
    points = {"theta0": centre, "theta": far}
    return Environment(
        model, points, {"x": x, "z": z}, {"R": radius}, definitions=definitions, seed=seed
    )


def violations(shapes, activations, places):
    found, tried = [], 0
    for widths, activation, trained in product(shapes, activations, (False, True)):
        net = network(widths, activation, trained)
        for theorem, place in product(theorems(net), places):
            env = environment(net, place, len(widths), theorem.definitions)
            result = evaluate(theorem.statement, env)
            assert isinstance(result, Comparison)
            tried += 1
            if not result:
                found.append((theorem.name, theorem.level, widths, activation, place, result))
    return found, tried


def test_theorems_hold_at_the_edges():
    found, tried = violations([(3, 1, 2)], ["t*exp(-t^2)"], PLACES[1::3])
    assert not found
    assert tried == 2 * 7 * 3


def test_what_vanishes_when_it_is_squared_is_no_violation():
    """Curvature of a saturated network is of size 1e-236, and norms of products underflow."""
    small, bound = operator_variable("A"), real_variable("c")
    spaces = {space_variable(n): 1 for n in "rc"}
    for size, holds in ((1e-236, True), (1e-140, False)):
        env = Environment(variables={small: [[size]], bound: 0.0, **spaces})
        assert bool(evaluate(le(norm(small), bound), env)) is holds


@pytest.mark.slow
def test_theorems_hold_at_all_edges():
    found, tried = violations(SHAPES, ACTIVATIONS, PLACES)
    deep, more = violations([DEEP], ["tanh"], PLACES)
    assert not found + deep
    assert tried + more > 5000
