"""The measurement of every term of the kernel's language: reals and operators.

Vectorisation: the weights of layer l are an element of ``tensor(layer l, layer l-1)`` with rows
stacked, so that ``(I (x) a') vec(V) = V a`` and ``(p (x) I) y = vec(p y')``; the parameters are
vec(W^1), ..., vec(W^L), and then v if it is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from numerics.activations import host_derivatives
from numerics.tolerances import ACTIVATION_ROUNDINGS, gamma
from proofs_check.measuring import derivatives, functions, norms, operators, partials
from proofs_check.measuring.environment import Environment, EvaluationError, State
from proofs_check.measuring.functions import Context
from proofs_check.measuring.operators import Operator
from proofs_check.measuring.rounding import (
    Measured,
    U,
    product,
    total,
)
from theory.activations import UnboundedDerivativeError
from theory.activations.moments import root_mean_square
from theory.evaluation import of_gaussian
from theory.terms import Term, make, substitute
from theory.vocabulary import CENTRE, INPUT, READOUT

GAUSSIAN = 1e-12  # relative error of tails, quantiles and moments of a normal variable


def real(term: Term, env: Environment) -> Measured:
    """The value of a real term, with a bound on its rounding error.

    Raises:
        EvaluationError: a symbol in it has no value.
    """
    found: Measured | None = env.recall(term)
    if found is None:
        found = _real(term, env)
        env.keep(term, found)
    return found


def operator(term: Term, env: Environment) -> Operator:
    """The linear map that an operator term stands for.

    Raises:
        EvaluationError: a symbol in it has no value.
    """
    found: Operator | None = env.recall(term)
    if found is None:
        found = _operator(term, env)
        env.keep(term, found)
    return found


# -- reals ----------------------------------------------------------------------------------------


def _real(term: Term, env: Environment) -> Measured:
    args = term.args
    match term.head:
        case "rat":
            return Measured(float(args[0]), U * float(args[0]))
        case "dim":
            return Measured(float(env.dimension(args[0])))
        case "sym":
            return _symbol(term, env)
        case "var":
            return Measured(float(env.variable(term)))
        case "add":
            return total(real(a, env) for a in args)
        case "mul":
            return product(real(a, env) for a in args)
        case "max" | "min":
            return _extremum(term.head, [real(a, env) for a in args])
        case "pow":
            return real(args[0], env).power(args[1])
        case "tail" | "quantile" | "rms":
            return _of_gaussian(term, env)
        case "norm" if args[0] == "221":
            left, right = (env.dimension(s) for s in args[1].cols.args)
            return norms.tensor_norm(operator(args[1], env), left, right)
        case "norm":
            return norms.norm(operator(args[1], env), args[0], env.seed)
        case "specnorm":
            return norms.matrix_of_norms(args[0], [real(a, env) for a in args[1:]])
        case "rsum" | "rmax":
            return _over_indices(term, env)
    msg = f"{term} is of sort {term.sort}, not a real"
    raise EvaluationError(msg)


def _over_indices(term: Term, env: Environment) -> Measured:
    """A sum or maximum of reals over an index; 0 over an empty range."""
    numbers = [real(t, env) for t in _each(term)]
    if not numbers:
        return Measured(0.0)
    return total(numbers) if term.head == "rsum" else _extremum("max", numbers)


def _each(term: Term) -> list[Term]:
    """The summands of a sum over an index, its limits being numbers."""
    name, low, high, body = term.args
    if type(low) is not int or type(high) is not int:
        msg = f"the limits of {term} have no value; give indices={{name: integer}}"
        raise EvaluationError(msg)
    variable = next((v for v in body.free if v.head == "index" and v.args[0] == name), None)
    return [substitute(body, {variable: i}) if variable else body for i in range(low, high + 1)]


def _of_gaussian(term: Term, env: Environment) -> Measured:
    """A number that belongs to a normal variable, right to a relative 1e-12 at an exact argument.

    ``rms`` grows no faster than its Lipschitz constant; the arguments of the others are exact.
    """
    inner = real(term.args[-1], env)
    if term.head != "rms":
        value = of_gaussian(term, inner.value)
        return Measured(value, GAUSSIAN * value)
    index, order, _ = term.args
    function = env.activation(index)
    value = root_mean_square(function, order, inner.value)
    steep = float(function.sup(order + 1))
    return Measured(value, GAUSSIAN * value + steep * inner.error)


def _constant(name: str, index: int, env: Environment) -> float | None:
    """A constant of the activation of a layer, by the name of its symbol."""
    orders = {"ceiling": 0, "lambda": 1, "beta": 2, "gamma": 3}
    if name in orders:
        try:
            return float(env.activation(index).sup(orders[name]))
        except UnboundedDerivativeError:
            return math.inf
    return abs(float(env.activation(index).at_zero)) if name == "origin" else None


def _extremum(head: str, numbers: list[Measured]) -> Measured:
    choose = max if head == "max" else min
    return Measured(choose(n.value for n in numbers), max(n.error for n in numbers))


def _symbol(term: Term, env: Environment) -> Measured:
    """A symbol: what its definition says, else the value given, else what the network says."""
    name, *tags = term.args
    meaning = env.meanings.get(term)
    if meaning is not None:
        return _by_definition(term, meaning, env)
    own = env.own_real(term)
    if own is not None:
        return own
    for key in (term, name):
        if key in env.reals:
            return Measured(float(env.reals[key]))
    index = next((t for t in tags if type(t) is int), None)
    if index is not None and (constant := _constant(name, index, env)) is not None:
        return Measured(constant, U * constant)
    if name == "rho":
        at = tags[0]
        x = env.input(at.args[0])
        size = float(np.linalg.norm(x)) / math.sqrt(len(x))
        return Measured(size, gamma(len(x) + 4) * size)
    if name == "rate_power" and index is not None:
        rate = real(make("sym", "rate"), env)
        return rate.power(Fraction(index)) if index else Measured(1.0)
    if index is not None:
        point = next((t for t in tags if isinstance(t, Term) and t.sort == "point"), CENTRE)
        at = next((t for t in tags if isinstance(t, Term) and t.sort == "input"), INPUT)
        value = env.statistic(name, index, point, at)
        if value is not None:
            return real(value, env)
    msg = (
        f"the symbol {term} has no value: give its definition in definitions, or "
        f"reals={{{name!r}: number}}"
    )
    raise EvaluationError(msg)


def _by_definition(term: Term, meaning: Term, env: Environment) -> Measured:
    del env.meanings[term]  # so that a circle of definitions is noticed
    try:
        return real(meaning, env)
    finally:
        env.meanings[term] = meaning


# -- operators ------------------------------------------------------------------------------------


def _operator(term: Term, env: Environment) -> Operator:
    args = term.args
    own = env.own_operator(term) if term.head in ("op", "jac", "hess", "contract") else None
    if own is not None:
        return own
    match term.head:
        case "op":
            return _named(term, env)
        case "var":
            return _variable(term, env)
        case "id":
            return operators.identity(env.dimension(args[0]))
        case "zero":
            return operators.zero(env.dimension(args[0]), env.dimension(args[1]))
        case "jac":
            return _jacobian(term, env)
        case "hess":
            return _hessian(term, env)
        case "act":
            return _activation(term, env)
        case "osum":
            return _sum_over_index(term, env)
        case "contract":
            left, right = (env.dimension(s) for s in args[1].cols.args)
            return operators.contracted(operator(args[0], env), operator(args[1], env), left, right)
        case "scale":
            return operators.scaled(real(args[0], env), operator(args[1], env))
    build = _COMPOUND.get(term.head)
    if build is None:
        msg = f"{term} is of sort {term.sort}, not an operator"
        raise EvaluationError(msg)
    return build([operator(a, env) for a in args])


_COMPOUND: dict[str, Callable[[list[Operator]], Operator]] = {
    "T": lambda ops: ops[0].T,
    "dot": operators.composed,
    "plus": operators.added,
    "neg": lambda ops: operators.negative(ops[0]),
    "diag": lambda ops: operators.diagonal(ops[0]),
    "kron": lambda ops: operators.kron(ops[0], ops[1]),
}


def _variable(term: Term, env: Environment) -> Operator:
    value = env.variable(term)
    if isinstance(value, Operator):
        return value
    shape = (env.dimension(term.rows), env.dimension(term.cols))
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 1 and shape[1] == 1:
        array = array[:, None]
    if array.shape != shape:
        msg = f"the variable {term} needs the shape {shape}, was given {array.shape}"
        raise EvaluationError(msg)
    op = operators.dense(array)
    op.size = norms.spectral(op, env.seed).upper
    return op


def _sum_over_index(term: Term, env: Environment) -> Operator:
    terms = _each(term)
    if not terms:
        return operators.zero(env.dimension(term.rows), env.dimension(term.cols))
    return operators.added([operator(t, env) for t in terms])


def _named(term: Term, env: Environment) -> Operator:
    """W, v, theta, Pi, alpha, z, delta and f."""
    name, _, _, *tags = term.args
    index = next((t for t in tags if type(t) is int), 0)
    point = next((t.args[0] for t in tags if isinstance(t, Term) and t.sort == "point"), None)
    at = next((t.args[0] for t in tags if isinstance(t, Term) and t.sort == "input"), None)
    match name:
        case "W" if point is not None:
            found = env.weights(index, point)
        case "v":
            found = operators.vector(env.readout(point))
        case "theta" if point is not None:
            found = operators.vector(env.theta(point))
        case "Pi":
            which = env.arch.depth + 1 if tags[0] == READOUT else index
            _require_block(term, which, env)
            found = operators.selection(*env.arch.block(which), env.arch.num_params)
        case "F" if point is not None and at is not None:
            found = _outputs(point, at, env)
        case "labels" if at is not None:
            found = operators.vector(env.label(at))
        case "dw" | "da" | "dww" | "dwa" | "daa":
            found = partials.measured(term, env)
        case "alpha" | "z" | "delta" | "f" if point is not None and at is not None:
            state = env.state(point, at)
            _require_layer(term, state)
            found = operators.vector(state.value(name, index), state.jets[name, index].value.error)
        case "B" if point is not None and at is not None:
            found = _transfer(env.state(point, at), index, int(tags[1]))
        case _:
            known = "W, v, theta, Pi, alpha, z, delta and f"
            msg = f"the operator {term} means nothing here; those of a network are {known}"
            raise EvaluationError(msg)
    shape = (env.dimension(term.rows), env.dimension(term.cols))
    if found.shape != shape:
        msg = f"{term} has shape {found.shape} here, and its spaces say {shape}"
        raise EvaluationError(msg)
    return found


def _transfer(state: State, above: int, below: int) -> Operator:
    """dz^n/dalpha^k by JAX, through the layers between alone."""
    if not 0 <= below < above <= state.arch.depth:
        msg = f"B of layers {above} and {below}: needs 0 <= k < n <= {state.arch.depth}"
        raise EvaluationError(msg)
    matrix = np.asarray(derivatives.transferred(state, above, below))
    size = 1.0
    for layer in range(below + 1, above + 1):
        z = state.value("z", layer)
        steep = float(np.max(np.abs(host_derivatives(state.arch.activations[layer - 1], z, 1)[1])))
        start, stop = state.arch.block(layer)
        size *= float(np.linalg.norm(state.theta[start:stop])) * (steep if layer < above else 1.0)
        size /= float(state.arch.widths[layer - 1]) ** 0.5
    roundings = sum(state.arch.widths[below : above + 1]) + ACTIVATION_ROUNDINGS * (above - below)
    shift = sum(state.jets["z", layer].value.error for layer in range(below + 1, above))
    error = gamma(roundings) * size + _bent(state, above, below) * shift
    return operators.dense(matrix, error=error)


def _bent(state: State, above: int, below: int) -> float:
    """How much B moves at most, to first order, per unit of the pre-activations between."""
    scale = 1.0
    for layer in range(below + 1, above + 1):
        z = state.value("z", layer)
        found = host_derivatives(state.arch.activations[layer - 1], z, 2)
        bend = max(float(np.max(np.abs(d))) for d in found[1:]) if layer < above else 1.0
        start, stop = state.arch.block(layer)
        stretch = float(np.linalg.norm(state.theta[start:stop]))
        scale *= stretch / float(state.arch.widths[layer - 1]) ** 0.5 * max(bend, 1e-300)
    return scale


def _outputs(point: str, at: str, env: Environment) -> Operator:
    """F, one output for each sample."""
    values = [env.state(point, name).value("f", 0)[0] for name in env.samples(at)]
    return operators.vector(np.array(values), env.outputs_jet(point, at).value.error)


def _require_layer(term: Term, state: State) -> None:
    index = next((t for t in term.args[3:] if type(t) is int), 0)
    if (term.args[0], index) not in state.jets:
        msg = f"{term} is of no layer of this network, whose depth is {state.arch.depth}"
        raise EvaluationError(msg)


def _require_block(term: Term, which: int, env: Environment) -> None:
    blocks = env.arch.depth + env.arch.trained
    if not 1 <= which <= blocks:
        msg = f"{term}: this network has the parameter blocks 1 to {blocks}"
        raise EvaluationError(msg)


def _activation(term: Term, env: Environment) -> Operator:
    index, order, inner = term.args
    vector = operator(inner, env)
    z = vector.form()[:, 0]
    found = host_derivatives(env.activation(index), z, 3)
    steep = float(np.max(np.abs(found[order + 1]), initial=0.0))
    spent = float(np.linalg.norm(found[order])) + float(np.linalg.norm(found[order + 1] * z))
    error = steep * vector.error + gamma(ACTIVATION_ROUNDINGS) * spent
    return operators.vector(found[order], error)


# -- derivatives by the parameters ----------------------------------------------------------------


def _jacobian(term: Term, env: Environment) -> Operator:
    function, point = term.args
    shape = (env.dimension(function.rows), env.arch.num_params)
    if point not in function.free:
        return operators.zero(*shape)
    if function.head == "op" and function.args[0] == "F":
        return _outputs_jacobian(function, env)
    slot = functions.slot(function, point)
    if slot is None:
        return functions.jacobian(function, point, Context(env, real, operator))
    name, layer, at = slot
    state = env.state(point.args[0], at)
    start, stop = state.arch.slot(name, layer)
    where = (state.theta, state.readout, state.x)
    size = state.jets[name, layer].first

    def act(direction: Any) -> Any:
        return derivatives.pushed(*where, direction, state.arch)[start:stop]

    def adjoint(covector: Any) -> Any:
        return derivatives.pulled(*where, _placed(covector, start, state), state.arch)

    return operators.row_by_row(shape, act, adjoint, size.value, size.error)


def _outputs_jacobian(function: Term, env: Environment) -> Operator:
    """The rows of J: the gradients on the samples."""
    *_, point, at = function.args
    rows = []
    for name in env.samples(at.args[0]):
        state = env.state(point.args[0], name)
        start, _ = state.arch.slot("f", 0)
        where = (state.theta, state.readout, state.x)
        covector = _placed(np.ones(1), start, state)
        rows.append(np.asarray(derivatives.pulled(*where, covector, state.arch)))
    size = env.outputs_jet(point.args[0], at.args[0]).first
    return operators.dense(np.array(rows), error=size.error)


def _outputs_hessian(weights: Operator, function: Term, env: Environment) -> Operator:
    """``sum_i c_i H_i`` over the samples, known by its action."""
    *_, point, at = function.args
    states = [env.state(point.args[0], name) for name in env.samples(at.args[0])]
    arch = env.arch
    start, _ = arch.slot("f", 0)
    size = env.outputs_jet(point.args[0], at.args[0]).second * Measured(weights.size, weights.error)

    def act(direction: Any) -> Any:
        total = np.zeros(arch.num_params)
        for state, weight in zip(states, weights.form()[:, 0], strict=True):
            covector = _placed(np.full(1, weight), start, state)
            where = (state.theta, state.readout, state.x)
            total += np.asarray(derivatives.curved(*where, covector, direction, arch))
        return total

    return operators.row_by_row((arch.num_params,) * 2, act, act, size.value, size.error)


def _placed(entries: Any, start: int, state: State) -> Any:
    whole = np.zeros(state.arch.num_outputs)
    whole[start : start + len(entries)] = entries
    return whole


def _hessian(term: Term, env: Environment) -> Operator:
    coefficients, function, point = term.args
    count = env.arch.num_params
    if point not in function.free:
        return operators.zero(count, count)
    weights = operator(coefficients, env)
    if function.head == "op" and function.args[0] == "F":
        return _outputs_hessian(weights, function, env)
    slot = functions.slot(function, point)
    if slot is None:
        return functions.hessian(weights, function, point, Context(env, real, operator))
    name, layer, at = slot
    state = env.state(point.args[0], at)
    covector = _placed(weights.form()[:, 0], state.arch.slot(name, layer)[0], state)
    size = state.jets[name, layer].second * Measured(weights.size, weights.error)

    def act(direction: Any) -> Any:
        where = (state.theta, state.readout, state.x)
        return derivatives.curved(*where, covector, direction, state.arch)

    return operators.row_by_row((count, count), act, act, size.value, size.error)
