"""Terms of the kernel's language as exact matrices, on a dense network written out in components.

Jacobians and Hessians are SymPy's derivatives of the components, and equations between operators
are decided exactly.  Norms are algebraic numbers of high degree: those are computed from the exact
matrices to fifty digits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import product
from typing import Any

import mpmath
import sympy

from proofs_check.exact.components import Components, Expr, Sigma, derivative, second_derivatives
from theory.terms import Term, substitute
from theory.vocabulary import READOUT, STATISTICS, definition

DIGITS = 50
TINY = mpmath.mpf(10) ** (5 - DIGITS)


class NotExactError(ValueError):
    """A term has no exact value here; the message says which and why."""


@dataclass
class ExactEnvironment:
    """A dense network in components, and values for the symbols of terms.

    Attributes:
        widths: m_0, ..., m_L.
        sigmas: the activation of each hidden layer.
        trained: whether the readout is.
        points: for each point the value of every parameter, W^1, ..., W^L row by row, then v.
        inputs: inputs by name, each of m_0 entries.
        readout: v where it is fixed.
        indices: values of free indices, by name.
        variables: a matrix for an operator variable, a number for a real, an integer for a space.
        reals: values of symbols, by term.
        meanings: what a symbol abbreviates, by term.
    """

    widths: Sequence[int]
    sigmas: Sequence[Sigma]
    trained: bool
    points: Mapping[str, Sequence[Expr]]
    inputs: Mapping[str, Sequence[Expr]]
    readout: Sequence[Expr] = ()
    indices: Mapping[str, int] = field(default_factory=dict)
    variables: Mapping[Term, Any] = field(default_factory=dict)
    reals: Mapping[Term, Expr] = field(default_factory=dict)
    meanings: Mapping[Term, Term] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the network out once for each input."""
        self._memo: dict[tuple[Term, str], Any] = {}
        self._schematic: dict[tuple[Term, str], Any] = {}
        self.networks = {name: self._components(x) for name, x in self.inputs.items()}
        self.parameters = next(iter(self.networks.values())).parameters
        for name, values in self.points.items():
            if len(values) != len(self.parameters):
                msg = f"the point {name!r} has {len(values)} entries, needs {len(self.parameters)}"
                raise ValueError(msg)

    def binding(
        self, indices: Mapping[str, int], variables: Mapping[Term, Any]
    ) -> ExactEnvironment:
        """The same network with other values of indices and variables.

        What was computed of terms without such variables is shared.
        """
        other = copy.copy(self)
        other.indices, other.variables, other._schematic = indices, variables, {}
        return other

    def defining(self, meanings: Mapping[Term, Term]) -> ExactEnvironment:
        """The same network with other abbreviations, nothing computed yet."""
        other = copy.copy(self)
        other.meanings, other._memo, other._schematic = meanings, {}, {}
        return other

    def remembered(self, term: Term, along: str, compute: Callable[[], Any]) -> Any:
        """The value of a term, computed once."""
        schematic = any(v.head == "var" for v in term.free)
        memo = self._schematic if schematic else self._memo
        if (term, along) not in memo:
            memo[term, along] = compute()
        return memo[term, along]

    @property
    def depth(self) -> int:
        """L."""
        return len(self.widths) - 1

    def block(self, which: int | str) -> tuple[int, int]:
        """First and last place (exclusive) of W^l, or of v, among the parameters."""
        sizes = [b * a for a, b in zip(self.widths, self.widths[1:], strict=False)]
        sizes += [self.widths[-1]] if self.trained else []
        number = len(self.widths) if which == READOUT else int(which)
        if not 1 <= number <= len(sizes):
            msg = f"there is no block {which} of parameters"
            raise NotExactError(msg)
        return sum(sizes[: number - 1]), sum(sizes[:number])

    def _components(self, x: Sequence[Expr]) -> Components:
        net = Components()
        stage = net.input(x)
        for layer, sigma in enumerate(self.sigmas, start=1):
            above, below = self.widths[layer], self.widths[layer - 1]
            matrix = net.weights(f"W{layer}", above, below)
            stage = net.dense(stage, matrix, 1 / sympy.sqrt(below))
            stage = net.pointwise(stage, sigma)
        scale = 1 / sympy.sqrt(self.widths[-1])
        if self.trained:
            net.dense(stage, [net.weights("v", self.widths[-1])], scale)
        else:
            net.readout(stage, self.readout, scale)
        return net

    def named(self, name: str, tags: Sequence[Any], at: str) -> Any:
        """An operator of the network, as expressions in the parameters.

        Raises:
            NotExactError: there is no such operator here.
        """
        numbers = [t for t in tags if type(t) is int]
        index = numbers[0] if numbers else 0
        match name:
            case "theta":
                return sympy.Matrix(self.parameters)
            case "W":
                start, stop = self.block(index)
                shape = (self.widths[index], self.widths[index - 1])
                return sympy.Matrix(*shape, self.parameters[start:stop])
            case "v":
                return sympy.Matrix(self._readout())
            case "Pi":
                start, stop = self.block(tags[0])
                return sympy.eye(len(self.parameters))[start:stop, :]
            case "B" if at in self.networks:
                return self.transfer(numbers[0], numbers[1], at)
            case "dw" | "da" | "dww" | "dwa" | "daa" if at in self.networks:
                return self.partial(name, index, at)
            case "alpha" | "z" | "delta" | "f" if at in self.networks:
                return sympy.Matrix(self.layer(name, index, at))
        msg = f"the operator {name} has no exact value here"
        raise NotExactError(msg)

    def _readout(self) -> list[Expr]:
        if not self.trained:
            return list(self.readout)
        start, stop = self.block(READOUT)
        return self.parameters[start:stop]

    def fact(self, name: str, tags: Sequence[Any]) -> bool:
        """Whether a named hypothesis holds of the network.

        Raises:
            NotExactError: the hypothesis has no exact meaning here.
        """
        kind = "trained" if self.trained else "fixed"
        match name, list(tags):
            case (("dense" | "pointwise" | "smooth" | "general"), [int(layer)]):
                return 1 <= layer <= self.depth
            case "parameters", [int(depth), str(readout)]:
                return depth == self.depth and readout == kind
            case "readout", [str(readout), int(layer)]:
                return layer == self.depth and readout == kind
            case (("input" | "twice_differentiable"), _):
                return True
        msg = f"the hypothesis {name} has no exact meaning here"
        raise NotExactError(msg)

    def layer(self, name: str, index: int, at: str) -> list[Expr]:
        """alpha^l, z^l, delta^l or f, as expressions in the parameters."""
        net = self.networks[at]
        stage = {"alpha": 2 * index, "z": 2 * index - 1, "delta": 2 * index}.get(name, -1)
        if name == "f":
            return list(net.values()[-1])
        if not 0 <= stage < len(net.stages) - 1:
            msg = f"there is no {name} of layer {index}"
            raise NotExactError(msg)
        return net.signal(stage) if name == "delta" else list(net.values()[stage])

    def sigma(self, index: int) -> Sigma:
        """The activation of a hidden layer."""
        if not 1 <= index <= self.depth:
            msg = f"there is no activation of layer {index}"
            raise NotExactError(msg)
        return self.sigmas[index - 1]

    def transfer(self, above: int, below: int, at: str) -> Any:
        """B^{n,k}, the derivative of z^n by alpha^k, k < n, as expressions in the parameters."""
        if not 0 <= below < above <= self.depth:
            msg = f"there is no derivative of z^{above} by alpha^{below}"
            raise NotExactError(msg)
        return self.networks[at].between(2 * above - 1, 2 * below)

    def partial(self, by: str, index: int, at: str) -> Any:
        """A partial derivative of alpha^l: by all parameters through W^l alone, or by alpha^{l-1}.

        A second one has a column for each pair of variables, the first of them outermost.
        """
        if not 1 <= index <= self.depth:
            msg = f"there is no layer {index} to differentiate"
            raise NotExactError(msg)
        net = self.networks[at]
        below = [sympy.Symbol(f"y_{i}") for i in range(self.widths[index - 1])]
        values = net.values({2 * index - 2: below})[2 * index]
        start, stop = self.block(index)
        own = [*([None] * start), *self.parameters[start:stop]]
        own += [None] * (len(self.parameters) - stop)
        variables = [{"w": own, "a": below}[letter] for letter in by[1:]]
        found = dict(zip(below, net.values()[2 * index - 2], strict=True))
        rows = [[_derived(v, which) for which in product(*variables)] for v in values]
        return sympy.Matrix(rows).xreplace(found)

    def at(self, value: Any, point: str) -> Any:
        """An expression, or a matrix of them, at a point."""
        if point not in self.points:
            msg = f"the point {point!r} has no value"
            raise NotExactError(msg)
        place = dict(zip(self.parameters, self.points[point], strict=True))
        return value.xreplace(place).applyfunc(sympy.expand)

    def dimension(self, space: Term) -> int:
        """The dimension of a space."""
        match space.head:
            case "scalar":
                return 1
            case "params":
                return len(self.parameters)
            case "tensor":
                return self.dimension(space.args[0]) * self.dimension(space.args[1])
            case "layer" if type(space.args[0]) is int and space.args[0] <= self.depth:
                return self.widths[space.args[0]]
        if space in self.variables:
            return int(self.variables[space])
        msg = f"the space {space} has no dimension here"
        raise NotExactError(msg)


def ground(term: Term, env: ExactEnvironment) -> Term:
    """The term with every free index replaced by its value."""
    free = [v for v in term.free if v.head == "index"]
    missing = [v.args[0] for v in free if v.args[0] not in env.indices]
    if missing:
        msg = f"the index {missing[0]!r} has no value"
        raise NotExactError(msg)
    return substitute(term, {v: env.indices[v.args[0]] for v in free}) if free else term


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


def _derived(value: Expr, variables: Sequence[Expr | None]) -> Expr:
    """A derivative by variables, 0 where one of them is none that the value depends on."""
    return 0 if None in variables else sympy.diff(value, *variables)


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


__all__ = ["ExactEnvironment", "NotExactError", "agree", "at_most", "digits", "ground", "matrix"]
