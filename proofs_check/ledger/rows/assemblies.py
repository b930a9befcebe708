"""B1, B2, B3, B7: assemblies of sub-models, and what breaks their transition to linearity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

import numerics
import theory
from numerics.assemblies import AssemblyModel, part_norms
from proofs_check.assemblies import AssemblyReport, measure_assembly
from proofs_check.ledger.experiment import (
    Experiment,
    Family,
    Measure,
    Profile,
    Sample,
    at_most,
    row,
    theta,
)
from proofs_check.verification.statements import Sides
from theory.assemblies import Assembly, SubFunction
from theory.evaluation import evaluate
from theory.ledger.assemblies import dominance_dial
from theory.networks import Activation, Dense, Input, Network, Readout
from theory.vocabulary import FAILURE, symbol

Array = NDArray[np.float64]

HALF = Fraction(1, 2)
DIM = 4
ERROR = 1e-7  # relative, of a norm by Lanczos on the whole
COUNTS: Mapping[Profile, tuple[int, ...]] = {
    "quick": (16, 32, 64, 128),
    "full": (16, 32, 64, 128, 256, 512),
}
SEEDS: Mapping[Profile, int] = {"quick": 6, "full": 12}


def _weak(w: jax.Array, x: jax.Array) -> jax.Array:
    """A sub-model of two neurons, and a linear part that keeps its gradient away from zero."""
    first, second = w[:DIM] @ x / math.sqrt(DIM), w[DIM:] @ x / math.sqrt(DIM)
    return first + jnp.tanh(first) * jnp.tanh(second) / 4


WEAK = SubFunction(_weak, 2 * DIM, DIM, beta=2.0, name="two neurons")
STRONG = Network(
    Input(DIM), Dense(5), Activation("tanh"), Dense(5), Activation("tanh"), Readout(init="sign")
)


def _input(seed: int) -> Array:
    """An input with |x|^2 = d."""
    x = np.random.default_rng((7, seed)).standard_normal(DIM)
    return np.asarray(x * math.sqrt(DIM) / np.linalg.norm(x))


@lru_cache(maxsize=512)
def _model(assembly: Assembly, count: int, seed: int) -> AssemblyModel:
    return numerics.instantiate(assembly, {"m": count}, seed=seed)


def assembly(**changes: object) -> Assembly:
    """The assembly of the experiments: m weak sub-models, signs for weights, s = sqrt(m)."""
    return Assembly(**{"parts": WEAK, "count": theory.width("m"), **changes})


# -- the whole, with no use of its blocks ----------------------------------------------------------


@jax.jit
def _output(params: jax.Array, coefficients: jax.Array, x: jax.Array) -> jax.Array:
    """F as one function of all parameters, shape (m, p)."""
    return coefficients @ jax.vmap(_weak, (0, None))(params, x)


_gradient = jax.jit(jax.grad(_output))


@jax.jit
def _curved(params: jax.Array, coefs: jax.Array, x: jax.Array, direction: jax.Array) -> jax.Array:
    return jax.jvp(lambda p: _gradient(p, coefs, x), (params,), (direction,))[1]


def _whole(model: AssemblyModel) -> tuple[jax.Array, jax.Array]:
    return jnp.asarray(np.stack([np.asarray(w) for w in model.params])), jnp.asarray(
        model.coefficients
    )


def hessian_norm(model: AssemblyModel, x: Array) -> Sides:
    """The Hessian norm of the assembly by Lanczos on products with the whole Hessian."""
    params, coefs = _whole(model)
    size = params.size

    def product(vector: Array) -> Array:
        direction = jnp.asarray(vector).reshape(params.shape)
        return np.asarray(_curved(params, coefs, jnp.asarray(x), direction)).ravel()

    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    start = np.random.default_rng(size).standard_normal(size)
    largest = eigsh(operator, k=1, which="LM", v0=start, return_eigenvectors=False, tol=1e-10)
    value = abs(float(largest[0]))
    return Sides.around(value, ERROR * value)


def gradient_norm(model: AssemblyModel, x: Array) -> float:
    """The Euclidean norm of the gradient of the whole."""
    params, coefs = _whole(model)
    return float(np.linalg.norm(_gradient(params, coefs, jnp.asarray(x))))


def _held(described: Assembly) -> Measure:
    """The Hessian norm of the whole against ``eta max_i |V_i| |H(g_i)|``."""

    def measure(count: int, seed: int) -> Sample:
        model, x = _model(described, count, seed), _input(seed)
        blocks = numerics.hessian_norm(model, x)
        bound = Sides(blocks.lower, blocks.value, blocks.upper)
        return Sample(hessian_norm(model, x), bound)

    return measure


@row("LZB22/B1")
def independent() -> Experiment:
    """B1: the norm is that of the largest block; without independence there are no blocks."""
    order = theory.catalog["LZB22/B1"].order
    holds = Family(
        "m independent weak sub-models, weights +-1, s = sqrt(m)",
        "||H|| of the whole, by Lanczos on all parameters",
        _held(assembly()),
        theta(-HALF * order.exponent("eta"), f"B1: {order} at eta = m^(-1/2)"),
        "eq",
        widths=COUNTS,
        seeds=SEEDS,
        slack=0.12,  # the maximum over i still grows at these m
    )
    fails = holds.without(
        "independent parameters", "the same sub-models, all with the parameters of the first", _tied
    )
    return Experiment("LZB22/B1", (holds,), (fails,))


def _tied(count: int, seed: int) -> Sample:
    """``f = sum_i v_i g(w) / sqrt(m)`` against the formula that believes the w_i apart."""
    model, x = _model(assembly(), count, seed), _input(seed)
    norm = part_norms(model, x)[0].value
    total = abs(float(model.weights.sum()))
    return Sample.of(total * norm / model.scale, norm / model.scale)


# -- B2 -------------------------------------------------------------------------------------------


def _least(described: Assembly) -> Measure:
    """The gradient norm of the whole against the least of the sub-models'."""

    def measure(count: int, seed: int) -> Sample:
        model, x = _model(described, count, seed), _input(seed)
        params, _ = _whole(model)
        slopes = jax.vmap(jax.grad(_weak), (0, None))(params, jnp.asarray(x))
        floor = np.min(np.abs(model.totals) * np.linalg.norm(slopes, axis=1))
        return Sample.of(gradient_norm(model, x), float(floor))

    return measure


