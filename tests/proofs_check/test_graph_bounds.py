"""One derivation for every architecture: it holds, is tight, survives re-encoding, is checked."""

from __future__ import annotations

import math
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
from proofs_check.measuring.evaluate import Comparison, evaluate, measure
from proofs_check.measuring.graph_environment import GraphEnvironment
from proofs_check.measuring.graph_models import GraphArchitecture, GraphModel, draw, flatten
from theory import kernel
from theory.activations import activation
from theory.graph import Graph, InputRule, Node, PointwiseRule
from theory.graph_terms import parse
from theory.ledger.graphs import graph_bound
from theory.lemmas import UnknownLemmaError, schema
from theory.networks import (
    Activation,
    AveragePool,
    Conv,
    Dense,
    DenseBlock,
    DenseRule,
    Dropout,
    Input,
    Network,
    Neurons,
    Output,
    Readout,
    Residual,
)
from theory.networks.structure import ConcatenateRule, SumRule
from theory.proofs import linearize
from theory.terms import eq, le, make, mul, norm, rat
from theory.vocabulary import CENTRE, INPUT, symbol

ROUNDING = 1e-9
RADIUS = sympy.Symbol("R", nonnegative=True)
TANH, SIN = Activation("tanh"), Activation("sin")
TRAINED = Readout(trainable=True)

NETWORKS = {
    "dense": Network(Input(3), Dense(4), TANH, Dense(3), SIN, TRAINED),
    "residual": Network(
        Input(3), Dense(4), TANH, Residual(Dense(4), Activation("gelu"), scale="1/2"), Readout()
    ),
    "convolution": Network(
        Input((2, 4)), Conv(3, 3), TANH, Conv(2, 2, padding="same"), SIN, AveragePool(), TRAINED
    ),
    "densely connected": Network(
        Input(2), Dense(3), TANH, DenseBlock((Dense(2), SIN), (Dense(2), TANH)), TRAINED
    ),
    "masked": Network(
        Input(3), Dense(4), SIN, Dropout("1/2", mask=(1, 0, 1, 1)), Dense(3), TANH, TRAINED
    ),
    "neurons": Network(
        Input(3),
        Neurons((((0, 1), (1,), (0, 1, 2)), ((0, 3), (2, 3, 4, 5))), output="all"),
        TRAINED,
    ),
    "two outputs": Network(Input(3), Dense(4), TANH, Readout(trainable=True, outputs=2)),
}


@cache
def arch(name):
    graph = NETWORKS[name].graph
    return GraphArchitecture(graph, GraphArchitecture(graph).sizes[-1] - 1)


@cache
def theorem(name, ball):
    return graph_bound(NETWORKS[name].graph, RADIUS if ball else None)


def model_of(name, seed):
    drawn = draw(arch(name).graph, seed)
    return GraphModel(arch(name), drawn.params, drawn.fixed, seed)


def moved(model, radius, seed):
    """Parameters at a distance of at most the radius."""
    random = np.random.default_rng(seed)
    steps = [random.standard_normal(p.shape) for p in model.params]
    size = math.sqrt(sum(float((s * s).sum()) for s in steps))
    reach = radius * (1 - 1e-12) / size
    return tuple(p + reach * s for p, s in zip(model.params, steps, strict=True))


def environment(model, thm, x, radius=0.0, seed=0, reals=None):
    return GraphEnvironment(
        model,
        points={"theta0": model.params, "theta": moved(model, radius, seed)},
        inputs={"x": x},
        reals={"R": radius, **(reals or {})},
        definitions=[d for d in thm.definitions if d.args[0] not in (reals or {})],
    )


def bound_of(thm, env):
    return measure(thm.statement.args[1], env).value


def draw_input(size, kind, seed):
    x = np.random.default_rng(seed).standard_normal(size)
    return {"zero": 0 * x, "normal": x, "huge": 1e3 * x, "tiny": 1e-6 * x}[kind]


# -- it holds --------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(
    st.sampled_from(sorted(NETWORKS)),
    st.integers(0, 99),
    st.sampled_from(["zero", "normal", "huge", "tiny"]),
    st.sampled_from([None, 0.0, 0.1, 1.0, 20.0]),
)
def test_the_bound_holds(name, seed, kind, radius):
    model, thm = model_of(name, seed), theorem(name, radius is not None)
    x = draw_input(model.arch.sizes[0], kind, seed)
    env = environment(model, thm, x, radius or 0.0, seed)
    point = "theta0" if radius is None else "theta"
    truth = np.linalg.norm(model.hessian(x, flatten(env.named[point])), 2)
    assert truth <= bound_of(thm, env) * (1 + ROUNDING) + 1e-300


