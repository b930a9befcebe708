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
from typing import NamedTuple

import jax
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from numerics.activations import host_derivatives
from numerics.certificates import a_posteriori_bound
from numerics.hessian import hessian_norm
from numerics.krylov import ritz_pairs
from numerics.models import Model, Params, Trace, check_params, trace
from numerics.spectral import SpectralNorm
from numerics.tolerances import Numbers, gamma, spectrum
from theory.activations import ActivationFunction, CertificationError, UnboundedDerivativeError

__all__ = ["Enclosure", "Measurement", "measure", "weight_norm"]

Key = str | tuple[str, int]

DENSE_ORDER = 512  # up to here all singular values cost less than a Lanczos run
LANCZOS_STEPS = 500
LANCZOS_TOLERANCE = 1e-10  # of the residual; the value's own error is of the order of its square
FAILURE_PROBABILITY = 1e-9


class Enclosure(NamedTuple):
    """``lower <= quantity <= upper``, up to rounding."""

    lower: float
    upper: float


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
    model: Model, x: Numbers, params: Params | None = None, *, hessian: bool = True
) -> Measurement:
    """Measure every quantity of the vocabulary.

    Args:
        model: the network.
        x: one input, shape (d,).
        params: where; None means `model.params`.
        hessian: whether to compute ``"hessian_norm"``, by far the costliest.

    Returns:
        ``("m", l)`` width, l = 0..L; ``("a", l)`` = |alpha^l|_2 / sqrt(m_l), l = 0..L;
        ``("s", l)`` = |W^l| / sqrt(m_(l-1)) (spectral); ``("g", l)`` = |delta^l|_2; ``("q", l)`` =
        |delta^l|_inf; ``("h", l)`` = |sigma'(z^l) delta^l|_2; ``("c", l)`` =
        |sigma''(z^l) delta^l|_inf; ``("r", l)`` = |W^l diag(sigma'(z^(l-1)))| / sqrt(m_(l-1))
        (spectral), l = 2..L; ``("lambda", l)``, ``("beta", l)`` = sup|sigma_l'|, sup|sigma_l''|,
        all l = 1..L; ``"output"`` = f; ``"gradient_norm"`` = |grad f|_2; ``"kernel"`` =
        |grad f|_2^2; ``"hessian_norm"`` (spectral). Norms of derivatives are over all trainable
        parameters.

    Raises:
        ValueError: x or a parameter has the wrong shape.
    """
    params = check_params(model, params)
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
    for layer, activation in enumerate(model.net.activations, start=1):
        for order, name in ((1, "lambda"), (2, "beta")):
            try:
                sides = _supremum(activation, order)
            except CertificationError as error:
                absent[name, layer] = f"{name} of layer {layer} is not known: {error}"
                continue
            entries[name, layer], enclosures[name, layer] = sides.lower, sides
    entries["output"] = float(passes.f)
    entries["gradient_norm"] = _gradient_norm(model, entries)
    entries["kernel"] = entries["gradient_norm"] * entries["gradient_norm"]
    certificate = None
    if hessian:
        certificate = hessian_norm(model, x, params)
        entries["hessian_norm"] = certificate.value
        enclosures["hessian_norm"] = Enclosure(certificate.lower, certificate.upper)
    else:
        absent["hessian_norm"] = "hessian_norm was left out; measure with hessian=True"
    return Measurement(entries, enclosures, absent, certificate)


def weight_norm(weight: Numbers) -> Enclosure:
    """The spectral norm of a matrix, the lower side sharp.

    Args:
        weight: shape (m, n).

    Returns:
        Up to a smaller dimension of 512: the norm from all eigenvalues of the smaller Gram matrix,
        within `numerics.tolerances.spectrum` on either side. Beyond: the lower end is a Rayleigh
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
    sides = _dense_norm(matrix) if matrix.shape[0] <= DENSE_ORDER else _lanczos_norm(matrix)
    return Enclosure(unit * sides.lower, unit * sides.upper)


def _dense_norm(matrix: Float[np.ndarray, "m n"]) -> Enclosure:
    """All eigenvalues of the Gram matrix of the shorter side."""
    norm = math.sqrt(float(np.linalg.eigvalsh(matrix @ matrix.T)[-1]))
    return Enclosure(norm, norm + spectrum(matrix.shape[1]).margin(norm))


def _lanczos_norm(matrix: Float[np.ndarray, "m n"]) -> Enclosure:
    """Lanczos on the Gram matrix of the shorter side; `matrix` has no more rows than columns."""
    order, columns = matrix.shape
    on_device = jax.device_put(matrix)
    pairs = ritz_pairs(
        lambda vector: np.asarray(_gram_product(on_device, vector)),
        np.random.default_rng(order).standard_normal((order,)),
        steps=LANCZOS_STEPS,
        tolerance=LANCZOS_TOLERANCE,
    )
    top = float(pairs.values[-1])
    # Two products of lengths m and n; that gamma covers their conditioning as well: see
    # numerics.tolerances.network.
    rounding = gamma(order + columns) * top
    upper = a_posteriori_bound(pairs.run, top, order, FAILURE_PROBABILITY, rounding)
    return Enclosure(math.sqrt(top), math.sqrt(upper))


@jax.jit
def _gram_product(matrix: Float[Array, "m n"], vector: Float[Array, " m"]) -> Float[Array, " m"]:
    return matrix @ (vector @ matrix)


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
            norm = weight_norm(np.asarray(params["W"][layer - 1]) * below)
            scale = math.sqrt(model.widths[layer - 1])
            entries["r", layer] = norm.lower / scale
            enclosures["r", layer] = Enclosure(norm.lower / scale, norm.upper / scale)
        below = slope


def _gradient_norm(model: Model, entries: Mapping[Key, float]) -> float:
    """From df/dW^l = (D^l delta^l)(alpha^(l-1))^T/sqrt(m_(l-1)) and df/dv = alpha^L/sqrt(m_L)."""
    depth = model.net.depth
    blocks = [entries["a", layer - 1] * entries["h", layer] for layer in range(1, depth + 1)]
    return math.hypot(*blocks, entries["a", depth] if model.trained_readout else 0.0)


def _norm(vector: Array | np.ndarray) -> float:
    """Euclidean norm; BLAS scales, so that squares neither overflow nor underflow."""
    return float(scipy.linalg.norm(np.asarray(vector, np.float64), check_finite=False))


def _supremum(activation: ActivationFunction, order: int) -> Enclosure:
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
