"""Scores of filled-in ROIs over the subjects of a dataset: pooled, with intervals, side by side.

Axis legend: s subjects, q mask ratios, p predictors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.stats.resampling import Interval, bootstrap_weights, percentile_interval

__all__ = ["Pooled", "pooled_scores", "score_difference"]


@dataclass(frozen=True)
class Pooled:
    """Masked R2 of one predictor at one ratio.

    Parameters
    ----------
    predictor : str
    ratio : float
    value : float
        Pooled over all left-out subjects, mean over seeds.
    interval : (float, float) or None
        95 % bootstrap interval over subjects; None of a single one.
    seed_sd : float
        Standard deviation over seeds; NaN of one.
    n : int
        Subjects.
    """

    predictor: str
    ratio: float
    value: float
    interval: Interval | None
    seed_sd: float
    n: int


def _sums(scores: pd.DataFrame, predictor: str, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Sums of squares about the prediction and about the mean, of shape (n_seeds, n_subjects)."""
    rows = scores[
        (scores["predictor"] == predictor)
        & np.isclose(scores["ratio"], ratio)
        & (scores["segments"] == "all")
    ]
    seed = rows["model"].str.partition("_")[0]
    rows = rows.assign(seed=seed)
    tables = [
        rows.pivot_table(index="seed", columns="subject", values=name, aggfunc="sum")
        for name in ("sse", "sst")
    ]
    sse, sst = (table.to_numpy(float) for table in tables)
    return np.nan_to_num(sse), np.nan_to_num(sst)


def _r2(sse: np.ndarray, sst: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """R2 pooled over weighted subjects, mean over seeds; weights of shape (n_draws, n_subjects)."""
    values: np.ndarray = (1 - (weights @ sse.T) / (weights @ sst.T)).mean(axis=1)
    return values


def pooled_scores(scores: pd.DataFrame, *, n_resamples: int, seed: int) -> list[Pooled]:
    """Pool the scores of left-out runs.

    Parameters
    ----------
    scores : pandas.DataFrame
        Rows of `neuropipe.brainmae.heldout.heldout_scores` of several models, with the column
        ``model`` (its name tells the seed).
    n_resamples : int
        Of the subjects.
    seed : int

    Returns
    -------
    list of Pooled
        Predictor by predictor in the order of the table, ratios rising.
    """
    found = []
    known = scores[scores["segments"] == "all"]
    for predictor in dict.fromkeys(known["predictor"]):
        for ratio in sorted(set(known["ratio"])):
            sse, sst = _sums(known, predictor, ratio)
            n = sse.shape[1]
            of_seeds = 1 - sse.sum(axis=1) / sst.sum(axis=1)
            interval = None
            if n > 1:
                weights = bootstrap_weights(n, n_resamples, np.random.default_rng(seed))
                interval = percentile_interval(_r2(sse, sst, weights))
            spread = float(of_seeds.std(ddof=1)) if len(of_seeds) > 1 else float("nan")
            value = float(of_seeds.mean())
            found.append(Pooled(predictor, float(ratio), value, interval, spread, n))
    return found


def score_difference(
    scores: pd.DataFrame, ratio: float, first: str, second: str, *, n_resamples: int, seed: int
) -> tuple[float, Interval | None]:
    """How much more of the variance one predictor explains than another.

    Parameters
    ----------
    scores : pandas.DataFrame
        See `pooled_scores`.
    ratio : float
    first, second : str
        Predictors.
    n_resamples, seed : int

    Returns
    -------
    difference : float
    interval : (float, float) or None
        95 % paired bootstrap interval over subjects.
    """
    one, other = _sums(scores, first, ratio), _sums(scores, second, ratio)
    n = one[0].shape[1]
    everybody = np.ones((1, n))
    value = float((_r2(*one, everybody) - _r2(*other, everybody))[0])
    if n < 2:
        return value, None
    weights = bootstrap_weights(n, n_resamples, np.random.default_rng(seed))
    return value, percentile_interval(_r2(*one, weights) - _r2(*other, weights))
