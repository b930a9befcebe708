"""A violation, measured a second time and more sharply before anybody hears of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import numpy as np

from numerics.hessian import hessian_norm
from numerics.lowrank import dimension
from numerics.models import Model
from numerics.spectral import SpectralError
from proofs_check.measuring import precise
from proofs_check.verification.architectures import environment, sizes_of
from proofs_check.verification.judging import Check, compare
from proofs_check.verification.ledger import Line
from proofs_check.verification.statements import Sides, Statement, is_statistic, leaves, right_side
from proofs_check.verification.trials import CENTRE, Trial
from theory.activations import ActivationError, UnboundedDerivativeError
from theory.evaluation import definitions_of
from theory.terms import Term, make, norm, subterms
from theory.vocabulary import CENTRE as VOCABULARY_CENTRE
from theory.vocabulary import RADIUS, gradient

LARGEST_PRECISE = 40  # parameters up to which many digits take seconds, not minutes
_ORDERS = {"lambda": 1, "beta": 2, "gamma": 3}  # of the derivative that a constant bounds
LARGEST_DENSE = 4_000  # coordinates up to which all eigenvalues are taken for a second look


@dataclass(frozen=True)
class Counterexample:
    """A network on which a statement, or a line of its proof, is false.

    Attributes:
        statement: name of the statement.
        line: label and title of the false line; empty when the statement itself is what is false.
        network: the description, as TOML.
        widths: m_0, ..., m_L.
        seed: of the weights; ``numerics.instantiate(network, seed=seed)`` gives them.
        x: the input.
        z: the other input, where the statement is about two.
        radius: of the ball; None for none.
        place: where in the ball.
        relation: the relation that fails, ``le`` or ``eq``.
        measured: left side, enclosed.
        bound: right side, enclosed.
        method: how both were measured for the second time.
        confirmed: whether the second measurement says the same.
    """

    statement: str
    line: str
    network: str
    widths: tuple[int, ...]
    seed: int
    x: tuple[float, ...]
    z: tuple[float, ...]
    radius: float | None
    place: str
    relation: str
    measured: Sides
    bound: Sides
    method: str
    confirmed: bool

    def __str__(self) -> str:
        """The counterexample, readable and complete."""
        if not self.network:
            return self._of_family()
        shape = "-".join(map(str, self.widths))
        sign = "<=" if self.relation == "le" else "="
        what = f"{self.statement}, {self.line}" if self.line else self.statement
        inputs = f"x = {short(self.x)}" + (f", z = {short(self.z)}" if self.z != self.x else "")
        ball = "" if self.radius is None else f", radius {self.radius:g} ({self.place})"
        verb = "fails" if self.confirmed else "seems to fail"
        return "\n".join(
            [
                f"{what} {verb}: {self.measured.value:.6g} {sign} {self.bound.value:.6g} is false",
                f"  network of widths {shape}, seed {self.seed}, {inputs}{ball}",
                f"  {layers_in_words(self.network)}",
                f"  left side in [{self.measured.lower:.10g}, {self.measured.upper:.10g}], "
                f"right side in [{self.bound.lower:.10g}, {self.bound.upper:.10g}]; {self.method}",
            ]
        )

    def _of_family(self) -> str:
        """A counterexample from a family of the ledger: a width and a seed say which it is."""
        sign = {"le": "<=", "ge": ">=", "eq": "="}[self.relation]
        verb = "fails" if self.confirmed else "seems to fail"
        return "\n".join(
            [
                f"{self.statement} {verb}: {self.measured.value:.6g} {sign} "
                f"{self.bound.value:.6g} is false",
                f"  width {self.widths[0]}, seed {self.seed}: {self.method}",
            ]
        )


def short(vector: tuple[float, ...], limit: int = 8) -> str:
    """The first entries of a vector."""
    shown = ", ".join(f"{v:g}" for v in vector[:limit])
    return f"({shown}, ... {len(vector)} entries)" if len(vector) > limit else f"({shown})"


def layers_in_words(toml: str) -> str:
    """The layers of a network file in one line."""
    from theory.networks import Network

    return repr(Network.from_toml(toml))


def of_statement(statement: Statement, trial: Trial, check: Check) -> Counterexample:
    """Measure a violated statement again, more sharply.

    Small networks are evaluated with many digits; for the others all eigenvalues are taken where
    they fit, and the bound comes from the evaluator of proof lines, which follows every rounding.
    """
    measured, bound, method = _again(statement, trial, check)
    found = of_measured(statement, trial, replace(check, measured=measured, bound=bound))
    return replace(found, method=method)


def of_measured(statement: Statement, trial: Trial, check: Check) -> Counterexample:
    """A violated statement with both sides as they were measured."""
    outcome, _ = compare(check.relation, check.measured, check.bound)
    return Counterexample(
        statement.name,
        "",
        trial.model.net.to_toml(),
        sizes_of(trial.model),
        trial.model.seed,
        _tuple(trial.x),
        _tuple(trial.z),
        trial.radius,
        check.place,
        check.relation,
        check.measured,
        check.bound,
        "measured once",
        outcome == "violated",
    )


def of_line(line: Line, trial: Trial) -> Counterexample:
    """A false line of a proof: its sides came with the rounding errors of all their operations."""
    half = line.tolerance / 2
    return Counterexample(
        line.theorem,
        f"{line.label}: {line.title}",
        trial.model.net.to_toml(),
        sizes_of(trial.model),
        trial.model.seed,
        _tuple(trial.x),
        _tuple(trial.z),
        trial.radius,
        "",
        line.relation,
        Sides.around(line.left, half),
        Sides.around(line.right, half),
        "evaluated with running error analysis",
        True,
    )


# -- many digits ----------------------------------------------------------------------------------


def _precisely(statement: Statement, trial: Trial, check: Check) -> tuple[Sides, Sides, str]:
    """Both sides with 50 digits, from the parameters as they are."""
    model, x, z = trial.model, trial.x, trial.z
    centre = precise.measure(model, x)
    here = {"x": centre, "z": centre if np.array_equal(x, z) else precise.measure(model, z)}
    params = model.params if check.place == CENTRE else trial.points[check.place]
    match check.quantity:
        case "kernel_change":
            value = precise.kernel_change(model, x, z, params)
        case "linearization_gap":
            value = precise.linearization_gap(model, x, params)
        case quantity if params is model.params:
            value = centre[quantity]
        case quantity:
            value = precise.measure(model, x, params)[quantity]
    reach = trial.radius
    if reach is not None:
        reach = max(precise.distance(model, params), reach)  # a float may lie outside by an ulp
    bound = _precise_bound(statement, trial, here, reach)
    sides = _rounded_apart(value, bound)
    return *sides, f"both sides with {precise.PRECISION} digits"


def _precise_bound(
    statement: Statement, trial: Trial, here: Mapping[str, precise.Precise], radius: Any
) -> Any:
    right = right_side(statement)
    if not isinstance(right, Term):
        extra = {} if radius is None else {"R": radius}
        return right({**trial.statistics["x"], **here["x"], **extra})
    table = definitions_of(statement.definitions)
    values: dict[Term, Any] = {}
    for term in leaves(right, table):
        values[term] = _precise_leaf(term, trial, here, radius)
    return precise.evaluate_real(right, values, definitions=statement.definitions)


def _precise_leaf(
    term: Term, trial: Trial, here: Mapping[str, precise.Precise], radius: Any
) -> Any:
    at = next((t.args[0] for t in subterms(term) if t.head == "input"), "x")
    if term is RADIUS:
        return radius
    if term.head == "dim":
        return here[at]["m", term.args[0].args[0]]
    if term.head == "sym" and term.args[0] in _ORDERS:
        function = trial.model.net.activations[term.args[1] - 1]
        upper = function.sup(_ORDERS[term.args[0]]).upper
        return mpmath.mpf(int(upper.numerator)) / int(upper.denominator)
    if is_statistic(term):
        return here[at][term.args[0], term.args[1]]
    if term is norm(gradient(VOCABULARY_CENTRE, make("input", at))):
        return here[at]["gradient_norm"]
    return _precise_norm(term, here[at])


def _precise_norm(term: Term, here: precise.Precise) -> Any:
    """The norms that A4 speaks of, from the statistics that they are multiples of."""
    inner = term.args[1] if term.head == "norm" else term
    if inner.head == "op" and inner.args[0] == "alpha":
        layer = inner.args[3]
        return here["a", layer] * mpmath.sqrt(here["m", layer])
    if inner.head == "dot" and term.args[0] == "inf":
        return here["c", 1] * mpmath.sqrt(here["m", 1])
    msg = f"{term} has no value in high precision"
    raise ValueError(msg)


def _rounded_apart(value: Any, bound: Any) -> tuple[Sides, Sides]:
    """Both as floats that compare as the long numbers do, which are right to 40 digits."""
    resolution = mpmath.mpf(10) ** (10 - precise.PRECISION) * max(abs(value), abs(bound))
    left, right = float(value), float(bound)
    if abs(value - bound) <= resolution:
        return Sides.exactly(right), Sides.exactly(right)
    if left == right:
        right = math.nextafter(left, math.inf if value < bound else -math.inf)
    return Sides.exactly(left), Sides.exactly(right)


def _tuple(vector: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in vector)


def _again(statement: Statement, trial: Trial, check: Check) -> tuple[Sides, Sides, str]:
    if isinstance(trial.model, Model) and trial.model.num_params <= LARGEST_PRECISE:
        try:
            with mpmath.workdps(precise.GUARD * precise.PRECISION):
                return _precisely(statement, trial, check)
        except (ArithmeticError, ActivationError, UnboundedDerivativeError, ValueError):
            pass  # a function that has no value in high precision, say
    measured, how = _measured_again(trial, check)
    right = right_side(statement)
    if not isinstance(right, Term):
        return measured, check.bound, f"{how}; the bound as before"
    found = _bound_again(statement, right, trial)
    return measured, found, f"{how}; the bound with running error analysis"


def _bound_again(statement: Statement, right: Term, trial: Trial) -> Sides:
    from proofs_check.measuring.evaluate import measure

    reals: dict[str | Term, float] = {} if trial.radius is None else {"R": trial.radius}
    env = environment(
        trial.model,
        inputs={"x": trial.x, "z": trial.z},
        reals=reals,
        definitions=statement.definitions,
    )
    found = measure(right, env)
    return Sides.around(found.value, found.error)


def _measured_again(trial: Trial, check: Check) -> tuple[Sides, str]:
    if not isinstance(trial.model, Model):
        return check.measured, "measured once"
    size = dimension(trial.model.widths, trial.model.trained_readout)
    if check.quantity != "hessian_norm" or size > LARGEST_DENSE:
        return check.measured, "measured once"
    params = trial.model.params if check.place == CENTRE else trial.points[check.place]
    try:
        norm = hessian_norm(trial.model, trial.x, params, method="dense")
    except SpectralError:
        return check.measured, "measured once"
    return Sides(norm.lower, norm.value, norm.upper), f"all {norm.dimension} eigenvalues again"
