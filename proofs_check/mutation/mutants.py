"""False theorems, built by a machine from true ones, and the judges that must reject them.

A *statement mutant* claims something else than its proof shows.  A *proof mutant* has one wrong
step, the change carried through everything after it, so that the rest of the proof is sound and the
claim follows from that one step.  Three judges look at each: the structural replay, the second
opinion of z3 with the replay's arithmetic left aside, and, where the caller has networks at hand,
measurement.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proofs_check.mutation.mutations import Variant, variants
from proofs_check.mutation.tampering import tampered
from proofs_check.replay.binding import postorder
from proofs_check.replay.checker import REFUSED, check
from proofs_check.replay.loading import CheckError, load
from proofs_check.replay.rules import Sequent, replay
from proofs_check.replay.samples import World
from proofs_check.replay.second_opinion import AGREED, CONTRADICTED, implies, is_arithmetic, opinion
from theory.proofs import Proof, Step
from theory.terms import Term, TermError, make

if TYPE_CHECKING:
    from rich.table import Table

Source = Proof | Mapping[str, Any]
Measure = Callable[[Proof], "bool | None"]


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


@dataclass(frozen=True)
class Verdict:
    """Who rejects a mutant.

    Attributes:
        kernel: the structural replay rejects it.
        z3: the second opinion alone refutes a step, or refutes that the claim follows.
        measurement: a real network violates it; None where nothing was measured.
        reason: the replay's first reason.
    """

    kernel: bool
    z3: bool
    measurement: bool | None
    reason: str

    @property
    def rejected(self) -> bool:
        """Whether any judge rejects it."""
        return self.kernel or self.z3 or bool(self.measurement)


# -- building -------------------------------------------------------------------------------------

Change = tuple[str, str, str, Source]  # kind, family, description, proof


def mutants(source: object, name: str, *, seed: int = 0, per_kind: int = 2) -> list[Mutant]:
    """Mutants of one theorem, of every kind that applies to it.

    Args:
        source: a theorem or a proof.
        name: what to call it.
        seed: of the choice among all places where an error can be made.
        per_kind: how many of each kind and family.

    Returns:
        The mutants; the same for the same arguments.

    Raises:
        CheckError: when there is no proof to start from, or it is wrong already.
    """
    proof = load(source)
    check(proof, second_opinion=False).raise_if_failed()
    chooser = random.Random(f"{name} {seed}")
    found: list[Mutant] = []
    counts: Counter[tuple[str, str]] = Counter()
    for changes in (_claims(proof), _wrong_steps(proof, chooser), tampered(proof, chooser)):
        for kind, family, what, changed in _mixed(changes, chooser):
            if counts[kind, family] < per_kind:
                counts[kind, family] += 1
                label = f"{name}: {kind} {counts[kind, family]} ({family})"
                found.append(Mutant(label, kind, family, changed, proof, what))
    return found


def _mixed(changes: Iterable[Change], chooser: random.Random) -> list[Change]:
    listed = list(changes)
    chooser.shuffle(listed)
    return listed


def corpus(*, seed: int = 0, per_kind: int = 2, depth: int = 2) -> list[Mutant]:
    """Mutants of A2, A3, A4, A5 and A7 (readout trained; on the ball and at its centre).

    Args:
        seed: of the choices.
        per_kind: how many of each kind and family, for each theorem.
        depth: of the network for A7.
    """
    import theory

    network = theory.reference_network(depth, trainable=True)
    named = {f"A{n}": theory.catalog[f"LZB20/A{n}"] for n in (2, 3, 4, 5)}
    named["A7"] = theory.hessian_bound(network, radius="R")
    named["A7 at the centre"] = theory.hessian_bound(network)
    return [m for n, t in named.items() for m in mutants(t, n, seed=seed, per_kind=per_kind)]


def _sharper(formula: Term) -> Iterator[tuple[Variant, Term]]:
    """An equation or inequality with an error on its right side."""
    left, right = formula.args
    for variant in variants(right):
        yield variant, make(formula.head, left, variant.term)


def _claims(proof: Proof) -> Iterator[Change]:
    """The claim changed and the proof left: another statement, definition, or assumption less."""
    formula = proof.statement
    if formula.head in ("le", "eq"):
        for head in ("le", "eq"):
            for sides in (formula.args, formula.args[::-1]):
                flipped = make(head, *sides)
                if implies([formula], flipped, 200).verdict != AGREED:
                    changed = replace(proof, statement=flipped)
                    yield "relation flipped", "statement", "the relation is another", changed
        for variant, other in _sharper(formula):
            if implies([formula], other, 200).verdict != AGREED:
                changed = replace(proof, statement=other)
                yield variant.kind, "statement", variant.what, changed
    for place, definition in enumerate(proof.definitions):
        for variant, other in _sharper(definition):
            if implies([], make("le", definition.args[1], variant.term), 200).verdict != AGREED:
                definitions = list(proof.definitions)
                definitions[place] = other
                changed = replace(proof, definitions=tuple(definitions))
                yield variant.kind, "statement", variant.what, changed
    for place in range(len(proof.assumptions)):
        rest = proof.assumptions[:place] + proof.assumptions[place + 1 :]
        what = f"without {proof.assumptions[place]}"
        yield "hypothesis dropped", "statement", what, replace(proof, assumptions=rest)


# -- one wrong step, carried through --------------------------------------------------------------

MOST_TRIED = 100  # candidates of each kind, tried until enough have a single wrong step
MOST_OF_A_KIND = 4


def _wrong_steps(proof: Proof, chooser: random.Random) -> Iterator[Change]:
    """One side of one step changed, and that change carried through all later steps."""
    groups: dict[str, list[tuple[int, Term, Variant]]] = defaultdict(list)
    for number, step in enumerate(proof.steps):
        if step.conclusion.head in ("le", "eq") and step.conclusion.args[0].sort == "real":
            right = step.conclusion.args[1]
            for variant in variants(right):
                groups[variant.kind].append((number, right, variant))
    done = _sequents(proof)
    for kind, candidates in groups.items():
        chooser.shuffle(candidates)
        found = 0
        for number, old, variant in candidates[:MOST_TRIED]:
            changed = _carried(proof, number, old, variant.term)
            if changed is not None and _one_wrong_step(proof, changed, done):
                yield kind, "proof", f"step {number}: {variant.what}", changed
                found += 1
            if found == MOST_OF_A_KIND:
                break


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


# -- judging --------------------------------------------------------------------------------------


def judge(mutant: Mutant, *, measure: Measure | None = None, timeout_ms: int = 1000) -> Verdict:
    """Put a mutant before the judges.

    Args:
        mutant: the mutant.
        measure: whether real networks violate what a proof states (given its definitions); None
            from it means that it has no opinion.
        timeout_ms: limit for each question to z3.
    """
    try:
        proof = load(mutant.proof)
    except CheckError as error:
        return Verdict(True, False, None, str(error))
    report = check(proof, second_opinion=False)
    reason = str(report.failures[0]) if report.failures else ""
    measured = measure(proof) if measure is not None else None
    return Verdict(not report.ok, _refuted(mutant, proof, timeout_ms), measured, reason)


def _refuted(mutant: Mutant, proof: Proof, timeout_ms: int) -> bool:
    """Whether the second opinion alone refutes a step or the claim."""
    before = mutant.original
    known = {id(step) for step in before.steps}
    world = World()
    for step in proof.steps:
        if id(step) in known:
            continue
        premises = [proof.steps[p].conclusion for p in step.premises]
        if is_arithmetic(step) and opinion(step, premises, timeout_ms).verdict == CONTRADICTED:
            return True
        equation = step.rule == "by_form" and step.conclusion.head == "eq"
        if equation and world.agree(*step.conclusion.args) is False:
            return True
    if mutant.family == "proof":
        return False
    claims = [([before.statement], proof.statement)] if proof.statement != before.statement else []
    for old, new in zip(before.definitions, proof.definitions, strict=False):
        if old is not new and old.args[0] is new.args[0]:
            claims.append(([], make("le", old.args[1], new.args[1])))
    return any(implies(p, c, timeout_ms).verdict == CONTRADICTED for p, c in claims)


def table(found: Sequence[Mutant], verdicts: Sequence[Verdict]) -> Table:
    """How many mutants of each kind, and who rejects them."""
    from rich.table import Table

    shown = Table("kind of error", "mutants", "kernel", "z3", "measurement", "survived")
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for mutant, verdict in zip(found, verdicts, strict=True):
        groups[mutant.kind].append(verdict)
    for kind, members in [*sorted(groups.items()), ("all", list(verdicts))]:
        if kind == "all":
            shown.add_section()
        measured = [v.measurement for v in members if v.measurement is not None]
        shown.add_row(
            kind,
            str(len(members)),
            str(sum(v.kernel for v in members)),
            str(sum(v.z3 for v in members)),
            f"{sum(measured)} of {len(measured)}" if measured else "-",
            str(sum(not v.rejected for v in members)),
        )
    return shown
