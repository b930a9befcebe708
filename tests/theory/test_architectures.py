"""Descriptions of every architecture: shapes, constants, files, refusals, layers from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.architectures import NETWORKS, TANH, m, n, numeric
from theory.graph import BilinearRule, LinearRule, PointwiseRule
from theory.networks import (
    DAG,
    Activation,
    AveragePool,
    Chain,
    Concatenate,
    Conv,
    Dense,
    DenseBlock,
    Dropout,
    Flatten,
    Input,
    Layer,
    Network,
    NetworkError,
    Neurons,
    Output,
    RandomNeurons,
    Readout,
    Residual,
    Vertex,
    Width,
)

SPIKE = st.integers(0, 2**32 - 1)


def value_of(node, xp, values, weights, rng):
    """A node's value from those of its parents; random weights where it has some."""
    rule, parents = node.rule, [values[p] for p in node.parents]
    if isinstance(rule, BilinearRule):
        W = rng.standard_normal(rule.weight_shape)
        weights[node.index] = W
        mask = 1 if rule.mask is None else rule.mask
        rows = 1 if rule.row_scale is None else rule.row_scale[:, None]
        product = float(rule.scale) * rows * ((W * mask) @ rule.columns(xp, parents[0]))
        return product.reshape(rule.shape)
    if isinstance(rule, LinearRule):
        return rule.apply(xp, *parents)
    if isinstance(rule, PointwiseRule):
        return np.tanh(parents[0])
    return rng.standard_normal(rule.shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_values_have_the_shapes_that_the_rules_state(name):
    graph = numeric(name).graph
    rng, values = np.random.default_rng(0), []
    for node in graph.nodes:
        values.append(np.asarray(value_of(node, np, values, {}, rng)))
        assert values[-1].shape == node.shape, node.label
    used = {p for node in graph.nodes for p in node.parents}
    assert used == set(range(len(graph.nodes) - 1)), "a node that the output does not depend on"


@pytest.mark.parametrize("name", NETWORKS)
def test_files_round_trip(name):
    net = NETWORKS[name]
    again = Network.from_toml(net.to_toml())
    assert again == net
    assert hash(again) == hash(net)
    assert again.to_toml() == net.to_toml()
    assert again.graph == net.graph


@pytest.mark.parametrize("name", NETWORKS)
def test_symbolic_constants_are_those_of_the_numeric_network(name):
    net = NETWORKS[name]
    sizes = {"m": 9, "n": 4}
    numbers = {s: sizes[s.name] for s in net.symbols}
    for symbolic, node in zip(net.graph.nodes, net.substitute(numbers).graph.nodes, strict=True):
        assert tuple(sympy.S(s).subs(numbers) for s in symbolic.shape) == node.shape
        if isinstance(node.rule, BilinearRule):
            for name_ in ("scale", "contraction"):
                one, other = getattr(symbolic.rule, name_), getattr(node.rule, name_)
                assert sympy.simplify(one.subs(numbers) - other) == 0
        if isinstance(node.rule, LinearRule):
            assert symbolic.rule.norms == node.rule.norms


# -- constants, against the true norms ------------------------------------------------------------


def trilinear(rule, before, rng, starts=12, steps=40):
    """sup |c . z(V, a)| over unit c, V, a by alternating maximisation: a lower bound.

    With c and a given the best V is the matrix of the coefficients, masked; so what is maximised
    over c and a is its norm.
    """
    size = int(np.prod(before))
    basis = np.eye(size).reshape(size, *before)
    columns = np.stack([rule.columns(np, e) for e in basis])  # (size, cols, positions)
    rows, cols = (int(s) for s in rule.weight_shape)
    factor = np.full(rows, float(rule.scale))
    factor = factor if rule.row_scale is None else factor * rule.row_scale
    mask = np.ones((rows, cols), bool) if rule.mask is None else rule.mask
    best = 0.0
    for _ in range(starts):
        a, c = rng.standard_normal(size), rng.standard_normal((rows, columns.shape[2]))
        for _ in range(steps):
            a, c = a / np.linalg.norm(a), c / np.linalg.norm(c)
            X = np.tensordot(a, columns, 1)
            V = mask * (factor[:, None] * (c @ X.T))
            best = max(best, float(np.linalg.norm(V)))
            V = V / max(np.linalg.norm(V), 1e-300)
            c = factor[:, None] * (V @ X)
            c = c / max(np.linalg.norm(c), 1e-300)
            a = np.einsum("rp,rc,scp->s", factor[:, None] * c, V, columns)
            if not np.any(a):
                break
    return best


@pytest.mark.parametrize("name", NETWORKS)
def test_no_weights_exceed_the_contraction(name):
    net = numeric(name)
    rng = np.random.default_rng(1)
    for node in net.graph.nodes:
        if not isinstance(node.rule, BilinearRule):
            continue
        found = trilinear(node.rule, net.graph.nodes[node.parents[0]].shape, rng)
        bound = float(node.rule.contraction)
        assert found <= bound * (1 + 1e-12)
        if not isinstance(node.rule, type(NETWORKS["pool"].graph.nodes[1].rule)):
            assert found >= bound * (1 - 1e-6), "dense and masked constants are attained"
        else:
            assert found >= 0.6 * bound


@pytest.mark.parametrize(
    ("layer", "shape", "attained"),
    [
        (Conv(3, 3), (2, 6), True),
        (Conv(3, 5), (1, 5), True),
        (Conv(2, (3, 2)), (2, 4, 4), True),
        (Conv(2, 3, stride=3), (2, 6), True),
        (Conv(2, 2, stride=3, padding="same"), (2, 7), True),
        (Conv(2, 3, stride=3, padding="valid"), (2, 7), True),
        (Conv(2, 4, stride=2), (1, 8), True),
        (Conv(2, 3, padding="same"), (2, 6), False),
        (Conv(2, 3, padding="valid"), (2, 6), False),
    ],
)
def test_where_a_convolution_attains_its_constant(layer, shape, attained):
    rule = Network(Input(shape), layer, TANH, Flatten(), Readout()).graph.nodes[1].rule
    found = trilinear(rule, shape, np.random.default_rng(0), starts=3, steps=300)
    if attained:
        assert found == pytest.approx(float(rule.contraction), rel=1e-6)
    else:
        assert 0.8 * float(rule.contraction) < found < float(rule.contraction) * (1 - 1e-3)


def test_the_constants_in_closed_form():
    def tau(layer, shape):
        return Network(Input(shape), layer, Flatten(), Readout()).graph.nodes[1].rule.contraction

    assert tau(Conv(m, 3), (n, 8)) == 1 / sympy.sqrt(n)
    assert tau(Conv(m, 3), (n, 8, 8)) == 1 / sympy.sqrt(n)
    assert tau(Conv(m, 3, padding="valid"), (n, 8)) == 1 / sympy.sqrt(n)
    assert tau(Conv(m, 3, padding="valid"), (n, 3)) == 1 / sympy.sqrt(3 * n)
    assert tau(Conv(m, 3, stride=2), (n, 8)) == sympy.sqrt(2) / sympy.sqrt(3 * n)
    assert tau(Dense(m), n) == 1 / sympy.sqrt(n)
    unequal = Neurons([[(0, 1), (0, 1, 2)]])
    assert tau(unequal, 3) == 1 / sympy.sqrt(2)
    assert tau(RandomNeurons(m, in_degree=n), 8) == 1 / sympy.sqrt(n)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_norms_of_fixed_maps(name):
    net = numeric(name)
    for node in net.graph.nodes:
        if not isinstance(node.rule, LinearRule):
            continue
        shapes = [net.graph.nodes[p].shape for p in node.parents]
        for slot, bound in enumerate(node.rule.norms):
            size = int(np.prod(shapes[slot]))
            images = []
            for e in np.eye(size):
                values = [np.zeros(s) for s in shapes]
                values[slot] = e.reshape(shapes[slot])
                images.append(np.ravel(node.rule.apply(np, *values)))
            true = np.linalg.norm(np.array(images), 2)
            assert true == pytest.approx(float(bound), rel=1e-12)


def test_a_mask_of_the_readers_choice():
    net = Network(Input(2), Dense(3), Dropout(0.5, mask=[1, 0, 1]), Readout())
    rule = net.graph.nodes[2].rule
    assert rule.norms == (2,)
    assert rule.apply(np, np.array([1.0, 2.0, 3.0])).tolist() == [2.0, 0.0, 6.0]


@given(SPIKE, st.integers(1, 40))
@settings(max_examples=20)
def test_a_drawn_mask_is_fixed_and_scaled(seed, size):
    rule = Network(Input(2), Dense(size), Dropout(0.25, seed=seed), Readout()).graph.nodes[2].rule
    once = rule.apply(np, np.ones(size))
    assert np.array_equal(once, rule.apply(np, np.ones(size)))
    assert set(once.tolist()) <= {0.0, 4 / 3}


def test_neurons_see_whom_they_should():
    net = numeric("random-neurons")
    rules = [node.rule for node in net.graph.nodes if isinstance(node.rule, BilinearRule)]
    assert [rule.weight_shape for rule in rules] == [(5, 4), (5, 9), (4, 14), (1, 4)]
    assert all((rule.mask.sum(axis=1) == 3).all() for rule in rules[:-1])
    explicit = numeric("neurons").graph
    masks = [n_.rule.mask for n_ in explicit.nodes if getattr(n_.rule, "mask", None) is not None]
    # Layer 2 sees the entries (0, 1, 2) and layer 1 (3..6): seven positions.
    assert masks[1].astype(int).tolist() == [
        [0, 0, 0, 1, 1, 1, 1],
        [1, 0, 0, 0, 1, 0, 0],
        [0, 1, 0, 1, 0, 0, 1],
    ]


# -- widths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exponent", "value", "expected"),
    [
        ("1/2", 10**30, 10**15),
        ("1/2", 10**30 + 1, 10**15 + 1),
        ("1/2", 2, 2),
        ("1/3", 27, 3),
        ("2/3", 10, 5),
        ("3/2", 4, 8),
        ("2", 7, 49),
        ("1/2", 1, 1),
    ],
)
def test_powers_of_a_width_are_rounded_up(exponent, value, expected):
    net = Network(Input(2), Dense(m ** sympy.Rational(exponent)), Readout())
    assert net.symbols == (m,)
    assert net.substitute({m: value}).widths == (2, expected)
    assert Network.from_toml(net.to_toml()) == net


