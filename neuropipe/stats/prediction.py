"""Prediction of a label of subjects by repeated cross-validation, with null and interval.

Axis legend: s seeds, n subjects, k classes, p permutations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neuropipe.stats.linear_models import kernel_logistic, kernel_ridge, thresholds
from neuropipe.stats.permutation import (
    permutation_p_value,
    permute_families,
    permute_labels,
)
from neuropipe.stats.resampling import Interval, bootstrap_weights, percentile_interval
from neuropipe.stats.scores import (
    Pairs,
    auroc_by_fold,
    auroc_from_pairs,
    class_accuracies,
    fold_correlation,
    pair_counts,
    skill,
)
from neuropipe.stats.splits import Fold, fold_numbers

__all__ = ["Classification", "Classifier", "FoldGram", "Regression", "Score", "classify", "regress"]

Classifier = Literal["ridge", "logistic"]
#: From (number of the seed, number of the fold) to a centred Gram matrix of all samples.
FoldGram = Callable[[int, int], np.ndarray]
Partitions = Sequence[Sequence[Fold]]


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


def classify(
    grams: FoldGram,
    partitions: Partitions,
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    classifier: Classifier = "ridge",
    n_permutations: int = 200,
    n_resamples: int = 2000,
    seed: int = 0,
    groups: Sequence[str] | np.ndarray | None = None,
) -> Classification:
    """Predict a class by repeated cross-validation.

    Parameters
    ----------
    grams : callable
        Gram matrices centred by the training samples of each seed and fold.
    partitions : sequence (n_seeds) of sequences of Fold
        The subjects' partition for each seed; positions count all subjects.
    labels : array of int of shape (n_subjects,)
        Position of each subject's class in `classes`; -1 leaves the subject out.
    classes : sequence of str
        For two classes the second is the positive one.
    classifier : {"ridge", "logistic"}
    n_permutations : int
        Label permutations; folds stay, penalties are chosen anew.
    n_resamples : int
    seed : int
        Seed of permutations and bootstrap.
    groups : sequence of str of length n_subjects, optional
        Family of every subject: families are permuted and resampled as wholes, see
        `permute_families`. The partitions should keep them whole, too.

    Returns
    -------
    Classification

    Notes
    -----
    Partitions that are stratified by the labels make p a little too large, never too small: the
    folds are balanced for the true labels only, and the null is wider (0.03 to 0.04 of 1200 sets
    of noise below 0.05; 0.05 with folds that are not stratified).
    """
    used = np.flatnonzero(labels >= 0)
    truth = labels[used]
    rng = np.random.default_rng(seed)
    families = _families(groups, used)
    columns = _with_permutations(truth, n_permutations, rng, families)
    outputs = [1] if len(classes) == 2 else list(range(len(classes)))
    n_columns, n_outputs = columns.shape[1], len(outputs)
    decision = np.empty((len(partitions), len(used), n_outputs))
    won = np.zeros((n_outputs, n_columns))
    met = np.zeros((n_outputs, n_columns))
    correct = np.zeros(columns.shape)
    pairs: list[list[Pairs]] = [[] for _ in outputs]
    for s, folds in enumerate(partitions):
        parts = _restricted(folds, used)
        number = fold_numbers(parts, len(used))
        values = np.empty((n_outputs, len(used), n_columns))
        for j, k in enumerate(outputs):
            positive = columns == k
            values[j] = _decisions(grams, s, parts, used, positive, classifier, seed)
            won_j, met_j = auroc_by_fold(positive, values[j], number)
            won[j] += won_j
            met[j] += met_j
            decision[s, :, j] = values[j, :, 0]
            pairs[j].append(pair_counts(positive[:, 0], values[j, :, 0], number))
        named = (values[0] > 0).astype(int) if n_outputs == 1 else values.argmax(axis=0)
        correct += (named == columns) / len(partitions)
    with np.errstate(invalid="ignore", divide="ignore"):
        auroc = np.mean(won / met, axis=0)
    recall = class_accuracies(correct, columns, len(classes))
    weights = bootstrap_weights(len(used), n_resamples, rng, strata=truth, groups=families)
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
    spread = np.full((len(partitions), len(labels), n_outputs), np.nan)
    spread[:, used] = decision
    return Classification(
        auroc=_score(auroc, drawn_auroc),
        balanced_accuracy=_score(recall.mean(axis=0), drawn.mean(axis=0)),
        recall={name: _score(recall[k], drawn[k]) for k, name in enumerate(classes)},
        decision=spread,
    )


def regress(
    grams: FoldGram,
    partitions: Partitions,
    values: np.ndarray,
    *,
    n_permutations: int = 200,
    n_resamples: int = 2000,
    seed: int = 0,
    groups: Sequence[str] | np.ndarray | None = None,
) -> Regression:
    """Predict a number by repeated cross-validated ridge regression.

    Parameters
    ----------
    grams, partitions, n_permutations, n_resamples, seed, groups
        See `classify`.
    values : array of shape (n_subjects,)
        NaN leaves the subject out.

    Returns
    -------
    Regression
    """
    used = np.flatnonzero(np.isfinite(values))
    truth = values[used]
    rng = np.random.default_rng(seed)
    families = _families(groups, used)
    columns = _with_permutations(truth, n_permutations, rng, families)
    weights = bootstrap_weights(len(used), n_resamples, rng, groups=families)
    n_seeds = len(partitions)
    predicted = np.empty((n_seeds, *columns.shape))
    reference = np.empty((n_seeds, *columns.shape))
    r, drawn_r = [], []
    for s, folds in enumerate(partitions):
        parts = _restricted(folds, used)
        for f, (train, test) in enumerate(parts):
            gram = grams(s, f)[np.ix_(used, used)]
            fit = kernel_ridge(*_sides(gram, train, test), columns[train])
            predicted[s, test] = fit.test
            reference[s, test] = columns[train].mean(axis=0)
        number = fold_numbers(parts, len(used))
        r.append(fold_correlation(columns, predicted[s], number))
        drawn_r.append(fold_correlation(columns[:, :1], predicted[s, :, :1], number, weights))
    r2 = np.mean([skill(columns, predicted[s], reference[s]) for s in range(n_seeds)], axis=0)
    error = np.abs(columns - predicted).mean(axis=(0, 1))
    squared, total = (((truth - p[:, :, 0]) ** 2).T for p in (predicted, reference))
    drawn_r2 = 1 - (weights @ squared) / (weights @ total)  # resample, seed
    absolute = np.abs(columns - predicted).mean(axis=0)[:, 0]
    spread = np.full((n_seeds, len(values)), np.nan)
    spread[:, used] = predicted[:, :, 0]
    return Regression(
        r2=_score(r2, drawn_r2.mean(axis=1)),
        correlation=_score(np.mean(r, axis=0), np.mean(drawn_r, axis=0)),
        error=_score(error, weights @ absolute / weights.sum(axis=1), low_is_good=True),
        mean_error=float(np.abs(columns - reference)[:, :, 0].mean()),
        predicted=spread,
    )


def _families(groups: Sequence[str] | np.ndarray | None, used: np.ndarray) -> np.ndarray | None:
    """Families of the subjects in use, None where each is its own."""
    if groups is None:
        return None
    families = np.asarray(groups)[used]
    return families if len(np.unique(families)) < len(families) else None


def _with_permutations(
    truth: np.ndarray, n_permutations: int, rng: np.random.Generator, families: np.ndarray | None
) -> np.ndarray:
    """Columns (n, 1 + p): the truth, then its permutations."""
    if families is None:
        shuffled = permute_labels(truth, n_permutations, rng)
    else:
        shuffled = permute_families(truth, n_permutations, rng, families)
    return np.vstack([truth, shuffled]).T


def _restricted(folds: Sequence[Fold], used: np.ndarray) -> list[Fold]:
    """Folds over the subjects in use, as positions among them (`used` is sorted)."""
    return [Fold(*(np.flatnonzero(np.isin(used, side)) for side in fold)) for fold in folds]


def _sides(gram: np.ndarray, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gram matrices of the training samples and of test with training samples, recentred.

    The fold's matrix was centred by all its training subjects; those without this label are gone
    now, so that the mean of the others has to be taken off.
    """
    rows = gram[:, train]
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows = rows - rows[train].mean(axis=0)
    return rows[train], rows[test]


