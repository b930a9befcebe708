r"""Lemmas on second derivatives of all neurons of a node at once, and on random weights of graphs.

``second^n`` maps theta-directions U to ``sum_i e_i (x) d2 alpha^n_i U``: the Hessians of all
neurons of node n, stacked. Its norm squared is that of ``sum_i (d2 alpha^n_i)^2``, the v of a
matrix series in the d2 alpha^n_i.

The random lemmas are about the weights at the point ``theta0``, which ``likely`` binds, and about
those of a readout that is not trained. Fact ``drawn n law``: the entries of W^n are independent,
standard normal (``gaussian``), so those that the mask leaves (``masked``), or uniform on {-1, 1}
(``sign``); and independent of the weights of all other nodes. Each lemma holds given the values of
the nodes below, which do not depend on W^n.
"""

from __future__ import annotations

from fractions import Fraction

from theory.graph_terms import Shape, block_of, contraction_constant, parse, weights_of
from theory.lemmas.base import (
    HORN,
    INDEX,
    INPUT_X,
    POINT_P,
    Schema,
    V,
    fact,
    lemma,
    require,
)
from theory.lemmas.calculus import CALCULUS, RUDIN
from theory.lemmas.gaussian import BOUCHERON
from theory.terms import (
    ONE,
    PARAMS,
    Term,
    add,
    dot,
    eq,
    le,
    make,
    mul,
    norm,
    plus,
    power,
    rat,
    root,
    tensor,
    transpose,
)
from theory.vocabulary import CENTRE, lipschitz, origin, share, sigma, squared, symbol, tail

TROPP = "Tropp, An Introduction to Matrix Concentration Inequalities, 2015"
DRAWN = ("gaussian", "masked", "sign")
IDENTITY = make("id", PARAMS)


def second(shape: Shape, node: int, point: Term, at: Term) -> Term:
    """The Hessians of all entries of the value of a node, stacked."""
    space = shape.space(node)
    return make("op", "second", tensor(space, PARAMS), PARAMS, node, point, at)


def gradients(shape: Shape, node: int, point: Term, at: Term) -> Term:
    """``e_i -> e_i (x) d alpha^n_i``: the gradients of all entries as the columns of blocks."""
    space = shape.space(node)
    return make("op", "gradients", tensor(space, PARAMS), space, node, point, at)


def form_in(shape: Shape, node: int) -> Term:
    """The bilinear form of a node, from the parent's value to value (x) weights."""
    rows = tensor(shape.space(node), weights_of(node))
    return make("op", "form_in", rows, shape.space(shape.parents[node][0]), node)


def form_own(shape: Shape, node: int) -> Term:
    """The same from the weights to value (x) parent's value."""
    rows = tensor(shape.space(node), shape.space(shape.parents[node][0]))
    return make("op", "form_own", rows, weights_of(node), node)


def _node(code: str, node: int, *kinds: str) -> Shape:
    require(type(code) is str)
    shape = parse(code)
    require(type(node) is int, 0 <= node <= shape.last)
    require(not kinds or shape.kinds[node] in kinds)
    return shape


def _graph(code: str) -> tuple[Term, ...]:
    return (fact("graph", code),)


def _second(shape: Shape, node: int) -> Term:
    return second(shape, node, POINT_P, INPUT_X)


def _value(shape: Shape, node: int, point: Term = POINT_P) -> Term:
    return shape.value(node, point, INPUT_X)


def _jacobian(shape: Shape, node: int) -> Term:
    return make("jac", _value(shape, node), POINT_P)


# -- stacked second derivatives -------------------------------------------------------------------


