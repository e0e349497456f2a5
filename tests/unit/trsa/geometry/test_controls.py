"""Top components and untrained models."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from neuropipe.errors import InputError
from neuropipe.trsa.geometry.controls import (
    component_sensitivity,
    drop_components,
    random_model_control,
    rdm_similarity,
)


def draws(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_dropped_components_are_those_of_pca() -> None:
    patterns = draws(0, 30, 8) * np.arange(1, 9)
    found = drop_components(patterns, 2)
    model = PCA(2).fit(patterns)
    expected = patterns - model.inverse_transform(model.transform(patterns))
    np.testing.assert_allclose(found, expected, atol=1e-10)
    np.testing.assert_allclose(drop_components(patterns, 0), patterns - patterns.mean(axis=0))


def test_similarity_is_one_for_a_rotated_copy() -> None:
    patterns = draws(1, 20, 6)
    rotation = np.linalg.qr(draws(2, 6, 6))[0]
    assert rdm_similarity(patterns, 3 * patterns @ rotation + 1) == pytest.approx(1)
    assert abs(rdm_similarity(patterns, draws(3, 20, 9))) < 0.3
    with pytest.raises(InputError, match="same rows"):
        rdm_similarity(patterns, patterns[:5])


def test_a_likeness_in_one_component_falls_without_it() -> None:
    shared = 10 * draws(4, 30, 1)
    one, two = (shared @ draws(s, 1, 20) + draws(s + 1, 30, 20) for s in (5, 7))
    found = component_sensitivity(one, two, n_dropped=(0, 1, 2))
    assert found[0] > 0.9
    assert np.abs(found[1:]).max() < 0.3


def test_a_likeness_in_all_components_stays() -> None:
    one = draws(9, 30, 10)
    two = one @ np.linalg.qr(draws(10, 10, 10))[0] + 0.05 * draws(11, 30, 10)
    found = component_sensitivity(one, two, n_dropped=(0, 1, 3))
    assert found.min() > 0.9


def test_reference_may_keep_its_components() -> None:
    one = draws(12, 30, 10) * np.arange(10, 0, -1)
    both, single = (
        component_sensitivity(one, one, n_dropped=(2,), both=both)[0] for both in (True, False)
    )
    assert both == pytest.approx(1)
    assert single < 0.9


def test_nothing_is_left_of_few_dimensions() -> None:
    flat = draws(13, 30, 2) @ draws(14, 2, 10)
    found = component_sensitivity(flat, flat, n_dropped=(0, 1, 2, 5))
    assert np.isfinite(found[:2]).all()
    assert np.isnan(found[2:]).all()


def test_other_comparisons_can_be_used() -> None:
    one = draws(15, 10, 4)
    found = component_sensitivity(one, one, n_dropped=(0, 1), compare=lambda a, b: len(a) + len(b))
    np.testing.assert_array_equal(found, 20)


def test_a_trained_model_stands_beside_untrained_ones() -> None:
    reference = draws(16, 25, 10)
    trained = reference @ draws(17, 10, 40)
    control = random_model_control(trained, reference, lambda seed: draws(100 + seed, 25, 40))
    assert control.observed > 0.8
    assert control.untrained.shape == (20,)
    assert control.untrained.max() < 0.5
    assert control.p_value == pytest.approx(1 / 21)


def test_a_model_that_gains_nothing_by_training_is_found_out() -> None:
    """Random projections of the stimulus keep its geometry: they are the baseline to beat."""
    reference = draws(18, 25, 10)
    model = reference @ draws(19, 10, 200)
    control = random_model_control(
        model, reference, lambda seed: reference @ draws(200 + seed, 10, 200)
    )
    assert control.observed > 0.9
    assert control.p_value > 0.05
