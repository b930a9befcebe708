"""Assumptions about training and about whole balls, in words: name and text of each formula."""

from __future__ import annotations

from theory.terms import Term, subterms

NUMBERS = {
    ("le", "smoothness", "step_size"): ("step size", "the step size eta is at most 1/beta"),
    ("eq", "mu", "rate", "step_size"): ("rate", "kappa = 1 - eta mu, which is not negative"),
    ("eq", "mu", "mu_inverse"): ("positive kernel", "mu is positive"),
    ("eq", "slope_inverse", "slope_sup"): ("positive slope", "Gamma is positive"),
    ("le", "R", "mu_inverse"): (
        "radius",
        "the ball has a radius R of at least 2 |F0 - y|/sqrt(mu)",
    ),
}
ON_BALL = {
    "slope_sup": ("bounded slope", "the Jacobian of the outputs is at most Gamma on the ball"),
    "bend_sup": (
        "bounded curvature",
        "the Hessians of the outputs, weighted with the residuals, are at most B on the ball",
    ),
    "mu": ("positive kernel on the ball", "the least eigenvalue of K is at least mu on the ball"),
}
HALVED = ("halved residual", "the residual has fallen to half of what it was, at most")
STEP = ("gradient descent", "each point is one step of gradient descent after the one before")


def is_step(formula: Term) -> bool:
    """Whether a formula says what the parameters at a point are: a step from another."""
    return (
        formula.head == "eq" and formula.args[0].head == "op" and formula.args[0].args[0] == "theta"
    )


def condition(formula: Term) -> tuple[str, str] | None:
    """Name and words of an assumption of training; None for any other formula."""
    symbols = {t.args[0] for t in subterms(formula) if t.head == "sym"}
    if is_step(formula):
        return STEP
    if formula.head == "ball":
        found = [name for name in ON_BALL if name in symbols]
        return ON_BALL[found[0]] if len(found) == 1 else None
    if formula.head == "le" and not symbols and _speaks_of_labels(formula):
        return HALVED
    if formula.head in ("le", "eq"):
        return NUMBERS.get((formula.head, *sorted(symbols)))
    return None


def _speaks_of_labels(formula: Term) -> bool:
    return any(t.head == "op" and t.args[0] == "labels" for t in subterms(formula))


__all__ = ["condition", "is_step"]
