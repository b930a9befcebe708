r"""Probabilistic lemmas: what is likely of Gaussian weights, conclusion ``likely(p, F)``.

The probability is over the weights at the point ``theta0``, which ``likely`` binds, and over the
readout, also where it is fixed: the entries of W^1, ..., W^L (and of a ``gaussian`` v) are
independent N(0, 1), those of a ``sign`` v independent and uniform on {-1, 1}; the input is not
random. That is the hypothesis ``gaussian``.

Each lemma holds conditionally on the layers named in ``says``, for every value of them; so it holds
unconditionally.  Forward, z^l given the layers below is a_{l-1} times a standard normal vector, and
W^l is independent of them.  Backward, W^{l+1} given W^1..W^l, z^{l+1} and everything above is
determined on alpha^l and independent of that on its complement (conditioning a Gaussian matrix on a
linear image), so that with u = D^{l+1} delta^{l+1} and g a standard normal vector

    delta^l = alpha^l (z^{l+1} . u)/|alpha^l|^2 + (|u|/sqrt m_l) P g,

P the projection that removes alpha^l (for alpha^l = 0 the first term is zero and P = I).  No lemma
has a free vector: one put for it could depend on the weights.

A share of the failure probability is ``part/parts * delta``.  With t = tail(p), a function of a
standard normal vector with Lipschitz constant K exceeds its mean by K t with probability at most p;
with q = quantile(p/m), the largest of m normal variables of variance at most one exceeds q with
probability at most p.
"""

from __future__ import annotations

from theory.lemmas.base import (
    INDEX,
    INPUT_X,
    POINT_P,
    Schema,
    V,
    fact,
    lemma,
    real_variable,
    require,
)
from theory.lemmas.calculus import RUDIN
from theory.terms import (
    ONE,
    Term,
    add,
    dot,
    eq,
    inv_root,
    le,
    make,
    mul,
    norm,
    power,
    rat,
    root,
    transpose,
)
from theory.vocabulary import (
    CENTRE,
    activation,
    ceiling,
    curvature,
    floor,
    input_scale,
    lipschitz,
    origin,
    preactivation,
    quantile,
    root_mean_square,
    share,
    sigma,
    signal,
    slope,
    squared,
    tail,
    weights,
    width,
)

LAWS = ("gaussian", "sign")
KINDS = ("plain", "slope", "curve")
VERSHYNIN = "Vershynin, High-Dimensional Probability, 2018"
BOUCHERON = "Boucheron, Lugosi and Massart, Concentration Inequalities, 2013"
POSITIVE_PARTS = r"p=\tfrac{k}{n}\delta,\ t=\sqrt{2\ln(1/p)}"


def times(*terms: Term) -> Term:
    """The product, ones left out."""
    return mul(*(t for t in terms if t is not ONE))


def _share(part: int, parts: int) -> Term:
    require(type(part) is int, type(parts) is int, 1 <= part <= parts)
    return share(part, parts)


def _forward(layer: int, depth: int, law: str) -> tuple[Term, ...]:
    """The facts by which z^l is Gaussian given the layers below."""
    require(type(layer) is int, type(depth) is int, 1 <= layer <= depth, law in LAWS)
    return (
        fact("gaussian", depth, law),
        fact("input"),
        *(fact("dense", i) for i in range(1, layer + 1)),
        *(fact("pointwise", i) for i in range(1, layer)),
    )


def _backward(depth: int, readout: str, law: str) -> tuple[Term, ...]:
    """The facts by which the back-propagated signal is what theory.md says it is."""
    require(readout in ("trained", "fixed"))
    return (*_forward(depth, depth, law), fact("pointwise", depth), fact("readout", readout, depth))


def _scale_below(layer: int) -> Term:
    """a_{l-1}, as the norm that it is."""
    return mul(norm(activation(layer - 1, CENTRE, INPUT_X)), inv_root(width(layer - 1)))


# -- forward --------------------------------------------------------------------------------------


