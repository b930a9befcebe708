"""Level ``operators`` of a graph: it holds, is tight, survives re-encoding, is checked."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import numerics
import proofs_check
import theory
from proofs_check.measuring.evaluate import evaluate, measure
from proofs_check.measuring.graph_models import GraphArchitecture, GraphModel, draw
from proofs_check.verification.judging import judge
from proofs_check.verification.statements import Conjecture
from proofs_check.verification.trials import Search, Trial
from tests.proofs_check.test_bounds_on_networks import values_of
from tests.proofs_check.test_graph_bounds import (
    NETWORKS,
    ROUNDING,
    SIN,
    TANH,
    TRAINED,
    bound_of,
    draw_input,
    environment,
    model_of,
    random_graph,
)
from tests.proofs_check.test_graph_bounds import theorem as by_layers
from theory import kernel
from theory.derive.graph_bench import GraphDerivation, code_of
from theory.derive.graph_products import by_operators
from theory.derive.graphs import bound_hessian
from theory.ledger.graphs import graph_bound
from theory.networks import (
    Activation,
    AveragePool,
    Conv,
    Dense,
    DenseBlock,
    Dropout,
    Input,
    Network,
    RandomNeurons,
    Readout,
    Residual,
)
from theory.proofs import linearize
from theory.terms import eq, mul, plus, rat, subterms
from theory.vocabulary import CENTRE, INPUT, symbol

M = theory.width("m")
FIXED = Readout(trainable=False)


@cache
def theorem(name):
    return graph_bound(NETWORKS[name].graph, level="operators")


def convolutions(depth, readout=FIXED):
    layers = [layer for _ in range(depth) for layer in (Conv(M, 3), TANH)]
    return Network(Input((2, 6)), *layers, AveragePool(), readout)


def residual(depth, readout=FIXED):
    blocks = (Residual(Dense(M), TANH) for _ in range(depth - 1))
    return Network(Input(8), Dense(M), TANH, *blocks, readout)


def trial_of(net, width, seed=0):
    """A network with numbers in it at an input of entries of size one."""
    model = numerics.instantiate(net, {"m": width}, seed=seed)
    x = np.random.default_rng(seed).standard_normal(int(np.prod(model.input_shape)))
    x *= np.sqrt(x.size) / np.linalg.norm(x)
    return Trial(model, x, x, None, Search(random=0))


def held(net, width, level="operators", seed=0):
    thm = theory.hessian_bound(net.substitute({"m": width}), level=level)
    return judge(thm, trial_of(net, width, seed))


# -- it holds --------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(
    st.sampled_from(sorted(NETWORKS)),
    st.integers(0, 99),
    st.sampled_from(["zero", "normal", "huge", "tiny"]),
)
def test_the_bound_holds_and_is_below_that_of_layers(name, seed, kind):
    model = model_of(name, seed)
    x = draw_input(model.arch.sizes[0], kind, seed)
    truth = np.linalg.norm(model.hessian(x), 2)
    bound = bound_of(theorem(name), environment(model, theorem(name), x))
    coarse = bound_of(by_layers(name, False), environment(model, by_layers(name, False), x))
    assert truth <= bound * (1 + ROUNDING) + 1e-300
    assert bound <= coarse * (1 + ROUNDING) + 1e-300


@pytest.mark.slow
def test_the_bound_holds_for_random_graphs():
    for seed in range(60):
        model = draw(random_graph(seed), seed)
        x = draw_input(3, "normal", seed)
        thm = graph_bound(model.arch.graph, level="operators")
        truth = np.linalg.norm(model.hessian(x), 2)
        assert truth <= bound_of(thm, environment(model, thm, x)) * (1 + ROUNDING) + 1e-300
        assert proofs_check.check(thm, second_opinion=False).ok


@pytest.mark.parametrize("name", ["convolution", "densely connected"])
def test_every_line_of_the_proof_holds(name):
    model, thm = model_of(name, 3), theorem(name)
    env = environment(model, thm, draw_input(model.arch.sizes[0], "normal", 3))
    lines = [j.conclusion for j in linearize(thm.judgement)]
    lines = [f for f in lines if not any(v.head == "var" for v in f.free)]
    assert len(lines) > 100
    false = [f for f in lines if not evaluate(f, env)]
    assert not false, false[0]


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_proof_is_checked(name):
    report = proofs_check.check(theorem(name))
    assert report.ok, report.failures
    assert set(report.z3) == {"agreed"}


def test_no_constant_of_an_activation_is_in_the_bound():
    thm = theory.hessian_bound(residual(3), level="operators")
    used = {t.args[0] for f in thm.definitions for t in subterms(f) if t.head == "sym"}
    assert used == {"M", "pair_curve", "pair_cross"}


# -- it is tight enough to mean something ----------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "width", "factor"),
    [
        *((convolutions(depth), 12, factor) for depth, factor in ((1, 1), (2, 2.2), (3, 2.2))),
        *((residual(depth), 24, factor) for depth, factor in ((2, 2), (4, 2), (6, 2.2))),
        (residual(3, TRAINED), 24, 2),
        (
            Network(
                Input(8), Dense(M), TANH, DenseBlock((Dense(M), TANH), (Dense(M), TANH)), FIXED
            ),
            16,
            2.2,
        ),
        (
            Network(Input(8), RandomNeurons((M, M, M), in_degree=(8, M, M)), TRAINED),
            12,
            2.5,
        ),
    ],
)
def test_the_bound_is_tight_enough_to_mean_something(net, width, factor):
    ratios = [held(net, width, seed=seed).ratio for seed in range(2)]
    assert min(ratios) >= 1 - ROUNDING
    assert max(ratios) <= factor * (1 + ROUNDING)


def test_what_layers_lose_with_depth_operators_do_not():
    found = {level: held(residual(6), 16, level).ratio for level in ("layers", "operators")}
    assert found["layers"] > 50
    assert found["operators"] < 2.5


# -- it survives re-encoding -----------------------------------------------------------------------


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("widths", [(3, 5, 4, 3), (2, 6, 1, 5)])
def test_a_dense_network_gets_the_bound_of_its_own_derivation(widths, trained):
    layers = [layer for m in widths[1:] for layer in (Dense(m), SIN)]
    net = Network(Input(widths[0]), *layers, Readout(trainable=trained))
    model = numerics.instantiate(net, seed=1)
    x = draw_input(widths[0], "normal", 1)
    expected = theory.hessian_bound(net, level="operators").evaluate(values_of(model, x))
    general = graph_bound(net.graph, None, net, level="operators")
    weights = [np.asarray(w) for w in model.params["W"]]
    weights += [np.asarray(model.params["v"])[None]] if trained else []
    fixed = {} if trained else {7: np.asarray(model.readout)[None]}
    same = GraphModel(GraphArchitecture(net.graph), tuple(weights), fixed)
    found = bound_of(general, environment(same, general, x))
    assert found == pytest.approx(expected, rel=1e-11)


def value_at(net, weights=None, x=None):
    thm = graph_bound(net.graph, level="operators")
    model = draw(net.graph, 5)
    if weights is not None:
        model = replace(model, params=weights)
    x = draw_input(model.arch.sizes[0], "normal", 5) if x is None else x
    return bound_of(thm, environment(model, thm, x))


def test_identity_nodes_change_nothing():
    gelu, idle = Activation("gelu"), Dropout(0)
    block = Residual(idle, Dense(4), gelu, idle, scale="1/2")
    padded = Network(Input(3), idle, Dense(4), idle, TANH, block, idle, Readout())
    assert value_at(NETWORKS["residual"]) == pytest.approx(value_at(padded), rel=1e-12)


def test_permuting_neurons_changes_nothing():
    net = Network(Input(3), Dense(4), TANH, Residual(Dense(4), SIN), TRAINED)
    order = np.random.default_rng(0).permutation(4)
    first, second, last = draw(net.graph, 5).params
    mixed = (first[order], second[order][:, order], last[:, order])
    assert value_at(net) == pytest.approx(value_at(net, mixed), rel=1e-10)


def test_a_convolution_on_one_position_is_a_dense_layer():
    dense = Network(Input(3), Dense(4), TANH, Dense(2), SIN, TRAINED)
    conv = Network(Input((3, 1)), Conv(4, 1), TANH, Conv(2, 1), SIN, AveragePool(), TRAINED)
    weights, x = draw(dense.graph, 5).params, draw_input(3, "normal", 5)
    assert value_at(conv, weights, x) == pytest.approx(value_at(dense, weights, x), rel=1e-10)


# -- independent ways to the same numbers ----------------------------------------------------------


@pytest.mark.parametrize("net", [convolutions(2, TRAINED), residual(3)], ids=["conv", "residual"])
def test_trials_and_proof_lines_measure_the_same(net):
    trial = trial_of(net, 4)
    thm = theory.hessian_bound(net.substitute({"m": 4}), level="operators")
    check = judge(thm, trial)
    arrays = GraphModel(
        GraphArchitecture(trial.model.graph),
        tuple(np.asarray(w) for w in trial.model.params["W"]),
        {n: np.asarray(w) for n, w in trial.model.fixed.items()},
    )
    assert check.bound.lower <= bound_of(thm, environment(arrays, thm, trial.x)) * (1 + 1e-12)
    assert check.bound.upper >= bound_of(thm, environment(arrays, thm, trial.x)) * (1 - 1e-12)
    assert check.bound.upper - check.bound.lower <= 1e-9 * check.bound.value
    for formula in thm.definitions:
        head = formula.args[1].head
        assert head != "norm" or formula.args[1] in trial._pairs  # measured without forming them


@pytest.mark.parametrize("name", ["residual", "convolution", "densely connected"])
def test_blocks_are_bounded_by_their_two_parts(name):
    model, thm = model_of(name, 4), theorem(name)
    x = draw_input(model.arch.sizes[0], "normal", 4)
    env, exact = environment(model, thm, x), model.hessian(x)
    nodes = model.arch.graph.weighted
    slices = [slice(*model.arch.block(n)) for n in nodes]
    bounds = np.zeros((len(nodes), len(nodes)))
    for i, low in enumerate(nodes):
        for j, high in enumerate(nodes[i:], start=i):
            names = (("pair_curve", low, high), ("pair_cross", high, low))
            terms = [symbol(*key, CENTRE, INPUT) for key in names]
            sizes = [measure(t, env).value if t in env.meanings else 0.0 for t in terms]
            bounds[i, j] = bounds[j, i] = sum(sizes)
            block = np.linalg.norm(exact[slices[i], slices[j]], 2)
            assert max(sizes) - min(sizes) <= block * (1 + ROUNDING) + 1e-15
            assert block <= sum(sizes) * (1 + ROUNDING) + 1e-15
    assert bound_of(thm, env) == pytest.approx(np.linalg.norm(bounds, 2), rel=1e-12)


def test_orders():
    from fractions import Fraction

    for row in ("LZB20/A8-operators", "ZLB22/C1-operators", "ZLB22/C3-operators"):
        assert theory.catalog[row].order.exponent("m") == Fraction(-1, 2)
    narrow = Network(Input(4), Dense(M), TANH, Residual(Dense(M), TANH), Dense(1), TANH, TRAINED)
    assert theory.hessian_bound(narrow, level="operators").order.exponent("m") == 0


# -- sharpened falsehoods --------------------------------------------------------------------------


def test_a_sharper_bound_is_violated():
    net = convolutions(1)
    thm = theory.hessian_bound(net.substitute({"m": 6}), level="operators")
    check = judge(Conjecture.scaled(thm, sympy.Rational(99, 100)), trial_of(net, 6))
    assert check.outcome == "violated"
    assert judge(thm, trial_of(net, 6)).outcome == "holds"


def without(which):
    """The blocks with one of their parts, or one term of their curvature, left out."""

    def form(row, col, d):
        value, size = by_operators(row, col, d)
        if value.head != "plus":
            return value, size
        kept = value.args[:which] + value.args[which + 1 :]
        return plus(*kept), size

    return form


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", ["dense", "residual", "densely connected"])
def test_a_block_with_a_term_left_out_is_no_block(name, which):
    d = GraphDerivation(code_of(NETWORKS[name].graph), CENTRE, INPUT)
    with pytest.raises(kernel.KernelError):
        bound_hessian(d, without(which))


def test_a_bound_with_a_part_left_out_is_not_derived():
    def form(row, col, d):
        value, size = by_operators(row, col, d)
        return value, size.args[0] if size.head == "add" else size

    d = GraphDerivation(code_of(NETWORKS["residual"].graph), CENTRE, INPUT)
    with pytest.raises(kernel.KernelError):
        bound_hessian(d, form)


def test_a_statistic_with_another_meaning_is_not_accepted():
    thm = theorem("residual")
    spots = [i for i, f in enumerate(thm.proof.definitions) if f.args[1].head == "norm"]
    assert len(spots) >= 2
    for i in spots[:2]:
        name, value = thm.proof.definitions[i].args
        for other in (rat(0), mul(rat(1, 2), value)):
            changed = list(thm.proof.definitions)
            changed[i] = eq(name, other)
            assert not proofs_check.check(replace(thm.proof, definitions=tuple(changed))).ok


# -- refusals and verification ---------------------------------------------------------------------


def test_operators_are_refused_on_a_ball_and_other_levels_by_name():
    with pytest.raises(ValueError, match="known at the centre alone"):
        theory.hessian_bound(residual(2), radius=1, level="operators")
    with pytest.raises(theory.HypothesisError, match="use level 'layers', or 'operators'"):
        theory.hessian_bound(residual(2), level="norms")
    with pytest.raises(ValueError, match="level 'slopes' of a graph is not known"):
        graph_bound(residual(2).graph, level="slopes")


def test_it_is_verified_line_by_line():
    layers = (Conv(M, 3), TANH, Residual(Conv(M, 3), TANH), AveragePool())
    net = Network(Input((2, 4)), *layers, TRAINED)
    images = np.random.default_rng(0).standard_normal((1, 2, 4))
    report = proofs_check.verify(net, images, [3], 1, level="operators", order=False)
    assert {c.outcome for row in report.rows for c in row.checks} == {"holds"}
    assert "by operators" in str(report)
    with pytest.raises(ValueError, match="a theorem has its own"):
        proofs_check.verify(theory.catalog["LZB20/A8-operators"], images, level="layers")
    assert not report.ledger.false
