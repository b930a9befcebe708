"""Every quantity of the vocabulary, measured on one network at one input.

The names are those of `theory.vocabulary`. Which side of the truth a number stands on:

- ``s`` and ``r`` enter upper bounds, and one that is too large would let a bound pass falsely: it
  is the exact norm up to rounding where a dense decomposition fits, and beyond that a Rayleigh
  quotient, which cannot exceed the norm. `Measurement.enclosure` has the other side.
- ``lambda``, ``beta``: the exact supremum rounded to nearest where one is proved; otherwise the
  lower end of its certified enclosure; a bound the user declared is taken as declared; inf where
  the supremum is infinite.
- ``hessian_norm``: the value of `numerics.hessian_norm`; a bound must be held against the
  *upper* end of `Measurement.enclosure`, or it could pass falsely.
- the rest comes from one forward and backward pass and is exact up to rounding
  (`numerics.tolerances.network`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from numerics.activations import host_derivatives
from numerics.graphs.model import AnyModel, GraphModel
from numerics.hessian import hessian_norm
from numerics.models import Model, Params, Trace, check_params, trace
from numerics.products import Enclosure, Map, Products, norm_of, products
from numerics.spectral import SpectralNorm
from numerics.tolerances import Numbers, gamma
from theory.activations import ActivationFunction, CertificationError, UnboundedDerivativeError

__all__ = ["Enclosure", "Measurement", "measure", "supremum", "weight_norm"]

Key = str | tuple[str, int] | tuple[str, int, int]


@dataclass(frozen=True, eq=False, repr=False)
class Measurement(Mapping[Key, float]):
    """Measured quantities by name: ``("s", 2)`` for a layer's, ``"output"`` for the network's.

    Attributes:
        entries: the numbers.
        enclosures: both sides, for the quantities that are not exact up to rounding.
        absent: why a quantity of the vocabulary was not measured.
        hessian: the certificate of ``"hessian_norm"``; None if that was left out.
    """

    entries: Mapping[Key, float]
    enclosures: Mapping[Key, Enclosure] = field(default_factory=dict)
    absent: Mapping[Key, str] = field(default_factory=dict)
    hessian: SpectralNorm | None = None

    def __getitem__(self, key: Key) -> float:
        """The measured number.

        Raises:
            KeyError: saying why it was not measured, or which names there are.
        """
        if key in self.entries:
            return self.entries[key]
        names = ", ".join(str(k) for k in self.entries)
        msg = self.absent.get(key, f"{key!r} was not measured; there are {names}")
        raise KeyError(msg)

    def __iter__(self) -> Iterator[Key]:
        """The names, layer by layer."""
        return iter(self.entries)

    def __len__(self) -> int:
        """The number of measured quantities."""
        return len(self.entries)

    def __contains__(self, key: object) -> bool:
        """Whether the quantity was measured."""
        return key in self.entries

    def enclosure(self, key: Key) -> Enclosure:
        """Both sides of a quantity; they coincide where it is exact up to rounding.

        Raises:
            KeyError: as for the number itself.
        """
        value = self[key]
        return self.enclosures.get(key, Enclosure(value, value))

    def __repr__(self) -> str:
        """One quantity a line, layers side by side."""
        rows: dict[str, list[str]] = {}
        for key, value in self.entries.items():
            name = key if isinstance(key, str) else key[0]
            rows.setdefault(name, []).append(f"{value:.6g}")
        return "\n".join(f"{name:14} {'  '.join(values)}" for name, values in rows.items())


def measure(
    model: AnyModel,
    x: Numbers,
    params: Params | None = None,
    *,
    hessian: bool = True,
    pairs: bool = False,
    output: int = 0,
) -> Measurement:
    """Measure every quantity of the vocabulary.

    For a plain fully connected network the indices are layers, as below. For others they are nodes
    n of ``model.graph``: ``("m", n)`` size of alpha^n, ``("a", n)`` = |alpha^n|_2/sqrt(size),
    ``("g", n)`` = |delta^n|_2, ``("q", n)`` = |delta^n|_inf; at nodes with weights ``("tau", n)``
    the constant of the rule, ``("node_norm", n)`` the norm of the map A^n of the parent's value,
    and where the weights are trained ``("own_norm", n)`` that of the derivative by them and
    ``("mixed_norm", n)`` that of the mixed derivative of the output by them and the parent's value
    (all spectral); at fixed linear nodes ``("ell[j]", n)`` the bound on the map of the j-th parent;
    at pointwise nodes ``("h", n)`` = |sigma'(alpha^p) delta^n|_2, ``("c", n)`` =
    |sigma''(alpha^p) delta^n|_inf, ``("lambda", n)`` and ``("beta", n)``; and the quantities of
    the whole network.

    Args:
        model: the network.
        x: one input, shape (d,), or of the network's input shape.
        params: where; None means `model.params`.
        hessian: whether to compute ``"hessian_norm"``, by far the costliest.
        pairs: whether to compute N, n, w, b and C, the norms of products over several layers, for
            every pair of layers; for other networks ``("pair_curve", k, k')`` and
            ``("pair_cross", k', k)`` of nodes with weights, as in `numerics.graphs.products`.
        output: which output f is, where the network has several.

    Returns:
        ``("m", l)`` width, l = 0..L; ``("a", l)`` = |alpha^l|_2 / sqrt(m_l), l = 0..L;
        ``("s", l)`` = |W^l| / sqrt(m_(l-1)) (spectral); ``("g", l)`` = |delta^l|_2; ``("q", l)`` =
        |delta^l|_inf; ``("h", l)`` = |sigma'(z^l) delta^l|_2; ``("c", l)`` =
        |sigma''(z^l) delta^l|_inf; ``("r", l)`` = |W^l diag(sigma'(z^(l-1)))| / sqrt(m_(l-1))
        (spectral), l = 2..L; so are, with D = diag(sigma'(z^(l-1))) and m = m_(l-1), ``("t", l)`` =
        |diag(sigma'' delta) W D| / sqrt(m), ``("y", l)`` = |D W' diag(sigma'' delta) W D| / m,
        ``("e", l)`` = |diag(delta) W| / sqrt(m), ``("p", l)`` the largest Euclidean norm of a
        column of diag(delta) W / sqrt(m) and ``("u", l)`` that of a column of W / sqrt(m);
        ``("N", l, k)`` and ``("C", k, l)``, k <= l, and ``("n", l, k)``, ``("w", l, k)`` and
        ``("b", l, k)``, k < l, as in `numerics.products`; ``("lambda", l)``, ``("beta", l)`` =
        sup|sigma_l'|, sup|sigma_l''|, all l = 1..L; ``"output"`` = f; ``"gradient_norm"`` =
        |grad f|_2; ``"kernel"`` = |grad f|_2^2; ``"hessian_norm"`` (spectral). Norms of derivatives
        are over all trainable parameters.

    Raises:
        ValueError: x or a parameter has the wrong shape, or there is no such output.
    """
    params, output = check_params(model, params), model.checked_output(output)
    if isinstance(model, GraphModel):
        from numerics.graphs.measuring import node_quantities

        sides, absent = node_quantities(model, params, model.checked_input(x, False), output)
        if pairs:
            from numerics.graphs.products import node_products

            between = node_products(model, x, params, output=output)
            sides |= {key: between.norm(*key) for key in between.pairs()}
        entries = {key: side.lower for key, side in sides.items()}
        enclosures = {key: side for key, side in sides.items() if side.lower < side.upper}
    else:
        entries, enclosures, absent = _dense(model, x, params, pairs)
    certificate = None
    if hessian:
        certificate = hessian_norm(model, x, params, output=output)
        entries["hessian_norm"] = certificate.value
        enclosures["hessian_norm"] = Enclosure(certificate.lower, certificate.upper)
    else:
        absent["hessian_norm"] = "hessian_norm was left out; measure with hessian=True"
    return Measurement(entries, enclosures, absent, certificate)


def _dense(
    model: Model, x: Numbers, params: Params, pairs: bool
) -> tuple[dict[Key, float], dict[Key, Enclosure], dict[Key, str]]:
    """All of `measure` but the Hessian norm, for a plain fully connected network."""
    passes = trace(model, x, params)
    entries: dict[Key, float] = {("m", layer): float(m) for layer, m in enumerate(model.widths)}
    enclosures: dict[Key, Enclosure] = {}
    absent: dict[Key, str] = {}
    for layer, weight in enumerate(params["W"], start=1):
        scale = math.sqrt(model.widths[layer - 1])
        norm = weight_norm(weight)
        entries["s", layer] = norm.lower / scale
        enclosures["s", layer] = Enclosure(norm.lower / scale, norm.upper / scale)
    entries.update(_pass_statistics(passes))
    _sloped_statistics(model, params, passes, entries, enclosures)
    _weighted_statistics(model, params, passes, entries, enclosures)
    if pairs:
        _pair_statistics(products(model, x, params), entries, enclosures)
    for layer, activation in enumerate(model.net.activations, start=1):
        for order, name in ((1, "lambda"), (2, "beta")):
            try:
                sides = supremum(activation, order)
            except CertificationError as error:
                absent[name, layer] = f"{name} of layer {layer} is not known: {error}"
                continue
            entries[name, layer], enclosures[name, layer] = sides.lower, sides
    entries["output"] = float(passes.f)
    entries["gradient_norm"] = _gradient_norm(model, entries)
    entries["kernel"] = entries["gradient_norm"] * entries["gradient_norm"]
    return entries, enclosures, absent


def weight_norm(weight: Numbers) -> Enclosure:
    """The spectral norm of a matrix, the lower side sharp.

    Args:
        weight: shape (m, n).

    Returns:
        Up to a smaller dimension of 512: the norm from all eigenvalues of the smaller Gram matrix
        as computed, and above it that norm plus `numerics.tolerances.spectrum` and the rounding of
        the products. Beyond: the lower end is a Rayleigh
        quotient at Lanczos convergence, in practice exact to rounding; the upper end holds with
        probability 1 - 1e-9 over the random start (`numerics.certificates`).
    """
    matrix = np.asarray(weight, np.float64)
    matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    largest = float(np.max(np.abs(matrix), initial=0.0))
    if not (math.isfinite(largest) and largest > 0):
        return Enclosure(largest, largest)
    unit = 2.0 ** (math.frexp(largest)[1] - 1)  # exact, and squares cannot overflow or underflow
    if not 1e-100 < unit < 1e100:
        matrix = matrix / unit
    else:
        unit = 1.0
    # Two products of lengths m and n; that gamma covers their conditioning as well: see
    # numerics.tolerances.network.
    rounding = gamma(sum(matrix.shape))
    sides = norm_of(Map(matrix.shape, lambda c: matrix @ c, lambda c: matrix.T @ c, 0.0, rounding))
    return Enclosure(unit * sides.lower, unit * sides.upper)


def form_norm(matrix: Numbers, weights: Numbers, strength: float) -> Enclosure:
    """The spectral norm of ``X' diag(c) X``, the lower side sharp.

    Args:
        matrix: X, shape (m, n).
        weights: c, shape (m,).
        strength: the spectral norm of X, or more.

    Returns:
        As for :func:`numerics.products.norm_of`.
    """
    rows, own = np.asarray(matrix, np.float64), np.asarray(weights, np.float64)
    size, largest = (float(np.max(np.abs(part), initial=0.0)) for part in (rows, own))
    if not (math.isfinite(size * largest) and size > 0 and largest > 0):
        return Enclosure(size * largest, size * largest)
    rows, own = rows / size, own / largest

    def act(columns: Float[np.ndarray, "_ _"]) -> Float[np.ndarray, "_ _"]:
        found: np.ndarray = rows.T @ (own[:, None] * (rows @ columns))
        return found

    order = rows.shape[1]
    error = gamma(2 * sum(rows.shape)) * (strength / size) ** 2
    sides = norm_of(Map((order, order), act, act, error))
    return Enclosure(size * size * largest * sides.lower, size * size * largest * sides.upper)


def _pass_statistics(passes: Trace) -> dict[Key, float]:
    found: dict[Key, float] = {}
    for layer, alpha in enumerate(passes.alpha):
        found["a", layer] = _norm(alpha) / math.sqrt(alpha.size)
    for layer, delta in enumerate(passes.delta, start=1):
        found["g", layer] = _norm(delta)
    for layer, delta in enumerate(passes.delta, start=1):
        found["q", layer] = float(np.max(np.abs(np.asarray(delta))))
    return found


def _sloped_statistics(
    model: Model,
    params: Params,
    passes: Trace,
    entries: dict[Key, float],
    enclosures: dict[Key, Enclosure],
) -> None:
    """Add r, h, c: the statistics in which each neuron keeps its own slope and curvature."""
    below: np.ndarray | None = None
    for layer, (z, delta, activation) in enumerate(
        zip(passes.z, passes.delta, model.net.activations, strict=True), start=1
    ):
        _, slope, bend = host_derivatives(activation, np.asarray(z), 2)
        signal = np.asarray(delta)
        entries["h", layer] = _norm(slope * signal)
        entries["c", layer] = float(np.max(np.abs(bend * signal)))
        if below is not None:
            scale = math.sqrt(model.widths[layer - 1])
            sloped = np.asarray(params["W"][layer - 1]) * below / scale
            curved = (bend * signal)[:, None] * sloped
            strength = weight_norm(sloped)
            for name, sides in (
                ("r", strength),
                ("t", weight_norm(curved)),
                ("y", form_norm(sloped, bend * signal, strength.upper)),
            ):
                entries[name, layer], enclosures[name, layer] = sides.lower, sides
        below = slope


def _weighted_statistics(
    model: Model,
    params: Params,
    passes: Trace,
    entries: dict[Key, float],
    enclosures: dict[Key, Enclosure],
) -> None:
    """Add e, p, u: the weights as the signal sees them, and their columns."""
    for layer in range(2, model.net.depth + 1):
        own = np.asarray(params["W"][layer - 1]) / math.sqrt(model.widths[layer - 1])
        seen = np.asarray(passes.delta[layer - 1])[:, None] * own
        sides = weight_norm(seen)
        entries["e", layer], enclosures["e", layer] = sides.lower, sides
        for name, matrix in (("p", seen), ("u", own)):
            entries[name, layer] = float(np.max([_norm(column) for column in matrix.T]))


def _pair_statistics(
    between: Products, entries: dict[Key, float], enclosures: dict[Key, Enclosure]
) -> None:
    for low in range(1, between.depth + 1):
        for high in range(low, between.depth + 1):
            names = ["N"] if low == high else ["N", "n", "w", "b"]
            for key in (*((name, high, low) for name in names), ("C", low, high)):
                sides = between.norm(*key)
                entries[key], enclosures[key] = sides.lower, sides


def _gradient_norm(model: Model, entries: Mapping[Key, float]) -> float:
    """From df/dW^l = (D^l delta^l)(alpha^(l-1))^T/sqrt(m_(l-1)) and df/dv = alpha^L/sqrt(m_L)."""
    depth = model.net.depth
    blocks = [entries["a", layer - 1] * entries["h", layer] for layer in range(1, depth + 1)]
    return math.hypot(*blocks, entries["a", depth] if model.trained_readout else 0.0)


def _norm(vector: Array | np.ndarray) -> float:
    """Euclidean norm; BLAS scales, so that squares neither overflow nor underflow."""
    return float(scipy.linalg.norm(np.asarray(vector, np.float64), check_finite=False))


def supremum(activation: ActivationFunction, order: int) -> Enclosure:
    """The supremum of a derivative of an activation; the module says which side a number is on.

    Args:
        activation: sigma.
        order: of the derivative.

    Returns:
        Both sides; infinite ones where it is unbounded.

    Raises:
        CertificationError: it could not be enclosed.
    """
    try:
        found = activation.sup(order)
    except UnboundedDerivativeError:
        return Enclosure(math.inf, math.inf)
    upper = float(found)
    if found.exact is not None:
        value = float(found.exact)
        return Enclosure(value, value)
    if found.declared:
        return Enclosure(upper, upper)
    lower = float(found.lower)
    return Enclosure(lower if lower <= found.lower else math.nextafter(lower, 0.0), upper)
