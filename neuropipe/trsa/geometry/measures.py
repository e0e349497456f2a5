"""What one look at the geometry of a recording finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.stats.resampling import Interval, percentile_interval
from neuropipe.trsa.geometry.features import FeatureShares
from neuropipe.trsa.geometry.shattering import Shattering

__all__ = ["FactorGeometry", "GeometrySummary", "Measure"]

NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Measure:
    """A number beside its null and its interval.

    Parameters
    ----------
    value : float
    interval : (low, high)
        95 %, over repeats; NaN where there are too few.
    null : array of shape (n_draws,)
        What the value would be by chance; empty where no null applies.
    p_value : float
        One-sided: that chance gives as high a value; NaN without null.
    """

    value: float
    interval: Interval
    null: np.ndarray
    p_value: float

    @property
    def null_interval(self) -> Interval:
        """Central 95 % of the null; NaN without one."""
        return percentile_interval(self.null) if np.isfinite(self.null).any() else (NAN, NAN)


@dataclass(frozen=True, eq=False)
class FactorGeometry:
    """How a binary factor is laid out.

    Parameters
    ----------
    name : str
    matched : bool
        Whether the design pairs the conditions; otherwise the best pairing was searched, in the
        null too.
    parallelism : Measure
        Of condition means; null: conditions rotated at random.
    parallelism_corrected : float
        From the crossvalidated kernel, free of the noise that lowers the plain score; may exceed
        1, NaN where a difference is lost in noise.
    generalisation : Measure
        CCGP; null: condition means rotated at random, noise left in place.
    decodability : Measure
        On left-out repeats; null: shuffled within repeats.
    """

    name: str
    matched: bool
    parallelism: Measure
    parallelism_corrected: float
    generalisation: Measure
    decodability: Measure


@dataclass(frozen=True, eq=False)
class GeometrySummary:
    """Geometry of one recording.

    Parameters
    ----------
    n_repeats, n_conditions, n_units : int
        What was used.
    participation_ratio : Measure
        Of condition means, noise included.
    participation_ratio_corrected : Measure
        Noise of the trials corrected for (four repeats); its interval needs six.
    participation_ratio_sampled : float
        Corrected for both noise and the number of conditions, taken as a sample of many.
    effective_rank : Measure
    two_nn, levina_bickel : float
        Intrinsic dimension of condition means; NaN for few conditions.
    half_alignment, half_alignment_debiased : Measure
        CKA between halves of the repeats; the interval is the spread over random halvings.
    factors : tuple of FactorGeometry
    shattering : Measure or None
        Mean accuracy over balanced dichotomies.
    dichotomies : Shattering or None
        What it is the mean of.
    features : FeatureShares or None
        With the caution that must be printed beside it.
    notes : tuple of str
        What was left out, and why.
    """

    n_repeats: int
    n_conditions: int
    n_units: int
    participation_ratio: Measure
    participation_ratio_corrected: Measure
    participation_ratio_sampled: float
    effective_rank: Measure
    two_nn: float
    levina_bickel: float
    half_alignment: Measure
    half_alignment_debiased: Measure
    factors: tuple[FactorGeometry, ...]
    shattering: Measure | None
    dichotomies: Shattering | None
    features: FeatureShares | None
    notes: tuple[str, ...]
