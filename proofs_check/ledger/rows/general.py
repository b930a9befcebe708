"""A6: general layers, whose constants the numbers Q are."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

import numerics
import theory
from numerics.activations import host_derivatives
from numerics.models import Model, trace
from proofs_check import data
from proofs_check.ledger.experiment import Experiment, Family, Measure, Sample, row
from proofs_check.verification.statements import predicted_order
from theory.evaluation import definitions_of, evaluate
from theory.ledger import general_layers as general
from theory.ledger.general_layers import bound
from theory.networks import Activation, Dense, Input, Network, Readout
from theory.networks import width as symbol
from theory.terms import Term, make, mul, norm
from theory.vocabulary import INPUT, POINT, partial, signal

Array = NDArray[np.float64]

HALF = Fraction(1, 2)
DIM = 16
DEPTH = 2
SMALL = 1e-3
"""Of the first layer's weights where the printed Q_{2,2,1} fails: alpha^1 and its derivatives by
the weights of the second layer are then small, and the Hessian is not."""


@row("LZB20/A6")
def general_layers() -> Experiment:
    """A6 for dense layers; with l_1 < l_2 throughout, as Q_{2,2,1} is printed, it is false."""
    definitions = bound(DEPTH, trainable=False).definitions
    holds = Family(
        f"dense layers as general ones, tanh, depth {DEPTH}, readout fixed",
        "‖H‖ at the centre, against C_1 Q_221 Q_inf",
        _measured(theory.reference_network(DEPTH, inputs=DIM), definitions),
        predicted_order(general.dense(theory.reference_network(DEPTH))),
    )
    m = symbol("m")
    crossed = Network(Input(DIM), Dense(m), Dense(m), Activation("square"), Readout())
    fails = holds.without(
        "l_1 = l_2 in Q_221",
        f"a linear layer with weights times {SMALL}, then z^2; Q_221 with l_1 < l_2 as printed",
        _measured(crossed, tuple(map(_as_printed, definitions)), SMALL),
        prediction=None,
    )
    return Experiment("LZB20/A6", (holds,), (fails,))


def _measured(net: Network, definitions: tuple[Term, ...], scale: float = 1.0) -> Measure:
    """The Hessian norm and the theorem's bound, from the norms of the layers' derivatives."""
    right = bound(DEPTH, trainable=False).statement.args[1]

    def measure(width: int, seed: int) -> Sample:
        model = numerics.instantiate(net, {"m": width}, seed=seed)
        x = data.digits(seed + 1, DIM)[seed]
        first, second = model.params["W"]
        params = {"W": (scale * first, second)}
        values = _norms(model, params, x)
        found = float(evaluate(right, values, definitions_of(definitions)))
        hessian = numerics.hessian_norm(model, x, params)
        return Sample.of(hessian.value, found, error=1e-6)

    return measure


def _norms(model: Model, params: dict[str, Any], x: Array) -> dict[Term, float]:
    """Every norm of A6 for dense layers ``sigma(W alpha / sqrt n)``, exactly.

    With ``T_k`` the component k of a second derivative and ``a = |alpha| / sqrt n``: by the weights
    twice ``sigma''(z_k)`` acts on ``V_k . alpha / sqrt n`` alone, so the (2,2,1)-norm is
    ``max|sigma''| a^2``; by the input twice it is the norm of
    ``sum_k |sigma''(z_k)| W_k W_k^T / n``; by weights and input, ``sum_k |V_k . A_k b|`` with
    ``A_k = sigma'(z_k) I / sqrt n + sigma''(z_k) alpha W_k^T / n`` is largest for V_k along
    ``A_k b``, where it is the root of ``b^T (sum_k A_k^T A_k) b``.
    """
    passes = trace(model, x, params)
    found: dict[Term, float] = {}
    for index, function in enumerate(model.net.activations, 1):
        W, alpha = np.asarray(params["W"][index - 1]), np.asarray(passes.alpha[index - 1])
        _, slope, bend = host_derivatives(function, np.asarray(passes.z[index - 1]), 2)
        n = alpha.size
        a = float(np.linalg.norm(alpha)) / math.sqrt(n)
        mixed = W.T @ (slope * bend)
        products = (
            np.sum(slope**2) / n * np.eye(n)
            + (np.outer(alpha, mixed) + np.outer(mixed, alpha)) / n**1.5
            + a**2 / n * (W.T * bend**2) @ W
        )
        values = {
            ("dw", "2"): float(np.max(np.abs(slope))) * a,
            ("da", "2"): math.sqrt(_top((W.T * slope**2) @ W / n)),
            ("dww", "221"): float(np.max(np.abs(bend))) * a**2,
            ("dwa", "221"): math.sqrt(_top(products)),
            ("daa", "221"): _top((W.T * np.abs(bend)) @ W / n),
        }
        for (name, kind), value in values.items():
            found[norm(partial(name, index, POINT, INPUT), kind)] = value
        back = np.asarray(passes.delta[index - 1])
        found[norm(signal(index, POINT, INPUT), "inf")] = float(np.max(np.abs(back)))
    return found


def _top(matrix: Array) -> float:
    """The largest eigenvalue of a positive semi-definite matrix."""
    return float(np.linalg.eigvalsh(matrix)[-1])


def _as_printed(definition: Term) -> Term:
    """The definition of Q_221 without the product in which one layer's derivative stands twice."""
    twice = mul(
        *[norm(partial("dw", 1, POINT, INPUT))] * 2, norm(partial("daa", 2, POINT, INPUT), "221")
    )
    name, value = definition.args
    if value.head != "max" or twice not in value.args:
        return definition
    return make("eq", name, make("max", *(a for a in value.args if a != twice)))
