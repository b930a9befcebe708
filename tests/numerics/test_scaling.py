"""Fitted exponents: exact on power laws, covering the truth as often as they claim to."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from numerics.scaling import ScalingError, fit_exponent

WIDTHS = np.array([64, 128, 256, 512, 1024, 2048])
LOG_M = np.log(WIDTHS)


@given(
    exponent=st.floats(-2, 2),
    log_power=st.sampled_from([0.0, 0.5, 1.0, -1.5]),
    log_prefactor=st.floats(-20, 20),
    seeds=st.integers(2, 5),
)
def test_recovers_a_power_law_with_its_log_factor(exponent, log_power, log_prefactor, seeds):
    values = np.exp(log_prefactor) * WIDTHS**exponent * LOG_M**log_power
    fit = fit_exponent(WIDTHS, np.tile(values[:, None], seeds), log_power)
    assert fit.slope == pytest.approx(exponent, abs=1e-12)
    assert fit.half_width <= 1e-12
    assert fit.curvature == pytest.approx(0, abs=1e-12)
    assert math.log(fit.prefactor) == pytest.approx(log_prefactor, abs=1e-10)


def test_order_of_the_widths_does_not_matter():
    rng = np.random.default_rng(1)
    values = WIDTHS[:, None] ** -0.5 * np.exp(0.1 * rng.standard_normal((6, 4)))
    shuffle = [3, 0, 5, 1, 4, 2]
    assert fit_exponent(WIDTHS[shuffle], values[shuffle]) == fit_exponent(WIDTHS, values)


def test_a_forgotten_log_factor_shows():
    """m^-1/2 (log m)^1/2 fitted without its log: off by 0.09, bending, and rejected."""
    rng = np.random.default_rng(2)
    values = (WIDTHS**-0.5 * LOG_M**0.5)[:, None] * np.exp(0.01 * rng.standard_normal((6, 5)))
    fit = fit_exponent(WIDTHS, values)
    assert fit.slope == pytest.approx(-0.5 + 0.09, abs=0.01)
    assert fit.verdict(-0.5) == "disagrees"
    assert fit.bends
    right = fit_exponent(WIDTHS, values, log_power=0.5)
    assert right.agrees_with(-0.5)
    assert not right.bends


def draw(rng, within, across):
    """Five seeds: noise of each width, and a slope of each seed's own (so correlated points)."""
    across = np.broadcast_to(across, 5)
    noise = within * rng.standard_normal((6, 5)) * np.linspace(2, 0.5, 6)[:, None]
    own = across * rng.standard_normal(5) * (LOG_M - LOG_M.mean())[:, None]
    return np.exp(-0.5 * LOG_M[:, None] + noise + own)


def count_covering(rng, trials, confidence, **kind):
    hits = 0
    for _ in range(trials):
        hits += fit_exponent(WIDTHS, draw(rng, **kind), confidence=confidence).contains(-0.5)
    return hits


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("across", [0.0, 0.1])
def test_interval_covers_as_often_as_stated(confidence, across):
    """Binomial(1500, confidence), two-sided; a correct interval fails with probability < 1e-6.

    The noise differs from width to width and is correlated within a seed: per-seed slopes are
    still i.i.d. Gaussian, so the coverage is exact.
    """
    trials = 1500
    hits = count_covering(np.random.default_rng(3), trials, confidence, within=0.05, across=across)
    low, high = stats.binom.interval(1 - 1e-6, trials, confidence)
    assert low <= hits <= high


def test_interval_is_conservative_when_seeds_differ_in_variance():
    """At 95% unequal variances may only widen; P(fail) < 1e-6 (Ibragimov and Müller 2010)."""
    trials = 1500
    hits = count_covering(
        np.random.default_rng(4), trials, 0.95, within=0.0, across=[0.01, 0.02, 0.05, 0.1, 0.2]
    )
    assert hits >= stats.binom.ppf(1e-6, trials, 0.95)


