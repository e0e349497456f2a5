"""Populations that see a film: linear-nonlinear-Poisson units, with and without gates.

Every drive is a part of the log rate, so that drives add up, and its truth (filters, gates)
is returned with it. Axes: t frames or samples, y and x pixels, l lags, n units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from neuropipe.errors import SettingsError
from neuropipe.simulate.trains import SpikeTrains

Array = NDArray[np.float64]
_MAX_LOG_RATE = np.log(200.0)


def film(n_frames: int, height: int, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw smoothly changing grey clouds.

    Returns
    -------
    array of shape (n_frames, height, width), uint8
        Grey levels around 128; correlated over about 3 pixels and 2 frames.
    """
    clouds = gaussian_filter(rng.standard_normal((n_frames, height, width)), (1.0, 1.5, 1.5))
    clouds *= 48 / clouds.std()
    return np.asarray(np.clip(np.rint(clouds + 128), 0, 255), dtype=np.uint8)


@dataclass(frozen=True, kw_only=True)
class VisualFilters:
    """Separable receptive fields: a Gabor in space times a biphasic course in time.

    Parameters
    ----------
    spatial : array of shape (n_units, height, width)
        Unit norm.
    temporal : array of shape (n_units, n_lags)
        Unit norm; entry 0 is the current frame.
    gain : array of shape (n_units,)
        Standard deviation of the log-rate contribution over the film.
    """

    spatial: Array
    temporal: Array
    gain: Array


def visual_filters(
    n_units: int,
    height: int,
    width: int,
    rng: np.random.Generator,
    *,
    gain: float = 0.8,
    n_lags: int = 6,
) -> VisualFilters:
    """Draw Gabor receptive fields all over the frame.

    Parameters
    ----------
    n_units, height, width : int
        Units and pixels.
    rng : numpy.random.Generator
    gain : float
        Mean standard deviation of the log-rate contribution; units lie within 25 % of it.
    n_lags : int
        Frames that the temporal filter spans.
    """
    y, x = np.mgrid[:height, :width]
    shape = (n_units, 1, 1)
    cy = rng.uniform(0.2, 0.8, shape) * (height - 1)
    cx = rng.uniform(0.2, 0.8, shape) * (width - 1)
    angle, phase = rng.uniform(0, np.pi, shape), rng.uniform(0, 2 * np.pi, shape)
    size = height * rng.uniform(0.12, 0.2, shape)
    across = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    along = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
    envelope = np.exp(-(across**2 + along**2) / (2 * size**2))
    spatial = envelope * np.cos(2 * np.pi * across / (3 * size) + phase)
    spatial /= np.linalg.norm(spatial, axis=(1, 2), keepdims=True)
    lag = np.arange(n_lags) / rng.uniform(0.7, 1.3, (n_units, 1))
    temporal = lag * np.exp(-lag) - 0.3 * lag**2 / 2 * np.exp(-lag)
    temporal /= np.linalg.norm(temporal, axis=1, keepdims=True)
    return VisualFilters(
        spatial=spatial, temporal=temporal, gain=gain * rng.uniform(0.75, 1.25, n_units)
    )


def visual_drive(films: NDArray[np.uint8], filters: VisualFilters) -> Array:
    """Filter films and scale them to each unit's gain.

    Parameters
    ----------
    films : array of shape (..., n_frames, height, width), uint8
        Grey before the first frame of each film.
    filters : VisualFilters

    Returns
    -------
    array of shape (..., n_frames, n_units)
        Of mean 0 and standard deviation `filters.gain` over all frames of all films.

    Raises
    ------
    SettingsError
        If the film's frames have another size than the filters.
    """
    if films.shape[-2:] != filters.spatial.shape[1:]:
        raise SettingsError(
            f"frames of {films.shape[-2:]} pixels", f"{filters.spatial.shape[1:]}", "match them"
        )
    n_pixels = films.shape[-2] * films.shape[-1]
    contrast = (films.reshape(*films.shape[:-2], n_pixels).astype(np.float64) - 128) / 128
    projected = contrast @ filters.spatial.reshape(len(filters.gain), n_pixels).T  # (..., t, n)
    drive = np.zeros_like(projected)
    n_frames = films.shape[-3]
    for lag in range(min(filters.temporal.shape[1], n_frames)):
        drive[..., lag:, :] += projected[..., : n_frames - lag, :] * filters.temporal[:, lag]
    over = tuple(range(drive.ndim - 1))
    drive -= drive.mean(axis=over)
    return np.asarray(drive * (filters.gain / drive.std(axis=over)))


def pair_gate(first: NDArray[np.bool_], second: NDArray[np.bool_], gain: float) -> Array:
    """Log-rate contribution that no single input predicts: high where exactly one is on.

    Parameters
    ----------
    first, second : array of bool
        Whether each input is on.
    gain : float
        Half the difference between the two levels of the log rate.

    Returns
    -------
    array
        ``gain`` where exactly one is on, ``-gain`` elsewhere.
    """
    return np.where(np.logical_xor(first, second), gain, -gain)


def rates_from_drive(drive: Array, mean_rates: Array) -> Array:
    """Exponentiate a drive and scale each unit to its mean rate.

    Parameters
    ----------
    drive : array of shape (n_samples, n_units)
        Log-rate contributions.
    mean_rates : array of shape (n_units,)
        In Hz.

    Returns
    -------
    array of shape (n_samples, n_units)
        Rates in Hz, at most 200.
    """
    log_rate = drive + np.log(mean_rates) - np.log(np.exp(drive).mean(axis=0))
    return np.asarray(np.exp(np.minimum(log_rate, _MAX_LOG_RATE)))


