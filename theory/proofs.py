"""Proofs as data: a judgement and all its steps to JSON, and the JSON back to steps.

The file holds a table of terms (each one once, children before parents) and a list of steps (each
after its premises).  Reading it builds terms through :func:`theory.terms.make`, which refuses what
is not well formed; no text is ever evaluated.  Reading proves nothing: the steps are claims until
``proofs_check.check`` has replayed them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from theory.kernel import RULES, Judgement
from theory.terms import Term, make

FORMAT = "widthproof-proof/1"
_FRACTION = re.compile(r"-?[0-9]{1,40}(/[0-9]{1,40})?")


class ProofFormatError(ValueError):
    """The text is not a proof in this format; the message says where and what was expected."""


@dataclass(frozen=True)
class Step:
    """One step of a proof as read from a file: a claim, until it is replayed.

    Attributes:
        rule: the kernel rule it appeals to.
        data: the rule's own arguments (terms, names, integers, nested tuples of them).
        premises: positions of earlier steps.
        conclusion: the formula it claims.
    """

    rule: str
    data: tuple[Any, ...]
    premises: tuple[int, ...]
    conclusion: Term


@dataclass(frozen=True)
class Proof:
    """A statement, what it may rest on, and the steps that lead to it.

    Attributes:
        statement: the formula proved, the conclusion of the last step.
        assumptions: formulas that the last step may have as hypotheses.
        definitions: equations ``symbol = term`` that introduce abbreviations, each from earlier
        ones.
        steps: the steps, each after its premises.
    """

    statement: Term
    assumptions: tuple[Term, ...]
    definitions: tuple[Term, ...]
    steps: tuple[Step, ...]


def linearize(judgement: Judgement) -> list[Judgement]:
    """The judgement and everything it rests on, premises first, each once."""
    order: list[Judgement] = []
    done: set[int] = set()
    stack: list[tuple[Judgement, bool]] = [(judgement, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif id(node) not in done:
            done.add(id(node))
            stack.append((node, True))
            stack.extend((p, False) for p in reversed(node.premises))
    return order


def proof_of(
    judgement: Judgement, assumptions: Sequence[Term], definitions: Sequence[Term]
) -> Proof:
    """The proof that a judgement carries."""
    order = linearize(judgement)
    position = {id(j): i for i, j in enumerate(order)}
    steps = tuple(
        Step(j.rule, j.data, tuple(position[id(p)] for p in j.premises), j.conclusion)
        for j in order
    )
    return Proof(judgement.conclusion, tuple(assumptions), tuple(definitions), steps)


# -- writing --------------------------------------------------------------------------------------


class _Writer:
    """Collects terms into a table, children first."""

    def __init__(self) -> None:
        self.table: list[list[Any]] = []
        self.position: dict[Term, int] = {}

    def term(self, term: Term) -> int:
        if term not in self.position:
            row = [term.head, *map(self.value, term.args)]
            self.position[term] = len(self.table)
            self.table.append(row)
        return self.position[term]

    def value(self, value: Any) -> Any:
        match value:
            case Term():
                return {"t": self.term(value)}
            case Fraction():
                return {"q": str(value)}
            case tuple() | list():
                return [self.value(v) for v in value]
            case int() | str():
                return value
        msg = f"a proof holds terms, fractions, integers and words, not {value!r}"
        raise ProofFormatError(msg)


def to_json(proof: Proof) -> dict[str, Any]:
    """The proof as JSON-ready data."""
    writer = _Writer()
    steps = [
        {
            "rule": s.rule,
            "data": writer.value(s.data),
            "premises": list(s.premises),
            "conclusion": writer.term(s.conclusion),
        }
        for s in proof.steps
    ]
    return {
        "format": FORMAT,
        "statement": writer.term(proof.statement),
        "assumptions": [writer.term(t) for t in proof.assumptions],
        "definitions": [writer.term(t) for t in proof.definitions],
        "steps": steps,
        "terms": writer.table,
    }


# -- reading --------------------------------------------------------------------------------------


def from_json(data: Mapping[str, Any] | str) -> Proof:
    """Read a proof back.

    Args:
        data: what :func:`to_json` gave, or its JSON text.

    Raises:
        ProofFormatError: when it is not a proof in this format, naming the place.
    """
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except (json.JSONDecodeError, RecursionError) as error:
            msg = f"not JSON: {error}"
            raise ProofFormatError(msg) from error
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        msg = f"not a proof: needs a JSON object whose 'format' is {FORMAT!r}"
        raise ProofFormatError(msg)
    try:
        return _read(data)
    except (LookupError, TypeError, ArithmeticError, ValueError, RecursionError) as error:
        msg = f"not a well-formed proof: {type(error).__name__}: {error}"
        raise ProofFormatError(msg) from error


def _read(data: Mapping[str, Any]) -> Proof:
    table: list[Term] = []
    for row in data["terms"]:
        table.append(make(_word(row[0]), *(_value(v, table) for v in row[1:])))
    steps = []
    for i, row in enumerate(data["steps"]):
        if row["rule"] not in RULES:
            msg = f"step {i} appeals to the rule {row['rule']!r}; known: {', '.join(RULES)}"
            raise ProofFormatError(msg)
        premises = tuple(row["premises"])
        if any(type(p) is not int or not 0 <= p < i for p in premises):
            msg = f"step {i} has premises {premises}; each must be an earlier step"
            raise ProofFormatError(msg)
        conclusion = _pick(table, row["conclusion"])
        steps.append(Step(row["rule"], _value(row["data"], table), premises, conclusion))
    return Proof(
        _pick(table, data["statement"]),
        tuple(_pick(table, t) for t in data["assumptions"]),
        tuple(_pick(table, t) for t in data["definitions"]),
        tuple(steps),
    )


def _word(value: Any) -> str:
    if type(value) is not str:
        msg = f"a head is a word, not {value!r}"
        raise ProofFormatError(msg)
    return value


def _pick(table: Sequence[Term], position: Any) -> Term:
    if type(position) is not int or not 0 <= position < len(table):
        msg = f"{position!r} is not the position of an earlier term"
        raise ProofFormatError(msg)
    return table[position]


def _value(value: Any, table: Sequence[Term]) -> Any:
    match value:
        case {"t": position}:
            return _pick(table, position)
        case {"q": str(text)} if _FRACTION.fullmatch(text):
            return Fraction(text)
        case list():
            return tuple(_value(v, table) for v in value)
        case bool() | None | float():
            pass
        case int() | str():
            return value
    msg = f"a proof holds terms, fractions, integers and words, not {value!r}"
    raise ProofFormatError(msg)


def conclusions(proof: Proof) -> Iterator[tuple[int, Term]]:
    """Position and formula of every step."""
    for i, step in enumerate(proof.steps):
        yield i, step.conclusion