@pytest.mark.parametrize("name", ["residual", "convolution", "neurons"])
def test_every_line_of_the_proof_holds(name):
    model, thm = model_of(name, 3), theorem(name, True)
    env = environment(model, thm, draw_input(model.arch.sizes[0], "normal", 3), 0.5, 3)
    lines = [j for j in linearize(thm.judgement) if not _schematic(j.conclusion)]
    assert len(lines) > 400
    false = [j for j in lines if not evaluate(j.conclusion, env)]
    assert not false, false[0]


def _schematic(formula):
    return any(v.head == "var" for v in formula.free)


@pytest.mark.slow
def test_the_bound_holds_for_random_graphs():
    for seed in range(60):
        model = draw(random_graph(seed), seed)
        x = draw_input(3, "normal", seed)
        for radius in (None, 0.7):
            thm = graph_bound(model.arch.graph, None if radius is None else RADIUS)
            env = environment(model, thm, x, radius or 0.0, seed)
            params = env.named["theta0" if radius is None else "theta"]
            truth = np.linalg.norm(model.hessian(x, flatten(params)), 2)
            assert truth <= bound_of(thm, env) * (1 + ROUNDING) + 1e-300
            assert proofs_check.check(thm, second_opinion=False).ok


def random_graph(seed):
    """Any nodes on any nodes: vectors of length 3, joined at the end and read out."""
    random = np.random.default_rng(seed)
    nodes = [Node(0, InputRule((3,)), ())]
    for index in range(1, int(random.integers(4, 10))):
        kind = random.integers(4)
        parents = [int(p) for p in random.integers(0, index, 1 if kind < 2 else 2)]
        function = activation(["tanh", "sin", "gelu"][random.integers(3)])
        rule = [
            DenseRule(3, 3, (3,)),
            PointwiseRule(function, (3,)),
            SumRule((3,), (sympy.Integer(1), sympy.Rational(-1, 2))),
            SumRule((3,), (sympy.Rational(1, 3), sympy.Integer(0))),
        ][kind]
        nodes.append(Node(index, rule, tuple(parents)))
    used = {p for n in nodes for p in n.parents}
    tops = [n.index for n in nodes if n.index not in used]
    joined = ConcatenateRule((3 * len(tops),), len(tops))
    nodes.append(Node(len(nodes), joined, tuple(tops)))
    nodes.append(Node(len(nodes), DenseRule(1, 3 * len(tops), ()), (len(nodes) - 1,)))
    return Graph(tuple(nodes))


# -- it is tight enough to mean something ----------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "factor"),
    [
        (Network(Input(8), Dense(16), TANH, Residual(Dense(16), TANH), TRAINED), 12),
        (Network(Input((2, 6)), Conv(8, 3), TANH, Conv(8, 3), TANH, AveragePool(), TRAINED), 12),
    ],
    ids=["residual", "convolution"],
)
def test_the_bound_is_tight_enough_to_mean_something(net, factor):
    model, thm = draw(net.graph, 0), theory.hessian_bound(net)
    x = draw_input(model.arch.sizes[0], "normal", 0)
    truth = np.linalg.norm(model.hessian(x), 2)
    assert truth <= bound_of(thm, environment(model, thm, x)) <= factor * truth


# -- it survives re-encoding -----------------------------------------------------------------------


@pytest.mark.parametrize("radius", [None, 0.5])
@pytest.mark.parametrize("trained", [True, False])
def test_a_dense_network_gets_the_bound_of_its_own_derivation(trained, radius):
    net = Network(
        Input(3), Dense(5), TANH, Dense(4), SIN, Dense(3), TANH, Readout(trainable=trained)
    )
    model = numerics.instantiate(net, seed=1)
    x = draw_input(3, "normal", 1)
    plain = theory.hessian_bound(net, radius=radius, level="norms")
    general = graph_bound(net.graph, plain.radius, net)
    fixed = {} if trained else {7: np.asarray(model.readout)[None]}
    weights = [np.asarray(w) for w in model.params["W"]]
    weights += [np.asarray(model.params["v"])[None]] if trained else []
    same = GraphModel(GraphArchitecture(net.graph), tuple(weights), fixed)
    measured = numerics.measure(model, x, hessian=False)
    reals = {}
    for layer, node in enumerate((1, 3, 5), start=1):  # |D delta| as layers bound it: lambda g
        g = measured["lambda", layer] * measured["g", layer]
        reals[symbol("g", node, CENTRE, INPUT)] = g
        tau = 1 / math.sqrt(int(net.widths[layer - 1]))
        reals[symbol("mixed_norm", node, CENTRE, INPUT)] = tau * g
    env = environment(same, general, x, radius or 0.0, reals=reals)
    expected = plain.evaluate(dense_values(measured))
    assert bound_of(general, env) == pytest.approx(expected, rel=1e-12)
    sharper = bound_of(general, environment(same, general, x, radius or 0.0))
    assert sharper <= expected * (1 + ROUNDING)