@pytest.mark.parametrize("size", [m**-1, m**0.5, (2 * m) ** 2, m**n, m + 1, sympy.sqrt(2)])
def test_other_expressions_are_no_widths(size):
    with pytest.raises(NetworkError, match="is none"):
        Dense(size)


@pytest.mark.parametrize("text", ["m^0", "m^(1/0)", "m^(0/2)", "m^-1", "m^1.5", "sqrt(2)", "m^m"])
def test_other_texts_are_no_widths(text):
    toml = Network(Input(2), Dense(m), Readout()).to_toml().replace('"m"', f'"{text}"')
    with pytest.raises(NetworkError, match="line 9: layer 2"):
        Network.from_toml(toml)


# -- what makes no sense --------------------------------------------------------------------------


def net(*layers, into=(2, 6)):
    return lambda: Network(Input(into), *layers, Readout())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (net(Dense(m)), r"layer 2: Dense\(m\) takes a vector.*shape \(2, 6\): put Flatten"),
        (net(Conv(m, 3)), r"layer 3: Readout takes a vector.*\(m, 6\)"),
        (net(Conv(m, 7)), "kernel has 7 positions, and the value before it 6"),
        (net(Conv(m, 3, stride=4)), "stride 4 does not divide the 6 positions"),
        (net(Conv(m, (3, 3))), r"kernel \(3, 3\) is for 2 axes, and the value has 1"),
        (net(Conv(m, 3), into=6), r"takes channels and positions.*\(6,\)"),
        (net(Conv(m, 3), into=(2, n)), "numbers of positions must be numbers"),
        (net(Conv(m, 3), AveragePool(4)), "windows of 4 do not fill the 6 positions"),
        (
            lambda: Network(Input((2, 6)), AveragePool(), Readout()),
            "layer 3 is the Readout, and there is no hidden layer",
        ),
        (net(Flatten(), Dropout(0.5)), "layer 4 is the Readout, and there is no hidden layer"),
        (net(Conv(3, 3), Dropout(mask=[1, 0])), "mask of a Dropout has 2 entries.* 18"),
        (
            net(Dense(m), Residual(TANH, Dense(n)), into=3),
            r"layer 3: the skip of a Residual adds what goes in, of shape \(m,\).*\(n,\)",
        ),
        (
            net(Conv(m, 3), Concatenate(Conv(m, 3), Conv(m, 3, padding="valid"))),
            "only the first axis may differ",
        ),
        (
            net(DAG(Vertex("a", Dense(m)), Vertex("b", Dense(n), inputs=("a", "input"))), into=3),
            r"vertex 'b' adds values of the shapes \(m,\), \(3,\)",
        ),
        (net(Vertex("a", Dense(m)), into=3), "can only stand in a DAG"),
        (net(Neurons([[(3,)]]), into=3), "sees number 3, and before it there are 3 entries"),
        (net(Neurons([[(0,)], [(1,)]]), into=3), "no neuron sees one of layer 1"),
        (net(Neurons([[(0,)]]), into=n), "give a number"),
        (net(RandomNeurons(4, in_degree=4), into=3), "in-degree 4, and sees 3 neurons"),
        (net(Output("tanh"), into=3), "an Output follows the Readout"),
        (
            lambda: Network(Input(2), Dense(m), Readout(), Output("tanh"), Output("tanh")),
            "after the Output",
        ),
    ],
)
def test_refuses_what_does_not_fit_naming_the_layer(make, message):
    with pytest.raises(NetworkError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(m), "kernel"),
        (lambda: Conv(m, 0), "kernel=...\\) is a whole number >= 1, not 0"),
        (lambda: Conv(m, 3, stride=True), "stride"),
        (lambda: Conv(m, (1, 2, 3)), "kernel"),
        (lambda: Conv(m, 3, padding="reflect"), "one of circular, same, valid, not 'reflect'"),
        (lambda: Conv("m", 3), r"write Conv\(theory.width"),
        (lambda: Input((3,)), r"Input\(3,\) is neither"),
        (lambda: Input((3, 4, 5, 6)), "neither"),
        (lambda: Input((3, 0)), "at least 1"),
        (lambda: AveragePool(0), "window"),
        (lambda: Dropout(1), "0 <= rate < 1"),
        (lambda: Dropout(-0.5), "0 <= rate < 1"),
        (lambda: Dropout(float("nan")), "a real number"),
        (lambda: Dropout(0.5, seed=-1), "seed"),
        (lambda: Dropout(mask=[0, 0]), "keeps at least one"),
        (lambda: Dropout(mask=[2]), "list of 0 and 1"),
        (lambda: Residual(), "at least 1 layer"),
        (lambda: Residual(Dense), "is no layer"),
        (lambda: Residual(Readout()), "ends of a Network"),
        (lambda: Residual(Dense(m), scale=m), "a real number, not m"),
        (lambda: Residual(Dense(m), scale="t"), "a real number"),
        (lambda: Residual(Dense(m), scale=float("inf")), "a real number"),
        (lambda: Concatenate(), "at least 1 layer"),
        (lambda: DenseBlock(()), "Chain needs at least 1 layer"),
        (lambda: DAG(), "at least one Vertex"),
        (lambda: DAG(Dense(m)), "is no Vertex"),
        (lambda: DAG(Vertex("a", Dense(m), inputs="b")), "takes 'b', which no vertex"),
        (lambda: DAG(Vertex("a", Dense(m)), Vertex("a", inputs="a")), "name that is taken"),
        (lambda: DAG(Vertex("a", Dense(m)), Vertex("b", Dense(m))), "nothing in the DAG takes 'a'"),
        (lambda: Vertex("input", Dense(m)), "a name of its own"),
        (lambda: Vertex("a", Dense(m), inputs=()), "inputs are names"),
        (lambda: Vertex("a", Dense(m), join="mean"), "join is"),
        (lambda: Neurons([]), "at least one layer"),
        (lambda: Neurons([[()]]), "every neuron has in-neighbours"),
        (lambda: Neurons([[(0, 0)]]), "name one of them twice"),
        (lambda: Neurons([[(-1,)]]), "whole number >= 0"),
        (lambda: Neurons([[(0,)]], output="first"), "'last' or 'all'"),
        (lambda: RandomNeurons((m, n), in_degree=(3,)), "1 in-degrees for 2 layers"),
        (lambda: RandomNeurons(m, reach=0), "reach"),
        (lambda: Readout(outputs=0), "outputs=...\\) is a whole number >= 1"),
        (lambda: Readout(outputs=True), "outputs"),
    ],
)
def test_refuses_nonsense(make, message):
    with pytest.raises(NetworkError, match=message):
        make()