def test_pooled_regression_would_not_cover():
    """Why not one regression over all points: correlated points are counted as independent."""
    rng = np.random.default_rng(5)
    trials, hits = 500, 0
    for _ in range(trials):
        logs = np.log(draw(rng, within=0.05, across=0.1))
        pooled = stats.linregress(np.repeat(LOG_M, 5), logs.ravel())
        hits += abs(pooled.slope + 0.5) <= stats.t.ppf(0.975, 28) * pooled.stderr
        per_seed = fit_exponent(WIDTHS, np.exp(logs))
        assert per_seed.slope == pytest.approx(pooled.slope, abs=1e-12)
    assert hits < stats.binom.ppf(1e-6, trials, 0.95)


def test_power_to_tell_neighbouring_exponents_apart():
    rng = np.random.default_rng(6)
    fit = fit_exponent(WIDTHS, draw(rng, within=0.1, across=0.0))
    assert fit.agrees_with(-0.5)
    for wrong in (-1.0, -0.75, -0.25, 0.0):
        assert fit.verdict(wrong) == "disagrees"


def test_relation_of_an_upper_bound():
    """A decay faster than the bound agrees with ``<=`` and disagrees with ``==``."""
    rng = np.random.default_rng(7)
    fit = fit_exponent(WIDTHS, draw(rng, within=0.05, across=0.0))
    assert fit.verdict(-0.25, relation="<=") == "agrees"
    assert fit.verdict(-0.25) == "disagrees"
    assert fit.verdict(-0.75, relation="<=") == "disagrees"
    assert fit.verdict(-0.75, relation="<=", slack=0.5) == "agrees"


def test_too_wide_an_interval_never_agrees():
    rng = np.random.default_rng(8)
    fit = fit_exponent(WIDTHS, draw(rng, within=0.0, across=0.5))
    assert fit.contains(-0.5)
    assert fit.verdict(-0.5) == "inconclusive"
    assert not fit.agrees_with(-0.5)
    assert fit.agrees_with(-0.5, resolution=10.0)
    assert fit.verdict(2.0, relation="<=") == "agrees"  # wide, but below the bound as a whole


def test_one_seed_gives_a_slope_and_no_verdict():
    fit = fit_exponent(WIDTHS, WIDTHS**-0.5)
    assert fit.slope == pytest.approx(-0.5)
    assert (fit.low, fit.high) == (-math.inf, math.inf)
    assert fit.verdict(-0.5) == "inconclusive"
    assert not fit.agrees_with(-0.5)
    assert not fit.bends


def test_text_of_a_fit():
    values = np.tile((WIDTHS**-0.5 * LOG_M**0.5)[:, None], 3)
    text = str(fit_exponent(WIDTHS, values, log_power=0.5))
    assert text == "m^p (log m)^0.5, p = -0.500 [-0.500, -0.500] (95%, 3 seeds)"


def spoil(value):
    table = np.ones((6, 3))
    table[2, 1] = value
    return table


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((WIDTHS, spoil(0.0)), r"at width 256, seed number 1, is .*0\.0.* finite positive"),
        ((WIDTHS, spoil(-1.0)), "at width 256, seed number 1"),
        ((WIDTHS, spoil(np.nan)), r"nan.*1 of 18"),
        ((WIDTHS, spoil(np.inf)), "inf"),
        ((WIDTHS[:2], np.ones((2, 3))), "at least 3 widths"),
        (([64, 64, 128], np.ones((3, 3))), "repeats"),
        (([1, 2, 4], np.ones((3, 3)), 0.5), "at least 2: log m must be positive"),
        (([0, 2, 4], np.ones((3, 3))), "at least 1"),
        (([2, 4, math.inf], np.ones((3, 3))), "must be finite"),
        ((WIDTHS, np.ones((3, 6))), r"6 widths need \(6, n_seeds\)"),
        ((WIDTHS, np.ones((6, 0))), "n_seeds"),
        ((WIDTHS, np.ones((6, 2)), math.nan), "log_power nan is not finite"),
        ((WIDTHS, np.ones((6, 2)), 0.0, 95.0), r"one in \(0, 1\)"),
    ],
)
def test_refusals_name_what_is_wrong(arguments, says):
    with pytest.raises(ScalingError, match=says):
        fit_exponent(*arguments)
