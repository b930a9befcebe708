"""A8, C1, C3 a priori: the Hessian norm of any graph from |x|, its sizes and delta alone.

Statement: at a random centre, with probability at least 1 - delta, ``|H| <= tau_N (T sqrt(2
ln(2 dim/p)) + 2 J)`` with T and J from recursions over the nodes.

Method: given all weights but those of the last node, H is a Gaussian (or Rademacher) matrix series
in the Hessians of the neurons that it sees.  No width is too small; at the centre alone.

Derivation: :mod:`theory.derive.series`.

Reference: Zhu, Liu and Belkin 2022, Section 3.1 and Theorem 3.6; Tropp 2015, Theorem 4.1.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from theory.derive.graph_bench import GraphError, code_of
from theory.derive.series import SeriesDerivation, series_bound
from theory.derive.workbench import Claim
from theory.graph import BilinearRule, Graph, LinearRule, PointwiseRule
from theory.graph_constants import CONSTANTS, drawn_laws, is_full
from theory.graph_terms import contraction_constant, link_constant
from theory.kernel import Judgement
from theory.ledger.apriori import DELTA, probability, require_scale
from theory.ledger.graphs import ZLB22, require_graph
from theory.terms import PARAMS, Term, make
from theory.theorem import Theorem
from theory.theorems import LZB20, HypothesisError, used
from theory.vocabulary import (
    CENTRE,
    FAILURE,
    INPUT,
    ceiling,
    curvature,
    input_scale,
    lipschitz,
    origin,
    symbol,
    width,
)

if TYPE_CHECKING:
    from theory.activations import ActivationFunction
    from theory.networks import Network

ROUNDED = 1 + 1e-9  # constants that are rounded are rounded up
REMARKS = (
    "Nothing is measured: the bound is a number once |x|, the sizes and delta are given, and it "
    "holds for all widths. It is about the centre: at another point the last weights are not "
    "independent of the rest.",
)


def series_theorem(
    network: Network, delta: object = DELTA, name: str = "ZLB22/C1-apriori"
) -> Theorem:
    """The Hessian norm of one output of a graph at a random centre, from |x| and its sizes.

    Args:
        network: the description; its last layer has weights, trained or not.
        delta: the probability of failure that is allowed, in (0, 1).
        name: the row of the ledger.

    Returns:
        ``likely(delta, |H| <= ...)``, for the output ``f = e . alpha^N``, e any fixed unit vector.

    Raises:
        HypothesisError: the bound says nothing about such a graph, and why.
        ValueError: delta is not strictly between 0 and 1.

    Source: Zhu, Liu and Belkin 2022, Section 3.1; Tropp 2015, Theorem 4.1.1.
    """
    graph, failure = network.graph, probability(delta)
    require_graph(graph)
    laws = drawn_laws(graph)
    full = frozenset(
        n.index for n in graph.nodes if isinstance(n.rule, BilinearRule) and is_full(n.rule)
    )
    flat = frozenset(
        n.index
        for n in graph.nodes
        if isinstance(n.rule, PointwiseRule) and _supremum(n.rule.function) is not None
    )
    try:
        judgement, d = _derive(code_of(graph), tuple(sorted(laws.items())), flat, full)
    except GraphError as error:
        raise HypothesisError(str(error)) from error
    definitions, claims = used(judgement, d)
    claims.append(Claim("union", "the bound, with its probability", judgement))
    source = f"{LZB20}, Theorem 3.2" if name.startswith("LZB20") else f"{ZLB22}, Theorem 3.6"
    return Theorem(
        name,
        "Hessian norm of a network that is a graph of layers at a random centre, a priori",
        judgement,
        source,
        name.partition("/")[0],
        tuple(definitions),
        tuple(claims),
        network,
        None,
        "apriori",
        "hessian_norm",
        remarks=REMARKS,
        events=tuple(d.events),
        failure=failure,
        graph=graph,
    )


@lru_cache(maxsize=64)
def _derive(
    code: str, laws: tuple[tuple[int, str], ...], flat: frozenset[int], full: frozenset[int]
) -> tuple[Judgement, SeriesDerivation]:
    d = SeriesDerivation(code, CENTRE, INPUT, laws=dict(laws), bounded=flat, full=full)
    return series_bound(d), d


def _supremum(function: ActivationFunction) -> float | None:
    """Sup |sigma|, None where it has none that is certified."""
    from theory.activations import ActivationError

    try:
        return float(function.sup(0))
    except ActivationError:
        return None


# -- numbers --------------------------------------------------------------------------------------


def constants(graph: Graph, delta: float, scale: float) -> dict[Term, float]:
    """Everything that the bound rests on, as numbers; nothing of it is measured.

    Args:
        graph: the graph, all sizes numbers.
        delta: the allowed probability of failure.
        scale: rho, the norm of the input over the square root of its dimension.

    Raises:
        ValueError: the scale is no positive number.
    """
    require_scale(scale)
    known = {FAILURE: float(delta), input_scale(INPUT): float(scale)}
    total = 0
    for node in graph.nodes:
        known[width(node.index)] = float(graph.sizes[node.index])
        rule = node.rule
        if isinstance(rule, PointwiseRule):
            known |= _of_activation(node.index, rule.function)
        elif isinstance(rule, LinearRule):
            links = enumerate(rule.norms)
            known |= {link_constant(node.index, j): float(b) * ROUNDED for j, b in links}
        elif isinstance(rule, BilinearRule):
            known |= _of_weights(node.index, rule)
            total += _count(rule) if rule.trainable else 0
    known[make("dim", PARAMS)] = float(total)
    return known


def _of_activation(node: int, function: ActivationFunction) -> dict[Term, float]:
    known = {
        lipschitz(node): float(function.sup(1)),
        curvature(node): float(function.sup(2)),
        origin(node): abs(float(function.at_zero)) * ROUNDED,
    }
    most = _supremum(function)
    return known if most is None else {**known, ceiling(node): most}


def _of_weights(node: int, rule: BilinearRule) -> dict[Term, float]:
    known = {contraction_constant(node): float(rule.contraction) * ROUNDED}
    for name, function in CONSTANTS.items():
        if is_full(rule) or name not in ("gain", "typical"):
            known[symbol(name, node)] = float(function(rule)) * ROUNDED
    return known


def _count(rule: BilinearRule) -> int:
    rows, cols = (int(s) for s in rule.weight_shape)
    return rows * cols


def number(
    theorem: Theorem, input_norm: float, widths: int | Mapping[Any, int] | None = None
) -> float:
    """The bound as a number, from |x| and the widths.

    Args:
        theorem: the theorem of :func:`series_theorem`.
        input_norm: |x|, the Euclidean norm of the input.
        widths: numbers for the width symbols: one for all, or a mapping; None where there are none.

    Raises:
        ValueError: widths are missing, or |x| is no positive number.
    """
    network = theorem.network
    if network is None or theorem.failure is None:
        msg = f"{theorem.name} is no a-priori theorem of a network"
        raise ValueError(msg)
    if network.symbols:
        if widths is None:
            msg = f"give widths= for {', '.join(s.name for s in network.symbols)}"
            raise ValueError(msg)
        mapping = widths if isinstance(widths, Mapping) else dict.fromkeys(network.symbols, widths)
        network = network.substitute(dict(mapping))
    graph = network.graph
    scale = float(input_norm) / float(graph.sizes[0]) ** 0.5
    return float(theorem.evaluate(constants(graph, float(theorem.failure), scale)))


# -- rows of the ledger ---------------------------------------------------------------------------


def convolutional() -> Theorem:
    """A8 a priori, for the reference convolutional network."""
    from theory.ledger.graphs import convolutional as reference

    return _reference(reference(), "LZB20/A8-apriori")


def neurons() -> Theorem:
    """C1 a priori, for the reference graph of neurons."""
    from theory.ledger.graphs import neurons as reference

    return _reference(reference(), "ZLB22/C1-apriori")


def _reference(theorem: Theorem, name: str) -> Theorem:
    if theorem.network is None:
        msg = f"{theorem.name} has no network"
        raise ValueError(msg)
    return series_theorem(theorem.network, name=name)


__all__ = ["DELTA", "constants", "number", "series_theorem"]
