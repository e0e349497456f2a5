"""Quality of sorted spikes: from a Recording to metrics, arrays, figures and words."""

from __future__ import annotations

from collections import Counter

import numpy as np
import xarray as xr

from neuropipe.quality import spikes
from neuropipe.quality.evaluate import Assessment, dataset, explained
from neuropipe.quality.figures_spikes import activity_figure, maps_figure, units_figure
from neuropipe.quality.settings import SpikesQualitySettings
from neuropipe.quality.spatial import SpatialTuning, find_position, spatial_tuning
from neuropipe.quality.spikes import SpikeNumbers
from neuropipe.quality.verdicts import median, median_of, number, share_of
from neuropipe.recording import Recording
from neuropipe.results import Metric, ResultFigure

_REFERENCES = {
    "hill2011": "Hill DN, Mehta SB, Kleinfeld D (2011). Quality metrics to accompany spike sorting "
    "of extracellular signals. Journal of Neuroscience 31, 8699.",
    "churchland2010": "Churchland MM, Yu BM, Cunningham JP, et al. (2010). Stimulus onset quenches "
    "neural variability: a widespread cortical phenomenon. Nature Neuroscience 13, 369.",
    "skaggs1993": "Skaggs WE, McNaughton BL, Gothard KM, Markus EJ (1993). An "
    "information-theoretic approach to deciphering the hippocampal code. Advances in Neural "
    "Information Processing Systems 5, 1030.",
}


def assess(recording: Recording, settings: SpikesQualitySettings, seed: int) -> Assessment:
    """Judge a recording of sorted spikes.

    Parameters
    ----------
    recording : Recording
        Of modality spikes.
    settings : SpikesQualitySettings
    seed : int
        Of the circular shifts behind the null of spatial information.
    """
    trains = recording.spike_trains()
    numbers = measure(recording, trains, settings)
    metrics = _metrics(numbers, settings)
    arrays = dataset(_arrays(numbers), recording)
    figures: list[ResultFigure] = []
    if numbers.n_spikes.any():  # nothing can be drawn of silence
        figures = [activity_figure(trains, numbers), units_figure(numbers, settings)]
    methods, keys = _methods(numbers, settings), ["hill2011", "churchland2010"]
    tuning, place_unit = None, ""
    found = find_position(recording.behavior)
    if found is not None:
        time, position, place_unit = found
        rng = np.random.default_rng(seed)
        tuning = spatial_tuning(trains, time, position, settings.spatial, rng)
    if tuning is not None:
        metrics += _spatial_metrics(tuning, settings, seed)
        arrays = arrays.merge(_spatial_arrays(tuning, place_unit, recording))
        if np.isfinite(tuning.information).any():
            figures.append(maps_figure(tuning, list(recording.units.index), settings.spatial))
        methods += " " + _spatial_methods(tuning, settings)
        keys.append("skaggs1993")
    return Assessment(
        metrics=explained(metrics, "too few spikes"),
        arrays=arrays,
        figures=figures,
        methods=methods,
        references={key: _REFERENCES[key] for key in keys},
        warnings=_warnings(numbers),
    )


def measure(
    recording: Recording, trains: list[np.ndarray], settings: SpikesQualitySettings
) -> SpikeNumbers:
    """Compute all numbers of a recording; see `SpikeNumbers`."""
    start, stop = span(recording, trains)
    n_spikes = np.array([len(train) for train in trains])
    n_violations, violation_share = spikes.refractory_violations(trains, settings.refractory)
    window = settings.count_window
    events = recording.events
    labels, across = None, "windows in time"
    if events is not None and len(events) >= settings.minimum_trials:
        counts = spikes.trial_counts(trains, events["onset"].to_numpy(float), window)
        across = "trials"
        if "trial_type" in events:
            labels = events["trial_type"].to_numpy(object).astype(str)
            if max(Counter(labels).values()) >= settings.minimum_trials:
                across = "trials of the same type"
    else:
        n_windows = max(2, int((stop - start) / window))
        counts = spikes.binned_counts(trains, start, stop, n_windows)
    return SpikeNumbers(
        start=start,
        stop=stop,
        n_spikes=n_spikes,
        n_violations=n_violations,
        rate=n_spikes / (stop - start),
        violation_share=violation_share,
        contamination=spikes.contamination(
            n_violations, n_spikes, stop - start, settings.refractory
        ),
        presence=spikes.presence_ratio(trains, start, stop, settings.presence_bin)
        if stop - start >= 2 * settings.presence_bin
        else np.full(len(trains), np.nan),  # one bin says nothing about being lost
        fano=spikes.fano_factor(counts, labels, settings.minimum_trials),
        n_trials=len(counts),
        across=across,
    )


