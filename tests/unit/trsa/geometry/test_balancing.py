"""Comparisons at equal strength of features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist

from neuropipe.errors import InputError
from neuropipe.simulate.geometry import feature_code
from neuropipe.trsa.geometry.arrays import Trials
from neuropipe.trsa.geometry.balancing import (
    variance_matched,
    whiten_patterns,
)
from neuropipe.trsa.geometry.features import feature_shares


def unequal(seed: int = 0) -> tuple[np.ndarray, pd.DataFrame]:
    code = feature_code(400, 40, np.random.default_rng(seed), shares=(0.9, 0.1), noise=0.3)
    return code.activity, pd.DataFrame(code.features, columns=["strong", "weak"])


def trials(values: np.ndarray) -> Trials:
    t = np.arange(len(values))
    return Trials(values, t, t // 80)


def test_whitened_patterns_have_equal_variance() -> None:
    patterns = np.random.default_rng(0).standard_normal((200, 5)) * [5, 3, 1, 0.5, 0.2]
    found = whiten_patterns(patterns, shrinkage=0.0)
    np.testing.assert_allclose(np.cov(found.T, ddof=0), np.eye(5), atol=1e-8)
    shrunk = np.linalg.eigvalsh(np.cov(whiten_patterns(patterns, shrinkage=0.5).T))
    assert shrunk[-1] / shrunk[0] > 2


def test_whitening_of_few_patterns_makes_them_equidistant() -> None:
    patterns = np.random.default_rng(1).standard_normal((6, 50))
    distances = pdist(whiten_patterns(patterns, shrinkage=0.0))
    np.testing.assert_allclose(distances, distances[0])
    assert np.isfinite(whiten_patterns(np.vstack([patterns, patterns]))).all()


def test_matched_features_take_equal_shares() -> None:
    values, features = unequal()
    before = feature_shares(trials(values), features)
    after = feature_shares(trials(variance_matched(values, features)), features)
    assert before.relative_shares[0] > 0.85
    np.testing.assert_allclose(after.relative_shares, 0.5, atol=0.01)
    assert not after.caution


def test_matching_keeps_mean_residual_and_total() -> None:
    values, features = unequal()
    found = variance_matched(values, features)
    np.testing.assert_allclose(found.mean(axis=0), values.mean(axis=0), atol=1e-10)
    design = np.hstack([np.ones((400, 1)), features.to_numpy(float)])
    rest = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (values, found)]
    np.testing.assert_allclose(rest[0], rest[1], atol=1e-10)


def test_matched_decoding_is_alike_where_raw_decoding_is_not() -> None:
    values, features = unequal()
    rng = np.random.default_rng(2)
    noisy = values + 6 * rng.standard_normal(values.shape)
    raw = feature_shares(trials(noisy), features).decodability
    matched = variance_matched(values, features, noise=8.0, seed=2)
    balanced = feature_shares(trials(matched), features).decodability
    assert raw[0] - raw[1] > 0.1
    assert abs(balanced[0] - balanced[1]) < 0.06
    assert balanced.max() < 0.99


def test_a_feature_that_explains_nothing_is_refused() -> None:
    _, features = unequal()
    flat = np.outer(features["strong"], np.arange(1.0, 41.0))
    with pytest.raises(InputError, match="'weak'"):
        variance_matched(flat, features)
