"""The ledger as tables: Markdown, CSV, JSON, a terminal; and whether a committed table still holds.

The document under ``docs/`` has a section for each profile.  All columns but the seconds depend on
the code alone, as seeds are fixed; fitted exponents may differ in their last digits between
machines, so those are compared with the committed interval.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from proofs_check.ledger.experiment import PROFILES, Profile, rank
from proofs_check.ledger.results import FamilyResult, LedgerResult, RowResult
from proofs_check.ledger.running import CONFIDENCE

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = (
    "row",
    "family",
    "without",
    "quantity",
    "predicted",
    "exponent",
    "violations",
    "outcome",
    "seconds",
    "trusted lemmas",
)
COMPARED = ("without", "quantity", "predicted", "outcome", "trusted lemmas")
"""What must be the same in both profiles, whatever the widths."""

Record = dict[str, str]


class LedgerFileError(ValueError):
    """A file that holds no ledger; the message says what is missing."""


def records(result: LedgerResult) -> list[Record]:
    """A record for each family; the lemmas of a row stand with its first family."""
    return [r for found in result.rows for r in _of_row(found)]


def _of_row(found: RowResult) -> list[Record]:
    return [
        _record(found.row, family, ", ".join(found.lemmas) if place == 0 else "")
        for place, family in enumerate(found.families)
    ]


def _record(name: str, family: FamilyResult, lemmas: str) -> Record:
    against = f"{family.violations} of {family.samples}" if family.samples else "no bound"
    values = (
        name,
        family.words,
        family.dropped,
        family.quantity,
        family.predicted,
        family.measured,
        against,
        family.outcome,
        f"{family.seconds:.1f}",
        lemmas,
    )
    return dict(zip(COLUMNS, values, strict=True))


# -- writing --------------------------------------------------------------------------------------


def to_json(result: LedgerResult) -> str:
    """All that was found, as JSON."""
    data: dict[str, Any] = {
        "profile": result.profile,
        "confidence": CONFIDENCE,
        "partial": result.partial,
        "as expected": result.as_expected,
        "rows": [
            {
                "row": r.row,
                "title": r.title,
                "as expected": r.as_expected,
                "trusted lemmas": list(r.lemmas),
                "seconds": r.seconds,
                "families": [_family_json(f) for f in r.families],
            }
            for r in result.rows
        ],
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _family_json(family: FamilyResult) -> dict[str, Any]:
    fit = family.fit
    return {
        "family": family.words,
        "without": family.dropped,
        "quantity": family.quantity,
        "predicted": family.predicted,
        "exponent": None if fit is None else [fit.slope, fit.low, fit.high],
        "widths": None if fit is None else list(fit.widths),
        "samples": family.samples,
        "violations": family.violations,
        "undecided": family.undecided,
        "outcome": family.outcome,
        "reason": family.reason,
        "seconds": family.seconds,
    }


def to_csv(result: LedgerResult) -> str:
    """A line for each family."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records(result))
    return text.getvalue()


PREAMBLE = f"""# The ledger

Each row of the papers' ledger twice: families of models where its statement applies, and families
where a single hypothesis is dropped (*without*). `widthproof ledger --full` measures both.

- *predicted*: the order of the quantity as the width m grows, from the theorem's own order.
- *exponent*: of m, fitted with the predicted power of log m divided out, and its
  {CONFIDENCE:.0%} interval over seeds.
- *violations*: samples (a width and a seed each) in which the theorem's bound is exceeded, or its
  equation fails, beyond rounding.
- *outcome*: *holds* where bound and order are met; *fails* where a bound is violated or the
  exponent is away from the predicted one.
- *trusted lemmas*: what the proof of the row's theorem takes from the literature.

Seconds are of the machine that wrote the table. `make ledger` repeats the quick run and compares it
with this page: rows, predicted orders, outcomes, lemmas, and every exponent with the interval here.
"""
TITLES: Mapping[str, str] = {"full": "## Full run", "quick": "## Quick run"}


def section(found: Sequence[Record]) -> str:
    """The Markdown table of one profile."""
    lines = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    lines += [_line([record[name] for name in COLUMNS]) for record in found]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(c.replace("|", r"\|") for c in cells) + " |"


def document(result: LedgerResult, before: str = "", *, some: bool = False) -> str:
    """The page: this result's section anew, the other profile's kept from the page before.

    Args:
        result: the run.
        before: the page before; empty for none.
        some: whether only some rows were run, so that the others are kept as well.
    """
    kept = {profile: _table(text) for profile, text in _sections(before).items()}
    new = records(result)
    if some and result.profile in kept:
        run = {record["row"] for record in new}
        new += [r for r in kept[result.profile] if r["row"] not in run]
        new.sort(key=lambda record: rank(record["row"]))
    kept[result.profile] = new
    parts = [f"{TITLES[p]}\n\n{section(kept[p])}" for p in ("full", "quick") if p in kept]
    return "\n".join([PREAMBLE, *parts])


