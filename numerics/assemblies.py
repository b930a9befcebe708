"""Assemblies of sub-models as arrays: parameters, values, exact Hessian norms block by block.

``f(theta; x) = (1/s) sum_i V_i g_i(w_i; x)`` with V_i the sum of the weights of the sub-models that
share w_i.  The sub-models' parameters are their own, so the Hessian is block diagonal and its norm
is the largest of the blocks' (row B1 of the ledger); a block is never larger than one sub-model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from numerics import hessian, kernels, models
from numerics.graphs.model import AnyModel
from numerics.spectral import SpectralNorm, dense_norm
from numerics.tolerances import Numbers, gamma
from theory.assemblies import Assembly, AssemblyError, SubFunction
from theory.networks import NetworkError

__all__ = ["AssemblyModel", "gradient_norm", "hessian_norm", "instantiate", "tangent_kernel"]

HESSIAN_ROUNDINGS = 200
"""Roundings granted, per parameter, to a Hessian that ``jax.hessian`` makes of a user's function,
relative to its Frobenius norm.  Granted, not bounded: what cancels inside of the function is not
seen, and an error model, as networks have one, would need to know it."""
LARGEST = 1 << 25  # entries of gradients that are kept at once


@dataclass(frozen=True, eq=False)
class AssemblyModel:
    """An assembly with numbers in it.

    Attributes:
        assembly: the description, without symbols.
        params: the parameters w_1, ..., w_m, each as its sub-model has them: those of a network, or
            an array of shape ``(size,)``.
        models: for each sub-model its network with numbers in it; None where it is a function.
        weights: v_{i,j}, shape ``(m, n)``.
        scale: s, positive.
        seed: the seed the parameters were drawn from.
        dtype: float64 or float32.
    """

    assembly: Assembly
    params: tuple[Any, ...] = field(repr=False)
    models: tuple[AnyModel | None, ...] = field(repr=False)
    weights: Float[np.ndarray, "m n"] = field(repr=False)
    scale: float
    seed: int
    dtype: np.dtype[Any]

    @property
    def count(self) -> int:
        """The number m of sub-models with parameters of their own."""
        return len(self.params)

    @property
    def totals(self) -> Float[np.ndarray, " m"]:
        """The V_i, the sums of the weights of the sub-models that share w_i, rounded once."""
        return np.array([math.fsum(row) for row in self.weights.tolist()])

    @property
    def coefficients(self) -> Float[np.ndarray, " m"]:
        """The V_i / s, what each g_i is multiplied by."""
        return self.totals / self.scale

    @property
    def num_params(self) -> int:
        """Number of all parameters."""
        return sum(
            int(np.size(w)) if model is None else model.num_params
            for w, model in zip(self.params, self.models, strict=True)
        )

    def apply(self, params: tuple[Any, ...] | None, x: Numbers) -> Float[Array, "*n"]:
        """The output f(params; x).

        Args:
            params: parameters as in ``self.params``; None means ``self.params``.
            x: one input, shape (d,), or a batch, shape (n, d).

        Returns:
            A scalar array, or shape (n,) for a batch.

        Raises:
            ValueError: x or the parameters have the wrong shape.
        """
        values = self.parts(self.params if params is None else params, self.check_input(x))
        return jnp.tensordot(jnp.asarray(self.coefficients, self.dtype), values, 1)

    def parts(self, params: Sequence[Any], x: Numbers) -> Float[Array, "m ..."]:
        """The values g_i(w_i; x) of all sub-models, shape (m,) or (m, n).

        Raises:
            ValueError: there are not as many sets of parameters as sub-models.
        """
        if len(params) != self.count:
            msg = f"params has {len(params)} sets of parameters; this assembly has {self.count}"
            raise ValueError(msg)
        kinds = self.kinds()
        found = [_values(self, k, members, [params[i] for i in members], x) for k, members in kinds]
        order = np.argsort([i for _, members in kinds for i in members])
        return jnp.concatenate(found)[order]

    def kinds(self) -> list[tuple[int, list[int]]]:
        """Each kind of sub-model that occurs, and the positions of those of that kind."""
        number = len(self.assembly.parts)
        return [(k, [*range(k, self.count, number)]) for k in range(min(number, self.count))]

    def check_input(self, x: Numbers) -> Float[Array, "*n d"]:
        """``x`` as an array of the model's dtype, after a look at its shape.

        Raises:
            ValueError: the shape is neither that of one input nor (n, *that).
        """
        array = jnp.asarray(x, dtype=self.dtype)
        shape = self.input_shape
        if array.shape[array.ndim - len(shape) :] != shape or array.ndim - len(shape) not in (0, 1):
            inner = ", ".join(map(str, shape))
            msg = f"x has shape {array.shape}; this assembly takes ({inner},) or (n, {inner})"
            raise ValueError(msg)
        return array

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return tuple(int(size) for size in self.assembly.input_shape)


def instantiate(
    assembly: Assembly,
    widths: Mapping[sympy.Symbol | str, int] | None = None,
    seed: int = 0,
    dtype: DTypeLike = jnp.float64,
) -> AssemblyModel:
    """Draw the parameters and the weights of an assembly.

    Sub-model i has a seed of its own made from (seed, i): it does not change when there are more.

    Args:
        assembly: the description.
        widths: a value for every symbol of it.
        seed: an integer >= 0.
        dtype: float64 (for verdicts) or float32.

    Returns:
        The model; a function's parameters are i.i.d. N(0, 1).

    Raises:
        NetworkError: a symbol has no value, or a value names no symbol.
        ValueError: the seed or the dtype is not one of the above.
    """
    numeric = assembly.substitute(widths or {}) if assembly.symbols or widths else assembly
    kind = models._check_dtype(dtype)
    seed = models._check_seed(seed)
    count, members = _as_int(numeric.count), _as_int(numeric.shared)
    drawn = [_draw(numeric, i, seed, kind) for i in range(count)]
    return AssemblyModel(
        numeric,
        tuple(params for params, _ in drawn),
        tuple(model for _, model in drawn),
        _weights(numeric, count, members, seed),
        numeric.scale_at(count * members),
        seed,
        kind,
    )


def _as_int(value: Any) -> int:
    if not isinstance(value, int):
        msg = f"no value for the symbol {value}: give every symbol one, as in {{{value}: 256}}"
        raise NetworkError(msg)
    return value


def _draw(
    assembly: Assembly, index: int, seed: int, dtype: np.dtype[Any]
) -> tuple[Any, AnyModel | None]:
    """The parameters of one sub-model, and the network they belong to."""
    part = assembly.parts[index % len(assembly.parts)]
    own = np.random.SeedSequence((seed, 1, index))
    if isinstance(part, SubFunction):
        values = np.random.default_rng(own).standard_normal(part.size)
        return jnp.asarray(values, dtype=dtype), None
    model = models.instantiate(part, seed=int(own.generate_state(1)[0]), dtype=dtype)
    return model.params, model


def _weights(assembly: Assembly, count: int, members: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(np.random.SeedSequence((seed, 2)))
    match assembly.weights:
        case "ones":
            found = np.ones((count, members))
        case "signs":
            found = random.choice([-1.0, 1.0], (count, members))
        case "gaussian":
            found = random.standard_normal((count, members))
        case given:
            found = np.asarray(given, dtype=np.float64).reshape(count, members)
    if assembly.dominance is not None:
        try:
            size = float(count * members) ** float(assembly.dominance)
        except OverflowError as error:
            msg = (
                f"the dominating weight {count * members}^({assembly.dominance}) is beyond double "
                "precision: give a smaller dominance or fewer sub-models"
            )
            raise AssemblyError(msg) from error
        found[0, 0] = size if found[0, 0] >= 0 else -size
    return found


def _stack(*leaves: Any) -> Array:
    """Arrays of one shape as one; on the host where they have values, as XLA would compile it."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return jnp.stack(leaves)
    return jnp.asarray(np.stack([np.asarray(leaf) for leaf in leaves]))


