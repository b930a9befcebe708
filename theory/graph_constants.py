"""Constants of a node's bilinear form that say how large it is for random weights.

With ``alpha^n = sum_k w_k A_k alpha^p``, one term for each weight, and ``(T(V, a))_k`` the form:

    spread     ``|sum_k A_k' A_k|^{1/2}``: that of the form from the parent's value to the rest,
    copies     that of the form from the weights to the rest; how often a weight is used, scaled,
    deviation  ``max(|sum_k A_k A_k'|, |sum_k A_k' A_k|)^{1/2}``, the square root of Tropp's v,
    gain       ``|A^n| <= gain |W^n|``,
    typical    ``gain (sqrt(rows) + sqrt(columns))``.

All are upper bounds.  The derivations are with the functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import sympy

from theory.graph import BilinearRule, Graph
from theory.networks.basic import DenseRule
from theory.networks.convolution import ConvRule
from theory.networks.dags import MaskedRule, NeuronRule

Constant: TypeAlias = "sympy.Expr | float"


def is_full(rule: BilinearRule) -> bool:
    """Whether all entries of W are parameters with one common scale; no for rules from outside."""
    return type(rule) in (DenseRule, ConvRule)


def positions(rule: BilinearRule) -> Any:
    """How many columns the weights meet."""
    count = sympy.Integer(1)
    if isinstance(rule, ConvRule):
        for size in rule.shape[1:]:
            count *= size
    return count


def gain(rule: BilinearRule) -> Constant:
    """tau, for dense layers and convolutions.

    ``|W X|_F <= |W| |X|_F`` for the matrix X of the parent's columns, and ``scale |X|_F`` is at
    most ``tau |a|`` there: no position is in more than N patches.

    Raises:
        TypeError: the rule is of another kind.
    """
    if not is_full(rule):
        msg = f"{type(rule).__name__} has no gain; it is known for dense layers and convolutions"
        raise TypeError(msg)
    return rule.contraction


def typical(rule: BilinearRule) -> Constant:
    """Gain (sqrt(rows) + sqrt(columns))."""
    rows, cols = rule.weight_shape
    return gain(rule) * (sympy.sqrt(rows) + sympy.sqrt(cols))


def spread(rule: BilinearRule) -> Constant:
    """``|A_k a|^2`` summed over k is at most ``spread^2 |a|^2``.

    Dense, convolution: ``rows scale^2 |X|_F^2 <= rows tau^2 |a|^2``.  For neurons: entry u of a
    counts ``sum of row_scale_v^2 scale^2`` over the rows v that see it.  Else the size of the
    value times tau^2, as ``|A_k a|^2`` sums up to ``|B|_F^2 <= size |B|^2 <= size tau^2 |a|^2``.
    """
    variances = _variances(rule)
    if variances is not None:
        return float(variances.sum(axis=0).max() ** 0.5)
    known = is_full(rule) or _of_neurons(rule)
    return sympy.sqrt(rule.weight_shape[0] if known else _size(rule)) * rule.contraction


def copies(rule: BilinearRule) -> Constant:
    """``|sum_k V_k A_k|_F <= copies |V|``.

    The A_k are orthogonal there: dense 1 entry, a convolution one entry for each position, each
    ``scale``; for neurons the largest scale, tau.  Else as for spread: it is at most ``size |B|^2``
    for the value's size.
    """
    if _of_neurons(rule):
        return rule.contraction
    if is_full(rule):
        return sympy.sqrt(positions(rule)) * rule.scale
    return sympy.sqrt(_size(rule)) * rule.contraction


def deviation(rule: BilinearRule) -> Constant:
    """The larger of spread and of the same by rows.

    By rows: ``sum_k |A_k' c|^2`` is, for dense layers and neurons with scales in(v)^{-1/2}, |c|^2,
    for convolutions at most that, as the patches at one place of the kernel do not overlap.  Else
    at most the number of weights times tau^2 |c|^2.
    """
    other: Any = sympy.Integer(1)
    if not (is_full(rule) or _of_neurons(rule)):
        rows, cols = rule.weight_shape
        other = sympy.sqrt(rows * cols) * rule.contraction
    return sympy.Max(other, spread(rule))


def _masked(rule: BilinearRule) -> bool:
    return type(rule).mask is not BilinearRule.mask


def _of_neurons(rule: BilinearRule) -> bool:
    """Whether the rows see entries of the value itself, each scaled by its own in-degree.

    Of a rule from outside neither is known: its weights may meet several columns, such as patches.
    """
    return type(rule) in (NeuronRule, MaskedRule)


def _size(rule: BilinearRule) -> Any:
    return sympy.Mul(*rule.shape)


def _variances(rule: BilinearRule) -> Any:
    """The variance of each entry of neurons' weights; None for other rules, and for symbols."""
    numbers = (*rule.weight_shape, rule.scale)
    if not _of_neurons(rule) or any(getattr(s, "free_symbols", ()) for s in numbers):
        return None
    scale = float(rule.scale) * (1.0 if rule.row_scale is None else rule.row_scale[:, None])
    return rule.mask * scale**2


def drawn_laws(graph: Graph) -> dict[int, str]:
    """How the weights of each bilinear node are drawn: ``gaussian``, ``masked`` or ``sign``."""
    found = {}
    for node in graph.nodes:
        if isinstance(node.rule, BilinearRule):
            signs = node.rule.init == "sign"
            found[node.index] = "sign" if signs else "masked" if _masked(node.rule) else "gaussian"
    return found


CONSTANTS: dict[str, Callable[[BilinearRule], Constant]] = {
    "spread": spread,
    "copies": copies,
    "deviation": deviation,
    "gain": gain,
    "typical": typical,
}

__all__ = ["CONSTANTS", "copies", "deviation", "drawn_laws", "gain", "is_full", "spread", "typical"]
