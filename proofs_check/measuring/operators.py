"""Linear maps between Euclidean spaces: dense where they are small, matrix-free where they are not.

An :class:`Operator` knows how to act on the columns of an array, from the left and from the right,
about how large it is, and how far rounding may have moved it.  The Hessian of a network of width
256 is a map of 150 000 coordinates; its norm, and those of its blocks, are found without ever
forming it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proofs_check.measuring.rounding import Measured, matrix_product_rounding

Array = NDArray[np.float64]
Action = Callable[[Array], Array]

SMALL = 1 << 12  # entries: below this a map is formed as soon as it is built
LARGE = 1 << 22  # entries: above this no product of two matrices is formed
NARROW = 512  # dimension up to which a Gram matrix is formed
CHUNK = 32  # columns taken through a large map at once


class Operator:
    """A linear map from R^cols to R^rows.

    Attributes:
        shape: (rows, cols).
        array: its matrix, shape (rows, cols), or None while it is only known by its action.
        size: at least about its spectral norm; cancellation inside sums is disregarded.
        error: an upper estimate of the spectral norm of (computed - exact).
        sparse: every row and column has at most one entry, so that products add no sums.
        selects: its entries are 0 and 1 besides, so that products round nothing at all.
        unit: it is the identity.
        parts: two maps of which it is the product, where known.
        multiple: a number and the map of which it is that multiple, where known.
    """

    __slots__ = (
        "_act",
        "_adjoint",
        "_gram",
        "_transposed",
        "_waist",
        "array",
        "error",
        "multiple",
        "parts",
        "selects",
        "shape",
        "size",
        "sparse",
        "unit",
    )

    def __init__(
        self,
        shape: tuple[int, int],
        act: Action,
        adjoint: Action,
        size: float,
        error: float = 0.0,
        *,
        sparse: bool = False,
        selects: bool = False,
    ) -> None:
        self.shape, self.size, self.error = shape, size, error
        self.sparse, self.selects, self.unit = sparse or selects, selects, False
        self.array: Array | None = None
        self.parts: tuple[Operator, Operator] | None = None
        self.multiple: tuple[float, Operator] | None = None
        self._act, self._adjoint = act, adjoint
        self._waist: tuple[Operator, Operator] | None = None
        self._transposed: Operator | None = None
        self._gram: Array | None = None
        rows, cols = shape
        if rows * cols <= SMALL or min(shape) == 1:
            self.form()

    def __matmul__(self, columns: Array) -> Array:
        """Its action on the columns of an array of shape (cols, n)."""
        return self._act(columns) if self.array is None else self.array @ columns

    def adjoint(self, columns: Array) -> Array:
        """The transpose's action on the columns of an array of shape (rows, n)."""
        return self._adjoint(columns) if self.array is None else self.array.T @ columns

    def form(self) -> Array:
        """Its matrix, formed from the smaller side and kept."""
        if self.array is None:
            rows, cols = self.shape
            if cols <= rows:
                self.array = self._act(np.eye(cols))
            else:
                self.array = self._adjoint(np.eye(rows)).T
        return self.array

    @property
    def T(self) -> Operator:
        """The transpose."""
        if self._transposed is None:
            new = self._bare(self.shape[::-1], self.size, self.error)
            new.sparse, new.selects, new.unit = self.sparse, self.selects, self.unit
            new.array = None if self.array is None else self.array.T
            new.parts = _turned(self.parts)
            new._waist = _turned(self._waist)
            new.multiple = self.multiple and (self.multiple[0], self.multiple[1].T)
            new._act, new._adjoint = self._adjoint, self._act
            new._transposed, self._transposed = self, new
        return self._transposed

    @classmethod
    def _bare(cls, shape: tuple[int, int], size: float, error: float) -> Operator:
        new = object.__new__(cls)
        new.shape, new.size, new.error = shape, size, error
        new.sparse = new.selects = new.unit = False
        new.array = new.parts = new.multiple = None
        new._gram = new._transposed = new._waist = None
        return new

    def gram(self) -> Array:
        """``A' A``, shape (cols, cols), kept; through the factors where the first is narrow."""
        if self._gram is None:
            if self.multiple is not None:
                factor, rest = self.multiple
                self._gram = factor * factor * rest.gram()
            elif self.parts is not None and self.parts[0].shape[1] <= NARROW:
                left, right = self.parts
                self._gram = right.adjoint(right.adjoint(left.gram()).T)
            else:
                unit = np.eye(self.shape[1])
                slices = [unit[:, i : i + CHUNK] for i in range(0, len(unit), CHUNK)]
                self._gram = np.hstack([self.adjoint(self @ columns) for columns in slices])
        return self._gram

    def waist(self) -> tuple[Operator, Operator] | None:
        """Two factors whose common space is as small as any between the known factors."""
        if self._waist is None and self.multiple is not None:
            factor, rest = self.multiple
            inner = rest.waist()
            self._waist = inner and (_multiple(factor, inner[0]), inner[1])
        if self._waist is None and self.parts is not None:
            left, right = self.parts
            options = [(left, right)]
            if (inner := left.waist()) is not None:
                options.append((inner[0], _pair(right, inner[1])))
            if (inner := right.waist()) is not None:
                options.append((_pair(inner[0], left), inner[1]))
            self._waist = min(options, key=lambda pair: pair[0].shape[1])
        return self._waist


