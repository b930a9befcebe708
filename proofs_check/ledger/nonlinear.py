"""Dense networks whose output goes through a function: the hypothesis *linear output* dropped.

Everything follows from the linear network by the chain rule: ``phi(f)`` has the Hessian
``phi'(f) H + phi''(f) grad f grad f^T`` and the kernel ``phi'(f(x)) phi'(f(z)) K(x, z)``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import numerics
from numerics.activations import host_derivatives
from numerics.ball import towards
from numerics.lowrank import coefficients, dimension, embed, multiply
from numerics.models import Model, Params, trace
from proofs_check.ledger.dense import RADIUS, spectral, trial
from proofs_check.ledger.experiment import Measure, Sample
from theory.activations import ActivationFunction, activation
from theory.networks import Network

Array = NDArray[np.float64]


def outer_values(outer: ActivationFunction, f: float) -> tuple[float, float, float]:
    """``phi(f), phi'(f), phi''(f)``."""
    value, slope, bend = host_derivatives(outer, np.array([f]), 2)
    return float(value[0]), float(slope[0]), float(bend[0])


def gradient_coordinates(model: Model, x: Array, params: Params | None = None) -> Array:
    """The gradient of f in the coordinates of `numerics.lowrank`, shape ``(n,)``.

    ``U^l = c_l b^l``, ``p = 0``, ``u = alpha^L / sqrt(m_L)``.
    """
    passes = trace(model, x, params)
    coefs = coefficients(passes, model.net.activations)
    found = np.zeros(dimension(model.widths, model.trained_readout))
    start = np.concatenate([c * b for c, b in zip(coefs.scale, coefs.back, strict=True)])
    found[: start.size] = start
    if model.trained_readout:
        top = np.asarray(passes.alpha[-1]) / np.sqrt(model.widths[-1])
        found[-top.size :] = top
    return found


def composed_hessian(
    model: Model, x: Array, outer: ActivationFunction, params: Params | None = None
) -> Array:
    """The Hessian of ``phi(f)`` in the coordinates of `numerics.lowrank`, shape ``(n, n)``.

    The gradient lies in their space, so its non-zero eigenvalues are those of the Hessian.
    """
    params = model.params if params is None else params
    passes = trace(model, x, params)
    coefs = coefficients(passes, model.net.activations)
    size = dimension(model.widths, model.trained_readout)
    weights = tuple(np.asarray(w) for w in params["W"])
    inner = np.asarray(multiply(weights, coefs, np.eye(size), model.trained_readout))
    _, slope, bend = outer_values(outer, float(passes.f))
    gradient = gradient_coordinates(model, x, params)
    return np.asarray(slope * inner + bend * np.outer(gradient, gradient))


def uphill(model: Model, x: Array, radius: float) -> Params:
    """The point of the ball in the direction of the gradient, along which f moves fastest."""
    coefs = coefficients(trace(model, x), model.net.activations)
    step = embed(coefs, gradient_coordinates(model, x), model.trained_readout)
    return towards(model.params, step, radius)


# -- measurements of families ---------------------------------------------------------------------


def hessian_norm(net: Network, name: str) -> Measure:
    """The spectral norm of the Hessian of ``phi(f)`` at the centre."""
    outer = activation(name)

    def measure(width: int, seed: int) -> Sample:
        here = trial(net, width, seed)
        return Sample.of(spectral(composed_hessian(here.model, here.x, outer)))

    return measure


def kernel_change(net: Network, name: str) -> Measure:
    """``|K(x, z) - K0(x, z)|`` of ``phi(f)`` at the point uphill."""
    outer = activation(name)

    def measure(width: int, seed: int) -> Sample:
        here = trial(net, width, seed)
        pair = np.stack([here.x, here.z])
        values = []
        for params in (here.model.params, uphill(here.model, here.x, RADIUS)):
            inner = float(numerics.tangent_kernel(here.model, pair, params)[0, 1])
            outputs = [float(trace(here.model, x, params).f) for x in pair]
            slopes = [outer_values(outer, f)[1] for f in outputs]
            values.append(slopes[0] * slopes[1] * inner)
        return Sample.of(abs(values[1] - values[0]))

    return measure


def linearization_gap(net: Network, name: str) -> Measure:
    """``|phi(f) - its linearization|`` at the point uphill."""
    outer = activation(name)

    def measure(width: int, seed: int) -> Sample:
        here = trial(net, width, seed)
        size = float(np.linalg.norm(gradient_coordinates(here.model, here.x)))
        before = float(trace(here.model, here.x).f)
        after = float(trace(here.model, here.x, uphill(here.model, here.x, RADIUS)).f)
        start, slope, _ = outer_values(outer, before)
        end, _, _ = outer_values(outer, after)
        return Sample.of(abs(end - start - slope * size * RADIUS))

    return measure
