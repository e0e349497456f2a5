"""Linear models for many features and few subjects, through the Gram matrix of the subjects.

With 100 subjects and 20 000 edges every l2-penalised linear model depends on the features only
through the 100 x 100 matrix of their inner products (representer theorem). It is computed once;
folds, seeds, penalties and label permutations then cost almost nothing.

Features are centred, and freed of confounds, with coefficients of the training subjects only: both
are projections and act on the Gram matrix itself. Scaling each feature by its training deviation
would need a new Gram matrix a fold; it is not done, because Fisher-z edges and tangent vectors
share one unit already (as in Dadi et al. 2019).

Ridge classification (least squares on +-1 targets) is the default: Dadi et al. 2019 found it on a
par with l2 logistic regression and l2 support vectors as the best of the classifiers over nine
settings and four cohorts, and its leave-one-out error has a closed form, so that the penalty is
chosen anew for every fold and every permutation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "PENALTIES",
    "RidgeFit",
    "fold_gram",
    "gram_matrix",
    "kernel_logistic",
    "kernel_ridge",
    "residual_projection",
    "thresholds",
]

#: Penalties in units of the mean squared length of a centred training sample.
PENALTIES = np.logspace(-4, 4, 17)
_STRENGTHS = np.logspace(-3, 3, 7)  # inverse penalties of logistic regression, in the same unit


def gram_matrix(features: np.ndarray) -> np.ndarray:
    """Inner products between all samples.

    Parameters
    ----------
    features : array of shape (n_samples, ...)
        Further axes are flattened; a symmetric matrix given whole counts with its Frobenius
        product.

    Returns
    -------
    array of shape (n_samples, n_samples), float64

    Notes
    -----
    The common mean is taken off first. It changes nothing after `fold_gram`, and keeps the
    precision of what remains.
    """
    rows = np.asarray(features).reshape(len(features), -1)
    rows = rows - rows.mean(axis=0)
    return np.asarray(rows @ rows.T, dtype=np.float64)


def residual_projection(train: np.ndarray, confounds: np.ndarray | None, n: int) -> np.ndarray:
    """Matrix that removes from every sample what confounds explain in the training samples.

    Parameters
    ----------
    train : array of int
        Positions of the training samples.
    confounds : array of shape (n_samples, n_confounds), optional
        Finite values; None removes the training mean only.
    n : int
        Number of samples.

    Returns
    -------
    array of shape (n_samples, n_samples)
        M with ``M X = X - D pinv(D[train]) X[train]``, where D holds the confounds and a constant.
    """
    design = np.ones((n, 1))
    if confounds is not None and confounds.shape[1]:
        centre = confounds[train].mean(axis=0)
        spread = confounds[train].std(axis=0)
        scaled = (confounds - centre) / np.where(spread > 0, spread, 1.0)
        design = np.hstack([design, scaled])
    projection = np.eye(n)
    projection[:, train] -= design @ np.linalg.pinv(design[train])
    return projection


def fold_gram(
    gram: np.ndarray, train: np.ndarray, confounds: np.ndarray | None = None
) -> np.ndarray:
    """Gram matrix of features centred, and freed of confounds, by the training samples.

    Parameters
    ----------
    gram : array of shape (n_samples, n_samples)
        See `gram_matrix`.
    train : array of int
        Positions of the training samples.
    confounds : array of shape (n_samples, n_confounds), optional
        Regressed out of every feature with coefficients of the training samples (Snoek et al.
        2019: within folds, never over all samples).

    Returns
    -------
    array of shape (n_samples, n_samples)
    """
    projection = residual_projection(train, confounds, len(gram))
    centred: np.ndarray = projection @ gram @ projection.T
    return centred


@dataclass(frozen=True)
class RidgeFit:
    """Predictions of ridge regressions that share their features.

    Parameters
    ----------
    test : array of shape (n_test, n_targets)
        Predictions for the test samples.
    left_out : array of shape (n_train, n_targets)
        Leave-one-out predictions for the training samples.
    penalties : array of shape (n_targets,)
        Penalty chosen for every target, in the units of the Gram matrix.
    """

    test: np.ndarray
    left_out: np.ndarray
    penalties: np.ndarray


def kernel_ridge(
    train: np.ndarray,
    test: np.ndarray,
    targets: np.ndarray,
    *,
    penalties: np.ndarray | None = None,
) -> RidgeFit:
    """Ridge regression with an intercept; each target's penalty by leave-one-out error.

    Parameters
    ----------
    train : array of shape (n_train, n_train)
        Gram matrix of the training samples, centred by them (`fold_gram`).
    test : array of shape (n_test, n_train)
        Inner products of test with training samples, of the same `fold_gram`.
    targets : array of shape (n_train, n_targets)
        One column a target; permuted labels are further columns.
    penalties : array of shape (n_penalties,), optional
        Candidates in the units of the Gram matrix; by default `PENALTIES` times its mean diagonal.

    Returns
    -------
    RidgeFit

    Notes
    -----
    With K = U diag(s) U' the fitted values are ``mean + U s/(s + a) U' y``, and the leave-one-out
    residual is the residual over ``1 - h_ii`` with ``h_ii = 1/n + sum_j U_ij^2 s_j/(s_j + a)``
    (Golub, Heath & Wahba 1979): exact, and the same choice as sklearn's `RidgeCV`.
    """
    values, vectors = np.linalg.eigh(train)
    values = np.clip(values, 0.0, None)
    if penalties is None:
        penalties = PENALTIES * _mean_square(train)
    mean = targets.mean(axis=0)
    centred = targets - mean
    rotated = vectors.T @ centred
    squared = vectors**2
    n_targets = targets.shape[1]
    best = np.full(n_targets, np.inf)
    chosen = np.zeros(n_targets)
    left_out = np.empty_like(centred)
    for penalty in penalties:
        shrink = values / (values + penalty)
        residual = centred - vectors @ (shrink[:, None] * rotated)
        # A leverage of 1 (no penalty, full rank) leaves nothing to predict from.
        free = np.maximum(1 - 1 / len(train) - squared @ shrink, 1e-10)
        residual = residual / free[:, None]
        error = np.mean(residual**2, axis=0)
        better = error < best
        best[better], chosen[better] = error[better], penalty
        left_out[:, better] = (targets - residual)[:, better]
    dual = vectors @ (rotated / (values[:, None] + chosen))
    return RidgeFit(mean + test @ dual, left_out, chosen)


def _mean_square(gram: np.ndarray) -> float:
    """Mean squared length of the samples; 1 where none has any."""
    return float(np.trace(gram)) / len(gram) or 1.0


def thresholds(left_out: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Cut halfway between the classes' mean leave-one-out predictions.

    It gives both classes the same weight whatever their sizes, from training samples alone.

    Parameters
    ----------
    left_out : array of shape (n_train, n_targets)
        See `RidgeFit`.
    targets : array of shape (n_train, n_targets)
        The targets it was fitted to; those above 0 are the positive class.

    Returns
    -------
    array of shape (n_targets,)
        Relative to the mean target: subtract both from a prediction. 0 where a class is absent.

    Notes
    -----
    Each leave-one-out prediction is taken relative to the mean target of the samples it was
    fitted to. That mean moves against the sample left out, which would otherwise shift the cut
    towards the larger class whenever the features say little.
    """
    n = len(targets)
    left_out = left_out - (targets.sum(axis=0) - targets) / max(n - 1, 1)
    positive = targets > 0
    n_positive = positive.sum(axis=0)
    n_negative = len(positive) - n_positive
    first = np.where(positive, left_out, 0.0).sum(axis=0) / np.maximum(n_positive, 1)
    second = np.where(positive, 0.0, left_out).sum(axis=0) / np.maximum(n_negative, 1)
    both = (n_positive > 0) & (n_negative > 0)
    cut: np.ndarray = np.where(both, (first + second) / 2, 0.0)
    return cut


