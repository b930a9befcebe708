"""A function of parameters and an input, traced once for all values of its arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial, wraps
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from numerics.functions.interpreter import Analysis, analyse, evaluate

__all__ = ["FunctionError", "Point", "Program", "parameter_names", "remembered", "trace_function"]


Result = TypeVar("Result")


class FunctionError(ValueError):
    """A function, its parameters or its input is not of the kind that can be measured."""


class Point(NamedTuple):
    """The values a program is evaluated at.

    Attributes:
        leaves: the parameters.
        inputs: the leaves of the input.
        constants: what the function closes over.
    """

    leaves: Any
    inputs: Any
    constants: Any


@dataclass(frozen=True, eq=False)
class Program:
    """One output of a traced function.

    Attributes:
        function: what was traced, of the parameters and the leaves of the input.
        closed: the program, of parameters and then the input.
        analysis: where parameters meet activations.
        names: of the parameters, as paths in their tree.
        shapes: of the parameters.
        output: which of the results' entries f is.
    """

    function: Callable[..., Any]
    closed: ClosedJaxpr
    analysis: Analysis
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    output: int

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(math.prod(shape) for shape in self.shapes)

    def matrix_shape(self, leaf: int) -> tuple[int, int]:
        """Rows and columns of a parameter that only meets activations."""
        shape, split = self.shapes[leaf], self.analysis.splits[leaf]
        return math.prod(shape[k] for k in split.rows), math.prod(shape[k] for k in split.cols)

    def as_leaf(self, leaf: int, matrix: np.ndarray) -> np.ndarray:
        """A matrix in the shape of its parameter."""
        shape, split = self.shapes[leaf], self.analysis.splits[leaf]
        order = (*split.rows, *split.cols)
        return matrix.reshape([shape[k] for k in order]).transpose(np.argsort(order))

    def point(self, leaves: Sequence[Any], inputs: Sequence[Any]) -> Point:
        """The arguments of the program."""
        return Point(list(leaves), list(inputs), list(self.closed.consts))

    def value(self, point: Point, added: Callable[[int, Any], Any]) -> Any:
        """f, with something added to each product; see `numerics.functions.interpreter`."""
        results = evaluate(
            self.closed, point.constants, [*point.leaves, *point.inputs], self.analysis, added
        )
        return jnp.reshape(results[0], (-1,))[self.output]

    def narrowed(self, point: Point) -> tuple[Program, Point]:
        """The same function of the same values in float32; nothing in it may be in float64.

        Raises:
            FunctionError: the function computes in float64 whatever it is given.
            TypeError: it cannot be traced with float32 arguments.
        """
        program, values = self._narrow, jax.tree.map(_single, point)
        if program.analysis.wide or len(program.analysis.meetings) != len(self.analysis.meetings):
            msg = "the function computes in float64 also where its arguments are in float32"
            raise FunctionError(msg)
        return program, program.point(values.leaves, values.inputs)

    @cached_property
    def _narrow(self) -> Program:
        kinds = [
            (tuple(var.aval.shape), np.dtype(np.float32) if wide else var.aval.dtype)
            for var in self.closed.jaxpr.invars
            for wide in [jnp.issubdtype(var.aval.dtype, jnp.floating)]
        ]
        return _of_leaves(self.function, self.names, kinds, self.output)

    def plain(self, point: Point) -> Any:
        """F as it is."""
        arguments = [*point.constants, *point.leaves, *point.inputs]
        return jnp.reshape(self.open(*arguments)[0], (-1,))[self.output]

    @cached_property
    def open(self) -> Callable[..., list[Any]]:
        """The program with its constants as further arguments, the first ones."""
        inner = self.closed.jaxpr
        opened = inner.replace(constvars=[], invars=[*inner.constvars, *inner.invars])
        evaluated: Callable[..., list[Any]] = jaxpr_as_fun(ClosedJaxpr(opened, ()))
        return evaluated

    def meeting_gradients(
        self, point: Point, leaves: Sequence[int] = ()
    ) -> tuple[list[tuple[Any, Any]], list[Any]]:
        """Where parameters meet activations, and how f depends on what comes of it.

        For use under JAX transformations.

        Args:
            point: where.
            leaves: parameters that are in no product, to differentiate by as well.

        Returns:
            For each meeting what the matrix is applied to and df by the product, of shapes
            (positions, summed) and (positions, kept); and df by those parameters.
        """
        found = self.analysis.meetings

        def shifted(shifts: list[Any], values: list[Any]) -> tuple[Any, list[Any]]:
            columns: list[Any] = []

            def added(k: int, activation: Any) -> Any:
                columns.append(found[k].columns(activation))
                return shifts[k]

            moved = dict(zip(leaves, values, strict=True))
            at = [moved.get(k, leaf) for k, leaf in enumerate(point.leaves)]
            return self.value(point._replace(leaves=at), added), columns

        zeros = [jnp.zeros(meeting.product) for meeting in found]
        own = [point.leaves[k] for k in leaves]
        (signals, slopes), columns = jax.grad(shifted, (0, 1), has_aux=True)(zeros, own)
        pairs = [
            (X, meeting.unplace(B)) for meeting, X, B in zip(found, columns, signals, strict=True)
        ]
        return pairs, slopes

    def meetings(self, point: Point) -> list[tuple[np.ndarray, np.ndarray]]:
        """The pairs of `meeting_gradients`, evaluated."""
        double = partial(np.asarray, dtype=np.float64)
        return [(double(X), double(B)) for X, B in _meetings(self, point)]


@partial(jax.jit, static_argnums=0)
def _meetings(program: Program, point: Point) -> list[tuple[Any, Any]]:
    return program.meeting_gradients(point)[0]


def trace_function(
    function: Callable[..., Any], tree: Any, leaves: Sequence[Any], x: Any, output: int
) -> Program:
    """Trace f(params, x) and find where parameters meet activations.

    Args:
        function: from (params, x), pytrees of arrays, to an array of any shape.
        tree: the structure of params.
        leaves: its floating-point arrays; their values do not matter.
        x: the input; its values do not matter.
        output: which entry of the result f is, counted in C order.

    Returns:
        The program, the same one for equal functions, trees, shapes and types; as with `jax.jit`,
        what the function closes over is taken as it was when it was traced.

    Raises:
        FunctionError: the function cannot be traced, does not return one floating-point array,
            or has no such output.
    """
    inputs, input_tree = jax.tree.flatten(x)
    kinds = [tuple((np.shape(v), _dtype(v)) for v in part) for part in (leaves, inputs)]
    key = (function, tree, input_tree, *kinds, output)
    return _trace(*key)


def remembered(make: Callable[..., Result]) -> Callable[..., Result]:
    """Make a thing once for equal arguments; anew each time where they have no hash.

    A function has none if it is a module with arrays in it, for example.
    """
    cached = lru_cache(maxsize=64)(make)

    @wraps(make)
    def found(*key: Any) -> Result:
        try:
            hash(key)
        except TypeError:
            return make(*key)
        return cached(*key)

    return found


@remembered
def _trace(
    function: Callable[..., Any],
    tree: Any,
    input_tree: Any,
    shapes: tuple[tuple[tuple[int, ...], Any], ...],
    input_shapes: tuple[tuple[tuple[int, ...], Any], ...],
    output: int,
) -> Program:
    def flat(*values: Any) -> Any:
        params = jax.tree.unflatten(tree, values[: len(shapes)])
        return function(params, jax.tree.unflatten(input_tree, values[len(shapes) :]))

    return _of_leaves(flat, parameter_names(tree), (*shapes, *input_shapes), output)


def parameter_names(tree: Any) -> list[str]:
    """The path of each leaf of a tree of parameters."""
    numbered = jax.tree.unflatten(tree, range(tree.num_leaves))
    paths = jax.tree_util.tree_flatten_with_path(numbered)[0]
    return [jax.tree_util.keystr(path) or "params" for path, _ in paths]


def _of_leaves(
    flat: Callable[..., Any],
    names: Sequence[str],
    kinds: Sequence[tuple[tuple[int, ...], Any]],
    output: int,
) -> Program:
    """Trace a function of leaves, of which the first are parameters."""
    arguments = [jax.ShapeDtypeStruct(*entry) for entry in kinds]
    closed, result = jax.make_jaxpr(flat, return_shape=True)(*arguments)
    results = jax.tree.leaves(result)
    if len(results) != 1 or not jnp.issubdtype(results[0].dtype, jnp.floating):
        found = ", ".join(f"{r.dtype}{list(r.shape)}" for r in results) or "nothing"
        msg = f"the function returns {found}; it has to return one floating-point array"
        raise FunctionError(msg)
    if not 0 <= output < results[0].size:
        msg = f"output={output}; this function has {results[0].size}, counted from 0"
        raise FunctionError(msg)
    return Program(
        function=flat,
        closed=closed,
        analysis=analyse(closed, len(names)),
        names=tuple(names),
        shapes=tuple(shape for shape, _ in kinds[: len(names)]),
        output=output,
    )


def _single(value: Any) -> Any:
    array = jnp.asarray(value)
    return array.astype(np.float32) if jnp.issubdtype(array.dtype, jnp.floating) else array


def _dtype(value: Any) -> np.dtype[Any]:
    return np.dtype(jnp.asarray(value).dtype)
