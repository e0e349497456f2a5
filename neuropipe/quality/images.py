"""Numbers of responses to images: reliability over repeats and the noise ceiling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.quality.settings import ImagesQualitySettings
from neuropipe.recording import Recording
from neuropipe.stats.noise_ceiling import (
    VarianceParts,
    ceiling_of_mean,
    split_half_reliability,
    variance_parts,
)


@dataclass(frozen=True)
class ImageNumbers:
    """Everything computed from one recording.

    Parameters
    ----------
    means : array of shape (n_stimuli, n_units)
        Mean over repeats, NaN where none was recorded.
    repeats : array of shape (n_stimuli,)
        Repeats per image, of the unit that has most.
    reliability : array of shape (n_units,) or None
        None where nothing was repeated.
    parts : VarianceParts or None
    """

    means: np.ndarray
    repeats: np.ndarray
    reliability: np.ndarray | None
    parts: VarianceParts | None

    @property
    def ceiling(self) -> np.ndarray | None:
        """Noise ceiling of the mean over repeats, of shape (n_units,)."""
        return None if self.parts is None else ceiling_of_mean(self.parts)


def measure(recording: Recording, settings: ImagesQualitySettings, seed: int) -> ImageNumbers:
    """Compute all numbers of a recording; see `ImageNumbers`."""
    assert recording.responses is not None
    trials = recording.responses.values
    known = np.isfinite(trials)
    count = known.sum(axis=0)
    with np.errstate(invalid="ignore"):
        total = np.where(known, trials, 0).sum(axis=0, dtype=np.float64)
        means = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    repeated = ((count >= 2).sum(axis=0) >= 3).any()
    rng = np.random.default_rng(seed)
    return ImageNumbers(
        means=means,
        repeats=count.max(axis=1),
        reliability=split_half_reliability(trials, rng, n_splits=settings.n_splits)
        if repeated
        else None,
        parts=variance_parts(trials) if repeated else None,
    )
