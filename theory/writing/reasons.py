"""The reasons for a line on a page: earlier lines, definitions, hypotheses, lemmas, by number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from theory.lemmas import LEMMAS
from theory.terms import Term, substitute, subterms
from theory.theorem import Theorem
from theory.vocabulary import INPUT, OTHER
from theory.writing import references
from theory.writing.groups import Bundle, Group, bundle, components, groups_of, shift_of
from theory.writing.latex import tex
from theory.writing.lines import lines_of
from theory.writing.prose import prose
from theory.writing.rows import listed, runs


class Reasons:
    """The numbered things of one theorem, and which of them a line rests on.

    Attributes:
        theorem: the theorem.
        prefix: what every label begins with.
        groups: its lines, joined where they differ only in their layers.
        components: the groups in the order of the page, those proved together side by side.
        own: the definitions, those that are others' copies at the second input left out.
        others: those copies.
        definitions: the definitions joined, with their labels.
        lemmas: the numbers of the lemmas, in order of first use on the page.
    """

    def __init__(self, theorem: Theorem, prefix: str) -> None:
        """Read the theorem's lines, definitions and hypotheses."""
        self.theorem, self.prefix = theorem, prefix
        self.groups = groups_of(lines_of(theorem))
        self.components = components(self.groups)
        self.own, self.others = by_input(theorem.definitions)
        self.definitions = definition_bundles(self.own)
        originals = {substitute(f, {INPUT: OTHER}): f for f in self.own} if self.others else {}
        self._original = {copy: originals[copy] for copy in self.others}
        self._shown = [g for component in self.components for g in component]
        self._place = {g.number: i for i, g in enumerate(self._shown)}
        self._hypotheses = {f: i for i, a in enumerate(theorem.assumptions, 1) for f in a.formulas}
        self._events = {e.formula: i for i, e in enumerate(theorem.events, 1)}
        self._names = {a.name: i for i, a in enumerate(theorem.assumptions, 1)}
        self._cited: set[str] = set()
        names = [n for g in self._shown for n in g.uses.lemmas]
        names += [lemma.name for lemma in theorem.lemmas]
        self.lemmas = {name: i for i, name in enumerate(dict.fromkeys(names), 1)}

    def label(self, group: Group) -> str:
        """The label of a group's display."""
        same = [g for g in self.groups if g.family == group.family]
        suffix = f"-{same.index(group) + 1}" if len(same) > 1 else ""
        return f"eq:{self.prefix}:{re.sub(r'[^A-Za-z0-9]+', '-', group.family)}{suffix}"

    def why(self, group: Group) -> str:
        """The reasons for a line: earlier lines, definitions, hypotheses, lemmas."""
        uses = group.uses
        parts = []
        if group.needs:
            parts.append(self._references(group))
        if uses.definitions:
            found = self._definition_references(uses.definitions)
            parts.append(f"{'definition' if len(found) == 1 else 'definitions'} {listed(found)}")
        numbers = sorted({n for h in uses.hypotheses if (n := self._hypothesis(h))})
        if numbers:
            word = "hypothesis" if len(numbers) == 1 else "hypotheses"
            parts.append(f"{word} {self.hypothesis_range(numbers)}")
        events = sorted({self._events[h] for h in uses.hypotheses if h in self._events})
        if events:
            word = "event" if len(events) == 1 else "events"
            parts.append(f"{word} {self.event_range(events)}")
        if group.lines[0].judgement.rule == "likely_intro":
            parts.append("the union bound over all events, whose shares add up to $\\delta$")
        elif uses.lemmas:
            parts.append(", ".join(map(self._lemma, uses.lemmas)))
        if any(line.judgement.rule == "spectral" for line in group.lines):
            parts.append("the vectors being arbitrary")
        return f"By {'; '.join(parts)}." if parts else "By rearrangement."

    def _references(self, group: Group) -> str:
        """The earlier lines that a line rests on, in their order on the page."""
        shifts = {self._place[n]: shift_of(group, n) for n in group.needs}
        for place in shifts:
            found = {group.uses.claims.get(line.label) for line in self._shown[place].lines}
            at = next((i for i in found if i not in (None, INPUT)), None)
            shifts[place] = shifts[place] or (tex(at) if at is not None else "")
        shown = []
        for first, last in runs(sorted(shifts), lambda a, b: not shifts[a] and not shifts[b]):
            ends = [rf"\eqref{{{self.label(self._shown[i])}}}" for i in (first, last)]
            if first == last:
                shown.append(ends[0] + (f" for ${shifts[first]}$" if shifts[first] else ""))
            else:
                shown += [f"{ends[0]}--{ends[1]}"] if last > first + 1 else ends
        return listed(shown)

    def _definition_references(self, formulas: Iterable[Term]) -> list[str]:
        wanted = {self._original.get(f, f) for f in formulas}
        return [
            rf"\eqref{{eq:{self.prefix}:def-{label}}}"
            for label, b in self.definitions
            if any(self.own[i] in wanted for i in b.members)
        ]

    def _hypothesis(self, formula: Term) -> int | None:
        """The number of the hypothesis that a formula belongs to; None for what is discharged."""
        if formula in self._hypotheses:
            return self._hypotheses[formula]
        inner = formula.args[3] if formula.head == "forall" else formula
        return self._names.get(inner.args[0]) if inner.head == "fact" else None

    def hypothesis_range(self, numbers: Iterable[int]) -> str:
        """References to hypotheses, neighbouring ones as a range."""
        return self._range("hyp", numbers)

    def event_range(self, numbers: Iterable[int]) -> str:
        """References to events, neighbouring ones as a range."""
        return self._range("event", numbers)

    def _range(self, kind: str, numbers: Iterable[int]) -> str:
        shown = []
        for first, last in runs(list(numbers)):
            ends = [rf"\textup{{(\ref{{{kind}:{self.prefix}:{i}}})}}" for i in (first, last)]
            if first == last:
                shown.append(ends[0])
            else:
                shown += [f"{ends[0]}--{ends[1]}"] if last > first + 1 else ends
        return listed(shown)

    def _lemma(self, name: str) -> str:
        """A lemma by its title and its place in the list; with its source at first mention."""
        lemma = LEMMAS[name]
        number = rf"(\ref{{lem:{self.prefix}:{name}}})"
        if name in self._cited or references.place_in(lemma.source, lemma.cite) is None:
            return f"{prose(lemma.title)}~{number}"
        self._cited.add(name)
        return f"{prose(lemma.title)}~{number}~\\cite{{{lemma.cite}}}"


def by_input(definitions: Sequence[Term]) -> tuple[list[Term], list[Term]]:
    """Definitions, and those that are others' copies at the second input."""
    if all(OTHER not in d.free for d in definitions):
        return list(definitions), []
    copies = {substitute(d, {INPUT: OTHER}) for d in definitions if INPUT in d.free}
    others = [d for d in definitions if d in copies and OTHER in d.free]
    return [d for d in definitions if d not in set(others)], others


def definition_bundles(definitions: Sequence[Term]) -> list[tuple[str, Bundle]]:
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


__all__ = ["Reasons", "by_input", "definition_bundles"]
