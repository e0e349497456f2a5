"""What the calcium and graph generators claim, measured."""

from __future__ import annotations

import numpy as np

from neuropipe.simulate.calcium import CalciumData, sim_calcium, transient
from neuropipe.simulate.calcium_hub import silencing_effects, sim_hub, wiring
from neuropipe.simulate.calcium_nulls import independent, phase_randomised, shifted
from neuropipe.simulate.graphs import planted_graph, planted_graphs
from neuropipe.simulate.settings import CalciumSimulation, GraphSimulation
from neuropipe.stats.checks import Check, at_least, at_most, between, near
from neuropipe.stats.communities import louvain
from neuropipe.stats.connectivity_matrices import mean_correlation

_SEEDS = range(5)


def checks() -> list[Check]:
    """Measure the claims; about 10 s on one core."""
    return [*_epoch_checks(), *_null_checks(), *_hub_checks(), *_graph_checks()]


def epoch_scores(data: CalciumData) -> tuple[np.ndarray, np.ndarray]:
    """Agreement with the truth of communities found in one epoch, and in the whole recording.

    Parameters
    ----------
    data : CalciumData

    Returns
    -------
    oracle, static : array of shape (n_epochs,)
        Adjusted Rand index over the members of communities, Louvain on raw correlation.
    """
    from sklearn.metrics import adjusted_rand_score

    aligned = data.aligned()
    length = aligned.shape[-1] // len(data.partitions)
    static = louvain(mean_correlation(data.traces))
    scores = []
    for epoch, partition in enumerate(data.partitions):
        window = aligned[..., epoch * length : (epoch + 1) * length]
        found = louvain(mean_correlation(window[data.expressed[:, epoch]]))
        members = partition >= 0
        scores.append(
            [adjusted_rand_score(partition[members], one[members]) for one in (found, static)]
        )
    oracle, whole = np.array(scores).T
    return oracle, whole


def _epoch_checks() -> list[Check]:
    settings = CalciumSimulation()
    both = np.array(
        [epoch_scores(sim_calcium(settings.model_copy(update={"seed": s}))) for s in _SEEDS]
    )
    oracle, static = both[:, 0], both[:, 1]
    data = sim_calcium(settings)
    sparse = sim_calcium(settings.model_copy(update={"missing": 0.4}))
    kept = sparse.presence
    kernel = transient(settings.decay, settings.rise, 0.001)
    tail = kernel[12_000] / kernel[9_000]
    how = "5 seeds x 3 epochs, Louvain on raw correlation"
    return [
        near("calcium: share of missing neurons", 1 - data.presence.mean(), 0.2, 1e-9),
        near("calcium: animals with the last motif", data.expressed[:, -1].sum(), 6, 0),
        near("calcium: share of shared events", _shared_events(data), 0.7, 0.08,
             "community 0, epoch 0, setting 0.7 of 8 events"),
        near("calcium: decay of the transient in 3 s", tail, np.exp(-1), 0.02),
        at_least("calcium: epoch ARI of the oracle, minimum", oracle.min(), 0.7, how),
        at_least("calcium: epoch ARI of the oracle, median", np.median(oracle), 0.9, how),
        between("calcium: epoch ARI of static correlation, median", np.median(static), 0.04, 0.43,
                f"{how}; range {static.min():.2f} to {static.max():.2f}"),
        at_most("calcium: traces differ with missingness", _largest(data, sparse), 0.0,
                f"common neurons of 20 % and 40 % missing, {int(kept.sum())} traces"),
    ]  # fmt: skip


def _shared_events(data: CalciumData) -> float:
    """Share of one community's events that most animals have in the same sample."""
    members = np.flatnonzero(data.partitions[0] == 0)
    length = round(float(data.epochs[0, 0, 1]) * data.sampling_rate)
    together = (data.activity[:, members, :length] > 0).mean(axis=1) > 0.99
    counts = together.sum(axis=0)
    return float(counts[counts > len(data.traces) / 2].sum() / counts.sum())


def _largest(full: CalciumData, sparse: CalciumData) -> float:
    if (sparse.presence & ~full.presence).any():
        return float("inf")
    return float(np.abs(full.traces[sparse.presence] - sparse.traces[sparse.presence]).max())


def _null_checks() -> list[Check]:
    settings = CalciumSimulation()
    data = sim_calcium(settings)
    rng = np.random.default_rng(0)
    planted = _member_correlation(data, data.traces)
    found = []
    surrogates = {
        "circular shifts": shifted(data.traces, rng),
        "random phases": phase_randomised(data.traces, rng),
        "independent draws": independent(settings).traces,
    }
    for name, traces in surrogates.items():
        found.append(
            at_most(f"calcium: members' correlation after {name} / planted",
                    abs(_member_correlation(data, traces)) / planted, 0.1,
                    f"mean over pairs of one community; planted {planted:.3f}")
        )  # fmt: skip
    return found


def _member_correlation(data: CalciumData, traces: np.ndarray) -> float:
    """Mean correlation of the pairs that share a community in some epoch."""
    partitions = data.partitions
    together = (
        (partitions[:, :, None] == partitions[:, None, :]) & (partitions >= 0)[:, :, None]
    ).any(0)
    np.fill_diagonal(together, False)
    return float(mean_correlation(traces)[together].mean())


def hub_rank(settings: CalciumSimulation) -> int:
    """Rank of the true driver among all neurons by strength within the motif (0 is first).

    Parameters
    ----------
    settings : CalciumSimulation
        Of the design ``hub``. Strength is the summed correlation of positive changes with the
        motif's other members, in animals that have both.
    """
    data, circuit = sim_hub(settings), wiring(settings)
    change = np.diff(data.traces, n=1, axis=-1)
    smooth = (change[..., :-1] + change[..., 1:]) / 2
    strength = mean_correlation(np.maximum(smooth, 0))[:, circuit.partition == 0].sum(axis=1)
    return int((strength > strength[circuit.hub]).sum())


def _hub_checks() -> list[Check]:
    settings = CalciumSimulation(design="hub")
    effects, circuit = silencing_effects(settings), wiring(settings)
    others = np.delete(effects[:, 0], circuit.hub)
    update = [settings.model_copy(update={"seed": seed}) for seed in range(20)]
    share = np.mean([hub_rank(one) < 3 for one in update])
    return [
        at_least("calcium: motif events lost without the hub", effects[circuit.hub, 0], 0.4),
        at_most("calcium: motif events lost without another neuron", others.max(), 0.1),
        at_least("calcium: seeds in which the hub is in the top 3", share, 0.8,
                 "20 seeds, correlation of positive changes with the motif"),
    ]  # fmt: skip


def _graph_checks() -> list[Check]:
    from sklearn.metrics import normalized_mutual_info_score

    settings = GraphSimulation()
    graphs = planted_graphs(settings, range(13, 18))
    easy = planted_graph(settings.model_copy(update={"mixing_weights": 0.25, "seed": 13}))
    degrees = np.mean([(graph.weights > 0).sum(axis=1).mean() for graph in graphs])
    nmi = normalized_mutual_info_score(easy.communities, louvain(easy.weights))
    return [
        at_least("graphs: seeds 13 to 17 whose mixing is within 0.1", len(graphs), 4),
        near("graphs: mean degree", degrees, settings.degree, 2.5),
        near("graphs: realised mut", np.mean([g.mixing_topology for g in graphs]), 0.5, 0.05),
        near("graphs: realised muw", np.mean([g.mixing_weights for g in graphs]), 0.5, 0.05),
        at_least("graphs: NMI of weighted Louvain at muw 0.25", nmi, 0.9, "seed 13"),
    ]
