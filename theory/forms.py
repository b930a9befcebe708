"""Which terms are well formed, head by head, and the sort and shape of each.

One table, ``FORMS``: a head, and the rule that checks its arguments and gives the sort and, for an
operator, the spaces of its rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

from theory.syntax import WELL_FORMED, Arg, Rule, Term, TermError, make, shape_of, subterms


def _refuse(head: str, args: tuple[Arg, ...], need: str) -> TermError:
    return TermError(f"({head} {' '.join(map(str, args))}) is not well formed: needs {need}")


def _is(sort: str, arg: Arg) -> bool:
    return isinstance(arg, Term) and arg.sort == sort


def _is_index(arg: Arg) -> bool:
    return (type(arg) is int and arg >= 0) or _is("index", arg)


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


NORMS = ("2", "inf", "1", "221", "2inf", "min")  # min: the least singular value, no norm


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
    for left, right in pairwise(args):
        if left.cols is not right.rows:
            need = f"columns of each factor = rows of the next ({left.cols} is not {right.rows})"
            raise _refuse(head, args, need)
    return "op", (args[0].rows, args[-1].cols)


def _plus(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    _many("op", 2, lambda a: _is("op", a), "two or more operators")(head, args)
    if any(a.shape != args[0].shape for a in args[1:]):
        raise _refuse(head, args, "summands between the same two spaces")
    return "op", shape_of(args[0])


def _scale(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    _fixed("op", "a real and an operator", lambda a: _is("real", a), lambda a: _is("op", a))(
        head, args
    )
    return "op", shape_of(args[1])


def _neg(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    _fixed("op", "an operator", lambda a: _is("op", a))(head, args)
    return "op", shape_of(args[0])


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
    return "op", shape_of(args[2])


def _jac(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term]]:
    need = "a vector-valued function of the parameters and the point to differentiate at"
    _fixed("op", need, _is_vector, lambda a: _is("point", a))(head, args)
    _differentiable(head, args, args[0], args[1])
    return "op", (args[0].rows, PARAMS)


DIFFERENTIABLE = frozenset({"theta", "W", "v", "alpha", "z", "f", "F", "submodel"})
_SMOOTH_HEADS = frozenset(
    {
        "id",
        "zero",
        "T",
        "dot",
        "plus",
        "scale",
        "neg",
        "diag",
        "kron",
        "contract",
        "osum",
        "act",
        "op",
    }
)


def _differentiable(head: str, args: tuple[Arg, ...], function: Term, point: Term) -> None:
    """What is differentiated is visibly a C^2 function of the one point, and of no other.

    Another point is refused because putting one point for the other would then change the
    derivative; norms, delta and derivatives of activations because they need not be C^2.
    """
    if any(v.head == "point" and v is not point for v in function.free):
        raise _refuse(head, args, f"a function of the one point {point}")
    for part in subterms(function):
        if point not in part.free or (part.sort != "op" and part is point):
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
    if any(bound in space.free for space in shape_of(args[3])) or _mentions(args[1:3], bound):
        raise _refuse(head, args, need)
    return "op", shape_of(args[3])


def _indexed_reals(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
    need = "an index name, two limits free of that index and a real"
    fits = len(args) == 4 and type(args[0]) is str and _is_index(args[1]) and _is_index(args[2])
    if not fits or not _is("real", args[3]):
        raise _refuse(head, args, need)
    if _mentions(args[1:3], make("index", args[0], 0)):
        raise _refuse(head, args, need)
    return "real", None


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


_OF_ONE_MODEL = frozenset({"var", "ball", "everywhere", "after", "likely", "for_part"})


def _for_part(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
    """What a statement says of a sub-model as a model of its own; no variables, no quantifiers.

    A variable inside could be filled with something of the whole model, and a bound point would
    range over the parameters of another one.
    """
    fits = len(args) == 2 and _is_index(args[0]) and _is("formula", args[1])
    if not fits or any(t.head in _OF_ONE_MODEL for t in subterms(args[1])):
        raise _refuse(head, args, "the index of a sub-model, and a formula that binds no point")
    if make("point", "*") in args[1].free:
        raise _refuse(head, args, "a formula that does not speak of the bound point")
    return "formula", None


def _after(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
    """Of the point that so many steps of gradient descent lead to, from a point, on a set."""
    fits = len(args) == 5 and args[0] == "*" and _is_index(args[1]) and _is("formula", args[4])
    if not fits or not _is("point", args[2]) or not _is("input", args[3]):
        need = "the bound name *, a number of steps, a point, a training set, and a formula"
        raise _refuse(head, args, need)
    if args[2] is make("point", "*"):
        raise _refuse(head, args, "a point to start from that is not the bound one")
    return "formula", None


def _everywhere(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
    if len(args) != 2 or args[0] != "*" or not _is("formula", args[1]):
        raise _refuse(head, args, "the bound name * and a formula")
    return "formula", None


def _positive(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
    if len(args) != 1 or not _is("real", args[0]) or not args[0].positive:
        raise _refuse(head, args, "one real that is positive by its form")
    return "real", None


def _rms(head: str, args: tuple[Arg, ...]) -> tuple[str, tuple[Term, Term] | None]:
    need = "a layer index, an order of differentiation 0 or 1, and a real"
    return _fixed(
        "real", need, _is_index, lambda a: type(a) is int and a in (0, 1), lambda a: _is("real", a)
    )(head, args)


def _likely(head: str, args: tuple[Arg, ...]) -> tuple[str, None]:
    """The probability may not be random itself: no point and no operator occurs in it."""
    fits = len(args) == 2 and _is("real", args[0]) and _is("formula", args[1])
    if not fits or any(t.sort in ("op", "point") for t in subterms(args[0])):
        raise _refuse(head, args, "a probability that speaks of no point, and a formula")
    return "formula", None


FORMS: dict[str, Rule] = {
    # indices, points, inputs; `var` is a schematic variable of sort real, space or op
    "index": _fixed(
        "index", "a name and an offset", lambda a: type(a) is str, lambda a: type(a) is int
    ),
    "point": _fixed("point", "a name", lambda a: type(a) is str),
    "input": _fixed("input", "a name", lambda a: type(a) is str),
    "var": _var,
    # spaces
    "scalar": _fixed("space", "no argument"),
    "params": _fixed("space", "no argument"),
    "layer": _fixed("space", "a layer index", _is_index),
    "part": _fixed("space", "the index of a sub-model", _is_index),
    "weights": _fixed("space", "the index of a node with weights", _is_index),
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
    # over all indices of a range; of an empty range both are 0, the least of all values
    "rsum": _indexed_reals,
    "rmax": _indexed_reals,
    # of a normal variable xi: `tail p` is sqrt(2 ln(1/p)), 0 from p = 1 on; `quantile p` the t with
    # P(|xi| > t) = p, 0 from p = 1 on; `rms l j a` is sqrt(E sigma_l^(j)(a xi)^2)
    "tail": _positive,
    "quantile": _positive,
    "rms": _rms,
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
    "everywhere": _everywhere,
    "after": _after,
    "for_part": _for_part,
    # `likely p F`: F fails with probability at most p over the random weights at the point theta0,
    # which is bound in F, and over the readout, also a fixed one (see theory.lemmas.gaussian), or,
    # for an assembly, over the signs v_i of its weights
    "likely": _likely,
}

WELL_FORMED.update(FORMS)

SCALAR = make("scalar")
PARAMS = make("params")


def tensor(left: Term, right: Term) -> Term:
    """The tensor product of two spaces; ``scalar`` is its unit."""
    if left is SCALAR:
        return right
    return left if right is SCALAR else make("tensor", left, right)
