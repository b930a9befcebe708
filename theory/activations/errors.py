"""What can be wrong with an activation function."""

from __future__ import annotations

__all__ = [
    "ActivationError",
    "CertificationError",
    "NotSmoothError",
    "UnboundedDerivativeError",
]


class ActivationError(ValueError):
    """An activation function that cannot be used; the base of the errors below."""


class NotSmoothError(ActivationError):
    """The function is not twice continuously differentiable on the whole real line."""


class UnboundedDerivativeError(ActivationError):
    """A supremum that was asked for is infinite; the message names which one."""


class CertificationError(ActivationError):
    """A supremum could be neither enclosed nor shown to be infinite."""
