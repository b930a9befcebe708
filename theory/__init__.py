"""Symbolic theory of wide networks: descriptions, lemmas, proofs, theorems, LaTeX.

``theory.hessian_bound(network)`` derives an explicit bound on the Hessian norm of a described
network through a small exact kernel; ``theory.catalog`` has the ledger's theorems by name.  SymPy,
never JAX.
"""

from __future__ import annotations

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
    linearization_bound,
    one_hidden_layer,
    reference_network,
)

__all__ = [
    "DAG",
    "Activation",
    "ActivationFunction",
    "Assembly",
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
    "catalog",
    "contraction_bound",
    "hessian_bound",
    "kernel_change_bound",
    "linearization_bound",
    "one_hidden_layer",
    "reference_network",
    "width",
]
