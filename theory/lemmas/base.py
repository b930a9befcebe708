"""What a lemma is, the registry of all of them, and the variables that schemas are written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from theory.terms import (
    SCALAR,
    Term,
    make,
)

Parameter = int | str


@dataclass(frozen=True)
class Schema:
    """Premises and conclusion of one lemma, with variables."""

    premises: tuple[Term, ...]
    conclusion: Term


@dataclass(frozen=True)
class Lemma:
    """A trusted lemma.

    Attributes:
        name: what proofs call it.
        title: its name in words.
        says: what it states, in LaTeX.
        source: where a proof of it is found.
        cite: the BibTeX key of that source.
        family: builds the schema from the parameters.
    """

    name: str
    title: str
    says: str
    source: str
    cite: str
    family: Callable[..., Schema]


LEMMAS: dict[str, Lemma] = {}


LARGEST = 400  # of summands, layers or blocks: hostile files must not make the families grow


class UnknownLemmaError(KeyError):
    """A lemma of that name, or with such parameters, is not among the trusted ones."""


def lemma(name: str, title: str, says: str, source: str, cite: str) -> Callable[..., None]:
    """Register the decorated schema, or family of schemas, as a trusted lemma."""

    def register(family: Callable[..., Schema]) -> None:
        if name in LEMMAS:
            msg = f"a lemma is called {name!r} already: {LEMMAS[name].title}"
            raise ValueError(msg)
        LEMMAS[name] = Lemma(name, title, says, source, cite, lru_cache(maxsize=None)(family))

    return register


def schema(name: str, parameters: tuple[Parameter, ...] = ()) -> Schema:
    """The schema of a lemma.

    Raises:
        UnknownLemmaError: when there is no such lemma, or the parameters do not fit it.
    """
    if name not in LEMMAS:
        msg = f"no trusted lemma is called {name!r}; known: {', '.join(LEMMAS)}"
        raise UnknownLemmaError(msg)
    if any(type(p) not in (int, str) or (type(p) is int and p > LARGEST) for p in parameters):
        msg = f"parameters of lemma {name} are words and integers up to {LARGEST}, not {parameters}"
        raise UnknownLemmaError(msg)
    try:
        return LEMMAS[name].family(*parameters)
    except (TypeError, ValueError) as error:
        msg = f"lemma {name} has no instance with parameters {parameters}: {error}"
        raise UnknownLemmaError(msg) from error


# -- variables of the schemas ---------------------------------------------------------------------

HORN = "Horn and Johnson, Matrix Analysis, 2nd ed., 2013"


def space_variable(name: str) -> Term:
    """A schematic space."""
    return make("var", name, "space")


def operator_variable(name: str, rows: str | Term = "r", cols: str | Term = "c") -> Term:
    """A schematic operator between schematic (or given) spaces."""
    spaces = [space_variable(s) if isinstance(s, str) else s for s in (rows, cols)]
    return make("var", name, "op", *spaces)


def vector_variable(name: str, rows: str | Term = "r") -> Term:
    """A schematic vector."""
    return operator_variable(name, rows, SCALAR)


def real_variable(name: str) -> Term:
    """A schematic non-negative real."""
    return make("var", name, "real")


INDEX = make("index", "l", 0)
POINT_P, POINT_Q = make("point", "p"), make("point", "q")
INPUT_X = make("input", "u")
A, B = operator_variable("A"), operator_variable("B", "c", "n")
V, U = vector_variable("v"), vector_variable("w")
KAPPA = real_variable("kappa")


def require(*tests: bool) -> None:
    """Refuse parameters of a family that are out of range."""
    if not all(tests):
        msg = "the parameters are out of range"
        raise ValueError(msg)


def fact(name: str, *tags: object) -> Term:
    """A hypothesis about the network, by name (see ``theory.assumptions``)."""
    return make("fact", name, *tags)
