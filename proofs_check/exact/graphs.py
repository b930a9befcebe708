"""Terms of the kernel's language on a graph of nodes written out in components.

A stage of :class:`~proofs_check.exact.components.Components` is a node of the graph, so any
architecture whose stages are bilinear, linear and pointwise has an environment here: convolutions,
skip connections, concatenations, neurons of unequal in-degree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy

from proofs_check.exact.components import Components, Expr, Sigma
from proofs_check.exact.environment import ExactEnvironment, NotExactError
from theory.terms import Term


def code(net: Components) -> str:
    """The graph of a network in components, as the kernel's facts write it.

    >>> net = Components()
    >>> hidden = net.pointwise(net.dense(net.input([1]), [net.weights("w", 1)], 1), sympy.tanh)
    >>> code(net)
    'input; bilinear 0; pointwise 1'
    """
    words = ["input"]
    for number, stage in enumerate(net.stages[1:], start=1):
        parents = net.parents(number)
        if stage.kind != "linear" and len(parents) != 1:
            msg = f"stage {number} is {stage.kind} and has the parents {parents}; it needs one"
            raise NotExactError(msg)
        words.append(f"{stage.kind} {' '.join(map(str, parents))}")
    return "; ".join(words)


class GraphEnvironment(ExactEnvironment):
    """A network in components as a graph; node n is its stage n.

    Args:
        build: writes the network out for an input; the same stages for every one.
        points: for each point the value of every parameter.
        inputs: inputs by name.
        output: which neuron of the last stage is the output.
    """

    def __init__(
        self,
        build: Callable[[Sequence[Expr]], Components],
        points: Mapping[str, Sequence[Expr]],
        inputs: Mapping[str, Sequence[Expr]],
        output: int = 0,
    ) -> None:
        """Write the network out for each input."""
        self.build, self.output = build, output
        super().__init__((), (), False, points, inputs)

    @property
    def depth(self) -> int:
        """The last node."""
        return len(self.net.stages) - 1

    @property
    def net(self) -> Components:
        """The network for one of the inputs; stages and parameters are those of all."""
        return next(iter(self.networks.values()))

    def _components(self, x: Sequence[Expr]) -> Components:
        return self.build(x)

    def block(self, which: int | str) -> tuple[int, int]:
        """First and last place (exclusive) of the weights of a node among the parameters."""
        own = self.net.own(int(which)) if isinstance(which, int) else []
        if not own:
            msg = f"node {which} has no weights"
            raise NotExactError(msg)
        places = [self.parameters.index(w) for w in own]
        if places != list(range(places[0], places[0] + len(places))):
            msg = f"the weights of node {which} are no block of the parameters"
            raise NotExactError(msg)
        return places[0], places[-1] + 1

    def sigma(self, index: int) -> Sigma:
        """The activation of a pointwise node."""
        stage = self.net.stages[index] if 0 <= index <= self.depth else None
        if stage is None or stage.sigma is None:
            msg = f"node {index} is not pointwise"
            raise NotExactError(msg)
        return stage.sigma

    def dimension(self, space: Term) -> int:
        """The dimension of a space; that of ``layer n`` is the size of node n."""
        if space.head == "layer" and type(space.args[0]) is int and space.args[0] <= self.depth:
            return self.net.size(space.args[0])
        if space.head == "weights" and type(space.args[0]) is int:
            start, stop = self.block(space.args[0])
            return stop - start
        return super().dimension(space)

    def named(self, name: str, tags: Sequence[Any], at: str) -> Any:
        """An operator of the graph, as expressions in the parameters."""
        node = next((t for t in tags if type(t) is int), self.depth)
        if not 0 <= node <= self.depth:
            msg = f"there is no node {node}"
            raise NotExactError(msg)
        net = self.networks.get(at, self.net)
        match name:
            case "alpha":
                return sympy.Matrix(net.values()[node])
            case "delta":
                return sympy.Matrix(net.signal(node, self.output))
            case "f":
                return sympy.Matrix([net.values()[-1][self.output]])
            case "covector":
                return sympy.Matrix([int(i == self.output) for i in range(net.size(self.depth))])
            case "node_map":
                return net.between(node, net.parents(node)[0])
            case "own":
                return net.by_weights(node)
            case "form":
                return self._form(node)
            case "link":
                return self._link(node, int(tags[1]))
            case "Pi":
                start, stop = self.block(node)
                return sympy.eye(len(self.parameters))[start:stop, :]
        return super().named(name, tags, at)

    def _form(self, node: int) -> Any:
        """The second derivatives of a node by its weights (outermost) and its parent's value."""
        (parent,) = self.net.parents(node)
        free = [sympy.Symbol(f"y_{i}") for i in range(self.net.size(parent))]
        values = self.net.values({parent: free})[node]
        own = self.net.own(node)
        return sympy.Matrix([[sympy.diff(v, w, y) for w in own for y in free] for v in values])

    def _link(self, node: int, slot: int) -> Any:
        """The coefficients of a linear node on one of its parents."""
        parent = self.net.parents(node)[slot]
        rows = []
        for terms in self.net.stages[node].neurons:
            row = [sympy.Integer(0)] * self.net.size(parent)
            for coefficient, (stage, neuron) in terms:
                if stage == parent:
                    row[neuron] += coefficient
            rows.append(row)
        return sympy.Matrix(rows)

    def fact(self, name: str, tags: Sequence[Any]) -> bool:
        """Whether a named hypothesis holds of the graph."""
        match name, list(tags):
            case "graph", [str(word)]:
                return word == code(self.net)
            case "smooth", [int(node)]:
                return 0 <= node <= self.depth and self.net.stages[node].kind == "pointwise"
            case (("input" | "twice_differentiable"), _):
                return True
        msg = f"the hypothesis {name} has no exact meaning on a graph"
        raise NotExactError(msg)


__all__ = ["GraphEnvironment", "code"]
