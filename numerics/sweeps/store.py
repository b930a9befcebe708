"""Where a sweep keeps its results: one SQLite file.

SQLite and not Parquet: a result must be safe the moment it is there, one small row at a time, while
other programs write to the same file. That is what a transaction is; a Parquet file is written as a
whole, so that adding a row safely means a file per row or a log of one's own. Rows are few and
small, and whoever wants columns reads the table with `pandas.read_sql` or `polars.read_database`.

The journal is SQLite's default one, not its write-ahead log, which needs memory shared between
processes and so no network file system. One process writes for a whole sweep, whatever executes
its cells; several sweeps may share a file, and wait for each other's transactions.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Result", "Store", "StoreError", "key_of"]

APPLICATION = 0x77707266  # "wprf": marks the file as ours
LAYOUT = 1
WAIT = 60.0  # seconds for another sweep's transaction

_TABLES = """
CREATE TABLE cells (
    key TEXT PRIMARY KEY,
    network TEXT NOT NULL,      -- the description, TOML
    widths TEXT NOT NULL,       -- JSON, by symbol
    seed INTEGER NOT NULL,
    quantity TEXT NOT NULL,
    options TEXT NOT NULL,      -- JSON
    inputs TEXT NOT NULL REFERENCES inputs (hash),
    precision TEXT NOT NULL,
    version TEXT NOT NULL,
    result TEXT NOT NULL,       -- JSON
    seconds REAL NOT NULL,
    finished TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT, WITHOUT ROWID;
CREATE TABLE inputs (
    hash TEXT PRIMARY KEY,
    shape TEXT NOT NULL,        -- JSON
    numbers BLOB NOT NULL       -- float64, little-endian, C order
) STRICT, WITHOUT ROWID;
"""


class StoreError(ValueError):
    """A file that is no store of results, or one that cannot be written."""


@dataclass(frozen=True)
class Result:
    """What one cell came to.

    Attributes:
        key: of the cell.
        values: numbers by name, and texts such as how they were certified.
        seconds: how long it took, where it was computed.
    """

    key: str
    values: Mapping[str, Any]
    seconds: float


def key_of(content: Mapping[str, Any]) -> str:
    """The hash of what determines a cell: SHA-256 of its canonical JSON.

    Raises:
        ValueError: it holds something that JSON has no form for, NaN and infinities included.
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """The results in a file; made if it does not exist. Not shared between threads.

    Args:
        path: of the file; ":memory:" for one that is gone with the object.

    Raises:
        StoreError: it is another kind of file, of a later layout, or cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        if self.path != ":memory:" and not Path(self.path).absolute().parent.is_dir():
            msg = f"{self.path}: there is no such folder; make it first"
            raise StoreError(msg)
        try:
            self._db = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
            try:
                self._open()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            msg = f"{self.path}: {error}; give the file of an earlier sweep, or a name not in use"
            raise StoreError(msg) from error

    def _open(self) -> None:
        # One transaction, so that of two sweeps that begin at once the second finds the tables.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            application, layout, tables = (
                self._db.execute(query).fetchone()[0]
                for query in (
                    "PRAGMA application_id",
                    "PRAGMA user_version",
                    "SELECT count(*) FROM sqlite_schema",
                )
            )
            if (application, layout, tables) == (0, 0, 0):
                for statement in _TABLES.split(";\n"):
                    if statement.strip():
                        self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {LAYOUT}")
            elif application != APPLICATION:
                msg = f"{self.path}: a database of another program; give a name not in use"
                raise StoreError(msg)
            elif layout != LAYOUT:
                msg = f"{self.path}: layout {layout}, and this version reads {LAYOUT}; upgrade"
                raise StoreError(msg)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.rollback()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def find(self, keys: Iterable[str]) -> dict[str, Result]:
        """The results that are there, of these cells."""
        found = {}
        for key in keys:
            row = self._run("SELECT result, seconds FROM cells WHERE key = ?", (key,)).fetchone()
            if row is not None:
                found[key] = Result(key, json.loads(row[0]), row[1])
        return found

    def add(self, content: Mapping[str, Any], numbers: np.ndarray, result: Result) -> None:
        """Keep a result: when this returns, it is on the disk.

        A cell that another sweep has meanwhile kept stays as it is.

        Args:
            content: what determines the cell, see `numerics.sweeps.Cell.content`.
            numbers: its inputs.
            result: of the cell.

        Raises:
            StoreError: the disk is full, the file is gone or locked for too long. Nothing of the
                result is then in the file, and all earlier ones are.
        """
        data = np.ascontiguousarray(numbers, "<f8").tobytes()
        cell = {
            "key": result.key,
            **{name: content[name] for name in _PLAIN},
            **{name: _json(content[name]) for name in ("widths", "options")},
            "result": json.dumps(dict(result.values), allow_nan=False),  # in its own order
            "seconds": result.seconds,
        }
        columns, places = ", ".join(cell), ", ".join("?" * len(cell))
        try:
            self._run("BEGIN IMMEDIATE")
            self._run(
                "INSERT OR IGNORE INTO inputs VALUES (?, ?, ?)",
                (content["inputs"], _json(list(numbers.shape)), data),
            )
            self._run(
                f"INSERT OR IGNORE INTO cells ({columns}) VALUES ({places})",
                tuple(cell.values()),
            )
            self._run("COMMIT")
        except BaseException:
            self._db.rollback()
            raise

    def __len__(self) -> int:
        return int(self._run("SELECT count(*) FROM cells").fetchone()[0])

    def _run(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.Error as error:
            msg = (
                f"{self.path}: {error}; finished results are kept: make room, or end what holds "
                "the file, and run the same sweep again"
            )
            raise StoreError(msg) from error


_PLAIN = ("network", "seed", "quantity", "inputs", "precision", "version")


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)


def inputs_hash(numbers: np.ndarray) -> str:
    """SHA-256 of inputs, their shape included."""
    digest = hashlib.sha256(_json(list(numbers.shape)).encode())
    digest.update(np.ascontiguousarray(numbers, "<f8").tobytes())
    return digest.hexdigest()


def finite(values: Mapping[str, Any]) -> bool:
    """Whether every number among some values is finite."""
    numbers = [value for value in values.values() if isinstance(value, float)]
    return all(math.isfinite(number) for number in numbers)
