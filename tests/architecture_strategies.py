"""Hypothesis strategies for networks of random architecture, their layers nested at random."""

from __future__ import annotations

import math

import sympy
from hypothesis import strategies as st

from theory.networks import (
    DAG,
    Activation,
    AveragePool,
    Chain,
    Concatenate,
    Conv,
    Dense,
    DenseBlock,
    Dropout,
    Flatten,
    Input,
    Network,
    Neurons,
    Output,
    RandomNeurons,
    Readout,
    Residual,
    Vertex,
)

ACTIVATIONS = ["tanh", "sin", "softplus", "gelu"]
MOST = 4  # of a width or a number of channels


def widths():
    return st.integers(1, MOST)


@st.composite
def networks(draw):
    """A network of small numbers."""
    shape = draw(
        st.one_of(
            st.tuples(widths()),
            st.tuples(st.integers(1, 2), st.integers(3, 6)),
            st.tuples(st.integers(1, 2), st.integers(2, 4), st.integers(2, 4)),
        )
    )
    layers = [Input(shape if len(shape) > 1 else shape[0])]
    first = (
        Conv(draw(widths()), draw(st.integers(1, 2))) if len(shape) > 1 else Dense(draw(widths()))
    )
    layers.append(first)
    shape = (first.channels, *shape[1:]) if len(shape) > 1 else (first.width,)
    for _ in range(draw(st.integers(1, 3))):
        layer, shape = draw(layer_for(shape, depth=2))
        layers.append(Chain(layer))  # two activations may follow each other inside chains
    if len(shape) > 1:
        layers.append(draw(st.sampled_from([Flatten(), AveragePool()])))
    layers.append(
        Readout(draw(st.booleans()), draw(st.sampled_from(["gaussian", "sign"])), draw(widths()))
    )
    if draw(st.booleans()):
        layers.append(Output(draw(st.sampled_from(ACTIVATIONS))))
    return Network(*layers)


@st.composite
def layer_for(draw, shape, depth, keep=False):
    """A layer that takes a value of that shape, and the shape of its value; the same if asked."""
    kinds = ["activation", "dropout", "weights"]
    if depth:
        kinds += ["residual", "chain"]
        if not keep:
            kinds += ["dense block", "concatenate", "dag"]
    if not keep and len(shape) > 1:
        kinds += ["pool", "flatten"]
    if not keep and len(shape) == 1:
        kinds += ["neurons", "random neurons"]
    return draw(MAKERS[draw(st.sampled_from(kinds))](shape, depth, keep))


@st.composite
def activation(draw, shape, depth, keep):
    return Activation(draw(st.sampled_from(ACTIVATIONS))), shape


@st.composite
def dropout(draw, shape, depth, keep):
    if draw(st.booleans()):
        return Dropout(draw(st.sampled_from([0, 0.25, 0.5])), seed=draw(st.integers(0, 99))), shape
    mask = draw(st.lists(st.booleans(), min_size=math.prod(shape), max_size=math.prod(shape)))
    mask[0] = True
    return Dropout(draw(st.sampled_from([0, 0.5])), mask=mask), shape


@st.composite
def weights(draw, shape, depth, keep):
    size = shape[0] if keep else draw(widths())
    if len(shape) == 1:
        return Dense(size), (size,)
    kernel = tuple(draw(st.integers(1, min(3, n))) for n in shape[1:])
    padding = "circular" if keep else draw(st.sampled_from(["circular", "same", "valid"]))
    stride = 1
    if not keep and padding != "circular":
        stride = draw(st.integers(1, 2))
    elif not keep:
        stride = tuple(draw(st.sampled_from([s for s in (1, 2) if n % s == 0])) for n in shape[1:])
    layer = Conv(size, kernel, stride=stride, padding=padding)
    network = Network(Input(shape), layer, Flatten(), Readout())
    return layer, network.graph.nodes[1].shape


