"""Which networks a verification measures: widths, seeds and inputs, looked at before any work."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sympy

from proofs_check.verification.architectures import sizes
from theory.graph import BilinearRule
from theory.networks import Network, NetworkError

Pairing = Literal["all", "cycle"]
Width = int | Mapping[Any, int]


class PlanError(ValueError):
    """Widths, seeds, inputs or a radius that make no verification."""


@dataclass(frozen=True)
class Task:
    """One network to measure.

    Attributes:
        net: the description with numeric widths.
        width: the number that exponents are fitted against.
        seed: of the weights.
        index: of the input.
        other: index of the second input, for statements about two.
    """

    net: Network
    width: int
    seed: int
    index: int
    other: int

    @property
    def num_params(self) -> int:
        """Number of weights, the readout's left out."""
        if not self.net.is_dense:
            rules = [self.net.graph.nodes[n].rule for n in self.net.graph.weighted]
            shapes = [r.weight_shape for r in rules if isinstance(r, BilinearRule)]
            return sum(int(rows) * int(cols) for rows, cols in shapes)
        found = [int(m) for m in self.net.widths]
        return sum(m * n for m, n in zip(found[1:], found[:-1], strict=True))

    @property
    def effort(self) -> float:
        """Expected seconds, for a progress bar: compilation, then proportional to the weights."""
        return 0.5 + self.num_params / 1e6


def networks(net: Network, widths: Iterable[Width] | None) -> list[tuple[Network, int]]:
    """The description at each width, and the number that stands for that width.

    Args:
        net: the description.
        widths: for each network one integer for all width symbols, or a mapping that gives each
            symbol its own; None for a description without symbols.

    Returns:
        In increasing order of size.

    Raises:
        NetworkError: a symbol without a value, or values without a symbol.
        PlanError: a width that is no positive integer, repeats, or none at all.
    """
    if not net.symbols:
        if widths is not None and list(widths):
            msg = "the network has numeric widths; leave widths out, or name its widths by symbols"
            raise NetworkError(msg)
        return [(net, narrowest(net))]
    given = list(widths or ())
    if not given:
        names = ", ".join(s.name for s in net.symbols)
        msg = f"no value for the widths {names}: give widths=[64, 128, 256], say"
        raise PlanError(msg)
    found = [_at(net, width) for width in given]
    if len({int(sizes(n)[0]) for n, _ in found}) > 1:
        msg = "the input dimension changes with the width; give the network's Input a number"
        raise PlanError(msg)
    if len({sizes(n) for n, _ in found}) < len(found):
        msg = f"a width repeats in {given}; give repeated measurements as seeds"
        raise PlanError(msg)
    return sorted(found, key=lambda pair: (sum(int(m) for m in sizes(pair[0])), pair[1]))


def _at(net: Network, width: Width) -> tuple[Network, int]:
    if isinstance(width, Mapping):
        numeric = net.substitute(dict(width))
        return numeric, narrowest(numeric)
    value = _integer(width, "width", least=1)
    return net.substitute(dict.fromkeys(net.symbols, value)), value


def narrowest(net: Network) -> int:
    """The least hidden width; of a graph the least size of a node but the output."""
    hidden = sizes(net)[1:] if net.is_dense else sizes(net)[1:-1]
    return min(int(m) for m in hidden)


def proportional(net: Network, numeric: Sequence[Network]) -> bool:
    """Whether all layers whose width is a symbol grow by the same factors."""
    moving = [i for i, m in enumerate(sizes(net)) if isinstance(m, sympy.Expr) and m.free_symbols]
    shapes = [[int(sizes(n)[i]) for i in moving] for n in numeric]
    return all(
        a * b0 == b * a0
        for shape in shapes
        for a, a0 in zip(shape, shapes[0], strict=True)
        for b, b0 in zip(shape, shapes[0], strict=True)
    )


def checked_seeds(seeds: int | Iterable[int]) -> list[int]:
    """Seeds as a list; a number n stands for 0, ..., n - 1.

    Raises:
        PlanError: none at all, one that repeats, or one that is no integer >= 0.
    """
    given = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    found = [_integer(s, "seed", least=0) for s in given]
    if not found or len(set(found)) < len(found):
        msg = f"seeds {found}: give at least one, each once"
        raise PlanError(msg)
    return found


def _integer(value: Any, what: str, *, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        msg = f"{what} {value!r}: give an integer >= {least}"
        raise PlanError(msg)
    return number


def tasks(
    nets: Sequence[tuple[Network, int]], seeds: Sequence[int], count: int, pairing: Pairing
) -> list[Task]:
    """All networks to measure, the smallest first.

    Args:
        nets: numeric descriptions with their widths.
        seeds: of the weights.
        count: number of inputs.
        pairing: ``all``: every seed at every input; ``cycle``: the i-th seed at the i-th input, so
            that seeds are independent in their inputs as well.
    """
    if pairing not in ("all", "cycle"):
        msg = f"pairing {pairing!r}: give 'all' or 'cycle'"
        raise PlanError(msg)
    found = []
    for net, width in nets:
        for position, seed in enumerate(seeds):
            indices = range(count) if pairing == "all" else [position % count]
            found += [Task(net, width, seed, i, (i + 1) % count) for i in indices]
    return found
