"""Lemmas that say what the words of a network mean: blocks, layers, signals."""

from __future__ import annotations

from theory.lemmas.base import (
    HORN,
    INDEX,
    INPUT_X,
    POINT_P,
    POINT_Q,
    Parameter,
    Schema,
    fact,
    lemma,
    operator_variable,
    real_variable,
    require,
)
from theory.terms import (
    ONE,
    PARAMS,
    Term,
    add,
    dot,
    eq,
    inv_root,
    le,
    make,
    minus,
    mul,
    norm,
    root,
    shift,
    transpose,
)
from theory.vocabulary import (
    READOUT,
    activation,
    block,
    parameters,
    preactivation,
    readout_weights,
    recursive_definition,
    sigma,
    signal,
    slope,
    squared,
    symbol,
    transfer,
    weights,
    width,
)

TARGET = make("index", "n", 0)  # statements about one neuron are about a neuron of layer n + 1

# -- blocks of parameters -------------------------------------------------------------------------


def blocks(depth: int, readout: str) -> list[Parameter]:
    """The names of the parameter blocks: 1..depth, and the readout when it is trained."""
    require(type(depth) is int, depth >= 1, readout in ("trained", "fixed"))
    return [*range(1, depth + 1), *([READOUT] if readout == "trained" else [])]


@lemma(
    "coordinates",
    "coordinate projections",
    r"\Pi_k\Pi_k^\top=I,\quad\Pi_k\Pi_j^\top=0\ (k\ne j)",
    "definition",
    "HornJohnson2013",
)
def _coordinates(depth: int, readout: str, row: Parameter, col: Parameter) -> Schema:
    known = blocks(depth, readout)
    require(row in known, col in known)
    left, right = block(row, depth), block(col, depth)
    value = make("id", left.rows) if row == col else make("zero", left.rows, right.rows)
    return Schema((fact("parameters", depth, readout),), eq(dot(left, transpose(right)), value))


@lemma(
    "block_norm",
    "the norm of a block matrix",
    r"\|A\|\le\bigl\|\,[\|\Pi_kA\Pi_{k'}^\top\|]_{kk'}\bigr\|",
    f"{HORN}, Problem 5.6.P53",
    "HornJohnson2013",
)
def _block_norm(depth: int, readout: str) -> Schema:
    known = blocks(depth, readout)
    whole = operator_variable("A", PARAMS, PARAMS)
    entries = [
        norm(dot(block(i, depth), whole, transpose(block(j, depth)))) for i in known for j in known
    ]
    bound = make("specnorm", len(known), *entries)
    return Schema((fact("parameters", depth, readout),), le(norm(whole), bound))


@lemma(
    "isometry",
    "a single block of parameters is all of them",
    r"\|\Pi^\top A\,\Pi\|=\|A\|\ \text{(one block of parameters)}",
    "definition",
    "HornJohnson2013",
)
def _isometry(depth: int, readout: str) -> Schema:
    known = blocks(depth, readout)
    require(len(known) == 1)
    only = block(known[0], depth)
    inner = operator_variable("A", only.rows, only.rows)
    framed = norm(dot(transpose(only), inner, only))
    return Schema((fact("parameters", depth, readout),), eq(framed, norm(inner)))


@lemma(
    "block_distance",
    "one block moves no further than all parameters together",
    r"\|W^l(\theta)-W^l(\theta_0)\|\le\|\theta-\theta_0\|",
    f"{HORN}, Section 5.6 (spectral norm at most Frobenius norm)",
    "HornJohnson2013",
)
def _block_distance(depth: int, readout: str, which: Parameter) -> Schema:
    require(which in blocks(depth, readout))
    far, near = (
        readout_weights(depth, p) if which == READOUT else weights(which, p)
        for p in (POINT_P, POINT_Q)
    )
    bound = norm(minus(parameters(POINT_P), parameters(POINT_Q)))
    return Schema((fact("parameters", depth, readout),), le(norm(minus(far, near)), bound))


@lemma(
    "shared_distance",
    "Cauchy-Schwarz over the blocks of parameters",
    r"\sum_{k\le n}\kappa_k\|W^k(\theta)-W^k(\theta_0)\|"
    r"\le(\kappa_1^2+\dots+\kappa_n^2)^{1/2}\|\theta-\theta_0\|",
    f"{HORN}, Sections 0.6.3 and 5.6 (spectral norm at most Frobenius norm)",
    "HornJohnson2013",
)
def _shared_distance(depth: int, readout: str, count: int) -> Schema:
    require(type(count) is int, 1 <= count <= depth, bool(blocks(depth, readout)))
    factors = [real_variable(f"kappa{k}") for k in range(1, count + 1)]
    moved = [norm(minus(weights(k, POINT_P), weights(k, POINT_Q))) for k in range(1, count + 1)]
    left = add(*(mul(c, m) for c, m in zip(factors, moved, strict=True)))
    reach = root(add(*(squared(c) for c in factors)))
    distance = norm(minus(parameters(POINT_P), parameters(POINT_Q)))
    return Schema((fact("parameters", depth, readout),), le(left, mul(reach, distance)))


# -- the network: what its words mean -------------------------------------------------------------


