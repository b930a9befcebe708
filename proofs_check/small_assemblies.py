"""Small assemblies chosen to break a false statement about assemblies.

Sub-models that are linear, that are quadratic, that share parameters, that are weighted by zero,
one alone; at points where a sub-model is flat, and at huge ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

import jax.numpy as jnp
import numpy as np

from numerics.assemblies import instantiate
from proofs_check.measuring.assemblies import Assembled, AssemblyEnvironment, assembled
from theory.assemblies import Assembly, SubFunction

NEURON = SubFunction(lambda w, x: w[2] * jnp.tanh(w[0] * x[0] + w[1] * x[1]), 3, 2, name="neuron")
SADDLE = SubFunction(lambda w, x: w[0] * w[1] * x[0] + x[1] * w[1] ** 2, 2, 2, name="saddle")
LINE = SubFunction(lambda w, x: w[0] * x[0] - w[1] * x[1], 2, 2, name="line")
CUBE = SubFunction(lambda w, x: (w[0] * x[0] + w[1]) ** 3, 2, 2, name="cube")

ASSEMBLIES: tuple[Assembly, ...] = (
    Assembly(NEURON, 3),
    Assembly([NEURON, SADDLE, LINE], 5, weights="gaussian", scale="linear"),
    Assembly(SADDLE, 1, weights=[-2.0], scale=Fraction(1, 3)),
    Assembly([CUBE, LINE], 4, weights="ones", dominance=Fraction(1, 2)),
    Assembly([NEURON, CUBE], 2, weights="gaussian", shared=3),
    Assembly([SADDLE, CUBE], 2, weights=[1.0, -1.0, 0.0, 3.0], shared=2, scale="linear"),
    Assembly([LINE, NEURON], 3, dominance=Fraction(0)),
)
POINTS = ("as drawn", "zero", "all equal", "huge")


@lru_cache(maxsize=128)
def _where(which: int, seed: int) -> Assembled:
    """An assembly at a point and an input, chosen by the seed."""
    model = instantiate(ASSEMBLIES[which], seed=seed)
    random = np.random.default_rng((which, seed))
    x = random.standard_normal(2)
    point = POINTS[seed % len(POINTS)]
    changes = {"as drawn": 1.0, "zero": 0.0, "huge": 50.0}
    params = tuple(
        jnp.ones_like(w) if point == "all equal" else changes[point] * w for w in model.params
    )
    return assembled(model, x, params)


def places(seeds: range | list[int]) -> Iterator[tuple[int, int, str, AssemblyEnvironment]]:
    """Every assembly at every seed: which, seed, words, and its environment.

    The bounds beta_i are the Hessian norms themselves at even seeds, larger ones at odd seeds.
    """
    for which in range(len(ASSEMBLIES)):
        for seed in seeds:
            where = _where(which, seed)
            norms = [float(np.linalg.norm(h, 2)) for h in where.bends[:-1]]
            betas = [n * (1 + seed % 2) for n in norms]
            words = f"assembly {which}, parameters {POINTS[seed % len(POINTS)]}, seed {seed}"
            yield which, seed, words, AssemblyEnvironment(where, betas=betas)
