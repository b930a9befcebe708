"""Terms as data: immutable trees, built in one place, each distinct one a single object.

:func:`make` looks the head up in ``WELL_FORMED`` (filled by :mod:`theory.forms`) and refuses
whatever is not well formed.  Equal terms are the same object, so that equality is identity and a
proof of thousands of steps stays small.  Import them from :mod:`theory.terms`, which says what
they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Arg = Any  # Term | int | str | Fraction
Rule = Callable[[str, tuple[Arg, ...]], "tuple[str, tuple[Term, Term] | None]"]
WELL_FORMED: dict[str, Rule] = {}  # by head; filled by theory.forms


class TermError(ValueError):
    """A term that is not well formed: the message says which head, and what was wrong."""


class Term:
    """An immutable, interned term; build it with the functions of this module, never directly."""

    __slots__ = ("args", "free", "head", "positive", "shape", "sort")

    head: str
    args: tuple[Arg, ...]
    sort: str
    shape: tuple[Term, Term] | None
    free: frozenset[Term]
    positive: bool

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: terms are immutable."""
        msg = f"a term is immutable; cannot set {name!r}"
        raise AttributeError(msg)

    def __reduce__(self) -> tuple[Callable[..., Term], tuple[Arg, ...]]:
        """Copy or transport by rebuilding through :func:`make`, so that interning survives."""
        return make, (self.head, *self.args)

    def __repr__(self) -> str:
        """The term as an S-expression, cut where it grows long."""
        return _written(self, PRINT_LIMIT)[0]

    @property
    def rows(self) -> Term:
        """The space an operator maps into."""
        return shape_of(self)[0]

    @property
    def cols(self) -> Term:
        """The space an operator maps from."""
        return shape_of(self)[1]


PRINT_LIMIT = 2000


def _written(arg: Arg, room: int) -> tuple[str, int]:
    """An argument as text within the room left, and the room that remains."""
    if not isinstance(arg, Term):
        text = str(arg)
        return text, room - len(text)
    parts, room = [arg.head], room - len(arg.head) - 2
    for inner in arg.args:
        if room <= 0:
            parts.append("...")
            break
        text, room = _written(inner, room)
        parts.append(text)
    return f"({' '.join(parts)})", room


_TABLE: dict[tuple[Any, ...], Term] = {}
VARIABLE_HEADS = frozenset({"index", "point", "input", "var"})
RANDOM_POINT = "theta0"  # the name of the point that ``likely`` binds
POSITIVE_SYMBOLS = frozenset({"failure", "floor"})  # they stand for positive numbers only
BINDERS = {
    "osum": "index",
    "rsum": "index",
    "rmax": "index",
    "forall": "index",
    "ball": "point",
    "everywhere": "point",
    "after": "point",
    "likely": "point",
}


def make(head: str, *args: Arg) -> Term:
    """The term with this head and these arguments.

    Args:
        head: one of the heads in ``WELL_FORMED``.
        *args: its arguments, in the order the head's entry there says.

    Returns:
        The one term object with that head and those arguments.

    Raises:
        TermError: when the arguments do not fit the head.
    """
    key = (head, args, tuple(map(type, args)))
    found = _TABLE.get(key)
    if found is not None:
        return found
    rule = WELL_FORMED.get(head)
    if rule is None:
        msg = f"unknown head {head!r}; known: {', '.join(sorted(WELL_FORMED))}"
        raise TermError(msg)
    sort, shape = rule(head, args)
    term = object.__new__(Term)
    for name, value in (("head", head), ("args", args), ("sort", sort), ("shape", shape)):
        object.__setattr__(term, name, value)
    object.__setattr__(term, "free", _free(term))
    object.__setattr__(term, "positive", _is_positive(term))
    _TABLE[key] = term
    return term


def _free(term: Term) -> frozenset[Term]:
    """The variables free in a term; an index variable is recorded with offset 0."""
    if term.head == "index":
        return frozenset({term if term.args[1] == 0 else make("index", term.args[0], 0)})
    found: set[Term] = {term} if term.head in VARIABLE_HEADS else set()
    for arg in term.args:
        if isinstance(arg, Term):
            found |= arg.free
    if term.head in BINDERS:
        found.discard(bound_variable(term))
    return frozenset(found)


def bound_variable(term: Term) -> Term:
    """The variable that a binder (``osum``, ``forall``, ``ball``, ...) binds."""
    if term.head == "likely":
        return make("point", RANDOM_POINT)
    return make("index", term.args[0], 0) if BINDERS[term.head] == "index" else make("point", "*")


def shape_of(term: Term) -> tuple[Term, Term]:
    """The spaces of rows and columns of an operator; refuses a term of another sort."""
    if term.shape is None:
        msg = f"{term} is of sort {term.sort}; only an operator has rows and columns"
        raise TermError(msg)
    return term.shape


def _is_positive(term: Term) -> bool:
    """Whether a real is positive by its form: dimensions, positive numbers, their products."""
    match term.head:
        case "dim":
            return True
        case "sym":
            return term.args[0] in POSITIVE_SYMBOLS
        case "rat":
            return bool(term.args[0] > 0)
        case "mul" | "min":
            return all(a.positive for a in term.args)
        case "add" | "max":
            return any(a.positive for a in term.args)
        case "pow":
            return bool(term.args[0].positive)
    return False


def subterms(term: Term) -> Iterator[Term]:
    """Every distinct subterm, children before parents."""
    seen: set[Term] = set()
    stack: list[tuple[Term, bool]] = [(term, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((a, False) for a in node.args if isinstance(a, Term))
