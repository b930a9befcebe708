"""Functions of the parameters that are no layer of the network, and their derivatives.

A term such as ``W^l alpha^{l-1} / sqrt(m_{l-1})`` is read as a JAX function of the parameters and
differentiated by JAX.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from numerics.activations import derivatives as activation_derivatives
from numerics.activations import host_derivatives
from proofs_check.measuring import operators
from proofs_check.measuring.derivatives import unflatten
from proofs_check.measuring.environment import Environment, EvaluationError
from proofs_check.measuring.operators import Operator
from proofs_check.measuring.rounding import Jet, Measured, constant, coordinate
from theory.terms import Term, subterms

Function = Callable[[jax.Array], jax.Array]
LAYERS = ("alpha", "z", "f")


@dataclass(frozen=True)
class Context:
    """An environment, and how reals and operators are measured in it."""

    env: Environment
    real: Callable[[Term, Environment], Measured]
    operator: Callable[[Term, Environment], Operator]


def slot(function: Term, point: Term) -> tuple[str, int, str] | None:
    """Name, layer and input when the function is a layer of the network at that point.

    ``sigma_l(z^l)`` is alpha^l: the network computes the one as the other.
    """
    if function.head == "act" and function.args[1] == 0:
        inner = slot(function.args[2], point)
        if inner is not None and inner[0] == "z" and inner[1] == function.args[0]:
            return "alpha", inner[1], inner[2]
        return None
    if function.head != "op" or function.args[0] not in LAYERS or point not in function.args:
        return None
    tags = function.args[3:]
    layer = next((t for t in tags if type(t) is int), 0)
    at = next(t.args[0] for t in tags if isinstance(t, Term) and t.sort == "input")
    return function.args[0], layer, at


def jacobian(function: Term, point: Term, ctx: Context) -> Operator:
    """The Jacobian of any such function, shape (entries, p)."""
    run = jax.jit(_vector(function, point, ctx))
    theta = ctx.env.theta(point.args[0])
    push = jax.jit(lambda d: jax.jvp(run, (theta,), (d,))[1])
    pull = jax.jit(lambda c: jax.vjp(run, theta)[1](c)[0])
    size = jet(function, point, ctx).first
    shape = (ctx.env.dimension(function.rows), ctx.env.arch.num_params)
    return operators.row_by_row(shape, push, pull, size.value, size.error)


def hessian(weights: Operator, function: Term, point: Term, ctx: Context) -> Operator:
    """The Hessian of ``weights . function``, shape (p, p)."""
    run = _vector(function, point, ctx)
    theta, covector = ctx.env.theta(point.args[0]), weights.form()[:, 0]
    gradient = jax.grad(lambda t: jnp.dot(run(t), covector))
    push = jax.jit(lambda d: jax.jvp(gradient, (theta,), (d,))[1])
    size = jet(function, point, ctx).second * Measured(weights.size, weights.error)
    count = ctx.env.arch.num_params
    return operators.row_by_row((count, count), push, push, size.value, size.error)


def _vector(function: Term, point: Term, ctx: Context) -> Function:
    for part in subterms(function):  # measured now: nothing is, while JAX traces
        if point not in part.free and part.sort in ("real", "op") and not _bound(part):
            (ctx.operator if part.sort == "op" else ctx.real)(part, ctx.env)
    return lambda theta: _matrix(function, point, ctx, theta)[:, 0]


def _bound(term: Term) -> bool:
    return any(v.head == "index" for v in term.free)


def _matrix(term: Term, point: Term, ctx: Context, theta: jax.Array) -> jax.Array:
    """The term as an array that depends on the parameters at the point."""
    if point not in term.free:
        return jnp.asarray(ctx.operator(term, ctx.env).form())
    if any(isinstance(a, Term) and a.sort == "real" and point in a.free for a in term.args):
        msg = (
            f"{term} has a factor that depends on the point; such a function is not differentiated"
        )
        raise EvaluationError(msg)
    if term.head == "op":
        return _named(term, ctx, theta)
    if term.head == "act":
        z = _matrix(term.args[2], point, ctx, theta)
        return activation_derivatives(ctx.env.activation(term.args[0]), z, term.args[1])[-1]
    parts = [
        _matrix(a, point, ctx, theta) for a in term.args if isinstance(a, Term) and a.sort == "op"
    ]
    match term.head:
        case "T":
            return parts[0].T
        case "neg":
            return -parts[0]
        case "diag":
            return jnp.diag(parts[0][:, 0])
        case "kron":
            return jnp.kron(parts[0], parts[1])
        case "plus":
            return sum(parts[1:], parts[0])
        case "scale":
            return ctx.real(term.args[0], ctx.env).value * parts[0]
        case "dot":
            return reduce(lambda right, left: left @ right, reversed(parts))
        case "contract":
            left, right = (ctx.env.dimension(s) for s in term.args[1].cols.args)
            return (parts[0][:, 0] @ parts[1]).reshape(left, right)
    msg = f"{term} is not differentiated by the parameters here: its head is {term.head}"
    raise EvaluationError(msg)


def _named(term: Term, ctx: Context, theta: jax.Array) -> jax.Array:
    name, _, _, *tags = term.args
    layer = next((t for t in tags if type(t) is int), 0)
    arch = ctx.env.arch
    if name == "theta":
        return theta[:, None]
    if name in ("W", "v"):
        params = unflatten(theta, arch)
        return jnp.asarray(params["W"][layer - 1] if name == "W" else params["v"][:, None])
    at = next(t.args[0] for t in tags if isinstance(t, Term) and t.sort == "input")
    if name == "F":
        samples = jnp.stack([jnp.asarray(ctx.env.input(i)) for i in ctx.env.samples(at)])
        return jax.vmap(lambda x: arch.outputs(theta, ctx.env.fixed, x)[-1])(samples)[:, None]
    if name in LAYERS:
        found = arch.outputs(theta, ctx.env.fixed, jnp.asarray(ctx.env.input(at)))
        start, stop = arch.slot(name, layer)
        return jnp.asarray(found[start:stop, None])
    msg = f"{term} is not differentiated by the parameters here"
    raise EvaluationError(msg)


def _is_point(tag: Any) -> bool:
    return isinstance(tag, Term) and tag.sort == "point"


# -- sizes ----------------------------------------------------------------------------------------


def jet(term: Term, point: Term, ctx: Context) -> Jet:
    """Sizes and rounding errors of a function and of its derivatives by the parameters."""
    if point not in term.free:
        op = ctx.operator(term, ctx.env)
        return constant(Measured(op.size, op.error), op.shape[0] * op.shape[1])
    match term.head:
        case "op":
            return _named_jet(term, ctx)
        case "act":
            return _pointwise_jet(term, point, ctx)
        case "scale":
            return jet(term.args[1], point, ctx).scaled(ctx.real(term.args[0], ctx.env))
    parts = [jet(a, point, ctx) for a in term.args]
    if term.head == "plus":
        return sum(parts[1:], parts[0])
    if term.head in ("dot", "kron", "contract"):
        result = parts[-1]
        for part, factor in zip(parts[-2::-1], term.args[-2::-1], strict=True):
            rows = ctx.env.dimension(factor.rows)
            result = part.times(result, rows, ctx.env.dimension(term.args[-1].cols))
        return result
    return parts[0]


def _named_jet(term: Term, ctx: Context) -> Jet:
    name, _, _, *tags = term.args
    layer = next((t for t in tags if type(t) is int), 0)
    at = next((t.args[0] for t in tags if isinstance(t, Term) and t.sort == "input"), None)
    point = next(t.args[0] for t in tags if _is_point(t))
    if name == "F":
        return ctx.env.outputs_jet(point, str(at))
    if at is not None:
        return ctx.env.state(point, at).jets[name, layer]
    if name == "W":
        op = ctx.env.weights(layer, point)
        return coordinate(op.size, op.shape[0] * op.shape[1])
    values = ctx.env.readout(point) if name == "v" else ctx.env.theta(point)
    return coordinate(float(np.linalg.norm(values)), len(values))


def _pointwise_jet(term: Term, point: Term, ctx: Context) -> Jet:
    """Of sigma applied to a function."""
    index, order, inner = term.args
    moved = jet(inner, point, ctx)
    z = ctx.operator(inner, ctx.env).form()[:, 0]
    found = host_derivatives(ctx.env.activation(index), z, order + 3)[order:]
    slope, bend, twist = (float(np.max(np.abs(d), initial=0.0)) for d in found[1:])
    return moved.pointwise((float(np.linalg.norm(found[0])), slope, bend, twist))
