"""Convolutions in one and two dimensions, average pooling, flattening."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final

import sympy

from theory.graph import BilinearRule, LinearRule, Shape, Size
from theory.networks.base import (
    MISSING_WIDTH,
    Builder,
    Layer,
    NetworkError,
    Width,
    checked_width,
    product,
    shown,
    whole,
)

PADDINGS: Final = ("circular", "same", "valid")


@dataclass(frozen=True)
class ConvRule(BilinearRule):
    r"""A convolution: every patch of the parent's value, as a column, times the same weights.

    With c_in channels and a kernel of k positions W has the shape (channels, c_in k), and

        alpha^n[o, p] = sum_{c, j} W[o, (c, j)] alpha^p[c, p stride + j - offset] / sqrt(c_in k).

    Attributes:
        channels: of the node's value, the width of the layer.
        before: the shape of the parent's value, (channels, positions...).
        kernel: positions of the kernel along each axis.
        stride: along each axis.
        padding: ``circular``: indices modulo the length; ``same``: zeros around, ceil(length /
            stride) patches, one zero more at the end where their number is odd; ``valid``: only
            patches that fit.
    """

    channels: Size
    before: Shape
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: str

    @property
    def tables(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """For each axis which position patch p has at place j of the kernel, -1 for a zero."""
        sizes = zip(self.before[1:], self.kernel, self.stride, strict=True)
        return tuple(positions(int(n), k, s, self.padding) for n, k, s in sizes)

    @property
    def shape(self) -> Shape:
        """(channels, patches along each axis...)."""
        sizes = zip(self.before[1:], self.kernel, self.stride, strict=True)
        return (self.channels, *(patches(int(n), k, s, self.padding) for n, k, s in sizes))

    @property
    def weight_shape(self) -> tuple[Size, Size]:
        """(channels, c_in k)."""
        return self.channels, product((self.before[0], *self.kernel))

    @property
    def scale(self) -> sympy.Expr:
        """1/sqrt(c_in k)."""
        return 1 / sympy.sqrt(self.weight_shape[1])

    @property
    def overlap(self) -> int:
        """N, the largest number of patches that one position of the parent's value is in."""
        most = 1
        for table in self.tables:
            counts = Counter(p for row in table for p in row if p >= 0)
            most *= max(counts.values())
        return most

    @property
    def contraction(self) -> sympy.Expr:
        r"""sqrt(N/(c_in k)), N the largest number of patches that one position is in.

        Derivation.  Let X be the matrix of patches of a, one column each, and C that of c.  Then
        ``c . z(V, a) = <V, C X^T>/sqrt(c_in k)``, and

            |C X^T|_F <= |C|_F |X|_F,   |X|_F^2 = sum_positions (patches it is in) |a|^2 <= N |a|^2.

        Circular with stride 1: N = k, so tau = 1/sqrt(c_in), which is attained: for a constant
        along positions all columns of X are equal, X = u 1^T, and |C X^T|_F = |C|_F |X|_F for
        C = e 1^T.  Patches that do not overlap (stride at least the kernel): N = 1, attained by a
        and c on one patch.  With zeros at the ends the constant is in general not attained.
        """
        return sympy.sqrt(self.overlap) * self.scale

    def columns(self, xp: Any, value: Any) -> Any:
        """The patches as columns, shape (c_in k, patches)."""
        import numpy as np

        spatial = [int(n) for n in self.before[1:]]
        index = np.zeros((1, 1), np.int64)
        inside = np.ones((1, 1), bool)
        for length, table in zip(spatial, self.tables, strict=True):
            place = np.array(table)
            index = _outer(index * length, np.maximum(place, 0), np.add)
            inside = _outer(inside, place >= 0, np.logical_and)
        flat = xp.reshape(value, (value.shape[0], math.prod(spatial)))
        patches = flat[:, index]  # (c_in, k, patches)
        if not inside.all():
            patches = patches * xp.asarray(inside, dtype=value.dtype)
        return xp.reshape(patches, (-1, index.shape[1]))


def _outer(left: Any, right: Any, combine: Any) -> Any:
    """Tables (k, out) of two axes as one of both, (k k', out out')."""
    both = combine(left[:, None, :, None], right[None, :, None, :])
    return both.reshape(left.shape[0] * right.shape[0], left.shape[1] * right.shape[1])


