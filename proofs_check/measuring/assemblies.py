"""Terms about an assembly of sub-models, measured on one.

Values and derivatives are those of the assembly as :mod:`numerics.assemblies` evaluates it, as one
function of all parameters, differentiated by JAX; nothing here knows that its Hessian is block
diagonal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from numpy.typing import ArrayLike, NDArray

import numerics
from numerics.assemblies import AssemblyModel, instantiate
from numerics.tolerances import gamma
from proofs_check.measuring import operators
from proofs_check.measuring.environment import Environment, EvaluationError
from proofs_check.measuring.operators import Operator
from proofs_check.measuring.rounding import Measured, U
from theory.assemblies import Assembly, SubFunction
from theory.terms import Term
from theory.vocabulary import PARTS

Array = NDArray[np.float64]
ROUNDINGS = 400  # granted per parameter to values and derivatives by JAX
CLOSE = 1e-12


@dataclass(frozen=True, eq=False)
class Assembled:
    """An assembly at one point and one input, with all derivatives.

    Attributes:
        slices: where the parameters of each sub-model begin and end.
        weights: v_{i,j}, shape (m, n).
        eta: 1/s.
        values: g_1, ..., g_m, f; shape (m + 1,).
        slopes: their gradients by all parameters, shape (m + 1, p).
        bends: their Hessians, shape (m + 1, p, p).
        theta: all parameters, shape (p,).
    """

    slices: tuple[tuple[int, int], ...]
    weights: Array
    eta: float
    values: Array
    slopes: Array
    bends: Array
    theta: Array

    @property
    def count(self) -> int:
        """The number m of sets of parameters."""
        return len(self.slices)

    def rounding(self, order: int, which: int) -> float:
        """How far rounding may have moved a derivative of that order, in norm."""
        sizes = [float(np.linalg.norm(a)) for a in (self.values, self.slopes, self.bends)[order]]
        unit = gamma(ROUNDINGS * len(self.theta))
        if which < self.count:
            return unit * sizes[which]
        parts = np.abs(self.weights).sum(axis=1) * np.asarray(sizes[:-1])
        return unit * self.eta * float(parts.sum())


def assembled(model: AssemblyModel, x: ArrayLike, params: Any = None) -> Assembled:
    """The assembly at a point and an input of shape (d,), derivatives by JAX of the whole."""
    given = model.params if params is None else params
    vector, unravel = ravel_pytree(given)
    functions = all(isinstance(p, SubFunction) for p in model.assembly.parts)
    derive = _of_functions(model.assembly) if functions else _derive(model, unravel)
    values, slopes, bends = derive(vector, jnp.asarray(x), jnp.asarray(model.coefficients))
    sizes = [sum(int(np.size(leaf)) for leaf in jax.tree.leaves(w)) for w in given]
    ends = np.cumsum([0, *sizes]).tolist()
    return Assembled(
        tuple(pairwise(ends)),
        np.asarray(model.weights, dtype=np.float64),
        1.0 / model.scale,
        np.asarray(values),
        np.asarray(slopes),
        np.asarray(bends),
        np.asarray(vector),
    )


Derive = Callable[[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array, jax.Array]]


def _derive(model: AssemblyModel, unravel: Callable[[jax.Array], Any]) -> Derive:
    """Values, gradients and Hessians of all sub-models and of the whole, as one function."""

    def everything(theta: jax.Array, x: jax.Array, coefficients: jax.Array) -> jax.Array:
        parts = model.parts(unravel(theta), x)
        return jnp.append(parts, coefficients @ parts)

    return lambda *at: (
        everything(*at),
        jax.jacrev(everything)(*at),
        jax.hessian(everything)(*at),
    )


@lru_cache(maxsize=32)
def _of_functions(assembly: Assembly) -> Derive:
    """The same, compiled once for an assembly whose sub-models are all functions."""
    model = instantiate(assembly)
    return jax.jit(_derive(model, ravel_pytree(model.params)[1]))


class PartEnvironment(Environment):
    """A sub-model as a model of its own, of which only its Hessian and its bound are known."""

    def __init__(self, bend: Array, error: float, beta: float) -> None:
        """Take the Hessian by its own parameters, its rounding error, and the bound."""
        super().__init__()
        self.bend, self.error, self.beta = bend, error, beta

    def dimension(self, space: Term) -> int:
        """The number of its parameters."""
        return len(self.bend) if space.head == "params" else super().dimension(space)

    def own_real(self, term: Term) -> Measured | None:
        """Its bound."""
        return Measured(self.beta) if term.args[0] == "own_bound" else None

    def own_operator(self, term: Term) -> Operator | None:
        """Its Hessian."""
        if term.head != "hess" or term.args[0].head != "id":
            return None
        return operators.dense(self.bend, error=self.error)


class AssemblyEnvironment(Environment):
    """What the symbols of a proof stand for on an assembly.

    Every point and every input that a term names is the one that was measured.
    """

    def __init__(
        self,
        where: Assembled,
        betas: ArrayLike | None = None,
        floor: float | None = None,
        networks: Sequence[Environment] = (),
        **rest: Any,
    ) -> None:
        """Take an assembly at a point and an input.

        Args:
            where: the assembly.
            betas: beta_i for every sub-model; by default the Hessian norms themselves.
            networks: where every sub-model is a network, its own environment.
            floor: c; by default the least |v_i| times the gradient norm of g_i.
            **rest: as for :class:`Environment`.
        """
        super().__init__(**rest)
        self.where, self.networks = where, tuple(networks)
        totals = np.abs(where.weights.sum(axis=1))
        slopes = np.linalg.norm(where.slopes[:-1], axis=1)
        norms = [float(np.linalg.norm(h, 2)) for h in where.bends[:-1]]
        self.betas = np.asarray(norms if betas is None else betas, dtype=np.float64)
        self.floor = float(np.min(totals * slopes)) if floor is None else floor
        self.norms, self.steepness = norms, totals * slopes
        self.ceiling = float(np.max(np.abs(where.values[:-1])))

    def part(self, index: int) -> Environment:
        """The environment of a sub-model: of a network, or of its Hessian alone."""
        start, stop = self._slice(index)
        if self.networks:
            return self.networks[index - 1]
        bend = self.where.bends[index - 1][start:stop, start:stop]
        return PartEnvironment(
            bend, self.where.rounding(2, index - 1), float(self.betas[index - 1])
        )

    def dimension(self, space: Term) -> int:
        """The dimension of a space: m of the sub-models, p_i of the parameters of one."""
        if space is PARTS:
            return self.where.count
        if space.head == "params":
            return len(self.where.theta)
        if space.head == "part" and type(space.args[0]) is int:
            start, stop = self._slice(space.args[0])
            return stop - start
        return super().dimension(space)

    def _slice(self, index: int) -> tuple[int, int]:
        if not 1 <= index <= self.where.count:
            msg = f"there is no sub-model {index}; the assembly has {self.where.count}"
            raise EvaluationError(msg)
        return self.where.slices[index - 1]

    def own_real(self, term: Term) -> Measured | None:
        """Eta, beta_i and c."""
        name, *tags = term.args
        match name, tags:
            case "eta", []:
                return Measured(self.where.eta, 2 * U * self.where.eta)
            case "part_beta", [int(index), *_]:
                self._slice(index)
                return Measured(float(self.betas[index - 1]))
            case "part_slope", _:
                return Measured(self.floor)
            case "part_size", []:
                return Measured(self.ceiling)
        return None

    def own_operator(self, term: Term) -> Operator | None:
        """Weights, projections, sub-models, the output, and their derivatives."""
        if term.head in ("jac", "hess"):
            return self._derivative(term)
        name, _, _, *tags = term.args
        match name, tags:
            case "Pi_part", [int(index)]:
                return operators.selection(*self._slice(index), len(self.where.theta))
            case "weight", [int(index)]:
                self._slice(index)
                row = self.where.weights[index - 1]
                error = gamma(len(row)) * float(np.abs(row).sum())
                return operators.vector(row.sum(), error)
            case "weight", [int(index), int(member)]:
                self._slice(index)
                return operators.vector(self.where.weights[index - 1, member - 1])
            case (("submodel" | "f"), _):
                which = self._which(term)
                return operators.vector(self.where.values[which], self.where.rounding(0, which))
            case "theta", _:
                return operators.vector(self.where.theta)
        return None

    def _which(self, function: Term) -> int:
        """The row of a sub-model or of the output among the values."""
        if function.args[0] == "f":
            return self.where.count
        self._slice(function.args[3])
        return int(function.args[3]) - 1

    def _derivative(self, term: Term) -> Operator:
        function = term.args[-2]
        if function.head != "op" or function.args[0] not in ("f", "submodel"):
            msg = f"{term} differentiates neither the assembly's output nor a sub-model"
            raise EvaluationError(msg)
        which = self._which(function)
        if term.head == "jac":
            return operators.dense(
                self.where.slopes[which][None, :], error=self.where.rounding(1, which)
            )
        from proofs_check.measuring.meaning import operator

        weight = operator(term.args[0], self)
        factor = float(weight.form()[0, 0])
        matrix = factor * self.where.bends[which]
        return operators.dense(matrix, error=abs(factor) * self.where.rounding(2, which))

    def own_fact(self, term: Term) -> bool | None:
        """Whether a hypothesis holds of this assembly."""
        name, *tags = term.args
        where = self.where
        match name, tags:
            case "assembly", [int(count)]:
                return count == where.count
            case "signs", [int(count)]:
                signs = bool(np.all(np.abs(where.weights.sum(axis=1)) == 1.0))
                return count == where.count and signs
            case "output_bounded", [int(index)]:
                return abs(float(where.values[index - 1])) <= self.ceiling * (1 + CLOSE)
            case "shared", [int(count), int(members)]:
                return (count, members) == where.weights.shape
            case "scale", [int(p), int(q)]:
                return _close(where.eta, where.count ** -float(Fraction(p, q)))
            case "dominant", [int(index), int(p), int(q)]:
                size = abs(float(where.weights[index - 1].sum()))
                return _close(size, where.count ** float(Fraction(p, q)))
            case "part_bounded", [int(index), *_]:
                return self.norms[index - 1] <= float(self.betas[index - 1]) * (1 + CLOSE)
            case "part_steep", [int(index), *_]:
                return self.floor <= float(self.steepness[index - 1]) * (1 + CLOSE)
        return None


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= CLOSE * max(abs(a), abs(b))


def networks_of(
    model: AssemblyModel, x: ArrayLike, definitions: Sequence[Term], params: Any = None
) -> list[Environment]:
    """The environment of every sub-model of an assembly of networks, at its part of the point.

    Args:
        model: the assembly.
        x: the input, of the shape of all sub-models.
        definitions: the abbreviations that a theorem has for each of them.
        params: where; None means ``model.params``.

    Raises:
        EvaluationError: a sub-model is a function.
    """
    from proofs_check.measuring.graph_environment import GraphEnvironment

    found: list[Environment] = []
    for part, here in zip(model.models, params or model.params, strict=True):
        if part is None:
            msg = "a sub-model that is a function has no layers to measure"
            raise EvaluationError(msg)
        kind = Environment if isinstance(part, numerics.Model) else GraphEnvironment
        points = {"theta": here, "theta0": here}
        inputs = {"x": np.asarray(x).ravel()}
        found.append(kind(part, points, inputs, definitions=definitions))  # type: ignore[arg-type]
    return found


def environment(
    model: AssemblyModel, x: ArrayLike, params: Any = None, **rest: Any
) -> AssemblyEnvironment:
    """The environment of an assembly at a point (by default its own) and an input.

    Args:
        model: the assembly.
        x: the input, shape (d,).
        params: where; None means ``model.params``.
        **rest: as for :class:`AssemblyEnvironment`.
    """
    where = assembled(model, x, params)
    indices: Mapping[str, int] = {"m": where.count, "n": where.weights.shape[1]}
    rest.setdefault("indices", indices)
    return AssemblyEnvironment(where, **rest)


__all__ = ["Assembled", "AssemblyEnvironment", "assembled", "environment"]