# -- reading and comparing ------------------------------------------------------------------------


def _sections(text: str) -> dict[Profile, str]:
    """The table of each profile on a page."""
    found: dict[Profile, str] = {}
    for profile in PROFILES:
        _, title, rest = text.partition(TITLES[profile] + "\n")
        lines = [line for line in rest.split("\n## ")[0].splitlines() if line.startswith("|")]
        if title and lines:
            found[profile] = "\n".join(lines) + "\n"
    return found


def read(text: str) -> dict[Profile, list[Record]]:
    """The records of a page that :func:`document` wrote.

    Raises:
        LedgerFileError: the page has no table of the ledger, or one with other columns.
    """
    sections = _sections(text)
    if not sections:
        msg = f"no section {' or '.join(TITLES.values())} with a table in it"
        raise LedgerFileError(msg)
    return {profile: _table(table) for profile, table in sections.items()}


def _table(text: str) -> list[Record]:
    head, *lines = (_cells(line) for line in text.splitlines())
    lines = lines[1:]  # the rule below the head
    if tuple(head) != COLUMNS or any(len(cells) != len(COLUMNS) for cells in lines):
        msg = f"its columns are {', '.join(head)}; a ledger has {', '.join(COLUMNS)}"
        raise LedgerFileError(msg)
    return [dict(zip(COLUMNS, cells, strict=True)) for cells in lines]


def _cells(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
    return [c.strip().replace(r"\|", "|") for c in cells]


def differences(result: LedgerResult, text: str, *, rows: Sequence[str] | None = None) -> list[str]:
    """What a page says otherwise than a run; empty where it still holds.

    Args:
        result: the run.
        text: the page.
        rows: compare these only; None for all, rows missing on either side included.

    Raises:
        LedgerFileError: the page has no table of the ledger.
    """
    page = read(text)
    found = []
    for profile in PROFILES:
        if profile not in page:
            found.append(f"there is no section {TITLES[profile]!r}")
            continue
        committed = [r for r in page[profile] if rows is None or r["row"] in rows]
        same = profile == result.profile
        found += [f"{TITLES[profile]}: {d}" for d in _compare(records(result), committed, same)]
    return found


def _key(record: Record) -> tuple[str, str, str]:
    return record["row"], record["without"], f"{record['family']}: {record['quantity']}"


def _compare(run: list[Record], committed: list[Record], exponents: bool) -> list[str]:
    ours, theirs = ({_key(r): r for r in table} for table in (run, committed))
    found = [f"{', '.join(filter(None, k))}: not on the page" for k in ours if k not in theirs]
    found += [f"{', '.join(filter(None, k))}: no longer run" for k in theirs if k not in ours]
    for key in ours.keys() & theirs.keys():
        new, old = ours[key], theirs[key]
        where = ", ".join(filter(None, key))
        found += [
            f"{where}: {name} is {new[name]!r}, on the page {old[name]!r}"
            for name in COMPARED
            if new[name] != old[name]
        ]
        if exponents and not _agree(new["exponent"], old["exponent"]):
            found.append(
                f"{where}: the exponent {new['exponent']} is outside the page's {old['exponent']}"
            )
    return sorted(found)


_EXPONENT = re.compile(r"(-?[\d.]+) \[(-?[\d.]+|-inf), (-?[\d.]+|inf)\]")


def _agree(new: str, old: str) -> bool:
    """Whether a fitted exponent lies in the interval on the page."""
    here, there = _EXPONENT.fullmatch(new), _EXPONENT.fullmatch(old)
    if here is None or there is None:
        return new == old
    return float(there[2]) <= float(here[1]) <= float(there[3])


# -- a terminal -----------------------------------------------------------------------------------


def to_rich(result: LedgerResult) -> Table:
    """The table for a terminal: a line for each family, the lemmas counted."""
    from rich.table import Table

    table = Table(title=f"The ledger, {result.profile} run{' (partial)' * result.partial}")
    for name in ("row", "family", "predicted", "exponent", "violations", "outcome", "s", "lemmas"):
        table.add_column(name, overflow="fold")
    for found in result.rows:
        for place, family in enumerate(found.families):
            record = _record(found.row, family, "")
            without = f"without {family.dropped}: " if family.dropped else ""
            mark = "" if family.as_expected else f" (unexpected: {family.reason})"
            table.add_row(
                found.row if place == 0 else "",
                f"{without}{family.words}; {family.quantity}",
                family.predicted,
                family.measured,
                record["violations"],
                family.outcome + mark,
                record["seconds"],
                str(len(found.lemmas)) if place == 0 else "",
            )
    return table
