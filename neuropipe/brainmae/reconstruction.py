"""Linear baselines of masked reconstruction, scored on shared masks.

Each fills in ROIs that are hidden for a whole segment; a network is scored beside them on the very
same entries (`evaluation_masks`, `scored_entries`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from neuropipe.brainmae.autoregressive import Autoregressive
from neuropipe.brainmae.gaussian_imputation import Pca, Ridge, Wiener
from neuropipe.brainmae.imputation import (
    Interpolation,
    Mean,
    Predictor,
    check_segments,
    draw_masks,
    evaluation_masks,
    masked_r2,
    squared_errors,
    training_mean,
)
from neuropipe.brainmae.spatiotemporal import SpatioTemporalWiener
from neuropipe.errors import InputError

__all__ = [
    "Autoregressive",
    "Interpolation",
    "Mean",
    "Pca",
    "Predictor",
    "Ridge",
    "SpatioTemporalWiener",
    "Wiener",
    "default_predictors",
    "draw_masks",
    "drawn_segments",
    "evaluation_masks",
    "masked_r2",
    "named_predictors",
    "pooled_r2",
    "score_predictors",
    "score_rows",
    "squared_errors",
]

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def default_predictors(seed: int = 0) -> list[Predictor]:
    """All baselines, weakest first; `seed` is that of their inner folds."""
    return [
        Mean(),
        Interpolation(),
        Autoregressive(),
        Pca(seed=seed),
        Ridge(seed=seed),
        Wiener(),
        SpatioTemporalWiener(seed=seed),
    ]


def named_predictors(names: Sequence[str], seed: int = 0) -> list[Predictor]:
    """Some of the baselines, by their names; `seed` is that of their inner folds."""
    return [predictor for predictor in default_predictors(seed) if predictor.name in names]


def drawn_segments(n_runs: int, n_segments: int, max_patterns: int | None, seed: int) -> np.ndarray:
    """Choose the segments on which slow predictors are scored, shared out over the runs.

    Parameters
    ----------
    n_runs, n_segments : int
    max_patterns : int, optional
        Number of segments; all by default.
    seed : int

    Returns
    -------
    array of bool of shape (n_runs, n_segments)
    """
    drawn = np.ones((n_runs, n_segments), dtype=bool)
    if max_patterns is None or max_patterns >= drawn.size:
        return drawn
    rng = np.random.default_rng([seed, 0])
    within = rng.random((n_runs, n_segments)).argsort(axis=1).argsort(axis=1)
    rank = (within * n_runs + rng.permutation(n_runs)[:, None]).ravel()
    drawn.ravel()[:] = rank < max_patterns
    return drawn


def score_predictors(
    train_x: np.ndarray,
    train_present: np.ndarray,
    test_x: np.ndarray,
    test_present: np.ndarray,
    ratios: Sequence[float] = RATIOS,
    seed: int = 0,
    predictors: Sequence[Predictor] | None = None,
    *,
    max_patterns: int | None = None,
) -> pd.DataFrame:
    """Fit predictors to training runs and score them on test runs.

    Parameters
    ----------
    train_x, test_x : array of shape (n_runs, n_segments, n_rois, n_samples)
        z-scored; the segments of a run follow each other in time without gaps.
    train_present, test_present : array of bool of shape (n_runs, n_segments, n_rois)
        What is not present is neither used nor scored.
    ratios : sequence of float
        Shares of ROIs to hide.
    seed : int
        Of the masks: `evaluation_masks` gives the same ones again.
    predictors : sequence of Predictor, optional
        `default_predictors` by default.
    max_patterns : int, optional
        Segments on which slow predictors are scored at each ratio (`drawn_segments`); all by
        default.

    Returns
    -------
    pandas.DataFrame
        See `score_rows`. Where `max_patterns` cuts, the others are scored on those ``drawn``
        segments, too: compare rows of the same ``segments``.

    Raises
    ------
    InputError
        If the arrays do not fit each other.
    """
    check_segments(train_x, train_present)
    check_segments(test_x, test_present)
    if train_x.shape[2:] != test_x.shape[2:] or not len(train_x):
        raise InputError(
            f"training segments of shape {train_x.shape} and test segments of {test_x.shape}",
            "the same ROIs and samples, and at least one training run",
            "use one parcellation and one length of segments",
        )
    fitted = [
        predictor.fit(train_x, train_present)
        for predictor in (default_predictors(seed) if predictors is None else predictors)
    ]
    reference = training_mean(train_x, train_present)
    n_runs, n_segments, n_rois, _ = test_x.shape
    drawn = drawn_segments(n_runs, n_segments, max_patterns, seed)
    tables = []
    for ratio in ratios:
        mask = evaluation_masks(n_runs, n_segments, n_rois, ratio, seed)
        visible, hidden = mask & test_present, ~mask & test_present
        for predictor in fitted:
            name = predictor.name
            if predictor.slow and not drawn.all():
                predicted = _predicted_segments(predictor, test_x, visible, drawn)
            else:
                predicted = predictor.predict(test_x, visible)
                tables.append(score_rows(name, ratio, test_x, predicted, hidden, reference))
            if not drawn.all():
                part = hidden & drawn[..., None]
                rows = score_rows(name, ratio, test_x, predicted, part, reference)
                tables.append(rows.assign(segments="drawn"))
    return pd.concat(tables, ignore_index=True)


def score_rows(
    name: str,
    ratio: float,
    x: np.ndarray,
    predicted: np.ndarray,
    hidden: np.ndarray,
    reference: np.ndarray | float = 0.0,
) -> pd.DataFrame:
    """Score one prediction run by run: also how a network joins the table of the baselines.

    Parameters
    ----------
    name : str
    ratio : float
        Share of ROIs that was hidden.
    x, predicted, hidden, reference
        As `masked_r2` takes them.

    Returns
    -------
    pandas.DataFrame
        One row a run: ``predictor``, ``ratio``, ``segments`` ("all"), ``run`` (its position),
        ``n_hidden`` (ROIs summed over segments), ``sse``, ``sst``, and ``r2`` (NaN where nothing
        is hidden).
    """
    sse, sst = squared_errors(x, predicted, hidden, reference)
    r2 = np.full(len(x), np.nan)
    np.divide(sst - sse, sst, out=r2, where=sst > 0)
    return pd.DataFrame(
        {
            "predictor": name,
            "ratio": ratio,
            "segments": "all",
            "run": np.arange(len(x)),
            "n_hidden": hidden.sum(axis=(1, 2)),
            "sse": sse,
            "sst": sst,
            "r2": r2,
        }
    )


def pooled_r2(table: pd.DataFrame) -> pd.DataFrame:
    """Masked R2 over all runs.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `score_predictors` or `score_rows`.

    Returns
    -------
    pandas.DataFrame
        One row a predictor and kind of segments (index ``predictor``, ``segments``), in the order
        of the table; one column a ratio.
    """
    keys = ["predictor", "segments"]
    sse, sst = (
        table.pivot_table(index=keys, columns="ratio", values=name, aggfunc="sum", sort=False)
        for name in ("sse", "sst")
    )
    return 1 - sse / sst.where(sst > 0)


def _predicted_segments(
    predictor: Predictor, x: np.ndarray, visible: np.ndarray, drawn: np.ndarray
) -> np.ndarray:
    """Prediction of some segments, each as a run of its own; 0 elsewhere."""
    predicted = np.zeros_like(x)
    predicted[drawn] = predictor.predict(x[drawn][:, None], visible[drawn][:, None])[:, 0]
    return predicted
