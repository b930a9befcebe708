"""Whole proofs: accepted when right, rejected when tampered with or resting on too much."""

from __future__ import annotations

import dataclasses
import io
import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import theory
from proofs_check.replay.checker import CheckError, check
from proofs_check.replay.definitions import definition_problems
from proofs_check.replay.hypotheses import INTERPRETED, MEASURED, kind_of
from theory import kernel
from theory.graph_terms import GRAPH_STATISTICS, parse
from theory.lemmas import LEMMAS, fact, schema
from theory.lemmas.gaussian import RANDOM
from theory.proofs import Proof, Step, from_json, proof_of, to_json
from theory.terms import (
    ONE,
    SCALAR,
    ZERO,
    add,
    eq,
    le,
    make,
    mul,
    norm,
    rat,
    subterms,
)
from theory.vocabulary import (
    CENTRE,
    INPUT,
    POINT,
    RADIUS,
    STATISTICS,
    definition,
    hessian,
    tolerance,
    weights,
)

X, Y = make("sym", "x"), make("sym", "other")
L = make("index", "l", 0)
STAR = make("point", "*")
NAMES = tuple(theory.catalog)
A2, A7 = (theory.catalog[f"LZB20/{n}"] for n in ("A2", "A7"))


def proof(judgement, definitions=(), assumptions=None):
    if assumptions is None:
        assumptions = judgement.hypotheses - set(definitions)
    return proof_of(judgement, tuple(assumptions), tuple(definitions))


def reasons(report):
    return " | ".join(map(str, report.failures))


# -- right proofs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_catalog_is_accepted(name):
    theorem = theory.catalog[name]
    report = check(theorem).raise_if_failed()
    assert report.ok
    assert report.steps == len(theorem.proof.steps)
    assert set(report.lemmas) == {lemma.name for lemma in theorem.lemmas}
    formulas = {f for a in theorem.assumptions for f in a.formulas}
    assert {a.formula for a in report.assumptions} == formulas
    assert all(a.used and a.allowed for a in report.assumptions)
    assert not report.z3.keys() - {"agreed"}
    assert not report.sampled.keys() - {"agreed"}


