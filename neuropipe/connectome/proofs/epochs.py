"""SIM-A and SIM-B: communities that change between epochs, and data without any."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from neuropipe.connectome.communities.modularity import louvain
from neuropipe.connectome.factorization import Factors
from neuropipe.connectome.nulls import ShiftTest, shift_test
from neuropipe.connectome.proofs.parallel import side_by_side
from neuropipe.connectome.rank import rank_table
from neuropipe.connectome.readings import Window, read_windows, time_windows, window_graph
from neuropipe.connectome.restarts import fit_starts
from neuropipe.connectome.settings import (
    AffinitySettings,
    CommunitySettings,
    ConnectomeSettings,
    FactorizationSettings,
)
from neuropipe.connectome.tensor import TensorSource, tensor_source
from neuropipe.simulate.calcium import CalciumData, sim_calcium
from neuropipe.simulate.calcium_checks import epoch_scores
from neuropipe.simulate.calcium_nulls import independent, phase_randomised
from neuropipe.simulate.settings import CalciumSimulation
from neuropipe.stats.checks import Check, at_least, at_most

__all__ = ["checks", "epoch_windows", "null_checks", "source_of", "structure_checks"]

RANKS = (8, 12)
N_PATTERNS = 3  # epochs
_STARTS, _ITERATIONS = 10, 60
_LEAST = CommunitySettings().min_weight
_SMALL = {"n_neurons": 20, "n_animals": 4, "duration": 90.0, "community_size": 4}


def checks(*, full: bool = False) -> list[Check]:
    """Measure SIM-A over five seeds and SIM-B over 40 null draws; about four minutes on two cores.

    Parameters
    ----------
    full : bool
        Draw 200 null datasets.
    """
    return [*structure_checks(range(5)), *null_checks(200 if full else 40)]


def source_of(data: CalciumData) -> TensorSource:
    """The tensor of a simulated dataset with the default settings."""
    return tensor_source(
        data.aligned(),
        data.presence,
        data.sampling_rate,
        AffinitySettings(),
        FactorizationSettings(),
    )


def epoch_windows(data: CalciumData, source: TensorSource) -> list[Window]:
    """One window an epoch, as `CalciumData.aligned` orders them."""
    return time_windows(source.frames, data.sampling_rate, len(data.partitions))


@dataclass(frozen=True)
class _Seed:
    """What one seed gives."""

    ari: dict[int, np.ndarray]  # of each rank, (n_epochs,)
    ami: dict[int, np.ndarray]
    louvain_ari: np.ndarray  # of the first rank's graphs
    oracle: np.ndarray
    static: np.ndarray
    rank: int
    time_auc: np.ndarray  # (2, n_epochs), with the planted and the chosen rank
    animal_auc: np.ndarray  # (2,)
    shifts: ShiftTest


def structure_checks(seeds: range, *, n_shifts: int = 19) -> list[Check]:
    """Checks 1, 2 and 4a of the validation plan.

    Parameters
    ----------
    seeds : range
    n_shifts : int
    """
    found = side_by_side(partial(_one_seed, n_shifts=n_shifts), seeds)
    about = f"{len(found)} seeds x 3 epochs, block model on the residual"
    rows: list[Check] = []
    for rank in RANKS:
        ari, ami = (
            np.array([getattr(one, name)[rank] for one in found]) for name in ("ari", "ami")
        )
        rows += [
            at_least(f"SIM-A median ARI, rank {rank}", np.median(ari), 0.9, about),
            at_least(f"SIM-A median AMI, rank {rank}", np.median(ami), 0.9, about),
            at_least(f"SIM-A minimum ARI, rank {rank}", ari.min(), 0.8, about),
        ]
    ours = np.array([one.ari[RANKS[0]] for one in found])
    oracle, static = (np.array([getattr(one, n) for one in found]) for n in ("oracle", "static"))
    modularity = np.array([one.louvain_ari for one in found])
    beside = np.maximum(ours - static - 0.4, ours - oracle + 0.05)
    rows.append(
        at_least(
            "SIM-A epochs: above static correlation by 0.4, or within 0.05 of the oracle",
            float((beside >= 0).mean()),
            1.0,
            f"share of epochs; medians: ours {np.median(ours):.3f}, oracle "
            f"{np.median(oracle):.3f}, static {np.median(static):.3f}, Louvain on our residual "
            f"{np.median(modularity):.3f} (minimum {modularity.min():.3f})",
        )
    )
    times, animals = (
        np.array([getattr(one, n) for one in found]) for n in ("time_auc", "animal_auc")
    )
    planted, chosen = times[:, 0], times[:, 1]
    words = f"rank {N_PATTERNS}, matched by pairs"
    ranks = [one.rank for one in found]
    rows += [
        at_least("SIM-A matched component: AUC of its course for the epoch, minimum",
                 planted.min(), 0.9, f"{words}; median {np.median(planted):.3f}"),
        at_least("SIM-A matched component of the last epoch: AUC for animals, minimum",
                 animals[:, 0].min(), 0.95, words),
        Check("SIM-A the same courses at the rank chosen from the data, median",
              float(np.median(chosen)), "reported", bool(np.isfinite(chosen).all()),
              f"ranks {ranks}; minimum {chosen.min():.3f}: a fourth component splits one epoch's "
              "pattern in two"),
    ]  # fmt: skip
    tests = [one.shifts for one in found]
    above_fit = np.mean([t.data.fit > max(s.fit for s in t.shifts) for t in tests])
    above_gain = np.mean([t.data.window_gains.min() > t.largest_window_gains.max() for t in tests])
    fits = [(t.data.fit, max(s.fit for s in t.shifts)) for t in tests]
    gains = np.array([t.data.window_gains for t in tests])
    rows += [
        at_least("SIM-A fit above all circular shifts: share of seeds", above_fit, 1.0,
                 f"{n_shifts} shifts; " + ", ".join(f"{a:.4f} > {b:.4f}" for a, b in fits)),
        at_least("SIM-A block gain of every window above all shifts': share of seeds", above_gain,
                 1.0, f"{gains.min():.0f} to {gains.max():.0f} nats, shifts at most "
                 f"{max(t.largest_window_gains.max() for t in tests):.0f}"),
    ]  # fmt: skip
    return rows


def _one_seed(seed: int, n_shifts: int) -> _Seed:
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    data = sim_calcium(CalciumSimulation(seed=seed))
    source = source_of(data)
    windows = epoch_windows(data, source)
    members = data.partitions >= 0
    ari, ami = {}, {}
    modular = np.zeros(len(windows))
    for rank in RANKS:
        factors = fit_starts(source, rank, _STARTS, max_iterations=_ITERATIONS, seed=seed)[0]
        blocks = read_windows(
            factors,
            factors.coactivity(),
            source.n_units,
            windows,
            n_runs=CommunitySettings().n_runs,
            min_weight=_LEAST,
            seed=seed,
        )
        scored = [
            (truth[kept], one.labels[kept])
            for truth, kept, one in zip(data.partitions, members, blocks, strict=True)
        ]
        ari[rank] = np.array([adjusted_rand_score(*pair) for pair in scored])
        ami[rank] = np.array([adjusted_mutual_info_score(*pair) for pair in scored])
        if rank == RANKS[0]:
            for e, window in enumerate(windows):
                graph = window_graph(factors, factors.coactivity(), source.n_units, window)
                labels = louvain(np.nan_to_num(graph), seed=seed)
                kept = members[e]
                modular[e] = adjusted_rand_score(data.partitions[e][kept], labels[kept])
    oracle, static = epoch_scores(data)
    rank = rank_table(source, ConnectomeSettings().factorization.ranks, seed=seed).chosen
    matched = [
        _matched_component(
            data,
            fit_starts(source, one, _STARTS, max_iterations=_ITERATIONS, seed=seed)[0],
            windows,
        )
        for one in (N_PATTERNS, rank)
    ]
    return _Seed(
        ari=ari,
        ami=ami,
        louvain_ari=modular,
        oracle=oracle,
        static=static,
        rank=rank,
        time_auc=np.array([times for times, _ in matched]),
        animal_auc=np.array([auc for _, auc in matched]),
        shifts=shift_test(source, rank, windows, n_shifts=n_shifts, min_weight=_LEAST, seed=seed),
    )


def _matched_component(
    data: CalciumData, factors: Factors, windows: list[Window]
) -> tuple[np.ndarray, float]:
    """AUC of courses for their epoch, and of animals for the last; components matched by pairs."""
    from sklearn.metrics import roc_auc_score

    first, second = np.triu_indices(data.partitions.shape[1], k=1)
    times = np.zeros(len(windows))
    for e, (partition, window) in enumerate(zip(data.partitions, windows, strict=True)):
        same = (partition[first] == partition[second]) & (partition[first] >= 0)
        scores = [roc_auc_score(same, np.nan_to_num(pairs)) for pairs in factors.pairs.T]
        best = int(np.argmax(scores))
        times[e] = roc_auc_score(window.samples, factors.times[:, best])
    return times, float(roc_auc_score(data.expressed[:, -1], factors.animals[:, best]))


def null_checks(n_draws: int, *, n_shifts: int = 19) -> list[Check]:
    """Check 4b: how often data without shared structure are called structured.

    Parameters
    ----------
    n_draws : int
        Half of them animals whose neurons share no event, half traces with random phases.
    n_shifts : int
    """
    p_values = side_by_side(partial(_null_draw, n_shifts=n_shifts), range(n_draws))
    fit, gain = (np.array(p_values) <= 0.05).mean(axis=0)
    about = f"{n_draws} draws of 20 neurons in 4 animals, {n_shifts} shifts each"
    return [
        at_most("SIM-B fit: type I error at 0.05", fit, 0.12, about),
        at_most("SIM-B block gain of windows: type I error at 0.05", gain, 0.12, about),
    ]


def _null_draw(seed: int, n_shifts: int) -> tuple[float, float]:
    """P values of fit and block gain of one dataset without shared structure."""
    settings = CalciumSimulation(seed=1000 + seed, **_SMALL)
    if seed % 2:
        data = sim_calcium(settings)
        traces = phase_randomised(data.traces, np.random.default_rng(seed))
    else:
        data = independent(settings)
        traces = data.traces
    source = tensor_source(
        traces, data.presence, data.sampling_rate, AffinitySettings(), FactorizationSettings()
    )
    windows = time_windows(source.frames, data.sampling_rate, 3)
    test = shift_test(source, 4, windows, n_shifts=n_shifts, min_weight=_LEAST, seed=seed)
    return test.fit_p_value, test.gain_p_value
