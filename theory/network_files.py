"""Networks as TOML text: one ``[[layer]]`` table per layer.

    version = 1

    [[layer]]
    type = "dense"
    width = "m"

Reading is done by the standard library's ``tomllib``, and writing by hand, since only integers,
truth values and one-line texts occur. Neither tomllib nor the tomlkit parser tells where in the
text a value came from, so the line named in an error is found by reading ever longer beginnings
of the text: a beginning of n whole lines that is valid TOML holds exactly the first statements, and
the shortest one that holds the offending value ends with it.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import sympy

from theory.activations import ActivationFunction, activation, registered
from theory.activations.errors import ActivationError
from theory.grammar import GrammarError, parse, to_text
from theory.networks import Activation, Dense, Input, Layer, Network, NetworkError, Readout, width

__all__ = ["from_toml", "load", "to_toml"]

VERSION: Final = 1
MAX_BYTES: Final = 2_000_000
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "input": ("dim",),
    "dense": ("width",),
    "activation": ("function", "name", "bounds"),
    "readout": ("trainable", "init"),
}


def to_toml(net: Network) -> str:
    """The description of a network as TOML text.

    Raises:
        NetworkError: an activation holds something that the grammar of files cannot say.
    """
    blocks = [f"version = {VERSION}\n"]
    for index, layer in enumerate(net.layers):
        try:
            lines = _lines(layer)
        except GrammarError as error:
            msg = f"layer {index + 1} cannot be written to a file: {error}"
            raise NetworkError(msg, layer=index) from error
        blocks.append("\n".join(["[[layer]]", *lines]) + "\n")
    return "\n".join(blocks)


def _lines(layer: Layer) -> list[str]:
    if isinstance(layer, Input):
        return ['type = "input"', f"dim = {_width_text(layer.dim)}"]
    if isinstance(layer, Dense):
        return ['type = "dense"', f"width = {_width_text(layer.width)}"]
    if isinstance(layer, Readout):
        trainable = "true" if layer.trainable else "false"
        return ['type = "readout"', f"trainable = {trainable}", f'init = "{layer.init}"']
    return ['type = "activation"', *_activation_lines(layer.function)]


def _width_text(value: sympy.Symbol | int) -> str:
    return str(value) if isinstance(value, int) else json.dumps(value.name)


def _activation_lines(function: ActivationFunction) -> list[str]:
    if registered(function):
        return [f"function = {json.dumps(function.name)}"]
    text = to_text(function.expr)
    lines = [f"function = {json.dumps(text)}"]
    if function.name != text:
        lines.append(f"name = {json.dumps(function.name)}")
    if function.bounds:
        pairs = ", ".join(f'{order} = "{bound}"' for order, bound in function.bounds)
        lines.append(f"bounds = {{ {pairs} }}")
    return lines


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network from a TOML file.

    Raises:
        NetworkError: naming the file, the line and what is wrong with it.
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        return from_toml(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        msg = f"{os.fspath(path)}: not UTF-8 text (byte {error.start}); a network file is TOML"
        raise NetworkError(msg) from error
    except NetworkError as error:
        msg = f"{os.fspath(path)}: {error}"
        raise NetworkError(msg, layer=error.layer, key=error.key) from error


def from_toml(text: str) -> Network:
    """Read a network from TOML text; nothing in it is evaluated.

    Raises:
        NetworkError: naming the line and what is wrong with it.
    """
    if len(text) > MAX_BYTES:
        msg = f"the text is longer than {MAX_BYTES} characters; a network file is not"
        raise NetworkError(msg)
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"line {_invalid_line(text, error)}: not valid TOML: {error}"
        raise NetworkError(msg) from error
    try:
        return _network(document)
    except NetworkError as error:
        line = _line_of(text, error)
        msg = f"line {line}: {error}"
        raise NetworkError(msg, layer=error.layer, key=error.key) from error


def _network(document: dict[str, Any]) -> Network:
    unknown = sorted(set(document) - {"version", "layer"})
    if unknown:
        msg = f"unknown key {unknown[0]!r}: a network file has version and [[layer]] tables"
        raise NetworkError(msg, key=unknown[0])
    version = document.get("version", VERSION)
    if version is not VERSION and (isinstance(version, bool) or version != VERSION):
        msg = f"version {version!r} is unknown; this program reads version {VERSION}"
        raise NetworkError(msg, key="version")
    tables = document.get("layer", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        msg = "each layer is a table of its own, opened by a line [[layer]]"
        raise NetworkError(msg, key="layer")
    layers = [_layer(index, table) for index, table in enumerate(tables)]
    return Network(*layers)


def _layer(index: int, table: dict[str, Any]) -> Layer:
    kind = table.get("type")
    if not isinstance(kind, str) or kind not in KEYS:
        given = "no type" if kind is None else f"the unknown type {kind!r}"
        msg = f"layer {index + 1} has {given}: give type = one of {', '.join(map(repr, KEYS))}"
        raise NetworkError(msg, layer=index, key=None if kind is None else "type")
    for key in table:
        if key != "type" and key not in KEYS[kind]:
            msg = f"layer {index + 1} ({kind}) has no key {key!r}; it has {', '.join(KEYS[kind])}"
            raise NetworkError(msg, layer=index, key=key)
    try:
        return _READERS[kind](table)
    except NetworkError as error:
        msg = f"layer {index + 1} ({kind}): {error}"
        present = error.key if error.key in table else None
        raise NetworkError(msg, layer=index, key=present) from error
    except (ActivationError, GrammarError) as error:
        msg = f"layer {index + 1} ({kind}): {error}"
        raise NetworkError(msg, layer=index, key="function") from error


def _read_input(table: dict[str, Any]) -> Layer:
    return Input(_read_width(table, "dim"))


def _read_dense(table: dict[str, Any]) -> Layer:
    return Dense(_read_width(table, "width"))


def _read_width(table: dict[str, Any], key: str) -> Any:
    value = table.get(key)
    if isinstance(value, str):
        try:
            return width(value)
        except NetworkError as error:
            raise NetworkError(str(error), key=key) from error
    return value


def _read_activation(table: dict[str, Any]) -> Layer:
    text = table.get("function")
    if not isinstance(text, str):
        msg = 'give function = a name such as "tanh", or an expression such as "t/(1 + t^2)"'
        raise NetworkError(msg, key="function")
    name, bounds = table.get("name"), table.get("bounds")
    if name is None and bounds is None:
        return Activation(activation(text))
    if name is not None and not isinstance(name, str):
        msg = f"name is a text, not {name!r}"
        raise NetworkError(msg, key="name")
    expr = parse(text)
    declared = _read_bounds({} if bounds is None else bounds)
    try:
        return Activation(ActivationFunction(name or str(expr), expr, bounds=declared))
    except ActivationError as error:
        raise NetworkError(str(error), key="bounds" if bounds else "function") from error


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


def _read_readout(table: dict[str, Any]) -> Layer:
    return Readout(**{key: table[key] for key in KEYS["readout"] if key in table})


_READERS: Final[dict[str, Callable[[dict[str, Any]], Layer]]] = {
    "input": _read_input,
    "dense": _read_dense,
    "activation": _read_activation,
    "readout": _read_readout,
}


def _invalid_line(text: str, error: Exception) -> int:
    """The line that a parser's message names, or else the first one that it cannot get past."""
    named = re.search(r"at line (\d+)", str(error))
    if named:
        return int(named[1])
    lines = text.rstrip().split("\n")
    return min(_longest_valid(lines, 0, len(lines))[0] + 1, len(lines))


def _line_of(text: str, error: NetworkError) -> int:
    """The line, counted from 1, on which the offending value ends (last line if there is none)."""

    def holds(document: dict[str, Any]) -> bool:
        if error.layer is None:
            return error.key is not None and error.key in document
        tables = document.get("layer", [])
        if not isinstance(tables, list) or len(tables) <= error.layer:
            return False
        return error.key is None or error.key in tables[error.layer]

    lines = text.split("\n")
    low, high = 0, len(lines)  # the beginning of `low` lines lacks the value
    while high - low > 1:
        middle, document = _longest_valid(lines, low, (low + high) // 2)
        if holds(document):
            high = middle
        elif middle > low:
            low = middle
        else:  # no valid beginning ends in (low, (low + high) // 2]
            low = (low + high) // 2
    return min(high, len(text.rstrip().split("\n")))


def _longest_valid(lines: list[str], low: int, high: int) -> tuple[int, dict[str, Any]]:
    """The largest n in (low, high] whose first n lines are valid TOML, and what they say."""
    for n in range(high, low, -1):
        try:
            return n, tomllib.loads("\n".join(lines[:n]))
        except (ValueError, RecursionError):
            continue
    return low, {}
