"""Balls of parameters: distances, the sphere, the projection."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

from numerics import tolerances
from numerics.ball import BallError, distance, perturb, project
from tests.numerics.sample_networks import build, cases

SEEDS = st.integers(0, 2**32 - 1)
RADII = st.one_of(st.sampled_from([0.0, 1e-300, 1e-12, 1.0, 1e6, 1e200]), st.floats(1e-3, 1e3))


def flat(params):
    return np.asarray(ravel_pytree(params)[0])


def roundings(*points):
    """What storing the points costs: half an ulp of each entry, in the Euclidean norm."""
    entries = [flat(p) for p in points]
    sizes = (np.max(abs(e)) * np.sqrt(e.size) for e in entries)  # at least the norm, no overflow
    return tolerances.unit_roundoff(entries[0].dtype) * sum(sizes)


@settings(max_examples=25)
@given(case=cases(), seed=SEEDS, radius=RADII)
def test_perturb_lands_on_the_sphere(case, seed, radius):
    model = build(**case)
    params = perturb(model, radius, seed)
    reached = distance(params, model.params)
    assert reached <= radius
    accuracy = tolerances.inner_product(model.num_params + 20)
    assert reached >= radius - accuracy.margin(radius) - 8 * roundings(params, model.params)


@settings(max_examples=25)
@given(case=cases(), seed=SEEDS, radius=RADII, far=st.sampled_from([0.5, 1.0, 3.0, 1e5]))
def test_projection_is_the_nearest_point(case, seed, radius, far):
    model = build(**case)
    outside = perturb(model, far, seed)
    nearest = project(outside, model.params, radius)
    assert distance(nearest, model.params) <= radius
    if distance(outside, model.params) <= radius:
        assert nearest is outside
        return
    gap = distance(outside, nearest)
    slack = 16 * roundings(outside, model.params) + 8 * tolerances.gamma(20) * far
    assert gap == pytest.approx(far - radius, abs=slack, rel=0)
    # the variational inequality of a projection, against other points of the ball
    for other in (model.params, perturb(model, radius, seed + 1 if seed else 7)):
        towards_other = flat(other) - flat(nearest)
        assert (flat(outside) - flat(nearest)) @ towards_other <= slack * (far + radius)


def test_projecting_twice_changes_nothing():
    model = build((3, 5, 4))
    once = project(perturb(model, 7.0, 0), model.params, 2.0)
    assert project(once, model.params, 2.0) is once


def test_distance_is_euclidean_over_all_trainable_parameters():
    model = build((3, 5, 4), trainable=True)
    other = perturb(model, 3.0, 5)
    expected = np.linalg.norm(flat(other) - flat(model.params))
    allowed = tolerances.inner_product(model.num_params)
    assert allowed.close(distance(other, model.params), expected)
    assert distance(other, other) == 0
    moved = {"W": model.params["W"], "v": model.params["v"] + 1}
    assert distance(moved, model.params) == pytest.approx(2.0)  # sqrt(4) entries of v


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_distance_neither_underflows_nor_overflows(size):
    model = build((3, 5))
    zero = jax.tree.map(np.zeros_like, model.params)
    far = jax.tree.map(lambda leaf: np.full_like(leaf, size), model.params)
    assert distance(far, zero) == pytest.approx(size * np.sqrt(15))


def test_directions_are_reproducible_and_independent():
    model = build((4, 30, 30), trainable=True)
    one, again, two = (perturb(model, 1.0, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(flat(one), flat(again))
    directions = [flat(point) - flat(model.params) for point in (one, two)]
    weights = flat(model.params) / np.linalg.norm(flat(model.params))
    same_seed = flat(perturb(model, 1.0, model.seed)) - flat(model.params)
    # The product of independent unit vectors is N(0, 1/p) nearly; 6 sigma fails with P < 1e-8.
    for left, right in ((directions[0], directions[1]), (same_seed, weights)):
        assert abs(left @ right) <= 6 / np.sqrt(model.num_params)


def test_single_precision_stays_inside_as_well():
    model = build((5, 40, 40), dtype=np.float32)
    for seed in range(5):
        for radius in (1e-6, 1e-3, 1.0, 100.0):
            params = perturb(model, radius, seed)
            assert flat(params).dtype == np.float32
            assert distance(params, model.params) <= radius
            assert distance(project(params, model.params, radius / 3), model.params) <= radius / 3


def test_around_another_centre():
    model = build((3, 5))
    centre = perturb(model, 10.0, 0)
    assert distance(perturb(model, 1.0, 1, centre), centre) == pytest.approx(1.0)


@pytest.mark.parametrize("radius", [-1.0, np.nan, np.inf])
def test_a_radius_is_finite_and_not_negative(radius):
    model = build((3, 5))
    for call in (
        lambda: perturb(model, radius),
        lambda: project(model.params, model.params, radius),
    ):
        with pytest.raises(BallError, match="makes no ball; give a finite number >= 0"):
            call()


def test_a_point_without_a_distance_is_refused():
    model = build((3, 5))
    broken = jax.tree.map(lambda leaf: leaf * np.nan, model.params)
    with pytest.raises(BallError, match="give finite parameters"):
        project(broken, model.params, 1.0)
