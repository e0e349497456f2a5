"""SIM-A once more: what each choice is worth, and what other methods find (the long form)."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuropipe.connectome.baselines import Windows, baseline_partitions
from neuropipe.connectome.proofs.epochs import epoch_windows
from neuropipe.connectome.proofs.parallel import side_by_side
from neuropipe.connectome.readings import read_windows
from neuropipe.connectome.restarts import fit_starts
from neuropipe.connectome.settings import (
    AffinitySettings,
    CommunitySettings,
    FactorizationSettings,
)
from neuropipe.connectome.tensor import tensor_source
from neuropipe.simulate.calcium import sim_calcium
from neuropipe.simulate.settings import CalciumSimulation
from neuropipe.stats.checks import Check

__all__ = ["ARMS", "ablation_scores", "checks"]

_RANK, _STARTS, _ITERATIONS = 8, 10, 60

#: What is changed in each arm: settings of the affinity, `rank` and `n_starts` apart.
ARMS: dict[str, dict[str, Any]] = {
    "as it is (geo, rank 8)": {},
    "prod": {"kind": "prod"},
    "min": {"kind": "min"},
    "noise floor of 1 SD": {"noise_floor": 1.0},
    "no cap": {"cap": None},
    "traces not smoothed": {"smoothing": 0.0},
    "affinities not smoothed": {"affinity_smoothing": 0.0},
    "opposite changes as a second slice": {"signed": True},
    "rank 3": {"rank": 3},
    "rank 20": {"rank": 20},
    "one start": {"n_starts": 1},
    "half of the neurons": {"half": True},
}


def checks(*, full: bool = False) -> list[Check]:
    """Measure all arms and the methods that stand beside; about ten minutes on two cores.

    Parameters
    ----------
    full : bool
        Nothing is measured without.

    Returns
    -------
    list of Check
        Median ARI of each, with its minimum; nothing is required of them.
    """
    if not full:
        return []
    found = side_by_side(ablation_scores, range(5))
    rows = []
    for name in found[0]:
        ari = np.array([one[name] for one in found])
        rows.append(
            Check(
                f"SIM-A ARI, median: {name}",
                float(np.median(ari)),
                "reported",
                bool(np.isfinite(ari).all()),
                f"minimum {ari.min():.3f}; {len(found)} seeds x 3 epochs",
            )
        )
    return rows


def ablation_scores(seed: int) -> dict[str, np.ndarray]:
    """ARI of the epochs (n_epochs,) by arm and by method, for one simulated dataset."""
    from sklearn.metrics import adjusted_rand_score

    data = sim_calcium(CalciumSimulation(seed=seed))

    def scored(labels: np.ndarray, units: np.ndarray) -> np.ndarray:
        truth = data.partitions[:, units]
        return np.array(
            [
                adjusted_rand_score(known[known >= 0], found[known >= 0])
                for known, found in zip(truth, labels, strict=True)
            ]
        )

    everyone = np.arange(data.partitions.shape[1])
    scores = {}
    for name, changes in ARMS.items():
        affinity = dict(changes)
        rank, n_starts = affinity.pop("rank", _RANK), affinity.pop("n_starts", _STARTS)
        units = everyone[::2] if affinity.pop("half", False) else everyone
        source = tensor_source(
            data.aligned()[:, units],
            data.presence[:, units],
            data.sampling_rate,
            AffinitySettings(**affinity),
            FactorizationSettings(),
        )
        factors = fit_starts(source, rank, n_starts, max_iterations=_ITERATIONS, seed=seed)[0]
        blocks = read_windows(
            factors,
            factors.coactivity(),
            len(units),
            epoch_windows(data, source),
            n_runs=10,
            min_weight=CommunitySettings().min_weight,
            seed=seed,
        )
        scores[name] = scored(np.array([one.labels for one in blocks]), units)
    length = data.aligned().shape[-1] // len(data.partitions)
    bounds = np.array([[e * length, (e + 1) * length] for e in range(len(data.partitions))])
    windows = Windows(data.aligned(), data.sampling_rate, bounds, data.expressed)
    for name, labels in baseline_partitions(windows, rank=12, seed=seed).items():
        scores[f"beside it, {name}"] = scored(labels, everyone)
    return scores
