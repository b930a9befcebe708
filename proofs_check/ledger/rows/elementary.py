"""A2, A3, A5: what follows from a small Hessian norm, and why it is small."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

import theory
from proofs_check.ledger import nonlinear
from proofs_check.ledger.dense import against, held, spectral
from proofs_check.ledger.experiment import Experiment, Family, Sample, at_most, row
from proofs_check.verification.statements import predicted_order

OUTER = "softplus"
"""phi of the outputs that are not linear: its second derivative does not vanish at the origin, and
both derivatives are at most one."""

HALF = Fraction(1, 2)


@row("LZB20/A2")
def kernel_change() -> Experiment:
    """A2 with the epsilon that A7 proves, on dense networks."""
    theorem = theory.catalog["LZB20/A7+A2"]
    net = theory.reference_network()
    holds = Family(
        "tanh, depth 3, R = 1, epsilon from A7",
        "largest |K(x, z) - K0(x, z)| found in the ball",
        held(theorem),
        predicted_order(theorem),
    )
    outer = nonlinear.kernel_change(net, OUTER)
    fails = holds.without(
        "linear output", "the same networks, output softplus(f)", against(theorem, outer)
    )
    return Experiment("LZB20/A2", (holds,), (fails,))


@row("LZB20/A3")
def linearization() -> Experiment:
    """A3 with the epsilon that A7 proves, on dense networks."""
    theorem = theory.catalog["LZB20/A7+A3"]
    net = theory.reference_network()
    holds = Family(
        "tanh, depth 3, R = 1, epsilon from A7",
        "largest |f - f_lin| found in the ball",
        held(theorem),
        predicted_order(theorem),
    )
    outer = nonlinear.linearization_gap(net, OUTER)
    fails = holds.without(
        "linear output", "the same networks, output softplus(f)", against(theorem, outer)
    )
    return Experiment("LZB20/A3", (holds,), (fails,))


# -- A5 -------------------------------------------------------------------------------------------


def _rank_ones(width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients u with ``|u|_2`` about 1 and the rows j_k of a Gaussian J with norm about 2."""
    random = np.random.default_rng((width, seed))
    coefficients = random.standard_normal(width) / np.sqrt(width)
    return coefficients, random.standard_normal((width, width)) / np.sqrt(width)


def _contraction(width: int, seed: int) -> Sample:
    """``T_k = j_k j_k^T``: the norm of ``sum_k u_k T_k`` against ``|u|_inf ‖T‖_{2,2,1}``.

    ``sum_k |x . j_k| |z . j_k| <= |Jx| |Jz|``, with equality at x = z: so ``‖T‖_{2,2,1}`` is
    ``‖J‖^2``.
    """
    u, J = _rank_ones(width, seed)
    return Sample.of(
        spectral(J.T @ (u[:, None] * J)),
        float(np.max(np.abs(u))) * spectral(J.T @ J),
    )


def _two_norm(width: int, seed: int) -> Sample:
    """What the Euclidean norm of u in place of its maximum would say of the same matrices."""
    u, J = _rank_ones(width, seed)
    return Sample.of(float(np.linalg.norm(u)) * spectral(J.T @ J))


def _parallel(width: int, seed: int) -> Sample:
    """All T_k the same ``t t^T / sqrt(m)``: ``‖T‖_{2,2,2}`` is 1 and ``‖T‖_{2,2,1}`` sqrt(m).

    With the signs of u chosen alike the combination has norm ``|u|_1 / sqrt(m)``, against
    ``|u|_inf ‖T‖_{2,2,2}``.
    """
    u = np.abs(_rank_ones(width, seed)[0])
    return Sample.of(float(np.sum(u) / np.sqrt(width)), float(np.max(u)))


@row("LZB20/A5")
def contraction() -> Experiment:
    """A5 on Gaussian rank-one matrices; without its two norms."""
    source = "|u|_inf is the maximum of m Gaussians of variance 1/m; ‖T‖_{2,2,1} is Theta(1)"
    holds = Family(
        "T_k = j_k j_k^T, J Gaussian with ‖J‖ = Theta(1), u Gaussian with |u|_2 = Theta(1)",
        "‖sum_k u_k T_k‖",
        _contraction,
        at_most(-HALF, source, HALF),
    )
    loose = holds.without(
        "infinity norm", "the same, the bound made with |u|_2 in its place", _two_norm,
        quantity="|u|_2 ‖T‖_{2,2,1}",
    )  # fmt: skip
    broken = holds.without(
        "(2,2,1)-norm", "T_k all equal, ‖T‖_{2,2,2} = 1 in place of ‖T‖_{2,2,1}", _parallel
    )
    return Experiment("LZB20/A5", (holds,), (loose, broken))
