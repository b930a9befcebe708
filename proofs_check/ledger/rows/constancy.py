"""A1: a tangent kernel that is constant everywhere, and a linear model."""

from __future__ import annotations

import numpy as np

import numerics
import theory
from proofs_check import data
from proofs_check.ledger.experiment import Experiment, Family, Sample, row

DIM = 4
RADIUS = 10.0
ROUNDING = 1e-12


@row("LZB20/A1")
def constant_kernel() -> Experiment:
    """A1 for a network that is linear in its weights; on a ball alone it is false."""
    holds = Family(
        "one hidden layer without activation, readout fixed: K is constant on all of R^p",
        f"|f - f_lin| at distance {RADIUS:g}, against 0",
        _linear,
        relation="eq",
    )
    fails = holds.without(
        "all of parameter space",
        "f(w) = |w - p| on the ball of radius |p|/2, where |grad f| = 1 throughout",
        _cone,
    )
    return Experiment("LZB20/A1", (holds,), (fails,))


def _linear(width: int, seed: int) -> Sample:
    net = theory.reference_network(1, activation="identity", inputs=DIM)
    model = numerics.instantiate(net, {"m": width}, seed=seed)
    pair = data.digits(seed + 2, DIM)[seed:]
    far = numerics.perturb(model, RADIUS, seed)
    change = numerics.kernel_change(model, pair, far)
    size = float(np.max(np.abs(change.reference))) + RADIUS
    if change.absolute > ROUNDING * size:
        return Sample.of(np.nan, 0.0)  # not a model that the statement is about
    gap = numerics.linearization_gap(model, pair[0], far)
    return Sample.of(0.0 if gap <= ROUNDING * size else gap, 0.0)


def _cone(width: int, seed: int) -> Sample:
    """Along a direction orthogonal to the gradient, which is p / |p| at the centre w = 0."""
    random = np.random.default_rng((width, seed))
    p = random.standard_normal(width)
    step = random.standard_normal(width)
    step -= (step @ p) / (p @ p) * p
    w = step * (np.linalg.norm(p) / 2 / np.linalg.norm(step))
    gradients = [-(p - v) / np.linalg.norm(p - v) for v in (np.zeros(width), w)]
    if any(abs(g @ g - 1) > ROUNDING for g in gradients):
        return Sample.of(np.nan, 0.0)
    gap = abs(np.linalg.norm(w - p) - np.linalg.norm(p) - gradients[0] @ w)
    return Sample.of(float(gap), 0.0)
