"""What a layer is: one class with its local rules, and what every layer has in common.

A kind of layer is a frozen dataclass that inherits from :class:`Layer`, names its ``kind`` and says
in ``lower`` which nodes of a graph it becomes.  It is then part of descriptions, of TOML files and,
through its nodes' rules, of proofs and of arrays; nothing else has to know of it.
"""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from fractions import Fraction
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

import sympy

from theory.grammar import GrammarError, parse
from theory.graph import BilinearRule, Graph, Node, Rule, Shape, Size

Width: TypeAlias = "sympy.Expr | int"
"""A width: a positive number, a symbol made by ``width``, or a power of one, such as sqrt(m)."""

MISSING_WIDTH: Final = object()
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_POWER: Final = re.compile(
    r"([A-Za-z_][A-Za-z0-9_]*)\^(?:\(([0-9]{1,3})/([0-9]{1,3})\)|([0-9]{1,3}))"
)
_ROOT: Final = re.compile(r"sqrt\(([A-Za-z_][A-Za-z0-9_]*)\)")
_MAX_POWER: Final = 999  # of numerator and denominator, so that numbers stay of a sane length

L = TypeVar("L", bound="Layer")


class NetworkError(ValueError):
    """A description of a network that makes no sense.

    Attributes:
        layer: position of the offending layer, counted from 0, or None.
        key: name of the offending field of that layer, or None.
        path: where the layer that ``key`` belongs to is nested in that layer: names of fields and
            positions, from the outside.
    """

    def __init__(
        self,
        message: str,
        *,
        layer: int | None = None,
        key: str | None = None,
        path: tuple[str | int, ...] = (),
    ) -> None:
        super().__init__(message)
        self.layer = layer
        self.key = key
        self.path = path


# -- widths ---------------------------------------------------------------------------------------


def width(name: str) -> sympy.Symbol:
    """A symbolic layer width: a positive integer symbol.

    Powers of it with positive rational exponents are widths too: ``sqrt(width("m"))`` describes a
    bottleneck.  When a number is put in for the symbol, such a power is rounded up.

    Args:
        name: an identifier, such as ``"m"`` or ``"m_1"``.

    Raises:
        NetworkError: the name is not an identifier.

    >>> width("m").is_positive
    True
    """
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
        msg = (
            f"a width symbol cannot be called {name!r}: use a letter or _ followed by letters, "
            "digits and _, such as 'm' or 'm_1'"
        )
        raise NetworkError(msg)
    return sympy.Symbol(name, integer=True, positive=True)


def checked_width(value: Any, *, layer: str, key: str) -> Width:
    """The width itself if it is a number >= 1, a symbol made by ``width`` or a power of one.

    Args:
        value: what was given.
        layer: the name of the layer, for the message.
        key: the name of the field, for the message.

    Raises:
        NetworkError: it is no width.
    """
    if _is_symbolic(value):
        return value
    try:
        number: int | None = operator.index(value)
    except TypeError:
        number = None
    if number is not None and number >= 1 and not isinstance(value, bool):
        return number
    need = "a whole number >= 1 or a symbol made by theory.width"
    if value is MISSING_WIDTH or value is None:
        problem = f": give {need}"
    elif isinstance(value, sympy.Symbol | str) and _IDENTIFIER.fullmatch(str(value)):
        problem = f", and {value!r} is none: write {layer}(theory.width({str(value)!r}))"
    elif isinstance(value, bool):
        problem = f", and {value!r} is a truth value: give {need}"
    elif number is not None:
        problem = f" of at least 1, not {value}"
    else:
        problem = f", and {value!r} ({type(value).__name__}) is none: give {need}"
    msg = f"{layer} needs {'its dimension' if key == 'dim' else 'a width'}{problem}"
    raise NetworkError(msg, key=key)


def _is_symbolic(value: Any) -> bool:
    if isinstance(value, sympy.Pow) and value.exp.is_Rational and value.exp > 0:
        value = value.base if max(value.exp.p, value.exp.q) <= _MAX_POWER else None
    return isinstance(value, sympy.Symbol) and value == width(value.name)


def width_text(value: Width) -> str:
    """A symbolic width as text, the inverse of ``read_width``."""
    if isinstance(value, sympy.Pow):
        base, exponent = value.base, value.exp
        if exponent == sympy.Rational(1, 2):
            return f"sqrt({base.name})"
        return f"{base.name}^{exponent}" if exponent.is_Integer else f"{base.name}^({exponent})"
    return str(value)


