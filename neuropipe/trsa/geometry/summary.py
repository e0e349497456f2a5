"""One look at the geometry of a recording: what a report shows, with nulls and intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from neuropipe.errors import InputError, NeuropipeError, UnfitRecordingError
from neuropipe.stats.permutation import Alternative, permutation_p_value
from neuropipe.stats.resampling import (
    bootstrap_interval,
    jackknife_interval,
    percentile_interval,
)
from neuropipe.trsa.geometry.alignment import half_alignment
from neuropipe.trsa.geometry.arrays import Trials, complete, condition_means, flatten
from neuropipe.trsa.geometry.dichotomies import binary_factors, factor_dichotomy, matched_pairs
from neuropipe.trsa.geometry.dimensionality import (
    effective_rank,
    participation_ratio,
    spectrum,
)
from neuropipe.trsa.geometry.estimates import crossvalidated_kernel
from neuropipe.trsa.geometry.features import FeatureShares, feature_shares
from neuropipe.trsa.geometry.generalisation import (
    cross_condition_generalisation,
    generalisation_null,
)
from neuropipe.trsa.geometry.intrinsic import levina_bickel_dimension, two_nn_dimension
from neuropipe.trsa.geometry.kernels import linear_kernel
from neuropipe.trsa.geometry.measures import FactorGeometry, GeometrySummary, Measure
from neuropipe.trsa.geometry.parallelism import parallelism_null, parallelism_score
from neuropipe.trsa.geometry.readout import accuracy_by_repeat, crossvalidated_decisions
from neuropipe.trsa.geometry.shattering import (
    Shattering,
    decoding_null,
    shattering_dimensionality,
)

__all__ = ["describe"]

#: Beyond this number of conditions dichotomies are not looked at.
MAX_CONDITIONS = 16
#: Dichotomies that shattering looks at; more are drawn from.
MAX_DICHOTOMIES = 200
#: Values beyond which a feature is a name of the condition rather than a category; as are words
#: that differ for each of them.
MAX_CATEGORIES = 20
#: Conditions below which neighbours tell nothing of the dimension.
MIN_NEIGHBOURS = 40
NAN = float("nan")


def describe(
    values: np.ndarray, factors: pd.DataFrame | None = None, *, seed: int = 0
) -> GeometrySummary:
    """Measure dimension, reliability, abstraction and bias between features.

    Parameters
    ----------
    values : array of shape (n_repeats, n_conditions, n_units)
        Responses; NaN where missing, as in `arrays.complete`. Units of larger variance weigh
        more: scale them before.
    factors : pandas.DataFrame of length n_conditions, optional
        Controlled features of the conditions. Binary ones that halve the conditions get their
        parallelism, generalisation and decodability.
    seed : int

    Returns
    -------
    GeometrySummary
        Parts that cannot be had are NaN or None, with a reason in its notes.

    Raises
    ------
    InputError
        If the factors do not fit the conditions.
    UnfitRecordingError
        If fewer than three conditions or two units are left.
    """
    notes: list[str] = []
    trials, table = _usable(values, factors, notes)
    n_repeats, n_conditions, n_units = trials.shape
    n_splits = 20 if n_conditions <= 32 else 5
    plain, debiased = _halves(trials, seed, notes)
    sampled = NAN
    if n_conditions >= 4:
        sampled = _or_nan(
            lambda: participation_ratio(trials, correct="both", n_splits=n_splits, seed=seed)
        )
    corrected = _over_repeats(
        trials, lambda x: participation_ratio(x, correct="trials", n_splits=n_splits, seed=seed)
    )
    if not np.isfinite(corrected.value):
        notes.append(
            "corrected participation ratio: needs four repeats of every condition, and a signal"
        )
    means = condition_means(trials)
    nearest = [NAN, NAN]
    if n_conditions < MIN_NEIGHBOURS:
        notes.append(f"intrinsic dimension: {n_conditions} conditions, needs {MIN_NEIGHBOURS}")
    else:
        estimators = two_nn_dimension, levina_bickel_dimension
        nearest = [_or_nan(lambda f=f: f(means)) for f in estimators]  # type: ignore[misc]
    laid_out, shattering, tried = _dichotomies(trials, table, seed, notes)
    return GeometrySummary(
        n_repeats=n_repeats,
        n_conditions=n_conditions,
        n_units=n_units,
        participation_ratio=_over_repeats(trials, participation_ratio),
        participation_ratio_corrected=corrected,
        participation_ratio_sampled=sampled,
        effective_rank=_over_repeats(trials, lambda x: effective_rank(spectrum(x))),
        two_nn=nearest[0],
        levina_bickel=nearest[1],
        half_alignment=plain,
        half_alignment_debiased=debiased,
        factors=laid_out,
        shattering=shattering,
        dichotomies=tried,
        features=_features(trials, table, notes),
        notes=tuple(notes),
    )


def _usable(
    values: np.ndarray, factors: pd.DataFrame | None, notes: list[str]
) -> tuple[np.ndarray, pd.DataFrame | None]:
    """Leave out what was rarely recorded: conditions, repeats without any trial, units."""
    trials = np.asarray(values, dtype=np.float64)
    if trials.ndim != 3 or (factors is not None and len(factors) != trials.shape[1]):
        rows = "" if factors is None else f" and {len(factors)} rows of factors"
        raise InputError(
            f"responses of shape {trials.shape}{rows}",
            "(n_repeats, n_conditions, n_units) and a row for each condition",
            "give one row of factors for each condition",
        )
    present = np.asarray(np.isfinite(trials).any(axis=2))
    kept = present.sum(axis=0) >= min(2, len(trials))
    if not kept.any():
        raise UnfitRecordingError("no condition with two trials", "repeats", "record more")
    if not kept.all():
        notes.append(f"{int((~kept).sum())} conditions with fewer than two trials are left out")
    found = complete(trials[present.any(axis=1)][:, kept])
    if found.shape[2] < trials.shape[2]:
        notes.append(f"{trials.shape[2] - found.shape[2]} units that miss values are left out")
    return found, None if factors is None else factors.loc[kept].reset_index(drop=True)


def _halves(trials: np.ndarray, seed: int, notes: list[str]) -> tuple[Measure, Measure]:
    if len(trials) < 2:
        notes.append("reliability, decoding: there is one repeat only")
        nothing = Measure(NAN, (NAN, NAN), np.empty(0), NAN)
        return nothing, nothing
    found = []
    for draws in half_alignment(trials, n_splits=30, seed=seed):
        known = draws[np.isfinite(draws)]
        interval = percentile_interval(known) if len(known) else (NAN, NAN)
        mean = float(known.mean()) if len(known) else NAN
        found.append(Measure(mean, interval, np.empty(0), NAN))
    return found[0], found[1]


def _dichotomies(
    trials: np.ndarray, table: pd.DataFrame | None, seed: int, notes: list[str]
) -> tuple[tuple[FactorGeometry, ...], Measure | None, Shattering | None]:
    n_repeats, n = trials.shape[:2]
    if n_repeats < 2:
        return (), None, None
    if n > MAX_CONDITIONS or n < 4 or n % 2:
        reason = (
            f"there are too many of {n} conditions"
            if n > MAX_CONDITIONS
            else f"{n} conditions cannot be halved twice"
        )
        notes.append(f"dichotomies (parallelism, CCGP, shattering): {reason}")
        return (), None, None
    tried = shattering_dimensionality(trials, max_dichotomies=MAX_DICHOTOMIES, seed=seed)
    null = decoding_null(trials, tried.dichotomies, n_permutations=100, seed=seed).mean(axis=1)
    shattering = _measure(np.nanmean(tried.by_repeat, axis=0), null)
    if len(tried.dichotomies) < tried.n_possible:
        notes.append(f"shattering: {len(tried.dichotomies)} of {tried.n_possible} dichotomies")
    names = () if table is None else binary_factors(table)
    if not names or table is None:
        notes.append("no binary factor halves the conditions")
        return (), shattering, tried
    return _factors(trials, table, names, seed), shattering, tried


def _factors(
    trials: np.ndarray, table: pd.DataFrame, names: tuple[str, ...], seed: int
) -> tuple[FactorGeometry, ...]:
    signs = np.array([factor_dichotomy(table[name]) for name in names])
    # Larger designs have costlier pairs and pairings: fewer draws keep this within seconds.
    small = trials.shape[1] <= 10
    n_draws, max_pairs = (100, 500) if small else (30, 24)
    decoded = accuracy_by_repeat(crossvalidated_decisions(trials, signs), signs)
    shuffled = decoding_null(trials, signs, seed=seed)
    general = cross_condition_generalisation(trials, signs, max_pairs=max_pairs, seed=seed)
    turned = generalisation_null(trials, signs, n_draws=n_draws, max_pairs=max_pairs, seed=seed)
    found = []
    for k, name in enumerate(names):
        pairs = matched_pairs(table[list(names)], name)

        def score(x: np.ndarray, k: int = k, pairs: np.ndarray | None = pairs) -> float:
            return parallelism_score(linear_kernel(condition_means(x)), signs[k], pairs=pairs)

        def corrected(k: int = k, pairs: np.ndarray | None = pairs) -> float:
            return parallelism_score(crossvalidated_kernel(trials), signs[k], pairs=pairs)

        kernel = linear_kernel(condition_means(trials))
        null = parallelism_null(kernel, signs[k], pairs=pairs, n_draws=2 * n_draws, seed=seed)
        found.append(
            FactorGeometry(
                name=name,
                matched=pairs is not None,
                parallelism=_over_repeats(trials, score, null),
                parallelism_corrected=_or_nan(corrected),
                generalisation=_measure(general.by_repeat[k], turned[:, k]),
                decodability=_measure(decoded[k], shuffled[:, k]),
            )
        )
    return tuple(found)


def _features(
    trials: np.ndarray, table: pd.DataFrame | None, notes: list[str]
) -> FeatureShares | None:
    if table is None or len(trials) < 2:
        return None
    usable = []
    for name in table.columns:
        column = table[name]
        text = not pd.api.types.is_numeric_dtype(column)
        if column.isna().any() or column.nunique() < 2:
            notes.append(f"feature {name}: a value is missing, or all are the same")
        elif text and column.nunique() > min(MAX_CATEGORIES, len(column) - 1):
            notes.append(f"feature {name}: {column.nunique()} names are no categories")
        else:
            usable.append(name)
    if not usable:
        return None
    rows: Trials = flatten(trials)
    return feature_shares(rows, table[usable].iloc[rows.conditions].reset_index(drop=True))


def _measure(by_repeat: np.ndarray, null: np.ndarray) -> Measure:
    """Mean over repeats with a bootstrap over them; training sets overlap, hence approximate."""
    known = by_repeat[np.isfinite(by_repeat)]
    value = float(known.mean()) if len(known) else NAN
    interval = bootstrap_interval(known, n_resamples=1000) if len(known) > 1 else (NAN, NAN)
    return Measure(value, interval, null, float(permutation_p_value(value, null)))


def _over_repeats(
    trials: np.ndarray,
    statistic: Callable[[np.ndarray], float],
    null: np.ndarray | None = None,
    alternative: Alternative = "greater",
) -> Measure:
    """Statistic of all repeats, with the jackknife over them."""
    value = _or_nan(lambda: statistic(trials))
    left_out = []
    for k in range(len(trials)):
        # Marked as missing rather than cut out: random halves of the repeats stay the same.
        without = trials.copy()
        without[k] = np.nan
        left_out.append(_or_nan(lambda x=without: statistic(x)))  # type: ignore[misc]
    interval = (NAN, NAN)
    if len(left_out) > 2 and np.isfinite([value, *left_out]).all():
        interval = jackknife_interval(value, np.array(left_out))
    p_value = NAN
    if null is not None:
        p_value = float(permutation_p_value(value, null, alternative=alternative))
    return Measure(value, interval, np.empty(0) if null is None else null, p_value)


def _or_nan(statistic: Callable[[], float]) -> float:
    try:
        return float(statistic())
    except NeuropipeError:
        return NAN
