"""What a theorem assumes, in words and in LaTeX, read off the hypotheses of its judgement."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from theory.conditions import condition, is_step
from theory.terms import Term, subterms
from theory.vocabulary import OUTER

_FACTS: dict[str, tuple[str, str]] = {
    "parameters": (
        "the trainable parameters are W^1, ..., W^{depth}{readout}, with the Euclidean norm",
        r"the trainable parameters $\theta$ are $W^{{1}},\dots,W^{{{depth}}}${readout}, with the "
        r"Euclidean norm",
    ),
    "input": (
        "the input alpha^0 = x does not depend on the parameters",
        r"the input $\alpha^0=x$ does not depend on the parameters",
    ),
    "dense": (
        "layer l is dense: z^l = W^l alpha^{l-1} / sqrt(m_{l-1})",
        r"$z^l=W^l\alpha^{l-1}/\sqrt{m_{l-1}}$",
    ),
    "pointwise": (
        "layer l has a pointwise activation: alpha^l = sigma_l(z^l)",
        r"$\alpha^l=\sigma_l(z^l)$ entry by entry",
    ),
    "general": (
        "layer l is alpha^l = phi_l(w^l, alpha^{l-1}), phi_l twice continuously differentiable",
        r"$\alpha^l=\varphi_l(w^l,\alpha^{l-1})$ with $\varphi_l\in C^2$",
    ),
    "samples": ("", ""),
    "smooth": ("sigma_l is twice continuously differentiable", r"$\sigma_l\in C^2(\mathbb R)$"),
    "bounded": ("", ""),
    "graph": ("", ""),
    "gaussian": ("", ""),
    "drawn": ("", ""),
    "readout": ("", ""),
    "twice_differentiable": (
        "f is twice continuously differentiable in the parameters",
        r"$f$ is twice continuously differentiable in $\theta$",
    ),
    "assembly": (
        "f(theta; x) = eta sum_{i=1}^COUNT v_i g_i(w_i; x), theta consists of w_1, ..., w_COUNT, "
        "and every g_i is twice continuously differentiable in w_i",
        r"$f(\theta;x)=\eta\sum_{i=1}^{COUNT}v_i\,g_i(w_i;x)$, $\theta$ consists of "
        r"$w_1,\dots,w_{COUNT}$, and every $g_i$ is twice continuously differentiable in $w_i$",
    ),
    "shared": (
        "each group of MEMBERS sub-models shares its function g_i and its parameters w_i, "
        "v_i = sum_{j=1}^MEMBERS v_{i,j}",
        r"each group of $MEMBERS$ sub-models shares its function $g_i$ and its parameters $w_i$, "
        r"$v_i=\sum_{j=1}^{MEMBERS}v_{i,j}$",
    ),
    "scale": ("eta = m^(-EXPONENT)", r"$\eta=m^{-EXPONENT}$"),
    "dominant": ("|v_COUNT| = m^(EXPONENT)", r"$|v_{COUNT}|=m^{EXPONENT}$"),
    "part_bounded": (
        "the Hessian norm of g_i by its own parameters is at most beta_i",
        r"$\|\Pi_i\nabla^2g_i\Pi_i^\top\|\le\beta_i$",
    ),
    "signs": (
        "the weights v_1, ..., v_COUNT are independent, uniform on -1 and 1, and independent of "
        "theta_0",
        r"the weights $v_1,\dots,v_{COUNT}$ are independent, uniform on $\{-1,1\}$, and "
        r"independent of $\theta_0$",
    ),
    "output_bounded": (
        "|g_i| <= G at all parameters and inputs",
        r"$|g_i|\le G$ at all parameters and inputs",
    ),
    "part_steep": (
        "|v_i| times the gradient norm of g_i is at least c",
        r"$c\le|v_i|\,\|\Pi_i\nabla g_i\|$",
    ),
}
FACTS = tuple(_FACTS)
_OF_LAYERS = ("dense", "general", "pointwise", "smooth")


@dataclass(frozen=True)
class Assumption:
    """One assumption of a theorem.

    Attributes:
        name: what :func:`proofs_check.falsify` and error messages call it.
        text: the assumption in words.
        latex: the same for a page.
        formulas: the hypotheses of the judgement that it stands for.
    """

    name: str
    text: str
    latex: str
    formulas: tuple[Term, ...]

    def __str__(self) -> str:
        """The assumption in words."""
        return self.text


def describe(formulas: Iterable[Term]) -> tuple[Assumption, ...]:
    """Group hypotheses into assumptions that a reader recognises.

    Args:
        formulas: hypotheses of a judgement, its definitions left out.

    Returns:
        The assumptions, the network's first; facts that differ only in the layer are joined.
    """
    groups: dict[tuple[str, ...], list[Term]] = {}
    for formula in sorted(formulas, key=_rank):
        groups.setdefault(_key(formula), []).append(formula)
    return tuple(_describe(key, tuple(found)) for key, found in groups.items())


_ORDER = (
    "graph",
    "parameters",
    "input",
    "dense",
    "general",
    "pointwise",
    "smooth",
    "bounded",
    "readout",
    "gaussian",
    "drawn",
    "twice_differentiable",
    "assembly",
    "signs",
    "shared",
    "scale",
    "dominant",
    "part_bounded",
    "part_steep",
    "output_bounded",
)


def _rank(formula: Term) -> tuple[int, str, tuple[int, ...], str]:
    """By kind, then by index; by its text at last, so that a proof is written alike each time."""
    if formula.head != "fact":
        return len(_ORDER), "", (), str(formula)
    name = formula.args[0]
    place = _ORDER.index(name) if name in _ORDER else len(_ORDER)
    indices = tuple(a for a in reversed(formula.args) if isinstance(a, int))
    return place, name, indices, str(formula)


def _key(formula: Term) -> tuple[str, ...]:
    if formula.head == "forall" and formula.args[3].head == "for_part":
        return ("for_part", *map(str, formula.args[:3]))
    if formula.head != "fact":
        return ("step",) if is_step(formula) else (formula.head, str(formula))
    if formula.args[0] == "bounded":
        return ("bounded", str(formula.args[2]))
    return (formula.args[0],)


def _layers(formulas: tuple[Term, ...]) -> str:
    indices = [f.args[1] for f in formulas]
    if all(isinstance(i, int) for i in indices) and len(indices) > 1:
        low, high = min(indices), max(indices)
        if sorted(indices) == list(range(low, high + 1)):
            return f"{low},\\dots,{high}" if high > low + 1 else f"{low},{high}"
    return ",".join(str(i if isinstance(i, int) else i.args[0]) for i in indices)


def _describe(key: tuple[str, ...], formulas: tuple[Term, ...]) -> Assumption:
    name = key[0]
    first = formulas[0]
    if name in _OF_LAYERS and isinstance(first.args[1], Term):
        text, latex = (_at(t, first.args[1]) for t in _FACTS[name])
        return Assumption(name, text, latex, formulas)
    if name == "for_part":
        return _of_parts(formulas)
    if name == "forall" and first.args[3].head == "fact" and first.args[0] in ("l", "i"):
        return _for_all(first, formulas)
    if name in ("assembly", "signs", "shared", "scale", "dominant"):
        return _assembled(name, first, formulas)
    if name in _OF_LAYERS:
        where = _layers(formulas)
        text, latex = _FACTS[name]
        words = where.replace("\\dots", "...")
        return Assumption(name, f"{text}, l = {words}", f"{latex} for $l={where}$", formulas)
    if name == "bounded":
        return _bounded(key[1], formulas)
    if name == "readout":
        return _readout(first, formulas)
    if name == "gaussian":
        return _gaussian(first, formulas)
    if name == "drawn":
        return _drawn(formulas)
    if name == "parameters":
        return _parameters(first, formulas)
    if name == "samples":
        return _samples(first, formulas)
    if name == "graph":
        return _graph(first.args[1], formulas)
    if name in _FACTS:
        return Assumption(name, *_FACTS[name], formulas)
    return _other(first, formulas)


def _at(text: str, index: Term) -> str:
    """A text about layer l for another symbolic layer, such as l+1."""
    if index is OUTER:
        return text.replace("sigma_l", "phi").replace(r"\phi", r"\varphi")
    name, offset = index.args
    own, below = (f"{name}{o:+d}" if o else name for o in (offset, offset - 1))
    text = text.replace("{l-1}", f"{{{below}}}").replace("layer l ", f"layer {own} ")
    text = re.sub(r"([_^])l\b", rf"\1{{{own}}}" if offset else rf"\1{own}", text)
    return text.replace("sigma_l", f"sigma_{own}")


def _for_all(formula: Term, formulas: tuple[Term, ...]) -> Assumption:
    """A fact about every layer of a range whose ends may be symbolic."""
    _, low, high, fact = formula.args
    ends = [str(i) if isinstance(i, int) else str(i.args[0]) for i in (low, high)]
    if fact.args[0] == "bounded":
        bound = _bounded(str(fact.args[2]), (fact,))
        name, text, latex = bound.name, *(t.rpartition(c)[0] for t, c in _unplaced(bound))
    else:
        name, (text, latex) = fact.args[0], _FACTS.get(fact.args[0], (fact.args[0],) * 2)
    return Assumption(
        name,
        f"{text}, {formula.args[0]} = {ends[0]},...,{ends[1]}",
        rf"{latex} for ${formula.args[0]}={ends[0]},\dots,{ends[1]}$",
        formulas,
    )


def _of_parts(formulas: tuple[Term, ...]) -> Assumption:
    """What every sub-model is as a model of its own, and the abbreviations of its bound."""
    from theory.writing.latex import tex
    from theory.writing.plain import plain

    name, _, high, _ = formulas[0].args
    end = str(high if isinstance(high, int) else high.args[0])
    inner = [f.args[3].args[1] for f in formulas]
    known = describe(f for f in inner if f.head != "eq")
    short = sorted((f for f in inner if f.head == "eq"), key=str)
    words = [a.text for a in known] + [plain(f) for f in short]
    pages = [a.latex for a in known] + [f"${tex(f)}$" for f in short]
    start = "as a model of its own"
    return Assumption(
        "sub-models",
        f"every sub-model g_{name}, {name} = 1,...,{end}, {start}: {'; '.join(words)}",
        rf"every sub-model $g_{name}$, ${name}=1,\dots,{end}$, {start}: {'; '.join(pages)}",
        formulas,
    )


def _unplaced(assumption: Assumption) -> tuple[tuple[str, str], tuple[str, str]]:
    """The texts of an assumption, and what comes before the layers it names."""
    return (assumption.text, ", l ="), (assumption.latex, " for $l=")


def _assembled(name: str, fact: Term, formulas: tuple[Term, ...]) -> Assumption:
    """A fact about an assembly, with its own numbers and indices in the words."""
    tags = [str(t) if isinstance(t, int) else str(t.args[0]) for t in fact.args[1:]]
    words = {"COUNT": tags[0], "MEMBERS": tags[-1]}
    if name in ("scale", "dominant"):
        words["EXPONENT"] = str(Fraction(int(tags[-2]), int(tags[-1])))
    text, latex = _FACTS[name]
    for old, new in words.items():
        text, latex = text.replace(old, new), latex.replace(old, new)
    return Assumption(name, text, latex, formulas)


def _bounded(order: str, formulas: tuple[Term, ...]) -> Assumption:
    where = _layers(formulas)
    words = where.replace("\\dots", "...")
    if order == "0":
        return Assumption(
            "bounded_sigma",
            f"sup|sigma_l| <= ceiling_l < infinity, l = {words}",
            rf"$\sup_{{\mathbb R}}|\sigma_l|\le\varsigma_l<\infty$ for $l={where}$",
            formulas,
        )
    constant = {"1": "lambda", "2": "beta", "3": "gamma"}[order]
    dashes = "'" * int(order)
    exists = "sigma_l is three times differentiable, " if order == "3" else ""
    shown = r"$\sigma_l$ is three times differentiable and " if exists else ""
    return Assumption(
        f"bounded_{constant}",
        f"{exists}sup|sigma_l{dashes}| <= {constant}_l < infinity, l = {words}",
        rf"{shown}$\sup_{{\mathbb R}}|\sigma_l{dashes}|\le\{constant}_l<\infty$ for $l={where}$",
        formulas,
    )


def _readout(first: Term, formulas: tuple[Term, ...]) -> Assumption:
    trained, depth = first.args[1], first.args[2]
    text = f"the output is linear, f = v . alpha^{depth} / sqrt(m_{depth}), v {trained}"
    latex = (
        rf"the output is linear, $f=v^\top\alpha^{{{depth}}}/\sqrt{{m_{{{depth}}}}}$, "
        rf"with $v$ {trained}"
    )
    return Assumption("linear output", text, latex, formulas)


def _samples(first: Term, formulas: tuple[Term, ...]) -> Assumption:
    from theory.writing.latex import tex

    whole, *inputs = first.args[1:]
    text = f"the training set {whole.args[0]} has the inputs {', '.join(i.args[0] for i in inputs)}"
    shown = ", ".join(map(tex, inputs))
    return Assumption(
        "samples", text, rf"the training set ${tex(whole)}$ has the inputs ${shown}$", formulas
    )


def _graph(code: str, formulas: tuple[Term, ...]) -> Assumption:
    """The equations of a graph's nodes, and what its trainable parameters are."""
    from theory.graph_terms import parse

    shape = parse(code)
    words, pages = [], []
    for node, kind in enumerate(shape.kinds):
        parents = shape.parents[node]
        match kind:
            case "input":
                continue
            case "bilinear":
                word = f"alpha^{node} = A^{node} alpha^{parents[0]}"
                page = rf"\alpha^{{{node}}}=A^{{{node}}}\alpha^{{{parents[0]}}}"
            case "pointwise":
                word = f"alpha^{node} = sigma_{node}(alpha^{parents[0]})"
                page = rf"\alpha^{{{node}}}=\sigma_{{{node}}}(\alpha^{{{parents[0]}}})"
            case _:
                terms = [f"L^{{{node},{j}}} alpha^{p}" for j, p in enumerate(parents)]
                word = f"alpha^{node} = {' + '.join(terms)}"
                shown = [rf"L^{{{node},{j}}}\alpha^{{{p}}}" for j, p in enumerate(parents)]
                page = rf"\alpha^{{{node}}}={'+'.join(shown)}"
        words.append(word)
        pages.append(f"${page}$")
    text = (
        f"the network is {', '.join(words)}, f = e . alpha^{shape.last}; each A^n is linear in the "
        "trained weights W^n, with |c . A^n(V) a| <= tau_n |c| |V| |a|, and |L^{n,j}| <= ell_{n,j}"
    )
    latex = (
        f"the network is {', '.join(pages)}, with output "
        rf"$f=e^{{\top}}\alpha^{{{shape.last}}}$, $\lVert e\rVert=1$; each $A^n$ is linear in "
        r"$W^n$, with $|c^\top A^n(V)a|\le\tau_n\lVert c\rVert\lVert V\rVert\lVert a\rVert$, "
        r"the $L^{n,j}$ are fixed with $\lVert L^{n,j}\rVert\le\ell_{n,j}$, and the trainable "
        r"parameters $\theta$ are the $W^n$ together, with the Euclidean norm"
    )
    return Assumption("graph", text, latex, formulas)


