"""The picture of a report: every quantity against the width, with the predicted slopes."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.verification.fits import TITLES, getter
from proofs_check.verification.report import Fit, Report, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = (
    "dots: seeds; dashed: bounds; dotted: predicted laws; slopes beside the predicted log factor"
)
PANELS = (
    ("hessian_norm", "bound", "bound_slopes", "hessian_ball", "bound_ball"),
    ("gradient_norm", "kernel_change", "linearization_gap"),
)
COLOURS = {
    "hessian_norm": "C0",
    "bound": "C9",
    "bound_slopes": "C0",
    "hessian_ball": "C3",
    "bound_ball": "C3",
    "gradient_norm": "C7",
    "kernel_change": "C2",
    "linearization_gap": "C4",
}
NAMES = {
    **TITLES,
    "hessian_norm": r"$\|H\|$ at the centre",
    "bound": "bound at the centre",
    "bound_slopes": "bound at the centre, by slopes",
    "hessian_ball": r"largest $\|H\|$ found in the ball",
    "bound_ball": "bound on the ball",
    "gradient_norm": r"$\|\nabla f\|$",
}


def scaling_png(report: Report) -> bytes:
    """Measured quantities and bounds against the width, both logarithmic; dots are seeds.

    Returns:
        The image, PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), layout="constrained")
    FigureCanvasAgg(figure)
    fits = {fit.name: fit for fit in report.fits}
    for axes, names in zip(figure.subplots(1, 2), PANELS, strict=True):
        _panel(axes, names, report.rows, fits)
    radius = report.settings.get("radius")
    ball = f", ball of radius {radius:g}" if radius is not None else ""
    state = f"{report.verdict}{' (partial)' if report.partial else ''}"
    figure.suptitle(f"{report.theorem.name}{ball}: {state}\n{LEGEND}", fontsize=10)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=150)
    return out.getvalue()


def _panel(axes: Axes, names: Sequence[str], rows: Sequence[Row], fits: Mapping[str, Fit]) -> None:
    drawn = False
    for name in names:
        points = _points(name, rows)
        if len(points):
            drawn = True
            _curve(axes, name, points, fits.get(name))
    axes.set_xlabel("width m")
    if not drawn:
        axes.text(0.5, 0.5, "nothing measured", ha="center", va="center", transform=axes.transAxes)
        return
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False)


def _points(name: str, rows: Sequence[Row]) -> np.ndarray:
    """Width and value, for values that can be drawn on a logarithmic axis; shape ``(n, 2)``."""
    get = getter(name)
    pairs = [(row.width, get(row)) for row in rows]
    kept = [(w, v) for w, v in pairs if math.isfinite(v) and v > 0]
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def _curve(axes: Axes, name: str, points: np.ndarray, fit: Fit | None) -> None:
    widths = np.unique(points[:, 0])
    means = np.array([np.exp(np.mean(np.log(points[points[:, 0] == w, 1]))) for w in widths])
    bound = name.startswith("bound")
    style: dict[str, Any] = {"color": COLOURS[name], "linestyle": "--" if bound else "-"}
    axes.plot(
        widths, means, marker="" if bound else "o", markersize=4, label=_label(name, fit), **style
    )
    if not bound:
        axes.plot(points[:, 0], points[:, 1], ".", color=COLOURS[name], alpha=0.35, markersize=4)
    if fit is not None and fit.prediction is not None and len(widths) > 1 and not bound:
        guide = _guide(widths, float(fit.prediction.exponent), float(fit.prediction.log))
        axes.plot(widths, means[0] * guide, ":", color=COLOURS[name], linewidth=1)


def _guide(widths: np.ndarray, exponent: float, log: float) -> np.ndarray:
    """The predicted power law, 1 at the first width."""
    ratio = widths / widths[0]
    logs = np.log(np.maximum(widths, 2.0))
    return np.asarray(ratio**exponent * (logs / logs[0]) ** log)


def _label(name: str, fit: Fit | None) -> str:
    if fit is None or fit.fit is None:
        return NAMES[name]
    shown = f"{NAMES[name]}: slope {fit.fit.slope:+.2f}"
    if fit.prediction is None:
        return shown
    return f"{shown}, predicted {law(fit)}"


def law(fit: Fit) -> str:
    """The predicted order as a formula."""
    if fit.prediction is None or fit.prediction.exponent == 0:
        return "constant"
    log = rf"(\log m)^{{{fit.prediction.log}}}" if fit.prediction.log else ""
    return rf"$m^{{{fit.prediction.exponent}}}{log}$"
