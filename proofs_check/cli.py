"""The command ``widthproof``: verify, ledger, list, show, check, latex, export, attack, mutants.

Exit statuses: 0 consistent (or the proof holds), 1 violated (or a proof is rejected), 2 bad input,
3 inconclusive, 70 an error of the program, 130 interrupted (what was measured is still written).
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from proofs_check.cli_attack import attack, mutants
from proofs_check.cli_support import (
    BAD_INPUT,
    CONSISTENT,
    INCONCLUSIVE,
    INTERRUPTED,
    VIOLATED,
    BadInputError,
    Commands,
    bad_input,
    installed_version,
    network_from,
    parse_seeds,
    parse_widths,
    progress_bar,
    require_folder,
    require_memory,
    theorem_from,
)
from proofs_check.cli_sweep import sweep

if TYPE_CHECKING:
    from proofs_check.verification.report import Report
    from theory.networks import Network

STATUS = {"consistent": CONSISTENT, "violated": VIOLATED, "inconclusive": INCONCLUSIVE}
DESCRIPTION = ("activation", "depth", "readout", "init")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(installed_version(), message="%(version)s")
def main() -> None:
    """Derive, check, measure and attack bounds on how fast wide networks become linear.

    Exit status: 0 consistent, 1 violated, 2 bad input, 3 inconclusive, 70 an error of the program,
    130 interrupted.
    """


# -- verify ---------------------------------------------------------------------------------------


@main.command()
@click.option(
    "--network",
    type=click.Path(),
    metavar="FILE",
    help="Network file (TOML) instead of --activation, --depth, --readout and --init.",
)
@click.option(
    "--widths",
    callback=parse_widths,
    default=None,
    metavar="LIST",
    help="Widths, 64,128,256 or doubling 64..2048.  [default: 64..2048]",
)
@click.option(
    "--seeds",
    callback=parse_seeds,
    default="5",
    show_default=True,
    metavar="N|LIST",
    help="How many seeds, or which.",
)
@click.option(
    "--radius",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Radius of the ball around the initial parameters.",
)
@click.option(
    "--activation",
    default="tanh",
    show_default=True,
    metavar="NAME|EXPR",
    help="Name such as tanh, or expression such as 't/sqrt(1 + t^2)'.",
)
@click.option(
    "--depth",
    type=click.IntRange(1, 64),
    default=3,
    show_default=True,
    help="Number of hidden layers.",
)
@click.option(
    "--readout", type=click.Choice(["fixed", "trained"]), default="fixed", show_default=True
)
@click.option(
    "--init",
    type=click.Choice(["gaussian", "sign"]),
    default="gaussian",
    show_default=True,
    help="How the readout is drawn.",
)
@click.option(
    "--inputs",
    type=click.Path(),
    metavar="FILE",
    help="Inputs (.npy, or one per line) instead of scikit-learn's digits.",
)
@click.option(
    "--out",
    type=click.Path(),
    default="widthproof-report",
    show_default=True,
    metavar="DIR",
    help="Folder for report.json, table.csv, scaling.png, theorem.tex.",
)
@click.option("--json", "as_json", is_flag=True, help="The report as JSON on standard output.")
@click.option("--quiet", is_flag=True, help="No progress, no tables: the verdict only.")
@click.option("--no-order", is_flag=True, help="Judge the inequalities, not the fitted exponents.")
@click.pass_context
def verify(ctx: click.Context, /, as_json: bool, quiet: bool, out: str, **options: Any) -> int:
    """Derive the main theorem, check its proof, and confront it with networks on real inputs.

    Without arguments: digits, tanh, depth 3, widths 64 to 2048, 5 seeds, radius 1.  Ctrl-C stops
    and leaves a report on what was measured, marked partial.
    """
    if options["network"] is not None:
        for name in DESCRIPTION:
            if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
                msg = f"--{name} describes a network, and so does --network; give one of them"
                raise BadInputError(msg)
    require_folder(out)
    with bad_input():
        report = _verified(**options, shown=not quiet)
    with bad_input():
        paths = report.save(out)
    _print(report, as_json=as_json, quiet=quiet)
    if not (as_json or quiet):
        click.echo(f"written: {', '.join(map(str, paths))}")
    return INTERRUPTED if report.partial else STATUS[report.verdict]


def _verified(
    *,
    network: str | None,
    widths: list[int] | None,
    seeds: list[int],
    radius: float,
    inputs: str | None,
    no_order: bool,
    shown: bool,
    **description: Any,
) -> Report:
    """Derive, check and measure."""
    import theory
    from proofs_check.replay.checker import check
    from proofs_check.verification.verify import verify as measure

    net = network_from(network, **description)
    chosen = _widths(net, widths)
    theorem = theory.hessian_bound(net, radius="R")
    require_memory(net, chosen)
    points = _inputs(net, inputs, len(seeds))
    checked = check(theorem)
    with progress_bar(shown=shown) as progress:
        return measure(
            theorem,
            points,
            chosen,
            seeds,
            radius,
            pairing="cycle",
            order=not no_order,
            check=checked,
            progress=progress,
            on_interrupt="report",
        )


def _widths(net: Network, given: list[int] | None) -> list[int] | None:
    if given is None and net.symbols:
        return [64 << k for k in range(6)]
    return given


def _inputs(net: Network, path: str | None, count: int) -> Any:
    """One input per seed: the digits, or those of a file."""
    from proofs_check import data

    if path is not None:
        return data.read(path)
    dim = net.widths[0]
    if not isinstance(dim, int):
        msg = f"the input dimension {dim} is a symbol; the network's input needs a number here"
        raise BadInputError(msg)
    return data.digits(min(count, 1000), dim)


def _print(report: Report, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=1, ensure_ascii=False, allow_nan=False))
    elif quiet:
        click.echo(f"{report.verdict}{' (partial)' if report.partial else ''}")
    else:
        from rich.console import Console

        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=100)
        console.print(report)


# -- the catalogue --------------------------------------------------------------------------------


@main.command("list")
def list_() -> None:
    """The theorems that are proved, by name."""
    import theory

    width = max(map(len, theory.catalog))
    for name, theorem in theory.catalog.items():
        click.echo(f"{name:<{width}}  {theorem.title}")


@main.command()
@click.argument("name")
def show(name: str) -> None:
    """A theorem: statement, abbreviations, assumptions, order, lemmas.

    NAME is a name of the catalogue, or a network file (TOML): then the main theorem for it.
    """
    with bad_input():
        click.echo(repr(theorem_from(name)))


@main.command()
@click.argument("name")
@click.option("--no-z3", is_flag=True, help="Without the second opinion.")
def check(name: str, no_z3: bool) -> int:
    """Replay every step of a proof; exit status 1 when it is rejected.

    NAME is a name of the catalogue, a network file (TOML), or a proof in a file (JSON) such as
    'export' writes.
    """
    from rich.console import Console

    from proofs_check.replay.checker import check as replay
    from proofs_check.replay.loading import CheckError

    with bad_input():
        given: Any = _proof_text(name) if name.endswith(".json") else theorem_from(name)
    try:
        report = replay(given, second_opinion=not no_z3)
    except CheckError as error:
        msg = f"{name}: {error}"
        raise BadInputError(msg) from error
    Console(highlight=False, soft_wrap=True).print(report)
    return CONSISTENT if report.ok else VIOLATED


def _proof_text(path: str) -> str:
    from proofs_check.replay.loading import MOST_TEXT

    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(MOST_TEXT + 1)
    except UnicodeDecodeError as error:
        msg = f"{path}: not UTF-8 text (byte {error.start}); a proof file is JSON"
        raise BadInputError(msg) from error
    if len(text) > MOST_TEXT:
        msg = f"{path}: longer than {MOST_TEXT} characters; a proof file is not"
        raise BadInputError(msg)
    return text


@main.command()
@click.argument("name")
@click.argument("file", type=click.Path())
def export(name: str, file: str) -> None:
    """Write a proof to a JSON file that 'check' reads."""
    from theory.files import write_atomically

    with bad_input():
        text = json.dumps(theorem_from(name).to_json(), ensure_ascii=False)
        write_atomically(file, text.encode() + b"\n")
    click.echo(f"written: {file}")


@main.command()
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="The whole catalogue in one document.")
@click.option("--pdf", is_flag=True, help="Typeset it as well (needs latexmk or pdflatex).")
@click.option(
    "--output",
    type=click.Path(),
    metavar="DIR",
    help="Folder for the files; without it and --pdf the document goes to standard output.",
)
def latex(name: str | None, everything: bool, pdf: bool, output: str | None) -> None:
    """A theorem with its proof as a LaTeX document.

    NAME is a name of the catalogue, or a network file (TOML): then the main theorem for it.
    """
    from proofs_check import typesetting
    from theory.files import write_atomically

    if everything == (name is not None):
        msg = "give the name of a theorem, or --all for the whole catalogue (and not both)"
        raise BadInputError(msg)
    with bad_input():
        source = _document(name)
        if output is None and not pdf:
            click.echo(source)
            return
        folder = output or "."
        require_folder(folder)
        stem = os.path.join(folder, typesetting.file_stem(name or "catalogue"))
        contents = {f"{stem}.tex": source.encode()}
        if pdf:
            try:
                contents[f"{stem}.pdf"] = typesetting.pdf(source)
            except typesetting.TypesettingError as error:
                raise BadInputError(str(error)) from error
        os.makedirs(folder, exist_ok=True)
        for path, data in contents.items():
            write_atomically(path, data)
            click.echo(f"written: {path}")


def _document(name: str | None) -> str:
    """One theorem as a document, or the catalogue."""
    import theory
    from theory.writing.collection import theorems_to_latex

    if name is not None:
        return theorem_from(name).to_latex(document=True)
    return theorems_to_latex(theory.catalog, "The theorems of widthproof")


# -- the ledger -----------------------------------------------------------------------------------


@main.command()
@click.option(
    "--quick/--full",
    default=True,
    help="How wide, and how many seeds.  [default: quick, under 5 minutes on 2 cores]",
)
@click.option("--rows", metavar="LIST", help="Rows to run, such as LZB20/A4,LZB22/B4; default all.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the table: .md (what was not run is kept), .csv or .json.",
)
@click.option(
    "--check",
    "page",
    type=click.Path(dir_okay=False),
    metavar="FILE.md",
    help="Compare with a committed table: exit status 1 where it says something else.",
)
@click.option("--quiet", is_flag=True, help="No progress, no table.")
def ledger(quick: bool, rows: str | None, output: str | None, page: str | None, quiet: bool) -> int:
    """Every row of the ledger: where its statement holds, and where it fails without a hypothesis.

    Exit status 0: every statement held where it applies and failed where it does not; 1 where one
    did otherwise; 3 where that could not be told.
    """
    from proofs_check.ledger import command

    with bad_input():
        chosen = command.chosen_rows(rows)
        before = command.text_of(page)
        command.check_output(output)
        with progress_bar(shown=not quiet) as progress:
            result = command.run(chosen, "quick" if quick else "full", progress)
        if output is not None:
            command.write(result, output, some=chosen is not None or result.partial)
        if not quiet:
            command.show(result)
        wrong = [] if before is None else command.differences(result, before, rows=chosen)
    for line in wrong:
        click.echo(f"{page}: {line}", err=True)
    if result.partial:
        return INTERRUPTED
    if result.as_expected:
        return VIOLATED if wrong else CONSISTENT
    return INCONCLUSIVE if result.undecided else VIOLATED


main.add_command(attack)
main.add_command(mutants)
main.add_command(sweep)

__all__ = ["BAD_INPUT", "main"]

if __name__ == "__main__":
    main()