def _gaussian(first: Term, formulas: tuple[Term, ...]) -> Assumption:
    """The law of the weights at the centre."""
    depth, law = first.args[1:]
    text = (
        f"at the centre the entries of W^1, ..., W^{depth} and v are independent, those of W^l "
        "standard normal"
    )
    latex = (
        rf"at the centre $\theta_0$ the entries of $W^{{1}},\dots,W^{{{depth}}}$ and $v$ are "
        r"independent, those of each $W^{l}$ standard normal"
    )
    if depth == 1:
        text = text.replace("W^1, ..., W^1", "W^1")
        latex = latex.replace(r"W^{1},\dots,W^{1}", "W^{1}")
    tail = (
        (", those of v too", ", those of $v$ too")
        if law == "gaussian"
        else (", those of v uniform on {-1, 1}", r", those of $v$ uniform on $\{-1,1\}$")
    )
    return Assumption("gaussian", text + tail[0], latex + tail[1], formulas)


_LAWS = {
    "gaussian": "standard normal",
    "masked": "standard normal where the mask leaves them",
    "sign": "uniform on {-1, 1}",
}


def _drawn(formulas: tuple[Term, ...]) -> Assumption:
    """The laws of the weights of a graph's nodes at the centre."""
    laws: dict[str, list[int]] = {}
    for formula in formulas:
        laws.setdefault(formula.args[2], []).append(formula.args[1])
    words = [
        f"those of W^n {_LAWS[law]} for n = {', '.join(map(str, sorted(nodes)))}"
        for law, nodes in laws.items()
    ]
    start = "at the centre the entries of all weights are independent, "
    text = start + "; ".join(words)
    latex = text.replace("W^n", "$W^n$").replace("{-1, 1}", r"$\{-1,1\}$")
    return Assumption("drawn", text, re.sub(r"n = ([0-9, ]+)", r"$n=\1$", latex), formulas)


