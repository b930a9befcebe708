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

from theory import kernel
from theory.activations import ActivationFunction
from theory.derive import neurons
from theory.derive.workbench import Claim
from theory.kernel import Judgement
from theory.lemmas import INPUT_X, POINT_P
from theory.lemmas.networks import TARGET
from theory.networks import Network
from theory.terms import Arg, Term, make, substitute
from theory.theorem import Theorem
from theory.theorems import LZB22, HypothesisError
from theory.vocabulary import CENTRE, INPUT, POINT

SECTION = f"{LZB22}, Section 3"


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
