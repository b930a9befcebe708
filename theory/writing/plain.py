"""Terms and theorems as plain text, for a terminal."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from theory.terms import SCALAR, Term
from theory.vocabulary import CENTRE, INPUT, OUTER, POINT, READOUT, SAMPLE_SPACE, SAMPLES

if TYPE_CHECKING:
    from theory.theorem import Theorem

_OPERATORS = {
    "W": "W",
    "alpha": "alpha",
    "z": "z",
    "delta": "delta",
    "v": "v",
    "f": "f",
    "theta": "theta",
    "Pi": "Pi",
    "Pi_part": "Pi",
    "submodel": "g",
    "weight": "v",
}
_SYMBOLS = {"part_size": "G", "part_slope": "c", "part_beta": "beta"}


_SHORT = {
    "node_map": "A",
    "own": "B",
    "form": "T",
    "link": "L",
    "covector": "e",
    "node_norm": "s",
    "node_norm_bar": "s_bar",
    "own_norm": "b",
    "own_norm_bar": "b_bar",
    "mixed_norm": "x",
    "mixed_norm_bar": "x_bar",
    "pair_curve": "C",
    "pair_cross": "X",
    "reach": "P",
    "reach_bar": "P_bar",
}
"""How the names that graphs use are shown; no proof is about layers and about nodes."""
_OF_NORMAL = {"tail": "t", "quantile": "xi"}  # theory.writing.symbols says what they are


def plain(term: Term) -> str:
    """A term on one line of plain text."""
    return _plain(term, 0)


def _tag(tag: Any) -> str:
    if isinstance(tag, Term) and tag.head == "index":
        name, offset = tag.args
        return name if not offset else f"{name}{offset:+d}"
    return str(tag.args[0]) if isinstance(tag, Term) else str(tag)


def _named(term: Term) -> str:
    """A symbol with its layer indices; the centre is marked 0, the ball's point is not."""
    tags = term.args[3:] if term.head == "op" else term.args[1:]
    name = str(_SHORT.get(term.args[0], term.args[0]))
    name = (_OPERATORS if term.head == "op" else _SYMBOLS).get(name, name)
    if name == "theta" and len(tags) == 1 and tags[0] not in (CENTRE, POINT):
        return _tag(tags[0])
    if term.head == "op" and CENTRE in tags:
        name += "0"
    shown = [t for t in tags if t not in (CENTRE, POINT, INPUT, SAMPLES)]
    if term.head == "op" and term.args[0] == "v" and shown != [READOUT]:
        shown = [t for t in shown if isinstance(t, Term) and t.head == "input"]
    extra = [_tag(t) for t in shown if isinstance(t, Term) and t.head in ("point", "input")]
    inner = [_tag(t) for t in shown if not (isinstance(t, Term) and t.head in ("point", "input"))]
    text = name + ("_" + ",".join(inner) if inner else "")
    return text + (f"({', '.join(extra)})" if extra else "")


def _is_model(term: Term) -> bool:
    """Whether an operator is a scalar function of the parameters: f, or a sub-model g_i."""
    return term.head == "op" and term.args[0] in ("f", "submodel")


