"""LaTeX of terms: every head of the kernel's language, the order of terms kept.

At the centre of the ball an operator carries the subscript 0, at the ball's point nothing:
``W^{2}_{0}`` and ``W^{2}``.  The input ``x`` is left out, another one is an argument.  Jacobians by
one block of parameters and blocks of the Hessian have notations of their own, which
:mod:`theory.symbols` declares: ``\\partial_{k} z^{l}`` and ``\\nabla^2_{k,k'} f``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from theory.terms import SCALAR, Term
from theory.vocabulary import CENTRE, INPUT, POINT, QUANTITIES, READOUT

if TYPE_CHECKING:
    from theory.theorem import Theorem

Node = Any  # a Term, or a theory.families.Shown, which has the same head and args

GREEK = frozenset(
    ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
     "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi",
     "omega"]
)  # fmt: skip
POINTS = {"theta": r"\theta", "theta0": r"\theta_0", "*": r"\vartheta"}
INPUTS = {"x": "x", "z": r"\tilde x"}  # z is also the name of the pre-activations
FULL_MATRIX = 6  # larger matrices are written by their general entry
HALF = Fraction(1, 2)


def tex(term: Node) -> str:
    """A term in LaTeX's math mode.

    Args:
        term: a term of any sort (or a general form made by :mod:`theory.families`).

    Returns:
        LaTeX with balanced braces, without the dollar signs.
    """
    return _show(term)


def theorem_to_latex(theorem: Theorem, *, document: bool = False, prefix: str | None = None) -> str:
    """A theorem with its proof as LaTeX; see :func:`theory.pages.theorem_to_latex`."""
    from theory import pages  # noqa: PLC0415  (pages are built on request)

    return pages.theorem_to_latex(theorem, document=document, prefix=prefix)


# -- names ----------------------------------------------------------------------------------------


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


def _point(point: Node) -> str:
    return POINTS.get(point.args[0]) or name_to_latex(point.args[0])


def _input(at: Node) -> str:
    return INPUTS.get(at.args[0]) or name_to_latex(at.args[0])


def _tags(tags: Sequence[Any]) -> tuple[list[str], list[Node], list[Node], list[str]]:
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
            words.append(escaped(tag) if isinstance(tag, str) else _show(tag))
    return indices, points, inputs, words


def _subscripted(name: str, indices: Sequence[str]) -> str:
    """The vocabulary's symbol with its layer indices."""
    inside = ",".join(indices)
    if name not in QUANTITIES:
        return name_to_latex(name) + (f"^{{({inside})}}" if inside else "")
    pattern = QUANTITIES[name].latex
    if "{}" in pattern:
        return pattern.format(inside)
    return pattern


def _symbol(node: Node) -> str:
    """A real symbol: the centre is not shown, another input is an argument."""
    name = node.args[0]
    indices, points, inputs, words = _tags(node.args[1:])
    if name == "epsilon":
        return _subscripted(name, [*indices, *map(_input, inputs), *words])
    arguments = [_point(p) for p in points if p not in (CENTRE, POINT)]
    arguments += [_input(i) for i in inputs if i is not INPUT] + words
    shown = _subscripted(name, indices)
    return f"{shown}({', '.join(arguments)})" if arguments else shown


def _operator(node: Node) -> str:
    """An operator symbol: subscript 0 at the centre, nothing at the ball's point."""
    name = node.args[0]
    indices, points, inputs, words = _tags(node.args[3:])
    if name == "Pi":
        return rf"\Pi_{{{','.join([*indices, *words])}}}"
    if name == "f":
        shown = ";".join([*map(_point, points), *map(_input, inputs)])
        return f"f({shown})" if shown else "f"
    if name == "theta" and len(points) == 1 and points[0].args[0] in POINTS:
        return _point(points[0])
    if name == "alpha" and indices == ["0"] and CENTRE in points:
        return _input(inputs[0]) if inputs else "x"
    if name == "v":
        indices = []
    base = _subscripted(name, indices) + ("_{0}" if CENTRE in points else "")
    arguments = [_point(p) for p in points if p not in (CENTRE, POINT)]
    arguments += [_input(i) for i in inputs if i is not INPUT] + words
    return f"{base}({'; '.join(arguments)})" if arguments else base


# -- fences and levels ----------------------------------------------------------------------------

_TALL = re.compile(r"\\(frac|sum|begin|Bigl|bigl|left)\b")


def fence(left: str, right: str, body: str) -> str:
    """The body between delimiters, large enough for what is tall in it."""
    size = "Big" if _TALL.search(body) else ""
    return rf"\{size}l{left} {body}\{size}r{right}" if size else f"{left}{body}{right}"


