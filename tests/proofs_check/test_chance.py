"""Probabilistic lemmas and the events of a-priori theorems: failures counted against budgets.

Every test here has its level fixed in ``proofs_check.chance.LEVEL``; all of them together refute a
true statement with probability below 1e-9, and the seeds are fixed as well.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import theory
from proofs_check.chance import LEVEL, ChanceError, Draws, Trials
from proofs_check.chance_record import rows
from theory.lemmas import INPUT_X, schema
from theory.lemmas.gaussian import KINDS, RANDOM
from theory.lemmas.series import RANDOM_NODES
from theory.terms import ONE, Term, make, mul, norm, rat, substitute
from theory.vocabulary import CENTRE, INPUT, activation, share, symbol, weights

N = 3000
NETWORKS = {
    "tanh": ("tanh", (4, 12, 9, 16), "gaussian"),
    "gelu": ("gelu", (3, 8, 14, 6), "gaussian"),
    "signs": ("sin", (4, 10, 10, 12), "sign"),
}
MANY = 100  # tests of this file that could refute something true


def network(kind: str, widths: tuple[int, ...], readout: theory.Readout) -> theory.Network:
    hidden = [part for m in widths[1:] for part in (theory.Dense(m), theory.Activation(kind))]
    return theory.Network(theory.Input(widths[0]), *hidden, readout)


@lru_cache(maxsize=8)
def draws(name: str, delta: float, count: int = N) -> Draws:
    activation, widths, init = NETWORKS[name]
    hidden = [part for m in widths[1:] for part in (theory.Dense(m), theory.Activation(activation))]
    net = theory.Network(theory.Input(widths[0]), *hidden, theory.Readout(init=init))
    x = np.linspace(-1.0, 1.5, widths[0])
    return Draws(net, x, count, seed=1, delta=delta)


def instances(lemma: str, law: str, depth: int = 3) -> list[Term]:
    """The lemma's conclusion at every layer and kind, for the whole of delta."""
    backward = lemma.startswith(("signal", "alignment"))
    network = (depth, *(["fixed"] if backward else []), law, 1, 1)
    kinds = [(k,) for k in KINDS] if lemma.startswith("signal") else [()]
    top = lemma.endswith("_top")
    first = 2 if lemma == "sloped_matrix" else 1
    layers = [()] if top else [(i,) for i in range(first, depth if backward else depth + 1)]
    found = []
    for kind in kinds:
        for layer in layers:
            formula = schema(lemma, (*kind, *layer, *network)).conclusion
            found.append(substitute(formula, {INPUT_X: INPUT}))
    return found


def law_of(name: str) -> str:
    return NETWORKS[name][2]


def test_all_tests_together_refute_a_true_statement_very_rarely() -> None:
    assert LEVEL * MANY <= 1e-9


def covered() -> list[tuple[str, str]]:
    """Every lemma on every network that it speaks of; gelu itself is not bounded."""
    return [(b, a) for a in NETWORKS for b in RANDOM if not (b[:7] == "squares" and a == "gelu")]


@pytest.mark.parametrize(("lemma", "name"), covered())
def test_no_lemma_fails_more_often_than_it_says(lemma: str, name: str) -> None:
    for delta in (0.5, 0.02):
        for formula in instances(lemma, law_of(name)):
            found = draws(name, delta).trials(formula)
            assert not found.refuted, (formula, found)


@pytest.mark.parametrize("lemma", RANDOM)
def test_every_lemma_is_refuted_with_a_third_of_its_right_side(lemma: str) -> None:
    found = []
    for formula in instances(lemma, "gaussian"):
        p, inner = formula.args
        left, right = inner.args
        sharper = make("likely", p, make("le", left, mul(rat(1, 3), right)))
        found.append(draws("tanh", 0.02).trials(sharper))
    assert any(t.refuted for t in found), found


def test_a_probability_claimed_too_small_is_refuted() -> None:
    """The largest of normal variables is sharp: the union factor m_l may not be lost."""
    (formula,) = instances("signal_largest_top", "gaussian")[:1]
    true = draws("tanh", 0.3).trials(formula)
    assert true.failures > 0.5 * 0.3 * N  # the bound is nearly attained
    p, inner = formula.args
    without = substitute_term(inner, make("pow", make("dim", make("layer", 3)), Fraction(-1)))
    assert draws("tanh", 0.3).trials(make("likely", p, without)).refuted


