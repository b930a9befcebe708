"""LaTeX of terms and theorems: all heads print, nothing unproved is said, pages compile."""

from __future__ import annotations

import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import theory
from theory.forms import FORMS
from theory.lemmas import LEMMAS
from theory.terms import (
    SCALAR,
    Term,
    add,
    dot,
    eq,
    inv_root,
    le,
    make,
    mul,
    norm,
    plus,
    rat,
    transpose,
)
from theory.vocabulary import CENTRE, INPUT, OTHER, POINT, QUANTITIES, block, symbol
from theory.writing.families import NoFormError, general_entry, generalise, unfold
from theory.writing.groups import bundle, direction, range_of
from theory.writing.latex import PRINTERS, tex
from theory.writing.lines import lines_of
from theory.writing.pages import Page, default_prefix
from theory.writing.prose import prose
from theory.writing.references import (
    REFERENCES,
    UnknownReferenceError,
    bibliography,
    bibtex,
    cite,
    place_in,
    reference,
)
from theory.writing.rows import scope_lines
from theory.writing.typeset import broken, width

NAMES = list(theory.catalog)
HYPOTHESES = ["definition", "chain rule"]  # how a source begins that names no place in a work

# -- terms of every head --------------------------------------------------------------------------

indices = st.one_of(
    st.integers(1, 12), st.builds(make, st.just("index"), st.sampled_from("lk"), st.integers(0, 2))
)
points = st.sampled_from([CENTRE, POINT, make("point", "*"), make("point", "p")])
inputs = st.sampled_from([INPUT, OTHER, make("input", "u")])
names = st.sampled_from([*QUANTITIES, "nu", "m_hidden", "50%", "a{b", "x^2", "~", "\\"])
layers = st.builds(make, st.just("layer"), indices)
spaces = st.one_of(layers, st.just(make("params")), st.just(make("space", "E_1")))


def _vectors(space: Term) -> st.SearchStrategy[Term]:
    """Vectors of one space."""
    plain = st.builds(
        lambda name, *tags: make("op", name, space, SCALAR, *tags), names, indices, points, inputs
    )
    variable = st.just(make("var", "u1", "op", space, SCALAR))
    return st.recursive(
        st.one_of(plain, variable, st.just(make("zero", space, SCALAR))),
        lambda inner: st.one_of(
            st.builds(plus, inner, inner),
            st.builds(lambda a: make("neg", a), inner),
            st.builds(lambda c, a: make("scale", c, a), reals_simple, inner),
            st.builds(lambda i, o, a: make("act", i, o, a), indices, st.integers(0, 2), inner),
            st.builds(lambda a, b: dot(make("diag", a), b), inner, inner),
        ),
        max_leaves=4,
    )


reals_simple = st.one_of(
    st.builds(lambda p, q: rat(Fraction(p, q)), st.integers(0, 9), st.integers(1, 9)),
    st.builds(lambda n, *tags: make("sym", n, *tags), names, indices, points, inputs),
    st.builds(lambda s: make("dim", s), spaces),
    st.just(make("var", "kappa", "real")),
)
vectors = spaces.flatmap(_vectors)


@st.composite
def operators(draw: st.DrawFn) -> Term:
    """Operators of every head, between spaces that fit."""
    vector = draw(vectors)
    other = draw(_vectors(vector.rows))
    outer = dot(vector, transpose(other))
    name = "j" if make("index", "k", 0) in vector.rows.free else "k"  # not free in the spaces
    bound = make("op", "W", vector.rows, vector.rows, make("index", name, 0), POINT)
    smooth = make("op", "z", make("layer", 2), SCALAR, 2, POINT, INPUT)
    tensor = make("var", "T", "op", vector.rows, make("tensor", make("space", "i"), vector.rows))
    return draw(
        st.sampled_from(
            [
                outer,
                transpose(outer),
                plus(outer, transpose(dot(other, transpose(vector)))),
                make("kron", vector, outer),
                make("diag", vector),
                make("id", vector.rows),
                make("contract", vector, tensor),
                make("jac", smooth, POINT),
                make("hess", smooth, smooth, POINT),
                dot(make("jac", smooth, POINT), transpose(block(1, 3))),
                make(
                    "hess", make("id", SCALAR), make("op", "f", SCALAR, SCALAR, POINT, INPUT), POINT
                ),
                make(
                    "osum", name, 1, 3, plus(bound, outer) if outer.shape == bound.shape else outer
                ),
                make("scale", inv_root(make("dim", vector.rows)), outer),
            ]
        )
    )


