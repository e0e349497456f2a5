"""Recurrent spiking circuits whose wiring is known: who drives whom, how fast, with which sign.

A spike of a source adds its weight to the synaptic drive of its targets after their delay; the
drive decays exponentially. `neuropipe.simulate.networks` turns drive into spikes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neuropipe.errors import SettingsError

Floats = NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """Wiring of a population; the first index is the target, the second the source.

    Parameters
    ----------
    weights : array of shape (n_units, n_units)
        Synaptic weights, 0 where there is no synapse; all weights of one source share its sign.
        In units of log rate (point process) or of the threshold's distance (integrate-and-fire).
    delays : array of shape (n_units, n_units)
        Conduction delays in s, NaN where there is no synapse.
    signs : array of shape (n_units,)
        1 for excitatory, -1 for inhibitory units.
    hubs : array of shape (n_hubs,)
        Units with many targets.
    time_constant : float
        Decay of the synaptic drive in s.
    """

    weights: NDArray[np.float64]
    delays: NDArray[np.float64]
    signs: NDArray[np.int64]
    hubs: NDArray[np.int64]
    time_constant: float = 0.006

    @property
    def n_units(self) -> int:
        """Number of units."""
        return len(self.weights)

    @property
    def connected(self) -> NDArray[np.bool_]:
        """Whether the column's unit drives the row's unit, shape (n_units, n_units)."""
        return np.asarray(self.weights != 0)

    def scaled(self, factor: float) -> Circuit:
        """Multiply all weights, to turn log rates into input for integrate-and-fire units."""
        return replace(self, weights=self.weights * factor)


def hub_circuit(
    n_units: int,
    rng: np.random.Generator,
    *,
    density: float = 0.05,
    n_hubs: int = 4,
    hub_out_degree: float = 0.4,
    inhibitory_share: float = 0.2,
    gains: tuple[float, float] = (0.5, 1.3),
    delays: tuple[float, float] = (0.005, 0.020),
    time_constant: float = 0.006,
    reference_size: int = 60,
) -> Circuit:
    """Draw a sparse circuit with a few hubs.

    Parameters
    ----------
    n_units : int
    rng : numpy.random.Generator
    density : float
        Probability of a synapse from any unit that is no hub.
    n_hubs : int
        Units that reach `hub_out_degree` of all others, exactly.
    hub_out_degree : float
        Share of the other units.
    inhibitory_share : float
        Share of inhibitory units, among the hubs as among the rest (rounded).
    gains : (low, high)
        Absolute weights are uniform between them; (0, 0) leaves the units unconnected.
    delays : (low, high)
        In s, uniform on the grid of 1 ms.
    time_constant : float
        Decay of the synaptic drive in s.
    reference_size : int
        Above this many units the gains shrink with ``sqrt(reference_size / n_units)``: at a fixed
        density each unit has more sources, and a large circuit at full gain runs away.

    Raises
    ------
    SettingsError
        If there are fewer units than hubs, or a delay is below 1 ms.
    """
    if n_hubs > n_units:
        raise SettingsError(f"{n_hubs} hubs among {n_units} units", "fewer", "lower n_hubs")
    if delays[0] < 1e-3:
        raise SettingsError(f"a delay of {delays[0]} s", "at least 0.001 s", "raise it")
    hubs = np.sort(rng.permutation(n_units)[:n_hubs])
    signs = np.ones(n_units, dtype=np.int64)
    others = np.setdiff1d(np.arange(n_units), hubs)
    for group in (hubs, others):
        signs[rng.permutation(group)[: round(inhibitory_share * len(group))]] = -1
    connected = rng.random((n_units, n_units)) < density
    for hub in hubs:
        targets = rng.permutation(np.setdiff1d(np.arange(n_units), hub))
        connected[:, hub] = False
        connected[targets[: round(hub_out_degree * (n_units - 1))], hub] = True
    np.fill_diagonal(connected, False)
    size = rng.uniform(*gains, (n_units, n_units))
    size *= min(1.0, np.sqrt(reference_size / n_units))
    low, high = (round(1e3 * delay) for delay in delays)
    lag = rng.integers(low, high + 1, (n_units, n_units)) / 1e3
    weights = np.where(connected, size * signs, 0.0)
    return Circuit(
        weights=weights,
        delays=np.where(weights != 0, lag, np.nan),
        signs=signs,
        hubs=hubs,
        time_constant=time_constant,
    )


def cosine_drive(
    duration: float,
    amplitudes: Floats,
    *,
    frequency: float = 1.0,
    step: float = 0.01,
) -> NDArray[np.float32]:
    """Input that all units share: one cosine, with an amplitude for each unit.

    Parameters
    ----------
    duration : float
        In s.
    amplitudes : array of shape (n_units,)
        In units of the drive.
    frequency : float
        In Hz.
    step : float
        Sampling step in s.

    Returns
    -------
    array of shape (n_samples, n_units)
    """
    time = step * (np.arange(int(np.ceil(duration / step - 1e-9))) + 0.5)
    return np.outer(np.cos(2 * np.pi * frequency * time), amplitudes).astype(np.float32)
