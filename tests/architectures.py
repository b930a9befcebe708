"""Small networks of every architecture that can be described, by name."""

from __future__ import annotations

import sympy

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
    width,
)

m, n = width("m"), width("n")
TANH = Activation("tanh")
GELU = Activation("gelu")


def conv_net(padding: str, stride: int, axes: int, readout: Readout) -> Network:
    positions = (6,) if axes == 1 else (4, 4)
    kernel = 3 if axes == 1 else (3, 2)
    top = AveragePool() if padding == "circular" else Flatten()
    first = Conv(m, kernel, stride=stride, padding=padding)
    second = Conv(m, 2 if axes == 1 else (1, 2), padding=padding)
    if padding == "valid" and stride == 2:
        second = Conv(m, 1, padding=padding)
    return Network(Input((2, *positions)), first, TANH, second, GELU, top, readout)


NETWORKS: dict[str, Network] = {
    f"conv{axes}d-{padding}-{stride}": conv_net(padding, stride, axes, Readout(axes == 1))
    for axes in (1, 2)
    for padding in ("circular", "same", "valid")
    for stride in (1, 2)
} | {
    "pool": Network(
        Input((1, 4, 6)),
        Conv(m, 3),
        TANH,
        AveragePool((2, 3)),
        Conv(m, (2, 1), padding="same"),
        TANH,
        Flatten(),
        Readout(True),
    ),
    "residual": Network(
        Input(3),
        Dense(m),
        TANH,
        Residual(Dense(m), TANH, scale=sympy.Rational(1, 2)),
        Residual(Dense(n), GELU, Dense(m)),
        Readout(True),
    ),
    "residual-conv": Network(
        Input((2, 5)),
        Conv(m, 3),
        Residual(TANH, Conv(m, 3), scale=sympy.sqrt(2) / 2),
        TANH,
        AveragePool(),
        Readout(),
    ),
    "densenet": Network(
        Input(3),
        Dense(m),
        TANH,
        DenseBlock((Dense(m), TANH), (Dense(n), GELU)),
        Dense(m),
        TANH,
        Readout(True),
    ),
    "dropout": Network(
        Input(3),
        Dense(m),
        TANH,
        Dropout(sympy.Rational(1, 4), seed=3),
        Dense(m),
        TANH,
        Dropout(0.5, seed=4),
        Readout(),
    ),
    "concatenate": Network(
        Input(3),
        Dense(m),
        TANH,
        Concatenate(Dense(n), (Dense(m), TANH), Dropout(mask=None)),
        Readout(True),
    ),
    "dag": Network(
        Input(3),
        DAG(
            Vertex("a", Dense(m), TANH),
            Vertex("b", Dense(m), GELU, inputs="a"),
            Vertex("c", Dense(m), TANH, inputs=("input", "b"), join="concatenate"),
            Vertex("d", Dense(n), TANH, inputs=("a", "b", "c")),
        ),
        Readout(True),
    ),
    "neurons": Network(
        Input(3),
        Neurons(
            [
                [(0, 1), (1, 2), (0, 1, 2), (2,)],
                [(3, 4, 5, 6), (0, 4), (1, 3, 6)],
                [(7, 8, 9), (3, 7), (0, 9, 6), (8, 2)],
            ],
            activation="tanh",
        ),
        Readout(True),
    ),
    "random-neurons": Network(
        Input(4),
        RandomNeurons((m, m, n), in_degree=3, activation="gelu", seed=5),
        Readout(),
    ),
    "random-neurons-all": Network(
        Input(3),
        Dense(m),
        RandomNeurons((m, n), in_degree=(2, m), reach=2, output="all", seed=1),
        Readout(True),
    ),
    "bottleneck": Network(
        Input(3), Dense(m), TANH, Dense(1), TANH, Dense(sympy.sqrt(m)), GELU, Readout(True)
    ),
    "nonlinear-output": Network(
        Input(3), Dense(m), TANH, Dense(m), TANH, Readout(True), Output("sin(t) + t^2")
    ),
    "outputs": Network(
        Input(3), Dense(m), TANH, Dense(n), GELU, Readout(True, outputs=3), Output("softplus")
    ),
    "fixed-outputs": Network(Input(3), Dense(m), TANH, Dense(n), TANH, Readout(outputs=2)),
    "chain": Network(Input(3), Chain(Dense(m), TANH), Dense(n), Readout()),
    "dense": Network(Input(3), Dense(m), TANH, Dense(n), TANH, Readout(True)),
}

SIZES = {"m": 5, "n": 4}


def numeric(name: str, **sizes: int) -> Network:
    """A network of that name with numbers for its widths."""
    net = NETWORKS[name]
    values = SIZES | sizes
    return net.substitute({s: values[s.name] for s in net.symbols})