def read_width(value: Any) -> Any:
    """The width that a text stands for: ``"m"``, ``"sqrt(m)"``, ``"m^2"`` or ``"m^(2/3)"``.

    Anything else than a text is given back.

    Raises:
        NetworkError: the text stands for no width.
    """
    if isinstance(value, tuple):
        return tuple(map(read_width, value))
    if not isinstance(value, str):
        return value
    root, power = _ROOT.fullmatch(value), _POWER.fullmatch(value)
    if root:
        return sympy.sqrt(width(root[1]))
    if power:
        upper, lower = (power[4], "1") if power[4] else (power[2], power[3])
        if not int(upper) or not int(lower):
            msg = f"the width {value!r} has an exponent that is not positive"
            raise NetworkError(msg)
        return width(power[1]) ** sympy.Rational(int(upper), int(lower))
    return width(value)


def substituted(value: Size, values: Mapping[sympy.Symbol, int]) -> Size:
    """A width with numbers for its symbols; a power of a number is rounded up, exactly.

    >>> m = width("m")
    >>> substituted(sympy.sqrt(m), {m: 10})
    4
    """
    if isinstance(value, int):
        return value
    if isinstance(value, sympy.Symbol):
        return values.get(value, value)
    if isinstance(value, sympy.Pow) and value.base in values:
        exponent = value.exp
        root, exact = sympy.integer_nthroot(values[value.base] ** int(exponent.p), int(exponent.q))
        return int(root) if exact else int(root) + 1
    return value


def tidy(size: Any) -> Size:
    """A size as a Python integer where it is a number."""
    return int(size) if isinstance(size, int) or size.is_Integer else size


def product(sizes: Shape) -> Size:
    """The number of entries of a value of that shape."""
    return tidy(sympy.Mul(*sizes))


def shown(shape: Shape) -> str:
    """A shape for a message."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


# -- other fields ---------------------------------------------------------------------------------


def exact(value: Any, *, layer: str, key: str) -> sympy.Expr:
    """A real number as an exact SymPy expression.

    Args:
        value: a number (a decimal one is taken as it is written), a SymPy expression without
            symbols, or text of the grammar of ``theory.grammar`` without ``t``.
        layer: the name of the layer, for the message.
        key: the name of the field, for the message.

    Raises:
        NetworkError: it is no finite real number.
    """
    found: Any = None
    if isinstance(value, str):
        try:
            found = parse(value)
        except GrammarError as error:
            msg = f"{layer}({key}=...): {error}"
            raise NetworkError(msg, key=key) from error
    elif isinstance(value, sympy.Expr):
        found = value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            fraction = Fraction(repr(value))
            found = sympy.Rational(fraction.numerator, fraction.denominator)
        except ValueError:
            found = None  # infinite or not a number
    if found is None or found.free_symbols or not (found.is_real and found.is_finite):
        msg = f"{layer}({key}=...) is a real number, not {value!r}"
        raise NetworkError(msg, key=key)
    return found


def whole(value: Any, least: int, *, layer: str, key: str) -> int:
    """A whole number of at least ``least``.

    Raises:
        NetworkError: it is none.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        msg = f"{layer}({key}=...) is a whole number >= {least}, not {value!r}"
        raise NetworkError(msg, key=key)
    return number


# -- layers ---------------------------------------------------------------------------------------


class Builder:
    """A graph under construction: what ``Layer.lower`` adds its nodes to."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def add(self, rule: Rule, *parents: int, label: str) -> int:
        """Add a node.

        Args:
            rule: what it does.
            parents: the indices of the nodes that it takes its values from.
            label: where it comes from, in words.

        Returns:
            Its index.
        """
        self.nodes.append(Node(len(self.nodes), rule, parents, label))
        return len(self.nodes) - 1

    def shape(self, node: int) -> Shape:
        """The shape of a node's value."""
        return self.nodes[node].shape

    @property
    def has_weights(self) -> bool:
        """Whether a node with weights has been added."""
        return any(isinstance(node.rule, BilinearRule) for node in self.nodes)

    def graph(self) -> Graph:
        """The graph."""
        return Graph(tuple(self.nodes))


