"""The third judge of a false theorem: real networks on which its statement fails.

A claim is refuted by a network that meets every assumption and violates the statement beyond
rounding.  Not finding one proves nothing: a bound sharpened by less than its slack stays true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

import numerics
import theory
from numerics.models import Model
from proofs_check import graph_adversaries
from proofs_check.adversaries import linear
from proofs_check.descents import descent
from proofs_check.measuring.environment import Environment, EvaluationError
from proofs_check.measuring.evaluate import Comparison, evaluate
from proofs_check.measuring.graph_environment import GraphEnvironment
from proofs_check.measuring.graph_models import GraphArchitecture, GraphModel, draw
from theory.lemmas import KAPPA
from theory.proofs import Proof
from theory.terms import Term, make, subterms

SEEDS = range(4)
RADIUS = 0.8


def refuted(proof: Proof) -> bool | None:
    """Whether a network, or a few random matrices, violate the statement of a proof.

    Args:
        proof: the claim: its statement, assumptions and definitions; its steps are not looked at.

    Returns:
        True when a counterexample was found, False when none was, None when nothing in the
        statement could be measured.
    """
    tried = False
    for env in _environments(proof):
        try:
            if not all(_holds(a, env) for a in proof.assumptions):
                continue
            found = evaluate(proof.statement, env)
        except (EvaluationError, ValueError, ArithmeticError, RecursionError, KeyError):
            continue
        tried = True
        if isinstance(found, Comparison) and found.gap > 2 * found.tolerance:
            return True
    return False if tried else None


def _holds(assumption: Term, env: Environment) -> bool:
    """Whether an assumption holds; a statement on the ball holds by the choice of epsilon."""
    return assumption.head == "ball" or bool(evaluate(assumption, env))


def _environments(proof: Proof) -> Iterator[Environment]:
    formulas = (proof.statement, *proof.assumptions, *proof.definitions)
    facts = {t.args[0]: t for f in formulas for t in subterms(f) if t.head == "fact"}
    if any(_says_the_same(t) for f in formulas for t in subterms(f)):
        yield from map(_linear, SEEDS)
    elif any(t.head == "op" and t.args[0] == "F" for f in formulas for t in subterms(f)):
        yield from (_trained(proof.definitions, s) for s in SEEDS)
    elif "twice_differentiable" in facts and "dense" not in facts:
        yield from map(_bilinear, SEEDS)
    elif "graph" in facts:
        yield from (_graph(facts["graph"].args[1], proof.definitions, s) for s in SEEDS)
    elif facts or any(t.head == "op" for t in subterms(proof.statement)):
        yield from (_network(proof.definitions, *case) for case in _architectures(facts.values()))
    else:
        variables = {t for t in subterms(proof.statement) if t.head == "var"}
        yield from (Environment(variables=_matrices(variables, s), seed=s) for s in range(20))


# -- networks -------------------------------------------------------------------------------------


def _architectures(facts: Iterable[Term]) -> Iterator[tuple[int, bool, str, int]]:
    """Depth and readout as the facts say; activations and seeds of our choice."""
    numbers = [a for f in facts for a in f.args[1:] if type(a) is int]
    depth = max(numbers, default=1)
    trained = any("trained" in f.args for f in facts)
    for name in ("tanh", "sin", "identity"):
        for seed in SEEDS:
            yield depth, trained, name, seed


@lru_cache(maxsize=256)
def _model(depth: int, trained: bool, name: str, seed: int) -> Model:
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 4, depth + 1) if seed % 2 else np.ones(depth + 1, int)
    hidden = [p for m in widths[1:] for p in (theory.Dense(int(m)), theory.Activation(name))]
    net = theory.Network(theory.Input(int(widths[0])), *hidden, theory.Readout(trainable=trained))
    return numerics.instantiate(net, {}, seed=seed)


def _network(
    definitions: tuple[Term, ...], depth: int, trained: bool, name: str, seed: int
) -> Environment:
    model = _model(depth, trained, name, seed)
    rng = np.random.default_rng(seed + 100)
    inputs = {n: rng.standard_normal(model.widths[0]) for n in ("x", "z")}
    radius = RADIUS if seed % 3 else 0.05
    points = {"theta": numerics.perturb(model, 0.99 * radius, seed=seed)}
    return Environment(
        model,
        points,
        inputs,
        {"R": radius},
        definitions=definitions,
        variables={KAPPA: 1.5},
        outer=theory.activation("tanh"),
        seed=seed,
    )


@lru_cache(maxsize=64)
def _trained(definitions: tuple[Term, ...], seed: int) -> Environment:
    """Gradient descent on a small network with two samples; a linear one for every other seed."""
    name = "identity" if seed % 2 else "tanh"
    hidden = (theory.Dense(4), theory.Activation(name))
    net = theory.Network(theory.Input(3), *hidden, theory.Readout(trainable=False))
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, 3)), rng.standard_normal(2)
    model = numerics.instantiate(net, {}, seed=seed)
    return descent(model, x, y, definitions=definitions).binding({KAPPA: 1.5})


@lru_cache(maxsize=256)
def _architecture(code: str, size: int) -> GraphArchitecture:
    """A graph with that code: vectors of one size, dense maps, sums."""
    return GraphArchitecture(graph_adversaries.instance(code, size))


def _graph(code: str, definitions: tuple[Term, ...], seed: int) -> GraphEnvironment:
    arch = _architecture(code, 1 + seed % 2)
    drawn = draw(arch.graph, seed)
    model = GraphModel(arch, drawn.params, drawn.fixed, seed)
    rng = np.random.default_rng(seed + 100)
    radius = RADIUS if seed % 3 else 0.05
    step = rng.standard_normal(arch.num_params)
    there = model.theta + 0.99 * radius * step / np.linalg.norm(step)
    return GraphEnvironment(
        model,  # type: ignore[arg-type]
        points={"theta": graph_adversaries.unflatten(there, arch)},  # type: ignore[dict-item]
        inputs={n: rng.standard_normal(arch.sizes[0]) for n in ("x", "z")},
        reals={"R": radius},
        definitions=definitions,
        seed=seed,
    )


def _says_the_same(formula: Term) -> bool:
    """Whether a formula says that something is constant, or zero, on all points."""
    return formula.head in ("ball", "everywhere") and formula.args[-1].head == "eq"


def _linear(seed: int) -> Environment:
    """A linear model: constant kernel, no Hessian."""
    place, _ = linear(seed, "up")
    rng = np.random.default_rng(seed)
    inputs = {"x": place.x, "z": rng.integers(-16, 17, 4) / 8.0}
    points = {"theta": place.there, "theta0": place.here}
    return Environment(place.model, points, inputs, {"R": 1e6}, seed=seed)


def _bilinear(seed: int) -> Environment:
    """A model with constant Hessian, f = v.W x / sqrt(d m), moved along its top eigenvector.

    There epsilon is the Hessian's norm at every point, and Taylor's bound is attained.
    """
    model = _model(1, True, "identity", seed)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(model.widths[0])
    epsilon = numerics.hessian_norm(model, x).upper
    d, m = model.widths
    # the top eigenvector of (W, v) -> v.W x pairs v = e_1 with the row of W along x
    weights = np.zeros((m, d))
    weights[0] = x / np.linalg.norm(x) / np.sqrt(2)
    step = {"W": (weights,), "v": np.eye(m)[0] / np.sqrt(2)}
    far = {
        "W": (np.asarray(model.params["W"][0]) + 0.999 * RADIUS * step["W"][0],),
        "v": np.asarray(model.params["v"]) + 0.999 * RADIUS * step["v"],
    }
    reals: dict[str | Term, float] = {"R": RADIUS}
    for name in ("x", "z"):
        reals[make("sym", "epsilon", make("input", name))] = epsilon
    return Environment(model, {"theta": far}, {"x": x, "z": x}, reals, seed=seed)


# -- schematic statements -------------------------------------------------------------------------


def _matrices(variables: set[Term], seed: int) -> Mapping[Term, Any]:
    """Tensors whose slices are diagonal, so that their norm is known, and vectors of +-1."""
    rng = np.random.default_rng(seed)
    size = 1 + seed % 3
    values: dict[Term, Any] = {}
    for variable in variables:
        if variable.args[1] == "space":
            values[variable] = size
    for variable in variables:
        if variable.args[1] == "op" and variable.cols.head == "tensor":
            tensor = np.zeros((size, size, size))
            tensor[range(size), range(size), range(size)] = 1.0
            values[variable] = tensor.reshape(size, size * size)
        elif variable.args[1] == "op":
            values[variable] = rng.choice([-1.0, 1.0], size)
    return values


__all__ = ["refuted"]
