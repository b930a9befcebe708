"""A4, A7: one hidden layer, and fully connected networks of any depth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

import numpy as np

import numerics
import theory
from numerics.activations import host_derivatives
from numerics.models import Model, Params
from proofs_check import data
from proofs_check.ledger import nonlinear
from proofs_check.ledger.dense import against, gradient_norm, held, trial
from proofs_check.ledger.experiment import Experiment, Family, Measure, Profile, Sample, row, theta
from proofs_check.verification.judging import judge
from proofs_check.verification.statements import Sides, predicted_order
from theory.activations import activation
from theory.ledger import apriori
from theory.networks import Activation, Dense, Input, Network, Readout
from theory.networks import width as symbol
from theory.theorem import Theorem

HALF = Fraction(1, 2)


@row("LZB20/A4")
def one_hidden_layer() -> Experiment:
    """A4: the Hessian norm exactly, and the gradient that does not vanish."""
    theorem = theory.catalog["LZB20/A4"]
    net = theory.reference_network(1)
    predicted = predicted_order(theorem)
    holds = Family(
        "tanh, one hidden layer, readout fixed",
        "‖H‖ at the centre",
        held(theorem, radius=None),
        theta(predicted.exponent, predicted.source, predicted.log),
        "eq",
        slack=0.15,  # the maximum of |v_i sigma''(z_i)| grows like (log m)^(1/2) only in the limit
    )
    gradient = Family(
        "the same networks",
        "|grad f| at the centre, Euclidean",
        gradient_norm(net),
        theta(0, "A4: |grad f|^2 = Theta(1)"),
        slack=0.1,
    )
    shared = holds.without(
        "independent parameters", "all neurons share their input weights", _shared_weights(net)
    )
    deeper = holds.without("one hidden layer", "a second hidden layer", _second_layer(net))
    return Experiment("LZB20/A4", (holds, gradient), (shared, deeper))


def _shared_weights(net: Network) -> Measure:
    """``f = sum_i v_i sigma(w . x / sqrt d) / sqrt m``: H is a multiple of ``x x^T``.

    Its norm is ``|sum_i v_i| |sigma''(z)| |x|^2 / (d sqrt m)``, where the formula of A4, which
    believes the neurons apart, has the maximum in place of the sum.
    """

    def measure(width: int, seed: int) -> Sample:
        here = trial(net, width, seed, None)
        x, v = here.x, np.asarray(here.model.readout)
        z = np.asarray(here.model.params["W"][0])[:1] @ x / math.sqrt(x.size)
        bend = abs(float(host_derivatives(net.activations[0], z, 2)[2][0]))
        scale = bend * float(x @ x) / x.size / math.sqrt(width)
        return Sample.of(abs(float(np.sum(v))) * scale, float(np.max(np.abs(v))) * scale)

    return measure


def _second_layer(net: Network) -> Measure:
    """Two hidden layers of the same width, the formula of A4 applied to the last one."""
    m = net.symbols[0]
    first = net.activations[0]
    deep = Network(
        Input(net.widths[0]), Dense(m), Activation(first), Dense(m), Activation(first), Readout()
    )

    def measure(width: int, seed: int) -> Sample:
        here = trial(deep, width, seed, None)
        passes = numerics.trace(here.model, here.x)
        below = np.asarray(passes.alpha[1])
        bend = host_derivatives(first, np.asarray(passes.z[1]), 2)[2]
        top = float(np.max(np.abs(np.asarray(passes.delta[1]) * bend)))
        norm = here.centre_norm
        value = math.nan if norm is None else norm.value
        return Sample.of(value, top * float(below @ below) / width, error=1e-6)

    return measure


# -- A7 -------------------------------------------------------------------------------------------


@row("LZB20/A7")
def fully_connected() -> Experiment:
    """A7 on the ball, at the level of the layer statistics."""
    theorem = theory.catalog["LZB20/A7"]
    net = theory.reference_network()
    holds = Family(
        "tanh, depth 3, R = 1",
        "largest ‖H‖ found in the ball",
        held(theorem),
        predicted_order(theorem),
    )
    outer = holds.without(
        "linear output",
        "the same networks, output f^2",
        against(theorem, nonlinear.hessian_norm(net, "square")),
        quantity="‖H‖ at the centre",
    )
    sharp = holds.without(
        "bounded_beta",
        "sigma = softplus(m^(1/2) t) / m^(1/2), whose beta = m^(1/2) / 4 grows",
        _sharpening,
        quantity="‖H‖ at the centre",
        prediction=predicted_order(theory.catalog["LZB20/A7-centre"]),
    )
    narrow = holds.without(
        "wide layers",
        "the second of three layers has width 2",
        _bottleneck(2),
        quantity="‖H‖ at the centre",
    )
    return Experiment("LZB20/A7", (holds,), (outer, sharp, narrow))


def _sharpening(width: int, seed: int) -> Sample:
    """One hidden layer whose activation tends to ReLU as the width grows."""
    k = math.sqrt(width)
    model = numerics.instantiate(theory.reference_network(1), {"m": width}, seed=seed)
    x = data.digits(seed + 1)[seed]
    z = np.asarray(model.params["W"][0]) @ x / math.sqrt(x.size)
    bend = k * host_derivatives(activation("softplus"), k * z, 2)[2]
    top = float(np.max(np.abs(np.asarray(model.readout) * bend)))
    return Sample.of(top * float(x @ x) / x.size / math.sqrt(width))


def _bottleneck(narrow: int) -> Measure:
    m = symbol("m")
    tanh = Activation("tanh")
    net = Network(
        Input(64), Dense(m), tanh, Dense(narrow), tanh, Dense(m), tanh, Readout(trainable=False)
    )

    def measure(width: int, seed: int) -> Sample:
        norm = trial(net, width, seed, None).centre_norm
        return Sample.of(math.nan if norm is None else norm.value)

    return measure


# -- A7 a priori ----------------------------------------------------------------------------------

APRIORI: Mapping[Profile, tuple[int, ...]] = {
    "quick": (128, 256, 512),
    "full": (128, 256, 512, 1024),
}


@row("LZB20/A7-apriori")
def a_priori() -> Experiment:
    """A7 from ‖x‖ and the widths alone, allowed to fail with probability delta."""
    net = theory.reference_network(2)
    theorem = apriori.bound(net)
    holds = Family(
        f"tanh, depth 2, bound from |x| and m, failing with probability {apriori.DELTA}",
        "‖H‖ at the centre",
        _likely(theorem, net, gaussian=True),
        predicted_order(theorem),
        widths=APRIORI,
        budget=float(apriori.DELTA),
    )
    fails = holds.without(
        "Gaussian weights",
        "rows of W^1 alike, of norm |w|/sqrt(m), and W^2_ij = sign v_i",
        _likely(theorem, net, gaussian=False),
    )
    return Experiment("LZB20/A7-apriori", (holds,), (fails,))


def _likely(theorem: Theorem, net: Network, *, gaussian: bool) -> Measure:
    @lru_cache(maxsize=16)
    def bound(width: int) -> Sides:
        """It depends on the widths and on |x|, which is the same for all digits."""
        return judge(theorem, trial(net, width, 0, None)).bound.widened(1e-9)

    def measure(width: int, seed: int) -> Sample:
        here = trial(net, width, seed, None)
        params = here.model.params if gaussian else _aligned(here.model)
        norm = numerics.hessian_norm(here.model, here.x, params)
        return Sample(Sides(norm.lower, norm.value, norm.upper), bound(width))

    return measure


def _aligned(model: Model) -> Params:
    """Weights that know of each other: the curvatures of all neurons add up instead of cancelling.

    ``delta_i sigma''(z_i^2)`` is ``|v_i| |sigma''| / sqrt m`` for every i, as sigma'' is odd.
    """
    first, second = (np.asarray(w) for w in model.params["W"])
    alike = np.repeat(first[:1], len(first), axis=0) / math.sqrt(len(first))
    signs = np.sign(np.asarray(model.readout))[:, None]
    return {"W": (alike, np.broadcast_to(signs, second.shape).copy())}
