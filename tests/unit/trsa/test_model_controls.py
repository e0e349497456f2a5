"""Controls of models: what is left of a score beyond other models and without components."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist

from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.controls import N_DROPPED, model_controls
from neuropipe.trsa.estimation.estimators import estimate
from neuropipe.trsa.image_models import untrained_features
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.rdms import RDMs
from neuropipe.trsa.responses.trials import Trials, trial_patterns

N, FOLDS, UNITS = 12, 4, 30
NAMES = tuple(f"c{k:02d}" for k in range(N))


def two_codes(seed: int = 0, noise: float = 0.3) -> tuple[Patterns, RDMs]:
    """A code of large and one of small variance along other axes, and their model RDMs."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((UNITS, 6)))[0].T
    one, two = rng.standard_normal((N, 1)), rng.standard_normal((N, 5))
    signal = 20 * one @ axes[:1] + 4 * two @ axes[1:]
    values = signal + noise * rng.standard_normal((FOLDS, 3, N, UNITS))
    trials = Trials(
        values=values.reshape(-1, UNITS),
        condition=np.tile(np.arange(N), FOLDS * 3),
        fold=np.repeat(np.arange(FOLDS), 3 * N),
        conditions=NAMES,
        folds=tuple("abcd"),
        channels=tuple(map(str, range(UNITS))),
    )
    models = RDMs(
        np.stack([pdist(one), pdist(two)]),
        NAMES,
        "model",
        pd.DataFrame({"name": ["large", "small"]}),
    )
    return trial_patterns(trials), models


@pytest.mark.parametrize("measure", ["crossnobis", "euclidean", "mahalanobis"])
def test_a_code_in_one_component_is_gone_without_it(measure):
    patterns, models = two_codes()
    found = model_controls(patterns, estimate(patterns, measure), models, (), "rho-a")
    assert found.dropped.shape == (len(N_DROPPED), 2)
    large, small = found.dropped.T
    assert large[0] > 0.9
    assert abs(large[1]) < 0.35
    assert small[1] > max(0.9, small[0] + 0.3)


def test_nothing_dropped_is_the_plain_score():
    patterns, models = two_codes()
    rdm = estimate(patterns, "crossnobis")
    found = model_controls(patterns, rdm, models, (), "spearman")
    plain = compare(rdm.dissimilarities, models.dissimilarities, "spearman")[0]
    np.testing.assert_array_equal(found.dropped[0], plain)
    assert np.isnan(found.partial).all()
    assert found.nuisances == ()


def test_projection_in_whitened_space_changes_nothing_before_components_are_dropped():
    """Crossnobis is the plain crossvalidated distance of whitened patterns."""
    patterns, _ = two_codes()
    rdm = estimate(patterns, "crossnobis")
    white = estimate(patterns.whitened(), "crossnobis")
    np.testing.assert_allclose(white.dissimilarities, rdm.dissimilarities, rtol=1e-9, atol=1e-9)


def test_a_copy_of_a_nuisance_explains_nothing_beyond_it():
    patterns, models = two_codes()
    rdm = estimate(patterns, "crossnobis")
    copied = RDMs(
        np.concatenate([models.dissimilarities, models.dissimilarities[:1] ** 3]),
        NAMES,
        "model",
        pd.DataFrame({"name": ["large", "small", "copy"]}),
    )
    found = model_controls(patterns, rdm, copied, ("large", "absent"), "rho-a")
    assert found.nuisances == ("large",)
    assert np.isnan(found.partial[0])  # beyond no other nuisance
    assert found.partial[1] > 0.5
    assert found.partial[2] == pytest.approx(0, abs=1e-9)  # the same ranks


def test_measures_of_rates_are_not_projected():
    patterns, models = two_codes()
    shifted = Patterns(
        np.abs(patterns.values), patterns.conditions, patterns.channels, patterns.folds,
        patterns.n_trials,
    )  # fmt: skip
    found = model_controls(shifted, estimate(shifted, "poisson"), models, (), "rho-a")
    assert np.isfinite(found.dropped[0]).all()
    assert np.isnan(found.dropped[1:]).all()


def test_no_more_components_are_dropped_than_there_are():
    patterns, models = two_codes()
    few = patterns.of(NAMES[:4])
    found = model_controls(few, estimate(few, "euclidean"), models.of(NAMES[:4]), (), "rho-a")
    assert np.isfinite(found.dropped[:3]).all()
    assert np.isnan(found.dropped[3:]).all()


def test_untrained_features_tell_images_apart_and_hang_on_the_seed():
    rng = np.random.default_rng(0)
    images = rng.random((3, 64, 64, 3))
    images[2] = images[0]
    found = untrained_features(images)
    assert found.shape == (3, 256 * 16)
    assert (found >= 0).all()
    np.testing.assert_array_equal(found[0], found[2])
    assert np.abs(found[0] - found[1]).max() > 0
    np.testing.assert_array_equal(found, untrained_features(images))
    assert np.abs(found - untrained_features(images, seed=1)).max() > 0
