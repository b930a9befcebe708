"""The walls between the three rooms: theory | numerics | proofs_check."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for room in ("theory", "numerics")
    for path in (ROOT / room).rglob("*.py")
)

# What numerics may know of theory: what a network is and what a quantity is called.
VOCABULARY = {
    "theory",
    "theory.assemblies",
    "theory.networks",
    "theory.graph",
    "theory.activations",
    "theory.vocabulary",
}


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def imported_modules(source: str, package: str) -> set[str]:
    """Every module that a source text imports, at its top or inside a function.

    ``package`` is the package the source belongs to, against which ``from . import x`` is read.
    """
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            modules.add(base)
            names = (f"{base}.{alias.name}" for alias in node.names)
            modules.update(name for name in names if is_module(name))
    return modules


def trespasses(source: str, package: str) -> list[str]:
    """The imports that a module of ``package`` should not have."""
    room = package.split(".")[0]
    closed = {
        "theory": {"numerics", "proofs_check", "jax", "jaxlib", "matfree"},
        "numerics": {"proofs_check"},
    }[room]
    return sorted(
        name
        for name in imported_modules(source, package)
        if name.split(".")[0] in closed
        or (room == "numerics" and name.split(".")[0] == "theory" and name not in VOCABULARY)
    )


@pytest.mark.parametrize("path", MODULES)
def test_each_module_imports_only_what_its_room_may_know(path: str) -> None:
    package = ".".join(Path(path).parent.parts)
    found = trespasses((ROOT / path).read_text(encoding="utf-8"), package)
    assert not found, f"{path} imports {', '.join(found)}"


@pytest.mark.parametrize(
    ("package", "source", "found"),
    [
        ("theory", "import jax.numpy as jnp", ["jax.numpy"]),
        ("theory", "def f():\n    from numerics import Model", ["numerics"]),
        ("theory", "from . import networks\nfrom .activations import T\nimport sympy", []),
        ("numerics", "from proofs_check.cli import main", ["proofs_check.cli"]),
        ("numerics", "from theory.kernel import check", ["theory.kernel"]),
        ("numerics", "from theory import networks, kernel", ["theory.kernel"]),
        ("numerics", "from theory import Network\nfrom theory.networks import Dense", []),
        ("numerics", "import jax\nfrom . import hessian", []),
    ],
)
def test_the_reader_of_imports_sees_a_trespass(package: str, source: str, found: list[str]) -> None:
    assert trespasses(source, package) == found


def test_theory_loads_neither_jax_nor_the_other_rooms() -> None:
    program = "import sys, theory; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    loaded = set(run.stdout.split())
    assert {"theory", "sympy"} <= loaded
    assert not loaded & {"jax", "jaxlib", "matfree", "numerics", "proofs_check"}
    # SymPy itself imports flint where it is installed, as the ground types of its polynomials.
    slow = {"hypothesis", "matplotlib", "rich", "scipy", "sklearn", "z3"}
    assert not loaded & slow, "import these inside the functions that use them"


def test_the_tests_run_with_strict_dtype_promotion() -> None:
    import jax

    assert jax.config.jax_numpy_dtype_promotion == "strict"
