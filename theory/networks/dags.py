"""Directed acyclic graphs: of layers, and of single neurons.

Source:
    L. Zhu, C. Liu, M. Belkin, *Transition to Linearity of General Neural Networks with Directed
    Acyclic Graph Architecture*, NeurIPS 2022, section 2 (neurons).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Final

import sympy

from theory.activations import ActivationFunction, activation, registered
from theory.graph import BilinearRule, PointwiseRule, Shape, Size
from theory.networks.base import (
    Builder,
    Layer,
    NetworkError,
    Width,
    checked_width,
    shown,
    vector,
    whole,
)
from theory.networks.basic import Activation
from theory.networks.structure import SumRule, concatenated, inner, listed, lowered

SOURCE: Final = "input"
"""The name of what goes into a graph of layers."""
JOINS: Final = ("sum", "concatenate")
OUTPUTS: Final = ("last", "all")
TANH: Final = Activation("tanh")


# -- graphs of layers -----------------------------------------------------------------------------


@dataclass(frozen=True, init=False, repr=False)
class Vertex(Layer, kind="vertex"):
    """One vertex of a :class:`DAG`: layers, and the names of the vertices that they take.

    Args:
        name: how later vertices call it.
        *layers: what is done to the joined inputs, one after the other; none: they are joined.
        inputs: names of earlier vertices, or ``"input"`` for what goes into the DAG.
        join: how several inputs become one: ``"sum"`` or ``"concatenate"`` (first axis).

    Raises:
        NetworkError: an argument makes no sense.
    """

    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[str, ...] = (SOURCE,)
    join: str = "sum"

    def __init__(
        self, name: str, *layers: Layer, inputs: Any = (SOURCE,), join: str = "sum"
    ) -> None:
        if not isinstance(name, str) or not name or name == SOURCE:
            msg = f"a Vertex has a name of its own, other than {SOURCE!r}, not {name!r}"
            raise NetworkError(msg, key="name")
        names = (inputs,) if isinstance(inputs, str) else tuple(inputs)
        if not names or not all(isinstance(entry, str) for entry in names):
            msg = f"Vertex {name!r}: inputs are names of earlier vertices, not {inputs!r}"
            raise NetworkError(msg, key="inputs")
        if join not in JOINS:
            msg = f"Vertex {name!r}: join is 'sum' or 'concatenate', not {join!r}"
            raise NetworkError(msg, key="join")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "layers", inner(layers, f"Vertex {name!r}", least=0))
        object.__setattr__(self, "inputs", names)
        object.__setattr__(self, "join", join)

    def lower(self, builder: Builder, parent: int) -> int:
        """Refuse: a vertex alone has no inputs.

        Raises:
            NetworkError: always.
        """
        msg = f"{self!r} can only stand in a DAG"
        raise NetworkError(msg)

    def joined(self, builder: Builder, nodes: list[int]) -> int:
        """The node with what the vertex takes.

        Raises:
            NetworkError: the inputs' shapes do not fit.
        """
        if len(nodes) == 1 or self.join == "concatenate":
            return concatenated(builder, nodes)
        shapes = [builder.shape(node) for node in nodes]
        if len(set(shapes)) > 1:
            given = ", ".join(map(shown, shapes))
            msg = f"vertex {self.name!r} adds values of the shapes {given}: make them equal"
            raise NetworkError(msg, key="inputs")
        rule = SumRule(shapes[0], (sympy.Integer(1),) * len(nodes))
        return builder.add(rule, *nodes, label=f"sum at {self.name}")

    @classmethod
    def from_fields(cls, values: dict[str, Any]) -> Vertex:
        """Read the layers and the names."""
        layers = listed(values, "layers") if "layers" in values else []
        rest = {key: values[key] for key in ("inputs", "join") if key in values}
        return cls(values.get("name", ""), *layers, **rest)

    def __repr__(self) -> str:
        join = "" if self.join == "sum" else f", join={self.join!r}"
        layers = "".join(f", {layer!r}" for layer in self.layers)
        return f"Vertex({self.name!r}{layers}, inputs={self.inputs}{join})"


@dataclass(frozen=True, init=False, repr=False)
class DAG(Layer, kind="dag"):
    """A directed acyclic graph of layers; its value is that of the last vertex.

    Args:
        *vertices: each after those that it takes; all are used, and so is the input.

    Raises:
        NetworkError: a name is unknown, given twice or not used.

    >>> m = sympy.Symbol("m", integer=True, positive=True)
    >>> from theory.networks import Dense
    >>> DAG(Vertex("a", Dense(m)), Vertex("b", Dense(m), inputs=("a", "a")))
    DAG(Vertex('a', Dense(m), inputs=('input',)), Vertex('b', Dense(m), inputs=('a', 'a')))
    """

    vertices: tuple[Vertex, ...]

    def __init__(self, *vertices: Vertex) -> None:
        known: set[str] = {SOURCE}
        for index, vertex in enumerate(vertices):
            if not isinstance(vertex, Vertex):
                msg = f"entry {index + 1} of a DAG is {vertex!r}, which is no Vertex"
                raise NetworkError(msg)
            unknown = [name for name in vertex.inputs if name not in known]
            if unknown or vertex.name in known:
                problem = (
                    f"takes {unknown[0]!r}, which no vertex before it is called"
                    if unknown
                    else "has a name that is taken"
                )
                msg = f"vertex {vertex.name!r} {problem}; there are {', '.join(sorted(known))}"
                key = "inputs" if unknown else "name"
                raise NetworkError(msg, key=key, path=("vertices", index))
            known.add(vertex.name)
        used = set(itertools.chain.from_iterable(v.inputs for v in vertices))
        left = sorted(known - used - {vertices[-1].name}) if vertices else []
        if not vertices or left:
            msg = (
                f"nothing in the DAG takes {left[0]!r}: leave it out"
                if vertices
                else "a DAG has at least one Vertex"
            )
            raise NetworkError(msg)
        object.__setattr__(self, "vertices", tuple(vertices))

    def lower(self, builder: Builder, parent: int) -> int:
        """The nodes of the vertices, in order."""
        nodes = {SOURCE: parent}
        for index, vertex in enumerate(self.vertices):
            try:
                node = vertex.joined(builder, [nodes[name] for name in vertex.inputs])
                nodes[vertex.name] = lowered(vertex.layers, builder, node, "layers")
            except NetworkError as error:
                path = ("vertices", index, *error.path)
                raise NetworkError(str(error), key=error.key, path=path) from error
        return nodes[self.vertices[-1].name]

    @classmethod
    def from_fields(cls, values: dict[str, Any]) -> DAG:
        """Read the vertices."""
        return cls(*listed(values, "vertices"))

    def __repr__(self) -> str:
        return f"DAG({', '.join(map(repr, self.vertices))})"


# -- graphs of neurons ----------------------------------------------------------------------------


@dataclass(frozen=True)
class NeuronRule(BilinearRule):
    """Neurons that see some of the entries of the parent's value, by a mask that is drawn.

    ``alpha^n_v = in(v)^{-1/2} sum_{u in N(v)} W_vu alpha^p_u``.

    Attributes:
        rows: how many neurons.
        cols: length of the parent's value.
        degree: in(v), the same for all; the in-neighbours are drawn without repetition.
        entropy: numbers that the mask is drawn from.
    """

    rows: Size
    cols: Size
    degree: Size
    entropy: tuple[int, ...]

    @property
    def shape(self) -> Shape:
        """(rows,)."""
        return (self.rows,)

    @property
    def weight_shape(self) -> tuple[Size, Size]:
        """(rows, cols), of which the mask leaves rows x degree."""
        return self.rows, self.cols

    @property
    def scale(self) -> sympy.Expr:
        """1/sqrt(degree)."""
        return 1 / sympy.sqrt(self.degree)

    @property
    def contraction(self) -> sympy.Expr:
        """1/sqrt(degree): see :class:`MaskedRule`."""
        return 1 / sympy.sqrt(self.degree)

    def columns(self, xp: Any, value: Any) -> Any:
        """The value itself as one column."""
        return xp.reshape(value, (-1, 1))

    @property
    def mask(self) -> Any:
        """The drawn mask, (rows, cols) of bool."""
        return _drawn(int(self.rows), int(self.cols), int(self.degree), self.entropy)


@lru_cache(maxsize=64)
def _drawn(rows: int, cols: int, degree: int, entropy: tuple[int, ...]) -> Any:
    import numpy as np

    mask = np.zeros((rows, cols), bool)
    rng = np.random.default_rng((*entropy, rows, cols, degree))
    for row in mask:
        row[rng.choice(cols, degree, replace=False)] = True
    mask.flags.writeable = False
    return mask


@dataclass(frozen=True)
class MaskedRule(BilinearRule):
    """Neurons that see the entries of the parent's value that are listed for each.

    ``alpha^n_v = in(v)^{-1/2} sum_{u in N(v)} W_vu alpha^p_u``.

    Attributes:
        neighbours: N(v) for each neuron v, positions in the parent's value.
        cols: length of the parent's value.
    """

    neighbours: tuple[tuple[int, ...], ...]
    cols: int

    @property
    def shape(self) -> Shape:
        """(number of neurons,)."""
        return (len(self.neighbours),)

    @property
    def weight_shape(self) -> tuple[Size, Size]:
        """(neurons, cols), of which the mask leaves the listed ones."""
        return len(self.neighbours), self.cols

    @property
    def scale(self) -> sympy.Expr:
        """1: the rows have scales of their own."""
        return sympy.Integer(1)

    @property
    def contraction(self) -> sympy.Expr:
        """max_v in(v)^{-1/2}, exactly.

        ``c . z(V, a) = <V, M o (r c a^T)>`` with r_v = in(v)^{-1/2}, and the second matrix has the
        squared norm sum_v r_v^2 c_v^2 sum_{u in N(v)} a_u^2 <= max_v r_v^2 |c|^2 |a|^2; equality
        for c = e_v and a on N(v), at a neuron v of the least in-degree.
        """
        return 1 / sympy.sqrt(min(map(len, self.neighbours)))

    def columns(self, xp: Any, value: Any) -> Any:
        """The value itself as one column."""
        return xp.reshape(value, (-1, 1))

    @cached_property
    def _mask(self) -> Any:
        import numpy as np

        mask = np.zeros((len(self.neighbours), self.cols), bool)
        for row, seen in zip(mask, self.neighbours, strict=True):
            row[list(seen)] = True
        mask.flags.writeable = False
        return mask

    @property
    def mask(self) -> Any:
        """The listed entries, (neurons, cols) of bool."""
        return self._mask

    @property
    def row_scale(self) -> Any:
        """in(v)^{-1/2}, shape (neurons,)."""
        import numpy as np

        return np.array([len(seen) for seen in self.neighbours], float) ** -0.5


@dataclass(frozen=True, init=False, repr=False)
class Neurons(Layer, kind="neurons"):
    """A directed acyclic graph of neurons, each with a list of in-neighbours.

    ``f~_v = in(v)^{-1/2} sum_{u in N(v)} w_{uv} f_u``, ``f_v = sigma(f~_v)``.  Neurons are numbered
    on from the entries of the vector that goes in: with d entries these are 0..d-1, the first
    neuron is d.  They come in layers, and a neuron sees any neurons of earlier layers and entries.

    Args:
        layers: for each layer, for each of its neurons, the numbers of its in-neighbours.
        activation: sigma; the last layer has it too.
        output: the value: ``"last"`` layer, or ``"all"`` neurons, without the entries.

    Raises:
        NetworkError: an argument makes no sense.
    """

    layers: tuple[tuple[tuple[int, ...], ...], ...]
    activation: Activation = TANH
    output: str = "last"

    def __init__(self, layers: Any, activation: Any = "tanh", output: str = "last") -> None:
        found = []
        for layer in layers:
            found.append(tuple(tuple(_indices(seen)) for seen in layer))
            if not found[-1] or not all(found[-1]):
                msg = "Neurons: every layer has neurons, and every neuron has in-neighbours"
                raise NetworkError(msg, key="layers")
        if not found:
            msg = "Neurons has at least one layer of neurons"
            raise NetworkError(msg, key="layers")
        object.__setattr__(self, "layers", tuple(found))
        object.__setattr__(self, "activation", _sigma(activation))
        object.__setattr__(self, "output", _output(output, "Neurons"))

    def lower(self, builder: Builder, parent: int) -> int:
        """For each layer: what it sees, concatenated; its weights; its activation."""
        size = vector(builder, parent, "Neurons")
        if not isinstance(size, int):
            msg = f"Neurons are numbered on from the {size} entries before them: give a number"
            raise NetworkError(msg)
        values, starts = [parent], [0, size]
        for index, layer in enumerate(self.layers):
            beyond = max(map(max, layer))
            if beyond >= starts[-1]:
                msg = (
                    f"layer {index + 1} of Neurons sees number {beyond}, and before it there are "
                    f"{starts[-1]} entries and neurons, counted from 0"
                )
                raise NetworkError(msg, key="layers")
            used, listed_ = _renumbered(layer, starts)
            below = concatenated(builder, [values[i] for i in used])
            rule = MaskedRule(listed_, int(builder.shape(below)[0]))
            values.append(_layer(builder, rule, below, self.activation.function, index))
            starts.append(starts[-1] + len(layer))
        return _value(builder, values, self.output)

    def to_fields(self) -> dict[str, Any]:
        """The in-neighbours, and the activation by name where it has one."""
        found = super().to_fields()
        return _named(found, self.activation) if "activation" in found else found

    def __repr__(self) -> str:
        return f"Neurons({self.layers}, {self.activation.name!r}, output={self.output!r})"


@dataclass(frozen=True, init=False, repr=False)
class RandomNeurons(Layer, kind="random_neurons"):
    """Neurons in layers, the in-neighbours of each drawn among those of earlier layers.

    Args:
        widths: how many neurons each layer has.
        in_degree: how many in-neighbours each neuron has, for all layers or a tuple with one for
            each; None: all there are.
        reach: from how many of the layers before (the entries that go in are one); None: all.
        activation: sigma; the last layer has it too.
        output: the value: ``"last"`` layer, or ``"all"`` neurons.
        seed: the in-neighbours are drawn once, without repetition, from a stream that depends on
            it, on the layer and on the numbers of neurons.

    Raises:
        NetworkError: an argument makes no sense.
    """

    widths: tuple[Width, ...]
    in_degree: Width | tuple[Width, ...] | None = None
    reach: int | None = None
    activation: Activation = TANH
    output: str = "last"
    seed: int = 0
    sizes: ClassVar[tuple[str, ...]] = ("widths", "in_degree")

    def __init__(
        self,
        widths: Any,
        in_degree: Any = None,
        reach: int | None = None,
        activation: Any = "tanh",
        output: str = "last",
        seed: int = 0,
    ) -> None:
        name = "RandomNeurons"
        found = tuple(
            checked_width(w, layer=name, key="widths")
            for w in (widths if isinstance(widths, tuple | list) else (widths,))
        )
        if isinstance(in_degree, tuple | list):
            in_degree = tuple(checked_width(w, layer=name, key="in_degree") for w in in_degree)
            if len(in_degree) != len(found):
                msg = f"{name}: {len(in_degree)} in-degrees for {len(found)} layers"
                raise NetworkError(msg, key="in_degree")
        elif in_degree is not None:
            in_degree = checked_width(in_degree, layer=name, key="in_degree")
        object.__setattr__(self, "widths", found)
        object.__setattr__(self, "in_degree", in_degree)
        reach = None if reach is None else whole(reach, 1, layer=name, key="reach")
        object.__setattr__(self, "reach", reach)
        object.__setattr__(self, "activation", _sigma(activation))
        object.__setattr__(self, "output", _output(output, name))
        object.__setattr__(self, "seed", whole(seed, 0, layer=name, key="seed"))

    def lower(self, builder: Builder, parent: int) -> int:
        """For each layer: what it may see, concatenated; its weights; its activation."""
        values = [parent]
        vector(builder, parent, "RandomNeurons")
        for index, rows in enumerate(self.widths):
            below = concatenated(builder, values if self.reach is None else values[-self.reach :])
            cols = builder.shape(below)[0]
            degree = self.in_degree
            degree = degree[index] if isinstance(degree, tuple) else degree
            degree = cols if degree is None else degree
            if isinstance(degree, int) and isinstance(cols, int) and degree > cols:
                msg = (
                    f"layer {index + 1} of RandomNeurons has the in-degree {degree}, and sees "
                    f"{cols} neurons: lower in_degree, or raise reach or the widths"
                )
                raise NetworkError(msg, key="in_degree")
            rule = NeuronRule(rows, cols, degree, (self.seed, index))
            values.append(_layer(builder, rule, below, self.activation.function, index))
        return _value(builder, values, self.output)

    def to_fields(self) -> dict[str, Any]:
        """What differs from the defaults, the activation by name where it has one."""
        found = super().to_fields()
        return _named(found, self.activation) if "activation" in found else found

    def __repr__(self) -> str:
        return (
            f"RandomNeurons({self.widths}, in_degree={self.in_degree}, reach={self.reach}, "
            f"activation={self.activation.name!r}, output={self.output!r}, seed={self.seed})"
        )


def _layer(
    builder: Builder, rule: BilinearRule, below: int, sigma: ActivationFunction, index: int
) -> int:
    """One layer of neurons: weights, then activation."""
    label = f"neurons of layer {index + 1}"
    weights = builder.add(rule, below, label=label)
    return builder.add(PointwiseRule(sigma, rule.shape), weights, label=f"activation of {label}")


def _value(builder: Builder, values: list[int], output: str) -> int:
    """The last layer, or all neurons; every layer must count.

    Raises:
        NetworkError: nothing takes some layer of neurons.
    """
    if output == "all":
        return concatenated(builder, values[1:])
    taken = set(itertools.chain.from_iterable(node.parents for node in builder.nodes))
    for index, node in enumerate(values[1:-1], start=1):
        if node not in taken:
            msg = (
                f"no neuron sees one of layer {index}, and the value is the last layer: leave "
                "them out, or use output='all'"
            )
            raise NetworkError(msg)
    return values[-1]


def _renumbered(
    layer: tuple[tuple[int, ...], ...], starts: list[int]
) -> tuple[list[int], tuple[tuple[int, ...], ...]]:
    """Which earlier values a layer sees, and its in-neighbours as positions in those alone."""
    place = {
        number: (index, number - starts[index])
        for index in range(len(starts) - 1)
        for number in range(starts[index], starts[index + 1])
    }
    used = sorted({place[number][0] for seen in layer for number in seen})
    lengths = (starts[index + 1] - starts[index] for index in used)
    offsets = dict(zip(used, itertools.accumulate(lengths, initial=0), strict=False))
    again = tuple(
        tuple(offsets[place[number][0]] + place[number][1] for number in seen) for seen in layer
    )
    return used, again


def _indices(seen: Any) -> list[int]:
    numbers = [whole(number, 0, layer="Neurons", key="layers") for number in seen]
    if len(set(numbers)) < len(numbers):
        msg = f"Neurons: the in-neighbours {tuple(numbers)} name one of them twice"
        raise NetworkError(msg, key="layers")
    return numbers


def _sigma(spec: Any) -> Activation:
    return spec if isinstance(spec, Activation) else Activation(activation(spec))


def _output(value: Any, layer: str) -> str:
    if value not in OUTPUTS:
        msg = f"{layer}(output=...) is 'last' or 'all', not {value!r}"
        raise NetworkError(msg, key="output")
    return str(value)


def _named(found: dict[str, Any], sigma: Activation) -> dict[str, Any]:
    return {**found, "activation": sigma.name if registered(sigma.function) else sigma}


__all__ = [
    "DAG",
    "MaskedRule",
    "NeuronRule",
    "Neurons",
    "RandomNeurons",
    "Vertex",
]
