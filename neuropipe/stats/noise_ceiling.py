"""How much of a response can be predicted at all: ceilings from repeated stimuli.

One model underlies all of them: a response is ``signal(stimulus) + noise``, with independent noise
of variance e^2 in each repeat and signal variance s^2 across stimuli. Axes: r repeats, s stimuli,
u units, k random splits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.errors import InputError

_ROUNDING = 1e-28  # squared rounding errors of float64 sums, relative to the squared values
_CHUNK = 4_000_000  # numbers per block of split sums, about 16 MB


@dataclass(frozen=True)
class VarianceParts:
    """Signal and noise of every unit.

    Parameters
    ----------
    signal : array of shape (n_units,)
        Variance s^2 of the noise-free responses across stimuli, at least 0.
    noise : array of shape (n_units,)
        Variance e^2 of single trials around them.
    total : array of shape (n_units,)
        Variance of all single trials, around their grand mean.
    repeats : array of shape (n_units,)
        Harmonic mean of the repeats per stimulus: ``1 / mean(1 / n)``.
    """

    signal: np.ndarray
    noise: np.ndarray
    total: np.ndarray
    repeats: np.ndarray


def variance_parts(responses: np.ndarray) -> VarianceParts:
    """Part the variance of repeated responses into signal and noise.

    Parameters
    ----------
    responses : array of shape (n_repeats, n_stimuli, n_units)
        Single-trial responses in any unit; NaN where a trial is missing. Stimuli may differ in
        their number of repeats; those with a single one inform the signal only.

    Returns
    -------
    VarianceParts
        NaN for units with fewer than two stimuli of two repeats.

    Raises
    ------
    InputError
        If the array has other axes, or no unit has two stimuli with two repeats.

    Notes
    -----
    Noise is the pooled variance within stimuli. The variance of the stimulus means holds
    ``s^2 + e^2 mean(1/n)``; the second part is taken off (Allen et al. 2022, Methods, "Noise
    ceiling estimation").
    """
    trials = _checked(responses)
    known = np.isfinite(trials)
    count = known.sum(axis=0)  # (s, u)
    filled = np.where(known, trials, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(count > 0, filled.sum(axis=0) / count, np.nan)  # (s, u)
        residual = np.where(known, trials - means, 0.0)
        freedom = np.maximum(count - 1, 0).sum(axis=0)
        noise = (residual**2).sum(axis=(0, 1)) / freedom
        shown = count > 0
        inverse = np.where(shown, 1 / count, 0.0).sum(axis=0) / shown.sum(axis=0)
        signal = np.maximum(_variance(means, shown) - noise * inverse, 0.0)
        total = _variance(
            filled.reshape(-1, trials.shape[2]), known.reshape(-1, trials.shape[2]), 0
        )
        repeats = 1 / inverse
        # What rounding leaves of a unit that repeats exactly, or never varies, is not variance.
        floor = _ROUNDING * (filled**2).sum(axis=(0, 1)) / known.sum(axis=(0, 1))
    noise, signal, total = (np.where(part <= floor, 0.0, part) for part in (noise, signal, total))
    usable = (count >= 2).sum(axis=0) >= 2
    parts = (np.where(usable, part, np.nan) for part in (signal, noise, total, repeats))
    return VarianceParts(*parts)


def noise_ceiling(responses: np.ndarray, n_averaged: float | None = None) -> np.ndarray:
    """Share of each unit's variance that a perfect model could explain.

    Parameters
    ----------
    responses : array of shape (n_repeats, n_stimuli, n_units)
        Single-trial responses in any unit; NaN where a trial is missing.
    n_averaged : float, optional
        Number of repeats that are averaged before a model is scored; by default those present.

    Returns
    -------
    array of shape (n_units,)
        Ceiling in [0, 1] for the mean over repeats; NaN where fewer than two repeats exist, or
        where the unit never varies.

    Raises
    ------
    InputError
        If no unit has two stimuli with two repeats.

    Notes
    -----
    NC = s^2 / (s^2 + e^2 / n), Allen et al. 2022, eq. 4; for unequal repeats 1/n is averaged.
    """
    return ceiling_of_mean(variance_parts(responses), n_averaged)


def ceiling_of_mean(parts: VarianceParts, n_averaged: float | None = None) -> np.ndarray:
    """Noise ceiling of the mean over `n_averaged` repeats; see `noise_ceiling`."""
    n = parts.repeats if n_averaged is None else n_averaged
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(parts.signal / (parts.signal + parts.noise / n))


def noise_ceiling_snr(parts: VarianceParts) -> np.ndarray:
    """Signal-to-noise ratio s / e of single trials (``ncsnr``).

    Returns
    -------
    array of shape (n_units,)
        Infinite where there is signal but no noise; NaN where there is neither.

    Notes
    -----
    Allen et al. 2022, Methods, "Noise ceiling estimation".
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(parts.signal) / np.sqrt(parts.noise))


