"""Estimators of RDMs: unbiased where they claim it, and equal to rsatoolbox in every number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from neuropipe.errors import MissingExtraError
from neuropipe.stats.checks import Check, at_most, near
from neuropipe.trsa.comparison.compare import COMPARISONS, compare
from neuropipe.trsa.estimation.estimators import CROSSVALIDATED, estimate
from neuropipe.trsa.estimation.unbalanced import crossvalidated_trials, euclidean_trials
from neuropipe.trsa.files.interchange import (
    patterns_to_rsatoolbox,
    require_rsatoolbox,
    to_rsatoolbox,
)
from neuropipe.trsa.noise import Noise
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.rdms import RDMs

__all__ = ["checks"]

_DRAWS = 500
_PARITY = 1e-10
#: Measures by our names and by theirs.
_THEIRS = {
    "euclidean": "euclidean",
    "correlation": "correlation",
    "mahalanobis": "mahalanobis",
    "crossnobis": "crossnobis",
    "poisson": "poisson",
    "crossvalidated poisson": "poisson_cv",
}


def checks(full: bool = False) -> list[Check]:
    """Measure the claims; a few seconds on one core.

    Parameters
    ----------
    full : bool
        Four times as many null draws.

    Returns
    -------
    list of Check
        Bias of crossnobis and Euclidean distances without signal; largest difference to
        rsatoolbox of every estimator and comparison.
    """
    rows = _bias(_DRAWS * (4 if full else 1))
    try:
        rows += _estimators() + _unbalanced() + _comparisons()
    except MissingExtraError as error:
        rows.append(
            Check("estimators: equal to rsatoolbox", np.nan, f"<= {_PARITY:g}", False, str(error))
        )
    return rows


def _bias(n_draws: int) -> list[Check]:
    """Distances of conditions that do not differ, under correlated noise."""
    rng = np.random.default_rng(0)
    n_folds, n_conditions, n_channels = 6, 8, 30
    mixing = rng.standard_normal((n_channels, n_channels)) / np.sqrt(n_channels)
    covariance = mixing @ mixing.T + 0.2 * np.eye(n_channels)
    root = np.linalg.cholesky(covariance).T
    crossed, biased = np.empty(n_draws), np.empty(n_draws)
    for draw in range(n_draws):
        residuals = rng.standard_normal((100, n_channels)) @ root
        patterns = _patterns(
            rng.standard_normal((n_folds, n_conditions, n_channels)) @ root,
            Noise.of_residuals(residuals),
        )
        crossed[draw] = estimate(patterns, "crossnobis").dissimilarities.mean()
        biased[draw] = estimate(patterns, "euclidean").dissimilarities.mean()
    errors = [values.std(ddof=1) / np.sqrt(n_draws) for values in (crossed, biased)]
    expected = 2 * np.trace(covariance) / (n_folds * n_channels)
    how = (
        f"{n_draws} null draws of {n_folds} folds, {n_conditions} conditions, {n_channels} channels"
    )
    return [
        at_most(
            "estimators: crossnobis without signal, in standard errors from 0",
            abs(crossed.mean()) / errors[0],
            2,
            f"mean {crossed.mean():.2e}, standard error {errors[0]:.1e}; {how}",
        ),
        near(
            "estimators: bias of Euclidean distances over 2 tr(Sigma) / (R P)",
            biased.mean() / expected,
            1,
            2 * errors[1] / expected,
            f"mean {biased.mean():.4f}, expected {expected:.4f}; {how}",
        ),
    ]


def _estimators() -> list[Check]:
    calc_rdm = require_rsatoolbox("rdm").calc_rdm
    rng = np.random.default_rng(1)
    shape = (6, 12, 40)
    signal = rng.standard_normal(shape[1:])
    noise = Noise.of_residuals(rng.standard_normal((90, 40)) @ rng.standard_normal((40, 40)))
    patterns = _patterns(signal + rng.standard_normal(shape), noise)
    counts = _patterns(rng.poisson(np.exp(signal), shape).astype(float))
    rows = []
    for ours, theirs in _THEIRS.items():
        used = counts if "poisson" in ours else patterns
        options: dict[str, Any] = {"method": theirs, "descriptor": "conds"}
        if used.noise is not None:
            options["noise"] = used.noise.precision()
        if ours in CROSSVALIDATED:
            options["cv_descriptor"] = "runs"
        expected, how = _theirs(calc_rdm, used, options), ""
        if theirs == "poisson_cv":
            turns = [_turned(used, fold) for fold in range(len(used.folds))]
            expected = np.mean([_theirs(calc_rdm, turn, options) for turn in turns], axis=0)
            how = "rsatoolbox keeps the last fold's distances alone: mean with each fold put last"
        rows.append(_parity(ours, estimate(used, ours).dissimilarities - expected, how))
    return rows


def _turned(patterns: Patterns, last: int) -> Patterns:
    """Put a fold last."""
    order = np.roll(np.arange(len(patterns.folds)), -last - 1)
    return replace(patterns, values=patterns.values[order], n_trials=patterns.n_trials[order])


def _theirs(
    calc_rdm: Callable[..., Any], patterns: Patterns, options: dict[str, Any]
) -> np.ndarray:
    """Dissimilarities by rsatoolbox, in the order of our conditions."""
    found = calc_rdm(patterns_to_rsatoolbox(patterns), **options)
    names = list(found.pattern_descriptors["conds"])
    return RDMs(found.dissimilarities, tuple(names)).of(patterns.conditions).dissimilarities


def _unbalanced() -> list[Check]:
    calc_rdm_unbalanced = require_rsatoolbox("rdm").calc_rdm_unbalanced
    rng = np.random.default_rng(2)
    condition = np.concatenate([np.arange(6), rng.integers(0, 6, 54)])
    fold = np.concatenate([np.zeros(6, int), rng.integers(0, 4, 54)])
    trials = rng.standard_normal((60, 25)) + rng.standard_normal((6, 25))[condition]
    noise = Noise.of_residuals(rng.standard_normal((70, 25)))
    data = require_rsatoolbox("data").Dataset(
        trials, obs_descriptors={"conds": condition, "runs": fold}
    )
    plain = calc_rdm_unbalanced(data, method="euclidean", descriptor="conds")
    crossed = calc_rdm_unbalanced(
        data,
        method="crossnobis",
        descriptor="conds",
        cv_descriptor="runs",
        noise=noise.precision(),
    )
    return [
        _parity(
            "euclidean of unequal trials",
            euclidean_trials(trials, condition) - plain.dissimilarities,
        ),
        _parity(
            "crossnobis of unequal trials",
            crossvalidated_trials(trials, condition, fold, noise) - crossed.dissimilarities,
        ),
    ]


def _comparisons() -> list[Check]:
    their_compare = require_rsatoolbox("rdm").compare
    rng = np.random.default_rng(3)
    patterns = [_patterns(rng.standard_normal((1, 10, 30))) for _ in range(6)]
    values = np.concatenate([estimate(one, "euclidean").dissimilarities for one in patterns])
    names = patterns[0].conditions
    first, second = RDMs(values[:3], names), RDMs(values[3:], names)
    rows = []
    for measure in COMPARISONS:
        expected = their_compare(to_rsatoolbox(first), to_rsatoolbox(second), method=measure)
        found, how = compare(first.dissimilarities, second.dissimilarities, measure), ""
        if measure in ("bures", "bures_metric"):
            how = (
                "by rsatoolbox's form with singular values; its default takes square roots of "
                f"rounding errors and differs by {np.abs(found - expected).max():.0e}"
            )
            expected = _bures_by_singular_values(first.matrices, second.matrices, measure)
        rows.append(_parity(f"comparison {measure}", found - expected, how))
    return rows


def _bures_by_singular_values(first: np.ndarray, second: np.ndarray, measure: str) -> np.ndarray:
    theirs = require_rsatoolbox("rdm.compare")
    name = "_bures_similarity_second_way" if measure == "bures" else "_sq_bures_metric_second_way"
    function = getattr(theirs, name)
    n = first.shape[-1]
    centring = np.eye(n) - 1 / n
    moments = [-centring @ side @ centring / 2 for side in (first, second)]
    return np.array([[function(one, other) for other in moments[1]] for one in moments[0]])


def _parity(what: str, difference: np.ndarray, how: str = "") -> Check:
    name = f"estimators: {what}, largest difference to rsatoolbox"
    return at_most(name, np.abs(difference).max(), _PARITY, how)


def _patterns(values: np.ndarray, noise: Noise | None = None) -> Patterns:
    n_folds, n_conditions, n_channels = values.shape
    return Patterns(
        values,
        tuple(f"c{k:02d}" for k in range(n_conditions)),
        tuple(f"v{k}" for k in range(n_channels)),
        tuple(f"run{k}" for k in range(n_folds)),
        np.ones((n_folds, n_conditions), dtype=int),
        noise,
    )
