"""What the commands share: one-line errors, options that describe a network, a progress bar."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from proofs_check.verification.verify import Progress
    from theory.networks import Network
    from theory.theorem import Theorem

CONSISTENT, VIOLATED, BAD_INPUT, INCONCLUSIVE, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 70, 130
MOST_WIDTHS = 64
MOST_SEEDS = 10_000
MEMORY_FACTOR = 6  # weights at the centre and at points of the ball, and what is computed from them


class BadInputError(click.ClickException):
    """Something the user gave cannot be used; the message is one line."""

    exit_code = BAD_INPUT


class Commands(click.Group):
    """A group of commands whose errors are one line and whose exit statuses are documented."""

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit with its status."""
        if not standalone_mode:
            return super().main(args, prog_name, standalone_mode=False, **extra)
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError, ValueError):
                stream.reconfigure(errors="replace")  # type: ignore[union-attr]
        sys.exit(self._status(args, prog_name or "widthproof", extra))

    def _status(self, args: Sequence[str] | None, name: str, extra: dict[str, Any]) -> int:
        try:
            status = super().main(args, name, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            return BAD_INPUT
        except click.ClickException as error:
            click.echo(f"widthproof: {one_line(error.format_message())}", err=True)
            return BAD_INPUT
        except (click.Abort, KeyboardInterrupt):
            click.echo("widthproof: interrupted; nothing was written", err=True)
            return INTERRUPTED
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return CONSISTENT
        except Exception:
            traceback.print_exc()
            click.echo("widthproof: this is an error of the program, not of your input", err=True)
            return INTERNAL
        return status if isinstance(status, int) else CONSISTENT


def installed_version() -> str:
    """The version of the distribution; a checkout that is not installed has none."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version("widthproof")
    return "not installed"


def one_line(text: str) -> str:
    """A message without line breaks."""
    return " ".join(text.split())


@contextmanager
def bad_input() -> Iterator[None]:
    """Turn what the user can mend into a one-line error."""
    from proofs_check.data import InputError
    from proofs_check.ledger.experiment import UnknownRowError
    from proofs_check.ledger.tables import LedgerFileError
    from proofs_check.verification.plan import PlanError
    from theory.activations.errors import ActivationError
    from theory.catalog import UnknownTheoremError
    from theory.grammar import GrammarError
    from theory.networks import NetworkError
    from theory.proofs import ProofFormatError
    from theory.theorems import HypothesisError

    try:
        yield
    except (
        InputError,
        PlanError,
        ActivationError,
        GrammarError,
        NetworkError,
        ProofFormatError,
        HypothesisError,
        UnknownTheoremError,
        UnknownRowError,
        LedgerFileError,
    ) as error:
        raise BadInputError(str(error)) from error
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        msg = f"{name}{error.strerror or error}; check the path and its permissions"
        raise BadInputError(msg) from error


# -- options --------------------------------------------------------------------------------------


def parse_widths(_: click.Context, __: click.Parameter, value: str | None) -> list[int] | None:
    """Widths as ``64,128,256`` or ``64..2048``, which doubles.

    Raises:
        click.BadParameter: another text.
    """
    if value is None:
        return None
    words = value.split("..") if ".." in value else value.split(",")
    try:
        found = [int(word) for word in words]
    except ValueError:
        found = []
    if ".." in value:
        found = doubling(*found) if len(found) == 2 else []
    if not found or min(found) < 1 or len(found) > MOST_WIDTHS:
        msg = f"{value!r} is no list of widths: give 64,128,256 or 64..2048"
        raise click.BadParameter(msg)
    return found


def doubling(first: int, last: int) -> list[int]:
    """first, 2 first, 4 first, ... up to last."""
    found: list[int] = []
    while 1 <= first <= last and len(found) <= MOST_WIDTHS:
        found.append(first)
        first *= 2
    return found


def parse_seeds(_: click.Context, __: click.Parameter, value: str) -> list[int]:
    """Seeds as a count ``5``, which stands for 0 to 4, or as a list ``3,7,11`` (one: ``3,``).

    Raises:
        click.BadParameter: another text.
    """
    words = value.removesuffix(",").split(",")
    try:
        found = [int(word) for word in words]
    except ValueError:
        found = []
    if "," not in value and found:
        found = list(range(found[0])) if found[0] <= MOST_SEEDS else []
    if not found or min(found) < 0 or len(found) > MOST_SEEDS:
        msg = f"{value!r} is no list of seeds: give a count such as 5, or 0,1,2"
        raise click.BadParameter(msg)
    return found


def network_from(path: str | None, activation: str, depth: int, readout: str, init: str) -> Network:
    """The network of a file, or one of equal layers from the options."""
    import theory

    if path is not None:
        return theory.Network.load(path)
    m = theory.width("m")
    hidden = [
        part for _ in range(depth) for part in (theory.Dense(m), theory.Activation(activation))
    ]
    last = theory.Readout(trainable=readout == "trained", init=init)
    return theory.Network(theory.Input(64), *hidden, last)


def require_memory(net: Network, widths: Sequence[int] | None) -> None:
    """Refuse widths whose weights cannot fit, before anything is allocated.

    Raises:
        BadInputError: naming the width.
    """
    from proofs_check.verification.plan import networks

    numeric, width = networks(net, widths)[-1]
    sizes = [int(m) for m in numeric.widths]
    needed = 8 * MEMORY_FACTOR * sum(m * n for m, n in zip(sizes[1:], sizes[:-1], strict=True))
    with suppress(AttributeError, ValueError, OSError):
        present = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if needed > present:
            msg = (
                f"width {width} needs about {needed / 1e9:.0f} GB of memory and this machine has "
                f"{present / 1e9:.0f} GB; give smaller --widths"
            )
            raise BadInputError(msg)


def require_folder(path: str) -> None:
    """Refuse a folder that could not be written to at the end, before any work.

    Raises:
        BadInputError: it is a file, or lies where nothing can be written.
    """
    if os.path.exists(path) and not os.path.isdir(path):
        msg = f"--out {path!r} is a file; give a folder"
        raise BadInputError(msg)
    parent = os.path.abspath(path)
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        msg = f"--out {path!r}: nothing can be written in {parent!r}; give another folder"
        raise BadInputError(msg) from error


def theorem_from(name_or_file: str) -> Theorem:
    """A theorem of the catalogue, or A7 for the network of a TOML file."""
    import theory

    if name_or_file in theory.catalog:
        return theory.catalog[name_or_file]
    if name_or_file.endswith(".toml"):
        return theory.hessian_bound(theory.Network.load(name_or_file), radius="R")
    if os.path.exists(name_or_file):
        msg = (
            f"{name_or_file!r} is neither a name of the catalogue nor a network file (.toml); "
            "see 'widthproof list'"
        )
        raise BadInputError(msg)
    return theory.catalog[name_or_file]


# -- progress -------------------------------------------------------------------------------------


@contextmanager
def progress_bar(*, shown: bool) -> Iterator[Progress]:
    """A bar on standard error, with the time that remains at the pace so far.

    Where standard error is no terminal, a line for each width instead.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not shown:
        yield lambda *_: None
    elif not console.is_terminal:
        yield _Lines()
    else:
        with _bar(console) as show:
            yield show


class _Lines:
    """Progress as lines of text, one whenever the text changes by more than its seed."""

    def __init__(self) -> None:
        self.last = ""

    def __call__(self, done: float, total: float, text: str) -> None:
        """Print a line if there is something new."""
        head = text.split(", seed")[0]
        if head != self.last:
            self.last = head
            click.echo(f"{done / total:4.0%}  {head}", err=True)


@contextmanager
def _bar(console: Console) -> Iterator[Progress]:
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<36}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("remaining"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, speed_estimate_period=120) as bar:
        task = bar.add_task("starting", total=None)

        def show(done: float, total: float, text: str) -> None:
            bar.update(task, completed=done, total=total, description=text)

        yield show
