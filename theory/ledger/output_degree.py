"""C2: two traps in the printed hypotheses of the theorem on directed acyclic graphs.

Statement: with a trained readout, ``|H| >= |sigma'(z^L)|_inf |alpha^{L-1}| / sqrt(m_{L-1} m_L)``.

Meaning: the output is a neuron whose in-degree, m_L, counts.  The width printed there is the least
in-degree of the layers 2, ..., L-1, the output left out: d -> m -> p -> 1 with p = 1 has the width
m, and its Hessian norm stays above ``|sigma'(z^2)| |alpha^1| / sqrt(m) = Theta(1)``.  The other
trap, that bounded first derivatives are used and not implied by Lipschitz ones (sigma(z) = z^2), is
met by :func:`theory.hessian_bound`, which refuses such an activation and names what is missing.

Derivation: :mod:`theory.derive.output_degree`.

Reference: Zhu, Liu and Belkin 2022, Theorem 3.6 and the definition of the width before it.
"""

from __future__ import annotations

from theory.derive.output_degree import lower_bound
from theory.ledger.graphs import ZLB22
from theory.networks import Network
from theory.theorem import Theorem
from theory.theorems import HypothesisError, reference_network

REMARK = (
    "In a network d -> m -> p -> 1 with p = 1 every layer but the output's has an in-degree of at "
    "least min(d, m), and the left side is |sigma'(z^2)| |alpha^1| / sqrt(m), of order 1: the "
    "Hessian norm does not vanish as m grows. With p = m it is of order m^(-1/2), as it should be."
)


def output_degree(network: Network | None = None) -> Theorem:
    """The Hessian norm of a dense network with a trained readout, from below.

    Args:
        network: a plain dense network with a trained readout; None for two hidden layers.

    Raises:
        HypothesisError: the readout is fixed.
    """
    net = reference_network(2, trainable=True) if network is None else network
    if not net.readout.trainable:
        msg = (
            "the output's in-degree bounds the Hessian norm from below through the derivative by "
            "its weights, and this readout is fixed; use Readout(trainable=True)"
        )
        raise HypothesisError(msg)
    judgement, claims = lower_bound(net.depth)
    return Theorem(
        "ZLB22/C2",
        "the in-degree of the output bounds the Hessian norm from below",
        judgement,
        f"{ZLB22}, Theorem 3.6",
        "ZLB22",
        claims=tuple(claims),
        remarks=(REMARK,),
    )


__all__ = ["output_degree"]
