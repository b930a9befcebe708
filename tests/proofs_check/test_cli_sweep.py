"""`widthproof sweep`: results, what is found again, failures, bad input."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import theory
from proofs_check.cli import main


@pytest.fixture
def network(tmp_path):
    m = theory.width("m")
    net = theory.Network(
        theory.Input(3), theory.Dense(m), theory.Activation("tanh"), theory.Readout()
    )
    path = tmp_path / "net.toml"
    path.write_text(net.to_toml())
    return path


def run(*arguments):
    return CliRunner().invoke(main, ["sweep", *map(str, arguments)])


def test_results_are_kept_and_found(network, tmp_path):
    store = tmp_path / "s.sqlite"
    options = [network, "--widths", "4,6", "--seeds", "2", "--store", store]
    first = run(*options)
    assert first.exit_code == 0
    assert "hessian_norm at m=6, seed 1: value" in first.output
    assert "4 computed, 0 found, 0 failed" in first.output
    again = run(*options, "--json", "--quiet", "--quantity", "gradient_norm",
                "--quantity", "hessian_norm")  # fmt: skip
    rows = json.loads(again.output)
    assert len(rows) == 8
    assert run(*options, "--quiet").output.endswith("0 computed, 4 found, 0 failed\n")


def test_failed_cells_are_named_and_the_status_says_so(network, tmp_path):
    inputs = tmp_path / "x.npy"
    np.save(inputs, np.full((1, 3), 1e308))
    found = run(network, "--widths", "4", "--seeds", "1", "--inputs", inputs,
                "--store", tmp_path / "s.sqlite")  # fmt: skip
    assert found.exit_code == 3
    assert "failed: hessian_norm at m=4, seed 0: SpectralError" in found.output
    assert "0 computed, 0 found, 1 failed" in found.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--executor", "threads:2"], "no executor"),
        (["--quantity", "norm"], "no quantity 'norm'"),
        (["--store", "/no/such/folder/s.sqlite"], "no such folder"),
        ([], "give a mapping with a value for each"),
    ],
)
def test_bad_input_is_one_line_with_status_2(network, tmp_path, options, message):
    if not options:  # no width is a symbol
        text = network.read_text().replace('width = "m"', "width = 5")
        network.write_text(text)
    found = run(network, "--widths", "4", "--store", tmp_path / "s.sqlite", *options)
    assert found.exit_code == 2
    assert message in found.output
    assert found.output.startswith("widthproof: ")
