"""Norms of operators, dense or matrix-free, each with a bound on its error.

The spectral norm comes from a Gram matrix or a singular value decomposition where the smaller side
fits, from Lanczos on the smaller side beyond.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import scipy.linalg

from numerics.tolerances import gamma, spectrum
from proofs_check.measuring.operators import NARROW, Array, Operator
from proofs_check.measuring.rounding import Measured, U

DENSE_SIDE = 512  # smaller side up to which a matrix that is there is decomposed
LANCZOS_STEPS = 400
PATIENCE = 48  # steps after which a product with a narrow waist is done by Gram matrices instead
ENUMERATED_SIGNS = 12  # slices up to which the (2,2,1)-norm is found by trying all signs


def norm(op: Operator, kind: str, seed: int = 0) -> Measured:
    """A norm of an operator.

    Args:
        op: the operator; a vector for ``inf`` and ``1``.
        kind: ``2`` (spectral), ``inf`` (largest entry), ``1`` (sum of entries), both in absolute
            value, ``2inf`` (largest Euclidean norm of a row), ``min`` (no norm: the least singular
            value), or ``221`` of a three-tensor given as a map from R^i (x) R^j, which see
            :func:`tensor_norm` for.
        seed: of the random start of Lanczos.

    Returns:
        The norm and a bound on its error, that of the operator included.

    Raises:
        ValueError: the kind is another.
    """
    if kind == "2":
        return spectral(op, seed).widened(op.error)
    if kind == "min":
        return least(op)
    if kind == "2inf":
        return _largest_row(op)
    entries = np.abs(op.form())
    if kind == "inf":
        return Measured(float(entries.max(initial=0.0)), op.error)
    if kind == "1":
        value = float(entries.sum())
        spread = op.error * math.sqrt(entries.size)
        return Measured(value, spread + gamma(max(entries.size, 1)) * value)
    msg = f"the norm {kind!r} is not among 2, inf, 1 and 2inf; a three-tensor's needs its two sides"
    raise ValueError(msg)


def least(op: Operator) -> Measured:
    """The least singular value, ``inf |A v|`` over unit vectors v; 0 for more columns than rows."""
    rows, cols = op.shape
    if cols > rows:
        return Measured(0.0)
    values = np.linalg.svd(op.form(), compute_uv=False)
    margin = spectrum(rows).margin(float(values[0]))
    return Measured(float(values[-1]), op.error + margin)


def _largest_row(op: Operator) -> Measured:
    """The largest Euclidean norm of a row, which is at most the spectral norm, as its error is."""
    matrix = op.form()
    value = max((float(scipy.linalg.norm(row)) for row in matrix), default=0.0)
    return Measured(value, op.error + gamma(max(matrix.shape[1], 1)) * value)


def spectral(op: Operator, seed: int = 0) -> Measured:
    """The spectral norm of what was computed, with the error of finding it."""
    rows, cols = op.shape
    small = min(rows, cols)
    if small == 1:
        value = float(np.linalg.norm(op.form()))
        return Measured(value, gamma(rows * cols) * value)
    if op.array is None and op.sparse and max(rows, cols) <= DENSE_SIDE:
        op.form()
    if op.array is None or small > DENSE_SIDE:
        return _matrix_free(op, seed)
    if max(rows, cols) > 4 * small:
        return _by_gram(op.array)
    if not np.all(np.isfinite(op.array)):
        return Measured(math.nan, math.nan)
    value = float(np.linalg.norm(op.array, 2))
    return Measured(value, spectrum(max(rows, cols)).margin(value))


def _matrix_free(op: Operator, seed: int) -> Measured:
    """Lanczos; where it is slow, the Gram matrices of two factors with a small common space."""
    waist = op.waist()
    if waist is None or not waist[0].shape[1] <= min(NARROW, min(op.shape) - 1):
        return lanczos(op, seed)
    found = lanczos(op, seed, PATIENCE)
    if found.error <= math.sqrt(U) * found.value:
        return found
    return _by_waist(*waist)


def _by_waist(left: Operator, right: Operator) -> Measured:
    """``|L R|`` from the largest eigenvalue of ``(L'L)(RR')``."""
    outer, inner = left.gram(), right.T.gram()
    values, vectors = np.linalg.eigh(inner)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    top = max(float(np.linalg.eigvalsh(root.T @ outer @ root)[-1]), 0.0)
    scale = (left.size * right.size) ** 2
    side = len(inner)
    rounded = gamma(max(left.shape[0], right.shape[1])) * math.sqrt(side) * scale
    loss = rounded + spectrum(side).margin(scale)
    value = math.sqrt(top)
    return Measured(value, loss / max(value, math.sqrt(loss)))


def _by_gram(matrix: Array) -> Measured:
    """The root of the largest eigenvalue of ``A A'`` on the smaller side."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    scale = float(np.max(np.abs(wide), initial=0.0))
    if scale == 0.0 or not math.isfinite(scale):
        return Measured(scale, 0.0 if scale == 0.0 else math.inf)
    wide = wide / scale
    side, length = wide.shape
    top = float(np.linalg.eigvalsh(wide @ wide.T)[-1])
    loss = gamma(length) * float(np.sum(wide * wide)) + spectrum(side).margin(top)
    value = math.sqrt(max(top, 0.0))
    return Measured(
        scale * value, scale * loss / max(value, math.sqrt(loss)) + 2 * U * scale * value
    )


