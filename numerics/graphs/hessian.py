r"""The spectral norm of the Hessian of any graph at one input, enclosed.

Error model.  A product with the computed Hessian errs by at most 6 gamma B in norm per unit vector:
four passes through the network are made as in `numerics.hessian`, the bases of the coordinates are
orthonormal up to gamma, and what of the range of X^n or B^n they miss is a part gamma of it.  gamma
is `numerics.tolerances.network`'s allowance for one pass, in which a node with weights is an
inner product over its columns (and, backwards, over its rows and positions).  B is the norm of the
matrix of block norms of the graph, in which every factor stands with an upper bound on its norm
(`stretch`) plus the sensitivity of `numerics.lowrank`:

    P_{n,k} = tau_n |alpha^p| [n = k] + |A^n| P_{p,k}         weights,
              sum_j |L_j| P_{p_j,k}                            fixed linear maps,
              max|sigma'(alpha^p)| P_{p,k}                     pointwise,
    M_{k,k'} = sum_{pointwise n} max|delta^n sigma''(alpha^p)| P_{p,k} P_{p,k'}
               + tau_k |delta^k| P_{p(k),k'} + tau_k' |delta^k'| P_{p(k'),k},      B = |M|.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from numerics.activations import host_derivatives
from numerics.ceilings import ceiling, grown, starts
from numerics.graphs import host, lowrank
from numerics.graphs.model import GraphModel, NodeTrace
from numerics.graphs.tracing import passes as trace_of
from numerics.graphs.walk import Walk
from numerics.lowrank import largest, normalize, sensitivity
from numerics.models import Params
from numerics.operators import HessianOperator, consecutive
from numerics.products import Map, norm_of
from numerics.spectral import SpectralError
from numerics.tolerances import Numbers, Tolerance, gamma, network
from theory.graph import BilinearRule, LinearRule, PointwiseRule

SWEEPS = 6
WRITTEN_OUT = 1024
"""Smaller dimension up to which all singular values of a node's map are taken."""


def graph_operator(
    model: GraphModel,
    x: Numbers,
    params: Params | None,
    *,
    output: int,
    chance: float,
    dense_limit: float,
) -> HessianOperator:
    """`numerics.hessian.hessian_operator` for a graph; see there.

    Up to `dense_limit` coordinates the matrix is written out.

    Raises:
        SpectralError: a number on the way is not finite.
    """
    params, output = model.checked_params(params), model.checked_output(output)
    x = model.checked_input(x, batch=False)
    params, x = jax.tree.map(partial(jnp.asarray, dtype=np.float64), (params, x))
    model = model.double()
    small = host.fits(model)
    passed = host.run(model, params, x, output) if small else None
    passes = (
        trace_of(model, params, x, output)
        if passed is None
        else host.as_trace(model, passed, output)
    )
    require_finite(model, passes)
    coordinates = lowrank.frames(model, passes)
    size = lowrank.dimension(model, coordinates)
    dense = size <= dense_limit
    scale = block_norm(model, params, passes, None if dense else chance)
    if not math.isfinite(scale):
        raise SpectralError(_OVERFLOW)
    arguments = lowrank.Arguments(params, model.fixed, x, coordinates)

    def matrix() -> np.ndarray:
        if passed is None:
            return lowrank.multiply(model.walk, output, arguments, np.eye(size))
        return host.hessian(model, passed, coordinates)

    nodes = model.graph.nodes
    counts = lowrank.sizes(model.walk, coordinates)
    return HessianOperator(
        size=size,
        parameters=model.num_params,
        blocks=consecutive(
            [
                (f"W{node} ({nodes[node].label})", pair)
                for node, pair in zip(model.graph.weighted, counts, strict=True)
            ]
        ),
        dense=dense,
        matrix=matrix,
        operator=lowrank.operator(model.walk, output),
        arguments=arguments,
        rounding=SWEEPS * pass_tolerance(model.walk).margin(scale),
        scale=scale,
        chance=0.0 if dense else chance,
        chance_of="the norms of the maps in the error model",
        nothing="every block of the Hessian is exactly zero",
    )


_OVERFLOW = (
    "the network overflows at this input: a value, a derivative or a block of the Hessian is "
    "infinite or NaN in float64; use smaller parameters or a smaller input"
)


def require_finite(model: GraphModel, passes: NodeTrace) -> None:
    """Refuse a trace that is not finite, naming the first node.

    Raises:
        SpectralError: a value or a signal is infinite or NaN.
    """
    for node, alpha, delta in zip(model.graph.nodes, passes.alpha, passes.delta, strict=True):
        if not (np.all(np.isfinite(np.asarray(alpha))) and np.all(np.isfinite(np.asarray(delta)))):
            msg = f"node {node.index} ({node.label}) is infinite or NaN. {_OVERFLOW}"
            raise SpectralError(msg)