def dense_values(measured):
    """Measured layer statistics as values of the vocabulary's symbols."""
    from theory.vocabulary import curvature, lipschitz, width

    values = {}
    for key, value in measured.items():
        if isinstance(key, str):
            continue
        name, index = key
        if name == "m":
            values[width(index)] = int(value)
        elif name == "lambda":
            values[lipschitz(index)] = value
        elif name == "beta":
            values[curvature(index)] = value
        else:
            tags = (index, CENTRE) if name == "s" else (index, CENTRE, INPUT)
            values[symbol(name, *tags)] = value
    return values


@pytest.mark.parametrize("radius", [None, 0.5])
def test_identity_nodes_change_nothing(radius):
    plain = NETWORKS["residual"]
    idle = Dropout(0)
    padded = Network(
        Input(3),
        idle,
        Dense(4),
        idle,
        TANH,
        Residual(idle, Dense(4), Activation("gelu"), idle, scale="1/2"),
        idle,
        Readout(),
    )
    assert values_at(plain, radius) == pytest.approx(values_at(padded, radius), rel=1e-12)


def values_at(net, radius, weights=None, x=None):
    """The bound of a network for weights that two networks have in common."""
    thm = theory.hessian_bound(net, radius=radius)
    model = draw(net.graph, 5)
    if weights is not None:
        model = replace(model, params=weights)
    x = draw_input(model.arch.sizes[0], "normal", 5) if x is None else x
    return bound_of(thm, environment(model, thm, x, radius or 0.0))


@pytest.mark.parametrize("radius", [None, 0.5])
def test_permuting_neurons_changes_nothing(radius):
    net = Network(Input(3), Dense(4), TANH, Residual(Dense(4), SIN), TRAINED)
    model = draw(net.graph, 5)
    order = np.random.default_rng(0).permutation(4)
    first, second, last = model.params
    mixed = (first[order], second[order][:, order], last[:, order])
    assert values_at(net, radius) == pytest.approx(values_at(net, radius, mixed), rel=1e-10)


@pytest.mark.parametrize("radius", [None, 0.5])
def test_a_convolution_on_one_position_is_a_dense_layer(radius):
    dense = Network(Input(3), Dense(4), TANH, Dense(2), SIN, TRAINED)
    conv = Network(Input((3, 1)), Conv(4, 1), TANH, Conv(2, 1), SIN, AveragePool(), TRAINED)
    model = draw(dense.graph, 5)
    thm = graph_bound(dense.graph, theory.hessian_bound(dense, radius=radius).radius)
    x = draw_input(3, "normal", 5)
    expected = bound_of(thm, environment(model, thm, x, radius or 0.0))
    assert values_at(conv, radius, model.params, x) == pytest.approx(expected, rel=1e-10)


# -- an independent oracle -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_identity_is_the_hessian(name):
    model, thm = model_of(name, 2), theorem(name, False)
    env = environment(model, thm, draw_input(model.arch.sizes[0], "normal", 2))
    claim = next(c for c in thm.claims if c.label == "identity")
    left, right = claim.judgement.conclusion.args
    exact = model.hessian(env.inputs["x"])
    assert np.allclose(evaluate(right, env).form(), exact, atol=1e-12 * (1 + np.abs(exact).max()))
    assert np.allclose(evaluate(left, env).form(), exact, atol=1e-12 * (1 + np.abs(exact).max()))


@pytest.mark.parametrize("ball", [False, True])
@pytest.mark.parametrize("name", ["residual", "convolution", "densely connected"])
def test_the_proof_is_checked(name, ball):
    report = proofs_check.check(theorem(name, ball))
    assert report.ok, report.failures
    assert set(report.z3) == {"agreed"}


