"""The spectral norm of the Hessian of any traced function, enclosed.

Rounding.  The error of a product with the computed Hessian is measured, not bounded: the product
with a random unit vector is taken in float64, and with the function and all values in float32.
Their difference, scaled by the ratio of the unit roundoffs, is what rounding does in float64,
cancellation inside the function included.  For an error matrix E in n coordinates the square of
that difference has the mean |E|_F^2 / n, so `SAFETY` sqrt(n) times the difference stands for |E|_2.
Where this cannot be had (float32 overflows, or the function chooses its own types), an allowance
relative to the norm is granted, of the narrowest type that the function computes in.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from numerics.functions import lowrank
from numerics.functions.program import Point, Program
from numerics.operators import HessianOperator, consecutive
from numerics.spectral import SpectralError
from numerics.tolerances import network, unit_roundoff

__all__ = ["function_operator", "products"]

SAFETY = 16
_ROWS = 128  # products made at once
_RATIO = unit_roundoff(np.float64) / unit_roundoff(np.float32)


def function_operator(
    program: Program, point: Point, *, seed: int, dense_limit: float
) -> HessianOperator:
    """`numerics.hessian.hessian_operator` for a traced function, of what has been checked."""
    for name, leaf in zip(program.names, point.leaves, strict=True):
        if not np.all(np.isfinite(np.asarray(leaf))):
            msg = f"parameter {name} is infinite or NaN somewhere, so there is no Hessian"
            raise SpectralError(msg)
    coordinates = lowrank.frames(program, point)
    size = lowrank.dimension(program, coordinates)
    arguments = (point, coordinates)
    operator = lowrank.operator(program)
    scale, rounding, how = _errors(program, arguments, size, seed)
    return HessianOperator(
        size=size,
        parameters=program.size,
        blocks=consecutive(
            list(zip(program.names, lowrank.sizes(program, coordinates), strict=True))
        ),
        dense=size <= dense_limit,
        matrix=lambda: _matrix(operator, arguments, size),
        operator=operator,
        arguments=arguments,
        rounding=rounding,
        scale=scale,
        note=_described(program, coordinates, size, how),
        nothing="a random product with the Hessian is exactly zero",
    )


def _errors(
    program: Program, arguments: tuple[Point, lowrank.Frames], size: int, seed: int
) -> tuple[float, float, str]:
    """Size of a product, the allowance for rounding, and in words where that comes from."""
    vector = np.random.default_rng((seed, size)).standard_normal(size)
    vector /= np.linalg.norm(vector)
    product = _once(program, arguments, vector)
    if not np.all(np.isfinite(product)):
        msg = (
            "a product with the Hessian is infinite or NaN: look for NaN or huge numbers in the "
            "parameters and the input, and for an operation without derivatives there (a norm at 0)"
        )
        raise SpectralError(msg)
    scale = float(np.linalg.norm(product)) * math.sqrt(size)
    kind = program.analysis.narrow
    error = (
        _against_float32(program, arguments, vector, product) if kind == np.float64 else math.inf
    )
    if math.isfinite(error):
        return scale, SAFETY * math.sqrt(size) * _RATIO * error, "measured against float32"
    lengths = [meeting.summed for meeting in program.analysis.meetings]
    return scale, 4 * network([size, *lengths], kind).margin(scale), f"granted for {kind}"


def _against_float32(
    program: Program,
    arguments: tuple[Point, lowrank.Frames],
    vector: Float[np.ndarray, " n"],
    product: Float[np.ndarray, " n"],
) -> float:
    """How far the product with a vector moves in float32; infinite if that cannot be said."""
    try:
        narrow, point = program.narrowed(arguments[0])
        coordinates = jax.tree.map(partial(np.asarray, dtype=np.float32), arguments[1])
        rough = _once(narrow, (point, coordinates), vector.astype(np.float32))
    except (TypeError, ValueError):  # it chooses its own types
        return math.inf
    return float(np.linalg.norm(rough - product))


@partial(jax.jit, static_argnums=0)
def _product(program: Program, arguments: Any, vector: Any) -> Any:
    return lowrank.multiply(program, arguments, vector[None])[0]


def _once(program: Program, arguments: Any, vector: Any) -> Float[np.ndarray, " n"]:
    return np.asarray(_product(program, arguments, vector), np.float64)


@partial(jax.jit, static_argnums=0)
def products(operator: Any, arguments: Any, rows: Any) -> Any:
    """An operator of `numerics.functions.lowrank` applied to each row, compiled."""
    return operator(arguments, rows)


def _matrix(operator: Any, arguments: Any, size: int) -> Float[np.ndarray, "n n"]:
    """The Hessian in coordinates, some rows at a time."""
    rows = min(size, _ROWS)
    identity = np.eye(size + (-size) % rows, size)  # padded: one shape, one compilation
    parts = [
        np.asarray(products(operator, arguments, identity[k : k + rows]))
        for k in range(0, len(identity), rows)
    ]
    return np.concatenate(parts)[:size]


def _described(program: Program, coordinates: lowrank.Frames, size: int, how: str) -> str:
    """What the coordinates cover, and whence the rounding, for the certificate."""
    text = f"rounding {how}, not bounded; {program.size} parameters in {size} exact coordinates"
    declined = [
        f"{program.names[k]} ({program.analysis.declined[k]})"
        for k, frame in enumerate(coordinates)
        if frame.right is None and k in program.analysis.declined
    ]
    return f"{text}, entry by entry: {', '.join(declined)}" if declined else text
