"""Terms of the kernel's language as exact matrices, on a dense network written out in components.

Jacobians and Hessians are SymPy's derivatives of the components, and equations between operators
are decided exactly.  Norms are algebraic numbers of high degree: those are computed from the exact
matrices to fifty digits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import mpmath
import sympy

from proofs_check.exact.components import Expr, derivative, second_derivatives
from proofs_check.exact.environment import ExactEnvironment, NotExactError
from theory.terms import Term, substitute
from theory.vocabulary import STATISTICS, definition

DIGITS = 50
TINY = mpmath.mpf(10) ** (5 - DIGITS)


# -- operators ------------------------------------------------------------------------------------


def matrix(term: Term, env: ExactEnvironment, along: str = "") -> Any:
    """The exact matrix of an operator term.

    Args:
        term: the term; its indices are integers.
        env: the network and the values of symbols.
        along: the name of the point whose parameters stay symbols; none by default.

    Raises:
        NotExactError: something in it has no exact value here.
    """
    along = along if any(v.head == "point" and v.args[0] == along for v in term.free) else ""
    return env.remembered(term, along, lambda: _matrix(term, env, along))


def _matrix(term: Term, env: ExactEnvironment, along: str) -> Any:
    args = term.args
    match term.head:
        case "op":
            return _of_its_shape(_named(term, env, along), term, env)
        case "var":
            return _variable(term, env)
        case "id":
            return sympy.eye(env.dimension(args[0]))
        case "zero":
            return sympy.zeros(env.dimension(args[0]), env.dimension(args[1]))
        case "act":
            return matrix(args[2], env, along).applyfunc(derivative(env.sigma(args[0]), args[1]))
        case "scale":
            return number(args[0], env) * matrix(args[1], env, along)
        case "jac":
            values = matrix(args[0], env, args[1].args[0])
            return env.at(values.jacobian(env.parameters), args[1].args[0])
        case "hess":
            return _hessian(args, env)
        case "contract":
            left, right = (env.dimension(s) for s in args[1].cols.args)
            row = matrix(args[0], env, along).T * matrix(args[1], env, along)
            return row.reshape(left, right)
        case "osum":
            return _sum(term, env, along)
    build = _COMPOUND.get(term.head)
    if build is None:
        msg = f"{term.head} has no exact value here"
        raise NotExactError(msg)
    return build([matrix(a, env, along) for a in args])


_COMPOUND: dict[str, Callable[[list[Any]], Any]] = {
    "T": lambda parts: parts[0].T,
    "neg": lambda parts: -parts[0],
    "diag": lambda parts: sympy.diag(*parts[0]),
    "kron": lambda parts: sympy.kronecker_product(*parts),
    "plus": lambda parts: reduce(lambda a, b: a + b, parts),
    "dot": lambda parts: reduce(lambda right, left: left * right, reversed(parts)),
}


def _of_its_shape(found: Any, term: Term, env: ExactEnvironment) -> Any:
    shape = (env.dimension(term.rows), env.dimension(term.cols))
    if found.shape != shape:
        msg = f"{term.args[0]} has shape {found.shape} here, and its spaces say {shape}"
        raise NotExactError(msg)
    return found


def _named(term: Term, env: ExactEnvironment, along: str) -> Any:
    name, _, _, *tags = term.args
    point = next((t.args[0] for t in tags if isinstance(t, Term) and t.sort == "point"), "")
    at = next((t.args[0] for t in tags if isinstance(t, Term) and t.sort == "input"), "")
    if name == "v" and env.trained is not bool(point):
        msg = f"the readout of this network is {'trained' if env.trained else 'fixed'}"
        raise NotExactError(msg)
    found = env.named(name, tags, at)
    return found if point == along or not point else env.at(found, point)


def _variable(term: Term, env: ExactEnvironment) -> Any:
    if term not in env.variables:
        msg = f"the variable {term} has no value"
        raise NotExactError(msg)
    return env.variables[term]


def _hessian(args: tuple[Any, ...], env: ExactEnvironment) -> Any:
    coefficients, function, point = args
    name = point.args[0]
    values, weights = matrix(function, env, name), matrix(coefficients, env)
    if values.shape != weights.shape:
        msg = f"{values.rows} functions and {weights.rows} coefficients"
        raise NotExactError(msg)
    total = sympy.zeros(len(env.parameters), len(env.parameters))
    for value, weight in zip(values, weights, strict=True):
        total += weight * env.at(second_derivatives(value, env.parameters), name)
    return total


def _sum(term: Term, env: ExactEnvironment, along: str) -> Any:
    name, low, high, body = term.args
    if type(low) is not int or type(high) is not int:
        msg = f"the limits of {term} have no value"
        raise NotExactError(msg)
    variables = [v for v in body.free if v.head == "index" and v.args[0] == name]
    total = sympy.zeros(env.dimension(term.rows), env.dimension(term.cols))
    for i in range(low, high + 1):
        total += matrix(substitute(body, dict.fromkeys(variables, i)), env, along)
    return total


# -- reals ----------------------------------------------------------------------------------------


def number(term: Term, env: ExactEnvironment) -> Expr:
    """The exact value of a real term without norms.

    Raises:
        NotExactError: there is none.
    """
    args = term.args
    match term.head:
        case "rat":
            return sympy.Rational(args[0].numerator, args[0].denominator)
        case "dim":
            return sympy.Integer(env.dimension(args[0]))
        case "add":
            return sympy.Add(*(number(a, env) for a in args))
        case "mul":
            return sympy.Mul(*(number(a, env) for a in args))
        case "pow":
            return number(args[0], env) ** sympy.Rational(args[1].numerator, args[1].denominator)
        case "var" if term in env.variables:
            return env.variables[term]
        case "sym" if term in env.reals:
            return env.reals[term]
        case "sym" if term in env.meanings:
            return number(env.meanings[term], env)
    msg = f"{term.head} has no exact value here"
    raise NotExactError(msg)


def digits(term: Term, env: ExactEnvironment) -> Any:
    """The value of a real term to some :data:`DIGITS` digits, from exact matrices.

    Raises:
        NotExactError: something in it has no value here.
    """
    with mpmath.workdps(DIGITS + 20):
        return env.remembered(term, "", lambda: _digits(term, env))


def _digits(term: Term, env: ExactEnvironment) -> Any:
    args = term.args
    match term.head:
        case "add":
            return mpmath.fsum(digits(a, env) for a in args)
        case "mul":
            return mpmath.fprod(digits(a, env) for a in args)
        case "max" | "min":
            return (max if term.head == "max" else min)(digits(a, env) for a in args)
        case "pow":
            exponent = mpmath.mpf(args[1].numerator) / args[1].denominator
            return digits(args[0], env) ** exponent
        case "norm":
            return _norm(args[0], _numeric(matrix(args[1], env)))
        case "specnorm":
            rows = [digits(a, env) for a in args[1:]]
            size = args[0]
            return _norm("2", mpmath.matrix([rows[i * size : (i + 1) * size] for i in range(size)]))
        case "sym" if term not in env.reals:
            return digits(_meaning(term, env), env)
    return _numeric(sympy.Matrix([number(term, env)]))[0]


def _meaning(term: Term, env: ExactEnvironment) -> Term:
    """What a symbol abbreviates: by a definition, or as a statistic of a layer."""
    if term in env.meanings:
        return env.meanings[term]
    name, *tags = term.args
    places = {t.sort: t for t in tags if isinstance(t, Term)}
    index = next((t for t in tags if type(t) is int), None)
    if name in STATISTICS and index is not None and {"point", "input"} <= places.keys():
        return definition(name, index, places["point"], places["input"])
    msg = f"the symbol {name} has no exact value here"
    raise NotExactError(msg)


def _numeric(value: Any) -> Any:
    if value.free_symbols:
        msg = f"the parameters {sorted(map(str, value.free_symbols))} are symbols, not numbers"
        raise NotExactError(msg)
    entries = [v.evalf(DIGITS + 20) for v in value]
    if not all(v.is_Float or v.is_Rational for v in entries):
        msg = "an unknown function has no number for its value"
        raise NotExactError(msg)
    rows = [entries[i * value.cols : (i + 1) * value.cols] for i in range(value.rows)]
    return mpmath.matrix([[mpmath.mpf(str(v)) for v in row] for row in rows])


def _norm(kind: str, value: Any) -> Any:
    if kind == "221":
        msg = "a (2,2,1)-norm is a supremum, which has no closed form"
        raise NotExactError(msg)
    sizes = [abs(v) for v in value]
    if kind == "inf":
        return max(sizes, default=mpmath.mpf(0))
    if kind == "1":
        return mpmath.fsum(sizes)
    if 1 in (value.rows, value.cols):
        return mpmath.sqrt(mpmath.fsum(v**2 for v in sizes))
    if value.rows == value.cols and value == value.T:
        return max(abs(v) for v in mpmath.eigsy(value, eigvals_only=True))
    return max(mpmath.svd_r(value, compute_uv=False))


# -- formulas -------------------------------------------------------------------------------------


def agree(left: Term, right: Term, env: ExactEnvironment) -> bool:
    """Whether two operators are equal, exactly and entry by entry; two reals, to 50 digits.

    Raises:
        NotExactError: a side has no value, or equality could not be decided.
    """
    if left.sort == "real":
        first, second = digits(left, env), digits(right, env)
        return bool(abs(first - second) <= TINY * max(1, abs(first)))
    first, second = matrix(left, env), matrix(right, env)
    if first.shape != second.shape:
        msg = f"the sides have shapes {first.shape} and {second.shape}"
        raise NotExactError(msg)
    return all(_is_zero(x) for x in first - second)


def at_most(left: Term, right: Term, env: ExactEnvironment) -> bool:
    """Whether one real is at most another, to 50 digits."""
    first, second = digits(left, env), digits(right, env)
    return bool(first - second <= TINY * max(1, abs(first)))


def _is_zero(expr: Expr) -> bool:
    """Zero by expansion; what is not must be visibly different from zero, or have symbols."""
    rest = sympy.expand(expr)
    if rest == 0 or sympy.radsimp(rest) == 0:
        return True
    if rest.is_number and not rest.has(sympy.Function) and abs(rest.n(DIGITS)) < TINY:
        msg = f"{rest} is zero to {DIGITS} digits, and not by expansion"
        raise NotExactError(msg)
    return False


__all__ = ["agree", "at_most", "digits", "matrix", "number"]