@lemma(
    "second_input",
    "the input has no second derivative",
    r"\partial^2\alpha^0=0",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _second_input(code: str) -> Schema:
    left = _second(_node(code, 0), 0)
    return Schema(_graph(code), eq(left, make("zero", left.rows, left.cols)))


@lemma(
    "second_pointwise",
    "second chain rule for all neurons of a pointwise node",
    r"\partial^2\alpha^n=(\mathrm{diag}(\sigma_n'(\alpha^p))\otimes I)\,\partial^2\alpha^p+"
    r"\Gamma^p\,\mathrm{diag}(\sigma_n''(\alpha^p))\,\partial\alpha^p,\ "
    r"\Gamma^pe_i=e_i\otimes\nabla\alpha^p_i",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _second_pointwise(code: str, node: int) -> Schema:
    shape = _node(code, node, "pointwise")
    (parent,) = shape.parents[node]
    steep, bent = (make("diag", sigma(node, o, _value(shape, parent))) for o in (1, 2))
    first = dot(make("kron", steep, IDENTITY), _second(shape, parent))
    curved = dot(gradients(shape, parent, POINT_P, INPUT_X), bent, _jacobian(shape, parent))
    premises = (*_graph(code), fact("smooth", node))
    return Schema(premises, eq(_second(shape, node), plus(first, curved)))


@lemma(
    "second_linear",
    "the second derivatives of all neurons of a fixed linear node",
    r"\partial^2\alpha^n=\textstyle\sum_j(L^{n,j}\otimes I)\,\partial^2\alpha^{p_j}",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _second_linear(code: str, node: int) -> Schema:
    shape = _node(code, node, "linear")
    terms = [
        dot(make("kron", shape.link(node, j), IDENTITY), _second(shape, p))
        for j, p in enumerate(shape.parents[node])
    ]
    return Schema(_graph(code), eq(_second(shape, node), plus(*terms)))


@lemma(
    "second_bilinear",
    "second product rule for all neurons of a node with weights",
    r"\partial^2\alpha^n=(A^n\otimes I)\,\partial^2\alpha^p+(I\otimes\Pi_n^\top)\,T^n_{\rm in}\,"
    r"\partial\alpha^p+(I\otimes(\partial\alpha^p)^\top)\,T^n_{\rm own}\,\Pi_n",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _second_bilinear(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    (parent,) = shape.parents[node]
    own, below = make("id", shape.space(node)), _jacobian(shape, parent)
    carried = dot(make("kron", shape.map(node, POINT_P), IDENTITY), _second(shape, parent))
    block = block_of(node)
    one = dot(make("kron", own, transpose(block)), form_in(shape, node), below)
    other = dot(make("kron", own, transpose(below)), form_own(shape, node), block)
    return Schema(_graph(code), eq(_second(shape, node), plus(carried, one, other)))


@lemma(
    "gradients_bound",
    "no gradient is longer than the Jacobian's norm",
    r"\|\Gamma^n\|=\max_i\|\nabla\alpha^n_i\|\le\|\partial\alpha^n\|",
    f"{HORN}, Section 5.6",
    "HornJohnson2013",
)
def _gradients_bound(code: str, node: int) -> Schema:
    shape = _node(code, node)
    left = norm(gradients(shape, node, POINT_P, INPUT_X))
    return Schema(_graph(code), le(left, norm(_jacobian(shape, node))))


@lemma(
    "form_in_bound",
    "the bilinear form of a node, from its parent's value",
    r"\|T^n_{\rm in}\|\le\omega_n",
    "definition of the constant",
    "ZLB22",
)
def _form_in_bound(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    return Schema(_graph(code), le(norm(form_in(shape, node)), symbol("spread", node)))


@lemma(
    "form_own_bound",
    "the bilinear form of a node, from its weights",
    r"\|T^n_{\rm own}\|\le\chi_n",
    "definition of the constant",
    "ZLB22",
)
def _form_own_bound(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    return Schema(_graph(code), le(norm(form_own(shape, node)), symbol("copies", node)))


@lemma(
    "own_bound",
    "the derivative by a node's own weights is at most tau times the parent's value",
    r"\|B^n\|\le\tau_n\|\alpha^p\|",
    "definition of the constant of a bilinear form",
    "ZLB22",
)
def _own_bound(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    size = norm(_value(shape, shape.parents[node][0]))
    left = norm(shape.own(node, POINT_P, INPUT_X))
    return Schema(_graph(code), le(left, mul(contraction_constant(node), size)))


@lemma(
    "jacobian_split",
    "a node's own weights are not among those below it",
    r"\|\partial\alpha^n\|^2\le\|B^n\|^2+\|A^n\,\partial\alpha^p\|^2",
    f"{HORN}, Section 5.6",
    "HornJohnson2013",
)
def _jacobian_split(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    own = norm(shape.own(node, POINT_P, INPUT_X))
    below = norm(dot(shape.map(node, POINT_P), _jacobian(shape, shape.parents[node][0])))
    bound = root(add(squared(own), squared(below)))
    return Schema(_graph(code), le(norm(_jacobian(shape, node)), bound))


@lemma(
    "covector_unit",
    "the output is one entry of the last node",
    r"\|e\|=1",
    "definition of the network",
    "ZLB22",
)
def _covector_unit(code: str) -> Schema:
    return Schema(_graph(code), eq(norm(_node(code, 0).covector), ONE))


@lemma(
    "value_size",
    "an activation grows no faster than its largest slope",
    r"\|\sigma_l(v)\|\le|\sigma_l(0)|\sqrt{\dim v}+\lambda_l\|v\|",
    f"{RUDIN}, Theorem 5.10",
    "Rudin1976",
)
def _value_size() -> Schema:
    start = mul(origin(INDEX), root(make("dim", V.rows)))
    bound = add(start, mul(lipschitz(INDEX), norm(V)))
    return Schema((fact("bounded", INDEX, 1),), le(norm(sigma(INDEX, 0, V)), bound))


# -- random weights -------------------------------------------------------------------------------


def _drawn(code: str, node: int, law: str, *laws: str) -> tuple[Term, ...]:
    require(law in laws)
    return (*_graph(code), fact("drawn", node, law))


def _share(part: int, parts: int) -> Term:
    require(type(part) is int, type(parts) is int, 1 <= part <= parts)
    return share(part, parts)


@lemma(
    "node_norm_likely",
    "norm of a node's map for Gaussian weights",
    r"\mathbb P\bigl(\|A^n\|>\varkappa_n(\sqrt{r_n}+\sqrt{c_n}+t)\bigr)\le p,\ "
    r"\|A^n\|\le\varkappa_n\|W^n\|,\ W^n\in\mathbb R^{r_n\times c_n}",
    "Davidson and Szarek, Local operator theory, random matrices and Banach spaces, 2001, "
    "Theorem II.13",
    "DavidsonSzarek2001",
)
def _node_norm_likely(code: str, node: int, part: int, parts: int) -> Schema:
    shape, p = _node(code, node, "bilinear"), _share(part, parts)
    bound = add(symbol("typical", node), mul(symbol("gain", node), tail(p)))
    event = le(norm(shape.map(node, CENTRE)), bound)
    return Schema(_drawn(code, node, "gaussian", "gaussian"), make("likely", p, event))


@lemma(
    "node_norm_series",
    "norm of a Gaussian or Rademacher matrix series: a node's map",
    r"\mathbb P\bigl(\|A^n\|>\sqrt{2v_n\ln((d_1+d_2)/p)}\bigr)\le p,\ A^n=\textstyle\sum_kw_kA_k,\ "
    r"v_n=\max(\|\textstyle\sum_kA_kA_k^\top\|,\|\sum_kA_k^\top A_k\|)",
    f"{TROPP}, Theorem 4.1.1",
    "Tropp2015",
)
def _node_norm_series(code: str, node: int, law: str, part: int, parts: int) -> Schema:
    shape, p = _node(code, node, "bilinear"), _share(part, parts)
    found = shape.map(node, CENTRE)
    sides = add(make("dim", found.rows), make("dim", found.cols))
    bound = mul(symbol("deviation", node), tail(mul(p, power(sides, Fraction(-1)))))
    return Schema(_drawn(code, node, law, *DRAWN), make("likely", p, le(norm(found), bound)))


@lemma(
    "node_value_likely",
    "norm of a node's value for Gaussian weights",
    r"\mathbb P\bigl(\|\alpha^n\|>\|\alpha^p\|(\omega_n+\tau_nt)\bigr)\le p\ \text{given }\alpha^p",
    f"{BOUCHERON}, Theorem 5.6",
    "BoucheronLugosiMassart2013",
)
def _node_value_likely(code: str, node: int, law: str, part: int, parts: int) -> Schema:
    shape, p = _node(code, node, "bilinear"), _share(part, parts)
    below = norm(_value(shape, shape.parents[node][0], CENTRE))
    reach = add(symbol("spread", node), mul(contraction_constant(node), tail(p)))
    event = le(norm(_value(shape, node, CENTRE)), mul(below, reach))
    return Schema(_drawn(code, node, law, "gaussian", "masked"), make("likely", p, event))


@lemma(
    "output_series",
    "norm of a Gaussian or Rademacher matrix series: the Hessians below the last weights",
    r"\mathbb P\bigl(\|\langle A^{N\top}e,\partial^2\alpha^p\rangle\|>\tau_N\|\partial^2\alpha^p\|"
    r"\sqrt{2\ln(2\dim\theta/p)}\bigr)\le p\ \text{given }\alpha^p,\ "
    r"v\le\tau_N^2\bigl\|\textstyle\sum_i(\partial^2\alpha^p_i)^2\bigr\|",
    f"{TROPP}, Theorem 4.1.1",
    "Tropp2015",
)
def _output_series(code: str, law: str, part: int, parts: int) -> Schema:
    shape, p = _node(code, 0), _share(part, parts)
    last = shape.last
    require(shape.kinds[last] in ("bilinear", "linear"), len(shape.parents[last]) == 1)
    (parent,) = shape.parents[last]
    trained = shape.kinds[last] == "bilinear"
    act = shape.map(last, CENTRE) if trained else shape.link(last, 0)
    left = make("hess", dot(transpose(act), shape.covector), _value(shape, parent, CENTRE), CENTRE)
    least = mul(p, rat(1, 2), power(make("dim", PARAMS), Fraction(-1)))
    size = norm(second(shape, parent, CENTRE, INPUT_X))
    bound = mul(contraction_constant(last), size, tail(least))
    return Schema(_drawn(code, last, law, *DRAWN), make("likely", p, le(norm(left), bound)))


RANDOM_NODES = ("node_norm_likely", "node_norm_series", "node_value_likely", "output_series")
"""The lemmas of this module whose conclusions hold with a probability."""

__all__ = ["DRAWN", "RANDOM_NODES", "form_in", "form_own", "gradients", "second"]
