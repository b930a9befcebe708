r"""LaTeX of terms: every head of the kernel's language, the order of terms kept.

Names are those of :mod:`theory.writing.names`: ``W^{2}_{0}`` at the centre of the ball, ``W^{2}``
elsewhere. Jacobians by one block of parameters and blocks of the Hessian have notations of their
own, which :mod:`theory.writing.symbols` declares: ``\partial_{k} z^{l}``, ``\nabla^2_{k,k'} f``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from theory.writing import operators, reals
from theory.writing.base import PRINTERS, Node, show, show_argument
from theory.writing.names import escaped, index_to_latex, input_to_latex, point_to_latex

if TYPE_CHECKING:
    from theory.theorem import Theorem


def tex(term: Node) -> str:
    """A term in LaTeX's math mode.

    Args:
        term: a term of any sort (or a general form made by :mod:`theory.writing.families`).

    Returns:
        LaTeX with balanced braces, without the dollar signs.
    """
    return show(term)


def theorem_to_latex(theorem: Theorem, *, document: bool = False, prefix: str | None = None) -> str:
    """A theorem with its proof as LaTeX; see :func:`theory.writing.pages.theorem_to_latex`."""
    from theory.writing import pages

    return pages.theorem_to_latex(theorem, document=document, prefix=prefix)


# -- indices and formulas -------------------------------------------------------------------------


def _interval(name: str, low: Any, high: Any) -> str:
    return rf"{index_to_latex(low)}\le {name}\le {index_to_latex(high)}"


def quantified(node: Node) -> str:
    """Of what a statement about a ball, a path or with a probability says something, in words."""
    if node.head == "likely":
        chance = node.args[0]
        shown = f"({show(chance)})" if chance.head == "add" else show(chance)
        return rf"\text{{with probability at least }}1-{shown}"
    if node.head == "after":
        steps, start = index_to_latex(node.args[1]), point_to_latex(node.args[2])
        words = rf"\text{{ after }}{steps}\text{{ gradient steps from }}{start}"
        return rf"\text{{for }}\vartheta{words}"
    _, centre, radius, _ = node.args
    inside = rf"\lVert\vartheta-{point_to_latex(centre)}\rVert\le {show(radius)}"
    return rf"\text{{for all }}\vartheta\text{{ with }}{inside}"


def _wrapped(node: Node) -> str:
    return rf"{show(node.args[-1])}\quad{quantified(node)}"


def _for_part(node: Node) -> str:
    index = index_to_latex(node.args[0])
    return rf"{show(node.args[1])}\quad\text{{for the model }}g_{{{index}}}"


def _everywhere(node: Node) -> str:
    return rf"{show(node.args[1])}\quad\text{{for all }}\vartheta"


def _fact(node: Node) -> str:
    tags = [str(t) if isinstance(t, str) else show_argument(t) for t in node.args[1:]]
    words = rf"\text{{{escaped(node.args[0])}}}"
    return f"{words}({', '.join(tags)})" if tags else words


PRINTERS.update(
    {
        "index": index_to_latex,
        "point": point_to_latex,
        "input": input_to_latex,
        "le": lambda n: rf"{show(n.args[0])} \le {show(n.args[1])}",
        "eq": lambda n: f"{show(n.args[0])} = {show(n.args[1])}",
        "fact": _fact,
        "range": lambda n: _interval(show_argument(n.args[0]), *n.args[1:]),
        "forall": lambda n: rf"{show(n.args[3])}\quad ({_interval(*n.args[:3])})",
        "ball": _wrapped,
        "everywhere": _everywhere,
        "for_part": _for_part,
        "after": _wrapped,
        "likely": _wrapped,
    }
)

__all__ = ["PRINTERS", "operators", "reals", "tex", "theorem_to_latex"]
