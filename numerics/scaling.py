"""How fast a quantity goes to zero with the width: a slope with a confidence interval.

The model is ``value = C m^p (log m)^q e^noise`` with the log power ``q`` *given* by the theorem
under test, never fitted: over three decades of width a free log power and a free exponent cannot be
told apart. So ``p`` is the slope of ``log(value) - q log(log m)`` against ``log m``. Left out, a
factor ``(log m)^(1/2)`` between widths 64 and 2048 would pass for an exponent 0.09 too large.

The replicates are the seeds, not the points: the widths of one seed may share their input or their
random numbers, and the noise need not be alike at different widths. One least-squares slope per
seed turns each seed into one number whatever happens inside it; Student's t over these numbers
gives the interval. Pooling the points of all seeds into one regression gives the same slope but
an interval that believes every point independent, and cluster-robust standard errors are too
small for the handful of clusters met here.

Source:
    R. Ibragimov and U. K. Müller, *t-Statistic Based Correlation and Heterogeneity Robust
    Inference*, J. Bus. Econ. Stat. 28 (2010): the t interval over per-group estimates is valid, at
    levels of 95% and above also with unequal variances of the groups.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from numerics.tolerances import Numbers

__all__ = ["ExponentFit", "ScalingError", "fit_exponent"]

Verdict = Literal["agrees", "disagrees", "inconclusive"]


class ScalingError(ValueError):
    """The measurements do not allow an exponent to be fitted."""


@dataclass(frozen=True)
class ExponentFit:
    """A fitted exponent ``p`` of ``value = C m^p (log m)^log_power`` and its interval.

    Attributes:
        slope: the mean over seeds of the least-squares slopes.
        low: lower end of the confidence interval of the slope; -inf with a single seed.
        high: upper end; inf with a single seed.
        confidence: two-sided confidence of the interval.
        log_power: power of the natural logarithm of the width, as given.
        seed_slopes: the slope of each seed, shape ``(n_seeds,)``.
        prefactor: ``C``, the geometric mean over seeds.
        curvature: the mean over seeds of the second-order coefficient in ``log m``: away from 0
            it says that a single power does not describe these widths (yet).
        curvature_half_width: half the width of its confidence interval; inf with a single seed.
        widths: the widths, increasing.
    """

    slope: float
    low: float
    high: float
    confidence: float
    log_power: float
    seed_slopes: tuple[float, ...]
    prefactor: float
    curvature: float
    curvature_half_width: float
    widths: tuple[int, ...]

    @property
    def half_width(self) -> float:
        """Half the width of the interval; infinite with a single seed."""
        return (self.high - self.low) / 2

    @property
    def bends(self) -> bool:
        """Whether the curvature is significant: the slope still changes with the width."""
        return abs(self.curvature) > self.curvature_half_width

    def contains(self, predicted: float | int) -> bool:
        """Whether the confidence interval contains `predicted`."""
        return self.low <= predicted <= self.high

    def verdict(
        self,
        predicted: float | int,
        *,
        relation: Literal["==", "<="] = "==",
        resolution: float | int = 0.25,
        slack: float | int = 0,
    ) -> Verdict:
        """What the measurements say about a predicted exponent.

        Args:
            predicted: the exponent of the theorem, e.g. -0.5.
            relation: ``"=="`` for an order that is attained, ``"<="`` for an upper bound, which a
                faster decay does not contradict.
            resolution: the largest half-width at which agreement means something: at 0.25 an
                interval cannot hold -1/2 and 0 or -1 at its ends unless it is centred between.
            slack: by how much the exponent at finite widths may differ from the asymptotic one,
                added on both sides of the interval. 0 unless argued.

        Returns:
            ``"disagrees"`` if the interval excludes the prediction; ``"inconclusive"`` if it
            holds the prediction but is wider than the resolution; otherwise ``"agrees"``.
        """
        too_slow = self.low - slack > predicted
        too_fast = relation == "==" and self.high + slack < predicted
        if too_slow or too_fast:
            return "disagrees"
        clearly_below = relation == "<=" and self.high <= predicted
        if self.half_width <= resolution or clearly_below:
            return "agrees"
        return "inconclusive"

    def agrees_with(
        self,
        predicted: float | int,
        *,
        relation: Literal["==", "<="] = "==",
        resolution: float | int = 0.25,
        slack: float | int = 0,
    ) -> bool:
        """Whether `verdict` is ``"agrees"``: never true of an interval too wide to tell."""
        found = self.verdict(predicted, relation=relation, resolution=resolution, slack=slack)
        return found == "agrees"

    def __str__(self) -> str:
        log = f" (log m)^{self.log_power:g}" if self.log_power else ""
        return (
            f"m^p{log}, p = {self.slope:.3f} [{self.low:.3f}, {self.high:.3f}] "
            f"({self.confidence:.0%}, {len(self.seed_slopes)} seeds)"
        )


def fit_exponent(
    widths: Numbers,
    values: Numbers,
    log_power: float | int = 0,
    confidence: float = 0.95,
) -> ExponentFit:
    """Fit the exponent of a power law, its log factor given, across widths and seeds.

    With a single seed the interval is infinite and every verdict *inconclusive* rather than drawn
    from the residuals: those measure how straight one line is, not how far the line of another
    seed would be.

    Args:
        widths: shape ``(n_widths,)``, at least 3 different ones, each once.
        values: positive measurements, shape ``(n_widths, n_seeds)``; ``(n_widths,)`` is one seed.
        log_power: power ``q`` of ``log m`` in the prediction; 0 for none.
        confidence: two-sided confidence of the interval, in (0, 1).

    Returns:
        The fit; `ExponentFit.agrees_with` compares it with a prediction.

    Raises:
        ScalingError: naming the width and seed, if a value is not finite and positive; if there
            are fewer than 3 widths, a width repeats or is below 1 (2 with a log factor), or shapes
            or confidence make no sense.
    """
    m = _checked_widths(widths, log_power)
    table = _checked_values(values, m)
    if not 0 < confidence < 1:
        msg = f"confidence {confidence!r} is no probability; give one in (0, 1), e.g. 0.95"
        raise ScalingError(msg)
    order = np.argsort(m)
    log_m, logs = np.log(m[order]), np.log(table[order])
    if log_power:
        logs = logs - log_power * np.log(log_m)[:, None]
    line = np.polynomial.polynomial.polyfit(log_m, logs, 1)  # (2, n_seeds)
    # Centred, so that the second-order coefficient is well conditioned.
    parabola = np.polynomial.polynomial.polyfit(log_m - log_m.mean(), logs, 2)
    slope, slope_half = _student(line[1], confidence)
    curvature, curvature_half = _student(parabola[2], confidence)
    return ExponentFit(
        slope=slope,
        low=slope - slope_half,
        high=slope + slope_half,
        confidence=float(confidence),
        log_power=float(log_power),
        seed_slopes=tuple(float(s) for s in line[1]),
        prefactor=float(np.exp(np.mean(line[0]))),
        curvature=curvature,
        curvature_half_width=curvature_half,
        widths=tuple(int(w) for w in m[order]),
    )


def _student(replicates: Float[np.ndarray, " n_seeds"], confidence: float) -> tuple[float, float]:
    """Mean and half-width of Student's t interval over independent replicates."""
    n = replicates.size
    mean = float(np.mean(replicates))
    if n < 2:
        return mean, math.inf
    spread = float(np.std(replicates, ddof=1)) / math.sqrt(n)
    return mean, float(stdtrit(n - 1, (1 + confidence) / 2)) * spread


