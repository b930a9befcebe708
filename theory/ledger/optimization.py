"""A11: a kernel that stays away from singular on a ball is enough for gradient descent.

Linearity is not needed: with the square loss, ``lambda_min(K) >= mu`` on a ball of radius
``2 |r_0|/sqrt(mu)`` gives PL*, a linear rate, and iterates that stay in the ball.

Source: Liu, Zhu and Belkin 2020, Section 5.
"""

from __future__ import annotations

from dataclasses import replace

import sympy

from theory.derive import training
from theory.derive.workbench import Claim
from theory.kernel import Judgement
from theory.lemmas import LARGEST
from theory.theorem import Theorem
from theory.theorems import LZB20, used
from theory.vocabulary import POINT, RADIUS

CITATION = f"{LZB20}, Section 5"
STEPS = 3
BALL = sympy.Symbol(RADIUS.args[0], nonnegative=True)
STEP_BY_STEP = (
    "Proved for each number of steps by going through them; every step rests on the one before "
    "only in that the sum of sqrt(mu) |theta - theta_0| and 2 |F - y| has not grown."
)

INDUCTION = (
    "Proved by induction on the number of steps: what is carried on is that sqrt(mu) |theta_t - "
    "theta_0| + 2 |F - y| is at most 2 |F0 - y|, which also keeps the iterates in the ball.",
)


def _steps(steps: int) -> int:
    if type(steps) is not int or steps < 1:
        msg = f"steps {steps!r}: needs an integer of at least 1, the number of gradient steps"
        raise ValueError(msg)
    return steps


def _theorem(
    name: str, title: str, judgement: Judgement, d: training.Training, quantity: str = ""
) -> Theorem:
    definitions, claims = used(judgement, d)
    return Theorem(
        name,
        title,
        judgement,
        CITATION,
        "LZB20",
        tuple(definitions),
        tuple(claims),
        radius=BALL,
        quantity=quantity,
        remarks=(STEP_BY_STEP,),
    )


def rate(steps: int = STEPS) -> Theorem:
    """``L(theta_T) <= (1 - eta mu)^T L(theta_0)`` after T steps of size eta <= 1/beta.

    Args:
        steps: how many steps.

    Raises:
        ValueError: when that is not a positive integer.
    """
    d = training.Training()
    judgement, _, _ = training.descend(_steps(steps), d)
    title = "gradient descent converges exponentially where the kernel is positive"
    return _theorem("LZB20/A11", title, judgement, d, "loss")


def radius(steps: int = STEPS) -> Theorem:
    """``sqrt(mu) |theta_T - theta_0| + 2 |r_T| <= 2 |r_0|``: how far T steps go.

    Args:
        steps: how many steps.

    Raises:
        ValueError: when that is not a positive integer.
    """
    d = training.Training()
    _, judgement, _ = training.descend(_steps(steps), d)
    title = "the way that gradient descent goes is paid for by the residual"
    return _theorem("LZB20/A11-radius", title, judgement, d, "distance")


def any_number() -> Theorem:
    """``L(theta_t) <= (1 - eta mu)^t L(theta_0)`` after t steps, for every t up to a symbolic T."""
    d = training.Training()
    judgement = training.descend_forever(d).rate
    title = "gradient descent converges exponentially, for any number of steps"
    return replace(_theorem("LZB20/A11-induction", title, judgement, d, "loss"), remarks=INDUCTION)


def way() -> Theorem:
    """``|theta_t - theta_0| <= 2 |r_0| / sqrt(mu)`` after t steps, for all t up to any T."""
    d = training.Training()
    judgement = training.descend_forever(d).distance
    title = "gradient descent stays in the ball, for any number of steps"
    found = _theorem("LZB20/A11-distance", title, judgement, d, "distance")
    return replace(found, remarks=INDUCTION)


def step() -> Theorem:
    """``sqrt(mu) |theta - theta_0| + 2 |r|`` does not grow in a step between any two points."""
    d = training.Training()
    judgement = training.one_step(training.iterate(1), training.iterate(2), d)
    definitions, claims = used(judgement, d)
    return Theorem(
        "LZB20/A11-step",
        "what a gradient step moves is paid for by the residual",
        judgement,
        CITATION,
        "LZB20",
        tuple(definitions),
        tuple(claims),
        radius=BALL,
        remarks=(
            "The step of the induction behind A11: theta_1 and theta_2 are any two points of the "
            "ball, the second one gradient step after the first.",
        ),
    )


def polyak_lojasiewicz() -> Theorem:
    """PL*: ``2 mu L <= |grad L|^2`` at every point of the ball."""
    judgement = training.polyak_loss(POINT)
    return Theorem(
        "LZB20/A11-PL",
        "the square loss satisfies PL* where the kernel is positive",
        judgement,
        CITATION,
        "LZB20",
        claims=(Claim("PL", "PL*", judgement),),
        radius=BALL,
    )


def smoothness(samples: int = 2) -> Theorem:
    """``|J'J + sum_i r_i H_i| <= |J|^2 + sqrt(n) |r| max_i |H_i|``: what beta comes from.

    Args:
        samples: the number n of inputs in the training set, from 1 to 400.

    Raises:
        ValueError: when it is another number.
    """
    if type(samples) is not int or not 1 <= samples <= LARGEST:
        msg = f"samples is {samples!r}; give the number of inputs, from 1 to {LARGEST}"
        raise ValueError(msg)
    judgement = training.loss_hessian_bound(samples, POINT)
    return Theorem(
        "LZB20/A11-smoothness",
        "the Hessian of the square loss, by slopes, residual and Hessians of the outputs",
        judgement,
        CITATION,
        "LZB20",
        claims=(Claim("smoothness", "the Hessian of the loss", judgement),),
    )


def nonlinear_output() -> Theorem:
    """``rho^2 lambda_min(K) <= lambda_min(K~)`` for phi(f), rho = min |phi'(f)| on the samples."""
    judgement = training.outer_kernel(POINT)
    return Theorem(
        "LZB20/A11-outer",
        "a non-linear output keeps the kernel positive, with rho^2 mu in place of mu",
        judgement,
        CITATION,
        "LZB20",
        claims=(Claim("outer", "the kernel behind a non-linear output", judgement),),
        remarks=(
            "So A11 holds for phi(f), |phi'| at least rho on the ball, with rho^2 mu in place of "
            "mu, although its kernel moves by a constant amount.",
        ),
    )
