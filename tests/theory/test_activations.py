from __future__ import annotations

import contextlib
import subprocess
import sys
from fractions import Fraction

import flint
import mpmath
import pytest
import sympy
from flint import arb, fmpq
from hypothesis import given
from hypothesis import strategies as st

from theory.activations import (
    ACTIVATIONS,
    ActivationError,
    ActivationFunction,
    CertificationError,
    NotSmoothError,
    Supremum,
    UnboundedDerivativeError,
    activation,
    registered,
)
from theory.activations.balls import JETS, PRECISION, Program, interval
from theory.activations.closed_forms import at_critical_points
from theory.activations.growth import TailError
from theory.activations.maxima import Peak, Piece, largest
from theory.activations.periods import period_of
from theory.activations.suprema import check_smooth
from theory.activations.tail_functions import expand
from theory.grammar import T, parse

R, sqrt, exp, pi = sympy.Rational, sympy.sqrt, sympy.exp, sympy.pi
INFINITE = "infinite"

# theory.md, section 1, and for the rest by hand.
EXACT = {
    "tanh": (1, 1, 4 / (3 * sqrt(3)), 2),
    "sigmoid": (1, R(1, 4), 1 / (6 * sqrt(3)), R(1, 8)),
    "softplus": (INFINITE, 1, R(1, 4), 1 / (6 * sqrt(3))),
    "erf": (1, 2 / sqrt(pi), 2 * sqrt(2) * exp(R(-1, 2)) / sqrt(pi), 4 / sqrt(pi)),
    "sin": (1, 1, 1, 1),
    "gelu": (
        INFINITE,
        (1 + sympy.erf(1)) / 2 + exp(-1) / sqrt(pi),
        sqrt(2 / pi),
        None,
    ),
    "gelu_tanh": (INFINITE, None, sqrt(2 / pi), None),
    "silu": (INFINITE, None, R(1, 2), None),
    "square": (INFINITE, INFINITE, 2, 0),
    "identity": (INFINITE, 1, 0, 0),
    "t/(1+t^2)": (R(1, 2), 1, None, 6),
    "atan(t)": (pi / 2, 1, 3 * sqrt(3) / 8, 2),
    "exp(-t^2)": (1, sqrt(2) * exp(R(-1, 2)), 2, None),
    "log(1+exp(t))": (INFINITE, 1, R(1, 4), 1 / (6 * sqrt(3))),
    "tanh(t)+t/10": (INFINITE, R(11, 10), 4 / (3 * sqrt(3)), 2),
    "sin(2*t)": (1, 2, 4, 8),
    "cos(t)*3": (3, 3, 3, 3),
    "t*tanh(t)": (INFINITE, None, 2, None),
    "t*tanh(log(1+exp(t)))": (INFINITE, None, None, None),
    "sqrt(1+t^2)": (INFINITE, 1, 1, 48 * sqrt(5) / 125),
    "t/sqrt(1+t^2)": (1, 1, 48 * sqrt(5) / 125, 3),
    "asinh(t)": (INFINITE, 1, 2 / (3 * sqrt(3)), 1),
    "t+sin(t)": (INFINITE, 2, 1, 1),
    "log(cosh(t))": (INFINITE, 1, 1, 4 / (3 * sqrt(3))),
    "t*atan(t)": (INFINITE, pi / 2, 2, None),
    "2^t": (INFINITE, INFINITE, INFINITE, INFINITE),
    "tanh(100*t)/100": (None, 1, None, 20000),
    "tanh(t/10^6)": (1, R(1, 10**6), None, None),
    "log(1+exp(t-20))": (INFINITE, 1, R(1, 4), None),
    "log(1+exp(200*t))/200": (INFINITE, 1, 50, None),
    "exp(sin(t))": (sympy.E, None, sympy.E, None),
    "1-exp(-exp(t))": (None, exp(-1), None, None),
    "cos(t^4/(1+t^4))": (None, None, None, None),
    "t^2/(t^2-t+1)": (R(4, 3), None, None, None),
}
CASES = [(name, order) for name in EXACT for order in range(4)]
FINITE = [(name, order) for name, order in CASES if EXACT[name][order] != INFINITE]


