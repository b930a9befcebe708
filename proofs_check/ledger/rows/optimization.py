"""A11, A12: gradient descent on networks whose hypotheses are certified on the whole ball.

For one hidden layer with a readout of signs, ``‖H‖ <= beta |x|^2 / (d sqrt m)`` everywhere (A4), so
``|J - J_0| <= c |theta - theta_0|`` with ``c = sqrt(n) beta |x|^2 / (d sqrt m)``.  Hence on a ball
of radius R around the start ``sqrt(mu) = sqrt(lambda_min(K_0)) - c R`` and ``Gamma =
sqrt(lambda_max(K_0)) + c R`` are a lower and an upper bound on the singular values of J, and A11
asks for ``R sqrt(mu) >= 2 |r_0|``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

import numerics
import theory
from numerics.models import Model
from numerics.training import Training, gradient_descent, smoothness
from proofs_check.ledger.experiment import (
    Experiment,
    Family,
    Measure,
    Profile,
    Sample,
    at_most,
    row,
    theta,
)
from theory.networks import Activation, Dense, Input, Network, Readout
from theory.networks import width as symbol

Array = NDArray[np.float64]

HALF = Fraction(1, 2)
DIM, COUNT, STEPS = 16, 2, 60
RESIDUAL = 0.5  # |r_0|: the targets lie so far from the first outputs
NARROW = 4
CONVERGED = 1e-16  # of the first loss; below it, rounding decides which way the loss goes
WIDTHS: Mapping[Profile, tuple[int, ...]] = {
    "quick": (256, 512, 1024, 2048),
    "full": (256, 512, 1024, 2048, 4096),
}
OUTER = "t + log(1 + exp(t))"  # its slope is between 1 and 2, its curvature at most 1/4
LEAST_SLOPE, MOST_SLOPE, MOST_BEND = 1.0, 2.0, 0.25


@dataclass(frozen=True)
class Certified:
    """What is known of a network on a whole ball before any step is made.

    Attributes:
        radius: R.
        mu: lower bound on the least eigenvalue of K.
        gamma: upper bound on ``|J|``.
        hessian: upper bound on the Hessian norm of each output.
        beta: upper bound on the Hessian norm of the loss; the step size is its inverse.
    """

    radius: float
    mu: float
    gamma: float
    hessian: float
    beta: float


def certificate(
    model: Model, least: float, largest: float, *, outer: bool = False
) -> Certified | None:
    """The smallest ball on which A11's hypotheses hold; None where there is none.

    Args:
        model: one hidden layer, readout of signs, at inputs with ``|x|^2 = d``.
        least: lambda_min of K_0, of the network without phi.
        largest: lambda_max of K_0, likewise.
        outer: whether the output goes through ``phi``.
    """
    epsilon = float(model.net.activations[0].sup(2)) / math.sqrt(model.widths[1])
    c = math.sqrt(COUNT) * epsilon
    need = 2 * RESIDUAL / (LEAST_SLOPE if outer else 1.0)
    inside = least - 4 * c * need  # R (sqrt(least) - c R) = need
    if inside < 0:
        return None
    radius = (math.sqrt(least) - math.sqrt(inside)) / (2 * c)
    root_mu, gamma = math.sqrt(least) - c * radius, math.sqrt(largest) + c * radius
    if outer:
        root_mu, bend = LEAST_SLOPE * root_mu, MOST_BEND * (_slope_of_output(model) + c * radius)
        hessian = MOST_SLOPE * epsilon + bend * (_slope_of_output(model) + c * radius)
        gamma *= MOST_SLOPE
    else:
        hessian = epsilon
    residual = RESIDUAL + gamma * radius
    beta = smoothness(gamma**2, hessian, residual, COUNT)
    return Certified(radius, root_mu**2, gamma, hessian, beta)


def _slope_of_output(model: Model) -> float:
    """``|grad f| <= sup|sigma'| |x| / sqrt d`` for a readout of signs, everywhere."""
    return float(model.net.activations[0].sup(1))


def _inputs(seed: int) -> Array:
    X = np.random.default_rng((seed, 7)).standard_normal((COUNT, DIM))
    return X * math.sqrt(DIM) / np.linalg.norm(X, axis=1, keepdims=True)


def _model(width: int, seed: int) -> Model:
    m = symbol("m")
    net = Network(Input(DIM), Dense(m), Activation("tanh"), Readout(init="sign"))
    return numerics.instantiate(net, {m: width}, seed=seed)


def _targets(first: Array) -> Array:
    return first + RESIDUAL / math.sqrt(COUNT)


