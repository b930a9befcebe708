"""Sweeps over networks, widths, seeds and quantities, on any executor, into one store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from numerics.sweeps.cells import (
    USE_RADIUS,
    Cell,
    Quantity,
    SweepError,
    compute,
    quantity_name,
    version_of,
)
from numerics.sweeps.store import Result, Store, inputs_hash
from theory.graph import BilinearRule
from theory.networks import Network

__all__ = ["Failure", "Progress", "Sweep", "sweep"]

OUTSTANDING = 256  # cells handed to an executor and not yet finished
BEAT = 1.0  # seconds between two reports of progress while nothing finishes


@dataclass(frozen=True)
class Failure:
    """A cell that came to nothing.

    Attributes:
        cell: which.
        error: what was raised, in one line.
    """

    cell: Cell
    error: str


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    Attributes:
        total: number of cells.
        reused: found in the store.
        computed: finished now.
        failed: failed now.
        elapsed: seconds since the first cell was handed out.
        remaining: seconds it will still take if the time of a cell grows like the number of its
            network's weights, at the pace of the cells so far; None before the first is finished.
    """

    total: int
    reused: int
    computed: int
    failed: int
    elapsed: float
    remaining: float | None


@dataclass(frozen=True)
class Sweep:
    """What a sweep came to.

    Attributes:
        cells: all, in the order network, width, seed, quantity.
        results: by key, of all cells that have one.
        failures: the cells that failed; they are tried again by the next sweep.
        reused: how many results were in the store before.
    """

    cells: tuple[Cell, ...]
    results: Mapping[str, Result] = field(repr=False)
    failures: tuple[Failure, ...]
    reused: int

    @property
    def computed(self) -> int:
        """How many results were computed now."""
        return len(self.results) - self.reused

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per result: network, widths, seed, quantity, then its values."""
        return [
            {
                "network": cell.network,
                **cell.widths,
                "seed": cell.seed,
                "quantity": cell.quantity,
                **self.results[cell.key].values,
                "seconds": self.results[cell.key].seconds,
            }
            for cell in self.cells
            if cell.key in self.results
        ]


Report: TypeAlias = Callable[[Progress], None]
Widths: TypeAlias = Iterable[int | Mapping[Any, int]]


def sweep(
    networks: Network | Sequence[Network],
    inputs: Any,
    *,
    widths: Widths = ({},),
    seeds: Iterable[int] = (0,),
    quantities: Sequence[str | Quantity] = ("hessian_norm",),
    radius: float = 1.0,
    precision: str = "float64",
    store: str | os.PathLike[str] = ":memory:",
    executor: Executor | None = None,
    progress: Report | None = None,
) -> Sweep:
    """Measure every (network, width, seed, quantity), recomputing nothing that the store has.

    Each result is in the store, on the disk, before the next is looked at: a sweep that is killed
    at any moment loses what was being computed and nothing else, and run again it computes what is
    missing. A cell that fails is reported at the end and does not stop the others. Results are
    found by what determines them, so that sweeps of different extent share them.

    Args:
        networks: the descriptions.
        inputs: shape (n, d) or (n, *input shape), the same for all; one input, too.
        widths: for each an integer, where a network has one symbol, or a value for every symbol.
        seeds: of the weights.
        quantities: names of `numerics.sweeps.QUANTITIES`, or functions (model, X, options) to
            numbers by name that can be imported where the cells are computed.
        radius: of the ball, for the quantities that have one.
        precision: of the weights, "float64" or "float32".
        store: the file of the results.
        executor: where cells are computed; any `concurrent.futures.Executor`, such as a process
            pool or `distributed.Client(...).get_executor()`. None: here, one by one.
        progress: called after each cell, and every second.

    Returns:
        All results, found or computed, and the failures.

    Raises:
        SweepError: there is nothing to do, or a quantity or a precision that does not exist.
        NetworkError: a width has no value.
        StoreError: the store cannot be read or written; what was finished before is in it.
    """
    cells = _cells(networks, inputs, widths, seeds, quantities, radius, precision)
    with closing(Store(store)) as opened:
        found = opened.find(cell.key for cell in cells)
        run = _Run(cells, found, opened, progress)
        missing = [cell for cell in cells if cell.key not in found]
        run.report()
        if executor is None:
            for cell in missing:
                run.alone(cell)
        else:
            run.spread(missing, executor)
        return Sweep(tuple(cells), run.results, tuple(run.failures), len(found))


def _cells(
    networks: Network | Sequence[Network],
    inputs: Any,
    widths: Widths,
    seeds: Iterable[int],
    quantities: Sequence[str | Quantity],
    radius: float,
    precision: str,
) -> list[Cell]:
    """All cells, each once."""
    if precision not in ("float64", "float32"):
        msg = f"precision {precision!r}; give 'float64' or 'float32'"
        raise SweepError(msg)
    names = [quantity_name(quantity) for quantity in quantities]
    versions = {name: version_of(name) for name in names}
    found: dict[str, Cell] = {}
    seeds, widths = list(seeds), list(widths)
    for net in [networks] if isinstance(networks, Network) else networks:
        text = net.to_toml()
        for sizes in (_sizes(net, entry) for entry in widths):
            sized = net.substitute(sizes) if sizes else net
            numbers, cost = _numbers(sized, inputs), _weights(sized)
            digest = inputs_hash(numbers)
            for seed in seeds:
                for name in names:
                    cell = Cell(
                        network=text,
                        widths=sizes,
                        seed=int(seed),
                        quantity=name,
                        options={"radius": float(radius)} if name in USE_RADIUS else {},
                        inputs=digest,
                        precision=precision,
                        version=versions[name],
                        numbers=numbers,
                        cost=cost,
                    )
                    found.setdefault(cell.key, cell)
    if not found:
        msg = "no cells: give at least one network, width, seed and quantity"
        raise SweepError(msg)
    return list(found.values())


def _sizes(net: Network, entry: int | Mapping[Any, int]) -> dict[str, int]:
    symbols = sorted(symbol.name for symbol in net.symbols)
    if not isinstance(entry, Mapping):
        if len(symbols) != 1:
            msg = (
                f"width {entry}, and the network has the symbols {', '.join(symbols) or 'none'}; "
                "give a mapping with a value for each"
            )
            raise SweepError(msg)
        return {symbols[0]: int(entry)}
    return {str(getattr(key, "name", key)): int(value) for key, value in entry.items()}


def _numbers(net: Network, inputs: Any) -> np.ndarray:
    """The inputs with their first axis, float64; the shapes are checked before anything is run."""
    numbers = np.asarray(inputs, np.float64)
    shape = tuple(int(size) for size in net.graph.nodes[0].shape)
    if numbers.shape == shape:
        return numbers[None]
    if numbers.shape[1:] != shape or not numbers.size:
        msg = (
            f"inputs of shape {numbers.shape}; this network takes (n, {', '.join(map(str, shape))})"
        )
        raise SweepError(msg)
    return numbers


def _weights(net: Network) -> int:
    """Number of weights of a network whose widths are numbers."""
    rules = [node.rule for node in net.graph.nodes]
    shapes = [rule.weight_shape for rule in rules if isinstance(rule, BilinearRule)]
    return sum(int(rows) * int(cols) for rows, cols in shapes)


class _Run:
    """One sweep while it runs."""

    def __init__(
        self,
        cells: Sequence[Cell],
        found: Mapping[str, Result],
        store: Store,
        report: Report | None,
    ) -> None:
        self.results, self.failures = dict(found), list[Failure]()
        self._total, self._reused = len(cells), len(found)
        self._store, self._report, self._begin = store, report, time.perf_counter()
        self._done, self._cost = 0, sum(c.cost for c in cells if c.key not in found)

    def report(self) -> None:
        """Tell how far the sweep is."""
        if self._report is None:
            return
        done, failed = len(self.results) - self._reused, len(self.failures)
        elapsed = time.perf_counter() - self._begin
        left = self._cost - self._done
        remaining = elapsed / self._done * left if self._done else None
        self._report(Progress(self._total, self._reused, done, failed, elapsed, remaining))

    def alone(self, cell: Cell) -> None:
        """Compute a cell here."""
        try:
            values, seconds = compute(cell.content, cell.numbers)
        except Exception as error:  # whatever a cell raises, the others go on
            self.failed(cell, error)
        else:
            self.finished(cell, values, seconds)

    def spread(self, cells: Sequence[Cell], executor: Executor) -> None:
        """Compute cells on an executor."""
        waiting = iter(cells)
        running: dict[Future[Any], Cell] = {}
        try:
            while True:
                for cell in islice(waiting, OUTSTANDING - len(running)):
                    self._submit(cell, executor, running)
                if not running:
                    return
                done, _ = wait(running, timeout=BEAT, return_when=FIRST_COMPLETED)
                for future in done:
                    self._collect(running.pop(future), future)
                if not done:
                    self.report()
        finally:
            for future in running:
                future.cancel()

    def _submit(self, cell: Cell, executor: Executor, running: dict[Future[Any], Cell]) -> None:
        try:
            running[executor.submit(compute, cell.content, cell.numbers)] = cell
        except (BrokenExecutor, RuntimeError) as error:
            self.failed(cell, error)

    def _collect(self, cell: Cell, future: Future[Any]) -> None:
        error = future.exception()
        if error is not None:
            self.failed(cell, error)
        else:
            self.finished(cell, *future.result())

    def finished(self, cell: Cell, values: dict[str, Any], seconds: float) -> None:
        """Keep a result."""
        result = Result(cell.key, values, seconds)
        self._store.add(cell.content, cell.numbers, result)
        self.results[cell.key] = result
        self._done += cell.cost
        self.report()

    def failed(self, cell: Cell, error: BaseException) -> None:
        """Note a failure."""
        line = " ".join(str(error).split()) or "no message"
        if isinstance(error, BrokenExecutor):
            line += "; a worker was lost: run the same sweep again"
        self.failures.append(Failure(cell, f"{type(error).__name__}: {line}"))
        self._done += cell.cost
        self.report()
