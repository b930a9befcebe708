"""Random steps, most of them wrong: the kernel and its replay refuse the same and give the same.

Terms are drawn from few points, indices and variables, so that captures, hypotheses that mention
what should be arbitrary, and ranges that are off by one come up all the time.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from random import Random

import pytest

from proofs_check.replay.arithmetic import ArithmeticLimitError
from proofs_check.replay.binding import BindingError
from proofs_check.replay.rules import RuleError, Sequent, replay
from tests.judgements import judged
from theory import kernel
from theory.kernel import KernelError
from theory.lemmas import fact
from theory.terms import (
    PARAMS,
    SCALAR,
    TermError,
    add,
    eq,
    le,
    make,
    mul,
    norm,
    substitute,
)
from theory.vocabulary import (
    FAILURE,
    INPUT,
    SAMPLES,
    descent_formula,
    output,
    parameters,
    readout_weights,
)

REFUSED = (KernelError, RuleError, BindingError, TermError, ArithmeticLimitError)
STAR, P, Q, CENTRE = POINTS = [make("point", n) for n in ("*", "p", "q", "theta0")]
INDICES = [0, 1, 2, *(make("index", n, o) for n in "lk" for o in (-1, 0, 1))]
T, H = (make("var", n, "real") for n in "th")
U, W = (make("var", n, "op", PARAMS, SCALAR) for n in "uw")
LIKELY = [FAILURE, make("rat", Fraction(1, 2)), H]


class Draw:
    """Random terms, formulas and premises."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.one_of = self.random.choice

    def built(self, make_one, instead):
        """What can be built; after a few tries something plain."""
        for _ in range(20):
            try:
                return make_one()
            except REFUSED:
                continue
        return instead

    def index(self):
        return self.one_of(INDICES)

    def point(self):
        return self.one_of(POINTS)

    def real(self, depth=2):
        less = depth - 1
        plain = [
            lambda: make("rat", Fraction(self.random.randrange(3))),
            lambda: self.one_of([T, H, FAILURE, make("sym", "x"), make("sym", "a", self.index())]),
            lambda: make("dim", make("layer", self.index())),
            lambda: norm(self.operator(0)),
            lambda: make("sym", "E", self.point()),
        ]
        joined = [
            lambda: add(self.real(less), self.real(less)),
            lambda: mul(self.one_of([T, H, self.real(less)]), self.real(less)),
            lambda: make("pow", self.real(less), Fraction(self.one_of([2, -1]))),
            lambda: make(self.one_of(["max", "min"]), self.real(less), self.real(less)),
            lambda: make(
                self.one_of(["rsum", "rmax"]),
                self.one_of("lk"),
                self.index(),
                self.index(),
                self.real(less),
            ),
        ]
        choices = plain + (joined if depth else [])
        return self.built(lambda: self.one_of(choices)(), make("sym", "x"))

    def operator(self, depth=1):
        point = self.point()
        choices = [
            parameters(point),
            U,
            make("plus", parameters(point), make("neg", parameters(self.point()))),
            *([make("scale", self.real(0), parameters(point))] if depth else []),
        ]
        return self.one_of(choices)

    def formula(self, depth=2):
        less = depth - 1
        plain = [
            lambda: le(self.real(), self.real()),
            lambda: eq(self.real(), self.real()),
            lambda: make("range", self.index(), self.index(), self.index()),
            lambda: eq(parameters(self.point()), self.operator()),
            lambda: le(norm(readout_weights(1, None)), norm(output(self.point(), INPUT))),
            lambda: kernel.in_ball(self.point(), self.point(), self.real(1)),
            lambda: descent_formula(self.point(), self.point()),
            lambda: fact("dense", self.index()),
        ]
        bound = [
            lambda: make(
                "forall", self.one_of("lk"), self.index(), self.index(), self.formula(less)
            ),
            lambda: make("ball", "*", self.point(), self.real(1), self.formula(less)),
            lambda: make("everywhere", "*", self.formula(less)),
            lambda: make("likely", self.one_of(LIKELY), self.formula(less)),
            lambda: make("after", "*", self.index(), self.point(), SAMPLES, self.formula(less)),
            lambda: make("for_part", self.index(), self.formula(less)),
        ]
        choices = plain + (bound if depth else [])
        return self.built(lambda: self.one_of(choices)(), fact("input"))

    def hypotheses(self):
        return [self.formula(1) for _ in range(self.one_of([0, 0, 1, 2]))]

    def put(self, formula, mapping):
        """The formula there, or as it was where that is refused."""
        return self.built(lambda: substitute(formula, mapping), formula)

    # -- what a rule is asked: its data, and premises that nearly fit -----------------------------

    def induction(self):
        name, high, claim = self.one_of("lk"), self.index(), self.formula()
        here = make("index", name, 0)
        before = self.put(claim, {here: make("index", name, -1)})
        known = [*self.hypotheses(), before, make("range", here, 1, high)]
        return (name, high), [(self.hypotheses(), self.put(claim, {here: 0})), (known, claim)]

    def sum_last(self):
        limits = self.one_of("lk"), self.index(), self.index()
        body = self.real(1)
        kind = self.one_of(["rsum", "rmax"])
        total = self.built(lambda: make(kind, *limits, body), make("rsum", "l", 1, 2, T))
        return (total, self.index()), []

    def range_intro(self):
        return (self.index(), self.index(), self.index()), []

    def forall_intro(self):
        name, low, claim = self.one_of("lk"), self.one_of([0, 1, 2]), self.formula()
        here = make("index", name, 0)
        first = low + self.one_of([0, 0, 1])
        cases = range(first, first + self.one_of([1, 2]))
        return (name, low, claim), [(self.hypotheses(), self.put(claim, {here: i})) for i in cases]

    def with_a_point(self):
        return (self.point(),), [(self.hypotheses(), self.formula())]

    everywhere_intro = everywhere_elim = ball_elim = with_a_point

    def with_an_index(self):
        return (self.index(),), [(self.hypotheses(), self.formula())]

    forall_elim = part_intro = with_an_index

    def range_back(self):
        return (), [(self.hypotheses(), make("range", self.index(), self.index(), self.index()))]

    def ball_intro(self):
        point, centre, radius = self.point(), self.point(), self.real(1)
        inside = kernel.in_ball(point, centre, radius)
        return (point, centre, radius), [([*self.hypotheses(), inside], self.formula())]

    def witness(self):
        point, value = self.point(), self.operator()
        chosen = eq(parameters(point), value)
        return (point, value), [([*self.hypotheses(), chosen], self.formula())]

    def archimedean(self):
        a, b, c, d = (self.real(1) for _ in range(4))
        claim = le(make("add", a, make("mul", T, b)), make("add", c, make("mul", T, d)))
        return (self.one_of([T, T, H]),), [(self.hypotheses(), claim)]

    def likely_intro(self):
        shares = [self.one_of(LIKELY) for _ in range(self.one_of([0, 1, 2]))]
        events = [self.formula(1) for _ in shares]
        spent = self.one_of([add(*shares), add(*shares), self.one_of(LIKELY)])
        budget = self.one_of([le, eq])(spent, self.one_of(LIKELY))
        fixed = le(norm(readout_weights(1, None)), make("sym", "x"))
        some = self.one_of([[], self.hypotheses(), [fixed]])
        likely = [
            (self.one_of([[], [], some]), make("likely", *e))
            for e in zip(shares, events, strict=True)
        ]
        return (), [([*events, *some], self.formula()), (self.one_of([[], some]), budget), *likely]

    def descent_start(self):
        centre, claim = self.point(), self.formula()
        premise = self.one_of([self.put(claim, {STAR: centre}), self.formula()])
        return (centre, self.one_of([SAMPLES, INPUT]), claim), [(self.hypotheses(), premise)]

    def descent_step(self):
        point, after, steps = self.point(), self.point(), self.index()
        start = self.one_of([P, Q, CENTRE])
        known = [self.formula(1) for _ in range(self.one_of([1, 2]))]
        used = [self.put(k, {STAR: point}) for k in known]
        given = [*used, descent_formula(point, after), *self.one_of([[], self.hypotheses()])]
        before = [([], make("after", "*", steps, start, SAMPLES, k)) for k in known]
        return (point, after), [(given, self.formula()), *before]

    def instance(self):
        values = {
            T: lambda: self.real(1),
            H: lambda: self.real(1),
            U: self.operator,
            P: self.point,
            CENTRE: self.point,
            make("index", "l", 0): self.index,
        }
        chosen = self.random.sample(list(values), self.one_of([1, 2]))
        data = tuple((v, values[v]()) for v in chosen)
        return (data,), [(self.hypotheses(), self.formula())]

    def template(self):
        derived = norm(make("jac", make("scale", H, output(P, INPUT)), P))
        template = self.one_of([mul(H, self.real(1)), self.real(2), derived])
        sides = self.one_of([eq, le])(self.real(1), self.real(1))
        return (template, (H,)), [(self.hypotheses(), sides)]

    congruence = monotone = template

    def spectral(self):
        bound, operator = self.real(1), make("dot", self.one_of([U, W]), make("T", W))
        left = norm(make("dot", make("T", U), self.one_of([make("id", PARAMS), operator]), W))
        claim = le(left, make("mul", bound, norm(U), norm(W)))
        return (U, W), [(self.hypotheses(), claim)]