def lanczos(op: Operator, seed: int = 0, steps: int = LANCZOS_STEPS) -> Measured:
    """The spectral norm by Lanczos on ``A A'`` or ``A' A``, whichever is smaller.

    With full reorthogonalisation, from a random start; stops when the Kato-Temple estimate of the
    error of the largest Ritz value is at rounding level.  The value is a lower estimate; the error
    stated is that estimate, not a proof.

    Source: B. N. Parlett, The Symmetric Eigenvalue Problem, SIAM 1998, Sections 11.7 and 13.2.
    """
    side = min(op.shape)
    short = op if op.shape[0] > op.shape[1] else op.T
    start = np.random.default_rng(seed).standard_normal(side)
    basis = np.empty((min(steps, side) + 1, side))
    basis[0] = start / np.linalg.norm(start)
    limit = min(steps, side)
    diagonal: list[float] = []
    beside: list[float] = []
    top, miss = 0.0, math.inf
    for step in range(limit):
        image = np.array(short.adjoint(short @ basis[step][:, None])[:, 0])
        diagonal.append(float(basis[step] @ image))
        if not math.isfinite(diagonal[-1]):
            return Measured(math.nan, math.nan)
        image -= diagonal[-1] * basis[step]
        image -= (basis[: step + 1] @ image) @ basis[: step + 1]
        beside.append(float(np.linalg.norm(image)))
        last = step + 1 == limit or beside[-1] <= 4 * U * max(diagonal)
        if last or step % 4 == 3:
            top, miss = _ritz(diagonal, beside)
            if last or miss <= 4 * U * top:
                break
        basis[step + 1] = image / beside[-1]
    value = math.sqrt(max(top, 0.0))
    error = miss / (2 * value) if value else math.sqrt(miss)
    return Measured(value, error + gamma(len(diagonal) + 8) * value)


def _ritz(diagonal: Sequence[float], beside: Sequence[float]) -> tuple[float, float]:
    """The largest Ritz value and an estimate of its error."""
    count = len(diagonal)
    if count == 1:
        return diagonal[0], beside[0]
    values, vectors = scipy.linalg.eigh_tridiagonal(
        np.array(diagonal), np.array(beside[:-1]), select="i", select_range=(count - 2, count - 1)
    )
    residual = beside[-1] * abs(float(vectors[-1, -1]))
    gap = float(values[1] - values[0])
    return float(values[1]), residual if gap <= residual else residual * residual / gap


def matrix_of_norms(size: int, entries: Sequence[Measured]) -> Measured:
    """The spectral norm of a small matrix of non-negative numbers, row by row."""
    values = np.array([e.value for e in entries]).reshape(size, size)
    errors = math.sqrt(sum(e.error * e.error for e in entries))
    if not np.all(np.isfinite(values)):
        return Measured(math.inf, math.inf)
    value = float(np.linalg.norm(values, 2))
    return Measured(value, errors + spectrum(size).margin(value))


# -- the (2,2,1)-norm -----------------------------------------------------------------------------


def tensor_norm(op: Operator, left: int, right: int) -> Measured:
    """``sup sum_k |x' T_k z|`` over unit x and z, of the slices T_k, shape (left, right).

    It is the largest spectral norm of ``sum_k +-T_k``: found exactly by trying all signs when the
    slices are few, otherwise enclosed between a local maximum and an upper bound, with half the
    width of the enclosure as the error.

    Source: LZB20, Section 3 (definition).
    """
    slices = op.form().reshape(-1, left, right)
    spread = op.error * math.sqrt(len(slices))
    if len(slices) > ENUMERATED_SIGNS:
        low, high = ascend(slices), tensor_norm_upper(slices)
        return Measured((low + high) / 2, spread + max(high - low, 0.0) / 2)
    rest = len(slices) - 1
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=rest))).reshape(2**rest, rest)
    sums = slices[0] + np.tensordot(signs, slices[1:], 1)
    value = float(np.max(np.linalg.norm(sums, 2, axis=(1, 2))))
    loss = spectrum(max(left, right)).relative + gamma(len(slices))
    return Measured(value, spread + loss * math.sqrt(len(slices)) * op.size)


def ascend(slices: Array, starts: int = 8, steps: int = 200, seed: int = 0) -> float:
    """A local maximum of ``sum_k |x' T_k z|``: the signs and the pair (x, z) in turns."""
    random = np.random.default_rng(seed)
    best = 0.0
    for _ in range(starts):
        signs = random.choice([-1.0, 1.0], len(slices))
        value = 0.0
        for _ in range(steps):
            u, s, vt = np.linalg.svd(np.tensordot(signs, slices, 1))
            forms = np.einsum("i,kij,j->k", u[:, 0], slices, vt[0])
            signs = np.where(forms >= 0, 1.0, -1.0)
            if s[0] <= value * (1 + U):
                break
            value = float(s[0])
        best = max(best, value)
    return best


def tensor_norm_upper(slices: Array) -> float:
    """``|sum_k |T_k'| |^(1/2) |sum_k |T_k| |^(1/2)`` with ``|T| = (T'T)^(1/2)``, an upper bound.

    From ``|x'Tz| <= (x'|T'|x)^(1/2) (z'|T|z)^(1/2)`` and Cauchy-Schwarz; equal to the norm when
    the slices act on orthogonal directions, as those of a layer of neurons do.
    """
    rows = np.zeros((slices.shape[1],) * 2)
    cols = np.zeros((slices.shape[2],) * 2)
    for piece in slices:
        u, s, vt = np.linalg.svd(piece, full_matrices=False)
        rows += (u * s) @ u.T
        cols += (vt.T * s) @ vt
    return math.sqrt(float(np.linalg.norm(rows, 2)) * float(np.linalg.norm(cols, 2)))
