"""Lemmas about norms, on plain matrices."""

from __future__ import annotations

from theory.lemmas.base import (
    HORN,
    KAPPA,
    A,
    Schema,
    U,
    V,
    lemma,
    operator_variable,
    real_variable,
    require,
    space_variable,
    vector_variable,
)
from theory.terms import (
    SCALAR,
    ZERO,
    Term,
    add,
    dot,
    eq,
    le,
    make,
    mul,
    norm,
    plus,
    rat,
    transpose,
)
from theory.vocabulary import (
    squared,
)

# -- norms ----------------------------------------------------------------------------------------


@lemma(
    "triangle",
    "triangle inequality",
    r"\|A_1+\dots+A_n\|\le\|A_1\|+\dots+\|A_n\|",
    f"{HORN}, Definition 5.1.1",
    "HornJohnson2013",
)
def _triangle(count: int, kind: str) -> Schema:
    require(count >= 2, kind in ("2", "inf", "1"))
    cols = SCALAR if kind != "2" else "c"
    terms = [operator_variable(f"A{i}", "r", cols) for i in range(1, count + 1)]
    return Schema((), le(norm(plus(*terms), kind), add(*(norm(t, kind) for t in terms))))


@lemma(
    "product",
    "submultiplicativity of the spectral norm",
    r"\|A_1\cdots A_n\|\le\|A_1\|\cdots\|A_n\|",
    f"{HORN}, Theorem 5.6.2",
    "HornJohnson2013",
)
def _product(count: int) -> Schema:
    require(count >= 2)
    spaces = [f"s{i}" for i in range(count + 1)]
    terms = [operator_variable(f"A{i}", spaces[i - 1], spaces[i]) for i in range(1, count + 1)]
    return Schema((), le(norm(dot(*terms)), mul(*(norm(t) for t in terms))))


@lemma(
    "homogeneity",
    "homogeneity of a norm",
    r"\|\kappa A\|=\kappa\|A\|,\ \kappa\ge0",
    f"{HORN}, Definition 5.1.1",
    "HornJohnson2013",
)
def _homogeneity(kind: str) -> Schema:
    require(kind in ("2", "inf", "1"))
    term = A if kind == "2" else V
    return Schema((), eq(norm(make("scale", KAPPA, term), kind), mul(KAPPA, norm(term, kind))))


@lemma(
    "negation",
    "the norm of the negative",
    r"\|-A\|=\|A\|",
    f"{HORN}, Definition 5.1.1",
    "HornJohnson2013",
)
def _negation(kind: str) -> Schema:
    require(kind in ("2", "inf", "1"))
    term = A if kind == "2" else V
    return Schema((), eq(norm(make("neg", term), kind), norm(term, kind)))


@lemma(
    "transpose",
    "the norm of the transpose",
    r"\|A^\top\|=\|A\|",
    f"{HORN}, Theorem 5.6.2 and Section 5.6",
    "HornJohnson2013",
)
def _transposed() -> Schema:
    return Schema((), eq(norm(transpose(A)), norm(A)))


@lemma(
    "gram",
    "the norm of a Gram matrix",
    r"\|AA^\top\|=\|A\|^2",
    f"{HORN}, Section 5.6",
    "HornJohnson2013",
)
def _gram() -> Schema:
    return Schema((), eq(norm(dot(A, transpose(A))), squared(norm(A))))


@lemma(
    "identity", "the norm of the identity", r"\|I\|\le1", f"{HORN}, Section 5.6", "HornJohnson2013"
)
def _identity() -> Schema:
    return Schema((), le(norm(make("id", space_variable("r"))), rat(1)))


@lemma("zero", "the norm of zero", r"\|0\|=0", f"{HORN}, Definition 5.1.1", "HornJohnson2013")
def _zero() -> Schema:
    return Schema((), eq(norm(make("zero", space_variable("r"), space_variable("c"))), ZERO))