@st.composite
def residual(draw, shape, depth, keep):
    inside = [
        draw(layer_for(shape, depth - 1, keep=True))[0] for _ in range(draw(st.integers(1, 2)))
    ]
    scale = draw(st.sampled_from([1, 0.5, -2, sympy.sqrt(2) / 2]))
    return Residual(*inside, scale=scale), shape


@st.composite
def chain(draw, shape, depth, keep):
    layers = []
    for _ in range(draw(st.integers(1, 2))):
        layer, shape = draw(layer_for(shape, depth - 1, keep))
        layers.append(layer)
    return Chain(*layers), shape


@st.composite
def dense_block(draw, shape, depth, keep):
    branches = []
    for _ in range(draw(st.integers(1, 2))):
        size = draw(widths())
        weights_ = Dense(size) if len(shape) == 1 else Conv(size, 1)
        branches.append((weights_, Activation(draw(st.sampled_from(ACTIVATIONS)))))
        shape = (shape[0] + size, *shape[1:])
    return DenseBlock(*branches), shape


@st.composite
def concatenate(draw, shape, depth, keep):
    branches = [draw(layer_for(shape, depth - 1, keep=True))[0] for _ in range(2)]
    return Concatenate(*branches), (2 * shape[0], *shape[1:])


@st.composite
def dag(draw, shape, depth, keep):
    names, vertices, used = ["input"], [], set()
    for index in range(draw(st.integers(1, 3))):
        inputs = tuple(draw(st.lists(st.sampled_from(names), min_size=1, max_size=2)))
        layer, _ = draw(layer_for(shape, depth - 1, keep=True))
        vertices.append((f"v{index}", layer, inputs))
        used |= set(inputs)
        names.append(f"v{index}")
    left = tuple(name for name in names if name not in used)
    joined = Vertex("last", inputs=left, join=draw(st.sampled_from(["sum", "concatenate"])))
    factor = len(left) if joined.join == "concatenate" else 1
    made = [Vertex(name, layer, inputs=inputs) for name, layer, inputs in vertices]
    return DAG(*made, joined), (factor * shape[0], *shape[1:])


@st.composite
def pool(draw, shape, depth, keep):
    if draw(st.booleans()):
        return AveragePool(), shape[:1]
    window = tuple(draw(st.sampled_from([w for w in (1, 2, 3) if n % w == 0])) for n in shape[1:])
    sizes = (n // w for n, w in zip(shape[1:], window, strict=True))
    return AveragePool(window), (shape[0], *sizes)


def flatten(shape, depth, keep):
    return st.just((Flatten(), (math.prod(shape),)))


@st.composite
def neurons(draw, shape, depth, keep):
    total, layers = shape[0], []
    for _ in range(draw(st.integers(1, 2))):
        seen = st.lists(st.integers(0, total - 1), min_size=1, max_size=3, unique=True)
        layers.append([tuple(draw(seen)) for _ in range(draw(widths()))])
        total += len(layers[-1])
    layer = Neurons(layers, draw(st.sampled_from(ACTIVATIONS)), "all")
    return layer, (total - shape[0],)


@st.composite
def random_neurons(draw, shape, depth, keep):
    sizes = tuple(draw(st.lists(widths(), min_size=1, max_size=2)))
    degree = draw(st.integers(1, min((shape[0], *sizes))))
    reach = draw(st.sampled_from([None, 1, 2]))
    activation_ = draw(st.sampled_from(ACTIVATIONS))
    layer = RandomNeurons(sizes, degree, reach, activation_, "last", draw(st.integers(0, 99)))
    return layer, sizes[-1:]


MAKERS = {
    "activation": activation,
    "dropout": dropout,
    "weights": weights,
    "residual": residual,
    "chain": chain,
    "dense block": dense_block,
    "concatenate": concatenate,
    "dag": dag,
    "pool": pool,
    "flatten": flatten,
    "neurons": neurons,
    "random neurons": random_neurons,
}
