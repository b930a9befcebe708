"""The Hessian identity of graphs of nodes, as it is proved, tried on networks in components."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import sympy

from proofs_check.exact import Components, check_steps
from proofs_check.exact.environment import NotExactError
from proofs_check.exact.graphs import GraphEnvironment, code
from proofs_check.exact.terms import matrix
from theory.derive.graph_bench import GraphDerivation
from theory.derive.graph_layers import at_centre
from theory.derive.graphs import bound_hessian
from theory.graph_terms import parse
from theory.proofs import proof_of
from theory.terms import make, plus
from theory.vocabulary import CENTRE, INPUT, hessian

HALF = sympy.Rational(1, 2)


def cubic(t):
    return t + t**2 / 2 - t**3 / 3


def layer(net, parent, above, number):
    below = net.size(parent)
    rows = net.weights(f"W{number}", above, below)
    return net.pointwise(net.dense(parent, rows, 1 / sympy.sqrt(below)), cubic)


def finish(net, parent, trained=True):
    size = net.size(parent)
    if trained:
        net.dense(parent, [net.weights("v", size)], 1 / sympy.sqrt(size))
    else:
        net.readout(parent, [sympy.Rational(i + 1, 3) for i in range(size)], HALF)
    return net


def residual(x):
    net = Components()
    stage = layer(net, net.input(x), 2, 1)
    inner = layer(net, stage, 2, 2)
    total = net.linear([[(1, (stage, i)), (sympy.Rational(2, 3), (inner, i))] for i in range(2)])
    return finish(net, total, trained=False)


def concatenated(x):
    """A DenseNet in which neurons see two and one of those below."""
    net = Components()
    stage = net.input(x)
    first = layer(net, stage, 2, 1)
    both = net.linear([[(1, (s, i))] for s in (stage, first) for i in range(2)])
    own = net.weights("w", 3)
    seen = [[(HALF, own[0], (both, 0)), (HALF, own[1], (both, 2))], [(1, own[2], (both, 3))]]
    return finish(net, net.pointwise(net.bilinear(seen), cubic))


def convolutional(x):
    net = Components()
    stage = net.input(x)
    for number, shape in enumerate([(2, 1, 2), (1, 2, 2)], start=1):
        kernel = net.weights(f"W{number}", *shape)
        stage = net.pointwise(net.convolution(stage, kernel, HALF, circular=False), cubic)
    return finish(net, stage)


NETWORKS = {"residual": (residual, 2), "dag": (concatenated, 2), "convolution": (convolutional, 3)}


def environment(name, seed=1):
    build, dim = NETWORKS[name]
    chooser = random.Random(seed)
    size = len(build([1] * dim).parameters)

    def rationals(count):
        return [sympy.Rational(chooser.randint(-4, 4), chooser.randint(1, 3)) for _ in range(count)]

    points = {p: rationals(size) for p in ("theta0", "p", "q")}
    return GraphEnvironment(build, points, {u: rationals(dim) for u in "xu"})


def proof(word):
    """The bound at the centre, which rests on the Hessian identity and every Jacobian."""
    d = GraphDerivation(word, CENTRE, INPUT, "")
    at_centre(d)
    judgement = bound_hessian(d)
    known = [f for f in d.definitions if f in judgement.hypotheses]
    assumed = sorted(judgement.hypotheses - set(known), key=str)
    return proof_of(judgement, assumed, known)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_equation_between_operators_holds_exactly(name):
    env = environment(name)
    found = proof(code(env.net))
    report = check_steps(found, env)
    assert not report.false
    operators = {
        number
        for number, step in enumerate(found.steps)
        if step.conclusion.head == "eq" and step.conclusion.args[0].sort == "op"
    }
    assert len(operators) > 100
    assert operators.isdisjoint(report.untried)


def test_a_product_rule_without_its_transpose_is_found():
    env = environment("residual")
    found = proof(code(env.net))
    spoiled = 0
    for number, step in enumerate(found.steps):
        right = step.conclusion.args[1] if step.conclusion.head == "eq" else None
        if step.rule == "lemma" and step.data[0] == "hessian_bilinear":
            shorter = make("eq", step.conclusion.args[0], plus(*right.args[:2]))
            steps = [*found.steps]
            steps[number] = replace(step, conclusion=shorter)
            report = check_steps(replace(found, steps=tuple(steps)), env, steps={number})
            # below the first layer the cross term is zero: its parent is the input
            spoiled += bool(report.false)
    assert spoiled >= 1


def test_the_hessian_is_that_of_the_components():
    env = environment("dag")
    found = matrix(hessian(CENTRE, INPUT), env)
    assert found == env.at(env.networks["x"].identity(), "theta0")


def test_the_code_of_a_network_is_one_that_facts_can_name():
    for name in NETWORKS:
        word = code(environment(name).net)
        shape = parse(word)
        assert shape.last == len(environment(name).net.stages) - 1
        assert environment(name).fact("graph", [word])
        assert not environment(name).fact("graph", ["input; bilinear 0"])


def test_what_is_no_node_is_named():
    env = environment("residual")
    with pytest.raises(NotExactError, match="node 2 has no weights"):
        env.block(2)
    with pytest.raises(NotExactError, match="node 1 is not pointwise"):
        env.sigma(1)
    with pytest.raises(NotExactError, match="no exact meaning"):
        env.fact("dense", [1])
