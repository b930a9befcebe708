"""Lemmas about assemblies ``f = eta sum_{i=1}^m v_i g_i(w_i; x)`` of sub-models.

The number m of sub-models is symbolic.  ``Pi_i`` projects all parameters onto those of sub-model
i.
"""

from __future__ import annotations

from fractions import Fraction

from theory.lemmas.base import (
    HORN,
    INDEX,
    INPUT_X,
    POINT_P,
    Schema,
    fact,
    lemma,
    operator_variable,
    require,
    vector_variable,
)
from theory.terms import (
    ONE,
    PARAMS,
    Term,
    dot,
    eq,
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
    FAILURE,
    PARTS,
    gradient,
    hessian,
    output,
    part_block,
    part_gradient,
    part_hessian,
    part_weight,
    squared,
    submodel,
    symbol,
    tail,
)

COUNT = make("index", "m", 0)
MEMBERS = make("index", "n", 0)
PART = make("index", "i", 0)
LZB22 = "Liu, Zhu and Belkin 2022, Section 2"


def _assembled() -> tuple[Term, Term]:
    """The premises of a statement about one sub-model: f is an assembly, and l is one of its."""
    return fact("assembly", COUNT), make("range", INDEX, 1, COUNT)


def diagonal_part(operator: Term, count: Term | int) -> Term:
    """``sum_i Pi_i' Pi_i A Pi_i' Pi_i``, an operator's diagonal blocks in their places."""
    block = part_block(PART)
    body = dot(transpose(block), block, operator, transpose(block), block)
    return make("osum", "i", 1, count, body)


@lemma(
    "assembly",
    "definition of the assembly",
    r"f=\eta\sum_{i=1}^m v_i\,g_i",
    "definition of the model",
    "LZB22",
)
def _assembly() -> Schema:
    term = dot(part_weight(PART), submodel(PART, POINT_P, INPUT_X))
    value = make("scale", symbol("eta"), make("osum", "i", 1, COUNT, term))
    return Schema((fact("assembly", COUNT),), eq(output(POINT_P, INPUT_X), value))


@lemma(
    "assembly_hessian",
    "a block of the Hessian of an assembly",
    r"\Pi_i\,\nabla^2f\,\Pi_i^\top=\eta\,v_i\,\Pi_i\,\nabla^2g_i\,\Pi_i^\top",
    f"{LZB22}",
    "LZB22",
)
def _assembly_hessian() -> Schema:
    block = part_block(INDEX)
    left = dot(block, hessian(POINT_P, INPUT_X), transpose(block))
    own = make("kron", part_weight(INDEX), part_hessian(INDEX, POINT_P, INPUT_X))
    return Schema(_assembled(), eq(left, make("scale", symbol("eta"), own)))


@lemma(
    "assembly_gradient",
    "a block of the gradient of an assembly",
    r"\Pi_i\,\nabla f=\eta\,v_i\,\Pi_i\,\nabla g_i",
    f"{LZB22}",
    "LZB22",
)
def _assembly_gradient() -> Schema:
    left = dot(part_block(INDEX), gradient(POINT_P, INPUT_X))
    own = make("kron", part_weight(INDEX), part_gradient(INDEX, POINT_P, INPUT_X))
    return Schema(_assembled(), eq(left, make("scale", symbol("eta"), own)))


@lemma(
    "assembly_diagonal",
    "the Hessian of an assembly is block diagonal",
    r"\nabla^2f=\sum_{i=1}^m\Pi_i^\top\Pi_i\,\nabla^2f\,\Pi_i^\top\Pi_i",
    f"{LZB22}",
    "LZB22",
)
def _assembly_diagonal() -> Schema:
    whole = hessian(POINT_P, INPUT_X)
    return Schema((fact("assembly", COUNT),), eq(whole, diagonal_part(whole, COUNT)))


@lemma(
    "block_diagonal_norm",
    "the norm of a block diagonal operator",
    r"\Bigl\|\sum_i\Pi_i^\top\Pi_i\,A\,\Pi_i^\top\Pi_i\Bigr\|=\max_i\|\Pi_iA\Pi_i^\top\|",
    f"{HORN}, Section 5.6",
    "HornJohnson2013",
)
def _block_diagonal_norm() -> Schema:
    whole = operator_variable("A", PARAMS, PARAMS)
    block = part_block(PART)
    entry = norm(dot(block, whole, transpose(block)))
    left = norm(diagonal_part(whole, COUNT))
    return Schema((fact("assembly", COUNT),), eq(left, make("rmax", "i", 1, COUNT, entry)))


@lemma(
    "pythagoras",
    "the squared norm of a vector is the sum over its blocks",
    r"\|u\|^2=\sum_i\|\Pi_iu\|^2",
    "definition",
    "HornJohnson2013",
)
def _pythagoras() -> Schema:
    vector = vector_variable("u", PARAMS)
    total = make("rsum", "i", 1, COUNT, squared(norm(dot(part_block(PART), vector))))
    return Schema((fact("assembly", COUNT),), eq(squared(norm(vector)), total))


@lemma(
    "part_projection",
    "the norm of a coordinate projection",
    r"\|\Pi_i\|\le1",
    f"{HORN}, Section 5.6",
    "HornJohnson2013",
)
def _part_projection() -> Schema:
    return Schema(_assembled(), le(norm(part_block(INDEX)), ONE))