class Layer(ABC):
    """One layer of a description: a frozen dataclass with its local rules.

    A subclass gives its name in files, ``class Gate(Layer, kind="gate")``, and ``lower``.

    Attributes:
        kind: its name in files.
        sizes: the names of its fields that hold widths, or tuples of them: they may be symbols,
            which files write as text, and numbers are put in for them.
        registry: every kind of layer that there is, by name.
    """

    kind: ClassVar[str] = ""
    sizes: ClassVar[tuple[str, ...]] = ()
    registry: ClassVar[dict[str, type[Layer]]] = {}

    def __init_subclass__(cls, *, kind: str = "", **options: Any) -> None:
        """Enter the class into the registry."""
        super().__init_subclass__(**options)
        if not kind:
            return
        taken = Layer.registry.get(kind)
        if taken is not None and (taken.__module__, taken.__qualname__) != (
            cls.__module__,
            cls.__qualname__,
        ):
            msg = f"the kind {kind!r} of layer is taken by {taken.__module__}.{taken.__qualname__}"
            raise TypeError(msg)
        cls.kind = kind
        Layer.registry[kind] = cls

    @abstractmethod
    def lower(self, builder: Builder, parent: int) -> int:
        """Add this layer's nodes on top of a node.

        Args:
            builder: the graph so far.
            parent: the node whose value the layer takes; ``builder.shape(parent)`` is its shape.

        Returns:
            The node whose value is the layer's.

        Raises:
            NetworkError: the layer does not fit that value.
        """

    def to_fields(self) -> dict[str, Any]:
        """The fields to be written to a file: those that differ from their defaults."""
        found = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.default is MISSING or value != field.default:
                found[field.name] = value
        return found

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """The names of the fields in files."""
        return tuple(field.name for field in fields(cls))  # type: ignore[arg-type]

    @classmethod
    def from_fields(cls: type[L], values: dict[str, Any]) -> L:
        """The layer with these fields, as ``to_fields`` gives them; layers for nested tables.

        Raises:
            NetworkError: a field is missing or makes no sense.
        """
        found = {key: _tuples(value) for key, value in values.items()}
        for field in fields(cls):  # type: ignore[arg-type]
            given = field.name in found
            if field.name in cls.sizes:
                size = _read_sizes(found.get(field.name, MISSING_WIDTH), key=field.name)
                if given or field.default is MISSING:
                    found[field.name] = _checked_sizes(size, layer=cls.__name__, key=field.name)
            elif not given and field.default is MISSING and field.default_factory is MISSING:
                msg = f"give {field.name} = ..."
                raise NetworkError(msg, key=field.name)
        return cls(**found)

    def all_widths(self) -> Iterator[Width]:
        """Every width of the layer and of the layers nested in it, in order."""
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.name in self.sizes:
                found = value if isinstance(value, tuple) else (value,)
                yield from (size for size in found if size is not None)
            else:
                for layer in nested(value):
                    yield from layer.all_widths()

    def substitute(self: L, values: Mapping[sympy.Symbol, int]) -> L:
        """The same layer with numbers for symbols."""
        return self.replaced(
            lambda size: substituted(size, values), lambda layer: layer.substitute(values)
        )

    def replaced(self: L, size: Callable[[Any], Any], layer: Callable[[Layer], Layer]) -> L:
        """The same layer with its widths and its nested layers replaced."""

        def change(name: str, value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(change(name, entry) for entry in value)
            if isinstance(value, Layer):
                return layer(value)
            return size(value) if name in self.sizes and value is not None else value

        copy = object.__new__(type(self))
        for field in fields(self):  # type: ignore[arg-type]
            object.__setattr__(copy, field.name, change(field.name, getattr(self, field.name)))
        return copy


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _read_sizes(value: Any, *, key: str) -> Any:
    try:
        return read_width(value)
    except NetworkError as error:
        raise NetworkError(str(error), key=key) from error


def _checked_sizes(value: Any, *, layer: str, key: str) -> Any:
    if isinstance(value, tuple):
        return tuple(checked_width(entry, layer=layer, key=key) for entry in value)
    return checked_width(value, layer=layer, key=key)


def nested(value: Any) -> Iterator[Layer]:
    """The layers in a field: itself, or the entries of a tuple."""
    if isinstance(value, Layer):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from nested(entry)


def vector(builder: Builder, parent: int, layer: str) -> Size:
    """The length of a node's value, which must be a vector.

    Raises:
        NetworkError: it has channels and positions, or none.
    """
    shape = builder.shape(parent)
    if len(shape) != 1:
        msg = (
            f"{layer} takes a vector, and what comes before it has the shape {shown(shape)}: put "
            "Flatten() or AveragePool() before it"
        )
        raise NetworkError(msg)
    return shape[0]
