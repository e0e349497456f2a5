"""Stepping of spiking circuits, over many stretches of time at once and still exact.

Time is cut into segments that advance in parallel, so that a step is one array operation over
segments and units. At first every segment starts at rest. Then each starts again from the end of
the one before it, with the same random numbers, until no end state changes: the result is one
unbroken run. Such circuits forget their past within a second, so two or three sweeps suffice.

Axes: s segments, n units, d slots of the delay ring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neuropipe.simulate.circuits import Circuit, Floats
from neuropipe.simulate.trains import SpikeTrains

_SEGMENT = 5.0  # s; long against every memory of the circuit
_MAX_SEGMENTS = 128
_MAX_LOG_RATE = np.log(500.0)  # no unit fires faster than this, in Hz
_AGREE = 1e-9  # end states closer than this are the same

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """Spikes of a circuit and the truth behind them.

    Parameters
    ----------
    spikes : SpikeTrains
    baseline : array of shape (n_units,)
        Constant part of the drive: log rate in log Hz (point process) or input relative to the
        threshold (integrate-and-fire).
    intensity : array of shape (n_bins, n_units), float32, optional
        Conditional intensity in Hz given the realised past, averaged over bins; point process only.
    intensity_step : float
        Width of those bins in s.
    n_passes : int
        How often the time axis was swept until all seams agreed.
    """

    spikes: SpikeTrains
    baseline: NDArray[np.float64]
    intensity: NDArray[np.float32] | None
    intensity_step: float
    n_passes: int


class Unit(Protocol):
    """How units turn their input into spikes."""

    @property
    def baseline(self) -> Array:
        """Constant part of the input of every unit."""

    def rest(self, shape: tuple[int, int]) -> list[Array]:
        """Make state arrays of shape (s, n), before the first step."""

    def draw(self, rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        """Draw the random numbers of one step."""

    def step(self, state: list[Array], drive: Array, noise: Array) -> tuple[Bools, Array | None]:
        """Advance the state in place; tell who spikes (bool) and the intensity in Hz."""


@dataclass(frozen=True)
class PointProcess:
    """Log-linear intensity with absolute refractoriness; state: steps of silence left."""

    baseline: Array
    silent: int
    dt: float

    def rest(self, shape: tuple[int, int]) -> list[Array]:
        """All units free to fire."""
        return [np.zeros(shape)]

    def draw(self, rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        """Uniform numbers."""
        return rng.random(shape)

    def step(self, state: list[Array], drive: Array, noise: Array) -> tuple[Bools, Array | None]:
        """Spike with probability rate x dt, so that the intensity is the expected count."""
        silence = state[0]
        rate = np.exp(np.minimum(drive + self.baseline, _MAX_LOG_RATE))
        rate[silence > 0] = 0.0
        spiked = np.asarray(noise < rate * self.dt)
        silence -= silence > 0
        silence[spiked] = self.silent
        return spiked, rate


@dataclass(frozen=True)
class IntegrateAndFire:
    """Leaky membrane; state: potential (0 rest, 1 threshold) and steps of silence left."""

    baseline: Array
    membrane: float
    noise: float
    silent: int
    dt: float

    def rest(self, shape: tuple[int, int]) -> list[Array]:
        """All membranes at reset."""
        return [np.zeros(shape), np.zeros(shape)]

    def draw(self, rng: np.random.Generator, shape: tuple[int, int]) -> Array:
        """Membrane noise."""
        return rng.standard_normal(shape)

    def step(self, state: list[Array], drive: Array, noise: Array) -> tuple[Bools, Array | None]:
        """Relax towards the input; spike and reset at the threshold."""
        potential, silence = state
        keep = np.exp(-self.dt / self.membrane)
        goal = drive + self.baseline
        potential -= goal
        potential *= keep
        potential += goal
        potential += self.noise * np.sqrt(1 - keep**2) * noise
        potential[silence > 0] = 0.0
        spiked = np.asarray(potential >= 1.0)
        potential[spiked] = 0.0
        silence -= silence > 0
        silence[spiked] = self.silent
        return spiked, None


@dataclass
class _State:
    """All that a segment remembers: synaptic drive (s, n), ring of arrivals (d, s, n), units."""

    synaptic: Array
    ring: Array
    unit: list[Array]

    def take(self, index: NDArray[np.int64]) -> _State:
        return _State(
            self.synaptic[index], self.ring[:, index], [part[index] for part in self.unit]
        )

    def put(self, index: NDArray[np.int64], other: _State) -> None:
        self.synaptic[index] = other.synaptic
        self.ring[:, index] = other.ring
        for mine, theirs in zip(self.unit, other.unit, strict=True):
            mine[index] = theirs

    def differs(self, other: _State) -> NDArray[np.bool_]:
        gap = np.abs(self.synaptic - other.synaptic).max(axis=1)
        gap = np.maximum(gap, np.abs(self.ring - other.ring).max(axis=(0, 2)))
        for mine, theirs in zip(self.unit, other.unit, strict=True):
            gap = np.maximum(gap, np.abs(mine - theirs).max(axis=1))
        return np.asarray(gap > _AGREE)


class _Synapses:
    """Out-going synapses of every unit, packed one source after the other."""

    def __init__(self, circuit: Circuit, dt: float) -> None:
        source, target = np.nonzero(circuit.connected.T)
        self.target = target
        self.weight = circuit.weights[target, source]
        self.delay = np.rint(circuit.delays[target, source] / dt).astype(np.int64)
        self.count = np.bincount(source, minlength=circuit.n_units)
        self.first = np.cumsum(self.count) - self.count
        self.depth = int(self.delay.max(initial=0)) + 1
        self.keep = np.exp(-dt / circuit.time_constant)

    def deliver(
        self, ring: Array, step: int, segment: NDArray[np.int64], source: NDArray[np.int64]
    ) -> None:
        """Put the weights of new spikes where they arrive."""
        count = self.count[source]
        total = int(count.sum())
        if not total:
            return
        before = np.repeat(np.cumsum(count) - count, count)
        synapse = np.arange(total) - before + np.repeat(self.first[source], count)
        slot = (step + self.delay[synapse]) % self.depth
        at = (slot, np.repeat(segment, count), self.target[synapse])
        np.add.at(ring, at, self.weight[synapse])


def run(
    circuit: Circuit,
    unit: Unit,
    drive: Floats,
    rng: np.random.Generator,
    *,
    drive_step: float,
    duration: float | None = None,
    dt: float = 1e-3,
    intensity_step: float = 0.05,
) -> Simulated:
    """Run a circuit over a drive; see `neuropipe.simulate.networks.simulate_point_process`."""
    total = len(drive) * drive_step if duration is None else duration
    hold, per_bin = round(drive_step / dt), round(intensity_step / dt)
    unit_length = int(np.lcm(hold, per_bin))
    wanted = max(_SEGMENT / dt, total / dt / _MAX_SEGMENTS)
    length = int(np.ceil(min(wanted, total / dt) / unit_length)) * unit_length
    n_segments = int(np.ceil(total / dt / length - 1e-9))
    n = circuit.n_units
    cut = _in_segments(np.asarray(drive, dtype=np.float32), n_segments, length // hold)
    synapses = _Synapses(circuit, dt)
    seed = int(rng.integers(2**63))
    shape = (n_segments, n)
    rest = _State(np.zeros(shape), np.zeros((synapses.depth, *shape)), unit.rest(shape))
    end = rest.take(np.arange(n_segments))
    intensity = np.zeros((n_segments, length // per_bin, n), dtype=np.float32)
    events = np.empty((3, 0), dtype=np.int64)  # segment, step, unit
    active = np.arange(n_segments)
    passes = 0
    while len(active):
        start = rest.take(active)
        if passes:
            start = end.take(active - 1)
        state, found, rates = _sweep(
            unit, synapses, cut, start, active, length, hold, per_bin, np.random.default_rng(seed)
        )
        events = np.hstack([events[:, ~np.isin(events[0], active)], found])
        if rates is not None:
            intensity[active] = rates
        changed = active[state.differs(end.take(active))]
        end.put(active, state)
        passes += 1
        # Every segment but the first starts again once; later only those after a changed end.
        active = np.arange(1, n_segments) if passes == 1 else changed[changed < n_segments - 1] + 1
    spikes = _trains(events, length, dt, total, n, rng)
    has_rates = isinstance(unit, PointProcess)
    n_bins = int(total / intensity_step + 1e-9)
    flat = intensity.reshape(-1, n)[:n_bins] if has_rates else None
    return Simulated(
        spikes=spikes,
        baseline=unit.baseline,
        intensity=flat,
        intensity_step=intensity_step,
        n_passes=passes,
    )


def _sweep(
    unit: Unit,
    synapses: _Synapses,
    drive: NDArray[np.float32],
    state: _State,
    active: NDArray[np.int64],
    length: int,
    hold: int,
    per_bin: int,
    rng: np.random.Generator,
) -> tuple[_State, NDArray[np.int64], NDArray[np.float32] | None]:
    """Advance the active segments from their start states to their ends."""
    shape = (drive.shape[1], drive.shape[2])
    everything = len(active) == shape[0]
    found: list[tuple[NDArray[np.int64], int, NDArray[np.int64]]] = []
    rates: NDArray[np.float32] | None = None
    for step in range(length):
        slot = step % synapses.depth
        state.synaptic *= synapses.keep
        state.synaptic += state.ring[slot]
        state.ring[slot] = 0.0
        # All segments draw, so that a segment meets the same numbers in every sweep.
        noise = unit.draw(rng, shape)
        external = drive[step // hold]
        if not everything:
            noise, external = noise[active], external[active]
        spiked, rate = unit.step(state.unit, state.synaptic + external, noise)
        if rate is not None:
            if rates is None:
                rates = np.zeros((len(active), length // per_bin, shape[1]), dtype=np.float32)
            rates[:, step // per_bin] += rate / per_bin
        segment, source = np.nonzero(spiked)
        if len(source):
            found.append((segment, step, source))
            synapses.deliver(state.ring, step, segment, source)
    state.ring = np.roll(state.ring, -(length % synapses.depth), axis=0)
    if not found:
        return state, np.empty((3, 0), dtype=np.int64), rates
    segments = active[np.concatenate([f[0] for f in found])]
    steps = np.repeat([f[1] for f in found], [len(f[0]) for f in found])
    return state, np.stack([segments, steps, np.concatenate([f[2] for f in found])]), rates


def _in_segments(drive: NDArray[np.float32], n_segments: int, n: int) -> NDArray[np.float32]:
    """Cut (time, n) into (time in segment, s, n), holding the last sample beyond the end."""
    missing = max(0, n_segments * n - len(drive))
    padded = np.pad(drive[: n_segments * n], ((0, missing), (0, 0)), mode="edge")
    return np.ascontiguousarray(padded.reshape(n_segments, n, -1).swapaxes(0, 1))


def _trains(
    events: NDArray[np.int64],
    length: int,
    dt: float,
    duration: float,
    n_units: int,
    rng: np.random.Generator,
) -> SpikeTrains:
    """Spread spikes within their steps and sort them."""
    segment, step, unit = events[:, np.lexsort((events[2], events[1], events[0]))]
    times = (segment * length + step + rng.random(len(unit))) * dt
    kept = times < duration
    times, unit = times[kept], unit[kept]
    order = np.argsort(times, kind="stable")
    return SpikeTrains(
        times=times[order],
        units=unit[order].astype(np.int32),
        n_units=n_units,
        duration=float(duration),
    )
