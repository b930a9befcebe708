"""The search for violations: it finds none of a theorem, and finds and shrinks those of a lie."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numerics
import proofs_check
import theory
from proofs_check import strategies
from proofs_check.verification.statements import Conjecture
from theory.terms import Term, eq
from theory.vocabulary import CENTRE, INPUT, symbol


def at_centre(net: theory.Network) -> theory.Theorem:
    return theory.hessian_bound(net)


def by_slopes(net: theory.Network) -> theory.Theorem:
    return theory.hessian_bound(net, level="slopes")


def on_ball(net: theory.Network) -> theory.Theorem:
    return theory.hessian_bound(net, radius="R")


def linearized(net: theory.Network) -> theory.Theorem:
    return theory.linearization_bound(net)


# -- what is true ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factory", "examples"),
    [(at_centre, 40), (by_slopes, 40), (on_ball, 20), (linearized, 10)],
)
def test_no_violation_of_a_theorem_is_found(factory, examples: int) -> None:
    found = proofs_check.falsify(factory, max_examples=examples, max_depth=5, max_width=6)
    assert found.counterexample is None
    assert not found.found
    assert found.judged == found.examples >= examples
    assert found.undecided <= examples // 5
    assert 1 - 1e-9 <= found.tightest < 10  # some instance is nearly an equality
    assert "no violation" in str(found)


def test_no_violation_of_an_exact_formula_is_found() -> None:
    thm = theory.one_hidden_layer(theory.reference_network(1, inputs=3))
    found = proofs_check.falsify(thm, max_examples=40)
    assert found.counterexample is None
    assert abs(found.tightest - 1) < 1e-9


# -- what is false --------------------------------------------------------------------------------


def hundredth(net: theory.Network) -> Conjecture:
    return Conjecture.scaled(theory.hessian_bound(net), Fraction(1, 100))


def test_a_bound_scaled_down_is_found_and_shrunk_to_something_readable() -> None:
    found = proofs_check.falsify(hundredth, max_examples=100, seed=3)
    assert found.found
    assert found.instance is not None
    assert found.instance.net.depth == 1
    assert found.instance.net.widths == (1, 1)
    assert found.instance.net.activations[0].name == "tanh"
    assert found.counterexample is not None
    assert "50 digits" in found.counterexample.method
    assert "Dense(1)" in str(found)


def without_cross_terms(net: theory.Network) -> Conjecture:
    """A7 for depth 2 with the cross term of M_12 lost."""
    thm = theory.hessian_bound(net)
    at = (CENTRE, INPUT)
    lost = symbol("M", 1, 2, *at)

    def shortened(formula: Term) -> Term:
        if formula.args[0] is not lost:
            return formula
        return eq(lost, formula.args[1].args[0])  # the first summand alone

    definitions = tuple(map(shortened, thm.definitions))
    assert definitions != thm.definitions
    return Conjecture("A7 with a term lost", net, thm.statement.args[1], definitions=definitions)


def test_a_lost_term_is_found_on_a_shallow_network() -> None:
    nets = strategies.networks(min_depth=2, max_depth=2, max_width=4)
    found = proofs_check.falsify(
        without_cross_terms, max_examples=300, instances=strategies.instances(network=nets)
    )
    assert found.found
    assert found.counterexample is not None
    assert found.counterexample.bound.value < found.counterexample.measured.value


def test_an_equation_that_is_off_is_found() -> None:
    thm = theory.one_hidden_layer(theory.reference_network(1, inputs=2))
    found = proofs_check.falsify(Conjecture.scaled(thm, Fraction(101, 100)), max_examples=60)
    assert found.found
    assert found.counterexample is not None
    assert found.counterexample.relation == "eq"


def test_a_wrong_formula_of_ones_own_is_found() -> None:
    m = theory.width("m")
    net = theory.Network(
        theory.Input(2), theory.Dense(m), theory.Activation("sin"), theory.Readout()
    )
    # |H| = max |v_i sigma''(z_i)| a_0^2 / sqrt(m) for one hidden layer; the max is forgotten.
    guess = Conjecture("mine", net, lambda seen: seen["a", 0] ** 2 / math.sqrt(seen["m", 1]))
    found = proofs_check.falsify(guess, max_examples=100)
    assert found.found
    assert "mine fails" in str(found)


def test_a_false_claim_about_the_kernel_is_found() -> None:
    def halved(net: theory.Network) -> Conjecture:
        return Conjecture.scaled(theory.kernel_change_bound(net), Fraction(1, 200))

    nets = strategies.networks(max_depth=1, max_width=2, max_input=2)
    found = proofs_check.falsify(
        halved, max_examples=60, instances=strategies.instances(network=nets, scales=(1.0,))
    )
    assert found.found
    assert found.counterexample is not None
    assert found.counterexample.radius is not None


# -- the search itself ----------------------------------------------------------------------------


def test_the_same_seed_searches_the_same_instances() -> None:
    runs = [proofs_check.falsify(hundredth, max_examples=30, seed=s) for s in (1, 1, 2)]
    assert runs[0].instance == runs[1].instance
    assert runs[0].examples == runs[1].examples
    assert (runs[2].examples, runs[2].violations) != (runs[0].examples, runs[0].violations)


def test_what_a_statement_does_not_cover_is_counted_apart() -> None:
    net = st.just(theory.reference_network(1, inputs=2, activation="square").substitute({"m": 2}))
    found = proofs_check.falsify(
        at_centre, max_examples=5, instances=strategies.instances(network=net)
    )
    assert found.refused == found.examples > 0
    assert found.judged == 0


def test_a_time_limit_ends_the_search(monkeypatch) -> None:
    """By a clock that moves on by a second whenever it is read, once for each example."""
    clock = SimpleNamespace(perf_counter=partial(next, count(0.0)))
    monkeypatch.setattr("proofs_check.falsification.time", clock)
    found = proofs_check.falsify(at_centre, max_examples=10_000, time_limit_s=10)
    assert found.judged + found.refused == 10
    assert found.examples == 11  # the last one is drawn, and time is up
    assert found.seconds == 12
    lie = proofs_check.falsify(hundredth, max_examples=10_000, time_limit_s=10)
    assert lie.examples == 11
    assert lie.found


def test_a_general_statement_cannot_be_measured() -> None:
    with pytest.raises(theory.HypothesisError, match="verify theory"):
        proofs_check.falsify(theory.catalog["LZB20/A2"])


# -- strategies -----------------------------------------------------------------------------------


@settings(max_examples=60)
@given(strategies.instances(max_depth=4, max_width=5))
def test_instances_are_networks_that_can_be_measured(instance: strategies.Instance) -> None:
    assert 1 <= instance.net.depth <= 4
    assert all(1 <= m <= 5 for m in instance.net.widths[1:])
    x, z = instance.inputs
    assert x.shape == z.shape == (instance.net.widths[0],)
    assert np.all(np.isfinite(x))
    assert 0 <= instance.radius < math.inf
    model = numerics.instantiate(instance.net, seed=instance.seed)
    assert model.widths == instance.net.widths


CORNERS = {
    "deepest": lambda i: i.net.depth == 8,
    "unequal": lambda i: len(set(i.net.widths)) > 3,
    "signs": lambda i: i.net.readout.trainable and i.net.readout.init == "sign",
    "expression": lambda i: any(f.name not in strategies.BOUNDED for f in i.net.activations),
    "zero": lambda i: not any(i.x),
    "huge": lambda i: max(map(abs, i.x)) > 1e6,
    "tiny": lambda i: 0 < max(map(abs, i.x)) < 1e-100,
    "no ball": lambda i: i.radius == 0,
    "large ball": lambda i: i.radius > 100,
    "two inputs": lambda i: i.x != i.z,
    "width 1": lambda i: 1 in i.net.widths[1:],
}


def test_the_strategies_reach_every_corner() -> None:
    reached: set[str] = set()

    @settings(max_examples=300, database=None)
    @given(strategies.instances())
    def draw(instance: strategies.Instance) -> None:
        reached.update(name for name, holds in CORNERS.items() if holds(instance))

    draw()
    assert reached == set(CORNERS)


def test_every_listed_activation_has_finite_constants() -> None:
    for spec in (*strategies.BOUNDED, *strategies.EXPRESSIONS):
        function = theory.activation(spec)
        assert float(function.sup(1)) < 10
        assert float(function.sup(2)) < 10


@settings(max_examples=20)
@given(strategies.numeric(theory.reference_network(2), max_width=3))
def test_a_description_with_symbols_gets_numbers(net: theory.Network) -> None:
    assert not net.symbols
    assert net.widths[0] == 64
    assert net.widths[1] == net.widths[2] <= 3
