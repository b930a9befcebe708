"""B4: every neuron as an assembly of the neurons of the layer below."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

import numerics
import theory
from numerics.activations import host_derivatives
from proofs_check import data
from proofs_check.ledger.dense import spectral
from proofs_check.ledger.experiment import Experiment, Family, Sample, row
from proofs_check.verification.statements import Sides, predicted_order
from theory.networks import Network

Array = NDArray[np.float64]

HALF = Fraction(1, 2)
DIM = 4


def _network() -> Network:
    """A neuron of the second layer is a network with one hidden layer and a trained readout."""
    return theory.reference_network(1, trainable=True, inputs=DIM)


def _neuron(width: int, seed: int) -> tuple[numerics.Model, Array, Array, Array, Array]:
    """The model, its input, the weights of the neuron, and slope and bend of the layer below."""
    model = numerics.instantiate(_network(), {"m": width}, seed=seed)
    x = data.digits(seed + 1, DIM)[seed]
    z = np.asarray(model.params["W"][0]) @ x / math.sqrt(DIM)
    _, slope, bend = host_derivatives(model.net.activations[0], z, 2)
    return model, x, np.asarray(model.readout), slope, bend


def _recursion(width: int, seed: int) -> Sample:
    """The recursion written out with arrays, against the Hessian norm of the neuron as a network.

    ``H(z_k) = (1/sqrt m) sum_j w_j [sigma''(z_j) grad z_j grad z_j^T + sigma'(z_j) H(z_j)] + cross
    + cross^T`` with ``H(z_j) = 0`` for the first layer, over ``W^1`` (row by row), then ``w``.
    """
    model, x, w, slope, bend = _neuron(width, seed)
    size = width * DIM
    matrix = np.zeros((size + width, size + width))
    gradient = x / math.sqrt(DIM)  # of z_j, by the row j of W^1
    for j in range(width):
        block = slice(j * DIM, (j + 1) * DIM)
        matrix[block, block] = w[j] * bend[j] / math.sqrt(width) * np.outer(gradient, gradient)
        matrix[size + j, block] = matrix[block, size + j] = slope[j] / math.sqrt(width) * gradient
    norm = numerics.hessian_norm(model, x)
    return Sample(
        Sides.around(spectral(matrix), 1e-9),
        Sides(norm.lower, norm.value, norm.upper).widened(1e-9),
    )


def _summed(width: int, seed: int) -> Sample:
    """The recursion's terms bounded one by one and summed over the neurons j."""
    _, x, w, slope, bend = _neuron(width, seed)
    scale = float(x @ x) / DIM
    curved = np.sum(np.abs(w * bend)) * scale / math.sqrt(width)
    crossed = 2 * np.sum(np.abs(slope)) * math.sqrt(scale) / math.sqrt(width)
    return Sample.of(float(curved + crossed))


@row("LZB22/B4")
def assembly_recursion() -> Experiment:
    """B4: the recursion is an identity, and its terms must not be summed one by one."""
    neuron = theory.hessian_bound(_network())
    holds = Family(
        "tanh, a neuron of the second layer, the recursion written out with arrays",
        "‖H(z_k)‖",
        _recursion,
        predicted_order(neuron),
        "eq",
        widths={"quick": (16, 32, 64, 128), "full": (16, 32, 64, 128, 256)},
    )
    fails = holds.without(
        "infinity norm of delta", "the same, norms of the terms summed over the neurons", _summed
    )
    return Experiment("LZB22/B4", (holds,), (fails,))
