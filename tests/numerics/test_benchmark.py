"""The benchmark runs, and its contenders agree."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "hessian_norm.py"


@pytest.mark.slow
def test_a_small_run(tmp_path):
    path = tmp_path / "result.json"
    command = [sys.executable, str(SCRIPT), "--widths", "8,40", "--json", str(path)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "best other / ours" in result.stdout
    rows = json.loads(path.read_text())["rows"]
    assert [row["width"] for row in rows] == [8, 40]
    for row in rows:
        assert row["eigsh"]["difference"] <= 1e-10
        assert row["matfree"]["difference"] <= 1e-6
        assert row["lowrank"]["lower"] <= row["eigsh"]["value"] <= row["lowrank"]["upper"]
