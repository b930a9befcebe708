"""Small graphs, inputs and points of parameter space chosen to break a false lemma about nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product

import numpy as np
import sympy

from proofs_check.measuring.graph_environment import GraphEnvironment
from proofs_check.measuring.graph_models import GraphArchitecture, GraphModel, Vector, draw, flatten
from theory.activations import activation
from theory.graph import Graph, InputRule, Node, PointwiseRule, Rule
from theory.graph_terms import Shape, parse
from theory.networks import (
    Activation,
    AveragePool,
    Conv,
    Dense,
    DenseBlock,
    DenseRule,
    Dropout,
    Input,
    Layer,
    Network,
    Neurons,
    Readout,
    Residual,
)
from theory.networks.structure import SumRule

Parameters = tuple[int | str, ...]
Choices = Callable[[str, Shape], Iterable[Parameters]]


def _graph(*layers: Layer) -> Graph:
    return Network(*layers).graph


_NEURONS = (((0, 1), (1,), (0, 1, 2)), ((0, 3), (2, 3, 4, 5)))  # in-degrees from 1 to 4

GRAPHS: tuple[Graph, ...] = (
    Graph((Node(0, InputRule((1,)), ()), Node(1, DenseRule(1, 1, ()), (0,)))),
    _graph(
        Input(3),
        Dense(4),
        Activation("tanh"),
        Dense(2),
        Activation("softplus"),
        Readout(trainable=True),
    ),
    _graph(
        Input(2),
        Dense(3),
        Activation("gelu"),
        Residual(Dense(3), Activation("sin"), scale="1/2"),
        Dropout("1/2", mask=(1, 0, 1)),
        Readout(trainable=False, init="sign", outputs=2),
    ),
    _graph(
        Input((2, 4)),
        Conv(2, 3),
        Activation("tanh"),
        Conv(3, 2, stride=2),
        AveragePool(),
        Readout(trainable=True),
    ),
    _graph(Input(2), DenseBlock((Dense(2), Activation("sin"))), Dense(3), Readout(trainable=True)),
    _graph(Input(3), Neurons(_NEURONS, "square", output="all"), Readout(trainable=True)),
)


def instance(code: str, size: int) -> Graph:
    """A graph with the given code: every value a vector of ``size`` entries, every sum plain."""
    nodes = []
    for index, (kind, parents) in enumerate(
        zip(parse(code).kinds, parse(code).parents, strict=True)
    ):
        rules: dict[str, Rule] = {
            "input": InputRule((size,)),
            "bilinear": DenseRule(size, size, (size,)),
            "pointwise": PointwiseRule(activation("tanh"), (size,)),
            "linear": SumRule((size,), (sympy.Integer(1),) * len(parents)),
        }
        nodes.append(Node(index, rules[kind], parents))
    return Graph(tuple(nodes))


@dataclass(frozen=True, eq=False)
class GraphPlace:
    """A small graph with an input and two points of parameter space.

    Attributes:
        model: the graph with numbers in it.
        env: its environment, with points ``p`` and ``q`` and the input ``u``.
        words: how it was chosen.
    """

    model: GraphModel
    env: GraphEnvironment
    words: str


@cache
def architecture(which: int) -> GraphArchitecture:
    """A graph of ``GRAPHS``, one object for all seeds, so that it compiles once.

    The output is the last entry of the last node.
    """
    graph = GRAPHS[which]
    return GraphArchitecture(graph, GraphArchitecture(graph).sizes[-1] - 1)


@lru_cache(maxsize=256)
def place(which: int, seed: int) -> GraphPlace:
    """A graph with an input and two points, chosen by the seed."""
    arch = architecture(which)
    drawn = draw(arch.graph, seed)
    model = GraphModel(arch, drawn.params, drawn.fixed, seed)
    random = np.random.default_rng((which, seed))
    kind = ("gaussian", "zero", "huge", "tiny")[seed % 4 if seed >= 4 else 0]
    point = ("as drawn", "zero", "saturated", "one direction")[seed // 2 % 4]
    factor = {"zero": 0.0, "huge": 1e3, "tiny": 1e-6}.get(kind, 1.0)
    x = random.standard_normal(arch.sizes[0]) * factor
    centre = model.theta
    here = {
        "zero": np.zeros_like(centre),
        "saturated": 30 * centre,
        "one direction": np.ones_like(centre),
    }.get(point, centre)
    direction = random.standard_normal(len(here))
    reach = float(random.choice([1e-3, 0.3, 2.0]))
    there = here + reach * direction / np.linalg.norm(direction)
    env = GraphEnvironment(
        model,  # type: ignore[arg-type]
        points={"p": unflatten(there, arch), "q": unflatten(here, arch)},  # type: ignore[dict-item]
        inputs={"u": x},
    )
    words = f"graph {which} ({arch.code}), parameters {point}, {kind} input, seed {seed}"
    return GraphPlace(model, env, words)


def unflatten(theta: Vector, arch: GraphArchitecture) -> tuple[Vector, ...]:
    """A vector of parameters as the weights of the nodes."""
    return tuple(np.asarray(w) for w in arch.weights(theta).values())


def places(seeds: Iterable[int]) -> Iterator[GraphPlace]:
    """All graphs at all seeds."""
    for which, seed in product(range(len(GRAPHS)), seeds):
        yield place(which, seed)


def of_kind(kind: str) -> Choices:
    """The code and each node of a kind."""
    return lambda code, shape: [(code, n) for n, k in enumerate(shape.kinds) if k == kind]


def of_slots(code: str, shape: Shape) -> list[Parameters]:
    """The code, each linear node and each of its slots."""
    return [
        (code, n, slot)
        for n, kind in enumerate(shape.kinds)
        if kind == "linear"
        for slot in range(len(shape.parents[n]))
    ]


def of_pairs(code: str, shape: Shape) -> list[Parameters]:
    """The code and each pair of nodes with weights."""
    return [(code, *pair) for pair in product(shape.weighted, repeat=2)]


def below_output(code: str, shape: Shape) -> list[Parameters]:
    """The code and each node but the last."""
    return [(code, n) for n in range(shape.last)]


def of_all(code: str, shape: Shape) -> list[Parameters]:
    """The code and each node."""
    return [(code, n) for n in range(shape.last + 1)]


def alone(code: str, shape: Shape) -> list[Parameters]:
    """The code."""
    return [(code,)]


__all__ = [
    "GRAPHS",
    "GraphPlace",
    "Parameters",
    "alone",
    "architecture",
    "below_output",
    "flatten",
    "of_all",
    "of_kind",
    "of_pairs",
    "of_slots",
    "place",
    "places",
    "unflatten",
]