def _turned(pair: tuple[Operator, Operator] | None) -> tuple[Operator, Operator] | None:
    return pair and (pair[1].T, pair[0].T)


def dense(array: Array, size: float | None = None, error: float = 0.0) -> Operator:
    """The map of a matrix, shape (rows, cols)."""
    matrix = np.asarray(array, dtype=np.float64)
    known = float(np.linalg.norm(matrix)) if size is None else size
    op = Operator._bare((matrix.shape[0], matrix.shape[1]), known, error)
    op.array = matrix
    op._act, op._adjoint = (lambda x: matrix @ x), (lambda y: matrix.T @ y)
    return op


def vector(entries: Array, error: float = 0.0) -> Operator:
    """The map from R to R^n of a vector, shape (n,)."""
    return dense(np.reshape(entries, (-1, 1)), error=error)


def identity(dim: int) -> Operator:
    """The identity of R^dim."""
    new = Operator((dim, dim), lambda x: x, lambda y: y, 1.0, selects=True)
    new.unit = True
    return new


def zero(rows: int, cols: int) -> Operator:
    """The zero map."""
    return Operator(
        (rows, cols),
        lambda x: np.zeros((rows, x.shape[1])),
        lambda y: np.zeros((cols, y.shape[1])),
        0.0,
        selects=True,
    )


def selection(start: int, stop: int, dim: int) -> Operator:
    """The projection of R^dim onto the coordinates start, ..., stop - 1."""

    def embed(y: Array) -> Array:
        out = np.zeros((dim, y.shape[1]))
        out[start:stop] = y
        return out

    return Operator((stop - start, dim), lambda x: x[start:stop], embed, 1.0, selects=True)


def diagonal(of: Operator) -> Operator:
    """The diagonal matrix of a vector."""
    entries = of.form()
    size = float(np.max(np.abs(entries), initial=0.0))

    def act(x: Array) -> Array:
        return entries * x

    return Operator((len(entries), len(entries)), act, act, size, of.error, sparse=True)


def scaled(factor: Measured, op: Operator) -> Operator:
    """A number times a map."""
    size = factor * Measured(op.size, op.error)
    new = _multiple(factor.value, op)
    new.size, new.error = size.value, size.error
    return new


def negative(op: Operator) -> Operator:
    """Minus a map."""
    return _multiple(-1.0, op)


def _multiple(factor: float, op: Operator) -> Operator:
    new = Operator(
        op.shape,
        lambda x: factor * (op @ x),
        lambda y: factor * op.adjoint(y),
        abs(factor) * op.size,
        abs(factor) * op.error,
        sparse=op.sparse,
    )
    new.multiple = (factor, op)
    return new


def added(ops: Sequence[Operator]) -> Operator:
    """The sum of maps between the same spaces."""
    size = reduce(lambda a, b: a + b, (Measured(o.size, o.error) for o in ops))

    def act(x: Array) -> Array:
        return reduce(np.add, (o @ x for o in ops))

    def adjoint(y: Array) -> Array:
        return reduce(np.add, (o.adjoint(y) for o in ops))

    return Operator(ops[0].shape, act, adjoint, size.value, size.error)


