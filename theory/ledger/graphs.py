"""A8, C1, C3: the Hessian norm of any network that is a graph of elementary maps.

Statement: ``|H| <= |M|`` at the centre and on a ball, from statistics of the nodes: the norms of
their maps, the sizes of their values, and the back-propagated signals in two norms.

Method: the chain rule node by node gives the exact Hessian; M bounds its blocks, term by term, or
(level ``operators``, at the centre) its curvature and its cross term measured whole.

Derivation: :mod:`theory.derive.graphs` (identity, bound at a point),
:mod:`theory.derive.graph_layers` (the ball) and :mod:`theory.derive.graph_products` (level
``operators``), one derivation for every architecture.

Reference: Liu, Zhu and Belkin 2020, Section 3 (convolutional networks, ResNets); Zhu, Liu and
Belkin 2022, Theorem 3.6 (directed acyclic graphs), Section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import sympy

from theory.derive.graph_bench import GraphDerivation, GraphError, code_of
from theory.derive.graph_layers import at_centre, on_ball
from theory.derive.graph_products import by_operators
from theory.derive.graphs import bound_hessian
from theory.graph import BilinearRule, Graph, PointwiseRule
from theory.kernel import Judgement
from theory.theorem import Theorem
from theory.theorems import LZB20, HypothesisError, used
from theory.vocabulary import CENTRE, INPUT, POINT

if TYPE_CHECKING:
    from theory.networks import Network

ZLB22 = (
    "L. Zhu, C. Liu, M. Belkin, Transition to linearity of general neural networks with directed "
    "acyclic graph architecture, NeurIPS 2022"
)


LEVELS = ("layers", "operators")


@lru_cache(maxsize=64)
def _derive(code: str, ball: bool, level: str) -> tuple[Judgement, GraphDerivation]:
    d = GraphDerivation(code, POINT if ball else CENTRE, INPUT, "_bar" if ball else "")
    if level == "operators":
        return bound_hessian(d, by_operators), d
    (on_ball if ball else at_centre)(d)
    return bound_hessian(d), d


def require_graph(graph: Graph) -> None:
    """Refuse a graph that the bound says nothing about, naming the missing hypothesis.

    Raises:
        HypothesisError: a non-linear output, an activation with an infinite constant, no weights,
            or a node that the output does not depend on.
    """
    last = graph.nodes[-1]
    if isinstance(last.rule, PointwiseRule):
        msg = (
            f"the output is non-linear: the last node, {last.label or last.index}, applies "
            f"{last.rule.function.name!r}, and the Hessian bound needs a linear output. Leave it "
            "out, or see row LZB20/A9 for what it does."
        )
        raise HypothesisError(msg)
    if not graph.weighted:
        msg = "no node of the network has trained weights; give it a layer with weights"
        raise HypothesisError(msg)
    for node in graph.nodes:
        if isinstance(node.rule, PointwiseRule):
            _require_constants(node.index, node.rule)
        if isinstance(node.rule, BilinearRule) and node.rule.contraction in (sympy.oo, sympy.nan):
            msg = f"the constant tau of node {node.index} ({node.label}) is {node.rule.contraction}"
            raise HypothesisError(msg)


def _require_constants(index: int, rule: PointwiseRule) -> None:
    from theory.activations import UnboundedDerivativeError

    names = {1: "lambda = sup|sigma'|", 2: "beta = sup|sigma''|"}
    for order, name in names.items():
        try:
            rule.function.sup(order)
        except UnboundedDerivativeError as error:
            msg = (
                f"no theorem here covers the activation {rule.function.name!r} of node {index}: "
                f"{name} is infinite, and the Hessian bound needs it finite on R. Use an "
                f"activation with bounded first and second derivatives. ({error})"
            )
            raise HypothesisError(msg) from error


def derive(graph: Graph, *, ball: bool, level: str = "layers") -> tuple[Judgement, GraphDerivation]:
    """``|H| <= |M|`` at the centre, or at a point of the ball, and the workbench of its derivation.

    Raises:
        HypothesisError: the bound says nothing about such a graph, and why.
    """
    require_graph(graph)
    try:
        return _derive(code_of(graph), ball, level)
    except GraphError as error:
        raise HypothesisError(str(error)) from error


def graph_bound(
    graph: Graph,
    radius: sympy.Expr | None = None,
    network: Network | None = None,
    name: str = "ZLB22/C1",
    level: str = "layers",
) -> Theorem:
    """The Hessian norm of one output of a graph, bounded from statistics of its nodes.

    Args:
        graph: the graph; its sizes may be symbols.
        radius: None for the centre; a number or a symbol for the ball of that radius.
        network: the description that it comes from.
        name: the row of the ledger.
        level: ``layers``, statistics of single nodes; ``operators``, for the centre alone, norms of
            what stands between the weights of two nodes.

    Returns:
        ``|H| <= |M|`` for the output ``f = e . alpha^N``, e any unit vector: with several outputs
        it holds for each, from that output's own signals.

    Raises:
        HypothesisError: the bound says nothing about such a graph, and why.
        ValueError: another level, or one that is known at the centre alone, on a ball.

    Source: Liu, Zhu and Belkin 2020, Theorem 3.2 and Section 3; Zhu, Liu and Belkin 2022,
        Theorem 3.6.
    """
    if level not in LEVELS:
        msg = f"level {level!r} of a graph is not known; levels: {', '.join(LEVELS)}"
        raise ValueError(msg)
    if level == "operators" and radius is not None:
        msg = (
            f"level 'operators' with radius {radius}: operators are known at the centre alone; "
            "leave the radius out, or use level 'layers' on a ball"
        )
        raise ValueError(msg)
    judgement, d = derive(graph, ball=radius is not None, level=level)
    definitions, claims = used(judgement, d)
    where = "at the centre" if radius is None else "on a ball of parameters"
    citation = f"{LZB20}, Theorem 3.2" if name.startswith("LZB20") else f"{ZLB22}, Theorem 3.6"
    return Theorem(
        name,
        f"Hessian norm of a network that is a graph of layers {where}",
        judgement,
        citation,
        name.partition("/")[0],
        tuple(definitions),
        tuple(claims),
        network,
        radius,
        level,
        "hessian_norm",
        graph=graph,
    )


# -- rows of the ledger ---------------------------------------------------------------------------


def _reference(name: str, title: str, network: Network, radius: str | None) -> Theorem:
    value = None if radius is None else sympy.Symbol(radius, nonnegative=True)
    theorem = graph_bound(network.graph, value, network, name)
    where = "at the centre" if radius is None else "on a ball of parameters"
    return replace(theorem, title=f"{title} {where}")


def convolutional_network() -> Network:
    """The description of row A8: two circular convolutions of m channels, then an average."""
    from theory.networks import Activation, AveragePool, Conv, Input, Network, Readout, width

    m = width("m")
    tanh = Activation("tanh")
    layers = (Conv(m, 3), tanh, Conv(m, 3), tanh, AveragePool())
    return Network(Input((3, 8)), *layers, Readout(trainable=True))


def convolutional() -> Theorem:
    """A8 for a convolutional network, on a ball."""
    title = "Hessian norm of a convolutional network"
    return _reference("LZB20/A8", title, convolutional_network(), "R")


def residual(radius: str | None = "R", name: str = "LZB20/A8-residual") -> Theorem:
    """A8 for a residual network, on a ball."""
    from theory.networks import Activation, Dense, Input, Network, Readout, Residual, width

    m = width("m")
    tanh = Activation("tanh")
    blocks = (Dense(m), tanh, Residual(Dense(m), tanh), Residual(Dense(m), tanh))
    network = Network(Input(16), *blocks, Readout(trainable=True))
    return _reference(name, "Hessian norm of a residual network", network, radius)


def residual_centre() -> Theorem:
    """A8 for a residual network, at the centre."""
    return residual(None, "LZB20/A8-centre")


def neurons() -> Theorem:
    """C1 for a graph of neurons whose in-neighbours are drawn, on a ball."""
    from theory.networks import Input, Network, RandomNeurons, Readout, width

    m = width("m")
    hidden = RandomNeurons((m, m, m), in_degree=(16, m, m))
    network = Network(Input(16), hidden, Readout(trainable=True))
    return _reference("ZLB22/C1", "Hessian norm of a graph of neurons", network, "R")


def densely_connected() -> Theorem:
    """C3: a densely connected block with a dropout mask, on a ball."""
    from theory.networks import (
        Activation,
        Dense,
        DenseBlock,
        Dropout,
        Input,
        Network,
        Readout,
        width,
    )

    m = width("m")
    tanh = Activation("tanh")
    block = DenseBlock((Dense(m), tanh), (Dense(m), tanh))
    mask = Dropout("1/2")
    network = Network(Input(16), Dense(m), tanh, block, mask, Readout(trainable=True))
    title = "Hessian norm of a densely connected network with a dropout mask"
    return _reference("ZLB22/C3", title, network, "R")


def _by_operators(row: Callable[[], Theorem]) -> Theorem:
    """The network of a row, at the centre, by norms of what stands between two nodes' weights."""
    theorem = row()
    if theorem.network is None:
        msg = f"{theorem.name} speaks of no network"
        raise HypothesisError(msg)
    network, name = theorem.network, f"{theorem.name}-operators"
    found = graph_bound(network.graph, None, network, name, "operators")
    return replace(found, title=theorem.title.replace("on a ball of parameters", "at the centre"))


def convolutional_operators() -> Theorem:
    """A8 for a convolutional network, at the centre, level ``operators``."""
    return _by_operators(convolutional)


def neuron_operators() -> Theorem:
    """C1 for a graph of neurons, at the centre, level ``operators``."""
    return _by_operators(neurons)


def densely_connected_operators() -> Theorem:
    """C3 for a densely connected block, at the centre, level ``operators``."""
    return _by_operators(densely_connected)


__all__ = [
    "LEVELS",
    "convolutional",
    "convolutional_network",
    "convolutional_operators",
    "densely_connected",
    "densely_connected_operators",
    "derive",
    "graph_bound",
    "neuron_operators",
    "neurons",
    "require_graph",
    "residual",
    "residual_centre",
]
