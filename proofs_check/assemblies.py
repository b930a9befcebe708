"""An assembly held against its theorems: B7's bound, with every sub-model's own bound in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

import numerics
from numerics.assemblies import AssemblyModel, gradient_norm, hessian_norm, part_norms
from numerics.models import Model
from numerics.scaling import ExponentFit
from numerics.spectral import SpectralNorm
from numerics.tolerances import Numbers
from proofs_check.measuring.evaluate import measure
from proofs_check.measuring.graph_environment import GraphEnvironment
from proofs_check.measuring.graph_models import GraphArchitecture, GraphModel
from theory.assemblies import Assembly
from theory.evaluation import evaluate
from theory.ledger.assemblies import AssemblyBound, assembly_bound
from theory.lemmas.assemblies import COUNT
from theory.terms import Term, make, norm, substitute
from theory.theorem import Theorem
from theory.vocabulary import (
    CENTRE,
    INPUT,
    PARTS,
    POINT,
    STATISTICS,
    WEIGHT_STATISTICS,
    curvature,
    lipschitz,
    part_weight,
    symbol,
    width,
)

ROUNDING = 1e-9  # relative, granted to a bound


@dataclass(frozen=True)
class AssemblyReport:
    """An assembly's Hessian norm and what the theorems say of it, at one input.

    Attributes:
        hessian: the Hessian norm, enclosed.
        parts: the Hessian norm of every sub-model by its own parameters, enclosed.
        betas: the bound on each of these, from the sub-model's own theorem or declared.
        bound: B7's bound.
        gradient: the gradient norm, Euclidean.
    """

    hessian: SpectralNorm
    parts: tuple[SpectralNorm, ...]
    betas: tuple[float, ...]
    bound: float
    gradient: float

    @property
    def norm(self) -> float:
        """The Hessian norm, as computed."""
        return self.hessian.value

    @property
    def ratio(self) -> float:
        """Bound over measurement."""
        return self.bound / self.hessian.value if self.hessian.value else float("inf")


def measure_assembly(
    model: AssemblyModel, x: Numbers, bound: AssemblyBound | None = None
) -> AssemblyReport:
    """The Hessian norm of an assembly against B7.

    Args:
        model: the assembly.
        x: one input, shape (d,).
        bound: B7 for its description; by default derived here.

    Raises:
        HypothesisError: no theorem covers the description.
    """
    found = bound or assembly_bound(model.assembly)
    kinds = [found.parts[i % len(found.parts)] for i in range(model.count)]
    betas = [_beta(part, model, i, x) for i, part in enumerate(kinds)]
    return AssemblyReport(
        hessian_norm(model, x),
        tuple(part_norms(model, x)),
        tuple(betas),
        _bound(found.theorem, model, betas),
        gradient_norm(model, x),
    )


def _beta(part: Theorem | float, model: AssemblyModel, index: int, x: Any) -> float:
    """The right side of a sub-model's own theorem, at its statistics."""
    network = model.models[index]
    if isinstance(part, Theorem) and isinstance(network, Model):
        return float(part.evaluate(_statistics(network, x)))
    if isinstance(part, Theorem) and isinstance(network, numerics.GraphModel):
        return _graph_beta(part, network, x)
    if isinstance(part, Theorem):
        msg = f"sub-model {index + 1} is a function, and its bound is about a network"
        raise TypeError(msg)
    return part


def _graph_beta(part: Theorem, network: numerics.GraphModel, x: Any) -> float:
    """The right side of a theorem about a graph of layers, its terms measured on the graph."""
    weights = tuple(np.asarray(w) for w in network.params["W"])
    fixed = {n: np.asarray(w) for n, w in network.fixed.items()}
    model = GraphModel(GraphArchitecture(network.graph, 0), weights, fixed)
    env = GraphEnvironment(
        model,  # type: ignore[arg-type]
        points={"theta0": weights},  # type: ignore[dict-item]
        inputs={"x": np.ravel(np.asarray(x))},
        definitions=part.definitions,
    )
    return measure(part.statement.args[1], env).upper


