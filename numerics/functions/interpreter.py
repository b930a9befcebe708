"""Where the parameters of a traced function meet its activations.

JAX traces a function into a list of primitive operations. A parameter *meets an activation* where
it is one factor of a matrix product (`lax.dot_general`) or the kernel of a convolution
(`lax.conv_general_dilated`), as it is or after operations that only reorder, convert or rescale its
entries. `analyse` finds these products, and says of each parameter that is used in another way
where; `evaluate` evaluates the function with something added to the products found.

An interpreter of the traced program, and not a library of array-like types such as quax: what has
to be decided, whether a parameter is used in products *only*, is a question about the whole
program, which the operands of one operation at a time cannot answer; and where no rule fits
(control flow, functions with derivative rules of their own) the operation must be recognised and
the parameter declined. Only public parts of JAX are used: `jax.make_jaxpr` and
`jax.extend.core`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun

__all__ = ["Analysis", "Meeting", "Split", "analyse", "evaluate"]

_SAME = frozenset({"convert_element_type", "copy", "copy_p", "neg", "transpose"})
# Programs within the program; the names have changed between versions of JAX.
_INLINED = frozenset({"jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"})
_OWN_RULES = "in a function with derivative rules of its own"


class Split(NamedTuple):
    """How a parameter is a matrix: which of its axes make its rows and columns, both increasing."""

    rows: tuple[int, ...]
    cols: tuple[int, ...]


class Meeting(NamedTuple):
    """A product of a parameter, seen as a matrix W or as its transpose, with an activation.

    Attributes:
        leaf: which parameter.
        transposed: whether the product sums over the rows of W instead of its columns.
        moving: whether the activation depends on parameters.
        summed: number of entries summed over.
        kept: shape of the other axes of the parameter, in increasing order.
        product: shape of the product.
        columns: from the activation to what the matrix is applied to, (positions, summed).
        project: (activation, (k, summed)) to the product with each of the k rows, (..., k).
        order: the kept axes, numbered by size, in the order in which they stand in the product.
        at: where in the product they stand.
    """

    leaf: int
    transposed: bool
    moving: bool
    summed: int
    kept: tuple[int, ...]
    product: tuple[int, ...]
    columns: Callable[[Any], Any]
    project: Callable[[Any, Any], Any]
    order: tuple[int, ...]
    at: tuple[int, ...]

    def place(self, rows: Any) -> Any:
        """From (..., number of kept entries) to the shape of the product."""
        free = rows.ndim - 1
        shaped = jnp.reshape(rows, (*rows.shape[:-1], *self.kept))
        turned = jnp.transpose(shaped, (*range(free), *(free + k for k in self.order)))
        return jnp.moveaxis(turned, range(free, turned.ndim), self.at)

    def unplace(self, product: Any) -> Any:
        """The inverse of `place`, as (positions, number of kept entries)."""
        free = product.ndim - len(self.at)
        moved = jnp.moveaxis(product, self.at, range(free, product.ndim))
        back = (free + int(k) for k in np.argsort(self.order))
        turned = jnp.transpose(moved, (*range(free), *back))
        return jnp.reshape(turned, (-1, math.prod(self.kept)))


class Analysis(NamedTuple):
    """What was found in a program.

    Attributes:
        splits: for every parameter that only meets activations, how it is a matrix.
        meetings: all their products, in the order of evaluation.
        declined: for every other parameter that is used, in words where.
        narrow: the least precise floating-point type among the results of its operations.
        wide: whether some are in float64.
    """

    splits: dict[int, Split]
    meetings: tuple[Meeting, ...]
    declined: dict[int, str]
    narrow: np.dtype[Any]
    wide: bool


def analyse(program: ClosedJaxpr, parameters: int) -> Analysis:
    """Find the products in which parameters meet activations.

    Args:
        program: of `jax.make_jaxpr`; its first arguments are the parameters.
        parameters: their number.

    Returns:
        The analysis. A parameter that is not used at all is in neither of its dictionaries.
    """
    walker = _Analyser()
    arguments = [
        _Item(None, tuple(var.aval.shape), k < parameters, *_own(k, var, k < parameters))
        for k, var in enumerate(program.jaxpr.invars)
    ]
    for item in walker.run(program.jaxpr, program.consts, arguments):
        walker.decline(item, "as a result of the function")
    met = {m.leaf for m in walker.meetings} - set(walker.declined)
    return Analysis(
        {leaf: walker.splits[leaf] for leaf in sorted(met)},
        tuple(m for m in walker.meetings if m.leaf in met),
        walker.declined,
        min(walker.kinds, key=lambda kind: kind.itemsize, default=np.dtype(np.float64)),
        np.dtype(np.float64) in walker.kinds,
    )


def evaluate(
    program: ClosedJaxpr,
    constants: Sequence[Any],
    arguments: Sequence[Any],
    analysis: Analysis,
    added: Callable[[int, Any], Any],
) -> list[Any]:
    """The results of a program, with something added to the products of an analysis.

    Args:
        program: the one analysed.
        constants: the values of its constants.
        arguments: the values of its arguments.
        analysis: of `analyse`.
        added: (k, activation) to what is added to the product of meeting k, of its shape, where
            the parameter is taken as it is (factors that the program applies are applied).
    """
    walker = _Evaluator(analysis, added)
    items = [
        _Item(value, np.shape(value), k in analysis.splits, *_own(k, value, k in analysis.splits))
        for k, value in enumerate(arguments)
    ]
    return [item.value for item in walker.run(program.jaxpr, constants, items)]


# -- walking --------------------------------------------------------------------------------------


class _View(NamedTuple):
    """A parameter up to a factor and the order of its axes: axis i here is axis axes[i] there."""

    leaf: int
    axes: tuple[int, ...]


class _Item(NamedTuple):
    """What is known of one variable of the program.

    Attributes:
        value: its array; None while analysing.
        shape: its shape.
        moving: whether it depends on parameters.
        view: of which parameter it is a view, if of one.
        factor: what that parameter was multiplied by; None while analysing.
    """

    value: Any
    shape: tuple[int, ...]
    moving: bool
    view: _View | None = None
    factor: Any = None


def _own(leaf: int, value: Any, weight: bool) -> tuple[_View | None, Any]:
    rank = len(value.aval.shape) if hasattr(value, "aval") else np.ndim(value)
    return (_View(leaf, tuple(range(rank))), 1.0) if weight else (None, None)


class _Walker(ABC):
    """One walk through a program; the subclasses say what is done on the way."""

    splits: dict[int, Split]

    def run(self, program: Jaxpr, constants: Sequence[Any], arguments: list[_Item]) -> list[_Item]:
        known: dict[Any, _Item] = {}

        def read(atom: Any) -> _Item:
            if isinstance(atom, Literal):
                return _Item(atom.val, np.shape(atom.val), False)
            return known[atom]

        fixed = [_Item(value, np.shape(value), False) for value in constants]
        known.update(zip(program.constvars, fixed, strict=True))
        known.update(zip(program.invars, arguments, strict=True))
        for equation in program.eqns:
            results = self.step(program, equation, [read(atom) for atom in equation.invars])
            known.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in program.outvars]

    def step(self, program: Jaxpr, equation: Any, items: list[_Item]) -> list[_Item]:
        weights = [item for item in items if item.view is not None]
        if not weights:
            return self.plain(program, equation, items)
        if equation.primitive.name in _INLINED:
            inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
            if isinstance(inner, ClosedJaxpr):
                return self.run(inner.jaxpr, inner.consts, items)
            return self.run(inner, (), items)
        results = self.plain(program, equation, items)
        view = _reordered(equation, items)
        if view is not None:
            factor = self.rescaled(equation, items)
            return [results[0]._replace(view=view, factor=factor)]
        meeting = _meeting(equation, items, self.splits)
        if isinstance(meeting, Meeting):
            (activation,) = (item.value for item in items if item.view is None)
            value = self.meet(meeting, activation, weights[0].factor, results[0].value)
            return [results[0]._replace(value=value)]
        for item in weights:
            self.decline(item, meeting)
        return results

    def plain(self, program: Jaxpr, equation: Any, items: list[_Item]) -> list[_Item]:
        """The results of an operation, as they are."""
        values = self.bind(program, equation, [item.value for item in items])
        moving = any(item.moving for item in items)
        return [
            _Item(value, tuple(var.aval.shape), moving)
            for value, var in zip(values, equation.outvars, strict=True)
        ]

    @abstractmethod
    def bind(self, program: Jaxpr, equation: Any, values: list[Any]) -> Sequence[Any]:
        """The results of an operation, from the values of its operands."""

    @abstractmethod
    def rescaled(self, equation: Any, items: list[_Item]) -> Any:
        """The factor of a view, after an operation that makes it."""

    @abstractmethod
    def meet(self, meeting: Meeting, activation: Any, factor: Any, product: Any) -> Any:
        """What stands for a product that was found."""

    @abstractmethod
    def decline(self, item: _Item, reason: str) -> None:
        """Note that a parameter, if the item is one, is used in another way."""


class _Analyser(_Walker):
    def __init__(self) -> None:
        self.splits: dict[int, Split] = {}
        self.meetings: list[Meeting] = []
        self.declined: dict[int, str] = {}
        self.kinds: set[np.dtype[Any]] = set()

    def bind(self, program: Jaxpr, equation: Any, values: list[Any]) -> Sequence[Any]:
        kinds = {var.aval.dtype for var in equation.outvars if hasattr(var.aval, "dtype")}
        self.kinds |= {np.dtype(kind) for kind in kinds if jnp.issubdtype(kind, jnp.floating)}
        return [None] * len(equation.outvars)

    def rescaled(self, equation: Any, items: list[_Item]) -> Any:
        return None

    def meet(self, meeting: Meeting, activation: Any, factor: Any, product: Any) -> Any:
        self.meetings.append(meeting)

    def decline(self, item: _Item, reason: str) -> None:
        if item.view is not None:
            self.declined.setdefault(item.view.leaf, reason)


class _Evaluator(_Walker):
    def __init__(self, analysis: Analysis, added: Callable[[int, Any], Any]) -> None:
        self.splits = dict(analysis.splits)
        self._added, self._met = added, 0

    def bind(self, program: Jaxpr, equation: Any, values: list[Any]) -> Sequence[Any]:
        # As a program of its own: how an operation is bound differs between versions of JAX.
        named = {
            atom: value
            for atom, value in zip(equation.invars, values, strict=True)
            if not isinstance(atom, Literal)
        }
        alone = program.replace(
            constvars=[], invars=list(named), outvars=equation.outvars, eqns=[equation]
        )
        return jaxpr_as_fun(ClosedJaxpr(alone, ()))(*named.values())

    def rescaled(self, equation: Any, items: list[_Item]) -> Any:
        weight = next(item for item in items if item.view is not None)
        other = [item.value for item in items if item.view is None]
        match equation.primitive.name:
            case "neg":
                return -weight.factor
            case "mul":
                return weight.factor * other[0]
            case "div":
                return weight.factor / other[0]
        return weight.factor

    def meet(self, meeting: Meeting, activation: Any, factor: Any, product: Any) -> Any:
        term = self._added(self._met, activation)
        self._met += 1
        return product + (factor * term).astype(product.dtype)

    def decline(self, item: _Item, reason: str) -> None:
        msg = f"parameter {item.view} is declined ({reason}) only now"
        raise RuntimeError(msg)


# -- what is a view, and what a meeting -----------------------------------------------------------


def _reordered(equation: Any, items: list[_Item]) -> _View | None:
    """The view that an operation makes of a view, if it makes one."""
    name, first = equation.primitive.name, items[0].view
    if name in _SAME and first is not None:
        if name == "transpose":
            return _View(first.leaf, tuple(first.axes[k] for k in equation.params["permutation"]))
        kind = equation.outvars[0].aval.dtype
        return first if jnp.issubdtype(kind, jnp.floating) else None
    if name == "mul" or (name == "div" and first is not None):
        weight, other = items if first is not None else items[::-1]
        if other.view is None and not other.moving and other.shape == () and weight.shape:
            return weight.view
    return None


def _meeting(equation: Any, items: list[_Item], splits: dict[int, Split]) -> Meeting | str:
    """The product that an operation is of one view and an activation, or why it is none."""
    name = equation.primitive.name
    if name.startswith("custom_"):
        return _OWN_RULES
    if name not in ("dot_general", "conv_general_dilated"):
        return f"in `{name}`"
    if all(item.view is not None for item in items):
        return f"in a `{name}` with another parameter"
    return (_matrix_product if name == "dot_general" else _convolution)(equation, items, splits)


def _sides(
    view: _View, contracted: Sequence[int], splits: dict[int, Split]
) -> tuple[bool, Split] | str:
    """Whether a product sums over the rows, and the split; the first product decides on it."""
    summed = tuple(sorted(contracted))
    rest = tuple(sorted(set(view.axes) - set(summed)))
    split = splits.setdefault(view.leaf, Split(rest, summed))
    if summed not in (split.rows, split.cols):
        return "in products that sum over different axes"
    return summed != split.cols, split


def _matrix_product(equation: Any, items: list[_Item], splits: dict[int, Split]) -> Meeting | str:
    sums, batches = equation.params["dimension_numbers"]
    if batches[0]:
        return "in a `dot_general` with batch axes"
    if not sums[0]:
        return "in an outer product"
    side = 0 if items[0].view is not None else 1
    weight, other = items[side], items[1 - side]
    view: Any = weight.view
    contracted = [view.axes[k] for k in sums[side]]
    found = _sides(view, contracted, splits)
    if isinstance(found, str):
        return found
    transposed, split = found
    ordered = [sums[1 - side][int(k)] for k in np.argsort(contracted)]
    summed = math.prod(other.shape[k] for k in ordered)
    kept = split.cols if transposed else split.rows
    standing = [view.axes[k] for k in range(len(view.axes)) if k not in sums[side]]
    sizes = dict(zip(view.axes, weight.shape, strict=True))
    free = len(other.shape) - len(ordered)

    def flat(activation: Any) -> Any:
        moved = jnp.moveaxis(activation, ordered, range(free, free + len(ordered)))
        return jnp.reshape(moved, (*moved.shape[:free], summed))

    return Meeting(
        leaf=view.leaf,
        transposed=transposed,
        moving=other.moving,
        summed=summed,
        kept=tuple(sizes[k] for k in kept),
        product=tuple(equation.outvars[0].aval.shape),
        columns=lambda activation: jnp.reshape(flat(activation), (-1, summed)),
        project=lambda activation, matrix: flat(activation) @ matrix.T,
        order=tuple(kept.index(k) for k in standing),
        at=tuple(range(len(standing)) if side == 0 else range(free, free + len(standing))),
    )


def _convolution(equation: Any, items: list[_Item], splits: dict[int, Split]) -> Meeting | str:
    params, weight = equation.params, items[1]
    if weight.view is None:
        return "as what a convolution is applied to"
    if params["feature_group_count"] != 1 or params["batch_group_count"] != 1:
        return "in a grouped convolution"
    view, spec = weight.view, params["dimension_numbers"]
    channel = spec.rhs_spec[0]  # the kernel's axis of output channels
    contracted = [axis for k, axis in enumerate(view.axes) if k != channel]
    found = _sides(view, contracted, splits)
    if isinstance(found, str):
        return found
    transposed, _ = found
    sizes = dict(zip(view.axes, weight.shape, strict=True))
    ordered = sorted(contracted)
    summed = math.prod(sizes[k] for k in ordered)
    standing = [axis for k, axis in enumerate(view.axes) if k != channel]
    at = spec.out_spec[1]
    options = {
        name: params[name]
        for name in ("window_strides", "padding", "lhs_dilation", "rhs_dilation", "precision")
    }

    def project(activation: Any, matrix: Any) -> Any:
        shaped = jnp.reshape(matrix, (-1, *(sizes[k] for k in ordered)))
        turned = jnp.transpose(shaped, (0, *(1 + ordered.index(k) for k in standing)))
        kernel = jnp.moveaxis(turned, 0, channel)
        product = jax.lax.conv_general_dilated(
            activation, kernel, dimension_numbers=spec, **options
        )
        return jnp.moveaxis(product, at, -1)

    def columns(activation: Any) -> Any:
        unit = jnp.eye(summed, dtype=activation.dtype)
        return jnp.reshape(project(activation, unit), (-1, summed))

    return Meeting(
        leaf=view.leaf,
        transposed=transposed,
        moving=items[0].moving,
        summed=summed,
        kept=(weight.shape[channel],),
        product=tuple(equation.outvars[0].aval.shape),
        columns=columns,
        project=project,
        order=(0,),
        at=(at,),
    )