# -- the sub-models -------------------------------------------------------------------------------


def _values(
    model: AssemblyModel, kind: int, members: list[int], params: list[Any], x: Any
) -> Float[Array, "k ..."]:
    """The values of all sub-models of one kind, by one batched evaluation."""
    part = model.assembly.parts[kind]
    stacked = jax.tree.map(_stack, *params)
    if isinstance(part, SubFunction):
        return _function_values(part, stacked, x)
    networks = [n for i in members if (n := model.models[i]) is not None]
    plain = [n for n in networks if isinstance(n, models.Model)]
    if len(plain) < len(networks):
        return jnp.stack([n.apply(p, x) for n, p in zip(networks, params, strict=True)])
    readouts = _stack(*(n.readout for n in plain))
    return _network_values(stacked, readouts, x, plain[0].net.activations)


@partial(jax.jit, static_argnums=0)
def _function_values(part: SubFunction, params: Array, x: Array) -> Array:
    if x.ndim == 1:
        return jax.vmap(lambda w: part.function(w, x))(params)
    return jax.vmap(lambda w: jax.vmap(lambda one: part.function(w, one))(x))(params)


@partial(jax.jit, static_argnums=3)
def _network_values(params: Any, readouts: Array, x: Array, activations: Any) -> Array:
    return jax.vmap(lambda p, v: models.forward(p, v, x, activations))(params, readouts)


