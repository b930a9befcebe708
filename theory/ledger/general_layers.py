"""A6: networks of general layers ``alpha^l = phi_l(w^l, alpha^{l-1})``.

Source: Liu, Zhu and Belkin 2020, Theorem 3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from theory.derive import dense_layers, general
from theory.derive.graph_bench import GraphError, code_of
from theory.derive.layered import layered_bound
from theory.ledger.graphs import require_graph
from theory.theorem import Theorem
from theory.theorems import (
    LZB20,
    HypothesisError,
    _require_constants,
    reference_network,
    used,
)
from theory.vocabulary import INPUT

if TYPE_CHECKING:
    from theory.networks import Network

DEPTH = 3
REMARKS = (
    "In Q_{2,2,1} each family of products has its own range of layers, and the two first "
    "derivatives that a second derivative by the input meets may be of one layer. With l_1 < l_2 "
    "< l_3 throughout, as printed, the maximum is empty at depth 2, and 0 for alpha^1 = w, "
    "alpha^2 = sigma(alpha^1), whose Hessian is not 0.",
)


def bound(depth: int = DEPTH, *, trainable: bool = True) -> Theorem:
    """A6 for a network of that depth: ``|H| <= C_1 Q_{2,2,1} Q_inf + C_2 Q_L / sqrt(m_L)``.

    Args:
        depth: number L of hidden layers, at least 1.
        trainable: whether the readout is trained; if not, C_2 = 0.

    Raises:
        ValueError: when the depth is not a positive integer.
    """
    if type(depth) is not int or depth < 1:
        msg = f"depth {depth!r}: needs an integer of at least 1, the number of hidden layers"
        raise ValueError(msg)
    d = general.General(depth, "trained" if trainable else "fixed")
    judgement = general.bound(d)
    definitions, claims = used(judgement, d)
    return Theorem(
        "LZB20/A6",
        "Hessian norm of a network of general layers",
        judgement,
        f"{LZB20}, Theorem 3.1",
        "LZB20",
        tuple(definitions),
        tuple(claims),
        quantity="hessian_norm",
        remarks=REMARKS,
    )


def dense(network: Network | None = None) -> Theorem:
    """A6 for a dense network at the centre: each Q from its layer statistics.

    Looser than the direct way (:func:`theory.hessian_bound`), as the largest layer stands for all.

    Args:
        network: the description; by default the reference network of depth 3.

    Raises:
        HypothesisError: when an activation has an infinite constant, naming it.

    Source: Liu, Zhu and Belkin 2020, Section 3.3.
    """
    network = network or reference_network(DEPTH)
    _require_constants(network, (1, 2))
    readout = "trained" if network.readout.trainable else "fixed"
    judgement, d = dense_layers.dense_bound(network.depth, readout)
    definitions, claims = used(judgement, d)
    return Theorem(
        "LZB20/A6-dense",
        "Hessian norm of a fully connected network as one of general layers",
        judgement,
        f"{LZB20}, Section 3.3",
        "LZB20",
        tuple(definitions),
        tuple(claims),
        network,
        None,
        "general layers",
        "hessian_norm",
    )


def layered(network: Network | None = None) -> Theorem:
    """A6 for convolutional and residual networks at the centre: each Q from the nodes' statistics.

    A layer is what lies between two values that everything above passes through: fixed maps, one
    node with weights, an activation, and what a skip adds.  Nothing about the partial derivatives
    is taken on trust: they come from the product rules of the nodes.

    Args:
        network: the description; by default that of row A8.

    Raises:
        HypothesisError: the network is not one layer after the other, or an activation has an
            infinite constant, naming it.

    Source: Liu, Zhu and Belkin 2020, Theorem 3.1 and Section 3 (convolutional networks, ResNets).
    """
    from theory.ledger.graphs import convolutional_network

    network = network or convolutional_network()
    graph = network.graph
    require_graph(graph)
    try:
        judgement, d = layered_bound(code_of(graph), INPUT)
    except GraphError as error:
        raise HypothesisError(str(error)) from error
    definitions, claims = used(judgement, d)
    return Theorem(
        "LZB20/A6-layered",
        "Hessian norm of a convolutional network as one of general layers",
        judgement,
        f"{LZB20}, Theorem 3.1",
        "LZB20",
        tuple(definitions),
        tuple(claims),
        network,
        None,
        "general layers",
        "hessian_norm",
        graph=graph,
    )
