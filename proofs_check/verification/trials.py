"""One network at one input (or a pair of them), and everything that is measured there once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import jax
import numpy as np

from numerics.ball import perturb, towards
from numerics.graphs.products import NodeProducts, node_products
from numerics.hessian import hessian_norm
from numerics.kernels import kernel_change
from numerics.krylov import ritz_pairs
from numerics.linearization import linearization_gap
from numerics.lowrank import coefficients, dimension, embed, multiply
from numerics.measure import Measurement, measure
from numerics.models import Model, Params, trace
from numerics.products import Products, products
from numerics.search import ball_search
from numerics.spectral import SpectralError, SpectralNorm
from numerics.tolerances import Tolerance
from numerics.tolerances import network as pass_tolerance
from proofs_check.data import Inputs
from proofs_check.measuring.environment import Environment
from proofs_check.verification import architectures
from proofs_check.verification.statements import UNKNOWN, Sides
from theory.derive.graph_bench import code_of
from theory.derive.graph_products import pair_operators
from theory.terms import Term, make, norm
from theory.vocabulary import BETWEEN, pair_definition
from theory.vocabulary import CENTRE as CENTRE_POINT

CENTRE = "centre"
SMALL = 1 << 18  # parameters up to which NumPy is done before a compilation would be
LANCZOS_STEPS = 60
LANCZOS_TOLERANCE = 1e-4  # of the residual: a direction to step along, not a certificate


@dataclass(frozen=True)
class Search:
    """How a ball is searched for points where a bound is tight.

    Attributes:
        starts: ascents of :func:`numerics.ball_search`; 0 for none.
        steps: Hessian norms estimated in each.
        random: points at random on the sphere.
        directions: whether to try the points along ``H grad f``, where the kernel moves fastest,
            and along the leading eigenvector of H, where f bends most.
        limit: number of parameters up to which any of ``starts`` and ``directions`` is done.
    """

    starts: int = 1
    steps: int = 3
    random: int = 1
    directions: bool = True
    limit: int = 20_000_000


@dataclass(eq=False)
class Trial:
    """A network with numbers in it, one input or two, and a ball; measured on demand.

    Attributes:
        model: the network.
        x: the input, shape ``(d,)``.
        z: the other input, where a statement is about two.
        radius: of the ball around the model's own parameters; None for no ball.
        search: where in the ball to measure.
        notes: what could not be measured, and why.
    """

    model: Any  # numerics.AnyModel: callers know which of the two they gave
    x: Inputs
    z: Inputs
    radius: float | None = None
    search: Search = field(default_factory=Search)
    notes: list[str] = field(default_factory=list)
    _products: dict[str, Products | NodeProducts] = field(default_factory=dict, repr=False)

    # -- at the centre ----------------------------------------------------------------------------

    @cached_property
    def statistics(self) -> dict[str, Measurement]:
        """The layer statistics and the gradient norm at both inputs, the Hessian norm left out."""
        first = measure(self.model, self._shaped(self.x), hessian=False)
        if np.array_equal(self.x, self.z):
            return {"x": first, "z": first}
        return {"x": first, "z": measure(self.model, self._shaped(self.z), hessian=False)}

    def _shaped(self, x: Inputs) -> Any:
        return architectures.shaped(self.model, x)

    @property
    def _pass(self) -> Tolerance:
        """The rounding of one pass through the network."""
        return pass_tolerance(architectures.sizes_of(self.model))

    @cached_property
    def margin(self) -> float:
        """Relative rounding error granted to a bound: a few per layer statistic in a product.

        The bound is a polynomial in the statistics of degree at most three per layer, each of them
        right to one pass through the network.
        """
        return (3 * architectures.depth_of(self.model) + 8) * self._pass.relative

    def other(self, term: Term) -> Sides:
        """Any other norm in a bound, at the centre.

        That of a product over several layers or nodes has both its sides (`numerics.products`,
        `numerics.graphs.products`); others come from the evaluator of proof lines.
        """
        if term in self._pairs:
            at, key = self._pairs[term]
            ends = self._between(at).norm(*key)
            return Sides(ends.lower, ends.lower, ends.upper)
        from proofs_check.measuring.evaluate import measure

        found = measure(term, self._centre)
        return Sides.around(found.value, found.error)

    @cached_property
    def _centre(self) -> Environment:
        """What the symbols of proofs are at the centre."""
        return architectures.environment(
            self.model,
            inputs={"x": self.x, "z": self.z},
            reals={} if self.radius is None else {"R": self.radius},
        )

    @cached_property
    def _pairs(self) -> dict[Term, tuple[str, tuple[str, int, int]]]:
        """The norms over pairs of layers or nodes, by the terms that proofs have for them."""
        if not isinstance(self.model, Model):
            code = code_of(self.model.graph)
            return {
                norm(operator): (at, key)
                for at in ("x", "z")
                for key, operator in pair_operators(code, make("input", at)).items()
            }
        depth = self.model.net.depth
        keys = [
            key
            for low in range(1, depth + 1)
            for high in range(low, depth + 1)
            for key in (("N", high, low), ("C", low, high))
        ] + [
            (name, high, low)
            for low in range(1, depth)
            for high in range(low + 1, depth + 1)
            for name in BETWEEN
        ]
        return {
            pair_definition(*key, depth, CENTRE_POINT, make("input", at)): (at, key)
            for at in ("x", "z")
            for key in keys
        }

    def _between(self, at: str) -> Products | NodeProducts:
        if at not in self._products:
            x = self._shaped(self.x if at == "x" else self.z)
            plain = isinstance(self.model, Model)
            self._products[at] = products(self.model, x) if plain else node_products(self.model, x)
        return self._products[at]

    # -- on the ball ------------------------------------------------------------------------------

    @cached_property
    def points(self) -> dict[str, Params]:
        """Points of the ball beside its centre, by how they were found."""
        if self.radius is None:
            return {}
        seed = self.model.seed
        found = {
            "random" if i == 0 else f"random {i + 1}": perturb(self.model, self.radius, seed + i)
            for i in range(self.search.random)
        }
        if self.radius == 0 or self.model.num_params > self.search.limit:
            return found
        if self.search.directions and isinstance(self.model, Model):
            steepest = Steepest(self.model, self.x)
            for name in ("kernel", "eigenvector"):
                find = partial(self._along, getattr(steepest, name))
                found |= self._attempt(name, find)
        if self.search.starts:
            found |= self._attempt("search", self._climb)
        return found

    def _along(self, direction: Callable[[], Params]) -> Params:
        return towards(self.model.params, direction(), self.radius or 0.0)

    def _climb(self) -> Params:
        found = ball_search(
            self.model,
            self._shaped(self.x),
            self.radius or 0.0,
            starts=self.search.starts,
            steps=self.search.steps,
            seed=self.model.seed,
        )
        self._searched = found.norm
        return found.params

    def _attempt(self, name: str, find: Callable[[], Params]) -> dict[str, Params]:
        try:
            return {name: find()}
        except (SpectralError, FloatingPointError, np.linalg.LinAlgError) as error:
            self.notes.append(f"no point {name!r} in the ball: {error}")
            return {}

    @cached_property
    def hessians(self) -> dict[str, SpectralNorm]:
        """Enclosed Hessian norms at the centre and at the points of the ball."""
        places: dict[str, Params] = {CENTRE: self.model.params, **self.points}
        found = {}
        for name, params in places.items():
            if name == "search" and hasattr(self, "_searched"):
                found[name] = self._searched
                continue
            norm = self._norm(name, params)
            if norm is not None:
                found[name] = norm
        return found

    def _norm(self, name: str, params: Params) -> SpectralNorm | None:
        try:
            return hessian_norm(self.model, self._shaped(self.x), params)
        except SpectralError as error:
            self.notes.append(f"no Hessian norm at {name}: {error}")
            return None

    @cached_property
    def centre_norm(self) -> SpectralNorm | None:
        """The enclosed Hessian norm at the centre alone; None where it is not defined."""
        if "hessians" in self.__dict__:
            return self.hessians.get(CENTRE)
        return self._norm(CENTRE, self.model.params)

    @cached_property
    def kernel_changes(self) -> dict[str, Sides]:
        """``|K(x, z) - K0(x, z)|`` at the points of the ball, with its rounding error."""
        pair = np.stack([self._shaped(self.x), self._shaped(self.z)])
        found = {}
        for name, params in self.points.items():
            with np.errstate(all="ignore"):  # what overflows is not a number, and decides nothing
                change = kernel_change(self.model, pair, params)
            size = float(np.max(np.abs(change.reference), initial=0.0)) + change.absolute
            error = 4 * self._pass.margin(size)
            found[name] = Sides.around(abs(float(change.difference[0, 1])), error)
        return found

    @cached_property
    def gaps(self) -> dict[str, Sides]:
        """``|f - f_lin|`` at the points of the ball, with its rounding error."""
        here = self.statistics["x"]
        found = {}
        for name, params in self.points.items():
            gap = linearization_gap(self.model, self._shaped(self.x), params)
            size = abs(here["output"]) + here["gradient_norm"] * (self.radius or 0.0) + gap
            found[name] = Sides.around(gap, 4 * self._pass.margin(size))
        return found

    # -- by the name of the quantity --------------------------------------------------------------

    def values(self, quantity: str, ball: bool) -> dict[str, Sides]:
        """What is to be held against a bound: at the centre, or at points of the ball.

        Returns:
            Sides by place; empty if nothing could be measured.
        """
        match quantity:
            case "hessian_norm" if ball:
                return {p: Sides(n.lower, n.value, n.upper) for p, n in self.hessians.items()}
            case "hessian_norm":
                norm = self.centre_norm
                return {} if norm is None else {CENTRE: Sides(norm.lower, norm.value, norm.upper)}
            case "kernel_change":
                return self.kernel_changes
            case "linearization_gap":
                return self.gaps
            case "gradient_norm":
                size = self.statistics["x"]["gradient_norm"]
                error = self._pass.margin(size)
                return {CENTRE: Sides.around(size, error)}
        return {CENTRE: UNKNOWN}


def largest(values: dict[str, Sides]) -> tuple[str, Sides]:
    """The place of the largest value, and the largest of all ends."""
    if not values:
        return "nowhere", UNKNOWN
    place = max(values, key=lambda p: (not math.isnan(values[p].value), values[p].value))
    ends = [(s.lower, s.value, s.upper) for s in values.values()]
    if any(math.isnan(v) for end in ends for v in end):
        return place, Sides(values[place].lower, values[place].value, math.nan)
    return place, Sides(*(max(end[i] for end in ends) for i in range(3)))


class Steepest:
    """Directions in which a network changes fastest, in the coordinates of `numerics.lowrank`.

    The gradient has the coordinates ``U^l = c_l b^l``, ``p = 0``, ``u = alpha^L / sqrt(m_L)``, with
    ``c_l = |alpha^(l-1)| / sqrt(m_(l-1))`` and ``b^l = df/dz^l``.
    """

    def __init__(self, model: Model, x: Inputs) -> None:
        """Run the network once."""
        self.model, self.trained = model, model.trained_readout
        passes = trace(model, x)
        self.coefs = coefficients(passes, model.net.activations)
        self.size = dimension(model.widths, self.trained)
        self.top = np.asarray(passes.alpha[-1]) / math.sqrt(model.widths[-1])
        compiled = model.num_params > SMALL
        self._product = _compiled_multiply if compiled else multiply
        weights = model.params["W"]
        self._weights = weights if compiled else jax.tree.map(np.asarray, weights)

    def times(self, y: np.ndarray) -> np.ndarray:
        """The Hessian times a vector of coordinates, shape ``(n,)``."""
        rows = y[None].astype(self.model.dtype)
        return np.asarray(self._product(self._weights, self.coefs, rows, self.trained)[0])

    def eigenvector(self) -> Params:
        """The leading eigenvector of H: along it f bends away from its linearization most."""
        start = np.random.default_rng(self.model.seed).standard_normal(self.size)
        pairs = ritz_pairs(self.times, start, steps=LANCZOS_STEPS, tolerance=LANCZOS_TOLERANCE)
        return embed(self.coefs, pairs.vectors[pairs.top], self.trained)

    def kernel(self) -> Params:
        """``H grad f``: along it K(x, x) grows fastest, to first order."""
        blocks = [c * b for c, b in zip(self.coefs.scale, self.coefs.back, strict=True)]
        y = np.zeros(self.size)
        start = np.concatenate(blocks)
        y[: start.size] = start
        if self.trained:
            y[-self.top.size :] = self.top
        return embed(self.coefs, self.times(y), self.trained)


_compiled_multiply = partial(jax.jit, static_argnums=3)(multiply)
