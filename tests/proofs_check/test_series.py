"""A-priori bounds of graphs by a matrix series: lemmas, events, constants, numbers, refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest

import theory
from proofs_check import check
from proofs_check.chance import LEVEL, Trials
from proofs_check.chance_graphs import DELTA, GRAPHS, draws, instances, sharpened, trials
from proofs_check.graph_adversaries import GRAPHS as SMALL
from proofs_check.measuring.evaluate import evaluate
from proofs_check.measuring.graph_environment import GraphEnvironment
from proofs_check.measuring.graph_models import GraphModel, draw
from tests.numerics.test_graph_products import Patches
from theory import evaluation
from theory.derive.graph_bench import GraphError
from theory.derive.series import SeriesDerivation, series_bound
from theory.graph import BilinearRule
from theory.graph_constants import CONSTANTS, is_full
from theory.ledger import series
from theory.ledger.apriori import number
from theory.lemmas import schema
from theory.lemmas.series import RANDOM_NODES
from theory.networks import (
    AveragePool,
    Conv,
    DenseRule,
    Input,
    Network,
    RandomNeurons,
    Readout,
)
from theory.networks.convolution import ConvRule
from theory.terms import add, make, rat
from theory.vocabulary import CENTRE, FAILURE, INPUT, share


@lru_cache(maxsize=8)
def theorem(name: str):
    return series.series_theorem(GRAPHS[name], Fraction(1, 2))


def test_all_tests_together_refute_a_true_statement_very_rarely() -> None:
    of_lemmas = sum(len([*instances(n, g.graph)]) for n in RANDOM_NODES for g in GRAPHS.values())
    of_events = sum(len(theorem(name).events) + 1 for name in GRAPHS)
    assert LEVEL * (of_lemmas + of_events) <= 1e-9


# -- lemmas ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("lemma", RANDOM_NODES)
def test_no_lemma_fails_more_often_than_it_says(lemma, name) -> None:
    for formula in instances(lemma, GRAPHS[name].graph):
        found = trials(formula, draws(name))
        assert not found.refuted, (formula, found)
        assert found.probability == DELTA


@pytest.mark.parametrize("lemma", RANDOM_NODES)
def test_every_lemma_is_refuted_with_a_fifth_of_its_right_side(lemma) -> None:
    found = [
        trials(sharpened(formula, rat(1, 5)), draws(name))
        for name in GRAPHS
        for formula in instances(lemma, GRAPHS[name].graph)
    ]
    assert any(t.refuted for t in found), found


@pytest.mark.parametrize(
    ("lemma", "parameters"),
    [
        ("node_value_likely", (2, "sign", 1, 1)),  # Lipschitz concentration is Gaussian
        ("node_norm_likely", (1, 1, 1)),  # no weights there
        ("node_norm_series", (2, "uniform", 1, 1)),
        ("output_series", ("gaussian", 2, 1)),  # more than all of delta
        ("output_series", ("gaussian", 0, 1)),
    ],
)
def test_parameters_out_of_range_have_no_instance(lemma, parameters) -> None:
    code = "input; linear 0; bilinear 1; pointwise 2; bilinear 3"
    with pytest.raises(theory.lemmas.UnknownLemmaError):
        schema(lemma, (code, *parameters))


def test_a_sum_that_is_no_readout_has_no_series() -> None:
    """The map of a sum is not random: with two parents there is no instance, with one no fact."""
    with pytest.raises(theory.lemmas.UnknownLemmaError):
        schema("output_series", ("input; bilinear 0; linear 1 1", "gaussian", 1, 1))
    pooled = Network(Input((2, 4)), Conv(3, 2), AveragePool(), Readout(init="sign"))
    arch_model = draw(pooled.graph)
    env = GraphEnvironment(arch_model, points={"theta0": arch_model.params}, inputs={})
    assert evaluate(make("fact", "drawn", 1, "gaussian"), env)
    assert not evaluate(make("fact", "drawn", 1, "masked"), env)
    assert not evaluate(make("fact", "drawn", 2, "gaussian"), env)
    assert evaluate(make("fact", "drawn", 3, "sign"), env)


# -- constants ------------------------------------------------------------------------------------

LARGER = (
    Network(Input((2, 4, 6)), Conv(3, (2, 3), stride=(2, 1)), AveragePool(), Readout()),
    Network(Input((2, 5)), Conv(2, 3, padding="same", stride=2), AveragePool(), Readout()),
    Network(Input((1, 7)), Conv(4, 3, padding="valid"), AveragePool(), Readout()),
)


def exact_constants(env: GraphEnvironment, node: int) -> dict[str, float]:
    """The constants that a node's form has, from the form written out."""
    form = written(env, node)
    by_rows = np.einsum("ikj,lkj->il", form, form)
    by_cols = np.einsum("ikj,ikl->jl", form, form)
    by_weights = np.einsum("ikj,ilj->kl", form, form)
    return {
        "spread": np.linalg.norm(by_cols, 2) ** 0.5,
        "copies": np.linalg.norm(by_weights, 2) ** 0.5,
        "deviation": max(np.linalg.norm(s, 2) for s in (by_rows, by_cols)) ** 0.5,
    }


