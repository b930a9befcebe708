"""Linear operators in LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theory.terms import SCALAR
from theory.vocabulary import OUTER
from theory.writing.base import (
    LOOSE,
    PRINTERS,
    Node,
    atom,
    bracketed,
    factor,
    is_block,
    is_entrywise,
    is_output,
    is_output_curvature,
    is_slope,
    is_step,
    show,
)
from theory.writing.names import index_to_latex, name_to_latex, operator_to_latex, sorted_tags


def summands(parts: Sequence[Node]) -> list[str]:
    """The summands of a sum with their signs; ``X + X'`` is written ``Sym(X)``."""
    shown: list[str] = []
    rest = list(parts)
    while rest:
        part = rest.pop(0)
        if rest and part.head == "dot" and rest[0].head == "T" and rest[0].args[0] == part:
            rest.pop(0)
            sign, body = "+", rf"\operatorname{{Sym}}{bracketed(show(part))}"
        else:
            sign, inner = ("-", part.args[0]) if part.head == "neg" else ("+", part)
            body = show(inner)
            if inner.head in ("add", "plus", "neg") and (shown or sign == "-"):
                body = bracketed(body)
        shown.append(f"{sign} {body}" if shown else body if sign == "+" else f"-{body}")
    return shown


def _diagonal(node: Node) -> str:
    inner = node.args[0]
    if is_slope(node):
        vector = inner.args[2]
        z = show(vector)
        return "D" + z[1:]
    return rf"\operatorname{{diag}}{bracketed(show(inner))}"


def _transpose(node: Node) -> str:
    inner = node.args[0]
    if inner.head == "T":
        return show(inner.args[0])
    if inner.head == "jac" and is_output(inner.args[0]):
        return rf"\nabla {show(inner.args[0])}"
    if inner.head in ("op", "var") or is_step(inner):
        shown = show(inner)
        return (
            f"{shown}^{{\\top}}"
            if "^" not in shown and "(" not in shown
            else (rf"({shown})^{{\top}}")
        )
    return rf"{bracketed(show(inner))}^{{\top}}"


def _jacobian(node: Node, by: str = "") -> str:
    function = node.args[0]
    if is_output(function) and not by:
        return rf"\nabla {show(function)}^{{\top}}"
    return rf"\partial{by} {atom(function)}"


def _hessian(node: Node, block: str = "") -> str:
    covector, function, _ = node.args
    if covector.head == "id" and is_output(function):
        return rf"\nabla^2{block} {show(function)}"
    return rf"\langle {show(covector)},\,\partial^2 {atom(function)}\rangle"


def _dot(node: Node) -> str:
    """A product of operators, with the notations for blocks."""
    factors = node.args
    if is_entrywise(node):
        return rf"{factor(factors[0].args[0])}\odot {factor(factors[1])}"
    shown: list[str] = []
    rest = list(factors)
    while rest:
        text, used = _next(rest, first=not shown)
        shown.append(text)
        rest = rest[used:]
    return r"\, ".join(shown) if any("frac" in s for s in shown) else r"\,".join(shown)


def _next(rest: Sequence[Node], *, first: bool) -> tuple[str, int]:
    """The next factor as text, and how many operators it takes up."""
    if (
        len(rest) > 2
        and is_block(rest[0])
        and rest[1].head == "hess"
        and (rest[2].head == "T" and is_block(rest[2].args[0]))
    ):
        rows, cols = (sorted_tags(b.args[3:])[0] for b in (rest[0], rest[2].args[0]))
        if rest[1].args[0].head == "id":
            return _hessian(rest[1], f"_{{{','.join(rows)},{','.join(cols)}}}"), 3
    if (
        len(rest) > 1
        and rest[0].head == "jac"
        and (rest[1].head == "T" and is_block(rest[1].args[0]))
    ):
        cols = sorted_tags(rest[1].args[0].args[3:])[0]
        return _jacobian(rest[0], f"_{{{','.join(cols)}}}"), 2
    return factor(rest[0], first=first), 1


def _step(node: Node) -> str:
    """T^l, with the marks of W^l."""
    return "T" + show(node.args[1].args[0])[1:]


def _sum(node: Node) -> str:
    """A sum; S^l for the curvature of the output by z^l, with the marks of z^l."""
    if is_output_curvature(node):
        below = node.args[1].args[2].args[1].args[1]
        return "S" + show(below.args[0].args[2])[1:]
    return " ".join(summands(node.args))


def _scaled(node: Node) -> str:
    number, operator = node.args
    if is_step(node):
        return _step(node)
    coefficient = bracketed(show(number)) if number.head == "add" else show(number)
    body = show(operator)
    alone = operator.head == "plus" and len(summands(operator.args)) == 1
    return f"{coefficient}\\,{body if alone else factor(operator)}"


def _activation(node: Node) -> str:
    index, order, vector = node.args
    if index is OUTER:
        return rf"\varphi{chr(39) * order}{bracketed(show(vector))}"
    return rf"\sigma_{{{index_to_latex(index)}}}{chr(39) * order}{bracketed(show(vector))}"


def _kronecker(node: Node) -> str:
    """A Kronecker product; that of a number with a matrix is a multiple."""
    sign = r"\," if node.args[0].shape == (SCALAR, SCALAR) else r"\otimes "
    return rf"{factor(node.args[0])}{sign}{factor(node.args[1])}"


def indexed(node: Node) -> str:
    """A sum or a maximum of reals over an index."""
    name, low, high, body = node.args
    if node.head == "rsum":
        return _indexed_sum(name, low, high, body)
    shown = bracketed(show(body)) if body.head in LOOSE else show(body)
    name = name if len(name.rstrip("'")) == 1 else name_to_latex(name)
    return rf"\max_{{{index_to_latex(low)}\le {name}\le {index_to_latex(high)}}} {shown}"


def _indexed_sum(name: str, low: Any, high: Any, body: Node) -> str:
    shown = bracketed(show(body)) if body.head in LOOSE else show(body)
    name = name if len(name.rstrip("'")) == 1 else name_to_latex(name)
    return rf"\sum_{{{name}={index_to_latex(low)}}}^{{{index_to_latex(high)}}} {shown}"


def _contract(node: Node) -> str:
    vector, tensor = node.args
    return (
        rf"\sum_{{k}} ({show(vector)})_{{k}}\,({show(tensor)})_{{k}}"
        if (vector.head != "var" or tensor.head != "var")
        else rf"\sum_{{k}} {show(vector)}_{{k}} {show(tensor)}_{{k}}"
    )


PRINTERS.update(
    {
        "op": operator_to_latex,
        "var": lambda n: name_to_latex(n.args[0]),
        "zero": lambda n: "0",
        "T": _transpose,
        "dot": _dot,
        "plus": _sum,
        "scale": _scaled,
        "neg": lambda n: f"-{factor(n.args[0], first=True)}",
        "diag": _diagonal,
        "kron": _kronecker,
        "act": _activation,
        "jac": _jacobian,
        "hess": _hessian,
        "contract": _contract,
        "osum": lambda n: _indexed_sum(*n.args),
        "run": lambda n: _indexed_sum(*n.args[:4]),
    }
)
