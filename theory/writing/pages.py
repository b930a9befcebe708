"""A theorem as pages: hypotheses, statement, symbols, numbered proof, trusted lemmas.

Everything is read off the theorem object.  What differs only in its layers is one line (see
:mod:`theory.writing.families`); the reasons are the steps of the proof (see
:mod:`theory.writing.lines`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from theory.lemmas import LEMMAS
from theory.terms import ZERO, Term, make, rat, substitute, subterms
from theory.theorem import Theorem
from theory.vocabulary import OTHER
from theory.writing import references, symbols
from theory.writing.groups import Group, direction, range_of
from theory.writing.latex import quantified, tex
from theory.writing.lines import Line
from theory.writing.names import index_to_latex, point_to_latex
from theory.writing.prose import prose
from theory.writing.reasons import Reasons, by_input, definition_bundles
from theory.writing.rows import SIGNS, chain_rows, display, fitting, listed, scope_lines
from theory.writing.sentences import network_sentences, order_sentences
from theory.writing.typeset import LINE, broken, width

PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage[margin=1in]{geometry}
\usepackage{amsmath,amssymb,amsthm,booktabs,longtable,microtype}
\usepackage[hidelinks]{hyperref}
\newtheorem{theorem}{Theorem}
\newcommand{\wpheading}[1]{\section*{#1}}
\newcommand{\wptitle}[1]{\Large\bfseries #1}
\emergencystretch=2em
"""

MACROS = r"""\providecommand{\wpheading}[1]{\paragraph{#1.}}
\providecommand{\wptitle}[1]{\normalsize\bfseries #1.}
\providecommand{\wpline}[1]{\par\medskip\noindent\textit{#1.}\enspace}
\providecommand{\wpwhy}[1]{\par\noindent{\small #1\par}}
"""

WIDEST_SCOPE = 10.0  # quads: a range of indices that stands beside its definition
AND_THEN = "and the claim for $l-1$ is put for the last term"

HOW_TO_READ = (
    "Every displayed line was derived by the kernel of \\texttt{widthproof}, and the reasons given "
    "for it are the steps of that derivation. Apart from the trusted lemmas %s only these rules "
    "are used: rearrangement to an exact normal form, replacing equals by equals, enlarging what "
    "occurs positively in an expression made of sums, products, maxima, minima and positive "
    "powers, transitivity, and induction on the layer or on the number of steps."
)


def theorem_to_latex(theorem: Theorem, *, document: bool = False, prefix: str | None = None) -> str:
    r"""A theorem with its proof as LaTeX.

    Args:
        theorem: the theorem.
        document: a document that compiles by itself, instead of a fragment to ``\input``.
        prefix: what comes first in every label; by default made from the theorem's name, its depth,
            its readout and whether it is about a ball.

    Returns:
        LaTeX; the statement is labelled ``thm:PREFIX``, its formula ``eq:PREFIX:statement``.
    """
    page = Page(theorem, prefix or default_prefix(theorem))
    return page.document() if document else page.fragment()


def theorem_to_math(theorem: Theorem) -> str:
    """The statement and its abbreviations as one displayed formula, for a notebook."""
    own, others = by_input(theorem.definitions)
    rows = [rf"&{fitting(theorem.statement)}"]
    for i, (_, b) in enumerate(definition_bundles(own)):
        scope = range_of(b.rows)
        where = r"\text{where}\quad " if i == 0 else r"\phantom{\text{where}}\quad "
        rows.append(rf"&{where}{tex(b.forms[0])}" + (rf"\qquad ({scope})" if scope else ""))
    if others:
        rows.append(rf"&\text{{and the same with }}{tex(OTHER)}\text{{ in place of }}x")
    if len(rows) == 1:
        return rf"$\displaystyle {rows[0][1:]}$"
    return "$$\\begin{aligned}\n" + "\\\\\n".join(rows) + "\n\\end{aligned}$$"


