"""Networks as TOML text: one ``[[layer]]`` table per layer.

    version = 1

    [[layer]]
    type = "dense"
    width = "m"

    [[layer]]
    type = "residual"

    [[layer.layers]]
    type = "dense"
    width = "m"

A table has the fields of its layer's class (:class:`theory.networks.base.Layer`), so that every
kind of layer that has been imported can be written and read.  Widths are numbers or texts such as
``"m"`` and ``"sqrt(m)"``, other exact numbers texts of the grammar of :mod:`theory.grammar`.

Reading is done by the standard library's ``tomllib``, and writing by hand, since only integers,
truth values, one-line texts, arrays and tables of them occur. Neither tomllib nor the tomlkit
parser tells where in the text a value came from, so the line named in an error is found by reading
ever longer beginnings of the text: a beginning of n whole lines that is valid TOML holds exactly
the first statements, and the shortest one that holds the offending value ends with it.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import sympy

from theory.activations.errors import ActivationError
from theory.grammar import GrammarError, to_text
from theory.networks.base import Layer, NetworkError, width_text
from theory.networks.network import Network

__all__ = ["from_toml", "load", "to_toml"]

VERSION: Final = 1
MAX_BYTES: Final = 2_000_000
MOST_TRIED: Final = 300  # beginnings of a text that are read to name the line of an error


def to_toml(net: Network) -> str:
    """The description of a network as TOML text.

    Raises:
        NetworkError: an activation holds something that the grammar of files cannot say, or a
            layer holds something that TOML has no form for.
    """
    blocks = [f"version = {VERSION}\n"]
    for index, layer in enumerate(net.layers):
        try:
            blocks.extend(_tables(layer, "[[layer]]", "layer"))
        except (GrammarError, NetworkError) as error:
            msg = f"layer {index + 1} cannot be written to a file: {error}"
            raise NetworkError(msg, layer=index) from error
    return "\n".join(blocks)


def _tables(layer: Layer, header: str, name: str) -> list[str]:
    """The table of a layer, then those of the layers nested in it."""
    lines = [header, f"type = {json.dumps(layer.kind)}"]
    inside: list[str] = []
    for key, value in layer.to_fields().items():
        below = f"{name}.{key}"
        if isinstance(value, Layer):
            inside.extend(_tables(value, f"[{below}]", below))
        elif isinstance(value, tuple) and any(isinstance(entry, Layer) for entry in value):
            for entry in value:
                inside.extend(_tables(entry, f"[[{below}]]", below))
        elif value is not None:
            lines.append(f"{key} = {_value(value, width=key in layer.sizes)}")
    return ["\n".join(lines) + "\n", *inside]


def _value(value: Any, *, width: bool) -> str:
    """A number, truth value, text, exact number, width, array or table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_value(entry, width=width) for entry in value)}]"
    if isinstance(value, dict):
        pairs = ", ".join(f"{key} = {_value(entry, width=False)}" for key, entry in value.items())
        return f"{{ {pairs} }}"
    if isinstance(value, sympy.Expr):
        return json.dumps(width_text(value) if width else to_text(value))
    if isinstance(value, str):
        return json.dumps(value)
    msg = f"TOML has no form for {value!r} ({type(value).__name__})"
    raise NetworkError(msg)


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network from a TOML file.

    Raises:
        NetworkError: naming the file, the line and what is wrong with it.
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        msg = f"{os.fspath(path)} is longer than {MAX_BYTES} bytes; a network file is not"
        raise NetworkError(msg)
    try:
        return from_toml(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        msg = f"{os.fspath(path)}: not UTF-8 text (byte {error.start}); a network file is TOML"
        raise NetworkError(msg) from error
    except NetworkError as error:
        msg = f"{os.fspath(path)}: {error}"
        raise NetworkError(msg, layer=error.layer, key=error.key, path=error.path) from error


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
        raise NetworkError(msg, layer=error.layer, key=error.key, path=error.path) from error


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
    layers = []
    for index, table in enumerate(tables):
        try:
            layers.append(_layer(table, f"layer {index + 1}"))
        except NetworkError as error:
            raise NetworkError(str(error), layer=index, key=error.key, path=error.path) from error
    return Network(*layers)


def _layer(table: dict[str, Any], place: str) -> Layer:
    """The layer of a table, read from the inside out."""
    kind = table.get("type")
    if not isinstance(kind, str) or kind not in Layer.registry:
        given = "no type" if kind is None else f"the unknown type {kind!r}"
        msg = f"{place} has {given}: give type = one of {', '.join(map(repr, Layer.registry))}"
        raise NetworkError(msg, key=None if kind is None else "type")
    layer = Layer.registry[kind]
    keys = layer.keys()
    for key in table:
        if key != "type" and key not in keys:
            has = f"it has {', '.join(keys)}" if keys else "it has none"
            msg = f"{place} ({kind}) has no key {key!r}; {has}"
            raise NetworkError(msg, key=key)
    values = {key: _nested(v, key, place) for key, v in table.items() if key != "type"}
    try:
        return layer.from_fields(values)
    except NetworkError as error:
        msg = f"{place} ({kind}): {error}"
        known = error.key if error.path or error.key in table else None
        raise NetworkError(msg, key=known, path=error.path) from error
    except (ActivationError, GrammarError) as error:
        msg = f"{place} ({kind}): {error}"
        raise NetworkError(msg, key="function" if "function" in table else None) from error
    except TypeError as error:  # what is no number, no list, or the like
        msg = f"{place} ({kind}): a field has a value of the wrong kind: {error}"
        raise NetworkError(msg) from error


def _nested(value: Any, key: str, place: str) -> Any:
    """A field's value, the tables in it that are layers read."""
    if isinstance(value, dict) and "type" in value:
        return _read(value, f"{place}, {key}", (key,))
    if isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
        return [
            _read(entry, f"{place}, {key} {index + 1}", (key, index))
            for index, entry in enumerate(value)
        ]
    return value


def _read(table: dict[str, Any], place: str, path: tuple[str | int, ...]) -> Layer:
    try:
        return _layer(table, place)
    except NetworkError as error:
        raise NetworkError(str(error), key=error.key, path=(*path, *error.path)) from error


def _invalid_line(text: str, error: Exception) -> int:
    """The line that a parser's message names, or else the first one that it cannot get past."""
    named = re.search(r"at line (\d+)", str(error))
    if named:
        return int(named[1])
    lines = text.rstrip().split("\n")
    if len(lines) > MOST_TRIED:
        return len(lines)
    return min(_longest_valid(lines, 0, len(lines))[0] + 1, len(lines))


def _line_of(text: str, error: NetworkError) -> int:
    """The line, counted from 1, on which the offending value ends (last line if there is none)."""

    def holds(document: dict[str, Any]) -> bool:
        if error.layer is None:
            return error.key is not None and error.key in document
        tables = document.get("layer", [])
        if not isinstance(tables, list) or len(tables) <= error.layer:
            return False
        table: Any = tables[error.layer]
        for step in error.path:
            if isinstance(step, int):
                if not isinstance(table, list) or len(table) <= step:
                    return False
            elif not isinstance(table, dict) or step not in table:
                return False
            table = table[step]
        return error.key is None or (isinstance(table, dict) and error.key in table)

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
    """The largest n in (low, high] whose first n lines are valid TOML, and what they say.

    Only the last ``MOST_TRIED`` are tried, as each is read as a whole; low if none of them is.
    """
    for n in range(high, max(low, high - MOST_TRIED), -1):
        try:
            return n, tomllib.loads("\n".join(lines[:n]))
        except (ValueError, RecursionError):
            continue
    return low, {}