def patches(length: int, kernel: int, stride: int, padding: str) -> int:
    """How many patches there are along one axis; see `positions`."""
    return (length - kernel) // stride + 1 if padding == "valid" else -(-length // stride)


@lru_cache(maxsize=256)
def positions(length: int, kernel: int, stride: int, padding: str) -> tuple[tuple[int, ...], ...]:
    """Which position each place of the kernel sees in each patch, along one axis.

    Args:
        length: number of positions.
        kernel: number of places.
        stride: between patches.
        padding: ``circular``, ``same`` or ``valid``.

    Returns:
        A table [place][patch] of positions; -1 stands for a zero beyond an end.
    """
    count = patches(length, kernel, stride, padding)
    start = 0
    if padding == "same":
        start = -(max((count - 1) * stride + kernel - length, 0) // 2)
    elif padding == "circular":
        start = -((kernel - 1) // 2)
    seen = [[start + p * stride + j for p in range(count)] for j in range(kernel)]
    if padding == "circular":
        return tuple(tuple(i % length for i in row) for row in seen)
    return tuple(tuple(i if 0 <= i < length else -1 for i in row) for row in seen)


@dataclass(frozen=True, init=False, repr=False)
class Conv(Layer, kind="conv"):
    """A convolution over one or two axes, its weights independent N(0, 1), no biases.

    Args:
        channels: the width of the layer: a number, a symbol, or a power of one.
        kernel: positions along each axis; a number is taken for every axis.
        stride: between patches; a number is taken for every axis.
        padding: ``"circular"``, ``"same"`` or ``"valid"``; see :class:`ConvRule`.

    Raises:
        NetworkError: an argument makes no sense.
    """

    channels: Width
    kernel: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: str = "circular"
    sizes: ClassVar[tuple[str, ...]] = ("channels",)

    def __init__(
        self,
        channels: Any = MISSING_WIDTH,
        kernel: Any = None,
        stride: Any = 1,
        padding: str = "circular",
    ) -> None:
        checked = checked_width(channels, layer="Conv", key="channels")
        object.__setattr__(self, "channels", checked)
        object.__setattr__(self, "kernel", _extent(kernel, layer="Conv", key="kernel"))
        object.__setattr__(self, "stride", _extent(stride, layer="Conv", key="stride"))
        if padding not in PADDINGS:
            msg = f"Conv(padding=...) is one of {', '.join(PADDINGS)}, not {padding!r}"
            raise NetworkError(msg, key="padding")
        object.__setattr__(self, "padding", padding)

    def lower(self, builder: Builder, parent: int) -> int:
        """One node with weights."""
        before = _spatial(builder, parent, repr(self))
        axes = len(before) - 1
        kernel = _per_axis(self.kernel, axes, repr(self), "kernel")
        stride = _per_axis(self.stride, axes, repr(self), "stride")
        for n, k, s in zip(before[1:], kernel, stride, strict=True):
            if k > int(n):
                msg = f"{self!r}: the kernel has {k} positions, and the value before it {n}"
                raise NetworkError(msg, key="kernel")
            if self.padding == "circular" and int(n) % s:
                msg = (
                    f"{self!r}: the stride {s} does not divide the {n} positions, which circular "
                    "padding needs; use padding='same' or 'valid'"
                )
                raise NetworkError(msg, key="stride")
        rule = ConvRule(self.channels, before, kernel, stride, self.padding)
        return builder.add(rule, parent, label=repr(self))

    def __repr__(self) -> str:
        stride = "" if self.stride == 1 else f", stride={self.stride}"
        return f"Conv({self.channels}, {self.kernel}{stride}, padding={self.padding!r})"


@dataclass(frozen=True)
class PoolRule(LinearRule):
    """The mean over windows that do not overlap.

    Attributes:
        before: the shape of the parent's value, (channels, positions...).
        window: positions along each axis, which divide those of the value.
        squeezed: whether one mean is taken over everything, and the value is (channels,).
    """

    before: Shape
    window: tuple[int, ...]
    squeezed: bool

    @property
    def shape(self) -> Shape:
        """(channels, windows...), or (channels,)."""
        if self.squeezed:
            return (self.before[0],)
        windows = (int(n) // w for n, w in zip(self.before[1:], self.window, strict=True))
        return (self.before[0], *windows)

    @property
    def norms(self) -> tuple[sympy.Expr, ...]:
        """1/sqrt(w), exactly: rows with w entries 1/w, and no two rows meet in a column."""
        return (1 / sympy.sqrt(math.prod(self.window)),)

    def apply(self, xp: Any, *values: Any) -> Any:
        """The means."""
        (value,) = values
        parts = [(int(n) // w, w) for n, w in zip(self.before[1:], self.window, strict=True)]
        split = xp.reshape(value, (value.shape[0], *itertools.chain(*parts)))
        means = split.mean(axis=tuple(range(2, 2 * len(parts) + 1, 2)))
        return xp.reshape(means, (value.shape[0],)) if self.squeezed else means


@dataclass(frozen=True, init=False, repr=False)
class AveragePool(Layer, kind="average_pool"):
    """The mean over windows that do not overlap, or over all positions.

    Args:
        window: positions along each axis, a number for every axis; None: all, which leaves a
            vector of channels.

    Raises:
        NetworkError: the window makes no sense.
    """

    window: int | tuple[int, ...] | None = None

    def __init__(self, window: Any = None) -> None:
        if window is not None:
            window = _extent(window, layer="AveragePool", key="window")
        object.__setattr__(self, "window", window)

    def lower(self, builder: Builder, parent: int) -> int:
        """One fixed linear node."""
        before = _spatial(builder, parent, repr(self))
        sizes = tuple(int(n) for n in before[1:])
        whole_value = self.window is None
        window = (
            sizes
            if self.window is None
            else _per_axis(self.window, len(sizes), repr(self), "window")
        )
        for n, w in zip(sizes, window, strict=True):
            if n % w:
                msg = f"{self!r}: windows of {w} do not fill the {n} positions before it"
                raise NetworkError(msg, key="window")
        return builder.add(PoolRule(before, window, whole_value), parent, label=repr(self))

    def __repr__(self) -> str:
        return f"AveragePool({'' if self.window is None else self.window})"


@dataclass(frozen=True)
class ReshapeRule(LinearRule):
    """The same entries as a vector.

    Attributes:
        length: of the vector.
    """

    length: Size

    @property
    def shape(self) -> Shape:
        """(length,)."""
        return (self.length,)

    @property
    def norms(self) -> tuple[sympy.Expr, ...]:
        """1: an isometry."""
        return (sympy.Integer(1),)

    def apply(self, xp: Any, *values: Any) -> Any:
        """The entries in C order."""
        return xp.reshape(values[0], (-1,))


@dataclass(frozen=True)
class Flatten(Layer, kind="flatten"):
    """All entries as one vector, channel by channel."""

    def lower(self, builder: Builder, parent: int) -> int:
        """One fixed linear node; none where the value is a vector already."""
        shape = builder.shape(parent)
        if len(shape) == 1:
            return parent
        return builder.add(ReshapeRule(product(shape)), parent, label=repr(self))


def _extent(value: Any, *, layer: str, key: str) -> int | tuple[int, ...]:
    if isinstance(value, tuple) and 1 <= len(value) <= 2:
        return tuple(whole(v, 1, layer=layer, key=key) for v in value)
    return whole(value, 1, layer=layer, key=key)


def _per_axis(value: int | tuple[int, ...], axes: int, layer: str, key: str) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        msg = f"{layer}: {key} {value} is for {len(value)} axes, and the value has {axes}"
        raise NetworkError(msg, key=key)
    return value


def _spatial(builder: Builder, parent: int, layer: str) -> Shape:
    """The shape of a value with channels and one or two axes of known length."""
    shape = builder.shape(parent)
    if len(shape) < 2:
        msg = (
            f"{layer} takes channels and positions, and what comes before it has the shape "
            f"{shown(shape)}: start with Input((channels, length)) or Input((channels, h, w))"
        )
        raise NetworkError(msg)
    if not all(isinstance(n, int) for n in shape[1:]):
        msg = (
            f"{layer}: the value before it has the shape {shown(shape)}; the channels may be a "
            "symbol, but the numbers of positions must be numbers"
        )
        raise NetworkError(msg)
    return shape


__all__ = ["AveragePool", "Conv", "ConvRule", "Flatten", "PoolRule", "ReshapeRule", "positions"]
