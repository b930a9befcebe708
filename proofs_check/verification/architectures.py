"""Plain dense networks and graphs alike: their sizes, and what symbols of proofs are on them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numerics.graphs import AnyModel, GraphModel
from proofs_check.data import Inputs
from proofs_check.measuring.environment import Environment
from proofs_check.measuring.graph_environment import GraphEnvironment
from theory.networks import Network


def sizes(net: Network) -> tuple[Any, ...]:
    """m_0, ..., m_L of a plain dense network, else the number of entries of each node's value."""
    return tuple(net.widths if net.is_dense else net.graph.sizes)


def sizes_of(model: AnyModel) -> tuple[int, ...]:
    """The same for a network with numbers in it."""
    if isinstance(model, GraphModel):
        return tuple(math.prod(shape) for shape in model.walk.shapes)
    return model.widths


def depth_of(model: AnyModel) -> int:
    """The number of layers, or of nodes, that a bound is a product over."""
    return len(sizes_of(model)) - 1


def shaped(model: AnyModel, x: Inputs) -> Any:
    """An input, flat, in the shape that the network takes."""
    return np.reshape(x, model.input_shape) if isinstance(model, GraphModel) else x


def environment(model: AnyModel, **values: Any) -> Environment:
    """What the symbols of a proof about this network stand for."""
    if isinstance(model, GraphModel):
        return GraphEnvironment(model, **values)  # type: ignore[arg-type]
    return Environment(model, **values)


__all__ = ["depth_of", "environment", "shaped", "sizes", "sizes_of"]
