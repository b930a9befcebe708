"""Verification on concrete networks: what holds, what is violated, what stays open, and why."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import numerics
import proofs_check
import theory
from numerics.ball import distance
from numerics.scaling import fit_exponent
from proofs_check import data
from proofs_check.verification import fits, judging, plan, trials
from proofs_check.verification.counterexamples import Counterexample
from proofs_check.verification.judging import Check
from proofs_check.verification.ledger import Ledger
from proofs_check.verification.report import FILES, Fit, Row
from proofs_check.verification.statements import Conjecture, Prediction, Sides, predicted_order
from proofs_check.verification.verdicts import SIGNIFICANCE, Chance, chances_of, decide
from theory import kernel
from theory.terms import le, mul, norm, rat
from theory.vocabulary import CENTRE, weights

ROOT = Path(__file__).parents[2]
DIM = 5
X = data.digits(3, DIM)


def network(depth: int = 2, *, trainable: bool = False, activation: str = "tanh") -> theory.Network:
    return theory.reference_network(depth, inputs=DIM, trainable=trainable, activation=activation)


@pytest.fixture(scope="module")
def report() -> proofs_check.Report:
    thm = theory.hessian_bound(network(), radius="R")
    return proofs_check.verify(thm, X, [3, 5], 2, 0.5, pairing="cycle", order=False)


def test_a_theorem_is_consistent_with_small_networks(report: proofs_check.Report) -> None:
    assert report.verdict == "consistent"
    assert not report.partial
    assert [(r.width, r.seed, r.input) for r in report.rows] == [
        (3, 0, 0), (3, 1, 1), (5, 0, 0), (5, 1, 1)
    ]  # fmt: skip
    assert {c.statement for c in report.rows[0].checks} == {
        "LZB20/A7", "LZB20/A7 by slopes", "LZB20/A7 on the ball", "LZB20/A7+A2", "LZB20/A7+A3"
    }  # fmt: skip
    assert all(c.outcome == "holds" for r in report.rows for c in r.checks)


def test_what_is_measured_is_not_far_below_what_is_proved(report: proofs_check.Report) -> None:
    for row in report.rows:
        by_name = {c.statement: c.ratio for c in row.checks}
        assert 1 <= by_name["LZB20/A7"] <= by_name["LZB20/A7 by slopes"] < 100
        assert by_name["LZB20/A7 on the ball"] < 1000
        # Along the leading eigenvector the gap is half of |H| R^2, up to the third order.
        gap = row.values["linearization_gap"]
        assert gap > 0.2 * 0.5 * row.values["hessian_norm"] * 0.5**2


def test_every_line_of_the_proofs_holds_and_the_loosest_is_named(
    report: proofs_check.Report,
) -> None:
    assert not report.ledger.false
    assert report.ledger.counts[0].inequalities > 100
    assert report.ledger.counts[0].equalities > 100
    loosest, costliest = report.ledger.loosest, report.ledger.costliest
    assert loosest is not None
    assert costliest is not None
    assert loosest.ratio == max(x.ratio for x in report.ledger.typical() if x.relation == "le")
    # No line can lose more by itself than has been lost up to it.
    for line in report.ledger.lines:
        if line.own is not None:
            assert 1 - 1e-9 <= line.own <= line.ratio * (1 + 1e-9)
    mine = Ledger([x for x in report.ledger.lines if x.theorem == "LZB20/A7 on the ball"])
    assert mine.loosest is not None
    assert f"loosest line: LZB20/A7 on the ball {mine.loosest.label}" in str(report)


def test_the_report_survives_json_and_csv(report: proofs_check.Report) -> None:
    text = json.dumps(report.to_json(), allow_nan=False)
    back = json.loads(text)
    assert back["verdict"] == "consistent"
    assert len(back["rows"]) == 4
    assert back["rows"][0]["checks"][0]["ratio"] > 1
    assert back["settings"]["network"] == network().to_toml()
    lines = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert len(lines) == 4
    assert float(lines[0]["hessian_norm"]) == report.rows[0].values["hessian_norm"]
    assert lines[0]["m_1"] == "3"


def test_the_report_is_saved_whole(report: proofs_check.Report, tmp_path) -> None:
    report.save(tmp_path / "new" / "folder")
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == sorted(FILES)
    assert (tmp_path / "new" / "folder" / "scaling.png").read_bytes().startswith(b"\x89PNG")
    report.plot(tmp_path / "picture.png")
    assert [p.name for p in tmp_path.glob("*.png")] == ["picture.png"]
    assert "<pre" in report._repr_html_()


def test_a_file_that_cannot_be_written_leaves_nothing_behind(report, tmp_path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        msg = "disk full"
        raise OSError(msg)

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        report.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_order_is_confirmed_for_one_hidden_layer() -> None:
    m = theory.width("m")
    net = theory.Network(
        theory.Input(DIM), theory.Dense(m), theory.Activation("tanh"), theory.Readout(init="sign")
    )
    found = proofs_check.verify(
        theory.one_hidden_layer(net), X, [16, 64, 256, 1024], 4, ledger_widths=[16]
    )
    assert found.verdict == "consistent", found.reasons
    exact = [c for r in found.rows for c in r.checks if c.statement == "LZB20/A4"]
    assert all(c.relation == "eq" and abs(c.ratio - 1) < 1e-9 for c in exact)
    fit = next(f for f in found.fits if f.name == "hessian_norm")
    assert fit.status == "agrees"
    assert fit.prediction is not None
    assert fit.prediction.exponent == Fraction(-1, 2)
    assert len(found.rows) == 4 * 4 * 3  # every seed at every input


# -- negative controls ----------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [None, "R"])
def test_a_bound_that_is_too_small_is_violated(radius: str | None) -> None:
    thm = theory.hessian_bound(network(), radius=radius)
    false = Conjecture.scaled(thm, Fraction(1, 100))
    found = proofs_check.verify(false, X[0], [2, 3], 2, None if radius is None else 1.0)
    assert found.verdict == "violated"
    assert found.counterexample is not None
    assert found.counterexample.confirmed
    assert "50 digits" in found.counterexample.method
    assert found.counterexample.widths == (DIM, 2, 2)  # the smallest
    assert found.counterexample.measured.lower > found.counterexample.bound.upper
    assert "1/100 fails" in str(found)
    json.dumps(found.to_json(), allow_nan=False)


def test_a_formula_of_ones_own_is_measured() -> None:
    def too_small(seen) -> float:
        return seen["a", 0] ** 2 / math.sqrt(seen["m", 1]) / 1000

    net = network(1)
    held = proofs_check.verify(Conjecture("mine", net, too_small), X[0], [4, 8], 2, order=False)
    assert held.verdict == "violated"
    loose = Conjecture("mine", net, lambda seen: 1e6 * too_small(seen))
    assert proofs_check.verify(loose, X[0], [4, 8], 2, order=False).verdict == "consistent"


def test_a_false_line_is_found_where_it_is_false() -> None:
    thm = theory.hessian_bound(network())
    size = norm(weights(1, CENTRE))
    line = kernel.hypothesis(le(size, mul(rat(1, 2), size)))
    false = replace(thm.claims[0], label="W:half", title="half the weights", judgement=line)
    claims = (*thm.claims[:3], false, *thm.claims[3:])
    found = proofs_check.verify(
        replace(thm, claims=claims), X[0], [3], [0], order=False, steps=False
    )
    assert found.verdict == "violated"
    assert [x.label for x in found.ledger.false] == ["W:half"]
    assert "W:half" in "".join(found.reasons)
    assert found.counterexample is not None
    assert found.counterexample.line == "W:half: half the weights"


def test_a_norm_without_an_upper_end_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    certified = trials.hessian_norm

    def lower_bound_only(*args, **kwargs):
        return replace(certified(*args, **kwargs), upper=math.inf)

    monkeypatch.setattr(trials, "hessian_norm", lower_bound_only)
    thm = theory.hessian_bound(network())
    found = proofs_check.verify(thm, X[0], [3], [0], order=False, ledger_widths=())
    assert found.verdict == "inconclusive"
    assert "no certified upper end" in found.reasons[0]


def test_a_violation_that_is_not_confirmed_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    certified = trials.hessian_norm

    def a_thousand_times(*args, **kwargs):
        norm = certified(*args, **kwargs)
        return replace(norm, **{n: 1e3 * getattr(norm, n) for n in ("lower", "value", "upper")})

    monkeypatch.setattr(trials, "hessian_norm", a_thousand_times)
    thm = theory.hessian_bound(network())
    found = proofs_check.verify(thm, X[0], [3], [0], order=False, ledger_widths=())
    assert found.verdict == "inconclusive"
    assert "not confirmed" in found.reasons[0]


def test_an_input_at_which_the_network_overflows_is_inconclusive() -> None:
    thm = theory.hessian_bound(network(activation="silu"))
    found = proofs_check.verify(thm, 1e200 * X[0], [3], [0], order=False)
    assert found.verdict == "inconclusive"
    assert found.rows[0].notes
    assert found.ledger.undefined
    assert not found.ledger.false
    json.dumps(found.to_json(), allow_nan=False)
    assert found.to_csv()
    assert str(found)


@pytest.mark.parametrize("scale", [0.0, 1e-200, 1e-100, 1e100])
def test_extreme_inputs_are_never_called_violations(scale: float) -> None:
    thm = theory.hessian_bound(network(), radius="R")
    found = proofs_check.verify(thm, scale * X[0], [2], [0], 1.0, order=False, steps=False)
    assert found.verdict in ("consistent", "inconclusive")


def test_too_few_widths_leave_the_order_open() -> None:
    thm = theory.hessian_bound(network())
    found = proofs_check.verify(thm, X[0], [3, 4], 2, ledger_widths=())
    assert found.verdict == "inconclusive"
    assert "at least 3" in "".join(found.reasons)


# -- refusals -------------------------------------------------------------------------------------


def test_an_uncovered_network_is_refused_with_the_missing_hypothesis() -> None:
    with pytest.raises(theory.HypothesisError, match=r"lambda = sup\|sigma'\| is infinite"):
        proofs_check.verify(network(activation="square"), X, [3], 1)


@pytest.mark.parametrize("name", ["LZB20/A2", "LZB20/A3", "LZB20/A5"])
def test_a_general_statement_is_refused(name: str) -> None:
    with pytest.raises(theory.HypothesisError, match=r"verify theory\."):
        proofs_check.verify(theory.catalog[name], X, [3], 1, 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": None}, "no value for the widths m"),
        ({"widths": [4, 4]}, "repeats"),
        ({"widths": [0]}, "integer >= 1"),
        ({"widths": [2.5]}, "integer >= 1"),
        ({"widths": [True]}, "integer >= 1"),
        ({"widths": [{"n": 3}]}, "n"),
        ({"seeds": []}, "at least one"),
        ({"seeds": [1, 1]}, "once"),
        ({"seeds": [-1]}, "seed -1"),
        ({"radius": None}, "give radius="),
        ({"radius": -1.0}, "not negative"),
        ({"radius": math.nan}, "finite"),
        ({"inputs": X[:, :4]}, "dimension 4; this network takes 5"),
        ({"inputs": np.full(DIM, np.nan)}, "infinite or not a number"),
        ({"inputs": np.zeros((0, DIM))}, "shape"),
        ({"inputs": "x"}, "not an array of numbers"),
        ({"pairing": "some"}, "pairing"),
    ],
)
def test_nonsense_is_refused_before_any_work(changes, message) -> None:
    given = {"inputs": X, "widths": [3], "seeds": [0], "radius": 1.0} | changes
    with pytest.raises(ValueError, match=message):
        proofs_check.verify(theory.hessian_bound(network(), radius="R"), **given)


# -- interruption ---------------------------------------------------------------------------------


def interrupting(after: int):
    calls = []

    def progress(done: float, total: float, text: str) -> None:
        assert 0 <= done <= total
        calls.append(text)
        if len(calls) > after:
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_run_reports_what_there_is(tmp_path) -> None:
    thm = theory.hessian_bound(network())
    found = proofs_check.verify(
        thm, X[0], [2, 3, 4], 2, ledger_widths=(), progress=interrupting(3), on_interrupt="report"
    )
    assert found.partial
    assert found.verdict == "inconclusive"
    assert found.reasons[0] == "interrupted after 3 of 6 networks"
    assert "INTERRUPTED" in str(found)
    found.save(tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["partial"] is True


def test_an_interruption_before_any_row_can_be_reported(tmp_path) -> None:
    found = proofs_check.verify(
        theory.hessian_bound(network()), X[0], [2], 1, progress=interrupting(0),
        on_interrupt="report",
    )  # fmt: skip
    assert not found.rows
    assert "nothing was measured" in found.reasons
    found.save(tmp_path)


def test_an_interruption_is_raised_unless_asked_otherwise() -> None:
    thm = theory.hessian_bound(network())
    with pytest.raises(KeyboardInterrupt):
        proofs_check.verify(thm, X[0], [2], 1, progress=interrupting(0))


# -- parts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("relation", "measured", "bound", "outcome"),
    [
        ("le", Sides(1, 1, 1), Sides(2, 2, 2), "holds"),
        ("le", Sides(1, 1, 3), Sides(2, 2, 2), "undecided"),
        ("le", Sides(2.1, 2.5, 3), Sides(2, 2, 2), "violated"),
        ("le", Sides(1, 1, math.inf), Sides(2, 2, 2), "undecided"),
        ("le", Sides(3, 3, math.inf), Sides(2, 2, 2), "violated"),
        ("le", Sides(0, 0, 1e-305), Sides(0, 0, 0), "holds"),
        ("le", Sides(1, 1, 1 + 1e-12), Sides(1, 1, 1), "holds"),
        ("le", Sides(math.nan, math.nan, math.nan), Sides(2, 2, 2), "undecided"),
        ("eq", Sides(1, 1, 1), Sides(2, 2, 2), "violated"),
        ("eq", Sides(2, 2, 2), Sides(1, 1, 1), "violated"),
        ("eq", Sides(1, 1, 1 + 1e-9), Sides(1, 1, 1), "holds"),
        ("eq", Sides(0, 1, 2), Sides(1, 1, 1), "undecided"),
    ],
)
def test_comparison_of_enclosures(relation, measured, bound, outcome) -> None:
    assert judging.compare(relation, measured, bound)[0] == outcome


def test_a_slope_above_the_predicted_one_makes_the_order_inconclusive() -> None:
    widths = [64, 128, 256, 512]
    values = np.outer(np.array(widths) ** -0.2, [1.0, 1.01, 0.99])
    fit = fit_exponent(widths, values)
    prediction = Prediction(Fraction(-1, 2), Fraction(0), "<=", "test")
    slow = Fit("hessian_norm", "the norm", prediction, fit, fit.verdict(-0.5, relation="<="))
    verdict, reasons = decide([], Ledger(), [slow], None, ordered=True)
    assert slow.status == "disagrees"
    assert verdict == "inconclusive"
    assert "predicted <= -0.5" in "".join(reasons)


def test_predicted_orders() -> None:
    ball = predicted_order(theory.hessian_bound(network(), radius="R"))
    kernel_change = predicted_order(theory.kernel_change_bound(network()))
    assert (ball.exponent, ball.log) == (Fraction(-1, 2), Fraction(1, 2))
    assert kernel_change.exponent == Fraction(-1, 2)


def test_widths_of_several_symbols() -> None:
    m, n = theory.width("m"), theory.width("n")
    net = theory.Network(theory.Input(DIM), theory.Dense(m), theory.Dense(n), theory.Readout())
    grown = [net for net, _ in plan.networks(net, [{"m": 2, "n": 4}, {"m": 4, "n": 8}])]
    mixed = [net for net, _ in plan.networks(net, [{"m": 2, "n": 4}, {"m": 4, "n": 4}])]
    assert plan.proportional(net, grown)
    assert not plan.proportional(net, mixed)
    assert [w for _, w in plan.networks(net, [8, 2])] == [2, 8]
    found = proofs_check.verify(theory.hessian_bound(net), X[0], [{m: 2, n: 4}], [0], order=False)
    assert found.rows[0].widths == (DIM, 2, 4)


def test_a_network_of_numbers_needs_no_widths() -> None:
    net = network().substitute({"m": 3})
    assert proofs_check.verify(net, X[0], seeds=1, radius=0.1).verdict == "consistent"
    with pytest.raises(ValueError, match="numeric widths"):
        proofs_check.verify(net, X[0], [3], seeds=1)


def test_the_table_of_fits_takes_seeds_measured_at_every_width() -> None:
    row = proofs_check.verify(
        theory.hessian_bound(network()), X[0], [2], 1, order=False, ledger_widths=()
    ).rows[0]
    rows = [replace(row, width=w, seed=s) for w, s in [(2, 0), (2, 1), (4, 0), (8, 0), (8, 1)]]
    widths, values = fits.table(rows, lambda r: float(r.width))
    assert widths == [2, 4, 8]
    assert values.tolist() == [[2.0], [4.0], [8.0]]


def test_the_points_of_the_ball_lie_in_it_and_show_more_than_chance() -> None:
    model = numerics.instantiate(network(3), {"m": 6}, seed=2)
    trial = trials.Trial(model, X[0], X[1], 0.7)
    assert set(trial.points) == {"random", "kernel", "eigenvector", "search"}
    for params in trial.points.values():
        assert distance(params, model.params) <= 0.7
    gaps = {name: s.value for name, s in trial.gaps.items()}
    assert max(gaps, key=gaps.__getitem__) == "eigenvector"
    assert trial.kernel_changes["kernel"].value > 3 * trial.kernel_changes["random"].value


def test_a_counterexample_prints_its_network() -> None:
    example = Counterexample(
        "claim", "", network().substitute({"m": 2}).to_toml(), (DIM, 2, 2), 0, tuple(X[0]),
        tuple(X[0]), None, "centre", "le", Sides.exactly(2.0), Sides.exactly(1.0), "by hand", True,
    )  # fmt: skip
    assert "2 <= 1 is false" in str(example)
    assert "Dense(2)" in str(example)


def test_public_names_are_loaded_when_they_are_asked_for() -> None:
    program = (
        "import sys, proofs_check; proofs_check.check; assert 'jax' not in sys.modules, 'jax'; "
        "proofs_check.verify(1)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert "missing 1 required positional argument: 'inputs'" in run.stderr
    assert set(proofs_check.__all__) == set(dir(proofs_check))
    assert all(hasattr(proofs_check, name) for name in proofs_check.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = proofs_check.nonsense


def test_misses_are_counted_as_they_are_said_to_be() -> None:
    """Exact binomial tails, the number of misses itself included; the level is shared out."""

    def chance(misses: int) -> Chance:
        return Chance("A7-apriori", (4, 4), 0, misses, 5, 0.1, 1e-6)

    assert chance(0).p_value == 1
    assert chance(5).p_value == pytest.approx(0.1**5)
    assert chance(4).p_value == pytest.approx(5 * 0.1**4 * 0.9 + 0.1**5)
    assert not chance(5).refuted

    def missed(label: str) -> Check:
        side = Sides.exactly(1.0)
        return Check(label, "hessian_norm", False, "centre", "le", side, side, "missed")

    checks = (missed("one"), missed("two"), missed("sure"))
    rows = [
        Row(3, (2, 3), seed, 0, {}, {}, Sides.exactly(1.0), "dense", 0.0, checks, (), 0.0)
        for seed in range(3)
    ]
    found = chances_of(rows, {"one": 0.1, "two": 0.2})
    assert [(c.statement, c.misses, c.draws, c.delta) for c in found] == [
        ("one", 3, 3, 0.1),
        ("two", 3, 3, 0.2),
    ]
    assert {c.level for c in found} == {SIGNIFICANCE / 2}


@pytest.mark.parametrize(
    ("relation", "measured", "bound", "outcome"),
    [
        ("le", (0.5, 1.0), (1.0, 1.5), "holds"),
        ("le", (0.5, 1.0), (1.0 - 1e-9, 1.5), "holds"),
        ("le", (0.5, 1.0), (0.9, 1.5), "undecided"),
        ("le", (1.1, 1.2), (0.9, 1.0), "violated"),
        ("le", (0.5, math.inf), (1.0, 1.0), "undecided"),
        ("eq", (1.0, 1.0), (1.0, 1.0), "holds"),
        ("eq", (1.0, 1.0 + 1e-9), (1.0 - 1e-9, 1.0), "holds"),
        ("eq", (0.9, 1.0), (1.0, 1.5), "undecided"),
        ("eq", (1.0, 1.5), (0.9, 1.0), "undecided"),
        ("eq", (0.5, 0.9), (1.0, 1.5), "violated"),
        ("eq", (1.0, 1.5), (0.5, 0.9), "violated"),
        ("le", (0.0, math.nan), (1.0, 1.0), "undecided"),
    ],
)
def test_two_enclosures_are_compared(relation, measured, bound, outcome) -> None:
    sides = [Sides(low, low, high) for low, high in (measured, bound)]
    assert judging.compare(relation, *sides)[0] == outcome


def test_the_largest_over_the_inputs_is_fitted_for_seeds_at_every_width() -> None:
    def row(width: int, seed: int, at: int, value: float) -> Row:
        sides = Sides.exactly(value)
        return Row(width, (2, width), seed, at, {"x": value}, {}, sides, "dense", 0.0, ())

    values = [(4, 0, 0, 1.0), (4, 0, 1, 3.0), (4, 0, 2, 2.0), (8, 0, 0, 5.0), (8, 0, 1, 4.0)]
    rows = [row(*v) for v in (*values, (8, 1, 0, 9.0))]  # seed 1 is missing at width 4
    widths, table = fits.table(rows, fits.getter("x"))
    assert widths == [4, 8]
    assert table.tolist() == [[3.0], [5.0]]
    _, spoiled = fits.table([*rows, row(8, 0, 2, math.nan)], fits.getter("x"))
    assert math.isnan(spoiled[1, 0])
