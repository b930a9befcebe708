"""The table of symbols of a page: those that it uses, from the vocabulary."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from theory.terms import SCALAR, Term, make, subterms
from theory.vocabulary import CENTRE, OTHER, OUTER, POINT, QUANTITIES
from theory.writing.base import is_output_curvature, is_step
from theory.writing.latex import tex
from theory.writing.names import INPUTS, POINTS
from theory.writing.prose import prose

INDICES = {
    "B": "n,k",
    "submodel": "i",
    "weight": "i",
    "part_beta": "i",
    "P": "l,k",
    "N": "l,k",
    "C": "k,l",
    "pair_curve": "k,k'",
    "pair_cross": "k',k",
    "n": "l,k",
    "w": "l,k",
    "b": "l,k",
    "n_bar": "l,k",
    "b_bar": "l,k",
    "N_bar": "l,k",
    "C_bar": "k,l",
    "K": "l,k",
    "X": "l,k",
    "P_bar": "l,k",
    "M": "k,k'",
    "M_bar": "k,k'",
    "epsilon": "x",
}
LETTERS = {"over R": r"over $\mathbb{R}$"}
NETWORK = (
    *(
        "m",
        "f",
        "W",
        "v",
        "z",
        "alpha",
        "delta",
        "lambda",
        "beta",
        "gamma",
        "ceiling",
        "origin",
        "R",
    ),
    *("failure", "rho"),
)

Test = Callable[[Term], bool]


def _op(name: str) -> Test:
    return lambda t: t.head == "op" and t.args[0] == name


def _head(*heads: str) -> Test:
    return lambda t: t.head in heads


def _norm(kind: str) -> Test:
    return lambda t: t.head == "norm" and t.args[0] == kind


def _is_output(term: Term) -> bool:
    return term.head == "op" and term.args[0] in ("f", "submodel")


def _is_block_jacobian(term: Term) -> bool:
    return term.head == "dot" and any(
        left.head == "jac" and right.head == "T" and _op("Pi")(right.args[0])
        for left, right in zip(term.args, term.args[1:], strict=False)
    )


def _is_symmetric_pair(term: Term) -> bool:
    return term.head == "plus" and any(
        right.head == "T" and right.args[0] is left and left.head == "dot"
        for left, right in zip(term.args, term.args[1:], strict=False)
    )


NOTATIONS: tuple[tuple[Test, str, str, str], ...] = (
    (
        lambda t: t is CENTRE,
        r"\theta_0",
        "the centre of the ball",
        r"the subscript 0 marks a quantity at $\theta_0$: $W^{l}_{0}$, $\delta^{l}_{0}$",
    ),
    (
        lambda t: t is OTHER,
        INPUTS["z"],
        "a second input",
        r"a quantity at $\tilde x$ has it as an argument: $\alpha^{l}(\tilde x)$",
    ),
    (
        lambda t: t.head == "act" and t.args[0] is OUTER,
        r"\varphi",
        "non-linear function of the output",
        r"$\varphi'$, $\varphi''$ its derivatives",
    ),
    (
        _op("Pi_part"),
        r"\Pi_{i}",
        r"coordinate projection of $\theta$ onto $w_{i}$",
        r"$\Pi_{i}\Pi_{i}^{\top}=I$",
    ),
    (
        _op("submodel"),
        r"w_{i}",
        r"the parameters of sub-model $i$; $\nabla g_{i}$ is its gradient by all parameters",
        r"$\Pi_{i}\nabla g_{i}$: by its own",
    ),
    (
        lambda t: t.head == "act" and t.args[0] is not OUTER,
        r"\sigma_{l}",
        "activation of layer $l$, applied entry by entry",
        r"$\sigma_l'$, $\sigma_l''$ its derivatives",
    ),
    (
        lambda t: t.head == "diag" and t.args[0].head == "act",
        r"D^{l}",
        r"$\operatorname{diag}(\sigma_{l}'(z^{l}))$",
        "$m_l\\times m_l$",
    ),
    (
        is_step,
        r"T^{l}",
        r"$\partial z^{l}/\partial z^{l-1}=W^{l}D^{l-1}/\sqrt{m_{l-1}}$",
        "$m_l\\times m_{l-1}$",
    ),
    (
        is_output_curvature,
        r"S^{l}",
        r"$\partial^2f/\partial(z^{l})^2=\operatorname{diag}(\sigma_l''(z^l)\odot\delta^l)"
        r"+(T^{l+1})^{\top}S^{l+1}\,T^{l+1}$, without the second term at the last layer",
        "$m_l\\times m_l$",
    ),
    (
        _op("Pi"),
        r"\Pi_{k}",
        r"coordinate projection of $\theta$ onto $W^{k}$ ($\Pi_{v}$: onto $v$)",
        r"$\Pi_{k}\Pi_{k}^{\top}=I$",
    ),
    (
        lambda t: t.head == "jac" and not _is_output(t.args[0]),
        r"\partial y",
        r"Jacobian of $y$ by $\theta$",
        "rows: entries of $y$",
    ),
    (
        _is_block_jacobian,
        r"\partial_{k} y",
        r"$\partial y\,\Pi_{k}^{\top}$, Jacobian of $y$ by $W^{k}$ alone",
        "",
    ),
    (
        lambda t: t.head == "jac" and _is_output(t.args[0]),
        r"\nabla f",
        r"gradient of $f$ by $\theta$",
        r"$\mathbb{R}^{p}$",
    ),
    (
        lambda t: t.head == "hess" and _is_output(t.args[1]),
        r"\nabla^2 f",
        r"Hessian of $f$ by $\theta$",
        r"$\mathbb{R}^{p\times p}$",
    ),
    (
        lambda t: (
            t.head == "dot"
            and _op("Pi")(t.args[0])
            and any(_is_output(h.args[1]) for h in t.args if h.head == "hess")
        ),
        r"\nabla^2_{k,k'} f",
        r"$\Pi_{k}\,\nabla^2 f\,\Pi_{k'}^{\top}$, its block for layers $k$ and $k'$",
        "",
    ),
    (
        lambda t: t.head == "hess" and not _is_output(t.args[1]),
        r"\langle c,\partial^2 y\rangle",
        r"$\sum_i c_i\,\nabla^2 y_i$, with $c$ held constant",
        r"$\mathbb{R}^{p\times p}$",
    ),
    (_is_symmetric_pair, r"\operatorname{Sym}(X)", r"$X+X^{\top}$", ""),
    (
        lambda t: t.head == "kron" and t.args[0].shape != (SCALAR, SCALAR),
        r"\otimes",
        "Kronecker product",
        "",
    ),
    (
        lambda t: t.head == "dot" and t.args[0].head == "diag" and len(t.args) == 2,
        r"\odot",
        "product entry by entry",
        "",
    ),
    (_norm("2"), r"\lVert\cdot\rVert", "spectral norm; of a vector the Euclidean norm", ""),
    (_norm("inf"), r"\lVert\cdot\rVert_{\infty}", "maximum norm of a vector", ""),
    (
        _norm("221"),
        r"\lVert T\rVert_{2,2,1}",
        r"$\sup_{\lVert x\rVert=\lVert z\rVert=1}\sum_k\lvert x^{\top}T_kz\rvert$",
        "",
    ),
    (
        _norm("min"),
        r"\sigma_{\min}(A)",
        "least singular value; for a kernel matrix the least eigenvalue",
        r"$\inf_{\lVert v\rVert=1}\lVert Av\rVert$",
    ),
    (
        _norm("2inf"),
        r"\lVert A\rVert_{2,\infty}",
        r"largest Euclidean norm of a row of $A$",
        "",
    ),
    (
        _head("tail"),
        r"t(p)",
        r"$\sqrt{2\ln(1/p)}$",
        r"by how much a Lipschitz function of normal variables may exceed its mean",
    ),
    (
        _head("quantile"),
        r"\xi(p)",
        r"what the modulus of a normal variable exceeds with probability $p$",
        r"at most $\sqrt{2\ln(1/p)}$",
    ),
    (
        _head("rms"),
        r"\kappa_{l}(a)",
        r"$\sqrt{\mathbb{E}\,\sigma_{l}(a\xi)^2}$ for a normal variable $\xi$",
        r"$\kappa_{l}'$ the same with $\sigma_{l}'$",
    ),
    (_norm("1"), r"\lVert\cdot\rVert_{1}", "sum of the absolute values of a vector", ""),
)


def rows(terms: Iterable[Term]) -> list[tuple[str, str, str]]:
    """Symbol, meaning and normalisation of everything that the terms use.

    Args:
        terms: all terms and formulas on the page.

    Returns:
        LaTeX of the three columns (the first without dollar signs), the vocabulary's order kept.
    """
    used: dict[Term, None] = {}
    for term in terms:
        if term not in used:
            used.update(dict.fromkeys(subterms(term)))
    names = {t.args[0] for t in used if t.head in ("sym", "op")}
    names |= {"m"} if any(t.head in ("dim", "layer") for t in used) else set()
    names |= {"theta"} if any(t in (POINT, CENTRE) for t in used) else set()
    own = [q for q in QUANTITIES.values() if q.name in names]
    known = [_quantity(q.name) for q in own if q.name == "theta"]
    notations = [note[1:] for note in NOTATIONS if any(map(note[0], used))]
    points = [n for n in notations if n[0] in (POINTS["theta0"], INPUTS["z"])]
    network = [_quantity(q.name) for q in own if q.name in NETWORK]
    rest = [_quantity(q.name) for q in own if q.name not in NETWORK and q.name != "theta"]
    others = [n for n in notations if n not in points]
    if "W" not in names:  # examples of notation from a network are of no use
        points = [(*n[:2], "") for n in points]
    inputs = [("x", "input", "$x=\\alpha^{0}$" if "alpha" in names else "")]
    schematic = [_variable(t) for t in sorted((t for t in used if t.head == "var"), key=str)]
    return [
        *known,
        *points,
        *(inputs if {"f", "alpha"} & names else []),
        *network,
        *rest,
        *(v for v in schematic if v[1]),
        *others,
    ]


def _variable(term: Term) -> tuple[str, str, str]:
    """What a variable of a general statement stands for; no meaning for a space."""
    if term.shape is None:
        meaning = "any number that is not negative" if term.sort == "real" else ""
    elif term.cols.head == "tensor":
        meaning = rf"any three-tensor, with slices ${tex(term)}_{{k}}$"
    else:
        meaning = "any vector" if term.cols is SCALAR else "any matrix"
    layered = term.shape is not None and term.rows.head == "layer"
    space = rf"$\mathbb{{R}}^{{{tex(make('dim', term.rows))}}}$" if layered else ""
    return tex(term), meaning, space


def _quantity(name: str) -> tuple[str, str, str]:
    quantity = QUANTITIES[name]
    symbol = quantity.latex.format(INDICES.get(name, "l"))
    same = re.fullmatch(r"as (\w)", quantity.normalisation)
    note = LETTERS.get(quantity.normalisation) or (
        f"as ${same[1]}_{{l}}$" if same else prose(quantity.normalisation)
    )
    return symbol, prose(quantity.meaning), note


__all__ = ["rows"]
