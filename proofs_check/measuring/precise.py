"""Tiny networks in arithmetic of any precision, without JAX: a second witness.

A counterexample found in float64 is measured again here before anybody is told of it.  Values,
gradients and Hessians of all neurons are carried through the network together (a second-order
Taylor arithmetic written out by hand), activations and their derivatives are evaluated by walking
over their SymPy expressions, and norms come from mpmath's eigenvalue and singular value routines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy
from numpy.typing import NDArray

from numerics.models import Model, Params, check_input, check_params
from numerics.tolerances import Numbers as Numeric
from theory import evaluation
from theory.activations import ActivationError
from theory.terms import Term

Number = Any  # mpmath.mpf, which has no type information
Numbers = NDArray[np.object_]
Key = str | tuple[str, int]

PRECISION = 50  # decimal digits
GUARD = 2  # the working precision is that many times as long: 1 - tanh^2 cancels in the tails
LARGEST = 400  # parameters: a Hessian of mpmath numbers takes p^2 of them per neuron


# -- numbers --------------------------------------------------------------------------------------


def evaluate_real(
    term: Term,
    values: Mapping[Term, Any],
    precision: int = PRECISION,
    definitions: Sequence[Term] = (),
) -> Number:
    """A real term of the kernel's language, evaluated with the given number of decimal digits.

    Args:
        term: the term.
        values: numbers for its symbols, widths (``dim``) and norms; they come before definitions.
        precision: decimal digits.
        definitions: formulas ``symbol = term``.

    Raises:
        MissingValueError: a symbol has neither a value nor a definition.
    """
    with mpmath.workdps(precision):
        return evaluation.evaluate(
            term,
            values,
            evaluation.definitions_of(definitions),
            number=mpmath.mpf,
            spectral=spectral_norm,
        )


def spectral_norm(rows: Sequence[Sequence[Any]] | Numbers) -> Number:
    """The spectral norm of a matrix of numbers, at mpmath's current precision."""
    matrix = mpmath.matrix([[mpmath.mpf(x) for x in row] for row in rows])
    return max(mpmath.svd_r(matrix, compute_uv=False))


def euclidean_norm(entries: Numbers) -> Number:
    """The Euclidean norm of numbers of any shape."""
    return mpmath.sqrt(mpmath.fsum(entries.ravel(), squared=True))


_FUNCTIONS: dict[Any, Callable[[Any], Any]] = {
    sympy.exp: mpmath.exp,
    sympy.log: mpmath.log,
    sympy.sin: mpmath.sin,
    sympy.cos: mpmath.cos,
    sympy.tan: mpmath.tan,
    sympy.asin: mpmath.asin,
    sympy.acos: mpmath.acos,
    sympy.atan: mpmath.atan,
    sympy.sinh: mpmath.sinh,
    sympy.cosh: mpmath.cosh,
    sympy.tanh: mpmath.tanh,
    sympy.sech: mpmath.sech,
    sympy.asinh: mpmath.asinh,
    sympy.acosh: mpmath.acosh,
    sympy.atanh: mpmath.atanh,
    sympy.erf: mpmath.erf,
    sympy.erfc: mpmath.erfc,
}


def at(expr: sympy.Expr, t: Number) -> Number:
    """An expression in one symbol, at a number, at mpmath's current precision.

    Raises:
        ActivationError: it contains a function that has no counterpart here.
    """
    if expr.is_Symbol:
        return t
    if expr.is_Rational:
        return mpmath.mpf(int(expr.p)) / int(expr.q)
    if expr.is_NumberSymbol:
        return mpmath.mpf(str(expr.evalf(mpmath.mp.dps + 5)))
    parts = [at(part, t) for part in expr.args]
    if expr.is_Add:
        return mpmath.fsum(parts)
    if expr.is_Mul:
        return mpmath.fprod(parts)
    if expr.is_Pow:
        return parts[0] ** (int(expr.exp) if expr.exp.is_Integer else parts[1])
    function = _FUNCTIONS.get(expr.func)
    if function is None:
        known = ", ".join(sorted(f.__name__ for f in _FUNCTIONS))
        msg = f"{expr.func.__name__} in {expr} has no value in high precision; known: {known}"
        raise ActivationError(msg)
    return function(*parts)


