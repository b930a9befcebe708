"""The numbers behind the rows of the ledger, against other ways to get them."""

from __future__ import annotations

import numpy as np
import pytest

import numerics
import theory
from proofs_check.ledger.rows import general, optimization
from proofs_check.measuring.environment import Environment
from proofs_check.measuring.evaluate import evaluate
from theory.ledger.general_layers import bound


def test_the_norms_of_dense_layers_as_general_ones_are_those_of_the_evaluator() -> None:
    model = numerics.instantiate(theory.reference_network(2, inputs=2), {"m": 3}, seed=1)
    x = np.array([1.0, -0.5])
    env = Environment(model, {"theta": model.params}, {"x": x})
    for term, value in general._norms(model, model.params, x).items():
        assert evaluate(term, env) == pytest.approx(value, rel=1e-9), term


def test_one_product_is_left_out_of_the_printed_definition() -> None:
    definitions = bound(2, trainable=False).definitions
    changed = [d for d in definitions if general._as_printed(d) is not d]
    assert [d.args[0].args[0] for d in changed] == ["Q_221"]
    assert len(general._as_printed(changed[0]).args[1].args) == len(changed[0].args[1].args) - 1


# -- A11, A12: the certificate, on a ball ----------------------------------------------------------


@pytest.mark.parametrize("outer", [False, True])
def test_the_certificate_of_a_training_run_holds_at_points_of_its_ball(outer) -> None:
    """Kernels and Hessian norms at points of the ball, and the radius that A11 asks for."""
    width, seed = 256, 1
    run, known = optimization.trained(width, seed, outer=outer)
    assert known is not None
    assert known.radius * np.sqrt(known.mu) >= 2 * run.residuals[0] * (1 - 1e-9)
    assert np.all(run.distances <= known.radius)
    assert run.step_size == pytest.approx(1 / known.beta)
    model, X = optimization._model(width, seed), optimization._inputs(seed)
    for place in range(3):
        far = numerics.perturb(model, known.radius, place)
        kernel = np.asarray(numerics.tangent_kernel(model, X, far))
        slope = 1.0
        if outer:
            slope = 1 + 1 / (1 + np.exp(-np.asarray(model.apply(far, X))))
        eigenvalues = np.linalg.eigvalsh(np.outer(slope, slope) * kernel)
        assert known.mu <= eigenvalues[0]
        assert eigenvalues[-1] <= known.gamma**2
        if not outer:
            assert numerics.hessian_norm(model, X[0], far).upper <= known.hessian


def test_too_narrow_a_network_has_no_certificate() -> None:
    assert optimization.trained(8, 0)[1] is None
