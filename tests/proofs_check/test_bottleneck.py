"""A10 and B6 on networks: from below and from above, down to a layer of one neuron."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest

import numerics
import proofs_check
import theory
from proofs_check.verification.statements import Conjecture, bound_sides
from proofs_check.verification.trials import Trial
from theory.ledger.bottleneck import bottleneck_bound, narrowest_bound
from theory.terms import mul, rat

ROUNDING = 1e-9


def network(widths, names=("tanh", "gelu", "sin"), *, trainable=False):
    parts = [theory.Input(widths[0])]
    for m, name in zip(widths[1:], names, strict=False):
        parts += [theory.Dense(m), theory.Activation(name)]
    return theory.Network(*parts, theory.Readout(trainable=trainable))


def sides(net, theorem, seed=0, scale=1.0):
    model = numerics.instantiate(net, {}, seed=seed)
    x = scale * np.random.default_rng(seed).standard_normal(net.widths[0])
    trial = Trial(model, x, x, None)
    return numerics.hessian_norm(model, x), bound_sides(
        theorem, trial.statistics, None, trial.other
    )


@pytest.mark.parametrize("widths", [(3, 6, 1, 5), (1, 1, 1, 1), (2, 4, 7), (5, 3), (3, 1, 40, 2)])
@pytest.mark.parametrize("trainable", [False, True])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
def test_the_norm_lies_between(widths, trainable, scale):
    net = network(widths, trainable=trainable)
    for layer in range(1, len(widths)):
        truth, low = sides(net, bottleneck_bound(net, layer), 1, scale)
        assert low.lower <= truth.upper * (1 + ROUNDING) + 1e-300
    truth, high = sides(net, narrowest_bound(net), 1, scale)
    assert truth.lower <= high.upper * (1 + ROUNDING) + 1e-300


@pytest.mark.parametrize("narrow", [1, 3, 16, 128])
def test_both_are_tight_at_every_width_of_the_narrow_layer(narrow):
    net = network((16, 128, narrow, 128), ("tanh",) * 3)
    truth, low = sides(net, bottleneck_bound(net, 2), 2)
    _, high = sides(net, narrowest_bound(net), 2)
    assert low.value > 0.05 * truth.value
    assert high.value < 3 * truth.value


def test_for_one_neuron_it_is_the_second_derivative_by_its_pre_activation():
    net = network((3, 6, 1, 5), ("tanh",) * 3)
    model = numerics.instantiate(net, {}, seed=0)
    x = np.random.default_rng(0).standard_normal(3)
    passes = numerics.trace(model, x)
    third = model.params["W"][2]

    def rest(z):
        return model.readout @ jax.numpy.tanh(third[:, 0] * jax.numpy.tanh(z)) / math.sqrt(5)

    bend = abs(float(jax.grad(jax.grad(rest))(passes.z[1][0])))
    scale = float(np.sum(np.square(passes.alpha[0 + 1]))) / 6
    trial = Trial(model, x, x, None)
    found = bound_sides(bottleneck_bound(net, 2), trial.statistics, None, trial.other)
    assert found.value == pytest.approx(scale * bend, rel=1e-10)


def test_proofs_are_replayed_and_a_sharper_claim_fails():
    for name in ("LZB20/A10", "LZB20/A10-upper", "LZB22/B6"):
        assert proofs_check.check(theory.catalog[name]).ok
    net = network((3, 6), ("tanh",))  # one hidden layer: the block is all there is
    theorem = bottleneck_bound(net, 1)
    truth, low = sides(net, theorem)
    assert low.value == pytest.approx(truth.value, rel=1e-9)
    sharper = Conjecture("twice", net, mul(rat(2), theorem.side), definitions=theorem.definitions)
    _, high = sides(net, sharper)
    assert high.lower > truth.upper


def test_what_it_is_not_about_is_refused():
    net = network((3, 6, 5))
    for layer in (0, 3, True, "2"):
        with pytest.raises(ValueError, match="give one of the layers 1 to 2"):
            bottleneck_bound(net, layer)
