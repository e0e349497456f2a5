"""Masks over ROIs, the score of what is filled in, and the two simplest ways to fill it in.

A predictor is fitted on training segments and fills in ROIs that are hidden for a whole segment.
All predictors share one contract (`Predictor`), so that a table can hold them side by side.

Axis legend: r runs, k segments of a run in time order and without gaps, n ROIs, l samples of a
segment.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, Self

import numpy as np

from neuropipe.errors import InputError

__all__ = [
    "Interpolation",
    "Mean",
    "Predictor",
    "centred",
    "check_segments",
    "draw_masks",
    "evaluation_masks",
    "filled",
    "masked_r2",
    "neighbours",
    "squared_errors",
    "training_mean",
]


class Predictor(Protocol):
    """What fills in hidden ROIs of segments."""

    name: ClassVar[str]
    #: Whether a mask costs so much that a score may rest on some of the segments. A slow predictor
    #: looks at nothing beyond the segment that it fills in.
    slow: ClassVar[bool]

    def fit(self, x: np.ndarray, present: np.ndarray) -> Self:
        """Learn from training segments.

        Parameters
        ----------
        x : array of shape (n_runs, n_segments, n_rois, n_samples)
            z-scored; values that are not present are not looked at.
        present : array of bool of shape (n_runs, n_segments, n_rois)
        """
        ...

    def predict(self, x: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Fill in what is not visible.

        Parameters
        ----------
        x : array of shape (n_runs, n_segments, n_rois, n_samples)
            Values that are not visible are not looked at.
        visible : array of bool of shape (n_runs, n_segments, n_rois)
            False for a missing ROI, too.

        Returns
        -------
        array of the shape and dtype of `x`
            `x` where it is visible.
        """
        ...


def draw_masks(
    rng: np.random.Generator, n_runs: int, n_segments: int, n_rois: int, ratio: float
) -> np.ndarray:
    """Hide ``round(ratio * n_rois)`` random ROIs of every segment, independently.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_runs, n_segments, n_rois : int
    ratio : float
        Share of ROIs to hide, in [0, 1].

    Returns
    -------
    array of bool of shape (n_runs, n_segments, n_rois)
        True where the ROI stays visible.

    Raises
    ------
    InputError
        If the ratio lies outside [0, 1].
    """
    if not 0 <= ratio <= 1:
        raise InputError(f"a mask ratio of {ratio}", "a share in [0, 1]", "change the ratio")
    order = rng.random((n_runs, n_segments, n_rois)).argsort(axis=-1)
    visible: np.ndarray = order >= round(ratio * n_rois)
    return visible


def evaluation_masks(
    n_runs: int, n_segments: int, n_rois: int, ratio: float, seed: int
) -> np.ndarray:
    """Masks of `draw_masks` on which everything is scored that shall be compared.

    Parameters
    ----------
    n_runs, n_segments, n_rois : int
    ratio : float
        Each ratio has a stream of its own: its masks do not depend on what else is scored.
    seed : int

    Returns
    -------
    array of bool of shape (n_runs, n_segments, n_rois)
        True where the ROI stays visible.
    """
    rng = np.random.default_rng([seed, round(ratio * 1_000_000)])
    return draw_masks(rng, n_runs, n_segments, n_rois, ratio)


def masked_r2(
    x: np.ndarray,
    predicted: np.ndarray,
    hidden: np.ndarray,
    reference: np.ndarray | float = 0.0,
) -> float:
    """Share of the variance of hidden entries that a prediction explains.

    Parameters
    ----------
    x, predicted : array of shape (n_runs, n_segments, n_rois, n_samples)
    hidden : array of bool of shape (n_runs, n_segments, n_rois)
        What is scored: hidden and not missing.
    reference : array of shape (n_rois,) or float
        Mean of the training data (`training_mean`), about which the variance is taken; 0 suits
        z-scored data. It is never the mean of the test data, so that predicting the training mean
        scores exactly 0.

    Returns
    -------
    float
        ``1 - SSE / SST`` pooled over all hidden entries; NaN without any.
    """
    sse, sst = squared_errors(x, predicted, hidden, reference)
    total = float(sst.sum())
    return 1 - float(sse.sum()) / total if total > 0 else float("nan")


