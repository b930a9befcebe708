"""Functions of any make: the exact coordinates, and every measurement against the plain way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

import numerics
import theory
from numerics.functions import lowrank
from numerics.functions.hessian import products
from numerics.functions.model import as_model
from numerics.functions.program import FunctionError
from numerics.spectral import SpectralError
from numerics.tolerances import network
from numerics.training import _trained


def gaussian(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def flat(function, params, output=0):
    """f of one vector, and that vector: the way without any structure."""
    vector, restore = ravel_pytree(jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), params))
    return lambda v, x: jnp.reshape(function(restore(v), x), (-1,))[output], vector


def dense_eigenvalues(function, params, x, output=0):
    f, vector = flat(function, params, output)
    return np.linalg.eigvalsh(np.asarray(jax.jit(jax.hessian(f))(vector, x)))


def mlp(p, x):
    hidden = jnp.tanh(p["W1"] @ x / 2 + p["b"])
    return p["v"] @ jnp.tanh((p["W2"] / 3) @ hidden)


def transposed(p, x):
    hidden = jnp.tanh(x @ (p["W1"].T * 0.5))
    return jnp.tanh(-(hidden @ p["W2"].T) / 3) @ p["v"]


def tied(p, x):
    return jnp.sum(jnp.tanh(p["W"].T @ jnp.tanh(p["W"] @ x)) ** 2)


def recurrent(p, x):
    state = jnp.zeros(7)
    for row in x:
        state = jnp.tanh(p["W"] @ state / 2 + p["U"] @ row)
    return p["v"] @ state


def attention(p, x):
    q, k, v = (jnp.einsum("td,dhk->thk", x, p[name]) for name in "qkv")
    weights = jax.nn.softmax(jnp.einsum("thk,shk->hts", q, k))
    mixed = jnp.einsum("hts,shk->thk", weights, v)
    return jnp.sum(jnp.sin(jnp.einsum("thk,hkd->td", mixed, p["o"])))


def convolution(p, x):
    kinds = ("NCHW", "OIHW", "NCHW")
    z = jax.lax.conv_general_dilated(x, p["K"], (2, 1), "SAME", dimension_numbers=kinds)
    turned = jnp.transpose(p["L"], (3, 0, 1, 2))  # stored as IHWO, used as OIHW
    z = jax.lax.conv_general_dilated(
        jnp.tanh(z), turned, (1, 1), "VALID", rhs_dilation=(1, 2), dimension_numbers=kinds
    )
    return jnp.sum(jnp.tanh(z)) / 5


def inlined(p, x):
    layer = jax.jit(lambda w, h: jnp.tanh(w @ h))
    return p["v"] @ jax.checkpoint(layer)(p["W2"], layer(p["W1"], x))


TWO = {"W1": gaussian(9, 5), "W2": gaussian(8, 9), "v": gaussian(8)}
HEADS = {name: gaussian(8, 2, 4, seed=k) / 3 for k, name in enumerate("qkv")}
CASES = {
    "mlp": (mlp, {**TWO, "b": gaussian(9)}, gaussian(5), 43),
    "transposed": (transposed, TWO, gaussian(5), 34),
    "tied": (tied, {"W": gaussian(12, 15)}, gaussian(15), 39),
    "recurrent": (recurrent, {"W": gaussian(7, 7), "U": gaussian(7, 9), "v": gaussian(7)},
                  gaussian(2, 9), None),
    "attention": (attention, {**HEADS, "o": gaussian(2, 4, 8)}, gaussian(2, 8), None),
    "convolution": (convolution, {"K": gaussian(4, 2, 3, 3), "L": gaussian(4, 2, 2, 5) / 2},
                    gaussian(1, 2, 6, 4), None),
    "inlined": (inlined, TWO, gaussian(5), 34),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_coordinates_have_every_eigenvalue_of_the_dense_hessian(name):
    function, params, x, size = CASES[name]
    model = as_model(function, params)
    program, point = model.at(None, x)
    coordinates = lowrank.frames(program, point)
    n = lowrank.dimension(program, coordinates)
    matrix = np.asarray(products(lowrank.operator(program), (point, coordinates), np.eye(n)))
    values = dense_eigenvalues(function, params, x)
    assert n < model.num_params
    assert size in (None, n)
    padded = np.sort(np.concatenate([np.linalg.eigvalsh(matrix), np.zeros(values.size - n)]))
    assert np.max(np.abs(padded - values)) < 1e-12 * np.max(np.abs(values))
    assert set(program.analysis.declined) == {
        k for k, entry in enumerate(program.names) if entry == "['b']"
    }


@pytest.mark.parametrize("name", ["tied", "attention"])
def test_coordinates_embed_as_eigenvectors(name):
    function, params, x, _ = CASES[name]
    program, point = as_model(function, params).at(None, x)
    coordinates = lowrank.frames(program, point)
    n = lowrank.dimension(program, coordinates)
    matrix = np.asarray(products(lowrank.operator(program), (point, coordinates), np.eye(n)))
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    top = int(np.argmax(np.abs(values)))
    leaves = lowrank.embed(program, coordinates, vectors[:, top])
    direction = np.concatenate([np.ravel(leaf) for leaf in leaves])
    f, vector = flat(function, params)
    image = jax.jvp(jax.grad(lambda v: f(v, x)), (vector,), (jnp.asarray(direction),))[1]
    assert abs(np.linalg.norm(direction) - 1) < 1e-12
    assert np.linalg.norm(image - values[top] * direction) < 1e-11 * abs(values[top])


def scanned(p, x):
    def step(state, row):
        return jnp.tanh(p["W"] @ state / 2 + p["U"] @ row), None

    return p["v"] @ jax.lax.scan(step, jnp.zeros(4), x)[0]


def own_rules(p, x):
    @jax.custom_jvp
    def layer(w, h):
        return jnp.tanh(w @ h)

    layer.defjvp(lambda values, moves: (layer(*values), 2 * (moves[0] @ values[1])))
    return jnp.sum(layer(p["W"], x) ** 2)


def batched(p, x):
    return jnp.sum(jnp.tanh(jnp.einsum("bij,bj->bi", p["W"], x)))


def factored(p, x):
    return jnp.sum(jnp.tanh((p["A"] @ p["B"]) @ x))


def different_axes(p, x):
    first = jnp.einsum("ijk,k->ij", p["W"], x[:3])
    return jnp.sum(jnp.tanh(first)) + jnp.sum(jnp.einsum("ijk,j->ik", p["W"], x) ** 2)


def returned(p, x):
    del x
    return p["W"]


def normalised(p, x):
    unit = p["W"] / jnp.linalg.norm(p["W"])
    return jnp.sum(jnp.tanh(unit @ x))


def grouped(p, x):
    z = jax.lax.conv_general_dilated(x, p["K"], (1,), "SAME", feature_group_count=2)
    return jnp.sum(jnp.tanh(z))


DECLINED = {
    "in `scan`": (scanned, {"W": gaussian(4, 4), "U": gaussian(4, 6), "v": gaussian(4)},
                  gaussian(3, 6), {"['W']", "['U']"}),
    "with derivative rules": (own_rules, {"W": gaussian(5, 6)}, gaussian(6), {"['W']"}),
    "batch axes": (batched, {"W": gaussian(2, 4, 6)}, gaussian(2, 6), {"['W']"}),
    "with another parameter": (factored, {"A": gaussian(6, 4), "B": gaussian(4, 6)}, gaussian(6),
                               {"['A']", "['B']"}),
    "different axes": (different_axes, {"W": gaussian(4, 5, 3)}, gaussian(5), {"['W']"}),
    "as a result": (returned, {"W": gaussian(3)}, gaussian(2), {"['W']"}),
    "in `": (normalised, {"W": gaussian(5, 6)}, gaussian(6), {"['W']"}),
    "grouped": (grouped, {"K": gaussian(4, 1, 3)}, gaussian(1, 2, 6), {"['K']"}),
}  # fmt: skip


@pytest.mark.parametrize("reason", DECLINED)
def test_what_is_not_covered_is_named_and_taken_entry_by_entry(reason):
    function, params, x, declined = DECLINED[reason]
    program, _ = as_model(function, params).at(None, x)
    found = {program.names[k]: why for k, why in program.analysis.declined.items()}
    assert set(found) == declined
    assert all(reason in why for why in found.values())
    norm = numerics.hessian_norm(function, x, params)
    value = np.max(np.abs(dense_eigenvalues(function, params, x)))
    assert norm.lower <= value * (1 + 1e-13)
    assert value * (1 - 1e-13) <= norm.upper
    assert all(name in norm.certificate for name in declined)


def test_lanczos_and_all_eigenvalues_agree():
    function, params, x, _ = CASES["recurrent"]
    dense, other = (
        numerics.hessian_norm(function, x, params, method=method) for method in ("dense", "lanczos")
    )
    assert other.method == "lanczos"
    assert max(dense.lower, other.lower) <= min(dense.upper, other.upper)
    assert other.upper - other.lower < 1e-5 * other.value


@settings(max_examples=6)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(0, 2))
def test_tiny_shapes(d, m, positions, kind):
    """Width 1, more positions than columns, one column: whatever the sizes, the same norm."""
    params = {"W": gaussian(m, d), "U": gaussian(m, m)}
    x = gaussian(d, positions)
    outer = (jnp.sin, jnp.tanh, jnp.square)[kind]

    def function(p, x):
        return jnp.sum(outer(p["U"] @ jnp.tanh(p["W"] @ x)))

    norm = numerics.hessian_norm(function, x, params)
    value = np.max(np.abs(dense_eigenvalues(function, params, x)))
    assert norm.lower <= value * (1 + 1e-13) + 1e-15
    assert value * (1 - 1e-13) - 1e-15 <= norm.upper


def test_rounding_is_measured_where_the_function_cancels():
    def cancelling(p, x):
        z = p["W"] @ x
        big = 1e6 * jnp.sin(z) ** 2 + 1e6 * jnp.cos(z) ** 2  # a constant, but for rounding
        return jnp.sum(jnp.tanh(z) + big)

    params, x = {"W": gaussian(6, 5)}, gaussian(5)
    plain = numerics.hessian_norm(lambda p, x: jnp.sum(jnp.tanh(p["W"] @ x)), x, params)
    norm = numerics.hessian_norm(cancelling, x, params)
    assert norm.lower <= plain.value <= norm.upper
    assert norm.upper - norm.lower > 1e4 * (plain.upper - plain.lower)


def test_a_function_that_computes_in_float32_gets_the_allowance_of_float32():
    def narrow(p, x):
        return jnp.sum(jnp.tanh(p["W"].astype(jnp.float32) @ x.astype(jnp.float32)))

    params, x = {"W": gaussian(6, 5)}, gaussian(5)
    exact = numerics.hessian_norm(lambda p, x: jnp.sum(jnp.tanh(p["W"] @ x)), x, params)
    norm = numerics.hessian_norm(narrow, x, params)
    assert norm.lower <= exact.value <= norm.upper
    assert (norm.upper - norm.lower) / norm.value > 1e-7
    assert "float32" in norm.certificate


# -- the other measurements -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mlp", "recurrent", "convolution"])
def test_kernel_gap_and_change_against_the_jacobian(name):
    function, params, x, _ = CASES[name]
    X = np.stack([x, x[::-1], 2 * x])
    f, vector = flat(function, params)
    J = np.stack([jax.grad(f)(vector, one) for one in X])
    kernel = np.asarray(numerics.tangent_kernel(function, X, params))
    tolerance = network([vector.size])
    assert tolerance.close(kernel, J @ J.T)
    assert np.array_equal(kernel, kernel.T)
    assert tolerance.close(numerics.tangent_kernel(function, X[:1], params, X), (J @ J.T)[:1])

    other = jax.tree.map(lambda a: a + 0.1 * gaussian(*a.shape, seed=1), params)
    moved = flat(function, other)[1]
    gap = float(f(moved, x) - f(vector, x) - J[0] @ (moved - vector))
    assert abs(numerics.linearization_gap(function, x, other, params) - abs(gap)) < 1e-12
    there = np.stack([jax.grad(f)(moved, one) for one in X])
    change = numerics.kernel_change(function, X, other, params)
    assert network([vector.size]).close(change.difference, there @ there.T - J @ J.T) or (
        np.max(np.abs(change.difference - (there @ there.T - J @ J.T)))
        <= 2 * tolerance.margin(there @ there.T)
    )


def test_one_description_and_the_function_that_it_claims_to_be():
    """All measurements of a network and of its own `apply` agree."""
    net = theory.Network(
        theory.Input(4), theory.Dense(6), theory.Activation("tanh"),
        theory.Dense(5), theory.Activation("softplus"), theory.Readout(),
    )  # fmt: skip
    model = numerics.instantiate(net, seed=3)
    X, y = gaussian(3, 4), gaussian(3)
    p = model.params
    one, other = numerics.hessian_norm(model, X[0]), numerics.hessian_norm(model.apply, X[0], p)
    assert max(one.lower, other.lower) <= min(one.upper, other.upper)
    close = network(model.widths).close
    assert close(numerics.tangent_kernel(model, X), numerics.tangent_kernel(model.apply, X, p))
    run = numerics.gradient_descent(model, X, y, steps=5)
    own = numerics.gradient_descent(model.apply, X, y, steps=5, params=p)
    assert np.allclose(run.losses, own.losses, rtol=1e-12)
    assert np.allclose(run.kernels, own.kernels, rtol=1e-12)
    assert jax.tree.structure(own.params) == jax.tree.structure(p)


def test_the_search_of_a_ball_finds_more_than_the_centre_has():
    function, params, x, _ = CASES["mlp"]
    found = numerics.ball_search(function, x, 0.5, params, starts=2, steps=6)
    assert found.distance <= 0.5
    assert found.value > 1.2 * found.at_centre
    assert jax.tree.structure(found.params) == jax.tree.structure(params)
    value = np.max(np.abs(dense_eigenvalues(function, found.params, x)))
    assert found.norm.lower <= value * (1 + 1e-13)
    assert value * (1 - 1e-13) <= found.norm.upper


def test_one_compilation_serves_every_point():
    function, params, x, _ = CASES["mlp"]
    program = as_model(function, params).at(None, x)[0]
    again = as_model(function, jax.tree.map(lambda a: 2 * a, params)).at(None, -x)[0]
    assert program is again
    assert lowrank.operator(program) is lowrank.operator(again)


def test_a_function_without_a_hash_is_measured_all_the_same():
    class Scaled:
        __hash__ = None

        def __eq__(self, other):
            return self is other

        def __call__(self, p, x):
            return jnp.sum(jnp.tanh(p @ x))

    p, x = gaussian(3, 4), gaussian(4)
    value = np.max(np.abs(dense_eigenvalues(Scaled(), p, x)))
    assert numerics.hessian_norm(Scaled(), x, p).value == pytest.approx(value, rel=1e-12)
    assert numerics.gradient_descent(Scaled(), x[None], [0.5], steps=2, params=p).steps == 2


def test_descent_is_compiled_once_for_a_function():
    function, params, *_ = CASES["mlp"]
    one, other = (
        _trained(as_model(function, jax.tree.map(lambda a, k=k: k * a, params)), None, 0)[0]
        for k in (1, 2)
    )
    assert one is other


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((mlp, gaussian(5)), "params is missing"),
        ((3, gaussian(5), TWO), "neither a model"),
        ((mlp, gaussian(5), {"W": 3}), r"\['W'\] is int"),
        ((mlp, gaussian(5), {"W": np.arange(3)}), r"\['W'\] is int64"),
        ((mlp, gaussian(5), {}), "no arrays"),
        ((lambda p, x: (p, p), 1.0, gaussian(2)), "returns float64"),
        ((lambda p, x: p > x, 1.0, gaussian(2)), "returns bool"),
    ],
)
def test_what_is_no_function_of_parameters_is_refused(arguments, message):
    with pytest.raises(FunctionError, match=message):
        numerics.hessian_norm(*arguments)


def test_outputs_are_chosen_and_counted():
    def two(p, x):
        return jnp.stack([jnp.sum(jnp.sin(p * x)), jnp.sum(p**2)])

    p, x = gaussian(3), gaussian(3)
    assert numerics.hessian_norm(two, x, p, output=1).value == pytest.approx(2, rel=1e-15)
    with pytest.raises(FunctionError, match="output=2; this function has 2"):
        numerics.hessian_norm(two, x, p, output=2)
    with pytest.raises(FunctionError, match="counted from 0"):
        numerics.hessian_norm(two, x, p, output=-1)


def test_shapes_of_other_points_are_checked():
    with pytest.raises(FunctionError, match="structure"):
        numerics.linearization_gap(mlp, gaussian(5), {"a": gaussian(2)}, CASES["mlp"][1])
    wrong = {**CASES["mlp"][1], "b": gaussian(3)}
    with pytest.raises(FunctionError, match=r"\['b'\] has shape \(3,\); it needs \(9,\)"):
        numerics.linearization_gap(mlp, gaussian(5), wrong, CASES["mlp"][1])
    with pytest.raises(FunctionError, match="stack the inputs"):
        numerics.tangent_kernel(mlp, np.float64(1.0), CASES["mlp"][1])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_named(value):
    params = {**CASES["mlp"][1], "b": np.full(9, value)}
    with pytest.raises(SpectralError, match=r"parameter \['b'\]"):
        numerics.hessian_norm(mlp, gaussian(5), params)
    with pytest.raises(SpectralError, match="infinite or NaN"):
        numerics.hessian_norm(mlp, np.full(5, value), CASES["mlp"][1])


def test_a_linear_function_has_no_curvature():
    norm = numerics.hessian_norm(lambda p, x: p @ x, gaussian(4), gaussian(4))
    assert norm.value == norm.lower == 0
    assert norm.upper < 1e-300
