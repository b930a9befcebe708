"""Hypotheses dropped: a counterexample is found, shrunk and confirmed by other means."""

from __future__ import annotations

import numpy as np
import pytest

import numerics
import proofs_check
import theory
from proofs_check import dropping
from proofs_check.dropped import Dropped, measured_again
from proofs_check.dropping import DROPS, DropError
from proofs_check.ledger.dense import spectral
from proofs_check.strategies import Instance
from proofs_check.verification.judging import judge
from proofs_check.verification.statements import ON_BALL
from proofs_check.verification.trials import Search, Trial

NET = theory.reference_network(2, inputs=2)
STATEMENTS = {
    "centre": theory.hessian_bound(NET, level="norms"),
    "ball": theory.hessian_bound(NET, radius="R"),
    "gap": theory.linearization_bound(NET),
    "change": theory.kernel_change_bound(NET),
}


def search(statement, drop: str, **options):
    return proofs_check.falsify(
        statement, drop=drop, max_examples=150, max_width=3, time_limit_s=60, **options
    )


@pytest.mark.parametrize(
    ("which", "drop"),
    [
        ("centre", "linear output"),
        pytest.param("gap", "linear output", marks=pytest.mark.slow),
        pytest.param("change", "linear output", marks=pytest.mark.slow),
        pytest.param("centre", "bounded_lambda", marks=pytest.mark.slow),
        pytest.param("centre", "bounded_beta", marks=pytest.mark.slow),
        pytest.param("gap", "smooth", marks=pytest.mark.slow),
        ("centre", "independent parameters"),
        pytest.param("ball", "ball", marks=pytest.mark.slow),
    ],
)
def test_without_a_hypothesis_a_counterexample_is_found_and_confirmed(which, drop) -> None:
    found = search(STATEMENTS[which], drop)
    assert found.found, str(found)
    assert found.dropped == drop
    assert f"without {drop}" in str(found)
    counterexample = found.counterexample
    assert counterexample is not None
    assert counterexample.measured.lower > counterexample.bound.upper
    assert "differentiating the whole model" in counterexample.method


def test_the_whole_statement_has_none_where_the_dial_is_at_rest() -> None:
    """At dial 1 these models meet the hypothesis, and the statement holds."""
    point = Instance(NET.substitute({"m": 3}), 4, (1.0, -0.5), (0.5, 1.0), 0.5)
    for name, count in (("bounded_lambda", 4), ("bounded_beta", 4), ("ball", 3)):
        statements = [s for s in STATEMENTS.values() if can_drop(s, name)]
        assert len(statements) == count
        for statement in statements:
            drop = dropping.chosen(statement, name, ball=True)
            radius = None if statement.radius is None else point.radius
            trial = drop.trial(Dropped(point, 1), radius, Search(starts=0))
            assert judge(statement, trial).outcome == "holds"


def can_drop(statement, name: str) -> bool:
    return name in dropping.droppable(statement, ball=statement.radius is not None)


@pytest.mark.parametrize("name", [d.name for d in DROPS])
def test_what_is_measured_agrees_with_differentiating_the_whole_model(name) -> None:
    point = Instance(NET.substitute({"m": 3}), 4, (1.0, -0.5), (0.5, 1.0), 0.5)
    statements = [s for s in STATEMENTS.values() if can_drop(s, name)]
    assert len(statements) >= 2
    for statement in statements:
        drop = dropping.chosen(statement, name, ball=True)
        trial = drop.trial(Dropped(point, 3), point.radius, Search(starts=0))
        check = judge(statement, trial)
        again = measured_again(trial, check)
        assert again.value == pytest.approx(check.measured.value, rel=1e-8, abs=1e-12)


def test_a_larger_ball_is_measured_out_there() -> None:
    point = Instance(NET.substitute({"m": 3}), 4, (1.0, -0.5), (0.5, 1.0), 0.5)
    drop = dropping.chosen(STATEMENTS["gap"], "ball", ball=True)
    trials = [drop.trial(Dropped(point, n), point.radius, Search(starts=0)) for n in (1, 4)]
    near, far = (t.values("linearization_gap", True) for t in trials)
    assert trials[1].radius == point.radius  # the bound is that of the ball
    there = Trial(trials[1].model, *point.inputs, 4 * point.radius, Search(starts=0))
    assert far == there.values("linearization_gap", True)
    assert all(far[place].value > near[place].value for place in near)


def test_tied_weights_are_a_network_of_their_own() -> None:
    """All neurons with one weight vector w: f = (sum v_i / sqrt m) sigma(w . x / sqrt d)."""
    net = theory.reference_network(1, inputs=2)
    point = Instance(net.substitute({"m": 4}), 1, (1.0, -0.5), (1.0, -0.5), 0.0)
    statement = theory.hessian_bound(net)
    drop = dropping.chosen(statement, "independent parameters", ball=False)
    trial = drop.trial(Dropped(point, 1), None, Search())
    w, x = np.asarray(trial.model.params["W"][0])[0], trial.x
    t = np.tanh(w @ x / np.sqrt(2))
    bend = -2 * t * (1 - t**2) * float(np.sum(np.asarray(trial.model.readout))) / 2
    by_hand = spectral(bend * np.outer(x, x) / 2)
    assert judge(statement, trial).measured.value == pytest.approx(by_hand, rel=1e-10)


def test_unknown_names_are_refused_with_those_that_can_be_dropped() -> None:
    with pytest.raises(DropError, match=r"'dense' cannot be dropped; what can: linear output"):
        search(STATEMENTS["centre"], "dense")
    with pytest.raises(DropError, match=r"what can: .*ball"):
        search(theory.hessian_bound, "wide layers")
    with pytest.raises(DropError, match="its assumptions: parameters, input"):
        search(STATEMENTS["centre"], "ball")
    assert "ball" in dropping.droppable(STATEMENTS["ball"], ball=True)


