"""Fail if ``import theory`` takes 0.6 s or more: the least of seven fresh processes.

The least, because whatever else the machine does can only make an import slower.
"""

from __future__ import annotations

import subprocess
import sys

LIMIT = 0.6  # seconds; SymPy alone takes about 0.2
PROGRAM = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def least_seconds(module: str) -> float:
    """Least time of seven imports, after one that writes the byte code."""
    command = [sys.executable, "-c", PROGRAM.format(module)]
    times = [
        float(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)
        for _ in range(8)
    ]
    return min(times[1:])


def main() -> str | None:
    """Report both times; the text of the failure if there is one."""
    alone, ours = least_seconds("sympy"), least_seconds("theory")
    print(f"import sympy: {alone:.3f} s; import theory: {ours:.3f} s (below {LIMIT} s is asked)")
    return None if ours < LIMIT else f"import theory takes {ours:.3f} s; it should be under {LIMIT}"


if __name__ == "__main__":
    sys.exit(main())
