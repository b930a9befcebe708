"""A function of the user's own held against a theorem, by way of the description that it claims.

A theorem is about a description. So first the two are shown to be the same function of the same
parameters: the function is traced, its parameters are matched with the description's weights in the
order in which they meet activations, and values and gradients of both are compared at the inputs
that are judged: at random parameters, values at the function's own as well. The match only reorders
entries, so distances, gradients and Hessian norms are those of the function. Then the theorem is
judged at the function's own parameters.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import sympy

import numerics
from numerics.functions.model import FunctionModel, as_model
from numerics.functions.program import Program
from numerics.graphs import GraphModel
from numerics.tolerances import network as pass_tolerance
from proofs_check.data import InputError, checked
from proofs_check.verification import architectures
from proofs_check.verification.judging import Check, judge
from proofs_check.verification.statements import Statement, label_of, network_of, radius_of
from proofs_check.verification.trials import Trial
from theory.networks import Network

__all__ = ["Confrontation", "ConfrontationError", "confront"]

POINTS = 3  # random parameters at which values are compared
_STREAM = 0x636F6E66


class ConfrontationError(ValueError):
    """A function that is not what its description says; the message says where they differ."""


@dataclass(frozen=True)
class Confrontation:
    """A theorem judged at a function's own parameters.

    Attributes:
        theorem: its label.
        matched: for each of the function's parameters the node whose weights it is.
        difference: largest difference of values found between the function and the description,
            relative to the largest value there; gradients agree as well.
        checks: one per input.
        norms: the Hessian norm of the function itself at each input.
    """

    theorem: str
    matched: Mapping[str, str]
    difference: float
    checks: tuple[Check, ...]
    norms: tuple[numerics.SpectralNorm, ...]

    @property
    def verdict(self) -> str:
        """violated, inconclusive or consistent, as `proofs_check.verify` says."""
        outcomes = {check.outcome for check in self.checks}
        if "violated" in outcomes:
            return "violated"
        return "consistent" if outcomes == {"holds"} else "inconclusive"

    def __str__(self) -> str:
        lines = [f"{self.theorem}: {self.verdict}"]
        lines += [f"  {name} is {node}" for name, node in self.matched.items()]
        lines.append(f"  values agree to {self.difference:.1e}")
        for k, check in enumerate(self.checks):
            sides = f"{check.measured.value:.6g}, bound {check.bound.value:.6g}"
            line = (
                f"  input {k}: {check.quantity} {sides} ({check.ratio:.3g} times): {check.outcome}"
            )
            lines.append(f"{line} {check.note}".rstrip())
        return "\n".join(lines)


def confront(
    function: Callable[..., Any],
    params: Any,
    theorem: Statement,
    inputs: Any,
    *,
    radius: float | None = None,
    readout: Any = None,
    output: int = 0,
) -> Confrontation:
    """Hold a function f(params, x) against a theorem about the network that it claims to be.

    Args:
        function: the network, as any function that JAX can trace.
        params: its parameters, a pytree of floating-point arrays.
        theorem: about the description, such as `theory.hessian_bound(net)`, or a conjecture;
            symbols of its widths are read off the parameters.
        inputs: shape (n, d), or (n, *input shape).
        radius: of the ball, where the theorem has one and it is not a number there.
        readout: the fixed readout that the function uses, where the description has a fixed one.
        output: which entry of the function's result f is; 0 where the description has several
            outputs itself, of which the first is judged.

    Returns:
        The verdict, and what it rests on.

    Raises:
        ConfrontationError: the function is not the network: naming the parameter without a
            counterpart, the shapes that differ, the values and their ratio, the parameter by
            which the derivatives differ, or the Hessian norms.
        FunctionError: the function cannot be measured.
        HypothesisError: the theorem is not about a network.
        InputError: inputs of another shape, or that are not finite.
    """
    model: Any = as_model(function, params)
    if not isinstance(model, FunctionModel):
        msg = (
            "give a function f(params, x); models of numerics.instantiate go to proofs_check.verify"
        )
        raise ConfrontationError(msg)
    net = network_of(theorem)
    if net.outputs > 1 and output != 0:
        msg = (
            f"output={output}, and the description has {net.outputs} outputs, of which number 0 is "
            "judged: give a function whose result has the one that you mean in front"
        )
        raise ConfrontationError(msg)
    points = _inputs(net, inputs)
    program, _ = model.at(None, points[0], output)
    leaves = _order(program)
    described = _described(net, program, leaves, readout)
    match, difference = _agreeing(model, described, program, leaves, points, output)
    _same_slopes(model, described, match, points, output)
    own = replace(described, params=match.params(model.params["W"]))
    norms = [numerics.hessian_norm(function, x, params, output=output) for x in points]
    _same_curvature(own, norms, points)
    ball = radius_of(theorem, radius)
    checks = [judge(theorem, Trial(own, x.ravel(), x.ravel(), ball)) for x in points]
    nodes = described.net.graph.weighted
    labels = [f"W{n} ({described.net.graph.nodes[n].label})" for n in nodes]
    return Confrontation(
        theorem=label_of(theorem),
        matched=dict(zip((program.names[k] for k in leaves), labels, strict=True)),
        difference=difference,
        checks=tuple(checks),
        norms=tuple(norms),
    )


def _same_curvature(own: Any, norms: Sequence[numerics.SpectralNorm], points: np.ndarray) -> None:
    """Refuse a function whose derivative rules give another Hessian than its values have."""
    for k, (x, norm) in enumerate(zip(points, norms, strict=True)):
        claimed = numerics.hessian_norm(own, x)
        if norm.lower > claimed.upper or claimed.lower > norm.upper:
            msg = (
                f"at input {k} the Hessian norm of the function is {norm.value:.6g}, and that of "
                f"the network {claimed.value:.6g}, with the same values and gradients: look for a "
                "function with second derivatives of its own (jax.custom_jvp, jax.custom_vjp)"
            )
            raise ConfrontationError(msg)


def _inputs(net: Network, inputs: Any) -> np.ndarray:
    points = np.asarray(inputs, np.float64)
    shape = net.input_shape
    points = points[None] if points.ndim == len(shape) else points
    sides = zip(points.shape[1:], shape, strict=False)
    fits = all(given == side for given, side in sides if isinstance(side, int))
    if points.ndim != 1 + len(shape) or not fits:
        msg = f"got inputs of shape {np.shape(inputs)}; give {shape}, or several of it: (n, ...)"
        raise InputError(msg)
    return checked(points.reshape(len(points), math.prod(points.shape[1:]))).reshape(points.shape)


def _order(program: Program) -> list[int]:
    """The parameters in the order in which they meet activations."""
    for leaf, reason in program.analysis.declined.items():
        msg = (
            f"parameter {program.names[leaf]} is used {reason}, and weights of a description meet "
            "activations in one product each; descriptions have no biases"
        )
        raise ConfrontationError(msg)
    found = list(dict.fromkeys(meeting.leaf for meeting in program.analysis.meetings))
    unused = set(range(len(program.names))) - set(found)
    if unused:
        msg = f"parameter {program.names[min(unused)]} is not used by the function"
        raise ConfrontationError(msg)
    return found


# -- the description with numbers -----------------------------------------------------------------


def _described(net: Network, program: Program, leaves: Sequence[int], readout: Any) -> Any:
    """The description with widths from the shapes of the parameters, and the readout if fixed."""
    nodes = net.graph.weighted
    shapes = [program.matrix_shape(leaf) for leaf in leaves]
    if len(nodes) != len(leaves):
        names = ", ".join(program.names[leaf] for leaf in leaves)
        msg = (
            f"the description has {len(nodes)} trained weights, and the function has "
            f"{len(leaves)}: {names}"
        )
        raise ConfrontationError(msg)
    widths: dict[str, int] = {}
    for node, leaf, shape in zip(nodes, leaves, shapes, strict=True):
        rule: Any = net.graph.nodes[node].rule
        for size, number in zip(rule.weight_shape, shape, strict=True):
            _solve(size, number, widths, program.names[leaf])
    model: Any = numerics.instantiate(net, widths)
    return _with_readout(model, readout)


def _solve(size: Any, number: int, widths: dict[str, int], name: str) -> None:
    """Read a width off a shape; refuse a shape that does not fit."""
    expression = _expression(size)
    (symbol, *others) = sorted(expression.free_symbols, key=str) or [None]
    if symbol is not None and not others and symbol.name not in widths:
        roots = [root for root in sympy.solve(expression - number, symbol) if root.is_Integer]
        if len(roots) == 1 and roots[0] > 0:
            widths[symbol.name] = int(roots[0])
            return
    value = expression.subs(
        {s: widths[s.name] for s in expression.free_symbols if s.name in widths}
    )
    if value != number:
        msg = f"parameter {name} has a side of {number}, and the description says {size} there"
        raise ConfrontationError(f"{msg}, which is {value}" if str(value) != str(size) else msg)


def _expression(size: Any) -> sympy.Expr:
    return sympy.Integer(size) if isinstance(size, int) else size


def _with_readout(model: Any, readout: Any) -> Any:
    if isinstance(model, GraphModel):
        frozen = list(model.fixed)
        if not frozen and readout is None:
            return model
        if len(frozen) != 1 or readout is None:
            raise ConfrontationError(_readout_message(len(frozen), readout))
        values = _reshaped(readout, np.shape(model.fixed[frozen[0]]))
        return replace(model, fixed={frozen[0]: values})
    if model.trained_readout != (readout is None):
        raise ConfrontationError(_readout_message(0 if model.trained_readout else 1, readout))
    if readout is None:
        return model
    return replace(model, readout=_reshaped(readout, model.readout.shape))


def _reshaped(readout: Any, shape: tuple[int, ...]) -> Any:
    values = np.asarray(readout, np.float64)
    if values.size != math.prod(shape):
        msg = (
            f"readout= has the shape {values.shape}; the fixed readout of the description has "
            f"{math.prod(shape)} entries, give as many"
        )
        raise ConfrontationError(msg)
    return jax.numpy.asarray(values.reshape(shape))


def _readout_message(frozen: int, readout: Any) -> str:
    if readout is None:
        return (
            f"the description has {frozen} fixed weights, which the parameters do not show: give "
            "readout= the vector that the function uses (one fixed readout can be given)"
        )
    return "readout= was given, and the description has no fixed readout: leave it out"


# -- whether they agree ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Match:
    """A way to read each parameter as a matrix: its axes in which order."""

    program: Program
    leaves: tuple[int, ...]
    orders: tuple[tuple[int, ...], ...]
    shapes: tuple[tuple[int, ...], ...]
    keyed: bool  # whether the last one is the "v" of a plain network

    def params(self, values: Sequence[Any]) -> dict[str, Any]:
        """The parameters of the description."""
        weights = [
            jax.numpy.reshape(jax.numpy.transpose(values[leaf], order), shape)
            for leaf, order, shape in zip(self.leaves, self.orders, self.shapes, strict=True)
        ]
        if self.keyed:
            return {"W": tuple(weights[:-1]), "v": weights[-1]}
        return {"W": tuple(weights)}


def _matches(described: Any, program: Program, leaves: Sequence[int]) -> Iterator[_Match]:
    """All ways, the same one for parameters of the same rank; almost always there is one."""
    keyed = "v" in described.params
    shapes = [tuple(np.shape(w)) for w in described.params["W"]]
    if keyed:
        shapes.append(tuple(np.shape(described.params["v"])))
    splits = [program.analysis.splits[leaf] for leaf in leaves]
    most = max(len(split.cols) for split in splits)
    for turn in itertools.permutations(range(most)):
        orders = []
        for split in splits:
            kept = [k for k in turn if k < len(split.cols)]
            orders.append((*split.rows, *(split.cols[k] for k in kept)))
        yield _Match(program, tuple(leaves), tuple(orders), tuple(shapes), keyed)


def _agreeing(
    model: FunctionModel,
    described: Any,
    program: Program,
    leaves: Sequence[int],
    points: np.ndarray,
    output: int,
) -> tuple[_Match, float]:
    """The match for which values agree, and to how much."""
    rng = np.random.default_rng(_STREAM)
    drawn = [_drawn(rng, program) for _ in range(POINTS)]
    drawn.append(list(model.params["W"]))
    tolerance = pass_tolerance(architectures.sizes_of(described))
    found = [[_values(model, {"W": tuple(values)}, x, output) for x in points] for values in drawn]
    worst = None
    for match in _matches(described, program, leaves):
        claimed = [
            [_flat(described.apply(match.params(values), x))[0] for x in points] for values in drawn
        ]
        ours, theirs = np.asarray(found), np.asarray(claimed)
        if tolerance.close(ours, theirs):
            scale = max(float(np.max(np.abs(ours))), math.ulp(0.0))
            return match, float(np.max(np.abs(ours - theirs))) / scale
        worst = worst or (ours, theirs)
    raise ConfrontationError(_difference(*(worst or (np.zeros(1), np.zeros(1)))))


def _drawn(rng: np.random.Generator, program: Program) -> list[Any]:
    return [jax.numpy.asarray(rng.standard_normal(shape)) for shape in program.shapes]


def _same_slopes(
    model: FunctionModel, described: Any, match: _Match, points: np.ndarray, output: int
) -> None:
    """Refuse a function whose derivatives, by its own rules, are not those of its values."""
    tolerance = pass_tolerance(architectures.sizes_of(described)).amplified(4)  # there and back
    ours = jax.grad(lambda values, x: jax.numpy.ravel(model.apply({"W": values}, x))[output])
    theirs = jax.grad(
        lambda values, x: jax.numpy.ravel(described.apply(match.params(values), x))[0]
    )
    values = tuple(_drawn(np.random.default_rng(_STREAM), match.program))
    for x in map(model.checked_input, points):
        pairs = list(zip(ours(values, x), theirs(values, x), strict=True))
        margin = tolerance.margin(*itertools.chain(*pairs))
        for name, (own, claimed) in zip(match.program.names, pairs, strict=True):
            if not np.max(np.abs(own - claimed)) <= margin:
                sizes = [f"{np.linalg.norm(gradient):.6g}" for gradient in (own, claimed)]
                msg = (
                    "the function has the values of the network, and another derivative by "
                    f"{name}: of norm {sizes[0]} where the description gives {sizes[1]}; leave "
                    "out stop_gradient and derivative rules of your own"
                )
                raise ConfrontationError(msg)


def _values(model: FunctionModel, params: dict[str, Any], x: Any, output: int) -> float:
    return float(_flat(model.apply(params, model.checked_input(x)))[output])


def _flat(value: Any) -> np.ndarray:
    return np.ravel(np.asarray(value, np.float64))


def _difference(ours: np.ndarray, theirs: np.ndarray) -> str:
    ours, theirs = np.ravel(ours), np.ravel(theirs)
    with np.errstate(all="ignore"):
        ratios = ours / theirs
        worst = int(np.argmax(np.nan_to_num(np.abs(ours - theirs), nan=np.inf)))
    msg = (
        f"the function is not the network: it is {ours[worst]:.15g} where the description gives "
        f"{theirs[worst]:.15g}, at the same parameters"
    )
    if np.all(np.isfinite(ratios)) and np.ptp(ratios) <= 1e-9 * abs(ratios[0] - 1):
        return f"{msg}; everywhere the ratio is {ratios[0]:.6g}: a factor is missing at the output"
    return (
        f"{msg}; compare activations, and the factors 1/sqrt(fan-in) that a description has in its "
        "layers (NTK parameterization)"
    )