@lemma(
    "gaussian_matrix",
    "norm of a Gaussian matrix",
    r"\mathbb P\bigl(\|W^l\|>\sqrt{m_l}+\sqrt{m_{l-1}}+t\bigr)\le p,\ " + POSITIVE_PARTS,
    "Davidson and Szarek, Local operator theory, random matrices and Banach spaces, 2001, "
    "Theorem II.13",
    "DavidsonSzarek2001",
)
def _gaussian_matrix(layer: int, depth: int, law: str, part: int, parts: int) -> Schema:
    p = _share(part, parts)
    require(type(layer) is int, type(depth) is int, 1 <= layer <= depth, law in LAWS)
    bound = add(root(width(layer)), root(width(layer - 1)), tail(p))
    event = le(norm(weights(layer, CENTRE)), bound)
    return Schema((fact("gaussian", depth, law),), make("likely", p, event))


@lemma(
    "sloped_matrix",
    "norm of a Gaussian matrix behind a diagonal one",
    r"\mathbb P\bigl(\|W^lD^{l-1}\|>\|\sigma'(z^{l-1})\|+(\sqrt{m_l}+t)\|\sigma'(z^{l-1})\|_\infty"
    r"\bigr)\le p\ \text{given layers below }l",
    f"{VERSHYNIN}, Section 8.7 (Chevet's inequality)",
    "Vershynin2018",
)
def _sloped_matrix(layer: int, depth: int, law: str, part: int, parts: int) -> Schema:
    p = _share(part, parts)
    premises = _forward(layer, depth, law)
    require(layer >= 2)
    below = sigma(layer - 1, 1, preactivation(layer - 1, CENTRE, INPUT_X))
    steep = norm(below, "inf")
    bound = add(norm(below), mul(root(width(layer)), steep), mul(steep, tail(p)))
    event = le(norm(dot(weights(layer, CENTRE), make("diag", below))), bound)
    return Schema(premises, make("likely", p, event))


@lemma(
    "preactivation_norm",
    "norm of a Gaussian vector",
    r"\mathbb P\bigl(\|z^l\|>a_{l-1}(\sqrt{m_l}+t)\bigr)\le p\ \text{given layers below }l",
    f"{BOUCHERON}, Theorem 5.6",
    "BoucheronLugosiMassart2013",
)
def _preactivation_norm(layer: int, depth: int, law: str, part: int, parts: int) -> Schema:
    p = _share(part, parts)
    bound = mul(_scale_below(layer), add(root(width(layer)), tail(p)))
    event = le(norm(preactivation(layer, CENTRE, INPUT_X)), bound)
    return Schema(_forward(layer, depth, law), make("likely", p, event))


def _activated(layer: int, depth: int, law: str) -> tuple[Term, ...]:
    return (*_forward(layer, depth, law), fact("pointwise", layer), fact("bounded", layer, 1))


@lemma(
    "activation_above",
    "concentration of the activations, from above",
    r"\mathbb P\bigl(\|\alpha^l\|>\sqrt{m_l}\,\sqrt{\mathbb E\,\sigma_l(a_{l-1}\xi)^2}"
    r"+\lambda_l a_{l-1}t\bigr)\le p\ \text{given layers below }l",
    f"{BOUCHERON}, Theorem 5.6",
    "BoucheronLugosiMassart2013",
)
def _activation_above(layer: int, depth: int, law: str, part: int, parts: int) -> Schema:
    p, below = _share(part, parts), _scale_below(layer)
    typical = mul(root(width(layer)), root_mean_square(layer, 0, below))
    bound = add(typical, mul(lipschitz(layer), below, tail(p)))
    event = le(norm(activation(layer, CENTRE, INPUT_X)), bound)
    return Schema(_activated(layer, depth, law), make("likely", p, event))


@lemma(
    "activation_below",
    "concentration of the activations, from below",
    r"\mathbb P\bigl(\sqrt{m_l}\,\sqrt{\mathbb E\,\sigma_l(a_{l-1}\xi)^2}>\|\alpha^l\|"
    r"+\lambda_l a_{l-1}(t+1)\bigr)\le p\ \text{given layers below }l",
    f"{BOUCHERON}, Theorems 5.6 and 3.20 (Gaussian Poincare inequality)",
    "BoucheronLugosiMassart2013",
)
def _activation_below(layer: int, depth: int, law: str, part: int, parts: int) -> Schema:
    p, below = _share(part, parts), _scale_below(layer)
    typical = mul(root(width(layer)), root_mean_square(layer, 0, below))
    spread = mul(lipschitz(layer), below, add(tail(p), ONE))
    event = le(typical, add(norm(activation(layer, CENTRE, INPUT_X)), spread))
    return Schema(_activated(layer, depth, law), make("likely", p, event))


