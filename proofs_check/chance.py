"""Statements that hold with a probability, tried on many draws of the weights at once.

A formula about the random centre is evaluated on thousands of small networks side by side, in
NumPy, with an evaluator of its own: forward and backward pass as theory.md writes them, activations
from their SymPy expressions, moments by Gauss-Hermite quadrature.  How often it fails is held
against the probability that is claimed, by an exact binomial test whose level is fixed beforehand.
A formula that holds on every draw is not proved; one that fails too often is refuted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy import stats

from theory.evaluation import of_gaussian
from theory.grammar import T
from theory.networks import Network
from theory.terms import Term

Array = NDArray[np.float64]

LEVEL = 1e-11
"""Probability with which one test refutes a true statement; a hundred tests: below 1e-9."""

ROUNDING = 1e-9  # relative, granted to the right side
NODES = 200


class ChanceError(ValueError):
    """A formula that has no value on these draws; the message says which part."""


@dataclass(frozen=True)
class Trials:
    """How often a formula failed.

    Attributes:
        failures: draws on which it did not hold.
        draws: independent draws.
        probability: the probability of failure that is claimed, at most.
    """

    failures: int
    draws: int
    probability: float

    @property
    def p_value(self) -> float:
        """The probability of so many failures or more, each having the probability claimed."""
        return float(stats.binom.sf(self.failures - 1, self.draws, min(1.0, self.probability)))

    @property
    def refuted(self) -> bool:
        """Whether that is below ``LEVEL``."""
        return self.p_value < LEVEL


@dataclass
class Draws:
    """Many independent draws of the weights of one network, at one input.

    Attributes:
        network: the description, of numeric widths.
        x: the input, shape (m_0,).
        count: how many draws N.
        seed: of the weights.
        delta: the value of the symbol for the allowed probability of failure.
        reals: values of further symbols, by name and layer.
    """

    network: Network
    x: Array
    count: int
    seed: int = 0
    delta: float = 0.05
    reals: dict[Term, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Draw the weights and run all networks forwards and backwards."""
        random = np.random.default_rng(self.seed)
        widths = [int(m) for m in self.network.widths]
        self.widths = widths
        self.weights: list[Array] = [np.zeros(())]
        self.alpha: list[Array] = [np.broadcast_to(self.x, (self.count, widths[0]))]
        self.z: list[Array] = [np.zeros(())]
        for layer, (below, own) in enumerate(pairwise(widths), 1):
            matrix = random.standard_normal((self.count, own, below))
            self.weights.append(matrix)
            self.z.append(np.einsum("nij,nj->ni", matrix, self.alpha[-1]) / math.sqrt(below))
            self.alpha.append(self.activated(layer, 0, self.z[layer]))
        readout = random.standard_normal((self.count, widths[-1]))
        if self.network.readout.init == "sign":
            readout = np.sign(readout)
        self.delta_: dict[int, Array] = {len(widths) - 1: readout / math.sqrt(widths[-1])}
        for layer in range(len(widths) - 1, 0, -1):
            bent = self.activated(layer, 1, self.z[layer]) * self.delta_[layer]
            below = widths[layer - 1]
            pulled = np.einsum("nij,ni->nj", self.weights[layer], bent)
            self.delta_[layer - 1] = pulled / math.sqrt(below)
        self._memo: dict[Term, Any] = {}

    def activated(self, layer: int, order: int, values: Array) -> Array:
        """A derivative of sigma_l, entry by entry."""
        return _function(self.network.activations[layer - 1].derivative(order))(values)

    # -- terms ------------------------------------------------------------------------------------

    def real(self, term: Term) -> Array:
        """The value of a real term on each draw, shape (N,)."""
        if term not in self._memo:
            self._memo[term] = np.broadcast_to(self._real(term), (self.count,))
        found: Array = self._memo[term]
        return found

    def _real(self, term: Term) -> Any:
        args = term.args
        match term.head:
            case "rat":
                return float(args[0])
            case "dim":
                return float(self.widths[args[0].args[0]])
            case "sym":
                return self._symbol(term)
            case "add":
                return sum(self.real(a) for a in args)
            case "mul":
                return np.prod([self.real(a) for a in args], axis=0)
            case "pow":
                return self.real(args[0]) ** float(args[1])
            case "tail" | "quantile":
                return of_gaussian(term, float(self.real(args[0])[0]))
            case "rms":
                return self._moment(args[0], args[1], self.real(args[2]))
            case "norm":
                return _norm(args[0], self.operator(args[1]))
        msg = f"{term} has no value on draws"
        raise ChanceError(msg)

    def _symbol(self, term: Term) -> float:
        if term in self.reals:
            return self.reals[term]
        name, *tags = term.args
        if name == "failure":
            return self.delta
        if name == "rho":
            return float(np.linalg.norm(self.x)) / math.sqrt(len(self.x))
        orders = {"ceiling": 0, "lambda": 1, "beta": 2}
        function = self.network.activations[tags[0] - 1] if tags else None
        if function is not None and name in orders:
            return float(function.sup(orders[name]))
        if function is not None and name == "origin":
            return abs(float(function.at_zero))
        msg = f"the symbol {term} has no value on draws"
        raise ChanceError(msg)

    def _moment(self, layer: int, order: int, scales: Array) -> Array:
        nodes, weights = _quadrature()
        values = self.activated(layer, order, scales[:, None] * nodes[None, :])
        return np.asarray(np.sqrt(values**2 @ weights))

    def operator(self, term: Term) -> Array:
        """An operator term on each draw: shape (N, rows, columns)."""
        if term not in self._memo:
            self._memo[term] = self._operator(term)
        found: Array = self._memo[term]
        return found

    def _operator(self, term: Term) -> Array:
        args = term.args
        match term.head:
            case "op":
                return self._named(term)
            case "act":
                return self.activated(args[0], args[1], self.operator(args[2]))
            case "T":
                return np.swapaxes(self.operator(args[0]), 1, 2)
            case "diag":
                vector = self.operator(args[0])[:, :, 0]
                return vector[:, :, None] * np.eye(vector.shape[1])
            case "dot":
                found = self.operator(args[-1])
                for part in reversed(args[:-1]):
                    found = self.operator(part) @ found
                return found
        msg = f"{term} has no value on draws"
        raise ChanceError(msg)

    def _named(self, term: Term) -> Array:
        name, layer = term.args[0], term.args[3]
        match name:
            case "W":
                return self.weights[layer]
            case "alpha":
                return self.alpha[layer][:, :, None]
            case "z":
                return self.z[layer][:, :, None]
            case "delta":
                return self.delta_[layer][:, :, None]
        msg = f"the operator {name} has no value on draws"
        raise ChanceError(msg)

    # -- formulas ---------------------------------------------------------------------------------

    def holds(self, formula: Term) -> NDArray[np.bool_]:
        """On which draws an inequality holds, shape (N,).

        Raises:
            ChanceError: it is no inequality, or something in it has no value here.
        """
        if formula.head != "le":
            msg = f"only inequalities are tried on draws, not {formula}"
            raise ChanceError(msg)
        left, right = (self.real(a) for a in formula.args)
        return np.asarray(left <= right * (1 + ROUNDING) + 1e-300)

    def trials(self, formula: Term) -> Trials:
        """How often a formula ``likely(p, F)`` fails, beside p."""
        if formula.head != "likely":
            msg = f"needs a formula with a probability, was given {formula}"
            raise ChanceError(msg)
        p, inner = formula.args
        failed = int(np.sum(~self.holds(inner)))
        return Trials(failed, self.count, float(self.real(p)[0]))


def _norm(kind: str, operators: Array) -> Array:
    if kind == "inf":
        return np.asarray(np.max(np.abs(operators), axis=(1, 2)))
    if kind != "2":
        msg = f"the norm {kind} has no value on draws"
        raise ChanceError(msg)
    if 1 in operators.shape[1:]:
        return np.asarray(np.sqrt(np.sum(operators**2, axis=(1, 2))))
    return np.asarray(np.linalg.norm(operators, 2, axis=(1, 2)))


@lru_cache(maxsize=256)
def _function(expr: sympy.Expr) -> Callable[[Array], Array]:
    compiled = sympy.lambdify(T, expr, ["scipy", "numpy"])
    return lambda values: np.asarray(compiled(values) * np.ones_like(values), dtype=np.float64)


@lru_cache(maxsize=1)
def _quadrature() -> tuple[Array, Array]:
    """Nodes and weights for the mean of a function of a standard normal variable."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes, weights / weights.sum()


__all__ = ["LEVEL", "ChanceError", "Draws", "Trials"]
