"""Norms of products of weights, slopes and curvatures, measured whole and without forming them.

As in `theory.vocabulary`: N_{l,k} is the norm of D^l dz^l/dz^k, and C_{k,l} that of
(dz^l/dz^k)' S_l with S_l = d^2 f/(dz^l)^2, that is S_L = diag(sigma'' delta) and
S_l = diag(sigma'' delta) + T' S_{l+1} T, T = W^{l+1} D^l / sqrt(m_l). One product with S_l costs
two products with each weight matrix above layer l. For l > k, n_{l,k} is the norm of dz^l/dz^k and
b_{l,k} that of diag(sigma'' delta) dz^l/dz^k; w_{l,k} is the largest row of dz^l/dz^k.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from numerics.activations import host_derivatives
from numerics.certificates import a_posteriori_bound
from numerics.krylov import ritz_pairs
from numerics.models import Model, Params, check_params, trace
from numerics.tolerances import Numbers, gamma, spectrum

__all__ = ["Enclosure", "Map", "Products", "gram_norm", "norm_of", "products"]

DENSE_ORDER = 512  # up to here all singular values of a matrix cost less than a Lanczos run
DENSE_PRODUCT = 2048  # the same for a product, which Lanczos multiplies out many hundred times
NAMES = ("N", "C", "n", "b")
ROWS = 512  # of a product that is formed, at a time
LANCZOS_STEPS = 500
LANCZOS_TOLERANCE = 1e-10  # of the residual; the value's own error is of the order of its square
FAILURE_PROBABILITY = 1e-9

Matrix = Float[np.ndarray, "_ _"]
Vector = Float[np.ndarray, " _"]


class Enclosure(NamedTuple):
    """``lower <= quantity <= upper``; the upper end allows for rounding, the lower one does not."""

    lower: float
    upper: float


class Map(NamedTuple):
    """A linear map, known by its products with the columns of an array.

    Attributes:
        shape: (rows, cols).
        act: the product with an array of shape (cols, n).
        adjoint: the product of the transpose with an array of shape (rows, n).
        error: bound on the spectral norm of the rounding error of one such product.
        relative: the part of that error that is relative to the norm of the map itself.
    """

    shape: tuple[int, int]
    act: Callable[[Matrix], Matrix]
    adjoint: Callable[[Matrix], Matrix]
    error: float = 0.0
    relative: float = 0.0


def norm_of(linear: Map, dense_order: int = DENSE_ORDER) -> Enclosure:
    """The spectral norm of a linear map, the lower side sharp.

    Args:
        linear: the map; its entries should be neither so large nor so small that squares overflow.
        dense_order: smaller dimension up to which its matrix is formed.

    Returns:
        Up to that dimension: the norm from all eigenvalues of the smaller Gram matrix as computed,
        and above it that norm plus all errors. Beyond: the lower end is a Rayleigh quotient at
        Lanczos convergence, in practice exact to rounding; the upper end holds with probability
        1 - 1e-9 over the random start (`numerics.certificates`).
    """
    rows, cols = linear.shape
    if rows > cols:
        linear = linear._replace(shape=(cols, rows), act=linear.adjoint, adjoint=linear.act)
    return _dense(linear) if min(rows, cols) <= dense_order else _lanczos(linear)


def _dense(linear: Map) -> Enclosure:
    rows, cols = linear.shape
    matrix = linear.adjoint(np.eye(rows)).T
    if not np.all(np.isfinite(matrix)):
        return Enclosure(math.inf, math.inf)
    largest = float(np.max(np.abs(matrix), initial=0.0))
    if largest == 0.0:
        return Enclosure(0.0, linear.error)
    gram = (matrix / largest) @ (matrix / largest).T
    norm = largest * math.sqrt(float(np.linalg.eigvalsh(gram)[-1]))
    loss = linear.error + linear.relative * norm
    return Enclosure(norm, norm + spectrum(cols).margin(norm) + loss)


def _lanczos(linear: Map) -> Enclosure:
    return gram_norm(
        lambda vector: linear.act(linear.adjoint(vector[:, None]))[:, 0],
        linear.shape[0],
        linear.error,
        linear.relative,
    )


def gram_norm(
    gram: Callable[[Vector], Vector], order: int, error: float = 0.0, relative: float = 0.0
) -> Enclosure:
    """The spectral norm of a linear map A by Lanczos on A A' or A' A.

    Args:
        gram: the product of one of these with a vector of shape (order,).
        order: of that matrix.
        error: bound on the spectral norm of the rounding error of one product with A or A'.
        relative: the part of that error that is relative to the norm of A itself.

    Returns:
        A Rayleigh quotient, and an upper end that holds with probability 1 - 1e-9 over the random
        start (`numerics.certificates`).

    Raises:
        SpectralError: a product is not finite.
    """
    pairs = ritz_pairs(
        gram,
        np.random.default_rng(order).standard_normal((order,)),
        steps=LANCZOS_STEPS,
        tolerance=LANCZOS_TOLERANCE,
    )
    top = max(float(pairs.values[-1]), 0.0)
    value = math.sqrt(top)
    loss = error + relative * value
    rounding = (2 * value + loss) * loss
    upper = a_posteriori_bound(pairs.run, top, order, FAILURE_PROBABILITY, rounding)
    return Enclosure(value, math.sqrt(upper))


@dataclass(frozen=True, eq=False)
class Products:
    """The maps between the layers of one network at one input.

    Attributes:
        weights: W^1, ..., W^L, shapes (m_l, m_{l-1}).
        slopes: sigma'(z^l), shapes (m_l,).
        bends: sigma''(z^l) delta^l, shapes (m_l,).
    """

    weights: tuple[Matrix, ...]
    slopes: tuple[Vector, ...]
    bends: tuple[Vector, ...]

    @property
    def depth(self) -> int:
        """The number of hidden layers."""
        return len(self.weights)

    def step(self, index: int, columns: Matrix) -> Matrix:
        """``W^l D^{l-1} / sqrt(m_{l-1})`` times the columns."""
        matrix = self.weights[index - 1]
        sloped = self.slopes[index - 2][:, None] * columns
        found: Matrix = matrix @ sloped / math.sqrt(matrix.shape[1])
        return found

    def back(self, index: int, columns: Matrix) -> Matrix:
        """The transpose of `step`."""
        matrix = self.weights[index - 1]
        found: Matrix = self.slopes[index - 2][:, None] * (matrix.T @ columns)
        return found / math.sqrt(matrix.shape[1])

    def curved(self, index: int, columns: Matrix) -> Matrix:
        """``S_l`` times the columns: the curvature of the output by z^l."""
        found: Matrix = self.bends[index - 1][:, None] * columns
        if index == self.depth:
            return found
        above = self.curved(index + 1, self.step(index + 1, columns))
        return found + self.back(index + 1, above)

    def check(self, name: str, row: int, col: int) -> None:
        """Refuse a norm that is not measured.

        Raises:
            KeyError: another name, or layers that do not fit.
        """
        above, least = (col - row, 0) if name == "C" else (row - col, int(name != "N"))
        if name not in NAMES or min(row, col) < 1 or above < least or max(row, col) > self.depth:
            msg = (
                f"{name}_({row},{col}) is not measured; N for l >= k, n and b for l > k, "
                "C for k <= l"
            )
            raise KeyError(msg)

    def map(self, name: str, row: int, col: int) -> Map:
        """N of (l, k), l >= k, n or b of (l, k), l > k, or C of (k, l), k <= l.

        Raises:
            KeyError: another name, or layers that do not fit.
        """
        self.check(name, row, col)
        low, high = min(row, col), max(row, col)
        sizes = [len(s) for s in self.slopes]

        def up(columns: Matrix) -> Matrix:
            for index in range(low + 1, high + 1):
                columns = self.step(index, columns)
            return columns

        def down(columns: Matrix) -> Matrix:
            for index in range(high, low, -1):
                columns = self.back(index, columns)
            return columns

        shape = (sizes[row - 1], sizes[col - 1])
        error = gamma(4 * sum(sizes)) * self._size(name, low, high)
        if name == "n":
            return Map(shape, up, down, error)
        if name != "C":
            factor = (self.slopes if name == "N" else self.bends)[high - 1][:, None]
            return Map(shape, lambda x: factor * up(x), lambda y: down(factor * y), error)
        return Map(
            shape, lambda x: down(self.curved(high, x)), lambda y: self.curved(high, up(y)), error
        )

    def _size(self, name: str, low: int, high: int) -> float:
        """The product of the factors' norms, which rounding errors are relative to."""
        between = math.prod(self._strengths[low:high])
        if name == "n":
            return between
        if name != "C":
            factor = (self.slopes if name == "N" else self.bends)[high - 1]
            return between * float(np.max(np.abs(factor)))
        size = 0.0
        for index in range(self.depth, high - 1, -1):
            above = self._strengths[index] ** 2 * size if index < self.depth else 0.0
            size = float(np.max(np.abs(self.bends[index - 1]))) + above
        return between * size

    @cached_property
    def _strengths(self) -> list[float]:
        """Norms of W^l D^{l-1} / sqrt(m_{l-1}), l = 2, ..., L; 0 for the first."""
        found = [0.0]
        for index, matrix in enumerate(self.weights[1:], start=2):
            found.append(norm_of(self._step_map(index, matrix.shape)).upper)
        return found

    def _step_map(self, index: int, shape: tuple[int, int]) -> Map:
        rounding = gamma(sum(shape))
        return Map(
            shape, lambda x: self.step(index, x), lambda y: self.back(index, y), 0.0, rounding
        )

    def norm(self, name: str, row: int, col: int) -> Enclosure:
        """The norm of `map`, both sides; that of a diagonal one is its largest entry.

        For ``w`` the largest row of dz^l/dz^k.

        Raises:
            KeyError: another name, or layers that do not fit.
        """
        if name == "w":
            return self._largest_row(row, col)
        self.check(name, row, col)
        if row == col and (name == "N" or row == self.depth):
            entries = self.slopes[row - 1] if name == "N" else self.bends[row - 1]
            largest = float(np.max(np.abs(entries)))
            return Enclosure(largest, largest)
        curved = name in ("C", "b")
        unit = float(np.max([np.max(np.abs(b)) for b in self.bends])) if curved else 1.0
        if not (math.isfinite(unit) and unit > 0):
            return Enclosure(unit, unit)
        scaled = Products(self.weights, self.slopes, tuple(b / unit for b in self.bends))
        scaled.__dict__["_strengths"] = self._strengths
        sides = norm_of(scaled.map(name, row, col), DENSE_PRODUCT)
        return Enclosure(unit * sides.lower, unit * sides.upper)

    def _largest_row(self, row: int, col: int) -> Enclosure:
        """The largest Euclidean norm of a row of dz^l/dz^k, with the rounding of forming it."""
        linear = self.map("n", row, col)
        rows, cols = linear.shape
        largest = 0.0
        for start in range(0, rows, ROWS):
            chosen = np.eye(rows, min(ROWS, rows - start), -start)
            largest = max(largest, float(np.max(np.linalg.norm(linear.adjoint(chosen), axis=0))))
        error = linear.error + gamma(cols + 4) * largest
        return Enclosure(max(0.0, largest - error), largest + error)


def products(model: Model, x: Numbers, params: Params | None = None) -> Products:
    """The maps between the layers of a network at one input.

    Args:
        model: the network.
        x: one input, shape (d,).
        params: where; None means `model.params`.

    Raises:
        ValueError: x or a parameter has the wrong shape.
    """
    params = check_params(model, params)
    passes = trace(model, x, params)
    slopes, bends = [], []
    for z, delta, activation in zip(passes.z, passes.delta, model.net.activations, strict=True):
        _, slope, bend = host_derivatives(activation, np.asarray(z), 2)
        slopes.append(slope)
        bends.append(bend * np.asarray(delta))
    matrices = tuple(np.asarray(w, np.float64) for w in params["W"])
    return Products(matrices, tuple(slopes), tuple(bends))
