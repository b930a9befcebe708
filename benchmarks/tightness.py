"""How far each level of the Hessian bound is from the true norm: bound over measured value.

    python benchmarks/tightness.py --width 1024 --depths 1,2,3,4,5,6 --radii 0.1,1,10

For tanh networks with d = 16, |x|^2 = d and a fixed readout: at the centre the bound of every level
over ‖H‖; on the ball of each radius the bound over the largest ‖H‖ that an ascent finds there, so
that the truth lies between the two; ``aligned`` is ‖H‖ at a point made by hand, where one column of
weights grows along what the signal meets it with, and ``centre`` says how many blocks of the level
``operators`` are bounded from the centre, the others as at the level ``layers``.  The a-priori
level knows |x|, the widths, R and delta alone.  Then convolutions (kernel 3 on 8 positions of 3
channels, average pooling) and residual networks (a dense layer and blocks of one) by the levels
that graphs have, at the centre.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import click
import numpy as np

import numerics
import theory
from numerics.activations import host_derivatives
from proofs_check.general_bounds import convolutional, residual
from proofs_check.verification.architectures import sizes_of
from proofs_check.verification.judging import Check, judge
from proofs_check.verification.statements import choices
from proofs_check.verification.trials import Search, Trial
from theory.ledger.apriori import WidthError, least_width
from theory.theorems import HypothesisError, reference_network

DIM = 16
CENTRE = ("apriori", "layers", "slopes", "norms", "operators")
BALL = ("apriori", "layers", "operators", "norms")
GRAPHS = ("layers", "operators")


def _numbers(kind: type) -> Any:
    return lambda _context, _option, text: tuple(map(kind, text.split(","))) if text else ()


@click.command(help=__doc__.split("\n", maxsplit=1)[0])
@click.option("--width", default=1024, show_default=True, help="of every hidden layer")
@click.option("--depths", default="1,2,3,4,5,6", show_default=True, callback=_numbers(int))
@click.option("--radii", default="0.1,1,10", show_default=True, callback=_numbers(float))
@click.option("--ball-depth", default=3, show_default=True, help="depth of the balls' networks")
@click.option("--conv-depths", default="1,2,3,4", show_default=True, callback=_numbers(int))
@click.option("--channels", default=64, show_default=True, help="of every convolution")
@click.option("--residual-depths", default="1,2,3,4,5,6", show_default=True, callback=_numbers(int))
@click.option("--units", default=256, show_default=True, help="of every residual layer")
@click.option("--seeds", default=1, show_default=True, help="how many networks of each kind")
def main(
    width: int,
    depths: tuple[int, ...],
    radii: tuple[float, ...],
    ball_depth: int,
    conv_depths: tuple[int, ...],
    channels: int,
    residual_depths: tuple[int, ...],
    units: int,
    seeds: int,
) -> None:
    dense = partial(reference_network, inputs=DIM)
    columns = ["network", "seed", "found", *CENTRE]
    rows = [
        [f"depth {depth}", str(seed), *_ratios(dense(depth), width, seed, None, CENTRE)]
        for depth in depths
        for seed in range(seeds)
    ]
    _show(f"width {width}: ‖H‖ at the centre, and bound / ‖H‖", columns, rows)
    columns = ["ball", "seed", "found", *BALL, "centre", "aligned"]
    rows = [
        [f"R = {radius:g}", str(seed), *_ratios(dense(ball_depth), width, seed, radius, BALL)]
        for radius in radii
        for seed in range(seeds)
    ]
    title = f"width {width}, depth {ball_depth}: largest ‖H‖ found in the ball, and bound / that"
    _show(title, columns, rows)
    kinds = (
        ("convolutions", convolutional, conv_depths, channels),
        ("residual", residual, residual_depths, units),
    )
    rows = [
        [f"{name}, depth {depth}", str(seed), *_ratios(make(depth), size, seed, None, GRAPHS)]
        for name, make, chosen, size in kinds
        for depth in chosen
        for seed in range(seeds)
    ]
    title = f"{channels} channels, {units} units: ‖H‖ at the centre, and bound / ‖H‖"
    _show(title, ["network", "seed", "found", *GRAPHS], rows)


def _ratios(
    net: theory.Network, width: int, seed: int, radius: float | None, levels: Iterable[str]
) -> list[str]:
    """The norm found, and for each level bound over norm."""
    nodes = len(net.graph.nodes)
    click.echo(f"{nodes} nodes of width {width}, seed {seed}, R = {radius} ...", err=True)
    model = numerics.instantiate(net, {"m": width}, seed=seed)
    x = np.random.default_rng(seed).standard_normal(sizes_of(model)[0])
    x *= np.sqrt(x.size) / np.linalg.norm(x)
    trial = Trial(model, x, x, radius, Search(random=0))
    found, cells = "", []
    for level in levels:
        try:
            check = _held(net.substitute({"m": width}), level, trial)
        except WidthError:
            cells.append(f"m >= {least_width(net, float(np.linalg.norm(x)), trial.radius)}")
            continue
        cells.append("-" if check is None else f"{check.ratio:.3g}")
        if check is not None:
            found = f"{check.measured.value:.4g}"
    if radius is not None:
        cells += [_won(net.substitute({"m": width}), trial), f"{aligned(model, x, radius):.4g}"]
    return [found, *cells]


def _won(net: theory.Network, trial: Trial) -> str:
    """How many blocks of level ``operators`` are bounded from the centre, of how many."""
    try:
        statement = theory.hessian_bound(net, radius="R", level="operators")
    except HypothesisError:
        return "-"
    found = choices(statement, trial.statistics, trial.radius, trial.other)
    blocks = {name: value for name, value in found.items() if name.startswith("C_bar")}
    return f"{sum(value.startswith('C_') for value in blocks.values())} of {len(blocks)}"


def aligned(model: numerics.Model, x: np.ndarray, radius: float, candidates: int = 3) -> float:
    """The largest ‖H‖ where a column of W^l, l >= 2, has grown by R along ``D^l delta^l``.

    The signal of one neuron of layer l-1 grows most there; the neurons tried are those whose
    curvature it then weighs most.
    """
    passes = numerics.trace(model, x)
    best = 0.0
    for layer in range(2, model.net.depth + 1):
        pairs = zip(passes.z[layer - 2 : layer], model.net.activations[layer - 2 :], strict=False)
        (_, _, below), (_, slopes, _) = (host_derivatives(a, np.asarray(z), 2) for z, a in pairs)
        pushed = slopes * np.asarray(passes.delta[layer - 1])
        signal = np.asarray(passes.delta[layer - 2])
        size = float(np.linalg.norm(pushed))
        gain = radius * size / np.sqrt(signal.size)
        for neuron in np.argsort(-np.abs(below) * (np.abs(signal) + gain))[:candidates]:
            weights = [np.array(w) for w in model.params["W"]]
            weights[layer - 1][:, neuron] += radius * np.sign(signal[neuron]) * pushed / size
            point = {**model.params, "W": tuple(weights)}
            best = max(best, numerics.hessian_norm(model, x, point).lower)
    return best


def _held(net: theory.Network, level: str, trial: Trial) -> Check | None:
    """A level of the bound held against a network; None where it does not cover it.

    Raises:
        WidthError: the network is too narrow for the a-priori level.
    """
    radius = None if trial.radius is None else "R"
    try:
        statement = theory.hessian_bound(net, radius=radius, level=level)
        return judge(statement, trial)
    except WidthError:
        raise
    except HypothesisError:
        return None


def _show(title: str, columns: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    table = Table(title=title)
    for name in columns:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