def test_orders():
    from fractions import Fraction

    half = Fraction(-1, 2)
    for name in ("LZB20/A8", "LZB20/A8-residual", "ZLB22/C1", "ZLB22/C3"):
        order = theory.catalog[name].order
        assert order.exponent("m") == half
        assert order.exponent("R") == 1
    assert theory.catalog["LZB20/A8-centre"].order.exponent("m") == half
    m = theory.width("m")
    narrow = Network(Input(4), Dense(m), TANH, Residual(Dense(m), TANH), Dense(1), TANH, TRAINED)
    assert theory.hessian_bound(narrow).order.exponent("m") == 0  # a bottleneck of one neuron


# -- sharpened falsehoods --------------------------------------------------------------------------


def test_half_the_bound_is_false_somewhere():
    thm = theorem("dense", False)
    found = []
    for seed in range(40):
        model = model_of("dense", seed)
        x = draw_input(3, "normal", seed)
        env = environment(model, thm, x)
        truth = np.linalg.norm(model.hessian(x), 2)
        found.append(truth / bound_of(thm, env))
    assert max(found) > 0.4
    sharper = make("le", thm.statement.args[0], mul(rat(1, 3), thm.statement.args[1]))
    results = [
        evaluate(sharper, environment(model_of("dense", s), thm, draw_input(3, "normal", s)))
        for s in (int(np.argmax(found)),)
    ]
    assert not all(results)


BAD_CODES = [
    "",
    "input",
    "input; bilinear 1",
    "input; bilinear 0 0",
    "input; pointwise",
    "input; linear ",
    "input; linear 0; bilinear 01",
    "input; dense 0",
    "bilinear 0; input",
    "input;bilinear 0",
    "input; bilinear 0 ",
    "input; bilinear -1",
]


@pytest.mark.parametrize("code", BAD_CODES)
def test_what_is_no_graph_has_no_lemmas(code):
    with pytest.raises(ValueError, match="graph"):
        parse(code)
    with pytest.raises(UnknownLemmaError):
        schema("hessian_output", (code,))


CODE = "input; bilinear 0; pointwise 1; linear 2 1; bilinear 3"


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("node_bilinear", (CODE, 2)),
        ("node_pointwise", (CODE, 1)),
        ("node_linear", (CODE, 4)),
        ("link_bound", (CODE, 3, 2)),
        ("link_bound", (CODE, 3, -1)),
        ("signal_node", (CODE, 4)),
        ("signal_node", (CODE, -1)),
        ("graph_coordinates", (CODE, 1, 3)),
        ("hessian_bilinear", (CODE, 0)),
        ("node_bilinear", (4, CODE)),
    ],
)
def test_a_lemma_has_no_instance_at_another_kind_of_node(name, parameters):
    with pytest.raises(UnknownLemmaError):
        schema(name, parameters)


def check_with(thm, **changes):
    return proofs_check.check(replace(thm.proof, **changes))


def test_another_graph_in_the_assumptions_is_noticed():
    thm = theorem("residual", False)
    other = make("fact", "graph", CODE)
    report = check_with(thm, assumptions=(*thm.proof.assumptions, other))
    assert any("different graphs" in str(f) for f in report.failures)


def test_facts_about_layers_do_not_mix_with_a_graph():
    thm = theorem("residual", False)
    report = check_with(thm, assumptions=(*thm.proof.assumptions, make("fact", "dense", 1)))
    assert any("the network is a graph" in str(f) for f in report.failures)
    report = check_with(thm, assumptions=(*thm.proof.assumptions, make("fact", "smooth", 1)))
    assert any("not pointwise" in str(f) for f in report.failures)


def test_a_statistic_of_a_node_means_what_is_measured():
    thm = theorem("residual", False)
    first, *rest = thm.proof.definitions
    for value in (rat(0), mul(rat(1, 2), first.args[1])):
        report = check_with(thm, definitions=(eq(first.args[0], value), *rest))
        assert any("measured on networks" in str(f) for f in report.failures)


@pytest.mark.parametrize("name", ["node_norm", "own_norm", "mixed_norm", "g", "s"])
@pytest.mark.parametrize("node", [0, 2, 99])
def test_a_statistic_of_no_node_is_refused(name, node):
    tags = (node, CENTRE) if name in ("node_norm", "s") else (node, CENTRE, INPUT)
    extra = eq(symbol(name, *tags), rat(1))
    for proof in (theorem("residual", False).proof, theory.catalog["LZB20/A7"].proof):
        report = proofs_check.check(replace(proof, definitions=(*proof.definitions, extra)))
        assert any("measured on networks" in str(f) for f in report.failures)


