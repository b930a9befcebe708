"""Networks of any shape, neuron by neuron, and the exact Hessian identity in components.

A :class:`Components` is a list of stages.  Each is a list of neurons, and each neuron is written
out as a sum over the neurons it sees::

    bilinear    sum of  coefficient * parameter * neuron of an earlier stage
    linear      sum of  coefficient * neuron of an earlier stage
    pointwise   sigma(neuron)

so that a dense layer, a convolution, a masked or shared weight, a skip connection and an assembly
of models differ in which triples they list, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import sympy

Expr = Any  # a SymPy expression; SymPy carries no types
Sigma = Callable[[Expr], Expr]
Triple = tuple[Expr, Expr, tuple[int, int]]  # coefficient, parameter, (stage, neuron)
Pair = tuple[Expr, tuple[int, int]]  # coefficient, (stage, neuron)


@cache
def generic(name: str, order: int = 0) -> Any:
    """An activation of which nothing is known but its name, as a SymPy function.

    Its derivative is another such function, so that an identity which holds for it holds for every
    twice differentiable function.

    >>> t = sympy.Symbol("t")
    >>> sympy.diff(generic("sigma")(t**2), t)
    2*t*sigma_1(t**2)
    """

    def derivative(self: Any, argindex: int = 1) -> Any:
        return generic(name, order + 1)(self.args[0])

    label = f"{name}_{order}" if order else name
    return type(label, (sympy.Function,), {"fdiff": derivative, "nargs": 1})


def of_expression(expr: Expr, variable: Expr) -> Sigma:
    """The function ``t -> expr``."""
    return lambda t: expr.xreplace({variable: t})


@dataclass(frozen=True)
class Stage:
    """One stage: its kind, and for each neuron what it is computed from.

    Attributes:
        kind: ``input``, ``bilinear``, ``linear`` or ``pointwise``.
        neurons: for each neuron its triples, its pairs, or the one neuron that sigma is applied to.
        sigma: the function of a pointwise stage.
        values: of an input stage.
    """

    kind: str
    neurons: tuple[tuple[Any, ...], ...] = ()
    sigma: Sigma | None = None
    values: tuple[Expr, ...] = ()


@dataclass
class Components:
    """A network written out in components; build it stage by stage, the output last.

    Attributes:
        stages: the stages so far.
        parameters: the entries of all trained weights, in order.
    """

    stages: list[Stage] = field(default_factory=list)
    parameters: list[Expr] = field(default_factory=list)

    # -- building ---------------------------------------------------------------------------------

    def weights(self, name: str, *shape: int) -> list[Any]:
        """New parameters, as nested lists of symbols."""
        if len(shape) == 1:
            new = [sympy.Symbol(f"{name}_{i}") for i in range(shape[0])]
            self.parameters += new
            return new
        return [self.weights(f"{name}_{i}", *shape[1:]) for i in range(shape[0])]

    def input(self, values: Sequence[Expr]) -> int:
        """An input of the network."""
        return self._add(Stage("input", values=tuple(values)))

    def bilinear(self, neurons: Sequence[Sequence[Triple]]) -> int:
        """Neurons that are sums of coefficient * parameter * neuron."""
        return self._add(Stage("bilinear", tuple(map(tuple, neurons))))

    def linear(self, neurons: Sequence[Sequence[Pair]]) -> int:
        """Neurons that are sums of coefficient * neuron."""
        return self._add(Stage("linear", tuple(map(tuple, neurons))))

    def pointwise(self, parent: int, sigma: Sigma) -> int:
        """Sigma of every neuron of a stage."""
        places = [((parent, i),) for i in range(self.size(parent))]
        return self._add(Stage("pointwise", tuple(places), sigma))

    def dense(self, parent: int, matrix: Sequence[Sequence[Expr]], scale: Expr) -> int:
        """``scale * W alpha``."""
        return self.bilinear(
            [[(scale, w, (parent, j)) for j, w in enumerate(row)] for row in matrix]
        )

    def readout(self, parent: int, values: Sequence[Expr], scale: Expr) -> int:
        """``scale * v . alpha`` with a fixed v."""
        return self.linear([[(scale * v, (parent, j)) for j, v in enumerate(values)]])

    def convolution(
        self,
        parent: int,
        kernel: Sequence[Sequence[Sequence[Expr]]],
        scale: Expr,
        *,
        circular: bool = True,
        stride: int = 1,
    ) -> int:
        """A one-dimensional convolution, entry by entry.

        Neuron ``(o, t)`` is ``scale * sum over i, k of kernel[o][i][k] * alpha[i, stride t + k]``,
        channels outermost; positions wrap around, or the window stays inside.
        """
        channels, width = len(kernel[0]), len(kernel[0][0])
        length = self.size(parent) // channels
        starts = range(0, length if circular else length - width + 1, stride)
        neurons = []
        for rows in kernel:
            for start in starts:
                seen = [(i, k, (start + k) % length) for i in range(channels) for k in range(width)]
                neurons.append([(scale, rows[i][k], (parent, i * length + t)) for i, k, t in seen])
        return self.bilinear(neurons)

    def size(self, stage: int) -> int:
        """How many neurons a stage has."""
        found = self.stages[stage]
        return len(found.values) if found.kind == "input" else len(found.neurons)

    def _add(self, stage: Stage) -> int:
        self.stages.append(stage)
        return len(self.stages) - 1

    # -- values and derivatives -------------------------------------------------------------------

    def values(self, given: Mapping[int, Sequence[Expr]] | None = None) -> list[list[Expr]]:
        """Every neuron of every stage; those of a stage that is given are not computed."""
        out: list[list[Expr]] = []
        for number, stage in enumerate(self.stages):
            if given and number in given:
                out.append(list(given[number]))
            elif stage.kind == "input":
                out.append(list(stage.values))
            else:
                out.append([_neuron(stage, terms, out) for terms in stage.neurons])
        return out

    @property
    def output(self) -> Expr:
        """The output, the one neuron of the last stage."""
        (value,) = self.values()[-1]
        return value

    def hessian(self) -> Any:
        """The Hessian of the output, shape (p, p), by differentiating it twice."""
        return second_derivatives(self.output, self.parameters)

    def parents(self, stage: int) -> tuple[int, ...]:
        """The stages that a stage is computed from, in order of first use."""
        found = self.stages[stage]
        seen = (t[-1] if found.kind != "pointwise" else t for ts in found.neurons for t in ts)
        return tuple(dict.fromkeys(place[0] for place in seen))

    def own(self, stage: int) -> list[Expr]:
        """The parameters that a stage multiplies by, in order."""
        if self.stages[stage].kind != "bilinear":
            return []
        used = {w for terms in self.stages[stage].neurons for _, w, _ in terms}
        return [w for w in self.parameters if w in used]

    def signal(self, stage: int, output: int = 0) -> list[Expr]:
        """Delta of a stage: the derivative of an output by each of its neurons.

        The output is written as a function of that stage's neurons and differentiated; no
        recursion from the output backwards is used.
        """
        free = [sympy.Symbol(f"y_{stage}_{i}") for i in range(self.size(stage))]
        value = self.values({stage: free})[-1][output]
        found = dict(zip(free, self.values()[stage], strict=True))
        return [sympy.diff(value, y).xreplace(found) for y in free]

    def between(self, above: int, below: int) -> Any:
        """The derivatives of the neurons of one stage by those of an earlier one."""
        free = [sympy.Symbol(f"y_{below}_{i}") for i in range(self.size(below))]
        values = self.values({below: free})[above]
        found = dict(zip(free, self.values()[below], strict=True))
        return sympy.Matrix([[sympy.diff(v, y) for y in free] for v in values]).xreplace(found)

    def by_weights(self, stage: int) -> Any:
        """The derivatives of the neurons of a bilinear stage by its weights, all else held."""
        (parent,) = self.parents(stage)
        free = [sympy.Symbol(f"y_{parent}_{i}") for i in range(self.size(parent))]
        values = self.values({parent: free})[stage]
        found = dict(zip(free, self.values()[parent], strict=True))
        return sympy.Matrix([[sympy.diff(v, w) for w in self.own(stage)] for v in values]).xreplace(
            found
        )

    def identity(self) -> Any:
        """What the Hessian identity says the Hessian is, shape (p, p).

        ``sum over pointwise stages of J' diag(sigma''(z) delta) J``, and for every bilinear stage
        the cross terms ``X + X'``, where the row of X that belongs to a parameter w is
        ``sum of coefficient * delta_i * d(neuron seen through w)``.

        Source: theory.md, section 3.
        """
        values = self.values()
        count = len(self.parameters)
        jacobians = [[[sympy.diff(v, w) for w in self.parameters] for v in vs] for vs in values]
        total = sympy.zeros(count, count)
        for number, stage in enumerate(self.stages):
            delta = [] if stage.kind in ("input", "linear") else self.signal(number)
            for d, terms in zip(delta, stage.neurons, strict=bool(delta)):
                if stage.kind == "pointwise":
                    total += self._curved(stage, d, terms[0], values, jacobians)
                else:
                    total += self._crossed(d, terms, jacobians)
        return total

    def _curved(self, stage: Stage, d: Expr, place: Any, values: Any, jacobians: Any) -> Any:
        bend = derivative(stage.sigma, 2)(values[place[0]][place[1]])
        row = sympy.Matrix([jacobians[place[0]][place[1]]])
        return (row.T * row) * (d * bend)

    def _crossed(self, d: Expr, terms: Sequence[Triple], jacobians: Any) -> Any:
        count = len(self.parameters)
        cross = sympy.zeros(count, count)
        for coefficient, parameter, (stage, neuron) in terms:
            if parameter in self.parameters:
                place = self.parameters.index(parameter)
                for j, slope in enumerate(jacobians[stage][neuron]):
                    cross[place, j] += coefficient * d * slope
        return cross + cross.T


def _neuron(stage: Stage, terms: tuple[Any, ...], values: Sequence[Sequence[Expr]]) -> Expr:
    if stage.kind == "bilinear":
        return sympy.Add(*(c * w * values[s][n] for c, w, (s, n) in terms))
    if stage.kind == "linear":
        return sympy.Add(*(c * values[s][n] for c, (s, n) in terms))
    ((parent, neuron),) = terms
    return stage.sigma(values[parent][neuron]) if stage.sigma else values[parent][neuron]


def derivative(sigma: Sigma | None, order: int) -> Sigma:
    """The derivative of a function of one variable, of an order of 0, 1 or 2."""
    t = sympy.Symbol("t_of_sigma")
    expr = sympy.diff(sigma(t) if sigma else t, t, order) if order else (sigma(t) if sigma else t)
    return of_expression(expr, t)


def second_derivatives(expr: Expr, variables: Sequence[Expr]) -> Any:
    """The matrix of second derivatives of an expression."""
    first = [sympy.diff(expr, w) for w in variables]
    count = len(variables)
    out = sympy.zeros(count, count)
    for i in range(count):
        for j in range(i, count):
            out[i, j] = out[j, i] = sympy.diff(first[i], variables[j])
    return out


def differences(left: Any, right: Any) -> Iterator[tuple[int, int, Expr]]:
    """The entries in which two matrices of expressions differ, expanded."""
    for i in range(left.rows):
        for j in range(left.cols):
            rest = sympy.expand(left[i, j] - right[i, j])
            if rest != 0:
                yield i, j, rest


__all__ = ["Components", "Stage", "derivative", "differences", "generic", "second_derivatives"]
