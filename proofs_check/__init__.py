"""Where theory and numerics meet: checkers, verification, falsification, reports, command line.

Everything is loaded when it is first asked for: checking a proof needs no JAX, and measuring a
network no solver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proofs_check import strategies
    from proofs_check.assemblies import measure_assembly, verify_assembly
    from proofs_check.confrontation import Confrontation, ConfrontationError, confront
    from proofs_check.falsification import Falsification, falsify
    from proofs_check.measuring.evaluate import Comparison, Environment, evaluate
    from proofs_check.neurons import measure_neuron
    from proofs_check.replay.check_report import CheckReport
    from proofs_check.replay.checker import check
    from proofs_check.replay.loading import CheckError
    from proofs_check.verification.counterexamples import Counterexample
    from proofs_check.verification.report import Report
    from proofs_check.verification.statements import Conjecture
    from proofs_check.verification.trials import Search
    from proofs_check.verification.verify import verify

_HOMES = {
    "CheckError": "replay.loading",
    "CheckReport": "replay.check_report",
    "Comparison": "measuring.evaluate",
    "Confrontation": "confrontation",
    "ConfrontationError": "confrontation",
    "Conjecture": "verification.statements",
    "Counterexample": "verification.counterexamples",
    "Environment": "measuring.evaluate",
    "Falsification": "falsification",
    "Report": "verification.report",
    "Search": "verification.trials",
    "check": "replay.checker",
    "confront": "confrontation",
    "evaluate": "measuring.evaluate",
    "falsify": "falsification",
    "measure_assembly": "assemblies",
    "measure_neuron": "neurons",
    "verify": "verification.verify",
    "verify_assembly": "assemblies",
}

__all__ = [
    "CheckError",
    "CheckReport",
    "Comparison",
    "Confrontation",
    "ConfrontationError",
    "Conjecture",
    "Counterexample",
    "Environment",
    "Falsification",
    "Report",
    "Search",
    "check",
    "confront",
    "evaluate",
    "falsify",
    "measure_assembly",
    "measure_neuron",
    "strategies",
    "verify",
    "verify_assembly",
]


def __getattr__(name: str) -> Any:
    """Import a public name from the module it lives in."""
    if name == "strategies":
        return import_module("proofs_check.strategies")
    home = _HOMES.get(name)
    if home is None:
        msg = f"module 'proofs_check' has no attribute {name!r}; it has {', '.join(__all__)}"
        raise AttributeError(msg)
    value = getattr(import_module(f"proofs_check.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
