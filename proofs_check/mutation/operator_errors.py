"""Small wrong changes of operators: a cross term lost, a sign turned, a transpose forgotten.

As in :mod:`proofs_check.mutation.mutations`, each change is at one place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proofs_check.replay.binding import brief
from theory.terms import Term, dot, make, plus

Change = tuple[str, str, Term]  # kind, what, the operator with the change


def changes(term: Term) -> Iterator[Change]:
    """The operator with one error at its topmost head; some are not well formed, and raise."""
    match term.head:
        case "plus":
            yield from _summands(term)
        case "scale":
            yield "factor lost", f"without the factor {brief(term.args[0])}", term.args[1]
        case "dot":
            yield from _factors(term)
        case "T" if term.args[0].rows is term.args[0].cols:
            yield "transpose lost", f"{brief(term.args[0])} not transposed", term.args[0]
        case "act":
            for order in {0, 1, 2} - {term.args[1]}:
                what = f"derivative {order} instead of {term.args[1]}"
                yield "order changed", what, make("act", term.args[0], order, term.args[2])
        case "jac" | "hess" | "op":
            yield "sign turned", f"minus {brief(term)}", make("neg", term)


def _summands(term: Term) -> Iterator[Change]:
    for place, part in enumerate(term.args):
        rest = (*term.args[:place], *term.args[place + 1 :])
        yield "term lost", f"without {brief(part)}", plus(*rest)
        turned = (*term.args[:place], make("neg", part), *term.args[place + 1 :])
        yield "sign turned", f"minus {brief(part)}", plus(*turned)


def _factors(term: Term) -> Iterator[Change]:
    for place, part in enumerate(term.args):
        if part.rows is part.cols and len(term.args) > 1:
            rest = (*term.args[:place], *term.args[place + 1 :])
            yield "factor lost", f"without {brief(part)}", dot(*rest)


def ranges(term: Term) -> Iterator[Change]:
    """A sum, a maximum or a statement over a range of indices, the range changed at one end."""
    if not is_binder(term):
        return
    name, low, high, body = term.args
    for what, limits in (
        ("one index fewer at the top", (low, _moved(high, -1))),
        ("one index fewer at the bottom", (_moved(low, 1), high)),
        ("one index more at the top", (low, _moved(high, 1))),
    ):
        if None not in limits:
            yield "range changed", what, make(term.head, name, *limits, body)


def is_binder(term: Term) -> bool:
    """Whether the term binds an index between two limits."""
    args = term.args
    return (
        len(args) == 4
        and type(args[0]) is str
        and all(type(a) is int or getattr(a, "sort", "") == "index" for a in args[1:3])
        and isinstance(args[3], Term)
    )


def _moved(index: Any, by: int) -> Any:
    if type(index) is int:
        return index + by if index + by >= 0 else None
    return make("index", index.args[0], index.args[1] + by)
