"""Lemmas about a graph of elementary maps: what each node is, its product rules, its constants.

The graph is given by its code (see :mod:`theory.graph_terms`).  The fact ``graph`` says that the
network is that graph, so that no two lines of a proof can speak of different ones.
"""

from __future__ import annotations

from theory.graph_terms import (
    Shape,
    block_of,
    contraction_constant,
    link_constant,
    parse,
)
from theory.lemmas.base import (
    HORN,
    INPUT_X,
    POINT_P,
    POINT_Q,
    Schema,
    fact,
    lemma,
    operator_variable,
    require,
    vector_variable,
)
from theory.lemmas.calculus import CALCULUS
from theory.terms import (
    PARAMS,
    SCALAR,
    Term,
    dot,
    eq,
    le,
    make,
    minus,
    mul,
    norm,
    plus,
    transpose,
)
from theory.vocabulary import hessian, parameters, sigma


def _node(code: str, node: int, kind: str) -> Shape:
    """The graph, when the node is of that kind."""
    require(type(code) is str)
    shape = parse(code)
    require(type(node) is int, 0 <= node <= shape.last)
    require(shape.kinds[node] == kind)
    return shape


def _value(shape: Shape, node: int) -> Term:
    return shape.value(node, POINT_P, INPUT_X)


def _jacobian(shape: Shape, node: int) -> Term:
    return make("jac", _value(shape, node), POINT_P)


def _sum(terms: list[Term]) -> Term:
    return plus(*terms)


# -- what the nodes are ---------------------------------------------------------------------------