def squared_errors(
    x: np.ndarray,
    predicted: np.ndarray,
    hidden: np.ndarray,
    reference: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of squares of each run; arguments as in `masked_r2`.

    Returns
    -------
    sse, sst : array of shape (n_runs,)
        Of the hidden entries, about the prediction and about the reference.
    """
    level = np.broadcast_to(np.asarray(reference, dtype=float), x.shape[2:3])
    sse, sst = np.zeros(len(x)), np.zeros(len(x))
    for run in range(len(x)):
        truth = x[run][hidden[run]].astype(float)
        sse[run] = ((truth - predicted[run][hidden[run]]) ** 2).sum()
        sst[run] = ((truth - level[np.nonzero(hidden[run])[1], None]) ** 2).sum()
    return sse, sst


def check_segments(x: np.ndarray, known: np.ndarray) -> None:
    """Refuse arrays that break the contract of `Predictor`.

    Raises
    ------
    InputError
        If shapes do not fit, or a value that is said to be known is not finite.
    """
    if x.ndim != 4 or known.shape != x.shape[:3] or known.dtype != bool:
        raise InputError(
            f"segments of shape {x.shape} and a {known.dtype} mask of shape {known.shape}",
            "(n_runs, n_segments, n_rois, n_samples) and a mask of the first three",
            "stack the segments of each run",
        )
    if not np.isfinite(x[known]).all():
        raise InputError(
            "segments with values that are not finite",
            "finite values wherever a ROI is present",
            "mark those segments as not present",
        )


def training_mean(x: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Mean of every ROI over all present samples.

    Parameters
    ----------
    x : array of shape (n_runs, n_segments, n_rois, n_samples)
    present : array of bool of shape (n_runs, n_segments, n_rois)

    Returns
    -------
    array of shape (n_rois,)
        0 for a ROI that is never present.
    """
    check_segments(x, present)
    total = np.where(present, np.where(present[..., None], x, 0).sum(axis=-1, dtype=float), 0.0)
    count = present.sum(axis=(0, 1)) * x.shape[3]
    mean: np.ndarray = total.sum(axis=(0, 1)) / np.maximum(count, 1)
    return mean


def centred(x: np.ndarray, known: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Take the mean off; what is not known becomes 0.

    Parameters
    ----------
    x : array of shape (n_runs, n_segments, n_rois, n_samples)
    known : array of bool of shape (n_runs, n_segments, n_rois)
    mean : array of shape (n_rois,)

    Returns
    -------
    array of float64 of the shape of `x`
    """
    return np.where(known[..., None], x - mean[:, None], 0.0)


def filled(
    x: np.ndarray, visible: np.ndarray, mean: np.ndarray, deviation: np.ndarray
) -> np.ndarray:
    """Put together what is given and what is predicted.

    Parameters
    ----------
    x : array of shape (n_runs, n_segments, n_rois, n_samples)
    visible : array of bool of shape (n_runs, n_segments, n_rois)
    mean : array of shape (n_rois,)
    deviation : array of the shape of `x`
        Predicted deviation from the mean.

    Returns
    -------
    array of the shape and dtype of `x`
    """
    return np.where(visible[..., None], x, deviation + mean[:, None]).astype(x.dtype)


class Mean:
    """The training mean of every ROI: the zero of the scale."""

    name: ClassVar[str] = "mean"
    slow: ClassVar[bool] = False

    mean_: np.ndarray

    def fit(self, x: np.ndarray, present: np.ndarray) -> Self:
        """Learn from training segments; see `Predictor`."""
        self.mean_ = training_mean(x, present)
        return self

    def predict(self, x: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Fill in what is not visible; see `Predictor`."""
        check_segments(x, visible)
        return filled(x, visible, self.mean_, np.zeros(x.shape))


class Interpolation(Mean):
    """Straight line over time between the nearest visible segments of the same ROI.

    Before the first and after the last visible segment its nearest value is held. A ROI that is
    never visible in its run has its training mean.
    """

    name: ClassVar[str] = "interpolation"

    def predict(self, x: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Fill in what is not visible; see `Predictor`."""
        check_segments(x, visible)
        z = centred(x, visible, self.mean_)
        n_samples = x.shape[3]
        before, after = neighbours(visible)
        left, right = before >= 0, after >= 0
        # Index -1 reads some value of the other end; the masks below drop it.
        first = np.take_along_axis(z[..., -1], before, axis=1)
        last = np.take_along_axis(z[..., 0], after, axis=1)
        first, last = np.where(left, first, last), np.where(right, last, first)
        segment = np.arange(x.shape[1])[:, None]
        start = np.where(left, (segment - before) * n_samples - n_samples + 1, 1)
        stop = np.where(right, (after - segment) * n_samples, n_samples)
        steps = np.arange(n_samples)
        share = (steps + start[..., None]) / (start + stop)[..., None]
        line = first[..., None] * (1 - share) + last[..., None] * share
        return filled(x, visible, self.mean_, np.where((left | right)[..., None], line, 0.0))


def neighbours(visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest visible segments of the same ROI, before and after each segment.

    Parameters
    ----------
    visible : array of bool of shape (n_runs, n_segments, n_rois)

    Returns
    -------
    before, after : array of int of shape (n_runs, n_segments, n_rois)
        Index of the segment (its own where it is visible itself); -1 where there is none.
    """
    n_segments = visible.shape[1]
    index = np.arange(n_segments)[:, None]
    before = np.maximum.accumulate(np.where(visible, index, -1), axis=1)
    flipped = np.where(visible, index, n_segments)[:, ::-1]
    after = np.minimum.accumulate(flipped, axis=1)[:, ::-1]
    return before, np.where(after == n_segments, -1, after)
