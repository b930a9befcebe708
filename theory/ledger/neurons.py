"""Row B5: the Hessian of every neuron of every layer, for a symbolic layer.

Model: the dense network of theory.md, section 1, of any depth; a neuron of layer n + 1 is one entry
of z^{n+1}, and c is any combination of them.

Method: the assembly recursion (B4) summed down to the input by induction on the layer; a bound J_l
on the Jacobian of alpha^l by a second induction; the sum over layers bounded term by term.

Guarantee: ``|<c, d2 z^{n+1}>|`` is at most a sum over the layers k <= n in which the signal that
neuron sends down to layer k appears with its largest entry, of order sqrt(log m / m).

Source: C. Liu, L. Zhu, M. Belkin, ICLR 2022, arXiv:2203.05104, Section 3.
"""

from __future__ import annotations

from dataclasses import replace

from theory import kernel
from theory.activations import ActivationFunction
from theory.derive import neurons
from theory.derive.workbench import Claim
from theory.graph import BilinearRule, Graph
from theory.kernel import Judgement
from theory.ledger.graphs import graph_bound
from theory.lemmas import INPUT_X, POINT_P
from theory.lemmas.networks import TARGET
from theory.networks import Network
from theory.terms import Arg, Term, make, substitute
from theory.theorem import Theorem
from theory.theorems import LZB22, HypothesisError, _radius, reference_network
from theory.vocabulary import CENTRE, INPUT, POINT

SECTION = f"{LZB22}, Section 3"
DEPTH = 3


def _here(judgement: Judgement) -> Judgement:
    return kernel.instance(judgement, {POINT_P: POINT, INPUT_X: INPUT})


def neuron_bound(network: Network, which: int) -> Theorem:
    """B5 for the neurons of one layer of a described network, at the centre.

    Args:
        network: a dense network.
        which: the layer l of the neurons, from 2 to the depth; in layer 1 pre-activations are
            linear in the weights.

    Returns:
        The bound on ``|<c, d2 z^l>|`` for any covector c; for ``c = e_k`` its ``order`` is that of
        one neuron's Hessian norm.

    Raises:
        HypothesisError: an activation below has an infinite constant, or there is no such layer.
    """
    if type(which) is not int or not 2 <= which <= network.depth:
        msg = (
            f"layer {which!r}: B5 is about the pre-activations of layers 2 to {network.depth} of "
            "this network; those of layer 1 are linear in the weights"
        )
        raise HypothesisError(msg)
    for index, function in enumerate(network.activations[: which - 1], 1):
        _require_finite(function, index)
    place: dict[Term, Arg] = {TARGET: which - 1, POINT_P: CENTRE, INPUT_X: INPUT}
    judgement = kernel.instance(neurons.neuron_bound(), place)
    every = [h for h in judgement.hypotheses if h.head == "forall"]
    judgement = kernel.cut(judgement, *map(_case_by_case, every))
    title = f"the Hessian of every neuron of layer {which}"
    return Theorem(
        "LZB22/B5",
        title,
        judgement,
        SECTION,
        "LZB22",
        (),
        (Claim("B5", title, judgement),),
        network,
        level="layers",
    )


def _require_finite(function: ActivationFunction, index: int) -> None:
    """Refuse an activation whose first or second derivative is unbounded, naming it."""
    from theory.activations import UnboundedDerivativeError

    try:
        for order in (1, 2):
            function.sup(order)
    except UnboundedDerivativeError as error:
        msg = (
            f"B5 does not cover the activation {function.name!r} of layer {index}: its first and "
            f"second derivatives must be bounded; use tanh, softplus, gelu, ... ({error})"
        )
        raise HypothesisError(msg) from error


def _case_by_case(formula: Term) -> Judgement:
    """A fact about all layers of a range of numbers, from the fact about each."""
    name, low, high, inner = formula.args
    cases = [
        kernel.hypothesis(substitute(inner, {make("index", name, 0): i}))
        for i in range(low, high + 1)
    ]
    return kernel.forall_intro(name, low, inner, cases)


def neuron_on_ball(
    network: Network | None = None, which: int = DEPTH, radius: object = "R"
) -> Theorem:
    """B5 for the neurons of one layer on a ball, from the statistics at its centre.

    A pre-activation is the linear output of the network that ends there, so that the bound for
    graphs of layers is one for every neuron, with the signals that this neuron sends down.

    Args:
        network: a plain dense network; by default the reference network of depth 3.
        which: the layer l of the neurons, from 2 to the depth.
        radius: of the ball: a name, a number or an expression; None for the centre.

    Returns:
        ``|d2 (e . z^l)| <= |M|`` at every point of the ball, for a unit vector e: one neuron for
        ``e = e_k``.  Derivatives are by the weights of the layers up to l, which alone matter.

    Raises:
        HypothesisError: the network is no plain one, has no such layer, or an activation below it
            has an infinite constant.
    """
    net = network or reference_network(DEPTH)
    if not net.is_dense:
        msg = f"B5 on a ball is about plain dense networks, and {net!r} is none"
        raise HypothesisError(msg)
    if type(which) is not int or not 2 <= which <= net.depth:
        msg = f"layer {which!r}: needs one from 2 to {net.depth}; z^1 is linear in the weights"
        raise HypothesisError(msg)
    last = [n.index for n in net.graph.nodes if isinstance(n.rule, BilinearRule)][which - 1]
    ending = Graph(net.graph.nodes[: last + 1])
    theorem = graph_bound(ending, _radius(radius), name="LZB22/B5-ball")
    where = "" if theorem.radius is None else " on a ball of parameters"
    return replace(
        theorem,
        title=f"the Hessian of every neuron of layer {which}{where}",
        citation=SECTION,
        remarks=(
            "f is one pre-activation of the last layer spoken of; the parameters are the weights "
            "up to it, on which alone it depends, and which lie in the ball where all do.",
        ),
    )


def neuron_identity() -> Theorem:
    """B4 summed for one neuron: the exact Hessian of ``c . z^{n+1}``, layer by layer."""
    judgement = _here(neurons.neuron_identity())
    return Theorem(
        "LZB22/B5-identity",
        "the exact Hessian of every neuron, layer by layer",
        judgement,
        SECTION,
        "LZB22",
        (),
        (Claim("identity", "the recursion, summed", judgement),),
    )


def every_neuron() -> Theorem:
    """B5: the Hessian norm of ``c . z^{n+1}``, for every layer and every covector."""
    judgement = _here(neurons.neuron_bound())
    claims = (
        Claim("identity", "the recursion, summed", _here(neurons.neuron_identity())),
        Claim("jacobian", "the Jacobian of the activations", _here(neurons.jacobian_bound())),
        Claim("B5", "the Hessian norm of a neuron", judgement),
    )
    return Theorem(
        "LZB22/B5",
        "the Hessian of every neuron of every layer is small",
        judgement,
        SECTION,
        "LZB22",
        (),
        claims,
        remarks=(
            "With c = e_k it is one neuron. The signal's largest entry is O(sqrt(log m) / "
            "sqrt(m)) while its Euclidean norm is O(1), so that the bound is O(sqrt(log m) / "
            "sqrt(m)) for every neuron of every layer.",
        ),
    )
