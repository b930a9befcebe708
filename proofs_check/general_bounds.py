"""How much looser A6 is than the direct way to A7 and A8, as tables kept in the documentation.

A6 takes the largest layer for all layers: one maximum Q for every product of second and first
derivatives, one Lipschitz constant.  The direct way keeps each layer's own statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import numerics
import theory
from proofs_check.ledger.dense import held
from proofs_check.ledger.graphs import bound_on_ball, drawn_input
from theory.files import write_atomically
from theory.ledger import general_layers
from theory.ledger.graphs import graph_bound
from theory.networks import (
    Activation,
    AveragePool,
    Conv,
    Dense,
    Input,
    Network,
    Readout,
    Residual,
    width,
)

PATH = "docs/general-layers.md"
DEPTHS = (1, 2, 3, 4)
WIDTHS = (64, 128, 256)
SEEDS = range(2)
CHANNELS = (8, 16, 32)
GRAPH_DEPTHS = {"convolutional": (1, 2, 3), "residual": (2, 3)}

INTRODUCTION = """# General layers against the direct way

The bound on the Hessian norm of a dense network at the centre (tanh, readout fixed, digits as
inputs, means over seeds {seeds}) by A6 for general layers, each Q from the layer statistics, and by
A7 directly; and the norm itself.

Written by `python -m proofs_check.general_bounds`; a test compares the smaller rows with the code.

| depth | width | norm | A6 | A7 | A6 / A7 | A7 / norm |
|---:|---:|---:|---:|---:|---:|---:|
"""

GRAPHS = """
## Convolutional and residual networks

The same for A8: by A6, each Q from the statistics of the nodes, and directly.  The convolutions are
circular, of {channels} channels on 8 places, averaged before a fixed readout; the residual networks
have widths of as many neurons on 16 inputs; tanh, Gaussian inputs with |x|^2 = d.

| network | depth | width | norm | A6 | A8 | A6 / A8 | A8 / norm |
|:---|---:|---:|---:|---:|---:|---:|---:|
"""


@dataclass(frozen=True)
class Comparison:
    """One line of a table.

    Attributes:
        depth: number of hidden layers.
        width: of all of them.
        norm: the Hessian norm, spectral, the mean over the seeds as all below.
        general: A6, from layer statistics.
        direct: A7 or A8 at the level of layers.
    """

    depth: int
    width: int
    norm: float
    general: float
    direct: float

    def __str__(self) -> str:
        """The line in Markdown."""
        ratios = (self.general / self.direct, self.direct / self.norm)
        cells = [f"{v:.3g}" for v in (self.norm, self.general, self.direct, *ratios)]
        return f"| {self.depth} | {self.width} | {' | '.join(cells)} |"


def compare(depth: int, width: int, seeds: Iterable[int] = SEEDS) -> Comparison:
    """A6 and A7 on networks of one depth and width.

    Args:
        depth: number of hidden layers.
        width: of all of them.
        seeds: of the networks and inputs.
    """
    net = theory.reference_network(depth)
    theorems = (general_layers.dense(net), theory.hessian_bound(net))
    found = []
    for seed in seeds:
        samples = [held(t, radius=None)(width, seed) for t in theorems]
        bounds = [s.bound.value for s in samples if s.bound is not None]
        found.append([samples[0].measured.value, *bounds])
    means = np.mean(found, axis=0)
    return Comparison(depth, width, *map(float, means))


def convolutional(depth: int) -> Network:
    """So many circular convolutions of m channels on 8 places, averaged before the readout."""
    m, tanh = width("m"), Activation("tanh")
    hidden = [part for _ in range(depth) for part in (Conv(m, 3), tanh)]
    return Network(Input((3, 8)), *hidden, AveragePool(), Readout(trainable=False))


def residual(depth: int) -> Network:
    """A dense layer of m neurons, then dense layers with a skip around each."""
    m, tanh = width("m"), Activation("tanh")
    blocks = [Residual(Dense(m), tanh) for _ in range(depth - 1)]
    return Network(Input(16), Dense(m), tanh, *blocks, Readout(trainable=False))


FAMILIES: Mapping[str, Callable[[int], Network]] = {
    "convolutional": convolutional,
    "residual": residual,
}


def compare_graphs(family: str, depth: int, size: int, seeds: Iterable[int] = SEEDS) -> Comparison:
    """A6 and A8 on networks of one of the ``FAMILIES``.

    Args:
        family: which.
        depth: number of layers with an activation.
        size: channels or neurons of each.
        seeds: of the networks and inputs.
    """
    net = FAMILIES[family](depth)
    theorems = (general_layers.layered(net), graph_bound(net.graph, None, net, "LZB20/A8"))
    found = []
    for seed in seeds:
        model = numerics.instantiate(net, {"m": size}, seed=seed)
        if not isinstance(model, numerics.GraphModel):
            msg = f"{family} networks of depth {depth} are no graphs"
            raise TypeError(msg)
        x = drawn_input(tuple(int(n) for n in model.graph.nodes[0].shape), seed)
        bounds = [bound_on_ball(t, model, x).value for t in theorems]
        found.append([numerics.hessian_norm(model, x).value, *bounds])
    return Comparison(depth, size, *map(float, np.mean(found, axis=0)))


def document(lines: Sequence[Comparison], graphs: Sequence[tuple[str, Comparison]]) -> str:
    """The page with its tables."""
    dense = INTRODUCTION.format(seeds=f"0 to {len(SEEDS) - 1}") + "".join(f"{c}\n" for c in lines)
    channels = f"{CHANNELS[0]} to {CHANNELS[-1]}"
    return (
        dense + GRAPHS.format(channels=channels) + "".join(f"| {name} {c}\n" for name, c in graphs)
    )


def main() -> None:
    """Write the page."""
    graphs = [
        (name, compare_graphs(name, d, w))
        for name, depths in GRAPH_DEPTHS.items()
        for d in depths
        for w in CHANNELS
    ]
    text = document([compare(d, w) for d in DEPTHS for w in WIDTHS], graphs)
    write_atomically(PATH, text.encode())


if __name__ == "__main__":
    main()
