"""Runs whose hidden ROIs can be told from their twins, and settings to learn that in seconds."""

from __future__ import annotations

import numpy as np

from neuropipe.brainmae.data import runs_of_arrays
from neuropipe.brainmae.settings import BrainmaeSettings

N_ROIS = 6


def twins(n_runs=40, n_times=200, first_seed=0):
    """Three ROIs follow one signal and three another; a second later little of it is left."""
    arrays = []
    for seed in range(first_seed, first_seed + n_runs):
        rng = np.random.default_rng(seed)
        signals = rng.standard_normal((n_times, 2))
        for t in range(1, n_times):
            signals[t] += 0.8 * signals[t - 1]
        noise = 0.3 * rng.standard_normal((n_times, N_ROIS))
        arrays.append(signals[:, [0, 0, 0, 1, 1, 1]] + noise)
    return runs_of_arrays(arrays, [1.0] * n_runs)


def quick(steps=200, **pretraining):
    return BrainmaeSettings.model_validate(
        {
            "model": {"width": 32, "n_heads": 4},
            "segments": {"duration": 4, "n_points": 4, "n_segments": 4},
            "pretraining": {
                "learning_rate": 5e-3, "batch_size": 16, "max_steps": steps,
                "steps_per_epoch": steps // 4, "device": "cpu", "threads": 1, **pretraining,
            },
        }
    )  # fmt: skip
