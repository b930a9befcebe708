"""Executors by name, for the command line."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from numerics.sweeps.cells import SweepError

__all__ = ["executor"]

_KINDS = "give 'here', 'processes:4', or 'dask://host:port' of a Dask scheduler"


@contextmanager
def executor(name: str) -> Iterator[Executor | None]:
    """The executor of a name, shut down afterwards.

    Args:
        name: "here" for none, "processes:N" for N processes on this machine, "dask://host:port" for
            the workers of a Dask scheduler (needs `distributed`).

    Raises:
        SweepError: the name is another, or the scheduler does not answer.
    """
    kind, _, rest = name.partition(":")
    if name == "here":
        yield None
    elif kind == "processes" and rest.isascii() and rest.isdigit() and int(rest) > 0:
        # Spawned: a forked child of a process that runs JAX's threads may hang.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(int(rest), mp_context=context) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    elif kind == "dask" and rest.startswith("//"):
        with _dask(rest.removeprefix("//")) as pool:
            yield pool
    else:
        msg = f"no executor {name!r}; {_KINDS}"
        raise SweepError(msg)


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError as error:
        msg = "dask:// needs the package distributed: pip install 'widthproof[cluster]'"
        raise SweepError(msg) from error
    try:
        client: Any = Client(f"tcp://{address}", timeout="20s")
    except (OSError, ValueError) as error:
        msg = f"no Dask scheduler answers at {address} ({error}); start one with 'dask scheduler'"
        raise SweepError(msg) from error
    with client:
        yield client.get_executor()
