"""The number that a real term stands for, given the numbers its symbols stand for.

One walk serves every arithmetic: pass ``number=mpmath.mpf`` (with mpmath's precision set by the
caller) to re-measure in higher precision what ``float`` gave.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from theory.terms import Term, make, substitute

if TYPE_CHECKING:
    from theory.activations import ActivationFunction


class MissingValueError(KeyError):
    """A symbol has neither a value nor a definition; the message names it."""


def definitions_of(formulas: Iterable[Term]) -> dict[Term, Term]:
    """The map symbol -> term of a list of definitions ``symbol = term``."""
    return {f.args[0]: f.args[1] for f in formulas}


def evaluate(
    term: Term,
    values: Mapping[Term, Any],
    definitions: Mapping[Term, Term] | None = None,
    *,
    number: Callable[[Any], Any] = float,
    spectral: Callable[[Sequence[Sequence[Any]]], Any] | None = None,
    activations: Sequence[ActivationFunction] = (),
) -> Any:
    """Evaluate a real term.

    Args:
        term: the real term.
        values: numbers for symbols, widths (``dim``) and norms; they come before definitions.
        definitions: what the remaining symbols stand for.
        number: the arithmetic: turns numbers into the type computed with.
        spectral: spectral norm of a square matrix of such numbers; NumPy's for ``float``.
        activations: sigma_1, ..., sigma_L, for a term that speaks of their Gaussian moments.

    Returns:
        The value, of the type ``number`` makes.

    Raises:
        MissingValueError: when a symbol has neither a value nor a definition.
    """
    matrix = spectral or _float_spectral_norm
    return _walk(term, values, definitions or {}, number, matrix, activations)[term]


def choices(
    term: Term,
    values: Mapping[Term, Any],
    definitions: Mapping[Term, Term],
    *,
    activations: Sequence[ActivationFunction] = (),
) -> dict[Term, Term]:
    """Which of several bounds is the least, for each symbol that is defined as a minimum.

    Args:
        term: the real term.
        values: as for `evaluate`.
        definitions: as for `evaluate`.
        activations: as for `evaluate`.

    Returns:
        From the symbols that the term rests on to what they equal, the first of equal ones.
    """
    known = _walk(term, values, definitions, float, _float_spectral_norm, activations)
    return {
        symbol: min(_alternatives(value), key=known.__getitem__)
        for symbol, value in definitions.items()
        if symbol in known and symbol not in values and value.head == "min"
    }


def _alternatives(least: Term) -> list[Term]:
    """What a minimum of minima is taken over."""
    if least.head != "min":
        return [least]
    return [part for argument in least.args for part in _alternatives(argument)]


def _walk(
    term: Term,
    values: Mapping[Term, Any],
    definitions: Mapping[Term, Term],
    number: Callable[[Any], Any],
    matrix: Callable[[Sequence[Sequence[Any]]], Any],
    activations: Sequence[ActivationFunction],
) -> dict[Term, Any]:
    """The values of all terms that the term is made of."""
    memo: dict[Term, Any] = {t: number(v) for t, v in values.items()}
    pending = [term]
    while pending:
        node = pending[-1]
        if node in memo:
            pending.pop()
            continue
        needs = _needs(node, definitions)
        missing = [n for n in needs if n not in memo]
        if missing:
            if len(pending) > 100_000:
                msg = f"the definitions of {term} do not end"
                raise MissingValueError(msg)
            pending.extend(missing)
            continue
        parts = [memo[n] for n in needs]
        if node.head in ("tail", "quantile", "rms"):
            memo[node] = number(of_gaussian(node, float(parts[0]), activations))
        else:
            memo[node] = _value(node, parts, number, matrix)
        pending.pop()
    return memo


def _needs(node: Term, definitions: Mapping[Term, Term]) -> list[Term]:
    if node in definitions:
        return [definitions[node]]
    if node.head in ("sym", "dim", "norm", "var"):
        msg = f"no value and no definition for {node}"
        raise MissingValueError(msg)
    if node.head in ("rsum", "rmax"):
        return _each(node)
    return [a for a in node.args if isinstance(a, Term)]


def _each(node: Term) -> list[Term]:
    """What a sum or maximum over an index ranges over; its limits are numbers by now."""
    name, low, high, body = node.args
    if type(low) is not int or type(high) is not int:
        msg = f"the limits of {node} have no value; put numbers for their indices first"
        raise MissingValueError(msg)
    variable = make("index", name, 0)
    return [substitute(body, {variable: i}) for i in range(low, high + 1)]


def _value(node: Term, parts: list[Any], number: Callable[[Any], Any], spectral: Any) -> Any:
    match node.head:
        case "rat":
            return _fraction(node.args[0], number)
        case "add":
            return sum(parts[1:], parts[0])
        case "rsum":
            return sum(parts, number(0))
        case "rmax":
            return max(parts, default=number(0))
        case "mul":
            product = parts[0]
            for part in parts[1:]:
                product = product * part
            return product
        case "pow":
            return parts[0] ** _fraction(node.args[1], number)
        case "max":
            return max(parts)
        case "min":
            return min(parts)
        case "specnorm":
            size = node.args[0]
            return spectral([parts[i * size : (i + 1) * size] for i in range(size)])
    return parts[0]  # a defined symbol


def of_gaussian(
    node: Term, argument: float, activations: Sequence[ActivationFunction] = ()
) -> float:
    """The value of ``tail``, ``quantile`` or ``rms`` at a number, to double precision.

    Raises:
        MissingValueError: when the activation of the layer is not given.
    """
    if node.head == "tail":
        return math.sqrt(max(0.0, -2.0 * math.log(argument)))
    if node.head == "quantile":
        return -NormalDist().inv_cdf(argument / 2) if argument < 1 else 0.0
    index, order, _ = node.args
    if type(index) is not int or not 1 <= index <= len(activations):
        msg = f"no activation of layer {index} is given for {node}"
        raise MissingValueError(msg)
    from theory.activations.moments import root_mean_square

    return root_mean_square(activations[index - 1], order, argument)


def _fraction(value: Fraction, number: Callable[[Any], Any]) -> Any:
    return number(value.numerator) / number(value.denominator)


def _float_spectral_norm(rows: Sequence[Sequence[float]]) -> float:
    import numpy as np

    return float(np.linalg.norm(np.array(rows, dtype=np.float64), 2))