exponents = st.sampled_from([Fraction(1, 2), Fraction(2), Fraction(3, 2)])
reals = st.recursive(
    st.one_of(
        reals_simple,
        st.builds(norm, operators(), st.just("2")),
        st.builds(norm, vectors, st.sampled_from(["2", "inf", "1"])),
    ),
    lambda inner: st.one_of(
        st.builds(add, inner, inner),
        st.builds(mul, inner, inner, inner),
        st.builds(lambda a, b: make("max", a, b), inner, inner),
        st.builds(lambda a, b: make("min", a, b), inner, inner),
        st.builds(lambda a, e: make("pow", a, e), inner, exponents),
        st.builds(lambda s, a: mul(inv_root(make("dim", s)), a), spaces, inner),
        st.builds(
            lambda a, n: make("specnorm", n, *[a] * n * n), inner, st.sampled_from([1, 2, 7, 11])
        ),
    ),
    max_leaves=5,
)
relations = st.builds(le, reals, reals)
last = make("index", "L", 0)
formulas = st.one_of(
    relations,
    st.builds(eq, reals, reals),
    st.builds(lambda f: make("forall", "l", 0, last, f), relations),
    st.builds(lambda f: make("ball", "*", CENTRE, symbol("R"), f), relations),
    st.builds(lambda i: make("range", i, 1, 9), indices),
    st.builds(lambda i: make("fact", "dense", i), indices),
)
others = st.one_of(spaces, points, inputs, indices.filter(lambda i: isinstance(i, Term)))


def balanced(latex: str) -> bool:
    """Whether braces, \\left and \\right, and sized delimiters come in pairs."""
    bare = re.sub(r"\\[\\{}]", "", latex)
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return False
    pairs = [(r"\left", r"\right"), (r"\Bigl", r"\Bigr"), (r"\lVert", r"\rVert"),
             (r"\lvert", r"\rvert"), (r"\langle", r"\rangle"), (r"\begin", r"\end")]  # fmt: skip
    counts = [
        [len(re.findall(re.escape(p) + "(?![A-Za-z])", latex)) for p in pair] for pair in pairs
    ]
    return depth == 0 and all(a == b for a, b in counts)


def test_every_head_of_the_language_has_a_printer():
    assert set(FORMS) <= set(PRINTERS)


@given(st.one_of(reals, operators(), vectors, formulas, others))
def test_every_term_prints_with_balanced_braces(term):
    latex = tex(term)
    assert latex
    assert balanced(latex)
    assert "None" not in latex
    assert width(latex) >= 0


def test_a_matrix_of_one_entry_or_inside_another_prints():
    """Found by the search above: a command ran into the entry, a row ended at an inner array."""
    m = symbol("m", 1)
    assert tex(make("specnorm", 1, m)) == r"\lvert m_{1}\rvert"
    inner = make("specnorm", 2, m, m, m, m)
    nested = tex(make("specnorm", 2, inner, inner, inner, inner))
    assert balanced(nested)
    assert width(nested) > 2 * width(tex(inner))


def test_negative_half_powers_go_into_the_denominator_and_equal_factors_become_powers():
    m1 = make("dim", make("layer", 1))
    term = mul(symbol("lambda", 2), symbol("R"), symbol("g", 2, CENTRE, INPUT), inv_root(m1))
    assert tex(term) == r"\frac{\lambda_{2} R g_{2}}{\sqrt{m_{1}}}"
    p = symbol("P", 3, 1, CENTRE, INPUT)
    assert tex(mul(symbol("beta", 3), p, p)) == r"\beta_{3} P_{3,1}^{2}"
    assert tex(mul(rat(1, 2), symbol("R"))) == r"\tfrac{1}{2} R"


