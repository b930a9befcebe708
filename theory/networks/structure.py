"""Layers made of layers: chains, skip connections, concatenation; and dropout masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy

from theory.graph import LinearRule, Shape, Size
from theory.networks.base import Builder, Layer, NetworkError, exact, shown, tidy, whole


@dataclass(frozen=True)
class SumRule(LinearRule):
    """``sum_j c_j alpha^{p_j}`` for parents of one shape.

    Attributes:
        sizes: that shape.
        coefficients: the c_j.
    """

    sizes: Shape
    coefficients: tuple[sympy.Expr, ...]

    @property
    def shape(self) -> Shape:
        """The shape of every parent."""
        return self.sizes

    @property
    def norms(self) -> tuple[sympy.Expr, ...]:
        """|c_j|, exactly."""
        return tuple(map(abs, self.coefficients))

    def apply(self, xp: Any, *values: Any) -> Any:
        """The sum."""
        total = 0
        for coefficient, value in zip(self.coefficients, values, strict=True):
            total = total + float(coefficient) * value
        return total


@dataclass(frozen=True)
class ConcatenateRule(LinearRule):
    """The values of the parents one after the other, along the first axis.

    Attributes:
        sizes: the shape of the node's value.
        count: how many parents.
    """

    sizes: Shape
    count: int

    @property
    def shape(self) -> Shape:
        """The lengths along the first axis added up; the other axes are those of the parents."""
        return self.sizes

    @property
    def norms(self) -> tuple[sympy.Expr, ...]:
        """1: each L_j is an isometry into its own coordinates."""
        return (sympy.Integer(1),) * self.count

    def apply(self, xp: Any, *values: Any) -> Any:
        """The concatenation."""
        return xp.concatenate(values, axis=0)


@dataclass(frozen=True)
class MaskRule(LinearRule):
    """``D alpha^p`` with D = diag(mask)/keep for a fixed mask of zeros and ones.

    Attributes:
        sizes: the shape of the value.
        keep: what the mask is divided by.
        seed: of the drawn mask, each entry one with probability ``keep``.
        given: the mask itself, in C order; None: drawn.
    """

    sizes: Shape
    keep: sympy.Expr
    seed: int
    given: tuple[bool, ...] | None

    @property
    def shape(self) -> Shape:
        """The parent's shape."""
        return self.sizes

    @property
    def norms(self) -> tuple[sympy.Expr, ...]:
        """1/keep: the largest entry of D, unless every unit is dropped."""
        return (1 / self.keep,)

    def apply(self, xp: Any, *values: Any) -> Any:
        """The entries that the mask keeps, divided by ``keep``."""
        import numpy as np

        (value,) = values
        if self.given is None:
            # The mask has a stream of its own: (its seed, the shape of the value).
            draw = np.random.default_rng((self.seed, *value.shape)).random(value.shape)
            mask = draw < float(self.keep)
        else:
            mask = np.array(self.given).reshape(value.shape)
        return xp.asarray(mask / float(self.keep), dtype=value.dtype) * value


@dataclass(frozen=True, init=False, repr=False)
class Chain(Layer, kind="chain"):
    """Layers one after the other, as one layer.

    Args:
        *layers: at least one.

    Raises:
        NetworkError: something is no layer that may stand there.
    """

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer) -> None:
        object.__setattr__(self, "layers", inner(layers, "Chain", least=1))

    def lower(self, builder: Builder, parent: int) -> int:
        """The nodes of one layer after those of the other."""
        return lowered(self.layers, builder, parent, "layers")

    @classmethod
    def from_fields(cls, values: dict[str, Any]) -> Chain:
        """Read the layers."""
        return cls(*listed(values, "layers"))

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(repr, self.layers))})"