@lemma(
    "node_bilinear",
    "definition of a node with weights",
    r"\alpha^n=A^n\alpha^p\ \text{(}A^n\text{ linear in }W^n\text{)}",
    "definition of the network",
    "ZLB22",
)
def _node_bilinear(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    (parent,) = shape.parents[node]
    value = dot(shape.map(node, POINT_P), _value(shape, parent))
    return Schema((fact("graph", code),), eq(_value(shape, node), value))


@lemma(
    "node_pointwise",
    "definition of a pointwise node",
    r"\alpha^n=\sigma_n(\alpha^p)",
    "definition of the network",
    "ZLB22",
)
def _node_pointwise(code: str, node: int) -> Schema:
    shape = _node(code, node, "pointwise")
    (parent,) = shape.parents[node]
    return Schema(
        (fact("graph", code),), eq(_value(shape, node), sigma(node, 0, _value(shape, parent)))
    )


@lemma(
    "node_linear",
    "definition of a fixed linear node",
    r"\alpha^n=\textstyle\sum_jL^{n,j}\alpha^{p_j}",
    "definition of the network",
    "ZLB22",
)
def _node_linear(code: str, node: int) -> Schema:
    shape = _node(code, node, "linear")
    parents = shape.parents[node]
    value = _sum([dot(shape.link(node, j), _value(shape, p)) for j, p in enumerate(parents)])
    return Schema((fact("graph", code),), eq(_value(shape, node), value))


# -- constants ------------------------------------------------------------------------------------


@lemma(
    "node_map_distance",
    "the map of a node moves no further than tau times the parameters",
    r"\|A^n(\theta)-A^n(\theta_0)\|\le\tau_n\|\theta-\theta_0\|",
    "definition of the constant of a bilinear form",
    "ZLB22",
)
def _node_map_distance(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    gap = minus(*(shape.map(node, p) for p in (POINT_P, POINT_Q)))
    bound = mul(contraction_constant(node), norm(minus(parameters(POINT_P), parameters(POINT_Q))))
    return Schema((fact("graph", code),), le(norm(gap), bound))


@lemma(
    "own_step",
    "what moving a node's own weights does, its parent's value held",
    r"(A^n(\theta)-A^n(\theta_0))\,\alpha^p(\theta_0)=B^n(\theta_0)\,\Pi_n(\theta-\theta_0)",
    "definition of the network",
    "ZLB22",
)
def _own_step(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    (parent,) = shape.parents[node]
    gap = minus(*(shape.map(node, p) for p in (POINT_P, POINT_Q)))
    moved = minus(parameters(POINT_P), parameters(POINT_Q))
    left = dot(gap, shape.value(parent, POINT_Q, INPUT_X))
    right = dot(shape.own(node, POINT_Q, INPUT_X), block_of(node), moved)
    return Schema((fact("graph", code),), eq(left, right))


@lemma(
    "own_distance",
    "the derivative by a node's own weights moves no further than tau times the parent's value",
    r"\|B^n(\theta)-B^n(\theta_0)\|\le\tau_n\|\alpha^p(\theta)-\alpha^p(\theta_0)\|",
    "definition of the constant of a bilinear form",
    "ZLB22",
)
def _own_distance(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    (parent,) = shape.parents[node]
    points = (POINT_P, POINT_Q)
    gap = minus(*(shape.own(node, p, INPUT_X) for p in points))
    below = minus(*(shape.value(parent, p, INPUT_X) for p in points))
    return Schema(
        (fact("graph", code),), le(norm(gap), mul(contraction_constant(node), norm(below)))
    )


@lemma(
    "form_bound",
    "a combination of the slices of a node's bilinear form",
    r"\bigl\|\textstyle\sum_kc_kT^n_k\bigr\|\le\tau_n\|c\|",
    "definition of the constant of a bilinear form",
    "ZLB22",
)
def _form_bound(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    covector = vector_variable("c", shape.space(node))
    left = norm(make("contract", covector, shape.form(node)))
    return Schema((fact("graph", code),), le(left, mul(contraction_constant(node), norm(covector))))


@lemma(
    "form_distance",
    "the combination moves no further than tau times its coefficients",
    r"\bigl\|\textstyle\sum_kc_kT^n_k-\sum_kd_kT^n_k\bigr\|\le\tau_n\|c-d\|",
    "definition of the constant of a bilinear form",
    "ZLB22",
)
def _form_distance(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    pair = [vector_variable(name, shape.space(node)) for name in "cd"]
    left = norm(minus(*(make("contract", c, shape.form(node)) for c in pair)))
    return Schema(
        (fact("graph", code),), le(left, mul(contraction_constant(node), norm(minus(*pair))))
    )


@lemma(
    "link_bound",
    "the norm of a fixed map",
    r"\|L^{n,j}\|\le\ell_{n,j}",
    "definition of the constant",
    "ZLB22",
)
def _link_bound(code: str, node: int, slot: int) -> Schema:
    shape = _node(code, node, "linear")
    parents = shape.parents[node]
    require(type(slot) is int, 0 <= slot < len(parents))
    left = norm(shape.link(node, slot))
    return Schema((fact("graph", code),), le(left, link_constant(node, slot)))


# -- product rules --------------------------------------------------------------------------------


@lemma(
    "jacobian_bilinear",
    "product rule for a node with weights",
    r"\partial\alpha^n=B^n\Pi_n+A^n\,\partial\alpha^p",
    f"{CALCULUS}, Chapter 5",
    "MagnusNeudecker2019",
)
def _jacobian_bilinear(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    (parent,) = shape.parents[node]
    own = dot(shape.own(node, POINT_P, INPUT_X), block_of(node))
    rest = dot(shape.map(node, POINT_P), _jacobian(shape, parent))
    return Schema((fact("graph", code),), eq(_jacobian(shape, node), plus(own, rest)))


@lemma(
    "hessian_bilinear",
    "second product rule for a node with weights",
    r"\langle c,\partial^2\alpha^n\rangle=\langle A^{n\top}c,\partial^2\alpha^p\rangle+X+X^\top,"
    r"\ X=\Pi_n^\top\bigl(\textstyle\sum_kc_kT^n_k\bigr)\partial\alpha^p",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _hessian_bilinear(code: str, node: int) -> Schema:
    shape = _node(code, node, "bilinear")
    (parent,) = shape.parents[node]
    covector = vector_variable("c", shape.space(node))
    pulled = dot(transpose(shape.map(node, POINT_P)), covector)
    mixed = make("contract", covector, shape.form(node))
    cross = dot(transpose(block_of(node)), mixed, _jacobian(shape, parent))
    inner = make("hess", pulled, _value(shape, parent), POINT_P)
    left = make("hess", covector, _value(shape, node), POINT_P)
    return Schema((fact("graph", code),), eq(left, plus(inner, cross, transpose(cross))))


@lemma(
    "jacobian_linear",
    "the derivative of a fixed linear node",
    r"\partial\alpha^n=\textstyle\sum_jL^{n,j}\,\partial\alpha^{p_j}",
    f"{CALCULUS}, Chapter 5",
    "MagnusNeudecker2019",
)
def _jacobian_linear(code: str, node: int) -> Schema:
    shape = _node(code, node, "linear")
    parents = shape.parents[node]
    value = _sum([dot(shape.link(node, j), _jacobian(shape, p)) for j, p in enumerate(parents)])
    return Schema((fact("graph", code),), eq(_jacobian(shape, node), value))


@lemma(
    "hessian_linear",
    "the second derivative of a fixed linear node",
    r"\langle c,\partial^2\alpha^n\rangle="
    r"\textstyle\sum_j\langle L^{n,j\top}c,\partial^2\alpha^{p_j}\rangle",
    f"{CALCULUS}, Chapter 6",
    "MagnusNeudecker2019",
)
def _hessian_linear(code: str, node: int) -> Schema:
    shape = _node(code, node, "linear")
    parents = shape.parents[node]
    covector = vector_variable("c", shape.space(node))
    terms = [
        make("hess", dot(transpose(shape.link(node, j)), covector), _value(shape, p), POINT_P)
        for j, p in enumerate(parents)
    ]
    left = make("hess", covector, _value(shape, node), POINT_P)
    return Schema((fact("graph", code),), eq(left, _sum(terms)))


# -- the output and the back-propagated signal ----------------------------------------------------


@lemma(
    "hessian_output",
    "the output is one entry of the last node",
    r"\partial^2f=\langle e,\partial^2\alpha^N\rangle",
    "definition of the network",
    "ZLB22",
)
def _hessian_output(code: str) -> Schema:
    shape = _any(code)
    last = shape.last
    value = make("hess", shape.covector, _value(shape, last), POINT_P)
    return Schema((fact("graph", code),), eq(hessian(POINT_P, INPUT_X), value))


@lemma(
    "signal_output",
    "the back-propagated signal at the output",
    r"\delta^N=e",
    "definition of the network",
    "ZLB22",
)
def _signal_output(code: str) -> Schema:
    shape = _any(code)
    last = shape.last
    left = shape.signal(last, POINT_P, INPUT_X)
    return Schema((fact("graph", code),), eq(left, shape.covector))


@lemma(
    "signal_node",
    "chain rule for the back-propagated signal",
    r"\delta^n=\textstyle\sum_{\text{children }c}(\partial\alpha^c/\partial\alpha^n)^\top\delta^c",
    f"{CALCULUS}, Chapter 5",
    "MagnusNeudecker2019",
)
def _signal_node(code: str, node: int) -> Schema:
    shape = _any(code)
    require(type(node) is int, 0 <= node < shape.last)
    terms = [_pulled(shape, node, child, slot) for child, slot in shape.children(node)]
    value = _sum(terms) if terms else make("zero", shape.space(node), SCALAR)
    return Schema((fact("graph", code),), eq(shape.signal(node, POINT_P, INPUT_X), value))


def _any(code: str) -> Shape:
    require(type(code) is str)
    return parse(code)


def _pulled(shape: Shape, node: int, child: int, slot: int) -> Term:
    """What a child adds to the signal of a node."""
    delta = shape.signal(child, POINT_P, INPUT_X)
    match shape.kinds[child]:
        case "bilinear":
            return dot(transpose(shape.map(child, POINT_P)), delta)
        case "pointwise":
            return dot(make("diag", sigma(child, 1, _value(shape, node))), delta)
    return dot(transpose(shape.link(child, slot)), delta)


# -- blocks of parameters -------------------------------------------------------------------------


@lemma(
    "graph_coordinates",
    "coordinate projections of a graph's parameters",
    r"\Pi_k\Pi_k^\top=I,\quad\Pi_k\Pi_j^\top=0\ (k\ne j)",
    "definition",
    "HornJohnson2013",
)
def _graph_coordinates(code: str, row: int, col: int) -> Schema:
    _node(code, row, "bilinear")
    _node(code, col, "bilinear")
    left, right = block_of(row), block_of(col)
    value = make("id", left.rows) if row == col else make("zero", left.rows, right.rows)
    return Schema((fact("graph", code),), eq(dot(left, transpose(right)), value))


@lemma(
    "graph_block_norm",
    "the norm of a block matrix, by the nodes with weights",
    r"\|A\|\le\bigl\|\,[\|\Pi_kA\Pi_{k'}^\top\|]_{kk'}\bigr\|",
    f"{HORN}, Problem 5.6.P53",
    "HornJohnson2013",
)
def _graph_block_norm(code: str) -> Schema:
    known = _any(code).weighted
    require(len(known) > 0)
    whole = operator_variable("A", PARAMS, PARAMS)
    entries = [norm(dot(block_of(i), whole, transpose(block_of(j)))) for i in known for j in known]
    bound = make("specnorm", len(known), *entries)
    return Schema((fact("graph", code),), le(norm(whole), bound))
