"""A8, C1, C2, C3: convolutions, graphs of neurons, skip connections and masks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np

import numerics
import theory
from numerics.activations import host_derivatives
from proofs_check.ledger.experiment import (
    Experiment,
    Family,
    Measure,
    Profile,
    Sample,
    at_most,
    row,
)
from proofs_check.ledger.graphs import drawn_input, largest_hessian
from proofs_check.verification.statements import Sides, predicted_order
from theory.networks import (
    Activation,
    AveragePool,
    Conv,
    Dense,
    Input,
    Network,
    Output,
    RandomNeurons,
    Readout,
    Width,
)
from theory.networks import width as symbol
from theory.theorem import Theorem

HALF = Fraction(1, 2)
TANH, TRAINED = Activation("tanh"), Readout(trainable=True)
NORM = "larger ‖H‖ of the centre and a random point at R = 1"
WIDTHS: Mapping[Profile, tuple[int, ...]] = {
    "quick": (16, 32, 64),
    "full": (16, 32, 64, 128),
}
CHANNELS: Mapping[Profile, tuple[int, ...]] = {"quick": (8, 16, 32), "full": (8, 16, 32, 64)}
SEEDS: Mapping[Profile, int] = {"quick": 16, "full": 24}
SLACK = 0.1
"""These widths are smaller than those of the dense rows, and in-degrees and channels are smaller
still: at 8 channels the maximum of a layer's signal is not yet on its slope."""


def _network(theorem: Theorem) -> Network:
    if theorem.network is None:
        msg = f"{theorem.name} has no network to measure"
        raise ValueError(msg)
    return theorem.network


def _squared(net: Network) -> Network:
    return Network(*net.layers, Output("square"))


@row("LZB20/A8")
def convolutional() -> Experiment:
    """A8: width is the number of channels; without a linear output, or with one channel, no."""
    theorem = theory.catalog["LZB20/A8"]
    net = _network(theorem)
    m = symbol("m")
    single = Network(Input((3, 8)), Conv(m, 3), TANH, Conv(1, 3), TANH, AveragePool(), TRAINED)
    holds = Family(
        "two circular convolutions with m channels, tanh, average pooling, readout trained",
        NORM,
        largest_hessian(net, theorem),
        predicted_order(theorem),
        widths=CHANNELS,
        seeds=SEEDS,
        slack=SLACK,
    )
    squared = holds.without(
        "linear output", "the same networks, output f^2", largest_hessian(_squared(net))
    )
    narrow = holds.without("wide layers", "one channel before the pooling", largest_hessian(single))
    return Experiment("LZB20/A8", (holds,), (squared, narrow))


@row("ZLB22/C1")
def neurons() -> Experiment:
    """C1: what counts is the least in-degree past the first layer."""
    theorem = theory.catalog["ZLB22/C1"]
    m = symbol("m")
    few = Network(Input(16), RandomNeurons((m, m, 2), in_degree=(16, m, 4)), TRAINED)
    source = (
        "C1: the power of m; of the bound's log powers, which stand for maxima at every layer, "
        "one maximum's is fitted"
    )
    holds = Family(
        "three layers of m neurons, each hears 16, m, m drawn before it, readout trained",
        NORM,
        largest_hessian(_network(theorem), theorem),
        at_most(predicted_order(theorem).exponent, source, HALF),
        widths=WIDTHS,
        seeds=SEEDS,
        slack=SLACK,
    )
    fails = holds.without(
        "in-degrees that grow", "the last two neurons hear four neurons each", largest_hessian(few)
    )
    return Experiment("ZLB22/C1", (holds,), (fails,))


@row("ZLB22/C3")
def densely_connected() -> Experiment:
    """C3: skip connections and masks are instances; a layer of width 2 or a square are not."""
    theorem = theory.catalog["ZLB22/C3"]
    net = _network(theorem)
    readout = net.layers[-1]
    narrow = Network(*net.layers[:-1], Dense(2), TANH, readout)
    holds = Family(
        "a DenseNet block of two layers with m neurons each, a dropout mask, readout trained",
        NORM,
        largest_hessian(net, theorem),
        predicted_order(theorem),
        widths=WIDTHS,
        seeds=SEEDS,
        slack=SLACK,
    )
    squared = holds.without(
        "linear output", "the same networks, output f^2", largest_hessian(_squared(net))
    )
    bottleneck = holds.without(
        "wide layers", "a layer of width 2 before the readout", largest_hessian(narrow)
    )
    return Experiment("ZLB22/C3", (holds,), (squared, bottleneck))


# -- C2 -------------------------------------------------------------------------------------------


def _output_degree(last: Width) -> Network:
    return Network(Input(16), Dense(symbol("m")), TANH, Dense(last), TANH, TRAINED)


def _from_below(net: Network) -> Measure:
    """The Hessian norm, against ``|sigma'(z^2)|_inf |alpha^1| / sqrt(m_1 m_2)``."""

    def measure(width: int, seed: int) -> Sample:
        model = numerics.instantiate(net, {"m": width}, seed=seed)
        x = drawn_input((16,), seed)
        norm = numerics.hessian_norm(model, x)
        passes = numerics.trace(model, x)
        slope = host_derivatives(net.activations[1], np.asarray(passes.z[1]), 1)[1]
        below = np.asarray(passes.alpha[1])
        size = math.sqrt(below.size * passes.z[1].size)
        left = float(np.max(np.abs(slope)) * np.linalg.norm(below)) / size
        return Sample(Sides(norm.lower, norm.value, norm.upper), Sides.around(left, 1e-12 * left))

    return measure


@row("ZLB22/C2")
def output_degree() -> Experiment:
    """C2: the output's in-degree counts; the printed width, which leaves it out, does not do."""
    order = at_most(-HALF, "C1 with the output's in-degree among those that count", HALF)
    holds = Family(
        "d - m - m - 1, tanh, readout trained: every in-degree past the first layer is m",
        "‖H‖ at the centre, against |sigma'(z^2)|_inf |alpha^1| / sqrt(m_1 m_2) from below",
        _from_below(_output_degree(symbol("m"))),
        order,
        "ge",
    )
    fails = holds.without(
        "in-degree of the output",
        "d - m - 1 - 1, whose width as printed, without the output, is m",
        _from_below(_output_degree(1)),
    )
    return Experiment("ZLB22/C2", (holds,), (fails,))
