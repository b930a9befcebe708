"""The theorems, for a described network and in general; each is derived when it is asked for."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import sympy

from theory import kernel
from theory.derive import corollaries
from theory.derive.curvature import Curvature, CurvatureOnBall, with_curvature
from theory.derive.identities import LAYER, assembly, signal_identity
from theory.derive.layers import at_centre, on_ball, with_slopes
from theory.derive.operators_ball import OperatorsOnBall, with_operators_on_ball
from theory.derive.pointwise import Refinement, bound_hessian
from theory.derive.products import Operators, with_operators
from theory.derive.sharp_ball import on_sharp_ball
from theory.derive.workbench import Claim, Derivation
from theory.kernel import Judgement
from theory.lemmas import INPUT_X, POINT_P, vector_variable
from theory.proofs import linearize
from theory.terms import Term, shift
from theory.theorem import Theorem
from theory.vocabulary import CENTRE, INPUT, OTHER, POINT, RADIUS, layer

if TYPE_CHECKING:
    from theory.graph import Graph
    from theory.networks import Network


class Workbench(Protocol):
    """What the workbenches of all derivations have: abbreviations and lines, in order."""

    definitions: list[Term]
    claims: list[Claim]


LEVELS = ("layers", "operators", "slopes", "norms", "apriori")
AT_CENTRE = ("slopes",)  # known for the centre of the ball alone
LZB20 = "C. Liu, L. Zhu, M. Belkin, On the linearity of large non-linear models, NeurIPS 2020"
LZB22 = (
    "C. Liu, L. Zhu, M. Belkin, Transition to linearity of wide neural networks is an emerging "
    "property of assembling weak models, ICLR 2022"
)


class HypothesisError(ValueError):
    """No theorem covers the description: the message names the missing hypothesis."""


# -- the network's hypotheses ---------------------------------------------------------------------


def _require_constants(network: Network, orders: tuple[int, ...]) -> None:
    """Refuse a network whose activations have no finite constant that a theorem needs."""
    from theory.activations import UnboundedDerivativeError

    names = {
        1: "lambda = sup|sigma'|",
        2: "beta = sup|sigma''|",
        3: "gamma = sup|sigma'''|",
    }
    for index, function in enumerate(network.activations, 1):
        for order in orders:
            try:
                function.sup(order)
            except UnboundedDerivativeError as error:
                instead = "Use level 'layers', which does without it, or" if order == 3 else "Use"
                bounded = "first, second and third" if order == 3 else "first and second"
                msg = (
                    f"no theorem here covers the activation {function.name!r} of layer {index}: "
                    f"{names[order]} is infinite, and the Hessian bound needs it finite on R. "
                    f"{instead} an activation with bounded {bounded} derivatives "
                    f"(tanh, softplus, gelu, ...). ({error})"
                )
                raise HypothesisError(msg) from error


def _readout(network: Network) -> str:
    return "trained" if network.readout.trainable else "fixed"


def _radius(radius: object) -> sympy.Expr | None:
    """A radius as given by a person: None, a name, a number or a SymPy expression."""
    match radius:
        case None:
            return None
        case str() if radius.isidentifier():
            return sympy.Symbol(radius, nonnegative=True)
        case sympy.Expr():
            value = radius
        case int() | float() if not isinstance(radius, bool):
            value = (
                sympy.Rational(*float(radius).as_integer_ratio())
                if (float("-inf") < radius < float("inf"))
                else sympy.nan
            )
        case _:
            value = sympy.nan
    if value.is_number and not (value.is_finite and value >= 0):
        msg = (
            f"radius {radius!r}: needs a name such as 'R', or a finite number that is not negative"
        )
        raise ValueError(msg)
    return value


# -- A7: fully connected networks -----------------------------------------------------------------


@lru_cache(maxsize=64)
def _derive(
    depth: int, readout: str, ball: bool, level: str = "layers"
) -> tuple[Judgement, Derivation]:
    point, bar = (POINT, "_bar") if ball else (CENTRE, "")
    d = Derivation(depth, readout, point, INPUT, bar, not ball and level in ("slopes", "layers"))
    refinement: Refinement | None = None
    match level:
        case "norms":
            (on_ball if ball else at_centre)(d)
        case "slopes":
            with_slopes(d)
        case "operators" if ball:
            with_operators_on_ball(d)
            refinement = OperatorsOnBall(d)
        case "operators":
            with_operators(d)
            refinement = Operators(d)
        case "layers" if ball:
            on_sharp_ball(d)
            refinement = CurvatureOnBall(d)
        case "layers":
            with_curvature(d)
            refinement = Curvature(d)
    return bound_hessian(d, refinement), d


def hessian_bound(
    network: Network, radius: object = None, level: str = "layers", *, delta: object = None
) -> Theorem:
    """A7: the Hessian norm of a dense network, bounded from its layer statistics.

    The bound is derived for this description: the engine walks its layers and emits kernel steps.
    Every other architecture (A8, C1, C3) is walked node by node (:mod:`theory.ledger.graphs`), at
    the levels ``layers`` and ``operators``; with several outputs the bound holds for each.

    Args:
        network: the description.
        radius: None for the centre of the ball; a name, a number or a SymPy expression for the
            ball of that Euclidean radius around it.
        level: what the bound may rest on, measured at the centre:

            ``layers``: norms of single layers. At the centre a_l, each neuron's own slope and
            curvature (r_l, h_l, c_l) and the weights between them (t_l, y_l); on a ball s_l, a_l,
            g_l, q_l, the weights as the signal sees them (e_l, p_l) and their columns (u_l).

            ``operators`` (sharpest): at the centre a_l, h_l and the norms of products over several
            layers, N_{l,k} and C_{k,l}; nothing is lost at a narrow layer. On a ball also how far
            these move, by n, w, b and sup|sigma'''|, or what ``layers`` gives: block by block
            the smaller; at R = 0 it is that of the centre. For a graph, at the centre alone, the
            norms C_{k,k'} and X_{k',k} of what stands between the weights of two nodes.

            ``slopes`` (for the centre alone): a_l and r_l, h_l, c_l.

            ``norms``: s_l, a_l, g_l, q_l, with sup|sigma'| and sup|sigma''| for every neuron.

            ``apriori``: nothing is measured; it holds with probability at least 1 - delta over the
            random weights at the centre; for other architectures at the centre alone, by a matrix
            series (:mod:`theory.ledger.series`).
        delta: for the level ``apriori``: the allowed probability of failure, by default 0.05.

    Returns:
        The theorem ``|H| <= |M|`` with the matrix M of the blocks' bounds; for ``apriori`` see
        :func:`theory.ledger.apriori.bound`.

    Raises:
        HypothesisError: when an activation has an infinite constant, naming it; ``operators`` on a
            ball needs sup|sigma'''| as well.
        ValueError: for an unknown level or a radius that is not one.

    Source: Liu, Zhu and Belkin 2020, Theorem 3.2; constants as in theory.md, section 3.
    """
    if level not in LEVELS:
        msg = f"level {level!r} is not known; levels: {', '.join(LEVELS)}"
        raise ValueError(msg)
    if level == "apriori":
        from theory.ledger import apriori

        return apriori.bound(network, radius, apriori.DELTA if delta is None else delta)
    if delta is not None:
        msg = f"delta {delta!r} with level {level!r}: only level 'apriori' holds with a probability"
        raise ValueError(msg)
    value = _radius(radius)
    if not network.is_dense:
        return _graph_bound(network, value, level)
    _require_constants(network, (1, 2, 3) if level == "operators" and value is not None else (1, 2))
    if level in AT_CENTRE and value is not None:
        msg = (
            f"level {level!r} with radius {radius!r}: {level} are known at the centre alone; "
            "leave the radius out, or use level 'layers' on a ball"
        )
        raise ValueError(msg)
    judgement, d = _derive(network.depth, _readout(network), value is not None, level)
    definitions, claims = used(judgement, d)
    where = "at the centre" if value is None else "on a ball of parameters"
    return Theorem(
        "LZB20/A7",
        f"Hessian norm of a fully connected network {where}",
        judgement,
        f"{LZB20}, Theorem 3.2",
        "LZB20",
        tuple(definitions),
        tuple(claims),
        network,
        value,
        level,
        "hessian_norm",
    )


def _graph_bound(network: Network, radius: sympy.Expr | None, level: str) -> Theorem:
    from theory.ledger import graphs

    if level not in graphs.LEVELS:
        msg = (
            f"level {level!r} is known for plain dense networks alone, and {network!r} is none; "
            "use level 'layers', or 'operators' at the centre"
        )
        raise HypothesisError(msg)
    return graphs.graph_bound(network.graph, radius, network, level=level)


def least_width(
    network: Network, input_norm: float, radius: object = None, delta: object = None
) -> int:
    """The least number of neurons in every hidden layer for level ``apriori``.

    See :func:`theory.ledger.apriori.least_width`, which also says what it raises.
    """
    from theory.ledger import apriori

    return apriori.least_width(
        network, input_norm, radius, apriori.DELTA if delta is None else delta
    )


def used(judgement: Judgement, d: Workbench) -> tuple[list[Term], list[Claim]]:
    """The abbreviations and the lines that the judgement rests on; the walk may have made more."""
    steps = {id(j) for j in linearize(judgement)}
    return (
        [f for f in d.definitions if f in judgement.hypotheses],
        [c for c in d.claims if id(c.judgement) in steps],
    )


def _on_ball(network: Network) -> tuple[Judgement, Workbench]:
    """The bound at a point of the ball, layer by layer or node by node."""
    if network.is_dense:
        _require_constants(network, (1, 2))
        return _derive(network.depth, _readout(network), True)
    from theory.ledger.graphs import derive

    return derive(network.graph, ball=True)


def _row(network: Network, corollary: str) -> tuple[str, str, Graph | None]:
    """Name of a row, the kind of network in words, and the graph of one that is not plain."""
    if network.is_dense:
        return f"LZB20/A7+{corollary}", "fully connected network", None
    return f"LZB20/A8+{corollary}", "network that is a graph of layers", network.graph


def _ball_bound(network: Network, at: Term) -> tuple[Judgement, list[Term], list[Claim]]:
    """A7 on the ball as a statement about the whole ball, at an input."""
    judgement, d = _on_ball(network)
    ball = kernel.ball_intro(judgement, POINT, CENTRE, RADIUS)
    definitions, claims = used(judgement, d)
    if at is not INPUT:
        ball = kernel.instance(ball, {INPUT: at})
        definitions = [
            kernel.instance(kernel.hypothesis(f), {INPUT: at}).conclusion for f in definitions
        ]
    return ball, definitions, claims


def kernel_change_bound(network: Network | None = None, radius: object = "R") -> Theorem:
    """A2: how far the tangent kernel moves on a ball.

    Args:
        network: None for the general statement, in terms of a bound epsilon on the Hessian norm
        over
            the ball; a description to put A7's bound for epsilon.
        radius: the radius of the ball.

    Raises:
        HypothesisError: when A7 does not cover the description.

    Source: Liu, Zhu and Belkin 2020, Proposition 2.3 and Theorem 3.2.
    """
    if network is None:
        balls = [corollaries.hessian_on_ball(at) for at in (INPUT, OTHER)]
        judgement, claims = corollaries.kernel_change(*balls)
        return Theorem(
            "LZB20/A2",
            "a small Hessian norm keeps the tangent kernel almost constant",
            judgement,
            f"{LZB20}, Proposition 2.3",
            "LZB20",
            (),
            tuple(claims),
            radius=_radius(radius),
            quantity="kernel_change",
        )
    name, words, graph = _row(network, "A2")
    left, definitions, before = _ball_bound(network, INPUT)
    right, others, _ = _ball_bound(network, OTHER)
    judgement, claims = corollaries.kernel_change(left, right)
    return Theorem(
        name,
        f"change of the tangent kernel of a {words} on a ball",
        judgement,
        f"{LZB20}, Theorem 3.2 with Proposition 2.3",
        "LZB20",
        tuple(dict.fromkeys([*definitions, *others])),
        (*before, *claims),
        network,
        _radius(radius),
        "layers",
        "kernel_change",
        graph=graph,
    )


def linearization_bound(network: Network | None = None, radius: object = "R") -> Theorem:
    """A3: how far a model is from its linearization on a ball.

    Args:
        network: None for the general statement; a description to put A7's bound for epsilon.
        radius: the radius of the ball.

    Raises:
        HypothesisError: when A7 does not cover the description.

    Source: Liu, Zhu and Belkin 2020, Section 2 (Taylor) and Theorem 3.2.
    """
    if network is None:
        judgement, claims = corollaries.linearization(corollaries.hessian_on_ball(INPUT))
        return Theorem(
            "LZB20/A3",
            "a small Hessian norm keeps a model close to its linearization",
            judgement,
            f"{LZB20}, Section 2.1",
            "LZB20",
            (),
            tuple(claims),
            radius=_radius(radius),
            quantity="linearization_gap",
        )
    name, words, graph = _row(network, "A3")
    ball, definitions, before = _ball_bound(network, INPUT)
    judgement, claims = corollaries.linearization_radius(ball)
    return Theorem(
        name,
        f"distance of a {words} from its linearization on a ball",
        judgement,
        f"{LZB20}, Theorem 3.2 with Section 2.1",
        "LZB20",
        tuple(definitions),
        (*before, *claims),
        network,
        _radius(radius),
        "layers",
        "linearization_gap",
        graph=graph,
    )


# -- A4, A5 ---------------------------------------------------------------------------------------


def one_hidden_layer(network: Network | None = None) -> Theorem:
    """A4: the Hessian norm of one hidden layer with fixed readout, exactly.

    Raises:
        HypothesisError: when the network has another depth or trains its readout.

    Source: Liu, Zhu and Belkin 2020, Section 3.1.
    """
    if network is not None and (network.depth != 1 or network.readout.trainable):
        msg = (
            f"A4 is about one hidden layer with a fixed readout; this network has depth "
            f"{network.depth} and a {_readout(network)} readout. Use theory.hessian_bound."
        )
        raise HypothesisError(msg)
    judgement, claims = corollaries.one_layer_hessian()
    return Theorem(
        "LZB20/A4",
        "the Hessian norm of one hidden layer, exactly",
        judgement,
        f"{LZB20}, Section 3.1",
        "LZB20",
        (),
        tuple(claims),
        network,
        quantity="hessian_norm",
    )


def contraction_bound() -> Theorem:
    """A5: a combination of matrices is bounded by the maximum of its coefficients.

    Source: Liu, Zhu and Belkin 2020, Section 3.
    """
    judgement, claims = corollaries.contraction()
    return Theorem(
        "LZB20/A5",
        "the Hessian sees an infinity-norm where the gradient sees a 2-norm",
        judgement,
        f"{LZB20}, Section 3",
        "LZB20",
        (),
        tuple(claims),
    )


# -- B4: the assembly recursion -------------------------------------------------------------------


def assembly_recursion() -> Theorem:
    """B4: the Hessian of any pre-activation, from Jacobians and Hessians one layer below.

    For a symbolic layer l and any covector c; with c = e_k it is the Hessian of one neuron.

    Source: Liu, Zhu and Belkin 2022, Section 3.
    """
    covector = vector_variable("c", layer(shift(LAYER, 1)))
    judgement = assembly(LAYER, covector, POINT, INPUT)
    claim = Claim("B4", "one step of the recursion", judgement)
    return Theorem(
        "LZB22/B4",
        "every neuron is an assembly of the neurons of the layer below",
        judgement,
        f"{LZB22}, Section 3",
        "LZB22",
        (),
        (claim,),
    )


def summed_recursion() -> Theorem:
    """B4 from the top to the input: the exact Hessian identity, for a symbolic depth L.

    At l = L it is the Hessian of the output, when the readout is fixed.

    Source: Liu, Zhu and Belkin 2022, Section 3; by induction on the layer.
    """
    judgement = kernel.instance(signal_identity(), {POINT_P: POINT, INPUT_X: INPUT})
    claim = Claim("signal", "the recursion, summed", judgement)
    return Theorem(
        "LZB22/B4-summed",
        "the exact Hessian of a network of any depth, layer by layer",
        judgement,
        f"{LZB22}, Section 3",
        "LZB22",
        (),
        (claim,),
    )


# -- the reference network -------------------------------------------------------------------------


def reference_network(
    depth: int = 3,
    *,
    activation: str = "tanh",
    trainable: bool = False,
    name: str = "m",
    inputs: int = 64,
) -> Network:
    """The network that a catalogue entry is shown for: equal widths m, linear readout.

    Args:
        depth: number of hidden layers.
        activation: the activation of every layer.
        trainable: whether the readout is trained.
        name: the name of the width symbol.
        inputs: the input dimension d.
    """
    from theory import networks

    m = networks.width(name)
    hidden = [
        part for _ in range(depth) for part in (networks.Dense(m), networks.Activation(activation))
    ]
    return networks.Network(networks.Input(inputs), *hidden, networks.Readout(trainable=trainable))


def reference_one_hidden_layer() -> Theorem:
    """A4 for the reference network."""
    return one_hidden_layer(reference_network(1))


def reference_ball() -> Theorem:
    """A7 on the ball for the reference network."""
    return hessian_bound(reference_network(), radius="R")


def reference_centre() -> Theorem:
    """A7 at the centre for the reference network."""
    return hessian_bound(reference_network())


def reference_slopes() -> Theorem:
    """A7 at the centre, slopes kept, for the reference network."""
    return hessian_bound(reference_network(), level="slopes")


def reference_operators() -> Theorem:
    """A7 at the centre, products over several layers measured whole, for the reference network."""
    return hessian_bound(reference_network(), level="operators")


def reference_operators_ball() -> Theorem:
    """A7 on the ball, from products measured whole and how far they move."""
    return hessian_bound(reference_network(), radius="R", level="operators")


def reference_norms() -> Theorem:
    """A7 at the centre by s, a, g, q alone, for the reference network."""
    return hessian_bound(reference_network(), level="norms")


def reference_norms_ball() -> Theorem:
    """A7 on the ball by s, a, g, q alone, for the reference network."""
    return hessian_bound(reference_network(), radius="R", level="norms")


def reference_kernel_change() -> Theorem:
    """A7 and A2 for the reference network."""
    return kernel_change_bound(reference_network())


def reference_linearization() -> Theorem:
    """A7 and A3 for the reference network."""
    return linearization_bound(reference_network())