# -- networks -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Precise(Mapping[Key, Any]):
    """A tiny network at one point and one input, in high precision.

    A mapping with the keys of :func:`numerics.measure`: ``("s", l)``, ..., ``"hessian_norm"``.

    Attributes:
        entries: the numbers.
        gradient: of the output by all trainable parameters, shape (p,).
        hessian: of the output, shape (p, p).
        theta: the parameters, shape (p,).
        precision: decimal digits that were asked for.
    """

    entries: Mapping[Key, Any]
    gradient: Numbers
    hessian: Numbers
    theta: Numbers
    precision: int

    def __getitem__(self, key: Key) -> Number:
        """The number."""
        return self.entries[key]

    def __iter__(self) -> Iterator[Key]:
        """The names of what was measured."""
        return iter(self.entries)

    def __len__(self) -> int:
        """How many numbers there are."""
        return len(self.entries)


@dataclass
class _Neurons:
    """Values, gradients and Hessians of a layer's neurons, shapes (n,), (n, p), (n, p, p)."""

    value: Numbers
    first: Numbers
    second: Numbers


def measure(
    model: Model, x: Numeric, params: Params | None = None, precision: int = PRECISION
) -> Precise:
    """Hessian norm, gradient norm, output and layer statistics of a tiny network.

    Args:
        model: the network; at most ``LARGEST`` trainable parameters.
        x: one input, shape (m_0,).
        params: where; None means the model's own.
        precision: decimal digits.

    Raises:
        ValueError: the network is too large, or an array has the wrong shape.
    """
    if model.num_params > LARGEST:
        msg = (
            f"the network has {model.num_params} parameters; high precision is for at most "
            f"{LARGEST}: make it smaller first"
        )
        raise ValueError(msg)
    params = check_params(model, params)
    with mpmath.workdps(GUARD * precision):
        return _measure(model, np.asarray(check_input(model, x, batch=False)), params, precision)


def _exact(array: Any) -> Numbers:
    """The entries of a float array as mpmath numbers, exactly."""
    values = np.asarray(array, dtype=np.float64)
    out = np.empty(values.shape, dtype=object)
    for place in np.ndindex(values.shape):
        out[place] = mpmath.mpf(float(values[place]))
    return out


def _zeros(*shape: int) -> Numbers:
    out = np.empty(shape, dtype=object)
    out.fill(mpmath.mpf(0))
    return out


def _measure(model: Model, x: NDArray[np.float64], params: Params, precision: int) -> Precise:
    weights = [_exact(w) for w in params["W"]]
    readout = _exact(params.get("v", model.readout))
    trained = "v" in params
    blocks = [*weights, *([readout] if trained else [])]
    theta = np.concatenate([b.ravel() for b in blocks])
    layer = _Neurons(_exact(x), _zeros(len(x), len(theta)), _zeros(len(x), *(len(theta),) * 2))
    scales, signals = [layer.value], []
    entries: dict[Key, Any] = {("m", 0): len(x)}
    start = 0
    for index, (matrix, sigma) in enumerate(
        zip(weights, model.net.activations, strict=True), start=1
    ):
        entries["s", index] = spectral_norm(matrix) / mpmath.sqrt(matrix.shape[1])
        entries["m", index] = len(matrix)
        layer = _dense(layer, matrix, start)
        slopes, bends = (_map(sigma.derivative(k), layer.value) for k in (1, 2))
        signals.append((slopes, bends))
        layer = _pointwise(layer, _map(sigma.expr, layer.value), slopes, bends)
        scales.append(layer.value)
        start += matrix.size
    for index, alpha in enumerate(scales):
        entries["a", index] = euclidean_norm(alpha) / mpmath.sqrt(len(alpha))
    entries |= _backward(weights, readout, signals)
    top = _dense(layer, readout[None, :], start if trained else None)
    gradient, hessian = top.first[0], top.second[0]
    entries["output"] = top.value[0]
    entries["gradient_norm"] = euclidean_norm(gradient)
    entries["kernel"] = gradient @ gradient
    entries["hessian_norm"] = _symmetric_norm(hessian)
    return Precise(entries, gradient, hessian, theta, precision)


def _map(expr: sympy.Expr, values: Numbers) -> Numbers:
    return np.array([at(expr, t) for t in values] + [None], dtype=object)[:-1]


