"""Any function f(params, x) that JAX can trace, as a model to be measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from numerics.functions.program import (
    FunctionError,
    Point,
    Program,
    parameter_names,
    trace_function,
)
from numerics.models import AbstractModel, Params

__all__ = ["FunctionModel", "as_model", "stacked"]


@dataclass(frozen=True, eq=False)
class FunctionModel(AbstractModel):
    """A function of parameters and an input, with numbers in it.

    Everything is measured in float64: parameters and inputs are exact in it. A function that
    itself converts to a narrower type is evaluated as it says, and enclosures say so.

    Attributes:
        function: from (params, x) to an array; pure, and traceable by JAX.
        tree: the structure of its parameters.
        params: its parameters, {"W": (the leaves of the tree, in order)}, in float64. Norms and
            distances are Euclidean over all their entries.
        dtype: float64.
    """

    function: Callable[..., Any]
    tree: Any = field(repr=False)
    params: Params = field(repr=False)
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float64))

    @property
    def num_params(self) -> int:
        """Number of parameters p."""
        return sum(int(np.size(leaf)) for leaf in self.params["W"])

    def restored(self, params: Params) -> Any:
        """Parameters of the structure of `self.params` as the function takes them."""
        return jax.tree.unflatten(self.tree, params["W"])

    def flattened(self, params: Any) -> Params:
        """Parameters as the function takes them, of the structure of `self.params`.

        Raises:
            FunctionError: naming the parameter that is missing, or of the wrong shape or type.
        """
        leaves, tree = jax.tree.flatten(params)
        if tree != self.tree:
            msg = f"params has the structure {tree}; this function was given {self.tree}"
            raise FunctionError(msg)
        return self.checked_params({"W": tuple(_wide(leaf) for leaf in leaves)})

    def apply(self, params: Params | None, x: Any) -> Any:
        """The function's result, at parameters of the structure of `self.params`."""
        return self.function(self.restored(self.checked_params(params)), x)

    def checked_params(self, params: Params | None) -> Params:
        """`params`, or the model's own if None, after a look at their shapes.

        Raises:
            FunctionError: naming the parameter of the wrong shape.
        """
        if params is None:
            return self.params
        names = parameter_names(self.tree)
        for name, own, leaf in zip(names, self.params["W"], params["W"], strict=True):
            if np.shape(leaf) != np.shape(own):
                msg = f"params: {name} has shape {np.shape(leaf)}; it needs {np.shape(own)}"
                raise FunctionError(msg)
        return params

    def checked_input(self, x: Any, batch: bool = True) -> Any:
        """The input with its floating-point leaves in float64; only the function knows shapes."""
        del batch
        return jax.tree.map(_wide, x)

    def checked_output(self, output: int) -> int:
        """Which output is meant; how many there are is known where the input is.

        Raises:
            FunctionError: it is negative.
        """
        if output < 0:
            msg = f"output={output}; the entries of a function's result are counted from 0"
            raise FunctionError(msg)
        return int(output)

    def at(self, params: Params | None, x: Any, output: int = 0) -> tuple[Program, Point]:
        """The traced function, and the values it is evaluated at.

        Args:
            params: where, of the structure of `self.params`; None means the model's own.
            x: one input, as the function takes it.
            output: which entry of the function's result f is.

        Raises:
            FunctionError: see `numerics.functions.program.trace_function`.
        """
        leaves, x = self.checked_params(params)["W"], self.checked_input(x)
        program = trace_function(self.function, self.tree, leaves, x, self.checked_output(output))
        return program, program.point(leaves, jax.tree.leaves(x))


def as_model(model: Any, params: Any = None) -> AbstractModel:
    """A model as it is; a function f(params, x) with its parameters, which have to be given.

    Args:
        model: of this package, or a function.
        params: of the function, a pytree of floating-point arrays.

    Raises:
        FunctionError: there are no parameters, or one is not a floating-point array; or what was
            given is neither a model nor a function.
    """
    if isinstance(model, AbstractModel):
        return model
    if not callable(model):
        msg = f"{model!r} is neither a model of numerics.instantiate nor a function f(params, x)"
        raise FunctionError(msg)
    if params is None:
        msg = "params is missing: for a function f(params, x) give the parameters to measure at"
        raise FunctionError(msg)
    leaves, tree = jax.tree.flatten(params)
    if not leaves:
        msg = "params has no arrays; a function needs at least one parameter"
        raise FunctionError(msg)
    for name, leaf in zip(parameter_names(tree), leaves, strict=True):
        kind = getattr(leaf, "dtype", None)
        if kind is None or not jnp.issubdtype(kind, jnp.floating):
            msg = (
                f"params: {name} is {type(leaf).__name__ if kind is None else kind}, and "
                "parameters are real floating-point arrays; keep the rest out of the tree, as "
                "equinox.partition(model, equinox.is_inexact_array) and "
                "flax.nnx.split(model, flax.nnx.Param, ...) do"
            )
            raise FunctionError(msg)
    return FunctionModel(model, tree, {"W": tuple(_wide(leaf) for leaf in leaves)})


def stacked(X: Any) -> int:
    """How many inputs are stacked along the first axis of each array of a tree.

    Raises:
        FunctionError: the arrays have no first axis, or not the same.
    """
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(X)]
    counts = {shape[0] if shape else None for shape in shapes}
    count = counts.pop() if len(counts) == 1 else None
    if count is None:
        given = ", ".join(map(str, shapes)) or "none"
        msg = f"X has arrays of shapes {given}; stack the inputs along the first axis of each"
        raise FunctionError(msg)
    return count


def _wide(leaf: Any) -> Any:
    array = jnp.asarray(leaf)
    return array.astype(np.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array