def test_the_centre_the_ball_and_inputs_are_told_apart():
    def w(point):
        return make("op", "W", make("layer", 2), make("layer", 1), 2, point)

    assert tex(w(CENTRE)) == "W^{2}_{0}"
    assert tex(w(POINT)) == "W^{2}"
    assert tex(w(make("point", "*"))) == r"W^{2}(\vartheta)"
    assert tex(symbol("a", 1, CENTRE, OTHER)) == r"a_{1}(\tilde x)"
    shown = {tex(make("op", "z", make("layer", 1), SCALAR, 1, p, i))
             for p in (CENTRE, POINT) for i in (INPUT, OTHER)}  # fmt: skip
    assert len(shown) == 4


def test_a_product_entry_by_entry_is_bracketed_inside_a_product():
    u, v = (make("var", n, "op", make("layer", 1), SCALAR) for n in "uv")
    w = make("var", "A", "op", make("layer", 2), make("layer", 1))
    assert tex(dot(w, dot(make("diag", u), v))) == r"A\,(u\odot v)"


# -- general forms --------------------------------------------------------------------------------


@given(
    st.lists(st.integers(1, 15), min_size=2, max_size=6, unique=True),
    st.sampled_from(["a", "s", "lambda", "g"]),
    st.integers(-1, 2),
)
def test_a_general_form_unfolds_to_every_term_it_stands_for(values, name, offset):
    def term(i):
        run = [mul(symbol("beta", j), symbol("P", j, i)) for j in range(i, 17)]
        return le(norm(make("op", "z", make("layer", i), SCALAR, i, POINT, INPUT)),
                  add(*run, symbol(name, i + offset)))  # fmt: skip

    rows = [{"l": i} for i in values]
    form = generalise([term(i) for i in values], rows)
    assert all(unfold(form, row) is term(row["l"]) for row in rows)
    assert balanced(tex(form))


def test_terms_that_differ_in_more_than_layers_have_no_general_form():
    terms = [mul(symbol("a", 1), symbol("R")), mul(symbol("a", 2), symbol("a", 7)),
             mul(symbol("a", 3), symbol("a", 3))]  # fmt: skip
    rows = [{"l": i} for i in (1, 2, 3)]
    with pytest.raises(NoFormError):
        generalise(terms, rows)
    with pytest.raises(NoFormError):
        generalise(terms[1:], rows[1:])


def test_a_matrix_with_one_odd_entry_is_not_written_by_a_general_entry():
    size = 8
    entries = [symbol("M", min(i, j) + 1, max(i, j) + 1) for i in range(size) for j in range(size)]
    assert general_entry(entries, size) is not None
    entries[13] = rat(1)
    assert general_entry(entries, size) is None


@pytest.mark.parametrize("name", NAMES)
def test_the_definitions_shown_are_those_of_the_theorem(name):
    thm = theory.catalog[name]
    page = Page(thm, "x").reasons
    found = [unfold(b.forms[0], row) for _, b in page.definitions for row in b.rows]
    assert set(found) == set(page.own)
    assert len(found) == len(page.own)
    assert set(page.own) | set(page.others) == set(thm.definitions)


@pytest.mark.parametrize("name", NAMES)
def test_the_lines_shown_are_claims_with_the_reasons_of_their_proofs(name):
    thm = theory.catalog[name]
    page = Page(thm, "x").reasons
    used = {lemma.name for lemma in thm.lemmas}
    shown = [line for g in page.groups for line in g.lines]
    assert sorted(line.label for line in shown) == sorted(c.label for c in thm.claims)
    for group in page.groups:
        assert set(group.uses.lemmas) <= used
        for line, row in zip(group.lines, group.rows, strict=True):
            assert unfold(group.left, row) is line.left
            pairs = zip(group.links, line.links, strict=True)
            assert all(unfold(form, row) is link.right for (_, form), link in pairs)
    assert {n for g in page.groups for n in g.uses.lemmas} == used


@pytest.mark.parametrize("name", NAMES)
def test_no_line_rests_on_a_later_one_but_by_induction(name):
    page = Page(theory.catalog[name], "x").reasons
    done: set[int] = set()
    for component in page.components:
        together = {g.number for g in component}
        for group in component:
            assert set(group.needs) <= done | together
        if len(component) > 1 or any(g.number in g.needs for g in component):
            assert direction(component)
        done |= together


