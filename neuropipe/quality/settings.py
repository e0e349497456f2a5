"""Settings of the quality checks: every bound of every verdict, with unit, default and source.

Where a bound has no published source it is marked as a convention of this project: a place to look
closer, not a rule.
"""

from __future__ import annotations

from pydantic import Field

from neuropipe.quality.verdicts import Bounds
from neuropipe.settings import Settings


def _bounds(good: float, bad: float, description: str) -> Bounds:
    default = Bounds(good=good, bad=bad)
    field: Bounds = Field(default=default, description=description)
    return field


class FmriQualitySettings(Settings):
    """Checks of region time series."""

    tsnr: Bounds = _bounds(
        50,
        25,
        "median temporal SNR (Murphy, Bodurka & Bandettini 2007), no unit (convention)",
    )
    dvars_spike: float = Field(
        default=1.5,
        gt=1,
        description="standardised DVARS above which a frame is a spike, no unit (fMRIPrep)",
    )
    dvars_spikes: Bounds = _bounds(0.05, 0.2, "share of frames that are DVARS spikes (convention)")
    fd_spike: float = Field(
        default=0.5,
        gt=0,
        description="framewise displacement above which a frame is in motion, mm (Power 2012)",
    )
    fd_mean: Bounds = _bounds(
        0.2,
        0.55,
        "mean framewise displacement, mm (good: convention; bad: lenient cut, Parkes et al. 2018)",
    )
    fd_spikes: Bounds = _bounds(0.1, 0.3, "share of frames in motion (convention)")
    drift: Bounds = _bounds(
        0.25, 0.6, "share of the global signal's variance that a line explains (convention)"
    )
    covered: float = Field(
        default=0.5, gt=0, le=1, description="coverage from which a region counts, share (XCP-D)"
    )
    coverage: Bounds = _bounds(0.95, 0.8, "share of regions that are covered (convention)")
    missing: Bounds = _bounds(0.01, 0.1, "share of missing samples (convention)")
    absent: Bounds = _bounds(0.01, 0.1, "share of regions without signal (convention)")
    length: Bounds = _bounds(300, 120, "length of the scan, s (five minutes: Van Dijk et al. 2010)")


class CalciumQualitySettings(Settings):
    """Checks of fluorescence traces."""

    snr: Bounds = _bounds(
        5, 3, "median peak over noise, no unit; white noise reaches 2.3 (convention)"
    )
    peak_percentile: float = Field(
        default=99, gt=50, lt=100, description="percentile of a trace taken as its peak, %"
    )
    event_threshold: float = Field(
        default=3, gt=0, description="height of an event over the baseline, noise sd (convention)"
    )
    event_duration: float = Field(
        default=0.2, ge=0, description="shortest event, s; never under two samples"
    )
    active_rate: float = Field(
        default=0.2, ge=0, description="event rate from which a unit is active, events per min"
    )
    active: Bounds = _bounds(0.5, 0.1, "share of active units (convention)")
    drift: Bounds = _bounds(
        0.1, 0.4, "median share of variance that a straight line explains (convention)"
    )
    dip_depth: float = Field(
        default=5, gt=0, description="depth of a negative artefact, noise sd (convention)"
    )
    dip_duration: float = Field(
        default=0.5, gt=0, description="longest half width of a negative artefact, s (convention)"
    )
    dips: Bounds = _bounds(0.005, 0.02, "share of samples in negative artefacts (convention)")
    missing: Bounds = _bounds(0.01, 0.1, "share of missing samples (convention)")
    length: Bounds = _bounds(300, 60, "length of the recording, s (convention)")


class SpatialSettings(Settings):
    """Spatial tuning, where a two-dimensional position was recorded."""

    n_bins: int = Field(
        default=40,
        ge=4,
        le=200,
        description="bins along the arena's longer side; 40 are 2.5 cm in a box of 1 m",
    )
    smoothing: float = Field(
        default=1.0, ge=0, le=20, description="sd of the Gaussian that smooths the maps, bins"
    )
    minimum_speed: float = Field(
        default=0.025,
        ge=0,
        description="slower moments are left out, arena sides per s (2.5 cm/s in a box of 1 m)",
    )
    minimum_occupancy: float = Field(
        default=0.1, ge=0, description="time that a bin must have been visited, s"
    )
    minimum_spikes: int = Field(
        default=50, ge=1, description="spikes from which a unit's tuning is judged (convention)"
    )
    n_shuffles: int = Field(
        default=200, ge=0, le=10_000, description="circular shifts of the null; 0 leaves it out"
    )
    minimum_shift: float = Field(
        default=20.0, ge=0, description="least shift against the position, s (Boccara et al. 2010)"
    )
    informative: float = Field(
        default=0.5, ge=0, description="spatial information from which a unit counts, bits/spike"
    )
    map_count: int = Field(default=11, ge=1, le=40, description="rate maps in the figure")


class SpikesQualitySettings(Settings):
    """Checks of sorted spikes."""

    silent_rate: float = Field(
        default=0.1, ge=0, description="rate under which a unit is silent, Hz (convention)"
    )
    silent: Bounds = _bounds(0.2, 0.5, "share of silent units (convention)")
    refractory: float = Field(
        default=0.002, gt=0, description="refractory period, s (2 ms: convention)"
    )
    violating_share: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="share of short intervals from which a unit is contaminated (convention)",
    )
    contaminated: Bounds = _bounds(0.1, 0.3, "share of contaminated units (convention)")
    presence_bin: float = Field(
        default=60, gt=0, description="bin of the presence ratio, s (SpikeInterface)"
    )
    presence: Bounds = _bounds(
        0.9, 0.5, "median presence ratio, share of bins (0.9: SpikeInterface)"
    )
    count_window: float = Field(
        default=1.0, gt=0, description="window of the spike counts of the Fano factor, s"
    )
    minimum_trials: int = Field(
        default=5, ge=2, description="trials of a type from which its Fano factor counts"
    )
    spatial: SpatialSettings = Field(
        default=SpatialSettings(), description="spatial tuning, where a position was recorded"
    )


class ImagesQualitySettings(Settings):
    """Checks of responses to images."""

    n_splits: int = Field(
        default=100, ge=1, le=10_000, description="random halves of the repeats, count"
    )
    reliability: Bounds = _bounds(
        0.5, 0.2, "median split-half reliability, Spearman-Brown corrected (convention)"
    )
    reliable: float = Field(
        default=0.3, ge=0, le=1, description="reliability from which a unit counts (convention)"
    )
    reliable_units: Bounds = _bounds(0.7, 0.3, "share of reliable units (convention)")
    n_images: Bounds = _bounds(200, 50, "number of images (convention)")
    missing_units: Bounds = _bounds(0, 0.05, "share of units without any response (convention)")


class QualitySettings(Settings):
    """Settings of `neuropipe quality`, one part a modality."""

    seed: int = Field(default=0, ge=0, description="seed of random halves and circular shifts")
    fmri: FmriQualitySettings = Field(
        default=FmriQualitySettings(), description="checks of region time series"
    )
    calcium: CalciumQualitySettings = Field(
        default=CalciumQualitySettings(), description="checks of fluorescence traces"
    )
    spikes: SpikesQualitySettings = Field(
        default=SpikesQualitySettings(), description="checks of sorted spikes"
    )
    images: ImagesQualitySettings = Field(
        default=ImagesQualitySettings(), description="checks of responses to images"
    )