def _square_spread(layer: int, p: Term) -> Term:
    """How far a sum of m_l independent numbers in [0, ceiling^2] is likely to be from its mean."""
    return mul(rat(1, 2), squared(ceiling(layer)), root(width(layer)), tail(p))


def _squares(layer: int) -> tuple[Term, Term]:
    """``|alpha^l|^2`` and its mean given the layers below."""
    typical = mul(root(width(layer)), root_mean_square(layer, 0, _scale_below(layer)))
    return squared(norm(activation(layer, CENTRE, INPUT_X))), squared(typical)


@lemma(
    "squares_above",
    "Hoeffding's inequality for bounded activations, from above",
    r"\mathbb P\bigl(\|\alpha^l\|^2>m_l\,\mathbb E\,\sigma_l(a_{l-1}\xi)^2+\tfrac12\varsigma_l^2"
    r"\sqrt{m_l}\,t\bigr)\le p\ \text{given layers below }l",
    f"{BOUCHERON}, Theorem 2.8",
    "BoucheronLugosiMassart2013",
)
def _squares_above(layer: int, depth: int, law: str, part: int, parts: int) -> Schema:
    p = _share(part, parts)
    premises = (*_forward(layer, depth, law), fact("pointwise", layer), fact("bounded", layer, 0))
    found, typical = _squares(layer)
    event = le(found, add(typical, _square_spread(layer, p)))
    return Schema(premises, make("likely", p, event))


@lemma(
    "squares_below",
    "Hoeffding's inequality for bounded activations, from below",
    r"\mathbb P\bigl(m_l\,\mathbb E\,\sigma_l(a_{l-1}\xi)^2>\|\alpha^l\|^2+\tfrac12\varsigma_l^2"
    r"\sqrt{m_l}\,t\bigr)\le p\ \text{given layers below }l",
    f"{BOUCHERON}, Theorem 2.8",
    "BoucheronLugosiMassart2013",
)
def _squares_below(layer: int, depth: int, law: str, part: int, parts: int) -> Schema:
    p = _share(part, parts)
    premises = (*_forward(layer, depth, law), fact("pointwise", layer), fact("bounded", layer, 0))
    found, typical = _squares(layer)
    event = le(typical, add(found, _square_spread(layer, p)))
    return Schema(premises, make("likely", p, event))


@lemma(
    "activation_largest",
    "largest of Gaussian variables, through an activation",
    r"\mathbb P\bigl(\|\alpha^l\|_\infty>|\sigma_l(0)|+\lambda_la_{l-1}q\bigr)\le p,\ "
    r"\mathbb P(|\xi|>q)=p/m_l,\ \text{given layers below }l",
    f"{BOUCHERON}, Section 2.5 (union bound)",
    "BoucheronLugosiMassart2013",
)
def _activation_largest(layer: int, depth: int, law: str, part: int, parts: int) -> Schema:
    p = _share(part, parts)
    reach = mul(lipschitz(layer), _scale_below(layer), _largest(p, layer))
    event = le(norm(activation(layer, CENTRE, INPUT_X), "inf"), add(origin(layer), reach))
    return Schema(_activated(layer, depth, law), make("likely", p, event))


def _largest(p: Term, layer: int) -> Term:
    """What the largest of m_l normal variables exceeds with probability at most p."""
    return quantile(mul(p, power(width(layer), -1)))


@lemma(
    "slopes_above",
    "Hoeffding's inequality for the slopes",
    r"\mathbb P\bigl(\|\sigma_l'(z^l)\|^2>m_l\,\mathbb E\,\sigma_l'(a_{l-1}\xi)^2"
    r"+\tfrac12\lambda_l^2\sqrt{m_l}\,t\bigr)\le p\ \text{given layers below }l",
    f"{BOUCHERON}, Theorem 2.8",
    "BoucheronLugosiMassart2013",
)
def _slopes_above(layer: int, depth: int, law: str, part: int, parts: int) -> Schema:
    p, below = _share(part, parts), _scale_below(layer)
    typical = mul(width(layer), squared(root_mean_square(layer, 1, below)))
    spread = mul(rat(1, 2), squared(lipschitz(layer)), root(width(layer)), tail(p))
    size = norm(sigma(layer, 1, preactivation(layer, CENTRE, INPUT_X)))
    event = le(size, root(add(typical, spread)))
    return Schema(_activated(layer, depth, law), make("likely", p, event))


