"""Rows of displayed formulas: chains of relations, broken and aligned; and small lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from theory.writing.families import shortened
from theory.writing.latex import tex
from theory.writing.typeset import LINE, broken, width

SIGNS = {"eq": "=", "le": r"\le"}
LONG_LEFT = 14.0  # quads: from such a left side on, the relations of a chain hang below it


def fitting(form: Any) -> str:
    """A form as LaTeX, with its matrices in short when it is too wide otherwise."""
    text = tex(form)
    return tex(shortened(form)) if r"\begin" in text and width(text) > LINE - 8 else text


def chain_rows(left: Any, links: Iterable[tuple[str, Any]], note: str = "") -> list[str]:
    """A chain in aligned rows, as many relations in a row as fit.

    Args:
        left: the left side.
        links: relations and right sides.
        note: what shall fit behind the last row.
    """
    start, shown = fitting(left), _shown(links)
    total = width(start) + sum(width(f"{sign} {right}") for sign, right in shown)
    hangs = width(start) > LONG_LEFT and total > LINE
    indent = 2.0 if hangs else width(start)
    rows = [f"&{start}"] if hangs else []
    for i, (sign, right) in enumerate(shown):
        behind = width(note) if i == len(shown) - 1 else 0.0
        before = 0.0 if len(rows) == 1 else indent
        there = rows and not (hangs and len(rows) == 1)
        if there and before + width(rows[-1]) + width(f"{sign} {right}") + behind <= LINE:
            rows[-1] += f" {sign} {right}"
        else:
            new = _row(start if not rows else "", sign, right, indent, hangs=hangs)
            if len(new) == 1 and not hangs and indent + width(new[0]) + behind > LINE + 1:
                new = _row(start if not rows else "", sign, right, indent + behind, hangs=hangs)
            rows += new
    return rows


def _shown(links: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    """Signs and right sides as LaTeX; a right side that reads like the one before is left out."""
    shown: list[tuple[str, str]] = []
    for relation, right in links:
        text = fitting(right)
        if not shown or shown[-1][1] != text:
            shown.append((SIGNS[relation], text))
    return shown


def _row(left: str, sign: str, right: str, indent: float, *, hangs: bool) -> list[str]:
    """One relation in rows, the right side broken where it is too long."""
    room = LINE - indent - 2
    first, *more = broken(right, room, room - 2)
    start = r"&\qquad" if hangs else f"{left} &"
    return [
        f"{start} {sign} {first}",
        *(rf"&\qquad{start[1:] if hangs else ''} {line}" for line in more),
    ]


def display(rows: Sequence[str], scope: str, label: str, end: str = ".") -> str:
    """Aligned rows as one display, the last with the range of its indices and the number.

    Args:
        rows: rows of an ``align``.
        scope: the range of the indices, or nothing.
        label: the label, or nothing for a display without a number.
        end: the punctuation.
    """
    rows = list(rows)
    note = rf"\qquad ({scope})" if scope else ""
    indent = width(rows[0].partition("&")[0]) if len(rows) > 1 else 0.0
    if note and indent + width(rows[-1]) + width(note) > LINE + 1:
        rows += [rf"&\qquad {line}" for line in scope_lines(scope, LINE - indent - 2)]
    else:
        rows[-1] += note
    mark = rf"\label{{{label}}}" if label else r"\notag"
    if len(rows) == 1:
        body = rows[0].replace("&", "", 1)
        if not label:
            return f"\\[\n{body}{end}\n\\]"
        return f"\\begin{{equation}}{mark}\n{body}{end}\n\\end{{equation}}"
    body = "\\notag\\\\\n".join(rows)
    return f"\\begin{{align}}\n{body}{end}{mark}\n\\end{{align}}"


def scope_lines(scope: str, room: float) -> list[str]:
    """The range of some indices in brackets, a long list of values in lines."""
    return broken(f"({scope})".replace("),(", "), ("), room, room - 1)


def runs(
    numbers: list[int],
    join: Callable[[int, int], bool] = lambda a, b: True,
) -> list[tuple[int, int]]:
    """Consecutive numbers that may be joined, as (first, last)."""
    found: list[tuple[int, int]] = []
    for n in numbers:
        if found and found[-1][1] == n - 1 and join(n - 1, n):
            found[-1] = (found[-1][0], n)
        else:
            found.append((n, n))
    return found


def listed(parts: Sequence[str]) -> str:
    """The parts with commas and an ``and``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


__all__ = ["SIGNS", "chain_rows", "display", "fitting", "listed", "runs", "scope_lines"]