def written(env: GraphEnvironment, node: int) -> np.ndarray:
    """A node's form, (value, weights, parent's value)."""
    start, stop = env.arch.block(node)
    return env.form(node).form().reshape(env.arch.sizes[node], stop - start, -1)


@pytest.mark.parametrize("which", range(len(SMALL) + len(LARGER)))
def test_the_constants_bound_what_they_say(which) -> None:
    """From the form written out: norms of its flattenings, of the two sums of squares, of W."""
    graph = (*SMALL, *(n.graph for n in LARGER))[which]
    model = draw(graph, 1)
    env = GraphEnvironment(model, points={"theta0": model.params}, inputs={})
    for node in graph.weighted:
        rule = graph.nodes[node].rule
        assert isinstance(rule, BilinearRule)
        exact = exact_constants(env, node)
        if is_full(rule):
            form = written(env, node)
            weights = np.random.default_rng(0).standard_normal((form.shape[1], 20))
            shape = [int(s) for s in rule.weight_shape]
            exact["gain"] = max(
                np.linalg.norm(np.einsum("ikj,k->ij", form, w), 2)
                / np.linalg.norm(w.reshape(shape), 2)
                for w in weights.T
            )
        for name, value in exact.items():
            stated = float(CONSTANTS[name](rule))
            assert value <= stated * (1 + 1e-12), (name, node)
            if isinstance(rule, DenseRule) or (isinstance(rule, ConvRule) and name == "spread"):
                tight = 1.0 if rule.__class__ is DenseRule else 0.5
                assert value >= tight * stated * (1 - 1e-9), (name, node)


def test_the_constants_of_a_rule_from_outside_hold() -> None:
    """Masked weights that meet patches: a weight is used, and an entry seen, more than once."""
    sin = theory.Activation("sin")
    graph = Network(Input(4), Patches(), sin, Patches(), sin, Readout(trainable=True)).graph
    model = draw(graph, 1)
    env = GraphEnvironment(model, points={"theta0": model.params}, inputs={})
    for node in graph.weighted[:2]:
        rule = graph.nodes[node].rule
        assert isinstance(rule, BilinearRule)
        exact = exact_constants(env, node)
        assert exact["copies"] > float(rule.contraction)
        for name, value in exact.items():
            assert value <= float(CONSTANTS[name](rule)), (name, node)


def test_an_in_degree_may_be_a_symbol_where_the_numbers_of_neurons_are_none() -> None:
    """Both layers divide by the root of m, while the numbers of what is added up stay."""
    network = Network(Input(8), RandomNeurons((16, 16), in_degree=theory.width("m")), Readout())
    assert theory.hessian_bound(network, level="apriori").order.exponent("m") == -1


# -- theorems -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRAPHS)
def test_every_architecture_is_accepted_by_the_independent_check(name) -> None:
    report = check(theorem(name))
    assert report.ok, report
    assert not report.z3.get("unknown")


@pytest.mark.parametrize("name", GRAPHS)
def test_each_event_fails_no_more_often_than_its_share(name) -> None:
    found = theorem(name)
    total = evaluation.evaluate(add(*(e.share for e in found.events)), {FAILURE: 0.5})
    assert total == pytest.approx(0.5, rel=1e-12)
    tried = draws(name)
    failed = np.zeros(len(tried), dtype=bool)
    for event in found.events:
        assert event.lemma in RANDOM_NODES
        assert not trials(make("likely", event.share, event.formula), tried).refuted
        failed |= [not evaluate(event.formula, env).holds for env in tried]
    assert not Trials(int(failed.sum()), len(tried), 0.5).refuted


@pytest.mark.parametrize("name", GRAPHS)
def test_the_bound_holds_on_draws_and_is_not_empty(name) -> None:
    """Against the dense Hessian by JAX, which shares nothing with the derivation."""
    tried = draws(name)
    x = tried[0].inputs["x"]
    bound = number(theorem(name), float(np.linalg.norm(x)))
    found = [np.linalg.norm(_model(e).hessian(x), 2) for e in tried[:20]]
    assert max(found) <= bound <= 1000 * np.mean(found)