def _parameters(first: Term, formulas: tuple[Term, ...]) -> Assumption:
    depth, trained = first.args[1], first.args[2] == "trained"
    tail_text = " and the readout v" if trained else ""
    tail_latex = " and $v$" if trained else ""
    text = _FACTS["parameters"][0].replace("{depth}", str(depth)).replace("{readout}", tail_text)
    if depth == 1:
        text = text.replace("W^1, ..., W^1", "W^1")
    latex = (
        r"the trainable parameters $\theta$ are $W^{1}"
        + (rf",\dots,W^{{{depth}}}" if depth > 1 else "")
        + f"${tail_latex}, with the "
        "Euclidean norm"
    )
    return Assumption("parameters", text, latex, formulas)


def _same_everywhere(formula: Term, formulas: tuple[Term, ...]) -> Assumption:
    """An equation for all points: the Hessian is zero, or the kernel is constant."""
    from theory.writing.latex import tex
    from theory.writing.plain import plain

    place = "everywhere" if formula.head == "everywhere" else "on the ball"
    zero = formula.args[-1].args[1].head == "zero"
    name, words = (
        ("no Hessian", "the Hessian is zero")
        if zero
        else ("constant kernel", "K(x, x) is the same")
    )
    return Assumption(name, f"{words} {place}: {plain(formula)}", f"${tex(formula)}$", formulas)


