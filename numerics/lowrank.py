"""The Hessian of a fully connected network at one input, in exact low-rank coordinates.

Theorem (rank bound)
--------------------
Let H be the Hessian of f(.; x) over all trainable parameters. For every layer l let a^ be any unit
vector with alpha^(l-1) = |alpha^(l-1)| a^, and let b^ be any unit vector with b^l = |b^l| b^, where
b^l = D^l delta^l = df/dz^l. Then H maps into, and vanishes on the orthogonal complement of, the
space of all (V^1, ..., V^L, u) with

    V^1 = U^1 a^T,      V^l = U^l a^T + b^ (p^l)^T,  p^l orthogonal to a^,     l = 2, ..., L,

u free if the readout is trained (absent otherwise). This space has dimension

    n = sum_{l=1}^L m_l + sum_{l=2}^L (m_(l-1) - 1)  [+ m_L if the readout is trained],

so rank H <= n <= sum_l (m_l + m_(l-1) - 1) [+ m_L], against sum_l m_l m_(l-1) parameters.

Proof. By the identity of theory.md, section 3 (bilinear layers followed by a pointwise sigma)

    d2f[V, V] = sum_l C^l . (dz^l)^2 + 2 sum_{l>=2} b^l . V^l dalpha^(l-1) / sqrt(m_(l-1))
                + 2 u . dalpha^L / sqrt(m_L),          C^l = delta^l sigma''(z^l),
    dz^l = (V^l alpha^(l-1) + W^l dalpha^(l-1)) / sqrt(m_(l-1)),  dalpha^l = D^l dz^l, dalpha^0 = 0,

V^l enters only through V^l alpha^(l-1) and, for l >= 2, (V^l)^T b^l. A direction for which these
vanish for every l, together with u, is in the kernel of the quadratic form's matrix H; those
directions are exactly the orthogonal complement of the space above (of a larger space where
alpha^(l-1) or b^l is zero: the free choice of a^, b^ then only adds directions). H is symmetric, so
its range lies in that space. QED

With p = 0 on a^ and the two summands orthogonal (<U a^T, b^ p^T> = (b^.U)(a^.p) = 0), the Frobenius
product of the V^l is the plain one of the (U^l, p^l). So the symmetric n x n matrix of the form in
orthonormal coordinates has every non-zero eigenvalue of H, with multiplicities: in particular the
spectral norm, lambda_max and lambda_min (up to the eigenvalue 0). p^l is held in orthonormal
coordinates too, m_(l-1) - 1 numbers mapped to the complement of a^ by a Householder reflection.

Degenerate cases need no special case: alpha^(l-1) = 0 makes the scale c_l = |alpha^(l-1)| /
sqrt(m_(l-1)) zero and a^ = e_1 is chosen; b^ is never formed, only b and |b|; width 1 gives p^l no
coordinates.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from numerics.activations import host_derivatives
from numerics.models import Activations, Params, Trace
from theory.activations import ActivationFunction, registered

AnyArray: TypeAlias = Array | np.ndarray
Vector: TypeAlias = Float[np.ndarray, " _"]
Number: TypeAlias = np.floating[Any]
Weights: TypeAlias = tuple[Float[AnyArray, "_ _"], ...]


class Coefficients(NamedTuple):
    """What the quadratic form needs besides W^2, ..., W^L; entry l-1 of a tuple is layer l.

    All are NumPy arrays or numbers of the model's precision: vectors are cheap, and computing them
    on the host saves a compilation per architecture.

    Attributes:
        scale: c_l = |alpha^(l-1)| / sqrt(m_(l-1)).
        unit: a^ = alpha^(l-1) / |alpha^(l-1)|, shape (m_(l-1),); e_1 if alpha^(l-1) = 0.
        mirror: Householder vector h, |h| = 1, (1 - 2hh^T) e_1 = -+a^, shape (m_(l-1),).
        slope: sigma'(z^l), shape (m_l,).
        bend: C^l = delta^l sigma''(z^l), shape (m_l,).
        back: b^l = sigma'(z^l) delta^l, shape (m_l,).
        back_norm: |b^l|.
        delta_norm: |delta^l|.
        slope_error: largest error of slope per unit of relative rounding (see `sensitivity`).
        bend_error: the same for bend.
    """

    scale: tuple[Number, ...]
    unit: tuple[Vector, ...]
    mirror: tuple[Vector, ...]
    slope: tuple[Vector, ...]
    bend: tuple[Vector, ...]
    back: tuple[Vector, ...]
    back_norm: tuple[Number, ...]
    delta_norm: tuple[Number, ...]
    slope_error: tuple[float, ...]
    bend_error: tuple[float, ...]


def dimension(widths: tuple[int, ...], trained_readout: bool) -> int:
    """Dimension n of the coordinates, and so a bound on the rank of the Hessian.

    Args:
        widths: m_0, ..., m_L.
        trained_readout: whether v is trained.

    Returns:
        sum_{l=1}^L m_l + sum_{l=2}^L (m_(l-1) - 1), plus m_L for a trained readout.
    """
    return sum(_splits(widths, trained_readout))


def coefficients(passes: Trace, activations: Activations) -> Coefficients:
    """The coefficients of the quadratic form at one point.

    Args:
        passes: forward and backward pass there, NumPy or JAX arrays.
        activations: sigma_1, ..., sigma_L.

    Returns:
        The coefficients.
    """
    alphas, zs, deltas, _ = jax.tree.map(np.asarray, tuple(passes))
    norms, units = zip(*(normalize(alpha) for alpha in alphas[:-1]), strict=True)
    derived = [host_derivatives(f, z, 3) for f, z in zip(activations, zs, strict=True)]
    layers = list(zip(derived, deltas, strict=True))
    backs = tuple(d[1] * delta for d, delta in layers)
    scales = tuple(n / _root(unit) for n, unit in zip(norms, units, strict=True))
    errors = [
        sensitivity(function, d, delta, float(scale))
        for function, (d, delta), scale in zip(activations, layers, scales, strict=True)
    ]
    return Coefficients(
        scale=scales,
        unit=units,
        mirror=tuple(_mirror(unit) for unit in units),
        slope=tuple(d[1] for d in derived),
        bend=tuple(d[2] * delta for d, delta in layers),
        back=backs,
        back_norm=tuple(normalize(back)[0] for back in backs),
        delta_norm=tuple(normalize(delta)[0] for delta in deltas),
        slope_error=tuple(slope for slope, _ in errors),
        bend_error=tuple(bend for _, bend in errors),
    )


def sensitivity(
    function: ActivationFunction, derived: tuple[Vector, ...], delta: Vector, reach: float
) -> tuple[float, float]:
    """How far rounding moves sigma'(z) and delta sigma''(z), in units of relative rounding.

    A relative error of z, whose entries have size a_(l-1), moves them by the next derivative. Named
    activations are evaluated to a few units in the last place of that; an expression of the user's
    may cancel, and is granted a few units in the last place of its largest derivative.

    Args:
        function: sigma.
        derived: sigma(z), ..., sigma'''(z), each of shape (m_l,).
        delta: df/dalpha^l, shape (m_l,).
        reach: a_(l-1).

    Returns:
        The two numbers: largest over the layer, to be multiplied by a unit roundoff or a gamma.
    """
    slope = reach * largest(derived[2])
    bend = reach * largest(derived[3] * delta)
    if registered(function):
        return slope, bend
    size = max(largest(values) for values in derived)
    return slope + size, bend + size * largest(delta)


def multiply(
    weights: Weights, coefs: Coefficients, y: Float[AnyArray, "k n"], trained_readout: bool
) -> Float[AnyArray, "k n"]:
    """The Hessian in coordinates, times each row of `y`.

    Args:
        weights: W^1, ..., W^L at the point the coefficients were computed at. With NumPy arrays
            everything happens in NumPy; under `jax.jit` in JAX.
        coefs: of `coefficients`.
        y: k vectors of coordinates, shape (k, n), in the order U^1, ..., U^L, p^2, ..., p^L, u.
        trained_readout: whether v is among the parameters.

    Returns:
        Shape (k, n). Work is 2(L-1) products with weight matrices, shared by the k rows; no
        temporary has the size of a weight matrix.
    """
    # Gradient of q(y) = d2f[V, V]/2 by hand: a forward sweep for dz, dalpha and a backward sweep
    # for the adjoints zbar = dq/ddz, abar = dq/ddalpha.
    depth = len(weights)
    widths = _widths(coefs)
    root = [np.sqrt(coefs.scale[0].dtype.type(m)) for m in widths]
    blocks = _split(y, widths, trained_readout)
    U, p = blocks[:depth], blocks[depth - 1 :]  # p[i] is p^(i+1), as U[i] is U^(i+1)

    dz = [coefs.scale[0] * U[0]]
    da = [coefs.slope[0] * dz[0]]
    for i in range(1, depth):
        dz.append(coefs.scale[i] * U[i] + _images(weights[i], da[-1]) / root[i])
        da.append(coefs.slope[i] * dz[-1])

    parts = [da[-1] / root[depth]] if trained_readout else []
    abar = blocks[-1] / root[depth] if trained_readout else 0 * da[-1]
    grad_U = []
    for i in range(depth - 1, 0, -1):
        zbar = coefs.bend[i] * dz[i] + coefs.slope[i] * abar
        back, unit, mirror = coefs.back[i], coefs.unit[i], coefs.mirror[i]
        size = coefs.back_norm[i] / root[i]
        grad_U.append(coefs.scale[i] * zbar + (da[i - 1] @ unit)[:, None] / root[i] * back)
        parts.insert(0, size * _fold(mirror, da[i - 1]))
        force = (U[i] @ back)[:, None] / root[i] * unit + size * _unfold(mirror, p[i])
        abar = zbar @ weights[i] / root[i] + force
    grad_U.append(coefs.scale[0] * (coefs.bend[0] * dz[0] + coefs.slope[0] * abar))
    return _concatenate([*grad_U[::-1], *parts])


def embed(coefs: Coefficients, y: Float[AnyArray, " n"], trained_readout: bool) -> Params:
    """The direction in parameter space with coordinates `y`: an isometry.

    Args:
        coefs: of `coefficients`.
        y: coordinates, shape (n,).
        trained_readout: whether v is among the parameters.

    Returns:
        A direction of the structure of `Model.params`, full weight matrices, NumPy.
    """
    depth = len(coefs.slope)
    blocks = _split(np.asarray(y)[None], _widths(coefs), trained_readout)
    directions = [np.outer(U[0], unit) for U, unit in zip(blocks, coefs.unit, strict=False)]
    for i in range(1, depth):
        p = _unfold(coefs.mirror[i], blocks[depth + i - 1])[0]
        directions[i] += np.outer(normalize(coefs.back[i])[1], p)
    result: Params = {"W": tuple(directions)}
    if trained_readout:
        result["v"] = blocks[-1][0]
    return result


def largest(vector: Float[np.ndarray, " m"]) -> float:
    """The norm |.|_inf."""
    return float(np.max(np.abs(vector)))


def normalize(vector: Float[np.ndarray, " m"]) -> tuple[Number, Vector]:
    """Euclidean norm and direction, without overflow or underflow; the direction of 0 is e_1."""
    size = np.max(np.abs(vector))
    if size == 0:
        return size, np.eye(1, vector.size, dtype=vector.dtype)[0]
    scaled = vector / size
    norm = np.linalg.norm(scaled)
    return size * norm, scaled / norm


def _widths(coefs: Coefficients) -> tuple[int, ...]:
    return (coefs.unit[0].shape[0], *(slope.shape[0] for slope in coefs.slope))


def _splits(widths: tuple[int, ...], trained_readout: bool) -> list[int]:
    sizes = [*widths[1:], *(m - 1 for m in widths[1:-1])]
    return [*sizes, widths[-1]] if trained_readout else sizes


def _split(
    y: Float[AnyArray, "k n"], widths: tuple[int, ...], trained_readout: bool
) -> list[AnyArray]:
    blocks, start = [], 0
    for size in _splits(widths, trained_readout):
        blocks.append(y[:, start : start + size])
        start += size
    return blocks


def _images(weight: Float[AnyArray, "m r"], rows: Float[AnyArray, "k r"]) -> AnyArray:
    """The product of a weight matrix with each row, as rows, shape (k, m)."""
    if isinstance(rows, np.ndarray):
        return rows @ weight.T
    # XLA would turn this into rows times transposed weights, on CPUs nearly twice as slow and, for
    # one row, by way of a transposed copy of the weights. The barriers keep weight times columns.
    columns = jax.lax.optimization_barrier(rows.T)
    return jax.lax.optimization_barrier(weight @ columns).T


def _concatenate(blocks: list[AnyArray]) -> AnyArray:
    host = all(isinstance(block, np.ndarray) for block in blocks)
    return np.concatenate(blocks, axis=1) if host else jnp.concatenate(blocks, axis=1)


def _root(unit: Vector) -> Number:
    return np.sqrt(unit.dtype.type(unit.size))


def _mirror(unit: Vector) -> Vector:
    """Householder vector of the reflection that exchanges e_1 with plus or minus `unit`."""
    vector = unit.copy()
    vector[0] += 1 if unit[0] >= 0 else -1  # no cancellation
    return vector / np.linalg.norm(vector)


def _unfold(mirror: Float[AnyArray, " m"], p: Float[AnyArray, "k r"]) -> Float[AnyArray, "k m"]:
    """From m - 1 coordinates to vectors orthogonal to the unit vector of `mirror`: an isometry."""
    along = 2 * (p @ mirror[1:])[:, None]
    return _concatenate([-along * mirror[:1], p - along * mirror[1:]])


def _fold(mirror: Float[AnyArray, " m"], vectors: Float[AnyArray, "k m"]) -> Float[AnyArray, "k r"]:
    """The transpose of `_unfold`."""
    return vectors[:, 1:] - 2 * (vectors @ mirror)[:, None] * mirror[1:]
