"""Dissimilarities are those of their definitions, of rsatoolbox, and unbiased where they say so."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.errors import InputError, SettingsError, UnfitRecordingError
from neuropipe.trsa.estimation import dissimilarities
from neuropipe.trsa.estimation.estimators import CROSSVALIDATED, MEASURES, WHITENED, estimate
from neuropipe.trsa.files.interchange import patterns_to_rsatoolbox
from neuropipe.trsa.noise import Noise
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.proofs.estimators import checks
from neuropipe.trsa.rdms import square

PLAIN = ("euclidean", "correlation", "crossnobis")


def patterns_of(values, noise=None, n_trials=None):
    present = np.isfinite(values).any(axis=2)
    n_folds, n_conditions, n_channels = values.shape
    return Patterns(
        values,
        tuple(f"c{k:02d}" for k in range(n_conditions)),
        tuple(f"v{k}" for k in range(n_channels)),
        tuple(f"run{k}" for k in range(n_folds)),
        present.astype(int) if n_trials is None else n_trials,
        noise,
    )


def draw(n_folds=4, n_conditions=6, n_channels=10, seed=0, counts=False):
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((n_conditions, n_channels))
    shape = (n_folds, n_conditions, n_channels)
    if counts:
        return rng.poisson(np.exp(signal), shape).astype(float)
    return signal + rng.standard_normal(shape)


def noise_of(n_channels=10, n_residuals=40, seed=9):
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((n_channels, n_channels))
    return Noise.of_residuals(rng.standard_normal((n_residuals, n_channels)) @ mixing)


def crossnobis_by_pairs(values, precision):
    """Mean over ordered pairs of different folds that both have both conditions."""
    _, n, n_channels = values.shape
    result = np.full((n, n), np.nan)
    for i, j in itertools.combinations(range(n), 2):
        differences = [row[i] - row[j] for row in values if np.isfinite(row[[i, j]]).all()]
        products = [a @ precision @ b for a, b in itertools.permutations(differences, 2)]
        if products:
            result[i, j] = np.mean(products) / n_channels
    return result[np.triu_indices(n, 1)]


def test_crossnobis_is_the_mean_over_pairs_of_folds():
    values, noise = draw(), noise_of()
    found = estimate(patterns_of(values, noise)).dissimilarities[0]
    np.testing.assert_allclose(found, crossnobis_by_pairs(values, noise.precision()), rtol=1e-9)


def test_crossnobis_is_the_mean_over_left_out_folds():
    values = draw()
    left_out = []
    for fold in range(4):
        train = np.delete(values, fold, axis=0).mean(axis=0)
        gram = (train - train.mean(0)) @ (values[fold] - values[fold].mean(0)).T
        own = np.diag(gram)
        left_out.append((own[:, None] + own - gram - gram.T) / 10)
    found = estimate(patterns_of(values)).matrices[0]
    np.testing.assert_allclose(found, np.mean(left_out, axis=0), atol=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.floats(0.1, 0.6))
def test_folds_that_lack_conditions_are_left_out_pair_by_pair(seed, n_folds, lacking):
    values = draw(n_folds, seed=seed)
    rng = np.random.default_rng(seed)
    absent = rng.random(values.shape[:2]) < lacking
    absent[:, :3] &= rng.random((n_folds, 3)) < 0.5
    absent[0] = False  # so that every condition is in some fold
    values[absent] = np.nan
    found = estimate(patterns_of(values)).dissimilarities[0]
    np.testing.assert_allclose(found, crossnobis_by_pairs(values, np.eye(10)), atol=1e-11)


def test_pairs_that_share_one_fold_are_unknown():
    values = draw(2, 4)
    values[1, 0] = np.nan
    found = estimate(patterns_of(values)).matrices[0]
    assert np.isnan(found[0, 1:]).all()
    assert np.isfinite(found[1:, 1:]).all()


def test_negative_distances_are_kept():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((3, 8, 5))
    assert (estimate(patterns_of(values)).dissimilarities < 0).any()


def test_euclidean_correlation_and_mahalanobis_are_their_definitions():
    values, noise = draw(), noise_of()
    patterns, mean = patterns_of(values, noise), values.mean(axis=0)
    rows, columns = np.triu_indices(6, 1)
    difference = mean[rows] - mean[columns]
    np.testing.assert_allclose(
        estimate(patterns, "euclidean").dissimilarities[0], (difference**2).mean(axis=1)
    )
    np.testing.assert_allclose(
        estimate(patterns, "correlation").dissimilarities[0],
        1 - np.corrcoef(mean)[rows, columns],
    )
    np.testing.assert_allclose(
        estimate(patterns, "mahalanobis").dissimilarities[0],
        np.einsum("ip,pq,iq->i", difference, noise.precision(), difference) / 10,
    )


def test_means_over_folds_are_weighted_by_trials():
    values = draw(2)
    n_trials = np.array([[1] * 6, [3] * 6])
    mean = (values[0] + 3 * values[1]) / 4
    found = estimate(patterns_of(values, n_trials=n_trials), "euclidean").matrices[0]
    assert found[0, 1] == pytest.approx(((mean[0] - mean[1]) ** 2).mean())


def test_poisson_divergence_is_its_definition():
    values = draw(counts=True)
    rates = (values.mean(axis=0) + 0.1) / 1.1
    found = estimate(patterns_of(values), "poisson").matrices[0]
    expected = ((rates[0] - rates[3]) * (np.log(rates[0]) - np.log(rates[3]))).mean()
    assert found[0, 3] == pytest.approx(expected)


def test_crossvalidated_poisson_is_the_mean_over_left_out_folds():
    values = draw(3, counts=True)
    values[2, 1] = np.nan
    expected = np.zeros((6, 6))
    for i, j in itertools.combinations(range(6), 2):
        terms = []
        for fold in range(3):
            if not np.isfinite(values[fold][[i, j]]).all():
                continue
            train = (np.nanmean(np.delete(values, fold, axis=0), axis=0) + 0.1) / 1.1
            test = (values[fold] + 0.1) / 1.1
            terms.append(((train[i] - train[j]) * (np.log(test[i]) - np.log(test[j]))).mean())
        expected[i, j] = expected[j, i] = np.mean(terms)
    found = estimate(patterns_of(values), "crossvalidated poisson").matrices[0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_proof_holds_and_every_number_is_that_of_rsatoolbox():
    pytest.importorskip("rsatoolbox")
    found = checks()
    assert len(found) == 2 + 6 + 2 + 11
    assert [check for check in found if not check.passed] == []


def test_the_proof_fails_clearly_without_rsatoolbox(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rsatoolbox.data", None)
    monkeypatch.setitem(__import__("sys").modules, "rsatoolbox.rdm", None)
    found = checks()
    assert [check.passed for check in found] == [True, True, False]
    assert "rsatoolbox" in found[-1].detail


@pytest.mark.parametrize("measure", MEASURES)
def test_dissimilarities_follow_the_order_of_conditions(measure):
    values = draw(counts="poisson" in measure)
    patterns = patterns_of(values, noise_of())
    order = [3, 1, 5, 0, 2, 4]
    names = [patterns.conditions[k] for k in order]
    np.testing.assert_allclose(
        estimate(patterns.of(names), measure).dissimilarities,
        estimate(patterns, measure).of(names).dissimilarities,
        rtol=1e-9,
    )


@pytest.mark.parametrize("measure", ["euclidean", "crossnobis", "mahalanobis"])
def test_a_large_common_offset_costs_no_precision(measure):
    values, noise = draw(), noise_of()
    found = estimate(patterns_of(values + 1e6, noise), measure).dissimilarities
    expected = estimate(patterns_of(values, noise), measure).dissimilarities
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("measure", MEASURES)
def test_channels_in_blocks_are_channels_at_once(measure, monkeypatch):
    values = draw(n_channels=600, counts="poisson" in measure)
    patterns = patterns_of(values, noise_of(600, 20))
    whole = estimate(patterns, measure).dissimilarities
    monkeypatch.setattr(dissimilarities, "_MOST", 1)  # the smallest blocks, of 256 channels
    np.testing.assert_allclose(estimate(patterns, measure).dissimilarities, whole, rtol=1e-9)


@pytest.mark.parametrize("measure", PLAIN)
def test_leading_axes_are_estimated_alike(measure):
    stack = np.stack([draw(seed=seed) for seed in range(3)])
    found = MEASURES[measure](stack, np.ones((4, 6), int))
    for values, row in zip(stack, found, strict=True):
        np.testing.assert_allclose(
            row, estimate(patterns_of(values), measure).dissimilarities[0], atol=1e-13
        )


def test_incomplete_channels_and_absent_conditions_are_left_out():
    values = draw()
    values[1, 2, 4] = np.nan
    values[:, 5] = np.nan
    found = estimate(patterns_of(values), "crossnobis")
    expected = estimate(patterns_of(np.delete(values[:, :5], 4, axis=2)), "crossnobis")
    assert found.conditions == expected.conditions
    np.testing.assert_allclose(found.dissimilarities, expected.dissimilarities)


def test_channels_without_noise_variance_are_left_out_where_noise_counts():
    values = draw()
    residuals = np.random.default_rng(0).standard_normal((30, 10))
    residuals[:, 3] = 0
    kept = np.delete(np.arange(10), 3)
    patterns = patterns_of(values, Noise.of_residuals(residuals))
    alone = patterns_of(values[:, :, kept], Noise.of_residuals(residuals[:, kept]))
    for measure in WHITENED:
        np.testing.assert_allclose(
            estimate(patterns, measure).dissimilarities, estimate(alone, measure).dissimilarities
        )
    np.testing.assert_allclose(
        estimate(patterns, "euclidean").dissimilarities,
        estimate(patterns_of(values), "euclidean").dissimilarities,
    )


def test_a_flat_pattern_has_no_correlation():
    values = draw()
    values[:, 2] = 0.1
    found = estimate(patterns_of(values), "correlation").matrices[0]
    assert np.isnan(np.delete(found[2], 2)).all()
    assert np.isfinite(np.delete(np.delete(found, 2, 0), 2, 1)).all()


def test_what_an_rdm_says_of_itself():
    found = estimate(patterns_of(draw()), "correlation")
    assert (found.measure, len(found), found.n_conditions) == ("correlation", 1, 6)
    np.testing.assert_allclose(square(found.dissimilarities), found.matrices)


@pytest.mark.parametrize("measure", CROSSVALIDATED)
def test_one_fold_cannot_be_crossvalidated(measure):
    with pytest.raises(UnfitRecordingError, match="1 fold"):
        estimate(patterns_of(draw(1, counts=True)), measure)


def test_errors_name_the_remedy():
    patterns = patterns_of(draw())
    with pytest.raises(SettingsError, match="one of euclidean"):
        estimate(patterns, "manhattan")
    with pytest.raises(UnfitRecordingError, match="noise covariance"):
        estimate(patterns, "mahalanobis")
    with pytest.raises(InputError, match="firing rate of -"):
        estimate(patterns, "poisson")
    residuals = np.zeros((30, 10))
    residuals[:, 0] = np.arange(30)
    with pytest.raises(UnfitRecordingError, match="1 channels with noise variance"):
        estimate(patterns_of(draw(), Noise.of_residuals(residuals)))


def test_unequal_trials_of_a_dataset_make_the_same_mean():
    rdm = pytest.importorskip("rsatoolbox.rdm")
    values = draw(counts=True)
    found = estimate(patterns_of(values), "poisson").dissimilarities
    data = patterns_to_rsatoolbox(patterns_of(values))
    theirs = rdm.calc_rdm(data, method="poisson", descriptor="conds").dissimilarities
    np.testing.assert_allclose(found, theirs, atol=1e-12)