def _who(formula: Term) -> str:
    """The point whose distance from the centre is bounded."""
    points = [v.args[0] for v in formula.args[0].free if v.head == "point"]
    others = [name for name in points if name != "theta0"]
    return others[0] if len(others) == 1 else "theta"


def _other(formula: Term, formulas: tuple[Term, ...]) -> Assumption:
    from theory.writing.latex import tex
    from theory.writing.plain import plain

    known = condition(formula)
    if known is not None:
        shown = r",\quad ".join(map(tex, formulas))
        words = "; ".join(map(plain, formulas))
        return Assumption(known[0], f"{known[1]}: {words}", f"${shown}$", formulas)
    if formula.head == "le" and "theta" in str(formula.args[0]):
        return Assumption(
            "ball",
            f"{_who(formula)} lies in the ball of radius R around theta_0",
            f"${tex(formula)}$",
            formulas,
        )
    if formula.head in ("ball", "everywhere") and formula.args[-1].head == "eq":
        return _same_everywhere(formula, formulas)
    if formula.head == "le" and any(t.args[:1] == ("floor",) for t in subterms(formula)):
        return Assumption(
            "wide",
            f"the widths are large enough for a positive floor: {plain(formula)}",
            f"the widths are large enough for some $\\underline a>0$: ${tex(formula)}$",
            formulas,
        )
    if formula.head == "ball":
        return Assumption(
            "hessian on the ball",
            f"the Hessian norm is bounded on the ball: {plain(formula)}",
            f"${tex(formula)}$",
            formulas,
        )
    return Assumption(formula.head, plain(formula), f"${tex(formula)}$", formulas)
