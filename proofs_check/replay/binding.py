"""Variables, binders and substitution, for the replay of proofs.

Written from the meaning of the term language and not from the kernel's code: the kernel's own
substitution and its record of free variables are not used, so that a slip in either shows up as a
difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from theory.terms import Term, make

Variable = Term
Value = Any  # Term | int


class BindingError(ValueError):
    """A substitution that is not allowed; the message says what would be put where, and why not."""


STAR = make("point", "*")
RANDOM = make("point", "theta0")  # what `likely` binds
_FREE: dict[Term, frozenset[Term]] = {}


def brief(value: object, limit: int = 160) -> str:
    """A term for a message, cut where it grows long; safe on terms of any size."""
    parts: list[str] = []
    stack: list[object] = [value]
    room = limit
    while stack and room > 0:
        item = stack.pop()
        if isinstance(item, Term):
            stack.append(")")
            stack.extend(reversed(item.args))
            item = f"({item.head}"
        text = str(item)[:limit]
        parts.append(text if text == ")" or not parts else " " + text)
        room -= len(parts[-1])
    return "".join(parts) + (" ..." if stack else "")


def postorder(term: Term, known: Callable[[Term], bool] = lambda _: False) -> Iterator[Term]:
    """Every distinct subterm, arguments first, without going below what is known; no recursion."""
    seen: set[Term] = set()
    stack: list[tuple[Term, bool]] = [(term, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen and not known(node):
            seen.add(node)
            stack.append((node, True))
            stack.extend((a, False) for a in node.args if isinstance(a, Term))


def bound(term: Term) -> Term | None:
    """The variable that a term binds in its last argument, if it is a binder."""
    if term.head in ("osum", "rsum", "rmax", "forall"):
        return make("index", term.args[0], 0)
    if term.head == "likely":
        return RANDOM
    return STAR if term.head in ("ball", "everywhere", "after") else None


def free(term: Term) -> frozenset[Variable]:
    """The variables free in a term: indices (with offset 0), points, inputs and schematic ones."""
    for node in postorder(term, _FREE.__contains__):
        _FREE[node] = _free_here(node)
    return _FREE[term]


def _free_here(node: Term) -> frozenset[Variable]:
    if node.head == "index":
        return frozenset({make("index", node.args[0], 0)})
    inner = [_FREE[a] for a in node.args if isinstance(a, Term)]
    found = frozenset().union(*inner) if inner else frozenset()
    if node.head in ("point", "input", "var"):
        found |= {node}
    variable = bound(node)
    return found if variable is None else found - {variable}


def mentions(term: object, variable: Variable) -> bool:
    """Whether the variable is free in the term (an integer has none)."""
    return isinstance(term, Term) and variable in free(term)


# -- substitution ---------------------------------------------------------------------------------


def moved(index: Value, by: int) -> Value:
    """A layer index plus an integer; not below layer 0 where it is a number."""
    if type(index) is int:
        if index + by < 0:
            msg = f"layer index {index} + {by} is negative"
            raise BindingError(msg)
        return index + by
    return make("index", index.args[0], index.args[1] + by)


def put(term: Term, mapping: Mapping[Variable, Value]) -> Term:
    """The term with values put for its free variables, all at once.

    Args:
        term: where to replace.
        mapping: from variables (an index with offset 0) to values of the same sort.

    Raises:
        BindingError: when a value is of another sort, would be captured by a binder, or makes a
            layer index negative.
        TermError: when the result is not well formed.
    """
    for variable, value in mapping.items():
        _fits(variable, value)
    result: Term = _put(term, dict(mapping), {})
    return result


def _fits(variable: Variable, value: Value) -> None:
    sort = "index" if type(value) is int and value >= 0 else getattr(value, "sort", None)
    simple = variable.head in ("point", "input", "var") or (
        variable.head == "index" and variable.args[1] == 0
    )
    if not simple or sort != variable.sort:
        msg = f"{brief(value)} cannot stand for {brief(variable)}"
        raise BindingError(msg)


def _put(node: Term, mapping: dict[Variable, Value], memo: dict[Term, Value]) -> Any:
    touched = free(node) & mapping.keys()
    if not touched:
        return node
    if node in memo:
        return memo[node]
    value: Any
    if node.head == "index":
        value = moved(mapping[make("index", node.args[0], 0)], node.args[1])
    elif node in mapping:
        value = mapping[node]
    else:
        value = _rebuilt(node, mapping, touched, memo)
    memo[node] = value
    return value


def _rebuilt(
    node: Term, mapping: dict[Variable, Value], touched: frozenset[Term], memo: dict[Term, Value]
) -> Term:
    variable = bound(node)
    if variable is not None:
        mapping = {v: mapping[v] for v in touched}
        memo = {}
        for old, new in mapping.items():
            if mentions(new, variable):
                msg = f"{brief(new)} for {brief(old)} would be captured by {brief(variable)}"
                raise BindingError(msg)
    args = []
    for arg in node.args:
        args.append(_put(arg, mapping, memo) if isinstance(arg, Term) else arg)
    return make(node.head, *args)


# -- spaces ---------------------------------------------------------------------------------------


def with_spaces(mapping: Mapping[Variable, Value]) -> dict[Variable, Value]:
    """The mapping, and what it implies for schematic spaces: an operator's spaces fix them.

    Raises:
        BindingError: when an operator is put for a variable that maps between other spaces.
    """
    full = dict(mapping)
    pairs = [
        pair
        for variable, value in mapping.items()
        if variable.shape is not None and isinstance(value, Term) and value.shape is not None
        for pair in zip(variable.shape, value.shape, strict=True)
    ]
    for wanted, given in pairs:
        _match(wanted, given, full)
    for wanted, given in pairs:
        if put(wanted, {v: full[v] for v in free(wanted) & full.keys()}) is not given:
            msg = f"an operator has the space {brief(given)}; needed is {brief(wanted)}"
            raise BindingError(msg)
    return full


def _match(wanted: Term, given: Term, full: dict[Variable, Value]) -> None:
    if wanted.head == "var":
        full.setdefault(wanted, given)
    elif wanted.head == "tensor" and given.head == "tensor":
        for part, value in zip(wanted.args, given.args, strict=True):
            _match(part, value, full)
