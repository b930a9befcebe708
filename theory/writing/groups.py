"""Lines of a proof, and definitions, that differ only in their layers, joined into one each.

Also their order: lines that rest on each other's lower (or upper) layers are proved together, by
induction on the layer, and stand together on the page.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from theory.terms import Term
from theory.writing.families import Env, NoFormError, fit, generalise, skeleton
from theory.writing.lines import Line, Uses

NAMES = {
    "P": ("l", "k"),
    "M": ("k", "k'"),
    "zero": ("l", "k"),
    "pair_curve": ("k", "k'"),
    "pair_cross": ("k'", "k"),
}
Chain = tuple[tuple[str, Any], ...]  # relations and right sides
MOST = 64  # up to so many terms without a common form are sorted into some that have one
MANY = 3  # from so many values on a range is written with inequalities


@dataclass(frozen=True)
class Bundle:
    """Terms that differ only in their layers, several for each of some members.

    Attributes:
        members: positions of the members.
        names: the index variables.
        rows: their values, member by member.
        forms: the general forms, one for each of a member's terms.
    """

    members: tuple[int, ...]
    names: tuple[str, ...]
    rows: tuple[Env, ...]
    forms: tuple[Any, ...]


def index_names(family: str, count: int) -> tuple[str, ...]:
    """What the layer indices of a family of symbols or lines are called."""
    known = NAMES.get(family.removesuffix("_bar"), ("l", "k"))
    return known[:count] if count <= len(known) else tuple(f"l_{i}" for i in range(1, count + 1))


def _rows(family: str, indices: Sequence[tuple[int, ...]]) -> tuple[Env, ...]:
    """The index variables of a bundle: those indices that vary, equal ones taken as one."""
    columns: dict[str, tuple[int, ...]] = {}
    for name, column in zip(
        index_names(family, len(indices[0])), zip(*indices, strict=True), strict=True
    ):
        if len(set(column)) > 1 and column not in columns.values():
            columns[name] = column
    return tuple({n: c[i] for n, c in columns.items()} for i in range(len(indices)))


def bundle(
    items: Sequence[tuple[str, Hashable, tuple[int, ...], tuple[Term, ...]]],
) -> list[Bundle]:
    """Join what has a common general form.

    Args:
        items: for each member its family, what else must agree, its indices, and its terms.

    Returns:
        The bundles, in order of their first members; a member that fits no other stands alone.
    """
    kinds: dict[Hashable, list[int]] = {}
    for i, (family, also, indices, terms) in enumerate(items):
        key = (family, also, len(indices), tuple(map(skeleton, terms)))
        kinds.setdefault(key, []).append(i)
    found: list[Bundle] = []
    for members in kinds.values():
        found += _bundles(items, members)
    return sorted(found, key=lambda b: b.members[0])


def _bundles(items: Sequence[Any], members: Sequence[int]) -> list[Bundle]:
    found = _joined(items, members)
    if found is not None:
        return [found]
    if len(members) == 1:
        return [Bundle((members[0],), (), ({},), tuple(items[members[0]][3]))]
    return [b for some in _parted(items, members) for b in _bundles(items, some)]


def _joined(items: Sequence[Any], members: Sequence[int]) -> Bundle | None:
    """The members as one, or None where they have no common general form."""
    rows = _rows(items[members[0]][0], [items[i][2] for i in members])
    if len(members) > 1 and not rows[0]:
        return None
    try:
        columns = zip(*(items[i][3] for i in members), strict=True)
        forms = tuple(generalise(column, rows) for column in columns)
    except NoFormError:
        return None
    return Bundle(tuple(members), tuple(rows[0]), rows, forms)


def _parted(items: Sequence[Any], members: Sequence[int]) -> list[list[int]]:
    """Members without a common form in lots that have one, each of many or of one."""
    lots: list[list[int]] = []
    if len(members) <= MOST:
        for i in members:
            for lot in lots:
                if _joined(items, [*lot, i]) is not None:
                    lot.append(i)
                    break
            else:
                lots.append([i])
    kept = [lot for lot in lots if len(lot) >= MANY]
    alone = set(members).difference(*kept)
    return [*kept, *([i] for i in members if i in alone)]


def range_of(rows: Sequence[Env]) -> str:
    r"""The values of the index variables in LaTeX, such as ``1\le l\le 3``; empty for none."""
    names = list(rows[0])
    if not names:
        return ""
    if len(names) == 1:
        return _interval(names[0], sorted(row[names[0]] for row in rows))
    pairs = {tuple(row[n] for n in names) for row in rows}
    if len(names) == 2:
        ordered = _triangle(names, pairs) or _diagonal(names, pairs)
        if ordered:
            return ordered
    listed = ",".join(f"({','.join(map(str, p))})" for p in sorted(pairs))
    return rf"({','.join(names)})\in\{{{listed}\}}"


def _triangle(names: Sequence[str], pairs: set[tuple[int, ...]]) -> str:
    """All pairs of some numbers with the first below the second, or above, or also equal."""
    values = sorted({v for pair in pairs for v in pair})
    for sign, step in (("<", 1), (r"\le ", 0)):
        wanted = {(a, b) for i, a in enumerate(values) for b in values[i + step :]}
        for small, large in ((0, 1), (1, 0)):
            if pairs != {(p[small], p[large]) for p in wanted}:
                continue
            order = f"{names[small]}{sign}{names[large]}"
            if values == list(range(values[0], values[-1] + 1)):
                return rf"{values[0]}\le {order}\le {values[-1]}"
            if len(values) >= MANY:
                return rf"{order}\text{{ in }}\{{{','.join(map(str, values))}\}}"
    return ""


def _diagonal(names: Sequence[str], pairs: set[tuple[int, ...]]) -> str:
    """Pairs a fixed number apart, all those in a range."""
    gaps, values = {a - b for a, b in pairs}, sorted(b for _, b in pairs)
    if len(gaps) > 1 or len(values) < MANY or values != list(range(values[0], values[-1] + 1)):
        return ""
    gap = gaps.pop()
    return rf"{names[0]}={names[1]}{gap:+d},\ {values[0]}\le {names[1]}\le {values[-1]}"


def _interval(name: str, values: list[int]) -> str:
    if values != list(range(values[0], values[-1] + 1)):
        return rf"{name}\in\{{{','.join(map(str, values))}\}}"
    if len(values) < MANY:
        return f"{name}={','.join(map(str, values))}"
    return rf"{values[0]}\le {name}\le {values[-1]}"


# -- lines ----------------------------------------------------------------------------------------


@dataclass
class Group:
    """Lines that differ only in their layers, as one line.

    Attributes:
        lines: the members.
        title: what it is about, layers replaced by index variables.
        rows: values of the index variables, line by line.
        left: the general form of the left side.
        links: the relations and general forms of the chain.
        before: the chains that come first, in the same manner.
        uses: what any of the lines rests on.
        number: its place among all groups, in order of first appearance.
        needs: the groups it rests on, with the indices used, line by line.
    """

    lines: list[Line]
    title: str
    rows: tuple[Env, ...]
    left: Any
    links: Chain
    before: tuple[tuple[Any, Chain], ...]
    uses: Uses
    number: int
    needs: dict[int, list[list[tuple[int, ...]]]] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """The family of its lines."""
        return self.lines[0].family

    @property
    def range(self) -> str:
        """The values of its index variables."""
        return range_of(self.rows)


def groups_of(lines: Sequence[Line]) -> list[Group]:
    """The lines joined, in order of first appearance, each knowing the groups it rests on."""
    items = [_item(line) for line in lines]
    groups = [_group(lines, b, i) for i, b in enumerate(bundle(items))]
    place = {line.label: (g.number, line.indices) for g in groups for line in g.lines}
    for group in groups:
        for i, line in enumerate(group.lines):
            for label in line.uses.claims:
                number, indices = place[label]
                table = group.needs.setdefault(number, [[] for _ in group.lines])
                table[i].append(indices)
    return groups


def _item(line: Line) -> tuple[str, Hashable, tuple[int, ...], tuple[Term, ...]]:
    """What must agree for lines to be joined, and the terms that are shown of them."""
    chains = [*line.before, (line.left, line.links)]
    relations = tuple(tuple(k.relation for k in links) for _, links in chains)
    terms = tuple(t for left, links in chains for t in (left, *(k.right for k in links)))
    return line.family, (line.words, relations, bool(line.parts)), line.indices, terms


def _chains(line: Line, forms: Sequence[Any]) -> list[tuple[Any, Chain]]:
    """The chains of a line with the general forms in place of its terms."""
    found, rest = [], iter(forms)
    for _, links in [*line.before, (line.left, line.links)]:
        left = next(rest)
        found.append((left, tuple((k.relation, next(rest)) for k in links)))
    return found


def _group(lines: Sequence[Line], b: Bundle, number: int) -> Group:
    members = [lines[i] for i in b.members]
    uses = Uses()
    for line in members:
        for name in ("lemmas", "claims", "definitions", "hypotheses"):
            getattr(uses, name).update(getattr(line.uses, name))
    *before, (left, links) = _chains(members[0], b.forms)
    title = _general_title([line.title for line in members], b.rows)
    return Group(members, title, b.rows, left, links, tuple(before), uses, number)


def _general_title(titles: Sequence[str], rows: Sequence[Env]) -> str:
    """The common title, its numbers replaced by index variables."""
    parts = [re.split(r"(\d+)", t) for t in titles]
    texts = {tuple(p[::2]) for p in parts}
    if len(texts) != 1:
        return titles[0]
    shown = list(parts[0])
    for i in range(1, len(shown), 2):
        try:
            index = fit([int(p[i]) for p in parts], rows)
        except NoFormError:
            return titles[0]
        if hasattr(index, "head"):
            name, offset = index.args
            shown[i] = f"{name}{offset:+d}" if offset else name
    return "".join(shown)


# -- order ----------------------------------------------------------------------------------------


def components(groups: Sequence[Group]) -> list[list[Group]]:
    """Groups that rest on each other together, every component after those it rests on."""
    reach = {g.number: _reachable(g, groups) for g in groups}
    left, ordered, placed = list(groups), [], set()  # type: list[Group], list[list[Group]], set[int]
    while left:
        first = next(
            g for g in left if all(n in placed or g.number in reach[n] for n in reach[g.number])
        )
        together = [
            g
            for g in left
            if g is first or (g.number in reach[first.number] and first.number in reach[g.number])
        ]
        ordered.append(_within(together))
        placed |= {g.number for g in together}
        left = [g for g in left if g.number not in placed]
    return ordered


def _reachable(group: Group, groups: Sequence[Group]) -> set[int]:
    found: set[int] = set()
    stack = list(group.needs)
    while stack:
        number = stack.pop()
        if number not in found:
            found.add(number)
            stack.extend(groups[number].needs)
    return found


def _within(together: list[Group]) -> list[Group]:
    """The order inside a component: by what is used of the same layer."""
    left, ordered = list(together), []  # type: list[Group], list[Group]
    while left:
        numbers = {g.number for g in left}
        free = [g for g in left if not (_same_layer(g) & numbers) - {g.number}]
        ordered.append((free or left)[0])
        left.remove(ordered[-1])
    return ordered


def _same_layer(group: Group) -> set[int]:
    """The groups that it uses at its own layer."""
    return {
        number
        for number, table in group.needs.items()
        if any(
            used[:1] == line.indices[:1]
            for line, row in zip(group.lines, table, strict=True)
            for used in row
        )
    }


def direction(together: Iterable[Group]) -> str:
    """How an induction runs: ``upward``, ``downward``, or nothing when there is none."""
    members = list(together)
    numbers = {g.number for g in members}
    steps = {
        (line.indices[0] > used[0]) - (line.indices[0] < used[0])
        for g in members
        for number, table in g.needs.items()
        if number in numbers
        for line, row in zip(g.lines, table, strict=True)
        for used in row
        if line.indices and used
    }
    return "upward" if 1 in steps and -1 not in steps else "downward" if -1 in steps else ""


def shift_of(group: Group, number: int) -> str:
    """For which indices another group is used, such as ``l-1``; empty if the same or several."""
    table = group.needs[number]
    if not group.rows[0] or any(len(row) != 1 for row in table) or not table[0][0]:
        return ""
    try:
        found = [fit(list(c), group.rows) for c in zip(*(row[0] for row in table), strict=True)]
    except (NoFormError, ValueError):
        return ""
    from theory.writing.names import index_to_latex

    own = [
        fit(list(c), group.rows) for c in zip(*(line.indices for line in group.lines), strict=True)
    ]
    if found == own[: len(found)] or not any(hasattr(i, "head") for i in found):
        return ""
    shown = ",".join(map(index_to_latex, found))
    return f"({shown})" if len(found) > 1 else shown


__all__ = [
    "Bundle",
    "Group",
    "bundle",
    "components",
    "direction",
    "groups_of",
    "index_names",
    "range_of",
    "shift_of",
]
