"""Symbolic theory of wide networks: descriptions, lemmas, proofs, theorems, LaTeX.

``theory.hessian_bound(network)`` derives an explicit bound on the Hessian norm of a described
network through a small exact kernel; ``theory.catalog`` has the ledger's theorems by name.  SymPy,
never JAX.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from theory.activations import ActivationFunction, activation
from theory.assemblies import Assembly, AssemblyError, SubFunction
from theory.catalog import UnknownTheoremError, catalog
from theory.networks import (
    DAG,
    Activation,
    AveragePool,
    Chain,
    Concatenate,
    Conv,
    Dense,
    DenseBlock,
    Dropout,
    Flatten,
    Input,
    Layer,
    Network,
    NetworkError,
    Neurons,
    Output,
    RandomNeurons,
    Readout,
    Residual,
    Vertex,
    width,
)
from theory.theorem import Theorem
from theory.theorems import (
    HypothesisError,
    contraction_bound,
    hessian_bound,
    kernel_change_bound,
    least_width,
    linearization_bound,
    one_hidden_layer,
    reference_network,
)

if TYPE_CHECKING:
    from theory.ledger.assemblies import AssemblyBound, assembly_bound
    from theory.ledger.neurons import neuron_bound

_HOMES = {
    "AssemblyBound": "theory.ledger.assemblies",
    "assembly_bound": "theory.ledger.assemblies",
    "neuron_bound": "theory.ledger.neurons",
}


def __getattr__(name: str) -> Any:
    """Import a public name from the module it lives in, when it is first asked for."""
    if name not in _HOMES:
        msg = f"module 'theory' has no attribute {name!r}; it has {', '.join(__all__)}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)


__all__ = [
    "DAG",
    "Activation",
    "ActivationFunction",
    "Assembly",
    "AssemblyBound",
    "AssemblyError",
    "AveragePool",
    "Chain",
    "Concatenate",
    "Conv",
    "Dense",
    "DenseBlock",
    "Dropout",
    "Flatten",
    "HypothesisError",
    "Input",
    "Layer",
    "Network",
    "NetworkError",
    "Neurons",
    "Output",
    "RandomNeurons",
    "Readout",
    "Residual",
    "SubFunction",
    "Theorem",
    "UnknownTheoremError",
    "Vertex",
    "activation",
    "assembly_bound",
    "catalog",
    "contraction_bound",
    "hessian_bound",
    "kernel_change_bound",
    "least_width",
    "linearization_bound",
    "neuron_bound",
    "one_hidden_layer",
    "reference_network",
    "width",
]