def span(recording: Recording, trains: list[np.ndarray]) -> tuple[float, float]:
    """First and last moment of the recording in s: of spikes, events or behaviour.

    A clock that starts long before the first spike would make every rate too low.
    """
    starts = [float(train[0]) for train in trains if len(train)]
    starts += [float(d["time"].values[0]) for d in recording.behavior.values()]
    if recording.events is not None and len(recording.events):
        starts.append(float(recording.events["onset"].min()))
    start, stop = min(starts, default=0.0), recording.duration
    return (start, stop) if stop > start else (start, start + 1.0)


def _metrics(numbers: SpikeNumbers, settings: SpikesQualitySettings) -> list[Metric]:
    milliseconds = f"{1000 * settings.refractory:g} ms"
    short = not np.isfinite(numbers.presence).any()
    return [
        Metric(
            name="spikes",
            value=float(numbers.n_spikes.sum()),
            description="Spikes of all units together.",
            n=len(numbers.rate),
        ),
        median_of(
            "firing rate",
            numbers.rate,
            unit="Hz",
            description="Median over units of the mean firing rate.",
        ),
        share_of(
            "silent units",
            numbers.rate < settings.silent_rate,
            settings.silent,
            description=f"Share of units that fire less than {settings.silent_rate:g} Hz; lower is "
            "better.",
        ),
        median_of(
            "ISI violations",
            numbers.violation_share,
            description=f"Median over units of the share of interspike intervals under "
            f"{milliseconds}; lower is better.",
            better="lower",
        ),
        share_of(
            "contaminated units",
            numbers.violation_share > settings.violating_share,
            settings.contaminated,
            description=f"Share of units with more than {100 * settings.violating_share:g} % of "
            f"their intervals under {milliseconds}, which no single neuron makes; lower is better.",
        ),
        median_of(
            "presence ratio",
            numbers.presence,
            settings.presence,
            description=f"Not computed: the recording is shorter than two bins of "
            f"{settings.presence_bin:g} s."
            if short
            else f"Median over units of the share of {settings.presence_bin:g} s bins with "
            "at least one spike; low where units were lost, or fire rarely; higher is better.",
        ),
        median_of(
            "Fano factor",
            numbers.fano,
            description=f"Median over units of variance over mean of spike counts in "
            f"{settings.count_window:g} s, across {numbers.n_trials} {numbers.across}; a Poisson "
            "process has 1.",
        ),
    ]


def _spatial_metrics(
    tuning: SpatialTuning, settings: SpikesQualitySettings, seed: int
) -> list[Metric]:
    spatial = settings.spatial
    information = tuning.information
    known = information[np.isfinite(information)]
    metrics = [
        median_of(
            "spatial information",
            information,
            unit="bits/spike",
            description="Median over units of what one spike tells about the place; few spikes "
            "bias it upwards, as the value after circular shifts (chance) shows; higher is better.",
            chance=number(median(np.median(tuning.null, axis=0))) if len(tuning.null) else None,
            seed=seed,
            better="higher",
        ),
        share_of(
            "informative units",
            known > spatial.informative,
            description=f"Share of units above {spatial.informative:g} bits/spike "
            f"({int((known > spatial.informative).sum())} of {len(known)}); higher is better.",
            better="higher",
        ),
    ]
    if len(tuning.null):
        enough = (tuning.n_spikes >= spatial.minimum_spikes) & np.isfinite(information)
        metrics.append(
            share_of(
                "spatially tuned units",
                significant(tuning)[enough],
                description=f"Share of units with at least {spatial.minimum_spikes} spikes whose "
                "information exceeds the 95th percentile of their own circular shifts; higher is "
                "better.",
                chance=0.05,
                seed=seed,
                better="higher",
            )
        )
    return metrics


