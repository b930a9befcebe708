"""How much looser A6 is than the direct way to A7, as a table that is kept in the documentation.

A6 takes the largest layer for all layers: one maximum Q for every product of second and first
derivatives, one Lipschitz constant.  The direct way keeps each layer's own statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

import theory
from proofs_check.ledger.dense import held
from theory.files import write_atomically
from theory.ledger import general_layers

PATH = "docs/general-layers.md"
DEPTHS = (1, 2, 3, 4)
WIDTHS = (64, 128, 256)
SEEDS = range(2)

INTRODUCTION = """# General layers against the direct way

The bound on the Hessian norm of a dense network at the centre (tanh, readout fixed, digits as
inputs, means over seeds {seeds}) by A6 for general layers, each Q from the layer statistics, and by
A7 directly; and the norm itself.

Written by `python -m proofs_check.general_bounds`; a test compares the smaller rows with the code.

| depth | width | norm | A6 | A7 | A6 / A7 | A7 / norm |
|---:|---:|---:|---:|---:|---:|---:|
"""


@dataclass(frozen=True)
class Comparison:
    """One line of the table.

    Attributes:
        depth: number of hidden layers.
        width: of all of them.
        norm: the Hessian norm, spectral, the mean over the seeds as all below.
        general: A6, from layer statistics.
        direct: A7 at the level of layers.
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


def document(lines: Sequence[Comparison]) -> str:
    """The page with its table."""
    return INTRODUCTION.format(seeds=f"0 to {len(SEEDS) - 1}") + "".join(f"{c}\n" for c in lines)


def main() -> None:
    """Write the page."""
    text = document([compare(d, w) for d in DEPTHS for w in WIDTHS])
    write_atomically(PATH, text.encode())


if __name__ == "__main__":
    main()
