"""The lines of a proof that a reader sees, and what each rests on, read off the proof itself.

A theorem's claims are judgements; each carries the steps that prove it.  Here a claim becomes a
:class:`Line`: the links of its chain that are worth showing, and the lemmas, earlier claims,
definitions and hypotheses that the steps below it use, down to the next claims.  Nothing is added
by hand, so a page cannot give a reason that the proof does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from theory.kernel import Judgement
from theory.terms import Arg, Term, substitute, subterms
from theory.theorem import Theorem
from theory.vocabulary import INPUT

ROUTINE = frozenset(
    [
        "triangle",
        "product",
        "homogeneity",
        "negation",
        "transpose",
        "kronecker",
        "diagonal",
        "isometry",
        "identity",
        "zero",
    ]
)  # lemmas on norms whose effect a reader sees in the next line


@dataclass(frozen=True)
class Link:
    """One step of a chain: ``relation right``, ``relation`` being ``eq`` or ``le``."""

    relation: str
    right: Term


@dataclass
class Uses:
    """What a line rests on, each in order of first use.

    Attributes:
        lemmas: names of trusted lemmas.
        claims: labels of other claims, and at which other input they are used, if at one.
        definitions: formulas that introduce abbreviations.
        hypotheses: other formulas assumed.
    """

    lemmas: dict[str, None] = field(default_factory=dict)
    claims: dict[str, Term | None] = field(default_factory=dict)
    definitions: dict[Term, None] = field(default_factory=dict)
    hypotheses: dict[Term, None] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """A claim as a reader sees it.

    Attributes:
        label: the claim's label.
        title: what it is about.
        judgement: what it says.
        left: the left side, or the whole formula when it is not a relation.
        links: the rest of the chain.
        uses: what it rests on.
        before: chains that come first: the bounds whose minimum is taken.
        parts: for an induction: the lines of its base and of its step.
    """

    label: str
    title: str
    judgement: Judgement
    left: Term
    links: tuple[Link, ...]
    uses: Uses
    before: tuple[tuple[Term, tuple[Link, ...]], ...] = ()
    parts: tuple[Line, ...] = ()

    @property
    def family(self) -> str:
        """The label without its indices."""
        return self.label.partition(":")[0]

    @property
    def tags(self) -> tuple[str, ...]:
        """What follows the colon in the label."""
        after = self.label.partition(":")[2]
        return tuple(after.split(",")) if after else ()

    @property
    def indices(self) -> tuple[int, ...]:
        """The layer indices in the label."""
        return tuple(int(t) for t in self.tags if re.fullmatch(r"\d+", t))

    @property
    def words(self) -> tuple[str, ...]:
        """The tags that are not layer indices."""
        return tuple(t for t in self.tags if not re.fullmatch(r"\d+", t))


# -- chains ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Raw:
    judgement: Judgement
    relation: str
    left: Term
    right: Term


def _flat(judgement: Judgement, bindings: Mapping[Term, Arg]) -> Iterator[_Raw]:
    """The links of a judgement that is a relation, transitivity taken apart."""
    match judgement.rule:
        case "transitivity":
            for premise in judgement.premises:
                yield from _flat(premise, bindings)
        case "weaken" | "cut":
            yield from _flat(judgement.premises[0], bindings)
        case "instance":
            inner = dict(judgement.data[0])
            inner = {
                k: substitute(v, bindings) if isinstance(v, Term) else v for k, v in inner.items()
            }
            yield from _flat(judgement.premises[0], inner)
        case _:
            formula = substitute(judgement.conclusion, bindings)
            yield _Raw(judgement, formula.head, *formula.args)


def _is_lemma(raw: _Raw, names: Iterable[str] | None = None) -> bool:
    found = raw.judgement.rule == "lemma"
    return found and (names is None or raw.judgement.data[0] in names)


def _worth_showing(chain: Sequence[_Raw]) -> list[_Raw]:
    """The links to show: not the routine ones, and one form of each right side."""
    kept: list[_Raw] = []
    for i, raw in enumerate(chain):
        rest = [r.judgement.rule for r in chain[i + 1 :]]
        rule = raw.judgement.rule
        last = not rest
        named = rest in (["symmetry"], ["congruence"])  # the next link only puts a name for it
        if last or (rule == "by_form" and named):
            kept.append(raw)
        elif rule == "by_form" or _is_lemma(raw, ROUTINE):
            continue
        elif rule == "monotone" and rest[0] == "by_form":
            continue  # the next link tidies it up
        elif set(rest[:-1]) <= {"by_form"} and rest[-1] in ("by_form", "symmetry") and not named:
            if raw.right.head == "zero":
                kept.append(raw)  # what follows is another name for zero
            continue  # only rearranged from here on
        elif (
            rule == "congruence"
            and i + 1 < len(chain)
            and _is_lemma(chain[i + 1])
            and (raw.left.sort == "op")
        ):
            continue  # a word replaced by its meaning, for the lemma to apply
        else:
            kept.append(raw)
    return kept


def links_of(judgement: Judgement, bindings: Mapping[Term, Arg]) -> tuple[Term, tuple[Link, ...]]:
    """The left side and the links worth showing; a formula that is no relation has no links."""
    conclusion = substitute(judgement.conclusion, bindings)
    if conclusion.head not in ("eq", "le"):
        return conclusion, ()
    chain = list(_flat(judgement, bindings))
    kept = {id(raw) for raw in _worth_showing(chain)}
    links: list[Link] = []
    relation = "eq"
    for raw in chain:
        relation = "le" if "le" in (relation, raw.relation) else "eq"
        if id(raw) in kept:
            if not links or links[-1].right is not raw.right:
                links.append(Link(relation, raw.right))
            relation = "eq"
    return conclusion.args[0], tuple(links)


def _bounds_joined(
    judgement: Judgement, bindings: Mapping[Term, Arg]
) -> tuple[tuple[Term, tuple[Link, ...]], ...]:
    """The chains of the bounds whose minimum a chain begins with."""
    if judgement.conclusion.head not in ("eq", "le"):
        return ()
    first = next(_flat(judgement, bindings))
    if not _is_lemma(first, ["min_intro"]):
        return ()
    return tuple(links_of(premise, bindings) for premise in first.judgement.premises)


# -- what a line rests on -------------------------------------------------------------------------


def _uses(judgement: Judgement, stops: Mapping[int, str], definitions: frozenset[Term]) -> Uses:
    """Walk down from a judgement to the next claims."""
    uses, seen = Uses(), set()
    stack: list[tuple[Judgement, Term | None]] = [(judgement, None)]
    while stack:
        node, at = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if id(node) in stops and node is not judgement:
            uses.claims[stops[id(node)]] = at
            continue
        _note(node, uses, definitions)
        if node.rule == "instance":
            at = dict(node.data[0]).get(INPUT, at)
        stack.extend((premise, at) for premise in reversed(node.premises))
    return uses


def _note(node: Judgement, uses: Uses, definitions: frozenset[Term]) -> None:
    if node.rule == "lemma":
        uses.lemmas[node.data[0]] = None
    elif node.rule == "hypothesis":
        kind = uses.definitions if node.conclusion in definitions else uses.hypotheses
        kind[node.conclusion] = None


def _bindings_in_use(theorem: Theorem) -> dict[int, dict[Term, Any]]:
    """For a judgement that is only used through one instance: what that puts for its variables."""
    from theory.proofs import linearize

    found: dict[int, list[dict[Term, Any]]] = {}
    for node in linearize(theorem.judgement):
        for premise in node.premises:
            bindings = dict(node.data[0]) if node.rule == "instance" else {}
            known = found.setdefault(id(premise), [])
            if bindings not in known:
                known.append(bindings)
    return {key: kinds[0] for key, kinds in found.items() if len(kinds) == 1}


def lines_of(theorem: Theorem) -> list[Line]:
    """The theorem's claims as lines, in their order."""
    stops = {id(c.judgement): c.label for c in theorem.claims}
    definitions = frozenset(theorem.definitions)
    bindings = _bindings_in_use(theorem)
    lines = []
    for claim in theorem.claims:
        found = bindings.get(id(claim.judgement), {})
        lines.append(_line(claim.label, claim.title, claim.judgement, found, stops, definitions))
    return lines


