"""Real terms as SymPy expressions, for a person who wants to go on computing with a bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from theory.terms import Term
from theory.vocabulary import CENTRE, INPUT, POINT, RADIUS


class SpectralNorm(sympy.Function):  # type: ignore[misc]
    """Spectral norm of a square matrix of non-negative expressions.

    Evaluates to a number when all entries are numbers, and to the entry for a 1 by 1 matrix.
    """

    is_nonnegative = True

    @classmethod
    def eval(cls, matrix: Any) -> sympy.Expr | None:
        """The entry itself for a 1 by 1 matrix; nothing else is simplified."""
        if matrix.shape == (1, 1):
            return matrix[0, 0]
        return None

    def _eval_evalf(self, prec: int) -> sympy.Expr | None:
        matrix = self.args[0]
        if any(e.free_symbols for e in matrix):
            return None
        import mpmath

        with mpmath.workprec(prec + 10):
            rows = [
                [mpmath.mpf(str(sympy.N(e, 30))) for e in matrix.row(i)] for i in range(matrix.rows)
            ]
            return sympy.Float(max(mpmath.svd_r(mpmath.matrix(rows), compute_uv=False)))

    def _latex(self, printer: Any, exp: Any = None) -> str:
        body = rf"\left\|{printer._print(self.args[0])}\right\|"
        return body if exp is None else rf"{body}^{{{exp}}}"


def name_of(term: Term) -> str:
    """A plain name for a symbol, width or norm: ``s_2``, ``P_3_1``, ``m_0``.

    The centre and the input x are left out; another point or input is added.
    """
    if term.head == "dim":
        space = term.args[0]
        return f"m_{space.args[0]}" if space.head == "layer" else str(space)
    if term.head == "sym":
        tags = [_tag(t) for t in term.args[1:] if t not in (CENTRE, POINT, INPUT)]
        return "_".join([term.args[0], *tags])
    if term.head == "norm":
        from theory.writing.plain import plain

        return plain(term)
    return str(term.args[0])


def _tag(tag: Any) -> str:
    return str(tag.args[0]) if isinstance(tag, Term) else str(tag)


def to_sympy(
    term: Term, widths: Sequence[Any] = (), radius: sympy.Expr | None = None
) -> sympy.Expr:
    """A real term as a SymPy expression.

    Args:
        term: the real term.
        widths: m_0, ..., m_L; a width beyond them becomes a symbol ``m_l``.
        radius: what stands for R, a symbol or a number.

    Returns:
        The expression; every symbol is non-negative, every width positive.
    """
    match term.head:
        case "rat":
            return sympy.Rational(term.args[0].numerator, term.args[0].denominator)
        case "dim":
            space = term.args[0]
            if (
                space.head == "layer"
                and isinstance(space.args[0], int)
                and (space.args[0] < len(widths))
            ):
                width = widths[space.args[0]]
                return sympy.Integer(width) if isinstance(width, int) else width
            return sympy.Symbol(name_of(term), positive=True, integer=True)
        case "sym" if term is RADIUS and radius is not None:
            return radius
        case "sym" | "norm" | "var":
            return sympy.Symbol(name_of(term), nonnegative=True)
    parts = [to_sympy(a, widths, radius) for a in term.args if isinstance(a, Term)]
    match term.head:
        case "add":
            return sympy.Add(*parts)
        case "mul":
            return sympy.Mul(*parts)
        case "pow":
            return sympy.Pow(parts[0], sympy.Rational(*term.args[1].as_integer_ratio()))
        case "max":
            return sympy.Max(*parts)
        case "min":
            return sympy.Min(*parts)
        case "tail":
            return sympy.sqrt(2 * sympy.log(1 / parts[0]))
        case "quantile":
            return sympy.sqrt(2) * sympy.erfcinv(parts[0])
        case "rms":
            name = f"kappa_{_tag(term.args[0])}" + "_slope" * term.args[1]
            return sympy.Function(name, nonnegative=True)(*parts)
    size = term.args[0]
    return SpectralNorm(sympy.ImmutableDenseMatrix(size, size, parts))


__all__ = ["SpectralNorm", "name_of", "to_sympy"]
