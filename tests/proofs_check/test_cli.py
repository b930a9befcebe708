"""The command: exit statuses, one-line errors, files whole or not at all, interruption."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import theory
from proofs_check import cli, cli_support, typesetting
from proofs_check.cli import main
from proofs_check.verification.report import FILES, Report

ROOT = Path(__file__).parents[2]
TINY = ("--widths", "3,4", "--seeds", "2", "--depth", "1", "--radius", "0.5")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# -- verify ---------------------------------------------------------------------------------------


def test_verify_writes_its_files_and_says_consistent(tmp_path: Path) -> None:
    result = run("verify", *TINY, "--no-order", "--out", "found")
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (tmp_path / "found").iterdir()) == sorted(FILES)
    for word in ("verdict: consistent", "‖∇f‖", "loosest line", "proof check", "exponent of"):
        assert word in result.stdout
    assert "width 3" in result.stderr
    report = json.loads((tmp_path / "found" / "report.json").read_text())
    assert report["verdict"] == "consistent"
    assert report["check"]["ok"] is True
    assert r"\begin{document}" in (tmp_path / "found" / "theorem.tex").read_text()


def test_json_is_all_there_is_on_standard_output(tmp_path: Path) -> None:
    result = run("verify", *TINY, "--json", "--readout", "trained", "--init", "sign")
    report = json.loads(result.stdout)
    assert result.exit_code == 3  # two widths fit no exponent
    assert report["verdict"] == "inconclusive"
    assert (tmp_path / "widthproof-report").is_dir()


def test_quiet_says_the_verdict_only() -> None:
    result = run("verify", *TINY, "--quiet", "--no-order")
    assert result.output == "consistent\n"


def test_a_network_file_and_inputs_of_ones_own(tmp_path: Path) -> None:
    theory.reference_network(1, inputs=3, activation="erf").save(tmp_path / "net.toml")
    np.save(tmp_path / "x.npy", np.ones((2, 3)))
    arguments = ("--widths", "2..4", "--seeds", "1,5", "--no-order", "--quiet", "--out", "o")
    result = run("verify", "--network", "net.toml", "--inputs", "x.npy", *arguments)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "o" / "report.json").read_text())
    assert [(r["width"], r["seed"]) for r in report["rows"]] == [(2, 1), (2, 5), (4, 1), (4, 5)]
    assert report["settings"]["inputs"]["shape"] == [2, 3]


@pytest.mark.parametrize(("verdict", "status"), [("violated", 1), ("inconclusive", 3)])
def test_the_verdict_is_the_exit_status(verdict, status, monkeypatch: pytest.MonkeyPatch) -> None:
    real = cli._verified

    def judged(**options) -> Report:
        return replace(real(**options), verdict=verdict)

    monkeypatch.setattr(cli, "_verified", judged)
    assert run("verify", *TINY, "--quiet").exit_code == status


BAD = [
    ("verify --widths 0", "64,128,256"),
    ("verify --widths 4,4", "repeats"),
    ("verify --widths 4,x", "64,128,256"),
    ("verify --widths 1..2..3", "64,128,256"),
    ("verify --widths 1000000", "GB of memory"),
    ("verify --seeds 0", "seeds"),
    ("verify --seeds 1,1", "once"),
    ("verify --seeds 99999999999", "seeds"),
    ("verify --radius -1", "radius"),
    ("verify --radius nan", "finite"),
    ("verify --radius inf", "finite"),
    ("verify --radius x", "radius"),
    ("verify --depth 0", "depth"),
    ("verify --activation relu", "softplus"),
    ("verify --activation square", "sup|sigma'| is infinite"),
    ("verify --activation __import__('os')", "activation"),
    ("verify --activation nonsense", "nonsense"),
    ("verify --readout free", "readout"),
    ("verify --network missing.toml", "missing.toml"),
    ("verify --network bad.toml", "line 2"),
    ("verify --network net.toml --depth 2", "--depth describes a network"),
    ("verify --network net.toml --inputs wrong.txt", "dimension 2; this network takes 3"),
    ("verify --network net.toml --inputs words.txt", "words.txt"),
    ("verify --network net.toml --inputs missing.npy", "missing.npy"),
    ("verify --network numbers.toml --widths 4", "numeric widths"),
    ("verify --out net.toml", "is a file"),
    ("verify --out /proc/nowhere/found", "nothing can be written"),
    ("verify --what", "--what"),
    ("verify extra", "extra"),
    ("show LZB20/A99", "LZB20/A7"),
    ("show bad.toml", "line 2"),
    ("check nothing.json", "nothing.json"),
    ("check bad.json", "not JSON"),
    ("check list.json", "cannot check list"),
    ("check words.txt", "list"),
    ("latex LZB20/A99", "LZB20/A7"),
    ("export LZB20/A3 /nowhere/proof.json", "/nowhere"),
    ("nonsense", "nonsense"),
]


@pytest.mark.parametrize(("line", "said"), BAD)
def test_bad_input_is_one_line_and_leaves_nothing(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('[[layer]]\ntype = "what"\n')
    theory.reference_network(1, inputs=3).save(tmp_path / "net.toml")
    theory.reference_network(1, inputs=3).substitute({"m": 2}).save(tmp_path / "numbers.toml")
    (tmp_path / "wrong.txt").write_text("1 2\n3 4\n")
    (tmp_path / "words.txt").write_text("one two three\n")
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "list.json").write_text("[1]")
    before = sorted(os.listdir(tmp_path))
    result = run(*line.split())
    assert result.exit_code == 2, result.output
    assert not result.stdout
    assert said in result.stderr
    assert result.stderr.startswith("widthproof: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert sorted(os.listdir(tmp_path)) == before


def test_an_error_of_the_program_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: object) -> Report:
        msg = "a bug"
        raise RuntimeError(msg)

    monkeypatch.setattr(cli, "_verified", broken)
    result = run("verify", *TINY)
    assert result.exit_code == cli_support.INTERNAL
    assert "error of the program" in result.stderr


# A shell's background jobs ignore interruptions, and so do their children until they ask for them.
INTERRUPTIBLE = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('proofs_check.cli', run_name='__main__')"
)


def test_an_interrupted_run_leaves_a_readable_report(tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTIBLE, "verify", "--widths", "4..1024"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*command, "--depth", "2", "--out", "found"],
        cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:  # one for each width
        if "width 8" in line:
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "verdict: inconclusive (partial)" in output
    assert "interrupted after" in output
    assert sorted(p.name for p in (tmp_path / "found").iterdir()) == sorted(FILES)
    report = json.loads((tmp_path / "found" / "report.json").read_text())
    assert report["partial"] is True
    assert report["rows"]
    assert report["verdict"] == "inconclusive"


# -- the catalogue --------------------------------------------------------------------------------


def test_every_theorem_is_listed_and_can_be_shown() -> None:
    listed = run("list")
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(theory.catalog)
    shown = run("show", "LZB20/A7")
    assert "assuming" in shown.stdout
    assert "order: O(" in shown.stdout


def test_a_network_file_can_be_shown_and_checked(tmp_path: Path) -> None:
    theory.reference_network(2, trainable=True).save(tmp_path / "net.toml")
    assert "v trained" in run("show", "net.toml").stdout
    assert run("check", "net.toml", "--no-z3").exit_code == 0


def test_a_proof_goes_to_a_file_and_is_checked_there(tmp_path: Path) -> None:
    assert run("export", "LZB20/A3", "proof.json").exit_code == 0
    checked = run("check", "proof.json")
    assert checked.exit_code == 0
    assert "trusted lemma" in checked.stdout
    data = json.loads((tmp_path / "proof.json").read_text())
    data["steps"][-1]["conclusion"] = data["steps"][0]["conclusion"]
    (tmp_path / "false.json").write_text(json.dumps(data))
    rejected = run("check", "false.json")
    assert rejected.exit_code == 1
    assert "REJECTED" in rejected.stdout


def test_latex_goes_to_standard_output_or_to_a_folder(tmp_path: Path) -> None:
    printed = run("latex", "LZB20/A3")
    assert printed.stdout.startswith(r"\documentclass")
    assert run("latex", "LZB20/A3", "--output", "pages").exit_code == 0
    assert (tmp_path / "pages" / "LZB20-A3.tex").read_text() == printed.stdout.rstrip("\n") + "\n"


def test_the_whole_catalogue_is_one_document() -> None:
    printed = run("latex", "--all")
    assert printed.exit_code == 0
    assert printed.stdout.count("\\documentclass") == 1
    for name in theory.catalog:
        assert f"\\section{{{name}" in printed.stdout
    for wrong in (["latex"], ["latex", "LZB20/A3", "--all"]):
        assert run(*wrong).exit_code == 2


def test_without_latex_a_pdf_is_refused_in_one_line(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(typesetting.shutil, "which", lambda _: None)
    result = run("latex", "LZB20/A3", "--pdf")
    assert result.exit_code == 2
    assert "apt-get install" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_a_pdf_is_typeset(tmp_path: Path) -> None:
    assert run("latex", "LZB20/A3", "--pdf", "--output", "pages").exit_code == 0
    assert (tmp_path / "pages" / "LZB20-A3.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_a_document_that_latex_rejects_is_named() -> None:
    with pytest.raises(typesetting.TypesettingError, match="rejects the document: !"):
        typesetting.pdf(r"\documentclass{article}\begin{document}\nonsense\end{document}")


def test_help_names_the_exit_statuses() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "3 inconclusive" in result.stdout
    assert run().exit_code == 2
    assert run("--version").exit_code == 0


@pytest.mark.parametrize(("text", "seeds"), [("2", [0, 1]), ("3,", [3]), ("5,1", [5, 1])])
def test_lists_of_seeds(text: str, seeds: list[int]) -> None:
    command = main.commands["verify"]
    parameter = next(p for p in command.params if p.name == "seeds")
    assert cli_support.parse_seeds(None, parameter, text) == seeds  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "widths"), [("64", [64]), ("1,2,3", [1, 2, 3]), ("4..40", [4, 8, 16, 32])]
)
def test_lists_of_widths(text: str, widths: list[int]) -> None:
    command = main.commands["verify"]
    parameter = next(p for p in command.params if p.name == "widths")
    assert cli_support.parse_widths(None, parameter, text) == widths  # type: ignore[arg-type]


# -- lemmas and false theorems --------------------------------------------------------------------


def test_lemmas_are_attacked_and_recorded(tmp_path: Path) -> None:
    result = run("attack", "product", "gram", "--seeds", "1", "--write", "lemmas.md")
    assert result.exit_code == 0, result.output
    assert "product" in result.stdout
    assert "| `gram` |" in (tmp_path / "lemmas.md").read_text()


def test_a_lemma_that_is_none_is_named() -> None:
    result = run("attack", "riemann")
    assert result.exit_code == 2
    assert "no lemma is called 'riemann'" in result.output


def test_mutants_are_judged_and_recorded(tmp_path: Path) -> None:
    result = run("mutants", "LZB20/A3", "--no-networks", "--write", "mutants.md")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "mutants.md").read_text()
    assert "| LZB20/A3 |" in text
    assert "| hypothesis dropped |" in text


def test_mutants_of_a_row_that_is_none() -> None:
    result = run("mutants", "LZB20/A99")
    assert result.exit_code == 2
    assert "LZB20/A99" in result.output