@lru_cache(maxsize=512)
def trained(
    width: int, seed: int, *, outer: bool = False, alpha: float | None = None
) -> tuple[Training, Certified | None]:
    """A training run of the certified network, and its certificate.

    Args:
        width: m.
        seed: of weights, inputs and targets.
        outer: whether the output goes through phi.
        alpha: trains ``alpha (f - f(theta_0))``, with the step size divided by ``alpha^2``.
    """
    model, X = _model(width, seed), _inputs(seed)
    eigenvalues = np.linalg.eigvalsh(np.asarray(numerics.tangent_kernel(model, X)))
    known = certificate(model, float(eigenvalues[0]), float(eigenvalues[-1]), outer=outer)
    first = np.asarray(model.apply(None, X))
    if outer:
        first = first + np.logaddexp(0.0, first)
    if alpha is not None:
        first = np.zeros(COUNT)
    step = 1 / (known.beta if known is not None else 4 * float(eigenvalues[-1]))
    run = gradient_descent(
        model,
        X,
        _targets(first),
        steps=STEPS,
        step_size=step if alpha is None else step / alpha**2,
        outer=OUTER if outer else None,
        rescale=alpha,
    )
    return run, known


# -- A11 ------------------------------------------------------------------------------------------


def _worst_step(run: Training) -> float:
    """By which share the loss falls in the worst step; 0 where it does not fall."""
    going = run.losses[:-1] > CONVERGED * run.losses[0]
    return max(0.0, float(np.min(1 - run.losses[1:][going] / run.losses[:-1][going])))


def _rate(*, outer: bool = False) -> Measure:
    def measure(width: int, seed: int) -> Sample:
        run, known = trained(width, seed, outer=outer)
        if known is None:
            return Sample.of(math.nan, 0.0)
        return Sample.of(_worst_step(run), run.step_size * known.mu)

    return measure


def _way(width: int, seed: int) -> Sample:
    """The largest of ``sqrt(mu) |theta_t - theta_0| + 2 |r_t|`` against ``2 |r_0|``."""
    run, known = trained(width, seed)
    if known is None:
        return Sample.of(math.nan, 0.0)
    left = math.sqrt(known.mu) * run.distances + 2 * run.residuals
    return Sample.of(float(np.max(left)), 2 * float(run.residuals[0]))


def _kernel_behind() -> Measure:
    def measure(width: int, seed: int) -> Sample:
        return Sample.of(float(trained(width, seed, outer=True)[0].kernel_changes[-1]))

    return measure


def _staying(width: int, seed: int) -> Sample:
    """The kernel's relative change at the end, against what A2 gives for the way gone.

    ``K - K_0 = D J_0^T + J_0 D^T + D D^T`` with ``|D| <= c |theta - theta_0|``; a Frobenius norm is
    at most sqrt(n) spectral ones.
    """
    run, known = trained(width, seed)
    if known is None:
        return Sample.of(math.nan, 0.0)
    moved = math.sqrt(COUNT) * known.hessian * float(run.distances[-1])
    bound = math.sqrt(COUNT) * (2 * known.gamma * moved + moved**2)
    return Sample.of(float(run.kernel_changes[-1]), bound / float(np.linalg.norm(run.kernels[0])))


@lru_cache(maxsize=256)
def _narrowed(width: int, seed: int) -> Training:
    """The run of a network whose second of three layers has width NARROW."""
    m, tanh = symbol("m"), Activation("tanh")
    layers = (Dense(m), tanh, Dense(NARROW), tanh, Dense(m), tanh)
    net = Network(Input(DIM), *layers, Readout(init="sign"))
    model, X = numerics.instantiate(net, {m: width}, seed=seed), _inputs(seed)
    largest = float(np.linalg.eigvalsh(np.asarray(numerics.tangent_kernel(model, X)))[-1])
    y = _targets(np.asarray(model.apply(None, X)))
    return gradient_descent(model, X, y, steps=STEPS, step_size=1 / (4 * largest))


def _narrowed_rate(width: int, seed: int) -> Sample:
    """The worst step, against eta times the least eigenvalue met on the way."""
    run = _narrowed(width, seed)
    return Sample.of(_worst_step(run), run.step_size * float(np.min(run.least)))


def _narrowed_kernel(width: int, seed: int) -> Sample:
    return Sample.of(float(_narrowed(width, seed).kernel_changes[-1]))


def _dependent(width: int, seed: int) -> Sample:
    """Trained at x and -x, where an odd network has one output: the kernel is singular."""
    model, x = _model(width, seed), _inputs(seed)[0]
    X = np.stack([x, -x])
    first = np.asarray(model.apply(None, X))
    y = _targets(first)  # both up, which f(-x) = -f(x) cannot follow
    _, known = trained(width, seed)
    if known is None:
        return Sample.of(math.nan, 0.0)
    run = gradient_descent(model, X, y, steps=STEPS, step_size=1 / known.beta)
    return Sample.of(_worst_step(run), run.step_size * known.mu)


