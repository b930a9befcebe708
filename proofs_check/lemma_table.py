"""The record of the attack on the trusted lemmas, as a table that is kept in the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from proofs_check.attack import PLANS, AttackReport, attack
from theory.lemmas import LEMMAS

SEEDS = range(4)
PATH = "docs/lemmas.md"
TINY = 1e-8  # a relative slack that rounding explains

TITLE = "# The trusted lemmas, attacked\n"
INTRODUCTION = """
Every lemma that is believed without a proof in the kernel, and what the attack on it found.  Each
is an inequality or an equation; its schema is filled with matrices and numbers that are random, of
rank one, nearly singular, of huge dynamic range, graded, nilpotent, cancelling or zero, or with
small networks at ordinary, saturated and degenerate points.  A trial is an instance whose premises
hold; in a vacuous one they do not.  The slack is (right - left) / max(left, right), and for an
equation minus the relative deviation; the smallest one found is given, with the instance that gave
it: at about 0 an inequality is attained, and an equation holds to rounding.  No trial of any lemma
was violated beyond its rounding error.

Written by `widthproof attack --write docs/lemmas.md`; a test compares the lemmas, their kinds and
these claims with the code.

| lemma | states | kind | trials | vacuous | smallest slack | where |
|---|---|---|---:|---:|---:|---|
"""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: the lemma.
        title: what it says, in words.
        kind: ``equation`` or ``inequality``.
        trials: instances whose premises held.
        vacuous: instances whose premises did not.
        slack: the smallest relative slack found.
        where: the instance that gave it.
    """

    name: str
    title: str
    kind: str
    trials: str
    vacuous: str
    slack: str
    where: str

    def __str__(self) -> str:
        """The row in Markdown."""
        cells = (self.title, self.kind, self.trials, self.vacuous, self.slack, self.where)
        return f"| `{self.name}` | " + " | ".join(cells) + " |"


def row(found: AttackReport) -> Row:
    """The line for what an attack found."""
    slack = found.smallest_slack
    shown = f"{slack + 0.0:.1e}"  # without the sign of a negative zero
    where = found.tightest.words if found.tightest else "nowhere"
    kind = {"eq": "equation", "le": "inequality"}[
        found.tightest.result.relation if found.tightest else "le"
    ]
    return Row(
        found.name,
        LEMMAS[found.name].title,
        kind,
        str(found.trials),
        str(found.vacuous),
        shown,
        _short(where),
    )


MOST_WORDS = 110


def _short(words: str) -> str:
    """An instance in one cell: no bars, no long description of a network."""
    text = re.sub(r"^(layer \d+), ;", r"\1;", words.strip(", ")).replace("|", "/")
    text = re.sub(r"Network\(Input\((\d+)\), ", r"network of \1 inputs, ", text)
    return text if len(text) <= MOST_WORDS else f"{text[: MOST_WORDS - 3].rstrip()}..."


def rows(names: Iterable[str] | None = None, seeds: Iterable[int] = SEEDS) -> Iterator[Row]:
    """Attack lemmas, all of them by default, and give their lines.

    Raises:
        ValueError: a lemma is violated; the message says where.
    """
    for name in PLANS if names is None else names:
        found = attack(name, list(seeds))
        if found.violations:
            msg = f"the lemma {name} is false: {found.violations[0]}"
            raise ValueError(msg)
        yield row(found)


def document(lines: Iterable[Row]) -> str:
    """The table as a Markdown document."""
    return TITLE + INTRODUCTION + "".join(f"{line}\n" for line in lines)


def read(text: str) -> list[Row]:
    """The lines of such a document."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == len(Row.__dataclass_fields__):
            found.append(Row(cells[0].strip("`"), *cells[1:]))
    return found


__all__ = ["PATH", "Row", "document", "read", "row", "rows"]
