"""The search for a network on which a statement is false.

Hypothesis draws networks, seeds, inputs and radii, and shrinks what violates the statement to the
simplest violation it can find; that one is measured a second time, with more digits where it is
small enough, before it is reported.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeAlias

import numpy as np
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import SearchStrategy

import numerics
from proofs_check import dropping, strategies
from proofs_check.dropped import Dropped, measured_again
from proofs_check.dropping import Drop, DropError
from proofs_check.ledger.experiment import Family, Sample
from proofs_check.ledger.results import FamilyResult
from proofs_check.ledger.running import outcome_of, run_family
from proofs_check.strategies import Instance
from proofs_check.verification.counterexamples import Counterexample, of_measured, of_statement
from proofs_check.verification.judging import Check, judge
from proofs_check.verification.statements import ON_BALL, Statement, network_of
from proofs_check.verification.trials import Search, Trial
from theory.activations import ActivationError
from theory.networks import Network
from theory.theorem import Theorem
from theory.theorems import HypothesisError

Factory: TypeAlias = Callable[[Network], Statement]

SEARCH = Search(starts=1, steps=3, random=1)


@dataclass
class Falsification:
    """What a search for a violation found.

    Attributes:
        statement: name of the statement.
        examples: instances drawn, those of shrinking included.
        judged: instances on which the statement was held against a network.
        refused: instances that the statement does not cover.
        undecided: instances on which rounding, or an overflow, left it open.
        violations: instances that violated it, those of shrinking included.
        tightest: the least bound over measured value of all that hold; inf if none.
        tightest_at: where that was.
        instance: the simplest violation; None if there was none.
        counterexample: the same, measured again.
        dropped: the hypothesis that was dropped; empty for none.
        dial: how far the simplest violation is from it (see :mod:`proofs_check.dropping`).
        order: the fitted exponent, where a row of the ledger states an order and no single model
            violates it.
        seconds: how long it took.
    """

    statement: str = ""
    examples: int = 0
    judged: int = 0
    refused: int = 0
    undecided: int = 0
    violations: int = 0
    tightest: float = math.inf
    tightest_at: Instance | None = None
    instance: Instance | None = None
    counterexample: Counterexample | None = None
    seconds: float = 0.0
    dropped: str = ""
    dial: int | None = None
    order: FamilyResult | None = None

    @property
    def found(self) -> bool:
        """Whether a violation was found and measured again, or an order that is not the stated."""
        if self.counterexample is None:
            return self.order is not None and self.order.verdict == "not met"
        return self.counterexample.confirmed

    def __str__(self) -> str:
        """The search in a few lines."""
        head = (
            f"{self.statement}: {self.examples} examples in {self.seconds:.0f} s, {self.judged} "
            f"judged, {self.refused} not covered, {self.undecided} undecided"
        )
        if self.order is not None:
            return (
                f"{head}; {self.order.words}: the exponent of {self.order.quantity} is "
                f"{self.order.measured}, stated {self.order.predicted}: {self.order.reason}"
            )
        if self.counterexample is None:
            near = "" if self.tightest_at is None else f"; least bound/measured {self.tightest:.4g}"
            return f"{head}; no violation{near}"
        return f"{head}; simplest of {self.violations} violations:\n{self.counterexample}"


def falsify(
    claim: Statement | Factory,
    *,
    drop: str | None = None,
    max_examples: int = 200,
    seed: int = 0,
    max_depth: int = 8,
    max_width: int = 12,
    instances: SearchStrategy[Instance] | None = None,
    search: Search | None = None,
    time_limit_s: float | None = None,
) -> Falsification:
    """Search for a network on which a statement is false, and shrink it.

    Args:
        claim: a theorem or a :class:`~proofs_check.verification.statements.Conjecture`, whose
            widths are drawn where they are symbols; or a function from a network to one of them,
            such as ``theory.hessian_bound``, for which architectures are drawn as well.
        drop: a hypothesis to do without, by its name in ``thm.assumptions`` (or *independent
            parameters*): models are drawn that meet all the others, and the statement's bound is
            held against them as it stands.  For a theorem of the ledger also what its row drops;
            widths and seeds of that family are drawn then, and where none violates a bound, or the
            row has none, the exponent over its widths is held against the order it states.
        max_examples: how many instances are drawn before shrinking.
        seed: of the search: the same seed, the same instances.
        max_depth: largest depth drawn, for a function.
        max_width: largest width drawn.
        instances: a strategy of one's own instead.
        search: where in a ball to measure.
        time_limit_s: the search, shrinking included, ends after about this long.

    Returns:
        What was found; ``.found`` says whether the statement is false.

    Raises:
        HypothesisError: the statement has no network, or holds with a probability.
        DropError: the hypothesis cannot be dropped; the message lists those that can.
    """
    scales = strategies.SCALES if drop is None else dropping.SCALES
    family = None if drop is None else _family(claim, drop)
    if family is not None:
        hunt_in = _FamilyHunt(claim, family, time_limit_s)
        if not hunt_in.bounded:
            return hunt_in.result()
        return _hunted(hunt_in, hunt_in.drawn(), max_examples, seed)
    if drop is None and getattr(claim, "failure", None) is not None:
        msg = (
            f"{claim.name} holds with a probability, which no single network violates: "  # type: ignore[union-attr]
            "proofs_check.verify counts its failures"
        )
        raise HypothesisError(msg)
    drawn = _instances(claim, max_depth, max_width, scales) if instances is None else instances
    if drop is None:
        return _hunted(_Hunt(claim, search or SEARCH, time_limit_s), drawn, max_examples, seed)
    hunt = _DroppingHunt(claim, search or SEARCH, time_limit_s, drop)
    return _hunted(hunt, dropping.instances(drawn), max_examples, seed)


def _hunted(
    state: _Hunt, drawn: SearchStrategy[Any], max_examples: int, seed: int
) -> Falsification:
    options = settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        derandomize=False,
    )
    try:
        simplest = find(drawn, state.violates, settings=options, random=Random(seed))
    except NoSuchExample:
        return state.result()
    except _TimeUp:
        return state.result(state.last)
    return state.result(simplest)


def _instances(
    claim: Statement | Factory, max_depth: int, max_width: int, scales: Sequence[float]
) -> SearchStrategy[Instance]:
    if not _is_statement(claim):
        return strategies.instances(max_depth=max_depth, max_width=max_width, scales=scales)
    net = network_of(claim)  # type: ignore[arg-type]
    nets = strategies.numeric(net, max_width=max_width)
    own = getattr(claim, "radius", None)
    radius = None
    if own is not None and getattr(own, "is_number", True):
        radius = st.just(float(own))
    return strategies.instances(network=nets, radius=radius, scales=scales)


def _is_statement(claim: Statement | Factory) -> bool:
    return isinstance(claim, Theorem) or hasattr(claim, "relation")


class _TimeUp(KeyboardInterrupt):
    """Ends a search from within; Hypothesis lets only interruptions through."""


class _Hunt:
    """One search: what it has seen."""

    def __init__(
        self, claim: Statement | Factory, search: Search, time_limit_s: float | None
    ) -> None:
        self.claim, self.search = claim, search
        self.begin = time.perf_counter()
        self.end = math.inf if time_limit_s is None else self.begin + time_limit_s
        self.seen = Falsification()
        self.last: Any = None

    def violates(self, instance: Any) -> bool:
        """Whether the statement is false on an instance, by more than rounding."""
        self.seen.examples += 1
        if time.perf_counter() > self.end:
            raise _TimeUp
        held = self.hold(instance)
        if held is None:
            self.seen.refused += 1
            return False
        self.seen.judged += 1
        check = held[2]
        self.seen.undecided += check.outcome == "undecided"
        self.seen.violations += check.outcome == "violated"
        if check.outcome == "holds" and check.ratio < self.seen.tightest:
            self.seen.tightest, self.seen.tightest_at = check.ratio, self.plain(instance)
        if check.outcome == "violated":
            self.last = instance  # while shrinking, each one is simpler than the one before
        return check.outcome == "violated"

    def plain(self, instance: Any) -> Instance:
        """The network, seed, inputs and radius of what was drawn."""
        found: Instance = instance
        return found

    def statement(self, net: Network) -> Statement | None:
        """The statement about a network; None where it does not cover it."""
        try:
            if _is_statement(self.claim):
                return self.claim  # type: ignore[return-value]
            return self.claim(net)  # type: ignore[operator]
        except HypothesisError:
            return None

    def hold(self, instance: Any) -> tuple[Statement, Trial, Check] | None:
        """Hold the statement against an instance; None where it does not cover it."""
        statement = self.statement(instance.net)
        if statement is None:
            return None
        self.seen.statement = self.seen.statement or statement.name
        ball = _on_ball(statement)
        model = numerics.instantiate(instance.net, seed=instance.seed)
        x, z = instance.inputs
        trial = Trial(model, x, z, instance.radius if ball else None, self.search)
        return statement, trial, judge(statement, trial)

    def confirmed(self, held: tuple[Statement, Trial, Check], instance: Any) -> Counterexample:
        """The violation, measured again."""
        return of_statement(*held)

    def result(self, simplest: Any = None) -> Falsification:
        """What was found, the simplest violation measured again."""
        if simplest is not None:
            held = self.hold(simplest)
            self.seen.instance = self.plain(simplest)
            if held is not None:
                self.seen.counterexample = self.confirmed(held, simplest)
        self.seen.seconds = time.perf_counter() - self.begin
        return self.seen


def _family(claim: Statement | Factory, drop: str) -> Family | None:
    """The family of the ledger in which the hypothesis is dropped, where no drawn network is."""
    if not isinstance(claim, Theorem):
        return None
    if drop in dropping.droppable(claim, _on_ball(claim)):
        return None
    found = dropping.families(claim).get(drop)
    if found is None:
        dropping.chosen(claim, drop, _on_ball(claim))  # says what can be dropped
    return found


def _on_ball(statement: Statement) -> bool:
    return statement.radius is not None or statement.quantity in ON_BALL


class _DroppingHunt(_Hunt):
    """A search in which one hypothesis is dropped."""

    def __init__(
        self,
        claim: Statement | Factory,
        search: Search,
        time_limit_s: float | None,
        name: str,
    ) -> None:
        super().__init__(claim, search, time_limit_s)
        self.name = name
        self.seen.dropped = name
        if _is_statement(claim):  # refuse before any work
            self.drop_of(claim)  # type: ignore[arg-type]
        else:
            dropping.known(name)

    def drop_of(self, statement: Statement) -> Drop:
        return dropping.chosen(statement, self.name, _on_ball(statement))

    def plain(self, instance: Any) -> Instance:
        found: Instance = instance.instance
        return found

    def hold(self, instance: Dropped) -> tuple[Statement, Trial, Check] | None:
        statement = self.statement(instance.instance.net)
        if statement is None:
            return None
        radius = instance.instance.radius if _on_ball(statement) else None
        try:
            trial = self.drop_of(statement).trial(instance, radius, self.search)
        except (DropError, ActivationError):  # it lacks the hypothesis; too sharp to be certified
            return None
        self.seen.statement = f"{statement.name} without {self.name}"
        return statement, trial, judge(statement, trial)

    def confirmed(self, held: tuple[Statement, Trial, Check], instance: Dropped) -> Counterexample:
        statement, trial, check = held
        self.seen.dial = instance.dial
        again = replace(check, measured=measured_again(trial, check))
        found = of_measured(statement, trial, again)
        words = self.drop_of(statement).words.format(instance.dial)
        return replace(
            found,
            statement=self.seen.statement,
            method=f"{words}; measured again by differentiating the whole model",
        )


class _FamilyHunt(_Hunt):
    """A search among the models of a family of the ledger, by width and seed."""

    WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128)
    SEEDS = 20

    def __init__(
        self, claim: Statement | Factory, family: Family, time_limit_s: float | None
    ) -> None:
        super().__init__(claim, SEARCH, time_limit_s)
        self.family = family
        self.seen.dropped = family.dropped
        self.seen.statement = f"{getattr(claim, 'name', '')} without {family.dropped}"

    @property
    def bounded(self) -> bool:
        """Whether the row states a bound, which a single model can violate."""
        sample = self.sample((self.family.widths["quick"][0], 0))
        return sample is not None and sample.bound is not None

    def drawn(self) -> SearchStrategy[tuple[int, int]]:
        widths = sorted({*self.WIDTHS, *self.family.widths["quick"]})
        return st.tuples(st.sampled_from(widths), st.integers(0, self.SEEDS))

    def violates(self, instance: tuple[int, int]) -> bool:
        self.seen.examples += 1
        if time.perf_counter() > self.end:
            raise _TimeUp
        sample = self.sample(instance)
        if sample is None or sample.bound is None:
            self.seen.refused += 1
            return False
        self.seen.judged += 1
        outcome = outcome_of(sample, self.family.relation)
        self.seen.undecided += outcome == "undecided"
        self.seen.violations += outcome == "violated"
        if outcome == "violated":
            self.last = instance
        return outcome == "violated"

    def sample(self, instance: tuple[int, int]) -> Sample | None:
        """The measurement; None at a width that the family does not have."""
        try:
            with np.errstate(all="ignore"):
                return self.family.measure(*instance)
        except (ValueError, np.linalg.LinAlgError):
            return None

    def result(self, simplest: Any = None) -> Falsification:
        sample = None if simplest is None else self.sample(simplest)
        if sample is not None and sample.bound is not None:
            width, seed = simplest
            self.seen.counterexample = Counterexample(
                self.seen.statement,
                "",
                "",
                (width,),
                seed,
                (),
                (),
                None,
                "",
                self.family.relation,
                sample.measured,
                sample.bound,
                f"{self.family.words}; {self.family.quantity}; measured twice",
                outcome_of(sample, self.family.relation) == "violated",
            )
        elif self.family.prediction is not None and time.perf_counter() <= self.end:
            self.seen.order = run_family(self.family)
        self.seen.seconds = time.perf_counter() - self.begin
        return self.seen
