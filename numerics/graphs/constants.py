"""The constants that rules state, tried: the only numbers a proof takes on trust from a layer.

A rule with weights states tau with ``|c . z(V, a)| <= tau |c| |V|_F |a|``, a fixed linear rule
bounds on the norms of its maps.  The first is tried from below, by maximising over c, V and a in
turn: with two of them given, the best third is the gradient by it, normalised.  The others are
compared with all singular values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numerics.graphs import host
from numerics.graphs.model import GraphModel
from numerics.measure import weight_norm
from numerics.tolerances import spectrum
from theory.graph import BilinearRule, LinearRule

__all__ = ["StatedConstant", "try_constants"]


@dataclass(frozen=True)
class StatedConstant:
    """One constant of a rule, and what was found of it.

    Attributes:
        node: the node.
        label: the layer it comes from.
        name: ``tau``, or ``ell[j]`` for the map of the j-th parent.
        stated: what the rule says.
        found: the largest value found; for ``ell`` the norm itself.
    """

    node: int
    label: str
    name: str
    stated: float
    found: float

    @property
    def exceeded(self) -> bool:
        """Whether the rule states too little, beyond rounding: proofs with it are worthless."""
        return self.found > self.stated * (1 + spectrum(64).relative)


def try_constants(
    model: GraphModel, *, starts: int = 12, steps: int = 40, seed: int = 0
) -> tuple[StatedConstant, ...]:
    """Look for values beyond the constants that the rules of a network state.

    Args:
        model: a network that is small (`numerics.graphs.host.LARGEST`).
        starts: random starts of each maximisation.
        steps: of each.
        seed: of the starts.

    Returns:
        One entry for each constant, node by node.

    Raises:
        ValueError: the network is too large.
    """
    if not host.fits(model):
        msg = f"the network has more than {host.LARGEST} values; try a narrower one"
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    found: list[StatedConstant] = []
    for node in model.graph.nodes:
        label = node.label or type(node.rule).__name__
        if isinstance(node.rule, BilinearRule):
            value = _trilinear(model, node.index, rng, starts, steps)
            stated = float(node.rule.contraction)
            found.append(StatedConstant(node.index, label, "tau", stated, value))
        elif isinstance(node.rule, LinearRule):
            pairs = zip(node.rule.norms, host.maps(model.walk, node.index), strict=True)
            found += [
                StatedConstant(
                    node.index, label, f"ell[{j}]", float(bound), weight_norm(L.toarray()).lower
                )
                for j, (bound, L) in enumerate(pairs)
            ]
    return tuple(found)


def _trilinear(
    model: GraphModel, node: int, rng: np.random.Generator, starts: int, steps: int
) -> float:
    """The largest ``c . z(V, a)`` found over unit c, V and a."""
    rows, cols = model.walk.weight_shape(node)
    (columns,) = host.maps(model.walk, node)
    factor: Any = model.walk.factors[node]
    mask = model.walk.masks.get(node, np.ones((rows, cols), bool))
    positions, size = columns.shape[0] // cols, columns.shape[1]
    best = 0.0
    for _ in range(starts):
        a, c = _unit(rng.standard_normal(size)), _unit(rng.standard_normal((rows, positions)))
        for _ in range(steps):
            X = (columns @ a).reshape(cols, positions)
            V = mask * ((factor * c) @ X.T)
            best = max(best, float(np.linalg.norm(V)))
            c = _unit(factor * (_unit(V) @ X))
            a = _unit(columns.T @ (_unit(V).T @ (factor * c)).ravel())
    return best


def _unit(array: np.ndarray) -> np.ndarray:
    size = float(np.linalg.norm(array))
    return array / size if size else array
