"""Participants with planted labels, and features that know them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from neuropipe.prediction.design import Design, read_design
from neuropipe.prediction.settings import PredictionSettings

FAST = {"seeds": (0, 1), "n_permutations": 19, "n_resamples": 200}


def participants(n_subjects: int = 40, **columns: Any) -> pd.DataFrame:
    """Two groups in turn, an age, families of two; further columns as given."""
    known = {
        "group": ["patient", "control"] * (n_subjects // 2),
        "age": [20.0 + k for k in range(n_subjects)],
        "family": [f"f{k // 2}" for k in range(n_subjects)],
    }
    index = pd.Index([f"{k:02d}" for k in range(n_subjects)])
    return pd.DataFrame({**known, **columns}, index=index, dtype=object)


def design(table: pd.DataFrame | None = None, **settings: Any) -> Design:
    chosen = PredictionSettings(**{**FAST, "targets": ("group",), **settings})
    found, _ = read_design(participants() if table is None else table, chosen)
    assert found is not None
    return found


def features(table: pd.DataFrame, effect: float = 1.5, seed: int = 0) -> np.ndarray:
    """Ten numbers a subject, the first two of which tell patients and age."""
    x = np.random.default_rng(seed).standard_normal((len(table), 10))
    x[:, 0] += effect * (table["group"] == "patient").to_numpy()
    x[:, 1] += effect * (table["age"].to_numpy(float) - 40) / 12
    return x
