"""Gradient descent on small networks, with numbers for which the hypotheses of A11 hold.

The path is the one that the theorem speaks of, ``theta - eta J'(F - y)``, evaluated from those
terms; Gamma, B and mu are the largest and least values at the path's points and between them, so
that the statements on the ball hold as far as the path can see.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from numerics.models import Model, Params
from proofs_check.measuring.derivatives import architecture, flatten
from proofs_check.measuring.environment import Environment
from proofs_check.measuring.evaluate import evaluate, measure
from proofs_check.measuring.operators import Operator
from theory import activation
from theory.terms import Term, make, minus, norm
from theory.vocabulary import (
    kernel_matrix,
    loss_bend,
    loss_gradient,
    outputs_jacobian,
    parameters,
    residual,
    symbol,
)

Array = NDArray[np.float64]
ATTEMPTS = 20
INTERIOR = 3  # points between two iterates at which the bounds are measured


class NoDescentError(ValueError):
    """No step size was found, or the kernel is singular; the message says which."""


def params_of(theta: Array, model: Model) -> Params:
    """The parameters of a vector, shape (p,)."""
    arch = architecture(model)
    pairs = list(pairwise(arch.widths))
    blocks = [theta[slice(*arch.block(i))] for i in range(1, arch.depth + 2)]
    params: Params = {
        "W": tuple(
            b.reshape(above, below) for b, (below, above) in zip(blocks, pairs, strict=False)
        )
    }
    if arch.trained:
        params["v"] = blocks[-1]
    return params


def stepped(model: Model, here: Params, x: Array, y: Array, eta: float) -> Params:
    """One step of gradient descent on the square loss, from the terms of the theorem."""
    point = make("point", "p")
    moved = minus(parameters(point), make("scale", symbol("step_size"), loss_gradient(point)))
    env = Environment(model, {"p": here}, {"X": x}, {"step_size": eta}, labels={"X": y})
    found = evaluate(moved, env)
    if not isinstance(found, Operator):
        msg = f"the parameters after a step are a vector, not {found!r}"
        raise TypeError(msg)
    return params_of(found.form()[:, 0], model)


def path(model: Model, x: Array, y: Array, eta: float, steps: int) -> list[Params]:
    """The iterates theta_0, ..., theta_T of gradient descent."""
    found = [model.params]
    for _ in range(steps):
        found.append(stepped(model, found[-1], x, y, eta))
    return found


def between(iterates: Sequence[Params], model: Model) -> list[Params]:
    """Points inside the segments from each iterate to the next."""
    found = []
    for here, there in pairwise(map(flatten, iterates)):
        for t in np.linspace(0.0, 1.0, INTERIOR + 2)[1:-1]:
            found.append(params_of((1 - t) * here + t * there, model))
    return found


def _everywhere(term: Term, env: Environment) -> list[float]:
    """A real term about the point p, at all points of an environment."""
    from theory.terms import substitute

    p = make("point", "p")
    return [measure(substitute(term, {p: make("point", n)}), env).value for n in env.named]


def descent(
    model: Model,
    x: Array,
    y: Array,
    steps: int = 3,
    *,
    eta: float | None = None,
    definitions: Sequence[Term] = (),
    seed: int = 0,
) -> Environment:
    """An environment in which the hypotheses of A11 hold along the path.

    Args:
        model: the network; small, as Hessians are formed.
        x: the inputs of the training set, shape (n, m_0).
        y: the labels, shape (n,).
        steps: how many gradient steps.
        eta: the step size; None for nine tenths of the largest one allowed.
        definitions: the theorem's abbreviations.
        seed: of random choices in measurements.

    Returns:
        Points theta0, theta1, ..., with theta the last one; and the numbers of A11 as reals.

    Raises:
        NoDescentError: when the kernel is singular on the path, or no step size was found.
    """
    tried, p = eta or 1.0, make("point", "p")
    for _ in range(ATTEMPTS):
        iterates = path(model, x, y, tried, steps)
        points = {f"theta{i}": q for i, q in enumerate(iterates)} | {"theta": iterates[-1]}
        env = Environment(
            model, points, {"X": x}, ball_points=between(iterates, model), labels={"X": y}
        )
        slope = max(_everywhere(norm(outputs_jacobian(p)), env))
        bend = max(_everywhere(norm(loss_bend(p)), env))
        least = min(_everywhere(norm(kernel_matrix(p), "min"), env))
        limit = 1.0 / (slope**2 + bend)
        if tried <= limit * (1 - 1e-9):
            break
        if eta is not None:
            msg = f"the step size {eta:g} is more than 1/beta = {limit:g} along this path"
            raise NoDescentError(msg)
        tried = 0.9 * limit if math.isfinite(limit) else tried / 10
    else:
        msg = f"no step size up to {tried:g} is at most 1/beta along its own path"
        raise NoDescentError(msg)
    start = float(measure(norm(residual(make("point", "theta0"))), env).value)
    if not least > 1e-12 * slope**2:
        msg = f"the least eigenvalue of the kernel is {least:g} on this path; it must be positive"
        raise NoDescentError(msg)
    reals: dict[str | Term, float] = {
        "step_size": tried,
        "mu": least,
        "mu_inverse": 1.0 / least,
        "slope_sup": slope,
        "slope_inverse": 1.0 / slope,
        "bend_sup": bend,
        "rate": 1.0 - tried * least,
        "R": 2.0 * start / math.sqrt(least) * (1 + 1e-12),
    }
    return Environment(
        model,
        points,
        {"X": x},
        reals,
        definitions=definitions,
        outer=activation("tanh"),
        ball_points=between(iterates, model),
        seed=seed,
        labels={"X": y},
        indices={"T": steps},
    )


__all__ = ["NoDescentError", "descent", "params_of", "path"]
