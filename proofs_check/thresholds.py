"""The attack on lemmas about numbers with a positive lower bound, and on Gaussian moments.

Their premises are met on purpose, at their limits as often as inside, so that few trials are empty.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

import numpy as np

from proofs_check import adversaries
from proofs_check.measuring.environment import Environment
from theory.lemmas import INDEX, Schema, real_variable
from theory.terms import Term, substitute

Random = np.random.Generator
Values = dict[str, float]
Solve = Callable[[Random, float], Values]
Instance = tuple[tuple[int | str, ...], str, Schema, Environment]
Plan = Callable[[Callable[..., Schema], Iterable[int]], Iterator[Instance]]

FLOOR = 0.25
AMOUNTS = (0.0, 0.5, 1.0, 2.0, 3.0)
SCALES = (0.0, 0.5, 1.5)  # few, as each moment takes a tenth of a second to enclose
WITH_BOUNDED_SLOPES = (0, 1, 3)  # networks of proofs_check.adversaries
TRIALS = 24


def _more(random: Random) -> float:
    return float(random.choice([0.0, 0.0, 0.5, 2.0]))


def _amount(random: Random) -> float:
    return float(random.choice(AMOUNTS))


def above(random: Random, least: float) -> Values:
    """For y and s with ``y^2 <= x^2 + s``, x at least the floor."""
    x, y = least * (1 + _more(random)), _amount(random) * least
    return {"x": x, "y": y, "s": max(0.0, y * y - x * x) * (1 + _more(random))}


def below(random: Random, least: float) -> Values:
    """For y with ``x^2 <= y^2 + s``, x at least the floor and its gap, or at times less."""
    s = _amount(random) * least**2
    x = (least + s / (2 * least)) * (1 + _more(random)) * float(random.choice([1.0, 1.0, 0.3]))
    return {"x": x, "s": s, "y": math.sqrt(max(0.0, x * x - s)) * (1 + 1e-12 + _more(random))}


def quotient(random: Random, least: float) -> Values:
    """For y with ``x y <= a + x b``, x at least the floor."""
    x, a, b = least * (1 + _more(random)), _amount(random), _amount(random)
    return {"x": x, "a": a, "b": b, "y": (a + x * b) / x / (1 + 1e-12 + _more(random))}


def floors(solve: Solve, *orders: int) -> Plan:
    """A plan for lemmas with a floor: parameters are the layer and what else is given.

    Args:
        solve: numbers that meet the premises, from the size that is the floor.
        *orders: second parameters (1 for a norm, 2 for its square); none for lemmas without one.
    """

    def plan(family: Callable[..., Schema], seeds: Iterable[int]) -> Iterator[Instance]:
        for seed, layer, order in product(seeds, (1, 2), orders or (0,)):
            place = adversaries.place(3, 0)
            env = Environment(place.model, reals={"floor": FLOOR})
            parameters = (layer, *([order] if orders else []))
            instance = family(*parameters)
            least = FLOOR * math.sqrt(place.model.widths[layer])
            random = np.random.default_rng((seed, layer, order))
            for _ in range(TRIALS):
                numbers = solve(random, least if order != 2 else least**2)
                values: dict[Term, Any] = {real_variable(n): v for n, v in numbers.items()}
                yield parameters, f"{numbers}, layer {layer}", instance, env.binding(values)

    return plan


def moments(family: Callable[..., Schema], seeds: Iterable[int]) -> Iterator[Instance]:
    """The root mean squares of the activations of small networks, at a few scales."""
    for which, order, seed in product(WITH_BOUNDED_SLOPES, (0, 1), seeds):
        place = adversaries.place(which, 0)
        env = Environment(place.model)
        pattern = family(order)
        for layer in range(1, place.model.net.depth + 1):
            instance = Schema(
                tuple(substitute(p, {INDEX: layer}) for p in pattern.premises),
                substitute(pattern.conclusion, {INDEX: layer}),
            )
            random = np.random.default_rng((which, order, seed, layer))
            for _ in range(4):
                a, b = random.choice(SCALES, 2).tolist()
                numbers = {"a": a, "b": b, "h": abs(a - b) * (1 + _more(random))}
                values: dict[Term, Any] = {real_variable(n): v for n, v in numbers.items()}
                words = f"{numbers}, layer {layer} of {place.model.net!r}"
                yield (order,), words, instance, env.binding(values)


__all__ = ["above", "below", "floors", "moments", "quotient"]
