"""Prediction of a label of subjects by repeated cross-validation, with null and interval.

Axis legend: s seeds, n subjects, k classes, p permutations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from neuropipe.stats.linear_models import kernel_logistic, kernel_ridge, thresholds
from neuropipe.stats.permutation import permute_families, permute_labels
from neuropipe.stats.prediction_scores import (
    Classification,
    Regression,
    classification_scores,
    regression_scores,
)
from neuropipe.stats.resampling import bootstrap_weights
from neuropipe.stats.splits import Fold, fold_numbers

__all__ = ["Classifier", "FoldGram", "classify", "regress", "score_decisions", "score_predictions"]

Classifier = Literal["ridge", "logistic"]
#: From (number of the seed, number of the fold) to a centred Gram matrix of all samples.
FoldGram = Callable[[int, int], np.ndarray]
Partitions = Sequence[Sequence[Fold]]
_MET_TWICE = 2**0.5  # see the notes of `score_decisions`


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
    weights = bootstrap_weights(len(used), n_resamples, rng, strata=truth, groups=families)
    outputs = [1] if len(classes) == 2 else list(range(len(classes)))
    parts = [_restricted(folds, used) for folds in partitions]

    def decide(s: int) -> np.ndarray:
        return np.stack(
            [_decisions(grams, s, parts[s], used, columns == k, classifier, seed) for k in outputs]
        )

    scores = classification_scores(decide, columns, _numbers(parts, len(used)), classes, weights)
    return replace(scores, decision=_spread(scores.decision, used, len(labels)))


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
    parts = [_restricted(folds, used) for folds in partitions]
    predicted = np.empty((len(parts), *columns.shape))
    for s, folds in enumerate(parts):
        for f, (train, test) in enumerate(folds):
            gram = grams(s, f)[np.ix_(used, used)]
            predicted[s, test] = kernel_ridge(*_sides(gram, train, test), columns[train]).test
    scores = regression_scores(
        predicted, _training_means(columns, parts), columns, _numbers(parts, len(used)), weights
    )
    return replace(scores, predicted=_spread(scores.predicted, used, len(values)))


def score_decisions(
    decisions: np.ndarray,
    partitions: Partitions,
    labels: np.ndarray,
    classes: Sequence[str],
    *,
    n_permutations: int = 200,
    n_resamples: int = 2000,
    seed: int = 0,
    groups: Sequence[str] | np.ndarray | None = None,
) -> Classification:
    """Score out-of-fold decision values of models that were trained elsewhere.

    Parameters
    ----------
    decisions : array of shape (n_seeds, n_subjects) or (n_seeds, n_subjects, n_outputs)
        Of the model that was trained on the other folds: for two classes one output, above 0 for
        the second class; for more one output a class, the largest names the class. NaN leaves the
        subject out.
    partitions : sequence (n_seeds) of sequences of Fold
        Those that the models were trained with.
    labels, classes, n_permutations, n_resamples, seed, groups
        See `classify`.

    Returns
    -------
    Classification
        The values and, with the same seed, the intervals that `classify` gives to these decisions.

    Raises
    ------
    ValueError
        If the shape of the decision values fits neither subjects nor classes.

    Notes
    -----
    The null shuffles the labels against the decision values as they are, alike for all seeds. Such
    a null is too narrow: any two subjects of different folds meet twice, each once in training and
    once in the test, so that the folds of noise are correlated (Bengio & Grandvalet 2004). For
    decisions that are a symmetric kernel times the labels both meetings give the same number, which
    doubles the variance; the null is therefore widened by sqrt(2) around its mean. With ridge on
    noise 0.02 to 0.05 of 300 to 400 sets had p <= 0.05 for AUROC, and 0.09 to 0.13 without that.
    """
    values = decisions.reshape(*decisions.shape[:2], -1)
    n_outputs = 1 if len(classes) == 2 else len(classes)
    if values.shape != (len(partitions), len(labels), n_outputs):
        raise ValueError(
            f"decisions of shape {decisions.shape} for {len(partitions)} seeds, {len(labels)} "
            f"subjects and {n_outputs} outputs"
        )
    used = np.flatnonzero((labels >= 0) & np.isfinite(values).all(axis=(0, 2)))
    truth = labels[used]
    rng = np.random.default_rng(seed)
    families = _families(groups, used)
    columns = _with_permutations(truth, n_permutations, rng, families)
    weights = bootstrap_weights(len(used), n_resamples, rng, strata=truth, groups=families)
    folds = _numbers([_restricted(part, used) for part in partitions], len(used))

    def decide(s: int) -> np.ndarray:
        return np.broadcast_to(values[s, used].T[:, :, None], (n_outputs, *columns.shape))

    scores = classification_scores(decide, columns, folds, classes, weights, _MET_TWICE)
    return replace(scores, decision=_spread(scores.decision, used, len(labels)))


def score_predictions(
    predictions: np.ndarray,
    partitions: Partitions,
    values: np.ndarray,
    *,
    n_permutations: int = 200,
    n_resamples: int = 2000,
    seed: int = 0,
    groups: Sequence[str] | np.ndarray | None = None,
) -> Regression:
    """Score out-of-fold predictions of numbers by models that were trained elsewhere.

    Parameters
    ----------
    predictions : array of shape (n_seeds, n_subjects)
        In the unit of `values`, of the model that was trained on the other folds. NaN leaves the
        subject out.
    partitions : sequence (n_seeds) of sequences of Fold
        Those that the models were trained with.
    values, n_permutations, n_resamples, seed, groups
        See `regress`.

    Returns
    -------
    Regression
        R2 is measured against the mean of the training subjects of each fold.

    Raises
    ------
    ValueError
        If the shape of the predictions does not fit seeds and subjects.

    Notes
    -----
    The null is that of `score_decisions`; what the model adds to the training mean stays as it is,
    and the mean is that of the shuffled values.
    """
    if predictions.shape != (len(partitions), len(values)):
        raise ValueError(
            f"predictions of shape {predictions.shape} for {len(partitions)} seeds and "
            f"{len(values)} subjects"
        )
    used = np.flatnonzero(np.isfinite(values) & np.isfinite(predictions).all(axis=0))
    truth = values[used]
    rng = np.random.default_rng(seed)
    families = _families(groups, used)
    columns = _with_permutations(truth, n_permutations, rng, families)
    weights = bootstrap_weights(len(used), n_resamples, rng, groups=families)
    parts = [_restricted(folds, used) for folds in partitions]
    reference = _training_means(columns, parts)
    predicted = predictions[:, used, None] + (reference - reference[:, :, :1])
    scores = regression_scores(
        predicted, reference, columns, _numbers(parts, len(used)), weights, _MET_TWICE
    )
    return replace(scores, predicted=_spread(scores.predicted, used, len(values)))


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


def _numbers(parts: Sequence[Sequence[Fold]], n_subjects: int) -> np.ndarray:
    """Fold in which every subject is tested (s, n)."""
    return np.stack([fold_numbers(folds, n_subjects) for folds in parts])


def _training_means(columns: np.ndarray, parts: Sequence[Sequence[Fold]]) -> np.ndarray:
    """What a model without features predicts out of fold (s, n, columns)."""
    means = np.empty((len(parts), *columns.shape))
    for s, folds in enumerate(parts):
        for train, test in folds:
            means[s, test] = columns[train].mean(axis=0)
    return means


def _spread(of_used: np.ndarray, used: np.ndarray, n_subjects: int) -> np.ndarray:
    """Values of the subjects in use among all (s, n, ...), NaN for the others."""
    spread = np.full((len(of_used), n_subjects, *of_used.shape[2:]), np.nan)
    spread[:, used] = of_used
    return spread


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
