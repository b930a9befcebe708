"""Networks of any architecture in the experiments: Hessian norms, and the bounds of their rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

import numerics
from numerics.graphs import GraphModel
from proofs_check.ledger.experiment import Measure, Sample
from proofs_check.measuring import graph_models
from proofs_check.measuring.evaluate import measure as evaluated
from proofs_check.measuring.graph_environment import GraphEnvironment
from proofs_check.verification.statements import Sides
from theory.networks import Network
from theory.theorem import Theorem

RADIUS = 1.0
BOUNDED = 2  # seeds at which the bound is evaluated too: it takes longer than the norm


def drawn_input(shape: tuple[int, ...], seed: int) -> NDArray[np.float64]:
    """A Gaussian input with ``|x|^2`` equal to its number of entries."""
    x = np.random.default_rng((seed, 13)).standard_normal(shape)
    return np.asarray(x * math.sqrt(x.size) / np.linalg.norm(x))


def largest_hessian(net: Network, bound: Theorem | None = None) -> Measure:
    """The larger Hessian norm of the centre and a random point of the sphere around it.

    Args:
        net: the description.
        bound: the theorem on the ball of radius 1, about this description; None to measure alone.
    """

    def measure(width: int, seed: int) -> Sample:
        model = numerics.instantiate(net, dict.fromkeys(net.symbols, width), seed=seed)
        x = drawn_input(tuple(int(n) for n in model.graph.nodes[0].shape), seed)
        points = (model.params, numerics.perturb(model, RADIUS, seed))
        norms = [numerics.hessian_norm(model, x, params) for params in points]
        top = max(norms, key=lambda n: n.value)
        found = Sides(max(n.lower for n in norms), top.value, max(n.upper for n in norms))
        if bound is None or seed >= BOUNDED or not isinstance(model, GraphModel):
            return Sample(found)
        return Sample(found, bound_on_ball(bound, model, x))

    return measure


def bound_on_ball(theorem: Theorem, model: GraphModel, x: NDArray[np.float64]) -> Sides:
    """The theorem's right side, from the statistics of the nodes at the centre."""
    arrays: Any = graph_models.GraphModel(
        graph_models.GraphArchitecture(model.graph),
        tuple(np.asarray(w) for w in model.params["W"]),
        {n: np.asarray(w) for n, w in model.fixed.items()},
        model.seed,
    )
    env = GraphEnvironment(
        arrays,
        points={"theta0": arrays.params},
        inputs={"x": x.ravel()},
        reals={"R": RADIUS},
        definitions=theorem.definitions,
    )
    found = evaluated(theorem.statement.args[1], env)
    return Sides.around(found.value, found.error)