@pytest.mark.parametrize(("name", "order"), [c for c in FINITE if EXACT[c[0]][c[1]] is not None])
def test_exact_suprema(name, order):
    expected = sympy.S(EXACT[name][order])
    found = activation(name).sup(order)
    assert found.exact is not None
    assert sympy.simplify(found.exact - expected) == 0
    assert not found.declared
    if expected.is_Rational:
        assert found.lower == found.upper == Fraction(expected.p, expected.q)
    else:
        value = expected.evalf(40)
        assert R(found.lower.numerator, found.lower.denominator) < value
        assert value < R(found.upper.numerator, found.upper.denominator)


@pytest.mark.parametrize(("name", "order"), FINITE)
def test_enclosures_are_narrow(name, order):
    found = activation(name).sup(order)
    assert 0 <= found.lower <= found.upper
    assert found.upper - found.lower <= Fraction(2, 10**15) * found.upper
    assert Fraction(float(found)) >= found.upper


@pytest.mark.parametrize(
    ("name", "figure"), [("gelu", 1.128904), ("gelu_tanh", 1.128993), ("silu", 1.099839)]
)
def test_figures_of_functions_without_a_closed_form(name, figure):
    found = activation(name).sup(1)
    assert figure < found.lower
    assert found.upper < figure + 1e-6


@pytest.mark.parametrize(("name", "order"), [c for c in CASES if EXACT[c[0]][c[1]] == INFINITE])
def test_infinite_suprema_are_named(name, order):
    constant = ["sup|σ|", "λ = sup|σ'|", "β = sup|σ''|", "sup|σ'''|"][order].replace("|", r"\|")
    with pytest.raises(
        UnboundedDerivativeError, match=f"^{constant} is infinite for the activation"
    ):
        activation(name).sup(order)


# --- An oracle that shares nothing: mpmath's functions, its differentiation, another search.


def _mp_softplus(t):
    return mpmath.log1p(mpmath.exp(t)) if t < 0 else t + mpmath.log1p(mpmath.exp(-t))


def _mp_sigmoid(t):
    return 1 / (1 + mpmath.exp(-t))


ORACLE = {
    "tanh": mpmath.tanh,
    "sigmoid": _mp_sigmoid,
    "softplus": _mp_softplus,
    "erf": mpmath.erf,
    "sin": mpmath.sin,
    "gelu": lambda t: t * mpmath.ncdf(t),
    "gelu_tanh": lambda t: (
        t / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (t + mpmath.mpf("0.044715") * t**3)))
    ),
    "silu": lambda t: t * _mp_sigmoid(t),
    "square": lambda t: t * t,
    "identity": lambda t: t,
    "t/(1+t^2)": lambda t: t / (1 + t * t),
    "t*tanh(t)": lambda t: t * mpmath.tanh(t),
    "t*tanh(log(1+exp(t)))": lambda t: t * mpmath.tanh(_mp_softplus(t)),
    "sqrt(1+t^2)": lambda t: mpmath.hypot(1, t),
    "asinh(t)": mpmath.asinh,
    "exp(-t^2)": lambda t: mpmath.exp(-t * t),
    "cos(t^4/(1+t^4))": lambda t: mpmath.cos(t**4 / (1 + t**4)),
    "t^2/(t^2-t+1)": lambda t: t**2 / (t**2 - t + 1),
}
AT_INFINITY = {("tanh", 0), ("sigmoid", 0), ("softplus", 1), ("erf", 0), ("sqrt(1+t^2)", 1)}


def _oracle_maximum(function, order):
    """max |f^(order)| over [-8, 8], by a grid and golden sections at 40 digits."""

    def size(t):
        return abs(mpmath.diff(function, t, order)) if order else abs(function(t))

    with mpmath.workdps(40):
        grid = [mpmath.mpf(k) / 8 for k in range(-64, 65)]
        best = max(grid, key=size)
        low, high, golden = best - 0.125, best + 0.125, (mpmath.sqrt(5) - 1) / 2
        for _ in range(45):
            left, right = high - golden * (high - low), low + golden * (high - low)
            low, high = (left, high) if size(left) < size(right) else (low, right)
        return max(size((low + high) / 2), size(best))


