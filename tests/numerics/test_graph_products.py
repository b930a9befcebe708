"""Norms between the weights of two nodes: against dense matrices written out, and their sum, H."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import sympy

import numerics
from numerics.activations import host_derivatives
from numerics.graphs import node_trace
from numerics.graphs.model import graph_model
from numerics.graphs.products import node_products
from tests.architectures import NETWORKS, numeric
from theory.graph import BilinearRule, LinearRule, PointwiseRule
from theory.networks import Activation, Input, Layer, Network, Readout


class Written:
    """The derivatives of a graph as dense matrices, from its rules one unit vector at a time."""

    def __init__(self, model, x, output=0):
        self.graph = model.graph
        passes = node_trace(model, x, output=output)
        self.alpha = [np.asarray(a) for a in passes.alpha]
        self.delta = [np.ravel(d) for d in passes.delta]
        self.weights = {
            n: np.asarray(w) for n, w in model.walk.weights(model.params, model.fixed).items()
        }
        self.forms = {n: self.form(n) for n in self.graph.weighted}
        self.curved = [self.bends(n) for n in self.graph.nodes]

    def product(self, n, V, a):
        rule = self.graph.nodes[n].rule
        mask = 1 if rule.mask is None else rule.mask
        rows = 1 if rule.row_scale is None else np.asarray(rule.row_scale)[:, None]
        return (float(rule.scale) * rows * ((V * mask) @ rule.columns(np, a))).ravel()

    def units(self, shape):
        return np.eye(int(np.prod(shape))).reshape(-1, *shape)

    def form(self, n):
        """T^n, shape (weights, parent's value, value)."""
        (parent,) = self.graph.nodes[n].parents
        below = self.units(self.alpha[parent].shape)
        own = self.units(self.weights[n].shape)
        return np.array([[self.product(n, V, e) for e in below] for V in own])

    def own(self, n):
        (parent,) = self.graph.nodes[n].parents
        return np.einsum("wpv,p->vw", self.forms[n], self.alpha[parent].ravel())

    def mixed(self, n):
        return self.forms[n] @ self.delta[n]

    def bends(self, node):
        if not isinstance(node.rule, PointwiseRule):
            return None
        return host_derivatives(node.rule.function, self.alpha[node.parents[0]].ravel(), 2)

    def steps(self, node):
        shapes = [self.alpha[p].shape for p in node.parents]
        if isinstance(node.rule, PointwiseRule):
            return [np.diag(self.curved[node.index][1])]
        if isinstance(node.rule, BilinearRule):
            W = self.weights[node.index]
            return [np.array([self.product(node.index, W, e) for e in self.units(shapes[0])]).T]
        if not isinstance(node.rule, LinearRule):
            return []
        found = []
        for slot, shape in enumerate(shapes):
            images = []
            for unit in self.units(shape):
                values = [np.zeros(s) for s in shapes]
                values[slot] = unit
                images.append(np.ravel(node.rule.apply(np, *values)))
            found.append(np.array(images).T)
        return found

    def jacobian(self, k):
        """dalpha^n/dW^k for every n."""
        found = [np.zeros((a.size, self.weights[k].size)) for a in self.alpha]
        for node in self.graph.nodes:
            for step, parent in zip(self.steps(node), node.parents, strict=True):
                found[node.index] += step @ found[parent]
            if node.index == k:
                found[k] += self.own(k)
        return found

    def operators(self):
        """Every operator whose norm is measured, by its name."""
        found, jacobians = {}, {k: self.jacobian(k) for k in self.graph.weighted}
        for low in self.graph.weighted:
            for high in (n for n in self.graph.weighted if n >= low):
                J, K = jacobians[low], jacobians[high]
                found["pair_curve", low, high] = sum(
                    J[p].T @ np.diag(bent[2] * self.delta[n.index]) @ K[p]
                    for n, bent in zip(self.graph.nodes, self.curved, strict=True)
                    if bent is not None
                    for p in n.parents
                ) + np.zeros((self.weights[low].size, self.weights[high].size))
                if low < high:
                    (parent,) = self.graph.nodes[high].parents
                    found["pair_cross", high, low] = self.mixed(high) @ J[parent]
        return found


def sample(name, seed=3):
    model = graph_model(numeric(name), seed, np.dtype(float))
    return model, np.random.default_rng(1).standard_normal(model.input_shape)


@pytest.mark.parametrize("name", NETWORKS)
def test_norms_are_those_of_the_matrices_written_out(name):
    model, x = sample(name)
    output = model.num_outputs - 1
    between = node_products(model, x, output=output)
    written = Written(model, x, output).operators()
    named = set(between.pairs())
    for key, matrix in written.items():
        truth = np.linalg.norm(matrix, 2)
        if key not in named:
            assert truth == 0
            continue
        ends, margin = between.norm(*key), 1e-12 * (1 + truth)
        assert ends.lower - margin <= truth <= ends.upper + margin
        assert ends.upper - ends.lower <= 1e-9 * (1 + truth)
        linear = between.map(*key)
        there = linear.act(np.eye(linear.shape[1]))
        np.testing.assert_allclose(linear.adjoint(np.eye(linear.shape[0])), there.T, atol=1e-12)
    assert named <= set(written)


@pytest.mark.parametrize("name", ["residual", "densenet", "conv1d-circular-1"])
def test_the_matrices_make_up_the_hessian(name):
    model, x = sample(name)
    graph, blocks = model.graph, Written(model, x).operators()

    def block(low, high):
        found = blocks["pair_curve", low, high]
        return found + blocks["pair_cross", high, low].T if low < high else found

    H = np.block(
        [[block(k, j) if k <= j else block(j, k).T for j in graph.weighted] for k in graph.weighted]
    )
    assert np.linalg.norm(H, 2) == pytest.approx(numerics.hessian_norm(model, x).value, rel=1e-10)


@dataclass(frozen=True)
class PatchRule(BilinearRule):
    """Weights that meet two neighbouring entries at a time, the second row one of them only."""

    size: int

    @property
    def shape(self):
        return (2 * (self.size - 1),)

    @property
    def weight_shape(self):
        return 2, 2

    @property
    def scale(self):
        return sympy.Rational(1, 2)

    @property
    def contraction(self):
        return sympy.sqrt(2)

    @property
    def mask(self):
        return np.array([[True, True], [False, True]])

    @property
    def row_scale(self):
        return np.array([0.5, 2.0])

    def columns(self, xp, value):
        return xp.stack([value[:-1], value[1:]])


@dataclass(frozen=True)
class Patches(Layer, kind="patches of two"):
    """A layer of such weights."""

    def lower(self, builder, parent):
        (size,) = builder.shape(parent)
        return builder.add(PatchRule(size), parent, label=repr(self))


def test_masked_weights_with_several_positions():
    sin = Activation("sin")
    net = Network(Input(4), Patches(), sin, Patches(), sin, Readout(trainable=True))
    model, x = graph_model(net, 3, np.dtype(float)), np.linspace(-1, 2, 4)
    between, written = node_products(model, x), Written(model, x).operators()
    assert {k for k, v in written.items() if np.any(v)} == set(between.pairs())
    for key in between.pairs():
        assert between.norm(*key).lower == pytest.approx(np.linalg.norm(written[key], 2), rel=1e-12)


@pytest.mark.parametrize("scale", [0.0, 1e-100, 1e100])
def test_inputs_of_any_size_have_enclosures(scale):
    model, x = sample("residual-conv")
    between = node_products(model, scale * x)
    for key in between.pairs():
        ends = between.norm(*key)
        assert 0 <= ends.lower <= ends.upper < np.inf


def test_measure_gives_pairs_when_asked():
    model, x = sample("residual")
    keys = set(node_products(model, x).pairs())
    found = numerics.measure(model, x, hessian=False, pairs=True)
    assert keys == {k for k in found if k[0].startswith("pair_")}
    assert not keys & set(numerics.measure(model, x, hessian=False))
    for key in keys:
        assert found.enclosure(key).lower <= found[key] <= found.enclosure(key).upper


def test_a_pair_that_is_not_measured_is_named():
    model, x = sample("residual")
    with pytest.raises(KeyError, match="pair_cross of nodes 1 and 1 is not measured"):
        node_products(model, x).norm("pair_cross", 1, 1)


def test_lanczos_and_all_singular_values_agree(monkeypatch):
    model, x = sample("residual-conv")
    between = node_products(model, x)
    exact = {key: between.norm(*key) for key in between.pairs()}
    monkeypatch.setattr("numerics.graphs.products.DENSE_PRODUCT", 1)
    for key, ends in exact.items():
        found = between.norm(*key)
        assert found.lower == pytest.approx(ends.lower, rel=1e-9, abs=1e-15)
        assert found.upper >= ends.lower * (1 - 1e-12)
