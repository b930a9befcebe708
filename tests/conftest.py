"""Settings that hold for every test: fixed seeds for Hypothesis, strict dtype promotion for JAX.

The run-time check of jaxtyping's shapes is switched on by ``--jaxtyping-packages`` in
pyproject.toml, because it has to come before the first import of ``numerics``.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# By the environment rather than by jax.config: the tests of theory shall not load JAX, and the
# processes that a test starts inherit it.
os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"

settings.register_profile(
    "tests",
    derandomize=True,
    deadline=None,  # the first example of each shape pays for a compilation
    print_blob=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],  # depends on the machine, not on the code
)
settings.register_profile("exhaustive", parent=settings.get_profile("tests"), max_examples=2000)
settings.load_profile("tests")  # --hypothesis-profile=exhaustive overrides it