def _decisions(
    grams: FoldGram,
    s: int,
    parts: Sequence[Fold],
    used: np.ndarray,
    positive: np.ndarray,
    classifier: Classifier,
    seed: int,
) -> np.ndarray:
    """Out-of-fold decision values (n, columns) for one class against the rest."""
    values = np.empty(positive.shape)
    for f, (train, test) in enumerate(parts):
        inner, outer = _sides(grams(s, f)[np.ix_(used, used)], train, test)
        if classifier == "logistic":
            for column in range(positive.shape[1]):
                values[test, column] = kernel_logistic(
                    inner, outer, positive[train, column], seed=seed
                )
            continue
        targets = np.where(positive[train], 1.0, -1.0)
        fit = kernel_ridge(inner, outer, targets)
        values[test] = fit.test - targets.mean(axis=0) - thresholds(fit.left_out, targets)
    return values


def _summed(found: Sequence[Pairs]) -> Pairs:
    return Pairs(
        np.sum([pair.won for pair in found], axis=0), np.sum([pair.met for pair in found], axis=0)
    )


def _score(columns: np.ndarray, drawn: np.ndarray, *, low_is_good: bool = False) -> Score:
    """Score from the value and its null (first column, others) and the bootstrap draws."""
    value, null = float(columns[0]), np.asarray(columns[1:], float)
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