@lemma(
    "kronecker",
    "the norm of a Kronecker product",
    r"\|A\otimes B\|=\|A\|\,\|B\|",
    "Horn and Johnson, Topics in Matrix Analysis, 1991, Theorem 4.2.15",
    "HornJohnson1991",
)
def _kronecker() -> Schema:
    other = operator_variable("B", "r2", "c2")
    return Schema((), eq(norm(make("kron", A, other)), mul(norm(A), norm(other))))


@lemma(
    "mixed_product",
    "the mixed product of Kronecker products",
    r"(A\otimes B)(C\otimes D)=AC\otimes BD",
    "Horn and Johnson, Topics in Matrix Analysis, 1991, Lemma 4.2.10",
    "HornJohnson1991",
)
def _mixed_product() -> Schema:
    a, c = operator_variable("A", "r", "k"), operator_variable("C", "k", "c")
    b, d = operator_variable("B", "r2", "k2"), operator_variable("D", "k2", "c2")
    left = dot(make("kron", a, b), make("kron", c, d))
    return Schema((), eq(left, make("kron", dot(a, c), dot(b, d))))


@lemma(
    "diagonal",
    "the norm of a diagonal matrix",
    r"\|\mathrm{diag}(v)\|=\|v\|_\infty",
    f"{HORN}, Section 5.6",
    "HornJohnson2013",
)
def _diagonal() -> Schema:
    return Schema((), eq(norm(make("diag", V)), norm(V, "inf")))


@lemma(
    "diagonal_max",
    "Hoelder for the maximum norm",
    r"\|\mathrm{diag}(u)v\|_\infty\le\|u\|_\infty\|v\|_\infty",
    "Hardy, Littlewood and Polya, Inequalities, 1934, Section 2.8",
    "HardyLittlewoodPolya1934",
)
def _diagonal_max() -> Schema:
    left = norm(dot(make("diag", U), V), "inf")
    return Schema((), le(left, mul(norm(U, "inf"), norm(V, "inf"))))


@lemma(
    "diagonal_two",
    "Hoelder for a diagonal matrix and a vector",
    r"\|\mathrm{diag}(u)v\|\le\|u\|\,\|v\|_\infty",
    "Hardy, Littlewood and Polya, Inequalities, 1934, Section 2.8",
    "HardyLittlewoodPolya1934",
)
def _diagonal_two() -> Schema:
    return Schema((), le(norm(dot(make("diag", U), V)), mul(norm(U), norm(V, "inf"))))


@lemma(
    "row_norm",
    "Cauchy-Schwarz in every row",
    r"\|Av\|_\infty\le\|A\|_{2,\infty}\|v\|",
    f"{HORN}, Theorem 0.6.3",
    "HornJohnson2013",
)
def _row_norm() -> Schema:
    vector = vector_variable("v", "c")
    left = norm(dot(A, vector), "inf")
    return Schema((), le(left, mul(norm(A, "2inf"), norm(vector))))


@lemma(
    "scaled_rows",
    "the norm of a matrix with scaled rows",
    r"\|\mathrm{diag}(v)A\|\le\|v\|\,\|A\|_{2,\infty}",
    f"{HORN}, Section 5.6 (spectral norm at most Frobenius norm)",
    "HornJohnson2013",
)
def _scaled_rows() -> Schema:
    return Schema((), le(norm(dot(make("diag", V), A)), mul(norm(V), norm(A, "2inf"))))


@lemma(
    "diagonal_swap",
    "the product entry by entry commutes",
    r"\mathrm{diag}(u)v=\mathrm{diag}(v)u",
    "definition",
    "HornJohnson2013",
)
def _diagonal_swap() -> Schema:
    return Schema((), eq(dot(make("diag", U), V), dot(make("diag", V), U)))


@lemma(
    "diagonal_product",
    "the product of diagonal matrices",
    r"\mathrm{diag}(u\odot v)=\mathrm{diag}(u)\,\mathrm{diag}(v)",
    f"{HORN}, Section 0.9.1",
    "HornJohnson2013",
)
def _diagonal_product() -> Schema:
    left = make("diag", dot(make("diag", U), V))
    return Schema((), eq(left, dot(make("diag", U), make("diag", V))))


