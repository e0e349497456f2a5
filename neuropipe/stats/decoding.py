"""Decoding of conditions from response patterns, tested on runs the decoder has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.stats.permutation import permutation_p_value, permute_labels
from neuropipe.stats.splits import Fold, leave_one_run_out

__all__ = ["Decoding", "leave_one_run_out_accuracy"]


@dataclass(frozen=True)
class Decoding:
    """What a decoder got right.

    Parameters
    ----------
    accuracy : float
        Mean over runs of the share of right answers.
    by_run : array of shape (n_runs,)
        The share in every left-out run.
    predicted : array of shape (n_samples,)
        Out-of-run predictions.
    classes : array of shape (n_classes,)
    confusion : array of int of shape (n_classes, n_classes)
        Rows are the truth, columns the prediction.
    chance : float
        Mean over runs of the share that always naming the most frequent class would get right.
    null : array of shape (n_permutations,)
        Accuracies with labels shuffled within runs; empty when none were asked for.
    p_value : float or None
        Against that null.
    """

    accuracy: float
    by_run: np.ndarray
    predicted: np.ndarray
    classes: np.ndarray
    confusion: np.ndarray
    chance: float
    null: np.ndarray
    p_value: float | None


def leave_one_run_out_accuracy(
    X: np.ndarray,
    y: Sequence[object] | np.ndarray,
    runs: Sequence[object] | np.ndarray,
    *,
    n_permutations: int = 0,
    seed: int = 0,
) -> Decoding:
    """Accuracy of a linear support vector machine on left-out runs.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Patterns: one a trial, a block, or (as usual) a run average of each condition.
    y : sequence of length n_samples
        Condition of every sample.
    runs : sequence of length n_samples
        Run of every sample.
    n_permutations : int
        Shuffles of the labels within runs; 0 leaves the null out.
    seed : int
        Seed of the shuffles.

    Returns
    -------
    Decoding

    Raises
    ------
    InputError
        If the lengths differ or a value is missing.
    UnfitRecordingError
        If there is one run or one condition only.

    Notes
    -----
    Features are standardised by the training runs. The penalty is not tuned (C = 1), as is usual
    for few samples of many voxels (Pereira et al. 2009); several classes stand one against the
    rest, as in nilearn's decoder.
    """
    labels = np.asarray([str(label) for label in y])
    if X.ndim != 2 or len(X) != len(labels) or len(labels) != len(runs):
        raise InputError(
            f"patterns of shape {X.shape}, {len(labels)} labels and {len(runs)} runs",
            "as many labels and runs as rows",
            "give one label and one run for every pattern",
        )
    if not np.isfinite(X).all():
        raise InputError(
            "patterns hold missing values", "finite values", "leave those samples or units out"
        )
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise UnfitRecordingError(
            f"one condition ({classes[0]})", "at least two", "choose another column of events"
        )
    folds = leave_one_run_out(runs)
    spaces = [_standardised(X, fold) for fold in folds]

    def decode(truth: np.ndarray) -> np.ndarray:
        from sklearn.svm import LinearSVC

        guessed = np.full(len(truth), -1)
        for fold, (train, test) in zip(folds, spaces, strict=True):
            if len(np.unique(truth[fold.train])) < 2:
                guessed[fold.test] = truth[fold.train][0]
                continue
            model = LinearSVC(C=1.0, dual=True, random_state=seed, max_iter=10_000)
            guessed[fold.test] = model.fit(train, truth[fold.train]).predict(test)
        return guessed

    def by_run(truth: np.ndarray, guessed: np.ndarray) -> np.ndarray:
        return np.array([np.mean(truth[f.test] == guessed[f.test]) for f in folds])

    guessed = decode(codes)
    accuracy = by_run(codes, guessed)
    shuffled = permute_labels(codes, n_permutations, np.random.default_rng(seed), blocks=runs)
    null = np.array([by_run(row, decode(row)).mean() for row in shuffled])
    confusion = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(confusion, (codes, guessed), 1)
    return Decoding(
        accuracy=float(accuracy.mean()),
        by_run=accuracy,
        predicted=classes[guessed],
        classes=classes,
        confusion=confusion,
        chance=float(by_run(codes, np.full(len(codes), np.bincount(codes).argmax())).mean()),
        null=null,
        p_value=float(permutation_p_value(accuracy.mean(), null)) if len(null) else None,
    )


def _standardised(X: np.ndarray, fold: Fold) -> tuple[np.ndarray, np.ndarray]:
    """Features standardised by the training samples, in coordinates of those samples.

    The rotation onto at most n_train axes keeps every inner product, hence the solution of the
    support vector machine, and makes each of many permutations cheap.
    """
    spread = X[fold.train].std(axis=0)
    used = spread > 0  # a feature that never varies in training says nothing
    scaled = (X[:, used] - X[fold.train][:, used].mean(axis=0)) / spread[used]
    _, _, axes = np.linalg.svd(scaled[fold.train], full_matrices=False)
    rotated = scaled @ axes.T
    return rotated[fold.train], rotated[fold.test]
