"""C2: the in-degree of the output bounds the Hessian norm from below.

``d2f/dW^L dv = (dalpha^L/dW^L)' / sqrt(m_L)`` is a block of the Hessian, and its norm is known
exactly: ``|sigma'(z^L)|_inf |alpha^{L-1}| / sqrt(m_{L-1} m_L)``.  No block is larger than the
whole, so however wide the other layers are, the Hessian does not vanish while m_L stays.
"""

from __future__ import annotations

from fractions import Fraction

from theory import kernel
from theory.derive.pointwise import (
    block_identity,
    coordinates,
    hessian_block,
    jacobian_block,
    layer_jacobian,
    unfolded_identity,
    vanishing_blocks,
)
from theory.derive.tactics import at_most, chain, hole, rearranged, rewrite, use
from theory.derive.workbench import Claim, Derivation, Which
from theory.kernel import Judgement
from theory.lemmas import KAPPA, A, V, operator_variable, real_variable, space_variable
from theory.terms import SCALAR, Term, dot, inv_root, make, mul, norm, plus, power, transpose
from theory.vocabulary import (
    CENTRE,
    INPUT,
    READOUT,
    activation,
    block,
    hessian,
    layer,
    preactivation,
    sigma,
    slope,
    width,
)


def lower_bound(depth: int) -> tuple[Judgement, list[Claim]]:
    """``|sigma'(z^L)|_inf |alpha^{L-1}| / sqrt(m_{L-1} m_L) <= |H|`` for a trained readout.

    Args:
        depth: the number L of hidden layers.

    Source: theory.md, row C2; Zhu, Liu and Belkin 2022, Theorem 3.6, whose width leaves the output
        out.
    """
    d = Derivation(depth, "trained", CENTRE, INPUT)
    exact = _block(d)
    size = _block_norm(exact, d)
    target = exact.conclusion.args[0]
    h = hole(target)
    whole = kernel.congruence(norm(h), {h: exact})
    equal = kernel.symmetry(chain(whole, size))
    smaller = _block_at_most_whole(target, d)
    result = chain(equal, smaller)
    claims = [
        *d.claims,
        Claim("block", "the block of the Hessian for the last layer and the readout", exact),
        Claim("size", "its norm", chain(whole, size)),
        Claim("part", "a block is not larger than the whole", smaller),
        Claim("lower", "the Hessian from below", result),
    ]
    return result, claims


def _block(d: Derivation) -> Judgement:
    """``Pi_L H Pi_v' = (alpha^{L-1} (x) I-part of D^L) / sqrt(m_{L-1} m_L)``."""
    top = d.depth
    zero = vanishing_blocks(d)
    block_value = block_identity(top, READOUT, unfolded_identity(d), zero, d)
    own = _own_jacobian(top, d)
    j = hole(own.conclusion.args[0])
    bent = slope(top, d.point, d.at)
    template = make("scale", inv_root(width(top)), transpose(dot(bent, j)))
    unfolded = rewrite(block_value, template, {j: own})
    lifted = make("kron", make("id", layer(top)), activation(top - 1, d.point, d.at))
    scale = mul(inv_root(width(top)), inv_root(width(top - 1)))
    return rearranged(unfolded, make("scale", scale, dot(lifted, bent)))


def _own_jacobian(top: int, d: Derivation) -> Judgement:
    """``dz^L/dW^L = (I (x) alpha^{L-1}') / sqrt(m_{L-1})``."""
    full = layer_jacobian(top, d)
    right = transpose(block(top, d.depth))
    h = hole(full.conclusion.args[0])
    placed = kernel.congruence(dot(h, right), {h: full})
    below = activation(top - 1, d.point, d.at)
    lifted = make("kron", make("id", layer(top)), transpose(below))
    own = coordinates(top, top, d)
    q = hole(own.conclusion.args[0], "q")
    parts, holes = [dot(lifted, q)], {q: own}
    if top > 1:
        still = vanishing_blocks(d)[top - 1, top]
        j = hole(jacobian_block(top - 1, top, d), "j")
        holes[j] = still
        weights = make("op", "W", layer(top), layer(top - 1), top, d.point)
        parts.append(dot(weights, slope(top - 1, d.point, d.at), j))
    scale = inv_root(width(top - 1))
    split = rewrite(placed, make("scale", scale, plus(*parts)), holes)
    return rearranged(split, make("scale", scale, lifted))