def test_chains_end_with_what_their_claim_says():
    for line in lines_of(theory.catalog["LZB20/A7"]):
        conclusion = line.judgement.conclusion
        if conclusion.head in ("le", "eq"):
            assert line.left is conclusion.args[0]
            assert line.links[-1].right is conclusion.args[1]
            relations = {link.relation for link in line.links}
            assert ("le" in relations) == (conclusion.head == "le")


def test_ranges_of_indices():
    assert range_of([{"l": i} for i in (1, 2, 3)]) == r"1\le l\le 3"
    assert range_of([{"l": i} for i in (1, 2)]) == "l=1,2"
    assert range_of([{"l": i} for i in (1, 3)]) == r"l\in\{1,3\}"
    pairs = [(2, 1), (3, 1), (3, 2)]
    assert range_of([{"l": a, "k": b} for a, b in pairs]) == r"1\le k<l\le 3"
    assert range_of([{"l": a, "k": b} for a, b in pairs[:2]]) == r"(l,k)\in\{(2,1),(3,1)\}"
    assert range_of([{"l": a, "k": b} for a, b in [*pairs, (1, 1), (2, 2), (3, 3)]]) == (
        r"1\le k\le l\le 3"
    )
    nodes = [(a, b) for a in (1, 3, 6) for b in (1, 3, 6) if a < b]
    assert range_of([{"k": a, "k'": b} for a, b in nodes]) == r"k<k'\text{ in }\{1,3,6\}"
    assert range_of([{"l": k + 2, "k": k} for k in (1, 2, 3)]) == r"l=k+2,\ 1\le k\le 3"
    items = [("M", "", p, (symbol("M", *p),)) for p in pairs]
    assert [len(b.members) for b in bundle(items)] == [3]


def test_long_formulas_break_before_signs_outside_braces():
    latex = " + ".join([r"\frac{a + b}{c}"] * 30)
    lines = broken(latex, 30, 28)
    assert len(lines) > 1
    assert " ".join(lines) == latex
    assert all(width(line) <= 30 and balanced(line) for line in lines)


def test_long_products_break_between_factors_and_say_so():
    latex = r"\lVert " + r"\,".join(["T^{10}_{0}"] * 40) + r"\rVert"
    lines = broken(latex, 30, 28)
    assert len(lines) > 1
    assert all(line.startswith(r"\cdot ") for line in lines[1:])
    assert r"\,".join([lines[0], *(line.removeprefix(r"\cdot ") for line in lines[1:])]) == latex
    assert all(width(line) <= 30 for line in lines)
    inside = r"\frac{" + latex + "}{m}"
    assert broken(inside, 30, 28) == [inside]  # nothing is parted within braces


def test_long_ranges_are_listed_in_lines():
    listed = range_of([{"l": a, "k": b} for a in range(2, 9) for b in (a + 1, a + 3, a + 4)])
    lines = scope_lines(listed, 20)
    assert len(lines) > 1
    assert "".join(lines).replace(" ", "") == f"({listed})"
    assert all(width(line) <= 20 for line in lines)


def test_terms_without_a_common_form_are_sorted_into_some_that_have_one():
    odd = [(("M", "", (i, 9), (mul(symbol("a", i), symbol("q", 9 + i % 2)),))) for i in range(1, 8)]
    found = bundle(odd)
    assert sorted(b.members for b in found) == [(0, 2, 4, 6), (1, 3, 5)]
    for some in found:
        for member, row in zip(some.members, some.rows, strict=True):
            assert unfold(some.forms[0], row) is odd[member][3][0]
    pair = bundle([odd[0], odd[2], odd[1]])  # two of a form are no family
    assert [len(b.members) for b in pair] == [1, 1, 1]


def test_a_matrix_over_nodes_is_written_by_a_general_entry():
    nodes = [1, 3, 6, 9]
    entries = [symbol("M", min(i, j), max(i, j)) for i in nodes for j in nodes]
    shown = general_entry(entries, 4)
    assert shown is not None
    assert shown.args[1] == "1,3,6,9"
    entries[-1] = rat(0)  # a last node without curvature: pages say so
    assert general_entry(entries, 4) is not None
    entries[0] = rat(0)
    assert general_entry(entries, 4) is None