def test_only_plain_networks_have_widths_layer_by_layer():
    assert NETWORKS["dense"].is_dense
    for name in ("conv1d-same-1", "residual", "outputs", "nonlinear-output"):
        net_ = NETWORKS[name]
        assert not net_.is_dense
        for what in ("widths", "depth", "activations"):
            with pytest.raises(NetworkError, match="not a plain fully"):
                getattr(net_, what)
    assert NETWORKS["outputs"].outputs == 3
    assert NETWORKS["outputs"].readout.trainable


NESTED = Network(
    Input(3),
    Dense(m),
    DAG(
        Vertex("a", Residual(Dense(m), TANH), Dense(n)),
        Vertex("b", Dense(n), inputs=("a", "input"), join="concatenate"),
    ),
    Readout(),
).to_toml()


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('"n"', '"n!"', '"n!"', r"layer 3, vertices 1, layers 2 \(dense\): .*called 'n!'"),
        ('"tanh"', '"relu"', "relu", "layer 3, vertices 1, layers 1, layers 2 .*not twice"),
        ('"concatenate"', '"mean"', "mean", r"layer 3, vertices 2 \(vertex\): .*join is"),
        ('["a", "input"]', '["c"]', '["c"]', r"layer 3 \(dag\): vertex 'b' takes 'c'"),
        ('["a", "input"]', "3", "[[layer.vertices]]", r"vertices 2 \(vertex\): .*wrong kind"),
        ('join = "concatenate"\n', "", '["a", "input"]', r"layer 3: vertex 'b' adds values"),
        ('"residual"', '"residue"', '"residue"', "layers 1 has the unknown type 'residue'"),
    ],
)
def test_errors_in_nested_tables_name_the_line(old, new, line, message):
    text = NESTED.replace(old, new, 1)
    assert text != NESTED
    with pytest.raises(NetworkError, match=f"(?s)^line [0-9]+: .*({message})") as caught:
        Network.from_toml(text)
    number = int(str(caught.value).split(":")[0].removeprefix("line "))
    assert line in text.splitlines()[number - 1]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('type = "conv"\nchannels = 3', "kernel"),
        ('type = "conv"\nkernel = 3', "Conv needs a width"),
        ('type = "conv"\nchannels = 3\nkernel = "3"', "kernel"),
        ('type = "residual"', "give the layers inside"),
        ('type = "residual"\nlayers = 3', "give the layers inside"),
        ('type = "neurons"', "give layers"),
        ('type = "neurons"\nlayers = 3', "wrong kind"),
        ('type = "random_neurons"\nwidths = [0]', "at least 1"),
        ('type = "dropout"\nrate = "x"', "rate"),
        ('type = "flatten"\naxis = 3', "no key 'axis'"),
        ('type = "chain"\nlayers = [{ width = 3 }]', "layers 1 has no type"),
        ('type = "dag"\nvertices = [{ type = "dense", width = 3 }]', "is no Vertex"),
    ],
)
def test_files_refuse_with_line_and_reason(table, message):
    text = f'[[layer]]\ntype = "input"\ndim = 3\n[[layer]]\n{table}\n[[layer]]\ntype = "readout"\n'
    with pytest.raises(NetworkError, match=f"(?s)^line [0-9]+: layer 2.*{message}"):
        Network.from_toml(text)


