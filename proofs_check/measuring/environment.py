"""What the symbols of a proof stand for: a network with numbers, points, inputs, constants."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numerics.activations import host_derivatives
from numerics.models import Model, Params, check_params
from proofs_check.measuring import derivatives, norms, operators
from proofs_check.measuring.derivatives import Architecture, Vector
from proofs_check.measuring.operators import Operator
from proofs_check.measuring.rounding import Jet, Measured, constant, coordinate
from theory.activations import ActivationFunction
from theory.terms import Term
from theory.vocabulary import (
    OUTER,
    RECURSIVE,
    SAMPLE_SPACE,
    SAMPLES,
    STATISTICS,
    definition,
    recursive_definition,
)


class EvaluationError(ValueError):
    """A term that has no value here; the message says which, and what to give."""


@dataclass
class State:
    """A network at one point of parameter space and one input.

    Attributes:
        arch: its architecture.
        theta: the parameters, shape (p,).
        readout: v, shape (m_L,), in use where it is fixed.
        x: the input, shape (m_0,).
        outputs: alpha^0, z^1, ..., f one after the other.
        signals: df/dalpha^l for l = 0, ..., L.
        jets: sizes and rounding errors of ``(name, layer)`` for alpha, z and f, and of the signals
            under ``delta``.
    """

    arch: Architecture
    theta: Vector
    readout: Vector
    x: Vector
    outputs: Vector
    signals: tuple[Vector, ...]
    jets: dict[tuple[str, int], Jet]

    def value(self, name: str, layer: int) -> Vector:
        """alpha^l, z^l, delta^l or (layer 0) f."""
        if name == "delta":
            return self.signals[layer]
        start, stop = self.arch.slot(name, layer)
        return self.outputs[start:stop]


@dataclass
class Environment:
    """Values for the free symbols of terms.

    Attributes:
        model: the network; None where the terms speak of none.
        points: parameters by the name of a point; by default ``theta0`` is the model's own.
        inputs: inputs by name, each of shape (m_0,); one of shape (n, m_0), such as X, is a
            training set, whose rows are inputs too, called X1, ..., Xn.
        reals: values of symbols that no definition gives, such as R, by name or by term.
        indices: values of free layer indices, by name.
        variables: values of schematic variables: an array for an operator (shape (n,) or (n, 1) for
            a vector), a number for a real, an integer for a space.  An operator variable without
            one, between spaces of known dimension, gets Gaussian entries.
        definitions: formulas ``symbol = term``; they say what the symbol is.
        outer: the non-linear function of the output, where terms speak of one.
        ball_points: parameters at which statements about a ball are tried, besides ``points``.
        seed: of all random choices.
        labels: the labels of training sets, by name, each of shape (n,).
    """

    model: Model | None = None
    points: Mapping[str, Params] = field(default_factory=dict)
    inputs: Mapping[str, ArrayLike] = field(default_factory=dict)
    reals: Mapping[str | Term, float] = field(default_factory=dict)
    indices: Mapping[str, int] = field(default_factory=dict)
    variables: Mapping[Term, Any] = field(default_factory=dict)
    definitions: Sequence[Term] = ()
    outer: ActivationFunction | None = None
    ball_points: Sequence[Params] = ()
    seed: int = 0
    labels: Mapping[str, ArrayLike] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the definitions and name all points."""
        self._memo: dict[Term, Any] = {}
        self._schematic: dict[Term, Any] = {}
        self.meanings: dict[Term, Term] = {d.args[0]: d.args[1] for d in self.definitions}
        self._states: dict[tuple[str, str], State] = {}
        self._weights: dict[tuple[int, str], Operator] = {}
        self.named: dict[str, Params] = dict(self.points)
        self._thetas: dict[str, Vector] = {}
        if self.model is not None:
            self.named.setdefault("theta0", self.model.params)
            self.named |= {f"ball#{i}": p for i, p in enumerate(self.ball_points)}
            self._bind(self.model)
        rows: dict[str, ArrayLike] = {}
        for name, value in self.inputs.items():
            array = np.asarray(value)
            if array.ndim == 2:
                rows |= {f"{name}{i}": row for i, row in enumerate(array, start=1)}
        self.inputs = {**self.inputs, **rows}

    def _bind(self, model: Model) -> None:
        """Read the model and the parameters at all points."""
        for params in self.named.values():
            check_params(model, params)
        self._arch = derivatives.architecture(model)
        self._readout = np.asarray(model.readout, dtype=np.float64)
        self._thetas = {name: derivatives.flatten(params) for name, params in self.named.items()}
        if self.outer is not None:  # phi is the activation of the layer after the last
            self.indices = {**self.indices, OUTER.args[0]: self._arch.depth + 1}

    def binding(self, variables: Mapping[Term, Any]) -> Environment:
        """The same environment with other values of the schematic variables.

        What was measured of terms without such variables is shared.
        """
        other = copy.copy(self)
        other.variables, other._schematic = dict(variables), {}
        return other

    def recall(self, term: Term) -> Any:
        """What was measured of a term before, or None."""
        return (self._schematic if _is_schematic(term) else self._memo).get(term)

    def keep(self, term: Term, found: Any) -> None:
        """Remember a measurement."""
        (self._schematic if _is_schematic(term) else self._memo)[term] = found

    # -- other models than networks ---------------------------------------------------------------

    def own_real(self, term: Term) -> Measured | None:
        """The value of a symbol that a model of another kind knows; None for all others."""
        return None

    def own_operator(self, term: Term) -> Operator | None:
        """The map that a model of another kind has for a name or a derivative, or None."""
        return None

    def own_fact(self, term: Term) -> bool | None:
        """Whether a fact holds of a model of another kind; None when it is not about such."""
        return None

    # -- the network ------------------------------------------------------------------------------

    @property
    def arch(self) -> Architecture:
        """The architecture of the model.

        Raises:
            EvaluationError: there is no model.
        """
        if self.model is None:
            msg = "the term speaks of a network; give Environment(model=...)"
            raise EvaluationError(msg)
        return self._arch

    def activation(self, layer: int) -> ActivationFunction:
        """sigma_l; that of layer L + 1 is the non-linear function of the output."""
        if layer == self.arch.depth + 1 and self.outer is not None:
            return self.outer
        if not 1 <= layer <= self.arch.depth:
            msg = f"there is no sigma of layer {layer}; the depth is {self.arch.depth}"
            raise EvaluationError(msg)
        return self.arch.activations[layer - 1]

    def theta(self, point: str) -> Vector:
        """All trainable parameters at a point, shape (p,)."""
        if point not in self._thetas:
            known = f"known with depth {self.arch.depth}: {', '.join(self._thetas)}"
            msg = f"the point {point!r} has no parameters ({known}); give points={{{point!r}: ...}}"
            raise EvaluationError(msg)
        return self._thetas[point]

    def weights(self, layer: int, point: str) -> Operator:
        """W^l at a point, with its spectral norm as its size."""
        key = (layer, point)
        if key not in self._weights:
            if not 1 <= layer <= self.arch.depth:
                msg = f"there is no W of layer {layer}; the depth is {self.arch.depth}"
                raise EvaluationError(msg)
            start, stop = self.arch.block(layer)
            shape = (self.arch.widths[layer], self.arch.widths[layer - 1])
            matrix = operators.dense(self.theta(point)[start:stop].reshape(shape))
            matrix.size = norms.spectral(matrix, self.seed).upper
            self._weights[key] = matrix
        return self._weights[key]

    @property
    def fixed(self) -> Any:
        """The weights that are not trained, as the architecture takes them."""
        return self._readout

    def readout(self, point: str | None) -> Vector:
        """The readout v at a point, or the fixed one, shape (m_L,)."""
        if (point is not None) is not self.arch.trained:
            kind = "trained, and differs" if self.arch.trained else "fixed, and does not differ"
            msg = f"the readout of this network is {kind} from point to point"
            raise EvaluationError(msg)
        if point is None:
            return self._readout
        start, stop = self.arch.block(self.arch.depth + 1)
        return self.theta(point)[start:stop]

    def input(self, at: str) -> Vector:
        """An input, shape (m_0,)."""
        if at not in self.inputs:
            msg = f"the input {at!r} has no value; give inputs={{{at!r}: x}}"
            raise EvaluationError(msg)
        x = np.asarray(self.inputs[at], dtype=np.float64)
        if x.shape != self.arch.widths[:1]:
            msg = f"the input {at!r} has shape {x.shape}, needs {self.arch.widths[:1]}"
            raise EvaluationError(msg)
        return x

    def samples(self, at: str) -> list[str]:
        """The names of the inputs of a training set.

        Raises:
            EvaluationError: there is no training set of that name.
        """
        shape = np.shape(self.inputs.get(at, ()))
        if len(shape) != 2:
            msg = f"the training set {at!r} has no inputs; give inputs={{{at!r}: array of (n, d)}}"
            raise EvaluationError(msg)
        return [f"{at}{i}" for i in range(1, shape[0] + 1)]

    def label(self, at: str) -> Vector:
        """The labels of a training set, shape (n,)."""
        if at not in self.labels:
            msg = f"the training set {at!r} has no labels; give labels={{{at!r}: y}}"
            raise EvaluationError(msg)
        return np.asarray(self.labels[at], dtype=np.float64)

    def outputs_jet(self, point: str, at: str) -> Jet:
        """Sizes and rounding errors of the outputs on a training set."""
        jets = [self.state(point, name).jets["f", 0] for name in self.samples(at)]
        value, first, second = jets[0].value, jets[0].first, jets[0].second
        for jet in jets[1:]:
            value, first, second = value + jet.value, first + jet.first, second + jet.second
        return Jet(value, first, second, len(jets))

    def state(self, point: str, at: str) -> State:
        """The network at a point and an input, evaluated once."""
        key = (point, at)
        if key not in self._states:
            x, theta = self.input(at), self.theta(point)
            found, signals = derivatives.values(theta, self._readout, x, self.arch)
            state = State(
                self.arch,
                theta,
                self._readout,
                x,
                np.asarray(found),
                tuple(map(np.asarray, signals)),
                {},
            )
            self._states[key] = state
            self._measure_jets(state, point)
        return self._states[key]

    def _measure_jets(self, state: State, point: str) -> None:
        """Sizes and rounding errors, layer by layer."""
        arch, jets = self.arch, state.jets
        size = float(np.linalg.norm(state.x))
        jets["alpha", 0] = constant(Measured(size), arch.widths[0])
        slopes: dict[int, Jet] = {}
        blocks: dict[int, Jet] = {}
        for layer, (below, above) in enumerate(pairwise(arch.widths), start=1):
            blocks[layer] = coordinate(self.weights(layer, point).size, above * below)
            moved = blocks[layer].times(jets["alpha", layer - 1], above)
            jets["z", layer] = moved.scaled(_inverse_root(below))
            sizes = self.sizes(layer, state.value("z", layer))
            jets["alpha", layer] = jets["z", layer].pointwise(sizes)
            slopes[layer] = jets["z", layer].slopes(sizes)
        readout = self.readout(point if arch.trained else None)
        block = coordinate if arch.trained else _fixed
        last = block(float(np.linalg.norm(readout)), arch.widths[-1])
        scale = _inverse_root(arch.widths[-1])
        jets["f", 0] = last.times(jets["alpha", arch.depth], 1).scaled(scale)
        jets["delta", arch.depth] = last.scaled(scale)
        for layer in range(arch.depth, 0, -1):
            bent = slopes[layer].times(jets["delta", layer], arch.widths[layer])
            pulled = blocks[layer].times(bent, arch.widths[layer - 1])
            jets["delta", layer - 1] = pulled.scaled(_inverse_root(arch.widths[layer - 1]))

    def sizes(self, layer: int, z: Vector) -> tuple[float, float, float, float]:
        """``|sigma(z)|_2`` and the largest ``|sigma'|``, ``|sigma''|``, ``|sigma'''|`` there."""
        value, *rest = host_derivatives(self.activation(layer), z, 3)
        slope, bend, twist = (float(np.max(np.abs(d), initial=0.0)) for d in rest)
        return float(np.linalg.norm(value)), slope, bend, twist

    def statistic(self, name: str, index: int, point: Term, at: Term) -> Term | None:
        """What a layer statistic stands for; None for other symbols."""
        if name in RECURSIVE:
            return recursive_definition(name, index, point, at)
        return definition(name, index, point, at) if name in STATISTICS else None

    # -- spaces and variables ---------------------------------------------------------------------

    def dimension(self, space: Term) -> int:
        """The dimension of a space.

        Raises:
            EvaluationError: it depends on something that has no value.
        """
        match space.head:
            case "scalar":
                return 1
            case "params":
                return self.arch.num_params
            case "tensor":
                return self.dimension(space.args[0]) * self.dimension(space.args[1])
            case "layer" if type(space.args[0]) is int and space.args[0] <= self.arch.depth:
                return self.arch.widths[space.args[0]]
        if space is SAMPLE_SPACE:
            return len(self.samples(SAMPLES.args[0]))
        if space in self.variables:
            return int(self.variables[space])
        msg = f"the space {space} has no dimension here; give variables={{space: dimension}}"
        raise EvaluationError(msg)

    def part(self, index: int) -> Environment:
        """The environment of a sub-model as a model of its own.

        Raises:
            EvaluationError: the model is no assembly.
        """
        msg = f"there is no sub-model {index}: the model is no assembly of sub-models"
        raise EvaluationError(msg)

    def variable(self, term: Term) -> Any:
        """The value of a schematic variable; random entries for an operator that has none."""
        if term in self.variables:
            return self.variables[term]
        if term.sort != "op":
            msg = f"the variable {term} has no value; give variables={{term: value}}"
            raise EvaluationError(msg)
        shape = (self.dimension(term.rows), self.dimension(term.cols))
        word = zlib.crc32(str(term).encode())
        return np.random.default_rng((self.seed, word)).standard_normal(shape)


def _is_schematic(term: Term) -> bool:
    return any(v.head == "var" for v in term.free)


def _fixed(size: float, dim: int) -> Jet:
    return constant(Measured(size), dim)


def _inverse_root(width: int) -> Measured:
    return Measured(float(width)).power(Fraction(-1, 2))
