"""Confront a theorem with concrete networks: rows, ledger, exponents, one verdict."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

import numerics
from proofs_check import data
from proofs_check.data import Inputs
from proofs_check.verification import counterexamples, fits, ledger, plan
from proofs_check.verification.architectures import sizes, sizes_of
from proofs_check.verification.counterexamples import Counterexample
from proofs_check.verification.judging import companions, judge
from proofs_check.verification.plan import Pairing, Task, Width
from proofs_check.verification.report import Report, Row
from proofs_check.verification.statements import (
    UNKNOWN,
    Sides,
    Statement,
    label_of,
    network_of,
    radius_of,
)
from proofs_check.verification.trials import Search, Trial, largest
from proofs_check.verification.verdicts import decide
from theory import theorems
from theory.networks import Network
from theory.theorem import Theorem

if TYPE_CHECKING:
    from proofs_check.replay.check_report import CheckReport

LEDGER_WIDTH = 256
Progress = Callable[[float, float, str], None]
LIBRARIES = (
    "widthproof",
    "jax",
    "jaxlib",
    "numpy",
    "scipy",
    "sympy",
    "python-flint",
    "z3-solver",
    "hypothesis",
)


def verify(
    thm: Statement | Network,
    inputs: ArrayLike,
    widths: Iterable[Width] | None = None,
    seeds: int | Iterable[int] = 5,
    radius: float | None = None,
    *,
    level: str | None = None,
    pairing: Pairing = "all",
    with_companions: bool | None = None,
    order: bool = True,
    ledger_widths: Iterable[int] | None = None,
    steps: bool = True,
    search: Search | None = None,
    check: CheckReport | None = None,
    progress: Progress | None = None,
    on_interrupt: Literal["raise", "report"] = "raise",
) -> Report:
    """Measure a theorem on concrete networks and give one verdict.

    For each width, seed and input: the Hessian norm, enclosed, at the centre; with a ball also at
    points of it, found at random, along ``H grad f`` and by ascent; the change of the kernel and
    the linearization gap there; each held against its bound, which is evaluated from the layer
    statistics measured at the centre.  On small networks every line of the proof is evaluated too.

    Args:
        thm: a theorem about a network, a
            :class:`~proofs_check.verification.statements.Conjecture`, or a network, which stands
            for A7 on a ball if there is a radius, else at the centre.
        inputs: shape ``(d,)`` or ``(n, d)``, used as they are.
        widths: integers (for all width symbols at once) or mappings from symbols to integers; None
            for a network without symbols.
        seeds: of the weights; a number n stands for 0, ..., n - 1.
        radius: of the ball, Euclidean over all trainable parameters, where the theorem has one that
            is not a number itself.
        level: for a network: what its bound may rest on, as :func:`theory.hessian_bound` has it.
        pairing: ``all`` measures every seed at every input, ``cycle`` the i-th seed at the i-th.
        with_companions: also verify what the same measurements can: A7 at the centre and on the
            ball, A7+A2 and A7+A3; by default for theorems, not for conjectures.
        order: whether fitted exponents must agree with the predicted order for *consistent*.
        ledger_widths: at which widths the lines of the proofs are evaluated, with the first seed;
            by default those up to 256.
        steps: whether every step is evaluated, at the least of these widths, or claims only.
        search: where in the ball to measure.
        check: a report of :func:`proofs_check.check`, to go with this one.
        progress: called as ``progress(done, total, text)``, in expected seconds of work.
        on_interrupt: ``report`` returns what there is, marked partial and inconclusive, when the
            user interrupts.

    Returns:
        The report.

    Raises:
        HypothesisError: no theorem covers the description, or the statement has no network.
        InputError: inputs that do not fit.
        ValueError: widths, seeds or a radius that make no sense, or a level for a theorem.
        NetworkError: a width symbol without a value.
    """
    if isinstance(thm, Network):
        ball = None if radius is None else "R"
        thm = theorems.hessian_bound(thm, radius=ball, level=level or "layers")
    elif level is not None:
        msg = f"level {level!r} with {thm.name}: a theorem has its own; give a network with level="
        raise ValueError(msg)
    run = _Run(
        thm,
        inputs,
        widths,
        seeds,
        radius,
        pairing,
        with_companions,
        order,
        ledger_widths,
        steps,
        search or Search(),
        check,
        progress or (lambda *_: None),
    )
    try:
        run.measure()
    except KeyboardInterrupt:
        if on_interrupt == "raise":
            raise
        run.interrupted = f"interrupted after {len(run.rows)} of {len(run.tasks)} networks"
    return run.report()


@dataclass
class _Run:
    """One verification under way."""

    thm: Statement
    given: ArrayLike
    widths: Iterable[Width] | None
    seeds: int | Iterable[int]
    given_radius: float | None
    pairing: Pairing
    with_companions: bool | None
    order: bool
    ledger_widths: Iterable[int] | None
    steps: bool
    search: Search
    check: CheckReport | None
    progress: Progress
    rows: list[Row] = field(default_factory=list)
    ledger: ledger.Ledger = field(default_factory=ledger.Ledger)
    timings: dict[str, float] = field(default_factory=dict)
    interrupted: str = ""
    found: Counterexample | None = None
    done: float = 0.0

    def __post_init__(self) -> None:
        """Look at everything before any work is done."""
        self.begin = time.perf_counter(), time.process_time()
        self.net = network_of(self.thm)
        self.radius = radius_of(self.thm, self.given_radius)
        nets = plan.networks(self.net, self.widths)
        dim = int(sizes(nets[0][0])[0])
        given = np.asarray(self.given)
        if not self.net.is_dense and given.ndim >= len(self.net.input_shape) > 1:
            given = given.reshape(-1, dim) if given.size % dim == 0 else given
        self.inputs: Inputs = data.checked(given, dim)
        self.seeds = plan.checked_seeds(self.seeds)
        self.numeric = [net for net, _ in nets]
        self.tasks = plan.tasks(nets, self.seeds, len(self.inputs), self.pairing)
        with self._timed("derive"):
            self.companions = companions(self.net, self.radius is not None)
            self.latex = self.thm.to_latex(document=True) if isinstance(self.thm, Theorem) else ""
        wanted = self.with_companions
        self.statements = self._statements(
            isinstance(self.thm, Theorem) if wanted is None else wanted
        )
        self.lined = self._lined([width for _, width in nets])
        self.total = sum(t.effort for t in self.tasks) + sum(map(_ledger_effort, self.lined))

    def _statements(self, with_companions: bool) -> list[Statement]:
        """What is held against every network, the given statement first."""
        found = [self.thm]
        if with_companions:
            found += [t for t in self.companions.theorems if label_of(t) != label_of(self.thm)]
        return found

    def _lined(self, widths: Sequence[int]) -> list[int]:
        if not any(isinstance(s, Theorem) for s in self.statements):
            return []
        if self.ledger_widths is None:
            return [w for w in widths if w <= LEDGER_WIDTH]
        wanted = set(self.ledger_widths)
        return [w for w in widths if w in wanted]

    # -- measuring --------------------------------------------------------------------------------

    def measure(self) -> None:
        """All rows, and the ledger where it is wanted."""
        lined = set(self.lined)
        for task in self.tasks:
            text = f"width {task.width}, seed {task.seed}"
            self.progress(self.done, self.total, text)
            trial = self.trial(task)
            with self._timed("measure"):
                self.rows.append(self.row(task, trial))
            self.done += task.effort
            if task.width in lined:
                lined.discard(task.width)
                self.progress(self.done, self.total, f"lines of the proof at width {task.width}")
                with self._timed("ledger"):
                    self.add_lines(trial, all_steps=self.steps and task.width == self.lined[0])
                self.done += _ledger_effort(task.width)
        self.progress(self.total, self.total, "verdict")
        with self._timed("counterexample"):
            self.found = self.counterexample()

    def trial(self, task: Task) -> Trial:
        """The network of a task with numbers in it."""
        model = numerics.instantiate(task.net, seed=task.seed)
        pair = self.inputs[task.index], self.inputs[task.other]
        return Trial(model, *pair, self.radius, self.search)

    def row(self, task: Task, trial: Trial) -> Row:
        """Measure one network and hold every statement against it."""
        begin = time.perf_counter()
        checks = tuple(judge(statement, trial) for statement in self.statements)
        values, places = measured_values(trial, {s.quantity for s in self.statements})
        norm = trial.centre_norm
        norms = [*trial.__dict__.get("hessians", {}).values()] or [n for n in (norm,) if n]
        return Row(
            task.width,
            sizes_of(trial.model),
            task.seed,
            task.index,
            values,
            places,
            UNKNOWN if norm is None else Sides(norm.lower, norm.value, norm.upper),
            "" if norm is None else norm.method,
            sum(n.failure_probability for n in norms),
            checks,
            tuple(trial.notes),
            time.perf_counter() - begin,
        )

    def add_lines(self, trial: Trial, *, all_steps: bool) -> None:
        """Evaluate the lines of the proofs on one network."""
        proofs = [s for s in self.statements if isinstance(s, Theorem)]
        self.ledger.lines += ledger.claims(proofs, trial)
        if all_steps:
            false, count = ledger.steps(proofs, trial)
            self.ledger.lines += false
            self.ledger.counts.append(count)

    # -- the end ----------------------------------------------------------------------------------

    def counterexample(self) -> Counterexample | None:
        """The smallest violation, measured again; a false line where no statement is violated."""
        violated = [
            (sum(row.widths), i)
            for i, row in enumerate(self.rows)
            if any(c.outcome == "violated" for c in row.checks)
        ]
        if violated:
            position = min(violated)[1]
            trial = self.trial(self.tasks[position])
            broken = [
                (s, c)
                for s, c in zip(self.statements, self.rows[position].checks, strict=True)
                if c.outcome == "violated"
            ]
            return counterexamples.of_statement(broken[0][0], trial, broken[0][1])
        if self.ledger.false:
            line = min(self.ledger.false, key=lambda x: sum(x.widths))
            task = next(t for t in self.tasks if tuple(map(int, sizes(t.net))) == line.widths)
            return counterexamples.of_line(line, self.trial(task))
        return None

    def report(self) -> Report:
        """The report on what has been measured so far."""
        obstacle = fits.obstacle(self.rows, plan.proportional(self.net, self.numeric))
        predicted = fits.predictions(self.thm, self.companions.by_quantity)
        names = fits.measured_names(self.rows)
        fitted = fits.fit_all(
            self.rows, {n: p for n, p in predicted.items() if n in names}, obstacle
        )
        ordered = self.order and bool(self.net.symbols) and not self.interrupted
        verdict, reasons = decide(
            self.rows,
            self.ledger,
            fitted,
            self.found,
            interrupted=self.interrupted,
            ordered=ordered,
            failures={
                label_of(s): float(s.failure)
                for s in self.statements
                if isinstance(s, Theorem) and s.failure is not None
            },
        )
        self.timings["total"] = time.perf_counter() - self.begin[0]
        self.timings["processor"] = time.process_time() - self.begin[1]
        return Report(
            self.thm,
            tuple(self.rows),
            self.ledger,
            fitted,
            verdict,
            reasons,
            self.found,
            self.settings(),
            versions(),
            dict(self.timings),
            bool(self.interrupted),
            self.check,
            self.latex,
        )

    def settings(self) -> dict[str, Any]:
        """Everything the result depends on."""
        return {
            "network": self.net.to_toml(),
            "widths": [[int(m) for m in sizes(net)] for net in self.numeric],
            "seeds": self.seeds,
            "radius": self.radius,
            "pairing": self.pairing,
            "inputs": {"shape": self.inputs.shape, "sha256": _digest(self.inputs)},
            "statements": [label_of(s) for s in self.statements],
            "order": self.order,
            "ledger_widths": self.lined,
            "search": asdict(self.search),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        }

    def _timed(self, stage: str) -> _Timer:
        return _Timer(self.timings, stage)


class _Timer:
    """Adds the time spent in a block to a stage."""

    def __init__(self, timings: dict[str, float], stage: str) -> None:
        self.timings, self.stage = timings, stage

    def __enter__(self) -> None:
        self.begin = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = time.perf_counter() - self.begin
        self.timings[self.stage] = self.timings.get(self.stage, 0.0) + spent


def _ledger_effort(width: int) -> float:
    return 2.0 + width / 64


def measured_values(trial: Trial, quantities: set[str]) -> tuple[dict[str, float], dict[str, str]]:
    """The numbers of a row and, for those on the ball, where they were found."""
    here = trial.statistics["x"]
    norm = trial.centre_norm
    values = {"hessian_norm": math.nan if norm is None else norm.value}
    places: dict[str, str] = {}
    if trial.radius is not None:
        if "hessians" in trial.__dict__:
            quantities = quantities | {"hessian_ball"}
        for name in ("hessian_ball", "kernel_change", "linearization_gap"):
            if name in quantities:
                quantity = name.replace("hessian_ball", "hessian_norm")
                places[name], sides = largest(trial.values(quantity, ball=True))
                values[name] = sides.value
    values |= {
        "gradient_norm": here["gradient_norm"],
        "kernel": here["kernel"],
        "output": here["output"],
    }
    return values, places


def _digest(inputs: Inputs) -> str:
    return sha256(np.ascontiguousarray(inputs).tobytes()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that a result depends on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