def test_the_constants_of_nodes_cannot_be_defined():
    thm = theorem("residual", False)
    tau = eq(make("sym", "tau", 1), rat(0))
    report = check_with(thm, definitions=(*thm.proof.definitions, tau))
    assert any("has a meaning in the trusted lemmas" in str(f) for f in report.failures)


def test_a_lemma_of_a_graph_needs_its_fact():
    wrong = kernel.hypothesis(make("fact", "graph", CODE + "; bilinear 4"))
    with pytest.raises(kernel.KernelError):
        kernel.lemma("hessian_output", (CODE,), {}, [wrong])


# -- refusals --------------------------------------------------------------------------------------


def test_what_is_missing_is_named():
    with pytest.raises(theory.HypothesisError, match="linear output"):
        theory.hessian_bound(Network(Input(3), Dense(4), TANH, Readout(), Output("tanh")))
    square = Activation("square")
    with pytest.raises(theory.HypothesisError, match=r"lambda = sup\|sigma'\| is infinite"):
        theory.hessian_bound(Network(Input(3), Dense(4), TANH, Residual(Dense(4), square), TRAINED))
    with pytest.raises(theory.HypothesisError, match="use level 'layers'"):
        theory.hessian_bound(NETWORKS["residual"], level="slopes")
    dead = Graph(
        (
            Node(0, InputRule((2,)), ()),
            Node(1, DenseRule(2, 2, (2,)), (0,)),
            Node(2, DenseRule(1, 2, ()), (0,)),
        )
    )
    with pytest.raises(theory.HypothesisError, match=r"node 1 .* does not reach the output"):
        graph_bound(dead)


# -- C2: the output's in-degree counts -------------------------------------------------------------


def output_case(m, p, seed):
    net = Network(Input(8), Dense(m), TANH, Dense(p), TANH, TRAINED)
    model = numerics.instantiate(net, seed=seed)
    x = draw_input(8, "normal", seed)
    thm = theory.catalog["ZLB22/C2"]
    from proofs_check.measuring.environment import Environment

    left = measure(thm.statement.args[0], Environment(model, inputs={"x": x})).value
    return left, numerics.hessian_norm(model, x).value


def test_with_one_output_neighbour_the_hessian_does_not_vanish():
    narrow = [output_case(m, 1, s) for m in (16, 160) for s in range(3)]
    wide = [output_case(m, m, s) for m in (16, 160) for s in range(3)]
    for left, truth in (*narrow, *wide):
        assert 0 < left <= truth * (1 + ROUNDING)
    assert np.mean([t for _, t in narrow[3:]]) > 0.5 * np.mean([t for _, t in narrow[:3]])
    assert np.mean([t for _, t in wide[3:]]) < 0.5 * np.mean([t for _, t in wide[:3]])


def test_the_lower_bound_needs_a_trained_readout():
    from theory.ledger.output_degree import output_degree

    with pytest.raises(theory.HypothesisError, match="this readout is fixed"):
        output_degree(theory.reference_network(2))


def test_the_statement_is_an_inequality_between_numbers():
    thm = theorem("residual", True)
    assert thm.statement is le(norm(thm.statement.args[0].args[1]), thm.statement.args[1])
    model = model_of("residual", 0)
    env = environment(model, thm, draw_input(3, "normal", 0), 0.3, 0)
    assert isinstance(evaluate(thm.statement, env), Comparison)


# -- verification ----------------------------------------------------------------------------------


def test_any_architecture_is_verified_line_by_line():
    m = theory.width("m")
    layers = (Conv(m, 3), TANH, Residual(Conv(m, 3), TANH), AveragePool())
    net = Network(Input((2, 4)), *layers, TRAINED)
    images = np.random.default_rng(0).standard_normal((1, 2, 4))
    search = proofs_check.Search(starts=1, steps=1)
    report = proofs_check.verify(net, images, [3], 1, 0.5, search=search, order=False)
    assert {c.outcome for row in report.rows for c in row.checks} == {"holds"}
    assert {c.quantity for row in report.rows for c in row.checks} == {
        "hessian_norm",
        "kernel_change",
        "linearization_gap",
    }
    assert not report.ledger.false
    assert report.ledger.counts[0].inequalities > 300


def test_kernel_and_gap_of_a_graph_are_derived_and_checked():
    net = NETWORKS["residual"]
    for thm in (theory.kernel_change_bound(net), theory.linearization_bound(net)):
        assert thm.name.startswith("LZB20/A8+")
        assert proofs_check.check(thm).ok
