"""A6 on real networks: its constants, its definition of Q_{2,2,1}, and how it compares with A7."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numerics
import theory
from proofs_check import check
from proofs_check.general_bounds import FAMILIES, PATH, compare, compare_graphs
from proofs_check.measuring.environment import Environment
from proofs_check.measuring.evaluate import evaluate
from proofs_check.measuring.graph_environment import GraphEnvironment
from proofs_check.measuring.graph_models import GraphArchitecture, GraphModel, draw, flatten
from theory.ledger import general_layers
from theory.networks import AveragePool, Conv, DenseBlock, Residual
from theory.proofs import linearize
from theory.terms import Term, le, make, mul, norm, rat, subterms
from theory.vocabulary import INPUT, POINT, partial, symbol


def network(widths, name="tanh", *, trainable=False):
    hidden = [p for m in widths[1:] for p in (theory.Dense(m), theory.Activation(name))]
    return theory.Network(theory.Input(widths[0]), *hidden, theory.Readout(trainable=trainable))


def place(net, thm, seed=0, scale=1.0):
    model = numerics.instantiate(net, {}, seed=seed)
    x = scale * np.random.default_rng(seed).standard_normal(net.widths[0])
    points = {"theta": model.params}
    return Environment(model, points, {"x": x}, definitions=thm.definitions)


NETWORKS = (
    ((3, 4), "tanh", True),
    ((2, 3, 3), "square", False),
    ((2, 2, 3, 2), "sin", True),
    ((2, 2, 3, 2), "softplus", False),
)


@settings(max_examples=20)
@given(st.sampled_from(NETWORKS), st.integers(0, 50), st.sampled_from([0.0, 1.0, 10.0]))
def test_the_bound_and_every_line_of_its_proof_hold(shape, seed, scale):
    widths, name, trainable = shape
    thm = general_layers.bound(len(widths) - 1, trainable=trainable)
    env = place(network(widths, name, trainable=trainable), thm, seed, scale)
    assert evaluate(thm.statement, env)
    for claim in thm.claims:
        assert evaluate(claim.judgement.conclusion, env), claim.label


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("trainable", [False, True])
def test_the_constants_are_those_of_the_ledger(depth, trainable):
    thm = general_layers.bound(depth, trainable=trainable)
    assert check(thm).ok
    rate = 1.5
    sums = [sum(rate ** (top - k) for k in range(1, top + 1)) for top in range(depth + 1)]
    found = theory.evaluation.evaluate(
        symbol("C_1", POINT, INPUT),
        {symbol("lipschitz", POINT, INPUT): rate},
        theory.evaluation.definitions_of(thm.definitions),
    )
    assert found == pytest.approx(sum((1 + s) ** 2 for s in sums[:-1]))
    names = {d.args[0].args[0] for d in thm.definitions}
    assert ("C_2" in names) is trainable
    if trainable:
        last = theory.evaluation.evaluate(
            symbol("C_2", POINT, INPUT),
            {symbol("lipschitz", POINT, INPUT): rate},
            theory.evaluation.definitions_of(thm.definitions),
        )
        assert last == pytest.approx(2 * sums[-1])


def test_it_is_tight_for_one_layer_with_a_fixed_readout():
    """One neuron: H = delta sigma''(z) x x' / d, and every step is an equality."""
    thm = general_layers.bound(1, trainable=False)
    found = evaluate(thm.statement, place(network((3, 1), "sin"), thm))
    assert found.ratio == pytest.approx(1.0, rel=1e-9)
    sharper = le(thm.statement.args[0], mul(rat(99, 100), thm.statement.args[1]))
    assert not evaluate(sharper, place(network((3, 1), "sin"), thm))


def test_it_means_something_at_depth_two():
    thm = general_layers.bound(2, trainable=False)
    ratios = [evaluate(thm.statement, place(network((2, 4, 4)), thm, s)).ratio for s in range(3)]
    assert max(ratios) > 1 / 60


# -- the printed definition of Q_{2,2,1} ----------------------------------------------------------


def _without(formula: Term, dropped: set[Term]) -> Term:
    """The definition of a maximum with some numbers left out; 0 when none is left."""
    name, value = formula.args
    kept = [a for a in value.args if a not in dropped] if value.head == "max" else [value]
    left = make("max", *kept) if len(kept) > 1 else kept[0] if kept else rat(0)
    return make("eq", name, left)


def test_with_distinct_layers_throughout_the_statement_is_false():
    """The first layer's own curvature and products of one layer's derivative twice do count.

    A first layer alpha^1 = W x, a second one without parameters of its own to speak of: only the
    product with l_1 = l_2 is left.
    """
    thm = general_layers.bound(2, trainable=False)
    definition = next(d for d in thm.definitions if d.args[0].args[0] == "Q_221")
    net = theory.Network(
        theory.Input(1),
        theory.Dense(1),
        theory.Dense(1),
        theory.Activation("square"),
        theory.Readout(trainable=False),
    )
    model = numerics.instantiate(net, {}, seed=0)
    params = {"W": (np.array([[1e-3]]), np.array([[10.0]]))}
    same = mul(
        *[norm(partial("dw", 1, POINT, INPUT))] * 2, norm(partial("daa", 2, POINT, INPUT), "221")
    )
    assert same in set(subterms(definition))
    changed = [_without(d, {same}) if d is definition else d for d in thm.definitions]
    holds = [
        bool(
            evaluate(
                thm.statement,
                Environment(
                    model, {"theta": params}, {"x": np.array([1.0])}, definitions=definitions
                ),
            )
        )
        for definitions in (thm.definitions, changed)
    ]
    assert holds == [True, False]


