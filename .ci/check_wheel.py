"""Import the three packages from an unpacked wheel: ``PYTHONPATH=FOLDER check_wheel.py FOLDER``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(folder: str) -> str | None:
    """Say what the wheel in ``folder`` lacks, or nothing."""
    expected = Path(folder).resolve()
    for name in ("theory", "numerics", "proofs_check"):
        home = Path(importlib.import_module(name).__file__ or "").resolve().parent
        if home.parent != expected:
            return f"{name} was imported from {home}, not from the wheel in {expected}"
        if not (home / "py.typed").is_file():
            return f"{name} lacks py.typed in the wheel"
    if not list(expected.glob("widthproof-*.dist-info/licenses/LICENSE")):
        return "the wheel lacks the licence"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
