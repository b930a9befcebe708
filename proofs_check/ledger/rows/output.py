"""A9: a non-linear output keeps the Hessian away from zero."""

from __future__ import annotations

import numpy as np

import theory
from numerics.models import trace
from proofs_check.ledger.dense import spectral, trial
from proofs_check.ledger.experiment import Experiment, Family, Measure, Relation, Sample, row, theta
from proofs_check.ledger.nonlinear import composed_hessian, gradient_coordinates, outer_values
from theory.activations import activation
from theory.networks import Network

DEPTH = 2


@row("LZB20/A9")
def nonlinear_output() -> Experiment:
    """A9 from below and from above; with phi'' = 0 the lower bound's order is lost."""
    net = theory.reference_network(DEPTH)
    order = theory.catalog["LZB20/A9"].order
    source = f"A9: {order} from below, and from above as |phi'(f)| ‖H‖ vanishes"

    def family(name: str, relation: Relation, words: str) -> Family:
        return Family(
            f"tanh, depth {DEPTH}, output {name}",
            f"‖H of phi(f)‖ at the centre, against the bound from {words}",
            _against(net, name, relation),
            theta(order.exponent("m"), source),
            relation,
            slack=0.2,  # |phi'(f)| ‖H‖ is still a fifth of it at width 32
        )

    below, above = family("square", "ge", "below"), family("square", "le", "above")
    linear = below.without(
        "phi'' not zero", f"tanh, depth {DEPTH}, output f", _against(net, "identity", "ge")
    )
    return Experiment("LZB20/A9", (below, above), (linear,))


def _against(net: Network, name: str, relation: Relation) -> Measure:
    outer = activation(name)

    def measure(width: int, seed: int) -> Sample:
        here = trial(net, width, seed, None)
        _, slope, bend = outer_values(outer, float(trace(here.model, here.x).f))
        curved = abs(bend) * float(np.sum(gradient_coordinates(here.model, here.x) ** 2))
        norm = here.centre_norm
        inner = abs(slope) * (np.nan if norm is None else norm.value)
        bound = max(curved - inner, 0.0) if relation == "ge" else curved + inner
        return Sample.of(spectral(composed_hessian(here.model, here.x, outer)), bound, error=1e-8)

    return measure
