"""Connectomes become Gram matrices that see no test subject."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.prediction.connectomes import (
    connectome_grams,
    feature_grams,
    partial_features,
    tangent_grams,
)
from neuropipe.stats.connectivity_matrices import (
    edges,
    expm,
    fisher_z,
    ledoit_wolf,
    logm,
    partial_correlation,
    standardise,
    tangent_vectors,
)
from neuropipe.stats.splits import grouped_folds


@pytest.fixture(scope="module")
def covariances():
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((8, 8))
    runs = [standardise(rng.standard_normal((60, 8)) @ mix) for _ in range(12)]
    return np.stack([ledoit_wolf(x)[0] for x in runs]).astype(np.float32)


@pytest.fixture(scope="module")
def parts():
    names = np.arange(12).astype(str)
    return [grouped_folds(names, n_splits=3, seed=seed) for seed in range(2)]


def _inner_products(vectors):
    centred = vectors - vectors.mean(axis=0)
    return centred @ centred.T


def test_tangent_reference_is_made_of_training_subjects_only(covariances, parts):
    grams = tangent_grams(covariances, parts)
    fold = parts[1][2]
    exact = covariances.astype(float)
    reference = expm(np.mean([logm(c) for c in exact[fold.train]], axis=0))
    vectors = tangent_vectors(exact, reference)
    assert grams[1][2] == pytest.approx(_inner_products(vectors), rel=1e-3, abs=1e-3)
    # Another test subject changes only what it takes part in.
    changed = covariances.copy()
    changed[fold.test[0]] = np.eye(8)
    again = tangent_grams(changed, parts)[1][2]
    others = np.setdiff1d(np.arange(12), fold.test[:1])

    def distances(gram):
        squared = np.diag(gram)[:, None] + np.diag(gram)[None, :] - 2 * gram
        return squared[np.ix_(others, others)]

    assert distances(again) == pytest.approx(distances(grams[1][2]), rel=1e-3, abs=1e-3)


def test_features_without_a_reference_share_one_matrix(covariances, parts):
    features = partial_features(covariances)
    expected = [fisher_z(edges(partial_correlation(c.astype(float)))) for c in covariances]
    assert features.dtype == np.float32
    assert features == pytest.approx(np.array(expected), rel=1e-5, abs=1e-5)
    grams = feature_grams(features, parts)
    assert [len(row) for row in grams] == [3, 3]
    assert all(gram is grams[0][0] for row in grams for gram in row)
    assert grams[0][0] == pytest.approx(_inner_products(features), rel=1e-3, abs=1e-3)


def test_kinds_are_made_from_what_they_need(covariances, parts):
    z = np.random.default_rng(1).standard_normal((12, 28)).astype(np.float32)
    for kind, expected in (
        ("correlation", feature_grams(z, parts)),
        ("partial", feature_grams(partial_features(covariances), parts)),
        ("tangent", tangent_grams(covariances, parts)),
    ):
        found = connectome_grams(kind, z, covariances, parts)
        assert np.array_equal(found, expected), kind
