"""Random terms, and random ways of writing the same term differently."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import strategies as st

from theory.terms import SCALAR, Term, add, dot, make, mul, plus, power, rat, transpose

SYMBOLS = tuple(make("sym", n) for n in "abc")
DIM = make("dim", make("layer", 1))
NUMBERS = st.sampled_from(
    [Fraction(n) for n in (0, 1, 2, 3, 12)] + [Fraction(1, 2), Fraction(8, 9)]
)
EXPONENTS = [Fraction(n, d) for n, d in ((1, 2), (-1, 2), (2, 1), (3, 2), (-1, 1), (1, 3), (-3, 2))]
WHOLE = [Fraction(2), Fraction(3)]


def _leaves(plain: bool) -> st.SearchStrategy[Term]:
    powers = st.builds(
        lambda base, e: base if e < 0 and not base.positive else power(base, e),
        st.sampled_from([*SYMBOLS, DIM]),
        st.sampled_from(EXPONENTS),
    )
    numbers = st.one_of(
        NUMBERS.map(rat),
        st.builds(
            lambda n, e: power(rat(n), e) if n > 0 or e > 0 else rat(n),
            NUMBERS,
            st.sampled_from([Fraction(1), Fraction(2), Fraction(-1)] if plain else EXPONENTS),
        ),
    )
    return st.one_of(st.sampled_from([*SYMBOLS, DIM]), numbers, powers)


def reals(*, plain: bool = False) -> st.SearchStrategy[Term]:
    """Real terms; plain ones have values that are rational at well-chosen points."""

    def extend(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
        several = st.lists(inner, min_size=2, max_size=3)
        exponents = WHOLE if plain else [*EXPONENTS, *WHOLE]
        return st.one_of(
            several.map(lambda t: add(*t)),
            several.map(lambda t: mul(*t)),
            several.map(lambda t: make("max", *t)),
            several.map(lambda t: make("min", *t)),
            st.builds(
                lambda base, e: base if e < 0 and not base.positive else power(base, e),
                inner,
                st.sampled_from(exponents),
            ),
        )

    return st.recursive(_leaves(plain), extend, max_leaves=6)


@st.composite
def rewritten(draw, term: Term) -> Term:
    """The same real, written differently: other order, other grouping, products multiplied out."""
    args = [
        draw(rewritten(a)) if isinstance(a, Term) and a.sort == "real" else a for a in term.args
    ]
    if term.head in ("add", "mul"):
        args = draw(st.permutations(args))
        if len(args) > 2 and draw(st.booleans()):
            args = [make(term.head, *args[:-1]), args[-1]]
        sums = [a for a in args if a.head == "add"]
        if term.head == "mul" and sums and draw(st.booleans()):
            rest = list(args)
            rest.remove(sums[0])
            return add(*(mul(part, *rest) for part in sums[0].args))
    if term.head in ("max", "min"):
        args = draw(st.permutations(args))
    if term.head == "pow" and args[0].head == "mul" and draw(st.booleans()):
        return mul(*(power(a, args[1]) for a in args[0].args))
    if term.head == "pow" and args[1] == 2 and draw(st.booleans()):
        return mul(args[0], args[0])
    if not args:
        return term
    return make(term.head, *args)


ROOTS = 6  # every plain term has rational values where the symbols are sixth powers


def exact(term: Term, values: dict[Term, Fraction]) -> Fraction:
    """The exact value of a plain real term where each symbol is the sixth power of its value."""
    args = term.args
    match term.head:
        case "rat":
            return args[0]
        case "sym" | "dim":
            return values[term] ** ROOTS
        case "pow":
            base, exponent = args
            if base.head in ("sym", "dim"):
                fine = exponent * ROOTS
                return values[base] ** fine.numerator
            return exact(base, values) ** int(exponent)
        case "add":
            return sum((exact(a, values) for a in args), Fraction(0))
        case "mul":
            return math.prod((exact(a, values) for a in args), start=Fraction(1))
        case "max":
            return max(exact(a, values) for a in args)
        case "min":
            return min(exact(a, values) for a in args)
    raise AssertionError(term)


# -- operators ------------------------------------------------------------------------------------

SPACE = make("space", "n")
THETA = make("point", "theta")
MATRICES = tuple(make("op", n, SPACE, SPACE) for n in ("A", "B"))
VECTORS = (
    make("op", "u", SPACE, SCALAR),
    make("op", "alpha", SPACE, SCALAR, THETA),
    make("zero", SPACE, SCALAR),
)


def vectors(depth: int = 2) -> st.SearchStrategy[Term]:
    """Vectors of one space."""
    if depth == 0:
        return st.sampled_from(VECTORS)
    inner = vectors(depth - 1)
    return st.one_of(
        st.sampled_from(VECTORS),
        st.builds(lambda a, b: plus(a, b), inner, inner),
        st.builds(lambda a, v: dot(a, v), operators(depth - 1), inner),
        st.builds(lambda r, v: make("scale", r, v), reals(plain=True), inner),
        st.builds(lambda v: make("neg", v), inner),
        st.builds(lambda i, v: make("act", i, 1, v), st.sampled_from([1, 2]), inner),
    )


def operators(depth: int = 2) -> st.SearchStrategy[Term]:
    """Operators of one space into itself."""
    base = st.sampled_from([*MATRICES, make("id", SPACE), make("zero", SPACE, SPACE)])
    if depth == 0:
        return base
    inner, vector = operators(depth - 1), vectors(depth - 1)
    return st.one_of(
        base,
        st.builds(lambda a, b: plus(a, b), inner, inner),
        st.builds(lambda a, b: dot(a, b), inner, inner),
        st.builds(transpose, inner),
        st.builds(lambda a: make("neg", a), inner),
        st.builds(lambda r, a: make("scale", r, a), st.sampled_from([*SYMBOLS, rat(2)]), inner),
        st.builds(lambda v: make("diag", v), vector),
        st.builds(lambda u, v: dot(u, transpose(v)), vector, vector),
    )


@st.composite
def reordered(draw, term: Term) -> Term:
    """The same operator, written differently."""
    args = [draw(reordered(a)) if isinstance(a, Term) and a.sort == "op" else a for a in term.args]
    match term.head:
        case "plus":
            return plus(*draw(st.permutations(args)))
        case "T" if args[0].head == "dot" and draw(st.booleans()):
            return dot(*(transpose(a) for a in reversed(args[0].args)))
        case "T" if args[0].head == "T":
            return args[0].args[0]
        case "dot" if args[-1].head == "plus" and draw(st.booleans()):
            return plus(*(dot(*args[:-1], a) for a in args[-1].args))
        case "dot" if args[0].head == "neg" and draw(st.booleans()):
            return make("neg", dot(args[0].args[0], *args[1:]))
        case "diag" if args[0].head == "plus":
            return plus(*(make("diag", a) for a in args[0].args))
        case "scale" if args[1].head == "neg":
            return make("neg", make("scale", args[0], args[1].args[0]))
    return make(term.head, *args) if args else term
