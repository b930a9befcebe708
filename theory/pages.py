"""A theorem as pages: hypotheses, statement, symbols, numbered proof, trusted lemmas.

Everything is read off the theorem object.  What differs only in its layers is one line
(:mod:`theory.families`); the reasons are the steps of the proof (:mod:`theory.lines`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from theory import references, symbols
from theory.groups import Bundle, Group, bundle, components, direction, groups_of, range_of, shift_of
from theory.latex import index_to_latex, tex
from theory.lemmas import LEMMAS
from theory.lines import Line, lines_of
from theory.prose import prose
from theory.settings import network_sentences, order_sentences
from theory.terms import Term, substitute, subterms
from theory.theorem import Theorem
from theory.typeset import LINE, broken, width
from theory.vocabulary import INPUT, OTHER

SIGNS = {"eq": "=", "le": r"\le"}

PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage[margin=1in]{geometry}
\usepackage{amsmath,amssymb,amsthm,booktabs,longtable,microtype}
\usepackage[hidelinks]{hyperref}
\newtheorem{theorem}{Theorem}
\newcommand{\wpheading}[1]{\section*{#1}}
\emergencystretch=2em
"""

MACROS = r"""\providecommand{\wpheading}[1]{\paragraph{#1.}}
\providecommand{\wpline}[1]{\par\medskip\noindent\textit{#1.}\enspace}
\providecommand{\wpwhy}[1]{\par\noindent{\small #1\par}}
"""

