"""Networks as descriptions: layers and their widths, no arrays.

``Network(Input(64), Dense(m), Activation("tanh"), Readout())`` stands for the function

    z^l = W^l alpha^{l-1} / sqrt(m_{l-1}),   alpha^l = sigma_l(z^l),   alpha^0 = x,
    f = v . alpha^L / sqrt(m_L),

the neural-tangent parameterization without biases (theory.md, section 1), in which the entries of
W^l are independent N(0, 1) and those of v are N(0, 1) or uniform signs. A width is a number or a
symbol made by ``width``. A description that makes no sense is refused when it is built.
"""

from __future__ import annotations

import itertools
import operator
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias, get_args

import sympy

from theory.activations import ActivationFunction, activation

__all__ = [
    "Activation",
    "Dense",
    "Input",
    "Layer",
    "Network",
    "NetworkError",
    "Readout",
    "Width",
    "width",
]

Width: TypeAlias = "sympy.Symbol | int"
"""A width: a symbol made by ``width``, or a positive number."""

INITS: Final = ("gaussian", "sign")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MISSING: Final = object()


class NetworkError(ValueError):
    """A description of a network that makes no sense.

    Attributes:
        layer: position of the offending layer, counted from 0, or None.
        key: name of the offending field of that layer, or None.
    """

    def __init__(self, message: str, *, layer: int | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.layer = layer
        self.key = key


def width(name: str) -> sympy.Symbol:
    """A symbolic layer width: a positive integer symbol.

    Args:
        name: an identifier, such as ``"m"`` or ``"m_1"``.

    Raises:
        NetworkError: the name is not an identifier.

    >>> width("m").is_positive
    True
    """
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
        msg = (
            f"a width symbol cannot be called {name!r}: use a letter or _ followed by letters, "
            "digits and _, such as 'm' or 'm_1'"
        )
        raise NetworkError(msg)
    return sympy.Symbol(name, integer=True, positive=True)


def _checked_width(value: Any, *, layer: str, key: str) -> Width:
    """The width itself if it is a number >= 1 or a symbol made by ``width``."""
    if isinstance(value, sympy.Symbol) and value == width(value.name):
        return value
    try:
        number: int | None = operator.index(value)
    except TypeError:
        number = None
    if number is not None and number >= 1 and not isinstance(value, bool):
        return number
    need = "a whole number >= 1 or a symbol made by theory.width"
    if value is _MISSING or value is None:
        problem = f": give {need}"
    elif isinstance(value, sympy.Symbol | str) and _IDENTIFIER.fullmatch(str(value)):
        problem = f", and {value!r} is none: write {layer}(theory.width({str(value)!r}))"
    elif isinstance(value, bool):
        problem = f", and {value!r} is a truth value: give {need}"
    elif number is not None:
        problem = f" of at least 1, not {value}"
    else:
        problem = f", and {value!r} ({type(value).__name__}) is none: give {need}"
    msg = f"{layer} needs {'its dimension' if key == 'dim' else 'a width'}{problem}"
    raise NetworkError(msg, key=key)


@dataclass(frozen=True, init=False, repr=False)
class Input:
    """The input layer, alpha^0 = x of shape (dim,).

    Args:
        dim: m_0 = d, a number or a symbol.

    Raises:
        NetworkError: the dimension is missing or not a width.
    """

    dim: Width

    def __init__(self, dim: Any = _MISSING) -> None:
        object.__setattr__(self, "dim", _checked_width(dim, layer="Input", key="dim"))

    def __repr__(self) -> str:
        return f"Input({self.dim})"


@dataclass(frozen=True, init=False, repr=False)
class Dense:
    """z = W alpha / sqrt(width before), W of shape (width, width before) with N(0, 1) entries.

    Args:
        width: m_l, a number or a symbol.

    Raises:
        NetworkError: the width is missing or not a width.
    """

    width: Width

    def __init__(self, width: Any = _MISSING) -> None:
        object.__setattr__(self, "width", _checked_width(width, layer="Dense", key="width"))

    def __repr__(self) -> str:
        return f"Dense({self.width})"


@dataclass(frozen=True, init=False, repr=False)
class Activation:
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

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.name

    def __repr__(self) -> str:
        return f"Activation({self.function.name!r})"


@dataclass(frozen=True)
class Readout:
    """f = v . alpha^L / sqrt(m_L), the last layer.

    Attributes:
        trainable: whether v is among the parameters.
        init: entries of v are independent N(0, 1) ("gaussian") or uniform on {-1, 1} ("sign").

    Raises:
        NetworkError: ``trainable`` is not a truth value, or ``init`` is unknown.
    """

    trainable: bool = False
    init: str = "gaussian"

    def __post_init__(self) -> None:
        if not isinstance(self.trainable, bool):
            msg = f"Readout(trainable=...) is True or False, not {self.trainable!r}"
            raise NetworkError(msg, key="trainable")
        if self.init not in INITS:
            msg = f"Readout(init=...) is 'gaussian' or 'sign', not {self.init!r}"
            raise NetworkError(msg, key="init")


Layer: TypeAlias = Input | Dense | Activation | Readout


@dataclass(frozen=True, init=False, repr=False)
class Network:
    """A fully connected network, from its Input to its Readout.

    A Dense layer that no Activation follows has the identity as its sigma_l.

    Args:
        *layers: ``Input``, then ``Dense`` layers, each followed by at most one ``Activation``,
            then ``Readout``.

    Raises:
        NetworkError: naming the layer that is out of place, and what to do.

    >>> m = width("m")
    >>> net = Network(Input(64), Dense(m), Activation("tanh"), Readout())
    >>> net
    Network(Input(64), Dense(m), Activation('tanh'), Readout(trainable=False, init='gaussian'))
    >>> net.depth, net.widths
    (1, (64, m))
    """

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer) -> None:
        _check_order(layers)
        object.__setattr__(self, "layers", tuple(layers))

    @cached_property
    def depth(self) -> int:
        """L, the number of hidden Dense layers."""
        return len(self.widths) - 1

    @cached_property
    def widths(self) -> tuple[Width, ...]:
        """(m_0, ..., m_L): the input's dimension, then the width of each hidden layer."""
        return tuple(
            layer.dim if isinstance(layer, Input) else layer.width
            for layer in self.layers
            if isinstance(layer, Input | Dense)
        )

    @cached_property
    def activations(self) -> tuple[ActivationFunction, ...]:
        """(sigma_1, ..., sigma_L); the identity where a Dense has no Activation after it."""
        return tuple(
            after.function if isinstance(after, Activation) else activation("identity")
            for layer, after in itertools.pairwise(self.layers)
            if isinstance(layer, Dense)
        )

    @cached_property
    def readout(self) -> Readout:
        """The last layer."""
        last = self.layers[-1]
        if not isinstance(last, Readout):  # the constructor has refused this
            msg = "the last layer of a Network is its Readout"
            raise NetworkError(msg)
        return last

    @cached_property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """The symbols among the widths, in order of first appearance."""
        return tuple(dict.fromkeys(m for m in self.widths if not isinstance(m, int)))

    def substitute(self, widths: Mapping[Any, int]) -> Network:
        """The same network with every symbolic width replaced by a number.

        Args:
            widths: a number for each symbol; keys are the symbols or their names.

        Raises:
            NetworkError: a symbol is missing, unknown, given twice, or its value is not a width.
        """
        values = self._values(widths)
        layers: list[Layer] = []
        for layer in self.layers:
            if isinstance(layer, Input):
                layers.append(Input(values.get(layer.dim, layer.dim)))
            elif isinstance(layer, Dense):
                layers.append(Dense(values.get(layer.width, layer.width)))
            else:
                layers.append(layer)
        return Network(*layers)

    def _values(self, widths: Mapping[Any, int]) -> dict[sympy.Symbol, int]:
        known = ", ".join(symbol.name for symbol in self.symbols) or "no symbolic width"
        values: dict[sympy.Symbol, int] = {}
        for key, value in widths.items():
            symbol = width(key) if isinstance(key, str) else key
            if symbol not in self.symbols:
                msg = f"the network has no width called {key}; it has {known}"
                raise NetworkError(msg)
            if symbol in values:
                msg = f"the width {symbol.name} is given twice, by symbol and by name"
                raise NetworkError(msg)
            number = _checked_width(value, layer=f"the width {symbol.name}", key="width")
            if not isinstance(number, int):
                msg = f"the width {symbol.name} needs a number here, not the symbol {number}"
                raise NetworkError(msg)
            values[symbol] = number
        missing = [symbol.name for symbol in self.symbols if symbol not in values]
        if missing:
            example = ", ".join(f"{name!r}: 1024" for name in missing)
            msg = f"no number for the width {', '.join(missing)}: give {{{example}}}"
            raise NetworkError(msg)
        return values

    def __repr__(self) -> str:
        return f"Network({', '.join(map(repr, self.layers))})"

    def to_toml(self) -> str:
        """The description as TOML text, one ``[[layer]]`` table per layer."""
        from theory.network_files import to_toml

        return to_toml(self)

    @classmethod
    def from_toml(cls, text: str) -> Network:
        """Read what ``to_toml`` writes; text in it is never evaluated.

        Raises:
            NetworkError: naming the line and what is wrong with it.
        """
        from theory.network_files import from_toml

        return from_toml(text)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the TOML text to a file, whole or not at all.

        Raises:
            OSError: the file cannot be written; what was there before is kept.
        """
        from theory.files import write_atomically

        write_atomically(path, self.to_toml().encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Read a file that ``save`` has written, or that a person has.

        Raises:
            NetworkError: naming the file, the line and what is wrong with it.
            OSError: the file cannot be read.
        """
        from theory.network_files import load

        return load(path)


