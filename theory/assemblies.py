"""Assemblies of sub-models as descriptions: ``f = (1/s) sum_i v_i g_i(w_i; x)``, no arrays.

``Assembly(net, count=m)`` stands for m copies of a network with parameters of their own, each with
a random sign for its weight, at the scale s = sqrt(m).  Sub-models are networks or a user's own
functions, of several kinds if wanted.  Two dials leave the regime in which the assembly becomes
linear: ``dominance``, the weight m^gamma of the first sub-model, and ``shared``, the number of
sub-models that share one set of parameters.

Source: C. Liu, L. Zhu, M. Belkin, ICLR 2022, arXiv:2203.05104, Section 2.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from pathlib import Path
from typing import Any, Final, TypeAlias

import sympy

from theory.networks import Network, NetworkError, Width, width

__all__ = ["Assembly", "AssemblyError", "SubFunction"]

SCALES: Final = {"sqrt": Fraction(1, 2), "linear": Fraction(1)}
WEIGHTS: Final = ("signs", "ones", "gaussian")
MAX_BYTES: Final = 2_000_000
_HEADER: Final = re.compile(r"^(\s*\[\[?)\s*")
_PART: Final = re.compile(r"^\s*\[\[\s*part\s*\]\]\s*(#.*)?$")
_RATIONAL: Final = re.compile(r"[0-9]{1,6}(/[0-9]{1,6})?")


class AssemblyError(NetworkError):
    """A description of an assembly that makes no sense; the message says what to do."""


@dataclass(frozen=True)
class SubFunction:
    """A sub-model that a user writes: ``g(w, x)``, twice continuously differentiable in w.

    Attributes:
        function: takes w of shape ``(size,)`` and x of shape ``(dim,)``, gives a scalar; written
            with ``jax.numpy``, so that it can be differentiated.
        size: the number of parameters.
        dim: the dimension of the input.
        beta: a bound on the spectral norm of its Hessian by w, at the parameters and inputs it is
            used for; declared by the user, tried on every measurement.  None: not known.
        name: what pages and messages call it.

    Raises:
        AssemblyError: a size is not positive, or beta is negative.
    """

    function: Callable[[Any, Any], Any]
    size: int
    dim: int
    beta: float | None = None
    name: str = "g"

    def __post_init__(self) -> None:
        """Refuse what is no function of parameters and an input."""
        if not callable(self.function):
            msg = f"SubFunction needs a function g(w, x), not {self.function!r}"
            raise AssemblyError(msg)
        for key in ("size", "dim"):
            value = getattr(self, key)
            if type(value) is not int or value < 1:
                msg = f"SubFunction({key}=...) is a whole number >= 1, not {value!r}"
                raise AssemblyError(msg)
        if self.beta is not None and not 0 <= self.beta < float("inf"):
            msg = f"beta = {self.beta}: a bound on a norm is finite and not negative"
            raise AssemblyError(msg)


SubModel: TypeAlias = "Network | SubFunction"


@dataclass(frozen=True)
class Assembly:
    """``f(theta; x) = (1/s) sum_{i,j} v_{i,j} g_i(w_i; x)``, i = 1..count, j = 1..shared.

    Attributes:
        parts: the kinds of sub-model; sub-model i is of kind ``(i - 1) % len(parts)``.
        count: m, the number of sets of parameters, a number or a symbol made by ``width``.
        weights: the v_{i,j}: ``signs`` (uniform on -1, 1), ``ones``, ``gaussian`` (N(0, 1)), or
            numbers, as many as ``count * shared``.
        scale: s as a function of the number N = count * shared of sub-models: ``sqrt``,
            ``linear``, an exponent p for N^p, or a SymPy expression in one symbol.
        shared: n, how many sub-models use each set of parameters: 1 for full diversity.
        dominance: gamma, for the weight |v_1| = N^gamma of the first sub-model; None for no
            dominating sub-model.

    Raises:
        AssemblyError: naming what was given and what is needed.

    >>> from theory.networks import Activation, Dense, Input, Readout
    >>> net = Network(Input(3), Dense(4), Activation("tanh"), Readout(trainable=True))
    >>> Assembly(net, count=width("m")).scale_exponent
    Fraction(1, 2)
    """

    parts: tuple[SubModel, ...]
    count: Width
    weights: str | tuple[float, ...] = "signs"
    scale: str | Fraction | sympy.Expr = "sqrt"
    shared: Width = 1
    dominance: Fraction | None = None

    def __init__(
        self,
        parts: SubModel | Sequence[SubModel],
        count: Any,
        weights: Any = "signs",
        scale: Any = "sqrt",
        shared: Any = 1,
        dominance: Any = None,
    ) -> None:
        """Take the parts, and refuse what makes no sense."""
        kinds = tuple(parts) if isinstance(parts, list | tuple) else (parts,)
        values = {
            "parts": _checked_parts(kinds),
            "count": _number(count, "count"),
            "weights": _checked_weights(weights),
            "scale": _checked_scale(scale),
            "shared": _number(shared, "shared"),
            "dominance": _checked_dominance(dominance),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check_number_of_weights()

    def _check_number_of_weights(self) -> None:
        if isinstance(self.weights, str):
            return
        if not isinstance(self.count, int) or not isinstance(self.shared, int):
            msg = "weights as numbers need numbers for count and shared; or give 'signs', 'ones'"
            raise AssemblyError(msg)
        if len(self.weights) != self.count * self.shared:
            msg = f"{len(self.weights)} weights for {self.count} x {self.shared} sub-models"
            raise AssemblyError(msg)

    @property
    def input_shape(self) -> tuple[Any, ...]:
        """The shape of an input, the same for all sub-models."""
        return _shape(self.parts[0])

    @property
    def scale_exponent(self) -> Fraction | None:
        """The p of s = N^p; None for another function."""
        if isinstance(self.scale, str):
            return SCALES[self.scale]
        if isinstance(self.scale, Fraction):
            return self.scale
        (symbol,) = self.scale.free_symbols
        power = sympy.powsimp(self.scale).as_powers_dict()
        exponent = power.get(symbol)
        alone = set(power) == {symbol} and exponent.is_Rational
        return Fraction(int(exponent.p), int(exponent.q)) if alone else None

    def scale_at(self, number: int) -> float:
        """The value of s for a number of sub-models.

        Raises:
            AssemblyError: when the expression has no positive finite value there.
        """
        exponent = self.scale_exponent
        if exponent is not None:
            try:
                return float(number) ** float(exponent)
            except OverflowError as error:
                msg = (
                    f"the scale {number}^({exponent}) is beyond double precision: give a smaller "
                    "exponent or fewer sub-models"
                )
                raise AssemblyError(msg) from error
        expression: Any = self.scale
        (symbol,) = expression.free_symbols
        value = sympy.N(expression.subs(symbol, number))
        if not (value.is_real and value.is_finite and value > 0):
            msg = f"the scale {self.scale} is {value} for {number} sub-models: needs a number > 0"
            raise AssemblyError(msg)
        return float(value)

    @property
    def symbols(self) -> tuple[sympy.Symbol, ...]:
        """The symbols among count, shared and the sub-models' widths, in this order."""
        own = [s for s in (self.count, self.shared) if not isinstance(s, int)]
        inner = [s for p in self.parts if isinstance(p, Network) for s in p.symbols]
        return tuple(dict.fromkeys([*own, *inner]))

    def substitute(self, values: Mapping[Any, int]) -> Assembly:
        """The same assembly with numbers for its symbols.

        Args:
            values: a number for each symbol; keys are the symbols or their names.

        Raises:
            AssemblyError: a symbol is missing, unknown, or its value is not a width.
        """
        named = {getattr(key, "name", key): value for key, value in values.items()}
        known = {s.name for s in self.symbols}
        if set(named) != known:
            wrong = ", ".join(sorted(set(named) ^ known))
            msg = f"give one number for each of {', '.join(sorted(known))}; wrong: {wrong}"
            raise AssemblyError(msg)
        parts = tuple(
            p.substitute({s.name: named[s.name] for s in p.symbols})
            if isinstance(p, Network) and p.symbols
            else p
            for p in self.parts
        )
        numbers = {
            key: value if isinstance(value, int) else _number(named[value.name], key)
            for key, value in (("count", self.count), ("shared", self.shared))
        }
        new = object.__new__(Assembly)
        for key, value in {**vars(self), "parts": parts, **numbers}.items():
            object.__setattr__(new, key, value)
        return new

    # -- files ------------------------------------------------------------------------------------

    def to_toml(self) -> str:
        """The description as TOML text: a table ``[assembly]``, then a ``[[part]]`` for each kind.

        Raises:
            AssemblyError: a sub-model is a function, which a file cannot hold.
        """
        lines = ["[assembly]"]
        lines += [f"{key} = {_shown(getattr(self, key))}" for key in ("count", "shared")]
        lines.append(f"weights = {_weights_text(self.weights)}")
        lines.append(f"scale = {json.dumps(_scale_text(self.scale))}")
        if self.dominance is not None:
            lines.append(f"dominance = {json.dumps(str(self.dominance))}")
        blocks = ["\n".join(lines)]
        for number, part in enumerate(self.parts, 1):
            if not isinstance(part, Network):
                msg = f"sub-model {number} is the function {part.name!r}: only networks have files"
                raise AssemblyError(msg)
            inner = [_HEADER.sub(r"\1part.", line) for line in part.to_toml().splitlines()]
            blocks.append("\n".join(["[[part]]", *inner]))
        return "\n\n".join(blocks) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> Assembly:
        """Read what ``to_toml`` writes; text in it is never evaluated.

        Raises:
            AssemblyError: naming what is wrong with it.
        """
        import tomllib

        if len(text) > MAX_BYTES:
            msg = f"the text is longer than {MAX_BYTES} characters; a description is not"
            raise AssemblyError(msg)
        head, *sections = _sections(text)
        try:
            document = tomllib.loads("\n".join(head))
        except (ValueError, RecursionError) as error:
            msg = f"not valid TOML before the first [[part]]: {error}"
            raise AssemblyError(msg) from error
        parts = [_read_part(i, lines) for i, lines in enumerate(sections, 1)]
        return cls(parts, **_read_table(document))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the TOML text to a file, whole or not at all."""
        from theory.files import write_atomically

        write_atomically(path, self.to_toml().encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Assembly:
        """Read a file that ``save`` has written.

        Raises:
            AssemblyError: naming the file and what is wrong with it.
            OSError: the file cannot be read.
        """
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            msg = f"{os.fspath(path)} is longer than {MAX_BYTES} bytes; a description is not"
            raise AssemblyError(msg)
        try:
            return cls.from_toml(data.decode("utf-8"))
        except (UnicodeDecodeError, NetworkError) as error:
            msg = f"{os.fspath(path)}: {error}"
            raise AssemblyError(msg) from error


# -- what is given --------------------------------------------------------------------------------


def _shape(part: SubModel) -> tuple[Any, ...]:
    return (part.dim,) if isinstance(part, SubFunction) else tuple(part.input_shape)


def _checked_parts(parts: tuple[Any, ...]) -> tuple[SubModel, ...]:
    for position, part in enumerate(parts, 1):
        if not isinstance(part, Network | SubFunction):
            msg = (
                f"sub-model {position} is {part!r}: give a theory.Network, or wrap a function "
                "g(w, x) as theory.SubFunction(g, size=..., dim=...)"
            )
            raise AssemblyError(msg)
        if isinstance(part, Network) and part.outputs != 1:
            msg = f"sub-model {position} has {part.outputs} outputs; a sub-model has one"
            raise AssemblyError(msg)
    shapes = list(dict.fromkeys(map(_shape, parts)))
    if len(shapes) != 1:
        wanted = "at least one sub-model" if not shapes else "one shape of the input for all"
        msg = f"an assembly needs {wanted}; these have {shapes}"
        raise AssemblyError(msg)
    return parts


def _number(value: Any, key: str) -> Width:
    if isinstance(value, sympy.Symbol) and value == width(value.name):
        return value
    if type(value) is int and value >= 1:
        return value
    msg = f"{key} is a whole number >= 1 or a symbol made by theory.width, not {value!r}"
    raise AssemblyError(msg)


def _checked_weights(weights: Any) -> str | tuple[float, ...]:
    if isinstance(weights, str) and weights in WEIGHTS:
        return weights
    if isinstance(weights, list | tuple) and all(isinstance(w, Real) for w in weights):
        numbers = tuple(float(w) for w in weights)
        if all(abs(w) < float("inf") for w in numbers):
            return numbers
    msg = f"weights are {', '.join(map(repr, WEIGHTS))} or finite numbers, not {weights!r}"
    raise AssemblyError(msg)


def _checked_scale(scale: Any) -> str | Fraction | sympy.Expr:
    if isinstance(scale, str) and scale in SCALES:
        return scale
    if isinstance(scale, int | Fraction) and not isinstance(scale, bool) and scale > 0:
        return Fraction(scale)
    if isinstance(scale, sympy.Expr) and len(scale.free_symbols) == 1:
        return scale
    msg = (
        f"scale is 'sqrt', 'linear', an exponent p > 0 (for s = N^p) as a Fraction, or a SymPy "
        f"expression in one symbol, not {scale!r}"
    )
    raise AssemblyError(msg)


def _checked_dominance(dominance: Any) -> Fraction | None:
    if dominance is None:
        return None
    if isinstance(dominance, int | Fraction) and not isinstance(dominance, bool) and dominance >= 0:
        return Fraction(dominance)
    msg = (
        f"dominance is an exponent gamma >= 0 as a Fraction, for |v_1| = N^gamma, not {dominance!r}"
    )
    raise AssemblyError(msg)


# -- text -----------------------------------------------------------------------------------------


def _shown(value: Width) -> str:
    return str(value) if isinstance(value, int) else json.dumps(value.name)


def _weights_text(weights: str | tuple[float, ...]) -> str:
    return json.dumps(weights) if isinstance(weights, str) else str([float(w) for w in weights])


def _scale_text(scale: str | Fraction | sympy.Expr) -> str:
    from theory.grammar import T, to_text

    if isinstance(scale, sympy.Expr):
        (symbol,) = scale.free_symbols
        return to_text(scale.subs(symbol, T))
    return str(scale)


def _sections(text: str) -> list[list[str]]:
    """The lines before the first ``[[part]]``, and those of each part."""
    sections: list[list[str]] = [[]]
    for line in text.splitlines():
        if _PART.match(line):
            sections.append([])
        else:
            sections[-1].append(line)
    return sections


def _read_part(number: int, lines: list[str]) -> Network:
    for line in lines:
        if line.lstrip().startswith("[") and not re.match(r"\s*\[\[?\s*part\.", line):
            msg = f"part {number}: {line.strip()!r} is no table of the part; write [[part.layer]]"
            raise AssemblyError(msg)
    text = "\n".join(re.sub(r"^(\s*\[\[?)\s*part\.", r"\1", line) for line in lines)
    try:
        return Network.from_toml(text)
    except NetworkError as error:
        msg = f"part {number}, {error}"
        raise AssemblyError(msg) from error


def _read_table(document: dict[str, Any]) -> dict[str, Any]:
    table = document.get("assembly")
    if not isinstance(table, dict) or set(document) != {"assembly"}:
        msg = f"needs one table [assembly] and then [[part]] tables, has {sorted(document)}"
        raise AssemblyError(msg)
    known = ("count", "shared", "weights", "scale", "dominance")
    unknown = sorted(set(table) - set(known))
    if unknown or "count" not in table:
        msg = f"[assembly] has {', '.join(known)}, and needs count; wrong: {unknown or 'no count'}"
        raise AssemblyError(msg)
    read = dict(table)
    for key in ("count", "shared"):
        if isinstance(read.get(key), str):
            read[key] = width(read[key])
    if "scale" in read:
        read["scale"] = _read_scale(read["scale"])
    if "dominance" in read:
        read["dominance"] = _rational(read["dominance"], "dominance")
    return read


def _read_scale(text: Any) -> Any:
    from theory.grammar import GrammarError, parse

    if not isinstance(text, str) or text in SCALES:
        return text
    if _RATIONAL.fullmatch(text):
        return _rational(text, "scale")
    try:
        return parse(text)
    except GrammarError as error:
        msg = f"scale: {error}"
        raise AssemblyError(msg) from error


def _rational(text: Any, key: str) -> Fraction:
    if not isinstance(text, str) or not _RATIONAL.fullmatch(text):
        msg = f'{key} is a text such as "1/2", not {text!r}'
        raise AssemblyError(msg)
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        msg = f"{key} = {text!r} divides by zero"
        raise AssemblyError(msg) from error
