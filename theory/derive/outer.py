"""A9: a non-linear function of the output, and what it does to the Hessian."""

from __future__ import annotations

from theory import kernel
from theory.derive.tactics import (
    Known,
    bound_norm,
    chain,
    hole,
    rearranged,
    reflexive,
    rewrite,
    use,
)
from theory.derive.workbench import Claim
from theory.kernel import Judgement
from theory.lemmas import INDEX, POINT_P, A, V, fact, operator_variable, vector_variable
from theory.lemmas.scalars import FUNCTION, ONE_VALUE
from theory.terms import SCALAR, Arg, Term, add, dot, make, minus, mul, norm, plus, transpose
from theory.vocabulary import OUTER, gradient, hessian, output, sigma, squared

Result = tuple[Judgement, list[Claim]]
ONE = make("id", SCALAR)


def composed(point: Term, at: Term) -> Term:
    """phi(f), a function with one value."""
    return sigma(OUTER, 0, output(point, at))


def composed_hessian(point: Term, at: Term) -> Term:
    """The Hessian of phi(f)."""
    return make("hess", ONE, composed(point, at), point)


def mixed(a: Term, b: Term, c: Term, d: Term) -> Judgement:
    """``(A (x) B)(C (x) D) = AC (x) BD``."""
    bind: dict[Term, Arg] = {
        operator_variable("A", "r", "k"): a,
        operator_variable("C", "k", "c"): c,
        operator_variable("B", "r2", "k2"): b,
        operator_variable("D", "k2", "c2"): d,
    }
    return use("mixed_product", bind=bind)


def sandwich(number: Term, row: Term) -> Judgement:
    """``j' b j = b (x) j'j`` for a number b and a row j."""
    column = transpose(row)
    first = mixed(ONE, column, number, ONE)
    second = mixed(number, column, ONE, row)
    front = kernel.by_form(dot(column, number, row), dot(first.conclusion.args[0], row))
    h = hole(first.conclusion.args[0])
    joined = kernel.congruence(dot(h, row), {h: first})
    regrouped = kernel.by_form(joined.conclusion.args[1], second.conclusion.args[0])
    total = make("kron", number, dot(column, row))
    return rearranged(chain(front, joined, regrouped, second), total)


def identity(point: Term, at: Term) -> Judgement:
    """``H~ = phi'(f) H + phi''(f) grad f grad f'`` for phi(f), phi being C^2.

    Source: Liu, Zhu and Belkin 2020, Section 4 (non-linear output layer).
    """
    f = output(point, at)
    row = make("jac", f, point)
    bind: dict[Term, Arg] = {INDEX: OUTER, POINT_P: point, V: f, vector_variable("c"): ONE}
    smooth = kernel.hypothesis(fact("smooth", OUTER))
    outer = use("hessian_pointwise", bind=bind, given=[smooth])
    slope, bend = sigma(OUTER, 1, f), sigma(OUTER, 2, f)
    flat, bent = _number(slope), _number(bend)
    inner = use("scalar_hessian", bind={ONE_VALUE: slope, FUNCTION: f, POINT_P: point})
    h, s = hole(flat.conclusion.args[0], "?h"), hole(bend, "?s")
    template = plus(dot(transpose(row), make("diag", h), row), make("hess", s, f, point))
    opened = rewrite(outer, template, {h: bent, s: flat})
    whole = use("scalar_diagonal", bind={ONE_VALUE: bend})
    d, k = hole(bend, "?d"), hole(inner.conclusion.args[0], "?k")
    rest = plus(dot(transpose(row), d, row), k)
    numbers = rewrite(opened, rest, {d: whole, k: inner})
    split = sandwich(bend, row)
    c = hole(split.conclusion.args[0], "?c")
    curved = inner.conclusion.args[1]
    return rearranged(
        rewrite(numbers, plus(c, curved), {c: split}),
        plus(curved, make("kron", bend, dot(gradient(point, at), row))),
    )


def _number(value: Term) -> Judgement:
    """``diag(b) 1 = b`` for a number b."""
    return chain(
        kernel.by_form(dot(make("diag", value), ONE), make("diag", value)),
        use("scalar_diagonal", bind={ONE_VALUE: value}),
    )


def _sizes(point: Term, at: Term) -> tuple[Judgement, Judgement]:
    """``|phi' H| = |phi'| |H|`` and ``|phi'' grad f grad f'| = |phi''| |grad f|^2``."""
    f = output(point, at)
    slope, bend, g = sigma(OUTER, 1, f), sigma(OUTER, 2, f), gradient(point, at)
    other = operator_variable("B", "r2", "c2")
    linear = use("kronecker", bind={A: slope, other: hessian(point, at)})
    outer = dot(g, make("jac", f, point))
    curved = use("kronecker", bind={A: bend, other: outer})
    gram = use("gram", bind={A: g})
    same = kernel.congruence(
        norm(hole(outer)), {hole(outer): kernel.by_form(outer, dot(g, transpose(g)))}
    )
    n = make("var", "?n", "real")
    square = kernel.congruence(mul(norm(bend), n), {n: chain(same, gram)})
    return linear, chain(curved, square)


def upper(point: Term, at: Term) -> Result:
    """``|H~| <= |phi'(f)| |H| + |phi''(f)| |grad f|^2``."""
    exact = identity(point, at)
    parts = exact.conclusion.args[1]
    known: Known = dict(zip(map(norm, parts.args), _sizes(point, at), strict=True))
    h = hole(parts)
    start = kernel.congruence(norm(h), {h: exact})
    result = chain(start, bound_norm(parts, known))
    return result, [
        Claim("identity", "the Hessian behind a non-linear output", exact),
        Claim("upper", "its norm, from above", result),
    ]


def lower(point: Term, at: Term) -> Result:
    """``|phi''(f)| |grad f|^2 <= |H~| + |phi'(f)| |H|``."""
    exact = identity(point, at)
    curved_hessian = exact.conclusion.args[0]
    linear, curved = exact.conclusion.args[1].args
    size_linear, size_curved = _sizes(point, at)
    h = hole(curved_hessian)
    moved = kernel.congruence(minus(h, linear), {h: kernel.symmetry(exact)})
    alone = chain(
        kernel.by_form(curved, moved.conclusion.args[0]),
        moved,
    )
    known: Known = {
        norm(curved_hessian): reflexive(norm(curved_hessian)),
        norm(linear): size_linear,
    }
    start = kernel.congruence(norm(h), {h: alone})
    bound = bound_norm(alone.conclusion.args[1], known)
    result = chain(kernel.symmetry(size_curved), start, bound)
    slope, g = sigma(OUTER, 1, output(point, at)), norm(gradient(point, at))
    final = add(norm(curved_hessian), mul(norm(slope), norm(hessian(point, at))))
    if result.conclusion.args[0] is not mul(norm(sigma(OUTER, 2, output(point, at))), squared(g)):
        msg = f"A9 came out as {result.conclusion}"
        raise kernel.KernelError(msg)
    result = rearranged(result, final)
    return result, [
        Claim("identity", "the Hessian behind a non-linear output", exact),
        Claim("lower", "its norm, from below", result),
    ]


__all__ = ["composed", "composed_hessian", "identity", "lower", "mixed", "sandwich", "upper"]
