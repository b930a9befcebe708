"""The experiments, one module per family of rows; importing a module registers its rows."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules


def load() -> None:
    """Import every module of this package, which registers its rows."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
