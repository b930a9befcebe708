"""Sweeps that outgrow one machine, and survive it: cells, executors, and a durable store."""

from __future__ import annotations

from numerics.sweeps.cells import QUANTITIES, Cell, SweepError
from numerics.sweeps.executors import executor
from numerics.sweeps.store import Result, Store, StoreError
from numerics.sweeps.sweep import Failure, Progress, Sweep, sweep

__all__ = [
    "QUANTITIES",
    "Cell",
    "Failure",
    "Progress",
    "Result",
    "Store",
    "StoreError",
    "Sweep",
    "SweepError",
    "executor",
    "sweep",
]