# -- backward -------------------------------------------------------------------------------------


def _weighted(kind: str, layer: int) -> tuple[Term, Term, Term]:
    """delta^l with each entry weighted, and the Euclidean and maximum norms of the weights."""
    require(kind in KINDS)
    delta = signal(layer, CENTRE, INPUT_X)
    if kind == "plain":
        return delta, root(width(layer)), ONE
    order = 1 if kind == "slope" else 2
    bend = sigma(layer, order, preactivation(layer, CENTRE, INPUT_X))
    return dot(make("diag", bend), delta), norm(bend), norm(bend, "inf")


def _aligned(layer: int) -> Term:
    """|z^l . D^l delta^l|."""
    vector = transpose(preactivation(layer, CENTRE, INPUT_X))
    pushed = (slope(layer, CENTRE, INPUT_X), signal(layer, CENTRE, INPUT_X))
    return norm(dot(vector, *pushed))


def _tilted(layer: int) -> Term:
    """|D^l z^l|."""
    return norm(dot(slope(layer, CENTRE, INPUT_X), preactivation(layer, CENTRE, INPUT_X)))


def _pushed(layer: int) -> Term:
    """|D^l delta^l|."""
    return norm(dot(slope(layer, CENTRE, INPUT_X), signal(layer, CENTRE, INPUT_X)))


@lemma(
    "signal_norm_top",
    "norm of a weighted random vector",
    r"\mathbb P\bigl(\|\omega\odot\delta^L\|>(\|\omega\|+\|\omega\|_\infty t)/\sqrt{m_L}\bigr)"
    r"\le p,\ \omega\in\{1,\sigma'(z^L),\sigma''(z^L)\},\ \text{given all layers}",
    f"{BOUCHERON}, Theorem 5.6",
    "BoucheronLugosiMassart2013",
)
def _signal_norm_top(
    kind: str, depth: int, readout: str, law: str, part: int, parts: int
) -> Schema:
    p = _share(part, parts)
    premises = _backward(depth, readout, law)
    vector, size, largest = _weighted(kind, depth)
    bound = mul(inv_root(width(depth)), add(size, times(largest, tail(p))))
    return Schema(premises, make("likely", p, le(norm(vector), bound)))


@lemma(
    "signal_norm",
    "norm of a weighted back-propagated signal, conditioned on its linear image",
    r"\mathbb P\bigl(\|\alpha^l\|\|\omega\odot\delta^l\|>\|\omega\|_\infty|z^{l+1}\cdot u|+"
    r"\|\alpha^l\|\|u\|(\|\omega\|+\|\omega\|_\infty t)/\sqrt{m_l}\bigr)\le p,\ "
    r"u=D^{l+1}\delta^{l+1}",
    f"{BOUCHERON}, Theorem 5.6; conditioning on a linear image",
    "BoucheronLugosiMassart2013",
)
def _signal_norm(
    kind: str, layer: int, depth: int, readout: str, law: str, part: int, parts: int
) -> Schema:
    p = _share(part, parts)
    premises = _backward(depth, readout, law)
    require(type(layer) is int, 1 <= layer < depth)
    vector, size, largest = _weighted(kind, layer)
    alpha = norm(activation(layer, CENTRE, INPUT_X))
    fresh = mul(_pushed(layer + 1), inv_root(width(layer)), add(size, times(largest, tail(p))))
    bound = add(times(largest, _aligned(layer + 1)), mul(alpha, fresh))
    return Schema(premises, make("likely", p, le(mul(alpha, norm(vector)), bound)))


@lemma(
    "signal_largest_top",
    "largest of weighted random variables",
    r"\mathbb P\bigl(\|\omega\odot\delta^L\|_\infty>\|\omega\|_\infty q/\sqrt{m_L}\bigr)\le p,\ "
    r"\mathbb P(|\xi|>q)=p/m_L\ (v\in\{\pm1\}^{m_L}:\ q=1),\ \text{given all layers}",
    f"{BOUCHERON}, Section 2.5 (union bound)",
    "BoucheronLugosiMassart2013",
)
def _signal_largest_top(
    kind: str, depth: int, readout: str, law: str, part: int, parts: int
) -> Schema:
    p = _share(part, parts)
    premises = _backward(depth, readout, law)
    vector, _, largest = _weighted(kind, depth)
    reach = _largest(p, depth) if law == "gaussian" else ONE
    bound = times(inv_root(width(depth)), largest, reach)
    return Schema(premises, make("likely", p, le(norm(vector, "inf"), bound)))


