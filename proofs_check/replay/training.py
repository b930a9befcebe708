"""Which assumptions about training are of a known kind: written out here, once more.

Step size, rate, radius and the sign of mu are relations between numbers that no network decides;
three statements bound a quantity of the training set on the ball; and a step of gradient descent
says where the next point is.
"""

from __future__ import annotations

from fractions import Fraction

from proofs_check.replay.binding import STAR, free
from theory.terms import PARAMS, SCALAR, Term, make

SET = make("input", "X")
SPACE = make("space", "samples")
ONE = make("rat", Fraction(1))
TWO = make("rat", Fraction(2))
R, ETA, MU, INVERSE, RATE, BETA, SLOPE, BEND, SLOPE_INVERSE = (
    make("sym", name)
    for name in (
        "R",
        "step_size",
        "mu",
        "mu_inverse",
        "rate",
        "smoothness",
        "slope_sup",
        "bend_sup",
        "slope_inverse",
    )
)


def _outputs(point: Term) -> Term:
    return make("op", "F", SPACE, SCALAR, point, SET)


def _residual(point: Term) -> Term:
    labels = make("op", "labels", SPACE, SCALAR, SET)
    return make("plus", _outputs(point), make("neg", labels))


def _row(point: Term) -> Term:
    return make("jac", _outputs(point), point)


def _size(term: Term, kind: str = "2") -> Term:
    return make("norm", kind, term)


def is_number(formula: Term) -> bool:
    """A condition on step size, rate, mu or radius, all of it written as it must be."""
    known = {
        make("le", make("mul", ETA, BETA), ONE),
        make("eq", make("add", RATE, make("mul", ETA, MU)), ONE),
        make("eq", make("mul", MU, INVERSE), ONE),
        make("eq", make("mul", SLOPE, SLOPE_INVERSE), ONE),
    }
    points = [v for v in free(formula) if v.head == "point" and v is not STAR]
    if len(points) == 2:  # the residual at one has fallen to half of that at the other
        half = make("rat", Fraction(1, 2))
        for here, there in (points, points[::-1]):
            sizes = [_size(_residual(p)) for p in (here, there)]
            known.add(make("le", sizes[0], make("mul", half, sizes[1])))
    centres = [v for v in free(formula) if v.head == "point"]
    if len(centres) == 1:
        reach = make("mul", TWO, _size(_residual(centres[0])), make("pow", INVERSE, Fraction(1, 2)))
        known.add(make("le", reach, R))
    return formula in known


def is_bound(formula: Term) -> bool:
    """``|J| <= Gamma``, ``|sum_i r_i H_i| <= B`` or ``mu <= lambda_min(K)``, at the bound point."""
    row = _row(STAR)
    bend = make("hess", _residual(STAR), _outputs(STAR), STAR)
    kernel = make("dot", row, make("T", row))
    return formula in (
        make("le", _size(row), SLOPE),
        make("le", _size(bend), BEND),
        make("le", MU, _size(kernel, "min")),
    )


def is_step(formula: Term) -> bool:
    """``theta(q) = theta(p) - eta J'(F - y)(p)`` for two different points."""
    points = [v for v in free(formula) if v.head == "point" and v is not STAR]
    if formula.head != "eq" or len(points) != 2 or free(formula) - {*points, SET}:
        return False
    return any(formula is _step(p, q) for p, q in (points, points[::-1]))


def _step(point: Term, after: Term) -> Term:
    here, there = (make("op", "theta", PARAMS, SCALAR, p) for p in (point, after))
    slope = make("dot", make("T", _row(point)), _residual(point))
    return make("eq", there, make("plus", here, make("neg", make("scale", ETA, slope))))


__all__ = ["is_bound", "is_number", "is_step"]
