"""Models of the frameworks that people use, measured as they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import numerics

WHY = "an optional dependency: pip install 'widthproof[frameworks]'"
standard = pytest.mark.usefixtures("standard_promotion")  # the frameworks mix types


@pytest.fixture
def standard_promotion():
    with jax.numpy_dtype_promotion("standard"):
        yield


def gaussian(*shape):
    return np.random.default_rng(shape).standard_normal(shape)


def compare(function, params, X, declined):
    """Norm, kernel and gap of a function against the dense Hessian and Jacobian."""
    wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
    vector, restore = ravel_pytree(wide)

    def f(v, x):
        return jnp.reshape(function(restore(v), x), ())

    H = np.asarray(jax.jit(jax.hessian(f))(vector, X[0]))
    norm = numerics.hessian_norm(function, X[0], params)
    value = float(np.max(np.abs(np.linalg.eigvalsh(H))))
    assert norm.lower <= value * (1 + 1e-13)
    assert value * (1 - 1e-13) <= norm.upper
    assert norm.upper - norm.lower < 1e-9 * norm.value
    assert norm.dimension < vector.size
    assert all((f"{name} (in" in norm.certificate) for name in declined)
    J = np.stack([jax.jit(jax.grad(f))(vector, x) for x in X])
    kernel = np.asarray(numerics.tangent_kernel(function, X, params))
    assert np.max(np.abs(kernel - J @ J.T)) < 1e-12 * np.max(J @ J.T)


@standard
def test_a_flax_linen_cnn():
    nn = pytest.importorskip("flax.linen", reason=WHY)

    class CNN(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.tanh(nn.Conv(5, (3, 3))(x[None]))
            x = nn.gelu(nn.Conv(6, (3, 3), strides=2, use_bias=False)(x))
            x = nn.avg_pool(x, (2, 2), (2, 2)).reshape(1, -1)
            return nn.Dense(1)(nn.softplus(nn.Dense(7)(x)))[0, 0]

    X = gaussian(2, 8, 8, 2)
    params = CNN().init(jax.random.key(0), X[0])
    compare(CNN().apply, params, X, ["['params']['Conv_0']['bias']"])


@standard
def test_a_flax_nnx_model():
    nnx = pytest.importorskip("flax.nnx", reason=WHY)

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.first = nnx.Linear(5, 9, rngs=rngs)
            self.norm = nnx.LayerNorm(9, rngs=rngs)
            self.last = nnx.Linear(9, 1, rngs=rngs)

        def __call__(self, x):
            return self.last(nnx.tanh(self.norm(self.first(x))))[0]

    definition, params = nnx.split(Net(nnx.Rngs(0)))
    function, declined = lambda p, x: nnx.merge(definition, p)(x), ["['norm']['scale'].value"]
    compare(function, params, gaussian(2, 5), declined)


@standard
def test_an_equinox_mlp():
    eqx = pytest.importorskip("equinox", reason=WHY)
    mlp = eqx.nn.MLP(4, "scalar", 9, 2, activation=jnp.tanh, key=jax.random.key(0))
    params, rest = eqx.partition(mlp, eqx.is_inexact_array)
    compare(lambda p, x: eqx.combine(p, rest)(x), params, gaussian(2, 4), [".layers[0].bias"])


@standard
def test_a_haiku_mlp():
    hk = pytest.importorskip("haiku", reason=WHY)
    net = hk.without_apply_rng(
        hk.transform(lambda x: hk.nets.MLP([9, 6, 1], activation=jnp.tanh)(x)[0])
    )
    params = net.init(jax.random.key(0), gaussian(4))
    compare(net.apply, params, gaussian(2, 4), ["['mlp/~/linear_0']['b']"])


@standard
def test_a_module_with_more_than_parameters_in_it_is_refused():
    eqx = pytest.importorskip("equinox", reason=WHY)
    mlp = eqx.nn.MLP(4, "scalar", 9, 2, activation=jnp.tanh, key=jax.random.key(0))
    with pytest.raises(numerics.FunctionError, match=r"equinox\.partition"):
        numerics.hessian_norm(lambda p, x: p(x), gaussian(4), mlp)
