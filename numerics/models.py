"""Fully connected networks as arrays: parameters, evaluation, forward and backward pass.

Networks of other architectures are in `numerics.graphs`.

NTK parameterization, as in `theory.networks`: alpha^0 = x, z^l = W^l alpha^(l-1) / sqrt(m_(l-1)),
alpha^l = sigma_l(z^l), f = v . alpha^L / sqrt(m_L), with entries of W^l and v drawn from N(0, 1)
(v from {-1, 1} on request). No biases.

Everything compiled here takes the weights as arguments, never as constants, and depends otherwise
only on the activations: one compilation serves every seed and every parameter point.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from jax.typing import DTypeLike
from jaxtyping import Array, Float, UInt32

from numerics.activations import derivatives, host_derivatives, jax_function
from numerics.tolerances import Numbers
from theory.activations import ActivationFunction
from theory.networks import Network, NetworkError

Params = dict[str, Any]
"""{"W": (W1, ..., WL)}, W_l of shape (m_l, m_(l-1)); with "v" (m_L,) iff the readout is trained."""

Activations = tuple[ActivationFunction, ...]
Derive = Callable[[ActivationFunction, Any, int], tuple[Any, ...]]

_BLOCK = 1 << 16  # random numbers drawn at once
_SMALL = 1 << 20  # up to so many parameters a trace is faster in NumPy than its compilation


class Trace(NamedTuple):
    """Forward and backward pass at one input.

    Attributes:
        alpha: alpha^0 = x, ..., alpha^L; entry l has shape (m_l,).
        z: pre-activations z^1, ..., z^L; entry l-1 has shape (m_l,).
        delta: delta^l = df/dalpha^l for l = 1, ..., L; entry l-1 has shape (m_l,).
        f: the output, a scalar.
    """

    alpha: tuple[Float[Array, " m_l"], ...]
    z: tuple[Float[Array, " m_l"], ...]
    delta: tuple[Float[Array, " m_l"], ...]
    f: Float[Array, ""]


class AbstractModel(ABC):
    """A function of parameters and an input with numbers in it, of any architecture.

    Attributes:
        params: trainable parameters, a pytree of arrays.
        dtype: float64 or float32.
    """

    params: Params
    dtype: np.dtype[Any]

    @property
    @abstractmethod
    def num_params(self) -> int:
        """Number of trainable parameters p."""

    @abstractmethod
    def apply(self, params: Params | None, x: Numbers) -> Float[Array, "*shape"]:
        """The output at one input or a batch of inputs."""

    @abstractmethod
    def checked_params(self, params: Params | None) -> Params:
        """`params`, or the model's own if None; refused where the structure differs."""

    @abstractmethod
    def checked_input(self, x: Numbers, batch: bool = True) -> Float[Array, "*shape"]:
        """`x` as an array of the model's dtype; refused where the shape does not fit."""

    @abstractmethod
    def checked_output(self, output: int) -> int:
        """Which output is meant; refused where there is none such."""

    def masked(self, direction: Params) -> Params:
        """A direction with zeros where entries are no parameters."""
        return direction


