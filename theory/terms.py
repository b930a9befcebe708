"""The language of the kernel: indices, spaces, non-negative reals, linear operators, formulas.

A term is an immutable tree ``(head, args)``, built only by :func:`make`, which looks the head up in
one table and refuses whatever is not well formed (a product whose inner spaces differ, a negative
power of something that may be zero, a negative number).  Equal terms are the same object, so that
equality is identity and a proof of thousands of steps stays small.

Every term has a *sort*: ``index`` (a layer index), ``space`` (a finite-dimensional Euclidean space),
``point`` (a parameter vector), ``input`` (an input of the network), ``real`` (a non-negative real),
``op`` (a linear operator between two spaces; a vector is an operator from ``scalar``) or ``formula``.

What the words mean: ``act l 0 v`` is an activation sigma_l applied entry by entry, always a C^2 function
(theorems state it as the assumption ``smooth``), ``act l 1`` and ``act l 2`` are its derivatives.
``jac y p`` is the Jacobian of y as a function of the parameters, at p; ``hess c y p`` is
``sum_i c_i`` times the Hessian of y_i at p, c held constant.  What they differentiate depends on the
parameters only through C^2 functions of the one point p.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

Arg = Any  # Term | int | str | Fraction


class TermError(ValueError):
    """A term that is not well formed: the message says which head, and what was wrong."""


class Term:
    """An immutable, interned term; build it with the functions of this module, never directly."""

    __slots__ = ("args", "free", "head", "positive", "shape", "sort")

    head: str
    args: tuple[Arg, ...]
    sort: str
    shape: tuple[Term, Term] | None
    free: frozenset[Term]
    positive: bool

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: terms are immutable."""
        msg = f"a term is immutable; cannot set {name!r}"
        raise AttributeError(msg)

    def __reduce__(self) -> tuple[Callable[..., Term], tuple[Arg, ...]]:
        """Copy or transport by rebuilding through :func:`make`, so that interning survives."""
        return make, (self.head, *self.args)

    def __repr__(self) -> str:
        """The term as an S-expression, cut where it grows long."""
        return _written(self, PRINT_LIMIT)[0]

    @property
    def rows(self) -> Term:
        """The space an operator maps into."""
        return _shape(self)[0]

    @property
    def cols(self) -> Term:
        """The space an operator maps from."""
        return _shape(self)[1]


PRINT_LIMIT = 2000


def _written(arg: Arg, room: int) -> tuple[str, int]:
    """An argument as text within the room left, and the room that remains."""
    if not isinstance(arg, Term):
        text = str(arg)
        return text, room - len(text)
    parts, room = [arg.head], room - len(arg.head) - 2
    for inner in arg.args:
        if room <= 0:
            parts.append("...")
            break
        text, room = _written(inner, room)
        parts.append(text)
    return f"({' '.join(parts)})", room


_TABLE: dict[tuple[Any, ...], Term] = {}
_VARIABLE_HEADS = frozenset({"index", "point", "input", "var"})
_BINDERS = {"osum": "index", "forall": "index", "ball": "point"}


def make(head: str, *args: Arg) -> Term:
    """The term with this head and these arguments.

    Args:
        head: one of the heads in ``WELL_FORMED``.
        *args: its arguments, in the order the head's entry there says.

    Returns:
        The one term object with that head and those arguments.

    Raises:
        TermError: when the arguments do not fit the head.
    """
    key = (head, args, tuple(map(type, args)))
    found = _TABLE.get(key)
    if found is not None:
        return found
    rule = WELL_FORMED.get(head)
    if rule is None:
        msg = f"unknown head {head!r}; known: {', '.join(sorted(WELL_FORMED))}"
        raise TermError(msg)
    sort, shape = rule(head, args)
    term = object.__new__(Term)
    for name, value in (("head", head), ("args", args), ("sort", sort), ("shape", shape)):
        object.__setattr__(term, name, value)
    object.__setattr__(term, "free", _free(term))
    object.__setattr__(term, "positive", _is_positive(term))
    _TABLE[key] = term
    return term


def _free(term: Term) -> frozenset[Term]:
    """The variables free in a term; an index variable is recorded with offset 0."""
    if term.head == "index":
        return frozenset({term if term.args[1] == 0 else make("index", term.args[0], 0)})
    found: set[Term] = {term} if term.head in _VARIABLE_HEADS else set()
    for arg in term.args:
        if isinstance(arg, Term):
            found |= arg.free
    if term.head in _BINDERS:
        found.discard(bound_variable(term))
    return frozenset(found)


