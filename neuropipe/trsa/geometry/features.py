"""What share of a representation each controlled feature takes, beside how well it is decoded.

Features that are learnt equally well need not be represented equally strongly: simple, early and
frequent ones take more variance, and RSA, PCA and regression inherit that (Lampinen et al. 2024).

Axes: t trials, p units, f features, c components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.trsa.geometry.arrays import Trials
from neuropipe.trsa.geometry.readout import PENALTY, FoldReadout, fold_readouts, repeat_folds

__all__ = [
    "FeatureShares",
    "component_content",
    "design_of",
    "feature_shares",
    "print_caution",
    "selectivity",
]

#: Of the variance of PC 1 and 2, the share one feature must carry to be named in the caution.
DOMINANT = 2 / 3
#: Ratio of variance shares that equally decodable features must show for a caution.
UNEQUAL = 2.0


@dataclass(frozen=True, eq=False)
class FeatureShares:
    """Variance and decodability of controlled features, side by side.

    Parameters
    ----------
    names : tuple of str
    shares : array of shape (n_features,)
        Crossvalidated share of the variance of all units that a feature explains by itself; may
        be slightly negative.
    unique_shares : array of shape (n_features,)
        What is lost without it when all features explain together.
    relative_shares : array of shape (n_features,)
        Shares, clipped at 0, over their sum.
    decodability : array of shape (n_features,)
        Balanced accuracy on left-out repeats; R2 of a continuous feature.
    chance : array of shape (n_features,)
        1 / number of values; 0 of a continuous feature.
    by_fold : array of shape (n_folds, n_features)
        Decodability in each fold.
    components : array of shape (n_components, n_features)
        Share of each leading component that a feature explains; see `component_content`.
    component_shares : array of shape (n_components,)
        Share of the variance in each of them.
    caution : str
        What must be printed beside the table; empty where nothing speaks against a plain reading.
    """

    names: tuple[str, ...]
    shares: np.ndarray
    unique_shares: np.ndarray
    relative_shares: np.ndarray
    decodability: np.ndarray
    chance: np.ndarray
    by_fold: np.ndarray
    components: np.ndarray
    component_shares: np.ndarray
    caution: str


def design_of(feature: pd.Series, *, max_values: int = 12) -> tuple[np.ndarray, bool]:
    """Columns of a regression on one feature.

    Parameters
    ----------
    feature : pandas.Series of length n
    max_values : int
        Numbers with more different values than this are continuous, else categories.

    Returns
    -------
    design : array of shape (n, k)
        One column a category, or the standardised value.
    continuous : bool

    Raises
    ------
    InputError
        If a value is missing or all are the same.
    """
    values = feature.to_numpy()
    if feature.isna().any() or feature.nunique() < 2:
        raise InputError(
            f"feature {feature.name!r} with missing values or one value only",
            "at least two different values, all known",
            "leave the feature out, or those conditions",
        )
    numeric = pd.api.types.is_numeric_dtype(feature) and not pd.api.types.is_bool_dtype(feature)
    if numeric and feature.nunique() > max_values:
        numbers = values.astype(float)
        return ((numbers - numbers.mean()) / numbers.std())[:, None], True
    codes, _ = pd.factorize(values, sort=False)
    return np.eye(codes.max() + 1)[codes], False


def feature_shares(
    trials: Trials,
    features: pd.DataFrame,
    *,
    penalty: float = PENALTY,
    n_folds: int = 10,
    n_components: int = 5,
) -> FeatureShares:
    """Regress all units on each feature, and decode each feature from all units.

    Parameters
    ----------
    trials : Trials
        See `arrays.flatten`; for data without repeats number blocks of trials as repeats.
    features : pandas.DataFrame
        One row a trial, one column a feature; see `design_of`.
    penalty : float
        Of the readout; see `readout.PENALTY`.
    n_folds : int
        Of whole repeats.
    n_components : int
        Principal components whose content is looked up.

    Returns
    -------
    FeatureShares

    Raises
    ------
    InputError
        If the rows differ in number, or a feature is unusable.
    UnfitRecordingError
        If nothing varies.
    """
    values = np.asarray(trials.values, dtype=np.float64)
    if len(features) != len(values) or features.shape[1] == 0:
        raise InputError(
            f"{features.shape[1]} features of {len(features)} trials for {len(values)} trials",
            "a row for each trial and at least one feature",
            "repeat the condition table for each trial",
        )
    if not values.std(axis=0).any():
        raise UnfitRecordingError("units that never vary", "varying units", "check the data")
    designs = [design_of(features[name]) for name in features.columns]
    folds = repeat_folds(trials.repeats, n_folds)
    shares = [_explained(values, design, folds) for design, _ in designs]
    together = _explained(values, np.hstack([d for d, _ in designs]), folds)
    unique = np.full(len(designs), together)
    if len(designs) > 1:
        for k in range(len(designs)):
            rest = np.hstack([d for j, (d, _) in enumerate(designs) if j != k])
            unique[k] = together - _explained(values, rest, folds)
    readouts = fold_readouts(trials, penalty=penalty, n_folds=n_folds)
    by_fold = np.stack([_decoded(design, flag, readouts) for design, flag in designs], axis=1)
    positive = np.clip(shares, 0, None)
    found = positive / positive.sum() if positive.sum() > 0 else np.full(len(shares), np.nan)
    content, of_component = component_content(values, features, n_components=n_components)
    decodability = np.nanmean(by_fold, axis=0)
    names = tuple(str(name) for name in features.columns)
    return FeatureShares(
        names=names,
        shares=np.array(shares),
        unique_shares=unique,
        relative_shares=found,
        decodability=decodability,
        chance=np.array([0.0 if flag else 1 / d.shape[1] for d, flag in designs]),
        by_fold=by_fold,
        components=content,
        component_shares=of_component,
        caution=print_caution(names, np.array(shares), decodability, content, of_component),
    )


def component_content(
    values: np.ndarray, features: pd.DataFrame, *, n_components: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """What the leading principal components are about.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
    features : pandas.DataFrame of length n_trials
    n_components : int

    Returns
    -------
    content : array of shape (n_components, n_features)
        R2 of each component's scores on each feature (in sample).
    shares : array of shape (n_components,)
        Of the total variance.
    """
    centred = values - values.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    k = min(n_components, int((sizes > 1e-10 * sizes[0]).sum()))
    designs = [design_of(features[name])[0] for name in features.columns]
    content = [_r2(left[:, :k], design) for design in designs]
    return np.stack(content, axis=1), sizes[:k] ** 2 / (sizes**2).sum()


def selectivity(values: np.ndarray, features: pd.DataFrame) -> np.ndarray:
    """R2 of every single unit on every feature, adjusted for the number of columns.

    Parameters
    ----------
    values : array of shape (n_trials, n_units)
    features : pandas.DataFrame of length n_trials

    Returns
    -------
    array of shape (n_units, n_features)
        About 0 on average for a unit that ignores the feature; 0 for a constant unit.
    """
    adjusted = []
    for name in features.columns:
        design, continuous = design_of(features[name])
        df = design.shape[1] - (0 if continuous else 1)
        n = len(values)
        r2 = _r2(values - values.mean(axis=0), design)
        adjusted.append(1 - (1 - r2) * (n - 1) / max(n - 1 - df, 1))
    found = np.stack(adjusted, axis=1)
    return np.asarray(np.where(values.std(axis=0)[:, None] > 0, found, 0.0))


def print_caution(
    names: Sequence[str],
    shares: np.ndarray,
    decodability: np.ndarray,
    content: np.ndarray,
    component_shares: np.ndarray,
) -> str:
    """Say where variance must not be read as importance.

    Parameters
    ----------
    names : sequence of str
    shares, decodability : arrays of shape (n_features,)
    content : array of shape (n_components, n_features)
    component_shares : array of shape (n_components,)

    Returns
    -------
    str
        Empty, or one or two sentences: features that are decoded alike (within .05) but differ
        twofold in variance; one feature that carries most of PC 1 and 2.
    """
    said = []
    order = np.argsort(shares)[::-1]
    for strong in order:
        alike = [
            weak
            for weak in order[::-1]
            if abs(decodability[weak] - decodability[strong]) <= 0.05
            and shares[strong] > UNEQUAL * max(shares[weak], 0)
            and shares[strong] > 0.01
        ]
        if alike:
            weak = alike[0]
            said.append(
                f"{names[strong]} and {names[weak]} are decoded alike ({decodability[strong]:.2f}, "
                f"{decodability[weak]:.2f}) but take {shares[strong]:.1%} and {shares[weak]:.1%} "
                "of the variance: variance is not importance."
            )
            break
    leading = component_shares[:2]
    carried = leading @ content[:2] / leading.sum()
    main = int(np.argmax(carried))
    if len(names) > 1 and carried[main] >= DOMINANT:
        said.append(
            f"PC 1 and 2 are carried by {names[main]} ({carried[main]:.0%} of their variance): "
            "RDM comparisons, PCA and regression mostly see this feature."
        )
    return " ".join(said)


def _r2(scores: np.ndarray, design: np.ndarray) -> np.ndarray:
    """In-sample R2 of centred columns on a centred design."""
    centred = design - design.mean(axis=0)
    fitted = centred @ np.linalg.lstsq(centred, scores, rcond=None)[0]
    total = (scores**2).sum(axis=0)
    explained = (fitted**2).sum(axis=0)
    return np.asarray(np.divide(explained, total, out=np.zeros_like(total), where=total > 0))


def _explained(values: np.ndarray, design: np.ndarray, folds: Sequence[np.ndarray]) -> float:
    """Crossvalidated R2 of all units, weighted by their variance."""
    error = total = 0.0
    for test in folds:
        train = np.setdiff1d(np.arange(len(values)), test)
        mean, centre = values[train].mean(axis=0), design[train].mean(axis=0)
        weights = np.linalg.lstsq(design[train] - centre, values[train] - mean, rcond=None)[0]
        rest = values[test] - mean
        error += float(((rest - (design[test] - centre) @ weights) ** 2).sum())
        total += float((rest**2).sum())
    return 1 - error / total if total > 0 else float("nan")


def _decoded(design: np.ndarray, continuous: bool, readouts: Sequence[FoldReadout]) -> np.ndarray:
    """Balanced accuracy, or R2, in each fold, shape (n_folds,)."""
    scores = []
    for fold in readouts:
        decisions, truth = fold.decide(design), design[fold.test]
        if continuous:
            reference = truth - design[fold.train].mean(axis=0)
            scores.append(1 - ((decisions - truth) ** 2).sum() / (reference**2).sum())
        else:
            right = decisions.argmax(axis=1) == truth.argmax(axis=1)
            counts = truth.sum(axis=0)
            shown = counts > 0
            scores.append(float((right @ truth)[shown] @ (1 / counts[shown]) / shown.sum()))
    return np.array(scores)
