"""The tables of the ledger: written, read back, compared; and the command that does so."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from proofs_check.cli import main
from proofs_check.ledger import tables
from proofs_check.ledger.running import run

ROW = "LZB20/A5"


@pytest.fixture(scope="module")
def result():
    return run([ROW])


@pytest.fixture(scope="module")
def page(result) -> str:
    text = tables.document(result)
    full = text.split("## Quick run")[1]
    return f"{text}\n## Full run\n{full}"


def widthproof(*args: str):
    return CliRunner().invoke(main, ["ledger", "--rows", ROW, *args], standalone_mode=False)


def test_a_page_is_read_back_as_it_was_written(result, page) -> None:
    read = tables.read(page)
    assert read["quick"] == read["full"] == tables.records(result)
    assert any("|u|_2" in record["family"] for record in read["quick"])
    assert tables.differences(result, page) == []


def test_writing_one_profile_keeps_the_other(result, page) -> None:
    again = tables.document(result, page)
    assert tables.read(again) == tables.read(page)
    assert tables.document(result, again) == again


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (r"O\(m\^\(-1/2\)", "O(m^(-1/3)", "predicted is"),
        (r"\| holds \|", "| fails |", "outcome is 'holds', on the page 'fails'"),
        (r"hoelder", "hölder", "trusted lemmas is"),
        (r"-0\.\d+ \[-0\.\d+, -0\.\d+\]", "-0.5 [-0.501, -0.499]", "is outside the page's"),
        (r"infinity norm", "another norm", "not on the page"),
        (r"infinity norm", "another norm", "no longer run"),
    ],
)
def test_every_kind_of_change_is_noticed(result, page, old, new, message) -> None:
    changed = re.sub(old, new, page)
    assert changed != page
    assert any(message in line for line in tables.differences(result, changed))


def test_exponents_are_compared_within_their_own_profile_only(result, page) -> None:
    before, after = page.split("## Full run")
    changed = f"{before}## Full run{re.sub('-0.5[0-9]+ ', '-0.9 ', after)}"
    assert changed != page
    assert tables.differences(result, changed) == []


def test_a_row_that_is_missing_on_either_side_is_noticed(result, page) -> None:
    fewer = "\n".join(line for line in page.splitlines() if "(2,2,1)-norm" not in line)
    assert any("not on the page" in line for line in tables.differences(result, fewer))
    line = next(line for line in page.splitlines() if line.startswith(f"| {ROW}"))
    more = page.replace(line, f"{line}\n{line.replace(ROW, 'LZB20/A99')}")
    assert any("no longer run" in found for found in tables.differences(result, more))
    assert tables.differences(result, more, rows=[ROW]) == []


def test_some_rows_are_written_among_those_there(result, page) -> None:
    line = next(line for line in page.splitlines() if line.startswith(f"| {ROW}"))
    others = f"{line.replace(ROW, 'LZB20/A10')}\n{line}\n{line.replace(ROW, 'LZB20/A4')}"
    more = page.replace(line, others)
    kept = tables.read(tables.document(result, more, some=True))["quick"]
    names = list(dict.fromkeys(record["row"] for record in kept))
    assert names == ["LZB20/A4", ROW, "LZB20/A10"]
    assert tables.document(result, more) != tables.document(result, more, some=True)


@pytest.mark.parametrize("text", ["", "# The ledger\n", "## Full run\n\n| row |\n| --- |\n| A |\n"])
def test_what_is_no_ledger_is_refused(result, text) -> None:
    with pytest.raises(tables.LedgerFileError):
        tables.differences(result, text)


def test_json_and_csv_have_every_family(result) -> None:
    data = json.loads(tables.to_json(result))
    assert data["rows"][0]["families"][0]["exponent"][0] == pytest.approx(-0.5, abs=0.15)
    assert len(tables.to_csv(result).splitlines()) == 1 + len(result.rows[0].families)


def test_the_command_writes_compares_and_says_so(tmp_path, page) -> None:
    path = tmp_path / "ledger.md"
    path.write_text(page)
    assert widthproof("--quiet", "--check", str(path)).return_value == 0
    path.write_text(page.replace("| holds |", "| fails |"))
    found = widthproof("--quiet", "--check", str(path))
    assert found.return_value == 1
    assert "outcome" in found.stderr
    out = tmp_path / "ledger.json"
    shown = widthproof("--output", str(out))
    assert shown.return_value == 0
    assert ROW in shown.stdout
    assert json.loads(out.read_text())["as expected"] is True


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--rows", "LZB20/A99"], "no row is called"),
        (["--output", "ledger.pdf"], "ends in .md"),
        (["--output", "/nowhere/ledger.md"], "no folder"),
        (["--check", "/nowhere/ledger.md"], "check the path"),
    ],
)
def test_bad_input_is_one_line(args, message) -> None:
    found = CliRunner().invoke(main, ["ledger", *args], standalone_mode=False)
    assert message in str(found.exception)
