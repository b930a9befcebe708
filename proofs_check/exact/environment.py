"""A dense network written out in components, and values for the symbols of terms."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import sympy

from proofs_check.exact.components import Components, Expr, Sigma
from theory.terms import Term, substitute
from theory.vocabulary import READOUT


class NotExactError(ValueError):
    """A term has no exact value here; the message says which and why."""


@dataclass
class ExactEnvironment:
    """A dense network in components, and values for the symbols of terms.

    Attributes:
        widths: m_0, ..., m_L.
        sigmas: the activation of each hidden layer.
        trained: whether the readout is.
        points: for each point the value of every parameter, W^1, ..., W^L row by row, then v.
        inputs: inputs by name, each of m_0 entries.
        readout: v where it is fixed.
        indices: values of free indices, by name.
        variables: a matrix for an operator variable, a number for a real, an integer for a space.
        reals: values of symbols, by term.
        meanings: what a symbol abbreviates, by term.
    """

    widths: Sequence[int]
    sigmas: Sequence[Sigma]
    trained: bool
    points: Mapping[str, Sequence[Expr]]
    inputs: Mapping[str, Sequence[Expr]]
    readout: Sequence[Expr] = ()
    indices: Mapping[str, int] = field(default_factory=dict)
    variables: Mapping[Term, Any] = field(default_factory=dict)
    reals: Mapping[Term, Expr] = field(default_factory=dict)
    meanings: Mapping[Term, Term] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the network out once for each input."""
        self._memo: dict[tuple[Term, str], Any] = {}
        self._schematic: dict[tuple[Term, str], Any] = {}
        self.networks = {name: self._components(x) for name, x in self.inputs.items()}
        self.parameters = next(iter(self.networks.values())).parameters
        for name, values in self.points.items():
            if len(values) != len(self.parameters):
                msg = f"the point {name!r} has {len(values)} entries, needs {len(self.parameters)}"
                raise ValueError(msg)

    def binding(
        self, indices: Mapping[str, int], variables: Mapping[Term, Any]
    ) -> ExactEnvironment:
        """The same network with other values of indices and variables.

        What was computed of terms without such variables is shared.
        """
        other = copy.copy(self)
        other.indices, other.variables, other._schematic = indices, variables, {}
        return other

    def defining(self, meanings: Mapping[Term, Term]) -> ExactEnvironment:
        """The same network with other abbreviations, nothing computed yet."""
        other = copy.copy(self)
        other.meanings, other._memo, other._schematic = meanings, {}, {}
        return other

    def remembered(self, term: Term, along: str, compute: Callable[[], Any]) -> Any:
        """The value of a term, computed once."""
        schematic = any(v.head == "var" for v in term.free)
        memo = self._schematic if schematic else self._memo
        if (term, along) not in memo:
            memo[term, along] = compute()
        return memo[term, along]

    @property
    def depth(self) -> int:
        """L."""
        return len(self.widths) - 1

    def block(self, which: int | str) -> tuple[int, int]:
        """First and last place (exclusive) of W^l, or of v, among the parameters."""
        sizes = [b * a for a, b in zip(self.widths, self.widths[1:], strict=False)]
        sizes += [self.widths[-1]] if self.trained else []
        number = len(self.widths) if which == READOUT else int(which)
        if not 1 <= number <= len(sizes):
            msg = f"there is no block {which} of parameters"
            raise NotExactError(msg)
        return sum(sizes[: number - 1]), sum(sizes[:number])

    def _components(self, x: Sequence[Expr]) -> Components:
        net = Components()
        stage = net.input(x)
        for layer, sigma in enumerate(self.sigmas, start=1):
            above, below = self.widths[layer], self.widths[layer - 1]
            matrix = net.weights(f"W{layer}", above, below)
            stage = net.dense(stage, matrix, 1 / sympy.sqrt(below))
            stage = net.pointwise(stage, sigma)
        scale = 1 / sympy.sqrt(self.widths[-1])
        if self.trained:
            net.dense(stage, [net.weights("v", self.widths[-1])], scale)
        else:
            net.readout(stage, self.readout, scale)
        return net

    def named(self, name: str, tags: Sequence[Any], at: str) -> Any:
        """An operator of the network, as expressions in the parameters.

        Raises:
            NotExactError: there is no such operator here.
        """
        numbers = [t for t in tags if type(t) is int]
        index = numbers[0] if numbers else 0
        match name:
            case "theta":
                return sympy.Matrix(self.parameters)
            case "W":
                start, stop = self.block(index)
                shape = (self.widths[index], self.widths[index - 1])
                return sympy.Matrix(*shape, self.parameters[start:stop])
            case "v":
                return sympy.Matrix(self._readout())
            case "Pi":
                start, stop = self.block(tags[0])
                return sympy.eye(len(self.parameters))[start:stop, :]
            case "B" if at in self.networks:
                return self.transfer(numbers[0], numbers[1], at)
            case "dw" | "da" | "dww" | "dwa" | "daa" if at in self.networks:
                return self.partial(name, index, at)
            case "alpha" | "z" | "delta" | "f" if at in self.networks:
                return sympy.Matrix(self.layer(name, index, at))
        msg = f"the operator {name} has no exact value here"
        raise NotExactError(msg)

    def _readout(self) -> list[Expr]:
        if not self.trained:
            return list(self.readout)
        start, stop = self.block(READOUT)
        return self.parameters[start:stop]

    def fact(self, name: str, tags: Sequence[Any]) -> bool:
        """Whether a named hypothesis holds of the network.

        Raises:
            NotExactError: the hypothesis has no exact meaning here.
        """
        kind = "trained" if self.trained else "fixed"
        match name, list(tags):
            case (("dense" | "pointwise" | "smooth" | "general"), [int(layer)]):
                return 1 <= layer <= self.depth
            case "parameters", [int(depth), str(readout)]:
                return depth == self.depth and readout == kind
            case "readout", [str(readout), int(layer)]:
                return layer == self.depth and readout == kind
            case (("input" | "twice_differentiable"), _):
                return True
        msg = f"the hypothesis {name} has no exact meaning here"
        raise NotExactError(msg)

    def layer(self, name: str, index: int, at: str) -> list[Expr]:
        """alpha^l, z^l, delta^l or f, as expressions in the parameters."""
        net = self.networks[at]
        stage = {"alpha": 2 * index, "z": 2 * index - 1, "delta": 2 * index}.get(name, -1)
        if name == "f":
            return list(net.values()[-1])
        if not 0 <= stage < len(net.stages) - 1:
            msg = f"there is no {name} of layer {index}"
            raise NotExactError(msg)
        return net.signal(stage) if name == "delta" else list(net.values()[stage])

    def sigma(self, index: int) -> Sigma:
        """The activation of a hidden layer."""
        if not 1 <= index <= self.depth:
            msg = f"there is no activation of layer {index}"
            raise NotExactError(msg)
        return self.sigmas[index - 1]

    def transfer(self, above: int, below: int, at: str) -> Any:
        """B^{n,k}, the derivative of z^n by alpha^k, k < n, as expressions in the parameters."""
        if not 0 <= below < above <= self.depth:
            msg = f"there is no derivative of z^{above} by alpha^{below}"
            raise NotExactError(msg)
        return self.networks[at].between(2 * above - 1, 2 * below)

    def partial(self, by: str, index: int, at: str) -> Any:
        """A partial derivative of alpha^l: by all parameters through W^l alone, or by alpha^{l-1}.

        A second one has a column for each pair of variables, the first of them outermost.
        """
        if not 1 <= index <= self.depth:
            msg = f"there is no layer {index} to differentiate"
            raise NotExactError(msg)
        net = self.networks[at]
        below = [sympy.Symbol(f"y_{i}") for i in range(self.widths[index - 1])]
        values = net.values({2 * index - 2: below})[2 * index]
        start, stop = self.block(index)
        own = [*([None] * start), *self.parameters[start:stop]]
        own += [None] * (len(self.parameters) - stop)
        variables = [{"w": own, "a": below}[letter] for letter in by[1:]]
        found = dict(zip(below, net.values()[2 * index - 2], strict=True))
        rows = [[_derived(v, which) for which in product(*variables)] for v in values]
        return sympy.Matrix(rows).xreplace(found)

    def at(self, value: Any, point: str) -> Any:
        """An expression, or a matrix of them, at a point."""
        if point not in self.points:
            msg = f"the point {point!r} has no value"
            raise NotExactError(msg)
        place = dict(zip(self.parameters, self.points[point], strict=True))
        return value.xreplace(place).applyfunc(sympy.expand)

    def dimension(self, space: Term) -> int:
        """The dimension of a space."""
        match space.head:
            case "scalar":
                return 1
            case "params":
                return len(self.parameters)
            case "tensor":
                return self.dimension(space.args[0]) * self.dimension(space.args[1])
            case "layer" if type(space.args[0]) is int and space.args[0] <= self.depth:
                return self.widths[space.args[0]]
        if space in self.variables:
            return int(self.variables[space])
        msg = f"the space {space} has no dimension here"
        raise NotExactError(msg)


def ground(term: Term, env: ExactEnvironment) -> Term:
    """The term with every free index replaced by its value."""
    free = [v for v in term.free if v.head == "index"]
    missing = [v.args[0] for v in free if v.args[0] not in env.indices]
    if missing:
        msg = f"the index {missing[0]!r} has no value"
        raise NotExactError(msg)
    return substitute(term, {v: env.indices[v.args[0]] for v in free}) if free else term


def _derived(value: Expr, variables: Sequence[Expr | None]) -> Expr:
    """A derivative by variables, 0 where one of them is none that the value depends on."""
    return 0 if None in variables else sympy.diff(value, *variables)


__all__ = ["ExactEnvironment", "NotExactError", "ground"]