def _line(
    label: str,
    title: str,
    judgement: Judgement,
    bindings: Mapping[Term, Arg],
    stops: Mapping[int, str],
    definitions: frozenset[Term],
) -> Line:
    left, links = links_of(judgement, bindings)
    uses = _uses(judgement, stops, definitions)
    inner, inner_bindings = judgement, bindings
    while inner.rule in ("instance", "cut"):
        if inner.rule == "instance":
            inner_bindings = {
                k: substitute(v, inner_bindings) if isinstance(v, Term) else v
                for k, v in inner.data[0]
            }
        inner = inner.premises[0]
    parts: tuple[Line, ...] = ()
    if inner.rule == "induction":
        parts = tuple(
            _part(_line(label, name, premise, inner_bindings, stops, definitions))
            for name, premise in zip(("base", "step"), inner.premises, strict=True)
        )
    before = _bounds_joined(judgement, bindings)
    return Line(label, title, judgement, left, links, uses, before, parts)


def _part(line: Line) -> Line:
    """The base or the step of an induction up to where the sum of the claim comes in."""
    early = tuple(k for k in line.links if all(t.head != "osum" for t in subterms(k.right)))
    return replace(line, links=early or line.links)


__all__ = ["Line", "Link", "Uses", "lines_of", "links_of"]
