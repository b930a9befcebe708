"""The rules of the kernel about points of parameter space, once more: balls, paths, sub-models.

Like :mod:`proofs_check.replay.rules`, which knows them by name, the replayer's own reading.
"""

from __future__ import annotations

from typing import Any

from proofs_check.replay.binding import STAR, mentions, moved, postorder, put
from proofs_check.replay.sequents import Given, Sequent, all_hypotheses, need
from theory.terms import PARAMS, SCALAR, Term, make

# -- balls of parameters --------------------------------------------------------------------------


def _inside(point: Term, centre: Term, radius: Term) -> Term:
    here, there = (make("op", "theta", PARAMS, SCALAR, p) for p in (point, centre))
    return make("le", make("norm", "2", make("plus", here, make("neg", there))), radius)


def ball_intro(premises: Given, point: Term, centre: Term, radius: Term) -> Sequent:
    """What holds at a point of which no more is known than that it lies in the ball."""
    (premise,) = premises
    need(point not in (centre, STAR) and centre is not STAR, "{} is not arbitrary", point)
    need(not mentions(radius, point), "the radius mentions {}", point)
    rest = premise.hypotheses - {_inside(point, centre, radius)}
    for formula in (premise.conclusion, radius, *premise.hypotheses):
        need(not mentions(formula, STAR), "{} has the bound point free", formula)
    for formula in rest:
        need(not mentions(formula, point), "hypothesis {} mentions the point", formula)
    return Sequent(rest, make("ball", "*", centre, radius, put(premise.conclusion, {point: STAR})))


def ball_elim(premises: Given, point: Term) -> Sequent:
    """At a point that lies in the ball."""
    formula = premises[0].conclusion
    need(formula.head == "ball", "needs a statement on a ball, was given {}", formula)
    _, centre, radius, inner = formula.args
    hypotheses = premises[0].hypotheses | {_inside(point, centre, radius)}
    return Sequent(hypotheses, put(inner, {STAR: point}))


# -- all of parameter space -----------------------------------------------------------------------


def everywhere_intro(premises: Given, point: Term) -> Sequent:
    """What holds at a point of which nothing is known."""
    (premise,) = premises
    need(point is not STAR, "{} is not arbitrary", point)
    for formula in (premise.conclusion, *premise.hypotheses):
        need(not mentions(formula, STAR), "{} has the bound point free", formula)
    for formula in premise.hypotheses:
        need(not mentions(formula, point), "hypothesis {} mentions the point", formula)
    inner = put(premise.conclusion, {point: STAR})
    return Sequent(premise.hypotheses, make("everywhere", "*", inner))


def everywhere_elim(premises: Given, point: Term) -> Sequent:
    """At any point."""
    formula = premises[0].conclusion
    need(formula.head == "everywhere", "needs a statement about all points, not {}", formula)
    return Sequent(premises[0].hypotheses, put(formula.args[1], {STAR: point}))


def witness(premises: Given, point: Term, value: Term) -> Sequent:
    """A point at which the parameters are a given vector exists, whatever the vector."""
    (premise,) = premises
    here = make("op", "theta", PARAMS, SCALAR, point)
    rest = premise.hypotheses - {make("eq", here, value)}
    need(point is not STAR and not mentions(value, STAR), "{} is not a free point", point)
    for formula in (premise.conclusion, value, *rest):
        need(not mentions(formula, point), "{} mentions the point that is chosen", formula)
    return Sequent(rest, premise.conclusion)


# -- sub-models -----------------------------------------------------------------------------------

_ABOUT_ONE_MODEL = ("var", "ball", "everywhere", "after", "likely", "for_part")


def part_intro(premises: Given, index: Any) -> Sequent:
    """A statement about any model whatever, read of one that is part of another."""
    (premise,) = premises
    for formula in (premise.conclusion, *premise.hypotheses):
        need(not mentions(formula, STAR), "{} has the bound point free", formula)
        for node in postorder(formula):
            need(node.head not in _ABOUT_ONE_MODEL, "{} is not about one model alone", node)
    hypotheses = frozenset(make("for_part", index, h) for h in premise.hypotheses)
    return Sequent(hypotheses, make("for_part", index, premise.conclusion))


# -- gradient descent -----------------------------------------------------------------------------


def descent_start(premises: Given, centre: Term, at: Term, formula: Term) -> Sequent:
    """Nothing has moved yet: what holds at the start holds of the path's first point."""
    (premise,) = premises
    for known in (premise.conclusion, *premise.hypotheses):
        need(not mentions(known, STAR), "{} has the bound point free", known)
    here = put(formula, {STAR: centre})
    need(here is premise.conclusion, "{} is not {}", premise.conclusion, here)
    return Sequent(premise.hypotheses, make("after", "*", 0, centre, at, formula))


def descent_step(premises: Given, point: Term, after: Term) -> Sequent:
    """The path's next point is one step after this one, and nothing else was used of either."""
    main, *others = premises
    need(len(others) > 0, "needs what is known of the path before the step")
    known = others[0].conclusion
    need(known.head == "after", "{} is not about a path", known)
    _, steps, centre, at, _ = known.args
    names = {point, after, centre, STAR}
    need(len(names) == 4, "{} and {} are not two arbitrary points", point, after)
    arrived = make("op", "theta", PARAMS, SCALAR, after)
    used = {make("eq", arrived, _gradient_step(point, at))}
    for other in others:
        stated = other.conclusion
        same = stated.head == "after" and stated.args[1:4] == known.args[1:4]
        need(same, "{} is about another path or another step of it", stated)
        for variable in (point, after):
            need(not mentions(stated, variable), "{} mentions {}", stated, variable)
        used.add(put(stated.args[4], {STAR: point}))
    rest = main.hypotheses - used
    for formula in rest:
        for variable in (point, after, STAR):
            need(not mentions(formula, variable), "hypothesis {} mentions {}", formula, variable)
    for variable in (point, STAR):
        need(not mentions(main.conclusion, variable), "{} mentions {}", main.conclusion, variable)
    inner = put(main.conclusion, {after: STAR})
    conclusion = make("after", "*", moved(steps, 1), centre, at, inner)
    return Sequent(rest | all_hypotheses(others), conclusion)


def _gradient_step(point: Term, at: Term) -> Term:
    """``theta - eta J'(F - y)``, all of it at the point, on the training set."""
    space = make("space", "samples")
    outputs = make("op", "F", space, SCALAR, point, at)
    labels = make("op", "labels", space, SCALAR, at)
    slope = make(
        "dot", make("T", make("jac", outputs, point)), make("plus", outputs, make("neg", labels))
    )
    here = make("op", "theta", PARAMS, SCALAR, point)
    return make("plus", here, make("neg", make("scale", make("sym", "step_size"), slope)))


__all__ = [
    "ball_elim",
    "ball_intro",
    "descent_start",
    "descent_step",
    "everywhere_elim",
    "everywhere_intro",
    "part_intro",
    "witness",
]