def _checked_widths(widths: Numbers, log_power: float | int) -> Float[np.ndarray, " n_widths"]:
    m = np.asarray(widths, dtype=np.float64)
    if m.ndim != 1 or m.size < 3:
        msg = f"got widths of shape {m.shape}; a slope and its misfit need at least 3 widths"
        raise ScalingError(msg)
    if np.unique(m).size < m.size:
        msg = f"a width repeats in {m.tolist()}; give repeated measurements as seeds, by column"
        raise ScalingError(msg)
    if not math.isfinite(log_power):
        msg = f"log_power {log_power!r} is not finite; give the power of log m, 0 for none"
        raise ScalingError(msg)
    least = 2 if log_power else 1
    if not np.all(np.isfinite(m)) or np.min(m) < least:
        why = ": log m must be positive under a log factor" if log_power else ""
        msg = f"got widths {m.tolist()}; every width must be finite and at least {least}{why}"
        raise ScalingError(msg)
    return m


def _checked_values(
    values: Numbers, m: Float[np.ndarray, " n_widths"]
) -> Float[np.ndarray, "n_widths n_seeds"]:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or table.shape[0] != m.size or table.shape[1] == 0:
        msg = f"got values of shape {table.shape}; {m.size} widths need ({m.size}, n_seeds)"
        raise ScalingError(msg)
    bad = np.argwhere(~(np.isfinite(table) & (table > 0)))
    if bad.size:
        row, column = bad[0]
        msg = (
            f"the value at width {m[row]:g}, seed number {column}, is {table[row, column]!r}; an "
            f"exponent needs finite positive values ({len(bad)} of {table.size} are not): leave "
            "out that seed at every width, or measure a quantity that does not vanish"
        )
        raise ScalingError(msg)
    return table