def _hessians(part: SubFunction, params: Array, x: Array) -> np.ndarray:
    """Hessians of functions by their own parameters, shape (k, size, size)."""
    return np.asarray(_batched_hessian(part, params, x))


@partial(jax.jit, static_argnums=0)
def _batched_hessian(part: SubFunction, params: Array, x: Array) -> Array:
    return jax.vmap(jax.hessian(part.function), (0, None))(params, x)


@partial(jax.jit, static_argnums=0)
def _batched_gradient(part: SubFunction, params: Array, x: Array) -> Array:
    """Gradients at every input, shape (k, n, size)."""
    return jax.vmap(jax.vmap(jax.grad(part.function), (None, 0)), (0, None))(params, x)


def part_norms(
    model: AssemblyModel, x: Numbers, params: tuple[Any, ...] | None = None
) -> list[SpectralNorm]:
    """The spectral norm of each sub-model's Hessian by its own parameters, enclosed.

    That of a network under the error model of `numerics.hessian_norm`.  For a function an allowance
    for rounding is granted that is relative to its computed Hessian, and the certificate says so.

    Args:
        model: the assembly.
        x: one input, shape (d,).
        params: where; None means ``model.params``.

    Raises:
        AssemblyError: a function's Hessian norm exceeds the beta declared for it.
        ValueError: x has the wrong shape.
    """
    x = model.check_input(x)
    if x.ndim != len(model.input_shape):
        msg = f"x has shape {x.shape}; give one input at a time, shape {model.input_shape}"
        raise ValueError(msg)
    given = model.params if params is None else params
    found: list[Any] = [None] * model.count
    for kind, members in model.kinds():
        part = model.assembly.parts[kind]
        if isinstance(part, SubFunction):
            stacked = _stack(*(jnp.asarray(given[i], jnp.float64) for i in members))
            norms = [_enclosed(h) for h in _hessians(part, stacked, jnp.asarray(x, jnp.float64))]
            _try_beta(part, max(n.lower for n in norms))
        else:
            networks = [(n, given[i]) for i in members if (n := model.models[i]) is not None]
            norms = [hessian.hessian_norm(n, x, p) for n, p in networks]
        for i, value in zip(members, norms, strict=True):
            found[i] = value
    return found


def _enclosed(matrix: np.ndarray) -> SpectralNorm:
    """The norm of a symmetric matrix that automatic differentiation has computed.

    The rounding error of the function is granted, not bounded: see `HESSIAN_ROUNDINGS`.
    """
    rounding = gamma(HESSIAN_ROUNDINGS * len(matrix)) * float(np.linalg.norm(matrix))
    found = dense_norm((matrix + matrix.T) / 2, rounding)
    solver = found.upper - found.value - rounding
    words = (
        f"all {len(matrix)} eigenvalues (LAPACK) of the Hessian of a function by automatic "
        f"differentiation; its rounding is granted, not bounded: {rounding:.1e}, relative to the "
        f"result, which does not see what cancels inside of the function; backward error of the "
        f"solver at most {max(solver, 0.0):.1e} (Weyl)"
    )
    return replace(found, certificate=words)


def _try_beta(part: SubFunction, largest: float) -> None:
    if part.beta is not None and largest > part.beta:
        msg = (
            f"beta = {part.beta} was declared for the function {part.name!r}, and its Hessian "
            f"norm is {largest:.6g} here: declare a larger one"
        )
        raise AssemblyError(msg)


# -- the assembly ---------------------------------------------------------------------------------