def _check_order(layers: tuple[Any, ...]) -> None:
    """Refuse a sequence of layers that is not Input, (Dense, Activation?)+, Readout."""
    previous: Any = None
    for index, layer in enumerate(layers):
        if not isinstance(layer, get_args(Layer)):
            what = (
                f"{layer.__name__} (the class, without arguments)"
                if isinstance(layer, type)
                else repr(layer)
            )
            problem = f"is {what}, which is no layer: use Input, Dense, Activation or Readout"
        else:
            problem = _misplaced(layer, previous)
        if problem:
            msg = f"layer {index + 1} {problem}"
            raise NetworkError(msg, layer=index)
        previous = layer
    if previous is None:
        msg = "a Network has layers: Network(Input(64), Dense(m), Activation('tanh'), Readout())"
        raise NetworkError(msg)
    if not isinstance(previous, Readout):
        msg = f"no Readout: {previous!r} is the last layer; end the network with Readout()"
        raise NetworkError(msg, layer=len(layers) - 1)


def _misplaced(layer: Layer, previous: Layer | None) -> str:
    """What is wrong with this layer after that one; '' if nothing."""
    if previous is None:
        if isinstance(layer, Input):
            return ""
        return f"is {layer!r}, and a Network starts with its Input: put Input(d) first"
    if isinstance(previous, Readout):
        return f"is {layer!r} after the Readout, which must be the last layer"
    if isinstance(layer, Input):
        return f"is a second Input, {layer!r}; a Network has one, at the start"
    if isinstance(layer, Activation) and isinstance(previous, Input):
        return f"is {layer!r} before the first Dense; put a Dense between Input and Activation"
    if isinstance(layer, Activation) and isinstance(previous, Activation):
        return (
            f"is {layer!r} right after {previous!r}; put a Dense between them, or compose the "
            "two into one expression"
        )
    if isinstance(layer, Readout) and isinstance(previous, Input):
        return "is the Readout, and there is no hidden layer; put at least one Dense before it"
    return ""
