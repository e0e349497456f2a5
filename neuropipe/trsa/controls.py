"""Controls of models: beyond nuisance models, and without the largest components.

RSA sees mostly the few components of largest variance; what a model scores may rest on one of them,
or on what a low-level model explains as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.estimation.estimators import WHITENED, estimate
from neuropipe.trsa.inference.partial import partial_compare
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.rdms import RDMs

__all__ = ["N_DROPPED", "ModelControls", "model_controls"]

N_DROPPED = (0, 1, 2, 3, 5)  #: leading components that are left out
_LINEAR = (*WHITENED, "euclidean", "correlation")  # measures of patterns that may be projected


@dataclass(frozen=True, eq=False)
class ModelControls:
    """What is left of the models' scores.

    Parameters
    ----------
    models : tuple of str
    nuisances : tuple of str
        Models whose RDMs were regressed out of the data and of the others.
    partial : array of shape (n_models,)
        Partial Spearman correlation beyond the nuisances (each nuisance beyond the other ones);
        NaN without any.
    dropped : array of shape (len(N_DROPPED), n_models)
        Scores without the leading principal components of the patterns; NaN where nothing is left
        or the measure does not allow it.
    """

    models: tuple[str, ...]
    nuisances: tuple[str, ...]
    partial: np.ndarray
    dropped: np.ndarray


def model_controls(
    patterns: Patterns, rdm: RDMs, models: RDMs, nuisances: Sequence[str], comparison: str
) -> ModelControls:
    """Score models beyond nuisance models, and without the leading components.

    Parameters
    ----------
    patterns : Patterns
    rdm : RDMs
        Of the patterns.
    models : RDMs
        Column ``name``.
    nuisances : sequence of str
        Names of models; those that are not there are ignored.
    comparison : str
        See `compare`.
    """
    names = tuple(models.table["name"].astype(str))
    known = tuple(name for name in nuisances if name in names)
    return ModelControls(
        models=names,
        nuisances=known,
        partial=_partial(rdm, models, names, known),
        dropped=_dropped(patterns, rdm, models, comparison),
    )


def _partial(
    rdm: RDMs, models: RDMs, names: tuple[str, ...], nuisances: tuple[str, ...]
) -> np.ndarray:
    values = np.full(len(names), np.nan)
    for k, name in enumerate(names):
        others = [names.index(other) for other in nuisances if other != name]
        if not others:
            continue
        try:
            found = partial_compare(
                rdm.dissimilarities, models.dissimilarities[k], models.dissimilarities[others]
            )
        except UnfitRecordingError:
            continue  # too few pairs for so many nuisances
        values[k] = found[0, 0]
    return values


def _dropped(patterns: Patterns, rdm: RDMs, models: RDMs, comparison: str) -> np.ndarray:
    scores = np.full((len(N_DROPPED), len(models)), np.nan)
    scores[0] = compare(rdm.dissimilarities, models.dissimilarities, comparison)[0]
    if rdm.measure not in _LINEAR:
        return scores
    used = patterns
    if rdm.measure in WHITENED and patterns.noise is not None:
        used = patterns.whitened()
    mean = used.mean()
    axes = np.linalg.svd(mean - mean.mean(axis=0), full_matrices=False)[2]
    # In whitened space the noise is white: the plain measures are the whitened ones.
    measure = "euclidean" if rdm.measure == "mahalanobis" else rdm.measure
    for row, n in enumerate(N_DROPPED[1:], start=1):
        if n >= min(len(mean) - 1, len(axes)):
            break
        left = used.values - (used.values @ axes[:n].T) @ axes[:n]
        without = estimate(replace(used, values=left, noise=None), measure)
        scores[row] = compare(without.dissimilarities, models.dissimilarities, comparison)[0]
    return scores