CALLS = {  # where the kernel takes premises in another way than the replay
    "induction": lambda data, premises: kernel.induction(*data, *premises),
    "forall_intro": lambda data, premises: kernel.forall_intro(*data, premises),
    "likely_intro": lambda _, premises: kernel.likely_intro(*premises[:2], premises[2:]),
    "descent_step": lambda data, premises: kernel.descent_step(premises[0], *data, *premises[1:]),
    "instance": lambda data, premises: kernel.instance(*premises, dict(*data)),
    "congruence": lambda data, premises: kernel.congruence(data[0], {H: premises[0]}),
    "monotone": lambda data, premises: kernel.monotone(data[0], {H: premises[0]}),
}
RULES = sorted(
    {*CALLS, "sum_last", "range_intro", "range_back", "everywhere_intro", "everywhere_elim"}
    | {"ball_intro", "ball_elim", "forall_elim", "part_intro", "witness", "archimedean"}
    | {"descent_start", "spectral"}
)
SIMPLE = {"hypothesis", "lemma", "by_form", "at_most_by_form", "symmetry", "transitivity"}


def outcome(attempt):
    try:
        found = attempt()
    except REFUSED:
        return None
    return found.hypotheses, found.conclusion


def test_every_rule_that_quantifies_is_tried():
    assert {*RULES, *SIMPLE, "weaken", "cut"} == set(kernel.RULES)


@pytest.mark.parametrize("rule", RULES)
def test_kernel_and_replay_agree_on_random_steps(rule):
    draw, given = Draw(sum(map(ord, rule))), Counter()
    call = CALLS.get(rule, lambda data, premises: getattr(kernel, rule)(*premises, *data))
    for _ in range(400):
        try:
            data, premises = getattr(draw, rule)()
        except TermError:
            continue
        mine = outcome(lambda: call(data, [judged(c, *h) for h, c in premises]))  # noqa: B023
        sequents = [Sequent(frozenset(h), c) for h, c in premises]
        other = outcome(lambda: replay(rule, data, sequents))  # noqa: B023
        assert mine == other, (rule, data, premises)
        given[mine is not None] += 1
    assert given[True] >= 3
    assert given[False] >= 20
