"""Descriptions of assemblies: what they say, what they refuse, and that files keep them."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy

import theory
from theory.assemblies import Assembly, AssemblyError, SubFunction
from theory.ledger.assemblies import assembly_bound, dominance_dial
from theory.terms import make, power
from theory.theorems import HypothesisError

M = theory.width("m")
NET = theory.Network(
    theory.Input(3), theory.Dense(4), theory.Activation("tanh"), theory.Readout(trainable=True)
)
WIDE = theory.Network(theory.Input(3), theory.Dense(theory.width("k")), theory.Readout())
FUNCTION = SubFunction(lambda w, x: w @ x, size=3, dim=3, beta=0.0, name="line")


@pytest.mark.parametrize(
    ("scale", "exponent", "at_four"),
    [
        ("sqrt", Fraction(1, 2), 2.0),
        ("linear", Fraction(1), 4.0),
        (Fraction(1, 4), Fraction(1, 4), 4**0.25),
        (sympy.Symbol("N") ** 2, Fraction(2), 16.0),
        (sympy.sqrt(M) + 1, None, 3.0),
        (2 * M, None, 8.0),
        (sympy.exp(M), None, float(sympy.exp(4))),
    ],
)
def test_scales(scale, exponent, at_four):
    described = Assembly(NET, M, scale=scale)
    assert described.scale_exponent == exponent
    assert described.scale_at(4) == pytest.approx(at_four)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parts": "net"}, "theory.Network, or wrap a function"),
        ({"parts": []}, "at least one sub-model"),
        ({"parts": [NET, SubFunction(len, 2, 5)]}, "one shape of the input for all"),
        ({"parts": theory.Network(*NET.layers[:-1], theory.Readout(outputs=2))}, "has 2 outputs"),
        ({"count": 0}, "count is a whole number >= 1"),
        ({"count": True}, "count is a whole number >= 1"),
        ({"count": sympy.Symbol("m")}, "made by theory.width"),
        ({"weights": "random"}, "'signs', 'ones', 'gaussian'"),
        ({"weights": [1.0, 2.0]}, "numbers for count"),
        ({"weights": [1.0], "count": 2}, "1 weights for 2 x 1"),
        ({"weights": [float("nan")], "count": 1}, "finite numbers"),
        ({"scale": "cubic"}, "scale is 'sqrt', 'linear'"),
        ({"scale": Fraction(-1, 2)}, "an exponent p > 0"),
        ({"scale": M * theory.width("k")}, "in one symbol"),
        ({"dominance": -1}, "an exponent gamma >= 0"),
        ({"dominance": 0.5}, "as a Fraction"),
        ({"shared": 1.5}, "shared is a whole number"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(arguments, message):
    with pytest.raises(AssemblyError, match=message):
        Assembly(**{"parts": NET, "count": M, **arguments})


def test_a_scale_without_a_value_is_refused():
    with pytest.raises(AssemblyError, match="needs a number > 0"):
        Assembly(NET, M, scale=sympy.log(M)).scale_at(1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"function": 3}, "needs a function"),
        ({"size": 0}, "size"),
        ({"dim": "3"}, "dim"),
        ({"beta": -1.0}, "finite and not negative"),
        ({"beta": float("inf")}, "finite and not negative"),
    ],
)
def test_functions_that_make_no_sense(changes, message):
    with pytest.raises(AssemblyError, match=message):
        SubFunction(**{"function": abs, "size": 2, "dim": 2, **changes})


def test_numbers_for_symbols():
    described = Assembly([WIDE, NET], M, shared=theory.width("n"))
    assert [s.name for s in described.symbols] == ["m", "n", "k"]
    numbers = described.substitute({"m": 4, "n": 2, "k": 5})
    assert (numbers.count, numbers.shared, numbers.parts[0].widths) == (4, 2, (3, 5))
    assert numbers.symbols == ()
    for values in ({"m": 4, "n": 2}, {"m": 4, "n": 2, "k": 5, "j": 1}):
        with pytest.raises(AssemblyError, match="give one number for each of k, m, n"):
            described.substitute(values)
    with pytest.raises(AssemblyError, match="whole number"):
        described.substitute({"m": 0, "n": 2, "k": 5})


@pytest.mark.parametrize(
    "described",
    [
        Assembly(NET, M),
        Assembly([NET, WIDE], 2, weights=[1.5, -2.0], scale="linear"),
        Assembly(WIDE, M, "ones", Fraction(1, 3), theory.width("n"), Fraction(3, 2)),
        Assembly(NET, M, scale=sympy.sqrt(sympy.Symbol("t", real=True)) + 1),
    ],
)
def test_files_keep_a_description(described, tmp_path):
    text = described.to_toml()
    assert Assembly.from_toml(text) == described
    path = tmp_path / "assembly.toml"
    described.save(path)
    assert Assembly.load(path) == described
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"one table \[assembly\]"),
        ("count = 3", r"one table \[assembly\]"),
        ("[assembly]\nweights = 'ones'\n", "needs count"),
        ("[assembly]\ncount = 3\ncolour = 1\n", "colour"),
        ("[assembly]\ncount = 3\n", "at least one sub-model"),
        ("[assembly]\ncount = [\n", "not valid TOML"),
        ("[assembly]\ncount = 3\nscale = '__import__(1)'\n", "scale"),
        ("[assembly]\ncount = 3\ndominance = 0.5\n", "dominance is a text"),
        ("[assembly]\ncount = 3\ndominance = '1/0'\n", "divides by zero"),
        ("[assembly]\ncount = 3\n[[part]]\n[[layer]]\ntype = 'input'\n", "is no table of the part"),
        ("[assembly]\ncount = 3\n[[part]]\n[[part.layer]]\ntype = 'x'\n", "part 1"),
    ],
)
def test_files_that_make_no_sense(text, message):
    with pytest.raises(theory.NetworkError, match=message):
        Assembly.from_toml(text)


def test_a_function_has_no_file():
    with pytest.raises(AssemblyError, match="'line'"):
        Assembly([NET, FUNCTION], M).to_toml()


def test_an_assembly_file_names_itself_in_its_errors(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(AssemblyError, match=r"bad\.toml"):
        Assembly.load(path)


def test_the_bound_of_a_description_brings_a_theorem_for_each_kind():
    bound = assembly_bound(Assembly([NET, FUNCTION], M))
    assert bound.theorem.name == "LZB22/B7"
    assert [getattr(p, "name", p) for p in bound.parts] == ["LZB20/A7", 0.0]
    scale, largest = bound.theorem.statement.args[1].args
    assert scale is power(make("dim", make("space", "m")), Fraction(-1, 2))
    assert (largest.head, largest.args[:3]) == ("rmax", ("i", 1, make("index", "m", 0)))


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (Assembly(SubFunction(abs, 1, 3), M), "declare one"),
        (Assembly(NET, M, scale=2 * M), "scales s = N"),
        (
            Assembly(
                theory.Network(
                    theory.Input(3),
                    theory.Dense(2),
                    theory.Activation("square"),
                    theory.Readout(),
                ),
                M,
            ),
            "square",
        ),
    ],
)
def test_a_description_that_no_theorem_covers(described, message):
    with pytest.raises(HypothesisError, match=message):
        assembly_bound(described)


@pytest.mark.parametrize(
    ("weight", "scale", "left"),
    [
        (Fraction(1, 2), Fraction(1, 2), "|Pi_i"),
        (Fraction(1, 4), Fraction(1, 2), "m^(-1/4)"),
        (Fraction(1), Fraction(1, 2), "sqrt(m)"),
        (Fraction(0), Fraction(1), "m^(-1)"),
    ],
)
def test_the_dial_of_dominance_is_exact_in_its_exponents(weight, scale, left):
    text = repr(dominance_dial(weight, scale)).splitlines()[2].strip()
    assert text.startswith(left)
    assert text.endswith("<= |D2[f]|")


def test_a_dial_out_of_range_is_refused():
    for weight, scale in ((-1, 1), (1, 0)):
        with pytest.raises(ValueError, match="give an exponent that is"):
            dominance_dial(Fraction(weight), Fraction(scale))


def test_orders_of_assemblies():
    assert str(theory.catalog["LZB22/B1"].order) == "Theta(eta)"  # an equation
    assert str(theory.catalog["LZB22/B7"].order) == "O(m^(-1/2))"
    assert not theory.catalog["LZB22/B7"].order.assumptions[0].proved
    assert str(theory.catalog["LZB22/B2"].order) == "Theta(eta^(2) m)"  # an equation
    assert str(assembly_bound(Assembly(NET, M, scale="linear")).theorem.order) == "O(m^(-1))"