def test_a_bound_with_a_term_of_the_constant_lost_is_rejected():
    proof = general_layers.bound(2).proof
    changed = [
        make("eq", d.args[0], rat(1)) if d.args[0].args[0] == "C_1" else d
        for d in proof.definitions
    ]
    assert not check(replace(proof, definitions=tuple(changed))).ok


def test_a_depth_that_is_none_is_refused():
    for depth in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match="an integer of at least 1"):
            general_layers.bound(depth)


# -- dense layers, by their statistics ------------------------------------------------------------


@settings(max_examples=10)
@given(st.sampled_from(NETWORKS[:1] + NETWORKS[2:]), st.integers(0, 50))
def test_the_bound_for_dense_layers_and_every_line_of_its_proof_hold(shape, seed):
    widths, name, trainable = shape
    net = network(widths, name, trainable=trainable)
    thm = general_layers.dense(net)
    model = numerics.instantiate(net, {}, seed=seed)
    x = np.random.default_rng(seed).standard_normal(widths[0])
    env = Environment(model, {}, {"x": x}, definitions=thm.definitions)
    assert evaluate(thm.statement, env)
    for claim in thm.claims:
        assert evaluate(claim.judgement.conclusion, env), claim.label


def test_for_one_hidden_layer_it_is_nearly_as_good_as_the_direct_way():
    line = compare(1, 32)
    assert line.norm <= line.direct * (1 + 1e-9)
    assert line.direct <= line.general <= 2 * line.direct


@pytest.mark.parametrize("depth", [2, 3])
def test_the_direct_way_is_sharper_and_the_page_says_by_how_much(depth):
    line = compare(depth, 64)
    assert line.norm <= line.direct <= line.general
    written = (Path(__file__).parents[2] / PATH).read_text()
    row = next(r for r in written.splitlines() if r.startswith(f"| {depth} | 64 |"))
    shown = [float(c) for c in row.strip("|").split("|")[2:]]
    ratios = (line.general / line.direct, line.direct / line.norm)
    wanted = (line.norm, line.general, line.direct, *ratios)
    assert shown == pytest.approx(wanted, rel=0.02)


def test_the_order_of_the_theorem_of_the_paper():
    growth = general_layers.dense(theory.reference_network(4)).order
    assert (growth.exponent("m"), growth.exponent("log")) == (Fraction(-1, 2), Fraction(1, 2))


def test_an_infinite_constant_is_named():
    with pytest.raises(theory.HypothesisError, match="lambda"):
        general_layers.dense(theory.reference_network(2, activation="square"))


# -- convolutional and residual layers, by the statistics of their nodes --------------------------

TANH, SIN = theory.Activation("tanh"), theory.Activation("sin")
LAYERED = {
    "dense": theory.Network(
        theory.Input(3), theory.Dense(4), TANH, theory.Dense(3), SIN, theory.Readout()
    ),
    "convolutional": theory.Network(
        theory.Input((2, 4)),
        Conv(3, 3),
        TANH,
        AveragePool(2),
        Conv(2, 2, padding="same"),
        SIN,
        AveragePool(),
        theory.Readout(trainable=True),
    ),
    "residual": theory.Network(
        theory.Input(3),
        theory.Dense(4),
        TANH,
        Residual(theory.Dense(4), SIN, scale="1/2"),
        Residual(theory.Dense(4), TANH),
        theory.Readout(trainable=True),
    ),
    "densely connected": theory.Network(
        theory.Input(2), theory.Dense(3), SIN, DenseBlock((theory.Dense(2), TANH)), theory.Readout()
    ),
}


@cache
def architecture(name):
    return GraphArchitecture(LAYERED[name].graph)


def graph_place(name, thm, seed, scale=1.0):
    drawn = draw(LAYERED[name].graph, seed)
    model = GraphModel(architecture(name), drawn.params, drawn.fixed, seed)
    x = scale * np.random.default_rng(seed).standard_normal(model.arch.sizes[0])
    points = {"theta0": model.params}
    return GraphEnvironment(model, points, {"x": x}, definitions=thm.definitions)