def _plain(term: Term, level: int) -> str:
    args = term.args
    match term.head:
        case "rat":
            return str(args[0])
        case "var":
            return str(args[0])
        case "sym" if args[0] in ("failure", "origin"):
            return "delta" if args[0] == "failure" else f"|sigma_{_tag(args[1])}(0)|"
        case "sym" | "op":
            return _named(term)
        case "dim":
            space = args[0]
            if space.head == "space":
                return "n" if space is SAMPLE_SPACE else str(space.args[0])
            return f"m_{_tag(space.args[0])}" if space.head == "layer" else f"dim {space}"
        case "add" | "plus":
            text = " + ".join(_plain(a, 1) for a in args).replace("+ -", "- ")
            return f"({text})" if level > 1 else text
        case "mul" | "dot":
            text = " ".join(_plain(a, 2) for a in args)
            return f"({text})" if level > 2 else text
        case "pow":
            return _power(args[0], args[1])
        case "max" | "min":
            return f"{term.head}({', '.join(_plain(a, 0) for a in args)})"
        case "norm":
            kind = "" if args[0] == "2" else f"_{args[0]}"
            return f"|{_plain(args[1], 0)}|{kind}"
        case "specnorm":
            size = args[0]
            rows = [args[1 + i * size : 1 + (i + 1) * size] for i in range(size)]
            body = "; ".join(", ".join(_plain(e, 0) for e in row) for row in rows)
            return f"|[{body}]|"
        case "tail" | "quantile":
            return f"{_OF_NORMAL[term.head]}({_plain(args[0], 0)})"
        case "rms":
            return f"kappa_{_tag(args[0])}{chr(39) * args[1]}({_plain(args[2], 0)})"
        case "T" if args[0].head == "T":
            return _plain(args[0].args[0], level)
        case "T" if args[0].head == "jac" and _is_model(args[0].args[0]):
            return f"grad {_plain(args[0].args[0], 3)}"
        case "T":
            return f"{_plain(args[0], 3)}'"
        case "neg":
            return f"-{_plain(args[0], 2)}"
        case "scale":
            text = f"{_plain(args[0], 2)} {_plain(args[1], 2)}"
            return f"({text})" if level > 2 else text
        case "kron":
            sign = "" if args[0].shape == (SCALAR, SCALAR) else "(x) "
            return f"({_plain(args[0], 3)} {sign}{_plain(args[1], 3)})"
        case "diag":
            return f"diag({_plain(args[0], 0)})"
        case "id":
            return "I"
        case "zero":
            return "0"
        case "act":
            dashes = chr(39) * args[1]
            name = "phi" if args[0] is OUTER else f"sigma_{_tag(args[0])}"
            return f"{name}{dashes}({_plain(args[2], 0)})"
        case "jac":
            if _is_model(args[0]):
                return f"(grad {_plain(args[0], 3)})'"
            return f"D[{_plain(args[0], 0)}]"
        case "hess":
            if args[0].head == "id":
                return f"D2[{_plain(args[1], 0)}]"
            return f"<{_plain(args[0], 0)}, D2[{_plain(args[1], 0)}]>"
        case "contract":
            return f"sum_k {_plain(args[0], 3)}_k {_plain(args[1], 3)}_k"
        case "osum":
            return f"sum_{{{args[0]}={_tag(args[1])}}}^{{{_tag(args[2])}}} ({_plain(args[3], 0)})"
        case "rsum":
            return f"sum_{{{args[0]}={_tag(args[1])}}}^{{{_tag(args[2])}}} ({_plain(args[3], 0)})"
        case "rmax":
            over = f"{_tag(args[1])} <= {args[0]} <= {_tag(args[2])}"
            return f"max_{{{over}}} ({_plain(args[3], 0)})"
        case "range":
            return " <= ".join(map(_tag, (args[1], args[0], args[2])))
        case "le" | "eq":
            sign = "<=" if term.head == "le" else "="
            return f"{_plain(args[0], 0)} {sign} {_plain(args[1], 0)}"
        case "forall":
            return f"for {args[0]} = {_tag(args[1])}..{_tag(args[2])}: {_plain(args[3], 0)}"
        case "ball":
            return (
                f"for all {args[0]} with |{args[0]} - {_tag(args[1])}| <= "
                f"{_plain(args[2], 0)}: {_plain(args[3], 0)}"
            )
        case "everywhere":
            return f"for all {args[0]}: {_plain(args[1], 0)}"
        case "for_part":
            return f"for the model g_{_tag(args[0])}: {_plain(args[1], 0)}"
        case "after":
            start = f"for the point {args[0]} after {_tag(args[1])} gradient steps"
            return f"{start} from {_tag(args[2])}: {_plain(args[4], 0)}"
        case "likely":
            return f"with probability at least 1 - {_plain(args[0], 2)}: {_plain(args[1], 0)}"
    return " ".join([term.head, *map(_tag, args)])


def _power(base: Term, exponent: Fraction) -> str:
    if exponent == Fraction(1, 2):
        return f"sqrt({_plain(base, 0)})"
    if exponent == Fraction(-1, 2):
        return f"1/sqrt({_plain(base, 0)})"
    shown = str(exponent) if exponent.denominator == 1 and exponent > 0 else f"({exponent})"
    return f"{_plain(base, 3)}^{shown}"


def theorem_to_text(theorem: Theorem) -> str:
    """A theorem for a terminal: statement, abbreviations, assumptions, order, lemmas."""
    lines = [f"{theorem.name}: {theorem.title}", "", f"    {plain(theorem.statement)}"]
    if theorem.definitions:
        lines += ["", "where"]
        lines += [f"    {plain(d)}" for d in reversed(theorem.definitions)]
    if theorem.widths:
        shown = ", ".join(f"m_{i} = {w}" for i, w in enumerate(theorem.widths))
        lines += ["", f"widths: {shown}"]
    if theorem.failure is not None:
        lines += ["", f"delta = {theorem.failure}, shared by {len(theorem.events)} events:"]
        lines += [f"    {e.lemma} ({plain(e.share)}): {plain(e.formula)}" for e in theorem.events]
    lines += ["", "assuming"] + [f"    - {a.text}" for a in theorem.assumptions]
    if theorem.widths:
        lines += ["", f"order: {theorem.order}"]
        lines += [f"    {a}" for a in theorem.order.assumptions]
    names = ", ".join(lemma.name for lemma in theorem.lemmas)
    lines += ["", f"trusted lemmas: {names}", f"source: {theorem.citation}"]
    return "\n".join(lines)
