"""Features of a run beyond static connectivity: hidden states, and linear decoders of any features.

Both kinds of states (k-means of sliding-window connectivity, hidden Markov model) are learnt from
training runs; a run is then told by how its states follow each other. Static and tangent
connectivity stand in `neuropipe.stats.connectivity_matrices`, third-order features in
`neuropipe.brainmae.coskewness`.

Axis legend: t samples, n ROIs, e edges, w windows, c components, k states, f features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np

from neuropipe.brainmae.coskewness import CoskewnessConnectivity
from neuropipe.brainmae.run_series import (
    FEWEST_SAMPLES,
    Run,
    principal_axes,
    resampled,
    standardised,
    windowed_edges,
)
from neuropipe.errors import InputError, UnfitRecordingError

__all__ = [
    "CoskewnessConnectivity",
    "HiddenMarkovStates",
    "Run",
    "SlidingWindowStates",
    "decide",
    "state_features",
]

_STRENGTHS = np.logspace(-3, 3, 7)  # inverse penalties over the mean squared length of a sample
_MOST_WINDOWS = 5000  # training windows that the components and states are learnt from


class _States:
    """What both kinds of states share: from paths to features."""

    n_states: int

    def fit(self, runs: Sequence[Run], y: object = None) -> Self:
        """Learn from training runs; `y` is not looked at."""
        raise NotImplementedError

    def fit_transform(self, runs: Sequence[Run], y: object = None) -> np.ndarray:
        """Learn from training runs and describe them."""
        return self.fit(runs, y).transform(runs)

    def path(self, run: Run) -> tuple[np.ndarray, float]:
        """States of a run and the time between them in s."""
        raise NotImplementedError

    def transform(self, runs: Sequence[Run]) -> np.ndarray:
        """Describe runs by their states.

        Parameters
        ----------
        runs : sequence of Run
            Of any length and sampling rate; a run's features do not depend on the other runs.

        Returns
        -------
        array of shape (n_runs, n_features)
            See `state_features`.
        """
        return np.stack([state_features(*self.path(run), self.n_states) for run in runs])


class SlidingWindowStates(_States):
    """States of sliding-window connectivity by k-means (Allen et al. 2014).

    Parameters
    ----------
    n_states : int
    window : float
        In s; 30 to 60 s is usual (Leonardi & Van De Ville 2015: at least one period of the slowest
        oscillation left in the data).
    step : float, optional
        Between windows, in s; half a window by default.
    n_components : int
        Principal components of the edges (learnt from training windows) in which k-means runs.
    centre : bool
        Take off each run's mean connectivity first, so that states are no subjects.
    seed : int
        Of components and k-means.
    """

    def __init__(
        self,
        n_states: int = 5,
        window: float = 30.0,
        step: float | None = None,
        *,
        n_components: int = 30,
        centre: bool = True,
        seed: int = 0,
    ) -> None:
        self.n_states = n_states
        self.window = window
        self.step = window / 2 if step is None else step
        self.n_components = n_components
        self.centre = centre
        self.seed = seed

    def fit(self, runs: Sequence[Run], y: object = None) -> Self:  # noqa: ARG002
        """Learn components and states from training runs; `y` is not looked at."""
        from sklearn.cluster import KMeans
        from sklearn.decomposition import PCA

        rows = np.concatenate([self._edges(run)[0] for run in runs])
        _check_number(len(rows), self.n_states, "windows")
        if len(rows) > _MOST_WINDOWS:
            rng = np.random.default_rng(self.seed)
            rows = rows[np.sort(rng.permutation(len(rows))[:_MOST_WINDOWS])]
        n_components = min(self.n_components, len(rows) - 1, rows.shape[1])
        self.pca_ = PCA(n_components, random_state=self.seed).fit(rows)
        reduced = self.pca_.transform(rows)
        self.kmeans_ = KMeans(self.n_states, n_init=10, random_state=self.seed).fit(reduced)
        return self

    def path(self, run: Run) -> tuple[np.ndarray, float]:
        """State of each window of a run and the time between windows in s."""
        rows, step = self._edges(run)
        return self.kmeans_.predict(self.pca_.transform(rows)), step

    def _edges(self, run: Run) -> tuple[np.ndarray, float]:
        rows, step = windowed_edges(run, self.window, self.step)
        return rows - rows.mean(axis=0) if self.centre else rows, step


class HiddenMarkovStates(_States):
    """States of a Gaussian hidden Markov model with full covariances (Vidaurre et al. 2017).

    Expectation-maximisation starts at the covariances of windows that k-means puts together: from
    equal covariances it finds amplitudes rather than networks.

    Parameters
    ----------
    n_states : int
    n_components : int
        Principal components of the ROIs, learnt from training runs and whitened.
    sampling_rate : float, optional
        To which all runs are brought, in Hz; the lowest of the training runs by default.
    window : float
        Of the start, in s.
    n_iter : int
        Most iterations of expectation-maximisation.
    seed : int
        Of k-means.
    """

    def __init__(
        self,
        n_states: int = 5,
        *,
        n_components: int = 10,
        sampling_rate: float | None = None,
        window: float = 30.0,
        n_iter: int = 50,
        seed: int = 0,
    ) -> None:
        self.n_states = n_states
        self.n_components = n_components
        self.sampling_rate = sampling_rate
        self.window = window
        self.n_iter = n_iter
        self.seed = seed

    def fit(self, runs: Sequence[Run], y: object = None) -> Self:  # noqa: ARG002
        """Learn components and states from training runs; `y` is not looked at."""
        lowest = min(run.sampling_rate for run in runs)
        self.sampling_rate_ = self.sampling_rate or lowest
        self.axes_ = principal_axes([standardised(run.values) for run in runs], self.n_components)
        series = [self._reduced(run) for run in runs]
        self.hmm_ = self._started(series)
        self.hmm_.fit(np.concatenate(series), [len(part) for part in series])
        return self

    def path(self, run: Run) -> tuple[np.ndarray, float]:
        """Likeliest state (Viterbi) of each sample of a run and the time between samples in s."""
        return self.hmm_.predict(self._reduced(run)), 1 / self.sampling_rate_

    def _reduced(self, run: Run) -> np.ndarray:
        scores = standardised(run.values) @ self.axes_
        return resampled(scores, run.sampling_rate, self.sampling_rate_)

    def _started(self, series: Sequence[np.ndarray]) -> Any:
        from hmmlearn.hmm import GaussianHMM  # type: ignore[import-untyped,unused-ignore]
        from sklearn.cluster import KMeans

        length = max(round(self.window * self.sampling_rate_), FEWEST_SAMPLES)
        parts = [
            part[start : start + length]
            for part in series
            for start in range(0, len(part) - length + 1, length)
        ]
        _check_number(len(parts), self.n_states, "windows")
        covariances = np.stack([part.T @ part / length for part in parts])
        n, n_axes = self.n_states, covariances.shape[1]
        upper = np.triu_indices(n_axes)
        kmeans = KMeans(n, n_init=10, random_state=self.seed)
        label = kmeans.fit_predict(covariances[:, upper[0], upper[1]])
        # The priors weigh as much as one sample: a state that dies out stays defined.
        hmm = GaussianHMM(
            n, "full", n_iter=self.n_iter, tol=1e-4 * sum(map(len, series)), init_params="",
            random_state=self.seed, startprob_prior=2.0, transmat_prior=2.0, means_weight=1.0,
            covars_prior=np.broadcast_to(np.eye(n_axes), (n, n_axes, n_axes)),
            covars_weight=n_axes + 1.0,
        )  # fmt: skip
        stay = 1 - 1 / max(length, 2)
        hmm.startprob_ = np.full(n, 1 / n)
        hmm.transmat_ = np.full((n, n), (1 - stay) / max(n - 1, 1))
        np.fill_diagonal(hmm.transmat_, stay if n > 1 else 1.0)
        hmm.means_ = np.zeros((n, n_axes))
        hmm.covars_ = np.stack(
            [
                (covariances[label == k].sum(axis=0) + np.eye(n_axes)) / ((label == k).sum() + 1)
                for k in range(n)
            ]
        )
        return hmm


def state_features(path: np.ndarray, step: float, n_states: int) -> np.ndarray:
    """Describe how the states of a run follow each other.

    Parameters
    ----------
    path : array of int of shape (n_steps,)
        State at each step.
    step : float
        Time between steps in s.
    n_states : int

    Returns
    -------
    array of shape (2 + 2 * n_states + n_states ** 2,)
        Changes of state a minute; mean dwell time in s; each state's share of time; each state's
        mean dwell time in s (0 where it is never visited); probabilities of the next state, row by
        row (one pseudo-count a row: uniform where a state is never left). Visits that the start or
        the end of the run cuts count as they are.
    """
    changes = np.flatnonzero(np.diff(path)) + 1
    bounds = np.concatenate([[0], changes, [len(path)]])
    lengths = np.diff(bounds) * step
    visited = path[bounds[:-1]]
    visits = np.bincount(visited, minlength=n_states)
    dwell = np.bincount(visited, lengths, minlength=n_states) / np.maximum(visits, 1)
    follow = np.full((n_states, n_states), 1 / n_states)
    np.add.at(follow, (path[:-1], path[1:]), 1)
    follow /= follow.sum(axis=1, keepdims=True)
    rate = 60 * len(changes) / (max(len(path) - 1, 1) * step)
    share = np.bincount(path, minlength=n_states) / len(path)
    return np.concatenate([[rate, lengths.mean()], share, dwell, follow.ravel()])


def decide(
    train_features: np.ndarray,
    train_labels: Sequence[object] | np.ndarray,
    test_features: np.ndarray,
    kind: Literal["logistic", "svm"] = "logistic",
    *,
    n_inner: int = 5,
    seed: int = 0,
) -> np.ndarray:
    """Decision values of a linear classifier, its penalty by inner cross-validation.

    Parameters
    ----------
    train_features : array of shape (n_train, n_features)
        Such as the upper triangle of the connectivity matrix; finite.
    train_labels : sequence of length n_train
    test_features : array of shape (n_test, n_features)
    kind : {"logistic", "svm"}
        l2 logistic regression or linear support vector machine; classes weigh the same.
    n_inner : int
        Inner stratified folds; fewer where a class is smaller.
    seed : int
        Of the inner folds.

    Returns
    -------
    array of shape (n_test,) or (n_test, n_classes)
        Above 0 for the second of two classes in sorted order; all 0 where no feature varies.

    Raises
    ------
    InputError
        If a value is missing.
    UnfitRecordingError
        If there are fewer than two classes, or a class has fewer than two samples.

    Notes
    -----
    Features are standardised by the training samples and rotated onto their principal axes: this
    keeps all inner products, hence the solution, and makes each of the many fits as small as the
    number of samples. The penalty is chosen by the ROC area (balanced accuracy for more classes).
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    if not (np.isfinite(train_features).all() and np.isfinite(test_features).all()):
        raise InputError("features hold missing values", "finite values", "leave those runs out")
    classes, codes, count = np.unique(
        np.asarray(train_labels), return_inverse=True, return_counts=True
    )
    _check_number(len(classes), 2, "classes")
    _check_number(int(count.min()), 2, "samples of the smallest class")
    varying = np.ptp(train_features, axis=0) > 0
    if not varying.any():
        shape = (len(test_features),) if len(classes) == 2 else (len(test_features), len(classes))
        return np.zeros(shape)
    model = (
        LogisticRegression(class_weight="balanced", max_iter=1000)
        if kind == "logistic"
        else LinearSVC(class_weight="balanced", max_iter=10_000, random_state=seed)
    )
    search = GridSearchCV(
        model,
        {"C": _STRENGTHS / varying.sum()},
        scoring="roc_auc" if len(classes) == 2 else "balanced_accuracy",
        cv=StratifiedKFold(min(n_inner, int(count.min())), shuffle=True, random_state=seed),
    )
    pipeline = make_pipeline(StandardScaler(), PCA(svd_solver="full"), search)
    pipeline.fit(train_features[:, varying], codes)
    return np.asarray(pipeline.decision_function(test_features[:, varying]))


def _check_number(found: int, needed: int, what: str) -> None:
    if found < needed:
        raise UnfitRecordingError(
            f"{found} {what} in the training data", f"at least {needed}", "add training runs"
        )