def _dense(below: _Neurons, matrix: Numbers, start: int | None) -> _Neurons:
    """The layer ``W alpha / sqrt(m)``; the entries of W are parameters from ``start`` on."""
    rows, cols = matrix.shape
    scale = 1 / mpmath.sqrt(cols)
    value = matrix @ below.value
    first = matrix @ below.first
    second = np.tensordot(matrix, below.second, 1)
    if start is not None:
        for i in range(rows):
            for j in range(cols):
                place = start + i * cols + j
                first[i, place] += below.value[j]
                second[i, place, :] += below.first[j]
                second[i, :, place] += below.first[j]
    return _Neurons(value * scale, first * scale, second * scale)


def _pointwise(z: _Neurons, value: Numbers, slopes: Numbers, bends: Numbers) -> _Neurons:
    """The layer sigma(z): chain rule, entry by entry."""
    outer = z.first[:, :, None] * z.first[:, None, :]
    second = bends[:, None, None] * outer + slopes[:, None, None] * z.second
    return _Neurons(value, slopes[:, None] * z.first, second)


def _backward(
    weights: Sequence[Numbers], readout: Numbers, signals: Sequence[tuple[Numbers, Numbers]]
) -> dict[Key, Any]:
    """The statistics of the back-propagated signal, and of the weights behind slopes."""
    entries: dict[Key, Any] = {}
    delta = readout / mpmath.sqrt(len(readout))
    for index in range(len(weights), 0, -1):
        slopes, bends = signals[index - 1]
        entries["g", index] = euclidean_norm(delta)
        entries["q", index] = max(abs(d) for d in delta)
        entries["h", index] = euclidean_norm(slopes * delta)
        entries["c", index] = max(abs(d) for d in bends * delta)
        matrix = weights[index - 1] / mpmath.sqrt(weights[index - 1].shape[1])
        if index > 1:
            sloped = matrix * signals[index - 2][0][None, :]
            curved = (bends * delta)[:, None] * sloped
            entries["r", index] = spectral_norm(sloped)
            entries["t", index] = spectral_norm(curved)
            entries["y", index] = spectral_norm(sloped.T @ curved)
            entries["e", index] = spectral_norm(delta[:, None] * matrix)
            entries["p", index] = max(euclidean_norm(c) for c in (delta[:, None] * matrix).T)
            entries["u", index] = max(euclidean_norm(c) for c in matrix.T)
        delta = (slopes * delta) @ matrix
    return entries


def _symmetric_norm(matrix: Numbers) -> Number:
    values = mpmath.eigsy(mpmath.matrix(matrix.tolist()), eigvals_only=True)
    return max(abs(v) for v in values)


# -- two points -----------------------------------------------------------------------------------


def linearization_gap(
    model: Model,
    x: Numeric,
    params: Params,
    params0: Params | None = None,
    precision: int = PRECISION,
) -> Number:
    """``|f(theta) - f(theta0) - grad f(theta0) . (theta - theta0)|`` of a tiny network."""
    here, centre = (measure(model, x, p, precision) for p in (params, params0))
    with mpmath.workdps(GUARD * precision):
        linear = centre.gradient @ (here.theta - centre.theta)
        return abs(here["output"] - centre["output"] - linear)


def distance(model: Model, params: Params, params0: Params | None = None) -> Number:
    """The Euclidean distance over all trainable parameters."""
    points = [
        np.concatenate([_exact(b).ravel() for b in (*p["W"], *([p["v"]] if "v" in p else []))])
        for p in (check_params(model, params), check_params(model, params0))
    ]
    with mpmath.workdps(GUARD * PRECISION):
        return euclidean_norm(points[0] - points[1])


def kernel_change(
    model: Model,
    x: Numeric,
    z: Numeric,
    params: Params,
    params0: Params | None = None,
    precision: int = PRECISION,
) -> Number:
    """``|K(x, z; theta) - K(x, z; theta0)|`` of a tiny network."""
    kernels = []
    for point in (params, params0):
        left, right = (measure(model, u, point, precision).gradient for u in (x, z))
        with mpmath.workdps(GUARD * precision):
            kernels.append(left @ right)
    with mpmath.workdps(GUARD * precision):
        return abs(kernels[0] - kernels[1])
