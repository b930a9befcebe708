"""Networks of any architecture as arrays: parameters, evaluation, values and signals of nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from numerics.graphs.walk import Walk, walk
from numerics.models import AbstractModel, Model, Params, draw_gaussian
from numerics.tolerances import Numbers
from theory.graph import Graph
from theory.networks import Network


class NodeTrace(NamedTuple):
    """Values and back-propagated signals of every node at one input.

    Attributes:
        alpha: alpha^n, node by node, each of the node's shape; the first is x.
        delta: delta^n = df/dalpha^n, where f depends on alpha^n directly and through later nodes;
            the last is the unit vector of the output meant.
        f: that output, a scalar.
    """

    alpha: tuple[Float[Array | np.ndarray, "*_"], ...]
    delta: tuple[Float[Array | np.ndarray, "*_"], ...]
    f: Any


@dataclass(frozen=True, eq=False)
class GraphModel(AbstractModel):
    """A network of any architecture with numbers in it.

    Attributes:
        net: the description, all widths integers.
        params: trainable parameters, {"W": (W^n for every node n with weights, in order)}, each
            of shape (rows, cols); entries that a mask leaves out are zero and of no influence.
            Norms and distances of parameters are Euclidean over the others.
        fixed: the weights of nodes that are not trained, by node.
        seed: the seed the weights were drawn from.
        dtype: float64 or float32.
    """

    net: Network
    params: Params = field(repr=False)
    fixed: Mapping[int, Float[Array, "rows cols"]] = field(repr=False)
    seed: int
    dtype: np.dtype[Any]

    @property
    def graph(self) -> Graph:
        """The nodes; see `theory.graph`."""
        return self.net.graph

    @cached_property
    def walk(self) -> Walk:
        """The functions of the graph."""
        return walk(self.net.graph)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return self.walk.shapes[0]

    @property
    def num_outputs(self) -> int:
        """Number of outputs."""
        return self.walk.num_outputs

    @property
    def num_params(self) -> int:
        """Number of trainable parameters p, masked entries not counted."""
        return sum(self.block_sizes)

    @property
    def block_sizes(self) -> tuple[int, ...]:
        """Number of trainable parameters of each node with weights."""
        masks = self.walk.masks
        return tuple(
            int(np.sum(masks[n])) if n in masks else int(np.prod(self.walk.weight_shape(n)))
            for n in self.graph.weighted
        )

    def apply(self, params: Params | None, x: Numbers) -> Float[Array, "*shape"]:
        """The outputs f(params; x).

        Args:
            params: parameters of the structure of `self.params`; None means `self.params`.
            x: one input, of `input_shape`, or a batch, shape (n, *input_shape).

        Returns:
            A scalar, or shape (outputs,) for several outputs; with a batch axis first for a batch.

        Raises:
            ValueError: x or a parameter has the wrong shape.
        """
        params, x = self.checked_params(params), self.checked_input(x)
        batch = x.ndim > len(self.input_shape)
        return (_apply_batch if batch else _apply)(self.walk, params, self.fixed, x)

    def checked_params(self, params: Params | None) -> Params:
        """`params`, or the model's own if None, after a look at structure and shapes.

        Raises:
            ValueError: naming the parameter that is missing, unknown or of the wrong shape.
        """
        if params is None:
            return self.params
        if set(params) != {"W"}:
            msg = f"params has the keys {sorted(params)}; this model needs ['W']"
            raise ValueError(msg)
        nodes = self.graph.weighted
        if len(params["W"]) != len(nodes):
            msg = f"params['W'] has {len(params['W'])} matrices; {len(nodes)} nodes have weights"
            raise ValueError(msg)
        for node, weight in zip(nodes, params["W"], strict=True):
            if np.shape(weight) != self.walk.weight_shape(node):
                msg = (
                    f"params: the weights of node {node} ({self.graph.nodes[node].label}) have "
                    f"shape {np.shape(weight)}; this model needs {self.walk.weight_shape(node)}"
                )
                raise ValueError(msg)
        return params

    def checked_input(self, x: Numbers, batch: bool = True) -> Float[Array, "*shape"]:
        """`x` as an array of the model's dtype, after a look at its shape.

        Raises:
            ValueError: the shape is not `input_shape`, nor one with a batch axis where allowed.
        """
        array = jnp.asarray(x, dtype=self.dtype)
        shape = self.input_shape
        fits = array.shape == shape or (batch and array.shape[1:] == shape)
        if not fits or not array.ndim:
            wanted = f"{shape} or (n, {', '.join(map(str, shape))})" if batch else f"{shape}"
            msg = f"x has shape {array.shape}; this network takes {wanted}"
            raise ValueError(msg)
        return array

    def checked_output(self, output: int) -> int:
        """Which output is meant, after a look at how many there are.

        Raises:
            ValueError: there is no such output.
        """
        if not 0 <= output < self.num_outputs:
            msg = f"output={output}; this network has {self.num_outputs}, counted from 0"
            raise ValueError(msg)
        return int(output)

    def masked(self, direction: Params) -> Params:
        """A direction with zeros where masks leave out entries."""
        pairs = zip(self.graph.weighted, direction["W"], strict=True)
        return {"W": tuple(self.walk.masked(node, weight) for node, weight in pairs)}

    def double(self) -> GraphModel:
        """Everything in float64, without a copy of what already is."""
        if self.dtype == np.float64:
            return self
        wide = partial(jnp.asarray, dtype=np.float64)
        return replace(
            self,
            params=jax.tree.map(wide, self.params),
            fixed=jax.tree.map(wide, self.fixed),
            dtype=np.dtype(np.float64),
        )


AnyModel: TypeAlias = Model | GraphModel
"""A plain fully connected network, or one of any architecture."""


def check_inputs(model: AnyModel, X: Numbers) -> Float[Array, "n ..."]:
    """`X` as an array of the model's dtype, with a first axis also where it is one input.

    Raises:
        ValueError: the shape is neither that of one input nor of several.
    """
    array = model.checked_input(X, True)
    return array[None] if array.ndim == len(model.input_shape) else array


def graph_model(net: Network, seed: int, dtype: np.dtype[Any]) -> GraphModel:
    """Draw the weights of a network whose widths are numbers; see `numerics.instantiate`.

    Every node has a key of its own, made from the seed, its number and the shape of its weights.

    Args:
        net: the description; plain fully connected ones are taken as well.
        seed: an integer >= 0.
        dtype: float64 or float32.

    Returns:
        The model; entries are i.i.d. N(0, 1), or signs where the rule says so.
    """
    steps = walk(net.graph)
    drawn: dict[int, Any] = {}
    for node, rule in steps.rules.items():
        weight = draw_gaussian(seed, node, steps.weight_shape(node), dtype)
        if rule.init == "sign":
            weight = jnp.where(weight >= 0, 1, -1).astype(dtype)
        drawn[node] = steps.masked(node, weight)
    params: Params = {"W": tuple(drawn[n] for n in net.graph.weighted)}
    fixed = {n: drawn[n] for n in steps.frozen}
    return GraphModel(net=net, params=params, fixed=fixed, seed=seed, dtype=dtype)


def device_trace(model: GraphModel, params: Params, x: Any, output: int) -> NodeTrace:
    """Values and signals of every node, compiled by JAX; nothing is checked."""
    return _trace(model.walk, output, params, model.fixed, x)


def tail(model: GraphModel, node: int, output: int = 0) -> Callable[[Params, Any, Any], Any]:
    """The output as a function of one node's value, the nodes that depend on it recomputed.

    Args:
        model: the network.
        node: which node.
        output: which output.

    Returns:
        A pure function of (params, alpha^n, x), for use under JAX transformations: its gradient
        by alpha^n at the node's own value is delta^n.

    Raises:
        ValueError: there is no such output.
    """
    steps, output = model.walk, model.checked_output(output)

    def run(params: Params, value: Any, x: Any) -> Any:
        product = steps.product(steps.weights(params, model.fixed))
        return steps.output(steps.values(product, x, given={node: value}), output)

    return run


def outputs(steps: Walk, params: Params, fixed: Mapping[int, Any], x: Any) -> Any:
    """The last node's value, a pure function for use under JAX transformations."""
    return steps.values(steps.product(steps.weights(params, fixed)), x)[-1]


