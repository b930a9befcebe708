"""B5: every neuron of every layer, not the output alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import jax.numpy as jnp
import numpy as np

import numerics
import theory
from numerics.models import Model
from proofs_check.ledger.experiment import Experiment, Family, Measure, Profile, Sample, row
from proofs_check.neurons import measure_neuron
from proofs_check.verification.statements import Sides, predicted_order

DIM = 4
NEURONS = 3  # of each layer
COUNTS: Mapping[Profile, tuple[int, ...]] = {
    "quick": (32, 64, 128, 256),
    "full": (32, 64, 128, 256, 512),
}


def _model(width: int, seed: int) -> tuple[Model, np.ndarray]:
    x = np.random.default_rng((9, seed)).standard_normal(DIM)
    x *= math.sqrt(DIM) / np.linalg.norm(x)
    net = theory.reference_network(3, inputs=DIM)
    return numerics.instantiate(net, {"m": width}, seed=seed), x


def _attentive(model: Model) -> Model:
    """The same network, each neuron of layer 2 hearing one neuron of layer 1 alone, as loudly."""
    first, second, *rest = model.params["W"]
    size = np.shape(second)
    matrix = np.zeros(size)
    matrix[np.arange(size[0]), np.arange(size[0]) % size[1]] = math.sqrt(size[1])
    return replace(model, params={**model.params, "W": (first, jnp.asarray(matrix), *rest)})


def _largest(layer: int, *, attentive: bool = False) -> Measure:
    """The largest Hessian norm of some neurons of a layer, against their bound."""

    def measure(width: int, seed: int) -> Sample:
        model, x = _model(width, seed)
        bounds = [measure_neuron(model, layer, k, x) for k in range(NEURONS)]
        found = bounds
        if attentive:
            found = [measure_neuron(_attentive(model), layer, k, x) for k in range(NEURONS)]
        most = max(found, key=lambda r: r.hessian.value).hessian
        bound = max(r.bound for r in bounds)
        return Sample(Sides(most.lower, most.value, most.upper), Sides.around(bound, 1e-9 * bound))

    return measure


@row("LZB22/B5")
def every_neuron() -> Experiment:
    """B5: O(sqrt(log m / m)) in every layer; a neuron that hears a single one below it is not."""
    holds = [
        Family(
            f"tanh, three hidden layers of width m, neurons of layer {layer}",
            "largest ||H(z_k)|| of three neurons",
            _largest(layer),
            predicted_order(theory.neuron_bound(theory.reference_network(3), layer)),
            widths=COUNTS,
            seeds={"quick": 6, "full": 12},
            slack=0.12,
        )
        for layer in (2, 3)
    ]
    fails = holds[0].without(
        "Gaussian weights",
        "each neuron of layer 2 hears one neuron of layer 1 alone, with the weight sqrt(m)",
        _largest(2, attentive=True),
    )
    return Experiment("LZB22/B5", tuple(holds), (fails,))
