"""False theorems, built by a machine from true ones, and the judges that must reject them.

A *statement mutant* claims something else than its proof shows.  A *proof mutant* has one wrong
step, the change carried through everything after it, so that the rest of the proof is sound and the
claim follows from that one step.  Who rejects them is for :mod:`proofs_check.mutation.judging`.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from proofs_check.mutation.claims import claims
from proofs_check.mutation.mutations import Variant, variants
from proofs_check.mutation.tampering import tampered
from proofs_check.replay.binding import postorder
from proofs_check.replay.checker import REFUSED, check
from proofs_check.replay.loading import load
from proofs_check.replay.rules import Sequent, replay
from theory.proofs import Proof, Step
from theory.terms import Term, TermError, make

Source = Proof | Mapping[str, Any]


@dataclass(frozen=True)
class Mutant:
    """A theorem with one error.

    Attributes:
        name: theorem, kind and number.
        kind: the kind of error.
        family: ``statement`` or ``proof``.
        proof: the proof with the error; JSON-ready data where terms of the language cannot hold it.
        original: the proof it was made from.
        description: what was changed, in words.
    """

    name: str
    kind: str
    family: str
    proof: Source
    original: Proof
    description: str


# -- building -------------------------------------------------------------------------------------

Change = tuple[str, str, str, Source]  # kind, family, description, proof
Candidate = tuple[str, str, str, Callable[[], "Source | None"]]  # the same, made when asked for


def mutants(
    source: object,
    name: str,
    *,
    seed: int = 0,
    per_kind: int = 1,
    kinds: Container[str] | None = None,
    wrong_steps: bool = True,
) -> list[Mutant]:
    """Mutants of one theorem, of every kind that applies to it.

    Args:
        source: a theorem or a proof.
        name: what to call it.
        seed: of the choice among all places where an error can be made.
        per_kind: how many of each kind and family.
        kinds: the kinds of error to make; all by default.
        wrong_steps: whether steps are changed and the change carried through, which takes longest.

    Returns:
        The mutants; the same for the same arguments.

    Raises:
        CheckError: when there is no proof to start from, or it is wrong already.
    """
    proof = load(source)
    check(proof, second_opinion=False).raise_if_failed()
    chooser = random.Random(f"{name} {seed}")
    groups: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    steps = _wrong_steps(proof) if wrong_steps else iter(())
    sources = (claims(proof), steps, map(_made, tampered(proof, chooser)))
    for candidate in (c for found in sources for c in found):
        if kinds is None or candidate[0] in kinds:
            groups[candidate[:2]].append(candidate)
    found: list[Mutant] = []
    for (kind, family), candidates in groups.items():
        chooser.shuffle(candidates)
        made = ((what, make_it()) for _, _, what, make_it in candidates[:MOST_TRIED])
        fit = ((what, changed) for what, changed in made if changed is not None)
        for number, (what, changed) in enumerate(islice(fit, per_kind), start=1):
            label = f"{name}: {kind} {number} ({family})"
            found.append(Mutant(label, kind, family, changed, proof, what))
    return found


MOST_TRIED = 100  # candidates of each kind, tried until enough of them are false


def _made(change: Change) -> Candidate:
    kind, family, what, changed = change
    return kind, family, what, lambda: changed


def corpus(
    names: Iterable[str] | None = None, *, seed: int = 0, per_kind: int = 1
) -> Iterator[Mutant]:
    """Mutants of theorems of the catalogue, one theorem after another.

    Args:
        names: rows of :data:`theory.catalog`; all of them by default.
        seed: of the choices.
        per_kind: how many of each kind and family, for each theorem.

    Yields:
        The mutants; the same for the same arguments.
    """
    import theory

    for name in theory.catalog if names is None else names:
        yield from mutants(theory.catalog[name], name, seed=seed, per_kind=per_kind)


# -- one wrong step, carried through --------------------------------------------------------------


def _wrong_steps(proof: Proof) -> Iterator[Candidate]:
    """One side of one step changed, and that change carried through all later steps."""
    done = _sequents(proof)
    for number, step in enumerate(proof.steps):
        if step.conclusion.head in ("le", "eq"):
            for variant in _few(variants(step.conclusion.args[1])):
                make_it = partial(_carried_once, proof, number, variant.term, done)
                yield variant.kind, "proof", f"step {number}: {variant.what}", make_it


MOST_OF_A_STEP = 60  # so that the largest formulas do not crowd out the others


def _few(found: Iterator[Variant]) -> list[Variant]:
    """Variants of one term, evenly over it when there are many."""
    listed = list(found)
    return listed[:: 1 + len(listed) // MOST_OF_A_STEP]


def _carried_once(proof: Proof, number: int, new: Term, done: Sequence[Sequent]) -> Proof | None:
    """The change of a step carried through, when it leaves one wrong step and no more."""
    changed = _carried(proof, number, proof.steps[number].conclusion.args[1], new)
    return changed if changed is not None and _one_wrong_step(proof, changed, done) else None


def _sequents(proof: Proof) -> list[Sequent]:
    done: list[Sequent] = []
    for step in proof.steps:
        done.append(replay(step.rule, step.data, [done[p] for p in step.premises]))
    return done


def _one_wrong_step(original: Proof, changed: Proof, known: Sequence[Sequent]) -> bool:
    """Whether just one step of the changed proof is wrong; what did not change is not replayed."""
    done: list[Sequent] = []
    wrong = 0
    for number, step in enumerate(changed.steps):
        premises = [done[p] for p in step.premises]
        same = step is original.steps[number]
        if same and all(done[p] is known[p] for p in step.premises):
            done.append(known[number])
            continue
        try:
            right = replay(step.rule, step.data, premises).conclusion is step.conclusion
        except REFUSED:
            right = False
        wrong += not right
        if wrong > 1:
            return False
        hypotheses = frozenset().union(*(p.hypotheses for p in premises))
        done.append(Sequent(hypotheses, step.conclusion))
    return wrong == 1


def _carried(proof: Proof, number: int, old: Term, new: Term) -> Proof | None:
    """The proof with one term for another from a step on, and so in the claim."""
    memo: dict[Term, Term] = {}
    steps = list(proof.steps)
    try:
        for place in range(number, len(steps)):
            step = steps[place]
            kept = place == number and step.rule != "by_form"
            data = step.data if kept else _swap(step.data, old, new, memo)
            conclusion = _swap(step.conclusion, old, new, memo)
            if conclusion is not step.conclusion or data != step.data:
                steps[place] = Step(step.rule, data, step.premises, conclusion)
        definitions = tuple(_swap(d, old, new, memo) for d in proof.definitions)
    except TermError:
        return None
    return Proof(steps[-1].conclusion, proof.assumptions, definitions, tuple(steps))


def _swap(value: Any, old: Term, new: Term, memo: dict[Term, Term]) -> Any:
    if isinstance(value, tuple):
        return tuple(_swap(v, old, new, memo) for v in value)
    if not isinstance(value, Term):
        return value
    for node in postorder(value, memo.__contains__):
        args = (memo[a] if isinstance(a, Term) else a for a in node.args)
        memo[node] = new if node is old else make(node.head, *args)
    return memo[value]
