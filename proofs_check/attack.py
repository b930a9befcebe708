"""The attack on the trusted lemmas: instances of each, measured, in search of one that is false.

A lemma is believed without a proof in the kernel, so it has to survive this: its schema is filled
with adversarial matrices and numbers, or with small networks, and where the premises hold the
conclusion must.  The same attack catches schemas that are false by a factor, a sign or a term.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from proofs_check import graph_adversaries, thresholds
from proofs_check.attack_plans import (
    SMALLEST,
    Family,
    Parameters,
    Plan,
    amounts,
    assemblies,
    counts,
    graphs,
    lines,
    matrices,
    networks,
    of_blocks,
    of_readout,
    of_shared_blocks,
    of_single_block,
    small,
    together,
    training,
)
from proofs_check.measuring.evaluate import Comparison, evaluate
from theory.lemmas import schema

SEEDS = range(8)


@dataclass(frozen=True)
class Trial:
    """One instance of a lemma whose premises hold, measured.

    Attributes:
        parameters: the parameters of the family.
        words: how the instance was chosen.
        result: the conclusion's two sides.
    """

    parameters: Parameters
    words: str
    result: Comparison


@dataclass(frozen=True)
class AttackReport:
    """What an attack found.

    Attributes:
        name: the lemma.
        trials: instances whose premises held.
        vacuous: instances whose premises did not.
        undecided: trials in which rounding could account for all of both sides, not both zero.
        violations: instances whose conclusion is false.
        tightest: the instance with the least relative slack (for an equation: the largest relative
            deviation), among those in which a side is not zero, if there are any.
    """

    name: str
    trials: int
    vacuous: int
    undecided: int
    violations: tuple[Trial, ...]
    tightest: Trial | None

    @property
    def smallest_slack(self) -> float:
        """The least relative slack found; inf when there was no trial."""
        return self.tightest.result.relative_slack if self.tightest else float("inf")


class UncoveredLemmaError(KeyError):
    """No plan says how to attack a lemma."""


def attack(name: str, seeds: Iterable[int] = SEEDS, family: Family | None = None) -> AttackReport:
    """Search for a false instance of a lemma.

    Args:
        name: a lemma of :data:`theory.lemmas.LEMMAS`.
        seeds: of the random choices; the same seeds give the same trials.
        family: another schema with the same parameters, to be attacked in its place.

    Returns:
        What was found.

    Raises:
        UncoveredLemmaError: there is no plan for that lemma.
    """
    plan = PLANS.get(name)
    if plan is None:
        msg = f"no plan says how to attack the lemma {name!r}; add one to PLANS"
        raise UncoveredLemmaError(msg)
    trials: list[Trial] = []
    vacuous = 0
    for parameters, words, instance, env in plan(family or _trusted(name), seeds):
        if not all(evaluate(p, env) for p in instance.premises):
            vacuous += 1
            continue
        result = evaluate(instance.conclusion, env)
        if not isinstance(result, Comparison):
            msg = f"the conclusion of {name} is no relation between two sides: {result!r}"
            raise TypeError(msg)
        trials.append(Trial(parameters, words, result))
    false = tuple(t for t in trials if not t.result.holds)
    telling = [t for t in trials if t.result.left or t.result.right] or trials
    tightest = min(telling, key=lambda t: t.result.relative_slack, default=None)
    undecided = sum(_is_undecided(t.result) for t in trials)
    return AttackReport(name, len(trials), vacuous, undecided, false, tightest)


def _is_undecided(result: Comparison) -> bool:
    size = max(result.left, result.right)
    return size != 0 and not result.tolerance <= size


def _trusted(name: str) -> Family:
    return lambda *parameters: schema(name, parameters)


_BILINEAR = graph_adversaries.of_kind("bilinear")
_LINEAR = graph_adversaries.of_kind("linear")

PLANS: Mapping[str, Plan] = {
    "input_scale": networks(),
    "value_bound": networks(trials=9),
    "rms_lipschitz": thresholds.moments,
    "root_above": thresholds.floors(thresholds.above),
    "root_below": thresholds.floors(thresholds.below),
    "divide": thresholds.floors(thresholds.quotient, 1, 2),
    "triangle": matrices(*product((2, 3, 5), ("2", "inf", "1"))),
    "product": matrices((2,), (3,), (5,)),
    "homogeneity": matrices(("2",), ("inf",), ("1",)),
    "negation": matrices(("2",), ("inf",), ("1",)),
    "transpose": matrices(()),
    "gram": matrices(()),
    "identity": matrices(()),
    "zero": matrices(()),
    "kronecker": matrices(()),
    "mixed_product": matrices(()),
    "diagonal": matrices(()),
    "diagonal_max": matrices(()),
    "diagonal_two": matrices(()),
    "row_norm": matrices(()),
    "scaled_rows": matrices(()),
    "diagonal_swap": matrices(()),
    "diagonal_product": matrices(()),
    "hoelder": matrices(()),
    "max_at_most_two": matrices(()),
    "tensor_norm": matrices(()),
    "contraction": matrices(()),
    "constant_gradient_norm": lines(()),
    "gradient_line": lines(("up",), ("down",)),
    "constant_gradient": lines(()),
    "output_mean_value": together(networks(), lines(())),
    "cancel": amounts(()),
    "parallelogram": matrices(()),
    "definite": small,
    "cancel_factor": amounts(()),
    "geometric_mean": amounts(()),
    "descent": training(()),
    "samples_mean_value": training(()),
    "sample_hessians": training((1,), (2,), (3,)),
    "rate_start": counts,
    "rate_step": counts,
    "one_at_most_two": matrices(()),
    "least_gram": matrices(()),
    "least_at_most": matrices(()),
    "least_product": matrices((2,), (3,)),
    "jacobian_multiple": networks(trials=2, which=SMALLEST),
    "hessian_multiple": networks(trials=2, which=SMALLEST),
    "dense_partials": networks(lambda _: [(n,) for n in ("dw", "da", "dww", "dwa", "daa")]),
    "general_jacobian": networks(),
    "general_hessian": networks(),
    "general_signal": networks(),
    "max_upper": matrices((2, 1), (2, 2), (4, 3)),
    "scalar_diagonal": matrices(()),
    "scalar_hessian": networks(trials=9),
    "entrywise": matrices((1,), (2,), (4,)),
    "min_intro": matrices(()),
    "max_least": matrices(()),
    "max_scaled": matrices(()),
    "coordinates": networks(of_blocks(2)),
    "block_norm": networks(of_blocks(0), trials=9),
    "isometry": networks(of_single_block, trials=9),
    "block_distance": networks(of_blocks(1)),
    "shared_distance": networks(of_shared_blocks),
    "preactivation": networks(),
    "activation": networks(),
    "input": networks(),
    "signal_top": networks(of_readout),
    "signal_below": networks(),
    "transfer_top": networks(),
    "transfer_below": networks(),
    "block_projection": networks(),
    "jacobian_size": networks(),
    "jacobian_size_input": networks(),
    "assembly": assemblies(()),
    "assembly_hessian": assemblies(()),
    "assembly_gradient": assemblies(()),
    "assembly_diagonal": assemblies(()),
    "block_diagonal_norm": assemblies((), trials=3),
    "pythagoras": assemblies((), trials=3),
    "part_projection": assemblies(()),
    "part_count": assemblies(()),
    "shared_weight": assemblies(()),
    "scale": assemblies((1, 2), (1, 1), (1, 3)),
    "dominance": assemblies((0, 1), (1, 2)),
    "part_bound": assemblies(()),
    "part_model": assemblies(()),
    "part_floor": assemblies(()),
    "output_bound": assemblies(()),
    "jacobian_dense": networks(),
    "jacobian_pointwise": networks(),
    "jacobian_input": networks(),
    "jacobian_readout": networks(of_readout),
    "hessian_dense": networks(),
    "hessian_pointwise": networks(),
    "hessian_input": networks(),
    "hessian_readout": networks(of_readout),
    "node_bilinear": graphs(_BILINEAR),
    "node_pointwise": graphs(graph_adversaries.of_kind("pointwise")),
    "node_linear": graphs(_LINEAR),
    "node_map_distance": graphs(_BILINEAR),
    "own_step": graphs(_BILINEAR),
    "own_distance": graphs(_BILINEAR),
    "form_distance": graphs(_BILINEAR, trials=4),
    "form_bound": graphs(_BILINEAR, trials=4),
    "link_bound": graphs(graph_adversaries.of_slots),
    "jacobian_bilinear": graphs(_BILINEAR),
    "jacobian_linear": graphs(_LINEAR),
    "hessian_bilinear": graphs(_BILINEAR),
    "hessian_linear": graphs(_LINEAR),
    "hessian_output": graphs(graph_adversaries.alone),
    "signal_output": graphs(graph_adversaries.alone),
    "signal_node": graphs(graph_adversaries.below_output),
    "graph_coordinates": graphs(graph_adversaries.of_pairs),
    "graph_block_norm": graphs(graph_adversaries.alone, trials=9),
    "second_input": graphs(graph_adversaries.alone),
    "second_pointwise": graphs(graph_adversaries.of_kind("pointwise")),
    "second_linear": graphs(_LINEAR),
    "second_bilinear": graphs(_BILINEAR),
    "gradients_bound": graphs(graph_adversaries.of_all),
    "form_in_bound": graphs(_BILINEAR),
    "form_own_bound": graphs(_BILINEAR),
    "own_bound": graphs(_BILINEAR),
    "jacobian_split": graphs(_BILINEAR),
    "covector_unit": graphs(graph_adversaries.alone),
    "value_size": networks(trials=9),
    "slope_bound": networks(trials=9),
    "curvature_bound": networks(trials=9),
    "mean_value": networks(lambda _: [(0,), (1,), (2,)], trials=9),
    "second_order": networks(trials=9),
    "gradient_mean_value": networks(),
    "taylor": networks(),
}
"""How each lemma is attacked; those that hold with a probability in ``proofs_check.chance``."""