def default_prefix(theorem: Theorem) -> str:
    """A prefix of labels that tells apart the theorems a paper is likely to have side by side."""
    parts = [re.sub(r"[^A-Za-z0-9+]+", "-", theorem.name)]
    if theorem.graph is not None:
        parts += [f"N{len(theorem.graph.nodes) - 1}"]
        parts += ["ball"] if theorem.radius is not None else []
    elif theorem.network is not None:
        parts += [f"L{theorem.network.depth}"]
        parts += ["v"] if theorem.network.readout.trainable else []
        parts += ["ball"] if theorem.radius is not None else []
        parts += [theorem.level] if theorem.level not in ("", "layers") else []
    return "-".join(parts)


class Page:
    """One theorem on its way to the page."""

    def __init__(self, theorem: Theorem, prefix: str) -> None:
        """Read the theorem's lines, definitions and hypotheses; write nothing yet."""
        self.theorem, self.prefix = theorem, prefix
        self.reasons = Reasons(theorem, prefix)

    # -- the whole ------------------------------------------------------------------------------

    def document(self) -> str:
        """The page as a document."""
        title = prose(_capital(self.theorem.title))
        head = (
            rf"\begin{{center}}{{\Large\bfseries {title}\par}}\medskip "
            rf"{prose(self.theorem.name)}\end{{center}}"
        )
        meta = rf"\hypersetup{{pdftitle={{{self.theorem.name}}}}}"
        body = self.fragment(comment=False)
        return "\n".join(
            [
                PREAMBLE + meta,
                r"\begin{document}",
                head,
                body,
                references.bibliography(cited_keys(body)),
                r"\end{document}",
                "",
            ]
        )

    def fragment(self, *, comment: bool = True) -> str:
        """The page without a preamble."""
        body = [
            r"\begingroup",
            MACROS + r"\allowdisplaybreaks[2]",
            self._setting(),
            self._statement(),
            self._events(),
            self._order(),
            self._remarks(),
            self._symbols(),
            self._proof(),
            self._lemma_list(),
            r"\endgroup",
            "",
        ]
        text = "\n".join(part for part in body if part)
        return self._comment(cited_keys(text)) + text if comment else text

    def _comment(self, keys: Sequence[str]) -> str:
        """What a paper needs to input the fragment, and the works to cite, as comments."""
        packages = "amsmath, amssymb, amsthm, booktabs, longtable (hyperref makes links)"
        lines = [
            f"{self.theorem.name}: {self.theorem.title}. Made by widthproof.",
            f"Needs the packages {packages}",
            r"and \newtheorem{theorem}{Theorem}; in two columns, \onecolumn.",
            f"Labels: thm:{self.prefix}, eq:{self.prefix}:..., lem:{self.prefix}:...",
            "BibTeX:",
            *references.bibtex(keys).splitlines(),
        ]
        return "".join(f"% {line}".rstrip() + "\n" for line in lines)

    # -- statement --------------------------------------------------------------------------------

    def _setting(self) -> str:
        """The network and the hypotheses."""
        heading = r"\wpheading{Setting and hypotheses}"
        sentences = network_sentences(self.theorem)
        items = [
            rf"\item\label{{hyp:{self.prefix}:{i}}} {a.latex};"
            for i, a in enumerate(self.theorem.assumptions, 1)
        ]
        items[-1:] = [item.removesuffix(";") + "." for item in items[-1:]]
        if not items:
            return "\n".join([heading, sentences]) if sentences else ""
        return "\n".join(
            [
                heading,
                sentences,
                _enumerate("H", items),
            ]
        )

    def _statement(self) -> str:
        theorem = self.theorem
        source = references.cite(theorem.citation, theorem.cite)
        count = len(theorem.assumptions)
        under = (
            ""
            if not count
            else (rf"Under the hypotheses {self.reasons.hypothesis_range(range(1, count + 1))}, ")
        )
        note = ", with explicit constants" if theorem.level else ""
        lines = [
            rf"\begin{{theorem}}[{{{source}{note}}}]\label{{thm:{self.prefix}}}",
            f"{under}{'one has' if under else 'One has'}",
            self._formula(
                theorem.statement,
                "",
                f"eq:{self.prefix}:statement",
                end="," if self.reasons.definitions else ".",
            ),
        ]
        if self.reasons.definitions:
            lines += ["where" + self._symmetry(), self._definition_list()]
        if self.reasons.others:
            lines.append(
                rf"The same with ${tex(OTHER)}$ in place of $x$ defines what is written "
                rf"with the argument ${tex(OTHER)}$."
            )
        return "\n".join([r"\wpheading{Statement}", *lines, r"\end{theorem}"])

    def _events(self) -> str:
        """The events of a statement with a probability, their lemmas and shares of delta."""
        theorem = self.theorem
        if theorem.failure is None:
            return ""
        items = [
            rf"\item\label{{event:{self.prefix}:{i}}} ${tex(e.formula)}$, "
            rf"fails with probability at most ${tex(e.share)}$ by "
            rf"lemma~(\ref{{lem:{self.prefix}:{e.lemma}}});"
            for i, e in enumerate(theorem.events, 1)
        ]
        items[-1] = items[-1].removesuffix(";") + "."
        happens = "the following event happens"
        if len(items) > 1:
            happens = (
                f"all of the following {len(items)} events happen; by the union bound one of them "
                r"fails with probability at most $\delta$"
            )
        intro = (
            rf"Here $\delta={tex(rat(theorem.failure))}$, and the probability is over the weights "
            f"at the centre (and over the readout). The bound holds whenever {happens}. Each "
            "probability is conditional on what its lemma names, hence also unconditional."
        )
        heading = r"\wpheading{Events and their shares of the probability of failure}"
        return "\n".join([heading, intro, r"{\small\sloppy", _enumerate("E", items), r"\par}"])

    def _symmetry(self) -> str:
        """What a matrix written by its general entry leaves unsaid."""
        match = re.search(r"\[(\\bar )?M_\{k,k'\}", fitting(self.theorem.inequality.args[1]))
        if match is None:
            return ""
        name = rf"{match[1] or ''}M"
        corner = rf" and ${name}_{{v,v}}=0$" if "v" in self._readout() else ""
        side = self.theorem.inequality.args[1]
        if self.theorem.graph is not None and side.head == "specnorm" and side.args[-1] is ZERO:
            last = self.theorem.graph.weighted[-1]
            corner = rf" and ${name}_{{{last},{last}}}=0$"
        return rf" ${name}_{{k',k}}={name}_{{k,k'}}${corner} and"

    def _readout(self) -> str:
        if self.theorem.graph is not None:
            return ""
        network = self.theorem.network
        return "v" if network is not None and network.readout.trainable else ""

    def _definition_list(self) -> str:
        rows = []
        last = len(self.reasons.definitions) - 1
        scopes = [width(range_of(b.rows)) for _, b in self.reasons.definitions]
        narrow = [w for w in scopes if w <= WIDEST_SCOPE]  # wider ones stand below
        beside = max(10.0, 7.0 + max(narrow, default=0.0))  # left sides and ranges are columns
        for i, (label, b) in enumerate(self.reasons.definitions):
            left, right = b.forms[0].args
            scope = range_of(b.rows)
            stop = "." if i == last else ","
            tail = f"&& ({scope}){stop}" if scope else stop
            lines = broken(tex(right), LINE - beside, LINE - beside - 2)
            if scopes[i] > WIDEST_SCOPE:
                lines += scope_lines(scope, LINE - beside - 2)
                tail = stop
            body = "\\notag\\\\\n&\\qquad ".join(lines)
            rows.append(rf"{tex(left)} &= {body} {tail} \label{{eq:{self.prefix}:def-{label}}}")
        return "\\begin{align}\n" + "\\\\\n".join(rows) + "\n\\end{align}"

    def _order(self) -> str:
        if self.theorem.network is None and self.theorem.graph is None:
            return ""
        return "\n".join([r"\wpheading{Order of growth}", order_sentences(self.theorem)])

    def _remarks(self) -> str:
        """What a reader should know beside the statement."""
        if not self.theorem.remarks:
            return ""
        return "\n\n".join([r"\wpheading{Remarks}", *map(prose, self.theorem.remarks)])

    def _symbols(self) -> str:
        shown = symbols.rows(self._terms())
        body = "\n".join(
            rf"${a}$ & \raggedright {b} & \raggedright {c}\tabularnewline" for a, b, c in shown
        )
        head = "\\toprule\nsymbol & meaning & normalisation\\\\\n\\midrule\n"
        title = r"\multicolumn{3}{@{}l}{\wptitle{Symbols}}\\[1ex]"  # inside, so as not to part
        return (
            "{\\small\\setlength{\\LTleft}{0pt}\n"
            "\\begin{longtable}{@{}l p{0.51\\linewidth} p{0.29\\linewidth}@{}}\n"
            f"{title}\n{head}\\endfirsthead\n{head}\\endhead\n\\bottomrule\n\\endfoot\n"
            f"{body}\n\\end{{longtable}}}}"
        )

    def _terms(self) -> Iterable[Term]:
        """Every term that the page shows."""
        theorem = self.theorem
        yield theorem.statement
        yield from theorem.definitions
        yield from (f for a in theorem.assumptions for f in a.formulas if f.head != "fact")
        for group in self.reasons.groups:
            for line in group.lines[:2]:
                yield from _terms_of(line)

    # -- proof ------------------------------------------------------------------------------------

    def _proof(self) -> str:
        if not self.reasons.groups:
            return ""
        count = len(self.reasons.lemmas)
        intro = HOW_TO_READ % self._lemma_range(count)
        parts = [r"\wpheading{Proof}", rf"\begin{{proof}} {intro}"]
        for component in self.reasons.components:
            parts += self._induction(component)
            parts += [self._group(g) for g in component]
        return "\n".join([*parts, r"\end{proof}"])

    def _lemma_range(self, count: int) -> str:
        names = list(self.reasons.lemmas)
        first = rf"\ref{{lem:{self.prefix}:{names[0]}}}"
        last = rf"\ref{{lem:{self.prefix}:{names[-1]}}}"
        return f"({first})" if count == 1 else f"({first})--({last})"

    def _induction(self, component: Sequence[Group]) -> list[str]:
        """How lines that rest on each other's neighbouring layers are proved."""
        way = direction(component)
        if not way:
            return []
        where = [rf"\eqref{{{self.reasons.label(g)}}}" for g in component]
        verb = "is" if len(where) == 1 else "are"
        name = next(iter(component[0].rows[0]), "l")
        first = "lowest" if way == "upward" else "highest"
        return [
            rf"\par\medskip\noindent {listed(where)} {verb} proved by induction on ${name}$, "
            f"from the {first} layer {way}s."
        ]

    def _group(self, group: Group) -> str:
        title = prose(_capital(group.title))
        scope = group.range
        first = group.lines[0]
        shown = self._chains(group, scope, self.reasons.label(group))
        parts = [rf"\wpline{{{title}}}", shown]
        if first.parts:
            parts.append(self._by_induction(first))
        parts.append(rf"\wpwhy{{{self.reasons.why(group)}}}")
        return "\n".join(parts)

    def _chains(self, group: Group, scope: str, label: str) -> str:
        """A group's chains in one display, numbered at its last line."""
        if not group.links:
            return self._formula(group.left, scope, label)
        rows: list[str] = []
        for left, links in group.before:
            rows += [
                f"{r}{',' if i == 0 else ''}"
                for i, r in enumerate(reversed(chain_rows(left, links)))
            ][::-1]
        rows += chain_rows(group.left, group.links, rf"\qquad ({scope})" if scope else "")
        return display(rows, scope, label)

    def _formula(self, formula: Any, scope: str, label: str, end: str = ".") -> str:
        """A formula by itself."""
        if formula.head == "forall":
            name, low, high, formula = formula.args
            scope = rf"{index_to_latex(low)}\le {name}\le {index_to_latex(high)}"
        if formula.head in ("ball", "likely", "after"):
            return display(_wrapped_rows(formula), scope, label, end)
        if formula.head not in SIGNS:
            return display([f"&{tex(formula)}"], scope, label, end)
        left, right = formula.args
        note = rf"\qquad ({scope})" if scope else ""
        return display(chain_rows(left, [(formula.head, right)], note), scope, label, end)

    def _by_induction(self, line: Line) -> str:
        """The base and the step of a claim that is proved by induction."""
        base, step = line.parts
        if not step.links:
            return _along_a_path(step.judgement.conclusion)
        start = " ".join(chain_rows(base.left, _pairs(base))).replace("&", "")
        sums = any(t.head in ("osum", "rsum") for t in subterms(step.judgement.conclusion))
        first = f"For $l=0$ {'the sum is empty, and ' if sums else ''}${start}$"
        texts = [
            rf"\noindent By induction on $l$. {first}. For the step from $l-1$ to $l$,",
            display(chain_rows(step.left, _pairs(step)), "", "", end=","),
            rf"\noindent {AND_THEN if sums else 'where the claim for $l-1$ is used'}.",
        ]
        return "\n".join(texts)

    def _lemma_list(self) -> str:
        """The trusted lemmas with their statements and sources."""
        items = []
        for name in self.reasons.lemmas:
            lemma = LEMMAS[name]
            source = references.cite(lemma.source, lemma.cite)
            title = prose(_capital(lemma.title))
            label = rf"\label{{lem:{self.prefix}:{name}}}"
            items.append(rf"\item{label} \emph{{{title}}}: ${lemma.says}$. {_capital(source)}.")
        heading = r"\wpheading{Trusted lemmas}"
        intro = (
            "All that is believed without a proof in the kernel; $A,B$ are matrices, $u,v$ vectors."
        )
        loose = [r"{\sloppy", _enumerate("L", items), r"\par}"]  # formulas leave little to stretch
        return "\n".join([heading, intro, *loose]) if items else ""


