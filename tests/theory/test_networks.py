from __future__ import annotations

import os
import stat

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from theory.activations import ACTIVATIONS, ActivationError, ActivationFunction, activation
from theory.grammar import T
from theory.networks import (
    Activation,
    Dense,
    Input,
    Network,
    NetworkError,
    Readout,
    width,
)

m, n = width("m"), width("n")


def tanh_network(*hidden, readout=None):
    layers = [layer for h in hidden for layer in (Dense(h), Activation("tanh"))]
    return Network(Input(64), *layers, readout or Readout())


def test_describes_itself():
    net = Network(
        Input(64),
        Dense(m),
        Activation("tanh"),
        Dense(n),
        Dense(m),
        Activation("gelu"),
        Readout(True),
    )
    assert net.depth == 3
    assert net.widths == (64, m, n, m)
    assert [sigma.name for sigma in net.activations] == ["tanh", "identity", "gelu"]
    assert net.readout == Readout(trainable=True, init="gaussian")
    assert net.symbols == (m, n)
    assert repr(net) == (
        "Network(Input(64), Dense(m), Activation('tanh'), Dense(n), Dense(m), Activation('gelu'), "
        "Readout(trainable=True, init='gaussian'))"
    )


def test_equal_networks_are_one():
    assert tanh_network(m, n) == tanh_network(width("m"), width("n"))
    assert len({tanh_network(m), tanh_network(m), tanh_network(n)}) == 2
    with pytest.raises(AttributeError):
        tanh_network(m).layers = ()


def test_widths_are_positive_integers():
    assert m.is_integer
    assert m.is_positive
    assert Dense(np.int64(3)) == Dense(3) == Dense(sympy.Integer(3))
    assert isinstance(Dense(np.int64(3)).width, int)


@pytest.mark.parametrize("name", ["", "2m", "m-1", "m 1", "α", None, 3])
def test_width_refuses_odd_names(name):
    with pytest.raises(NetworkError, match="cannot be called"):
        width(name)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0, "at least 1, not 0"),
        (-3, "at least 1, not -3"),
        (True, "truth value"),
        (np.bool_(True), "is none"),
        (2.0, r"2.0 \(float\) is none"),
        (None, "give a whole number"),
        ("m", r"write Dense\(theory.width\('m'\)\)"),
        ("2m", "is none"),
        (2 * m, "is none"),
        (sympy.Symbol("m"), r"and m is none: write Dense\(theory.width\('m'\)\)"),
        (sympy.Rational(1, 2), "is none"),
        (float("nan"), "is none"),
        ([3], "is none"),
        (np.ones(2), "is none"),
    ],
)
@pytest.mark.parametrize("layer", [Dense, Input])
def test_layers_refuse_what_is_no_width(layer, value, message):
    with pytest.raises(NetworkError, match=message.replace("Dense", layer.__name__)) as caught:
        layer(value)
    assert layer.__name__ in str(caught.value)


@pytest.mark.parametrize(
    ("layer", "message"), [(Dense, "Dense needs a width"), (Input, "dimension")]
)
def test_missing_width(layer, message):
    with pytest.raises(NetworkError, match=message):
        layer()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trainable": 1}, "True or False, not 1"),
        ({"trainable": "yes"}, "True or False"),
        ({"init": "normal"}, "'gaussian' or 'sign', not 'normal'"),
        ({"init": None}, "'gaussian' or 'sign'"),
    ],
)
def test_readout_refuses(arguments, message):
    with pytest.raises(NetworkError, match=message):
        Readout(**arguments)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "a Network has layers"),
        ((Input(2),), "no Readout"),
        ((Input(2), Dense(m)), r"no Readout: Dense\(m\) is the last layer"),
        ((Input(2), Readout()), "layer 2 .*no hidden layer"),
        ((Dense(m), Readout()), r"layer 1 is Dense\(m\), and a Network starts with its Input"),
        ((Input(2), Input(3), Dense(m), Readout()), r"layer 2 is a second Input, Input\(3\)"),
        ((Input(2), Dense(m), Input(3), Readout()), "layer 3 is a second Input"),
        ((Input(2), Activation("tanh"), Dense(m), Readout()), "layer 2 .*before the first Dense"),
        (
            (Input(2), Dense(m), Activation("tanh"), Activation("erf"), Readout()),
            "layer 4 is .*'erf'.* right after .*'tanh'",
        ),
        ((Input(2), Dense(m), Readout(), Dense(m)), "layer 4 .*after the Readout"),
        ((Input(2), Dense(m), Readout(), Readout()), "layer 4 .*after the Readout"),
        ((Input(2), Dense, Readout()), "layer 2 is Dense .the class"),
        ((Input(2), "tanh", Readout()), "layer 2 is 'tanh', which is no layer"),
        ((Input(2), None, Readout()), "layer 2 is None"),
    ],
)
def test_refuses_nonsense_naming_the_layer(layers, message):
    with pytest.raises(NetworkError, match=message):
        Network(*layers)