@pytest.mark.parametrize(
    ("name", "order"), [c for c in FINITE if c[0] in ORACLE and c not in AT_INFINITY]
)
def test_an_independent_search_agrees(name, order):
    found = activation(name).sup(order)
    best = float(_oracle_maximum(ORACLE[name], order))
    assert best <= float(found.upper) * (1 + 1e-14)
    assert best >= float(found.lower) * (1 - 1e-13)


@pytest.mark.parametrize(("name", "order"), sorted(AT_INFINITY))
def test_suprema_that_are_limits_are_approached(name, order):
    with mpmath.workdps(60):
        far = abs(mpmath.diff(ORACLE[name], mpmath.mpf(10) ** 3 if name[0] == "s" else 60, order))
    assert 1 - 1e-6 < far <= 1 + 1e-30


@given(st.sampled_from([c for c in FINITE if c[0] in ORACLE]), st.floats(-1e8, 1e8))
def test_no_point_exceeds_the_upper_end(case, t):
    name, order = case
    upper = activation(name).sup(order).upper
    with mpmath.workdps(80):
        value = abs(mpmath.diff(ORACLE[name], mpmath.mpf(t), order, h=mpmath.mpf(10) ** -15))
        assert value <= mpmath.mpf(upper.numerator) / upper.denominator * (1 + mpmath.mpf(10) ** -9)


# --- Random functions, of which no closed form is known beforehand.

RATIONALS = st.fractions(-3, 3, max_denominator=4).map(lambda q: R(q.numerator, q.denominator))
LEAVES = st.one_of(st.just(T), st.just(T), RATIONALS.map(lambda q: q * T), RATIONALS)
OUTER = [
    sympy.tanh,
    sympy.erf,
    sympy.atan,
    sympy.sin,
    sympy.asinh,
    sympy.sech,
    lambda u: sympy.log(1 + exp(u)),
    lambda u: exp(-(u**2)),
    lambda u: sqrt(1 + u**2),
    lambda u: 1 / (1 + exp(-u)),
    lambda u: 1 / (1 + u**2),
]
FUNCTIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: p[0] + p[1]),
        st.tuples(inner, inner).map(lambda p: p[0] * p[1]),
        st.tuples(st.sampled_from(OUTER), inner).map(lambda p: p[0](p[1])),
    ),
    max_leaves=3,
)
POINTS = [float(x) for x in [*range(-12, 13), -0.3, 0.7, 1.4, -2.6, 40, -55, 1e3, -1e4]]


def _value(expr, t):
    with mpmath.workdps(60):
        return sympy.lambdify(T, expr, "mpmath")(mpmath.mpf(t))


@given(FUNCTIONS, st.integers(0, 3))
def test_random_functions_stay_below(expr, order):
    try:
        sigma = activation(expr)
        upper = sigma.sup(order).upper
    except ActivationError:
        return
    with mpmath.workdps(60):
        bound = mpmath.mpf(upper.numerator) / upper.denominator
        for t in POINTS:
            with contextlib.suppress(OverflowError, ZeroDivisionError):
                value = abs(_value(sigma.derivative(order), t))
                assert value <= bound + mpmath.mpf(10) ** -40


@given(FUNCTIONS, st.sampled_from([1, 8, 64]), st.lists(st.floats(0, 14), min_size=8, max_size=8))
def test_an_expansion_holds_on_the_whole_tail(expr, start, exponents):
    with flint.ctx.workprec(PRECISION):
        try:
            expansion = expand(expr, start)
            if expansion.diverges():
                return
            values = expansion.range()
        except TailError:
            return
    with mpmath.workdps(60):
        low, high = (mpmath.mpf(x.str(60, radius=False)) for x in (values.low, values.high))
        for exponent in [0.0, *exponents]:
            value = _value(expr, start * mpmath.mpf(2) ** exponent)
            slack = mpmath.mpf(10) ** -50 * (1 + abs(value))
            assert low - slack <= value <= high + slack


