"""Functions f(params, x) of any make, measured like the networks of `theory`."""

from __future__ import annotations

from numerics.functions.model import FunctionModel
from numerics.functions.program import FunctionError

__all__ = ["FunctionError", "FunctionModel"]
