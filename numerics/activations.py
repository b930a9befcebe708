"""Activation functions as JAX functions, from their SymPy expressions.

The SymPy expression of `theory.activations` is the only definition of an activation; this module
evaluates it. Names with a numerically delicate tail (tanh, sigmoid, softplus, GELU, SiLU) have a
version whose *derivatives of every order* keep their relative accuracy there: differentiating
`jnp.tanh` gives `1 - tanh(t)**2`, which is rounding noise from |t| = 19 on, while the Hessian of a
saturated network is made of exactly that number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jaxtyping import Array, Float

from theory.activations import ActivationError, ActivationFunction

Elementwise = Callable[[Array], Array]


@jax.custom_jvp
def tanh(t: Array) -> Array:
    """Hyperbolic tangent, elementwise, with derivatives accurate in the tails."""
    return jnp.tanh(t)


@jax.custom_jvp
def _sech2(t: Array) -> Array:
    decay = jnp.exp(-2 * jnp.abs(t))
    return 4 * decay / (1 + decay) ** 2


@jax.custom_jvp
def _sech(t: Array) -> Array:
    decay = jnp.exp(-jnp.abs(t))
    return 2 * decay / (1 + decay * decay)


@jax.custom_jvp
def sigmoid(t: Array) -> Array:
    """Logistic function, elementwise, with derivatives accurate in the tails."""
    decay = jnp.exp(-jnp.abs(t))
    return jnp.where(t >= 0, 1.0, decay) / (1 + decay)


@jax.custom_jvp
def softplus(t: Array) -> Array:
    """log(1 + exp t), elementwise, with derivatives accurate in the tails."""
    return jnp.maximum(t, 0) + jnp.log1p(jnp.exp(-jnp.abs(t)))


# Each derivative is written with functions that carry such a rule themselves, so that JAX keeps the
# accuracy at every order.
tanh.defjvps(lambda dt, _, t: _sech2(t) * dt)
_sech2.defjvps(lambda dt, _, t: -2 * tanh(t) * _sech2(t) * dt)
_sech.defjvps(lambda dt, _, t: -tanh(t) * _sech(t) * dt)
sigmoid.defjvps(lambda dt, _, t: _sech2(t / 2) / 4 * dt)  # not s(1 - s): s'' cancels at 0
softplus.defjvps(lambda dt, _, t: sigmoid(t) * dt)


def _gelu(t: Array) -> Array:
    return t * jax.scipy.special.erfc(-t * 0.5**0.5) / 2


def _gelu_tanh(t: Array) -> Array:
    # (1 + tanh u)/2 = sigmoid(2u) without the cancellation.
    return t * sigmoid(2 * (2 / jnp.pi) ** 0.5 * (t + 0.044715 * t * t * t))


def _silu(t: Array) -> Array:
    return t * sigmoid(t)


_BY_NAME: dict[str, Elementwise] = {
    "tanh": tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": _silu,
    "swish": _silu,
}

_NODES: dict[type, Elementwise] = {
    sympy.exp: jnp.exp,
    sympy.log: jnp.log,
    sympy.sin: jnp.sin,
    sympy.cos: jnp.cos,
    sympy.tan: jnp.tan,
    sympy.asin: jnp.arcsin,
    sympy.acos: jnp.arccos,
    sympy.atan: jnp.arctan,
    sympy.sinh: jnp.sinh,
    sympy.cosh: jnp.cosh,
    sympy.tanh: tanh,
    sympy.sech: _sech,
    sympy.asinh: jnp.arcsinh,
    sympy.acosh: jnp.arccosh,
    sympy.atanh: jnp.arctanh,
    sympy.erf: jax.scipy.special.erf,
    sympy.erfc: jax.scipy.special.erfc,
}


@cache
def jax_function(function: ActivationFunction) -> Elementwise:
    """The activation as a JAX function, elementwise on an array of any shape.

    Args:
        function: an activation of `theory.activations`.

    Returns:
        A function of one array, of the same shape and dtype; derivatives come from JAX.

    Raises:
        ActivationError: the expression contains something that has no JAX counterpart here.
    """
    known = _BY_NAME.get(function.name)
    if known is not None:
        return known
    _evaluate(function.expr, None)
    return lambda t: jnp.broadcast_to(jnp.asarray(_evaluate(function.expr, t), t.dtype), t.shape)


def derivatives(
    function: ActivationFunction, z: Float[Array, "*shape"], order: int
) -> tuple[Float[Array, "*shape"], ...]:
    """The activation and its derivatives at every entry of `z`.

    Args:
        function: the activation.
        z: points, any shape.
        order: highest derivative.

    Returns:
        `order + 1` arrays of the shape of `z`: sigma(z), sigma'(z), and so on.
    """
    levels: list[Elementwise] = [jax_function(function)]
    for _ in range(order):
        levels.append(_derivative(levels[-1]))
    return tuple(level(z) for level in levels)


def host_derivatives(
    function: ActivationFunction, z: Float[np.ndarray, " m"], order: int
) -> tuple[Float[np.ndarray, " m"], ...]:
    """`derivatives` for NumPy vectors, compiled for few lengths: z is padded to a power of two.

    Args:
        function: the activation.
        z: points, shape (m,).
        order: highest derivative.

    Returns:
        `order + 1` NumPy arrays of shape (m,).
    """
    padded = np.zeros(1 << max(6, (z.size - 1).bit_length()), z.dtype)
    padded[: z.size] = z
    return tuple(np.asarray(value)[: z.size] for value in _derivatives(function, padded, order))


def _derivative(function: Elementwise) -> Elementwise:
    # The derivative of an elementwise function is its directional derivative along all ones.
    return lambda t: jax.jvp(function, (t,), (jnp.ones_like(t),))[1]


_derivatives = partial(jax.jit, static_argnums=(0, 2))(derivatives)


def _evaluate(expr: sympy.Expr, t: Array | None) -> Array | float:
    """The value of `expr` at `t`; with `t` None only checks that it can be evaluated."""
    if expr.is_number:
        return float(expr)
    if expr.is_Symbol:
        return jnp.zeros(()) if t is None else t
    arguments = [_evaluate(argument, t) for argument in expr.args]
    if expr.is_Add:
        return sum(arguments[1:], arguments[0])
    if expr.is_Mul:
        product = arguments[0]
        for factor in arguments[1:]:
            product = product * factor
        return product
    if expr.is_Pow:
        return _power(arguments[0], expr.exp, arguments[1])
    node = _NODES.get(expr.func)
    if node is None:
        msg = (
            f"the activation {expr} cannot be evaluated: no JAX counterpart of "
            f"{expr.func.__name__} is known; use {', '.join(sorted(n.__name__ for n in _NODES))}"
        )
        raise ActivationError(msg)
    return node(jnp.asarray(arguments[0]))


def _power(base: Array | float, exponent: sympy.Expr, value: Array | float) -> Array | float:
    if exponent.is_Integer:
        return base ** int(exponent)  # a Python integer: exact, and defined for negative bases
    if exponent == sympy.Rational(1, 2):
        return jnp.sqrt(base)
    return jnp.power(base, value)