@given(st.sampled_from(sorted(JETS, key=str)), st.floats(-0.9, 0.9), st.floats(0, 0.05))
def test_jets_enclose_derivatives(function, centre, radius):
    with flint.ctx.workprec(PRECISION), mpmath.workdps(50):
        argument = T + 1 if function is sympy.log else T
        jet = Program(function(argument)).jet(arb(centre, radius), 5)
        exact = sympy.lambdify(T, function(argument), "mpmath")
        for shift in (0, -1, 1):
            taylor = mpmath.taylor(exact, centre + shift * mpmath.mpf(radius), 5)
            for ball, value in zip(jet, taylor, strict=True):
                near = arb(str(mpmath.nstr(value, 40)), 1e-25)
                assert ball.overlaps(near)
                assert ball.is_finite()


# --- The machinery refuses to claim what it has not shown.


def test_a_coefficient_that_is_no_number_proves_nothing():
    # log(1 + exp(t - 20)) has its bump at 20, beyond the first T0 = 8: there the expansion in
    # exp(20 - t) is useless, and an enclosure that is not a number must not pass for a small one.
    assert activation("log(1+exp(t-20))").sup(2).exact == R(1, 4)
    with flint.ctx.workprec(PRECISION):
        slope = sympy.diff(parse("log(1+exp(t-20))"), T, 2)
        with contextlib.suppress(TailError):
            assert expand(slope, 8).range().high > 0.25
        with pytest.raises(TailError, match="not finite"):
            expand(T, 8).scaled(arb.nan())


def test_intervals_contain_their_ends():
    with flint.ctx.workprec(PRECISION):
        unit = interval(-1, 1)
        assert unit.upper() == 1
        assert unit.lower() == -1
        hull = interval(0, arb(-3, 1))
        assert hull.contains(0)
        assert hull.contains(-4)
        assert not interval(0, arb.nan()).is_finite()


def test_wrong_candidates_prove_nothing():
    # The pieces hold 0, where cos has its maximum, and sin has none.
    with flint.ctx.workprec(PRECISION):
        pieces = (Piece(fmpq(-1, 8), fmpq(1, 8), arb(2), curved=True),)
        peak = Peak(arb(0), arb(2), arb(0), pieces)
        for expr, value in [(sympy.cos(T), 1), (sympy.sin(T), None), (1 + T**3, None)]:
            assert at_critical_points(expr, Program(expr), 0, peak, None) == value
        flat = Peak(arb(0), arb(2), arb(0), (Piece(fmpq(-1, 8), fmpq(1, 8), arb(2), curved=False),))
        assert at_critical_points(sympy.cos(T), Program(sympy.cos(T)), 0, flat, None) is None
        # A piece with a larger value at its end: the critical point is not the maximum.
        wide = Peak(arb(0), arb(9), arb(0), (Piece(fmpq(-3), fmpq(3), arb(9), curved=True),))
        expr = T**2 / 2 - 1
        assert at_critical_points(expr, Program(expr), 0, wide, None) is None


def test_branch_and_bound_stops_early_with_a_true_bound():
    with flint.ctx.workprec(PRECISION):
        program = Program(sympy.sin(50 * T) * sympy.cos(T))
        edges = [fmpq(0), fmpq(7)]
        rough, fine = (largest(program, 0, edges, pieces=n) for n in (12, 4000))
        assert rough.lower <= fine.lower <= fine.upper <= rough.upper
        assert rough.upper > fine.upper
        assert fine.upper - fine.lower < arb(10) ** -40


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("sin(t)", 2 * pi),
        ("sin(2*t)+cos(3*t/2)", 4 * pi),
        ("exp(cos(pi*t))", sympy.S(2)),
        ("sin(t+1)^2", 2 * pi),
        ("sin(sqrt(2)*t)*cos(3*sqrt(2)*t)", sqrt(2) * pi),
        ("t+sin(t)", None),
        ("sin(t)+sin(sqrt(2)*t)", None),
        ("sin(t^2)", None),
        ("tanh(t)", None),
        ("3", None),
    ],
)
def test_periods(text, period):
    found = period_of(parse(text))
    assert (found is None) == (period is None)
    if period is not None:
        assert sympy.simplify(found - period) == 0


def test_oscillation_that_never_repeats_is_bounded_from_outside():
    found = activation("sin(t)+sin(sqrt(2)*t)").sup(0)
    assert found.exact is None
    assert Fraction(19, 10) < found.lower < 2 <= found.upper < Fraction(2 * 10**8 + 1, 10**8)