def significant(tuning: SpatialTuning) -> np.ndarray:
    """Tell which units' information exceeds the 95th percentile of their own null.

    Returns
    -------
    array of bool of shape (n_units,)
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(tuning.information > np.quantile(tuning.null, 0.95, axis=0))


def _arrays(numbers: SpikeNumbers) -> dict[str, tuple[tuple[str, ...], np.ndarray, str, str]]:
    unit = ("unit",)
    return {
        "n_spikes": (unit, numbers.n_spikes, "", "number of spikes"),
        "firing_rate": (unit, numbers.rate, "Hz", "mean firing rate"),
        "isi_violations": (unit, numbers.violation_share, "", "share of too short intervals"),
        "contamination": (unit, numbers.contamination, "", "share of foreign spikes, Hill 2011"),
        "presence_ratio": (unit, numbers.presence, "", "share of time bins with spikes"),
        "fano_factor": (unit, numbers.fano, "", "variance over mean of spike counts"),
    }


def _spatial_arrays(tuning: SpatialTuning, place_unit: str, recording: Recording) -> xr.Dataset:
    unit, place = ("unit",), ("x", "y")
    found = {
        "spatial_information": (unit, tuning.information, "bits/spike", "Skaggs et al. 1993"),
        "rate_map": (
            (*unit, *place), tuning.rates.astype(np.float32), "Hz",
            "smoothed rate, NaN where hardly visited",
        ),
        "occupancy": (place, tuning.occupancy, "s", "time spent in each bin"),
    }  # fmt: skip
    if len(tuning.null):
        null = np.quantile(tuning.null, 0.95, axis=0)
        text = "95th percentile of the circular shifts"
        found["spatial_information_null95"] = (unit, null, "bits/spike", text)
    centers = {
        axis: (axis, (edges[1:] + edges[:-1]) / 2, {"unit": place_unit})
        for axis, edges in (("x", tuning.x_edges), ("y", tuning.y_edges))
    }
    return dataset(found, recording).assign_coords(centers)


def _warnings(numbers: SpikeNumbers) -> list[str]:
    empty = int((numbers.n_spikes == 0).sum())
    return [f"{empty} of {len(numbers.n_spikes)} units have no spike at all."] if empty else []


def _methods(numbers: SpikeNumbers, settings: SpikesQualitySettings) -> str:
    return (
        f"Interspike intervals under {1000 * settings.refractory:g} ms were counted as refractory "
        "violations, and contamination was estimated from them [hill2011]. Presence ratios were "
        f"computed in {settings.presence_bin:g} s bins, and Fano factors of spike counts in "
        f"{settings.count_window:g} s across {numbers.across} [churchland2010]."
    )


def _spatial_methods(tuning: SpatialTuning, settings: SpikesQualitySettings) -> str:
    spatial = settings.spatial
    n_x, n_y = tuning.occupancy.shape
    null = (
        f" and compared with {len(tuning.null)} circular shifts of the spikes by at least "
        f"{spatial.minimum_shift:g} s"
        if len(tuning.null)
        else ""
    )
    return (
        f"Rate maps of {n_x} x {n_y} bins were smoothed by a Gaussian (sd {spatial.smoothing:g} "
        f"bins), leaving out speeds under {spatial.minimum_speed:g} arena sides per s and bins "
        f"visited for less than {spatial.minimum_occupancy:g} s; spatial information was computed "
        f"from them [skaggs1993]{null}."
    )