def _hasty(width: int, seed: int) -> Sample:
    """With three times the largest step that a linear model would bear."""
    model, X = _model(width, seed), _inputs(seed)
    _, known = trained(width, seed)
    if known is None:
        return Sample.of(math.nan, 0.0)
    largest = float(np.linalg.eigvalsh(np.asarray(numerics.tangent_kernel(model, X)))[-1])
    y = _targets(np.asarray(model.apply(None, X)))
    run = gradient_descent(model, X, y, steps=STEPS, step_size=6 / largest)
    return Sample.of(_worst_step(run), min(1.0, run.step_size * known.mu))


@row("LZB20/A11")
def gradient_descent_converges() -> Experiment:
    """A11 along training runs: rate and way, also behind phi, whose kernel moves by Theta(1)."""
    words = f"tanh, one hidden layer, signs, {COUNT} inputs, mu, Gamma, B certified on the ball"
    constant = theta(0, "A11: eta mu is Theta(1)")
    rate = Family(
        words,
        f"share by which the loss falls, worst of {STEPS} steps, against eta mu",
        _rate(),
        constant,
        "ge",
        widths=WIDTHS,
        slack=0.15,  # mu is the kernel's at the start less c R, and c R is a third of it at 256
    )
    way = Family(
        words,
        "largest of sqrt(mu) |theta_t - theta_0| + 2 |r_t|, against 2 |r_0|",
        _way,
        None,
        "le",
        widths=WIDTHS,
    )
    behind = Family(
        f"the same behind phi(t) = {OUTER}, mu times inf|phi'|^2",
        rate.quantity,
        _rate(outer=True),
        constant,
        "ge",
        widths=WIDTHS,
        slack=0.15,
    )
    moves = Family(
        behind.words,
        "|K_T - K_0| / |K_0| of phi(f), Frobenius",
        _kernel_behind(),
        theta(theory.catalog["LZB20/A9"].order.exponent("m"), "A9: ‖H of phi(f)‖ is Theta(1)"),
        widths=WIDTHS,
        slack=0.15,
    )
    narrow = Family(
        f"tanh, layers m, {NARROW}, m, signs, mu least on the way, eta = 1/(4 lambda_max)",
        rate.quantity,
        _narrowed_rate,
        None,
        "ge",
        widths=WIDTHS,
    )
    narrow_moves = Family(
        narrow.words,
        "|K_T - K_0| / |K_0|, Frobenius",
        _narrowed_kernel,
        theta(theory.catalog["LZB20/A10"].order.exponent("m"), "A10: ‖H‖ stays"),
        widths=WIDTHS,
        seeds={"quick": 24, "full": 48},
        slack=0.1,
    )
    singular = rate.without("mu positive", "the same networks at the inputs x and -x", _dependent)
    hasty = rate.without("step size at most 1/beta", "the same with eta = 6/lambda_max", _hasty)
    return Experiment(
        "LZB20/A11", (rate, way, behind, moves, narrow, narrow_moves), (singular, hasty)
    )


# -- A12 ------------------------------------------------------------------------------------------


def _distance(alpha_power: Fraction | None = None) -> Measure:
    """The distance moved, against ``(|r_0| - |r_T|) / Gamma``; times alpha for a multiple."""

    def measure(width: int, seed: int) -> Sample:
        alpha = None if alpha_power is None else float(width) ** float(alpha_power)
        run, known = trained(width, seed, alpha=alpha)
        if known is None:
            return Sample.of(math.nan, 0.0)
        fallen = float(run.residuals[0] - run.residuals[-1])
        return Sample.of(float(run.distances[-1]), fallen / known.gamma)

    return measure


@row("LZB20/A12")
def not_lazy() -> Experiment:
    """A12: the parameters move by Theta(1) and the kernel less and less; a multiple is lazy."""
    words = f"tanh, one hidden layer, signs, {COUNT} inputs, {STEPS} steps, Gamma certified"
    floor, reach = (theory.catalog[f"LZB20/{n}"].order for n in ("A12-floor", "A11-distance"))
    moves = Family(
        words,
        "|theta_T - theta_0|, against (|r_0| - |r_T|) / Gamma",
        _distance(),
        theta(
            floor.exponent("m"), f"A12-floor: {floor} from below, A11-distance: {reach} from above"
        ),
        "ge",
        widths=WIDTHS,
        slack=0.1,
    )
    stays = Family(
        words,
        "|K_T - K_0| / |K_0|, Frobenius",
        _staying,
        at_most(-HALF, "A2 with A4: |K - K_0| is O(R / sqrt m)"),
        widths=WIDTHS,
        seeds={"quick": 24, "full": 24},  # some later pair of inputs is too nearly parallel
    )
    lazy = moves.without(
        "unit scale", "alpha (f - f(theta_0)) with alpha = sqrt m trained", _distance(HALF)
    )
    return Experiment("LZB20/A12", (moves, stays), (lazy,))


__all__ = ["Certified", "certificate", "trained"]
