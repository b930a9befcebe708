"""The commands ``widthproof attack`` and ``widthproof mutants``: lemmas and false theorems."""

from __future__ import annotations

from collections.abc import Container

import click

from proofs_check.cli_support import CONSISTENT, VIOLATED, BadInputError, bad_input


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--seeds", type=click.IntRange(1, 1000), default=4, show_default=True, help="How many seeds."
)
@click.option("--write", type=click.Path(), metavar="FILE", help="The table as Markdown.")
def attack(names: tuple[str, ...], seeds: int, write: str | None) -> int:
    """Search for false instances of the trusted lemmas; the least slack found for each.

    NAMES are lemmas; without any, all of them.  Exit status 1 when a lemma is violated.
    """
    from proofs_check import chance_record, lemma_table
    from proofs_check.attack import PLANS
    from theory.files import write_atomically

    _require(names, PLANS, "lemma")
    found, lines = list(names or PLANS), []
    try:
        for line in lemma_table.rows(found, range(seeds)):
            lines.append(line)
            click.echo(f"{line.name:<22} {line.trials:>6} trials, least slack {line.slack}")
        chances = "" if names else chance_record.section()
    except ValueError as error:
        click.echo(str(error))
        return VIOLATED
    if write:
        with bad_input():
            write_atomically(write, (lemma_table.document(lines) + chances).encode())
        click.echo(f"written: {write}")
    return CONSISTENT


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--per-kind",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="How many of each kind of error, for each theorem.",
)
@click.option("--no-networks", is_flag=True, help="Without measuring changed statements.")
@click.option("--write", type=click.Path(), metavar="FILE", help="The tables as Markdown.")
def mutants(names: tuple[str, ...], per_kind: int, no_networks: bool, write: str | None) -> int:
    """Make false theorems from those of the catalogue, and put them before three judges.

    NAMES are rows of the catalogue; without any, all of them.  Exit status 1 when one survives.
    """
    from rich.console import Console

    import theory
    from proofs_check.mutation import record
    from proofs_check.mutation.judging import table
    from proofs_check.mutation.measured_judge import refuted
    from theory.files import write_atomically

    _require(names, theory.catalog, "row of the catalogue")
    measure = None if no_networks else refuted
    pairs = list(record.judged(names or None, per_kind, measure))
    found, verdicts = [m for m, _ in pairs], [v for _, v in pairs]
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=110)
    for by in ("theorem", "kind"):
        console.print(table(found, verdicts, by))
    survivors = [m for m, v in pairs if not v.rejected]
    for mutant in survivors:
        click.echo(f"survived: {mutant.name}: {mutant.description}")
    if write:
        flag = " --no-networks" if no_networks else ""
        command = f"widthproof mutants --per-kind {per_kind}{flag} --write {record.PATH}"
        with bad_input():
            write_atomically(write, record.document(found, verdicts, command).encode())
        click.echo(f"written: {write}")
    return VIOLATED if survivors else CONSISTENT


def _require(names: tuple[str, ...], known: Container[str], what: str) -> None:
    for name in names:
        if name not in known:
            msg = f"no {what} is called {name!r}"
            raise BadInputError(msg)
