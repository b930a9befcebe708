"""The record of the lemmas that hold with a probability: failures against what they claim."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from proofs_check.chance import Draws
from theory.lemmas import INPUT_X, LEMMAS, schema
from theory.lemmas.gaussian import KINDS, RANDOM
from theory.lemmas.series import RANDOM_NODES
from theory.networks import Activation, Dense, Input, Network, Readout
from theory.terms import Term, substitute
from theory.vocabulary import INPUT

DRAWS = 3000
DELTAS = (0.5, 0.02)
DEPTH = 3
BOUNDED = ("squares_above", "squares_below")
NETWORKS = {
    "tanh": ((4, 12, 9, 16), "gaussian"),
    "gelu": ((3, 8, 14, 6), "gaussian"),
    "sin": ((4, 10, 10, 12), "sign"),
}

HEADER = """
## With a probability

Lemmas of the form "F fails with probability at most p", at every layer of three networks of depth 3
(widths 6 to 16, Gaussian readout and one of signs), on 3000 draws of the weights for each of two
values of p.  Given are the instances, and the largest share of draws on which one failed, over the
p that it claims: above 1 by more than chance, the lemma would be refuted.  Those about nodes: on a
convolution, a residual network with a readout of signs and a graph of neurons, 150 draws of each,
p = 1/2.

| lemma | states | instances | worst failures / claimed |
|---|---|---:|---:|
"""


@dataclass(frozen=True)
class ChanceRow:
    """One lemma.

    Attributes:
        name: the lemma.
        title: what it says, in words.
        instances: how many formulas were tried.
        worst: the largest share of failures over the probability claimed.
        refuted: whether an instance failed too often for chance.
    """

    name: str
    title: str
    instances: int
    worst: float
    refuted: bool

    def __str__(self) -> str:
        """The row in Markdown."""
        return f"| `{self.name}` | {self.title} | {self.instances} | {self.worst:.2g} |"


def instances(lemma: str, law: str) -> list[Term]:
    """The lemma's conclusion at every layer and kind, for the whole of delta."""
    backward = lemma.startswith(("signal", "alignment"))
    network: tuple[int | str, ...] = (DEPTH, *(["fixed"] if backward else []), law, 1, 1)
    kinds: list[tuple[str, ...]] = [(k,) for k in KINDS]
    if not lemma.startswith("signal"):
        kinds = [()]
    first = 2 if lemma == "sloped_matrix" else 1
    last = DEPTH if backward else DEPTH + 1
    layers: list[tuple[int, ...]] = [(i,) for i in range(first, last)]
    if lemma.endswith("_top"):
        layers = [()]
    return [
        substitute(schema(lemma, (*kind, *layer, *network)).conclusion, {INPUT_X: INPUT})
        for kind in kinds
        for layer in layers
    ]


@lru_cache(maxsize=8)
def draws(name: str, delta: float) -> Draws:
    """The draws of one network."""
    widths, init = NETWORKS[name]
    hidden = [part for m in widths[1:] for part in (Dense(m), Activation(name))]
    net = Network(Input(widths[0]), *hidden, Readout(init=init))
    return Draws(net, np.linspace(-1.0, 1.5, widths[0]), DRAWS, seed=1, delta=delta)


def rows() -> Iterator[ChanceRow]:
    """Try every lemma that holds with a probability over the weights."""
    for lemma in RANDOM:
        count, worst, refuted = 0, 0.0, False
        for name, (_, law) in NETWORKS.items():
            if lemma in BOUNDED and name == "gelu":
                continue
            for delta in DELTAS:
                for formula in instances(lemma, law):
                    found = draws(name, delta).trials(formula)
                    count += 1
                    worst = max(worst, found.failures / (found.draws * found.probability))
                    refuted |= found.refuted
        yield ChanceRow(lemma, LEMMAS[lemma].title, count, worst, refuted)


def node_rows() -> Iterator[ChanceRow]:
    """The same for lemmas about the nodes of graphs, on fewer draws of three small graphs."""
    from proofs_check import chance_graphs

    for lemma in RANDOM_NODES:
        found = [
            chance_graphs.trials(formula, chance_graphs.draws(name))
            for name, net in chance_graphs.GRAPHS.items()
            for formula in chance_graphs.instances(lemma, net.graph)
        ]
        worst = max(t.failures / (t.draws * t.probability) for t in found)
        title = LEMMAS[lemma].title
        yield ChanceRow(lemma, title, len(found), worst, any(t.refuted for t in found))


def section() -> str:
    """The table as a section of a Markdown document.

    Raises:
        ValueError: a lemma failed too often; the message names it.
    """
    found = [*rows(), *node_rows()]
    false = [row.name for row in found if row.refuted]
    if false:
        msg = f"the lemma {false[0]} fails more often than it says"
        raise ValueError(msg)
    return HEADER + "".join(f"{row}\n" for row in found)


__all__ = ["ChanceRow", "rows", "section"]