@settings(max_examples=24)
@given(st.sampled_from(sorted(LAYERED)), st.integers(0, 50), st.sampled_from([0.0, 1.0, 10.0]))
def test_layers_of_a_graph_are_general_layers(name, seed, scale):
    thm = general_layers.layered(LAYERED[name])
    env = graph_place(name, thm, seed, scale)
    truth = np.linalg.norm(env.model.hessian(env.inputs["x"], flatten(env.named["theta0"])), 2)
    found = evaluate(thm.statement, env)
    assert found
    assert found.left == pytest.approx(truth, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("name", sorted(LAYERED))
def test_every_line_of_that_proof_holds_and_is_replayed(name):
    thm = general_layers.layered(LAYERED[name])
    report = check(thm)
    assert report.ok
    env = graph_place(name, thm, 3)
    lines = [
        j.conclusion
        for j in linearize(thm.judgement)
        if not any(v.head == "var" for v in j.conclusion.free)
    ]
    assert len(lines) > 150
    assert [f for f in lines if not evaluate(f, env)] == []


@pytest.mark.parametrize("trainable", [False, True])
@pytest.mark.parametrize("widths", [(3, 5), (2, 3, 3), (2, 2, 3, 2)])
def test_dense_layers_as_a_graph_give_the_same_number_as_by_their_own_lemma(widths, trainable):
    """One way trusts the partial derivatives of a dense layer, the other derives them."""
    net = network(widths, trainable=trainable)
    model = numerics.instantiate(net, {}, seed=1)
    x = np.random.default_rng(1).standard_normal(widths[0])
    by_lemma = general_layers.dense(net)
    own = Environment(model, {}, {"x": x}, definitions=by_lemma.definitions)
    by_nodes = general_layers.layered(net)
    drawn = draw(net.graph, 1)
    weights = list(model.params["W"])
    readout = np.asarray(model.readout).reshape(1, -1)
    weights += [readout] if trainable else []
    fixed = dict.fromkeys(drawn.fixed, readout)
    graph = GraphModel(GraphArchitecture(net.graph), tuple(map(np.asarray, weights)), fixed, 1)
    env = GraphEnvironment(
        graph, {"theta0": graph.params}, {"x": x}, definitions=by_nodes.definitions
    )
    first, second = evaluate(by_lemma.statement, own), evaluate(by_nodes.statement, env)
    assert first.left == pytest.approx(second.left, rel=1e-7)
    assert first.right == pytest.approx(second.right, rel=1e-9)


@pytest.mark.parametrize("factor", ["tau", "ell", "dim", "rat 2"])
def test_a_factor_of_the_statement_that_is_lost_is_rejected(factor):
    """Without tau or the size of a layer the mixed derivative would cost less than it does."""
    proof = general_layers.layered(LAYERED["convolutional"]).proof

    def without(term):
        if not isinstance(term, Term):
            return term
        args = [without(a) for a in term.args]
        if term.head == "mul":
            kept = [a for a in args if not _is(a, factor)]
            return mul(*kept)
        return make(term.head, *args)

    changed = [make("eq", d.args[0], without(d.args[1])) for d in proof.definitions]
    statement = le(proof.statement.args[0], without(proof.statement.args[1]))
    assert (changed, statement) != (list(proof.definitions), proof.statement)
    assert not check(replace(proof, definitions=tuple(changed), statement=statement)).ok


def _is(term, factor):
    head, _, value = factor.partition(" ")
    if value:
        return term is rat(int(value))
    inner = term.args[0] if term.head == "pow" else term
    return inner.head == head or (inner.head == "sym" and inner.args[0] == head)


def test_what_does_not_come_in_layers_is_refused_by_name():
    dense = theory.Dense(3)
    for net, need in (
        ((dense, TANH, DenseBlock((dense, TANH), (dense, TANH))), "one after the other"),
        ((dense, dense, TANH), "one node with weights"),
        ((dense, TANH, Residual(dense, TANH, dense, TANH)), "is not part of a layer"),
    ):
        with pytest.raises(theory.HypothesisError, match=need):
            general_layers.layered(theory.Network(theory.Input(2), *net, theory.Readout()))
    square = theory.Network(theory.Input(2), dense, theory.Activation("square"), theory.Readout())
    with pytest.raises(theory.HypothesisError, match="lambda"):
        general_layers.layered(square)


@pytest.mark.parametrize(("family", "depth"), [("convolutional", 2), ("residual", 2)])
def test_the_direct_way_to_a8_is_sharper_and_the_page_says_by_how_much(family, depth):
    assert family in FAMILIES
    line = compare_graphs(family, depth, 8)
    assert line.norm <= line.direct <= line.general
    written = (Path(__file__).parents[2] / PATH).read_text()
    row = next(r for r in written.splitlines() if r.startswith(f"| {family} | {depth} | 8 |"))
    shown = [float(c) for c in row.strip("|").split("|")[3:]]
    ratios = (line.general / line.direct, line.direct / line.norm)
    assert shown == pytest.approx((line.norm, line.general, line.direct, *ratios), rel=0.02)


def test_one_convolution_is_as_good_as_the_direct_way():
    line = compare_graphs("convolutional", 1, 8)
    assert line.general == pytest.approx(line.direct, rel=1e-9)


def test_the_order_for_channels_is_that_of_the_paper():
    growth = theory.catalog["LZB20/A6-layered"].order
    assert (growth.exponent("m"), growth.exponent("log")) == (Fraction(-1, 2), Fraction(1, 2))