def _batched(steps: Walk, params: Params, fixed: Mapping[int, Any], x: Any) -> Any:
    return jax.vmap(lambda entry: outputs(steps, params, fixed, entry))(x)


_apply = partial(jax.jit, static_argnums=0)(outputs)
_apply_batch = partial(jax.jit, static_argnums=0)(_batched)


def signals(
    steps: Walk, output: int, params: Params, fixed: Mapping[int, Any], x: Any
) -> tuple[list[Any], list[Any]]:
    """Values and signals of every node, a pure function; nothing is checked.

    A signal is the gradient by what is added to the node's value.
    """
    product = steps.product(steps.weights(params, fixed))

    def shifted(shifts: list[Any]) -> tuple[Any, list[Any]]:
        values = steps.values(product, x, shifts=shifts)
        return steps.output(values, output), values

    zeros = [jnp.zeros(shape, x.dtype) for shape in steps.shapes]
    delta, values = jax.grad(shifted, has_aux=True)(zeros)
    return values, delta


@partial(jax.jit, static_argnums=(0, 1))
def _trace(steps: Walk, output: int, params: Params, fixed: Any, x: Any) -> NodeTrace:
    values, delta = signals(steps, output, params, fixed, x)
    return NodeTrace(tuple(values), tuple(delta), steps.output(values, output))


__all__ = [
    "AnyModel",
    "GraphModel",
    "NodeTrace",
    "check_inputs",
    "device_trace",
    "graph_model",
    "outputs",
    "signals",
    "tail",
]
