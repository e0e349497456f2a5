"""Quality of region time series: from a Recording to metrics, arrays, figures and words."""

from __future__ import annotations

import numpy as np

from neuropipe.quality import fmri, series
from neuropipe.quality.evaluate import Assessment, dataset, explained, missing_samples
from neuropipe.quality.figures_fmri import carpet_figure, units_figure
from neuropipe.quality.fmri import FmriNumbers
from neuropipe.quality.settings import FmriQualitySettings
from neuropipe.quality.verdicts import judged, median_of, share_of
from neuropipe.recording import Recording
from neuropipe.results import Metric

_REFERENCES = {
    "murphy2007": "Murphy K, Bodurka J, Bandettini PA (2007). How long to scan? The relationship "
    "between fMRI temporal signal to noise ratio and necessary scan duration. NeuroImage 34, 565.",
    "power2012": "Power JD, Barnes KA, Snyder AZ, Schlaggar BL, Petersen SE (2012). Spurious but "
    "systematic correlations in functional connectivity MRI networks arise from subject motion. "
    "NeuroImage 59, 2142.",
    "nichols2017": "Nichols TE (2017). Notes on creating a standardized version of DVARS. "
    "arXiv:1704.01469.",
    "power2017": "Power JD (2017). A simple but useful way to assess fMRI scan qualities. "
    "NeuroImage 154, 150.",
}


def assess(recording: Recording, settings: FmriQualitySettings) -> Assessment:
    """Judge a recording of region time series.

    Parameters
    ----------
    recording : Recording
        Of modality fmri.
    settings : FmriQualitySettings
    """
    assert recording.signals is not None
    signals = recording.signals.values
    numbers = measure(recording)
    metrics = _signal_metrics(numbers, settings)
    metrics += _motion_metrics(numbers, settings)
    metrics += _completeness_metrics(recording, signals, numbers, settings)
    figures = [
        carpet_figure(recording, numbers, settings),
        units_figure(recording, numbers, settings),
    ]
    warnings = []
    if numbers.displacement is None:
        warnings.append(
            "Head motion is not known for this recording: jumps of the signal (DVARS) are the only "
            "trace of it."
        )
    return Assessment(
        metrics=explained(metrics, "no region varies"),
        arrays=dataset(_arrays(recording, numbers), recording),
        figures=figures,
        methods=_methods(numbers, settings),
        references=_cited(numbers),
        warnings=warnings,
    )


def measure(recording: Recording) -> FmriNumbers:
    """Compute all numbers of a recording; see `FmriNumbers`."""
    assert recording.signals is not None
    signals = recording.signals.values
    # The reader keeps what cleaning takes away: temporal SNR and means of the raw series.
    tsnr = _column(recording, "tsnr")
    if tsnr is None:
        tsnr = fmri.temporal_snr(signals)
    elif not np.nanmedian(tsnr) > 0 or np.isfinite(tsnr).mean() < 0.5:
        tsnr = None  # a few large means among demeaned series mean nothing
    confounds = recording.confounds
    displacement = None
    if confounds is not None and "framewise_displacement" in confounds:
        displacement = confounds["framewise_displacement"].values.astype(float)
        displacement = displacement if np.isfinite(displacement).any() else None
    return FmriNumbers(
        tsnr=tsnr,
        coverage=_column(recording, "coverage"),
        constant=series.constant_units(signals),
        line_share=series.line_share(signals),
        dvars=fmri.standardised_dvars(signals),
        global_z=series.global_signal(signals),
        global_percent=_global_percent(recording, tsnr is not None),
        displacement=displacement,
    )


def _global_percent(recording: Recording, level_known: bool) -> np.ndarray | None:
    """Global signal in %, None where the level or the scale of the series was lost."""
    assert recording.signals is not None
    signals = recording.signals.values
    measured = str(recording.signals.attrs.get("unit", ""))
    if measured == "%":
        return series.mean_over_units(signals - series.mean_sd(signals)[0])
    if measured or not level_known:
        return None
    return fmri.percent_change(signals, _column(recording, "mean"))


def _column(recording: Recording, name: str) -> np.ndarray | None:
    """A numeric column of the unit table, None where it is absent or holds no number."""
    if name not in recording.units or recording.units[name].dtype.kind not in "fiu":
        return None
    values = recording.units[name].to_numpy(float)
    return values if np.isfinite(values).any() else None


def _signal_metrics(numbers: FmriNumbers, settings: FmriQualitySettings) -> list[Metric]:
    demeaned = "Not computed: the series were demeaned or scaled, and their level is not known."
    percent = numbers.global_percent
    return [
        judged("temporal SNR", None, settings.tsnr, description=demeaned)
        if numbers.tsnr is None
        else median_of(
            "temporal SNR",
            numbers.tsnr,
            settings.tsnr,
            description="Median over regions of mean over standard deviation in time, before "
            "cleaning; higher is better.",
        ),
        judged(
            "global signal",
            None if percent is None else float(np.nanstd(percent)),
            unit="%",
            description=demeaned
            if percent is None
            else "Standard deviation in time of the mean over regions, relative to its level; "
            "large values point to breathing, motion or the scanner.",
        ),
        judged(
            "drift",
            float(series.line_share(numbers.global_z)),
            settings.drift,
            description="Share of the global signal's variance that a straight line in time "
            "explains; lower is better.",
        ),
    ]


