"""How well predictions fit: ROC areas, accuracies and explained variance, fold by fold.

Decision values of different folds come from different models and share no scale, so that pooling
them biases the ROC area (Forman & Scholz 2010). Here only samples tested in the same fold are
compared, and folds and seeds are averaged.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = [
    "Pairs",
    "auroc_by_fold",
    "auroc_from_pairs",
    "class_accuracies",
    "fold_correlation",
    "pair_counts",
    "roc_curve",
    "skill",
]


class Pairs(NamedTuple):
    """Comparisons between positive and negative samples.

    Parameters
    ----------
    won : array of shape (n_positive, n_negative)
        How often the positive sample scored higher; a tie counts one half.
    met : array of shape (n_positive, n_negative)
        How often both were tested in the same fold.
    """

    won: np.ndarray
    met: np.ndarray


def pair_counts(positive: np.ndarray, scores: np.ndarray, folds: np.ndarray) -> Pairs:
    """Count the comparisons within one partition.

    Parameters
    ----------
    positive : array of bool of shape (n_samples,)
    scores : array of shape (n_samples,)
        Out-of-fold decision values.
    folds : array of int of shape (n_samples,)
        Fold in which a sample was tested.

    Returns
    -------
    Pairs
        Sum those of several seeds element by element.
    """
    where = np.asarray(positive, bool)
    first, second = scores[where][:, None], scores[~where][None, :]
    met = (folds[where][:, None] == folds[~where][None, :]).astype(float)
    return Pairs(met * ((first > second) + 0.5 * (first == second)), met)


def auroc_from_pairs(
    pairs: Pairs, positive: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Area under the ROC curve: the share of comparisons that positives win.

    Parameters
    ----------
    pairs : Pairs
    positive : array of bool of shape (n_samples,)
    weights : array of shape (n_resamples, n_samples), optional
        How often every sample counts, as `bootstrap_weights` gives it; once each by default.

    Returns
    -------
    array of shape (n_resamples,)
        In [0, 1]; NaN where no positive met a negative. One value where `weights` is None.
    """
    where = np.asarray(positive, bool)
    drawn = np.ones((1, len(where))) if weights is None else weights
    first, second = drawn[:, where], drawn[:, ~where]
    won = np.einsum("bi,bi->b", first @ pairs.won, second)
    met = np.einsum("bi,bi->b", first @ pairs.met, second)
    with np.errstate(invalid="ignore", divide="ignore"):
        area: np.ndarray = won / met
    return area


