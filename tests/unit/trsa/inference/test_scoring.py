import numpy as np
import pytest

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.comparison.weighted import pair_weights
from neuropipe.trsa.inference.models import FixedModel, WeightedModel
from neuropipe.trsa.inference.resample import draw_both
from neuropipe.trsa.inference.scoring import Folds, Scorer, draw_folds


def data(seed=0, n_subjects=4, n=9):
    rng = np.random.default_rng(seed)
    parts = rng.random((3, n * (n - 1) // 2))
    return parts, parts[0] + 0.5 * rng.random((n_subjects, parts.shape[1]))


def fixed(parts):
    return [FixedModel(str(k), row) for k, row in enumerate(parts)]


@pytest.mark.parametrize(("n", "k"), [(8, 2), (13, 3), (62, 5)])
def test_folds_are_of_equal_size(n, k):
    folds = draw_folds(7, n, np.random.default_rng(0))
    sizes = np.bincount(folds.conditions)
    assert len(sizes) == k
    assert np.ptp(sizes) <= 1
    assert np.ptp(np.bincount(folds.subjects)) <= 1
    assert draw_folds(1, n, np.random.default_rng(0)).subjects.tolist() == [0]


def test_few_conditions_cannot_be_held_out():
    with pytest.raises(UnfitRecordingError, match="7 conditions"):
        draw_folds(5, 7, np.random.default_rng(0))


def test_draws_of_subjects_weigh_their_scores():
    parts, values = data()
    scorer = Scorer(fixed(parts), values, np.arange(4), "corr")
    draws = draw_both(4, 9, 6, np.random.default_rng(1))
    found = scorer.bootstraps(draws, subjects=True, conditions=False)
    expected = compare(parts, values, "corr") @ draws.subjects.T / 4
    np.testing.assert_allclose(found.by_subjects[:, :3], expected.T)
    assert found.by_conditions is None
    assert found.by_both is None


def test_draws_of_both_use_the_same_draws_as_either():
    parts, values = data()
    scorer = Scorer(fixed(parts), values, np.arange(4), "rho-a")
    draws = draw_both(4, 9, 6, np.random.default_rng(2))
    found = scorer.bootstraps(draws, subjects=True, conditions=True)
    one = scorer.scores(np.ones((1, 4), int), draws.conditions)
    np.testing.assert_allclose(found.by_conditions[:, :3], one.mean(axis=2))
    weighted = np.einsum("dms,ds->dm", one, draws.subjects) / 4
    np.testing.assert_allclose(found.by_both[:, :3], weighted)
    assert found.by_both.shape == found.by_subjects.shape == (6, 5)


def test_with_folds_fixed_models_are_scored_within_each():
    parts, values = data()
    folds = Folds(np.array([0, 1, 0, 1]), np.array([0, 1, 0, 1, 0, 1, 0, 1, 0]))
    scorer = Scorer(fixed(parts), values, np.arange(4), "corr", folds)
    found = scorer.scores(np.ones((1, 4), int), np.ones((1, 9), int))[0]
    within = [pair_weights(folds.conditions == f) > 0 for f in range(2)]
    expected = np.mean(
        [np.corrcoef(np.vstack([parts[:, w], values[:, w]]))[:3, 3:] for w in within], axis=0
    )
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_crossvalidation_by_hand():
    parts, values = data(3)
    folds = Folds(np.array([0, 1, 0, 1]), np.array([0, 1, 0, 1, 0, 1, 0, 1, 0]))
    model = WeightedModel("w", parts)
    scorer = Scorer([model], values, np.arange(4), "corr", folds)
    found = scorer.scores(np.ones((1, 4), int), np.ones((1, 9), int))[0, 0]
    for s in range(4):
        scores = []
        for f in range(2):
            theta = model.fit(
                values, "corr", folds.conditions != f, folds.subjects != folds.subjects[s]
            )
            pairs = pair_weights(folds.conditions == f) > 0
            scores.append(np.corrcoef(model.predict(theta)[pairs], values[s, pairs])[0, 1])
        assert found[s] == pytest.approx(np.mean(scores))


def test_draws_leave_out_subjects_of_flexible_models():
    parts, values = data(4)
    scorer = Scorer(
        [WeightedModel("w", parts), *fixed(parts[:1])],
        values,
        np.arange(4),
        "corr",
        Folds(np.array([0, 1, 2, 3]), np.arange(9) % 2),
    )
    found = scorer.scores(np.array([[2, 0, 1, 1]]), np.ones((1, 9), int))
    assert np.isnan(found[0, 0]).tolist() == [False, True, False, False]
    draws = draw_both(4, 9, 3, np.random.default_rng(5), folds=np.arange(9) % 2)
    both = scorer.bootstraps(draws, subjects=True, conditions=True)
    for rows in (both.by_subjects, both.by_conditions, both.by_both):
        assert np.isfinite(rows).all()


def test_one_subject_has_no_ceiling():
    parts, values = data(6, n_subjects=1)
    scorer = Scorer(fixed(parts), values, np.array([0]), "corr")
    draws = draw_both(1, 9, 4, np.random.default_rng(7))
    found = scorer.bootstraps(draws, subjects=False, conditions=True)
    assert np.isfinite(found.by_conditions[:, :3]).all()
    assert np.isnan(found.by_conditions[:, 3:]).all()