def kernel_logistic(
    train: np.ndarray,
    test: np.ndarray,
    positive: np.ndarray,
    *,
    n_inner: int = 5,
    seed: int = 0,
) -> np.ndarray:
    """Decision values of l2 logistic regression, its penalty by inner stratified folds.

    Parameters
    ----------
    train, test : arrays
        As for `kernel_ridge`.
    positive : array of bool of shape (n_train,)
        Class of the training samples; the classes weigh the same.
    n_inner : int
        Inner folds; fewer where a class is smaller.
    seed : int
        Seed of the inner folds.

    Returns
    -------
    array of shape (n_test,)
        Log odds for the positive class; all zero where a class has fewer than two samples, or no
        feature varies.

    Notes
    -----
    sklearn's `LogisticRegression` on the coordinates ``U sqrt(s)`` of the samples, which have the
    same inner products as the features and hence the same solution.
    """
    import sklearn
    from sklearn.model_selection import StratifiedKFold

    smallest = int(min(positive.sum(), (~positive).sum()))
    if smallest < 2:
        return np.zeros(len(test))
    values, vectors = np.linalg.eigh(train)
    kept = values > values[-1] * 1e-10
    if not kept.any():  # features that do not vary
        return np.zeros(len(test))
    root = np.sqrt(values[kept])
    scale = np.sqrt(_mean_square(train))
    samples = vectors[:, kept] * root / scale
    splitter = StratifiedKFold(min(n_inner, smallest), shuffle=True, random_state=seed)
    inner = list(splitter.split(samples, positive))
    # Thousands of small fits: the checks of each would cost more than the fit.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        losses = [_log_loss(samples, positive, inner, strength) for strength in _STRENGTHS]
        model = _logistic(_STRENGTHS[int(np.argmin(losses))]).fit(samples, positive)
        decision: np.ndarray = model.decision_function(test @ vectors[:, kept] / root / scale)
    return decision


def _logistic(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(
        C=strength, class_weight="balanced", solver="newton-cholesky", max_iter=100
    )


def _log_loss(
    samples: np.ndarray,
    positive: np.ndarray,
    inner: list[tuple[np.ndarray, np.ndarray]],
    strength: float,
) -> float:
    total = 0.0
    for train, test in inner:
        odds = _logistic(strength).fit(samples[train], positive[train])
        decision = odds.decision_function(samples[test])
        total += float(np.logaddexp(0.0, np.where(positive[test], -decision, decision)).sum())
    return total / len(positive)