def _model(env) -> GraphModel:
    return GraphModel(env.arch, tuple(env.named["theta0"]), env.fixed)


def test_a_width_too_small_does_not_exist() -> None:
    for row in ("LZB20/A8-apriori", "ZLB22/C1-apriori"):
        network = theory.catalog[row].network
        assert theory.least_width(network, 1.0) == 1
    conv = theory.catalog["LZB20/A8-apriori"]
    assert math.isfinite(number(conv, 1.0, 1))
    assert conv.order.exponent("m") == Fraction(-1, 2)
    assert conv.order.exponent("log") == Fraction(1, 2)
    numbers = [number(conv, 1.0, 4**k) * math.sqrt(4**k / (1 + k)) for k in (4, 7, 10)]
    assert max(numbers) < 2 * min(numbers)
    assert all(a.proved for a in conv.order.assumptions)
    fixed = series.series_theorem(conv.network.substitute({theory.width("m"): 8}))
    assert str(fixed.order) == "O(1)"  # where nothing grows, no logarithm does


def test_a_layer_split_in_two_says_the_same_but_for_its_constants() -> None:
    """An average over windows of one position is the identity: no number changes."""
    tanh = theory.Activation("tanh")
    first = (Input((2, 4)), Conv(8, 3), tanh)
    last = (Conv(8, 3), tanh, AveragePool(), Readout(trainable=True))
    plain, padded = Network(*first, *last), Network(*first, AveragePool(1), *last)
    numbers = [number(series.series_theorem(n), 1.0) for n in (plain, padded)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-8)


def test_what_is_not_covered_is_refused_with_the_reason() -> None:
    network = theory.catalog["LZB20/A8-apriori"].network
    with pytest.raises(theory.HypothesisError, match="at the centre alone"):
        theory.hessian_bound(network, "R", level="apriori")
    code = "input; bilinear 0; pointwise 1; linear 2"
    with pytest.raises(GraphError, match="needs a readout"):
        series_bound(SeriesDerivation(code, CENTRE, INPUT, laws={1: "gaussian"}))
    code = "input; bilinear 0; pointwise 1; bilinear 2"
    with pytest.raises(GraphError, match="trained and standard normal"):
        series_bound(SeriesDerivation(code, CENTRE, INPUT, laws={1: "sign", 3: "sign"}))
    with pytest.raises(ValueError, match="widths="):
        number(theory.hessian_bound(network, level="apriori"), 1.0)
    with pytest.raises(ValueError, match="no a-priori theorem"):
        series.number(theory.catalog["LZB20/A2"], 1.0)
    for norm in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="a positive number"):
            number(theory.catalog["LZB20/A8-apriori"], norm, 4)
    for delta in (0, 1, 2, "x"):
        with pytest.raises(ValueError, match="between 0 and 1"):
            series.series_theorem(network, delta)


@pytest.mark.parametrize("delta", [0.01, 0.2])
def test_less_failure_costs_more(delta) -> None:
    network = theory.catalog["LZB20/A8-apriori"].network
    bounds = [
        number(theory.hessian_bound(network, level="apriori", delta=d), 1.0, 32)
        for d in (delta, 2 * delta)
    ]
    assert bounds[0] > bounds[1]


# -- false versions -------------------------------------------------------------------------------


def test_a_smaller_probability_or_half_the_bound_is_rejected() -> None:
    proof = theorem("convolution").proof
    last = proof.steps[-1]
    p, inner = last.conclusion.args
    assert p is FAILURE
    half = make("le", inner.args[0], make("mul", rat(1, 2), inner.args[1]))
    for false in (make("likely", share(1, 2), inner), make("likely", p, half)):
        steps = (*proof.steps[:-1], replace(last, conclusion=false))
        assert not check(replace(proof, statement=false, steps=steps), second_opinion=False).ok


def test_two_laws_of_one_node_are_seen() -> None:
    proof = theorem("convolution").proof
    more = (make("fact", "drawn", 1, "sign"), make("fact", "drawn", 2, "gaussian"))
    for fact in more:
        assert not check(replace(proof, assumptions=(*proof.assumptions, fact))).ok


def test_a_dense_network_can_be_bounded_this_way_too() -> None:
    """At depth 5 and width 1024 the conditioning argument refuses; the series does not."""
    network = theory.reference_network(5)
    found = series.number(series.series_theorem(network), 4.0, 1024)
    assert math.isfinite(found)
    with pytest.raises(theory.ledger.apriori.WidthError):
        number(theory.hessian_bound(network, level="apriori"), 4.0, 1024)