@lemma(
    "signal_largest",
    "largest entry of a weighted back-propagated signal, conditioned on its linear image",
    r"\mathbb P\bigl(\|\alpha^l\|^2\|\omega\odot\delta^l\|_\infty>\|\omega\|_\infty"
    r"\|\alpha^l\|_\infty|z^{l+1}\cdot u|+\|\alpha^l\|^2\|u\|\|\omega\|_\infty q"
    r"/\sqrt{m_l}\bigr)\le p,\ \mathbb P(|\xi|>q)=p/m_l,\ u=D^{l+1}\delta^{l+1}",
    f"{BOUCHERON}, Section 2.5 (union bound); conditioning on a linear image",
    "BoucheronLugosiMassart2013",
)
def _signal_largest(
    kind: str, layer: int, depth: int, readout: str, law: str, part: int, parts: int
) -> Schema:
    p = _share(part, parts)
    premises = _backward(depth, readout, law)
    require(type(layer) is int, 1 <= layer < depth)
    vector, _, largest = _weighted(kind, layer)
    alpha = activation(layer, CENTRE, INPUT_X)
    size = squared(norm(alpha))
    fresh = times(_pushed(layer + 1), inv_root(width(layer)), largest, _largest(p, layer))
    bound = add(times(largest, norm(alpha, "inf"), _aligned(layer + 1)), mul(size, fresh))
    return Schema(premises, make("likely", p, le(mul(size, norm(vector, "inf")), bound)))


@lemma(
    "alignment_top",
    "a normal variable (for signs Hoeffding's inequality)",
    r"\mathbb P\bigl(|z^L\cdot D^L\delta^L|>\|D^Lz^L\|\,q/\sqrt{m_L}\bigr)\le p,\ "
    r"\mathbb P(|\xi|>q)=p\ (v\in\{\pm1\}^{m_L}:\ q=\sqrt{2\ln(2/p)}),\ \text{given all layers}",
    f"{BOUCHERON}, Section 2.3 and Theorem 2.8",
    "BoucheronLugosiMassart2013",
)
def _alignment_top(depth: int, readout: str, law: str, part: int, parts: int) -> Schema:
    p = _share(part, parts)
    premises = _backward(depth, readout, law)
    reach = quantile(p) if law == "gaussian" else tail(mul(rat(1, 2), p))
    bound = mul(inv_root(width(depth)), _tilted(depth), reach)
    return Schema(premises, make("likely", p, le(_aligned(depth), bound)))


@lemma(
    "alignment",
    "a normal variable, conditioned on the linear image of a Gaussian matrix",
    r"\mathbb P\bigl(\|\alpha^l\||z^l\cdot D^l\delta^l|>\|D^lz^l\|\bigl(|z^{l+1}\cdot u|+"
    r"\|\alpha^l\|\|u\|\,q/\sqrt{m_l}\bigr)\bigr)\le p,\ \mathbb P(|\xi|>q)=p,\ "
    r"u=D^{l+1}\delta^{l+1}",
    f"{BOUCHERON}, Section 2.3; conditioning on a linear image",
    "BoucheronLugosiMassart2013",
)
def _alignment(layer: int, depth: int, readout: str, law: str, part: int, parts: int) -> Schema:
    p = _share(part, parts)
    premises = _backward(depth, readout, law)
    require(type(layer) is int, 1 <= layer < depth)
    alpha = norm(activation(layer, CENTRE, INPUT_X))
    fresh = mul(_pushed(layer + 1), inv_root(width(layer)), _tilted(layer), quantile(p))
    bound = add(mul(_tilted(layer), _aligned(layer + 1)), mul(alpha, fresh))
    return Schema(premises, make("likely", p, le(mul(alpha, _aligned(layer)), bound)))


# -- what is not random ---------------------------------------------------------------------------


@lemma(
    "input_scale",
    "definition of the scale of the input",
    r"\|\alpha^0\|=\rho\sqrt{m_0}",
    "definition",
    "LZB20",
)
def _input_scale() -> Schema:
    size = norm(activation(0, POINT_P, INPUT_X))
    return Schema((fact("input"),), eq(size, mul(input_scale(INPUT_X), root(width(0)))))