def _motion_metrics(numbers: FmriNumbers, settings: FmriQualitySettings) -> list[Metric]:
    known = numbers.dvars[np.isfinite(numbers.dvars)]
    metrics = [
        share_of(
            "DVARS spikes",
            known > settings.dvars_spike,
            settings.dvars_spikes,
            description=f"Share of frames whose standardised DVARS exceeds "
            f"{settings.dvars_spike:g}: sudden changes in all regions at once; lower is better.",
        )
    ]
    if numbers.displacement is not None:
        fd = numbers.displacement[np.isfinite(numbers.displacement)]
        metrics += [
            judged(
                "mean framewise displacement",
                float(fd.mean()),
                settings.fd_mean,
                unit="mm",
                description="Mean movement of the head from frame to frame; lower is better.",
                n=len(fd),
            ),
            share_of(
                "frames in motion",
                fd > settings.fd_spike,
                settings.fd_spikes,
                description=f"Share of frames with more than {settings.fd_spike:g} mm of framewise "
                "displacement; lower is better.",
            ),
        ]
    return metrics


def _completeness_metrics(
    recording: Recording, signals: np.ndarray, numbers: FmriNumbers, settings: FmriQualitySettings
) -> list[Metric]:
    metrics = []
    absent = absent_units(recording)
    if numbers.coverage is not None:
        covered = np.concatenate([numbers.coverage >= settings.covered, np.zeros(absent, bool)])
        metrics.append(
            share_of(
                "coverage",
                covered,
                settings.coverage,
                description=f"Share of the parcellation's regions with at least "
                f"{100 * settings.covered:g} % of their voxels in the field of view; higher is "
                "better.",
            )
        )
    metrics += [
        missing_samples(signals, settings.missing),
        judged(
            "absent units",
            (absent + int(numbers.constant.sum())) / (absent + recording.n_units),
            settings.absent,
            description="Share of the regions of the parcellation that have no signal here; lower "
            "is better.",
            n=absent + recording.n_units,
        ),
        judged(
            "length",
            recording.duration,
            settings.length,
            unit="s",
            description="Length of the scan; functional connectivity settles over minutes.",
        ),
    ]
    return metrics


def absent_units(recording: Recording) -> int:
    """Number of the parcellation's regions that the recording lacks, 0 where not known."""
    return len(recording.attrs.get("absent_units", []))


def _arrays(
    recording: Recording, numbers: FmriNumbers
) -> dict[str, tuple[tuple[str, ...], np.ndarray, str, str]]:
    assert recording.signals is not None
    unit, time = ("unit",), ("time",)
    found: dict[str, tuple[tuple[str, ...], np.ndarray | None, str, str]] = {
        "time": (time, recording.signals["time"].values, "s", "time of each frame"),
        "temporal_snr": (unit, numbers.tsnr, "", "mean over sd in time, before cleaning"),
        "coverage": (unit, numbers.coverage, "", "share of the region's voxels with signal"),
        "constant": (unit, numbers.constant, "", "whether the series never changes"),
        "line_share": (unit, numbers.line_share, "", "share of variance that a line explains"),
        "dvars": (time, numbers.dvars, "", "standardised DVARS, 1 where nothing happens"),
        "global_signal": (time, numbers.global_z, "sd", "mean over regions of z-scored series"),
        "global_percent": (time, numbers.global_percent, "%", "global signal over its level"),
        "framewise_displacement": (time, numbers.displacement, "mm", "head movement"),
    }
    return {k: (d, v, u, t) for k, (d, v, u, t) in found.items() if v is not None}


def _methods(numbers: FmriNumbers, settings: FmriQualitySettings) -> str:
    parts = []
    if numbers.tsnr is not None:
        parts.append(
            "Temporal SNR was the mean over the standard deviation in time of each region's series "
            "before cleaning [murphy2007]."
        )
    parts.append(
        "DVARS [power2012] was computed over regions of unit robust variance and divided by its "
        f"expectation under first-order autocorrelated noise [nichols2017]; frames above "
        f"{settings.dvars_spike:g} counted as spikes."
    )
    if numbers.displacement is not None:
        parts.append(
            f"Frames with a framewise displacement above {settings.fd_spike:g} mm counted as in "
            "motion [power2012]."
        )
    parts.append("All series were inspected as a carpet plot [power2017].")
    return " ".join(parts)


def _cited(numbers: FmriNumbers) -> dict[str, str]:
    keys = [k for k in _REFERENCES if k != "murphy2007" or numbers.tsnr is not None]
    return {key: _REFERENCES[key] for key in keys}
