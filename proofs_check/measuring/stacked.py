"""What the symbols of stacked second derivatives stand for, by JAX and by the rules of the nodes.

Everything is written out, so that the graphs must be small.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from proofs_check.measuring import operators
from proofs_check.measuring.environment import EvaluationError
from proofs_check.measuring.graph_models import GraphArchitecture, Vector
from proofs_check.measuring.operators import Operator
from theory.terms import Term

if TYPE_CHECKING:
    from proofs_check.measuring.graph_environment import GraphEnvironment

RELATIVE = 1e-12  # of rounding errors, in units of what the derivatives are made of


def second(env: GraphEnvironment, node: int, point: Term, at: Term) -> Operator:
    """The Hessians of all entries of a node's value, one below the other: (size p, p)."""
    jacobian, hessian = _derivatives(env, node, point, at)
    size = len(hessian)
    count = env.arch.num_params
    if hessian.size > operators.LARGE:
        msg = f"the second derivatives of node {node} have {hessian.size} entries; too many"
        raise EvaluationError(msg)
    theta, x = env.theta(point.args[0]), env.input(at.args[0])
    weight = (1.0 + float(np.linalg.norm(theta))) ** 2 * (1.0 + float(np.linalg.norm(x)))
    made_of = float(np.linalg.norm(hessian)) + min(float(np.linalg.norm(jacobian)), weight)
    return operators.dense(hessian.reshape(size * count, count), error=RELATIVE * made_of)


def gradients(env: GraphEnvironment, node: int, point: Term, at: Term) -> Operator:
    """e_i -> e_i (x) gradient of entry i: (size p, size)."""
    jacobian, _ = _derivatives(env, node, point, at)
    size, count = jacobian.shape
    blocks = np.zeros((size, count, size))
    blocks[np.arange(size), :, np.arange(size)] = jacobian
    error = RELATIVE * float(np.linalg.norm(jacobian))
    return operators.dense(blocks.reshape(size * count, size), error=error)


def form_in(env: GraphEnvironment, node: int) -> Operator:
    """The form from the parent's value to value (x) weights."""
    form = _form(env, node)
    return operators.dense(form.reshape(-1, form.shape[2]))


def form_own(env: GraphEnvironment, node: int) -> Operator:
    """The form from the weights to value (x) parent's value."""
    form = np.swapaxes(_form(env, node), 1, 2)
    return operators.dense(form.reshape(-1, form.shape[2]))


def _form(env: GraphEnvironment, node: int) -> Vector:
    """The form of a node, shape (value, weights, parent's value)."""
    start, stop = env.arch.block(node)
    flat = env.form(node).form()
    return flat.reshape(len(flat), stop - start, -1)


def _derivatives(env: GraphEnvironment, node: int, point: Term, at: Term) -> tuple[Vector, Vector]:
    theta, x = env.theta(point.args[0]), env.input(at.args[0])
    found = _by_jax(theta, env.fixed, x, env.arch, node)
    return np.asarray(found[0]), np.asarray(found[1])


@partial(jax.jit, static_argnames=("arch", "node"))
def _by_jax(theta: Any, fixed: Any, x: Any, arch: GraphArchitecture, node: int) -> Any:
    def value(t: jax.Array) -> jax.Array:
        return jnp.asarray(arch.values(t, fixed, x)[node]).ravel()

    where = jnp.asarray(theta)
    return jax.jacobian(value)(where), jax.hessian(value)(where)


__all__ = ["form_in", "form_own", "gradients", "second"]