@lemma(
    "rms_lipschitz",
    "Minkowski's inequality for a Lipschitz function of a normal variable",
    r"|a-b|\le h\Rightarrow\sqrt{\mathbb E\,\sigma_l^{(j)}(a\xi)^2}\le"
    r"\sqrt{\mathbb E\,\sigma_l^{(j)}(b\xi)^2}+\sup|\sigma_l^{(j+1)}|\,h",
    "Hardy, Littlewood and Polya, Inequalities, 1934, Section 6.13",
    "HardyLittlewoodPolya1934",
)
def _rms_lipschitz(order: int) -> Schema:
    require(type(order) is int, order in (0, 1))
    a, b, h = (real_variable(n) for n in "abh")
    constant = lipschitz(INDEX) if order == 0 else curvature(INDEX)
    near = (le(a, add(b, h)), le(b, add(a, h)))
    left, right = (root_mean_square(INDEX, order, x) for x in (a, b))
    return Schema(
        (fact("bounded", INDEX, order + 1), *near), le(left, add(right, mul(constant, h)))
    )


@lemma(
    "value_bound",
    "the supremum of the activation",
    r"\|\sigma_l(v)\|_\infty\le\varsigma_l",
    "definition of the constant",
    "LZB20",
)
def _value_bound() -> Schema:
    return Schema((fact("bounded", INDEX, 0),), le(norm(sigma(INDEX, 0, V), "inf"), ceiling(INDEX)))


@lemma(
    "root_above",
    "difference of two roots, from above",
    r"y^2\le x^2+s,\ 0<f\le x\Rightarrow y\le x+\tfrac{s}{2f},\quad f=\underline a_l\sqrt{m_l}",
    f"{RUDIN}, Proposition 1.18",
    "Rudin1976",
)
def _root_above(layer: int) -> Schema:
    x, y, s = (real_variable(n) for n in "xys")
    least = least_size(layer, 1)
    premises = (le(squared(y), add(squared(x), s)), le(least, x))
    return Schema(premises, le(y, add(x, mul(rat(1, 2), s, power(least, -1)))))


@lemma(
    "root_below",
    "difference of two roots, from below",
    r"x^2\le y^2+s,\ 0<f,\ f+\tfrac{s}{2f}\le x\Rightarrow x\le y+\tfrac{s}{2f},\quad "
    r"f=\underline a_l\sqrt{m_l}",
    f"{RUDIN}, Proposition 1.18",
    "Rudin1976",
)
def _root_below(layer: int) -> Schema:
    x, y, s = (real_variable(n) for n in "xys")
    least = least_size(layer, 1)
    gap = mul(rat(1, 2), s, power(least, -1))
    premises = (le(squared(x), add(squared(y), s)), le(add(least, gap), x))
    return Schema(premises, le(x, add(y, gap)))


def least_size(layer: int, order: int) -> Term:
    """The floor under ``|alpha^l|`` (order 1) or under its square (order 2)."""
    require(type(layer) is int, layer >= 1, type(order) is int, order in (1, 2))
    least = mul(floor(layer), root(width(layer)))
    return least if order == 1 else squared(least)


@lemma(
    "divide",
    "division by something that has a positive lower bound",
    r"xy\le a+xb,\ 0<\underline x\le x\Rightarrow y\le a/\underline x+b,\quad "
    r"\underline x\in\{\underline a_l\sqrt{m_l},\ \underline a_l^2m_l\}",
    f"{RUDIN}, Proposition 1.18",
    "Rudin1976",
)
def _divide(layer: int, order: int) -> Schema:
    x, y, a, b = (real_variable(n) for n in "xyab")
    least = least_size(layer, order)
    premises = (le(mul(x, y), add(a, mul(x, b))), le(least, x))
    return Schema(premises, le(y, add(mul(a, power(least, -1)), b)))


RANDOM = (
    "gaussian_matrix",
    "sloped_matrix",
    "preactivation_norm",
    "activation_above",
    "activation_below",
    "squares_above",
    "squares_below",
    "activation_largest",
    "slopes_above",
    "signal_norm_top",
    "signal_norm",
    "signal_largest_top",
    "signal_largest",
    "alignment_top",
    "alignment",
)
"""The lemmas of this module, whose conclusions hold with a probability."""

__all__ = ["KINDS", "LAWS", "RANDOM", "least_size", "times"]
