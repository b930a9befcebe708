"""Small networks for the tests of numerics, and naive ways to compute what numerics computes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

import numerics
from numerics.models import forward
from theory.networks import Activation, Dense, Input, Network, Readout


def build(
    widths, activations="tanh", *, trainable=False, init="gaussian", seed=0, dtype=np.float64
):
    """A model with widths m_0, ..., m_L; one activation for all layers or one for each."""
    depth = len(widths) - 1
    specs = [activations] * depth if isinstance(activations, str) else activations
    layers = [Input(widths[0])]
    for width, spec in zip(widths[1:], specs, strict=True):
        layers += [Dense(width), Activation(spec)]
    net = Network(*layers, Readout(trainable=trainable, init=init))
    return numerics.instantiate(net, {}, seed=seed, dtype=dtype)


def inputs(model, n, seed=0):
    """n inputs with |x|^2 = d, shape (n, d)."""
    X = np.random.default_rng(seed).standard_normal((n, model.widths[0]))
    return X * np.sqrt(model.widths[0] / np.sum(X**2, axis=1, keepdims=True))


SHAPES = [
    ((3, 5), "tanh", False),
    ((1, 1), "sigmoid", True),
    ((4, 6, 1, 3), ("sin", "tanh", "identity"), True),
    ((5, 4, 4, 4, 4), "gelu", False),
    ((2, 4, 3), "silu", True),
]


def cases():
    """Arguments of `build`: few shapes and activations, as each is compiled; any seed."""
    # Not the models themselves: drawing one inside a strategy would compile there.
    return st.builds(
        lambda shape, seed: {
            "widths": shape[0],
            "activations": shape[1],
            "trainable": shape[2],
            "seed": seed,
        },
        st.sampled_from(SHAPES),
        st.integers(0, 2**32 - 1),
    )


def flat_output(model, x):
    """The output as a function of one flat vector, that vector, and the way back."""
    flat, unravel = ravel_pytree(model.params)
    return lambda vector: model.apply(unravel(vector), x), flat, unravel


_gradient = jax.jit(jax.grad(forward), static_argnums=3)
_hessian = jax.jit(jax.hessian(forward), static_argnums=3)


def dense_gradient(model, x, params=None):
    """The gradient as one flat vector, by JAX's reverse mode."""
    point = model.params if params is None else params
    x = jnp.asarray(x, model.dtype)
    return np.asarray(ravel_pytree(_gradient(point, model.readout, x, model.net.activations))[0])


def dense_hessian(model, x, params=None):
    """The Hessian over all parameters, shape (p, p), by JAX."""
    point = model.params if params is None else params
    x = jnp.asarray(x, model.dtype)
    nested = _hessian(point, model.readout, x, model.net.activations)
    leaves, structure = jax.tree.flatten(point)
    rows = structure.flatten_up_to(nested)  # d^2 f / d(leaf) d(every leaf)
    blocks = [
        [np.asarray(block).reshape(leaf.size, -1) for block in jax.tree.leaves(row)]
        for leaf, row in zip(leaves, rows, strict=True)
    ]
    return np.block(blocks)
