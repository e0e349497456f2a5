"""Linear baselines of masked reconstruction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge as SklearnRidge

from neuropipe.brainmae.gaussian_imputation import conditional_means, covariance, inner_splits
from neuropipe.brainmae.reconstruction import (
    Autoregressive,
    Interpolation,
    Mean,
    Pca,
    Ridge,
    SpatioTemporalWiener,
    Wiener,
    default_predictors,
    draw_masks,
    drawn_segments,
    evaluation_masks,
    masked_r2,
    pooled_r2,
    score_predictors,
    score_rows,
)
from neuropipe.errors import InputError
from neuropipe.simulate.fmri import sim_fmri
from neuropipe.simulate.fmri_oracle import conditional_mean, spatial_covariance
from neuropipe.simulate.settings import FmriSimulation
from tests.unit.brainmae.segment_builders import everything, smooth


def fixed_predictors():
    """Predictors without parameters that depend on random masks."""
    return [
        Mean(), Interpolation(), Autoregressive(3), Pca(2), Ridge(0.1), Wiener(),
        SpatioTemporalWiener(0.5, 0.1),
    ]  # fmt: skip


# Masks and scores


@given(
    n_rois=st.integers(1, 30),
    ratio=st.floats(0, 1),
    seed=st.integers(0, 99),
    runs=st.integers(1, 3),
)
def test_masks_hide_the_exact_number(n_rois, ratio, seed, runs):
    visible = draw_masks(np.random.default_rng(seed), runs, 4, n_rois, ratio)
    assert visible.shape == (runs, 4, n_rois)
    assert ((~visible).sum(axis=-1) == round(ratio * n_rois)).all()


def test_masks_are_independent_between_segments_and_fair_to_all_rois():
    visible = draw_masks(np.random.default_rng(0), 200, 10, 10, 0.3)
    assert np.abs((~visible).mean(axis=(0, 1)) - 0.3).max() < 0.04
    same = (visible[:, :-1] == visible[:, 1:]).mean()
    assert same == pytest.approx(0.3**2 + 0.7**2, abs=0.03)


def test_evaluation_masks_come_again_and_differ_between_ratios_and_seeds():
    first = evaluation_masks(3, 4, 20, 0.5, 7)
    assert np.array_equal(first, evaluation_masks(3, 4, 20, 0.5, 7))
    assert not np.array_equal(first, evaluation_masks(3, 4, 20, 0.5, 8))
    assert not np.array_equal(first, evaluation_masks(3, 4, 20, 0.55, 7))


def test_a_ratio_beyond_one_is_refused():
    with pytest.raises(InputError, match="ratio"):
        draw_masks(np.random.default_rng(0), 1, 1, 4, 1.2)


def test_masked_r2_is_zero_for_the_reference_and_one_for_the_truth():
    x = smooth()
    hidden = ~evaluation_masks(*x.shape[:3], 0.5, 0)
    level = x.mean(axis=(0, 1, 3))
    guess = np.broadcast_to(level[:, None], x.shape)
    assert masked_r2(x, guess, hidden, level) == pytest.approx(0)
    assert masked_r2(x, x, hidden) == 1
    assert np.isnan(masked_r2(x, x, np.zeros_like(hidden)))
    errors = ((x - guess)[hidden] ** 2).sum() / (x[hidden] ** 2).sum()
    assert masked_r2(x, guess, hidden) == pytest.approx(1 - errors)


@given(st.integers(1, 5), st.integers(1, 8), st.integers(0, 50), st.integers(0, 3))
def test_drawn_segments_have_the_exact_number_shared_out_over_runs(runs, segments, wanted, seed):
    drawn = drawn_segments(runs, segments, wanted, seed)
    assert drawn.sum() == min(wanted, runs * segments)
    assert np.ptp(drawn.sum(axis=1)) <= 1
    assert drawn_segments(runs, segments, None, seed).all()


# What holds for every predictor


@pytest.mark.parametrize("predictor", fixed_predictors(), ids=lambda p: p.name)
@settings(max_examples=15)
@given(seed=st.integers(0, 1000), ratio=st.sampled_from([0.2, 0.5, 0.9, 1.0]))
def test_predictions_do_not_look_at_hidden_values_and_keep_visible_ones(predictor, seed, ratio):
    x = smooth(seed=seed)
    visible = evaluation_masks(*x.shape[:3], ratio, seed)
    fitted = predictor.fit(x[:4], everything(x[:4]))
    found = fitted.predict(x[4:], visible[4:])
    for other in (np.nan, 1e6):
        changed = np.where(visible[4:, ..., None], x[4:], other)
        assert np.array_equal(found, fitted.predict(changed, visible[4:]))
    assert np.isfinite(found).all()
    assert np.array_equal(found[visible[4:]], x[4:][visible[4:]])


@pytest.mark.parametrize("predictor", fixed_predictors(), ids=lambda p: p.name)
@settings(max_examples=15)
@given(seed=st.integers(0, 1000))
def test_order_of_rois_does_not_matter(predictor, seed):
    x = smooth(seed=seed)
    visible = evaluation_masks(*x.shape[:3], 0.5, seed)
    order = np.random.default_rng(seed).permutation(x.shape[2])
    found = predictor.fit(x, everything(x)).predict(x, visible)
    turned = predictor.fit(x[:, :, order], everything(x)).predict(
        x[:, :, order], visible[..., order]
    )
    assert np.allclose(turned, found[:, :, order], atol=1e-6)


@pytest.mark.parametrize("predictor", fixed_predictors(), ids=lambda p: p.name)
def test_a_run_without_a_visible_roi_gets_the_mean(predictor):
    x = smooth()
    fitted = predictor.fit(x, everything(x))
    found = fitted.predict(x[:2], np.zeros((2, *x.shape[1:3]), dtype=bool))
    level = x.mean(axis=(0, 1, 3))
    assert np.allclose(found, np.broadcast_to(level[:, None], found.shape))


@pytest.mark.parametrize("predictor", default_predictors(), ids=lambda p: p.name)
def test_missing_training_values_are_not_looked_at(predictor):
    x = smooth()
    present = np.random.default_rng(1).random(x.shape[:3]) > 0.2
    present[:, :, 0] = False  # a ROI that is missing everywhere
    visible = evaluation_masks(*x.shape[:3], 0.4, 0) & present
    found = [
        predictor.fit(np.where(present[..., None], x, other), present).predict(x, visible)
        for other in (np.nan, 0.0)
    ]
    assert np.array_equal(*found)
    assert np.isfinite(found[0]).all()


@pytest.mark.parametrize("predictor", default_predictors(), ids=lambda p: p.name)
def test_one_training_run_a_constant_roi_and_float32_are_enough(predictor):
    x = smooth().astype(np.float32)
    x[:, :, 3] = 0
    fitted = predictor.fit(x[:1], everything(x[:1]))
    found = fitted.predict(x, evaluation_masks(*x.shape[:3], 0.5, 0))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.abs(found[:, :, 3]).max() < 1e-6


def test_arrays_that_do_not_fit_are_refused():
    x = smooth()
    with pytest.raises(InputError, match="mask"):
        Mean().fit(x, np.ones(x.shape[:2], dtype=bool))
    x[0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        Wiener().fit(x, everything(x))


# Parity with other code and with closed forms


def test_wiener_is_the_conditional_mean_of_the_oracle():
    x = smooth()
    visible = evaluation_masks(*x.shape[:3], 0.5, 3)
    fitted = Wiener().fit(x, everything(x))
    found = fitted.predict(x, visible)
    for r, k in np.ndindex(x.shape[:2]):
        seen = visible[r, k]
        values = (x[r, k] - fitted.mean_[:, None]).T
        expected = conditional_mean(fitted.covariance_, seen, values)
        assert np.allclose(found[r, k][~seen].T - fitted.mean_[~seen], expected, atol=1e-7)


def test_pca_is_the_closed_form_of_sklearn():
    x = smooth()
    rows = x.transpose(0, 1, 3, 2).reshape(-1, x.shape[2])
    model = PCA(3, svd_solver="full").fit(rows)
    visible = evaluation_masks(*x.shape[:3], 0.5, 3)
    fitted = Pca(3).fit(x, everything(x))
    scale = (len(rows) - 1) / len(rows)  # sklearn divides by n - 1
    assert np.allclose(fitted.covariance_, scale * model.get_covariance())
    found = fitted.predict(x, visible)[1, 2]
    expected = conditional_mean(
        model.get_covariance(), visible[1, 2], (x[1, 2] - model.mean_[:, None]).T
    )
    hidden = ~visible[1, 2]
    assert np.allclose(found[hidden].T - model.mean_[hidden], expected, atol=1e-7)


def test_pca_finds_the_number_of_components():
    rng = np.random.default_rng(0)
    loadings = rng.standard_normal((12, 3))
    factors = rng.standard_normal((8, 10, 3, 16))
    x = np.einsum("ij,rkjl->rkil", loadings, factors) + 0.5 * rng.standard_normal((8, 10, 12, 16))
    assert Pca().fit(x, everything(x)).n_components_ == 3


def test_ridge_is_that_of_sklearn():
    x = smooth()
    rows = x.transpose(0, 1, 3, 2).reshape(-1, x.shape[2])
    seen = np.array([True, False, True, True, False, True, False])
    visible = np.broadcast_to(seen, x.shape[:3])
    fitted = Ridge(0.2).fit(x, everything(x))
    unit = np.trace(fitted.covariance_) / x.shape[2]
    model = SklearnRidge(alpha=0.2 * unit * len(rows)).fit(rows[:, seen], rows[:, ~seen])
    found = fitted.predict(x, visible).transpose(0, 1, 3, 2).reshape(-1, x.shape[2])
    assert np.allclose(found[:, ~seen], model.predict(rows[:, seen]), atol=1e-6)


def test_ridge_chooses_a_large_penalty_for_noise_and_a_small_one_for_signal():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((4, 4, 12, 8))
    assert Ridge().fit(noise, everything(noise)).penalty_ > 1
    signal = rng.standard_normal((4, 4, 1, 8)) + 0.01 * noise
    assert Ridge().fit(signal, everything(signal)).penalty_ < 0.1


def test_conditional_means_of_masks_of_any_size():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((6, 6))
    visible = rng.random((40, 6)) > 0.5
    visible[0], visible[1] = True, False
    z = rng.standard_normal((40, 6, 3))
    found = conditional_means(root @ root.T, z, visible)
    for segment, seen, guess in zip(z, visible, found, strict=True):
        if seen.any() and not seen.all():
            expected = conditional_mean(root @ root.T, seen, segment.T)
            assert np.allclose(guess[~seen].T, expected)
    assert (found[1] == 0).all()


def test_covariance_with_missing_values_uses_pairs_and_stays_positive():
    x = smooth((20, 5, 7, 4))
    present = np.random.default_rng(0).random(x.shape[:3]) > 0.3
    _, found = covariance(x, present)
    _, complete = covariance(x, everything(x))
    assert np.corrcoef(found.ravel(), complete.ravel())[0, 1] > 0.97
    assert np.linalg.eigvalsh(found).min() > -1e-10


def test_inner_splits_test_every_run_once():
    rng = np.random.default_rng(0)
    folds = list(inner_splits(7, 3, rng))
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(7))
    assert all(not set(train) & set(test) for train, test in folds)


# Tables


def test_table_holds_each_run_and_the_drawn_segments_of_all_predictors():
    x = smooth((8, 5, 7, 4))
    present = everything(x)
    present[6, 0, :] = False
    table = score_predictors(
        x[:6], present[:6], x[6:], present[6:], (0.3, 0.6), seed=2,
        predictors=[Mean(), Wiener(), SpatioTemporalWiener(0.5, 0.1)], max_patterns=4,
    )  # fmt: skip
    assert set(table["segments"]) == {"all", "drawn"}
    assert set(table.loc[table["predictor"] == "spatio-temporal Wiener", "segments"]) == {"drawn"}
    mean = table[(table["predictor"] == "mean") & (table["segments"] == "all")]
    assert mean["n_hidden"].tolist() == [4 * 2, 5 * 2, 4 * 4, 5 * 4]
    assert np.allclose(mean["r2"], 0)
    pooled = pooled_r2(table)
    assert pooled.columns.tolist() == [0.3, 0.6]
    assert (pooled.loc[("Wiener", "all")] > 0.1).all()
    sums = table[(table["predictor"] == "Wiener") & (table["segments"] == "all")]
    sums = sums[sums["ratio"] == 0.6]
    assert pooled.loc[("Wiener", "all"), 0.6] == pytest.approx(
        1 - sums["sse"].sum() / sums["sst"].sum()
    )


def test_slow_predictors_are_the_same_on_drawn_as_on_all_segments():
    x = smooth()
    arguments = (x[:4], everything(x[:4]), x[4:], everything(x[4:]), (0.5,))
    model = [SpatioTemporalWiener(0.5, 0.1)]
    whole = score_predictors(*arguments, predictors=model)
    part = score_predictors(*arguments, predictors=model, max_patterns=9)
    assert set(whole["segments"]) == {"all"}
    assert (part["n_hidden"] < whole["n_hidden"]).any()
    drawn = drawn_segments(2, 5, 9, 0)
    visible = evaluation_masks(2, 5, 7, 0.5, 0)
    predicted = model[0].predict(x[4:], visible)
    rows = score_rows(
        model[0].name, 0.5, x[4:], predicted, ~visible & drawn[..., None], model[0].mean_
    )
    assert np.allclose(part["sse"], rows["sse"])
    assert np.allclose(part["sst"], rows["sst"])


def test_other_rois_at_test_are_refused():
    x = smooth()
    with pytest.raises(InputError, match="the same ROIs"):
        score_predictors(
            x, everything(x), x[:, :, :5], everything(x[:, :, :5]), predictors=[Mean()]
        )


def test_order_of_the_validation_plan_holds_on_stationary_data():
    simulation = FmriSimulation(
        switching="none", n_subjects=40, duration=300, repetition_time=15 / 16, y_fc=0
    )
    data = sim_fmri(simulation)
    bold = (data.bold - data.bold.mean(axis=1, keepdims=True)) / data.bold.std(
        axis=1, keepdims=True
    )
    x = bold.reshape(40, 20, 16, 100).transpose(0, 1, 3, 2)
    present = everything(x)
    table = score_predictors(x[:32], present[:32], x[32:], present[32:], (0.5,), max_patterns=40)
    r2 = pooled_r2(table)[0.5]
    whole, drawn = r2.xs("all", level="segments"), r2.xs("drawn", level="segments")
    assert abs(whole["mean"]) < 1e-6
    # Slow oscillations turn over within a hidden segment: a straight line does worse than nothing.
    assert whole["interpolation"] < 0 < whole["AR"] < 0.2
    assert whole["Wiener"] > whole["AR"] + 0.3
    assert whole["ridge"] >= whole["Wiener"]
    assert abs(whole["PCA"] - whole["Wiener"]) < 0.02
    assert drawn["spatio-temporal Wiener"] > drawn["ridge"] + 0.01
    # With the true covariance the same entries give hardly more.
    truth = spatial_covariance(simulation, data.population)
    scale = np.sqrt(np.diag(truth))
    oracle = Wiener().fit(x[:1], present[:1])
    oracle.mean_, oracle.covariance_ = np.zeros(100), truth / np.outer(scale, scale)
    visible = evaluation_masks(8, 20, 100, 0.5, 0)
    ceiling = masked_r2(x[32:], oracle.predict(x[32:], visible), ~visible)
    assert 0.95 * ceiling < whole["Wiener"] < whole["ridge"] < ceiling
    assert 0.4 < ceiling < 0.65
