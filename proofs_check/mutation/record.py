"""The mutants of every theorem and who rejects them, as a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from proofs_check.mutation.judging import Columns, Measure, Verdict, counts, judge
from proofs_check.mutation.mutants import Mutant, corpus

PATH = "docs/mutants.md"
HEADER = ("", "mutants", "kernel", "z3 alone", "networks", "survived", "ms: median (longest)")

INTRODUCTION = """# False theorems, rejected

Each mutant is a theorem of the catalogue with one error: in its statement, in a definition, in an
assumption, or in one step of its proof, carried through all later ones.  Three judges see it, each
alone: the replay of the proof (*kernel*), the solver with the replay's own arithmetic left aside
(*z3 alone*), and small networks on which the statement is measured (*networks*: rejected, of those
where the statement could be measured and was not left as it is; a dash where none was asked).  The
time is that of the quickest judge who rejects it, and depends on the machine and its load.

A bound sharpened by less than its slack stays true on every network, and most errors in a proof
leave a statement that is true: those are for the kernel alone.

"""


def judged(
    names: Iterable[str] | None, per_kind: int, measure: Measure | None, seed: int = 0
) -> Iterator[tuple[Mutant, Verdict]]:
    """Mutants of rows of the catalogue, each with the verdict on it.

    Args:
        names: the rows; all by default.
        per_kind: how many mutants of each kind and family, for each row.
        measure: the judge with networks, asked about changed statements; None for none.
        seed: of the choice of mutants.
    """
    for mutant in corpus(names, seed=seed, per_kind=per_kind):
        asked = measure if mutant.family == "statement" else None
        yield mutant, judge(mutant, measure=asked)


def document(found: Sequence[Mutant], verdicts: Sequence[Verdict], command: str) -> str:
    """Both tables, by theorem and by kind of error, as a Markdown document."""
    parts = [INTRODUCTION, f"Written by `{command}`.\n"]
    for by, title in (("theorem", "By theorem"), ("kind", "By kind of error")):
        parts.append(f"\n## {title}\n\n{_markdown(by, counts(found, verdicts, by))}")
    return "".join(parts)


def _markdown(first: str, rows: Sequence[Columns]) -> str:
    head = "| " + " | ".join((first, *HEADER[1:])) + " |\n"
    rule = "|---|" + "---:|" * (len(HEADER) - 1) + "\n"
    lines = ["| " + " | ".join(map(str, row)) + " |\n" for row in rows]
    return head + rule + "".join(lines)


__all__ = ["PATH", "document", "judged"]
