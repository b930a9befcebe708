"""A10 and B6: a narrow layer, where it keeps the Hessian from vanishing and what it costs.

Sources: Liu, Zhu and Belkin 2020, Section 4 (a bottleneck breaks the transition to linearity);
Liu, Zhu and Belkin 2022, Section 4 (what counts is the narrowest hidden layer).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from theory.derive.bottleneck import lower_bound
from theory.derive.workbench import Derivation
from theory.theorem import Theorem
from theory.theorems import LZB20, LZB22, HypothesisError, hessian_bound, used
from theory.vocabulary import CENTRE, INPUT

NARROW = (
    "With the bottleneck of constant width the bound is of order 1: the Hessian norm does not "
    "vanish, however wide the other layers are. With all widths growing it vanishes, as it must."
)
NARROWEST = (
    "No norm of single factors enters beside those of activations: at a narrow layer the norms of "
    "the weights around it are large, and that of their product with the curvature is not."
)


def bottleneck_bound(network: Any, layer: int) -> Theorem:
    """A10: the Hessian norm of a dense network from below, by what one layer adds.

    Args:
        network: the description of a dense network with a linear output.
        layer: the layer b, 1..L; at the bottleneck the bound is of order 1.

    Returns:
        ``a_{b-1}^2 |d^2 f/(dz^b)^2| <= |H|``. For the unit direction e_i alpha'/|alpha| of layer b
        it is V'HV = a_{b-1}^2 d^2 f/(dz_i^b)^2; the theorem takes the best direction of that form.

    Raises:
        HypothesisError: the network is not dense.
        ValueError: there is no such layer.

    Source: Liu, Zhu and Belkin 2020, Section 4.
    """
    if not network.is_dense:
        msg = "A10 is about dense layers with a linear output; this network has other layers"
        raise HypothesisError(msg)
    if type(layer) is not int or not 1 <= layer <= network.depth:
        msg = f"layer {layer!r}: give one of the layers 1 to {network.depth}"
        raise ValueError(msg)
    d = Derivation(
        network.depth, "trained" if network.readout.trainable else "fixed", CENTRE, INPUT
    )
    judgement = lower_bound(layer, d)
    definitions, claims = used(judgement, d)
    return Theorem(
        "LZB20/A10",
        f"the Hessian norm from below, by layer {layer}",
        judgement,
        f"{LZB20}, Section 4",
        "LZB20",
        tuple(definitions),
        tuple(claims),
        network,
        level="operators",
        remarks=(NARROW,),
        below=True,
    )


def narrowest_bound(network: Any) -> Theorem:
    """B6: the Hessian norm of a dense network whose layers may be of any widths.

    Source: Liu, Zhu and Belkin 2022, Section 4.
    """
    return replace(
        hessian_bound(network, level="operators"),
        name="LZB22/B6",
        title="the narrowest hidden layer rules the Hessian norm",
        citation=f"{LZB22}, Section 4",
        cite="LZB22",
        remarks=(NARROWEST,),
    )


def reference_bottleneck(narrow: Any = 1, depth: int = 3, *, inputs: int = 64) -> Any:
    """A network of width m but for its second layer.

    Args:
        narrow: the width of the second layer: a number, a symbol, or a power of one.
        depth: the number of hidden layers, at least 2.
        inputs: the input dimension d.
    """
    from theory import networks

    m = networks.width("m")
    parts: list[Any] = [networks.Input(inputs)]
    for index in range(1, depth + 1):
        parts += [networks.Dense(narrow if index == 2 else m), networks.Activation("tanh")]
    return networks.Network(*parts, networks.Readout(trainable=False))


def lower() -> Theorem:
    """A10 for a bottleneck of width 1."""
    return bottleneck_bound(reference_bottleneck(), 2)


def upper() -> Theorem:
    """The Hessian norm of the same network from above."""
    return replace(
        hessian_bound(reference_bottleneck(), level="operators"),
        name="LZB20/A10-upper",
        title="the Hessian norm of a network with a bottleneck, from above",
        citation=f"{LZB20}, Section 4",
    )


def narrowest() -> Theorem:
    """B6 for three layers of three widths."""
    from theory import networks

    parts: list[Any] = [networks.Input(64)]
    for index in (1, 2, 3):
        parts += [networks.Dense(networks.width(f"m_{index}")), networks.Activation("tanh")]
    return narrowest_bound(networks.Network(*parts, networks.Readout(trainable=False)))