def _relative(described: Assembly) -> Measure:
    """``|H| / |grad f|`` of the whole, against the same for s = sqrt(m)."""

    def measure(count: int, seed: int) -> Sample:
        x = _input(seed)
        found = []
        for one in (described, assembly()):
            model = _model(one, count, seed)
            found.append(hessian_norm(model, x).value / gradient_norm(model, x))
        return Sample.of(found[0], found[1], error=ERROR)

    return measure


@row("LZB22/B2")
def gradient() -> Experiment:
    """B2: the gradient stays, at s = sqrt(m) alone; relative to it the scale does not matter."""
    floor, size = (theory.catalog[f"LZB22/{n}"].order for n in ("B2-floor", "B2"))
    holds = Family(
        "m independent weak sub-models, s = sqrt(m)",
        "|grad f| of the whole, Euclidean",
        _least(assembly()),
        theta(floor.exponent("m"), f"B2-floor: {floor} from below, B2: {size} from above"),
        "ge",
        widths=COUNTS,
        seeds=SEEDS,
    )
    ratio = Family(
        "the same at s = m (mean field)",
        "|H| / |grad f| of the whole",
        _relative(assembly(scale="linear")),
        theta(-HALF, "B2-ratio: the scale cancels"),
        "eq",
        widths=COUNTS,
        seeds=SEEDS,
        slack=0.12,
    )
    fails = holds.without(
        "scale sqrt(m)", "the same at s = m (mean field)", _least(assembly(scale="linear"))
    )
    return Experiment("LZB22/B2-floor", (holds, ratio), (fails,))


DELTA = 0.05
LIFTED = SubFunction(
    lambda w, x: jax.nn.sigmoid(w @ x / math.sqrt(DIM)), DIM, DIM, beta=1.0, name="sigmoid"
)
"""Values between 0 and 1, on average 1/2: without signs they add up."""


def _output_size(described: Assembly) -> Measure:
    """|f| against ``sqrt(2 ln(2/delta)) G`` with G = 1."""
    theorem = theory.catalog["LZB22/B2-output"]
    values = {FAILURE: DELTA, symbol("part_size"): 1.0}
    bound = float(evaluate(theorem.inequality.args[1], values))

    def measure(count: int, seed: int) -> Sample:
        output = _model(described, count, seed).apply(None, _input(seed))
        return Sample.of(abs(float(output)), bound)

    return measure


@row("LZB22/B2-output")
def output() -> Experiment:
    """B2: random signs keep the output O(1); without them it grows as sqrt(m)."""
    holds = Family(
        "m sigmoids of a linear form each, random signs, s = sqrt(m), delta = 0.05",
        "|f|",
        _output_size(assembly(parts=LIFTED)),
        widths=COUNTS,
        seeds={"quick": 20, "full": 60},
        budget=DELTA,
    )
    fails = holds.without(
        "random signs",
        "the same, all weights one",
        _output_size(assembly(parts=LIFTED, weights="ones")),
    )
    return Experiment("LZB22/B2-output", (holds,), (fails,))


# -- B3 -------------------------------------------------------------------------------------------


