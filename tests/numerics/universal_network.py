"""Dense Hessians of all parameters by JAX, for any small network, with a single compilation.

Every network up to `DEPTH` layers and width `WIDTH` is embedded in one of that size: missing
neurons are masked, missing layers are skipped, activations are chosen at run time and are not those
of `numerics.activations`. The Hessian is forward over reverse mode on all
parameters: nothing is shared with `numerics.lowrank`.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

DEPTH, WIDTH = 8, 5


# JAX's own tanh, sigmoid and softplus have derivatives that are noise in a tail, 1 - tanh(t)^2 from
# |t| = 19 on, and second derivatives that cancel at 0. Automatic differentiation of the forms below
# keeps the relative accuracy.


def _tanh(t):
    close = jnp.abs(t) < 1
    near, far = jnp.where(close, t, 0.0), jnp.where(close, 1.0, t)
    return jnp.where(close, jnp.sinh(near) / jnp.cosh(near), 1 - 2 / (jnp.exp(2 * far) + 1))


def _sigmoid(t):
    up, down = jnp.maximum(t, 0), jnp.minimum(t, 0)
    far = jnp.where(t >= 0, 1 / (1 + jnp.exp(-up)), jnp.exp(down) / (1 + jnp.exp(down)))
    return jnp.where(jnp.abs(t) < 1, (1 + _tanh(t / 2)) / 2, far)


def _softplus(t):
    up, down = jnp.maximum(t, 0), jnp.minimum(t, 0)
    return jnp.where(t >= 0, up + jnp.log1p(jnp.exp(-up)), jnp.log1p(jnp.exp(down)))


def _gelu_tanh(t):
    return t * _sigmoid(jnp.sqrt(8 / jnp.pi) * (t + 0.044715 * t**3))


FUNCTIONS = {
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "erf": jax.scipy.special.erf,
    "sin": jnp.sin,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_tanh": _gelu_tanh,
    "silu": lambda t: t * _sigmoid(t),
    "square": lambda t: t * t,
    "identity": lambda t: t,
}


@jax.jit
def _hessian(theta, case):
    def layer(alpha, parts):
        weight, root, function, mask, active = parts
        z = weight @ alpha / root
        value = jax.lax.switch(function, list(FUNCTIONS.values()), z)
        return jnp.where(active, jnp.where(mask, value, 0.0), alpha), None

    def output(theta):
        weights, readout = theta[:-WIDTH].reshape(DEPTH, WIDTH, WIDTH), theta[-WIDTH:]
        alpha, _ = jax.lax.scan(layer, case["x"], (weights, *case["layers"]))
        return readout @ alpha / case["root"]

    return jax.jacfwd(jax.grad(output))(theta)


def _padded(array, shape):
    result = np.zeros(shape)
    result[tuple(slice(0, size) for size in np.shape(array))] = array
    return result


def dense_hessian(model, x, params=None):
    """The Hessian of f over all trainable parameters, shape (p, p), in the order of `params`."""
    params = model.params if params is None else params
    depth, widths = model.net.depth, model.widths
    assert depth <= DEPTH
    assert max(widths) <= WIDTH
    weights = [_padded(weight, (WIDTH, WIDTH)) for weight in params["W"]]
    weights += [np.zeros((WIDTH, WIDTH))] * (DEPTH - depth)
    readout = _padded(params.get("v", model.readout), (WIDTH,))
    theta = np.concatenate([np.ravel(weights), readout])
    sizes = [*widths[:-1], *[1] * (DEPTH - depth), widths[-1]]
    names = [function.name for function in model.net.activations] + ["identity"] * (DEPTH - depth)
    masks = [np.arange(WIDTH) < m for m in [*widths[1:], *[WIDTH] * (DEPTH - depth)]]
    case = {
        "x": _padded(x, (WIDTH,)),
        "layers": (
            np.sqrt(np.array(sizes[:-1], float)),
            np.array([list(FUNCTIONS).index(name) for name in names]),
            np.array(masks),
            np.arange(DEPTH) < depth,
        ),
        "root": np.sqrt(float(widths[-1])),
    }
    ones = [_padded(np.ones_like(weight), (WIDTH, WIDTH)) for weight in params["W"]]
    ones += [np.zeros((WIDTH, WIDTH))] * (DEPTH - depth)
    trained = _padded(np.full(widths[-1], float(model.trained_readout)), (WIDTH,))
    keep = np.concatenate([np.ravel(ones), trained]) > 0
    return np.asarray(_hessian(theta, case))[np.ix_(keep, keep)]