# -- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("spectral norm of W over sqrt(m_{l-1})", r"spectral norm of $W$ over $\sqrt{m_{l-1}}$"),
        ("(m_l, m_{l-1}), N(0, 1)", r"$\mathbb{R}^{m_l\times m_{l-1}}$, $\mathcal N(0,\,1)$"),
        ("a 100% bound_of #1 & {x}", r"a 100\% $bound_{of}$ \#1 \& \{x\}"),
        ("Hoelder's inequality", r"H{\"o}lder's inequality"),
        ("z^3 by W^1", "$z^3$ by $W^1$"),
    ],
)
def test_plain_words_become_latex(text, latex):
    assert prose(text) == latex


@given(st.text(max_size=40))
def test_any_words_become_balanced_latex(text):
    assert balanced(prose(text))


# -- references -----------------------------------------------------------------------------------


def test_every_lemma_is_cited_from_a_known_work():
    for lemma in LEMMAS.values():
        assert lemma.cite in REFERENCES
        if place_in(lemma.source, lemma.cite) is None:
            assert lemma.source.split(" of ")[0] in HYPOTHESES, lemma.name
    for name in NAMES:
        thm = theory.catalog[name]
        assert place_in(thm.citation, thm.cite)


def test_references_as_bibtex_and_as_citations():
    text = bibtex(["LZB20", "HornJohnson2013"])
    assert text.count("@") == 2
    assert "pages     = {15954--15964}" in text
    assert balanced(bibtex())
    assert cite("Rudin, Principles of Mathematical Analysis, 3rd ed., 1976, Theorem 5.10",
                "Rudin1976") == r"\cite[Theorem~5.10]{Rudin1976}"  # fmt: skip
    with pytest.raises(UnknownReferenceError, match="Nobody2000"):
        reference("Nobody2000")
    assert all({"author", "title", "year"} <= set(dict(r.fields)) for r in REFERENCES.values())


# -- pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_unique_and_references_resolve(name):
    text = theory.catalog[name].to_latex(document=True)
    labels = re.findall(r"\\label\{([^}]*)\}", text)
    assert len(labels) == len(set(labels))
    wanted = re.findall(r"\\(?:eq)?ref\{([^}]*)\}", text)
    assert set(wanted) <= set(labels)
    cited = {
        k for keys in re.findall(r"\\cite(?:\[[^\]]*\])?\{([^}]*)\}", text) for k in keys.split(",")
    }
    assert cited == set(re.findall(r"\\bibitem\{([^}]*)\}", text))
    for lemma in theory.catalog[name].lemmas:
        assert f"lem:{default_prefix(theory.catalog[name])}:{lemma.name}" in labels
    assert balanced(text)


def test_the_default_labels_of_different_theorems_differ():
    net = theory.reference_network(2)
    theorems = [theory.hessian_bound(net), theory.hessian_bound(net, radius="R"),
                *(theory.hessian_bound(net, level=n) for n in ("slopes", "operators", "norms")),
                theory.hessian_bound(net, radius="R", level="norms"),
                theory.hessian_bound(theory.reference_network(2, trainable=True)),
                theory.hessian_bound(theory.reference_network(3)),
                theory.kernel_change_bound(net)]  # fmt: skip
    prefixes = [default_prefix(t) for t in theorems]
    assert len(set(prefixes)) == len(prefixes)
    assert r"\label{thm:mine}" in theorems[0].to_latex(prefix="mine")


def test_a7_says_what_a_paper_says():
    text = theory.catalog["LZB20/A7"].to_latex()
    for line in (
        r"\bar s_{l} &= s_{l} + \frac{R}{\sqrt{m_{l-1}}} && (1\le l\le 3)",
        r"Z_{l} &= R\,\sqrt{\sum_{j=1}^{l} K_{l,j}^{2}} && (l=2,3)",
        r"\bar y_{l} &= \bar t_{l} \bar s_{l} \lambda_{l-1} && (l=2,3)",
        r"\bar M_{k,k} &= \beta_{k} \bar q_{k} \bar P_{k,k}^{2} + \sum_{l=k+1}^{3} \bar y_{l}",
        r"\nabla^2 f(\theta;x) &",
        r"By induction on $l$",
        r"\textsc{assumed}",
    ):
        assert line in text


