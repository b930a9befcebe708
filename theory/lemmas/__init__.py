"""The trusted lemmas: all that is believed without a proof in the kernel, each named and cited.

A lemma is a schema over variables; the kernel instantiates it by substitution and matches its
premises structurally.  Some are families with integer parameters (a triangle inequality for n
summands). Each has an executable meaning, its own formula, which ``proofs_check`` evaluates on
random and on adversarial matrices, networks and activations.
"""

from __future__ import annotations

from theory.lemmas import (
    assemblies,
    calculus,
    gaussian,
    general,
    globally,
    graphs,
    networks,
    norms,
    reals,
    scalars,
    series,
    training,
)
from theory.lemmas.base import (
    INDEX,
    INPUT_X,
    KAPPA,
    LARGEST,
    LEMMAS,
    POINT_P,
    POINT_Q,
    A,
    B,
    Lemma,
    Schema,
    U,
    UnknownLemmaError,
    V,
    fact,
    operator_variable,
    real_variable,
    schema,
    space_variable,
    vector_variable,
)
from theory.lemmas.networks import blocks

__all__ = [
    "INDEX",
    "INPUT_X",
    "KAPPA",
    "LARGEST",
    "LEMMAS",
    "POINT_P",
    "POINT_Q",
    "A",
    "B",
    "Lemma",
    "Schema",
    "U",
    "UnknownLemmaError",
    "V",
    "assemblies",
    "blocks",
    "calculus",
    "fact",
    "gaussian",
    "general",
    "globally",
    "graphs",
    "networks",
    "norms",
    "operator_variable",
    "real_variable",
    "reals",
    "scalars",
    "schema",
    "series",
    "space_variable",
    "training",
    "vector_variable",
]
