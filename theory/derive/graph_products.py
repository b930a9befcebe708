"""Level ``operators`` for a graph: the blocks of the Hessian by operators that are measured whole.

With ``dalpha^p/dW^k = A^{p,k} B^k``, A^{p,k} = dalpha^p/dalpha^k over all paths from k to p and B^k
the derivative of alpha^k by its own weights, the curvature terms of the block (k, k') add up to

    B^k' S_{k,k'} B^k',    S_{k,k'} = sum_n A^{p_n,k}' diag(sigma'' delta^n) A^{p_n,k'},

S_{k,k'} the second derivative of the output by what is added to alpha^k and to alpha^k', all
weights held.  C_{k,k'} is the norm of that product; X_{k',k} that of the cross term, the mixed
derivative by W^k' and the value below it times dalpha^p/dW^k.  Nothing is lost where paths cancel,
nor at a narrow node, nor where the columns of a convolution overlap.
"""

from __future__ import annotations

from theory import kernel
from theory.derive.graph_bench import GraphDerivation
from theory.derive.graphs import cross_terms, curvature_terms, no_block
from theory.terms import Term, add, norm, plus
from theory.vocabulary import CENTRE, PAIR_CROSS, PAIR_CURVE, symbol


def by_operators(row: int, col: int, d: GraphDerivation) -> tuple[Term, Term]:
    """The block (k, k') as its curvature and its cross term, each measured whole at the centre."""
    parts, sizes = [], []
    curved, crossed = curvature_terms(row, col, d), cross_terms(row, col, d)
    for name, tags, terms in (
        (PAIR_CURVE, (row, col), curved),
        (PAIR_CROSS, (col, row), crossed),
    ):
        if terms:
            parts.append(plus(*terms))
            sizes.append(_measured(name, tags, parts[-1], d))
    return plus(*parts) if parts else no_block(row, col), add(*sizes)


def _measured(name: str, tags: tuple[int, int], operator: Term, d: GraphDerivation) -> Term:
    """Define a statistic of a pair of nodes and learn what it says of the norm."""
    d.learn(kernel.symmetry(d.define(name, tags, norm(operator))))
    return symbol(name, *tags, *d.tags)


def pair_operators(code: str, at: Term) -> dict[tuple[str, int, int], Term]:
    """Every operator whose norm is such a statistic, at the centre and an input, by its name."""
    d = GraphDerivation(code, CENTRE, at)
    found: dict[tuple[str, int, int], Term] = {}
    for i, row in enumerate(d.shape.weighted):
        for col in d.shape.weighted[i:]:
            if curved := curvature_terms(row, col, d):
                found[PAIR_CURVE, row, col] = plus(*curved)
            if crossed := cross_terms(row, col, d):
                found[PAIR_CROSS, col, row] = plus(*crossed)
    return found


__all__ = ["by_operators", "pair_operators"]
