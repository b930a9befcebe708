"""What ``widthproof ledger`` does: choose rows, run them, write and compare the table."""

from __future__ import annotations

import os
from pathlib import Path

from proofs_check.ledger import tables
from proofs_check.ledger.experiment import Profile, experiment, rows
from proofs_check.ledger.results import LedgerResult
from proofs_check.ledger.running import Progress
from proofs_check.ledger.running import run as run_rows
from proofs_check.ledger.tables import LedgerFileError, differences

SUFFIXES = (".md", ".csv", ".json")

__all__ = ["check_output", "chosen_rows", "differences", "run", "show", "text_of", "write"]


def chosen_rows(text: str | None) -> list[str] | None:
    """Rows as given, such as ``LZB20/A4,LZB22/B4``; None for all.

    Raises:
        UnknownRowError: a row that the ledger does not have.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    known = rows()
    for name in names:
        if name not in known:
            experiment(name)  # says which rows there are
    return names


def text_of(path: str | None) -> str | None:
    """The text of a page; None where there is none to compare with.

    Raises:
        LedgerFileError: it is no ledger.
        OSError: it cannot be read.
    """
    if path is None:
        return None
    text = _read(path)
    try:
        tables.read(text)
    except LedgerFileError as error:
        msg = f"{path}: {error}"
        raise LedgerFileError(msg) from error
    return text


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        msg = f"{path}: not UTF-8 text (byte {error.start})"
        raise LedgerFileError(msg) from error


def check_output(path: str | None) -> None:
    """Refuse, before any work, a file that could not be written at the end.

    Raises:
        LedgerFileError: another suffix, or a folder that does not exist.
    """
    if path is None:
        return
    if not path.endswith(SUFFIXES):
        msg = f"--output {path!r}: give a file name that ends in {', '.join(SUFFIXES)}"
        raise LedgerFileError(msg)
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        msg = f"--output {path!r}: there is no folder {folder!r}"
        raise LedgerFileError(msg)


def run(names: list[str] | None, profile: Profile, progress: Progress) -> LedgerResult:
    """Run the rows; an interruption leaves those that are finished."""
    return run_rows(names, profile, progress, on_interrupt="report")


def write(result: LedgerResult, path: str, *, some: bool = False) -> None:
    """Write the table, whole or not at all.

    A page keeps the section of the other profile and, where only some rows were run, the other
    rows.

    Args:
        result: the run.
        path: the file; its suffix says what is written.
        some: whether only some rows were run.

    Raises:
        OSError: it cannot be written.
    """
    from theory.files import write_atomically

    if path.endswith(".md"):
        text = tables.document(result, _read(path) if os.path.exists(path) else "", some=some)
    elif path.endswith(".csv"):
        text = tables.to_csv(result)
    else:
        text = tables.to_json(result)
    write_atomically(path, text.encode())


def show(result: LedgerResult) -> None:
    """The table on the terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=150)
    console.print(tables.to_rich(result))