def test_unknown_activation_is_refused():
    with pytest.raises(ActivationError, match="unknown activation 'tahn'"):
        Activation("tahn")


class TestSubstitute:
    net = tanh_network(m, n)

    def test_by_symbol_or_name(self):
        expected = tanh_network(8, 16)
        assert self.net.substitute({m: 8, n: 16}) == expected
        assert self.net.substitute({"m": np.int64(8), n: 16}) == expected
        assert expected.substitute({}) == expected
        assert expected.symbols == ()

    @pytest.mark.parametrize(
        ("widths", "message"),
        [
            ({m: 8}, "no number for the width n: give {'n': 1024}"),
            ({}, "no number for the width m, n"),
            ({m: 8, n: 9, "k": 3}, "no width called k; it has m, n"),
            ({m: 8, "m": 8, n: 9}, "m is given twice"),
            ({m: 0, n: 9}, "the width m .*at least 1, not 0"),
            ({m: 2.0, n: 9}, "the width m .*2.0"),
            ({m: True, n: 9}, "the width m .*truth value"),
            ({m: n, n: 9}, "needs a number here, not the symbol n"),
            ({3: 8, m: 8, n: 9}, "no width called 3"),
            ({"m+1": 8}, "cannot be called"),
        ],
    )
    def test_refuses(self, widths, message):
        with pytest.raises(NetworkError, match=message):
            self.net.substitute(widths)


GOOD = """\
# A comment.
version = 1

[[layer]]
type = "input"
dim = 64

[[layer]]
type = "dense"
width = "m"

[[layer]]
type = "activation"
function = "tanh"

[[layer]]
type = "readout"
trainable = false
init = "gaussian"
"""


