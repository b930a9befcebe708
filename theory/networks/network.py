"""A network: layers from the input to the readout, refused where they do not fit."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy

from theory.activations import ActivationFunction, activation
from theory.graph import Graph
from theory.networks.base import Builder, Layer, NetworkError, Width, checked_width, width
from theory.networks.basic import Activation, Dense, Input, Output, Readout


@dataclass(frozen=True, init=False, repr=False)
class Network:
    """A network, from its Input to its Readout; see :mod:`theory.networks` for the layers.

    A Dense layer that no Activation follows has the identity as its sigma_l.

    Args:
        *layers: ``Input``, then hidden layers, then ``Readout``, then at most one ``Output``.

    Raises:
        NetworkError: naming the layer that is out of place or does not fit, and what to do.

    >>> m = width("m")
    >>> net = Network(Input(64), Dense(m), Activation("tanh"), Readout())
    >>> net
    Network(Input(64), Dense(m), Activation('tanh'), Readout(trainable=False, init='gaussian'))
    >>> net.depth, net.widths
    (1, (64, m))
    >>> [node.shape for node in net.graph.nodes]
    [(64,), (m,), (m,), ()]
    """

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer) -> None:
        _check_order(layers)
        object.__setattr__(self, "layers", tuple(layers))
        self.__dict__["graph"] = _lowered(self.layers)

    @cached_property
    def graph(self) -> Graph:
        """The nodes that the layers become; the last one is the output."""
        return _lowered(self.layers)

    @cached_property
    def is_dense(self) -> bool:
        """Whether it is a plain fully connected network with one linear output.

        These have a depth, widths and activations, layer by layer; for all networks there is
        ``graph``.
        """
        hidden = self.layers[1:-1]
        return (
            isinstance(self.layers[0], Input)
            and not isinstance(self.layers[0].dim, tuple)
            and isinstance(self.layers[-1], Readout)
            and self.layers[-1].outputs == 1
            and all(isinstance(layer, Dense | Activation) for layer in hidden)
        )

    def _require_dense(self, what: str) -> None:
        if not self.is_dense:
            msg = (
                f"{self!r} is not a plain fully connected network with one linear output, so it "
                f"has no {what}; every network has a graph (Network.graph)"
            )
            raise NetworkError(msg)

    @cached_property
    def depth(self) -> int:
        """L, the number of hidden Dense layers of a plain fully connected network.

        Raises:
            NetworkError: it is no such network.
        """
        return len(self.widths) - 1

    @cached_property
    def widths(self) -> tuple[Width, ...]:
        """(m_0, ..., m_L) of a plain fully connected network, from the input's dimension on.

        Raises:
            NetworkError: it is no such network.
        """
        self._require_dense("widths layer by layer")
        return tuple(
            layer.shape[0] if isinstance(layer, Input) else layer.width
            for layer in self.layers
            if isinstance(layer, Input | Dense)
        )

    @cached_property
    def activations(self) -> tuple[ActivationFunction, ...]:
        """(sigma_1, ..., sigma_L); the identity where a Dense has no Activation after it.

        Raises:
            NetworkError: it is not a plain fully connected network.
        """
        self._require_dense("activations layer by layer")
        return tuple(
            after.function if isinstance(after, Activation) else activation("identity")
            for layer, after in itertools.pairwise(self.layers)
            if isinstance(layer, Dense)
        )

    @cached_property
    def readout(self) -> Readout:
        """The Readout, the last layer but for an Output."""
        for layer in reversed(self.layers):
            if isinstance(layer, Readout):
                return layer
        msg = "the last layer of a Network is its Readout"  # the constructor has refused this
        raise NetworkError(msg)

    @cached_property
    def input_shape(self) -> tuple[Any, ...]:
        """The shape of one input."""
        return self.graph.nodes[0].shape

    @cached_property
    def outputs(self) -> int:
        """The number of outputs."""
        return self.readout.outputs

    @cached_property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """The symbols among the widths, in order of first appearance."""
        found = itertools.chain.from_iterable(layer.all_widths() for layer in self.layers)
        bases = (m.base if isinstance(m, sympy.Pow) else m for m in found)
        return tuple(dict.fromkeys(m for m in bases if not isinstance(m, int)))

    def substitute(self, widths: Mapping[Any, int]) -> Network:
        """The same network with every symbolic width replaced by a number.

        A power of a symbol, such as sqrt(m), is rounded up to a whole number.

        Args:
            widths: a number for each symbol; keys are the symbols or their names.

        Raises:
            NetworkError: a symbol is missing, unknown, given twice, or its value is not a width;
                or the layers do not fit with these numbers.
        """
        values = self._values(widths)
        return Network(*(layer.substitute(values) for layer in self.layers))

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
            number = checked_width(value, layer=f"the width {symbol.name}", key="width")
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
        from theory.networks.files import to_toml

        return to_toml(self)

    @classmethod
    def from_toml(cls, text: str) -> Network:
        """Read what ``to_toml`` writes; text in it is never evaluated.

        Raises:
            NetworkError: naming the line and what is wrong with it.
        """
        from theory.networks.files import from_toml

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
        from theory.networks.files import load

        return load(path)


def _lowered(layers: tuple[Layer, ...]) -> Graph:
    """The graph of the layers; an error names the layer that does not fit."""
    builder, node = Builder(), 0
    for index, layer in enumerate(layers):
        if isinstance(layer, Readout) and not builder.has_weights:
            msg = (
                f"layer {index + 1} is the Readout, and there is no hidden layer; put at least "
                "one Dense before it"
            )
            raise NetworkError(msg, layer=index)
        try:
            node = layer.lower(builder, node)
        except NetworkError as error:
            msg = f"layer {index + 1}: {error}"
            raise NetworkError(msg, layer=index, key=error.key, path=error.path) from error
    return builder.graph()


def _check_order(layers: tuple[Any, ...]) -> None:
    """Refuse a sequence of layers that is not Input, hidden layers, Readout, Output?."""
    previous: Any = None
    for index, layer in enumerate(layers):
        if not isinstance(layer, Layer):
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
    if not isinstance(previous, Readout | Output):
        msg = f"no Readout: {previous!r} is the last layer; end the network with Readout()"
        raise NetworkError(msg, layer=len(layers) - 1)


def _misplaced(layer: Layer, previous: Layer | None) -> str:
    """What is wrong with this layer after that one; '' if nothing."""
    if previous is None:
        if isinstance(layer, Input):
            return ""
        return f"is {layer!r}, and a Network starts with its Input: put Input(d) first"
    if isinstance(previous, Output):
        return f"is {layer!r} after the Output, which must be the last layer"
    if isinstance(previous, Readout) and not isinstance(layer, Output):
        return (
            f"is {layer!r} after the Readout, which must be the last layer; only an Output, the "
            "non-linearity of the output, may follow it"
        )
    if isinstance(layer, Output) and not isinstance(previous, Readout):
        return f"is {layer!r}, and an Output follows the Readout; use Activation elsewhere"
    if isinstance(layer, Input):
        return f"is a second Input, {layer!r}; a Network has one, at the start"
    if isinstance(layer, Activation) and isinstance(previous, Input):
        return f"is {layer!r} before the first Dense; put a Dense between Input and Activation"
    if isinstance(layer, Activation) and isinstance(previous, Activation):
        return (
            f"is {layer!r} right after {previous!r}; put a Dense between them, or compose the "
            "two into one expression"
        )
    return ""


__all__ = ["Network"]
