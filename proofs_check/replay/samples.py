"""Terms as numbers and small random matrices, to test equations of a proof by trying them.

Every symbol stands for something random but fixed: a layer for a space of two or three dimensions,
a weight for a Gaussian matrix, a norm for the norm, an activation for a shifted sine, a derivative
for some continuous function of what is differentiated.  An equation by rearrangement holds in every
such world, so that one world where the two sides differ refutes it.  Agreement proves nothing; for
an identity of rational functions it is false agreement only by chance of measure zero.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proofs_check.replay.binding import brief, free
from theory.terms import Term, make

Array = NDArray[np.float64]
LARGEST_SPACE = 400
LONGEST_SUM = 60
TOLERANCE = 1e-8


class SampleError(ValueError):
    """A term that has no value in this small world, such as one with a space too large."""


class World:
    """One choice of what all symbols stand for.

    Attributes:
        seed: of all choices.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._values: dict[tuple[Any, ...], Any] = {}
        self._indices: dict[Term, int] = {}

    # -- layer indices and spaces -----------------------------------------------------------------

    def index(self, term: Any, bound: dict[Term, int]) -> int:
        """The number that a layer index stands for."""
        if type(term) is int:
            return term
        variable = make("index", term.args[0], 0)
        if variable not in bound and variable not in self._indices:
            self._indices[variable] = 3 + len(self._indices)
        value = bound.get(variable, self._indices.get(variable, 0)) + int(term.args[1])
        if value < 0:
            msg = f"{brief(term)} is a negative layer here"
            raise SampleError(msg)
        return value

    def dimension(self, space: Term, bound: dict[Term, int]) -> int:
        """The dimension of a space."""
        match space.head:
            case "scalar":
                return 1
            case "params":
                return 4
            case "layer" | "part":
                return 2 + self.index(space.args[0], bound) % 2
            case "tensor":
                left, right = (self.dimension(s, bound) for s in space.args)
                if left * right > LARGEST_SPACE:
                    msg = f"{brief(space)} is too large to try"
                    raise SampleError(msg)
                return left * right
        return 2 + self._hash("space", space.args[0]) % 2

    def _hash(self, *what: Any) -> int:
        return zlib.crc32(repr((self.seed, what)).encode())

    def _random(self, *what: Any) -> np.random.Generator:
        return np.random.default_rng(self._hash(*what))

    # -- values -----------------------------------------------------------------------------------

    def value(self, term: Term, bound: dict[Term, int] | None = None) -> Any:
        """The number of a real term or the matrix of an operator term.

        Raises:
            SampleError: when it has none here.
        """
        bound = bound or {}
        used = free(term) & bound.keys()
        key = (term, *sorted((v.args[0], bound[v]) for v in used))
        if key not in self._values:
            worth = self._real if term.sort == "real" else self._operator
            with np.errstate(all="ignore"):
                self._values[key] = worth(term, bound)
        return self._values[key]

    def _real(self, term: Term, bound: dict[Term, int]) -> float:
        args = term.args
        match term.head:
            case "rat":
                return float(args[0])
            case "dim":
                return float(self.dimension(args[0], bound))
            case "sym" | "var":
                return float(self._random("real", *self._tags(args, bound)).uniform(0.3, 2.0))
            case "pow":
                return float(self.value(args[0], bound) ** float(args[1]))
            case "norm":
                return _norm(args[0], self.value(args[1], bound))
            case "rsum" | "rmax":
                return self._over_indices(term, bound)
        values = [self.value(a, bound) for a in args if isinstance(a, Term)]
        match term.head:
            case "add":
                return float(sum(values))
            case "mul":
                return float(np.prod(values))
            case "max":
                return float(max(values))
            case "min":
                return float(min(values))
            case "tail" | "quantile":
                return float(np.abs(np.log(values[0])) + len(term.head))
            case "rms":
                turned = self.index(args[0], bound) + args[1]
                return float(2.0 + np.sin(values[0] + turned))
            case "specnorm":
                return _norm("2", np.reshape(values, (args[0], args[0])))
        msg = f"{brief(term)} is no real"
        raise SampleError(msg)

    def _tags(self, args: tuple[Any, ...], bound: dict[Term, int]) -> tuple[Any, ...]:
        """Tags with their indices as numbers, spaces as dimensions."""
        found: list[Any] = []
        for a in args:
            if type(a) is int or getattr(a, "sort", "") == "index":
                found.append(self.index(a, bound))
            elif isinstance(a, Term) and a.sort == "space":
                found.append(("dim", self.dimension(a, bound)))
            else:
                found.append(str(a))
        return tuple(found)

    def _operator(self, term: Term, bound: dict[Term, int]) -> Array:
        args = term.args
        shape = (self.dimension(term.rows, bound), self.dimension(term.cols, bound))
        match term.head:
            case "op" | "var":
                return self._random("op", *self._tags(args, bound)).normal(size=shape)
            case "id":
                return np.eye(shape[0])
            case "zero":
                return np.zeros(shape)
            case "act":
                shift = 0.3 * self.index(args[0], bound)
                turned = self.value(args[2], bound) + shift + args[1] * np.pi / 2
                return np.asarray(np.sin(turned))
            case "jac":
                return self._wave(args[0], args[1], shape, bound)
            case "hess":
                return self._bend(args, bound)
            case "osum":
                return self._sum(term, shape, bound)
        values = [self.value(a, bound) for a in args]
        return np.asarray(_join(term.head, values, shape))

    def _wave(self, what: Term, point: Term, shape: tuple[int, int], bound: Any) -> Array:
        """Some continuous function of a vector, in place of its Jacobian."""
        random = self._random("jac", str(point))
        weights, phases = random.normal(size=(1, shape[1])), random.normal(size=(1, shape[1]))
        return np.asarray(np.sin(self.value(what, bound) * weights + phases))

    def _bend(self, args: tuple[Any, ...], bound: dict[Term, int]) -> Array:
        """Some symmetric continuous function of a vector, linear in the coefficients."""
        coefficients, what, point = args
        random = self._random("hess", str(point))
        weights = random.normal(size=(4, 4))
        inner = self.value(what, bound)[:, :1, None] * (weights + weights.T)[None]
        return np.asarray(
            np.einsum("k,kij->ij", self.value(coefficients, bound)[:, 0], np.sin(inner))
        )

    def _sum(self, term: Term, shape: tuple[int, int], bound: dict[Term, int]) -> Array:
        total = np.zeros(shape)
        for value in self._each(term, bound):
            total = total + value
        return total

    def _over_indices(self, term: Term, bound: dict[Term, int]) -> float:
        """A sum or maximum of reals over an index, 0 over no index at all."""
        values = self._each(term, bound)
        return float(sum(values) if term.head == "rsum" else max(values, default=0.0))

    def _each(self, term: Term, bound: dict[Term, int]) -> list[Any]:
        name, low, high, body = term.args
        first, last = self.index(low, bound), self.index(high, bound)
        if last - first > LONGEST_SUM:
            msg = f"{brief(term)} has too many summands to try"
            raise SampleError(msg)
        variable = make("index", name, 0)
        return [self.value(body, {**bound, variable: i}) for i in range(first, last + 1)]

    # -- equations --------------------------------------------------------------------------------

    def agree(self, left: Term, right: Term) -> bool | None:
        """Whether two terms have the same value here, up to rounding; None where they have none."""
        try:
            a, b = np.asarray(self.value(left)), np.asarray(self.value(right))
        except (SampleError, MemoryError, RecursionError, OverflowError, ZeroDivisionError):
            return None
        if a.shape != b.shape:
            return False
        scale = max(float(np.max(np.abs(a), initial=0)), float(np.max(np.abs(b), initial=0)))
        if not np.isfinite(scale):
            return None
        return bool(np.max(np.abs(a - b), initial=0) <= TOLERANCE * (1.0 + scale))


def _norm(kind: str, matrix: Array) -> float:
    match kind:
        case "2":
            return float(np.linalg.norm(matrix, 2))
        case "inf":
            return float(np.max(np.abs(matrix)))
        case "1":
            return float(np.sum(np.abs(matrix)))
        case "2inf":
            return float(np.sqrt(np.max(np.sum(matrix * matrix, axis=1))))
    return float(np.sum(np.abs(matrix) ** 1.5))  # some function in place of the (2,2,1)-norm


def _join(head: str, values: list[Any], shape: tuple[int, int]) -> Any:
    match head:
        case "T":
            return values[0].T
        case "dot":
            return np.linalg.multi_dot(values)
        case "plus":
            return sum(values[1:], values[0])
        case "neg":
            return -values[0]
        case "scale":
            return values[0] * values[1]
        case "diag":
            return np.diag(values[0][:, 0])
        case "kron":
            return np.kron(values[0], values[1])
        case "contract":
            return np.einsum("k,kj->j", values[0][:, 0], values[1]).reshape(shape)
    msg = f"no operator is called {head}"
    raise SampleError(msg)
