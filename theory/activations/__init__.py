"""Activation functions as SymPy expressions, with suprema of their derivatives that are certified.

``functions`` says what an activation is; ``suprema`` encloses sup|sigma^(k)| over the whole line,
by branch and bound on an interval (``maxima``, on the ball arithmetic of ``balls``), expansions
beyond it (``tails``, ``tail_functions``, ``growth``) and periods (``periods``); ``closed_forms``
proves exact values.
"""

from __future__ import annotations

from theory.activations.functions import (
    ACTIVATIONS,
    ActivationError,
    ActivationFunction,
    CertificationError,
    NotSmoothError,
    Supremum,
    T,
    UnboundedDerivativeError,
    activation,
    registered,
)

__all__ = [
    "ACTIVATIONS",
    "ActivationError",
    "ActivationFunction",
    "CertificationError",
    "NotSmoothError",
    "Supremum",
    "T",
    "UnboundedDerivativeError",
    "activation",
    "registered",
]
