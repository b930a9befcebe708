"""Fitted exponents, each against the order that its own theorem predicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np

from numerics.scaling import ExponentFit, ScalingError, fit_exponent
from proofs_check.verification.judging import Check
from proofs_check.verification.report import Fit, Row
from proofs_check.verification.statements import Prediction, Statement, predicted_order
from theory.theorem import Theorem

CONFIDENCE = 0.95
GRADIENT_SLACK = 0.1
"""The gradient norm tends to a constant; at width 64 it may still be away by a few percent, which
over a factor 2 of width is an exponent well below this."""

JUDGED = ("hessian_norm", "hessian_ball", "kernel_change", "linearization_gap")
"""What is measured on networks.  The orders of the bounds themselves are derived, not measured: a
fitted slope shows how far these widths are from the limit."""

CONSTANT = Prediction(Fraction(0), Fraction(0), "==", "Theta(1): the gradient does not vanish")
TITLES = {
    "hessian_norm": "‖H‖ at the centre",
    "bound": "bound, centre",
    "bound_slopes": "bound, centre, slopes",
    "hessian_ball": "max ‖H‖ in the ball",
    "bound_ball": "bound, ball",
    "gradient_norm": "‖∇f‖",
    "kernel_change": "kernel change",
    "linearization_gap": "linearization gap",
}


def predictions(
    primary: Statement, companions: Mapping[str, Theorem]
) -> dict[str, Prediction | None]:
    """The predicted order of each fitted quantity; None where no theorem says one."""
    by_name: dict[str, Statement] = dict(companions)
    if primary.quantity == "hessian_norm" and primary.radius is not None:
        by_name["hessian_ball"] = primary
    elif primary.quantity in TITLES and primary.quantity != "gradient_norm":
        by_name[primary.quantity] = primary
    found: dict[str, Prediction | None] = {name: _order(s) for name, s in by_name.items()}
    found["gradient_norm"] = CONSTANT
    for source, bound in (
        ("hessian_norm", "bound"),
        ("hessian_slopes", "bound_slopes"),
        ("hessian_ball", "bound_ball"),
    ):
        if source in found:
            found[bound] = found[source]
    return {name: found[name] for name in TITLES if name in found}


def _order(statement: Statement) -> Prediction | None:
    if not isinstance(statement, Theorem):
        return None
    try:
        return predicted_order(statement)
    except (ValueError, IndexError):
        return None


def fit_all(
    rows: Sequence[Row], predicted: Mapping[str, Prediction | None], refusal: str = ""
) -> tuple[Fit, ...]:
    """Fit every quantity that was measured.

    Args:
        rows: all rows; inputs of one width and seed count as one measurement, their largest.
        predicted: the predicted order of each.
        refusal: why nothing can be fitted; empty if something can.
    """
    return tuple(_fit(name, rows, prediction, refusal) for name, prediction in predicted.items())


def _fit(name: str, rows: Sequence[Row], prediction: Prediction | None, refusal: str) -> Fit:
    title = TITLES[name]
    judged = name in JUDGED and prediction is not None
    if refusal:
        return Fit(name, title, prediction, None, "not fitted", refusal, judged)
    try:
        widths, values = table(rows, getter(name))
        if values.size and np.all(values == 0):
            return Fit(name, title, prediction, None, "agrees", "it vanishes", judged)
        log = 0.0 if prediction is None else float(prediction.log)
        fit = fit_exponent(widths, values, log, CONFIDENCE)
    except ScalingError as error:
        return Fit(name, title, prediction, None, "not fitted", str(error), judged)
    if prediction is None:
        return Fit(name, title, None, fit, "not predicted", "no theorem states its order", judged)
    status = fit.verdict(
        float(prediction.exponent),
        relation="==" if prediction.relation == "==" else "<=",
        slack=GRADIENT_SLACK if prediction is CONSTANT else 0,
    )
    note = f"bends: about {_local_slope(fit):+.2f} at the widest" if fit.bends else ""
    return Fit(name, title, prediction, fit, status, note, judged)


def _local_slope(fit: ExponentFit) -> float:
    """The slope of the fitted parabola at the largest width."""
    logs = [math.log(m) for m in fit.widths]
    return fit.slope + 2 * fit.curvature * (logs[-1] - sum(logs) / len(logs))


BOUNDS = {"bound": (False, False), "bound_slopes": (False, True), "bound_ball": (True, False)}
"""Which check has the bound: whether it is on the ball, and whether it is by slopes."""


def getter(name: str) -> Callable[[Row], float]:
    """What a row says about a fitted quantity; NaN where nothing."""
    if name in BOUNDS:
        return lambda row: _bound(row.checks, BOUNDS[name])
    return lambda row: row.values.get(name, math.nan)


def _bound(checks: Sequence[Check], which: tuple[bool, bool]) -> float:
    found = [
        c.bound.value
        for c in checks
        if c.quantity == "hessian_norm" and (c.ball, c.statement.endswith("by slopes")) == which
    ]
    return found[0] if found else math.nan


def measured_names(rows: Sequence[Row]) -> set[str]:
    """Everything that the rows say something about."""
    names = {name for row in rows for name in row.values}
    return names | {b for b in BOUNDS if any(not math.isnan(getter(b)(row)) for row in rows)}


def table(rows: Sequence[Row], value: Callable[[Row], float]) -> tuple[list[int], np.ndarray]:
    """Widths, and the largest value over the inputs of each width and seed.

    Only seeds that were measured at every width count.

    Returns:
        Widths, increasing, and an array of shape ``(n_widths, n_seeds)``.

    Raises:
        ScalingError: no seed was measured at every width.
    """
    cells: dict[tuple[int, int], float] = {}
    for row in rows:
        key = (row.width, row.seed)
        cells[key] = max(cells.get(key, -math.inf), value(row), key=_order_nan)
    widths = sorted({w for w, _ in cells})
    seeds = sorted({s for _, s in cells if all((w, s) in cells for w in widths)})
    if not seeds:
        msg = "no seed was measured at every width"
        raise ScalingError(msg)
    return widths, np.array([[cells[w, s] for s in seeds] for w in widths], dtype=np.float64)


def _order_nan(value: float) -> tuple[bool, float]:
    return (math.isnan(value), value)


def obstacle(rows: Sequence[Row], proportional: bool) -> str:
    """Why no exponent can be fitted at all; empty if one can."""
    widths = {row.width for row in rows}
    if len(widths) < 3:
        return f"{len(widths)} widths were measured; an exponent needs at least 3"
    if not proportional:
        return "the width symbols do not grow in proportion, so there is no common width"
    return ""
