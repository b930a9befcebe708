"""What a verification found, for a person, for a program, and for a folder."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from proofs_check.verification.judging import Check
from proofs_check.verification.ledger import Ledger
from proofs_check.verification.statements import Prediction, Sides
from theory.files import write_atomically

if TYPE_CHECKING:
    from rich.console import RenderableType

    from numerics.scaling import ExponentFit
    from proofs_check.replay.check_report import CheckReport
    from proofs_check.verification.counterexamples import Counterexample
    from proofs_check.verification.statements import Statement

Verdict = Literal["consistent", "violated", "inconclusive"]
FORMAT = "widthproof-report/1"
FILES = ("report.json", "table.csv", "scaling.png", "theorem.tex")


@dataclass(frozen=True)
class Row:
    """Everything measured for one width, seed and input.

    Attributes:
        width: the number that the exponents are fitted against (the common width, or the narrowest
            hidden one).
        widths: m_0, ..., m_L.
        seed: of the weights.
        input: index of the input among those given.
        values: measured numbers by name: ``hessian_norm`` (at the centre), ``hessian_ball`` (the
            largest found in the ball), ``gradient_norm``, ``kernel``, ``kernel_change``,
            ``linearization_gap``, ``output``; NaN where something was not defined.
        places: for the last ones, where in the ball the largest value was found.
        hessian: enclosure of the Hessian norm at the centre.
        method: how that was computed.
        failure_probability: that any enclosure of this row is wrong.
        checks: each statement held against this network.
        notes: what could not be measured, and why.
        seconds: wall time spent on this row.
    """

    width: int
    widths: tuple[int, ...]
    seed: int
    input: int
    values: Mapping[str, float]
    places: Mapping[str, str]
    hessian: Sides
    method: str
    failure_probability: float
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Fit:
    """A fitted exponent against the predicted one.

    Attributes:
        name: what was fitted.
        title: the same in words.
        prediction: its own predicted order; None where no theorem says one.
        fit: slope and interval; None where there is none.
        status: ``agrees``, ``disagrees``, ``inconclusive``, ``not predicted`` or ``not fitted``.
        note: why, where that needs saying.
        judged: whether the verdict rests on it.
    """

    name: str
    title: str
    prediction: Prediction | None
    fit: ExponentFit | None
    status: str
    note: str = ""
    judged: bool = True


@dataclass(frozen=True)
class Report:
    """The result of :func:`proofs_check.verify`.

    Attributes:
        theorem: the statement verified.
        rows: one per width, seed and input.
        ledger: the lines of the proof on concrete networks.
        fits: fitted exponents against predicted ones.
        verdict: ``consistent``, ``violated`` or ``inconclusive``.
        reasons: why, in words.
        counterexample: the smallest one found, re-measured; None unless violated.
        settings: everything the run depends on.
        versions: of Python and the libraries.
        timings: seconds by stage.
        partial: whether the run was interrupted.
        check: what the independent check of the proof said, where it was asked.
        latex: the theorem as a LaTeX document; empty for a conjecture.
    """

    theorem: Statement
    rows: tuple[Row, ...]
    ledger: Ledger
    fits: tuple[Fit, ...]
    verdict: Verdict
    reasons: tuple[str, ...]
    counterexample: Counterexample | None
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    timings: Mapping[str, float]
    partial: bool = False
    check: CheckReport | None = field(default=None, compare=False)
    latex: str = field(default="", repr=False)

    # -- for a person -----------------------------------------------------------------------------

    def __rich__(self) -> RenderableType:
        """The report for a terminal."""
        from proofs_check.verification.render import rendered

        return rendered(self)

    def __str__(self) -> str:
        """The report as text."""
        from proofs_check.verification.render import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        """The report for a notebook."""
        from proofs_check.verification.render import as_html

        return as_html(self)

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draw everything against the width, with the predicted slopes, into an image file."""
        from proofs_check.verification.plots import scaling_png

        write_atomically(path, scaling_png(self))

    # -- for a program ----------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """The report as JSON-ready data; NaN is null, infinities are the texts inf and -inf."""
        from proofs_check.verification.statements import right_side

        body = {
            "format": FORMAT,
            "verdict": self.verdict,
            "partial": self.partial,
            "reasons": self.reasons,
            "theorem": self.theorem.name,
            "bound": str(right_side(self.theorem)),
            "rows": self.rows,
            "fits": self.fits,
            "ledger": {
                "lines": self.ledger.lines,
                "counts": self.ledger.counts,
                "loosest": self.ledger.loosest,
                "costliest": self.ledger.costliest,
            },
            "check": _check_summary(self.check),
            "counterexample": self.counterexample,
            "settings": self.settings,
            "versions": self.versions,
            "timings": self.timings,
        }
        plain: dict[str, Any] = plain_data(body)
        return plain

    def to_csv(self) -> str:
        """One line per row: widths, seed, measured values, and each check's bound and outcome."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        header, *lines = _table(self.rows)
        writer.writerow(header)
        writer.writerows(lines)
        return out.getvalue()

    def save(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Write report.json, table.csv, scaling.png and theorem.tex.

        All contents are made before the first file is written, and each file appears whole or not
        at all.

        Returns:
            The paths written.

        Raises:
            OSError: the folder or a file cannot be written.
        """
        from proofs_check.verification.plots import scaling_png

        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        contents = {
            "report.json": text.encode() + b"\n",
            "table.csv": self.to_csv().encode(),
            "scaling.png": scaling_png(self),
        }
        if self.latex:
            contents["theorem.tex"] = self.latex.encode()
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        for name, data in contents.items():
            write_atomically(target / name, data)
        return tuple(target / name for name in contents)


