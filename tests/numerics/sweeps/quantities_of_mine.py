"""Quantities that a user might bring, importable by workers."""

import os
import signal
import time
from pathlib import Path

import numpy as np


def slow(model, X, options):
    """Leaves a trace in a folder, waits, and returns a number that depends on the weights."""
    del options
    folder = Path(os.environ["SWEEP_TRACES"])
    (folder / f"{model.seed}-{os.getpid()}-{time.time_ns()}").touch()
    time.sleep(0.05)
    return {"value": float(np.sum(np.asarray(model.apply(None, X)) ** 2))}


def picky(model, X, options):
    del X, options
    if model.seed % 2:
        msg = f"seed {model.seed}\nis odd"
        raise ArithmeticError(msg)
    return {"value": 1.0}


def infinite(model, X, options):
    del model, X, options
    return {"value": float("inf")}


def deadly_once(model, X, options):
    """The first worker that computes seed 1 is killed."""
    mark = Path(os.environ["SWEEP_TRACES"]) / "killed"
    if model.seed == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return slow(model, X, options)
