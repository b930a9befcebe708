"""A10 and B6: a layer of constant width keeps the Hessian norm; the narrowest layer rules it."""

from __future__ import annotations

import math
from typing import Any

import sympy

from proofs_check.ledger import nonlinear
from proofs_check.ledger.dense import trial
from proofs_check.ledger.experiment import Experiment, Family, Measure, Sample, row, theta
from proofs_check.verification.statements import Sides, bound_sides, predicted_order
from theory.ledger.bottleneck import bottleneck_bound, narrowest_bound, reference_bottleneck
from theory.networks import Network, width
from theory.theorem import Theorem

NARROW = 4  # of the constant bottleneck: narrower ones differ more from seed to seed


def _norm(net: Network, at_width: int, seed: int) -> Sides:
    found = trial(net, at_width, seed, None).centre_norm
    return (
        Sides.exactly(math.nan) if found is None else Sides(found.lower, found.value, found.upper)
    )


def _against(theorem: Theorem, net: Network) -> Measure:
    """The Hessian norm at the centre, and the bound that the theorem has there."""

    def measure(at_width: int, seed: int) -> Sample:
        here = trial(net, at_width, seed, None)
        bound = bound_sides(theorem, here.statistics, None, here.other)
        return Sample(_norm(net, at_width, seed), bound.widened(here.margin))

    return measure


@row("LZB20/A10")
def bottleneck() -> Experiment:
    """With one layer of constant width the norm stays; with that layer wide it vanishes."""
    net = reference_bottleneck(NARROW)
    floor, most = (t.order for t in (bottleneck_bound(net, 2), narrowest_bound(net)))
    exponent, source = floor.exponent("m"), f"A10: {floor} from below, {most} from above"
    words = f"tanh, depth 3, the second layer of width {NARROW}"
    below = Family(
        words,
        "‖H‖ at the centre, against the bound from below",
        _against(bottleneck_bound(net, 2), net),
        theta(exponent, source),
        "ge",
        slack=0.1,
    )
    above = Family(
        words,
        "‖H‖ at the centre, against the bound from above",
        _against(narrowest_bound(net), net),
        theta(exponent, source),
        slack=0.1,
    )
    wide = reference_bottleneck(width("m"))
    return Experiment(
        "LZB20/A10",
        (below, above),
        (
            below.without(
                "a layer of constant width",
                "tanh, depth 3, all layers of width m",
                _against(bottleneck_bound(wide, 2), wide),
            ),
        ),
    )


@row("LZB22/B6")
def narrowest() -> Experiment:
    """The order is that of the narrowest layer, from m down to a constant."""

    def family(narrow: Any, words: str) -> Family:
        net = reference_bottleneck(narrow)
        theorem = narrowest_bound(net)
        return Family(
            f"tanh, depth 3, the second layer of width {words}",
            "‖H‖ at the centre",
            _against(theorem, net),
            predicted_order(theorem),
            slack=0.1,
        )

    m = width("m")
    holds = (family(m, "m"), family(sympy.sqrt(m), "sqrt(m)"), family(NARROW, str(NARROW)))
    net = reference_bottleneck(m)
    measured = nonlinear.hessian_norm(net, "square")
    bound = _against(narrowest_bound(net), net)

    def outer(at_width: int, seed: int) -> Sample:
        return Sample(measured(at_width, seed).measured, bound(at_width, seed).bound)

    return Experiment(
        "LZB22/B6",
        holds,
        (holds[0].without("linear output", "the same networks, output f^2", outer),),
    )
