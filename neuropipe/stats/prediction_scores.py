"""Scores of out-of-fold predictions, each with its null and an interval over subjects.

Axis legend: s seeds, n subjects, k classes, j outputs; columns are the data and permutations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neuropipe.stats.permutation import permutation_p_value
from neuropipe.stats.resampling import Interval, percentile_interval
from neuropipe.stats.scores import (
    Pairs,
    auroc_by_fold,
    auroc_from_pairs,
    class_accuracies,
    fold_correlation,
    pair_counts,
    skill,
)

__all__ = ["Classification", "Regression", "Score", "classification_scores", "regression_scores"]


@dataclass(frozen=True)
class Score:
    """A cross-validated score.

    Parameters
    ----------
    value : float
        Mean over seeds and folds.
    interval : tuple of float
        95 % interval by bootstrap over subjects (families, where they are told); the models are
        not refitted, so that it holds for these training sets. NaN where the score is undefined
        (constant predictions have no correlation).
    chance : float
        Mean of the null.
    p_value : float
        Share of label permutations that reach the value (with the +1 rule); NaN without any.
    null : array of shape (n_permutations,)
    """

    value: float
    interval: Interval
    chance: float
    p_value: float
    null: np.ndarray


@dataclass(frozen=True)
class Classification:
    """Scores of a classifier.

    Parameters
    ----------
    auroc, balanced_accuracy : Score
        Of more than two classes the AUROC is the mean over classes of each against the rest.
    recall : dict of str to Score
        Share of each class's subjects named rightly; for two classes sensitivity (positive class)
        and specificity.
    decision : array of shape (n_seeds, n_subjects, n_outputs)
        Out-of-fold decision values, above 0 for the class; one output for two classes. NaN where
        a subject was not tested.
    """

    auroc: Score
    balanced_accuracy: Score
    recall: dict[str, Score]
    decision: np.ndarray


@dataclass(frozen=True)
class Regression:
    """Scores of a regressor.

    Parameters
    ----------
    r2, correlation, error : Score
        Out-of-sample R2 against the training mean, Pearson r within folds, and mean absolute error
        in the target's unit (its p value counts low errors).
    mean_error : float
        Mean absolute error of predicting the training mean.
    predicted : array of shape (n_seeds, n_subjects)
        Out-of-fold predictions; NaN where a subject was not tested.
    """

    r2: Score
    correlation: Score
    error: Score
    mean_error: float
    predicted: np.ndarray


def classification_scores(
    decide: Callable[[int], np.ndarray],
    columns: np.ndarray,
    folds: np.ndarray,
    classes: Sequence[str],
    weights: np.ndarray,
    null_spread: float = 1.0,
) -> Classification:
    """Score decision values of the data and of permutations.

    Parameters
    ----------
    decide : callable
        From the number of a seed to decision values of shape (n_outputs, n_subjects, n_columns),
        one column a column of `columns`.
    columns : array of int of shape (n_subjects, n_columns)
        Position of each subject's class: the truth, then its permutations.
    folds : array of int of shape (n_seeds, n_subjects)
        Fold in which a subject was tested.
    classes : sequence of str
        For two classes the second is the positive one, and there is one output.
    weights : array of shape (n_resamples, n_subjects)
        How often a bootstrap draws every subject.
    null_spread : float
        Factor on the deviations of the null from its mean.
    """
    n_subjects, n_columns = columns.shape
    truth = columns[:, 0]
    outputs = [1] if len(classes) == 2 else list(range(len(classes)))
    decision = np.empty((len(folds), n_subjects, len(outputs)))
    won = np.zeros((len(outputs), n_columns))
    met = np.zeros((len(outputs), n_columns))
    correct = np.zeros(columns.shape)
    pairs: list[list[Pairs]] = [[] for _ in outputs]
    for s, number in enumerate(folds):
        values = decide(s)
        for j, k in enumerate(outputs):
            positive = columns == k
            won_j, met_j = auroc_by_fold(positive, values[j], number)
            won[j] += won_j
            met[j] += met_j
            decision[s, :, j] = values[j, :, 0]
            pairs[j].append(pair_counts(positive[:, 0], values[j, :, 0], number))
        named = (values[0] > 0).astype(int) if len(outputs) == 1 else values.argmax(axis=0)
        correct += (named == columns) / len(folds)
    with np.errstate(invalid="ignore", divide="ignore"):
        auroc = np.mean(won / met, axis=0)
    recall = class_accuracies(correct, columns, len(classes))
    drawn_auroc = np.mean(
        [
            auroc_from_pairs(_summed(found), truth == k, weights)
            for k, found in zip(outputs, pairs, strict=True)
        ],
        axis=0,
    )
    with np.errstate(invalid="ignore"):  # a resample of families may lack a class
        drawn = np.stack(
            [
                weights[:, truth == k] @ correct[truth == k, 0] / weights[:, truth == k].sum(axis=1)
                for k in range(len(classes))
            ]
        )
    return Classification(
        auroc=_score(auroc, drawn_auroc, null_spread),
        balanced_accuracy=_score(recall.mean(axis=0), drawn.mean(axis=0), null_spread),
        recall={name: _score(recall[k], drawn[k], null_spread) for k, name in enumerate(classes)},
        decision=decision,
    )


def regression_scores(
    predicted: np.ndarray,
    reference: np.ndarray,
    columns: np.ndarray,
    folds: np.ndarray,
    weights: np.ndarray,
    null_spread: float = 1.0,
) -> Regression:
    """Score predicted numbers of the data and of permutations.

    Parameters
    ----------
    predicted : array of shape (n_seeds, n_subjects, n_columns)
        One column a column of `columns`.
    reference : array of shape (n_seeds, n_subjects, n_columns)
        What a model without features predicts: the mean of the training subjects.
    columns : array of shape (n_subjects, n_columns)
        The truth, then its permutations.
    folds : array of int of shape (n_seeds, n_subjects)
        Fold in which a subject was tested.
    weights : array of shape (n_resamples, n_subjects)
        How often a bootstrap draws every subject.
    null_spread : float
        Factor on the deviations of the null from its mean.
    """
    truth, seeds = columns[:, 0], range(len(folds))
    r = [fold_correlation(columns, predicted[s], folds[s]) for s in seeds]
    drawn_r = [
        fold_correlation(columns[:, :1], predicted[s, :, :1], folds[s], weights) for s in seeds
    ]
    r2 = np.mean([skill(columns, predicted[s], reference[s]) for s in seeds], axis=0)
    absolute = np.abs(columns - predicted)
    squared, total = (((truth - p[:, :, 0]) ** 2).T for p in (predicted, reference))
    drawn_r2 = 1 - (weights @ squared) / (weights @ total)  # resample, seed
    drawn_error = weights @ absolute.mean(axis=0)[:, 0] / weights.sum(axis=1)
    return Regression(
        r2=_score(r2, drawn_r2.mean(axis=1), null_spread),
        correlation=_score(np.mean(r, axis=0), np.mean(drawn_r, axis=0), null_spread),
        error=_score(absolute.mean(axis=(0, 1)), drawn_error, null_spread, low_is_good=True),
        mean_error=float(np.abs(columns - reference)[:, :, 0].mean()),
        predicted=predicted[:, :, 0],
    )


def _summed(found: Sequence[Pairs]) -> Pairs:
    return Pairs(
        np.sum([pair.won for pair in found], axis=0), np.sum([pair.met for pair in found], axis=0)
    )


def _score(
    columns: np.ndarray, drawn: np.ndarray, null_spread: float, *, low_is_good: bool = False
) -> Score:
    """Score from the value and its null (first column, others) and the bootstrap draws."""
    value, null = float(columns[0]), np.asarray(columns[1:], float)
    if null_spread != 1 and np.isfinite(null).any():
        centre = np.nanmean(null)
        null = centre + null_spread * (null - centre)
    tested = len(null) > 0
    alternative: Literal["less", "greater"] = "less" if low_is_good else "greater"
    defined = bool(np.isfinite(drawn).any())
    return Score(
        value=value,
        interval=percentile_interval(drawn) if defined else (float("nan"), float("nan")),
        chance=float(np.nanmean(null)) if np.isfinite(null).any() else float("nan"),
        p_value=float(permutation_p_value(value, null, alternative=alternative))
        if tested
        else float("nan"),
        null=null,
    )