def composed(ops: Sequence[Operator]) -> Operator:
    """The product of maps, the last one acting first."""
    return reduce(_pair, reversed(ops))


def _pair(right: Operator, left: Operator) -> Operator:
    """``left right``; formed when both factors and the product are small enough."""
    rows, inner, cols = left.shape[0], left.shape[1], right.shape[1]
    size = Measured(left.size, left.error) * Measured(right.size, right.error)
    if not (left.selects or right.selects):
        plain = not (left.sparse or right.sparse)
        loss = matrix_product_rounding(rows, inner, cols) if plain else 0.0
        size = size.widened(loss * left.size * right.size)
    sparse = left.sparse and right.sparse
    if left.array is not None and right.array is not None and rows * cols <= LARGE:
        new = dense(left.array @ right.array, size.value, size.error)
        new.sparse = sparse
        return new
    new = Operator(
        (rows, cols),
        lambda x: left @ (right @ x),
        lambda y: right.adjoint(left.adjoint(y)),
        size.value,
        size.error,
        sparse=sparse,
        selects=left.selects and right.selects,
    )
    new.parts = (left, right)
    return new


def kron(left: Operator, right: Operator) -> Operator:
    """The Kronecker product, applied as ``(A (x) B) vec(V) = vec(A V B')`` with rows stacked."""
    (r1, c1), (r2, c2) = left.shape, right.shape
    size = Measured(left.size, left.error) * Measured(right.size, right.error)

    def act(x: Array) -> Array:
        return _second(right.__matmul__, right, _first(left.__matmul__, left, x, c1), (r1, c2))

    def adjoint(y: Array) -> Array:
        return _second(right.adjoint, right, _first(left.adjoint, left, y, r1), (c1, r2))

    return Operator(
        (r1 * r2, c1 * c2),
        act,
        adjoint,
        size.value,
        size.error,
        sparse=left.sparse and right.sparse,
        selects=left.selects and right.selects,
    )


def _first(action: Action, op: Operator, columns: Array, dim: int) -> Array:
    """``A (x) I`` on columns of stacked rows, A mapping from R^dim."""
    if op.unit:
        return columns
    count = columns.shape[1]
    return action(columns.reshape(dim, -1)).reshape(-1, count)


def _second(action: Action, op: Operator, columns: Array, inner: tuple[int, int]) -> Array:
    """``I (x) B`` on columns of stacked rows, from R^inner[0] (x) R^inner[1]."""
    if op.unit:
        return columns
    count = columns.shape[1]
    cube = columns.reshape(*inner, count).transpose(1, 0, 2)
    out = action(cube.reshape(inner[1], -1)).reshape(-1, inner[0], count)
    return out.transpose(1, 0, 2).reshape(-1, count)


def contracted(weights: Operator, tensor: Operator, left: int, right: int) -> Operator:
    """The matrix ``sum_k u_k T_k`` of a vector u and a map T from R^left (x) R^right.

    Shape (left, right).
    """
    matrix = tensor.adjoint(weights.form()).reshape(left, right)
    size = Measured(weights.size, weights.error) * Measured(tensor.size, tensor.error)
    loss = matrix_product_rounding(1, weights.shape[0], left * right)
    return dense(matrix, size.value, size.error + loss * size.value)


def row_by_row(
    shape: tuple[int, int],
    act: Callable[[Array], Any],
    adjoint: Callable[[Array], Any],
    size: float,
    error: float,
) -> Operator:
    """A map known by its action on one vector at a time, such as a derivative."""
    return Operator(shape, _by_column(act, shape[0]), _by_column(adjoint, shape[1]), size, error)


def _by_column(action: Callable[[Array], Any], rows: int) -> Action:
    def apply(columns: Array) -> Array:
        out = np.empty((rows, columns.shape[1]))
        for j in range(columns.shape[1]):
            out[:, j] = action(np.ascontiguousarray(columns[:, j]))
        return out

    return apply