# -- small parts ----------------------------------------------------------------------------------


def cited_keys(text: str) -> list[str]:
    """The keys that a LaTeX text cites, in order of first use."""
    found = re.findall(r"\\cite(?:\[[^\]]*\])?\{([^}]*)\}", text)
    return list(dict.fromkeys(key for keys in found for key in keys.split(",")))


def _terms_of(line: Line) -> Iterable[Term]:
    for left, links in [*line.before, (line.left, line.links)]:
        yield left
        yield from (k.right for k in links)
    for part in line.parts:
        yield from _terms_of(part)


def _wrapped_rows(formula: Any) -> list[str]:
    """A statement about a ball or with a probability: what it says, and below it of what."""
    below = []
    while formula.head in ("ball", "likely", "after"):
        words = quantified(formula)
        below.append(rf"&\qquad {words}")
        formula = formula.args[-1]
    return [f"&{fitting(formula)}", *reversed(below)]


def _along_a_path(claim: Term) -> str:
    """How a claim about the points of gradient descent goes from one to the next."""
    name = index_to_latex(claim.args[1])
    before = make("point", "p")
    inner = substitute(claim.args[-1], {make("point", "*"): claim.args[2]})
    start = tex(substitute(inner, dict.fromkeys(claim.args[1].free, 0)))
    return (
        rf"\noindent By induction on ${name}$. For ${name}=0$ it says that ${start}$. "
        rf"For the step let ${point_to_latex(before)}$ be the point after ${name}-1$ steps, where "
        "what is known after as many steps holds, and take one step from there."
    )


def _pairs(line: Line) -> list[tuple[str, Term]]:
    return [(k.relation, k.right) for k in line.links]


def _enumerate(letter: str, items: Sequence[str]) -> str:
    """A numbered list whose references read ``H1``, ``H2``, ..."""
    return "\n".join(
        [
            r"{\setlength{\leftmargini}{3em}",
            rf"\begin{{enumerate}}\renewcommand{{\theenumi}}{{{letter}\arabic{{enumi}}}}"
            r"\renewcommand{\labelenumi}{\textup{(\theenumi)}}\setlength{\itemsep}{0pt}",
            *items,
            r"\end{enumerate}}",
        ]
    )


def _capital(text: str) -> str:
    """The text with a capital, unless it begins with a symbol such as ``z^1``."""
    return text if re.match(r"\w[_^]", text) else text[:1].upper() + text[1:]


__all__ = ["Page", "default_prefix", "theorem_to_latex", "theorem_to_math"]