@pytest.mark.parametrize("trainable", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("radius", [None, "R"])
def test_derived_bounds_are_accepted(depth, radius, trainable):
    network = theory.reference_network(depth, trainable=trainable)
    assert check(theory.hessian_bound(network, radius=radius)).ok


@pytest.mark.slow
def test_depth_20_is_accepted():
    report = check(theory.hessian_bound(theory.reference_network(20), radius="R"))
    assert report.ok
    assert report.steps > 5000
    assert report.seconds < 120


def test_a_proof_is_read_from_every_form():
    data = A2.to_json()
    for source in (A2, A2.proof, data, json.dumps(data), from_json(data)):
        assert check(source, second_opinion=False).ok


def test_the_report_says_what_is_trusted_and_assumed():
    report = check(A2)
    text = str(report)
    assert "gradient_mean_value (2)" in text
    assert "twice_differentiable" in text
    assert "second opinion by z3" in text
    assert "checked" in report._repr_html_()
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(report)
    assert "mean value inequality" in console.export_text()


# -- tampering ------------------------------------------------------------------------------------


def changed(number, base=A2.proof, **values):
    steps = list(base.steps)
    steps[number] = dataclasses.replace(steps[number], **values)
    return dataclasses.replace(base, steps=tuple(steps))


@pytest.mark.parametrize("number", range(0, len(A2.proof.steps)))
def test_another_conclusion_is_rejected_where_it_stands(number):
    report = check(changed(number, conclusion=le(ONE, ZERO)), second_opinion=False)
    assert not report.ok
    assert report.failures[0].step == number
    with pytest.raises(CheckError, match=f"step {number} "):
        report.raise_if_failed()


@pytest.mark.parametrize("number", [n for n, s in enumerate(A2.proof.steps) if s.premises])
def test_a_premise_less_is_rejected(number):
    premises = A2.proof.steps[number].premises[:-1]
    assert not check(changed(number, premises=premises), second_opinion=False).ok


def test_another_statement_is_rejected():
    report = check(dataclasses.replace(A2.proof, statement=le(ONE, ZERO)))
    assert "stated is (le (rat 1) (rat 0))" in reasons(report)


def test_a_theorem_that_states_something_else_is_rejected():
    class Liar:
        proof = A2.proof
        statement = le(ONE, ZERO)

    assert "the theorem states (le (rat 1) (rat 0))" in reasons(check(Liar()))


def test_an_assumption_that_is_not_declared_is_rejected():
    report = check(dataclasses.replace(A2.proof, assumptions=A2.proof.assumptions[1:]))
    assert "neither assumed nor a definition" in reasons(report)


def test_no_steps_at_all_are_rejected():
    assert "no steps" in reasons(check(dataclasses.replace(A2.proof, steps=())))


@given(st.data())
def test_json_with_one_number_or_word_changed_is_rejected_or_means_the_same(data):
    """Every single change is noticed, unless it changes nothing that is proved or assumed."""
    source = to_json(theory.catalog["LZB20/A5"].proof)
    flat = json.loads(json.dumps(source))
    spots = list(_leaves(flat))
    parent, key = data.draw(st.sampled_from(spots))
    old = parent[key]
    parent[key] = data.draw(
        st.integers(0, 40) if isinstance(old, int) else st.sampled_from(["2", "inf", "x", "dot"])
    )
    try:
        report = check(flat, second_opinion=False)
    except CheckError:
        return
    read = from_json(flat)
    same = read.statement is theory.catalog["LZB20/A5"].statement and not read.assumptions
    assert not report.ok or same or _renamed(read)


def _leaves(node):
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in pairs:
        if isinstance(value, (dict, list)):
            yield from _leaves(value)
        elif key != "format":
            yield node, key


def _renamed(read: Proof) -> bool:
    """Whether a still accepted proof is the same up to the names of its variables and spaces."""
    original = theory.catalog["LZB20/A5"].statement
    shape = [t.head for t in subterms(original)]
    return [t.head for t in subterms(read.statement)] == shape


# -- assumptions ----------------------------------------------------------------------------------

IN_BALL = kernel.in_ball(POINT, CENTRE, RADIUS)
ON_BALL = make("ball", "*", CENTRE, RADIUS, le(norm(hessian(STAR, INPUT)), tolerance(INPUT)))


@pytest.mark.parametrize(
    ("formula", "kind"),
    [
        (fact("dense", 2), "fact"),
        (fact("dense", L), "fact"),
        (fact("bounded", 1, 2), "fact"),
        (fact("bounded", 1, 4), "extra"),
        (fact("dense"), "extra"),
        (fact("trust_me"), "extra"),
        (fact("readout", "frozen", 2), "extra"),
        (make("forall", "l", 1, 3, fact("dense", L)), "indices"),
        (make("forall", "l", 1, 3, le(X, Y)), "extra"),
        (make("range", L, 1, 3), "range"),
        (IN_BALL, "ball"),
        (kernel.in_ball(POINT, CENTRE, norm(weights(1, CENTRE))), "extra"),
        (kernel.in_ball(POINT, POINT, RADIUS), "extra"),
        (kernel.in_ball(STAR, CENTRE, RADIUS), "extra"),
        (ON_BALL, "hessian"),
        (make("ball", "*", CENTRE, RADIUS, le(norm(hessian(CENTRE, INPUT)), X)), "extra"),
        (make("ball", "*", CENTRE, RADIUS, le(X, Y)), "extra"),
        (le(X, Y), "extra"),
        (le(ONE, ZERO), "extra"),
        (eq(X, Y), "extra"),
    ],
)
def test_kinds_of_assumptions(formula, kind):
    assert kind_of(formula) == kind
    judgement = kernel.hypothesis(formula)
    report = check(proof(judgement))
    assert report.ok == (kind != "extra")
    assert check(proof(judgement), allow=[formula]).ok


@pytest.mark.parametrize(
    "facts",
    [
        [fact("parameters", 2, "fixed"), fact("parameters", 3, "fixed")],
        [fact("parameters", 2, "fixed"), fact("readout", "fixed", 3)],
        [fact("parameters", 2, "fixed"), fact("readout", "trained", 2)],
        [fact("parameters", 2, "fixed"), fact("dense", 3)],
        [fact("dense", 0)],
        [make("forall", "l", 0, 2, fact("dense", L))],
        [make("range", 5, 1, 3)],
        [fact("graph", "input; bilinear 0"), fact("general", 1)],
        [fact("assembly", 3), fact("general", 1)],
        [fact("assembly", 3), fact("assembly", 4)],
        [fact("shared", 2, 3), fact("assembly", 3)],
        [fact("scale", 1, 2), fact("scale", 1, 3)],
        [fact("assembly", 3), fact("signs", 4)],
        [fact("signs", 3), fact("dominant", 1, 1, 2)],
        [fact("signs", 3), fact("dense", 1)],
        [fact("assembly", 3), fact("gaussian", 3, "sign")],
        [fact("gaussian", 3, "gaussian"), fact("gaussian", 3, "sign")],
        [
            fact("samples", *(make("input", n) for n in ("X", "X1"))),
            fact("samples", *(make("input", n) for n in ("X", "X2"))),
        ],
        [fact("dominant", 1, 1, 2), fact("dominant", 1, 0, 1)],
    ],
)
def test_facts_that_contradict_each_other_are_rejected(facts):
    hypotheses = [kernel.hypothesis(f) for f in facts]
    judgement = kernel.cut(kernel.by_form(X, X), *hypotheses)
    report = check(proof(judgement, assumptions=facts))
    assert not report.ok
    assert {f.rule for f in report.failures} == {"assumptions"}


def test_facts_of_one_network_agree():
    facts = [
        fact("parameters", 2, "fixed"),
        fact("readout", "fixed", 2),
        fact("dense", 2),
        fact("input"),
        make("forall", "l", 1, 2, fact("smooth", L)),
        make("forall", "l", 3, 1, fact("smooth", L)),
        make("range", 2, 1, 2),
    ]
    hypotheses = [kernel.hypothesis(f) for f in facts]
    judgement = kernel.cut(kernel.by_form(X, X), *hypotheses)
    assert check(proof(judgement, assumptions=facts)).ok


# -- definitions ----------------------------------------------------------------------------------

E = make("sym", "E", 1, CENTRE)
E_AT = make("sym", "E", 1, POINT)
SIZE = norm(weights(1, CENTRE))
SIZE_AT = norm(weights(1, POINT))
OUTPUT = make("op", "f", SCALAR, SCALAR, CENTRE, INPUT)


def problems(*definitions, conclusion=None):
    statement = eq(X, X)
    steps = (Step("hypothesis", (conclusion or statement,), (), conclusion or statement),)
    return " | ".join(definition_problems(Proof(statement, (), definitions, steps)))


@pytest.mark.parametrize(
    "definitions",
    [
        [eq(X, add(Y, ONE))],
        [eq(X, Y), eq(make("sym", "z"), mul(X, Y))],
        [eq(E, SIZE), eq(E_AT, SIZE_AT)],
        [eq(E, SIZE), eq(E_AT, SIZE)],
        [eq(make("sym", "E", 1, CENTRE), X), eq(make("sym", "E", 2, CENTRE), Y)],
        [eq(make("sym", "s", 2, CENTRE), definition("s", 2, CENTRE, INPUT))],
        [eq(make("sym", "q", 2, CENTRE, INPUT), definition("q", 2, CENTRE, INPUT))],
        [eq(make("sym", "E"), SIZE)],
    ],
)
def test_definitions_that_only_abbreviate(definitions):
    assert problems(*definitions) == ""


@pytest.mark.parametrize(
    ("definitions", "why"),
    [
        ([eq(X, ONE), eq(X, ZERO)], "twice"),
        ([eq(X, ONE), eq(X, ONE)], "twice"),
        ([eq(X, add(X, ONE))], "not defined before"),
        ([eq(X, Y), eq(Y, X)], "not defined before"),
        ([eq(X, Y), eq(Y, ONE)], "not defined before"),
        ([le(X, ONE)], "not of the form"),
        ([eq(ONE, X)], "not of the form"),
        ([eq(norm(weights(1, CENTRE)), X)], "not of the form"),
        ([eq(weights(1, CENTRE), weights(1, POINT))], "not of the form"),
        ([eq(make("sym", "lambda", 1), ZERO)], "trusted lemmas"),
        ([eq(make("sym", "beta", L), ZERO)], "trusted lemmas"),
        ([eq(X, make("dim", make("layer", L)))], "depends on"),
        ([eq(X, make("var", "h", "real"))], "depends on"),
        ([eq(X, norm(weights(1, STAR)))], "depends on"),
        ([eq(make("sym", "s", 1, CENTRE), ZERO)], "measured"),
        ([eq(make("sym", "s", 1), definition("s", 1, CENTRE, INPUT))], "measured"),
        ([eq(make("sym", "q", 1, CENTRE, INPUT), definition("g", 1, CENTRE, INPUT))], "measured"),
        ([eq(E, ONE), eq(E_AT, ZERO)], "can be the same"),
        ([eq(make("sym", "E", L, CENTRE), X), eq(E, Y)], "can be the same"),
        (
            [eq(make("sym", "E", 1, CENTRE), X), eq(make("sym", "E", L, POINT), Y)],
            "can be the same",
        ),
    ],
)
def test_definitions_that_do_more(definitions, why):
    assert why in problems(*definitions)


def test_a_symbol_that_hides_a_point_is_not_differentiated():
    hidden = make("sym", "E")
    jac = make("jac", make("scale", hidden, OUTPUT), CENTRE)
    assert "differentiates" in problems(eq(hidden, SIZE), conclusion=eq(jac, jac))
    shown = make("jac", make("scale", Y, OUTPUT), CENTRE)
    assert problems(eq(hidden, SIZE), conclusion=eq(shown, shown)) == ""
    indirect = [eq(hidden, SIZE), eq(Y, add(hidden, ONE))]
    assert "differentiates" in problems(*indirect, conclusion=eq(shown, shown))


def test_the_symbols_that_lemmas_speak_about_are_known():
    families = {
        "triangle": (2, "2"),
        "product": (2,),
        "homogeneity": ("2",),
        "negation": ("2",),
        "entrywise": (2,),
        "coordinates": (2, "trained", 1, "v"),
        "block_norm": (2, "trained"),
        "isometry": (1, "fixed"),
        "block_distance": (2, "trained", "v"),
        "mean_value": (2,),
        "shared_distance": (2, "trained", 2),
        "max_upper": (2, 1),
        "gradient_line": ("up",),
        "dense_partials": ("dwa",),
        "sample_hessians": (2,),
        "least_product": (2,),
        "signal_top": ("trained",),
        "jacobian_readout": ("trained",),
        "hessian_readout": ("trained",),
        "scale": (1, 2),
        "dominance": (1, 2),
        "rms_lipschitz": (0,),
        "divide": (1, 1),
        "root_above": (1,),
        "root_below": (1,),
    }
    code = "input; linear 0; bilinear 1; pointwise 2; bilinear 3"
    for kind, node in (("linear", 1), ("bilinear", 2), ("pointwise", 3)):
        families |= {f"{name}_{kind}": (code, node) for name in ("node", "jacobian", "hessian")}
    own = ("node_map_distance", "own_step", "own_distance", "form_bound", "form_distance")
    families |= dict.fromkeys(own, (code, 2))
    families |= dict.fromkeys(("hessian_output", "signal_output", "graph_block_norm"), (code,))
    families |= {"signal_node": (code, 1), "link_bound": (code, 1, 0)}
    families |= {"graph_coordinates": (code, 2, 4), "hessian_pointwise": ()}
    families |= {"jacobian_pointwise": ()}
    families |= {f"second_{kind}": (code, n) for n, kind in enumerate(parse(code).kinds) if n}
    families |= {"second_input": (code,), "gradients_bound": (code, 1), "covector_unit": (code,)}
    families |= dict.fromkeys(
        ("form_in_bound", "form_own_bound", "own_bound", "jacobian_split"), (code, 2)
    )
    families |= {"node_norm_likely": (code, 2, 1, 2), "output_series": (code, "sign", 1, 2)}
    families |= dict.fromkeys(("node_norm_series", "node_value_likely"), (code, 2, "masked", 1, 2))
    families |= dict.fromkeys(RANDOM, (2, 3, "gaussian", 1, 2))
    families |= {"alignment": (1, 3, "fixed", "gaussian", 1, 2)}
    families |= {"alignment_top": (3, "fixed", "gaussian", 1, 2)}
    for name in ("signal_norm", "signal_largest"):
        families |= {name: ("plain", 1, 3, "fixed", "gaussian", 1, 2)}
        families |= {f"{name}_top": ("plain", 3, "fixed", "gaussian", 1, 2)}
    spoken = set()
    for name in LEMMAS:
        found = schema(name, families.get(name, ()))
        for formula in (*found.premises, found.conclusion):
            spoken |= {t.args[0] for t in subterms(formula) if t.head == "sym"}
            assert all(kind_of(t) == "fact" for t in subterms(formula) if t.head == "fact")
    assert spoken == INTERPRETED
    shape = parse(code)
    of_nodes = {shape.definition(n, 2, CENTRE, INPUT).sort for n in GRAPH_STATISTICS}
    of_layers = {definition(n, 1, CENTRE, INPUT).sort for n in STATISTICS}
    assert of_nodes == of_layers == {"real"}
    assert {*GRAPH_STATISTICS, *STATISTICS} == MEASURED


def test_numbers_are_exact():
    third = rat(1, 3)
    judgement = kernel.by_form(add(third, third, third), ONE)
    assert check(proof(judgement)).ok
    wrong = Step(
        "by_form",
        (add(third, third), rat(Fraction(666_667, 10**6))),
        (),
        eq(add(third, third), rat(Fraction(666_667, 10**6))),
    )
    assert not check(Proof(wrong.conclusion, (), (), (wrong,))).ok
