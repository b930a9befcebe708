"""A report as tables for a terminal, a text file and a notebook."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from proofs_check.verification.judging import Check
from proofs_check.verification.ledger import Ledger, Line
from proofs_check.verification.report import Fit, Report, Row
from proofs_check.verification.statements import label_of, network_of

TEXT_WIDTH = 110
SLOPES = {"agrees": "as predicted", "disagrees": "slower at these widths"}
STYLES = {
    "consistent": "bold green",
    "violated": "bold red",
    "inconclusive": "bold yellow",
    "agrees": "green",
    "disagrees": "red",
}


def rendered(report: Report) -> RenderableType:
    """The report for a rich console."""
    parts: list[RenderableType] = [Text(heading(report), style="bold"), Text(subject(report))]
    if report.rows:
        parts += [rows_table(report.rows), Text(caption(report), style="dim")]
    if report.fits:
        parts.append(fits_table(report.fits))
    parts += [Text(line) for line in ledger_lines(report.ledger, label_of(report.theorem))]
    if report.check is not None:
        parts.append(Text(check_line(report)))
    parts.append(verdict_text(report))
    if report.counterexample is not None:
        parts.append(Text(str(report.counterexample), style="red"))
    return Group(*parts)


def heading(report: Report) -> str:
    """What was verified, in a line."""
    title = getattr(report.theorem, "title", "conjecture")
    order = getattr(report.theorem, "order", None)
    claim = f"; bound {order}" if order is not None else ""
    return f"{report.theorem.name}: {title}{claim}"


def subject(report: Report) -> str:
    """The network, inputs and seeds, in a line."""
    net = network_of(report.theorem)
    if not net.is_dense:
        shape = report.settings.get("inputs", {}).get("shape", ("?", "?"))
        return f"{net!r}; {shape[0]} inputs; {len(report.settings.get('seeds', []))} seeds"
    names = list(dict.fromkeys(f.name for f in net.activations))
    readout = f"{'trained' if net.readout.trainable else 'fixed'} {net.readout.init} readout"
    shape = report.settings.get("inputs", {}).get("shape", ("?", "?"))
    seeds = report.settings.get("seeds", [])
    return (
        f"network: widths {'-'.join(map(str, net.widths))}, {', '.join(names)}, {readout}; "
        f"{shape[0]} inputs of dimension {shape[1]}; {len(seeds)} seeds"
    )


def caption(report: Report) -> str:
    """How to read the table of rows."""
    seeds = len({row.seed for row in report.rows})
    radius = report.settings.get("radius")
    ball = f"; ball of radius {radius:g}" if radius is not None else ""
    names = [
        c.statement for b in (False, True) if (c := sharpest(report.rows[0], ball=b)) is not None
    ]
    bounds = f"; bounds: {', '.join(names)}" if names else ""
    return (
        f"means over {seeds} seeds; a ratio is bound over measured value, the least of all seeds"
        f"{bounds}{ball}{'; INTERRUPTED: rows are missing' if report.partial else ''}"
    )


# -- rows -----------------------------------------------------------------------------------------

Column = tuple[str, Callable[[Sequence[Row]], str]]


def rows_table(rows: Sequence[Row]) -> Table:
    """One line per width."""
    columns = list(_columns(rows))
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("width", justify="right", no_wrap=True)
    for name, _ in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for widths in sorted({row.widths for row in rows}, key=sum):
        group = [row for row in rows if row.widths == widths]
        table.add_row(_shape(group[0]), *(show(group) for _, show in columns))
    return table


def _shape(row: Row) -> str:
    hidden = set(row.widths[1:])
    return str(hidden.pop()) if len(hidden) == 1 else "-".join(map(str, row.widths[1:]))


def _columns(rows: Sequence[Row]) -> Iterable[Column]:
    first = rows[0]
    yield "‖H‖", _mean("hessian_norm")
    yield from _of_check(sharpest(first, ball=False))
    if "hessian_ball" in first.values:
        yield "max ‖H‖\nin ball", _mean("hessian_ball")
        yield from _of_check(sharpest(first, ball=True))
    yield "‖∇f‖", _mean("gradient_norm")
    for name, title in (("kernel_change", "kernel\nchange"), ("linearization_gap", "lin.\ngap")):
        if name in first.values:
            yield title, _mean(name)
    for check in first.checks:
        if check.quantity == "gradient_norm":
            yield from _of_check(check)


def sharpest(row: Row, *, ball: bool) -> Check | None:
    """The least of the bounds on the Hessian norm, at the centre or on the ball."""
    found = [c for c in row.checks if c.quantity == "hessian_norm" and c.ball is ball]
    return min(found, key=lambda c: c.bound.value, default=None)


def _of_check(check: Check | None) -> Iterable[Column]:
    if check is None:
        return
    name = check.statement

    def all_of(rows: Sequence[Row]) -> list[Check]:
        return [c for row in rows for c in row.checks if c.statement == name]

    yield "bound", lambda rows: number(fmean(c.bound.value for c in all_of(rows)))
    yield "ratio", lambda rows: f"{min(c.ratio for c in all_of(rows)):.3g}"


def _mean(name: str) -> Callable[[Sequence[Row]], str]:
    return lambda rows: number(fmean(row.values.get(name, math.nan) for row in rows))


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.2e}"


# -- exponents ------------------------------------------------------------------------------------


def fits_table(fits: Sequence[Fit]) -> Table:
    """Fitted against predicted exponents."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("exponent of", "fitted", "95% interval", "predicted"):
        table.add_column(name, no_wrap=True)
    table.add_column("", overflow="fold")
    for fit in fits:
        slope = "" if fit.fit is None else f"{fit.fit.slope:+.3f}"
        interval = "" if fit.fit is None else f"[{fit.fit.low:+.3f}, {fit.fit.high:+.3f}]"
        table.add_row(fit.title, slope, interval, predicted(fit), _said(fit))
    return table