@lemma(
    "hoelder",
    "Hoelder's inequality",
    r"|u^\top v|\le\|u\|_\infty\|v\|_1",
    "Hardy, Littlewood and Polya, Inequalities, 1934, Section 2.8",
    "HardyLittlewoodPolya1934",
)
def _hoelder() -> Schema:
    return Schema((), le(norm(dot(transpose(U), V)), mul(norm(U, "inf"), norm(V, "1"))))


@lemma(
    "max_at_most_two",
    "the maximum norm is at most the Euclidean norm",
    r"\|v\|_\infty\le\|v\|",
    f"{HORN}, Problem 5.4.P3",
    "HornJohnson2013",
)
def _max_at_most_two() -> Schema:
    return Schema((), le(norm(V, "inf"), norm(V)))


@lemma(
    "tensor_norm",
    "the (2,2,1)-norm of a three-tensor",
    r"\sum_k|x^\top T_k z|\le\|T\|_{2,2,1}\|x\|\,\|z\|",
    "Liu, Zhu and Belkin 2020, Section 3 (definition of the norm)",
    "LZB20",
)
def _tensor_norm() -> Schema:
    tensor, x, z = _three_tensor()
    left = norm(dot(tensor, make("kron", x, z)), "1")
    return Schema((), le(left, mul(norm(tensor, "221"), norm(x), norm(z))))


@lemma(
    "contraction",
    "a linear combination of the slices of a three-tensor",
    r"x^\top\bigl(\sum_k u_kT_k\bigr)z=\sum_k u_k\,x^\top T_kz",
    "definition",
    "LZB20",
)
def _contraction() -> Schema:
    tensor, x, z = _three_tensor()
    left = dot(transpose(x), make("contract", V, tensor), z)
    return Schema((), eq(left, dot(transpose(V), tensor, make("kron", x, z))))


def _three_tensor() -> tuple[Term, Term, Term]:
    product = make("tensor", space_variable("i"), space_variable("j"))
    return (
        operator_variable("T", "r", product),
        vector_variable("x", "i"),
        vector_variable("z", "j"),
    )


@lemma(
    "entrywise",
    "monotonicity of the spectral norm of non-negative matrices",
    r"0\le A_{ij}\le B_{ij}\Rightarrow\|A\|\le\|B\|",
    f"{HORN}, Theorem 8.1.18",
    "HornJohnson2013",
)
def _entrywise(size: int) -> Schema:
    require(size >= 1)
    pairs = [(i, j) for i in range(size) for j in range(size)]
    small = [real_variable(f"a{i}_{j}") for i, j in pairs]
    large = [real_variable(f"b{i}_{j}") for i, j in pairs]
    premises = tuple(le(s, t) for s, t in zip(small, large, strict=True))
    return Schema(premises, le(make("specnorm", size, *small), make("specnorm", size, *large)))


# -- reals ----------------------------------------------------------------------------------------


@lemma(
    "min_intro",
    "the greatest lower bound",
    r"c\le a,\ c\le b\Rightarrow c\le\min(a,b)",
    "definition",
    "HardyLittlewoodPolya1934",
)
def _min_intro() -> Schema:
    a, b, c = (real_variable(n) for n in "abc")
    return Schema((le(c, a), le(c, b)), le(c, make("min", a, b)))


@lemma(
    "max_least",
    "the least upper bound",
    r"a\le c,\ b\le c\Rightarrow\max(a,b)\le c",
    "definition",
    "HardyLittlewoodPolya1934",
)
def _max_least() -> Schema:
    a, b, c = (real_variable(n) for n in "abc")
    return Schema((le(a, c), le(b, c)), le(make("max", a, b), c))


@lemma(
    "max_scaled",
    "a maximum scaled",
    r"\max(\kappa a,\kappa b)=\kappa\max(a,b),\ \kappa\ge0",
    "definition",
    "HardyLittlewoodPolya1934",
)
def _max_scaled() -> Schema:
    a, b = (real_variable(n) for n in "ab")
    left = make("max", mul(KAPPA, a), mul(KAPPA, b))
    return Schema((), eq(left, mul(KAPPA, make("max", a, b))))
