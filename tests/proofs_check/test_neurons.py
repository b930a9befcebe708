"""B5: every neuron of every layer, measured; for depths 1 to 8 and many small networks."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numerics
import proofs_check
import theory
from proofs_check.measuring.environment import Environment
from proofs_check.measuring.evaluate import Comparison, evaluate
from proofs_check.measuring.graph_environment import GraphEnvironment
from proofs_check.measuring.graph_models import GraphArchitecture, GraphModel
from proofs_check.neurons import below, measure_neuron
from theory.ledger.neurons import neuron_on_ball
from theory.lemmas import vector_variable
from theory.lemmas.networks import TARGET
from theory.proofs import linearize
from theory.terms import add, eq, le, make, mul, rat, substitute
from theory.vocabulary import layer

B5, IDENTITY = (theory.catalog[f"LZB22/{n}"] for n in ("B5", "B5-identity"))
ACTIVATIONS = ("tanh", "sigmoid", "softplus", "erf", "sin")


def network(widths, names, *, trainable=False):
    parts = [theory.Input(widths[0])]
    for m, name in zip(widths[1:], names, strict=True):
        parts += [theory.Dense(m), theory.Activation(name)]
    return theory.Network(*parts, theory.Readout(trainable=trainable))


def world(model, x, n, covector):
    """The environment of a network for a neuron of layer n + 1."""
    variable = substitute(vector_variable("c", layer(make("index", "n", 1))), {TARGET: n})
    return Environment(
        model,
        points={"theta": model.params},
        inputs={"x": x},
        indices={"n": n, "l": max(n, 1)},
        variables={variable: covector},
    )


def deep(depth, seed=0):
    widths = (3, *[2 + (k * 7) % 3 for k in range(depth)])
    names = [ACTIVATIONS[k % len(ACTIVATIONS)] for k in range(depth)]
    model = numerics.instantiate(network(widths, names, trainable=seed % 2 == 1), seed=seed)
    return model, np.random.default_rng(seed).standard_normal(3)


def dense_hessian(model, x, which, k):
    """Of z_k^l by the weights of layers 1..l, by automatic differentiation."""
    weights = [np.asarray(w) for w in model.params["W"][:which]]
    sizes = np.cumsum([0, *[w.size for w in weights]])

    def neuron(theta):
        alpha = jnp.asarray(x)
        for i, w in enumerate(weights):
            matrix = theta[sizes[i] : sizes[i + 1]].reshape(w.shape)
            z = matrix @ alpha / np.sqrt(w.shape[1])
            alpha = numerics.jax_function(model.net.activations[i])(z)
        return z[k]

    theta = jnp.concatenate([jnp.asarray(w).ravel() for w in weights])
    return np.asarray(jax.jit(jax.hessian(neuron))(theta))


@pytest.mark.parametrize("depth", range(2, 9))
def test_every_neuron_of_deep_networks(depth):
    model, x = deep(depth)
    for which in range(2, depth + 1):
        for k in range(model.widths[which]):
            report = measure_neuron(model, which, k, x)
            assert report.hessian.upper <= report.bound * (1 + 1e-12)


def test_the_first_layer_is_linear_in_its_weights():
    model, x = deep(1)
    env = world(model, x, 0, np.eye(model.widths[1])[0])
    found = evaluate(B5.statement, env)
    assert found.left == found.right == 0.0
    with pytest.raises(ValueError, match="no neuron 0 of layer 1"):
        below(model, 1, 0)
    with pytest.raises(ValueError, match="layers 2 to 1"):
        below(model, 2, 0)


@pytest.mark.parametrize("which", [2, 3])
def test_the_measured_norm_is_that_of_the_dense_hessian(which):
    model, x = deep(3)
    dense = np.linalg.norm(dense_hessian(model, x, which, 1), 2)
    found = measure_neuron(model, which, 1, x).hessian
    assert found.value == pytest.approx(dense, rel=1e-9)


@pytest.mark.parametrize("n", [1, 2])
def test_bound_and_identity_by_two_roads(n):
    """The statement evaluated term by term with JAX is the bound evaluated from statistics."""
    model, x = deep(3)
    for k in range(model.widths[n + 1]):
        env = world(model, x, n, np.eye(model.widths[n + 1])[k])
        found, report = evaluate(B5.statement, env), measure_neuron(model, n + 1, k, x)
        assert found
        assert found.right == pytest.approx(report.bound, rel=1e-10)
        assert found.left == pytest.approx(report.hessian.value, rel=1e-8)
        assert evaluate(IDENTITY.statement, env)


def test_every_line_of_the_proof_holds_on_a_network():
    model, x = deep(3)
    env = world(model, x, 2, np.random.default_rng(0).standard_normal(model.widths[3]))
    tried = 0
    for step in linearize(B5.judgement):
        points = {v.args[0] for v in step.conclusion.free if v.head in ("point", "input")}
        loose = {v for v in step.conclusion.free if v.head == "var"} - {_covector()}
        if loose or not points <= {"theta", "x"} or step.rule == "hypothesis":
            continue
        if not all(evaluate(h, env) for h in step.hypotheses):
            continue
        found = evaluate(step.conclusion, env)
        assert found, step
        tried += isinstance(found, Comparison)
    assert tried > 5


def _covector():
    return vector_variable("c", layer(make("index", "n", 1)))


@settings(max_examples=25, deadline=None)
@given(
    widths=st.lists(st.integers(1, 4), min_size=3, max_size=5),
    names=st.lists(st.sampled_from(ACTIVATIONS), min_size=4, max_size=4),
    seed=st.integers(0, 1000),
    size=st.sampled_from([0.0, 1e-6, 1.0, 1e3]),
)
def test_the_bound_holds_for_random_networks(widths, names, seed, size):
    model = numerics.instantiate(network(widths, names[: len(widths) - 1]), seed=seed)
    x = size * np.random.default_rng(seed).standard_normal(widths[0])
    which = len(widths) - 1
    report = measure_neuron(model, which, 0, x)
    slack = 1e-9 * report.bound + 1e-300
    assert report.hessian.lower <= report.bound + slack


def test_the_bound_means_something():
    """Within five times the truth in layer 2, within fifteen in layer 3, at width 256."""
    net = theory.reference_network(3, inputs=8)
    model = numerics.instantiate(net, {"m": 256}, seed=0)
    x = np.random.default_rng(0).standard_normal(8)
    for which, factor in ((2, 5), (3, 15)):
        report = measure_neuron(model, which, 0, x)
        assert report.hessian.value <= report.bound <= factor * report.hessian.value


def test_permuting_the_neurons_below_changes_nothing():
    model, x = deep(3)
    first, second, third = map(np.asarray, model.params["W"])
    order = np.random.default_rng(0).permutation(len(first))
    turned = (jnp.asarray(first[order]), jnp.asarray(second[:, order]), jnp.asarray(third))
    other = type(model)(
        model.net, {**model.params, "W": turned}, model.readout, model.seed, model.dtype
    )
    a, b = (measure_neuron(m, 3, 0, x) for m in (model, other))
    assert a.bound == pytest.approx(b.bound, rel=1e-12)
    assert a.hessian.value == pytest.approx(b.hessian.value, rel=1e-10)


FALSE = {
    "without the weights of its own layer": lambda a, b: le(a, b.args[0]),
    "without the layers below": lambda a, b: le(a, b.args[1]),
    "the other way round": lambda a, b: le(b, a),
    "a tenth of the curvature": lambda a, b: le(a, add(mul(rat(1, 10), b.args[0]), b.args[1])),
}


@pytest.mark.parametrize("how", FALSE)
def test_a_false_neighbour_is_refuted(how):
    statement = FALSE[how](*B5.statement.args)
    found = []
    model = numerics.instantiate(network((3, 2, 2), ["sin", "sin"]), seed=0)
    for scale in (0.01, 1.0, 100.0):
        env = world(model, scale * np.array([0.5, -1.0, 2.0]), 1, np.eye(2)[0])
        found.append(bool(evaluate(statement, env)))
    assert not all(found)


def test_the_identity_needs_both_cross_terms():
    left, right = IDENTITY.statement.args
    scale, (cross, _) = right.args[1].args[0], right.args[1].args[1].args
    model, x = deep(2)
    env = world(model, x, 1, np.eye(model.widths[2])[0])
    assert evaluate(eq(left, right), env)
    one_sided = make("plus", right.args[0], make("scale", scale, cross))
    assert not evaluate(eq(left, one_sided), env)


def test_the_proof_is_accepted_for_every_depth_at_once():
    for thm in (B5, IDENTITY):
        report = proofs_check.check(thm)
        assert report.ok, report
        assert TARGET in thm.statement.free


# -- described networks ---------------------------------------------------------------------------


@pytest.mark.parametrize("which", [2, 3])
def test_the_order_of_a_described_network(which):
    thm = theory.neuron_bound(theory.reference_network(3), which)
    assert proofs_check.check(thm).ok
    assert str(thm.order) == "O(m^(-1/2) (log m)^(1/2))"
    assert all(h.head != "forall" for h in thm.judgement.hypotheses)
    assert thm.to_latex(document=True).count("assumed") >= 2 * which
    assert f"m_{which - 1}" in repr(thm)


def test_a_narrow_layer_below_shows_in_the_order():
    m, b = theory.width("m"), theory.width("b")
    net = theory.Network(
        theory.Input(4),
        theory.Dense(m),
        theory.Activation("tanh"),
        theory.Dense(b),
        theory.Activation("tanh"),
        theory.Dense(m),
        theory.Activation("tanh"),
        theory.Readout(),
    )
    assert theory.neuron_bound(net, 3).order.growth.monomials  # in m and in b
    text = str(theory.neuron_bound(net, 3).order)
    assert "b^(-1/2)" in text


@pytest.mark.parametrize("which", [0, 1, 4, "2"])
def test_layers_without_a_statement_are_refused(which):
    with pytest.raises(theory.HypothesisError, match="layers 2 to 3"):
        theory.neuron_bound(theory.reference_network(3), which)


def test_unbounded_activations_are_refused():
    net = theory.reference_network(2, activation="square")
    with pytest.raises(theory.HypothesisError, match="square"):
        theory.neuron_bound(net, 2)


def test_the_bound_of_a_described_network_is_the_one_measured():
    model, x = deep(3)
    thm = theory.neuron_bound(model.net, 3)
    variable = next(v for v in thm.statement.free if v.head == "var")
    env = Environment(
        model,
        points={"theta0": model.params},
        inputs={"x": x},
        variables={variable: np.eye(model.widths[3])[0]},
    )
    found = evaluate(thm.statement, env)
    assert found
    assert found.right == pytest.approx(measure_neuron(model, 3, 0, x).bound, rel=1e-10)
    assert all(evaluate(h, env) for h in thm.judgement.hypotheses)


# -- on a ball, for the layers of a described network ----------------------------------------------

SMALL = theory.Network(
    theory.Input(3),
    theory.Dense(4),
    theory.Activation("tanh"),
    theory.Dense(3),
    theory.Activation("sin"),
    theory.Dense(2),
    theory.Activation("softplus"),
    theory.Readout(),
)


architecture = cache(GraphArchitecture)  # each compiles once


def neuron_place(thm, model, x, k, radius, seed):
    """The environment of neuron k as an output, at the centre and at a point of the ball."""
    arch = architecture(thm.graph, k)
    count = len([n for n in thm.graph.nodes if n.index in arch.blocks])
    params = tuple(np.asarray(w) for w in model.params["W"][:count])
    random = np.random.default_rng(seed)
    steps = [random.standard_normal(w.shape) for w in params]
    length = np.sqrt(sum(float((s * s).sum()) for s in steps))
    far = tuple(w + radius * (1 - 1e-12) / length * s for w, s in zip(params, steps, strict=True))
    return GraphEnvironment(
        GraphModel(arch, params, {}, seed),
        {"theta0": params, "theta": far},
        {"x": x},
        {"R": radius},
        definitions=thm.definitions,
    )


@pytest.mark.parametrize("which", [2, 3])
@pytest.mark.parametrize("radius", [0.0, 0.3, 3.0])
def test_every_neuron_is_bounded_on_the_ball(which, radius):
    thm = neuron_on_ball(SMALL, which)
    assert proofs_check.check(thm).ok
    model = numerics.instantiate(SMALL, seed=which)
    x = np.random.default_rng(which).standard_normal(3)
    for k in range(SMALL.widths[which]):
        env = neuron_place(thm, model, x, k, radius, seed=k)
        assert all(evaluate(h, env) for h in thm.judgement.hypotheses)
        found = evaluate(thm.statement, env)
        assert found
        if radius == 0.0:
            exact = np.linalg.norm(dense_hessian(model, x, which, k), 2)
            assert found.left == pytest.approx(exact, rel=1e-7)
            assert found.ratio > 1 / 20


def test_a_neurons_bound_at_the_centre_is_not_one_on_the_ball():
    """Around zero weights, where the bound at the centre is attained, the norm grows."""
    centre, ball = (neuron_on_ball(SMALL, 2, radius) for radius in (None, "R"))
    nothing = SimpleNamespace(params={"W": [np.zeros((4, 3)), np.zeros((3, 4))]})
    exceeded = 0
    for seed in range(6):
        still = neuron_place(centre, nothing, np.ones(3), 0, 0.5, seed)
        env = neuron_place(ball, nothing, np.ones(3), 0, 0.5, seed)
        at_centre, on_ball = evaluate(centre.statement, still), evaluate(ball.statement, env)
        assert at_centre.ratio == pytest.approx(1.0, rel=1e-9)
        assert on_ball
        exceeded += on_ball.left > at_centre.right * (1 + 1e-6)
    assert exceeded


def test_the_order_of_a_neuron_on_the_ball():
    order = theory.catalog["LZB22/B5-ball"].order
    assert (order.exponent("m"), order.exponent("log")) == (-0.5, 0.5)
    assert order.exponent("R") == 1


@pytest.mark.parametrize("which", [1, 4, 2.0, True])
def test_layers_without_a_theorem_on_the_ball_are_named(which):
    with pytest.raises(theory.HypothesisError, match="from 2 to 3"):
        neuron_on_ball(SMALL, which)