def _said(fit: Fit) -> Text:
    """What the comparison says.  The order of a bound is derived, so its slope is no test of it."""
    word = (
        fit.status if fit.judged or fit.prediction is None else SLOPES.get(fit.status, fit.status)
    )
    style = STYLES.get(fit.status, "yellow") if fit.judged else ""
    return Text(f"{word}{'; ' + fit.note if fit.note else ''}", style=style)


def predicted(fit: Fit) -> str:
    """The predicted order in a few characters."""
    if fit.prediction is None:
        return ""
    log = fit.prediction.log
    power = f", log^{log}" if log else ""
    sign = "≤ " if fit.prediction.relation == "<=" else ""
    return f"{sign}{fit.prediction.exponent}{power}"


# -- the proof ------------------------------------------------------------------------------------


def ledger_lines(ledger: Ledger, name: str) -> list[str]:
    """How many lines were evaluated, where, and which are false or lose the most."""
    if not ledger.lines:
        return []
    shapes = sorted({max(line.widths[1:]) for line in ledger.lines})
    count = len(ledger.lines) - sum(line.label.startswith("step ") for line in ledger.lines)
    found = [
        f"lines of the proofs, seed {ledger.lines[0].seed}: {count} claims at widths "
        f"{', '.join(map(str, shapes))}"
    ]
    for steps in ledger.counts:
        skipped = sum(steps.skipped.values())
        found.append(
            f"  every step at width {max(steps.widths[1:])}: {steps.inequalities} inequalities, "
            f"{steps.equalities} equations, {steps.others} others"
            + (f"; {skipped} skipped ({', '.join(steps.skipped)})" if skipped else "")
        )
    found += [f"  FALSE: {_line(line)}" for line in ledger.false[:5]]
    mine = Ledger([line for line in ledger.lines if line.theorem == name] or ledger.lines)
    if mine.loosest is not None:
        found.append(f"  loosest line: {_line(mine.loosest)}, a factor {mine.loosest.ratio:.3g}")
    if mine.costliest is not None:
        found.append(
            f"  loses most by itself: {_line(mine.costliest)}, a factor {mine.costliest.own:.3g}"
        )
    return found


def _line(line: Line) -> str:
    sign = "<=" if line.relation == "le" else "="
    return (
        f"{line.theorem} {line.label} ({line.title}) at width {max(line.widths[1:])}: "
        f"{number(line.left)} {sign} {number(line.right)}"
    )


def check_line(report: Report) -> str:
    """What the independent check of the proof said."""
    check = report.check
    if check is None:
        return ""
    z3 = ", ".join(f"{n} {said}" for said, n in sorted(check.z3.items()))
    verdict = "every step replayed" if check.ok else f"REJECTED ({check.failed} failures)"
    return (
        f"proof check: {verdict}, {check.steps} steps; trusted lemmas: {len(check.lemmas)}; "
        f"z3: {z3 or 'not asked'}"
    )


def verdict_text(report: Report) -> Text:
    """The verdict and its reasons."""
    text = Text()
    label = report.verdict + (" (partial)" if report.partial else "")
    text.append(f"verdict: {label}", style=STYLES[report.verdict])
    for reason in report.reasons:
        text.append(f"\n  - {reason}")
    return text


# -- elsewhere than in a terminal -----------------------------------------------------------------


def as_text(report: Report) -> str:
    """The report as plain text."""
    out = io.StringIO()
    Console(file=out, width=TEXT_WIDTH, color_system=None, highlight=False).print(rendered(report))
    return out.getvalue().rstrip("\n")


def as_html(report: Report) -> str:
    """The report for a notebook."""
    console = Console(file=io.StringIO(), record=True, width=TEXT_WIDTH, highlight=False)
    console.print(rendered(report))
    return console.export_html(
        inline_styles=True,
        code_format='<pre style="line-height:1.2;font-family:monospace">{code}</pre>',
    )