# --- What is refused.


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("relu", "^relu is not twice .*use softplus, gelu or silu"),
        ("ReLU", "^ReLU is not twice .*softplus"),
        ("leaky_relu", r"leaky_relu is not.*use t/10 \+"),
        ("LeakyReLU", "LeakyReLU is not"),
        ("leaky-relu", "leaky-relu is not"),
        ("abs", r"abs is not.*use t\*tanh"),
        ("hard_tanh", "hard_tanh is not .*use tanh"),
        ("hardtanh", "hardtanh is not .*use tanh"),
        ("elu", "elu is not .*jumps"),
        ("softsign", "softsign is not .*tanh"),
        ("step", "step is not .*sigmoid"),
        ("abs(t)", "contains Abs, .*use a smooth function instead, such as softplus"),
        ("max(t, 0)", "contains Max"),
        ("t*Heaviside(t)", "contains Heaviside"),
        ("t + sign(t)", "contains sign"),
        ("floor(t)", "contains floor"),
        ("sqrt(t^2)", "contains Abs"),
        ("t*(t^6)^(1/2)", "contains Abs"),
        (sympy.sqrt(sympy.Symbol("x") ** 2), "contains Abs"),
        (sympy.Piecewise((0, T < 0), (T, True)), "contains Piecewise"),
        ("1/t", "could not be shown .* near t = 0: .*pole"),
        ("log(t)", "near t = 0"),
        ("sqrt(t)", "near t = 0"),
        ("t^(4/3)", "near t = 0"),
        ("t^2.5", "near t = 0"),
        ("sin(t)/t", "near t = 0: .*0/0"),
        ("exp(-1/t^2)", "near t = 0"),
        ("t/(1-t^2)", "near t = -?1:"),
        ("1/(t-30)", "near t = 30"),
        ("1/(1000-t)", "near t = 1000"),
        ("tan(t)", "near t = "),
        ("asin(t)", "edge of a domain"),
        ("sqrt(1+cos(t))", "near t = -?3.142"),
        ("t^t", "near t = "),
    ],
)
def test_not_smooth(spec, message):
    with pytest.raises(NotSmoothError, match=message):
        activation(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tahn", "unknown activation 'tahn'; known: tanh, sigmoid, softplus"),
        ("x", "unknown activation 'x'"),
        ("x + 1", "unknown name 'x': the variable is t"),
        ("t*(", "neither an activation's name .* nor an expression in t: column 4"),
        ("", "the expression is empty"),
        (3, "a name or a SymPy expression in one symbol, not 3"),
        (None, "not None"),
        (sympy.Symbol("x") * sympy.Symbol("y"), "has the symbols x, y; .*function of one"),
        (sympy.Function("f")(T), "f cannot be enclosed; use .*tanh"),
        (sympy.gamma(T), "gamma cannot be enclosed"),
        (T + sympy.I, "cannot be enclosed"),
        (T * sympy.oo, "cannot be enclosed"),
        (sympy.nan, "cannot be enclosed"),
        (sympy.Abs(sympy.Symbol("p", positive=True)), "carries assumptions"),
        (sympy.Symbol("n", integer=True), "carries assumptions"),
    ],
)
def test_no_activation(spec, message):
    with pytest.raises(ActivationError, match=message):
        activation(spec)


def test_what_can_be_neither_bounded_nor_refuted_says_how_to_declare_it():
    sigma = activation("sin(t^2)/(1+t^2)")
    assert sigma.sup(0).upper < 1
    with pytest.raises(CertificationError, match=r"β = sup\|σ''\| of .*bounds=\{2: bound\}"):
        activation("sin(t^2)").sup(2)
    with pytest.raises(CertificationError, match=r"could not be shown .*large \|t\|.*declare"):
        activation("1/(2+sin(t)+cos(sqrt(2)*t))")


@pytest.mark.parametrize("order", [-1, 4, True, 1.0, "1", None])
def test_orders(order):
    with pytest.raises(ActivationError, match="from 0 to 3"):
        activation("tanh").sup(order)


