"""Exact arithmetic on small networks written out in components: an oracle that shares nothing.

Every neuron is a SymPy expression in the entries of the weights, and every derivative is SymPy's
own of such an expression: no automatic differentiation, no floating point, no array library, and
no code in common with :mod:`numerics`, with the kernel or with :mod:`proofs_check.measuring`.

:mod:`~proofs_check.exact.components` writes networks of any shape out in components and states the
Hessian identity for them entry by entry; :mod:`~proofs_check.exact.terms` evaluates terms of the
kernel's language; :mod:`~proofs_check.exact.steps` goes through a proof with them.
"""

from proofs_check.exact.components import Components, generic
from proofs_check.exact.environment import ExactEnvironment, NotExactError
from proofs_check.exact.steps import ExactReport, check_steps
from proofs_check.exact.terms import agree, matrix

__all__ = [
    "Components",
    "ExactEnvironment",
    "ExactReport",
    "NotExactError",
    "agree",
    "check_steps",
    "generic",
    "matrix",
]