class TestToml:
    def test_reads(self):
        assert Network.from_toml(GOOD) == tanh_network(m)
        assert Network.from_toml(GOOD.replace("\n", "\r\n")) == tanh_network(m)

    def test_writes_what_a_person_would(self):
        assert tanh_network(m).to_toml() == GOOD.removeprefix("# A comment.\n")

    def test_what_is_optional(self):
        text = GOOD.replace("version = 1\n", "").replace(
            'trainable = false\ninit = "gaussian"\n', ""
        )
        assert Network.from_toml(text) == tanh_network(m)

    @pytest.mark.parametrize(
        ("old", "new", "line", "message"),
        [
            ("dim = 64", "dim = 0", 6, r"layer 1 \(input\): .*at least 1, not 0"),
            ("dim = 64", "dim = -1", 6, "at least 1"),
            ("dim = 64", "dim = 64.0", 6, "64.0"),
            ("dim = 64", "dim = true", 6, "truth value"),
            ("dim = 64", "", 4, "needs its dimension"),
            ("dim = 64", "size = 64", 6, "no key 'size'; it has dim"),
            ('width = "m"', "", 8, "needs a width"),
            ('width = "m"', 'width = "2m"', 10, "cannot be called '2m'"),
            ('width = "m"', 'width = "m*2"', 10, "cannot be called"),
            ('width = "m"', "width = [3]", 10, "is none"),
            ('width = "m"', "width = [\n3\n]", 12, "is none"),
            ('"tanh"', '"tahn"', 14, "unknown activation 'tahn'; known: tanh"),
            ('"tanh"', '"relu"', 14, "relu is not twice continuously differentiable"),
            ('"tanh"', '"t*("', 14, "column 4"),
            ('"tanh"', "\"__import__('os')\"", 14, "neither an activation's name"),
            ('"tanh"', "3", 14, "give function ="),
            ('function = "tanh"', "", 12, "give function ="),
            ('"tanh"', '"t"\nname = "tanh"', 14, "the name 'tanh' is taken"),
            ('"tanh"', '"t"\nname = 3', 15, "name is a text"),
            ('"tanh"', '"t"\nbounds = 3', 15, "bounds is a table"),
            ('"tanh"', '"t"\nbounds = { 9 = "1" }', 15, "bounds is a table"),
            ('"tanh"', '"t"\nbounds = { 1 = "x" }', 15, "bounds is a table"),
            ('"tanh"', '"t"\nbounds = { 1 = "-1" }', 15, "rational number >= 0"),
            ("false", '"no"', 18, "True or False"),
            ('"gaussian"', '"normal"', 19, "'gaussian' or 'sign'"),
            ('type = "input"', 'type = "inlet"', 5, "unknown type 'inlet'"),
            ('type = "input"', "", 4, "has no type: give type = one of 'input'"),
            ("version = 1", "version = 2", 2, "version 2 is unknown"),
            ("version = 1", "version = true", 2, "version True is unknown"),
            ("version = 1", "depth = 3", 2, "unknown key 'depth'"),
            ('"input"\ndim = 64', '"dense"\nwidth = 3', 4, "starts with its Input"),
            ('type = "dense"\nwidth = "m"', 'type = "input"\ndim = 3', 8, "a second Input"),
            ('type = "readout"', 'type = "dense"\nwidth = 3', 19, "dense.* has no key 'trainable'"),
            (
                'type = "readout"\ntrainable = false\ninit =',
                'type = "dense"\nwidth =',
                16,
                "no Readout",
            ),
        ],
    )
    def test_refuses_naming_the_line(self, old, new, line, message):
        text = GOOD.replace(old, new, 1)
        assert text != GOOD
        with pytest.raises(NetworkError, match=f"(?s)^line {line}: .*({message})"):
            Network.from_toml(text)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "line 1: a Network has layers"),
            ("\n\n", "line 1: a Network has layers"),
            ("layer = 3", "line 1: each layer is a table"),
            ("[layer]\ntype = 'input'", "line 1: each layer is a table"),
            ("layer = [3]", "each layer is a table"),
            ("version = ", "line 1: not valid TOML"),
            ("version = 1\n\nlayer = [", "line 3: not valid TOML"),
            (GOOD.replace("dim = 64", "dim = "), "line 6: not valid TOML"),
            (GOOD + "\n[[layer]]\ntype = 'input'\ntype = 'dense'", "line 23: not valid TOML"),
            ("\nx = " + "[" * 5000 + "]" * 5000, "line 2: not valid TOML"),
            ("\nx = " + "1" * 5000, "line 2: not valid TOML"),
            ("#" * 2_100_000, "longer than"),
        ],
    )
    def test_refuses_other_texts(self, text, message):
        with pytest.raises(NetworkError, match=message):
            Network.from_toml(text)

    def test_a_text_of_many_lines_does_not_mislead(self):
        # What looks like a layer within a text is none.
        text = GOOD.replace('"tanh"', '"""\n[[layer]]\ntahn"""')
        with pytest.raises(NetworkError, match=r"line 16: layer 3 .activation."):
            Network.from_toml(text)

    def test_the_line_in_a_long_file(self):
        lines = tanh_network(*[m] * 300).to_toml().replace('"tanh"', '"erf"').splitlines()
        place = max(k for k, line in enumerate(lines) if line == 'function = "erf"')
        lines[place] = 'function = "foo"'
        with pytest.raises(NetworkError, match=f"^line {place + 1}: layer 601 "):
            Network.from_toml("\n".join(lines))

    def test_declared_bounds_survive(self):
        sigma = ActivationFunction(
            "mine", sympy.sin(T**2) / 10, bounds={1: 3, 2: sympy.Rational(7, 2)}
        )
        net = Network(Input(3), Dense(m), Activation(sigma), Readout())
        assert 'bounds = { 1 = "3", 2 = "7/2" }' in net.to_toml()
        assert Network.from_toml(net.to_toml()) == net

    def test_what_the_grammar_cannot_say_is_not_written(self):
        expr = sympy.tanh(T) * sympy.EulerGamma
        net = Network(Input(3), Dense(m), Activation(expr), Readout())
        with pytest.raises(NetworkError, match="layer 3 cannot be written to a file"):
            net.to_toml()


