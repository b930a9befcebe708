"""The identities in components: SymPy differentiates every neuron, entries are compared exactly."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from sympy.polys.matrices import DomainMatrix

import numerics
import theory
from numerics.lowrank import dimension
from proofs_check.exact.components import Components, Stage, differences, generic
from proofs_check.exact.environment import ExactEnvironment, NotExactError
from proofs_check.exact.steps import check_steps, holds
from proofs_check.exact.terms import agree, digits, matrix
from theory.terms import eq, make, norm, plus
from theory.vocabulary import CENTRE, INPUT, hessian, preactivation, weights

HALF = sympy.Rational(1, 2)


def symbols(name, count):
    return [sympy.Symbol(f"{name}{i}") for i in range(count)]


def layer(net, parent, above, number, sigma=generic):
    below = net.size(parent)
    matrix = net.weights(f"W{number}", above, below)
    stage = net.dense(parent, matrix, 1 / sympy.sqrt(below))
    return net.pointwise(stage, sigma(f"s{number}"))


def finish(net, parent, trained):
    size = net.size(parent)
    if trained:
        net.dense(parent, [net.weights("v", size)], 1 / sympy.sqrt(size))
    else:
        net.readout(parent, symbols("v", size), 1 / sympy.sqrt(size))
    return net


def dense(widths, trained, sigma=generic):
    net = Components()
    stage = net.input(symbols("x", widths[0]))
    for number, above in enumerate(widths[1:], start=1):
        stage = layer(net, stage, above, number, sigma)
    return finish(net, stage, trained)


def convolutional(trained=True, circular=True, stride=1):
    net = Components()
    stage = net.input(symbols("x", 4))  # one channel, four positions
    for number, shape in enumerate([(2, 1, 2), (1, 2, 2)], start=1):
        kernel = net.weights(f"W{number}", *shape)
        stage = net.convolution(stage, kernel, HALF, circular=circular, stride=stride)
        stage = net.pointwise(stage, generic(f"s{number}"))
    pooled = net.linear([[(HALF, (stage, i)) for i in range(net.size(stage))]])
    return finish(net, pooled, trained)


def residual(trained=False):
    net = Components()
    stage = layer(net, net.input(symbols("x", 2)), 2, 1)
    inner = layer(net, layer(net, stage, 2, 2), 2, 3)
    scale = sympy.Symbol("branch")
    total = net.linear([[(1, (stage, i)), (scale, (inner, i))] for i in range(2)])
    return finish(net, total, trained)


def concatenated():
    net = Components()
    stage = net.input(symbols("x", 2))
    first = layer(net, stage, 2, 1)
    both = net.linear([[(1, (s, i))] for s in (stage, first) for i in range(2)])
    return finish(net, layer(net, both, 2, 2), True)


def acyclic():
    """Neurons with inputs of their own: two, one and three of those below, one masked out."""
    net = Components()
    stage = net.input(symbols("x", 2))
    first = layer(net, stage, 3, 1)
    seen = [[(first, 0), (first, 2)], [(stage, 1)], [(first, 1), (stage, 0), (first, 2)]]
    neurons = []
    for number, places in enumerate(seen):
        own = net.weights(f"w{number}", len(places))
        root = 1 / sympy.sqrt(len(places))
        neurons.append([(root, w, place) for w, place in zip(own, places, strict=True)])
    second = net.pointwise(net.bilinear(neurons), generic("s2"))
    kept = net.linear([[(2, (second, 0))], [(2, (second, 2))]])
    return finish(net, kept, True)


def non_linear_output():
    net = dense((2, 2, 1), True)
    net.pointwise(len(net.stages) - 1, generic("phi"))
    return net


def assembly(shared=False):
    """Three sub-models with weights and a scale; they share their parameters, or do not."""
    net = Components()
    stage = net.input(symbols("x", 2))
    outputs, own = [], net.weights("W", 2, 2) if shared else None
    for number in range(3):
        matrix = own or net.weights(f"W{number}", 2, 2)
        hidden = net.pointwise(net.dense(stage, matrix, HALF), generic(f"s{number}"))
        outputs.append(net.readout(hidden, symbols(f"u{number}", 2), HALF))
    scale, weights = sympy.Symbol("s"), symbols("v", 3)
    net.linear([[(v / scale, (o, 0)) for v, o in zip(weights, outputs, strict=True)]])
    return net


SHAPES = [(1, 1), (3, 2), (2, 3), (1, 2, 2), (3, 1, 2), (1, 1, 1, 1), (2, 2, 2, 2)]
NETWORKS = {
    **{f"dense {w}, readout {t}": (dense, w, t) for w in SHAPES for t in ("trained", "fixed")},
    "convolution, circular": (convolutional,),
    "convolution, valid, strided": (convolutional, False, False, 1),
    "convolution, stride 2": (convolutional, True, True, 2),
    "residual": (residual,),
    "residual, trained": (residual, True),
    "concatenation": (concatenated,),
    "neurons of unequal in-degree": (acyclic,),
    "non-linear output": (non_linear_output,),
    "assembly": (assembly,),
    "assembly of shared parameters": (assembly, True),
}


def build(name):
    function, *arguments = NETWORKS[name]
    return function(*(a == "trained" if isinstance(a, str) else a for a in arguments))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_identity_is_the_hessian_entry_by_entry(name):
    net = build(name)
    assert list(differences(net.hessian(), net.identity())) == []


@pytest.mark.parametrize("trained", [False, True])
def test_the_identity_with_tanh(trained):
    net = dense((2, 2, 2), trained, lambda _: sympy.tanh)
    assert list(differences(net.hessian(), net.identity())) == []


@pytest.mark.parametrize("name", ["dense (1, 2, 2), readout fixed", "residual", "assembly"])
def test_the_identity_misses_what_is_left_out(name):
    """With the weights of one bilinear stage not trained, or another activation, it fails."""
    net = build(name)
    found = net.hessian()
    spoiled = 0
    for number, stage in enumerate(net.stages):
        if stage.kind == "pointwise":
            changed = replace(stage, sigma=generic("other"))
        elif stage.kind == "bilinear" and net.stages[stage.neurons[0][0][2][0]].kind != "input":
            terms = tuple(tuple((c * w, n) for c, w, n in ts) for ts in stage.neurons)
            changed = Stage("linear", terms)
        else:
            continue
        other = Components([*net.stages[:number], changed, *net.stages[number + 1 :]])
        other.parameters = net.parameters
        assert next(differences(found, other.identity()), None) is not None
        spoiled += 1
    assert spoiled >= 3


def test_blocks_of_independent_sub_models_are_zero():
    """B1: the Hessian of an assembly is block diagonal; with shared parameters it is one block."""
    found = build("assembly").hessian()
    assert all(found[i, j] == 0 for i in range(12) for j in range(12) if i // 4 != j // 4)
    assert build("assembly of shared parameters").hessian().shape == (4, 4)


def test_a_neuron_of_a_hierarchy_shares_parameters():
    """B4: a pre-activation of layer 2 is no assembly of independent parts."""
    net = dense((1, 2, 1), False)
    found = net.hessian()
    assert any(found[0, j] != 0 for j in range(1, 4))


# -- low rank -------------------------------------------------------------------------------------


def rank(net, seed):
    """The exact rank of the Hessian at a random rational point, with sigma(t) = t + t^2 - t^3/3."""
    chooser = random.Random(seed)
    free = sorted(net.output.free_symbols, key=str)
    place = {s: sympy.Rational(chooser.randint(-9, 9) or 1, chooser.randint(1, 4)) for s in free}
    rows = net.hessian().xreplace(place).tolist()
    return DomainMatrix.from_Matrix(sympy.Matrix(rows)).to_field().rank()


def rational(widths, trained):
    net = Components()
    stage = net.input(symbols("x", widths[0]))
    for number, above in enumerate(widths[1:], start=1):
        below = net.size(stage)
        stage = net.dense(stage, net.weights(f"W{number}", above, below), HALF)
        stage = net.pointwise(stage, lambda t: t + t**2 - t**3 / 3)
    if trained:
        net.dense(stage, [net.weights("v", widths[-1])], HALF)
    else:
        net.readout(stage, symbols("v", widths[-1]), HALF)
    return net


def bound(widths, trained):
    """Sum of m_l + m_(l-1) - 1; at the input the second part moves nothing; v if it is trained."""
    pairs = zip(widths[1:], widths, strict=False)
    inner = sum(m + (below - 1 if i else 0) for i, (m, below) in enumerate(pairs))
    return inner + trained * widths[-1]


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("widths", [(1, 1), (3, 2), (2, 3), (3, 2, 2), (2, 1, 3), (1, 2, 2, 1)])
def test_the_exact_rank_of_the_hessian_is_its_bound(widths, trained):
    """At most the bound at every point, and equal to it at some: it cannot be improved."""
    net = rational(widths, trained)
    ranks = [rank(net, seed) for seed in range(2)]
    assert max(ranks) == bound(widths, trained)


def test_the_bound_is_the_dimension_that_arrays_use():
    for widths in [(1, 1), (3, 2), (3, 2, 2), (2, 3, 1, 2)]:
        for trained in (False, True):
            assert dimension(widths, trained) == bound(widths, trained)


def test_the_exact_rank_for_weights_that_meet_two_columns():
    """r columns instead of one: V = U Q_A' + Q_B P' has r rows + r (columns - r) coordinates."""
    net = Components()
    stage = net.input(symbols("x", 2))  # one channel, two positions
    for number, (out, into) in enumerate([(4, 1), (4, 4)], start=1):
        kernel = net.weights(f"W{number}", out, into, 1)
        stage = net.convolution(stage, kernel, HALF)
        stage = net.pointwise(stage, lambda t: t + t**2)
    net.readout(stage, symbols("v", 8), HALF)
    assert len(net.parameters) == 4 + 16
    assert 4 + 2 * 4 <= rank(net, 0) <= 4 + (2 * 4 + 2 * (4 - 2))


# -- steps of proofs ------------------------------------------------------------------------------


def cubic(t):
    return t + t**2 / 2 - t**3 / 3


def environment(widths, trained, seed=0, points=("theta0", "theta", "p", "q")):
    chooser = random.Random(seed)

    def rationals(count):
        return [sympy.Rational(chooser.randint(-4, 4), chooser.randint(1, 3)) for _ in range(count)]

    size = sum(a * b for a, b in itertools.pairwise(widths)) + trained * widths[-1]
    return ExactEnvironment(
        widths,
        [cubic] * (len(widths) - 1),
        trained,
        {p: rationals(size) for p in points},
        {name: rationals(widths[0]) for name in ("x", "z", "u")},
        () if trained else rationals(widths[-1]),
    )


def general(widths, trained):
    """The same with every parameter a symbol and every activation unknown."""
    env = environment(widths, trained)
    here = dict.fromkeys(env.points, env.parameters)
    sigmas = [generic(f"s{i}") for i in range(1, len(widths))]
    inputs = {name: symbols(name, widths[0]) for name in env.inputs}
    return replace(env, sigmas=sigmas, points=here, inputs=inputs, readout=symbols("u", widths[-1]))


def a7(depth, trained):
    return theory.hessian_bound(theory.reference_network(depth, trainable=trained))


CASES = {
    "A4": (lambda: theory.catalog["LZB20/A4"], (2, 2), False, 60),
    "B4": (lambda: theory.catalog["LZB22/B4"], (1, 2, 2), False, 5),
    "B4, bottleneck": (lambda: theory.catalog["LZB22/B4"], (1, 2, 1, 2), True, 10),
    "B4-summed": (lambda: theory.catalog["LZB22/B4-summed"], (1, 2, 2), False, 60),
    "A6, layers of any kind": (lambda: theory.catalog["LZB20/A6"], (1, 1, 2, 1), True, 72),
    "A9-identity": (lambda: theory.catalog["LZB20/A9-identity"], (1, 2, 1), True, 40),
    "B5-identity": (lambda: theory.catalog["LZB22/B5-identity"], (2, 1, 2), False, 50),
    "A7, depth 1, readout trained": (lambda: a7(1, True), (2, 3), True, 90),
    "A7, depth 2": (lambda: a7(2, False), (1, 2, 2), False, 140),
    "A7, depth 3": (lambda: a7(3, False), (1, 1, 2, 1), False, 200),
}


@pytest.mark.parametrize("name", CASES)
def test_every_equation_between_operators_holds_exactly(name):
    theorem, widths, trained, least = CASES[name]
    proof = theorem().proof
    report = check_steps(proof, environment(widths, trained))
    assert not report.false
    assert report.operators >= least
    operators = {
        number
        for number, step in enumerate(proof.steps)
        if step.conclusion.head == "eq" and step.conclusion.args[0].sort == "op"
    }
    assert operators.isdisjoint(report.untried)


@pytest.mark.parametrize("name", ["A4", "A9-identity", "B4", "B4-summed", "B5-identity"])
def test_the_same_for_unknown_activations_and_symbols(name):
    theorem, widths, trained, least = CASES[name]
    report = check_steps(theorem(), general(widths, trained))
    assert not report.false
    assert report.operators >= least


def test_a_wrong_step_is_found():
    """The transposed cross term of the product rule left out, and a step of the induction."""
    for name in ("LZB22/B4", "LZB22/B4-summed"):
        proof = theory.catalog[name].proof
        for number, step in enumerate(proof.steps):
            formula = step.conclusion
            if formula.head != "eq" or formula.args[1].head not in ("scale", "plus"):
                continue
            twice = eq(formula.args[0], plus(formula.args[1], formula.args[1]))
            steps = list(proof.steps)
            steps[number] = replace(step, conclusion=twice)
            changed = replace(proof, steps=tuple(steps))
            report = check_steps(changed, environment((1, 2, 2), False), steps={number})
            assert report.false


def test_the_hessian_of_a_network_is_that_of_its_components():
    env = environment((1, 2, 2), True)
    found = matrix(hessian(CENTRE, INPUT), env)
    net = env.networks["x"]
    assert found == env.at(net.hessian(), "theta0")
    assert found == env.at(net.identity(), "theta0")


def test_layers_differ():
    env = environment((2, 2, 2), True)
    z = [preactivation(i, CENTRE, INPUT) for i in (1, 2)]
    assert agree(z[1], plus(z[1], make("zero", z[1].rows, z[1].cols)), env)
    assert matrix(z[0], env) != matrix(z[1], env)
    assert matrix(weights(1, CENTRE), env) != matrix(weights(2, CENTRE), env)


def test_what_has_no_value_is_named():
    env = environment((2, 2), False)
    with pytest.raises(NotExactError, match="block 3"):
        matrix(make("op", "Pi", make("layer", 1), make("params"), 3), env)
    with pytest.raises(NotExactError, match="no value"):
        matrix(make("var", "A", "op", make("layer", 1), make("layer", 1)), env)


# -- the arrays against the components ------------------------------------------------------------


@pytest.mark.parametrize("trained", [False, True])
def test_arrays_agree_with_components(trained):
    """The norm that numerics certifies is that of the exact Hessian, to rounding."""
    net = theory.Network(
        theory.Input(2),
        theory.Dense(3),
        theory.Activation("t+t^2/2-t^3/3"),
        theory.Dense(2),
        theory.Activation("t+t^2/2-t^3/3"),
        theory.Readout(trainable=trained),
    )
    model = numerics.instantiate(net, {}, seed=3)
    flat = [float(w) for matrix in model.params["W"] for w in np.ravel(matrix)]
    flat += [float(v) for v in model.params["v"]] if trained else []
    exact = ExactEnvironment(
        (2, 3, 2),
        [cubic, cubic],
        trained,
        {"theta0": [sympy.Rational(Fraction(v)) for v in flat]},
        {"x": [sympy.Rational(1, 3), sympy.Integer(-2)]},
        () if trained else [sympy.Rational(Fraction(float(v))) for v in model.readout],
    )
    value = digits(norm(hessian(CENTRE, INPUT)), exact)
    found = numerics.hessian_norm(model, np.array([1 / 3, -2.0]))
    assert float(value) == pytest.approx(found.value, rel=1e-13)


@pytest.mark.parametrize("head", ["everywhere", "after", "likely", "for_part"])
def test_what_is_not_about_one_network_at_one_point_has_no_exact_value(head):
    one = eq(theory.terms.rat(1), theory.terms.rat(1))
    formula = {
        "everywhere": lambda: make("everywhere", "*", one),
        "after": lambda: make("after", "*", 2, CENTRE, make("input", "X"), one),
        "likely": lambda: make("likely", theory.terms.rat(1), one),
        "for_part": lambda: make("for_part", 1, one),
    }[head]()
    env = environment((1, 1), False)
    with pytest.raises(NotExactError, match="no exact value"):
        holds(formula, env)