def explainable_variance(responses: np.ndarray, *, bias_correction: bool = True) -> np.ndarray:
    """Share of the single trials' variance that repeats across presentations.

    Parameters
    ----------
    responses : array of shape (n_repeats, n_stimuli, n_units)
        Single-trial responses; NaN where a trial is missing.
    bias_correction : bool
        Take off what the mean over few repeats explains by chance.

    Returns
    -------
    array of shape (n_units,)
        At most 1; below 0 by chance where nothing repeats. NaN as in `variance_parts`.

    Raises
    ------
    InputError
        As in `variance_parts`.

    Notes
    -----
    ``EV = 1 - var(residual) / var(total)`` and ``EV - (1 - EV) / (n - 1)`` when corrected (Sahani &
    Linden 2003; Hsu, Borst & Theunissen 2004). With the pooled variance within stimuli e^2 the
    corrected form is ``1 - e^2 / var(total)``, which also holds for unequal repeats.
    """
    trials = _checked(responses)
    parts = variance_parts(trials)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = parts.noise / parts.total
        if not bias_correction:
            count = np.isfinite(trials).sum(axis=0)
            ratio = ratio * np.maximum(count - 1, 0).sum(axis=0) / count.sum(axis=0)
        return np.asarray(1 - ratio)


def feve(predictions: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """Fraction of the explainable variance that a prediction explains.

    Parameters
    ----------
    predictions : array of shape (n_stimuli, n_units)
        Predicted responses, in the unit of `responses`.
    responses : array of shape (n_repeats, n_stimuli, n_units)
        Single-trial responses; NaN where a trial is missing.

    Returns
    -------
    array of shape (n_units,)
        1 for the noise-free responses, 0 for the grand mean; NaN where nothing is explainable.

    Raises
    ------
    InputError
        If the shapes do not fit, or as in `variance_parts`.

    Notes
    -----
    ``1 - (MSE - e^2) / (var(total) - e^2)``, Cadena et al. 2019.
    """
    trials = _checked(responses)
    if predictions.shape != trials.shape[1:]:
        raise InputError(
            f"predictions have shape {predictions.shape}",
            f"(n_stimuli, n_units) = {trials.shape[1:]}",
            "predict the stimuli of the responses",
        )
    parts = variance_parts(trials)
    explainable = parts.total - parts.noise
    with np.errstate(invalid="ignore", divide="ignore"):
        squared = np.nansum((trials - predictions) ** 2, axis=(0, 1))
        error = squared / np.isfinite(trials).sum(axis=(0, 1))
        return np.where(explainable > 0, 1 - (error - parts.noise) / explainable, np.nan)


def spearman_brown(correlation: np.ndarray) -> np.ndarray:
    """Reliability of a whole from the correlation of its halves.

    Notes
    -----
    ``2 r / (1 + r)``, Spearman 1910, Brown 1910.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(2 * correlation / (1 + correlation))


def split_half_reliability(
    responses: np.ndarray,
    rng: np.random.Generator,
    *,
    n_splits: int = 100,
    corrected: bool = True,
) -> np.ndarray:
    """Correlate the stimulus means of random halves of the repeats.

    Parameters
    ----------
    responses : array of shape (n_repeats, n_stimuli, n_units)
        Single-trial responses; NaN where a trial is missing. Each stimulus is halved by itself, so
        repeats may be unequal; of an odd number the halves differ by one.
    rng : numpy.random.Generator
        Draws the halves.
    n_splits : int
        Number of random halves, over which the correlations are averaged.
    corrected : bool
        Apply Spearman-Brown to the average, to speak of all repeats instead of half of them.

    Returns
    -------
    array of shape (n_units,)
        At most 1; NaN where fewer than three stimuli have two repeats or a unit never varies.

    Raises
    ------
    InputError
        As in `variance_parts`.
    """
    trials = _checked(responses)
    known = np.isfinite(trials)
    patterns, members = _patterns(known)
    result = np.full(trials.shape[2], np.nan)
    for pattern, units in zip(patterns, members, strict=True):
        enough = pattern.sum(axis=0) >= 2
        if enough.sum() >= 3:
            block = trials[:, enough][:, :, units]
            result[units] = _mean_split_correlation(block, pattern[:, enough], rng, n_splits)
    return spearman_brown(result) if corrected else result


def _patterns(known: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Group units whose trials are missing in the same places."""
    if (known == known[:, :, :1]).all():
        return [known[:, :, 0]], [np.arange(known.shape[2])]
    flat = known.reshape(-1, known.shape[2]).T
    unique, inverse = np.unique(flat, axis=0, return_inverse=True)
    patterns = [row.reshape(known.shape[:2]) for row in unique]
    return patterns, [np.flatnonzero(inverse == i) for i in range(len(patterns))]


def _mean_split_correlation(
    trials: np.ndarray, known: np.ndarray, rng: np.random.Generator, n_splits: int
) -> np.ndarray:
    """Average the correlation of half means, (r, s, u) and (r, s) -> (u,)."""
    _, n_stimuli, n_units = trials.shape
    filled = np.where(known[:, :, None], trials, 0.0).transpose(1, 0, 2)  # (s, r, u)
    mask = known.T[:, None, :]  # (s, 1, r)
    count = known.sum(axis=0)[:, None, None]  # (s, 1, 1)
    half = count // 2
    total = filled.sum(axis=1)[:, None, :]  # (s, 1, u)
    step = max(1, _CHUNK // (n_stimuli * max(n_units, trials.shape[0])))
    correlations = np.zeros(n_units)
    for start in range(0, n_splits, step):
        k = min(step, n_splits - start)
        keys = np.where(mask, rng.random((n_stimuli, k, trials.shape[0])), 2.0)
        ranks = keys.argsort(axis=2).argsort(axis=2)
        first = (ranks < half).astype(filled.dtype) @ filled  # (s, k, u)
        second = (total - first) / (count - half)
        correlations += _correlation(first / half, second).sum(axis=0)
    return correlations / n_splits


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation over the first axis, NaN where either side never varies."""
    a = a - a.mean(axis=0)
    b = b - b.mean(axis=0)
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(scale > 0, (a * b).sum(axis=0) / scale, np.nan))


def _variance(values: np.ndarray, known: np.ndarray, ddof: int = 1) -> np.ndarray:
    """Variance over the first axis of the known values."""
    count = known.sum(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0) / count
    squares = np.where(known, values - mean, 0.0) ** 2
    return np.asarray(squares.sum(axis=0) / (count - ddof))


def _checked(responses: np.ndarray) -> np.ndarray:
    trials = np.asarray(responses, dtype=np.float64)
    if trials.ndim != 3:
        raise InputError(
            f"responses have {trials.ndim} axes",
            "(n_repeats, n_stimuli, n_units)",
            "add the missing axis",
        )
    repeated = (np.isfinite(trials).sum(axis=0) >= 2).sum(axis=0) >= 2
    if not repeated.any():
        raise InputError(
            f"responses of shape {trials.shape} hold no repeats",
            "a unit with two repeats of at least two stimuli",
            "give single trials instead of their mean",
        )
    return trials
