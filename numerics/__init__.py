"""Wide networks as arrays: parameters, Hessians, kernels, sweeps.

Importing this package switches JAX to 64-bit (`jax_enable_x64`): verdicts are given in float64.
float32 remains a choice of `instantiate`, with its larger error stated by the enclosures.
"""

from __future__ import annotations

import jax

jax.config.update("jax_enable_x64", True)

from numerics.activations import jax_function  # noqa: E402
from numerics.assemblies import AssemblyModel  # noqa: E402
from numerics.ball import BallError, distance, perturb, project  # noqa: E402
from numerics.dispatch import hessian_norm, instantiate, tangent_kernel  # noqa: E402
from numerics.functions import FunctionError  # noqa: E402
from numerics.graphs import (  # noqa: E402
    AnyModel,
    GraphModel,
    NodeTrace,
    graph_model,
    node_trace,
    tail,
)
from numerics.graphs.constants import StatedConstant, try_constants  # noqa: E402
from numerics.kernels import KernelChange, kernel_change  # noqa: E402
from numerics.linearization import linearization_gap  # noqa: E402
from numerics.measure import Measurement, measure  # noqa: E402
from numerics.models import Model, Params, Trace, trace  # noqa: E402
from numerics.scaling import ExponentFit, ScalingError, fit_exponent  # noqa: E402
from numerics.search import BallSearch, ball_search  # noqa: E402
from numerics.spectral import SpectralError, SpectralNorm  # noqa: E402
from numerics.spectrum import (  # noqa: E402
    HessianBlocks,
    HessianEigenvalues,
    SpectralDensity,
    hessian_blocks,
    hessian_density,
    hessian_eigenvalues,
)
from numerics.sweeps import Sweep, SweepError, sweep  # noqa: E402
from numerics.training import Training, TrainingError, gradient_descent  # noqa: E402

__all__ = [
    "AnyModel",
    "AssemblyModel",
    "BallError",
    "BallSearch",
    "ExponentFit",
    "FunctionError",
    "GraphModel",
    "HessianBlocks",
    "HessianEigenvalues",
    "KernelChange",
    "Measurement",
    "Model",
    "NodeTrace",
    "Params",
    "ScalingError",
    "SpectralDensity",
    "SpectralError",
    "SpectralNorm",
    "StatedConstant",
    "Sweep",
    "SweepError",
    "Trace",
    "Training",
    "TrainingError",
    "ball_search",
    "distance",
    "fit_exponent",
    "gradient_descent",
    "graph_model",
    "hessian_blocks",
    "hessian_density",
    "hessian_eigenvalues",
    "hessian_norm",
    "instantiate",
    "jax_function",
    "kernel_change",
    "linearization_gap",
    "measure",
    "node_trace",
    "perturb",
    "project",
    "sweep",
    "tail",
    "tangent_kernel",
    "trace",
    "try_constants",
]
