"""Facts of which a model has one: two that differ are about no model at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from proofs_check.replay.binding import brief
from theory.terms import Term

# name of the fact: how many of its first tags say what it is about
ONE_OF = {"assembly": 0, "signs": 0, "shared": 0, "scale": 0, "gaussian": 0}
ONE_OF_EACH = {**ONE_OF, "dominant": 1, "samples": 1}


def conflicts(facts: Iterable[Term]) -> Iterator[str]:
    """What two facts say differently of one thing, in words."""
    groups: dict[tuple[Any, ...], set[Term]] = defaultdict(set)
    counts: set[Any] = set()
    large = signs = False
    for fact in facts:
        name, tags = fact.args[0], fact.args[1:]
        if name in ONE_OF_EACH:
            groups[(name, *tags[: ONE_OF_EACH[name]])].add(fact)
        if name in ("assembly", "shared", "signs"):
            counts.add(tags[0])
        large |= name == "dominant" and tags[1] != 0
        signs |= name == "signs"
    for (name, *_), members in groups.items():
        if len(members) > 1:
            shown = ", ".join(sorted(map(brief, members)))
            yield f"one model has one fact {name!r}, the assumptions have {shown}"
    if large and signs:
        yield "weights of size 1 do not dominate: the facts say 'signs' and 'dominant'"
    if len(counts) > 1:
        yield f"one assembly has one number of sub-models, the facts say {sorted(map(str, counts))}"


__all__ = ["conflicts"]
