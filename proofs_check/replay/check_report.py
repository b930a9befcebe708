"""What a check found, for a person to read."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proofs_check.replay.binding import brief, postorder
from proofs_check.replay.loading import CheckError
from theory.terms import Term
from theory.writing.plain import plain

if TYPE_CHECKING:
    from rich.console import RenderableType

    from proofs_check.replay.hypotheses import Assumption


@dataclass(frozen=True)
class Failure:
    """Something wrong with a proof.

    Attributes:
        step: the number of the step, from 0; None when it is about the proof as a whole.
        rule: the rule of that step, or what part of the proof it is about.
        reason: what is wrong.
    """

    step: int | None
    rule: str
    reason: str

    def order(self) -> tuple[int, str]:
        """Steps in order, then the proof as a whole."""
        return (10**12 if self.step is None else self.step, self.rule)

    def __str__(self) -> str:
        """The failure in a line."""
        where = self.rule if self.step is None else f"step {self.step} ({self.rule})"
        return f"{where}: {self.reason}"


def _readable(term: Term) -> str:
    """A small term as theory prints it, which leaves out what goes without saying."""
    if sum(1 for _ in postorder(term)) > 200:
        return brief(term)
    return plain(term)


@dataclass(frozen=True)
class CheckReport:
    """The result of :func:`proofs_check.replay.checker.check`.

    Attributes:
        statement: what the proof claims to prove.
        steps: how many steps were replayed.
        failures: what is wrong, the first of ``failed``.
        failed: how many failures there are.
        lemmas: the trusted lemmas used, and how often.
        assumptions: every assumption, with its kind.
        definitions: how many abbreviations.
        z3: verdicts of z3 on the steps of real arithmetic: agreed, unknown, contradicted.
        sampled: equations between operators tried on random matrices: the same three.
        seconds: how long the check took.
    """

    statement: Term
    steps: int
    failures: tuple[Failure, ...]
    failed: int
    lemmas: Mapping[str, int]
    assumptions: tuple[Assumption, ...]
    definitions: int
    z3: Mapping[str, int]
    sampled: Mapping[str, int]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every step was replayed and nothing is left over."""
        return self.failed == 0

    def raise_if_failed(self) -> CheckReport:
        """Return the report itself.

        Raises:
            CheckError: when the check failed, with the first failures.
        """
        if not self.ok:
            first = "\n".join(f"  {f}" for f in self.failures[:5])
            msg = f"the proof of {brief(self.statement, 300)} has {self.failed} failures:\n{first}"
            raise CheckError(msg)
        return self

    def _lines(self) -> list[str]:
        verdict = "checked" if self.ok else f"REJECTED, {self.failed} failures"
        lines = [
            f"{verdict}: {self.steps} steps replayed in {self.seconds:.1f} s, "
            f"{self.definitions} definitions",
            f"statement: {_readable(self.statement)}",
            f"  exactly: {brief(self.statement, 600)}",
        ]
        lines += [f"failure: {f}" for f in self.failures]
        if self.failed > len(self.failures):
            lines.append(f"... and {self.failed - len(self.failures)} more failures")
        for name, counts in (("z3", self.z3), ("random matrices", self.sampled)):
            if counts:
                said = ", ".join(f"{n} {verdict}" for verdict, n in sorted(counts.items()))
                lines.append(f"second opinion by {name}: {said}")
        lines.append(f"trusted lemmas ({len(self.lemmas)}):")
        lines += [f"  {name} ({count})" for name, count in sorted(self.lemmas.items())]
        lines.append(f"assumptions ({len(self.assumptions)}):")
        lines += [f"  {a}" for a in self.assumptions]
        return lines

    def __str__(self) -> str:
        """The report as text."""
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        """The report for a notebook."""
        return f"<pre>{html.escape(str(self))}</pre>"

    def __rich__(self) -> RenderableType:
        """The report for a terminal."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        from theory.lemmas import LEMMAS

        table = Table("trusted lemma", "uses", "source", title="What is believed without proof")
        for name, count in sorted(self.lemmas.items()):
            known = LEMMAS.get(name)
            title, source = (known.title, known.source) if known else ("unknown", "")
            table.add_row(Text(f"{name}: {title}"), str(count), Text(source))
        head, *rest = self._lines()
        before = [line for line in rest if not line.startswith(("trusted", "  "))]
        after = [str(a) for a in self.assumptions]
        style = "bold green" if self.ok else "bold red"
        return Group(
            Text(head, style=style),
            *(Text(line) for line in before),
            table,
            *(Text(f"  {line}") for line in after),
        )
