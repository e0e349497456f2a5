"""Small runs, recordings, segments and networks for tests of BrainMAE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from neuropipe.brainmae.data import Runs, runs_of_arrays
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.segments import Segments
from neuropipe.brainmae.settings import BrainmaeSettings, ModelSettings
from neuropipe.recording import Recording, signals_array

N_ROIS = 8


def series(
    n_times: int, step: float = 1.0, seed: int = 0, n_rois: int = N_ROIS, noise: float = 0.3
) -> np.ndarray:
    """Two groups of ROIs, in turn; each follows a slow signal of its own, in shared units."""
    rng = np.random.default_rng(seed)
    times = np.arange(n_times) * step
    rates, phases = rng.uniform(0.02, 0.06, (2, 3)), rng.uniform(0, 2 * np.pi, (2, 3))
    waves = np.sin(2 * np.pi * rates * times[:, None, None] + phases).sum(axis=2)
    x = waves[:, np.arange(n_rois) % 2] + noise * rng.standard_normal((n_times, n_rois))
    return np.asarray(100 + 3 * x)


def cohort(
    n_subjects: int, n_times: int = 120, step: float = 1.0, first_seed: int = 0, **other: Any
) -> Runs:
    """Runs of that many subjects."""
    arrays = [series(n_times, step, first_seed + k, **other) for k in range(n_subjects)]
    return runs_of_arrays(arrays, [step] * n_subjects)


def unit_table(names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {"network": [f"net{k % 2}" for k in range(len(names))]},
        index=pd.Index(names, dtype=object, name="unit"),
        dtype=object,
    )


def recording(
    subject: str = "01",
    values: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    step: float = 1.0,
    parcellation: str = "atlas",
    dataset: str = "toy",
    **participant: Any,
) -> Recording:
    x = series(60, step) if values is None else values
    table = unit_table(names or [f"roi{k}" for k in range(x.shape[1])])
    return Recording(
        dataset=dataset,
        recording=f"sub-{subject}",
        subject=subject,
        modality="fmri",
        units=table,
        signals=signals_array(x, 1 / step, table.index),
        participant=participant,
        attrs={"parcellation": parcellation},
    )


def tiny(**changes: Any) -> BrainmaeSettings:
    """Settings of a network of width 16 that is trained within seconds."""
    base: dict[str, Any] = {
        "model": {"width": 16, "n_heads": 2, "n_blocks": 2},
        "segments": {"duration": 15, "n_points": 8, "n_segments": 6},
        "pretraining": {
            "learning_rate": 1e-2, "batch_size": 4, "max_steps": 30, "steps_per_epoch": 10,
            "device": "cpu", "threads": 1,
        },
    }  # fmt: skip
    for name, value in changes.items():
        base[name] = base[name] | value if name in base else value
    return BrainmaeSettings.model_validate(base)


def network(
    n_rois: int = N_ROIS, n_points: int = 8, seed: int = 0, gain: float = 1.5, **model: Any
) -> BrainMAE:
    """A network of random weights, large enough to do something, in evaluation mode."""
    settings = ModelSettings.model_validate({"width": 16, "n_heads": 2, "n_blocks": 2} | model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        built = BrainMAE(settings, n_rois, n_points)
    for weight in built.parameters():
        if weight.ndim > 1:
            weight.data.mul_(gain)
    return built.eval()


def random_segments(
    b: int = 2, k: int = 5, n: int = N_ROIS, n_points: int = 8, seed: int = 0
) -> Segments:
    """Noise that is all measured."""
    generator = torch.Generator().manual_seed(seed)
    return Segments(
        torch.randn(b, k, n, n_points, generator=generator),
        torch.ones(b, k, dtype=torch.bool),
        torch.ones(b, k, n, dtype=torch.bool),
        (torch.arange(k) * 15.0).expand(b, k),
    )
