r"""Full-batch gradient descent on the square loss, with the tangent kernel along its path.

    L(theta) = |f(theta) - y|^2 / 2,      theta_{t+1} = theta_t - eta grad L(theta_t),
    grad L = J^T r,   r = f(theta) - y,   J = df/dtheta of shape (n, p),   K = J J^T.

J is formed at every step, as K needs it; the gradient of the loss is then a product with r, and
what a library of optimisers would add is one line. The steps are one `jax.lax.scan`, compiled once
for a shape whatever the seed.

An output ``phi(f)`` and the rescaling ``alpha (f - f(theta0))`` of lazy training are options, so
that the runs compared differ in nothing else.

Source:
    C. Liu, L. Zhu, M. Belkin, *On the linearity of large non-linear models*, NeurIPS 2020,
    section 5; L. Chizat, E. Oyallon, F. Bach, *On lazy training in differentiable programming*,
    NeurIPS 2019, for the rescaling.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from numerics.activations import jax_function
from numerics.functions.model import FunctionModel, as_model, stacked
from numerics.functions.program import remembered
from numerics.graphs.model import GraphModel, check_inputs, outputs
from numerics.graphs.walk import Walk
from numerics.models import AbstractModel, Model, Params, check_input, check_params, forward
from numerics.tolerances import Numbers
from theory.activations import ActivationFunction, activation

__all__ = ["Training", "TrainingError", "gradient_descent", "smoothness"]

MOST_ENTRIES = 1 << 28  # of J: 2 GiB in float64


class TrainingError(ValueError):
    """A training run that cannot be made, or one that left the finite numbers."""


@dataclass(frozen=True, eq=False)
class Training:
    """A run of gradient descent; entry t of every array is before step t, the last after the end.

    Attributes:
        step_size: eta.
        losses: ``|r|^2 / 2``, shape ``(steps + 1,)``.
        outputs: of the trained function at the inputs, shape ``(steps + 1, n)``.
        targets: y, shape ``(n,)``.
        distances: ``|theta_t - theta_0|``, Euclidean over all trainable parameters.
        gradient_norms: ``|grad L|``.
        kernels: tangent kernels of the trained function, shape ``(steps + 1, n, n)``.
        least: least eigenvalue of each kernel.
        largest: largest eigenvalue of each kernel.
        kernel_changes: ``|K_t - K_0| / |K_0|``, Frobenius norms.
        params: where it ended.
    """

    step_size: float
    losses: Float[np.ndarray, " times"]
    outputs: Float[np.ndarray, "times n"]
    targets: Float[np.ndarray, " n"]
    distances: Float[np.ndarray, " times"]
    gradient_norms: Float[np.ndarray, " times"]
    kernels: Float[np.ndarray, "times n n"] = field(repr=False)
    least: Float[np.ndarray, " times"]
    largest: Float[np.ndarray, " times"]
    kernel_changes: Float[np.ndarray, " times"]
    params: Any = field(repr=False)

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return len(self.losses) - 1

    @property
    def residuals(self) -> Float[np.ndarray, " times"]:
        """``|f - y|``, Euclidean over the inputs."""
        return np.sqrt(2 * self.losses)


def gradient_descent(
    model: Any,
    X: Any,
    y: Numbers,
    *,
    steps: SupportsIndex = 100,
    step_size: float | None = None,
    outer: ActivationFunction | str | None = None,
    rescale: float | int | None = None,
    params: Any = None,
    output: int = 0,
) -> Training:
    """Train all trainable parameters by full-batch gradient descent on the square loss.

    Args:
        model: the network, or a function f(params, x) that JAX can trace.
        X: inputs, shape ``(n, d)``, or ``(n, *input shape)``; for a function an array or tree of
            arrays, stacked along the first axis.
        y: targets, shape ``(n,)``.
        steps: how many, at least 1.
        step_size: eta; None for ``1 / lambda_max(K_0)`` of the trained function, half of what a
            linear model bears. Where the model is not linear nothing is certain before the run:
            `smoothness` says what a bound on the Hessian norms makes safe.
        outer: phi, to train ``phi(f)`` instead of f.
        rescale: alpha, to train ``alpha (f - f(theta_0))`` instead of f.
        params: theta_0; None means `model.params`. A function needs it, a pytree of arrays.
        output: which output f is, where there are several.

    Returns:
        The run.

    Raises:
        TrainingError: a number of steps, a step size or a scale that makes no sense; targets that
            do not fit the inputs; a Jacobian that is too large; or a run that overflowed, naming
            the step.
        ValueError: inputs or a parameter have the wrong shape.
    """
    model = as_model(model, params)
    custom = isinstance(model, FunctionModel)
    params = check_params(model, None if custom else params)
    inputs, number = _stacked(model, X)
    targets = _targets(y, number, model)
    count = _count(steps)
    scale = _scale(rescale)
    if number * model.num_params > MOST_ENTRIES:
        msg = (
            f"the Jacobian of {number} inputs by {model.num_params} parameters has more "
            f"than {MOST_ENTRIES} entries; take fewer inputs or a narrower network"
        )
        raise TrainingError(msg)
    function, fixed = _trained(model, None if outer is None else activation(outer), output)
    centred = jnp.asarray(0.0 if rescale is None else 1.0, model.dtype)
    start = (params, fixed, inputs, targets, jnp.asarray(scale, model.dtype), centred)
    if step_size is None:
        largest = float(_largest(function, *start))
        if not (math.isfinite(largest) and largest > 0):
            msg = f"the largest eigenvalue of the kernel is {largest}; give a step size"
            raise TrainingError(msg)
        step_size = 1 / largest
    eta = _step(step_size)
    final, path = _descend(function, count, *start, jnp.asarray(eta, model.dtype))
    result = _result(eta, np.asarray(targets), final, jax.tree.map(np.asarray, path))
    return replace(result, params=model.restored(final)) if custom else result


def smoothness(
    largest: float, hessian: float, residual: float, count: int, radius: float = 0.0
) -> float:
    """A bound on the Hessian norm of the square loss on a ball, hence on safe step sizes ``1/it``.

    ``|Hess L| <= (|J_0| + sqrt(n) eps R)^2 + eps |r|_1``, and ``|r|_1 <= sqrt(n) |r|_2``, where
    ``|J_0|^2`` is the largest eigenvalue of the kernel at the centre; gradient descent with a step
    of at most its inverse does not increase the loss while it stays in the ball.

    Args:
        largest: largest eigenvalue of the tangent kernel at the centre.
        hessian: eps, a bound on the Hessian norm of f on the ball, at every input.
        residual: a bound on ``|f - y|``, Euclidean, on the way.
        count: n, the number of inputs.
        radius: R.

    Raises:
        TrainingError: an argument is negative or not finite.
    """
    for name, value in (
        ("largest", largest),
        ("hessian", hessian),
        ("residual", residual),
        ("radius", radius),
    ):
        if not (math.isfinite(value) and value >= 0):
            msg = f"{name} is {value!r}; give a finite number that is not negative"
            raise TrainingError(msg)
    number = operator.index(count)
    if number < 1:
        msg = f"count is {count}; give the number of inputs, at least 1"
        raise TrainingError(msg)
    root = math.sqrt(number)
    return (math.sqrt(largest) + root * hessian * radius) ** 2 + hessian * root * residual


# -- compiled -------------------------------------------------------------------------------------

Function = Callable[[Params, Any, Any], Array]


def _trained(
    model: AbstractModel, outer: ActivationFunction | None, output: int
) -> tuple[Function, Any]:
    """f(params, fixed, x) for one input, one object per architecture; and what is fixed in it."""
    output = model.checked_output(output)
    if isinstance(model, FunctionModel):
        return _own_function(model.function, model.tree, outer, output), ()
    if isinstance(model, GraphModel):
        return _graph_function(model.walk, outer, output), model.fixed
    if not isinstance(model, Model):
        msg = f"{type(model).__name__} is no model that can be trained"
        raise TrainingError(msg)
    return _function(model.net.activations, outer), model.readout


@lru_cache(maxsize=256)
def _graph_function(steps: Walk, outer: ActivationFunction | None, output: int) -> Function:
    apply = None if outer is None else jax_function(outer)

    def function(params: Params, fixed: Any, x: Array) -> Array:
        value = jnp.reshape(outputs(steps, params, fixed, x), (-1,))[output]
        return value if apply is None else apply(value)

    return function


@remembered
def _own_function(
    given: Callable[..., Any], tree: Any, outer: ActivationFunction | None, output: int
) -> Function:
    apply = None if outer is None else jax_function(outer)

    def function(params: Params, _: Any, x: Any) -> Array:
        value = jnp.reshape(given(jax.tree.unflatten(tree, params["W"]), x), (-1,))[output]
        return value if apply is None else apply(value)

    return function


@lru_cache(maxsize=256)
def _function(
    activations: tuple[ActivationFunction, ...], outer: ActivationFunction | None
) -> Function:
    """f(params, readout, x) for one input; one object per architecture, so compiled once."""
    apply = None if outer is None else jax_function(outer)

    def function(params: Params, readout: Array, x: Array) -> Array:
        value = forward(params, readout, x, activations)
        return value if apply is None else apply(value)

    return function


def _jacobian(function: Function, params: Params, fixed: Any, X: Any) -> tuple[Array, Params]:
    """Outputs, shape (n,), and gradients by parameters, leaves of shape (n, ...)."""
    values: tuple[Array, Params] = jax.vmap(jax.value_and_grad(function), in_axes=(None, None, 0))(
        params, fixed, X
    )
    return values


def _gram(jacobian: Params, scale: Array) -> Array:
    rows = [leaf.reshape(leaf.shape[0], -1) for leaf in jax.tree.leaves(jacobian)]
    return scale**2 * sum((leaf @ leaf.T for leaf in rows[1:]), rows[0] @ rows[0].T)


@partial(jax.jit, static_argnums=0)
def _largest(
    function: Function, params: Params, fixed: Any, X: Any, _: Array, scale: Array, __: Array
) -> Array:
    gram = _gram(_jacobian(function, params, fixed, X)[1], scale)
    return jnp.linalg.eigvalsh((gram + gram.T) / 2)[-1]


@partial(jax.jit, static_argnums=(0, 1))
def _descend(
    function: Function,
    steps: int,
    params: Params,
    fixed: Any,
    X: Any,
    y: Array,
    scale: Array,
    centred: Array,
    eta: Array,
) -> tuple[Params, dict[str, Array]]:
    """All steps; what is recorded at each, and once more at the end."""
    origin = centred * _jacobian(function, params, fixed, X)[0]

    def look(now: Params) -> tuple[Params, dict[str, Array]]:
        values, jacobian = _jacobian(function, now, fixed, X)
        outputs = scale * (values - origin)
        residual = outputs - y
        gradient = jax.tree.map(lambda j: scale * jnp.tensordot(residual, j, 1), jacobian)
        moved = jax.tree.map(lambda a, b: a - b, now, params)
        return gradient, {
            "outputs": outputs,
            "loss": residual @ residual / 2,
            "distance": _norm(moved),
            "gradient": _norm(gradient),
            "kernel": _gram(jacobian, scale),
        }

    def step(now: Params, _: None) -> tuple[Params, dict[str, Array]]:
        gradient, seen = look(now)
        return jax.tree.map(lambda p, g: p - eta * g, now, gradient), seen

    final, path = jax.lax.scan(step, params, None, length=steps)
    last = look(final)[1]
    return final, jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), path, last)


def _norm(tree: Params) -> Array:
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))


# -- in and out -----------------------------------------------------------------------------------


def _result(eta: float, targets: Any, final: Params, path: dict[str, np.ndarray]) -> Training:
    finite = np.isfinite(path["loss"]) & np.isfinite(path["gradient"])
    if not np.all(finite):
        step = int(np.argmin(finite))
        msg = (
            f"the loss or its gradient is not finite at step {step} with the step size {eta:.3g}; "
            "take a smaller one"
        )
        raise TrainingError(msg)
    kernels = (path["kernel"] + np.swapaxes(path["kernel"], 1, 2)) / 2
    eigenvalues = np.linalg.eigvalsh(kernels)
    size = float(np.linalg.norm(kernels[0]))
    changes = np.linalg.norm(kernels - kernels[0], axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.where(changes == 0, 0.0, changes / size)
    return Training(
        step_size=eta,
        losses=path["loss"],
        outputs=path["outputs"],
        targets=targets,
        distances=path["distance"],
        gradient_norms=path["gradient"],
        kernels=kernels,
        least=eigenvalues[:, 0],
        largest=eigenvalues[:, -1],
        kernel_changes=relative,
        params=final,
    )


def _stacked(model: AbstractModel, X: Any) -> tuple[Any, int]:
    """The inputs, stacked along the first axis, and how many they are."""
    if isinstance(model, Model | GraphModel):
        inputs = check_inputs(model, X)
        return inputs, inputs.shape[0]
    found = check_input(model, X)
    return found, stacked(found)


def _targets(y: Numbers, number: int, model: AbstractModel) -> Array:
    targets = jnp.asarray(y, dtype=model.dtype)
    if targets.shape != (number,):
        msg = f"y has shape {targets.shape}; {number} inputs need ({number},)"
        raise TrainingError(msg)
    return targets


def _count(steps: SupportsIndex) -> int:
    count = operator.index(steps)
    if count < 1:
        msg = f"steps is {count}; give at least 1"
        raise TrainingError(msg)
    return count


def _step(step_size: float) -> float:
    if not (math.isfinite(step_size) and step_size > 0):
        msg = f"step_size is {step_size!r}; give a positive number"
        raise TrainingError(msg)
    return float(step_size)


def _scale(rescale: float | int | None) -> float:
    if rescale is None:
        return 1.0
    if not (math.isfinite(rescale) and rescale > 0):
        msg = f"rescale is {rescale!r}; give a positive number, the factor alpha"
        raise TrainingError(msg)
    return float(rescale)
