"""The printers of terms by head, and what they share: fences, factors, small helpers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from theory.terms import SCALAR

Node = Any  # a Term, or a theory.writing.families.Shown, which has the same head and args

PRINTERS: dict[str, Callable[[Node], str]] = {}  # filled by the modules on reals and operators

_TALL = re.compile(r"\\(?:frac|sum|begin|Bigl|bigl|left)(?![A-Za-z])")
_WIDE = (r"\sqrt", r"\lVert", r"\lvert", r"\left", r"\Big", r"\max", r"\min")
LOOSE = frozenset(
    {"add", "plus", "osum", "rsum", "rmax", "neg", "run"}
)  # to be bracketed inside a product
TIGHT = frozenset(
    ["sym", "op", "var", "id", "zero", "norm", "jac", "max", "min", "dim", "specnorm", "general"]
)


class Like:
    """A head with arguments, printed as the term of that head."""

    def __init__(self, head: str, args: tuple[Any, ...]) -> None:
        """Take them as they are."""
        self.head, self.args, self.shape = head, args, None


def show(node: Node) -> str:
    """A term or a general form in LaTeX."""
    return PRINTERS[node.head](node)


def show_argument(arg: Any) -> str:
    """An argument that may be an integer."""
    return str(arg) if isinstance(arg, int) else show(arg)


def fence(left: str, right: str, body: str) -> str:
    """The body between delimiters, large enough for what is tall in it."""
    if _TALL.search(body):
        return rf"\Bigl{left} {body}\Bigr{right}"
    space = " " if left[-1].isalpha() else ""  # a command's name must end before the body's
    return f"{left}{space}{body}{right}"


def bracketed(body: str) -> str:
    """The body in parentheses."""
    return fence("(", ")", body)


def joined(factors: Sequence[str]) -> str:
    """Factors side by side, with a thin space where two would run together."""
    text = ""
    for factor in factors:
        thin = factor.startswith(_WIDE) or factor[0].isdigit()
        text += (r"\," if text and thin else " " if text else "") + factor
    return text


def is_output(node: Node) -> bool:
    """Whether an operator is a scalar model: the network's output f, or a sub-model g_i."""
    return bool(node.head == "op" and node.args[0] in ("f", "submodel"))


def is_block(node: Node) -> bool:
    """Whether an operator is a projection onto a block of parameters."""
    return bool(node.head == "op" and node.args[0] == "Pi")


def is_slope(node: Node) -> bool:
    """Whether a diagonal is D^l, of the first derivatives at the layer's own pre-activation."""
    if node.head != "diag" or node.args[0].head != "act" or node.args[0].args[1] != 1:
        return False
    index, _, vector = node.args[0].args
    return bool(vector.head == "op" and vector.args[0] == "z" and vector.args[3] == index)


def is_entrywise(node: Node) -> bool:
    """Whether a product is of a diagonal and a vector, to be written entry by entry."""
    if node.head != "dot" or len(node.args) != 2 or node.args[0].head != "diag":
        return False
    right = node.args[1]
    return right.shape is not None and right.shape[1] is SCALAR and not is_slope(node.args[0])


def is_step(node: Node) -> bool:
    """Whether an operator is dz^l/dz^{l-1} = W^l D^{l-1} / sqrt(m_{l-1})."""
    if node.head != "scale" or node.args[1].head != "dot" or len(node.args[1].args) != 2:
        return False
    own, slope = node.args[1].args
    return bool(own.head == "op" and own.args[0] == "W" and is_slope(slope))


def is_output_curvature(node: Node) -> bool:
    """Whether an operator is d^2 f/(dz^l)^2 in terms of the same for the layer above."""
    if node.head != "plus" or len(node.args) != 2 or node.args[1].head != "dot":
        return False
    own, rest = node.args[0], node.args[1].args
    framed = len(rest) == 3 and rest[0].head == "T" and rest[0].args[0] == rest[2]
    return bool(framed and own.head == "diag" and is_step(rest[2]))


def factor(node: Node, *, first: bool = False) -> str:
    """A factor of a product of operators."""
    if is_step(node) or is_output_curvature(node):
        return show(node)
    loose = node.head in LOOSE or node.head == "kron" or (node.head == "scale" and not first)
    return bracketed(show(node)) if loose or is_entrywise(node) else show(node)


def atom(node: Node) -> str:
    """Something to put a sign, an exponent or a derivative on."""
    return show(node) if node.head in TIGHT else bracketed(show(node))


__all__ = [
    "LOOSE",
    "PRINTERS",
    "TIGHT",
    "Like",
    "Node",
    "atom",
    "bracketed",
    "factor",
    "fence",
    "is_block",
    "is_entrywise",
    "is_output",
    "is_output_curvature",
    "is_slope",
    "is_step",
    "joined",
    "show",
    "show_argument",
]