def _check_summary(check: CheckReport | None) -> dict[str, Any] | None:
    if check is None:
        return None
    return {
        "ok": check.ok,
        "steps": check.steps,
        "lemmas": dict(check.lemmas),
        "z3": dict(check.z3),
        "sampled": dict(check.sampled),
        "failures": [str(f) for f in check.failures],
        "assumptions": [str(a) for a in check.assumptions],
        "seconds": check.seconds,
    }


def _table(rows: Iterable[Row]) -> list[list[Any]]:
    rows = list(rows)
    depth = max((len(r.widths) for r in rows), default=0)
    names = list(dict.fromkeys(name for r in rows for name in r.values))
    checks = list(dict.fromkeys(c.statement for r in rows for c in r.checks))
    header = [
        *(f"m_{i}" for i in range(depth)),
        "seed",
        "input",
        *names,
        "hessian_lower",
        "hessian_upper",
        "method",
    ]
    header += [
        f"{name} {part}" for name in checks for part in ("measured", "bound", "ratio", "outcome")
    ]
    lines = [header]
    for row in rows:
        line: list[Any] = [*row.widths, row.seed, row.input]
        line += [row.values.get(name, math.nan) for name in names]
        line += [row.hessian.lower, row.hessian.upper, row.method]
        found = {c.statement: c for c in row.checks}
        for name in checks:
            check = found.get(name)
            line += (
                ["", "", "", ""]
                if check is None
                else [check.measured.value, check.bound.value, check.ratio, check.outcome]
            )
        lines.append(line)
    return lines


def plain_data(value: Any) -> Any:
    """Dataclasses, tuples, fractions and numbers as what JSON knows."""
    match value:
        case None | bool() | str() | int():
            return value
        case Fraction():
            return str(value)
        case float() if math.isnan(value):
            return None
        case float() if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        case float():
            return float(value)
        case Mapping():
            return {str(k): plain_data(v) for k, v in value.items()}
        case tuple() | list():
            return [plain_data(v) for v in value]
    if is_dataclass(value) and not isinstance(value, type):
        named = {f.name: getattr(value, f.name) for f in fields(value)}
        extra = {n: getattr(value, n) for n in ("ratio",) if hasattr(value, n)}
        return plain_data(named | extra)
    return plain_data(value.tolist()) if hasattr(value, "tolist") else str(value)
