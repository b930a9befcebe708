"""General forms: one line for many that differ only in their layer indices.

The lines of a derived theorem are concrete, ``Z_2 = R a_1 + s_2 E_1``, ``Z_3 = R a_2 + s_3 E_2``; a
reader wants ``Z_l = R a_{l-1} + s_l E_{l-1}`` for l = 2, 3.  :func:`generalise` finds that form by
comparing the terms place by place, also when they are sums of different lengths, and
:func:`unfold` turns it back.  A form is only used when unfolding it gives every one of the terms
back, so that a page says neither more nor less than the proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from theory.terms import ZERO, Term, TermError, make

Env = Mapping[str, int]
SUM_NAMES = ("l", "j", "i")
LONG = 4  # a sum in a single term is shortened from so many summands on


class NoFormError(ValueError):
    """The terms have no common general form."""


@dataclass(frozen=True)
class Shown:
    """A term for the page: indices may be expressions, and a run of summands is a sum.

    Attributes:
        head: a head of the kernel's language, or ``run``.
        args: its arguments; of ``run``: name, limits, body, and the head of the sum.
        shape: the spaces of an operator, of the first of the terms it stands for.
    """

    head: str
    args: tuple[Any, ...]
    shape: tuple[Term, Term] | None = None


# -- places of layer indices ----------------------------------------------------------------------

_FIRST_INDEX = {"layer": 0, "weights": 0, "part": 0, "sym": 1, "op": 3, "fact": 1, "range": 0}


def _is_index_place(head: str, place: int) -> bool:
    if head in ("act", "rms"):
        return place == 0
    if head in ("osum", "rsum", "rmax", "forall"):
        return place in (1, 2)
    return place >= _FIRST_INDEX.get(head, 1_000_000)


def _is_index(head: str, place: int, arg: Any) -> bool:
    return type(arg) is int and _is_index_place(head, place)


@cache
def skeleton(term: Term) -> tuple[Any, ...]:
    """What is left of a term without its layer indices, runs of like summands taken as one."""
    parts = [
        "#" if _is_index(term.head, i, a) else skeleton(a) if isinstance(a, Term) else a
        for i, a in enumerate(term.args)
    ]
    if term.head in ("add", "plus"):
        parts = [key for key, _ in groupby(parts)]
        if len(parts) == 1:
            return parts[0]  # type: ignore[return-value]
    return (term.head, *parts)


@cache
def _indices(term: Term) -> tuple[int, ...]:
    """The layer indices of a term, left to right."""
    found: list[int] = []
    for i, arg in enumerate(term.args):
        if _is_index(term.head, i, arg):
            found.append(arg)
        elif isinstance(arg, Term):
            found.extend(_indices(arg))
    return tuple(found)


# -- from terms to a general form -----------------------------------------------------------------


def fit(column: Sequence[int], rows: Sequence[Env]) -> Any:
    """An index that takes the values of the column: ``name + offset``, or a constant.

    Raises:
        NoFormError: when there is none.
    """
    for name in reversed([*rows[0]]):
        offsets = {value - row[name] for value, row in zip(column, rows, strict=True)}
        if len(offsets) == 1:
            return make("index", name, offsets.pop())
    if len(set(column)) == 1:
        return column[0]
    msg = f"no index takes the values {column}"
    raise NoFormError(msg)


def _form(terms: Sequence[Term], rows: Sequence[Env], least: int) -> Any:
    """The general form of terms, one for each row of values of the index variables."""
    first = terms[0]
    if all(t is first for t in terms):
        return first if rows[0] else _shortened(first, rows[0], least)
    heads = {t.head for t in terms}
    if heads & {"add", "plus"}:
        return _form_of_sums("plus" if first.shape else "add", terms, rows, least)
    if len(heads) > 1:
        msg = f"the heads {sorted(heads)} differ"
        raise NoFormError(msg)
    if any(len(t.args) != len(first.args) for t in terms):
        msg = f"terms of head {first.head} have different numbers of arguments"
        raise NoFormError(msg)
    columns = zip(*(t.args for t in terms), strict=True)
    args = tuple(_form_of_arg(first.head, i, c, rows, least) for i, c in enumerate(columns))
    return Shown(first.head, args, first.shape)


def _shortened(term: Term, row: Env, least: int) -> Any:
    """A single term with its long sums shortened."""
    if term.head in ("add", "plus"):
        return _form_of_sums(term.head, [term], [row], least)
    args = tuple(_shortened(a, row, least) if isinstance(a, Term) else a for a in term.args)
    return Shown(term.head, args, term.shape) if args != term.args else term


def _form_of_arg(
    head: str, place: int, column: Sequence[Any], rows: Sequence[Env], least: int
) -> Any:
    if all(_is_index(head, place, a) for a in column):
        return fit(column, rows)
    if all(isinstance(a, Term) for a in column):
        return _form(column, rows, least)
    if len(set(column)) == 1:
        return column[0]
    msg = f"the arguments {set(column)} of {head} differ"
    raise NoFormError(msg)


def _form_of_sums(head: str, terms: Sequence[Term], rows: Sequence[Env], least: int) -> Any:
    """Sums place by place, where a run of like summands is one place; one summand is a sum."""
    parted = [t.args if t.head == head else (t,) for t in terms]
    runs = [[list(run) for _, run in groupby(parts, skeleton)] for parts in parted]
    if len({len(r) for r in runs}) != 1:
        msg = "the sums have different numbers of unlike summands"
        raise NoFormError(msg)
    parts: list[Any] = []
    for column in zip(*runs, strict=True):
        parts.extend(_form_of_run(head, column, rows, least))
    return parts[0] if len(parts) == 1 else Shown(head, tuple(parts), terms[0].shape)


def _form_of_run(
    head: str, column: Sequence[list[Term]], rows: Sequence[Env], least: int
) -> list[Any]:
    lengths = {len(run) for run in column}
    if lengths == {1} or (len(lengths) == 1 and max(lengths) < least):
        return [_form(parts, rows, least) for parts in zip(*column, strict=True)]
    try:
        return [_as_sum(head, column, rows, least)]
    except NoFormError:
        if len(lengths) != 1:
            raise
        return [_form(parts, rows, least) for parts in zip(*column, strict=True)]


def _as_sum(head: str, column: Sequence[list[Term]], rows: Sequence[Env], least: int) -> Shown:
    """A run as a sum over an index that grows by one from summand to summand."""
    taken = {v.args[0] for run in column for t in run for v in t.free if v.head == "index"}
    name = next(n for n in SUM_NAMES if n not in rows[0] and n not in taken)
    starts = _growing(column)
    low = fit(starts, rows)
    high = fit([s + len(run) - 1 for s, run in zip(starts, column, strict=True)], rows)
    inner = [
        {**row, name: start + i}
        for row, start, run in zip(rows, starts, column, strict=True)
        for i in range(len(run))
    ]
    body = _form([part for run in column for part in run], inner, least)
    return Shown("run", (name, low, high, body, head), column[0][0].shape)


def _growing(column: Sequence[list[Term]]) -> list[int]:
    """The first values of an index that grows by one along every run."""
    tables = [[_indices(part) for part in run] for run in column]
    for place in range(len(tables[0][0])):
        if all(
            values[place] == table[0][place] + i
            for table in tables
            for i, values in enumerate(table)
        ):
            return [table[0][place] for table in tables]
    msg = "no index grows by one from summand to summand"
    raise NoFormError(msg)


# -- and back -------------------------------------------------------------------------------------


def unfold(form: Any, row: Env) -> Any:
    """The term that a general form stands for at given values of its index variables."""
    head = form.head
    if head == "run":
        return _unfold_sum(head, (form,), row)
    if head == "index":
        return row[form.args[0]] + form.args[1] if form.args[0] in row else form
    if isinstance(form, Term) and not row:
        return form
    if head in ("add", "plus"):
        return _unfold_sum(head, form.args, row)
    return make(head, *(unfold(a, row) if hasattr(a, "head") else a for a in form.args))


def _unfold_sum(head: str, parts: Iterable[Any], row: Env) -> Term:
    summands: list[Term] = []
    for part in parts:
        if part.head != "run":
            summands.append(unfold(part, row))
            continue
        name, low, high, body, head = part.args
        limits = [unfold(limit, row) if hasattr(limit, "head") else limit for limit in (low, high)]
        summands += [unfold(body, {**row, name: i}) for i in range(limits[0], limits[1] + 1)]
    return summands[0] if len(summands) == 1 else make(head, *summands)


def generalise(terms: Sequence[Term], rows: Sequence[Env]) -> Any:
    """The general form of terms, checked by unfolding it.

    Args:
        terms: the terms.
        rows: for each of them the values of the index variables, the same variables in each; no
            variables at all for a single term, whose long sums are then shortened.

    Returns:
        A form with ``unfold(form, row)`` being the term, for each of them.

    Raises:
        NoFormError: when there is none.
    """
    form = _form(terms, rows, 2 if rows[0] else LONG)
    try:
        back = [unfold(form, row) for row in rows]
    except TermError as error:
        msg = f"the form does not unfold: {error}"
        raise NoFormError(msg) from error
    if any(found is not term for found, term in zip(back, terms, strict=True)):
        msg = "the form unfolds to other terms"
        raise NoFormError(msg)
    return form


# -- matrices -------------------------------------------------------------------------------------


def general_entry(entries: Sequence[Term], size: int) -> Shown | None:
    """The spectral norm of a matrix with rows and columns 1, 2, ..., and perhaps v, in short.

    Returns:
        A form ``general``: the entry in the variables k and k', and the labels as LaTeX; None when
        there is no such entry.  A symmetric matrix may be given by its entries with k <= k'.
    """
    upper = {(i, j): entries[i * size + j] for i in range(size) for j in range(i, size)}
    for numbers in filter(None, (list(range(1, size + 1)), _numbers(entries, size))):
        for last in (size, size - 1):  # the last row may be the readout's
            pairs = [(i, j) for i, j in upper if i < j < last]
            if len(pairs) < 2 and last != 2:
                continue
            rows = [{"k": numbers[i], "k'": numbers[j]} for i, j in pairs]
            try:
                form = generalise([upper[p] for p in pairs], rows) if len(pairs) > 1 else None
            except NoFormError:
                continue
            if form is None or not _fits(form, entries, numbers, last):
                continue
            names = [*_listed(numbers[:last]), *(["v"] if last < size else [])]
            return Shown("general", (form, ",".join(names)))
    return None


def _listed(numbers: Sequence[int]) -> list[str]:
    """Numbers in a row, those between the ends left out where they follow each other."""
    shown = [str(n) for n in numbers]
    in_turn = list(numbers) == list(range(numbers[0], numbers[0] + len(numbers)))
    return [shown[0], r"\dots", shown[-1]] if in_turn and len(shown) > 3 else shown


def _numbers(entries: Sequence[Term], size: int) -> list[int]:
    """The numbers of the rows by those of the blocks in the first row; none where there are none.

    The nodes of a graph that have weights do not follow each other as layers do.
    """
    found = [_pair_of(entry) for entry in entries[1:size]]
    if not found or () in found or len({a for a, _ in found}) > 1:
        return []
    return [found[0][0], *(b for _, b in found)]


def _pair_of(entry: Term) -> tuple[int, ...]:
    """The two numbers of a symbol such as M_{1,3}, or of the norm of a block."""
    tags: tuple[Any, ...] = ()
    if entry.head == "sym":
        tags = entry.args[1:3]
    elif entry.head == "norm" and entry.args[1].head == "dot":
        first, *_, last = entry.args[1].args
        sides = (first, last.args[0] if last.head == "T" else last)
        tags = tuple(side.args[-1] for side in sides if side.head == "op")
    return tags if len(tags) == 2 and all(type(t) is int for t in tags) else ()


def shortened(form: Any) -> Any:
    """A form with every spectral norm of a matrix written by the matrix's general entry."""
    if form.head == "specnorm" and all(isinstance(e, Term) for e in form.args[1:]):
        return general_entry(form.args[1:], form.args[0]) or form
    args = tuple(shortened(a) if hasattr(a, "head") else a for a in form.args)
    return form if args == form.args else Shown(form.head, args, form.shape)


def _fits(form: Any, entries: Sequence[Term], numbers: Sequence[int], last: int) -> bool:
    """Whether the entries of W's blocks are the form, or the form with k and k' exchanged."""
    size = len(numbers)
    for i in range(last):
        for j in range(last):
            entry = entries[i * size + j]
            if entry is ZERO and i == j == size - 1:
                continue  # the page says so: the last node has no curvature of its own
            found = [unfold(form, {"k": numbers[a], "k'": numbers[b]}) for a, b in ((i, j), (j, i))]
            if entry not in found:
                return False
    for i in range(size if last < size else 0):
        words = entries[i * size + last]
        if words.head == "sym" and "v" not in words.args:
            return False
    return True


__all__ = [
    "NoFormError",
    "Shown",
    "fit",
    "general_entry",
    "generalise",
    "shortened",
    "skeleton",
    "unfold",
]
