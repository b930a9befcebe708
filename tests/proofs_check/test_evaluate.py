"""Every term of the kernel's language has the measurement that it should have."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import jax
import numpy as np
import pytest

import numerics
import theory
from proofs_check.measuring import derivatives, precise
from proofs_check.measuring.evaluate import (
    Comparison,
    Environment,
    EvaluationError,
    evaluate,
    measure,
)
from proofs_check.measuring.operators import Operator
from theory.lemmas import fact, real_variable, vector_variable
from theory.networks import Activation, Dense, Input, Network, Readout
from theory.proofs import linearize
from theory.terms import (
    PARAMS,
    SCALAR,
    Term,
    add,
    dot,
    eq,
    inv_root,
    le,
    make,
    minus,
    mul,
    norm,
    plus,
    power,
    rat,
    transpose,
)
from theory.vocabulary import (
    CENTRE,
    INPUT,
    POINT,
    RADIUS,
    READOUT,
    activation,
    block,
    curvature,
    gradient,
    hessian,
    layer,
    lipschitz,
    output,
    parameters,
    preactivation,
    readout_weights,
    sigma,
    signal,
    slope,
    symbol,
    tolerance,
    weights,
    weights_space,
    width,
)


def network(*sizes: int, trained: bool = True, name: str = "tanh") -> numerics.Model:
    dim, *rest = sizes
    parts = [part for size in rest for part in (Dense(size), Activation(name))]
    return numerics.instantiate(Network(Input(dim), *parts, Readout(trainable=trained)), seed=3)


MODEL = network(3, 4, 2, 5)
X = np.array([0.4, -1.0, 2.0])
THETA = derivatives.flatten(MODEL.params)
FAR = {"W": tuple(w + 0.1 for w in MODEL.params["W"]), "v": MODEL.params["v"] - 0.2}


@pytest.fixture(scope="module")
def env() -> Environment:
    return Environment(MODEL, points={"theta": FAR}, inputs={"x": X}, reals={"R": 2.0})


def array(term: Term, env: Environment) -> np.ndarray:
    found = evaluate(term, env)
    assert isinstance(found, Operator)
    return found.form()


def function(name: str, index: int) -> Any:
    arch = derivatives.architecture(MODEL)

    def run(theta: jax.Array) -> jax.Array:
        params = derivatives.unflatten(theta, arch)
        alpha = X
        for number, weight in enumerate(params["W"], start=1):
            z = weight @ alpha / np.sqrt(len(alpha))
            if (name, number) == ("z", index):
                return z
            alpha = jax.numpy.tanh(z)
            if (name, number) == ("alpha", index):
                return alpha
        return (params["v"] @ alpha / np.sqrt(len(alpha)))[None]

    return run


# -- operators ------------------------------------------------------------------------------------


def test_the_symbols_of_a_network_are_its_arrays(env: Environment) -> None:
    run = numerics.trace(MODEL, X)
    for index in (1, 2, 3):
        assert np.allclose(array(weights(index, CENTRE), env), MODEL.params["W"][index - 1])
        for term, value in (
            (activation(index, CENTRE, INPUT), run.alpha[index]),
            (preactivation(index, CENTRE, INPUT), run.z[index - 1]),
            (signal(index, CENTRE, INPUT), run.delta[index - 1]),
        ):
            assert np.allclose(array(term, env)[:, 0], value, rtol=1e-12, atol=1e-15)
    assert np.allclose(array(activation(0, CENTRE, INPUT), env)[:, 0], X)
    assert np.allclose(array(output(CENTRE, INPUT), env), run.f)
    assert np.allclose(array(readout_weights(3, POINT), env)[:, 0], FAR["v"])
    assert np.allclose(array(parameters(POINT), env)[:, 0], derivatives.flatten(FAR))


def test_a_fixed_readout_has_no_point() -> None:
    model = network(2, 3, trained=False)
    env = Environment(model, inputs={"x": X[:2]})
    assert np.allclose(array(readout_weights(1, None), env)[:, 0], model.readout)
    with pytest.raises(EvaluationError, match="fixed, and does not differ"):
        evaluate(readout_weights(1, CENTRE), env)


def test_weights_are_vectorised_row_by_row(env: Environment) -> None:
    alpha, p, y = (np.random.default_rng(i).standard_normal(n) for i, n in enumerate((4, 2, 4)))
    vec = make("var", "V", "op", weights_space(2), SCALAR)
    a, b, c = (vector_variable(n, layer(i)) for n, i in (("a", 1), ("p", 2), ("y", 1)))
    matrix = np.random.default_rng(9).standard_normal((2, 4))
    bound = env.binding({vec: matrix.ravel(), a: alpha, b: p, c: y})
    acted = dot(make("kron", make("id", layer(2)), transpose(a)), vec)
    assert np.allclose(array(acted, bound)[:, 0], matrix @ alpha)
    spread = dot(make("kron", b, make("id", layer(1))), c)
    assert np.allclose(array(spread, bound)[:, 0], np.outer(p, y).ravel())
    whole = derivatives.flatten(MODEL.params)
    picked = array(dot(block(2, 3), parameters(CENTRE)), env)[:, 0]
    assert np.array_equal(picked, np.asarray(MODEL.params["W"][1]).ravel())
    last = array(dot(block(READOUT, 3), parameters(CENTRE)), env)[:, 0]
    assert np.array_equal(last, whole[-5:])


@pytest.mark.parametrize(("name", "index"), [("z", 1), ("z", 3), ("alpha", 2), ("f", 0)])
def test_derivatives_are_those_of_the_network(env: Environment, name: str, index: int) -> None:
    build = {"z": preactivation, "alpha": activation}
    term = build[name](index, CENTRE, INPUT) if name in build else output(CENTRE, INPUT)
    run = function(name, index)
    jacobian = jax.jacobian(run)(THETA)
    assert np.allclose(array(make("jac", term, CENTRE), env), jacobian, rtol=1e-11, atol=1e-13)
    c = np.random.default_rng(1).standard_normal(len(jacobian))
    covector = vector_variable("c", term.rows)
    bent = jax.hessian(lambda t: run(t) @ c)(THETA)
    found = array(make("hess", covector, term, CENTRE), env.binding({covector: c}))
    assert np.allclose(found, bent, rtol=1e-11, atol=1e-13)


def test_functions_that_are_no_layer_are_differentiated_too(env: Environment) -> None:
    z = preactivation(2, CENTRE, INPUT)
    below = activation(1, CENTRE, INPUT)
    pairs = [
        (make("scale", inv_root(width(1)), dot(weights(2, CENTRE), below)), z),
        (minus(plus(z, z, z), plus(z, z)), z),
        (sigma(2, 0, make("neg", make("neg", z))), activation(2, CENTRE, INPUT)),
        (dot(transpose(make("id", layer(2))), make("diag", z), _ones(2)), z),
        (dot(block(2, 3), parameters(CENTRE)), None),
    ]
    covector = _ones(2)
    for built, layer_term in pairs:
        left = evaluate(make("jac", built, CENTRE), env)
        right = block(2, 3) if layer_term is None else make("jac", layer_term, CENTRE)
        assert evaluate(eq(make("jac", built, CENTRE), right), env), left
        if layer_term is not None:
            bent = [make("hess", covector, t, CENTRE) for t in (built, layer_term)]
            assert evaluate(eq(*bent), env)


def _ones(index: int) -> Term:
    """A vector of sigma'' = 0 plus one, without any variable: (D^-1 ...) is not in the language."""
    zero = make("zero", layer(index), SCALAR)
    return make("act", 1, 1, zero)  # tanh'(0) = 1


def test_a_constant_has_no_derivative(env: Environment) -> None:
    c = vector_variable("c", layer(2))
    assert not array(make("jac", c, CENTRE), env.binding({c: np.ones(2)})).any()
    assert not array(make("hess", c, c, CENTRE), env.binding({c: np.ones(2)})).any()


def test_the_rest_of_the_language(env: Environment) -> None:
    w = array(weights(2, CENTRE), env)
    term = make("osum", "k", 1, 3, make("scale", width(make("index", "k", 0)), weights(2, CENTRE)))
    assert np.allclose(array(term, env), (4 + 2 + 5) * w)
    assert np.array_equal(array(make("zero", layer(2), layer(1)), env), np.zeros((2, 4)))
    assert np.array_equal(array(make("id", layer(3)), env), np.eye(5))
    z = array(preactivation(2, CENTRE, INPUT), env)[:, 0]
    assert np.allclose(array(slope(2, CENTRE, INPUT), env), np.diag(1 / np.cosh(z) ** 2))
    bent = array(sigma(2, 2, preactivation(2, CENTRE, INPUT)), env)[:, 0]
    assert np.allclose(bent, -2 * np.tanh(z) / np.cosh(z) ** 2)
    tensor = make("var", "T", "op", layer(2), make("tensor", layer(1), layer(3)))
    u = vector_variable("u", layer(2))
    slices = np.random.default_rng(0).standard_normal((2, 4, 5))
    bound = env.binding({tensor: slices.reshape(2, 20), u: np.array([1.0, -2.0])})
    assert np.allclose(array(make("contract", u, tensor), bound), slices[0] - 2 * slices[1])


def test_other_values_of_variables_share_what_has_none(env: Environment) -> None:
    c = vector_variable("c", layer(1))
    one, two = (env.binding({c: np.full(4, float(k))}) for k in (1, 2))
    assert evaluate(norm(c), one) == 2.0
    assert evaluate(norm(c), two) == 4.0
    assert evaluate(hessian(CENTRE, INPUT), one) is evaluate(hessian(CENTRE, INPUT), two)


def test_a_variable_without_a_value_is_gaussian_and_always_the_same(env: Environment) -> None:
    c = vector_variable("c", layer(1))
    assert np.array_equal(array(c, env), array(c, env.binding({})))
    assert len(np.unique(array(c, env))) == 4
    with pytest.raises(EvaluationError, match=r"needs the shape \(4, 1\), was given"):
        evaluate(c, env.binding({c: np.ones(3)}))


# -- reals ----------------------------------------------------------------------------------------


def test_reals(env: Environment) -> None:
    z = preactivation(3, CENTRE, INPUT)
    entries = array(z, env)[:, 0]
    w = np.asarray(MODEL.params["W"][1])
    expected = {
        norm(z): np.linalg.norm(entries),
        norm(z, "inf"): np.abs(entries).max(),
        norm(z, "1"): np.abs(entries).sum(),
        norm(weights(2, CENTRE)): np.linalg.norm(w, 2),
        symbol("s", 2, CENTRE): np.linalg.norm(w, 2) / 2,
        symbol("a", 0, CENTRE, INPUT): np.linalg.norm(X) / np.sqrt(3),
        symbol("q", 3): np.abs(np.asarray(MODEL.params["v"])).max() / np.sqrt(5),
        lipschitz(1): 1.0,
        curvature(2): 4 / (3 * np.sqrt(3)),
        RADIUS: 2.0,
        make("max", width(1), width(3)): 5,
        make("min", width(1), width(3)): 4,
        power(add(width(1), rat(1, 2)), Fraction(3, 2)): 4.5**1.5,
        mul(width(1), inv_root(width(1))): 2.0,
        make("specnorm", 2, rat(1), rat(2), rat(2), rat(1)): 3.0,
        norm(gradient(CENTRE, INPUT)): np.linalg.norm(jax.jacobian(function("f", 0))(THETA)),
        norm(hessian(CENTRE, INPUT)): numerics.hessian_norm(MODEL, X).value,
    }
    for term, value in expected.items():
        assert evaluate(term, env) == pytest.approx(value, rel=1e-12), term


def test_definitions_come_first_and_may_rest_on_each_other() -> None:
    bar, other = symbol("s_bar", 1, CENTRE, INPUT), symbol("E", 1, CENTRE, INPUT)
    definitions = (eq(bar, add(other, RADIUS)), eq(other, mul(RADIUS, RADIUS)))
    env = Environment(reals={RADIUS: 3.0, "s_bar": 100.0}, definitions=definitions)
    assert evaluate(bar, env) == 12.0
    circle = (eq(bar, add(other, RADIUS)), eq(other, bar))
    with pytest.raises(EvaluationError, match="has no value"):
        evaluate(bar, Environment(reals={"R": 1.0}, definitions=circle))


@pytest.mark.parametrize(
    ("term", "message"),
    [
        (tolerance(INPUT), "epsilon.* has no value: give its definition"),
        (norm(parameters(make("point", "theta9"))), "'theta9' has no parameters .*; give points="),
        (norm(activation(1, CENTRE, make("input", "y"))), "'y' has no value; give inputs="),
        (norm(activation(make("index", "l", 0), CENTRE, INPUT)), "give indices="),
        (norm(activation(7, CENTRE, INPUT)), "layer"),
        (real_variable("kappa"), "give variables="),
        (norm(make("op", "Q", SCALAR, SCALAR, 1)), "means nothing here"),
        (fact("riemann"), "no measurement of the hypothesis"),
        (make("point", "p"), "have measurements"),
        (make("id", make("space", "s")), "has no dimension here"),
    ],
)
def test_what_has_no_value_is_named(env: Environment, term: Term, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        evaluate(term, env)


def test_a_network_is_asked_for() -> None:
    with pytest.raises(EvaluationError, match="give Environment"):
        evaluate(norm(parameters(CENTRE)), Environment())


# -- formulas -------------------------------------------------------------------------------------


def test_comparisons() -> None:
    env = Environment(reals={"R": 2.0})
    low = evaluate(le(RADIUS, rat(4)), env)
    assert isinstance(low, Comparison)
    assert (low.slack, low.ratio, low.relative_slack, bool(low)) == (2.0, 0.5, 0.5, True)
    assert not evaluate(le(rat(4), RADIUS), env)
    assert not evaluate(eq(rat(4), RADIUS), env)
    assert evaluate(eq(rat(2), RADIUS), env)
    assert evaluate(le(rat(0), rat(0)), env).ratio == 1.0
    assert evaluate(le(RADIUS, rat(0)), env).ratio == np.inf
    nan = Comparison("le", np.nan, 1.0, np.nan, 0.0)
    assert not nan


def test_maps_of_equal_norms_are_not_equal(env: Environment) -> None:
    w = weights(2, CENTRE)
    result = evaluate(eq(w, make("neg", w)), env)
    assert isinstance(result, Comparison)
    assert result.left == result.right
    assert not result


def test_large_maps_are_compared_by_their_action() -> None:
    model = network(8, 12, 12)
    env = Environment(model, inputs={"x": np.ones(8)})
    whole = hessian(CENTRE, INPUT)
    assert evaluate(eq(whole, transpose(whole)), env)
    small = make("scale", rat(1, 10**6), dot(transpose(block(1, 2)), block(1, 2)))
    assert not evaluate(eq(whole, plus(whole, small)), env)
    assert not evaluate(eq(whole, make("zero", PARAMS, PARAMS)), env)


def test_statements_about_indices(env: Environment) -> None:
    index = make("index", "l", 0)
    large = le(width(index), rat(4))
    result = evaluate(make("forall", "l", 1, 3, large), env)
    assert isinstance(result, Comparison)
    assert (result.left, bool(result)) == (5.0, False)
    tight = evaluate(make("forall", "l", 1, 2, large), env)
    assert isinstance(tight, Comparison)
    assert (tight.left, bool(tight)) == (4.0, True)
    assert evaluate(make("forall", "l", 3, 2, large), env) is True
    assert evaluate(make("forall", "l", 1, 3, fact("dense", index)), env) is True
    assert evaluate(make("range", 2, 1, 3), env) is True
    assert evaluate(make("range", 4, 1, 3), env) is False
    placed = Environment(MODEL, indices={"l": 2, "L": 3})
    assert evaluate(width(index), placed) == 2
    assert evaluate(make("forall", "l", 1, make("index", "L", 0), large), placed).left == 5.0


def test_statements_about_a_ball_are_tried_at_the_known_points() -> None:
    moved = norm(minus(parameters(make("point", "*")), parameters(CENTRE)))
    ball = make("ball", "*", CENTRE, RADIUS, le(moved, rat(1)))
    samples = [
        {"W": tuple(w + t for w in MODEL.params["W"]), "v": MODEL.params["v"]} for t in (0.1, 0.3)
    ]
    near, far = (t * np.sqrt(30) for t in (0.1, 0.3))
    for radius, left in ((0.5, 0.0), (1.0, near), (2.0, far)):
        env = Environment(MODEL, reals={"R": radius}, ball_points=samples)
        result = evaluate(ball, env)
        assert isinstance(result, Comparison)
        assert result.left == pytest.approx(left)
        assert bool(result) == (left <= 1)


def test_facts(env: Environment) -> None:
    true = [
        fact("dense", 3),
        fact("pointwise", 1),
        fact("smooth", 2),
        fact("bounded", 1, 2),
        fact("parameters", 3, "trained"),
        fact("readout", "trained", 3),
        fact("input"),
        fact("twice_differentiable", INPUT),
    ]
    false = [
        fact("dense", 4),
        fact("dense", 0),
        fact("parameters", 3, "fixed"),
        fact("readout", "trained", 2),
        fact("parameters", 2, "trained"),
    ]
    assert all(evaluate(f, env) for f in true)
    assert not any(evaluate(f, env) for f in false)
    square = Environment(network(2, 2, name="square"))
    assert not evaluate(fact("bounded", 1, 1), square)
    assert evaluate(fact("bounded", 1, 2), square)


# -- proofs, and precision ------------------------------------------------------------------------


@pytest.mark.parametrize(("sizes", "trained"), [((3, 4, 2, 5), True), ((9, 9, 8), False)])
def test_no_line_of_the_main_theorem_is_false(sizes: tuple[int, ...], trained: bool) -> None:
    model = network(*sizes, trained=trained)
    far = numerics.perturb(model, 0.5, seed=1)
    for theorem, point in (
        (theory.hessian_bound(model.net, radius="R"), far),
        (theory.hessian_bound(model.net), model.params),
    ):
        env = Environment(
            model,
            points={"theta": point, "p": point},
            reals={"R": 0.5},
            inputs={"x": np.linspace(-1, 1, sizes[0]), "u": np.ones(sizes[0])},
            indices={"l": 1, "L": len(sizes) - 1},
            definitions=theorem.definitions,
        )
        lines = linearize(theorem.judgement)
        assert len(lines) > 200
        for line in lines:
            assert evaluate(line.conclusion, env), line
        sides = theorem.statement.args
        assert not evaluate(le(mul(rat(10**4), sides[0]), sides[1]), env)


CASES = [("tanh", 1.0), ("tanh", 40.0), ("gelu", 3.0), ("silu", 1e-3), ("t*exp(-t^2)", 1.0)]


@pytest.mark.parametrize(("name", "scale"), CASES)
def test_stated_errors_cover_the_truth(name: str, scale: float) -> None:
    model = network(2, 3, 2, name=name)
    x = scale * np.array([0.7, -1.1])
    env = Environment(model, inputs={"x": x})
    exact = precise.measure(model, x)
    for index in (1, 2):
        for statistic in ("s", "a", "g", "q", "h", "c"):
            found = measure(symbol(statistic, index), env)
            assert abs(found.value - exact[statistic, index]) <= found.error, (statistic, index)
            assert found.error <= 1e-10 * max(found.value, 1e-6)
    for term, key in (
        (norm(hessian(CENTRE, INPUT)), "hessian_norm"),
        (norm(gradient(CENTRE, INPUT)), "gradient_norm"),
        (norm(output(CENTRE, INPUT)), "output"),
    ):
        found = measure(term, env)
        assert abs(found.value - abs(exact[key])) <= found.error
        assert found.error <= 1e-10 * max(found.value, 1e-6)
