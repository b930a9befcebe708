"""A small safe grammar for activation functions written as text.

Text from a file or from a command line never meets an evaluator: ``sympify`` and ``parse_expr``
call Python's ``eval``. Here a recursive-descent parser knows numbers, the variable ``t``, the
operators ``+ - * / ^ **``, parentheses, the constants ``pi`` and ``E`` and the functions of
``FUNCTIONS``; everything else is an error that names the column.

    expression = term   { ("+" | "-") term }
    term       = factor { ("*" | "/") factor }
    factor     = ("+" | "-") factor | power
    power      = atom [ ("^" | "**") factor ]
    atom       = number | "t" | "pi" | "E" | name "(" expression { "," expression } ")"
               | "(" expression ")"

Numbers are exact: ``0.1`` is the rational 1/10. Sizes are limited (length of the text, depth of
nesting, size of exact integers), so that a hostile text costs little time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, NoReturn

import sympy

__all__ = ["FUNCTIONS", "GrammarError", "T", "parse", "to_text"]

T: Final = sympy.Symbol("t", real=True)
"""The argument of every activation expression."""

MAX_LENGTH: Final = 2000
MAX_DEPTH: Final = 40
MAX_DIGITS: Final = 620  # any exact number that is read can be written and read back
MAX_BITS: Final = 2000
MAX_EXPONENT: Final = 100

CONSTANTS: Final = {"pi": sympy.pi, "E": sympy.E}

FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "exp": sympy.exp,
    "log": sympy.log,
    "ln": sympy.log,
    "sqrt": sympy.sqrt,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "atan": sympy.atan,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "sech": sympy.sech,
    "asinh": sympy.asinh,
    "atanh": sympy.atanh,
    "erf": sympy.erf,
    "erfc": sympy.erfc,
    # Read, so that they can be refused by name where smoothness is asked for.
    "abs": sympy.Abs,
    "Abs": sympy.Abs,
    "sign": sympy.sign,
    "floor": sympy.floor,
    "ceiling": sympy.ceiling,
    "Heaviside": sympy.Heaviside,
    "max": sympy.Max,
    "Max": sympy.Max,
    "min": sympy.Min,
    "Min": sympy.Min,
}
VARIADIC: Final = frozenset({"max", "Max", "min", "Min"})

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<operator>\*\*|[-+*/^(),]))"
)


class GrammarError(ValueError):
    """A text is not an expression of the grammar; the message names the column."""


def parse(text: str) -> sympy.Expr:
    """Read an expression in ``t``, exactly and without evaluating any code.

    Args:
        text: for example ``"t/(1 + t^2)"`` or ``"0.5*t*(1 + tanh(t))"``.

    Returns:
        A real, finite SymPy expression in the symbol ``T``.

    Raises:
        GrammarError: naming the column and what was expected there.

    >>> parse("t/(1 + t^2)")
    t/(t**2 + 1)
    """
    if not isinstance(text, str):
        msg = f"an activation is read from text, not from {type(text).__name__}"
        raise GrammarError(msg)
    if len(text) > MAX_LENGTH:
        msg = f"the expression has {len(text)} characters; at most {MAX_LENGTH} are read"
        raise GrammarError(msg)
    return _Parser(text).run()


def to_text(expr: sympy.Expr) -> str:
    """Write an expression so that ``parse`` gives exactly the same one back.

    Raises:
        GrammarError: the expression holds something the grammar cannot say.
    """
    text = str(expr)
    try:
        back = parse(text)
    except GrammarError as error:
        msg = f"the expression {text} cannot be written in the grammar: {error}"
        raise GrammarError(msg) from error
    if back != expr:
        msg = f"the expression {text} would be read back as {back}; write it in that form"
        raise GrammarError(msg)
    return text


class _Parser:
    """One pass over one text; ``position`` counts tokens."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokenize(text)
        self.position = 0
        self.depth = 0

    def run(self) -> sympy.Expr:
        if not self.tokens:
            msg = "the expression is empty; write one in t, such as t/(1 + t^2)"
            raise GrammarError(msg)
        expr = self.expression()
        if self.position < len(self.tokens):
            self.fail(f"unexpected {self.peek()!r}: expected an operator or the end")
        return expr

    def fail(self, what: str) -> NoReturn:
        at_end = self.position >= len(self.tokens)
        column = len(self.text) + 1 if at_end else self.tokens[self.position][2]
        msg = f"column {column} of {self.text!r}: {what}"
        raise GrammarError(msg)

    def peek(self) -> str:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        """Consume the next token if it is one of ``wanted``; '' otherwise."""
        token = self.peek()
        if token and token in wanted:
            self.position += 1
            return token
        return ""

    def expect(self, wanted: str) -> None:
        if not self.take(wanted):
            found = repr(self.peek()) if self.peek() else "the end"
            self.fail(f"expected {wanted!r}, found {found}")

    def expression(self) -> sympy.Expr:
        self.enter()
        value = self.term()
        while sign := self.take("+", "-"):
            right = self.term()
            value = self.finite(value + right if sign == "+" else value - right)
        self.depth -= 1
        return value

    def enter(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"nested more than {MAX_DEPTH} deep")

    def term(self) -> sympy.Expr:
        value = self.factor()
        while sign := self.take("*", "/"):
            right = self.factor()
            if sign == "/" and right.is_zero:
                self.fail("division by zero")
            value = self.finite(value * right if sign == "*" else value / right)
        return value

    def factor(self) -> sympy.Expr:
        if sign := self.take("+", "-"):
            self.enter()
            value = self.factor()
            self.depth -= 1
            return -value if sign == "-" else value
        return self.power()

    def power(self) -> sympy.Expr:
        base = self.atom()
        if not self.take("^", "**"):
            return base
        self.enter()
        exponent = self.factor()
        self.depth -= 1
        if not _affordable(base, exponent):
            self.fail(
                f"the power ({base})^({exponent}) is too large: exponents up to {MAX_EXPONENT} "
                f"and exact numbers up to {MAX_BITS} bits are read"
            )
        if base.is_zero and not exponent.is_positive:
            self.fail(f"0^({exponent}) has no value")
        return self.finite(base**exponent)

    def atom(self) -> sympy.Expr:
        if self.position >= len(self.tokens):
            self.fail("expected a number, t, a function or '(', found the end")
        kind, token, _ = self.tokens[self.position]
        if kind == "operator" and token != "(":
            self.fail(f"expected a number, t, a function or '(', found {token!r}")
        if kind == "number":
            value = self.number(token)
            self.position += 1
            return value
        if kind == "name":
            return self.name(token)
        self.expect("(")
        value = self.expression()
        self.expect(")")
        return value

    def number(self, token: str) -> sympy.Expr:
        mantissa, _, exponent = token.lower().partition("e")
        if len(mantissa) > MAX_DIGITS or abs(int(exponent[:6] or 0)) > MAX_EXPONENT:
            self.fail(
                f"the number {token[:20]}... is too long: up to {MAX_DIGITS} digits and "
                f"exponents up to {MAX_EXPONENT} are read"
            )
        value = Fraction(token)
        return sympy.Rational(value.numerator, value.denominator)

    def name(self, token: str) -> sympy.Expr:
        if token == T.name:
            self.position += 1
            return T
        if token in CONSTANTS:
            self.position += 1
            return CONSTANTS[token]
        if token not in FUNCTIONS:
            known = ", ".join(name for name in FUNCTIONS if name.islower())
            self.fail(
                f"unknown name {token!r}: the variable is t, the constants are pi and E, "
                f"the functions are {known}"
            )
        self.position += 1
        return self.call(token)

    def call(self, name: str) -> sympy.Expr:
        self.expect("(")
        arguments = [self.expression()]
        while self.take(","):
            arguments.append(self.expression())
        if len(arguments) > 1 and name not in VARIADIC:
            self.fail(f"{name} takes one argument, not {len(arguments)}")
        self.expect(")")
        return self.finite(FUNCTIONS[name](*arguments))

    def finite(self, value: sympy.Expr) -> sympy.Expr:
        bad = (sympy.zoo, sympy.oo, -sympy.oo, sympy.nan, sympy.I)
        if value.has(*bad) or value.is_real is False:
            self.position -= 1
            self.fail(f"the value {value} is not a finite real number")
        return value


def _tokenize(text: str) -> list[tuple[str, str, int]]:
    """(kind, token, column) triples; columns count from 1."""
    tokens: list[tuple[str, str, int]] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            msg = f"column {start + 1} of {text!r}: unexpected character {text[start]!r}"
            raise GrammarError(msg)
        kind = str(match.lastgroup)
        tokens.append((kind, match.group(kind), match.start(kind) + 1))
        position = match.end()
    return tokens


def _affordable(base: sympy.Expr, exponent: sympy.Expr) -> bool:
    """Whether SymPy may evaluate base**exponent without building a huge exact number."""
    if not exponent.is_Rational:
        return not (base.is_Rational and exponent.is_number) or bool(
            abs(sympy.N(exponent, 5)) <= MAX_EXPONENT
        )
    size = max(abs(exponent.p), exponent.q)
    if size > MAX_EXPONENT:
        return False
    bits = sum(
        max(abs(number.p).bit_length(), number.q.bit_length())
        for number in base.atoms(sympy.Rational)
    )
    return bool(bits * abs(exponent.p) <= MAX_BITS)
