"""The names of quantities, points, inputs and indices in LaTeX.

At the centre of the ball an operator carries the subscript 0, at the ball's point nothing; the
input x is left out, another one is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from theory.vocabulary import CENTRE, INPUT, POINT, QUANTITIES, READOUT, SAMPLES

Node = Any  # a Term, or a general form with the same head and args

_LETTERS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega"
)
GREEK = frozenset(_LETTERS.split())
POINTS = {"theta": r"\theta", "theta0": r"\theta_0", "*": r"\vartheta"}
INPUTS = {"x": "x", "z": r"\tilde x"}  # z is also the name of the pre-activations


def name_to_latex(name: str) -> str:
    """A name that is not in the vocabulary: ``A1``, ``kappa``, ``m_hidden``."""
    letters, digits = re.fullmatch(r"(.*?)_?(\d*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
    if letters in GREEK:
        base = rf"\{letters}"
    elif len(letters) == 1 and letters.isalpha():
        base = letters
    else:
        base = rf"\mathrm{{{escaped(letters or '?')}}}"
    return f"{base}_{{{digits}}}" if digits else base


_SPECIAL = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}


def escaped(text: str) -> str:
    """Text with LaTeX's special characters made harmless."""
    return "".join(
        _SPECIAL.get(c) or (f"\\{c}" if c in "#$%&_{}" else c if c.isprintable() else " ")
        for c in text
    )


def index_to_latex(index: Any) -> str:
    """A layer index: an integer, ``l``, ``l-1``; or the readout's name."""
    if isinstance(index, (int, str)):
        return str(index)
    name, offset = index.args
    shown = name if len(name.rstrip("'")) == 1 else name_to_latex(name)
    return f"{shown}{offset:+d}" if offset else shown


def point_to_latex(point: Node) -> str:
    """A point of parameters."""
    return POINTS.get(point.args[0]) or name_to_latex(point.args[0])


def input_to_latex(at: Node) -> str:
    """An input of the network."""
    return INPUTS.get(at.args[0]) or name_to_latex(at.args[0])


def sorted_tags(tags: Sequence[Any]) -> tuple[list[str], list[Node], list[Node], list[str]]:
    """Tags sorted out: indices as text, points, inputs, other words."""
    indices, points, inputs, words = [], [], [], []
    for tag in tags:
        head = getattr(tag, "head", None)
        if head == "point":
            points.append(tag)
        elif head == "input":
            inputs.append(tag)
        elif isinstance(tag, int) or head == "index":
            indices.append(index_to_latex(tag))
        elif tag == READOUT:
            indices.append(READOUT)
        else:
            words.append(escaped(str(tag)))
    return indices, points, inputs, words


def _subscripted(name: str, indices: Sequence[str]) -> str:
    """The vocabulary's symbol with its layer indices."""
    inside = ",".join(indices)
    if name not in QUANTITIES:
        return name_to_latex(name) + (f"^{{({inside})}}" if inside else "")
    return QUANTITIES[name].latex.format(inside)


def symbol_to_latex(node: Node) -> str:
    """A real symbol: the centre is not shown, another input is an argument."""
    name = node.args[0]
    indices, points, inputs, words = sorted_tags(node.args[1:])
    if name == "epsilon":
        return _subscripted(name, [*indices, *map(input_to_latex, inputs), *words])
    arguments = [point_to_latex(p) for p in points if p not in (CENTRE, POINT)]
    arguments += [input_to_latex(i) for i in inputs if i not in (INPUT, SAMPLES)] + words
    shown = _subscripted(name, indices)
    return f"{shown}({', '.join(arguments)})" if arguments else shown


def operator_to_latex(node: Node) -> str:
    """An operator symbol: subscript 0 at the centre, nothing at the ball's point."""
    name = node.args[0]
    indices, points, inputs, words = sorted_tags(node.args[3:])
    if name in ("Pi", "Pi_part"):
        return rf"\Pi_{{{','.join([*indices, *words])}}}"
    if name == "submodel":
        shown = ";".join([f"w_{{{indices[0]}}}", *map(input_to_latex, inputs)])
        return rf"g_{{{indices[0]}}}({shown})"
    if name == "f":
        shown = ";".join([*map(point_to_latex, points), *map(input_to_latex, inputs)])
        return f"f({shown})" if shown else "f"
    if name == "theta" and len(points) == 1:
        return point_to_latex(points[0])
    if name == "alpha" and indices == ["0"] and CENTRE in points:
        return input_to_latex(inputs[0]) if inputs else "x"
    if name == "v":
        indices = []
    base = _subscripted(name, indices) + ("_{0}" if CENTRE in points else "")
    arguments = [point_to_latex(p) for p in points if p not in (CENTRE, POINT)]
    arguments += [input_to_latex(i) for i in inputs if i not in (INPUT, SAMPLES)] + words
    return f"{base}({'; '.join(arguments)})" if arguments else base


__all__ = [
    "GREEK",
    "INPUTS",
    "POINTS",
    "escaped",
    "index_to_latex",
    "input_to_latex",
    "name_to_latex",
    "operator_to_latex",
    "point_to_latex",
    "sorted_tags",
    "symbol_to_latex",
]