@lemma(
    "preactivation",
    "definition of the pre-activation",
    r"z^l=W^l\alpha^{l-1}/\sqrt{m_{l-1}}",
    "definition of the network",
    "LZB20",
)
def _preactivation() -> Schema:
    below = shift(INDEX, -1)
    value = dot(weights(INDEX, POINT_P), activation(below, POINT_P, INPUT_X))
    left = preactivation(INDEX, POINT_P, INPUT_X)
    return Schema((fact("dense", INDEX),), eq(left, make("scale", inv_root(width(below)), value)))


@lemma(
    "activation",
    "definition of the activation",
    r"\alpha^l=\sigma_l(z^l)",
    "definition of the network",
    "LZB20",
)
def _activation() -> Schema:
    value = sigma(INDEX, 0, preactivation(INDEX, POINT_P, INPUT_X))
    left = activation(INDEX, POINT_P, INPUT_X)
    return Schema((fact("pointwise", INDEX),), eq(left, value))


@lemma(
    "input",
    "the input does not move with the parameters",
    r"\alpha^0(\theta)=\alpha^0(\theta_0)",
    "definition of the network",
    "LZB20",
)
def _input() -> Schema:
    points = (activation(0, p, INPUT_X) for p in (POINT_P, POINT_Q))
    return Schema((fact("input"),), eq(*points))


@lemma(
    "signal_top",
    "definition of the back-propagated signal at the readout",
    r"\delta^L=v/\sqrt{m_L}",
    "definition of the network",
    "LZB20",
)
def _signal_top(readout: str) -> Schema:
    point = readout_point(readout)
    value = make("scale", inv_root(width(INDEX)), readout_weights(INDEX, point))
    premise = fact("readout", readout, INDEX)
    return Schema((premise,), eq(signal(INDEX, POINT_P, INPUT_X), value))


@lemma(
    "signal_below",
    "definition of the back-propagated signal",
    r"\delta^{l-1}=(W^l)^\top D^l\delta^l/\sqrt{m_{l-1}}",
    "chain rule",
    "LZB20",
)
def _signal_below() -> Schema:
    below = shift(INDEX, -1)
    value = dot(
        transpose(weights(INDEX, POINT_P)),
        slope(INDEX, POINT_P, INPUT_X),
        signal(INDEX, POINT_P, INPUT_X),
    )
    premises = (fact("dense", INDEX), fact("pointwise", INDEX))
    left = signal(below, POINT_P, INPUT_X)
    return Schema(premises, eq(left, make("scale", inv_root(width(below)), value)))


# -- one neuron of one layer: what it sees of the layers below -------------------------------------


@lemma(
    "transfer_top",
    "the derivative of a pre-activation by the activations just below",
    r"B^{n+1,n}=W^{n+1}/\sqrt{m_n}",
    "chain rule",
    "LZB22",
)
def _transfer_top() -> Schema:
    below = shift(INDEX, -1)
    value = make("scale", inv_root(width(below)), weights(INDEX, POINT_P))
    left = transfer(INDEX, below, POINT_P, INPUT_X)
    return Schema((fact("dense", INDEX),), eq(left, value))


@lemma(
    "transfer_below",
    "the derivative of a pre-activation by the activations one layer further down",
    r"B^{n,k-1}=B^{n,k}D^kW^k/\sqrt{m_{k-1}}\ (1\le k<n)",
    "chain rule",
    "LZB22",
)
def _transfer_below() -> Schema:
    below, above = shift(INDEX, -1), shift(TARGET, 1)
    value = dot(
        transfer(above, INDEX, POINT_P, INPUT_X),
        slope(INDEX, POINT_P, INPUT_X),
        weights(INDEX, POINT_P),
    )
    premises = (
        fact("dense", INDEX),
        fact("pointwise", INDEX),
        make("range", INDEX, 1, TARGET),
    )
    left = transfer(above, below, POINT_P, INPUT_X)
    return Schema(premises, eq(left, make("scale", inv_root(width(below)), value)))


@lemma(
    "block_projection",
    "the norm of a coordinate projection",
    r"\|\Pi_l\|\le1",
    f"{HORN}, Section 5.6",
    "HornJohnson2013",
)
def _block_projection() -> Schema:
    return Schema((fact("dense", INDEX),), le(norm(block(INDEX, INDEX)), ONE))


@lemma(
    "jacobian_size",
    "definition of the bound on a Jacobian",
    r"J_l=\lambda_l\bigl(\|\alpha^{l-1}\|+\|W^l\|J_{l-1}\bigr)/\sqrt{m_{l-1}}",
    "definition of the constant",
    "LZB22",
)
def _jacobian_size() -> Schema:
    left = symbol("J", INDEX, POINT_P, INPUT_X)
    value = recursive_definition("J", INDEX, POINT_P, INPUT_X)
    return Schema((fact("bounded", INDEX, 1),), eq(left, value))


@lemma(
    "jacobian_size_input",
    "definition of the bound on a Jacobian",
    r"J_0=0",
    "definition of the constant",
    "LZB22",
)
def _jacobian_size_input() -> Schema:
    value = recursive_definition("J", 0, POINT_P, INPUT_X)
    return Schema((), eq(symbol("J", 0, POINT_P, INPUT_X), value))


def readout_point(readout: str) -> Term | None:
    """The point that the readout depends on: p when trained, none when fixed."""
    require(readout in ("trained", "fixed"))
    return POINT_P if readout == "trained" else None