def bound_variable(term: Term) -> Term:
    """The variable that a binder (``osum``, ``forall``, ``ball``) binds."""
    return make("index", term.args[0], 0) if term.head != "ball" else make("point", "*")


# -- well-formedness, head by head ---------------------------------------------------------------


def _refuse(head: str, args: tuple[Arg, ...], need: str) -> TermError:
    return TermError(f"({head} {' '.join(map(str, args))}) is not well formed: needs {need}")


def _is(sort: str, arg: Arg) -> bool:
    return isinstance(arg, Term) and arg.sort == sort


def _is_index(arg: Arg) -> bool:
    return (type(arg) is int and arg >= 0) or _is("index", arg)


def _shape(term: Term) -> tuple[Term, Term]:
    if term.shape is None:
        msg = f"{term} is of sort {term.sort}; only an operator has rows and columns"
        raise TermError(msg)
    return term.shape


Rule = Callable[[str, tuple[Arg, ...]], tuple[str, "tuple[Term, Term] | None"]]


def _fixed(sort: str, need: str, *tests: Callable[[Arg], bool]) -> Rule:
    """A head of fixed arity whose arguments pass the tests, with no shape."""

    def rule(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
        if len(args) != len(tests) or not all(t(a) for t, a in zip(tests, args, strict=True)):
            raise _refuse(head, args, need)
        return sort, None

    return rule


def _many(sort: str, least: int, test: Callable[[Arg], bool], need: str) -> Rule:
    """A head of any arity from ``least`` on, whose arguments all pass the test."""

    def rule(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
        if len(args) < least or not all(map(test, args)):
            raise _refuse(head, args, need)
        return sort, None

    return rule


def _named(sort: str) -> Rule:
    """A name followed by tags: indices, points, inputs, spaces or words."""

    def rule(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
        tags = all(
            _is_index(a) or type(a) is str or (isinstance(a, Term) and a.sort in _TAG_SORTS)
            for a in args[1:]
        )
        if not args or type(args[0]) is not str or not tags:
            raise _refuse(head, args, "a name and then indices, points, inputs, spaces or words")
        return sort, None

    return rule


_TAG_SORTS = frozenset({"index", "point", "input", "space"})


def _rat(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
    if len(args) != 1 or type(args[0]) is not Fraction or args[0] < 0:
        raise _refuse(head, args, "one Fraction, not negative")
    return "real", None


def _pow(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
    fits = len(args) == 2 and _is("real", args[0]) and type(args[1]) is Fraction and args[1] != 0
    if not fits:
        raise _refuse(head, args, "a real and a non-zero Fraction")
    if max(abs(args[1].numerator), args[1].denominator) > LARGEST_EXPONENT:
        raise _refuse(head, args, f"an exponent of numbers up to {LARGEST_EXPONENT}")
    if args[1] < 0 and not args[0].positive:
        raise _refuse(head, args, "a base known to be positive under a negative exponent")
    return "real", None


LARGEST_EXPONENT = 64


def _is_positive(term: Term) -> bool:
    """Whether a real term is positive by its form: dimensions, positive numbers, their products."""
    match term.head:
        case "dim":
            return True
        case "rat":
            return bool(term.args[0] > 0)
        case "mul" | "min":
            return all(a.positive for a in term.args)
        case "add" | "max":
            return any(a.positive for a in term.args)
        case "pow":
            return bool(term.args[0].positive)
    return False


NORMS = ("2", "inf", "1", "221")


def _norm(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
    if len(args) != 2 or args[0] not in NORMS or not _is("op", args[1]):
        raise _refuse(head, args, f"one of the norms {NORMS} and an operator")
    kind, operator = args
    if kind in ("inf", "1") and operator.cols is not SCALAR:
        raise _refuse(head, args, "a vector (an operator from scalar)")
    if kind == "221" and operator.cols.head != "tensor":
        raise _refuse(head, args, "a three-tensor (an operator from a tensor product)")
    return "real", None


def _specnorm(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
    size = args[0] if args and type(args[0]) is int else 0
    if size < 1 or len(args) != 1 + size * size or not all(_is("real", a) for a in args[1:]):
        raise _refuse(head, args, "n >= 1 and then n*n reals, row by row")
    return "real", None


def _op(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    fits = len(args) >= 3 and type(args[0]) is str and all(_is("space", a) for a in args[1:3])
    if not fits:
        raise _refuse(head, args, "a name, the space of rows, the space of columns, then tags")
    _named("op")(head, (args[0], *args[3:]))
    return "op", (args[1], args[2])


def _var(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term] | None]:
    if args[1:2] == ("op",):
        return _op(head, (args[0], *args[2:]))
    if len(args) != 2 or type(args[0]) is not str or args[1] not in ("real", "space"):
        raise _refuse(head, args, "a name and a sort: real, space, or op with its two spaces")
    return args[1], None


def _identity(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    _fixed("op", "a space", lambda a: _is("space", a))(head, args)
    return "op", (args[0], args[0])


def _zero(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    _fixed("op", "two spaces", lambda a: _is("space", a), lambda a: _is("space", a))(head, args)
    return "op", (args[0], args[1])


def _transpose(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    _fixed("op", "an operator", lambda a: _is("op", a))(head, args)
    return "op", (args[0].cols, args[0].rows)


def _dot(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    _many("op", 2, lambda a: _is("op", a), "two or more operators")(head, args)
    for left, right in zip(args, args[1:], strict=False):
        if left.cols is not right.rows:
            need = f"columns of each factor = rows of the next ({left.cols} is not {right.rows})"
            raise _refuse(head, args, need)
    return "op", (args[0].rows, args[-1].cols)


def _plus(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    _many("op", 2, lambda a: _is("op", a), "two or more operators")(head, args)
    if any(a.shape != args[0].shape for a in args[1:]):
        raise _refuse(head, args, "summands between the same two spaces")
    return "op", _shape(args[0])


def _scale(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    _fixed("op", "a real and an operator", lambda a: _is("real", a), lambda a: _is("op", a))(
        head, args
    )
    return "op", _shape(args[1])


def _neg(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    _fixed("op", "an operator", lambda a: _is("op", a))(head, args)
    return "op", _shape(args[0])


def _is_vector(arg: Arg) -> bool:
    return _is("op", arg) and arg.cols is SCALAR


def _diag(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    _fixed("op", "a vector", _is_vector)(head, args)
    return "op", (args[0].rows, args[0].rows)


def _kron(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    _fixed("op", "two operators", lambda a: _is("op", a), lambda a: _is("op", a))(head, args)
    return "op", (tensor(args[0].rows, args[1].rows), tensor(args[0].cols, args[1].cols))


def _act(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    need = "a layer index, an order of differentiation 0, 1 or 2, and a vector"
    _fixed("op", need, _is_index, lambda a: type(a) is int and a in (0, 1, 2), _is_vector)(
        head, args
    )
    return "op", _shape(args[2])


def _jac(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    need = "a vector-valued function of the parameters and the point to differentiate at"
    _fixed("op", need, _is_vector, lambda a: _is("point", a))(head, args)
    _differentiable(head, args, args[0], args[1])
    return "op", (args[0].rows, PARAMS)


DIFFERENTIABLE = frozenset({"theta", "W", "v", "alpha", "z", "f"})
_SMOOTH_HEADS = frozenset({"id", "zero", "T", "dot", "plus", "scale", "neg", "diag", "kron",
                           "contract", "osum", "act", "op"})


def _differentiable(head: str, args: tuple[Arg, ...], function: Term, point: Term) -> None:
    """What is differentiated is visibly a C^2 function of the one point, and of no other.

    Another point is refused because putting one point for the other would then change the
    derivative; norms, delta and derivatives of activations because they need not be C^2.
    """
    if any(v.head == "point" and v is not point for v in function.free):
        raise _refuse(head, args, f"a function of the one point {point}")
    for part in subterms(function):
        if point not in part.free or part.sort != "op" and part is point:
            continue
        smooth = part.sort == "op" and part.head in _SMOOTH_HEADS
        smooth = smooth and not (part.head == "act" and part.args[1] != 0)
        smooth = smooth and not (part.head == "op" and part.args[0] not in DIFFERENTIABLE)
        if not smooth:
            raise _refuse(head, args, f"a C^2 function of {point}, which {part} need not be")


def _hess(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    need = "a coefficient vector, a vector-valued function of the same space, a point"
    _fixed("op", need, _is_vector, _is_vector, lambda a: _is("point", a))(head, args)
    if args[0].rows is not args[1].rows:
        raise _refuse(head, args, need)
    _differentiable(head, args, args[1], args[2])
    return "op", (PARAMS, PARAMS)


def _contract(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    need = "a vector u and a three-tensor T whose rows are u's"
    _fixed("op", need, _is_vector, lambda a: _is("op", a) and a.cols.head == "tensor")(head, args)
    if args[0].rows is not args[1].rows:
        raise _refuse(head, args, need)
    left, right = args[1].cols.args
    return "op", (left, right)


def _osum(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    need = "an index name, two limits and an operator between spaces free of that index"
    fits = len(args) == 4 and type(args[0]) is str and _is_index(args[1]) and _is_index(args[2])
    if not fits or not _is("op", args[3]):
        raise _refuse(head, args, need)
    bound = make("index", args[0], 0)
    if any(bound in space.free for space in _shape(args[3])) or _mentions(args[1:3], bound):
        raise _refuse(head, args, need)
    return "op", _shape(args[3])


def _mentions(args: tuple[Arg, ...], variable: Term) -> bool:
    return any(isinstance(a, Term) and variable in a.free for a in args)


def _relation(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
    sorts = ("real",) if head == "le" else ("real", "op")
    fits = len(args) == 2 and all(isinstance(a, Term) and a.sort in sorts for a in args)
    if not fits or args[0].sort != args[1].sort or args[0].shape != args[1].shape:
        raise _refuse(head, args, "two reals, or (for eq) two operators between the same spaces")
    return "formula", None


def _binder(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
    fits = len(args) == 4 and _is("formula", args[3])
    if head == "forall":
        fits = fits and type(args[0]) is str and _is_index(args[1]) and _is_index(args[2])
    else:
        fits = fits and args[0] == "*" and _is("point", args[1]) and _is("real", args[2])
    if not fits:
        raise _refuse(head, args, "the bound name, the two limits of its range, and a formula")
    bound = make("point", "*") if head == "ball" else make("index", args[0], 0)
    if _mentions(args[1:3], bound):
        raise _refuse(head, args, "limits free of the bound name")
    return "formula", None


WELL_FORMED: Mapping[str, Rule] = {
    # indices, points, inputs; `var` is a schematic variable of sort real, space or op
    "index": _fixed("index", "a name and an offset", lambda a: type(a) is str,
                    lambda a: type(a) is int),
    "point": _fixed("point", "a name", lambda a: type(a) is str),
    "input": _fixed("input", "a name", lambda a: type(a) is str),
    "var": _var,
    # spaces
    "scalar": _fixed("space", "no argument"),
    "params": _fixed("space", "no argument"),
    "layer": _fixed("space", "a layer index", _is_index),
    "space": _fixed("space", "a name", lambda a: type(a) is str),
    "tensor": _fixed("space", "two spaces", lambda a: _is("space", a), lambda a: _is("space", a)),
    # non-negative reals
    "rat": _rat,
    "sym": _named("real"),
    "dim": _fixed("real", "a space", lambda a: _is("space", a)),
    "add": _many("real", 2, lambda a: _is("real", a), "two or more reals"),
    "mul": _many("real", 2, lambda a: _is("real", a), "two or more reals"),
    "max": _many("real", 2, lambda a: _is("real", a), "two or more reals"),
    "min": _many("real", 2, lambda a: _is("real", a), "two or more reals"),
    "pow": _pow,
    "norm": _norm,
    "specnorm": _specnorm,
    # linear operators
    "op": _op,
    "id": _identity,
    "zero": _zero,
    "T": _transpose,
    "dot": _dot,
    "plus": _plus,
    "scale": _scale,
    "neg": _neg,
    "diag": _diag,
    "kron": _kron,
    "act": _act,
    "jac": _jac,
    "hess": _hess,
    "contract": _contract,
    "osum": _osum,
    # formulas; `fact` is a named hypothesis about the network, `range` says lo <= index <= hi
    "le": _relation,
    "eq": _relation,
    "fact": _named("formula"),
    "range": _fixed("formula", "an index and its two limits", _is_index, _is_index, _is_index),
    "forall": _binder,
    "ball": _binder,
}

# -- constructors that read like mathematics ------------------------------------------------------

SCALAR = make("scalar")
PARAMS = make("params")


def rat(value: int | Fraction, denominator: int = 1) -> Term:
    """The non-negative rational ``value/denominator``."""
    return make("rat", Fraction(value) / denominator)


ZERO, ONE = rat(0), rat(1)


def tensor(left: Term, right: Term) -> Term:
    """The tensor product of two spaces; ``scalar`` is its unit."""
    if left is SCALAR:
        return right
    return left if right is SCALAR else make("tensor", left, right)


def add(*terms: Term) -> Term:
    """The sum of reals; the sum of none is 0."""
    return ZERO if not terms else terms[0] if len(terms) == 1 else make("add", *terms)


def mul(*terms: Term) -> Term:
    """The product of reals; the product of none is 1."""
    return ONE if not terms else terms[0] if len(terms) == 1 else make("mul", *terms)


def power(base: Term, exponent: int | Fraction) -> Term:
    """A rational power of a real."""
    return make("pow", base, Fraction(exponent))


def root(base: Term) -> Term:
    """The square root."""
    return power(base, Fraction(1, 2))


def inv_root(base: Term) -> Term:
    """One over the square root of a positive real."""
    return power(base, Fraction(-1, 2))


def plus(*terms: Term) -> Term:
    """The sum of one or more operators."""
    return terms[0] if len(terms) == 1 else make("plus", *terms)


def dot(*terms: Term) -> Term:
    """The product of one or more operators."""
    return terms[0] if len(terms) == 1 else make("dot", *terms)


def minus(left: Term, right: Term) -> Term:
    """The difference of two operators."""
    return make("plus", left, make("neg", right))


def transpose(operator: Term) -> Term:
    """The transpose."""
    return make("T", operator)


def norm(operator: Term, kind: str = "2") -> Term:
    """A norm: ``2`` spectral (Euclidean for a vector), ``inf``, ``1``, or ``221`` of a tensor."""
    return make("norm", kind, operator)


def eq(left: Term, right: Term) -> Term:
    """The formula left = right."""
    return make("eq", left, right)


def le(left: Term, right: Term) -> Term:
    """The formula left <= right."""
    return make("le", left, right)


def shift(index: Arg, by: int) -> Arg:
    """The index plus an integer."""
    if isinstance(index, int):
        return index + by
    return make("index", index.args[0], index.args[1] + by)


# -- substitution ---------------------------------------------------------------------------------


def subterms(term: Term) -> Iterator[Term]:
    """Every distinct subterm, children before parents."""
    seen: set[Term] = set()
    stack: list[tuple[Term, bool]] = [(term, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((a, False) for a in node.args if isinstance(a, Term))


def substitute(term: Term, mapping: Mapping[Term, Arg]) -> Term:
    """Replace free variables (or hole variables) simultaneously, refusing capture.

    Args:
        term: where to replace.
        mapping: from variables (heads ``index`` with offset 0, ``point``, ``input``, ``var``) to
            terms of the same sort and shape (for an index also an ``int``).

    Returns:
        The term after replacement.

    Raises:
        TermError: when a replacement would be captured by a binder, or is of another sort.
    """
    for old, new in mapping.items():
        sort = "index" if type(new) is int else new.sort
        if old.head not in _VARIABLE_HEADS or old.sort != sort:
            msg = f"cannot put {new} (sort {sort}) for {old}: variables of one sort only"
            raise TermError(msg)
        if old.shape is not None:
            spaces = tuple(_substitute(s, dict(mapping), {}) for s in old.shape)
            if spaces != new.shape:
                msg = f"cannot put {new} for {old}: it maps between other spaces"
                raise TermError(msg)
    return _substitute(term, dict(mapping), {})


def _substitute(term: Term, mapping: dict[Term, Arg], memo: dict[Term, Arg]) -> Any:
    if not (term.free & mapping.keys()):
        return term
    if term in memo:
        return memo[term]
    if term.head == "index":
        result = shift(mapping[make("index", term.args[0], 0)], term.args[1])
        if type(result) is int and result < 0:
            msg = f"index {term} became {result}; layer indices are not negative"
            raise TermError(msg)
    elif term in mapping:
        result = mapping[term]
    else:
        inner, inner_memo = mapping, memo
        if term.head in _BINDERS:
            inner, inner_memo = _under_binder(term, mapping), {}
        result = make(
            term.head,
            *(_substitute(a, inner, inner_memo) if isinstance(a, Term) else a for a in term.args),
        )
    memo[term] = result
    return result


def _under_binder(term: Term, mapping: dict[Term, Arg]) -> dict[Term, Arg]:
    bound = bound_variable(term)
    inner = {k: v for k, v in mapping.items() if k is not bound and k in term.free}
    for old, new in inner.items():
        if isinstance(new, Term) and bound in new.free:
            msg = f"putting {new} for {old} under the binder of {bound} would capture it"
            raise TermError(msg)
    return inner
