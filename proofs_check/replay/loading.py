"""Proofs from outside: read with limits, so that a hostile file ends in an error and not in a hang.

A term shares its parts, so a file of sixty lines can hold a term that written out is longer than
any disk.  Anything that walks a term as a tree (a message that prints it, a test of its sign) must
therefore be kept from such terms; the limits below count terms as trees.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from proofs_check.replay.binding import brief, postorder
from theory.kernel import RULES
from theory.proofs import Proof, ProofFormatError, Step, from_json
from theory.terms import Term, TermError, make


class CheckError(Exception):
    """A proof that cannot be checked, or that was checked and failed; the message says why."""


MOST_TEXT = 256 * 1024 * 1024
MOST_ROWS = 3_000_000
MOST_STEPS = 1_000_000
LARGEST_TERM = 2_000_000  # nodes, written out as a tree
DEEPEST_TERM = 300
DEEPEST_DATA = 20
LONGEST_NUMBER = 10**40


def load(source: object) -> Proof:
    """A proof from a theorem, a :class:`theory.proofs.Proof`, JSON-ready data or JSON text.

    Args:
        source: any of those; an object with an attribute ``proof`` counts as a theorem.

    Returns:
        The proof, every term of it rebuilt or known to be well formed.

    Raises:
        CheckError: when it is none of them, is not well formed, or exceeds a limit.
    """
    if not isinstance(source, (Proof, str, Mapping)):
        source = getattr(source, "proof", source)
    if isinstance(source, Proof):
        try:
            _require_sound_memory(source)
        except (AttributeError, TypeError, RecursionError) as error:
            msg = f"not a proof built by theory: {type(error).__name__}: {str(error)[:500]}"
            raise CheckError(msg) from error
        return source
    if isinstance(source, str):
        source = _parsed(source)
    if not isinstance(source, Mapping):
        msg = (
            f"cannot check {type(source).__name__}: needs a theorem, a proof, or the JSON "
            "that theory.proofs.to_json gives"
        )
        raise CheckError(msg)
    _require_small(source)
    try:
        return from_json(source)
    except (ProofFormatError, RecursionError, OverflowError, MemoryError, AttributeError) as error:
        msg = f"not a proof that can be read: {type(error).__name__}: {str(error)[:2000]}"
        raise CheckError(msg) from error


def _parsed(text: str) -> Any:
    if len(text) > MOST_TEXT:
        msg = f"a proof of {len(text)} characters; at most {MOST_TEXT} are read"
        raise CheckError(msg)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"not JSON: {type(error).__name__}: {str(error)[:500]}"
        raise CheckError(msg) from error


# -- data from a file -----------------------------------------------------------------------------


def _require_small(data: Mapping[str, Any]) -> None:
    rows, steps = data.get("terms"), data.get("steps")
    if not isinstance(rows, list) or not isinstance(steps, list):
        msg = "not a proof: needs lists 'terms' and 'steps'"
        raise CheckError(msg)
    if len(rows) > MOST_ROWS or len(steps) > MOST_STEPS:
        msg = f"{len(rows)} terms and {len(steps)} steps; limits {MOST_ROWS} and {MOST_STEPS}"
        raise CheckError(msg)
    sizes: list[tuple[int, int]] = []
    for number, row in enumerate(rows):
        sizes.append(_row_size(number, row, sizes))
    for number, step in enumerate(steps):
        data_of_step = step.get("data") if isinstance(step, Mapping) else None
        for _ in _flat(data_of_step, f"data of step {number}"):
            pass


def _row_size(number: int, row: Any, sizes: list[tuple[int, int]]) -> tuple[int, int]:
    """Nodes and depth of a term, written out as a tree."""
    nodes, depth = 1, 0
    for value in _flat(row, f"term {number}"):
        below = value.get("t") if isinstance(value, Mapping) else None
        if type(below) is int and 0 <= below < number:
            nodes += sizes[below][0]
            depth = max(depth, sizes[below][1])
    _require_size(f"term {number}", nodes, depth + 1)
    return nodes, depth + 1


def _require_size(what: str, nodes: int, depth: int) -> None:
    if nodes > LARGEST_TERM or depth > DEEPEST_TERM:
        msg = (
            f"{what} has {nodes if nodes < 10**30 else 'more than 10^30'} parts at depth {depth} "
            f"when written out; limits {LARGEST_TERM} and {DEEPEST_TERM}. "
            "Abbreviate by definitions."
        )
        raise CheckError(msg)


def _flat(value: Any, where: str) -> Iterator[Any]:
    """The leaves of nested lists, refused where they nest deep or hold huge integers."""
    stack = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        if depth > DEEPEST_DATA:
            msg = f"{where} nests lists deeper than {DEEPEST_DATA}"
            raise CheckError(msg)
        if isinstance(item, (list, tuple)):
            stack.extend((inner, depth + 1) for inner in item)
        else:
            if type(item) is int and abs(item) > LONGEST_NUMBER:
                msg = f"{where} holds an integer of more than 40 digits"
                raise CheckError(msg)
            yield item


# -- proofs in memory -----------------------------------------------------------------------------


def _require_sound_memory(proof: Proof) -> None:
    """Refuse a proof object whose terms :func:`theory.terms.make` did not build, or huge ones."""
    sizes: dict[Term, tuple[int, int]] = {}
    for term in (proof.statement, *proof.assumptions, *proof.definitions):
        _require_made(term, sizes)
    for number, step in enumerate(proof.steps):
        _require_step(number, step)
        _require_made(step.conclusion, sizes)
        for value in _flat(step.data, f"data of step {number}"):
            if isinstance(value, Term):
                _require_made(value, sizes)
            elif type(value) not in (int, str, Fraction):
                msg = f"data of step {number} holds {type(value).__name__} {value!r}"
                raise CheckError(msg)


def _require_step(number: int, step: object) -> None:
    fits = isinstance(step, Step) and type(step.premises) is tuple and type(step.data) is tuple
    if not fits or not isinstance(step, Step) or step.rule not in RULES:
        msg = f"step {number} is not a step by one of the kernel's rules: {str(step)[:200]}"
        raise CheckError(msg)
    if any(type(p) is not int or not 0 <= p < number for p in step.premises):
        msg = f"step {number} has premises {step.premises[:20]}; each must be an earlier step"
        raise CheckError(msg)


def _require_made(term: object, sizes: dict[Term, tuple[int, int]]) -> None:
    if not isinstance(term, Term):
        msg = f"needs a term, was given {type(term).__name__}"
        raise CheckError(msg)
    for node in postorder(term, sizes.__contains__):
        for arg in node.args:
            if type(arg) not in (Term, int, str, Fraction):
                msg = f"{brief(node)} holds a {type(arg).__name__}"
                raise CheckError(msg)
        below = [sizes[a] for a in node.args if isinstance(a, Term)]
        nodes, depth = 1 + sum(n for n, _ in below), 1 + max((d for _, d in below), default=0)
        _require_size(brief(node), nodes, depth)
        sizes[node] = (nodes, depth)
        if _remade(node) is not node:
            msg = f"{brief(node)} was not built by theory.terms.make"
            raise CheckError(msg)


def _remade(node: Term) -> Term | None:
    try:
        return make(node.head, *node.args)
    except TermError:
        return None
