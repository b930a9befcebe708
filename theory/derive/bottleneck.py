"""A10: what a single layer adds to the Hessian norm, from below.

The block of the layer b is ``(I (x) alpha) S_b (I (x) alpha') / m_{b-1}`` exactly, with
S_b = d^2 f/(dz^b)^2, so its norm is a_{b-1}^2 |S_b|; no block has a larger norm than the whole.
For the unit direction V = e_i alpha'/|alpha| in layer b this is V'HV = a_{b-1}^2 d^2f/(dz_i^b)^2.
"""

from __future__ import annotations

from theory import kernel
from theory.derive.pointwise import (
    block_identity,
    coordinates,
    hessian_block,
    scale_of,
    unfolded_identity,
    vanishing_blocks,
)
from theory.derive.products import Operators, with_operators
from theory.derive.tactics import bound_norm, chain, hole, rearranged, use
from theory.derive.workbench import Claim, Derivation
from theory.kernel import Judgement
from theory.lemmas import KAPPA, A, operator_variable, real_variable
from theory.terms import SCALAR, Term, dot, make, mul, norm, rat, root, transpose
from theory.vocabulary import (
    CENTRE,
    activation,
    block,
    hessian,
    layer,
    pair_operator,
    squared,
    symbol,
    width,
)


def lower_bound(index: int, d: Derivation) -> Judgement:
    """``a_{b-1}^2 C_{b,b} <= |H|`` for the layer b."""
    with_operators(d)
    zero = vanishing_blocks(d)
    operators = Operators(d)
    operators.prepare(zero)
    whole = block_identity(index, index, unfolded_identity(d), zero, d)
    exact = operators.value(index, index, whole)
    size = _size(exact, index, d)
    target = norm(hessian(d.point, d.at))
    result = chain(kernel.symmetry(size), _block_at_most(index, d))
    d.claims.append(Claim("block", f"the block of layer {index}, exactly", exact))
    d.claims.append(Claim("size", f"its norm, exactly, for layer {index}", size))
    d.claims.append(Claim("lower", "the Hessian from below", result))
    if result.conclusion.args[1] is not target:
        msg = f"A10 came out as {result.conclusion}"
        raise kernel.KernelError(msg)
    return result


def _size(exact: Judgement, index: int, d: Derivation) -> Judgement:
    """``|Pi_b H Pi_b'| = a_{b-1}^2 C_{b,b}``."""
    below = activation(index - 1, d.point, d.at)
    curved = pair_operator("C", index, index, d.depth, d.point, d.at)
    product = _mixed(curved, below, index)
    framed = product.conclusion.args[0]
    scale = exact.conclusion.args[1].args[0]
    h = hole(exact.conclusion.args[0])
    start = kernel.congruence(norm(h), {h: exact})
    inner = exact.conclusion.args[1].args[1]
    pulled = use("homogeneity", "2", bind={KAPPA: scale, A: inner})
    k = hole(inner)
    same = kernel.congruence(norm(k), {k: chain(kernel.by_form(inner, framed), product)})
    outer = dot(below, transpose(below))
    bind = {A: curved, operator_variable("B", "r2", "c2"): outer}
    split = use("kronecker", bind=bind)
    gram = use("gram", bind={A: below})
    a, b = real_variable("?a"), real_variable("?b")
    values = kernel.congruence(mul(a, b), {a: d.known[norm(curved)], b: gram})
    n = real_variable("?n")
    factored = chain(same, split, values)
    total = chain(start, pulled, kernel.congruence(mul(scale, n), {n: factored}))
    known = d.known[norm(below)]
    size = scale_of(known, width(index - 1))
    m = real_variable("?m")
    curvature = symbol("C", index, index, CENTRE, d.at)
    template = mul(scale, curvature, squared(m))
    grown = kernel.congruence(template, {m: known})
    whole = chain(rearranged(total, grown.conclusion.args[0]), grown)
    return rearranged(whole, mul(squared(size), curvature))


def _mixed(curved: Term, below: Term, index: int) -> Judgement:
    """``(I (x) alpha) S (I (x) alpha') = S (x) alpha alpha'``."""
    unit, one = make("id", layer(index)), make("id", SCALAR)
    parts = (
        make("kron", unit, below),
        make("kron", curved, one),
        make("kron", unit, transpose(below)),
    )
    first = _product(unit, below, curved, one)
    second = _product(dot(unit, curved), dot(below, one), unit, transpose(below))
    h = hole(first.conclusion.args[0])
    joined = kernel.congruence(dot(h, parts[2]), {h: first})
    whole = chain(joined, second)
    return rearranged(whole, make("kron", curved, dot(below, transpose(below))))


def _product(a: Term, b: Term, c: Term, d: Term) -> Judgement:
    bind = {
        operator_variable("A", "r", "k"): a,
        operator_variable("C", "k", "c"): c,
        operator_variable("B", "r2", "k2"): b,
        operator_variable("D", "k2", "c2"): d,
    }
    return use("mixed_product", bind=bind)


def _block_at_most(index: int, d: Derivation) -> Judgement:
    """``|Pi_b H Pi_b'| <= |H|``, for a coordinate projection has norm at most 1."""
    own = block(index, d.depth)
    d.learn(_projection(own, coordinates(index, index, d)))
    whole = hessian(d.point, d.at)
    d.learn(kernel.by_form(norm(whole), norm(whole)))
    bound = bound_norm(hessian_block(index, index, d), d.known)
    return rearranged(bound, norm(whole))


def _projection(own: Term, meaning: Judgement) -> Judgement:
    """``|Pi| <= 1``, from ``|Pi|^2 = |Pi Pi'| = |I| <= 1``."""
    gram = use("gram", bind={A: own})
    h = hole(meaning.conclusion.args[0])
    unit = kernel.congruence(norm(h), {h: meaning})
    bound = chain(kernel.symmetry(gram), unit, bound_norm(meaning.conclusion.args[1], {}))
    n = real_variable("?n")
    rooted = kernel.monotone(root(n), {n: bound})
    start = kernel.by_form(norm(own), rooted.conclusion.args[0])
    return rearranged(chain(start, rooted), rat(1))


__all__ = ["lower_bound"]