@pytest.mark.slow
def test_a_factory_is_searched_where_it_has_the_hypothesis() -> None:
    found = proofs_check.falsify(
        theory.hessian_bound,
        drop="linear output",
        max_examples=10,
        max_depth=1,
        max_width=2,
        time_limit_s=40,
        seed=1,
    )
    assert found.judged > 0
    assert found.statement == "LZB20/A7 without linear output"


def test_a_mutilated_trial_is_no_trial_of_the_theorem() -> None:
    """The claimed constants are those of sigma, not of what the network computes with."""
    point = Instance(NET.substitute({"m": 3}), 4, (1.0, -0.5), (0.5, 1.0), 0.5)
    drop = dropping.chosen(STATEMENTS["centre"], "bounded_beta", ball=False)
    trial = drop.trial(Dropped(point, 8), None, Search())
    assert trial.statistics["x"]["beta", 1] == pytest.approx(4 / 3**1.5)
    assert numerics.measure(trial.model, trial.x)["beta", 1] == pytest.approx(8 * 4 / 3**1.5)


def test_a_row_of_the_ledger_is_searched_in_its_own_family() -> None:
    found = proofs_check.falsify(
        theory.catalog["LZB20/A5"], drop="(2,2,1)-norm", max_examples=20, seed=1
    )
    assert found.found
    assert found.counterexample is not None
    assert found.counterexample.widths[0] <= 3
    assert "LZB20/A5 without (2,2,1)-norm fails" in str(found)
    with pytest.raises(DropError, match=r"what can: .*\(2,2,1\)-norm"):
        proofs_check.falsify(theory.catalog["LZB20/A5"], drop="smooth")


def test_an_order_is_held_against_all_widths_of_its_family() -> None:
    """No single tensor violates an order: the exponent over the widths does."""
    found = proofs_check.falsify(theory.catalog["LZB20/A5"], drop="infinity norm")
    assert found.found
    assert found.counterexample is None
    assert found.order is not None
    assert found.order.fit is not None
    assert found.order.fit.low > -0.5  # what the infinity norm would have given
    assert "without infinity norm" in str(found)
    assert "away from the predicted one" in str(found)


def test_a_row_is_found_by_the_theorem_that_it_is_about() -> None:
    assert "scale sqrt(m)" in dropping.families(theory.catalog["LZB22/B2-floor"])
    assert not dropping.families(theory.catalog["LZB22/B2-ratio"])
    assert not dropping.families(theory.hessian_bound(NET))  # another network than the row's


@pytest.mark.parametrize(
    ("name", "drop", "outcome"),
    [("LZB20/A8", "bounded_lambda", "violated"), ("ZLB22/C3", "ball", "holds")],
)
def test_graphs_do_without_hypotheses_too(name, drop, outcome) -> None:
    """The same network with other activations, or points, against its own bound."""
    theorem = theory.catalog[name]
    net = theorem.network.substitute(dict.fromkeys(theorem.network.symbols, 2))
    size = int(np.prod(net.input_shape))
    point = Instance(net, 4, tuple(np.linspace(-1, 2, size)), (0.5,) * size, 0.5)
    chosen = dropping.chosen(theorem, drop, ball=True)
    for dial, expected in ((1, "holds"), (3, outcome)):
        trial = chosen.trial(Dropped(point, dial), point.radius, Search(starts=0))
        check = judge(theorem, trial)
        assert check.outcome == expected
        again = measured_again(trial, check)
        assert again.value == pytest.approx(check.measured.value, rel=1e-8)
    if drop == "bounded_lambda":
        claimed = trial.statistics["x"]
        true = numerics.measure(trial.model, np.reshape(trial.x, net.input_shape), hessian=False)
        steps = [key for key in true if key[0] == "lambda"]
        assert [claimed[key] for key in steps] == [1.0, 1.0]
        assert [true[key] for key in steps] == [3.0, 3.0]


def droppable_of(theorem) -> list[str]:
    ball = theorem.radius is not None or theorem.quantity in ON_BALL
    return [*dict.fromkeys([*dropping.droppable(theorem, ball), *dropping.families(theorem)])]


@pytest.mark.parametrize("name", theory.catalog)
def test_what_cannot_be_dropped_is_refused_with_what_can(name) -> None:
    theorem = theory.catalog[name]
    possible = droppable_of(theorem)
    for assumption in theorem.assumptions:
        if assumption.name in possible:
            continue
        with pytest.raises(DropError) as error:
            proofs_check.falsify(theorem, drop=assumption.name)
        message = str(error.value)
        assert f"what can: {', '.join(possible) or 'nothing'}" in message
        general = theorem.network is None or theorem.failure is not None
        assert (message[message.index(")") :] != ")") >= general  # what to do instead


@pytest.mark.slow
@pytest.mark.parametrize("name", theory.catalog)
def test_every_hypothesis_that_can_be_dropped_is_searched_without(name) -> None:
    theorem = theory.catalog[name]
    for drop in droppable_of(theorem):
        found = proofs_check.falsify(theorem, drop=drop, max_examples=10, max_width=2)
        assert found.judged > 0 or found.order is not None, drop
        assert found.counterexample is None or found.found


def test_what_holds_with_a_probability_is_no_matter_of_one_network() -> None:
    theorem = theory.catalog["LZB20/A7-apriori"]
    with pytest.raises(theory.HypothesisError, match="counts its failures"):
        proofs_check.falsify(theorem)
    with pytest.raises(DropError, match=r"what can: Gaussian weights .*counts its failures"):
        proofs_check.falsify(theorem, drop="bounded_beta")
