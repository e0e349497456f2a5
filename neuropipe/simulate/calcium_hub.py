"""A circuit in which one neuron drives a motif, and that can be run again without a neuron (SIM-D).

Events spread from sample to sample. All chances are drawn beforehand: a run with a neuron silenced
differs from the full run only by what that neuron caused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.simulate.calcium import (
    BACKGROUND,
    CalciumData,
    draw_presence,
    lead_in,
    neuron_names,
    to_traces,
)
from neuropipe.simulate.processes import stream
from neuropipe.simulate.settings import CalciumSimulation

_HUB = 5  # purposes of random streams; 0 to 4 are those of the design `epochs`
_FOLLOWS = 0.65  # chance that a member follows the hub: two members agree less often
_JOINS = 0.8  # chance that a member joins an event of a community that has no hub
_WEAK, _N_WEAK = 0.05, 3  # chance and number of every neuron's further targets


@dataclass(frozen=True)
class Wiring:
    """The circuit.

    Parameters
    ----------
    partition : array of int of shape (n_neurons,)
        Community of each neuron, -1 for none; community 0 is the hub's motif.
    hub : int
        Index of the neuron that drives community 0, itself a member.
    coupling : array of shape (n_neurons, n_neurons)
        Chance that an event of the row's neuron makes the column's fire in the next sample.
    """

    partition: np.ndarray
    hub: int
    coupling: np.ndarray


def wiring(settings: CalciumSimulation) -> Wiring:
    """Draw the circuit of a simulation."""
    rng = stream(settings.seed, _HUB)
    n = settings.n_neurons
    partition = np.full(n, BACKGROUND)
    members = rng.permutation(n)[: settings.n_communities * settings.community_size]
    partition[members] = np.arange(len(members)) // settings.community_size
    hub = int(members[0])
    coupling = np.zeros((n, n))
    for row in range(n):
        targets = rng.permutation(np.delete(np.arange(n), row))[:_N_WEAK]
        coupling[row, targets] = _WEAK
    coupling[hub, partition == 0] = _FOLLOWS
    coupling[hub, hub] = 0
    return Wiring(partition, hub, coupling)


def sim_hub(settings: CalciumSimulation, *, silence: int | None = None) -> CalciumData:
    """Simulate all animals of the design ``hub``.

    Parameters
    ----------
    settings : CalciumSimulation
    silence : int, optional
        Neuron that never fires; everything else is drawn as in the full run.

    Returns
    -------
    CalciumData
        With one epoch that lasts the whole recording.
    """
    circuit = wiring(settings)
    events = _events(circuit, *_chances(settings, circuit), silence)
    gains = np.stack(
        [
            stream(settings.seed, _HUB, 1, animal).uniform(*settings.gain, settings.n_neurons)
            for animal in range(settings.n_animals)
        ]
    )
    activity = (events * gains[:, :, None]).astype(np.float32)
    presence = draw_presence(settings)
    drivers = np.full(settings.n_communities, -1)
    drivers[0] = circuit.hub
    duration = settings.n_samples / settings.sampling_rate
    return CalciumData(
        traces=to_traces(settings, activity, presence),
        activity=activity[..., lead_in(settings) :],
        presence=presence,
        names=neuron_names(settings),
        partitions=circuit.partition[None],
        epochs=np.tile([0.0, duration], (settings.n_animals, 1, 1)),
        expressed=np.ones((settings.n_animals, 1), dtype=bool),
        drivers=drivers,
        sampling_rate=settings.sampling_rate,
    )


def silencing_effects(settings: CalciumSimulation) -> np.ndarray:
    """Truth of every knock-out: what share of a community's events each neuron causes.

    Parameters
    ----------
    settings : CalciumSimulation

    Returns
    -------
    array of shape (n_neurons, n_communities)
        1 - events without the neuron / events with it, over the community's other members.
    """
    circuit = wiring(settings)
    own, chance = _chances(settings, circuit)
    full = _events(circuit, own, chance).sum(axis=(0, 2))
    effects = np.zeros((settings.n_neurons, settings.n_communities))
    for neuron in range(settings.n_neurons):
        without = _events(circuit, own, chance, neuron).sum(axis=(0, 2))
        for community in range(settings.n_communities):
            members = np.flatnonzero(circuit.partition == community)
            others = members[members != neuron]
            effects[neuron, community] = 1 - without[others].sum() / max(full[others].sum(), 1)
    return effects


def _chances(settings: CalciumSimulation, circuit: Wiring) -> tuple[np.ndarray, np.ndarray]:
    """Draw who fires unprompted (bool), and the number below which a neuron's prompts succeed.

    Both have the shape (lead_in + n_samples, n_animals, n_neurons).
    """
    n_animals, n = settings.n_animals, settings.n_neurons
    n_samples = lead_in(settings) + settings.n_samples
    rng = stream(settings.seed, _HUB, 2)
    rate = 1 / settings.sampling_rate
    own = rng.uniform(size=(n_samples, n_animals, n)) < settings.private_rate * rate
    hub = rng.uniform(size=(n_samples, n_animals)) < settings.event_rate * rate
    own[:, :, circuit.hub] |= hub
    for community in range(1, settings.n_communities):
        calls = rng.uniform(size=(n_samples, n_animals)) < settings.event_rate * rate
        members = np.flatnonzero(circuit.partition == community)
        joins = rng.uniform(size=(n_samples, n_animals, len(members))) < _JOINS
        own[:, :, members] |= calls[..., None] & joins
    return own, rng.uniform(size=(n_samples, n_animals, n))


def _events(
    circuit: Wiring, own: np.ndarray, chance: np.ndarray, silence: int | None = None
) -> np.ndarray:
    """Run the circuit: events (n_animals, n_neurons, lead_in + n_samples), 0 or 1."""
    # Causes are independent: the chance that none acts is the product over them.
    log_fails = np.log1p(-circuit.coupling)
    fired = own.copy()
    if silence is not None:
        fired[0, :, silence] = False
    for sample in range(1, len(own)):
        fired[sample] |= chance[sample] < -np.expm1(fired[sample - 1] @ log_fails)
        if silence is not None:
            fired[sample, :, silence] = False
    return fired.transpose(1, 2, 0).astype(np.float64)