def _dominated(described: Assembly, gamma: Fraction) -> Measure:
    """The Hessian norm of the whole against ``m^(gamma - 1/2) |H(g_1)|``."""

    def measure(count: int, seed: int) -> Sample:
        model, x = _model(described, count, seed), _input(seed)
        first = part_norms(model, x)[0].value
        floor = float(count) ** float(gamma - HALF) * first
        return Sample(hessian_norm(model, x), Sides.around(floor, ERROR * floor))

    return measure


@row("LZB22/B3")
def dominance() -> Experiment:
    """B3: the dial of dominance, from no decay at gamma = 1/2 to all of it without."""
    holds = [
        Family(
            f"the first sub-model with the weight m^{gamma}, s = sqrt(m)",
            "||H|| of the whole",
            _dominated(assembly(dominance=gamma), gamma),
            theta(dominance_dial(gamma).order.exponent("m"), "B3-dominance, attained"),
            "ge",
            widths=COUNTS,
            seeds=SEEDS,
            slack=0.12,
        )
        for gamma in (HALF, Fraction(1))
    ]
    fails = holds[0].without(
        "a dominating sub-model", "all weights +-1", _dominated(assembly(), HALF)
    )
    return Experiment("LZB22/B3-dominance", tuple(holds), (fails,))


def _grouped(number: int, exponent: Fraction) -> tuple[int, int]:
    """About N^exponent groups, and how many members each has."""
    groups = max(round(number ** float(exponent)), 1)
    return groups, number // groups


def _shared(exponent: Fraction) -> Measure:
    """N sub-models in about N^exponent groups, against ``eta max_i |V_i| |H(g_i)|``."""

    def measure(number: int, seed: int) -> Sample:
        groups, members = _grouped(number, exponent)
        described = Assembly(WEAK, groups, weights="ones", shared=members)
        model, x = _model_of(described, seed), _input(seed)
        blocks = numerics.hessian_norm(model, x)
        return Sample(hessian_norm(model, x), Sides(blocks.lower, blocks.value, blocks.upper))

    return measure


@lru_cache(maxsize=256)
def _model_of(described: Assembly, seed: int) -> AssemblyModel:
    return numerics.instantiate(described, seed=seed)


@row("LZB22/B3-sharing")
def diversity() -> Experiment:
    """B3: the dial of diversity: N^d groups of weights one have ``|H| ~ N^(1/2 - d)``."""
    squares: Mapping[Profile, tuple[int, ...]] = {
        "quick": (16, 64, 256),
        "full": (16, 64, 256, 1024),
    }
    holds = [
        Family(
            f"N sub-models of weight one in N^{d} groups with the same parameters, s = sqrt(N)",
            "||H|| of the whole",
            _shared(d),
            theta(HALF - d, "B3: |sum of a group's weights| / sqrt(N)"),
            "eq",
            widths=squares,
            seeds={"quick": 12, "full": 24},
            slack=0.2,  # a maximum over few groups still grows
        )
        for d in (HALF, Fraction(1))
    ]
    fails = holds[1].without(
        "parameters of their own", "all N with the same parameters", _shared(Fraction(0))
    )
    return Experiment("LZB22/B3-sharing", tuple(holds), (fails,))


# -- B7 -------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _report(described: Assembly, count: int, seed: int) -> AssemblyReport:
    return measure_assembly(_model(described, count, seed), _input(seed))


def _strong(described: Assembly, against: Assembly | None = None) -> Measure:
    """The Hessian norm of an assembly of networks against B7, A7 for each network in it."""

    def measure(count: int, seed: int) -> Sample:
        x = _input(seed)
        report = _report(against or described, count, seed)
        norm = report.hessian
        if against is not None:
            norm = numerics.hessian_norm(_model(described, count, seed), x)
        bound = Sides.around(report.bound, 1e-9 * report.bound)
        return Sample(Sides(norm.lower, norm.value, norm.upper), bound)

    return measure


@row("LZB22/B7")
def strong() -> Experiment:
    """B7: networks of fixed size assemble, each with its own theorem in the bound."""
    few: Mapping[Profile, tuple[int, ...]] = {
        "quick": (8, 20, 50),
        "full": (8, 16, 32, 64, 128, 256),
    }
    plain = Assembly(STRONG, theory.width("m"))
    heavy = Assembly(STRONG, theory.width("m"), dominance=HALF)
    exponent = theory.catalog["LZB22/B7"].order.exponent("m")
    holds = Family(
        "m networks of depth 2 and width 5, weights +-1, s = sqrt(m)",
        "||H||",
        _strong(plain),
        at_most(exponent, "B7, with the maximum of m samples beta_i", HALF),
        widths=few,
        seeds=SEEDS,
        slack=0.2,  # the Hessian norms of the sub-models have tails heavier than Gaussian ones
    )
    fails = holds.without(
        "no dominating sub-model", "the first with the weight sqrt(m)", _strong(heavy, plain)
    )
    return Experiment("LZB22/B7", (holds,), (fails,))
