"""One spiking session: films, a running animal, and a circuit that hears both.

Every unit has one outside drive at most (a film, the speed, or a place), a share in a common
rhythm, and synapses from the hub circuit. All of it is returned as truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neuropipe.simulate.circuits import Circuit, cosine_drive, hub_circuit
from neuropipe.simulate.engine import Simulated
from neuropipe.simulate.navigation import (
    open_field_path,
    ornstein_uhlenbeck,
    place_drive,
    speed_from_latent,
    speed_weights,
)
from neuropipe.simulate.networks import (
    DRIVE_TO_INPUT,
    SYNAPSE_TO_INPUT,
    simulate_integrate_and_fire,
    simulate_point_process,
)
from neuropipe.simulate.populations import VisualFilters, film, visual_drive, visual_filters
from neuropipe.simulate.settings_stimuli import SpikesSimulation

Array = NDArray[np.float64]

BEHAVIOR_RATE = 20.0  # Hz
_STEP = 0.01  # s, of the drive
_MEAN_SPEED = 0.15  # m/s: in some minutes a mouse comes by most of the arena
_PLACE_WIDTH = 0.15  # of the arena's side
_PLACE_PEAK = 2.5  # log of peak over background rate
#: Area by drive, in the names of the Allen atlas.
REGIONS = {"visual": "VISp", "place": "CA1", "speed": "MOs", "none": "TH"}


@dataclass(frozen=True, kw_only=True)
class SpikesSession:
    """Arrays of one session and the truth behind them.

    Parameters
    ----------
    simulated : Simulated
        Spikes, and the conditional intensity in bins of 50 ms where the units are point processes.
    circuit : Circuit
    drive_of : array of shape (n_units,), str
        ``"visual"``, ``"place"``, ``"speed"`` or ``"none"``.
    target_rates : array of shape (n_units,)
        Mean rates that were aimed at, in Hz.
    drive_unit : str
        Of all weights, gains and drives: ``"log rate"`` for point processes, ``"distance from rest
        to threshold"`` for integrate-and-fire units.
    drive : array of shape (n_samples, n_units), float32
        Outside drive in steps of 10 ms.
    films : array of shape (n_films, n_frames, height, width), uint8
    trials : array of shape (n_trials, 2)
        Start and stop of each presentation in s.
    shown : array of shape (n_trials,)
        Index of the film of each trial.
    filters : VisualFilters
        Of the visual units, in their order.
    behavior_times : array of shape (n_behavior,)
        In s, 20 Hz.
    latent, speed : array of shape (n_behavior,)
        Ornstein-Uhlenbeck latent and the speed in m/s that follows it.
    position : array of shape (n_behavior, 2)
        In m.
    speed_weights : array of shape (n_units,)
        Drive per standard deviation of the latent, 0 for units that ignore it.
    place_centres : array of shape (n_units, 2)
        In m, NaN for units without a place field.
    place_width : float
        Standard deviation of the Gaussian place fields in m.
    place_peak : float
        Drive in their centre.
    common_amplitudes : array of shape (n_units,)
        Of the 1-Hz cosine.
    """

    simulated: Simulated
    circuit: Circuit
    drive_of: NDArray[np.str_]
    target_rates: Array
    drive_unit: str
    drive: NDArray[np.float32]
    films: NDArray[np.uint8]
    trials: Array
    shown: NDArray[np.int64]
    filters: VisualFilters
    behavior_times: Array
    latent: Array
    speed: Array
    position: Array
    speed_weights: Array
    place_centres: Array
    place_width: float
    place_peak: float
    common_amplitudes: Array


def simulate_session(settings: SpikesSimulation, rng: np.random.Generator) -> SpikesSession:
    """Simulate one session.

    Parameters
    ----------
    settings : SpikesSimulation
    rng : numpy.random.Generator
        One a session.

    Raises
    ------
    SettingsError
        If the circuit would sustain its own excitation, or the rates cannot be reached.
    """
    n = settings.n_units
    n_samples = int(np.ceil(settings.duration / _STEP - 1e-9))
    low, high = 0.5 * settings.gain, 1.3 * settings.gain
    circuit = hub_circuit(
        n,
        rng,
        density=settings.density,
        n_hubs=settings.n_hubs,
        hub_out_degree=settings.hub_out_degree,
        gains=(low, high),
    )
    drive_unit, per_log_rate = "log rate", 1.0
    if settings.neuron == "integrate and fire":
        drive_unit, per_log_rate = "distance from rest to threshold", DRIVE_TO_INPUT
        circuit = circuit.scaled(SYNAPSE_TO_INPUT)
    drive_of = _assign(settings, rng)
    target_rates = rng.lognormal(0.0, 0.3, n)
    target_rates *= settings.mean_rate / target_rates.mean()

    times = np.arange(int(settings.duration * BEHAVIOR_RATE + 1e-9)) / BEHAVIOR_RATE
    latent = ornstein_uhlenbeck(len(times), 1 / BEHAVIOR_RATE, settings.speed_time_constant, rng)
    speed = speed_from_latent(latent, mean=_MEAN_SPEED)
    position = open_field_path(speed, 1 / BEHAVIOR_RATE, rng, arena=settings.arena)
    sample = np.minimum(
        (np.arange(n_samples) * _STEP * BEHAVIOR_RATE).astype(np.int64), len(times) - 1
    )

    films, trials, shown, frame = _presentations(settings, n_samples, rng)
    visual = np.flatnonzero(drive_of == "visual")
    filters = visual_filters(len(visual), settings.frame_height, settings.frame_width, rng)
    filters = replace(filters, gain=per_log_rate * filters.gain)
    seen = visual_drive(films, filters).reshape(films.shape[0] * films.shape[1], len(visual))

    common = per_log_rate * settings.common_input * rng.uniform(0.6, 1.4, n)
    drive = cosine_drive(settings.duration, common, step=_STEP)
    drive[:, visual] += np.where(frame[:, None] >= 0, seen[frame], 0.0)
    weights = np.zeros(n)
    runners = np.flatnonzero(drive_of == "speed")
    weights[runners] = per_log_rate * speed_weights(len(runners), 1.0, rng)
    drive += np.outer(latent[sample], weights)
    centres = np.full((n, 2), np.nan)
    placed = np.flatnonzero(drive_of == "place")
    # Fields lie where the animal goes: a field it never visits would show nothing.
    centres[placed] = position[rng.integers(len(position), size=len(placed))]
    width, peak = _PLACE_WIDTH * settings.arena, per_log_rate * _PLACE_PEAK
    fields = place_drive(position, centres[placed], width=width, peak=peak)
    drive[:, placed] += fields[sample]
    simulated = _spikes(settings, circuit, drive, target_rates, rng)
    return SpikesSession(
        simulated=simulated,
        circuit=circuit,
        drive_of=drive_of,
        target_rates=target_rates,
        drive_unit=drive_unit,
        drive=drive,
        films=films,
        trials=trials,
        shown=shown,
        filters=filters,
        behavior_times=times,
        latent=latent,
        speed=speed,
        position=position,
        speed_weights=weights,
        place_centres=centres,
        place_width=width,
        place_peak=peak,
        common_amplitudes=common,
    )


def _assign(settings: SpikesSimulation, rng: np.random.Generator) -> NDArray[np.str_]:
    """Give every unit its outside drive."""
    shares = {
        "visual": settings.visual_share,
        "place": settings.place_share,
        "speed": settings.speed_share,
    }
    names: list[str] = []
    for name, share in shares.items():
        names += [name] * min(round(share * settings.n_units), settings.n_units - len(names))
    names += ["none"] * (settings.n_units - len(names))
    return np.array(names)[rng.permutation(settings.n_units)]


def _presentations(
    settings: SpikesSimulation, n_samples: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Array, NDArray[np.int64], NDArray[np.int64]]:
    """Draw films and the order of their presentation; frame index of every sample, -1 for grey."""
    n_frames = int(settings.film_duration * settings.frame_rate + 1e-9)
    height, width = settings.frame_height, settings.frame_width
    films = np.stack([film(n_frames, height, width, rng) for _ in range(settings.n_films)])
    shown_for = n_frames / settings.frame_rate
    n_trials = int(settings.duration / (settings.gap + shown_for) + 1e-9)
    start = settings.gap + (settings.gap + shown_for) * np.arange(n_trials)
    blocks = -(-n_trials // settings.n_films)
    order = [rng.permutation(settings.n_films) for _ in range(blocks)]
    shown = np.concatenate(order)[:n_trials].astype(np.int64)
    frame = np.full(n_samples, -1)
    for onset, index in zip(start, shown, strict=True):
        first, last = (int(np.ceil(t / _STEP - 1e-6)) for t in (onset, onset + shown_for))
        passed = np.arange(first, min(last, n_samples)) * _STEP - onset
        within = (passed * settings.frame_rate + 1e-6).astype(np.int64)
        # A film that starts between two samples may seem a rounding error too long.
        frame[first:last] = index * n_frames + np.clip(within, 0, n_frames - 1)
    return films, np.stack([start, start + shown_for], axis=1), shown, frame


def _spikes(
    settings: SpikesSimulation,
    circuit: Circuit,
    drive: NDArray[np.float32],
    target_rates: Array,
    rng: np.random.Generator,
) -> Simulated:
    simulate = (
        simulate_point_process
        if settings.neuron == "point process"
        else simulate_integrate_and_fire
    )
    return simulate(circuit, drive, target_rates, rng, drive_step=_STEP, duration=settings.duration)
