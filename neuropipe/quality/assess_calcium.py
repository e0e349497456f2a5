"""Quality of fluorescence traces: from a Recording to metrics, arrays, figures and words."""

from __future__ import annotations

import numpy as np

from neuropipe.quality import calcium
from neuropipe.quality.calcium import CalciumNumbers
from neuropipe.quality.evaluate import Assessment, dataset, explained, missing_samples
from neuropipe.quality.figures_calcium import examples_figure, population_figure
from neuropipe.quality.series import constant_units, line_share
from neuropipe.quality.settings import CalciumQualitySettings
from neuropipe.quality.verdicts import judged, median_of, share_of
from neuropipe.recording import Recording
from neuropipe.results import Metric

_REFERENCES = {
    "rupprecht2021": "Rupprecht P, Carta S, Hoffmann A, et al. (2021). A database and deep "
    "learning toolbox for noise-optimized, generalized spike inference from calcium imaging. "
    "Nature Neuroscience 24, 1324.",
    "dombeck2007": "Dombeck DA, Khabbaz AN, Collman F, Adelman TL, Tank DW (2007). Imaging "
    "large-scale neural activity with cellular resolution in awake, mobile mice. Neuron 56, 43.",
}
_WHITE_NOISE_PEAK = 2.3263478740408408  # 99th percentile of the standard normal distribution


def assess(recording: Recording, settings: CalciumQualitySettings) -> Assessment:
    """Judge a recording of fluorescence traces.

    Parameters
    ----------
    recording : Recording
        Of modality calcium.
    settings : CalciumQualitySettings
    """
    numbers = measure(recording, settings)
    assert recording.signals is not None
    warnings = []
    if n := int(constant_units(recording.signals.values).sum()):
        warnings.append(f"{n} of {recording.n_units} units never change; they count in no median.")
    return Assessment(
        metrics=explained(_metrics(recording, numbers, settings), "no unit varies"),
        arrays=dataset(_arrays(recording, numbers), recording),
        figures=[
            population_figure(recording),
            examples_figure(recording, numbers, settings),
        ],
        methods=_methods(numbers, settings),
        references={
            k: v
            for k, v in _REFERENCES.items()
            if k != "rupprecht2021" or numbers.noise_level is not None
        },
        warnings=warnings,
    )


def measure(recording: Recording, settings: CalciumQualitySettings) -> CalciumNumbers:
    """Compute all numbers of a recording; see `CalciumNumbers`."""
    assert recording.signals is not None
    traces = recording.signals.values
    rate = float(recording.signals.attrs["sampling_rate"])
    events = calcium.find_events(
        traces, rate, threshold=settings.event_threshold, duration=settings.event_duration
    )
    known = np.isfinite(traces).sum(axis=0)
    dips = calcium.find_dips(traces, rate, depth=settings.dip_depth, duration=settings.dip_duration)
    with np.errstate(invalid="ignore", divide="ignore"):
        event_rate = np.where(known > 0, events.sum(axis=0) * 60 * rate / known, np.nan)
        dip_share = np.where(known > 0, dips.sum(axis=0) / known, np.nan)
    return CalciumNumbers(
        snr=calcium.peak_to_noise(traces, settings.peak_percentile),
        noise=calcium.noise_sd(traces),
        noise_level=calcium.noise_level(traces, rate) if is_dff(recording) else None,
        event_rate=event_rate,
        line_share=line_share(traces),
        dip_share=dip_share,
        events=events,
    )


def is_dff(recording: Recording) -> bool:
    """Tell whether the traces are said to be dF/F, the only unit in which noise compares."""
    assert recording.signals is not None
    label = str(recording.signals.attrs.get("unit", "")).lower().replace(" ", "")
    return label in ("df/f", "dff", "deltaf/f", "δf/f", "df/f0")


def _metrics(
    recording: Recording, numbers: CalciumNumbers, settings: CalciumQualitySettings
) -> list[Metric]:
    assert recording.signals is not None
    metrics = [
        median_of(
            "signal to noise",
            numbers.snr,
            settings.snr,
            description="Median over units of the height of the peaks "
            f"({settings.peak_percentile:g}"
            "th percentile over the median) in standard deviations of the noise; higher is better.",
            chance=_WHITE_NOISE_PEAK if settings.peak_percentile == 99 else None,
        )
    ]
    if numbers.noise_level is not None:
        metrics.append(
            median_of(
                "noise level",
                numbers.noise_level,
                unit="%/sqrt(Hz)",
                description="Median over units of the standardised noise of dF/F, comparable "
                "between frame rates: 1 is very low, 8 high; lower is better.",
                better="lower",
            )
        )
    known = np.isfinite(numbers.event_rate)
    metrics += [
        median_of(
            "event rate",
            numbers.event_rate,
            unit="1/min",
            description="Median over units of positive transients per minute.",
        ),
        share_of(
            "active units",
            numbers.event_rate[known] >= settings.active_rate,
            settings.active,
            description=f"Share of units with at least {settings.active_rate:g} events per minute; "
            "higher is better.",
        ),
        median_of(
            "drift",
            numbers.line_share,
            settings.drift,
            description="Median over units of the share of variance that a straight line in time "
            "explains, such as bleaching; lower is better.",
        ),
        median_of(
            "negative artefacts",
            numbers.dip_share,
            settings.dips,
            description=f"Median over units of the share of samples in falls of more than "
            f"{settings.dip_depth:g} noise sd that last under {2 * settings.dip_duration:g} s, "
            "which no indicator makes; lower is better.",
        ),
        missing_samples(recording.signals.values, settings.missing),
        judged(
            "length",
            recording.duration,
            settings.length,
            unit="s",
            description="Length of the recording; higher is better.",
        ),
    ]
    return metrics


def _arrays(
    recording: Recording, numbers: CalciumNumbers
) -> dict[str, tuple[tuple[str, ...], np.ndarray, str, str]]:
    assert recording.signals is not None
    unit = ("unit",)
    traces_unit = str(recording.signals.attrs.get("unit", ""))
    found: dict[str, tuple[tuple[str, ...], np.ndarray, str, str]] = {
        "signal_to_noise": (unit, numbers.snr, "", "peak over noise"),
        "noise_sd": (unit, numbers.noise, traces_unit, "sd of the noise"),
        "event_rate": (unit, numbers.event_rate, "1/min", "positive transients per minute"),
        "line_share": (unit, numbers.line_share, "", "share of variance that a line explains"),
        "artefact_share": (unit, numbers.dip_share, "", "share of samples in negative artefacts"),
    }
    if numbers.noise_level is not None:
        found["noise_level"] = (unit, numbers.noise_level, "%/sqrt(Hz)", "standardised noise")
    return found


def _methods(numbers: CalciumNumbers, settings: CalciumQualitySettings) -> str:
    parts = [
        "The noise of each trace was estimated from the median absolute deviation of its "
        f"successive differences, and its peaks as the {settings.peak_percentile:g}th percentile "
        "over the median."
    ]
    if numbers.noise_level is not None:
        parts.append("Noise was standardised by the frame rate [rupprecht2021].")
    parts.append(
        f"Transients were counted where a trace stayed more than {settings.event_threshold:g} "
        f"noise standard deviations above its median for at least {settings.event_duration:g} s; "
        "brief negative deflections, which calcium does not cause, counted as artefacts "
        "[dombeck2007]."
    )
    return " ".join(parts)