def auroc_by_fold(
    positive: np.ndarray, scores: np.ndarray, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Comparisons won and made within folds, for many label permutations at once.

    Parameters
    ----------
    positive, scores : arrays of shape (n_samples, n_columns)
        Labels and decision values; every column is a problem of its own.
    folds : array of int of shape (n_samples,)

    Returns
    -------
    won, met : arrays of shape (n_columns,)
        The ROC area is ``won / met``; sum both over seeds first.
    """
    from scipy.stats import rankdata

    won, met = np.zeros(scores.shape[1]), np.zeros(scores.shape[1])
    for fold in np.unique(folds):
        rows = folds == fold
        is_positive = positive[rows].astype(bool)
        n_positive = is_positive.sum(axis=0)
        n_negative = rows.sum() - n_positive
        ranks = np.where(is_positive, rankdata(scores[rows], axis=0), 0.0).sum(axis=0)
        won += ranks - n_positive * (n_positive + 1) / 2
        met += n_positive * n_negative
    return won, met


def class_accuracies(correct: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Share of right answers in every class; their mean is the balanced accuracy.

    Parameters
    ----------
    correct : array of shape (n_samples, n_columns)
        1 where right, 0 where wrong, or a mean over seeds.
    labels : array of int of shape (n_samples, n_columns)
        Class of every sample.
    n_classes : int

    Returns
    -------
    array of shape (n_classes, n_columns)
        NaN for a class without samples.
    """
    shares = np.full((n_classes, correct.shape[1]), np.nan)
    for k in range(n_classes):
        of_class = labels == k
        count = of_class.sum(axis=0)
        total = np.where(of_class, correct, 0.0).sum(axis=0)
        np.divide(total, count, out=shares[k], where=count > 0)
    return shares


def skill(truth: np.ndarray, predicted: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Explained variance against a reference prediction, the training mean: out-of-sample R2.

    Parameters
    ----------
    truth, predicted, reference : arrays of shape (n_samples, n_columns)
        `reference` is what a model without features predicts.

    Returns
    -------
    array of shape (n_columns,)
        1 is perfect, 0 no better than the reference, below 0 worse.
    """
    error = np.sum((truth - predicted) ** 2, axis=0)
    total = np.sum((truth - reference) ** 2, axis=0)
    score: np.ndarray = 1 - error / total
    return score


def fold_correlation(
    truth: np.ndarray, predicted: np.ndarray, folds: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Pearson correlation of predictions with the truth within folds, averaged over folds.

    Parameters
    ----------
    truth, predicted : arrays of shape (n_samples, n_columns)
        One column, or one a permutation.
    folds : array of int of shape (n_samples,)
    weights : array of shape (n_resamples, n_samples), optional
        Bootstrap counts; then `truth` and `predicted` have one column.

    Returns
    -------
    array of shape (n_columns,) or (n_resamples,)
        NaN where it is undefined in every fold.

    Notes
    -----
    The mean of a training set runs against the mean of its test set, so that pooled out-of-fold
    predictions of noise correlate negatively with the truth; within folds they do not.
    """
    per_fold = []
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        drawn = np.ones((1, len(rows))) if weights is None else weights[:, rows]
        y, p = truth[rows], predicted[rows]
        total = drawn.sum(axis=1)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_y, mean_p = drawn @ y / total, drawn @ p / total
            covariance = drawn @ (y * p) / total - mean_y * mean_p
            spread_y = drawn @ y**2 / total - mean_y**2
            spread_p = drawn @ p**2 / total - mean_p**2
            r = covariance / np.sqrt(spread_y * spread_p)
        # Rounding can leave a spread of -1e-17 where all drawn samples are one.
        flat = (spread_y <= 1e-12 * (1 + mean_y**2)) | (spread_p <= 1e-12 * (1 + mean_p**2))
        per_fold.append(np.where(flat, np.nan, r).squeeze(axis=0 if weights is None else 1))
    stacked = np.array(per_fold)
    count = np.isfinite(stacked).sum(axis=0)
    total_r = np.nansum(stacked, axis=0)
    return np.where(count > 0, total_r / np.maximum(count, 1), np.nan)


def roc_curve(
    positive: np.ndarray, scores: np.ndarray, folds: np.ndarray, grid: np.ndarray
) -> np.ndarray:
    """Mean ROC curve over folds: true positive rate at given false positive rates.

    Parameters
    ----------
    positive : array of bool of shape (n_samples,)
    scores : array of shape (n_samples,)
    folds : array of int of shape (n_samples,)
    grid : array of shape (n_points,)
        False positive rates.

    Returns
    -------
    array of shape (n_points,)
        Averaged vertically (Fawcett 2006) over the folds that hold both classes.
    """
    curves = []
    for fold in np.unique(folds):
        rows = folds == fold
        first, second = scores[rows & positive], scores[rows & ~positive]
        if not len(first) or not len(second):
            continue
        cuts = np.concatenate([[np.inf], np.unique(scores[rows])[::-1]])
        true_rate = (first[None, :] >= cuts[:, None]).mean(axis=1)
        false_rate = (second[None, :] >= cuts[:, None]).mean(axis=1)
        # Where the curve rises straight up, interp takes its upper end.
        curves.append(np.interp(grid, false_rate, true_rate))
    return np.mean(curves, axis=0) if curves else np.full(len(grid), np.nan)
