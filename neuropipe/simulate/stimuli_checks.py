"""What the generators of spiking circuits, vision and representations claim, measured."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist

from neuropipe.simulate.circuits import Circuit, cosine_drive, hub_circuit
from neuropipe.simulate.engine import Simulated
from neuropipe.simulate.navigation import ornstein_uhlenbeck, speed_population
from neuropipe.simulate.networks import (
    DRIVE_TO_INPUT,
    SYNAPSE_TO_INPUT,
    simulate_integrate_and_fire,
    simulate_point_process,
)
from neuropipe.simulate.populations import stimulus_population
from neuropipe.simulate.rendering import content_axes, read_content, render
from neuropipe.simulate.representations import (
    Design,
    cluster_regions,
    figure_eights,
    graph_regions,
    planted_regions,
)
from neuropipe.simulate.stimuli_oracle import (
    direction_accuracy,
    edge_auc,
    gate_gain,
    geo_topological,
    identify_regions,
    lagged_excess,
)
from neuropipe.simulate.vision import STATIC, simulate_vision
from neuropipe.stats.checks import Check, at_least, at_most, between, near
from neuropipe.stats.noise_ceiling import noise_ceiling

_RATE = 8.2  # Hz


def checks(*, full: bool = False) -> list[Check]:
    """Measure the claims; about 8 s on one core.

    Parameters
    ----------
    full : bool
        Whether to simulate 1200 s of each circuit instead of 300 s.
    """
    duration = 1200.0 if full else 300.0
    return [*_circuits(duration), *_populations(), *_vision(), *_representations()]


def simulate_hub_circuit(
    n_units: int, duration: float, seed: int, *, gain: float = 1.0, neuron: str = "point process"
) -> tuple[Circuit, Simulated]:
    """Simulate the hub circuit of the connectivity proofs at a mean rate of 8.2 Hz.

    Parameters
    ----------
    n_units : int
    duration : float
        In s.
    seed : int
    gain : float
        Factor on weights of 0.5 to 1.3: 1 strong, 0.5 weak, 0 none.
    neuron : {"point process", "integrate and fire"}
    """
    rng = np.random.default_rng(seed)
    circuit = hub_circuit(n_units, rng, gains=(0.5 * gain, 1.3 * gain))
    rates = rng.lognormal(0.0, 0.3, n_units)
    rates *= _RATE / rates.mean()
    amplitudes = rng.uniform(0.2, 0.4, n_units)
    if neuron == "point process":
        drive = cosine_drive(duration, amplitudes)
        return circuit, simulate_point_process(circuit, drive, rates, rng)
    drive = cosine_drive(duration, DRIVE_TO_INPUT * amplitudes)
    circuit = circuit.scaled(SYNAPSE_TO_INPUT)
    return circuit, simulate_integrate_and_fire(circuit, drive, rates, rng)


def _circuits(duration: float) -> list[Check]:
    how = f"60 units, {duration:g} s, seed 0"
    circuit, strong = simulate_hub_circuit(60, duration, 0)
    score = lagged_excess(strong.spikes)
    apart = min(float(np.diff(train).min()) for train in strong.spikes.trains())
    wired = circuit.connected
    signs = np.sign(score[wired]) == np.sign(circuit.weights[wired])
    _, loose = simulate_hub_circuit(60, duration, 0, gain=0.0)
    firing, fired = simulate_hub_circuit(60, duration, 0, neuron="integrate and fire")
    of_fired = lagged_excess(fired.spikes)
    return [
        near("spikes: mean rate, Hz", strong.spikes.rates().mean(), _RATE, 0.3, how),
        at_least("spikes: shortest interval, s", apart, 0.002, how),
        at_least("spikes: wiring found by lagged counts, AUC", edge_auc(score, wired), 0.95, how),
        at_least("spikes: direction of one-way synapses", direction_accuracy(score, wired), 0.9),
        at_least("spikes: sign of synapses", signs.mean(), 0.95, how),
        between(
            "spikes: AUC for the same wiring without synapses",
            edge_auc(lagged_excess(loose.spikes), wired),
            0.43,
            0.57,
            "nothing to find; 60 units",
        ),
        near("integrate-and-fire: mean rate, Hz", fired.spikes.rates().mean(), _RATE, 1.2, how),
        at_least("integrate-and-fire: wiring, AUC", edge_auc(of_fired, firing.connected), 0.85),
    ]


def _populations() -> list[Check]:
    rng = np.random.default_rng(0)
    seen = stimulus_population(200, rng)
    counts = np.stack([s.counts(seen.frame_step) for s in seen.repeats])
    expected = seen.rates.sum(axis=0) * seen.frame_step
    z = (counts.sum(axis=0) - expected) / np.sqrt(expected)
    gain = gate_gain(stimulus_population(200, rng, gating="units"))
    latent = ornstein_uhlenbeck(200_000, 0.05, 2.0, rng)
    lag = np.corrcoef(latent[:-20], latent[20:])[0, 1]
    moving = speed_population(200, rng)
    spikes = moving.spikes.counts(1.0)
    per_second = moving.latent.reshape(-1, 20).mean(axis=1)
    follows = np.array([np.corrcoef(per_second, spikes[:, i])[0, 1] for i in range(200)])
    driven = moving.weights != 0
    return [
        near("film: variance of (PSTH - true rate) / Poisson error", z.var(), 1.0, 0.03),
        at_least("film: exclusive-or gates over an additive model, bits/spike", gain, 0.05),
        near("speed: time constant of the latent, s", -1 / np.log(lag), 2.0, 0.15),
        at_least("speed: least |r| of a driven unit", np.abs(follows[driven]).min(), 0.3),
        at_most("speed: largest |r| of another unit", np.abs(follows[~driven]).max(), 0.25),
    ]


def _vision() -> list[Check]:
    data = simulate_vision(2000, np.random.default_rng(0))
    static = data.voxels.rois == STATIC
    absent = [
        np.abs(data.signal[data.scenes.cells[:, c] < 0][:, data.voxels.category == c]).max()
        for c in range(data.scenes.cells.shape[1])
    ]
    shown = data.scenes.features[:20]
    content = shown @ content_axes(data.code).T
    read = read_content(render(shown, data.code))
    return [
        near("vision: noise ceiling from repeats", noise_ceiling(data.responses).mean(), 0.6, 0.03),
        near("vision: signal variance of the static area", data.signal[:, static].var(), 1, 0.1),
        at_most("vision: response to an absent category", max(absent), 0.0),
        at_least(
            "vision: content read back from the pictures, r",
            np.corrcoef(content.ravel(), read.ravel())[0, 1],
            0.99,
        ),
    ]


def _representations() -> list[Check]:
    shapes = {name: pdist(points) for name, points in figure_eights().items()}
    exact = planted_regions(np.random.default_rng(0), Design(n_subjects=3))
    distances = np.array([[pdist(region[0]) for region in subject] for subject in exact])
    graph, clusters = [], []
    for seed in range(3):
        vectors = graph_regions(np.random.default_rng(seed))
        rank, cell = geo_topological(vectors, 0, 1), geo_topological(vectors, 0.45, 0.55)
        graph.append(identify_regions(cell) - identify_regions(rank))
        activity = cluster_regions(np.random.default_rng(seed))
        vectors = np.array([[pdist(r[0]) for r in subject] for subject in activity])
        rank, cell = geo_topological(vectors, 0, 1), geo_topological(vectors, 0, 0.1)
        clusters.append(identify_regions(cell) - identify_regions(rank))
    how = "leave one subject out, nearest centroid, 3 seeds; by construction of the generator"
    return [
        at_least("eights: shape outweighs topology in distances", shape_ratio(shapes), 2.0),
        at_most(
            "regions: distances differ between subjects", np.ptp(distances, axis=0).max(), 1e-3
        ),
        at_least("graph: median split over ranks, accuracy", min(graph), 0.05, how),
        at_least("clusters: nearest tenth over ranks, accuracy", min(clusters), 0.05, how),
    ]


def shape_ratio(vectors: dict[str, np.ndarray]) -> float:
    """How much more shape changes a representation of the eights than topology does.

    Parameters
    ----------
    vectors : dict of str to array of shape (n_pairs,)
        By name of the eight.

    Notes
    -----
    ``[d(flat8, twist8) + d(uflat8, utwist8)] / [d(flat8, uflat8) + d(twist8, utwist8)]``.
    """

    def gap(a: str, b: str) -> float:
        return float(np.linalg.norm(vectors[a] - vectors[b]))

    shape = gap("flat8", "twist8") + gap("uflat8", "utwist8")
    return shape / (gap("flat8", "uflat8") + gap("twist8", "utwist8"))
