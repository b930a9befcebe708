"""The largest value of |f^(k)| on a bounded interval, by branch and bound in ball arithmetic.

A piece of the interval needs no splitting once f^(k) is monotone, convex or concave on it, by the
enclosures of the next two derivatives there: its largest modulus is then that of an end, or of the
one critical point, which Newton's method approaches and a quadratic bound closes. So the enclosure
is as narrow as the arithmetic where the maximum is not degenerate, after few pieces.

Source: R. E. Moore, R. B. Kearfott and M. J. Cloud, Introduction to Interval Analysis, SIAM 2009,
chapters 6 and 9 (mean value form, monotonicity and concavity tests).
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from math import factorial
from typing import Any, Final

from flint import arb, fmpq

from theory.activations.balls import Program, interval, larger

__all__ = ["Peak", "Piece", "SingularError", "largest", "require_finite"]

NEWTON_STEPS: Final = 60
TOLERANCE: Final = arb(2) ** -60
NEGLIGIBLE: Final = arb(2) ** -120
MAX_PIECES: Final = 20_000
SMALLEST: Final = fmpq(1, 2**40)


class SingularError(ArithmeticError):
    """A derivative has no finite enclosure near a point, however short the piece.

    Attributes:
        at: the point, a float.
    """

    def __init__(self, at: float) -> None:
        super().__init__(f"no finite enclosure near t = {at:.6g}")
        self.at = at


@dataclass(frozen=True)
class Piece:
    """|f^(k)| <= upper on [low, high]; ``curved`` if f^(k) is convex or concave there."""

    low: Any
    high: Any
    upper: Any
    curved: bool


@dataclass(frozen=True)
class Peak:
    """lower <= max |f^(k)| <= upper, and where the maximum may lie.

    Attributes:
        lower: an exact ball.
        upper: an exact ball.
        at: a point where |f^(k)| >= lower.
        pieces: every point where |f^(k)| > lower lies in one of these.
    """

    lower: Any
    upper: Any
    at: Any
    pieces: tuple[Piece, ...]


@dataclass
class _Search:
    program: Program
    order: int
    best: Any
    at: Any = field(default_factory=lambda: arb(0))
    thin: dict[Any, list[Any]] = field(default_factory=dict)

    def derivatives(self, x: Any, count: int) -> list[Any]:
        """f^(k), ..., f^(k+count) on the ball x."""
        jet = self.program.jet(x, self.order + count)
        return [jet[n] * factorial(n) for n in range(self.order, self.order + count + 1)]

    def at_point(self, point: Any) -> list[Any]:
        """f^(k), f^(k+1), f^(k+2) at a point; its modulus may be the best so far."""
        if point not in self.thin:
            self.thin[point] = self.derivatives(arb(point), 2)
            self.improve(arb(point), self.thin[point][0])
        return self.thin[point]

    def improve(self, point: Any, value: Any) -> None:
        if value.is_finite() and value.abs_lower() > self.best:
            self.best, self.at = value.abs_lower(), point

    def bound(self, low: Any, high: Any) -> Piece | None:
        """Bound one piece; None if it has no finite enclosure. ``curved`` pieces are final."""
        value, slope, curvature = self.derivatives(interval(low, high), 2)
        if not (value.is_finite() and slope.is_finite() and curvature.is_finite()):
            return None
        natural = value.abs_upper()
        if natural <= self.best:
            return Piece(low, high, natural, curved=False)
        ends = larger(*(self.at_point(end)[0].abs_upper() for end in (low, high)))
        if not slope.contains(0):
            return Piece(low, high, ends, curved=False)
        if not curvature.contains(0):
            return Piece(low, high, larger(ends, self.vertex(low, high, curvature)), curved=True)
        middle = (low + high) / 2
        centre, radius = self.at_point(middle), arb((high - low) / 2)
        taylor = (
            centre[0].abs_upper()
            + centre[1].abs_upper() * radius
            + curvature.abs_upper() * radius**2 / 2
        ).upper()
        return Piece(low, high, taylor if taylor < natural else natural, curved=False)

    def peak(self, pieces: list[Piece]) -> Peak:
        """The result, once all pieces are bounded."""
        kept = tuple(piece for piece in pieces if not piece.upper < self.best)
        upper = self.best
        for piece in kept:
            upper = larger(upper, piece.upper)
        return Peak(self.best, upper, self.at, kept)

    def vertex(self, low: Any, high: Any, curvature: Any) -> Any:
        """Bound s f^(k) between the ends, s the sign that makes it concave."""
        sign = -1 if curvature > 0 else 1
        left, right = arb(low), arb(high)
        if sign * self.at_point(low)[1] <= 0 or sign * self.at_point(high)[1] >= 0:
            return arb(0)  # monotone after all: the ends have been counted
        centre = ((left + right) / 2).mid()
        for _ in range(NEWTON_STEPS):
            _, slope, bend = self.derivatives(centre, 2)
            if slope.contains(0):
                break
            left, right = (centre, right) if sign * slope > 0 else (left, centre)
            moved = (centre - slope / bend).mid()
            centre = moved if left <= moved <= right else ((left + right) / 2).mid()
        value, slope, _ = self.derivatives(centre, 2)
        self.improve(centre, value)
        # s g(t) <= s g(c) + s g'(c)(t - c) - |g''|_min (t - c)^2 / 2 <= s g(c) + g'^2/(2 |g''|_min)
        top = sign * value + slope.abs_upper() ** 2 / (2 * curvature.abs_lower())
        return top.upper()


def largest(
    program: Program, order: int, edges: list[Any], *, floor: Any = 0, pieces: int = 4000
) -> Peak:
    """Enclose max |f^(order)| over the interval from the first edge to the last.

    Args:
        program: the function f.
        order: k >= 0.
        edges: rising rationals (``fmpq``), the first division into pieces.
        floor: values below this are of no interest; the lower bound returned is at least this.
        pieces: after this many, the bounds reached are returned as they are.

    Raises:
        SingularError: the derivatives up to order k + 2 have no finite enclosure near some point.
    """
    search = _Search(program, order, arb(floor).lower())
    for edge in edges:
        search.at_point(edge)
    final: list[Piece] = []
    counter = itertools.count()
    waiting: list[tuple[float, int, Any, Any, Any]] = []
    todo = list(itertools.pairwise(edges))
    for _ in range(pieces):
        if not todo:
            if not waiting:
                break
            _, _, low, high, upper = heapq.heappop(waiting)
            if upper <= search.best * (1 + TOLERANCE) + NEGLIGIBLE:
                final.append(Piece(low, high, upper, curved=False))
                continue
            middle = (low + high) / 2
            todo = [(low, middle), (middle, high)]
        low, high = todo.pop()
        piece = search.bound(low, high)
        if piece is None:
            _require_long(low, high)
            heapq.heappush(waiting, (-float("inf"), next(counter), low, high, arb.pos_inf()))
        elif piece.curved or piece.upper <= search.best or _settled(search, piece):
            final.append(piece)
        else:
            key = -float(piece.upper)
            heapq.heappush(waiting, (key, next(counter), low, high, piece.upper))
    final += [Piece(low, high, upper, curved=False) for _, _, low, high, upper in waiting]
    for low, high in todo:
        rest = search.bound(low, high)
        final.append(rest or Piece(low, high, arb.pos_inf(), curved=False))
    return search.peak(final)


def _settled(search: _Search, piece: Piece) -> bool:
    """Whether the bound of a monotone piece is that of its ends, so that splitting is idle."""
    ends = (search.thin.get(piece.low), search.thin.get(piece.high))
    return any(end is not None and end[0].abs_upper() >= piece.upper for end in ends)


def _require_long(low: Any, high: Any) -> None:
    size = max(abs(low), abs(high), fmpq(1))
    if high - low < SMALLEST * size:
        raise SingularError(float(arb((low + high) / 2)))


def require_finite(program: Program, order: int, edges: list[Any]) -> None:
    """Show that f and its derivatives up to the order are finite from the first edge to the last.

    Raises:
        SingularError: naming a point near which that fails.
    """
    todo = list(itertools.pairwise(edges))
    for _ in range(MAX_PIECES):
        if not todo:
            return
        low, high = todo.pop()
        jet = program.jet(interval(low, high), order)
        if not all(c.is_finite() for c in jet):
            _require_long(low, high)
            middle = (low + high) / 2
            todo += [(low, middle), (middle, high)]
    raise SingularError(float(arb(todo[-1][1])))
