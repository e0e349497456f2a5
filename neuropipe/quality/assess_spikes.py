"""Quality of sorted spikes: from a Recording to metrics, arrays, figures and words."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neuropipe.quality import spikes
from neuropipe.quality.evaluate import Assessment, dataset, explained
from neuropipe.quality.figures_spikes import activity_figure, maps_figure, units_figure
from neuropipe.quality.settings import SpikesQualitySettings
from neuropipe.quality.spatial import SpatialTuning, find_position, spatial_tuning
from neuropipe.quality.spikes import SpikeNumbers
from neuropipe.quality.verdicts import judged, median, median_interval, number, share
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
        arrays = arrays.merge(_spatial_arrays(tuning, place_unit))
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
    by_events = events is not None and len(events) >= settings.minimum_trials
    labels = None
    if by_events:
        assert events is not None
        onsets = events["onset"].to_numpy(float)
        counts = spikes.trial_counts(trains, onsets, window)
        if "trial_type" in events:
            labels = events["trial_type"].to_numpy(object).astype(str)
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
        presence=spikes.presence_ratio(trains, start, stop, settings.presence_bin),
        fano=spikes.fano_factor(counts, labels, settings.minimum_trials),
        n_trials=len(counts),
        by_events=by_events,
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
    n = len(numbers.rate)
    milliseconds = f"{1000 * settings.refractory:g} ms"
    contaminated = numbers.violation_share > settings.violating_share
    across = "trials of the same type" if numbers.by_events else "windows in time"
    return [
        Metric(
            name="spikes",
            value=float(numbers.n_spikes.sum()),
            description="Spikes of all units together.",
            n=n,
        ),
        Metric(
            name="firing rate",
            value=number(median(numbers.rate)),
            unit="Hz",
            description="Median over units of the mean firing rate.",
            interval=median_interval(numbers.rate),
            n=n,
        ),
        judged(
            "silent units",
            share(numbers.rate < settings.silent_rate),
            settings.silent,
            description=f"Share of units that fire less than {settings.silent_rate:g} Hz; lower is "
            "better.",
            n=n,
        ),
        Metric(
            name="ISI violations",
            value=number(median(numbers.violation_share)),
            description=f"Median over units of the share of interspike intervals under "
            f"{milliseconds}; lower is better.",
            interval=median_interval(numbers.violation_share),
            n=int(np.isfinite(numbers.violation_share).sum()),
            better="lower",
        ),
        judged(
            "contaminated units",
            share(contaminated),
            settings.contaminated,
            description=f"Share of units with more than {settings.violating_share:.2%} of their "
            f"intervals under {milliseconds}, which no single neuron makes; lower is better.",
            n=n,
        ),
        judged(
            "presence ratio",
            median(numbers.presence),
            settings.presence,
            description=f"Median over units of the share of {settings.presence_bin:g} s bins with "
            "at least one spike; low where units were lost, or fire rarely; higher is better.",
            interval=median_interval(numbers.presence),
            n=n,
        ),
        Metric(
            name="Fano factor",
            value=number(median(numbers.fano)),
            description=f"Median over units of variance over mean of spike counts in "
            f"{settings.count_window:g} s, across {across}; a Poisson process has 1.",
            interval=median_interval(numbers.fano),
            n=numbers.n_trials,
        ),
    ]


def _spatial_metrics(
    tuning: SpatialTuning, settings: SpikesQualitySettings, seed: int
) -> list[Metric]:
    spatial = settings.spatial
    information = tuning.information
    judged_units = (tuning.n_spikes >= spatial.minimum_spikes) & np.isfinite(information)
    n = int(np.isfinite(information).sum())
    metrics = [
        Metric(
            name="spatial information",
            value=number(median(information)),
            unit="bits/spike",
            description="Median over units of what one spike tells about the place; few spikes "
            "bias it upwards, as the value after circular shifts (chance) shows; higher is better.",
            chance=number(median(np.median(tuning.null, axis=0))) if len(tuning.null) else None,
            interval=median_interval(information),
            n=n,
            seed=seed,
            better="higher",
        ),
        Metric(
            name="informative units",
            value=number(share(information[np.isfinite(information)] > spatial.informative)),
            description=f"Share of units above {spatial.informative:g} bits/spike "
            f"({int((information > spatial.informative).sum())} of {n}).",
            n=n,
            better="higher",
        ),
    ]
    if len(tuning.null):
        tuned = significant(tuning)[judged_units]
        metrics.append(
            Metric(
                name="spatially tuned units",
                value=number(share(tuned)),
                description=f"Share of units with at least {spatial.minimum_spikes} spikes whose "
                "information exceeds the 95th percentile of their own circular shifts.",
                chance=0.05,
                n=len(tuned),
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


def _spatial_arrays(tuning: SpatialTuning, place_unit: str) -> xr.Dataset:
    about = {
        "spatial_information": {"unit": "bits/spike", "description": "Skaggs et al. 1993"},
        "rate_map": {"unit": "Hz", "description": "smoothed rate, NaN where hardly visited"},
        "occupancy": {"unit": "s", "description": "time spent in each bin"},
    }
    variables = {
        "spatial_information": (("unit",), tuning.information, about["spatial_information"]),
        "rate_map": (
            ("unit", "x", "y"),
            tuning.rates.astype(np.float32),
            about["rate_map"],
        ),
        "occupancy": (("x", "y"), tuning.occupancy, about["occupancy"]),
    }
    if len(tuning.null):
        text = {"unit": "bits/spike", "description": "95th percentile of the circular shifts"}
        null = np.quantile(tuning.null, 0.95, axis=0)
        variables["spatial_information_null95"] = (("unit",), null, text)
    centers = {
        axis: (axis, (edges[1:] + edges[:-1]) / 2, {"unit": place_unit})
        for axis, edges in (("x", tuning.x_edges), ("y", tuning.y_edges))
    }
    return xr.Dataset(variables, coords=centers)


def _warnings(numbers: SpikeNumbers) -> list[str]:
    empty = int((numbers.n_spikes == 0).sum())
    return [f"{empty} units have no spike at all."] if empty else []


def _methods(numbers: SpikeNumbers, settings: SpikesQualitySettings) -> str:
    across = (
        "trials of the same type"
        if numbers.by_events
        else f"successive windows of {settings.count_window:g} s"
    )
    return (
        f"Interspike intervals under {1000 * settings.refractory:g} ms were counted as refractory "
        "violations, and contamination was estimated from them [hill2011]. Presence ratios were "
        f"computed in {settings.presence_bin:g} s bins, and Fano factors of spike counts across "
        f"{across} [churchland2010]."
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
