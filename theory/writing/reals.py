"""Non-negative reals in LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from theory.terms import SCALAR
from theory.vocabulary import SAMPLE_SPACE
from theory.writing.base import (
    LOOSE,
    PRINTERS,
    Like,
    Node,
    bracketed,
    fence,
    joined,
    show,
)
from theory.writing.names import index_to_latex, name_to_latex, symbol_to_latex
from theory.writing.operators import indexed, summands

FULL_MATRIX = 6  # larger matrices are written by their general entry
MATRIX_COLUMNS = 10  # what amsmath's bmatrix takes
HALF = Fraction(1, 2)
_NAMED_NORMS = {
    "2": "",
    "inf": r"_{\infty}",
    "1": "_{1}",
    "221": "_{2,2,1}",
    "2inf": r"_{2,\infty}",
}


def _rational(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return rf"\tfrac{{{value.numerator}}}{{{value.denominator}}}"


def _powered(base: Node, exponent: Fraction) -> str:
    """A positive power."""
    if exponent == 1:
        return bracketed(show(base)) if base.head in LOOSE else show(base)
    if exponent == HALF:
        return rf"\sqrt{{{show(base)}}}"
    shown = (
        show(base)
        if base.head in ("sym", "dim", "norm", "var", "specnorm", "general")
        else bracketed(show(base))
    )
    text = (
        str(exponent.numerator)
        if exponent.denominator == 1
        else (f"{exponent.numerator}/{exponent.denominator}")
    )
    return f"{shown}^{{{text}}}"


def _collected(factors: Sequence[Node]) -> tuple[Fraction, dict[Node, Fraction]]:
    """A product as a rational number and exponents of bases, in order of first appearance."""
    number, exponents = Fraction(1), {}  # type: tuple[Fraction, dict[Node, Fraction]]
    for factor in factors:
        if factor.head == "rat":
            number *= factor.args[0]
            continue
        base, exponent = factor.args if factor.head == "pow" else (factor, Fraction(1))
        exponents[base] = exponents.get(base, Fraction(0)) + exponent
    return number, exponents


def _product(factors: Sequence[Node]) -> str:
    """A product of reals: equal factors as powers, negative powers in the denominator."""
    number, exponents = _collected(factors)
    below = {b: -e for b, e in exponents.items() if e < 0}
    above = [_powered(b, e) for b, e in exponents.items() if e > 0]
    if number != 1 and (not below or number.denominator == 1):
        above.insert(0, _rational(number))
    elif number != 1:
        above.insert(0, str(number.numerator)) if number.numerator != 1 else None
    roots = [b for b, e in below.items() if e == HALF]
    under = [str(number.denominator)] if below and number.denominator != 1 else []
    under += [_powered(b, e) for b, e in below.items() if e != HALF]
    if roots:
        under.append(rf"\sqrt{{{joined([_powered(b, Fraction(1)) for b in roots])}}}")
    top = joined(above) or "1"
    return rf"\frac{{{top}}}{{{joined(under)}}}" if under else top


def _norm(node: Node) -> str:
    kind, inner = node.args
    if kind == "min":
        return rf"\sigma_{{\min}}{bracketed(show(inner))}"
    bar = "vert" if kind == "2" and inner.shape == (SCALAR, SCALAR) else "Vert"
    return fence(rf"\l{bar}", rf"\r{bar}", show(inner)) + _NAMED_NORMS[kind]


def _general(node: Node) -> str:
    """The spectral norm of a matrix by its general entry in k and k'."""
    entry, labels = node.args
    return rf"\Bigl\lVert\bigl[{show(entry)}\bigr]_{{k,k'\in\{{{labels}\}}}}\Bigr\rVert"


def _matrix(node: Node) -> str:
    """The spectral norm of a matrix: in full when small, by its general entry otherwise."""
    size, entries = node.args[0], node.args[1:]
    if size == 1:
        return fence(r"\lvert", r"\rvert", show(entries[0]))
    plain = all(e.head in ("sym", "rat") for e in entries)
    if not plain or size > FULL_MATRIX:
        from theory.writing.families import general_entry

        general = general_entry(entries, size)
        if general is not None:
            return _general(general)
    rows = [" & ".join(map(show, entries[i * size : (i + 1) * size])) for i in range(size)]
    body = r"\\ ".join(rows)
    matrix = (
        rf"\begin{{bmatrix}}{body}\end{{bmatrix}}"
        if size <= MATRIX_COLUMNS
        else (rf"\left[\begin{{array}}{{{'c' * size}}}{body}\end{{array}}\right]")
    )
    return rf"\left\lVert{matrix}\right\rVert"


def _dimension(node: Node) -> str:
    match node.args[0].head:
        case "layer":
            return f"m_{{{index_to_latex(node.args[0].args[0])}}}"
        case "weights":
            return rf"\dim W^{{{index_to_latex(node.args[0].args[0])}}}"
        case "params":
            return "p"
        case "scalar":
            return "1"
        case "tensor":
            return joined([_dimension(Like("dim", (a,))) for a in node.args[0].args])
        case "part":
            return f"p_{{{index_to_latex(node.args[0].args[0])}}}"
        case "space":
            return "n" if node.args[0] is SAMPLE_SPACE else name_to_latex(node.args[0].args[0])
    return rf"\dim {show(node.args[0])}"


def _space(node: Node) -> str:
    match node.head:
        case "scalar":
            return r"\mathbb{R}"
        case "tensor":
            return r"\otimes ".join(map(show, node.args))
        case "space":
            return name_to_latex(node.args[0])
    return rf"\mathbb{{R}}^{{{_dimension(Like('dim', (node,)))}}}"


def _of_normal(node: Node) -> str:
    """The notations ``t(p)`` and ``xi(p)``, which the table of symbols explains."""
    name = {"tail": "t", "quantile": r"\xi"}[node.head]
    return name + bracketed(show(node.args[0]))


def _moment(node: Node) -> str:
    index, order, scale = node.args
    return rf"\kappa_{{{index_to_latex(index)}}}{chr(39) * order}{bracketed(show(scale))}"


PRINTERS.update(
    {
        "tail": _of_normal,
        "quantile": _of_normal,
        "rms": _moment,
        "rat": lambda n: _rational(n.args[0]),
        "sym": symbol_to_latex,
        "dim": _dimension,
        "add": lambda n: " ".join(summands(n.args)),
        "mul": lambda n: _product(n.args),
        "max": lambda n: rf"\max\{{{', '.join(map(show, n.args))}\}}",
        "min": lambda n: rf"\min\{{{', '.join(map(show, n.args))}\}}",
        "pow": lambda n: _product([n]),
        "norm": _norm,
        "specnorm": _matrix,
        "rsum": indexed,
        "rmax": indexed,
        "general": _general,
        "scalar": _space,
        "params": _space,
        "layer": _space,
        "part": _space,
        "weights": _space,
        "space": _space,
        "tensor": _space,
        "id": lambda n: rf"I_{{{_dimension(Like('dim', n.args))}}}",
    }
)
