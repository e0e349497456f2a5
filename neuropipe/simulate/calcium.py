"""Calcium traces of animals whose neurons regroup into other communities in every epoch (SIM-A).

The event trains are the truth, the traces their convolution with a double-exponential transient
plus white noise. Arrays only; neurons that an animal lacks are NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.simulate.processes import stream
from neuropipe.simulate.settings import CalciumSimulation

BACKGROUND = -1  # community of a neuron that belongs to none
_PARTITION, _SHARED, _ANIMAL, _NOISE, _MISSING = range(5)  # purposes of random streams


@dataclass(frozen=True)
class CalciumData:
    """Traces and truth of all animals.

    Parameters
    ----------
    traces : array of float32 of shape (n_animals, n_neurons, n_samples)
        dF/F, or z-scored; NaN where the animal lacks the neuron.
    activity : array of float32 of shape (n_animals, n_neurons, n_samples)
        Amplitude of the events that start in each sample; of missing neurons too.
    presence : array of bool of shape (n_animals, n_neurons)
    names : tuple of str
        Of the neurons, shared by all animals.
    partitions : array of int of shape (n_epochs, n_neurons)
        Community of each neuron in each epoch, from 0; -1 for none.
    epochs : array of shape (n_animals, n_epochs, 2)
        Start and stop of each epoch in s, in each animal's own time.
    expressed : array of bool of shape (n_animals, n_epochs)
        Whether the animal shows the epoch's communities at all.
    drivers : array of int of shape (n_communities,)
        Neuron that drives each community; -1 where none does.
    sampling_rate : float
        In Hz.
    """

    traces: np.ndarray
    activity: np.ndarray
    presence: np.ndarray
    names: tuple[str, ...]
    partitions: np.ndarray
    epochs: np.ndarray
    expressed: np.ndarray
    drivers: np.ndarray
    sampling_rate: float

    def aligned(self) -> np.ndarray:
        """Put every animal's epochs into the same order.

        Returns
        -------
        array of float32 of shape (n_animals, n_neurons, n_epochs * n_samples_of_an_epoch)
            Samples after the last whole epoch are left out.
        """
        samples = np.round(self.epochs * self.sampling_rate).astype(int)
        return np.stack(
            [
                np.concatenate([trace[:, start:stop] for start, stop in bounds], axis=1)
                for trace, bounds in zip(self.traces, samples, strict=True)
            ]
        )


def neuron_names(settings: CalciumSimulation) -> tuple[str, ...]:
    """Names of the neurons: ``N01L``, ``N01R``, ... as pairs, or ``N01``, ``N02``, ..."""
    n = settings.n_neurons
    if settings.homologues:
        width = max(2, len(str(n // 2)))
        return tuple(f"N{k // 2 + 1:0{width}d}{'LR'[k % 2]}" for k in range(n))
    width = max(2, len(str(n)))
    return tuple(f"N{k + 1:0{width}d}" for k in range(n))


def sim_calcium(settings: CalciumSimulation, *, structured: bool = True) -> CalciumData:
    """Simulate all animals of the design ``epochs``.

    Parameters
    ----------
    settings : CalciumSimulation
    structured : bool
        False leaves the communities out: neurons fire privately only.

    Returns
    -------
    CalciumData

    Notes
    -----
    SIM-A of the connectome validation plan. An event of a community is an event of all its
    members, `shared_events` of them at the same time in all animals. Missing neurons have a random
    stream of their own: other shares of missing neurons hide more of the same data (SIM-C).
    """
    partitions = draw_partitions(settings)
    epochs = _epochs(settings)
    expressed = draw_expressed(settings)
    if not structured:
        partitions[:], expressed[:] = BACKGROUND, False
    before = lead_in(settings)
    shape = (settings.n_animals, settings.n_neurons, before + settings.n_samples)
    activity = np.zeros(shape, dtype=np.float32)
    calendars = [
        _Calendar(settings, stream(settings.seed, _SHARED, e, 9)) for e in range(len(partitions))
    ]
    for animal in range(settings.n_animals):
        rng = stream(settings.seed, _ANIMAL, animal)
        gains = rng.uniform(*settings.gain, size=settings.n_neurons)
        activity[animal] = private_events(settings, rng) * gains[:, None]
        for epoch in np.flatnonzero(expressed[animal]):
            start = before + round(epochs[animal, epoch, 0] * settings.sampling_rate)
            for community, samples in enumerate(calendars[epoch].draw(rng)):
                members = np.flatnonzero(partitions[epoch] == community)
                # Two events of one sample add up, which indexed += would not do.
                at = np.ix_(members, start + samples)
                np.add.at(activity[animal], at, gains[members, None])
    presence = draw_presence(settings)
    return CalciumData(
        traces=to_traces(settings, activity, presence),
        activity=activity[..., before:],
        presence=presence,
        names=neuron_names(settings),
        partitions=partitions,
        epochs=epochs,
        expressed=expressed,
        drivers=np.full(settings.n_communities, -1),
        sampling_rate=settings.sampling_rate,
    )


def draw_partitions(settings: CalciumSimulation) -> np.ndarray:
    """Draw an independent partition for every epoch.

    Returns
    -------
    array of int of shape (n_epochs, n_neurons)
        As many communities of one size as the settings say; -1 for the rest.
    """
    rng = stream(settings.seed, _PARTITION)
    partitions = np.full((settings.n_epochs, settings.n_neurons), BACKGROUND)
    n_members = settings.n_communities * settings.community_size
    for row in partitions:
        members = rng.permutation(settings.n_neurons)[:n_members]
        row[members] = np.arange(n_members) // settings.community_size
    return partitions


def draw_presence(settings: CalciumSimulation) -> np.ndarray:
    """Draw which neurons each animal has; more missing ones include the fewer.

    Returns
    -------
    array of bool of shape (n_animals, n_neurons)
    """
    presence = np.ones((settings.n_animals, settings.n_neurons), dtype=bool)
    n_missing = round(settings.missing * settings.n_neurons)
    for animal, row in enumerate(presence):
        order = stream(settings.seed, _MISSING, animal).permutation(settings.n_neurons)
        row[order[:n_missing]] = False
    return presence


def lead_in(settings: CalciumSimulation) -> int:
    """Samples simulated before a recording starts, so that it does not start from silence."""
    return round(5 * settings.decay * settings.sampling_rate)


def private_events(settings: CalciumSimulation, rng: np.random.Generator) -> np.ndarray:
    """Draw events that belong to single neurons, or to left/right pairs.

    Returns
    -------
    array of shape (n_neurons, lead_in + n_samples)
        Number of events in each sample.
    """
    n, n_samples = settings.n_neurons, lead_in(settings) + settings.n_samples
    per_sample = settings.private_rate / settings.sampling_rate
    common = settings.homologues * per_sample
    events = rng.poisson(per_sample - common, size=(n, n_samples)).astype(np.float64)
    if common:
        pairs = rng.poisson(common, size=(n // 2, n_samples))
        events += np.repeat(pairs, 2, axis=0)
    return events


def to_traces(
    settings: CalciumSimulation, activity: np.ndarray, presence: np.ndarray
) -> np.ndarray:
    """Turn events into measured traces.

    Parameters
    ----------
    settings : CalciumSimulation
    activity : array of shape (n_animals, n_neurons, lead_in + n_samples)
        Amplitude of the events that start in each sample, dF/F at the transient's peak.
    presence : array of bool of shape (n_animals, n_neurons)

    Returns
    -------
    array of float32 of shape (n_animals, n_neurons, n_samples)
        Transients, bleaching and noise; NaN for missing neurons.
    """
    n_samples = settings.n_samples
    kernel = transient(settings.decay, settings.rise, 1 / settings.sampling_rate)
    size = activity.shape[-1] + len(kernel)
    spectrum = np.fft.rfft(activity, size) * np.fft.rfft(kernel, size)
    traces = np.fft.irfft(spectrum, size)[..., activity.shape[-1] - n_samples : activity.shape[-1]]
    faded = 1 - np.exp(-2 * np.arange(n_samples) / n_samples)
    traces -= settings.bleaching * faded / (1 - np.exp(-2))
    for animal, trace in enumerate(traces):
        rng = stream(settings.seed, _NOISE, animal)
        trace += settings.noise * rng.standard_normal(trace.shape)
    if settings.unit == "zscore":
        traces -= traces.mean(axis=-1, keepdims=True)
        spread = traces.std(axis=-1, keepdims=True)
        traces /= np.where(spread > 0, spread, 1)
    traces[~presence] = np.nan
    return traces.astype(np.float32)


def transient(decay: float, rise: float, step: float) -> np.ndarray:
    """Double-exponential calcium transient with peak 1, over five decay times.

    Parameters
    ----------
    decay, rise : float
        Time constants in s, `rise` the shorter.
    step : float
        Sampling step in s.

    Returns
    -------
    array of shape (n_samples,)
    """
    time = np.arange(0, 5 * decay, step)
    peak = np.log(decay / rise) * decay * rise / (decay - rise)
    height = np.exp(-peak / decay) - np.exp(-peak / rise)
    return np.asarray((np.exp(-time / decay) - np.exp(-time / rise)) / height)


class _Calendar:
    """When the communities of an epoch have their events.

    The epoch is cut into as many slots as there are events, so that communities coincide no more
    often in one epoch than in another. The shared events have the same slots in all animals; each
    animal shares the other slots out among the communities by itself.
    """

    def __init__(self, settings: CalciumSimulation, rng: np.random.Generator) -> None:
        length = settings.duration / settings.n_epochs
        self._n_communities = settings.n_communities
        n_events = max(2, round(settings.event_rate * length))
        self._n_shared = round(settings.shared_events * n_events)
        self._n_own = n_events - self._n_shared
        # The last transient rises and mostly decays within its epoch.
        last = max(1, round((length - settings.decay) * settings.sampling_rate))
        n_slots = n_events * settings.n_communities
        moments = (np.arange(n_slots) + rng.uniform(size=n_slots)) / n_slots
        slots = (moments * last).astype(int)
        self._slots = rng.permutation(slots)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Samples since the epoch's start of one animal's events (n_communities, n_events)."""
        n_common = self._n_communities * self._n_shared
        common = self._slots[:n_common].reshape(self._n_communities, self._n_shared)
        own = rng.permutation(self._slots[n_common:])
        return np.concatenate([common, own.reshape(self._n_communities, self._n_own)], axis=1)


def _epochs(settings: CalciumSimulation) -> np.ndarray:
    n_epochs, n_animals = settings.n_epochs, settings.n_animals
    # Whole samples, so that epochs of different animals can be laid over each other.
    length = (settings.n_samples // n_epochs) / settings.sampling_rate
    order = np.tile(np.arange(n_epochs), (n_animals, 1))
    if settings.epoch_order == "shuffled":
        order = stream(settings.seed, _SHARED, 1).permuted(order, axis=1)
    start = order * length
    return np.stack([start, start + length], axis=-1)


def draw_expressed(settings: CalciumSimulation) -> np.ndarray:
    """Draw which animals show an epoch's communities: some the last one's, all the others'.

    Returns
    -------
    array of bool of shape (n_animals, n_epochs)
    """
    expressed = np.ones((settings.n_animals, settings.n_epochs), dtype=bool)
    if settings.n_epochs > 1:
        order = stream(settings.seed, _SHARED, 2).permutation(settings.n_animals)
        expressed[order[round(settings.last_epoch_share * settings.n_animals) :], -1] = False
    return expressed
