"""Every line of a proof, evaluated on a concrete network.

:func:`evaluate` gives the number that a real term has, the linear map that an operator term is, and
for a formula whether it holds: an inequality or an equation as a :class:`Comparison` of its two
sides, judged by the rounding error of those two numbers.

A statement about all points of a ball is tried at sample points only: passing is necessary for it
to be true, never sufficient.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from proofs_check.measuring.environment import Environment, EvaluationError
from proofs_check.measuring.meaning import operator, real
from proofs_check.measuring.operators import Operator
from proofs_check.measuring.precise import evaluate_real
from proofs_check.measuring.rounding import Measured
from theory.activations import ActivationError
from theory.terms import Term, make, substitute
from theory.vocabulary import CENTRE

FORMED = 1 << 12  # entries up to which two operators are compared entry by entry
UNDERFLOW = 2.0**-500  # numbers below it vanish when they are squared, as norms square them


@dataclass(frozen=True)
class Comparison:
    """Two sides of a formula, measured.

    Attributes:
        relation: ``le`` or ``eq``.
        left: the left side; for operators its spectral or Frobenius size.
        right: the right side.
        gap: by how much the formula fails: ``left - right``, or the norm of the difference.
        tolerance: how much of that rounding may account for.
    """

    relation: str
    left: float
    right: float
    gap: float
    tolerance: float

    @property
    def slack(self) -> float:
        """``right - left`` for an inequality, minus the distance for an equation."""
        return -self.gap

    @property
    def ratio(self) -> float:
        """``left / right``; 1 where both are zero."""
        if self.right == 0.0:
            return 1.0 if self.left == 0.0 else math.inf
        return self.left / self.right

    @property
    def relative_slack(self) -> float:
        """The slack over the larger side; 0 where both are zero."""
        scale = max(abs(self.left), abs(self.right))
        return self.slack / scale if scale else self.slack

    @property
    def holds(self) -> bool:
        """Whether the formula holds up to rounding; a side that is not a number holds nothing."""
        return self.gap <= self.tolerance

    def __bool__(self) -> bool:
        """Whether it holds."""
        return self.holds


def evaluate(term: Term, env: Environment) -> float | Operator | Comparison | bool:
    """The measurement of a term.

    Args:
        term: any term of :mod:`theory.terms` whose free symbols the environment knows.
        env: the network, its points and inputs, and the values of all other symbols.

    Returns:
        A number for a real, an :class:`~proofs_check.measuring.operators.Operator` for an
        operator, a :class:`Comparison` for ``le``, ``eq`` and for statements about them (the
        tightest case of ``forall`` and ``ball``), True or False for facts about the network and
        ranges of indices.

    Raises:
        EvaluationError: a symbol has no value here; the message says what to give.
    """
    term = _grounded(term, env)
    with _arithmetic():
        if term.sort == "real":
            return real(term, env).value
        if term.sort == "op":
            return operator(term, env)
        if term.sort == "formula":
            return _formula(term, env)
    msg = f"{term} is of sort {term.sort}; reals, operators and formulas have measurements"
    raise EvaluationError(msg)


def measure(term: Term, env: Environment) -> Measured:
    """The value of a real term together with its rounding error."""
    with _arithmetic():
        return real(_grounded(term, env), env)


@contextmanager
def _arithmetic() -> Iterator[None]:
    """One thread for BLAS, which otherwise waits for the threads of XLA; no warnings.

    What overflows is seen in the result.
    """
    with _threads().limit(limits=1, user_api="blas"), np.errstate(all="ignore"):
        yield


@cache
def _threads() -> ThreadpoolController:
    """Made once the libraries are loaded: looking them up takes a while."""
    return ThreadpoolController()


def _grounded(term: Term, env: Environment) -> Term:
    """Free layer indices replaced by their values."""
    free = [v for v in term.free if v.head == "index"]
    missing = [v.args[0] for v in free if v.args[0] not in env.indices]
    if missing:
        msg = f"the index {missing[0]!r} has no value; give indices={{{missing[0]!r}: integer}}"
        raise EvaluationError(msg)
    return substitute(term, {v: env.indices[v.args[0]] for v in free}) if free else term


def _formula(term: Term, env: Environment) -> Comparison | bool:
    found: Comparison | bool | None = env.recall(term)
    if found is None:
        found = _evaluated(term, env)
        env.keep(term, found)
    return found


def _evaluated(term: Term, env: Environment) -> Comparison | bool:
    args = term.args
    match term.head:
        case "le":
            return _compared("le", real(args[0], env), real(args[1], env))
        case "eq" if args[0].sort == "real":
            return _compared("eq", real(args[0], env), real(args[1], env))
        case "eq":
            return _compared_maps(operator(args[0], env), operator(args[1], env), env.seed)
        case "fact":
            return fact(term, env)
        case "range":
            return bool(args[1] <= args[0] <= args[2])
        case "for_part":
            return _formula(args[1], env.part(args[0]))
        case "likely":  # on this one draw of the weights; it may fail, now and then
            return _formula(args[1], env)
    return _tightest(_formula(case, env) for case in cases(term, env))


def _compared(relation: str, left: Measured, right: Measured) -> Comparison:
    gap = 0.0 if left.value == right.value else left.value - right.value  # also if both are inf
    if relation == "eq":
        gap = abs(gap)
    tolerance = left.error + right.error + UNDERFLOW
    return Comparison(relation, left.value, right.value, gap, tolerance)


def _compared_maps(left: Operator, right: Operator, seed: int) -> Comparison:
    """Entry by entry when both are small, else by their action on a random unit vector.

    Two different maps agree on a Gaussian vector with probability zero.
    """
    rows, cols = left.shape
    if left.array is not None and right.array is not None and rows * cols <= FORMED:
        probe = np.eye(cols)
    else:
        probe = np.random.default_rng(seed).standard_normal((cols, 1))
        probe /= np.linalg.norm(probe)
    images = left @ probe, right @ probe
    first, second = (float(np.linalg.norm(i)) for i in images)
    gap = float(np.linalg.norm(images[0] - images[1]))
    spread = math.sqrt(min(rows, probe.shape[1]))
    return Comparison("eq", first, second, gap, (left.error + right.error) * spread + UNDERFLOW)


def cases(term: Term, env: Environment) -> list[Term]:
    """The instances at which a ``forall``, a ``ball`` or an ``everywhere`` is tried here.

    After some steps of gradient descent: at the point theta<number> of the environment.
    For a ball: at its centre and at all points known to the environment within its radius;
    everywhere: at all points known to the environment.
    """
    if term.head == "ball":
        return _on_ball(term, env)
    if term.head == "everywhere":
        points = [make("point", name) for name in env.named]
        return [substitute(term.args[1], {make("point", "*"): p}) for p in points]
    if term.head == "after":
        return [_on_path(term, env)]
    name, low, high, formula = term.args
    if type(low) is not int or type(high) is not int:
        msg = f"the limits of {term} have no value; give indices={{name: integer}}"
        raise EvaluationError(msg)
    variable = make("index", name, 0)
    return [substitute(formula, {variable: i}) for i in range(low, high + 1)]


def _on_path(term: Term, env: Environment) -> Term:
    """What is said of the point that so many gradient steps lead to, at that point."""
    _, steps, centre, _, formula = term.args
    name = f"theta{steps}"
    if centre is not CENTRE or name not in env.named:
        msg = f"the path of {steps} steps from {centre.args[0]} is not known here; needs {name!r}"
        raise EvaluationError(msg)
    return substitute(formula, {make("point", "*"): make("point", name)})


def _on_ball(term: Term, env: Environment) -> list[Term]:
    _, centre, radius, formula = term.args
    reach = real(radius, env)
    middle = env.theta(centre.args[0])
    points = []
    for name in env.named:
        distance = float(np.linalg.norm(env.theta(name) - middle))
        if name == centre.args[0] or distance <= reach.value:
            points.append(make("point", name))
    return [substitute(formula, {make("point", "*"): p}) for p in points]


def _tightest(results: Iterable[Comparison | bool]) -> Comparison | bool:
    """The case that fails, or else the one with the least relative slack."""
    comparisons = []
    for result in results:
        if not result:
            return result
        if isinstance(result, Comparison):
            comparisons.append(result)
    return min(comparisons, key=lambda c: c.relative_slack) if comparisons else True


# -- facts about the network ----------------------------------------------------------------------


def fact(term: Term, env: Environment) -> bool:
    """Whether a named hypothesis holds of the network.

    Raises:
        EvaluationError: no measurement of that hypothesis is known.
    """
    own = env.own_fact(term)
    if own is not None:
        return own
    name, *tags = term.args
    arch = env.arch
    kind = "trained" if arch.trained else "fixed"
    match name, tags:
        case "smooth", [int(layer)] if layer == arch.depth + 1:
            return env.outer is not None
        case (("dense" | "general" | "pointwise" | "smooth"), [int(layer)]):
            return 1 <= layer <= arch.depth
        case "bounded", [int(layer), int(order)]:
            return 1 <= layer <= arch.depth and _bounded(env, layer, order)
        case "parameters", [int(depth), str(readout)]:
            return depth == arch.depth and readout == kind
        case "readout", [str(readout), int(layer)]:
            return layer == arch.depth and readout == kind
        case "samples", [Term() as whole, *inputs]:
            return _consists_of(whole, inputs, env)
        case "input", []:
            return True
        case "gaussian", [int(depth), str(law)]:
            return depth == arch.depth and _law(env) == law
        case "twice_differentiable", [Term()]:
            return True
    msg = f"no measurement of the hypothesis {term} is known"
    raise EvaluationError(msg)


def _law(env: Environment) -> str:
    """How the readout was drawn."""
    return "" if env.model is None else str(env.model.net.readout.init)


def _consists_of(whole: Term, inputs: list[Term], env: Environment) -> bool:
    """Whether the inputs of a training set are these, in this order."""
    rows = np.asarray(env.inputs.get(whole.args[0], ()), dtype=np.float64)
    given = [env.input(i.args[0]) for i in inputs]
    return rows.ndim == 2 and len(rows) == len(given) and bool(np.array_equal(rows, given))


def _bounded(env: Environment, layer: int, order: int) -> bool:
    try:
        env.activation(layer).sup(order)
    except ActivationError:
        return False
    return True


__all__ = [
    "Comparison",
    "Environment",
    "EvaluationError",
    "cases",
    "evaluate",
    "evaluate_real",
    "measure",
]