def _statistics(network: Any, x: Any) -> dict[Term, float]:
    """The layer statistics of a network, as values of the vocabulary's symbols."""
    values: dict[Term, float] = {}
    for key, value in numerics.measure(network, x, hessian=False).items():
        if isinstance(key, str):
            continue
        name, index = key[:2]
        if name == "m":
            values[width(index)] = value
        elif name in ("lambda", "beta"):
            values[(lipschitz if name == "lambda" else curvature)(index)] = value
        elif name in STATISTICS:
            tags = (index, CENTRE) if name in WEIGHT_STATISTICS else (index, CENTRE, INPUT)
            values[symbol(name, *tags)] = value
    return values


def _bound(theorem: Theorem, model: AssemblyModel, betas: list[float]) -> float:
    values: dict[Term, float] = {
        make("dim", PARTS): model.count,
        symbol("eta"): 1.0 / model.scale,
    }
    for i, (total, beta) in enumerate(zip(model.totals.tolist(), betas, strict=True), 1):
        values[norm(part_weight(i))] = abs(total)
        values[symbol("part_beta", i, POINT, INPUT)] = beta
    right = substitute(theorem.statement.args[1], {COUNT: model.count})
    return float(np.float64(evaluate(right, values)))


@dataclass(frozen=True)
class AssemblySweep:
    """An assembly at several numbers of sub-models, held against B7.

    Attributes:
        reports: for each number m one report for each seed.
        hessian: the fitted exponent of the Hessian norm in m.
        gradient: the fitted exponent of the gradient norm.
        predicted: the exponent of B7's bound when the sub-models' bounds do not grow; None where
            the scale is left open.
        violations: reports whose Hessian norm is above the bound.
    """

    reports: dict[int, tuple[AssemblyReport, ...]]
    hessian: ExponentFit
    gradient: ExponentFit
    predicted: Fraction | None
    violations: int

    @property
    def verdict(self) -> str:
        """``violated``, or ``consistent``: every Hessian norm is within its bound."""
        return "violated" if self.violations else "consistent"

    def __str__(self) -> str:
        """A table with a line for each number of sub-models, means over the seeds."""
        lines = [f"{'m':>6} {'|H|':>10} {'bound':>10} {'ratio':>7} {'|grad f|':>10}"]
        for count, found in self.reports.items():
            norm, bound, ratio, slope = (
                float(np.mean([getattr(r, key) for r in found]))
                for key in ("norm", "bound", "ratio", "gradient")
            )
            lines.append(f"{count:>6} {norm:>10.4g} {bound:>10.4g} {ratio:>7.1f} {slope:>10.4g}")
        lines.append(f"exponents: |H| {self.hessian}, |grad f| {self.gradient}")
        lines.append(f"verdict: {self.verdict}")
        return "\n".join(lines)


def verify_assembly(
    assembly: Assembly, x: Numbers, counts: Sequence[int], seeds: Sequence[int] = range(3)
) -> AssemblySweep:
    """Hold an assembly against B7 at several numbers of sub-models.

    Args:
        assembly: the description, its count the only symbol.
        x: one input, of the sub-models' input shape.
        counts: values of m, at least three.
        seeds: of the parameters and weights.

    Raises:
        HypothesisError: no theorem covers the description.
        NetworkError: the count is no symbol, or another symbol has no value.
        ScalingError: fewer than three counts.
    """
    bound = assembly_bound(assembly)
    name = str(assembly.count)
    reports = {
        m: tuple(
            measure_assembly(numerics.instantiate(assembly, {name: m}, seed), x, bound)
            for seed in seeds
        )
        for m in counts
    }
    table = [[(r.norm, r.gradient) for r in found] for found in reports.values()]
    norms, slopes = np.moveaxis(np.asarray(table), -1, 0)
    every = [r for found in reports.values() for r in found]
    exponent = assembly.scale_exponent
    return AssemblySweep(
        reports,
        numerics.fit_exponent(list(counts), norms),
        numerics.fit_exponent(list(counts), slopes),
        -exponent if exponent is not None and assembly.shared == 1 else None,
        sum(r.hessian.lower > r.bound * (1 + ROUNDING) for r in every),
    )


__all__ = ["AssemblyReport", "AssemblySweep", "measure_assembly", "verify_assembly"]
