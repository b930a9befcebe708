"""The layers of a fully connected network, and the output's non-linearity."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Final

import sympy

from theory.activations import ActivationFunction, activation, registered
from theory.activations.errors import ActivationError
from theory.grammar import parse, to_text
from theory.graph import BilinearRule, InputRule, PointwiseRule, Shape, Size
from theory.networks.base import (
    MISSING_WIDTH,
    Builder,
    Layer,
    NetworkError,
    Width,
    checked_width,
    vector,
    whole,
)

INITS: Final = ("gaussian", "sign")


@dataclass(frozen=True)
class DenseRule(BilinearRule):
    """``alpha^n = W alpha^p / sqrt(cols)`` for a vector alpha^p.

    Attributes:
        rows: length of the node's value.
        cols: length of the parent's value.
        sizes: the shape of the node's value: (rows,), or () for a scalar.
        distribution: of the entries of W at the start.
        trained: whether W is among the parameters.
    """

    rows: Size
    cols: Size
    sizes: Shape
    distribution: str = "gaussian"
    trained: bool = True

    @property
    def shape(self) -> Shape:
        """(rows,), or () for a scalar."""
        return self.sizes

    @property
    def weight_shape(self) -> tuple[Size, Size]:
        """(rows, cols)."""
        return self.rows, self.cols

    @property
    def scale(self) -> sympy.Expr:
        """1/sqrt(cols)."""
        return 1 / sympy.sqrt(self.cols)

    @property
    def contraction(self) -> sympy.Expr:
        """1/sqrt(cols): ``|c . V a| = |<V, c a^T>| <= |V|_F |c| |a|``, with equality at c a^T."""
        return 1 / sympy.sqrt(self.cols)

    def columns(self, xp: Any, value: Any) -> Any:
        """The value itself as one column, (cols, 1)."""
        return xp.reshape(value, (-1, 1))

    @property
    def init(self) -> str:
        """Distribution of the entries of W at the start."""
        return self.distribution

    @property
    def trainable(self) -> bool:
        """Whether W is among the parameters."""
        return self.trained


@dataclass(frozen=True, init=False, repr=False)
class Input(Layer, kind="input"):
    """The input layer, alpha^0 = x.

    Args:
        dim: m_0 = d, a number or a symbol, for a vector x; ``(channels, length)`` or
            ``(channels, height, width)`` for a signal or an image.

    Raises:
        NetworkError: the dimension is missing or not a width.
    """

    dim: Width | tuple[Width, ...]
    sizes: ClassVar[tuple[str, ...]] = ("dim",)

    def __init__(self, dim: Any = MISSING_WIDTH) -> None:
        if isinstance(dim, tuple):
            if len(dim) not in (2, 3):
                msg = (
                    f"Input{dim!r} is neither (channels, length) nor (channels, height, width); "
                    "for a vector give its length, Input(64)"
                )
                raise NetworkError(msg, key="dim")
            found: Any = tuple(checked_width(size, layer="Input", key="dim") for size in dim)
        else:
            found = checked_width(dim, layer="Input", key="dim")
        object.__setattr__(self, "dim", found)

    @property
    def shape(self) -> Shape:
        """The shape of x."""
        return self.dim if isinstance(self.dim, tuple) else (self.dim,)

    def lower(self, builder: Builder, parent: int) -> int:
        """Node 0."""
        return builder.add(InputRule(self.shape), label=repr(self))

    def __repr__(self) -> str:
        return f"Input({self.dim})"


@dataclass(frozen=True, init=False, repr=False)
class Dense(Layer, kind="dense"):
    """z = W alpha / sqrt(width before), W of shape (width, width before) with N(0, 1) entries.

    Args:
        width: m_l, a number, a symbol, or a power of one such as sqrt(m).

    Raises:
        NetworkError: the width is missing or not a width.
    """

    width: Width
    sizes: ClassVar[tuple[str, ...]] = ("width",)

    def __init__(self, width: Any = MISSING_WIDTH) -> None:
        object.__setattr__(self, "width", checked_width(width, layer="Dense", key="width"))

    def lower(self, builder: Builder, parent: int) -> int:
        """One node with weights."""
        rule = DenseRule(self.width, vector(builder, parent, repr(self)), (self.width,))
        return builder.add(rule, parent, label=repr(self))

    def __repr__(self) -> str:
        return f"Dense({self.width})"


class _Elementwise(Layer):
    """A function of one real variable applied entry by entry, and how it is written to files."""

    function: ActivationFunction

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.name

    def lower(self, builder: Builder, parent: int) -> int:
        """One pointwise node."""
        rule = PointwiseRule(self.function, builder.shape(parent))
        return builder.add(rule, parent, label=repr(self))

    def to_fields(self) -> dict[str, Any]:
        """A registered name alone, or an expression with its name and declared bounds."""
        function = self.function
        if registered(function):
            return {"function": function.name}
        text = to_text(function.expr)
        found: dict[str, Any] = {"function": text}
        if function.name != text:
            found["name"] = function.name
        if function.bounds:
            found["bounds"] = {str(order): str(bound) for order, bound in function.bounds}
        return found

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """The names of the fields in files."""
        return "function", "name", "bounds"

    @classmethod
    def from_fields(cls, values: dict[str, Any]) -> Any:
        """Read what ``to_fields`` writes."""
        text = values.get("function")
        if not isinstance(text, str):
            msg = 'give function = a name such as "tanh", or an expression such as "t/(1 + t^2)"'
            raise NetworkError(msg, key="function")
        name, bounds = values.get("name"), values.get("bounds")
        if name is None and bounds is None:
            return cls(activation(text))  # type: ignore[call-arg]
        if name is not None and not isinstance(name, str):
            msg = f"name is a text, not {name!r}"
            raise NetworkError(msg, key="name")
        expr = parse(text)
        declared = _read_bounds({} if bounds is None else bounds)
        try:
            function = ActivationFunction(name or str(expr), expr, bounds=declared)
        except ActivationError as error:
            raise NetworkError(str(error), key="bounds" if bounds else "function") from error
        return cls(function)  # type: ignore[call-arg]


def _read_bounds(bounds: Any) -> dict[int, sympy.Rational]:
    what = 'bounds is a table such as { 1 = "3/2", 2 = "2" }: order of the derivative = bound'
    if not isinstance(bounds, dict):
        raise NetworkError(what, key="bounds")
    declared: dict[int, sympy.Rational] = {}
    for order, bound in bounds.items():
        if order not in ("0", "1", "2", "3") or not isinstance(bound, str) or len(bound) > 100:
            raise NetworkError(what, key="bounds")
        try:
            value = Fraction(bound)
        except (ValueError, ZeroDivisionError) as error:
            raise NetworkError(what, key="bounds") from error
        declared[int(order)] = sympy.Rational(value.numerator, value.denominator)
    return declared


@dataclass(frozen=True, init=False, repr=False)
class Activation(_Elementwise, kind="activation"):
    """alpha = sigma(z), entry by entry.

    Args:
        spec: a registered name, a SymPy expression in one symbol, text in the grammar of
            ``theory.grammar``, or an ``ActivationFunction``.

    Raises:
        ActivationError: no such activation, or it is not twice continuously differentiable.
    """

    function: ActivationFunction

    def __init__(self, spec: str | sympy.Expr | ActivationFunction) -> None:
        object.__setattr__(self, "function", activation(spec))

    def __repr__(self) -> str:
        return f"Activation({self.function.name!r})"


@dataclass(frozen=True, repr=False)
class Readout(Layer, kind="readout"):
    """f = v . alpha^L / sqrt(m_L); with several outputs f = V alpha^L / sqrt(m_L).

    Attributes:
        trainable: whether v is among the parameters.
        init: entries of v are independent N(0, 1) ("gaussian") or uniform on {-1, 1} ("sign").
        outputs: how many outputs, each with a row of V of its own.

    Raises:
        NetworkError: ``trainable`` is not a truth value, ``init`` is unknown, or ``outputs`` is
            not a whole number >= 1.
    """

    trainable: bool = False
    init: str = "gaussian"
    outputs: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.trainable, bool):
            msg = f"Readout(trainable=...) is True or False, not {self.trainable!r}"
            raise NetworkError(msg, key="trainable")
        if self.init not in INITS:
            msg = f"Readout(init=...) is 'gaussian' or 'sign', not {self.init!r}"
            raise NetworkError(msg, key="init")
        count = whole(self.outputs, 1, layer="Readout", key="outputs")
        object.__setattr__(self, "outputs", count)

    def lower(self, builder: Builder, parent: int) -> int:
        """One node with weights, which are parameters or not."""
        rule = DenseRule(
            self.outputs,
            vector(builder, parent, "Readout"),
            () if self.outputs == 1 else (self.outputs,),
            self.init,
            self.trainable,
        )
        return builder.add(rule, parent, label=repr(self))

    def to_fields(self) -> dict[str, Any]:
        """The fields, ``outputs`` only where there are several."""
        found: dict[str, Any] = {"trainable": self.trainable, "init": self.init}
        return found if self.outputs == 1 else {**found, "outputs": self.outputs}

    def __repr__(self) -> str:
        several = "" if self.outputs == 1 else f", outputs={self.outputs}"
        return f"Readout(trainable={self.trainable}, init={self.init!r}{several})"


@dataclass(frozen=True, init=False, repr=False)
class Output(_Elementwise, kind="output"):
    """The non-linearity of the output, phi(f), after the Readout; entry by entry for several.

    Args:
        spec: phi, like an ``Activation``.

    Raises:
        ActivationError: no such function, or it is not twice continuously differentiable.
    """

    function: ActivationFunction

    def __init__(self, spec: str | sympy.Expr | ActivationFunction) -> None:
        object.__setattr__(self, "function", activation(spec))

    def __repr__(self) -> str:
        return f"Output({self.function.name!r})"


__all__ = ["Activation", "Dense", "DenseRule", "Input", "Output", "Readout"]