class TestDeclaredBounds:
    expr = sympy.sin(T**2) / (1 + T**2) ** 2

    def test_are_used_and_marked(self):
        sigma = ActivationFunction("chirp", self.expr, bounds={1: R(7, 8), 2: 4})
        found = sigma.sup(1)
        assert found.declared
        assert found.exact is None
        assert found.upper == Fraction(7, 8)
        assert 0 < found.lower <= found.upper
        assert not sigma.sup(0).declared

    def test_spare_a_proof_for_large_arguments(self):
        expr = parse("1/(2+sin(t)+cos(sqrt(2)*t))")
        assert ActivationFunction("quasi", expr, bounds={1: 10**9}).sup(1).declared

    def test_do_not_spare_smoothness_nearby(self):
        with pytest.raises(NotSmoothError):
            ActivationFunction("pole", 1 / T, bounds={1: 1, 2: 1})

    def test_are_refused_when_a_point_disproves_them(self):
        sigma = ActivationFunction("chirp", self.expr, bounds={1: R(1, 10)})
        with pytest.raises(
            ActivationError, match=r"λ = sup\|σ'\| <= 1/10 of chirp is false: at t ="
        ):
            sigma.sup(1)

    @pytest.mark.parametrize(
        "bounds", [{1: 1.5}, {1: -1}, {1: True}, {4: 1}, {"1": 1}, {1: sqrt(2)}, {1: None}]
    )
    def test_are_rational(self, bounds):
        with pytest.raises(ActivationError, match=r"declared bound|order of a derivative"):
            ActivationFunction("f", self.expr, bounds=bounds)

    def test_count_in_equality(self):
        one, two = (ActivationFunction("f", self.expr, bounds={1: b}) for b in (8, 9))
        assert one != two
        assert one == ActivationFunction("f", self.expr, bounds={1: Fraction(8)})


# --- Names, expressions, identity.


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_registered_functions(name):
    sigma = ACTIVATIONS[name]
    check_smooth(sigma.expr)  # not done at import
    assert activation(name) is sigma
    assert activation(sigma) is sigma
    assert registered(sigma)
    assert sigma.latex == sympy.latex(sigma.expr)
    assert sympy.simplify(sigma.at_zero - sigma.expr.subs(T, 0)) == 0
    with mpmath.workdps(30):
        for t in (-2.5, 0.0, 0.3, 4.0):
            assert abs(_value(sigma.expr, t) - ORACLE[name](mpmath.mpf(t))) < 1e-25


def test_expressions_are_recognised_whatever_their_symbol():
    x, y = sympy.symbols("x y", real=True)
    assert activation(sympy.tanh(x)) is activation("tanh")
    assert activation("t*(1+erf(t/sqrt(2)))/2") is activation("gelu")
    assert activation(x**3) == activation(y**3) == activation("t^3")
    assert hash(activation(x**3)) == hash(activation("t^3"))
    assert activation("swish") is activation("silu")
    assert not registered(activation("t^3"))


def test_decimals_are_exact():
    assert activation(0.1 * T).sup(1).exact == R(1, 10)
    assert activation("0.1*t") == activation(0.1 * T) == activation(T / 10)


@pytest.mark.parametrize("name", ["tanh", "swish", "relu", "", " ", "a\nb", None])
def test_a_name_means_one_function(name):
    with pytest.raises(ActivationError, match=r"is taken|printable name"):
        ActivationFunction(name, T**3)


def test_a_registered_name_may_be_given_its_own_expression():
    assert ActivationFunction("tanh", sympy.tanh(T)) == activation("tanh")


def test_derivatives_and_values_at_zero():
    assert activation("tanh").derivative(0) == sympy.tanh(T)
    assert activation("tanh").derivative(1) == 1 - sympy.tanh(T) ** 2
    assert activation("softplus").at_zero == sympy.log(2)
    assert activation("sigmoid").at_zero == R(1, 2)


def test_suprema_are_remembered():
    first, again = (activation("gelu_tanh").sup(2) for _ in range(2))
    assert first is again


def test_floats_are_rounded_up():
    third = Supremum(Fraction(1, 3), Fraction(1, 3))
    assert Fraction(float(third)) >= Fraction(1, 3)


def test_importing_is_light():
    code = (
        "import sys; import theory.activations, theory.networks; "
        "sys.exit(any(name in sys.modules for name in ('jax', 'numerics', 'tomllib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
