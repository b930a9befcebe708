"""The independent check of a proof: every step replayed, every assumption listed.

:func:`check` recomputes each step of a proof from its rule, its data and its premises, in code that
shares with the kernel only the term language and the lemma schemata, and compares with what the
step claims.  Then it looks at what is left: the last conclusion is the statement, the hypotheses
are definitions or assumptions of a known kind.  A second opinion on the arithmetic comes from z3
(reals) and from trying equations on random matrices (operators).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from proofs_check.replay.arithmetic import ArithmeticLimitError
from proofs_check.replay.binding import BindingError, brief
from proofs_check.replay.check_report import CheckReport, Failure
from proofs_check.replay.definitions import definition_problems
from proofs_check.replay.hypotheses import assumptions_of, contradictions
from proofs_check.replay.loading import CheckError, load
from proofs_check.replay.rules import RuleError, Sequent, replay
from proofs_check.replay.samples import World
from proofs_check.replay.second_opinion import CONTRADICTED, TIMEOUT_MS, is_arithmetic, opinion
from theory.lemmas import UnknownLemmaError
from theory.proofs import Proof, Step
from theory.terms import Term, TermError

REFUSED = (RuleError, BindingError, TermError, ArithmeticLimitError, UnknownLemmaError)
MOST_FAILURES = 50
MOST_HYPOTHESES = 100_000_000  # summed over all steps
TIME_LIMIT_S = 3600.0


def check(
    thm_or_proof: object,
    *,
    second_opinion: bool = True,
    timeout_ms: int = TIMEOUT_MS,
    allow: Iterable[Term] = (),
    time_limit_s: float = TIME_LIMIT_S,
) -> CheckReport:
    """Replay every step of a proof and say what it rests on.

    Args:
        thm_or_proof: a theorem, a :class:`theory.proofs.Proof`, or the JSON of one (data or text).
        second_opinion: also ask z3 about every step of real arithmetic, and try every equation
            between operators on random matrices.
        timeout_ms: limit for each question to z3; what it does not answer counts as unknown.
        allow: formulas that may be assumed although they are of no known kind.
        time_limit_s: the check is given up after about this long.

    Returns:
        The report: ``.ok``, ``.failures``, the trusted ``.lemmas`` and all ``.assumptions``.

    Raises:
        CheckError: when there is no proof to check, it is malformed, too large, or out of time.

    Example:
        >>> import theory
        >>> print(check(theory.catalog["LZB20/A3"]).ok)
        True
    """
    begin = time.perf_counter()
    proof = load(thm_or_proof)
    state = _Replay(proof, begin + time_limit_s)
    hypotheses = state.run()
    state.failures += _loose_ends(proof, hypotheses)
    stated = getattr(thm_or_proof, "statement", proof.statement)
    if stated is not proof.statement:
        reason = f"the theorem states {brief(stated)}, its proof {brief(proof.statement)}"
        state.failures.append(Failure(None, "statement", reason))
    assumptions = assumptions_of(proof, hypotheses, allow)
    state.failures += [
        Failure(None, "assumptions", f"of no known kind: {brief(a.formula, 400)}")
        for a in assumptions
        if not a.allowed
    ]
    opinions = _Opinions(proof, timeout_ms, begin + time_limit_s)
    if second_opinion:
        state.failures += opinions.ask()
    return CheckReport(
        statement=proof.statement,
        steps=len(proof.steps),
        failures=tuple(sorted(state.failures, key=Failure.order)[:MOST_FAILURES]),
        failed=len(state.failures),
        lemmas=dict(state.lemmas),
        assumptions=assumptions,
        definitions=len(proof.definitions),
        z3=dict(opinions.solver),
        sampled=dict(opinions.sampled),
        seconds=time.perf_counter() - begin,
    )


@dataclass
class _Replay:
    """The replay of one proof.

    Attributes:
        proof: the proof.
        deadline: when to give up, in seconds of the performance counter.
        failures: what was found wrong.
        lemmas: how often each trusted lemma is used.
    """

    proof: Proof
    deadline: float
    failures: list[Failure] = field(default_factory=list)
    lemmas: Counter[str] = field(default_factory=Counter)

    def run(self) -> frozenset[Term]:
        """Replay all steps; the hypotheses of the last."""
        done: list[Sequent] = []
        held = 0
        for number, step in enumerate(self.proof.steps):
            sequent = self._step(number, step, [done[p] for p in step.premises])
            held += len(sequent.hypotheses)
            if held > MOST_HYPOTHESES or time.perf_counter() > self.deadline:
                msg = f"given up at step {number}: the proof is too large or the time is up"
                raise CheckError(msg)
            done.append(sequent)
        return done[-1].hypotheses if done else frozenset()

    def _step(self, number: int, step: Step, premises: Sequence[Sequent]) -> Sequent:
        """What a step gives; where it is wrong, what it claims, so that the rest is checked too."""
        if step.rule == "lemma" and step.data and isinstance(step.data[0], str):
            self.lemmas[step.data[0]] += 1
        try:
            found = replay(step.rule, step.data, premises)
        except REFUSED as error:
            reason = f"{error}" if isinstance(error, RuleError) else _named(error)
        except (RecursionError, MemoryError, OverflowError) as error:
            reason = _named(error)
        else:
            if found.conclusion is step.conclusion:
                return found
            reason = f"gives {brief(found.conclusion, 300)}, claims {brief(step.conclusion, 300)}"
        self.failures.append(Failure(number, step.rule, reason))
        hypotheses = frozenset().union(*(p.hypotheses for p in premises))
        return Sequent(hypotheses, step.conclusion)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error.args[0] if error.args else error)[:1000]}"


def _loose_ends(proof: Proof, hypotheses: frozenset[Term]) -> Iterator[Failure]:
    """What is wrong with the proof as a whole."""
    last = proof.steps[-1].conclusion if proof.steps else None
    if last is None:
        yield Failure(None, "statement", "the proof has no steps")
    elif last is not proof.statement:
        reason = f"proved is {brief(last, 300)}, stated is {brief(proof.statement, 300)}"
        yield Failure(None, "statement", reason)
    declared = {*proof.assumptions, *proof.definitions}
    for formula in sorted(hypotheses - declared, key=brief):
        reason = f"neither assumed nor a definition: {brief(formula, 400)}"
        yield Failure(None, "hypotheses", reason)
    for problem in definition_problems(proof):
        yield Failure(None, "definitions", problem)
    for problem in contradictions((*proof.assumptions, *hypotheses)):
        yield Failure(None, "assumptions", problem)


# -- second opinions ------------------------------------------------------------------------------


@dataclass
class _Opinions:
    """Second opinions on the steps of a proof, taken as they claim to be.

    Attributes:
        proof: the proof.
        timeout_ms: limit for each question to z3.
        deadline: when to stop asking.
        solver: z3's verdicts, counted.
        sampled: equations between operators that agreed, were contradicted, or were not tried.
    """

    proof: Proof
    timeout_ms: int
    deadline: float
    solver: Counter[str] = field(default_factory=Counter)
    sampled: Counter[str] = field(default_factory=Counter)

    def ask(self) -> Iterator[Failure]:
        """Ask about every step; what is contradicted is a failure."""
        world = World()
        for number, step in enumerate(self.proof.steps):
            if is_arithmetic(step):
                yield from self._solve(number, step)
            elif step.rule == "by_form" and step.conclusion.head == "eq":
                agree = world.agree(*step.conclusion.args)
                verdict = {True: "agreed", False: CONTRADICTED, None: "unknown"}[agree]
                self.sampled[verdict] += 1
                if agree is False:
                    yield Failure(number, step.rule, "the sides differ on random matrices")

    def _solve(self, number: int, step: Step) -> Iterator[Failure]:
        if time.perf_counter() > self.deadline:
            self.solver["unknown"] += 1
            return
        premises = [self.proof.steps[p].conclusion for p in step.premises]
        found = opinion(step, premises, self.timeout_ms)
        self.solver[found.verdict] += 1
        if found.verdict == CONTRADICTED:
            yield Failure(number, step.rule, f"z3 refutes it: {found.reason}")


__all__ = ["CheckError", "CheckReport", "Failure", "check"]
