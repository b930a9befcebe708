"""What one cell of a sweep is, and how it is computed, here or on another machine.

A cell travels as texts and numbers (the description as TOML, the quantity by name), never as a
pickled object of ours, so that a worker needs nothing but the same version of this package.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import metadata
from typing import Any, TypeAlias

import jax
import numpy as np

from numerics.sweeps.store import finite, key_of

__all__ = ["QUANTITIES", "Cell", "Quantity", "SweepError", "compute", "quantity_name"]

Quantity: TypeAlias = Callable[[Any, np.ndarray, Mapping[str, Any]], Mapping[str, Any]]
"""(model, X, options) to numbers by name; X of shape (n, *input shape)."""

_SPHERE = 0  # seed of the random direction of what is measured at distance `radius`


class SweepError(ValueError):
    """A sweep that cannot be made."""


@dataclass(frozen=True)
class Cell:
    """One measurement: everything that determines its result.

    Attributes:
        network: the description, TOML.
        widths: a number for every symbol of it.
        seed: of the weights.
        quantity: its name, of `QUANTITIES`, or "module:function".
        options: of the quantity.
        inputs: hash of the inputs.
        precision: "float64" or "float32".
        version: of this package and of JAX, and of the quantity's own code if it is not of ours.
        numbers: the inputs.
        cost: number of weights, from which the time to come is estimated.
    """

    network: str
    widths: Mapping[str, int]
    seed: int
    quantity: str
    options: Mapping[str, Any]
    inputs: str
    precision: str
    version: str
    numbers: np.ndarray = field(repr=False, compare=False)
    cost: int = field(repr=False, compare=False)

    @property
    def content(self) -> dict[str, Any]:
        """What the key is the hash of."""
        return {
            "network": self.network,
            "widths": dict(self.widths),
            "seed": self.seed,
            "quantity": self.quantity,
            "options": dict(self.options),
            "inputs": self.inputs,
            "precision": self.precision,
            "version": self.version,
        }

    @cached_property
    def key(self) -> str:
        """The cell's name in a store."""
        return key_of(self.content)

    @property
    def label(self) -> str:
        """The cell in a few words."""
        sizes = ", ".join(f"{name}={size}" for name, size in self.widths.items())
        return f"{self.quantity} at {sizes or 'its widths'}, seed {self.seed}"


def compute(content: Mapping[str, Any], numbers: np.ndarray) -> tuple[dict[str, Any], float]:
    """The result of a cell, and how many seconds it took: what executors are given.

    Args:
        content: of the cell.
        numbers: its inputs.

    Raises:
        SweepError: the quantity returned no finite numbers by name.
    """
    import numerics

    begin = time.perf_counter()
    net = _network(content["network"])
    model = numerics.instantiate(net, content["widths"], content["seed"], content["precision"])
    found = dict(_quantity(content["quantity"])(model, numbers, content["options"]))
    values = {
        str(name): value if isinstance(value, str | int) else float(value)
        for name, value in found.items()
    }
    if not values or not finite(values):
        msg = f"{content['quantity']} returned {values}; finite numbers by name are needed"
        raise SweepError(msg)
    return values, time.perf_counter() - begin


@cache
def _network(text: str) -> Any:
    from theory.networks import Network

    return Network.from_toml(text)


def version_of(quantity: str) -> str:
    """The versions that a cell depends on; for a quantity from elsewhere the hash of its source.

    Raises:
        SweepError: there is no such quantity.
    """
    try:
        own = metadata.version("widthproof")
    except metadata.PackageNotFoundError:
        own = "not installed"
    function, version = _quantity(quantity), f"{own}, jax {jax.__version__}"
    if quantity in QUANTITIES:
        return version
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        text = quantity
    return f"{version}, {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def quantity_name(quantity: str | Quantity) -> str:
    """The name under which workers find a quantity.

    Raises:
        SweepError: it is no name of `QUANTITIES`, and no function that can be imported.
    """
    if isinstance(quantity, str):
        _quantity(quantity)
        return quantity
    name = f"{getattr(quantity, '__module__', '?')}:{getattr(quantity, '__qualname__', '?')}"
    with suppress(SweepError):
        if _quantity(name) is quantity:
            return name
    msg = f"{name} is not found by its name; give a function at the top of a module"
    raise SweepError(msg)


def _quantity(name: str) -> Quantity:
    if name in QUANTITIES:
        return QUANTITIES[name]
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module) if path else None
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError):
        found = None
    if not callable(found):
        msg = f"no quantity {name!r}; there are {', '.join(QUANTITIES)}, and functions as "
        raise SweepError(msg + "'module:function' that can be imported")
    return found


# -- quantities -----------------------------------------------------------------------------------


def _hessian_norm(model: Any, X: np.ndarray, _: Mapping[str, Any]) -> dict[str, Any]:
    """The largest over the inputs, each enclosed."""
    import numerics

    norms = [numerics.hessian_norm(model, x) for x in X]
    top = max(norms, key=lambda norm: norm.value)
    return {
        "value": top.value,
        "lower": max(norm.lower for norm in norms),
        "upper": max(norm.upper for norm in norms),
        "failure_probability": float(sum(norm.failure_probability for norm in norms)),
        "certificate": top.certificate,
    }


def _gradient_norm(model: Any, X: np.ndarray, _: Mapping[str, Any]) -> dict[str, Any]:
    """The largest over the inputs."""
    import numerics

    return {"value": np.sqrt(max(float(numerics.tangent_kernel(model, x)[0, 0]) for x in X))}


def _tangent_kernel(model: Any, X: np.ndarray, _: Mapping[str, Any]) -> dict[str, Any]:
    """Its extreme eigenvalues and its trace."""
    import numerics

    values = np.linalg.eigvalsh(np.asarray(numerics.tangent_kernel(model, X)))
    return {"least": values[0], "largest": values[-1], "trace": np.sum(values)}


def _linearization_gap(model: Any, X: np.ndarray, options: Mapping[str, Any]) -> dict[str, Any]:
    """The largest over the inputs, at a random point at the distance `radius`."""
    import numerics

    there = numerics.perturb(model, options["radius"], _SPHERE)
    return {"value": max(numerics.linearization_gap(model, x, there) for x in X)}


def _kernel_change(model: Any, X: np.ndarray, options: Mapping[str, Any]) -> dict[str, Any]:
    """At a random point at the distance `radius`."""
    import numerics

    change = numerics.kernel_change(model, X, numerics.perturb(model, options["radius"], _SPHERE))
    return {name: getattr(change, name) for name in ("absolute", "relative", "spectral")}


def _ball_search(model: Any, X: np.ndarray, options: Mapping[str, Any]) -> dict[str, Any]:
    """The largest Hessian norm found on the ball, over all inputs."""
    import numerics

    found = [numerics.ball_search(model, x, options["radius"]) for x in X]
    top = max(found, key=lambda search: search.value)
    return {"value": top.value, "at_centre": top.at_centre, "distance": top.distance}


QUANTITIES: dict[str, Quantity] = {
    "hessian_norm": _hessian_norm,
    "gradient_norm": _gradient_norm,
    "tangent_kernel": _tangent_kernel,
    "linearization_gap": _linearization_gap,
    "kernel_change": _kernel_change,
    "ball_search": _ball_search,
}
USE_RADIUS = frozenset({"linearization_gap", "kernel_change", "ball_search"})