def substitute_term(term: Term, old: Term) -> Term:
    """The term with one subterm replaced by 1."""
    if term is old:
        return ONE
    args = (substitute_term(a, old) if isinstance(a, Term) else a for a in term.args)
    return make(term.head, *args)


# -- the events of theorems -----------------------------------------------------------------------

THEOREMS = {
    "tanh, centre": ("tanh", (16, 80, 90, 100), None, "gaussian", False),
    "gelu, ball, trained": ("gelu", (8, 60, 70), "R", "gaussian", True),
    "sin, signs": ("sin", (8, 70, 80), None, "sign", False),
    "softplus, ball": ("softplus", (8, 40, 30, 50), "R", "gaussian", False),
}
EVENT_DRAWS = 400


def described(case: str):
    activation, widths, radius, init, trained = THEOREMS[case]
    hidden = [part for m in widths[1:] for part in (theory.Dense(m), theory.Activation(activation))]
    net = theory.Network(
        theory.Input(widths[0]), *hidden, theory.Readout(trainable=trained, init=init)
    )
    return theory.hessian_bound(net, radius, level="apriori", delta=0.2)


@pytest.mark.parametrize("case", THEOREMS)
def test_each_event_fails_no_more_often_than_its_share(case: str) -> None:
    theorem = described(case)
    assert theorem.network is not None
    x = np.linspace(-1.0, 1.5, int(theorem.network.widths[0]))
    found = Draws(theorem.network, x, EVENT_DRAWS, seed=2, delta=0.2)
    assert abs(sum(float(found.real(e.share)[0]) for e in theorem.events) - 0.2) < 1e-12
    failed = np.zeros(EVENT_DRAWS, dtype=bool)
    for event in theorem.events:
        trials = found.trials(make("likely", event.share, event.formula))
        assert not trials.refuted, (event.lemma, event.layer, trials)
        failed |= ~found.holds(event.formula)
    assert not Trials(int(failed.sum()), EVENT_DRAWS, 0.2).refuted


# -- the tool itself ------------------------------------------------------------------------------


def test_the_test_refutes_what_fails_too_often_only() -> None:
    assert not Trials(5, 1000, 0.01).refuted
    assert Trials(60, 1000, 0.01).refuted
    assert not Trials(1000, 1000, 1.0).refuted


def test_the_evaluator_agrees_with_the_one_of_proof_lines() -> None:
    import numerics
    from proofs_check.measuring.environment import Environment
    from proofs_check.measuring.evaluate import evaluate

    ours = draws("tanh", 0.1, 2)
    model = numerics.instantiate(ours.network, seed=0)
    params = {"W": tuple(ours.weights[i][0] for i in (1, 2, 3))}
    env = Environment(
        model, points={"theta0": params}, inputs={"x": ours.x}, reals={"failure": 0.1}
    )
    for lemma in ("sloped_matrix", "squares_above", "activation_largest", "slopes_above"):
        for formula in instances(lemma, "gaussian"):
            for side in formula.args[1].args:
                assert evaluate(side, env) == pytest.approx(ours.real(side)[0], rel=1e-9)


def test_what_has_no_value_is_named() -> None:
    found = draws("tanh", 0.1, 2)
    with pytest.raises(ChanceError, match="a_gap"):
        found.real(symbol("a_gap", 1, INPUT))
    with pytest.raises(ChanceError, match="inequalities"):
        found.holds(make("fact", "input"))
    with pytest.raises(ChanceError, match="norm 1"):
        found.real(norm(activation(1, CENTRE, INPUT), "1"))
    with pytest.raises(ChanceError, match="probability"):
        found.trials(make("le", share(1, 2), share(1, 1)))
    assert found.real(norm(weights(1, CENTRE))).shape == (2,)


def test_the_record_lists_every_lemma_with_a_probability():
    text = (Path(__file__).parents[2] / "docs/lemmas.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \|", text.partition("## With a probability")[2], re.MULTILINE)
    assert listed == [*RANDOM, *RANDOM_NODES], (
        "write it again: widthproof attack --write docs/lemmas.md"
    )


def test_a_lemma_with_a_probability_has_a_line():
    line = next(rows())
    assert line.name == RANDOM[0]
    assert not line.refuted
    assert str(line).startswith(f"| `{RANDOM[0]}` |")