def test_a_deep_theorem_is_as_short_as_a_shallow_one():
    deep = theory.hessian_bound(theory.reference_network(8, trainable=True), radius="R")
    shallow = theory.hessian_bound(theory.reference_network(4, trainable=True), radius="R")
    lengths = [t.to_latex().count(r"\label{eq:") for t in (deep, shallow)]
    assert lengths[0] == lengths[1]
    assert r"\bar M_{k',k}=\bar M_{k,k'}" in deep.to_latex()


def test_a_theorem_shows_itself_in_a_notebook():
    for name in NAMES:
        latex = theory.catalog[name]._repr_latex_()
        assert latex.startswith("$")
        assert latex.endswith("$")
        assert balanced(latex)


# -- compiling ------------------------------------------------------------------------------------

PAPER = r"""\documentclass{article}
\usepackage[textwidth=5.5in]{geometry}
\usepackage{amsmath,amssymb,amsthm,booktabs,longtable}
\emergencystretch=2em
\newtheorem{theorem}{Theorem}
\begin{document}
\section{A user's paper}
%s
See Theorem~\ref{thm:LZB20-A7-L3-ball} and~\eqref{eq:LZB20-A7-L3-ball:statement}.
%s
\end{document}
"""
needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")


def compiled(text: str, folder: Path) -> str:
    """The log of the last of three runs of pdflatex."""
    (folder / "page.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    for _ in range(3):
        run = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        assert run.returncode == 0, run.stdout.decode(errors="replace")[-2000:]
    return (folder / "page.log").read_text(errors="replace")


def complaints(log: str) -> list[str]:
    """What a reader of the log would want mended."""
    wide = [float(w) for w in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide", log)]
    lines = [line for line in log.splitlines() if "undefined" in line or "multiply" in line]
    lines += [line for line in log.splitlines() if "Warning" in line]
    return lines + [f"{w} pt too wide" for w in wide if w > 10]


def residual_network(depth):
    """A dense layer and residual blocks of one, m units each."""
    tanh, m = theory.Activation("tanh"), theory.width("m")
    blocks = [theory.networks.Residual(theory.Dense(m), tanh) for _ in range(depth - 1)]
    readout = theory.Readout(trainable=True)
    return theory.Network(theory.Input(16), theory.Dense(m), tanh, *blocks, readout)


@pytest.mark.latex
@needs_latex
@pytest.mark.parametrize(
    "thm",
    [
        pytest.param(lambda: theory.catalog["LZB20/A7"], id="A7"),
        pytest.param(lambda: theory.catalog["LZB20/A7+A2"], id="A7+A2"),
        pytest.param(
            lambda: theory.hessian_bound(
                theory.reference_network(7, activation="gelu", trainable=True), radius=0.5
            ),
            id="seven layers",
        ),
        pytest.param(
            lambda: theory.hessian_bound(
                theory.reference_network(8, trainable=True), level="operators"
            ),
            id="eight layers by operators",
        ),
        pytest.param(
            lambda: theory.hessian_bound(residual_network(6), level="operators"),
            id="residual by operators",
        ),
        pytest.param(
            lambda: theory.hessian_bound(theory.reference_network(20, trainable=True), radius="R"),
            id="twenty layers",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_document_compiles_without_warnings(thm, tmp_path):
    assert complaints(compiled(thm().to_latex(document=True), tmp_path)) == []


@pytest.mark.latex
@needs_latex
def test_all_theorems_go_into_one_paper(tmp_path):
    fragments, keys = [], set()
    for name in NAMES:
        thm = theory.catalog[name]
        path = tmp_path / f"{default_prefix(thm)}.tex"
        path.write_text(thm.to_latex(), encoding="utf-8")
        fragments.append(rf"\input{{{path.name}}}")
        keys |= set(re.findall(r"^% @\w+\{(\w+),", thm.to_latex(), re.MULTILINE))
    log = compiled(PAPER % ("\n".join(fragments), bibliography(keys)), tmp_path)
    assert complaints(log) == []
