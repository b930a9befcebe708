"""Sentences about a theorem's network and about the order of its bound, for a page."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from theory.graph import BilinearRule, Graph, LinearRule, PointwiseRule
from theory.orders import SIGNS, Growth, Monomial, OrderAssumption, unfolded
from theory.terms import Term, subterms
from theory.theorem import Theorem
from theory.writing import references
from theory.writing.groups import bundle, range_of
from theory.writing.latex import tex
from theory.writing.names import escaped, name_to_latex
from theory.writing.plain import plain
from theory.writing.prose import prose

DIGITS = 6
MANY = 3  # from more equal names on, those in the middle are left out


def network_sentences(theorem: Theorem) -> str:
    """The network in words: depth, widths, activations with their constants, readout."""
    if theorem.graph is not None:
        return graph_sentences(theorem, theorem.graph)
    network = theorem.network
    if network is None:
        return ""
    depth = network.depth
    layers = "one hidden layer" if depth == 1 else f"$L={depth}$ hidden layers"
    readout = "trained" if network.readout.trainable else "fixed"
    parts = [
        rf"Let $f(\theta;x)$ be the output of a fully connected network with {layers} of widths "
        rf"{_widths(network.widths)} and a {readout} linear readout.",
        _activations(network.activations),
    ]
    if theorem.radius is not None and str(theorem.radius) != "R":
        parts.append(f"The radius is $R={_sympy(theorem.radius)}$.")
    return " ".join(parts)


def graph_sentences(theorem: Theorem, graph: Graph) -> str:
    """A graph in words: what each node is, its size and its constants."""
    items = []
    for node, size in zip(graph.nodes, graph.sizes, strict=True):
        label = escaped(node.label or type(node.rule).__name__)
        parts = [rf"\texttt{{{label}}}"]
        parts.append(rf"$m_{{{node.index}}}={_width(size)}$")
        match node.rule:
            case BilinearRule(trainable=True):
                parts.append(rf"$\tau_{{{node.index}}}={_sympy(node.rule.contraction)}$")
            case LinearRule():
                parts += [
                    rf"$\ell_{{{node.index},{slot}}}={_sympy(value)}$"
                    for slot, value in enumerate(node.rule.norms)
                ]
            case PointwiseRule():
                formula = _sympy(node.rule.function.expr)
                parts[-1] = rf"$\sigma_{{{node.index}}}\colon t\mapsto {formula}$"
                parts[-1] += _constants(node.rule.function).replace("_l", f"_{{{node.index}}}")
            case BilinearRule():
                parts.append("weights drawn and not trained")
        items.append(rf"\item[{node.index}] {', '.join(parts)};")
    items[-1] = items[-1].removesuffix(";") + "."
    text = (
        r"Let $f(\theta;x)$ be an output of a network of the following nodes, $\alpha^n$ being the "
        r"value of node $n$, with $m_n$ entries."
    )
    body = [r"\begin{description}\setlength{\itemsep}{0pt}", *items, r"\end{description}"]
    if theorem.radius is not None and str(theorem.radius) != "R":
        body.append(f"The radius is $R={_sympy(theorem.radius)}$.")
    return "\n".join([text, *body])


def _sympy(value: Any) -> str:
    import sympy

    return str(sympy.latex(value)).replace(r"{\left(", "(").replace(r" \right)}", ")")


def _equal_runs(values: Sequence[Any]) -> list[tuple[int, int, Any]]:
    """Runs of equal values as (first index, last index, value)."""
    runs: list[tuple[int, int, Any]] = []
    for i, value in enumerate(values):
        if runs and runs[-1][2] == value:
            runs[-1] = (runs[-1][0], i, value)
        else:
            runs.append((i, i, value))
    return runs


def _widths(widths: Sequence[Any]) -> str:
    r"""The widths, such as ``$m_0=64$, $m_1=\dots=m_4=m$``."""
    shown = []
    for first, last, value in _equal_runs(widths):
        names = _equal([f"m_{{{i}}}" for i in range(first, last + 1)])
        shown.append(f"${names}={_width(value)}$")
    return ", ".join(shown)


def _width(value: Any) -> str:
    return str(value) if isinstance(value, int) else _sympy(value)


def _activations(functions: Sequence[Any]) -> str:
    """The activations, layer by layer, with the constants that the bound uses."""
    texts = []
    for first, last, function in _equal_runs(functions):
        start, end = first + 1, last + 1
        names = _equal([rf"\sigma_{{{i}}}" for i in range(start, end + 1)])
        texts.append(rf"${names}$: $t\mapsto {_sympy(function.expr)}${_constants(function)}")
    return f"Activations: {'; '.join(texts)}."


def _equal(names: Sequence[str]) -> str:
    shown = names if len(names) <= MANY else [names[0], r"\dots", names[-1]]
    return "=".join(shown)


def _constants(function: Any) -> str:
    r"""``, with $\lambda_l=1$ and $\beta_l=...$``; nothing where they are not finite."""
    from theory.activations.errors import ActivationError

    shown = []
    for symbol, order in ((r"\lambda_l", 1), (r"\beta_l", 2)):
        try:
            found = function.sup(order)
        except ActivationError:
            return ""
        exact = _sympy(found.exact) if found.exact is not None else None
        shown.append(f"${symbol}={exact}$" if exact else (rf"${symbol}\le {decimal(found.upper)}$"))
    return f", with {' and '.join(shown)}"


def decimal(value: Fraction, digits: int = DIGITS) -> str:
    """A rational as a decimal, rounded up."""
    scale = 10**digits
    whole, rest = divmod(-((-value.numerator * scale) // value.denominator), scale)
    tail = str(rest).zfill(digits).rstrip("0")
    return f"{whole}.{tail}" if tail else str(whole)


# -- the order ------------------------------------------------------------------------------------


def growth_to_latex(growth: Growth) -> str:
    r"""An order of growth, such as ``m^{-1/2}R(\log m)^{1/2}`` or ``\min(m_1,m_2)^{-1/2}``."""
    found = growth.extremal
    if found is not None:
        rest = "" if found.common == Monomial() else rf"\,{_monomial(found.common)}"
        power = "" if found.exponent == 1 else f"^{{{found.exponent}}}"
        names = ",".join(map(name_to_latex, found.names))
        return rf"\{found.of}({names}){power}{rest}"
    return " + ".join(sorted(map(_monomial, growth.monomials))) or "0"


def _monomial(m: Monomial) -> str:
    parts = [(name_to_latex(n), e) for n, e in m.widths]
    parts += [("R", m.radius), (r"(\log m)", m.log)]
    shown = [
        b.strip("()") if e == 1 and b.startswith("(") else b if e == 1 else f"{b}^{{{e}}}"
        for b, e in parts
        if e
    ]
    return r"\,".join(shown) or "1"


def order_sentences(theorem: Theorem) -> str:
    """The order of the bound, what O means, and the orders it rests on with their marks."""
    order = theorem.order
    side, bounded = "right", theorem.inequality.args[0]
    if theorem.below:
        side, bounded = "left", theorem.inequality.args[1]
    meaning = order.meaning.replace("sqrt(d)", "sqrt(m_0)").removeprefix(f"{order.relation}: ")
    lines = [
        rf"The {side} side of the theorem is ${order.latex}$; so is ${tex(bounded)}$. "
        f"Here ${SIGNS[order.relation]}$ means: {prose(meaning)}"
    ]
    if order.assumptions:
        lines += [
            "This rests on the following orders of measured quantities; those marked "
            r"\textsc{assumed} are not proved here.",
            r"\begin{itemize}\setlength{\itemsep}{0pt}",
            *_assumed(theorem, order.assumptions),
            r"\end{itemize}",
        ]
    return "\n".join(lines)


def _assumed(theorem: Theorem, assumptions: Sequence[OrderAssumption]) -> list[str]:
    """The orders assumed, those that differ only in their layers joined."""
    terms = _measured(theorem)
    items: list[tuple[str, tuple[Any, ...], tuple[int, ...], tuple[Term, ...]]] = []
    for a in assumptions:
        term = terms.get(a.symbol)
        if term is None:
            continue
        indices = tuple(t for t in term.args[1:] if type(t) is int) if term.head == "sym" else ()
        also = (rf"{SIGNS[a.relation]}\bigl({growth_to_latex(a.growth)}\bigr)", a.why, a.proved)
        items.append((term.args[0] if term.head == "sym" else a.symbol, also, indices, (term,)))
    items.sort(key=lambda i: (i[0], i[2]))
    return [_item(items, b) for b in bundle(items)]


def _item(items: Sequence[Any], b: Any) -> str:
    growth, why, proved = items[b.members[0]][1]
    scope = range_of(b.rows).replace("),(", r"),\allowbreak(")
    where = f" for ${scope}$" if scope else ""
    mark = "proved" if proved else r"\textsc{assumed}"
    return rf"\item ${tex(b.forms[0])}={growth}${where} ({mark}): {_why(why)}"


def _why(text: str) -> str:
    """A reason, a work that it names cited."""
    for r in references.REFERENCES.values():
        for plain_name in r.plain:
            if text.startswith(plain_name):
                rest = text[len(plain_name) :]
                return rf"{escaped(plain_name).replace('-', '--')}~\cite{{{r.key}}}{prose(rest)}"
    return prose(text)


def _measured(theorem: Theorem) -> dict[str, Term]:
    """Symbols and norms of the bound and its definitions, by their plain names."""
    found: dict[str, Term] = {}
    seen: set[Term] = set()
    pending = [theorem.statement, *theorem.definitions]
    while pending:
        for term in subterms(pending.pop()):
            if term in seen:
                continue
            seen.add(term)
            if term.head in ("sym", "norm"):
                found.setdefault(plain(term), term)
            pending += unfolded(term)
    return found


__all__ = ["growth_to_latex", "network_sentences", "order_sentences"]
