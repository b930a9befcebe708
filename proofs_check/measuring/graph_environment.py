"""What the symbols of a proof about a graph stand for: values, signals and maps of its nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

import numerics
from proofs_check.measuring import norms, operators, stacked
from proofs_check.measuring.environment import Environment, EvaluationError, State
from proofs_check.measuring.graph_models import (
    GraphArchitecture,
    GraphModel,
    Vector,
    flatten,
    measured,
)
from proofs_check.measuring.operators import Operator
from proofs_check.measuring.rounding import Jet, Measured, U, constant, matrix_product_rounding
from theory.activations import ActivationError, ActivationFunction
from theory.graph import Graph, LinearRule
from theory.graph_constants import CONSTANTS, drawn_laws
from theory.graph_terms import GRAPH_STATISTICS
from theory.terms import Term


@lru_cache(maxsize=256)
def architecture(graph: Graph) -> GraphArchitecture:
    """One object for all models of a graph, so that it compiles once."""
    return GraphArchitecture(graph)


class GraphEnvironment(Environment):
    """An environment whose model is a graph.

    Points are tuples of its nodes' weights, or parameters of :class:`numerics.GraphModel`.
    """

    model: GraphModel | numerics.GraphModel | None  # type: ignore[assignment]

    def _bind(self, model: GraphModel | numerics.GraphModel) -> None:  # type: ignore[override]
        own = getattr(model, "arch", None)
        self._graph: GraphArchitecture = own or architecture(model.graph)  # type: ignore[union-attr]
        self._fixed = {node: np.asarray(weights) for node, weights in model.fixed.items()}
        named: Mapping[str, Any] = self.named
        self._thetas = {
            name: flatten(tuple(params["W"] if isinstance(params, dict) else params))
            for name, params in named.items()
        }
        for name, theta in self._thetas.items():
            if theta.shape != (self._graph.num_params,):
                need = self._graph.num_params
                msg = f"the point {name!r} has {theta.size} parameters, needs {need}"
                raise ValueError(msg)
        self._maps: dict[tuple[int, str | None], Operator] = {}

    @property
    def arch(self) -> GraphArchitecture:  # type: ignore[override]
        """The graph with all sizes numbers."""
        if self.model is None:
            msg = "the term speaks of a network; give GraphEnvironment(model=...)"
            raise EvaluationError(msg)
        return self._graph

    @property
    def fixed(self) -> Any:
        """The weights of the bilinear nodes that are not trained, by node."""
        return self._fixed

    def activation(self, layer: int) -> ActivationFunction:
        """sigma_n of a pointwise node.

        Raises:
            EvaluationError: the node has none.
        """
        try:
            return self.arch.function(layer)
        except (KeyError, IndexError) as error:
            raise EvaluationError(str(error)) from error

    def theta(self, point: str) -> Vector:
        """All trainable parameters at a point, shape (p,)."""
        if point not in self._thetas:
            msg = f"the point {point!r} has no parameters (known: {', '.join(self._thetas)})"
            raise EvaluationError(msg)
        return self._thetas[point]

    def input(self, at: str) -> Vector:
        """An input, flat."""
        if at not in self.inputs:
            msg = f"the input {at!r} has no value; give inputs={{{at!r}: x}}"
            raise EvaluationError(msg)
        x = np.asarray(self.inputs[at], dtype=np.float64).ravel()
        if x.size != self.arch.sizes[0]:
            msg = f"the input {at!r} has {x.size} entries, needs {self.arch.sizes[0]}"
            raise EvaluationError(msg)
        return x

    def dimension(self, space: Term) -> int:
        """The dimension of a space: of a node's value, of its weights, or of all parameters."""
        match space.head:
            case "layer" if type(space.args[0]) is int and space.args[0] < len(self.arch.sizes):
                return self.arch.sizes[space.args[0]]
            case "weights" if space.args[0] in self.arch.blocks:
                start, stop = self.arch.blocks[space.args[0]]
                return stop - start
        return super().dimension(space)

    # -- maps -------------------------------------------------------------------------------------

    def effective(self, node: int, matrix: Vector) -> Vector:
        """The weights with mask, row scale and scale applied."""
        rule = self.arch.bilinear(node)
        found = float(rule.scale) * matrix
        if rule.mask is not None:
            found = found * np.asarray(rule.mask)
        if rule.row_scale is not None:
            found = found * np.asarray(rule.row_scale, dtype=np.float64)[:, None]
        return found

    def map(self, node: int, point: str | None) -> Operator:
        """A^n at a point (the fixed weights for None), with its norm as its size."""
        key = (node, point)
        if key not in self._maps:
            weights = self.fixed if point is None else self.arch.weights(self.theta(point))
            matrix = self.effective(node, np.asarray(weights[node]))
            columns = self.arch.columns(node)
            rows, cols = matrix.shape
            shape = (self.arch.sizes[node], columns.shape[1])

            def act(x: Vector) -> Vector:
                below = (columns @ x).reshape(cols, -1)
                return np.asarray((matrix @ below).reshape(shape[0], -1))

            def adjoint(y: Vector) -> Vector:
                return np.asarray(
                    columns.T @ (matrix.T @ y.reshape(rows, -1)).reshape(-1, y.shape[1])
                )

            found = Operator(shape, act, adjoint, float(np.linalg.norm(matrix)))
            if shape[0] * shape[1] <= operators.LARGE:
                found.form()
            found.size = norms.spectral(found, self.seed).upper
            self._maps[key] = found
        return self._maps[key]

    def own(self, node: int, value: Vector, size: Measured) -> Operator:
        """B^n, from the weights of a node to its value, at a value of its parent."""
        rule = self.arch.bilinear(node)
        rows, cols = (int(s) for s in rule.weight_shape)
        below = np.asarray(self.arch.columns(node) @ value).reshape(cols, -1)
        factor = self.effective(node, np.ones((rows, cols)))

        def act(direction: Any) -> Vector:
            return ((factor * direction.reshape(rows, cols)) @ below).ravel()

        def adjoint(covector: Any) -> Vector:
            return (factor * (covector.reshape(rows, -1) @ below.T)).ravel()

        tau = self.tau(node)
        loss = matrix_product_rounding(rows, cols, below.shape[1]) * tau * size.value
        shape = (self.arch.sizes[node], rows * cols)
        return operators.row_by_row(shape, act, adjoint, tau * size.value, tau * size.error + loss)

    def mixed(self, node: int, covector: Operator) -> Operator:
        """sum_k c_k T^n_k, from the parent's value to the weights of a node."""
        rule = self.arch.bilinear(node)
        rows, cols = (int(s) for s in rule.weight_shape)
        columns = self.arch.columns(node)
        above = covector.form()[:, 0].reshape(rows, -1)
        factor = self.effective(node, np.ones((rows, cols)))

        def act(value: Any) -> Vector:
            return (factor * (above @ np.asarray(columns @ value).reshape(cols, -1).T)).ravel()

        def adjoint(direction: Any) -> Vector:
            pulled = (factor * direction.reshape(rows, cols)).T @ above
            return np.asarray(columns.T @ pulled.ravel())

        tau = self.tau(node)
        loss = matrix_product_rounding(rows, above.shape[1], cols) * tau * covector.size
        size, error = tau * covector.size, tau * covector.error + loss
        return operators.row_by_row((rows * cols, columns.shape[1]), act, adjoint, size, error)

    def link(self, node: int, slot: int) -> Operator:
        """L^{n,j}: of a linear rule, or a node whose weights are fixed."""
        if not isinstance(self.arch.graph.nodes[node].rule, LinearRule):
            return self.map(node, None)
        matrix = self.arch.link(node, slot)
        size = float(np.sqrt(matrix.power(2).sum()))
        return Operator(matrix.shape, lambda x: matrix @ x, lambda y: matrix.T @ y, size)

    def form(self, node: int) -> Operator:
        """T^n as a matrix of shape (values, weights * parent's value), for small graphs."""
        start, stop = self.arch.block(node)
        columns = self.arch.columns(node)
        shape = (self.arch.sizes[node], (stop - start) * columns.shape[1])
        if shape[0] * shape[1] > operators.LARGE:
            msg = f"the bilinear form of node {node} has {shape} entries; too many to write out"
            raise EvaluationError(msg)
        slices = [
            self.mixed(node, operators.vector(unit)).form().ravel() for unit in np.eye(shape[0])
        ]
        return operators.dense(np.array(slices))

    # -- constants --------------------------------------------------------------------------------

    def tau(self, node: int) -> float:
        """The rule's bound on the bilinear form of a node."""
        return float(self.arch.bilinear(node).contraction)

    def ell(self, node: int, slot: int) -> Measured:
        """The rule's bound on a fixed map; for fixed weights their measured norm."""
        rule = self.arch.graph.nodes[node].rule
        if isinstance(rule, LinearRule):
            bound = float(rule.norms[slot])
            return Measured(bound, 4 * U * bound)
        return norms.norm(self.map(node, None), "2", self.seed)

    def own_real(self, term: Term) -> Measured | None:
        """tau_n and ell_{n,j}."""
        match term.args:
            case ("tau", int(node)):
                bound = self.tau(node)
                return Measured(bound, 4 * U * bound)
            case ("ell", int(node), int(slot)):
                return self.ell(node, slot)
            case (str(name), int(node)) if name in CONSTANTS:
                bound = float(CONSTANTS[name](self.arch.bilinear(node)))
                return Measured(bound, 16 * U * bound)
        return None

    def statistic(self, name: str, index: int, point: Term, at: Term) -> Term | None:
        """What a statistic of a node stands for; None for other symbols."""
        if name not in GRAPH_STATISTICS or not 0 <= index <= self.arch.shape.last:
            return None
        return self.arch.shape.definition(name, index, point, at)

    # -- named operators and facts ----------------------------------------------------------------

    def own_operator(self, term: Term) -> Operator | None:
        """A named operator of a graph, or a contraction of a node's form."""
        from proofs_check.measuring.meaning import operator

        if term.head == "contract":
            covector, tensor = term.args
            if tensor.head != "op" or tensor.args[0] != "form":
                return None
            return self.mixed(tensor.args[3], operator(covector, self))
        if term.head != "op":
            return None
        name, _, _, *tags = term.args
        known: dict[str, Callable[[], Operator]] = {
            "node_map": lambda: self.map(tags[0], tags[1].args[0]),
            "own": lambda: self._own(*tags),
            "form": lambda: self.form(tags[0]),
            "link": lambda: self.link(*tags),
            "covector": self._covector,
            "second": lambda: stacked.second(self, *tags),
            "gradients": lambda: stacked.gradients(self, *tags),
            "form_in": lambda: stacked.form_in(self, *tags),
            "form_own": lambda: stacked.form_own(self, *tags),
            "theta": lambda: operators.vector(self.theta(tags[0].args[0])),
            "Pi": lambda: operators.selection(*self.arch.block(tags[0]), self.arch.num_params),
            "alpha": lambda: self._vector(name, *tags),
            "delta": lambda: self._vector(name, *tags),
            "f": lambda: self._vector(name, 0, *tags),
        }
        if name not in known:
            msg = f"the operator {term} means nothing on a graph; known are {', '.join(known)}"
            raise EvaluationError(msg)
        try:
            found = known[name]()
        except (KeyError, IndexError, TypeError) as error:
            msg = f"{term} means nothing on this graph: {error}"
            raise EvaluationError(msg) from error
        shape = (self.dimension(term.rows), self.dimension(term.cols))
        if found.shape != shape:
            msg = f"{term} has shape {found.shape} here, and its spaces say {shape}"
            raise EvaluationError(msg)
        return found

    def _own(self, node: int, point: Term, at: Term) -> Operator:
        state = self.state(point.args[0], at.args[0])
        parent = self.arch.shape.parents[node][0]
        return self.own(node, state.value("alpha", parent), state.jets["alpha", parent].value)

    def _covector(self) -> Operator:
        unit = np.zeros(self.arch.sizes[-1])
        unit[self.arch.output] = 1.0
        return operators.vector(unit)

    def _vector(self, name: str, node: int, point: Term, at: Term) -> Operator:
        state = self.state(point.args[0], at.args[0])
        return operators.vector(state.value(name, node), state.jets[name, node].value.error)

    def own_fact(self, term: Term) -> bool | None:
        """Whether a hypothesis holds of this graph."""
        name, *tags = term.args
        shape = self.arch.shape
        match name, tags:
            case "graph", [str(code)]:
                return code == self.arch.code
            case "smooth", [int(node)]:
                return 0 <= node <= shape.last and shape.kinds[node] == "pointwise"
            case "bounded", [int(node), int(order)]:
                inside = 0 <= node <= shape.last and shape.kinds[node] == "pointwise"
                return inside and self._bounded(node, order)
            case "drawn", [int(node), str(law)]:
                return (
                    node in drawn_laws(self.arch.graph) and drawn_laws(self.arch.graph)[node] == law
                )
            case ("input", []) | ("twice_differentiable", [Term()]):
                return True
        return False

    def _bounded(self, node: int, order: int) -> bool:
        try:
            self.arch.function(node).sup(order)
        except ActivationError:
            return False
        return True

    # -- values and their rounding errors ---------------------------------------------------------

    def state(self, point: str, at: str) -> State:
        """The graph at a point and an input, evaluated once."""
        key = (point, at)
        if key not in self._states:
            x, theta = self.input(at), self.theta(point)
            found, signals = measured(theta, self.fixed, x, self.arch)
            deltas = tuple(np.asarray(s).ravel() for s in signals)
            state = State(self.arch, theta, self.fixed, x, np.asarray(found), deltas, {})  # type: ignore[arg-type]
            self._states[key] = state
            self._size_up(state, point)
        return self._states[key]

    def _size_up(self, state: State, point: str) -> None:
        """Sizes and rounding errors, node by node up, and of the signals down."""
        jets, shape = state.jets, self.arch.shape
        slopes: dict[int, Jet] = {}
        for node, parents in enumerate(shape.parents):
            if node == 0:
                size = float(np.linalg.norm(state.x))
                jets["alpha", 0] = constant(Measured(size), self.arch.sizes[0])
            elif shape.kinds[node] == "pointwise":
                below = jets["alpha", parents[0]]
                sizes = self.sizes(node, state.value("alpha", parents[0]))
                jets["alpha", node], slopes[node] = below.pointwise(sizes), below.slopes(sizes)
            else:
                steps = [
                    self._step(node, slot, point, jets["alpha", p], self.arch.sizes[node])
                    for slot, p in enumerate(parents)
                ]
                jets["alpha", node] = sum(steps[1:], steps[0])
        jets["f", 0] = jets["alpha", shape.last]
        jets["delta", shape.last] = constant(Measured(1.0), self.arch.sizes[-1])
        for node in range(shape.last - 1, -1, -1):
            size = self.arch.sizes[node]
            total = constant(Measured(0.0), size)
            for child, slot in shape.children(node):
                above = jets["delta", child]
                if shape.kinds[child] == "pointwise":
                    total = total + slopes[child].times(above, size)
                else:
                    total = total + self._step(child, slot, point, above, size)
            jets["delta", node] = total

    def _step(self, node: int, slot: int, point: str, jet: Jet, size: int) -> Jet:
        """A value taken through the map of a node, or a signal back through it."""
        if self.arch.shape.kinds[node] == "linear":
            moved = jet.scaled(self.ell(node, slot))
            inner = max(size, jet.dim)
        else:
            tau, inner = self.tau(node), int(self.arch.bilinear(node).weight_shape[1])
            norm = self.map(node, point).size / tau if tau else 0.0
            block = Jet(Measured(norm), Measured(1.0), Measured(0.0), size * inner)
            moved = block.times(jet, size).scaled(Measured(tau))
        loss = matrix_product_rounding(size, inner, 1) * math.sqrt(size)
        parts = (moved.value, moved.first, moved.second)
        value, first, second = (q.widened(loss * q.value) for q in parts)
        return Jet(value, first, second, size)


__all__ = ["GraphEnvironment"]