def _block_norm(exact: Judgement, d: Derivation) -> Judgement:
    """``|c (I (x) alpha) D| = c |sigma'|_inf |alpha|``."""
    top = d.depth
    scale, product = exact.conclusion.args[1].args
    below = activation(top - 1, d.point, d.at)
    bent = slope(top, d.point, d.at)
    pulled = use("homogeneity", "2", bind={KAPPA: scale, A: product})
    bind: dict[Term, Term] = {
        operator_variable("A", "r", "k"): make("id", layer(top)),
        operator_variable("C", "k", "c"): bent,
        operator_variable("B", "r2", "k2"): below,
        operator_variable("D", "k2", "c2"): make("id", SCALAR),
    }
    mixed = use("mixed_product", bind=bind)
    joined = rearranged(
        chain(kernel.by_form(product, mixed.conclusion.args[0]), mixed),
        make("kron", bent, below),
    )
    h = hole(product)
    start = kernel.congruence(norm(h), {h: joined})
    other = operator_variable("B", "r2", "c2")
    split = use("kronecker", bind={A: bent, other: below})
    diagonal = use("diagonal", bind={V: sigma(top, 1, preactivation(top, d.point, d.at))})
    n, m = real_variable("?n"), real_variable("?m")
    inner = chain(start, split, kernel.congruence(mul(n, norm(below)), {n: diagonal}))
    total = chain(pulled, kernel.congruence(mul(scale, m), {m: inner}))
    sizes = (diagonal.conclusion.args[1], norm(below))
    return rearranged(total, mul(*sizes, inv_root(width(top - 1)), inv_root(width(top))))


def _block_at_most_whole(target: Term, d: Derivation) -> Judgement:
    """``|Pi_L H Pi_v'| <= |H|``."""
    whole = hessian(d.point, d.at)
    _, middle, right = target.args
    if target is not hessian_block(d.depth, READOUT, d) or middle is not whole:
        msg = f"{target} is not the block of the Hessian for the last layer and the readout"
        raise kernel.KernelError(msg)
    spaces = [operator_variable(f"A{i + 1}", f"s{i}", f"s{i + 1}") for i in range(3)]
    product = use("product", 3, bind=dict(zip(spaces, target.args, strict=True)))
    flipped = use("transpose", bind={A: right.args[0]})
    first, last = (_at_most_one(which, d) for which in (d.depth, READOUT))
    spots = [real_variable(f"?{i}") for i in range(2)]
    bounds = {spots[0]: first, spots[1]: chain(flipped, last)}
    shrunk = kernel.monotone(mul(spots[0], norm(whole), spots[1]), bounds)
    return rearranged(chain(product, shrunk), norm(whole))


def _at_most_one(which: Which, d: Derivation) -> Judgement:
    """``|Pi| <= 1``, from ``Pi Pi' = I``."""
    projection = block(which, d.depth)
    gram = kernel.symmetry(use("gram", bind={A: projection}))
    own = coordinates(which, which, d)
    h = hole(own.conclusion.args[0])
    unit = kernel.congruence(norm(h), {h: own})
    one = use("identity", bind={space_variable("r"): projection.rows})
    square = at_most(chain(gram, unit, one))
    s = real_variable("?s")
    root = kernel.monotone(power(s, Fraction(1, 2)), {s: square})
    value = norm(projection)
    tidy = kernel.by_form(value, root.conclusion.args[0])
    return rearranged(chain(tidy, root), make("rat", Fraction(1)))


__all__ = ["lower_bound"]