def hessian_norm(
    model: AssemblyModel, x: Numbers, params: tuple[Any, ...] | None = None
) -> SpectralNorm:
    """The spectral norm of the Hessian of f over all parameters: the largest block, enclosed.

    Args:
        model: the assembly.
        x: one input, shape (d,).
        params: where; None means ``model.params``.

    Raises:
        AssemblyError: a function's Hessian norm exceeds the beta declared for it.
        ValueError: x has the wrong shape.

    Source:
        Liu, Zhu and Belkin 2022, Section 2; row B1 of the ledger.
    """
    norms = part_norms(model, x, params)
    found = _largest(model.coefficients, norms)
    each = " | ".join(norms[members[0]].certificate for _, members in model.kinds())
    words = f"the largest of {len(norms)} diagonal blocks; the first of each kind: {each}"
    return replace(found, certificate=words)


def _largest(coefficients: Float[np.ndarray, " m"], norms: list[SpectralNorm]) -> SpectralNorm:
    """The norm of a block diagonal matrix from those of its blocks, each times a number."""
    slack = 1 + gamma(4)  # of forming the coefficient and multiplying by it
    pairs = list(zip(coefficients.tolist(), norms, strict=True))
    ends = [c * e for c, n in pairs for e in n.extremes]
    return SpectralNorm(
        value=max(abs(c) * n.value for c, n in pairs),
        lower=max(abs(c) * n.lower for c, n in pairs) / slack,
        upper=max(abs(c) * n.upper for c, n in pairs) * slack,
        method="blocks",
        certificate=f"the largest of {len(norms)} diagonal blocks",
        failure_probability=min(sum(n.failure_probability for n in norms), 1.0),
        extremes=(min(ends), max(ends)),
        dimension=sum(n.dimension for n in norms),
        steps=sum(n.steps for n in norms),
    )


def tangent_kernel(
    model: AssemblyModel, X: Numbers, params: tuple[Any, ...] | None = None
) -> Float[Array, "n n"]:
    """Inner products of the gradients of f over all parameters, the sum over sub-models.

    Args:
        model: the assembly.
        X: inputs, shape (n, d); (d,) is one input.
        params: where; None means ``model.params``.

    Raises:
        ValueError: inputs have the wrong shape.
    """
    checked = model.check_input(X)
    inputs = checked[None] if checked.ndim == len(model.input_shape) else checked
    given = model.params if params is None else params
    squares = model.coefficients**2
    total = jnp.zeros((len(inputs), len(inputs)))
    for kind, members in model.kinds():
        factors = jnp.asarray(squares[members])
        slopes = _slopes(model, kind, members, [given[i] for i in members], inputs)
        if slopes is not None:
            total = total + sum(jnp.einsum("k,kna,kma->nm", factors, s, s) for s in slopes)
            continue
        for factor, i in zip(factors, members, strict=True):
            network = model.models[i]
            if network is not None:
                total = total + factor * kernels.tangent_kernel(network, inputs, given[i])
    return (total + total.T) / 2


def _slopes(
    model: AssemblyModel, kind: int, members: list[int], params: list[Any], X: Array
) -> list[Array] | None:
    """Gradients of the sub-models of a kind, block by block of parameters, each (k, n, size).

    None where they are too many to be kept, or networks that are not evaluated in batches.
    """
    part = model.assembly.parts[kind]
    stacked = jax.tree.map(_stack, *params)
    if isinstance(part, SubFunction):
        return [_batched_gradient(part, stacked, X)]
    networks = [n for i in members if (n := model.models[i]) is not None]
    plain = [n for n in networks if isinstance(n, models.Model)]
    entries = len(X) * sum(int(np.size(leaf)) for leaf in jax.tree.leaves(params))
    if entries > LARGEST or len(plain) < len(networks):
        return None
    readouts = _stack(*(n.readout for n in plain))
    found = _network_gradients(stacked, readouts, X, plain[0].net.activations)
    return [g.reshape(*g.shape[:2], -1) for g in jax.tree.leaves(found)]


@partial(jax.jit, static_argnums=3)
def _network_gradients(params: Any, readouts: Array, X: Array, activations: Any) -> Any:
    def one(p: Any, v: Array, x: Array) -> Any:
        return jax.grad(lambda q: models.forward(q, v, x, activations))(p)

    return jax.vmap(jax.vmap(one, (None, None, 0)), (0, 0, None))(params, readouts, X)


def gradient_norm(model: AssemblyModel, x: Numbers, params: tuple[Any, ...] | None = None) -> float:
    """The Euclidean norm of the gradient of f over all parameters, at one input of shape (d,)."""
    return float(np.sqrt(tangent_kernel(model, x, params)[0, 0]))