# -- a layer from outside -------------------------------------------------------------------------


@dataclass(frozen=True)
class Bilateral(Layer, kind="bilateral"):
    """Two dense maps of one width added up, the second with a weight."""

    width: Width
    second: int = 2
    sizes: ClassVar[tuple[str, ...]] = ("width",)

    def lower(self, builder, parent):
        one = Dense(self.width).lower(builder, parent)
        other = Chain(Activation("sin"), Dense(self.width)).lower(builder, parent)
        from theory.networks.structure import SumRule

        rule = SumRule((self.width,), (sympy.Integer(1), sympy.Integer(self.second)))
        return builder.add(rule, one, other, label=repr(self))


def test_a_layer_from_outside_is_described_written_and_read():
    net_ = Network(Input(3), Bilateral(sympy.sqrt(m), 3), Activation("tanh"), Readout())
    assert net_.symbols == (m,)
    assert 'type = "bilateral"\nwidth = "sqrt(m)"\nsecond = 3' in net_.to_toml()
    assert Network.from_toml(net_.to_toml()) == net_
    assert net_.substitute({m: 16}).layers[1] == Bilateral(4, 3)
    assert [node.shape for node in net_.substitute({m: 16}).graph.nodes][-2:] == [(4,), ()]
    with pytest.raises(NetworkError, match=r"line 7: layer 2.*Bilateral needs a width"):
        Network.from_toml(net_.to_toml().replace('width = "sqrt(m)"\n', ""))


def test_a_kind_is_taken_once():
    with pytest.raises(TypeError, match="the kind 'dense' of layer is taken by theory"):

        class Other(Layer, kind="dense"):
            pass
