"""From LaTeX to PDF, with latexmk or pdflatex, in a folder of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

TIMEOUT_S = 180
FLAGS = ("-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape")
PACKAGES = (
    "latexmk",
    "texlive-latex-recommended",
    "texlive-latex-extra",
    "texlive-fonts-recommended",
)


class TypesettingError(RuntimeError):
    """LaTeX is missing or has failed; the message says what to do, or its first error."""


def file_stem(name: str) -> str:
    """A file name for a theorem: ``LZB20/A7`` gives ``LZB20-A7``, a path its own stem."""
    if name.endswith((".toml", ".json")):
        return Path(name).stem
    return re.sub(r"[^A-Za-z0-9+._-]+", "-", name)


def pdf(source: str) -> bytes:
    """Typeset a document.

    Args:
        source: a LaTeX document.

    Returns:
        The PDF.

    Raises:
        TypesettingError: neither latexmk nor pdflatex is installed, or they reject the document.
    """
    commands = _commands()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "theorem.tex").write_text(source, encoding="utf-8")
        for command in commands:
            _run(command, folder)
        return Path(folder, "theorem.pdf").read_bytes()


def _commands() -> list[list[str]]:
    if shutil.which("latexmk") and shutil.which("pdflatex"):
        return [["latexmk", "-norc", "-pdf", *FLAGS, "theorem.tex"]]
    if shutil.which("pdflatex"):
        return [["pdflatex", *FLAGS, "theorem.tex"]] * 3  # references, and the pages they move
    msg = (
        "--pdf needs latexmk or pdflatex, and neither is installed; on Debian: "
        f"apt-get install {' '.join(PACKAGES)}"
    )
    raise TypesettingError(msg)


def _run(command: list[str], folder: str) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{command[0]} did not finish in {TIMEOUT_S} s"
        raise TypesettingError(msg) from error
    if done.returncode:
        log = done.stdout.decode(errors="replace")
        first = next((line for line in log.splitlines() if line.startswith("!")), log[-300:])
        msg = f"{command[0]} rejects the document: {first}"
        raise TypesettingError(msg)