@dataclass(frozen=True, init=False, repr=False)
class Residual(Layer, kind="residual"):
    """``alpha + scale F(alpha)``: a block F of layers and an identity skip around it.

    Args:
        *layers: F; its value has the shape of alpha.
        scale: of the branch; a number, exact (see ``theory.networks.base.exact``).

    Raises:
        NetworkError: something is no layer that may stand there, or scale is no number.
    """

    layers: tuple[Layer, ...]
    scale: sympy.Expr = sympy.S.One

    def __init__(self, *layers: Layer, scale: Any = 1) -> None:
        object.__setattr__(self, "layers", inner(layers, "Residual", least=1))
        object.__setattr__(self, "scale", exact(scale, layer="Residual", key="scale"))

    def lower(self, builder: Builder, parent: int) -> int:
        """The nodes of the block, then a sum."""
        top = lowered(self.layers, builder, parent, "layers")
        before, after = builder.shape(parent), builder.shape(top)
        if before != after:
            msg = (
                f"the skip of a Residual adds what goes in, of shape {shown(before)}, to what "
                f"comes out of the block, of shape {shown(after)}: make them equal"
            )
            raise NetworkError(msg)
        rule = SumRule(before, (sympy.Integer(1), self.scale))
        return builder.add(rule, parent, top, label="skip connection")

    @classmethod
    def from_fields(cls, values: dict[str, Any]) -> Residual:
        """Read the layers and the scale."""
        return cls(*listed(values, "layers"), scale=values.get("scale", 1))

    def __repr__(self) -> str:
        scale = "" if self.scale == 1 else f", scale={self.scale}"
        return f"Residual({', '.join(map(repr, self.layers))}{scale})"


class _Branches(Layer):
    """Several branches; a branch given as a tuple of layers is a Chain."""

    branches: tuple[Layer, ...]

    def __init__(self, *branches: Any) -> None:
        found = [Chain(*b) if isinstance(b, tuple | list) else b for b in branches]
        object.__setattr__(self, "branches", inner(found, type(self).__name__, least=1))

    @classmethod
    def from_fields(cls, values: dict[str, Any]) -> Any:
        """Read the branches."""
        return cls(*listed(values, "branches"))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.branches))})"


@dataclass(frozen=True, init=False, repr=False)
class Concatenate(_Branches, kind="concatenate"):
    """Branches side by side: each takes the same value, their values are concatenated.

    Args:
        *branches: layers; a tuple of layers is a Chain.

    Raises:
        NetworkError: something is no layer that may stand there.
    """

    branches: tuple[Layer, ...]

    def lower(self, builder: Builder, parent: int) -> int:
        """The nodes of each branch, then a concatenation."""
        tops = [
            lowered((branch,), builder, parent, "branches", index)
            for index, branch in enumerate(self.branches)
        ]
        return concatenated(builder, tops)


@dataclass(frozen=True, init=False, repr=False)
class DenseBlock(_Branches, kind="dense_block"):
    """A densely connected block: each branch takes the concatenation of all values before it.

    ``y_0 = alpha``, ``y_j = F_j([y_0, ..., y_{j-1}])``; the value is ``[y_0, ..., y_k]``.

    Args:
        *branches: the F_j, layers; a tuple of layers is a Chain.

    Raises:
        NetworkError: something is no layer that may stand there.

    Source:
        G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger, *Densely Connected Convolutional
        Networks*, CVPR 2017.
    """

    branches: tuple[Layer, ...]

    def lower(self, builder: Builder, parent: int) -> int:
        """The nodes of each branch on a concatenation of all before."""
        values, joined = [parent], parent
        for index, branch in enumerate(self.branches):
            values.append(lowered((branch,), builder, joined, "branches", index))
            joined = concatenated(builder, values)
        return joined


