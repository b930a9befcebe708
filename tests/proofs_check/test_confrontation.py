"""Functions of one's own held against theorems by way of their descriptions."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import numerics
import proofs_check
import theory
from proofs_check.confrontation import ConfrontationError, confront
from proofs_check.data import InputError

M, K = theory.width("m"), theory.width("k")
NET = theory.Network(
    theory.Input(5), theory.Dense(M), theory.Activation("tanh"),
    theory.Dense(K), theory.Activation("softplus"), theory.Readout(trainable=True),
)  # fmt: skip


def gaussian(*shape):
    return np.random.default_rng(shape).standard_normal(shape)


PARAMS = {"a": gaussian(12, 5), "b": gaussian(12, 9), "c": gaussian(9)}


def mine(p, x):
    hidden = jnp.tanh(p["a"] @ x / np.sqrt(5))
    return p["c"] @ jax.nn.softplus(hidden @ p["b"] / np.sqrt(12)) / 3


def test_a_function_and_the_theorem_about_its_description():
    theorem = theory.hessian_bound(NET)
    found = confront(mine, PARAMS, theorem, gaussian(3, 5))
    assert found.verdict == "consistent"
    assert list(found.matched) == ["['a']", "['b']", "['c']"]
    assert found.difference < 1e-14
    for check, norm in zip(found.checks, found.norms, strict=True):
        assert check.outcome == "holds"
        assert check.measured.lower <= norm.upper
        assert norm.lower <= check.measured.upper
        assert 1 <= check.ratio < 20
    assert "values agree" in str(found)
    assert proofs_check.confront is confront


def test_on_a_ball_and_at_other_parameters():
    theorem = theory.hessian_bound(NET, radius="R")
    far = jax.tree.map(lambda a: 3 * a, PARAMS)
    near, away = (confront(mine, p, theorem, gaussian(5), radius=0.5) for p in (PARAMS, far))
    assert near.verdict == away.verdict == "consistent"
    assert near.checks[0].bound.value != away.checks[0].bound.value
    assert near.checks[0].ball


def test_a_false_statement_is_found_out_on_the_function():
    sharper = proofs_check.Conjecture.scaled(theory.hessian_bound(NET), Fraction(1, 20))
    assert confront(mine, PARAMS, sharper, gaussian(5)).verdict == "violated"


def test_a_convolution_whose_kernel_is_stored_otherwise():
    net = theory.Network(
        theory.Input((2, 6)), theory.Conv(M, 3), theory.Activation("tanh"),
        theory.Flatten(), theory.Readout(trainable=False),
    )  # fmt: skip
    model = numerics.instantiate(net, {M: 4}, seed=0)
    readout = gaussian(4 * 6)

    def function(p, x):
        padded = jnp.concatenate([x[:, -1:], x, x[:, :1]], axis=1)  # circular
        z = jax.lax.conv_general_dilated(
            padded[None], p, (1,), "VALID", dimension_numbers=("NCH", "HIO", "NCH")
        )
        return jnp.ravel(jnp.tanh(z / np.sqrt(6))) @ readout / np.sqrt(24)

    theorem = theory.hessian_bound(net)
    found = confront(function, gaussian(3, 2, 4), theorem, gaussian(2, 2, 6), readout=readout)
    assert found.verdict == "consistent"
    assert model.params["W"][0].shape == (4, 6)


@pytest.mark.parametrize(
    ("function", "params", "message"),
    [
        (lambda p, x: mine(p, x) * 2, PARAMS, "everywhere the ratio is 2"),
        (lambda p, x: p["c"] @ jax.nn.softplus(jnp.tanh(p["a"] @ x) @ p["b"]), PARAMS, "NTK param"),
        (lambda p, x: mine(p, x) + p["d"], {**PARAMS, "d": gaussian()}, r"\['d'\] is used in"),
        (lambda p, x: mine(p, x), {**PARAMS, "d": gaussian(2)}, r"\['d'\] is not used"),
        (lambda p, x: p["c"] @ jnp.tanh(p["a"] @ x), {"a": gaussian(9, 5), "c": gaussian(9)},
         "has 3 trained weights, and the function has 2"),
        (lambda p, x: mine({**p, "a": p["a"][:, :5]}, x), {**PARAMS, "a": gaussian(12, 6)},
         r"\['a'\] is used in `slice`"),
    ],
)  # fmt: skip
def test_what_is_not_the_network_is_refused_with_the_reason(function, params, message):
    with pytest.raises(ConfrontationError, match=message):
        confront(function, params, theory.hessian_bound(NET), gaussian(5))


@jax.custom_vjp
def straight_through(z):
    return jnp.tanh(z)


straight_through.defvjp(
    lambda z: (jnp.tanh(z), z), lambda z, g: (jnp.where(jnp.abs(z) < 1, g, jnp.zeros_like(g)),)
)


@pytest.mark.parametrize(
    "activation", [lambda z: jax.lax.stop_gradient(jnp.tanh(z)), straight_through]
)
def test_the_values_of_the_network_with_other_derivatives_are_refused(activation):
    def function(p, x):
        hidden = activation(p["a"] @ x / np.sqrt(5))
        return p["c"] @ jax.nn.softplus(hidden @ p["b"] / np.sqrt(12)) / 3

    with pytest.raises(ConfrontationError, match=r"another derivative by \['a'\]"):
        confront(function, PARAMS, theory.hessian_bound(NET), gaussian(5))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (gaussian(6), r"shape \(6,\); give \(5,\)"),
        (np.zeros((0, 5)), r"shape \(0, 5\)"),
        (np.full(5, np.nan), "not a number"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(inputs, message):
    with pytest.raises(InputError, match=message):
        confront(mine, PARAMS, theory.hessian_bound(NET), inputs)


def test_widths_that_do_not_fit_are_refused():
    equal = theory.Network(
        theory.Input(5), theory.Dense(M), theory.Activation("tanh"),
        theory.Dense(M), theory.Activation("softplus"), theory.Readout(trainable=True),
    )  # fmt: skip
    with pytest.raises(ConfrontationError, match=r"\['b'\] has a side of 9"):
        confront(mine, PARAMS, theory.hessian_bound(equal), gaussian(5))


def test_a_fixed_readout_has_to_be_given():
    net = theory.Network(
        theory.Input(5), theory.Dense(M), theory.Activation("tanh"),
        theory.Readout(trainable=False),
    )  # fmt: skip
    v = gaussian(7)

    def function(p, x):
        return v @ jnp.tanh(p @ x / np.sqrt(5)) / np.sqrt(7)

    theorem, x = theory.hessian_bound(net), gaussian(5)
    assert confront(function, gaussian(7, 5), theorem, x, readout=v).verdict == "consistent"
    with pytest.raises(ConfrontationError, match="give readout="):
        confront(function, gaussian(7, 5), theorem, x)
    with pytest.raises(ConfrontationError, match="leave it out"):
        confront(mine, PARAMS, theory.hessian_bound(NET), x, readout=v)
    with pytest.raises(ConfrontationError, match="has 7 entries, give as many"):
        confront(function, gaussian(7, 5), theorem, x, readout=v[:3])


def test_of_several_outputs_the_first_is_judged():
    net = theory.Network(
        theory.Input(5), theory.Dense(M), theory.Activation("tanh"),
        theory.Readout(trainable=True, outputs=2),
    )  # fmt: skip
    params = {"a": gaussian(9, 5), "c": gaussian(2, 9)}

    def function(p, x):
        return p["c"] @ jnp.tanh(p["a"] @ x / np.sqrt(5)) / 3

    theorem, x = theory.hessian_bound(net), gaussian(5)
    assert confront(function, params, theorem, x).verdict == "consistent"
    with pytest.raises(ConfrontationError, match="2 outputs, of which number 0 is judged"):
        confront(function, params, theorem, x, output=1)


def test_models_go_elsewhere():
    model = numerics.instantiate(NET, {M: 3, K: 3})
    with pytest.raises(ConfrontationError, match=r"proofs_check\.verify"):
        confront(model, None, theory.hessian_bound(NET), gaussian(5))


def test_a_function_with_other_second_derivatives_is_refused():
    """Its values and gradients are those of the network; only the rule for the slope is not."""

    @jax.custom_jvp
    def slope(z):
        return 1 - jnp.tanh(z) ** 2

    slope.defjvp(lambda values, moves: (slope(*values), 0 * moves[0]))

    @jax.custom_jvp
    def flat(z):
        return jnp.tanh(z)

    flat.defjvp(lambda values, moves: (flat(*values), slope(values[0]) * moves[0]))

    def function(p, x):
        hidden = flat(p["a"] @ x / np.sqrt(5))
        return p["c"] @ jax.nn.softplus(hidden @ p["b"] / np.sqrt(12)) / 3

    with pytest.raises(ConfrontationError, match="with the same values and gradients"):
        confront(function, PARAMS, theory.hessian_bound(NET), gaussian(5))
