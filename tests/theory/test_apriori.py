"""A7 a priori: nothing measured but |x|; events, budgets, numbers, widths that are too small."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import theory
from proofs_check.replay.checker import check
from theory import evaluation
from theory.activations import CertificationError
from theory.activations.moments import RELATIVE, enclosure
from theory.derive.apriori import plan
from theory.grammar import T
from theory.ledger import apriori
from theory.ledger.apriori import WidthError, constants, least_width, number
from theory.lemmas.gaussian import RANDOM
from theory.orders import PROVED, Growth, order_of
from theory.proofs import Proof
from theory.terms import ONE, ZERO, Term, add, le, make, mul, rat, subterms
from theory.vocabulary import CENTRE, FAILURE, INPUT, STATISTICS, floor, quantile, share, tail


def network(
    depth: int = 3, activation: str = "tanh", *, trained: bool = False, inputs: int = 16
) -> theory.Network:
    return theory.reference_network(depth, activation=activation, trainable=trained, inputs=inputs)


# -- the statement --------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [None, "R"])
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_every_version_is_accepted_by_the_independent_check(activation, trained, radius) -> None:
    theorem = theory.hessian_bound(network(2, activation, trained=trained), radius, level="apriori")
    report = check(theorem)
    assert report.ok, report
    assert not report.z3.get("unknown")
    assert {lemma.name for lemma in theorem.lemmas} >= {e.lemma for e in theorem.events}


def test_the_statement_is_about_probability_and_then_about_the_ball() -> None:
    centre, ball = (theory.hessian_bound(network(), r, level="apriori") for r in (None, "R"))
    assert centre.statement.head == "likely"
    assert [centre.statement.args[1].head, ball.statement.args[1].head] == ["le", "ball"]
    assert centre.statement.args[0] is FAILURE is ball.statement.args[0]
    assert centre.inequality is centre.statement.args[1]


@pytest.mark.parametrize("radius", [None, "R"])
def test_nothing_is_measured(radius) -> None:
    """No layer statistic, no norm and no point is left in the bound or in what it rests on."""
    theorem = theory.hessian_bound(network(), radius, level="apriori")
    for formula in (*theorem.definitions, *(f for a in theorem.assumptions for f in a.formulas)):
        for term in subterms(formula):
            assert term.sort not in ("op", "point")
            assert not (term.head == "sym" and term.args[0] in STATISTICS)


# -- events and their budget ----------------------------------------------------------------------


@given(st.integers(1, 6), st.booleans(), st.booleans(), st.sampled_from(["tanh", "gelu", "sin"]))
@settings(max_examples=15, deadline=None)
def test_the_shares_of_the_events_add_up_to_delta(depth, ball, trained, activation) -> None:
    theorem = theory.hessian_bound(
        network(depth, activation, trained=trained), "R" if ball else None, level="apriori"
    )
    shares = [e.share for e in theorem.events]
    total = evaluation.evaluate(add(*shares), {FAILURE: 0.05})
    assert total == pytest.approx(0.05, rel=1e-12)
    formulas = [e.formula for e in theorem.events]
    assert len(set(formulas)) == len(formulas)  # no event is paid for twice
    for event in theorem.events:
        assert event.lemma in RANDOM
        assert event.judgement.conclusion is make("likely", event.share, event.formula)


def test_the_events_are_those_of_the_plan() -> None:
    theorem = theory.hessian_bound(network(), level="apriori")
    found = [(e.lemma, e.kind, e.layer) for e in theorem.events]
    assert sorted(found) == sorted(plan(3, ball=False, bounded=(True,) * 3))
    shown = repr(theorem)
    assert all(e.lemma in shown for e in theorem.events)
    assert "delta = 1/20, shared by 18 events" in shown
    latex = theorem.to_latex()
    assert latex.count(r"\label{event:") == 18
    assert "union bound over all events" in latex


# -- numbers --------------------------------------------------------------------------------------


def test_the_target_at_width_1024_and_depth_3() -> None:
    """Bound/true <= 40 at tanh, d = 16, |x|^2 = d, the true norm being about 0.078."""
    found = number(theory.hessian_bound(network(), level="apriori"), 4.0, 1024)
    assert 0.078 < found <= 40 * 0.078


@pytest.mark.parametrize("radius", [None, "R"])
def test_more_width_or_more_failure_gives_a_smaller_bound(radius) -> None:
    numbers = [
        number(
            theory.hessian_bound(network(2), radius, level="apriori", delta=delta),
            4.0,
            m,
            radius=None if radius is None else 1.0,
        )
        for m, delta in ((512, 0.01), (512, 0.1), (2048, 0.1), (8192, 0.1))
    ]
    assert numbers == sorted(numbers, reverse=True)


def test_the_bound_falls_as_one_over_the_root_of_the_width() -> None:
    theorem = theory.hessian_bound(network(), level="apriori")
    widths = [2**k for k in (14, 18, 22)]
    scaled = [number(theorem, 4.0, m) * math.sqrt(m / math.log(m)) for m in widths]
    assert max(scaled) < 3 * min(scaled)
    assert theorem.order.exponent("m") == Fraction(-1, 2)
    assert theorem.order.exponent("log") == Fraction(1, 2)
    assert not theorem.order.assumptions  # nothing is assumed of measured quantities


def test_one_hidden_layer_needs_one_event_and_any_width() -> None:
    theorem = theory.hessian_bound(network(1), level="apriori")
    (event,) = theorem.events
    assert (event.lemma, event.kind) == ("signal_largest_top", "curve")
    beta = 4 / (3 * math.sqrt(3))
    reach = evaluation.of_gaussian(quantile(rat(1)), 0.05 / 64)
    assert number(theorem, 4.0, 64) == pytest.approx(beta * reach / 8)


def test_signs_make_the_largest_entry_certain() -> None:
    m = theory.width("m")
    net = theory.Network(
        theory.Input(16), theory.Dense(m), theory.Activation("tanh"), theory.Readout(init="sign")
    )
    found = number(theory.hessian_bound(net, level="apriori"), 4.0, 64)
    assert found == pytest.approx(4 / (3 * math.sqrt(3)) / 8)


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_the_orders_that_are_called_proved_are_those_of_the_likely_bounds(activation) -> None:
    """For each layer statistic: what bounds it a priori grows no faster than its order says."""
    widths = [16, *(theory.width(f"m{i}") for i in (1, 2, 3))]
    hidden = [p for m in widths[1:] for p in (theory.Dense(m), theory.Activation(activation))]
    net = theory.Network(theory.Input(16), *hidden, theory.Readout(trainable=True))
    likely: dict[tuple[str, int], Growth] = {}
    for radius in (None, "R"):
        theorem = theory.hessian_bound(net, radius, level="apriori")
        for d in theorem.definitions:
            name, _, suffix = d.args[0].args[0].rpartition("_")
            if suffix == "hat" and name in PROVED:
                found = order_of(d.args[0], theorem.definitions, net.widths, theorem.radius)
                assert not found.assumptions
                likely[name, d.args[0].args[1]] = found.growth
    assert {name for name, _ in likely} == PROVED
    for (name, layer), growth in likely.items():
        tags = () if name == "s" else (INPUT,)
        stated = order_of(make("sym", name, layer, CENTRE, *tags), (), net.widths)
        (assumption,) = stated.assumptions
        assert assumption.proved
        assert growth.at_most(stated.growth), (name, layer, str(growth), str(stated.growth))


# -- widths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("depth", "activation"), [(2, "tanh"), (3, "tanh"), (2, "gelu")])
def test_the_least_width_is_the_least(depth, activation) -> None:
    net = network(depth, activation)
    least = least_width(net, 4.0)
    theorem = theory.hessian_bound(net, level="apriori")
    assert math.isfinite(number(theorem, 4.0, least))
    with pytest.raises(WidthError, match=f"at least {least} neurons") as caught:
        number(theorem, 4.0, least - 1)
    assert str(least - 1) in str(caught.value)
    assert theory.least_width(net, 4.0) == least


def test_one_narrow_layer_is_enough_to_be_refused() -> None:
    net = theory.Network(
        theory.Input(16),
        theory.Dense(1000),
        theory.Activation("tanh"),
        theory.Dense(20),
        theory.Activation("tanh"),
        theory.Dense(1000),
        theory.Activation("tanh"),
        theory.Readout(),
    )
    with pytest.raises(WidthError, match="activations of layer 2"):
        number(theory.hessian_bound(net, level="apriori"), 4.0)


def test_an_input_of_norm_zero_has_no_statement() -> None:
    with pytest.raises(ValueError, match="positive"):
        number(theory.hessian_bound(network(2), level="apriori"), 0.0, 512)


@given(st.integers(500, 5000), st.sampled_from([1.0, 2.0]))
@settings(max_examples=6, deadline=None)
def test_the_floors_meet_their_hypotheses(width, scale) -> None:
    theorem = theory.hessian_bound(network(), level="apriori")
    known = constants(theorem, [16, width, width, width], scale)
    table = evaluation.definitions_of(theorem.definitions)
    conditions = [f for a in theorem.assumptions if a.name == "wide" for f in a.formulas]
    assert len(conditions) == 2
    for formula in conditions:
        sides = [
            evaluation.evaluate(s, known, table, activations=theorem.network.activations)
            for s in formula.args
        ]
        assert sides[0] <= sides[1]
        assert floor(1) in known


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("delta", [0, 1, -0.1, 2, math.nan, "x", True, None, [0.1]])
def test_a_delta_that_is_no_probability_is_refused(delta) -> None:
    if delta is None:
        assert theory.hessian_bound(network(2), level="apriori").failure == apriori.DELTA
        return
    with pytest.raises(ValueError, match="between 0 and 1"):
        theory.hessian_bound(network(2), level="apriori", delta=delta)


def test_delta_is_for_this_level_alone() -> None:
    with pytest.raises(ValueError, match="only level 'apriori'"):
        theory.hessian_bound(network(2), delta=0.1)


def test_an_activation_without_bounded_slope_is_refused() -> None:
    with pytest.raises(theory.HypothesisError, match="infinite"):
        theory.hessian_bound(network(2, "square"), level="apriori")


# -- moments --------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", ["tanh", "softplus", "gelu", "sin", "erf", "sigmoid"])
def test_moments_agree_with_quadrature(name, order) -> None:
    function = theory.activation(name)
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    values = sympy.lambdify(T, function.derivative(order), ["scipy", "numpy"])(0.6 * nodes)
    expected = math.sqrt(float(np.sum(weights * values**2) / np.sum(weights)))
    low, high = enclosure(function, order, 0.6)
    assert low <= high <= low * (1 + RELATIVE)
    assert low == pytest.approx(expected, rel=1e-9)


def test_moments_in_closed_form() -> None:
    """E a^2 xi^2 = a^2; E sin(a xi)^2 = (1 - exp(-2 a^2))/2; at a = 0 the value itself."""
    for a in (0.3, 1.0, 2.5):
        low, high = enclosure(theory.activation("identity"), 0, a)
        assert low <= a <= high
        low, high = enclosure(theory.activation("sin"), 0, a)
        exact = math.sqrt((1 - math.exp(-2 * a * a)) / 2)
        assert low * (1 - 1e-15) <= exact <= high * (1 + 1e-15)
    low, high = enclosure(theory.activation("softplus"), 0, 0.0)
    assert low <= math.log(2) <= high


def test_moments_that_cannot_be_enclosed_are_refused() -> None:
    with pytest.raises(ValueError, match="order 0 or 1"):
        enclosure(theory.activation("tanh"), 2, 1.0)
    with pytest.raises(CertificationError, match="mean square"):
        enclosure(theory.activation("tanh"), 0, 1e-12)


def test_thresholds_of_a_normal_variable() -> None:
    """Tail bounds are what they say, and weaker than the quantile."""
    for p in (1e-12, 1e-3, 0.3, 0.999):
        t = evaluation.of_gaussian(tail(share(1, 2)), p)
        q = evaluation.of_gaussian(quantile(share(1, 2)), p)
        assert math.exp(-t * t / 2) == pytest.approx(p, rel=1e-9)
        assert math.erfc(q / math.sqrt(2)) == pytest.approx(p, rel=1e-9)
        assert q <= t
    assert (
        evaluation.of_gaussian(tail(rat(2)), 2.0)
        == 0
        == evaluation.of_gaussian(quantile(rat(2)), 2.0)
    )
    with pytest.raises(evaluation.MissingValueError, match="activation"):
        evaluation.evaluate(make("rms", 1, 0, rat(1)), {})


def test_the_width_condition_is_of_a_known_kind_only_as_it_is() -> None:
    theorem = theory.hessian_bound(network(2), level="apriori")
    (condition,) = (f for a in theorem.assumptions if a.name == "wide" for f in a.formulas)
    assert condition.head == "le"
    small, large = condition.args
    assert check(theorem).ok
    proof = theorem.proof
    impossible = replace(
        proof,
        definitions=tuple(
            make("eq", d.args[0], rat(0)) if d.args[0] is large else d for d in proof.definitions
        ),
    )
    report = check(impossible)
    assert not report.ok
    assert any("no wide network" in str(f) for f in report.failures)
    assert le(mul(rat(2), small), large) is not condition


# -- false versions -------------------------------------------------------------------------------


def swapped(term: Any, old: Term, new: Term) -> Any:
    """Data of a proof with one term for another."""
    if term is old:
        return new
    if isinstance(term, tuple):
        return tuple(swapped(t, old, new) for t in term)
    if isinstance(term, Term):
        return make(term.head, *(swapped(a, old, new) for a in term.args))
    return term


def changed(proof: Proof, old: Term, new: Term) -> Proof:
    """A proof with one term for another throughout; what its steps appeal to is left."""
    steps = tuple(
        replace(s, data=swapped(s.data, old, new), conclusion=swapped(s.conclusion, old, new))
        for s in proof.steps
    )
    return replace(
        proof,
        statement=steps[-1].conclusion,
        definitions=swapped(proof.definitions, old, new),
        steps=steps,
    )


HALF = share(1, 10)
WIDTH = make("pow", make("dim", make("layer", 2)), Fraction(-1))


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("a threshold sharpened", tail(HALF), mul(rat(1, 2), tail(HALF))),
        ("a threshold for a larger probability", tail(HALF), tail(FAILURE)),
        ("the union factor lost", quantile(mul(HALF, WIDTH)), quantile(HALF)),
        ("a budget shrunk", make("likely", FAILURE, le(ZERO, ONE)), None),
    ],
)
def test_sharpened_falsehoods_are_rejected(what, old, new) -> None:
    """Carried through the whole proof, so that only the lemma or the rule can tell."""
    proof = theory.hessian_bound(network(2), level="apriori").proof
    if new is None:
        last = proof.steps[-1]
        smaller = make("likely", share(1, 2), last.conclusion.args[1])
        false = replace(
            proof, statement=smaller, steps=(*proof.steps[:-1], replace(last, conclusion=smaller))
        )
    else:
        false = changed(proof, old, new)
        assert false.steps != proof.steps, what
    report = check(false, second_opinion=False)
    assert not report.ok, what