@lemma(
    "part_count",
    "the number of sub-models",
    r"m=\sum_{i=1}^m1",
    "definition of the model",
    "LZB22",
)
def _part_count() -> Schema:
    count = make("rsum", "i", 1, COUNT, ONE)
    return Schema((fact("assembly", COUNT),), eq(make("dim", PARTS), count))


@lemma(
    "shared_weight",
    "the weight of sub-models that share their function and parameters",
    r"v_i=\sum_{j=1}^n v_{i,j}",
    "definition of the model",
    "LZB22",
)
def _shared_weight() -> Schema:
    total = make("osum", "j", 1, MEMBERS, part_weight(INDEX, make("index", "j", 0)))
    premises = (fact("shared", COUNT, MEMBERS), make("range", INDEX, 1, COUNT))
    return Schema(premises, eq(part_weight(INDEX), total))


@lemma(
    "scale",
    "the scale of the assembly",
    r"\eta=1/s(m),\ s(m)=m^{p/q}",
    "definition of the model",
    "LZB22",
)
def _scale(numerator: int, denominator: int) -> Schema:
    require(numerator >= 1, denominator >= 1)
    value = power(make("dim", PARTS), -Fraction(numerator, denominator))
    return Schema((fact("scale", numerator, denominator),), eq(symbol("eta"), value))


@lemma(
    "dominance",
    "the weight of a dominating sub-model",
    r"|v_i|=m^{p/q}",
    "definition of the model",
    "LZB22",
)
def _dominance(numerator: int, denominator: int) -> Schema:
    require(numerator >= 0, denominator >= 1)
    value = power(make("dim", PARTS), Fraction(numerator, denominator)) if numerator else rat(1)
    premise = fact("dominant", INDEX, numerator, denominator)
    return Schema((premise,), eq(norm(part_weight(INDEX)), value))


@lemma(
    "part_bound",
    "the bound on the Hessian norm of a sub-model",
    r"\|\Pi_i\,\nabla^2g_i\,\Pi_i^\top\|\le\beta_i",
    "definition of the constant",
    "LZB22",
)
def _part_bound() -> Schema:
    left = norm(part_hessian(INDEX, POINT_P, INPUT_X))
    premise = fact("part_bounded", INDEX, POINT_P, INPUT_X)
    return Schema((premise,), le(left, symbol("part_beta", INDEX, POINT_P, INPUT_X)))


@lemma(
    "part_model",
    "a sub-model is a model of its own",
    r"\|\nabla^2g_i\|\le\beta\ \text{for the model }g_i\ \Rightarrow\ "
    r"\|\Pi_i\,\nabla^2g_i\,\Pi_i^\top\|\le\beta_i",
    "definition of the model",
    "LZB22",
)
def _part_model() -> Schema:
    """The bound of the model g_i is called beta_i; its Hessian is that block of the whole's."""
    here = (POINT_P, INPUT_X)
    own = le(norm(hessian(*here)), symbol("own_bound", *here))
    left = norm(part_hessian(INDEX, *here))
    premises = (*_assembled(), make("for_part", INDEX, own))
    return Schema(premises, le(left, symbol("part_beta", INDEX, *here)))


@lemma(
    "part_floor",
    "the least gradient of a sub-model",
    r"c\le|v_i|\,\|\Pi_i\,\nabla g_i\|",
    "definition of the constant",
    "LZB22",
)
def _part_floor() -> Schema:
    right = make("mul", norm(part_weight(INDEX)), norm(part_gradient(INDEX, POINT_P, INPUT_X)))
    premise = fact("part_steep", INDEX, POINT_P, INPUT_X)
    return Schema((premise,), le(symbol("part_slope", POINT_P, INPUT_X), right))


RANDOM_SIGNS = ("signed_sum",)
"""Lemmas that hold with a probability over the signs of an assembly's weights."""


def signed_sum_bound() -> Term:
    """``eta sqrt(2 ln(2/delta)) sqrt(sum_i g_i^2)`` at the centre."""
    squares = squared(norm(submodel(PART, CENTRE, INPUT_X)))
    spread = root(make("rsum", "i", 1, COUNT, squares))
    return mul(symbol("eta"), tail(mul(rat(1, 2), FAILURE)), spread)


@lemma(
    "signed_sum",
    "Hoeffding's inequality for random signs",
    r"\mathbb P\bigl(|\eta\sum_iv_ig_i|>\eta\sqrt{2\ln(2/\delta)\sum_ig_i^2}\bigr)\le\delta",
    "Boucheron, Lugosi and Massart, Concentration Inequalities, 2013, Theorem 2.8",
    "BoucheronLugosiMassart2013",
)
def _signed_sum() -> Schema:
    event = le(norm(output(CENTRE, INPUT_X)), signed_sum_bound())
    premises = (fact("assembly", COUNT), fact("signs", COUNT))
    return Schema(premises, make("likely", FAILURE, event))


@lemma(
    "output_bound",
    "the bound on the values of the sub-models",
    r"|g_i|\le G",
    "definition of the constant",
    "LZB22",
)
def _output_bound() -> Schema:
    left = norm(submodel(INDEX, POINT_P, INPUT_X))
    return Schema((fact("output_bounded", INDEX),), le(left, symbol("part_size")))
