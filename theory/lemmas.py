"""The trusted lemmas: all that is believed without a proof in the kernel, each named and cited.

A lemma is a schema over variables; the kernel instantiates it by substitution and matches its premises
structurally.  Some are families with integer parameters (a triangle inequality for n summands).
Each has an executable meaning, its own formula, which ``proofs_check`` evaluates on random and on
adversarial matrices, networks and activations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from theory.terms import (
    PARAMS,
    SCALAR,
    ZERO,
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
    plus,
    rat,
    shift,
    transpose,
)
from theory.vocabulary import (
    READOUT,
    activation,
    block,
    curvature,
    gradient,
    hessian,
    layer,
    lipschitz,
    output,
    parameters,
    preactivation,
    readout_weights,
    sigma,
    signal,
    slope,
    squared,
    weights,
    width,
)

Parameter = int | str


@dataclass(frozen=True)
class Schema:
    """Premises and conclusion of one lemma, with variables."""

    premises: tuple[Term, ...]
    conclusion: Term


@dataclass(frozen=True)
class Lemma:
    """A trusted lemma.

    Attributes:
        name: what proofs call it.
        title: its name in words.
        says: what it states, in LaTeX.
        source: where a proof of it is found.
        cite: the BibTeX key of that source.
        family: builds the schema from the parameters.
    """

    name: str
    title: str
    says: str
    source: str
    cite: str
    family: Callable[..., Schema]


LEMMAS: dict[str, Lemma] = {}


LARGEST = 400  # of summands, layers or blocks: hostile files must not make the families grow


class UnknownLemmaError(KeyError):
    """A lemma of that name, or with such parameters, is not among the trusted ones."""


def _lemma(name: str, title: str, says: str, source: str, cite: str) -> Callable[..., None]:
    def register(family: Callable[..., Schema]) -> None:
        LEMMAS[name] = Lemma(name, title, says, source, cite, lru_cache(maxsize=None)(family))

    return register


def schema(name: str, parameters: tuple[Parameter, ...] = ()) -> Schema:
    """The schema of a lemma.

    Raises:
        UnknownLemmaError: when there is no such lemma, or the parameters do not fit it.
    """
    if name not in LEMMAS:
        msg = f"no trusted lemma is called {name!r}; known: {', '.join(LEMMAS)}"
        raise UnknownLemmaError(msg)
    if any(type(p) not in (int, str) or (type(p) is int and p > LARGEST) for p in parameters):
        msg = f"parameters of lemma {name} are words and integers up to {LARGEST}, not {parameters}"
        raise UnknownLemmaError(msg)
    try:
        return LEMMAS[name].family(*parameters)
    except (TypeError, ValueError) as error:
        msg = f"lemma {name} has no instance with parameters {parameters}: {error}"
        raise UnknownLemmaError(msg) from error


# -- variables of the schemas ---------------------------------------------------------------------

HORN = "Horn and Johnson, Matrix Analysis, 2nd ed., 2013"


def space_variable(name: str) -> Term:
    """A schematic space."""
    return make("var", name, "space")


def operator_variable(name: str, rows: str | Term = "r", cols: str | Term = "c") -> Term:
    """A schematic operator between schematic (or given) spaces."""
    spaces = [space_variable(s) if isinstance(s, str) else s for s in (rows, cols)]
    return make("var", name, "op", *spaces)


def vector_variable(name: str, rows: str | Term = "r") -> Term:
    """A schematic vector."""
    return operator_variable(name, rows, SCALAR)


def real_variable(name: str) -> Term:
    """A schematic non-negative real."""
    return make("var", name, "real")


INDEX = make("index", "l", 0)
POINT_P, POINT_Q = make("point", "p"), make("point", "q")
INPUT_X = make("input", "u")
A, B = operator_variable("A"), operator_variable("B", "c", "n")
V, U = vector_variable("v"), vector_variable("w")
KAPPA = real_variable("kappa")


def _require(*tests: bool) -> None:
    if not all(tests):
        msg = "the parameters are out of range"
        raise ValueError(msg)


def fact(name: str, *tags: object) -> Term:
    """A hypothesis about the network, by name (see ``theory.assumptions``)."""
    return make("fact", name, *tags)


# -- norms ----------------------------------------------------------------------------------------


@_lemma("triangle", "triangle inequality",
        r"\|A_1+\dots+A_n\|\le\|A_1\|+\dots+\|A_n\|", f"{HORN}, Definition 5.1.1", "HornJohnson2013")
def _triangle(count: int, kind: str) -> Schema:
    _require(count >= 2, kind in ("2", "inf", "1"))
    cols = SCALAR if kind != "2" else "c"
    terms = [operator_variable(f"A{i}", "r", cols) for i in range(1, count + 1)]
    return Schema((), le(norm(plus(*terms), kind), add(*(norm(t, kind) for t in terms))))


@_lemma("product", "submultiplicativity of the spectral norm",
        r"\|A_1\cdots A_n\|\le\|A_1\|\cdots\|A_n\|", f"{HORN}, Theorem 5.6.2", "HornJohnson2013")
def _product(count: int) -> Schema:
    _require(count >= 2)
    spaces = [f"s{i}" for i in range(count + 1)]
    terms = [operator_variable(f"A{i}", spaces[i - 1], spaces[i]) for i in range(1, count + 1)]
    return Schema((), le(norm(dot(*terms)), mul(*(norm(t) for t in terms))))


@_lemma("homogeneity", "homogeneity of a norm", r"\|\kappa A\|=\kappa\|A\|,\ \kappa\ge0",
        f"{HORN}, Definition 5.1.1", "HornJohnson2013")
def _homogeneity(kind: str) -> Schema:
    _require(kind in ("2", "inf", "1"))
    term = A if kind == "2" else V
    return Schema((), eq(norm(make("scale", KAPPA, term), kind), mul(KAPPA, norm(term, kind))))


@_lemma("negation", "the norm of the negative", r"\|-A\|=\|A\|", f"{HORN}, Definition 5.1.1",
        "HornJohnson2013")
def _negation(kind: str) -> Schema:
    _require(kind in ("2", "inf", "1"))
    term = A if kind == "2" else V
    return Schema((), eq(norm(make("neg", term), kind), norm(term, kind)))


@_lemma("transpose", "the norm of the transpose", r"\|A^\top\|=\|A\|",
        f"{HORN}, Theorem 5.6.2 and Section 5.6", "HornJohnson2013")
def _transposed() -> Schema:
    return Schema((), eq(norm(transpose(A)), norm(A)))


@_lemma("gram", "the norm of a Gram matrix", r"\|AA^\top\|=\|A\|^2", f"{HORN}, Section 5.6",
        "HornJohnson2013")
def _gram() -> Schema:
    return Schema((), eq(norm(dot(A, transpose(A))), squared(norm(A))))


@_lemma("identity", "the norm of the identity", r"\|I\|\le1", f"{HORN}, Section 5.6",
        "HornJohnson2013")
def _identity() -> Schema:
    return Schema((), le(norm(make("id", space_variable("r"))), rat(1)))


@_lemma("zero", "the norm of zero", r"\|0\|=0", f"{HORN}, Definition 5.1.1", "HornJohnson2013")
def _zero() -> Schema:
    return Schema((), eq(norm(make("zero", space_variable("r"), space_variable("c"))), ZERO))


@_lemma("kronecker", "the norm of a Kronecker product", r"\|A\otimes B\|=\|A\|\,\|B\|",
        "Horn and Johnson, Topics in Matrix Analysis, 1991, Theorem 4.2.15", "HornJohnson1991")
def _kronecker() -> Schema:
    other = operator_variable("B", "r2", "c2")
    return Schema((), eq(norm(make("kron", A, other)), mul(norm(A), norm(other))))


@_lemma("mixed_product", "the mixed product of Kronecker products",
        r"(A\otimes B)(C\otimes D)=AC\otimes BD",
        "Horn and Johnson, Topics in Matrix Analysis, 1991, Lemma 4.2.10", "HornJohnson1991")
def _mixed_product() -> Schema:
    a, c = operator_variable("A", "r", "k"), operator_variable("C", "k", "c")
    b, d = operator_variable("B", "r2", "k2"), operator_variable("D", "k2", "c2")
    left = dot(make("kron", a, b), make("kron", c, d))
    return Schema((), eq(left, make("kron", dot(a, c), dot(b, d))))


@_lemma("diagonal", "the norm of a diagonal matrix", r"\|\mathrm{diag}(v)\|=\|v\|_\infty",
        f"{HORN}, Section 5.6", "HornJohnson2013")
def _diagonal() -> Schema:
    return Schema((), eq(norm(make("diag", V)), norm(V, "inf")))


@_lemma("diagonal_max", "Hoelder for the maximum norm",
        r"\|\mathrm{diag}(u)v\|_\infty\le\|u\|_\infty\|v\|_\infty",
        "Hardy, Littlewood and Polya, Inequalities, 1934, Section 2.8", "HardyLittlewoodPolya1934")
def _diagonal_max() -> Schema:
    left = norm(dot(make("diag", U), V), "inf")
    return Schema((), le(left, mul(norm(U, "inf"), norm(V, "inf"))))


@_lemma("diagonal_two", "Hoelder for a diagonal matrix and a vector",
        r"\|\mathrm{diag}(u)v\|\le\|u\|\,\|v\|_\infty",
        "Hardy, Littlewood and Polya, Inequalities, 1934, Section 2.8", "HardyLittlewoodPolya1934")
def _diagonal_two() -> Schema:
    return Schema((), le(norm(dot(make("diag", U), V)), mul(norm(U), norm(V, "inf"))))


@_lemma("hoelder", "Hoelder's inequality", r"|u^\top v|\le\|u\|_\infty\|v\|_1",
        "Hardy, Littlewood and Polya, Inequalities, 1934, Section 2.8", "HardyLittlewoodPolya1934")
def _hoelder() -> Schema:
    return Schema((), le(norm(dot(transpose(U), V)), mul(norm(U, "inf"), norm(V, "1"))))


@_lemma("max_at_most_two", "the maximum norm is at most the Euclidean norm",
        r"\|v\|_\infty\le\|v\|", f"{HORN}, Problem 5.4.P3", "HornJohnson2013")
def _max_at_most_two() -> Schema:
    return Schema((), le(norm(V, "inf"), norm(V)))


@_lemma("tensor_norm", "the (2,2,1)-norm of a three-tensor",
        r"\sum_k|x^\top T_k z|\le\|T\|_{2,2,1}\|x\|\,\|z\|",
        "Liu, Zhu and Belkin 2020, Section 3 (definition of the norm)", "LZB20")
def _tensor_norm() -> Schema:
    tensor, x, z = _three_tensor()
    left = norm(dot(tensor, make("kron", x, z)), "1")
    return Schema((), le(left, mul(norm(tensor, "221"), norm(x), norm(z))))


@_lemma("contraction", "a linear combination of the slices of a three-tensor",
        r"x^\top\bigl(\sum_k u_kT_k\bigr)z=\sum_k u_k\,x^\top T_kz", "definition", "LZB20")
def _contraction() -> Schema:
    tensor, x, z = _three_tensor()
    left = dot(transpose(x), make("contract", V, tensor), z)
    return Schema((), eq(left, dot(transpose(V), tensor, make("kron", x, z))))


def _three_tensor() -> tuple[Term, Term, Term]:
    product = make("tensor", space_variable("i"), space_variable("j"))
    return operator_variable("T", "r", product), vector_variable("x", "i"), vector_variable("z", "j")


@_lemma("entrywise", "monotonicity of the spectral norm of non-negative matrices",
        r"0\le A_{ij}\le B_{ij}\Rightarrow\|A\|\le\|B\|", f"{HORN}, Theorem 8.1.18",
        "HornJohnson2013")
def _entrywise(size: int) -> Schema:
    _require(size >= 1)
    pairs = [(i, j) for i in range(size) for j in range(size)]
    small = [real_variable(f"a{i}_{j}") for i, j in pairs]
    large = [real_variable(f"b{i}_{j}") for i, j in pairs]
    premises = tuple(le(s, t) for s, t in zip(small, large, strict=True))
    return Schema(premises, le(make("specnorm", size, *small), make("specnorm", size, *large)))


# -- reals ----------------------------------------------------------------------------------------


@_lemma("min_intro", "the greatest lower bound", r"c\le a,\ c\le b\Rightarrow c\le\min(a,b)",
        "definition", "HardyLittlewoodPolya1934")
def _min_intro() -> Schema:
    a, b, c = (real_variable(n) for n in "abc")
    return Schema((le(c, a), le(c, b)), le(c, make("min", a, b)))


# -- blocks of parameters -------------------------------------------------------------------------


def blocks(depth: int, readout: str) -> list[Parameter]:
    """The names of the parameter blocks: 1..depth, and the readout when it is trained."""
    _require(type(depth) is int, depth >= 1, readout in ("trained", "fixed"))
    return [*range(1, depth + 1), *([READOUT] if readout == "trained" else [])]


@_lemma("coordinates", "coordinate projections",
        r"\Pi_k\Pi_k^\top=I,\quad\Pi_k\Pi_j^\top=0\ (k\ne j)", "definition", "HornJohnson2013")
def _coordinates(depth: int, readout: str, row: Parameter, col: Parameter) -> Schema:
    known = blocks(depth, readout)
    _require(row in known, col in known)
    left, right = block(row, depth), block(col, depth)
    value = make("id", left.rows) if row == col else make("zero", left.rows, right.rows)
    return Schema((fact("parameters", depth, readout),), eq(dot(left, transpose(right)), value))


@_lemma("block_norm", "the norm of a block matrix",
        r"\|A\|\le\bigl\|\,[\|\Pi_kA\Pi_{k'}^\top\|]_{kk'}\bigr\|",
        f"{HORN}, Problem 5.6.P53", "HornJohnson2013")
def _block_norm(depth: int, readout: str) -> Schema:
    known = blocks(depth, readout)
    whole = operator_variable("A", PARAMS, PARAMS)
    entries = [
        norm(dot(block(i, depth), whole, transpose(block(j, depth)))) for i in known for j in known
    ]
    bound = make("specnorm", len(known), *entries)
    return Schema((fact("parameters", depth, readout),), le(norm(whole), bound))


@_lemma("isometry", "a single block of parameters is all of them",
        r"\|\Pi^\top A\,\Pi\|=\|A\|\ \text{(one block of parameters)}", "definition",
        "HornJohnson2013")
def _isometry(depth: int, readout: str) -> Schema:
    known = blocks(depth, readout)
    _require(len(known) == 1)
    only = block(known[0], depth)
    inner = operator_variable("A", only.rows, only.rows)
    framed = norm(dot(transpose(only), inner, only))
    return Schema((fact("parameters", depth, readout),), eq(framed, norm(inner)))


@_lemma("block_distance", "one block moves no further than all parameters together",
        r"\|W^l(\theta)-W^l(\theta_0)\|\le\|\theta-\theta_0\|",
        f"{HORN}, Section 5.6 (spectral norm at most Frobenius norm)", "HornJohnson2013")
def _block_distance(depth: int, readout: str, which: Parameter) -> Schema:
    _require(which in blocks(depth, readout))
    far, near = (
        readout_weights(depth, p) if which == READOUT else weights(which, p)
        for p in (POINT_P, POINT_Q)
    )
    bound = norm(minus(parameters(POINT_P), parameters(POINT_Q)))
    return Schema((fact("parameters", depth, readout),), le(norm(minus(far, near)), bound))


# -- the network: what its words mean -------------------------------------------------------------


@_lemma("preactivation", "definition of the pre-activation",
        r"z^l=W^l\alpha^{l-1}/\sqrt{m_{l-1}}", "definition of the network", "LZB20")
def _preactivation() -> Schema:
    below = shift(INDEX, -1)
    value = dot(weights(INDEX, POINT_P), activation(below, POINT_P, INPUT_X))
    left = preactivation(INDEX, POINT_P, INPUT_X)
    return Schema((fact("dense", INDEX),), eq(left, make("scale", inv_root(width(below)), value)))


@_lemma("activation", "definition of the activation", r"\alpha^l=\sigma_l(z^l)",
        "definition of the network", "LZB20")
def _activation() -> Schema:
    value = sigma(INDEX, 0, preactivation(INDEX, POINT_P, INPUT_X))
    left = activation(INDEX, POINT_P, INPUT_X)
    return Schema((fact("pointwise", INDEX),), eq(left, value))


@_lemma("input", "the input does not move with the parameters",
        r"\alpha^0(\theta)=\alpha^0(\theta_0)", "definition of the network", "LZB20")
def _input() -> Schema:
    points = (activation(0, p, INPUT_X) for p in (POINT_P, POINT_Q))
    return Schema((fact("input"),), eq(*points))


@_lemma("signal_top", "definition of the back-propagated signal at the readout",
        r"\delta^L=v/\sqrt{m_L}", "definition of the network", "LZB20")
def _signal_top(readout: str) -> Schema:
    point = _readout_point(readout)
    value = make("scale", inv_root(width(INDEX)), readout_weights(INDEX, point))
    premise = fact("readout", readout, INDEX)
    return Schema((premise,), eq(signal(INDEX, POINT_P, INPUT_X), value))


@_lemma("signal_below", "definition of the back-propagated signal",
        r"\delta^{l-1}=(W^l)^\top D^l\delta^l/\sqrt{m_{l-1}}", "chain rule", "LZB20")
def _signal_below() -> Schema:
    below = shift(INDEX, -1)
    value = dot(
        transpose(weights(INDEX, POINT_P)), slope(INDEX, POINT_P, INPUT_X),
        signal(INDEX, POINT_P, INPUT_X),
    )
    premises = (fact("dense", INDEX), fact("pointwise", INDEX))
    left = signal(below, POINT_P, INPUT_X)
    return Schema(premises, eq(left, make("scale", inv_root(width(below)), value)))


def _readout_point(readout: str) -> Term | None:
    _require(readout in ("trained", "fixed"))
    return POINT_P if readout == "trained" else None


# -- chain rules ----------------------------------------------------------------------------------

CALCULUS = "Magnus and Neudecker, Matrix Differential Calculus, 3rd ed., 2019"


@_lemma("jacobian_dense", "product rule for a layer bilinear in weights and input",
        r"\partial z^l=\bigl((I\otimes\alpha^{l-1\,\top})\Pi_l+W^l\,\partial\alpha^{l-1}\bigr)"
        r"/\sqrt{m_{l-1}}", f"{CALCULUS}, Chapter 5", "MagnusNeudecker2019")
def _jacobian_dense() -> Schema:
    below = shift(INDEX, -1)
    lower = activation(below, POINT_P, INPUT_X)
    own = dot(make("kron", make("id", layer(INDEX)), transpose(lower)), block(INDEX, INDEX))
    rest = dot(weights(INDEX, POINT_P), make("jac", lower, POINT_P))
    left = make("jac", preactivation(INDEX, POINT_P, INPUT_X), POINT_P)
    right = make("scale", inv_root(width(below)), plus(own, rest))
    return Schema((fact("dense", INDEX),), eq(left, right))


@_lemma("jacobian_pointwise", "chain rule for a pointwise activation",
        r"\partial\,\sigma(z)=\mathrm{diag}(\sigma'(z))\,\partial z", f"{CALCULUS}, Chapter 5",
        "MagnusNeudecker2019")
def _jacobian_pointwise() -> Schema:
    left = make("jac", sigma(INDEX, 0, V), POINT_P)
    right = dot(make("diag", sigma(INDEX, 1, V)), make("jac", V, POINT_P))
    return Schema((fact("smooth", INDEX),), eq(left, right))


@_lemma("jacobian_input", "the input has no derivative by the parameters",
        r"\partial\alpha^0=0", f"{CALCULUS}, Chapter 5", "MagnusNeudecker2019")
def _jacobian_input() -> Schema:
    left = make("jac", activation(0, POINT_P, INPUT_X), POINT_P)
    return Schema((fact("input"),), eq(left, make("zero", layer(0), PARAMS)))


@_lemma("jacobian_readout", "product rule for the linear readout",
        r"\partial f=\bigl(\alpha^{L\,\top}\Pi_v+v^\top\partial\alpha^L\bigr)/\sqrt{m_L}"
        r"\ \text{(first term: readout trained)}",
        f"{CALCULUS}, Chapter 5", "MagnusNeudecker2019")
def _jacobian_readout(readout: str) -> Schema:
    top = activation(INDEX, POINT_P, INPUT_X)
    vector = readout_weights(INDEX, _readout_point(readout))
    terms = [dot(transpose(vector), make("jac", top, POINT_P))]
    if readout == "trained":
        terms.insert(0, dot(transpose(top), block(READOUT, INDEX)))
    left = make("jac", output(POINT_P, INPUT_X), POINT_P)
    right = make("scale", inv_root(width(INDEX)), plus(*terms))
    return Schema((fact("readout", readout, INDEX),), eq(left, right))


@_lemma("hessian_dense", "second product rule for a layer bilinear in weights and input",
        r"\langle c,\partial^2z^l\rangle=\bigl(\langle W^{l\top}c,\partial^2\alpha^{l-1}\rangle"
        r"+X+X^\top\bigr)/\sqrt{m_{l-1}},\ X=\Pi_l^\top(c\otimes I)\,\partial\alpha^{l-1}",
        f"{CALCULUS}, Chapter 6", "MagnusNeudecker2019")
def _hessian_dense() -> Schema:
    below = shift(INDEX, -1)
    lower = activation(below, POINT_P, INPUT_X)
    covector = vector_variable("c", layer(INDEX))
    cross = dot(
        transpose(block(INDEX, INDEX)), make("kron", covector, make("id", layer(below))),
        make("jac", lower, POINT_P),
    )
    inner = make("hess", dot(transpose(weights(INDEX, POINT_P)), covector), lower, POINT_P)
    left = make("hess", covector, preactivation(INDEX, POINT_P, INPUT_X), POINT_P)
    right = make("scale", inv_root(width(below)), plus(inner, cross, transpose(cross)))
    return Schema((fact("dense", INDEX),), eq(left, right))


@_lemma("hessian_pointwise", "second chain rule for a pointwise activation",
        r"\langle c,\partial^2\sigma(z)\rangle=(\partial z)^\top\mathrm{diag}(\sigma''(z)c)"
        r"\,\partial z+\langle\mathrm{diag}(\sigma'(z))c,\partial^2z\rangle",
        f"{CALCULUS}, Chapter 6", "MagnusNeudecker2019")
def _hessian_pointwise() -> Schema:
    covector = vector_variable("c")
    jacobian = make("jac", V, POINT_P)
    bend = make("diag", dot(make("diag", sigma(INDEX, 2, V)), covector))
    inner = make("hess", dot(make("diag", sigma(INDEX, 1, V)), covector), V, POINT_P)
    left = make("hess", covector, sigma(INDEX, 0, V), POINT_P)
    right = plus(dot(transpose(jacobian), bend, jacobian), inner)
    return Schema((fact("smooth", INDEX),), eq(left, right))


@_lemma("hessian_input", "the input has no second derivative by the parameters",
        r"\langle c,\partial^2\alpha^0\rangle=0", f"{CALCULUS}, Chapter 6", "MagnusNeudecker2019")
def _hessian_input() -> Schema:
    left = make("hess", vector_variable("c", layer(0)), activation(0, POINT_P, INPUT_X), POINT_P)
    return Schema((fact("input"),), eq(left, make("zero", PARAMS, PARAMS)))


@_lemma("hessian_readout", "second product rule for the linear readout",
        r"\partial^2f=\bigl(\langle v,\partial^2\alpha^L\rangle+X+X^\top\bigr)/\sqrt{m_L},\ "
        r"X=\Pi_v^\top\partial\alpha^L\ \text{(readout trained; else }X=0)",
        f"{CALCULUS}, Chapter 6", "MagnusNeudecker2019")
def _hessian_readout(readout: str) -> Schema:
    top = activation(INDEX, POINT_P, INPUT_X)
    vector = readout_weights(INDEX, _readout_point(readout))
    terms = [make("hess", vector, top, POINT_P)]
    if readout == "trained":
        cross = dot(transpose(block(READOUT, INDEX)), make("jac", top, POINT_P))
        terms += [cross, transpose(cross)]
    right = make("scale", inv_root(width(INDEX)), plus(*terms))
    return Schema((fact("readout", readout, INDEX),), eq(hessian(POINT_P, INPUT_X), right))


# -- mean values ----------------------------------------------------------------------------------

RUDIN = "Rudin, Principles of Mathematical Analysis, 3rd ed., 1976"


@_lemma("slope_bound", "the supremum of the first derivative",
        r"\|\sigma_l'(v)\|_\infty\le\lambda_l", "definition of the constant", "LZB20")
def _slope_bound() -> Schema:
    left = norm(sigma(INDEX, 1, V), "inf")
    return Schema((fact("bounded", INDEX, 1),), le(left, lipschitz(INDEX)))


@_lemma("curvature_bound", "the supremum of the second derivative",
        r"\|\sigma_l''(v)\|_\infty\le\beta_l", "definition of the constant", "LZB20")
def _curvature_bound() -> Schema:
    left = norm(sigma(INDEX, 2, V), "inf")
    return Schema((fact("bounded", INDEX, 2),), le(left, curvature(INDEX)))


@_lemma("mean_value", "mean value theorem, entry by entry",
        r"\|\sigma_l^{(j)}(u)-\sigma_l^{(j)}(v)\|\le\sup|\sigma_l^{(j+1)}|\,\|u-v\|",
        f"{RUDIN}, Theorem 5.10", "Rudin1976")
def _mean_value(order: int) -> Schema:
    _require(order in (0, 1))
    constant = lipschitz(INDEX) if order == 0 else curvature(INDEX)
    left = norm(minus(sigma(INDEX, order, U), sigma(INDEX, order, V)))
    return Schema((fact("bounded", INDEX, order + 1),), le(left, mul(constant, norm(minus(U, V)))))


def _on_ball(point: Term, centre: Term) -> tuple[tuple[Term, ...], Term, Term]:
    """Premises: f is C^2, its Hessian norm is at most epsilon on the ball, the point is in it."""
    radius, epsilon = real_variable("R"), real_variable("epsilon")
    bound = le(norm(hessian(make("point", "*"), INPUT_X)), epsilon)
    distance = norm(minus(parameters(point), parameters(centre)))
    premises = (
        fact("twice_differentiable", INPUT_X), make("ball", "*", centre, radius, bound),
        le(distance, radius),
    )
    return premises, epsilon, distance


@_lemma("gradient_mean_value", "mean value inequality for the gradient on a ball",
        r"\|\nabla f(\theta)-\nabla f(\theta_0)\|\le\sup_B\|\nabla^2f\|\,\|\theta-\theta_0\|",
        f"{RUDIN}, Theorem 9.19", "Rudin1976")
def _gradient_mean_value() -> Schema:
    premises, epsilon, distance = _on_ball(POINT_P, POINT_Q)
    moved = minus(gradient(POINT_P, INPUT_X), gradient(POINT_Q, INPUT_X))
    return Schema(premises, le(norm(moved), mul(epsilon, distance)))


@_lemma("taylor", "Taylor's theorem with integral remainder on a ball",
        r"|f(\theta)-f(\theta_0)-\nabla f(\theta_0)\cdot(\theta-\theta_0)|\le\tfrac12\sup_B"
        r"\|\nabla^2f\|\,\|\theta-\theta_0\|^2", f"{RUDIN}, Exercise 9.30", "Rudin1976")
def _taylor() -> Schema:
    premises, epsilon, distance = _on_ball(POINT_P, POINT_Q)
    step = minus(parameters(POINT_P), parameters(POINT_Q))
    linear = dot(make("jac", output(POINT_Q, INPUT_X), POINT_Q), step)
    rest = plus(
        output(POINT_P, INPUT_X), make("neg", output(POINT_Q, INPUT_X)), make("neg", linear)
    )
    bound = mul(make("rat", Fraction(1, 2)), epsilon, squared(distance))
    return Schema(premises, le(norm(rest), bound))
