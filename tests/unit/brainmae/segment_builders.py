"""Small segments for tests of imputation."""

from __future__ import annotations

import numpy as np

SHAPE = (6, 5, 7, 4)  # runs, segments, ROIs, samples


def smooth(shape=SHAPE, seed=0):
    """Correlated, autocorrelated segments (float64) that are all present."""
    rng = np.random.default_rng(seed)
    runs, segments, rois, samples = shape
    white = rng.standard_normal((runs, segments * samples + 20, rois))
    for t in range(1, white.shape[1]):
        white[:, t] += 0.7 * white[:, t - 1]
    mixed = white[:, 20:] @ (np.eye(rois) + 0.5 * rng.standard_normal((rois, rois)))
    mixed = mixed / mixed.std() + 0.3
    return mixed.reshape(runs, segments, samples, rois).transpose(0, 1, 3, 2).copy()


def everything(x):
    return np.ones(x.shape[:3], dtype=bool)
