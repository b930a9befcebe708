"""A7 a priori: the Hessian norm of a dense network from |x|, widths, R and delta alone.

With probability at least 1 - delta over the random weights at the centre, the bound holds, on a
ball at all of its points at once.  The proof is that of A7 with every layer statistic replaced by a
bound that is likely; its events share delta equally (:attr:`theory.theorem.Theorem.events`).

Source: Liu, Zhu and Belkin 2020, Theorem 3.2; constants as in theory.md, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from theory import evaluation, kernel, theorems
from theory.derive.apriori import Apriori, Event, plan
from theory.derive.layers import on_ball
from theory.derive.pointwise import bound_hessian
from theory.derive.workbench import Claim, Derivation
from theory.kernel import Judgement
from theory.terms import Term
from theory.theorem import Theorem
from theory.vocabulary import (
    CENTRE,
    FAILURE,
    INPUT,
    POINT,
    RADIUS,
    ceiling,
    curvature,
    floor,
    input_scale,
    lipschitz,
    origin,
    symbol,
    width,
)

if TYPE_CHECKING:
    from theory.activations import ActivationFunction
    from theory.networks import Network

DELTA = Fraction(1, 20)
LARGEST_WIDTH = 1 << 60
SAFETY = 1e-9  # relative distance kept from the ends of hypotheses, beyond rounding


REMARKS = (
    "Nothing is measured: the bound is a number once |x|, the widths, R and delta are given. The "
    "floors are any positive numbers that meet the hypotheses; the largest ones give the least "
    "bound, and where there is none the widths are too small for the statement.",
)


class WidthError(theorems.HypothesisError):
    """The widths are too small for the a-priori statement; the message names those that work."""


def bound(network: Network, radius: object = None, delta: object = DELTA) -> Theorem:
    """A7 for random weights, from the input's norm, the widths, R and delta alone.

    Args:
        network: the description; of any other than a dense network at the centre alone (see
            :func:`theory.ledger.series.series_theorem`).
        radius: None for the centre; a name, a number or a SymPy expression for a ball around it.
        delta: the probability of failure that is allowed, in (0, 1).

    Returns:
        The theorem ``likely(delta, |H| <= |M|)``; on a ball, of all its points at once.  It assumes
        ``floor_l + nu_l <= mu_l`` of every layer but the last: widths that are large enough (see
        :func:`least_width`), the floors being any positive numbers that meet this.

    Raises:
        HypothesisError: when an activation has an infinite constant, naming it.
        ValueError: for a radius or a delta that is not one.
    """
    if not network.is_dense:
        return _of_graph(network, radius, delta)
    theorems._require_constants(network, (1, 2))
    value, failure = theorems._radius(radius), probability(delta)
    readout = "trained" if network.readout.trainable else "fixed"
    bounded = tuple(map(_is_flat, network.activations))
    judgement, d, events = _derive(
        network.depth, readout, network.readout.init, value is not None, bounded
    )
    definitions, claims = theorems.used(judgement, d)
    claims.append(Claim("union", "the bound, with its probability", judgement))
    where = "at a random centre" if value is None else "on a ball around a random centre"
    return Theorem(
        "LZB20/A7-apriori",
        f"Hessian norm of a fully connected network {where}, a priori",
        judgement,
        f"{theorems.LZB20}, Theorem 3.2",
        "LZB20",
        tuple(definitions),
        tuple(claims),
        network,
        value,
        "apriori",
        "hessian_norm",
        remarks=REMARKS,
        events=events,
        failure=failure,
    )


def _of_graph(network: Network, radius: object, delta: object) -> Theorem:
    """Any other architecture: by a matrix series, at the centre."""
    if radius is not None:
        msg = (
            f"level 'apriori' with radius {radius!r}: for {network!r} it is known at the centre "
            "alone; leave the radius out, or use level 'layers' on a ball"
        )
        raise theorems.HypothesisError(msg)
    from theory.ledger.series import series_theorem

    return series_theorem(network, delta)


def probability(delta: object) -> Fraction:
    """An allowed probability of failure, as an exact number.

    Raises:
        ValueError: it is not strictly between 0 and 1.
    """
    if isinstance(delta, float):
        delta = str(delta)
    try:
        value = Fraction(delta) if isinstance(delta, int | str | Fraction) else Fraction(0)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if not 0 < value < 1:
        msg = f"delta {delta!r}: needs a probability of failure between 0 and 1, such as 0.05"
        raise ValueError(msg)
    return value


def _is_flat(function: ActivationFunction) -> bool:
    """Whether Hoeffding's inequality for squares is used: |sigma| is bounded, and not by much.

    Both ways are proved; this chooses the one that gives more for usual widths.
    """
    from theory.activations import ActivationError

    try:
        high = function.sup(0)
    except ActivationError:
        return False
    return high.upper**2 <= 2 * function.sup(1).upper ** 2


@lru_cache(maxsize=64)
def _derive(
    depth: int, readout: str, law: str, ball: bool, bounded: tuple[bool, ...]
) -> tuple[Judgement, Derivation, tuple[Event, ...]]:
    point, bar = (POINT, "_bar") if ball else (CENTRE, "")
    d = Derivation(depth, readout, point, INPUT, bar, slopes=not ball, random=True)
    found = Apriori(d, law, ball, bounded, dict.fromkeys(plan(depth, ball, bounded), 1))
    found.forward()
    found.backward()
    if ball:
        d.shared = True
        on_ball(d)
    judgement = bound_hessian(d)
    if ball:
        judgement = kernel.ball_intro(judgement, POINT, CENTRE, RADIUS)
    return found.union(judgement), d, tuple(found.events)


# -- numbers --------------------------------------------------------------------------------------


def constants(theorem: Theorem, widths: Sequence[int], scale: float) -> dict[Term, float]:
    """Everything that an a-priori bound rests on, as numbers; nothing of it is measured.

    Args:
        theorem: an a-priori theorem.
        widths: m_0, ..., m_L as numbers.
        scale: rho, the norm of the input over the square root of its dimension.

    Returns:
        Values of the widths, of delta, rho, and of the activations' constants, and the largest
        floors that the hypotheses allow.

    Raises:
        WidthError: when they allow none: the widths are too small.
    """
    known = _given(theorem, widths, scale)
    layer = _with_floors(theorem, known)
    if layer is not None:
        raise _too_narrow(theorem, widths, scale, layer)
    return known


def _with_floors(theorem: Theorem, known: dict[Term, float]) -> int | None:
    """Add the largest floors to the numbers known; the first layer that has none, if one has."""
    network = _network(theorem)
    table = evaluation.definitions_of(theorem.definitions)
    for layer in range(1, network.depth):
        found = _largest_floor(layer, known, table, network.activations)
        if found is None:
            return layer
        known[floor(layer)] = found
    return None


def _network(theorem: Theorem) -> Network:
    if theorem.network is None or theorem.failure is None:
        msg = f"{theorem.name} is no a-priori theorem of a network"
        raise ValueError(msg)
    return theorem.network


def require_scale(scale: float) -> None:
    """Refuse what is no scale of an input.

    Raises:
        ValueError: it is not a positive number.
    """
    if not (math.isfinite(scale) and scale > 0):
        msg = f"the scale of the input is {scale!r}; give |x|/sqrt(d), a positive number"
        raise ValueError(msg)


def _given(theorem: Theorem, widths: Sequence[int], scale: float) -> dict[Term, float]:
    network = _network(theorem)
    require_scale(scale)
    known = {FAILURE: float(theorem.failure or 0), input_scale(INPUT): float(scale)}
    known |= {width(i): float(m) for i, m in enumerate(widths)}
    for layer, function in enumerate(network.activations, 1):
        known[lipschitz(layer)] = float(function.sup(1))
        known[curvature(layer)] = float(function.sup(2))
        known[origin(layer)] = abs(float(function.at_zero)) * (1 + SAFETY)
        if _is_flat(function):
            known[ceiling(layer)] = float(function.sup(0))
    return known


def _largest_floor(
    layer: int,
    known: Mapping[Term, float],
    table: Mapping[Term, Term],
    activations: Sequence[ActivationFunction],
) -> float | None:
    """The largest f with ``f + nu(f) <= mu``, where ``nu(f) = c + g/f``; None if there is none."""

    def value(name: str, least: float) -> float:
        numbers = {**known, floor(layer): least}
        term = symbol(name, layer, INPUT)
        return float(evaluation.evaluate(term, numbers, table, activations=activations))

    middle = value("a_mid", 1.0)
    if middle <= 0:
        return None
    near, far = value("a_gap", middle), value("a_gap", middle / 2)
    gap = (far - near) * middle
    room = middle - (near - gap / middle)
    inside = room * room - 4 * gap
    if room <= 0 or inside < 0:
        return None
    found = (room + math.sqrt(inside)) / 2 * (1 - SAFETY)
    return found if found + value("a_gap", found) <= middle else None


def _too_narrow(theorem: Theorem, widths: Sequence[int], scale: float, layer: int) -> WidthError:
    least = _least(theorem, widths, scale)
    enough = (
        f"it works when every hidden layer has at least {least} neurons"
        if least is not None
        else f"no width up to {LARGEST_WIDTH} is enough"
    )
    return WidthError(
        f"the widths {tuple(map(int, widths))} are too small for an a-priori bound with failure "
        f"probability {theorem.failure}: nothing keeps the activations of layer {layer} away from "
        f"zero; {enough}. Use level 'layers' or 'slopes' for narrower networks."
    )


def _works(theorem: Theorem, widths: Sequence[int], scale: float, least: int) -> bool:
    """Whether hidden widths of at least ``least`` are enough."""
    wider = [widths[0], *(max(m, least) for m in widths[1:])]
    return _with_floors(theorem, _given(theorem, wider, scale)) is None


def _least(theorem: Theorem, widths: Sequence[int], scale: float) -> int | None:
    """The least width for all hidden layers that are narrower: floors grow with each width."""
    high = 1
    while not _works(theorem, widths, scale, high):
        high *= 2
        if high > LARGEST_WIDTH:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _works(theorem, widths, scale, middle) else (middle, high)
    return high


def least_width(
    network: Network, input_norm: float, radius: object = None, delta: object = DELTA
) -> int:
    """The least number of neurons that every hidden layer needs for an a-priori bound.

    Args:
        network: the description; widths that are symbols all get the same number, and a hidden
            layer with fewer neurons than that is widened.
        input_norm: |x|, the Euclidean norm of the input.
        radius: None for the centre, anything else for a ball.
        delta: the allowed probability of failure.

    Raises:
        WidthError: when no width is enough, as for activations that vanish at every scale.
    """
    theorem = bound(network, radius, delta)
    if theorem.graph is not None:
        return 1  # the bound by a matrix series holds for all widths
    widths = _numbers(network, 1)
    scale = float(input_norm) / math.sqrt(widths[0])
    found = _least(theorem, widths, scale)
    if found is None:
        msg = f"no width up to {LARGEST_WIDTH} is enough for {network} at |x| = {input_norm}"
        raise WidthError(msg)
    return found


def _numbers(network: Network, value: int | Mapping[Any, int] | None) -> list[int]:
    """The widths as numbers: one for all width symbols, or each its own."""
    if network.symbols:
        if value is None:
            msg = f"give widths= for {', '.join(s.name for s in network.symbols)}"
            raise ValueError(msg)
        mapping = value if isinstance(value, Mapping) else dict.fromkeys(network.symbols, value)
        network = network.substitute(dict(mapping))
    return [int(m) for m in network.widths]


def number(
    theorem: Theorem,
    input_norm: float,
    widths: int | Mapping[Any, int] | None = None,
    radius: float | None = None,
) -> float:
    """An a-priori bound as a number, from |x|, widths, R and delta.

    Args:
        theorem: the theorem of :func:`bound`.
        input_norm: |x|, the Euclidean norm of the input.
        widths: numbers for the width symbols: one for all, or a mapping; None where there are none.
        radius: of the ball, where the theorem has a symbolic one.

    Raises:
        WidthError: when the widths are too small, naming the least that work.
    """
    if theorem.graph is not None:
        from theory.ledger import series

        return series.number(theorem, input_norm, widths)
    numbers = _numbers(_network(theorem), widths)
    scale = float(input_norm) / math.sqrt(numbers[0])
    return float(theorem.evaluate(constants(theorem, numbers, scale), radius))


def reference() -> Theorem:
    """A7 a priori at the centre, for the reference network."""
    return bound(theorems.reference_network())


def reference_ball() -> Theorem:
    """A7 a priori on the ball, for the reference network."""
    return bound(theorems.reference_network(), radius="R")


__all__ = [
    "DELTA",
    "WidthError",
    "bound",
    "constants",
    "least_width",
    "number",
    "probability",
    "require_scale",
]
