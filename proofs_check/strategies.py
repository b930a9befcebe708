"""Hypothesis strategies for networks, inputs, radii: for ``falsify``, and for tests of one's own.

What is drawn shrinks to something readable: one layer of width 1 with tanh, seed 0, an input of
small integers, radius 0.  Every draw can be repeated from what it prints.

    @given(proofs_check.strategies.instances(max_width=8))
    def test_my_bound(instance): ...
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from proofs_check.data import Inputs, digits
from theory.activations import ActivationFunction, activation
from theory.networks import Activation, Dense, Input, Layer, Network, Readout

BOUNDED = ("tanh", "sigmoid", "sin", "softplus", "erf", "gelu", "gelu_tanh", "silu", "identity")
"""Named activations whose first two derivatives are bounded, so that the theorems cover them."""

EXPRESSIONS = (
    "t/sqrt(1 + t^2)", "exp(-t^2)", "atan(t)", "tanh(2*t + 1)/3", "sin(3*t)/2 + t/4",
    "t + tanh(t)", "log(1 + exp(2*t))", "1/(1 + t^2)", "5*sin(t/5)", "erf(t/2) - t/8",
)  # fmt: skip
"""Expressions as users give them: shifted, not odd, not monotone, with a slope at infinity."""

SCALES = (1.0, 0.5, 1e-3, 1e-8, 1e-150, 10.0, 1e4, 1e8)
"""Factors of inputs: ordinary, tiny, so tiny that squares underflow, large, huge."""

RADII = (0.0, 1.0, 1e-9, 1e-3, 0.1, 10.0, 1e3)
MAX_SEED = 2**32 - 1


@dataclass(frozen=True)
class Instance:
    """A network, its weights' seed, two inputs and a ball: all that a measurement depends on.

    Attributes:
        net: the description, all widths integers.
        seed: of the weights.
        x: the input, flat.
        z: another input, for statements about two.
        radius: of the ball.
    """

    net: Network
    seed: int
    x: tuple[float, ...]
    z: tuple[float, ...]
    radius: float

    @property
    def inputs(self) -> tuple[Inputs, Inputs]:
        """Both inputs as arrays."""
        return np.array(self.x), np.array(self.z)


def activations(
    *, names: Sequence[str] = BOUNDED, expressions: Sequence[str] = EXPRESSIONS
) -> SearchStrategy[ActivationFunction]:
    """Activation functions, named ones first.

    Args:
        names: registered names to draw from.
        expressions: expressions in t to draw from as well.
    """
    return st.sampled_from([*names, *expressions]).map(_activation)


@lru_cache(maxsize=256)
def _activation(spec: str) -> ActivationFunction:
    return activation(spec)


def readouts(*, trainable: bool | None = None, init: str | None = None) -> SearchStrategy[Readout]:
    """Readouts: fixed or trained, Gaussian or signs; None leaves the choice open."""
    trained = st.booleans() if trainable is None else st.just(trainable)
    inits = st.sampled_from(["gaussian", "sign"]) if init is None else st.just(init)
    return st.builds(lambda t, i: Readout(trainable=t, init=i), trained, inits)


@st.composite
def networks(
    draw: DrawFn,
    *,
    min_depth: int = 1,
    max_depth: int = 8,
    max_width: int = 12,
    max_input: int = 8,
    activation: SearchStrategy[ActivationFunction] | None = None,
    readout: SearchStrategy[Readout] | None = None,
) -> Network:
    """Networks with numeric widths, unequal more often than not, from 1 up.

    Args:
        draw: given by Hypothesis.
        min_depth: least number of hidden layers.
        max_depth: largest.
        max_width: largest hidden width.
        max_input: largest input dimension.
        activation: of each layer, drawn anew; default :func:`activations`.
        readout: default :func:`readouts`.
    """
    functions = activations() if activation is None else activation
    layers: list[Layer] = [Input(draw(st.integers(1, max_input)))]
    for _ in range(draw(st.integers(min_depth, max_depth))):
        layers += [Dense(draw(st.integers(1, max_width))), Activation(draw(functions))]
    return Network(*layers, draw(readouts() if readout is None else readout))


def seeds() -> SearchStrategy[int]:
    """Seeds of weights; small ones most of the time."""
    return st.integers(0, 20) | st.integers(0, MAX_SEED)


def radii(*, largest: float = 1e3) -> SearchStrategy[float]:
    """Radii of balls: zero, tiny, ordinary, large."""
    chosen = [r for r in RADII if r <= largest]
    return st.sampled_from(chosen) | st.floats(0.0, largest, allow_subnormal=False)


def inputs(dim: int, *, scales: Sequence[float] = SCALES) -> SearchStrategy[tuple[float, ...]]:
    """Inputs of a dimension: zero, small integers, digits, each also tiny and huge.

    Args:
        dim: the dimension, m_0.
        scales: factors; ``(1.0,)`` for none.
    """
    table = _digits(dim)
    integers = st.lists(st.integers(-3, 3), min_size=dim, max_size=dim).map(_floats)
    real = st.integers(0, len(table) - 1).map(lambda i: _floats(table[i]))
    halves = st.lists(st.floats(-2, 2, width=16), min_size=dim, max_size=dim).map(_floats)
    zero = st.just((0.0,) * dim)
    factor = st.sampled_from(list(scales))
    return st.builds(_scaled, st.one_of(zero, integers, halves, real), factor)


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _scaled(x: tuple[float, ...], factor: float) -> tuple[float, ...]:
    return tuple(factor * v for v in x)


@lru_cache(maxsize=256)
def _digits(dim: int) -> Inputs:
    return digits(100, dim)


def instances(
    *,
    network: SearchStrategy[Network] | None = None,
    max_depth: int = 8,
    max_width: int = 12,
    scales: Sequence[float] = SCALES,
    radius: SearchStrategy[float] | None = None,
) -> SearchStrategy[Instance]:
    """Everything that a measurement depends on.

    Args:
        network: of the network; default :func:`networks`.
        max_depth: for the default.
        max_width: for the default.
        scales: of the inputs.
        radius: of the ball; default :func:`radii`.
    """
    _digits(1)  # reads the data set now: within a draw that would count as part of it
    nets = networks(max_depth=max_depth, max_width=max_width) if network is None else network
    return _instances(nets, scales, radii() if radius is None else radius)


@st.composite
def _instances(
    draw: DrawFn,
    nets: SearchStrategy[Network],
    scales: Sequence[float],
    radius: SearchStrategy[float],
) -> Instance:
    net = draw(nets)
    dim = math.prod(map(int, net.input_shape))
    x = draw(inputs(dim, scales=scales))
    z = draw(st.just(x) | inputs(dim, scales=scales))
    return Instance(net, draw(seeds()), x, z, draw(radius))


@st.composite
def numeric(draw: DrawFn, net: Network, *, max_width: int = 12) -> Network:
    """A description with widths drawn for its symbols, each its own."""
    return net.substitute({s: draw(st.integers(1, max_width)) for s in net.symbols})


__all__ = [
    "BOUNDED",
    "EXPRESSIONS",
    "RADII",
    "SCALES",
    "Instance",
    "activations",
    "inputs",
    "instances",
    "networks",
    "numeric",
    "radii",
    "readouts",
    "seeds",
]