@dataclass(frozen=True, init=False, repr=False)
class Dropout(Layer, kind="dropout"):
    """A fixed dropout mask: ``alpha -> D alpha``, D = diag(mask)/(1 - rate).

    The mask is drawn once, each entry kept with probability 1 - rate, from a stream that depends
    on the seed and the shape of the value alone: two layers of one shape need different seeds to
    have different masks.

    Args:
        rate: probability of dropping an entry, 0 <= rate < 1; kept entries are divided by
            1 - rate, which is the norm 1/(1 - rate) of D.
        seed: of the mask.
        mask: the mask itself, a truth value for each entry in C order, instead of a drawn one; it
            is divided by 1 - rate all the same (rate 0: not at all).

    Raises:
        NetworkError: an argument makes no sense.
    """

    rate: sympy.Expr = sympy.S.Zero
    seed: int = 0
    mask: tuple[bool, ...] | None = None

    def __init__(self, rate: Any = 0, seed: int = 0, mask: Any = None) -> None:
        number = exact(rate, layer="Dropout", key="rate")
        if not 0 <= number < 1:
            msg = f"Dropout(rate=...) is a number with 0 <= rate < 1, not {rate!r}"
            raise NetworkError(msg, key="rate")
        object.__setattr__(self, "rate", number)
        object.__setattr__(self, "seed", whole(seed, 0, layer="Dropout", key="seed"))
        if mask is not None:
            try:
                entries = [bool(entry) if entry in (0, 1) else None for entry in mask]
            except (TypeError, ValueError):
                entries = [None]
            if None in entries or not any(entries):
                msg = "Dropout(mask=...) is a list of 0 and 1 that keeps at least one entry"
                raise NetworkError(msg, key="mask")
            mask = tuple(entries)
        object.__setattr__(self, "mask", mask)

    def lower(self, builder: Builder, parent: int) -> int:
        """One fixed linear node."""
        shape = builder.shape(parent)
        if self.mask is not None:
            count = _entries(shape)
            if count is not None and count != len(self.mask):
                msg = f"the mask of a Dropout has {len(self.mask)} entries, and the value {count}"
                raise NetworkError(msg, key="mask")
        rule = MaskRule(shape, 1 - self.rate, self.seed, self.mask)
        return builder.add(rule, parent, label=repr(self))

    def __repr__(self) -> str:
        mask = "" if self.mask is None else f", mask={tuple(map(int, self.mask))}"
        return f"Dropout({self.rate}, seed={self.seed}{mask})"


# -- what layers made of layers share -------------------------------------------------------------


def inner(layers: Any, where: str, *, least: int) -> tuple[Layer, ...]:
    """The layers of a block, checked.

    Raises:
        NetworkError: one is no layer, or must not stand inside a block, or there are too few.
    """
    found = tuple(layers)
    if len(found) < least:
        msg = f"{where} needs at least {least} layer"
        raise NetworkError(msg)
    for index, layer in enumerate(found):
        if not isinstance(layer, Layer):
            msg = f"layer {index + 1} of a {where} is {layer!r}, which is no layer"
            raise NetworkError(msg)
        if layer.kind in ("input", "readout", "output"):
            msg = f"{where} holds {layer!r}, which can only stand at the ends of a Network"
            raise NetworkError(msg)
    return found


def listed(values: dict[str, Any], key: str) -> list[Any]:
    """The layers of a nested array of tables.

    Raises:
        NetworkError: there is none.
    """
    found = values.get(key)
    if not isinstance(found, list) or not all(isinstance(layer, Layer) for layer in found):
        msg = f"give the layers inside as tables [[....{key}]]"
        raise NetworkError(msg, key=key)
    return found


def lowered(
    layers: tuple[Layer, ...], builder: Builder, node: int, field: str, first: int = 0
) -> int:
    """Lower layers one after the other; an error says where they are nested.

    Args:
        layers: the layers.
        builder: the graph so far.
        node: what the first one takes.
        field: the name of the field that holds them.
        first: the position there of the first one.

    Returns:
        The node whose value is that of the last.

    Raises:
        NetworkError: one does not fit; ``path`` says which.
    """
    for index, layer in enumerate(layers, start=first):
        try:
            node = layer.lower(builder, node)
        except NetworkError as error:
            path = (field, index, *error.path)
            raise NetworkError(str(error), key=error.key, path=path) from error
    return node


def concatenated(builder: Builder, nodes: list[int]) -> int:
    """The concatenation of some nodes' values along the first axis; one alone is itself.

    Raises:
        NetworkError: they differ in another axis.
    """
    if len(nodes) == 1:
        return nodes[0]
    shapes = [builder.shape(node) for node in nodes]
    if len({shape[1:] for shape in shapes}) > 1 or not shapes[0]:
        given = ", ".join(map(shown, shapes))
        msg = f"values of the shapes {given} cannot be concatenated: only the first axis may differ"
        raise NetworkError(msg)
    length: Size = tidy(sympy.Add(*(shape[0] for shape in shapes)))
    rule = ConcatenateRule((length, *shapes[0][1:]), len(nodes))
    return builder.add(rule, *nodes, label="concatenation")


def _entries(shape: Shape) -> int | None:
    total = 1
    for size in shape:
        if not isinstance(size, int):
            return None
        total *= size
    return total


__all__ = [
    "Chain",
    "Concatenate",
    "ConcatenateRule",
    "DenseBlock",
    "Dropout",
    "MaskRule",
    "Residual",
    "SumRule",
    "concatenated",
    "inner",
    "listed",
    "lowered",
]
