"""Wide networks as arrays: parameters, Hessians, kernels, sweeps.

Importing this package switches JAX to 64-bit (`jax_enable_x64`): verdicts are given in float64.
float32 remains a choice of `instantiate`, with its larger error stated by the enclosures.
"""

from __future__ import annotations

import jax

jax.config.update("jax_enable_x64", True)

from numerics.activations import jax_function  # noqa: E402
from numerics.hessian import hessian_norm  # noqa: E402
from numerics.models import Model, Params, Trace, instantiate, trace  # noqa: E402
from numerics.spectral import SpectralError, SpectralNorm  # noqa: E402

__all__ = [
    "Model",
    "Params",
    "SpectralError",
    "SpectralNorm",
    "Trace",
    "hessian_norm",
    "instantiate",
    "jax_function",
    "trace",
]