WIDTHS = st.one_of(
    st.integers(1, 10**12), st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True).map(width)
)
SIGMAS = st.one_of(
    st.none(),
    st.sampled_from(sorted(ACTIVATIONS)),
    st.sampled_from([
        "t/(1+t^2)", "0.1*t + tanh(t)", "t*tanh(log(1+exp(t)))", "sqrt(2)*t/sqrt(pi+t^2)",
        "erf(t/sqrt(2))", "sin(t)^3", "E^(-t^2)", "2^(-t^2)", "atan(3*t/7)",
    ]),
)  # fmt: skip


@st.composite
def networks(draw):
    layers: list[object] = [Input(draw(WIDTHS))]
    for _ in range(draw(st.integers(1, 6))):
        layers.append(Dense(draw(WIDTHS)))
        sigma = draw(SIGMAS)
        if sigma is not None:
            layers.append(Activation(sigma))
    readout = Readout(draw(st.booleans()), draw(st.sampled_from(["gaussian", "sign"])))
    return Network(*layers, readout)


@given(networks())
def test_toml_round_trip_is_exact(net):
    again = Network.from_toml(net.to_toml())
    assert again == net
    assert hash(again) == hash(net)
    assert again.to_toml() == net.to_toml()
    assert len(net.activations) == net.depth == len(net.widths) - 1


@given(networks())
def test_substitution_leaves_numbers(net):
    numeric = net.substitute({symbol: k + 1 for k, symbol in enumerate(net.symbols)})
    assert all(isinstance(value, int) for value in numeric.widths)
    assert numeric.activations == net.activations


class TestFiles:
    def test_round_trip(self, tmp_path):
        path = tmp_path / "net.toml"
        tanh_network(m, n).save(path)
        assert Network.load(path) == tanh_network(m, n)
        assert Network.load(str(path)) == tanh_network(m, n)
        assert os.listdir(tmp_path) == ["net.toml"]

    def test_errors_name_the_file(self, tmp_path):
        path = tmp_path / "net.toml"
        path.write_text(GOOD.replace("64", "0"))
        with pytest.raises(NetworkError, match=r"net\.toml: line 6: .*not 0"):
            Network.load(path)
        path.write_bytes(b"\xff\xfe")
        with pytest.raises(NetworkError, match=r"net\.toml: not UTF-8"):
            Network.load(path)
        with pytest.raises(FileNotFoundError):
            Network.load(tmp_path / "absent.toml")

    def test_nothing_half_written(self, tmp_path, monkeypatch):
        path = tmp_path / "net.toml"
        tanh_network(m).save(path)
        before = path.read_bytes()

        def fail(*_):
            msg = "disk full"
            raise OSError(msg)

        for name in ("replace", "fsync"):
            with monkeypatch.context() as patch:
                patch.setattr(os, name, fail)
                with pytest.raises(OSError, match="disk full"):
                    tanh_network(n).save(path)
            assert path.read_bytes() == before
            assert os.listdir(tmp_path) == ["net.toml"]

    def test_permissions_follow_the_umask(self, tmp_path):
        path = tmp_path / "net.toml"
        old = os.umask(0o022)
        try:
            tanh_network(m).save(path)
        finally:
            os.umask(old)
        assert stat.S_IMODE(path.stat().st_mode) == 0o644

    def test_a_missing_folder_is_an_error(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            tanh_network(m).save(tmp_path / "absent" / "net.toml")


def test_an_activation_layer_takes_every_kind_of_spec():
    x = sympy.Symbol("x")
    assert Activation("swish") == Activation("silu") == Activation(x / (1 + sympy.exp(-x)))
    assert Activation(activation("tanh")).function is ACTIVATIONS["tanh"]
    assert Activation("t/(1 + t^2)").name == "t/(t**2 + 1)"
