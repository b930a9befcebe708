"""Every trusted lemma survives the attack, and false ones like it do not."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from proofs_check.attack import PLANS, AttackReport, UncoveredLemmaError, attack
from proofs_check.lemma_table import PATH, TINY, document, read, row
from theory.lemmas import LEMMAS as ALL_LEMMAS
from theory.lemmas import Schema, schema
from theory.lemmas.assemblies import RANDOM_SIGNS
from theory.lemmas.gaussian import RANDOM
from theory.lemmas.series import RANDOM_NODES
from theory.terms import (
    PARAMS,
    Term,
    add,
    dot,
    eq,
    le,
    make,
    minus,
    mul,
    norm,
    plus,
    rat,
    root,
    shift,
)
from theory.vocabulary import curvature, width

# those that hold with a probability are attacked in test_chance.py
CHANCY = (*RANDOM, *RANDOM_SIGNS, *RANDOM_NODES)
LEMMAS = {name: lemma for name, lemma in ALL_LEMMAS.items() if name not in CHANCY}
SEEDS = range(4)
REPORTS: dict[str, AttackReport] = {}

# What is zero by definition stays true when it is scaled.
NOTHING = {
    "zero",
    "jacobian_input",
    "hessian_input",
    "second_input",
    "jacobian_size_input",
    "constant_gradient_norm",
    "constant_gradient",
    "definite",
}


def report(name: str) -> AttackReport:
    if name not in REPORTS:
        REPORTS[name] = attack(name, SEEDS)
    return REPORTS[name]


def test_every_lemma_is_attacked() -> None:
    missing = set(LEMMAS) - set(PLANS)
    assert not missing, f"say in proofs_check.attack.PLANS how to attack {', '.join(missing)}"
    assert not set(PLANS) - set(LEMMAS)


@pytest.mark.parametrize("name", LEMMAS)
def test_no_instance_of_a_lemma_is_false(name: str) -> None:
    found = report(name)
    assert not found.violations, found.violations[0]
    assert found.trials >= 20
    assert found.undecided <= found.trials // 4, "rounding hides what the attack could see"


@pytest.mark.parametrize("name", LEMMAS)
def test_every_lemma_is_tried_where_it_is_an_equality(name: str) -> None:
    assert abs(report(name).smallest_slack) < _limit(name)


def _limit(name: str) -> float:
    """Of an inequality that is attained; an equation between small differences is rounded more."""
    return TINY if row(report(name)).kind == "inequality" else 100 * TINY


@pytest.mark.parametrize("name", [n for n in LEMMAS if n not in NOTHING])
def test_no_lemma_survives_with_a_right_side_one_percent_smaller(name: str) -> None:
    def sharpened(*parameters: int | str) -> Schema:
        true = schema(name, parameters)
        left, right = true.conclusion.args
        factor = rat(99, 100)
        smaller = mul(factor, right) if right.sort == "real" else make("scale", factor, right)
        return Schema(true.premises, make(true.conclusion.head, left, smaller))

    assert attack(name, SEEDS, sharpened).violations


# -- the record in the documentation --------------------------------------------------------------


RECORD = Path(__file__).parents[2] / PATH
AGAIN = "write it again: widthproof attack --write docs/lemmas.md"


def test_the_record_lists_every_lemma_once() -> None:
    assert [line.name for line in read(RECORD.read_text())] == list(PLANS), AGAIN


@pytest.mark.parametrize("name", LEMMAS)
def test_the_record_says_what_the_attack_finds(name: str) -> None:
    written = {line.name: line for line in read(RECORD.read_text())}
    found = row(report(name))
    assert name in written, AGAIN
    assert (written[name].title, written[name].kind) == (found.title, found.kind), AGAIN
    slacks = [float(line.slack) for line in (written[name], found)]
    near = all(abs(s) < _limit(name) for s in slacks)
    assert near or slacks[0] == pytest.approx(slacks[1], rel=0.1), AGAIN


def test_a_record_can_be_read_back() -> None:
    lines = [row(report(name)) for name in ("product", "preactivation")]
    assert read(document(lines)) == lines
    assert {line.kind for line in lines} == {"inequality", "equation"}


# -- false lemmas ---------------------------------------------------------------------------------

Change = Callable[[Schema], Schema]
FALSE: list[tuple[str, str, Change]] = []


def false(name: str, how: str) -> Callable[[Change], None]:
    return lambda change: FALSE.append((name, how, change))


def conclusion(change: Callable[[Term, Term], Term]) -> Change:
    """Change the two sides, keep the premises."""
    return lambda true: Schema(true.premises, change(*true.conclusion.args))


def replaced(term: Term, old: Term, new: Term) -> Term:
    """The term with a part replaced wherever it occurs."""
    if term is old:
        return new
    return make(
        term.head, *(replaced(a, old, new) if isinstance(a, Term) else a for a in term.args)
    )


false("triangle", "turned round")(conclusion(lambda x, y: le(y, x)))
false("product", "a factor lost")(
    conclusion(lambda x, y: le(x, y.args[0] if len(y.args) == 2 else mul(*y.args[:-1])))
)
false("product", "turned round")(conclusion(lambda x, y: le(y, x)))
false("homogeneity", "the factor squared")(
    conclusion(lambda x, y: eq(x, mul(y.args[0], y.args[0], y.args[1])))
)
false("negation", "zero")(conclusion(lambda x, y: eq(x, rat(0))))
false("gram", "not squared")(conclusion(lambda x, y: eq(x, y.args[0])))
false("transpose", "squared")(conclusion(lambda x, y: eq(mul(x, x), y)))
false("zero", "is one")(conclusion(lambda x, y: eq(x, rat(1))))
false("kronecker", "a sum")(conclusion(lambda x, y: eq(x, add(*y.args))))
false("diagonal", "of the Euclidean norm")(conclusion(lambda x, y: eq(x, norm(y.args[1]))))
false("diagonal_two", "both maximum norms")(
    conclusion(lambda x, y: le(x, mul(norm(y.args[0].args[1], "inf"), y.args[1])))
)
false("diagonal_max", "by the smaller factor alone")(conclusion(lambda x, y: le(x, y.args[0])))
false("row_norm", "by the spectral norm of A halved")(
    conclusion(lambda x, y: le(x, mul(rat(1, 2), norm(y.args[0].args[1]), y.args[1])))
)
false("row_norm", "by the maximum of v")(
    conclusion(lambda x, y: le(x, mul(y.args[0], norm(y.args[1].args[1], "inf"))))
)
false("scaled_rows", "by the maximum of v")(
    conclusion(lambda x, y: le(x, mul(norm(y.args[0].args[1], "inf"), y.args[1])))
)
false("scaled_rows", "half as large")(conclusion(lambda x, y: le(x, mul(rat(1, 2), y))))
false("diagonal_swap", "without one factor")(conclusion(lambda x, y: eq(x, y.args[1])))
false("diagonal_product", "the second factor squared")(
    conclusion(lambda x, y: eq(x, dot(*y.args, y.args[1])))
)
false("hoelder", "both maximum norms")(
    conclusion(lambda x, y: le(x, mul(y.args[0], norm(y.args[1].args[1], "inf"))))
)
false("max_at_most_two", "turned round")(conclusion(lambda x, y: le(y, x)))
false("tensor_norm", "half as large")(conclusion(lambda x, y: le(x, mul(rat(1, 2), *y.args))))
false("entrywise", "without its premises")(lambda true: Schema((), true.conclusion))
false("min_intro", "without its second premise")(
    lambda true: Schema(true.premises[:1], true.conclusion)
)
false("block_norm", "a largest block instead")(
    conclusion(lambda x, y: le(x, make("max", rat(0), *y.args[1:])))
)
false("shared_distance", "half as far")(conclusion(lambda x, y: le(x, mul(rat(1, 2), y))))
false("shared_distance", "by the largest factor")(
    conclusion(lambda x, y: le(x, mul(make("max", rat(0), *_roots(y.args[0])), y.args[1])))
)
false("block_distance", "half as far")(conclusion(lambda x, y: le(x, mul(rat(1, 2), y))))
false("preactivation", "without its normalisation")(conclusion(lambda x, y: eq(x, y.args[1])))
false("activation", "sigma' for sigma")(
    conclusion(lambda x, y: eq(x, make("act", y.args[0], 1, y.args[2])))
)
false("signal_top", "without its normalisation")(conclusion(lambda x, y: eq(x, y.args[1])))
false("signal_below", "without slopes")(
    conclusion(
        lambda x, y: eq(
            x, make("scale", y.args[0], make("dot", y.args[1].args[0], y.args[1].args[2]))
        )
    )
)
false("jacobian_dense", "own weights alone")(
    conclusion(lambda x, y: eq(x, make("scale", y.args[0], y.args[1].args[0])))
)
false("jacobian_dense", "the width above")(
    conclusion(
        lambda x, y: eq(x, make("scale", make("pow", width(_layer(x)), Fraction(-1, 2)), y.args[1]))
    )
)
false("jacobian_pointwise", "sigma for sigma'")(
    conclusion(
        lambda x, y: eq(
            x,
            make(
                "dot",
                make("diag", make("act", *x.args[0].args[:1], 0, x.args[0].args[2])),
                y.args[1],
            ),
        )
    )
)
false("jacobian_readout", "without its normalisation")(conclusion(lambda x, y: eq(x, y.args[1])))
false("hessian_dense", "without the transposed cross term")(
    conclusion(lambda x, y: eq(x, make("scale", y.args[0], plus(*y.args[1].args[:2]))))
)
false("hessian_dense", "a cross term with the wrong sign")(
    conclusion(
        lambda x, y: eq(
            x,
            make(
                "scale",
                y.args[0],
                plus(y.args[1].args[0], make("neg", y.args[1].args[1]), y.args[1].args[2]),
            ),
        )
    )
)
false("hessian_pointwise", "without the curvature of what is inside")(
    conclusion(lambda x, y: eq(x, y.args[0]))
)
false("hessian_pointwise", "sigma' for sigma''")(conclusion(lambda x, y: eq(x, _lower_order(y))))
false("hessian_readout", "without cross terms, readout trained")(
    conclusion(lambda x, y: eq(x, make("scale", y.args[0], _first(y.args[1]))))
)
false("hessian_input", "is the identity")(conclusion(lambda x, y: eq(x, make("id", PARAMS))))
false("jacobian_input", "has norm one")(conclusion(lambda x, y: eq(norm(x), rat(1))))
false("slope_bound", "by the other constant")(conclusion(lambda x, y: le(x, curvature(y.args[1]))))
false("curvature_bound", "half the constant")(conclusion(lambda x, y: le(x, mul(rat(1, 2), y))))
false("mean_value", "half the constant")(conclusion(lambda x, y: le(x, mul(rat(1, 2), y))))
false("second_order", "a third for a half")(
    conclusion(lambda x, y: le(x, mul(rat(1, 3), *y.args[1:])))
)
false("second_order", "without the square")(
    conclusion(lambda x, y: le(x, mul(*y.args[:2], y.args[2].args[0])))
)
false("gradient_mean_value", "the distance under a root")(
    conclusion(lambda x, y: le(x, mul(y.args[0], y.args[1], y.args[1])))
)
false("taylor", "a third for a half")(conclusion(lambda x, y: le(x, mul(rat(1, 3), *y.args[1:]))))
false("taylor", "without the premise on the ball")(
    lambda true: Schema((true.premises[0], true.premises[2]), true.conclusion)
)
false("constant_gradient_norm", "the gradient itself")(
    conclusion(lambda x, y: eq(plus(x, x.args[1]), y))
)
false("gradient_line", "twice as steep")(conclusion(lambda x, y: eq(x, plus(y, y))))
false("gradient_line", "the other way")(conclusion(lambda x, y: eq(x, make("neg", y))))
false("constant_gradient", "is the identity")(conclusion(lambda x, y: eq(x, make("id", PARAMS))))
false("output_mean_value", "half the slope")(
    conclusion(lambda x, y: le(x, mul(rat(1, 2), y.args[0], y.args[1])))
)
false("output_mean_value", "without the ball")(
    lambda true: Schema((true.premises[0], true.premises[2]), true.conclusion)
)
false("cancel", "without its premise")(lambda true: Schema((), true.conclusion))
false("cancel", "turned round")(conclusion(lambda x, y: le(y, x)))
false("parallelogram", "without the difference")(conclusion(lambda x, y: eq(x.args[1], y)))
false("definite", "without its premise")(lambda true: Schema((), true.conclusion))
false("cancel_factor", "without its second premise")(
    lambda true: Schema(true.premises[:1], true.conclusion)
)
false("geometric_mean", "three times the product")(
    conclusion(lambda x, y: le(mul(rat(3, 2), x), y))
)
false("descent", "without the curvature")(conclusion(lambda x, y: le(x, y.args[0])))
false("descent", "a step twice as long")(conclusion(lambda x, y: le(add(x, x.args[1]), y)))
false("samples_mean_value", "half the slope")(
    conclusion(lambda x, y: le(x, mul(rat(1, 2), *y.args)))
)
false("sample_hessians", "the maximum norm of the coefficients")(
    conclusion(lambda x, y: le(x, mul(norm(y.args[0].args[1], "inf"), y.args[1])))
)
false("one_at_most_two", "without the dimension")(conclusion(lambda x, y: le(x, y.args[1])))
false("least_gram", "the largest in its place")(
    conclusion(lambda x, y: le(mul(norm(x.args[0].args[1]), *x.args[1:]), y))
)
false("least_at_most", "turned round")(conclusion(lambda x, y: le(y, x)))
false("least_product", "one of the largest")(
    conclusion(lambda x, y: le(mul(norm(x.args[0].args[1]), *x.args[1:]), y))
)
false("jacobian_multiple", "the factor squared")(
    conclusion(lambda x, y: eq(x, make("scale", y.args[0], y)))
)
false("hessian_multiple", "the factor squared")(
    conclusion(lambda x, y: eq(x, make("scale", y.args[0], y)))
)
false("input_scale", "a width too many")(conclusion(lambda x, y: eq(x, mul(*y.args, y.args[1]))))
false("value_bound", "half the constant")(conclusion(lambda x, y: le(x, mul(rat(1, 2), y))))
false("rms_lipschitz", "without the distance")(conclusion(lambda x, y: le(x, y.args[0])))
false("root_above", "a quarter of the gap")(
    conclusion(lambda x, y: le(x, add(y.args[0], mul(rat(1, 4), y.args[1]))))
)
false("root_below", "without its second premise")(
    lambda true: Schema(true.premises[:1], true.conclusion)
)
false("divide", "without the quotient")(conclusion(lambda x, y: le(x, y.args[1])))
false("dense_partials", "half as large")(conclusion(lambda x, y: le(x, mul(rat(1, 2), y))))
false("dense_partials", "without the term of the weights")(
    conclusion(lambda x, y: le(x, y.args[0] if y.head == "add" else y))
)
false("general_jacobian", "own weights alone")(conclusion(lambda x, y: eq(x, y.args[0])))
false("general_hessian", "the mixed term once")(
    conclusion(lambda x, y: eq(x, plus(y.args[0], y.args[1], *y.args[3:])))
)
false("general_hessian", "without the layers below")(
    conclusion(lambda x, y: eq(x, plus(*y.args[:4])))
)
false("general_signal", "with the wrong sign")(conclusion(lambda x, y: eq(x, make("neg", y))))
false("max_upper", "below the minimum")(conclusion(lambda x, y: le(x, make("min", *y.args))))
false("scalar_diagonal", "squared")(conclusion(lambda x, y: eq(x, make("dot", y, y))))
false("scalar_hessian", "with the wrong sign")(conclusion(lambda x, y: eq(x, make("neg", y))))
false("max_least", "without its second premise")(
    lambda true: Schema(true.premises[:1], true.conclusion)
)
false("max_scaled", "a minimum")(conclusion(lambda x, y: eq(make("min", *x.args), y)))
false("transfer_top", "without its normalisation")(conclusion(lambda x, y: eq(x, y.args[1])))
false("transfer_below", "without slopes")(
    conclusion(lambda x, y: eq(x, make("scale", y.args[0], make("dot", *y.args[1].args[::2]))))
)
false("block_projection", "less than one")(conclusion(lambda x, y: le(x, root(rat(1, 2)))))
false("jacobian_size", "without the layers below")(
    conclusion(lambda x, y: eq(x, mul(y.args[0], y.args[1].args[0], y.args[2])))
)
false("jacobian_size_input", "is one")(conclusion(lambda x, y: eq(x, rat(1))))
false("assembly", "without its scale")(conclusion(lambda x, y: eq(x, y.args[1])))
false("assembly_hessian", "without the weight")(
    conclusion(lambda x, y: eq(x, make("scale", y.args[0], y.args[1].args[1])))
)
false("assembly_hessian", "with the scale squared")(
    conclusion(lambda x, y: eq(x, make("scale", y.args[0], y)))
)
false("assembly_gradient", "without the weight")(
    conclusion(lambda x, y: eq(x, make("scale", y.args[0], y.args[1].args[1])))
)
false("assembly_diagonal", "one sub-model less")(conclusion(lambda x, y: eq(x, _one_less(y))))
false("block_diagonal_norm", "a sum")(conclusion(lambda x, y: eq(x, make("rsum", *y.args))))
false("block_diagonal_norm", "one sub-model less")(conclusion(lambda x, y: eq(x, _one_less(y))))
false("block_diagonal_norm", "of the whole operator")(
    conclusion(lambda x, y: eq(norm(x.args[1].args[3].args[2]), y))
)
false("pythagoras", "not squared")(
    conclusion(lambda x, y: eq(x.args[0], make("rsum", *y.args[:3], y.args[3].args[0])))
)
false("pythagoras", "one sub-model less")(conclusion(lambda x, y: eq(x, _one_less(y))))
false("part_projection", "less than one")(conclusion(lambda x, y: le(x, root(rat(1, 2)))))
false("part_count", "one less")(conclusion(lambda x, y: eq(x, _one_less(y))))
false("shared_weight", "one member less")(conclusion(lambda x, y: eq(x, _one_less(y))))
false("scale", "without the root")(conclusion(lambda x, y: eq(mul(x, x), y)))
false("dominance", "squared")(conclusion(lambda x, y: eq(x, mul(y, y, y))))
false("part_bound", "half the constant")(conclusion(lambda x, y: le(x, mul(rat(1, 2), y))))
false("output_bound", "half the constant")(conclusion(lambda x, y: le(x, mul(rat(1, 2), y))))
false("part_floor", "twice the constant")(conclusion(lambda x, y: le(mul(rat(2), x), y)))
false("isometry", "is half as large")(conclusion(lambda x, y: eq(mul(rat(2), x), y)))
false("contraction", "with the wrong sign")(conclusion(lambda x, y: eq(make("neg", x), y)))
false("mixed_product", "difference and sum")(conclusion(lambda x, y: eq(minus(x, y), plus(x, y))))
false("coordinates", "half")(conclusion(lambda x, y: eq(plus(x, x), y)))
false("input", "moves")(conclusion(lambda x, y: eq(x, make("neg", y))))
false("identity", "less than one")(conclusion(lambda x, y: le(x, root(rat(1, 2)))))


def _one_less(total: Term) -> Term:
    """A sum or maximum over an index that ends one before its end."""
    name, low, high, body = total.args
    return make(total.head, name, low, shift(high, -1), body)


def _layer(jacobian: Term) -> object:
    return jacobian.rows.args[0]


def _roots(root: Term) -> list[Term]:
    """The factors in the root of a sum of squares."""
    inner = root.args[0]
    return [square.args[0] for square in (inner.args if inner.head == "add" else (inner,))]


def _first(terms: Term) -> Term:
    return terms.args[0] if terms.head == "plus" else make("neg", terms)


def _lower_order(right: Term) -> Term:
    bend = right.args[0].args[1].args[0].args[0].args[0]
    return replaced(right, bend, make("act", bend.args[0], 1, bend.args[2]))


# -- about graphs

HALF = conclusion(lambda x, y: le(x, mul(rat(1, 2), y)))
OPPOSITE = conclusion(lambda x, y: eq(x, make("neg", y)))
for name in ("node_map_distance", "own_distance", "form_bound", "form_distance", "link_bound"):
    false(name, "half the constant")(HALF)
for name in ("node_linear", "jacobian_linear", "hessian_linear", "hessian_output", "signal_node"):
    false(name, "the other sign")(OPPOSITE)
false("node_bilinear", "twice")(conclusion(lambda x, y: eq(x, plus(y, y))))
false("node_pointwise", "the derivative")(
    conclusion(lambda x, y: eq(x, make("act", y.args[0], 1, y.args[2])))
)
false("own_step", "at the other point")(
    conclusion(lambda x, y: eq(x, substitute_own(y, make("point", "p"))))
)
false("jacobian_bilinear", "without the own weights")(conclusion(lambda x, y: eq(x, y.args[1])))
false("hessian_bilinear", "one cross term")(
    conclusion(lambda x, y: eq(x, plus(y.args[0], y.args[1])))
)
false("signal_output", "twice")(conclusion(lambda x, y: eq(x, plus(y, y))))
false("graph_coordinates", "always zero")(
    conclusion(lambda x, y: eq(x, make("zero", x.rows, x.cols)))
)
false("graph_block_norm", "half the matrix")(HALF)


# -- about paths, sub-models, and stacked second derivatives

for name in (
    "part_model", "gradients_bound", "form_in_bound", "form_own_bound", "own_bound", "value_size",
):  # fmt: skip
    false(name, "half the constant")(HALF)
for name in ("second_linear", "second_pointwise"):
    false(name, "the other sign")(OPPOSITE)
false("second_input", "has norm one")(conclusion(lambda x, y: eq(norm(x), rat(1))))
false("second_bilinear", "one cross term")(
    conclusion(lambda x, y: eq(x, plus(y.args[0], y.args[1])))
)
false("jacobian_split", "half the constant")(HALF)
false("covector_unit", "of norm two")(conclusion(lambda x, y: eq(x, rat(2))))
false("rate_start", "nothing is left")(conclusion(lambda x, y: eq(x, rat(0))))
false("rate_step", "twice the contraction")(conclusion(lambda x, y: eq(x, mul(y.args[0], y))))


def substitute_own(term: Term, point: Term) -> Term:
    """The derivative by own weights, the first factor, at another point."""
    own, *rest = term.args
    tags = [point if getattr(t, "sort", "") == "point" else t for t in own.args]
    return make("dot", make("op", *tags), *rest)


def test_every_lemma_has_a_false_neighbour() -> None:
    assert set(LEMMAS) == {name for name, _, _ in FALSE}


@pytest.mark.parametrize(("name", "how", "change"), FALSE, ids=[f"{n}, {h}" for n, h, _ in FALSE])
def test_a_false_lemma_is_caught(name: str, how: str, change: Change) -> None:
    found = attack(name, SEEDS, lambda *parameters: change(schema(name, parameters)))
    assert found.violations, f"nobody noticed {name}, {how}: {found}"


def test_a_lemma_without_a_plan_is_named() -> None:
    with pytest.raises(UncoveredLemmaError, match="no plan says how to attack the lemma 'riemann'"):
        attack("riemann")


def test_the_same_seeds_give_the_same_attack() -> None:
    again = attack("product", SEEDS)
    assert again.tightest == report("product").tightest
