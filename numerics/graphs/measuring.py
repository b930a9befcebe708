"""Every quantity of the vocabulary that nodes of a graph have, measured at one input."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.sparse

from numerics.activations import host_derivatives
from numerics.graphs import host
from numerics.graphs.kernels import gradient
from numerics.graphs.lowrank import meeting
from numerics.graphs.model import GraphModel, NodeTrace
from numerics.graphs.tracing import passes as trace_of
from numerics.graphs.walk import Walk
from numerics.measure import Key, supremum, weight_norm
from numerics.models import Params
from numerics.products import Enclosure, gram_norm
from numerics.tolerances import gamma
from theory.activations import CertificationError
from theory.graph import BilinearRule, LinearRule, PointwiseRule

Found = dict[Key, Enclosure]


def node_quantities(
    model: GraphModel, params: Params, x: Any, output: int
) -> tuple[Found, dict[Key, str]]:
    """The quantities of `numerics.measure` for a graph, without the Hessian norm.

    Args:
        model: the network.
        params: where; already checked.
        x: one input; already checked.
        output: which output.

    Returns:
        Both sides of each, and why some are absent.
    """
    passes = trace_of(model, params, x, output)
    weights = model.walk.weights(params, model.fixed)
    found: Found = {}
    absent: dict[Key, str] = {}
    for node in model.graph.nodes:
        n = node.index
        alpha, delta = (np.asarray(side[n], np.float64) for side in (passes.alpha, passes.delta))
        _exact(found, ("m", n), float(alpha.size))
        _exact(found, ("a", n), _norm(alpha) / math.sqrt(alpha.size))
        _exact(found, ("g", n), _norm(delta))
        _exact(found, ("q", n), float(np.max(np.abs(delta))))
        if isinstance(node.rule, BilinearRule):
            _weights(model, n, weights[n], passes, found)
        elif isinstance(node.rule, LinearRule):
            for slot, bound in enumerate(node.rule.norms):
                _exact(found, (f"ell[{slot}]", n), float(bound))
        elif isinstance(node.rule, PointwiseRule):
            _pointwise(node.rule, n, passes.alpha[node.parents[0]], delta, found, absent)
    _exact(found, "output", float(passes.f))
    blocks = [_norm(block) for block in gradient(model, params, passes)]
    _exact(found, "gradient_norm", math.hypot(*blocks))
    _exact(found, "kernel", math.hypot(*blocks) ** 2)
    return found, absent


def _exact(found: Found, key: Key, value: float) -> None:
    found[key] = Enclosure(value, value)


def _pointwise(
    rule: PointwiseRule,
    node: int,
    z: Any,
    delta: np.ndarray,
    found: Found,
    absent: dict[Key, str],
) -> None:
    """Add lambda, beta, h and c of a pointwise node."""
    _, slope, bend = host_derivatives(rule.function, np.asarray(z).ravel(), 2)
    _exact(found, ("h", node), _norm(slope * delta.ravel()))
    _exact(found, ("c", node), float(np.max(np.abs(bend * delta.ravel()))))
    for order, name in ((1, "lambda"), (2, "beta")):
        try:
            found[name, node] = supremum(rule.function, order)
        except CertificationError as error:
            absent[name, node] = f"{name} of node {node} is not known: {error}"


def _weights(model: GraphModel, node: int, weight: Any, passes: NodeTrace, found: Found) -> None:
    """Add tau, node_norm and, where the weights are parameters, own_norm and mixed_norm."""
    steps = model.walk
    _exact(found, ("tau", node), float(steps.rules[node].contraction))
    X, B = (np.asarray(part, np.float64) for part in meeting(steps, node, passes))
    if host.fits(model):
        found["node_norm", node] = weight_norm(host.map_matrix(steps, node, weight))
    else:
        found["node_norm", node] = _operator_norm(steps, node, _mapped, (jnp.asarray(weight),))
    if node not in steps.graph.weighted:
        return
    found["own_norm", node] = _own_norm(steps, node, X)
    scale = float(steps.rules[node].scale)
    if X.shape[1] == 1 and node not in steps.masks:  # |scale B a^T|_F = scale |B| |a|
        _exact(found, ("mixed_norm", node), scale * _norm(B))
    elif host.fits(model):
        sides = weight_norm(_mixed_matrix(steps, node, B))
        found["mixed_norm", node] = Enclosure(scale * sides.lower, scale * sides.upper)
    else:
        arguments = (jnp.asarray(scale * B),)
        found["mixed_norm", node] = _operator_norm(steps, node, _mixed, arguments)


def _own_norm(steps: Walk, node: int, X: np.ndarray) -> Enclosure:
    """Norm of ``V -> scale R V X``: the rows of V do not meet."""
    factors = np.broadcast_to(np.ravel(steps.factors[node]), steps.weight_shape(node)[0])
    mask = steps.masks.get(node)
    if mask is None:
        sides = [weight_norm(X)]
        largest = [float(np.max(factors))]
    else:
        sides = [weight_norm(X[row]) for row in mask]
        largest = [float(f) for f in factors]
    return Enclosure(
        max(f * s.lower for f, s in zip(largest, sides, strict=True)),
        max(f * s.upper for f, s in zip(largest, sides, strict=True)),
    )


def _mixed_matrix(steps: Walk, node: int, B: np.ndarray) -> np.ndarray:
    """``a -> (B columns(a)^T)``, masked, written out up to an isometry."""
    (columns,) = host.maps(steps, node)
    positions = B.shape[1]
    if node in steps.masks:
        rows, cols = np.nonzero(steps.masks[node])
        dense = columns.toarray().reshape(-1, positions, columns.shape[1])
        return np.einsum("ep,eps->es", B[rows], dense[cols])
    reduced = np.linalg.qr(B)[1]  # (min(rows, positions), positions), of the same Gram matrix
    cols = columns.shape[0] // positions
    return np.asarray(
        (scipy.sparse.kron(scipy.sparse.eye_array(cols), reduced) @ columns).toarray()
    )


def _mapped(steps: Walk, node: int, arguments: tuple[Any, ...], value: Any) -> Any:
    return steps.product({node: arguments[0]})(steps.graph.nodes[node], value)


def _mixed(steps: Walk, node: int, arguments: tuple[Any, ...], value: Any) -> Any:
    return steps.masked(node, arguments[0] @ steps.rules[node].columns(jnp, value).T)


def _operator_norm(
    steps: Walk, node: int, linear: Callable[..., Any], arguments: tuple[Any, ...]
) -> Enclosure:
    """The norm of a linear map of the parent's value, by Lanczos on its Gram operator."""
    (parent,) = steps.graph.nodes[node].parents
    size = math.prod(steps.shapes[parent])
    rows, cols = steps.weight_shape(node)
    return gram_norm(
        lambda vector: np.asarray(_gram(steps, node, linear, arguments, vector)),
        size,
        relative=gamma(rows + cols + math.prod(steps.shapes[node])),
    )


@partial(jax.jit, static_argnums=(0, 1, 2))
def _gram(
    steps: Walk, node: int, linear: Callable[..., Any], arguments: tuple[Any, ...], vector: Any
) -> Any:
    shape = steps.shapes[steps.graph.nodes[node].parents[0]]
    image, pull = jax.vjp(
        lambda v: linear(steps, node, arguments, jnp.reshape(v, shape)), jnp.asarray(vector)
    )
    return pull(image)[0]


def _norm(vector: Any) -> float:
    return float(scipy.linalg.norm(np.asarray(vector, np.float64).ravel(), check_finite=False))


__all__ = ["node_quantities"]