HOW_TO_READ = (
    "Every displayed line was derived by the kernel of \\texttt{widthproof}, and the reasons given "
    "for it are the steps of that derivation. Apart from the trusted lemmas %s only these rules "
    "are used: rearrangement to an exact normal form, replacing equals by equals, enlarging what "
    "occurs positively in an expression made of sums, products, maxima, minima and positive "
    "powers, transitivity, and induction on the layer."
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
    return Page(theorem, prefix or default_prefix(theorem)).document() if document else Page(
        theorem, prefix or default_prefix(theorem)).fragment()  # fmt: skip


def default_prefix(theorem: Theorem) -> str:
    """A prefix of labels that tells apart the theorems a paper is likely to have side by side."""
    parts = [re.sub(r"[^A-Za-z0-9+]+", "-", theorem.name)]
    if theorem.network is not None:
        parts += [f"L{theorem.network.depth}"]
        parts += ["v"] if theorem.network.readout.trainable else []
        parts += ["ball"] if theorem.radius is not None else []
    return "-".join(parts)


class Page:
    """One theorem on its way to the page."""

    def __init__(self, theorem: Theorem, prefix: str) -> None:
        """Read the theorem's lines, definitions and hypotheses; write nothing yet."""
        self.theorem, self.prefix = theorem, prefix
        self.groups = groups_of(lines_of(theorem))
        self.components = components(self.groups)
        self.own, self.others = _by_input(theorem.definitions)
        self.definitions = _definition_bundles(self.own)
        self.hypotheses = {
            f: i for i, a in enumerate(theorem.assumptions, 1) for f in a.formulas
        }
        self.names = {a.name: i for i, a in enumerate(theorem.assumptions, 1)}
        self.lemmas = self._lemmas()
        self.cited: set[str] = set()

    def _lemmas(self) -> dict[str, int]:
        """Numbers of the lemmas, in order of first use on the page."""
        names = [n for c in self.components for g in c for n in g.uses.lemmas]
        names += [lemma.name for lemma in self.theorem.lemmas]
        return {name: i for i, name in enumerate(dict.fromkeys(names), 1)}

    # -- the whole ------------------------------------------------------------------------------

    def document(self) -> str:
        """The page as a document."""
        title = prose(_capital(self.theorem.title))
        head = (rf"\begin{{center}}{{\Large\bfseries {title}\par}}\medskip "
                rf"{prose(self.theorem.name)}\end{{center}}")  # fmt: skip
        meta = rf"\hypersetup{{pdftitle={{{self.theorem.name}}}}}"
        keys = self._keys()
        return "\n".join([
            PREAMBLE + meta, r"\begin{document}", head, self.fragment(keys=False),
            references.bibliography(keys), r"\end{document}", "",
        ])  # fmt: skip

    def fragment(self, *, keys: bool = True) -> str:
        """The page without a preamble."""
        body = [
            r"\begingroup", MACROS + r"\allowdisplaybreaks[2]",
            self._setting(), self._statement(), self._order(), self._symbols(), self._proof(),
            self._lemma_list(), r"\endgroup", "",
        ]  # fmt: skip
        text = "\n".join(part for part in body if part)
        return self._comment() + text if keys else text

    def _comment(self) -> str:
        """What a paper needs to input the fragment, and the works to cite, as comments."""
        packages = "amsmath, amssymb, amsthm, booktabs, longtable (hyperref makes links)"
        lines = [
            f"{self.theorem.name}: {self.theorem.title}. Made by widthproof.",
            f"Needs the packages {packages}",
            r"and \newtheorem{theorem}{Theorem}; in two columns, \onecolumn.",
            f"Labels: thm:{self.prefix}, eq:{self.prefix}:..., lem:{self.prefix}:...",
            "BibTeX:", *references.bibtex(self._keys()).splitlines(),
        ]  # fmt: skip
        return "".join(f"% {line}".rstrip() + "\n" for line in lines)

    def _keys(self) -> list[str]:
        keys = [self.theorem.cite, *(LEMMAS[n].cite for n in self.lemmas)]
        texts = [a.why for a in self._order_assumptions()]
        keys += [r.key for r in references.REFERENCES.values()
                 if any(t.startswith(p) for p in r.plain for t in texts)]  # fmt: skip
        return list(dict.fromkeys(keys))

    # -- statement --------------------------------------------------------------------------------

    def _setting(self) -> str:
        """The network and the hypotheses."""
        heading = r"\wpheading{Setting and hypotheses}"
        sentences = network_sentences(self.theorem)
        items = [
            rf"\item\label{{hyp:{self.prefix}:{i}}} {a.latex}{';' if i < len(self.names) else '.'}"
            for i, a in enumerate(self.theorem.assumptions, 1)
        ]
        if not items:
            return "\n".join([heading, sentences]) if sentences else ""
        return "\n".join([
            heading, sentences, _enumerate("H", items),
        ])  # fmt: skip

    def _statement(self) -> str:
        theorem = self.theorem
        source = references.cite(theorem.citation, theorem.cite)
        count = len(theorem.assumptions)
        under = "" if not count else (
            rf"Under the hypotheses {self._hypothesis_range(range(1, count + 1))}, ")  # fmt: skip
        note = ", with explicit constants" if theorem.network is not None else ""
        lines = [
            rf"\begin{{theorem}}[{{{source}{note}}}]\label{{thm:{self.prefix}}}",
            f"{under}{'one has' if under else 'One has'}",
            self._display(*_sides(theorem.statement), "", "statement",
                          end="," if self.definitions else "."),
        ]  # fmt: skip
        if self.definitions:
            lines += ["where" + self._symmetry(), self._definition_list()]
        if self.others:
            lines.append(rf"The same with ${tex(OTHER)}$ in place of $x$ defines what is written "
                         rf"with the argument ${tex(OTHER)}$.")  # fmt: skip
        return "\n".join([r"\wpheading{Statement}", *lines, r"\end{theorem}"])

    def _symmetry(self) -> str:
        """What a matrix written by its general entry leaves unsaid."""
        match = re.search(r"\[(\\bar )?M_\{k,k'\}", tex(self.theorem.statement))
        if match is None:
            return ""
        name = rf"{match[1] or ''}M"
        corner = rf" and ${name}_{{v,v}}=0$" if "v" in self._readout() else ""
        return rf" ${name}_{{k',k}}={name}_{{k,k'}}${corner} and"

    def _readout(self) -> str:
        network = self.theorem.network
        return "v" if network is not None and network.readout.trainable else ""

    def _definition_list(self) -> str:
        rows = []
        last = len(self.definitions) - 1
        for i, (label, b) in enumerate(self.definitions):
            left, right = b.forms[0].args
            scope = range_of(b.rows)
            stop = "." if i == last else ","
            tail = f"&& ({scope}){stop}" if scope else stop
            lines = broken(tex(right), LINE - 10, LINE - 12)
            body = "\\notag\\\\\n&\\qquad ".join(lines)
            rows.append(rf"{tex(left)} &= {body} {tail} \label{{eq:{self.prefix}:def-{label}}}")
        return "\\begin{align}\n" + "\\\\\n".join(rows) + "\n\\end{align}"

    def _order_assumptions(self) -> Sequence[Any]:
        return self.theorem.order.assumptions if self.theorem.network is not None else ()

    def _order(self) -> str:
        if self.theorem.network is None:
            return ""
        return "\n".join([r"\wpheading{Order of growth}", order_sentences(self.theorem)])

    def _symbols(self) -> str:
        shown = symbols.rows(self._terms())
        body = "\\\\\n".join(f"${a}$ & {b} & {c}" for a, b, c in shown)
        return (
            "\\wpheading{Symbols}\n"
            "{\\small\n\\begin{longtable}{@{}l p{0.52\\linewidth} p{0.30\\linewidth}@{}}\n\\toprule\n"
            "symbol & meaning & normalisation\\\\\n\\midrule\n\\endhead\n\\bottomrule\n\\endfoot\n"
            f"{body}\\\\\n\\end{{longtable}}}}"
        )

    def _terms(self) -> Iterable[Term]:
        """Every term that the page shows."""
        theorem = self.theorem
        yield theorem.statement
        yield from theorem.definitions
        yield from (h for h in self.hypotheses if h.head != "fact")
        for group in self.groups:
            for line in group.lines[:2]:
                yield from _terms_of(line)

    # -- proof ------------------------------------------------------------------------------------

    def _proof(self) -> str:
        if not self.groups:
            return ""
        count = len(self.lemmas)
        intro = HOW_TO_READ % self._lemma_range(count)
        parts = [r"\wpheading{Proof}", rf"\begin{{proof}} {intro}"]
        for component in self.components:
            parts += self._induction(component)
            parts += [self._group(g) for g in component]
        return "\n".join([*parts, r"\end{proof}"])

    def _lemma_range(self, count: int) -> str:
        names = list(self.lemmas)
        first = rf"\ref{{lem:{self.prefix}:{names[0]}}}"
        last = rf"\ref{{lem:{self.prefix}:{names[-1]}}}"
        return f"({first})" if count == 1 else f"({first})--({last})"

    def _induction(self, component: Sequence[Group]) -> list[str]:
        """How lines that rest on each other's neighbouring layers are proved."""
        way = direction(component)
        if not way:
            return []
        where = [rf"\eqref{{{self._label(g)}}}" for g in component]
        verb = "is" if len(where) == 1 else "are"
        name = next(iter(component[0].rows[0]), "l")
        first = "lowest" if way == "upward" else "highest"
        return [
            rf"\par\medskip\noindent {_listed(where)} {verb} proved by induction on ${name}$, "
            f"from the {first} layer {way}s."
        ]

    def _label(self, group: Group) -> str:
        same = [g for g in self.groups if g.family == group.family]
        suffix = f"-{same.index(group) + 1}" if len(same) > 1 else ""
        return f"eq:{self.prefix}:{re.sub(r'[^A-Za-z0-9]+', '-', group.family)}{suffix}"

    def _group(self, group: Group) -> str:
        title = prose(_capital(group.title))
        scope = group.range
        first = group.lines[0]
        label = self._label(group).removeprefix(f"eq:{self.prefix}:")
        shown = self._chains(group, scope, label)
        parts = [rf"\wpline{{{title}}}", shown]
        if first.parts:
            parts.append(self._by_induction(first))
        parts.append(rf"\wpwhy{{{self._why(group)}}}")
        return "\n".join(parts)

    def _chains(self, group: Group, scope: str, label: str) -> str:
        """A group's chains in one display, numbered at its last line."""
        if not group.links:
            formula, scope = group.left, scope
            if formula.head == "forall":
                name, low, high, formula = formula.args
                scope = rf"{index_to_latex(low)}\le {name}\le {index_to_latex(high)}"
            return self._display(*_sides(formula), scope, label)
        rows: list[str] = []
        for left, links in group.before:
            rows += [f"{r}{',' if i == 0 else ''}" for i, r in
                     enumerate(reversed(chain_rows(left, links)))][::-1]  # fmt: skip
        rows += chain_rows(group.left, group.links)
        return self._rows(rows, scope, label)

    def _display(self, left: str, sign: str, right: str, scope: str, label: str,
                 end: str = ".") -> str:
        """A single relation."""
        if not sign:
            return self._rows([f"&{left}"], scope, label, end)
        rows = _row(left, sign, right)
        return self._rows(rows, scope, label, end)

    def _rows(self, rows: list[str], scope: str, label: str, end: str = ".") -> str:
        """Aligned lines, the last one with the range of its indices and the number."""
        rows = list(rows)
        note = rf"\qquad ({scope})" if scope else ""
        if note and width(rows[-1]) + width(note) > LINE:
            rows.append(rf"&{note}")
        else:
            rows[-1] += note
        mark = rf"\label{{eq:{self.prefix}:{label}}}" if label else r"\notag"
        if len(rows) == 1:
            body = rows[0].replace("&", "", 1)
            if not label:
                return f"\\[\n{body}{end}\n\\]"
            return f"\\begin{{equation}}{mark}\n{body}{end}\n\\end{{equation}}"
        body = "\\notag\\\\\n".join(rows)
        return f"\\begin{{align}}\n{body}{end}{mark}\n\\end{{align}}"

    def _by_induction(self, line: Line) -> str:
        """The base and the step of a claim that is proved by induction."""
        base, step = line.parts
        texts = [r"\noindent Induction on $l$. For $l=0$,"]
        texts.append(self._rows(chain_rows(base.left, _pairs(base)), "", ""))
        texts.append(r"For the step from $l-1$ to $l$,")
        texts.append(self._rows(chain_rows(step.left, _pairs(step)), "", "", end=","))
        texts.append("where the last sum over the layers below $l$ is the claim for $l-1$.")
        return "\n".join(texts)

    # -- reasons ----------------------------------------------------------------------------------

    def _why(self, group: Group) -> str:
        """The reasons for a line: earlier lines, definitions, hypotheses, lemmas."""
        uses = group.uses
        parts = []
        equations = [self._reference(group, n) for n in sorted(group.needs)]
        if equations:
            parts.append(_listed(equations))
        if uses.definitions:
            found = self._definition_references(uses.definitions)
            parts.append(f"{'definition' if len(found) == 1 else 'definitions'} {_listed(found)}")
        numbers = sorted({n for h in uses.hypotheses if (n := self._hypothesis(h))})
        if numbers:
            word = "hypothesis" if len(numbers) == 1 else "hypotheses"
            parts.append(f"{word} {self._hypothesis_range(numbers)}")
        if uses.lemmas:
            parts.append(", ".join(map(self._lemma, uses.lemmas)))
        return f"By {'; '.join(parts)}." if parts else "By rearrangement."

    def _reference(self, group: Group, number: int) -> str:
        other = self.groups[number]
        shift = shift_of(group, number)
        return rf"\eqref{{{self._label(other)}}}" + (f" for ${shift}$" if shift else "")

    def _definition_references(self, formulas: Iterable[Term]) -> list[str]:
        wanted = set(formulas)
        back = {substitute(f, {INPUT: OTHER}): f for f in self.own}
        wanted = {back.get(f, f) if f in self.others else f for f in wanted}
        return [
            rf"\eqref{{eq:{self.prefix}:def-{label}}}"
            for label, b in self.definitions
            if any(self.own[i] in wanted for i in b.members)
        ]

    def _hypothesis(self, formula: Term) -> int | None:
        """The number of the hypothesis that a formula belongs to; None for what is discharged."""
        if formula in self.hypotheses:
            return self.hypotheses[formula]
        inner = formula.args[3] if formula.head == "forall" else formula
        return self.names.get(inner.args[0]) if inner.head == "fact" else None

    def _hypothesis_range(self, numbers: Iterable[int]) -> str:
        shown = []
        for first, last in _runs(list(numbers)):
            ends = [rf"\textup{{(\ref{{hyp:{self.prefix}:{i}}})}}" for i in (first, last)]
            if first == last:
                shown.append(ends[0])
            else:
                shown += [f"{ends[0]}--{ends[1]}"] if last > first + 1 else ends
        return _listed(shown)

    def _lemma(self, name: str) -> str:
        """A lemma by its title and its place in the list; with its source at first mention."""
        lemma = LEMMAS[name]
        number = rf"(\ref{{lem:{self.prefix}:{name}}})"
        if name in self.cited or references.place_in(lemma.source, lemma.cite) is None:
            return f"{prose(lemma.title)}~{number}"
        self.cited.add(name)
        return f"{prose(lemma.title)}~{number}~\\cite{{{lemma.cite}}}"

    def _lemma_list(self) -> str:
        """The trusted lemmas with their statements and sources."""
        items = []
        for name in self.lemmas:
            lemma = LEMMAS[name]
            source = references.cite(lemma.source, lemma.cite)
            title = prose(_capital(lemma.title))
            items.append(
                rf"\item\label{{lem:{self.prefix}:{name}}} \emph{{{title}}}: ${lemma.says}$. {_capital(source)}."
            )
        heading = r"\wpheading{Trusted lemmas}"
        intro = "All that is believed without a proof in the kernel; $A,B$ are matrices, $u,v$ vectors."
        return "\n".join([heading, intro, _enumerate("L", items)]) if items else ""


# -- small parts ----------------------------------------------------------------------------------


def _by_input(definitions: Sequence[Term]) -> tuple[list[Term], list[Term]]:
    """Definitions, and those that are others' copies at the second input."""
    copies = {substitute(d, {INPUT: OTHER}) for d in definitions if INPUT in d.free}
    others = [d for d in definitions if d in copies and OTHER in d.free]
    return [d for d in definitions if d not in set(others)], others


def _definition_bundles(definitions: Sequence[Term]) -> list[tuple[str, Bundle]]:
    """The definitions joined, those of one symbol side by side, each with a label."""
    items = []
    for formula in definitions:
        tags = formula.args[0].args
        indices = tuple(t for t in tags[1:] if type(t) is int)
        words = tuple(str(t) for t in tags[1:] if type(t) is not int)
        items.append((tags[0], words, indices, (formula,)))
    by_name: dict[str, list[Bundle]] = {}
    for b in bundle(items):
        by_name.setdefault(items[b.members[0]][0], []).append(b)
    labelled = []
    for name in _by_need(definitions):
        found = by_name[name]
        for i, b in enumerate(found, 1):
            suffix = f"-{i}" if len(found) > 1 else ""
            labelled.append((name.replace("_", "-") + suffix, b))
    return labelled


def _by_need(definitions: Sequence[Term]) -> list[str]:
    """The names defined, each after those it is defined from, as far as that can be."""
    needs: dict[str, set[str]] = {}
    for formula in definitions:
        used = {t.args[0] for t in subterms(formula.args[1]) if t.head == "sym"}
        needs.setdefault(formula.args[0].args[0], set()).update(used)
    ordered: list[str] = []
    while len(ordered) < len(needs):
        left = [n for n in needs if n not in ordered]
        free = [n for n in left if not (needs[n] & {*left}) - {n}]
        ordered.append((free or left)[0])
    return ordered


def _terms_of(line: Line) -> Iterable[Term]:
    for left, links in [*line.before, (line.left, line.links)]:
        yield left
        yield from (k.right for k in links)
    for part in line.parts:
        yield from _terms_of(part)


def _sides(formula: Any) -> tuple[str, str, str]:
    """Left side, sign and right side of a formula; the whole and nothing for other formulas."""
    if formula.head in SIGNS:
        return tex(formula.args[0]), SIGNS[formula.head], tex(formula.args[1])
    return tex(formula), "", ""


def _pairs(line: Line) -> list[tuple[str, Term]]:
    return [(k.relation, k.right) for k in line.links]


def chain_rows(left: Any, links: Iterable[tuple[str, Any]]) -> list[str]:
    """A chain in aligned rows, as many relations in a row as fit."""
    start = tex(left)
    rows: list[str] = []
    for relation, right in links:
        sign, shown = SIGNS[relation], tex(right)
        fits = rows and width(rows[-1]) + width(f"{sign} {shown}") + (
            0 if len(rows) == 1 else width(start)) <= LINE  # fmt: skip
        if fits:
            rows[-1] += f" {sign} {shown}"
        else:
            rows += _row(start if not rows else "", sign, shown, width(start))
    return rows


def _row(left: str, sign: str, right: str, indent: float = 0.0) -> list[str]:
    """One relation in rows, the right side broken where it is too long."""
    room = LINE - max(width(left), indent) - 2
    first, *more = broken(right, room, room - 2)
    return [f"{left} &{sign} {first}", *(rf"&\qquad {line}" for line in more)]


def _enumerate(letter: str, items: Sequence[str]) -> str:
    """A numbered list whose references read ``H1``, ``H2``, ..."""
    return "\n".join([
        rf"\begin{{enumerate}}\renewcommand{{\theenumi}}{{{letter}\arabic{{enumi}}}}"
        r"\renewcommand{\labelenumi}{\textup{(\theenumi)}}\setlength{\itemsep}{0pt}",
        *items, r"\end{enumerate}",
    ])  # fmt: skip


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Consecutive numbers as (first, last)."""
    runs: list[tuple[int, int]] = []
    for n in numbers:
        if runs and runs[-1][1] == n - 1:
            runs[-1] = (runs[-1][0], n)
        else:
            runs.append((n, n))
    return runs


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:  # noqa: PLR2004
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _capital(text: str) -> str:
    """The text with a capital, unless it begins with a symbol such as ``z^1``."""
    return text if re.match(r"\w\W", text) else text[:1].upper() + text[1:]


__all__ = ["Page", "chain_rows", "default_prefix", "theorem_to_latex"]
