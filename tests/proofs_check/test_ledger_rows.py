"""The numbers behind the rows of the ledger, against other ways to get them."""

from __future__ import annotations

import numpy as np
import pytest

import numerics
import theory
from proofs_check.ledger.rows import general
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