def _round(body: str) -> str:
    return fence("(", ")", body)


_LOOSE = frozenset({"add", "plus", "osum", "neg", "run"})  # to be bracketed inside a product
_NAMED_NORMS = {"2": "", "inf": r"_{\infty}", "1": "_{1}", "221": "_{2,2,1}"}


def _factor(node: Node, *, first: bool = False) -> str:
    """A factor of a product of operators."""
    loose = node.head in _LOOSE or node.head == "kron" or (node.head == "scale" and not first)
    return _round(_show(node)) if loose else _show(node)


def _atom(node: Node) -> str:
    """Something to put a sign, an exponent or a derivative on."""
    tight = ("sym", "op", "var", "id", "zero", "norm", "jac", "max", "min", "dim", "specnorm")
    return _show(node) if node.head in tight else _round(_show(node))


# -- reals ----------------------------------------------------------------------------------------


def _rational(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return rf"\tfrac{{{value.numerator}}}{{{value.denominator}}}"


def _powered(base: Node, exponent: Fraction) -> str:
    """A positive power."""
    if exponent == 1:
        return _round(_show(base)) if base.head in _LOOSE else _show(base)
    if exponent == HALF:
        return rf"\sqrt{{{_show(base)}}}"
    shown = _show(base) if base.head in ("sym", "dim", "norm", "var", "specnorm") else _round(
        _show(base))  # fmt: skip
    text = str(exponent.numerator) if exponent.denominator == 1 else (
        f"{exponent.numerator}/{exponent.denominator}")  # fmt: skip
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
        under.append(rf"\sqrt{{{_joined([_powered(b, Fraction(1)) for b in roots])}}}")
    top = _joined(above) or "1"
    return rf"\frac{{{top}}}{{{_joined(under)}}}" if under else top


_WIDE = (r"\sqrt", r"\lVert", r"\lvert", r"\left", r"\Big", r"\max", r"\min")


def _joined(factors: Sequence[str]) -> str:
    """Factors side by side, with a thin space where two would run together."""
    text = ""
    for factor in factors:
        thin = factor.startswith(_WIDE) or factor[0].isdigit()
        text += (r"\," if text and thin else " " if text else "") + factor
    return text


def _norm(node: Node) -> str:
    kind, inner = node.args
    bar = r"\lvert" if kind == "2" and inner.shape == (SCALAR, SCALAR) else r"\lVert"
    body = _show(inner)
    size = "Big" if _TALL.search(body) else ""
    left, right = (bar, bar.replace(r"\l", r"\r"))
    if size:
        return rf"\{size}l{left} {body}\{size}r{right}{_NAMED_NORMS[kind]}"
    return rf"{left} {body}{right}{_NAMED_NORMS[kind]}"


def _matrix(node: Node) -> str:
    """The spectral norm of a matrix: in full when small, by its general entry otherwise."""
    size, entries = node.args[0], node.args[1:]
    if size == 1:
        return fence(r"\lvert", r"\rvert", _show(entries[0]))
    plain = all(e.head in ("sym", "rat") for e in entries)
    if not plain or size > FULL_MATRIX:
        from theory.families import general_entry  # noqa: PLC0415  (it prints too)

        general = general_entry(entries, size)
        if general is not None:
            entry, labels = general
            return (rf"\Bigl\lVert\bigl[{_show(entry)}\bigr]_{{k,k'\in\{{{labels}\}}}}"
                    r"\Bigr\rVert")  # fmt: skip
    rows = [" & ".join(map(_show, entries[i * size : (i + 1) * size])) for i in range(size)]
    body = r"\\ ".join(rows)
    return (rf"\left\lVert\left[\begin{{array}}{{@{{}}*{{{size}}}{{c}}@{{}}}}{body}"
            r"\end{array}\right]\right\rVert")  # fmt: skip


# -- operators ------------------------------------------------------------------------------------


def summands(parts: Sequence[Node]) -> list[str]:
    """The summands of a sum with their signs; ``X + X'`` is written ``Sym(X)``."""
    shown: list[str] = []
    rest = list(parts)
    while rest:
        part = rest.pop(0)
        if rest and part.head == "dot" and rest[0].head == "T" and rest[0].args[0] == part:
            rest.pop(0)
            sign, body = "+", rf"\operatorname{{Sym}}{_round(_show(part))}"
        else:
            sign, inner = ("-", part.args[0]) if part.head == "neg" else ("+", part)
            body = _show(inner)
            if inner.head in ("add", "plus", "neg") and (shown or sign == "-"):
                body = _round(body)
        shown.append(f"{sign} {body}" if shown else body if sign == "+" else f"-{body}")
    return shown


def _sum(parts: Sequence[Node]) -> str:
    return " ".join(summands(parts))


def _is_block(node: Node) -> bool:
    return bool(node.head == "op" and node.args[0] == "Pi")


def _is_slope(node: Node) -> bool:
    """Whether a diagonal is D^l, of the first derivatives at the layer's own pre-activation."""
    if node.head != "diag" or node.args[0].head != "act" or node.args[0].args[1] != 1:
        return False
    index, _, vector = node.args[0].args
    return bool(vector.head == "op" and vector.args[0] == "z" and vector.args[3] == index)


def _diagonal(node: Node) -> str:
    inner = node.args[0]
    if _is_slope(node):
        vector = inner.args[2]
        z = _show(vector)
        return "D" + z[1:]
    return rf"\operatorname{{diag}}{_round(_show(inner))}"


def _transpose(node: Node) -> str:
    inner = node.args[0]
    if inner.head == "T":
        return _show(inner.args[0])
    if inner.head == "jac" and _is_output(inner.args[0]):
        return rf"\nabla {_show(inner.args[0])}"
    if inner.head in ("op", "var"):
        shown = _show(inner)
        return f"{shown}^{{\\top}}" if "^" not in shown and "(" not in shown else (
            rf"({shown})^{{\top}}")  # fmt: skip
    return rf"{_round(_show(inner))}^{{\top}}"


def _is_output(node: Node) -> bool:
    return bool(node.head == "op" and node.args[0] == "f")


def _jacobian(node: Node, by: str = "") -> str:
    function = node.args[0]
    if _is_output(function) and not by:
        return rf"\nabla {_show(function)}^{{\top}}"
    return rf"\partial{by} {_atom(function)}"


def _hessian(node: Node, block: str = "") -> str:
    covector, function, _ = node.args
    if covector.head == "id" and _is_output(function):
        return rf"\nabla^2{block} {_show(function)}"
    return rf"\langle {_show(covector)},\,\partial^2 {_atom(function)}\rangle"


def _dot(factors: Sequence[Node]) -> str:
    """A product of operators, with the notations for blocks."""
    if len(factors) == 2 and factors[0].head == "diag" and factors[1].shape is not None:
        left, right = factors
        if right.shape[1] is SCALAR and not _is_slope(left):
            return rf"{_factor(left.args[0])}\odot {_factor(right)}"
    shown, rest = [], list(factors)
    while rest:
        text, used = _next_factor(rest, first=not shown)
        shown.append(text)
        rest = rest[used:]
    return r"\, ".join(shown) if any("frac" in s for s in shown) else r"\,".join(shown)


def _next_factor(rest: Sequence[Node], *, first: bool) -> tuple[str, int]:
    """The next factor as text, and how many operators it takes up."""
    if len(rest) > 2 and _is_block(rest[0]) and rest[1].head == "hess" and (
        rest[2].head == "T" and _is_block(rest[2].args[0])
    ):  # fmt: skip
        rows, cols = (_tags(b.args[3:])[0] for b in (rest[0], rest[2].args[0]))
        if rest[1].args[0].head == "id":
            return _hessian(rest[1], f"_{{{','.join(rows)},{','.join(cols)}}}"), 3
    if len(rest) > 1 and rest[0].head == "jac" and (
        rest[1].head == "T" and _is_block(rest[1].args[0])
    ):  # fmt: skip
        cols = _tags(rest[1].args[0].args[3:])[0]
        return _jacobian(rest[0], f"_{{{','.join(cols)}}}"), 2
    return _factor(rest[0], first=first), 1


def _scaled(node: Node) -> str:
    number, operator = node.args
    coefficient = _round(_show(number)) if number.head == "add" else _show(number)
    body = _show(operator)
    alone = operator.head == "plus" and len(summands(operator.args)) == 1
    return f"{coefficient}\\,{body if alone else _factor(operator)}"


def _activation(node: Node) -> str:
    index, order, vector = node.args
    return rf"\sigma_{{{index_to_latex(index)}}}{chr(39) * order}{_round(_show(vector))}"


def _indexed_sum(name: str, low: Any, high: Any, body: Node) -> str:
    shown = _round(_show(body)) if body.head in _LOOSE else _show(body)
    name = name if len(name.rstrip("'")) == 1 else name_to_latex(name)
    return rf"\sum_{{{name}={index_to_latex(low)}}}^{{{index_to_latex(high)}}} {shown}"


def _contract(node: Node) -> str:
    vector, tensor = node.args
    return rf"\sum_{{k}} ({_show(vector)})_{{k}}\,({_show(tensor)})_{{k}}" if (
        vector.head != "var" or tensor.head != "var"
    ) else rf"\sum_{{k}} {_show(vector)}_{{k}} {_show(tensor)}_{{k}}"  # fmt: skip


# -- spaces and formulas --------------------------------------------------------------------------


def _dimension(node: Node) -> str:
    match node.args[0].head:
        case "layer":
            return f"m_{{{index_to_latex(node.args[0].args[0])}}}"
        case "params":
            return "p"
        case "scalar":
            return "1"
        case "tensor":
            return _joined([_dimension(Like("dim", (a,))) for a in node.args[0].args])
    return rf"\dim {_show(node.args[0])}"


class Like:
    """A head with arguments, printed as the term of that head."""

    def __init__(self, head: str, args: tuple[Any, ...]) -> None:
        self.head, self.args, self.shape = head, args, None


def _space(node: Node) -> str:
    match node.head:
        case "scalar":
            return r"\mathbb{R}"
        case "tensor":
            return r"\otimes ".join(map(_show, node.args))
        case "space":
            return name_to_latex(node.args[0])
    return rf"\mathbb{{R}}^{{{_dimension(Like('dim', (node,)))}}}"


def _interval(name: str, low: Any, high: Any) -> str:
    return rf"{index_to_latex(low)}\le {name}\le {index_to_latex(high)}"


def _ball(node: Node) -> str:
    _, centre, radius, formula = node.args
    inside = rf"\lVert\vartheta-{_point(centre)}\rVert\le {_show(radius)}"
    return rf"{_show(formula)}\quad\text{{for all }}\vartheta\text{{ with }}{inside}"


def _fact(node: Node) -> str:
    tags = [str(t) if isinstance(t, str) else _show_arg(t) for t in node.args[1:]]
    words = rf"\text{{{escaped(node.args[0])}}}"
    return f"{words}({', '.join(tags)})" if tags else words


def _show_arg(arg: Any) -> str:
    return str(arg) if isinstance(arg, int) else _show(arg)


PRINTERS: Mapping[str, Callable[[Node], str]] = {
    "index": index_to_latex,
    "point": _point,
    "input": _input,
    "var": lambda n: name_to_latex(n.args[0]),
    "scalar": _space,
    "params": _space,
    "layer": _space,
    "space": _space,
    "tensor": _space,
    "rat": lambda n: _rational(n.args[0]),
    "sym": _symbol,
    "dim": _dimension,
    "add": lambda n: _sum(n.args),
    "mul": lambda n: _product(n.args),
    "max": lambda n: rf"\max\{{{', '.join(map(_show, n.args))}\}}",
    "min": lambda n: rf"\min\{{{', '.join(map(_show, n.args))}\}}",
    "pow": lambda n: _product([n]),
    "norm": _norm,
    "specnorm": _matrix,
    "op": _operator,
    "id": lambda n: rf"I_{{{_dimension(Like('dim', n.args))}}}",
    "zero": lambda n: "0",  # noqa: ARG005
    "T": _transpose,
    "dot": lambda n: _dot(n.args),
    "plus": lambda n: _sum(n.args),
    "scale": _scaled,
    "neg": lambda n: f"-{_factor(n.args[0], first=True)}",
    "diag": _diagonal,
    "kron": lambda n: rf"{_factor(n.args[0])}\otimes {_factor(n.args[1])}",
    "act": _activation,
    "jac": _jacobian,
    "hess": _hessian,
    "contract": _contract,
    "osum": lambda n: _indexed_sum(*n.args),
    "run": lambda n: _indexed_sum(*n.args[:4]),
    "le": lambda n: rf"{_show(n.args[0])} \le {_show(n.args[1])}",
    "eq": lambda n: f"{_show(n.args[0])} = {_show(n.args[1])}",
    "fact": _fact,
    "range": lambda n: _interval(_show_arg(n.args[0]), *n.args[1:]),
    "forall": lambda n: rf"{_show(n.args[3])}\quad ({_interval(*n.args[:3])})",
    "ball": _ball,
}


def _show(node: Node) -> str:
    return PRINTERS[node.head](node)


__all__ = [
    "PRINTERS",
    "Term",
    "escaped",
    "fence",
    "index_to_latex",
    "name_to_latex",
    "tex",
    "theorem_to_latex",
]