@dataclass(frozen=True, eq=False)
class Model(AbstractModel):
    """A plain fully connected network with numbers in it.

    Attributes:
        net: the description, all widths integers.
        params: trainable parameters, {"W": (W1, ..., WL)} with W_l of shape (m_l, m_(l-1)), and "v"
            of shape (m_L,) iff the readout is trained. Norms and distances of parameters are
            Euclidean over all of these.
        readout: v as drawn, shape (m_L,); the one in use where the readout is fixed.
        seed: the seed the parameters were drawn from.
        dtype: float64 or float32.
    """

    net: Network
    params: Params = field(repr=False)
    readout: Float[Array, " m_L"] = field(repr=False)
    seed: int
    dtype: np.dtype[Any]

    @property
    def widths(self) -> tuple[int, ...]:
        """m_0, ..., m_L as Python integers."""
        return tuple(int(width) for width in self.net.widths)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input, (d,)."""
        return self.widths[:1]

    @property
    def trained_readout(self) -> bool:
        """Whether v is among the trainable parameters."""
        return bool(self.net.readout.trainable)

    @property
    def num_params(self) -> int:
        """Number of trainable parameters p."""
        widths = self.widths
        weights = sum(m * n for m, n in zip(widths[1:], widths[:-1], strict=True))
        return weights + (widths[-1] if self.trained_readout else 0)

    def apply(self, params: Params | None, x: Numbers) -> Float[Array, "*n"]:
        """The output f(params; x).

        Args:
            params: parameters of the structure of `self.params`; None means `self.params`.
            x: one input, shape (d,), or a batch, shape (n, d).

        Returns:
            A scalar array, or shape (n,) for a batch.

        Raises:
            ValueError: x or a parameter has the wrong shape.
        """
        params = check_params(self, params)
        return _apply(params, self.readout, check_input(self, x), self.net.activations)

    def checked_params(self, params: Params | None) -> Params:
        """See `check_params`."""
        return self.params if params is None else _checked_params(self, params)

    def checked_input(self, x: Numbers, batch: bool = True) -> Float[Array, "*n d"]:
        """See `check_input`."""
        return _checked_input(self, x, batch)

    def checked_output(self, output: int) -> int:
        """0, the only output.

        Raises:
            ValueError: another one is meant.
        """
        if output != 0:
            msg = f"output={output}; this network has one output, number 0"
            raise ValueError(msg)
        return 0


def instantiate(
    net: Network,
    widths: Mapping[sympy.Symbol | str, int] | None = None,
    seed: int = 0,
    dtype: DTypeLike = jnp.float64,
) -> Any:
    """Draw the parameters of a network.

    Every layer has a key of its own, made from the seed, the layer's index and the layer's own
    shape: a layer does not change when others are widened, and networks of different widths are
    independent for the same seed.

    Args:
        net: the description.
        widths: a value for every width symbol of `net`; not needed if it has none.
        seed: an integer, seed >= 0.
        dtype: float64 (for verdicts) or float32.

    Returns:
        A `Model` for a plain fully connected network, else a `numerics.graphs.GraphModel`; W^l
        and v i.i.d. N(0, 1), v in {-1, 1} where the description says "sign".

    Raises:
        NetworkError: a width symbol has no value, or a value names no symbol of the network.
        ValueError: the seed or the dtype is not one of the above.
    """
    numeric = _resolve(net, widths or {})
    kind = _check_dtype(dtype)
    seed = _check_seed(seed)
    if not numeric.is_dense:
        from numerics.graphs.model import graph_model

        return graph_model(numeric, seed, kind)
    sizes = tuple(int(width) for width in numeric.widths)
    weights = tuple(
        draw_gaussian(seed, layer, shape, kind)
        for layer, shape in enumerate(zip(sizes[1:], sizes[:-1], strict=True), start=1)
    )
    if numeric.readout.init == "sign":
        readout = _signs(seed, numeric.depth + 1, sizes[-1], kind)
    else:
        readout = draw_gaussian(seed, numeric.depth + 1, (1, sizes[-1]), kind)[0]
    params: Params = {"W": weights}
    if numeric.readout.trainable:
        params["v"] = readout
    return Model(net=numeric, params=params, readout=readout, seed=seed, dtype=kind)


def trace(model: Model, x: Numbers, params: Params | None = None) -> Trace:
    """Forward and backward pass at one input.

    delta^L = v/sqrt(m_L), delta^l = W^(l+1)^T D^(l+1) delta^(l+1) / sqrt(m_l), D = diag sigma'(z).

    Args:
        model: the network.
        x: one input, shape (d,).
        params: where; None means `model.params`.

    Returns:
        The trace; `alpha` is indexed from layer 0, `z` and `delta` from layer 1.

    Raises:
        ValueError: x or a parameter has the wrong shape.
    """
    params = check_params(model, params)
    x = check_input(model, x, batch=False)
    leaves = [x, *params["W"], params.get("v", model.readout)]
    if model.num_params <= _SMALL and not any(isinstance(v, jax.core.Tracer) for v in leaves):
        return jax.tree.map(jnp.asarray, host_trace(model, params, x))
    return device_trace(model, params, x)


def device_trace(model: Model, params: Params, x: Array) -> Trace:
    """`trace` compiled by JAX: once per tuple of activations and shapes.

    Args:
        model: the network.
        params: where; already checked.
        x: one input, shape (d,); already checked.

    Returns:
        The trace, as JAX arrays.
    """
    return _trace(params, model.readout, x, model.net.activations)


def host_trace(model: Model, params: Params, x: Numbers) -> Trace:
    """`trace` in NumPy, for small networks: nothing is compiled per architecture.

    Args:
        model: the network.
        params: where; already checked.
        x: one input, shape (d,).

    Returns:
        The trace, as NumPy arrays.
    """
    host = jax.tree.map(np.asarray, params)
    arguments = host, np.asarray(model.readout), np.asarray(x), model.net.activations
    with np.errstate(all="ignore"):
        return backward(*arguments, derive=host_derivatives)


def forward(
    params: Params, readout: Float[Array, " m_L"], x: Float[Array, "*n d"], activations: Activations
) -> Float[Array, "*n"]:
    """The output as a pure function, for use under JAX transformations; nothing is checked.

    Args:
        params: as in `Model.params`.
        readout: used where `params` has no "v".
        x: inputs, shape (d,) or (n, d).
        activations: sigma_1, ..., sigma_L, static under `jax.jit`.

    Returns:
        f, shape () or (n,).
    """
    # Inputs are columns here: XLA multiplies W by columns and rows by W without a copy of W, but
    # not rows by its transpose.
    alpha = x.T
    for weight, activation in zip(params["W"], activations, strict=True):
        alpha = jax_function(activation)(weight @ alpha / math.sqrt(weight.shape[1]))
    v = params.get("v", readout)
    return v @ alpha / math.sqrt(v.shape[0])


def backward(
    params: Params,
    readout: Float[Array | np.ndarray, " m_L"],
    x: Float[Array | np.ndarray, " d"],
    activations: Activations,
    derive: Derive = derivatives,
) -> Trace:
    """Forward and backward pass as a pure function; see `trace`. Nothing is checked."""
    alpha: list[Any] = [x]
    z, slopes = [], []
    for weight, activation in zip(params["W"], activations, strict=True):
        z.append(weight @ alpha[-1] / math.sqrt(weight.shape[1]))
        value, slope = derive(activation, z[-1], 1)
        alpha.append(value)
        slopes.append(slope)
    v = params.get("v", readout)
    delta = [v / math.sqrt(v.shape[0])]
    for weight, slope in zip(params["W"][:0:-1], slopes[:0:-1], strict=True):
        delta.append((slope * delta[-1]) @ weight / math.sqrt(weight.shape[1]))
    f = alpha[-1] @ v / math.sqrt(v.shape[0])
    return Trace(tuple(alpha), tuple(z), tuple(reversed(delta)), f)


_apply = partial(jax.jit, static_argnums=3)(forward)
_trace = partial(jax.jit, static_argnums=3)(backward)


def check_params(model: AbstractModel, params: Params | None) -> Params:
    """`params`, or the model's own if None, after a look at structure and shapes.

    Raises:
        ValueError: naming the parameter that is missing, unknown or of the wrong shape.
    """
    return model.checked_params(params)


def check_input(model: AbstractModel, x: Numbers, batch: bool = True) -> Float[Array, "*shape"]:
    """`x` as an array of the model's dtype, after a look at its shape.

    Raises:
        ValueError: the shape is not that of one input, nor of several where a batch is allowed.
    """
    return model.checked_input(x, batch)


def _checked_params(model: Model, params: Params) -> Params:
    if set(params) != set(model.params):
        msg = f"params has the keys {sorted(params)}; this model needs {sorted(model.params)}"
        raise ValueError(msg)
    if len(params["W"]) != len(model.params["W"]):
        msg = f"params['W'] has {len(params['W'])} matrices; the depth is {len(model.params['W'])}"
        raise ValueError(msg)
    named = [(f"W{i}", w) for i, w in enumerate(params["W"], start=1)]
    needed = [w.shape for w in model.params["W"]]
    if "v" in params:
        named.append(("v", params["v"]))
        needed.append(model.readout.shape)
    for (name, value), shape in zip(named, needed, strict=True):
        if np.shape(value) != shape:
            msg = f"params: {name} has shape {np.shape(value)}; this model needs {shape}"
            raise ValueError(msg)
    return params


def _checked_input(model: Model, x: Numbers, batch: bool) -> Float[Array, "*n d"]:
    array = jnp.asarray(x, dtype=model.dtype)
    dim = model.widths[0]
    if array.ndim not in ((1, 2) if batch else (1,)) or array.shape[-1] != dim:
        wanted = f"({dim},) or (n, {dim})" if batch else f"({dim},), one input at a time"
        msg = f"x has shape {array.shape}; this network takes {wanted}"
        raise ValueError(msg)
    return array


def _resolve(net: Network, widths: Mapping[sympy.Symbol | str, int]) -> Network:
    missing = {s.name for s in net.symbols} - {getattr(key, "name", key) for key in widths}
    if missing:
        names = ", ".join(sorted(missing))
        msg = f"no value for the width {names}: give every symbol one, as in {{{names}: 1024}}"
        raise NetworkError(msg)
    return net.substitute(widths) if widths else net


def _check_seed(seed: int) -> int:
    value = operator.index(seed)
    if value < 0:
        msg = f"seed {seed} is negative: give an integer >= 0"
        raise ValueError(msg)
    return value


def _check_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    kind = np.dtype(dtype)
    if kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        msg = f"dtype {kind} is not supported: use float64 (for verdicts) or float32"
        raise ValueError(msg)
    return kind


def draw_gaussian(
    seed: int, layer: int, shape: tuple[int, int], dtype: np.dtype[Any]
) -> Float[Array, "rows columns"]:
    """I.i.d. N(0, 1) entries, by blocks of a fixed size: one compilation for all shapes.

    The blocks' keys are hashed from (seed, layer, rows, columns) by NumPy's SeedSequence.
    """
    size = math.prod(shape)
    states = _key_data((seed, layer, *shape), -(-size // _BLOCK))
    buffer = _aligned(size, dtype)
    for block, state in enumerate(states):
        start = block * _BLOCK
        stop = min(start + _BLOCK, size)
        buffer[start:stop] = np.asarray(_normal_block(state, dtype))[: stop - start]
    # The buffer is not kept: sharing its memory, where the device is the CPU, is safe.
    return jax.device_put(buffer.reshape(shape), may_alias=True)


def _signs(seed: int, layer: int, size: int, dtype: np.dtype[Any]) -> Float[Array, " m_L"]:
    key = jax.random.wrap_key_data(_key_data((seed, layer, 1, size), 1)[0], impl="threefry2x32")
    return jax.random.rademacher(key, (size,), dtype)


def _key_data(entropy: tuple[int, ...], count: int) -> UInt32[np.ndarray, "blocks 2"]:
    return np.random.SeedSequence(entropy).generate_state(2 * count, np.uint32).reshape(-1, 2)


def _aligned(size: int, dtype: np.dtype[Any]) -> Float[np.ndarray, " size"]:
    """An empty vector at an address JAX can use without a copy (a multiple of 64 bytes)."""
    raw = np.empty(size * dtype.itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * dtype.itemsize].view(dtype)


@partial(jax.jit, static_argnums=1)
def _normal_block(state: Array, dtype: np.dtype[Any]) -> Float[Array, " block"]:
    key = jax.random.wrap_key_data(state, impl="threefry2x32")
    return jax.random.normal(key, (_BLOCK,), dtype)