def pass_tolerance(steps: Walk) -> Tolerance:
    """The allowance for one pass through a graph, forward or back."""
    roundings = [0]
    for node, rule in steps.rules.items():
        rows, cols = steps.weight_shape(node)
        positions = math.prod(steps.shapes[node]) // rows
        roundings.append(max(cols, rows, positions) if rule.trainable else max(cols, rows))
    roundings += [len(n.parents) for n in steps.graph.nodes if isinstance(n.rule, LinearRule)]
    return network([*roundings, *(0 for _ in steps.graph.nodes)])


def block_norm(
    model: GraphModel, params: Params, passes: NodeTrace, chance: float | None = None
) -> float:
    """B of the error model: the norm of the matrix of block norms.

    Args:
        model: the network.
        params: where.
        passes: of `numerics.graphs.node_trace` there.
        chance: with which one of the norms in it may be exceeded (`stretch`); None for none.
    """
    steps = model.walk
    own = None if chance is None else chance / len(steps.rules)
    weighted = {node: k for k, node in enumerate(steps.graph.weighted)}
    weights = steps.weights(params, model.fixed)
    P: list[np.ndarray] = []
    M = np.zeros((len(weighted), len(weighted)))
    with np.errstate(all="ignore"):
        for node in steps.graph.nodes:
            reach = np.zeros(len(weighted))
            above = [P[p] for p in node.parents]
            if isinstance(node.rule, BilinearRule):
                (parent,) = node.parents
                tau = float(node.rule.contraction)
                if np.any(above[0]):
                    reach += stretch(model, node.index, weights[node.index], own) * above[0]
                if node.index in weighted:
                    k = weighted[node.index]
                    reach[k] += tau * _size(passes.alpha[parent])
                    cross = tau * _size(passes.delta[node.index]) * above[0]
                    M[k] += cross
                    M[:, k] += cross
            elif isinstance(node.rule, PointwiseRule):
                slope, bend = _bent(node.rule, passes, node.parents[0], node.index)
                reach += slope * above[0]
                M += bend * np.outer(above[0], above[0])
            elif isinstance(node.rule, LinearRule):
                reach += sum(float(c) * p for c, p in zip(node.rule.norms, above, strict=True))
            P.append(reach)
        return float(np.linalg.norm(M, 2)) if np.all(np.isfinite(M)) else math.inf


def _bent(rule: PointwiseRule, passes: NodeTrace, parent: int, node: int) -> tuple[float, float]:
    """max|sigma'| and max|delta sigma''| of a pointwise node, each with its sensitivity."""
    z, delta = np.asarray(passes.alpha[parent]).ravel(), np.asarray(passes.delta[node]).ravel()
    derived = host_derivatives(rule.function, z, 3)
    slope, bend = sensitivity(rule.function, derived, delta, largest(z))
    return largest(derived[1]) + slope, largest(derived[2] * delta) + bend


def stretch(model: GraphModel, node: int, weight: Any, chance: float | None = None) -> float:
    """The norm of a node's map of its parent's value, from above.

    Args:
        model: the network.
        node: which node.
        weight: its weights.
        chance: with which the bound may be exceeded over random starts; None for a certain bound,
            from all singular values where the map is small and ``tau |W|`` (Frobenius) beyond.
    """
    rule = model.walk.rules[node]
    entries = model.walk.masked(node, np.asarray(weight))
    size = float(rule.contraction) * _size(entries) * (1 + gamma(entries.size))
    if chance is not None:
        return min(size, _ceiling(model, node, weight, chance))
    if not host.fits(model):
        return size
    matrix = host.map_matrix(model.walk, node, weight)
    if min(matrix.shape) > WRITTEN_OUT:
        return size
    rounding = gamma(sum(matrix.shape))
    linear = Map(matrix.shape, lambda x: matrix @ x, lambda y: matrix.T @ y, 0.0, rounding)
    return min(size, norm_of(linear, WRITTEN_OUT).upper)


def _ceiling(model: GraphModel, node: int, weight: Any, chance: float) -> float:
    steps = model.walk
    (parent,) = steps.graph.nodes[node].parents
    columns = starts(math.prod(steps.shapes[parent]))
    growth = np.asarray(_growth(steps, node, jnp.asarray(weight), columns))
    return ceiling(growth, (math.prod(steps.shapes[node]), len(columns)), chance)


@partial(jax.jit, static_argnums=(0, 1))
def _growth(steps: Walk, node: int, weight: Any, columns: Any) -> Any:
    entry = steps.graph.nodes[node]
    shape = steps.shapes[entry.parents[0]]

    def run(value: Any) -> Any:
        return jnp.ravel(steps.product({node: weight})(entry, jnp.reshape(value, shape)))

    _, pull = jax.vjp(run, jnp.zeros(columns.shape[0]))
    return grown(jax.vmap(run, 1, 1), jax.vmap(lambda y: pull(y)[0], 1, 1), columns)


def _size(vector: Any) -> float:
    return float(normalize(np.asarray(vector).ravel())[0])


__all__ = ["block_norm", "graph_operator", "pass_tolerance", "require_finite", "stretch"]
