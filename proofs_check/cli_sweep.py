"""The command that measures many networks into one store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from proofs_check.cli_support import (
    CONSISTENT,
    INCONCLUSIVE,
    BadInputError,
    bad_input,
    one_line,
    parse_seeds,
    parse_widths,
    progress_bar,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numerics.sweeps import Progress, Sweep

__all__ = ["sweep"]


@click.command()
@click.argument("networks", nargs=-1, required=True, type=click.Path())
@click.option(
    "--widths",
    callback=parse_widths,
    default=None,
    metavar="LIST",
    help="Values of a network's one symbol, 64,128,256 or doubling 64..2048; none if it has none.",
)
@click.option("--seeds", callback=parse_seeds, default="5", show_default=True, metavar="N|LIST")
@click.option(
    "--quantity",
    "quantities",
    multiple=True,
    default=["hessian_norm"],
    show_default=True,
    metavar="NAME",
    help="hessian_norm, gradient_norm, tangent_kernel, linearization_gap, kernel_change, "
    "ball_search, or module:function; may be given several times.",
)
@click.option("--radius", type=click.FloatRange(min=0), default=1.0, show_default=True)
@click.option("--inputs", type=click.Path(), metavar="FILE", help="Inputs (.npy, or one per line).")
@click.option("--precision", type=click.Choice(["float64", "float32"]), default="float64")
@click.option(
    "--store",
    type=click.Path(),
    default="widthproof-sweep.sqlite",
    show_default=True,
    metavar="PATH",
    help="Where results are kept and found again.",
)
@click.option(
    "--executor",
    "where",
    default="here",
    show_default=True,
    metavar="NAME",
    help="here, processes:4, or dask://host:port of a Dask scheduler.",
)
@click.option("--json", "as_json", is_flag=True, help="The results as JSON on standard output.")
@click.option("--quiet", is_flag=True, help="No progress.")
def sweep(
    networks: tuple[str, ...],
    inputs: str | None,
    where: str,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Measure every network (TOML files) at every width and seed, into a store.

    Whatever ends it, finished results are kept, and the same command computes what is missing.
    Exit status 3 when cells failed.
    """
    import theory
    from numerics.sweeps import StoreError, SweepError, executor
    from numerics.sweeps import sweep as run
    from proofs_check import data

    widths = options.pop("widths")
    with bad_input():
        nets = [theory.Network.load(path) for path in networks]
        points = data.read(inputs) if inputs is not None else data.digits(1, _dimension(nets))
    try:
        with bad_input(), executor(where) as pool, progress_bar(shown=not quiet) as show:
            found = run(
                nets,
                points,
                widths=[{}] if widths is None else widths,
                executor=pool,
                progress=_shown(show),
                **options,
            )
    except (StoreError, SweepError) as error:
        raise BadInputError(str(error)) from error
    _print(found, as_json=as_json)
    for failure in found.failures:
        click.echo(f"failed: {failure.cell.label}: {one_line(failure.error)}", err=True)
    return INCONCLUSIVE if found.failures else CONSISTENT


def _dimension(nets: list[Any]) -> int:
    """The one input dimension of some networks."""
    shapes = {tuple(net.graph.nodes[0].shape) for net in nets}
    (shape, *others) = shapes
    if others or len(shape) != 1 or not isinstance(shape[0], int):
        msg = f"the networks take inputs of shapes {sorted(map(str, shapes))}; give --inputs"
        raise BadInputError(msg)
    return int(shape[0])


def _shown(show: Any) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        done = progress.reused + progress.computed + progress.failed
        text = f"{done} of {progress.total} cells, {progress.reused} of them found"
        if progress.failed:
            text += f", {progress.failed} failed"
        if progress.remaining is None:
            show(0.0 if done < progress.total else 1.0, 1.0, text)
        else:
            show(progress.elapsed, progress.elapsed + progress.remaining, text)

    return report


def _print(found: Sweep, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found.rows(), ensure_ascii=False, allow_nan=False))
        return
    for cell in found.cells:
        result = found.results.get(cell.key)
        if result is not None:
            numbers = {k: v for k, v in result.values.items() if not isinstance(v, str)}
            line = ", ".join(f"{name} {value:.6g}" for name, value in numbers.items())
            click.echo(f"{cell.label}: {line}")
    click.echo(f"{found.computed} computed, {found.reused} found, {len(found.failures)} failed")
