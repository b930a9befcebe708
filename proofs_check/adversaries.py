"""Matrices, numbers and small networks chosen to break a false statement.

Lemmas fail, when they do, at the edges: equal summands, rank one, nothing at all, entries of sizes
that differ by sixteen orders of magnitude, a dimension of one.  So these are drawn as often as
Gaussian matrices are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

import numerics
from numerics.models import Model, Params
from proofs_check.measuring import derivatives
from proofs_check.measuring.derivatives import Vector
from theory.networks import Activation, Dense, Input, Network, Readout

Array = NDArray[np.float64]
Random = np.random.Generator
Family = Callable[[Random, int, int], Array]

DIMENSIONS = (1, 1, 2, 3, 4, 5)


# -- matrices -------------------------------------------------------------------------------------


def gaussian(random: Random, rows: int, cols: int) -> Array:
    """Independent N(0, 1) entries."""
    return random.standard_normal((rows, cols))


def aligned(random: Random, rows: int, cols: int) -> Array:
    """A multiple of the matrix of ones: any two are as parallel as can be."""
    return np.full((rows, cols), random.exponential())


def rank_one(random: Random, rows: int, cols: int) -> Array:
    """A product of two vectors."""
    return np.outer(random.standard_normal(rows), random.standard_normal(cols))


def nothing(random: Random, rows: int, cols: int) -> Array:
    """Zero."""
    return np.zeros((rows, cols))


def nearly_singular(random: Random, rows: int, cols: int) -> Array:
    """All singular values but one are about 1e-12 of that one."""
    return aligned(random, rows, cols) + 1e-12 * gaussian(random, rows, cols)


def wide_range(random: Random, rows: int, cols: int) -> Array:
    """Entries between 1e-8 and 1e8 in absolute value."""
    sizes = 10.0 ** random.uniform(-8, 8, (rows, cols))
    return sizes * random.choice([-1.0, 1.0], (rows, cols))


def one_entry(random: Random, rows: int, cols: int) -> Array:
    """A single entry that is not zero, at the same place in every matrix of one shape."""
    matrix = np.zeros((rows, cols))
    matrix[-1, -1] = random.standard_normal()
    return matrix


def isometric(random: Random, rows: int, cols: int) -> Array:
    """All singular values are one."""
    u, _, vt = np.linalg.svd(gaussian(random, rows, cols), full_matrices=False)
    return np.asarray(u @ vt)


def signs(random: Random, rows: int, cols: int) -> Array:
    """Entries of plus and minus one."""
    return random.choice([-1.0, 1.0], (rows, cols))


def graded(random: Random, rows: int, cols: int) -> Array:
    """Singular values that fall by a factor of a thousand each, in random bases."""
    left, right = isometric(random, rows, rows), isometric(random, cols, cols)
    values = 10.0 ** (-3.0 * np.arange(min(rows, cols)))
    return (left[:, : len(values)] * values) @ right[: len(values)]


def nilpotent(random: Random, rows: int, cols: int) -> Array:
    """Entries above the diagonal only: powers vanish, norms do not."""
    return np.triu(gaussian(random, rows, cols), 1)


def opposite(random: Random, rows: int, cols: int) -> Array:
    """The matrix of ones or its negative: sums cancel, or add up, exactly."""
    return np.full((rows, cols), random.choice([-1.0, 1.0]))


FAMILIES: tuple[Family, ...] = (
    gaussian,
    aligned,
    rank_one,
    nothing,
    nearly_singular,
    wide_range,
    one_entry,
    isometric,
    signs,
    graded,
    nilpotent,
    opposite,
)


def number(random: Random) -> float:
    """A non-negative number: zero, one, tiny, huge, or nothing special."""
    return float(random.choice([0.0, 1.0, 1e-8, 1e8, random.exponential()]))


# -- networks -------------------------------------------------------------------------------------


def _network(dim: int, *layers: tuple[int, str], trained: bool, init: str = "gaussian") -> Network:
    middle = [part for size, name in layers for part in (Dense(size), Activation(name))]
    return Network(Input(dim), *middle, Readout(trainable=trained, init=init))


NETWORKS: tuple[Network, ...] = (
    _network(3, (4, "tanh"), trained=False),
    _network(3, (3, "identity"), trained=True),  # the Hessian does not depend on the parameters
    _network(1, (1, "sin"), (1, "sigmoid"), trained=True),
    _network(2, (3, "softplus"), (4, "gelu"), trained=True),
    _network(2, (2, "square"), (3, "t*exp(-t^2)"), trained=False),
    _network(3, (2, "silu"), (4, "erf"), (3, "tanh"), trained=False, init="sign"),
    _network(2, (3, "tanh"), (1, "sin"), (4, "gelu_tanh"), (2, "sigmoid"), trained=True),
)


@dataclass(frozen=True, eq=False)
class Place:
    """A small network with an input and two points of parameter space.

    Attributes:
        model: the network.
        x: the input, shape (m_0,).
        here: one point, the model's own parameters or special ones.
        there: another.
        between: points on the segment from the one to the other, both ends included.
        words: how it was chosen.
    """

    model: Model
    x: Vector
    here: Params
    there: Params
    between: tuple[Params, ...]
    words: str


BETWEEN = 17


@lru_cache(maxsize=256)
def place(which: int, seed: int) -> Place:
    """A network of ``NETWORKS`` with an input and two points, chosen by the seed."""
    model = _model(which, seed)
    random = np.random.default_rng((which, seed))
    arch = derivatives.architecture(model)
    centre = derivatives.flatten(model.params)
    inputs = ("gaussian", "zero", "huge", "tiny")
    points = ("as drawn", "zero", "saturated", "nearly one direction")
    kind, point = inputs[seed % 4 if seed >= 4 else 0], points[seed // 2 % 4]
    x = random.standard_normal(arch.widths[0]) * {"zero": 0.0, "huge": 1e3, "tiny": 1e-6}.get(
        kind, 1.0
    )
    here = {
        "zero": np.zeros_like(centre),
        "saturated": 30 * centre,
        "nearly one direction": np.ones_like(centre) + 1e-9 * centre,
    }.get(point, centre)
    reach = float(random.choice([1e-3, 0.3, 2.0]))
    there = here + reach * _direction(model, x, here, random if seed % 2 else None)
    steps = np.linspace(0.0, 1.0, BETWEEN)
    between = tuple(_params((1 - t) * here + t * there, model) for t in steps)
    words = f"{model.net!r}, parameters {point}, {kind} input, seed {seed}"
    return Place(model, x, between[0], between[-1], between, words)


@lru_cache(maxsize=256)
def _model(which: int, seed: int) -> Model:
    return numerics.instantiate(NETWORKS[which], seed=seed)


def _params(theta: Vector, model: Model) -> Params:
    arch = derivatives.architecture(model)
    blocks = [theta[slice(*arch.block(i))] for i in range(1, arch.depth + 2)]
    pairs = zip(arch.widths[1:], arch.widths[:-1], strict=True)
    params: Params = {"W": tuple(b.reshape(p) for b, p in zip(blocks, pairs, strict=False))}
    if arch.trained:
        params["v"] = blocks[-1]
    return params


def _direction(model: Model, x: Vector, here: Vector, random: Random | None) -> Vector:
    """A unit vector: random, or the one in which the output is curved most."""
    if random is not None:
        drawn = random.standard_normal(len(here))
        return np.asarray(drawn / np.linalg.norm(drawn))
    arch = derivatives.architecture(model)
    weight = np.zeros(arch.num_outputs)
    weight[-1] = 1.0
    readout = np.asarray(model.readout)
    columns = [
        np.asarray(derivatives.curved(here, readout, x, weight, unit, arch))
        for unit in np.eye(len(here))
    ]
    values, vectors = np.linalg.eigh(np.array(columns))
    return np.asarray(vectors[:, int(np.argmax(np.abs(values)))])


STEPS = (0.0, 0.5, 1.0, 4.0, 1024.0)


def linear(seed: int, way: str) -> tuple[Place, float]:
    """A linear model and two points apart by a step along its gradient, without rounding.

    Args:
        seed: of the choices; all numbers are multiples of 1/8.
        way: ``up`` for q + t grad f, ``down`` for q - t grad f.

    Returns:
        The place, ``here`` being q, and t.
    """
    model = numerics.instantiate(_LINEAR, seed=seed)
    random = np.random.default_rng(seed)
    x, weights = (random.integers(-16, 17, s) / 8.0 for s in ((4,), (4, 4)))
    step = float(random.choice(STEPS))
    slope = np.outer(model.readout, x) / 4.0
    moved = step * slope * (1 if way == "up" else -1)
    between = tuple({"W": (weights + t * moved,)} for t in np.linspace(0.0, 1.0, BETWEEN))
    words = f"a linear model, step {step} {way}, seed {seed}"
    return Place(model, x, between[0], between[-1], between, words), step


_LINEAR = _network(4, (4, "identity"), trained=False, init="sign")


ETAS = (0.0, 0.03, 0.3)
TRAINED = (0, 1, 2)


@dataclass(frozen=True, eq=False)
class Spot:
    """A small network with a training set, before and after one gradient step.

    Attributes:
        model: the network.
        x: the inputs, shape (n, m_0).
        y: the labels, shape (n,).
        before: the parameters.
        after: they less step times the gradient of the square loss.
        between: points on the segment, both ends included.
        words: how it was chosen.
    """

    model: Model
    x: Array
    y: Vector
    before: Params
    after: Params
    between: tuple[Params, ...]
    words: str


@lru_cache(maxsize=256)
def training(which: int, seed: int, count: int, step: float) -> Spot:
    """A linear model or a small network with a training set, and one gradient step.

    Args:
        which: of ``_LEARNERS``.
        seed: of parameters, inputs and labels.
        count: number of samples.
        step: the step size.
    """
    from proofs_check.measuring.environment import Environment
    from proofs_check.measuring.evaluate import evaluate
    from proofs_check.measuring.operators import Operator
    from theory.terms import make, minus
    from theory.vocabulary import loss_gradient, parameters

    model = numerics.instantiate(_LEARNERS[which], seed=seed)
    random = np.random.default_rng((seed, which, count))
    x = random.standard_normal((count, model.widths[0]))
    y = random.standard_normal(count) * random.choice([0.0, 1.0, 3.0])
    point = make("point", "p")
    env = Environment(model, {"p": model.params}, {"X": x}, {"step_size": step}, labels={"X": y})
    moved = minus(parameters(point), make("scale", make("sym", "step_size"), loss_gradient(point)))
    found = evaluate(moved, env)
    if not isinstance(found, Operator):
        msg = f"the parameters after a step are a vector, not {found!r}"
        raise TypeError(msg)
    theta, there = derivatives.flatten(model.params), found.form()[:, 0]
    between = [_params((1 - t) * theta + t * there, model) for t in np.linspace(0, 1, BETWEEN)]
    between[-1] = _params(there, model)
    words = f"{model.net!r}, {count} samples, step {step}, seed {seed}"
    return Spot(model, x, y, model.params, between[-1], tuple(between), words)


_LEARNERS = (
    _network(3, (4, "identity"), trained=False),
    _network(2, (3, "tanh"), trained=True),
    _network(2, (3, "softplus"), (2, "sin"), trained=False),
)


def places(seeds: range) -> Iterator[Place]:
    """All networks at all seeds."""
    for which in range(len(NETWORKS)):
        for seed in seeds:
            yield place(which, seed)
