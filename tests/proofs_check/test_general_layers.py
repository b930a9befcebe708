"""A6 on real networks: its constants, its definition of Q_{2,2,1}, and how it compares with A7."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numerics
import theory
from proofs_check import check
from proofs_check.general_bounds import PATH, compare
from proofs_check.measuring.environment import Environment
from proofs_check.measuring.evaluate import evaluate
from theory.ledger import general_layers
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
