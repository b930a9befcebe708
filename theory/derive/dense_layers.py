"""A6 for dense layers: each Q from layer statistics, to be compared with the direct way to A7.

The partial derivatives of a dense layer are bounded by s, a, lambda and beta; the maxima, sums and
constants of A6 grow with them.
"""

from __future__ import annotations

from collections.abc import Mapping

from theory import kernel
from theory.derive.general import General, bound
from theory.derive.tactics import at_most, chain, rearranged, use
from theory.derive.workbench import Claim
from theory.kernel import Judgement
from theory.lemmas import INDEX, V, fact, real_variable
from theory.terms import Term, add, eq, inv_root, make, mul, root
from theory.vocabulary import (
    CENTRE,
    INPUT,
    curvature,
    definition,
    lipschitz,
    preactivation,
    symbol,
    width,
)

N = real_variable("?n")


def dense_bound(depth: int, readout: str) -> tuple[Judgement, General]:
    """``|H| <= C_1^ Q_{2,2,1}^ Q_inf + C_2^ Q_L^ / sqrt(m_L)`` from layer statistics.

    Returns:
        The judgement, and the workbench with its definitions and lines.
    """
    d = General(depth, readout, CENTRE, INPUT)
    general = bound(d)
    table = {f.args[0]: f.args[1] for f in d.definitions}
    sizes = _partials(d)
    larger: dict[Term, Judgement] = {}
    for name, value in table.items():
        larger[name] = _grown(name, value, sizes, larger, d)
    result = _whole(general, larger, d)
    d.claims.append(Claim("dense", "the norm of the Hessian, from layer statistics", result))
    return result, d


# -- the partial derivatives of a layer -----------------------------------------------------------


def _statistic(name: str, index: int, d: General) -> Judgement:
    """A layer statistic and what it is measured as, in the direction ``value = symbol``."""
    tags = (index, CENTRE) if name == "s" else (index, CENTRE, INPUT)
    formula = eq(symbol(name, *tags), definition(name, index, CENTRE, INPUT))
    if formula not in d.definitions:
        d.definitions.insert(0, formula)
    return kernel.symmetry(kernel.hypothesis(formula))


def _partials(d: General) -> dict[Term, Judgement]:
    """Bounds of all norms of partial derivatives, by the norm."""
    found: dict[Term, Judgement] = {}
    for index in range(1, d.depth + 1):
        for by in ("dw", "da", "dww", "dwa", "daa"):
            small = _partial(by, index, d)
            found[small.conclusion.args[0]] = d.claim(
                f"{by}:{index}", f"a partial derivative of layer {index}", small
            )
        largest = at_most(_statistic("q", index, d))
        found[largest.conclusion.args[0]] = largest
    return found


def _partial(by: str, index: int, d: General) -> Judgement:
    """One of them: the lemma, with suprema for slopes and statistics for norms."""
    facts = [kernel.hypothesis(fact(n, index)) for n in ("dense", "pointwise", "smooth")]
    lemma = use("dense_partials", by, bind=d.place(index), given=facts)
    z = preactivation(index, CENTRE, INPUT)
    slopes = {}
    for order, name in ((1, "slope_bound"), (2, "curvature_bound")):
        premise = kernel.hypothesis(fact("bounded", index, order))
        slopes[order] = use(name, bind={INDEX: index, V: z}, given=[premise])
    scale = inv_root(width(index - 1))
    spots = {order: real_variable(f"?{order}") for order in (1, 2)}
    a, s = (_statistic(n, i, d) for n, i in (("a", index - 1), ("s", index)))
    values = {"w": a.conclusion.args[0], "a": s.conclusion.args[0]}
    names = {"w": a.conclusion.args[1], "a": s.conclusion.args[1]}
    holes = {letter: real_variable(f"?{letter}") for letter in "wa"}
    letters = by[1:]

    def shape(kinds: Mapping[str, Term], first: Term, second: Term) -> Term:
        product = mul(first if len(letters) == 1 else second, *(kinds[x] for x in letters))
        if by == "dwa":
            return add(product, mul(first, root(width(index)), scale))
        return product

    used = {1} if len(letters) == 1 else {1, 2} if by == "dwa" else {2}
    raised = kernel.monotone(
        shape(values, spots[1], spots[2]), {spots[k]: slopes[k] for k in sorted(used)}
    )
    lifted = chain(rearranged(lemma, raised.conclusion.args[0]), raised)
    bounds = (lipschitz(index), curvature(index))
    named = kernel.congruence(
        shape(holes, *bounds),
        {holes[x]: {"w": a, "a": s}[x] for x in dict.fromkeys(letters)},
    )
    return rearranged(
        chain(rearranged(lifted, named.conclusion.args[0]), named), shape(names, *bounds)
    )


# -- what grows with them -------------------------------------------------------------------------


def _grown(
    name: Term,
    value: Term,
    sizes: Mapping[Term, Judgement],
    larger: Mapping[Term, Judgement],
    d: General,
) -> Judgement:
    """From the definition of a quantity of A6, that it is at most its counterpart."""
    meaning = kernel.hypothesis(eq(name, value))
    known = {**sizes, **larger}
    holes = {term: real_variable(f"?{i}") for i, term in enumerate(known)}
    template = _replaced(value, holes)
    used = {h: known[t] for t, h in holes.items() if h in template.free}
    bigger = kernel.monotone(template, used) if used else kernel.by_form(value, value)
    hat = f"{name.args[0]}_hat"
    tags = tuple(t for t in name.args[1:] if type(t) is int)
    back = kernel.symmetry(d.define(hat, tags, bigger.conclusion.args[1]))
    return chain(at_most(meaning), at_most(bigger), back)


def _replaced(term: Term, holes: Mapping[Term, Term]) -> Term:
    """The term with holes for what is known."""
    if term in holes:
        return holes[term]
    return make(term.head, *(_replaced(a, holes) if isinstance(a, Term) else a for a in term.args))


def _whole(general: Judgement, larger: Mapping[Term, Judgement], d: General) -> Judgement:
    """The right side of A6 with the larger quantities."""
    right = general.conclusion.args[1]
    holes = {term: real_variable(f"?{i}") for i, term in enumerate(larger)}
    template = _replaced(right, holes)
    used = {h: larger[t] for t, h in holes.items() if h in template.free}
    result = chain(general, kernel.monotone(template, used))
    if result.conclusion.head != "le":
        msg = f"A6 for dense layers came out as {result.conclusion}"
        raise kernel.KernelError(msg)
    return result


__all__ = ["dense_bound"]
