"""Networks of the experiments: trials on the digits, statements held against them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

import numerics
from proofs_check import data
from proofs_check.ledger.experiment import Measure, Sample
from proofs_check.verification.architectures import sizes_of
from proofs_check.verification.judging import judge
from proofs_check.verification.statements import Sides, Statement, network_of
from proofs_check.verification.trials import Search, Trial
from theory.networks import Network

Array = NDArray[np.float64]

RADIUS = 1.0
LARGEST = 600  # order up to which all eigenvalues are taken
SEARCH = Search(starts=0, random=1)
"""In a ball: a point at random, one along ``H grad f`` and one along the leading eigenvector."""


@lru_cache(maxsize=256)
def trial(net: Network, width: int, seed: int, radius: float | None = RADIUS) -> Trial:
    """A description with every symbolic width set, at the digits number ``seed`` and ``seed + 1``.

    Rows about the same network share the trial, and what was measured of it.

    Args:
        net: the description.
        width: for all its width symbols.
        seed: of the weights; also says which digits are the inputs.
        radius: of the ball; None for none.
    """
    model = numerics.instantiate(net, dict.fromkeys(net.symbols, width), seed=seed)
    inputs = data.digits(seed + 2, sizes_of(model)[0])
    return Trial(model, inputs[seed], inputs[seed + 1], radius, SEARCH)


def held(statement: Statement, *, radius: float | None = RADIUS) -> Measure:
    """Samples of a statement about a network: its quantity against its bound."""
    net = network_of(statement)

    def measure(width: int, seed: int) -> Sample:
        check = judge(statement, trial(net, width, seed, radius))
        return Sample(check.measured, check.bound)

    return measure


def against(statement: Statement, measured: Measure, *, radius: float | None = RADIUS) -> Measure:
    """Samples of another measurement, against the bound that a statement has for its own network.

    Args:
        statement: a statement about a dense network.
        measured: a measurement at the same weights, from a model that the statement does not cover.
        radius: of the ball.
    """
    net = network_of(statement)

    def measure(width: int, seed: int) -> Sample:
        bound = judge(statement, trial(net, width, seed, radius)).bound
        return Sample(measured(width, seed).measured, bound)

    return measure


def gradient_norm(net: Network) -> Measure:
    """The Euclidean norm of the gradient at the centre."""

    def measure(width: int, seed: int) -> Sample:
        here = trial(net, width, seed, None).statistics["x"]
        return Sample(Sides.exactly(here["gradient_norm"]))

    return measure


def spectral(matrix: Array) -> float:
    """The spectral norm of a symmetric matrix; a large one by Lanczos, from below.

    Its start vector is fixed and its tolerance is that of the arithmetic.
    """
    if len(matrix) <= LARGEST:
        return float(np.max(np.abs(np.linalg.eigvalsh(matrix)), initial=0.0))
    from scipy.sparse.linalg import eigsh

    start = np.cos(np.arange(len(matrix)) ** 2.0)
    return float(np.abs(eigsh(matrix, k=1, which="LM", v0=start, return_eigenvectors=False)[0]))