def poisson_spikes(rates: Array, step: float, rng: np.random.Generator) -> SpikeTrains:
    """Draw Poisson spikes of piecewise constant rates.

    Parameters
    ----------
    rates : array of shape (n_samples, n_units)
        In Hz.
    step : float
        Sampling step in s.
    rng : numpy.random.Generator
    """
    n_samples, n_units = rates.shape
    counts = rng.poisson(rates * step).ravel()
    index = np.repeat(np.arange(counts.size), counts)
    times = (index // n_units + rng.random(len(index))) * step
    order = np.argsort(times, kind="stable")
    return SpikeTrains(
        times=times[order],
        units=(index % n_units)[order].astype(np.int32),
        n_units=n_units,
        duration=n_samples * step,
    )


@dataclass(frozen=True, kw_only=True)
class StimulusPopulation:
    """Repeats of one film and the rates behind them.

    Parameters
    ----------
    frames : array of shape (n_frames, height, width), uint8
    frame_step : float
        In s.
    filters : VisualFilters
    gated : array of shape (n_gated,)
        Units with a gate on top of their filter.
    gates : array of shape (n_gated, 2)
        The two units whose inputs gate each of them.
    rates : array of shape (n_repeats, n_frames, n_units), float32
        True rates in Hz given everything that precedes them. Without gates by units all repeats
        are the same.
    repeats : list of SpikeTrains
        One for each repeat; times in s from its start.
    """

    frames: NDArray[np.uint8]
    frame_step: float
    filters: VisualFilters
    gated: NDArray[np.int64]
    gates: NDArray[np.int64]
    rates: NDArray[np.float32]
    repeats: list[SpikeTrains]


def stimulus_population(
    n_units: int,
    rng: np.random.Generator,
    *,
    duration: float = 30.0,
    n_repeats: int = 20,
    mean_rate: float = 8.0,
    frame_step: float = 0.05,
    height: int = 16,
    width: int = 28,
    gating: str = "none",
    gated_share: float = 0.5,
    gate_gain: float = 1.0,
) -> StimulusPopulation:
    """Simulate a linear-nonlinear-Poisson population that sees a film again and again.

    Parameters
    ----------
    n_units : int
    rng : numpy.random.Generator
    duration : float
        Of the film, in s.
    n_repeats : int
    mean_rate : float
        In Hz; units are log-normal around it.
    frame_step : float
        Duration of a frame in s.
    height, width : int
        Of a frame, in pixels.
    gating : {"none", "stimulus", "units"}
        ``"stimulus"``: the log rate of a gated unit rises by `gate_gain` where exactly one of two
        other units' filter outputs is above its median, and falls by as much elsewhere.
        ``"units"``: where exactly one of two other units spiked in the previous frame; those units
        have rates of ln 2 per frame, so that they spike in about half of the frames.
    gated_share : float
        Share of the units that are gated; their gates are drawn from the rest.
    gate_gain : float
        Half the difference of the log rate between open and closed gate.

    Raises
    ------
    SettingsError
        If `gating` is unknown, or fewer than two units remain as gates.

    Notes
    -----
    A gate is the exclusive or of two inputs: no additive model of the inputs can follow it.
    """
    if gating not in ("none", "stimulus", "units"):
        raise SettingsError(f"gating {gating!r}", "none, stimulus or units", "correct it")
    n_gated = 0 if gating == "none" else round(gated_share * n_units)
    if n_units - n_gated < 2:
        raise SettingsError(f"{n_gated} of {n_units} units gated", "two left as gates", "lower it")
    n_frames = round(duration / frame_step)
    frames = film(n_frames, height, width, rng)
    filters = visual_filters(n_units, height, width, rng)
    mean_rates = mean_rate * rng.lognormal(-0.045, 0.3, n_units)
    gated = np.arange(n_units - n_gated, n_units)
    gates = np.array([rng.permutation(n_units - n_gated)[:2] for _ in gated]).reshape(-1, 2)
    drive = visual_drive(frames, filters)
    if gating == "stimulus":
        high = drive > np.median(drive, axis=0)
        drive[:, gated] += pair_gate(high[:, gates[:, 0]], high[:, gates[:, 1]], gate_gain)
    if gating == "units":
        mean_rates[np.unique(gates)] = np.log(2) / frame_step
    base = rates_from_drive(drive, mean_rates)
    rates = np.repeat(base[None].astype(np.float32), n_repeats, axis=0)
    repeats = []
    for repeat in range(n_repeats):
        if gating == "units":
            sources = poisson_spikes(base[:, : n_units - n_gated], frame_step, rng)
            before = np.zeros((n_frames, n_units - n_gated), dtype=bool)
            before[1:] = sources.counts(frame_step)[:-1] > 0
            gate = pair_gate(before[:, gates[:, 0]], before[:, gates[:, 1]], gate_gain)
            rates[repeat][:, gated] *= np.exp(gate) / np.cosh(gate_gain)
            targets = poisson_spikes(rates[repeat][:, gated], frame_step, rng)
            repeats.append(_merged(sources, targets))
        else:
            repeats.append(poisson_spikes(base, frame_step, rng))
    return StimulusPopulation(
        frames=frames,
        frame_step=frame_step,
        filters=filters,
        gated=gated,
        gates=gates,
        rates=rates,
        repeats=repeats,
    )


def _merged(first: SpikeTrains, second: SpikeTrains) -> SpikeTrains:
    """Put the units of the second population after those of the first."""
    times = np.concatenate([first.times, second.times])
    units = np.concatenate([first.units, second.units + np.int32(first.n_units)])
    order = np.argsort(times, kind="stable")
    return SpikeTrains(
        times=times[order],
        units=units[order],
        n_units=first.n_units + second.n_units,
        duration=first.duration,
    )
