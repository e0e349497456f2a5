import numpy as np
import pytest

from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.comparison.weighted import FAST
from neuropipe.trsa.inference.models import FixedModel, WeightedModel
from neuropipe.trsa.inference.scoring import Scorer, draw_folds
from neuropipe.trsa.inference.shuffling import permutation_scores, permutation_tests, permuted
from neuropipe.trsa.rdms import square


def scorer(measure, *, seed=0, n_subjects=4, n=9, signal=0.0, gap=False):
    rng = np.random.default_rng(seed)
    n_pairs = n * (n - 1) // 2
    models = np.round(5 * rng.random((3, n_pairs)))
    data = signal * models[0] + rng.standard_normal((n_subjects + 1, n_pairs))
    if gap:
        data[:, 2] = np.nan
    member = np.r_[np.arange(n_subjects), 0]  # the first subject has two sessions
    named = [FixedModel(str(k), values) for k, values in enumerate(models)]
    return Scorer(named, data, member, measure)


def test_rows_and_columns_move_together():
    values = np.arange(6.0)[None]
    order = np.array([2, 0, 3, 1])
    moved = square(permuted(values, order))[0]
    np.testing.assert_array_equal(moved, square(values)[0][np.ix_(order, order)])


@pytest.mark.parametrize("measure", FAST)
@pytest.mark.parametrize("gap", [False, True])
def test_scores_are_those_of_relabelled_models(measure, gap):
    own = scorer(measure, gap=gap)
    orders = np.argsort(np.random.default_rng(1).random((5, 9)), axis=1)
    found = permutation_scores(own, orders)
    by_subject = (own.member[:, None] == np.arange(4)) / np.bincount(own.member)
    for row, order in zip(found, orders, strict=True):
        for score, model in zip(row, own.models, strict=True):
            alike = compare(permuted(model.dissimilarities, order), own.values, measure)
            assert score == pytest.approx((alike @ by_subject).mean(), abs=1e-10)


def test_the_true_model_stands_out_and_others_do_not():
    own = scorer("rho-a", signal=1.0)
    observed = own.scores(np.ones((1, 4), int), np.ones((1, 9), int))[0].mean(axis=1)
    alone, largest = permutation_tests(own, observed, 199, np.random.default_rng(2))
    assert alone[0] == largest[0] == pytest.approx(1 / 200)
    assert (alone[1:] > 0.01).all()
    assert (largest >= alone - 1e-12).all()


def test_family_wise_rate_holds_where_no_model_is_true():
    hits = 0
    for seed in range(150):
        own = scorer("corr", seed=seed)
        observed = own.scores(np.ones((1, 4), int), np.ones((1, 9), int))[0].mean(axis=1)
        hits += permutation_tests(own, observed, 39, np.random.default_rng(seed))[1].min() <= 0.05
    assert hits / 150 < 0.12  # .05 + four standard errors


def test_flexible_models_are_fitted_to_every_permutation():
    rng = np.random.default_rng(3)
    parts = rng.random((2, 45))
    data = parts[0] + 0.3 * rng.standard_normal((4, 45))
    folds = draw_folds(4, 10, rng)
    own = Scorer([WeightedModel("w", parts)], data, np.arange(4), "corr", folds)
    observed = own.scores(np.ones((1, 4), int), np.ones((1, 10), int))[0].mean(axis=1)
    alone, _ = permutation_tests(own, observed, 19, rng)
    assert alone[0] == pytest.approx(1 / 20)
